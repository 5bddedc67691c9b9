#!/usr/bin/env python3
"""Writes small networks with weights, inputs, and what Keras predicts: what our ONNX export is held against.

    python tests/peers/keras_golden.py            # rewrite src/stage-export/tests/data/keras.json
    python tests/peers/keras_golden.py --check    # compare with what is there, write nothing

Needs the packages tensorflow-cpu and numpy. A case has a declaration as a `model` block hands it over, weights by their
Keras names, inputs padded to their full shape, and Keras' output for each row.
"""

import json
import os
import pathlib
import sys
import warnings

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np

DATA = pathlib.Path(__file__).resolve().parents[2] / "src" / "stage-export" / "tests" / "data" / "keras.json"
ROWS = 7
cases = {}


def layer(kind, name, read, **attributes):
    prefix = lambda node: node if "." in node else f"layer.{node}"
    read = [prefix(node) for node in read] if isinstance(read, list) else prefix(read)
    return {"kind": kind, "name": name, "input": read} | attributes


def build(declaration):
    """The Keras model of a declaration."""
    values = {f"input.{item['name']}": keras.Input(tuple(item["shape"])) for item in declaration["inputs"]}
    inputs = list(values.values())
    layers = keras.layers
    for item in declaration["layers"]:
        attributes = {key: value for key, value in item.items() if key not in ("kind", "name", "input")}
        kinds = {"masking": layers.Masking, "gru": layers.GRU, "lstm": layers.LSTM, "dense": layers.Dense,
                 "dropout": layers.Dropout, "concat": layers.Concatenate, "flatten": layers.Flatten}
        made = kinds[item["kind"]](name=item["name"], **attributes)
        read = item["input"]
        values[f"layer.{item['name']}"] = made([values[node] for node in read] if isinstance(read, list) else values[read])
    return keras.Model(inputs, values[declaration["output"]])


def floats(array):
    """The shortest text that reads back as the same float."""
    return [float(np.format_float_positional(value, unique=True, trim="0")) for value in np.asarray(array, "f4").ravel()]


def case(name, inputs, layers, mask=None, lengths=None, seed=1):
    """`lengths` pads the first input behind so many steps, with `mask` or zero."""
    declaration = {"name": name, "inputs": [{"name": key, "shape": shape} for key, shape in inputs.items()],
                   "layers": layers, "output": f"layer.{layers[-1]['name']}"}
    model = build(declaration)
    random = np.random.default_rng(seed)
    weights = {}
    for made in model.layers:
        shapes = [tuple(weight.shape) for weight in made.weights]
        if not shapes:
            continue
        values = [(random.normal(size=shape) * 0.5).astype("f4") for shape in shapes]
        made.set_weights(values)
        weights |= {f"{made.name}/{weight.name}": {"shape": list(value.shape), "data": floats(value)}
                    for weight, value in zip(made.weights, values)}
    data = {key: random.normal(size=(ROWS, *shape)).astype("f4") for key, shape in inputs.items()}
    if lengths is not None:
        first = data[next(iter(inputs))]
        for row, length in enumerate(lengths):
            first[row, length:] = 0 if mask is None else mask
    output = model(list(data.values()), training=False)
    cases[name] = {"declaration": declaration, "weights": weights, "rows": ROWS,
                   "inputs": {key: floats(value) for key, value in data.items()}, "output": floats(output)}


