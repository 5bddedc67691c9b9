//! The mistake that the tokens around the place where parsing stopped tell, in Terraform's words.

use crate::brackets::opens_block;
use crate::scan::{Token, TokenKind};

/// Summary, detail, the index of the token to blame, a hint.
pub(crate) type Mistake = (&'static str, String, usize, Option<&'static str>);

/// What was being parsed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Whole {
    /// The items of a file.
    File,
    /// One expression, or a template.
    Expression,
}

/// What the tokens around the place where parsing stopped tell.
pub(crate) fn mistake(text: &str, tokens: &[Token], here: usize, whole: Whole) -> Option<Mistake> {
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
    if let Some(opener) = around.begun_line_block
        && tokens[here].kind == TokenKind::Newline
        && around.line_is_argument
    {
        let detail = "An argument definition on the same line as its containing block creates a single-line block definition, which must \
                      also be closed on the same line. Place the block's closing brace immediately after the argument definition, or \
                      the argument on a line of its own.";
        return Some(("Invalid single-argument block definition", detail.to_owned(), opener + 1, None));
    }
    let previous = here.checked_sub(1).map(|index| tokens[index].kind);
    // Inside brackets and parentheses a line may end anywhere.
    let is_blank = |index: &usize| matches!(tokens[*index].kind, TokenKind::Newline | TokenKind::Comment);
    let last_word = (0..here).rev().find(|index| !is_blank(index)).map(|index| tokens[index].kind);
    let found = dot(tokens, here).or_else(|| function_name(tokens, here));
    if let Some(found) = found.or_else(|| in_for(text, tokens, here, &around)) {
        return Some(found);
    }
    if around.conditionals > 0 && previous.is_some_and(ends_expression) {
        let detail = "The conditional operator (...?...:...) requires a false expression, delimited by a colon.";
        return Some(("Missing false expression in conditional", detail.to_owned(), here, None));
    }
    if whole == Whole::Expression && around.inside.is_none() && previous.is_some_and(ends_expression) {
        let detail = "An expression was successfully parsed, but extra characters were found after it.";
        return Some(("Extra characters after expression", detail.to_owned(), here, None));
    }
    match (around.inside, tokens[here].kind) {
        (None | Some(TokenKind::OpenBrace), TokenKind::Equals)
            if !around.in_object
                && matches!(previous, None | Some(TokenKind::Newline | TokenKind::Comment | TokenKind::OpenBrace)) =>
        {
            Some(("Argument or block definition required", DEFINITION_REQUIRED.to_owned(), here, None))
        }
        (Some(TokenKind::OpenBracket), kind) if begins_expression(kind) && last_word.is_some_and(ends_expression) => Some((
            "Missing item separator",
            "Expected a comma to mark the beginning of the next item.".to_owned(),
            here,
            None,
        )),
        (Some(TokenKind::OpenParenthesis), kind) if begins_expression(kind) && last_word.is_some_and(ends_expression) => Some((
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
        (_, TokenKind::Invalid) if shown(here) == "'" => {
            let detail = "Single quotes are not valid. Use double quotes (\") to enclose strings.";
            Some(("Invalid character", detail.to_owned(), here, None))
        }
        (_, TokenKind::Invalid) => {
            Some(("Invalid character", format!("The character {:?} is not used within the language.", shown(here)), here, None))
        }
        (None | Some(TokenKind::OpenBrace), kind) if around.line_is_argument && previous.is_some_and(ends_expression) && !around.in_object => {
            if kind == TokenKind::Comma {
                let detail = "Argument definitions must be separated by newlines, not commas. An argument definition must end with a newline.";
                return Some(("Unexpected comma after argument", detail.to_owned(), here, None));
            }
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
        (None, _) if whole == Whole::Expression => Some((
            "Invalid expression",
            "Expected the start of an expression, but found an invalid expression token.".to_owned(),
            here,
            None,
        )),
        (None | Some(TokenKind::OpenBrace), kind) if !around.in_object && !around.line_is_argument && kind != TokenKind::Equals => Some((
            "Argument or block definition required",
            DEFINITION_REQUIRED.to_owned(),
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

const DEFINITION_REQUIRED: &str = "An argument or block definition is required here. To set an argument, use the equals sign \"=\" to \
                                   introduce the argument value.";

/// A dot without a name after it.
fn dot(tokens: &[Token], here: usize) -> Option<Mistake> {
    let before = (0..here).rev().find(|index| tokens[*index].kind != TokenKind::Newline);
    let dot = [Some(here), before].into_iter().flatten().find(|index| tokens[*index].kind == TokenKind::Dot)?;
    let after = tokens.get(dot + 1)?;
    let named = matches!(after.kind, TokenKind::Identifier | TokenKind::Number | TokenKind::Star);
    (!named).then(|| ("Invalid attribute name", "An attribute name is required after a dot.".to_owned(), dot + 1, None))
}

/// A `::` without a name after it, or a name of a function in a namespace that is not called.
fn function_name(tokens: &[Token], here: usize) -> Option<Mistake> {
    let near = here.saturating_sub(2)..=here;
    let mut colons = near.filter(|index| tokens[*index].kind == TokenKind::DoubleColon);
    let kind = |index: usize| tokens.get(index).map(|token| token.kind);
    colons.find_map(|colons| match (kind(colons + 1)?, kind(colons + 2)) {
        (TokenKind::Identifier, Some(TokenKind::OpenParenthesis | TokenKind::DoubleColon)) => None,
        (TokenKind::Identifier, _) => {
            let detail = "Function selector must be followed by an open parenthesis to begin the function call.";
            Some(("Missing open parenthesis", detail.to_owned(), colons + 2, None))
        }
        (_, _) => {
            let detail = "Function scope resolution symbol :: must be followed by a function name in this scope.";
            Some(("Missing function name", detail.to_owned(), colons + 1, None))
        }
    })
}

/// A `for` expression without one of the words that make it.
fn in_for(text: &str, tokens: &[Token], here: usize, around: &Surroundings) -> Option<Mistake> {
    let opener = around.opener?;
    let word = |index: usize| tokens.get(index).map_or("", |token| &text[token.range.clone()]);
    if !matches!(tokens[opener].kind, TokenKind::OpenBrace | TokenKind::OpenBracket) || word(opener + 1) != "for" {
        return None;
    }
    let invalid = |detail: &str, index: usize| Some(("Invalid 'for' expression", detail.to_owned(), index, None));
    let mut before = (opener + 2..here).filter(|index| around.directly_inside(tokens, opener, *index));
    let named = tokens[opener + 2].kind == TokenKind::Identifier
        && (word(opener + 2) != "in" || matches!(word(opener + 3), "in" | ","));
    if here <= opener + 2 || !named {
        return invalid("For expression requires variable name after 'for'.", opener + 2);
    }
    if !before.clone().any(|index| word(index) == "in") && word(here) != "in" {
        return invalid("For expression requires the 'in' keyword after its name declarations.", here);
    }
    let kind = tokens[here].kind;
    if !before.clone().any(|index| tokens[index].kind == TokenKind::Colon) && kind != TokenKind::Colon {
        return invalid("For expression requires a colon after the collection expression.", here);
    }
    let arrow = before.any(|index| tokens[index].kind == TokenKind::FatArrow);
    let after_expression = ends_expression(tokens[here - 1].kind) && word(here - 1) != "if";
    match tokens[opener].kind {
        TokenKind::OpenBrace if !arrow && after_expression => {
            invalid("Key expression is required when building an object: a key and => before the value.", here)
        }
        TokenKind::OpenBracket if kind == TokenKind::Ellipsis => {
            invalid("Grouping ellipsis (...) cannot be used when building a tuple.", here)
        }
        TokenKind::OpenBracket if kind == TokenKind::FatArrow => invalid(
            "Key expression is not valid when building a tuple. Braces instead of brackets build an object.",
            here,
        ),
        _ => None,
    }
}

/// What a token stands inside of.
struct Surroundings {
    /// What the innermost opener is.
    inside: Option<TokenKind>,
    /// The index of the innermost opener.
    opener: Option<usize>,
    /// Whether that is the brace of an object constructor.
    in_object: bool,
    /// The brace of the block on whose only line the token stands.
    one_line_block: Option<usize>,
    /// The brace of the block whose first argument stands on the line of the brace, as the token does.
    begun_line_block: Option<usize>,
    /// Where the innermost opener is closed.
    closer: Option<usize>,
    /// Whether an equals sign stands before it on the line, outside of brackets.
    line_is_argument: bool,
    /// Whether the item of the object constructor has its `=` or `:` already.
    has_value: bool,
    /// How many `?` before it, in the same expression, have no `:` yet.
    conditionals: usize,
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
        let begun_line_block = innermost.filter(|opener| {
            tokens[*opener].kind == TokenKind::OpenBrace
                && !in_object
                && !tokens[*opener..here].iter().any(|token| token.kind == TokenKind::Newline)
        });
        let mut depth = 0usize;
        let mut line_is_argument = false;
        let mut has_value = false;
        let mut conditionals = 0usize;
        let lines_count = innermost.is_none_or(|index| tokens[index].kind == TokenKind::OpenBrace);
        let start = innermost.map_or(0, |opener| opener + 1);
        for token in &tokens[start..here] {
            match token.kind {
                kind if kind.opens() => depth += 1,
                kind if kind.is_closer() => depth = depth.saturating_sub(1),
                TokenKind::Newline | TokenKind::Comma if depth == 0 => {
                    (line_is_argument, has_value) = (false, false);
                    if lines_count || token.kind == TokenKind::Comma {
                        conditionals = 0;
                    }
                }
                TokenKind::Colon if depth == 0 && conditionals > 0 => conditionals -= 1,
                TokenKind::Equals | TokenKind::Colon if depth == 0 => (line_is_argument, has_value) = (true, true),
                TokenKind::Question if depth == 0 => conditionals += 1,
                _ => {}
            }
        }
        Self {
            inside: innermost.map(|index| tokens[index].kind),
            opener: innermost,
            conditionals,
            begun_line_block,
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

pub(crate) fn begins_expression(kind: TokenKind) -> bool {
    use TokenKind::*;
    matches!(
        kind,
        Identifier | Number | OpenQuote | OpenHeredoc | OpenBrace | OpenBracket | OpenParenthesis | Bang | Minus
    )
}

pub(crate) fn ends_expression(kind: TokenKind) -> bool {
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
