//! The sections as plain values, with the defaults.

use std::path::{Path, PathBuf};
use std::time::Duration;

use super::{CourseHistory, Creation, Durability, ListenerDialect, LogFormat, Registration, Rotation};
use crate::model::{NameRule, RoomName};

/// `[server]`
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct ServerSection {
    /// What the server calls itself.
    pub name: String,
    /// What it says to everybody who comes in. May have several lines.
    pub motd: String,
    /// Where everything is that it keeps. Without it the program asks its environment.
    pub data_dir: Option<PathBuf>,
    /// The Unix socket through which the daemon takes orders, relative to the data directory.
    pub control_socket: PathBuf,
    /// How long a shutdown may take.
    pub shutdown_grace: Duration,
}

impl Default for ServerSection {
    fn default() -> ServerSection {
        ServerSection {
            name: "snakk".to_owned(),
            motd: String::new(),
            data_dir: None,
            control_socket: "control.sock".into(),
            shutdown_grace: Duration::from_secs(10),
        }
    }
}

/// `[[listener]]`
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct ListenerSection {
    /// `HOST:PORT`, `[IPV6]:PORT` or `unix:PATH` (relative to the data directory). Port 0 picks a free one.
    pub address: String,
    /// What is spoken there.
    pub dialect: ListenerDialect,
    /// The certificate, where the connections are encrypted.
    pub tls: Option<TlsSection>,
    /// What is different from `[course]` on this listener; [`CourseOverrides::over`] puts the two together.
    pub course: CourseOverrides,
}

impl ListenerSection {
    /// A listener on that address, with the defaults for all else.
    pub fn new(address: impl Into<String>) -> ListenerSection {
        ListenerSection { address: address.into(), ..ListenerSection::default() }
    }
}

impl Default for ListenerSection {
    fn default() -> ListenerSection {
        ListenerSection {
            address: "127.0.0.1:9998".to_owned(),
            dialect: ListenerDialect::default(),
            tls: None,
            course: CourseOverrides::default(),
        }
    }
}

/// `tls = { .. }` in a `[[listener]]`
///
/// # Example
/// ```
/// use snakk::config::{ListenerSection, TlsSection};
///
/// let mut config = snakk::Config::default();
/// let mut listener = ListenerSection::new("0.0.0.0:9999");
/// listener.tls = Some(TlsSection::new("/etc/snakk/snakk.crt", "/etc/snakk/snakk.key"));
/// config.listeners = vec![listener];
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct TlsSection {
    /// The file of the certificate (PEM), with those between it and an authority behind it.
    pub certificate: PathBuf,
    /// The file of its key (PEM), without a password.
    pub key: PathBuf,
}

impl TlsSection {
    /// This certificate, and this key.
    pub fn new(certificate: impl Into<PathBuf>, key: impl Into<PathBuf>) -> TlsSection {
        TlsSection { certificate: certificate.into(), key: key.into() }
    }
}

/// `[storage]`
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct StorageSection {
    /// The database, relative to the data directory.
    pub file: PathBuf,
    /// What survives what.
    pub durability: Durability,
    /// How many connections read at the same time.
    pub readers: usize,
}

impl Default for StorageSection {
    fn default() -> StorageSection {
        StorageSection { file: "snakk.db".into(), durability: Durability::default(), readers: 2 }
    }
}

/// `[accounts]`
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct AccountsSection {
    /// Whether one may come in without an account.
    pub guests: bool,
    /// Who may make an account.
    pub registration: Registration,
    /// Which names users may have.
    pub names: NameRule,
}

impl Default for AccountsSection {
    fn default() -> AccountsSection {
        AccountsSection { guests: true, registration: Registration::default(), names: NameRule::default() }
    }
}

/// `[rooms]`
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct RoomsSection {
    /// Rooms that always exist.
    pub default: Vec<RoomName>,
    /// The room of the course dialects. It always exists, too.
    pub course: RoomName,
    /// Who may make a room.
    pub creation: Creation,
    /// How many days an entry is kept; 0 is for ever.
    pub retention_days: u32,
    /// How many entries of a room are kept; 0 is all.
    pub retention_entries: u64,
}

impl Default for RoomsSection {
    fn default() -> RoomsSection {
        let lobby = RoomName::trusted("lobby");
        RoomsSection {
            default: vec![lobby.clone()],
            course: lobby,
            creation: Creation::default(),
            retention_days: 0,
            retention_entries: 0,
        }
    }
}

impl RoomsSection {
    /// The rooms that always exist, each once: the default ones and that of the course dialects.
    pub fn standing(&self) -> Vec<RoomName> {
        let mut rooms: Vec<RoomName> = Vec::new();
        for room in self.default.iter().chain([&self.course]) {
            if !rooms.contains(room) {
                rooms.push(room.clone());
            }
        }
        rooms
    }
}

