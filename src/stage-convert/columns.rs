//! Columns as the steps see them before any row is read: names and shapes.

use std::fmt;

use pipectl_core::Path;
use pipectl_core::suggest::did_you_mean;
use pipectl_formats::dataset::ColumnSpec;
use pipectl_formats::table::ColumnKind;

/// How many elements a list, or rows a matrix, has in each row of the data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Length {
    /// The same number in every row.
    Fixed(usize),
    /// Up to this number.
    AtMost(usize),
    /// Not known.
    Any,
}

/// Shape of one row of a column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// One number.
    Scalar,
    /// A list of numbers.
    List(Length),
    /// Rows of equal width.
    Matrix {
        /// Number of rows.
        rows: Length,
        /// Numbers in each, where it is known.
        width: Option<usize>,
    },
}

/// Names and shapes of all columns, in order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Columns {
    numeric: Vec<(String, Shape)>,
    /// Columns of the source that hold no numbers, with their type: nothing can use them, and whoever names one is told why.
    others: Vec<(String, String)>,
}

/// Something wrong with a step, found before any row is read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Where in the step, or in the output block, it stands: `columns[1]`.
    pub path: Path,
    /// What is wrong: a full sentence.
    pub message: String,
}

impl Problem {
    /// A problem with one argument.
    pub fn with(argument: &str, message: impl Into<String>) -> Self {
        Problem::at(Path::of(argument), message)
    }

    /// A problem with one element of a list argument.
    pub fn element(argument: &str, index: usize, message: impl Into<String>) -> Self {
        Problem::at(Path::of(argument).index(index), message)
    }

    /// A problem with what stands at `path`.
    pub fn at(path: Path, message: impl Into<String>) -> Self {
        Problem { path, message: message.into() }
    }
}

impl Columns {
    /// No column.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes note of a column that holds no numbers, and of its type.
    pub fn add_other(&mut self, name: &str, kind: &str) {
        self.others.push((name.to_owned(), kind.to_owned()));
    }

    /// The shape of column `name`.
    pub fn get(&self, name: &str) -> Option<Shape> {
        self.numeric.iter().find(|(column, _)| column == name).map(|(_, shape)| *shape)
    }

    /// The shape of column `name`, or a sentence that says what it holds, or what there is instead.
    pub fn find(&self, name: &str) -> Result<Shape, String> {
        self.get(name).ok_or_else(|| match self.others.iter().find(|(other, _)| other == name) {
            Some((_, kind)) => format!("Column `{name}` is of type `{kind}`; only numbers can be used here."),
            None => format!(
                "There is no column `{name}`; the columns here are {}.{}",
                self.listed(),
                did_you_mean(name, self.names())
            ),
        })
    }

    /// Names in order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.numeric.iter().map(|(name, _)| name.as_str())
    }

    /// Names and shapes in order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, Shape)> {
        self.numeric.iter().map(|(name, shape)| (name.as_str(), *shape))
    }

    /// Replaces the shape of a column in its place, or adds it at the end.
    pub fn set(&mut self, name: &str, shape: Shape) {
        match self.numeric.iter_mut().find(|(column, _)| column == name) {
            Some((_, existing)) => *existing = shape,
            None => self.numeric.push((name.to_owned(), shape)),
        }
    }

    /// Names for people: "a, b, c".
    pub fn listed(&self) -> String {
        if self.numeric.is_empty() { "none".to_owned() } else { self.names().collect::<Vec<_>>().join(", ") }
    }
}

impl FromIterator<(String, Shape)> for Columns {
    fn from_iter<I: IntoIterator<Item = (String, Shape)>>(columns: I) -> Self {
        Columns { numeric: columns.into_iter().collect(), others: Vec::new() }
    }
}

impl Length {
    /// The length that both may have; `None` if they contradict each other.
    pub fn common(self, other: Length) -> Option<Length> {
        match (self, other) {
            (Length::Fixed(a), Length::Fixed(b)) => (a == b).then_some(self),
            (Length::Fixed(a), Length::AtMost(b)) | (Length::AtMost(b), Length::Fixed(a)) => {
                (a <= b).then_some(Length::Fixed(a))
            }
            (Length::AtMost(a), Length::AtMost(b)) => Some(Length::AtMost(a.min(b))),
            (known, Length::Any) | (Length::Any, known) => Some(known),
        }
    }
}

