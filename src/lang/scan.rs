//! Tokens of a source text, as HCL's own scanner makes them.
//!
//! hcl-edit parses; the tokens serve what it does not do: find where brackets and strings stay open, split a file into its
//! blocks so that one mistake does not hide the others, word syntax errors, and lay out text (`format`).

use std::ops::Range;

use pipectl_core::without_byte_order_mark;

/// What a token is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TokenKind {
    OpenBrace,
    CloseBrace,
    OpenBracket,
    CloseBracket,
    OpenParenthesis,
    CloseParenthesis,
    /// `"` that begins a string, and the one that ends it.
    OpenQuote,
    CloseQuote,
    /// Text inside quotes.
    QuotedText,
    /// A line break inside quotes, which is never allowed.
    QuotedNewline,
    /// `<<EOT` with its line break, and the closing marker with the spaces around it.
    OpenHeredoc,
    CloseHeredoc,
    /// Text of a heredoc, at most one line.
    HeredocText,
    /// `${`, `%{` and the `}` that ends either, all with their `~`.
    OpenInterpolation,
    OpenDirective,
    CloseTemplate,
    Identifier,
    Number,
    Star,
    Slash,
    Plus,
    Minus,
    Percent,
    Equals,
    /// `==`, `!=`, `<`, `<=`, `>`, `>=`
    Comparison,
    And,
    Or,
    Bang,
    Dot,
    Comma,
    Ellipsis,
    FatArrow,
    Question,
    Colon,
    DoubleColon,
    /// A comment; one that runs to the end of its line includes the line break.
    Comment,
    Newline,
    /// A character that begins no token.
    Invalid,
    End,
}

impl TokenKind {
    /// Whether another token closes what this one opens.
    pub(crate) fn opens(self) -> bool {
        use TokenKind::*;
        matches!(
            self,
            OpenBrace | OpenBracket | OpenParenthesis | OpenQuote | OpenHeredoc | OpenInterpolation | OpenDirective
        )
    }

    /// Whether this token closes what `opener` opens.
    pub(crate) fn closes(self, opener: TokenKind) -> bool {
        use TokenKind::*;
        matches!(
            (opener, self),
            (OpenBrace, CloseBrace)
                | (OpenBracket, CloseBracket)
                | (OpenParenthesis, CloseParenthesis)
                | (OpenQuote, CloseQuote)
                | (OpenHeredoc, CloseHeredoc)
                | (OpenInterpolation | OpenDirective, CloseTemplate)
        )
    }

    /// Whether this token closes anything.
    pub(crate) fn is_closer(self) -> bool {
        use TokenKind::*;
        matches!(self, CloseBrace | CloseBracket | CloseParenthesis | CloseQuote | CloseHeredoc | CloseTemplate)
    }
}

/// A token and the bytes that it covers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Token {
    pub(crate) kind: TokenKind,
    pub(crate) range: Range<usize>,
}

/// What the scanner is inside of.
enum Mode {
    /// Expressions and blocks; inside a template sequence, the brace that ends it.
    Main {
        braces: usize,
        template: bool,
    },
    Quoted,
    /// No marker ends the text of a template file.
    Heredoc {
        marker: Range<usize>,
        line_start: bool,
    },
}

struct Scanner<'a> {
    text: &'a str,
    position: usize,
    modes: Vec<Mode>,
    tokens: Vec<Token>,
}

/// The tokens of `text`, spaces left out, with an [`TokenKind::End`] at the end.
pub(crate) fn scan(text: &str) -> Vec<Token> {
    scan_in(text, Mode::Main { braces: 0, template: false })
}

/// The tokens of a template that is all of `text`: its own text as that of a heredoc.
pub(crate) fn scan_template(text: &str) -> Vec<Token> {
    scan_in(text, Mode::Heredoc { marker: 0..0, line_start: false })
}

