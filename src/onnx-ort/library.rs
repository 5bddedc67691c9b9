//! Looks at a shared library before `ort` does, because `ort` panics on some libraries that it cannot use.
//!
//! The only unsafe code of the workspace's scoring crates is here: opening a library, and calling the functions that
//! every ONNX Runtime has exported unchanged since its first release.

use std::ffi::CStr;
use std::fs;
use std::path::{Path, PathBuf};

use libloading::{Library, Symbol};
use ort::sys::OrtApiBase;
use thiserror::Error;

use crate::causes::with_causes;
use crate::runtime::Runtime;

/// The oldest release that offers the functions that we call (`ort`'s feature `api-17`).
pub(crate) const OLDEST_MINOR: u32 = 17;

/// The answer of a search that met no broken library.
#[derive(Debug, Clone)]
pub enum Lookup {
    /// ONNX Runtime, ready to use.
    Found(Runtime),
    /// There is none on this machine.
    NotFound {
        /// The names that the loader was asked for.
        tried: Vec<String>,
    },
}

/// Why a library that is there cannot be used.
#[derive(Debug, Error)]
pub enum RuntimeError {
    /// The path that was given does not exist.
    #[error("there is no ONNX Runtime library at `{}`", path.display())]
    Missing {
        /// The path.
        path: PathBuf,
    },
    /// A folder was given that holds no library.
    #[error("the folder `{}` holds no ONNX Runtime library", path.display())]
    EmptyFolder {
        /// The folder.
        path: PathBuf,
    },
    /// The system's loader refused the file.
    #[error("`{}` cannot be loaded", path.display())]
    NotLoadable {
        /// The file.
        path: PathBuf,
        /// The loader's reason.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The library is another one.
    #[error("`{}` is not ONNX Runtime: it does not export a working `OrtGetApiBase`", path.display())]
    NotOnnxRuntime {
        /// The file.
        path: PathBuf,
    },
    /// The library has another interface than the one that we call.
    #[error("`{}` is ONNX Runtime {version}, but 1.{OLDEST_MINOR} or a later release of version 1 is needed", path.display())]
    Version {
        /// The file.
        path: PathBuf,
        /// Its version.
        version: String,
    },
    /// Another library is already in use: a process can only have one.
    #[error("this process already uses `{}`, so `{}` cannot be loaded", loaded.display(), requested.display())]
    AlreadyLoaded {
        /// The library in use.
        loaded: PathBuf,
        /// The one asked for.
        requested: PathBuf,
    },
    /// ONNX Runtime was loaded but did not start.
    #[error("ONNX Runtime {version} did not start: {reason}")]
    Start {
        /// Its version.
        version: String,
        /// Its own words.
        reason: String,
    },
}

impl RuntimeError {
    /// What to do about it.
    pub fn hint(&self) -> &'static str {
        match self {
            RuntimeError::Missing { .. } | RuntimeError::EmptyFolder { .. } => {
                "Set ORT_DYLIB_PATH to libonnxruntime.so of the Python package `onnxruntime` (in its folder `capi`) or of a \
                 release of ONNX Runtime, or unset it."
            }
            RuntimeError::NotLoadable { .. } => {
                "The file may be damaged, built for another machine, or miss a library that it needs."
            }
            RuntimeError::NotOnnxRuntime { .. } => "Set ORT_DYLIB_PATH to the library of ONNX Runtime itself.",
            RuntimeError::Version { .. } => "Install such a release of ONNX Runtime, or unset ORT_DYLIB_PATH.",
            RuntimeError::AlreadyLoaded { .. } => "Give the same path everywhere.",
            RuntimeError::Start { .. } => "Use the engine `pipectl`, or another release of ONNX Runtime.",
        }
    }
}

/// What a look at one candidate showed.
pub(crate) enum Probe {
    /// A usable ONNX Runtime of this version.
    Usable { version: String },
    /// The loader knows no such library.
    Absent,
}

