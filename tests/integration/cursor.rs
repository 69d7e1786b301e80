//! A place in a room that outlives the program: `snakk tail --cursor`.

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::os::unix::fs::PermissionsExt;
use std::process::{Child, ChildStdout, Stdio};

use rustix::process::{Pid, Signal, kill_process};

use crate::support::harm::{Harm, polite};
use crate::support::person::{ended, fine};
use crate::support::{Daemon, Dice, Person, Value, Wire, daemon, json, within};

/// Somebody in the lobby who has said so much.
pub(crate) async fn talker(daemon: &Daemon, count: usize) -> Wire {
    let mut bob = daemon.native("bob").await;
    bob.join("lobby").await;
    for n in 1..=count {
        bob.say("lobby", &format!("text {n}.")).await;
    }
    bob
}

/// The numbers of entries in lines of JSON.
fn seqs<'a>(lines: impl IntoIterator<Item = &'a String>) -> Vec<u64> {
    let seq = |line: &String| serde_json::from_str::<Value>(line).unwrap()["seq"].as_u64().unwrap();
    lines.into_iter().map(seq).collect()
}

impl Person {
    /// What a cursor remembers.
    fn remembered(&self, name: &str) -> Value {
        serde_json::from_str(&fs::read_to_string(self.path(name)).unwrap()).unwrap()
    }
}

const TAIL: [&str; 5] = ["--json", "tail", "lobby", "--cursor", "place"];

#[tokio::test]
async fn a_cursor_goes_on_where_it_ended() {
    let daemon = daemon().await;
    let mut bob = talker(&daemon, 20).await;
    let ann = Person::of(daemon.address());
    let ended = ann.run(&[&TAIL[..], &["-n", "3"]].concat()).await;
    fine(&ended);
    assert_eq!(seqs(&ended.lines), [18, 19, 20]);
    assert_eq!((&ann.remembered("place")["room"], &ann.remembered("place")["seq"]), (&json!("lobby"), &json!(20)));
    assert_eq!(fs::metadata(ann.path("place")).unwrap().permissions().mode() & 0o777, 0o600);
    // -n counts at the beginning only.
    let ended = ann.run(&TAIL).await;
    fine(&ended);
    assert_eq!(ended.lines, Vec::<String>::new());
    for n in 21..=45 {
        bob.say("lobby", &format!("text {n}.")).await;
    }
    let ended = ann.run(&[&TAIL[..], &["-n", "1"]].concat()).await;
    fine(&ended);
    assert_eq!(seqs(&ended.lines), (21..=45).collect::<Vec<_>>());

    // What is not there yet, and nothing old wanted.
    fine(&ann.run(&["tail", "lobby", "--cursor", "new", "-n", "0"]).await);
    bob.say("lobby", "the next").await;
    let ended = ann.run(&["tail", "lobby", "--cursor", "new", "-n", "0"]).await;
    assert!(ended.lines.len() == 1 && ended.lines[0].ends_with("bob: the next"), "{ended:?}");
}

/// The program, and a pipe that is read by hand.
fn printing(person: &Person) -> (Child, BufReader<ChildStdout>) {
    let mut command = person.shell("exec \"$0\" \"$@\"", &[&TAIL[..], &["-n", "1000000"]].concat());
    let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().unwrap();
    let out = BufReader::with_capacity(100, child.stdout.take().unwrap());
    (child, out)
}

/// Ends it, and reads the rest: what was written into the pipe was printed, whoever reads it when.
fn killed(mut child: Child, mut out: BufReader<ChildStdout>) -> String {
    child.kill().unwrap();
    child.wait().unwrap();
    let mut rest = String::new();
    out.read_to_string(&mut rest).unwrap();
    rest
}

/// Somebody who has said so much at such length that a pipe holds only some of it.
async fn chatterbox(daemon: &Daemon, count: u64) -> Wire {
    let mut bob = talker(daemon, 0).await;
    for n in 1..=count {
        bob.say("lobby", &format!("{n} {}", "blah ".repeat(150))).await;
    }
    bob
}

