//! `scale`: constants of all rows bring a column to [0, 1], or to mean 0 and deviation 1.

use pipectl_core::{Attribute, Schema, Type};
use pipectl_formats::table::Values;
use serde_json::{Value as Json, json};

use super::standardize::deviation;
use crate::arguments::{Arguments, numbers};
use crate::batch::Batch;
use crate::columns::{Columns, Length, Problem, Shape};

/// How a column is scaled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// `(x - minimum) / (maximum - minimum)`; a constant feature becomes 0.
    MinMax,
    /// `(x - mean) / deviation`, with the population's deviation; a constant feature becomes 0.
    Standard,
}

/// What scaling needs to know, one number for each feature.
#[derive(Clone, Debug, PartialEq)]
pub enum Constants {
    /// For [`Method::MinMax`].
    MinMax {
        /// Least value of each feature.
        minimum: Vec<f64>,
        /// Greatest value of each feature.
        maximum: Vec<f64>,
    },
    /// For [`Method::Standard`].
    Standard {
        /// Mean of each feature.
        mean: Vec<f64>,
        /// Population standard deviation of each feature.
        deviation: Vec<f64>,
    },
}

#[derive(Clone, Debug)]
pub(crate) struct Scale {
    pub(crate) column: String,
    pub(crate) method: Method,
    /// One pair of constants for the whole column instead of one for each feature.
    whole: bool,
    clip: bool,
    /// Given, or fitted meanwhile.
    pub(crate) constants: Option<Constants>,
}

impl Constants {
    /// The object that other stages take as their argument `constants`.
    pub fn to_json(&self) -> Json {
        match self {
            Constants::MinMax { minimum, maximum } => {
                json!({"method": "min_max", "minimum": minimum, "maximum": maximum})
            }
            Constants::Standard { mean, deviation } => {
                json!({"method": "standard", "mean": mean, "deviation": deviation})
            }
        }
    }

    /// Reads that object; a sentence says what is wrong with it.
    pub fn from_json(json: &Json) -> Result<Self, String> {
        let list = |name: &str| {
            json.get(name)
                .and_then(numbers)
                .filter(|list| !list.is_empty())
                .ok_or_else(|| format!("The constants need `{name}`, a list of numbers."))
        };
        let constants = match json.get("method").and_then(Json::as_str) {
            Some("min_max") => Constants::MinMax { minimum: list("minimum")?, maximum: list("maximum")? },
            Some("standard") => Constants::Standard { mean: list("mean")?, deviation: list("deviation")? },
            _ => {
                let message =
                    "Constants are an object with `method` (\"min_max\" or \"standard\") and its two lists of numbers.";
                return Err(message.to_owned());
            }
        };
        let (Constants::MinMax { minimum: first, maximum: second }
        | Constants::Standard { mean: first, deviation: second }) = &constants;
        if first.len() != second.len() {
            return Err(format!("The two lists of the constants have {} and {} numbers.", first.len(), second.len()));
        }
        Ok(constants)
    }

    fn method(&self) -> Method {
        match self {
            Constants::MinMax { .. } => Method::MinMax,
            Constants::Standard { .. } => Method::Standard,
        }
    }

    /// Number of features.
    fn len(&self) -> usize {
        match self {
            Constants::MinMax { minimum: list, .. } | Constants::Standard { mean: list, .. } => list.len(),
        }
    }
}

impl Scale {
    pub(super) fn schema() -> Schema {
        Schema::of([
            ("column", Attribute::required(Type::String, "The column.")),
            (
                "method",
                Attribute::optional(Type::String, "\"min_max\" (default): to [0, 1]. \"standard\": to mean 0 and standard deviation 1."),
            ),
            (
                "per",
                Attribute::optional(
                    Type::String,
                    "\"feature\" (default): constants for each element of a list, each column of a matrix. \"column\": one for all.",
                ),
            ),
            (
                "constants",
                Attribute::optional(
                    Type::Any,
                    "Constants to use instead of fitting them: `stage.convert.train.constants.NAME` of another convert stage.",
                ),
            ),
            ("clip", Attribute::optional(Type::Bool, "With \"min_max\": values outside the fitted range become 0 or 1. Default: false.")),
        ])
        .described("Scales a column by constants of all rows: fitted in a first pass, and an output of the stage, unless given.")
    }

    pub(super) fn parse(arguments: &mut Arguments) -> Self {
        let column = arguments.required("column", Arguments::text);
        let method = arguments.choice("method", &[("min_max", Method::MinMax), ("standard", Method::Standard)]);
        let whole = arguments.choice("per", &[("feature", false), ("column", true)]).unwrap_or(false);
        let clip = arguments.flag("clip").unwrap_or(false);
        let constants = arguments.json("constants").and_then(|json| match Constants::from_json(json) {
            Ok(constants) => Some(constants),
            Err(message) => {
                arguments.problem("constants", message);
                None
            }
        });
        let method = match (method, constants.as_ref().map(Constants::method)) {
            (Some(method), Some(given)) if method != given => {
                arguments.problem("constants", "The constants are those of another method.");
                method
            }
            (method, given) => method.or(given).unwrap_or(Method::MinMax),
        };
        if clip && method != Method::MinMax {
            arguments.problem("clip", "Only the method \"min_max\" has a range to clip to.");
        }
        Scale { column, method, whole, clip, constants }
    }

