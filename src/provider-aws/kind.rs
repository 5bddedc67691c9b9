//! What the kinds of S3 have in common: they are told apart by names, and nothing of theirs has an id of its own.

use std::collections::BTreeMap;

use aws_sdk_s3::types::{Tag, Tagging};
use pipectl_cloud::Fields;
use pipectl_core::{Attribute, Type};
use pipectl_provider::arguments::map_of_text;
use serde_json::{Map, Value as Json};

pub(crate) use pipectl_cloud::{Condition, Kind, Known, More, text};

use crate::cloud::Cloud;

/// Why something was not done.
pub(crate) type Fault = pipectl_cloud::Fault<Cloud>;

/// Where a call about one object goes.
pub(crate) type Place<'a> = pipectl_cloud::Place<'a, Cloud>;

pub(crate) fn option(ty: Type, description: &str) -> Attribute {
    Attribute::optional(ty, description)
}

pub(crate) fn either(ty: Type, description: &str) -> Attribute {
    Attribute::optional_computed(ty, description)
}

pub(crate) fn told(ty: Type, description: &str) -> Attribute {
    Attribute::computed(ty, description)
}

/// The argument of what belongs to a bucket.
pub(crate) fn in_bucket(fields: Fields) -> Fields {
    fields.with("bucket", Attribute::required(Type::String, "The name of the bucket.").forces_replacement())
}

pub(crate) fn with_tags(fields: Fields) -> Fields {
    fields
        .with("tags", option(map_of_text(), "What it is marked with."))
        .with("tags_all", told(map_of_text(), "The same as `tags`."))
        .moving(["tags_all"])
}

/// Puts tags into an object, as both attributes show them.
pub(crate) fn put_tags(object: &mut Map<String, Json>, tags: BTreeMap<String, String>) {
    let tags: Json = tags.into_iter().map(|(name, value)| (name, Json::String(value))).collect();
    object.insert("tags".to_owned(), tags.clone());
    object.insert("tags_all".to_owned(), tags);
}

/// Tags as the SDK is told of them.
pub(crate) fn tagging(tags: &BTreeMap<String, String>) -> Result<Tagging, Fault> {
    let mut set = Tagging::builder().set_tag_set(Some(Vec::new()));
    for (name, value) in tags {
        set = set.tag_set(tag(name, value)?);
    }
    set.build().map_err(|error| crate::fault::odd(&error))
}

pub(crate) fn tag(name: &str, value: &str) -> Result<Tag, Fault> {
    Tag::builder().key(name).value(value).build().map_err(|error| crate::fault::odd(&error))
}

/// Tags as the SDK tells them, without those that Amazon's own services set.
pub(crate) fn tags(set: Vec<Tag>) -> BTreeMap<String, String> {
    set.into_iter().filter(|tag| !tag.key.starts_with("aws:")).map(|tag| (tag.key, tag.value)).collect()
}
