//! The picture of the screen in the README: made from the real program, and compared with it, so that it stays true.
//!
//! `SNAKK_PICTURE=1 cargo test --test integration picture` draws it anew.

use std::fmt::Write as _;
use std::path::Path;

use vt100::Color;

use crate::support::screen::Look;
use crate::support::{Person, daemon, json};

const COLUMNS: u16 = 92;
const ROWS: u16 = 22;
/// The size of a cell, in the units of the picture.
const CELL: (f64, f64) = (8.4, 18.0);

#[tokio::test]
async fn the_picture_shows_what_the_program_shows() {
    let daemon = daemon().await;
    let (mut bob, mut carla) = (daemon.account("bob").await, daemon.account("carla").await);
    daemon.account("ann").await;
    bob.ask(json!({"request": "create", "room": "kitchen", "topic": "who eats what"})).await;
    bob.ask(json!({"request": "create", "room": "dev", "topic": ""})).await;
    for wire in [&mut bob, &mut carla] {
        for room in ["lobby", "dev", "kitchen"] {
            wire.join(room).await;
        }
    }
    bob.ask(json!({"request": "topic", "room": "kitchen", "topic": "who eats what, and when"})).await;
    let ann = Person::of(daemon.address());
    std::fs::write(ann.path("password"), format!("{}\n", crate::support::server::PASSWORD)).expect("a file");
    let mut screen = ann.screen_of(COLUMNS, ROWS, &[], &["-u", "ann", "--password-file", "password", "-r", "kitchen"]);
    screen.shows("kitchen>").await;
    screen.enter("/join dev").await;
    screen.shows("dev>").await;
    screen.enter("/join lobby").await;
    screen.shows("lobby>").await;
    screen.enter("/join kitchen").await;
    screen.shows("kitchen>").await;
    // Enough that the day does not stand on the screen: it is another one each day.
    let talk = [
        "(yesterday)",
        "(the day before)",
        "(last week)",
        "(long ago)",
        "(when the kitchen was new)",
        "Good morning!",
        "Morning. The machine is warm.",
        "Decaf or the good one?",
        "Is there another one?",
        "Fair enough.",
        "By the way: who left a fork in the toaster?",
        "Not me, I eat with my hands.",
        "We know.",
    ];
    for (number, line) in talk.into_iter().enumerate() {
        let wire = if number % 2 == 0 { &mut carla } else { &mut bob };
        wire.say("kitchen", line).await;
    }
    let asked = carla.say("kitchen", "Lunch at noon? There is soup, and bread that is still warm.").await;
    bob.say("kitchen", "Oui. 美味しい!").await;
    screen.shows("美味しい").await;
    screen.enter("I am in. Who brings cake?").await;
    screen.shows("I am in").await;
    screen.hides("cake? …").await;
    let reply = json!({"request": "message", "room": "kitchen", "reply_to": asked, "text": "@ann I do: chocolate, the one of last time. There are twelve of us, so better come early."});
    let cake = bob.ask(reply).await["seq"].as_u64().expect("a number");
    carla.ask(json!({"request": "react", "room": "kitchen", "target": cake, "emoji": "🎉"})).await;
    carla.ask(json!({"request": "react", "room": "kitchen", "target": cake, "emoji": "🍰"})).await;
    bob.ask(json!({"request": "react", "room": "kitchen", "target": cake, "emoji": "🍰"})).await;
    bob.say("dev", "@ann the build is green again").await;
    carla.say("lobby", "good morning").await;
    screen.shows("🍰 2").await;
    screen.shows("!1").await;
    screen.press("on my way").await;
    screen.shows("> on my way").await;
    carla.ask(json!({"request": "typing", "room": "kitchen"})).await;
    screen.shows("carla is typing").await;

    let picture = draw(&screen.looks());
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/screen.svg");
    if std::env::var_os("SNAKK_PICTURE").is_some() {
        std::fs::write(&path, &picture).expect("a file");
    }
    let kept = std::fs::read_to_string(&path).expect("docs/screen.svg");
    assert!(
        kept == picture,
        "docs/screen.svg shows another screen; SNAKK_PICTURE=1 cargo test --test integration picture draws it anew"
    );
}

