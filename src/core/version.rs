//! Versions, and lists of constraints on them like `>= 1.2, < 2.0`.
//!
//! The grammar is the one of Terraform 1.11, its corners included (hashicorp/go-version): `required_version` and `required_providers` take
//! the same texts, and those of providers are held to more. What a version is compared with is the caller's.

use std::cmp::Ordering;
use std::str::FromStr;

/// A version: `1.11.4`, `2.0-rc.1`. What follows a `+` means nothing and is not kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Version {
    /// At least three: those that are not written are 0.
    numbers: Vec<u64>,
    /// How many numbers are written.
    written: usize,
    prerelease: Option<String>,
}

/// Constraints that must all hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VersionConstraints(Vec<Constraint>);

#[derive(Clone, Debug, PartialEq, Eq)]
struct Constraint {
    operator: Operator,
    version: Version,
    odd: Option<&'static str>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Operator {
    Equal,
    NotEqual,
    Less,
    AtMost,
    Greater,
    AtLeast,
    Pessimistic,
}

/// Longer ones before those that they begin with.
const OPERATORS: [(&str, Operator); 7] = [
    ("!=", Operator::NotEqual),
    (">=", Operator::AtLeast),
    ("<=", Operator::AtMost),
    ("~>", Operator::Pessimistic),
    ("=", Operator::Equal),
    (">", Operator::Greater),
    ("<", Operator::Less),
];

/// A text is no version, or no list of constraints on versions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum VersionError {
    /// It is no version.
    #[error("a version is numbers with dots between, like 1.2.3")]
    Version,
    /// It is no list of constraints.
    #[error("a version constraint is a text like \"~> 1.2\", or several with commas between, like \">= 1.2, < 2.0\"")]
    Constraints,
}

impl FromStr for Version {
    type Err = VersionError;

    fn from_str(text: &str) -> Result<Self, VersionError> {
        Version::read(text).ok_or(VersionError::Version)
    }
}

impl FromStr for VersionConstraints {
    type Err = VersionError;

    fn from_str(text: &str) -> Result<Self, VersionError> {
        let all: Option<Vec<Constraint>> = text.split(',').map(Constraint::read).collect();
        all.map(Self).ok_or(VersionError::Constraints)
    }
}

impl VersionConstraints {
    /// Whether they all hold for a version.
    pub fn allow(&self, version: &Version) -> bool {
        self.0.iter().all(|constraint| constraint.allows(version))
    }

    /// Whether one of them names a version before a release, like `2.0-rc.1`.
    pub fn name_prerelease(&self) -> bool {
        self.0.iter().any(|constraint| constraint.version.prerelease.is_some())
    }

    /// What is wrong with them as constraints on a provider, whose versions are written in one way only.
    pub fn unfit_for_providers(&self) -> Option<&'static str> {
        self.0.iter().find_map(|constraint| constraint.odd)
    }
}

impl Constraint {
    fn read(text: &str) -> Option<Self> {
        let text = text.trim_matches(is_blank);
        let (operator, rest) = OPERATORS
            .iter()
            .find_map(|(sign, operator)| Some((*operator, text.strip_prefix(sign)?)))
            .unwrap_or((Operator::Equal, text));
        let written = rest.trim_start_matches(is_blank);
        let version = Version::read(written)?;
        let (plain, _) = written.split_once('+').unwrap_or((written, ""));
        let after_numbers = plain.trim_start_matches(|character: char| character == '.' || character.is_ascii_digit());
        let odd = if !["", " "].contains(&&rest[..rest.len() - written.len()]) {
            Some("only one space is expected after the operator")
        } else if written.starts_with('v') {
            Some("the version is written without a \"v\"")
        } else if version.written > 3 {
            Some("there are at most three numbers in a version")
        } else if !(after_numbers.is_empty() || after_numbers.starts_with('-')) || written.contains('~') {
            Some("a comma is missing after the numbers")
        } else {
            None
        };
        Some(Self { operator, version, odd })
    }

