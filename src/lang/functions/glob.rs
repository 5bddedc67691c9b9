//! Patterns of paths as Terraform's `fileset` takes them: `*` and `?` within a name, `**` for any number of folders, `[a-z]`, `{a,b}`, and `\`
//! before a character.
//!
//! What counts is the library that Terraform uses (doublestar, version 1), with its ways: a pattern is cut at its slashes first, so that braces hold
//! none of them but at its very beginning, and a mistake is one only where a name is compared with it.

use std::collections::BTreeSet;

use crate::functions::file::clean;
use crate::scope::{FileKind, Files};

/// The pattern is malformed.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct BadPattern;

/// All paths that match a pattern, files, folders and broken links, sorted. What cannot be read has nothing in it.
pub(super) fn glob(files: &dyn Files, pattern: &str) -> Result<BTreeSet<String>, BadPattern> {
    let mut found = BTreeSet::new();
    if let Some(inside) = pattern.strip_prefix('{') {
        let (options, rest) = alternatives(inside)?;
        for option in options {
            found.extend(glob(files, &format!("{option}{rest}"))?);
        }
        return Ok(found);
    }
    match pattern.strip_prefix('/') {
        _ if pattern.is_empty() => {}
        Some(pattern) => walk(files, "/", pattern, &mut found)?,
        None => walk(files, ".", pattern, &mut found)?,
    }
    Ok(found)
}

fn walk(files: &dyn Files, folder: &str, pattern: &str, found: &mut BTreeSet<String>) -> Result<(), BadPattern> {
    // What comes before the first part with anything special in it is there or not.
    let plain = pattern.find(['*', '?', '[', '{', '\\']).unwrap_or(pattern.len());
    let (folder, pattern) = match pattern[..plain].rfind('/') {
        Some(slash) if slash > 0 => (join(folder, &pattern[..slash]), &pattern[slash + 1..]),
        _ => (folder.to_owned(), pattern),
    };
    if pattern.is_empty() {
        if files.kind(&folder) != Ok(FileKind::Missing) {
            found.insert(folder);
        }
        return Ok(());
    }
    let Ok(mut names) = files.names(&folder) else { return Ok(()) };
    names.sort_unstable();
    let (part, rest) = match unescaped(pattern, '/') {
        Some(slash) => (&pattern[..slash], Some(&pattern[slash + 1..])),
        None => (pattern, None),
    };
    if part == "**" {
        for name in names {
            let path = join(&folder, &name);
            match files.kind(&path) {
                Ok(FileKind::Folder) => {
                    // What is wrong with the rest is told of this folder, if there is anything in it.
                    let _ = walk(files, &path, pattern, found);
                }
                Ok(FileKind::Missing) | Err(_) => continue,
                Ok(FileKind::Regular | FileKind::Other(_)) => {}
            }
            if rest.is_none() {
                found.insert(path);
            }
        }
        return rest.map_or(Ok(()), |rest| walk(files, &folder, rest, found));
    }
    let mut last = Ok(());
    for name in names {
        last = Ok(());
        if !name_matches(part, &name)? {
            continue;
        }
        let path = join(&folder, &name);
        match rest {
            None => drop(found.insert(path)),
            // Only the last one's mistake counts.
            Some(rest) => last = walk(files, &path, rest, found),
        }
    }
    last
}

fn join(folder: &str, path: &str) -> String {
    clean(&format!("{folder}/{path}"))
}

/// Where a character stands that has no `\` before it.
fn unescaped(text: &str, wanted: char) -> Option<usize> {
    let mut escaped = false;
    let is_it = |(_, c): &(usize, char)| {
        let is_it = !escaped && *c == wanted;
        escaped = !escaped && *c == '\\';
        is_it
    };
    text.char_indices().find(is_it).map(|(at, _)| at)
}

