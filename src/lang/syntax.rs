//! From text to bodies, expressions and templates: hcl-edit parses, block by block, so that one mistake does not hide the others.

use std::borrow::Cow;
use std::ops::Range;

use hcl_edit::parser;
use indexmap::IndexMap;
use pipectl_core::{Diagnostics, SourceId, Span};

use crate::body::{Argument, Body, NestedBlock};
use crate::brackets::{Brackets, opens_block};
use crate::expression::Expression;
use crate::lower::Lower;
use crate::lower_template;
use crate::object_parts::{self, Cut, Divided, Parsed, Part};
use crate::origin::{Origin, in_order};
use crate::scan::{Token, TokenKind, is_identifier_continue, is_identifier_start, scan, scan_template};
use crate::syntax_error;
use crate::syntax_mistake::Whole;

/// How many mistakes of one block of a file are looked for.
const MAX_MISTAKES: usize = 20;

/// Parses a whole file. Items that do not parse are left out, each with its diagnostic.
///
/// `block_types` are the words that begin a block of the file; they tell where a block begins whose predecessor was never closed.
pub(crate) fn parse_file(text: &str, source: SourceId, block_types: &[&str]) -> (Body, Diagnostics) {
    let tokens = scan(text);
    let mut diagnostics = Diagnostics::new();
    let mut arguments: IndexMap<String, Argument> = IndexMap::new();
    let mut blocks: Vec<NestedBlock> = Vec::new();
    for chunk in split(text, &tokens, source, block_types) {
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
    (Body::new(arguments, blocks, Span { source, range: 0..text.len() }), in_order(diagnostics))
}

fn line_of(text: &str, position: usize) -> usize {
    text[..position].matches('\n').count() + 1
}

/// Parses the items of a file that stand in `chunk`. Of a block with mistakes, nothing is kept but what is wrong with each argument.
fn parse_chunk(text: &str, source: SourceId, chunk: Chunk) -> (Option<Body>, Diagnostics) {
    let Chunk { range, balanced } = chunk;
    let part = &text[range.clone()];
    let origin = Origin::new(source, range.start);
    let mut shown = Cow::Borrowed(part);
    let mut diagnostics = Diagnostics::new();
    loop {
        let unbalanced = (!balanced).then(|| syntax_error::unbalanced(&shown, &scan(&shown), &origin)).flatten();
        let diagnostic = match unbalanced {
            Some(diagnostic) => diagnostic,
            None => match parse_around(&shown, scan, parser::parse_body) {
                Ok(Parsed { tree, divided }) if diagnostics.is_empty() => {
                    let mut lower = Lower::new(part, &origin, &divided);
                    let body = lower.body(&tree, 0..part.len());
                    return (Some(body), lower.diagnostics);
                }
                Ok(_) => return (None, diagnostics),
                Err(error) => syntax_error::explain(&shown, &scan(&shown), &origin, Whole::File, &error),
            },
        };
        let place = diagnostic.span.as_ref().map_or(0, |span| span.range.start - range.start);
        let item = item_at(&shown, place).map(|item| item.start..syntax_error::heredoc_end(&shown, place, item.end));
        diagnostics.push(diagnostic);
        // The other arguments of the block may be wrong, too: parse again without this one.
        let Some(item) = item else { return (None, diagnostics) };
        if diagnostics.error_count() >= MAX_MISTAKES || shown[item.clone()].trim().is_empty() {
            return (None, diagnostics);
        }
        let blank: String = shown[item.clone()]
            .chars()
            .flat_map(|c| [if c == '\n' { '\n' } else { ' ' }].repeat(c.len_utf8()))
            .collect();
        shown.to_mut().replace_range(item, &blank);
    }
}

/// The argument or nested block, directly inside the innermost block around `place`, that stands there. Nothing outside of blocks.
fn item_at(text: &str, place: usize) -> Option<Range<usize>> {
    let tokens = scan(text);
    let here = tokens.iter().position(|token| token.range.end > place)?;
    let mut brackets = Brackets::default();
    for index in 0..here {
        brackets.take(&tokens, index);
    }
    let opener = brackets.open().iter().rev().copied().find(|opener| opens_block(&tokens, *opener))?;
    let mut inside = Brackets::default();
    let mut start = opener + 1;
    for (index, token) in tokens.iter().enumerate().skip(opener) {
        let ends = token.kind == TokenKind::Newline || text[token.range.clone()].ends_with('\n');
        inside.take(&tokens, index);
        let closed = inside.open().is_empty();
        if closed || (ends && inside.open().len() == 1) {
            if index >= here {
                let end = if closed { token.range.start } else { token.range.end };
                return Some(tokens[start].range.start..end);
            }
            start = index + 1;
        }
    }
    None
}

/// Parses one expression that is all of `text`. Line breaks mean nothing in it, as if it stood in parentheses.
pub(crate) fn parse_expression(text: &str, origin: &Origin) -> (Option<Expression>, Diagnostics) {
    let tokens = scan(text);
    let Some(bare) = without_breaks(text, &tokens) else { return parse_bare(text, &tokens, text, origin) };
    let start = bare.len() - bare.trim_start().len();
    let shown = bare.trim();
    parse_bare(shown, &scan(shown), &text[start..start + shown.len()], &origin.beginning_at(start))
}

/// The text with spaces for line breaks and comments outside of all brackets. Nothing where there is none of them.
fn without_breaks(text: &str, tokens: &[Token]) -> Option<String> {
    let mut brackets = Brackets::default();
    let mut bare: Option<String> = None;
    for (index, token) in tokens.iter().enumerate() {
        brackets.take(tokens, index);
        // The line break after a heredoc belongs to it.
        let breaks = matches!(token.kind, TokenKind::Newline | TokenKind::Comment)
            && (index == 0 || tokens[index - 1].kind != TokenKind::CloseHeredoc);
        if breaks && brackets.open().is_empty() && !syntax_error::is_unclosed_comment(&text[token.range.clone()]) {
            let bare = bare.get_or_insert_with(|| text.to_owned());
            bare.replace_range(token.range.clone(), &" ".repeat(token.range.len()));
        }
    }
    bare
}

/// Parses an expression that is shown to the parser as `shown`, which is made of `tokens`, and stands in the source as `text`.
fn parse_bare(shown: &str, tokens: &[Token], text: &str, origin: &Origin) -> (Option<Expression>, Diagnostics) {
    if let Some(diagnostic) = syntax_error::unbalanced(shown, tokens, origin) {
        return (None, diagnostic.into());
    }
    match parse_around(shown, scan, parser::parse_expr) {
        Ok(Parsed { tree, divided }) => {
            let mut lower = Lower::new(text, origin, &divided);
            let expression = lower.expression(&tree, &(0..text.len()));
            (Some(expression), lower.diagnostics)
        }
        Err(error) => (None, syntax_error::explain(shown, tokens, origin, Whole::Expression, &error).into()),
    }
}

/// Parses a template that is all of `text`, as in a template file or a JSON string.
pub(crate) fn parse_template(text: &str, origin: &Origin) -> (Option<Expression>, Diagnostics) {
    match parse_around(text, scan_template, parser::parse_template) {
        Ok(Parsed { tree, divided }) => {
            let mut lower = Lower::new(text, origin, &divided);
            let expression = lower_template::bare(&mut lower, &tree, 0..text.len());
            (Some(expression), lower.diagnostics)
        }
        Err(error) => {
            (None, syntax_error::explain(text, &scan_template(text), origin, Whole::Expression, &error).into())
        }
    }
}

/// Where the parser stopped, and in its words why.
#[derive(Debug)]
pub(crate) struct Refused {
    pub(crate) message: String,
    pub(crate) offset: usize,
}

impl From<parser::Error> for Refused {
    fn from(error: parser::Error) -> Self {
        Self { message: error.message().to_owned(), offset: error.location().offset() }
    }
}

/// Parses `text`, whose tokens `scan` tells, around faults of hcl-edit, which is shown another text of the same length.
///
/// Some object constructors it is shown in parts: see [`object_parts`]. It does not see the end of a heredoc without lines, nor that a line which
/// only begins with the marker is none: see [`misread`]. It refuses line breaks and comments inside of brackets in some places, and numbers that no
/// double holds: only when it refuses a text, they are shown as spaces and as other numbers.
fn parse_around<T>(
    text: &str,
    scan: fn(&str) -> Vec<Token>,
    parse: impl Fn(&str) -> Result<T, parser::Error>,
) -> Result<Parsed<T>, Refused> {
    let mut shown = misread(text);
    let mut divided = None;
    let mut refused: Option<Refused> = None;
    if object_parts::may_be_large(text) {
        divided = Some(divide(text, scan, &mut shown)?);
    }
    loop {
        match parse(&shown) {
            Ok(tree) => return Ok(Parsed { tree, divided: divided.unwrap_or_default() }),
            Err(error) if divided.is_none() && error.message().contains("unique object key") => {
                divided = Some(divide(text, scan, &mut shown)?);
            }
            // What is wrong in the simpler text, too, was wrong before.
            Err(error) => match (refused, simplified(&shown)) {
                (Some(first), _) => return Err(first),
                (None, None) => return Err(error.into()),
                (None, Some(simpler)) => {
                    refused = Some(error.into());
                    shown = Cow::Owned(simpler);
                }
            },
        }
    }
}

/// Parses the object constructors of `text` that are to be parsed in parts, and leaves them empty in `shown`.
fn divide(text: &str, scan: fn(&str) -> Vec<Token>, shown: &mut Cow<'_, str>) -> Result<Vec<Divided>, Refused> {
    let cuts = object_parts::cuts(text, &scan(text));
    let in_parts = |cut: &Cut| {
        let part = |items: &Range<usize>| {
            let (start, text) = (items.start - 1, format!("{{{}}}", &text[items.clone()]));
            let parsed = parse_around(&text, crate::scan::scan, parser::parse_expr);
            let parsed = parsed.map_err(|refused| Refused { offset: start + refused.offset, ..refused })?;
            Ok(Part { text, start, parsed })
        };
        let parts = cut.parts.iter().map(part).collect::<Result<_, Refused>>()?;
        Ok(Divided { start: cut.inside.start - 1, parts })
    };
    let divided = cuts.iter().map(in_parts).collect::<Result<_, Refused>>()?;
    for Cut { inside, .. } in cuts {
        shown.to_mut().replace_range(inside.clone(), &" ".repeat(inside.len()));
    }
    Ok(divided)
}

/// The text with spaces for the line breaks and comments that mean nothing (those directly inside of brackets, parentheses, templates
/// and `for` expressions), and with numbers between 0 and 1 for those with exponents and those that are too large. Nothing when it is the same.
fn simplified(text: &str) -> Option<String> {
    let tokens = scan(text);
    let mut brackets = Brackets::default();
    let mut simpler = text.to_owned();
    for (index, token) in tokens.iter().enumerate() {
        brackets.take(&tokens, index);
        let (range, length) = (token.range.clone(), token.range.len());
        let number = &text[range.clone()];
        let is_too_large = || number.parse::<f64>().is_ok_and(f64::is_infinite);
        if token.kind == TokenKind::Number && (number.contains(['e', 'E']) || is_too_large()) {
            simpler.replace_range(range, &format!("0.{}", "1".repeat(length - 2)));
            continue;
        }
        // The line break after a heredoc belongs to it.
        let breaks = matches!(token.kind, TokenKind::Newline | TokenKind::Comment)
            && index > 0
            && tokens[index - 1].kind != TokenKind::CloseHeredoc;
        if token.kind == TokenKind::Comment && number.starts_with("/*") && !number.contains('\n') {
            // Wherever it stands it is no more than a space.
            simpler.replace_range(range, &" ".repeat(length));
            continue;
        }
        let Some(innermost) = brackets.open().last() else { continue };
        let joins = match tokens[*innermost].kind {
            TokenKind::OpenBracket
            | TokenKind::OpenParenthesis
            | TokenKind::OpenInterpolation
            | TokenKind::OpenDirective => true,
            TokenKind::OpenBrace => is_for(text, &tokens, *innermost),
            _ => false,
        };
        if breaks && joins {
            simpler.replace_range(range, &" ".repeat(length));
        }
    }
    (simpler != text).then_some(simpler)
}

/// Whether the brace at `opener` begins a `for` expression.
pub(crate) fn is_for(text: &str, tokens: &[Token], opener: usize) -> bool {
    let mut inside =
        tokens[opener + 1..].iter().filter(|token| !matches!(token.kind, TokenKind::Newline | TokenKind::Comment));
    let first = inside.next().is_some_and(|token| &text[token.range.clone()] == "for");
    first && inside.next().is_some_and(|token| token.kind == TokenKind::Identifier)
}

/// The text with other words for what hcl-edit accepts but misreads: an empty string for a heredoc without lines, other letters for a line of a
/// heredoc that begins with the marker and goes on after a space, other digits for a number like `1.e5`.
fn misread(text: &str) -> Cow<'_, str> {
    let mut shown = Cow::Borrowed(text);
    let has_number = || {
        let begins = |three: &[u8]| three[0].is_ascii_digit() && three[1] == b'.' && matches!(three[2], b'e' | b'E');
        text.as_bytes().windows(3).any(begins)
    };
    if !text.contains("<<") && !has_number() {
        return shown;
    }
    let tokens = scan(text);
    let mut markers: Vec<&str> = Vec::new();
    for (index, token) in tokens.iter().enumerate() {
        let part = &text[token.range.clone()];
        match token.kind {
            TokenKind::Number if part.contains(".e") || part.contains(".E") => {
                shown.to_mut().replace_range(token.range.clone(), &"1".repeat(part.len()));
            }
            TokenKind::OpenHeredoc if tokens[index + 1].kind == TokenKind::CloseHeredoc => {
                let length = tokens[index + 1].range.end - token.range.start;
                let empty = format!("\"\"{}", " ".repeat(length - 2));
                shown.to_mut().replace_range(token.range.start..tokens[index + 1].range.end, &empty);
                markers.push("");
            }
            TokenKind::OpenHeredoc => markers.push(part.trim_start_matches(['<', '-']).trim_end()),
            TokenKind::CloseHeredoc => {
                markers.pop();
            }
            TokenKind::HeredocText if text[..token.range.start].ends_with('\n') => {
                let line = part.trim_start_matches([' ', '\t']);
                let marker = markers.last().copied().unwrap_or_default();
                if !marker.is_empty()
                    && line.strip_prefix(marker).is_some_and(|rest| !rest.starts_with(is_identifier_continue))
                {
                    let start = token.range.end - line.len();
                    shown.to_mut().replace_range(start..start + marker.len(), &"#".repeat(marker.len()));
                }
            }
            _ => {}
        }
    }
    shown
}

