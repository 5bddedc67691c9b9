//! Operators that treat each element alone: arithmetic and comparison with broadcasting, functions, casts.

use crate::kernels::{KernelError, allocate, floats};
use crate::operator::{Arithmetic, Comparison};
use crate::tensor::{ElementType, Tensor, TensorData};

const NUMBERS: &str = "float, int32, int64";

/// `Add`, `Sub`, `Mul`, `Div`. Integers wrap, except that division by zero is an error.
pub(crate) fn arithmetic(operation: Arithmetic, left: &Tensor, right: &Tensor) -> Result<Tensor, KernelError> {
    macro_rules! integers {
        ($a:expr, $b:expr, $integer:ty) => {
            match operation {
                Arithmetic::Add => broadcast(left, $a, right, $b, <$integer>::wrapping_add),
                Arithmetic::Subtract => broadcast(left, $a, right, $b, <$integer>::wrapping_sub),
                Arithmetic::Multiply => broadcast(left, $a, right, $b, <$integer>::wrapping_mul),
                Arithmetic::Divide => {
                    let mut exact = true;
                    let result = broadcast(left, $a, right, $b, |a: $integer, b: $integer| {
                        a.checked_div(b).unwrap_or_else(|| {
                            exact = false;
                            0
                        })
                    })?;
                    if exact { Ok(result) } else { Err(KernelError::Division) }
                }
            }
        };
    }
    match (left.data(), right.data()) {
        (TensorData::Float(a), TensorData::Float(b)) => match operation {
            Arithmetic::Add => broadcast(left, a, right, b, |a, b| a + b),
            Arithmetic::Subtract => broadcast(left, a, right, b, |a, b| a - b),
            Arithmetic::Multiply => broadcast(left, a, right, b, |a, b| a * b),
            Arithmetic::Divide => broadcast(left, a, right, b, |a, b| a / b),
        },
        (TensorData::Int32(a), TensorData::Int32(b)) => integers!(a, b, i32),
        (TensorData::Int64(a), TensorData::Int64(b)) => integers!(a, b, i64),
        _ => Err(mismatch(left, right, NUMBERS)),
    }
}

/// `Greater`, `Equal`.
pub(crate) fn compare(comparison: Comparison, left: &Tensor, right: &Tensor) -> Result<Tensor, KernelError> {
    macro_rules! numbers {
        ($a:expr, $b:expr) => {
            match comparison {
                Comparison::Greater => broadcast(left, $a, right, $b, |a, b| a > b),
                Comparison::Equal => broadcast(left, $a, right, $b, |a, b| a == b),
            }
        };
    }
    match (left.data(), right.data()) {
        (TensorData::Float(a), TensorData::Float(b)) => numbers!(a, b),
        (TensorData::Int32(a), TensorData::Int32(b)) => numbers!(a, b),
        (TensorData::Int64(a), TensorData::Int64(b)) => numbers!(a, b),
        (TensorData::Bool(a), TensorData::Bool(b)) => match comparison {
            Comparison::Greater => Err(mismatch(left, right, NUMBERS)),
            Comparison::Equal => broadcast(left, a, right, b, |a, b| a == b),
        },
        _ => Err(mismatch(left, right, "float, int32, int64, bool")),
    }
}

/// `Relu`: negative values become zero, NaN stays.
pub(crate) fn relu(tensor: &Tensor) -> Result<Tensor, KernelError> {
    map_numbers(tensor, |x| if x < 0.0 { 0.0 } else { x }, |x| x.max(0), |x| x.max(0))
}

/// `Abs`; the smallest integer stays as it is.
pub(crate) fn absolute(tensor: &Tensor) -> Result<Tensor, KernelError> {
    map_numbers(tensor, f32::abs, i32::wrapping_abs, i64::wrapping_abs)
}

/// A function of each float.
pub(crate) fn map_floats(tensor: &Tensor, function: impl Fn(f32) -> f32) -> Result<Tensor, KernelError> {
    let values: Vec<f32> = floats(tensor, 0)?.iter().map(|&x| function(x)).collect();
    Ok(Tensor::from_parts(tensor.shape().to_vec(), values))
}

/// `Cast`: floats lose their fraction towards zero, everything but zero is true.
pub(crate) fn cast(tensor: &Tensor, to: ElementType) -> Tensor {
    macro_rules! from_numbers {
        ($values:expr, $zero:expr) => {
            match to {
                ElementType::Float => TensorData::Float($values.iter().map(|&x| x as f32).collect()),
                ElementType::Int32 => TensorData::Int32($values.iter().map(|&x| x as i32).collect()),
                ElementType::Int64 => TensorData::Int64($values.iter().map(|&x| x as i64).collect()),
                ElementType::Bool => TensorData::Bool($values.iter().map(|&x| x != $zero).collect()),
            }
        };
    }
    let data = match tensor.data() {
        TensorData::Float(values) => from_numbers!(values, 0.0),
        TensorData::Int32(values) => from_numbers!(values, 0),
        TensorData::Int64(values) => from_numbers!(values, 0),
        TensorData::Bool(values) => match to {
            ElementType::Float => TensorData::Float(values.iter().map(|&x| f32::from(u8::from(x))).collect()),
            ElementType::Int32 => TensorData::Int32(values.iter().map(|&x| i32::from(x)).collect()),
            ElementType::Int64 => TensorData::Int64(values.iter().map(|&x| i64::from(x)).collect()),
            ElementType::Bool => TensorData::Bool(values.clone()),
        },
    };
    Tensor::from_parts(tensor.shape().to_vec(), data)
}

