//! The program `snakk` against a real server: what it prints, how it ends, and what it does when the server goes away.

use std::io::{BufRead, BufReader, Read, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::thread;
use std::time::Duration;

use snakk::{Config, Server};
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use tokio::time::timeout;

/// Long enough for a loaded machine; nothing here waits for as long when all is well.
const PATIENCE: Duration = Duration::from_secs(20);

struct Chat {
    folder: tempfile::TempDir,
    server: Option<Server>,
    address: String,
}

impl Chat {
    async fn start() -> Chat {
        let folder = tempfile::tempdir().unwrap();
        let server = open(folder.path(), "127.0.0.1:0").await;
        let address = server.local_addrs()[0].to_string();
        Chat { folder, server: Some(server), address }
    }

    async fn stop(&mut self) {
        if let Some(server) = self.server.take() {
            server.shutdown().await.unwrap();
        }
    }

    async fn start_again(&mut self) {
        self.server = Some(open(self.folder.path(), &self.address).await);
    }

    /// `snakk` as a user of that name, with nothing of our environment that could matter.
    fn snakk(&self, user: &str, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_snakk"));
        command.args(arguments).env_clear().env("USER", user).env("SNAKK_SERVER", &self.address).env("TZ", "UTC");
        command.current_dir(self.folder.path());
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    /// Runs it to its end.
    async fn run(&self, user: &str, arguments: &[&str], input: &str) -> Ended {
        let mut running = self.start_program(user, arguments);
        if let Some(mut stdin) = running.stdin.take() {
            let input = input.to_owned();
            // A program that ends early does not read everything.
            thread::spawn(move || drop(stdin.write_all(input.as_bytes())));
        }
        running.end().await
    }

    /// Starts it.
    fn start_program(&self, user: &str, arguments: &[&str]) -> Running {
        let mut child = self.snakk(user, arguments).spawn().unwrap();
        let (out, err) = (listen(child.stdout.take().unwrap()), listen(child.stderr.take().unwrap()));
        Running { stdin: child.stdin.take(), out, err, child }
    }

    /// What was said in the room, as `from: text`.
    async fn said(&self) -> Vec<String> {
        let ended = self.run("reader", &["history", "lobby", "-n", "500"], "").await;
        ended
            .out
            .lines()
            .map(|line| line.trim_start().splitn(3, "  ").last().unwrap_or_default().trim().to_owned())
            .collect()
    }
}

async fn open(folder: &Path, address: &str) -> Server {
    let builder = Server::builder(Config::default()).data_dir(folder.join("data")).listen(address);
    timeout(PATIENCE, builder.start()).await.unwrap().unwrap()
}

#[derive(Debug)]
struct Ended {
    code: Option<i32>,
    out: String,
    err: String,
}

impl Ended {
    #[track_caller]
    fn expect(self, code: i32) -> Ended {
        assert_eq!(self.code, Some(code), "{self:?}");
        self
    }
}

/// A program under way, killed when the test is over.
struct Running {
    child: Child,
    stdin: Option<ChildStdin>,
    out: UnboundedReceiver<String>,
    err: UnboundedReceiver<String>,
}

impl Running {
    /// The next line that it prints.
    async fn line(&mut self) -> String {
        timeout(PATIENCE, self.out.recv()).await.expect("a line in time").unwrap_or_default()
    }

    /// Waits until it says something on standard error.
    async fn until(&mut self, what: &str) {
        let found = async { while !self.err.recv().await.expect("more to be said").contains(what) {} };
        timeout(PATIENCE, found).await.unwrap_or_else(|_| panic!("{what:?} was not said"));
    }

    /// Waits for its end.
    async fn end(&mut self) -> Ended {
        let (mut out, mut err) = (String::new(), String::new());
        let both = async {
            while let Some(line) = self.out.recv().await {
                out += &line;
                out.push('\n');
            }
            while let Some(line) = self.err.recv().await {
                err += &line;
                err.push('\n');
            }
        };
        timeout(PATIENCE, both).await.expect("an end in time");
        // Both of its outputs are closed: it ends now.
        Ended { code: self.child.wait().unwrap().code(), out, err }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The lines of a program, read by a thread so that no test waits for more than its patience.
fn listen(from: impl Read + Send + 'static) -> UnboundedReceiver<String> {
    let (sender, lines) = unbounded_channel();
    thread::spawn(move || {
        for line in BufReader::new(from).lines().map_while(Result::ok) {
            if sender.send(line).is_err() {
                break;
            }
        }
    });
    lines
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_sent_is_there_and_nothing_is_printed() {
    let chat = Chat::start().await;
    let ended = chat.run("alice", &["send", "lobby", "hello"], "").await.expect(0);
    assert_eq!((ended.out.as_str(), ended.err.as_str()), ("", ""));
    chat.run("alice", &["send", "lobby"], "one\r\n\ntwo\nthree").await.expect(0);
    chat.run("alice", &["send", "lobby", "-"], "a\nbob: forged\n").await.expect(0);
    let said = chat.said().await;
    let expected = ["alice: hello", "alice: one", "alice: two", "alice: three", "alice: a", "bob: forged"];
    assert_eq!(said, expected);
    // A forged line is told from a real one: it is indented, and has no number.
    let ended = chat.run("reader", &["tail", "lobby", "-n", "1"], "").await.expect(0);
    assert!(ended.out.ends_with("\n    bob: forged\n"), "{ended:?}");
    let ended = chat.run("alice", &["send", "lobby", "x", "--json"], "").await.expect(0);
    assert!(ended.out.starts_with(r#"{"response":"message""#) && ended.out.contains(r#""seq":6"#), "{ended:?}");
    let ended = chat.run("reader", &["tail", "lobby", "--since", "4", "--json"], "").await.expect(0);
    let starts = |line: &str| line.starts_with(r#"{"event":"message","room":"lobby","seq":"#);
    assert!(ended.out.lines().count() == 2 && ended.out.lines().all(starts), "{ended:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn more_lines_than_the_flood_control_lets_through_all_arrive_in_their_order() {
    let chat = Chat::start().await;
    let lines: Vec<String> = (1..=25).map(|number| format!("line {number}")).collect();
    chat.run("alice", &["send", "lobby"], &lines.join("\n")).await.expect(0);
    let expected: Vec<String> = lines.iter().map(|line| format!("alice: {line}")).collect();
    assert_eq!(chat.said().await, expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn exit_codes_say_what_happened() {
    let chat = Chat::start().await;
    std::fs::write(chat.folder.path().join("password"), "correct horse\n").unwrap();
    std::fs::write(chat.folder.path().join("wrong"), "battery staple\n").unwrap();
    let register = ["register", "-u", "carol", "--password-file", "password"];
    chat.run("x", &register, "").await.expect(0);
    let cases: [(&[&str], i32); 15] = [
        (&["send", "nowhere", "x"], 1),
        (&["send", "lobby", "a\u{7}"], 1),
        (&register, 1),
        (&["tail", "nowhere"], 1),
        (&["send", "lobby", ""], 2),
        (&["send", "lobby"], 2),
        (&["frob"], 2),
        (&["rooms", "--server", "tls://localhost:1"], 2),
        (&["rooms", "--timeout", "soon"], 2),
        (&["rooms", "--server", "127.0.0.1:1"], 69),
        (&["rooms", "-u", "carol"], 77),
        (&["rooms", "-u", "carol", "--password-file", "wrong"], 77),
        (&["rooms", "-u", "not a name"], 77),
        (&["rooms", "-u", "carol", "--password-file", "missing"], 78),
        (&["rooms", "-u", "carol", "--password-file", "password"], 0),
    ];
    for (arguments, code) in cases {
        let ended = chat.run("x", arguments, "").await;
        assert_eq!(ended.code, Some(code), "{arguments:?}: {ended:?}");
        assert_eq!(ended.err.is_empty(), code == 0, "{arguments:?}: {ended:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_account_repeats_by_nonce_and_the_message_is_there_once() {
    let chat = Chat::start().await;
    std::fs::write(chat.folder.path().join("password"), "correct horse\n").unwrap();
    chat.run("x", &["register", "-u", "carol", "--password-file", "password"], "").await.expect(0);
    for _ in 0..2 {
        let send = ["send", "lobby", "once", "--nonce", "n", "-u", "carol", "--password-file", "password"];
        chat.run("x", &send, "").await.expect(0);
    }
    assert_eq!(chat.said().await, ["carol: once"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pipe_that_closes_ends_it_quietly() {
    let chat = Chat::start().await;
    chat.run("alice", &["send", "lobby"], "one\ntwo\n").await.expect(0);
    let mut child = chat.snakk("bob", &["tail", "lobby", "-f"]).spawn().unwrap();
    let mut line = String::new();
    let mut out = BufReader::new(child.stdout.take().unwrap());
    out.read_line(&mut line).unwrap();
    out.read_line(&mut line).unwrap();
    assert_eq!(line.lines().count(), 2);
    drop(out);
    chat.run("alice", &["send", "lobby", "three"], "").await.expect(0);
    let ended = tokio::task::spawn_blocking(|| child.wait_with_output());
    let output = timeout(PATIENCE, ended).await.unwrap().unwrap().unwrap();
    assert_eq!((output.status.code(), String::from_utf8_lossy(&output.stderr).as_ref()), (Some(0), ""));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_guest_who_finds_its_name_taken_gets_another() {
    let chat = Chat::start().await;
    let mut first = chat.start_program("dave", &[]);
    first.until("in lobby").await;
    let ended = chat.run("dave", &["names"], "").await.expect(0);
    let names: Vec<&str> = ended.out.lines().filter_map(|line| line.split_whitespace().next()).collect();
    assert_eq!(names.len(), 2, "{ended:?}");
    assert!(names.contains(&"dave") && names.iter().any(|name| name.starts_with("dave-")), "{names:?}");
    chat.run("x", &["names", "-u", "dave"], "").await.expect(77);
}

#[tokio::test(flavor = "multi_thread")]
async fn two_people_talk_in_lines() {
    let chat = Chat::start().await;
    let mut alice = chat.start_program("alice", &[]);
    alice.until("in lobby").await;
    let ended = chat.run("bob", &[], "hi\n/me waves\n//slash\n/frob\n").await.expect(2);
    assert!(ended.err.contains("no command /frob"), "{ended:?}");
    // What bob said stands on bob's screen already.
    assert_eq!(ended.out, "");
    for expected in ["bob: hi", "* bob waves", "bob: /slash"] {
        let line = alice.line().await;
        assert_eq!(line.split_once(' ').map(|(_, said)| said), Some(expected), "{line}");
    }
    let mut stdin = alice.stdin.take().unwrap();
    stdin.write_all(b"goodbye").unwrap();
    drop(stdin);
    alice.end().await.expect(0);
    assert_eq!(chat.said().await.last().map(String::as_str), Some("alice: goodbye"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_follower_misses_nothing_while_the_server_is_away() {
    let mut chat = Chat::start().await;
    chat.run("alice", &["send", "lobby", "before"], "").await.expect(0);
    let mut bob = chat.start_program("bob", &["tail", "lobby", "-f"]);
    assert!(bob.line().await.ends_with("alice: before"));
    chat.stop().await;
    bob.until("reconnecting").await;
    chat.start_again().await;
    chat.run("alice", &["send", "lobby"], "after\nand on\n").await.expect(0);
    assert!(bob.line().await.ends_with("alice: after"));
    assert!(bob.line().await.ends_with("alice: and on"));
    chat.run("alice", &["send", "lobby", "live"], "").await.expect(0);
    assert!(bob.line().await.ends_with("alice: live"));
}
