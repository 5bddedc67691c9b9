//! Which brackets, quotes and heredocs are open while the tokens of a text are read in order.

use crate::scan::{Token, TokenKind, scan};

/// The openers that are not closed yet, as indices of tokens, outside in.
#[derive(Clone, Debug, Default)]
pub(crate) struct Brackets {
    open: Vec<usize>,
}

/// What a token does to the brackets before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Change {
    /// Nothing, or it opens one, or it closes the innermost.
    Fits,
    /// It closes one further out: the innermost, at this index, was never closed.
    LeavesOpen(usize),
    /// It closes nothing that is open.
    Stray,
}

impl Brackets {
    /// Takes in the token at `index`. One that closes an outer bracket closes the inner ones with it; a stray one is left out.
    pub(crate) fn take(&mut self, tokens: &[Token], index: usize) -> Change {
        let kind = tokens[index].kind;
        if kind.opens() {
            self.open.push(index);
        } else if kind.is_closer() || kind == TokenKind::QuotedNewline {
            // A string ends with its line, whether it is closed or not.
            let closes = |opener: &usize| match kind {
                TokenKind::QuotedNewline => tokens[*opener].kind == TokenKind::OpenQuote,
                _ => kind.closes(tokens[*opener].kind),
            };
            let Some(position) = self.open.iter().rposition(closes) else { return Change::Stray };
            let innermost = self.open.last().copied();
            let fits = position + 1 == self.open.len();
            self.open.truncate(position);
            return match innermost {
                Some(innermost) if !fits => Change::LeavesOpen(innermost),
                _ => Change::Fits,
            };
        }
        Change::Fits
    }

    /// The openers of what is open, outside in.
    pub(crate) fn open(&self) -> &[usize] {
        &self.open
    }
}

/// How many brackets, template sequences and heredocs are open at the end of a text; `None` where it closes what it did not open.
pub fn open_brackets(text: &str) -> Option<usize> {
    let tokens = scan(text);
    let mut brackets = Brackets::default();
    for index in 0..tokens.len() {
        let change = brackets.take(&tokens, index);
        if change != Change::Fits && tokens[index].kind != TokenKind::QuotedNewline {
            return None;
        }
    }
    Some(brackets.open().iter().filter(|opener| tokens[**opener].kind != TokenKind::OpenQuote).count())
}

/// Whether a brace opens a block rather than an object constructor: a name or a label stands before it.
pub(crate) fn opens_block(tokens: &[Token], opener: usize) -> bool {
    opener > 0
        && tokens[opener].kind == TokenKind::OpenBrace
        && matches!(tokens[opener - 1].kind, TokenKind::Identifier | TokenKind::CloseQuote)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn open_brackets_are_counted() {
        for (text, open) in [
            ("1 + 1", Some(0)),
            ("[1, {", Some(2)),
            ("\"(\"", Some(0)),
            ("\"${f(\"", Some(2)),
            ("\"${f(\"x\")} (\"", Some(0)),
            ("\"$${ (\"", Some(0)),
            ("\"\\\"(\" + (", Some(1)),
            ("( # )", Some(1)),
            ("( // )\n)", Some(0)),
            ("/* ( */ 1", Some(0)),
            ("f(1/*x*//*y*/+1)", Some(0)),
            ("\"a\" /* ) */", Some(0)),
            ("<<EOT\n(\n", Some(1)),
            ("<<EOT\n(\nEOT\n", Some(0)),
            ("1) + (2", None),
            ("(]", None),
        ] {
            assert_eq!(open_brackets(text), open, "{text}");
        }
    }
}
