//! Numbers as Terraform computes with them: binary floating point with a 512-bit mantissa, half to even.
//!
//! Small integers, nearly all numbers in practice, take a path through `i64`. Infinities are values (`1/0`), not-a-number is not.
//! The text of a number is the shortest decimal that Go finds for its bits: nearly always it reads back as the same value. Zero has a sign,
//! which shows in that text and in what is divided by it, and in nothing else.

use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::str::FromStr;

use dashu_base::{Abs, Sign};
use dashu_base::{BitTest as _, DivRem as _};
use dashu_float::FBig;
use dashu_float::round::mode::HalfEven;
use dashu_int::{IBig, UBig};

/// Bits of the mantissa.
pub const PRECISION: usize = 512;
/// Bits of the mantissa of a double.
const DOUBLE_PRECISION: usize = f64::MANTISSA_DIGITS as usize;
/// Exponents beyond this are refused, so that `1e999999999` cannot exhaust memory.
const MAX_DECIMAL_EXPONENT: u64 = 100_000;
/// The same of exponents of two, as in `1p4`.
const MAX_BINARY_EXPONENT: u64 = 300_000;

type Binary = FBig<HalfEven, 2>;

/// A number of the language.
#[derive(Clone)]
pub struct Number(Repr);

#[derive(Clone)]
enum Repr {
    Small(i64),
    /// Finite, not representable as `Small`.
    Big(Box<Binary>),
    /// What a computation with doubles gave: exact as any number, but shown with as many digits as tell it from other doubles.
    Double(f64),
    /// What zero times, or over, a negative number gives.
    NegativeZero,
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
        Self::from_str(zmij::Buffer::new().format_finite(value)).ok()
    }

    /// The exact value of a double that was computed, not written: its text is the shortest that tells it from other doubles. Not-a-number
    /// gives `None`.
    pub fn from_computed_f64(value: f64) -> Option<Self> {
        /// Whole numbers below this are exact in a double.
        const EXACT: f64 = 9_007_199_254_740_992.0;
        if !value.is_finite() {
            return Self::from_f64(value);
        }
        if value == 0.0 {
            return Some(Self::zero(value.is_sign_negative()));
        }
        if value.fract() == 0.0 && value.abs() < EXACT {
            return Some(Self::from(value as i64));
        }
        Some(Number(Repr::Double(value)))
    }

    fn zero(is_negative: bool) -> Self {
        if is_negative { Number(Repr::NegativeZero) } else { Self::ZERO }
    }

    /// Whether the number has a minus sign: negative numbers, and the zero that has one.
    pub fn is_sign_negative(&self) -> bool {
        matches!(self.0, Repr::NegativeZero) || self.signum() < 0
    }

    /// The nearest double.
    pub fn to_f64(&self) -> f64 {
        match &self.0 {
            Repr::Small(value) => *value as f64,
            Repr::Big(value) => value.to_f64().value(),
            Repr::Double(value) => *value,
            Repr::NegativeZero => -0.0,
            Repr::Infinity => f64::INFINITY,
            Repr::NegativeInfinity => f64::NEG_INFINITY,
        }
    }

    /// The number as `i64` when it is a whole number in that range.
    pub fn to_i64(&self) -> Option<i64> {
        match &self.0 {
            Repr::Small(value) => Some(*value),
            Repr::Double(_) => match Self::from_binary(self.binary()).0 {
                Repr::Small(value) => Some(value),
                _ => None,
            },
            Repr::NegativeZero => Some(0),
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
            Repr::Small(_) | Repr::NegativeZero => true,
            Repr::Big(value) => value.repr().is_int(),
            Repr::Double(value) => value.fract() == 0.0,
            Repr::Infinity | Repr::NegativeInfinity => false,
        }
    }

    /// Whether the number is neither infinity.
    pub fn is_finite(&self) -> bool {
        !matches!(self.0, Repr::Infinity | Repr::NegativeInfinity)
    }

    /// -1, 0 or 1.
    pub fn signum(&self) -> i32 {
        match &self.0 {
            Repr::Small(value) => value.signum() as i32,
            Repr::Big(value) => match value.sign() {
                Sign::Positive => 1,
                Sign::Negative => -1,
            },
            Repr::Double(value) => value.signum() as i32,
            Repr::NegativeZero => 0,
            Repr::Infinity => 1,
            Repr::NegativeInfinity => -1,
        }
    }

    /// The order by all digits.
    pub fn compare_exactly(&self, other: &Self) -> Ordering {
        match (&self.0, &other.0) {
            (Repr::Small(a), Repr::Small(b)) => a.cmp(b),
            (Repr::Double(a), Repr::Double(b)) => a.total_cmp(b),
            _ if self.is_finite() && other.is_finite() => self.binary().cmp(&other.binary()),
            _ => rank(self).cmp(&rank(other)),
        }
    }

    /// What the text of a computed double says, where that is another number.
    fn as_told(&self) -> Option<Self> {
        match self.0 {
            Repr::Double(value) if value.fract() != 0.0 => self.to_string().parse().ok(),
            _ => None,
        }
    }

    /// Text that reads back as an equal number. It is the number's own text, but for large whole doubles: that one is rounded.
    pub fn to_lossless_text(&self) -> String {
        match &self.0 {
            Repr::Double(value) if value.fract() == 0.0 => exact_text(&self.binary()),
            _ => self.to_string(),
        }
    }

    /// Two doubles make a double, unless that is too large or too small for one.
    fn with_double(&self, other: &Self, operation: fn(f64, f64) -> f64) -> Option<Self> {
        let (Repr::Double(a), Repr::Double(b)) = (&self.0, &other.0) else { return None };
        Self::from_computed_f64(Some(operation(*a, *b)).filter(|result| result.is_normal())?)
    }

    /// Sum.
    pub fn add(&self, other: &Self) -> Result<Self, NumberError> {
        if let Some(result) = self.with_double(other, |a, b| a + b) {
            return Ok(result);
        }
        if let (Repr::Small(a), Repr::Small(b)) = (&self.0, &other.0)
            && let Some(sum) = a.checked_add(*b)
        {
            return Ok(Self::from(sum));
        }
        if self.signum() == 0 && other.signum() == 0 {
            return Ok(Self::zero(self.is_sign_negative() && other.is_sign_negative()));
        }
        match (self.is_finite(), other.is_finite()) {
            (true, true) => Ok(Self::from_binary(sum(self.binary(), other.binary()))),
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
        if let Some(result) = self.with_double(other, |a, b| a * b) {
            return Ok(result);
        }
        if let (Repr::Small(a), Repr::Small(b)) = (&self.0, &other.0)
            && let Some(product) = a.checked_mul(*b)
            && product != 0
        {
            return Ok(Self::from(product));
        }
        if self.is_finite() && other.is_finite() {
            if self.signum() == 0 || other.signum() == 0 {
                return Ok(Self::zero(self.is_sign_negative() != other.is_sign_negative()));
            }
            return Ok(Self::from_binary(product(self.binary(), other.binary())));
        }
        match self.signum() * other.signum() {
            0 => Err(NumberError::NotANumber),
            sign if sign > 0 => Ok(Self::INFINITY),
            _ => Ok(Self::NEGATIVE_INFINITY),
        }
    }

    /// Quotient. A finite number over zero is an infinity, as in Terraform.
    pub fn divide(&self, other: &Self) -> Result<Self, NumberError> {
        if let Some(result) = self.with_double(other, |a, b| a / b) {
            return Ok(result);
        }
        if let (Repr::Small(a), Repr::Small(b)) = (&self.0, &other.0)
            && *a != 0
            && *b != 0
            && a.checked_rem(*b) == Some(0)
        {
            return Ok(Self::from(a / b));
        }
        match (self.is_finite(), other.is_finite()) {
            (false, false) => Err(NumberError::NotANumber),
            (true, false) => Ok(Self::zero(self.is_sign_negative() != other.is_sign_negative())),
            (finite, true) => {
                if self.signum() == 0 && other.signum() != 0 {
                    return Ok(Self::zero(self.is_sign_negative() != other.is_sign_negative()));
                }
                if other.signum() == 0 || !finite {
                    let sign = self.signum() * if other.is_sign_negative() { -1 } else { 1 };
                    return match sign {
                        0 => Err(NumberError::NotANumber),
                        sign if sign > 0 => Ok(Self::INFINITY),
                        _ => Ok(Self::NEGATIVE_INFINITY),
                    };
                }
                Ok(Self::from_binary(quotient(self.binary(), other.binary())))
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
        if self.signum() == 0 {
            return Ok(Self::zero(self.is_sign_negative() && !other.is_sign_negative()));
        }
        if self.magnitude() < other.magnitude() {
            return Ok(self.clone());
        }
        let whole = quotient(self.binary(), other.binary()).trunc();
        let taken = Self::from_binary(product(whole, other.binary()));
        match &self.0 {
            // The dividend's precision is the result's.
            Repr::Double(dividend) => Self::from_computed_f64(dividend - taken.to_f64()).ok_or(NumberError::NotANumber),
            _ => Ok(Self::from_binary(sum(self.binary(), taken.negate().binary()))),
        }
    }

    /// The number with the other sign.
    pub fn negate(&self) -> Self {
        match &self.0 {
            Repr::Small(0) => Self::zero(true),
            Repr::NegativeZero => Self::ZERO,
            Repr::Small(value) => match value.checked_neg() {
                Some(negated) => Self::from(negated),
                None => Self::from_binary(-self.binary()),
            },
            Repr::Big(value) => Self::from_binary(-(**value).clone()),
            Repr::Double(value) => Number(Repr::Double(-value)),
            Repr::Infinity => Self::NEGATIVE_INFINITY,
            Repr::NegativeInfinity => Self::INFINITY,
        }
    }

    /// The magnitude.
    pub fn magnitude(&self) -> Self {
        if self.is_sign_negative() { self.negate() } else { self.clone() }
    }

    /// The greatest whole number not above.
    pub fn floor(&self) -> Self {
        match &self.0 {
            Repr::Big(value) => Self::from_binary(value.floor()),
            Repr::Double(value) => Self::from_computed_f64(value.floor()).unwrap_or_else(|| self.clone()),
            Repr::NegativeZero => Self::ZERO,
            Repr::Small(_) | Repr::Infinity | Repr::NegativeInfinity => self.clone(),
        }
    }

    /// The least whole number not below.
    pub fn ceil(&self) -> Self {
        match &self.0 {
            Repr::Big(value) => Self::from_binary(value.ceil()),
            // Adding zero takes the sign from one.
            Repr::Double(value) => Self::from_computed_f64(value.ceil() + 0.0).unwrap_or_else(|| self.clone()),
            Repr::NegativeZero => Self::ZERO,
            Repr::Small(_) | Repr::Infinity | Repr::NegativeInfinity => self.clone(),
        }
    }

    /// The number with exactly `decimals` digits after the point, ties to even. Infinities are "+Inf" and "-Inf".
    pub fn to_fixed(&self, decimals: usize) -> String {
        let (negative, digits, point) = self.exact_digits();
        if !self.is_finite() {
            return self.to_string();
        }
        // `digits` without `point` digits before the point: keep what stands before the cut, round by what stands after.
        let keep = point + decimals as i64;
        let rounded = round_digits(&digits, keep);
        let padded = format!("{}{rounded}", "0".repeat((decimals + 1).saturating_sub(rounded.len())));
        let (whole, fraction) = padded.split_at(padded.len() - decimals);
        let sign = if negative { "-" } else { "" };
        if decimals == 0 { format!("{sign}{whole}") } else { format!("{sign}{whole}.{fraction}") }
    }

    /// Sign, `digits` significant digits rounded ties to even, and the power of ten of the first one: 1234 to two digits is
    /// (false, "12", 3). Nothing for infinities.
    pub fn to_significant(&self, digits: usize) -> Option<(bool, String, i64)> {
        if !self.is_finite() {
            return None;
        }
        let (negative, all, point) = self.exact_digits();
        if all.bytes().all(|digit| digit == b'0') {
            return Some((negative, "0".repeat(digits), 0));
        }
        let rounded = round_digits(&all, digits as i64);
        // Rounding up may have made a digit more: 9.99 to two digits is 10.
        let carried = i64::from(rounded.len() > digits);
        Some((negative, rounded[..digits].to_owned(), point - 1 + carried))
    }

    /// Sign, the shortest digits that read back as this number, and the power of ten of the first one. Nothing for infinities.
    pub fn to_shortest(&self) -> Option<(bool, String, i64)> {
        if !self.is_finite() {
            return None;
        }
        let text = self.to_string();
        let (negative, text) = text.strip_prefix('-').map_or((false, text.as_str()), |rest| (true, rest));
        let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
        let all = format!("{whole}{fraction}");
        let leading = all.len() - all.trim_start_matches('0').len();
        let digits = all.trim_matches('0');
        if digits.is_empty() {
            return Some((negative, "0".to_owned(), 0));
        }
        Some((negative, digits.to_owned(), whole.len() as i64 - 1 - leading as i64))
    }

    /// Sign, all decimal digits without leading zeros, and how many of them stand before the point (negative: zeros after it).
    fn exact_digits(&self) -> (bool, String, i64) {
        let text = match &self.0 {
            Repr::Big(_) | Repr::Double(_) => exact_text(&self.binary()),
            Repr::Small(_) | Repr::NegativeZero | Repr::Infinity | Repr::NegativeInfinity => self.to_string(),
        };
        let unsigned = text.trim_start_matches('-');
        let (whole, fraction) = unsigned.split_once('.').unwrap_or((unsigned, ""));
        let all = format!("{whole}{fraction}");
        let digits = all.trim_start_matches('0');
        let point = whole.len() as i64 - (all.len() - digits.len()) as i64;
        (text.starts_with('-'), digits.to_owned(), point)
    }

    fn binary(&self) -> Binary {
        match &self.0 {
            Repr::Small(value) => binary_from_integer(IBig::from(*value)),
            Repr::Big(value) => (**value).clone(),
            Repr::Double(value) => {
                Binary::try_from(*value).expect("the double is finite").with_precision(PRECISION).value()
            }
            Repr::NegativeZero => binary_from_integer(IBig::ZERO),
            Repr::Infinity | Repr::NegativeInfinity => unreachable!("infinities are handled before arithmetic"),
        }
    }

    fn from_binary(value: Binary) -> Self {
        // The library's negative zero would go wrong where it is divided by.
        if value.repr().significand().is_zero() && !value.repr().is_infinite() {
            return Self::ZERO;
        }
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

/// A number with no more than 512 bits, ties to even.
fn rounded(significand: IBig, exponent: isize) -> Binary {
    Binary::from_parts(significand, exponent).with_precision(PRECISION).value()
}

/// The sum, computed exactly and rounded once: the library rounds some sums twice.
fn sum(a: Binary, b: Binary) -> Binary {
    /// So many bits below the highest one, what is added decides no more than which side of a tie the sum is on.
    const FAR: isize = 2 * PRECISION as isize + 64;
    let top = |value: &Binary| value.repr().exponent() + value.repr().significand().bit_len() as isize;
    let (large, small) = if top(&a) >= top(&b) { (a, b) } else { (b, a) };
    let (distance, is_negative) = (top(&large) - top(&small), small.sign() == Sign::Negative);
    let lowest = top(&large) - FAR;
    let (significand, exponent) = large.into_repr().into_parts();
    let (mut other, mut other_exponent) = small.into_repr().into_parts();
    if distance > FAR && !other.is_zero() && !significand.is_zero() {
        other = if is_negative { IBig::NEG_ONE } else { IBig::ONE };
        other_exponent = lowest;
    }
    let common = exponent.min(other_exponent);
    let aligned =
        (significand << (exponent - common).unsigned_abs()) + (other << (other_exponent - common).unsigned_abs());
    rounded(aligned, common)
}

fn product(a: Binary, b: Binary) -> Binary {
    let (a, a_exponent) = a.into_repr().into_parts();
    let (b, b_exponent) = b.into_repr().into_parts();
    rounded(a * b, a_exponent + b_exponent)
}

/// The quotient by a number that is not zero.
fn quotient(a: Binary, b: Binary) -> Binary {
    let is_negative = (a.sign() == Sign::Negative) != (b.sign() == Sign::Negative);
    let (a, a_exponent) = a.into_repr().into_parts();
    let (b, b_exponent) = b.into_repr().into_parts();
    let (significand, shift) = divided(a.into_parts().1, b.into_parts().1);
    let significand = IBig::from(significand);
    rounded(if is_negative { -significand } else { significand }, a_exponent - b_exponent - shift)
}

/// A quotient of whole numbers with bits enough to round it, of which the last stands for all that is left, and how far it is shifted.
fn divided(dividend: UBig, divisor: UBig) -> (UBig, isize) {
    let shift = (PRECISION + 2 + divisor.bit_len()).saturating_sub(dividend.bit_len());
    let (quotient, rest) = (dividend << shift).div_rem(divisor);
    ((quotient << 1) | UBig::from(u8::from(!rest.is_zero())), shift as isize + 1)
}

fn binary_from_integer(value: IBig) -> Binary {
    Binary::from(value).with_precision(PRECISION).value()
}

/// Reads decimal digits with an optional point and exponent: the nearest 512-bit number, ties to even.
fn parse_decimal(text: &str) -> Result<Binary, NumberError> {
    let (digits, exponent) = match text.split_once(['e', 'E']) {
        Some((digits, exponent)) => (digits, exponent.parse::<i64>().map_err(|_| NumberError::Syntax)?),
        None => (text, 0),
    };
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let all = UBig::from_str_radix(&format!("{whole}{fraction}"), 10).map_err(|_| NumberError::Syntax)?;
    let exponent = exponent - fraction.len() as i64;
    let power = UBig::from(10_u8).pow(exponent.unsigned_abs() as usize);
    if exponent >= 0 {
        return Ok(binary_from_integer(IBig::from(all * power)));
    }
    let (significand, shift) = divided(all, power);
    Ok(rounded(IBig::from(significand), -shift))
}

/// All decimal digits: every binary fraction is a decimal one, too.
fn exact_text(value: &Binary) -> String {
    let (significand, exponent) = value.clone().into_repr().into_parts();
    let negative = significand.sign() == Sign::Negative;
    let (_, magnitude) = significand.into_parts();
    let text = match usize::try_from(exponent) {
        Ok(exponent) => (magnitude << exponent).to_string(),
        Err(_) => {
            // m / 2^k is m 5^k / 10^k.
            let places = exponent.unsigned_abs();
            let digits = (magnitude * UBig::from(5_u8).pow(places)).to_string();
            let digits = format!("{}{digits}", "0".repeat((places + 1).saturating_sub(digits.len())));
            let (whole, fraction) = digits.split_at(digits.len() - places);
            format!("{whole}.{fraction}")
        }
    };
    if negative { format!("-{text}") } else { text }
}

impl FromStr for Number {
    type Err = NumberError;

    /// Reads what Terraform reads: a sign, digits with or without a point, an exponent of ten after `e` or one of two after `p`; or `Inf`.
    fn from_str(text: &str) -> Result<Self, NumberError> {
        if let Ok(small) = text.parse::<i64>() {
            return Ok(if small == 0 { Self::zero(text.starts_with('-')) } else { Self::from(small) });
        }
        let (negative, unsigned) = match text.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, text.strip_prefix('+').unwrap_or(text)),
        };
        if matches!(unsigned, "Inf" | "inf") {
            return Ok(if negative { Self::NEGATIVE_INFINITY } else { Self::INFINITY });
        }
        if let Some((mantissa, exponent)) = unsigned.split_once(['p', 'P']) {
            let whole = exponent.parse::<i64>().map_err(|_| NumberError::Syntax)?;
            if mantissa.contains(['e', 'E', 'i', 'I', '+', '-']) {
                return Err(NumberError::Syntax);
            }
            if whole.unsigned_abs() > MAX_BINARY_EXPONENT {
                return Err(NumberError::Range);
            }
            let power =
                Self::from_binary(Binary::from_parts(IBig::ONE, whole as isize).with_precision(PRECISION).value());
            let magnitude = mantissa.parse::<Self>()?.multiply(&power)?;
            return Ok(if negative { magnitude.negate() } else { magnitude });
        }
        let mut parts = unsigned.splitn(2, ['e', 'E']);
        let mantissa = parts.next().unwrap_or("");
        let valid = mantissa.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.')
            && mantissa.bytes().any(|byte| byte.is_ascii_digit())
            && mantissa.bytes().filter(|byte| *byte == b'.').count() <= 1;
        if !valid {
            return Err(NumberError::Syntax);
        }
        if let Some(exponent) = parts.next() {
            let exponent = exponent.parse::<i64>().map_err(|_| NumberError::Syntax)?;
            if exponent.unsigned_abs() > MAX_DECIMAL_EXPONENT {
                return Err(NumberError::Range);
            }
        }
        // `.5` and `5.` are numbers, too; the decimal parser wants digits on both sides.
        let padded = format!("0{unsigned}").replacen(".e", ".0e", 1).replacen(".E", ".0E", 1);
        let padded = if padded.ends_with('.') { padded + "0" } else { padded };
        let magnitude = Self::from_binary(parse_decimal(&padded)?);
        Ok(if negative { magnitude.negate() } else { magnitude })
    }
}

impl fmt::Display for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Repr::Small(value) => write!(f, "{value}"),
            Repr::NegativeZero => f.write_str("-0"),
            Repr::Infinity => f.write_str("+Inf"),
            Repr::NegativeInfinity => f.write_str("-Inf"),
            Repr::Big(value) => f.write_str(&shortest(value, PRECISION)),
            Repr::Double(_) => f.write_str(&shortest(&self.binary(), DOUBLE_PRECISION)),
        }
    }
}

