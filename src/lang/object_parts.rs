//! Object constructors that hcl-edit cannot take whole: it refuses a key that stands twice, where the last one counts, and compares each key with
//! all before it, which a large object does not bear. They are cut into parts, each of which is parsed as an object of its own; where they stand,
//! the parser is shown an empty one.

use std::collections::HashSet;
use std::ops::Range;

use hcl_edit::expr::Expression;

use crate::scan::{Token, TokenKind};
use crate::syntax::is_for;

/// How many items a part has at most.
const MAX_ITEMS: usize = 256;

/// How many brackets may stand inside one another in what is cut: the parser, which counts them, begins anew in each part.
const MAX_DEPTH: usize = 128;

/// What the parser made of a text, and the object constructors that it was shown empty.
#[derive(Debug)]
pub(crate) struct Parsed<T> {
    pub(crate) tree: T,
    /// In the order of the text.
    pub(crate) divided: Vec<Divided>,
}

/// An object constructor that was parsed in parts.
#[derive(Debug)]
pub(crate) struct Divided {
    /// Where its opening brace stands.
    pub(crate) start: usize,
    pub(crate) parts: Vec<Part>,
}

/// Some items of an object constructor, as an object of their own.
#[derive(Debug)]
pub(crate) struct Part {
    /// The items in braces.
    pub(crate) text: String,
    /// Where the text would begin in the whole: the items stand where they stood.
    pub(crate) start: usize,
    pub(crate) parsed: Parsed<Expression>,
}

/// Where an object constructor is to be cut.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Cut {
    /// What stands between its braces.
    pub(crate) inside: Range<usize>,
    /// The parts of that, which leave nothing out.
    pub(crate) parts: Vec<Range<usize>>,
}

/// Whether a text may have an object that is too large to be parsed whole, so that looking is worth its while.
pub(crate) fn may_be_large(text: &str) -> bool {
    text.len() > MAX_ITEMS && text.bytes().filter(|byte| matches!(byte, b'=' | b':')).count() > MAX_ITEMS
}

/// The outermost object constructors of a text that are large, or have a key twice, or could have. Nothing where brackets do not match, or are
/// nested too deeply.
pub(crate) fn cuts(text: &str, tokens: &[Token]) -> Vec<Cut> {
    let mut open: Vec<Opened<'_>> = Vec::new();
    let mut cuts: Vec<Cut> = Vec::new();
    for (index, token) in tokens.iter().enumerate() {
        if token.kind.opens() {
            if let Some(Opened { object: Some(object), .. }) = open.last_mut() {
                object.first.get_or_insert(index);
            }
            let object = begins_object(text, tokens, index, open.last()).then(|| Object::new(token.range.end));
            open.push(Opened { index, object });
            if open.len() > MAX_DEPTH {
                return Vec::new();
            }
        } else if token.kind.is_closer() {
            let Some(closed) = open.pop().filter(|opened| token.kind.closes(tokens[opened.index].kind)) else {
                return Vec::new();
            };
            let Some(object) = closed.object.filter(|object| !object.parts.is_empty()) else { continue };
            let cut = object.cut(tokens[closed.index].range.end..token.range.start);
            cuts.retain(|inner| inner.inside.start < cut.inside.start);
            cuts.push(cut);
        } else if let Some(Opened { object: Some(object), .. }) = open.last_mut() {
            object.take(text, tokens, index);
        }
    }
    if open.is_empty() { cuts } else { Vec::new() }
}

/// A bracket that is not closed yet.
struct Opened<'a> {
    index: usize,
    /// What is known of the object constructor that it begins.
    object: Option<Object<'a>>,
}

/// Whether the token at `index`, which opens something inside of `around`, begins an object constructor.
fn begins_object(text: &str, tokens: &[Token], index: usize, around: Option<&Opened<'_>>) -> bool {
    if tokens[index].kind != TokenKind::OpenBrace || is_for(text, tokens, index) {
        return false;
    }
    match index.checked_sub(1).map(|before| &tokens[before]) {
        Some(before) if before.kind == TokenKind::Identifier => {
            // What a `for` goes through. Any other name begins a block.
            let goes_through = |opened: &Opened<'_>| match tokens[opened.index].kind {
                TokenKind::OpenBracket | TokenKind::OpenDirective => true,
                TokenKind::OpenBrace => is_for(text, tokens, opened.index),
                _ => false,
            };
            &text[before.range.clone()] == "in" && around.is_some_and(goes_through)
        }
        Some(before) => before.kind != TokenKind::CloseQuote,
        None => true,
    }
}

/// An object constructor while its tokens are read.
struct Object<'a> {
    /// The parts that have been read.
    parts: Vec<Range<usize>>,
    /// Where the part begins that is being read, and the keys in it.
    part: usize,
    keys: HashSet<&'a str>,
    /// How many items the part has, and whether the last has a key that is no plain word: it may be the same as any other.
    in_part: usize,
    last_is_other: bool,
    /// Where the item begins that is being read; the first token of it, and whether its key has been read.
    item: usize,
    first: Option<usize>,
    has_key: bool,
}

