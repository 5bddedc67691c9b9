//! `aws_s3_bucket`. Its id is its name.

use std::time::Duration;

use async_trait::async_trait;
use aws_sdk_s3::types::{BucketLocationConstraint, CreateBucketConfiguration};
use pipectl_cloud::{Fields, Times, differs};
use pipectl_core::{Diagnostic, Diagnostics, Digest, Path, Type, Value};
use pipectl_provider::arguments::{flag, text as given, text_map};
use pipectl_provider::rules::conflicts;
use pipectl_s3_client::Fault as Refusal;
use serde_json::{Map, Value as Json, json};

use crate::cloud::{Cloud, arn};
use crate::emptying;
use crate::fault::{failed, is_unknown_there};
use crate::kind::{
    Condition, Fault, Kind, Known, Place, either, option, put_tags, tagging, tags, text, told, with_tags,
};

/// How often, and after which pauses, something is asked for again that another call about the same bucket is in the way of.
const TRIES: u32 = 24;
const PAUSE: Duration = Duration::from_secs(5);
/// The only region of Amazon's that is not named when a bucket is made.
const FIRST_REGION: &str = "us-east-1";

pub(crate) struct Bucket;

#[async_trait]
impl Kind for Bucket {
    type Cloud = Cloud;

    const TYPE: &'static str = "aws_s3_bucket";
    const NOUN: &'static str = "bucket";
    const SERVICE: () = ();
    const COLLECTION: &'static str = "";
    const IS_SLOW: bool = true;

    fn fields() -> Fields {
        let fields = Fields::new("A bucket: where objects are kept.")
            .in_region()
            .with("bucket", either(Type::String, "Its name. Default: one that nobody has.").forces_replacement())
            .apart(
                "bucket_prefix",
                option(Type::String, "What its name begins with, where it is to be one that nobody has.")
                    .forces_replacement(),
            )
            .apart("force_destroy", option(Type::Bool, "Whether it is removed together with all that is in it."))
            .default("force_destroy", false)
            .with(
                "object_lock_enabled",
                either(Type::Bool, "Whether objects in it can be locked against removal.").forces_replacement(),
            )
            .with("arn", told(Type::String, "Its name among all that Amazon has."))
            .with("bucket_domain_name", told(Type::String, "The host that it has in addresses."))
            .with("bucket_regional_domain_name", told(Type::String, "The same, with the region."))
            .with("bucket_region", told(Type::String, "The region that it is in, as the server says."))
            .times(Times::minutes(20, 20, 60));
        with_tags(fields)
    }

    fn validate(config: &Value) -> Diagnostics {
        let mut found = conflicts(config, "bucket", &["bucket_prefix"]);
        for (name, longest) in [("bucket", 63), ("bucket_prefix", 37)] {
            if let Some(wrong) = given(config, name).and_then(|text| wrong_name(text, longest)) {
                let detail = format!("`{name}` cannot name a bucket: {wrong}.");
                found.push(Diagnostic::error("Invalid bucket name", detail).on(Path::of(name)));
            }
        }
        found
    }

    fn id(object: &Json) -> Option<String> {
        text(object, "bucket")
    }

    fn condition(object: &Json) -> Condition {
        // The answer to the call that makes one tells nothing but its name.
        match object.get("arn") {
            Some(_) => Condition::Ready,
            None => Condition::Busy("being made".to_owned()),
        }
    }

    async fn before(at: &Place<'_>, planned: &Value) -> Result<Option<Json>, Fault> {
        let name = name(at, planned);
        match at.endpoint.head_bucket().bucket(&name).send().await.map_err(Refusal::from) {
            Ok(_) => {
                let detail = format!("There is a bucket `{name}` already, and nothing says that it was made for this.");
                let hint = format!("To take it over: pipectl import {} {name}", at.cx.address);
                Err(Diagnostic::error("Bucket already there", detail).on(Path::of("bucket")).hint(hint).into())
            }
            // Somebody else's is told by the call that would make it.
            Err(refusal) if matches!(refusal.status, Some(301 | 400 | 403)) || refusal.is_missing() => {
                Ok(Some(json!({ "bucket": name })))
            }
            Err(refusal) => Err(failed(&format!("Nobody can say whether there is a bucket `{name}`"), refusal)),
        }
    }

