//! The reference page of a stage kind, written from its schema: what cannot go stale.

use std::fmt::Write;

use pipectl_core::{Attribute, Block, BlockBody, Nesting, Schema};

use crate::{OutputKind, Stage};

/// A stage kind as a section of Markdown: arguments, blocks, outputs.
pub fn markdown(stage: &dyn Stage) -> String {
    let schema = stage.schema();
    let mut page = format!("## `{}`\n\n{}\n\n", stage.kind(), schema.description);
    arguments(&mut page, &schema);
    blocks(&mut page, &schema, "###");
    page.push_str(&stage.notes());
    page.push_str("### Outputs\n\n| output | type | meaning |\n|---|---|---|\n");
    for output in stage.outputs() {
        let kind = match &output.kind {
            OutputKind::Value(ty) => ty.to_string(),
            OutputKind::Files(path) => format!("file or folder `{path}`"),
        };
        row(&mut page, &[&format!("`{}`", output.name), &kind, output.description]);
    }
    page
}

fn arguments(page: &mut String, schema: &Schema) {
    if schema.attributes.is_empty() {
        return;
    }
    page.push_str("| argument | type | meaning |\n|---|---|---|\n");
    // What must be given comes first.
    let (required, optional): (Vec<_>, Vec<_>) =
        schema.attributes.iter().partition(|(_, attribute)| attribute.required);
    for (name, attribute) in required.into_iter().chain(optional) {
        row(page, &[&format!("`{name}`{}", mark(attribute)), &attribute.ty.to_string(), &attribute.description]);
    }
    page.push('\n');
}

fn mark(attribute: &Attribute) -> &'static str {
    if attribute.required { " (required)" } else { "" }
}

fn blocks(page: &mut String, schema: &Schema, level: &str) {
    for (name, block) in &schema.blocks {
        let labels: String = block.labels.iter().map(|label| format!(" \"<{label}>\"")).collect();
        let _ = writeln!(page, "{level} Block `{name}{labels}`\n\n{} {}\n", block.description, how_many(block));
        match &block.body {
            BlockBody::Uniform(body) => {
                arguments(page, body);
                blocks(page, body, &format!("{level}#"));
            }
            BlockBody::ByLabel(bodies) => {
                for (label, body) in bodies {
                    let _ = writeln!(page, "{level}# `{name} \"{label}\"`\n");
                    if !body.description.is_empty() {
                        let _ = writeln!(page, "{}\n", body.description);
                    }
                    arguments(page, body);
                    blocks(page, body, &format!("{level}##"));
                }
            }
        }
    }
}

fn how_many(block: &Block) -> String {
    match block.nesting {
        Nesting::Single { required: true } => "Exactly one.".to_owned(),
        Nesting::Single { required: false } => "At most one.".to_owned(),
        Nesting::List { minimum: 0 } => "Any number; their order counts.".to_owned(),
        Nesting::List { minimum } => format!("At least {minimum}; their order counts."),
    }
}

fn row(page: &mut String, cells: &[&str]) {
    let cells: Vec<String> = cells.iter().map(|cell| cell.replace('|', "\\|")).collect();
    let _ = writeln!(page, "| {} |", cells.join(" | "));
}
