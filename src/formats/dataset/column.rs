//! A column of a batch.

/// Values of one column for several rows, laid one row after another.
///
/// Build it with [`Column::fixed`] or [`Column::ragged`].
#[derive(Clone, Debug, PartialEq)]
pub struct Column {
    /// Number of rows.
    pub rows: usize,
    /// Shape of one row; when ragged, the first dimension is the maximum.
    pub shape: Vec<usize>,
    /// The values: `prod(shape)` a row, or, when ragged, `length * prod(shape[1..])` a row, without padding.
    pub data: Vec<f32>,
    /// Steps of each row, when ragged.
    pub lengths: Option<Vec<u32>>,
    /// Where each row starts in `data`, and the end of the last, when ragged.
    starts: Vec<usize>,
}

impl Column {
    /// Full rows.
    ///
    /// # Panics
    /// If `data` is not `rows * prod(shape)` long.
    pub fn fixed(rows: usize, shape: Vec<usize>, data: Vec<f32>) -> Self {
        assert_eq!(data.len(), rows * shape.iter().product::<usize>(), "the data covers every row");
        Column { rows, shape, data, lengths: None, starts: Vec::new() }
    }

    /// Rows of differing numbers of steps.
    ///
    /// # Panics
    /// If `shape` is empty, a length is above `shape[0]`, or `data` is not `sum(lengths) * prod(shape[1..])` long.
    pub fn ragged(shape: Vec<usize>, data: Vec<f32>, lengths: Vec<u32>) -> Self {
        let step: usize = shape[1..].iter().product();
        let mut starts = Vec::with_capacity(lengths.len() + 1);
        let mut end = 0;
        starts.push(end);
        for &length in &lengths {
            assert!(length as usize <= shape[0], "no row is longer than the maximum");
            end += length as usize * step;
            starts.push(end);
        }
        assert_eq!(data.len(), end, "the data covers every row");
        Column { rows: lengths.len(), shape, data, lengths: Some(lengths), starts }
    }

    /// Number of values in a full row.
    pub fn size(&self) -> usize {
        self.shape.iter().product()
    }

    /// The values of row `row`, without padding when ragged.
    ///
    /// # Panics
    /// If `row` is not below `rows`.
    pub fn row(&self, row: usize) -> &[f32] {
        match &self.lengths {
            Some(_) => &self.data[self.starts[row]..self.starts[row + 1]],
            None => {
                let size = self.size();
                &self.data[row * size..(row + 1) * size]
            }
        }
    }

    /// Number of steps of row `row`: its own length when ragged, else the first dimension (1 for a single number).
    ///
    /// # Panics
    /// If `row` is not below `rows`.
    pub fn steps(&self, row: usize) -> usize {
        match &self.lengths {
            Some(lengths) => lengths[row] as usize,
            None => self.shape.first().copied().unwrap_or(1),
        }
    }

    /// All rows in full, `[rows, shape...]`, with zeros behind the steps of ragged rows.
    pub fn padded(&self) -> Vec<f32> {
        if self.lengths.is_none() {
            return self.data.clone();
        }
        let size = self.size();
        let mut padded = vec![0.0; self.rows * size];
        for row in 0..self.rows {
            let values = self.row(row);
            padded[row * size..row * size + values.len()].copy_from_slice(values);
        }
        padded
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ragged_rows_pad_behind() {
        let column = Column::ragged(vec![3, 2], vec![1., 2., 3., 4., 5., 6.], vec![1, 0, 2]);
        assert_eq!(
            (column.rows, column.row(0), column.row(1), column.row(2)),
            (3, &[1., 2.][..], &[][..], &[3., 4., 5., 6.][..])
        );
        assert_eq!(column.padded(), [1., 2., 0., 0., 0., 0., 0., 0., 0., 0., 0., 0., 3., 4., 5., 6., 0., 0.]);
        let full = Column::fixed(2, vec![], vec![7., 8.]);
        assert_eq!((full.row(1), full.steps(1)), (&[8.][..], 1));
    }
}
