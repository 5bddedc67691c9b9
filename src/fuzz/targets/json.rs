//! Loads a configuration in Terraform's JSON syntax and evaluates all that it can.
#![no_main]

#[path = "support/exercise.rs"]
mod exercise;

use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| exercise::exercise("main.tf.json", text));
