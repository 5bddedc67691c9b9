//! What a caller asks of a plan.

use std::fmt;

use pipectl_core::{Address, Digest, Target};
use serde::{Deserialize, Serialize};

/// What a plan is for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// Make the world as the configuration says.
    #[default]
    Normal,
    /// Remove everything that the state knows (`-destroy`).
    Destroy,
    /// Only take what was observed into the state (`-refresh-only`).
    RefreshOnly,
}

/// Randomness of one plan: names and tokens are drawn from it. The caller takes it from the operating system; tests fix it.
#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Seed(pub [u8; 32]);

impl fmt::Debug for Seed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Seed")
    }
}

impl Seed {
    /// Randomness of the operating system.
    pub fn random() -> Self {
        let mut bytes = [0; 32];
        getrandom::fill(&mut bytes).expect("the system has a source of randomness");
        Self(bytes)
    }

    /// 32 hex digits for one purpose: the same seed and purpose give the same digits.
    pub fn draw(&self, purpose: &str) -> String {
        let mut bytes = self.0.to_vec();
        bytes.extend_from_slice(purpose.as_bytes());
        Digest::of(&bytes).hex()[..32].to_owned()
    }
}

/// How to plan.
#[derive(Clone, Debug)]
pub struct PlanOptions {
    /// What for.
    pub mode: Mode,
    /// Whether the objects of the state are read first (`-refresh=false` turns it off).
    pub refresh: bool,
    /// Only these and what they depend on (`-target`). What has no key means all instances. Empty: everything.
    pub targets: Vec<Target>,
    /// Not these and not what depends on them (`-exclude`).
    pub excludes: Vec<Target>,
    /// Replace these even where nothing changed (`-replace`).
    pub replace: Vec<Address>,
    /// Whether what can be decided only while the plan is applied may also destroy objects (`-allow-deferred-destroy`).
    pub allow_deferred_destroy: bool,
    /// Randomness.
    pub seed: Seed,
}

impl PlanOptions {
    /// A plan of everything, with refresh.
    pub fn new(mode: Mode, seed: Seed) -> Self {
        Self {
            mode,
            refresh: true,
            targets: Vec::new(),
            excludes: Vec::new(),
            replace: Vec::new(),
            allow_deferred_destroy: false,
            seed,
        }
    }
}
