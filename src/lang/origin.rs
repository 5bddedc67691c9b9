//! Where a text that is parsed comes from: its place in a file, byte by byte where the file writes it with escapes. And the order of
//! findings by their places.

use std::ops::Range;
use std::sync::Arc;

use pipectl_core::{Diagnostic, Diagnostics, SourceId, Span};

/// The place of a text in its file.
#[derive(Clone, Debug)]
pub(crate) struct Origin {
    source: SourceId,
    /// Where the text begins.
    base: usize,
    /// Where each of its bytes begins, and where it ends, when it does not stand in the file as it is: a JSON string with escapes.
    positions: Option<Arc<[usize]>>,
}

impl Origin {
    /// A text that stands in the file as it is, from byte `base` on.
    pub(crate) fn new(source: SourceId, base: usize) -> Self {
        Self { source, base, positions: None }
    }

    /// A text whose bytes begin at these positions of the file; one more says where the last one ends.
    pub(crate) fn escaped(source: SourceId, positions: Arc<[usize]>) -> Self {
        Self { source, base: 0, positions: Some(positions) }
    }

    /// The place of a range of the text.
    pub(crate) fn span(&self, range: Range<usize>) -> Span {
        Span { source: self.source, range: self.position(range.start)..self.position(range.end) }
    }

    /// The place of the part of the text that begins at `start`.
    pub(crate) fn beginning_at(&self, start: usize) -> Self {
        match &self.positions {
            None => Self { base: self.base + start, ..self.clone() },
            Some(positions) => {
                let rest = positions.get(start..).unwrap_or_default();
                Self { positions: Some(rest.into()), ..self.clone() }
            }
        }
    }

    fn position(&self, at: usize) -> usize {
        match &self.positions {
            None => self.base + at,
            Some(positions) => positions.get(at).or(positions.last()).copied().unwrap_or(self.base),
        }
    }
}

/// Findings in the order in which a reader of the text comes to them.
pub(crate) fn in_order(diagnostics: Diagnostics) -> Diagnostics {
    let mut found: Vec<Diagnostic> = diagnostics.into_iter().collect();
    found.sort_by_key(|diagnostic| diagnostic.span.as_ref().map(|span| (span.source, span.range.start)));
    found.into_iter().collect()
}
