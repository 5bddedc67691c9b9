//! The functions that expressions know.

use std::f64::consts::{PI, TAU};

/// A function.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Function(&'static Definition);

#[derive(Debug, PartialEq)]
struct Definition {
    name: &'static str,
    kind: Kind,
    /// What it gives, in a sentence.
    description: &'static str,
}

/// How a function works.
#[derive(Clone, Copy, Debug)]
pub(super) enum Kind {
    /// A number.
    Constant(f64),
    /// Element by element.
    Unary(fn(f64) -> f64),
    /// Element by element over two operands.
    Binary(fn(f64, f64) -> f64),
    /// A list or matrix column to one number a row.
    Reduce(fn(&[f64]) -> f64),
    /// The number of elements of a list, of rows of a matrix.
    Length,
}

impl PartialEq for Kind {
    /// Functions are told apart by name: comparing code addresses says nothing.
    fn eq(&self, other: &Self) -> bool {
        std::mem::discriminant(self) == std::mem::discriminant(other)
    }
}

const fn define(name: &'static str, kind: Kind, description: &'static str) -> Definition {
    Definition { name, kind, description }
}

static FUNCTIONS: &[Definition] = &[
    define("pi", Kind::Constant(PI), "π."),
    define("abs", Kind::Unary(f64::abs), "The magnitude."),
    define("sign", Kind::Unary(sign), "-1, 0 or 1."),
    define("square", Kind::Unary(square), "x·x."),
    define("sqrt", Kind::Unary(f64::sqrt), "The square root."),
    define("exp", Kind::Unary(f64::exp), "e to the power x."),
    define("log", Kind::Unary(f64::ln), "The natural logarithm."),
    define("log10", Kind::Unary(f64::log10), "The logarithm to base 10."),
    define("log1p", Kind::Unary(f64::ln_1p), "log(1 + x), exact for small x."),
    define("sin", Kind::Unary(f64::sin), "The sine of radians."),
    define("cos", Kind::Unary(f64::cos), "The cosine of radians."),
    define("tan", Kind::Unary(f64::tan), "The tangent of radians."),
    define("asin", Kind::Unary(f64::asin), "The arc sine, in radians."),
    define("acos", Kind::Unary(f64::acos), "The arc cosine, in radians."),
    define("atan", Kind::Unary(f64::atan), "The arc tangent, in radians."),
    define("sinh", Kind::Unary(f64::sinh), "The hyperbolic sine."),
    define("cosh", Kind::Unary(f64::cosh), "The hyperbolic cosine."),
    define("tanh", Kind::Unary(f64::tanh), "The hyperbolic tangent."),
    define("floor", Kind::Unary(f64::floor), "The greatest whole number that is not greater."),
    define("ceil", Kind::Unary(f64::ceil), "The least whole number that is not less."),
    define("wrap_phi", Kind::Unary(wrap_phi), "An angle, or a difference of two, brought to [-π, π]."),
    define("pow", Kind::Binary(f64::powf), "x to the power y."),
    define("atan2", Kind::Binary(f64::atan2), "The angle of the point (y, x): `atan2(Py, Px)`."),
    define("hypot", Kind::Binary(f64::hypot), "sqrt(x² + y²) without overflow."),
    define("min", Kind::Binary(minimum), "The smaller of two."),
    define("max", Kind::Binary(maximum), "The greater of two."),
    define("first", Kind::Reduce(first), "The first element."),
    define("last", Kind::Reduce(last), "The last element."),
    define("sum", Kind::Reduce(sum), "The sum of the elements; 0 of none."),
    define("mean", Kind::Reduce(mean), "The mean of the elements."),
    define("smallest", Kind::Reduce(smallest), "The least element."),
    define("largest", Kind::Reduce(largest), "The greatest element."),
    define("length", Kind::Length, "How many elements a list has, or rows a matrix."),
];

impl Function {
    pub(super) fn named(name: &str) -> Option<Self> {
        FUNCTIONS.iter().find(|function| function.name == name).map(Function)
    }

    pub(super) fn names() -> impl Iterator<Item = &'static str> {
        FUNCTIONS.iter().map(|function| function.name)
    }

    /// All of them, as calls, with what they give.
    pub(super) fn descriptions() -> impl Iterator<Item = (String, &'static str)> {
        FUNCTIONS.iter().map(|function| {
            let operands = match function.kind {
                Kind::Constant(_) => "",
                Kind::Unary(_) => "x",
                Kind::Binary(_) if function.name == "atan2" => "y, x",
                Kind::Binary(_) => "x, y",
                Kind::Reduce(_) | Kind::Length => "column",
            };
            (format!("{}({operands})", function.name), function.description)
        })
    }

    pub(super) fn name(self) -> &'static str {
        self.0.name
    }

    pub(super) fn kind(self) -> Kind {
        self.0.kind
    }

    pub(super) fn arity(self) -> usize {
        match self.0.kind {
            Kind::Constant(_) => 0,
            Kind::Unary(_) | Kind::Reduce(_) | Kind::Length => 1,
            Kind::Binary(_) => 2,
        }
    }
}

fn square(x: f64) -> f64 {
    x * x
}

fn sign(x: f64) -> f64 {
    if x > 0.0 {
        1.0
    } else if x < 0.0 {
        -1.0
    } else {
        x
    }
}

/// An angle, or a difference of two, brought to [-pi, pi]. One turn off is corrected by adding or subtracting 2 pi once:
/// the same rounding as the usual two `where`s of numpy.
fn wrap_phi(x: f64) -> f64 {
    let once = if x > PI {
        x - TAU
    } else if x < -PI {
        x + TAU
    } else {
        x
    };
    if once.abs() <= PI { once } else { once - TAU * (once / TAU).round() }
}

/// NaN wins, unlike in `f64::min`: what is not a number must not vanish.
fn minimum(x: f64, y: f64) -> f64 {
    if x.is_nan() || x < y { x } else { y }
}

fn maximum(x: f64, y: f64) -> f64 {
    if x.is_nan() || x > y { x } else { y }
}

// Reductions of nothing are not a number (a sum is 0): a single number that is made of them is refused or counted like
// any other NaN; one that meets an equally empty list is never looked at.

fn first(values: &[f64]) -> f64 {
    values.first().copied().unwrap_or(f64::NAN)
}

fn last(values: &[f64]) -> f64 {
    values.last().copied().unwrap_or(f64::NAN)
}

fn sum(values: &[f64]) -> f64 {
    values.iter().sum()
}

fn mean(values: &[f64]) -> f64 {
    sum(values) / values.len() as f64
}

fn smallest(values: &[f64]) -> f64 {
    values.iter().copied().reduce(minimum).unwrap_or(f64::NAN)
}

fn largest(values: &[f64]) -> f64 {
    values.iter().copied().reduce(maximum).unwrap_or(f64::NAN)
}
