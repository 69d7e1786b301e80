//! New settings for a server that runs: what can hold at once does, for those who are connected too where that makes
//! sense, and of the rest it is said that it waits.

use crate::config::{Config, ConfigErrors};
use crate::server::options;
use crate::server::running::Server;

/// What came of new settings. Keys are named as `section.key`; `listener` stands for all that is in that list.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Reloaded {
    /// What has changed, and holds now.
    pub changed: Vec<String>,
    /// What has changed, and holds from the next start on.
    pub restart: Vec<String>,
}

impl Server {
    /// Takes over new settings, without ending a session: limits, who may come in, what the server is called and says to
    /// those who come, how long what was said is kept, and the grace. What is about a connection as such (the limits on
    /// frames and on the time that a login or a stall may take) holds for those that come from now on.
    ///
    /// The log's level is the program's business, and certificates have [`reload_certificates`](Server::reload_certificates).
    /// Neither listeners nor files are changed; only a control socket whose file somebody has deleted is made again.
    ///
    /// # Errors
    /// What is wrong with the settings; then nothing has changed.
    pub fn reload(&self, new: &Config) -> Result<Reloaded, ConfigErrors> {
        new.check()?;
        let mut new = new.clone();
        if self.own_listeners {
            // Those of the configuration were replaced at the start, and would be again.
            new.listeners.clone_from(&self.config().listeners);
        }
        let mut running = self.config();
        let before = running.clone();
        take_over(&mut running, &new);
        let (changed, restart) = (before.differences(&running), running.differences(&new));
        self.door.chat.set_options(options::chat(&running));
        self.door.set_terms(options::terms(&running, &self.door.terms().connection));
        self.door.limiter.set_limits(options::limiter(&running));
        if let Some(control) = &self.control {
            control.notify_one();
        }
        Ok(Reloaded { changed, restart })
    }
}

/// What holds at once.
fn take_over(running: &mut Config, new: &Config) {
    let (server, accounts, rooms) = (&mut running.server, &mut running.accounts, &mut running.rooms);
    server.name.clone_from(&new.server.name);
    server.motd.clone_from(&new.server.motd);
    server.shutdown_grace = new.server.shutdown_grace;
    (accounts.guests, accounts.registration) = (new.accounts.guests, new.accounts.registration);
    rooms.creation = new.rooms.creation;
    (rooms.retention_days, rooms.retention_entries) = (new.rooms.retention_days, new.rooms.retention_entries);
    let writer_queue = running.limits.writer_queue;
    running.limits = new.limits.clone();
    running.limits.writer_queue = writer_queue;
    // The program changes it, if it has a log.
    running.log.level.clone_from(&new.log.level);
}
