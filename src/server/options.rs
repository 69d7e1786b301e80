//! The configuration -> the options of the layers.

use std::path::Path;

use crate::chat;
use crate::config::{self, Config, CourseSection};
use crate::net::limiter;
use crate::protocol::{Choice, CourseOptions, HistoryForm};
use crate::server::bridge::Manners;
use crate::store::sqlite;

pub(super) fn chat(config: &Config) -> chat::Options {
    let limits = &config.limits;
    chat::Options {
        name: config.server.name.as_str().into(),
        motd: config.server.motd.as_str().into(),
        guests: config.accounts.guests,
        registration: match config.accounts.registration {
            config::Registration::Open => chat::Registration::Open,
            config::Registration::Invite => chat::Registration::Invite,
            config::Registration::Closed => chat::Registration::Closed,
        },
        names: config.accounts.names,
        default_rooms: config.rooms.standing(),
        creation: match config.rooms.creation {
            config::Creation::Users => chat::Creation::Users,
            config::Creation::Admins => chat::Creation::Admins,
        },
        limits: chat::Limits {
            max_sessions_per_user: u32::try_from(limits.max_sessions_per_user).unwrap_or(u32::MAX),
            max_frame_bytes: limits.max_frame_bytes,
            max_frame_bytes_before_login: limits.max_frame_bytes_before_login,
            max_text_bytes: limits.max_text_bytes,
            stall_timeout: limits.stall_timeout,
            messages_per_second: limits.messages_per_second,
            message_burst: limits.message_burst,
            registrations_per_hour: limits.registrations_per_hour,
            password_attempts: limits.password_attempts,
            rooms_per_user: u32::try_from(limits.rooms_per_user).unwrap_or(u32::MAX),
            room_creations_per_hour: limits.room_creations_per_hour,
        },
    }
}

pub(super) fn manners(config: &Config) -> Manners {
    let limits = &config.limits;
    Manners {
        max_frame_bytes: limits.max_frame_bytes,
        max_frame_bytes_before_login: limits.max_frame_bytes_before_login,
        login_timeout: limits.login_timeout,
        silent_timeout: limits.silent_timeout,
    }
}

pub(super) fn limiter(config: &Config) -> limiter::Limits {
    limiter::Limits {
        max_connections: config.limits.max_connections,
        max_connections_per_ip: config.limits.max_connections_per_ip,
        new_connections_per_minute_per_ip: config.limits.new_connections_per_minute_per_ip,
    }
}

pub(super) fn store(config: &Config, data_dir: &Path) -> sqlite::Options {
    sqlite::Options {
        file: data_dir.join(&config.storage.file),
        durability: match config.storage.durability {
            config::Durability::Full => sqlite::Durability::Full,
            config::Durability::Normal => sqlite::Durability::Normal,
        },
        readers: config.storage.readers,
        writer_queue: config.limits.writer_queue,
    }
}

pub(super) fn dialect(choice: config::ListenerDialect) -> Choice {
    Choice::parse(choice.as_str()).unwrap_or_default()
}

pub(super) fn course(config: &Config, section: &CourseSection) -> CourseOptions {
    CourseOptions {
        room: config.rooms.course.clone(),
        history: HistoryForm::parse(section.history.as_str()).unwrap_or_default(),
        backlog: u32::try_from(section.backlog).unwrap_or(u32::MAX),
        pace: section.pace,
        history_max_bytes: section.history_max_bytes,
        timestamp: section.timestamp.clone(),
        server_name: section.server_name.clone(),
        echo: section.echo,
        notices: section.notices,
        extras: section.extras,
        close_after_logout: section.close_after_logout,
    }
}
