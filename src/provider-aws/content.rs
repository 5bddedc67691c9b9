//! What is put into an object: a file, or what stands in the configuration; and the digest that tells one content from another.
//!
//! The ETag of an object that was sent in one piece is the MD5 of its content. That of one that was sent in parts, or is encrypted with a key of a
//! key service, is not: such objects bear the MD5 in their metadata, where it stays with the content whatever becomes of the object.

use std::fs::File;
use std::io::Read as _;
use std::path::{Path as FilePath, PathBuf};
use std::time::SystemTime;

use aws_sdk_s3::operation::head_object::HeadObjectOutput;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use md5::{Digest, Md5};
use pipectl_core::{Diagnostic, Diagnostics, Path};

use crate::kind::Place;

/// Where an object bears the digest of its content.
pub(crate) const DIGEST: &str = "pipectl-md5";

/// What is put into an object.
pub(crate) enum Content {
    /// Bytes of the configuration.
    Bytes(Vec<u8>),
    /// A file.
    File(PathBuf),
}

/// How a file is while nobody writes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Stamp {
    pub(crate) bytes: u64,
    modified: Option<SystemTime>,
}

impl Content {
    /// What these arguments say: nothing at all is an empty object.
    pub(crate) fn of(at: &Place<'_>, argument: &dyn Fn(&str) -> Option<String>) -> Result<Self, Diagnostics> {
        if let Some(source) = argument("source") {
            return Ok(Content::File(place(at, &source)));
        }
        Ok(Content::Bytes(written(argument).unwrap_or_default()))
    }

    /// The MD5 of it, as an ETag tells it.
    pub(crate) async fn digest(&self) -> Result<String, Diagnostics> {
        match self {
            Content::Bytes(bytes) => Ok(hex(&Md5::digest(bytes))),
            Content::File(path) => {
                let of = path.clone();
                let digest = tokio::task::spawn_blocking(move || digest_of(&of)).await;
                let digest = digest.map_err(|error| unreadable(path, &error))?;
                digest.map_err(|error| unreadable(path, &error).into())
            }
        }
    }
}

/// The bytes that stand in the configuration, where it has any.
pub(crate) fn written(argument: &dyn Fn(&str) -> Option<String>) -> Option<Vec<u8>> {
    match (argument("content"), argument("content_base64")) {
        (Some(text), _) => Some(text.into_bytes()),
        (None, Some(base64)) => STANDARD.decode(base64).ok(),
        (None, None) => None,
    }
}

/// How a file is now.
pub(crate) fn stamp(path: &FilePath) -> Result<Stamp, Diagnostics> {
    let found = std::fs::metadata(path).map_err(|error| unreadable(path, &error))?;
    match found.is_file() {
        true => Ok(Stamp { bytes: found.len(), modified: found.modified().ok() }),
        false => Err(unreadable(path, &"it is no file").into()),
    }
}

/// The digest of what an object holds, as far as the server tells: what the object bears, or its ETag.
pub(crate) fn told(head: &HeadObjectOutput) -> Option<String> {
    let borne = head.metadata().and_then(|metadata| metadata.get(DIGEST));
    borne.map(String::as_str).or_else(|| head.e_tag()).map(|tag| tag.trim_matches('"').to_owned())
}

/// The digest of some bytes.
pub(crate) fn of_bytes(bytes: &[u8]) -> String {
    hex(&Md5::digest(bytes))
}

fn place(at: &Place<'_>, source: &str) -> PathBuf {
    match (source.strip_prefix("~/"), at.cx.environment.home()) {
        (Some(rest), Some(home)) => home.join(rest),
        _ => at.cx.root.join(source),
    }
}

fn digest_of(path: &FilePath) -> std::io::Result<String> {
    let (mut file, mut digest, mut chunk) = (File::open(path)?, Md5::new(), vec![0; 1 << 20]);
    loop {
        match file.read(&mut chunk)? {
            0 => return Ok(hex(&digest.finalize())),
            bytes => digest.update(&chunk[..bytes]),
        }
    }
}

fn hex(digest: &[u8]) -> String {
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn unreadable(path: &FilePath, why: &dyn std::fmt::Display) -> Diagnostic {
    let detail = format!("`{}` cannot be read: {why}.", path.display());
    Diagnostic::error("Unreadable file", detail).on(Path::of("source"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_object_bears_the_digest_that_its_etag_does_not_tell() {
        let head = HeadObjectOutput::builder().e_tag("\"065947336a2f2a95ba8899f3675c3be6-2\"");
        assert_eq!(told(&head.clone().build()).as_deref(), Some("065947336a2f2a95ba8899f3675c3be6-2"));
        let borne = head.metadata(DIGEST, "5d41402abc4b2a76b9719d911017c592").build();
        assert_eq!(told(&borne).as_deref(), Some(of_bytes(b"hello").as_str()));
    }

    #[tokio::test]
    async fn a_file_and_its_bytes_have_the_same_digest() {
        let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("Cargo.toml");
        let bytes = std::fs::read(&path).expect("the crate has one");
        let digests = (Content::File(path).digest().await, Content::Bytes(bytes).digest().await);
        let (Ok(file), Ok(bytes)) = digests else { panic!("both can be read") };
        assert_eq!(file, bytes);
    }
}
