//! The canonical layout of text, as `terraform fmt` gives it: indentation, spaces between tokens, aligned equals signs and comments.
//!
//! The layout is HCL's own (`hclwrite.Format` 2.23), worked out on tokens line by line. Beyond spaces, it changes what Terraform
//! changes: `"${x}"` becomes `x`, labels are quoted, and old spellings of types are renewed.

use std::borrow::Cow;

use pipectl_core::{Diagnostics, SourceId};
use unicode_segmentation::UnicodeSegmentation;

use crate::format_rewrite::rewrite;
use crate::scan::{TokenKind, scan};
use crate::syntax;

/// A token with the spaces before it.
#[derive(Clone, Debug)]
pub(crate) struct Piece<'a> {
    pub(crate) kind: TokenKind,
    pub(crate) text: Cow<'a, str>,
    pub(crate) spaces: usize,
}

impl<'a> Piece<'a> {
    pub(crate) fn new(kind: TokenKind, text: impl Into<Cow<'a, str>>) -> Self {
        Self { kind, text: text.into(), spaces: 0 }
    }

    pub(crate) fn ends_line(&self) -> bool {
        self.kind == TokenKind::Newline || (self.kind == TokenKind::Comment && self.text.ends_with('\n'))
    }

    /// 1 for an opening bracket, -1 for a closing one. Quotes and heredocs do not count.
    pub(crate) fn brackets(&self) -> isize {
        use TokenKind::*;
        match self.kind {
            OpenBrace | OpenBracket | OpenParenthesis | OpenDirective | OpenInterpolation => 1,
            CloseBrace | CloseBracket | CloseParenthesis | CloseTemplate => -1,
            _ => 0,
        }
    }
}

/// A line in up to three cells; the first pieces of `assign` and `comment` line up with those of neighbouring lines.
struct Line {
    /// Everything up to one of the others.
    lead: std::ops::Range<usize>,
    /// From the equals sign on, when the value ends on the line.
    assign: std::ops::Range<usize>,
    /// The comment at its end, when something stands before it.
    comment: std::ops::Range<usize>,
}

/// The canonical layout of a file.
///
/// # Errors
/// What is wrong with its syntax: such a file is left alone.
pub fn format(text: &str) -> Result<String, Diagnostics> {
    let (_, diagnostics) = syntax::parse_file(text, SourceId(0), &[]);
    if diagnostics.has_errors() {
        return Err(diagnostics);
    }
    let mut tokens = scan(text);
    tokens.retain(|token| token.kind != TokenKind::End);
    let end = tokens.last().map_or(0, |token| token.range.end);
    let tokens = tokens.into_iter().map(|token| Piece::new(token.kind, &text[token.range]));
    let mut pieces: Vec<Piece<'_>> = rewrite(tokens.collect());
    let lines = lines(&pieces);
    indent(&mut pieces, &lines);
    space(&mut pieces, &lines);
    align(&mut pieces, &lines, |line| line.assign.clone(), |line| line.lead.clone());
    align(&mut pieces, &lines, |line| line.comment.clone(), |line| line.lead.start..line.assign.end.max(line.lead.end));
    let mut result = String::with_capacity(text.len());
    for piece in &pieces {
        result.extend(std::iter::repeat_n(' ', piece.spaces));
        result.push_str(&piece.text);
    }
    // What stands after the last token is kept, as Terraform does: also when it is no line break.
    result.push_str(&text[end..]);
    Ok(result)
}

