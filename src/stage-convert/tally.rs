//! What happened to rows on their way, counted: metrics of the stage.

use std::sync::atomic::{AtomicU64, Ordering};

/// Counters that all threads of a pass share. Sums do not depend on the order of adding.
#[derive(Debug, Default)]
pub struct Tally {
    truncated_rows: AtomicU64,
    unusable_values: AtomicU64,
    dropped_rows: AtomicU64,
}

/// The counts at the end.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Rows of which a step "truncate" cut something off, counted by each such step.
    pub truncated_rows: u64,
    /// NaN and infinite values that were set to 0, or that cost their row.
    pub unusable_values: u64,
    /// Rows dropped for such values.
    pub dropped_rows: u64,
}

impl Tally {
    pub(crate) fn truncated(&self, rows: usize) {
        self.truncated_rows.fetch_add(rows as u64, Ordering::Relaxed);
    }

    pub(crate) fn unusable(&self, values: usize) {
        self.unusable_values.fetch_add(values as u64, Ordering::Relaxed);
    }

    pub(crate) fn dropped(&self, rows: usize) {
        self.dropped_rows.fetch_add(rows as u64, Ordering::Relaxed);
    }

    /// The counts so far.
    pub fn counts(&self) -> Counts {
        Counts {
            truncated_rows: self.truncated_rows.load(Ordering::Relaxed),
            unusable_values: self.unusable_values.load(Ordering::Relaxed),
            dropped_rows: self.dropped_rows.load(Ordering::Relaxed),
        }
    }
}
