//! Bodies of blocks as written: arguments and nested blocks, nothing decoded, nothing evaluated.

use std::sync::Arc;

use indexmap::IndexMap;
use pipectl_core::{Path, Span, Step as PathStep, Value};

use crate::dynamic_block;
use crate::expression::{Expression, Item, Key, Node, VisitReference};
use crate::json_syntax::{Members, Part};
use crate::reference::Reference;

/// The body of a block. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Body {
    content: Arc<Content>,
}

#[derive(Debug)]
struct Content {
    arguments: IndexMap<String, Argument>,
    blocks: Vec<NestedBlock>,
    span: Span,
    /// Of a body in JSON: the properties that only a schema tells to be arguments or blocks. They are also among the arguments.
    members: Option<Members>,
}

/// An argument: `name = value`.
#[derive(Clone, Debug)]
pub struct Argument {
    /// Its name.
    pub name: String,
    /// Where the name stands.
    pub name_span: Span,
    /// Its value.
    pub value: Expression,
}

/// A block inside a body.
#[derive(Clone, Debug)]
pub struct NestedBlock {
    /// The block type: its first word.
    pub kind: String,
    /// The labels and where each stands.
    pub labels: Vec<(String, Span)>,
    /// What stands between the braces.
    pub body: Body,
    /// Where the block type and the labels stand.
    pub span: Span,
}

impl Body {
    pub(crate) fn new(arguments: IndexMap<String, Argument>, blocks: Vec<NestedBlock>, span: Span) -> Self {
        Self { content: Arc::new(Content { arguments, blocks, span, members: None }) }
    }

    pub(crate) fn from_json(
        arguments: IndexMap<String, Argument>,
        blocks: Vec<NestedBlock>,
        span: Span,
        members: Members,
    ) -> Self {
        Self { content: Arc::new(Content { arguments, blocks, span, members: Some(members) }) }
    }

    /// Of a body in JSON: the properties that may be arguments or blocks.
    pub(crate) fn members(&self) -> Option<&Members> {
        self.content.members.as_ref()
    }

    /// A body that nobody has written: arguments with values.
    pub fn of_values(values: impl IntoIterator<Item = (String, Value)>, span: &Span) -> Self {
        let argument = |(name, value): (String, Value)| {
            let value = Expression::literal(value, span.clone());
            (name.clone(), Argument { name, name_span: span.clone(), value })
        };
        Self::new(values.into_iter().map(argument).collect(), Vec::new(), span.clone())
    }

    /// The same with the values of its arguments, and of those in nested blocks, in the place of expressions.
    ///
    /// # Errors
    /// What is wrong with an expression.
    pub fn evaluated<E>(&self, value_of: &mut dyn FnMut(&Expression) -> Result<Value, E>) -> Result<Self, E> {
        let mut arguments = IndexMap::new();
        for argument in self.arguments() {
            let value = Expression::literal(value_of(&argument.value)?, argument.value.span());
            arguments.insert(argument.name.clone(), Argument { value, ..argument.clone() });
        }
        let mut blocks = Vec::new();
        for block in self.blocks() {
            blocks.push(NestedBlock { body: block.body.evaluated(value_of)?, ..block.clone() });
        }
        Ok(Self::new(arguments, blocks, self.span()))
    }

    /// Where it stands: from the opening to the closing brace; for a whole file, all of it.
    pub fn span(&self) -> Span {
        self.content.span.clone()
    }

    /// The arguments, in the order of the text.
    pub fn arguments(&self) -> impl Iterator<Item = &Argument> {
        self.content.arguments.values()
    }

    /// The argument of a name.
    pub fn argument(&self, name: &str) -> Option<&Argument> {
        self.content.arguments.get(name)
    }

    /// The nested blocks, in the order of the text.
    pub fn blocks(&self) -> impl Iterator<Item = &NestedBlock> {
        self.content.blocks.iter()
    }

