//! What was acknowledged is kept, and what is repeated is there once, whatever happens to processes, connections and
//! disks in between. Unknown is not failed.

use std::net::SocketAddr;
use std::process::Command;
use std::time::{Duration, Instant};

use snakk::Server;
use snakk::store::memory::{Faults, MemoryStore};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::load::{Fate, Follower, Link, Load, Post, Seen, again, check, check_database, whole_history, whole_log};
use crate::support::daemon::{FREE, Setup};
use crate::support::server::{self, PASSWORD};
use crate::support::{Daemon, Dice, Value, daemon, json, within};

#[tokio::test]
async fn a_killed_daemon_has_kept_all_that_it_acknowledged() {
    let mut dice = Dice::new();
    let mut daemon = daemon().await;
    let rooms = ["one", "two"];
    let (mut posts, mut seen) = (Vec::new(), Vec::new());
    for round in 0..4 {
        let mut load = Load::start(daemon.address(), &format!("round{round}"), 8, &rooms).await;
        let mut followers = Vec::new();
        for (number, room) in rooms.iter().chain(&rooms).enumerate() {
            followers.push(Follower::start(daemon.address(), &format!("follower-{number}"), room).await);
        }
        load.acknowledged(1 + dice.below(1000)).await;
        daemon.kill9().await;
        posts.extend(load.ended().await.posts);
        for follower in followers {
            seen.push(follower.ended().await);
        }
        let begun = Instant::now();
        daemon = again(&daemon).await;
        assert!(begun.elapsed() < Duration::from_secs(2), "it took {:?} to come back", begun.elapsed());
        check(daemon.address(), &posts, &seen).await;
    }
    assert!(posts.iter().any(|post| post.fate == Fate::Unknown), "something was under way when it was killed");
    assert!(!posts.iter().any(|post| post.fate == Fate::Refused), "nothing was refused");
}

/// Who posts, and how they come back after their connection was lost.
enum Poster {
    Account(String),
    Guest(String, Value),
}

impl Poster {
    async fn new(address: SocketAddr, name: &str, guest: bool) -> (Poster, Link) {
        if guest {
            let mut link = Link::over(TcpStream::connect(address).await.expect("a connection"));
            link.ask(json!({"request": "hello", "protocol": 1})).await.expect("an answer");
            let login = link.ask(json!({"request": "login", "username": name})).await.expect("an answer");
            assert!(login["token"].is_string(), "a guest gets a token: {login}");
            (Poster::Guest(name.to_owned(), login["token"].clone()), link)
        } else {
            let register = json!({"request": "register", "username": name, "password": PASSWORD});
            let link = Link::open(address, register).await.expect("a connection");
            (Poster::Account(name.to_owned()), link)
        }
    }

    async fn back(&self, address: SocketAddr) -> Link {
        let login = match self {
            Poster::Account(name) => json!({"request": "login", "username": name, "password": PASSWORD}),
            Poster::Guest(name, token) => json!({"request": "login", "username": name, "token": token}),
        };
        Link::open(address, login).await.expect("a connection")
    }
}

