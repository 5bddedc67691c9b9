//! Operators that move elements without computing: transposition, reshaping, concatenation, gathering.

use crate::kernels::{KernelError, allocate, allocate_filled, elementwise, resolve_axis};
use crate::tensor::{Tensor, TensorData, element_count};

/// Applies a generic function to the elements of any type.
macro_rules! for_each_type {
    ($data:expr, $values:ident => $body:expr) => {
        match $data {
            TensorData::Float($values) => TensorData::Float($body),
            TensorData::Int32($values) => TensorData::Int32($body),
            TensorData::Int64($values) => TensorData::Int64($body),
            TensorData::Bool($values) => TensorData::Bool($body),
        }
    };
}

/// `Transpose`; without a permutation dimensions are reversed.
pub(crate) fn transpose(tensor: &Tensor, permutation: Option<&[i64]>) -> Result<Tensor, KernelError> {
    let rank = tensor.shape().len();
    let order: Vec<usize> = match permutation {
        None => (0..rank).rev().collect(),
        Some(axes) => {
            let order = axes.iter().map(|&axis| resolve_axis(axis, rank)).collect::<Result<Vec<_>, _>>()?;
            let mut sorted = order.clone();
            sorted.sort_unstable();
            if !sorted.into_iter().eq(0..rank) {
                return Err(KernelError::RepeatedAxis { axes: axes.to_vec() });
            }
            order
        }
    };
    let strides = row_major_strides(tensor.shape());
    let shape: Vec<usize> = order.iter().map(|&axis| tensor.shape()[axis]).collect();
    let permuted: Vec<usize> = order.iter().map(|&axis| strides[axis]).collect();
    // Trailing dimensions that stay in place are copied as one run.
    let kept = (0..rank).rev().take_while(|&dimension| order[dimension] == dimension).count();
    let run = element_count(&shape[rank - kept..]).unwrap_or(0);
    let (outer, outer_strides) = (&shape[..rank - kept], &permuted[..rank - kept]);
    let data = for_each_type!(tensor.data(), values => {
        let mut result = allocate(&shape)?;
        if run > 0 {
            elementwise::walk(outer, [outer_strides], |[offset]| {
                result.extend_from_slice(&values[offset..offset + run]);
            });
        }
        result
    });
    Ok(Tensor::from_parts(shape, data))
}

/// `Reshape`: -1 is inferred, 0 copies the input's dimension unless `allow_zero`.
pub(crate) fn reshape(tensor: &Tensor, shape: &Tensor, allow_zero: bool) -> Result<Tensor, KernelError> {
    let wanted = int64_list(shape, 1)?;
    let refuse = || KernelError::Reshape { from: tensor.shape().to_vec(), to: wanted.clone() };
    let mut sizes = Vec::with_capacity(wanted.len());
    let mut inferred = None;
    for (index, &size) in wanted.iter().enumerate() {
        sizes.push(match size {
            -1 if inferred.is_none() => {
                inferred = Some(index);
                1
            }
            0 if !allow_zero => *tensor.shape().get(index).ok_or_else(refuse)?,
            size => usize::try_from(size).map_err(|_| refuse())?,
        });
    }
    let total = tensor.data().len();
    if let Some(index) = inferred {
        let others = element_count(&sizes).filter(|&count| count > 0).ok_or_else(refuse)?;
        sizes[index] = total / others;
    }
    if element_count(&sizes) != Some(total) {
        return Err(refuse());
    }
    Ok(Tensor::from_parts(sizes, tensor.data().clone()))
}

/// `Flatten` to two dimensions.
pub(crate) fn flatten(tensor: &Tensor, axis: i64) -> Result<Tensor, KernelError> {
    let rank = tensor.shape().len();
    // The axis may lie behind the last dimension, unlike everywhere else.
    let axis = if axis == rank as i64 { rank } else { resolve_axis(axis, rank)? };
    let count =
        |sizes: &[usize]| element_count(sizes).ok_or_else(|| KernelError::TooLarge { shape: tensor.shape().to_vec() });
    let shape = vec![count(&tensor.shape()[..axis])?, count(&tensor.shape()[axis..])?];
    Ok(Tensor::from_parts(shape, tensor.data().clone()))
}

