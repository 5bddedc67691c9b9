//! `aws_s3_object`: a file in a bucket. Its id is `BUCKET/KEY`.

use async_trait::async_trait;
use aws_sdk_s3::operation::head_object::HeadObjectOutput;
use aws_sdk_s3::primitives::ByteStream;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use pipectl_cloud::{Fields, differs};
use pipectl_core::{Attribute, Diagnostic, Diagnostics, Path, Type, Value};
use pipectl_provider::arguments::{flag, map_of_text, optional_text, text as given, text_map};
use pipectl_provider::rules::{conflicts, one_of};
use pipectl_s3_client::{Encrypted, Fault as Refusal, Interrupted, PART, Properties};
use serde_json::{Map, Value as Json, json};

use crate::cloud::{Cloud, arn};
use crate::content::{self, Content, DIGEST};
use crate::emptying;
use crate::fault::{failed, is_unknown_there};
use crate::kind::{
    Fault, Kind, Known, More, Place, either, in_bucket, option, put_tags, tagging, tags, text, told, with_tags,
};

/// What is in an object.
const CONTENT: [&str; 4] = ["content", "content_base64", "source", "source_hash"];

/// Header fields that say what it is, by argument.
const HEADERS: [&str; 5] =
    ["cache_control", "content_disposition", "content_encoding", "content_language", "content_type"];

/// Where the id of an upload in parts is written down before the first of them is sent.
const UPLOAD: &str = "upload";

const AES: &str = "AES256";
const KMS: &str = "aws:kms";

pub(crate) struct Object;

#[async_trait]
impl Kind for Object {
    type Cloud = Cloud;

    const TYPE: &'static str = "aws_s3_object";
    const NOUN: &'static str = "object";
    const SERVICE: () = ();
    const COLLECTION: &'static str = "";
    // What is there already is not written over, and what is the same is no other.
    const REPEATS: bool = true;

    fn fields() -> Fields {
        let fields = in_bucket(Fields::new("A file in a bucket.").in_region())
            .with("key", Attribute::required(Type::String, "Its name in the bucket.").forces_replacement())
            .apart("source", option(Type::String, "The file that is put there, from the folder of the configuration on."))
            .apart("content", option(Type::String, "What is in it, as text."))
            .apart("content_base64", option(Type::String, "What is in it, in base64."))
            .apart("source_hash", option(Type::String, "Anything that changes when the file does: `filesha256(..)`."))
            .with(
                "etag",
                either(
                    Type::String,
                    "The MD5 of what is in it, or what the server calls it. Given as `filemd5(..)`, it has changes of the file seen.",
                ),
            )
            .with("cache_control", option(Type::String, "How long others may keep it."))
            .with("content_disposition", option(Type::String, "How browsers are to show it."))
            .with("content_encoding", option(Type::String, "How it is packed: `gzip`."))
            .with("content_language", option(Type::String, "The language that it is in."))
            .with("content_type", either(Type::String, "What it is: `text/csv`."))
            .with("metadata", option(map_of_text(), "What is said of it. Names have small letters."))
            .with("storage_class", either(Type::String, "`STANDARD`, `STANDARD_IA`, `GLACIER`, .."))
            .with("server_side_encryption", either(Type::String, "How the server encrypts it: `AES256`, `aws:kms`."))
            .apart("kms_key_id", option(Type::String, "The key that it is encrypted with, with `aws:kms`."))
            .apart("force_destroy", option(Type::Bool, "Whether it is removed although a rule of the bucket keeps it."))
            .default("force_destroy", false)
            .with("arn", told(Type::String, "Its name among all that Amazon has."))
            .with("version_id", told(Type::String, "Its version, where the bucket keeps them."))
            .moving(["etag", "version_id"]);
        with_tags(fields)
    }

