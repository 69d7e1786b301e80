//! Where a server listens, and where a client goes: an address as people write it.

use std::fmt;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::path::PathBuf;
use std::str::FromStr;

/// An address as text: `HOST:PORT`, `[::1]:PORT`, `unix:PATH` or `tls://HOST:PORT`. `Display` writes what can be parsed.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Address {
    /// A TCP port of a host.
    Tcp(Host, u16),
    /// A Unix socket.
    Unix(PathBuf),
    /// A TCP port of a host that speaks TLS.
    Tls(Host, u16),
}

/// A host: an IP address or a name. Only a host that was checked exists.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Host(String);

impl Host {
    /// The name or address, without brackets, as a resolver takes it.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Why a text is no address.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AddressError {
    /// Nothing at all.
    #[error("an address is needed, such as 127.0.0.1:{default}", default = Address::DEFAULT_PORT)]
    Empty,
    /// A port without a host.
    #[error("{text:?} has no host; use 127.0.0.1 (this computer), 0.0.0.0 or [::] (every interface)")]
    NoHost {
        /// What was given.
        text: String,
    },
    /// A host without a port.
    #[error("{text:?} has no port; write {text}:{default}", default = Address::DEFAULT_PORT)]
    NoPort {
        /// What was given.
        text: String,
    },
    /// The port is no port.
    #[error("{port:?} is not a port (a number from 0 to 65535)")]
    BadPort {
        /// What stands where the port should be.
        port: String,
    },
    /// The host is no host.
    #[error("{host:?} is neither an IP address nor a host name")]
    BadHost {
        /// What stands where the host should be.
        host: String,
    },
    /// An IPv6 address without brackets: its port could not be told from it.
    #[error("an IPv6 address stands in brackets, such as [::1]:{default}; {text:?} has none", default = Address::DEFAULT_PORT)]
    NoBrackets {
        /// What was given.
        text: String,
    },
    /// `unix:` without a path.
    #[error("\"unix:\" needs a path, such as unix:/run/snakk/snakk.sock")]
    NoPath,
    /// Another kind of address.
    #[error("{scheme:?} is not known; an address is HOST:PORT, unix:PATH or tls://HOST:PORT")]
    BadScheme {
        /// What stands before `://`.
        scheme: String,
    },
}

impl Address {
    /// The port that clients use where none is named.
    pub const DEFAULT_PORT: u16 = 9998;

    /// Parses an address where clients name a server: the port may be left out.
    ///
    /// # Errors
    /// [`AddressError`] says what is wrong with the text.
    pub fn parse_server(text: &str) -> Result<Address, AddressError> {
        parse(text, Some(Address::DEFAULT_PORT))
    }
}

impl FromStr for Address {
    type Err = AddressError;

    /// Parses an address with its port.
    fn from_str(text: &str) -> Result<Address, AddressError> {
        parse(text, None)
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (scheme, Host(host), port) = match self {
            Address::Unix(path) => return write!(f, "unix:{}", path.display()),
            Address::Tcp(host, port) => ("", host, port),
            Address::Tls(host, port) => ("tls://", host, port),
        };
        if host.contains(':') { write!(f, "{scheme}[{host}]:{port}") } else { write!(f, "{scheme}{host}:{port}") }
    }
}

fn parse(text: &str, default_port: Option<u16>) -> Result<Address, AddressError> {
    if text.is_empty() {
        return Err(AddressError::Empty);
    }
    if let Some(path) = text.strip_prefix("unix:") {
        return if path.is_empty() { Err(AddressError::NoPath) } else { Ok(Address::Unix(path.into())) };
    }
    match text.split_once("://") {
        None => host_and_port(text, default_port).map(|(host, port)| Address::Tcp(host, port)),
        Some(("tls", rest)) => host_and_port(rest, default_port).map(|(host, port)| Address::Tls(host, port)),
        Some((scheme, _)) => Err(AddressError::BadScheme { scheme: scheme.to_owned() }),
    }
}

