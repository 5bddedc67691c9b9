//! Functions of strings. Characters are what people count as such: grapheme clusters.

use pipectl_core::{Kind, Type as ValueType, Value};
use unicode_segmentation::UnicodeSegmentation;

use crate::functions::ParameterType as Type;
use crate::functions::{Arguments, Failure, Function, Parameter, plain};

const STR: Parameter = Parameter::new("str", Type::String);

pub(super) const FUNCTIONS: &[Function] = &[
    plain("chomp", "The string without line breaks at its end.", &[STR], Type::String, |call| {
        Ok(call.text(0).trim_end_matches(['\r', '\n']).into())
    }),
    plain(
        "endswith",
        "Whether a string ends with another.",
        &[STR, Parameter::new("suffix", Type::String)],
        Type::Bool,
        |call| Ok(call.text(0).ends_with(call.text(1)).into()),
    ),
    plain(
        "indent",
        "The string with a number of spaces after every line break.",
        &[Parameter::new("spaces", Type::Number), STR],
        Type::String,
        indent,
    ),
    plain(
        "join",
        "The elements of lists of strings, one after the other, with a separator between them.",
        &[Parameter::new("separator", Type::String)],
        Type::String,
        join,
    )
    .rest(Parameter::new("lists", Type::ListOfString)),
    plain("lower", "The string in lowercase.", &[STR], Type::String, |call| {
        Ok(call.text(0).chars().map(lowercase).collect::<String>().into())
    }),
    plain(
        "split",
        "The parts of a string between separators.",
        &[Parameter::new("separator", Type::String), STR],
        Type::ListOfString,
        split,
    ),
    plain(
        "startswith",
        "Whether a string begins with another.",
        &[STR.unknown(), Parameter::new("prefix", Type::String)],
        Type::Bool,
        starts_with,
    ),
    plain(
        "strcontains",
        "Whether a string stands anywhere in another.",
        &[STR, Parameter::new("substr", Type::String)],
        Type::Bool,
        |call| Ok(call.text(0).contains(call.text(1)).into()),
    )
    .may_be_null(),
    plain("strrev", "The characters of a string in reverse order.", &[STR], Type::String, |call| {
        Ok(call.text(0).graphemes(true).rev().collect::<String>().into())
    }),
    plain(
        "substr",
        "A part of a string by offset and length in characters. A negative offset counts from the end; a length of -1 means the rest.",
        &[STR, Parameter::new("offset", Type::Number), Parameter::new("length", Type::Number)],
        Type::String,
        substr,
    ),
    plain("title", "The string with the first letter of every word in uppercase.", &[STR], Type::String, |call| {
        Ok(title(call.text(0)).into())
    }),
    plain(
        "trim",
        "The string without the given characters at its start and end.",
        &[STR, Parameter::new("cutset", Type::String)],
        Type::String,
        |call| {
            let cutset: Vec<char> = call.text(1).chars().collect();
            Ok(call.text(0).trim_matches(cutset.as_slice()).into())
        },
    ),
    plain(
        "trimprefix",
        "The string without another at its start.",
        &[STR, Parameter::new("prefix", Type::String)],
        Type::String,
        |call| Ok(call.text(0).strip_prefix(call.text(1)).unwrap_or(call.text(0)).into()),
    ),
    plain(
        "trimspace",
        "The string without spaces and line breaks at its start and end.",
        &[STR],
        Type::String,
        |call| Ok(call.text(0).trim().into()),
    ),
    plain(
        "trimsuffix",
        "The string without another at its end.",
        &[STR, Parameter::new("suffix", Type::String)],
        Type::String,
        |call| Ok(call.text(0).strip_suffix(call.text(1)).unwrap_or(call.text(0)).into()),
    ),
    plain("upper", "The string in uppercase.", &[STR], Type::String, |call| {
        Ok(call.text(0).chars().map(uppercase).collect::<String>().into())
    }),
];

/// A known beginning of a string that is not known may decide.
fn starts_with(call: &Arguments<'_>) -> Result<Value, Failure> {
    let prefix = call.text(1);
    let Kind::Unknown(unknown) = call.values[0].kind() else { return Ok(call.text(0).starts_with(prefix).into()) };
    Ok(match &unknown.refinement.prefix {
        _ if prefix.is_empty() => true.into(),
        Some(known) if known.starts_with(prefix) => true.into(),
        Some(known) if known.len() >= prefix.len() => false.into(),
        _ => Value::unknown(ValueType::Bool),
    })
}

/// How many characters a string has.
pub(super) fn length(text: &str) -> usize {
    text.graphemes(true).count()
}

fn indent(call: &Arguments<'_>) -> Result<Value, Failure> {
    let spaces = usize::try_from(call.whole(0, None)?)
        .map_err(|_| Failure::argument(0, "the number of spaces must not be negative"))?;
    let text = call.text(1);
    let lines = text.matches('\n').count();
    if lines.saturating_mul(spaces) > LONGEST_INDENT {
        return Err(Failure::argument(0, "the indented text would be larger than 256 MiB"));
    }
    // Where no line is indented, nothing is repeated: the number may be any.
    let indent = if lines == 0 { String::new() } else { " ".repeat(spaces) };
    Ok(text.replace('\n', &format!("\n{indent}")).into())
}

