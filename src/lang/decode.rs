//! Decoding: a body, a schema and a scope make the object that a provider or stage is given.

use std::collections::BTreeMap;

use pipectl_core::convert::convert;
use pipectl_core::suggest::did_you_mean;
use pipectl_core::{Attribute, Block, BlockBody, Diagnostic, Diagnostics, Marks, Nesting, Schema, Span, Type, Value};

use crate::body::{Argument, Body};
use crate::configuration::{MODEL_ROOTS, ModelBlock};
use crate::dynamic_block;
use crate::evaluate::{Evaluator, once_each};
use crate::expression::Expression;
use crate::json_syntax::Members;
use crate::origin::in_order;
use crate::reference::Reference;
use crate::scope::Scope;

/// The object of a body by a schema: every attribute and block of the schema, null when absent, unknown where evaluation failed.
///
/// Blocks that may stand once are an object or null, others a tuple of objects; labels are string attributes of the block's object.
/// Values of sensitive attributes are marked.
pub fn decode(body: &Body, schema: &Schema, scope: &Scope) -> (Value, Diagnostics) {
    let mut decoder = Decoder { scope, names: Vec::new(), diagnostics: Diagnostics::new() };
    let attributes = decoder.body(body, schema, &opening(&body.span()));
    (Value::object(attributes), decoder.finish())
}

/// The object of a `model` block, with its name as attribute `name`.
///
/// `input.a` and `layer.b` are the strings "input.a" and "layer.b" for the inputs and layers that the block declares.
pub fn decode_model(block: &ModelBlock, schema: &Schema, scope: &Scope) -> (Value, Diagnostics) {
    let mut diagnostics = Diagnostics::new();
    let mut names = Vec::new();
    for root in MODEL_ROOTS {
        let declared = declared(&block.body, root, &mut diagnostics);
        let mut known: BTreeMap<String, Value> =
            declared.iter().map(|name| (name.clone(), Value::from(format!("{root}.{name}")))).collect();
        for (missing, span) in undeclared(&block.body, root, &declared) {
            let hint = did_you_mean(&missing, declared.iter().map(String::as_str));
            let detail = format!("The model {:?} has no {root} named {missing:?}.{hint}", block.name);
            diagnostics.push(Diagnostic::error(format!("Reference to undeclared {root}"), detail).at(span));
            known.insert(missing, Value::unknown(Type::String));
        }
        names.push((root.to_owned(), Value::object(known)));
    }
    let mut decoder = Decoder { scope, names, diagnostics };
    let mut attributes = decoder.body(&block.body, schema, &block.span);
    attributes.insert("name".to_owned(), Value::from(block.name.as_str()));
    (Value::object(attributes), decoder.finish())
}

/// Names of the blocks of a type in a model: their last labels. Reports those that stand twice.
fn declared(body: &Body, kind: &str, diagnostics: &mut Diagnostics) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    for (name, span) in body.blocks_of(kind).filter_map(|block| block.labels.last()) {
        if names.contains(name) {
            let detail = format!("There is another {kind} named {name:?} in this model. Names must be unique.");
            diagnostics.push(Diagnostic::error(format!("Duplicate {kind}"), detail).at(span.clone()));
        } else {
            names.push(name.clone());
        }
    }
    names
}

/// References to inputs or layers that a model does not declare, each name once.
fn undeclared(body: &Body, root: &str, declared: &[String]) -> Vec<(String, Span)> {
    let mut missing: Vec<(String, Span)> = Vec::new();
    for (reference, span) in body.references() {
        if let Reference::Object(address) = reference
            && address.type_name == root
            && !declared.contains(&address.name)
            && !missing.iter().any(|(name, _)| *name == address.name)
        {
            missing.push((address.name, span));
        }
    }
    missing
}

/// The first byte of a body: where to point when something is missing in it.
fn opening(span: &Span) -> Span {
    Span { source: span.source, range: span.range.start..(span.range.start + 1).min(span.range.end) }
}

pub(crate) struct Decoder<'a> {
    scope: &'a Scope,
    /// Names that mean something without a reference: iterators of `dynamic` blocks, inputs and layers of a model.
    pub(crate) names: Vec<(String, Value)>,
    pub(crate) diagnostics: Diagnostics,
}

