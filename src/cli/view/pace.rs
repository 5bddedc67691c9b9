//! Which progress is worth telling: what is new at once, the rest now and then.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use pipectl_core::Address;
use pipectl_provider::Progress;

/// Lets progress through at a readable pace, object by object.
pub struct Pace {
    interval: Duration,
    told: BTreeMap<Address, (Instant, Progress)>,
}

impl Pace {
    /// At most one event an interval, phases and epochs aside.
    pub fn new(interval: Duration) -> Self {
        Self { interval, told: BTreeMap::new() }
    }

    /// Whether to tell this now.
    pub fn is_due(&mut self, address: &Address, progress: &Progress, now: Instant) -> bool {
        let due = match self.told.get(address) {
            None => true,
            Some((at, before)) => is_news(before, progress) || now.duration_since(*at) >= self.interval,
        };
        if due {
            self.told.insert(address.clone(), (now, progress.clone()));
        }
        due
    }
}

/// Whether progress has come to something new: another phase, another epoch.
pub fn is_news(before: &Progress, now: &Progress) -> bool {
    before.phase != now.phase || (counts_epochs(now) && before.done != now.done)
}

/// Whether each unit done is worth a line.
pub fn counts_epochs(progress: &Progress) -> bool {
    matches!(progress.unit.as_str(), "epoch" | "epochs")
}

/// How much is done of how much. What a stage counts it counts over all its phases: the events of ten epochs are ten times those of one.
pub fn overall(progress: &Progress) -> Option<(u64, u64)> {
    let total = progress.total.filter(|total| *total > 0)?;
    Some((progress.done.min(total), total))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn progress(phase: &str, done: u64) -> Progress {
        Progress { phase: phase.to_owned(), done, total: Some(100), unit: "rows".to_owned(), ..Progress::default() }
    }

    #[test]
    fn news_pass_and_the_rest_waits() {
        let address: Address = "stage.train.a".parse().expect("an address");
        let begin = Instant::now();
        let mut pace = Pace::new(Duration::from_secs(10));
        let mut is_due =
            |progress: &Progress, seconds| pace.is_due(&address, progress, begin + Duration::from_secs(seconds));
        assert!(is_due(&progress("reading", 1), 0));
        assert!(!is_due(&progress("reading", 2), 9));
        assert!(is_due(&progress("writing", 0), 9));
        assert!(!is_due(&progress("writing", 1), 18));
        assert!(is_due(&progress("writing", 2), 19));
    }

    #[test]
    fn what_is_done_counts_over_all_epochs() {
        // As training tells it: the trainer adds up the events of the epochs before.
        assert_eq!(overall(&progress("epoch 3/10", 25)), Some((25, 100)));
        assert_eq!(overall(&progress("reading", 50)), Some((50, 100)));
        assert_eq!(overall(&progress("reading", 101)), Some((100, 100)));
        assert_eq!(overall(&Progress::default()), None);
    }
}
