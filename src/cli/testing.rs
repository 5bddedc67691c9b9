//! Tests of configurations: `*.tftest.hcl` files with `run` blocks that plan or apply, and assertions about what comes of it.
//!
//! `files` finds them, `file` and `overrides` read one, `modules` are what runs work on beside the root module. `session` runs the blocks of one
//! file over the engine, with states in memory: `given` is what a run works with, `judge` says whether it is good. `mock` stands for providers,
//! with `mocked_kinds` and values from `made_up`. What is said while they run is the business of `view::test_report` and `view::junit`.

pub mod file;
pub mod files;
mod given;
mod judge;
mod made_up;
mod mock;
mod mocked_kinds;
pub mod modules;
pub mod overrides;
pub mod session;
