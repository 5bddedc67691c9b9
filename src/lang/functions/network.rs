//! Functions of IP networks in CIDR notation.
//!
//! Addresses are whole numbers of 32 or 128 bits. Numbers of hosts and networks may be of any size, and negative ones count from the end.

use std::fmt;
use std::net::{Ipv4Addr, Ipv6Addr};

use dashu_int::{IBig, UBig};
use pipectl_core::{Type as ValueType, Value};

use crate::functions::ParameterType as Type;
use crate::functions::{Arguments, Failure, Function, Parameter, plain};

const PREFIX: Parameter = Parameter::new("prefix", Type::String);

pub(super) const FUNCTIONS: &[Function] = &[
    plain(
        "cidrhost",
        "The address of a host of a number in a network.",
        &[PREFIX, Parameter::new("hostnum", Type::Number)],
        Type::String,
        host,
    ),
    plain("cidrnetmask", "The mask of an IPv4 network.", &[PREFIX], Type::String, netmask),
    plain(
        "cidrsubnet",
        "The network of a number inside a network, with a prefix that is some bits longer.",
        &[PREFIX, Parameter::new("newbits", Type::Number), Parameter::new("netnum", Type::Number)],
        Type::String,
        subnet,
    ),
    plain(
        "cidrsubnets",
        "Consecutive networks inside a network, each with a prefix that is some bits longer.",
        &[PREFIX],
        Type::ListOfString,
        subnets,
    )
    .rest(Parameter::new("newbits", Type::Number)),
];

/// A range of addresses with the same first bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Network {
    address: u128,
    prefix: i64,
    /// 32 or 128.
    bits: i64,
}

impl Network {
    fn parse(text: &str) -> Result<Self, String> {
        let invalid = || format!("invalid CIDR expression: invalid CIDR address: {text}");
        let (address, prefix) = text.split_once('/').ok_or_else(invalid)?;
        let (address, bits) = match parse_ipv4(address) {
            Some(address) => (u128::from(address), 32),
            None => (address.parse::<Ipv6Addr>().map_err(|_| invalid())?.to_bits(), 128),
        };
        let digits = !prefix.is_empty() && prefix.bytes().all(|byte| byte.is_ascii_digit());
        let prefix = prefix.parse::<i64>().ok().filter(|prefix| digits && *prefix <= bits).ok_or_else(invalid)?;
        Ok(Self { address, prefix, bits }.masked())
    }

    /// The addresses that differ in the bits after the prefix only.
    fn host_mask(self) -> u128 {
        match self.bits - self.prefix {
            128.. => u128::MAX,
            bits => (1 << bits) - 1,
        }
    }

    fn masked(self) -> Self {
        Self { address: self.address & !self.host_mask(), ..self }
    }

    fn last(self) -> u128 {
        self.address | self.host_mask()
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.bits == 128 && self.prefix >= 96 && self.address >> 32 == 0xffff {
            // An IPv4 network in the clothes of IPv6.
            true => write!(f, "{}/{}", show(self.address & 0xffff_ffff, 32), self.prefix - 96),
            false => write!(f, "{}/{}", show(self.address, self.bits), self.prefix),
        }
    }
}

fn show(address: u128, bits: i64) -> String {
    match bits {
        32 => Ipv4Addr::from_bits(address as u32).to_string(),
        _ => match Ipv6Addr::from_bits(address).to_ipv4_mapped() {
            Some(mapped) => mapped.to_string(),
            None => Ipv6Addr::from_bits(address).to_string(),
        },
    }
}

/// Four decimal numbers; leading zeros do not make them octal.
fn parse_ipv4(text: &str) -> Option<u32> {
    let mut address = 0;
    let mut count = 0;
    for part in text.split('.') {
        let digits = !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
        let value: u32 = part.parse().ok().filter(|value| digits && *value <= 255)?;
        address = address << 8 | value;
        count += 1;
    }
    (count == 4).then_some(address)
}

fn network(call: &Arguments<'_>, blame: Option<usize>) -> Result<Network, Failure> {
    Network::parse(call.text(0)).map_err(|problem| Failure::telling(blame, problem, "invalid CIDR expression"))
}

/// A whole number of any size.
fn big(call: &Arguments<'_>, index: usize) -> Result<IBig, Failure> {
    let number = call.number(index);
    let whole = number.is_whole().then(|| number.to_string().parse().ok()).flatten();
    whole.ok_or_else(|| Failure::call("value must be a whole number"))
}

/// The last 64 bits of the magnitude: all that is compared with what a network has room for.
fn low_bits(number: &IBig) -> u64 {
    let magnitude = UBig::try_from(if *number < IBig::ZERO { -number.clone() } else { number.clone() });
    let low = magnitude.map(|magnitude| magnitude & UBig::from(u64::MAX));
    low.ok().and_then(|low| u64::try_from(low).ok()).unwrap_or(0)
}

/// An address with a number put in, or nothing when that does not fit.
fn insert(network: Network, number: IBig, shift: i64) -> Option<u128> {
    let combined = IBig::from(network.address) | (number << usize::try_from(shift).ok()?);
    let magnitude = if combined < IBig::ZERO { -combined } else { combined };
    u128::try_from(magnitude).ok().filter(|address| network.bits == 128 || *address <= u128::from(u32::MAX))
}

