//! Exported networks against Keras: declarations, weights, inputs and predictions were written by
//! `tests/peers/keras_golden.py`. The models run on our own executor, so nothing here knows burn.

#![allow(clippy::unwrap_used)]

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use pipectl_network::{Network, Tensor, Weights};
use pipectl_onnx::{Feed, FeedError, Model, Rows, Scorer, Session};
use pipectl_stage_export::{LowerError, SequenceError, lower};
use serde_json::{Value, json};

struct Case {
    network: Network,
    weights: Weights,
    rows: usize,
    inputs: BTreeMap<String, Vec<f32>>,
    output: Vec<f32>,
}

fn cases() -> BTreeMap<String, Case> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/keras.json");
    let file: BTreeMap<String, Value> = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
    file.into_iter().map(|(name, case)| (name, read(&case))).collect()
}

fn read(case: &Value) -> Case {
    let network = Network::from_json(&case["declaration"]).unwrap();
    let weights = case["weights"].as_object().unwrap().iter().map(|(name, tensor)| {
        let shape = serde_json::from_value(tensor["shape"].clone()).unwrap();
        (name.clone(), Tensor { shape, data: floats(&tensor["data"]) })
    });
    Case {
        weights: Weights::new(&network, weights).unwrap(),
        network,
        rows: case["rows"].as_u64().unwrap() as usize,
        inputs: case["inputs"].as_object().unwrap().iter().map(|(name, data)| (name.clone(), floats(data))).collect(),
        output: floats(&case["output"]),
    }
}

fn floats(values: &Value) -> Vec<f32> {
    values.as_array().unwrap().iter().map(|value| value.as_f64().unwrap() as f32).collect()
}

/// Runs the exported model. With `ragged`, the first input's trailing zero steps are cut off before.
fn run(case: &Case, model: &Model, ragged: bool) -> Result<Vec<f32>, FeedError> {
    let feed = Feed::of(model).unwrap();
    let shapes: BTreeMap<&str, &[usize]> =
        case.network.inputs().iter().map(|input| (input.name.as_str(), input.shape.as_slice())).collect();
    let readers: Vec<_> = case
        .inputs
        .iter()
        .map(|(name, data)| {
            let shape = shapes[name.as_str()];
            let size: usize = shape.iter().product();
            let is_ragged = ragged && *name == case.network.inputs()[0].name;
            let values = move |row: usize| {
                let values = &data[row * size..(row + 1) * size];
                if !is_ragged {
                    return values;
                }
                let width = shape[1];
                let last = values.chunks_exact(width).rposition(|step| step.iter().any(|&value| value != 0.0));
                &values[..last.map_or(0, |last| (last + 1) * width)]
            };
            (name, shape, is_ragged, values)
        })
        .collect();
    let rows = readers
        .iter()
        .map(|(name, shape, ragged, values)| {
            ((*name).clone(), Rows { count: case.rows, shape, ragged: *ragged, values })
        })
        .collect();
    let inputs = feed.tensors(&rows)?;
    let mut session = Session::load(&model.encode()).unwrap();
    let results = session.run(&inputs).unwrap();
    assert_eq!(results.len(), 1);
    Ok(results[&case.network.output().name].as_floats().unwrap().to_vec())
}

fn largest_difference(a: &[f32], b: &[f32]) -> f32 {
    assert_eq!(a.len(), b.len());
    a.iter().zip(b).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max)
}

#[test]
fn exported_networks_predict_what_keras_predicts() {
    let cases = cases();
    assert_eq!(cases.len(), 12);
    for (name, case) in cases {
        let model = lower(&case.network, &case.weights, &BTreeSet::new()).unwrap();
        let difference = largest_difference(&run(&case, &model, false).unwrap(), &case.output);
        assert!(difference < 2e-6, "{name}: largest difference {difference:e}");
        assert_eq!(lower(&case.network, &case.weights, &BTreeSet::new()).unwrap().encode(), model.encode(), "{name}");
    }
}

/// The same rows without their padding give the same predictions, with a mask and without one.
#[test]
fn ragged_rows_predict_the_same() {
    let cases = cases();
    for name in ["classifier", "lstm_masked", "stacked_masked", "dense_on_steps", "dense_between"] {
        let case = &cases[name];
        let ragged = BTreeSet::from([case.network.inputs()[0].name.clone()]);
        let masked = lower(&case.network, &case.weights, &ragged).unwrap();
        let difference = largest_difference(&run(case, &masked, true).unwrap(), &case.output);
        assert!(difference < 2e-6, "{name}: largest difference {difference:e}");

        let mut declaration = case.network.to_json().to_string();
        declaration = declaration.replace("\"layer.mask\"", &format!("\"input.{}\"", case.network.inputs()[0].name));
        let mut declaration: Value = serde_json::from_str(&declaration).unwrap();
        declaration["layers"].as_array_mut().unwrap().retain(|layer| layer["kind"] != "masking");
        let network = Network::from_json(&declaration).unwrap();
        let unmasked = lower(&network, &case.weights, &ragged).unwrap();
        let difference = largest_difference(&run(case, &unmasked, true).unwrap(), &case.output);
        assert!(difference < 2e-6, "{name} without a mask: largest difference {difference:e}");
        assert!(unmasked.metadata().is_empty());
    }
}

