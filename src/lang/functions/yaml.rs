//! `yamldecode`: YAML text to values. libyaml's parser makes the events; what plain scalars mean is YAML 1.1's, as Terraform has it.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use libyaml_safer::{ErrorKind, Event, EventData, Mark, Parser, ScalarStyle};
use pipectl_core::convert::convert;
use pipectl_core::{BYTE_ORDER_MARK, Number, Type as ValueType, Value, without_byte_order_mark};
use regex::Regex;

use crate::functions::ParameterType as Type;
use crate::functions::quote::quote;
use crate::functions::timestamp::{Timestamp, days_in};
use crate::functions::yaml_encode::encode;
use crate::functions::{Failure, Function, Parameter, plain};

/// How deep sequences and mappings may be nested, and how many values aliases may make.
const MAX_DEPTH: usize = 1000;
const MAX_VALUES: usize = 1 << 20;

const UNKNOWN_ESCAPE: &str = "found unknown escape character";
const AFTER_TAG: &str = "did not find expected whitespace or line break";
const PREFIX: &str = "tag:yaml.org,2002:";

pub(super) const FUNCTIONS: &[Function] = &[
    plain(
        "yamldecode",
        "The value that a YAML text stands for.",
        &[Parameter::new("src", Type::String)],
        Type::Any,
        |call| decoded(call.text(0)),
    )
    .returns("the value's type", |arguments| match arguments[0].as_str() {
        Some(text) => Ok(decoded(text)?.ty()),
        None => Ok(ValueType::Any),
    })
    .may_be_null(),
    plain(
        "yamlencode",
        "A value as YAML text.",
        &[Parameter::new("value", Type::Any).nullable().dynamic()],
        Type::String,
        |call| Ok(encode(&call.values[0]).into()),
    )
    .may_be_null(),
];

fn decoded(text: &str) -> Result<Value, Failure> {
    decode(text).map_err(|problem| Failure::telling(None, problem, "the text is not valid YAML"))
}

fn decode(text: &str) -> Result<Value, String> {
    if text.ends_with('\\') || TAG_AND_COMMA.is_match(text) {
        // The parser looks behind a backslash in quotes without asking whether anything is there, and gives up where a comma follows a tag.
        // Let it find what is no escape sequence and no tag there; anywhere else these letters change no more than the text of a scalar.
        let suffix = if text.ends_with('\\') { "q" } else { "" };
        match read(&format!("{}{suffix}", TAG_AND_COMMA.replace_all(text, "$1^,")), false) {
            Err(problem) if problem.ends_with(UNKNOWN_ESCAPE) || problem.ends_with(AFTER_TAG) => return Err(problem),
            Ok(_) | Err(_) => {}
        }
    }
    // Nor does it ask at the end of a block scalar whether a line break is there.
    match text.is_empty() || (text.contains(['|', '>']) && !text.ends_with('\n')) {
        true => read(&format!("{text}\n"), true),
        false => read(text, false),
    }
}

/// Reads a text, of which the last line break was added if it `lacked_break`.
fn read(text: &str, lacked_break: bool) -> Result<Value, String> {
    // The parser takes the first byte of U+F000 to U+FFFF for that of a byte order mark, which it does not count in places.
    let text = without_byte_order_mark(text);
    let looks_marked = text.starts_with(|first: char| ('\u{f000}'..='\u{ffff}').contains(&first));
    let marked = looks_marked.then(|| format!("{BYTE_ORDER_MARK}{text}"));
    let mut parser = Parser::new();
    parser.set_input(marked.as_deref().unwrap_or(text).as_bytes());
    let (anchors, pending) = (BTreeMap::new(), Vec::new());
    let mut reader = Reader { text, lacked_break, parser, anchors, pending, depth: 0, values: 0 };
    reader.next()?;
    let start = reader.next()?;
    match start.data {
        EventData::DocumentStart { version_directive: Some(version), .. }
            if (version.major, version.minor) != (1, 1) =>
        {
            return Err(at(start.start_mark, "found incompatible YAML document"));
        }
        EventData::DocumentStart { .. } => {}
        _ => return Err(at(start.start_mark, "missing start of document")),
    }
    let event = reader.next()?;
    let value = reader.value(event)?;
    reader.next()?;
    let end = reader.next()?;
    match end.data {
        EventData::StreamEnd => Ok(value),
        _ => Err(at(end.start_mark, "unexpected extra content after value")),
    }
}

