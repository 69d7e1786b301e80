//! What may stand in the keys that are texts: pure checks, each with a sentence that says what is allowed.

use std::net::Ipv6Addr;

use crate::model::Text;
use crate::settings::{Rule, is_short};

pub(super) use crate::settings::{PATH, TIMESTAMP};

/// The most bytes of `server.motd`.
const MAX_MOTD_BYTES: usize = 4096;

/// The most bytes of a path of a Unix socket (`sun_path` has 108, one of which ends it).
const MAX_SOCKET_BYTES: usize = 107;

pub(super) const NAME: Rule =
    Rule::Text { allowed: "one line of 1 to 64 bytes", holds: |text| !text.is_empty() && is_short(text) };

pub(super) const NAME_OR_NOTHING: Rule = Rule::Text { allowed: "one line of at most 64 bytes", holds: is_short };

pub(super) const MOTD: Rule = Rule::Text {
    allowed: "a text of at most 4096 bytes without control characters",
    holds: |text| text.is_empty() || Text::parse(text, MAX_MOTD_BYTES).is_ok(),
};

pub(super) const PATH_OR_NOTHING: Rule = Rule::Text { allowed: "a path, or \"\"", holds: |text| !text.contains('\0') };

pub(super) const ADDRESS: Rule = Rule::Text { allowed: ADDRESSES, holds: |text| check_address(text).is_ok() };

pub(super) const ADDRESS_OR_NOTHING: Rule = Rule::Text {
    allowed: "\"HOST:PORT\", or \"\"",
    holds: |text| text.is_empty() || (check_address(text).is_ok() && !text.starts_with("unix:")),
};

pub(super) const FILTER: Rule = Rule::Text {
    allowed: "\"error\", \"warn\", \"info\", \"debug\", \"trace\" or \"off\", or such as \"info,snakk::net=debug\"",
    holds: is_filter,
};

/// Checks what is to be logged: the text of `log.level`.
///
/// # Errors
/// What is allowed.
pub fn check_log_level(text: &str) -> Result<(), &'static str> {
    match FILTER {
        Rule::Text { allowed, .. } if !is_filter(text) => Err(allowed),
        _ => Ok(()),
    }
}

const ADDRESSES: &str = "\"HOST:PORT\", \"[IPV6]:PORT\" or \"unix:PATH\"";

/// Checks the text of a listener's address, without looking anything up.
///
/// # Errors
/// What is allowed.
pub fn check_address(text: &str) -> Result<(), &'static str> {
    let holds = match text.strip_prefix("unix:") {
        Some(path) => !path.is_empty() && path.len() <= MAX_SOCKET_BYTES && !path.contains('\0'),
        None => text.rsplit_once(':').is_some_and(|(host, port)| is_host(host) && is_port(port)),
    };
    if holds { Ok(()) } else { Err(ADDRESSES) }
}

fn is_host(host: &str) -> bool {
    match host.strip_prefix('[') {
        Some(rest) => rest.strip_suffix(']').is_some_and(|address| address.parse::<Ipv6Addr>().is_ok()),
        None => {
            let is_label = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_');
            !host.is_empty() && host.len() <= 253 && host.bytes().all(is_label)
        }
    }
}

fn is_port(port: &str) -> bool {
    // `parse` alone would take "+80".
    port.bytes().all(|byte| byte.is_ascii_digit()) && port.parse::<u16>().is_ok()
}

/// `LEVEL` or `TARGET=LEVEL`, several with commas between; not what `RUST_LOG` of other programs also allows (spans, fields).
fn is_filter(text: &str) -> bool {
    let is_level = |word: &str| {
        ["error", "warn", "info", "debug", "trace", "off"].iter().any(|level| level.eq_ignore_ascii_case(word))
    };
    let is_target = |word: &str| {
        !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b':' | b'-'))
    };
    text.split(',').all(|directive| match directive.trim().split_once('=') {
        Some((target, level)) => is_target(target) && is_level(level),
        None => is_level(directive.trim()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_checked_as_text() {
        for good in
            ["127.0.0.1:9998", "0.0.0.0:0", "[::1]:9998", "[::]:1", "localhost:65535", "a-b.c_d:7", "unix:a/b.sock"]
        {
            assert!(check_address(good).is_ok(), "{good}");
        }
        let long = format!("unix:/{}", "x".repeat(107));
        let bad =
            ["", ":", "9998", ":9998", "a:", "a:65536", "a:-1", "a:+1", "a b:1", "::1:9998", "[::1]", "[x]:1", "unix:"];
        for bad in bad.into_iter().chain(["tls://a:1", "a:1 ", "a:0x1", "é:1", long.as_str()]) {
            assert!(check_address(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn levels_and_filters_are_checked_as_text() {
        for good in ["info", "OFF", "info,snakk=debug", "snakk::net=trace", "warn, snakk::store=off"] {
            assert!(is_filter(good), "{good}");
        }
        for bad in ["", "inf", "snakk", "snakk=", "=info", "info,", "snakk=loud", "snakk[span]=info"] {
            assert!(!is_filter(bad), "{bad}");
        }
    }
}
