//! Each operator against ONNX Runtime: models, inputs and results were written by `tests/peers/onnx_golden.py`.

#![allow(clippy::unwrap_used)]

use std::collections::{BTreeMap, BTreeSet};
use std::error::Error;
use std::path::Path;

use base64::Engine;
use pipectl_onnx::{Model, Scorer, Session, Tensor, TensorData};
use serde_json::Value;

const GROUPS: [&str; 6] = ["elementwise", "shapes", "reductions", "products", "recurrent", "classifier"];

/// Operators that must occur in some case.
const OPERATORS: [&str; 28] = [
    "Abs",
    "Add",
    "Cast",
    "Concat",
    "Constant",
    "Div",
    "Equal",
    "Flatten",
    "GRU",
    "Gather",
    "Gemm",
    "Greater",
    "Identity",
    "LSTM",
    "MatMul",
    "Mul",
    "ReduceMax",
    "ReduceSum",
    "Relu",
    "Reshape",
    "Shape",
    "Sigmoid",
    "Softmax",
    "Squeeze",
    "Sub",
    "Tanh",
    "Transpose",
    "Unsqueeze",
];

fn cases(group: &str) -> BTreeMap<String, Value> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data").join(format!("{group}.json"));
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}

fn model(case: &Value) -> Vec<u8> {
    base64::prelude::BASE64_STANDARD.decode(case["model"].as_str().unwrap()).unwrap()
}

fn tensors(values: &Value) -> BTreeMap<String, Tensor> {
    let tensor = |value: &Value| {
        let shape: Vec<usize> = serde_json::from_value(value["shape"].clone()).unwrap();
        let data = value["data"].clone();
        match value["type"].as_str().unwrap() {
            "float" => {
                let values: Vec<f64> = serde_json::from_value(data).unwrap();
                let floats: Vec<f32> = values.into_iter().map(|value| value as f32).collect();
                Tensor::new(shape, floats).unwrap()
            }
            "int32" => Tensor::new(shape, serde_json::from_value::<Vec<i32>>(data).unwrap()).unwrap(),
            "int64" => Tensor::new(shape, serde_json::from_value::<Vec<i64>>(data).unwrap()).unwrap(),
            "bool" => Tensor::new(shape, serde_json::from_value::<Vec<bool>>(data).unwrap()).unwrap(),
            other => panic!("unknown type {other}"),
        }
    };
    values.as_object().unwrap().iter().map(|(name, value)| (name.clone(), tensor(value))).collect()
}

/// Compares a result with the expected one: floats within a tolerance relative to the larger of one and the value,
/// everything else exactly.
fn compare(found: &Tensor, expected: &Tensor, tolerance: f64) -> Result<(), String> {
    if found.shape() != expected.shape() {
        return Err(format!("shape {:?}, expected {:?}", found.shape(), expected.shape()));
    }
    match (found.data(), expected.data()) {
        (TensorData::Float(found), TensorData::Float(expected)) => {
            for (index, (&found, &expected)) in found.iter().zip(expected).enumerate() {
                let difference = (f64::from(found) - f64::from(expected)).abs();
                if difference.is_nan() || difference > tolerance * f64::from(expected.abs().max(1.0)) {
                    return Err(format!("element {index} is {found}, expected {expected}"));
                }
            }
            Ok(())
        }
        (found, expected) if found == expected => Ok(()),
        (found, expected) => Err(format!("{found:?}, expected {expected:?}")),
    }
}

fn check(case: &Value, threads: usize) -> Result<(), String> {
    let mut chain = String::new();
    let mut session = Session::load(&model(case)).map_err(|error| explain(&error, &mut chain))?.with_threads(threads);
    let results = session.run(&tensors(&case["inputs"])).map_err(|error| explain(&error, &mut chain))?;
    let expected = tensors(&case["outputs"]);
    if results.keys().ne(expected.keys()) {
        return Err(format!("outputs {:?}", results.keys()));
    }
    let tolerance = case["tolerance"].as_f64().unwrap();
    for (name, expected) in &expected {
        compare(&results[name], expected, tolerance).map_err(|difference| format!("`{name}`: {difference}"))?;
    }
    Ok(())
}

fn explain(error: &dyn Error, text: &mut String) -> String {
    *text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        text.push_str(&format!(": {error}"));
        source = error.source();
    }
    text.clone()
}

#[test]
fn every_operator_agrees_with_onnx_runtime() {
    let mut failures = Vec::new();
    let mut seen = BTreeSet::new();
    let mut count = 0;
    for group in GROUPS {
        for (name, case) in cases(group) {
            count += 1;
            if let Ok(session) = Session::load(&model(&case)) {
                seen.extend(session.graph().nodes().iter().map(|node| node.operator.name()));
            }
            for threads in [1, 3] {
                if let Err(failure) = check(&case, threads) {
                    failures.push(format!("{group}/{name} on {threads} threads: {failure}"));
                }
            }
        }
    }
    assert!(failures.is_empty(), "{} failures:\n{}", failures.len(), failures.join("\n"));
    assert_eq!(seen, OPERATORS.into_iter().collect());
    assert!(count > 150, "only {count} cases were found");
}

#[test]
fn what_cannot_run_is_refused_at_load() {
    let cases = cases("refusals");
    assert!(!cases.is_empty());
    for (name, case) in cases {
        let mut text = String::new();
        let error = Session::load(&model(&case)).expect_err("the model must be refused");
        explain(&error, &mut text);
        for words in case["message"].as_array().unwrap() {
            let words = words.as_str().unwrap();
            assert!(text.contains(words), "{name}: `{text}` does not contain `{words}`");
        }
    }
}

/// Files of another writer lose only what we do not know: reading and writing them again changes nothing more.
#[test]
fn models_of_another_writer_survive_a_round_trip() {
    for group in GROUPS {
        for (name, case) in cases(group) {
            let first = Model::decode(&model(&case)).unwrap();
            let second = Model::decode(&first.encode()).unwrap();
            assert_eq!(first, second, "{group}/{name}");
            assert_eq!(first.encode(), second.encode(), "{group}/{name}");
        }
    }
}

/// A damaged file gives an error or another model, never a panic; a truncated one never passes as whole.
#[test]
fn damaged_files_never_panic() {
    let case = &cases("classifier")["classifier_lengths"];
    let bytes = model(case);
    let inputs = tensors(&case["inputs"]);
    for length in 0..bytes.len() {
        assert!(Session::load(&bytes[..length]).is_err(), "the first {length} bytes passed as a model");
    }
    for position in 0..bytes.len() {
        for flip in [0x01, 0x80, 0xff] {
            let mut damaged = bytes.clone();
            damaged[position] ^= flip;
            if let Ok(mut session) = Session::load(&damaged) {
                let _ = session.run(&inputs);
            }
        }
    }
}
