//! Patterns of paths: `*` and `?` within a name, `**` for any number of folders, `[a-z]`, `{a,b}`, and `\` before a character.

use std::collections::BTreeSet;

use crate::functions::file::clean;
use crate::scope::{FileKind, Files};

/// The pattern is malformed.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct BadPattern;

/// All paths that match a pattern, files and folders, sorted. What cannot be read has nothing in it.
pub(super) fn glob(files: &dyn Files, pattern: &str) -> Result<BTreeSet<String>, BadPattern> {
    let mut found = BTreeSet::new();
    for pattern in alternatives(pattern)? {
        let rooted = pattern.starts_with('/');
        let parts: Vec<&str> = pattern.split('/').filter(|part| !part.is_empty()).collect();
        for part in parts.iter().filter(|part| **part != "**") {
            // A mistake is told even where nothing is compared with the pattern.
            name_matches(part, "")?;
        }
        walk(files, if rooted { "/" } else { "" }, &parts, &mut found)?;
    }
    Ok(found)
}

fn walk(files: &dyn Files, folder: &str, parts: &[&str], found: &mut BTreeSet<String>) -> Result<(), BadPattern> {
    let Some((part, rest)) = parts.split_first() else { return Ok(()) };
    let join = |name: &str| match folder {
        "" | "/" => format!("{folder}{name}"),
        folder => format!("{folder}/{name}"),
    };
    if !part.contains(['*', '?', '[', '\\']) {
        let path = join(part);
        return match rest.is_empty() {
            true => {
                if files.kind(&path) != Ok(FileKind::Missing) {
                    found.insert(clean(&path));
                }
                Ok(())
            }
            false => walk(files, &path, rest, found),
        };
    }
    if *part == "**" && !rest.is_empty() {
        // No folder at all.
        walk(files, folder, rest, found)?;
    }
    let Ok(names) = files.names(if folder.is_empty() { "." } else { folder }) else { return Ok(()) };
    for name in names {
        let path = join(&name);
        let is_folder = || files.kind(&path) == Ok(FileKind::Folder);
        if *part == "**" {
            if is_folder() {
                walk(files, &path, parts, found)?;
            }
            if rest.is_empty() {
                found.insert(path);
            }
        } else if name_matches(part, &name)? {
            match rest.is_empty() {
                true => {
                    found.insert(path);
                }
                false if is_folder() => walk(files, &path, rest, found)?,
                false => {}
            }
        }
    }
    Ok(())
}

/// The patterns that a pattern with braces stands for.
fn alternatives(pattern: &str) -> Result<Vec<String>, BadPattern> {
    let mut escaped = false;
    let mut depth = 0;
    let mut open = 0;
    let mut starts = Vec::new();
    for (at, c) in pattern.char_indices() {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '{' => {
                depth += 1;
                if depth == 1 {
                    open = at;
                    starts = vec![at + 1];
                }
            }
            ',' if depth == 1 => starts.push(at + 1),
            '}' if depth == 1 => {
                let (before, after) = (&pattern[..open], &pattern[at + 1..]);
                let ends = starts.iter().skip(1).map(|start| start - 1).chain([at]);
                let mut all = Vec::new();
                for (start, end) in starts.iter().zip(ends) {
                    all.extend(alternatives(&format!("{before}{}{after}", &pattern[*start..end]))?);
                }
                return Ok(all);
            }
            '}' if depth > 1 => depth -= 1,
            _ => {}
        }
    }
    if depth == 0 { Ok(vec![pattern.to_owned()]) } else { Err(BadPattern) }
}

/// Whether a name matches a part of a pattern.
fn name_matches(pattern: &str, name: &str) -> Result<bool, BadPattern> {
    let pattern: Vec<char> = pattern.chars().collect();
    let name: Vec<char> = name.chars().collect();
    check(&pattern)?;
    Ok(matches(&pattern, &name))
}

fn check(pattern: &[char]) -> Result<(), BadPattern> {
    let mut at = 0;
    while let Some(c) = pattern.get(at) {
        match c {
            '\\' if at + 1 == pattern.len() => return Err(BadPattern),
            '\\' => at += 2,
            '[' => at += class(&pattern[at..], '\0').ok_or(BadPattern)?.0,
            _ => at += 1,
        }
    }
    Ok(())
}

fn matches(pattern: &[char], name: &[char]) -> bool {
    match (pattern.first(), name.first()) {
        (None, None) => true,
        (Some('*'), _) => matches(&pattern[1..], name) || (!name.is_empty() && matches(pattern, &name[1..])),
        (Some('?'), Some(_)) => matches(&pattern[1..], &name[1..]),
        (Some('['), Some(c)) => {
            class(pattern, *c).is_some_and(|(length, inside)| inside && matches(&pattern[length..], &name[1..]))
        }
        (Some('\\'), Some(c)) => pattern.get(1) == Some(c) && matches(&pattern[2..], &name[1..]),
        (Some(wanted), Some(c)) => wanted == c && matches(&pattern[1..], &name[1..]),
        _ => false,
    }
}

/// The length of the class that a pattern begins with, and whether a character is in it.
fn class(pattern: &[char], c: char) -> Option<(usize, bool)> {
    let negated = pattern.get(1) == Some(&'^');
    let mut at = 1 + usize::from(negated);
    if pattern.get(at) == Some(&']') {
        return None;
    }
    let mut inside = false;
    loop {
        let low = class_member(pattern, &mut at)?;
        let is_range = pattern.get(at) == Some(&'-') && pattern.get(at + 1).is_some_and(|c| *c != ']');
        let high = match is_range {
            true => {
                at += 1;
                class_member(pattern, &mut at)?
            }
            false => low,
        };
        inside |= (low..=high).contains(&c);
        if pattern.get(at)? == &']' {
            return Some((at + 1, inside != negated));
        }
    }
}

fn class_member(pattern: &[char], at: &mut usize) -> Option<char> {
    *at += if pattern.get(*at) == Some(&'\\') { 2 } else { 1 };
    pattern.get(*at - 1).copied()
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
            ("x\\", "a", Err(BadPattern)),
        ] {
            assert_eq!(name_matches(pattern, name), expected, "{pattern} and {name}");
        }
    }

    #[test]
    fn braces_stand_for_several_patterns() {
        assert_eq!(alternatives("{a,b{c,d}}.x"), Ok(vec!["a.x".to_owned(), "bc.x".to_owned(), "bd.x".to_owned()]));
        assert_eq!(alternatives("{a"), Err(BadPattern));
        assert_eq!(alternatives(r"\{a"), Ok(vec![r"\{a".to_owned()]));
    }
}
