//! Text to tokens.

use super::ExpressionError;

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Token {
    Number(f64),
    /// A name outside backquotes: a column or a function.
    Name(String),
    /// A name in backquotes: a column.
    Quoted(String),
    /// An operator or a bracket.
    Sign(&'static str),
    End,
}

/// Longer signs first, so that `<=` is not read as `<`.
const SIGNS: [&str; 22] = [
    "[*]", "&&", "||", "==", "!=", "<=", ">=", "<", ">", "+", "-", "*", "/", "%", "!", "(", ")", "[", "]", ",", "?",
    ":",
];

/// All tokens with the character at which each starts; the last is [`Token::End`].
pub(super) fn tokens(text: &str) -> Result<Vec<(usize, Token)>, ExpressionError> {
    let characters: Vec<char> = text.chars().collect();
    let fail =
        |position, message: &str| ExpressionError { text: text.to_owned(), position, message: message.to_owned() };
    let run = |from: usize, accept: &dyn Fn(char) -> bool| {
        characters[from..].iter().position(|&c| !accept(c)).map_or(characters.len(), |length| from + length)
    };
    let mut tokens = Vec::new();
    let mut position = 0;
    while position < characters.len() {
        let start = position;
        let character = characters[position];
        if character.is_whitespace() {
            position += 1;
            continue;
        }
        let token = if character.is_ascii_digit() || character == '.' {
            position = number_end(&characters, position);
            let number: String = characters[start..position].iter().collect();
            let value = number.parse().ok().filter(|value: &f64| value.is_finite());
            Token::Number(value.ok_or_else(|| fail(start, &format!("`{number}` is not a number")))?)
        } else if character.is_alphabetic() || character == '_' {
            // Dots inside a name are how flat files name members: `Jet.PT`.
            position = run(position, &|c| c.is_alphanumeric() || c == '_' || c == '.');
            Token::Name(characters[start..position].iter().collect())
        } else if character == '`' {
            let end = run(position + 1, &|c| c != '`');
            if end == characters.len() {
                return Err(fail(start, "the backquote is not closed"));
            }
            position = end + 1;
            Token::Quoted(characters[start + 1..end].iter().collect())
        } else {
            let rest: String = characters[position..].iter().take(3).collect();
            let sign = SIGNS.into_iter().find(|sign| rest.starts_with(sign));
            let sign = sign.ok_or_else(|| fail(start, &format!("`{character}` means nothing here")))?;
            position += sign.len();
            Token::Sign(sign)
        };
        tokens.push((start, token));
    }
    tokens.push((characters.len(), Token::End));
    Ok(tokens)
}

/// End of a number: digits, a fraction, an exponent.
fn number_end(characters: &[char], start: usize) -> usize {
    let digits = |mut position: usize| {
        while characters.get(position).is_some_and(char::is_ascii_digit) {
            position += 1;
        }
        position
    };
    let mut end = digits(start);
    if characters.get(end) == Some(&'.') {
        end = digits(end + 1);
    }
    if matches!(characters.get(end), Some('e' | 'E')) {
        let sign = usize::from(matches!(characters.get(end + 1), Some('+' | '-')));
        let exponent = digits(end + 1 + sign);
        if exponent > end + 1 + sign {
            end = exponent;
        }
    }
    end
}