#[tokio::test]
async fn nothing_is_missing_and_nothing_comes_twice_when_it_is_killed_while_somebody_reads_slowly() {
    const COUNT: u64 = 400;
    let daemon = daemon().await;
    let _bob = chatterbox(&daemon, COUNT).await;
    let ann = Person::of(daemon.address());
    let (mut printed, mut kills) = (Vec::new(), 0);
    while printed.last() != Some(&COUNT) {
        let (child, mut out) = printing(&ann);
        let mut lines = String::new();
        for _ in 0..5 {
            out.read_line(&mut lines).unwrap();
        }
        // The pipe is full, and it waits to print the next entry; or everything is printed.
        within("a program that waits, or has ended", at_rest(child.id())).await;
        lines += &killed(child, out);
        printed.extend(seqs(&lines.lines().map(str::to_owned).collect::<Vec<_>>()));
        kills += 1;
    }
    assert_eq!(printed, (1..=COUNT).collect::<Vec<_>>());
    assert!(kills > 3, "it was killed in the middle");
}

#[tokio::test]
async fn whenever_it_is_killed_nothing_is_missing() {
    const COUNT: u64 = 400;
    let daemon = daemon().await;
    let _bob = chatterbox(&daemon, COUNT).await;
    let ann = Person::of(daemon.address());
    let (mut dice, mut last) = (Dice::new(), 0);
    while last != COUNT {
        let (child, mut out) = printing(&ann);
        let mut lines = String::new();
        for _ in 0..=dice.below(40) {
            out.read_line(&mut lines).unwrap();
        }
        lines += &killed(child, out);
        let numbers = seqs(&lines.lines().map(str::to_owned).collect::<Vec<_>>());
        let Some(first) = numbers.first() else { continue };
        // Between the printing of an entry and the remembering of it there is a moment, and only there it comes twice.
        assert!(*first == last + 1 || *first == last, "{first} comes behind {last}");
        last = first + numbers.len() as u64 - 1;
        assert_eq!(numbers, (*first..=last).collect::<Vec<_>>());
    }
}

