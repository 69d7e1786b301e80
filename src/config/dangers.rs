//! What is allowed, but may not be what whoever wrote it wants: said by `check` and at the start, and no error.

use std::net::IpAddr;

use super::{Config, Registration};

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
    let unlimited = [
        ("limits.messages_per_second", config.limits.messages_per_second == 0),
        ("limits.max_connections", config.limits.max_connections == 0),
        ("limits.max_connections_per_ip", config.limits.max_connections_per_ip == 0),
        ("limits.max_unauthenticated", config.limits.max_unauthenticated == 0),
        ("limits.max_frame_bytes", config.limits.max_frame_bytes == 0),
        ("limits.password_attempts", config.limits.password_attempts == 0),
        ("limits.stall_timeout", config.limits.stall_timeout.is_zero()),
    ];
    for (key, _) in unlimited.iter().filter(|(_, off)| *off && exposed) {
        found.push(format!("{key} = 0 switches that limit off, and there are listeners that others can reach"));
    }
    found
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
