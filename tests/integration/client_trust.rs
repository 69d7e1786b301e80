//! Which servers the terminal client trusts: what somebody at a terminal is asked, what is remembered, and what is said
//! where nobody can be asked.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use crate::support::person::fine;
use crate::support::screen::Screen;
use crate::support::secure::Authority;
use crate::support::{Person, TestServer, server};

/// A server with a certificate that nobody knows, and somebody who means it.
async fn unknown() -> (TestServer, Authority, Person, String) {
    let authority = Authority::new();
    let tls = authority.issue();
    let server = server().with(|config| config.listeners[0].tls = Some(tls)).await;
    let address = format!("tls://{}", server.address());
    let person = Person::of(server.address());
    (server, authority, person, address)
}

const KNOWN: &str = ".local/state/snakk/known_servers";

/// Somebody at a terminal that is wide enough for fingerprints.
fn sits(person: &Person, args: &[&str]) -> Screen {
    person.screen_of(240, 24, &[], args)
}

#[tokio::test]
async fn whoever_sits_at_a_terminal_is_asked_once_and_the_answer_is_remembered() {
    let (server, authority, ann, address) = unknown().await;
    let rooms = ["rooms", "--server", &address];
    let shown = authority.fingerprint().to_string();

    // Whatever is not a yes is a no.
    for no in ["", "n", "yess", "nonsense"] {
        let mut screen = sits(&ann, &rooms);
        screen.shows(&format!("its fingerprint is {shown}")).await;
        screen.shows("Trust it? [y/N]").await;
        screen.enter(no).await;
        assert_eq!(screen.exited().await.code(), Some(69), "{no:?}: {:?}", screen.rows());
        assert!(!ann.path(KNOWN).exists());
    }
    let mut screen = sits(&ann, &rooms);
    screen.shows("is not trusted: ").await;
    screen.shows("Trust it? [y/N]").await;
    screen.enter("y").await;
    screen.shows("lobby").await;
    assert_eq!(screen.exited().await.code(), Some(0));
    let place = server.address().to_string();
    assert_eq!(fs::read_to_string(ann.path(KNOWN)).unwrap(), format!("{place} {shown}\n"));
    assert_eq!(fs::metadata(ann.path(KNOWN)).unwrap().permissions().mode() & 0o777, 0o600);

    // From now on nobody is asked, wherever it runs; what the person of the file has written stays.
    let notes = format!("# mine\n\n{place} {shown}\n");
    fs::write(ann.path(KNOWN), &notes).unwrap();
    fine(&ann.run(&rooms).await);
    fine(&ann.run(&["send", "lobby", "hello", "--server", &address]).await);
    let mut screen = sits(&ann, &rooms);
    assert_eq!(screen.exited().await.code(), Some(0));
    screen.hides("Trust").await;
    assert_eq!(fs::read_to_string(ann.path(KNOWN)).unwrap(), notes);
}

#[tokio::test]
async fn where_nobody_can_be_asked_an_unknown_server_is_refused_with_the_way_out() {
    let (_server, authority, ann, address) = unknown().await;
    ann.secret("password", "correct horse");
    let shown = authority.fingerprint().to_string();
    for args in [&["rooms"][..], &["register", "-u", "ann", "--password-file", "password"], &[]] {
        let ended = ann.run_on("hello\n", &[args, &["--server", &address]].concat()).await;
        assert_eq!((ended.code, ended.lines.len()), (Some(69), 0), "{ended:?}");
        for words in
            [&format!("its fingerprint is {shown}"), "is not trusted: ", "--tls-fingerprint", "tls_fingerprint"]
        {
            assert!(ended.stderr.contains(words), "{words}: {ended:?}");
        }
    }
    assert!(!ann.path(KNOWN).exists());
    // The way out, in each of its forms.
    let bare = shown.trim_start_matches("SHA256:").replace(':', "").to_lowercase();
    for print in [&shown, &bare] {
        fine(&ann.run(&["rooms", "--server", &address, "--tls-fingerprint", print]).await);
    }
    ann.secret("settings", &format!("server = \"{address}\"\ntls_fingerprint = \"{shown}\"\n"));
    let with_settings = ["--config", "settings", "rooms", "--server", &address];
    fine(&ann.run(&with_settings).await);
    // What the system trusts is trusted.
    let variables = authority.path("authority.crt");
    let mut command = ann.shell("exec \"$0\" \"$@\"", &["rooms", "--server", &address]);
    command.env("SSL_CERT_FILE", variables);
    fine(&crate::support::person::ended(crate::support::daemon().spawn_by(command)).await);
    // A fingerprint that is none, and two ways at once, make no sense.
    for args in [&["--tls-fingerprint", "AB:CD"][..], &["--insecure", "--tls-fingerprint", &shown]] {
        assert_eq!(ann.run(&[&["rooms", "--server", &address], args].concat()).await.code, Some(2));
    }
}

