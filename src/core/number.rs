//! Numbers as Terraform computes with them: binary floating point with a 512-bit mantissa, half to even.
//!
//! Small integers, nearly all numbers in practice, take a path through `i64`. Infinities are values (`1/0`), not-a-number is not.
//! The text of a number is the shortest decimal that reads back as the same 512-bit value.

use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::str::FromStr;

use dashu_base::{Abs, Sign};
use dashu_float::FBig;
use dashu_float::round::mode::HalfEven;
use dashu_int::IBig;

/// Bits of the mantissa.
pub const PRECISION: usize = 512;
/// Decimal digits that are always enough to tell two 512-bit mantissas apart.
const MAX_DECIMAL_DIGITS: usize = 156;
/// Exponents beyond this are refused, so that `1e999999999` cannot exhaust memory.
const MAX_DECIMAL_EXPONENT: i64 = 20_000;

type Binary = FBig<HalfEven, 2>;
type Decimal = FBig<HalfEven, 10>;

/// A number of the language.
#[derive(Clone)]
pub struct Number(Repr);

#[derive(Clone)]
enum Repr {
    Small(i64),
    /// Finite, not representable as `Small`.
    Big(Box<Binary>),
    Infinity,
    NegativeInfinity,
}

/// Why a text or an operation gives no number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NumberError {
    /// The text is not a decimal number.
    #[error("a number is required")]
    Syntax,
    /// The exponent is out of the supported range.
    #[error("number is out of range")]
    Range,
    /// `0/0`, `Inf - Inf` and their kin.
    #[error("the result is not a number")]
    NotANumber,
}

impl Number {
    /// Zero.
    pub const ZERO: Number = Number(Repr::Small(0));
    /// Positive infinity.
    pub const INFINITY: Number = Number(Repr::Infinity);
    /// Negative infinity.
    pub const NEGATIVE_INFINITY: Number = Number(Repr::NegativeInfinity);

    /// A number from a double. Not-a-number gives `None`.
    pub fn from_f64(value: f64) -> Option<Self> {
        if value.is_nan() {
            return None;
        }
        if value.is_infinite() {
            return Some(if value > 0.0 { Self::INFINITY } else { Self::NEGATIVE_INFINITY });
        }
        // The shortest decimal of the double is what a person means by it: 0.1 is a tenth, not 0.1000000000000000055.
        Self::from_str(&format!("{value:e}")).ok()
    }

    /// The nearest double.
    pub fn to_f64(&self) -> f64 {
        match &self.0 {
            Repr::Small(value) => *value as f64,
            Repr::Big(value) => value.to_f64().value(),
            Repr::Infinity => f64::INFINITY,
            Repr::NegativeInfinity => f64::NEG_INFINITY,
        }
    }

    /// The number as `i64` when it is a whole number in that range.
    pub fn to_i64(&self) -> Option<i64> {
        match &self.0 {
            Repr::Small(value) => Some(*value),
            Repr::Big(_) | Repr::Infinity | Repr::NegativeInfinity => None,
        }
    }

    /// The number as `usize` when it is a whole number in that range.
    pub fn to_usize(&self) -> Option<usize> {
        self.to_i64().and_then(|value| usize::try_from(value).ok())
    }

    /// The number as `u64` when it is a whole number in that range.
    pub fn to_u64(&self) -> Option<u64> {
        self.to_i64().and_then(|value| u64::try_from(value).ok())
    }

    /// Whether the number has no fractional part. Infinities are not whole.
    pub fn is_whole(&self) -> bool {
        match &self.0 {
            Repr::Small(_) => true,
            Repr::Big(value) => value.repr().is_int(),
            Repr::Infinity | Repr::NegativeInfinity => false,
        }
    }

    /// Whether the number is neither infinity.
    pub fn is_finite(&self) -> bool {
        matches!(self.0, Repr::Small(_) | Repr::Big(_))
    }

    /// -1, 0 or 1.
    pub fn signum(&self) -> i32 {
        match &self.0 {
            Repr::Small(value) => value.signum() as i32,
            Repr::Big(value) => match value.sign() {
                Sign::Positive => 1,
                Sign::Negative => -1,
            },
            Repr::Infinity => 1,
            Repr::NegativeInfinity => -1,
        }
    }

