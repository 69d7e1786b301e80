//! Connections that come in otherwise than by an address: over sockets that somebody else has bound, and over streams that
//! somebody else has accepted.

use std::io::{BufRead, BufReader};
use std::net::{IpAddr, TcpListener};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixListener;
use std::process::{Command, Stdio};

use rustix::process::{Pid, Signal, kill_process};
use snakk::server::Streams;
use snakk::{Client, Server};
use tokio::net::UnixStream;

use crate::support::server::{free, guest, hello};
use crate::support::{Wire, json, within};

#[tokio::test]
async fn sockets_that_are_bound_already_take_the_place_of_addresses() {
    let folder = tempfile::tempdir().unwrap();
    let socket = TcpListener::bind("127.0.0.1:0").unwrap();
    let other = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let path = folder.path().join("chat.sock");
    let unix = UnixListener::bind(&path).unwrap();
    let (first, second) = (socket.local_addr().unwrap(), other.local_addr().unwrap());
    let builder = Server::builder(free()).data_dir(folder.path()).listen("127.0.0.1:0");
    let server = builder.listener(socket).listener(other).listener(unix).start().await.unwrap();
    let at = server.local_addrs();
    assert_eq!(at[1..], [first, second], "behind those with an address");
    assert!(server.listening()[3].starts_with("unix:") && server.listening()[3].ends_with("chat.sock (unix)"));
    for address in at {
        let mut wire = guest(hello(Wire::connect(&format!("at-{}", address.port()), address).await).await).await;
        wire.join("lobby").await;
    }
    let mut local = guest(hello(Wire::on("local", UnixStream::connect(&path).await.unwrap())).await).await;
    local.join("lobby").await;
    within("the shutdown", server.shutdown()).await.unwrap();
    assert!(path.exists(), "the file is somebody else's");
}

/// A server without a door of its own.
async fn closed() -> (Server, tempfile::TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::builder(free()).data_dir(folder.path()).without_listeners().start().await.unwrap();
    (server, folder)
}

#[tokio::test]
async fn any_stream_is_a_connection() {
    let (server, _folder) = closed().await;
    assert!(server.listening().is_empty());
    let (ours, theirs) = tokio::io::duplex(100);
    server.serve(ours);
    let ann = Client::over(theirs).username("ann").connect().await.unwrap();
    ann.join("lobby").await.unwrap();
    // Another dialect over another stream, in the same room.
    let (ours, theirs) = tokio::io::duplex(100);
    server.serve(ours);
    let mut course = Wire::on("course", theirs);
    course.send(json!({"request": "login", "content": "bob"})).await;
    course.expect(json!({"response": "info", "content": "<any>"})).await;
    let mut heard = ann.events();
    course.send(json!({"request": "msg", "content": "hello"})).await;
    loop {
        if let Some(snakk::client::Event::Message(message)) = within("a message", heard.next()).await {
            assert_eq!((&*message.text, &*message.from), ("hello", "bob"));
            break;
        }
    }
    let shutdown = within("the shutdown", server.shutdown()).await.unwrap();
    assert_eq!(shutdown.connections, 2);
    course.expect_close().await;
}

#[tokio::test]
async fn the_limits_of_addresses_hold_for_streams_that_have_one() {
    let folder = tempfile::tempdir().unwrap();
    let mut config = free();
    config.limits.max_connections_per_ip = 1;
    let server = Server::builder(config).data_dir(folder.path()).without_listeners().start().await.unwrap();
    let streams: Streams = server.streams();
    let address: IpAddr = "192.0.2.7".parse().unwrap();
    let connect = |address: Option<IpAddr>| {
        let (ours, theirs) = tokio::io::duplex(1000);
        match address {
            Some(address) => streams.serve_from(ours, address),
            None => streams.serve(ours),
        }
        Wire::on("somebody", theirs)
    };
    let mut first = connect(Some(address));
    first.ask(json!({"request": "hello", "protocol": 1})).await;
    let mut second = connect(Some(address));
    second.expect_code("too_many_connections").await;
    second.expect_close().await;
    connect(None).ask(json!({"request": "hello", "protocol": 1})).await;
    let admin = server.admin().await.unwrap();
    first.ask(json!({"request": "login", "username": "ann"})).await;
    assert_eq!(admin.server_sessions().await.unwrap()[0].address, "192.0.2.7");
    within("the shutdown", server.shutdown()).await.unwrap();
    // Nobody is there any more.
    let (ours, theirs) = tokio::io::duplex(1000);
    streams.serve(ours);
    Wire::on("late", theirs).expect_gone().await;
}

/// Starts the daemon as systemd does when it has bound these sockets, and gives what it says of its listeners.
fn activated(folder: &std::path::Path, config: &str, socket: OwnedFd) -> (std::process::Child, Vec<String>) {
    std::fs::write(folder.join("snakk.toml"), config).unwrap();
    let mut command = Command::new("/bin/sh");
    // Only the process itself knows its number.
    command.args(["-c", "LISTEN_PID=$$ LISTEN_FDS=1 exec \"$0\" --config snakk.toml --data-dir data 3<&0 </dev/null"]);
    command.arg(env!("CARGO_BIN_EXE_snakkd")).current_dir(folder).env_clear().env("HOME", folder);
    let mut child = command.stdin(Stdio::from(socket)).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let count = config.matches("[[listener]]").count();
    let lines = lines.take(count).map_while(Result::ok).collect();
    (child, lines)
}

#[tokio::test]
async fn systemd_may_have_bound_the_sockets() {
    let folder = tempfile::tempdir().unwrap();
    let socket = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = socket.local_addr().unwrap();
    let config = format!("[[listener]]\naddress = \"127.0.0.1:0\"\n[[listener]]\naddress = \"{address}\"\n");
    // Whoever connects before it runs waits.
    let early = Wire::connect("ann", address).await;
    let (mut child, lines) = activated(folder.path(), &config, socket.into());
    assert_eq!(lines[1], format!("listening on {address} (tcp)"));
    let mut early = guest(hello(early).await).await;
    early.join("lobby").await;
    child.kill().unwrap();
    child.wait().unwrap();

    // What is no listening socket is a mistake in what was set up.
    let folder = tempfile::tempdir().unwrap();
    let (one, _other) = std::os::unix::net::UnixStream::pair().unwrap();
    let (child, lines) = activated(folder.path(), &config, OwnedFd::from(one));
    let output = child.wait_with_output().unwrap();
    assert_eq!((output.status.code(), lines.len()), (Some(78), 0));
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(said.contains("handed over for 127.0.0.1:0: it is no listening socket"), "{said}");
}

#[tokio::test]
async fn a_socket_that_no_listener_asked_for_is_used_and_warned_of() {
    let folder = tempfile::tempdir().unwrap();
    let socket = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = socket.local_addr().unwrap();
    let config = "[[listener]]\naddress = \"127.0.0.1:9\"\n";
    let (child, lines) = activated(folder.path(), config, socket.into());
    assert_eq!(lines, [format!("listening on {address} (tcp)")]);
    // A stop in good order, so that all of the log is written.
    kill_process(Pid::from_child(&child), Signal::TERM).unwrap();
    let output = child.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    let warned =
        format!("handed over for {address} is taken for the listener \"127.0.0.1:9\", for none has its address");
    assert!(said.lines().any(|line| line.contains("WARN") && line.contains(&warned)), "{said}");
}
