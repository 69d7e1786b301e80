//! What admins ask that is not for the chat to know: how the process is doing, its configuration file, its log. Whoever
//! runs the chat takes the orders; where nobody does, they are forbidden.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};
use tokio::time::timeout;

use crate::protocol::response::{Reloaded, ServerStatus};
use crate::protocol::{Code, Refusal};

/// How many orders may wait.
const MOST_WAITING: usize = 16;
/// How long it may take to obey.
const PATIENCE: Duration = Duration::from_secs(10);

/// Something that whoever runs the chat is asked to do, with where to say what came of it. Dropping that is a refusal.
#[derive(Debug)]
pub enum Order {
    /// Say how the server is doing.
    Status(oneshot::Sender<ServerStatus>),
    /// Read the configuration again.
    Reload(oneshot::Sender<Reloaded>),
    /// Log that from now on, or say what is logged. Without an answer that there is no such filter.
    LogLevel(Option<Box<str>>, oneshot::Sender<Option<Box<str>>>),
}

/// The way that orders take.
pub(super) struct Orders {
    sender: mpsc::Sender<Order>,
    receiver: Mutex<Option<mpsc::Receiver<Order>>>,
}

impl Default for Orders {
    fn default() -> Orders {
        let (sender, receiver) = mpsc::channel(MOST_WAITING);
        Orders { sender, receiver: Mutex::new(Some(receiver)) }
    }
}

impl Orders {
    /// Where they come out; only the first who asks gets it.
    pub(super) fn take(&self) -> Option<mpsc::Receiver<Order>> {
        self.receiver.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// Gives an order, and waits for what comes of it.
    ///
    /// # Errors
    /// `forbidden` where nobody obeys; `internal` where it takes too long.
    pub(super) async fn give<T>(&self, order: impl FnOnce(oneshot::Sender<T>) -> Order) -> Result<T, Refusal> {
        let (done, outcome) = oneshot::channel();
        self.sender.try_send(order(done)).map_err(|_| Code::Forbidden)?;
        let outcome = timeout(PATIENCE, outcome).await.map_err(|_| Code::Internal)?;
        outcome.map_err(|_| Code::Forbidden.into())
    }
}
