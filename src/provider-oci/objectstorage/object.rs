//! `oci_objectstorage_object`: a file in a bucket. Its id is its path: `n/NAMESPACE/b/BUCKET/o/NAME`.

use async_trait::async_trait;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use pipectl_cloud::Fields;
use pipectl_core::{Attribute, Diagnostic, Diagnostics, Path, Type, Value};
use pipectl_http::header::{HeaderName, HeaderValue};
use pipectl_http::{Answer, Method, Repeat, StatusCode};
use pipectl_oci_client::Service;
use pipectl_provider::arguments::{map_of_text, text as given, text_map};
use pipectl_provider::rules::conflicts;
use pipectl_provider::{Cx, Reason};
use serde_json::{Map, Value as Json};

use super::path::{self, parts};
use super::upload::{self, Content, DIGEST, UPLOAD, digest};
use crate::cloud::Cloud;
use crate::kind::{Fault, Kind, Known, Place, USUAL, either, needed, option, text, told};

/// Arguments that are header fields.
const HEADERS: [(&str, &str); 6] = [
    ("cache_control", "cache-control"),
    ("content_disposition", "content-disposition"),
    ("content_encoding", "content-encoding"),
    ("content_language", "content-language"),
    ("content_type", "content-type"),
    ("storage_tier", "storage-tier"),
];
pub(super) const META: &str = "opc-meta-";

/// What is in an object of which nothing says it.
const PLAIN: &str = "application/octet-stream";

pub(crate) struct Object;

#[async_trait]
impl Kind for Object {
    type Cloud = Cloud;

    const TYPE: &'static str = "oci_objectstorage_object";
    const NOUN: &'static str = "object";
    const SERVICE: Service = Service::ObjectStorage;
    const COLLECTION: &'static str = "o";
    const IS_SLOW: bool = false;
    const REPEATS: bool = true;

    fn fields() -> Fields {
        let fixed = |attribute: Attribute| attribute.forces_replacement();
        let header = |description: &str| fixed(option(Type::String, description));
        Fields::new("A file in a bucket.")
            .named("namespace", "namespace", fixed(needed("The name that all buckets of the tenancy are below.")))
            .named("bucket", "bucket", fixed(needed("The name of its bucket.")))
            .named("object", "object", fixed(needed("Its name.")))
            .apart("content", header("What is in it, as text."))
            .apart("source", header("The file that is put there, from the folder of the configuration on."))
            .named("cache_control", "cache-control", header("How long others may keep it."))
            .named("content_disposition", "content-disposition", header("How browsers are to show it."))
            .named("content_encoding", "content-encoding", header("How it is packed: `gzip`."))
            .named("content_language", "content-language", header("The language that it is in."))
            .named("content_type", "content-type", fixed(either(Type::String, "What it is: `text/csv`.")))
            .named(
                "content_md5",
                "content-md5",
                fixed(either(Type::String, "The MD5 of what is in it, in base64 or as `filemd5` gives it.")),
            )
            .equivalent("content_md5", is_same_digest)
            .named("metadata", "metadata", fixed(option(map_of_text(), "What is said of it.")))
            .named(
                "storage_tier",
                "storage-tier",
                fixed(either(Type::String, "`Standard`, `InfrequentAccess` or `Archive`.")),
            )
            .named("content_length", "content-length", told(Type::String, "Its size, in bytes."))
            .named("version_id", "version-id", told(Type::String, "Its version, where the bucket keeps them."))
            .times(USUAL)
    }

    fn validate(config: &Value) -> Diagnostics {
        let mut found = conflicts(config, "content", &["source"]);
        found.extend(path::validate(config, "object"));
        found.extend(judge_metadata(config));
        found
    }

    fn id(object: &Json) -> Option<String> {
        let text = |name: &str| object.get(name)?.as_str();
        Some(format!("n/{}/b/{}/o/{}", text("namespace")?, text("bucket")?, text("object")?))
    }

    /// What is there is what is given if it has the same digest, whoever put it there.
    async fn compared(cx: &Cx, prior: Value, config: &Value) -> (Value, Option<Reason>) {
        let source = ["source", "content"].into_iter().find(|name| given(config, name).is_some());
        let Some((argument, there)) = source.zip(given(&prior, "content_md5")) else { return (prior, None) };
        // What cannot be read yet may be made in this run.
        let Ok(wanted) = digest(cx, given(config, "source"), given(config, "content")).await else {
            return (prior, None);
        };
        if wanted == in_base64(there) {
            let told = ["source", "content"].into_iter().fold(prior, |prior, name| match config.attribute(name) {
                Some(value) => prior.with_attribute(name, value.clone()),
                None => prior,
            });
            return (told, None);
        }
        let is_other = given(&prior, argument) != given(config, argument);
        let why = format!("what is there is not what `{argument}` says");
        let reason = (!is_other).then(|| Reason::on(&Path::of(argument), why));
        (prior, reason)
    }