    /// The nested blocks of a type, in the order of the text.
    pub fn blocks_of<'a>(&'a self, kind: &'a str) -> impl Iterator<Item = &'a NestedBlock> {
        self.content.blocks.iter().filter(move |block| block.kind == kind)
    }

    /// The same body without some arguments and blocks.
    pub fn without(&self, arguments: &[&str], blocks: &[&str]) -> Body {
        let content = &self.content;
        let kept_arguments = content.arguments.iter().filter(|(name, _)| !arguments.contains(&name.as_str()));
        let kept_blocks = content.blocks.iter().filter(|block| !blocks.contains(&block.kind.as_str()));
        let content = Content {
            arguments: kept_arguments.map(|(name, argument)| (name.clone(), argument.clone())).collect(),
            blocks: kept_blocks.cloned().collect(),
            span: content.span.clone(),
            members: content.members.as_ref().map(|members| members.without(arguments)),
        };
        Body { content: Arc::new(content) }
    }

    /// This body as an override file changes it: an argument takes the place of one of the same name, and the nested blocks of a type that
    /// of all of that type, `dynamic` ones too.
    pub(crate) fn overridden_by(&self, changes: &Body) -> Body {
        let made_by_dynamic = |block: &NestedBlock| match block.labels.first() {
            Some((label, _)) if block.kind == "dynamic" => Some(label.clone()),
            _ => None,
        };
        let mut replaced: Vec<String> =
            changes.blocks().map(|block| made_by_dynamic(block).unwrap_or_else(|| block.kind.clone())).collect();
        // What may be an argument or blocks replaces both.
        let undecided = changes.members().into_iter().flat_map(Members::names);
        replaced.extend(undecided.map(str::to_owned));
        let names: Vec<&str> = replaced.iter().map(String::as_str).collect();
        let is_undecided = |name: &str| self.members().is_some_and(|members| members.knows(name));
        let mut arguments = self.content.arguments.clone();
        arguments.retain(|name, _| !(names.contains(&name.as_str()) && is_undecided(name)));
        arguments.extend(changes.content.arguments.clone());
        let is_kept = |block: &&NestedBlock| {
            let kind = made_by_dynamic(block).unwrap_or_else(|| block.kind.clone());
            !names.contains(&kind.as_str())
        };
        let blocks = self.blocks().filter(is_kept).chain(changes.blocks()).cloned().collect();
        let given: Vec<&str> =
            names.into_iter().chain(changes.arguments().map(|argument| argument.name.as_str())).collect();
        let members = match (self.members().map(|members| members.without(&given)), changes.members()) {
            (Some(own), Some(others)) => Some(own.and(others)),
            (own, others) => own.or_else(|| others.cloned()),
        };
        Body { content: Arc::new(Content { arguments, blocks, span: self.span(), members }) }
    }

    /// The same body with an argument in the place of one of the same name.
    pub(crate) fn with_argument(&self, argument: Argument) -> Body {
        let mut arguments = self.content.arguments.clone();
        arguments.insert(argument.name.clone(), argument);
        let (blocks, span, members) = (self.content.blocks.clone(), self.span(), self.content.members.clone());
        Body { content: Arc::new(Content { arguments, blocks, span, members }) }
    }

    /// The same body with one nested block in the place of all of its type.
    pub(crate) fn with_block(&self, block: NestedBlock) -> Body {
        let rest = self.without(&[], &[&block.kind]);
        let mut blocks = rest.content.blocks.clone();
        blocks.push(block);
        let (arguments, span, members) = (rest.content.arguments.clone(), rest.span(), rest.content.members.clone());
        Body { content: Arc::new(Content { arguments, blocks, span, members }) }
    }

    /// All references of all expressions inside, nested blocks too, each with where it stands.
    pub fn references(&self) -> Vec<(Reference, Span)> {
        let mut found = Vec::new();
        self.visit_references(&mut |reference, span, _| {
            if let Ok(reference) = reference {
                found.push((reference, span));
            }
        });
        found
    }

