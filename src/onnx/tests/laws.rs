//! Laws of the executor and of the file format, over random models and inputs.

#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;

use pipectl_onnx::{Attribute, Dimension, ElementType, GraphBuilder, Model, Scorer, Session, Tensor, TensorData};
use proptest::prelude::*;

fn run(model: &Model, inputs: &BTreeMap<String, Tensor>, threads: usize) -> BTreeMap<String, Tensor> {
    Session::from_model(model).unwrap().with_threads(threads).run(inputs).unwrap()
}

fn open(name: &str) -> Dimension {
    Dimension::Symbol(name.to_owned())
}

fn any_tensor() -> impl Strategy<Value = Tensor> {
    proptest::collection::vec(0..4_usize, 0..4).prop_flat_map(|shape| {
        let count = shape.iter().product::<usize>();
        let data = prop_oneof![
            proptest::collection::vec(any::<f32>(), count).prop_map(TensorData::Float),
            proptest::collection::vec(any::<i32>(), count).prop_map(TensorData::Int32),
            proptest::collection::vec(any::<i64>(), count).prop_map(TensorData::Int64),
            proptest::collection::vec(any::<bool>(), count).prop_map(TensorData::Bool),
        ];
        data.prop_map(move |data| Tensor::new(shape.clone(), data).unwrap())
    })
}

/// Bits of the elements, so that NaN equals itself and the zeros differ.
fn bits(tensor: &Tensor) -> Vec<u64> {
    match tensor.data() {
        TensorData::Float(values) => values.iter().map(|value| u64::from(value.to_bits())).collect(),
        TensorData::Int32(values) => values.iter().map(|&value| value as u64).collect(),
        TensorData::Int64(values) => values.iter().map(|&value| value as u64).collect(),
        TensorData::Bool(values) => values.iter().map(|&value| u64::from(value)).collect(),
    }
}

/// A model that returns a constant unchanged.
fn constant_model(tensor: &Tensor, metadata: &[(String, String)]) -> Model {
    let mut graph = GraphBuilder::new("constant");
    let constant = graph.constant("c", tensor);
    let output = graph.node("Identity", "y", &[&constant], &[]);
    let shape = tensor.shape().iter().map(|&size| Dimension::Fixed(size)).collect();
    graph.output(&output, tensor.element_type(), shape);
    for (key, value) in metadata {
        graph.metadata(key, value);
    }
    graph.finish().unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn files_keep_every_bit(tensor in any_tensor(), metadata in proptest::collection::vec(("[a-z.]{1,8}", ".{0,8}"), 0..3)) {
        let model = constant_model(&tensor, &metadata);
        let bytes = model.encode();
        let read = Model::decode(&bytes).unwrap();
        prop_assert_eq!(&read, &model);
        prop_assert_eq!(read.encode(), bytes);
        let result = &run(&read, &BTreeMap::new(), 1)["y"];
        prop_assert_eq!(result.shape(), tensor.shape());
        prop_assert_eq!(bits(result), bits(&tensor));
    }

    #[test]
    fn products_are_those_of_double_precision(rows in 0..70_usize, depth in 0..40_usize, columns in 0..30_usize, seed in any::<u64>()) {
        let (a, b) = (numbers(rows * depth, seed), numbers(depth * columns, seed ^ 1));
        let mut graph = GraphBuilder::new("product");
        let left = graph.input("a", ElementType::Float, vec![open("N"), Dimension::Fixed(depth)]);
        let right = graph.constant("b", &Tensor::new([depth, columns], b.clone()).unwrap());
        let product = graph.node("MatMul", "y", &[&left, &right], &[]);
        graph.output(&product, ElementType::Float, vec![open("N"), Dimension::Fixed(columns)]);
        let model = graph.finish().unwrap();
        let inputs = BTreeMap::from([("a".to_owned(), Tensor::new([rows, depth], a.clone()).unwrap())]);
        let result = run(&model, &inputs, 1);
        let result = result["y"].as_floats().unwrap();
        prop_assert_eq!(result.len(), rows * columns);
        for (index, &found) in result.iter().enumerate() {
            let (row, column) = (index / columns, index % columns);
            let product = |k: usize| f64::from(a[row * depth + k]) * f64::from(b[k * columns + column]);
            let exact: f64 = (0..depth).map(product).sum();
            prop_assert!((f64::from(found) - exact).abs() < 1e-5, "{found} is not {exact}");
        }
    }

    /// A row's result is the same to the last bit alone, in a batch, and on any number of threads.
    #[test]
    fn rows_are_independent(lengths in proptest::collection::vec(0..=9_i32, 1..80), lstm in any::<bool>(), seed in any::<u64>()) {
        let (steps, features, hidden) = (9, 3, 5);
        let model = recurrent(lstm, features, hidden, seed);
        let x = numbers(lengths.len() * steps * features, seed ^ 7);
        let inputs = |rows: std::ops::Range<usize>| {
            let values = x[rows.start * steps * features..rows.end * steps * features].to_vec();
            BTreeMap::from([
                ("x".to_owned(), Tensor::new([rows.len(), steps, features], values).unwrap()),
                ("n".to_owned(), Tensor::new([rows.len()], lengths[rows].to_vec()).unwrap()),
            ])
        };
        let together = run(&model, &inputs(0..lengths.len()), 1)["state"].clone();
        prop_assert_eq!(&run(&model, &inputs(0..lengths.len()), 3)["state"], &together);
        for (row, &length) in lengths.iter().enumerate() {
            let alone = run(&model, &inputs(row..row + 1), 1);
            let expected = &together.as_floats().unwrap()[row * hidden..(row + 1) * hidden];
            prop_assert_eq!(alone["state"].as_floats().unwrap(), expected);
            if length == 0 {
                prop_assert!(expected.iter().all(|&value| value == 0.0));
            }
        }
    }
}