/// A problem and its place. Lines are counted from zero, as Terraform does here; what is on the first has no place.
fn at(mark: Mark, problem: impl std::fmt::Display) -> String {
    match mark.line {
        0 => problem.to_string(),
        line => format!("on line {line}, column {}: {problem}", mark.column + 1),
    }
}

struct Reader<'a> {
    text: &'a str,
    /// Whether the last line break of the text was added to it.
    lacked_break: bool,
    parser: Parser<&'a [u8]>,
    anchors: BTreeMap<String, Value>,
    /// Anchors whose values are being read.
    pending: Vec<String>,
    depth: usize,
    values: usize,
}

impl Reader<'_> {
    fn next(&mut self) -> Result<Event, String> {
        let event = self.parser.next().ok_or("the text ends too early")?;
        event.map_err(|error| {
            let problem = error.problem();
            match (error.problem_mark().filter(|mark| mark.line > 0), error.context_mark()) {
                // The scanner has not yet counted the line that it is on.
                (Some(mark), _) if error.kind() == ErrorKind::Scanner => {
                    format!("on line {}, column 1: {problem}", mark.line + 1)
                }
                (Some(mark), _) | (None, Some(mark)) => at(mark, problem),
                (None, None) => problem.to_owned(),
            }
        })
    }

    fn value(&mut self, event: Event) -> Result<Value, String> {
        let (mark, end) = (event.start_mark, event.end_mark);
        match event.data {
            EventData::Scalar { anchor, tag, value, plain_implicit, style, .. } => {
                let value = self.as_written(value, style, mark, end)?;
                let tag = tag.unwrap_or_default();
                let scalar = resolve(&tag, &value, style).map_err(|problem| at(mark, problem))?;
                let found = match scalar {
                    Scalar::Merge => Value::from("<<"),
                    // Text that is not plain is a string, even where its content was taken for something else.
                    Scalar::Value(found) if tag.is_empty() && !plain_implicit => {
                        convert(&found, &ValueType::String).map_err(|error| error.to_string())?
                    }
                    Scalar::Value(found) => found,
                };
                self.named(anchor, found)
            }
            EventData::Alias { anchor } => {
                let quoted = quote(&anchor);
                if self.pending.contains(&anchor) {
                    let problem = format!("cannot refer to anchor {quoted} from inside its own definition");
                    return Err(at(mark, problem));
                }
                let found = self.anchors.get(&anchor).cloned();
                let found = found.ok_or_else(|| at(mark, format!("reference to undefined anchor {quoted}")))?;
                self.count(size(&found))?;
                Ok(found)
            }
            EventData::SequenceStart { anchor, tag, .. } => {
                self.begin(mark, "sequence", tag.as_deref(), "seq", anchor.as_ref())?;
                let mut elements = Vec::new();
                loop {
                    let event = self.next()?;
                    if event.data == EventData::SequenceEnd {
                        return self.end(anchor, Value::tuple(elements));
                    }
                    elements.push(self.value(event)?);
                }
            }
            EventData::MappingStart { anchor, tag, .. } => {
                self.begin(mark, "mapping", tag.as_deref(), "map", anchor.as_ref())?;
                let mut attributes = BTreeMap::new();
                loop {
                    let event = self.next()?;
                    if event.data == EventData::MappingEnd {
                        return self.end(anchor, Value::object(attributes));
                    }
                    self.item(event, &mut attributes)?;
                }
            }
            _ => Err(at(mark, "expecting value but found end of stream")),
        }
    }

    /// A scalar's content where this parser and Terraform's differ: one that lacked its last line break has none, and `\/` is no escape sequence.
    fn as_written(&self, mut value: String, style: ScalarStyle, start: Mark, end: Mark) -> Result<String, String> {
        match style {
            ScalarStyle::Literal | ScalarStyle::Folded
                if self.lacked_break && end.index as usize >= self.text.len() && value.ends_with('\n') =>
            {
                let last_line = self.text.trim_end_matches('\n').rsplit('\n').next().unwrap_or_default();
                let is_blank = last_line.bytes().all(|byte| byte == b' ');
                // A blank last line counts only where all line breaks at the end are kept.
                if !is_blank || value == "\n" || value.ends_with("\n\n") {
                    value.pop();
                }
            }
            ScalarStyle::DoubleQuoted => {
                let source = self.text.get(start.index as usize..end.index as usize).unwrap_or_default();
                let mut characters = source.chars();
                let mut line = start.line;
                while let Some(character) = characters.next() {
                    line += u64::from(character == '\n');
                    if character == '\\' && characters.next() == Some('/') {
                        return Err(match line {
                            0 => UNKNOWN_ESCAPE.to_owned(),
                            line => format!("on line {}, column 1: {UNKNOWN_ESCAPE}", line + 1),
                        });
                    }
                }
            }
            _ => {}
        }
        Ok(value)
    }

    fn item(&mut self, event: Event, attributes: &mut BTreeMap<String, Value>) -> Result<(), String> {
        const NO_STRING: &str = "only strings are allowed as mapping keys";
        let (mark, end) = (event.start_mark, event.end_mark);
        let EventData::Scalar { tag, value: key, style, .. } = event.data else { return Err(at(mark, NO_STRING)) };
        let key = self.as_written(key, style, mark, end)?;
        let scalar = resolve(&tag.unwrap_or_default(), &key, style)?;
        let event = match &scalar {
            Scalar::Value(key) if key.is_null() => return Err(at(mark, "mapping key cannot be null")),
            Scalar::Value(_) | Scalar::Merge => self.next()?,
        };
        let value = self.value(event)?;
        match scalar {
            Scalar::Merge => {
                let merged = value
                    .as_object()
                    .ok_or_else(|| at(mark, format!("cannot merge {} into mapping", value.ty().friendly_name())))?;
                attributes.extend(merged.iter().map(|(name, value)| (name.clone(), value.clone())));
            }
            Scalar::Value(key) => {
                let key = convert(&key, &ValueType::String).map_err(|_| at(mark, NO_STRING))?;
                attributes.insert(key.as_str().unwrap_or_default().to_owned(), value);
            }
        }
        Ok(())
    }

    fn begin(
        &mut self,
        mark: Mark,
        what: &str,
        tag: Option<&str>,
        expected: &str,
        anchor: Option<&String>,
    ) -> Result<(), String> {
        if let Some(tag) = tag.filter(|tag| !tag.is_empty() && tag.strip_prefix(PREFIX) != Some(expected)) {
            return Err(at(mark, format!("can't interpret {what} as {tag}")));
        }
        if self.depth >= MAX_DEPTH {
            return Err(at(mark, format!("more than {MAX_DEPTH} levels")));
        }
        self.depth += 1;
        self.pending.extend(anchor.cloned());
        Ok(())
    }

    fn end(&mut self, anchor: Option<String>, value: Value) -> Result<Value, String> {
        self.depth -= 1;
        if anchor.is_some() {
            self.pending.pop();
        }
        self.named(anchor, value)
    }

    fn named(&mut self, anchor: Option<String>, value: Value) -> Result<Value, String> {
        self.count(1)?;
        if let Some(anchor) = anchor {
            self.anchors.insert(anchor, value.clone());
        }
        Ok(value)
    }

    /// Aliases of aliases can make much from little.
    fn count(&mut self, more: usize) -> Result<(), String> {
        self.values += more;
        if self.values <= MAX_VALUES { Ok(()) } else { Err(format!("more than {MAX_VALUES} values")) }
    }
}

