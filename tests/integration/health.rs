//! How a server is: `/health`, what systemd is told, and its watchdog.

use std::fs;
use std::net::SocketAddr;
use std::os::unix::net::UnixDatagram as StdUnixDatagram;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use rusqlite::Connection;
use rustix::process::Signal;
use serde_json::Value;
use snakk::Server;
use snakk::server::{NotReady, Part};
use snakk::store::memory::{Faults, MemoryStore};
use tokio::net::{TcpStream, UnixDatagram};

use crate::load::Load;
use crate::metrics::{Page, get, metrics_of, watched, with_metrics};
use crate::support::daemon::Setup;
use crate::support::person::ended;
use crate::support::server::free;
use crate::support::{Daemon, Wire, daemon, json, within};

/// What `/health` says: the codes of live and ready, and the problems.
async fn health(address: SocketAddr) -> (u16, u16, Vec<String>) {
    let (live, ready, all) =
        (get(address, "/health/live").await, get(address, "/health/ready").await, get(address, "/health").await);
    let body: Value = serde_json::from_str(&all.body).unwrap_or_else(|_| panic!("{all:?}"));
    assert_eq!(body["ready"], all.status == 200, "{body}");
    let problems = body["problems"].as_array().expect("a list").iter().map(|it| it.as_str().expect("text").to_owned());
    (live.status, ready.status, problems.collect())
}

#[tokio::test]
async fn a_full_disk_is_no_reason_to_restart_but_to_stay_away() {
    let setup = daemon();
    let (config, data) = (setup.dir().join("snakk.toml"), setup.data_dir());
    fs::write(&config, with_metrics()).expect("a configuration");
    let mut command = Command::new("/bin/sh");
    command.args(["-c", "ulimit -S -f 2048; exec \"$0\" \"$@\"", env!("CARGO_BIN_EXE_snakkd")]);
    command.arg("--config").arg(config).arg("--data-dir").arg(data).args(["--listen", "127.0.0.1:0"]);
    command.env_clear().env("HOME", setup.dir());
    let mut daemon = setup.clone().spawn_by(command);
    let address = metrics_of(&mut daemon).await;
    assert_eq!(health(address).await, (200, 200, Vec::new()));
    let mut alice = daemon.native("alice").await;
    alice.join("lobby").await;
    alice.ask(json!({"request": "unfollow", "room": "lobby"})).await;
    let request = json!({"request": "message", "room": "lobby", "text": "x".repeat(8000)});
    within("a full disk", async { while alice.outcome(request.clone()).await["code"] != "storage_unavailable" {} })
        .await;
    let (live, ready, problems) = health(address).await;
    assert_eq!((live, ready, problems.len()), (200, 503, 1), "{problems:?}");
    assert!(problems[0].starts_with("nothing can be stored"), "{problems:?}");
    let page = Page::of(address).await;
    assert_eq!(page.value("snakk_storage_refusing"), 1.0);
    assert!(page.value("snakk_commits_failed_total") >= 1.0);
    assert!(page.value("snakk_refusals_total{code=\"storage_unavailable\"}") >= 1.0);

    // What is not stored anyway is done, and answered so.
    let mut listening = daemon.native("bob").await;
    let data = setup.data_dir();
    let config = setup.dir().join("snakk.toml");
    for (line, code) in
        [("notice soon-back", 0), ("log-level debug", 0), ("reload", 0), ("kick 192.0.2.1", 0), ("ban eve", 1)]
    {
        let args: Vec<&str> = line.split(' ').chain(["--data-dir"]).collect();
        let mut command = Command::new(env!("CARGO_BIN_EXE_snakkd"));
        command.args(args).arg(&data).arg("--config").arg(&config).env_clear().env("HOME", setup.dir());
        let done = ended(setup.clone().spawn_by(command)).await;
        assert_eq!(done.code, Some(code), "{line}: {done:?}");
        assert_eq!(code == 1, done.stderr.contains("nothing can be stored now, so it was not done"), "{done:?}");
    }
    listening.expect(json!({"event": "notice", "text": "soon-back"})).await;

    let lifted = Command::new("prlimit").args(["--fsize=unlimited", "--pid", &daemon.pid().to_string()]).status();
    assert!(lifted.is_ok_and(|status| status.success()), "prlimit lifts the limit");
    within("posting", async { while alice.outcome(request.clone()).await.get("code").is_some() {} }).await;
    assert_eq!(health(address).await, (200, 200, Vec::new()));
    assert_eq!(Page::of(address).await.value("snakk_storage_refusing"), 0.0);
}

