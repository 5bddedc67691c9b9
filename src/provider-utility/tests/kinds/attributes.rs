//! Names of arguments and attributes against those that HashiCorp's documentation lists.
//!
//! `attributes.txt` was written from the sections `Schema` of the providers' documentation: required, optional (be it computed too), computed,
//! and what is sensitive.

use std::collections::BTreeSet;

use pipectl_core::{Block, BlockBody, Schema, Type};

use crate::bed::Bed;

#[test]
fn each_kind_has_the_documented_attributes() {
    let bed = Bed::new();
    let mut documented = 0;
    for section in include_str!("attributes.txt").split("\nresource ").flat_map(|part| part.split("\ndata ")) {
        let (head, rest) = section.split_once('\n').unwrap();
        let name = head.trim_start_matches("resource ");
        let expected: BTreeSet<String> = rest.lines().map(|line| line.trim().to_owned()).collect();
        // The same names stand in both lists only where resource and data source have the same name.
        let schemas = [
            bed.registry().resources.get(name).map(|kind| kind.schema()),
            bed.registry().data_sources.get(name).map(|kind| kind.schema()),
        ];
        let found: Vec<BTreeSet<String>> = schemas.into_iter().flatten().map(attributes).collect();
        assert!(found.contains(&expected), "{name}: documented {expected:#?}, here {found:#?}");
        documented += 1;
    }
    assert_eq!(documented, bed.registry().resources.len() + bed.registry().data_sources.len());
}

fn attributes(schema: &Schema) -> BTreeSet<String> {
    let mut lines = BTreeSet::new();
    for (name, attribute) in &schema.attributes {
        let use_of_it = match (attribute.required, attribute.optional) {
            (true, _) => "required",
            (_, true) => "optional",
            _ => "computed",
        };
        let sensitive = if attribute.sensitive { " sensitive" } else { "" };
        lines.insert(format!("{name} {use_of_it}{sensitive}"));
        if let Type::List(element) = &attribute.ty
            && let Type::Object(fields) = element.as_ref()
        {
            lines.extend(fields.keys().map(|field| format!("{name}.{field} {use_of_it}")));
        }
    }
    for (name, Block { body, .. }) in &schema.blocks {
        let BlockBody::Uniform(schema) = body else { panic!("{name} goes by label") };
        lines.insert(format!("{name} optional"));
        lines.extend(attributes(schema).into_iter().map(|line| format!("{name}.{line}")));
    }
    lines
}
