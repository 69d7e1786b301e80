//! What the scenarios share: folders for data, servers, members in rooms, and data that was prepared once.

use std::cell::RefCell;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result};
use tempfile::TempDir;

use crate::args::{Common, Target};
use crate::client::{Fleet, Freed, Stay};
use crate::control::Control;
use crate::daemon::Server;
use crate::populace::{self, Size};
use crate::process::{Cpu, busy_machine};
use crate::report::Figure;
use crate::wire::Wire;

/// Logins and joins under way at the same time while a scenario is set up.
const SETTING_UP: usize = 128;
/// The room whose long history `history` and `start` use.
pub(crate) const LONG_ROOM: &str = "long";
/// The database in the daemon's data.
const DATABASE: &str = "snakk.db";
/// Beside it when it is finished.
const MADE: &str = "made";

pub(crate) struct Bench {
    pub(crate) common: Common,
    program: PathBuf,
    dir: TempDir,
    /// Folders of the daemon with a room of so many messages.
    filled: RefCell<Vec<(u32, TempDir)>>,
    /// Folders with big databases.
    peopled: RefCell<Vec<(Size, TempDir)>>,
}

/// A server in a new folder, which goes when this does.
pub(crate) struct Fresh {
    pub(crate) server: Server,
    _dir: TempDir,
}

impl Bench {
    pub(crate) fn new(common: Common) -> Result<Self> {
        let executable = std::env::current_exe()?;
        // target/release/examples/load, so target/release/snakkd and target/tmp.
        let above = |levels| executable.ancestors().nth(levels).map(Path::to_owned).unwrap_or_default();
        let program = common.daemon.clone().unwrap_or_else(|| above(2).join("snakkd"));
        let parent = common.dir.clone().unwrap_or_else(|| above(3).join("tmp"));
        std::fs::create_dir_all(&parent).with_context(|| format!("cannot create {}", parent.display()))?;
        let dir = tempfile::Builder::new().prefix("load-").tempdir_in(&parent)?;
        Ok(Self { common, program, dir, filled: RefCell::default(), peopled: RefCell::default() })
    }

    pub(crate) fn dir(&self) -> &Path {
        self.dir.path()
    }

    pub(crate) fn new_folder(&self) -> Result<TempDir> {
        Ok(TempDir::new_in(&self.dir)?)
    }

    pub(crate) fn start(&self, target: Target) -> Result<Fresh> {
        let dir = self.new_folder()?;
        Ok(Fresh { server: self.start_in(target, dir.path())?, _dir: dir })
    }

    pub(crate) fn start_in(&self, target: Target, dir: &Path) -> Result<Server> {
        Server::start(target, &self.program, dir, self.common.durability)
    }

    /// New rooms on `server`, still empty.
    pub(crate) fn rooms(&self, server: &Server, count: u16) -> Result<Fleet> {
        let names: Vec<String> = (0..count).map(|index| format!("r{index}")).collect();
        create_rooms(server, &names)?;
        Fleet::new(server.wire(), &names, usize::from(self.common.bytes))
    }

    /// New rooms on `server`, each with members that follow it.
    pub(crate) fn members(&self, server: &Server, rooms: u16, members: u16) -> Result<Fleet> {
        let mut fleet = self.rooms(server, rooms)?;
        fleet.connect(server.address, members, SETTING_UP)?;
        fleet.join(SETTING_UP, Stay::Following)?;
        Ok(fleet)
    }

    /// A folder in which a snakkd that was stopped has left a room with `messages` messages.
    pub(crate) fn filled(&self, messages: u32) -> Result<PathBuf> {
        if let Some((_, dir)) = self.filled.borrow().iter().find(|(count, _)| *count == messages) {
            return Ok(dir.path().to_owned());
        }
        eprintln!("  posting {messages} messages");
        let dir = self.new_folder()?;
        let server = self.start_in(Target::Snakk, dir.path())?;
        let names = [LONG_ROOM.to_owned()];
        create_rooms(&server, &names)?;
        let mut fleet = Fleet::new(Wire::Snakk, &names, usize::from(self.common.bytes))?;
        fleet.connect(server.address, 8, SETTING_UP)?;
        fleet.join(SETTING_UP, Stay::Unfollowing)?;
        fleet.keep_in_flight(256, Freed::Acknowledged, u64::from(messages))?;
        fleet.drain()?;
        server.stop()?;
        let path = dir.path().to_owned();
        self.filled.borrow_mut().push((messages, dir));
        Ok(path)
    }
}

