//! `variable`, `locals`, `output` and `check` blocks.

use pipectl_core::convert::convert;
use pipectl_core::{Diagnostic, Type, Value};

use crate::body::NestedBlock;
use crate::configuration::{CheckBlock, LocalValue, OutputBlock, VariableBlock};
use crate::evaluate::evaluate;
use crate::load::Loader;
use crate::load::reader::Reader;
use crate::scope::Scope;
use crate::type_constraint;

/// Names that a variable cannot have: they are meta-arguments of modules.
const RESERVED_VARIABLES: [&str; 8] =
    ["source", "version", "providers", "count", "for_each", "lifecycle", "depends_on", "locals"];

impl Loader {
    pub(super) fn variable(&mut self, block: &NestedBlock) {
        let labels = self.labels(block, ["name"]);
        let mut reader = Reader::new(block, &mut self.diagnostics);
        let description = reader.text("description");
        let written = reader.expression("type");
        let has_type = written.is_some();
        let ty = match written {
            None => Type::Any,
            Some(written) => type_constraint::parse(&written).unwrap_or_else(|found| {
                reader.diagnostics.extend(found);
                Type::Any
            }),
        };
        let nullable = reader.flag("nullable", true);
        let sensitive = reader.flag("sensitive", false);
        let ephemeral = reader.flag("ephemeral", false);
        let default = reader.expression("default").and_then(|written| default(&mut reader, &written, &ty, nullable));
        let validations = reader.rules("validation");
        reader.finish();
        let Some([name]) = labels else { return };
        if RESERVED_VARIABLES.contains(&name.as_str()) {
            let detail =
                format!("The variable name {name:?} is reserved due to its special meaning inside module blocks.");
            return self.report(Diagnostic::error("Invalid variable name", detail).at(block.labels[0].1.clone()));
        }
        if let Some(first) = self.configuration.variables.get(&name) {
            return self.duplicate("variable", &name, &first.span.clone(), &block.span);
        }
        let span = block.span.clone();
        let variable = VariableBlock {
            name: name.clone(),
            ty,
            has_type,
            default,
            description,
            nullable,
            sensitive,
            ephemeral,
            validations,
            span,
        };
        self.configuration.variables.insert(name, variable);
    }

    pub(super) fn locals(&mut self, block: &NestedBlock) {
        if self.labels(block, []).is_none() {
            return;
        }
        for argument in block.body.arguments() {
            if let Some(first) = self.configuration.locals.get(&argument.name) {
                let first = first.span.clone();
                self.duplicate("local value", &argument.name, &first, &argument.name_span);
                continue;
            }
            let value = LocalValue { expression: argument.value.clone(), span: argument.name_span.clone() };
            self.configuration.locals.insert(argument.name.clone(), value);
        }
        for inner in block.body.blocks() {
            let detail = "Blocks are not allowed here: a locals block holds arguments only.";
            self.report(Diagnostic::error("Unexpected block", detail).at(inner.span.clone()));
        }
    }

    pub(super) fn output(&mut self, block: &NestedBlock) {
        let labels = self.labels(block, ["name"]);
        let mut reader = Reader::new(block, &mut self.diagnostics);
        let value = reader.required("value");
        let description = reader.text("description");
        let sensitive = reader.flag("sensitive", false);
        let ephemeral = reader.flag("ephemeral", false);
        let depends_on = reader.dependencies();
        let preconditions = reader.rules("precondition");
        reader.finish();
        let (Some([name]), Some(value)) = (labels, value) else { return };
        if let Some(first) = self.configuration.outputs.get(&name) {
            return self.duplicate("output", &name, &first.span.clone(), &block.span);
        }
        let span = block.span.clone();
        let output = OutputBlock {
            name: name.clone(),
            value,
            description,
            sensitive,
            ephemeral,
            depends_on,
            preconditions,
            span,
        };
        self.configuration.outputs.insert(name, output);
    }

    pub(super) fn check(&mut self, block: &NestedBlock, terraform_file: bool) {
        let labels = self.labels(block, ["name"]);
        let mut reader = Reader::new(block, &mut self.diagnostics);
        let assertions = reader.rules("assert");
        if assertions.is_empty() && reader.body.blocks_of("assert").next().is_none() {
            let detail = "Check blocks must have at least one assert block.";
            reader.report(Diagnostic::error("Zero assert blocks", detail).at(block.span.clone()));
        }
        reader.labelled_blocks("data");
        reader.finish();
        let Some([name]) = labels else { return };
        if let Some(first) = self.configuration.checks.get(&name) {
            return self.duplicate("check", &name, &first.span.clone(), &block.span);
        }
        let mut data = block.body.blocks_of("data");
        if let Some(first) = data.next() {
            for extra in data {
                let (file, line) = self.place(&first.span);
                let detail = format!("This check block already has a data resource defined at {file}:{line}.");
                self.report(Diagnostic::error("Multiple data resource blocks", detail).at(extra.span.clone()));
            }
            self.data_of_check(first, terraform_file, &name);
        }
        self.configuration.checks.insert(name.clone(), CheckBlock { name, assertions, span: block.span.clone() });
    }
}

fn default(
    reader: &mut Reader<'_>,
    written: &crate::expression::Expression,
    ty: &Type,
    nullable: bool,
) -> Option<Value> {
    let value = match evaluate(written, &Scope::constant()) {
        Ok(value) => value,
        Err(found) => {
            reader.diagnostics.extend(found);
            return None;
        }
    };
    const SUMMARY: &str = "Invalid default value for variable";
    if value.is_null() && !nullable {
        reader.report(
            Diagnostic::error(SUMMARY, "A null default value is not valid when nullable = false.").at(written.span()),
        );
        return None;
    }
    match convert(&value, ty) {
        Ok(converted) => Some(converted),
        Err(error) => {
            let detail = format!("This default value is not compatible with the variable's type constraint: {error}.");
            reader.report(Diagnostic::error(SUMMARY, detail).at(written.span()));
            None
        }
    }
}
