//! The log of `snakkd`: in which form, in which files, and how much of it, whoever attacks and whatever becomes of the files.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use rustix::process::Signal;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::support::daemon::{FREE, Setup};
use crate::support::secure::Authority;
use crate::support::{Daemon, PATIENCE, Value, daemon, json, within};

/// A daemon that logs so.
fn logging(section: &str) -> Setup {
    daemon().config(&format!("{FREE}[log]\n{section}"))
}

/// Starts it by the shell, behind `start`; `$0` is the program.
fn by_shell(setup: &Setup, section: &str, start: &str) -> Command {
    fs::write(setup.dir().join("snakk.toml"), format!("{FREE}[log]\n{section}")).unwrap();
    let line = format!("{start} exec \"$0\" --config snakk.toml --data-dir data --listen 127.0.0.1:0");
    let mut command = Command::new("/bin/sh");
    command.args(["-c", &line, env!("CARGO_BIN_EXE_snakkd")]);
    command.current_dir(setup.dir()).env_clear().env("HOME", setup.dir());
    command
}

/// Waits until something is so that no object and no line tells of.
async fn until(what: &str, so: impl Fn() -> bool) {
    let begun = Instant::now();
    while !so() {
        assert!(begun.elapsed() < PATIENCE, "not {what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// Stops it; what it has said on standard error. Its folder is there as long as it is.
async fn stop(daemon: &mut Daemon) -> String {
    daemon.sigterm();
    let status = daemon.exited().await;
    assert!(status.success(), "{status}: {}", daemon.stderr());
    daemon.stderr()
}

fn text(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_default()
}

fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).unwrap();
    let mut names: Vec<String> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

fn objects(log: &str) -> Vec<Value> {
    let object = |line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{line:?}: {error}"));
    log.lines().map(object).collect()
}

#[tokio::test]
async fn old_files_are_deleted_at_the_start() {
    let setup = logging("directory = \"log\"\nkeep = 2\n");
    let folder = setup.data_dir().join("log");
    fs::create_dir_all(&folder).unwrap();
    for day in 1..=5 {
        fs::write(folder.join(format!("snakkd.2020-01-0{day}.log")), "old\n").unwrap();
    }
    fs::write(folder.join("notes"), "not ours\n").unwrap();
    let mut daemon = setup.await;
    let left = names(&folder);
    assert_eq!(left.len(), 3, "{left:?}");
    assert_eq!((left[0].as_str(), left[1].as_str()), ("notes", "snakkd.2020-01-05.log"));
    assert_eq!(stop(&mut daemon).await, "");
    let log = text(&folder.join(&left[2]));
    assert!(log.contains("snakkd is running") && log.contains("good bye"), "{log}");
}

#[tokio::test]
async fn sigusr1_begins_a_new_file_where_the_old_one_was_renamed_or_deleted() {
    let setup = daemon();
    let command = by_shell(&setup, "directory = \"log\"\nrotation = \"never\"\n", "umask 000;");
    let mut daemon = setup.spawn_by(command);
    daemon.listens().await;
    let folder = daemon.data_dir().join("log");
    let (file, old) = (folder.join("snakkd.log"), folder.join("snakkd.log.1"));
    until("a line", || text(&file).contains("snakkd is running")).await;
    assert_eq!((mode(&folder), mode(&file)), (0o700, 0o600));

    fs::rename(&file, &old).unwrap();
    daemon.signal(Signal::USR1);
    until("a new file", || file.exists()).await;
    assert_eq!(mode(&file), 0o600);
    let before = text(&old);
    daemon.signal(Signal::HUP);
    until("a line in it", || text(&file).contains("the configuration was reloaded")).await;
    assert_eq!(text(&old), before, "and none in the old one");

    fs::remove_dir_all(&folder).unwrap();
    daemon.signal(Signal::USR1);
    until("a new file in a new folder", || file.exists()).await;
    assert_eq!((mode(&folder), mode(&file)), (0o700, 0o600));
    daemon.native("ann").await.ask(json!({"request": "ping"})).await;
    assert_eq!(stop(&mut daemon).await, "");
    assert!(text(&file).contains("good bye"));
}

#[tokio::test]
async fn a_file_that_somebody_deleted_is_made_again_without_a_word() {
    let mut daemon = logging("directory = \"log\"\nrotation = \"never\"\n").await;
    let file = daemon.data_dir().join("log/snakkd.log");
    until("a line", || text(&file).contains("snakkd is running")).await;
    fs::remove_file(&file).unwrap();
    until("a line in a new file", || {
        daemon.signal(Signal::HUP);
        text(&file).contains("the configuration was reloaded")
    })
    .await;
    stop(&mut daemon).await;
}

#[tokio::test]
async fn a_full_disk_costs_lines_and_they_are_counted() {
    for format in ["text", "json"] {
        let setup = logging(&format!("directory = \"log\"\nrotation = \"never\"\nformat = \"{format}\"\n"));
        let folder = setup.data_dir().join("log");
        fs::create_dir_all(&folder).unwrap();
        let file = folder.join("snakkd.log");
        symlink("/dev/full", &file).unwrap();
        let mut daemon = setup.await;
        let mut ann = daemon.native("ann").await;
        ann.join("lobby").await;
        ann.say("lobby", "chat goes on").await;
        daemon.signal(Signal::HUP);
        // Said once, where it can be said.
        daemon.logs("snakkd: lines of the log are being lost").await;
        fs::remove_file(&file).unwrap();
        daemon.signal(Signal::USR1);
        until("the count", || text(&file).contains("lines of the log were lost")).await;
        let stderr = stop(&mut daemon).await;
        assert_eq!(stderr.lines().count(), 1, "{stderr}");
        let log = text(&file);
        assert!(log.lines().next().unwrap().contains("No space left on device"), "{log}");
        assert!(log.contains("good bye"), "{log}");
        if format == "json" {
            let first = &objects(&log)[0];
            assert!(first["lost"].as_u64() >= Some(1) && first["level"] == "WARN", "{first}");
        }
    }
}

#[tokio::test]
async fn sigusr1_does_no_harm_where_there_is_no_file() {
    let mut daemon = daemon().await;
    for signal in [Signal::USR1, Signal::USR2, Signal::USR1] {
        daemon.signal(signal);
        daemon.native("ann").await.ask(json!({"request": "logout"})).await;
    }
    assert!(stop(&mut daemon).await.contains("good bye"));
}

/// Sends what is no TLS to a listener with TLS so many times, and gives what was logged when it has stopped.
async fn attacked(section: &str, times: u64) -> String {
    let setup = daemon();
    let authority = Authority::new();
    let tls = authority.issue();
    let config = format!(
        "{FREE}[log]\n{section}[[listener]]\naddress = \"127.0.0.1:0\"\ntls = {{ certificate = {:?}, key = {:?} }}\n",
        tls.certificate, tls.key
    );
    fs::write(setup.dir().join("snakk.toml"), config).unwrap();
    let command = setup.command(&["--config", "snakk.toml"]);
    let mut daemon = setup.spawn_by(command);
    let line = within("an address", daemon.line()).await.unwrap_or_else(|| panic!("{}", daemon.stderr()));
    let address = line.strip_prefix("listening on ").and_then(|line| line.strip_suffix(" (tls)")).unwrap().to_owned();
    for _ in 0..times {
        let mut stream = TcpStream::connect(&address).await.unwrap();
        stream.write_all(b"GET /\x1b[31m HTTP/1.1\r\n\r\n").await.unwrap();
        // It may be reset.
        let _ = within("the close", stream.read_to_end(&mut Vec::new())).await;
    }
    stop(&mut daemon).await
}

#[tokio::test]
async fn an_attack_leaves_few_lines_and_they_say_how_many_more_there_were() {
    const TIMES: u64 = 1500;
    let log = objects(&attacked("format = \"json\"\n", TIMES).await);
    let of = |words: &str| -> Vec<&Value> {
        log.iter().filter(|line| line["message"].as_str().is_some_and(|message| message.contains(words))).collect()
    };
    let told: u64 = log.iter().filter_map(|line| line["suppressed"].as_u64()).sum();
    let failures = of("no TLS handshake").into_iter().filter(|line| line.get("suppressed").is_none());
    let failures: Vec<&Value> = failures.collect();
    // The library leaves some out and says so in a line that the program may leave out: all are counted, and once.
    assert_eq!(failures.len() as u64 + told, TIMES, "{log:#?}");
    assert!(log.len() < 100, "{} lines", log.len());
    assert!(failures.iter().all(|line| line["peer"] == "127.0.0.1" && line["error"].is_string()), "{failures:#?}");
    assert!(!of("more").is_empty(), "{log:#?}");
    assert_eq!(of("good bye").len(), 1, "what else there is to say is not drowned");
}

#[tokio::test]
async fn an_object_has_the_fields_that_the_manual_names() {
    let setup = logging("format = \"json\"\n");
    fs::create_dir(setup.data_dir()).unwrap();
    let mut daemon = setup.await;
    let data = daemon.data_dir().canonicalize().unwrap();
    daemon.signal(Signal::HUP);
    daemon.logs("reloaded").await;
    let log = stop(&mut daemon).await;
    let manual = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/operating.md")).unwrap();
    let manual = manual.split("\n## Logs\n").nth(1).expect("a section");
    let lines = objects(&log);
    for line in &lines {
        let keys: Vec<&String> = line.as_object().unwrap().keys().collect();
        for key in ["timestamp", "level", "target", "message"] {
            assert!(line[key].is_string(), "no {key} in {line}");
        }
        for key in keys {
            assert!(manual.contains(&format!("`{key}`")), "{key} is not in docs/operating.md, but in {line}");
        }
    }
    let running = lines.iter().find(|line| line["message"] == "snakkd is running").expect("it runs");
    assert_eq!(running["path"], data.to_str().unwrap());
}

/// Every field that the source gives to a line.
fn fields_in_the_source(folder: &Path, fields: &mut BTreeMap<String, PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            fields_in_the_source(&path, fields);
            continue;
        }
        let text = fs::read_to_string(&path).unwrap();
        for call in text.split("tracing::").skip(1) {
            let Some((level, rest)) = call.split_once("!(") else { continue };
            if !matches!(level, "error" | "warn" | "info" | "debug" | "trace") {
                continue;
            }
            // The fields stand in front of the message.
            let Some((before, _)) = rest.split_once('"') else { continue };
            for part in before.split([',', ';']).map(str::trim).filter(|part| !part.is_empty()) {
                let name = part.split(" = ").next().unwrap().trim_start_matches(['%', '?']);
                if name.chars().all(|c| c.is_ascii_lowercase() || c == '_') {
                    fields.insert(name.to_owned(), path.clone());
                }
            }
        }
    }
}