impl Decoder<'_> {
    /// The findings in the order of the text, each once: `dynamic` blocks find the same for every element.
    fn finish(self) -> Diagnostics {
        in_order(once_each(self.diagnostics))
    }

    pub(crate) fn report(&mut self, summary: impl Into<String>, detail: impl Into<String>, span: &Span) {
        self.diagnostics.push(Diagnostic::error(summary, detail).at(span.clone()));
    }

    /// The value of an expression; nothing when it cannot be evaluated, which is reported.
    pub(crate) fn value(&mut self, expression: &Expression) -> Option<Value> {
        match Evaluator::with_names(self.scope, self.names.clone()).finish(expression) {
            Ok(value) => Some(value),
            Err(found) => {
                self.diagnostics.extend(found);
                None
            }
        }
    }

    pub(crate) fn body(&mut self, body: &Body, schema: &Schema, header: &Span) -> BTreeMap<String, Value> {
        self.unsupported(body, schema);
        let mut values = BTreeMap::new();
        for (name, attribute) in &schema.attributes {
            let given = body.argument(name);
            values.insert(name.clone(), self.attribute(name, attribute, given, body.members(), header));
        }
        for (name, block) in &schema.blocks {
            let value = self.blocks(name, block, body, header);
            values.insert(name.clone(), value);
        }
        values
    }

    fn attribute(
        &mut self,
        name: &str,
        attribute: &Attribute,
        argument: Option<&Argument>,
        members: Option<&Members>,
        header: &Span,
    ) -> Value {
        let ty = attribute.ty.without_optional();
        let marks = if attribute.sensitive { Marks::SENSITIVE } else { Marks::NONE };
        let missing = format!("The argument {name:?} is required, but no definition was found.");
        let Some(argument) = argument else {
            if attribute.required {
                self.report("Missing required argument", missing, header);
                return Value::unknown(ty);
            }
            return Value::null_of(ty);
        };
        if !attribute.required && !attribute.optional {
            let detail = format!(
                "Can't configure a value for {name:?}: its value will be decided automatically based on the result of applying this \
                 configuration."
            );
            self.report("Value for unconfigurable attribute", detail, &argument.name_span);
            return Value::unknown(ty);
        }
        if let Some(members) = members {
            let found = members.argument_mistakes(name);
            if found.has_errors() {
                self.diagnostics.extend(found);
                return Value::unknown(ty).marked(marks);
            }
        }
        let Some(value) = self.value(&argument.value) else { return Value::unknown(ty).marked(marks) };
        if attribute.required && value.is_null() {
            self.report("Missing required argument", missing, &argument.value.span());
            return Value::unknown(ty);
        }
        match convert(&value, &attribute.ty) {
            Ok(converted) => converted.marked(marks),
            Err(error) => {
                let span = argument.value.span_in(&error.path.0);
                let detail = format!("Inappropriate value for attribute {name:?}: {error}.");
                let diagnostic = Diagnostic::error("Incorrect attribute value type", detail).at(span);
                let mut evaluator = Evaluator::with_names(self.scope, self.names.clone());
                evaluator.fail(diagnostic, &argument.value);
                self.diagnostics.extend(evaluator.diagnostics);
                Value::unknown(ty).marked(marks)
            }
        }
    }

    /// Reports arguments and blocks that the schema does not have.
    fn unsupported(&mut self, body: &Body, schema: &Schema) {
        for argument in body.arguments().filter(|argument| !schema.attributes.contains_key(&argument.name)) {
            let name = &argument.name;
            if body.members().is_some_and(|members| members.knows(name)) {
                self.unsupported_property(argument, schema);
                continue;
            }
            let hint = match schema.blocks.contains_key(name) {
                true => format!(" Did you mean to define a block of type {name:?}?"),
                false => {
                    let settable =
                        schema.attributes.iter().filter(|(_, attribute)| attribute.required || attribute.optional);
                    did_you_mean(name, settable.map(|(name, _)| name.as_str()))
                }
            };
            self.report(
                "Unsupported argument",
                format!("An argument named {name:?} is not expected here.{hint}"),
                &argument.name_span,
            );
        }
        for block in body.blocks() {
            if block.kind == "dynamic" && block.labels.is_empty() && !schema.blocks.contains_key("dynamic") {
                let detail = "All dynamic blocks must have 1 labels (type): the type of the blocks that it makes.";
                self.report("Missing type for dynamic", detail, &block.span);
                continue;
            }
            let (kind, span) = match (block.kind.as_str(), block.labels.first()) {
                ("dynamic", Some((label, span))) if !schema.blocks.contains_key("dynamic") => (label, span),
                _ => (&block.kind, &block.span),
            };
            if schema.blocks.contains_key(kind) {
                continue;
            }
            let hint = match schema.attributes.contains_key(kind) {
                true => format!(
                    " Did you mean to define argument {kind:?}? If so, use the equals sign to assign it a value."
                ),
                false => did_you_mean(kind, schema.blocks.keys().map(String::as_str)),
            };
            self.report(
                "Unsupported block type",
                format!("Blocks of type {kind:?} are not expected here.{hint}"),
                span,
            );
        }
    }

    /// Reports a property of a body in JSON that the schema knows neither as an argument nor as a block.
    fn unsupported_property(&mut self, argument: &Argument, schema: &Schema) {
        let name = &argument.name;
        if schema.blocks.contains_key(name) {
            return;
        }
        let settable = schema.attributes.iter().filter(|(_, attribute)| attribute.required || attribute.optional);
        let known = settable.map(|(name, _)| name.as_str()).chain(schema.blocks.keys().map(String::as_str));
        let detail = format!("No argument or block type is named {name:?}.{}", did_you_mean(name, known));
        self.report("Extraneous JSON object property", detail, &argument.name_span);
    }

    /// The value of all blocks of a type.
    fn blocks(&mut self, kind: &str, block: &Block, body: &Body, header: &Span) -> Value {
        let mut values: Vec<(Value, Span)> = Vec::new();
        let mut known = true;
        let in_json = match body.members() {
            Some(members) => {
                let (blocks, found) = members.blocks(kind, block.labels.len());
                self.diagnostics.extend(found);
                blocks
            }
            None => Vec::new(),
        };
        for written in in_json.iter().chain(body.blocks()) {
            if written.kind == kind {
                if let Some(value) = self.block(kind, block, &written.labels, &written.body, &written.span) {
                    values.push((value, written.span.clone()));
                }
            } else if dynamic_block::is_for(written, kind) {
                known &= dynamic_block::expand(self, written, kind, block, &mut values);
            }
        }
        if !known {
            return Value::unknown(Type::Any);
        }
        self.check_number(kind, block, &values, header);
        match block.nesting {
            Nesting::Single { .. } => values.into_iter().next().map_or_else(Value::null, |(value, _)| value),
            Nesting::List { .. } => Value::tuple(values.into_iter().map(|(value, _)| value)),
        }
    }

    fn check_number(&mut self, kind: &str, block: &Block, values: &[(Value, Span)], header: &Span) {
        match block.nesting {
            Nesting::Single { required } => {
                if required && values.is_empty() {
                    self.report(
                        format!("Missing {kind} block"),
                        format!("One block of type {kind:?} is required here."),
                        header,
                    );
                }
                if let [_, (_, second), ..] = values {
                    let detail = format!("Only one block of type {kind:?} is allowed.");
                    self.report(format!("Duplicate {kind} block"), detail, second);
                }
            }
            Nesting::List { minimum } if values.len() < minimum => {
                let detail = format!("At least {minimum} {kind:?} blocks are required.");
                self.report(format!("Insufficient {kind} blocks"), detail, header);
            }
            Nesting::List { .. } => {}
        }
    }

    /// The object of one block; nothing when its labels are wrong.
    pub(crate) fn block(
        &mut self,
        kind: &str,
        block: &Block,
        labels: &[(String, Span)],
        body: &Body,
        header: &Span,
    ) -> Option<Value> {
        let expected = block.labels.len();
        if let Some((_, span)) = labels.get(expected) {
            let detail = match expected {
                0 => format!("No labels are expected for {kind} blocks."),
                _ => format!("Only {expected} labels ({}) are expected for {kind} blocks.", block.labels.join(", ")),
            };
            self.report(format!("Extraneous label for {kind}"), detail, span);
            return None;
        }
        if let Some(missing) = block.labels.get(labels.len()) {
            let detail = format!("All {kind} blocks must have {expected} labels ({}).", block.labels.join(", "));
            self.report(format!("Missing {missing} for {kind}"), detail, header);
            return None;
        }
        let schema = match (&block.body, labels.first()) {
            (BlockBody::Uniform(schema), _) => schema,
            (BlockBody::ByLabel(bodies), Some((label, span))) => match bodies.get(label) {
                Some(schema) => schema,
                None => {
                    let what = block.labels.first().map_or("label", String::as_str);
                    let known: Vec<String> = bodies.keys().map(|known| format!("{known:?}")).collect();
                    let hint = did_you_mean(label, bodies.keys().map(String::as_str));
                    let detail =
                        format!("There is no {kind} of {what} {label:?}.{hint} Known are {}.", known.join(", "));
                    self.report(format!("Unsupported {kind} {what}"), detail, span);
                    return None;
                }
            },
            (BlockBody::ByLabel(_), None) => return None,
        };
        let mut attributes = self.body(body, schema, header);
        for (name, (label, _)) in block.labels.iter().zip(labels) {
            attributes.insert(name.clone(), Value::from(label.as_str()));
        }
        Some(Value::object(attributes))
    }
}

/// Where the value at a path inside an argument was written.
impl Expression {
    pub(crate) fn span_in(&self, steps: &[pipectl_core::Step]) -> Span {
        crate::body::span_in(self, steps)
    }
}