    pub(crate) fn visit_references(&self, visit: &mut VisitReference<'_>) {
        self.visit_inside(&mut Vec::new(), visit);
    }

    fn visit_inside(&self, shadowed: &mut Vec<String>, visit: &mut VisitReference<'_>) {
        for argument in self.arguments() {
            match self.members().and_then(|members| members.with_dynamic_blocks(&argument.name)) {
                Some(parts) => {
                    for part in parts {
                        match part {
                            Part::Expression(expression) => expression.visit_inside(shadowed, visit),
                            Part::Dynamic(block) => visit_block(&block, shadowed, visit),
                        }
                    }
                }
                None => argument.value.visit_inside(shadowed, visit),
            }
        }
        for block in self.blocks() {
            visit_block(block, shadowed, visit);
        }
    }

    /// Where the value at `path` of the decoded object was written: `layer[1].units`, `optimizer.learning_rate`, and into tuple and
    /// object constructors as far as they go. Nothing when not even the first step was written. A block that may be one of a `dynamic` block
    /// stands where that does.
    pub fn span_of(&self, path: &Path) -> Option<Span> {
        let (PathStep::Name(name), rest) = path.0.split_first()? else { return None };
        if let Some(argument) = self.argument(name) {
            return Some(span_in(&argument.value, rest));
        }
        let (position, rest) = match rest.split_first() {
            Some((PathStep::Index(position), rest)) => (*position, rest),
            _ => (0, rest),
        };
        let inside = Path(rest.to_vec());
        let mut before = 0;
        let mut blocks = self.blocks().filter(|block| block.kind == *name || dynamic_block::is_for(block, name));
        while let Some(block) = blocks.next() {
            if block.kind == *name {
                if before == position {
                    return Some(block.body.span_of(&inside).unwrap_or_else(|| block.span.clone()));
                }
                before += 1;
                continue;
            }
            // How many blocks a dynamic one stands for is not known here: from there on it may be any, unless nothing follows.
            let content = block.body.blocks_of("content").next().filter(|_| blocks.next().is_none());
            let span = content.and_then(|content| content.body.span_of(&inside));
            return Some(span.unwrap_or_else(|| block.span.clone()));
        }
        None
    }
}

fn visit_block(block: &NestedBlock, shadowed: &mut Vec<String>, visit: &mut VisitReference<'_>) {
    let Some(iterator) = dynamic_block::iterator(block) else { return block.body.visit_inside(shadowed, visit) };
    // The iterator of a dynamic block names no object, except in the collection that it goes through.
    let outside = shadowed.len();
    for argument in block.body.arguments().filter(|argument| argument.name != "iterator") {
        shadowed.truncate(outside);
        if argument.name != "for_each" {
            shadowed.push(iterator.clone());
        }
        argument.value.visit_inside(shadowed, visit);
    }
    shadowed.truncate(outside);
    shadowed.push(iterator);
    for inner in block.body.blocks() {
        inner.body.visit_inside(shadowed, visit);
    }
    shadowed.truncate(outside);
}

/// Where the value at `steps` inside the value of `expression` was written.
pub(crate) fn span_in(expression: &Expression, steps: &[PathStep]) -> Span {
    let Some((first, rest)) = steps.split_first() else { return expression.span() };
    let named = |item: &&Item, wanted: &str| match &item.key {
        Key::Name(name) => name == wanted,
        Key::Expression(key) => key.as_literal_str() == Some(wanted),
    };
    let inner = match (expression.node(), first) {
        (Node::Wrapped(inner) | Node::Interpolation(inner), _) => return span_in(inner, steps),
        (Node::Tuple(elements), PathStep::Index(index)) => elements.get(*index),
        (Node::Object(items), PathStep::Name(name)) => {
            items.iter().rev().find(|item| named(item, name)).map(|item| &item.value)
        }
        _ => None,
    };
    inner.map_or_else(|| expression.span(), |inner| span_in(inner, rest))
}
