//! The world outside as it really is: the one place that reads environment variables, the clock, and the program's own path.

use std::path::{Path, PathBuf};
use std::time::SystemTime;

use pipectl_provider::Environment;

/// The process that runs.
#[derive(Clone, Copy, Debug, Default)]
pub struct ProcessEnvironment;

impl Environment for ProcessEnvironment {
    fn variable(&self, name: &str) -> Option<String> {
        #[expect(clippy::disallowed_methods, reason = "this is the one implementation of `Environment`")]
        std::env::var(name).ok()
    }

    fn home(&self) -> Option<PathBuf> {
        self.variable("HOME").filter(|home| !home.is_empty()).map(PathBuf::from)
    }

    fn now(&self) -> SystemTime {
        #[expect(clippy::disallowed_methods, reason = "this is the one implementation of `Environment`")]
        SystemTime::now()
    }

    fn program(&self) -> PathBuf {
        std::env::current_exe().unwrap_or_else(|_| PathBuf::from("pipectl"))
    }
}

/// All environment variables that are text, for `TF_VAR_name`.
pub fn variables() -> impl Iterator<Item = (String, String)> {
    #[expect(clippy::disallowed_methods, reason = "the command line reads them once and hands them on")]
    let all = std::env::vars_os();
    all.filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
}

/// The arguments of the process.
pub fn arguments() -> impl Iterator<Item = std::ffi::OsString> {
    #[expect(clippy::disallowed_methods, reason = "the command line reads them once and hands them on")]
    std::env::args_os()
}

/// The folder in which the program was started, whatever `-chdir` says: `path.cwd`. Empty where it is gone.
pub fn started_in() -> PathBuf {
    standing_folder(None).unwrap_or_default()
}

/// The folder that the user stands in, with `-chdir` applied.
///
/// # Errors
/// When there is no such folder.
pub fn standing_folder(chdir: Option<&Path>) -> Result<PathBuf, std::io::Error> {
    #[expect(clippy::disallowed_methods, reason = "the command line reads it once; below it paths hang on a root")]
    let here = std::env::current_dir()?;
    match chdir {
        Some(folder) => here.join(folder).canonicalize(),
        None => Ok(here),
    }
}
