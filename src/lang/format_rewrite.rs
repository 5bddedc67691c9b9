//! What `terraform fmt` changes beyond spaces: templates that are one interpolation, unquoted labels, old spellings of types.

use crate::format::Piece;
use crate::scan::TokenKind;

/// The tokens of a file, rewritten.
pub(crate) fn rewrite(pieces: Vec<Piece<'_>>) -> Vec<Piece<'_>> {
    let mut result = Vec::with_capacity(pieces.len());
    body(&pieces, 0, &[], &mut result);
    result
}

/// Rewrites the items of a body from `index` on. Returns the index of the brace that ends it, or of the end.
fn body<'a>(pieces: &[Piece<'a>], mut index: usize, inside: &[&str], result: &mut Vec<Piece<'a>>) -> usize {
    while let Some(piece) = pieces.get(index) {
        match piece.kind {
            TokenKind::CloseBrace => return index,
            TokenKind::Identifier if is_argument(pieces, index) => index = argument(pieces, index, inside, result),
            TokenKind::Identifier => index = block(pieces, index, inside, result),
            _ => {
                result.push(piece.clone());
                index += 1;
            }
        }
    }
    index
}

fn is_argument(pieces: &[Piece<'_>], index: usize) -> bool {
    let next = pieces[index + 1..].iter().find(|piece| piece.kind != TokenKind::Comment);
    next.is_some_and(|piece| piece.kind == TokenKind::Equals)
}

fn argument<'a>(pieces: &[Piece<'a>], start: usize, inside: &[&str], result: &mut Vec<Piece<'a>>) -> usize {
    let mut index = start;
    while pieces[index].kind != TokenKind::Equals {
        result.push(pieces[index].clone());
        index += 1;
    }
    result.push(pieces[index].clone());
    index += 1;
    let end = value_end(pieces, index);
    let value = &pieces[index..end];
    match inside {
        ["variable"] if pieces[start].text == "type" => result.extend(type_expression(value)),
        _ => result.extend(unwrapped(value)),
    }
    end
}

/// Where the value that begins at `start` ends: at a line break or comment outside of brackets, or at the brace that ends the block.
fn value_end(pieces: &[Piece<'_>], start: usize) -> usize {
    let mut depth = 0usize;
    for (index, piece) in pieces.iter().enumerate().skip(start) {
        let kind = piece.kind;
        if kind.opens() {
            depth += 1;
        } else if depth == 0 && (kind.is_closer() || piece.ends_line() || trailing_comment(pieces, index)) {
            return index;
        } else if kind.is_closer() {
            depth -= 1;
        }
    }
    pieces.len()
}

/// Whether only a comment follows before the line ends.
fn trailing_comment(pieces: &[Piece<'_>], index: usize) -> bool {
    pieces[index].kind == TokenKind::Comment && pieces.get(index + 1).is_none_or(Piece::ends_line)
}

fn block<'a>(pieces: &[Piece<'a>], start: usize, inside: &[&str], result: &mut Vec<Piece<'a>>) -> usize {
    result.push(pieces[start].clone());
    let mut index = start + 1;
    while let Some(piece) = pieces.get(index) {
        index += 1;
        match piece.kind {
            TokenKind::Identifier => {
                result.push(Piece::new(TokenKind::OpenQuote, "\""));
                result.push(Piece { kind: TokenKind::QuotedText, ..piece.clone() });
                result.push(Piece::new(TokenKind::CloseQuote, "\""));
            }
            TokenKind::OpenBrace => {
                result.push(piece.clone());
                let mut around = inside.to_vec();
                around.push(&pieces[start].text);
                return body_of(pieces, index, &around, result);
            }
            _ => result.push(piece.clone()),
        }
    }
    index
}

fn body_of<'a>(pieces: &[Piece<'a>], index: usize, inside: &[&str], result: &mut Vec<Piece<'a>>) -> usize {
    let end = body(pieces, index, inside, result);
    match pieces.get(end) {
        Some(brace) => {
            result.push(brace.clone());
            end + 1
        }
        None => end,
    }
}

/// `"${x}"` as `x`, and `"${"${x}"}"`, too; in parentheses when it takes several lines.
fn unwrapped<'a>(value: &[Piece<'a>]) -> Vec<Piece<'a>> {
    use TokenKind::*;
    let [open, interpolation, inner @ .., end, close] = value else { return value.to_vec() };
    let kinds = [open.kind, interpolation.kind, end.kind, close.kind];
    if kinds != [OpenQuote, OpenInterpolation, CloseTemplate, CloseQuote] || inner.is_empty() || !is_single(inner) {
        return value.to_vec();
    }
    let first = inner.iter().position(|piece| piece.kind != Newline).unwrap_or(0);
    let last = inner.iter().rposition(|piece| piece.kind != Newline).map_or(first, |last| last + 1);
    let inner = &inner[first..last];
    let several_lines = inner.iter().any(|piece| piece.kind == Newline);
    let in_parentheses = inner.first().is_some_and(|piece| piece.kind == OpenParenthesis)
        && inner.last().is_some_and(|piece| piece.kind == CloseParenthesis);
    if several_lines && !in_parentheses {
        let mut wrapped = vec![Piece::new(OpenParenthesis, "(")];
        wrapped.extend_from_slice(inner);
        wrapped.push(Piece::new(CloseParenthesis, ")"));
        return wrapped;
    }
    unwrapped(inner)
}

/// Whether there is no other text or interpolation beside the one around `inner`.
fn is_single(inner: &[Piece<'_>]) -> bool {
    let mut quotes = 0usize;
    for piece in inner {
        match piece.kind {
            TokenKind::OpenQuote => quotes += 1,
            TokenKind::CloseQuote => quotes = quotes.saturating_sub(1),
            TokenKind::OpenInterpolation | TokenKind::CloseTemplate | TokenKind::QuotedText if quotes == 0 => {
                return false;
            }
            _ => {}
        }
    }
    true
}

/// `list` as `list(any)`; `"string"` as `string`, and `"list"` as `list(string)`, which it meant when types were quoted.
fn type_expression<'a>(value: &[Piece<'a>]) -> Vec<Piece<'a>> {
    let of = |name: &str, element: &'static str| {
        vec![
            Piece::new(TokenKind::Identifier, name.to_owned()),
            Piece::new(TokenKind::OpenParenthesis, "("),
            Piece::new(TokenKind::Identifier, element),
            Piece::new(TokenKind::CloseParenthesis, ")"),
        ]
    };
    let kinds: Vec<TokenKind> = value.iter().map(|piece| piece.kind).collect();
    match kinds.as_slice() {
        [TokenKind::Identifier] if matches!(&*value[0].text, "list" | "map" | "set") => of(&value[0].text, "any"),
        [TokenKind::OpenQuote, TokenKind::QuotedText, TokenKind::CloseQuote] => match &*value[1].text {
            "string" => vec![Piece::new(TokenKind::Identifier, "string")],
            name @ ("list" | "map") => of(name, "string"),
            _ => value.to_vec(),
        },
        _ => value.to_vec(),
    }
}
