//! What admins ask of the process as a whole. How it is doing the server knows itself; what is the business of the program
//! that it lives in waits there for [`Server::order`].

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Weak};

use tokio::sync::{Mutex, mpsc, oneshot};

use crate::chat::{self, Census};
use crate::model::Time;
use crate::protocol::response::{self, ServerStatus};
use crate::server::accept::Door;
use crate::server::running::Server;
use crate::store::Store;

/// How many orders may wait for the program.
const MOST_WAITING: usize = 16;

/// Something that an admin asks of the program that the server lives in.
#[derive(Debug)]
#[non_exhaustive]
pub enum Order {
    /// Read the configuration and the certificates again.
    Reload(ReloadOrder),
    /// Log something else, or say what is logged.
    LogLevel(LogLevelOrder),
}

/// The order to read the configuration again. Where it is dropped without an answer, the admin is told `forbidden`.
#[derive(Debug)]
pub struct ReloadOrder(oneshot::Sender<response::Reloaded>);

impl ReloadOrder {
    /// Says which keys changed and hold now, which hold from the next start on, and what is wrong, a line each.
    pub fn answer(self, changed: Vec<String>, restart: Vec<String>, problems: Vec<String>) {
        let boxed = |lines: Vec<String>| lines.into_iter().map(String::into_boxed_str).collect();
        let (changed, restart, problems) = (boxed(changed), boxed(restart), boxed(problems));
        // Whoever asked may be gone.
        let _ = self.0.send(response::Reloaded { changed, restart, problems });
    }
}

/// The order to log something else. Where it is dropped without an answer, the admin is told `forbidden`.
#[derive(Debug)]
pub struct LogLevelOrder {
    /// What to log; nothing if it is only asked what is logged.
    pub level: Option<String>,
    answer: oneshot::Sender<Option<Box<str>>>,
}

impl LogLevelOrder {
    /// Says what is logged now; nothing where there is no such level.
    pub fn answer(self, level: Option<String>) {
        // Whoever asked may be gone.
        let _ = self.answer.send(level.map(String::into_boxed_str));
    }
}

/// The orders that wait for the program.
pub(super) struct Orders {
    receiver: Mutex<mpsc::Receiver<Order>>,
    obeyed: Arc<AtomicBool>,
}

impl Server {
    /// The next thing that an admin asks of the program that the server lives in. A program that never asks for one has
    /// such requests answered `forbidden`.
    ///
    /// # Cancel safety
    /// No order is lost.
    pub async fn order(&self) -> Order {
        self.orders.obeyed.store(true, Ordering::Release);
        match self.orders.receiver.lock().await.recv().await {
            Some(order) => order,
            // The task that takes them ends only with the server.
            None => std::future::pending().await,
        }
    }
}

/// Where the process can be looked at from.
pub(super) struct Lookout {
    pub(super) door: Weak<Door>,
    pub(super) store: Arc<dyn Store>,
    pub(super) database: std::path::PathBuf,
    pub(super) started: Time,
}

impl Lookout {
    fn status(&self) -> Option<ServerStatus> {
        let door = self.door.upgrade()?;
        let Census { rooms, sessions, accounts, guests, level } = door.chat.census();
        let size = |suffix: &str| {
            let mut path = self.database.clone().into_os_string();
            path.push(suffix);
            std::fs::metadata(path).map_or(0, |file| file.len())
        };
        Some(ServerStatus {
            version: env!("CARGO_PKG_VERSION").into(),
            name: door.chat.options().name.clone(),
            started: self.started,
            level,
            ready: true,
            problem: None,
            connections: door.connections.count() as u64,
            sessions: sessions as u64,
            accounts: accounts as u64,
            guests: guests as u64,
            rooms: rooms as u64,
            queue: self.store.queue().len() as u64,
            database_bytes: size(""),
            wal_bytes: size("-wal"),
        })
    }
}

/// Takes the chat's orders, for as long as there is one.
pub(super) fn take(door: &Door, lookout: Lookout) -> Orders {
    let (sender, receiver) = mpsc::channel(MOST_WAITING);
    let obeyed = Arc::new(AtomicBool::new(false));
    if let Some(orders) = door.chat.take_orders() {
        tokio::spawn(run(orders, sender, lookout, Arc::clone(&obeyed)));
    }
    Orders { receiver: Mutex::new(receiver), obeyed }
}

async fn run(
    mut orders: mpsc::Receiver<chat::Order>,
    program: mpsc::Sender<Order>,
    lookout: Lookout,
    obeyed: Arc<AtomicBool>,
) {
    loop {
        let order = tokio::select! {
            order = orders.recv() => order,
            // The server is gone.
            () = program.closed() => return,
        };
        let for_program = match order {
            None => return,
            Some(chat::Order::Status(answer)) => {
                if let Some(status) = lookout.status() {
                    let _ = answer.send(status);
                }
                continue;
            }
            Some(chat::Order::Reload(answer)) => Order::Reload(ReloadOrder(answer)),
            Some(chat::Order::LogLevel(level, answer)) => {
                Order::LogLevel(LogLevelOrder { level: level.map(Into::into), answer })
            }
        };
        if obeyed.load(Ordering::Acquire) {
            // Where too many wait it is dropped, which is a refusal.
            let _ = program.try_send(for_program);
        }
    }
}
