//! Lines on their way out: a bounded queue, and the thread that writes (tracing-appender). Chat does not wait for its log;
//! lines for which there is no room, or that cannot be written, are counted, and it is told how many when the log works
//! again.

use std::io::{self, Write};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use tracing::Level;
use tracing_appender::non_blocking::{ErrorCounter, NonBlocking, NonBlockingBuilder, WorkerGuard};

use super::form::Form;
use super::line::{self, Line};

/// Lines that may wait for a slow disk or a stopped terminal. More are lost.
const MAX_WAITING_LINES: usize = 8192;

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
pub(super) struct Queue {
    lines: NonBlocking,
    reopen: Arc<AtomicBool>,
    /// Waits for what is still to be written, but not for ever, when it is dropped.
    guard: Mutex<Option<WorkerGuard>>,
}

impl Queue {
    /// Starts the thread.
    pub(super) fn start(sink: Box<dyn Sink>, form: Form) -> Queue {
        let (reopen, dropped) = (Arc::new(AtomicBool::new(false)), Arc::new(OnceLock::new()));
        let (orders, counter) = (Arc::clone(&reopen), Arc::clone(&dropped));
        let writer = Writer { sink, form, reopen: orders, dropped: counter, told: 0, lost: 0, error: None };
        let builder = NonBlockingBuilder::default().lossy(true).buffered_lines_limit(MAX_WAITING_LINES);
        let (lines, guard) = builder.thread_name("log").finish(writer);
        // Only here is it known; nothing was written before.
        let _ = dropped.set(lines.error_counter());
        Queue { lines, reopen, guard: Mutex::new(Some(guard)) }
    }

    /// Adds a line, without waiting for anything.
    pub(super) fn push(&self, line: &[u8]) {
        // What there is no room for is counted, not refused.
        let _ = self.lines.clone().write(line);
    }

    /// Lets the sink be opened anew, behind what waits now.
    pub(super) fn reopen(&self) {
        self.reopen.store(true, Ordering::Release);
        // Nothing to write, but behind it the thread looks whether there is something else to do.
        self.push(b"");
    }

    /// Writes what waits, and ends, unless that takes too long.
    pub(super) fn close(&self) {
        drop(self.guard.lock().unwrap_or_else(PoisonError::into_inner).take());
    }
}

/// The thread's own: the sink, and what became of it.
struct Writer {
    sink: Box<dyn Sink>,
    form: Form,
    reopen: Arc<AtomicBool>,
    /// Lines for which there was no room, since the start.
    dropped: Arc<OnceLock<ErrorCounter>>,
    /// How many of those are in `lost` already, or were told.
    told: u64,
    /// Lines that are gone, and of which nothing could be said yet.
    lost: u64,
    /// Why the sink does not work, if it does not.
    error: Option<String>,
}

/// Never fails: the thread has nobody to tell.
impl Write for Writer {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        let dropped = self.dropped.get().map_or(0, |counter| counter.dropped_lines() as u64);
        self.lost += dropped.saturating_sub(self.told);
        self.told = self.told.max(dropped);
        if let Err(error) = self.tell_lost().and_then(|()| self.sink.write(line)) {
            self.lost += 1;
            self.trouble(&error);
        } else {
            self.error = None;
        }
        Ok(line.len())
    }

    /// Called when nothing more waits.
    fn flush(&mut self) -> io::Result<()> {
        if self.reopen.swap(false, Ordering::AcqRel) {
            match self.sink.reopen().and_then(|()| self.tell_lost()) {
                Ok(()) => self.error = None,
                Err(error) => self.trouble(&error),
            }
        }
        Ok(())
    }
}

impl Writer {
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

    fn fragile() -> (Queue, mpsc::Sender<bool>, mpsc::Receiver<String>) {
        let ((allow, allowed), (written, lines)) = (mpsc::channel(), mpsc::channel());
        let queue = Queue::start(Box::new(Fragile { allowed, written }), Form::Text(Text::ForJournal));
        (queue, allow, lines)
    }

    #[test]
    fn lines_that_cannot_be_written_are_counted_and_told_when_it_works_again() {
        let (queue, allow, lines) = fragile();
        // The line itself; three that fail, the later ones already at telling of the loss; and then the news.
        for allowed in [true, false, false, false, true, true] {
            allow.send(allowed).unwrap();
        }
        ["a\n", "b\n", "c\n", "d\n", "e\n"].iter().for_each(|line| queue.push(line.as_bytes()));
        queue.close();
        drop(allow);
        let told = "<4>snakkd::logging: 3 lines of the log were lost lost=3 error=\"no room\"\n";
        assert_eq!(lines.iter().take(3).collect::<Vec<_>>(), ["a\n", told, "e\n"]);
    }

    #[test]
    fn nobody_waits_for_a_sink_that_is_stuck_and_what_there_is_no_room_for_is_counted() {
        let (queue, allow, lines) = fragile();
        for number in 0..MAX_WAITING_LINES + 100 {
            queue.push(format!("{number}\n").as_bytes());
        }
        drop(allow);
        queue.close();
        let lines: Vec<String> = lines.try_iter().collect();
        // Once, or twice where the thread begins while they still come.
        let told = |line: &&String| line.contains("they came faster");
        let count = |line: &String| line.split("lost=").nth(1)?.split(' ').next()?.trim().parse::<usize>().ok();
        let lost: usize = lines.iter().filter(told).map(|line| count(line).expect("a number")).sum();
        let written = lines.len() - lines.iter().filter(told).count();
        assert_eq!(lost + written, MAX_WAITING_LINES + 100);
        assert!(written >= MAX_WAITING_LINES && lost > 0, "{written} written, {lost} lost");
    }

    #[test]
    fn an_end_does_not_wait_for_ever() {
        let (queue, _allow, lines) = fragile();
        queue.push(b"a\n");
        queue.close();
        assert_eq!(lines.try_iter().count(), 0);
    }
}
