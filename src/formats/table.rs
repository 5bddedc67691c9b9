//! Columns of numbers in memory: what a Parquet or TFRecord file holds for a run of rows, before any preparation.
//!
//! Values are f64, so that every float and every integer up to 2^53 arrives as it was written. Nesting goes as deep as
//! events need: a scalar, a list, or a matrix (a list of equally long lists) in each row.

use std::ops::Range;
use std::sync::Arc;

/// Where each row of a list column starts and ends. Cheap to clone: columns with equal lengths share one.
#[derive(Clone, Debug)]
pub struct Offsets(Arc<Vec<usize>>);

impl Offsets {
    /// From the length of each row.
    pub fn from_lengths(lengths: impl IntoIterator<Item = usize>) -> Self {
        let mut offsets = vec![0];
        let mut end = 0;
        for length in lengths {
            end += length;
            offsets.push(end);
        }
        Offsets(Arc::new(offsets))
    }

    /// `rows` rows of `length` values each.
    pub fn equal(rows: usize, length: usize) -> Self {
        Offsets(Arc::new((0..=rows).map(|row| row * length).collect()))
    }

    /// Number of rows.
    pub fn rows(&self) -> usize {
        self.0.len() - 1
    }

    /// Number of values in all rows together.
    pub fn total(&self) -> usize {
        self.0[self.0.len() - 1]
    }

    /// Values of row `row`, as positions in the column.
    pub fn range(&self, row: usize) -> Range<usize> {
        self.0[row]..self.0[row + 1]
    }

    /// Number of values in row `row`.
    pub fn length(&self, row: usize) -> usize {
        self.0[row + 1] - self.0[row]
    }

    /// The length of each row.
    pub fn lengths(&self) -> impl ExactSizeIterator<Item = usize> + '_ {
        self.0.windows(2).map(|pair| pair[1] - pair[0])
    }

    /// The first row whose length differs between `self` and `other`.
    pub fn first_difference(&self, other: &Offsets) -> Option<usize> {
        if Arc::ptr_eq(&self.0, &other.0) || self.0 == other.0 {
            return None;
        }
        let common = self.rows().min(other.rows());
        Some((0..common).find(|&row| self.length(row) != other.length(row)).unwrap_or(common))
    }
}

impl PartialEq for Offsets {
    fn eq(&self, other: &Self) -> bool {
        self.first_difference(other).is_none()
    }
}

/// How the values of a column are nested in each row.
#[derive(Clone, Debug, PartialEq)]
pub enum Nesting {
    /// One value a row.
    Scalar,
    /// A list a row.
    List(Offsets),
    /// A matrix a row: `offsets` counts its rows, each of `width` values.
    Matrix {
        /// Matrix rows of each row.
        offsets: Offsets,
        /// Values in a matrix row.
        width: usize,
    },
}

/// The values of one column for a run of rows, row after row (matrices row major).
#[derive(Clone, Debug, PartialEq)]
pub struct Values {
    /// All values.
    pub data: Vec<f64>,
    /// Their nesting.
    pub nesting: Nesting,
}

impl Values {
    /// One value a row.
    pub fn scalars(data: Vec<f64>) -> Self {
        Values { data, nesting: Nesting::Scalar }
    }

    /// A list a row.
    ///
    /// # Panics
    /// If `offsets` does not cover `data`.
    pub fn lists(data: Vec<f64>, offsets: Offsets) -> Self {
        assert_eq!(data.len(), offsets.total(), "offsets cover the data");
        Values { data, nesting: Nesting::List(offsets) }
    }

    /// A matrix a row.
    ///
    /// # Panics
    /// If `offsets` and `width` do not cover `data`.
    pub fn matrices(data: Vec<f64>, offsets: Offsets, width: usize) -> Self {
        assert_eq!(data.len(), offsets.total() * width, "offsets cover the data");
        Values { data, nesting: Nesting::Matrix { offsets, width } }
    }

