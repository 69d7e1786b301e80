//! What was taken back or edited away is gone: from every file of the real daemon, and from copies that are made.

use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::json;

use crate::support::{Daemon, Wire, daemon};

/// How soon it has to be gone.
const SOON: Duration = Duration::from_secs(5);

/// Which of the files in a directory hold a word.
pub(crate) fn files_with(dir: &Path, word: &str) -> Vec<String> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(dir).expect("a directory") {
        let path = entry.expect("an entry").path();
        // A file may go while one looks.
        let bytes = if path.is_dir() { Vec::new() } else { std::fs::read(&path).unwrap_or_default() };
        let lower = bytes.to_ascii_lowercase();
        if lower.windows(word.len()).any(|window| window == word.as_bytes()) {
            found.push(path.file_name().unwrap_or_default().to_string_lossy().into_owned());
        }
    }
    found
}

/// Waits until no file of a directory holds a word.
#[track_caller]
pub(crate) fn wait_until_gone(dir: &Path, word: &str) -> impl Future<Output = ()> {
    let (dir, word, at) = (dir.to_owned(), word.to_owned(), std::panic::Location::caller());
    async move {
        let begun = Instant::now();
        loop {
            let found = files_with(&dir, &word);
            if found.is_empty() {
                return;
            }
            assert!(begun.elapsed() < SOON, "{word} is still in {found:?} ({at})");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
}

/// A copy as an operator makes one, of the database of a daemon that runs.
fn copy(daemon: &Daemon, to: &Path) {
    let database = rusqlite::Connection::open_with_flags(
        daemon.data_dir().join("snakk.db"),
        rusqlite::OpenFlags::SQLITE_OPEN_READ_ONLY,
    );
    let database = database.expect("the database can be read");
    let to = to.to_str().expect("a path in UTF-8");
    database.execute("VACUUM INTO ?1", [to]).expect("a copy can be made");
}

async fn talker(daemon: &Daemon) -> Wire {
    let mut alice = daemon.account("alice").await;
    alice.join("lobby").await;
    alice
}

#[tokio::test]
async fn what_was_deleted_or_edited_away_is_in_no_file() {
    let daemon = daemon().await;
    let mut alice = talker(&daemon).await;
    let mut bob = daemon.account("bob").await;
    bob.join("lobby").await;
    let kept = alice.say("lobby", "quagmire stays").await;
    let deleted = alice.say("lobby", "xylophone goes").await;
    let edited = alice.say("lobby", "the wheelbarrow goes too").await;
    let answered = json!({"request": "message", "room": "lobby", "text": "oh", "reply_to": deleted});
    bob.ask(answered).await;
    for word in ["quagmire", "xylophone", "wheelbarrow"] {
        assert_ne!(files_with(&daemon.data_dir(), word), [""; 0], "{word} is stored");
        // What was searched for is indexed.
        assert_eq!(bob.ask(json!({"request": "search", "query": word})).await["messages"].as_array().unwrap().len(), 1);
    }
    alice.ask(json!({"request": "delete", "room": "lobby", "target": deleted})).await;
    alice.ask(json!({"request": "edit", "room": "lobby", "target": edited, "text": "the bezoar goes"})).await;
    alice.ask(json!({"request": "edit", "room": "lobby", "target": edited, "text": "nothing"})).await;
    for word in ["xylophone", "wheelbarrow", "bezoar"] {
        wait_until_gone(&daemon.data_dir(), word).await;
    }
    let backup = daemon.dir().join("backup");
    std::fs::create_dir(&backup).expect("a directory");
    copy(&daemon, &backup.join("copy.db"));
    for word in ["xylophone", "wheelbarrow", "bezoar"] {
        assert_eq!(files_with(&backup, word), [""; 0]);
    }
    assert_eq!(files_with(&backup, "quagmire"), ["copy.db"]);
    bob.ask(json!({"request": "history", "room": "lobby", "around": kept})).await;
}

#[tokio::test]
async fn what_goes_while_others_talk_is_gone_as_soon() {
    let daemon = daemon().await;
    let mut alice = talker(&daemon).await;
    let mut bob = daemon.account("bob").await;
    bob.join("lobby").await;
    bob.ask(json!({"request": "unfollow", "room": "lobby"})).await;
    let filler = "some other words ".repeat(20);
    let mut targets = Vec::new();
    for n in 0..20 {
        targets.push(alice.say("lobby", &format!("{filler} xylophone {n}")).await);
        bob.say("lobby", &filler).await;
    }
    for target in targets {
        alice.ask(json!({"request": "delete", "room": "lobby", "target": target})).await;
        bob.say("lobby", &filler).await;
    }
    // And on and on, so that there is never a moment of rest.
    let (gone, stop) = tokio::sync::oneshot::channel();
    let talk = async {
        let mut stop = stop;
        while stop.try_recv().is_err() {
            bob.say("lobby", &filler).await;
        }
    };
    let wait = async {
        wait_until_gone(&daemon.data_dir(), "xylophone").await;
        let _ = gone.send(());
    };
    tokio::join!(talk, wait);
}

#[tokio::test]
async fn a_room_that_was_deleted_is_in_no_file() {
    let daemon = daemon().await;
    let mut alice = daemon.account("alice").await;
    alice.ask(json!({"request": "create", "room": "den", "topic": "about gargoyles"})).await;
    for n in 0..300 {
        alice.say("den", &format!("xylophone {n}")).await;
    }
    alice.ask(json!({"request": "delete_room", "room": "den"})).await;
    wait_until_gone(&daemon.data_dir(), "xylophone").await;
    wait_until_gone(&daemon.data_dir(), "gargoyles").await;
}

#[tokio::test]
async fn what_was_deleted_before_a_kill_is_gone_after_it() {
    let mut daemon = daemon().await;
    let mut alice = talker(&daemon).await;
    let target = alice.say("lobby", "xylophone").await;
    alice.ask(json!({"request": "delete", "room": "lobby", "target": target})).await;
    daemon.kill9().await;
    let daemon = daemon.again().await;
    wait_until_gone(&daemon.data_dir(), "xylophone").await;
    let mut alice = talker(&daemon).await;
    assert_eq!(alice.ask(json!({"request": "history", "room": "lobby"})).await["messages"][0]["deleted"], true);
}
