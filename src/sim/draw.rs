//! Seeded chance that does not depend on the order of calls.

use std::ops::RangeInclusive;
use std::time::Duration;

use pipectl_core::Digest;

/// A number from 0 (included) to 1 (excluded), decided by the seed and by what it is drawn for.
pub(crate) fn fraction(seed: u64, purpose: &str, key: &str) -> f64 {
    let digits = Digest::of(format!("{seed}\n{purpose}\n{key}").as_bytes()).hex();
    let bits = u64::from_str_radix(&digits[..13], 16).expect("hex digits of a digest");
    // 13 hex digits are 52 bits: a double holds them exactly.
    bits as f64 / (1u64 << 52) as f64
}

/// A duration of a range.
pub(crate) fn duration(seed: u64, key: &str, range: &RangeInclusive<Duration>) -> Duration {
    let width = range.end().saturating_sub(*range.start());
    *range.start() + width.mul_f64(fraction(seed, "latency", key))
}

/// A whole number from 0 to `most`.
pub(crate) fn up_to(seed: u64, purpose: &str, key: &str, most: u32) -> u32 {
    (fraction(seed, purpose, key) * (f64::from(most) + 1.0)) as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn draws_are_even_and_repeatable() {
        let draws: Vec<f64> = (0..2000).map(|key| fraction(7, "test", &key.to_string())).collect();
        assert!(draws.iter().all(|draw| (0.0..1.0).contains(draw)));
        let mean = draws.iter().sum::<f64>() / 2000.0;
        assert!((mean - 0.5).abs() < 0.03, "{mean}");
        assert_eq!(fraction(7, "test", "3"), draws[3]);
        assert_ne!(fraction(8, "test", "3"), draws[3]);
        let counts: Vec<u32> = (0..200).map(|key| up_to(1, "stale", &key.to_string(), 2)).collect();
        assert_eq!((counts.iter().min(), counts.iter().max()), (Some(&0), Some(&2)));
    }
}
