//! Functions of numbers.

use std::cmp::Ordering;

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
        |call| float(ln(double(call, 0)?) / ln(double(call, 1)?)),
    ),
    plain(
        "pow",
        "A number to the power of another.",
        &[NUM, Parameter::new("power", Type::Number)],
        Type::Number,
        |call| float(power(double(call, 0)?, double(call, 1)?)),
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
    plain("max", "The greatest of some numbers.", &[], Type::Number, |call| extreme(call, Ordering::is_gt))
        .rest(NUMBERS),
    plain("min", "The least of some numbers.", &[], Type::Number, |call| extreme(call, Ordering::is_lt)).rest(NUMBERS),
];

const NUMBERS: Parameter = Parameter::new("numbers", Type::Number);

fn extreme(call: &Arguments<'_>, better: fn(Ordering) -> bool) -> Result<Value, Failure> {
    let best = (0..call.values.len())
        .map(|index| call.number(index))
        .reduce(|best, next| if better(next.compare_exactly(&best)) { next } else { best });
    best.map(Value::from).ok_or_else(|| Failure::call("must pass at least one number"))
}

/// The natural logarithm with the last bit that Terraform has: fdlibm's `__ieee754_log`, which libraries no longer agree with.
///
/// With x = 2^k (1 + f) and s = f / (2 + f), log(1 + f) is 2s + 2/3 s^3 + ..., of which a polynomial makes the tail.
fn ln(x: f64) -> f64 {
    const LN2_HIGH: f64 = 6.931_471_803_691_238e-1;
    const LN2_LOW: f64 = 1.908_214_929_270_587_7e-10;
    const TAIL: [f64; 7] = [
        6.666_666_666_666_735e-1,
        3.999_999_999_940_942e-1,
        2.857_142_874_366_239e-1,
        2.222_219_843_214_978_4e-1,
        1.818_357_216_161_805e-1,
        1.531_383_769_920_937_3e-1,
        1.479_819_860_511_658_6e-1,
    ];
    if !x.is_finite() || x <= 0.0 || x.is_subnormal() {
        return x.ln();
    }
    // The fraction in [1/2, 1) and its exponent, then the fraction in [sqrt(2)/2, sqrt(2)).
    let mut exponent = ((x.to_bits() >> 52) as i32 - 1022) as f64;
    let mut fraction = f64::from_bits(x.to_bits() & 0x000f_ffff_ffff_ffff | 0x3fe0_0000_0000_0000);
    if fraction < std::f64::consts::SQRT_2 / 2.0 {
        fraction *= 2.0;
        exponent -= 1.0;
    }
    let f = fraction - 1.0;
    let s = f / (2.0 + f);
    let s2 = s * s;
    let s4 = s2 * s2;
    let odd = s2 * (TAIL[0] + s4 * (TAIL[2] + s4 * (TAIL[4] + s4 * TAIL[6])));
    let even = s4 * (TAIL[1] + s4 * (TAIL[3] + s4 * TAIL[5]));
    let half = 0.5 * f * f;
    exponent * LN2_HIGH - ((half - (s * (half + (odd + even)) + exponent * LN2_LOW)) - f)
}

/// e to a power with the last bit that Terraform has on the common machines.
///
/// N. Shibata, "Efficient evaluation methods of elementary functions suitable for SIMD computation" (2010): the power is reduced by whole
/// powers of two and then by 16, the series gives e^x - 1, and four doublings of the power undo the 16.
fn exp(x: f64) -> f64 {
    const LN2_HIGH: f64 = 0.693147180559663;
    const LN2_LOW: f64 = 2.8235290563031577e-13;
    let doublings = (x * std::f64::consts::LOG2_E).round_ties_even();
    let reduced = (-doublings).mul_add(LN2_LOW, (-doublings).mul_add(LN2_HIGH, x)) * 0.0625;
    let series = (2..=8).rev().fold(1.0, |factorial: f64, n| factorial * f64::from(n));
    let mut sum = 1.0 / series;
    let mut factorial = series;
    for n in (2..=8).rev() {
        factorial /= f64::from(n);
        sum = sum.mul_add(reduced, 1.0 / factorial);
    }
    let mut less_one = reduced * sum;
    for _ in 0..3 {
        less_one *= less_one + 2.0;
    }
    less_one.mul_add(less_one + 2.0, 1.0) * 2_f64.powi(doublings as i32)
}

/// A power with the last bits that Terraform has: by squaring the mantissa, which rounds where `powf` does not.
fn power(x: f64, y: f64) -> f64 {
    /// A magnitude from which the exponent of a double can no longer come back.
    const FAR: i64 = 1 << 12;
    if y == 0.5 && x > 0.0 {
        return x.sqrt();
    }
    if y == -0.5 && x > 0.0 {
        return 1.0 / x.sqrt();
    }
    let (mut whole, mut part) = (y.abs().trunc(), y.abs().fract());
    if !x.is_finite()
        || !y.is_finite()
        || x == 0.0
        || x == 1.0
        || x.is_subnormal()
        || whole >= 1e15
        || (part != 0.0 && x < 0.0)
    {
        return x.powf(y);
    }
    let mut result = 1.0;
    let mut result_exponent = 0;
    if part != 0.0 {
        if part > 0.5 {
            part -= 1.0;
            whole += 1.0;
        }
        result = exp(part * ln(x));
    }
    let mut exponent = (x.abs().to_bits() >> 52) as i64 - 1022;
    let mut mantissa = f64::from_bits(x.to_bits() & 0x800f_ffff_ffff_ffff | 0x3fe0_0000_0000_0000);
    let mut left = whole as u64;
    while left != 0 {
        if exponent.abs() > FAR {
            result_exponent += exponent;
            break;
        }
        if left & 1 == 1 {
            result *= mantissa;
            result_exponent += exponent;
        }
        mantissa *= mantissa;
        exponent *= 2;
        if mantissa < 0.5 {
            mantissa += mantissa;
            exponent -= 1;
        }
        left >>= 1;
    }
    if y < 0.0 {
        result = 1.0 / result;
        result_exponent = -result_exponent;
    }
    // In two steps, so that a result below the least normal double is rounded once.
    let steps = [result_exponent / 2, result_exponent - result_exponent / 2];
    steps.iter().fold(result, |result, step| result * 2_f64.powi((*step).clamp(-1022, 1023) as i32))
}

/// An argument as a double, which must not be too large for one.
fn double(call: &Arguments<'_>, index: usize) -> Result<f64, Failure> {
    let number = call.number(index);
    let double = number.to_f64();
    if double.is_infinite() && number.is_finite() {
        let most = f64::MAX;
        let message = format!("value must be between {:.6} and {most:.6} inclusive", -most);
        return Err(Failure::telling(None, message, "the value is too large for a double"));
    }
    Ok(double)
}

/// What a computation with doubles gives.
fn float(result: f64) -> Result<Value, Failure> {
    Number::from_computed_f64(result).map(Value::from).ok_or_else(|| Failure::call("the result is not a number"))
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
    // What is read here is a whole number, so that zero has no sign.
    Ok(Value::from(if negative && sum.signum() != 0 { sum.negate() } else { sum }))
}