    /// Sum.
    pub fn add(&self, other: &Self) -> Result<Self, NumberError> {
        if let (Repr::Small(a), Repr::Small(b)) = (&self.0, &other.0)
            && let Some(sum) = a.checked_add(*b)
        {
            return Ok(Self::from(sum));
        }
        match (self.is_finite(), other.is_finite()) {
            (true, true) => Ok(Self::from_binary(self.binary() + other.binary())),
            (false, true) => Ok(self.clone()),
            (true, false) => Ok(other.clone()),
            (false, false) if self.signum() == other.signum() => Ok(self.clone()),
            (false, false) => Err(NumberError::NotANumber),
        }
    }

    /// Difference.
    pub fn subtract(&self, other: &Self) -> Result<Self, NumberError> {
        self.add(&other.negate())
    }

    /// Product.
    pub fn multiply(&self, other: &Self) -> Result<Self, NumberError> {
        if let (Repr::Small(a), Repr::Small(b)) = (&self.0, &other.0)
            && let Some(product) = a.checked_mul(*b)
        {
            return Ok(Self::from(product));
        }
        if self.is_finite() && other.is_finite() {
            return Ok(Self::from_binary(self.binary() * other.binary()));
        }
        match self.signum() * other.signum() {
            0 => Err(NumberError::NotANumber),
            sign if sign > 0 => Ok(Self::INFINITY),
            _ => Ok(Self::NEGATIVE_INFINITY),
        }
    }

    /// Quotient. A finite number over zero is an infinity, as in Terraform.
    pub fn divide(&self, other: &Self) -> Result<Self, NumberError> {
        if let (Repr::Small(a), Repr::Small(b)) = (&self.0, &other.0)
            && *b != 0
            && a.checked_rem(*b) == Some(0)
        {
            return Ok(Self::from(a / b));
        }
        match (self.is_finite(), other.is_finite()) {
            (false, false) => Err(NumberError::NotANumber),
            (true, false) => Ok(Self::ZERO),
            (finite, true) => {
                if other.signum() == 0 || !finite {
                    let sign = self.signum() * if other.signum() < 0 { -1 } else { 1 };
                    return match sign {
                        0 => Err(NumberError::NotANumber),
                        sign if sign > 0 => Ok(Self::INFINITY),
                        _ => Ok(Self::NEGATIVE_INFINITY),
                    };
                }
                Ok(Self::from_binary(self.binary() / other.binary()))
            }
        }
    }

    /// Remainder with the sign of the dividend. A remainder by zero is the dividend, as in Terraform.
    pub fn remainder(&self, other: &Self) -> Result<Self, NumberError> {
        if !self.is_finite() {
            return Err(NumberError::NotANumber);
        }
        if !other.is_finite() || other.signum() == 0 {
            return Ok(self.clone());
        }
        if let (Repr::Small(a), Repr::Small(b)) = (&self.0, &other.0) {
            return Ok(Self::from(a.checked_rem(*b).unwrap_or(0)));
        }
        let quotient = (self.binary() / other.binary()).trunc();
        Ok(Self::from_binary(self.binary() - quotient * other.binary()))
    }

    /// The number with the other sign.
    pub fn negate(&self) -> Self {
        match &self.0 {
            Repr::Small(value) => match value.checked_neg() {
                Some(negated) => Self::from(negated),
                None => Self::from_binary(-self.binary()),
            },
            Repr::Big(value) => Self::from_binary(-(**value).clone()),
            Repr::Infinity => Self::NEGATIVE_INFINITY,
            Repr::NegativeInfinity => Self::INFINITY,
        }
    }

    /// The magnitude.
    pub fn magnitude(&self) -> Self {
        if self.signum() < 0 { self.negate() } else { self.clone() }
    }

    /// The greatest whole number not above.
    pub fn floor(&self) -> Self {
        match &self.0 {
            Repr::Big(value) => Self::from_binary(value.floor()),
            Repr::Small(_) | Repr::Infinity | Repr::NegativeInfinity => self.clone(),
        }
    }

