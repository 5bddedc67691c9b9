//! Which rows each rank takes at each step: a pure function of seed, epoch and sizes.

use std::ops::Range;

use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;

/// Rows that are computed together and never parted: the unit in which a batch is shared out to ranks and threads.
pub const BLOCK: usize = pipectl_train_burn::BLOCK_ROWS;

/// The order in which an epoch visits `rows` rows.
pub fn order(rows: usize, seed: u64, epoch: u64) -> Vec<usize> {
    let mut order: Vec<usize> = (0..rows).collect();
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    random.set_stream(epoch + 1);
    order.shuffle(&mut random);
    order
}

/// The rows of step `step`, sorted by `weight` (a row's length) so that blocks hold rows of like length; equal weights keep their order.
pub fn batch(order: &[usize], step: usize, size: usize, weight: impl Fn(usize) -> u64) -> Vec<usize> {
    let start = (step * size).min(order.len());
    let mut rows = order[start..(start + size).min(order.len())].to_vec();
    rows.sort_by_key(|row| weight(*row));
    rows
}

/// The part of a batch of `rows` rows that `rank` of `workers` takes: whole blocks, dealt out as evenly as they go.
pub fn share(rows: usize, rank: u32, workers: u32) -> Range<usize> {
    let blocks = rows.div_ceil(BLOCK);
    let bound = |rank: u32| (blocks * rank as usize / workers as usize * BLOCK).min(rows);
    bound(rank)..bound(rank + 1)
}

/// Steps of an epoch; the last may be short, as in Keras.
pub fn steps(rows: usize, size: usize) -> usize {
    rows.div_ceil(size)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_epoch_visits_every_row_once_in_an_order_of_its_own() {
        let first = order(100, 7, 0);
        let mut sorted = first.clone();
        sorted.sort_unstable();
        assert_eq!(sorted, (0..100).collect::<Vec<_>>());
        assert_eq!(first, order(100, 7, 0));
        assert_ne!(first, order(100, 7, 1));
        assert_ne!(first, order(100, 8, 0));
    }

    #[test]
    fn shares_are_whole_blocks_and_cover_the_batch() {
        for rows in [0, 1, 31, 32, 33, 100, 128, 1000] {
            for workers in 1..6 {
                let shares: Vec<_> = (0..workers).map(|rank| share(rows, rank, workers)).collect();
                assert_eq!(shares[0].start, 0);
                assert_eq!(shares[workers as usize - 1].end, rows);
                assert!(shares.windows(2).all(|pair| pair[0].end == pair[1].start));
                assert!(shares.iter().all(|share| share.start % BLOCK == 0 || share.start == rows));
            }
        }
        assert_eq!(share(128, 1, 2), 64..128);
    }

    #[test]
    fn the_last_step_is_short() {
        let order = order(100, 1, 0);
        assert_eq!(steps(100, 64), 2);
        assert_eq!(batch(&order, 0, 64, |_| 0).len(), 64);
        assert_eq!(batch(&order, 1, 64, |_| 0).len(), 36);
        let weights = batch(&order, 0, 64, |row| row as u64);
        assert!(weights.is_sorted());
    }
}
