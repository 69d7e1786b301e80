//! What a server counts, and how it shows it: `/metrics`, and the HTTP that carries it.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::net::SocketAddr;
use std::path::Path;

use serde_json::Value;
use snakk::Server;
use snakk::store::memory::MemoryStore;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::load::{Load, check};
use crate::support::daemon::FREE;
use crate::support::server::free;
use crate::support::{Daemon, daemon, json, server, within};

/// What HTTP answers.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: String,
}

/// Sends bytes and reads what comes until the other side closes.
pub(crate) async fn exchange(address: SocketAddr, bytes: &[u8]) -> Reply {
    let mut stream = within("a connection", TcpStream::connect(address)).await.expect("a connection");
    stream.write_all(bytes).await.expect("it is taken");
    let mut reply = Vec::new();
    within("the end of an answer", stream.read_to_end(&mut reply)).await.expect("an answer");
    let reply = String::from_utf8(reply).expect("text");
    let (head, body) = reply.split_once("\r\n\r\n").unwrap_or_else(|| panic!("no answer of HTTP: {reply:?}"));
    let status = head.strip_prefix("HTTP/1.1 ").and_then(|rest| rest.get(..3)).and_then(|code| code.parse().ok());
    Reply { status: status.unwrap_or_else(|| panic!("{head}")), head: head.to_owned(), body: body.to_owned() }
}

pub(crate) async fn get(address: SocketAddr, path: &str) -> Reply {
    exchange(address, format!("GET {path} HTTP/1.1\r\nHost: {address}\r\n\r\n").as_bytes()).await
}

/// A daemon with metrics at a free port, and where they are.
pub(crate) async fn watched() -> (Daemon, SocketAddr) {
    let mut daemon = daemon().config(&with_metrics()).spawn();
    let address = metrics_of(&mut daemon).await;
    (daemon, address)
}

pub(crate) fn with_metrics() -> String {
    format!("{FREE}\n[metrics]\naddress = \"127.0.0.1:0\"\n")
}

/// Where the metrics of a daemon are, which only its log says.
pub(crate) async fn metrics_of(daemon: &mut Daemon) -> SocketAddr {
    daemon.listens().await;
    // The last field of its line.
    let log = daemon.logs("metrics=").await;
    let (_, rest) = log.split_once("metrics=").expect("it is there");
    rest.lines().next().and_then(|address| address.parse().ok()).expect("an address")
}

/// A sample: its name, its labels, its value.
type Samples = BTreeMap<(String, Vec<(String, String)>), f64>;

/// What a page of metrics says, read as strictly as its format allows (text format, version 0.0.4).
pub(crate) struct Page {
    kinds: BTreeMap<String, String>,
    samples: Samples,
}

impl Page {
    pub(crate) async fn of(address: SocketAddr) -> Page {
        let reply = get(address, "/metrics").await;
        assert_eq!(reply.status, 200, "{reply:?}");
        let kind = "Content-Type: text/plain; version=0.0.4; charset=utf-8";
        assert!(reply.head.lines().any(|line| line == kind), "{}", reply.head);
        let length = reply.head.lines().find_map(|line| line.strip_prefix("Content-Length: ")).expect("a length");
        assert_eq!(length, reply.body.len().to_string());
        Page::parse(&reply.body)
    }