impl Shape {
    /// The shape that a source column has, as far as the source says; `None` if it holds no numbers.
    pub fn of_source(kind: &ColumnKind) -> Option<Self> {
        let length = |length: &Option<usize>| length.map_or(Length::Any, Length::Fixed);
        Some(match kind {
            ColumnKind::Scalar => Shape::Scalar,
            ColumnKind::List { length: elements } => Shape::List(length(elements)),
            ColumnKind::Matrix { length: rows, width } => Shape::Matrix { rows: length(rows), width: *width },
            ColumnKind::Other(_) => return None,
        })
    }

    /// The shape of a column of a dataset. More than two dimensions are seen as a list.
    pub fn of_dataset(spec: &ColumnSpec) -> Self {
        let length = |dimension| if spec.ragged { Length::AtMost(dimension) } else { Length::Fixed(dimension) };
        match *spec.shape.as_slice() {
            [] => Shape::Scalar,
            [elements] => Shape::List(length(elements)),
            [rows, width] => Shape::Matrix { rows: length(rows), width: Some(width) },
            _ => Shape::List(if spec.ragged { Length::AtMost(spec.size()) } else { Length::Fixed(spec.size()) }),
        }
    }

    /// The column of a dataset that holds this shape, or a sentence that says what is not known.
    pub fn to_dataset(self, name: &str) -> Result<ColumnSpec, String> {
        let (first, width) = match self {
            Shape::Scalar => return Ok(ColumnSpec { name: name.to_owned(), shape: Vec::new(), ragged: false }),
            Shape::List(length) => (length, None),
            Shape::Matrix { rows, width: Some(width) } => (rows, Some(width)),
            Shape::Matrix { width: None, .. } => {
                return Err(format!(
                    "Column `{name}` is a matrix of unknown width. Declare it with a step \"shape\" before the output."
                ));
            }
        };
        let (dimension, ragged) = match first {
            Length::Fixed(dimension) => (dimension, false),
            Length::AtMost(dimension) => (dimension, true),
            Length::Any => {
                return Err(format!(
                    "Column `{name}` is a {self} without a bound. Give it one: a step \"shape\" if every row has the same length, \
                     a step \"truncate\" for a longest length, a step \"pad\" to fill up."
                ));
            }
        };
        Ok(ColumnSpec { name: name.to_owned(), shape: [dimension].into_iter().chain(width).collect(), ragged })
    }

    /// Rows of a matrix, elements of a list; `None` of a single number.
    pub fn length(self) -> Option<Length> {
        match self {
            Shape::Scalar => None,
            Shape::List(length) | Shape::Matrix { rows: length, .. } => Some(length),
        }
    }

    /// The same kind of column with another length. A single number stays one.
    pub fn with_length(self, length: Length) -> Self {
        match self {
            Shape::Scalar => Shape::Scalar,
            Shape::List(_) => Shape::List(length),
            Shape::Matrix { width, .. } => Shape::Matrix { rows: length, width },
        }
    }
}

impl fmt::Display for Length {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Length::Fixed(length) => write!(f, "{length}"),
            Length::AtMost(length) => write!(f, "up to {length}"),
            Length::Any => f.write_str("any number"),
        }
    }
}

impl fmt::Display for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Shape::Scalar => f.write_str("single number"),
            Shape::List(length) => write!(f, "list of {length}"),
            Shape::Matrix { rows, width: Some(width) } => write!(f, "matrix of {rows} x {width}"),
            Shape::Matrix { rows, width: None } => write!(f, "matrix of {rows} rows"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_meet() {
        use Length::{Any, AtMost, Fixed};
        for (a, b, common) in [
            (Fixed(3), Fixed(3), Some(Fixed(3))),
            (Fixed(3), Fixed(4), None),
            (Fixed(3), AtMost(4), Some(Fixed(3))),
            (Fixed(5), AtMost(4), None),
            (AtMost(5), AtMost(4), Some(AtMost(4))),
            (Any, AtMost(4), Some(AtMost(4))),
        ] {
            assert_eq!((a.common(b), b.common(a)), (common, common), "{a:?} {b:?}");
        }
    }

    #[test]
    fn a_dataset_needs_bounds() {
        let matrix = |rows, width| Shape::Matrix { rows, width };
        let spec = matrix(Length::AtMost(801), Some(19)).to_dataset("x").expect("bounded");
        assert_eq!((spec.shape, spec.ragged), (vec![801, 19], true));
        assert!(matrix(Length::Fixed(801), None).to_dataset("x").is_err());
        assert!(Shape::List(Length::Any).to_dataset("x").expect_err("no bound").contains("step \"truncate\""));
    }
}