#[tokio::test]
async fn a_repeat_by_nonce_settles_what_became_of_posts_whose_answers_were_lost() {
    let mut dice = Dice::new();
    let mut daemon = daemon().await;
    let mut posts: Vec<Post> = Vec::new();
    for (number, (guest, kill)) in [(false, false), (true, false), (false, true), (true, true)].into_iter().enumerate()
    {
        let (poster, mut link) = Poster::new(daemon.address(), &format!("poster-{number}"), guest).await;
        link.ask(json!({"request": "join", "room": "lobby"})).await.expect("an answer");
        link.ask(json!({"request": "unfollow", "room": "lobby"})).await.expect("an answer");
        for round in 0..10 {
            let first = posts.len();
            for n in 0..25 {
                let text = format!("{number} {round} {n}");
                posts.push(Post::new("lobby", text.clone(), text));
                assert!(link.put(&posts[first + n].request(first + n)).await);
            }
            // Of the answers some are read, and the rest is lost with the connection, or with the daemon.
            for _ in 0..dice.below(25) {
                let answer = link.answer("message").await.expect("an answer");
                let id = usize::try_from(answer["id"].as_u64().expect("an id")).expect("an index");
                posts[id].answered(&answer);
            }
            if kill && round % 3 == 2 {
                daemon.kill9().await;
                drop(link);
                daemon = again(&daemon).await;
            } else {
                link.reset();
            }
            link = poster.back(daemon.address()).await;
            if guest {
                link.ask(json!({"request": "join", "room": "lobby"})).await.expect("an answer");
                link.ask(json!({"request": "unfollow", "room": "lobby"})).await.expect("an answer");
            }
            // The answered ones are repeated as well: then the number has to be the same again.
            for (id, post) in posts.iter().enumerate().skip(first) {
                assert!(link.put(&post.request(id)).await);
            }
            for post in &mut posts[first..] {
                let answer = link.answer("message").await.expect("an answer");
                let known = post.fate;
                post.answered(&answer);
                assert!(matches!(post.fate, Fate::Acknowledged(_)), "{answer}");
                if known != Fate::Unknown {
                    assert_eq!(answer["duplicate"], true, "{answer}");
                }
            }
        }
    }
    check(daemon.address(), &posts, &[]).await;
}

#[tokio::test]
async fn the_same_nonce_from_two_connections_at_once_makes_one_entry() {
    let daemon = daemon().await;
    let mut one = daemon.account("ann").await;
    let mut two = daemon.account("ann").await;
    let mut bob = daemon.account("bob").await;
    for wire in [&mut one, &mut two, &mut bob] {
        for room in ["lobby", "other"] {
            wire.send(json!({"request": "create", "room": room})).await;
            wire.next().await;
            wire.join(room).await;
            wire.ask(json!({"request": "unfollow", "room": room})).await;
        }
    }
    let mut dice = Dice::new();
    for round in 0..500_u64 {
        let nonce = format!("nonce {round}");
        // Every now and then the second one says something else, which then was not said.
        let other = if dice.below(4) == 0 { "something else" } else { "text" };
        let first = json!({"request": "message", "room": "lobby", "text": format!("text {round}"), "nonce": nonce});
        let second = json!({"request": "message", "room": "lobby", "text": format!("{other} {round}"), "nonce": nonce});
        one.send(first.clone()).await;
        two.send(second).await;
        let (first_answer, second_answer) = (one.next().await, two.next().await);
        assert_eq!(first_answer["seq"], round + lobby_members(), "{first_answer}");
        assert_eq!(second_answer["seq"], first_answer["seq"], "{first_answer} {second_answer}");
        assert_eq!(second_answer["time"], first_answer["time"]);
        let doubles = [&first_answer, &second_answer].iter().filter(|answer| answer["duplicate"] == true).count();
        assert_eq!(doubles, 1, "{first_answer} {second_answer}");
    }
    // Another user or another room is another matter.
    let request = |room: &str| json!({"request": "message", "room": room, "text": "independent", "nonce": "nonce 0"});
    for answer in [bob.ask(request("lobby")).await, one.ask(request("other")).await] {
        assert_eq!(answer.get("duplicate"), None, "{answer}");
    }
    let history = whole_history(daemon.address(), "lobby").await;
    assert_eq!(history.len(), 501);
}

/// The number of the first message behind the entries that say that Ann and Bob became members.
fn lobby_members() -> u64 {
    3
}

