//! Syntax errors in Terraform's words. hcl-edit says where parsing stopped; the tokens around that place say what is wrong.

use hcl_edit::parser;
use pipectl_core::{Diagnostic, SourceId, Span};

use crate::scan::{Token, TokenKind, scan};

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
/// Token ranges are positions in `text`; `base` is where the text begins in its file.
pub(crate) fn unbalanced(text: &str, tokens: &[Token], source: SourceId, base: usize) -> Option<Diagnostic> {
    let at = |token: &Token| Span { source, range: base + token.range.start..base + token.range.end };
    let mut open: Vec<usize> = Vec::new();
    for (index, token) in tokens.iter().enumerate() {
        match token.kind {
            TokenKind::QuotedNewline => {
                let opener = open.last().map_or(token, |opener| &tokens[*opener]);
                let detail = "Quoted strings may not be split over multiple lines. To produce a multi-line string, either use the \\n \
                              escape to represent a newline character or use the \"heredoc\" multi-line template syntax.";
                return Some(Diagnostic::error("Invalid multi-line string", detail).at(at(opener)));
            }
            TokenKind::Comment if is_unclosed_comment(&text[token.range.clone()]) => {
                let detail = "There is no */ to end this comment before the end of the file.";
                return Some(Diagnostic::error("Unterminated comment", detail).at(at(token)));
            }
            kind if kind.opens() => open.push(index),
            kind if kind.is_closer() => match open.pop() {
                Some(opener) if kind.closes(tokens[opener].kind) => {}
                Some(opener) => return Some(never_closed(text, tokens, opener).at(at(&tokens[opener]))),
                None => {
                    let symbol = &text[token.range.clone()];
                    let detail = format!("This \"{symbol}\" closes nothing that was opened before it.");
                    return Some(Diagnostic::error("Unbalanced brackets", detail).at(at(token)));
                }
            },
            _ => {}
        }
    }
    // The innermost is where reading stopped; the outer ones are open only because it swallowed the rest.
    open.pop().map(|opener| never_closed(text, tokens, opener).at(at(&tokens[opener])))
}

