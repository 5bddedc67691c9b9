//! Override files: `override.tf`, `*_override.tf` and the same in JSON change blocks of the other files instead of adding any.
//!
//! Bodies are merged as they are written, before anything is read, so every argument keeps its place and is judged where it stands. The rules
//! are those of Terraform 1.11.

use std::collections::HashMap;

use pipectl_core::{Diagnostic, Diagnostics, Span};

use super::ParsedFile;
use crate::body::{Body, NestedBlock};
use crate::expression::Node;

/// What a block is found by: its type, its labels, and the alias of a provider configuration.
#[derive(PartialEq, Eq, Hash)]
struct Key(String, Vec<String>);

/// Where a block stands: which file, which block of it.
#[derive(Clone, Copy)]
struct Place(usize, usize);

/// Whether a file of this name is an override file.
fn is_override(name: &str) -> bool {
    let name = name.rsplit('/').next().unwrap_or(name);
    let stem = name.strip_suffix(".tf").or_else(|| name.strip_suffix(".tf.json"));
    stem.is_some_and(|stem| stem == "override" || stem.ends_with("_override"))
}

/// Merges the blocks of override files, in the order of their names, into those of the others. What is left in an override file is read like
/// any other block.
pub(super) fn merge(files: &mut [ParsedFile]) {
    let (overriding, primary): (Vec<usize>, Vec<usize>) =
        (0..files.len()).partition(|file| is_override(&files[*file].name));
    if overriding.is_empty() {
        return;
    }
    let mut bases = Bases::of(files, &primary);
    for file in overriding {
        let blocks = std::mem::take(&mut files[file].blocks);
        without_settings(files, &blocks);
        let mut found = Diagnostics::new();
        let mut left = Vec::new();
        for block in blocks {
            left.extend(bases.change(files, block, &mut found));
        }
        files[file].blocks = left;
        files[file].diagnostics.extend(found);
        // Provider configurations that only an override file has can be changed by the next one.
        bases.add(files, file);
    }
}

/// Takes out of all `terraform` blocks what those of an override file say in their place.
fn without_settings(files: &mut [ParsedFile], blocks: &[NestedBlock]) {
    let settings = || blocks.iter().filter(|block| block.kind == "terraform");
    let arguments: Vec<&str> = settings().flat_map(|block| block.body.arguments()).map(|it| it.name.as_str()).collect();
    let kinds: Vec<&str> = settings().flat_map(|block| block.body.blocks()).map(|it| it.kind.as_str()).collect();
    let required = settings().flat_map(|block| block.body.blocks_of("required_providers"));
    let providers: Vec<&str> = required.flat_map(|block| block.body.arguments()).map(|it| it.name.as_str()).collect();
    // The state is kept in one place, whichever of the two says so.
    let has_backend = kinds.iter().any(|kind| ["backend", "cloud"].contains(kind));
    let kinds: &[&str] = if has_backend { &["backend", "cloud"] } else { &[] };
    for block in files.iter_mut().flat_map(|file| &mut file.blocks).filter(|block| block.kind == "terraform") {
        block.body = block.body.without(&arguments, kinds);
        let required = block.body.blocks_of("required_providers").next().cloned();
        if let Some(mut required) = required {
            required.body = required.body.without(&providers, &[]);
            block.body = block.body.with_block(required);
        }
    }
}

/// The blocks that can be changed.
struct Bases {
    blocks: HashMap<Key, Place>,
    locals: HashMap<String, Place>,
}

impl Bases {
    fn of(files: &[ParsedFile], primary: &[usize]) -> Self {
        let mut bases = Self { blocks: HashMap::new(), locals: HashMap::new() };
        for file in primary {
            bases.add(files, *file);
        }
        bases
    }

    fn add(&mut self, files: &[ParsedFile], file: usize) {
        for (index, block) in files[file].blocks.iter().enumerate() {
            let place = Place(file, index);
            if block.kind == "locals" {
                for argument in block.body.arguments() {
                    self.locals.entry(argument.name.clone()).or_insert(place);
                }
            } else if let Some(key) = key(block) {
                self.blocks.entry(key).or_insert(place);
            }
        }
    }

    /// Makes the change that a block of an override file asks for. Gives the block back when it is to be read on its own.
    fn change(&self, files: &mut [ParsedFile], block: NestedBlock, found: &mut Diagnostics) -> Option<NestedBlock> {
        match block.kind.as_str() {
            "locals" => {
                self.change_locals(files, &block, found);
                return None;
            }
            "moved" | "removed" | "import" | "check" => {
                found.push(not_overridden(&block));
                return None;
            }
            _ => {}
        }
        // Labels that are wrong are reported when the block is read, and so are blocks that do not belong into the file.
        let Some(key) = key(&block) else { return Some(block) };
        match self.blocks.get(&key) {
            Some(Place(file, index)) => {
                let base = &mut files[*file].blocks[*index];
                base.body = changed(&base.kind, &base.body, &block.body, found);
                None
            }
            // A provider that is configured nowhere has an empty configuration.
            None if block.kind == "provider" && key.1.len() == 1 => Some(block),
            None => {
                found.push(missing(&block, &key.1));
                None
            }
        }
    }

