//! Templates: strip markers, flush heredocs and directives, by the rules of HCL.
//!
//! hcl-edit gives a tree of directives; strip markers and `<<-` work on the flat sequence of texts and markers, so the tree is laid
//! flat first, trimmed, and built up again.

use std::ops::Range;

use hcl_edit::Span as _;
use hcl_edit::template::{Directive, Element, HeredocTemplate, StringTemplate, Strip, Template};
use pipectl_core::{Span, Value};

use crate::expression::{Expression, For, Node};
use crate::lower::Lower;

/// A piece of a template.
enum Part {
    Text { value: String, span: Span },
    Marker { marker: Marker, strip: Strip, span: Span },
}

enum Marker {
    Interpolation(Expression),
    If(Expression),
    Else,
    EndIf,
    For { key_name: Option<String>, value_name: String, collection: Expression },
    EndFor,
}

/// `"text ${value}"`
pub(crate) fn quoted(lower: &mut Lower<'_>, template: &StringTemplate, range: Range<usize>) -> Expression {
    let mut parts = Vec::new();
    flatten(lower, template, true, &range, &mut parts);
    finish(lower, parts, range)
}

/// `<<EOT` and `<<-EOT`
pub(crate) fn heredoc(lower: &mut Lower<'_>, heredoc: &HeredocTemplate, range: Range<usize>) -> Expression {
    let mut parts = Vec::new();
    flatten(lower, &heredoc.template, false, &range, &mut parts);
    trim(&mut parts);
    if lower.text.get(range.clone()).is_some_and(|text| text.starts_with("<<-")) {
        flush(&mut parts);
    }
    build_whole(parts, lower.span(range))
}

/// A template of its own, as `templatefile` reads it.
pub(crate) fn bare(lower: &mut Lower<'_>, template: &Template, range: Range<usize>) -> Expression {
    let mut parts = Vec::new();
    flatten(lower, template, false, &range, &mut parts);
    finish(lower, parts, range)
}

fn finish(lower: &Lower<'_>, mut parts: Vec<Part>, range: Range<usize>) -> Expression {
    trim(&mut parts);
    build_whole(parts, lower.span(range))
}

fn flatten(lower: &mut Lower<'_>, template: &Template, quoted: bool, outer: &Range<usize>, parts: &mut Vec<Part>) {
    for element in template {
        let range = match element {
            Element::Literal(text) => text.span(),
            Element::Interpolation(interpolation) => interpolation.span(),
            Element::Directive(directive) => match &**directive {
                Directive::If(directive) => directive.span(),
                Directive::For(directive) => directive.span(),
            },
        }
        .unwrap_or(outer.clone());
        match element {
            Element::Literal(_) => text_parts(lower, range, quoted, parts),
            Element::Interpolation(interpolation) => {
                let marker = Marker::Interpolation(lower.expression(&interpolation.expr, &range));
                parts.push(Part::Marker { marker, strip: interpolation.strip, span: lower.span(range) });
            }
            Element::Directive(directive) => match &**directive {
                Directive::If(directive) => {
                    let span = lower.span(range.clone());
                    let condition = lower.expression(&directive.if_expr.cond_expr, &range);
                    parts.push(Part::Marker {
                        marker: Marker::If(condition),
                        strip: directive.if_expr.strip,
                        span: span.clone(),
                    });
                    flatten(lower, &directive.if_expr.template, quoted, &range, parts);
                    if let Some(otherwise) = &directive.else_expr {
                        parts.push(Part::Marker { marker: Marker::Else, strip: otherwise.strip, span: span.clone() });
                        flatten(lower, &otherwise.template, quoted, &range, parts);
                    }
                    parts.push(Part::Marker { marker: Marker::EndIf, strip: directive.endif_expr.strip, span });
                }
                Directive::For(directive) => {
                    let span = lower.span(range.clone());
                    let marker = Marker::For {
                        key_name: directive.for_expr.key_var.as_ref().map(|name| name.as_str().to_owned()),
                        value_name: directive.for_expr.value_var.as_str().to_owned(),
                        collection: lower.expression(&directive.for_expr.collection_expr, &range),
                    };
                    parts.push(Part::Marker { marker, strip: directive.for_expr.strip, span: span.clone() });
                    flatten(lower, &directive.for_expr.template, quoted, &range, parts);
                    parts.push(Part::Marker { marker: Marker::EndFor, strip: directive.endfor_expr.strip, span });
                }
            },
        }
    }
}

