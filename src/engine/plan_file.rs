//! The file around a saved plan: what it begins with, what tells whether it is whole, and how it is encrypted.
//!
//! A plan file is [`MAGIC`], a line of JSON `{"format":3,"digest":"sha256:..","root":"pipelines/hep.hcl"}`, and the content: the plan as JSON, or
//! the sealed text of it. The digest is that of the root, a line feed and the content. The root is in clear, because it says where the passphrase
//! is to be looked for.
//! What a plan holds is the business of `saved`.

use pipectl_core::{Diagnostic, Digest};
use pipectl_state::{Encryption, EncryptionError};
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

/// The first bytes of a plan file. The control characters show a transfer that changed line ends.
pub const MAGIC: &[u8] = b"\x89pipectl-plan\r\n\x1a\n";

/// The format that this program writes and reads. Plans live for hours: one of another format is made anew.
const FORMAT: u32 = 3;
/// What a sealed plan is sealed as: nothing else that was sealed with the same passphrase opens in its place.
const CONTEXT: &str = "pipectl plan";

/// Whether a file that begins so is a plan.
pub fn is_plan_file(first_bytes: &[u8]) -> bool {
    first_bytes.starts_with(MAGIC)
}

/// The root module that a plan file was made for, as it was known where the plan was made. Nothing where the file does not tell.
pub fn root_of_plan_file(bytes: &[u8]) -> Option<String> {
    split(bytes).ok().map(|(header, _)| header.root).filter(|root| !root.is_empty())
}

#[derive(Serialize, Deserialize)]
struct Header {
    format: u32,
    digest: Digest,
    /// Empty where the root has no file.
    #[serde(default)]
    root: String,
}

impl Header {
    /// The digest of a file's content under this header.
    fn digest_of(root: &str, content: &[u8]) -> Digest {
        match root {
            "" => Digest::of(content),
            root => Digest::of(&[root.as_bytes(), b"\n", content].concat()),
        }
    }
}

/// A file around a plan.
///
/// # Errors
/// When it cannot be encrypted.
pub(crate) fn wrap(plan: &[u8], root: &str, encryption: &Encryption) -> Result<Vec<u8>, Diagnostic> {
    let content = encryption.seal_file(CONTEXT, plan).map_err(|error| {
        Diagnostic::error("Plan not encrypted", format!("The plan cannot be encrypted and is not saved: {error}."))
    })?;
    let header = Header { format: FORMAT, digest: Header::digest_of(root, &content), root: root.to_owned() };
    let mut bytes = MAGIC.to_vec();
    bytes.extend(serde_json::to_vec(&header).expect("a header is plain data"));
    bytes.push(b'\n');
    bytes.extend(content);
    Ok(bytes)
}

/// The plan inside a file.
///
/// # Errors
/// When it is no plan file, is damaged or of another format, or cannot be decrypted.
pub(crate) fn unwrap(bytes: &[u8], encryption: &Encryption) -> Result<Vec<u8>, Diagnostic> {
    let (header, content) = split(bytes)?;
    if Header::digest_of(&header.root, content) != header.digest {
        return Err(unreadable("its content does not match its digest"));
    }
    encryption.open_file(CONTEXT, content.to_vec()).map_err(|error| not_decrypted(&error))
}

fn split(bytes: &[u8]) -> Result<(Header, &[u8]), Diagnostic> {
    let rest = bytes.strip_prefix(MAGIC).ok_or_else(|| unreadable("it does not begin as one"))?;
    let end = rest.iter().position(|byte| *byte == b'\n').ok_or_else(|| unreadable("its header is incomplete"))?;
    let (header, content) = (&rest[..end], &rest[end + 1..]);
    let json: Json = serde_json::from_slice(header).map_err(|_| unreadable("its header is not readable"))?;
    if json["format"].as_u64().is_some_and(|format| format > u64::from(FORMAT)) {
        let detail = "A newer pipectl wrote this plan file. Apply it with that one, or make a new plan with this one.";
        return Err(Diagnostic::error("Plan file of a newer version", detail));
    }
    if json["format"].as_u64().is_some_and(|format| format < u64::from(FORMAT)) {
        let detail = "An older pipectl wrote this plan file. Make a new plan with this one.";
        return Err(Diagnostic::error("Plan file of an older version", detail).hint("pipectl plan -out=FILE"));
    }
    let header = serde_json::from_value(json).map_err(|_| unreadable("its header is not readable"))?;
    Ok((header, content))
}

/// The error for what is no plan file.
pub(crate) fn unreadable(why: &str) -> Diagnostic {
    Diagnostic::error("Plan file not readable", format!("This is no whole plan file: {why}. Make a new one."))
        .hint("pipectl plan -out=FILE")
}

fn not_decrypted(error: &EncryptionError) -> Diagnostic {
    let diagnostic = Diagnostic::error("Plan file not decrypted", format!("The plan cannot be read: {error}."));
    match error {
        EncryptionError::NoKey => diagnostic.hint("Give the passphrase with which it was made."),
        EncryptionError::WrongKey { .. } => diagnostic
            .hint("Give the passphrase with which it was made.")
            .hint("pipectl plan -out=FILE makes a new one, with the passphrase of today."),
        EncryptionError::Clear | EncryptionError::Damaged(_) => diagnostic.hint("pipectl plan -out=FILE"),
        EncryptionError::Newer { .. } => diagnostic.hint("Apply it with the pipectl that made it."),
        EncryptionError::ShortPassphrase
        | EncryptionError::Cost
        | EncryptionError::NoRandomness
        | EncryptionError::StaysEncrypted(_) => diagnostic,
    }
}
