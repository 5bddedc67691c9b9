//! Images: Glance. `data "openstack_images_image_v2"`
//!
//! API: https://docs.openstack.org/api-ref/image/v2/.

use std::sync::Arc;

use async_trait::async_trait;
use pipectl_cloud::settling::READING_FAILED;
use pipectl_cloud::{Fields, Lookup, one};
use pipectl_core::{Attribute, Diagnostic, Diagnostics, Path, Schema, Type, Value};
use pipectl_provider::arguments::{flag, integer, map_of_text, text as given, text_map, texts};
use pipectl_provider::rules::{conflicts, one_of};
use pipectl_provider::{Cx, DataSource};
use regex::Regex;
use serde_json::Value as Json;

use crate::cloud::{Cloud, Service};
use crate::kind::{Fault, Place, text};

/// Members that are no properties.
const OWN: [&str; 25] = [
    "checksum",
    "container_format",
    "created_at",
    "direct_url",
    "disk_format",
    "file",
    "id",
    "locations",
    "min_disk",
    "min_ram",
    "name",
    "os_hash_algo",
    "os_hash_value",
    "os_hidden",
    "owner",
    "protected",
    "schema",
    "self",
    "size",
    "status",
    "stores",
    "tags",
    "updated_at",
    "virtual_size",
    "visibility",
];

/// `data "openstack_images_image_v2"`: an image, by its name or by what it has.
pub(crate) struct ImageData {
    lookup: Lookup<Cloud>,
}

impl ImageData {
    pub(crate) fn new(cloud: Option<Arc<Cloud>>) -> Self {
        let option = |ty, description| Attribute::optional(ty, description);
        let told = |ty, description| Attribute::computed(ty, description);
        let fields = Fields::new("An image of disks.")
            .in_region()
            .with("name", Attribute::optional_computed(Type::String, "Its name."))
            .apart("name_regex", option(Type::String, "What its name matches."))
            .with(
                "visibility",
                Attribute::optional_computed(Type::String, "`public`, `private`, `shared`, `community`."),
            )
            .with("owner", Attribute::optional_computed(Type::String, "The project whose it is."))
            .apart("member_status", option(Type::String, "`accepted`, `pending`, `rejected`, `all`."))
            .apart("size_min", option(Type::Number, "The least size, in bytes."))
            .apart("size_max", option(Type::Number, "The largest size, in bytes."))
            .apart("sort", option(Type::String, "Which comes first: `name:asc,created_at:desc`."))
            .apart("tag", option(Type::String, "A word that it is marked with."))
            .with("tags", Attribute::optional_computed(Type::set(Type::String), "Words that it is marked with."))
            .apart("most_recent", option(Type::Bool, "Whether the newest is meant, where there are several."))
            .apart("hidden", option(Type::Bool, "Whether hidden ones are looked through."))
            .apart("properties", Attribute::optional_computed(map_of_text(), "What else is said of it."))
            .apart("metadata", told(map_of_text(), "The same as `properties`."))
            .with("checksum", told(Type::String, "MD5 of its content."))
            .with("container_format", told(Type::String, "What it is wrapped in."))
            .with("disk_format", told(Type::String, "The format of the disk."))
            .with("file", told(Type::String, "Where its content is."))
            .named("min_disk_gb", "min_disk", told(Type::Number, "The disk that it needs, in GB."))
            .named("min_ram_mb", "min_ram", told(Type::Number, "The memory that it needs, in MB."))
            .with("protected", told(Type::Bool, "Whether it cannot be removed."))
            .with("schema", told(Type::String, "The schema that it keeps to."))
            .named("size_bytes", "size", told(Type::Number, "Its size, in bytes."))
            .with("created_at", told(Type::String, "When it was made."))
            .with("updated_at", told(Type::String, "When it was changed."));
        Self { lookup: Lookup::new(cloud, fields) }
    }
}

#[async_trait]
impl DataSource for ImageData {
    fn schema(&self) -> &Schema {
        self.lookup.schema()
    }

