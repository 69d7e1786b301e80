//! Somebody in front of a real terminal: the program on a pty, and what is written to it as a picture.

use std::fmt::Write as _;
use std::num::NonZeroU16;
use std::panic::Location;
use std::process::ExitStatus;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use pty_process::{OwnedWritePty, Size};
use rustix::process::{Pid, Signal, kill_process};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::watch;

use super::{PATIENCE, Person, within};

/// The keys that are no characters, as terminals send them.
pub(crate) const ENTER: &str = "\r";
pub(crate) const ESC: &str = "\x1b";
pub(crate) const UP: &str = "\x1b[A";
pub(crate) const PAGE_UP: &str = "\x1b[5~";
pub(crate) const CTRL_K: &str = "\x0b";
pub(crate) const CTRL_Q: &str = "\x11";
pub(crate) const CTRL_U: &str = "\x15";
pub(crate) const CTRL_Z: &str = "\x1a";

/// The program on a terminal. It never outlives its test.
pub(crate) struct Screen {
    pid: Pid,
    keys: OwnedWritePty,
    seen: Arc<Mutex<Seen>>,
    changed: watch::Receiver<()>,
    exit: watch::Receiver<Option<ExitStatus>>,
}

/// What was written to the terminal.
struct Seen {
    parser: vt100::Parser,
    bytes: Vec<u8>,
    /// How many of the bytes are on the screen. A frame that is not whole yet is not.
    shown: usize,
}

/// What stands in front of a frame and behind it (synchronized output).
const FRAME: &[u8] = b"\x1b[?2026h";
const FRAME_END: &[u8] = b"\x1b[?2026l";

impl Seen {
    fn write(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
        let waiting = &self.bytes[self.shown..];
        let last = |mark: &[u8]| waiting.windows(mark.len()).rposition(|window| window == mark);
        let begun = last(FRAME).filter(|begun| last(FRAME_END).is_none_or(|ended| ended < *begun));
        // A mark may be cut in two by the reading.
        let half = (1..FRAME.len()).rev().find(|length| waiting.ends_with(&FRAME[..*length])).unwrap_or(0);
        let whole = begun.unwrap_or(waiting.len() - half);
        self.parser.process(&waiting[..whole]);
        self.shown += whole;
    }
}

/// What a cell looks like.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Look {
    pub(crate) front: vt100::Color,
    pub(crate) back: vt100::Color,
    pub(crate) bold: bool,
    pub(crate) italic: bool,
    pub(crate) inverse: bool,
}

impl Look {
    fn of(cell: &vt100::Cell) -> Look {
        let (front, back) = (cell.fgcolor(), cell.bgcolor());
        Look { front, back, bold: cell.bold(), italic: cell.italic(), inverse: cell.inverse() }
    }
}

fn size(length: u16) -> NonZeroU16 {
    NonZeroU16::new(length).expect("a terminal has a size")
}

impl Person {
    /// Sits down in front of a terminal of 100 columns and 24 rows.
    pub(crate) fn screen(&self, args: &[&str]) -> Screen {
        self.screen_of(100, 24, &[], args)
    }

    /// Sits down in front of a terminal of some size, with these variables set.
    pub(crate) fn screen_of(&self, columns: u16, rows: u16, variables: &[(&str, &str)], args: &[&str]) -> Screen {
        let (pty, pts) = pty_process::open().expect("a pty");
        pty.resize(Size::new(rows, columns)).expect("a size");
        let mut command = pty_process::Command::new(env!("CARGO_BIN_EXE_snakk")).args(args).env_clear();
        command =
            command.env("HOME", self.path("")).env("USER", "tester").env("TZ", "UTC").env("TERM", "xterm-256color");
        command = command.env("PATH", "/usr/bin:/bin").env("SNAKK_SERVER", self.server());
        let command = command.envs(variables.iter().copied()).current_dir(self.path("")).kill_on_drop(true);
        let mut child = command.spawn(pts).expect("snakk can be started");
        let pid = child.id().and_then(|id| Pid::from_raw(id.cast_signed())).expect("it runs");
        let (mut output, keys) = pty.into_split();
        let parser = vt100::Parser::new(size(rows), size(columns), 0);
        let seen = Arc::new(Mutex::new(Seen { parser, bytes: Vec::new(), shown: 0 }));
        let ((tell, changed), (exited, exit)) = (watch::channel(()), watch::channel(None));
        let writing = Arc::clone(&seen);
        tokio::spawn(async move {
            let mut bytes = [0; 8192];
            // At the end of the program reading fails (EIO) instead of ending.
            while let Ok(count @ 1..) = output.read(&mut bytes).await {
                lock(&writing).write(&bytes[..count]);
                tell.send_replace(());
            }
            exited.send_replace(child.wait().await.ok());
            tell.send_replace(());
        });
        Screen { pid, keys, seen, changed, exit }
    }
}

impl Screen {
    /// Presses keys.
    pub(crate) async fn press(&mut self, keys: &str) {
        within("room for keys", self.keys.write_all(keys.as_bytes())).await.expect("a terminal");
    }

    /// Types a line and sends it.
    pub(crate) async fn enter(&mut self, line: &str) {
        self.press(line).await;
        // What was typed is on the screen before it is sent: a person would not press Enter otherwise.
        self.press(ENTER).await;
    }

    /// Waits until some row has these words in it.
    #[track_caller]
    pub(crate) fn shows(&mut self, words: &str) -> impl Future<Output = ()> {
        let wanted = words.to_owned();
        self.until(format!("{words:?} on the screen"), move |rows| rows.iter().any(|row| row.contains(&wanted)))
    }

