//! Libraries that are there and cannot be used: each is an error with a hint, and none ends the process.

#![allow(clippy::unwrap_used)]

use std::path::{Path, PathBuf};
use std::process::Command;

use pipectl_onnx_ort::{RuntimeError, find};
use tempfile::TempDir;

fn refusal(path: &Path) -> RuntimeError {
    let error = find(Some(path)).expect_err("the library must be refused");
    assert!(!error.hint().is_empty());
    error
}

/// Compiles a library that answers like ONNX Runtime of some version, or with no table at all.
fn fake(folder: &TempDir, name: &str, version: Option<&str>) -> PathBuf {
    let table = match version {
        Some(version) => format!(
            "extern \"system\" fn api(_: u32) -> *const u8 {{ std::ptr::null() }}
             extern \"system\" fn version() -> *const u8 {{ b\"{version}\\0\".as_ptr() }}
             #[repr(C)] pub struct Base(extern \"system\" fn(u32) -> *const u8, extern \"system\" fn() -> *const u8);
             static BASE: Base = Base(api, version);
             #[unsafe(no_mangle)] pub extern \"system\" fn OrtGetApiBase() -> *const Base {{ &BASE }}"
        ),
        None => {
            "#[unsafe(no_mangle)] pub extern \"system\" fn OrtGetApiBase() -> *const u8 { std::ptr::null() }".to_owned()
        }
    };
    let (source, library) = (folder.path().join(format!("{name}.rs")), folder.path().join(format!("lib{name}.so")));
    std::fs::write(&source, table).unwrap();
    let mut compiler = Command::new("rustc");
    compiler.args(["--edition=2024", "--crate-type=cdylib", "-Copt-level=0", "-o"]).arg(&library).arg(&source);
    assert!(compiler.status().unwrap().success());
    library
}

#[test]
fn paths_without_a_library_are_named() {
    let folder = tempfile::tempdir().unwrap();
    assert!(matches!(refusal(&folder.path().join("no.so")), RuntimeError::Missing { .. }));
    assert!(matches!(refusal(folder.path()), RuntimeError::EmptyFolder { .. }));
    let text = folder.path().join("libonnxruntime.so");
    std::fs::write(&text, "not a library").unwrap();
    assert!(matches!(refusal(&text), RuntimeError::NotLoadable { .. }));
    // A folder stands for the library inside.
    assert!(
        matches!(refusal(folder.path()), RuntimeError::NotLoadable { path, .. } if path.ends_with("libonnxruntime.so"))
    );
}

#[test]
fn other_libraries_and_other_versions_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    assert!(matches!(refusal(&fake(&folder, "empty", None)), RuntimeError::NotOnnxRuntime { .. }));
    for version in ["1.16.3", "2.0.0"] {
        let error = refusal(&fake(&folder, &format!("v{}", version.replace('.', "_")), Some(version)));
        assert!(error.to_string().contains(&format!("is ONNX Runtime {version}, but 1.17")), "{error}");
    }
    // Its version is right, but it has no functions behind it: `ort` would panic on it.
    let error = refusal(&fake(&folder, "hollow", Some("1.17.0")));
    assert!(matches!(error, RuntimeError::NotOnnxRuntime { .. }), "{error}");
}