/// How many values there are in one.
fn size(value: &Value) -> usize {
    1 + value.children().map(|(_, child)| size(child)).sum::<usize>()
}

enum Scalar {
    Value(Value),
    /// `<<`
    Merge,
}

/// What a scalar of a tag means.
fn resolve(tag: &str, text: &str, style: ScalarStyle) -> Result<Scalar, String> {
    let short = tag.strip_prefix(PREFIX);
    if !tag.is_empty() && !matches!(short, Some("str" | "bool" | "int" | "float" | "null" | "timestamp" | "binary")) {
        return Err(format!("unsupported tag {}", quote(tag)));
    }
    let mut kind = short.unwrap_or_default();
    let value = |value: Value| Ok(Scalar::Value(value));
    let first = text.chars().next();
    let has_hint = first.is_none_or(|c| c.is_ascii_digit() || "+-.yYnNtTfFoO~".contains(c));
    if has_hint && kind != "str" && kind != "binary" {
        if matches!(style, ScalarStyle::SingleQuoted | ScalarStyle::DoubleQuoted) {
            return value(text.into());
        }
        if let Some(known) = named(text) {
            return value(known);
        }
        if tag.is_empty() && matches!(text, ".nan" | ".NaN" | ".NAN") {
            return Err("floating point NaN is not supported".to_owned());
        }
        match first {
            Some('.') => {
                if let Ok(number) = text.parse::<Number>() {
                    return value(number.into());
                }
            }
            Some('0'..='9' | '+' | '-') => {
                if (tag.is_empty() || kind == "timestamp")
                    && let Some(time) = timestamp(text)
                {
                    return value(time.to_string().into());
                }
                if WHOLE.is_match(text) {
                    kind = "int";
                } else if DECIMAL.is_match(text) {
                    kind = "float";
                }
            }
            _ => {}
        }
    }
    if tag.is_empty() && text == "<<" {
        return Ok(Scalar::Merge);
    }
    let cannot = || format!("cannot parse {} as {PREFIX}{kind}", quote(text));
    match kind {
        "binary" if STANDARD.decode(text.replace(['\r', '\n'], "")).is_err() => {
            Err(format!("{}: not valid base64", cannot()))
        }
        "bool" => named(text).filter(|found| found.as_bool().is_some()).ok_or_else(cannot).map(Scalar::Value),
        "int" | "float" => number(&text.replace('_', "")).ok_or_else(cannot).map(Scalar::Value),
        "timestamp" => timestamp(text).ok_or_else(cannot).and_then(|time| value(time.to_string().into())),
        "null" => value(Value::null()),
        _ => value(text.into()),
    }
}

