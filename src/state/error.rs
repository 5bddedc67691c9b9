//! What can go wrong with a stored state.

use std::path::{Path, PathBuf};

use pipectl_core::Diagnostic;

use crate::encryption::EncryptionError;
use crate::{Holder, LeaseSeen, ObjectError};

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
    /// The object store refused, or did not answer for too long.
    #[error("cannot {doing} `{name}`")]
    Remote {
        /// A verb.
        doing: &'static str,
        /// The object.
        name: String,
        /// Why.
        #[source]
        source: ObjectError,
    },
    /// What is stored is encrypted and cannot be decrypted, or the other way round.
    #[error("cannot decrypt `{path}`")]
    Encryption {
        /// The file or object.
        path: PathBuf,
        /// Why.
        #[source]
        source: EncryptionError,
    },
    /// Someone else holds the lock.
    #[error("the state is locked{}", holder.as_ref().map(|holder| format!(" by {holder}")).unwrap_or_default())]
    Locked {
        /// The lock's file.
        path: PathBuf,
        /// Who, when that can be read.
        holder: Option<Box<Holder>>,
        /// The lease, where the lock is one.
        lease: Option<LeaseSeen>,
    },
    /// There is no lease of that id to break.
    #[error("the state is not locked under the id `{id}`")]
    NoSuchLock {
        /// What was asked for.
        id: String,
        /// The id of the lease that there is.
        found: Option<String>,
    },
    /// The lock ends with the process that holds it: there is nothing to break.
    #[error("this lock cannot be broken")]
    NotBreakable,
    /// The writer can commit no more, because an earlier commit failed and could not be undone, or the lock was lost.
    #[error("the state cannot be written any more: {0}")]
    Lost(String),
}

impl StateError {
    pub(crate) fn io(doing: &'static str, path: &Path) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.to_owned();
        move |source| StateError::Io { doing, path, source }
    }

    pub(crate) fn encryption(path: &Path) -> impl FnOnce(EncryptionError) -> Self {
        let path = path.to_owned();
        move |source| StateError::Encryption { path, source }
    }

    pub(crate) fn damaged(path: &Path, offset: usize, message: impl Into<String>) -> Self {
        StateError::Damaged { path: path.to_owned(), offset: offset as u64, message: message.into() }
    }

    /// Whether a commit that ended so may have been made all the same. What it held is then found by the next reader, or it is not.
    pub fn is_uncertain(&self) -> bool {
        matches!(self, StateError::Remote { source, .. } if source.is_uncertain())
    }

    /// The error for people: what, why, what to do.
    pub fn diagnostic(&self) -> Diagnostic {
        match self {
            StateError::Io { doing, path, source } => {
                Diagnostic::error("State not accessible", format!("Cannot {doing} `{}`: {source}.", path.display()))
                    .remedied(source)
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
            StateError::Remote { doing, name, source } => {
                let diagnostic =
                    Diagnostic::error("State not accessible", format!("Cannot {doing} `{name}`: {source}."));
                match source.is_uncertain() {
                    true => diagnostic.hint("The store did not answer. Nothing is lost by running the command again."),
                    false => diagnostic,
                }
            }
            StateError::Encryption { path, source } => encryption_diagnostic(path, source),
            StateError::Locked { path, holder, lease } => locked_diagnostic(path, holder.as_deref(), lease.as_ref()),
            StateError::NoSuchLock { id, found } => {
                let found = match found {
                    Some(found) => format!("The lock that there is has the id `{found}`."),
                    None => "It is not locked at all.".to_owned(),
                };
                Diagnostic::error("No such lock", format!("The state is not locked under the id `{id}`. {found}"))
            }
            StateError::NotBreakable => Diagnostic::error(
                "Lock not breakable",
                "The lock of a state on a local disk belongs to a process and ends with it: end that process.",
            ),
            StateError::Lost(why) => Diagnostic::error(
                "State not written",
                format!("The state cannot be written any more: {why}. Objects that were announced are found again by the next plan."),
            ),
        }
    }
}

fn encryption_diagnostic(path: &Path, source: &EncryptionError) -> Diagnostic {
    let diagnostic =
        Diagnostic::error("State not decrypted", format!("Cannot decrypt `{}`: {source}.", path.display()));
    match source {
        EncryptionError::NoKey => diagnostic.hint("Add the `encryption` block with which it was written, or set the environment variable PIPECTL_PASSPHRASE."),
        EncryptionError::WrongKey { .. } => diagnostic
            .hint("Give the passphrase with which it was written; when the passphrase changes, the old one stays as the fallback for one run."),
        EncryptionError::Clear => diagnostic.hint("Run once without `enforced = true`: the state is then rewritten encrypted."),
        EncryptionError::Newer { .. } => diagnostic.hint("Use the pipectl that wrote it, or a newer one."),
        EncryptionError::Damaged(_) => {
            diagnostic.hint("Restore it from a backup. A crash of pipectl does not do this: it was edited, or moved.")
        }
        EncryptionError::StaysEncrypted(what) => {
            let detail = format!(
                "{what} holds what only an encrypted state keeps, or is of a kind that this pipectl cannot look into, and encryption is turned off. \
                 Nothing was written. Keep the passphrase, or remove that object first, while the state is encrypted."
            );
            Diagnostic::error("Encryption required", detail).hint("pipectl state list")
        }
        EncryptionError::ShortPassphrase | EncryptionError::Cost | EncryptionError::NoRandomness => diagnostic,
    }
}

fn locked_diagnostic(path: &Path, holder: Option<&Holder>, lease: Option<&LeaseSeen>) -> Diagnostic {
    let who = holder.map(|holder| format!(" by {holder}")).unwrap_or_default();
    let path = path.display();
    let Some(LeaseSeen { id, length, silent }) = lease else {
        let detail = format!("Another run holds the lock `{path}`{who}. The lock ends with the process that holds it.");
        return Diagnostic::error("State locked", detail).hint("-lock-timeout=10m");
    };
    let heard = silent.map(|silent| format!(" It was last heard of {} s ago.", silent.as_secs())).unwrap_or_default();
    let detail = format!(
        "Another run holds the lease `{path}`{who}; its id is {id}.{heard} A lease whose holder is silent for {} s can be taken over by whoever waits for it.",
        length.as_secs()
    );
    Diagnostic::error("State locked", detail).hint("-lock-timeout=10m")
}
