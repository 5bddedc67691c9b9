//! RE2's regular expressions, as Terraform has them, in the notation of the `regex` crate: what RE2 refuses is refused here, in its words.
//! Groups lose their names on the way: RE2 allows a name twice.

use std::ops::Range;

use regex::Regex;

/// A compiled pattern and the names of its groups, from the first one.
pub(super) struct Pattern {
    pub(super) regex: Regex,
    pub(super) names: Vec<Option<String>>,
}

/// What is wrong with a pattern, and where.
#[derive(Debug)]
pub(super) struct Wrong {
    pub(super) problem: String,
    pub(super) part: String,
}

const MOST_REPETITIONS: u32 = 1000;

/// General categories of Unicode, by the names that RE2 knows.
const CATEGORIES: &[&str] = &[
    "C", "Cc", "Cf", "Co", "Cs", "L", "Ll", "Lm", "Lo", "Lt", "Lu", "M", "Mc", "Me", "Mn", "N", "Nd", "Nl", "No", "P",
    "Pc", "Pd", "Pe", "Pf", "Pi", "Po", "Ps", "S", "Sc", "Sk", "Sm", "So", "Z", "Zl", "Zp", "Zs",
];
/// Scripts whose whole names are as short as the abbreviations of others.
const SHORT_SCRIPTS: &[&str] =
    &["Ahom", "Cham", "Han", "Lao", "Lisu", "Miao", "Modi", "Mro", "Newa", "Nko", "Thai", "Toto", "Vai", "Yi"];
const CLASSES: &[&str] = &[
    "alnum", "alpha", "ascii", "blank", "cntrl", "digit", "graph", "lower", "print", "punct", "space", "upper", "word",
    "xdigit",
];

impl Pattern {
    pub(super) fn new(pattern: &str) -> Result<Self, Wrong> {
        let mut translator = Translator::new(pattern);
        translator.run()?;
        let regex = Regex::new(&translator.result).map_err(|error| {
            let problem = match error {
                regex::Error::CompiledTooBig(_) => "expression too large".to_owned(),
                // The crate draws a picture over several lines; its last line is the reason.
                other => {
                    let text = other.to_string();
                    match text.lines().last().unwrap_or_default().trim_start_matches("error: ") {
                        "unclosed group" => "missing closing )".to_owned(),
                        "unopened group" => "unexpected )".to_owned(),
                        reason => reason.to_owned(),
                    }
                }
            };
            Wrong { problem, part: pattern.to_owned() }
        })?;
        Ok(Pattern { regex, names: translator.names })
    }
}

struct Translator<'a> {
    rest: &'a str,
    result: String,
    names: Vec<Option<String>>,
    /// Where in the result the groups begin that are open.
    open: Vec<usize>,
    /// What a repetition would repeat, as a range of the result: settings may stand behind it.
    atom: Option<Range<usize>>,
    /// Whether that is a repetition itself.
    is_repeated: bool,
    /// From the last repetition on, if nothing came after it.
    repetition: Option<&'a str>,
}

fn wrong<T>(problem: &str, part: &str) -> Result<T, Wrong> {
    Err(Wrong { problem: problem.to_owned(), part: part.to_owned() })
}

/// What stands at the start of `text` before `rest`, its end.
fn before<'a>(text: &'a str, rest: &str) -> &'a str {
    &text[..text.len() - rest.len()]
}

impl<'a> Translator<'a> {
    fn new(pattern: &'a str) -> Self {
        let (result, names, open) = (String::with_capacity(pattern.len() + 8), Vec::new(), Vec::new());
        Translator { rest: pattern, result, names, open, atom: None, is_repeated: false, repetition: None }
    }

    fn run(&mut self) -> Result<(), Wrong> {
        while let Some(next) = self.rest.chars().next() {
            let text = self.rest;
            let after = &text[next.len_utf8()..];
            let repetition = self.repetition.take();
            match next {
                '(' if after.starts_with('?') => self.settings()?,
                '(' => {
                    self.names.push(None);
                    self.group("(", after);
                }
                ')' => {
                    let start = self.open.pop().unwrap_or(0);
                    self.result.push(')');
                    self.rest = after;
                    self.atom = Some(start..self.result.len());
                    self.is_repeated = false;
                }
                '|' => {
                    self.result.push('|');
                    self.rest = after;
                    self.atom = None;
                }
                '*' | '+' | '?' => self.repeat(&next.to_string(), after, repetition)?,
                '{' => match counts(text) {
                    Some((least, most, after)) => {
                        let operator = before(text, after);
                        let is_range = most.is_none_or(|most| least <= most && most <= MOST_REPETITIONS);
                        if least > MOST_REPETITIONS || !is_range {
                            return wrong("invalid repeat count", operator);
                        }
                        self.repeat(operator, after, repetition)?;
                    }
                    None => self.push(r"\{", after),
                },
                '[' => {
                    let (class, after) = class(text)?;
                    self.push(&class, after);
                }
                '\\' => self.escape(after)?,
                '^' | '$' | '.' => self.push(&next.to_string(), after),
                other => self.push(&regex::escape(&other.to_string()), after),
            }
        }
        Ok(())
    }

