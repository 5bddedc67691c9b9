//! ONNX Runtime behind the scorer trait of `pipectl-onnx`, found at run time.
//!
//! Owns the search for the shared library, the check of its version before anything else touches it, sessions on it,
//! and the choice between it and our own executor. The library is never linked and never shipped: where there is none,
//! [`find`] says so and the caller takes our own executor. This crate reads no environment variable (callers pass the
//! path in), and a broken library is an error with a hint, never a panic.

mod causes;
mod engine;
mod library;
mod runtime;
mod session;

pub use engine::{Engine, EngineError, Opened, UnknownEngine, open};
pub use library::{Lookup, RuntimeError};
pub use runtime::{Runtime, find};
pub use session::{OrtSession, SessionError};
