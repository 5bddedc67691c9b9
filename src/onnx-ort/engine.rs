//! Which executor runs a model: ONNX Runtime, our own, or whichever there is.

use std::fmt;
use std::path::Path;
use std::str::FromStr;

use pipectl_onnx::{LoadError, Scorer, Session};
use thiserror::Error;

use crate::causes::with_causes;
use crate::library::{Lookup, RuntimeError};
use crate::runtime::find;
use crate::session::{OrtSession, SessionError};

/// The choice of an executor.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Engine {
    /// ONNX Runtime when it is found, else our own.
    #[default]
    Auto,
    /// ONNX Runtime, or an error.
    OnnxRuntime,
    /// Our own.
    Pipectl,
}

impl Engine {
    /// Every choice, in the order of documentation.
    pub const ALL: [Engine; 3] = [Engine::Auto, Engine::OnnxRuntime, Engine::Pipectl];

    /// Its name in the language.
    pub fn name(self) -> &'static str {
        match self {
            Engine::Auto => "auto",
            Engine::OnnxRuntime => "onnxruntime",
            Engine::Pipectl => "pipectl",
        }
    }
}

impl fmt::Display for Engine {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}

/// A name that is no engine's.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("there is no engine `{0}`; the engines are auto, onnxruntime and pipectl")]
pub struct UnknownEngine(
    /// The name.
    pub String,
);

impl FromStr for Engine {
    type Err = UnknownEngine;

    fn from_str(name: &str) -> Result<Self, UnknownEngine> {
        Engine::ALL.into_iter().find(|engine| engine.name() == name).ok_or_else(|| UnknownEngine(name.to_owned()))
    }
}

/// A model that is ready to run.
pub struct Opened {
    /// The executor.
    pub scorer: Box<dyn Scorer>,
    /// Why it is not ONNX Runtime although there is one, for people.
    pub note: Option<String>,
}

/// Why no executor takes a model.
#[derive(Debug, Error)]
pub enum EngineError {
    /// ONNX Runtime was asked for, and there is none.
    #[error("ONNX Runtime was not found under the names {}", tried.join(", "))]
    NotFound {
        /// The names that the loader was asked for.
        tried: Vec<String>,
    },
    /// ONNX Runtime is there and cannot be used.
    #[error("ONNX Runtime cannot be used")]
    Runtime(#[from] RuntimeError),
    /// ONNX Runtime does not take the model.
    #[error("ONNX Runtime does not take the model")]
    Session(#[from] SessionError),
    /// Our executor does not take the model.
    #[error("pipectl's executor does not take the model")]
    Load(#[from] LoadError),
}

impl EngineError {
    /// What to do about it.
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            EngineError::NotFound { .. } => Some(
                "Install the Python package `onnxruntime` and set ORT_DYLIB_PATH to the library in its folder `capi`, or use \
                 the engine `pipectl`.",
            ),
            EngineError::Runtime(error) => Some(error.hint()),
            EngineError::Load(LoadError::Unsupported(_)) => Some("Use ONNX Runtime: the engine `onnxruntime`."),
            EngineError::Session(_) | EngineError::Load(_) => None,
        }
    }
}

/// Opens a model with the chosen executor. `library` is where ONNX Runtime is, as for [`find`].
///
/// # Errors
/// [`EngineError`]; under [`Engine::Auto`] only that of our own executor, behind which nothing is left to try.
pub fn open(engine: Engine, library: Option<&Path>, bytes: &[u8], threads: usize) -> Result<Opened, EngineError> {
    let ours = |note| -> Result<Opened, EngineError> {
        Ok(Opened { scorer: Box::new(Session::load(bytes)?.with_threads(threads)), note })
    };
    match engine {
        Engine::Pipectl => ours(None),
        Engine::OnnxRuntime => Ok(Opened { scorer: Box::new(runtime_session(library, bytes, threads)?), note: None }),
        Engine::Auto => match runtime_session(library, bytes, threads) {
            Ok(session) => Ok(Opened { scorer: Box::new(session), note: None }),
            Err(EngineError::NotFound { .. }) => ours(None),
            Err(error) => ours(Some(with_causes(&error))),
        },
    }
}

fn runtime_session(library: Option<&Path>, bytes: &[u8], threads: usize) -> Result<OrtSession, EngineError> {
    match find(library)? {
        Lookup::Found(runtime) => Ok(OrtSession::load(&runtime, bytes, threads)?),
        Lookup::NotFound { tried } => Err(EngineError::NotFound { tried }),
    }
}