    /// Something that may be repeated.
    fn push(&mut self, part: &str, after: &'a str) {
        let start = self.result.len();
        self.result.push_str(part);
        self.atom = Some(start..self.result.len());
        self.is_repeated = false;
        self.rest = after;
    }

    fn group(&mut self, opening: &str, after: &'a str) {
        self.open.push(self.result.len());
        self.result.push_str(opening);
        self.atom = None;
        self.rest = after;
    }

    fn repeat(&mut self, operator: &str, after: &'a str, repetition: Option<&'a str>) -> Result<(), Wrong> {
        let text = self.rest;
        let (lazy, after) = after.strip_prefix('?').map_or(("", after), |after| ("?", after));
        let Some(atom) = self.atom.clone() else {
            return wrong("missing argument to repetition operator", before(text, after));
        };
        if let Some(repetition) = repetition {
            return wrong("invalid nested repetition operator", before(repetition, after));
        }
        let repeated = &self.result[atom.clone()];
        // What is repeated may be a repetition when settings stand between the two.
        let repeated = match self.is_repeated {
            true => format!("(?:{repeated}){operator}{lazy}"),
            false => format!("{repeated}{operator}{lazy}"),
        };
        self.result.replace_range(atom.clone(), &repeated);
        self.atom = Some(atom.start..atom.start + repeated.len());
        self.is_repeated = true;
        self.rest = after;
        self.repetition = Some(text);
        Ok(())
    }

    /// `(?P<name>`, `(?i)` or `(?i:`
    fn settings(&mut self) -> Result<(), Wrong> {
        let text = self.rest;
        if let Some(inside) = text.strip_prefix("(?P<").or_else(|| text.strip_prefix("(?<")) {
            let Some((name, after)) = inside.split_once('>') else { return wrong("invalid named capture", text) };
            if name.is_empty() || !name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_') {
                return wrong("invalid named capture", before(text, after));
            }
            self.names.push(Some(name.to_owned()));
            self.group("(", after);
            return Ok(());
        }
        let (mut on, mut off) = (String::new(), String::new());
        let (mut negated, mut any) = (false, false);
        let mut rest = &text[2..];
        loop {
            let Some(next) = rest.chars().next() else { return wrong("missing closing )", text) };
            rest = &rest[next.len_utf8()..];
            match next {
                'i' | 'm' | 's' | 'U' => {
                    any = true;
                    on.retain(|other| other != next);
                    off.retain(|other| other != next);
                    if negated { off.push(next) } else { on.push(next) }
                }
                '-' if !negated => (negated, any) = (true, false),
                ':' | ')' if any || !negated => {
                    let minus = if off.is_empty() { "" } else { "-" };
                    let settings = format!("(?{on}{minus}{off}");
                    if next == ':' {
                        self.group(&format!("{settings}:"), rest);
                    } else {
                        if settings != "(?" {
                            self.result.push_str(&format!("{settings})"));
                        }
                        self.rest = rest;
                    }
                    return Ok(());
                }
                _ => return wrong("invalid or unsupported Perl syntax", before(text, rest)),
            }
        }
    }

    fn escape(&mut self, after: &'a str) -> Result<(), Wrong> {
        let text = self.rest;
        let letter = after.chars().next();
        let further = &after[letter.map_or(0, char::len_utf8)..];
        match letter {
            Some('A' | 'z') => self.push(&format!("\\{}", &after[..1]), further),
            Some('b') => self.push(r"(?-u:\b)", further),
            Some('B') => self.push(r"(?-u:\B)", further),
            Some('Q') => {
                let (quoted, after) = further.split_once(r"\E").unwrap_or((further, ""));
                for character in quoted.chars() {
                    self.push(&regex::escape(&character.to_string()), after);
                }
                self.rest = after;
            }
            _ => match set(text)? {
                Some((set, after)) => self.push(&format!("[{set}]"), after),
                None => {
                    let (character, after) = character(text)?;
                    self.push(&regex::escape(&character.to_string()), after);
                }
            },
        }
        Ok(())
    }
}

