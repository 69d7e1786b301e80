//! What admins ask of the process as a whole. How it is doing the server knows itself; what is the business of the program
//! that it lives in waits there for [`Server::order`].

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;

use tokio::sync::{Mutex, mpsc, oneshot};

use crate::chat;
use crate::model::Time;
use crate::protocol::response::{self, ServerStatus};
use crate::server::accept::Door;
use crate::server::health::{Health, Inside};
use crate::server::running::Server;

/// How many orders may wait for the program.
const MOST_WAITING: usize = 16;
/// How long the parts of the server may take to say that they are there.
const PROBE: Duration = Duration::from_millis(500);

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

/// Where the server can be looked at from.
#[derive(Clone)]
pub(super) struct Lookout {
    pub(super) inside: Weak<Inside>,
    pub(super) started: Time,
}

impl Lookout {
    /// How the server is doing, found out by asking its parts.
    async fn status(self) -> Option<ServerStatus> {
        let inside = self.inside.upgrade()?;
        // Before the probe, whose own connection is none that anybody wants to see counted.
        let stats = inside.stats();
        let problem = Health(Arc::clone(&inside)).probe(PROBE).await.err();
        let chat = &inside.door.chat;
        let of = |counts: &[(&'static str, u64)], what: &str| {
            counts.iter().find(|(name, _)| *name == what).map_or(0, |(_, count)| *count)
        };
        Some(ServerStatus {
            version: stats.version.into(),
            name: chat.options().name.clone(),
            started: self.started,
            level: chat.level(),
            ready: problem.is_none(),
            problem: problem.map(|problem| problem.to_string().into()),
            connections: stats.connections as u64,
            sessions: chat.sessions() as u64,
            accounts: of(&stats.online, "account"),
            guests: of(&stats.online, "guest"),
            rooms: of(&stats.rooms, "room"),
            queue: inside.store.queue().len() as u64,
            database_bytes: stats.database_bytes.unwrap_or_default(),
            wal_bytes: stats.wal_bytes.unwrap_or_default(),
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
                // Where something hangs it takes its time, in which other orders can be obeyed.
                let status = lookout.clone().status();
                tokio::spawn(async move { status.await.map(|status| answer.send(status).is_ok()) });
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
