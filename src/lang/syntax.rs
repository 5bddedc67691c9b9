//! From text to bodies, expressions and templates: hcl-edit parses, block by block, so that one mistake does not hide the others.

use std::borrow::Cow;
use std::ops::Range;

use hcl_edit::parser;
use indexmap::IndexMap;
use pipectl_core::{Diagnostics, SourceId, Span};

use crate::body::{Argument, Body, NestedBlock};
use crate::expression::Expression;
use crate::lower::Lower;
use crate::lower_template;
use crate::scan::{Token, TokenKind, is_identifier_start, scan};
use crate::syntax_error;

/// How many repeated keys of object constructors one block may have.
const MAX_REPEATED_KEYS: usize = 200;

/// Parses a whole file. Items that do not parse are left out, each with its diagnostic.
///
/// `block_types` are the words that begin a block of the file; they tell where a block begins whose predecessor was never closed.
pub(crate) fn parse_file(text: &str, source: SourceId, block_types: &[&str]) -> (Body, Diagnostics) {
    let tokens = scan(text);
    let mut diagnostics = Diagnostics::new();
    let mut arguments: IndexMap<String, Argument> = IndexMap::new();
    let mut blocks: Vec<NestedBlock> = Vec::new();
    for chunk in split(text, &tokens, source, block_types, &mut diagnostics) {
        let (body, found) = parse_chunk(text, source, chunk);
        diagnostics.extend(found);
        let Some(body) = body else { continue };
        for argument in body.arguments() {
            if let Some(first) = arguments.get(&argument.name) {
                diagnostics.push(syntax_error::redefined(
                    &argument.name,
                    line_of(text, first.name_span.range.start),
                    argument.name_span.clone(),
                ));
            } else {
                arguments.insert(argument.name.clone(), argument.clone());
            }
        }
        blocks.extend(body.blocks().cloned());
    }
    (Body::new(arguments, blocks, Span { source, range: 0..text.len() }), diagnostics)
}

fn line_of(text: &str, position: usize) -> usize {
    text[..position].matches('\n').count() + 1
}

/// Parses the items of a file that stand in `chunk`.
fn parse_chunk(text: &str, source: SourceId, chunk: Range<usize>) -> (Option<Body>, Diagnostics) {
    let part = &text[chunk.clone()];
    match parse_masked(part, parser::parse_body) {
        Ok((body, masked)) => {
            let mut lower = Lower::new(part, source, chunk.start, masked);
            let body = lower.body(&body, 0..part.len());
            (Some(body), lower.diagnostics)
        }
        Err(error) => (None, syntax_error::explain(part, source, chunk.start, &error).into()),
    }
}

/// Parses one expression that is all of `text`; `base` is where the text begins in its file.
pub(crate) fn parse_expression(text: &str, source: SourceId, base: usize) -> (Option<Expression>, Diagnostics) {
    if let Some(diagnostic) = syntax_error::unbalanced(text, &scan(text), source, base) {
        return (None, diagnostic.into());
    }
    match parse_masked(text, parser::parse_expr) {
        Ok((expression, masked)) => {
            let mut lower = Lower::new(text, source, base, masked);
            let expression = lower.expression(&expression, &(0..text.len()));
            (Some(expression), lower.diagnostics)
        }
        Err(error) => (None, syntax_error::explain(text, source, base, &error).into()),
    }
}

/// Parses a template that is all of `text`, as in a template file.
pub(crate) fn parse_template(text: &str, source: SourceId) -> (Option<Expression>, Diagnostics) {
    match parse_masked(text, parser::parse_template) {
        Ok((template, masked)) => {
            let mut lower = Lower::new(text, source, 0, masked);
            let expression = lower_template::bare(&mut lower, &template, 0..text.len());
            (Some(expression), lower.diagnostics)
        }
        Err(error) => (None, syntax_error::explain(text, source, 0, &error).into()),
    }
}

/// Parses `text` around two faults of hcl-edit, which is shown another text of the same length.
///
/// It refuses a key that stands twice in an object constructor, where the last one counts: the repeated key gets another name. It
/// does not see the end of a heredoc without lines: that is shown as an empty string. Returns where keys were renamed.
fn parse_masked<T>(
    text: &str,
    parse: impl Fn(&str) -> Result<T, parser::Error>,
) -> Result<(T, Vec<Range<usize>>), parser::Error> {
    let mut shown = without_empty_heredocs(text);
    let mut masked: Vec<Range<usize>> = Vec::new();
    loop {
        match parse(&shown) {
            Ok(parsed) => return Ok((parsed, masked)),
            Err(error) if error.message().contains("unique object key") && masked.len() < MAX_REPEATED_KEYS => {
                let Some(range) = key_at(&shown, error.location().offset()) else { return Err(error) };
                let Some(name) = other_name(masked.len(), range.len()) else { return Err(error) };
                shown.to_mut().replace_range(range.clone(), &name);
                masked.push(range);
            }
            Err(error) => return Err(error),
        }
    }
}