/// `Squeeze`: the given axes, or all of size one.
pub(crate) fn squeeze(tensor: &Tensor, axes: Option<&Tensor>) -> Result<Tensor, KernelError> {
    let rank = tensor.shape().len();
    let removed = match axes {
        None => tensor.shape().iter().map(|&size| size == 1).collect(),
        Some(axes) => {
            let mut removed = vec![false; rank];
            for axis in int64_list(axes, 1)? {
                let axis = resolve_axis(axis, rank)?;
                if tensor.shape()[axis] != 1 {
                    let expected = format!("size one in dimension {axis}");
                    return Err(KernelError::Shape { input: 0, found: tensor.shape().to_vec(), expected });
                }
                removed[axis] = true;
            }
            removed
        }
    };
    let shape: Vec<usize> =
        tensor.shape().iter().zip(removed).filter(|(_, removed)| !removed).map(|(&size, _)| size).collect();
    Ok(Tensor::from_parts(shape, tensor.data().clone()))
}

/// `Unsqueeze`: axes count in the result.
pub(crate) fn unsqueeze(tensor: &Tensor, axes: &Tensor) -> Result<Tensor, KernelError> {
    let axes = int64_list(axes, 1)?;
    let rank = tensor.shape().len() + axes.len();
    let mut inserted = vec![false; rank];
    for &axis in &axes {
        let axis = resolve_axis(axis, rank)?;
        if std::mem::replace(&mut inserted[axis], true) {
            return Err(KernelError::RepeatedAxis { axes });
        }
    }
    let mut sizes = tensor.shape().iter().copied();
    let shape: Vec<usize> = inserted
        .into_iter()
        .map(|inserted| if inserted { Some(1) } else { sizes.next() })
        .map(|size| size.expect("as many dimensions are not inserted as the tensor has"))
        .collect();
    Ok(Tensor::from_parts(shape, tensor.data().clone()))
}

/// `Concat`.
pub(crate) fn concat(parts: &[&Tensor], axis: i64) -> Result<Tensor, KernelError> {
    let first = parts[0];
    let rank = first.shape().len();
    let axis = resolve_axis(axis, rank)?;
    let mut shape = first.shape().to_vec();
    shape[axis] = 0;
    for (input, part) in parts.iter().enumerate() {
        if part.element_type() != first.element_type() {
            return Err(KernelError::TypesDiffer { left: first.element_type(), right: part.element_type() });
        }
        let fits = part.shape().len() == rank
            && (0..rank).all(|dimension| dimension == axis || part.shape()[dimension] == shape[dimension]);
        if !fits {
            let expected = format!("that of input 0, {:?}, but in dimension {axis}", first.shape());
            return Err(KernelError::Shape { input, found: part.shape().to_vec(), expected });
        }
        shape[axis] += part.shape()[axis];
    }
    let outer = element_count(&shape[..axis]).unwrap_or(0);
    let run = |part: &Tensor| part.data().len().checked_div(outer).unwrap_or(0);
    macro_rules! join {
        ($variant:ident) => {{
            let mut result = allocate(&shape)?;
            for row in 0..outer {
                for part in parts {
                    if let TensorData::$variant(values) = part.data() {
                        let run = run(part);
                        result.extend_from_slice(&values[row * run..(row + 1) * run]);
                    }
                }
            }
            TensorData::$variant(result)
        }};
    }
    let data = match first.data() {
        TensorData::Float(_) => join!(Float),
        TensorData::Int32(_) => join!(Int32),
        TensorData::Int64(_) => join!(Int64),
        TensorData::Bool(_) => join!(Bool),
    };
    Ok(Tensor::from_parts(shape, data))
}

