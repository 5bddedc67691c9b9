//! Addresses and networks of addresses, which can be written in several ways.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use pipectl_core::Value;

/// Whether two texts are the same address.
pub(super) fn is_same_address(one: &Value, other: &Value) -> bool {
    let address = |value: &Value| value.as_str()?.parse::<IpAddr>().ok();
    address(one).is_some_and(|one| address(other) == Some(one))
}

/// Whether two texts are the same network: bits of hosts do not count.
pub(super) fn is_same_network(one: &Value, other: &Value) -> bool {
    network(one).is_some_and(|one| network(other) == Some(one))
}

/// The bits of a network, how many of them count, and of how many.
fn network(value: &Value) -> Option<(u128, u32, u32)> {
    let text = value.as_str()?;
    let (address, length) = match text.split_once('/') {
        Some((address, length)) => (address, Some(length.parse::<u32>().ok()?)),
        None => (text, None),
    };
    let (bits, width) = match address.parse().ok()? {
        IpAddr::V4(address) => (u128::from(address.to_bits()), 32),
        IpAddr::V6(address) => (address.to_bits(), 128),
    };
    let length = length.unwrap_or(width);
    let hosts = width.checked_sub(length)?;
    Some((bits.checked_shr(hosts).unwrap_or(0), length, width))
}

/// The first address of a network that is not the network's own.
pub(super) fn first(network: &str) -> Option<String> {
    let (address, _) = network.split_once('/')?;
    Some(match address.parse().ok()? {
        IpAddr::V4(address) => Ipv4Addr::from_bits(address.to_bits().checked_add(1)?).to_string(),
        IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits().checked_add(1)?).to_string(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn networks_are_the_same_whatever_their_host_bits_and_zeros() {
        let same = |one: &str, other: &str| is_same_network(&one.into(), &other.into());
        assert!(same("10.0.0.0/24", "10.0.0.7/24"));
        assert!(same("2001:DB8::/64", "2001:0db8:0:0::/64"));
        assert!(same("0.0.0.0/0", "1.2.3.4/0"));
        assert!(same("::/0", "::1/0"));
        assert!(same("10.0.0.1", "10.0.0.1/32"));
        assert!(!same("10.0.0.0/24", "10.0.0.0/25"));
        assert!(!same("10.0.0.0/24", "10.0.1.0/24"));
        assert!(!same("10.0.0.0/33", "10.0.0.0/33"));
        assert!(!same("x", "x"));
        assert!(is_same_address(&"2001:db8::1".into(), &"2001:0DB8::0:1".into()));
        assert_eq!(first("10.0.0.0/24").as_deref(), Some("10.0.0.1"));
        assert_eq!(first("2001:db8::/64").as_deref(), Some("2001:db8::1"));
        assert!(!is_same_address(&"10.0.0.1".into(), &"10.0.0.2".into()));
    }
}
