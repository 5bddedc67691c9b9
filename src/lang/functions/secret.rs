//! `secret`: a value that lies outside of the configuration and is never stored.
//!
//! Where secrets lie is the business of [`crate::Files`]; what becomes of a secret that an object is made with, the engine's.

use pipectl_core::{Marks, Type as ValueType, Value};

use crate::functions::ParameterType as Type;
use crate::functions::{Arguments, Failure, Function, Parameter, plain};

/// What a secret carries wherever it goes.
const MARKS: [Marks; 2] = [Marks::SENSITIVE, Marks::SECRET];

pub(super) const FUNCTIONS: &[Function] = &[plain(
    "secret",
    "A secret from outside: `env:NAME` is an environment variable, `file:PATH` the text of a file without its last line feed. It is read \
     again in every run, never shown, and never stored: the state keeps a fingerprint that tells whether it has changed.",
    &[Parameter::new("source", Type::String).unknown().marked()],
    Type::String,
    secret,
)];

fn secret(call: &Arguments<'_>) -> Result<Value, Failure> {
    let (source, marks) = call.values[0].clone().unmark();
    let marks = MARKS.into_iter().fold(marks, |marks, mark| marks | mark);
    let later = || Ok(Value::unknown(ValueType::String).marked(marks));
    let Some(source) = source.as_str() else { return later() };
    match call.files.secret(source) {
        Ok(Some(text)) => Ok(Value::string(text).marked(marks)),
        Ok(None) => later(),
        // Where a secret lies is no secret.
        Err(problem) => Err(Failure::telling(None, problem, "the secret cannot be read")),
    }
}