/// `Gather`: the slices of `tensor` along an axis that `indices` choose.
pub(crate) fn gather(tensor: &Tensor, indices: &Tensor, axis: i64) -> Result<Tensor, KernelError> {
    let axis = resolve_axis(axis, tensor.shape().len())?;
    let size = tensor.shape()[axis];
    let chosen = integers(indices, 1)?
        .into_iter()
        .map(|index| {
            let signed = if index < 0 { index + size as i64 } else { index };
            usize::try_from(signed).ok().filter(|&index| index < size).ok_or(KernelError::Index { index, size })
        })
        .collect::<Result<Vec<usize>, KernelError>>()?;
    let mut shape = tensor.shape()[..axis].to_vec();
    shape.extend_from_slice(indices.shape());
    shape.extend_from_slice(&tensor.shape()[axis + 1..]);
    let outer = element_count(&tensor.shape()[..axis]).unwrap_or(0);
    let run = element_count(&tensor.shape()[axis + 1..]).unwrap_or(0);
    let data = for_each_type!(tensor.data(), values => {
        let mut result = allocate(&shape)?;
        for row in 0..outer {
            for &index in &chosen {
                let start = (row * size + index) * run;
                result.extend_from_slice(&values[start..start + run]);
            }
        }
        result
    });
    Ok(Tensor::from_parts(shape, data))
}

/// `Shape`: start and end are clamped into the tensor's rank.
pub(crate) fn shape(tensor: &Tensor, start: i64, end: Option<i64>) -> Tensor {
    let rank = tensor.shape().len() as i64;
    let clamp = |index: i64| (if index < 0 { index + rank } else { index }).clamp(0, rank) as usize;
    let (start, end) = (clamp(start), clamp(end.unwrap_or(rank)));
    let sizes: Vec<i64> = tensor.shape()[start.min(end)..end].iter().map(|&size| size as i64).collect();
    Tensor::from_parts(vec![sizes.len()], sizes)
}

/// The matrix [columns, rows] of a matrix [rows, columns].
pub(crate) fn transposed(values: &[f32], rows: usize, columns: usize) -> Result<Vec<f32>, KernelError> {
    let mut result: Vec<f32> = allocate_filled(&[columns, rows])?;
    for (row, values) in values.chunks_exact(columns.max(1)).take(rows).enumerate() {
        for (column, &value) in values.iter().enumerate() {
            result[column * rows + row] = value;
        }
    }
    Ok(result)
}

/// The elements of an input that must be a list of int64.
pub(crate) fn int64_list(tensor: &Tensor, input: usize) -> Result<Vec<i64>, KernelError> {
    let values =
        tensor.as_int64().ok_or(KernelError::ElementType { input, found: tensor.element_type(), expected: "int64" })?;
    if tensor.shape().len() > 1 {
        let expected = "at most one dimension".to_owned();
        return Err(KernelError::Shape { input, found: tensor.shape().to_vec(), expected });
    }
    Ok(values.to_vec())
}

/// The elements of an input that must be integers of either width.
pub(crate) fn integers(tensor: &Tensor, input: usize) -> Result<Vec<i64>, KernelError> {
    match tensor.data() {
        TensorData::Int32(values) => Ok(values.iter().map(|&value| i64::from(value)).collect()),
        TensorData::Int64(values) => Ok(values.clone()),
        TensorData::Float(_) | TensorData::Bool(_) => {
            Err(KernelError::ElementType { input, found: tensor.element_type(), expected: "int32, int64" })
        }
    }
}

fn row_major_strides(shape: &[usize]) -> Vec<usize> {
    let mut strides = vec![1_usize; shape.len()];
    for dimension in (1..shape.len()).rev() {
        strides[dimension - 1] = strides[dimension].saturating_mul(shape[dimension]);
    }
    strides
}