#[tokio::test]
async fn followers_that_come_and_go_see_each_entry_once_and_in_order() {
    let daemon = daemon().await;
    let address = daemon.address();
    let mut load = Load::start(address, "load", 16, &["one"]).await;
    let (end, ended) = watch::channel(None::<u64>);
    let mut followers = JoinSet::new();
    for number in 0..8_usize {
        followers.spawn(follow_by_fits(address, number, ended.clone()));
    }
    load.acknowledged(6000).await;
    let ledger = load.stop().await;
    let head = ledger.posts.len() as u64;
    end.send_replace(Some(head));
    let mut seen = Vec::new();
    while let Some(follower) = within("the end of a follower", followers.join_next()).await {
        let (one, connections) = follower.expect("a follower");
        assert!(connections > 2, "it came back, and not only once");
        assert_eq!(one.last(), head);
        seen.push(one);
    }
    check(address, &ledger.posts, &seen).await;
}

/// Reads a while, goes without a word, comes back and goes on where it was, until it has seen the end. Some of them stay
/// away for so long that what they missed has left the memory of the daemon.
async fn follow_by_fits(address: SocketAddr, number: usize, mut ended: watch::Receiver<Option<u64>>) -> (Seen, usize) {
    let mut dice = Dice::new();
    let mut seen = Seen::of("one");
    let mut connections = 0;
    loop {
        connections += 1;
        let mut link = Link::guest(address, &format!("follower-{number}-{connections}")).await.expect("a connection");
        let joined = link.ask(json!({"request": "join", "room": "one", "since": seen.last()})).await;
        assert_eq!(joined.expect("an answer")["reset"], false);
        // Until about now the last ones stay away.
        let bite = if number >= 6 && ended.borrow().is_none() { 20 } else { 200 + dice.below(800) };
        for _ in 0..bite {
            if *ended.borrow() == Some(seen.last()) {
                return (seen, connections);
            }
            tokio::select! {
                object = link.get() => seen.note(&object.expect("the daemon runs")),
                // Look at the condition again.
                Ok(()) = ended.changed() => {}
            }
        }
        if dice.below(2) == 0 {
            link.reset()
        } else {
            drop(link)
        }
        if number >= 6 && connections == 2 {
            within("the end", ended.wait_for(Option::is_some)).await.expect("it comes");
        }
    }
}

#[tokio::test]
async fn what_was_acknowledged_can_be_read_at_once_by_everybody() {
    let daemon = daemon().await;
    let mut load = Load::start(daemon.address(), "load", 4, &["lobby"]).await;
    let mut writer = daemon.native("writer").await;
    let mut reader = daemon.native("reader").await;
    writer.join("lobby").await;
    writer.ask(json!({"request": "unfollow", "room": "lobby"})).await;
    let mut head = 0;
    for round in 0..300 {
        let text = format!("round {round}");
        let seq = writer.say("lobby", &text).await;
        if round % 3 == 2 {
            // From the answer on it is there for those who join too.
            let joined = reader.ask(json!({"request": "join", "room": "lobby", "since": seq - 1})).await;
            assert!(joined["head"].as_u64() >= Some(seq.max(head)), "{joined}: {seq} {head}");
            head = joined["head"].as_u64().expect("a number");
            reader.expect(json!({"event": "message", "seq": seq, "text": text})).await;
            reader.ask(json!({"request": "leave", "room": "lobby"})).await;
            // What had been sent until then comes no more.
            reader.send(json!({"request": "ping", "id": "behind"})).await;
            while reader.next().await["id"] != "behind" {}
            continue;
        }
        let page = reader.ask(json!({"request": "history", "room": "lobby", "around": seq, "limit": 1})).await;
        assert!(page["head"].as_u64() >= Some(seq.max(head)), "{page}: {seq} {head}");
        head = page["head"].as_u64().expect("a number");
        assert_eq!((&page["messages"][0]["seq"], &page["messages"][0]["text"]), (&json!(seq), &json!(text)));
    }
    load.acknowledged(1).await;
    let ledger = load.stop().await;
    assert!(ledger.posts.iter().all(|post| matches!(post.fate, Fate::Acknowledged(_))));
}

