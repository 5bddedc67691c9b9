//! Durations in Go's notation: `90s`, `1h30m`, `-1.5h`, `250ms`.
//!
//! Whatever takes a duration from people takes this one, as Terraform does, and so do its flags and functions. The sums are Go's to the
//! nanosecond, and so are the words for what is wrong. Further units, and forms that allow less, are the caller's.

use std::time::Duration;

/// A text is no duration.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DurationError {
    /// It is not made of numbers and units, or longer than 64 bits of nanoseconds hold.
    #[error("time: invalid duration {}", quoted(.0))]
    Invalid(String),
    /// A number has no unit.
    #[error("time: missing unit in duration {}", quoted(.0))]
    MissingUnit(String),
    /// There is no such unit.
    #[error("time: unknown unit {} in duration {}", quoted(.unit), quoted(.text))]
    UnknownUnit {
        /// What stands in the place of a unit.
        unit: String,
        /// The whole text.
        text: String,
    },
    /// It is less than nothing, and something is to last so long.
    #[error("the duration {} is negative", quoted(.0))]
    Negative(String),
}

/// How long a text says that something lasts.
pub fn parse(text: &str) -> Result<Duration, DurationError> {
    let nanoseconds = nanoseconds(text)?;
    u64::try_from(nanoseconds).map(Duration::from_nanos).map_err(|_| DurationError::Negative(text.to_owned()))
}

/// The nanoseconds that a text stands for, which may be less than none.
pub fn nanoseconds(text: &str) -> Result<i64, DurationError> {
    const LIMIT: u64 = 1 << 63;
    let invalid = || DurationError::Invalid(text.to_owned());
    let (negative, mut rest) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    if rest == "0" {
        return Ok(0);
    }
    if rest.is_empty() {
        return Err(invalid());
    }
    let mut total: u64 = 0;
    while !rest.is_empty() {
        let whole_length = rest.bytes().take_while(u8::is_ascii_digit).count();
        let (whole, after) = rest.split_at(whole_length);
        let fraction_length =
            after.strip_prefix('.').map(|digits| digits.bytes().take_while(u8::is_ascii_digit).count());
        let (fraction, after) = match fraction_length {
            Some(length) => (&after[1..=length], &after[length + 1..]),
            None => ("", after),
        };
        if whole.is_empty() && fraction.is_empty() {
            return Err(invalid());
        }
        let unit_length = after.find(|c: char| c == '.' || c.is_ascii_digit()).unwrap_or(after.len());
        let (name, after) = after.split_at(unit_length);
        let unit: u64 = match name {
            "" => return Err(DurationError::MissingUnit(text.to_owned())),
            "ns" => 1,
            "us" | "µs" | "μs" => 1_000,
            "ms" => 1_000_000,
            "s" => 1_000_000_000,
            "m" => 60_000_000_000,
            "h" => 3_600_000_000_000,
            other => return Err(DurationError::UnknownUnit { unit: other.to_owned(), text: text.to_owned() }),
        };
        let whole: u64 = if whole.is_empty() { 0 } else { whole.parse().map_err(|_| invalid())? };
        let mut part = whole.checked_mul(unit).filter(|part| *part <= LIMIT).ok_or_else(invalid)?;
        // Digits beyond what 63 bits hold do not count.
        let (digits, scale) = fraction.bytes().fold((0_u64, 1.0_f64), |(digits, scale), digit| {
            let longer = digits.saturating_mul(10).saturating_add(u64::from(digit - b'0'));
            if digits <= (LIMIT - 1) / 10 && longer <= LIMIT { (longer, scale * 10.0) } else { (digits, scale) }
        });
        part += (digits as f64 * (unit as f64 / scale)) as u64;
        total = total.checked_add(part).filter(|total| *total <= LIMIT).ok_or_else(invalid)?;
        rest = after;
    }
    match (negative, i64::try_from(total)) {
        (true, _) => Ok((total as i64).wrapping_neg()),
        (false, Ok(total)) => Ok(total),
        (false, Err(_)) => Err(invalid()),
    }
}

/// In quotes, with everything but ASCII as bytes: how Go's package of time does it.
fn quoted(text: &str) -> String {
    let mut quoted = String::from("\"");
    for byte in text.bytes() {
        match byte {
            b'"' | b'\\' => quoted.extend(['\\', char::from(byte)]),
            b' '..=b'~' | 0x7f => quoted.push(char::from(byte)),
            _ => quoted.push_str(&format!("\\x{byte:02x}")),
        }
    }
    quoted + "\""
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_gos() {
        for (text, expected) in [
            ("1h30m", Some(5_400_000_000_000)),
            ("-1.5s", Some(-1_500_000_000)),
            (".5ms", Some(500_000)),
            ("1.µs", Some(1_000)),
            ("+0", Some(0)),
            ("1m0s", Some(60_000_000_000)),
            ("1.5h", Some(5_400_000_000_000)),
            ("1e400s", None),
            ("0.92233720368547758079s", Some(922_337_203)),
            ("", None),
            (".s", None),
            ("m", None),
            ("1", None),
            ("1m30", None),
            ("1.2.3s", None),
            ("10 m", None),
            ("1d", None),
            ("9223372036854775808ns", None),
            ("-9223372036854775808ns", Some(i64::MIN)),
        ] {
            assert_eq!(nanoseconds(text).ok(), expected, "{text}");
        }
    }

    #[test]
    fn what_lasts_is_not_negative() {
        assert_eq!(parse("1m0.25s"), Ok(Duration::from_millis(60_250)));
        assert_eq!(parse("-0s"), Ok(Duration::ZERO));
        assert_eq!(parse("-1s"), Err(DurationError::Negative("-1s".to_owned())));
    }

    #[test]
    fn words_are_gos() {
        for (text, words) in [
            ("x", "time: invalid duration \"x\""),
            ("1é", "time: unknown unit \"\\xc3\\xa9\" in duration \"1\\xc3\\xa9\""),
            ("1h5", "time: missing unit in duration \"1h5\""),
        ] {
            assert_eq!(nanoseconds(text).map_err(|error| error.to_string()), Err(words.to_owned()));
        }
    }
}
