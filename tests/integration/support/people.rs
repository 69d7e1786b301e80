//! Accounts that are there before the server starts.

use std::path::Path;

use argon2::{Algorithm, Argon2, Params, PasswordHasher, Version};
use snakk::model::{NameRule, ServerRole, Time, UserId, Username};
use snakk::store::sqlite::{Options, SqliteStore};
use snakk::store::{Change, Created, NewAccount, Store, Write};
use tokio::sync::oneshot;

use super::server::PASSWORD;
use super::within;

/// Puts accounts with [`PASSWORD`] into the database in a directory. It is hashed with next to no work, for tests in
/// which many people log in.
pub(crate) async fn seed(file: &Path, people: &[(&str, ServerRole)]) {
    let file = file.to_owned();
    let opened = tokio::task::spawn_blocking(move || SqliteStore::open(Options::new(file))).await;
    let store = opened.expect("no panic").expect("a new database");
    seed_store(&store, people).await;
    within("the close of a database", store.close()).await.expect("a clean close");
}

/// The same, in a store that is open. Gives their numbers.
pub(crate) async fn seed_store(store: &dyn Store, people: &[(&str, ServerRole)]) -> Vec<UserId> {
    let mut made = Vec::new();
    for (name, role) in people {
        let name = Username::parse(name, NameRule::Ascii).expect("a good name");
        let skeleton = name.skeleton().into();
        let new = NewAccount { name, skeleton, password_hash: cheap_hash(), invitation: None, time: Time(0) };
        let created = written(store, |done| Write::CreateAccount(new, done)).await;
        let Created::New(user) = created else { panic!("{people:?} are not all new: {created:?}") };
        made.push(user);
        if *role == ServerRole::Admin {
            let change = Change::Role { user, role: *role, act: None };
            written(store, |done| Write::Change(Box::new(change), done)).await;
        }
    }
    made
}

async fn written<T>(
    store: &dyn Store,
    write: impl FnOnce(oneshot::Sender<Result<T, snakk::store::StoreError>>) -> Write,
) -> T {
    let place = store.queue().reserve(0).await.expect("an open store");
    let (done, outcome) = oneshot::channel();
    assert!(store.queue().push(place, write(done)).is_ok(), "an open store");
    within("a commit", outcome).await.expect("an outcome").expect("a commit")
}

fn cheap_hash() -> Box<str> {
    let least = Params::new(Params::MIN_M_COST, 1, 1, None).expect("the least there is");
    let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, least);
    argon2.hash_password(PASSWORD.as_bytes()).expect("a hash").to_string().into()
}