#[test]
fn the_classifier_has_the_documented_form() {
    let case = &cases()["classifier"];
    let model = lower(&case.network, &case.weights, &BTreeSet::new()).unwrap();
    assert_eq!((model.opset().unwrap(), model.ir_version()), (17, 8));
    let specs = |specs: Vec<pipectl_onnx::ValueSpec>| specs.iter().map(ToString::to_string).collect::<Vec<_>>();
    assert_eq!(
        specs(model.inputs().unwrap()),
        ["gru_input float[N, T, 3]", "hlf_input float[N, 4]", "gru_input_length int32[N]"]
    );
    assert_eq!(specs(model.outputs().unwrap()), ["class float[N, 3]"]);
    assert_eq!(model.metadata(), BTreeMap::from([("mask_value.gru_input", "0")]));
    let session = Session::from_model(&model).unwrap();
    let operators: Vec<&str> = session.graph().nodes().iter().map(|node| node.operator.name()).collect();
    assert_eq!(operators, ["Transpose", "GRU", "Squeeze", "Concat", "Gemm", "Relu", "Gemm", "Softmax"]);
}

/// The number of steps stays fixed where it is part of a shape, or where a layer reads steps behind a row's end.
#[test]
fn steps_are_open_only_where_nothing_depends_on_them() {
    let expected = [
        ("stacked_masked", "x float[N, T, 3]"),
        ("no_mask", "x float[N, T, 3]"),
        ("masked_and_not", "x float[N, 6, 3]"),
        ("sequence_flattened", "x float[N, 6, 3]"),
        ("steps_joined", "x float[N, 6, 3]"),
        ("image", "x float[N, 4, 5, 2]"),
    ];
    let cases = cases();
    for (name, input) in expected {
        let case = &cases[name];
        let model = lower(&case.network, &case.weights, &BTreeSet::new()).unwrap();
        assert_eq!(model.inputs().unwrap()[0].to_string(), input, "{name}");
    }
}

fn refusal(layers: Value, output: &str) -> LowerError {
    let inputs = json!([{"name": "x", "shape": [6, 3]}, {"name": "z", "shape": [6, 3]}, {"name": "h", "shape": [2]}]);
    let used: Vec<Value> = inputs
        .as_array()
        .unwrap()
        .iter()
        .filter(|input| layers.to_string().contains(&format!("input.{}\"", input["name"].as_str().unwrap())))
        .cloned()
        .collect();
    let declaration = json!({"name": "refused", "inputs": used, "layers": layers, "output": format!("layer.{output}")});
    let network = Network::from_json(&declaration).unwrap();
    let weights = Weights::from_flat(&network, &vec![0.5; network.parameter_count()]).unwrap();
    lower(&network, &weights, &BTreeSet::new()).unwrap_err()
}

#[test]
fn masks_that_lengths_cannot_express_are_refused() {
    let masked = |name: &str, read: &str, value: f64| json!({"kind": "masking", "name": name, "input": read, "mask_value": value});
    let gru = |name: &str, read: &str, sequences: bool| json!({"kind": "gru", "name": name, "input": read, "units": 2, "return_sequences": sequences});
    let dense = |name: &str, read: &str| json!({"kind": "dense", "name": name, "input": read, "units": 2});
    let flatten = |read: &str| json!({"kind": "flatten", "name": "y", "input": read});

    let error = refusal(json!([dense("d", "input.x"), masked("m", "layer.d", 0.0), gru("y", "layer.m", false)]), "y");
    assert!(matches!(error, LowerError::Sequence(SequenceError::MaskOfLayer { layer }) if layer == "m"));

    let two = json!([masked("a", "input.x", 0.0), masked("b", "layer.a", -1.0), gru("y", "layer.b", false)]);
    assert!(
        matches!(refusal(two, "y"), LowerError::Sequence(SequenceError::TwoMasks { layer, input }) if layer == "b" && input == "x")
    );

    let joined = json!([
        masked("a", "input.x", 0.0), masked("b", "input.z", 0.0),
        {"kind": "concat", "name": "both", "input": ["layer.a", "layer.b"], "axis": 2}, gru("y", "layer.both", false)
    ]);
    assert!(matches!(refusal(joined, "y"), LowerError::Sequence(SequenceError::Joined { layer }) if layer == "both"));

    let whole = json!([masked("a", "input.x", 0.0), gru("g", "layer.a", true), flatten("layer.g")]);
    assert!(matches!(refusal(whole, "y"), LowerError::Sequence(SequenceError::ReadAsWhole { layer }) if layer == "y"));
    let other_value = json!([masked("a", "input.x", 7.0), flatten("layer.a")]);
    assert!(matches!(refusal(other_value, "y"), LowerError::Sequence(SequenceError::ReadAsWhole { .. })));
}

#[test]
fn names_that_meet_in_one_graph_are_refused() {
    let dense = |name: &str, read: &str| json!({"kind": "dense", "name": name, "input": read, "units": 2});
    let error = refusal(json!([dense("h", "input.h")]), "h");
    assert_eq!(
        error.to_string(),
        "`h` would name two values of the ONNX graph: the input `h` and the output layer `h`"
    );
    // A layer inside of the graph gives way.
    let network = Network::from_json(&json!({
        "name": "inner", "inputs": [{"name": "h", "shape": [2]}],
        "layers": [dense("h", "input.h"), dense("y", "layer.h")], "output": "layer.y"
    }))
    .unwrap();
    let weights = Weights::from_flat(&network, &vec![0.5; network.parameter_count()]).unwrap();
    lower(&network, &weights, &BTreeSet::new()).unwrap();
}

#[test]
fn padding_within_a_sequence_is_refused() {
    let mut case = cases().remove("classifier").unwrap();
    // Step 1 of row 0, which has six steps.
    case.inputs.get_mut("gru_input").unwrap()[3..6].fill(0.0);
    let model = lower(&case.network, &case.weights, &BTreeSet::new()).unwrap();
    let error = run(&case, &model, false).unwrap_err();
    assert_eq!(error.to_string(), "row 0 of input `gru_input` has a step of padding, step 1, before its last step 5");
}
