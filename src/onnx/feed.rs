//! From rows of data to the inputs of a model, by the conventions of the models that we write.
//!
//! A sequence input `x` has shape [N, T, features]. When the model also has an int32 input `x_length` of shape [N], rows
//! may have fewer steps than T: the steps stand first, padding behind them is never read. Lengths come from the data
//! where rows have their own (ragged), else from the padding: the steps behind the last one that is not all padding.
//! The metadata entry `mask_value.x` says that the network masks steps of `x` all of whose features have this value.
//! Such a step in the middle of a row is refused, because the network that was trained leaves it out and a sequence
//! length cannot say so.
//!
//! Owns no file format: callers hand rows in as [`Rows`].

use std::collections::BTreeMap;

use thiserror::Error;

use crate::kernels::{KernelError, allocate_filled};
use crate::model::{Model, ModelError};
use crate::scorer::{Dimension, ValueSpec};
use crate::tensor::{ElementType, Tensor};

/// Name of the lengths of a sequence input.
pub fn length_name(input: &str) -> String {
    format!("{input}_length")
}

/// Metadata key of the mask value of a sequence input.
pub fn mask_key(input: &str) -> String {
    format!("mask_value.{input}")
}

/// The rows that go into one input.
#[derive(Clone, Copy)]
pub struct Rows<'a> {
    /// How many.
    pub count: usize,
    /// Shape of one row; of ragged rows, `shape[0]` is the largest number of steps.
    pub shape: &'a [usize],
    /// Whether rows hold only the steps that they have.
    pub ragged: bool,
    /// The values of a row.
    pub values: &'a (dyn Fn(usize) -> &'a [f32] + 'a),
}

/// One input that data is needed for.
#[derive(Debug, Clone, PartialEq)]
pub struct FeedInput {
    /// Its name.
    pub name: String,
    /// Its shape, without the batch.
    pub shape: Vec<Dimension>,
    /// Whether the model wants the lengths of its rows.
    pub lengths: bool,
    /// The value of masked steps, when the network has a mask.
    pub mask_value: Option<f32>,
}

/// How to feed a model.
#[derive(Debug, Clone)]
pub struct Feed {
    inputs: Vec<FeedInput>,
}

