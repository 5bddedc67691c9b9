//! `aws_s3_bucket_versioning`: whether objects keep their versions. Its id is the name of the bucket.

use async_trait::async_trait;
use aws_sdk_s3::types::{BucketVersioningStatus, VersioningConfiguration};
use pipectl_cloud::{Fields, Group};
use pipectl_core::{Attribute, Diagnostic, Diagnostics, Path, Type, Value};
use pipectl_provider::arguments::{blocks, text as given};
use pipectl_provider::rules::{at_most_one_block, one_of};
use pipectl_s3_client::Fault as Refusal;
use serde_json::{Value as Json, json};

use crate::cloud::Cloud;
use crate::fault::{failed, is_unknown_there};
use crate::kind::{Fault, Kind, Known, Place, in_bucket, text};

const BLOCK: &str = "versioning_configuration";
const ENABLED: &str = "Enabled";
const SUSPENDED: &str = "Suspended";
const DISABLED: &str = "Disabled";

pub(crate) struct Versioning;

#[async_trait]
impl Kind for Versioning {
    type Cloud = Cloud;

    const TYPE: &'static str = "aws_s3_bucket_versioning";
    const NOUN: &'static str = "versioning of the bucket";
    const SERVICE: () = ();
    const COLLECTION: &'static str = "";

    fn fields() -> Fields {
        let status =
            Attribute::required(Type::String, "`Enabled`; `Suspended`; `Disabled`: as long as it was never enabled.");
        in_bucket(Fields::new("Whether the objects of a bucket keep their versions.").in_region())
            .group(BLOCK, Group::one(BLOCK, "Whether objects keep their versions.").with("status", "status", status))
    }

    fn validate(config: &Value) -> Diagnostics {
        let mut found = at_most_one_block(config, BLOCK);
        match blocks(config, BLOCK) {
            [] => {
                let detail = format!("A block `{BLOCK}` must say whether objects keep their versions.");
                found.push(
                    Diagnostic::error("Missing block", detail).hint(format!("{BLOCK} {{\n  status = \"Enabled\"\n}}")),
                );
            }
            [block, ..] => {
                let inside = one_of(block, "status", &[ENABLED, SUSPENDED, DISABLED]);
                found.extend(
                    inside
                        .into_iter()
                        .map(|problem| problem.on(Path::of(BLOCK).index(0).name("status")))
                        .collect::<Diagnostics>(),
                );
            }
        }
        found
    }

    fn alone(attributes: &Value, _id: Option<&str>) -> Option<String> {
        given(attributes, "bucket").map(str::to_owned)
    }

    fn replaces(prior: &Value, planned: &Value) -> Option<pipectl_provider::Reason> {
        // What was enabled once can only be suspended.
        (status(prior) != Some(DISABLED) && status(planned) == Some(DISABLED))
            .then(|| pipectl_provider::Reason::new("versioning that was enabled once can only be suspended"))
    }

    fn id(object: &Json) -> Option<String> {
        text(object, "bucket")
    }

    async fn create(at: &Place<'_>, planned: &Value) -> Result<Json, Fault> {
        let bucket = given(planned, "bucket").unwrap_or_default();
        let status = status(planned).unwrap_or(DISABLED);
        // Nothing is to be asked for where it was never enabled.
        if status != DISABLED {
            put(at, bucket, status).await?;
        }
        Ok(object(bucket, status))
    }

    async fn look(at: &Place<'_>, id: &str, _known: &Value) -> Result<Option<Json>, Fault> {
        match at.endpoint.get_bucket_versioning().bucket(id).send().await.map_err(Refusal::from) {
            Ok(found) => {
                let status = found.status.as_ref().map_or(DISABLED, BucketVersioningStatus::as_str);
                Ok(Some(object(id, status)))
            }
            Err(refusal) if refusal.status == Some(404) => Ok(None),
            Err(refusal) => Err(failed(&format!("The versioning of the bucket `{id}` cannot be read"), refusal)),
        }
    }

    async fn update(at: &Place<'_>, id: &str, prior: &Value, planned: &Value) -> Result<bool, Fault> {
        let wanted = status(planned).unwrap_or(DISABLED);
        if status(prior) == Some(wanted) {
            return Ok(false);
        }
        put(at, id, wanted).await?;
        Ok(true)
    }

    async fn delete(at: &Place<'_>, id: &str, prior: &Value) -> Result<(), Fault> {
        // Terraform does so, too: versions that are there stay, and no new ones come.
        if status(prior) != Some(ENABLED) {
            return Ok(());
        }
        put(at, id, SUSPENDED).await
    }

    fn is_named(_arguments: &Json) -> bool {
        // Each bucket has one.
        true
    }

    fn imported(id: &str) -> Result<(String, Known), Diagnostics> {
        Ok((id.to_owned(), Known::from([("bucket", Value::from(id))])))
    }
}

fn status(attributes: &Value) -> Option<&str> {
    given(blocks(attributes, BLOCK).first()?, "status")
}

fn object(bucket: &str, status: &str) -> Json {
    json!({ "bucket": bucket, BLOCK: { "status": status } })
}

async fn put(at: &Place<'_>, bucket: &str, status: &str) -> Result<(), Fault> {
    let configuration = VersioningConfiguration::builder().status(BucketVersioningStatus::from(status)).build();
    let put = at.endpoint.put_bucket_versioning().bucket(bucket).versioning_configuration(configuration);
    match put.send().await.map_err(Refusal::from) {
        Ok(_) => Ok(()),
        // The bucket is gone, and with it all that it was told; or there never was anything to suspend.
        Err(refusal) if status == SUSPENDED && (refusal.status == Some(404) || is_unknown_there(&refusal)) => Ok(()),
        Err(refusal) => Err(failed(&format!("The versioning of the bucket `{bucket}` cannot be set"), refusal)),
    }
}
