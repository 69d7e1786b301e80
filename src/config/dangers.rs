//! What is allowed, but may not be what whoever wrote it wants: said by `check` and at the start, and no error.

use std::net::IpAddr;
use std::time::Duration;

use super::{Config, Durability, LimitsSection, Registration, Rotation};
use crate::settings::Setting;

/// `TimeoutStopSec=` in `systemd/snakkd.service`.
const UNIT_PATIENCE: Duration = Duration::from_secs(30);

/// One sentence each.
pub(super) fn find(config: &Config) -> Vec<String> {
    let mut found = Vec::new();
    let accounts = &config.accounts;
    if !accounts.guests && accounts.registration == Registration::Closed {
        found.push(
            "accounts.guests = false and accounts.registration = \"closed\": only those can log in for whom \
             \"snakkd user add\" has made an account"
                .to_owned(),
        );
    }
    for listener in config.listeners.iter().filter(|listener| is_exposed(&listener.address)) {
        let address = &listener.address;
        if listener.tls.is_none() {
            found.push(format!(
                "listener.address = {address:?} can be reached from other machines and has no tls: passwords, and all that \
                 is said, can be read on the way"
            ));
        }
        let open = match (accounts.guests, accounts.registration) {
            (true, Registration::Open) => "accounts.guests = true and accounts.registration = \"open\"",
            (true, _) => "accounts.guests = true",
            (false, Registration::Open) => "accounts.registration = \"open\"",
            (false, _) => continue,
        };
        if listener.tls.is_none() {
            found.push(format!("{open}: whoever reaches {address} may come in"));
        }
    }
    let metrics = &config.metrics.address;
    if !metrics.is_empty() && is_exposed(metrics) {
        found.push(format!(
            "metrics.address = {metrics:?}: whoever reaches that address can read the figures, and how the server is; \
             there is neither a password nor encryption"
        ));
    }
    let exposed = config.listeners.iter().any(|listener| is_exposed(&listener.address));
    for key in unlimited(&config.limits).into_iter().filter(|_| exposed) {
        found.push(format!("{key} = 0 switches that limit off, and there are listeners that others can reach"));
    }
    if config.limits.message_burst == 0 && config.limits.messages_per_second > 0 {
        found.push(
            "limits.message_burst = 0 counts as 1; what switches flood control off is limits.messages_per_second = 0"
                .to_owned(),
        );
    }
    if config.storage.durability == Durability::Normal {
        found.push(
            "storage.durability = \"normal\": a power cut may take messages that were acknowledged last".to_owned(),
        );
    }
    let log = &config.log;
    let talks = |part: &str| {
        let level = part.rsplit('=').next().unwrap_or_default().trim();
        ["debug", "trace"].iter().any(|loud| level.eq_ignore_ascii_case(loud))
    };
    if log.level.split(',').any(talks) {
        found.push(format!("log.level = {:?}: that is meant for a search, and makes a large log", log.level));
    }
    if !log.directory.as_os_str().is_empty() && log.rotation != Rotation::Never && log.keep == 0 {
        found.push("log.keep = 0: log files are never deleted".to_owned());
    }
    if config.server.shutdown_grace >= UNIT_PATIENCE {
        found.push(format!(
            "server.shutdown_grace = {} is not less than the {} s after which the unit that comes with snakkd has a stop \
             end by force (TimeoutStopSec=)",
            config.server.shutdown_grace.written(),
            UNIT_PATIENCE.as_secs()
        ));
    }
    found
}

/// The limits that are off, but for those that are off unless somebody sets them.
fn unlimited(limits: &LimitsSection) -> Vec<&'static str> {
    let all = [
        ("limits.messages_per_second", limits.messages_per_second == 0),
        ("limits.max_connections", limits.max_connections == 0),
        ("limits.max_connections_per_ip", limits.max_connections_per_ip == 0),
        ("limits.max_unauthenticated", limits.max_unauthenticated == 0),
        ("limits.max_sessions_per_user", limits.max_sessions_per_user == 0),
        ("limits.max_frame_bytes", limits.max_frame_bytes == 0),
        ("limits.max_frame_bytes_before_login", limits.max_frame_bytes_before_login == 0),
        ("limits.max_text_bytes", limits.max_text_bytes == 0),
        ("limits.login_timeout", limits.login_timeout.is_zero()),
        ("limits.silent_timeout", limits.silent_timeout.is_zero()),
        ("limits.stall_timeout", limits.stall_timeout.is_zero()),
        ("limits.registrations_per_hour", limits.registrations_per_hour == 0),
        ("limits.password_attempts", limits.password_attempts == 0),
        ("limits.rooms_per_user", limits.rooms_per_user == 0),
        ("limits.search_timeout", limits.search_timeout.is_zero()),
    ];
    all.into_iter().filter_map(|(key, off)| off.then_some(key)).collect()
}

/// Whether other machines may be able to reach an address.
fn is_exposed(address: &str) -> bool {
    if address.starts_with("unix:") {
        return false;
    }
    let host = address.rsplit_once(':').map_or("", |(host, _)| host);
    let host = host.trim_start_matches('[').trim_end_matches(']');
    match host.parse::<IpAddr>() {
        Ok(address) => !address.to_canonical().is_loopback(),
        Err(_) => !host.eq_ignore_ascii_case("localhost"),
    }
}
