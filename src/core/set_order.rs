//! The text by which Terraform sorts collections and structures in sets: it shows wherever such a set is listed.

use crate::{Kind, Value};

/// Digits of a number that count.
const DIGITS: usize = 10;

/// Appends the text of a value.
pub(crate) fn append(value: &Value, text: &mut String) {
    match value.kind() {
        Kind::Unknown(_) => text.push('?'),
        Kind::Null(_) => text.push('~'),
        Kind::Bool(flag) => text.push(if *flag { 'T' } else { 'F' }),
        Kind::Number(number) => text.push_str(&number.to_general(Some(DIGITS), 'e')),
        Kind::String(string) => text.push_str(&format!("{:?}", &**string)),
        Kind::List(_, elements) | Kind::Set(_, elements) => each(elements.iter(), ['[', ']'], text),
        Kind::Tuple(elements) => each(elements.iter(), ['<', '>'], text),
        Kind::Object(attributes) => each(attributes.values(), ['<', '>'], text),
        Kind::Map(_, attributes) => {
            text.push('{');
            for (name, value) in attributes.iter() {
                text.push_str(&format!("{name:?}:"));
                append(value, text);
                text.push(';');
            }
            text.push('}');
        }
    }
}

fn each<'a>(values: impl Iterator<Item = &'a Value>, [open, close]: [char; 2], text: &mut String) {
    text.push(open);
    for value in values {
        append(value, text);
        text.push(';');
    }
    text.push(close);
}
