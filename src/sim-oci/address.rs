//! Blocks of IPv4 addresses.

use std::net::Ipv4Addr;

use crate::answer::Refusal;

/// A block, as `10.0.0.0/16`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Block {
    first: u32,
    bits: u32,
}

impl Block {
    /// Reads a block. Bits of the host must be zero.
    pub(crate) fn read(text: &str) -> Option<Self> {
        let (address, bits) = text.split_once('/')?;
        let first = u32::from(address.parse::<Ipv4Addr>().ok()?);
        let bits = bits.parse().ok().filter(|bits| *bits <= 32)?;
        let block = Self { first, bits };
        (first.checked_rem(block.size() as u32).unwrap_or(first) == 0).then_some(block)
    }

    /// A block of a network: between /16 and /30.
    pub(crate) fn of_network(text: &str, at: &str) -> Result<Self, Refusal> {
        Self::read(text)
            .filter(|block| (16..=30).contains(&block.bits))
            .ok_or_else(|| Refusal::invalid(format!("{at} is not a valid CIDR block between /16 and /30: {text}")))
    }

    fn size(self) -> u64 {
        1 << (32 - self.bits)
    }

    fn last(self) -> u64 {
        u64::from(self.first) + self.size() - 1
    }

    pub(crate) fn contains(self, other: Block) -> bool {
        self.first <= other.first && other.last() <= self.last()
    }

    pub(crate) fn overlaps(self, other: Block) -> bool {
        u64::from(self.first) <= other.last() && u64::from(other.first) <= self.last()
    }

    /// Its addresses for hosts. The first is the router's, so they begin after it.
    pub(crate) fn hosts(self) -> impl Iterator<Item = Ipv4Addr> {
        (u64::from(self.first) + 2..self.last()).map(|address| Ipv4Addr::from(address as u32))
    }

    /// Whether a host can have the address.
    pub(crate) fn has_host(self, address: Ipv4Addr) -> bool {
        (u64::from(self.first) + 2..self.last()).contains(&u64::from(u32::from(address)))
    }

    pub(crate) fn router(self) -> Ipv4Addr {
        Ipv4Addr::from(self.first + 1)
    }
}
