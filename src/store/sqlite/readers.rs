//! The readers: a few threads, each with a connection that cannot write. What is asked waits in a bounded line.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};

use rusqlite::Connection;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};

use crate::store::StoreError;

/// So many questions wait for each reader; whoever comes later waits outside.
const WAITING_PER_READER: usize = 64;

type Job = Box<dyn FnOnce(&Connection) + Send>;

/// The line in front of the readers.
pub(super) struct Readers {
    places: Arc<Semaphore>,
    most_waiting: usize,
    line: Mutex<Line>,
    filled: Condvar,
    /// How many jobs were done.
    done: AtomicU64,
}

#[derive(Default)]
struct Line {
    jobs: VecDeque<(Job, OwnedSemaphorePermit)>,
    closed: bool,
}

impl Readers {
    /// Starts so many threads. Each makes its connection itself, so that nobody waits for those that are not needed yet.
    pub(super) fn start(
        count: usize,
        connect: impl Fn() -> rusqlite::Result<Connection> + Clone + Send + 'static,
    ) -> std::io::Result<(Arc<Readers>, Vec<JoinHandle<()>>)> {
        let readers = Arc::new(Readers {
            places: Arc::new(Semaphore::new(WAITING_PER_READER * count)),
            most_waiting: WAITING_PER_READER * count,
            line: Mutex::default(),
            filled: Condvar::new(),
            done: AtomicU64::new(0),
        });
        let mut threads = Vec::new();
        for _ in 0..count {
            let line = Arc::clone(&readers);
            let connect = connect.clone();
            let thread = thread::Builder::new().name("snakk-reader".into()).spawn(move || line.run(&connect));
            match thread {
                Ok(thread) => threads.push(thread),
                Err(error) => {
                    readers.close();
                    return Err(error);
                }
            }
        }
        Ok((readers, threads))
    }

    /// Has one of the readers do something, in one transaction.
    ///
    /// # Cancel safety
    /// What nobody waits for any more is not begun.
    pub(super) async fn read<T: Send + 'static>(
        &self,
        read: impl FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, StoreError> {
        let place = Arc::clone(&self.places).acquire_owned().await.map_err(|_| StoreError::Closed)?;
        let (answer, answered) = oneshot::channel();
        let job = Box::new(move |conn: &Connection| {
            if !answer.is_closed() {
                let _ = answer.send(in_transaction(conn, read).map_err(StoreError::unavailable));
            }
        });
        {
            let mut line = self.lock();
            if line.closed {
                return Err(StoreError::Closed);
            }
            line.jobs.push_back((job, place));
        }
        self.filled.notify_one();
        answered.await.unwrap_or_else(|_| Err(StoreError::unavailable("the reading was given up")))
    }

    /// How many questions were answered; how many wait, and how many may.
    pub(super) fn figures(&self) -> (u64, usize, usize) {
        (self.done.load(Ordering::Relaxed), self.lock().jobs.len(), self.most_waiting)
    }

    /// Takes no more; the threads end when the line is empty.
    pub(super) fn close(&self) {
        self.lock().closed = true;
        self.places.close();
        self.filled.notify_all();
    }

    fn run(&self, connect: &impl Fn() -> rusqlite::Result<Connection>) {
        let mut connected = connect();
        while let Some((job, place)) = self.next() {
            if connected.is_err() {
                connected = connect();
            }
            let conn = match &connected {
                Ok(conn) => conn,
                Err(error) => {
                    // Whoever asked hears that the reading was given up.
                    tracing::error!(%error, "a reader cannot open the database");
                    continue;
                }
            };
            // A defect in one question must not take the reader away from the others.
            if catch_unwind(AssertUnwindSafe(|| job(conn))).is_err() {
                tracing::error!("a reading of the database panicked");
                if !conn.is_autocommit() {
                    let _ = conn.execute_batch("ROLLBACK");
                }
            }
            self.done.fetch_add(1, Ordering::Relaxed);
            drop(place);
        }
    }

    fn next(&self) -> Option<(Job, OwnedSemaphorePermit)> {
        let mut line = self.lock();
        loop {
            if let Some(job) = line.jobs.pop_front() {
                return Some(job);
            }
            if line.closed {
                return None;
            }
            line = self.filled.wait(line).unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Line> {
        self.line.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Several statements of one question see the same state.
fn in_transaction<T>(conn: &Connection, read: impl FnOnce(&Connection) -> rusqlite::Result<T>) -> rusqlite::Result<T> {
    conn.prepare_cached("BEGIN")?.execute([])?;
    let result = read(conn);
    let end = conn.prepare_cached("COMMIT")?.execute([]);
    if end.is_err() && !conn.is_autocommit() {
        let _ = conn.execute_batch("ROLLBACK");
    }
    result
}
