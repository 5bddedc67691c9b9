//! Weights: order, checks, and a file whose bytes are fixed and read back the same.
#![allow(clippy::unwrap_used)]

use std::collections::HashMap;

use pipectl_network::{Network, Tensor, Weights, WeightsError};
use proptest::prelude::*;
use serde_json::json;

fn network(units: usize) -> Network {
    Network::from_json(&json!({
        "name": "n",
        "inputs": [{"name": "x", "shape": [3, 2]}],
        "layers": [
            {"kind": "gru", "name": "zebra", "input": "input.x", "units": units},
            {"kind": "dense", "name": "ant", "input": "layer.zebra", "units": 2},
        ],
        "output": "layer.ant",
    }))
    .unwrap()
}

fn values(count: usize) -> Vec<f32> {
    (0..count).map(|i| (i as f32).sin()).collect()
}

fn quarters(count: usize) -> Vec<f32> {
    (0..count).map(|i| i as f32 / 4.0 - 3.0).collect()
}

proptest! {
    // Failures are not kept in a folder: proptest would put it beside the crates, where cargo takes it for one.
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn bytes_round_trip(units in 1_usize..5, seed in any::<u32>()) {
        let network = network(units);
        let flat: Vec<f32> = (0..network.parameter_count() as u32)
            .map(|i| f32::from_bits(seed.wrapping_mul(i.wrapping_add(7)) & 0xbfff_ffff))
            .collect();
        let weights = Weights::from_flat(&network, &flat).unwrap();
        let bytes = weights.to_bytes(&network).unwrap();
        prop_assert_eq!(&bytes, &weights.to_bytes(&network).unwrap());
        let (read_network, read) = Weights::from_bytes(&bytes).unwrap();
        prop_assert_eq!(read_network, network);
        let bits = |values: &[f32]| values.iter().map(|value| value.to_bits()).collect::<Vec<_>>();
        prop_assert_eq!(bits(&read.to_flat()), bits(&flat));
    }

    #[test]
    fn damaged_bytes_never_panic(cut in 0_usize..600, at in 0_usize..600, bit in 0_u32..8) {
        let network = network(2);
        let weights = Weights::from_flat(&network, &values(network.parameter_count())).unwrap();
        let mut bytes = weights.to_bytes(&network).unwrap();
        let length = bytes.len();
        bytes[at % length] ^= 1 << bit;
        bytes.truncate(length - cut.min(length));
        if let Ok((read_network, read)) = Weights::from_bytes(&bytes) {
            prop_assert_eq!(read.to_flat().len(), read_network.parameter_count());
        }
    }
}

#[test]
fn a_file_is_read_back_and_nothing_is_left_beside_it() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let network = network(3);
    let weights = Weights::from_flat(&network, &values(network.parameter_count())).unwrap();
    let file = folder.join("weights.safetensors");
    weights.save(&file, &network).unwrap();
    weights.save(&file, &network).unwrap();
    assert_eq!(Weights::load(&file).unwrap(), (network.clone(), weights.clone()));
    assert_eq!(std::fs::read_dir(folder).unwrap().count(), 1);
    assert!(matches!(Weights::load(folder.join("none")), Err(WeightsError::Read { .. })));
    assert!(matches!(weights.save(folder.join("no/such"), &network), Err(WeightsError::Write { .. })));
}

/// Files of the first version are read for ever, and written the same.
#[test]
fn the_golden_file_is_read_and_written() {
    let golden: &[u8] = include_bytes!("data/weights-1.safetensors");
    let (read_network, weights) = Weights::from_bytes(golden).unwrap();
    assert_eq!(read_network, network(2));
    assert_eq!(weights, Weights::from_flat(&read_network, &quarters(read_network.parameter_count())).unwrap());
    assert!(weights.to_bytes(&read_network).unwrap() == golden, "the bytes changed");
}

#[test]
fn tensors_must_fit_the_network() {
    let network = network(3);
    let whole: HashMap<String, Tensor> = Weights::from_flat(&network, &values(network.parameter_count()))
        .unwrap()
        .iter()
        .map(|(name, tensor)| (name.to_owned(), tensor.clone()))
        .collect();
    let refused = |change: &dyn Fn(&mut HashMap<String, Tensor>)| {
        let mut tensors = whole.clone();
        change(&mut tensors);
        Weights::new(&network, tensors).unwrap_err().to_string()
    };
    assert_eq!(refused(&|t| drop(t.remove("ant/bias"))), "tensor \"ant/bias\" is missing");
    let extra = Tensor { shape: vec![1], data: vec![0.0] };
    assert_eq!(refused(&|t| drop(t.insert("x".into(), extra.clone()))), "tensor \"x\" is no parameter of the network");
    assert_eq!(
        refused(&|t| drop(t.insert("ant/bias".into(), extra.clone()))),
        "tensor \"ant/bias\" has shape [1], the network needs [2]"
    );
    let short = Tensor { shape: vec![2], data: vec![0.0] };
    assert_eq!(
        refused(&|t| drop(t.insert("ant/bias".into(), short.clone()))),
        "tensor \"ant/bias\" has 1 values, its shape needs 2"
    );
    assert!(matches!(Weights::from_flat(&network, &[0.0]), Err(WeightsError::Length { .. })));
}

#[test]
fn a_file_without_a_declaration_is_refused() {
    let view = safetensors::tensor::TensorView::new(safetensors::Dtype::F32, vec![1], &[0; 4]).unwrap();
    let bytes = safetensors::serialize([("x", view)], None).unwrap();
    assert!(matches!(Weights::from_bytes(&bytes), Err(WeightsError::NoNetwork)));
    assert!(matches!(Weights::from_bytes(b"nothing"), Err(WeightsError::Format(_))));
}