    fn change_locals(&self, files: &mut [ParsedFile], block: &NestedBlock, found: &mut Diagnostics) {
        for argument in block.body.arguments() {
            match self.locals.get(&argument.name) {
                Some(Place(file, index)) => {
                    let base = &mut files[*file].blocks[*index];
                    base.body = base.body.with_argument(argument.clone());
                }
                None => {
                    let detail = format!(
                        "There is no local value named {:?}. An override file can only override a local value that was already defined in a \
                         primary configuration file.",
                        argument.name
                    );
                    let problem = Diagnostic::error("Missing base local value definition to override", detail);
                    let span = &argument.name_span;
                    let whole = Span { range: span.range.start..argument.value.span().range.end, ..span.clone() };
                    found.push(problem.at(whole));
                }
            }
        }
    }
}

/// What a block of Terraform is found by; nothing for blocks of other types, and when its labels are wrong.
fn key(block: &NestedBlock) -> Option<Key> {
    let labels = match block.kind.as_str() {
        "variable" | "output" | "module" | "provider" => 1,
        "resource" | "data" | "ephemeral" => 2,
        _ => return None,
    };
    let mut names: Vec<String> = block.labels.iter().map(|(label, _)| label.clone()).collect();
    if names.len() != labels {
        return None;
    }
    if block.kind == "provider" {
        let alias = block.body.argument("alias").and_then(|argument| argument.value.as_literal_str());
        names.extend(alias.map(str::to_owned));
    }
    Some(Key(block.kind.clone(), names))
}

/// The body of a block of type `kind` as an override file changes it.
fn changed(kind: &str, base: &Body, changes: &Body, found: &mut Diagnostics) -> Body {
    let mut changes = changes.clone();
    if kind != "variable" && kind != "provider" {
        if let Some(argument) = changes.argument("depends_on") {
            let problem = Diagnostic::error("Unsupported override", "The depends_on argument may not be overridden.");
            let first = match argument.value.node() {
                Node::Tuple(elements) => elements.first(),
                _ => None,
            };
            found.push(problem.at(first.unwrap_or(&argument.value).span()));
        }
        changes = changes.without(&["depends_on"], &[]);
    }
    changes = without_conditions(&changes, found);
    let is_object = matches!(kind, "resource" | "data" | "ephemeral");
    let lifecycle = changes.blocks_of("lifecycle").next().filter(|_| is_object).cloned();
    let Some(mut lifecycle) = lifecycle else { return base.overridden_by(&changes) };
    lifecycle.body = without_conditions(&lifecycle.body, found);
    if let Some(own) = base.blocks_of("lifecycle").next() {
        lifecycle.body = own.body.overridden_by(&lifecycle.body);
    }
    base.overridden_by(&changes.without(&[], &["lifecycle"])).with_block(lifecycle)
}

/// A body without conditions: an override file cannot change those.
fn without_conditions(body: &Body, found: &mut Diagnostics) -> Body {
    const CONDITIONS: [&str; 3] = ["validation", "precondition", "postcondition"];
    for block in body.blocks().filter(|block| CONDITIONS.contains(&block.kind.as_str())) {
        let kind = &block.kind;
        let detail = format!("Override files cannot override {kind:?} blocks.");
        found.push(Diagnostic::error(format!("Can't override {kind} blocks"), detail).at(block.span.clone()));
    }
    body.without(&[], &CONDITIONS)
}

/// An error about a block that is in ordinary files only.
fn not_overridden(block: &NestedBlock) -> Diagnostic {
    let kind = &block.kind;
    let detail = match kind.as_str() {
        "moved" | "removed" => {
            format!("Records of {kind} objects can appear only in normal files, not in override files.")
        }
        "import" => "Import blocks can appear only in normal files, not in override files.".to_owned(),
        _ => format!("Override files cannot override {kind} blocks."),
    };
    let summary = match kind.as_str() {
        "check" => "Can't override check blocks".to_owned(),
        kind => format!("Cannot override '{kind}' blocks"),
    };
    Diagnostic::error(summary, detail).at(block.span.clone())
}

/// An error about a block that changes nothing, because there is none.
fn missing(block: &NestedBlock, names: &[String]) -> Diagnostic {
    let first = names.first().map_or("", String::as_str);
    let last = names.last().map_or("", String::as_str);
    let (summary, detail) = match block.kind.as_str() {
        "variable" => (
            "Missing base variable declaration to override",
            format!(
                "There is no variable named {last:?}. An override file can only override a variable that was already declared in a primary \
                 configuration file."
            ),
        ),
        "output" => (
            "Missing base output definition to override",
            format!(
                "There is no output named {last:?}. An override file can only override an output that was already defined in a primary \
                 configuration file."
            ),
        ),
        "module" => (
            "Missing module call to override",
            format!(
                "There is no module call named {last:?}. An override file can only override a module call that was defined in a primary \
                 configuration file."
            ),
        ),
        "provider" => (
            "Missing base provider configuration for override",
            format!(
                "There is no {first} provider configuration with the alias {last:?}. An override file can only override an aliased provider \
                 configuration that was already defined in a primary configuration file."
            ),
        ),
        "resource" => (
            "Missing resource to override",
            format!(
                "There is no {first} resource named {last:?}. An override file can only override a resource block defined in a primary \
                 configuration file."
            ),
        ),
        "data" => (
            "Missing data resource to override",
            format!(
                "There is no {first} data resource named {last:?}. An override file can only override a data block defined in a primary \
                 configuration file."
            ),
        ),
        _ => (
            "Missing ephemeral resource to override",
            format!(
                "There is no {first} ephemeral resource named {last:?}. An override file can only override an ephemeral block defined in a \
                 primary configuration file."
            ),
        ),
    };
    Diagnostic::error(summary, detail).at(block.span.clone())
}