    fn validate(config: &Value) -> Diagnostics {
        let mut found = conflicts(config, "content", &["content_base64", "source"]);
        found.extend(conflicts(config, "content_base64", &["source"]));
        found.extend(one_of(config, "server_side_encryption", &[AES, KMS]));
        if let Some(text) = given(config, "content_base64")
            && STANDARD.decode(text).is_err()
        {
            let detail = "`content_base64` is no base64. `base64encode(..)` gives some.";
            found.push(Diagnostic::error("Invalid base64", detail).on(Path::of("content_base64")));
        }
        if let Some(name) = text_map(config, "metadata").keys().find(|name| *name == DIGEST) {
            let detail = format!("`{name}` is where pipectl keeps the digest of large objects: it cannot be given.");
            found.push(Diagnostic::error("Invalid metadata", detail).on(Path::of("metadata")));
        }
        if given(config, "key") == Some("") {
            found.push(Diagnostic::error("Invalid key", "`key` must not be empty.").on(Path::of("key")));
        }
        let is_large = |name: &&String| name.chars().any(char::is_uppercase);
        if let Some(name) = text_map(config, "metadata").keys().find(is_large) {
            let detail = format!("Servers know names in `metadata` in small letters only: `{name}` has others.");
            found.push(Diagnostic::error("Invalid metadata", detail).on(Path::of("metadata")));
        }
        found
    }

    fn id(object: &Json) -> Option<String> {
        Some(format!("{}/{}", text(object, "bucket")?, text(object, "key")?))
    }

    async fn create(at: &Place<'_>, planned: &Value) -> Result<Json, Fault> {
        put(at, planned, true).await?;
        let id = id(planned);
        let seen = Self::look(at, &id, planned).await?;
        seen.ok_or_else(|| {
            Diagnostic::error("Object vanished", format!("`{id}` was put there and is not there.")).into()
        })
    }

    async fn look(at: &Place<'_>, id: &str, known: &Value) -> Result<Option<Json>, Fault> {
        let Some((bucket, key)) = id.split_once('/') else { return Ok(None) };
        let head = match at.endpoint.head_object().bucket(bucket).key(key).send().await.map_err(Refusal::from) {
            Ok(head) => head,
            Err(refusal) if refusal.is_missing() || refusal.code.as_deref() == Some("NoSuchBucket") => return Ok(None),
            Err(refusal) => return Err(failed(&format!("The object `{id}` cannot be looked at"), refusal)),
        };
        // Servers tell how many there are, or they do not know how to.
        let may_be_marked = head.tag_count.is_some_and(|count| count > 0) || !text_map(known, "tags").is_empty();
        let mut object = seen(at, bucket, key, head);
        let marks = if may_be_marked { marks(at, bucket, key).await? } else { Vec::new() };
        put_tags(&mut object, tags(marks));
        Ok(Some(Json::Object(object)))
    }

    async fn more(at: &Place<'_>, object: &Json, known: &Value) -> Result<More, Fault> {
        let (Some(before), Some(now)) = (given(known, "etag"), text(object, "etag")) else { return Ok(More::new()) };
        if before == now {
            return Ok(More::new());
        }
        let argument = |name: &str| given(known, name).map(str::to_owned);
        if let Some(bytes) = content::written(&argument) {
            return other_content(at, known, &bytes, &now).await;
        }
        // Nobody can tell from a digest that is no MD5 whether the file is what is there: it is put there again.
        let sources = ["source", "source_hash"].into_iter().filter(|name| given(known, name).is_some());
        Ok(sources.map(|name| (name.to_owned(), Value::null_of(Type::String))).collect())
    }

    async fn update(at: &Place<'_>, id: &str, prior: &Value, planned: &Value) -> Result<bool, Fault> {
        let others = ["etag", "metadata", "storage_class", "server_side_encryption", "kms_key_id"];
        let mut all = CONTENT.iter().chain(&HEADERS).chain(&others);
        if all.any(|name| differs(prior, planned, name)) {
            put(at, planned, false).await?;
            return Ok(true);
        }
        if !differs(prior, planned, "tags") {
            return Ok(false);
        }
        let (bucket, key) = id.split_once('/').unwrap_or_default();
        let tags = tagging(&text_map(planned, "tags"))?;
        let mark = at.endpoint.put_object_tagging().bucket(bucket).key(key).tagging(tags);
        let marked = mark.send().await.map_err(Refusal::from);
        marked.map_err(|refusal| failed(&format!("The tags of the object `{id}` cannot be set"), refusal))?;
        Ok(true)
    }

