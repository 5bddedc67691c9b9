//! Where something stands in the configuration: a file and a range of bytes.

use std::ops::Range;
use std::sync::Arc;

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
}

/// All files of a configuration, by [`SourceId`].
#[derive(Clone, Debug, Default)]
pub struct SourceMap(Vec<Source>);

impl SourceMap {
    /// Takes in a file.
    pub fn add(&mut self, name: impl Into<String>, text: impl Into<Arc<str>>) -> SourceId {
        self.0.push(Source { name: name.into(), text: text.into() });
        SourceId(u32::try_from(self.0.len() - 1).expect("fewer than 2^32 files"))
    }

    /// The file of an id that this map gave out.
    pub fn get(&self, id: SourceId) -> Option<&Source> {
        self.0.get(id.0 as usize)
    }

    /// Line and column, both from 1, columns in characters, of the start of a span.
    pub fn line_column(&self, span: &Span) -> Option<(usize, usize)> {
        let text = &self.get(span.source)?.text;
        let before = text.get(..span.range.start)?;
        let line_start = before.rfind('\n').map_or(0, |position| position + 1);
        Some((before.matches('\n').count() + 1, before[line_start..].chars().count() + 1))
    }

    /// All files with their ids.
    pub fn iter(&self) -> impl Iterator<Item = (SourceId, &Source)> {
        self.0.iter().enumerate().map(|(index, source)| (SourceId(index as u32), source))
    }
}