fn is_unclosed_comment(text: &str) -> bool {
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

/// Whether a brace opens a block rather than an object constructor: a name or a label stands before it.
fn opens_block(tokens: &[Token], opener: usize) -> bool {
    opener > 0 && matches!(tokens[opener - 1].kind, TokenKind::Identifier | TokenKind::CloseQuote)
}

/// The diagnostic for an error of hcl-edit in `text`, which is balanced.
pub(crate) fn explain(text: &str, source: SourceId, base: usize, error: &parser::Error) -> Diagnostic {
    let message = error.message();
    let tokens = scan(text);
    let offset = error.location().offset().min(text.len());
    let here = tokens.iter().position(|token| token.range.end > offset).unwrap_or(tokens.len() - 1);
    let span = |index: usize| {
        let range = tokens[index].range.clone();
        Span { source, range: base + range.start..base + range.end }
    };
    if let Some(unbalanced) = unbalanced(text, &tokens, source, base) {
        return unbalanced;
    }
    if message.contains("redefined attribute") {
        let name = &text[tokens[here].range.clone()];
        let first = first_definition(text, &tokens, here).map_or(1, |first| text[..first].matches('\n').count() + 1);
        let mut diagnostic = redefined(name, first, span(here));
        diagnostic.detail =
            format!("The argument \"{name}\" was already set in this block. Each argument may be set only once.");
        return diagnostic;
    }
    if message.contains("nesting depth") || message.contains("chained binary operators") {
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
        let range = base + backslash..base + backslash + 1 + symbol.len_utf8();
        return Diagnostic::error("Invalid escape sequence", detail).at(Span { source, range });
    }
    match mistake(text, &tokens, here) {
        Some((summary, detail, index, hint)) => {
            let diagnostic = Diagnostic::error(summary, detail).at(span(index));
            hint.into_iter().fold(diagnostic, Diagnostic::hint)
        }
        None => Diagnostic::error("Invalid expression", sentence(message)).at(span(here)),
    }
}

type Mistake = (&'static str, String, usize, Option<&'static str>);

/// What the tokens around the place where parsing stopped tell.
fn mistake(text: &str, tokens: &[Token], here: usize) -> Option<Mistake> {
    let shown = |index: usize| text[tokens[index].range.clone()].trim_end().to_owned();
    let around = Surroundings::of(tokens, here);
    if let Some(opener) = around.one_line_block {
        let another = (opener + 1..around.closer.unwrap_or(tokens.len()))
            .filter(|index| around.directly_inside(tokens, opener, *index))
            .filter(|index| matches!(tokens[*index].kind, TokenKind::Equals | TokenKind::OpenBrace))
            .count();
        let nested = tokens[here].kind == TokenKind::OpenBrace || tokens[here].kind == TokenKind::OpenQuote;
        if nested || another != 1 || tokens[here].kind == TokenKind::Comma || tokens[here].kind == TokenKind::Identifier
        {
            let detail = if another > 1
                || tokens[here].kind == TokenKind::Comma
                || tokens[here].kind == TokenKind::Identifier
            {
                "A single-line block definition can contain only a single argument. If you want to define multiple arguments, use \
                 multi-line block syntax with one argument definition per line."
            } else {
                "A single-line block definition can contain only a single argument, and no nested blocks. Use multi-line block syntax."
            };
            let hint = "a one-line block holds at most one argument; put each on a line of its own";
            return Some(("Invalid single-argument block definition", detail.to_owned(), here, Some(hint)));
        }
    }
    let previous = here.checked_sub(1).map(|index| tokens[index].kind);
    if here >= 2
        && shown(here - 1) == "for"
        && matches!(tokens[here - 2].kind, TokenKind::OpenBrace | TokenKind::OpenBracket)
    {
        return Some((
            "Invalid 'for' expression",
            "For expression requires variable name after 'for'.".to_owned(),
            here,
            None,
        ));
    }
    match (around.inside, tokens[here].kind) {
        (Some(TokenKind::OpenBracket), kind) if begins_expression(kind) && previous.is_some_and(ends_expression) => Some((
            "Missing item separator",
            "Expected a comma to mark the beginning of the next item.".to_owned(),
            here,
            None,
        )),
        (Some(TokenKind::OpenParenthesis), kind) if begins_expression(kind) && previous.is_some_and(ends_expression) => Some((
            "Missing argument separator",
            "A comma is required to separate each function argument from the next.".to_owned(),
            here,
            None,
        )),
        (Some(TokenKind::OpenBrace), kind) if around.in_object && begins_expression(kind) && previous.is_some_and(ends_expression) => Some((
            "Missing attribute separator",
            "Expected a newline or comma to mark the beginning of the next attribute.".to_owned(),
            here,
            None,
        )),
        (Some(TokenKind::OpenBrace), TokenKind::Newline | TokenKind::CloseBrace | TokenKind::Comma)
            if around.in_object && previous.is_some_and(ends_expression) && !around.has_value =>
        {
            let detail = "Expected an attribute value, introduced by an equals sign (\"=\").";
            Some(("Missing attribute value", detail.to_owned(), here, None))
        }
        (_, TokenKind::Equals) if around.line_is_argument && previous == Some(TokenKind::Identifier) => None,
        (Some(TokenKind::OpenInterpolation | TokenKind::OpenDirective), kind) if previous.is_some_and(ends_expression) && kind != TokenKind::CloseTemplate => Some((
            "Extra characters after interpolation expression",
            "Expected a closing brace to end the interpolation expression, but found extra characters. If this is a sequence for \
             another language, escape it by starting with \"$${\" instead of just \"${\"."
                .to_owned(),
            here,
            None,
        )),
        (_, TokenKind::Invalid) => {
            Some(("Invalid character", format!("The character {:?} is not used within the language.", shown(here)), here, None))
        }
        (None | Some(TokenKind::OpenBrace), kind) if around.line_is_argument && previous.is_some_and(ends_expression) && !around.in_object => {
            let detail = "An argument definition must end with a newline.";
            (kind != TokenKind::Newline).then(|| ("Missing newline after argument", detail.to_owned(), here, None))
        }
        (_, TokenKind::Newline | TokenKind::End | TokenKind::Comment) if previous.is_some_and(wants_operand) => Some((
            "Invalid expression",
            "Expected the start of an expression, but found the end of the line. An expression may go on after a line break only inside \
             brackets."
                .to_owned(),
            here,
            None,
        )),
        (None | Some(TokenKind::OpenBrace), TokenKind::Newline | TokenKind::End) if !around.in_object => Some((
            "Invalid block definition",
            "Either a quoted string block label, an opening brace (\"{\") or an equals sign (\"=\") is expected here: this is neither an \
             argument nor a block."
                .to_owned(),
            here,
            None,
        )),
        (None | Some(TokenKind::OpenBrace), kind) if !around.in_object && !around.line_is_argument && kind != TokenKind::Equals => Some((
            "Argument or block definition required",
            "An argument or block definition is required here. To set an argument, use the equals sign \"=\" to introduce the argument \
             value."
                .to_owned(),
            here,
            None,
        )),
        (_, kind) if !begins_expression(kind) && previous.is_some_and(wants_operand) => Some((
            "Invalid expression",
            format!("Expected the start of an expression, but found \"{}\".", shown(here)),
            here,
            None,
        )),
        _ => None,
    }
}

/// What a token stands inside of.
struct Surroundings {
    /// The innermost opener.
    inside: Option<TokenKind>,
    /// Whether that is the brace of an object constructor.
    in_object: bool,
    /// The brace of the block on whose only line the token stands.
    one_line_block: Option<usize>,
    /// Where the innermost opener is closed.
    closer: Option<usize>,
    /// Whether an equals sign stands before it on the line, outside of brackets.
    line_is_argument: bool,
    /// Whether the item of the object constructor has its `=` or `:` already.
    has_value: bool,
}

impl Surroundings {
    fn of(tokens: &[Token], here: usize) -> Self {
        let mut open: Vec<usize> = Vec::new();
        for (index, token) in tokens[..here].iter().enumerate() {
            if token.kind.opens() {
                open.push(index);
            } else if token.kind.is_closer() {
                open.pop();
            }
        }
        let innermost = open.last().copied();
        let in_object =
            innermost.is_some_and(|index| tokens[index].kind == TokenKind::OpenBrace && !opens_block(tokens, index));
        let closer = innermost.and_then(|opener| closer_of(tokens, opener));
        let one_line_block = innermost.filter(|opener| {
            tokens[*opener].kind == TokenKind::OpenBrace
                && !in_object
                && closer
                    .is_some_and(|closer| !tokens[*opener..closer].iter().any(|token| token.kind == TokenKind::Newline))
        });
        let mut depth = 0usize;
        let mut line_is_argument = false;
        let mut has_value = false;
        let start = innermost.map_or(0, |opener| opener + 1);
        for token in &tokens[start..here] {
            match token.kind {
                kind if kind.opens() => depth += 1,
                kind if kind.is_closer() => depth = depth.saturating_sub(1),
                TokenKind::Newline | TokenKind::Comma if depth == 0 => (line_is_argument, has_value) = (false, false),
                TokenKind::Equals | TokenKind::Colon if depth == 0 => (line_is_argument, has_value) = (true, true),
                _ => {}
            }
        }
        Self {
            inside: innermost.map(|index| tokens[index].kind),
            in_object,
            one_line_block,
            closer,
            line_is_argument,
            has_value,
        }
    }

    fn directly_inside(&self, tokens: &[Token], opener: usize, index: usize) -> bool {
        let mut depth = 0usize;
        for token in &tokens[opener + 1..index] {
            if token.kind.opens() {
                depth += 1;
            } else if token.kind.is_closer() {
                depth = depth.saturating_sub(1);
            }
        }
        depth == 0
    }
}

fn closer_of(tokens: &[Token], opener: usize) -> Option<usize> {
    let mut depth = 0usize;
    for (index, token) in tokens.iter().enumerate().skip(opener) {
        if token.kind.opens() {
            depth += 1;
        } else if token.kind.is_closer() {
            depth = depth.checked_sub(1)?;
            if depth == 0 {
                return Some(index);
            }
        }
    }
    None
}

fn first_definition(text: &str, tokens: &[Token], here: usize) -> Option<usize> {
    let name = &text[tokens[here].range.clone()];
    let same = |token: &&Token| token.kind == TokenKind::Identifier && &text[token.range.clone()] == name;
    tokens[..here].iter().find(same).map(|token| token.range.start)
}

fn begins_expression(kind: TokenKind) -> bool {
    use TokenKind::*;
    matches!(
        kind,
        Identifier | Number | OpenQuote | OpenHeredoc | OpenBrace | OpenBracket | OpenParenthesis | Bang | Minus
    )
}

fn ends_expression(kind: TokenKind) -> bool {
    use TokenKind::*;
    matches!(kind, Identifier | Number | CloseQuote | CloseHeredoc | CloseBrace | CloseBracket | CloseParenthesis)
}

fn wants_operand(kind: TokenKind) -> bool {
    use TokenKind::*;
    matches!(
        kind,
        Equals
            | Plus
            | Minus
            | Star
            | Slash
            | Percent
            | Comparison
            | And
            | Or
            | Bang
            | Question
            | Colon
            | FatArrow
            | OpenParenthesis
            | OpenBracket
            | Comma
            | OpenInterpolation
    )
}

/// hcl-edit's fragment as a sentence.
fn sentence(message: &str) -> String {
    let mut characters = message.chars();
    let first: String = characters.next().map(|c| c.to_uppercase().collect()).unwrap_or_default();
    format!("{first}{}.", characters.as_str())
}