fn scan_in(text: &str, mode: Mode) -> Vec<Token> {
    let position = text.len() - without_byte_order_mark(text).len();
    let mut scanner = Scanner { text, position, modes: vec![mode], tokens: Vec::with_capacity(text.len() / 4) };
    while scanner.position < text.len() {
        match scanner.modes.last() {
            Some(Mode::Quoted) => scanner.quoted(),
            Some(Mode::Heredoc { marker, line_start }) => {
                let (marker, line_start) = (marker.clone(), *line_start);
                scanner.heredoc(&marker, line_start);
            }
            Some(Mode::Main { .. }) | None => scanner.main(),
        }
    }
    scanner.push(TokenKind::End, 0);
    scanner.tokens
}

impl<'a> Scanner<'a> {
    fn rest(&self) -> &'a str {
        &self.text[self.position..]
    }

    fn push(&mut self, kind: TokenKind, length: usize) {
        self.tokens.push(Token { kind, range: self.position..self.position + length });
        self.position += length;
    }

    fn main(&mut self) {
        use TokenKind::*;
        let rest = self.rest();
        let spaces = rest.len() - rest.trim_start_matches([' ', '\t']).len();
        if spaces > 0 {
            self.position += spaces;
            return;
        }
        let first = rest.chars().next().expect("the caller checks that text is left");
        if first.is_ascii_digit() {
            let length = number_length(rest);
            return self.push(Number, length);
        }
        if is_identifier_start(first) {
            let length = rest.find(|c: char| !is_identifier_continue(c)).unwrap_or(rest.len());
            return self.push(Identifier, length);
        }
        if let Some(length) = comment_length(rest) {
            return self.push(Comment, length);
        }
        if rest.starts_with("\r\n") {
            return self.push(Newline, 2);
        }
        if rest.starts_with("<<")
            && let Some((length, marker)) = heredoc_start(rest)
        {
            let marker = self.position + marker.start..self.position + marker.end;
            self.push(OpenHeredoc, length);
            self.modes.push(Mode::Heredoc { marker, line_start: true });
            return;
        }
        const LONGER: [(&str, TokenKind); 10] = [
            ("...", Ellipsis),
            ("==", Comparison),
            ("!=", Comparison),
            (">=", Comparison),
            ("<=", Comparison),
            ("&&", And),
            ("||", Or),
            ("::", DoubleColon),
            ("=>", FatArrow),
            ("~}", CloseTemplate),
        ];
        if let Some((symbol, kind)) = LONGER.into_iter().find(|(symbol, _)| rest.starts_with(symbol)) {
            if kind == CloseTemplate {
                self.leave_template();
            }
            return self.push(kind, symbol.len());
        }
        let kind = match first {
            '{' => {
                if let Some(Mode::Main { braces, .. }) = self.modes.last_mut() {
                    *braces += 1;
                }
                OpenBrace
            }
            '}' => match self.modes.last_mut() {
                Some(Mode::Main { braces: 0, template: true }) => {
                    self.leave_template();
                    CloseTemplate
                }
                Some(Mode::Main { braces, .. }) => {
                    *braces = braces.saturating_sub(1);
                    CloseBrace
                }
                Some(Mode::Quoted | Mode::Heredoc { .. }) | None => CloseBrace,
            },
            '"' => {
                self.modes.push(Mode::Quoted);
                OpenQuote
            }
            '[' => OpenBracket,
            ']' => CloseBracket,
            '(' => OpenParenthesis,
            ')' => CloseParenthesis,
            '\n' => Newline,
            '*' => Star,
            '/' => Slash,
            '+' => Plus,
            '-' => Minus,
            '%' => Percent,
            '=' => Equals,
            '<' | '>' => Comparison,
            '!' => Bang,
            '.' => Dot,
            ',' => Comma,
            '?' => Question,
            ':' => Colon,
            _ => Invalid,
        };
        self.push(kind, first.len_utf8());
    }

    fn leave_template(&mut self) {
        if matches!(self.modes.last(), Some(Mode::Main { template: true, .. })) {
            self.modes.pop();
        }
    }

    /// Takes in `${` or `%{` when one stands here.
    fn template_start(&mut self) -> bool {
        let rest = self.rest();
        let kind = if rest.starts_with("${") {
            TokenKind::OpenInterpolation
        } else if rest.starts_with("%{") {
            TokenKind::OpenDirective
        } else {
            return false;
        };
        let length = if rest[2..].starts_with('~') { 3 } else { 2 };
        if let Some(Mode::Heredoc { line_start, .. }) = self.modes.last_mut() {
            *line_start = false;
        }
        self.push(kind, length);
        self.modes.push(Mode::Main { braces: 0, template: true });
        true
    }

    fn quoted(&mut self) {
        if self.template_start() {
            return;
        }
        let rest = self.rest();
        if rest.starts_with('"') {
            self.modes.pop();
            return self.push(TokenKind::CloseQuote, 1);
        }
        let breaks = rest.len() - rest.trim_start_matches(['\r', '\n']).len();
        if breaks > 0 {
            // The string was never closed: it ends here, so that the rest of the file is not taken for its text.
            self.modes.pop();
            return self.push(TokenKind::QuotedNewline, breaks);
        }
        let length = literal_length(rest, true);
        self.push(TokenKind::QuotedText, length);
    }

    fn heredoc(&mut self, marker: &Range<usize>, line_start: bool) {
        let rest = self.rest();
        if line_start && !marker.is_empty() {
            let line = &rest[..rest.find('\n').unwrap_or(rest.len())];
            if line.trim() == &self.text[marker.clone()] {
                let length = line.strip_suffix('\r').unwrap_or(line).len();
                self.modes.pop();
                return self.push(TokenKind::CloseHeredoc, length);
            }
        }
        if self.template_start() {
            return;
        }
        let length = literal_length(rest, false);
        let ends_line = rest[..length].ends_with('\n');
        if let Some(Mode::Heredoc { line_start, .. }) = self.modes.last_mut() {
            *line_start = ends_line;
        }
        self.push(TokenKind::HeredocText, length);
    }
}

