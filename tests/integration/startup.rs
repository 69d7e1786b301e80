//! How the real `snakkd` begins and ends: exit codes, what it prints, what signals do. Each has its own folder and port 0.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

/// Long enough for a loaded machine; nothing here waits for as long when all is well.
const PATIENCE: Duration = Duration::from_secs(20);

/// `snakkd` in a folder, with nothing of our environment that could matter.
fn snakkd(folder: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_snakkd"));
    command.args(arguments).current_dir(folder).env_clear().env("HOME", folder).stdin(Stdio::null());
    command
}

/// Runs it to its end, which has to come by itself and soon.
#[track_caller]
fn end(command: &mut Command) -> Output {
    let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("snakkd starts");
    Running { child, lines: None }.end()
}

/// A daemon, killed when the test is over.
struct Running {
    child: Child,
    lines: Option<BufReader<std::process::ChildStdout>>,
}

impl Running {
    /// Starts it and waits for its first line, which has to be where it listens.
    #[track_caller]
    fn start(command: &mut Command) -> (Running, String) {
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("snakkd starts");
        let mut lines = BufReader::new(child.stdout.take().expect("it is piped"));
        let mut line = String::new();
        lines.read_line(&mut line).expect("its output is text");
        let mut running = Running { child, lines: Some(lines) };
        let address = line.strip_prefix("listening on ").and_then(|rest| rest.strip_suffix(" (tcp)\n"));
        match address {
            Some(address) => (running, address.to_owned()),
            None => panic!("instead of where it listens: {line:?}, {:?}", running.end()),
        }
    }

    fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).expect("it still runs");
    }

    #[track_caller]
    fn end(&mut self) -> Output {
        let began = Instant::now();
        let status = loop {
            match self.child.try_wait().expect("it is our child") {
                Some(status) => break status,
                None if began.elapsed() > PATIENCE => panic!("snakkd does not end"),
                None => std::thread::sleep(Duration::from_millis(5)),
            }
        };
        let (mut stdout, mut stderr) = (Vec::new(), Vec::new());
        if let Some(mut lines) = self.lines.take() {
            lines.read_to_end(&mut stdout).expect("what it said is there");
        } else if let Some(mut pipe) = self.child.stdout.take() {
            pipe.read_to_end(&mut stdout).expect("what it said is there");
        }
        if let Some(mut pipe) = self.child.stderr.take() {
            pipe.read_to_end(&mut stderr).expect("what it said is there");
        }
        Output { status, stdout, stderr }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Ends with that code, and says that on standard error.
#[track_caller]
fn ends_with(command: &mut Command, code: i32, message: &str) {
    let output = end(command);
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(code), "{stderr}");
    assert!(stderr.contains(message), "{message:?} is not in {stderr:?}");
    assert!(!stderr.contains("panicked") && !stderr.contains("defect"), "{stderr}");
}

#[test]
fn wrong_arguments_are_a_usage_error() {
    let folder = tempfile::tempdir().unwrap();
    ends_with(&mut snakkd(folder.path(), &["--nonsense"]), 2, "--nonsense");
    ends_with(&mut snakkd(folder.path(), &["--listen", "nowhere"]), 2, "HOST:PORT");
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0, "nothing was made");
}

#[test]
fn a_bad_configuration_is_refused_and_creates_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    fs::write(path.join("bad.toml"), "[limits]\nlogin_timeout = \"-5s\"\nmax_conections = 1\n").unwrap();
    let mut bad = snakkd(path, &["--config", "bad.toml"]);
    ends_with(&mut bad, 78, "bad.toml:2:17: limits.login_timeout is \"-5s\"");
    ends_with(&mut bad, 78, "bad.toml:3:1: unknown key limits.max_conections");
    ends_with(&mut snakkd(path, &["check", "--config", "bad.toml"]), 78, "did you mean \"max_connections\"?");
    ends_with(snakkd(path, &[]).env("SNAKK_CONFIG", "bad.toml"), 78, "bad.toml:2:17");
    ends_with(&mut snakkd(path, &["--config", "missing.toml"]), 78, "missing.toml: the configuration cannot be read");
    ends_with(&mut snakkd(path, &["--config", "."]), 78, ".: the configuration is not a regular file");
    ends_with(snakkd(path, &[]).env("SNAKK_X__Y", "1"), 78, "SNAKK_X__Y: unknown section x");
    ends_with(snakkd(path, &[]).env_remove("HOME"), 78, "there is no place for the data");
    assert!(Command::new("mkfifo").arg(path.join("fifo")).status().unwrap().success());
    ends_with(&mut snakkd(path, &["--config", "fifo"]), 78, "fifo: the configuration is not a regular file");
    assert_eq!(fs::read_dir(path).unwrap().count(), 2, "nothing was made but by the test");
}

