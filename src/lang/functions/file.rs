//! Functions of files and paths. Reading goes through [`crate::Files`]; paths are relative to the root's folder.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use pipectl_core::{Type as ValueType, Value};
use sha2::{Digest as _, Sha256, Sha512};

use crate::functions::ParameterType as Type;
use crate::functions::encoding::hex;
use crate::functions::{Arguments, Failure, Function, Parameter, plain};
use crate::scope::Files;

const PATH: Parameter = Parameter::new("path", Type::String);

pub(super) const FUNCTIONS: &[Function] = &[
    plain("abspath", "The absolute form of a path.", &[PATH], Type::String, |call| {
        let absolute = call.files.absolute(call.text(0));
        absolute.map(Value::from).map_err(|problem| Failure::telling(0, problem, "the path cannot be made absolute"))
    }),
    plain("basename", "The last part of a path.", &[PATH], Type::String, |call| Ok(basename(call.text(0)).into())),
    plain("dirname", "A path without its last part.", &[PATH], Type::String, |call| Ok(dirname(call.text(0)).into())),
    plain("file", "The text of a file.", &[PATH], Type::String, |call| {
        read_text(call.files, call.text(0)).map(Value::from)
    }),
    plain("filebase64", "The bytes of a file in Base64.", &[PATH], Type::String, |call| {
        Ok(STANDARD.encode(read(call, 0)?).into())
    }),
    plain("filebase64sha256", "The SHA-256 digest of a file, in Base64.", &[PATH], Type::String, |call| {
        Ok(STANDARD.encode(Sha256::digest(read(call, 0)?)).into())
    }),
    plain("filebase64sha512", "The SHA-512 digest of a file, in Base64.", &[PATH], Type::String, |call| {
        Ok(STANDARD.encode(Sha512::digest(read(call, 0)?)).into())
    }),
    plain("fileexists", "Whether there is a file at a path.", &[PATH], Type::Bool, |call| {
        Ok(call.files.exists(call.text(0)).into())
    }),
    plain(
        "fileset",
        "The paths of files below a folder that match a pattern: `*` within a folder, `**` across folders, `{a,b}` for either.",
        &[PATH, Parameter::new("pattern", Type::String)],
        Type::SetOfString,
        |call| {
            let found = call.files.glob(call.text(0), call.text(1));
            let found = found.map_err(|problem| {
                let message = format!("failed to glob pattern {:?}: {problem}", call.text(1));
                Failure::telling(None, message, "failed to glob the pattern (sensitive value)")
            })?;
            Ok(Value::set(ValueType::String, found.into_iter().map(Value::from)))
        },
    ),
    plain("filesha256", "The SHA-256 digest of a file, in hex digits.", &[PATH], Type::String, |call| {
        Ok(hex(&Sha256::digest(read(call, 0)?)).into())
    }),
    plain("filesha512", "The SHA-512 digest of a file, in hex digits.", &[PATH], Type::String, |call| {
        Ok(hex(&Sha512::digest(read(call, 0)?)).into())
    }),
    plain("pathexpand", "A path with a leading ~ replaced by the home folder.", &[PATH], Type::String, |call| {
        let expanded = call.files.expand(call.text(0));
        expanded.map(Value::from).map_err(|problem| Failure::telling(0, problem, "the path cannot be expanded"))
    }),
];

fn read(call: &Arguments<'_>, index: usize) -> Result<Vec<u8>, Failure> {
    read_bytes(call.files, call.text(index))
}

fn read_bytes(files: &dyn Files, path: &str) -> Result<Vec<u8>, Failure> {
    files.read(path).map_err(|problem| {
        let message = match files.exists(path) {
            true => format!("failed to read {path:?}: {problem}"),
            false => format!(
                "no file exists at {path:?}; this function works only with files that are distributed as part of the configuration source \
                 code, so if this file will be created by a resource in this configuration you must instead obtain this result from an \
                 attribute of that resource"
            ),
        };
        Failure::telling(0, message, "no file can be read at (sensitive value)")
    })
}

/// The text of a file.
pub(super) fn read_text(files: &dyn Files, path: &str) -> Result<String, Failure> {
    String::from_utf8(read_bytes(files, path)?).map_err(|_| {
        let message = format!(
            "contents of {path:?} are not valid UTF-8; use the filebase64 function to obtain the Base64 encoded contents or the other \
             file functions (e.g. filesha256) to obtain file hashing results instead"
        );
        Failure::telling(None, message, "contents of (sensitive value) are not valid UTF-8")
    })
}

/// Go's `filepath.Base`.
fn basename(path: &str) -> String {
    if path.is_empty() {
        return ".".to_owned();
    }
    let trimmed = path.trim_end_matches('/');
    match trimmed.rsplit('/').next() {
        Some("") | None => "/".to_owned(),
        Some(last) => last.to_owned(),
    }
}

/// Go's `filepath.Dir`.
fn dirname(path: &str) -> String {
    clean(path.rsplit_once('/').map_or("", |(folder, _)| if folder.is_empty() { "/" } else { folder }))
}

/// Go's `filepath.Clean`: without empty and `.` parts, `..` resolved where it can be.
fn clean(path: &str) -> String {
    let rooted = path.starts_with('/');
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." if parts.last().is_some_and(|last| *last != "..") => {
                parts.pop();
            }
            ".." if rooted => {}
            part => parts.push(part),
        }
    }
    let joined = parts.join("/");
    match (rooted, joined.is_empty()) {
        (true, _) => format!("/{joined}"),
        (false, true) => ".".to_owned(),
        (false, false) => joined,
    }
}