/// Opens a library and asks for its version. It stays loaded: ONNX Runtime does not survive being unloaded.
pub(crate) fn probe(path: &Path) -> Result<Probe, RuntimeError> {
    // SAFETY: loading runs the library's initialisers. The path is one that the user names, or a well-known name that
    // the system's loader resolves, as for every program that is linked to ONNX Runtime.
    let library = match unsafe { Library::new(path) } {
        Ok(library) => library,
        Err(error) if is_absence(path, &error) => return Ok(Probe::Absent),
        Err(error) => return Err(RuntimeError::NotLoadable { path: path.to_owned(), source: Box::new(error) }),
    };
    let library = Box::leak(Box::new(library));
    let not_onnx_runtime = || RuntimeError::NotOnnxRuntime { path: path.to_owned() };
    let base = base_of(library).ok_or_else(not_onnx_runtime)?;
    let version = version_of(base).ok_or_else(not_onnx_runtime)?;
    let mut numbers = version.split('.').map(|part| part.parse::<u32>().ok());
    let (major, minor) = (numbers.next().flatten(), numbers.next().flatten());
    // `ort` itself compares the second number only, so a release 2.0 would be refused there.
    match (major, minor) {
        (Some(1), Some(minor)) if minor >= OLDEST_MINOR && has_functions(base) => Ok(Probe::Usable { version }),
        (Some(major), Some(minor)) if (major, minor) < (1, OLDEST_MINOR) || major > 1 => {
            Err(RuntimeError::Version { path: path.to_owned(), version })
        }
        _ => Err(not_onnx_runtime()),
    }
}

/// The library inside a folder, as the Python package has it: `capi/libonnxruntime.so.1.32.0`.
pub(crate) fn library_in(folder: &Path) -> Result<PathBuf, RuntimeError> {
    let is_library = |name: &str| {
        let stem = name.strip_prefix("lib").unwrap_or(name);
        let end = stem.strip_prefix("onnxruntime");
        end.is_some_and(|end| end.starts_with(".so") || end.ends_with(".dylib") || end == ".dll")
    };
    let mut found: Vec<PathBuf> = fs::read_dir(folder)
        .into_iter()
        .flatten()
        .flatten()
        .map(|entry| entry.path())
        .filter(|path| path.file_name().and_then(|name| name.to_str()).is_some_and(is_library))
        .collect();
    found.sort();
    found.into_iter().next().ok_or_else(|| RuntimeError::EmptyFolder { path: folder.to_owned() })
}

/// Names that the loader is asked for when no path is given.
pub(crate) fn default_names() -> &'static [&'static str] {
    if cfg!(windows) {
        &["onnxruntime.dll"]
    } else if cfg!(target_os = "macos") {
        &["libonnxruntime.dylib", "libonnxruntime.1.dylib"]
    } else {
        &["libonnxruntime.so", "libonnxruntime.so.1"]
    }
}

fn base_of(library: &'static Library) -> Option<&'static OrtApiBase> {
    // SAFETY: the type is that of `OrtGetApiBase` in ONNX Runtime's C header. Only ONNX Runtime exports this name.
    let base: Symbol<'_, unsafe extern "system" fn() -> *const OrtApiBase> =
        unsafe { library.get(b"OrtGetApiBase") }.ok()?;
    // SAFETY: the function takes nothing and returns null or a table that lives as long as the library, which is never
    // unloaded.
    unsafe { base().as_ref() }
}

fn version_of(base: &OrtApiBase) -> Option<String> {
    // SAFETY: the function takes nothing and returns a string that the library owns.
    let version = unsafe { (base.GetVersionString)() };
    if version.is_null() {
        return None;
    }
    // SAFETY: it is not null, ends with a zero byte, and is never freed.
    unsafe { CStr::from_ptr(version) }.to_str().ok().map(str::to_owned)
}

/// Whether the table of functions is there that `ort` takes for granted.
fn has_functions(base: &OrtApiBase) -> bool {
    // SAFETY: the function takes a version and returns a table of functions, or null for a version that it lacks.
    !unsafe { (base.GetApi)(OLDEST_MINOR) }.is_null()
}

/// Whether the loader's error means that there is no such library, rather than that it is broken or lacks another one.
fn is_absence(path: &Path, error: &libloading::Error) -> bool {
    let name = path.to_string_lossy();
    let text = with_causes(error);
    if cfg!(windows) {
        // Windows does not say which module it missed.
        text.contains("os error 126") || text.contains("could not be found")
    } else if cfg!(target_os = "macos") {
        text.contains("no such file") && !text.contains("Library not loaded")
    } else {
        text.contains(&format!("{name}: cannot open shared object file"))
            || text.contains("Error loading shared library")
    }
}
