//! Dense tensors in row-major order, the values that go into and come out of a model.
//!
//! Owns the four element types that the executor computes with and their form in the protobuf messages. Does not own
//! any arithmetic: that is in `kernels`.

use std::fmt;

use thiserror::Error;

use crate::proto::{self, TensorProto};

/// Element types that the executor computes with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ElementType {
    /// IEEE 754 binary32.
    Float,
    /// 32-bit two's complement.
    Int32,
    /// 64-bit two's complement.
    Int64,
    /// One truth value an element.
    Bool,
}

impl ElementType {
    /// The number of this type in `TensorProto.DataType`.
    pub(crate) fn data_type(self) -> i32 {
        match self {
            ElementType::Float => 1,
            ElementType::Int32 => 6,
            ElementType::Int64 => 7,
            ElementType::Bool => 9,
        }
    }

    /// The type of a `TensorProto.DataType` number; None for those that we do not compute with.
    pub(crate) fn from_data_type(data_type: i32) -> Option<Self> {
        match data_type {
            1 => Some(ElementType::Float),
            6 => Some(ElementType::Int32),
            7 => Some(ElementType::Int64),
            9 => Some(ElementType::Bool),
            _ => None,
        }
    }
}

impl fmt::Display for ElementType {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            ElementType::Float => "float",
            ElementType::Int32 => "int32",
            ElementType::Int64 => "int64",
            ElementType::Bool => "bool",
        })
    }
}

/// The elements of a tensor, one after another in row-major order.
#[derive(Debug, Clone, PartialEq)]
pub enum TensorData {
    /// Elements of [`ElementType::Float`].
    Float(Vec<f32>),
    /// Elements of [`ElementType::Int32`].
    Int32(Vec<i32>),
    /// Elements of [`ElementType::Int64`].
    Int64(Vec<i64>),
    /// Elements of [`ElementType::Bool`].
    Bool(Vec<bool>),
}

impl TensorData {
    /// Number of elements.
    pub fn len(&self) -> usize {
        match self {
            TensorData::Float(values) => values.len(),
            TensorData::Int32(values) => values.len(),
            TensorData::Int64(values) => values.len(),
            TensorData::Bool(values) => values.len(),
        }
    }

    /// Whether there is no element.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The type of every element.
    pub fn element_type(&self) -> ElementType {
        match self {
            TensorData::Float(_) => ElementType::Float,
            TensorData::Int32(_) => ElementType::Int32,
            TensorData::Int64(_) => ElementType::Int64,
            TensorData::Bool(_) => ElementType::Bool,
        }
    }
}

impl From<Vec<f32>> for TensorData {
    fn from(values: Vec<f32>) -> Self {
        TensorData::Float(values)
    }
}

impl From<Vec<i32>> for TensorData {
    fn from(values: Vec<i32>) -> Self {
        TensorData::Int32(values)
    }
}

impl From<Vec<i64>> for TensorData {
    fn from(values: Vec<i64>) -> Self {
        TensorData::Int64(values)
    }
}

impl From<Vec<bool>> for TensorData {
    fn from(values: Vec<bool>) -> Self {
        TensorData::Bool(values)
    }
}

/// Why a tensor could not be made.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum TensorError {
    /// The shape asks for another number of elements than there are.
    #[error("shape {shape:?} needs {expected} elements, but there are {found}")]
    Length {
        /// The shape that was asked for.
        shape: Vec<usize>,
        /// The product of the shape.
        expected: usize,
        /// The number of elements given.
        found: usize,
    },
    /// The product of the shape does not fit the address space.
    #[error("shape {shape:?} is too large")]
    TooLarge {
        /// The shape that was asked for.
        shape: Vec<usize>,
    },
    /// The element type is not one of [`ElementType`].
    #[error("element type {name} is not supported")]
    ElementType {
        /// ONNX's name of the type.
        name: &'static str,
    },
    /// A dimension in the file is negative.
    #[error("dimension {dimension} is negative")]
    NegativeDimension {
        /// The dimension as written.
        dimension: i64,
    },
    /// The values are in another file.
    #[error("its values are in an external file, which is not supported")]
    ExternalData,
}

/// A dense tensor: a shape and as many elements as its product.
#[derive(Clone, PartialEq)]
pub struct Tensor {
    shape: Vec<usize>,
    data: TensorData,
}

impl fmt::Debug for Tensor {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Tensor({} {:?})", self.element_type(), self.shape)
    }
}

impl Tensor {
    /// A tensor of the given shape; a scalar has the empty shape and one element.
    ///
    /// # Errors
    /// [`TensorError::Length`] when the number of elements is not the product of the shape.
    pub fn new(shape: impl Into<Vec<usize>>, data: impl Into<TensorData>) -> Result<Self, TensorError> {
        let (shape, data) = (shape.into(), data.into());
        let expected = element_count(&shape).ok_or_else(|| TensorError::TooLarge { shape: shape.clone() })?;
        if expected != data.len() {
            return Err(TensorError::Length { expected, found: data.len(), shape });
        }
        Ok(Self { shape, data })
    }