/// The shortest decimal text, without an exponent, that stands for `value` among numbers with so many bits, as Go's `big.Float` finds it.
///
/// The bounds are half a unit of the last bit away on both sides, below a power of two as well, where the next number is nearer than that; and
/// of two digits either of which would do, the one nearer to the value is taken.
fn shortest(value: &Binary, precision: usize) -> String {
    let (significand, exponent) = value.clone().into_repr().into_parts();
    let (sign, magnitude) = significand.into_parts();
    // One bit more than the precision has, so that the last one is half a unit.
    let shift = (precision + 1).saturating_sub(magnitude.bit_len());
    let halves = magnitude << shift;
    let is_even = !halves.bit(1);
    let exponent = exponent - shift as isize;
    // m / 2^k is m 5^k / 10^k.
    let (unit, places) = match usize::try_from(exponent) {
        Ok(exponent) => (UBig::ONE << exponent, 0),
        Err(_) => (UBig::from(5_u8).pow(exponent.unsigned_abs()), exponent.unsigned_abs()),
    };
    let middle = halves * &unit;
    let (lower, upper) = (significant(&middle - &unit), significant(&middle + &unit));
    let all = middle.to_string();
    let point = all.len() as i64 - places as i64;
    let digits = all.trim_end_matches('0');
    let at = |text: &str, index: usize| text.as_bytes().get(index).copied().unwrap_or(b'0');
    for (index, digit) in digits.bytes().enumerate() {
        let (low, high) = (at(&lower, index), at(&upper, index));
        let may_go_down = low != digit || (is_even && index + 1 == lower.len());
        let may_go_up = digit != high && (is_even || digit + 1 < high || index + 1 < upper.len());
        let keep = index + 1;
        let chosen = match (may_go_down, may_go_up) {
            (true, true) => round_digits(digits, keep as i64),
            (true, false) => digits[..keep].to_owned(),
            (false, true) => incremented(&digits[..keep]),
            (false, false) => continue,
        };
        // Rounding up may have made a digit more.
        let carried = chosen.len() as i64 - keep as i64;
        return signed(sign, positional(&chosen, point + carried));
    }
    signed(sign, positional(digits, point))
}

