//! `snakk host`: the server and the client in one program.

use std::fs;
use std::io::Write;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use rustix::process::Signal;

use crate::support::person::{Talk, ended, fine};
use crate::support::server::{guest, hello};
use crate::support::{Daemon, Person, Value, Wire, daemon, json, server, within};

/// Somebody who has no server and does not know of any.
fn host() -> Person {
    Person::of(([127, 0, 0, 1], 1).into())
}

/// The address in an invitation.
async fn address(program: &mut Daemon) -> SocketAddr {
    let line = within("an invitation", program.line()).await.unwrap_or_else(|| panic!("{}", program.stderr()));
    let start = "only this computer can connect, with: snakk --server ";
    let address = line.strip_prefix(start).and_then(|rest| rest.split(' ').next()).unwrap_or_else(|| panic!("{line}"));
    assert!(line.contains("for others: snakk host --listen 0.0.0.0:"), "{line}");
    address.parse().unwrap()
}

/// Waits until it says that on standard error.
async fn says(talk: &Talk, text: &str) {
    talk.program.logs(text).await;
}

const HERE: [&str; 5] = ["host", "--listen", "127.0.0.1:0", "-u", "ann"];

#[tokio::test]
async fn a_host_talks_with_whoever_comes_in_and_keeps_what_was_said() {
    let ann = host();
    let mut hosting = ann.talk(&HERE);
    let address = address(&mut hosting.program).await;
    says(&hosting, "in lobby").await;
    let bob = Person::of(address);
    fine(&bob.run(&["send", "lobby", "hello ann", "-u", "bob"]).await);
    loop {
        let line = hosting.line().await;
        if line.ends_with("bob: hello ann") {
            break;
        }
    }
    writeln!(hosting.says, "hello bob").unwrap();
    let heard = within("what the host says", async {
        loop {
            let ended = bob.run(&["history", "lobby", "-u", "reader"]).await;
            fine(&ended);
            if ended.lines.len() > 1 {
                return ended;
            }
        }
    })
    .await;
    assert!(heard.lines[1].ends_with("ann: hello bob"), "{heard:?}");
    // It ends when its client does, with everything on disk, in a place where no daemon keeps its data.
    hosting.end(0).await;
    assert_eq!(bob.run(&["rooms"]).await.code, Some(69));
    assert!(ann.path(".local/state/snakk/host/snakk.db").is_file());
    assert!(!ann.path(".local/state/snakk/snakk.db").exists());
    fs::remove_file(ann.path("talk")).unwrap();
    let mut hosting = ann.talk(&HERE);
    let bob = Person::of(self::address(&mut hosting.program).await);
    let ended = bob.run(&["history", "lobby"]).await;
    assert_eq!(ended.lines.len(), 2, "{ended:?}");
    hosting.end(0).await;
}

#[tokio::test]
async fn a_signal_ends_a_host_in_good_order() {
    for signal in [Signal::TERM, Signal::INT, Signal::HUP] {
        let ann = host();
        let mut hosting = ann.talk(&[&HERE[..], &["--data-dir", "data"]].concat());
        let bob = Wire::connect("bob", address(&mut hosting.program).await).await;
        let mut bob = guest(hello(bob).await).await;
        bob.join("lobby").await;
        let seq = bob.say("lobby", "before the end").await;
        hosting.program.signal(signal);
        // Whoever is there is told.
        let rest = bob.rest().await;
        assert!(rest.iter().any(|told| told["event"] == "shutdown"), "{rest:?}");
        let status = hosting.program.exited().await;
        assert_eq!(status.code(), Some(0), "{signal:?}: {}", hosting.program.stderr());
        drop(hosting);
        fs::remove_file(ann.path("talk")).unwrap();
        let mut hosting = ann.talk(&[&HERE[..], &["--data-dir", "data"]].concat());
        let ended = Person::of(address(&mut hosting.program).await).run(&["--json", "history", "lobby"]).await;
        let page: Value = serde_json::from_str(&ended.lines[0]).unwrap();
        assert_eq!(
            (&page["messages"][0]["text"], &page["messages"][0]["seq"]),
            (&json!("before the end"), &json!(seq))
        );
        hosting.end(0).await;
    }
}