#[test]
fn the_manual_names_every_field() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut fields = BTreeMap::new();
    fields_in_the_source(&root.join("src"), &mut fields);
    assert!(fields.len() > 10 && fields.contains_key("peer"), "{fields:?}");
    let manual = fs::read_to_string(root.join("docs/operating.md")).unwrap();
    let manual = manual.split("\n## Logs\n").nth(1).expect("a section");
    for (field, path) in fields {
        assert!(
            manual.contains(&format!("`{field}`")),
            "{field} is not in docs/operating.md, but in {}",
            path.display()
        );
    }
}

/// Takes what the daemon sends to the journal, until it is a line with these words.
async fn journal_entry(socket: UnixDatagram, words: &'static str) -> (UnixDatagram, String) {
    let taken = tokio::task::spawn_blocking(move || {
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        let mut bytes = vec![0; 100_000];
        loop {
            let length = socket.recv(&mut bytes).unwrap_or_else(|error| panic!("no {words:?}: {error}"));
            let entry = String::from_utf8(bytes[..length].to_vec()).unwrap();
            if entry.contains(words) {
                return (socket, entry);
            }
        }
    });
    taken.await.unwrap()
}

#[tokio::test]
async fn the_journal_gets_an_entry_with_fields() {
    let setup = daemon();
    let socket = UnixDatagram::bind(setup.dir().join("journal")).unwrap();
    let mut command = by_shell(&setup, "format = \"journald\"\n", "");
    command.env("SNAKK_JOURNAL_SOCKET", setup.dir().join("journal"));
    let mut daemon = setup.spawn_by(command);
    daemon.listens().await;
    let (socket, entry) = journal_entry(socket, "snakkd is running").await;
    let fields: BTreeMap<&str, &str> = entry.lines().map(|line| line.split_once('=').unwrap()).collect();
    assert!(fields["MESSAGE"].starts_with("snakkd is running version="), "{entry}");
    assert_eq!((fields["PRIORITY"], fields["SYSLOG_IDENTIFIER"], fields["TARGET"]), ("6", "snakkd", "snakkd::run"));
    assert_eq!(fields["SNAKK_VERSION"], env!("CARGO_PKG_VERSION"));
    assert!(fields["SNAKK_LISTENER"].contains("127.0.0.1:"), "{entry}");
    // A journal that went away takes lines with it, and is told so when it is back.
    drop(socket);
    fs::remove_file(daemon.dir().join("journal")).unwrap();
    daemon.signal(Signal::HUP);
    daemon.logs("snakkd: lines of the log are being lost").await;
    let socket = UnixDatagram::bind(daemon.dir().join("journal")).unwrap();
    daemon.signal(Signal::HUP);
    let (socket, entry) = journal_entry(socket, "of the log were lost").await;
    assert!(entry.contains("\nPRIORITY=4\n") && entry.contains("\nSNAKK_LOST=1\n"), "{entry}");
    daemon.sigterm();
    let (_socket, entry) = journal_entry(socket, "good bye").await;
    assert!(entry.starts_with("MESSAGE=everything is on disk, good bye\n"), "{entry}");
    assert!(daemon.exited().await.success());
}

