//! Lists that data sources give: `filter` blocks leave out what is not wanted, as in all data sources of the Terraform provider.

use pipectl_cloud::Fields;
use pipectl_core::{Attribute, Block, BlockBody, Diagnostic, Diagnostics, Path, Schema, Type, Value};
use pipectl_provider::arguments::{blocks, flag, text, texts};

pub(crate) fn with_filter(fields: Fields) -> Fields {
    let filter = Schema::of([
        ("name", Attribute::required(Type::String, "An attribute of what is listed.")),
        ("values", Attribute::required(Type::list(Type::String), "What it must be: any of these.")),
        ("regex", Attribute::optional(Type::Bool, "Whether `values` are regular expressions.")),
    ]);
    fields.block("filter", Block::list(filter, "What is wanted. Several must all be met."))
}

/// Judges the filters of a list.
pub(crate) fn validate(config: &Value, schema: &Schema, list: &str) -> Diagnostics {
    let mut found = unknown_names(config, schema, list);
    let wrong = blocks(config, "filter").iter().enumerate().filter(|(_, filter)| flag(filter, "regex") == Some(true));
    let wrong = wrong.flat_map(|(index, filter)| {
        let bad = texts(filter, "values").into_iter().find_map(|value| regex::Regex::new(value).err());
        bad.map(|error| {
            let detail = format!("A value of a filter is no regular expression: {error}.");
            Diagnostic::error("Invalid regular expression", detail).on(Path::of("filter").index(index).name("values"))
        })
    });
    found.extend(wrong.collect::<Diagnostics>());
    found
}

/// Elements have no such attribute: a filter on it would leave all of them out.
fn unknown_names(config: &Value, schema: &Schema, list: &str) -> Diagnostics {
    let Some(BlockBody::Uniform(inside)) = schema.blocks.get(list).map(|block| &block.body) else {
        return Diagnostics::new();
    };
    let known = inside.attributes.keys().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
    let wrong = blocks(config, "filter").iter().enumerate().filter_map(|(index, filter)| {
        let name = text(filter, "name").filter(|name| !inside.attributes.contains_key(*name))?;
        let detail =
            format!("Elements of `{list}` have no attribute `{name}`, so that none would be left. They have: {known}.");
        Some(Diagnostic::error("Unknown attribute", detail).on(Path::of("filter").index(index).name("name")))
    });
    wrong.collect()
}

/// What was found, with those elements of a list left out that a filter does not want.
pub(crate) fn filtered(found: &Value, list: &str, config: &Value) -> Value {
    let filters = blocks(config, "filter");
    let fits = |element: &&Value| {
        filters.iter().all(|filter| {
            let name = text(filter, "name").unwrap_or_default();
            let value = element.attribute(name).filter(|value| !value.is_null());
            let value = value.map(|value| value.as_str().map_or_else(|| value.to_string(), str::to_owned));
            let Some(value) = value else { return false };
            let is_regex = flag(filter, "regex") == Some(true);
            texts(filter, "values").into_iter().any(|wanted| match is_regex {
                true => regex::Regex::new(wanted).is_ok_and(|wanted| wanted.is_match(&value)),
                false => wanted == value,
            })
        })
    };
    let kept: Vec<Value> = blocks(found, list).iter().filter(fits).cloned().collect();
    found.with_attribute(list, Value::tuple(kept))
}
