//! What must be known of a URL before anybody stores or shows it.

/// Whether a text is a URL that names a user, and maybe a password: `https://user:password@host`.
pub fn names_user(text: &str) -> bool {
    let authority = text.split_once("://").and_then(|(_, rest)| rest.split(['/', '?', '#']).next());
    authority.is_some_and(|authority| authority.contains('@'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_user_stands_before_the_host() {
        assert!(names_user("https://user:password@host/path") && names_user("x://user@host"));
        assert!(!names_user("https://host/a@b") && !names_user("user@host") && !names_user("https://host?x=a@b"));
    }
}