#[tokio::test]
async fn whoever_runs_it_can_ask_how_it_is_when_others_have_taken_all_connections() {
    let setup = daemon();
    let config = setup.dir().join("snakk.toml");
    fs::write(&config, with_metrics()).expect("a configuration");
    let mut command = Command::new("/bin/sh");
    command.args(["-c", "ulimit -n 64; exec \"$0\" \"$@\"", env!("CARGO_BIN_EXE_snakkd")]);
    command.arg("--config").arg(&config).arg("--data-dir").arg(setup.data_dir()).args(["--listen", "127.0.0.1:0"]);
    command.env_clear().env("HOME", setup.dir());
    let mut daemon = setup.clone().spawn_by(command);
    let address = metrics_of(&mut daemon).await;
    let mut member = daemon.native("member").await;
    member.join("lobby").await;
    let mut crowd = Vec::new();
    for _ in 0..200 {
        crowd.push(TcpStream::connect(daemon.address()).await.expect("a connection"));
    }
    // Those who may not come in are told so and closed, and then there is room for what matters.
    assert_eq!(health(address).await, (200, 200, Vec::new()));
    let mut command = Command::new(env!("CARGO_BIN_EXE_snakkd"));
    command.arg("status").arg("--config").arg(&config).arg("--data-dir").arg(setup.data_dir());
    command.env_clear().env("HOME", setup.dir());
    let status = ended(setup.spawn_by(command)).await;
    assert_eq!(status.code, Some(0), "{status:?}");
    member.say("lobby", "still here").await;
    drop(crowd);
    within("a way in", async {
        loop {
            let mut later = Wire::connect("later", daemon.address()).await;
            later.send(json!({"request": "hello", "protocol": 1})).await;
            if later.next().await["response"] == "hello" {
                break;
            }
        }
    })
    .await;
}

#[tokio::test]
async fn a_database_that_was_moved_away_is_noticed_before_anybody_posts() {
    let (daemon, address) = watched().await;
    let (file, away) = (daemon.data_dir().join("snakk.db"), daemon.dir().join("away.db"));
    fs::rename(&file, &away).expect("it can be moved");
    let (live, ready, problems) = health(address).await;
    assert_eq!((live, ready), (200, 503));
    assert!(problems[0].contains("was removed or replaced"), "{problems:?}");
    fs::rename(&away, &file).expect("it can be moved back");
    let mut alice = daemon.native("alice").await;
    alice.join("lobby").await;
    alice.say("lobby", "x").await;
    assert_eq!(health(address).await, (200, 200, Vec::new()));
}

#[tokio::test]
async fn a_server_that_stops_is_alive_but_not_ready() {
    let server = Server::builder(free()).store(MemoryStore::new()).start().await.expect("a start");
    let health = server.health();
    health.probe(Duration::from_secs(5)).await.expect("it is well");
    server.shutdown().await.expect("a clean stop");
    let problem = health.probe(Duration::from_secs(5)).await.expect_err("it is over");
    assert!(matches!(problem, NotReady::ShuttingDown) && problem.is_alive(), "{problem}");
}

#[tokio::test]
async fn a_writer_that_hangs_is_told_from_everything_else() {
    // The rooms of the start are stored, and nothing behind them.
    let faults = Faults { stuck_from: Some(2), ..Faults::default() };
    let server = Server::builder(free()).store(MemoryStore::with_faults(faults)).metrics("127.0.0.1:0").start();
    let server = within("the start", server).await.expect("a server");
    // At first it may as well be busy.
    let problem = within("the time that anybody may be busy", async {
        loop {
            match server.probe(Duration::from_millis(300)).await {
                Err(problem) if !problem.is_alive() => return problem,
                Err(NotReady::Silent { part: Part::Writer, .. }) => {}
                other => panic!("{other:?}"),
            }
        }
    })
    .await;
    assert!(matches!(problem, NotReady::Silent { part: Part::Writer, hangs: true, .. }), "{problem}");
    assert!(!problem.is_alive());
    let address = server.metrics_addr().expect("an address");
    let depth = "snakk_queue_depth{queue=\"writer\"}";
    let before = Page::of(address).await.value(depth);
    for _ in 0..2 {
        let (live, ready, problems) = health(address).await;
        assert_eq!((live, ready, problems.len()), (503, 503, 1), "{problems:?}");
    }
    // However often it was asked, there is one question in the queue.
    assert_eq!(Page::of(address).await.value(depth), before);
}

/// What stands in the place of systemd.
struct Manager {
    socket: UnixDatagram,
    path: std::path::PathBuf,
}

impl Manager {
    fn new(dir: &Path) -> Manager {
        let path = dir.join("notify");
        let socket = StdUnixDatagram::bind(&path).expect("a socket");
        socket.set_nonblocking(true).expect("it can be");
        Manager { socket: UnixDatagram::from_std(socket).expect("in a runtime"), path }
    }

