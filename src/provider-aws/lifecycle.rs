//! `aws_s3_bucket_lifecycle_configuration`: what becomes of objects by themselves. Its id is the name of the bucket.

use async_trait::async_trait;
use aws_sdk_s3::error::BuildError;
use aws_sdk_s3::primitives::{DateTime, DateTimeFormat};
use aws_sdk_s3::types::{
    AbortIncompleteMultipartUpload, BucketLifecycleConfiguration, ExpirationStatus, LifecycleExpiration, LifecycleRule,
    LifecycleRuleAndOperator, LifecycleRuleFilter, NoncurrentVersionExpiration, NoncurrentVersionTransition,
    Transition, TransitionStorageClass,
};
use pipectl_cloud::{Fields, Group};
use pipectl_core::{Attribute, Diagnostic, Diagnostics, Path, Type, Value};
use pipectl_provider::arguments::{blocks, map_of_text, text as given};
use pipectl_provider::rules::one_of;
use pipectl_s3_client::Fault as Refusal;
use serde_json::{Map, Value as Json, json};

use crate::cloud::Cloud;
use crate::fault::{failed, odd};
use crate::kind::{Fault, Kind, Known, Place, in_bucket, option, tag, text};

const RULE: &str = "rule";
/// What a rule may do: one of these must stand in it.
const ACTIONS: [&str; 5] = [
    "abort_incomplete_multipart_upload",
    "expiration",
    "noncurrent_version_expiration",
    "noncurrent_version_transition",
    "transition",
];
/// The code by which servers say that a bucket has no rules.
const NONE: &str = "NoSuchLifecycleConfiguration";

pub(crate) struct Lifecycle;

fn rule() -> Group {
    let number = |description: &str| option(Type::Number, description);
    let words = |description: &str| option(Type::String, description);
    let needed = |description: &str| Attribute::required(Type::String, description);
    let sized = |group: Group| {
        group
            .with("prefix", "prefix", words("What their keys begin with."))
            .with("object_size_greater_than", "object_size_greater_than", number("Larger than this, in bytes."))
            .with("object_size_less_than", "object_size_less_than", number("Smaller than this, in bytes."))
    };
    let filter = sized(Group::one("filter", "Which objects. Default: all."))
        .group(
            "tag",
            Group::one("tag", "Marked with this.").with("key", "key", needed("The name of the tag.")).with(
                "value",
                "value",
                needed("Its value."),
            ),
        )
        .group(
            "and",
            sized(Group::one("and", "All of this together.")).with("tags", "tags", option(map_of_text(), "Marked so.")),
        );
    let expiration = Group::one("expiration", "When they are removed.")
        .with("date", "date", words("From this day on: `2030-01-01T00:00:00Z`."))
        .with("days", "days", number("So many days after they were written."))
        .with(
            "expired_object_delete_marker",
            "expired_object_delete_marker",
            option(Type::Bool, "A mark of a removal goes when nothing else is left of the object."),
        );
    let transition = Group::many("transition", "When they move to another class.")
        .with("date", "date", words("From this day on: `2030-01-01T00:00:00Z`."))
        .with("days", "days", number("So many days after they were written."))
        .with("storage_class", "storage_class", needed("The class: `GLACIER`, `STANDARD_IA`, .."));
    let newer = "So many newer versions stay as they are.";
    let old = "So many days after they were replaced.";
    Group::unordered(RULE, "What becomes of objects.")
        .with("id", "id", needed("What the rule is called."))
        .with("status", "status", needed("`Enabled` or `Disabled`."))
        .with("prefix", "prefix", words("Deprecated: `filter { prefix = .. }`."))
        .group("filter", filter)
        .group("expiration", expiration)
        .group("transition", transition)
        .group(
            "noncurrent_version_expiration",
            Group::one("noncurrent_version_expiration", "When versions that were replaced are removed.")
                .with("noncurrent_days", "noncurrent_days", number(old))
                .with("newer_noncurrent_versions", "newer_noncurrent_versions", number(newer)),
        )
        .group(
            "noncurrent_version_transition",
            Group::many("noncurrent_version_transition", "When versions that were replaced move to another class.")
                .with("noncurrent_days", "noncurrent_days", number(old))
                .with("newer_noncurrent_versions", "newer_noncurrent_versions", number(newer))
                .with("storage_class", "storage_class", needed("The class.")),
        )
        .group(
            "abort_incomplete_multipart_upload",
            Group::one("abort_incomplete_multipart_upload", "When parts of uploads that nobody ended are removed.")
                .with("days_after_initiation", "days_after_initiation", number("So many days after they were begun.")),
        )
}