    /// What was imported may be there without anybody here having its content.
    fn judge_replacement(prior: &Value, planned: &Value) -> Diagnostics {
        let is_given = |name: &str| planned.set_attribute(name).is_some();
        let is_empty = given(prior, "content_length").is_none_or(|length| length == "0");
        if is_empty || is_given("content") || is_given("source") {
            return Diagnostics::new();
        }
        let name = given(prior, "object").unwrap_or_default();
        let detail = format!(
            "The object `{name}` would be made anew for this change, and nothing says what is in it: it would be empty then."
        );
        Diagnostic::error("Content not given", detail).hint("Give the argument `content` or `source`.").into()
    }

    async fn create(at: &Place<'_>, planned: &Value) -> Result<Json, Fault> {
        let of = |name: &str| given(planned, name).unwrap_or_default();
        let path = ["n", of("namespace"), "b", of("bucket"), "o", of("object")];
        let wanted = given(planned, "content_md5").map(in_base64);
        let content = Content::of(at.cx, given(planned, "source"), given(planned, "content")).await?;
        match content {
            Content::Small(bytes) => put(at, &path, planned, bytes, wanted).await?,
            Content::Large(file) => {
                let about = details(planned);
                upload::in_parts(at, &path, about, &file, wanted).await?;
            }
        }
        let id = path.join("/");
        let seen = Self::look(at, &id, planned).await?;
        seen.ok_or_else(|| {
            Diagnostic::error("Object vanished", format!("`{id}` was put there and is not there.")).into()
        })
    }

    async fn look(at: &Place<'_>, id: &str, _known: &Value) -> Result<Option<Json>, Fault> {
        let path = parts(id);
        match at.endpoint.send(&at.endpoint.call(Method::HEAD, &path, &[])).await {
            Ok(answer) => Ok(Some(seen(&path, &answer))),
            // An answer to HEAD has no words.
            Err(fault) if fault.status() == Some(StatusCode::NOT_FOUND) => Ok(None),
            Err(fault) => Err(fault),
        }
    }

    async fn update(_at: &Place<'_>, _id: &str, _prior: &Value, _planned: &Value) -> Result<bool, Fault> {
        // Only how long things may take can be changed.
        Ok(false)
    }

    async fn delete(at: &Place<'_>, id: &str, prior: &Value) -> Result<(), Fault> {
        path::delete::<Self>(at, id, prior).await
    }

    async fn candidates(at: &Place<'_>, arguments: &Json, before: &Json) -> Result<Vec<Json>, Fault> {
        let of = |name: &str| arguments.get(name).and_then(Json::as_str);
        // What has other content is not what was put there. It is put there again, over what is there.
        let Ok(wanted) = digest(at.cx, of("source"), of("content")).await else { return Ok(Vec::new()) };
        if let Some((id, upload)) = Self::id(arguments).zip(text(before, UPLOAD)) {
            // Whoever sent its parts is not there any more.
            upload::give_up(&at.endpoint.0, &parts(&id), &upload).await?;
        }
        let mut found = path::candidates::<Self>(at, arguments).await?;
        found.retain(|object| object.get("content-md5").and_then(Json::as_str) == Some(&wanted));
        Ok(found)
    }

    fn is_named(_arguments: &Json) -> bool {
        // What is put there is there: whoever puts it overwrites what was.
        true
    }

    fn imported(id: &str) -> Result<(String, Known), Diagnostics> {
        path::imported::<Self>(id, "n/NAMESPACE/b/BUCKET/o/NAME")
    }
}

