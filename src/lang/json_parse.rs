//! JSON with the place of everything in it, for configurations written in JSON.
//!
//! serde_json keeps no places, drops names that stand twice, and reads numbers as doubles.

use std::ops::Range;
use std::sync::Arc;

use pipectl_core::suggest::did_you_mean;
use pipectl_core::{Diagnostic, Number, SourceId, Span, without_byte_order_mark};

use crate::json_escape::unescape;

/// How deeply arrays and objects may be nested.
const MAX_DEPTH: usize = 64;

/// A JSON value and where it stands.
#[derive(Debug)]
pub(crate) struct Json {
    pub(crate) node: Node,
    pub(crate) range: Range<usize>,
}

/// What a JSON value is.
#[derive(Debug)]
pub(crate) enum Node {
    Null,
    Bool(bool),
    Number(Number),
    Text(Text),
    Array(Vec<Json>),
    Object(Vec<Member>),
}

/// A property of an object. Names may stand twice.
#[derive(Clone, Debug)]
pub(crate) struct Member {
    pub(crate) name: Arc<Text>,
    pub(crate) value: Arc<Json>,
}

/// A string.
#[derive(Debug)]
pub(crate) struct Text {
    pub(crate) value: String,
    /// With its quotes.
    pub(crate) range: Range<usize>,
    /// Where each byte of `value` begins in the file and where the last one ends, when the string has escapes.
    pub(crate) positions: Option<Arc<[usize]>>,
}

/// Parses a whole file. Nothing but spaces may stand around its value.
pub(crate) fn parse(text: &str, source: SourceId) -> Result<Json, Diagnostic> {
    let mut parser = Parser { text, source, at: text.len() - without_byte_order_mark(text).len() };
    let value = parser.value(0)?;
    match parser.peek() {
        None => Ok(value),
        Some(_) => Err(parser.problem(
            "Extraneous data after value",
            "Extra characters appear after the JSON value: a file holds one object, or one array of objects.",
        )),
    }
}

struct Parser<'a> {
    text: &'a str,
    source: SourceId,
    at: usize,
}