    /// Waits until no row has these words in it.
    #[track_caller]
    pub(crate) fn hides(&mut self, words: &str) -> impl Future<Output = ()> {
        let wanted = words.to_owned();
        self.until(format!("no {words:?} on the screen"), move |rows| !rows.iter().any(|row| row.contains(&wanted)))
    }

    /// Waits until the screen is as it should be.
    #[track_caller]
    pub(crate) fn until(&mut self, what: String, is_so: impl Fn(&[String]) -> bool) -> impl Future<Output = ()> {
        let at = Location::caller();
        async move {
            let waiting = async {
                loop {
                    self.changed.mark_unchanged();
                    if is_so(&self.rows()) || self.changed.changed().await.is_err() {
                        return is_so(&self.rows());
                    }
                }
            };
            if !tokio::time::timeout(PATIENCE, waiting).await.unwrap_or(false) {
                panic!("{what} did not come ({at}); the screen is\n{}", self.picture());
            }
        }
    }

    /// The rows, without the blanks at their ends.
    pub(crate) fn rows(&self) -> Vec<String> {
        let seen = lock(&self.seen);
        let screen = seen.parser.screen();
        let columns = screen.size().1.get();
        screen.rows(0, columns).map(|row| row.trim_end().to_owned()).collect()
    }

    /// The rows as runs of cells that look alike.
    pub(crate) fn looks(&self) -> Vec<Vec<(String, Look)>> {
        let seen = lock(&self.seen);
        let screen = seen.parser.screen();
        let (rows, columns) = screen.size();
        let row = |row| {
            let mut runs: Vec<(String, Look)> = Vec::new();
            for cell in (0..columns.get()).filter_map(|column| screen.cell(row, column)) {
                if cell.is_wide_continuation() {
                    continue;
                }
                let text = if cell.has_contents() { cell.contents() } else { " " };
                let look = Look::of(cell);
                match runs.last_mut() {
                    // What may be of another width in another font stands for itself.
                    Some((run, last)) if *last == look && run.is_ascii() && text.is_ascii() => run.push_str(text),
                    _ => runs.push((text.to_owned(), look)),
                }
            }
            runs
        };
        (0..rows.get()).map(row).collect()
    }

    fn picture(&self) -> String {
        let mut picture = String::new();
        for row in self.rows() {
            // Writing to a string does not fail.
            let _ = writeln!(picture, "|{row}");
        }
        picture
    }

    /// Everything that was written to the terminal until now.
    pub(crate) fn bytes(&self) -> Vec<u8> {
        lock(&self.seen).bytes.clone()
    }

    /// Whether the program has the terminal for itself.
    pub(crate) fn is_taken(&self) -> bool {
        lock(&self.seen).parser.screen().alternate_screen()
    }

    /// Waits until the terminal is as it was before.
    #[track_caller]
    pub(crate) fn is_given_back(&mut self) -> impl Future<Output = ()> {
        let seen = Arc::clone(&self.seen);
        self.until("the terminal as it was".to_owned(), move |_| !lock(&seen).parser.screen().alternate_screen())
    }

    /// Whether pasted text is told from typed text, and whether the cursor is hidden.
    pub(crate) fn modes(&self) -> (bool, bool) {
        let seen = lock(&self.seen);
        let screen = seen.parser.screen();
        (screen.bracketed_paste(), screen.hide_cursor())
    }

    /// Waits until something was written to the terminal that is no part of the picture.
    pub(crate) async fn rings(&mut self, sequence: &str) {
        let waiting = async {
            loop {
                self.changed.mark_unchanged();
                if self.bytes().windows(sequence.len()).any(|window| window == sequence.as_bytes()) {
                    return;
                }
                if self.changed.changed().await.is_err() {
                    panic!("{sequence:?} was not written");
                }
            }
        };
        within(&format!("{sequence:?} on the terminal"), waiting).await;
    }

    /// Gives the terminal another size.
    pub(crate) fn resize(&mut self, columns: u16, rows: u16) {
        lock(&self.seen).parser.screen_mut().set_size(size(rows), size(columns));
        self.keys.resize(Size::new(rows, columns)).expect("a terminal");
    }

    /// Sends a signal.
    pub(crate) fn signal(&self, signal: Signal) {
        // It may exit at this very moment.
        let _ = kill_process(self.pid, signal);
    }

    /// Waits until the kernel says that the process is in this state: `T` is stopped, `S` waits.
    pub(crate) async fn is_in_state(&mut self, state: char) {
        let path = format!("/proc/{}/stat", self.pid.as_raw_nonzero());
        let waiting = async {
            loop {
                let stat = std::fs::read_to_string(&path).unwrap_or_default();
                if stat.rsplit(") ").next().is_some_and(|rest| rest.starts_with(state)) {
                    return;
                }
                // There is no event for this.
                tokio::time::sleep(std::time::Duration::from_millis(5)).await;
            }
        };
        within(&format!("state {state}"), waiting).await;
    }

    /// Waits until it has exited.
    pub(crate) async fn exited(&mut self) -> ExitStatus {
        let exit = self.exit.wait_for(Option::is_some);
        let status = within("the exit of snakk", exit).await.expect("somebody waits for it");
        (*status).expect("it has exited")
    }

    /// Leaves, in good order.
    pub(crate) async fn leave(mut self) {
        self.press(CTRL_Q).await;
        let status = self.exited().await;
        assert!(status.success(), "it ends with {status}");
        assert!(!self.is_taken(), "the terminal was not given back");
    }
}

fn lock(seen: &Mutex<Seen>) -> MutexGuard<'_, Seen> {
    seen.lock().unwrap_or_else(PoisonError::into_inner)
}
