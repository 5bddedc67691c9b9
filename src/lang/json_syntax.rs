//! Configurations in JSON (`*.tf.json`, `*.tfvars.json`): the same bodies and expressions as the native syntax gives.
//!
//! The rules are those of HCL's JSON syntax as Terraform 1.11 applies it. Strings of expressions are templates; a property named `//`
//! is a comment; a block is an object, or an array of objects, below an object for each of its labels. Where only a schema tells
//! blocks from arguments, a property is kept in both forms: as an argument, and, in [`Members`], as what it was written as.

use std::sync::Arc;

use indexmap::IndexMap;
use pipectl_core::{Diagnostic, Diagnostics, SourceId, Span, Value};

use crate::body::{Argument, Body, NestedBlock};
use crate::expression::{Expression, Item, Key, Node};
use crate::json_parse::{self, Json, Member, Text};
use crate::json_shape::{self, BodyShape, Shape};
use crate::origin::{Origin, in_order};
use crate::{BlockFile, syntax};

/// The properties of a body that may be arguments or blocks, as they were written.
#[derive(Clone, Debug)]
pub(crate) struct Members {
    /// Each with its file: those of an override file join those of the file that it changes.
    members: Vec<(SourceId, Member)>,
}

/// A part of a property that is looked through for references.
pub(crate) enum Part {
    Expression(Expression),
    Dynamic(NestedBlock),
}

/// Whether a file of this name is written in JSON.
pub(crate) fn is_json(name: &str) -> bool {
    name.ends_with(".json")
}

/// Reads a configuration file.
pub(crate) fn parse_file(text: &str, source: SourceId) -> (Body, Diagnostics) {
    parse(text, source, &json_shape::FILE)
}

/// Reads a file of variable values, whose strings are just text.
pub(crate) fn parse_values(text: &str, source: SourceId) -> (Body, Diagnostics) {
    parse(text, source, &json_shape::VALUES)
}

/// Reads a file of blocks that make no configuration.
pub(crate) fn parse_blocks(kind: BlockFile, text: &str, source: SourceId) -> (Body, Diagnostics) {
    parse(
        text,
        source,
        match kind {
            BlockFile::Tests => &json_shape::TESTS,
            BlockFile::MockData => &json_shape::MOCK_DATA,
        },
    )
}

fn parse(text: &str, source: SourceId, shape: &'static BodyShape) -> (Body, Diagnostics) {
    let mut converter = Converter { source, diagnostics: Diagnostics::new(), text: Some(text) };
    let whole = Span { source, range: 0..text.len() };
    match json_parse::parse(text, source) {
        Ok(value) => {
            let body = match converter.is_root(&value, shape) {
                true => converter.body(&value, shape),
                false => Body::new(IndexMap::new(), Vec::new(), whole),
            };
            (body, in_order(converter.diagnostics))
        }
        Err(diagnostic) => (Body::new(IndexMap::new(), Vec::new(), whole), diagnostic.into()),
    }
}

impl Members {
    /// The blocks that the properties of this name are, for a block type with so many labels.
    pub(crate) fn blocks(&self, kind: &str, labels: usize) -> (Vec<NestedBlock>, Diagnostics) {
        let mut diagnostics = Diagnostics::new();
        let mut blocks = Vec::new();
        for (source, member) in self.named(kind) {
            let mut converter = Converter { source: *source, diagnostics, text: None };
            converter.blocks(member, labels, &json_shape::CONTENT, &mut blocks);
            diagnostics = converter.diagnostics;
        }
        (blocks, diagnostics)
    }

    fn named<'m>(&'m self, name: &'m str) -> impl Iterator<Item = &'m (SourceId, Member)> + Clone {
        self.members.iter().filter(move |(_, member)| member.name.value == name)
    }

    /// Whether a property of this name is among them.
    pub(crate) fn knows(&self, name: &str) -> bool {
        self.named(name).next().is_some()
    }

