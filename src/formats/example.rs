//! `tf.train.Example`: named lists of floats, integers or byte strings (TensorFlow,
//! `tensorflow/core/example/example.proto` and `feature.proto`), as annotated structs, so that no protoc is needed.
//!
//! Features lie in a sorted map: the bytes of an example depend on its contents only. Both packed and unpacked lists are
//! read; packed ones are written, as TensorFlow does.

use std::collections::BTreeMap;

use prost::Message;

/// One example: a record of a TFRecord file.
#[derive(Clone, PartialEq, Message)]
pub struct Example {
    /// Its features.
    #[prost(message, optional, tag = "1")]
    pub features: Option<Features>,
}

/// Features by name.
#[derive(Clone, PartialEq, Message)]
pub struct Features {
    /// Name to values.
    #[prost(btree_map = "string, message", tag = "1")]
    pub feature: BTreeMap<String, Feature>,
}

/// One feature.
#[derive(Clone, PartialEq, Message)]
pub struct Feature {
    /// Its values; absent means an empty list of unknown kind.
    #[prost(oneof = "Values", tags = "1, 2, 3")]
    pub values: Option<Values>,
}

/// The three kinds of list.
#[derive(Clone, PartialEq, prost::Oneof)]
pub enum Values {
    /// Byte strings.
    #[prost(message, tag = "1")]
    Bytes(BytesList),
    /// Single precision floats.
    #[prost(message, tag = "2")]
    Floats(FloatList),
    /// Integers.
    #[prost(message, tag = "3")]
    Integers(Int64List),
}

/// Byte strings.
#[derive(Clone, PartialEq, Message)]
pub struct BytesList {
    /// The strings.
    #[prost(bytes = "vec", repeated, tag = "1")]
    pub value: Vec<Vec<u8>>,
}

/// Floats.
#[derive(Clone, PartialEq, Message)]
pub struct FloatList {
    /// The floats.
    #[prost(float, repeated, tag = "1")]
    pub value: Vec<f32>,
}

/// Integers.
#[derive(Clone, PartialEq, Message)]
pub struct Int64List {
    /// The integers.
    #[prost(int64, repeated, tag = "1")]
    pub value: Vec<i64>,
}

impl Example {
    /// Reads the protobuf bytes of one record.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, prost::DecodeError> {
        Self::decode(bytes)
    }

    /// The protobuf bytes.
    pub fn to_bytes(&self) -> Vec<u8> {
        self.encode_to_vec()
    }

    /// The values of feature `name`; `None` if the example lacks it or gives it no list.
    pub fn get(&self, name: &str) -> Option<&Values> {
        self.features.as_ref()?.feature.get(name)?.values.as_ref()
    }

    /// Takes feature `name` out.
    pub fn take(&mut self, name: &str) -> Option<Values> {
        self.features.as_mut()?.feature.remove(name)?.values
    }

    /// Adds or replaces a list of floats.
    pub fn set_floats(&mut self, name: &str, value: Vec<f32>) {
        self.set(name, Values::Floats(FloatList { value }));
    }

    /// Adds or replaces a list of integers.
    pub fn set_integers(&mut self, name: &str, value: Vec<i64>) {
        self.set(name, Values::Integers(Int64List { value }));
    }

    /// Names of its features, sorted.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.features.iter().flat_map(|features| features.feature.keys()).map(String::as_str)
    }

    fn set(&mut self, name: &str, values: Values) {
        let features = self.features.get_or_insert_with(Features::default);
        features.feature.insert(name.to_owned(), Feature { values: Some(values) });
    }
}