/// Puts an object there in one piece.
async fn put(
    at: &Place<'_>,
    path: &[&str; 6],
    planned: &Value,
    body: Vec<u8>,
    wanted: Option<String>,
) -> Result<(), Fault> {
    let (body, digest) = upload::digested(body).await?;
    // A slow line may take as long as it moves.
    let mut call = at.endpoint.call(Method::PUT, path, &[]).repeat(Repeat::Safe).idle_timeout(upload::IDLE);
    // The digest that was given counts, so that what is not what was meant is refused.
    let mut headers = vec![("content-md5".to_owned(), wanted.unwrap_or(digest))];
    headers.extend(
        HEADERS.iter().filter_map(|(name, header)| Some(((*header).to_owned(), given(planned, name)?.to_owned()))),
    );
    headers.extend(text_map(planned, "metadata").into_iter().map(|(name, value)| (format!("{META}{name}"), value)));
    if !headers.iter().any(|(name, _)| name == "content-type") {
        headers.push(("content-type".to_owned(), PLAIN.to_owned()));
    }
    for (name, value) in headers {
        let header = HeaderName::try_from(&name).ok().zip(HeaderValue::try_from(value).ok()).ok_or_else(|| {
            let detail = format!("The header field `{name}` cannot hold what is given for it.");
            Diagnostic::error("Invalid header field", detail)
        })?;
        call = call.header(header.0, header.1);
    }
    at.endpoint.send_new(&call.body(body), &path.join("/")).await?;
    Ok(())
}

/// What is said of an object that is sent in parts: the same as header fields, as members of the request that begins it.
fn details(planned: &Value) -> Map<String, Json> {
    let members = HEADERS.iter().filter_map(|(name, header)| Some((camel(header), given(planned, name)?.into())));
    let mut details: Map<String, Json> = members.collect();
    details.entry("contentType").or_insert_with(|| PLAIN.into());
    let metadata = text_map(planned, "metadata").into_iter();
    let metadata: Map<String, Json> = metadata.map(|(name, text)| (format!("{META}{name}"), text.into())).collect();
    details.insert("metadata".to_owned(), Json::Object(metadata));
    details
}

/// `content-type` as a member: `contentType`.
fn camel(header: &str) -> String {
    let mut words = header.split('-');
    let first = words.next().unwrap_or_default().to_owned();
    words.fold(first, |name, word| {
        let (head, tail) = word.split_at(word.len().min(1));
        name + &head.to_ascii_uppercase() + tail
    })
}

/// Metadata are header fields, whose names come back in small letters.
fn judge_metadata(config: &Value) -> Diagnostics {
    let is_wrong = |(name, text): &(String, String)| {
        name.chars().any(|letter| letter.is_uppercase())
            || HeaderName::try_from(format!("{META}{name}")).is_err()
            || !text.is_ascii()
    };
    let metadata = text_map(config, "metadata");
    if metadata.contains_key(DIGEST) {
        let detail = format!("`{DIGEST}` is where pipectl keeps the digest of large objects: it cannot be given.");
        return Diagnostic::error("Invalid metadata", detail).on(Path::of("metadata")).into();
    }
    let wrong = metadata.into_iter().filter(is_wrong).map(|(name, _)| {
        let detail = format!(
            "`{name}` cannot be kept as it is: names have small letters, digits and hyphens, and what is said is ASCII. They are header fields."
        );
        Diagnostic::error("Invalid metadata", detail).on(Path::of("metadata"))
    });
    wrong.collect()
}

/// The object that header fields tell of.
fn seen(path: &[&str], answer: &Answer) -> Json {
    let mut object = Map::new();
    for (name, place) in [("namespace", 1), ("bucket", 3), ("object", 5)] {
        object.insert(name.to_owned(), path.get(place).copied().unwrap_or_default().into());
    }
    let mut metadata = Map::new();
    for (name, value) in &answer.headers {
        let Ok(value) = value.to_str() else { continue };
        match name.as_str().strip_prefix(META) {
            Some(name) => metadata.insert(name.to_owned(), value.into()),
            None => object.insert(name.as_str().to_owned(), value.into()),
        };
    }
    // What was sent in parts has no digest of its own, but one of those of its parts.
    let borne = metadata.remove(DIGEST).or_else(|| object.get("opc-multipart-md5").cloned());
    if let Some(digest) = borne.filter(|_| !object.contains_key("content-md5")) {
        object.insert("content-md5".to_owned(), digest);
    }
    object.insert("metadata".to_owned(), Json::Object(metadata));
    Json::Object(object)
}

/// A digest in base64: `filemd5` gives it in hexadecimal digits.
fn in_base64(digest: &str) -> String {
    let digits = |at: usize| u8::from_str_radix(digest.get(at..at + 2)?, 16).ok();
    let bytes: Option<Vec<u8>> = (0..digest.len()).step_by(2).map(digits).collect();
    match bytes.filter(|bytes| bytes.len() == 16) {
        Some(bytes) => STANDARD.encode(bytes),
        None => digest.to_owned(),
    }
}

fn is_same_digest(one: &Value, other: &Value) -> bool {
    one.as_str().zip(other.as_str()).is_some_and(|(one, other)| in_base64(one) == in_base64(other))
}
