//! `format` and `formatlist`: Go's verbs, as Terraform takes them.

use pipectl_core::convert::convert;
use pipectl_core::{Kind, Number, Refinement, Type as ValueType, Value};
use unicode_segmentation::UnicodeSegmentation;

use crate::evaluate::{certain_prefix, is_dynamic};
use crate::functions::ParameterType as Type;
use crate::functions::string::length;
use crate::functions::{Arguments, Failure, Function, Parameter, plain};

const FORMAT: Parameter = Parameter::new("format", Type::String);
const ARGS: Parameter = Parameter::new("args", Type::Any).nullable().unknown().dynamic();
const HIDDEN: &str = "a sensitive value does not fit its verb";

pub(super) const FUNCTIONS: &[Function] = &[
    plain(
        "format",
        "A string made from a format with verbs like %s and %d and a value for each.",
        &[FORMAT],
        Type::String,
        format,
    )
    .rest(ARGS)
    .returns("string", |arguments| Ok(dynamic_or(arguments, ValueType::String))),
    plain(
        "formatlist",
        "A list of strings made from a format, one for each element of the lists among the values.",
        &[FORMAT],
        Type::ListOfString,
        formatlist,
    )
    .rest(ARGS)
    .returns("list of strings", |arguments| Ok(dynamic_or(arguments, ValueType::list(ValueType::String)))),
];

/// Arguments of types that are not known may turn out to be wrong: then not even the result's type is known.
fn dynamic_or(arguments: &[Value], ty: ValueType) -> ValueType {
    if arguments.iter().any(is_dynamic) { ValueType::Any } else { ty }
}

fn format(call: &Arguments<'_>) -> Result<Value, Failure> {
    let pattern = call.text(0);
    if call.result == ValueType::Any {
        return Ok(Value::unknown(ValueType::Any));
    }
    if !call.values[1..].iter().all(Value::is_wholly_known) {
        let before = certain_prefix(pattern.split('%').next().unwrap_or_default());
        let prefix = (!before.is_empty()).then(|| before.into());
        return Ok(Value::refined(ValueType::String, Refinement { not_null: true, prefix, ..Refinement::default() }));
    }
    Ok(render(pattern, &call.values[1..])?.into())
}

fn formatlist(call: &Arguments<'_>) -> Result<Value, Failure> {
    let pattern = call.text(0);
    if call.result == ValueType::Any {
        return Ok(Value::unknown(ValueType::Any));
    }
    let arguments = &call.values[1..];
    let strings = |elements: Vec<Value>| Value::list(ValueType::String, elements);
    let mut rows: Option<(usize, usize)> = None;
    let mut known = true;
    for (index, argument) in arguments.iter().enumerate() {
        let listed = matches!(argument.ty(), ValueType::List(_) | ValueType::Set(_) | ValueType::Tuple(_))
            && !argument.is_null();
        let undetermined = matches!(argument.kind(), Kind::Set(..)) && !argument.is_wholly_known();
        match argument.as_slice().filter(|_| !undetermined) {
            Some(elements) => match rows {
                Some((chooser, count)) if count != elements.len() => {
                    let message = format!(
                        "argument {} has length {}, which is inconsistent with argument {} of length {count}",
                        index + 1,
                        elements.len(),
                        chooser + 1
                    );
                    return Err(Failure::telling(index + 1, message, "the lists have different lengths"));
                }
                Some(_) => {}
                None => rows = Some((index, elements.len())),
            },
            None if listed || crate::evaluate::is_dynamic(argument) => known = false,
            None => {}
        }
    }
    if !known {
        return Ok(Value::unknown(ValueType::list(ValueType::String)));
    }
    let count = rows.map_or(1, |(_, count)| count);
    let mut results = Vec::with_capacity(count);
    for row in 0..count {
        let pick =
            |argument: &Value| argument.as_slice().and_then(|elements| elements.get(row)).unwrap_or(argument).clone();
        let values: Vec<Value> = arguments.iter().map(pick).collect();
        if !values.iter().all(Value::is_wholly_known) {
            results.push(Value::refined(ValueType::String, Refinement { not_null: true, ..Refinement::default() }));
            continue;
        }
        let text = render(pattern, &values).map_err(|failure| {
            Failure::telling(None, format!("error on format iteration {row}: {}", failure.message), HIDDEN)
        })?;
        results.push(text.into());
    }
    Ok(strings(results))
}

/// One verb: `%[flags][width][.precision][\[index\]]letter`.
struct Verb<'a> {
    /// The whole of it, for messages.
    text: &'a str,
    offset: usize,
    letter: char,
    sharp: bool,
    zero: bool,
    plus: bool,
    minus: bool,
    space: bool,
    width: Option<usize>,
    precision: Option<usize>,
}

