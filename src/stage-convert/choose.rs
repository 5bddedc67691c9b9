//! `split` and `limit` at work: they count rows, so they take batches one after another.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{RngCore, SeedableRng};

use crate::batch::Batch;
use crate::error::ConvertError;
use crate::pass::Rows;
use crate::steps::{Limit, Part, Split};

/// Streams of random numbers that one seed gives, so that a split and a shuffle of the same seed have nothing in common.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Purpose {
    Split = 1,
    Shuffle = 2,
}

/// The random numbers of a seed and purpose: the same on every machine (ChaCha with 8 rounds).
pub(crate) fn random(seed: u64, purpose: Purpose) -> ChaCha8Rng {
    let mut generator = ChaCha8Rng::seed_from_u64(seed);
    generator.set_stream(purpose as u64);
    generator
}

/// Decides on rows, one after another.
pub(crate) enum Choice {
    Split(Box<ChaCha8Rng>, Split),
    Limit { skip: u64, rows: u64 },
}

impl Choice {
    pub(crate) fn split(split: Split) -> Self {
        Choice::Split(Box::new(random(split.seed, Purpose::Split)), split)
    }

    pub(crate) fn limit(limit: Limit) -> Self {
        Choice::Limit { skip: limit.skip, rows: limit.rows }
    }

    /// Whether the next row stays.
    fn takes(&mut self) -> bool {
        match self {
            Choice::Split(generator, split) => {
                // 53 bits: every double in [0, 1) of that spacing is equally likely.
                let number = (generator.next_u64() >> 11) as f64 / (1u64 << 53) as f64;
                (number < split.fraction) == (split.part == Part::First)
            }
            Choice::Limit { skip, rows } => {
                if *skip > 0 {
                    *skip -= 1;
                    false
                } else {
                    let takes = *rows > 0;
                    *rows = rows.saturating_sub(1);
                    takes
                }
            }
        }
    }

    /// Whether no row can follow.
    fn is_over(&self) -> bool {
        matches!(self, Choice::Limit { rows: 0, .. })
    }

    /// How many of `rows` rows stay.
    pub(crate) fn count(mut self, rows: u64) -> u64 {
        match &mut self {
            Choice::Split(..) => (0..rows).filter(|_| self.takes()).count() as u64,
            Choice::Limit { skip, rows: most } => rows.saturating_sub(*skip).min(*most),
        }
    }
}

/// The rows that a choice takes.
pub(crate) struct Chosen<'a> {
    rows: Box<dyn Rows + 'a>,
    choice: Choice,
}

impl<'a> Chosen<'a> {
    pub(crate) fn split(rows: Box<dyn Rows + 'a>, split: Split) -> Self {
        Chosen { rows, choice: Choice::split(split) }
    }

    pub(crate) fn limit(rows: Box<dyn Rows + 'a>, limit: Limit) -> Self {
        Chosen { rows, choice: Choice::limit(limit) }
    }
}

impl Rows for Chosen<'_> {
    fn next(&mut self) -> Result<Option<Batch>, ConvertError> {
        while !self.choice.is_over() {
            let Some(mut batch) = self.rows.next()? else { return Ok(None) };
            let keep: Vec<usize> = (0..batch.rows()).filter(|_| self.choice.takes()).collect();
            batch.keep(&keep);
            if batch.rows() > 0 {
                return Ok(Some(batch));
            }
        }
        Ok(None)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_parts_of_a_split_make_up_the_whole() {
        let part = |part| Choice::split(Split { fraction: 0.3, seed: 7, part });
        let (mut first, mut rest) = (part(Part::First), part(Part::Rest));
        assert!((0..1000).all(|_| first.takes() != rest.takes()));
        let taken = part(Part::First).count(100_000);
        assert!((29_000..31_000).contains(&taken), "{taken}");
        assert_eq!(taken + part(Part::Rest).count(100_000), 100_000);
    }

    #[test]
    fn limits_count_as_they_take() {
        for (skip, most) in [(0, 3), (2, 3), (9, 3), (2, u64::MAX), (20, 1)] {
            let limit = || Choice::limit(Limit { skip, rows: most });
            let mut taking = limit();
            let taken = (0..10).filter(|_| taking.takes()).count() as u64;
            assert_eq!(limit().count(10), taken, "skip {skip}, rows {most}");
        }
    }
}