#[tokio::test]
async fn a_join_at_any_moment_answers_first_and_then_tells_everything_from_there_on() {
    let daemon = daemon().await;
    let load = Load::start(daemon.address(), "load", 16, &["lobby"]).await;
    let mut dice = Dice::new();
    let mut head = 0_u64;
    let mut link = Link::guest(daemon.address(), "joiner").await.expect("a connection");
    for round in 0..200 {
        let (mut request, id) = (json!({"request": "join", "room": "lobby"}), format!("join {round}"));
        request["id"] = id.as_str().into();
        // Some of it is in the memory of the daemon, and some only on its disk.
        let (since, backlog) = (head.saturating_sub(dice.below(1500) as u64), dice.below(50) as u64);
        match round % 3 {
            0 => request["since"] = since.into(),
            1 => request["backlog"] = backlog.into(),
            _ => {}
        }
        assert!(link.put(&request).await);
        // Nothing of the room comes before the answer, for it is not followed.
        let answer = loop {
            let object = link.get().await.expect("the daemon runs");
            if object["id"] == id.as_str() {
                break object;
            }
            assert_ne!(object["room"], "lobby", "{object}");
        };
        assert!(answer["head"].as_u64() >= Some(head), "{answer}");
        head = answer["head"].as_u64().expect("a number");
        let mut next = 1 + match round % 3 {
            0 => since,
            1 => head.saturating_sub(backlog),
            _ => head,
        };
        while next <= head + 5 {
            let object = link.get().await.expect("the daemon runs");
            if let Some(seq) = object["seq"].as_u64() {
                assert_eq!(seq, next, "{object}");
                next += 1;
            }
        }
        if dice.below(10) == 0 {
            link.reset();
            link = Link::guest(daemon.address(), &format!("joiner-{round}")).await.expect("a connection");
        } else {
            // Also in the middle of the stream; what has been written by then still comes, and nothing behind the answer.
            link.ask(json!({"request": "unfollow", "room": "lobby"})).await.expect("an answer");
        }
    }
    let ledger = load.stop().await;
    check(daemon.address(), &ledger.posts, &[]).await;
}

#[tokio::test]
async fn a_number_that_anybody_was_told_is_never_beyond_the_head() {
    let daemon = daemon().await;
    let mut load = Load::start(daemon.address(), "load", 8, &["lobby"]).await;
    load.acknowledged(1).await;
    let mut reader = Link::guest(daemon.address(), "reader").await.expect("a connection");
    let mut joiner = Link::guest(daemon.address(), "joiner").await.expect("a connection");
    let history = json!({"request": "history", "room": "lobby", "limit": 1});
    for _ in 0..1000 {
        let page = reader.ask(history.clone()).await.expect("an answer");
        let told = page["messages"][0]["seq"].as_u64().expect("a number");
        assert_eq!(page["head"], told, "{page}");
        let answer = joiner.ask(json!({"request": "join", "room": "lobby", "since": told})).await.expect("an answer");
        assert_eq!(answer["reset"], false, "{page} {answer}");
        assert!(answer["head"].as_u64() >= Some(told), "{page} {answer}");
        joiner.ask(json!({"request": "unfollow", "room": "lobby"})).await.expect("an answer");
    }
    load.stop().await;
}

/// The daemon under a limit on the size of its files, which is a disk that fills up.
async fn on_a_small_disk(setup: Setup, blocks: u32) -> Daemon {
    let (config, data) = (setup.dir().join("snakk.toml"), setup.data_dir());
    std::fs::write(&config, FREE).expect("a configuration");
    let mut command = Command::new("/bin/sh");
    // Blocks have 512 bytes. The soft limit, so that somebody may take it away again.
    command.args(["-c", &format!("ulimit -S -f {blocks}; exec \"$0\" \"$@\""), env!("CARGO_BIN_EXE_snakkd")]);
    command.arg("--config").arg(config).arg("--data-dir").arg(data).args(["--listen", "127.0.0.1:0"]);
    command.env_clear().env("HOME", setup.dir());
    let mut daemon = setup.spawn_by(command);
    daemon.listens().await;
    daemon
}