/// What braces, of which the first is open, stand for, and what follows them.
fn alternatives(text: &str) -> Result<(Vec<&str>, &str), BadPattern> {
    let (mut escaped, mut depth, mut start) = (false, 0, 0);
    let mut options = Vec::new();
    for (at, c) in text.char_indices() {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '{' => depth += 1,
            '}' if depth > 0 => depth -= 1,
            ',' if depth == 0 => {
                options.push(&text[start..at]);
                start = at + 1;
            }
            '}' => {
                options.push(&text[start..at]);
                return Ok((options, &text[at + 1..]));
            }
            _ => {}
        }
    }
    Err(BadPattern)
}

/// Whether a name matches a part of a pattern.
fn name_matches(pattern: &str, name: &str) -> Result<bool, BadPattern> {
    if name.is_empty() {
        return Ok(pattern.is_empty() || pattern == "*");
    }
    let (mut pattern, mut name) = (pattern, name);
    while let (Some(wanted), Some(c)) = (pattern.chars().next(), name.chars().next()) {
        let rest = &pattern[wanted.len_utf8()..];
        pattern = match wanted {
            '\\' => match rest.strip_prefix(c) {
                Some(rest) => rest,
                None if rest.is_empty() => return Err(BadPattern),
                None => return Ok(false),
            },
            '*' if rest.is_empty() => return Ok(true),
            // What is wrong with the rest is no mistake here.
            '*' => return Ok(name.char_indices().any(|(at, _)| name_matches(rest, &name[at..]) == Ok(true))),
            '[' => {
                let end = unescaped(rest, ']').ok_or(BadPattern)?;
                if !class(&rest[..end], c)? {
                    return Ok(false);
                }
                &rest[end + 1..]
            }
            '{' => {
                let (options, rest) = alternatives(rest)?;
                for option in options {
                    if name_matches(&format!("{option}{rest}"), name)? {
                        return Ok(true);
                    }
                }
                return Ok(false);
            }
            _ if wanted == '?' || wanted == c => rest,
            _ => return Ok(false),
        };
        name = &name[c.len_utf8()..];
    }
    Ok(name.is_empty() && matches!(pattern, "" | "*" | "**"))
}

/// Whether a character is in a class, of which this is the inside.
fn class(inside: &str, c: char) -> Result<bool, BadPattern> {
    let negated = inside.starts_with('^');
    let mut members = inside.chars().skip(usize::from(negated)).peekable();
    if inside.is_empty() {
        return Err(BadPattern);
    }
    let mut is_inside = false;
    while members.peek().is_some() {
        let low = class_member(&mut members)?;
        let high = match members.next_if_eq(&'-') {
            Some(_) => class_member(&mut members)?,
            None => low,
        };
        is_inside |= (low..=high).contains(&c);
    }
    Ok(is_inside != negated)
}

fn class_member(members: &mut impl Iterator<Item = char>) -> Result<char, BadPattern> {
    match members.next() {
        None | Some('-') => Err(BadPattern),
        Some('\\') => members.next().ok_or(BadPattern),
        Some(member) => Ok(member),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_match_parts_of_patterns() {
        for (pattern, name, expected) in [
            ("*.tf", "a.tf", Ok(true)),
            ("*.tf", "a.tfx", Ok(false)),
            ("a?c", "abc", Ok(true)),
            ("[a-c]x", "bx", Ok(true)),
            ("[^a-c]x", "bx", Ok(false)),
            ("[!a]x", "!x", Ok(true)),
            ("[!a]x", "bx", Ok(false)),
            (r"\*x", "*x", Ok(true)),
            ("*", "", Ok(true)),
            ("[", "a", Err(BadPattern)),
            ("[]", "a", Err(BadPattern)),
            ("[a", "a", Err(BadPattern)),
            ("[a-]", "a", Err(BadPattern)),
            ("x\\", "x", Ok(false)),
            ("x\\", "xy", Err(BadPattern)),
            ("x\\", "a", Ok(false)),
            ("{a,b{c,d}}.x", "bd.x", Ok(true)),
            ("{a,b{c,d}}.x", "b.x", Ok(false)),
            ("{a", "a", Err(BadPattern)),
            (r"\{a", "{a", Ok(true)),
            ("*{a", "a", Ok(false)),
        ] {
            assert_eq!(name_matches(pattern, name), expected, "{pattern} and {name}");
        }
    }
}