    async fn delete(at: &Place<'_>, id: &str, prior: &Value) -> Result<(), Fault> {
        let Some((bucket, key)) = id.split_once('/') else { return Ok(()) };
        if given(prior, "source").is_some() {
            // A run that was killed while it wrote a large file has left parts of it.
            let left = object(at, prior, Properties::default()).give_up_all().await;
            left.map_err(|refusal| failed(&format!("The uploads of the object `{id}` cannot be given up"), refusal))?;
        }
        if given(prior, "version_id").is_some() {
            return emptying::remove(at, bucket, Some(key), flag(prior, "force_destroy") == Some(true)).await;
        }
        match at.endpoint.delete_object().bucket(bucket).key(key).send().await.map_err(Refusal::from) {
            Ok(_) => Ok(()),
            Err(refusal) if refusal.status == Some(404) => Ok(()),
            Err(refusal) => Err(failed(&format!("The object `{id}` cannot be removed"), refusal)),
        }
    }

    async fn candidates(at: &Place<'_>, arguments: &Json, before: &Json) -> Result<Vec<Json>, Fault> {
        let argument = |name: &str| text(arguments, name);
        let (Some(id), Some(bucket), Some(key)) = (Self::id(arguments), argument("bucket"), argument("key")) else {
            return Ok(Vec::new());
        };
        if let Some(upload) = text(before, UPLOAD) {
            // Whoever sent its parts is not there any more.
            let given_up = place(at, bucket, key, Properties::default()).give_up(&upload).await;
            given_up.map_err(|refusal| failed(&format!("An upload of `{id}` cannot be given up"), refusal))?;
        }
        let Some(object) = Self::look(at, &id, &Value::null()).await? else { return Ok(Vec::new()) };
        // What bears the name may be older than the call: then it is something else, or the same.
        let Ok(digest) = Content::of(at, &argument)?.digest().await else { return Ok(Vec::new()) };
        let is_it = text(&object, "etag").is_some_and(|tag| tag == digest);
        Ok(if is_it { vec![object] } else { Vec::new() })
    }

    fn is_named(_arguments: &Json) -> bool {
        true
    }

    fn imported(id: &str) -> Result<(String, Known), Diagnostics> {
        let path = id.strip_prefix("s3://").unwrap_or(id);
        match path.split_once('/').filter(|(bucket, key)| !bucket.is_empty() && !key.is_empty()) {
            Some(_) => Ok((path.to_owned(), Known::from([("force_destroy", Value::from(false))]))),
            None => {
                let detail = format!("The id of an object is `BUCKET/KEY`, and not `{id}`.");
                Err(Diagnostic::error("Invalid id", detail).into())
            }
        }
    }
}

fn id(planned: &Value) -> String {
    let of = |name: &str| given(planned, name).unwrap_or_default();
    format!("{}/{}", of("bucket"), of("key"))
}

/// What a look at an object tells.
pub(crate) fn seen(at: &Place<'_>, bucket: &str, key: &str, head: HeadObjectOutput) -> Map<String, Json> {
    let region = at.region.as_deref().unwrap_or_default();
    let told = [
        ("bucket", Some(bucket.to_owned())),
        ("key", Some(key.to_owned())),
        ("arn", Some(arn(region, &format!("{bucket}/{key}")))),
        ("etag", content::told(&head)),
        ("version_id", head.version_id.filter(|version| version != "null")),
        ("cache_control", head.cache_control),
        ("content_disposition", head.content_disposition),
        ("content_encoding", head.content_encoding.filter(|encoding| encoding != "aws-chunked")),
        ("content_language", head.content_language),
        ("content_type", head.content_type),
        // Only what is not in the usual class is told.
        (
            "storage_class",
            Some(head.storage_class.map_or_else(|| "STANDARD".to_owned(), |class| class.as_str().to_owned())),
        ),
        ("server_side_encryption", head.server_side_encryption.map(|encryption| encryption.as_str().to_owned())),
    ];
    let mut object: Map<String, Json> = told.into_iter().map(|(name, text)| (name.to_owned(), text.into())).collect();
    let metadata = head.metadata.unwrap_or_default().into_iter().filter(|(name, _)| name != DIGEST);
    let metadata: Json = metadata.map(|(name, text)| (name, Json::String(text))).collect();
    object.insert("metadata".to_owned(), metadata);
    object
}

