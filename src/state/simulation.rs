//! An object store in memory, and a network in front of it that does what networks do: for tests of what writes states.
//!
//! All of it follows from a seed, and with [`VirtualClock`] even the order in which several threads get their turn does: a test that fails does so
//! again.

mod clock;
mod memory;
mod network;

pub use clock::{SkewedClock, Turn, VirtualClock};
pub use memory::MemoryObjects;
pub use network::{Faults, Network};

/// Random numbers from a seed: SplitMix64 (Steele, Lea, Flood: Fast splittable pseudorandom number generators, 2014).
#[derive(Clone, Debug)]
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// Less than `end`, which is not 0.
    pub(crate) fn below(&mut self, end: u64) -> u64 {
        self.next() % end
    }

    /// True in `percent` of 100 cases.
    pub(crate) fn happens(&mut self, percent: u8) -> bool {
        self.below(100) < u64::from(percent)
    }
}