/// How long the text before a template sequence is: in quotes up to the closing quote or a line break, in a heredoc at most one line
/// with its line break.
fn literal_length(rest: &str, quoted: bool) -> usize {
    let bytes = rest.as_bytes();
    let mut at = 0;
    while at < bytes.len() {
        match bytes[at] {
            b'$' | b'%' => {
                let sigil = bytes[at];
                if bytes.get(at + 1) == Some(&sigil) && bytes.get(at + 2) == Some(&b'{') {
                    at += 3;
                } else if bytes.get(at + 1) == Some(&b'{') {
                    break;
                } else {
                    at += 1;
                }
            }
            b'"' | b'\n' | b'\r' if quoted => break,
            b'\\' if quoted && !matches!(bytes.get(at + 1), None | Some(b'\n' | b'\r')) => at += 2,
            b'\n' => {
                at += 1;
                break;
            }
            _ => at += 1,
        }
    }
    // A backslash may have been followed by a character of several bytes.
    while !rest.is_char_boundary(at) {
        at += 1;
    }
    at
}

fn number_length(rest: &str) -> usize {
    let bytes = rest.as_bytes();
    let digits = |from: usize| bytes[from..].iter().take_while(|byte| byte.is_ascii_digit()).count();
    let mut at = digits(0);
    if bytes.get(at) == Some(&b'.') {
        if bytes.get(at + 1).is_some_and(u8::is_ascii_digit) {
            at += 1 + digits(at + 1);
        } else if exponent_length(&bytes[at + 1..]) > 0 {
            at += 1;
        }
    }
    at + exponent_length(&bytes[at..])
}