#[tokio::test]
async fn a_full_disk_is_told_reading_goes_on_and_posting_comes_back_by_itself() {
    let mut daemon = on_a_small_disk(daemon(), 2048).await;
    let (poster, mut link) = Poster::new(daemon.address(), "poster", false).await;
    link.ask(json!({"request": "join", "room": "lobby"})).await.expect("an answer");
    let follower = Follower::start(daemon.address(), "follower", "lobby").await;
    let mut posts: Vec<Post> = Vec::new();
    let mut failed = 0;
    while failed < 20 {
        let id = posts.len();
        assert!(id < 2000, "it is never full");
        posts.push(Post::new("lobby", format!("{id} {}", "x".repeat(8000)), format!("nonce {id}")));
        let request = posts[id].request(id);
        let answer = link.ask(request).await.unwrap_or_else(|| panic!("it died: {}", daemon.stderr()));
        if answer.get("error").is_some() {
            assert_eq!(answer["code"], "storage_unavailable", "{answer}");
            failed += 1;
        }
        posts[id].answered(&answer);
    }
    // Everything else goes on.
    link.ask(json!({"request": "ping"})).await.expect("an answer");
    let page = link.ask(json!({"request": "history", "room": "lobby", "limit": 3})).await.expect("an answer");
    assert_eq!(page["messages"].as_array().map(Vec::len), Some(3), "{page}");
    let mut other = daemon.native("other").await;
    other.ask_in_vain(json!({"request": "create", "room": "new"}), "storage_unavailable").await;

    // There is room again.
    let lifted = Command::new("prlimit").args(["--fsize=unlimited", "--pid", &daemon.pid().to_string()]).status();
    assert!(lifted.is_ok_and(|status| status.success()), "prlimit lifts the limit");
    let begun = Instant::now();
    loop {
        let answer = link.ask(json!({"request": "message", "room": "lobby", "text": "again", "nonce": "again"})).await;
        if answer.expect("it runs").get("error").is_none() {
            break;
        }
        assert!(begun.elapsed() < Duration::from_secs(5), "posting does not come back");
    }
    posts.push(Post::new("lobby", "again".into(), "again".into()));
    // Of those that failed nobody knew; the repeat settles it.
    for (id, post) in posts.iter_mut().enumerate() {
        let answer = link.ask(post.request(id)).await.expect("it runs");
        post.answered(&answer);
        assert!(matches!(post.fate, Fate::Acknowledged(_)), "{answer}");
    }
    daemon.kill9().await;
    let seen = follower.ended().await;
    check_database(&daemon.data_dir());
    let daemon = daemon.again().await;
    check(daemon.address(), &posts, &[seen]).await;
    poster.back(daemon.address()).await;
}

#[tokio::test]
async fn numbers_go_on_without_a_gap_behind_commits_that_failed() {
    // Which commits fail and are lost, and which fail and are there nevertheless.
    let faults = Faults { lost: (20..40).chain(60..61).collect(), kept: (50..55).collect(), ..Faults::default() };
    let server = Server::builder(server::free()).store(MemoryStore::with_faults(faults)).start();
    let server = within("the start", server).await.expect("a server");
    let address = server.local_addrs()[0];
    let follower = Follower::start(address, "follower", "lobby").await;
    let (_, mut link) = Poster::new(address, "poster", false).await;
    link.ask(json!({"request": "join", "room": "lobby"})).await.expect("an answer");
    let mut posts: Vec<Post> = Vec::new();
    let mut failed = 0;
    for id in 0..80 {
        posts.push(Post::new("lobby", format!("text {id}"), format!("nonce {id}")));
        let answer = link.ask(posts[id].request(id)).await.expect("an answer");
        posts[id].answered(&answer);
        failed += usize::from(posts[id].fate == Fate::Unknown);
    }
    assert!((20..=26).contains(&failed), "{failed}");
    for (id, post) in posts.iter_mut().enumerate() {
        let answer = link.ask(post.request(id)).await.expect("an answer");
        post.answered(&answer);
        assert!(matches!(post.fate, Fate::Acknowledged(_)), "{answer}");
    }
    // The log in the order of the numbers, and each once: also for whoever was there all the time.
    check(address, &posts, &[]).await;
    within("the stop", server.shutdown()).await.expect("a clean stop");
    let seen = follower.ended().await;
    assert_eq!(seen.entries.iter().filter(|(event, ..)| event == "message").count(), 80);
}

