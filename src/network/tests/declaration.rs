//! Declarations: what is accepted and computed, and every mistake with its path, message and hint.
#![allow(clippy::unwrap_used)]

use pipectl_network::{Initializer, Network, NetworkError, NodeRef};
use serde_json::{Value, json};

fn classifier(recurrent: &str) -> Value {
    json!({
        "name": "inclusive_classifier",
        "inputs": [{"name": "gru_input", "shape": [801, 19]}, {"name": "hlf_input", "shape": [14.0]}],
        "layers": [
            {"kind": "dense", "name": "class", "input": "layer.hidden", "units": 3, "activation": "softmax"},
            {"kind": "masking", "name": "mask", "input": "input.gru_input", "mask_value": null},
            {"kind": recurrent, "name": "gru", "input": "layer.mask", "units": 50.0},
            {"kind": "dropout", "name": "gru_dropout", "input": "layer.gru", "rate": 0.2},
            {"kind": "dropout", "name": "hlf_dropout", "input": ["input.hlf_input"], "rate": 0.2},
            {"kind": "concat", "name": "features", "input": ["layer.gru_dropout", "layer.hlf_dropout"]},
            {"kind": "dense", "name": "hidden", "input": "layer.features", "units": 25, "activation": "relu"},
        ],
        "output": "layer.class",
    })
}

#[test]
fn the_inclusive_classifier_has_keras_parameters() {
    let network = Network::from_json(&classifier("gru")).unwrap();
    assert_eq!(network.parameter_count(), 12_353);
    let found: Vec<_> = network.parameters().into_iter().map(|p| (p.name, p.shape, p.initializer)).collect();
    let glorot = |fan_in, fan_out| Initializer::GlorotUniform { fan_in, fan_out };
    let expected = [
        ("gru/kernel", vec![19, 150], glorot(19, 150)),
        ("gru/recurrent_kernel", vec![50, 150], Initializer::Orthogonal),
        ("gru/bias", vec![2, 150], Initializer::Zeros),
        ("hidden/kernel", vec![64, 25], glorot(64, 25)),
        ("hidden/bias", vec![25], Initializer::Zeros),
        ("class/kernel", vec![25, 3], glorot(25, 3)),
        ("class/bias", vec![3], Initializer::Zeros),
    ];
    assert_eq!(found, expected.map(|(name, shape, initializer)| (name.to_owned(), shape, initializer)));
    let order: Vec<_> = network.layers().iter().map(|layer| layer.name.as_str()).collect();
    assert_eq!(order, ["mask", "gru", "gru_dropout", "hlf_dropout", "features", "hidden", "class"]);
    assert_eq!(network.output().shape, [3]);
    assert_eq!(network.shape(NodeRef::Layer(4)), [64]);
    assert!(network.layers()[0].masked && !network.layers()[1].masked);
}

#[test]
fn a_stated_parameter_count_is_checked() {
    let mut declaration = classifier("gru");
    for stated in [json!(12_353), json!(12_353.0), json!(null)] {
        declaration["parameters"] = stated;
        assert_eq!(Network::from_json(&declaration).unwrap().parameter_count(), 12_353);
    }
}

#[test]
fn the_lstm_variant_has_keras_parameters() {
    let network = Network::from_json(&classifier("lstm")).unwrap();
    assert_eq!(network.parameter_count(), 15_703);
    assert_eq!(network.parameters()[2].initializer, Initializer::UnitForgetBias);
}

#[test]
fn json_round_trip_is_a_fixed_point() {
    for kind in ["gru", "lstm"] {
        let network = Network::from_json(&classifier(kind)).unwrap();
        let text = network.to_json().to_string();
        let again = Network::from_json(&serde_json::from_str(&text).unwrap()).unwrap();
        assert_eq!(again, network);
        assert_eq!(again.to_json().to_string(), text);
    }
}

#[test]
fn sequences_keep_axes_and_masks() {
    let network = Network::from_json(&json!({
        "name": "stack",
        "inputs": [{"name": "a", "shape": [7, 2]}, {"name": "b", "shape": [7, 3]}],
        "layers": [
            {"kind": "masking", "name": "mask", "input": "input.a", "mask_value": -1.5},
            {"kind": "masking", "name": "mask_b", "input": "input.b"},
            {"kind": "concat", "name": "both", "input": ["layer.mask", "layer.mask_b"]},
            {"kind": "concat", "name": "open", "input": ["layer.both", "input.b"]},
            {"kind": "lstm", "name": "first", "input": "layer.open", "units": 4, "return_sequences": true},
            {"kind": "dense", "name": "wide", "input": "layer.first", "units": 6},
            {"kind": "dense", "name": "thin", "input": "layer.both", "units": 6},
            {"kind": "concat", "name": "long", "input": ["layer.wide", "layer.thin"], "axis": 1},
            {"kind": "flatten", "name": "flat", "input": "layer.long"},
            {"kind": "dense", "name": "out", "input": "layer.flat", "units": 2},
        ],
        "output": "layer.out",
    }))
    .unwrap();
    let shapes: Vec<_> = network.layers().iter().map(|layer| (layer.shape.clone(), layer.masked)).collect();
    let expected = [
        (vec![7, 2], true),
        (vec![7, 3], true),
        (vec![7, 5], true),
        (vec![7, 8], false),
        (vec![7, 4], false),
        (vec![7, 6], false),
        (vec![7, 6], true),
        (vec![14, 6], true),
        (vec![84], false),
        (vec![2], false),
    ];
    assert_eq!(shapes, expected);
    assert_eq!(Network::from_json(&network.to_json()).unwrap(), network);
}

