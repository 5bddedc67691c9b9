//! Functions of numbers.

use pipectl_core::{Number, Value};

use crate::functions::ParameterType as Type;
use crate::functions::{Arguments, Failure, Function, Parameter, plain};

const NUM: Parameter = Parameter::new("num", Type::Number);

pub(super) const FUNCTIONS: &[Function] = &[
    plain("abs", "The magnitude of a number.", &[NUM], Type::Number, |call| Ok(call.number(0).magnitude().into())),
    plain("ceil", "The least whole number that is not less than the given one.", &[NUM], Type::Number, |call| {
        Ok(call.number(0).ceil().into())
    }),
    plain("floor", "The greatest whole number that is not greater than the given one.", &[NUM], Type::Number, |call| {
        Ok(call.number(0).floor().into())
    }),
    plain(
        "log",
        "The logarithm of a number to a base.",
        &[NUM, Parameter::new("base", Type::Number)],
        Type::Number,
        |call| float(call.number(0).to_f64().ln() / call.number(1).to_f64().ln()),
    ),
    plain(
        "pow",
        "A number to the power of another.",
        &[NUM, Parameter::new("power", Type::Number)],
        Type::Number,
        |call| float(call.number(0).to_f64().powf(call.number(1).to_f64())),
    ),
    plain("signum", "-1, 0 or 1: the sign of a whole number.", &[NUM], Type::Number, |call| {
        Ok(Value::from(call.whole(0, None)?.signum()))
    }),
    plain(
        "parseint",
        "A whole number read from a string in a base from 2 to 62.",
        &[Parameter::new("number", Type::Any), Parameter::new("base", Type::Number)],
        Type::Number,
        parseint,
    )
    .returns("number", |arguments| match arguments[0].ty() {
        pipectl_core::Type::String => Ok(pipectl_core::Type::Number),
        other => {
            let message = format!("first argument must be a string, not {}", other.friendly_name());
            Err(Failure::telling(0, message, "first argument must be a string"))
        }
    }),
    plain("max", "The greatest of some numbers.", &[], Type::Number, |call| extreme(call, |a, b| a > b)).rest(NUMBERS),
    plain("min", "The least of some numbers.", &[], Type::Number, |call| extreme(call, |a, b| a < b)).rest(NUMBERS),
];

const NUMBERS: Parameter = Parameter::new("numbers", Type::Number);

fn extreme(call: &Arguments<'_>, better: fn(&Number, &Number) -> bool) -> Result<Value, Failure> {
    let best = (0..call.values.len())
        .map(|index| call.number(index))
        .reduce(|best, next| if better(&next, &best) { next } else { best });
    best.map(Value::from).ok_or_else(|| Failure::call("must pass at least one number"))
}

/// What a computation with doubles gives. Whole results are exact; Terraform writes those beyond 2^53 with its shortest digits.
fn float(result: f64) -> Result<Value, Failure> {
    let number = match result.fract() == 0.0 && result.is_finite() {
        true => format!("{result:.0}").parse().ok(),
        false => Number::from_f64(result),
    };
    number.map(Value::from).ok_or_else(|| Failure::call("the result is not a number"))
}

fn parseint(call: &Arguments<'_>) -> Result<Value, Failure> {
    let base = call.whole(1, Some(1))?;
    if !(2..=62).contains(&base) {
        return Err(Failure::argument(1, "base must be a whole number between 2 and 62 inclusive"));
    }
    let text = call.text(0);
    let wrong = || {
        Failure::telling(
            0,
            format!("cannot parse {text:?} as a base {base} integer"),
            "cannot parse the sensitive value as an integer in this base",
        )
    };
    let (negative, digits) = match text.strip_prefix(['-', '+']) {
        Some(digits) => (text.starts_with('-'), digits),
        None => (false, text),
    };
    if digits.is_empty() {
        return Err(wrong());
    }
    let mut sum = Number::ZERO;
    for digit in digits.chars() {
        let value = match digit {
            '0'..='9' => i64::from(u32::from(digit) - u32::from('0')),
            'a'..='z' => i64::from(u32::from(digit) - u32::from('a')) + 10,
            'A'..='Z' if base <= 36 => i64::from(u32::from(digit) - u32::from('A')) + 10,
            'A'..='Z' => i64::from(u32::from(digit) - u32::from('A')) + 36,
            _ => return Err(wrong()),
        };
        if value >= base {
            return Err(wrong());
        }
        let next = sum.multiply(&Number::from(base)).and_then(|product| product.add(&Number::from(value)));
        sum = next.map_err(|_| wrong())?;
    }
    Ok(Value::from(if negative { sum.negate() } else { sum }))
}
