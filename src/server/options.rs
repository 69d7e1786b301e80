//! The configuration -> the options of the layers.

use std::path::Path;
use std::sync::Arc;

use crate::chat;
use crate::config::{Config, CourseHistory, CourseSection, ListenerDialect};
use crate::net::{connection, limiter};
use crate::protocol::{Choice, CourseOptions, HistoryForm};
use crate::server::accept::Terms;
use crate::server::bridge::Manners;
use crate::store::sqlite;

pub(super) fn chat(config: &Config) -> chat::Options {
    let limits = &config.limits;
    chat::Options {
        name: config.server.name.as_str().into(),
        motd: config.server.motd.as_str().into(),
        guests: config.accounts.guests,
        registration: config.accounts.registration,
        names: config.accounts.names,
        default_rooms: config.rooms.standing(),
        creation: config.rooms.creation,
        retention_days: config.rooms.retention_days,
        retention_entries: config.rooms.retention_entries,
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
            search_timeout: limits.search_timeout,
        },
    }
}

/// What holds for connections; `ends` is how they are told to end.
pub(super) fn terms(config: &Config, ends: &connection::Options) -> Terms {
    let limits = &config.limits;
    let manners = Manners {
        max_frame_bytes: unless_zero(limits.max_frame_bytes),
        max_frame_bytes_before_login: unless_zero(limits.max_frame_bytes_before_login),
        login_timeout: limits.login_timeout,
        silent_timeout: limits.silent_timeout,
    };
    let connection = connection::Options { stall_timeout: limits.stall_timeout, ..ends.clone() };
    Terms { manners, max_unauthenticated: limits.max_unauthenticated, connection: Arc::new(connection) }
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
        durability: config.storage.durability,
        readers: config.storage.readers,
        writer_queue: config.limits.writer_queue,
    }
}

pub(super) fn dialect(choice: ListenerDialect) -> Choice {
    match choice {
        ListenerDialect::Auto => Choice::Auto,
        ListenerDialect::Native => Choice::Native,
        ListenerDialect::Course2014 => Choice::Course2014,
        ListenerDialect::Course2015 => Choice::Course2015,
    }
}

pub(super) fn course(config: &Config, section: &CourseSection) -> CourseOptions {
    CourseOptions {
        room: config.rooms.course.clone(),
        history: match section.history {
            CourseHistory::Messages => HistoryForm::Messages,
            CourseHistory::Strings => HistoryForm::Strings,
            CourseHistory::Objects => HistoryForm::Objects,
            CourseHistory::Text => HistoryForm::Text,
            CourseHistory::Each => HistoryForm::Each,
            CourseHistory::None => HistoryForm::None,
        },
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

/// 0 switches a limit off.
fn unless_zero(limit: usize) -> usize {
    if limit == 0 { usize::MAX } else { limit }
}
