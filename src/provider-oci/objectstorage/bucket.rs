//! `oci_objectstorage_bucket`. Its id is its path: `n/NAMESPACE/b/NAME`.

use async_trait::async_trait;
use pipectl_cloud::Fields;
use pipectl_core::{Diagnostics, Type, Value};
use pipectl_http::Method;
use pipectl_oci_client::Service;
use pipectl_provider::arguments::{map_of_text, text as given};
use pipectl_provider::rules::one_of;
use serde_json::{Map, Value as Json};

use super::path::{self, parts};
use crate::cloud::Cloud;
use crate::endpoint::ETAG;
use crate::kind::{Fault, Kind, Known, Place, USUAL, either, needed, option, text, told};
use crate::tags;

pub(crate) struct Bucket;

#[async_trait]
impl Kind for Bucket {
    type Cloud = Cloud;

    const TYPE: &'static str = "oci_objectstorage_bucket";
    const NOUN: &'static str = "bucket";
    const SERVICE: Service = Service::ObjectStorage;
    const COLLECTION: &'static str = "b";
    const IS_SLOW: bool = false;
    const REPEATS: bool = false;

    fn fields() -> Fields {
        tags::with_tags(Fields::new("A bucket: where objects are kept."))
            .named("compartment_id", "compartmentId", needed("The OCID of its compartment. Another one moves it."))
            .named(
                "namespace",
                "namespace",
                needed("The name that all buckets of the tenancy are below.").forces_replacement(),
            )
            .named("name", "name", needed("Its name.").forces_replacement())
            .named(
                "access_type",
                "publicAccessType",
                option(Type::String, "What everybody may do: `NoPublicAccess`, `ObjectRead`, `ObjectReadWithoutList`."),
            )
            .default("access_type", "NoPublicAccess")
            .named(
                "auto_tiering",
                "autoTiering",
                either(
                    Type::String,
                    "Whether objects that nobody reads move to a cheaper tier: `Disabled`, `InfrequentAccess`.",
                ),
            )
            .named("kms_key_id", "kmsKeyId", either(Type::String, "The key that objects are encrypted with."))
            .named("metadata", "metadata", option(map_of_text(), "What is said of it."))
            .named(
                "object_events_enabled",
                "objectEventsEnabled",
                either(Type::Bool, "Whether changes of objects are told as events."),
            )
            .named("storage_tier", "storageTier", either(Type::String, "`Standard` or `Archive`.").forces_replacement())
            .named(
                "versioning",
                "versioning",
                either(Type::String, "Whether objects keep their versions: `Enabled`, `Suspended`, `Disabled`."),
            )
            .named("bucket_id", "id", told(Type::String, "Its OCID."))
            .named("created_by", "createdBy", told(Type::String, "Who made it."))
            .named("etag", ETAG, told(Type::String, "The version of these settings."))
            .named("is_read_only", "isReadOnly", told(Type::Bool, "Whether nothing in it can be changed."))
            .named("replication_enabled", "replicationEnabled", told(Type::Bool, "Whether it is copied elsewhere."))
            .named("time_created", "timeCreated", told(Type::String, "When it was made."))
            .moving(["etag"])
            .times(USUAL)
    }

    fn validate(config: &Value) -> Diagnostics {
        let mut found = path::validate(config, "name");
        found.extend(one_of(config, "access_type", &["NoPublicAccess", "ObjectRead", "ObjectReadWithoutList"]));
        found.extend(one_of(config, "storage_tier", &["Standard", "Archive"]));
        found.extend(one_of(config, "versioning", &["Enabled", "Suspended", "Disabled"]));
        found.extend(one_of(config, "auto_tiering", &["Disabled", "InfrequentAccess"]));
        found
    }

    fn id(object: &Json) -> Option<String> {
        Some(format!("n/{}/b/{}", text(object, "namespace")?, text(object, "name")?))
    }

    fn body(fields: &Fields, planned: &Value) -> Map<String, Json> {
        let mut body = fields.body(planned);
        // It stands in the path.
        body.remove("namespace");
        body
    }

    async fn create(at: &Place<'_>, planned: &Value) -> Result<Json, Fault> {
        let path = ["n", given(planned, "namespace").unwrap_or_default(), "b"];
        let body = Json::Object(Self::body(at.fields, planned));
        let bucket: Json = at.endpoint.send(&at.endpoint.call(Method::POST, &path, &[]).json(&body)).await?.json()?;
        if let Some(path) = Self::id(&bucket) {
            at.endpoint.made(&path);
        }
        Ok(bucket)
    }

    async fn look(at: &Place<'_>, id: &str, _known: &Value) -> Result<Option<Json>, Fault> {
        at.endpoint.look(&parts(id), &[("fields", "autoTiering")]).await
    }

    async fn update(at: &Place<'_>, id: &str, prior: &Value, planned: &Value) -> Result<bool, Fault> {
        let mut changes = Self::changes(at.fields, prior, planned);
        if changes.is_empty() {
            return Ok(false);
        }
        let bucket = Self::look(at, id, prior).await?.unwrap_or_default();
        tags::keep_others(&mut changes, prior, &bucket);
        let etag = text(&bucket, ETAG);
        at.endpoint.change(Method::POST, &parts(id), &Json::Object(changes), etag.as_deref()).await?;
        Ok(true)
    }

    async fn delete(at: &Place<'_>, id: &str, prior: &Value) -> Result<(), Fault> {
        path::delete::<Self>(at, id, prior).await
    }

    async fn candidates(at: &Place<'_>, arguments: &Json, _before: &Json) -> Result<Vec<Json>, Fault> {
        path::candidates::<Self>(at, arguments).await
    }

    fn imported(id: &str) -> Result<(String, Known), Diagnostics> {
        path::imported::<Self>(id, "n/NAMESPACE/b/NAME")
    }
}
