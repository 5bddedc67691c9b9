//! Lists that data sources give: `filter` blocks leave out what is not wanted, as in all data sources of the Terraform provider.

use pipectl_cloud::Fields;
use pipectl_core::{Attribute, Block, Diagnostic, Diagnostics, Path, Schema, Type, Value};
use pipectl_provider::arguments::{blocks, flag, text, texts};

pub(crate) fn with_filter(fields: Fields) -> Fields {
    let filter = Schema::of([
        ("name", Attribute::required(Type::String, "An attribute of what is listed.")),
        ("values", Attribute::required(Type::list(Type::String), "What it must be: any of these.")),
        ("regex", Attribute::optional(Type::Bool, "Whether `values` are regular expressions.")),
    ]);
    fields.block("filter", Block::list(filter, "What is wanted. Several must all be met."))
}

pub(crate) fn validate(config: &Value) -> Diagnostics {
    let wrong = blocks(config, "filter").iter().enumerate().filter(|(_, filter)| flag(filter, "regex") == Some(true));
    let wrong = wrong.flat_map(|(index, filter)| {
        let bad = texts(filter, "values").into_iter().find_map(|value| regex::Regex::new(value).err());
        bad.map(|error| {
            let detail = format!("A value of a filter is no regular expression: {error}.");
            Diagnostic::error("Invalid regular expression", detail).on(Path::of("filter").index(index).name("values"))
        })
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
