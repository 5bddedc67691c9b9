//! Moments in time as RFC 3339 writes them, with Go's words for what is wrong with them.
//!
//! Known here: reading, writing, calendar arithmetic. Not known: what time it is.

/// A moment, and the offset from UTC that it was written with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Timestamp {
    /// Seconds since 1970-01-01T00:00:00Z.
    pub(super) seconds: i64,
    pub(super) nanoseconds: u32,
    /// Seconds east of UTC.
    pub(super) offset: i64,
}

/// A moment by calendar and clock, where it was written.
pub(super) struct Civil {
    pub(super) year: i64,
    pub(super) month: u32,
    pub(super) day: u32,
    /// 0 is Sunday.
    pub(super) weekday: usize,
    pub(super) hour: u32,
    pub(super) minute: u32,
    pub(super) second: u32,
}

/// How much an RFC 3339 reader lets pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reading {
    /// What RFC 3339 says.
    Strict,
    /// Also an hour of one digit, a comma before fractions, an offset of 24 hours or 60 minutes.
    Lenient,
}

impl Timestamp {
    /// A moment in UTC.
    pub(super) fn utc(seconds: i64) -> Self {
        Self { seconds, nanoseconds: 0, offset: 0 }
    }

    /// A moment by calendar and clock, in UTC.
    pub(super) fn from_civil(year: i64, month: u32, day: u32, clock: [u32; 3], nanoseconds: u32, offset: i64) -> Self {
        let [hour, minute, second] = clock.map(i64::from);
        let seconds = days_from_civil(year, month, day) * 86_400 + hour * 3600 + minute * 60 + second - offset;
        Self { seconds, nanoseconds, offset }
    }

    /// Reads `2006-01-02T15:04:05.999Z` or with an offset like `+02:00`.
    pub(super) fn parse(text: &str, reading: Reading) -> Result<Self, String> {
        let problem = |problem: String| format!("not a valid RFC3339 timestamp{problem}");
        let found = Reader::new(text).timestamp().map_err(|wrong| problem(wrong.words()))?;
        let cannot = |what: &str, part: &str| Err(problem(format!(": cannot use {} as {what}", quoted(part))));
        if reading == Reading::Lenient {
            return Ok(found);
        }
        let bytes = text.as_bytes();
        if bytes[12] == b':' {
            return Err(problem(": hour must have exactly two digits".to_owned()));
        }
        if bytes[19] == b',' {
            return cannot("timestamp segment", ",");
        }
        if !text.ends_with('Z') {
            let offset = &text[text.len() - 6..];
            if &offset[1..3] >= "24" || &offset[4..] >= "60" {
                return cannot("UTC offset", offset);
            }
        }
        Ok(found)
    }

    /// By calendar and clock, with the moment's offset.
    pub(super) fn civil(self) -> Civil {
        let local = self.seconds + self.offset;
        let (days, second) = (local.div_euclid(86_400), local.rem_euclid(86_400) as u32);
        let (year, month, day) = civil_from_days(days);
        Civil {
            year,
            month,
            day,
            // 1970-01-01 was a Thursday.
            weekday: (days + 4).rem_euclid(7) as usize,
            hour: second / 3600,
            minute: second / 60 % 60,
            second: second % 60,
        }
    }

    /// `+02:00`, or `+0200` with an empty separator.
    pub(super) fn offset_text(self, separator: &str) -> String {
        let sign = if self.offset < 0 { '-' } else { '+' };
        let minutes = self.offset.abs() / 60;
        format!("{sign}{:02}{separator}{:02}", minutes / 60, minutes % 60)
    }

    /// The moment `nanoseconds` later.
    pub(super) fn plus(self, nanoseconds: i64) -> Self {
        let all = i64::from(self.nanoseconds) + nanoseconds % 1_000_000_000;
        Self {
            seconds: self.seconds + nanoseconds / 1_000_000_000 + all.div_euclid(1_000_000_000),
            nanoseconds: all.rem_euclid(1_000_000_000) as u32,
            offset: self.offset,
        }
    }
}

impl std::fmt::Display for Timestamp {
    /// RFC 3339 without fractions.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Civil { year, month, day, hour, minute, second, .. } = self.civil();
        let sign = if year < 0 { "-" } else { "" };
        write!(f, "{sign}{:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}", year.abs())?;
        f.write_str(&if self.offset == 0 { "Z".to_owned() } else { self.offset_text(":") })
    }
}

/// Where reading a timestamp stopped: at which part, with what left, and a problem with a value that was read.
struct Wrong<'a> {
    part: &'static str,
    rest: &'a str,
    problem: Option<&'static str>,
}

impl Wrong<'_> {
    fn words(&self) -> String {
        if let ("", "", Some(problem)) = (self.part, self.rest, self.problem) {
            return format!(": {problem}");
        }
        let what = match self.part {
            "T" => return ": missing required time introducer 'T'".to_owned(),
            ":" | "-" if self.rest.is_empty() => {
                return format!(": end of string where {} is expected", quoted(self.part));
            }
            ":" | "-" => return format!(": found {} where {} is expected", quoted(self.rest), quoted(self.part)),
            part => part,
        };
        let what = if what.is_empty() { "timestamp segment" } else { what };
        match what {
            _ if self.rest.is_empty() => format!(": end of string before {what}"),
            "hour" if self.rest.contains(':') => ": hour must be between 0 and 23 inclusive".to_owned(),
            "hour" if self.rest.len() != 2 => ": hour must have exactly two digits".to_owned(),
            "minute" if self.rest.len() != 2 => ": minute must have exactly two digits".to_owned(),
            _ => format!(": cannot use {} as {what}", quoted(self.rest)),
        }
    }
}