    /// The least whole number not below.
    pub fn ceil(&self) -> Self {
        match &self.0 {
            Repr::Big(value) => Self::from_binary(value.ceil()),
            Repr::Small(_) | Repr::Infinity | Repr::NegativeInfinity => self.clone(),
        }
    }

    fn binary(&self) -> Binary {
        match &self.0 {
            Repr::Small(value) => binary_from_integer(IBig::from(*value)),
            Repr::Big(value) => (**value).clone(),
            Repr::Infinity | Repr::NegativeInfinity => unreachable!("infinities are handled before arithmetic"),
        }
    }

    fn from_binary(value: Binary) -> Self {
        if value.repr().is_int()
            && value.clone().abs() < binary_from_integer(IBig::from(1u128 << 64))
            && let Ok(whole) = IBig::try_from(value.clone())
            && let Ok(small) = i64::try_from(whole)
        {
            return Number(Repr::Small(small));
        }
        Number(Repr::Big(Box::new(value)))
    }
}

fn binary_from_integer(value: IBig) -> Binary {
    Binary::from(value).with_precision(PRECISION).value()
}

fn parse_decimal(text: &str) -> Result<Binary, NumberError> {
    let decimal = Decimal::from_str(text).map_err(|_| NumberError::Syntax)?;
    let digits = decimal.digits().max(1);
    // Working precision beyond the 512 bits keeps the conversion of long texts correctly rounded.
    let exact = decimal.with_precision(digits).value();
    Ok(exact.with_base_and_precision::<2>(PRECISION).value())
}

impl FromStr for Number {
    type Err = NumberError;

    fn from_str(text: &str) -> Result<Self, NumberError> {
        if let Ok(small) = text.parse::<i64>() {
            return if text.starts_with('+') { Err(NumberError::Syntax) } else { Ok(Self::from(small)) };
        }
        let unsigned = text.strip_prefix('-').unwrap_or(text);
        let mut parts = unsigned.splitn(2, ['e', 'E']);
        let mantissa = parts.next().unwrap_or("");
        let valid = mantissa.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.')
            && mantissa.bytes().next().is_some_and(|byte| byte.is_ascii_digit())
            && !mantissa.ends_with('.')
            && mantissa.bytes().filter(|byte| *byte == b'.').count() <= 1;
        if !valid {
            return Err(NumberError::Syntax);
        }
        if let Some(exponent) = parts.next() {
            let exponent = exponent.parse::<i64>().map_err(|_| NumberError::Syntax)?;
            if exponent.abs() > MAX_DECIMAL_EXPONENT {
                return Err(NumberError::Range);
            }
        }
        Ok(Self::from_binary(parse_decimal(text)?))
    }
}

impl fmt::Display for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Repr::Small(value) => write!(f, "{value}"),
            Repr::Infinity => f.write_str("Infinity"),
            Repr::NegativeInfinity => f.write_str("-Infinity"),
            Repr::Big(value) => f.write_str(&shortest(value)),
        }
    }
}

/// The shortest decimal text, without an exponent, that reads back as `value`.
fn shortest(value: &Binary) -> String {
    let reads_back = |digits: usize| -> Option<String> {
        let text = positional(&value.clone().with_base_and_precision::<10>(digits).value());
        (parse_decimal(&text).ok()? == *value).then_some(text)
    };
    // Doubles and hand-written decimals are short; the rest is found by bisection.
    for digits in [1, 2, 3, 4, 6, 9, 17] {
        if let Some(text) = reads_back(digits) {
            return (1..digits).find_map(reads_back).unwrap_or(text);
        }
    }
    let (mut low, mut high) = (17, MAX_DECIMAL_DIGITS);
    while low + 1 < high {
        let middle = low.midpoint(high);
        if reads_back(middle).is_some() { high = middle } else { low = middle }
    }
    reads_back(high)
        .unwrap_or_else(|| positional(&value.clone().with_base_and_precision::<10>(MAX_DECIMAL_DIGITS + 4).value()))
}