impl<'a> Object<'a> {
    fn new(start: usize) -> Self {
        Self {
            parts: Vec::new(),
            part: start,
            keys: HashSet::new(),
            in_part: 0,
            last_is_other: false,
            item: start,
            first: None,
            has_key: false,
        }
    }

    /// Takes in a token that stands directly inside.
    fn take(&mut self, text: &'a str, tokens: &[Token], index: usize) {
        let token = &tokens[index];
        match token.kind {
            TokenKind::Newline | TokenKind::Comma => self.end_item(token),
            TokenKind::Comment if text[token.range.clone()].ends_with('\n') => self.end_item(token),
            TokenKind::Comment => {}
            TokenKind::Equals | TokenKind::Colon if !self.has_key => {
                self.has_key = true;
                if let Some(first) = self.first {
                    self.take_key(plain_key(text, &tokens[first..index]));
                }
            }
            _ => {
                self.first.get_or_insert(index);
            }
        }
    }

    fn end_item(&mut self, token: &Token) {
        (self.item, self.first, self.has_key) = (token.range.end, None, false);
    }

    /// Takes in the key of an item, if it is a plain word; begins another part where it does not go into this one.
    fn take_key(&mut self, key: Option<&'a str>) {
        let may_be_repeated = self.last_is_other || key.is_none_or(|key| self.keys.contains(key));
        if self.in_part > 0 && (may_be_repeated || self.in_part == MAX_ITEMS) {
            self.parts.push(self.part..self.item);
            self.part = self.item;
            self.keys.clear();
            self.in_part = 0;
        }
        self.in_part += 1;
        self.last_is_other = key.is_none();
        self.keys.extend(key);
    }

    fn cut(mut self, inside: Range<usize>) -> Cut {
        self.parts.push(self.part..inside.end);
        Cut { inside, parts: self.parts }
    }
}

/// The key that these tokens are, when it is a name or a text without anything that stands for something else.
fn plain_key<'a>(text: &'a str, tokens: &[Token]) -> Option<&'a str> {
    let written = |token: &Token| text.get(token.range.clone());
    match tokens {
        [name] if name.kind == TokenKind::Identifier => written(name),
        [open, inside, close]
            if (open.kind, inside.kind, close.kind)
                == (TokenKind::OpenQuote, TokenKind::QuotedText, TokenKind::CloseQuote) =>
        {
            written(inside).filter(|text| !text.contains(['\\', '$', '%']))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scan::scan;

    fn parts(text: &str) -> Vec<Vec<&str>> {
        let cuts = cuts(text, &scan(text));
        cuts.into_iter().map(|cut| cut.parts.into_iter().map(|part| text[part].trim()).collect()).collect()
    }

    #[test]
    fn objects_are_cut_where_a_key_could_stand_twice() {
        for (text, expected) in [
            ("{ a = 1, b = 2 }", vec![]),
            ("{ a = 1, b = 2, a = 3 }", vec![vec!["a = 1, b = 2,", "a = 3"]]),
            ("{ a = 1 # one\n \"a\" : 2\n}", vec![vec!["a = 1 # one", "\"a\" : 2"]]),
            ("{ (x) = 1, a = 2, (y) = 3 }", vec![vec!["(x) = 1,", "a = 2,", "(y) = 3"]]),
            ("{ (x) = 1, a = 2 }", vec![vec!["(x) = 1,", "a = 2"]]),
            ("x {\n y = { a = { b = 1, b = 2 }, c = 3 }\n}", vec![vec!["b = 1,", "b = 2"]]),
            ("{ a = { b = 1, b = 2 }, a = 3 }", vec![vec!["a = { b = 1, b = 2 },", "a = 3"]]),
            ("[for x in { a = 1, a = 2 } : x]", vec![vec!["a = 1,", "a = 2"]]),
            ("{ for k, v in m : k => v... }", vec![]),
            ("{ a = x ? y : z, a = <<E\n}\nE\n}", vec![vec!["a = x ? y : z,", "a = <<E\n}\nE"]]),
            ("{ a = 1, a = 2", vec![]),
        ] {
            assert_eq!(parts(text), expected, "{text}");
        }
    }

    #[test]
    fn blocks_are_never_cut() {
        assert_eq!(parts("in {\n a = 1\n a = 2\n}"), Vec::<Vec<&str>>::new());
        assert_eq!(parts("b \"x\" {\n a = 1\n a = 2\n}"), Vec::<Vec<&str>>::new());
    }

    #[test]
    fn large_objects_are_cut() {
        let items: String = (0..1000).map(|item| format!("k{item} = {item}\n")).collect();
        let text = format!("{{\n{items}}}");
        let cuts = cuts(&text, &scan(&text));
        assert_eq!(cuts.len(), 1);
        assert_eq!(cuts[0].parts.len(), 4);
        let whole: String = cuts[0].parts.iter().map(|part| &text[part.clone()]).collect();
        assert_eq!(whole, format!("\n{items}"));
    }
}