/// `{2}`, `{2,}` or `{2,3}` at the start, and what comes after it.
fn counts(text: &str) -> Option<(u32, Option<u32>, &str)> {
    let (inside, after) = text[1..].split_once('}')?;
    let number = |digits: &str| {
        let plain = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
        (plain && (digits == "0" || !digits.starts_with('0'))).then(|| digits.parse().unwrap_or(u32::MAX))
    };
    let (least, most) = match inside.split_once(',') {
        None => (number(inside)?, Some(number(inside)?)),
        Some((least, "")) => (number(least)?, None),
        Some((least, most)) => (number(least)?, Some(number(most)?)),
    };
    Some((least, most, after))
}

/// The class in brackets at the start of the text, and what comes after it.
fn class(text: &str) -> Result<(String, &str), Wrong> {
    let mut rest = &text[1..];
    let mut result = "[".to_owned();
    if let Some(after) = rest.strip_prefix('^') {
        result.push('^');
        rest = after;
    }
    let mut is_first = true;
    while is_first || !rest.starts_with(']') {
        is_first = false;
        if let Some((name, after)) = rest.strip_prefix("[:").and_then(|inside| inside.split_once(":]")) {
            if !CLASSES.contains(&name.trim_start_matches('^')) || name.starts_with("^^") {
                return wrong("invalid character class range", before(rest, after));
            }
            result.push_str(before(rest, after));
            rest = after;
            continue;
        }
        if let Some((set, after)) = set(rest)? {
            result.push_str(&set);
            rest = after;
            continue;
        }
        if rest.is_empty() {
            return wrong("missing closing ]", text);
        }
        let range = rest;
        let (low, after) = character(rest)?;
        rest = after;
        let mut high = low;
        if let Some(after) = rest.strip_prefix('-').filter(|after| !after.is_empty() && !after.starts_with(']')) {
            (high, rest) = character(after)?;
            if high < low {
                return wrong("invalid character class range", before(range, rest));
            }
        }
        result.push_str(&format!("\\x{{{:x}}}-\\x{{{:x}}}", u32::from(low), u32::from(high)));
    }
    result.push(']');
    Ok((result, &rest[1..]))
}

/// A set of characters with a letter of its own at the start of the text, as it stands in a class: `\d`, `\pL`, `\p{Greek}`.
fn set(text: &str) -> Result<Option<(String, &str)>, Wrong> {
    let Some(letter) = text.strip_prefix('\\').and_then(|after| after.chars().next()) else { return Ok(None) };
    let simple = match letter {
        'd' => "0-9",
        'D' => "[^0-9]",
        'w' => "0-9A-Za-z_",
        'W' => "[^0-9A-Za-z_]",
        's' => r"\t\n\f\r\x20",
        'S' => r"[^\t\n\f\r\x20]",
        'p' | 'P' => {
            let after = &text[2..];
            let (name, after) = match after.strip_prefix('{') {
                Some(inside) => match inside.split_once('}') {
                    Some(found) => found,
                    None => return wrong("invalid character class range", text),
                },
                None => after.split_at(after.chars().next().map_or(0, char::len_utf8)),
            };
            let whole = before(text, after);
            let (negated, name) = name.strip_prefix('^').map_or((letter == 'P', name), |name| (letter == 'p', name));
            let sign = if negated { 'P' } else { 'p' };
            return match () {
                () if name == "Any" || CATEGORIES.contains(&name) => Ok(Some((format!("\\{sign}{{{name}}}"), after))),
                () if is_script(name) => Ok(Some((format!("\\{sign}{{Script={name}}}"), after))),
                () => wrong("invalid character class range", whole),
            };
        }
        _ => return Ok(None),
    };
    Ok(Some((simple.to_owned(), &text[2..])))
}

/// Whether it is the name of a script as RE2 writes it, not an abbreviation of one.
fn is_script(name: &str) -> bool {
    let is_title = |word: &str| {
        word.starts_with(|c: char| c.is_ascii_uppercase()) && word.bytes().skip(1).all(|byte| byte.is_ascii_lowercase())
    };
    (name.len() > 4 || SHORT_SCRIPTS.contains(&name))
        && (name == "SignWriting" || name.split('_').all(is_title))
        && Regex::new(&format!(r"\p{{Script={name}}}")).is_ok()
}