    /// The next words that it is told.
    async fn next(&self) -> String {
        let mut words = [0; 1024];
        let count = within("a word to systemd", self.socket.recv(&mut words)).await.expect("a socket");
        String::from_utf8_lossy(&words[..count]).into_owned()
    }

    /// The same, but for those to the watchdog.
    async fn news(&self) -> String {
        loop {
            let words = self.next().await;
            if !words.contains("WATCHDOG=1") {
                return words;
            }
        }
    }

    /// Takes everything that was said until now.
    fn forget(&self) {
        while self.socket.try_recv(&mut [0; 1024]).is_ok() {}
    }

    /// A daemon of its own.
    fn start(&self, setup: Setup, watchdog: &str) -> Daemon {
        let config = setup.dir().join("snakk.toml");
        fs::write(&config, with_metrics()).expect("a configuration");
        let mut command = Command::new(env!("CARGO_BIN_EXE_snakkd"));
        command.arg("--config").arg(config).arg("--data-dir").arg(setup.data_dir());
        command.args(["--listen", "127.0.0.1:0"]).env_clear().env("HOME", setup.dir());
        command.env("NOTIFY_SOCKET", &self.path).env("WATCHDOG_USEC", watchdog);
        setup.spawn_by(command)
    }
}

#[tokio::test]
async fn systemd_is_told_everything_in_its_order() {
    let setup = daemon();
    let manager = Manager::new(setup.dir());
    let mut daemon = manager.start(setup, "0");
    let ready = manager.next().await;
    assert!(ready.starts_with("READY=1\n"), "{ready}");
    daemon.listens().await;
    daemon.hello("whoever connects now is answered").await;
    daemon.signal(Signal::HUP);
    let reloading = manager.next().await;
    assert!(reloading.starts_with("RELOADING=1\nMONOTONIC_USEC="), "{reloading}");
    assert!(manager.next().await.starts_with("READY=1\n"));
    daemon.sigterm();
    assert_eq!(manager.next().await.trim(), "STOPPING=1");
    assert!(daemon.exited().await.success());
}

#[tokio::test]
async fn the_watchdog_is_fed_under_load_and_while_the_disk_is_slow_but_not_while_nothing_moves() {
    let setup = daemon();
    let manager = Manager::new(setup.dir());
    let mut daemon = manager.start(setup, "2000000");
    let address = metrics_of(&mut daemon).await;
    assert!(manager.news().await.starts_with("READY=1\n"));

    let mut load = Load::start(daemon.address(), "load", 8, &["lobby"]).await;
    load.acknowledged(500).await;
    manager.forget();
    for _ in 0..3 {
        assert_eq!(manager.next().await.trim(), "WATCHDOG=1");
    }
    load.stop().await;

    // The writer waits for something that is not ours: another program that has the database locked, as for a slow disk.
    let mut alice = daemon.native("alice").await;
    alice.join("lobby").await;
    let other = Connection::open(daemon.data_dir().join("snakk.db")).expect("the database");
    other.busy_timeout(Duration::from_secs(10)).expect("it can be set");
    other.execute_batch("BEGIN IMMEDIATE").expect("it waits its turn");
    alice.send(json!({"request": "message", "id": "slow", "room": "lobby", "text": "slow"})).await;
    manager.forget();
    for _ in 0..3 {
        assert_eq!(manager.next().await.trim(), "WATCHDOG=1");
    }
    let (live, ready, problems) = health(address).await;
    assert_eq!((live, ready), (200, 503), "{problems:?}");
    other.execute_batch("ROLLBACK").expect("it has begun");
    while alice.next().await["id"] != "slow" {}
    // On a machine with a lot to do it was given up.
    let again = json!({"request": "message", "room": "lobby", "text": "again"});
    while alice.outcome(again.clone()).await.get("code").is_some() {}
    assert_eq!(health(address).await, (200, 200, Vec::new()));

    // While it is stopped, nobody feeds anybody: whatever comes then was said before.
    daemon.signal(Signal::STOP);
    manager.forget();
    let silence = tokio::time::timeout(Duration::from_secs(2), async {
        // One may have been on its way.
        for _ in 0..2 {
            manager.next().await;
        }
    });
    assert!(silence.await.is_err(), "a stopped program says nothing");
    daemon.signal(Signal::CONT);
    assert_eq!(manager.next().await.trim(), "WATCHDOG=1");
    daemon.sigterm();
    assert_eq!(manager.news().await.trim(), "STOPPING=1");
    assert!(daemon.exited().await.success());
}
