#!/usr/bin/env python3
"""Writes the golden file of our training: networks, and what Keras computes from the same weights and rows.

    python tests/peers/keras_training_golden.py            # rewrite src/train-burn/tests/data/keras.json
    python tests/peers/keras_training_golden.py --check    # compare with what is there, write nothing

Needs the packages tensorflow-cpu and numpy. A case has a network (the JSON of a `model` block), the number of rows, an
optimiser, and Keras' answers: the output for every row before training, the loss of three training steps on all rows,
the sum of each parameter after them (in Keras' order, under its name) and, for small networks, the parameters. Weights
and rows are not stored: both sides make them with the same arithmetic (`numbers`). Dropout has rate 0 here, since masks
are drawn differently.
"""

import json
import os
import pathlib
import sys

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np

GOLDEN = pathlib.Path(__file__).resolve().parents[2] / "src" / "train-burn" / "tests" / "data" / "keras.json"
SMALL = 1000
ADAM = {"kind": "adam", "beta_1": 0.9, "beta_2": 0.999, "epsilon": 1e-7}


def numbers(count, seed, scale):
    """`count` numbers between -scale and scale: exact in f32 before scaling, the same in every language."""
    index = np.arange(count, dtype=np.uint64) + np.uint64(seed) * np.uint64(7919)
    mixed = index * np.uint64(0x9E3779B97F4A7C15)
    mixed ^= mixed >> np.uint64(29)
    mixed *= np.uint64(0xBF58476D1CE4E5B9)
    mixed ^= mixed >> np.uint64(32)
    unit = (mixed >> np.uint64(40)).astype(np.float32) / np.float32(1 << 23) - np.float32(1)
    return (unit * np.float32(scale)).astype(np.float32)


def layer_of(layer, inputs):
    kind = layer["kind"]
    if kind == "masking":
        return keras.layers.Masking(layer.get("mask_value", 0.0))(inputs[0])
    if kind in ("gru", "lstm"):
        make = keras.layers.GRU if kind == "gru" else keras.layers.LSTM
        return make(layer["units"], return_sequences=layer.get("return_sequences", False), name=layer["name"])(inputs[0])
    if kind == "dense":
        activation = layer.get("activation", "linear")
        return keras.layers.Dense(layer["units"], activation=activation, name=layer["name"])(inputs[0])
    if kind == "dropout":
        return keras.layers.Dropout(layer["rate"])(inputs[0])
    if kind == "concat":
        return keras.layers.Concatenate(axis=layer.get("axis", -1))(inputs)
    if kind == "flatten":
        return keras.layers.Flatten()(inputs[0])
    raise ValueError(kind)


def model_of(network):
    values = {f"input.{i['name']}": keras.Input(i["shape"], name=i["name"]) for i in network["inputs"]}
    inputs = list(values.values())
    for layer in network["layers"]:
        reads = layer["input"] if isinstance(layer["input"], list) else [layer["input"]]
        values[f"layer.{layer['name']}"] = layer_of(layer, [values[read] for read in reads])
    return keras.Model(inputs, values[network["output"]])


def rows_of(network, rows):
    """The inputs. Of a masked sequence, row r keeps the steps where (r + 3 * step) % 5 < 3."""
    masked = {layer["input"]: layer.get("mask_value", 0.0) for layer in network["layers"] if layer["kind"] == "masking"}
    inputs = []
    for index, declared in enumerate(network["inputs"]):
        shape = declared["shape"]
        values = numbers(rows * int(np.prod(shape)), 100 + index, 1.5).reshape([rows, *shape])
        if f"input.{declared['name']}" in masked:
            row, step = np.meshgrid(np.arange(rows), np.arange(shape[0]), indexing="ij")
            values[(row + 3 * step) % 5 >= 3] = masked[f"input.{declared['name']}"]
        inputs.append(values)
    return inputs


def answers(network, rows, optimizer, learning_rate):
    keras.backend.clear_session()
    model = model_of(network)
    weights = [numbers(int(np.prod(w.shape)), index, 0.4).reshape(w.shape) for index, w in enumerate(model.weights)]
    model.set_weights(weights)
    inputs = rows_of(network, rows)
    classes = model.output_shape[-1]
    labels = np.eye(classes, dtype="float32")[(np.arange(rows) * 7) % classes]
    before = model.predict(inputs, batch_size=rows, verbose=0)
    settings = {key: value for key, value in optimizer.items() if key != "kind"}
    make = keras.optimizers.Adam if optimizer["kind"] == "adam" else keras.optimizers.SGD
    model.compile(loss="categorical_crossentropy", optimizer=make(learning_rate, **settings))
    losses = []
    for _ in range(3):
        # Without the reset, Keras reports the mean over all steps so far.
        model.reset_metrics()
        losses.append(float(model.train_on_batch(inputs, labels)))
    after = [np.asarray(weight, dtype="float64") for weight in model.get_weights()]
    result = {
        "network": network,
        "rows": rows,
        "optimizer": optimizer,
        "learning_rate": learning_rate,
        "output": [float(value) for value in before.ravel()],
        "losses": losses,
        "parameters": model.count_params(),
        "names": [f"{path.split('/')[0]}/{path.split('/')[-1]}" for path in (weight.path for weight in model.weights)],
        "sums": [float(weight.sum()) for weight in after],
    }
    if model.count_params() < SMALL:
        result["weights"] = [float(value) for weight in after for value in weight.ravel()]
    return result


