//! Lines on their way out: a bounded queue, and the thread that writes. Chat does not wait for its log; lines for which
//! there is no room, or that cannot be written, are counted, and it is told how many when the log works again.

use std::collections::VecDeque;
use std::io::{self, Write};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use tracing::Level;

use super::form::Form;
use super::line::{self, Line};

/// Lines that may wait for a slow disk or a stopped terminal. More are lost.
const MAX_WAITING_LINES: usize = 8192;
/// How long the end of the program may wait for what is still to be written.
const PATIENCE: Duration = Duration::from_secs(1);

/// Where lines end up.
pub(super) trait Sink: Send {
    /// Writes one line, whole or not at all.
    fn write(&mut self, line: &[u8]) -> io::Result<()>;

    /// Opens anew by its name what has one.
    fn reopen(&mut self) -> io::Result<()> {
        Ok(())
    }

    /// Whether it is standard error, where what goes wrong with the others is said.
    fn is_stderr(&self) -> bool {
        false
    }
}

/// The queue, for those who fill it.
#[derive(Default)]
pub(super) struct Queue {
    state: Mutex<State>,
    /// There is something to do.
    work: Condvar,
    /// The thread has ended.
    ended: Condvar,
}

#[derive(Default)]
struct State {
    waiting: VecDeque<Task>,
    /// Lines for which there was no room.
    lost: u64,
    closing: bool,
    ended: bool,
}

/// What the thread is to do.
#[derive(Debug, PartialEq, Eq)]
enum Task {
    Write(Vec<u8>),
    Reopen,
}

impl Queue {
    /// Starts the thread.
    pub(super) fn start(sink: Box<dyn Sink>, form: Form) -> io::Result<Arc<Queue>> {
        let queue = Arc::new(Queue::default());
        let shared = Arc::clone(&queue);
        thread::Builder::new().name("log".to_owned()).spawn(move || {
            let mut writer = Writer { sink, form, lost: 0, error: None };
            while let Some((task, lost)) = shared.next() {
                writer.work(task, lost);
            }
            shared.lock().ended = true;
            shared.ended.notify_all();
        })?;
        Ok(queue)
    }

    /// Adds a line, without waiting for anything.
    pub(super) fn push(&self, line: Vec<u8>) {
        let mut state = self.lock();
        if state.waiting.len() >= MAX_WAITING_LINES {
            state.lost += 1;
        } else {
            state.waiting.push_back(Task::Write(line));
        }
        drop(state);
        self.work.notify_one();
    }

    /// Lets the sink be opened anew, behind what waits now.
    pub(super) fn reopen(&self) {
        let mut state = self.lock();
        if state.waiting.back() != Some(&Task::Reopen) {
            state.waiting.push_back(Task::Reopen);
        }
        drop(state);
        self.work.notify_one();
    }

    /// Writes what waits, and ends, unless that takes too long.
    pub(super) fn close(&self) {
        let mut state = self.lock();
        state.closing = true;
        self.work.notify_one();
        let ended = self.ended.wait_timeout_while(state, PATIENCE, |state| !state.ended);
        drop(ended.unwrap_or_else(PoisonError::into_inner));
    }

