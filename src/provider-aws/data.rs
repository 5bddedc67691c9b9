//! `data "aws_s3_bucket"` and `data "aws_s3_object"`.

use std::sync::Arc;

use async_trait::async_trait;
use aws_sdk_s3::primitives::DateTimeFormat;
use pipectl_cloud::settling::READING_FAILED;
use pipectl_cloud::{Fields, Kind as _, Lookup};
use pipectl_core::{Attribute, Diagnostic, Diagnostics, Path, Schema, Type, Value};
use pipectl_provider::arguments::{map_of_text, text as given};
use pipectl_provider::{Cx, DataSource};
use pipectl_s3_client::{Fault as Refusal, PART};
use serde_json::Value as Json;

use crate::bucket::Bucket;
use crate::cloud::Cloud;
use crate::fault::failed;
use crate::kind::{Fault, Place, in_bucket, option, put_tags, tags, told};
use crate::object::{marks, seen};

pub(crate) struct BucketData {
    lookup: Lookup<Cloud>,
}

impl BucketData {
    pub(crate) fn new(cloud: Option<Arc<Cloud>>) -> Self {
        let others = ["bucket_prefix", "force_destroy", "object_lock_enabled", "tags_all"];
        let fields = others.into_iter().fold(Bucket::fields(), Fields::without);
        Self { lookup: Lookup::like(cloud, fields, &["bucket"]) }
    }
}

#[async_trait]
impl DataSource for BucketData {
    fn schema(&self) -> &Schema {
        self.lookup.schema()
    }

    async fn read(&self, cx: &Cx, config: &Value) -> Result<Value, Diagnostics> {
        let at = self.lookup.place(cx, (), config).await?;
        let bucket = given(config, "bucket").unwrap_or_default();
        // Whether it can be locked is not told.
        let known = Value::object([("object_lock_enabled", Value::from(false))]);
        let found = Bucket::look(&at, bucket, &known).await.map_err(|fault| fault.told(READING_FAILED))?;
        let found = found.ok_or_else(|| nothing("bucket", bucket, "bucket"))?;
        self.lookup.value(&at, bucket, &found, config)
    }
}

pub(crate) struct ObjectData {
    lookup: Lookup<Cloud>,
}

impl ObjectData {
    pub(crate) fn new(cloud: Option<Arc<Cloud>>) -> Self {
        let told_text = |description: &str| told(Type::String, description);
        let fields = in_bucket(Fields::new("An object of a bucket.").in_region())
            .with("key", Attribute::required(Type::String, "Its name in the bucket."))
            .with("version_id", Attribute::optional_computed(Type::String, "Its version. Default: the newest."))
            .with("range", option(Type::String, "What of it is read into `body`: `bytes=0-99`."))
            .with("arn", told_text("Its name among all that Amazon has."))
            .with(
                "body",
                told_text("What is in it, where its type says that it is text, and it has no more than 16 MiB."),
            )
            .with("cache_control", told_text("How long others may keep it."))
            .with("content_disposition", told_text("How browsers are to show it."))
            .with("content_encoding", told_text("How it is packed."))
            .with("content_language", told_text("The language that it is in."))
            .with("content_length", told(Type::Number, "Its size, in bytes."))
            .with("content_type", told_text("What it is."))
            .with("etag", told_text("The MD5 of what is in it, or what the server calls it."))
            .with("last_modified", told_text("When it was written, as HTTP tells times."))
            .with("metadata", told(map_of_text(), "What is said of it."))
            .with("server_side_encryption", told_text("How the server encrypts it."))
            .with("storage_class", told_text("`STANDARD`, `STANDARD_IA`, `GLACIER`, .."))
            .with("tags", told(map_of_text(), "What it is marked with."));
        Self { lookup: Lookup::new(cloud, fields) }
    }
}

#[async_trait]
impl DataSource for ObjectData {
    fn schema(&self) -> &Schema {
        self.lookup.schema()
    }

    async fn read(&self, cx: &Cx, config: &Value) -> Result<Value, Diagnostics> {
        let at = self.lookup.place(cx, (), config).await?;
        let of = |name: &str| given(config, name).unwrap_or_default();
        let id = format!("{}/{}", of("bucket"), of("key"));
        let found = find(&at, config).await.map_err(|fault| fault.told(READING_FAILED))?;
        let found = found.ok_or_else(|| nothing("object", &id, "key"))?;
        self.lookup.value(&at, &id, &found, config)
    }
}

async fn find(at: &Place<'_>, config: &Value) -> Result<Option<Json>, Fault> {
    let of = |name: &str| given(config, name).map(str::to_owned);
    let (bucket, key) = (of("bucket").unwrap_or_default(), of("key").unwrap_or_default());
    let unread = |refusal| failed(&format!("The object `{bucket}/{key}` cannot be read"), refusal);
    let head = at.endpoint.head_object().bucket(&bucket).key(&key).set_version_id(of("version_id"));
    let head = match head.send().await.map_err(Refusal::from) {
        Ok(head) => head,
        Err(refusal) if refusal.is_missing() || refusal.code.as_deref() == Some("NoSuchBucket") => return Ok(None),
        Err(refusal) => return Err(unread(refusal)),
    };
    let bytes = head.content_length.and_then(|length| u64::try_from(length).ok()).unwrap_or_default();
    let written = head.last_modified.and_then(|time| time.fmt(DateTimeFormat::HttpDate).ok());
    let is_text = head.content_type.as_deref().is_some_and(is_text);
    let is_marked = head.tag_count.is_some_and(|count| count > 0);
    let mut object = seen(at, &bucket, &key, head);
    object.insert("content_length".to_owned(), bytes.into());
    object.insert("last_modified".to_owned(), written.into());
    let marks = if is_marked { marks(at, &bucket, &key).await? } else { Vec::new() };
    put_tags(&mut object, tags(marks));
    if is_text && (bytes <= PART || given(config, "range").is_some()) {
        let get = at.endpoint.get_object().bucket(&bucket).key(&key).set_version_id(of("version_id"));
        let body = get.set_range(of("range")).send().await.map_err(|error| unread(error.into()))?.body.collect().await;
        let body = body.map_err(|error| unread(Refusal::on_the_way(format!("the answer broke off: {error}"))))?;
        object.insert("body".to_owned(), String::from_utf8(body.to_vec()).ok().into());
    }
    Ok(Some(Json::Object(object)))
}

/// Whether a type says that people can read it: as Terraform's provider sees it.
fn is_text(content_type: &str) -> bool {
    const OTHERS: [&str; 9] = [
        "application/atom+xml",
        "application/json",
        "application/ld+json",
        "application/x-csh",
        "application/x-httpd-php",
        "application/x-sh",
        "application/x-yaml",
        "application/xhtml+xml",
        "application/xml",
    ];
    let kind = content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    kind.starts_with("text/") || OTHERS.contains(&kind.as_str())
}

fn nothing(noun: &str, id: &str, argument: &'static str) -> Diagnostics {
    Diagnostic::error("Nothing found", format!("There is no {noun} `{id}`.")).on(Path::of(argument)).into()
}
