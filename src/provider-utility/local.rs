//! The provider `local`: files of this machine.
//!
//! Attributes and rules: HashiCorp's provider of that name, version 2.5. A relative path starts at the folder of the root. A file is looked
//! at when the plan is made: one that is gone is made again, and one whose content is not what was written is replaced.

mod data;
mod file;

use std::path::PathBuf;

use pipectl_core::{Diagnostic, Diagnostics, Value};
use pipectl_provider::{Cx, PlainProvider};

use crate::kept::KeptResource;
use pipectl_provider::arguments::text;

/// The provider: `local_file` and `local_sensitive_file`, each as a resource and as a data source.
pub fn provider() -> PlainProvider {
    PlainProvider::new("local")
        .resource("local_file", KeptResource::<file::LocalFile>::new())
        .resource("local_sensitive_file", KeptResource::<file::LocalSensitiveFile>::new())
        .data_source("local_file", data::FileContent::plain())
        .data_source("local_sensitive_file", data::FileContent::sensitive())
}

/// The file that an argument names.
pub(crate) fn path_of(cx: &Cx, object: &Value, name: &str) -> PathBuf {
    cx.root.join(text(object, name).unwrap_or_default())
}

/// An error of the file system about the file that an argument names.
pub(crate) fn file_error(summary: &str, doing: &str, shown: &str, error: &std::io::Error) -> Diagnostics {
    Diagnostic::error(summary, format!("Cannot {doing} `{shown}`: {error}.")).remedied(error).into()
}