    fn parse(text: &str) -> Page {
        let mut page = Page { kinds: BTreeMap::new(), samples: BTreeMap::new() };
        assert!(text.ends_with('\n') && !text.contains('\r'));
        // The family under way: its samples have to stand together, behind its HELP and TYPE.
        let (mut help, mut family) = (None::<String>, None::<(String, String)>);
        for line in text.lines() {
            if let Some(rest) = line.strip_prefix("# HELP ") {
                let (name, meaning) = rest.split_once(' ').unwrap_or_else(|| panic!("{line}"));
                assert!(!meaning.trim().is_empty() && !meaning.contains('\\'), "{line}");
                assert!(!page.kinds.contains_key(name), "{name} is there twice");
                help = Some(name.to_owned());
            } else if let Some(rest) = line.strip_prefix("# TYPE ") {
                let (name, kind) = rest.split_once(' ').unwrap_or_else(|| panic!("{line}"));
                assert_eq!(help.take().as_deref(), Some(name), "HELP stands in front of TYPE");
                assert!(["counter", "gauge", "histogram"].contains(&kind), "{line}");
                assert_eq!(name.ends_with("_total"), kind == "counter", "{line}");
                page.kinds.insert(name.to_owned(), kind.to_owned());
                family = Some((name.to_owned(), kind.to_owned()));
            } else {
                let (name, labels, value) = sample(line);
                let (family, kind) = family.as_ref().unwrap_or_else(|| panic!("{line} has no family"));
                let fits = match name.strip_prefix(family.as_str()) {
                    Some("") => kind != "histogram",
                    Some("_bucket" | "_sum" | "_count") => kind == "histogram",
                    _ => false,
                };
                assert!(fits, "{line} is no sample of {family}");
                assert!(value.is_finite() && value >= 0.0, "{line}");
                assert!(page.samples.insert((name, labels), value).is_none(), "{line} is there twice");
            }
        }
        for (family, _) in page.kinds.iter().filter(|(_, kind)| *kind == "histogram") {
            page.check_histogram(family);
        }
        page
    }

    fn check_histogram(&self, family: &str) {
        let name = format!("{family}_bucket");
        let mut buckets: Vec<(f64, f64)> = self
            .samples
            .iter()
            .filter(|((sample, _), _)| *sample == name)
            .map(|((_, labels), count)| {
                let [(label, end)] = labels.as_slice() else { panic!("{labels:?}") };
                assert_eq!(label, "le");
                (end.parse().expect("a number, or +Inf"), *count)
            })
            .collect();
        buckets.sort_by(|a, b| a.0.total_cmp(&b.0));
        assert!(buckets.len() > 5 && buckets.is_sorted_by(|a, b| a.1 <= b.1), "{family}: {buckets:?}");
        let (last, all) = buckets.last().expect("a bucket");
        assert!(last.is_infinite());
        assert_eq!(*all, self.value(&format!("{family}_count")), "{family}");
        self.value(&format!("{family}_sum"));
    }

    /// The value of a metric, with its labels as they are written, if it has any.
    #[track_caller]
    pub(crate) fn value(&self, written: &str) -> f64 {
        let (name, labels, _) = sample(&format!("{written} 0"));
        *self.samples.get(&(name, labels)).unwrap_or_else(|| panic!("there is no {written}"))
    }

    /// All names, those of the parts of histograms too.
    fn names(&self) -> BTreeSet<&str> {
        let samples = self.samples.keys().map(|(name, _)| name.as_str());
        samples.chain(self.kinds.keys().map(String::as_str)).collect()
    }

    /// All names with their labels, without the values.
    fn series(&self) -> BTreeSet<&(String, Vec<(String, String)>)> {
        self.samples.keys().collect()
    }
}

/// Reads a line: `name{label="value",..} 1`.
fn sample(line: &str) -> (String, Vec<(String, String)>, f64) {
    let (series, value) = line.rsplit_once(' ').unwrap_or_else(|| panic!("{line}"));
    let (name, labels) = match series.split_once('{') {
        Some((name, labels)) => (name, labels.strip_suffix('}').unwrap_or_else(|| panic!("{line}"))),
        None => (series, ""),
    };
    let is_word = |word: &str| {
        !word.starts_with(|c: char| c.is_ascii_digit())
            && !word.is_empty()
            && word.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
    };
    assert!(is_word(name), "{line}");
    let labels = labels.split(',').filter(|label| !label.is_empty()).map(|label| {
        let (name, value) = label.split_once('=').unwrap_or_else(|| panic!("{line}"));
        let value = value.strip_prefix('"').and_then(|value| value.strip_suffix('"'));
        let value = value.unwrap_or_else(|| panic!("{line}"));
        assert!(is_word(name) && !value.contains(['"', '\\']), "{line}");
        (name.to_owned(), value.to_owned())
    });
    (name.to_owned(), labels.collect(), value.parse().unwrap_or_else(|_| panic!("{line}")))
}

