//! Escapes in the strings of JSON.

/// The character that the escape at the beginning of `text` stands for, and how many bytes it takes. Two `\u` that are halves of one character count as one.
pub(crate) fn unescape(text: &str) -> Option<(char, usize)> {
    let unit = |at: usize| {
        let digits = text.get(at..at + 4).filter(|digits| digits.bytes().all(|byte| byte.is_ascii_hexdigit()))?;
        u32::from_str_radix(digits, 16).ok()
    };
    let simple = match text.as_bytes().get(1)? {
        b'"' => '"',
        b'\\' => '\\',
        b'/' => '/',
        b'b' => '\u{8}',
        b'f' => '\u{c}',
        b'n' => '\n',
        b'r' => '\r',
        b't' => '\t',
        b'u' => {
            let first = unit(2)?;
            if (0xd800..0xdc00).contains(&first)
                && text.get(6..8) == Some("\\u")
                && let Some(second) = unit(8).filter(|second| (0xdc00..0xe000).contains(second))
            {
                let code = 0x10000 + ((first - 0xd800) << 10) + (second - 0xdc00);
                return Some((char::from_u32(code)?, 12));
            }
            return Some((char::from_u32(first).unwrap_or(char::REPLACEMENT_CHARACTER), 6));
        }
        _ => return None,
    };
    Some((simple, 2))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn halves_of_a_character_belong_together() {
        for (text, expected) in [
            ("\\n..", Some(('\n', 2))),
            ("\\u00e9x", Some(('é', 6))),
            ("\\ud83d\\ude00", Some(('😀', 12))),
            ("\\ud83d\\u0041", Some((char::REPLACEMENT_CHARACTER, 6))),
            ("\\ude00", Some((char::REPLACEMENT_CHARACTER, 6))),
            ("\\u12", None),
            ("\\q", None),
            ("\\", None),
        ] {
            assert_eq!(unescape(text), expected, "{text}");
        }
    }
}
