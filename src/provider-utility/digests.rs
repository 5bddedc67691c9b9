//! Digests of content as `local` and `archive` show them: MD5, SHA-1, SHA-256 and SHA-512, in hexadecimal and in base64.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use md5::Md5;
use pipectl_core::{Attribute, Schema, Type, Value};
use sha1::Sha1;
use sha2::{Digest, Sha256, Sha512};

/// All digests of one content.
pub(crate) struct Digests {
    pub(crate) md5: String,
    pub(crate) sha1: String,
    pub(crate) sha256: String,
    pub(crate) base64_sha256: String,
    pub(crate) sha512: String,
    pub(crate) base64_sha512: String,
}

impl Digests {
    /// The digests of `content`.
    pub(crate) fn of(content: &[u8]) -> Self {
        let (sha256, sha512) = (Sha256::digest(content), Sha512::digest(content));
        Self {
            md5: hex(&Md5::digest(content)),
            sha1: sha1_hex(content),
            sha256: hex(&sha256),
            base64_sha256: STANDARD.encode(sha256),
            sha512: hex(&sha512),
            base64_sha512: STANDARD.encode(sha512),
        }
    }

    /// The attributes under which a kind shows them, after `id`: `<prefix>_md5` and so on. The name of the SHA-1 differs between kinds.
    pub(crate) fn attributes(self, prefix: &str, sha1_name: &str) -> Vec<(String, Value)> {
        let named = |name: &str, text: String| (format!("{prefix}_{name}"), Value::from(text));
        vec![
            ("id".to_owned(), Value::from(self.sha1.as_str())),
            named("md5", self.md5),
            named(sha1_name, self.sha1),
            named("sha256", self.sha256),
            named("base64sha256", self.base64_sha256),
            named("sha512", self.sha512),
            named("base64sha512", self.base64_sha512),
        ]
    }
}

/// Adds the attributes of [`Digests::attributes`] to a schema.
pub(crate) fn with_digests(schema: Schema, prefix: &str, sha1_name: &str, what: &str) -> Schema {
    let id = Attribute::computed(Type::String, &format!("SHA-1 of the {what}, in hexadecimal."));
    let digests = [
        ("md5", "MD5", "hexadecimal"),
        (sha1_name, "SHA-1", "hexadecimal"),
        ("sha256", "SHA-256", "hexadecimal"),
        ("base64sha256", "SHA-256", "base64"),
        ("sha512", "SHA-512", "hexadecimal"),
        ("base64sha512", "SHA-512", "base64"),
    ];
    digests.into_iter().fold(schema.attribute("id", id), |schema, (name, algorithm, form)| {
        let description = format!("{algorithm} of the {what}, in {form}.");
        schema.attribute(&format!("{prefix}_{name}"), Attribute::computed(Type::String, &description))
    })
}

/// SHA-1 in hexadecimal: the form of most ids.
pub(crate) fn sha1_hex(content: &[u8]) -> String {
    hex(&Sha1::digest(content))
}

/// Bytes in lowercase hexadecimal.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn agrees_with_the_standard_vectors() {
        let digests = Digests::of(b"abc");
        assert_eq!(digests.md5, "900150983cd24fb0d6963f7d28e17f72");
        assert_eq!(digests.sha1, "a9993e364706816aba3e25717850c26c9cd0d89d");
        assert_eq!(digests.sha256, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
        assert_eq!(digests.base64_sha256, "ungWv48Bz+pBQUDeXa4iI7ADYaOWF3qctBD/YfIAFa0=");
        assert!(digests.sha512.starts_with("ddaf35a193617abacc417349ae204131"));
        assert!(digests.base64_sha512.starts_with("3a81oZNherrMQXNJriBBMRLm"));
    }
}