/// Repeatable numbers between -1 and 1.
fn numbers(count: usize, seed: u64) -> Vec<f32> {
    let mut state = seed;
    let next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 40) as f32 / (1_u64 << 23) as f32 - 1.0
    };
    std::iter::repeat_with(next).take(count).collect()
}

fn recurrent(lstm: bool, features: usize, hidden: usize, seed: u64) -> Model {
    let gates = if lstm { 4 } else { 3 };
    let mut graph = GraphBuilder::new("recurrent");
    let x = graph.input("x", ElementType::Float, vec![open("N"), open("T"), Dimension::Fixed(features)]);
    let n = graph.input("n", ElementType::Int32, vec![open("N")]);
    let turned = graph.node("Transpose", "turned", &[&x], &[("perm", Attribute::Ints(vec![1, 0, 2]))]);
    let weights = [
        ("W", vec![1, gates * hidden, features]),
        ("R", vec![1, gates * hidden, hidden]),
        ("B", vec![1, 2 * gates * hidden]),
    ];
    let weights: Vec<_> = weights
        .into_iter()
        .enumerate()
        .map(|(index, (name, shape))| {
            let values = numbers(shape.iter().product(), seed.wrapping_add(index as u64));
            graph.constant(name, &Tensor::new(shape, values).unwrap())
        })
        .collect();
    let inputs = [Some(&turned), Some(&weights[0]), Some(&weights[1]), Some(&weights[2]), Some(&n)];
    let operator = if lstm { "LSTM" } else { "GRU" };
    let attributes = [("hidden_size", Attribute::Int(hidden as i64))];
    let state = graph.node_with_outputs(operator, "layer", &inputs, &attributes, &[None, Some("state")]).remove(0);
    graph.output(&state, ElementType::Float, vec![Dimension::Fixed(1), open("N"), Dimension::Fixed(hidden)]);
    graph.finish().unwrap()
}

