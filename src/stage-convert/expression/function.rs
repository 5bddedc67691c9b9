//! The functions that expressions know.

use std::f64::consts::{PI, TAU};

/// A function.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Function(&'static Definition);

#[derive(Debug, PartialEq)]
struct Definition {
    name: &'static str,
    kind: Kind,
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

const fn define(name: &'static str, kind: Kind) -> Definition {
    Definition { name, kind }
}

static FUNCTIONS: &[Definition] = &[
    define("pi", Kind::Constant(PI)),
    define("abs", Kind::Unary(f64::abs)),
    define("sign", Kind::Unary(sign)),
    define("square", Kind::Unary(square)),
    define("sqrt", Kind::Unary(f64::sqrt)),
    define("exp", Kind::Unary(f64::exp)),
    define("log", Kind::Unary(f64::ln)),
    define("log10", Kind::Unary(f64::log10)),
    define("log1p", Kind::Unary(f64::ln_1p)),
    define("sin", Kind::Unary(f64::sin)),
    define("cos", Kind::Unary(f64::cos)),
    define("tan", Kind::Unary(f64::tan)),
    define("asin", Kind::Unary(f64::asin)),
    define("acos", Kind::Unary(f64::acos)),
    define("atan", Kind::Unary(f64::atan)),
    define("sinh", Kind::Unary(f64::sinh)),
    define("cosh", Kind::Unary(f64::cosh)),
    define("tanh", Kind::Unary(f64::tanh)),
    define("floor", Kind::Unary(f64::floor)),
    define("ceil", Kind::Unary(f64::ceil)),
    define("wrap_phi", Kind::Unary(wrap_phi)),
    define("pow", Kind::Binary(f64::powf)),
    define("atan2", Kind::Binary(f64::atan2)),
    define("hypot", Kind::Binary(f64::hypot)),
    define("min", Kind::Binary(minimum)),
    define("max", Kind::Binary(maximum)),
    define("first", Kind::Reduce(first)),
    define("last", Kind::Reduce(last)),
    define("sum", Kind::Reduce(sum)),
    define("mean", Kind::Reduce(mean)),
    define("smallest", Kind::Reduce(smallest)),
    define("largest", Kind::Reduce(largest)),
    define("length", Kind::Length),
];

impl Function {
    pub(super) fn named(name: &str) -> Option<Self> {
        FUNCTIONS.iter().find(|function| function.name == name).map(Function)
    }

    pub(super) fn names() -> impl Iterator<Item = &'static str> {
        FUNCTIONS.iter().map(|function| function.name)
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