/// The screen as SVG: runs of cells that look alike, each put into its place.
fn draw(rows: &[Vec<(String, Look)>]) -> String {
    let (width, height) = (f64::from(COLUMNS) * CELL.0 + 20.0, f64::from(ROWS) * CELL.1 + 20.0);
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width:.0} {height:.0}\" width=\"{width:.0}\" height=\"{height:.0}\" \
         font-family=\"ui-monospace, 'DejaVu Sans Mono', Menlo, Consolas, monospace\" font-size=\"14\">\n\
         <title>snakk in a terminal</title>\n<rect width=\"100%\" height=\"100%\" rx=\"6\" fill=\"{BACKGROUND}\"/>\n"
    );
    for (number, row) in rows.iter().enumerate() {
        let mut column = 0;
        let y = 10.0 + CELL.1 * as_f64(number);
        for (text, look) in row {
            let cells = text_width(text);
            let x = 10.0 + CELL.0 * as_f64(column);
            column += cells;
            let length = CELL.0 * as_f64(cells);
            let (front, back) = look.colours();
            if back != BACKGROUND {
                let _ = writeln!(
                    svg,
                    "<rect x=\"{x:.1}\" y=\"{y:.1}\" width=\"{length:.1}\" height=\"{:.0}\" fill=\"{back}\" shape-rendering=\"crispEdges\"/>",
                    CELL.1
                );
            }
            if text.trim().is_empty() {
                continue;
            }
            let bold = if look.bold { " font-weight=\"bold\"" } else { "" };
            let italic = if look.italic { " font-style=\"italic\"" } else { "" };
            let _ = writeln!(
                svg,
                "<text x=\"{x:.1}\" y=\"{:.1}\" textLength=\"{length:.1}\" xml:space=\"preserve\" fill=\"{front}\"{bold}{italic}>{}</text>",
                y + 13.5,
                timeless(text).replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
            );
        }
    }
    svg.push_str("</svg>\n");
    svg
}

/// It is always the same time in the picture.
fn timeless(text: &str) -> String {
    let bytes = text.as_bytes();
    let is_time = |at: usize| matches!(bytes.get(at..at + 5), Some([a, b, b':', c, d]) if [a, b, c, d].iter().all(|digit| digit.is_ascii_digit()));
    match (0..bytes.len()).find(|at| is_time(*at)) {
        Some(at) => format!("{}11:47{}", &text[..at], &text[at + 5..]),
        None => text.to_owned(),
    }
}

fn text_width(text: &str) -> usize {
    text.chars().map(|c| if c == '\u{0}' { 0 } else { unicode_width::UnicodeWidthChar::width(c).unwrap_or(0) }).sum()
}

fn as_f64(number: usize) -> f64 {
    f64::from(u32::try_from(number).expect("a small number"))
}

const BACKGROUND: &str = "#1b1d23";
const FOREGROUND: &str = "#d5d8df";

impl Look {
    /// In front and behind.
    fn colours(&self) -> (&'static str, &'static str) {
        let (front, back) = (colour(self.front, FOREGROUND), colour(self.back, BACKGROUND));
        if self.inverse { (back, front) } else { (front, back) }
    }
}

fn colour(colour: Color, default: &'static str) -> &'static str {
    const PALETTE: [&str; 16] = [
        "#1b1d23", "#e06c75", "#98c379", "#e5c07b", "#61afef", "#c678dd", "#56b6c2", "#d5d8df", "#7f848e", "#ff7b86",
        "#b5e890", "#ffd98f", "#7cc4ff", "#de8ff5", "#6fd3df", "#ffffff",
    ];
    match colour {
        Color::Idx(number) => PALETTE.get(usize::from(number)).copied().unwrap_or(default),
        _ => default,
    }
}
