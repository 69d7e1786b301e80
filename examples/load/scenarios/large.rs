//! A big database: how long it takes to start, to come in, and to ask for each kind of thing, one request at a time on one
//! connection. The first question to a daemon that was just started is measured with the others: it is the maximum.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use super::Measurement;
use crate::args::{Large, Target};
use crate::bench::Bench;
use crate::control::{self, Control};
use crate::daemon::Server;
use crate::populace::{BIG_ROOM, HEAVY, NOWHERE, ORDINARY, RARE_HITS, Size, account_name, room_name, token};
use crate::process::settled_kib;
use crate::prose::{Dice, RARE, STATION};
use crate::report::{Figure, Goal, percentile};

/// How often the daemon is started.
const STARTS: u32 = 5;
/// No kind of request is asked for longer than this, but each so often.
const LONGEST: Duration = Duration::from_secs(10);
const FEWEST: u32 = 5;

/// Goals, in milliseconds.
const START_MS: f64 = 2000.0;
const PAGE_MS: f64 = 50.0;
const SEARCH_MS: f64 = 2000.0;

/// Searches: what they are called, and what is searched for. The words stand in most messages, in some, in ten, in none.
const SEARCHES: [(&str, &str); 13] = [
    ("a rare word", RARE),
    ("a word that is nowhere", NOWHERE),
    ("a very common word", "the"),
    ("a prefix", "wo*"),
    ("a prefix of a rare word", "quok*"),
    ("two common words", "green tea"),
    ("a phrase", "\"green tea\""),
    ("a common and a rare word", "the quokka"),
    ("a common word and not another", "work -the"),
    ("a word of somebody", "the from:user00002"),
    ("what somebody said", "from:user00777"),
    ("a name in Han", STATION),
    ("a Han letter", "\u{4e01}"),
];

pub(crate) struct Busy {
    size: Size,
    requests: u32,
    keep: Option<PathBuf>,
}

impl Busy {
    pub(crate) fn new(options: &Large, quick: bool) -> Self {
        Self {
            size: Size { messages: u64::from(options.messages.unwrap_or(if quick { 100_000 } else { 1_000_000 })) },
            requests: options.requests.unwrap_or(if quick { 50 } else { 300 }),
            keep: options.keep.clone(),
        }
    }

    fn start(&self, bench: &Bench, target: Target, folder: &std::path::Path, figures: &mut Figures) -> Result<Server> {
        let mut taken = Vec::new();
        for start in 0..STARTS {
            let began = Instant::now();
            let server = bench.start_in(target, folder)?;
            let control = Control::log_in(server.address, "early")?;
            taken.push(began.elapsed().as_nanos() as u64);
            drop(control);
            if start + 1 == STARTS {
                figures.times("start to the first login of a guest", taken, Some(("max", START_MS)));
                let kib = settled_kib(server.pid())?;
                figures.0.push(Figure::new("resident memory after the start", "MiB", kib as f64 / 1024.0));
                return Ok(server);
            }
            server.stop()?;
        }
        unreachable!("there is at least one start")
    }