pub(crate) async fn marks(at: &Place<'_>, bucket: &str, key: &str) -> Result<Vec<aws_sdk_s3::types::Tag>, Fault> {
    match at.endpoint.get_object_tagging().bucket(bucket).key(key).send().await.map_err(Refusal::from) {
        Ok(found) => Ok(found.tag_set),
        Err(refusal) if refusal.status == Some(404) || is_unknown_there(&refusal) => Ok(Vec::new()),
        Err(refusal) => Err(failed(&format!("The tags of the object `{bucket}/{key}` cannot be read"), refusal)),
    }
}

/// Other content was found than was put there: shows it, so far as it can be shown.
async fn other_content(at: &Place<'_>, known: &Value, bytes: &[u8], now: &str) -> Result<More, Fault> {
    if content::of_bytes(bytes) == now {
        // The server calls it otherwise than it did.
        return Ok(More::new());
    }
    let there = object(at, known, Properties::default());
    let size = there.size().await.map_err(|refusal| unread(known, refusal))?.unwrap_or_default();
    let found = match size <= PART {
        true => there.get().await.map_err(|refusal| unread(known, refusal))?,
        false => None,
    };
    let (name, shown) = match given(known, "content") {
        Some(_) => ("content", found.and_then(|bytes| String::from_utf8(bytes).ok())),
        None => ("content_base64", found.map(|bytes| STANDARD.encode(bytes))),
    };
    // What is in the place of a secret may be an earlier one.
    let marks = known.attribute(name).map(Value::marks).unwrap_or_default();
    Ok(More::from([(name.to_owned(), optional_text(shown.as_deref()).marked(marks))]))
}

fn unread(known: &Value, refusal: Refusal) -> Fault {
    failed(&format!("The object `{}` cannot be read", id(known)), refusal)
}

/// An object of the server's, by its arguments.
fn object(at: &Place<'_>, planned: &Value, properties: Properties) -> pipectl_s3_client::Object {
    let of = |name: &str| given(planned, name).unwrap_or_default().to_owned();
    place(at, of("bucket"), of("key"), properties)
}

fn place(at: &Place<'_>, bucket: String, key: String, properties: Properties) -> pipectl_s3_client::Object {
    let (client, turns) = (at.endpoint.clone(), at.cloud.parts.clone());
    pipectl_s3_client::Object { client, bucket, key, properties, only_new: false, turns }
}