#[tokio::test]
async fn the_counters_move_when_one_chats() {
    let (daemon, address) = watched().await;
    let before = Page::of(address).await;
    let (mut alice, mut bob) = (daemon.account("alice").await, daemon.native("bob").await);
    alice.join("lobby").await;
    bob.join("lobby").await;
    for n in 0..3 {
        alice.say("lobby", &format!("hello {n}")).await;
        bob.hear("lobby", &format!("hello {n}")).await;
    }
    bob.ask_in_vain(json!({"request": "join", "room": "nowhere"}), "no_such_room").await;
    let mut eve = daemon.hello("eve").await;
    eve.ask_in_vain(json!({"request": "login", "username": "alice", "password": "wrong horse"}), "bad_credentials")
        .await;
    let mut carol = daemon.connect("carol").await;
    carol.send_raw(json!({"request": "login", "content": "carol"}).to_string()).await;
    carol.expect(json!({"response": "info", "content": "Login successful"})).await;

    let page = Page::of(address).await;
    let more = |name: &str| page.value(name) - before.value(name);
    assert_eq!(page.value(&format!("snakk_build_info{{version=\"{}\"}}", env!("CARGO_PKG_VERSION"))), 1.0);
    assert_eq!(more("snakk_entries_total{kind=\"message\"}"), 3.0);
    assert!(more("snakk_entries_total{kind=\"member\"}") >= 1.0);
    assert!(more("snakk_deliveries_total") >= 6.0, "both have all of it");
    assert!(more("snakk_delivered_bytes_total") >= 6.0 * 60.0);
    assert!(more("snakk_delivery_seconds_count") >= 1.0);
    assert!(more("snakk_commit_seconds_count") >= 4.0);
    assert!(more("snakk_readings_total") >= 1.0);
    assert_eq!(more("snakk_connections_accepted_total"), 4.0);
    assert_eq!(page.value("snakk_connections"), 4.0);
    assert_eq!(page.value("snakk_connections_unauthenticated"), 1.0, "Eve");
    let sessions = |dialect: &str| page.value(&format!("snakk_sessions{{dialect=\"{dialect}\"}}"));
    assert_eq!((sessions("native"), sessions("course")), (3.0, 1.0));
    assert_eq!(page.value("snakk_users_online{kind=\"account\"}"), 1.0);
    assert_eq!(page.value("snakk_users_online{kind=\"guest\"}"), 2.0);
    assert_eq!(page.value("snakk_rooms{kind=\"room\"}"), 1.0);
    assert_eq!(more("snakk_refusals_total{code=\"no_such_room\"}"), 1.0);
    assert_eq!(more("snakk_refusals_total{code=\"bad_credentials\"}"), 1.0);
    assert_eq!(more("snakk_logins_total{result=\"bad_credentials\"}"), 1.0);
    assert_eq!(more("snakk_logins_total{result=\"ok\"}"), 2.0, "Bob and Carol");
    assert_eq!(more("snakk_registrations_total"), 1.0);
    assert_eq!(page.value("snakk_storage_refusing"), 0.0);
    assert_eq!(page.value("snakk_queue_limit{queue=\"writer\"}"), 4096.0);
    assert!(page.value("snakk_database_bytes") > 0.0 && page.value("snakk_wal_bytes") > 0.0);
    if cfg!(target_os = "linux") {
        assert!(page.value("process_resident_memory_bytes") > 1e6);
        assert!(page.value("process_open_fds") > 4.0 && page.value("process_max_fds") > 4.0);
    }

    // Those who are gone are taken off.
    for wire in [alice, bob, eve, carol] {
        drop(wire);
    }
    within("the end of all connections", async { while Page::of(address).await.value("snakk_connections") > 0.0 {} })
        .await;
    let page = Page::of(address).await;
    let sessions = |dialect: &str| page.value(&format!("snakk_sessions{{dialect=\"{dialect}\"}}"));
    assert_eq!((sessions("native"), sessions("course")), (0.0, 0.0));
    let ended: f64 = ["finished", "broken"]
        .map(|why| page.value(&format!("snakk_connections_closed_total{{reason=\"{why}\"}}")))
        .iter()
        .sum();
    assert_eq!(ended, 4.0);
}

