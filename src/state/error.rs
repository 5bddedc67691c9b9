//! What can go wrong with a stored state.

use std::path::{Path, PathBuf};

use pipectl_core::Diagnostic;

use crate::Holder;

/// A stored state cannot be read, written or locked.
#[derive(Debug, thiserror::Error)]
pub enum StateError {
    /// The operating system refused.
    #[error("cannot {doing} `{path}`")]
    Io {
        /// A verb.
        doing: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// A file does not hold what was written to it.
    #[error("`{path}` is damaged at byte {offset}: {message}")]
    Damaged {
        /// The file.
        path: PathBuf,
        /// First byte that cannot be right.
        offset: u64,
        /// What is wrong, as a fragment.
        message: String,
    },
    /// A newer program wrote the file.
    #[error("`{path}` has format version {found}, and this pipectl knows up to {}", crate::FORMAT)]
    NewerFormat {
        /// The file.
        path: PathBuf,
        /// Its version.
        found: u32,
    },
    /// Someone else holds the lock.
    #[error("the state is locked{}", holder.as_ref().map(|holder| format!(" by {holder}")).unwrap_or_default())]
    Locked {
        /// The lock's file.
        path: PathBuf,
        /// Who, when that can be read.
        holder: Option<Box<Holder>>,
    },
    /// The writer can commit no more, because an earlier commit failed and could not be undone, or the lock was lost.
    #[error("the state cannot be written any more: {0}")]
    Lost(String),
}

impl StateError {
    pub(crate) fn io(doing: &'static str, path: &Path) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.to_owned();
        move |source| StateError::Io { doing, path, source }
    }

    pub(crate) fn damaged(path: &Path, offset: usize, message: impl Into<String>) -> Self {
        StateError::Damaged { path: path.to_owned(), offset: offset as u64, message: message.into() }
    }

    /// The error for people: what, why, what to do.
    pub fn diagnostic(&self) -> Diagnostic {
        match self {
            StateError::Io { doing, path, source } => {
                Diagnostic::error("State not accessible", format!("Cannot {doing} `{}`: {source}.", path.display()))
            }
            StateError::Damaged { path, offset, message } => Diagnostic::error(
                "State damaged",
                format!(
                    "The state file `{}` is damaged at byte {offset}: {message}. Nothing was changed. A crash of pipectl does not do this: \
                     the file was edited, or the disk lost data.",
                    path.display()
                ),
            )
            .hint("Restore the state's folder from a backup, or from the version control system that keeps it."),
            StateError::NewerFormat { path, found } => Diagnostic::error(
                "State of a newer version",
                format!(
                    "The state file `{}` has format version {found}, and this pipectl knows versions up to {}. Use the pipectl that wrote it, \
                     or a newer one.",
                    path.display(),
                    crate::FORMAT
                ),
            ),
            StateError::Locked { path, holder } => {
                let who = holder.as_ref().map(|holder| format!(" by {holder}")).unwrap_or_default();
                Diagnostic::error(
                    "State locked",
                    format!(
                        "Another run holds the lock `{}`{who}. The lock ends with the process that holds it.",
                        path.display()
                    ),
                )
                .hint("-lock-timeout=10m")
            }
            StateError::Lost(why) => Diagnostic::error(
                "State not written",
                format!("The state cannot be written any more: {why}. Objects that were announced are found again by the next plan."),
            ),
        }
    }
}
