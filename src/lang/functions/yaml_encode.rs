//! `yamlencode`: values to YAML text, byte for byte as Terraform writes it.
//!
//! The layout is libyaml's: two spaces, 80 columns, sequences in mappings not indented, strings in double quotes or, when they have line
//! breaks, as blocks. Like libyaml's, this writer keeps track of where it stands and whether it wrote but spaces and indicators so far.

use pipectl_core::{Kind, Value};

/// Strings are broken at spaces beyond this column.
const WIDTH: usize = 80;
/// Longest key that is written before a colon, in bytes.
const MAX_SIMPLE_KEY: usize = 128;

/// The text of a known value.
pub(super) fn encode(value: &Value) -> String {
    let mut writer = Writer { text: String::new(), column: 0, indent: None, whitespace: true, indention: true };
    let scalar = Scalar::of(value);
    writer.node(value, false);
    writer.begin_line();
    if matches!(scalar, Some(Scalar::Plain(_))) {
        // Nothing else tells where a plain scalar ends.
        writer.text.push_str("...\n");
    }
    writer.text
}

enum Scalar<'a> {
    Plain(String),
    Text(&'a str),
}

impl<'a> Scalar<'a> {
    fn of(value: &'a Value) -> Option<Self> {
        match value.kind() {
            Kind::Null(_) | Kind::Unknown(_) => Some(Scalar::Plain("null".to_owned())),
            Kind::Bool(flag) => Some(Scalar::Plain(flag.to_string())),
            Kind::Number(number) => Some(Scalar::Plain(number.to_string())),
            Kind::String(text) => Some(Scalar::Text(text)),
            Kind::List(..) | Kind::Set(..) | Kind::Map(..) | Kind::Tuple(_) | Kind::Object(_) => None,
        }
    }
}

struct Writer {
    text: String,
    column: usize,
    /// Nothing before the first collection.
    indent: Option<usize>,
    /// Whether the last thing written was a space or line break.
    whitespace: bool,
    /// Whether but spaces and indicators were written on this line.
    indention: bool,
}

impl Writer {
    fn put(&mut self, c: char) {
        self.text.push(c);
        self.column += 1;
    }

    fn line_break(&mut self) {
        self.text.push('\n');
        self.column = 0;
    }

    fn indicator(&mut self, text: &str, needs_space: bool, is_space: bool, is_indention: bool) {
        if needs_space && !self.whitespace {
            self.put(' ');
        }
        text.chars().for_each(|c| self.put(c));
        self.whitespace = is_space;
        self.indention &= is_indention;
    }

    /// Goes to the indent, on a new line unless it is there already.
    fn begin_line(&mut self) {
        let indent = self.indent.unwrap_or(0);
        if !self.indention || self.column > indent || (self.column == indent && !self.whitespace) {
            self.line_break();
        }
        while self.column < indent {
            self.put(' ');
        }
        self.whitespace = true;
        self.indention = true;
    }

    /// `in_mapping`: whether this is a key or value of a mapping.
    fn node(&mut self, value: &Value, in_mapping: bool) {
        let outer = self.indent;
        if let Some(scalar) = Scalar::of(value) {
            self.indent = Some(outer.map_or(2, |indent| indent + 2));
            match scalar {
                Scalar::Plain(text) => self.plain(&text),
                Scalar::Text(text) => self.string(text, false),
            }
        } else if let Some(elements) = value.as_slice() {
            if elements.is_empty() {
                self.indicator("[", true, true, false);
                self.indicator("]", false, false, false);
            } else {
                let indentless = in_mapping && !self.indention;
                self.indent = Some(outer.map_or(0, |indent| if indentless { indent } else { indent + 2 }));
                for element in elements {
                    self.begin_line();
                    self.indicator("-", true, false, true);
                    self.node(element, false);
                }
            }
        } else if let Some(attributes) = value.as_object() {
            if attributes.is_empty() {
                self.indicator("{", true, true, false);
                self.indicator("}", false, false, false);
            } else {
                self.indent = Some(outer.map_or(0, |indent| indent + 2));
                for (key, value) in attributes {
                    self.begin_line();
                    self.key(key);
                    self.node(value, true);
                }
            }
        }
        self.indent = outer;
    }