#[tokio::test]
async fn no_label_grows_with_what_users_do() {
    let (daemon, address) = watched().await;
    let series_before = Page::of(address).await;
    for name in ["ann", "ben"] {
        let mut wire = daemon.account(name).await;
        for room in ["kitchen", "cellar"].map(|room| format!("{name}-{room}")) {
            wire.ask(json!({"request": "create", "room": room})).await;
            wire.join(&room).await;
            wire.say(&room, "x").await;
        }
        wire.ask_in_vain(json!({"request": "no such thing \u{1f9c0}"}), "unknown_request").await;
    }
    let page = Page::of(address).await;
    assert_eq!(page.series(), series_before.series());
}

#[tokio::test]
async fn lag_is_what_readers_have_not_taken_yet() {
    let server = server().await;
    let (mut alice, mut lazy) = (server.native("alice").await, server.native("lazy").await);
    alice.join("lobby").await;
    lazy.join("lobby").await;
    let text = "x".repeat(16_000);
    // Until the sockets between hold no more.
    let stats = within("a reader that lags", async {
        loop {
            alice.say("lobby", &text).await;
            let stats = server.server.stats();
            if stats.most_lag > 1 {
                return stats;
            }
        }
    })
    .await;
    assert!(stats.lagging >= 1 && stats.lag >= stats.most_lag);
    lazy.reset();
    within("the end of the lag", async {
        while server.server.stats().connections > 1 {
            tokio::task::yield_now().await;
        }
    })
    .await;
}

/// The table of metrics in `docs/operating.md`: the name, the kind, and the labels.
fn documented() -> BTreeMap<String, (String, String)> {
    let page = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/operating.md")).expect("the page");
    let (_, table) = page.split_once("| metric | kind | labels | meaning |\n").expect("the table");
    let rows = table.lines().skip(1).take_while(|line| line.starts_with('|'));
    rows.map(|row| {
        let cells: Vec<&str> = row.trim_matches('|').split('|').map(str::trim).collect();
        (cells[0].trim_matches('`').to_owned(), (cells[1].to_owned(), cells[2].to_owned()))
    })
    .collect()
}

#[tokio::test]
async fn each_metric_is_documented_with_its_kind_and_its_labels() {
    let (_daemon, address) = watched().await;
    let page = Page::of(address).await;
    let documented = documented();
    let kinds: BTreeMap<&str, &str> =
        documented.iter().map(|(name, (kind, _))| (name.as_str(), kind.as_str())).collect();
    assert_eq!(kinds, page.kinds.iter().map(|(name, kind)| (name.as_str(), kind.as_str())).collect());
    for (name, labels) in page.samples.keys() {
        if name.ends_with("_bucket") {
            continue;
        }
        let documented = documented.get(name).or_else(|| documented.get(name.rsplit_once('_').expect("a part").0));
        let (_, written) = documented.unwrap_or_else(|| panic!("{name}"));
        match labels.as_slice() {
            [] => assert_eq!(written, "", "{name}"),
            [(label, value)] => {
                assert!(written.starts_with(&format!("`{label}`")), "{name}: {written}");
                // Where the values are listed, all are.
                let listed = written.split_once(": `");
                assert!(
                    listed.is_none_or(|(_, list)| format!("`{list}").contains(&format!("`{value}`"))),
                    "{name}: {value}"
                );
            }
            labels => panic!("{name}: {labels:?}"),
        }
    }
}