#[async_trait]
impl Kind for Lifecycle {
    type Cloud = Cloud;

    const TYPE: &'static str = "aws_s3_bucket_lifecycle_configuration";
    const NOUN: &'static str = "lifecycle of the bucket";
    const SERVICE: () = ();
    const COLLECTION: &'static str = "";

    fn fields() -> Fields {
        let fields =
            Fields::new("What becomes of the objects of a bucket by themselves. All rules of a bucket are here.");
        in_bucket(fields.in_region()).group(RULE, rule())
    }

    fn validate(config: &Value) -> Diagnostics {
        let mut found = Diagnostics::new();
        let rules = blocks(config, RULE);
        if config.attribute(RULE).is_some_and(Value::is_wholly_known) && rules.is_empty() {
            let detail = "At least one block `rule` must say what becomes of objects.";
            found.push(Diagnostic::error("Missing block", detail).on(Path::of(RULE)));
        }
        for (index, rule) in rules.iter().enumerate() {
            let place = || Path::of(RULE).index(index);
            let status = one_of(rule, "status", &["Enabled", "Disabled"]);
            found.extend(status.into_iter().map(|problem| problem.on(place().name("status"))));
            // Blocks that a dynamic block makes may not be known yet.
            let is_there = |name: &str| rule.attribute(name).is_some_and(|inside| inside.as_slice() != Some(&[]));
            if !ACTIONS.iter().any(|name| is_there(name)) {
                let detail = format!("A rule does something: it has one of the blocks {}.", ACTIONS.join(", "));
                found.push(Diagnostic::error("Rule without effect", detail).on(place()));
            }
        }
        found
    }

    fn id(object: &Json) -> Option<String> {
        text(object, "bucket")
    }

    fn alone(attributes: &Value, _id: Option<&str>) -> Option<String> {
        given(attributes, "bucket").map(str::to_owned)
    }

    async fn before(at: &Place<'_>, planned: &Value) -> Result<Option<Json>, Fault> {
        let bucket = given(planned, "bucket").unwrap_or_default();
        if Self::look(at, bucket, planned).await?.is_none() {
            return Ok(None);
        }
        let detail = format!(
            "The bucket `{bucket}` has rules already. All rules of a bucket are written at once: they would be lost."
        );
        let hint = format!("To take them over: pipectl import {} {bucket}", at.cx.address);
        Err(Diagnostic::error("Lifecycle already there", detail).on(Path::of("bucket")).hint(hint).into())
    }

    async fn create(at: &Place<'_>, planned: &Value) -> Result<Json, Fault> {
        let bucket = given(planned, "bucket").unwrap_or_default();
        put(at, bucket, planned).await?;
        Ok(Self::look(at, bucket, planned).await?.unwrap_or_else(|| json!({ "bucket": bucket })))
    }

    async fn look(at: &Place<'_>, id: &str, _known: &Value) -> Result<Option<Json>, Fault> {
        let found = at.endpoint.get_bucket_lifecycle_configuration().bucket(id).send().await;
        let rules = match found.map_err(Refusal::from) {
            Ok(found) => found.rules.unwrap_or_default(),
            Err(refusal) if refusal.status == Some(404) || refusal.code.as_deref() == Some(NONE) => return Ok(None),
            Err(refusal) => return Err(failed(&format!("The lifecycle of the bucket `{id}` cannot be read"), refusal)),
        };
        if rules.is_empty() {
            return Ok(None);
        }
        let rules: Vec<Json> = rules.iter().map(seen).collect();
        Ok(Some(json!({ "bucket": id, RULE: rules })))
    }

    async fn update(at: &Place<'_>, id: &str, prior: &Value, planned: &Value) -> Result<bool, Fault> {
        if Self::changes(at.fields, prior, planned).is_empty() {
            return Ok(false);
        }
        put(at, id, planned).await?;
        Ok(true)
    }

