//! Who is wanted and looks elsewhere is told so, in the way that they chose; and the screen looks as they chose.

use std::fs;
use std::process::Command;

use crate::support::screen::Screen;
use crate::support::{Daemon, Person, Wire, daemon};

/// The terminal has lost the focus, or has it again.
const FOCUS_OUT: &str = "\x1b[O";
const FOCUS_IN: &str = "\x1b[I";

/// Somebody with these settings in front of the lobby, and bob, who is in it too.
async fn ann_and_bob(daemon: &Daemon, settings: &str, variables: &[(&str, &str)]) -> (Person, Screen, Wire) {
    let mut bob = daemon.native("bob").await;
    bob.join("lobby").await;
    let ann = Person::of(daemon.address());
    fs::create_dir_all(ann.path(".config/snakk")).expect("a folder");
    fs::write(ann.path(".config/snakk/config.toml"), settings).expect("a file");
    let mut screen = ann.screen_of(100, 24, variables, &["-u", "ann"]);
    screen.shows("2 of 2").await;
    (ann, screen, bob)
}

fn count(screen: &Screen, sequence: &str) -> usize {
    screen.bytes().windows(sequence.len()).filter(|window| *window == sequence.as_bytes()).count()
}

#[tokio::test]
async fn a_mention_rings_only_where_nobody_looks() {
    let daemon = daemon().await;
    let (_person, mut ann, mut bob) = ann_and_bob(&daemon, "", &[]).await;
    bob.say("lobby", "@ann are you there?").await;
    ann.shows("are you there?").await;
    assert_eq!(count(&ann, "\x07"), 0);
    ann.press(FOCUS_OUT).await;
    // What is typed behind it is shown when it was taken in.
    ann.press("x").await;
    ann.shows("> x").await;
    bob.say("lobby", "nothing for you").await;
    bob.say("lobby", "@ann hello?").await;
    ann.shows("hello?").await;
    ann.rings("\x07").await;
    assert_eq!(count(&ann, "\x07"), 1);
    ann.press(FOCUS_IN).await;
    ann.press("y").await;
    ann.shows("> xy").await;
    bob.say("lobby", "@ann welcome back").await;
    ann.shows("welcome back").await;
    assert_eq!(count(&ann, "\x07"), 1);
    ann.leave().await;
}

#[tokio::test]
async fn notifications_get_through_tmux_and_say_no_more_than_they_may() {
    let daemon = daemon().await;
    let settings = "[screen]\nnotify = \"osc777\"\n";
    let (_person, mut ann, mut bob) = ann_and_bob(&daemon, settings, &[("TMUX", "/tmp/x,1,0")]).await;
    ann.press(FOCUS_OUT).await;
    ann.press("x").await;
    ann.shows("> x").await;
    bob.say("lobby", "@ann the secret is out").await;
    ann.shows("the secret is out").await;
    ann.rings("\x1bPtmux;\x1b\x1b]777;notify;snakk: bob in lobby;<bob> has a word for you\x1b\x1b\\\x1b\\").await;
    ann.leave().await;
}

#[tokio::test]
async fn a_program_is_told_with_a_title_and_a_text() {
    let daemon = daemon().await;
    let settings = "[screen]\nnotify = \"off\"\nnotify_text = true\nnotify_command = [\"/bin/sh\", \"-c\", \"printf '%s|%s' \\\"$1\\\" \\\"$2\\\" > told\", \"sh\"]\n";
    let (person, mut ann, mut bob) = ann_and_bob(&daemon, settings, &[]).await;
    assert!(Command::new("mkfifo").arg(person.path("told")).status().expect("mkfifo").success());
    ann.press(FOCUS_OUT).await;
    ann.press("x").await;
    ann.shows("> x").await;
    bob.say("lobby", "@ann $(touch owned) `touch owned` --help").await;
    ann.shows("touch owned").await;
    // A pipe with a name: who reads it waits for whoever writes.
    let pipe = person.path("told");
    let reading = tokio::task::spawn_blocking(move || fs::read_to_string(pipe).expect("a pipe"));
    let told = crate::support::within("the program", reading).await.expect("it is read");
    assert_eq!(told, "snakk: bob in lobby|<bob> @ann $(touch owned) `touch owned` --help");
    assert!(!person.path("owned").exists());
    assert_eq!(count(&ann, "\x07"), 0);
    ann.leave().await;
}

#[tokio::test]
async fn no_color_means_none_and_a_theme_has_its_own() {
    let daemon = daemon().await;
    // Foreground colours, as crossterm writes them.
    let coloured = |screen: &Screen| count(screen, "\x1b[38;5;") > 0;
    let (_person, mut ann, mut bob) = ann_and_bob(&daemon, "", &[("NO_COLOR", "1")]).await;
    bob.say("lobby", "grey").await;
    ann.shows("grey").await;
    assert!(!coloured(&ann));
    ann.leave().await;
    for theme in ["dark", "light"] {
        let daemon = crate::support::daemon().await;
        let (_person, mut ann, mut bob) = ann_and_bob(&daemon, &format!("[screen]\ntheme = \"{theme}\"\n"), &[]).await;
        bob.say("lobby", "colourful").await;
        ann.shows("colourful").await;
        assert!(coloured(&ann));
        // Only what every terminal has: the sixteen colours, and no background but the terminal's own.
        assert_eq!(count(&ann, "\x1b[38;2;") + count(&ann, "\x1b[48;2;"), 0);
        ann.leave().await;
    }
}