/// Quoted text is one part. Any other text is a part for each line: a strip marker reaches no further than the line it is on.
fn text_parts(lower: &mut Lower<'_>, range: Range<usize>, quoted: bool, parts: &mut Vec<Part>) {
    if quoted {
        let value = unescape(lower, range.clone(), true);
        return parts.push(Part::Text { value, span: lower.span(range) });
    }
    let text = lower.text.get(range.clone()).unwrap_or("");
    let mut start = range.start;
    for line in text.split_inclusive('\n') {
        let line_range = start..start + line.len();
        start = line_range.end;
        let value = unescape(lower, line_range.clone(), false);
        parts.push(Part::Text { value, span: lower.span(line_range) });
    }
}

/// The text that `range` stands for: `$${` and `%%{` are `${` and `%{` everywhere, backslash escapes work in quotes only.
pub(crate) fn unescape(lower: &mut Lower<'_>, range: Range<usize>, quoted: bool) -> String {
    unescape_each(lower, range, quoted, &mut |_, _| {})
}

/// The same of quoted text, with where each byte of the result begins in the file, and where the last one ends.
pub(crate) fn unescape_with_places(lower: &mut Lower<'_>, range: Range<usize>) -> (String, Vec<usize>) {
    let mut places = Vec::with_capacity(range.len() + 1);
    let value = unescape_each(lower, range.clone(), true, &mut |length, at| places.resize(length, at));
    places.push(range.end);
    let in_file = places.into_iter().map(|place| lower.span(place..place).range.start);
    (value, in_file.collect())
}

/// `visit` takes how long the result is after each step, and where in the text the step began.
fn unescape_each(
    lower: &mut Lower<'_>,
    range: Range<usize>,
    quoted: bool,
    visit: &mut dyn FnMut(usize, usize),
) -> String {
    let text = lower.text.get(range.clone()).unwrap_or("");
    let mut value = String::with_capacity(text.len());
    let mut at = 0;
    while let Some(next) = text[at..].chars().next() {
        let rest = &text[at..];
        let begin = range.start + at;
        if rest.starts_with("$${") || rest.starts_with("%%{") {
            value.push_str(&rest[1..3]);
            at += 3;
        } else if quoted && next == '\\' {
            match escape(rest) {
                Ok((character, length)) => {
                    value.push(character);
                    at += length;
                }
                Err(length) => {
                    let symbol: String = rest.chars().skip(1).take(length).collect();
                    let detail = match symbol.chars().next() {
                        Some('u') => "The \\u escape sequence must be followed by four hexadecimal digits.".to_owned(),
                        Some('U') => "The \\U escape sequence must be followed by eight hexadecimal digits.".to_owned(),
                        _ => format!("The symbol {symbol:?} is not a valid escape sequence selector."),
                    };
                    let from = range.start + at;
                    let to = from + 1 + symbol.len();
                    lower.diagnostics.push(crate::syntax_error::invalid_escape(detail).at(lower.span(from..to)));
                    at += 1 + symbol.len();
                }
            }
        } else {
            value.push(next);
            at += next.len_utf8();
        }
        visit(value.len(), begin);
    }
    value
}

/// The character that an escape stands for and how many bytes it takes, or how many characters after the backslash are wrong.
fn escape(text: &str) -> Result<(char, usize), usize> {
    let hex = |digits: usize| {
        let code = text.get(2..2 + digits).filter(|code| code.bytes().all(|byte| byte.is_ascii_hexdigit()));
        let character = code.and_then(|code| u32::from_str_radix(code, 16).ok()).and_then(char::from_u32);
        character.map(|character| (character, 2 + digits)).ok_or(1 + digits)
    };
    match text.chars().nth(1) {
        Some('n') => Ok(('\n', 2)),
        Some('r') => Ok(('\r', 2)),
        Some('t') => Ok(('\t', 2)),
        Some('"') => Ok(('"', 2)),
        Some('\\') => Ok(('\\', 2)),
        Some('u') => hex(4),
        Some('U') => hex(8),
        Some(_) => Err(1),
        None => Err(0),
    }
}