/// The names of metrics in an expression of PromQL: what is neither a function, a label nor a word of the language.
fn names_in(expr: &str) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    let mut rest = expr.to_owned();
    // What is in braces, brackets, quotes, and in the lists of labels.
    for (open, close) in [('{', '}'), ('[', ']')] {
        while let (Some(from), Some(to)) = (rest.find(open), rest.find(close)) {
            rest.replace_range(from..=to, " ");
        }
    }
    for word in rest.split(|c: char| !c.is_ascii_alphanumeric() && c != '_') {
        if word.starts_with("snakk_") || word.starts_with("process_") {
            names.insert(word.to_owned());
        }
    }
    names
}

#[tokio::test]
async fn the_dashboard_and_the_alerts_ask_for_what_is_there() {
    let (_daemon, address) = watched().await;
    let page = Page::of(address).await;
    let there = page.names();
    let packaging = Path::new(env!("CARGO_MANIFEST_DIR")).join("packaging");

    let dashboard: Value =
        serde_json::from_str(&fs::read_to_string(packaging.join("grafana/snakk.json")).expect("the file"))
            .expect("JSON");
    let panels = dashboard["panels"].as_array().expect("panels");
    let ids: BTreeSet<u64> = panels.iter().map(|panel| panel["id"].as_u64().expect("an id")).collect();
    assert_eq!(ids.len(), panels.len(), "each panel has an id of its own");
    let mut asked = BTreeSet::new();
    for panel in panels.iter().filter(|panel| panel["type"] != "row") {
        let targets = panel["targets"].as_array().expect("targets");
        assert!(!targets.is_empty());
        for target in targets {
            assert_eq!(target["datasource"]["uid"], "${datasource}", "{target}");
            let names = names_in(target["expr"].as_str().expect("an expression"));
            assert!(!names.is_empty(), "{target}");
            asked.extend(names);
        }
    }
    let unknown: Vec<_> = asked.iter().filter(|name| !there.contains(name.as_str())).collect();
    assert!(unknown.is_empty(), "the dashboard asks for {unknown:?}");
    // And it shows all there is.
    let shown = |family: &String| asked.iter().any(|name| name.starts_with(family.as_str()));
    let missing: Vec<_> = page.kinds.keys().filter(|family| !shown(family) && *family != "snakk_build_info").collect();
    assert!(missing.is_empty(), "the dashboard does not show {missing:?}");

    let rules = fs::read_to_string(packaging.join("prometheus/snakk.rules.yml")).expect("the file");
    let page = fs::read_to_string(packaging.join("../docs/operating.md")).expect("the page");
    let mut alerts = 0;
    for line in rules.lines().map(|line| line.trim().trim_start_matches("- ")) {
        if let Some(expr) = line.strip_prefix("expr: ") {
            let unknown: Vec<_> = names_in(expr).into_iter().filter(|name| !there.contains(name.as_str())).collect();
            assert!(unknown.is_empty(), "an alert asks for {unknown:?}");
        }
        if let Some(alert) = line.strip_prefix("alert: ") {
            assert!(page.contains(&format!("| `{alert}` |")), "{alert} is documented");
            alerts += 1;
        }
    }
    assert!(alerts >= 5);
}

#[tokio::test]
async fn http_is_spoken_as_it_should_be() {
    let (_daemon, address) = watched().await;
    for (request, status) in [
        ("GET /metrics HTTP/1.0\r\n\r\n", 200),
        ("GET /health?verbose=1 HTTP/1.1\r\nHost: x\r\nAccept: */*\r\n\r\n", 200),
        ("GET /health/live HTTP/1.1\nHost: x\n\n", 200),
        ("GET / HTTP/1.1\r\nHost: x\r\n\r\n", 404),
        ("GET /metrics/ HTTP/1.1\r\nHost: x\r\n\r\n", 404),
        ("GET /../etc/passwd HTTP/1.1\r\nHost: x\r\n\r\n", 404),
        ("POST /metrics HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc", 405),
        ("DELETE /health HTTP/1.1\r\nHost: x\r\n\r\n", 405),
        ("{\"request\":\"hello\",\"protocol\":1}\n\n", 400),
        ("GET /metrics\r\n\r\n", 400),
    ] {
        let reply = exchange(address, request.as_bytes()).await;
        assert_eq!(reply.status, status, "{request}: {reply:?}");
        assert!(reply.head.contains("\r\nConnection: close"), "{reply:?}");
        assert_eq!(reply.head.contains("\r\nAllow: GET, HEAD"), status == 405, "{reply:?}");
    }
    let long = format!("GET /metrics HTTP/1.1\r\nX: {}\r\n\r\n", "x".repeat(20_000));
    assert_eq!(exchange(address, long.as_bytes()).await.status, 431);
    let (whole, head) =
        (get(address, "/health").await, exchange(address, b"HEAD /health HTTP/1.1\r\nHost: x\r\n\r\n").await);
    assert_eq!((head.status, head.body.as_str(), head.head), (200, "", whole.head));
    assert_eq!(whole.body, "{\"live\":true,\"ready\":true,\"problems\":[]}\n");
}