/// Writes an object. A new one is not written over one that is there.
async fn put(at: &Place<'_>, planned: &Value, is_new: bool) -> Result<(), Fault> {
    let of = |name: &str| given(planned, name).map(str::to_owned);
    let content = Content::of(at, &of)?;
    let before = match &content {
        Content::File(path) => Some((path.clone(), content::stamp(path)?)),
        Content::Bytes(_) => None,
    };
    let digest = content.digest().await?;
    if let Some(tag) = given(planned, "etag").filter(|tag| tag.trim_matches('"') != digest) {
        let detail = format!(
            "What is to be put there has the MD5 {digest}, and `etag` says {tag}. It has changed since it was planned, or `etag` is of something else."
        );
        return Err(Diagnostic::error("Other content than planned", detail)
            .on(Path::of("etag"))
            .hint("Plan again. With `source`: etag = filemd5(..); with `content`: etag = md5(..)")
            .into());
    }
    let encrypted = match (given(planned, "server_side_encryption"), of("kms_key_id")) {
        (_, Some(key)) => Encrypted::With(key),
        (Some(KMS), None) => Encrypted::ByTheKeyService,
        (Some(AES), None) => Encrypted::ByTheServer,
        (_, None) => Encrypted::AsTheBucketDoes,
    };
    let is_in_parts = before.as_ref().is_some_and(|(_, stamp)| stamp.bytes > PART);
    let is_by_key = matches!(encrypted, Encrypted::With(_) | Encrypted::ByTheKeyService);
    let mut metadata = text_map(planned, "metadata");
    if is_in_parts || is_by_key || given(planned, "etag").is_some() {
        metadata.insert(DIGEST.to_owned(), digest.clone());
    }
    let properties = Properties {
        encrypted,
        cache_control: of("cache_control"),
        content_disposition: of("content_disposition"),
        content_encoding: of("content_encoding"),
        content_language: of("content_language"),
        content_type: of("content_type").or_else(|| Some("application/octet-stream".to_owned())),
        metadata,
        storage_class: of("storage_class"),
        tags: text_map(planned, "tags"),
    };
    let mut object = object(at, planned, properties);
    let what = format!("The object `{}` cannot be written", id(planned));
    if is_in_parts && !is_new {
        // A run that was killed while it wrote has left parts.
        object.give_up_all().await.map_err(|refusal| failed(&what, refusal))?;
    }
    // Nobody is to wait for a large file only to hear at its end that it is in the way of another.
    object.only_new = is_new && !(is_in_parts && is_there(at, planned, &object, &digest).await?);
    let sent = match send(at, &object, &content).await? {
        Err(refusal) if object.only_new && (refusal.is_refused_condition() || is_unknown_there(&refusal)) => {
            // The answer to an earlier call was lost, or it is the same: nothing is lost by writing it again. Or the server knows no conditions.
            let is_same = is_there(at, planned, &object, &digest).await?;
            object.only_new = refusal.is_refused_condition() && !is_same;
            send(at, &object, &content).await?
        }
        sent => sent,
    };
    sent.map_err(|refusal| failed(&what, refusal))?;
    match before {
        Some((path, stamp)) if content::stamp(&path)? != stamp => {
            // What was put there is neither the one nor the other, and bears the digest of neither.
            let removed = object.client.delete_object().bucket(&object.bucket).key(&object.key).send().await;
            removed.map_err(|error| failed(&what, error.into()))?;
            let detail = format!(
                "`{}` was written while it was sent. What was put there was removed again: the next run sends it anew.",
                path.display()
            );
            Err(Diagnostic::error("File changed meanwhile", detail).on(Path::of("source")).into())
        }
        _ => Ok(()),
    }
}

/// Whether an object is there as it is to be. One with other content is somebody else's.
async fn is_there(
    at: &Place<'_>,
    planned: &Value,
    object: &pipectl_s3_client::Object,
    digest: &str,
) -> Result<bool, Fault> {
    match object.client.head_object().bucket(&object.bucket).key(&object.key).send().await.map_err(Refusal::from) {
        Ok(head) if content::told(&head).as_deref() == Some(digest) => Ok(true),
        Ok(_) => Err(already_there(at, planned)),
        Err(refusal) if refusal.is_missing() => Ok(false),
        Err(refusal) => Err(unread(planned, refusal)),
    }
}

async fn send(
    at: &Place<'_>,
    object: &pipectl_s3_client::Object,
    content: &Content,
) -> Result<Result<(), Refusal>, Diagnostics> {
    match content {
        Content::Bytes(bytes) => Ok(object.put(ByteStream::from(bytes.clone())).await),
        Content::File(path) => {
            let bytes = content::stamp(path)?.bytes;
            let begun = |upload: &str| at.cx.record(json!({ "before": { UPLOAD: upload } }));
            Ok(object.upload(path, bytes, Interrupted::GivenUp(&begun)).await)
        }
    }
}

fn already_there(at: &Place<'_>, planned: &Value) -> Fault {
    let id = id(planned);
    let detail = format!("There is an object `{id}` already, with other content. It is not written over.");
    let hint = format!("To take it over: pipectl import {} {id}", at.cx.address);
    Diagnostic::error("Object already there", detail).on(Path::of("key")).hint(hint).into()
}