#[tokio::test]
async fn a_server_that_shows_another_certificate_is_refused_loudly() {
    let (server, authority, ann, address) = unknown().await;
    let rooms = ["rooms", "--server", &address];
    let old = authority.fingerprint().to_string();
    let mut screen = sits(&ann, &rooms);
    screen.shows("Trust it? [y/N]").await;
    screen.enter("yes").await;
    assert_eq!(screen.exited().await.code(), Some(0));
    let known = fs::read_to_string(ann.path(KNOWN)).unwrap();

    authority.issue();
    server.server.reload_certificates().unwrap();
    let new = authority.fingerprint().to_string();
    let ended = ann.run(&rooms).await;
    assert_eq!((ended.code, ended.lines.len()), (Some(69), 0), "{ended:?}");
    let place = server.address().to_string();
    let file = ann.path(KNOWN).display().to_string();
    for words in ["IS ANOTHER ONE", &old, &new, &format!("remove the line of {place} from {file}")] {
        assert!(ended.stderr.contains(words), "{words}: {ended:?}");
    }
    // Nor is anybody asked: a question is answered too easily.
    let mut screen = sits(&ann, &rooms);
    assert_eq!(screen.exited().await.code(), Some(69));
    screen.hides("Trust it?").await;
    assert_eq!(fs::read_to_string(ann.path(KNOWN)).unwrap(), known);
    // The same where it was pinned by hand.
    let pinned = ann.run(&["rooms", "--server", &address, "--tls-fingerprint", &old]).await;
    assert_eq!(pinned.code, Some(69), "{pinned:?}");
    assert!(pinned.stderr.contains(&old) && pinned.stderr.contains(&new), "{pinned:?}");

    // What is said helps.
    fs::write(ann.path(KNOWN), "").unwrap();
    let mut screen = sits(&ann, &rooms);
    screen.shows(&new).await;
    screen.enter("y").await;
    assert_eq!(screen.exited().await.code(), Some(0));
    fine(&ann.run(&rooms).await);
}

#[tokio::test]
async fn a_certificate_that_changes_while_it_follows_ends_it() {
    let (server, authority, ann, address) = unknown().await;
    let old = authority.fingerprint().to_string();
    let middle = crate::support::secure::Middle::before(server.address()).await;
    let through = format!("tls://{}", middle.address);
    drop(address);
    let args = ["tail", "lobby", "-f", "-u", "ann", "--server", &through, "--tls-fingerprint", &old];
    let mut tail = ann.start(&args);
    let mut bob = authority.native("bob", server.address()).await;
    crate::support::within("somebody who follows", async {
        loop {
            let names = bob.ask(crate::support::json!({"request": "names", "room": "lobby"})).await;
            if names["names"].as_array().is_some_and(|names| names.iter().any(|name| name["name"] == "ann")) {
                return;
            }
        }
    })
    .await;
    authority.issue();
    server.server.reload_certificates().unwrap();
    middle.cut();
    assert_eq!(tail.exited().await.code(), Some(69), "{}", tail.stderr());
    for print in [old, authority.fingerprint().to_string()] {
        assert!(tail.stderr().contains(&print), "{}", tail.stderr());
    }
}

#[tokio::test]
async fn trusting_whoever_answers_is_said_each_time() {
    let (_server, _authority, ann, address) = unknown().await;
    for _ in 0..2 {
        let ended = ann.run(&["rooms", "--server", &address, "--insecure"]).await;
        assert_eq!(ended.code, Some(0), "{ended:?}");
        assert!(ended.stderr.starts_with("snakk: WARNING: --insecure: "), "{ended:?}");
        assert!(ended.lines.iter().any(|line| line.contains("lobby")), "{ended:?}");
    }
    assert!(!ann.path(KNOWN).exists());
    // Where nothing is encrypted there is nothing to be said about that.
    let plain = server().await;
    fine(&ann.run(&["rooms", "--server", &plain.address().to_string(), "--insecure"]).await);
}

#[tokio::test]
async fn what_is_remembered_and_cannot_be_read_is_not_passed_over() {
    let (server, _authority, ann, address) = unknown().await;
    fs::create_dir_all(ann.path(".local/state/snakk")).unwrap();
    fs::write(ann.path(KNOWN), format!("# a\n{} nonsense\n", server.address())).unwrap();
    let ended = ann.run(&["rooms", "--server", &address]).await;
    assert_eq!(ended.code, Some(78), "{ended:?}");
    assert!(ended.stderr.contains("known_servers:2: "), "{ended:?}");
}
