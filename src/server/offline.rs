//! What is done to a data directory that no daemon has open. The chat is opened as a server opens it, but nobody comes in:
//! so the rules are those of the running server.

use std::path::Path;
use std::sync::Arc;

use tokio::task::{JoinHandle, spawn_blocking};

use crate::chat::{AccountLine, Chat};
use crate::config::Config;
use crate::model::{ServerRole, SystemClock};
use crate::protocol::{Refusal, Secret};
use crate::server::{StartError, data_dir, options};
use crate::store::sqlite::{OpenError, SqliteStore};
use crate::store::{Store, StoreError};

/// The data of a server that does not run. To be closed with [`Offline::close`]; where it is only dropped, what was
/// answered is stored all the same.
pub struct Offline {
    chat: Arc<Chat>,
    store: Arc<dyn Store>,
    publishing: JoinHandle<()>,
}

/// Whether the data has to be there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Missing {
    /// It is made.
    Make,
    /// That is an error.
    Refuse,
}

impl Offline {
    /// Opens the data in a directory, with the settings that a server would have. Runs on the runtime that this is called
    /// in.
    ///
    /// # Errors
    /// As [`Builder::start`](crate::server::Builder::start); the database must not be open anywhere else.
    pub async fn open(config: &Config, path: &Path, missing: Missing) -> Result<Offline, StartError> {
        config.check()?;
        let options = options::store(config, path);
        match missing {
            Missing::Make => {
                data_dir::make(path).map_err(|source| StartError::DataDir { path: path.to_owned(), source })?;
            }
            Missing::Refuse => {
                std::fs::metadata(&options.file)
                    .map_err(|error| OpenError::CannotOpen { path: options.file.clone(), source: error.into() })?;
            }
        }
        let opened = spawn_blocking(move || SqliteStore::open(options)).await;
        let store: Arc<dyn Store> = Arc::new(opened.map_err(StoreError::unavailable)??);
        match Chat::open(Arc::clone(&store), Arc::new(SystemClock), options::chat(config)).await {
            Ok((chat, publisher)) => Ok(Offline { chat, store, publishing: tokio::spawn(publisher.run()) }),
            Err(error) => {
                // Best effort: that it cannot be closed cleanly is no news behind that it cannot be used.
                let _ = store.close().await;
                Err(error.into())
            }
        }
    }

    /// Makes an account.
    ///
    /// # Errors
    /// `bad_name`, `name_taken`, `weak_password`; or that nothing can be stored.
    pub async fn add_user(&self, name: &str, password: &Secret) -> Result<(), Refusal> {
        self.chat.add_account(name, password).await
    }

    /// Gives an account another password, and makes its tokens and certificates void if they shall be.
    ///
    /// # Errors
    /// `no_such_user`, `weak_password`; or that nothing can be stored.
    pub async fn set_password(&self, name: &str, password: &Secret, revoke_tokens: bool) -> Result<(), Refusal> {
        self.chat.set_account_password(name, password, revoke_tokens).await
    }

    /// Makes an account an admin, or takes that back.
    ///
    /// # Errors
    /// `no_such_user`; or that nothing can be stored.
    pub async fn set_role(&self, name: &str, role: ServerRole) -> Result<(), Refusal> {
        self.chat.set_account_role(name, role).await
    }

    /// Deletes an account; nobody can ever take its name.
    ///
    /// # Errors
    /// `no_such_user`; or that nothing can be stored.
    pub async fn delete_user(&self, name: &str) -> Result<(), Refusal> {
        self.chat.delete_account(name).await
    }

    /// All accounts, sorted by name.
    ///
    /// # Errors
    /// The store cannot be read.
    pub async fn users(&self) -> Result<Vec<AccountLine>, Refusal> {
        self.chat.list_accounts().await
    }

    /// Closes the data as a clean stop does.
    ///
    /// # Errors
    /// It could not be closed as it should be. What was answered is safe nevertheless.
    pub async fn close(self) -> Result<(), StoreError> {
        let closed = self.store.close().await;
        // It ends with the store; that it was cut short would have been seen as a failure before.
        let _ = self.publishing.await;
        closed
    }
}
