//! Functions of files and paths. Reading goes through [`crate::Files`]; paths are relative to the root's folder.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use pipectl_core::{Type as ValueType, Value};

use crate::functions::ParameterType as Type;
use crate::functions::glob::glob;
use crate::functions::{Arguments, Failure, Function, Parameter, plain};
use crate::scope::{FileKind, Files};

const PATH: Parameter = Parameter::new("path", Type::String);

pub(super) const FUNCTIONS: &[Function] = &[
    plain("abspath", "The absolute form of a path.", &[PATH], Type::String, |call| {
        let absolute = call.files.absolute(call.text(0));
        absolute
            .map(|path| clean(&path).into())
            .map_err(|problem| Failure::telling(None, problem, "the path cannot be made absolute"))
    }),
    plain("basename", "The last part of a path.", &[PATH], Type::String, |call| Ok(basename(call.text(0)).into())),
    plain("dirname", "A path without its last part.", &[PATH], Type::String, |call| Ok(dirname(call.text(0)).into())),
    plain("file", "The text of a file.", &[PATH], Type::String, |call| {
        read_text(call.files, call.text(0)).map(Value::from)
    }),
    plain("filebase64", "The bytes of a file in Base64.", &[PATH], Type::String, |call| {
        Ok(STANDARD.encode(read(call.files, call.text(0))?).into())
    }),
    plain("fileexists", "Whether there is a file at a path.", &[PATH], Type::Bool, exists),
    plain(
        "fileset",
        "The paths of files below a folder that match a pattern: `*` within a folder, `**` across folders, `{a,b}` for either.",
        &[PATH, Parameter::new("pattern", Type::String)],
        Type::SetOfString,
        set,
    ),
    plain("pathexpand", "A path with a leading ~ replaced by the home folder.", &[PATH], Type::String, |call| {
        call.files.expand(call.text(0)).map(Value::from).map_err(not_expanded)
    }),
];

fn not_expanded(problem: String) -> Failure {
    Failure::telling(None, problem, "the path cannot be expanded")
}

/// The bytes of a file that belongs to the configuration.
fn read(files: &dyn Files, path: &str) -> Result<Vec<u8>, Failure> {
    const HIDDEN: &str = "no file exists at (sensitive value); this function works only with files that are distributed as part of the \
         configuration source code, so if this file will be created by a resource in this configuration you must instead obtain this \
         result from an attribute of that resource";
    let place = clean(&files.expand(path).map_err(not_expanded)?);
    if files.kind(&place) == Ok(FileKind::Missing) {
        let message = HIDDEN.replace("(sensitive value)", &format!("{path:?}"));
        return Err(Failure::telling(0, message, HIDDEN));
    }
    files.read(&place).map_err(|problem| {
        let message = format!("failed to read file: read {place}: {problem}");
        Failure::telling(0, message, "failed to read file")
    })
}

/// The bytes of a file, for a digest.
pub(super) fn read_any(files: &dyn Files, path: &str) -> Result<Vec<u8>, Failure> {
    let place = clean(&files.expand(path).map_err(not_expanded)?);
    files.read(&place).map_err(|problem| {
        let verb = if files.kind(&place) == Ok(FileKind::Folder) { "read" } else { "open" };
        Failure::telling(None, format!("{verb} {place}: {problem}"), "the file cannot be read")
    })
}

/// The text of a file.
pub(super) fn read_text(files: &dyn Files, path: &str) -> Result<String, Failure> {
    const HIDDEN: &str = "contents of (sensitive value) are not valid UTF-8; use the filebase64 function to obtain the Base64 encoded contents or the \
         other file functions (e.g. filemd5, filesha256) to obtain file hashing results instead";
    String::from_utf8(read(files, path)?)
        .map_err(|_| Failure::telling(None, HIDDEN.replace("(sensitive value)", &format!("{path:?}")), HIDDEN))
}

fn exists(call: &Arguments<'_>) -> Result<Value, Failure> {
    let path = call.files.expand(call.text(0)).map_err(not_expanded)?;
    let path = clean(&path);
    let not_a_file =
        |what: &str| Failure::telling(None, format!("{path:?} is {what}"), "(sensitive value) is not a regular file");
    match call.files.kind(&path) {
        Ok(FileKind::Regular) => Ok(true.into()),
        Ok(FileKind::Missing) => Ok(false.into()),
        Ok(FileKind::Folder) => Err(not_a_file("a directory, not a file")),
        Ok(FileKind::Other(what)) => Err(not_a_file(&format!("{what}, not a regular file"))),
        Err(_) => Err(Failure::telling(None, format!("failed to stat {path:?}"), "failed to stat (sensitive value)")),
    }
}

fn set(call: &Arguments<'_>) -> Result<Value, Failure> {
    let folder = clean(call.text(0));
    // A pattern may lead out of the folder; what it finds is told from there.
    let pattern = clean(&format!("{folder}/{}", call.text(1)));
    let found = glob(call.files, &pattern).map_err(|_| {
        let message = format!("failed to glob pattern {pattern:?}: syntax error in pattern");
        Failure::telling(None, message, "failed to glob pattern (sensitive value): syntax error in pattern")
    })?;
    let mut paths = Vec::new();
    for path in found {
        let unreadable = |problem: &str| {
            Failure::telling(
                None,
                format!("failed to stat {path:?}: stat {path}: {problem}"),
                "failed to stat (sensitive value)",
            )
        };
        match call.files.kind(&path) {
            Ok(FileKind::Regular) => paths.push(relative(&folder, &path).into()),
            Ok(FileKind::Folder | FileKind::Other(_)) => {}
            // A link that leads nowhere.
            Ok(FileKind::Missing) => return Err(unreadable("no such file or directory")),
            Err(problem) => return Err(unreadable(&problem)),
        }
    }
    Ok(Value::set(ValueType::String, paths))
}

/// Go's `filepath.Rel` for cleaned paths of which neither or both are absolute.
fn relative(base: &str, path: &str) -> String {
    let parts = |path: &'_ str| -> Vec<String> {
        path.split('/').filter(|part| !part.is_empty() && *part != ".").map(str::to_owned).collect()
    };
    let (base, path) = (parts(base), parts(path));
    let common = base.iter().zip(&path).take_while(|(a, b)| a == b).count();
    let up = std::iter::repeat_n("..".to_owned(), base.len() - common);
    up.chain(path[common..].iter().cloned()).collect::<Vec<_>>().join("/")
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
pub(super) fn clean(path: &str) -> String {
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