    fn key(&mut self, key: &str) {
        let outer = self.indent;
        let is_simple = !key.contains(is_break) && key.len() <= MAX_SIMPLE_KEY;
        if !is_simple {
            self.indicator("?", true, false, true);
        }
        self.indent = Some(outer.map_or(2, |indent| indent + 2));
        self.string(key, is_simple);
        self.indent = outer;
        if is_simple {
            self.indicator(":", false, false, false);
        } else {
            self.begin_line();
            self.indicator(":", true, false, true);
        }
    }

    fn plain(&mut self, text: &str) {
        if !self.whitespace {
            self.put(' ');
        }
        text.chars().for_each(|c| self.put(c));
        self.whitespace = false;
        self.indention = false;
    }

    fn string(&mut self, text: &str, is_key: bool) {
        if text.contains('\n') && !is_key && may_be_block(text) {
            self.block(text);
        } else {
            self.quoted(text, !is_key);
        }
    }

    fn block(&mut self, text: &str) {
        self.indicator("|", true, false, false);
        if text.starts_with(|c| c == ' ' || is_break(c)) {
            self.indicator("2", false, false, false);
        }
        let mut from_end = text.chars().rev();
        match (from_end.next().is_some_and(is_break), from_end.next()) {
            (false, _) => self.indicator("-", false, false, false),
            (true, before) if before.is_none_or(is_break) => self.indicator("+", false, false, false),
            (true, _) => {}
        }
        self.line_break();
        self.indention = true;
        self.whitespace = true;
        let mut at_start = true;
        for c in text.chars() {
            if is_break(c) {
                self.text.push(c);
                self.column = 0;
                self.indention = true;
                at_start = true;
            } else {
                if at_start {
                    self.begin_line();
                }
                self.put(c);
                self.indention = false;
                at_start = false;
            }
        }
    }

    fn quoted(&mut self, text: &str, may_break: bool) {
        self.indicator("\"", true, false, false);
        let mut after_space = false;
        let mut characters = text.char_indices().peekable();
        while let Some((at, c)) = characters.next() {
            if c == ' ' {
                let inside = at > 0 && at + 1 < text.len();
                if may_break && !after_space && self.column > WIDTH && inside {
                    self.begin_line();
                    if matches!(characters.peek(), Some((_, ' '))) {
                        self.put('\\');
                    }
                } else {
                    self.put(' ');
                }
                after_space = true;
                continue;
            }
            after_space = false;
            match is_printable(c) && !is_break(c) && c != '"' && c != '\\' {
                true => self.put(c),
                false => escape(c).chars().for_each(|c| self.put(c)),
            }
        }
        self.indicator("\"", false, false, false);
        self.whitespace = false;
        self.indention = false;
    }
}

/// Whether a block keeps a text as it is.
fn may_be_block(text: &str) -> bool {
    let space_before_break = text.chars().zip(text.chars().skip(1)).any(|(c, next)| c == ' ' && is_break(next));
    !text.ends_with(' ') && !space_before_break && text.chars().all(|c| is_printable(c) || c == '\n')
}

fn is_break(c: char) -> bool {
    matches!(c, '\r' | '\n' | '\u{85}' | '\u{2028}' | '\u{2029}')
}

/// What libyaml writes as it is; it takes characters beyond the basic plane for unprintable.
fn is_printable(c: char) -> bool {
    matches!(c, '\n' | ' '..='~' | '\u{a0}'..='\u{d7ff}' | '\u{e000}'..='\u{fffd}') && c != '\u{feff}'
}

fn escape(c: char) -> String {
    let short = match c {
        '\0' => '0',
        '\u{7}' => 'a',
        '\u{8}' => 'b',
        '\t' => 't',
        '\n' => 'n',
        '\u{b}' => 'v',
        '\u{c}' => 'f',
        '\r' => 'r',
        '\u{1b}' => 'e',
        '"' => '"',
        '\\' => '\\',
        '\u{85}' => 'N',
        '\u{2028}' => 'L',
        '\u{2029}' => 'P',
        c if c <= '\u{ff}' => return format!("\\x{:02X}", u32::from(c)),
        c if c <= '\u{ffff}' => return format!("\\u{:04X}", u32::from(c)),
        c => return format!("\\U{:08X}", u32::from(c)),
    };
    format!("\\{short}")
}
