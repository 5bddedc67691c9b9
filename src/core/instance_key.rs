//! Keys of instances: `[0]` of `count`, `["eu"]` of `for_each`, and how they are written.

use std::fmt::{self, Write};

/// Which instance of a block with `count` or `for_each`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum InstanceKey {
    /// An instance of `count`.
    Index(u64),
    /// An instance of `for_each`.
    Name(String),
}

impl fmt::Display for InstanceKey {
    /// Writes what stands between the brackets. A name is quoted as Terraform quotes it: `"` `\` and what cannot be printed escaped, `${` and
    /// `%{` doubled (`toHCLQuotedString` in Terraform's `internal/addrs/instance_key.go`).
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            InstanceKey::Index(index) => write!(f, "{index}"),
            InstanceKey::Name(name) => write_quoted(f, name),
        }
    }
}

fn write_quoted(f: &mut fmt::Formatter<'_>, name: &str) -> fmt::Result {
    f.write_char('"')?;
    let mut rest = name.chars().peekable();
    while let Some(c) = rest.next() {
        match c {
            '"' => f.write_str("\\\"")?,
            '\\' => f.write_str("\\\\")?,
            '\n' => f.write_str("\\n")?,
            '\r' => f.write_str("\\r")?,
            '\t' => f.write_str("\\t")?,
            '$' | '%' if rest.peek() == Some(&'{') => write!(f, "{c}{c}")?,
            c if is_printable(c) => f.write_char(c)?,
            c if u32::from(c) < 0x1_0000 => write!(f, "\\u{:04x}", u32::from(c))?,
            c => write!(f, "\\U{:08x}", u32::from(c))?,
        }
    }
    f.write_char('"')
}

/// Whether a character stands for itself. `escape_debug` escapes what has no shape of its own.
fn is_printable(c: char) -> bool {
    c == '\'' || c.escape_debug().len() == 1
}

/// Reads a key at the start of `text`, which begins after the opening bracket; gives the key and what follows the closing one.
pub(crate) fn read(text: &str) -> Option<(InstanceKey, &str)> {
    let Some(quoted) = text.strip_prefix('"') else {
        let (digits, rest) = text.split_once(']')?;
        // A sign is no part of an index.
        let index = digits.bytes().all(|byte| byte.is_ascii_digit()).then(|| digits.parse().ok())??;
        return Some((InstanceKey::Index(index), rest));
    };
    let mut name = String::new();
    let mut rest = quoted.chars();
    loop {
        match rest.next()? {
            '"' => break,
            '\\' => name.push(read_escape(&mut rest)?),
            c @ ('$' | '%') => {
                name.push(c);
                if rest.as_str().strip_prefix(c).is_some_and(|after| after.starts_with('{')) {
                    rest.next();
                }
            }
            c => name.push(c),
        }
    }
    Some((InstanceKey::Name(name), rest.as_str().strip_prefix(']')?))
}

fn read_escape(rest: &mut std::str::Chars<'_>) -> Option<char> {
    let digits = match rest.next()? {
        'n' => return Some('\n'),
        'r' => return Some('\r'),
        't' => return Some('\t'),
        c @ ('"' | '\\' | '/') => return Some(c),
        // Early states of pipectl hold `\u{a0}`.
        'u' if rest.as_str().starts_with('{') => {
            let (digits, after) = rest.as_str()[1..].split_once('}')?;
            *rest = after.chars();
            return char::from_u32(u32::from_str_radix(digits, 16).ok()?);
        }
        'u' => 4,
        'U' => 8,
        _ => return None,
    };
    let code = rest.as_str().get(..digits)?;
    *rest = rest.as_str()[digits..].chars();
    char::from_u32(u32::from_str_radix(code, 16).ok()?)
}