/// Why rows do not go into a model.
#[derive(Debug, Error)]
pub enum FeedError {
    /// The model's inputs cannot be read.
    #[error("the model's inputs cannot be read")]
    Model(#[from] ModelError),
    /// An input is of a kind that data of floats does not fill.
    #[error("input `{input}` cannot be fed from a dataset: {reason}")]
    Input {
        /// The input.
        input: String,
        /// The kind.
        reason: String,
    },
    /// There are no rows for an input.
    #[error("there is no data for input `{input}`")]
    Missing {
        /// The input.
        input: String,
    },
    /// Rows have another shape.
    #[error("rows of shape {found:?} do not fit input `{input}`, which takes {expected}")]
    Shape {
        /// The input.
        input: String,
        /// Shape of the rows.
        found: Vec<usize>,
        /// What the model wants for a row.
        expected: String,
    },
    /// Padding stands before the last step of a row.
    #[error("row {row} of input `{input}` has a step of padding, step {step}, before its last step {last}")]
    InnerPadding {
        /// The input.
        input: String,
        /// The row in the batch, from zero.
        row: usize,
        /// The step of padding, from zero.
        step: usize,
        /// The last step that is not padding, from zero.
        last: usize,
    },
    /// The batch does not fit into memory.
    #[error("the batch does not fit into memory")]
    TooLarge(#[source] KernelError),
}

impl Feed {
    /// Reads a model's inputs and metadata.
    ///
    /// # Errors
    /// [`FeedError::Input`] for an input that is neither float with the batch first nor the lengths of one.
    pub fn of(model: &Model) -> Result<Self, FeedError> {
        let specs = model.inputs()?;
        let metadata = model.metadata();
        let lengths: Vec<String> =
            specs.iter().filter(|spec| is_sequence(spec)).map(|spec| length_name(&spec.name)).collect();
        let is_length = |spec: &ValueSpec| {
            spec.element_type == ElementType::Int32
                && spec.shape.as_ref().is_some_and(|shape| shape.len() == 1)
                && lengths.contains(&spec.name)
        };
        let mut inputs = Vec::new();
        for spec in specs.iter().filter(|spec| !is_length(spec)) {
            let refuse = |reason: String| FeedError::Input { input: spec.name.clone(), reason };
            if spec.element_type != ElementType::Float {
                return Err(refuse(format!("its elements are of type {}", spec.element_type)));
            }
            let shape = spec.shape.as_deref().ok_or_else(|| refuse("its shape is open".to_owned()))?;
            let Some((_, shape)) = shape.split_first() else {
                return Err(refuse("it has no dimension for the batch".to_owned()));
            };
            let mask_value = match metadata.get(mask_key(&spec.name).as_str()) {
                None => None,
                Some(text) => Some(text.parse().map_err(|_| refuse(format!("its mask value `{text}` is no number")))?),
            };
            let name = length_name(&spec.name);
            inputs.push(FeedInput {
                name: spec.name.clone(),
                shape: shape.to_vec(),
                lengths: specs.iter().any(|other| other.name == name && is_length(other)),
                mask_value,
            });
        }
        Ok(Self { inputs })
    }

    /// The inputs that data is needed for.
    pub fn inputs(&self) -> &[FeedInput] {
        &self.inputs
    }

    /// The tensors of one batch. Where the number of steps is open, it becomes that of the longest row.
    ///
    /// # Errors
    /// [`FeedError`], with the row in the batch.
    pub fn tensors(&self, rows: &BTreeMap<String, Rows<'_>>) -> Result<BTreeMap<String, Tensor>, FeedError> {
        let mut tensors = BTreeMap::new();
        for input in &self.inputs {
            let rows = rows.get(&input.name).ok_or_else(|| FeedError::Missing { input: input.name.clone() })?;
            input.check_shape(rows)?;
            let lengths = input.row_lengths(rows)?;
            let mut shape = vec![rows.count];
            shape.extend_from_slice(rows.shape);
            if let (Some(lengths), Some(Dimension::Symbol(_) | Dimension::Unknown)) = (&lengths, input.shape.first()) {
                // At least one step, because executors differ about sequences without any.
                shape[1] = lengths.iter().copied().max().unwrap_or(0).max(1);
            }
            let size: usize = shape[1..].iter().product();
            let mut values: Vec<f32> = allocate_filled(&shape).map_err(FeedError::TooLarge)?;
            for (row, target) in values.chunks_exact_mut(size.max(1)).enumerate().take(rows.count) {
                let source = (rows.values)(row);
                let used = source.len().min(size);
                target[..used].copy_from_slice(&source[..used]);
            }
            tensors.insert(input.name.clone(), Tensor::from_parts(shape, values));
            if let Some(lengths) = lengths {
                let lengths: Vec<i32> = lengths.into_iter().map(|length| length as i32).collect();
                tensors.insert(length_name(&input.name), Tensor::from_parts(vec![rows.count], lengths));
            }
        }
        Ok(tensors)
    }
}

impl FeedInput {
    fn check_shape(&self, rows: &Rows<'_>) -> Result<(), FeedError> {
        let fits = self.shape.len() == rows.shape.len()
            && self.shape.iter().zip(rows.shape).all(|(dimension, &size)| match dimension {
                Dimension::Fixed(fixed) => *fixed == size,
                Dimension::Symbol(_) | Dimension::Unknown => true,
            });
        if fits {
            return Ok(());
        }
        let sizes: Vec<String> = self.shape.iter().map(ToString::to_string).collect();
        let expected = format!("[{}]", sizes.join(", "));
        Err(FeedError::Shape { input: self.name.clone(), found: rows.shape.to_vec(), expected })
    }

    /// Steps of each row; None when the model does not ask for them.
    fn row_lengths(&self, rows: &Rows<'_>) -> Result<Option<Vec<usize>>, FeedError> {
        if !self.lengths {
            return Ok(None);
        }
        let features: usize = rows.shape[1..].iter().product::<usize>().max(1);
        let mut lengths = Vec::with_capacity(rows.count);
        for row in 0..rows.count {
            let values = (rows.values)(row);
            let steps = values.len() / features;
            let padding = match (self.mask_value, rows.ragged) {
                (Some(mask), _) => mask,
                (None, false) => 0.0,
                // No mask: every step of a ragged row counts, whatever it holds.
                (None, true) => {
                    lengths.push(steps);
                    continue;
                }
            };
            let is_padding = |step: &[f32]| step.iter().all(|&value| value == padding);
            let length = values.chunks_exact(features).rposition(|step| !is_padding(step)).map_or(0, |last| last + 1);
            if self.mask_value.is_some()
                && let Some(step) = values.chunks_exact(features).take(length).position(is_padding)
            {
                let last = length - 1;
                return Err(FeedError::InnerPadding { input: self.name.clone(), row, step, last });
            }
            lengths.push(length);
        }
        Ok(Some(lengths))
    }
}

fn is_sequence(spec: &ValueSpec) -> bool {
    spec.element_type == ElementType::Float && spec.shape.as_ref().is_some_and(|shape| shape.len() == 3)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::builder::{Attribute, GraphBuilder};

    /// A model with a sequence input x [N, T, 2] and its lengths.
    fn model(mask: Option<&str>) -> Model {
        let mut graph = GraphBuilder::new("sums");
        let open = |name: &str| Dimension::Symbol(name.into());
        let x = graph.input("x", ElementType::Float, vec![open("N"), open("T"), Dimension::Fixed(2)]);
        graph.input("x_length", ElementType::Int32, vec![open("N")]);
        let axes = graph.constant("axes", &Tensor::new([2], vec![1_i64, 2]).unwrap());
        let sum = graph.node("ReduceSum", "sum", &[&x, &axes], &[("keepdims", Attribute::Int(0))]);
        graph.output(&sum, ElementType::Float, vec![open("N")]);
        if let Some(mask) = mask {
            graph.metadata(&mask_key("x"), mask);
        }
        graph.finish().unwrap()
    }

    fn feed(mask: Option<&str>, ragged: bool, data: &[&[f32]]) -> Result<(Vec<usize>, Vec<i32>), FeedError> {
        let feed = Feed::of(&model(mask)).unwrap();
        let values = |row: usize| data[row];
        let rows = Rows { count: data.len(), shape: &[4, 2], ragged, values: &values };
        let tensors = feed.tensors(&BTreeMap::from([("x".to_owned(), rows)]))?;
        Ok((tensors["x"].shape().to_vec(), tensors["x_length"].as_int32().unwrap().to_vec()))
    }

    #[test]
    fn lengths_come_from_ragged_rows() {
        let rows: [&[f32]; 3] = [&[1., 0., 0., 2., 0., 0.], &[], &[0., 0.]];
        assert_eq!(feed(None, true, &rows).unwrap(), (vec![3, 3, 2], vec![3, 0, 1]));
        // With a mask, padding at the end of a ragged row is padding too.
        assert_eq!(feed(Some("0"), true, &rows).unwrap(), (vec![3, 2, 2], vec![2, 0, 0]));
    }

    #[test]
    fn lengths_come_from_padding() {
        let rows: [&[f32]; 2] = [&[1., 0., 0., 0., 0., 3., 0., 0.], &[0.; 8]];
        assert_eq!(feed(None, false, &rows).unwrap(), (vec![2, 3, 2], vec![3, 0]));
        let rows: [&[f32]; 1] = [&[0., 0., 5., -1., -1., -1., -1., -1.]];
        assert_eq!(feed(Some("-1"), false, &rows).unwrap(), (vec![1, 2, 2], vec![2]));
    }

    #[test]
    fn padding_in_the_middle_is_refused() {
        for ragged in [false, true] {
            let error = feed(Some("0"), ragged, &[&[1.; 8], &[1., 2., 0., 0., 3., 0., 0., 0.]]).unwrap_err();
            let text = "row 1 of input `x` has a step of padding, step 1, before its last step 2";
            assert_eq!(error.to_string(), text);
        }
        // Padding in front is padding before the last step.
        assert!(feed(Some("0"), false, &[&[0., 0., 0., 0., 0., 0., 1., 1.]]).is_err());
    }

    #[test]
    fn wrong_shapes_and_missing_rows_are_named() {
        let feed = Feed::of(&model(None)).unwrap();
        assert_eq!(feed.tensors(&BTreeMap::new()).unwrap_err().to_string(), "there is no data for input `x`");
        let rows = Rows { count: 1, shape: &[4, 3], ragged: false, values: &|_| &[0.0; 12] };
        assert_eq!(
            feed.tensors(&BTreeMap::from([("x".to_owned(), rows)])).unwrap_err().to_string(),
            "rows of shape [4, 3] do not fit input `x`, which takes [T, 2]"
        );
    }
}
