//! How others reach a listener, in words.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};

/// Addresses to which nothing is sent; only the way there is asked for. The first of each kind is reserved for examples,
/// so the way to it is the way to everywhere; the others are what private networks are made of.
const SOMEWHERE: [IpAddr; 5] = [
    IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1)),
    IpAddr::V4(Ipv4Addr::new(192, 168, 255, 254)),
    IpAddr::V4(Ipv4Addr::new(172, 31, 255, 254)),
    IpAddr::V4(Ipv4Addr::new(10, 255, 255, 254)),
    IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1)),
];

/// The addresses of this computer that others can use, as far as the system tells without being asked about each network.
pub(super) fn own_addresses() -> Vec<IpAddr> {
    let mut own = Vec::new();
    for address in SOMEWHERE.into_iter().filter_map(towards) {
        if !address.is_loopback() && !address.is_unspecified() && !own.contains(&address) {
            own.push(address);
        }
    }
    own
}

/// The own address on the way to another one. A datagram socket that is connected sends nothing.
fn towards(other: IpAddr) -> Option<IpAddr> {
    let any: IpAddr = if other.is_ipv4() { Ipv4Addr::UNSPECIFIED.into() } else { Ipv6Addr::UNSPECIFIED.into() };
    let socket = UdpSocket::bind((any, 0)).ok()?;
    socket.connect((other, 9)).ok()?;
    Some(socket.local_addr().ok()?.ip())
}

/// How others connect to a listener on TCP. `own` are the addresses of this computer.
pub(super) fn invitation(listener: SocketAddr, own: &[IpAddr]) -> String {
    let (ip, port) = (listener.ip(), listener.port());
    if ip.is_loopback() {
        let open = if ip.is_ipv4() { "0.0.0.0" } else { "[::]" };
        return format!(
            "only this computer can connect, with: snakk --server {listener} (for others: snakk host --listen {open}:{port})"
        );
    }
    if !ip.is_unspecified() {
        return format!("others connect with: snakk --server {listener}");
    }
    // A listener on all addresses of IPv6 takes what comes over IPv4, too.
    let mut there = own.iter().filter(|own| own.is_ipv4() || ip.is_ipv6()).map(|own| SocketAddr::new(*own, port));
    match there.next() {
        None => format!("others connect with: snakk --server ADDRESS:{port}, where ADDRESS is that of this computer"),
        Some(first) => {
            let others: String = there.map(|other| format!(", or {other}")).collect();
            format!("others connect with: snakk --server {first}{others}")
        }
    }
}

/// The address under which this computer itself reaches a listener.
pub(super) fn from_here(listener: SocketAddr) -> SocketAddr {
    match listener.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => SocketAddr::new(Ipv4Addr::LOCALHOST.into(), listener.port()),
        IpAddr::V6(ip) if ip.is_unspecified() => SocketAddr::new(Ipv6Addr::LOCALHOST.into(), listener.port()),
        _ => listener,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_invitation_says_what_others_have_to_type() {
        let own = ["192.168.1.5", "2001:db8::5", "10.0.0.2"].map(|ip| ip.parse().unwrap());
        let cases = [
            (
                "127.0.0.1:9998",
                "only this computer can connect, with: snakk --server 127.0.0.1:9998 (for others: snakk host --listen \
                 0.0.0.0:9998)",
            ),
            (
                "[::1]:7",
                "only this computer can connect, with: snakk --server [::1]:7 (for others: snakk host --listen [::]:7)",
            ),
            ("192.168.1.9:1", "others connect with: snakk --server 192.168.1.9:1"),
            ("0.0.0.0:9998", "others connect with: snakk --server 192.168.1.5:9998, or 10.0.0.2:9998"),
            (
                "[::]:9998",
                "others connect with: snakk --server 192.168.1.5:9998, or [2001:db8::5]:9998, or 10.0.0.2:9998",
            ),
        ];
        for (listener, expected) in cases {
            assert_eq!(invitation(listener.parse().unwrap(), &own), expected);
        }
        assert_eq!(
            invitation("0.0.0.0:7".parse().unwrap(), &[]),
            "others connect with: snakk --server ADDRESS:7, where ADDRESS is that of this computer"
        );
    }

    #[test]
    fn the_client_of_the_host_goes_by_the_loopback() {
        for (listener, here) in [
            ("0.0.0.0:5", "127.0.0.1:5"),
            ("[::]:5", "[::1]:5"),
            ("127.0.0.1:5", "127.0.0.1:5"),
            ("10.1.2.3:5", "10.1.2.3:5"),
        ] {
            assert_eq!(from_here(listener.parse().unwrap()), here.parse().unwrap());
        }
    }

    #[test]
    fn own_addresses_are_such_that_others_can_use() {
        assert!(own_addresses().iter().all(|own| !own.is_loopback() && !own.is_unspecified()));
    }
}