fn lines(pieces: &[Piece<'_>]) -> Vec<Line> {
    let mut lines = Vec::new();
    let mut start = 0;
    while start < pieces.len() {
        let end =
            pieces[start..].iter().position(Piece::ends_line).map_or(pieces.len(), |position| start + position + 1);
        let comment =
            if end - start > 1 && pieces[end - 1].kind == TokenKind::Comment { end - 1..end } else { end..end };
        let content = start..comment.start;
        let equals = (content.start + 1..content.end).find(|index| pieces[*index].kind == TokenKind::Equals);
        // A value that goes on in the next line does not line up with others.
        let whole = |equals: &usize| pieces[*equals..content.end].iter().map(Piece::brackets).sum::<isize>() == 0;
        let assign = equals.filter(whole).unwrap_or(content.end)..content.end;
        lines.push(Line { lead: content.start..assign.start, assign, comment });
        start = end;
    }
    lines
}

/// Two spaces for every line that opens more brackets than it closes and is not yet closed itself.
fn indent(pieces: &mut [Piece<'_>], lines: &[Line]) {
    let mut open: Vec<isize> = Vec::new();
    for line in lines {
        let Some(first) = line.lead.clone().next() else { continue };
        if pieces[first].kind == TokenKind::Newline {
            pieces[first].spaces = 0;
            continue;
        }
        let mut net = 0;
        for index in line.lead.clone() {
            net += pieces[index].brackets();
            if pieces[index].kind == TokenKind::OpenHeredoc {
                break;
            }
        }
        net += line.assign.clone().map(|index| pieces[index].brackets()).sum::<isize>();
        let mut closed = (-net).max(0);
        while closed > 0
            && let Some(last) = open.last_mut()
        {
            if closed < *last {
                *last -= closed;
                break;
            }
            closed -= *last;
            open.pop();
        }
        pieces[first].spaces = 2 * open.len();
        if net > 0 {
            open.push(net);
        }
    }
}

fn space(pieces: &mut [Piece<'_>], lines: &[Line]) {
    for line in lines {
        if let Some(first) = line.assign.clone().next() {
            pieces[first].spaces = 1;
        }
        for cell in [line.lead.clone(), line.assign.clone()] {
            for index in cell.start + 1..cell.end {
                let before = (index >= cell.start + 2).then(|| pieces[index - 2].kind);
                pieces[index].spaces = usize::from(space_after(&pieces[index - 1], before, pieces[index].kind));
            }
        }
    }
}

/// Whether a space belongs after a token that stands between two others.
fn space_after(subject: &Piece<'_>, before: Option<TokenKind>, after: TokenKind) -> bool {
    use TokenKind::*;
    let closes = |kind: TokenKind| matches!(kind, CloseBrace | CloseBracket | CloseParenthesis | CloseTemplate);
    match (subject.kind, after) {
        (_, Newline) => false,
        (Identifier, OpenParenthesis | DoubleColon) | (DoubleColon, Identifier) => false,
        (Dot, _) | (_, Dot) => false,
        (_, Comma | Ellipsis) => false,
        (Comma, _) => true,
        (QuotedText | HeredocText | OpenQuote | OpenHeredoc, _) => false,
        (_, QuotedText | HeredocText | CloseQuote | CloseHeredoc) => false,
        // `in [a]` of a `for` expression is no index.
        (Identifier, _) if subject.text == "in" && before == Some(Identifier) => true,
        (Identifier | Number, OpenBracket) => false,
        (kind, OpenBracket) if closes(kind) => false,
        (Bang, _) => false,
        (Minus, _) => subtracts(before),
        (OpenBrace, CloseBrace) => false,
        (OpenBrace, _) | (_, CloseBrace) => true,
        (OpenInterpolation | OpenDirective, OpenBrace) | (CloseBrace, CloseTemplate) => true,
        (CloseTemplate, OpenInterpolation | OpenDirective) => false,
        (OpenBracket | OpenParenthesis | OpenInterpolation | OpenDirective, _) => false,
        (_, kind) if closes(kind) => false,
        _ => true,
    }
}

/// Whether a minus after such a token subtracts rather than negates.
fn subtracts(before: Option<TokenKind>) -> bool {
    use TokenKind::*;
    !matches!(
        before,
        None | Some(
            OpenParenthesis
                | OpenBrace
                | OpenBracket
                | Equals
                | Colon
                | Comma
                | Question
                | Plus
                | Star
                | Slash
                | Percent
                | Minus
                | Comparison
                | And
                | Or
                | Bang
        )
    )
}

/// Lines up the cells that `cell` gives on consecutive lines: one space after the widest of what stands before them.
fn align(
    pieces: &mut [Piece<'_>],
    lines: &[Line],
    cell: impl Fn(&Line) -> std::ops::Range<usize>,
    before: impl Fn(&Line) -> std::ops::Range<usize>,
) {
    let width = |pieces: &[Piece<'_>], line: &Line| -> usize {
        pieces[before(line)].iter().map(|piece| piece.spaces + piece.text.graphemes(true).count()).sum()
    };
    for chain in lines.chunk_by(|a, b| cell(a).is_empty() == cell(b).is_empty()) {
        if chain.first().is_none_or(|line| cell(line).is_empty()) {
            continue;
        }
        let widest = chain.iter().map(|line| width(pieces, line)).max().unwrap_or(0);
        for line in chain {
            let spaces = widest - width(pieces, line) + 1;
            pieces[cell(line).start].spaces = spaces;
        }
    }
}