/// Values to put into the classifier, by JSON pointer.
type Changes<'a> = &'a [(&'a str, Value)];

/// Replaces parts of the classifier, and returns what is then wrong as text.
fn mistakes(changes: Changes<'_>) -> Vec<String> {
    let mut declaration = classifier("gru");
    for (pointer, value) in changes {
        match declaration.pointer_mut(pointer) {
            Some(place) => *place = value.clone(),
            None => {
                let (parent, key) = pointer.rsplit_once('/').unwrap();
                declaration.pointer_mut(parent).unwrap()[key] = value.clone();
            }
        }
    }
    Network::from_json(&declaration).unwrap_err().iter().map(NetworkError::to_string).collect()
}

#[test]
fn every_mistake_is_told_where_it_is() {
    let cases: &[(Changes<'_>, &[&str])] = &[
        (
            &[("/layers/2/kind", json!("gur"))],
            &[r#"layers[2].kind: there is no layer kind "gur". Did you mean "gru"?"#],
        ),
        (
            &[("/layers/5/input", json!(["layer.hlf_dropout"]))],
            &[
                "inputs[0]: the output does not depend on input.gru_input",
                "layers[1]: the output does not depend on layer.mask",
                "layers[2]: the output does not depend on layer.gru",
                "layers[3]: the output does not depend on layer.gru_dropout",
            ],
        ),
        (&[("/layers/2/units", json!(null))], &["layers[2].units: is required"]),
        (
            &[("/layers/6/activaton", json!("relu"))],
            &[r#"layers[6].activaton: there is no such attribute here. Did you mean "activation"?"#],
        ),
        (
            &[("/layers/6/activation", json!("rleu"))],
            &[r#"layers[6].activation: there is no activation "rleu". Did you mean "relu"?"#],
        ),
        (&[("/layers/2/units", json!(0))], &["layers[2].units: is a whole number of at least 1, not 0"]),
        (&[("/layers/2/units", json!(2.5))], &["layers[2].units: is a whole number of at least 1, not 2.5"]),
        (
            &[("/layers/3/rate", json!(1)), ("/layers/2/units", json!("many"))],
            &[
                r#"layers[2].units: is a whole number of at least 1, not "many""#,
                "layers[3].rate: is at least 0 and less than 1, not 1",
            ],
        ),
        (
            &[("/layers/2/reset_after", json!(false))],
            &["layers[2].reset_after: false is not supported: only true (the default) is"],
        ),
        (
            &[("/layers/6/input", json!("layer.feature"))],
            &[r#"layers[6].input: layer.feature is not declared. Did you mean "layer.features"?"#],
        ),
        (
            &[("/layers/6/input", json!("features"))],
            &[
                r#"layers[6].input: "features" is neither input.<name> nor layer.<name>. Did you mean "layer.features"?"#,
            ],
        ),
        (
            &[("/layers/1/input", json!("input.hlf_input"))],
            &["layers[1].input: needs a sequence of shape [steps, features], got [14]"],
        ),
        (
            &[("/layers/5/input", json!(["layer.mask", "layer.hlf_dropout"]))],
            &["layers[5].input: shapes [801, 19] and [14] cannot be joined along axis 2: all other axes must be equal"],
        ),
        (
            &[("/layers/3/input", json!("layer.hidden"))],
            &[
                "layers[6].input: layers read each other in a cycle: layer.gru_dropout -> layer.features -> layer.hidden -> layer.gru_dropout",
            ],
        ),
        (
            &[("/layers/4/name", json!("gru"))],
            &[
                r#"layers[4].name: "gru" is also the name of layers[2]"#,
                r#"layers[5].input[1]: layer.hlf_dropout is not declared. Did you mean "layer.gru_dropout"?"#,
            ],
        ),
        (&[("/inputs/1/shape", json!([]))], &["inputs[1].shape: a shape has at least one size"]),
        (&[("/inputs/1/shape", json!([-3]))], &["inputs[1].shape[0]: a size is a whole number of at least 1, not -3"]),
        (
            &[("/inputs/0/shape", json!([1e12, 1e12]))],
            &["inputs[0].shape: [1000000000000, 1000000000000] has more numbers than fit"],
        ),
        (&[("/layers/2/units", json!(1e9))], &["layers[2]: more parameters than fit"]),
        (&[("/output", json!("input.hlf_input"))], &["output: the output is a layer, not an input"]),
        (&[("/output", json!("layer.clas"))], &[r#"output: layer.clas is not declared. Did you mean "layer.class"?"#]),
        (&[("/layers", json!("all"))], &["layers: is a list, not text", "output: layer.class is not declared"]),
        (
            &[("/layers/0/input", json!(["layer.hidden", "layer.hidden"]))],
            &["layers[0].input: a dense layer reads one node, not 2. A concat layer joins several."],
        ),
        (&[("/parameters", json!(12_352))], &["parameters: the network has 12353 parameters, not 12352"]),
        (&[("/parameters", json!(12_352))], &["parameters: the network has 12353 parameters, not 12352"]),
        (&[("/layer", json!([]))], &[r#"layer: there is no such attribute here. Did you mean "layers"?"#]),
    ];
    for (changes, expected) in cases {
        assert_eq!(mistakes(changes), *expected, "{changes:?}");
    }
    assert_eq!(Network::from_json(&json!(3)).unwrap_err()[0].to_string(), "a model is an object, not a number");
}

#[test]
fn an_output_with_several_axes_is_refused() {
    let errors = mistakes(&[("/output", json!("layer.mask"))]);
    assert!(errors.iter().any(|error| error.starts_with("output: the output is one value per class")), "{errors:?}");
}