    /// Number of rows.
    pub fn rows(&self) -> usize {
        match &self.nesting {
            Nesting::Scalar => self.data.len(),
            Nesting::List(offsets) | Nesting::Matrix { offsets, .. } => offsets.rows(),
        }
    }

    /// All values of row `row`.
    pub fn row(&self, row: usize) -> &[f64] {
        &self.data[self.positions(row)]
    }

    /// Where the values of row `row` lie in `data`.
    pub fn positions(&self, row: usize) -> Range<usize> {
        match &self.nesting {
            Nesting::Scalar => row..row + 1,
            Nesting::List(offsets) => offsets.range(row),
            Nesting::Matrix { offsets, width } => {
                let range = offsets.range(row);
                range.start * width..range.end * width
            }
        }
    }

    /// The row in which position `position` of `data` lies.
    pub fn row_of(&self, position: usize) -> usize {
        let (offsets, width) = match &self.nesting {
            Nesting::Scalar => return position,
            Nesting::List(offsets) => (offsets, 1),
            Nesting::Matrix { offsets, width } => (offsets, (*width).max(1)),
        };
        offsets.0.partition_point(|&start| start <= position / width) - 1
    }

    /// The rows `rows`, in that order.
    pub fn pick(&self, rows: &[usize]) -> Self {
        let mut data = Vec::with_capacity(rows.iter().map(|&row| self.positions(row).len()).sum());
        for &row in rows {
            data.extend_from_slice(self.row(row));
        }
        let pick = |offsets: &Offsets| Offsets::from_lengths(rows.iter().map(|&row| offsets.length(row)));
        let nesting = match &self.nesting {
            Nesting::Scalar => Nesting::Scalar,
            Nesting::List(offsets) => Nesting::List(pick(offsets)),
            Nesting::Matrix { offsets, width } => Nesting::Matrix { offsets: pick(offsets), width: *width },
        };
        Values { data, nesting }
    }
}

/// What a file says about a column before any row is read.
#[derive(Clone, Debug, PartialEq)]
pub enum ColumnKind {
    /// One number a row.
    Scalar,
    /// A list of numbers a row.
    List {
        /// Its length, where the file fixes it.
        length: Option<usize>,
    },
    /// A list of lists of numbers a row.
    Matrix {
        /// Number of inner lists, where the file fixes it.
        length: Option<usize>,
        /// Length of the inner lists, where the file fixes it.
        width: Option<usize>,
    },
    /// A column that holds no numbers; the file's own word for its type.
    Other(String),
}

impl std::fmt::Display for ColumnKind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            ColumnKind::Scalar => f.write_str("number"),
            ColumnKind::List { length: None } => f.write_str("list of numbers"),
            ColumnKind::List { length: Some(length) } => write!(f, "list of {length} numbers"),
            ColumnKind::Matrix { .. } => f.write_str("list of lists of numbers"),
            ColumnKind::Other(name) => f.write_str(name),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_and_positions_agree() {
        let values = Values::matrices((0..12).map(f64::from).collect(), Offsets::from_lengths([1, 0, 3, 2]), 2);
        assert_eq!(values.rows(), 4);
        assert_eq!(values.row(2), [2.0, 3.0, 4.0, 5.0, 6.0, 7.0]);
        for row in 0..4 {
            for position in values.positions(row) {
                assert_eq!(values.row_of(position), row);
            }
        }
        let picked = values.pick(&[3, 1, 0]);
        assert_eq!(picked, Values::matrices(vec![8., 9., 10., 11., 0., 1.], Offsets::from_lengths([2, 0, 1]), 2));
    }

    #[test]
    fn the_first_differing_row_is_found() {
        let a = Offsets::from_lengths([1, 2, 3]);
        assert_eq!(a.first_difference(&Offsets::from_lengths([1, 2, 3])), None);
        assert_eq!(a.first_difference(&Offsets::from_lengths([1, 3, 3])), Some(1));
        assert_eq!(a.first_difference(&Offsets::from_lengths([1, 2])), Some(2));
    }
}