    /// Asks the same kind of question again and again.
    fn ask(
        &self,
        figures: &mut Figures,
        name: &str,
        goal: Option<(&'static str, f64)>,
        mut once: impl FnMut(u32) -> Result<Duration>,
    ) -> Result<()> {
        let began = Instant::now();
        let mut taken = Vec::new();
        for number in 0..self.requests {
            if number >= FEWEST && began.elapsed() > LONGEST {
                break;
            }
            taken.push(once(number).with_context(|| name.to_owned())?.as_nanos() as u64);
        }
        figures.times(name, taken, goal);
        Ok(())
    }

    fn logins(&self, address: SocketAddr, figures: &mut Figures) -> Result<()> {
        let mut control = Control::log_in(address, "first")?;
        control.ask(LOGOUT)?;
        let mut log_in = |login: &str, rooms: usize| {
            let (answer, taken) = timed(&mut control, login)?;
            ensure!(answer["rooms"].as_array().is_some_and(|found| found.len() >= rooms), "not all rooms: {answer}");
            control.ask(LOGOUT)?;
            Ok(taken)
        };
        self.ask(figures, "login of a guest", None, |number| log_in(&control::guest(&format!("new{number}")), 0))?;
        let name = format!("login to an account in {} rooms", self.size.of_heavy());
        let of_heavy = self.size.of_heavy() as usize;
        self.ask(figures, &name, None, |_| log_in(&control::account(HEAVY, &token(HEAVY)), of_heavy.min(400)))?;
        self.ask(figures, "login to an account in 4 rooms", None, |_| {
            log_in(&control::account(ORDINARY, &token(ORDINARY)), 2)
        })
    }

    fn rooms(&self, ordinary: &mut Control, guest: &mut Control, figures: &mut Figures) -> Result<()> {
        let goal = Some(("p99", PAGE_MS));
        let mut dice = Dice::new(2);
        for (who, control) in [("an account", &mut *ordinary), ("a guest", guest)] {
            for big in [false, true] {
                let size = if big { "the big room" } else { "a small room" };
                self.ask(figures, &format!("{who} joins {size}"), goal, |_| {
                    // Public ones; no member is there twice.
                    let room = room_name(if big { 0 } else { dice.below(self.size.rooms() / 100) * 100 + 50 });
                    control.exchange(&format!(r#"{{"request":"leave","room":"{room}"}}"#))?;
                    Ok(timed(control, &format!(r#"{{"request":"join","room":"{room}"}}"#))?.1)
                })?;
            }
        }
        self.ask(figures, "the first page of rooms", None, |_| {
            let (answer, taken) = timed(ordinary, r#"{"request":"rooms"}"#)?;
            ensure!(answer["rooms"].as_array().is_some_and(|rooms| rooms.len() > 100), "no rooms");
            Ok(taken)
        })?;
        self.ask(figures, "a page of rooms in the middle", None, |number| {
            let after = room_name(self.size.rooms() / 2 + u64::from(number));
            Ok(timed(ordinary, &format!(r#"{{"request":"rooms","after":"{after}"}}"#))?.1)
        })?;
        self.ask(figures, "the first names of the big room", None, |_| {
            let (answer, taken) = timed(ordinary, &format!(r#"{{"request":"names","room":"{BIG_ROOM}"}}"#))?;
            ensure!(answer["names"].as_array().is_some_and(|names| names.len() == 500), "no names");
            Ok(taken)
        })?;
        self.ask(figures, "names of the big room in the middle", None, |number| {
            let after = account_name(self.size.accounts() / 2 + u64::from(number));
            Ok(timed(ordinary, &format!(r#"{{"request":"names","room":"{BIG_ROOM}","after":"{after}"}}"#))?.1)
        })?;
        self.ask(figures, "names of a small room", None, |number| {
            let room = room_name(100 + u64::from(number) % 90);
            Ok(timed(ordinary, &format!(r#"{{"request":"names","room":"{room}"}}"#))?.1)
        })
    }

    fn history(&self, control: &mut Control, figures: &mut Figures) -> Result<()> {
        let goal = Some(("p99", PAGE_MS));
        let joined = control.ask(&format!(r#"{{"request":"join","room":"{BIG_ROOM}"}}"#))?;
        let head = joined["head"].as_u64().context("no head")?;
        let mut dice = Dice::new(3);
        let mut page = |figures: &mut Figures, name: &str, anchor: &str| {
            self.ask(figures, name, goal, |_| {
                let seq = head / 8 + dice.below(head / 4 * 3);
                let anchor = if anchor.is_empty() { String::new() } else { format!(r#","{anchor}":{seq}"#) };
                let (answer, taken) =
                    timed(control, &format!(r#"{{"request":"history","room":"{BIG_ROOM}"{anchor}}}"#))?;
                ensure!(answer["messages"].as_array().is_some_and(|page| page.len() == 50), "no full page: {answer}");
                Ok(taken)
            })
        };
        page(figures, "history: the newest", "")?;
        page(figures, "history: before", "before")?;
        page(figures, "history: around", "around")?;
        self.ask(figures, "history: the newest of a small room", goal, |number| {
            let room = room_name(100 + u64::from(number) % 90);
            Ok(timed(control, &format!(r#"{{"request":"history","room":"{room}"}}"#))?.1)
        })
    }

    /// Searches; `place` is a room or empty for everywhere. Answers how many were cut short by the time.
    fn search(&self, control: &mut Control, figures: &mut Figures, name: &str, query: &str, room: &str) -> Result<()> {
        let place = if room.is_empty() { String::new() } else { format!(r#","room":"{room}""#) };
        let request = format!(r#"{{"request":"search","query":{}{place}}}"#, Value::from(query));
        let mut cut_short = 0;
        self.ask(figures, name, Some(("max", SEARCH_MS)), |_| {
            let (answer, taken) = timed(control, &request)?;
            let hits = answer["messages"].as_array().context("no messages")?.len();
            // A page that is not full though there is more: that was all that the time allowed.
            cut_short += u32::from(answer["more"] == true && hits < 50);
            if answer["more"] == false {
                let expected = if query == RARE && room.is_empty() { RARE_HITS as usize } else { hits };
                ensure!(hits == expected && (query != NOWHERE || hits == 0), "{hits} hits: {answer}");
            }
            Ok(taken)
        })?;
        if cut_short > 0 {
            figures.0.push(Figure::new(format!("{name}: cut short by the time"), "", f64::from(cut_short)));
        }
        Ok(())
    }

    fn searches(&self, control: &mut Control, figures: &mut Figures) -> Result<()> {
        for (name, query) in SEARCHES {
            self.search(control, figures, &format!("search everywhere: {name}"), query, "")?;
        }
        for (name, query) in SEARCHES {
            self.search(control, figures, &format!("search in the big room: {name}"), query, BIG_ROOM)?;
        }
        for (name, query) in &SEARCHES[..3] {
            self.search(control, figures, &format!("search in a small room: {name}"), query, &room_name(150))?;
        }
        Ok(())
    }

    /// Reads on in the big room, and in the others of the heavy account.
    fn reads(&self, heavy: &mut Control, figures: &mut Figures) -> Result<()> {
        let mut read =
            |room: &str, seq: u64| Ok(timed(heavy, &format!(r#"{{"request":"read","room":"{room}","seq":{seq}}}"#))?.1);
        // It never goes back, so that a database that is used again is not read anew.
        self.ask(figures, "read in the big room, a step", None, |number| read(BIG_ROOM, 10 + u64::from(number)))?;
        let (rooms, of_heavy) = (self.size.rooms(), self.size.of_heavy());
        self.ask(figures, "read in a small room, a step", None, |number| {
            read(&room_name(rooms / of_heavy * (1 + u64::from(number) % (of_heavy - 1))), 5)
        })
    }
}

const LOGOUT: &str = r#"{"request":"logout"}"#;

/// The answer to a request, and how long it took.
fn timed(control: &mut Control, request: &str) -> Result<(Value, Duration)> {
    let began = Instant::now();
    let answer = control.exchange(request)?;
    let taken = began.elapsed();
    let answer = control::parse(answer).with_context(|| format!("asked {request}"))?;
    let asked: Value = serde_json::from_str(request)?;
    ensure!(answer["response"] == asked["request"], "asked {request}, and was answered {answer}");
    Ok((answer, taken))
}

#[derive(Default)]
struct Figures(Vec<Figure>);

impl Figures {
    /// Half of them took less, almost all, all; one of these has a goal.
    fn times(&mut self, name: &str, mut taken: Vec<u64>, goal: Option<(&'static str, f64)>) {
        taken.sort_unstable();
        for (word, percent) in [("p50", 50.0), ("p99", 99.0), ("max", 100.0)] {
            let figure = Figure::new(format!("{name}: {word}"), "ms", percentile(&taken, percent) / 1e6);
            self.0.push(match goal {
                Some((of, most)) if of == word => figure.goal(Goal::OrLess(most)),
                _ => figure,
            });
        }
    }
}

impl Measurement for Busy {
    fn title(&self) -> String {
        let Size { messages } = self.size;
        format!("large: {messages} messages, {} rooms, {} accounts", self.size.rooms(), self.size.accounts())
    }

    fn suits_bare_servers(&self) -> bool {
        false
    }

    fn measure(&self, bench: &Bench, target: Target) -> Result<Vec<Figure>> {
        let mut figures = Figures::default();
        let began = Instant::now();
        let (folder, new) = bench.peopled(self.size, self.keep.as_deref())?;
        if new {
            figures.0.push(Figure::new("making it", "s", began.elapsed().as_secs_f64()));
            let server = bench.start_in(target, &folder)?;
            let mut control = Control::log_in_with(server.address, ORDINARY, &token(ORDINARY))?;
            let few = Busy { size: self.size, requests: FEWEST, keep: None };
            for (name, query) in &SEARCHES[..4] {
                few.search(&mut control, &mut figures, &format!("search without an index: {name}"), query, "")?;
            }
            drop(control);
            server.stop()?;
            eprintln!("  completing the index");
            let began = Instant::now();
            bench.index(&folder)?;
            figures.0.push(Figure::new("making the index", "s", began.elapsed().as_secs_f64()));
        }
        let server = self.start(bench, target, &folder, &mut figures)?;
        self.logins(server.address, &mut figures)?;
        let mut ordinary = Control::log_in_with(server.address, ORDINARY, &token(ORDINARY))?;
        let mut heavy = Control::log_in_with(server.address, HEAVY, &token(HEAVY))?;
        let mut guest = Control::log_in(server.address, "visitor")?;
        self.rooms(&mut ordinary, &mut guest, &mut figures)?;
        self.history(&mut ordinary, &mut figures)?;
        self.searches(&mut ordinary, &mut figures)?;
        self.reads(&mut heavy, &mut figures)?;
        let kib = settled_kib(server.pid())?;
        figures.0.push(Figure::new("resident memory at the end", "MiB", kib as f64 / 1024.0));
        drop((ordinary, heavy, guest));
        server.stop()?;
        Ok(figures.0)
    }
}
