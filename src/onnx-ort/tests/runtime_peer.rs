//! ONNX Runtime itself, at ORT_DYLIB_PATH: `tests/run peers` installs it.

#![allow(clippy::unwrap_used, clippy::disallowed_methods)]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use pipectl_onnx::{Attribute, Dimension, ElementType, GraphBuilder, Model, Scorer, Session, Tensor};
use pipectl_onnx_ort::{Lookup, OrtSession, Runtime, RuntimeError, SessionError, find};

fn path() -> PathBuf {
    PathBuf::from(std::env::var_os("ORT_DYLIB_PATH").expect("ORT_DYLIB_PATH names ONNX Runtime"))
}

fn runtime() -> Runtime {
    match find(Some(&path())).unwrap() {
        Lookup::Found(runtime) => runtime,
        Lookup::NotFound { tried } => panic!("not found: {tried:?}"),
    }
}

/// Passes every element type in and out.
fn model() -> Model {
    let mut graph = GraphBuilder::new("types");
    let rows = || Dimension::Symbol("N".into());
    let x = graph.input("x", ElementType::Float, vec![rows(), Dimension::Fixed(2)]);
    let n = graph.input("n", ElementType::Int32, vec![rows()]);
    let m = graph.input("m", ElementType::Int64, vec![rows()]);
    let b = graph.input("b", ElementType::Bool, vec![rows()]);
    let y = graph.node("Softmax", "y", &[&x], &[("axis", Attribute::Int(-1))]);
    let doubled = graph.node("Add", "doubled", &[&n, &n], &[]);
    let squared = graph.node("Mul", "squared", &[&m, &m], &[]);
    let same = graph.node("Equal", "same", &[&b, &b], &[]);
    graph.output(&y, ElementType::Float, vec![rows(), Dimension::Fixed(2)]);
    graph.output(&doubled, ElementType::Int32, vec![rows()]);
    graph.output(&squared, ElementType::Int64, vec![rows()]);
    graph.output(&same, ElementType::Bool, vec![rows()]);
    graph.finish().unwrap()
}

fn inputs(rows: usize) -> BTreeMap<String, Tensor> {
    let x: Vec<f32> = (0..2 * rows).map(|value| value as f32 / 3.0).collect();
    BTreeMap::from([
        ("x".to_owned(), Tensor::new([rows, 2], x).unwrap()),
        ("n".to_owned(), Tensor::new([rows], vec![3_i32; rows]).unwrap()),
        ("m".to_owned(), Tensor::new([rows], vec![-4_i64; rows]).unwrap()),
        ("b".to_owned(), Tensor::new([rows], vec![true; rows]).unwrap()),
    ])
}

#[test]
fn it_is_found_once_and_named() {
    let runtime = runtime();
    assert!(runtime.version().starts_with("1."), "{}", runtime.version());
    assert_eq!(runtime.name(), format!("onnxruntime {}", runtime.version()));
    // Asking again, by its folder or without a path, gives the same one; another library is refused.
    let folder = path().parent().unwrap().to_owned();
    for again in [Some(folder.as_path()), None] {
        assert!(matches!(find(again).unwrap(), Lookup::Found(found) if found.path() == runtime.path()));
    }
    let other = tempfile::NamedTempFile::new().unwrap();
    assert!(matches!(find(Some(other.path())), Err(RuntimeError::AlreadyLoaded { .. })));
    assert!(matches!(find(Some(Path::new("no/such/library.so"))), Err(RuntimeError::Missing { .. })));
}

#[test]
fn every_element_type_passes_and_agrees() {
    let bytes = model().encode();
    for threads in [1, 2] {
        let mut theirs = OrtSession::load(&runtime(), &bytes, threads).unwrap();
        let mut ours = Session::load(&bytes).unwrap();
        assert_eq!(theirs.inputs(), ours.inputs());
        assert_eq!(theirs.outputs(), ours.outputs());
        for rows in [1, 5, 0] {
            let (theirs, ours) = (theirs.run(&inputs(rows)).unwrap(), ours.run(&inputs(rows)).unwrap());
            let (y, expected) = (theirs["y"].as_floats().unwrap(), ours["y"].as_floats().unwrap());
            assert!(y.iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-6));
            for name in ["doubled", "squared", "same"] {
                assert_eq!(theirs[name].data(), ours[name].data());
                assert_eq!(theirs[name].shape(), ours[name].shape());
            }
        }
    }
}

#[test]
fn what_is_wrong_is_an_error() {
    let error = OrtSession::load(&runtime(), b"\x08\x08not a model", 1).unwrap_err();
    assert!(matches!(error, SessionError::Model(_)), "{error}");
    // A model that decodes, but whose operator does not exist.
    let damaged = replace(&model().encode(), b"Softmax", b"Softmix");
    let error = OrtSession::load(&runtime(), &damaged, 1).unwrap_err();
    assert!(matches!(&error, SessionError::Refused { reason, .. } if reason.contains("Softmix")), "{error}");

    let mut session = OrtSession::load(&runtime(), &model().encode(), 1).unwrap();
    let mut wrong = inputs(2);
    wrong.insert("n".to_owned(), Tensor::new([3], vec![1_i32; 3]).unwrap());
    assert_eq!(session.run(&wrong).unwrap_err().to_string(), "input `n` has shape [3], the model wants [N], N = 2");
}

fn replace(bytes: &[u8], from: &[u8], to: &[u8]) -> Vec<u8> {
    let at = bytes.windows(from.len()).position(|window| window == from).unwrap();
    let mut bytes = bytes.to_vec();
    bytes[at..at + to.len()].copy_from_slice(to);
    bytes
}