#[tokio::test]
async fn commits_that_fail_under_load_leave_neither_gaps_nor_doubles() {
    let mut dice = Dice::new();
    for _ in 0..3 {
        let mut faults = Faults::default();
        for commit in 30..2000 {
            match dice.below(6) {
                0 => _ = faults.lost.insert(commit),
                1 => _ = faults.kept.insert(commit),
                _ => {}
            }
        }
        let server = Server::builder(server::free()).store(MemoryStore::with_faults(faults)).start();
        let server = within("the start", server).await.expect("a server");
        let address = server.local_addrs()[0];
        let mut load = Load::start(address, "load", 8, &["one", "two"]).await;
        let followers =
            [Follower::start(address, "follower-1", "one").await, Follower::start(address, "follower-2", "two").await];
        load.acknowledged(3000).await;
        let ledger = load.stop().await;
        assert!(ledger.posts.iter().any(|post| post.fate == Fate::Unknown), "something failed");
        // What was stored although it seemed to fail is told at the latest with what is stored next.
        let mut link = Link::guest(address, "last").await.expect("a connection");
        for room in ["one", "two"] {
            link.ask(json!({"request": "join", "room": room})).await.expect("an answer");
            let last = json!({"request": "message", "room": room, "text": "last", "nonce": "last"});
            while link.ask(last.clone()).await.expect("an answer").get("error").is_some() {}
        }
        let mut ledger = ledger;
        ledger.posts.extend(["one", "two"].map(|room| Post::new(room, "last".into(), "last".into())));
        check(address, &ledger.posts, &[]).await;
        let logs = [whole_log(address, "one").await, whole_log(address, "two").await];
        within("the stop", server.shutdown()).await.expect("a clean stop");
        for (follower, log) in followers.into_iter().zip(logs) {
            assert_eq!(follower.ended().await.entries, log);
        }
    }
}

#[tokio::test]
async fn a_disk_that_fills_up_under_load_harms_nobody() {
    let mut daemon = on_a_small_disk(daemon(), 2048).await;
    let load = Load::start(daemon.address(), "load", 8, &["one", "two"]).await;
    let mut watcher = daemon.native("watcher").await;
    watcher.join("two").await;
    // The senders go on until enough of them have failed.
    let mut tries = 0;
    loop {
        watcher.send(json!({"request": "message", "id": tries, "room": "two", "text": "x"})).await;
        let answer = loop {
            let object = watcher.next().await;
            if object["id"] == tries {
                break object;
            }
        };
        if answer["code"] == "storage_unavailable" {
            break;
        }
        tries += 1;
    }
    let ledger = load.stop().await;
    assert!(ledger.posts.iter().any(|post| post.fate == Fate::Unknown));
    daemon.kill9().await;
    let mut daemon = again(&daemon).await;
    let log = whole_log(daemon.address(), "two").await;
    assert!(!log.is_empty());
    let ours: Vec<Post> = ledger.posts.into_iter().filter(|post| post.room == "one").collect();
    check(daemon.address(), &ours, &[]).await;
    daemon.kill9().await;
}
