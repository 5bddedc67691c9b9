//! What is said of an object when it is written: how it is encrypted, what it is, how it is marked.

use std::collections::BTreeMap;

use aws_sdk_s3::operation::create_multipart_upload::builders::CreateMultipartUploadFluentBuilder;
use aws_sdk_s3::operation::put_object::builders::PutObjectFluentBuilder;
use aws_sdk_s3::types::{ServerSideEncryption, StorageClass};

/// What encryption of its own a server is asked for when it stores an object. Not to be confused with the state's encryption, whose key no server
/// has.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Encrypted {
    /// Whatever the bucket does by itself.
    #[default]
    AsTheBucketDoes,
    /// With keys of the server (SSE-S3).
    ByTheServer,
    /// With the key that a key service has for this by itself (SSE-KMS).
    ByTheKeyService,
    /// With this key of a key service (SSE-KMS).
    With(String),
}

impl Encrypted {
    fn parts(&self) -> (Option<ServerSideEncryption>, Option<String>) {
        match self {
            Encrypted::AsTheBucketDoes => (None, None),
            Encrypted::ByTheServer => (Some(ServerSideEncryption::Aes256), None),
            Encrypted::ByTheKeyService => (Some(ServerSideEncryption::AwsKms), None),
            Encrypted::With(key) => (Some(ServerSideEncryption::AwsKms), Some(key.clone())),
        }
    }

    /// A write, asking for it.
    pub fn of_put(&self, put: PutObjectFluentBuilder) -> PutObjectFluentBuilder {
        let (encryption, key) = self.parts();
        put.set_server_side_encryption(encryption).set_ssekms_key_id(key)
    }

    /// The beginning of an upload in parts, asking for it.
    fn of_upload(&self, upload: CreateMultipartUploadFluentBuilder) -> CreateMultipartUploadFluentBuilder {
        let (encryption, key) = self.parts();
        upload.set_server_side_encryption(encryption).set_ssekms_key_id(key)
    }
}

/// What is said of an object when it is written.
#[derive(Clone, Debug, Default)]
pub struct Properties {
    /// How the server encrypts it.
    pub encrypted: Encrypted,
    /// How long others may keep it.
    pub cache_control: Option<String>,
    /// How browsers are to show it.
    pub content_disposition: Option<String>,
    /// How it is packed.
    pub content_encoding: Option<String>,
    /// The language that it is in.
    pub content_language: Option<String>,
    /// What it is: `text/csv`.
    pub content_type: Option<String>,
    /// What else is said of it.
    pub metadata: BTreeMap<String, String>,
    /// `STANDARD`, `GLACIER`, ..
    pub storage_class: Option<String>,
    /// What it is marked with.
    pub tags: BTreeMap<String, String>,
}

/// Two builders of the SDK's that take the same and have nothing in common.
macro_rules! dressed {
    ($properties:expr, $builder:expr) => {{
        let own = $properties;
        let is_told = |map: &BTreeMap<String, String>| !map.is_empty();
        $builder
            .set_cache_control(own.cache_control.clone())
            .set_content_disposition(own.content_disposition.clone())
            .set_content_encoding(own.content_encoding.clone())
            .set_content_language(own.content_language.clone())
            .set_content_type(own.content_type.clone())
            .set_metadata(is_told(&own.metadata).then(|| own.metadata.clone().into_iter().collect()))
            .set_storage_class(own.storage_class.as_deref().map(StorageClass::from))
            .set_tagging(is_told(&own.tags).then(|| own.tagging()))
    }};
}

impl Properties {
    /// A write that says all this.
    pub fn of_put(&self, put: PutObjectFluentBuilder) -> PutObjectFluentBuilder {
        self.encrypted.of_put(dressed!(self, put))
    }

    /// The beginning of an upload in parts that says all this.
    pub fn of_upload(&self, upload: CreateMultipartUploadFluentBuilder) -> CreateMultipartUploadFluentBuilder {
        self.encrypted.of_upload(dressed!(self, upload))
    }

    /// The tags as a header field has them: as the query of a URL.
    fn tagging(&self) -> String {
        let pairs = self.tags.iter().map(|(name, value)| format!("{}={}", encoded(name), encoded(value)));
        pairs.collect::<Vec<_>>().join("&")
    }
}

fn encoded(text: &str) -> String {
    let one = |byte: u8| match byte {
        b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => char::from(byte).to_string(),
        other => format!("%{other:02X}"),
    };
    text.bytes().map(one).collect()
}

#[cfg(test)]
mod tests {
    use super::Properties;

    #[test]
    fn tags_are_told_as_a_query() {
        let tags = [("team", "física & co"), ("a b", "")].map(|(name, value)| (name.to_owned(), value.to_owned()));
        let properties = Properties { tags: tags.into(), ..Properties::default() };
        assert_eq!(properties.tagging(), "a%20b=&team=f%C3%ADsica%20%26%20co");
    }
}
