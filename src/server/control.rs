//! The control socket: a Unix socket over which whoever runs the server is heard, and nobody else. The file is its owner's
//! alone; that the other side really is that one, or root, is asked of the kernel all the same.

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tokio::sync::{Notify, Semaphore};
use tokio_util::sync::CancellationToken;

use crate::chat::Origin;
use crate::net::Address;
use crate::net::listener::{BindError, Listener};
use crate::protocol::{Code, Refusal};
use crate::server::accept::{Door, Ticket, native};

/// How many may be connected at once. More is no operator, but a mistake in a script.
const MOST_CONNECTIONS: usize = 64;

/// The longest path that a Unix socket can have, in bytes (`sun_path` in unix(7), without the NUL behind it).
pub const MAX_SOCKET_PATH: usize = 107;

/// The bound control socket.
pub(super) struct Control {
    listener: Listener,
    /// Whom the file belongs to: the user that the server runs as.
    owner: u32,
    path: PathBuf,
    look: Arc<Notify>,
}

impl Control {
    /// Makes the socket. One that a dead server has left behind is replaced.
    ///
    /// # Errors
    /// As for any listener.
    pub(super) fn bind(path: &Path) -> Result<Control, BindError> {
        let address = Address::Unix(path.to_owned());
        let listener = Listener::bind(&address)?;
        let owner = fs::symlink_metadata(path).map_err(|source| BindError::Socket { address, source })?.uid();
        Ok(Control { listener, owner, path: path.to_owned(), look: Arc::default() })
    }

    /// Wakes it to look whether its file is still there; if somebody has deleted it, it is made again.
    pub(super) fn look(&self) -> Arc<Notify> {
        Arc::clone(&self.look)
    }

    /// Where a control socket with that path would be, if its path is not too long for one.
    ///
    /// # Errors
    /// What is wrong with it.
    pub(super) fn place(data_dir: &Path, path: &Path) -> io::Result<PathBuf> {
        let path = data_dir.join(path);
        if path.as_os_str().len() > MAX_SOCKET_PATH {
            let why = format!("the path of a Unix socket has at most {MAX_SOCKET_PATH} bytes");
            return Err(io::Error::new(io::ErrorKind::InvalidInput, why));
        }
        Ok(path)
    }

    /// Accepts until it is told to stop.
    pub(super) async fn accept(self, door: Arc<Door>, stop: CancellationToken) {
        let Control { mut listener, owner, path, look } = self;
        let places = Arc::new(Semaphore::new(MOST_CONNECTIONS));
        let dialects = native();
        loop {
            let (stream, _) = tokio::select! {
                biased;
                () = stop.cancelled() => return,
                () = look.notified() => {
                    if let Some(again) = made_again(&path) {
                        listener = again;
                    }
                    continue;
                }
                accepted = listener.accept() => accepted,
            };
            let user = stream.peer_user();
            if user.is_none_or(|user| user != owner && user != 0) {
                tracing::warn!(uid = user, "somebody else was refused at the control socket");
                door.turn_away(stream, None, &dialects, &Code::Forbidden.into());
                continue;
            }
            let welcome = match Arc::clone(&places).try_acquire_owned() {
                Ok(permit) => {
                    door.welcome(Origin::Control, Arc::clone(&dialects), Some(Ticket::Control { _permit: permit }))
                }
                Err(_) => Err(Refusal::from(Code::TooManyConnections)),
            };
            match welcome {
                Ok(guest) => door.serve(stream, guest),
                Err(refusal) => door.turn_away(stream, None, &dialects, &refusal),
            }
        }
    }
}

/// The control socket once more, where its file is gone. What else has come in its place is left alone.
fn made_again(path: &Path) -> Option<Listener> {
    let is_gone = fs::symlink_metadata(path).is_err_and(|error| error.kind() == io::ErrorKind::NotFound);
    if !is_gone {
        return None;
    }
    match Control::bind(path) {
        Ok(again) => {
            tracing::warn!(path = %path.display(), "the control socket was gone, and was made again");
            Some(again.listener)
        }
        Err(error) => {
            tracing::warn!(path = %path.display(), %error, "the control socket is gone, and cannot be made again");
            None
        }
    }
}