fn positional(value: &Decimal) -> String {
    let (significand, exponent) = value.clone().into_repr().into_parts();
    let negative = significand.sign() == Sign::Negative;
    let mut digits = significand.abs().to_string();
    if exponent >= 0 {
        digits.extend(std::iter::repeat_n('0', exponent as usize));
    } else {
        let places = exponent.unsigned_abs();
        if digits.len() <= places {
            digits = format!("{}{digits}", "0".repeat(places - digits.len() + 1));
        }
        digits.insert(digits.len() - places, '.');
        digits.truncate(digits.trim_end_matches('0').trim_end_matches('.').len());
    }
    if negative { format!("-{digits}") } else { digits }
}

impl fmt::Debug for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl From<i64> for Number {
    fn from(value: i64) -> Self {
        Number(Repr::Small(value))
    }
}

impl From<u64> for Number {
    fn from(value: u64) -> Self {
        match i64::try_from(value) {
            Ok(small) => Self::from(small),
            Err(_) => Self::from_binary(binary_from_integer(IBig::from(value))),
        }
    }
}

impl From<usize> for Number {
    fn from(value: usize) -> Self {
        Self::from(value as u64)
    }
}

impl Ord for Number {
    fn cmp(&self, other: &Self) -> Ordering {
        match (&self.0, &other.0) {
            (Repr::Small(a), Repr::Small(b)) => a.cmp(b),
            (Repr::Small(_) | Repr::Big(_), Repr::Small(_) | Repr::Big(_)) => self.binary().cmp(&other.binary()),
            _ => rank(self).cmp(&rank(other)),
        }
    }
}

fn rank(number: &Number) -> i32 {
    if number.is_finite() { 0 } else { number.signum() }
}

impl PartialOrd for Number {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Number {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Number {}

impl Hash for Number {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.to_string().hash(state);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn number(text: &str) -> Number {
        text.parse().expect("the test writes a valid number")
    }

    #[test]
    fn computes_as_terraform_does() {
        let third = number("1").divide(&number("3")).expect("finite");
        assert_eq!(third.multiply(&number("3")).expect("finite"), number("1"));
        assert_eq!(number("0.1").add(&number("0.2")).expect("finite"), number("0.3"));
        assert_eq!(number("5").remainder(&number("0")).expect("dividend"), number("5"));
        assert_eq!(number("1").divide(&Number::ZERO), Ok(Number::INFINITY));
        assert_eq!(number("-1").divide(&Number::ZERO), Ok(Number::NEGATIVE_INFINITY));
        assert_eq!(Number::ZERO.divide(&Number::ZERO), Err(NumberError::NotANumber));
        assert_eq!(number("-7").remainder(&number("3")).expect("finite"), number("-1"));
        assert_eq!(number("9223372036854775807").add(&number("1")).expect("finite").to_string(), "9223372036854775808");
    }

    #[test]
    fn text_is_the_shortest_that_reads_back() {
        for text in ["0.1", "0.0005", "123456.789", "1.5", "-2.25", "1000000000000000000000", "3.141592653589793"] {
            assert_eq!(number(text).to_string(), text);
        }
        assert_eq!(number("1e3").to_string(), "1000");
        assert_eq!(number("1E-4").to_string(), "0.0001");
        assert_eq!(Number::from_f64(0.1).expect("finite").to_string(), "0.1");
        let third = number("1").divide(&number("3")).expect("finite");
        assert_eq!(number(&third.to_string()), third);
    }

    #[test]
    fn refuses_what_is_no_number() {
        for text in ["", "-", "1.", ".5", "0x10", "1e", "Inf", "NaN", "1_000", "+1", "1.2.3"] {
            assert!(text.parse::<Number>().is_err(), "{text} is not a number");
        }
        assert_eq!("1e999999999".parse::<Number>(), Err(NumberError::Range));
    }

    proptest::proptest! {
        #[test]
        fn every_double_survives(value in proptest::num::f64::NORMAL) {
            let number = Number::from_f64(value).expect("normal doubles are finite");
            proptest::prop_assert_eq!(number.to_f64(), value);
            proptest::prop_assert_eq!(number.to_string().parse::<Number>().expect("own text"), number);
        }
    }
}
