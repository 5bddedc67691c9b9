//! Operators that combine the elements along axes: ReduceMax, ReduceSum, Softmax.

use crate::kernels::{KernelError, allocate, allocate_filled, elementwise, floats, function, resolve_axis};
use crate::operator::Reduction;
use crate::tensor::{ElementType, Tensor, TensorData, element_count};

/// Which axes to reduce, and what remains of them.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ReduceSettings<'a> {
    /// The axes; none means all, or no reduction at all when `noop_with_empty_axes`.
    pub axes: &'a [i64],
    /// Whether reduced dimensions stay with size one.
    pub keep_dimensions: bool,
    /// What an empty list of axes means.
    pub noop_with_empty_axes: bool,
}

/// `ReduceMax`, `ReduceSum`. Floats are summed in double precision, so that the order hardly matters.
pub(crate) fn reduce(
    reduction: Reduction,
    tensor: &Tensor,
    settings: ReduceSettings<'_>,
) -> Result<Tensor, KernelError> {
    let rank = tensor.shape().len();
    if settings.axes.is_empty() && settings.noop_with_empty_axes {
        return Ok(tensor.clone());
    }
    let mut reduced = vec![settings.axes.is_empty(); rank];
    for &axis in settings.axes {
        reduced[resolve_axis(axis, rank)?] = true;
    }
    let full: Vec<usize> =
        tensor.shape().iter().zip(&reduced).map(|(&size, &reduced)| if reduced { 1 } else { size }).collect();
    let shape = if settings.keep_dimensions {
        full.clone()
    } else {
        full.iter().zip(&reduced).filter(|(_, reduced)| !**reduced).map(|(&size, _)| size).collect()
    };
    let strides = result_strides(&full, &reduced);
    macro_rules! fold {
        ($values:expr, $initial:expr, $combine:expr) => {{
            let mut result = allocate(&full)?;
            result.resize(element_count(&full).unwrap_or(0), $initial);
            let mut source = $values.iter();
            elementwise::walk(tensor.shape(), [&strides], |[offset]| {
                let value = *source.next().expect("the walk visits each element once");
                let target = &mut result[offset];
                *target = $combine(*target, value);
            });
            result
        }};
    }
    let data = match (reduction, tensor.data()) {
        (Reduction::Sum, TensorData::Float(values)) => {
            let sums: Vec<f64> = fold!(values, 0.0_f64, |sum: f64, value: f32| sum + f64::from(value));
            TensorData::Float(sums.into_iter().map(|sum| sum as f32).collect())
        }
        (Reduction::Sum, TensorData::Int32(values)) => TensorData::Int32(fold!(values, 0, i32::wrapping_add)),
        (Reduction::Sum, TensorData::Int64(values)) => TensorData::Int64(fold!(values, 0, i64::wrapping_add)),
        (Reduction::Maximum, _) if tensor.data().is_empty() && element_count(&full) != Some(0) => {
            return Err(KernelError::EmptyMaximum);
        }
        (Reduction::Maximum, TensorData::Float(values)) => {
            TensorData::Float(fold!(values, f32::NEG_INFINITY, |largest: f32, value: f32| {
                // NaN wins, as in the reference implementation.
                if value > largest || value.is_nan() { value } else { largest }
            }))
        }
        (Reduction::Maximum, TensorData::Int32(values)) => TensorData::Int32(fold!(values, i32::MIN, i32::max)),
        (Reduction::Maximum, TensorData::Int64(values)) => TensorData::Int64(fold!(values, i64::MIN, i64::max)),
        (Reduction::Sum | Reduction::Maximum, TensorData::Bool(_)) => {
            return Err(KernelError::ElementType {
                input: 0,
                found: ElementType::Bool,
                expected: "float, int32, int64",
            });
        }
    };
    Ok(Tensor::from_parts(shape, data))
}

/// `Softmax` along one axis, shifted by the largest element so that nothing overflows.
pub(crate) fn softmax(tensor: &Tensor, axis: i64) -> Result<Tensor, KernelError> {
    let axis = resolve_axis(axis, tensor.shape().len())?;
    let values = floats(tensor, 0)?;
    let size = tensor.shape()[axis];
    let inner = element_count(&tensor.shape()[axis + 1..]).unwrap_or(0);
    if values.is_empty() {
        return Ok(tensor.clone());
    }
    let mut result: Vec<f32> = allocate(tensor.shape())?;
    if inner == 1 {
        for row in values.chunks_exact(size) {
            let largest = row.iter().copied().fold(f32::NEG_INFINITY, f32::max);
            let start = result.len();
            result.extend(row.iter().map(|&value| function::exp(value - largest)));
            let sum: f32 = result[start..].iter().sum();
            for value in &mut result[start..] {
                *value /= sum;
            }
        }
        return Ok(Tensor::from_parts(tensor.shape().to_vec(), result));
    }
    result = allocate_filled(tensor.shape())?;
    for (source, target) in values.chunks_exact(size * inner).zip(result.chunks_exact_mut(size * inner)) {
        for column in 0..inner {
            let along = |index: usize| index * inner + column;
            let largest = (0..size).map(|index| source[along(index)]).fold(f32::NEG_INFINITY, f32::max);
            let mut sum = 0.0;
            for index in 0..size {
                target[along(index)] = function::exp(source[along(index)] - largest);
                sum += target[along(index)];
            }
            for index in 0..size {
                target[along(index)] /= sum;
            }
        }
    }
    Ok(Tensor::from_parts(tensor.shape().to_vec(), result))
}

/// Strides into the result for a walk over the input: zero along reduced dimensions.
fn result_strides(full: &[usize], reduced: &[bool]) -> Vec<usize> {
    let mut strides = vec![0; full.len()];
    let mut distance = 1_usize;
    for dimension in (0..full.len()).rev() {
        if !reduced[dimension] {
            strides[dimension] = distance;
            distance = distance.saturating_mul(full[dimension]);
        }
    }
    strides
}