fn render(pattern: &str, values: &[Value]) -> Result<String, Failure> {
    let mut result = String::new();
    let mut at = 0;
    let mut next = 1;
    let mut highest = 0;
    while let Some(percent) = pattern[at..].find('%') {
        result.push_str(&pattern[at..at + percent]);
        let start = at + percent;
        if pattern[start + 1..].starts_with('%') {
            result.push('%');
            at = start + 2;
            continue;
        }
        let (verb, index) = parse(pattern, start, next)?;
        at = start + verb.text.len();
        highest = highest.max(index);
        let Some(value) = index.checked_sub(1).and_then(|index| values.get(index)) else {
            let message = format!(
                "not enough arguments for {:?} at {start}: need index {index} but have {} total",
                verb.text,
                values.len()
            );
            return Err(Failure::telling(None, message, "not enough arguments for a verb"));
        };
        append(&verb, value, &mut result)?;
        next = index + 1;
    }
    result.push_str(&pattern[at..]);
    if highest < values.len() {
        return Err(match highest {
            0 => Failure::argument(1, "too many arguments; no verbs in format string"),
            used => Failure::telling(
                used + 1,
                format!("too many arguments; only {used} used by format string"),
                "too many arguments",
            ),
        });
    }
    Ok(result)
}

/// Reads the verb at `start`; also gives the index of its argument, from 1.
fn parse(pattern: &str, start: usize, next: usize) -> Result<(Verb<'_>, usize), Failure> {
    let bytes = pattern.as_bytes();
    let mut at = start + 1;
    let mut verb = Verb {
        text: "",
        offset: start,
        letter: ' ',
        sharp: false,
        zero: false,
        plus: false,
        minus: false,
        space: false,
        width: None,
        precision: None,
    };
    let number = |at: &mut usize| {
        let begin = *at;
        while bytes.get(*at).is_some_and(u8::is_ascii_digit) {
            *at += 1;
        }
        pattern[begin..*at].parse::<usize>().ok().map(|number| number.min(4096))
    };
    loop {
        match bytes.get(at) {
            Some(b'0') => verb.zero = true,
            Some(b'#') => verb.sharp = true,
            Some(b'-') => verb.minus = true,
            Some(b'+') => verb.plus = true,
            Some(b' ') => verb.space = true,
            _ => break,
        }
        at += 1;
    }
    verb.width = number(&mut at);
    if bytes.get(at) == Some(&b'.') {
        at += 1;
        verb.precision = Some(number(&mut at).unwrap_or(0));
    }
    let mut index = next;
    if bytes.get(at) == Some(&b'[') {
        at += 1;
        if bytes.get(at) == Some(&b'0') {
            // They are counted from one.
            return Err(unrecognized(pattern, at));
        }
        index = number(&mut at).unwrap_or(0);
        if bytes.get(at) == Some(&b']') && index > 0 {
            at += 1;
        } else {
            return Err(unrecognized(pattern, at));
        }
    }
    match bytes.get(at) {
        Some(letter) if letter.is_ascii_alphabetic() => {
            verb.letter = char::from(*letter);
            verb.text = &pattern[start..=at];
            Ok((verb, index))
        }
        _ => Err(unrecognized(pattern, at)),
    }
}

fn unrecognized(pattern: &str, at: usize) -> Failure {
    let message = match pattern[at..].chars().next() {
        Some(character) => format!("unrecognized format character {character:?} at offset {at}"),
        None => format!("invalid format string starting at offset {at}"),
    };
    Failure::telling(None, message, "invalid format string")
}

fn append(verb: &Verb<'_>, value: &Value, result: &mut String) -> Result<(), Failure> {
    let unsupported = |problem: String| {
        Failure::telling(None, format!("unsupported value for {:?} at {}: {problem}", verb.text, verb.offset), HIDDEN)
    };
    let converted = |ty: &ValueType| convert(value, ty).map_err(|error| unsupported(error.to_string()));
    if verb.letter != 'v' && value.is_null() {
        return Err(unsupported("null value cannot be formatted".to_owned()));
    }
    let text = match verb.letter {
        'v' => match value.kind() {
            Kind::String(text) if !verb.sharp => padded(verb, text),
            Kind::Number(number) if !verb.sharp => padded(verb, &number.to_general(None, 'e')),
            _ => padded(verb, &Arguments::json(value)),
        },
        't' => converted(&ValueType::Bool)?.as_bool().unwrap_or(false).to_string(),
        'b' | 'd' | 'o' | 'x' | 'X' => {
            let number = converted(&ValueType::Number)?.as_number().cloned().unwrap_or(Number::ZERO);
            if !number.is_whole() {
                return Err(unsupported("an integer is required".to_owned()));
            }
            integer(verb, &number)
        }
        'e' | 'E' | 'f' | 'g' | 'G' => {
            let number = converted(&ValueType::Number)?.as_number().cloned().unwrap_or(Number::ZERO);
            float(verb, &number)
        }
        's' | 'q' => {
            let text = converted(&ValueType::String)?;
            let text = text.as_str().unwrap_or_default();
            let cut: String = match verb.precision {
                Some(precision) if precision > 0 => text.graphemes(true).take(precision).collect(),
                _ => text.to_owned(),
            };
            if verb.letter == 's' { padded(verb, &cut) } else { padded(verb, &Arguments::json(&Value::from(cut))) }
        }
        other => {
            let message = format!("unsupported format verb {other:?} in {:?} at offset {}", verb.text, verb.offset);
            return Err(Failure::telling(None, message, "unsupported format verb"));
        }
    };
    result.push_str(&text);
    Ok(())
}