/// Reads a text from left to right.
struct Reader<'a> {
    rest: &'a str,
}

impl<'a> Reader<'a> {
    fn new(text: &'a str) -> Self {
        Self { rest: text }
    }

    fn wrong(&self, part: &'static str, problem: Option<&'static str>) -> Wrong<'a> {
        Wrong { part, rest: self.rest, problem }
    }

    fn literal(&mut self, expected: &'static str) -> Result<(), Wrong<'a>> {
        self.rest = self.rest.strip_prefix(expected).ok_or_else(|| self.wrong(expected, None))?;
        Ok(())
    }

    /// How many digits there are, at most `most`.
    fn digits(&self, most: usize) -> usize {
        self.rest.bytes().take(most).take_while(u8::is_ascii_digit).count()
    }

    /// A number of two digits, or of one where that is allowed.
    fn number(
        &mut self,
        part: &'static str,
        one_digit: bool,
        valid: std::ops::RangeInclusive<u32>,
    ) -> Result<u32, Wrong<'a>> {
        let digits = self.digits(2);
        if digits == 0 || (digits == 1 && !one_digit) {
            return Err(self.wrong(part, None));
        }
        let value: u32 = self.rest[..digits].parse().unwrap_or(0);
        self.rest = &self.rest[digits..];
        if valid.contains(&value) { Ok(value) } else { Err(self.wrong(part, Some("out of range"))) }
    }

    fn year(&mut self) -> Result<i64, Wrong<'a>> {
        let value = match self.digits(4) {
            4 => self.rest[..4].parse().ok(),
            _ => None,
        };
        let year = value.ok_or_else(|| self.wrong("year", None))?;
        self.rest = &self.rest[4..];
        Ok(year)
    }

    fn fraction(&mut self) -> u32 {
        let Some(after) = self.rest.strip_prefix(['.', ',']) else { return 0 };
        let count = after.bytes().take_while(u8::is_ascii_digit).count();
        if count == 0 {
            return 0;
        }
        let digits: String = after[..count].chars().chain("000000000".chars()).take(9).collect();
        self.rest = &after[count..];
        digits.parse().unwrap_or(0)
    }

    fn offset(&mut self) -> Result<i64, Wrong<'a>> {
        const PART: &str = "UTC offset";
        if let Some(rest) = self.rest.strip_prefix('Z') {
            self.rest = rest;
            return Ok(0);
        }
        let bad = self.wrong(PART, None);
        let Some(text) = self.rest.get(..6) else { return Err(bad) };
        let number = |digits: &str| {
            let valid = digits.bytes().all(|byte| byte.is_ascii_digit());
            digits.parse::<i64>().ok().filter(|_| valid)
        };
        let (sign, hours, colon, minutes) = (text.get(..1), text.get(1..3), text.get(3..4), text.get(4..6));
        let (Some(hours), Some(":"), Some(minutes)) = (hours.and_then(number), colon, minutes.and_then(number)) else {
            return Err(bad);
        };
        let sign = match sign {
            Some("+") => 1,
            Some("-") => -1,
            _ => return Err(bad),
        };
        self.rest = &self.rest[6..];
        if hours > 24 || minutes > 60 {
            return Err(self.wrong(PART, Some("out of range")));
        }
        Ok(sign * (hours * 60 + minutes) * 60)
    }

    fn timestamp(mut self) -> Result<Timestamp, Wrong<'a>> {
        let year = self.year()?;
        self.literal("-")?;
        let month = self.number("month", false, 1..=12)?;
        self.literal("-")?;
        let day = self.number("day of month", false, 0..=99)?;
        self.literal("T")?;
        let hour = self.number("hour", true, 0..=23)?;
        self.literal(":")?;
        let minute = self.number("minute", false, 0..=59)?;
        self.literal(":")?;
        let second = self.number("second", false, 0..=59)?;
        let nanoseconds = self.fraction();
        let offset = self.offset()?;
        if !self.rest.is_empty() {
            return Err(self.wrong("", Some("extra text")));
        }
        if day < 1 || day > days_in(year, month) {
            return Err(self.wrong("", Some("day out of range")));
        }
        Ok(Timestamp::from_civil(year, month, day, [hour, minute, second], nanoseconds, offset))
    }
}

/// How many days a month has.
pub(super) fn days_in(year: i64, month: u32) -> u32 {
    match month {
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Days since 1970-01-01 in the Gregorian calendar.
///
/// Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms": years begin in March, so that the leap day is the last of its year.
fn days_from_civil(year: i64, month: u32, day: u32) -> i64 {
    let year = year - i64::from(month <= 2);
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let day_of_year = (153 * ((i64::from(month) + 9) % 12) + 2) / 5 + i64::from(day) - 1;
    era * 146_097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719_468
}

/// Year, month and day of a day since 1970-01-01: the inverse of [`days_from_civil`].
fn civil_from_days(days: i64) -> (i64, u32, u32) {
    let shifted = days + 719_468;
    let era = shifted.div_euclid(146_097);
    let day_of_era = shifted.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = (day_of_year - (153 * month_from_march + 2) / 5 + 1) as u32;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    (year_of_era + era * 400 + i64::from(month <= 2), month as u32, day)
}

fn quoted(text: &str) -> String {
    super::quote::quote(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_calendar_is_gregorian() {
        for (days, civil) in [(0, (1970, 1, 1)), (11_016, (2000, 2, 29)), (-719_528, (0, 1, 1)), (-1, (1969, 12, 31))] {
            assert_eq!(civil_from_days(days), civil);
            assert_eq!(days_from_civil(civil.0, civil.1, civil.2), days);
        }
        assert_eq!(Timestamp::utc(951_782_400).civil().weekday, 2);
    }
}
