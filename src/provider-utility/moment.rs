//! Points in time as RFC 3339 writes them, and the calendar arithmetic of Go's `time` package, which the kinds of `time` are defined by.

use pipectl_core::{Diagnostic, Diagnostics, Path, Value};
use pipectl_provider::Cx;
use time::format_description::well_known::Rfc3339;
use time::{Date, Duration, Month, OffsetDateTime, UtcOffset};

/// A point in time with the offset that it was written with, to the second.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Moment(OffsetDateTime);

impl Moment {
    /// The time of the environment, in UTC.
    pub(crate) fn now(cx: &Cx) -> Self {
        Self::whole(OffsetDateTime::from(cx.environment.now()))
    }

    /// Reads RFC 3339.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        OffsetDateTime::parse(text, &Rfc3339).ok().map(Self::whole)
    }

    /// Reads an argument or an attribute.
    pub(crate) fn parse_attribute(name: &str, text: &str) -> Result<Self, Diagnostics> {
        Self::parse(text).ok_or_else(|| {
            let detail = format!(
                "The value of `{name}` is no timestamp in the format of RFC 3339, such as 2020-02-12T06:36:13Z; it is {text:?}."
            );
            Diagnostic::error("Invalid RFC3339 String Value", detail).on(Path::of(name)).into()
        })
    }

    fn whole(moment: OffsetDateTime) -> Self {
        Self(moment.replace_nanosecond(0).expect("0 is a nanosecond"))
    }

    /// Years, months and days later as Go's `AddDate` counts: what overflows goes on into the next unit, so that October 31 and one
    /// month is December 1. `None` beyond the years that can be written.
    pub(crate) fn add_date(self, years: i64, months: i64, days: i64) -> Option<Self> {
        let month = i64::from(u8::from(self.0.month()) - 1).checked_add(months)?;
        let year = i64::from(self.0.year()).checked_add(years)?.checked_add(month.div_euclid(12))?;
        let month = Month::try_from(u8::try_from(month.rem_euclid(12) + 1).ok()?).ok()?;
        let first = Date::from_calendar_date(i32::try_from(year).ok()?, month, 1).ok()?;
        let days = days.checked_add(i64::from(self.0.day()) - 1)?;
        let date = first.checked_add(Duration::seconds(days.checked_mul(86_400)?))?;
        Self(self.0.replace_date(date)).in_range()
    }

    /// Seconds later.
    pub(crate) fn add_seconds(self, seconds: i64) -> Option<Self> {
        Self(self.0.checked_add(Duration::seconds(seconds))?).in_range()
    }

    fn in_range(self) -> Option<Self> {
        (0..=9999).contains(&self.0.year()).then_some(self)
    }

    /// RFC 3339.
    pub(crate) fn text(self) -> String {
        self.0.format(&Rfc3339).expect("years are kept between 0 and 9999")
    }

    /// The same moment in UTC, or as it is where its date in UTC cannot be written.
    pub(crate) fn in_utc(self) -> Self {
        self.0.checked_to_offset(UtcOffset::UTC).and_then(|moment| Self(moment).in_range()).unwrap_or(self)
    }

    /// Year, month, day, hour, minute and second, by the names that the kinds of `time` give them, and the seconds since 1970.
    pub(crate) fn fields(self) -> [(&'static str, Value); 7] {
        let small = |number: u8| Value::from(i64::from(number));
        [
            ("year", Value::from(i64::from(self.0.year()))),
            ("month", small(self.0.month().into())),
            ("day", small(self.0.day())),
            ("hour", small(self.0.hour())),
            ("minute", small(self.0.minute())),
            ("second", small(self.0.second())),
            ("unix", Value::from(self.0.unix_timestamp())),
        ]
    }

    /// The fields that a certificate writes: year, month, day, hour, minute, second, in UTC.
    #[cfg(feature = "tls")]
    pub(crate) fn calendar(self) -> [i32; 6] {
        let utc = self.in_utc().0;
        let small = i32::from;
        [
            utc.year(),
            small(u8::from(utc.month())),
            small(utc.day()),
            small(utc.hour()),
            small(utc.minute()),
            small(utc.second()),
        ]
    }

    /// The moment with these fields, in UTC.
    #[cfg(feature = "tls")]
    pub(crate) fn of_calendar([year, month, day, hour, minute, second]: [i32; 6]) -> Option<Self> {
        let small = |number: i32| u8::try_from(number).ok();
        let date = Date::from_calendar_date(year, Month::try_from(small(month)?).ok()?, small(day)?).ok()?;
        let moment = date.with_hms(small(hour)?, small(minute)?, small(second)?).ok()?;
        Some(Self(moment.assume_utc()))
    }
}

/// The error for a moment that cannot be written.
pub(crate) fn out_of_range() -> Diagnostics {
    let detail = "The result lies outside the years 0 to 9999, which RFC 3339 can write.";
    Diagnostic::error("Timestamp out of range", detail).into()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn moment(text: &str) -> Moment {
        Moment::parse(text).expect("a timestamp")
    }

    #[test]
    fn counts_as_go_does() {
        // Expected values: `time.Date(...).AddDate(...)` of Go.
        for (start, [years, months, days], expected) in [
            ("2020-02-12T06:36:13Z", [0, 0, 7], "2020-02-19T06:36:13Z"),
            ("2020-10-31T00:00:00Z", [0, 1, 0], "2020-12-01T00:00:00Z"),
            ("2020-02-29T00:00:00Z", [1, 0, 0], "2021-03-01T00:00:00Z"),
            ("2020-01-31T00:00:00Z", [0, 1, 0], "2020-03-02T00:00:00Z"),
            ("2020-03-31T00:00:00Z", [0, -1, 0], "2020-03-02T00:00:00Z"),
            ("2020-01-15T00:00:00Z", [0, -1, 0], "2019-12-15T00:00:00Z"),
            ("2020-12-31T23:59:59+02:00", [0, 2, 0], "2021-03-03T23:59:59+02:00"),
        ] {
            assert_eq!(moment(start).add_date(years, months, days).map(Moment::text).as_deref(), Some(expected));
        }
        assert_eq!(moment("9999-12-31T00:00:00Z").add_date(0, 0, 1), None);
        for (years, months, days) in [(i64::MAX, 0, 0), (0, i64::MAX, 0), (0, i64::MIN, 0), (0, 0, i64::MAX)] {
            assert_eq!(moment("2020-12-01T00:00:00Z").add_date(years, months, days), None);
        }
        assert_eq!(moment("2020-01-01T00:00:00Z").add_seconds(i64::MAX), None);
        assert_eq!(Moment::parse("2020-02-30T00:00:00Z"), None);
        assert_eq!(Moment::parse("2020-02-12"), None);
        assert_eq!(moment("2020-02-12T06:36:13.75+01:00").text(), "2020-02-12T06:36:13+01:00");
        assert_eq!(moment("2020-02-12T06:36:13+01:00").in_utc().text(), "2020-02-12T05:36:13Z");
    }

    proptest! {
        #[test]
        fn text_reads_back(seconds in 0_i64..200_000_000_000) {
            let moment = moment("1970-01-01T00:00:00Z").add_seconds(seconds).expect("in range");
            prop_assert_eq!(Moment::parse(&moment.text()), Some(moment));
            prop_assert_eq!(&moment.fields()[6], &("unix", Value::from(seconds)));
        }
    }
}
