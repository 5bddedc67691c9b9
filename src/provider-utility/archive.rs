//! The provider `archive`: files packed into one, as a data source when the plan is made, or as a resource when it is applied.
//!
//! Attributes and rules: HashiCorp's provider of that name, version 2.5. The same sources always make the same bytes: entries are in the
//! order of their names, times are fixed, owners are 0, and the compressor is one whose version stands in the lock file. They are not the
//! bytes that HashiCorp's provider makes, which compresses with another library.

mod entries;
mod kinds;
mod tar;
mod zip;

use pipectl_provider::PlainProvider;

use crate::kept::KeptResource;

/// The provider: `archive_file`, as a resource and as a data source.
pub fn provider() -> PlainProvider {
    PlainProvider::new("archive")
        .resource("archive_file", KeptResource::<kinds::ArchiveFile>::new())
        .data_source("archive_file", kinds::ArchiveData::new())
}

/// One file of an archive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    /// Its path in the archive, with `/`.
    pub(crate) name: String,
    /// Its permissions.
    pub(crate) mode: u32,
    /// Its content.
    pub(crate) content: Vec<u8>,
}

/// An archive cannot be made.
#[derive(Debug)]
pub(crate) struct ArchiveError(pub(crate) String);

impl ArchiveError {
    pub(crate) fn new(message: impl Into<String>) -> Self {
        Self(message.into())
    }
}

/// How hard the compressor tries: the default of zlib and of Go.
const LEVEL: u8 = 6;
