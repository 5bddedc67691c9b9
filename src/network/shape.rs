//! Shape inference: the shape and mask of a layer's value from those of what it reads.

use crate::declaration::LayerKind;
use crate::error::NetworkError;

/// Most numbers in one row of a node, or in one layer's parameters: far above what trains, far below an overflow.
pub(crate) const MOST_NUMBERS: usize = 1 << 31;

/// Shape and mask of a value.
#[derive(Clone, Copy)]
pub(crate) struct Shaped<'a> {
    pub(crate) shape: &'a [usize],
    pub(crate) masked: bool,
}

/// The shape and mask of the value of the layer at `path`.
pub(crate) fn infer(path: &str, kind: &LayerKind, inputs: &[Shaped<'_>]) -> Result<(Vec<usize>, bool), NetworkError> {
    let wrong = |message: String| NetworkError::new(format!("{path}.input"), message);
    let first = inputs.first().ok_or_else(|| wrong("a layer reads at least one node".to_owned()))?;
    let result = match kind {
        LayerKind::Masking { .. } => {
            sequence(first).map_err(wrong)?;
            (first.shape.to_vec(), true)
        }
        LayerKind::Gru { units, return_sequences } | LayerKind::Lstm { units, return_sequences } => {
            let steps = sequence(first).map_err(wrong)?;
            if *return_sequences { (vec![steps, *units], first.masked) } else { (vec![*units], false) }
        }
        LayerKind::Dense { units, .. } => {
            let mut shape = first.shape.to_vec();
            if let Some(last) = shape.last_mut() {
                *last = *units;
            }
            (shape, first.masked)
        }
        LayerKind::Dropout { .. } => (first.shape.to_vec(), first.masked),
        LayerKind::Concat { axis } => concat(*axis, inputs).map_err(wrong)?,
        LayerKind::Flatten => (vec![numbers(first.shape).unwrap_or(MOST_NUMBERS)], false),
    };
    if numbers(&result.0).is_none() {
        return Err(NetworkError::new(path, format!("the value has shape {:?}, more numbers than fit", result.0)));
    }
    let width = first.shape.last().copied().unwrap_or(0);
    let (columns, units) = match kind {
        LayerKind::Gru { units, .. } => (3, *units),
        LayerKind::Lstm { units, .. } => (4, *units),
        LayerKind::Dense { units, .. } => (1, *units),
        _ => (0, 0),
    };
    match numbers(&[columns.max(1), units, width + units]) {
        Some(_) => Ok(result),
        None => Err(NetworkError::new(path, "more parameters than fit")),
    }
}

/// The product of a shape, if it is not absurdly large.
pub(crate) fn numbers(shape: &[usize]) -> Option<usize> {
    shape
        .iter()
        .try_fold(1_usize, |product, size| product.checked_mul(*size))
        .filter(|product| *product <= MOST_NUMBERS)
}

fn sequence(input: &Shaped<'_>) -> Result<usize, String> {
    match input.shape {
        [steps, _] => Ok(*steps),
        shape => Err(format!("needs a sequence of shape [steps, features], got {shape:?}")),
    }
}

fn concat(axis: usize, inputs: &[Shaped<'_>]) -> Result<(Vec<usize>, bool), String> {
    let mut shape = inputs[0].shape.to_vec();
    if axis >= shape.len() {
        return Err(format!("axis {} does not exist in shape {shape:?} (axis 0 is the batch)", axis + 1));
    }
    for input in &inputs[1..] {
        let fits = input.shape.len() == shape.len()
            && input.shape.iter().zip(&shape).enumerate().all(|(at, (a, b))| at == axis || a == b);
        if !fits {
            return Err(format!(
                "shapes {:?} and {:?} cannot be joined along axis {}: all other axes must be equal",
                inputs[0].shape,
                input.shape,
                axis + 1
            ));
        }
        shape[axis] = shape[axis].saturating_add(input.shape[axis]);
    }
    // Keras keeps a step that any of the joined values keeps, and an unmasked value keeps all of them.
    let joins_steps = axis + 1 < shape.len();
    let masked = inputs.iter().filter(|input| input.masked).count();
    Ok((shape, if joins_steps { masked > 0 } else { masked == inputs.len() }))
}