    async fn delete(at: &Place<'_>, id: &str, _prior: &Value) -> Result<(), Fault> {
        match at.endpoint.delete_bucket_lifecycle().bucket(id).send().await.map_err(Refusal::from) {
            Ok(_) => Ok(()),
            Err(refusal) if refusal.status == Some(404) => Ok(()),
            Err(refusal) => Err(failed(&format!("The lifecycle of the bucket `{id}` cannot be removed"), refusal)),
        }
    }

    fn is_named(_arguments: &Json) -> bool {
        // Each bucket has one.
        true
    }

    fn imported(id: &str) -> Result<(String, Known), Diagnostics> {
        Ok((id.to_owned(), Known::from([("bucket", Value::from(id))])))
    }
}

async fn put(at: &Place<'_>, bucket: &str, planned: &Value) -> Result<(), Fault> {
    let told = at.fields.body(planned).remove(RULE).unwrap_or_default();
    let mut rules = Vec::new();
    for rule in told.as_array().into_iter().flatten() {
        rules.push(self::told(rule)?);
    }
    let rules = BucketLifecycleConfiguration::builder().set_rules(Some(rules)).build().map_err(|error| odd(&error))?;
    let put = at.endpoint.put_bucket_lifecycle_configuration().bucket(bucket).lifecycle_configuration(rules);
    let put = put.send().await.map_err(Refusal::from);
    put.map(|_| ()).map_err(|refusal| failed(&format!("The lifecycle of the bucket `{bucket}` cannot be set"), refusal))
}

fn number(object: &Json, name: &str) -> Option<i32> {
    object.get(name)?.as_i64().and_then(|number| i32::try_from(number).ok())
}

fn date(object: &Json) -> Result<Option<DateTime>, Fault> {
    let Some(text) = text(object, "date") else { return Ok(None) };
    let read = DateTime::from_str(&text, DateTimeFormat::DateTime);
    read.map(Some).map_err(|_| {
        let detail = format!("`{text}` is no time: `2030-01-01T00:00:00Z` is one.");
        Diagnostic::error("Invalid date", detail).on(Path::of(RULE)).into()
    })
}

/// A rule as the SDK is told of it.
fn told(rule: &Json) -> Result<LifecycleRule, Fault> {
    let invalid = |error: BuildError| odd(&error);
    let expiration = match rule.get("expiration") {
        None => None,
        Some(inside) => Some(
            LifecycleExpiration::builder()
                .set_date(date(inside)?)
                .set_days(number(inside, "days"))
                .set_expired_object_delete_marker(inside.get("expired_object_delete_marker").and_then(Json::as_bool))
                .build(),
        ),
    };
    let mut transitions = Vec::new();
    for inside in rule.get("transition").and_then(Json::as_array).into_iter().flatten() {
        let class = text(inside, "storage_class").as_deref().map(TransitionStorageClass::from);
        let transition = Transition::builder().set_date(date(inside)?).set_days(number(inside, "days"));
        transitions.push(transition.set_storage_class(class).build());
    }
    let noncurrent = rule.get("noncurrent_version_transition").and_then(Json::as_array).into_iter().flatten();
    let noncurrent = noncurrent.map(|inside| {
        NoncurrentVersionTransition::builder()
            .set_noncurrent_days(number(inside, "noncurrent_days"))
            .set_newer_noncurrent_versions(number(inside, "newer_noncurrent_versions"))
            .set_storage_class(text(inside, "storage_class").as_deref().map(TransitionStorageClass::from))
            .build()
    });
    let noncurrent: Vec<_> = noncurrent.collect();
    let old = rule.get("noncurrent_version_expiration").map(|inside| {
        NoncurrentVersionExpiration::builder()
            .set_noncurrent_days(number(inside, "noncurrent_days"))
            .set_newer_noncurrent_versions(number(inside, "newer_noncurrent_versions"))
            .build()
    });
    let abort = rule.get("abort_incomplete_multipart_upload").map(|inside| {
        let days = number(inside, "days_after_initiation");
        AbortIncompleteMultipartUpload::builder().set_days_after_initiation(days).build()
    });
    let prefix = text(rule, "prefix").filter(|prefix| !prefix.is_empty());
    let filter = match (rule.get("filter"), &prefix) {
        (None, Some(_)) => None,
        (inside, _) => Some(filter(inside.unwrap_or(&Json::Null))?),
    };
    let is_some = |list: &Vec<_>| !list.is_empty();
    let has_transitions = !transitions.is_empty();
    #[expect(deprecated, reason = "configurations have it, and servers know it")]
    let rule = LifecycleRule::builder()
        .set_prefix(prefix.filter(|_| filter.is_none()))
        .set_id(text(rule, "id"))
        .status(ExpirationStatus::from(text(rule, "status").unwrap_or_default().as_str()));
    rule.set_filter(filter)
        .set_expiration(expiration)
        .set_transitions(has_transitions.then_some(transitions))
        .set_noncurrent_version_transitions(Some(noncurrent).filter(is_some))
        .set_noncurrent_version_expiration(old)
        .set_abort_incomplete_multipart_upload(abort)
        .build()
        .map_err(invalid)
}