fn without_empty_heredocs(text: &str) -> Cow<'_, str> {
    let mut shown = Cow::Borrowed(text);
    if text.contains("<<") {
        for pair in scan(text).windows(2) {
            if let [
                Token { kind: TokenKind::OpenHeredoc, range: open },
                Token { kind: TokenKind::CloseHeredoc, range: close },
            ] = pair
            {
                let length = close.end - open.start;
                shown.to_mut().replace_range(open.start..close.end, &format!("\"\"{}", " ".repeat(length - 2)));
            }
        }
    }
    shown
}

/// The object key that begins at `start`: up to the `=` or `:` after it.
fn key_at(text: &str, start: usize) -> Option<Range<usize>> {
    let mut depth = 0usize;
    let mut end = start;
    for token in scan(text.get(start..)?) {
        match token.kind {
            TokenKind::Equals | TokenKind::Colon if depth == 0 => return (end > start).then_some(start..end),
            TokenKind::End => return None,
            kind if kind.opens() => depth += 1,
            kind if kind.is_closer() => depth = depth.checked_sub(1)?,
            _ => {}
        }
        end = start + token.range.end;
    }
    None
}

/// The `number`th identifier of `length` bytes, of those that nobody writes when there is room for that.
fn other_name(number: usize, length: usize) -> Option<String> {
    const LETTERS: &[u8] = b"QZXJKVWYqzxjkvwyABCDEFGHILMNOPRSTUabcdefghilmnoprstu";
    let digit = |place: u32| char::from(LETTERS[number / LETTERS.len().pow(place) % LETTERS.len()]);
    match length {
        0 => None,
        1 => (number < LETTERS.len()).then(|| digit(0).to_string()),
        2 => Some([digit(0), digit(1)].iter().collect()),
        _ => Some(format!("{}{}{}", digit(0), digit(1), "_".repeat(length - 2))),
    }
}

/// Where each item of a file stands: from its first token to the line break that ends it.
///
/// Where brackets do not balance, that is said, and the items before and after are still given.
fn split(
    text: &str,
    tokens: &[Token],
    source: SourceId,
    block_types: &[&str],
    diagnostics: &mut Diagnostics,
) -> Vec<Range<usize>> {
    let balanced = syntax_error::unbalanced(text, tokens, source, 0).is_none();
    let mut chunks = Vec::new();
    let mut index = 0;
    while tokens[index].kind != TokenKind::End {
        let start = index;
        index = item_end(text, tokens, start, balanced, block_types);
        let range = tokens[start].range.start..tokens[index - 1].range.end;
        let item = &tokens[start..index];
        if item.iter().all(|token| matches!(token.kind, TokenKind::Newline | TokenKind::Comment)) {
            continue;
        }
        let mut ended = item.to_vec();
        ended.push(Token { kind: TokenKind::End, range: range.end..range.end });
        match syntax_error::unbalanced(text, &ended, source, 0) {
            Some(diagnostic) => diagnostics.push(diagnostic),
            None => chunks.push(range),
        }
    }
    chunks
}

/// The index of the token after the item that begins at `start`.
fn item_end(text: &str, tokens: &[Token], start: usize, balanced: bool, block_types: &[&str]) -> usize {
    let mut depth = 0usize;
    let mut index = start;
    loop {
        let token = &tokens[index];
        match token.kind {
            TokenKind::End => return index,
            kind if kind.opens() => depth += 1,
            kind if kind.is_closer() => depth = depth.saturating_sub(1),
            TokenKind::Newline if depth == 0 => return index + 1,
            TokenKind::Comment if depth == 0 && text[token.range.clone()].ends_with('\n') => return index + 1,
            TokenKind::Identifier if !balanced && index > start && begins_block(text, tokens, index, block_types) => {
                return index;
            }
            _ => {}
        }
        index += 1;
    }
}

/// Whether a block of the file seems to begin here: at the start of a line, a block type, and a label or brace.
fn begins_block(text: &str, tokens: &[Token], index: usize, block_types: &[&str]) -> bool {
    let start = tokens[index].range.start;
    let word = &text[tokens[index].range.clone()];
    (start == 0 || text[..start].ends_with('\n'))
        && word.starts_with(is_identifier_start)
        && block_types.contains(&word)
        && matches!(tokens[index + 1].kind, TokenKind::OpenQuote | TokenKind::OpenBrace)
}
