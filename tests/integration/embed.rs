//! A server inside another program: the example of the documentation as it is, and how such servers begin and end.

use std::error::Error;
use std::time::{Duration, Instant};

use snakk::client::{ClientError, Event, HistoryQuery};
use snakk::model::Seq;
use snakk::server::{BackupError, Database, ImportError, OpenError, RestoreError};
use snakk::{Client, Config, Server};

use crate::support::server::{guest, hello};
use crate::support::{Wire, json, server, within};

#[tokio::test]
async fn the_example_of_the_documentation_works() -> Result<(), Box<dyn Error + Send + Sync>> {
    let folder = tempfile::tempdir()?;
    let chat = folder.path().join("chat");
    let server = Server::builder(Config::default()).data_dir(&chat).listen("127.0.0.1:0").start().await?;
    let addr = server.local_addrs()[0];
    let me = server.connect("house").await?;
    me.join("lobby").await?;
    let sent = me.send("lobby", "hello").await?;
    assert_eq!((sent.seq, sent.seq.to_string().as_str()), (Seq(1), "1"));
    // Somebody else is there over the network, in the same room.
    let other = Client::builder(addr.to_string()).username("bob").connect().await?;
    let page = other.history("lobby", HistoryQuery::default()).await?;
    assert_eq!(page.messages.iter().map(|message| &*message.text).collect::<Vec<_>>(), ["hello"]);
    server.shutdown().await?;
    assert!(chat.join("snakk.db").is_file());

    // Again, on the same data.
    let server = Server::builder(Config::default()).data_dir(&chat).listen("127.0.0.1:0").start().await?;
    let me = server.connect("house").await?;
    me.join("lobby").await?;
    assert_eq!(me.send("lobby", "again").await?.seq, Seq(2));
    server.shutdown().await?;
    Ok(())
}

#[tokio::test]
async fn several_servers_live_in_one_process_and_know_nothing_of_each_other() {
    let (one, two) = (server().await, server().await);
    let (here, there) = (one.server.connect("ann").await.unwrap(), two.server.connect("ann").await.unwrap());
    here.join("lobby").await.unwrap();
    there.join("lobby").await.unwrap();
    let mut heard = there.events();
    here.send("lobby", "here").await.unwrap();
    assert_eq!(there.send("lobby", "there").await.unwrap().seq, Seq(1));
    loop {
        if let Some(Event::Message(message)) = within("a message", heard.next()).await {
            assert_eq!(message.text, "there");
            break;
        }
    }
    within("the shutdown", one.server.shutdown()).await.unwrap();
    there.send("lobby", "still there").await.unwrap();
    within("the shutdown", two.server.shutdown()).await.unwrap();
}

#[tokio::test]
async fn two_servers_cannot_have_the_same_data() {
    let first = server().await;
    let second = Server::builder(Config::default()).data_dir(first.data_dir()).listen("127.0.0.1:0").start().await;
    let refused = second.err().map(|error| error.to_string()).unwrap_or_default();
    assert!(refused.contains("snakk.db"), "{refused:?}");
    first.server.connect("ann").await.unwrap().join("lobby").await.unwrap();
    within("the shutdown", first.server.shutdown()).await.unwrap();
}

#[tokio::test]
async fn a_host_may_come_in_where_guests_may_not() {
    let server = server().with(|config| config.accounts.guests = false).await;
    let me = server.server.connect("house").await.unwrap();
    assert_eq!(me.username().as_deref(), Some("house"));
    let mut stranger = server.hello("ann").await;
    stranger.send(json!({"request": "login", "username": "ann"})).await;
    assert!(stranger.next().await["error"].is_string());
    // The same rules hold for its names.
    assert!(matches!(server.server.connect("house").await, Err(ClientError::LoginRefused { .. })));
    assert!(matches!(server.server.connect("a b").await, Err(ClientError::LoginRefused { .. })));
    within("the shutdown", server.server.shutdown()).await.unwrap();
}

#[tokio::test]
async fn in_process_clients_do_not_hold_the_shutdown_up() {
    let server = server().with(|config| config.server.shutdown_grace = Duration::from_secs(60)).await;
    // One of them subscribed and never reads.
    let (idle, busy) = (server.server.connect("idle").await.unwrap(), server.server.connect("busy").await.unwrap());
    let _unread = idle.events();
    idle.join("lobby").await.unwrap();
    busy.join("lobby").await.unwrap();
    for _ in 0..500 {
        busy.send("lobby", &"x".repeat(8000)).await.unwrap();
    }
    let begun = Instant::now();
    within("the shutdown", server.server.shutdown()).await.unwrap();
    assert!(begun.elapsed() < Duration::from_secs(2), "{:?}", begun.elapsed());
    assert!(busy.send("lobby", "too late").await.is_err());
}