    async fn create(at: &Place<'_>, planned: &Value) -> Result<Json, Fault> {
        let name = name(at, planned);
        let region = at.region.as_deref().unwrap_or(FIRST_REGION);
        // Servers other than Amazon's have one place, and refuse names of others.
        let place = (at.cloud.is_amazon() && region != FIRST_REGION).then(|| {
            CreateBucketConfiguration::builder().location_constraint(BucketLocationConstraint::from(region)).build()
        });
        let create = at.endpoint.create_bucket().bucket(&name).set_create_bucket_configuration(place);
        let create = create
            .set_object_lock_enabled_for_bucket(flag(planned, "object_lock_enabled").filter(|is_locked| *is_locked));
        let mut tries = 1;
        loop {
            match create.clone().send().await.map_err(Refusal::from) {
                Ok(_) => break,
                // It was not there before: the call was made twice, and the answer to the first was lost.
                Err(refusal) if refusal.code.as_deref() == Some("BucketAlreadyOwnedByYou") => break,
                // One of that name is on its way out.
                Err(refusal) if refusal.code.as_deref() == Some("OperationAborted") && tries < TRIES => {
                    tries += 1;
                    tokio::time::sleep(PAUSE).await;
                }
                Err(refusal) => return Err(failed(&format!("The bucket `{name}` cannot be made"), refusal)),
            }
        }
        Ok(json!({ "bucket": name }))
    }

    fn alone(attributes: &Value, id: Option<&str>) -> Option<String> {
        id.or_else(|| given(attributes, "bucket")).map(str::to_owned)
    }

    fn leaves(planned: &Value) -> bool {
        !text_map(planned, "tags").is_empty()
    }

    async fn finish(at: &Place<'_>, id: &str, planned: &Value) -> Result<(), Fault> {
        mark(at, id, planned).await
    }

    async fn look(at: &Place<'_>, id: &str, known: &Value) -> Result<Option<Json>, Fault> {
        let head = match at.endpoint.head_bucket().bucket(id).send().await.map_err(Refusal::from) {
            Ok(head) => head,
            Err(refusal) if refusal.is_missing() || refusal.code.as_deref() == Some("NoSuchBucket") => return Ok(None),
            Err(refusal) => return Err(failed(&format!("The bucket `{id}` cannot be looked at"), refusal)),
        };
        let region = at.region.as_deref().unwrap_or(FIRST_REGION);
        let domain = at.cloud.domain();
        let regional = if at.cloud.is_amazon() { format!("s3.{region}.amazonaws.com") } else { domain.clone() };
        let mut bucket = Map::new();
        bucket.insert("bucket".to_owned(), id.into());
        bucket.insert("arn".to_owned(), arn(region, id).into());
        bucket.insert("bucket_domain_name".to_owned(), format!("{id}.{domain}").into());
        bucket.insert("bucket_regional_domain_name".to_owned(), format!("{id}.{regional}").into());
        bucket.insert("bucket_region".to_owned(), head.bucket_region.as_deref().unwrap_or(region).into());
        match at.endpoint.get_bucket_tagging().bucket(id).send().await.map_err(Refusal::from) {
            Ok(found) => put_tags(&mut bucket, tags(found.tag_set)),
            Err(refusal) if refusal.status == Some(404) || is_unknown_there(&refusal) => {
                put_tags(&mut bucket, tags(Vec::new()));
            }
            Err(refusal) => return Err(failed(&format!("The tags of the bucket `{id}` cannot be read"), refusal)),
        }
        // It is so from the beginning, and stays.
        if flag(known, "object_lock_enabled").is_none() {
            bucket.insert("object_lock_enabled".to_owned(), is_lockable(at, id).await?.into());
        }
        Ok(Some(Json::Object(bucket)))
    }

    async fn update(at: &Place<'_>, id: &str, prior: &Value, planned: &Value) -> Result<bool, Fault> {
        if !differs(prior, planned, "tags") {
            return Ok(false);
        }
        mark(at, id, planned).await?;
        Ok(true)
    }

    fn is_changed(_before: &Json, _now: &Json) -> bool {
        // Tags that are the same as before were set by somebody else meanwhile.
        true
    }

