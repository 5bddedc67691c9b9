//! Syntax errors in Terraform's words. hcl-edit says where parsing stopped; the tokens around that place say what is wrong.

use pipectl_core::{Diagnostic, Span};

use crate::brackets::{Brackets, Change, opens_block};
use crate::origin::Origin;
use crate::scan::{Token, TokenKind, is_identifier_continue};
use crate::syntax::Refused;
use crate::syntax_mistake::{Whole, begins_expression, ends_expression, mistake};
use crate::template_directives;

/// An argument that stands twice.
pub(crate) fn redefined(name: &str, first_line: usize, span: Span) -> Diagnostic {
    Diagnostic::error(
        "Attribute redefined",
        format!("The argument \"{name}\" was already set on line {first_line}. Each argument may be set only once."),
    )
    .at(span)
}

/// The first bracket, brace, quote or heredoc that does not match its counterpart, and line breaks inside quotes.
///
/// Token ranges are positions in `text`.
pub(crate) fn unbalanced(text: &str, tokens: &[Token], origin: &Origin) -> Option<Diagnostic> {
    let at = |token: &Token| origin.span(token.range.clone());
    let mut brackets = Brackets::default();
    for (index, token) in tokens.iter().enumerate() {
        let innermost = brackets.open().last().copied();
        let change = brackets.take(tokens, index);
        match token.kind {
            TokenKind::QuotedNewline => {
                let opener = innermost.map_or(token, |opener| &tokens[opener]);
                let detail = "Quoted strings may not be split over multiple lines. To produce a multi-line string, either use the \\n \
                              escape to represent a newline character or use the \"heredoc\" multi-line template syntax.";
                return Some(Diagnostic::error("Invalid multi-line string", detail).at(at(opener)));
            }
            TokenKind::Comment if is_unclosed_comment(&text[token.range.clone()]) => {
                let detail = "There is no */ to end this comment before the end of the file.";
                return Some(Diagnostic::error("Unterminated comment", detail).at(at(token)));
            }
            _ => match change {
                Change::Fits => {}
                Change::LeavesOpen(opener) => {
                    return Some(never_closed(text, tokens, opener).at(at(&tokens[opener])));
                }
                Change::Stray => {
                    let symbol = &text[token.range.clone()];
                    let detail = format!("This \"{symbol}\" closes nothing that was opened before it.");
                    return Some(Diagnostic::error("Unbalanced brackets", detail).at(at(token)));
                }
            },
        }
    }
    // The innermost is where reading stopped; the outer ones are open only because it swallowed the rest.
    brackets.open().last().map(|opener| never_closed(text, tokens, *opener).at(at(&tokens[*opener])))
}

/// Whether it is a comment that is never closed.
pub(crate) fn is_unclosed_comment(text: &str) -> bool {
    text.strip_prefix("/*").is_some_and(|inside| !inside.ends_with("*/"))
}

fn never_closed(text: &str, tokens: &[Token], opener: usize) -> Diagnostic {
    match tokens[opener].kind {
        TokenKind::OpenBrace if opens_block(tokens, opener) => Diagnostic::error(
            "Unclosed configuration block",
            "There is no closing brace for this block before the end of the file. This may be caused by incorrect brace nesting \
             elsewhere in this file.",
        ),
        TokenKind::OpenBrace => Diagnostic::error(
            "Unterminated object constructor expression",
            "There is no corresponding closing brace before the end of the enclosing block or file. This may be caused by incorrect \
             brace nesting elsewhere in this file.",
        ),
        TokenKind::OpenBracket => Diagnostic::error(
            "Unterminated tuple constructor expression",
            "There is no corresponding closing bracket before the end of the enclosing block or file. This may be caused by incorrect \
             bracket nesting elsewhere in this file.",
        ),
        TokenKind::OpenParenthesis => Diagnostic::error(
            "Unbalanced parentheses",
            "There is no closing parenthesis for this one. Expected a closing parenthesis to terminate the expression.",
        ),
        TokenKind::OpenQuote => {
            Diagnostic::error("Unterminated template string", "No closing marker was found for the string.")
        }
        TokenKind::OpenHeredoc => {
            let marker = text[tokens[opener].range.clone()].trim_start_matches(['<', '-']).trim_end();
            Diagnostic::error(
                "Unterminated template string",
                format!("No closing marker was found for the string. A line with nothing but {marker} must end it."),
            )
        }
        _ => Diagnostic::error(
            "Unclosed template interpolation sequence",
            "There is no closing brace for this interpolation sequence before the end of the quoted template. This might be caused by \
             incorrect nesting inside the given expression.",
        ),
    }
}

/// A backslash before what it does not go with.
pub(crate) fn invalid_escape(detail: String) -> Diagnostic {
    Diagnostic::error("Invalid escape sequence", detail).hint("A backslash itself is written as \\\\.")
}

