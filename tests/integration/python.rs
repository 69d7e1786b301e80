//! The client in Python, which shows that the protocol needs no Rust: against the real daemon, with connections that break.

use std::process::Command;

use crate::support::person::{ended, fine};
use crate::support::{Daemon, Person, daemon};

/// Whether there is a Python that the client is made for. Where there is none, its tests say so and pass.
fn is_there() -> bool {
    let version = "import sys; sys.exit(sys.version_info < (3, 10))";
    let there = Command::new("python3").args(["-c", version]).status().is_ok_and(|status| status.success());
    if !there {
        println!("skipped: there is no python3 of version 3.10 or later");
    }
    there
}

/// Starts a script that uses the client, with the server's address as its argument.
fn script(daemon: &Daemon, person: &Person, text: &str) -> Daemon {
    std::fs::write(person.path("script.py"), text).expect("a file");
    let mut command = Command::new("python3");
    command.arg(person.path("script.py")).arg(daemon.address().to_string()).current_dir(person.path(""));
    command
        .env("PYTHONPATH", concat!(env!("CARGO_MANIFEST_DIR"), "/examples/python"))
        .env("PYTHONDONTWRITEBYTECODE", "1");
    daemon.again().spawn_by(command)
}

#[tokio::test]
async fn a_script_talks_hears_and_is_refused() {
    if !is_there() {
        return;
    }
    let daemon = daemon().await;
    let mut bob = daemon.native("bob").await;
    bob.join("lobby").await;
    bob.say("lobby", "before").await;
    let person = Person::of(daemon.address());
    let text = r#"
import asyncio, sys
from snakk import Client, Refused

async def main():
    async with Client(sys.argv[1], username="robot") as robot:
        await robot.join("lobby", backlog=10)
        events = robot.events()
        async for event in events:
            if event.name == "message":
                print(event["from"], event.seq, event["text"], flush=True)
                if event["text"] == "!ping":
                    await robot.send("lobby", "pong", reply_to=event.seq)
                if event["text"] == "pong":
                    break
        print([message["text"] for message in await robot.history("lobby", limit=2)])
        try:
            await robot.send("nowhere", "x")
        except Refused as refusal:
            print(refusal.code, refusal)
        first = await robot.send("lobby", "once", nonce="n")
        print(first == await robot.send("lobby", "once", nonce="n"))

asyncio.run(main())
"#;
    let mut robot = script(&daemon, &person, text);
    assert_eq!(robot.line().await.as_deref(), Some("bob 1 before"));
    bob.say("lobby", "!ping").await;
    let ended = ended(robot).await;
    fine(&ended);
    let expected = ["bob 2 !ping", "robot 3 pong", "['!ping', 'pong']", "no_such_room There is no such room.", "True"];
    assert_eq!(ended.lines, expected);
    // It has left in good order: its name is free.
    daemon.native("robot").await;
}

#[tokio::test]
async fn what_a_script_says_and_hears_over_restarts_is_there_once_and_in_order() {
    if !is_there() {
        return;
    }
    const MESSAGES: usize = 120;
    let mut daemon = daemon().await;
    let person = Person::of(daemon.address());
    let text = format!(
        r#"
import asyncio, sys
from snakk import Client

async def main():
    async with Client(sys.argv[1], username="robot") as robot:
        await robot.join("lobby")
        async def talk():
            for number in range({MESSAGES}):
                await robot.send("lobby", str(number))
                print("sent", number, flush=True)
        talking = asyncio.create_task(talk())
        heard = []
        async for event in robot.events():
            if event.name == "message":
                heard.append((event.seq, event["text"]))
                if event["text"] == str({MESSAGES} - 1):
                    break
        await talking
        print(heard == [(seq, str(seq - 1)) for seq in range(1, {MESSAGES} + 1)])

asyncio.run(main())
"#
    );
    let mut robot = script(&daemon, &person, &text);
    for stop in [20, 50, 80] {
        while robot.line().await.expect("the script goes on") != format!("sent {stop}") {}
        let again = daemon.again().listen(daemon.address());
        daemon.kill9().await;
        daemon = again.await;
    }
    let ended = ended(robot).await;
    fine(&ended);
    assert_eq!(ended.lines.last().map(String::as_str), Some("True"));
}