/// Which objects. What says nothing is all of them, which servers want to be told.
fn filter(inside: &Json) -> Result<LifecycleRuleFilter, Fault> {
    let size = |object: &Json, name: &str| object.get(name).and_then(Json::as_i64);
    let marked = match inside.get("tag") {
        Some(mark) => Some(tag(&text(mark, "key").unwrap_or_default(), &text(mark, "value").unwrap_or_default())?),
        None => None,
    };
    let and = match inside.get("and") {
        None => None,
        Some(and) => {
            let mut marks = Vec::new();
            for (name, value) in and.get("tags").and_then(Json::as_object).into_iter().flatten() {
                marks.push(tag(name, value.as_str().unwrap_or_default())?);
            }
            Some(
                LifecycleRuleAndOperator::builder()
                    .set_prefix(text(and, "prefix"))
                    .set_object_size_greater_than(size(and, "object_size_greater_than"))
                    .set_object_size_less_than(size(and, "object_size_less_than"))
                    .set_tags(Some(marks).filter(|marks| !marks.is_empty()))
                    .build(),
            )
        }
    };
    let sizes = [size(inside, "object_size_greater_than"), size(inside, "object_size_less_than")];
    let is_all = marked.is_none() && and.is_none() && sizes == [None, None];
    let prefix = text(inside, "prefix").or_else(|| is_all.then(String::new));
    Ok(LifecycleRuleFilter::builder()
        .set_prefix(prefix)
        .set_tag(marked)
        .set_and(and)
        .set_object_size_greater_than(sizes[0])
        .set_object_size_less_than(sizes[1])
        .build())
}

/// An object of what is there.
fn of<const N: usize>(members: [(&str, Option<Json>); N]) -> Json {
    let there = members.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?)));
    Json::Object(there.collect::<Map<_, _>>())
}

fn day(date: Option<&DateTime>) -> Option<Json> {
    Some(date?.fmt(DateTimeFormat::DateTime).ok()?.into())
}

/// A rule as the SDK tells it.
fn seen(rule: &LifecycleRule) -> Json {
    let json = |number: Option<i32>| number.map(Json::from);
    let words = |text: Option<&str>| text.filter(|text| !text.is_empty()).map(Json::from);
    let expiration = rule.expiration().map(|inside| {
        of([
            ("date", day(inside.date())),
            ("days", json(inside.days())),
            ("expired_object_delete_marker", inside.expired_object_delete_marker().map(Json::from)),
        ])
    });
    let transitions = rule.transitions().iter().map(|inside| {
        of([
            ("date", day(inside.date())),
            ("days", json(inside.days())),
            ("storage_class", inside.storage_class().map(|class| class.as_str().into())),
        ])
    });
    let noncurrent = rule.noncurrent_version_transitions().iter().map(|inside| {
        of([
            ("noncurrent_days", json(inside.noncurrent_days())),
            ("newer_noncurrent_versions", json(inside.newer_noncurrent_versions())),
            ("storage_class", inside.storage_class().map(|class| class.as_str().into())),
        ])
    });
    let old = rule.noncurrent_version_expiration().map(|inside| {
        of([
            ("noncurrent_days", json(inside.noncurrent_days())),
            ("newer_noncurrent_versions", json(inside.newer_noncurrent_versions())),
        ])
    });
    let abort = rule.abort_incomplete_multipart_upload();
    let abort = abort.map(|inside| of([("days_after_initiation", json(inside.days_after_initiation()))]));
    #[expect(deprecated, reason = "configurations have it, and servers know it")]
    let prefix = words(rule.prefix());
    of([
        ("id", rule.id().map(Json::from)),
        ("status", Some(rule.status().as_str().into())),
        ("prefix", prefix),
        ("filter", rule.filter().map(filter_seen)),
        ("expiration", expiration),
        ("transition", Some(transitions.collect())),
        ("noncurrent_version_transition", Some(noncurrent.collect())),
        ("noncurrent_version_expiration", old),
        ("abort_incomplete_multipart_upload", abort),
    ])
}

