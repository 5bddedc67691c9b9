//! `module` blocks, without what stands in the folder that they name.

use pipectl_core::{Diagnostic, Diagnostics, Span, Type};

use crate::body::NestedBlock;
use crate::configuration::ModuleBlock;
use crate::expression::{Expression, Item, Key, Node};
use crate::load::Loader;
use crate::load::providers::{provider_expression, provider_reference};
use crate::load::reader::Reader;
use crate::provider_configuration::{ProviderExpression, ProviderReference};

/// Meta-arguments: every other argument is an input.
const META_ARGUMENTS: [&str; 6] = ["source", "version", "count", "for_each", "depends_on", "providers"];

impl Loader {
    pub(super) fn module(&mut self, block: &NestedBlock, terraform_file: bool) {
        let labels = self.labels(block, ["name"]);
        let mut reader = Reader::new(block, &mut self.diagnostics);
        let source = source(&mut reader);
        if let Some(version) = reader.expression("version") {
            let detail = "A version constraint applies to modules of a registry, and pipectl reads modules from local folders only.";
            reader.report(Diagnostic::error("Invalid version constraint", detail).at(version.span()));
        }
        let (count, for_each) = (reader.expression("count"), reader.expression("for_each"));
        if let (Some(_), Some(for_each)) = (&count, &for_each) {
            let detail = "The \"count\" and \"for_each\" meta-arguments are mutually-exclusive, only one should be used to be explicit about \
                          the number of resources to be created.";
            reader.report(
                Diagnostic::error("Invalid combination of \"count\" and \"for_each\"", detail).at(for_each.span()),
            );
        }
        let depends_on = reader.dependencies();
        let providers = providers(&mut reader);
        let mut enabled = None;
        if let Some(lifecycle) = reader.block("lifecycle") {
            let mut inner = Reader::new(lifecycle, reader.diagnostics);
            enabled = inner.expression("enabled");
            inner.finish();
        }
        // In files of Terraform, and beside that in `lifecycle`, it is an input like others.
        let is_own = !terraform_file && enabled.is_none() && block.body.argument("enabled").is_some();
        if is_own {
            enabled = reader.expression("enabled");
        }
        for inner in block.body.blocks().filter(|inner| inner.kind != "lifecycle") {
            let kind = &inner.kind;
            let detail = format!("A module block holds arguments only; a block of type {kind:?} is not expected here.");
            reader.report(Diagnostic::error("Unsupported block type", detail).at(inner.span.clone()));
        }
        let Some([name]) = labels else { return };
        if let Some(first) = self.configuration.modules.get(&name) {
            return self.duplicate("module call", &name, &first.span.clone(), &block.span);
        }
        let Some((source, source_span)) = source else { return };
        let span = block.span.clone();
        let whole = block.body.without(&META_ARGUMENTS, &["lifecycle"]);
        let inputs = if is_own { whole.without(&["enabled"], &[]) } else { whole.clone() };
        let claimable = is_own.then_some(whole);
        let configuration = None;
        let module = ModuleBlock {
            name: name.clone(),
            source,
            source_span,
            inputs,
            enabled,
            count,
            for_each,
            depends_on,
            providers,
            span,
            configuration,
            claimable,
        };
        self.configuration.modules.insert(name, module);
    }
}

/// The folder that a block names, when that is a local one.
fn source(reader: &mut Reader<'_>) -> Option<(String, Span)> {
    let written = reader.required("source")?;
    let source = reader.constant("source", &Type::String)?.as_str()?.to_owned();
    let is_local = source == "." || source == ".." || source.starts_with("./") || source.starts_with("../");
    if is_local {
        return Some((source, written.span()));
    }
    let detail = format!(
        "The source {source:?} is no local folder. pipectl reads modules from local folders only: a source begins with \"./\" or \"../\", and \
         is seen from the folder of the file that has the block."
    );
    let mut problem = Diagnostic::error("Unsupported module source", detail).at(written.span());
    if source.chars().all(|c| c.is_alphanumeric() || "._-/".contains(c)) && !source.starts_with('/') {
        problem = problem.hint(format!("source = \"./{source}\""));
    }
    reader.report(problem);
    None
}

/// `providers = { name = name.alias }`: what the module calls a configuration, and which one that is here.
fn providers(reader: &mut Reader<'_>) -> Vec<(ProviderReference, ProviderExpression)> {
    let Some(written) = reader.expression("providers") else { return Vec::new() };
    let (found, problems) = passed_providers(&written);
    problems.into_iter().for_each(|problem| reader.report(problem));
    found
}

/// Reads a `providers` argument, and says what is wrong with it.
pub fn passed_providers(written: &Expression) -> (Vec<(ProviderReference, ProviderExpression)>, Diagnostics) {
    let wrong = |expression: &Expression| {
        let detail = "The providers argument is a map from the names that the module uses to provider configurations: { name = name.alias }.";
        Diagnostic::error("Invalid providers argument", detail).at(expression.span())
    };
    let mut problems = Diagnostics::new();
    let Node::Object(items) = written.node() else { return (Vec::new(), wrong(written).into()) };
    let mut found: Vec<(ProviderReference, ProviderExpression)> = Vec::new();
    for Item { key, value } in items {
        let inside = match key {
            Key::Name(name) => {
                Some(ProviderReference { name: name.clone(), alias: None, key: None, span: value.span() })
            }
            Key::Expression(key) => provider_reference(key).filter(|inside| inside.key.is_none()),
        };
        let (Some(inside), Some(passed)) = (inside, provider_expression(value)) else {
            problems.push(wrong(value));
            continue;
        };
        if found.iter().any(|(known, _)| (&known.name, &known.alias) == (&inside.name, &inside.alias)) {
            let detail = "A provider configuration of the module is passed twice.";
            problems.push(Diagnostic::error("Duplicate provider configuration", detail).at(inside.span));
            continue;
        }
        found.push((inside, passed));
    }
    (found, problems)
}