#[test]
fn operators_name_themselves_when_they_fail() {
    let mut graph = GraphBuilder::new("lengths");
    let x = graph.input("x", ElementType::Float, vec![open("N"), open("T"), Dimension::Fixed(3)]);
    let y = graph.input("y", ElementType::Float, vec![open("M")]);
    let sum = graph.node("Add", "sum", &[&x, &y], &[]);
    graph.output(&sum, ElementType::Float, vec![open("N"), open("T"), Dimension::Fixed(3)]);
    let mut session = Session::from_model(&graph.finish().unwrap()).unwrap();
    let inputs = BTreeMap::from([
        ("x".to_owned(), Tensor::new([1, 2, 3], vec![0.0_f32; 6]).unwrap()),
        ("y".to_owned(), Tensor::new([2], vec![0.0_f32; 2]).unwrap()),
    ]);
    let error = session.run(&inputs).unwrap_err();
    assert_eq!(error.to_string(), "node `sum` (Add) failed");
    let source = std::error::Error::source(&error).unwrap();
    assert_eq!(source.to_string(), "shapes [1, 2, 3] and [2] do not broadcast");

    let mut session = Session::from_model(&recurrent(false, 3, 5, 1)).unwrap();
    let inputs = BTreeMap::from([
        ("x".to_owned(), Tensor::new([2, 4, 3], vec![0.0_f32; 24]).unwrap()),
        ("n".to_owned(), Tensor::new([2], vec![4, 5]).unwrap()),
    ]);
    let error = session.run(&inputs).unwrap_err();
    let source = std::error::Error::source(&error).unwrap();
    assert_eq!(source.to_string(), "the length of sequence 1 is 5, outside 0 to 4");
}

#[test]
fn results_too_large_for_memory_are_errors() {
    let mut graph = GraphBuilder::new("outer");
    let a = graph.input("a", ElementType::Float, vec![open("N"), Dimension::Fixed(1)]);
    let shape = graph.constant("shape", &Tensor::new([1], vec![-1_i64]).unwrap());
    let sum = graph.node("Reshape", "flat", &[&a, &shape], &[]);
    graph.output(&sum, ElementType::Float, vec![open("N")]);
    let model = graph.finish().unwrap();
    // An empty tensor may claim huge dimensions; nothing multiplies them out.
    let inputs = BTreeMap::from([("a".to_owned(), Tensor::new([0, 1], Vec::<f32>::new()).unwrap())]);
    assert_eq!(run(&model, &inputs, 1)["flat"].shape(), [0]);

    let mut graph = GraphBuilder::new("reduced");
    let a = graph.input("a", ElementType::Float, vec![Dimension::Unknown, Dimension::Unknown]);
    let axes = graph.constant("axes", &Tensor::new([1], vec![0_i64]).unwrap());
    let sum = graph.node("ReduceSum", "sum", &[&a, &axes], &[]);
    graph.output(&sum, ElementType::Float, vec![Dimension::Fixed(1), Dimension::Unknown]);
    let mut session = Session::from_model(&graph.finish().unwrap()).unwrap();
    let inputs = BTreeMap::from([("a".to_owned(), Tensor::new([0, usize::MAX / 2], Vec::<f32>::new()).unwrap())]);
    let error = session.run(&inputs).unwrap_err();
    assert!(std::error::Error::source(&error).unwrap().to_string().ends_with("is too large"));
}

#[test]
fn names_that_occur_twice_are_refused() {
    let build = |value: &str, node: &str| {
        let mut graph = GraphBuilder::new("twice");
        let x = graph.input("x", ElementType::Float, vec![open("N")]);
        graph.node_with_outputs("Relu", "first", &[Some(&x)], &[], &[Some("y")]);
        let y = graph.node_with_outputs("Tanh", node, &[Some(&x)], &[], &[Some(value)]).remove(0);
        graph.output(&y, ElementType::Float, vec![open("N")]);
        graph.finish().map(|_| ()).map_err(|error| std::error::Error::source(&error).unwrap().to_string())
    };
    assert_eq!(build("z", "second"), Ok(()));
    assert_eq!(build("y", "second"), Err("value `y` is defined twice".to_owned()));
    assert_eq!(build("z", "first"), Err("two nodes are named `first`".to_owned()));
}

#[test]
fn a_file_that_is_not_there_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.onnx");
    let error = Model::load(&path).unwrap_err();
    assert!(error.to_string().starts_with("cannot read `"), "{error}");
    let model = constant_model(&Tensor::new([2], vec![1.0_f32, 2.0]).unwrap(), &[]);
    model.save(&path).unwrap();
    assert_eq!(Model::load(&path).unwrap(), model);
}