/// Waits until a process does nothing: it sleeps each time that one looks, and so does each of its threads.
async fn at_rest(pid: u32) {
    let is_running = || {
        let tasks = fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten();
        let states = tasks.filter_map(|task| fs::read_to_string(task.path().join("stat")).ok());
        states.into_iter().any(|stat| stat.rsplit(") ").next().is_some_and(|state| state.starts_with(['R', 'D'])))
    };
    let mut quiet = 0;
    while quiet < 200 {
        quiet = if is_running() { 0 } else { quiet + 1 };
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn a_cursor_that_follows_is_up_to_date_behind_each_entry() {
    let daemon = daemon().await;
    let mut bob = talker(&daemon, 1).await;
    let ann = Person::of(daemon.address());
    let follow = [&TAIL[..], &["-f"]].concat();
    let mut tail = ann.start(&follow);
    assert_eq!(seqs(within("a line", tail.line()).await.iter()), [1]);
    for n in 2..=20 {
        bob.say("lobby", &format!("text {n}.")).await;
        assert_eq!(seqs(within("a line", tail.line()).await.iter()), [n]);
        within("the cursor", async {
            while ann.remembered("place")["seq"] != json!(n) {
                tokio::task::yield_now().await;
            }
        })
        .await;
    }
    // Nobody else can use it meanwhile.
    let second = ann.run(&TAIL).await;
    assert_eq!((second.code, second.lines.len()), (Some(78), 0), "{second:?}");
    assert!(second.stderr.contains("another program uses it"), "{second:?}");
    tail.kill9().await;
    bob.say("lobby", "while nobody looks").await;
    let ended = ann.run(&TAIL).await;
    fine(&ended);
    assert_eq!(seqs(&ended.lines), [21]);
}

#[tokio::test]
async fn a_cursor_goes_on_over_a_restart_and_begins_anew_where_the_room_did() {
    let mut daemon = daemon().await;
    talker(&daemon, 5).await;
    let ann = Person::of(daemon.address());
    let mut tail = ann.start(&[&TAIL[..], &["-f", "-n", "2"]].concat());
    for seq in [4, 5] {
        assert_eq!(seqs(within("a line", tail.line()).await.iter()), [seq]);
    }
    daemon.kill9().await;
    let mut daemon = daemon.again().listen(daemon.address()).await;
    let bob = talker(&daemon, 1).await;
    assert_eq!(seqs(within("a line", tail.line()).await.iter()), [6]);
    drop(bob);

    // Another server at the same address, with a room of the same name: while it follows ..
    daemon.kill9().await;
    let other = crate::support::daemon().listen(daemon.address()).await;
    let mut bob = talker(&other, 4).await;
    let mut seen = Vec::new();
    bob.say("lobby", "at last").await;
    while seen.last() != Some(&5) {
        seen.extend(seqs(within("a line", tail.line()).await.iter()));
    }
    // .. it begins anew with the newest ones, which may have been said before or after it came back.
    assert_eq!(seen, (5 - seen.len() as u64 + 1..=5).collect::<Vec<_>>());
    assert!(tail.stderr().contains("began anew"), "{}", tail.stderr());
    let epoch = ann.remembered("place")["epoch"].clone();
    tail.kill9().await;

    // .. and when it comes back.
    let mut text = ann.remembered("place");
    text["epoch"] = json!("another");
    fs::write(ann.path("place"), text.to_string()).unwrap();
    let ended = ann.run(&[&TAIL[..], &["-n", "2"]].concat()).await;
    assert_eq!((ended.code, seqs(&ended.lines)), (Some(0), vec![4, 5]), "{ended:?}");
    assert_eq!(ended.stderr, "snakk: the room began anew, and so does this\n");
    assert_eq!((&ann.remembered("place")["epoch"], &ann.remembered("place")["seq"]), (&epoch, &json!(5)));
    bob.say("lobby", "once more").await;
    let ended = ann.run(&TAIL).await;
    fine(&ended);
    assert_eq!(seqs(&ended.lines), [6]);
}

#[tokio::test]
async fn a_cursor_of_another_room_and_what_is_no_cursor_are_refused() {
    let daemon = daemon().await;
    let mut bob = talker(&daemon, 1).await;
    bob.ask(json!({"request": "create", "room": "den"})).await;
    let ann = Person::of(daemon.address());
    fine(&ann.run(&TAIL).await);
    let place = fs::read_to_string(ann.path("place")).unwrap();
    let ended = ann.run(&["tail", "den", "--cursor", "place"]).await;
    assert_eq!((ended.code, ended.lines.len()), (Some(2), 0), "{ended:?}");
    assert!(ended.stderr.contains("it is one of the room lobby, not of den"), "{ended:?}");
    fs::write(ann.path("notes"), "buy cake\n").unwrap();
    assert_eq!(ann.run(&["tail", "lobby", "--cursor", "notes"]).await.code, Some(78));
    assert_eq!(fs::read_to_string(ann.path("notes")).unwrap(), "buy cake\n");
    assert_eq!(ann.run(&["tail", "lobby", "--cursor", "no/such/folder"]).await.code, Some(78));
    assert_eq!(ann.run(&["tail", "lobby", "--cursor", "/dev/null"]).await.code, Some(78));
    assert_eq!(ann.run(&["tail", "lobby", "--cursor", "place", "--since", "1"]).await.code, Some(2));
    // A room that cannot be looked into leaves everything as it was.
    assert_eq!(ann.run(&["tail", "no-such-room", "--cursor", "new"]).await.code, Some(1));
    assert_eq!(fs::read_to_string(ann.path("place")).unwrap(), place);
}

#[tokio::test]
async fn a_cursor_follows_a_room_to_its_new_name() {
    let daemon = daemon().await;
    let mut owner = daemon.account("owner").await;
    owner.ask(json!({"request": "create", "room": "den"})).await;
    owner.ask(json!({"request": "message", "room": "den", "text": "before"})).await;
    let ann = Person::of(daemon.address());
    let mut tail = ann.start(&["--json", "tail", "den", "-f", "--cursor", "place"]);
    assert_eq!(seqs(within("a line", tail.line()).await.iter()), [1]);
    let renamed = owner.ask(json!({"request": "room", "room": "den", "name": "hall"})).await;
    assert_eq!(renamed["seq"], 2, "{renamed}");
    assert_eq!(seqs(within("a line", tail.line()).await.iter()), [2]);
    owner.ask(json!({"request": "message", "room": "hall", "text": "after"})).await;
    assert_eq!(seqs(within("a line", tail.line()).await.iter()), [3]);
    within("the cursor", async {
        while (&ann.remembered("place")["room"], &ann.remembered("place")["seq"]) != (&json!("hall"), &json!(3)) {
            tokio::task::yield_now().await;
        }
    })
    .await;
    tail.kill9().await;
    let ended = ann.run(&["tail", "hall", "--cursor", "place"]).await;
    fine(&ended);
    assert_eq!(ended.lines, Vec::<String>::new());
}

#[tokio::test]
async fn a_disk_that_is_full_is_told_of() {
    let daemon = daemon().await;
    talker(&daemon, 1).await;
    let ann = Person::of(daemon.address());
    let ended = ended(crate::support::daemon().spawn_by(ann.shell("exec \"$0\" \"$@\" >/dev/full", &TAIL))).await;
    assert_eq!(ended.code, Some(1), "{ended:?}");
    assert!(ended.stderr.contains("cannot write to standard output"), "{ended:?}");
    assert_eq!(ann.remembered("place")["seq"], json!(0));
}

#[tokio::test]
async fn what_is_stopped_and_goes_on_misses_nothing() {
    let daemon = daemon().await;
    let mut bob = talker(&daemon, 1).await;
    let ann = Person::of(daemon.address());
    let mut tail = ann.start(&[&TAIL[..], &["-f"]].concat());
    assert_eq!(seqs(within("a line", tail.line()).await.iter()), [1]);
    let pid = Pid::from_raw(tail.pid()).unwrap();
    kill_process(pid, Signal::STOP).unwrap();
    for n in 2..=50 {
        bob.say("lobby", &format!("text {n}.")).await;
    }
    kill_process(pid, Signal::CONT).unwrap();
    for n in 2..=50 {
        assert_eq!(seqs(within("a line", tail.line()).await.iter()), [n]);
    }
}

#[tokio::test]
async fn what_a_room_does_not_keep_is_told_and_a_server_that_begins_anew_each_time_is_followed_once() {
    let joining = |keys: Value| {
        move |request: &Value| {
            let mut answers = polite(request);
            if request["request"] == "join" {
                answers[0].as_object_mut().unwrap().extend(keys.as_object().unwrap().clone());
                answers[1]["seq"] = answers[0]["head"].clone();
            }
            Some(answers)
        }
    };
    let cut = Person::of(Harm::start(joining(json!({"first": 5, "head": 5}))).await);
    fs::write(cut.path("place"), r#"{"room":"lobby","epoch":"e","seq":1}"#).unwrap();
    let ended = cut.run(&TAIL).await;
    assert_eq!((ended.code, seqs(&ended.lines)), (Some(0), vec![5]), "{ended:?}");
    assert_eq!(ended.stderr, "snakk: 3 entries are not kept any more\n");

    let anew = Person::of(Harm::start(joining(json!({"head": 1, "reset": true}))).await);
    fs::write(anew.path("place"), r#"{"room":"lobby","epoch":"old","seq":7}"#).unwrap();
    let ended = anew.run(&TAIL).await;
    assert_eq!(
        (ended.code, ended.stderr.as_str()),
        (Some(0), "snakk: the room began anew, and so does this\n"),
        "{ended:?}"
    );
    assert_eq!((&anew.remembered("place")["epoch"], &anew.remembered("place")["seq"]), (&json!("e"), &json!(1)));
}

#[tokio::test]
async fn what_a_guest_may_not_see_is_not_waited_for() {
    let daemon = daemon().await;
    let mut owner = daemon.account("owner").await;
    owner.ask(json!({"request": "create", "room": "den"})).await;
    owner.ask(json!({"request": "room", "room": "den", "history": "joined"})).await;
    for n in 1..=5 {
        owner.say("den", &format!("text {n}.")).await;
    }
    let ann = Person::of(daemon.address());
    for args in [&["tail", "den", "--since", "0"][..], &["tail", "den", "--since", "2"]] {
        let ended = ann.run(args).await;
        fine(&ended);
        assert_eq!(ended.lines, Vec::<String>::new());
    }
    let tail = ["tail", "den", "--cursor", "place", "-n", "0"];
    fine(&ann.run(&tail).await);
    owner.say("den", "unseen").await;
    let ended = ann.run(&tail).await;
    assert_eq!((ended.code, ended.lines.len()), (Some(0), 0), "{ended:?}");
    assert!(ended.stderr.contains("an entry is not kept any more"), "{ended:?}");
    assert_eq!(ann.remembered("place")["seq"], json!(7));
}
