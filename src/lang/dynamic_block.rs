//! `dynamic` blocks: one block for each element of a collection.

use pipectl_core::convert::convert;
use pipectl_core::{Block, Span, Type, Value};

use crate::body::NestedBlock;
use crate::decode::Decoder;
use crate::evaluate::{elements, is_dynamic};
use crate::expression::{Node, Source};

/// Whether a block is `dynamic "kind"`.
pub(crate) fn is_for(block: &NestedBlock, kind: &str) -> bool {
    block.kind == "dynamic" && block.labels.first().is_some_and(|(label, _)| label == kind)
}

/// The name by which the content of a `dynamic` block knows the current element. Nothing for other blocks, and when it is no name.
pub(crate) fn iterator(block: &NestedBlock) -> Option<String> {
    let (label, _) = block.labels.first().filter(|_| block.kind == "dynamic")?;
    match block.body.argument("iterator").map(|argument| argument.value.node()) {
        None => Some(label.clone()),
        Some(Node::Traversal(traversal)) if traversal.steps.is_empty() => match &traversal.source {
            Source::Root { name, .. } => Some(name.clone()),
            Source::Value(_) => None,
        },
        Some(_) => None,
    }
}

/// Adds the blocks that a `dynamic` block stands for. Returns whether their number is known.
pub(crate) fn expand(
    decoder: &mut Decoder<'_>,
    dynamic: &NestedBlock,
    kind: &str,
    block: &Block,
    values: &mut Vec<(Value, Span)>,
) -> bool {
    for argument in dynamic
        .body
        .arguments()
        .filter(|argument| !["for_each", "iterator", "labels"].contains(&argument.name.as_str()))
    {
        let detail = format!(
            "An argument named {:?} is not expected here: what the blocks hold stands in a content block.",
            argument.name
        );
        decoder.report("Unsupported argument", detail, &argument.name_span);
    }
    let mut contents = dynamic.body.blocks_of("content");
    let (Some(for_each), Some(content), None) = (dynamic.body.argument("for_each"), contents.next(), contents.next())
    else {
        let detail = "A dynamic block needs the argument for_each and exactly one content block.";
        decoder.report("Invalid dynamic block", detail, &dynamic.span);
        return true;
    };
    let Some(iterator) = iterator(dynamic) else {
        let given = dynamic.body.argument("iterator");
        let span = given.map_or_else(|| dynamic.span.clone(), |argument| argument.value.span());
        decoder.report(
            "Invalid dynamic iterator name",
            "The iterator argument must be a single name, without quotes.",
            &span,
        );
        return true;
    };
    let Some(collection) = decoder.value(&for_each.value) else { return false };
    let (collection, marks) = collection.unmark();
    if collection.is_null() || (collection.ty().is_primitive() && !is_dynamic(&collection)) {
        let what = if collection.is_null() { "null".to_owned() } else { collection.ty().friendly_name() };
        let detail = format!("Cannot use a {what} value in for_each. An iterable collection is required.");
        decoder.report("Invalid dynamic for_each value", detail, &for_each.value.span());
        return true;
    }
    if !collection.is_known() {
        return false;
    }
    for (key, value) in elements(&collection) {
        let element = Value::object([("key", key.marked(marks)), ("value", value.marked(marks))]);
        decoder.names.push((iterator.clone(), element));
        if let Some(labels) = labels(decoder, dynamic)
            && let Some(value) = decoder.block(kind, block, &labels, &content.body, &dynamic.span)
        {
            values.push((value.marked(marks), dynamic.span.clone()));
        }
        decoder.names.pop();
    }
    true
}

/// The labels that the block gets for the current element.
fn labels(decoder: &mut Decoder<'_>, dynamic: &NestedBlock) -> Option<Vec<(String, Span)>> {
    let Some(argument) = dynamic.body.argument("labels") else { return Some(Vec::new()) };
    let span = argument.value.span();
    let value = decoder.value(&argument.value)?;
    let list = convert(&value, &Type::list(Type::String)).ok().filter(Value::is_wholly_known);
    let usable = list.filter(|list| !list.marks_deep().is_private());
    let texts = usable
        .as_ref()
        .and_then(Value::as_slice)
        .map(|texts| texts.iter().map(Value::as_str).collect::<Option<Vec<_>>>());
    match texts {
        Some(Some(texts)) => Some(texts.into_iter().map(|text| (text.to_owned(), span.clone())).collect()),
        _ => {
            let detail = "The labels of a dynamic block must be a list of strings that are known, and neither sensitive nor ephemeral.";
            decoder.report("Invalid dynamic block labels", detail, &span);
            None
        }
    }
}
