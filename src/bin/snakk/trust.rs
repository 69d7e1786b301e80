//! Which server is trusted: one that the system trusts, one that somebody has trusted before, or one that they trust now,
//! looking at its fingerprint.

mod known;

use std::io::{self, BufRead, Write};

use snakk::Client;
use snakk::client::{Builder, ClientError, Distrust, Fingerprint, Trust};

use crate::failure::Failure;
use crate::password::can_ask;
use crate::settings::canonical;
use crate::setup::Connection;
use crate::show::{note, plain};
use known::KnownServers;

/// Which server is trusted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Trusted {
    /// One that the system trusts, or that was trusted when it was first seen.
    Known,
    /// The one that shows this certificate, as the command line or the settings say.
    Pinned(Fingerprint),
    /// Whoever answers.
    Anything,
}

/// The way to a server, on which it is settled once whether it is the right one.
pub(crate) struct Door<'c> {
    connection: &'c Connection,
    /// The host and port, where it speaks TLS.
    place: Option<String>,
    known: Option<KnownServers>,
    trust: Trust,
}

impl<'c> Door<'c> {
    /// Looks up what is known about the server.
    pub(crate) fn new(connection: &'c Connection) -> Result<Door<'c>, Failure> {
        let canonical = canonical(&connection.server);
        let place = canonical.strip_prefix("tls://").map(str::to_owned);
        let mut door = Door { connection, place, known: None, trust: Trust::System };
        let Some(place) = &door.place else { return Ok(door) };
        match connection.trusted {
            Trusted::Pinned(fingerprint) => door.trust = Trust::Pinned(fingerprint),
            Trusted::Anything => {
                let server = plain(&connection.server);
                note(&format!(
                    "WARNING: --insecure: nobody knows who answers as {server}, or who reads and changes what is said"
                ));
                door.trust = Trust::Anything;
            }
            Trusted::Known => {
                let known = KnownServers::usual();
                if let Some(fingerprint) = known.as_ref().map(|known| known.find(place)).transpose()?.flatten() {
                    door.trust = Trust::Pinned(fingerprint);
                }
                door.known = known;
            }
        }
        Ok(door)
    }

    /// Whom it leads to, by now.
    pub(crate) fn trust(&self) -> Trust {
        self.trust.clone()
    }

    /// Connects, asking whether the server is to be trusted where nobody knows. The refusals of a server that is trusted
    /// are the caller's business.
    pub(crate) async fn open(&mut self, builder: impl Fn() -> Builder) -> Result<Result<Client, ClientError>, Failure> {
        loop {
            match builder().trust(self.trust.clone()).connect().await {
                Err(ClientError::Untrusted { why, fingerprint, .. }) => self.settle(&why, fingerprint)?,
                outcome => return Ok(outcome),
            }
        }
    }

    /// Decides what becomes of a server that is not trusted; if it returns, it is.
    fn settle(&mut self, why: &Distrust, fingerprint: Fingerprint) -> Result<(), Failure> {
        let server = plain(&self.connection.server).into_owned();
        let reason = plain(&why.to_string()).into_owned();
        if let Distrust::OtherFingerprint { pinned } = why {
            return Err(self.changed(&server, *pinned, fingerprint));
        }
        let refused = |what: String| Err(Failure::new(Failure::UNAVAILABLE, what));
        if !why.may_be_pinned() {
            return refused(format!("the certificate of {server} ({fingerprint}) cannot be trusted: {reason}"));
        }
        let asked = self.connection.trusted == Trusted::Known;
        if !asked || !can_ask() {
            return refused(format!(
                "the certificate of {server} is not trusted: {reason}\nits fingerprint is {fingerprint}\nif that is the \
                 right one, say so: --tls-fingerprint {fingerprint} (or tls_fingerprint in the settings)"
            ));
        }
        note(&format!(
            "the certificate of {server} is not trusted: {reason}\nits fingerprint is {fingerprint}\nit is the right one if \
             the operator of the server says the same"
        ));
        if !is_yes("Trust it? [y/N] ") {
            return refused(format!("{server} is not trusted"));
        }
        match (&self.known, &self.place) {
            (Some(known), Some(place)) => known.remember(place, fingerprint)?,
            _ => note("it cannot be remembered, for no folder is known ($HOME, $XDG_STATE_HOME)"),
        }
        self.trust = Trust::Pinned(fingerprint);
        Ok(())
    }

    /// A server that shows another certificate than before.
    fn changed(&self, server: &str, pinned: Fingerprint, shown: Fingerprint) -> Failure {
        let (pinned_by, remedy) = match (&self.known, &self.place) {
            (Some(known), Some(place)) => {
                let file = known.file().display();
                (format!("trusted in {file}"), format!("remove the line of {place} from {file}"))
            }
            _ => {
                ("pinned".to_owned(), "pin that one (--tls-fingerprint, or tls_fingerprint in the settings)".to_owned())
            }
        };
        let what = format!(
            "THE CERTIFICATE OF {server} IS ANOTHER ONE\n{pinned_by}: {pinned}\nshown now: {shown}\nEither the server has a new \
             one, or somebody is in between and wants to read and change what is said.\nAsk the operator of the server; if \
             the new one is right, {remedy}"
        );
        Failure::new(Failure::UNAVAILABLE, what)
    }
}

/// Asks; whatever is not a clear yes is a no.
fn is_yes(question: &str) -> bool {
    let mut stderr = io::stderr().lock();
    let asked = stderr.write_all(question.as_bytes()).and_then(|()| stderr.flush());
    let mut answer = String::new();
    asked.is_ok()
        && io::stdin().lock().read_line(&mut answer).is_ok()
        && matches!(answer.trim().to_lowercase().as_str(), "y" | "yes")
}