    async fn delete(at: &Place<'_>, id: &str, prior: &Value) -> Result<(), Fault> {
        let is_lockable = flag(prior, "object_lock_enabled") == Some(true);
        // Servers other than Amazon's remove buckets together with all that is in them.
        if flag(prior, "force_destroy") != Some(true)
            && let Some(problem) = emptying::not_empty(at, id).await?
        {
            return Err(problem.into());
        }
        for attempt in 1.. {
            let refusal = match at.endpoint.delete_bucket().bucket(id).send().await.map_err(Refusal::from) {
                Ok(_) => return Ok(()),
                Err(refusal) if refusal.is_missing() || refusal.code.as_deref() == Some("NoSuchBucket") => break,
                Err(refusal) => refusal,
            };
            match refusal.code.as_deref() {
                Some("BucketNotEmpty") if flag(prior, "force_destroy") != Some(true) => {
                    let told = emptying::not_empty(at, id).await?.map(Fault::from);
                    return Err(
                        told.unwrap_or_else(|| failed(&format!("The bucket `{id}` cannot be removed"), refusal))
                    );
                }
                // Somebody may go on writing into it.
                Some("BucketNotEmpty") if attempt < TRIES => emptying::empty(at, id, is_lockable).await?,
                Some("OperationAborted") if attempt < TRIES => tokio::time::sleep(PAUSE).await,
                _ => return Err(failed(&format!("The bucket `{id}` cannot be removed"), refusal)),
            }
        }
        Ok(())
    }

    async fn candidates(at: &Place<'_>, arguments: &Json, before: &Json) -> Result<Vec<Json>, Fault> {
        // What was not there before the call, and is now: no other one can have its name.
        let Some(id) = text(before, "bucket").or_else(|| Self::id(arguments)) else { return Ok(Vec::new()) };
        Ok(Self::look(at, &id, &Value::null()).await?.into_iter().collect())
    }

    fn imported(id: &str) -> Result<(String, Known), Diagnostics> {
        Ok((id.to_owned(), Known::from([("force_destroy", Value::from(false))])))
    }
}

/// The name that is given, or one that nobody has: the same however often the call is made.
fn name(at: &Place<'_>, planned: &Value) -> String {
    const DIGITS: usize = 26;
    let digest = || Digest::of(at.cx.token.as_bytes()).hex()[..DIGITS].to_owned();
    match (given(planned, "bucket"), given(planned, "bucket_prefix")) {
        (Some(name), _) => name.to_owned(),
        (None, prefix) => format!("{}{}", prefix.unwrap_or("pipectl-"), digest()),
    }
}

fn wrong_name(name: &str, longest: usize) -> Option<String> {
    let is_fine = |letter: char| letter.is_ascii_lowercase() || letter.is_ascii_digit() || matches!(letter, '.' | '-');
    // Ceph and early Amazon have others, too.
    let is_old = |letter: char| letter.is_ascii_uppercase() || letter == '_';
    match name {
        "" => Some("it is empty".to_owned()),
        _ if name.chars().count() > longest => Some(format!("it has more than {longest} letters")),
        _ => name
            .chars()
            .find(|letter| !is_fine(*letter) && !is_old(*letter))
            .map(|odd| format!("names consist of small letters, digits, `-` and `.`, and {odd:?} is none")),
    }
}

/// Sets the tags of a bucket.
async fn mark(at: &Place<'_>, id: &str, planned: &Value) -> Result<(), Fault> {
    let tags = text_map(planned, "tags");
    let what = format!("The tags of the bucket `{id}` cannot be set");
    let refusal = match tags.is_empty() {
        true => at.endpoint.delete_bucket_tagging().bucket(id).send().await.map(|_| ()).map_err(Refusal::from),
        false => {
            let set = at.endpoint.put_bucket_tagging().bucket(id).tagging(tagging(&tags)?);
            set.send().await.map(|_| ()).map_err(Refusal::from)
        }
    };
    refusal.map_err(|refusal| failed(&what, refusal))
}

/// Whether objects in a bucket can be locked.
async fn is_lockable(at: &Place<'_>, id: &str) -> Result<bool, Fault> {
    match at.endpoint.get_object_lock_configuration().bucket(id).send().await.map_err(Refusal::from) {
        Ok(found) => Ok(found.object_lock_configuration.is_some_and(|lock| lock.object_lock_enabled.is_some())),
        Err(refusal) if matches!(refusal.status, Some(400 | 403 | 404)) || is_unknown_there(&refusal) => Ok(false),
        Err(refusal) => Err(failed(&format!("Whether the bucket `{id}` can be locked cannot be read"), refusal)),
    }
}