/// The length of the exponent that stands at the start: none, if no digit is in it.
fn exponent_length(bytes: &[u8]) -> usize {
    let digits = |from: usize| bytes[from..].iter().take_while(|byte| byte.is_ascii_digit()).count();
    if !matches!(bytes.first(), Some(b'e' | b'E')) {
        return 0;
    }
    let sign = usize::from(matches!(bytes.get(1), Some(b'+' | b'-')));
    match digits((1 + sign).min(bytes.len())) {
        0 => 0,
        digits => 1 + sign + digits,
    }
}

fn comment_length(rest: &str) -> Option<usize> {
    if rest.starts_with('#') || rest.starts_with("//") {
        return Some(rest.find('\n').map_or(rest.len(), |end| end + 1));
    }
    let inside = rest.strip_prefix("/*")?;
    Some(inside.find("*/").map_or(rest.len(), |end| end + 4))
}

/// The length of `<<EOT` with its line break, and where the marker stands in it.
fn heredoc_start(rest: &str) -> Option<(usize, Range<usize>)> {
    let start = if rest.starts_with("<<-") { 3 } else { 2 };
    let name = &rest[start..];
    if !name.starts_with(is_identifier_start) {
        return None;
    }
    let length = name.find(|c: char| !is_identifier_continue(c))?;
    let after = &name[length..];
    let line_break = if after.starts_with("\r\n") {
        2
    } else if after.starts_with('\n') {
        1
    } else {
        return None;
    };
    Some((start + length + line_break, start..start + length))
}

pub(crate) fn is_identifier_start(c: char) -> bool {
    c == '_' || c.is_alphabetic()
}

pub(crate) fn is_identifier_continue(c: char) -> bool {
    is_identifier_start(c) || c == '-' || c.is_numeric()
}

/// Whether `name` may name a block.
pub fn is_identifier(name: &str) -> bool {
    name.starts_with(is_identifier_start) && name.chars().all(is_identifier_continue)
}

#[cfg(test)]
mod tests {
    use super::TokenKind::*;
    use super::*;

    fn kinds(text: &str) -> Vec<TokenKind> {
        scan(text).into_iter().map(|token| token.kind).collect()
    }

    #[test]
    fn templates_nest() {
        assert_eq!(
            kinds(r#"a = "x${ {b = "}"}.b ~}y""#),
            [
                Identifier,
                Equals,
                OpenQuote,
                QuotedText,
                OpenInterpolation,
                OpenBrace,
                Identifier,
                Equals,
                OpenQuote,
                QuotedText,
                CloseQuote,
                CloseBrace,
                Dot,
                Identifier,
                CloseTemplate,
                QuotedText,
                CloseQuote,
                End
            ]
        );
    }

    #[test]
    fn heredocs_end_at_their_marker_only() {
        assert_eq!(
            kinds("<<-EOT\n  EOTX\n  ${a}EOT\n  EOT\nb"),
            [
                OpenHeredoc,
                HeredocText,
                HeredocText,
                OpenInterpolation,
                Identifier,
                CloseTemplate,
                HeredocText,
                CloseHeredoc,
                Newline,
                Identifier,
                End
            ]
        );
    }

    #[test]
    fn escapes_do_not_open_templates() {
        assert_eq!(kinds(r#""a\"$${b}%%{c}\\""#), [OpenQuote, QuotedText, CloseQuote, End]);
        assert_eq!(kinds("\"a\nb = 1"), [OpenQuote, QuotedText, QuotedNewline, Identifier, Equals, Number, End]);
    }

    proptest::proptest! {
        // A failure file beside the crates would be taken for a crate.
        #![proptest_config(proptest::prelude::ProptestConfig { failure_persistence: None, ..Default::default() })]

        #[test]
        fn tokens_never_overlap_and_stay_on_characters(text in "[\"${}%<\\-EOT\\n a\\\\é=#/*~0.]{0,60}") {
            let mut end = 0;
            for token in scan(&text) {
                proptest::prop_assert!(token.range.start >= end);
                proptest::prop_assert!(text.get(token.range.clone()).is_some());
                end = token.range.end;
            }
        }
    }
}