    /// Number of features of a column of `shape`, each with constants of its own.
    fn features(&self, shape: Shape) -> Result<usize, Problem> {
        let unknown = |what: &str| {
            let message = format!(
                "Column `{}` is a {shape}, so {what} is not known. Declare it with a step \"shape\", or set `per = \"column\"`.",
                self.column
            );
            Problem::with("column", message)
        };
        match shape {
            Shape::List(Length::Fixed(0)) | Shape::Matrix { width: Some(0), .. } => {
                Err(Problem::with("column", format!("Column `{}` has nothing to scale.", self.column)))
            }
            _ if self.whole => Ok(1),
            Shape::Scalar => Ok(1),
            Shape::List(Length::Fixed(length)) => Ok(length),
            Shape::List(Length::AtMost(_) | Length::Any) => Err(unknown("the number of its elements")),
            Shape::Matrix { width: Some(width), .. } => Ok(width),
            Shape::Matrix { width: None, .. } => Err(unknown("its width")),
        }
    }

    pub(crate) fn check(&self, columns: &Columns) -> Result<Columns, Vec<Problem>> {
        let shape = columns.find(&self.column).map_err(|message| vec![Problem::with("column", message)])?;
        let features = self.features(shape).map_err(|problem| vec![problem])?;
        match &self.constants {
            Some(constants) if constants.len() != features => Err(vec![Problem::with(
                "constants",
                format!(
                    "There are constants for {} features; column `{}` has {features}.",
                    constants.len(),
                    self.column
                ),
            )]),
            Some(_) | None => Ok(columns.clone()),
        }
    }

    /// A fit of the constants over a column of `shape`, which the check has seen.
    pub(crate) fn fit(&self, shape: Shape) -> Fit {
        Fit::new(self.method, self.features(shape).expect("the check has counted the features"))
    }

    pub(crate) fn apply(&self, batch: &mut Batch) {
        let mut values = batch.take(&self.column);
        let (shift, divisor): (Vec<f64>, Vec<f64>) =
            match self.constants.as_ref().expect("fitted before rows go through") {
                Constants::MinMax { minimum, maximum } => {
                    (minimum.clone(), minimum.iter().zip(maximum).map(|(low, high)| not_zero(high - low)).collect())
                }
                Constants::Standard { mean, deviation } => {
                    (mean.clone(), deviation.iter().copied().map(not_zero).collect())
                }
            };
        // Features repeat along the data: every row of a column has a whole number of them.
        for features in values.data.chunks_exact_mut(shift.len()) {
            for ((value, shift), divisor) in features.iter_mut().zip(&shift).zip(&divisor) {
                *value = (*value - shift) / divisor;
            }
        }
        if self.clip {
            values.data.iter_mut().for_each(|value| *value = value.clamp(0.0, 1.0));
        }
        batch.set(&self.column, values);
    }
}

fn not_zero(divisor: f64) -> f64 {
    if divisor == 0.0 { 1.0 } else { divisor }
}

/// Constants in the making.
#[derive(Clone, Debug)]
pub(crate) struct Fit {
    method: Method,
    /// Values seen of each feature.
    count: f64,
    /// Minimum, or mean.
    first: Vec<f64>,
    /// Maximum, or sum of squared differences from the mean.
    second: Vec<f64>,
}

impl Fit {
    fn new(method: Method, features: usize) -> Self {
        let (first, second) = match method {
            Method::MinMax => (f64::INFINITY, f64::NEG_INFINITY),
            Method::Standard => (0.0, 0.0),
        };
        Fit { method, count: 0.0, first: vec![first; features], second: vec![second; features] }
    }

    /// Takes in the values of a batch. Batches come in order, so that the result is the same for any number of threads.
    pub(crate) fn add(&mut self, values: &Values) {
        let features = self.first.len();
        if values.data.is_empty() {
            return;
        }
        match self.method {
            Method::MinMax => {
                for row in values.data.chunks_exact(features) {
                    for (place, value) in row.iter().enumerate() {
                        self.first[place] = self.first[place].min(*value);
                        self.second[place] = self.second[place].max(*value);
                    }
                }
                self.count += (values.data.len() / features) as f64;
            }
            Method::Standard => {
                // Two passes over the batch, then the pairwise update of Chan, Golub and LeVeque (1979).
                let count = (values.data.len() / features) as f64;
                let whole = self.count + count;
                for place in 0..features {
                    let column = || values.data.iter().skip(place).step_by(features);
                    let mean = column().sum::<f64>() / count;
                    let squares: f64 = column().map(|value| (value - mean) * (value - mean)).sum();
                    let difference = mean - self.first[place];
                    self.first[place] += difference * count / whole;
                    self.second[place] += squares + difference * difference * self.count * count / whole;
                }
                self.count = whole;
            }
        }
    }

    /// The constants; `None` if there was no value.
    pub(crate) fn finish(self) -> Option<Constants> {
        if self.count == 0.0 {
            return None;
        }
        Some(match self.method {
            Method::MinMax => Constants::MinMax { minimum: self.first, maximum: self.second },
            Method::Standard => {
                let count = self.count;
                let each = |(sum, mean): (&f64, &f64)| deviation(count, *mean, sum / count);
                let deviation = self.second.iter().zip(&self.first).map(each).collect();
                Constants::Standard { mean: self.first, deviation }
            }
        })
    }
}