/// Bytes that `indent` adds at most. A mistake in a number must not use up the memory.
const LONGEST_INDENT: usize = 256 << 20;

fn join(call: &Arguments<'_>) -> Result<Value, Failure> {
    let lists = &call.values[1..];
    if lists.is_empty() {
        return Err(Failure::call("at least one list is required"));
    }
    let mut items = Vec::new();
    for (position, list) in lists.iter().enumerate() {
        for (index, element) in list.as_slice().unwrap_or_default().iter().enumerate() {
            let Some(text) = element.as_str() else {
                let message = match lists.len() {
                    1 => format!("element {index} is null; cannot concatenate null values"),
                    _ => format!("element {index} of list {} is null; cannot concatenate null values", position + 1),
                };
                return Err(Failure::telling(
                    position + 1,
                    message,
                    "an element is null; cannot concatenate null values",
                ));
            };
            items.push(text);
        }
    }
    Ok(items.join(call.text(0)).into())
}

fn split(call: &Arguments<'_>) -> Result<Value, Failure> {
    let (separator, text) = (call.text(0), call.text(1));
    let parts: Vec<Value> = match separator {
        "" => text.chars().map(|character| Value::from(character.to_string())).collect(),
        separator => text.split(separator).map(Value::from).collect(),
    };
    Ok(Value::list(ValueType::String, parts))
}

fn substr(call: &Arguments<'_>) -> Result<Value, Failure> {
    let characters: Vec<&str> = call.text(0).graphemes(true).collect();
    let (offset, length) = (call.whole(1, None)?, call.whole(2, None)?);
    let total = characters.len() as i64;
    // An offset further back than the start counts from the start.
    let start = if offset < 0 { (offset + total).max(0) } else { offset.min(total) };
    let end = if length < 0 { total } else { start.saturating_add(length).min(total) };
    Ok(characters[start as usize..end as usize].concat().into())
}

/// Go's `strings.Title`, which Terraform uses.
fn title(text: &str) -> String {
    let separates = |c: char| match c {
        c if c.is_ascii() => !c.is_ascii_alphanumeric() && c != '_',
        c => !c.is_alphanumeric() && c.is_whitespace(),
    };
    let mut previous = ' ';
    let mut result = String::with_capacity(text.len());
    for character in text.chars() {
        if separates(previous) {
            result.push(titlecase(character));
        } else {
            result.push(character);
        }
        previous = character;
    }
    result
}

/// One character for one, as Terraform has it: a letter whose uppercase is two letters stays as it is.
fn uppercase(c: char) -> char {
    let mut upper = c.to_uppercase();
    match (upper.next(), upper.next()) {
        (Some(only), None) => only,
        _ => match c {
            // Greek vowels with iota subscript have a single capital, too.
            '\u{1f80}'..='\u{1f87}' | '\u{1f90}'..='\u{1f97}' | '\u{1fa0}'..='\u{1fa7}' => offset(c, 8),
            '\u{1fb3}' | '\u{1fc3}' | '\u{1ff3}' => offset(c, 9),
            _ => c,
        },
    }
}

fn lowercase(c: char) -> char {
    match c {
        // With a dot above, which is two characters in full.
        '\u{130}' => 'i',
        c => c.to_lowercase().next().unwrap_or(c),
    }
}

fn titlecase(c: char) -> char {
    match c {
        // Digraphs whose first letter alone is a capital.
        'Ǆ' | 'ǅ' | 'ǆ' => 'ǅ',
        'Ǉ' | 'ǈ' | 'ǉ' => 'ǈ',
        'Ǌ' | 'ǋ' | 'ǌ' => 'ǋ',
        'Ǳ' | 'ǲ' | 'ǳ' => 'ǲ',
        // Georgian writes titles without capitals.
        '\u{10d0}'..='\u{10fa}' | '\u{10fd}'..='\u{10ff}' => c,
        c => uppercase(c),
    }
}

fn offset(c: char, by: u32) -> char {
    char::from_u32(u32::from(c) + by).unwrap_or(c)
}

impl Arguments<'_> {
    /// A string argument, which the caller has converted and found known.
    pub(super) fn text(&self, index: usize) -> &str {
        self.values.get(index).and_then(Value::as_str).unwrap_or_default()
    }

    /// A number argument, likewise.
    pub(super) fn number(&self, index: usize) -> pipectl_core::Number {
        self.values.get(index).and_then(Value::as_number).cloned().unwrap_or(pipectl_core::Number::ZERO)
    }

    /// A number argument that must be a whole number. `blame` is the argument that a message names; else it names the function.
    pub(super) fn whole(&self, index: usize, blame: Option<usize>) -> Result<i64, Failure> {
        self.number(index).to_i64().ok_or_else(|| {
            const MESSAGE: &str = "value must be a whole number, between -9223372036854775808 and 9223372036854775807";
            Failure { argument: blame, message: MESSAGE.to_owned(), hidden: MESSAGE }
        })
    }

    /// The elements of a list, set or tuple argument.
    pub(super) fn elements(&self, index: usize) -> &[Value] {
        self.values.get(index).and_then(Value::as_slice).unwrap_or_default()
    }
}