fn signed(sign: Sign, text: String) -> String {
    if sign == Sign::Negative { format!("-{text}") } else { text }
}

/// The digits of a whole number without the zeros at its end.
fn significant(number: UBig) -> String {
    let mut text = number.to_string();
    text.truncate(text.trim_end_matches('0').len());
    text
}

/// Digits of which `point` stand before the point, without zeros at the end of the fraction.
fn positional(digits: &str, point: i64) -> String {
    let text = match usize::try_from(point) {
        Ok(0) | Err(_) => format!("0.{}{digits}", "0".repeat(point.unsigned_abs() as usize)),
        Ok(point) if point >= digits.len() => return format!("{digits}{}", "0".repeat(point - digits.len())),
        Ok(point) => format!("{}.{}", &digits[..point], &digits[point..]),
    };
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// The first `keep` of `digits`, rounded by the rest, ties to even. Fewer than none gives nothing; missing digits are zeros.
fn round_digits(digits: &str, keep: i64) -> String {
    let Ok(keep) = usize::try_from(keep) else { return String::new() };
    if digits.len() <= keep {
        return format!("{digits}{}", "0".repeat(keep - digits.len()));
    }
    let (kept, rest) = digits.split_at(keep);
    let beyond_half = rest.as_bytes()[1..].iter().any(|digit| *digit != b'0');
    let odd = kept.as_bytes().last().is_some_and(|digit| (digit - b'0') % 2 == 1);
    let up = match rest.as_bytes()[0] {
        b'5' => beyond_half || odd,
        digit => digit > b'5',
    };
    if up { incremented(kept) } else { kept.to_owned() }
}

/// Digits of a number that is one greater in the last of them; there may be one more.
fn incremented(digits: &str) -> String {
    let mut bytes = digits.as_bytes().to_vec();
    for digit in bytes.iter_mut().rev() {
        if *digit < b'9' {
            *digit += 1;
            return String::from_utf8_lossy(&bytes).into_owned();
        }
        *digit = b'0';
    }
    format!("1{}", String::from_utf8_lossy(&bytes))
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

/// Numbers are equal where Terraform's are: whole ones by value, others by the text that is shown and stored. So a computed double is equal to what
/// is read back from its text, even though more digits than those would tell them apart. The order agrees with that.
///
/// Terraform's `<`, `>`, `min` and `max` look at all digits: they are [`Number::compare_exactly`].
impl Ord for Number {
    fn cmp(&self, other: &Self) -> Ordering {
        match (self.as_told(), other.as_told()) {
            (None, None) => self.compare_exactly(other),
            (Some(a), None) => a.compare_exactly(other),
            (None, Some(b)) => self.compare_exactly(&b),
            (Some(a), Some(b)) => a.compare_exactly(&b),
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
        match &self.0 {
            Repr::Big(_) | Repr::Double(_) if self.is_whole() => exact_text(&self.binary()).hash(state),
            // The two zeros are equal.
            Repr::NegativeZero => Self::ZERO.hash(state),
            _ => self.to_string().hash(state),
        }
    }
}

#[cfg(test)]
mod tests;