fn host_and_port(text: &str, default_port: Option<u16>) -> Result<(Host, u16), AddressError> {
    let (host, port) = if let Some(rest) = text.strip_prefix('[') {
        let Some((inside, behind)) = rest.split_once(']') else {
            return Err(AddressError::BadHost { host: text.to_owned() });
        };
        // A link-local address may name its interface: fe80::1%eth0.
        let (ip, zone) = inside.split_once('%').unwrap_or((inside, "0"));
        if ip.parse::<Ipv6Addr>().is_err() || !is_name(zone) {
            return Err(AddressError::BadHost { host: inside.to_owned() });
        }
        match behind.strip_prefix(':') {
            Some(port) => (inside, Some(port)),
            None if behind.is_empty() => (inside, None),
            None => return Err(AddressError::BadPort { port: behind.to_owned() }),
        }
    } else {
        let (host, port) = text.rsplit_once(':').map_or((text, None), |(host, port)| (host, Some(port)));
        if host.contains(':') {
            return Err(AddressError::NoBrackets { text: text.to_owned() });
        }
        if host.is_empty() {
            return Err(AddressError::NoHost { text: text.to_owned() });
        }
        // What looks like numbers only must be an IPv4 address: resolvers take "127.1" or "1" for one too, in surprising ways.
        let numeric = host.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
        if !is_name(host) || (numeric && host.parse::<Ipv4Addr>().is_err()) {
            return Err(AddressError::BadHost { host: host.to_owned() });
        }
        (host, port)
    };
    let port = match port {
        Some(digits) if !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit()) => digits.parse().ok(),
        Some(_) => None,
        None => Some(default_port.ok_or_else(|| AddressError::NoPort { text: text.to_owned() })?),
    };
    match port {
        Some(number) => Ok((Host(host.to_owned()), number)),
        None => Err(AddressError::BadPort { port: text.rsplit(':').next().unwrap_or_default().to_owned() }),
    }
}

/// Whether this can be a host's name. Letters of all scripts are left to the resolver.
fn is_name(name: &str) -> bool {
    !name.is_empty() && name.len() <= 253 && name.chars().all(|c| c.is_alphanumeric() || matches!(c, '.' | '-' | '_'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read_and_written_alike() {
        for text in [
            "127.0.0.1:9998",
            "0.0.0.0:0",
            "localhost:1",
            "chat.example.org:65535",
            "[::1]:9998",
            "[::]:80",
            "[fe80::1%eth0]:9998",
            "unix:/run/snakk.sock",
            "unix:chat.sock",
            "tls://chat.example.org:9998",
            "tls://[::1]:9998",
        ] {
            assert_eq!(text.parse::<Address>().map(|address| address.to_string()), Ok(text.to_owned()));
            assert_eq!(Address::parse_server(text), text.parse());
        }
    }

    #[test]
    fn a_client_may_leave_the_port_out() {
        for (text, whole) in
            [("localhost", "localhost:9998"), ("[::1]", "[::1]:9998"), ("tls://example.org", "tls://example.org:9998")]
        {
            assert_eq!(Address::parse_server(text).map(|address| address.to_string()), Ok(whole.to_owned()));
            assert!(matches!(text.parse::<Address>(), Err(AddressError::NoPort { .. })), "{text}");
        }
    }

    #[test]
    fn what_is_wrong_is_said() {
        for (text, message) in [
            ("", "an address is needed, such as 127.0.0.1:9998"),
            (":9998", "\":9998\" has no host; use 127.0.0.1 (this computer), 0.0.0.0 or [::] (every interface)"),
            ("localhost", "\"localhost\" has no port; write localhost:9998"),
            ("localhost:", "\"\" is not a port (a number from 0 to 65535)"),
            ("localhost:http", "\"http\" is not a port (a number from 0 to 65535)"),
            ("localhost:65536", "\"65536\" is not a port (a number from 0 to 65535)"),
            ("localhost:+1", "\"+1\" is not a port (a number from 0 to 65535)"),
            ("::1:9998", "an IPv6 address stands in brackets, such as [::1]:9998; \"::1:9998\" has none"),
            ("[::1:9998", "\"[::1:9998\" is neither an IP address nor a host name"),
            ("[chat]:9998", "\"chat\" is neither an IP address nor a host name"),
            ("[::1]9998", "\"9998\" is not a port (a number from 0 to 65535)"),
            ("256.0.0.1:1", "\"256.0.0.1\" is neither an IP address nor a host name"),
            ("a b:1", "\"a b\" is neither an IP address nor a host name"),
            ("me@host:1", "\"me@host\" is neither an IP address nor a host name"),
            ("unix:", "\"unix:\" needs a path, such as unix:/run/snakk/snakk.sock"),
            ("http://localhost:1", "\"http\" is not known; an address is HOST:PORT, unix:PATH or tls://HOST:PORT"),
        ] {
            assert_eq!(text.parse::<Address>().map_err(|error| error.to_string()), Err(message.to_owned()));
        }
    }
}