/// Words that are not strings.
fn named(text: &str) -> Option<Value> {
    Some(match text {
        "y" | "Y" | "yes" | "Yes" | "YES" | "true" | "True" | "TRUE" | "on" | "On" | "ON" => true.into(),
        "n" | "N" | "no" | "No" | "NO" | "false" | "False" | "FALSE" | "off" | "Off" | "OFF" => false.into(),
        "" | "~" | "null" | "Null" | "NULL" => Value::null(),
        ".inf" | ".Inf" | ".INF" | "+.inf" | "+.Inf" | "+.INF" => Number::INFINITY.into(),
        "-.inf" | "-.Inf" | "-.INF" => Number::NEGATIVE_INFINITY.into(),
        _ => return None,
    })
}

static TAG_AND_COMMA: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"(!(?:<[^>\s]*>|[^\s,<][^\s,]*)?),").expect("the pattern is valid"));

static WHOLE: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"\A([-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+)\z").expect("the pattern is valid"));

static DECIMAL: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"\A[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?\z").expect("the pattern is valid")
});

/// A decimal number, or a whole one in another base after `0x`, `0o` or `0b`.
fn number(text: &str) -> Option<Value> {
    if let Ok(number) = text.parse::<Number>() {
        return Some(number.into());
    }
    let (sign, digits) = match text.strip_prefix(['+', '-']) {
        Some(digits) => (&text[..1], digits),
        None => ("", text),
    };
    let (base, digits) = match digits.get(..2)? {
        "0x" | "0X" => (16, &digits[2..]),
        "0o" | "0O" => (8, &digits[2..]),
        "0b" | "0B" => (2, &digits[2..]),
        _ => return None,
    };
    if digits.starts_with(['+', '-']) {
        return None;
    }
    let whole = i128::from_str_radix(digits, base).ok()?;
    let whole = if sign == "-" { -whole } else { whole };
    let fits = i64::try_from(whole).is_ok() || (sign.is_empty() && u64::try_from(whole).is_ok());
    whole.to_string().parse::<Number>().ok().filter(|_| fits).map(Value::from)
}

