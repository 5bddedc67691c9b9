//! Where something stands in the configuration: a file and a range of bytes.

use std::ops::Range;
use std::sync::{Arc, OnceLock};

/// A file of a [`SourceMap`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SourceId(pub u32);

/// A range of bytes in a file.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Span {
    /// The file.
    pub source: SourceId,
    /// First byte and the byte after the last.
    pub range: Range<usize>,
}

/// A file that was read.
#[derive(Clone, Debug)]
pub struct Source {
    /// The name that people know the file by: relative to where they stand.
    pub name: String,
    /// The whole text.
    pub text: Arc<str>,
    /// Where its lines begin, once asked for: thousands of findings may stand in one file.
    line_starts: Arc<OnceLock<Vec<usize>>>,
}

impl Source {
    /// The number, from 1, of the line that a byte is in, and where that begins.
    pub fn line(&self, byte: usize) -> (usize, usize) {
        let starts = self.line_starts.get_or_init(|| {
            let after = |(position, byte): (usize, u8)| (byte == b'\n').then_some(position + 1);
            std::iter::once(0).chain(self.text.bytes().enumerate().filter_map(after)).collect()
        });
        let number = starts.partition_point(|start| *start <= byte);
        (number, starts[number - 1])
    }
}

/// All files of a configuration, by [`SourceId`].
#[derive(Clone, Debug, Default)]
pub struct SourceMap(Vec<Source>);

impl SourceMap {
    /// Takes in a file.
    pub fn add(&mut self, name: impl Into<String>, text: impl Into<Arc<str>>) -> SourceId {
        self.0.push(Source { name: name.into(), text: text.into(), line_starts: Arc::default() });
        SourceId(u32::try_from(self.0.len() - 1).expect("fewer than 2^32 files"))
    }

    /// The file of an id that this map gave out.
    pub fn get(&self, id: SourceId) -> Option<&Source> {
        self.0.get(id.0 as usize)
    }

    /// Line and column, both from 1, columns in characters, of the start of a span.
    pub fn line_column(&self, span: &Span) -> Option<(usize, usize)> {
        let source = self.get(span.source)?;
        let (number, line_start) = source.line(span.range.start);
        Some((number, source.text.get(line_start..span.range.start)?.chars().count() + 1))
    }

    /// All files with their ids.
    pub fn iter(&self) -> impl Iterator<Item = (SourceId, &Source)> {
        self.0.iter().enumerate().map(|(index, source)| (SourceId(index as u32), source))
    }
}

/// What the text of a file may begin with that says nothing.
pub const BYTE_ORDER_MARK: char = '\u{feff}';

/// A text without the byte order mark that some editors put before it.
pub fn without_byte_order_mark(text: &str) -> &str {
    text.strip_prefix(BYTE_ORDER_MARK).unwrap_or(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_and_columns_count_from_one() {
        let mut sources = SourceMap::default();
        let source = sources.add("a.hcl", "a\n\nbé c");
        let at = |start: usize| sources.line_column(&Span { source, range: start..start });
        let found = [0, 1, 2, 3, 4, 6, 8].map(at);
        assert_eq!(
            found,
            [Some((1, 1)), Some((1, 2)), Some((2, 1)), Some((3, 1)), Some((3, 2)), Some((3, 3)), Some((3, 5))]
        );
        assert_eq!((at(5), at(9)), (None, None), "inside of a character, and after the end");
    }
}