/// A marker with `~` takes the spaces of the text right beside it.
fn trim(parts: &mut [Part]) {
    for index in 0..parts.len() {
        let Part::Marker { strip, .. } = &parts[index] else { continue };
        let strip = *strip;
        if strip.strip_start()
            && index > 0
            && let Part::Text { value, .. } = &mut parts[index - 1]
        {
            value.truncate(value.trim_end().len());
        }
        if strip.strip_end()
            && let Some(Part::Text { value, .. }) = parts.get_mut(index + 1)
        {
            value.drain(..value.len() - value.trim_start().len());
        }
    }
}

/// `<<-`: every line loses as many leading spaces as the line with the fewest has. Blank lines do not count.
fn flush(parts: &mut [Part]) {
    let mut fewest = usize::MAX;
    let mut line_start = true;
    let mut indented = Vec::new();
    for (index, part) in parts.iter().enumerate() {
        let text = match part {
            Part::Text { value, .. } => Some(value.as_str()),
            Part::Marker { .. } => None,
        };
        if line_start {
            let spaces = match text {
                Some(text) if text.trim_start().is_empty() && text.ends_with('\n') => usize::MAX,
                Some(text) => {
                    indented.push(index);
                    text.chars().take_while(|c| c.is_whitespace()).count()
                }
                None => 0,
            };
            fewest = fewest.min(spaces);
        }
        line_start = text.is_some_and(|text| text.ends_with('\n'));
    }
    for index in indented {
        if let Part::Text { value, .. } = &mut parts[index] {
            *value = value.chars().skip(fewest).collect();
        }
    }
}

fn build_whole(parts: Vec<Part>, span: Span) -> Expression {
    if let [Part::Marker { marker: Marker::Interpolation(inner), .. }] = parts.as_slice() {
        // A template that is nothing but one interpolation gives its value as it is, whatever the type.
        return Expression::new(Node::Interpolation(inner.clone()), span);
    }
    let mut parts = parts.into_iter();
    let (expressions, _) = build(&mut parts);
    template(expressions, span)
}

/// One text is a literal; anything else is a template.
fn template(parts: Vec<Expression>, span: Span) -> Expression {
    let node = match parts.as_slice() {
        [] => Node::Literal(Value::from("")),
        [only] if only.as_literal_str().is_some() => {
            return Expression::new(Node::Literal(Value::from(only.as_literal_str().unwrap_or(""))), span);
        }
        _ => Node::Template(parts),
    };
    Expression::new(node, span)
}

/// Expressions up to the end or to the marker that ends the directive which the caller is in; that marker, too.
fn build(parts: &mut std::vec::IntoIter<Part>) -> (Vec<Expression>, Option<Marker>) {
    let mut expressions: Vec<Expression> = Vec::new();
    let mut text = String::new();
    let mut text_span: Option<Span> = None;
    while let Some(part) = parts.next() {
        let (marker, span) = match part {
            Part::Text { value, span } => {
                text.push_str(&value);
                match &mut text_span {
                    Some(begun) => begun.range.end = span.range.end,
                    None => text_span = Some(span),
                }
                continue;
            }
            Part::Marker { marker, span, .. } => (marker, span),
        };
        if let Some(span) = text_span.take() {
            expressions.push(Expression::literal(Value::from(std::mem::take(&mut text)), span));
        }
        match marker {
            Marker::Interpolation(inner) => expressions.push(inner),
            Marker::If(condition) => {
                let (accepted, end) = build(parts);
                let rejected = match end {
                    Some(Marker::Else) => build(parts).0,
                    _ => Vec::new(),
                };
                let node = Node::Conditional {
                    condition,
                    accepted: template(accepted, span.clone()),
                    rejected: template(rejected, span.clone()),
                };
                expressions.push(Expression::new(node, span));
            }
            Marker::For { key_name, value_name, collection } => {
                let (content, _) = build(parts);
                let each = For {
                    key_name,
                    value_name,
                    collection,
                    key: None,
                    value: template(content, span.clone()),
                    condition: None,
                    grouping: false,
                };
                let tuple = Expression::new(Node::For(Box::new(each)), span.clone());
                expressions.push(Expression::new(Node::Join(tuple), span));
            }
            end @ (Marker::Else | Marker::EndIf | Marker::EndFor) => return (expressions, Some(end)),
        }
    }
    if let Some(span) = text_span {
        expressions.push(Expression::literal(Value::from(text), span));
    }
    (expressions, None)
}
