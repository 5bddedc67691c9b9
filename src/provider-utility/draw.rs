//! Randomness for results.
//!
//! What is no secret (ids, names, orders) is drawn from the token of the call: random in itself, and the same when a plan is applied
//! again after a crash, so that the repeated call makes the same object. A token stands in the plan and in the state, so nothing secret may
//! follow from it: passwords, keys and salts are drawn from the operating system. The `seed` argument of some kinds draws from its text.
//! All three go through ChaCha20, a generator fit for cryptography.

use pipectl_core::{Diagnostic, Diagnostics};
use pipectl_provider::Cx;
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::{RngCore, SeedableRng};
use sha2::{Digest as _, Sha256};

/// A stream of random numbers.
pub(crate) struct Draw(ChaCha20Rng);

impl Draw {
    /// The stream of a call: the same when the call is repeated. Outside an announced call there is no token, and the system draws.
    pub(crate) fn of_call(cx: &Cx) -> Result<Self, Diagnostics> {
        if cx.token.is_empty() {
            return Self::secret();
        }
        Ok(Self::of_text(&format!("call\n{}\n{}", cx.address, cx.token)))
    }

    /// The stream of a `seed` argument.
    pub(crate) fn seeded(seed: &str) -> Self {
        Self::of_text(&format!("seed\n{seed}"))
    }

    /// A stream that nobody can draw again.
    pub(crate) fn secret() -> Result<Self, Diagnostics> {
        let mut seed = [0; 32];
        fill(&mut seed)?;
        Ok(Self(ChaCha20Rng::from_seed(seed)))
    }

    fn of_text(text: &str) -> Self {
        Self(ChaCha20Rng::from_seed(Sha256::digest(text).into()))
    }

    /// The next bytes.
    pub(crate) fn bytes<const N: usize>(&mut self) -> [u8; N] {
        let mut bytes = [0; N];
        self.0.fill_bytes(&mut bytes);
        bytes
    }

    /// The next bytes, as many as asked for.
    pub(crate) fn many(&mut self, count: usize) -> Vec<u8> {
        let mut bytes = vec![0; count];
        self.0.fill_bytes(&mut bytes);
        bytes
    }

    /// A number below `bound`, each as likely as any other. `bound` is not 0.
    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        // Numbers of the last, incomplete round would be likelier: they are drawn again.
        let rounds = u64::MAX - u64::MAX % bound;
        loop {
            let number = self.0.next_u64();
            if number < rounds {
                return number % bound;
            }
        }
    }

    /// A position in a slice of this length, which is not empty.
    pub(crate) fn position(&mut self, length: usize) -> usize {
        usize::try_from(self.below(length as u64)).expect("it is below a usize")
    }

    /// Puts elements in random order (Fisher and Yates).
    pub(crate) fn shuffle<T>(&mut self, elements: &mut [T]) {
        for end in (1..elements.len()).rev() {
            elements.swap(end, self.position(end + 1));
        }
    }
}

/// Fills bytes from the operating system.
pub(crate) fn fill(bytes: &mut [u8]) -> Result<(), Diagnostics> {
    getrandom::fill(bytes).map_err(|error| {
        let detail = format!("The operating system gave no random bytes: {error}.");
        Diagnostic::error("No randomness", detail).into()
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use pipectl_sim::context;

    use super::*;

    #[test]
    fn a_call_draws_the_same_again_and_a_secret_does_not() {
        let draw = |address, token| Draw::of_call(&context(address, token)).expect("randomness").bytes::<16>();
        assert_eq!(draw("random_id.a", "t"), draw("random_id.a", "t"));
        assert_ne!(draw("random_id.a", "t"), draw("random_id.b", "t"));
        assert_ne!(draw("random_id.a", "t"), draw("random_id.a", "u"));
        assert_ne!(draw("random_id.a", ""), draw("random_id.a", ""));
        let secret = || Draw::secret().expect("randomness").bytes::<16>();
        assert_ne!(secret(), secret());
    }

    #[test]
    fn numbers_stay_below_their_bound_and_reach_all_of_it() {
        let mut draw = Draw::seeded("a");
        let seen: BTreeSet<u64> = (0..500).map(|_| draw.below(7)).collect();
        assert_eq!(seen, (0..7).collect());
        assert_eq!(draw.below(1), 0);
        let mut order: Vec<usize> = (0..50).collect();
        draw.shuffle(&mut order);
        assert_ne!(order, (0..50).collect::<Vec<_>>());
        order.sort_unstable();
        assert_eq!(order, (0..50).collect::<Vec<_>>());
    }
}