/// `[limits]`. 0 (of a time: `"0s"`) switches a limit off.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct LimitsSection {
    /// Connections in all.
    pub max_connections: usize,
    /// Connections from one address (an IPv6 one counts by its /64).
    pub max_connections_per_ip: usize,
    /// Connections that have not logged in.
    pub max_unauthenticated: usize,
    /// Sessions of one user.
    pub max_sessions_per_user: usize,
    /// Bytes of one object from a client.
    pub max_frame_bytes: usize,
    /// The same before its login; never more than `max_frame_bytes`.
    pub max_frame_bytes_before_login: usize,
    /// Bytes of one message's text.
    pub max_text_bytes: usize,
    /// How long a native connection may take to log in, from its first byte.
    pub login_timeout: Duration,
    /// How long a connection may say nothing at all, and a course session wait before its login.
    pub silent_timeout: Duration,
    /// How long a peer may take no byte of what waits for it.
    pub stall_timeout: Duration,
    /// Messages of one user, over time.
    pub messages_per_second: u32,
    /// Messages of one user at once, before that counts.
    pub message_burst: u32,
    /// New accounts from one address in an hour.
    pub registrations_per_hour: u32,
    /// Wrong passwords, for an address and for an address and account, before one must wait.
    pub password_attempts: u32,
    /// Rooms that one account may own.
    pub rooms_per_user: usize,
    /// New connections from one address in a minute.
    pub new_connections_per_minute_per_ip: u32,
    /// New rooms of one user in an hour.
    pub room_creations_per_hour: u32,
    /// Writes that may wait for their commit. This one cannot be switched off: memory has to end somewhere.
    pub writer_queue: usize,
    /// How long one search may take.
    pub search_timeout: Duration,
}

impl Default for LimitsSection {
    fn default() -> LimitsSection {
        LimitsSection {
            max_connections: 10_000,
            max_connections_per_ip: 64,
            max_unauthenticated: 256,
            max_sessions_per_user: 10,
            max_frame_bytes: 65_536,
            max_frame_bytes_before_login: 8192,
            max_text_bytes: 16_384,
            login_timeout: Duration::from_secs(30),
            silent_timeout: Duration::from_secs(600),
            stall_timeout: Duration::from_secs(60),
            messages_per_second: 5,
            message_burst: 20,
            registrations_per_hour: 5,
            password_attempts: 5,
            rooms_per_user: 50,
            new_connections_per_minute_per_ip: 0,
            room_creations_per_hour: 0,
            writer_queue: 4096,
            search_timeout: Duration::from_secs(2),
        }
    }
}

/// A section and, with the same fields, what a listener may say instead. The two must not drift apart.
macro_rules! course_section {
    ($($(#[$doc:meta])* $field:ident: $type:ty = $default:expr,)*) => {
        /// `[course]`: the defaults are those with which the most of the real course clients simply work.
        #[derive(Clone, Debug, PartialEq)]
        #[non_exhaustive]
        pub struct CourseSection {
            $($(#[$doc])* pub $field: $type,)*
        }

        impl Default for CourseSection {
            fn default() -> CourseSection {
                CourseSection { $($field: $default,)* }
            }
        }

        /// `course = { .. }` in a `[[listener]]`: what is different there.
        #[derive(Clone, Debug, Default, PartialEq)]
        #[non_exhaustive]
        pub struct CourseOverrides {
            $($(#[$doc])* pub $field: Option<$type>,)*
        }

        impl CourseOverrides {
            /// The knobs of a listener: its own where it has one, those of `[course]` otherwise.
            pub fn over(&self, course: &CourseSection) -> CourseSection {
                CourseSection { $($field: self.$field.clone().unwrap_or_else(|| course.$field.clone()),)* }
            }
        }
    };
}

course_section! {
    /// The form of the backlog.
    history: CourseHistory = CourseHistory::default(),
    /// How many messages the backlog has.
    backlog: usize = 50,
    /// The pause between two objects to the same client; most of them take what arrives together for one.
    pace: Duration = Duration::from_millis(100),
    /// The most bytes of an object that holds a list of the backlog.
    history_max_bytes: usize = 1000,
    /// The form of a time (strftime), in local time.
    timestamp: String = "%Y-%m-%d %H:%M:%S".to_owned(),
    /// Who the server says it is.
    server_name: String = "Server".to_owned(),
    /// Whether one gets to see one's own messages.
    echo: bool = true,
    /// Whether it is said who came and went.
    notices: bool = false,
    /// Whether there are keys which the assignment of 2014 does not have, but some of its clients need.
    extras: bool = true,
    /// Whether the connection is closed behind a logout.
    close_after_logout: bool = false,
}

/// `[log]`
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct LogSection {
    /// `error`, `warn`, `info`, `debug`, `trace` or `off`; or a list of `TARGET=LEVEL`.
    pub level: String,
    /// How a line is written.
    pub format: LogFormat,
    /// Where the files are, relative to the data directory. Empty: to standard error.
    pub directory: PathBuf,
    /// When a new file is begun.
    pub rotation: Rotation,
    /// How many files are kept; 0 is all.
    pub keep: usize,
}

impl Default for LogSection {
    fn default() -> LogSection {
        LogSection {
            level: "info".to_owned(),
            format: LogFormat::default(),
            directory: PathBuf::new(),
            rotation: Rotation::default(),
            keep: 14,
        }
    }
}

impl LogSection {
    /// Where the log files are, if there are any.
    pub fn directory_in(&self, data_dir: &Path) -> Option<PathBuf> {
        (!self.directory.as_os_str().is_empty()).then(|| data_dir.join(&self.directory))
    }
}

/// `[metrics]`
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct MetricsSection {
    /// Where `/metrics` and `/health` are served. Empty: nowhere.
    pub address: String,
}