#[test]
fn an_address_in_use_ends_with_69_and_makes_no_database() {
    let folder = tempfile::tempdir().unwrap();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    ends_with(&mut snakkd(folder.path(), &["--data-dir", "data", "--listen", &address]), 69, &address);
    assert!(!folder.path().join("data/snakk.db").exists());
}

#[test]
fn a_data_directory_that_is_none_ends_with_73() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("file"), "").unwrap();
    for data_dir in ["file", "file/below", "/proc/snakk"] {
        ends_with(&mut snakkd(folder.path(), &["--data-dir", data_dir, "--listen", "127.0.0.1:0"]), 73, data_dir);
    }
}

#[test]
fn a_second_daemon_on_the_same_data_ends_with_75() {
    let folder = tempfile::tempdir().unwrap();
    let arguments = ["--data-dir", "data", "--listen", "127.0.0.1:0"];
    let (mut first, address) = Running::start(&mut snakkd(folder.path(), &arguments));
    ends_with(&mut snakkd(folder.path(), &arguments), 75, "snakk.db");
    TcpStream::connect(address).expect("the first is unharmed");
    first.signal(Signal::TERM);
    assert!(first.end().status.success());
}

#[test]
fn it_answers_as_soon_as_it_says_where_it_listens() {
    let folder = tempfile::tempdir().unwrap();
    let (mut daemon, address) = Running::start(&mut snakkd(folder.path(), &["--listen", "127.0.0.1:0"]));
    let mut stream = TcpStream::connect(&address).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.write_all(b"{\"request\":\"hello\",\"protocol\":1}").unwrap();
    let mut line = String::new();
    BufReader::new(&stream).read_line(&mut line).unwrap();
    assert!(line.starts_with("{\"response\":\"hello\""), "{line}");
    daemon.signal(Signal::INT);
    let output = daemon.end();
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let log = String::from_utf8_lossy(&output.stderr);
    let data = folder.path().join(".local/state/snakk");
    assert!(log.contains(&*data.to_string_lossy()), "it says where its data is: {log}");
    assert!(data.join("snakk.db").exists());
}

#[test]
fn a_reload_takes_over_the_level_and_refuses_a_bad_file() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("snakk.toml");
    fs::write(&file, "[log]\nlevel = \"info\"\n").unwrap();
    let (mut daemon, address) = Running::start(&mut snakkd(folder.path(), &["--listen", "127.0.0.1:0"]));
    let mut log = BufReader::new(daemon.child.stderr.take().unwrap());
    let mut wait_for = |words: &str| {
        let mut line = String::new();
        while !line.contains(words) {
            line.clear();
            assert!(log.read_line(&mut line).unwrap() > 0, "the log ends before {words:?}");
        }
    };
    fs::write(&file, "[log]\nlevel = \"info\"\nkeep = -1\n").unwrap();
    daemon.signal(Signal::HUP);
    wait_for("snakk.toml:3:8: log.keep is -1");
    TcpStream::connect(address).expect("the old settings stay");
    fs::write(&file, "[log]\nlevel = \"debug\"\n[limits]\nmessage_burst = 7\n").unwrap();
    daemon.signal(Signal::HUP);
    wait_for("limits.message_burst will change only at a restart");
    daemon.signal(Signal::TERM);
    assert!(daemon.end().status.success());
}

#[test]
fn nobody_has_to_listen_to_what_it_prints() {
    let folder = tempfile::tempdir().unwrap();
    let mut command = snakkd(folder.path(), &["--listen", "127.0.0.1:0"]);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    let mut log = BufReader::new(child.stderr.take().unwrap());
    let mut line = String::new();
    while !line.contains("snakkd is running") {
        line.clear();
        assert!(log.read_line(&mut line).unwrap() > 0, "it has ended");
    }
    let mut daemon = Running { child, lines: None };
    drop(log);
    daemon.signal(Signal::TERM);
    assert_eq!(daemon.end().status.code(), Some(0));
}

#[test]
fn init_writes_a_configuration_that_check_likes_and_never_overwrites_one() {
    let folder = tempfile::tempdir().unwrap();
    assert!(end(&mut snakkd(folder.path(), &["init"])).status.success());
    let written = fs::read_to_string(folder.path().join("snakk.toml")).unwrap();
    assert_eq!(written, snakk::Config::example());
    let output = end(&mut snakkd(folder.path(), &["check"]));
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && said.contains("snakk.toml: the configuration is good"), "{output:?}");
    ends_with(&mut snakkd(folder.path(), &["init"]), 1, "there already");
    ends_with(&mut snakkd(folder.path(), &["init", "--config", "no/snakk.toml"]), 73, "no/snakk.toml");
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "nothing else was made");
}