#[tokio::test]
async fn whoever_means_harm_to_the_metrics_does_none() {
    let (daemon, address) = watched().await;
    let mut load = Load::start(daemon.address(), "load", 4, &["lobby"]).await;
    // A thousand who say nothing, half a request, or nothing that makes sense; as many as may are let in.
    let mut held = Vec::new();
    for number in 0..1000 {
        // The system may refuse some.
        let Ok(mut stream) = TcpStream::connect(address).await else { continue };
        let bytes: &[u8] = match number % 4 {
            0 => b"",
            1 => b"GET /metr",
            2 => &[0xff; 600],
            _ => b"\x16\x03\x01\x02\x00\x01\x00",
        };
        let _ = stream.write_all(bytes).await;
        held.push(stream);
    }
    // They make room for who has something to ask.
    assert_eq!(get(address, "/health/live").await.status, 200);
    // Without an end, as fast as it goes.
    let endless = tokio::spawn(async move {
        let Ok(mut stream) = TcpStream::connect(address).await else { return 0 };
        let (piece, mut sent) = (vec![b'x'; 1 << 20], 0_u64);
        while sent < 1 << 30 && stream.write_all(&piece).await.is_ok() {
            sent += piece.len() as u64;
        }
        sent
    });
    load.acknowledged(200).await;
    assert!(within("the end of the endless one", endless).await.expect("it ends") < 1 << 30);
    // They are turned out after a few seconds, or were at once; then there is room again.
    for mut stream in held {
        within("the end of a connection", async {
            let mut bytes = [0; 512];
            while let Ok(1..) = stream.read(&mut bytes).await {}
        })
        .await;
    }
    assert_eq!(Page::of(address).await.value("snakk_storage_refusing"), 0.0);
    let ledger = load.stop().await;
    check(daemon.address(), &ledger.posts, &[]).await;
}

#[tokio::test]
async fn nothing_is_served_unless_it_was_asked_for() {
    let (mut alone, mut taken) = (daemon().await, daemon().config(&with_metrics()).spawn());
    let address = metrics_of(&mut taken).await;
    assert!(!alone.stderr().contains("metrics="));
    alone.sigterm();
    alone.exited().await;

    // An embedded one opens no port, whatever the configuration says.
    let quiet = server().with(|config| config.metrics.address = address.to_string()).await;
    assert_eq!((quiet.server.metrics_addr(), quiet.server.metrics_listening()), (None, None));

    let open = Server::builder(free()).store(MemoryStore::new()).metrics("127.0.0.1:0").start().await.expect("a start");
    let its = open.metrics_addr().expect("an address");
    assert_eq!(get(its, "/health").await.status, 200);
    // Of what a store does not know of itself nothing is said.
    assert!(!Page::of(its).await.names().is_empty());
    open.shutdown().await.expect("a clean stop");
    assert!(TcpStream::connect(its).await.is_err(), "it ends with the server");

    // Taken: as any address that is taken.
    let config = format!("{FREE}\n[metrics]\naddress = \"{address}\"\n");
    let mut second = daemon().config(&config).spawn();
    assert_eq!(second.exited().await.code(), Some(69), "{}", second.stderr());
    assert!(second.stderr().contains(&address.to_string()), "{}", second.stderr());
}
