//! The one ONNX Runtime of this process.
//!
//! Owns the search order and the process-wide environment. `ort` keeps the library and the environment in statics, so
//! the first library that is found stays: asking again gives the same one, asking for another is an error.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use ort::environment::Environment;
use ort::logging::LogLevel;

use crate::library::{self, Lookup, Probe, RuntimeError};

/// A loaded ONNX Runtime.
#[derive(Clone)]
pub struct Runtime {
    environment: Environment,
    version: String,
    path: PathBuf,
}

impl fmt::Debug for Runtime {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Runtime").field("version", &self.version).field("path", &self.path).finish()
    }
}

impl Runtime {
    /// Its version: "1.32.0".
    pub fn version(&self) -> &str {
        &self.version
    }

    /// The file, or the name by which the system's loader found it.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Name and version for reports: "onnxruntime 1.32.0".
    pub fn name(&self) -> String {
        format!("onnxruntime {}", self.version)
    }

    pub(crate) fn environment(&self) -> &Environment {
        &self.environment
    }
}

/// Never dropped: ONNX Runtime's environment must outlive every session, and some releases crash when it is released
/// while the process ends.
static LOADED: Mutex<Option<Runtime>> = Mutex::new(None);

/// Finds ONNX Runtime: at `explicit` (a file, or a folder that holds it; by convention what ORT_DYLIB_PATH says), else
/// beside the running program, else by the loader's default names.
///
/// # Errors
/// [`RuntimeError`] for a library that is there and cannot be used, or an explicit path where there is none. A search by
/// default names goes on behind an unusable library and reports the first such error only when nothing else is found.
pub fn find(explicit: Option<&Path>) -> Result<Lookup, RuntimeError> {
    let mut loaded = LOADED.lock().unwrap_or_else(PoisonError::into_inner);
    let Some(path) = explicit else {
        return match &*loaded {
            Some(runtime) => Ok(Lookup::Found(runtime.clone())),
            None => search(&mut loaded),
        };
    };
    let path = if path.is_dir() { library::library_in(path)? } else { path.to_owned() };
    if !path.exists() {
        return Err(RuntimeError::Missing { path });
    }
    // `ort` would take a relative path as relative to the program.
    let path = path.canonicalize().unwrap_or(path);
    match &*loaded {
        Some(runtime) if runtime.path == path => Ok(Lookup::Found(runtime.clone())),
        Some(runtime) => Err(RuntimeError::AlreadyLoaded { loaded: runtime.path.clone(), requested: path }),
        None => match library::probe(&path)? {
            Probe::Usable { version } => start(&mut loaded, path, version).map(Lookup::Found),
            Probe::Absent => Err(RuntimeError::Missing { path }),
        },
    }
}

fn search(loaded: &mut Option<Runtime>) -> Result<Lookup, RuntimeError> {
    let beside = std::env::current_exe().ok().and_then(|program| program.parent().map(Path::to_owned));
    let names = library::default_names();
    let files =
        beside.iter().flat_map(|folder| names.iter().map(|name| folder.join(name))).filter(|path| path.exists());
    let candidates: Vec<PathBuf> = files.chain(names.iter().map(PathBuf::from)).collect();
    let mut first_error = None;
    for path in candidates {
        match library::probe(&path) {
            Ok(Probe::Usable { version }) => return start(loaded, path, version).map(Lookup::Found),
            Ok(Probe::Absent) => {}
            Err(error) => {
                first_error.get_or_insert(error);
            }
        }
    }
    match first_error {
        Some(error) => Err(error),
        None => Ok(Lookup::NotFound { tried: names.iter().map(|name| (*name).to_owned()).collect() }),
    }
}

fn start(loaded: &mut Option<Runtime>, path: PathBuf, version: String) -> Result<Runtime, RuntimeError> {
    let fail = |reason: String| RuntimeError::Start { version: version.clone(), reason };
    // The probe saw that this very library loads and is new enough, the two things on which `ort` would panic later.
    let builder = ort::init_from(&path).map_err(|error| fail(error.to_string()))?;
    let environment = builder
        .with_name("pipectl")
        .with_telemetry(false)
        // Errors come back as results; a library does not write to the user's terminal.
        .with_logger(Arc::new(|_, _, _, _, _| {}))
        .build()
        .map_err(|error| fail(error.to_string()))?;
    environment.set_log_level(LogLevel::Error);
    let runtime = Runtime { environment, version, path };
    *loaded = Some(runtime.clone());
    Ok(runtime)
}