/// The shape that two shapes broadcast to: aligned at the last dimension, sizes equal or one.
pub(crate) fn broadcast_shape(left: &[usize], right: &[usize]) -> Result<Vec<usize>, KernelError> {
    let rank = left.len().max(right.len());
    let size =
        |shape: &[usize], dimension: usize| (dimension + shape.len()).checked_sub(rank).map_or(1, |index| shape[index]);
    (0..rank)
        .map(|dimension| match (size(left, dimension), size(right, dimension)) {
            (a, b) if a == b => Ok(a),
            (1, b) => Ok(b),
            (a, 1) => Ok(a),
            _ => Err(KernelError::Broadcast { left: left.to_vec(), right: right.to_vec() }),
        })
        .collect()
}

fn map_numbers(
    tensor: &Tensor,
    float: impl Fn(f32) -> f32,
    int32: impl Fn(i32) -> i32,
    int64: impl Fn(i64) -> i64,
) -> Result<Tensor, KernelError> {
    let data = match tensor.data() {
        TensorData::Float(values) => TensorData::Float(values.iter().map(|&x| float(x)).collect()),
        TensorData::Int32(values) => TensorData::Int32(values.iter().map(|&x| int32(x)).collect()),
        TensorData::Int64(values) => TensorData::Int64(values.iter().map(|&x| int64(x)).collect()),
        TensorData::Bool(_) => {
            return Err(KernelError::ElementType { input: 0, found: ElementType::Bool, expected: NUMBERS });
        }
    };
    Ok(Tensor::from_parts(tensor.shape().to_vec(), data))
}

fn mismatch(left: &Tensor, right: &Tensor, expected: &'static str) -> KernelError {
    let (left, right) = (left.element_type(), right.element_type());
    if left == right {
        KernelError::ElementType { input: 0, found: left, expected }
    } else {
        KernelError::TypesDiffer { left, right }
    }
}

/// Applies a function to the pairs of two broadcast tensors.
fn broadcast<A: Copy, R>(
    left: &Tensor,
    a: &[A],
    right: &Tensor,
    b: &[A],
    mut function: impl FnMut(A, A) -> R,
) -> Result<Tensor, KernelError>
where
    TensorData: From<Vec<R>>,
{
    let shape = broadcast_shape(left.shape(), right.shape())?;
    let mut values = allocate(&shape)?;
    if left.shape() == right.shape() {
        values.extend(a.iter().zip(b).map(|(&a, &b)| function(a, b)));
    } else if let [b] = b {
        values.extend(a.iter().map(|&a| function(a, *b)));
    } else if let [a] = a {
        values.extend(b.iter().map(|&b| function(*a, b)));
    } else if shape == left.shape() && left.shape().ends_with(right.shape()) && !b.is_empty() {
        // A bias: the smaller tensor repeats over the leading dimensions.
        for a in a.chunks_exact(b.len()) {
            values.extend(a.iter().zip(b).map(|(&a, &b)| function(a, b)));
        }
    } else {
        let (left, right) = (strides(left.shape(), &shape), strides(right.shape(), &shape));
        walk(&shape, [&left, &right], |[i, j]| values.push(function(a[i], b[j])));
    }
    Ok(Tensor::from_parts(shape, values))
}

/// Distance between neighbours along each dimension of `result`; zero where `shape` repeats.
fn strides(shape: &[usize], result: &[usize]) -> Vec<usize> {
    let mut strides = vec![0; result.len()];
    let mut distance = 1;
    for (stride, &size) in strides.iter_mut().rev().zip(shape.iter().rev()) {
        if size != 1 {
            *stride = distance;
        }
        distance *= size;
    }
    strides
}

/// Visits every index of a shape in row-major order, with the offset into each of `COUNT` strided operands.
pub(crate) fn walk<const COUNT: usize>(
    shape: &[usize],
    strides: [&[usize]; COUNT],
    mut visit: impl FnMut([usize; COUNT]),
) {
    if shape.contains(&0) {
        return;
    }
    let mut index = vec![0; shape.len()];
    let mut offsets = [0; COUNT];
    loop {
        visit(offsets);
        let mut dimension = shape.len();
        loop {
            if dimension == 0 {
                return;
            }
            dimension -= 1;
            index[dimension] += 1;
            for (offset, strides) in offsets.iter_mut().zip(strides) {
                *offset += strides[dimension];
            }
            if index[dimension] < shape[dimension] {
                break;
            }
            for (offset, strides) in offsets.iter_mut().zip(strides) {
                *offset -= strides[dimension] * shape[dimension];
            }
            index[dimension] = 0;
        }
    }
}
