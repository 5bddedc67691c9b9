//! The world outside as providers and stages may see it. `cli` implements it; tests replace it.

use std::path::PathBuf;
use std::time::SystemTime;

/// Environment variables, home folder, clock, and this program.
pub trait Environment: Send + Sync {
    /// An environment variable, if it is set and is text.
    fn variable(&self, name: &str) -> Option<String>;

    /// The user's home folder.
    fn home(&self) -> Option<PathBuf>;

    /// The time.
    fn now(&self) -> SystemTime;

    /// Path of this program, to start workers with.
    fn program(&self) -> PathBuf;
}
