//! Passwords: hashed with argon2id, on as many threads as there are cores, with the same work whoever is asked for.

use std::sync::Arc;
use std::time::Duration;

use argon2::{Argon2, PasswordHasher, PasswordVerifier};
use precis_profiles::OpaqueString;
use precis_profiles::precis_core::profile::PrecisFastInvocation;
use tokio::sync::Semaphore;
use tokio::task::spawn_blocking;

use crate::model::Username;
use crate::protocol::{Code, Refusal, Secret};

/// A password has at least so many characters.
const LEAST_CHARS: usize = 8;
/// A password has at most so many bytes: what is longer is refused before any work is done.
const MOST_BYTES: usize = 1024;
/// How many may wait for their turn; each turn takes some 35 ms.
const MOST_WAITING: usize = 64;

/// What is stored for an account that has no password: nothing is hashed to it.
pub(crate) const NO_PASSWORD: &str = "!";

/// Hashes and checks passwords.
pub(crate) struct Passwords {
    cores: usize,
    turns: Arc<Semaphore>,
    queue: Arc<Semaphore>,
    /// What is checked where there is no such account, so that this takes as long.
    nobody: Box<str>,
}

/// A password that is good enough.
pub(crate) struct NewPassword(String);

impl Passwords {
    /// As many at once as there are cores.
    pub(crate) fn new() -> Passwords {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        Passwords {
            cores,
            turns: Arc::new(Semaphore::new(cores)),
            queue: Arc::new(Semaphore::new(cores + MOST_WAITING)),
            // Of no password at all: no input is hashed to it. The parameters are those of `argon2id` below.
            nobody: "$argon2id$v=19$m=19456,t=2,p=1$c25ha2tzbmFra3NuYWtr$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
                .into(),
        }
    }

    /// Checks a new password, which costs nothing.
    ///
    /// # Errors
    /// `weak_password`
    pub(crate) fn check(password: &Secret, name: &Username) -> Result<NewPassword, Refusal> {
        let password = prepare(password).ok_or(Code::WeakPassword)?;
        if password.chars().count() < LEAST_CHARS || password.to_lowercase() == name.folded() {
            return Err(Code::WeakPassword.into());
        }
        Ok(NewPassword(password))
    }

    /// Hashes a new password.
    ///
    /// # Errors
    /// `rate_limited` where too many wait.
    pub(crate) async fn hash(&self, NewPassword(password): NewPassword) -> Result<Box<str>, Refusal> {
        self.work(move || {
            argon2id().hash_password(password.as_bytes()).map(|hash| hash.to_string().into_boxed_str()).ok()
        })
        .await?
        .ok_or(Refusal::new(Code::Internal))
    }

    /// Whether a password is the one with that hash; without a hash it never is, and takes as long.
    ///
    /// # Errors
    /// `rate_limited` where too many wait.
    pub(crate) async fn verify(&self, password: &Secret, hash: Option<&str>) -> Result<bool, Refusal> {
        let Some(password) = prepare(password) else { return Ok(false) };
        let hash = hash.filter(|hash| *hash != NO_PASSWORD);
        let known = hash.is_some();
        let hash = hash.unwrap_or(&self.nobody).to_owned();
        let fits = self.work(move || argon2id().verify_password(password.as_bytes(), &*hash).is_ok()).await?;
        Ok(fits && known)
    }

    /// How many are being hashed, and can be; how many wait for that, and may.
    pub(crate) fn count(&self) -> ((usize, usize), (usize, usize)) {
        let hashing = self.cores.saturating_sub(self.turns.available_permits());
        let all = (self.cores + MOST_WAITING).saturating_sub(self.queue.available_permits());
        ((hashing, self.cores), (all.saturating_sub(hashing), MOST_WAITING))
    }

    async fn work<T: Send + 'static>(&self, job: impl FnOnce() -> T + Send + 'static) -> Result<T, Refusal> {
        let busy = || Refusal::rate_limited(Duration::from_secs(1));
        let queued = Arc::clone(&self.queue).try_acquire_owned().map_err(|_| busy())?;
        let turn = Arc::clone(&self.turns).acquire_owned().await.map_err(|_| busy())?;
        // The permits move into the job: where the asker goes away meanwhile, the work still counts.
        let job = spawn_blocking(move || {
            let _held = (queued, turn);
            job()
        });
        job.await.map_err(|_| Code::Internal.into())
    }
}

/// The OWASP minimum for argon2id: 19 MiB, 2 passes, 1 lane (Password Storage Cheat Sheet).
fn argon2id() -> Argon2<'static> {
    Argon2::default()
}

/// The form in which passwords are compared (RFC 8265, OpaqueString): composed and decomposed letters are the same.
fn prepare(password: &Secret) -> Option<String> {
    if password.0.len() > MOST_BYTES {
        return None;
    }
    OpaqueString::enforce(&*password.0).ok().map(std::borrow::Cow::into_owned)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::NameRule;

    fn secret(text: &str) -> Secret {
        Secret(text.into())
    }

    #[tokio::test]
    async fn a_password_is_known_again_in_either_form() {
        let (passwords, name) = (Passwords::new(), Username::parse("bob", NameRule::Ascii).unwrap());
        let new = Passwords::check(&secret("sm\u{f6}rg\u{e5}sbord"), &name).unwrap();
        let hash = passwords.hash(new).await.unwrap();
        assert!(hash.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"));
        assert_eq!(passwords.verify(&secret("smo\u{308}rga\u{30a}sbord"), Some(&hash)).await, Ok(true));
        assert_eq!(passwords.verify(&secret("smorgasbord"), Some(&hash)).await, Ok(false));
        assert_eq!(passwords.verify(&secret("smorgasbord"), None).await, Ok(false));
        let long = "x".repeat(72);
        let hash = passwords.hash(Passwords::check(&secret(&format!("{long}a")), &name).unwrap()).await.unwrap();
        assert_eq!(passwords.verify(&secret(&format!("{long}b")), Some(&hash)).await, Ok(false), "nothing is cut off");
    }

    #[test]
    fn weak_passwords_are_refused() {
        let name = Username::parse("Robert-Bob", NameRule::Ascii).unwrap();
        for weak in ["", "1234567", "robert-bob", &"x".repeat(1025)] {
            let refusal = Passwords::check(&secret(weak), &name).err().map(|refusal| refusal.code);
            assert_eq!(refusal, Some(Code::WeakPassword), "{weak:?}");
        }
    }
}
