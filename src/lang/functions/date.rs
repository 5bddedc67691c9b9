//! Functions of dates and times, all of which are strings in the form of RFC 3339.

use std::cmp::Ordering;

use pipectl_core::{Type as ValueType, Value, duration};

use crate::functions::ParameterType as Type;
use crate::functions::quote::quote;
use crate::functions::timestamp::{Civil, Reading, Timestamp};
use crate::functions::{Arguments, Failure, Function, Parameter, plain};

const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];
const WEEKDAYS: [&str; 7] = ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"];

pub(super) const FUNCTIONS: &[Function] = &[
    plain(
        "formatdate",
        "A time in another form: YYYY, YY, MMMM, MMM, MM, M, DD, D, EEEE, EEE, hh, h, HH, H, AA, aa, mm, m, ss, s, Z, ZZZ, ZZZZ and \
         ZZZZZ stand for its parts, and what is between single quotes for itself.",
        &[Parameter::new("format", Type::String), Parameter::new("time", Type::String)],
        Type::String,
        format_date,
    ),
    plain("plantimestamp", "The time when the plan was made.", &[], Type::String, |call| {
        Ok(match call.plan_time {
            Some(seconds) => Timestamp::utc(seconds).to_string().into(),
            None => Value::unknown(ValueType::String),
        })
    })
    .may_be_null(),
    plain(
        "timeadd",
        "A time that is a duration like \"1h30m\" or \"-10s\" later.",
        &[Parameter::new("timestamp", Type::String), Parameter::new("duration", Type::String)],
        Type::String,
        |call| {
            let time = parse(call, 0, None, Reading::Strict)?;
            let later = duration::nanoseconds(call.text(1))
                .map_err(|problem| Failure::telling(None, problem.to_string(), "the duration is not valid"))?;
            Ok(time.plus(later).to_string().into())
        },
    )
    .may_be_null(),
    plain(
        "timecmp",
        "-1, 0 or 1: whether a time is before, at or after another.",
        &[Parameter::new("timestamp_a", Type::String), Parameter::new("timestamp_b", Type::String)],
        Type::Number,
        |call| {
            let moment = |index| {
                let time = parse(call, index, Some(index), Reading::Lenient)?;
                Ok((time.seconds, time.nanoseconds))
            };
            Ok(Value::from(match moment(0)?.cmp(&moment(1)?) {
                Ordering::Less => -1,
                Ordering::Equal => 0,
                Ordering::Greater => 1,
            }))
        },
    ),
    plain("timestamp", "The time now, another one in every run.", &[], Type::String, |call| {
        Ok(Timestamp::utc(call.ambient()?.now()).to_string().into())
    })
    .impure(),
];

/// The time that an argument is. `blame` is the argument that a message names; else it names the function.
fn parse(call: &Arguments<'_>, index: usize, blame: Option<usize>, reading: Reading) -> Result<Timestamp, Failure> {
    Timestamp::parse(call.text(index), reading)
        .map_err(|problem| Failure::telling(blame, problem, "not a valid RFC3339 timestamp"))
}

fn format_date(call: &Arguments<'_>) -> Result<Value, Failure> {
    let time = parse(call, 1, Some(1), Reading::Strict)?;
    let civil = time.civil();
    let mut text = String::new();
    let mut rest = call.text(0);
    while let Some(first) = rest.chars().next() {
        let token = token(rest, first);
        rest = &rest[token.len()..];
        match first {
            '\'' if token == "''" => text.push('\''),
            '\'' => match token[1..].strip_suffix('\'') {
                Some(quoted) => text.push_str(&quoted.replace("''", "'")),
                None => return Err(Failure::argument(0, "unterminated literal '")),
            },
            first if first.is_ascii_alphabetic() => {
                text.push_str(&verb(token, time, &civil).map_err(|hint| {
                    let message = format!("invalid date format verb {}{hint}", quote(token));
                    Failure::telling(0, message, "invalid date format verb")
                })?);
            }
            _ => text.push_str(token),
        }
    }
    Ok(text.into())
}

/// A run of one letter, something in single quotes, or anything up to the next of those.
fn token(rest: &str, first: char) -> &str {
    let length = match first {
        '\'' => {
            let mut length = 1;
            loop {
                match rest[length..].find('\'') {
                    None => break rest.len(),
                    // Two quotes inside a literal are one; right at the start they are all of it.
                    Some(0) if length == 1 => break 2,
                    Some(at) if rest[length + at + 1..].starts_with('\'') => length += at + 2,
                    Some(at) => break length + at + 1,
                }
            }
        }
        letter if letter.is_ascii_alphabetic() => rest.find(|c| c != letter).unwrap_or(rest.len()),
        _ => rest.find(|c: char| c == '\'' || c.is_ascii_alphabetic()).unwrap_or(rest.len()),
    };
    &rest[..length]
}

/// What a verb stands for, or a hint what it should be.
fn verb(token: &str, time: Timestamp, civil: &Civil) -> Result<String, String> {
    let number = |value: u32, allowed: &'static str| match token.len() {
        1 => Ok(value.to_string()),
        2 => Ok(format!("{value:02}")),
        _ => Err(format!(": {allowed}")),
    };
    match (token.as_bytes()[0], token.len()) {
        (b'Y', 2) => Ok(format!("{:02}", civil.year % 100)),
        (b'Y', 4) => Ok(format!("{:04}", civil.year)),
        (b'Y', _) => Err(": year must either be \"YY\" or \"YYYY\"".to_owned()),
        (b'M', 3) => Ok(MONTHS[civil.month as usize - 1][..3].to_owned()),
        (b'M', 4) => Ok(MONTHS[civil.month as usize - 1].to_owned()),
        (b'M', _) => number(civil.month, "month must be \"M\", \"MM\", \"MMM\", or \"MMMM\""),
        (b'D', _) => number(civil.day, "day of month must either be \"D\" or \"DD\""),
        (b'E', 3) => Ok(WEEKDAYS[civil.weekday][..3].to_owned()),
        (b'E', 4) => Ok(WEEKDAYS[civil.weekday].to_owned()),
        (b'E', _) => Err(": day of week must either be \"EEE\" or \"EEEE\"".to_owned()),
        (b'h', _) => number(civil.hour, "24-hour must either be \"h\" or \"hh\""),
        (b'H', _) => number((civil.hour + 11) % 12 + 1, "12-hour must either be \"H\" or \"HH\""),
        (b'A', 2) => Ok(if civil.hour < 12 { "AM" } else { "PM" }.to_owned()),
        (b'a', 2) => Ok(if civil.hour < 12 { "am" } else { "pm" }.to_owned()),
        (b'A' | b'a', _) => Err(format!(": must be \"{0}{0}\"", &token[..1])),
        (b'm', _) => number(civil.minute, "minute must either be \"m\" or \"mm\""),
        (b's', _) => number(civil.second, "second must either be \"s\" or \"ss\""),
        (b'Z', 1) if time.offset == 0 => Ok("Z".to_owned()),
        (b'Z', 3) if time.offset == 0 => Ok("UTC".to_owned()),
        (b'Z', 1 | 5) => Ok(time.offset_text(":")),
        (b'Z', 3 | 4) => Ok(time.offset_text("")),
        (b'Z', _) => Err(": timezone must be Z, ZZZZ, or ZZZZZ".to_owned()),
        _ => Err(String::new()),
    }
}
