//! What goes wrong with a call: by the script first, then by chance.

use std::collections::BTreeMap;

use sha2::{Digest, Sha256};

use crate::settings::{Effect, Settings};

/// Draws faults. Keeps how often each call was made.
#[derive(Default)]
pub(crate) struct Faults {
    calls: BTreeMap<(String, String), u64>,
    /// The current second, and the calls in it.
    second: (u64, u32),
}

impl Faults {
    /// The fault of this call. Used-up entries leave the script.
    pub(crate) fn draw(&mut self, settings: &mut Settings, operation: &str, target: &str, now: u64) -> Option<Effect> {
        let key = (operation.to_owned(), target.to_owned());
        let count = self.calls.entry(key).or_default();
        *count += 1;
        let scripted = script(settings, operation);
        scripted.or_else(|| self.limit(settings, now)).or_else(|| {
            let number = self.calls[&(operation.to_owned(), target.to_owned())];
            chance(settings, operation, target, number)
        })
    }

    fn limit(&mut self, settings: &Settings, now: u64) -> Option<Effect> {
        let second = now / 1_000;
        if self.second.0 != second {
            self.second = (second, 0);
        }
        self.second.1 += 1;
        settings.requests_per_second.filter(|limit| self.second.1 > *limit).map(|_| Effect::Throttle)
    }
}

fn script(settings: &mut Settings, operation: &str) -> Option<Effect> {
    let mut effect = None;
    for fault in settings.faults.iter_mut().filter(|fault| names(&fault.operation, operation)) {
        if fault.skip > 0 {
            fault.skip -= 1;
        } else if effect.is_none() && fault.times > 0 {
            fault.times -= 1;
            effect = Some(fault.effect.clone());
        }
    }
    settings.faults.retain(|fault| fault.times > 0);
    effect
}

fn chance(settings: &Settings, operation: &str, target: &str, number: u64) -> Option<Effect> {
    let chance = &settings.chance;
    if !chance.operations.is_empty() && !chance.operations.iter().any(|pattern| names(pattern, operation)) {
        return None;
    }
    let mut left = fraction(&format!("{} {operation} {target} {number}", settings.seed));
    let failed = || Effect::Refuse {
        status: 500,
        code: "InternalError".to_owned(),
        message: "Internal error occurred".to_owned(),
    };
    let table = [
        (chance.throttle, Effect::Throttle),
        (chance.error, failed()),
        (chance.drop_before, Effect::DropBefore),
        (chance.drop_after, Effect::DropAfter),
    ];
    for (rate, effect) in table {
        if left < rate {
            return Some(effect);
        }
        left -= rate;
    }
    None
}

/// Between 0 and 1, the same for the same text.
fn fraction(text: &str) -> f64 {
    let digest = Sha256::digest(text);
    let bits = digest.iter().take(6).fold(0u64, |bits, byte| bits << 8 | u64::from(*byte));
    bits as f64 / (1u64 << 48) as f64
}

fn names(pattern: &str, operation: &str) -> bool {
    match pattern.strip_suffix('*') {
        Some(prefix) => operation.starts_with(prefix),
        None => operation == pattern,
    }
}