static TIMESTAMP: LazyLock<Regex> = LazyLock::new(|| {
    let pattern = r"\A([0-9]{4})-([0-9]{1,2})-([0-9]{1,2})(?:([Tt ])([0-9]{1,2}):([0-9]{1,2}):([0-9]{1,2})(?:[.,]([0-9]+))?(Z|[-+][0-9]{2}:[0-9]{2})?)?\z";
    Regex::new(pattern).expect("the pattern is valid")
});

/// A date, a date and time with a zone after `T`, or one without after a space.
fn timestamp(text: &str) -> Option<Timestamp> {
    let found = TIMESTAMP.captures(text)?;
    let part = |index: usize| found.get(index).map_or("", |part| part.as_str());
    let number = |index: usize| part(index).parse::<u32>().unwrap_or(0);
    let (year, month, day) = (i64::from(number(1)), number(2), number(3));
    let clock = [number(5), number(6), number(7)];
    let zoned = !part(9).is_empty();
    let separator = part(4);
    if (separator == " " && zoned) || (matches!(separator, "T" | "t") && !zoned) {
        return None;
    }
    let offset = match part(9) {
        "" | "Z" => 0,
        zone => {
            let (hours, minutes): (i64, i64) = (zone[1..3].parse().ok()?, zone[4..].parse().ok()?);
            if hours > 24 || minutes > 60 {
                return None;
            }
            (hours * 60 + minutes) * if zone.starts_with('-') { -60 } else { 60 }
        }
    };
    let valid = (1..=12).contains(&month) && (1..=days_in(year, month)).contains(&day);
    let valid = valid && clock[0] < 24 && clock[1] < 60 && clock[2] < 60;
    valid.then(|| Timestamp::from_civil(year, month, day, clock, 0, offset))
}

#[cfg(test)]
mod tests {
    use super::*;

    proptest::proptest! {
        // A failure file beside the crates would be taken for a crate.
        #![proptest_config(proptest::prelude::ProptestConfig { cases: 4000, failure_persistence: None, ..Default::default() })]

        /// Whatever the text is, there is an answer.
        #[test]
        fn no_text_is_too_strange(text in "[-|>+\\n \\t\"'\\\\:#{}\\[\\],&*!%@?<~.=0-9ax\u{85}\u{2028}\u{feff}éＡ]{0,16}") {
            let _ = decode(&text);
        }

        #[test]
        fn no_block_scalar_is_too_strange(text in "(- |a: |--- |\\? |)[|>][-+0-9]{0,2}( #)?\n[ \n\tx|>#\\r]{0,12}") {
            let _ = decode(&text);
        }

        #[test]
        fn no_tag_is_too_strange(text in "[\\[{'\" ]{0,2}[!,<>a%TG: \n'\"]{0,12}") {
            let _ = decode(&text);
        }

        #[test]
        fn no_quoted_scalar_is_too_strange(text in "\"[ \nx0uUéN/\\\\\"-]{0,12}") {
            let _ = decode(&text);
        }
    }
}