#[tokio::test]
async fn a_shutdown_within_a_time_takes_no_longer() {
    let server = server().with(|config| config.server.shutdown_grace = Duration::from_secs(60)).await;
    let socket = tokio::net::TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(4096).unwrap();
    let stream = within("a connection", socket.connect(server.address())).await.unwrap();
    let mut stalled = guest(hello(Wire::over("stalled", stream).unwrap()).await).await;
    stalled.join("lobby").await;
    let busy = server.server.connect("busy").await.unwrap();
    busy.join("lobby").await.unwrap();
    for _ in 0..1000 {
        busy.send("lobby", &"x".repeat(8000)).await.unwrap();
    }
    let begun = Instant::now();
    let shut_down = within("the shutdown", server.server.shutdown_within(Duration::from_millis(500))).await.unwrap();
    assert!(begun.elapsed() < Duration::from_millis(2500), "{:?}", begun.elapsed());
    assert!(shut_down.cut >= 1, "{shut_down:?}");
}

#[tokio::test]
async fn to_drop_the_handle_stops_the_server_and_loses_nothing() {
    let server = server().await;
    let address = server.address();
    let mut ann = server.native("ann").await;
    ann.join("lobby").await;
    for n in 1..=20 {
        assert_eq!(ann.say("lobby", "acknowledged").await, n);
    }
    let data = server.data_dir().to_owned();
    // The folder stays until the end.
    drop(server.server);
    ann.rest().await;
    // The doors close, and the data is free, as soon as those who held them have heard of it.
    let begun = Instant::now();
    while Wire::try_connect("late", address).await.is_ok() {
        assert!(begun.elapsed() < Duration::from_secs(5), "it still listens");
        tokio::task::yield_now().await;
    }
    let again = loop {
        match Server::builder(Config::default()).data_dir(&data).listen("127.0.0.1:0").start().await {
            Ok(server) => break server,
            Err(error) => assert!(begun.elapsed() < Duration::from_secs(5), "{error}"),
        }
    };
    let me = again.connect("reader").await.unwrap();
    assert_eq!(me.history("lobby", HistoryQuery::default()).await.unwrap().head, Seq(20));
    again.shutdown().await.unwrap();
}

#[tokio::test]
async fn errors_can_be_passed_on() {
    fn passes_on<E: Error + Send + Sync + 'static>() {}
    passes_on::<snakk::StartError>();
    passes_on::<ClientError>();
    passes_on::<snakk::store::StoreError>();
    passes_on::<snakk::config::ConfigErrors>();
    let mut config = Config::default();
    config.log.format = snakk::config::LogFormat::Journald;
    config.log.directory = "log".into();
    let folder = tempfile::tempdir().unwrap();
    let nowhere = folder.path().join("nowhere");
    let refused = Server::builder(config).data_dir(&nowhere).listen("127.0.0.1:0").start().await;
    let refused = refused.err().map(|error| error.to_string()).unwrap_or_default();
    assert!(refused.contains("log.directory"), "{refused:?}");
    let mut config = Config::default();
    config.storage.readers = 0;
    let refused = Server::builder(config).data_dir(&nowhere).listen("127.0.0.1:0").start().await;
    let refused = refused.err().map(|error| error.to_string()).unwrap_or_default();
    assert!(refused.contains("storage.readers is 0, it must be a whole number from 1 to 64"), "{refused:?}");
    assert!(!nowhere.exists());
}

#[tokio::test]
async fn an_embedder_backs_up_its_running_server_and_restores_it_when_it_has_stopped() {
    let server = server().await;
    let data = server.data_dir().to_owned();
    let database = Database::of(&Config::default(), &data);
    let house = server.server.connect("house").await.unwrap();
    house.join("lobby").await.unwrap();
    house.send("lobby", "in the backup").await.unwrap();
    let (copy, elsewhere) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let file = copy.path().join("backup.db");
    let (to, of) = (file.clone(), database.clone());
    let backup = tokio::task::spawn_blocking(move || of.backup(to)).await.unwrap().unwrap();
    assert_eq!((backup.report.messages, backup.bytes), (1, std::fs::metadata(&file).unwrap().len()));
    assert!(Database::verify(database.file()).unwrap().is_whole());
    assert!(matches!(database.backup(&file), Err(BackupError::Exists { path }) if path == file));
    assert!(matches!(database.restore(&file), Err(RestoreError::Place(OpenError::Locked { .. }))));
    let mut lines = Vec::new();
    let rows = database.export(&mut lines).unwrap();
    assert_eq!(
        lines.split(|byte| *byte == b'\n').count() as u64,
        rows + 3,
        "the first line, the last, and what is behind it"
    );
    let other = Database::of(&Config::default(), elsewhere.path());
    assert_eq!(other.import(&mut &lines[..]).unwrap().messages, 1);
    assert!(matches!(other.import(&mut &lines[..]), Err(ImportError::Exists { .. })));
    house.send("lobby", "and behind it").await.unwrap();
    let stopped = server.stop().await;
    let restored = database.restore(&file).unwrap();
    assert_eq!(restored.report.messages, 1);
    assert_eq!(Database::verify(restored.kept.unwrap()).unwrap().messages, 2);
    let server = stopped.await;
    let page = server.native("reader").await.ask(json!({"request": "history", "room": "lobby"})).await;
    assert_eq!(page["messages"].as_array().map(Vec::len), Some(1));
}
