//! What this run has made a short time ago, and what may therefore not be to be seen everywhere yet.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// For how long after something was made a service may say that there is no such thing.
pub(crate) const LAGS_FOR: Duration = Duration::from_secs(60);

/// The names of what was made a short time ago: OCIDs, and paths of buckets.
#[derive(Default)]
pub(crate) struct Recent(Mutex<Vec<(String, Instant)>>);

impl Recent {
    /// Something was made.
    pub(crate) fn note(&self, name: &str) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.retain(|(_, made)| made.elapsed() < LAGS_FOR);
        all.push((name.to_owned(), Instant::now()));
    }

    /// Whether what a call says refers to something that was made a short time ago.
    pub(crate) fn is_named_in(&self, words: &str) -> bool {
        let all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.iter().any(|(name, made)| made.elapsed() < LAGS_FOR && is_word_of(words, name))
    }
}

/// Whether a name stands there whole, and not as the beginning of another one.
fn is_word_of(words: &str, name: &str) -> bool {
    let is_end = |rest: &str| !rest.starts_with(|letter: char| letter.is_alphanumeric() || "-_.".contains(letter));
    words.match_indices(name).any(|(at, _)| is_end(&words[at + name.len()..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_the_whole_name() {
        let recent = Recent::default();
        recent.note("n/space/b/data");
        recent.note("ocid1.vcn.oc1..aaa");
        assert!(recent.is_named_in("n/space/b/data/o/file"));
        assert!(recent.is_named_in(r#"{"vcnId":"ocid1.vcn.oc1..aaa"}"#));
        assert!(!recent.is_named_in("n/space/b/data2/o/file"));
        assert!(!recent.is_named_in(r#"{"vcnId":"ocid1.vcn.oc1..aaab"}"#));
    }
}
