//! Rules that arguments must keep. Summaries and details are worded as in Terraform's provider framework.
//!
//! What is not known yet keeps every rule: it is judged again when it is known.

use pipectl_core::{Diagnostic, Diagnostics, Path, Value};

use crate::arguments::{integer, is_given, is_unknown, text};

fn invalid(summary: &str, name: &str, detail: String) -> Diagnostic {
    Diagnostic::error(summary, detail).on(Path::of(name))
}

fn list(names: &[&str]) -> String {
    names.join(",")
}

/// A whole number of at least `minimum`.
pub fn at_least(config: &Value, name: &str, minimum: i64) -> Diagnostics {
    let mut found = whole(config, name);
    if let Some(number) = integer(config, name)
        && number < minimum
    {
        let detail = format!("Attribute {name} value must be at least {minimum}, got: {number}.");
        found.push(invalid("Invalid Attribute Value", name, detail));
    }
    found
}

/// A whole number within 64 bits.
pub fn whole(config: &Value, name: &str) -> Diagnostics {
    let number = config.attribute(name).and_then(Value::as_number);
    let Some(number) = number.filter(|number| number.to_i64().is_none()) else { return Diagnostics::new() };
    let detail = format!("Attribute {name} value must be a whole number that fits in 64 bits, got: {number}.");
    invalid("Invalid Attribute Value", name, detail).into()
}

/// A whole number of at least the sum of others; absent ones count 0.
pub fn at_least_sum(config: &Value, name: &str, summands: &[&str]) -> Diagnostics {
    let Some(number) = integer(config, name) else { return Diagnostics::new() };
    if summands.iter().any(|summand| is_unknown(config, summand)) {
        return Diagnostics::new();
    }
    let sum = summands.iter().filter_map(|summand| integer(config, summand)).fold(0_i64, i64::saturating_add);
    if number >= sum {
        return Diagnostics::new();
    }
    let detail = format!("Attribute {name} value must be at least sum of {}, got: {number}.", summands.join(" + "));
    invalid("Invalid Attribute Value", name, detail).into()
}

/// One of some words.
pub fn one_of(config: &Value, name: &str, words: &[&str]) -> Diagnostics {
    match text(config, name) {
        Some(given) if !words.contains(&given) => {
            let known: Vec<String> = words.iter().map(|word| format!("{word:?}")).collect();
            let detail = format!("Attribute {name} value must be one of: [{}], got: {given:?}.", known.join(" "));
            invalid("Invalid Attribute Value Match", name, detail).into()
        }
        _ => Diagnostics::new(),
    }
}

/// Each element of a list one of some words.
pub fn each_one_of(config: &Value, name: &str, words: &[&str]) -> Diagnostics {
    let elements = config.attribute(name).and_then(Value::as_slice).unwrap_or_default();
    let wrong = elements.iter().enumerate().filter_map(|(index, element)| {
        let given = element.as_str().filter(|given| !words.contains(given))?;
        let detail = format!("Attribute {name}[{index}] value must be one of: [{}], got: {given:?}.", words.join(" "));
        Some(Diagnostic::error("Invalid Attribute Value Match", detail).on(Path::of(name).index(index)))
    });
    wrong.collect()
}

/// Exactly one of some arguments.
pub fn exactly_one_of(config: &Value, names: &[&str]) -> Diagnostics {
    let given: Vec<&&str> = names.iter().filter(|name| is_given(config, name)).collect();
    let all = list(names);
    match given.as_slice() {
        [] => Diagnostic::error(
            "Invalid Attribute Combination",
            format!("No attribute specified when one (and only one) of [{all}] is required."),
        )
        .into(),
        [_] => Diagnostics::new(),
        [first, .., last] => {
            // One that is not known yet may turn out null.
            if given.iter().any(|name| is_unknown(config, name)) {
                return Diagnostics::new();
            }
            let detail = format!(
                "{} attributes specified when one (and only one) of [{all}] is required: `{first}` and `{last}` are both there.",
                given.len()
            );
            invalid("Invalid Attribute Combination", last, detail).into()
        }
    }
}

/// At least one of some arguments.
pub fn at_least_one_of(config: &Value, names: &[&str]) -> Diagnostics {
    if names.iter().any(|name| is_given(config, name)) {
        return Diagnostics::new();
    }
    let detail = format!("At least one of these attributes must be configured: [{}].", list(names));
    Diagnostic::error("Missing Attribute Configuration", detail).into()
}