fn filter_seen(filter: &LifecycleRuleFilter) -> Json {
    let words = |text: Option<&str>| text.filter(|text| !text.is_empty()).map(Json::from);
    let marked = filter.tag().map(|tag| json!({ "key": tag.key(), "value": tag.value() }));
    let and = filter.and().map(|and| {
        let marks: Json = and.tags().iter().map(|tag| (tag.key().to_owned(), Json::from(tag.value()))).collect();
        of([
            ("prefix", words(and.prefix())),
            ("tags", Some(marks)),
            ("object_size_greater_than", and.object_size_greater_than().map(Json::from)),
            ("object_size_less_than", and.object_size_less_than().map(Json::from)),
        ])
    });
    of([
        ("prefix", words(filter.prefix())),
        ("tag", marked),
        ("and", and),
        ("object_size_greater_than", filter.object_size_greater_than().map(Json::from)),
        ("object_size_less_than", filter.object_size_less_than().map(Json::from)),
    ])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_are_seen_as_they_were_told() {
        let rules = [
            json!({ "id": "a", "status": "Enabled", "filter": { "prefix": "tmp/" }, "expiration": { "days": 7 },
                "transition": [{ "days": 1, "storage_class": "STANDARD_IA" }, { "date": "2030-01-01T00:00:00Z", "storage_class": "GLACIER" }],
                "noncurrent_version_transition": [] }),
            json!({ "id": "b", "status": "Disabled", "filter": { "and": { "prefix": "a", "tags": { "x": "y" }, "object_size_less_than": 9 } },
                "expiration": { "date": "2030-01-01T00:00:00Z" }, "transition": [],
                "noncurrent_version_transition": [{ "noncurrent_days": 3, "storage_class": "GLACIER" }],
                "noncurrent_version_expiration": { "noncurrent_days": 30, "newer_noncurrent_versions": 2 } }),
            json!({ "id": "c", "status": "Enabled", "filter": { "tag": { "key": "x", "value": "y" } }, "transition": [],
                "expiration": { "expired_object_delete_marker": true }, "noncurrent_version_transition": [],
                "abort_incomplete_multipart_upload": { "days_after_initiation": 3 } }),
            json!({ "id": "d", "status": "Enabled", "filter": { "object_size_greater_than": 1 }, "transition": [],
                "expiration": { "days": 1 }, "noncurrent_version_transition": [] }),
            json!({ "id": "e", "status": "Enabled", "prefix": "old/", "transition": [], "expiration": { "days": 1 },
                "noncurrent_version_transition": [] }),
        ];
        for rule in rules {
            let Ok(told) = told(&rule) else { panic!("{rule}") };
            assert_eq!(seen(&told), rule);
        }
        // All objects: servers want to be told so.
        let Ok(all) = told(&json!({ "id": "f", "status": "Enabled", "expiration": { "days": 1 } })) else { panic!() };
        assert_eq!(all.filter().and_then(LifecycleRuleFilter::prefix), Some(""));
        let Err(fault) = told(&json!({ "id": "g", "status": "Enabled", "expiration": { "date": "soon" } })) else {
            panic!("it is no date")
        };
        assert!(!fault.may_have_acted());
    }
}