/// Where an item of a file stands: from its first token to the line break that ends it.
struct Chunk {
    range: Range<usize>,
    /// Whether all brackets, quotes and heredocs of the file are closed.
    balanced: bool,
}

/// The items of a file. Where brackets do not balance, an item ends where the next one seems to begin.
fn split(text: &str, tokens: &[Token], source: SourceId, block_types: &[&str]) -> Vec<Chunk> {
    let balanced = syntax_error::unbalanced(text, tokens, &Origin::new(source, 0)).is_none();
    let mut chunks = Vec::new();
    let mut index = 0;
    while tokens[index].kind != TokenKind::End {
        let start = index;
        index = item_end(text, tokens, start, balanced, block_types);
        let range = tokens[start].range.start..tokens[index - 1].range.end;
        let blank =
            tokens[start..index].iter().all(|token| matches!(token.kind, TokenKind::Newline | TokenKind::Comment));
        if !(blank && balanced) {
            chunks.push(Chunk { range, balanced });
        }
    }
    chunks
}

/// The index of the token after the item that begins at `start`.
fn item_end(text: &str, tokens: &[Token], start: usize, balanced: bool, block_types: &[&str]) -> usize {
    let mut brackets = Brackets::default();
    let mut index = start;
    loop {
        let token = &tokens[index];
        brackets.take(tokens, index);
        let outside = brackets.open().is_empty();
        match token.kind {
            TokenKind::End => return index,
            TokenKind::Newline | TokenKind::QuotedNewline if outside => return index + 1,
            TokenKind::Comment if outside && text[token.range.clone()].ends_with('\n') => return index + 1,
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