    /// The names of the properties.
    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.members.iter().map(|(_, member)| member.name.value.as_str())
    }

    /// These properties, and after them others.
    pub(crate) fn and(mut self, others: &Self) -> Self {
        self.members.extend(others.members.iter().cloned());
        self
    }

    /// What is wrong with the property of this name when it is an argument after all: it, or a name in its value, stands twice.
    pub(crate) fn argument_mistakes(&self, name: &str) -> Diagnostics {
        let mut same = self.named(name);
        let Some((source, first)) = same.next() else { return Diagnostics::new() };
        let mut converter = Converter { source: *source, diagnostics: Diagnostics::new(), text: None };
        converter.check_names(&first.value);
        for (_, again) in same {
            converter.duplicate_argument(name, None, &again.name);
        }
        converter.diagnostics
    }

    /// What a property refers to stands in, when there are `dynamic` blocks inside of it, whose iterators are no references.
    pub(crate) fn with_dynamic_blocks(&self, name: &str) -> Option<Vec<Part>> {
        let same = self.named(name);
        if !same.clone().any(|(_, member)| has_dynamic(&member.value)) {
            return None;
        }
        let mut parts = Vec::new();
        for (source, member) in same {
            let mut converter = Converter { source: *source, diagnostics: Diagnostics::new(), text: None };
            converter.parts(&member.value, &mut parts);
        }
        Some(parts)
    }

    /// All but these properties.
    pub(crate) fn without(&self, names: &[&str]) -> Self {
        let kept = self.members.iter().filter(|(_, member)| !names.contains(&member.name.value.as_str()));
        Self { members: kept.cloned().collect() }
    }
}

struct Converter<'a> {
    source: SourceId,
    diagnostics: Diagnostics,
    /// The text of the file, for the lines of what stands twice.
    text: Option<&'a str>,
}