/// Spaces (or zeros) up to the width, as Terraform adds them to strings.
fn padded(verb: &Verb<'_>, text: &str) -> String {
    let missing = verb.width.unwrap_or(0).saturating_sub(length(text));
    let padding = if verb.zero { "0" } else { " " }.repeat(missing);
    if verb.minus { format!("{text}{padding}") } else { format!("{padding}{text}") }
}

/// Sign, prefix, digits and padding, as Go adds them to numbers.
fn assembled(verb: &Verb<'_>, negative: bool, prefix: &str, digits: &str) -> String {
    let sign = if negative {
        "-"
    } else if verb.plus {
        "+"
    } else if verb.space {
        " "
    } else {
        ""
    };
    let bare = format!("{sign}{prefix}{digits}");
    let missing = verb.width.unwrap_or(0).saturating_sub(bare.chars().count());
    if verb.minus {
        format!("{bare}{}", " ".repeat(missing))
    } else if verb.zero && verb.precision.is_none_or(|_| !matches!(verb.letter, 'b' | 'd' | 'o' | 'x' | 'X')) {
        format!("{sign}{prefix}{}{digits}", "0".repeat(missing))
    } else {
        format!("{}{bare}", " ".repeat(missing))
    }
}

fn integer(verb: &Verb<'_>, number: &Number) -> String {
    // All digits: the number's own text is rounded where the number is a computed double.
    let decimal = number.magnitude().to_fixed(0);
    let (radix, prefix) = match verb.letter {
        'b' => (2, "0b"),
        'o' => (8, "0"),
        'x' => (16, "0x"),
        'X' => (16, "0X"),
        _ => (10, ""),
    };
    if verb.precision == Some(0) && number.signum() == 0 {
        // As in C, not even the width counts here.
        return String::new();
    }
    let mut digits = if radix == 10 { decimal } else { in_radix(&decimal, radix) };
    if verb.letter == 'X' {
        digits = digits.to_uppercase();
    }
    if let Some(precision) = verb.precision {
        digits = format!("{}{digits}", "0".repeat(precision.saturating_sub(digits.len())));
    }
    assembled(verb, number.signum() < 0, if verb.sharp { prefix } else { "" }, &digits)
}

/// Decimal digits in another radix, by long division.
fn in_radix(decimal: &str, radix: u32) -> String {
    let mut digits: Vec<u32> = decimal.chars().filter_map(|digit| digit.to_digit(10)).collect();
    let mut result = Vec::new();
    while digits.iter().any(|digit| *digit != 0) {
        let mut remainder = 0;
        for digit in &mut digits {
            let value = remainder * 10 + *digit;
            *digit = value / radix;
            remainder = value % radix;
        }
        result.push(char::from_digit(remainder, radix).unwrap_or('0'));
    }
    if result.is_empty() {
        result.push('0');
    }
    result.iter().rev().collect()
}

fn float(verb: &Verb<'_>, number: &Number) -> String {
    let digits = match (number.is_finite(), verb.letter) {
        (false, _) => {
            let plain = Verb { text: verb.text, zero: false, ..*verb };
            return assembled(
                &plain,
                number.signum() < 0,
                if number.signum() > 0 && !verb.plus { "+" } else { "" },
                "Inf",
            );
        }
        (true, 'f') => number.magnitude().to_fixed(verb.precision.unwrap_or(6)),
        (true, 'e' | 'E') => number.magnitude().to_scientific(verb.precision.unwrap_or(6), verb.letter),
        (true, letter) => {
            let exponent = if letter == 'G' { 'E' } else { 'e' };
            number.magnitude().to_general(verb.precision, exponent)
        }
    };
    assembled(verb, number.is_sign_negative(), "", &digits)
}
