//! Numbers as Go's verbs `%e` and `%g` write them: Terraform's texts are full of those.

use crate::Number;

impl Number {
    /// Go's `%e`: `1.234500e+06`, with `precision` digits after the point. `letter` stands before the exponent.
    pub fn to_scientific(&self, precision: usize, letter: char) -> String {
        let (negative, digits, exponent) =
            self.to_significant(precision + 1).unwrap_or_else(|| (false, "0".repeat(precision + 1), 0));
        format!("{}{}", if negative { "-" } else { "" }, exponential(&digits, exponent, letter))
    }

    /// Go's `%g`: the shortest digits, or `precision` of them, with an exponent where the number is very large or small.
    pub fn to_general(&self, precision: Option<usize>, letter: char) -> String {
        let shortest = match precision {
            None => self.to_shortest(),
            Some(precision) => self.to_significant(precision.max(1)).map(|(negative, digits, exponent)| {
                let trimmed = digits.trim_end_matches('0');
                (negative, if trimmed.is_empty() { "0".to_owned() } else { trimmed.to_owned() }, exponent)
            }),
        };
        let Some((negative, digits, exponent)) = shortest else {
            return if self.signum() < 0 { "-Inf".to_owned() } else { "+Inf".to_owned() };
        };
        let limit = match precision {
            None => 6,
            Some(precision) if precision > digits.len() && digits.len() as i64 > exponent => digits.len() as i64,
            Some(precision) => precision.max(1) as i64,
        };
        let sign = if negative { "-" } else { "" };
        if exponent < -4 || exponent >= limit {
            return format!("{sign}{}", exponential(&digits, exponent, letter));
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
}

fn exponential(digits: &str, exponent: i64, letter: char) -> String {
    let (first, rest) = digits.split_at(1);
    let point = if rest.is_empty() { "" } else { "." };
    let sign = if exponent < 0 { '-' } else { '+' };
    format!("{first}{point}{rest}{letter}{sign}{:02}", exponent.abs())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn general_numbers_have_an_exponent_where_it_is_shorter() {
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
            let number: Number = text.parse().expect("a number");
            assert_eq!(number.to_general(Some(10), 'e'), expected);
        }
    }
}