impl<'a> Parser<'a> {
    fn rest(&self) -> &'a str {
        &self.text[self.at..]
    }

    /// The next character that is no space; moves to it.
    fn peek(&mut self) -> Option<char> {
        let rest = self.rest();
        self.at += rest.len() - rest.trim_start_matches([' ', '\t', '\r', '\n']).len();
        self.rest().chars().next()
    }

    fn take(&mut self, wanted: char) -> bool {
        let found = self.peek() == Some(wanted);
        if found {
            self.at += wanted.len_utf8();
        }
        found
    }

    /// An error about the character or word that stands here.
    fn problem(&self, summary: &str, detail: impl Into<String>) -> Diagnostic {
        let rest = self.rest();
        let word = rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(rest.len());
        let length = word.max(rest.chars().next().map_or(0, char::len_utf8));
        Diagnostic::error(summary, detail).at(self.span(self.at..self.at + length))
    }

    fn span(&self, range: Range<usize>) -> Span {
        Span { source: self.source, range }
    }

    fn value(&mut self, depth: usize) -> Result<Json, Diagnostic> {
        let first = self.peek();
        let start = self.at;
        let node = match first {
            Some('{' | '[') if depth >= MAX_DEPTH => {
                let detail = format!("Arrays and objects may be nested at most {MAX_DEPTH} levels deep.");
                return Err(self.problem("Too deeply nested", detail));
            }
            Some('{') => self.object(depth)?,
            Some('[') => self.array(depth)?,
            Some('"') => Node::Text(self.string()?),
            Some('-' | '0'..='9') => self.number()?,
            Some(first) if first.is_ascii_alphabetic() => self.keyword()?,
            Some('/' | '#') => return Err(self.comment()),
            Some('\'') => {
                return Err(self.problem("Invalid JSON string", "JSON strings stand in double quotes (\")."));
            }
            Some(_) => {
                return Err(self.problem(
                    "Invalid start of value",
                    "A JSON value must start with a brace, a bracket, a number, a string, or a keyword.",
                ));
            }
            None => return Err(self.problem("Missing JSON value", "The JSON data ends prematurely.")),
        };
        Ok(Json { node, range: start..self.at })
    }

    fn comment(&self) -> Diagnostic {
        self.problem("Comments are not allowed", "JSON has no comments.")
            .hint("Write a comment as a property named \"//\", which is ignored.")
    }

    fn keyword(&mut self) -> Result<Node, Diagnostic> {
        let rest = self.rest();
        let length = rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(rest.len());
        let node = match &rest[..length] {
            "null" => Node::Null,
            "true" => Node::Bool(true),
            "false" => Node::Bool(false),
            word => {
                let hint = did_you_mean(word, ["null", "true", "false"]);
                let detail = format!("{word:?} is not a valid JSON keyword.{hint} Strings stand in double quotes.");
                return Err(self.problem("Invalid JSON keyword", detail));
            }
        };
        self.at += length;
        Ok(node)
    }

    fn number(&mut self) -> Result<Node, Diagnostic> {
        let rest = self.rest();
        let length = rest.find(|c: char| !matches!(c, '0'..='9' | '+' | '-' | '.' | 'e' | 'E')).unwrap_or(rest.len());
        let written = &rest[..length];
        let number = is_json_number(written).then(|| written.parse::<Number>().ok()).flatten();
        let Some(number) = number else {
            let span = self.span(self.at..self.at + length);
            let detail = format!(
                "{written} is no JSON number: one has no leading zeros and no plus sign, and digits around its point."
            );
            return Err(Diagnostic::error("Invalid JSON number", detail).at(span));
        };
        self.at += length;
        Ok(Node::Number(number))
    }

    fn string(&mut self) -> Result<Text, Diagnostic> {
        let start = self.at;
        self.at += 1;
        let mut value = String::new();
        let mut positions: Vec<usize> = Vec::new();
        let mut escaped = false;
        loop {
            let rest = self.rest();
            let Some(next) = rest.chars().next() else {
                let detail = "No closing quote was found for this string.";
                return Err(Diagnostic::error("Unterminated JSON string", detail).at(self.span(start..start + 1)));
            };
            let before = value.len();
            let length = match next {
                '"' => break,
                '\\' => {
                    escaped = true;
                    let Some((character, length)) = unescape(rest) else {
                        let shown: String = rest.chars().take(2).collect();
                        let span = self.span(self.at..self.at + shown.len());
                        let detail = format!(
                            "{shown} is no JSON escape sequence: those are \\\" \\\\ \\/ \\b \\f \\n \\r \\t and \\u with four hexadecimal digits."
                        );
                        return Err(Diagnostic::error("Invalid escape sequence", detail).at(span));
                    };
                    value.push(character);
                    length
                }
                '\n' | '\r' => {
                    let detail = "A JSON string ends on the line where it begins: write \\n for a line break in it.";
                    return Err(Diagnostic::error("Unterminated JSON string", detail).at(self.span(start..start + 1)));
                }
                '\0'..='\u{1f}' => {
                    let detail = "Control characters in a JSON string are written as escape sequences, like \\t.";
                    return Err(self.problem("Invalid character in string", detail));
                }
                _ => {
                    value.push(next);
                    next.len_utf8()
                }
            };
            // An escape may stand for several bytes: they all begin where it begins.
            let stands_as_it_is = length == value.len() - before && next != '\\';
            positions.extend((0..value.len() - before).map(|byte| self.at + if stands_as_it_is { byte } else { 0 }));
            self.at += length;
        }
        positions.push(self.at);
        self.at += 1;
        Ok(Text { value, range: start..self.at, positions: escaped.then(|| positions.into()) })
    }

    fn array(&mut self, depth: usize) -> Result<Node, Diagnostic> {
        let opening = self.at;
        self.at += 1;
        let mut elements = Vec::new();
        if self.take(']') {
            return Ok(Node::Array(elements));
        }
        loop {
            match self.peek() {
                None => return Err(self.unclosed(opening, "array", "bracket")),
                Some(',') => {
                    return Err(self.problem("Missing value", "A JSON array element is missing before this comma."));
                }
                Some(']') => {
                    return Err(self.problem(
                        "Trailing comma in array",
                        "JSON does not permit a trailing comma after the final value in an array.",
                    ));
                }
                Some(_) => elements.push(self.value(depth + 1)?),
            }
            match self.peek() {
                Some(',') => self.at += 1,
                Some(']') => {
                    self.at += 1;
                    return Ok(Node::Array(elements));
                }
                None | Some('}') => return Err(self.unclosed(opening, "array", "bracket")),
                Some('/' | '#') => return Err(self.comment()),
                Some(_) => {
                    return Err(self.problem(
                        "Missing element separator",
                        "A comma is required to separate the elements of a JSON array.",
                    ));
                }
            }
        }
    }

    fn object(&mut self, depth: usize) -> Result<Node, Diagnostic> {
        let opening = self.at;
        self.at += 1;
        let mut members = Vec::new();
        if self.take('}') {
            return Ok(Node::Object(members));
        }
        loop {
            let name = match self.peek() {
                Some('"') => self.string()?,
                None => return Err(self.unclosed(opening, "object", "brace")),
                Some('}') => {
                    return Err(self.problem(
                        "Trailing comma in object",
                        "JSON does not permit a trailing comma after the final property in an object.",
                    ));
                }
                Some('/' | '#') => return Err(self.comment()),
                Some(_) => {
                    return Err(self.problem(
                        "Invalid object property name",
                        "A JSON object property name must be a string in double quotes.",
                    ));
                }
            };
            match self.peek() {
                Some(':') => self.at += 1,
                Some('=') => {
                    return Err(self.problem(
                        "Missing property value colon",
                        "JSON uses a colon as its name/value delimiter, not an equals sign.",
                    ));
                }
                _ => {
                    return Err(self.problem(
                        "Missing property value colon",
                        "A colon must appear between an object property's name and its value.",
                    ));
                }
            }
            if let Some('}' | ',') = self.peek() {
                return Err(self.problem(
                    "Missing property value",
                    "A JSON value must follow the colon after an object property's name.",
                ));
            }
            let value = self.value(depth + 1)?;
            members.push(Member { name: Arc::new(name), value: Arc::new(value) });
            match self.peek() {
                Some(',') => self.at += 1,
                Some('}') => {
                    self.at += 1;
                    return Ok(Node::Object(members));
                }
                None | Some(']') => return Err(self.unclosed(opening, "object", "brace")),
                Some('/' | '#') => return Err(self.comment()),
                Some(_) => {
                    return Err(self.problem(
                        "Missing property separator",
                        "A comma is required to separate the properties of a JSON object.",
                    ));
                }
            }
        }
    }

    fn unclosed(&self, opening: usize, what: &str, bracket: &str) -> Diagnostic {
        let detail = format!("No closing {bracket} was found for this JSON {what}.");
        Diagnostic::error(format!("Unclosed {what}"), detail).at(self.span(opening..opening + 1))
    }
}

fn is_json_number(text: &str) -> bool {
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let text = text.strip_prefix('-').unwrap_or(text);
    let (mantissa, exponent) = match text.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, Some(exponent.strip_prefix(['+', '-']).unwrap_or(exponent))),
        None => (text, None),
    };
    let (whole, fraction) = match mantissa.split_once('.') {
        Some((whole, fraction)) => (whole, Some(fraction)),
        None => (mantissa, None),
    };
    digits(whole)
        && (whole == "0" || !whole.starts_with('0'))
        && fraction.is_none_or(digits)
        && exponent.is_none_or(digits)
}