impl Bench {
    /// A folder with a database of that size, and whether it has just been made: then its index of words is not complete.
    pub(crate) fn peopled(&self, size: Size, keep: Option<&Path>) -> Result<(PathBuf, bool)> {
        let path = match keep {
            // The daemon reads its paths from another folder.
            Some(keep) => std::path::absolute(keep)?.join(format!("{}-messages", size.messages)),
            None => {
                let known = self
                    .peopled
                    .borrow()
                    .iter()
                    .find(|(known, _)| *known == size)
                    .map(|(_, dir)| dir.path().to_owned());
                match known {
                    Some(path) => path,
                    None => {
                        let dir = self.new_folder()?;
                        let path = dir.path().to_owned();
                        self.peopled.borrow_mut().push((size, dir));
                        path
                    }
                }
            }
        };
        let data = path.join("data");
        if data.join(MADE).exists() {
            return Ok((path, false));
        }
        eprintln!("  making {} messages, {} rooms, {} accounts", size.messages, size.rooms(), size.accounts());
        std::fs::create_dir_all(&data)?;
        for entry in std::fs::read_dir(&data)? {
            std::fs::remove_file(entry?.path())?;
        }
        populace::make(&data.join(DATABASE), size)?;
        Ok((path, true))
    }

    /// Completes the index of words of such a database.
    pub(crate) fn index(&self, folder: &Path) -> Result<()> {
        let data = folder.join("data");
        populace::index(&data.join(DATABASE))?;
        Ok(std::fs::write(data.join(MADE), "")?)
    }
}

impl Fresh {
    pub(crate) fn stop(self) -> Result<()> {
        self.server.stop()
    }
}

fn create_rooms(server: &Server, names: &[String]) -> Result<()> {
    if server.wire() == Wire::Snakk {
        let mut control = Control::log_in(server.address, "builder")?;
        for name in names {
            control.ask(&format!(r#"{{"request":"create","room":"{name}"}}"#))?;
        }
    }
    Ok(())
}

/// What the server and this program have used of the processor up to one moment.
pub(crate) struct Moment {
    server: Cpu,
    generator: Cpu,
    machine: Duration,
}

impl Moment {
    pub(crate) fn now(server: &Server) -> Result<Self> {
        Ok(Self { server: Cpu::of(server.pid())?, generator: Cpu::of(std::process::id())?, machine: busy_machine()? })
    }

    pub(crate) fn seconds_since(&self, earlier: &Moment) -> f64 {
        self.server.seconds_since(&earlier.server)
    }

    /// Processor time of the server since `earlier`.
    pub(crate) fn server_since(&self, earlier: &Moment) -> Duration {
        self.server.since(&earlier.server)
    }

    /// Who used how much of one core since `earlier`, in percent: how far the other figures can be trusted. A generator
    /// near 100 was the limit itself; what other programs used was missing.
    pub(crate) fn shares(&self, earlier: &Moment) -> [Figure; 3] {
        let generator = self.generator.percent_since(&earlier.generator);
        let machine = (self.machine - earlier.machine).as_secs_f64() * 100.0 / self.seconds_since(earlier).max(1e-9);
        let others = (machine - generator - self.server_percent(earlier)).max(0.0);
        [
            Figure::new("server's CPU", "% of a core", self.server_percent(earlier)),
            Figure::new("generator's CPU", "% of a core", generator),
            Figure::new("other programs' CPU", "% of a core", others),
        ]
    }

    /// What the server used of one core since `earlier`, in percent.
    pub(crate) fn server_percent(&self, earlier: &Moment) -> f64 {
        self.server.percent_since(&earlier.server)
    }
}