    /// A tensor whose data the caller computed for this very shape.
    pub(crate) fn from_parts(shape: Vec<usize>, data: impl Into<TensorData>) -> Self {
        let data = data.into();
        debug_assert_eq!(element_count(&shape), Some(data.len()));
        Self { shape, data }
    }

    /// The size of each dimension.
    pub fn shape(&self) -> &[usize] {
        &self.shape
    }

    /// The elements.
    pub fn data(&self) -> &TensorData {
        &self.data
    }

    /// The elements, taken out.
    pub fn into_data(self) -> TensorData {
        self.data
    }

    /// The type of every element.
    pub fn element_type(&self) -> ElementType {
        self.data.element_type()
    }

    /// The elements if they are floats.
    pub fn as_floats(&self) -> Option<&[f32]> {
        match &self.data {
            TensorData::Float(values) => Some(values),
            TensorData::Int32(_) | TensorData::Int64(_) | TensorData::Bool(_) => None,
        }
    }

    /// The elements if they are 32-bit integers.
    pub fn as_int32(&self) -> Option<&[i32]> {
        match &self.data {
            TensorData::Int32(values) => Some(values),
            TensorData::Float(_) | TensorData::Int64(_) | TensorData::Bool(_) => None,
        }
    }

    /// The elements if they are 64-bit integers.
    pub fn as_int64(&self) -> Option<&[i64]> {
        match &self.data {
            TensorData::Int64(values) => Some(values),
            TensorData::Float(_) | TensorData::Int32(_) | TensorData::Bool(_) => None,
        }
    }

    /// Bytes of the elements as `raw_data` holds them: little endian, a bool as one byte.
    pub(crate) fn to_proto(&self, name: &str) -> TensorProto {
        let raw = match &self.data {
            TensorData::Float(values) => values.iter().flat_map(|value| value.to_le_bytes()).collect(),
            TensorData::Int32(values) => values.iter().flat_map(|value| value.to_le_bytes()).collect(),
            TensorData::Int64(values) => values.iter().flat_map(|value| value.to_le_bytes()).collect(),
            TensorData::Bool(values) => values.iter().map(|&value| u8::from(value)).collect(),
        };
        TensorProto {
            dims: self.shape.iter().map(|&dimension| dimension as i64).collect(),
            data_type: self.element_type().data_type(),
            name: name.to_owned(),
            raw_data: Some(raw),
            ..TensorProto::default()
        }
    }

    /// Reads a constant of a file, from raw bytes or from the typed lists.
    pub(crate) fn from_proto(proto: &TensorProto) -> Result<Self, TensorError> {
        if proto.data_location == proto::DATA_LOCATION_EXTERNAL || !proto.external_data.is_empty() {
            return Err(TensorError::ExternalData);
        }
        let shape = proto
            .dims
            .iter()
            .map(|&dimension| usize::try_from(dimension).map_err(|_| TensorError::NegativeDimension { dimension }))
            .collect::<Result<Vec<usize>, TensorError>>()?;
        let element_type = ElementType::from_data_type(proto.data_type)
            .ok_or_else(|| TensorError::ElementType { name: proto::data_type_name(proto.data_type) })?;
        let raw = proto.raw_data.as_deref().filter(|raw| !raw.is_empty());
        let data = match (element_type, raw) {
            (ElementType::Float, Some(raw)) => TensorData::Float(words(raw, &shape, f32::from_le_bytes)?),
            (ElementType::Int32, Some(raw)) => TensorData::Int32(words(raw, &shape, i32::from_le_bytes)?),
            (ElementType::Int64, Some(raw)) => TensorData::Int64(words(raw, &shape, i64::from_le_bytes)?),
            (ElementType::Bool, Some(raw)) => TensorData::Bool(raw.iter().map(|&byte| byte != 0).collect()),
            (ElementType::Float, None) => TensorData::Float(proto.float_data.clone()),
            (ElementType::Int32, None) => TensorData::Int32(proto.int32_data.clone()),
            (ElementType::Int64, None) => TensorData::Int64(proto.int64_data.clone()),
            (ElementType::Bool, None) => TensorData::Bool(proto.int32_data.iter().map(|&value| value != 0).collect()),
        };
        Self::new(shape, data)
    }
}

/// The product of a shape, None when it overflows.
pub(crate) fn element_count(shape: &[usize]) -> Option<usize> {
    // A zero anywhere makes the tensor empty, however large the other dimensions are.
    if shape.contains(&0) {
        return Some(0);
    }
    shape.iter().try_fold(1_usize, |product, &dimension| product.checked_mul(dimension))
}

fn words<T, const WIDTH: usize>(
    raw: &[u8],
    shape: &[usize],
    decode: impl Fn([u8; WIDTH]) -> T,
) -> Result<Vec<T>, TensorError> {
    let (chunks, rest) = raw.as_chunks::<WIDTH>();
    if !rest.is_empty() {
        let expected = element_count(shape).unwrap_or(usize::MAX);
        return Err(TensorError::Length { shape: shape.to_vec(), expected, found: chunks.len() });
    }
    Ok(chunks.iter().map(|&chunk| decode(chunk)).collect())
}
