//! The attributes of one JSON object of a declaration: their types, defaults and limits.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use crate::declaration::{Activation, LayerKind};
use crate::error::NetworkError;

/// The attributes of one object; remembers which were asked for, so that the others can be reported.
pub(crate) struct Attributes<'a> {
    path: String,
    object: &'a Map<String, Value>,
    errors: &'a mut Vec<NetworkError>,
    known: Vec<&'static str>,
}

impl<'a> Attributes<'a> {
    pub(crate) fn new(path: String, object: &'a Map<String, Value>, errors: &'a mut Vec<NetworkError>) -> Self {
        Attributes { path, object, errors, known: Vec::new() }
    }

    fn at(&self, name: &str) -> String {
        if self.path.is_empty() { name.to_owned() } else { format!("{}.{name}", self.path) }
    }

    pub(crate) fn wrong(&mut self, name: &str, message: impl Into<String>, hint: Option<&str>) {
        let mut error = NetworkError::new(self.at(name), message);
        error.hint = hint.map(str::to_owned);
        self.errors.push(error);
    }

    /// The attribute's value; null counts as absent.
    pub(crate) fn get(&mut self, name: &'static str) -> Option<&'a Value> {
        self.known.push(name);
        self.object.get(name).filter(|value| !value.is_null())
    }

    fn required(&mut self, name: &'static str) -> Option<&'a Value> {
        let value = self.get(name);
        if value.is_none() {
            self.wrong(name, "is required", None);
        }
        value
    }

    pub(crate) fn text(&mut self, name: &'static str) -> Option<String> {
        match self.required(name)? {
            Value::String(text) => Some(text.clone()),
            other => {
                self.wrong(name, format!("is text, not {}", kind_of(other)), None);
                None
            }
        }
    }

    pub(crate) fn list(&mut self, name: &'static str) -> Vec<Value> {
        match self.required(name) {
            Some(Value::Array(values)) => values.clone(),
            Some(other) => {
                self.wrong(name, format!("is a list, not {}", kind_of(other)), None);
                Vec::new()
            }
            None => Vec::new(),
        }
    }

    /// The object's name, which no earlier one in `seen` may have.
    pub(crate) fn name(&mut self, seen: &mut BTreeMap<String, String>) -> Option<String> {
        let name = self.text("name")?;
        if name.is_empty() || name.contains(['.', '/']) {
            self.wrong("name", format!("\"{name}\" is no name: it is not empty and has no dot and no slash"), None);
            return None;
        }
        if let Some(earlier) = seen.get(&name) {
            let message = format!("\"{name}\" is also the name of {earlier}");
            self.wrong("name", message, None);
            return None;
        }
        seen.insert(name.clone(), self.path.clone());
        Some(name)
    }

    /// What a layer reads, each with its path.
    pub(crate) fn references(&mut self) -> Vec<(String, String)> {
        let mut references = Vec::new();
        match self.required("input") {
            Some(Value::String(reference)) => references.push((self.at("input"), reference.clone())),
            Some(Value::Array(values)) => {
                if values.is_empty() {
                    self.wrong("input", "a layer reads at least one node", None);
                }
                for (index, value) in values.iter().enumerate() {
                    match value {
                        Value::String(reference) => {
                            references.push((self.at(&format!("input[{index}]")), reference.clone()));
                        }
                        other => {
                            let message = format!("is a reference such as layer.x, not {}", kind_of(other));
                            self.wrong(&format!("input[{index}]"), message, None);
                        }
                    }
                }
            }
            Some(other) => {
                let message = format!("is a reference such as layer.x, or a list of them, not {}", kind_of(other));
                self.wrong("input", message, None);
            }
            None => {}
        }
        references
    }

    pub(crate) fn layer_kind(&mut self) -> Option<LayerKind> {
        let kind = self.text("kind")?;
        Some(match kind.as_str() {
            "masking" => LayerKind::Masking { mask_value: self.number("mask_value").unwrap_or(0.0) as f32 },
            "gru" => {
                let units = self.units();
                self.only("reset_after", &Value::Bool(true));
                self.recurrent_activations();
                LayerKind::Gru { units: units?, return_sequences: self.flag("return_sequences") }
            }
            "lstm" => {
                let units = self.units();
                self.recurrent_activations();
                LayerKind::Lstm { units: units?, return_sequences: self.flag("return_sequences") }
            }
            "dense" => {
                let units = self.units();
                let activation = self.activation();
                LayerKind::Dense { units: units?, activation }
            }
            "dropout" => LayerKind::Dropout { rate: self.rate()? },
            "concat" => LayerKind::Concat { axis: self.axis()? },
            "flatten" => LayerKind::Flatten,
            other => {
                let path = self.at("kind");
                self.errors.push(
                    NetworkError::new(path, format!("there is no layer kind \"{other}\""))
                        .suggest(other, LayerKind::NAMES),
                );
                return None;
            }
        })
    }

    fn units(&mut self) -> Option<usize> {
        let value = self.required("units")?;
        let units = count(value);
        if units.is_none() {
            self.wrong("units", format!("is a whole number of at least 1, not {value}"), None);
        }
        units
    }

    fn number(&mut self, name: &'static str) -> Option<f64> {
        let value = self.get(name)?;
        let number = value.as_f64();
        if number.is_none() {
            self.wrong(name, format!("is a number, not {}", kind_of(value)), None);
        }
        number
    }

    fn flag(&mut self, name: &'static str) -> bool {
        match self.get(name) {
            None => false,
            Some(Value::Bool(flag)) => *flag,
            Some(other) => {
                self.wrong(name, format!("is true or false, not {}", kind_of(other)), None);
                false
            }
        }
    }

    fn rate(&mut self) -> Option<f64> {
        self.required("rate")?;
        let rate = self.number("rate")?;
        if (0.0..1.0).contains(&rate) {
            return Some(rate);
        }
        self.wrong("rate", format!("is at least 0 and less than 1, not {rate}"), None);
        None
    }

    /// Keras' axis as an index into the shape per row. Negative axes count from the last, once the shape is known.
    fn axis(&mut self) -> Option<usize> {
        let axis = self.number("axis").unwrap_or(-1.0);
        if axis.fract() == 0.0 && (1.0..=64.0).contains(&axis) {
            return Some(axis as usize - 1);
        }
        if axis == -1.0 {
            return Some(LAST_AXIS);
        }
        self.wrong("axis", format!("is -1 (the last) or a whole number of at least 1, not {axis}"), None);
        None
    }

    fn activation(&mut self) -> Activation {
        match self.get("activation") {
            None => Activation::Linear,
            Some(Value::String(name)) => {
                let found = Activation::ALL.into_iter().find(|activation| activation.name() == name);
                if found.is_none() {
                    let path = self.at("activation");
                    self.errors.push(
                        NetworkError::new(path, format!("there is no activation \"{name}\""))
                            .suggest(name, Activation::ALL.map(Activation::name)),
                    );
                }
                found.unwrap_or(Activation::Linear)
            }
            Some(other) => {
                self.wrong("activation", format!("is text, not {}", kind_of(other)), None);
                Activation::Linear
            }
        }
    }

    fn recurrent_activations(&mut self) {
        self.only("activation", &Value::String("tanh".to_owned()));
        self.only("recurrent_activation", &Value::String("sigmoid".to_owned()));
    }

    /// An attribute of Keras for which we have one value only.
    fn only(&mut self, name: &'static str, supported: &Value) {
        if let Some(value) = self.get(name).filter(|value| *value != supported) {
            self.wrong(name, format!("{value} is not supported: only {supported} (the default) is"), None);
        }
    }

    /// Reports attributes that nobody asked for.
    pub(crate) fn finish(&mut self) {
        for name in self.object.keys() {
            if !self.known.contains(&name.as_str()) {
                let error = NetworkError::new(self.at(name), "there is no such attribute here")
                    .suggest(name, self.known.iter().copied());
                self.errors.push(error);
            }
        }
    }
}

/// Stands for the last axis until the shape is known.
pub(crate) const LAST_AXIS: usize = usize::MAX;

/// A whole number of at least 1, written as an integer or as a float.
pub(crate) fn count(value: &Value) -> Option<usize> {
    let number = value.as_f64()?;
    let whole = number.fract() == 0.0 && (1.0..=9_007_199_254_740_992.0).contains(&number);
    whole.then_some(number as usize)
}

pub(crate) fn kind_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "true or false",
        Value::Number(_) => "a number",
        Value::String(_) => "text",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}