    /// Waits for something to do, and says how many lines were lost since the last time; nothing more at the end.
    fn next(&self) -> Option<(Task, u64)> {
        let mut state = self.lock();
        loop {
            if let Some(task) = state.waiting.pop_front() {
                return Some((task, std::mem::take(&mut state.lost)));
            }
            if state.closing {
                return None;
            }
            state = self.work.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The thread's own: the sink, and what became of it.
struct Writer {
    sink: Box<dyn Sink>,
    form: Form,
    /// Lines that are gone, and of which nothing could be said yet.
    lost: u64,
    /// Why the sink does not work, if it does not.
    error: Option<String>,
}

impl Writer {
    fn work(&mut self, task: Task, lost: u64) {
        self.lost += lost;
        let done = match &task {
            Task::Reopen => self.sink.reopen().and_then(|()| self.tell_lost()),
            Task::Write(line) => self.tell_lost().and_then(|()| self.sink.write(line)),
        };
        match done {
            Ok(()) => self.error = None,
            Err(error) => {
                self.lost += u64::from(task != Task::Reopen);
                self.trouble(&error);
            }
        }
    }

    /// Says how many lines were lost, if any were.
    fn tell_lost(&mut self) -> io::Result<()> {
        if self.lost == 0 {
            return Ok(());
        }
        let mut notice = Line::new(Level::WARN, "snakkd::logging", format!("{} lines of the log were lost", self.lost));
        notice = notice.with("lost", self.lost);
        let error = self.error.as_deref().unwrap_or("they came faster than they could be written");
        self.sink.write(&self.form.render(&notice.with("error", error)))?;
        self.lost = 0;
        Ok(())
    }

    /// Remembers why, and says it once where it can be said.
    fn trouble(&mut self, error: &io::Error) {
        let error = line::harmless(error);
        if self.error.is_none() && !self.sink.is_stderr() {
            let _ = writeln!(io::stderr().lock(), "snakkd: lines of the log are being lost: {error}");
        }
        self.error = Some(error);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;
    use crate::logging::form::Text;

    /// A sink that writes what it is allowed to.
    struct Fragile {
        allowed: mpsc::Receiver<bool>,
        written: mpsc::Sender<String>,
    }

    impl Sink for Fragile {
        fn write(&mut self, line: &[u8]) -> io::Result<()> {
            if !self.allowed.recv().unwrap_or(true) {
                return Err(io::Error::other("no room"));
            }
            let _ = self.written.send(String::from_utf8_lossy(line).into_owned());
            Ok(())
        }

        fn is_stderr(&self) -> bool {
            true
        }
    }

    fn fragile() -> (Arc<Queue>, mpsc::Sender<bool>, mpsc::Receiver<String>) {
        let ((allow, allowed), (written, lines)) = (mpsc::channel(), mpsc::channel());
        let queue = Queue::start(Box::new(Fragile { allowed, written }), Form::Text(Text::ForJournal)).unwrap();
        (queue, allow, lines)
    }

    #[test]
    fn lines_that_cannot_be_written_are_counted_and_told_when_it_works_again() {
        let (queue, allow, lines) = fragile();
        // The line itself; three that fail, the later ones already at telling of the loss; and then the news.
        for allowed in [true, false, false, false, true, true] {
            allow.send(allowed).unwrap();
        }
        ["a\n", "b\n", "c\n", "d\n", "e\n"].iter().for_each(|line| queue.push(line.as_bytes().to_vec()));
        queue.close();
        drop(allow);
        let told = "<4>snakkd::logging: 3 lines of the log were lost lost=3 error=\"no room\"\n";
        assert_eq!(lines.iter().take(3).collect::<Vec<_>>(), ["a\n", told, "e\n"]);
    }

    #[test]
    fn nobody_waits_for_a_sink_that_is_stuck_and_what_there_is_no_room_for_is_counted() {
        let (queue, allow, lines) = fragile();
        for number in 0..MAX_WAITING_LINES + 100 {
            queue.push(format!("{number}\n").into_bytes());
        }
        drop(allow);
        queue.close();
        let lines: Vec<String> = lines.try_iter().collect();
        let told: Vec<_> = lines.iter().filter(|line| line.contains("they came faster")).collect();
        assert_eq!(told.len(), 1);
        let written = lines.len() - 1;
        assert!(told[0].contains(&format!(": {} lines", MAX_WAITING_LINES + 100 - written)), "{told:?}");
        assert!(written >= MAX_WAITING_LINES, "{written}");
    }

    #[test]
    fn an_end_does_not_wait_for_ever() {
        let (queue, _allow, lines) = fragile();
        queue.push(b"a\n".to_vec());
        queue.close();
        assert_eq!(lines.try_iter().count(), 0);
    }
}