/// None of `others` beside `name`.
pub fn conflicts(config: &Value, name: &str, others: &[&str]) -> Diagnostics {
    if !is_given(config, name) || is_unknown(config, name) {
        return Diagnostics::new();
    }
    let beside = others.iter().filter(|other| is_given(config, other) && !is_unknown(config, other));
    beside
        .map(|other| {
            let detail = format!("Attribute {other:?} cannot be specified when {name:?} is specified.");
            invalid("Invalid Attribute Combination", name, detail)
        })
        .collect()
}

/// No more than one block of a type.
pub fn at_most_one_block(config: &Value, name: &str) -> Diagnostics {
    match config.attribute(name).and_then(Value::as_slice).map_or(0, <[Value]>::len) {
        0 | 1 => Diagnostics::new(),
        count => {
            let detail = format!("No more than 1 \"{name}\" block is allowed; there are {count}.");
            Diagnostic::error("Too many blocks", detail).on(Path::of(name).index(1)).into()
        }
    }
}

/// `other` too, where `name` is.
pub fn requires(config: &Value, name: &str, other: &str) -> Diagnostics {
    if !is_given(config, name) || is_given(config, other) {
        return Diagnostics::new();
    }
    let detail = format!("Attribute {other:?} must be specified when {name:?} is specified.");
    invalid("Invalid Attribute Combination", name, detail).into()
}

#[cfg(test)]
mod tests {
    use pipectl_core::Type;

    use super::*;

    fn config() -> Value {
        Value::object([
            ("one", Value::from(1)),
            ("half", Value::from("0.5".parse::<pipectl_core::Number>().expect("a number"))),
            ("word", Value::from("red")),
            ("later", Value::unknown(Type::String)),
            ("none", Value::null_of(Type::String)),
            ("words", Value::list(Type::String, ["red", "pink"].map(Value::from))),
        ])
    }

    #[test]
    fn each_rule_tells_right_from_wrong() {
        let config = &config();
        for (found, expected) in [
            (at_least(config, "one", 1), None),
            (at_least(config, "one", 2), Some("Attribute one value must be at least 2, got: 1.")),
            (at_least(config, "later", 2), None),
            (
                at_least(config, "half", 0),
                Some("Attribute half value must be a whole number that fits in 64 bits, got: 0.5."),
            ),
            (at_least_sum(config, "one", &["one", "none"]), None),
            (
                at_least_sum(config, "one", &["one", "one"]),
                Some("Attribute one value must be at least sum of one + one, got: 1."),
            ),
            (at_least_sum(config, "one", &["one", "one", "later"]), None),
            (one_of(config, "word", &["red"]), None),
            (
                one_of(config, "word", &["blue", "green"]),
                Some("Attribute word value must be one of: [\"blue\" \"green\"], got: \"red\"."),
            ),
            (one_of(config, "later", &["blue"]), None),
            (
                each_one_of(config, "words", &["red"]),
                Some("Attribute words[1] value must be one of: [red], got: \"pink\"."),
            ),
            (exactly_one_of(config, &["word", "none"]), None),
            (exactly_one_of(config, &["word", "later"]), None),
            (
                exactly_one_of(config, &["none"]),
                Some("No attribute specified when one (and only one) of [none] is required."),
            ),
            (
                exactly_one_of(config, &["word", "one"]),
                Some(
                    "2 attributes specified when one (and only one) of [word,one] is required: `word` and `one` are both there.",
                ),
            ),
            (at_least_one_of(config, &["none", "later"]), None),
            (
                at_least_one_of(config, &["none", "absent"]),
                Some("At least one of these attributes must be configured: [none,absent]."),
            ),
            (
                conflicts(config, "word", &["one", "none"]),
                Some("Attribute \"one\" cannot be specified when \"word\" is specified."),
            ),
            (conflicts(config, "word", &["none", "later"]), None),
            (requires(config, "word", "later"), None),
            (
                requires(config, "word", "none"),
                Some("Attribute \"none\" must be specified when \"word\" is specified."),
            ),
        ] {
            let details: Vec<&str> = found.iter().map(|found| found.detail.as_str()).collect();
            assert_eq!(details, Vec::from_iter(expected));
        }
    }
}