    fn allows(&self, version: &Version) -> bool {
        let wanted = &self.version;
        let order = version.compare(wanted);
        match self.operator {
            Operator::Equal => order.is_eq(),
            Operator::NotEqual => order.is_ne(),
            Operator::Less => order.is_lt() && version.may_stand_beside(wanted),
            Operator::AtMost => order.is_le() && version.may_stand_beside(wanted),
            Operator::Greater => order.is_gt() && version.may_stand_beside(wanted),
            Operator::AtLeast => order.is_ge() && version.may_stand_beside(wanted),
            // The last number that is written may grow, and those before it may not. A single one may grow into anything, as in Terraform.
            Operator::Pessimistic => {
                let fixed = wanted.written - 1;
                order.is_ge()
                    && version.may_stand_beside(wanted)
                    && (wanted.prerelease.is_none() || version.prerelease.is_some())
                    && wanted.numbers.len() <= version.numbers.len()
                    && wanted.numbers[..fixed] == version.numbers[..fixed]
                    && wanted.numbers.last() <= version.numbers.get(wanted.numbers.len() - 1)
            }
        }
    }
}

impl Version {
    fn read(text: &str) -> Option<Self> {
        let text = text.strip_prefix('v').unwrap_or(text);
        let text = match text.split_once('+') {
            Some((version, build)) if build.split('.').all(is_identifier) => version,
            Some(_) => return None,
            None => text,
        };
        let rest = text.trim_start_matches(|character: char| character == '.' || character.is_ascii_digit());
        let digits = &text[..text.len() - rest.len()];
        // What is written together with the dash begins as it likes, and without one with a letter. A dash alone is a pre-release by itself.
        let prerelease = match rest.strip_prefix('-') {
            Some("") => Some(rest),
            Some(after) => Some(after),
            None => Some(rest).filter(|rest| !rest.is_empty()),
        };
        if !prerelease.is_none_or(|prerelease| prerelease.split('.').all(is_identifier)) {
            return None;
        }
        // Larger ones are none to Terraform, either.
        let number = |digits: &str| digits.parse::<u64>().ok().filter(|number| i64::try_from(*number).is_ok());
        let mut numbers = digits.split('.').map(number).collect::<Option<Vec<u64>>>()?;
        let written = numbers.len();
        numbers.resize(written.max(3), 0);
        Some(Self { numbers, written, prerelease: prerelease.map(str::to_owned) })
    }

    /// A version before a release is meant only where its own release is named, and as such.
    fn may_stand_beside(&self, wanted: &Version) -> bool {
        match (&self.prerelease, &wanted.prerelease) {
            (Some(_), Some(_)) => self.compare_numbers(wanted).is_eq(),
            (Some(_), None) => false,
            (None, _) => true,
        }
    }

    fn compare(&self, other: &Version) -> Ordering {
        self.compare_numbers(other).then_with(|| match (&self.prerelease, &other.prerelease) {
            (None, None) => Ordering::Equal,
            (None, Some(_)) => Ordering::Greater,
            (Some(_), None) => Ordering::Less,
            (Some(own), Some(other)) => compare_prereleases(own, other),
        })
    }

    fn compare_numbers(&self, other: &Version) -> Ordering {
        let length = self.numbers.len().max(other.numbers.len());
        let number = |version: &Version, index: usize| version.numbers.get(index).copied().unwrap_or(0);
        (0..length)
            .map(|index| number(self, index).cmp(&number(other, index)))
            .find(|order| order.is_ne())
            .unwrap_or(Ordering::Equal)
    }
}

/// Part by part: numbers by their size and before words, words by their letters, and what is longer last.
fn compare_prereleases(own: &str, other: &str) -> Ordering {
    let rank = |part: &str| match part.parse::<u64>() {
        Ok(number) => (0, number, String::new()),
        Err(_) => (1, 0, part.to_owned()),
    };
    own.split('.').map(rank).cmp(other.split('.').map(rank))
}

fn is_identifier(part: &str) -> bool {
    let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'~';
    !part.is_empty() && part.bytes().all(is_allowed)
}