/// A `<<` that begins no heredoc, though an operand should stand there: another token follows its marker, or there is none.
fn invalid_heredoc(text: &str, tokens: &[Token], origin: &Origin) -> Option<Diagnostic> {
    let begins = |pair: &[Token]| {
        pair.iter().all(|token| &text[token.range.clone()] == "<") && pair[0].range.end == pair[1].range.start
    };
    let at = tokens.windows(2).position(begins)?;
    let line_end = text[tokens[at].range.start..].find('\n').map_or(text.len(), |end| tokens[at].range.start + end);
    let detail = "A heredoc begins with << or <<- and a marker: a word without quotes, with nothing after it on the line. It ends with a \
                  line that holds nothing but the marker.";
    let written = text[..line_end].trim_end_matches('\r').len();
    Some(Diagnostic::error("Invalid heredoc", detail).at(origin.span(tokens[at].range.start..written)))
}

/// Where the text ends that was meant to be a heredoc, where the mistake of an item is one that begins at `place`; else where the item ends.
pub(crate) fn heredoc_end(text: &str, place: usize, item_end: usize) -> usize {
    if !text.get(place..).is_some_and(|rest| rest.starts_with("<<")) {
        return item_end;
    }
    let line = text[..item_end].trim_end().lines().next_back().unwrap_or_default();
    let marker = line.rsplit("<<").next().unwrap_or_default().trim_matches(|c: char| !is_identifier_continue(c));
    let mut end = item_end;
    for line in text[item_end..].split_inclusive('\n') {
        end += line.len();
        if !marker.is_empty() && line.trim() == marker {
            return end;
        }
    }
    item_end
}

/// An item of an object constructor that is a key only.
fn missing_value(tokens: &[Token], here: usize, span: &dyn Fn(usize) -> Span) -> Diagnostic {
    let ends_item = |index: &usize| {
        matches!(tokens[*index].kind, TokenKind::Newline | TokenKind::CloseBrace | TokenKind::Comma)
            && *index > 0
            && ends_expression(tokens[*index - 1].kind)
    };
    let place = match begins_expression(tokens[here].kind) {
        true => here,
        false => (here.saturating_sub(1)..=here).find(ends_item).unwrap_or(here),
    };
    let detail = "Expected an attribute value, introduced by an equals sign (\"=\").";
    Diagnostic::error("Missing attribute value", detail).at(span(place))
}

/// The diagnostic for what hcl-edit refuses in `text`, whose tokens are given.
pub(crate) fn explain(text: &str, tokens: &[Token], origin: &Origin, whole: Whole, refused: &Refused) -> Diagnostic {
    let message = refused.message.as_str();
    let offset = refused.offset.min(text.len());
    let here = tokens.iter().position(|token| token.range.end > offset).unwrap_or(tokens.len() - 1);
    let span = |index: usize| origin.span(tokens[index].range.clone());
    if let Some(unbalanced) = unbalanced(text, tokens, origin) {
        return unbalanced;
    }
    if let Some(diagnostic) = template_directives::unbalanced(text, tokens, origin) {
        return diagnostic;
    }
    if let Some(diagnostic) = invalid_heredoc(text, tokens, origin) {
        return diagnostic;
    }
    if message.contains("redefined attribute") {
        let name = &text[tokens[here].range.clone()];
        let detail =
            format!("The argument \"{name}\" was already set in this block. Each argument may be set only once.");
        return Diagnostic::error("Attribute redefined", detail).at(span(here));
    }
    if message.contains("nesting depth")
        || message.contains("unique object key")
        || message.contains("chained binary operators")
    {
        let detail = "Expressions and blocks may be nested at most 64 levels deep, and at most 128 operators may be chained. Break the \
                      expression up with local values.";
        return Diagnostic::error("Too deeply nested", detail).at(span(here));
    }
    if (message.contains("escape sequence") || message.contains("unicode"))
        && let Some(backslash) = text[..offset].rfind('\\')
    {
        let symbol = text[backslash + 1..].chars().next().unwrap_or(' ');
        let detail = match symbol {
            'u' => "The \\u escape sequence must be followed by four hexadecimal digits.".to_owned(),
            'U' => "The \\U escape sequence must be followed by eight hexadecimal digits.".to_owned(),
            _ => format!("The symbol {:?} is not a valid escape sequence selector.", symbol.to_string()),
        };
        let range = backslash..backslash + 1 + symbol.len_utf8();
        return invalid_escape(detail).at(origin.span(range));
    }
    if message.contains("object value assignment") {
        return missing_value(tokens, here, &span);
    }
    match mistake(text, tokens, here, whole) {
        Some((summary, detail, index, hint)) => {
            let diagnostic = Diagnostic::error(summary, detail).at(span(index));
            hint.into_iter().fold(diagnostic, Diagnostic::hint)
        }
        None if message.starts_with("Invalid expression") || message.starts_with("invalid expression") => {
            let found = text[tokens[here].range.clone()].trim();
            let detail = match found {
                "" => "Expected the start of an expression, but found the end of the line.".to_owned(),
                found => format!("Expected the start of an expression, but found \"{found}\"."),
            };
            Diagnostic::error("Invalid expression", detail).at(span(here))
        }
        None => Diagnostic::error("Invalid expression", sentence(message)).at(span(here)),
    }
}

/// hcl-edit's fragment as a sentence.
fn sentence(message: &str) -> String {
    let mut characters = message.chars();
    let first: String = characters.next().map(|c| c.to_uppercase().collect()).unwrap_or_default();
    format!("{first}{}.", characters.as_str())
}