def classifier(name, recurrent, steps, features, others, units, hidden, masked=True):
    layers = [
        {"kind": "masking", "name": "mask", "input": "input.gru_input"},
        {"kind": recurrent, "name": "recurrent", "input": "layer.mask" if masked else "input.gru_input", "units": units},
        {"kind": "dropout", "name": "gru_dropout", "input": "layer.recurrent", "rate": 0.0},
        {"kind": "dropout", "name": "hlf_dropout", "input": "input.hlf_input", "rate": 0.0},
        {"kind": "concat", "name": "features", "input": ["layer.gru_dropout", "layer.hlf_dropout"]},
        {"kind": "dense", "name": "hidden", "input": "layer.features", "units": hidden, "activation": "relu"},
        {"kind": "dense", "name": "class", "input": "layer.hidden", "units": 3, "activation": "softmax"},
    ]
    return {
        "name": name,
        "inputs": [{"name": "gru_input", "shape": [steps, features]}, {"name": "hlf_input", "shape": [others]}],
        "layers": layers if masked else layers[1:],
        "output": "layer.class",
    }


def stack():
    return {
        "name": "stack",
        "inputs": [{"name": "a", "shape": [9, 3]}, {"name": "b", "shape": [9, 2]}],
        "layers": [
            {"kind": "masking", "name": "mask_a", "input": "input.a", "mask_value": -1.5},
            {"kind": "masking", "name": "mask_b", "input": "input.b"},
            {"kind": "concat", "name": "both", "input": ["layer.mask_a", "layer.mask_b"]},
            {"kind": "dense", "name": "wide", "input": "layer.both", "units": 6, "activation": "tanh"},
            {"kind": "lstm", "name": "first", "input": "layer.wide", "units": 5, "return_sequences": True},
            {"kind": "gru", "name": "second", "input": "layer.first", "units": 4, "return_sequences": True},
            {"kind": "gru", "name": "third", "input": "layer.second", "units": 4},
            {"kind": "flatten", "name": "flat", "input": "layer.second"},
            {"kind": "concat", "name": "all", "input": ["layer.third", "layer.flat"]},
            {"kind": "dense", "name": "class", "input": "layer.all", "units": 3, "activation": "softmax"},
        ],
        "output": "layer.class",
    }


def dense():
    # The output is joined from two layers since Keras takes the loss of a sigmoid layer from its logits, as if they were
    # a softmax layer's; of a joined value it takes the values as they are.
    return {
        "name": "dense",
        "inputs": [{"name": "x", "shape": [6]}],
        "layers": [
            {"kind": "dense", "name": "a", "input": "input.x", "units": 8, "activation": "sigmoid"},
            {"kind": "dense", "name": "b", "input": "layer.a", "units": 5, "activation": "softmax"},
            {"kind": "dense", "name": "c", "input": "layer.b", "units": 2, "activation": "sigmoid"},
            {"kind": "dense", "name": "d", "input": "layer.b", "units": 2, "activation": "sigmoid"},
            {"kind": "concat", "name": "out", "input": ["layer.c", "layer.d"]},
        ],
        "output": "layer.out",
    }


def cases():
    small = {"steps": 12, "features": 5, "others": 4, "units": 6, "hidden": 7}
    large = {"steps": 801, "features": 19, "others": 14, "units": 50, "hidden": 25}
    momentum = {"kind": "sgd", "momentum": 0.9, "nesterov": False}
    nesterov = {"kind": "sgd", "momentum": 0.9, "nesterov": True}
    plain = {"kind": "sgd", "momentum": 0.0, "nesterov": False}
    yield classifier("gru", "gru", **small), 40, ADAM, 0.01
    yield classifier("gru without mask", "gru", **small, masked=False), 40, momentum, 0.05
    yield classifier("lstm", "lstm", **small), 40, ADAM, 0.01
    yield classifier("lstm without mask", "lstm", **small, masked=False), 40, nesterov, 0.05
    yield stack(), 33, ADAM, 0.005
    yield dense(), 35, plain, 0.5
    yield classifier("inclusive_classifier", "gru", **large), 6, ADAM, 0.0005
    yield classifier("inclusive_classifier_lstm", "lstm", **large), 6, ADAM, 0.0005


def same(ours, theirs):
    """Whether two golden values are equal but for the rounding of another TensorFlow or processor."""
    if isinstance(ours, dict):
        return isinstance(theirs, dict) and ours.keys() == theirs.keys() and all(same(ours[k], theirs[k]) for k in ours)
    if isinstance(ours, list):
        return isinstance(theirs, list) and len(ours) == len(theirs) and all(map(same, ours, theirs))
    if isinstance(ours, float) and isinstance(theirs, float):
        return abs(ours - theirs) <= 2e-5 * (1 + abs(ours))
    return ours == theirs


def main():
    golden = {"keras": keras.__version__, "cases": [answers(*case) for case in cases()]}
    if "--check" in sys.argv[1:]:
        stored = json.loads(GOLDEN.read_text())
        for ours, theirs in zip(stored["cases"], golden["cases"], strict=True):
            if not same(ours, json.loads(json.dumps(theirs))):
                sys.exit(f"{GOLDEN.name}: {ours['network']['name']}: Keras {keras.__version__} computes something else")
        print(f"{len(golden['cases'])} networks: Keras {keras.__version__} agrees with {GOLDEN.name}")
        return
    GOLDEN.parent.mkdir(parents=True, exist_ok=True)
    lines = ",\n".join(json.dumps(case) for case in golden["cases"])
    GOLDEN.write_text(f'{{"keras": "{golden["keras"]}", "cases": [\n{lines}\n]}}\n')


if __name__ == "__main__":
    main()