/// The character at the start of the text, which may be written with a backslash, and what comes after it.
fn character(text: &str) -> Result<(char, &str), Wrong> {
    let mut characters = text.chars();
    match characters.next() {
        Some('\\') => {}
        Some(plain) => return Ok((plain, characters.as_str())),
        None => return wrong("missing closing ]", text),
    }
    let Some(letter) = characters.next() else { return wrong("trailing backslash at end of expression", "") };
    let after = characters.as_str();
    let invalid = |rest: &str| wrong("invalid escape sequence", before(text, rest));
    let octal = |text: &str| text.bytes().take(2).take_while(|byte| matches!(byte, b'0'..=b'7')).count();
    match letter {
        '0'..='7' => {
            let more = octal(after);
            // A digit alone would refer to a group.
            if letter != '0' && more == 0 {
                return invalid(after);
            }
            let digits = &text[1..2 + more];
            let code = u32::from_str_radix(digits, 8).ok().and_then(char::from_u32);
            code.map_or_else(|| invalid(after), |code| Ok((code, &after[more..])))
        }
        'x' => {
            let (digits, rest) = match after.strip_prefix('{') {
                Some(inside) => inside.split_once('}').unwrap_or(("", "")),
                None => after.split_at_checked(2).unwrap_or(("", "")),
            };
            let code = match digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
                true => u32::from_str_radix(digits, 16).ok().and_then(char::from_u32),
                false => None,
            };
            code.map_or_else(|| invalid(rest), |code| Ok((code, rest)))
        }
        'a' => Ok(('\u{7}', after)),
        'f' => Ok(('\u{c}', after)),
        'n' => Ok(('\n', after)),
        'r' => Ok(('\r', after)),
        't' => Ok(('\t', after)),
        'v' => Ok(('\u{b}', after)),
        sign if sign.is_ascii() && !sign.is_ascii_alphanumeric() => Ok((sign, after)),
        _ => invalid(after),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_mean_what_they_mean_in_re2() {
        for (pattern, text, expected) in [
            (r"\d+", "٣4", Some("4")),
            (r"[\d_]+", "a1_2", Some("1_2")),
            (r"\w+", "äb", Some("b")),
            (r"a{x", "a{x", Some("a{x")),
            (r"a{2,}", "aaa", Some("aaa")),
            (r"[[]", "[", Some("[")),
            (r"[]a]+", "]a", Some("]a")),
            (r"[[:alpha:]]+", "1ab", Some("ab")),
            (r"\Qa.b\E", "axb a.b", Some("a.b")),
            (r"\Qab\E*", "abb", Some("abb")),
            (r"[^\s]+", " \u{a0}", Some("\u{a0}")),
            (r"\101\07?", "A", Some("A")),
            (r"[\101-C]+", "ABCD", Some("ABC")),
            (r"\p{^L}+", "é1", Some("1")),
            (r"[\p{Greek}\d]+", "aα1", Some("α1")),
            (r"x*(?i)*?", "xx", Some("")),
            (r"a(?i)*B", "aab", Some("aab")),
            (r"(?)a(?i-s)B", "ab", Some("ab")),
            (r"\<a\>", "<a>", Some("<a>")),
            (r"[a&&b~~c]+", "&~", Some("&~")),
        ] {
            let compiled = Pattern::new(pattern).unwrap_or_else(|wrong| panic!("{pattern}: {}", wrong.problem));
            assert_eq!(compiled.regex.find(text).map(|found| found.as_str()), expected, "{pattern}");
        }
    }

    #[test]
    fn what_re2_refuses_is_refused() {
        for (pattern, problem, part) in [
            ("a**", "invalid nested repetition operator", "**"),
            ("a{2}{3}", "invalid nested repetition operator", "{2}{3}"),
            ("a|*", "missing argument to repetition operator", "*"),
            ("a{1001}", "invalid repeat count", "{1001}"),
            ("(?x)a", "invalid or unsupported Perl syntax", "(?x"),
            ("(?P<é>a)", "invalid named capture", "(?P<é>"),
            (r"\p{letter}", "invalid character class range", r"\p{letter}"),
            (r"\p{Grek}", "invalid character class range", r"\p{Grek}"),
            ("[a--b]", "invalid character class range", "a--"),
            ("[[:foo:]]", "invalid character class range", "[:foo:]"),
            (r"\u0041", "invalid escape sequence", r"\u"),
            (r"\1", "invalid escape sequence", r"\1"),
            ("[a", "missing closing ]", "[a"),
            ("a\\", "trailing backslash at end of expression", ""),
        ] {
            let wrong = Pattern::new(pattern).err().unwrap_or_else(|| panic!("{pattern} is refused"));
            assert_eq!((wrong.problem.as_str(), wrong.part.as_str()), (problem, part), "{pattern}");
        }
    }

    proptest::proptest! {
        // A failure file beside the crates would be taken for a crate.
        #![proptest_config(proptest::prelude::ProptestConfig { failure_persistence: None, ..Default::default() })]

        #[test]
        fn no_pattern_is_too_strange(pattern in "[-a()?*+|\\[\\]{}0-9,^$.\\\\pPLdQExé:<>iU&]{0,14}") {
            let _ = Pattern::new(&pattern);
        }
    }
}
