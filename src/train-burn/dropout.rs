//! Dropout masks as a pure function of (seed, layer, epoch, sample, unit).
//!
//! So the mask of a sample does not depend on the batch, block, thread or worker that computes it, nor on what was computed
//! before: training resumes in the middle, and on another number of workers, with the masks that it would have had.

use pipectl_core::Digest;

/// What the masks of one layer in one epoch depend on, besides sample and unit.
#[derive(Clone, Copy, Debug)]
pub(crate) struct MaskKey {
    key: [u32; 2],
    epoch: u32,
}

impl MaskKey {
    /// The key for the layer named `layer`.
    pub(crate) fn new(seed: u64, layer: &str, epoch: u64) -> MaskKey {
        // The digest spreads seed and name over the key; a hash of the standard library may change between versions.
        let digest = Digest::of(format!("{seed}/{layer}").as_bytes()).hex();
        let word = |at: usize| u32::from_str_radix(&digest[at..at + 8], 16).expect("a digest is hex digits");
        MaskKey { key: [word(0), word(8)], epoch: epoch as u32 }
    }

    /// Multiplies `values`, one for each unit of `sample`, by zero with probability `rate`, else by `1 / (1 - rate)`.
    pub(crate) fn fill(&self, sample: u64, rate: f64, values: &mut [f32]) {
        let threshold = (rate * 4_294_967_296.0) as u32;
        let scale = (1.0 / (1.0 - rate)) as f32;
        for (group, values) in values.chunks_mut(4).enumerate() {
            let counter = [sample as u32, (sample >> 32) as u32, group as u32, self.epoch];
            for (value, random) in values.iter_mut().zip(philox(counter, self.key)) {
                *value = if random < threshold { 0.0 } else { scale };
            }
        }
    }
}

/// Philox4x32-10, a random number generator without state (J. Salmon et al., "Parallel random numbers: as easy as 1, 2, 3",
/// SC 2011).
fn philox(mut counter: [u32; 4], mut key: [u32; 2]) -> [u32; 4] {
    let multiply = |a: u32, b: u32| {
        let product = u64::from(a) * u64::from(b);
        ((product >> 32) as u32, product as u32)
    };
    for _ in 0..10 {
        let (high_0, low_0) = multiply(0xd251_1f53, counter[0]);
        let (high_1, low_1) = multiply(0xcd9e_8d57, counter[2]);
        counter = [high_1 ^ counter[1] ^ key[0], low_1, high_0 ^ counter[3] ^ key[1], low_0];
        key = [key[0].wrapping_add(0x9e37_79b9), key[1].wrapping_add(0xbb67_ae85)];
    }
    counter
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The known answers that come with Random123, the authors' library.
    #[test]
    fn philox_gives_the_published_answers() {
        assert_eq!(philox([0; 4], [0; 2]), [0x6627_e8d5, 0xe169_c58d, 0xbc57_ac4c, 0x9b00_dbd8]);
        assert_eq!(philox([u32::MAX; 4], [u32::MAX; 2]), [0x408f_276d, 0x41c8_3b0e, 0xa20b_c7c6, 0x6d54_51fd]);
        assert_eq!(
            philox([0x243f_6a88, 0x85a3_08d3, 0x1319_8a2e, 0x0370_7344], [0xa409_3822, 0x299f_31d0]),
            [0xd16c_fe09, 0x94fd_cceb, 0x5001_e420, 0x2412_6ea1]
        );
    }

    #[test]
    fn masks_keep_the_mean_and_differ_by_everything_they_depend_on() {
        let mask = |seed, layer, epoch, sample| {
            let mut values = vec![9.0; 10_001];
            MaskKey::new(seed, layer, epoch).fill(sample, 0.2, &mut values);
            values
        };
        let first = mask(1, "a", 0, 0);
        assert!(first.iter().all(|value| *value == 0.0 || *value == 1.25));
        let mean = first.iter().sum::<f32>() / 10_001.0;
        assert!((mean - 1.0).abs() < 0.02, "mean {mean}");
        assert_eq!(first, mask(1, "a", 0, 0));
        for other in [mask(2, "a", 0, 0), mask(1, "b", 0, 0), mask(1, "a", 1, 0), mask(1, "a", 0, 1 << 32)] {
            let differing = first.iter().zip(&other).filter(|(a, b)| a != b).count();
            assert!((2_900..3_500).contains(&differing), "{differing} differ, expected about 3200");
        }
    }

    #[test]
    fn rate_zero_keeps_everything() {
        let mut values = vec![0.0; 9];
        MaskKey::new(0, "x", 0).fill(3, 0.0, &mut values);
        assert_eq!(values, [1.0; 9]);
    }
}