/// What counts as blank in a regular expression of Go.
fn is_blank(character: char) -> bool {
    matches!(character, ' ' | '\t' | '\n' | '\r' | '\x0c')
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Answers are those of Terraform 1.11.4 with `required_version`.
    #[test]
    fn compares_as_terraform_does() {
        for (constraints, expected) in [
            (">= 1.5", true),
            (">= 1.5, < 1.11", false),
            ("~> 1.5", true),
            ("~> 1.11.0", true),
            ("~> 1.10.0", false),
            ("~> 0", true),
            ("~> 1", true),
            ("~> 2", false),
            ("~> 0.5", false),
            ("~> 1.11.4", true),
            ("~> 1.11.5", false),
            ("~> 1.11.4.0", false),
            ("~> 1.11.3.9", false),
            ("> 1", true),
            ("  >   1  ", true),
            ("> 1 , < 2", true),
            (">\t1", true),
            ("v1.11.4", true),
            ("1.11.4.0", true),
            ("1.11.4.1", false),
            ("01.011.4", true),
            ("= 1.11", false),
            ("!= 1.11.4", false),
            ("1.11.4+x", true),
            ("<= 1.11.4+zzz", true),
            (">= 1.0, ~> 0.1", false),
        ] {
            let version = "1.11.4".parse::<Version>().unwrap();
            assert_eq!(
                constraints.parse::<VersionConstraints>().map(|all| all.allow(&version)),
                Ok(expected),
                "{constraints}"
            );
        }
    }

    #[test]
    fn what_is_no_constraint_is_refused() {
        for text in [
            "",
            ">=",
            "1.x",
            "== 1",
            "=> 1",
            "^1.0",
            ">= 1.0 <= 2",
            ",",
            "1,",
            ",1",
            "> = 1",
            "1.0 2.0",
            "x1",
            ".1",
            "1..2",
            "1.2.3.",
            "-1",
            "9223372036854775808",
            "1.0.0+",
            "1.0.0-beta_1",
            "1.0.0-a..b",
            "1.0+a+b",
            "é",
            "1é",
        ] {
            assert_eq!(text.parse::<VersionConstraints>(), Err(VersionError::Constraints), "{text}");
        }
    }

    #[test]
    fn versions_of_providers_are_written_in_one_way() {
        let unfit = |text: &str| text.parse::<VersionConstraints>().unwrap().unfit_for_providers().is_some();
        for text in [
            "1",
            " > 1 , < 2",
            ">=1.0,  < 2",
            "1.0-beta.1+x",
            "1.0.0-",
            "1.0.0--",
            "1.0.0-01.2",
            "1.0+a-b",
            "9223372036854775807",
        ] {
            assert!(!unfit(text), "{text}");
        }
        for text in
            [">  1", ">\t1", ">\n1", "v1", "> v1", "1.0.0.0", "1.0.0beta", "1.0~a", "1.0.0-~", "1.0.0-a~", "1, > v2"]
        {
            assert!(unfit(text), "{text}");
        }
    }

    #[test]
    fn versions_before_a_release_are_meant_by_name_only() {
        let allow = |constraints: &str, version: &str| {
            constraints.parse::<VersionConstraints>().unwrap().allow(&version.parse().unwrap())
        };
        assert!(!allow(">= 1.0", "1.1-rc.1"));
        assert!(
            allow(">= 1.1-rc.1", "1.1-rc.2") && allow("> 1.1-rc.2", "1.1-rc.10") && !allow("> 1.1-rc.a", "1.1-rc.1")
        );
        assert!(!allow(">= 1.1-rc.1", "1.2-rc.1"));
        assert!(allow(">= 1.1-rc.1", "1.1") && allow(">= 1.1-rc.1", "1.2"));
        assert!(!allow("~> 1.1-rc.1", "1.1") && allow("~> 1.1-rc.1", "1.1-rc.3"));
        assert!("~> 1.1-rc.1".parse::<VersionConstraints>().unwrap().name_prerelease());
    }
}