    fn validate(&self, config: &Value) -> Diagnostics {
        let mut found = conflicts(config, "name", &["name_regex"]);
        found.extend(conflicts(config, "tag", &["tags"]));
        found.extend(one_of(config, "visibility", &["public", "private", "shared", "community", "all"]));
        found.extend(one_of(config, "member_status", &["accepted", "pending", "rejected", "all"]));
        if let Some(pattern) = given(config, "name_regex")
            && let Err(error) = Regex::new(pattern)
        {
            let detail = format!("`name_regex` is no regular expression: {error}.");
            found.push(Diagnostic::error("Invalid regular expression", detail).on(Path::of("name_regex")));
        }
        found
    }

    async fn read(&self, cx: &Cx, config: &Value) -> Result<Value, Diagnostics> {
        let at = self.lookup.place(cx, Service::Image, config).await?;
        let mut images = listed(&at, config).await.map_err(|fault| fault.told(READING_FAILED))?;
        if flag(config, "most_recent") == Some(true) && images.len() > 1 {
            images.sort_by_key(|image| text(image, "created_at"));
            images.drain(..images.len() - 1);
        }
        let called = |image: &Json| {
            let name = |member| text(image, member).unwrap_or_default();
            format!("{} ({})", name("name"), name("id"))
        };
        let image = one("image", images, called).map_err(|mut problems| {
            for problem in problems.iter_mut().filter(|problem| problem.summary == "Several found") {
                problem.hints.push("most_recent = true".to_owned());
            }
            problems
        })?;
        let id = text(&image, "id").unwrap_or_default();
        let value = self.lookup.value(&at, &id, &image, config)?;
        let properties = Value::map(Type::String, properties(&image));
        let value = value.with_attribute("metadata", properties.clone());
        Ok(match config.set_attribute("properties") {
            Some(_) => value,
            None => value.with_attribute("properties", properties),
        })
    }
}

fn properties(image: &Json) -> Vec<(String, Value)> {
    let all = image.as_object().into_iter().flatten();
    let own = all.filter(|(name, value)| !OWN.contains(&name.as_str()) && value.is_string());
    own.map(|(name, value)| (name.clone(), value.as_str().unwrap_or_default().into())).collect()
}

/// All images that fit, page after page.
async fn listed(at: &Place<'_>, config: &Value) -> Result<Vec<Json>, Fault> {
    let numbers: Vec<(&str, String)> =
        ["size_min", "size_max"].iter().filter_map(|name| Some((*name, integer(config, name)?.to_string()))).collect();
    let mut query: Vec<(&str, &str)> = Vec::new();
    for name in ["name", "visibility", "owner", "member_status", "sort", "tag"] {
        query.extend(given(config, name).map(|text| (name, text)));
    }
    query.extend(texts(config, "tags").into_iter().map(|tag| ("tag", tag)));
    query.extend(numbers.iter().map(|(name, text)| (*name, text.as_str())));
    if flag(config, "hidden") == Some(true) {
        query.push(("os_hidden", "true"));
    }
    let pattern = given(config, "name_regex").and_then(|pattern| Regex::new(pattern).ok());
    let wanted = text_map(config, "properties");
    let fits = |image: &Json| {
        let has = |(name, value): (&String, &String)| image.get(name).and_then(Json::as_str) == Some(value);
        let is_named =
            |pattern: &Regex| image.get("name").and_then(Json::as_str).is_some_and(|name| pattern.is_match(name));
        pattern.as_ref().is_none_or(is_named) && wanted.iter().all(has)
    };
    let mut found = Vec::new();
    let mut marker: Option<String> = None;
    loop {
        let page: Vec<(&str, &str)> =
            query.iter().copied().chain(marker.as_deref().map(|marker| ("marker", marker))).collect();
        let list = at.endpoint.list(&["images"], &page).await?;
        let images = list.get("images").and_then(Json::as_array).cloned().unwrap_or_default();
        marker = images.last().and_then(|last| text(last, "id")).filter(|_| list.get("next").is_some());
        found.extend(images.into_iter().filter(&fits));
        if marker.is_none() {
            return Ok(found);
        }
    }
}