#[tokio::test]
async fn without_a_journal_there_is_no_start() {
    let setup = daemon();
    let mut command = by_shell(&setup, "format = \"journald\"\n", "");
    command.env("SNAKK_JOURNAL_SOCKET", setup.dir().join("nowhere"));
    let mut daemon = setup.spawn_by(command);
    assert_eq!(daemon.exited().await.code(), Some(78));
    let stderr = daemon.stderr();
    assert!(stderr.contains("log.format") && stderr.contains("nowhere"), "{stderr}");
    assert!(!daemon.data_dir().exists());
}

#[tokio::test]
async fn where_standard_error_is_the_journal_lines_have_a_priority_and_no_time() {
    let setup = daemon();
    let start = "JOURNAL_STREAM=$(stat -L -c %d:%i /proc/self/fd/2); export JOURNAL_STREAM;";
    let mut command = by_shell(&setup, "", start);
    command.env("PATH", "/usr/bin:/bin");
    let mut daemon = setup.spawn_by(command);
    daemon.listens().await;
    let log = stop(&mut daemon).await;
    assert!(log.starts_with("<6>snakk"), "{log}");
    for line in log.lines() {
        assert!(line.starts_with("<6>") || line.starts_with("<4>"), "{line:?}");
    }
}

#[tokio::test]
async fn a_login_that_is_refused_is_told_with_its_address_and_without_its_name() {
    let daemon = daemon().await;
    let mut eve = daemon.hello("eve").await;
    let login = json!({"request": "login", "username": "Tr0ub4dor", "password": "correct horse"});
    eve.ask_in_vain(login, "bad_credentials").await;
    let log = daemon.logs("refused: a wrong password").await;
    let line = log.lines().find(|line| line.contains("refused: a wrong password")).expect("the line");
    assert!(line.contains("INFO") && line.ends_with("peer=127.0.0.1"), "{line}");
    assert!(!log.contains("Tr0ub4dor") && !log.contains("horse"), "{log}");
}