def networks():
    # Keras says that Flatten drops the mask; that is what the case is about.
    warnings.filterwarnings("ignore", message="Layer 'flat'")
    steps, lengths = [6, 3], [6, 1, 0, 3, 5, 6, 2]
    class_3 = dict(units=3, activation="softmax")
    case("classifier", {"gru_input": steps, "hlf_input": [4]}, [
        layer("masking", "mask", "input.gru_input"), layer("gru", "gru", "mask", units=5),
        layer("dropout", "gru_dropout", "gru", rate=0.2), layer("dropout", "hlf_dropout", "input.hlf_input", rate=0.2),
        layer("concat", "features", ["gru_dropout", "hlf_dropout"]),
        layer("dense", "hidden", "features", units=6, activation="relu"), layer("dense", "class", "hidden", **class_3),
    ], lengths=lengths)
    case("lstm_masked", {"x": steps}, [
        layer("masking", "mask", "input.x"), layer("lstm", "lstm", "mask", units=4), layer("dense", "y", "lstm", **class_3),
    ], lengths=lengths)
    case("stacked_masked", {"x": steps}, [
        layer("masking", "mask", "input.x"), layer("gru", "first", "mask", units=4, return_sequences=True),
        layer("dropout", "drop", "first", rate=0.5), layer("lstm", "second", "drop", units=5, return_sequences=True),
        layer("gru", "third", "second", units=3), layer("dense", "y", "third", **class_3),
    ], lengths=lengths)
    case("mask_value", {"x": steps}, [
        layer("masking", "mask", "input.x", mask_value=-1.0), layer("gru", "gru", "mask", units=4),
        layer("dense", "y", "gru", **class_3),
    ], lengths=lengths, mask=-1.0)
    case("dense_on_steps", {"x": steps}, [
        layer("masking", "mask", "input.x"), layer("dense", "embed", "mask", units=4, activation="tanh"),
        layer("dense", "gate", "mask", units=2, activation="sigmoid"), layer("concat", "both", ["embed", "gate"], axis=2),
        layer("gru", "gru", "both", units=4), layer("dense", "y", "gru", **class_3),
    ], lengths=lengths)
    case("dense_between", {"x": steps}, [
        layer("masking", "mask", "input.x"), layer("gru", "first", "mask", units=4, return_sequences=True),
        layer("dense", "embed", "first", units=3, activation="softmax"), layer("lstm", "second", "embed", units=4),
        layer("dense", "y", "second", **class_3),
    ], lengths=lengths)
    case("no_mask", {"x": steps}, [
        layer("gru", "gru", "input.x", units=4), layer("lstm", "lstm", "input.x", units=3),
        layer("concat", "both", ["gru", "lstm"]), layer("dense", "y", "both", **class_3),
    ], lengths=lengths)
    case("masked_and_not", {"x": steps}, [
        layer("masking", "mask", "input.x"), layer("gru", "with", "mask", units=4), layer("gru", "without", "input.x", units=4),
        layer("concat", "both", ["with", "without"]), layer("dense", "y", "both", **class_3),
    ], lengths=lengths)
    case("sequence_flattened", {"x": steps}, [
        layer("lstm", "lstm", "input.x", units=4, return_sequences=True), layer("flatten", "flat", "lstm"),
        layer("dense", "y", "flat", units=2, activation="sigmoid"),
    ])
    case("steps_joined", {"x": steps, "z": [2, 3]}, [
        layer("concat", "both", ["input.x", "input.z"], axis=1), layer("gru", "gru", "both", units=4, return_sequences=True),
        layer("concat", "again", ["gru", "gru"], axis=1), layer("flatten", "flat", "again"),
        layer("dense", "y", "flat", **class_3),
    ])
    case("masked_flattened", {"x": steps}, [
        layer("masking", "mask", "input.x"), layer("dense", "embed", "mask", units=2, activation="relu"),
        layer("flatten", "flat", "embed"), layer("dense", "y", "flat", **class_3),
    ], lengths=lengths)
    case("image", {"x": [4, 5, 2]}, [
        layer("dense", "channels", "input.x", units=3, activation="relu"), layer("flatten", "flat", "channels"),
        layer("dense", "hidden", "flat", units=4, activation="tanh"), layer("dense", "linear", "hidden", units=3),
        layer("dropout", "y", "linear", rate=0.1),
    ])


def main():
    networks()
    if "--check" in sys.argv:
        stored = json.loads(DATA.read_text())
        wrong = [name for name in cases.keys() | stored.keys() if not same(cases.get(name), stored.get(name))]
        print(f"{len(cases)} cases, {len(wrong)} differ" + "".join(f"\n  {name}" for name in sorted(wrong)))
        return 1 if wrong else 0
    DATA.parent.mkdir(parents=True, exist_ok=True)
    lines = ",\n".join(f"{json.dumps(name)}: {json.dumps(record)}" for name, record in cases.items())
    DATA.write_text("{\n" + lines + "\n}\n")
    print(f"{len(cases)} cases, keras {keras.__version__}")
    return 0


def same(ours, stored):
    if ours is None or stored is None or any(ours[key] != stored[key] for key in ours if key != "output"):
        return False
    return np.allclose(ours["output"], stored["output"], 1e-5, 1e-6)


if __name__ == "__main__":
    sys.exit(main())