impl Converter<'_> {
    fn report(&mut self, summary: &str, detail: impl Into<String>, range: &std::ops::Range<usize>) {
        let span = Span { source: self.source, range: range.clone() };
        self.diagnostics.push(Diagnostic::error(summary, detail).at(span));
    }

    /// Whether a value can be that of a whole file; what cannot is reported.
    fn is_root(&mut self, value: &Json, shape: &'static BodyShape) -> bool {
        let wrong = match &value.node {
            json_parse::Node::Object(_) => None,
            json_parse::Node::Array(_) if std::ptr::eq(shape, &json_shape::VALUES) => Some((
                "Incorrect JSON value type",
                "A JSON object is required here, whose properties are the variables.",
                value,
            )),
            json_parse::Node::Array(elements) => {
                elements.iter().find(|element| matches!(element.node, json_parse::Node::Null)).map(|element| {
                    let detail = "A JSON object is required here, to define arguments and child blocks.";
                    ("Incorrect JSON value type", detail, element)
                })
            }
            _ => {
                let detail = "The root value of a file must be either a JSON object or a JSON array of objects.";
                Some(("Root value must be object", detail, value))
            }
        };
        if let Some((summary, detail, value)) = &wrong {
            self.report(summary, *detail, &value.range);
        }
        wrong.is_none()
    }

    fn span(&self, range: &std::ops::Range<usize>) -> Span {
        Span { source: self.source, range: range.clone() }
    }

    fn duplicate_argument(&mut self, name: &str, first: Option<&Span>, again: &Text) {
        let line = first.zip(self.text).map(|(first, text)| text[..first.range.start].matches('\n').count() + 1);
        let place = line.map_or_else(|| "before".to_owned(), |line| format!("on line {line}"));
        let detail = format!("The argument {name:?} was already set {place}. Each argument may be set only once.");
        self.report("Duplicate argument", detail, &again.range);
    }

    /// The properties of an object, or of all objects of an array. `wanted` says what they should be.
    fn members<'j>(&mut self, value: &'j Json, wanted: &str) -> Vec<&'j Member> {
        match &value.node {
            json_parse::Node::Object(members) => members.iter().collect(),
            json_parse::Node::Null => Vec::new(),
            json_parse::Node::Array(elements) => {
                let mut members = Vec::new();
                for element in elements {
                    match &element.node {
                        json_parse::Node::Object(own) => members.extend(own),
                        json_parse::Node::Null => {}
                        _ => self.report(
                            "Incorrect JSON value type",
                            format!("A JSON object is required here, to {wanted}."),
                            &element.range,
                        ),
                    }
                }
                members
            }
            _ => {
                let detail = format!("Either a JSON object or a JSON array of objects is required here, to {wanted}.");
                self.report("Incorrect JSON value type", detail, &value.range);
                Vec::new()
            }
        }
    }

    fn body(&mut self, value: &Json, shape: &'static BodyShape) -> Body {
        let mut arguments: IndexMap<String, Argument> = IndexMap::new();
        let mut blocks = Vec::new();
        let mut open: Vec<(SourceId, Member)> = Vec::new();
        for member in self.members(value, "define arguments and child blocks") {
            let name = member.name.value.as_str();
            if name == "//" {
                continue;
            }
            let property = shape.of(name);
            if let Shape::Blocks(labels, inner) = property {
                self.blocks(member, labels, inner, &mut blocks);
                continue;
            }
            // At the top of a file, everything is a block, even of a type that does not exist.
            if shape.is_file_of_blocks() {
                blocks.push(self.unknown_block(member));
                continue;
            }
            let undecided = !shape.knows(name) && matches!(property, Shape::Expression);
            match arguments.get(name) {
                // Blocks of a type may stand in several properties.
                Some(_) if undecided && is_block_like(&member.value) => open.push((self.source, member.clone())),
                Some(first) => {
                    let first = first.name_span.clone();
                    self.duplicate_argument(name, Some(&first), &member.name);
                }
                None => {
                    if undecided {
                        open.push((self.source, member.clone()));
                    }
                    let Some(value) = self.property(&member.value, property, undecided) else { continue };
                    let name_span = self.span(&member.name.range);
                    arguments.insert(name.to_owned(), Argument { name: name.to_owned(), name_span, value });
                }
            }
        }
        let span = self.span(&value.range);
        Body::from_json(arguments, blocks, span, Members { members: open })
    }

    fn unknown_block(&self, member: &Member) -> NestedBlock {
        let span = self.span(&member.name.range);
        let body = Body::new(IndexMap::new(), Vec::new(), self.span(&member.value.range));
        NestedBlock { kind: member.name.value.clone(), labels: Vec::new(), body, span }
    }

    /// Adds the blocks that a property stands for.
    fn blocks(&mut self, member: &Member, labels: usize, shape: &'static BodyShape, blocks: &mut Vec<NestedBlock>) {
        let header = self.span(&member.name.range);
        self.labelled(&member.name.value, header, &member.value, &mut Vec::new(), labels, shape, blocks);
    }

    #[allow(clippy::too_many_arguments)]
    fn labelled(
        &mut self,
        kind: &str,
        header: Span,
        value: &Json,
        labels: &mut Vec<(String, Span)>,
        wanted: usize,
        shape: &'static BodyShape,
        blocks: &mut Vec<NestedBlock>,
    ) {
        if labels.len() < wanted {
            let problems = self.diagnostics.error_count();
            let members = self.members(value, &format!("give the labels of {kind} blocks as property names"));
            if members.is_empty() && self.diagnostics.error_count() == problems {
                let which = ["first", "second", "third"].get(labels.len()).unwrap_or(&"next");
                let detail = format!(
                    "At least one object property is required here, whose name is the {which} label of the {kind} block."
                );
                self.report("Missing block label", detail, &value.range);
            }
            for member in members {
                let header = self.span(&member.name.range);
                labels.push((member.name.value.clone(), header.clone()));
                self.labelled(kind, header, &member.value, labels, wanted, shape, blocks);
                labels.pop();
            }
            return;
        }
        let bodies: Vec<&Json> = match &value.node {
            json_parse::Node::Null => Vec::new(),
            json_parse::Node::Object(_) => vec![value],
            json_parse::Node::Array(elements) => elements.iter().collect(),
            _ => {
                let detail = format!(
                    "Either a JSON object or a JSON array is required here, representing the contents of one or more {kind:?} blocks."
                );
                return self.report("Incorrect JSON value type", detail, &value.range);
            }
        };
        for body in bodies {
            let problems = self.diagnostics.error_count();
            let contents = self.body(body, shape);
            let is_body = matches!(body.node, json_parse::Node::Object(_) | json_parse::Node::Array(_));
            if is_body || self.diagnostics.error_count() == problems {
                let block =
                    NestedBlock { kind: kind.to_owned(), labels: labels.clone(), body: contents, span: header.clone() };
                blocks.push(block);
            }
        }
    }

    /// The expression that a property stands for; nothing when it is none, which is reported.
    fn property(&mut self, value: &Json, shape: Shape, undecided: bool) -> Option<Expression> {
        let node = match (shape, &value.node) {
            (Shape::Reference | Shape::References, json_parse::Node::Text(text)) => return self.reference(text),
            (Shape::References, json_parse::Node::Array(elements)) => {
                let each = |element: &Json| self.property(element, Shape::Reference, false);
                Node::Tuple(elements.iter().filter_map(each).collect())
            }
            (Shape::ReferenceMap, json_parse::Node::Object(members)) => {
                let each = |member: &Member| {
                    let value = self.property(&member.value, Shape::Reference, false)?;
                    Some(Item { key: Key::Name(member.name.value.clone()), value })
                };
                Node::Object(members.iter().filter_map(each).collect())
            }
            _ => {
                if !undecided {
                    self.check_names(value);
                }
                return Some(self.expression(value, matches!(shape, Shape::Constant)));
            }
        };
        Some(Expression::new(node, self.span(&value.range)))
    }

    /// The expression that a string holds.
    fn reference(&mut self, text: &Text) -> Option<Expression> {
        let (expression, found) = syntax::parse_expression(&text.value, &self.origin(text));
        self.diagnostics.extend(found);
        expression
    }

    fn origin(&self, text: &Text) -> Origin {
        match &text.positions {
            Some(positions) => Origin::escaped(self.source, Arc::clone(positions)),
            None => Origin::new(self.source, text.range.start + 1),
        }
    }

    /// The expression that a value is; its strings are templates unless `literal`.
    fn expression(&mut self, value: &Json, literal: bool) -> Expression {
        let node = match &value.node {
            json_parse::Node::Null => Node::Literal(Value::null()),
            json_parse::Node::Bool(flag) => Node::Literal(Value::from(*flag)),
            json_parse::Node::Number(number) => Node::Literal(Value::from(number.clone())),
            json_parse::Node::Text(text) => return self.text(text, literal),
            json_parse::Node::Array(elements) => {
                Node::Tuple(elements.iter().map(|element| self.expression(element, literal)).collect())
            }
            json_parse::Node::Object(members) => Node::Object(
                members
                    .iter()
                    .map(|member| {
                        let key = self.text(&member.name, literal);
                        let key = match key.as_literal_str() {
                            Some(name) => Key::Name(name.to_owned()),
                            None => Key::Expression(Expression::new(Node::Wrapped(key), self.span(&member.name.range))),
                        };
                        Item { key, value: self.expression(&member.value, literal) }
                    })
                    .collect(),
            ),
        };
        Expression::new(node, self.span(&value.range))
    }

    fn text(&mut self, text: &Text, literal: bool) -> Expression {
        let plain = Expression::literal(Value::from(text.value.as_str()), self.span(&text.range));
        if literal || !(text.value.contains("${") || text.value.contains("%{")) {
            return plain;
        }
        let origin = self.origin(text);
        let (expression, found) = syntax::parse_template(&text.value, &origin);
        self.diagnostics.extend(found);
        expression.unwrap_or(plain)
    }

    fn parts(&mut self, value: &Json, parts: &mut Vec<Part>) {
        match &value.node {
            json_parse::Node::Array(elements) => elements.iter().for_each(|element| self.parts(element, parts)),
            json_parse::Node::Object(members) => {
                for member in members {
                    match json_shape::CONTENT.of(&member.name.value) {
                        Shape::Blocks(labels, inner) => {
                            let mut blocks = Vec::new();
                            self.blocks(member, labels, inner, &mut blocks);
                            parts.extend(blocks.into_iter().map(Part::Dynamic));
                        }
                        _ => self.parts(&member.value, parts),
                    }
                }
            }
            _ => parts.push(Part::Expression(self.expression(value, false))),
        }
    }

    /// Reports names that stand twice in one object of an expression.
    fn check_names(&mut self, value: &Json) {
        match &value.node {
            json_parse::Node::Array(elements) => elements.iter().for_each(|element| self.check_names(element)),
            json_parse::Node::Object(members) => {
                let mut names = std::collections::HashSet::new();
                for member in members {
                    let name = member.name.value.as_str();
                    if !names.insert(name) {
                        let detail = format!("An attribute named {name:?} was already defined in this object.");
                        self.report("Duplicate object attribute", detail, &member.name.range);
                    }
                    self.check_names(&member.value);
                }
            }
            _ => {}
        }
    }
}

/// Whether there is a property inside that may be `dynamic` blocks.
fn has_dynamic(value: &Json) -> bool {
    match &value.node {
        json_parse::Node::Array(elements) => elements.iter().any(has_dynamic),
        json_parse::Node::Object(members) => members.iter().any(|member| {
            json_shape::CONTENT.knows(&member.name.value) && is_block_like(&member.value) || has_dynamic(&member.value)
        }),
        _ => false,
    }
}

/// Whether a value could be one block or several.
fn is_block_like(value: &Json) -> bool {
    match &value.node {
        json_parse::Node::Null | json_parse::Node::Object(_) => true,
        json_parse::Node::Array(elements) => elements.iter().all(is_block_like),
        _ => false,
    }
}