#[tokio::test]
async fn what_hinders_a_host_has_its_code() {
    let ann = host();
    let mut hosting = ann.talk(&[&HERE[..], &["--data-dir", "data"]].concat());
    let taken = address(&mut hosting.program).await.to_string();
    fs::write(ann.path("file"), "").unwrap();
    let here = "127.0.0.1:0";
    let cases: [(&[&str], i32, &str); 7] = [
        (&["host", "--listen", &taken, "--data-dir", "other"], 69, &taken),
        (&["host", "--listen", here, "--data-dir", "file/below"], 73, "file/below"),
        (&["host", "--listen", here, "--data-dir", "data"], 75, "data"),
        (&["host", "--listen", "9998"], 2, "--listen"),
        (&["host", "--listen", "tls://127.0.0.1:1"], 2, "snakkd"),
        (&["host", "--listen", here, "--config", "missing"], 78, "missing"),
        (&["host", "--listen", here, "--data-dir", "other", "-u", "a b"], 77, "name"),
    ];
    for (args, code, word) in cases {
        let ended = ann.run(args).await;
        assert_eq!(ended.code, Some(code), "{args:?}: {ended:?}");
        assert!(ended.stderr.contains(word), "{args:?}: {ended:?}");
    }
    let line = "SNAKK_LIMITS__MESSAGE_BURST=many exec \"$0\" \"$@\"";
    let ended = ended(daemon().spawn_by(ann.shell(line, &["host"]))).await;
    assert_eq!(ended.code, Some(78), "{ended:?}");
    assert!(ended.stderr.contains("SNAKK_LIMITS__MESSAGE_BURST"), "{ended:?}");
    hosting.end(0).await;
}

#[tokio::test]
async fn each_listener_says_how_others_come_in() {
    let ann = host();
    let mut hosting = ann.talk(&["host", "--listen", "0.0.0.0:0", "--listen", "unix:here.sock", "-u", "ann"]);
    let line = hosting.line().await;
    let rest = line.strip_prefix("others connect with: snakk --server ").unwrap_or_else(|| panic!("{line}"));
    let port = rest.split([' ', ',']).next().and_then(|address| address.rsplit(':').next()).unwrap();
    assert!(!rest.starts_with("0.0.0.0") && !rest.starts_with("127."), "{line}");
    let socket = ann.path("here.sock");
    assert_eq!(
        hosting.line().await,
        format!("others on this computer connect with: snakk --server unix:{}", real(&socket).display())
    );
    // Both are the same server, and the host itself is in it.
    says(&hosting, "in lobby").await;
    for server in [format!("127.0.0.1:{port}"), format!("unix:{}", socket.display())] {
        let ended = ann.run(&["names", "lobby", "-u", "bob", "--server", &server]).await;
        fine(&ended);
        assert!(ended.lines.iter().any(|line| line.starts_with("ann ")), "{ended:?}");
    }
    hosting.end(0).await;
}

/// A path that has no links in it; of a file that may be gone its folder's.
fn real(path: &Path) -> PathBuf {
    path.parent().unwrap().canonicalize().unwrap().join(path.file_name().unwrap())
}

#[tokio::test]
async fn the_usual_place_of_a_host_is_for_this_computer_only() {
    // Where the usual port is taken there is nothing to see; it is taken by a test of ours or by somebody else.
    let ann = host();
    let mut hosting = ann.talk(&["host", "-u", "ann"]);
    match within("a line", hosting.program.line()).await {
        Some(line) => assert_eq!(
            line,
            "only this computer can connect, with: snakk --server 127.0.0.1:9998 (for others: snakk host --listen 0.0.0.0:9998)"
        ),
        None => assert!(hosting.program.stderr().contains("127.0.0.1:9998"), "{}", hosting.program.stderr()),
    }
}

#[tokio::test]
async fn settings_say_who_hosts_but_not_where() {
    let other = server().await;
    let ann = host();
    fs::create_dir_all(ann.path(".config/snakk")).unwrap();
    // Nor is a password of theirs for the server that is made here.
    let settings = format!(
        "server = \"{}\"\nusername = \"eve\"\nroom = \"lobby\"\npassword_command = \"echo secret\"\n",
        other.address()
    );
    ann.secret(".config/snakk/config.toml", &settings);
    let mut hosting = ann.talk(&["--json", "host", "--listen", "127.0.0.1:0"]);
    says(&hosting, "in lobby").await;
    // With JSON nothing else stands on standard output.
    assert!(hosting.program.stderr().contains("only this computer can connect"), "{}", hosting.program.stderr());
    writeln!(hosting.says, "/names").unwrap();
    let names = loop {
        let line = hosting.line().await;
        if line.starts_with("{\"response\":\"names\"") {
            break line;
        }
    };
    assert!(names.contains("\"eve\""), "{names}");
    hosting.end(0).await;
}

#[tokio::test]
async fn a_host_at_a_terminal_has_the_full_screen_and_gives_the_terminal_back() {
    let ann = host();
    let args = [&HERE[..], &["--data-dir", "data"]].concat();
    let mut screen = ann.screen(&args);
    screen.shows("lobby>").await;
    assert!(screen.is_taken());
    screen.leave().await;
    for signal in [Signal::TERM, Signal::HUP] {
        let mut screen = ann.screen(&args);
        screen.shows("lobby>").await;
        screen.signal(signal);
        assert_eq!(screen.exited().await.code(), Some(0), "{signal:?}: {:?}", screen.rows());
        assert!(!screen.is_taken());
        // What others have to type stands there before and after.
        screen.shows("only this computer can connect, with: snakk --server 127.0.0.1:").await;
    }
    let mut screen = ann.screen(&[&args[..], &["--line"]].concat());
    screen.shows("in lobby").await;
    screen.enter("/quit").await;
    assert_eq!(screen.exited().await.code(), Some(0));
}
