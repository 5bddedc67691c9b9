//! Tests of configurations: `*.tftest.hcl` files with `run` blocks that plan or apply, and assertions about what comes of it.
//!
//! `files` finds them, `file` reads one, `session` runs the blocks of one file over the engine with a state in memory. What is said while they run is the
//! business of `view::test_report`. Mocks and `module` blocks inside runs are refused: a test that cannot be run never passes.

pub mod file;
pub mod files;
pub mod session;