fn host(call: &Arguments<'_>) -> Result<Value, Failure> {
    let mut number = big(call, 1)?;
    let network = network(call, None)?;
    let most = (IBig::ONE << (network.bits - network.prefix) as usize) - IBig::ONE;
    let distance = match number < IBig::ZERO {
        true => {
            let distance = -number - IBig::ONE;
            number = &most - &distance;
            distance
        }
        false => IBig::from(low_bits(&number) as i64),
    };
    let refused = |number: &IBig| {
        let message = format!("prefix of {} does not accommodate a host numbered {number}", network.prefix);
        Failure::telling(None, message, "the prefix does not accommodate a host of this number")
    };
    if distance > most {
        return Err(refused(&number));
    }
    let address = insert(network, number.clone(), 0).ok_or_else(|| refused(&number))?;
    Ok(show(address, network.bits).into())
}

fn netmask(call: &Arguments<'_>) -> Result<Value, Failure> {
    let network = network(call, None)?;
    let is_mapped = network.address >> 32 == 0xffff;
    if network.bits == 128 && !is_mapped {
        let message = format!("IPv6 addresses cannot have a netmask: {}", call.text(0));
        return Err(Failure::telling(None, message, "IPv6 addresses cannot have a netmask"));
    }
    let all = if network.bits == 128 { u128::MAX } else { u128::from(u32::MAX) };
    Ok(show(all & !network.host_mask(), network.bits).into())
}

fn subnet(call: &Arguments<'_>) -> Result<Value, Failure> {
    let new_bits = call.whole(1, None)?;
    let number = big(call, 2)?;
    let network = network(call, None)?;
    let prefix = network.prefix.saturating_add(new_bits);
    if prefix > network.bits {
        let message = format!("insufficient address space to extend prefix of {} by {new_bits}", network.prefix);
        return Err(Failure::telling(None, message, "insufficient address space to extend the prefix"));
    }
    let refused = || {
        let message = format!("prefix extension of {new_bits} does not accommodate a subnet numbered {number}");
        Failure::telling(None, message, "the prefix extension does not accommodate a subnet of this number")
    };
    let most = u32::try_from(new_bits).ok().and_then(|bits| 1_u64.checked_shl(bits)).unwrap_or(0).wrapping_sub(1);
    if low_bits(&number) > most || prefix < 0 {
        return Err(refused());
    }
    let address = insert(network, number.clone(), network.bits - prefix).ok_or_else(refused)?;
    Ok(Network { address, prefix, bits: network.bits }.to_string().into())
}

fn subnets(call: &Arguments<'_>) -> Result<Value, Failure> {
    let network = network(call, Some(0))?;
    let all = if network.bits == 128 { u128::MAX } else { u128::from(u32::MAX) };
    let mut found = Vec::new();
    let mut current = network;
    for index in 1..call.values.len() {
        let refused = |message: String| Failure::telling(index, message, "no such subnet fits into the network");
        let new_bits = call.whole(index, Some(index))?;
        if new_bits < 1 {
            return Err(Failure::argument(index, "must extend prefix by at least one bit"));
        }
        if new_bits > 32 {
            return Err(Failure::argument(index, "may not extend prefix by more than 32 bits"));
        }
        let prefix = network.prefix + new_bits;
        if prefix > network.bits {
            let protocol = if network.bits == 32 { "IPv4" } else { "IPv6" };
            let message = format!("would extend prefix to {prefix} bits, which is too long for an {protocol} address");
            return Err(refused(message));
        }
        let previous = match index {
            // What lies right before the network; before the first address of all lies the last.
            1 => Network { address: network.address.wrapping_sub(1) & all, prefix, bits: network.bits }.masked(),
            _ => current,
        };
        let reached = Network { address: previous.last(), prefix, bits: network.bits }.masked();
        let next = Network { address: reached.last().wrapping_add(1) & all, ..reached };
        if next.address == 0 || next.address & !network.host_mask() != network.address {
            let message = format!(
                "not enough remaining address space for a subnet with a prefix of {prefix} bits after {previous}"
            );
            return Err(refused(message));
        }
        current = next;
        found.push(Value::from(next.to_string()));
    }
    Ok(Value::list(ValueType::String, found))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn networks_are_read_and_shown() {
        for (text, expected) in [
            ("10.1.2.3/8", "10.0.0.0/8"),
            ("010.1.2.3/31", "10.1.2.2/31"),
            ("fd00:0:0:1::5/64", "fd00:0:0:1::/64"),
            ("::/0", "::/0"),
            ("0.0.0.0/0", "0.0.0.0/0"),
        ] {
            assert_eq!(Network::parse(text).map(|network| network.to_string()), Ok(expected.to_owned()));
        }
        for text in ["10.0.0.0", "10.0.0/8", "10.0.0.0/33", "10.0.0.0/", "10.0.0.256/8", "::/129", "10.0.0.0/+8", "x/1"]
        {
            assert!(Network::parse(text).is_err(), "{text}");
        }
    }
}
