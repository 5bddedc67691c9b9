//! Loads a configuration in the native syntax, evaluates all that it can, and lays it out.
//!
//! Beyond not panicking: what `format` gives, it gives again.
#![no_main]

#[path = "support/exercise.rs"]
mod exercise;

use libfuzzer_sys::fuzz_target;
use pipectl_lang::format;

fuzz_target!(|text: &str| {
    exercise::exercise("main.hcl", text);
    if let Ok(once) = format(text) {
        assert_eq!(format(&once).as_ref(), Ok(&once), "formatting again changes nothing");
    }
});
