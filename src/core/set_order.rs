//! The text by which Terraform sorts collections and structures in sets: it shows wherever such a set is listed.

use crate::{Kind, Number, Value};

/// Digits of a number that count.
const DIGITS: usize = 10;

/// Appends the text of a value.
pub(crate) fn append(value: &Value, text: &mut String) {
    match value.kind() {
        Kind::Unknown(_) => text.push('?'),
        Kind::Null(_) => text.push('~'),
        Kind::Bool(flag) => text.push(if *flag { 'T' } else { 'F' }),
        Kind::Number(number) => text.push_str(&general(number)),
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

/// Go's `%.10g`.
fn general(number: &Number) -> String {
    let Some((negative, digits, exponent)) = number.to_significant(DIGITS) else { return number.to_string() };
    let digits = match digits.trim_end_matches('0') {
        "" => "0",
        digits => digits,
    };
    let sign = if negative { "-" } else { "" };
    let length = digits.len() as i64;
    let limit = if length > exponent { length } else { DIGITS as i64 };
    if exponent < -4 || exponent >= limit {
        let (first, rest) = digits.split_at(1);
        let point = if rest.is_empty() { "" } else { "." };
        return format!("{sign}{first}{point}{rest}e{}{:02}", if exponent < 0 { '-' } else { '+' }, exponent.abs());
    }
    if exponent < 0 {
        return format!("{sign}0.{}{digits}", "0".repeat((-exponent - 1) as usize));
    }
    let whole = exponent as usize + 1;
    match digits.len() <= whole {
        true => format!("{sign}{digits}{}", "0".repeat(whole - digits.len())),
        false => format!("{sign}{}.{}", &digits[..whole], &digits[whole..]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_ten_digits() {
        for (text, expected) in [
            ("0", "0"),
            ("100", "100"),
            ("-1.5", "-1.5"),
            ("0.001", "0.001"),
            ("0.00001", "1e-05"),
            ("12345678901", "1.23456789e+10"),
            ("1e30", "1e+30"),
            ("1234.56789012", "1234.56789"),
        ] {
            assert_eq!(general(&text.parse().expect("a number")), expected);
        }
    }
}
