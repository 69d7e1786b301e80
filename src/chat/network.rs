//! A network: an address, and how many of its first bits all addresses of the network have in common.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// How far an IPv4 address is shifted where it is written as an IPv6 address.
const MAPPED_BITS: u8 = 96;

/// A network. Equal ones are written alike: what stands behind the bits is 0, and a mapped IPv4 address is an IPv4 address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Network {
    address: IpAddr,
    bits: u8,
}

impl Network {
    /// Reads `ADDRESS` (that one address) or `ADDRESS/BITS`. None where it is neither, or would be everybody.
    pub(crate) fn parse(text: &str) -> Option<Network> {
        let (address, bits) = match text.split_once('/') {
            Some((address, bits)) => (address, Some(bits)),
            None => (text, None),
        };
        let address: IpAddr = address.parse().ok()?;
        let most = if address.is_ipv4() { 32 } else { 128 };
        let bits = match bits {
            // No sign, no blank, no leading zero: there is one way to write a number.
            Some(bits) if bits.bytes().all(|byte| byte.is_ascii_digit()) && !bits.starts_with('0') => {
                bits.parse::<u8>().ok().filter(|bits| *bits <= most)?
            }
            Some(_) => return None,
            None => most,
        };
        let canonical = address.to_canonical();
        let bits = if canonical.is_ipv4() && address.is_ipv6() { bits.checked_sub(MAPPED_BITS)? } else { bits };
        (bits > 0).then(|| Network { address: cut(canonical, bits), bits })
    }

    /// Whether an address belongs to it.
    pub(crate) fn contains(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        address.is_ipv4() == self.address.is_ipv4() && cut(address, self.bits) == self.address
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address, self.bits)
    }
}

/// The first bits of an address, with zeros behind them. There is at least one.
fn cut(address: IpAddr, bits: u8) -> IpAddr {
    match address {
        IpAddr::V4(v4) => {
            let mask = u32::MAX.checked_shl(32_u32.saturating_sub(bits.into())).unwrap_or(0);
            IpAddr::V4(Ipv4Addr::from_bits(v4.to_bits() & mask))
        }
        IpAddr::V6(v6) => {
            let mask = u128::MAX.checked_shl(128_u32.saturating_sub(bits.into())).unwrap_or(0);
            IpAddr::V6(Ipv6Addr::from_bits(v6.to_bits() & mask))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_network_has_one_way_to_be_written() {
        for (text, written) in [
            ("192.0.2.7", "192.0.2.7/32"),
            ("192.0.2.7/24", "192.0.2.0/24"),
            ("255.255.255.255/1", "128.0.0.0/1"),
            ("::ffff:192.0.2.7", "192.0.2.7/32"),
            ("::ffff:192.0.2.7/120", "192.0.2.0/24"),
            ("2001:DB8::1", "2001:db8::1/128"),
            ("2001:db8:0:0:1::1/64", "2001:db8::/64"),
        ] {
            assert_eq!(Network::parse(text).map(|network| network.to_string()).as_deref(), Some(written), "{text}");
            assert_eq!(Network::parse(written), Network::parse(text), "{text}");
        }
    }

    #[test]
    fn what_is_no_network_or_is_everybody_is_none() {
        let bad = [
            "",
            "/",
            "/8",
            "192.0.2.7/",
            "192.0.2.7/0",
            "192.0.2.7/33",
            "192.0.2.7/+8",
            "192.0.2.7/08",
            "192.0.2",
            "192.0.2.7/8/8",
            " 192.0.2.7",
            "::/0",
            "::1/129",
            "::1%eth0",
            "::ffff:192.0.2.7/96",
            "::ffff:192.0.2.7/64",
            "example.org",
            "192.0.2.7/999",
            "[::1]",
        ];
        for text in bad {
            assert_eq!(Network::parse(text), None, "{text}");
        }
    }

    #[test]
    fn a_network_contains_the_addresses_that_begin_like_it() {
        let contains =
            |network: &str, address: &str| Network::parse(network).unwrap().contains(address.parse().unwrap());
        assert!(contains("192.0.2.0/24", "192.0.2.255") && !contains("192.0.2.0/24", "192.0.3.0"));
        assert!(contains("192.0.2.7", "::ffff:192.0.2.7") && !contains("192.0.2.7", "192.0.2.8"));
        assert!(contains("2001:db8::/32", "2001:db8:ffff::1") && !contains("2001:db8::/32", "2001:db9::1"));
        assert!(!contains("::/1", "1.2.3.4") && !contains("1.0.0.0/1", "::1"));
    }
}
