#!/usr/bin/env python3
"""Writes the golden files of our ONNX executor: tiny models, their inputs, and what ONNX Runtime makes of them.

    python tests/peers/onnx_golden.py            # rewrite src/onnx/tests/data
    python tests/peers/onnx_golden.py --check    # compare with what is there, write nothing

Needs the packages onnx, onnxruntime and numpy. Each group of operators is one JSON file. A case has a model (the bytes
of the ONNX file in base64), inputs, outputs, and the largest difference allowed; a case of `refusals.json` has a model
that must be refused when it is loaded, and words that the message must contain.
"""

import base64
import json
import pathlib
import sys

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

DATA = pathlib.Path(__file__).resolve().parents[2] / "src" / "onnx" / "tests" / "data"
TYPES = {"float32": "float", "int32": "int32", "int64": "int64", "bool": "bool"}
PROTO_TYPES = {
    "float32": TensorProto.FLOAT,
    "int32": TensorProto.INT32,
    "int64": TensorProto.INT64,
    "bool": TensorProto.BOOL,
}
groups = {}


def random(name, *shape, scale=1.0):
    """Floats that depend on nothing but the name and the shape."""
    seed = int.from_bytes(name.encode(), "little") % (2**63)
    return np.asarray(np.random.default_rng(seed).normal(size=shape) * scale, dtype="float32")


def tensor_json(array):
    if array.dtype == np.float32:
        # The shortest text that reads back as the same float.
        data = [float(np.format_float_positional(value, unique=True, trim="0")) for value in array.ravel()]
    else:
        data = array.ravel().tolist()
    return {"type": TYPES[str(array.dtype)], "shape": list(array.shape), "data": data}


def build(nodes, inputs, outputs, constants, opset, ir_version, symbolic):
    """A checked model; dimensions of the inputs named in `symbolic` are left open."""
    def info(name, array):
        shape = list(array.shape)
        for axis, symbol in symbolic.get(name, {}).items():
            shape[axis] = symbol
        return helper.make_tensor_value_info(name, PROTO_TYPES[str(array.dtype)], shape)

    graph = helper.make_graph(
        nodes,
        "golden",
        [info(name, array) for name, array in inputs.items()],
        outputs,
        [numpy_helper.from_array(array, name) for name, array in constants.items()],
    )
    model = helper.make_model(
        graph, producer_name="onnx_golden", opset_imports=[helper.make_opsetid("", opset)], ir_version=ir_version
    )
    onnx.checker.check_model(model)
    return model.SerializeToString()


def add(name, model, record):
    """Files a case under the function that makes its group."""
    group = sys._getframe(2).f_code.co_name
    cases = groups.setdefault(group, {})
    assert name not in cases, f"two cases are named {name}"
    cases[name] = {"model": base64.b64encode(model).decode()} | record


def declare(outputs, ranks):
    return [
        helper.make_tensor_value_info(out, PROTO_TYPES[kind], [f"{out}_{axis}" for axis in range(ranks[out])])
        for out, kind in outputs.items()
    ]


def case(name, nodes, inputs, outputs, constants=None, opset=17, tolerance=0.0, symbolic=None):
    """One golden case. `outputs` maps names to numpy dtypes."""
    if not isinstance(nodes, list):
        nodes = [nodes]
    # The first run only shows how many dimensions the outputs have: a complete model declares them.
    ranks = {out: 0 for out in outputs}
    for _ in range(2):
        model = build(nodes, inputs, declare(outputs, ranks), constants or {}, opset, 8, symbolic or {})
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        options.log_severity_level = 3
        session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
        results = session.run(list(outputs), inputs)
        ranks = {out: np.ndim(result) for out, result in zip(outputs, results)}
    add(name, model, {
        "tolerance": tolerance,
        "inputs": {key: tensor_json(array) for key, array in inputs.items()},
        "outputs": {key: tensor_json(np.asarray(array)) for key, array in zip(outputs, results)},
    })


def refused(name, message, nodes, inputs, outputs, constants=None, opset=17):
    declared = declare(outputs, {out: 2 for out in outputs})
    add(name, build(nodes, inputs, declared, constants or {}, opset, 8, {}), {"message": message})


node = helper.make_node
F, I32, I64, BOOL = "float32", "int32", "int64", "bool"


def i64(*values):
    return np.array(values, dtype="int64")


def elementwise():
    a, b = random("a", 2, 3, 4), random("b", 2, 3, 4)
    shapes = {"same": b, "scalar": random("s"), "bias": random("v", 4), "inner": random("i", 3, 1),
              "outer": random("o", 5, 1, 3, 4)}
    for op in ("Add", "Sub", "Mul", "Div"):
        for kind, other in shapes.items():
            case(f"{op.lower()}_{kind}", node(op, ["a", "b"], ["y"]), {"a": a, "b": other}, {"y": F}, tolerance=1e-6)
        left = np.array([[7, -7, 3], [0, 2147483647, -2147483648]], dtype="int32")
        right = np.array([2, -3, 5], dtype="int32")
        case(f"{op.lower()}_int32", node(op, ["a", "b"], ["y"]), {"a": left, "b": right}, {"y": I32})
        case(f"{op.lower()}_int64", node(op, ["a", "b"], ["y"]), {"a": left.astype("int64"), "b": right.astype("int64")},
             {"y": I64})
    equal = np.round(a)
    for op in ("Greater", "Equal"):
        case(f"{op.lower()}_float", node(op, ["a", "b"], ["y"]), {"a": equal, "b": np.round(b)}, {"y": BOOL})
        case(f"{op.lower()}_broadcast", node(op, ["a", "b"], ["y"]), {"a": equal, "b": np.round(random("v", 3, 1))},
             {"y": BOOL})
        case(f"{op.lower()}_int64", node(op, ["a", "b"], ["y"]), {"a": i64(1, 2, 3), "b": i64(3, 2, 1)}, {"y": BOOL})
    case("equal_bool", node("Equal", ["a", "b"], ["y"]),
         {"a": np.array([True, True, False]), "b": np.array([True, False, False])}, {"y": BOOL})
    wide = np.concatenate([np.linspace(-30, 30, 121), [-100, -88.5, -1e-5, 0, 1e-5, 88.5, 100]]).astype("float32")
    for op, tolerance in (("Relu", 0.0), ("Sigmoid", 4e-7), ("Tanh", 4e-7), ("Abs", 0.0), ("Identity", 0.0)):
        case(op.lower(), node(op, ["x"], ["y"]), {"x": wide}, {"y": F}, tolerance=tolerance)
    case("abs_int64", node("Abs", ["x"], ["y"]), {"x": i64(-3, 0, 5)}, {"y": I64})
    case("relu_scalar", node("Relu", ["x"], ["y"]), {"x": np.array(-1.5, dtype=F)}, {"y": F})
    values = {F: np.array([-2.7, -0.5, 0.0, 0.5, 2.7, 1e6], dtype=F), I32: np.array([-3, 0, 1, 70000], dtype=I32),
              I64: i64(-3, 0, 1, 70000), BOOL: np.array([True, False])}
    for source, array in values.items():
        for target in values:
            case(f"cast_{TYPES[source]}_{TYPES[target]}", node("Cast", ["x"], ["y"], to=PROTO_TYPES[target]),
                 {"x": array}, {"y": target})
    case("cast_opset_19", node("Cast", ["x"], ["y"], to=TensorProto.INT32), {"x": values[F]}, {"y": I32}, opset=19)


def shapes():
    x = random("x", 2, 3, 4)
    for perm in ([0, 1, 2], [1, 0, 2], [2, 1, 0], [0, 2, 1], [2, 0, 1]):
        case("transpose_" + "".join(map(str, perm)), node("Transpose", ["x"], ["y"], perm=perm), {"x": x}, {"y": F})
    case("transpose_default", node("Transpose", ["x"], ["y"]), {"x": x}, {"y": F})
    case("transpose_int32", node("Transpose", ["x"], ["y"]), {"x": np.arange(6, dtype=I32).reshape(2, 3)}, {"y": I32})
    ones = random("ones", 1, 3, 1, 2)
    case("squeeze_axes", node("Squeeze", ["x", "axes"], ["y"]), {"x": ones}, {"y": F}, {"axes": i64(-2)})
    case("squeeze_all", node("Squeeze", ["x"], ["y"]), {"x": ones}, {"y": F})
    case("unsqueeze", node("Unsqueeze", ["x", "axes"], ["y"]), {"x": x}, {"y": F}, {"axes": i64(0, -1)})
    case("reshape", node("Reshape", ["x", "s"], ["y"]), {"x": x}, {"y": F}, {"s": i64(4, -1)})
    case("reshape_zero", node("Reshape", ["x", "s"], ["y"]), {"x": x}, {"y": F}, {"s": i64(0, 0, 2, -1)})
    case("reshape_allowzero", node("Reshape", ["x", "s"], ["y"], allowzero=1), {"x": random("e", 0, 3)}, {"y": F},
         {"s": i64(3, 0)})
    for axis in (0, 1, 2, 3, -1):
        case(f"flatten_{axis}", node("Flatten", ["x"], ["y"], axis=axis), {"x": x}, {"y": F})
    case("concat_0", node("Concat", ["a", "b"], ["y"], axis=0), {"a": x, "b": random("b", 1, 3, 4)}, {"y": F})
    case("concat_1", node("Concat", ["a", "b", "a"], ["y"], axis=1), {"a": x, "b": random("b", 2, 5, 4)}, {"y": F})
    case("concat_last", node("Concat", ["a", "b"], ["y"], axis=-1), {"a": x, "b": random("b", 2, 3, 1)}, {"y": F})
    case("concat_int64", node("Concat", ["a", "b"], ["y"], axis=0), {"a": i64(1, 2), "b": i64(3)}, {"y": I64})
    case("shape", node("Shape", ["x"], ["y"]), {"x": x}, {"y": I64})
    case("shape_slice", node("Shape", ["x"], ["y"], start=-2, end=9), {"x": x}, {"y": I64})
    indices = np.array([[0, 2], [-1, 1]], dtype="int64")
    case("gather_0", node("Gather", ["x", "i"], ["y"]), {"x": random("g", 3, 4), "i": indices}, {"y": F})
    case("gather_1", node("Gather", ["x", "i"], ["y"], axis=1), {"x": x, "i": indices.astype("int32")}, {"y": F})
    case("gather_scalar", node("Gather", ["x", "i"], ["y"]), {"x": i64(5, 6, 7), "i": np.array(1)}, {"y": I64})
    case("constant_tensor", [node("Constant", [], ["c"], value=numpy_helper.from_array(random("c", 3, 4), "c")),
                             node("Add", ["x", "c"], ["y"])], {"x": x}, {"y": F})
    case("constant_float", [node("Constant", [], ["c"], value_float=2.5), node("Mul", ["x", "c"], ["y"])], {"x": x},
         {"y": F})
    case("constant_ints", [node("Constant", [], ["c"], value_ints=[6, 4]), node("Reshape", ["x", "c"], ["y"])],
         {"x": x}, {"y": F})
    # The values of a constant may stand in typed lists instead of raw bytes.
    lists = helper.make_tensor("c", TensorProto.FLOAT, [4], [1.0, -2.0, 3.5, 0.25])
    flags = helper.make_tensor("d", TensorProto.BOOL, [2], [True, False])
    case("constant_typed_lists", [node("Constant", [], ["c"], value=lists), node("Add", ["x", "c"], ["y"]),
                                  node("Constant", [], ["z"], value=flags)], {"x": x}, {"y": F, "z": BOOL})


def reductions():
    x, n = random("x", 2, 3, 4), np.arange(24, dtype="int32").reshape(2, 3, 4) - 12
    for keep in (0, 1):
        case(f"reduce_max_axis_{keep}", node("ReduceMax", ["x"], ["y"], axes=[1], keepdims=keep), {"x": x}, {"y": F})
        case(f"reduce_sum_axes_{keep}", node("ReduceSum", ["x", "axes"], ["y"], keepdims=keep), {"x": x}, {"y": F},
             {"axes": i64(0, -1)}, tolerance=2e-6)
    case("reduce_max_all", node("ReduceMax", ["x"], ["y"]), {"x": x}, {"y": F})
    case("reduce_max_18", node("ReduceMax", ["x", "axes"], ["y"]), {"x": x}, {"y": F}, {"axes": i64(2)}, opset=18)
    case("reduce_max_int32", node("ReduceMax", ["x"], ["y"], axes=[0, 2]), {"x": n}, {"y": I32})
    case("reduce_sum_all", node("ReduceSum", ["x"], ["y"]), {"x": x}, {"y": F}, tolerance=2e-6)
    case("reduce_sum_noop", node("ReduceSum", ["x"], ["y"], noop_with_empty_axes=1), {"x": x}, {"y": F})
    case("reduce_sum_int32", node("ReduceSum", ["x", "axes"], ["y"]), {"x": n}, {"y": I32}, {"axes": i64(1)})
    case("reduce_sum_int64", node("ReduceSum", ["x", "axes"], ["y"]), {"x": n.astype("int64")}, {"y": I64},
         {"axes": i64(0, 1, 2)})
    for axis in (-1, 0, 1):
        case(f"softmax_{axis}", node("Softmax", ["x"], ["y"], axis=axis), {"x": 10 * x}, {"y": F}, tolerance=4e-7)
    case("softmax_default", node("Softmax", ["x"], ["y"]), {"x": 50 * random("s", 3, 5)}, {"y": F}, tolerance=4e-7)
    case("softmax_13", node("Softmax", ["x"], ["y"]), {"x": x}, {"y": F}, opset=13, tolerance=4e-7)


def products():
    a, b, c = random("a", 5, 19), random("b", 19, 11), random("c", 11)
    addends = {"none": None, "scalar": random("s"), "row": c, "row2": random("r", 1, 11), "column": random("k", 5, 1),
               "full": random("f", 5, 11)}
    for kind, addend in addends.items():
        inputs = {"a": a, "b": b} | ({} if addend is None else {"c": addend})
        case(f"gemm_{kind}", node("Gemm", list(inputs), ["y"]), inputs, {"y": F}, tolerance=1e-5)
    for left in (0, 1):
        for right in (0, 1):
            arrays = {"a": a.T.copy() if left else a, "b": b.T.copy() if right else b, "c": c}
            case(f"gemm_transposed_{left}{right}",
                 node("Gemm", ["a", "b", "c"], ["y"], transA=left, transB=right, alpha=0.5, beta=-2.0), arrays,
                 {"y": F}, tolerance=1e-5)
    # Constant weights are packed when the model is loaded; a single row takes another path through the kernel.
    for rows in (1, 2, 33):
        case(f"gemm_constant_{rows}", node("Gemm", ["a", "b", "c"], ["y"], transB=1), {"a": random("a", rows, 40)},
             {"y": F}, {"b": random("w", 37, 40), "c": random("c", 37)}, tolerance=1e-5, symbolic={"a": {0: "N"}})
    matrices = {"2x2": ((3, 4), (4, 5)), "vector_left": ((4,), (4, 5)), "vector_right": ((3, 4), (4,)),
                "vectors": ((4,), (4,)), "batch": ((2, 3, 4), (2, 4, 5)), "batch_left": ((2, 3, 4), (4, 5)),
                "batch_right": ((3, 4), (2, 4, 5)), "batch_broadcast": ((2, 1, 3, 4), (3, 4, 5))}
    for kind, (left, right) in matrices.items():
        case(f"matmul_{kind}", node("MatMul", ["a", "b"], ["y"]), {"a": random("l", *left), "b": random("r", *right)},
             {"y": F}, tolerance=2e-6)
    case("matmul_constant", node("MatMul", ["a", "b"], ["y"]), {"a": random("l", 2, 3, 4)}, {"y": F},
         {"b": random("r", 4, 9)}, tolerance=2e-6)


def recurrent():
    for op, gates, outputs in (("GRU", 3, ["y", "h"]), ("LSTM", 4, ["y", "h", "c"])):
        for hidden, features, steps, rows in ((5, 3, 7, 4), (8, 1, 1, 1), (50, 19, 6, 3)):
            x = random("x", steps, rows, features)
            weights = {"W": random("W", 1, gates * hidden, features, scale=0.4),
                       "R": random("R", 1, gates * hidden, hidden, scale=0.4),
                       "B": random("B", 1, 2 * gates * hidden, scale=0.4)}
            lengths = (np.arange(rows) * 2 % (steps + 1)).astype("int32")
            variants = {"plain": (["x", "W", "R"], {}), "bias": (["x", "W", "R", "B"], {}),
                        "lengths": (["x", "W", "R", "B", "n"], {}), "lengths_only": (["x", "W", "R", "", "n"], {})}
            if op == "GRU":
                variants |= {"reset_after": (["x", "W", "R", "B"], {"linear_before_reset": 1}),
                             "reset_after_lengths": (["x", "W", "R", "B", "n"], {"linear_before_reset": 1})}
            if hidden == 50:
                # Wider than a panel of the kernel, and not a multiple of one: the real layer's size, once.
                variants = dict([variants.popitem()])
            for variant, (names, attributes) in variants.items():
                inputs = {"x": x} | ({"n": lengths} if "n" in names else {})
                constants = {name: weights[name] for name in names if name in weights}
                case(f"{op.lower()}_{hidden}_{variant}",
                     node(op, names, outputs, hidden_size=hidden, **attributes), inputs,
                     {name: F for name in outputs}, constants, tolerance=2e-6)
        hidden, features, steps, rows = 4, 3, 5, 40
        weights = {"W": random("W", 1, gates * hidden, features), "R": random("R", 1, gates * hidden, hidden),
                   "B": random("B", 1, 2 * gates * hidden)}
        inputs = {"x": random("x", steps, rows, features), "n": (np.arange(rows) % (steps + 1)).astype("int32")}
        # More rows than a block; weights as inputs are packed at run time; only the last state is wanted.
        case(f"{op.lower()}_rows", node(op, ["x", "W", "R", "B", "n"], ["", "h"], hidden_size=hidden),
             inputs | weights, {"h": F}, tolerance=2e-6)
        names = ["Sigmoid", "Relu"] if op == "GRU" else ["Sigmoid", "Relu", "Sigmoid"]
        case(f"{op.lower()}_activations",
             node(op, ["x", "W", "R", "B", "n"], ["", "h"], hidden_size=hidden, activations=names), inputs, {"h": F},
             {key: 0.2 * value for key, value in weights.items()}, tolerance=2e-6)


def classifier():
    """The whole sequence classifier, small, with lengths as an input and with lengths found in the graph."""
    steps, features, units, columns, hidden = 9, 4, 6, 3, 5
    constants = {"W": random("W", 1, 3 * units, features, scale=0.4), "R": random("R", 1, 3 * units, units, scale=0.4),
                 "B": random("B", 1, 6 * units, scale=0.4), "w1": random("w1", units + columns, hidden),
                 "b1": random("b1", hidden), "w2": random("w2", hidden, 3), "b2": random("b2", 3), "axis": i64(0)}
    lengths = np.array([9, 4, 0, 1, 7], dtype="int32")
    x = random("x", len(lengths), steps, features)
    for row, length in enumerate(lengths):
        x[row, length:] = 0
    tail = [node("Squeeze", ["h", "axis"], ["s"]), node("Concat", ["s", "extra"], ["c"], axis=1),
            node("Gemm", ["c", "w1", "b1"], ["d1"]), node("Relu", ["d1"], ["r1"]),
            node("Gemm", ["r1", "w2", "b2"], ["d2"]), node("Softmax", ["d2"], ["class"], axis=-1)]
    head = [node("Transpose", ["x"], ["t"], perm=[1, 0, 2]),
            node("GRU", ["t", "W", "R", "B", "n"], ["", "h"], hidden_size=units, linear_before_reset=1)]
    extra = random("extra", len(lengths), columns)
    open_rows = {"x": {0: "N", 1: "T"}, "extra": {0: "N"}, "n": {0: "N"}}
    case("classifier_lengths", head + tail, {"x": x, "extra": extra, "n": lengths}, {"class": F}, constants,
         tolerance=1e-6, symbolic=open_rows)
    find = [node("Abs", ["x"], ["a"]), node("ReduceMax", ["a"], ["m"], axes=[2], keepdims=0),
            node("Greater", ["m", "zero"], ["g"]), node("Cast", ["g"], ["i"], to=TensorProto.INT32),
            node("ReduceSum", ["i", "one"], ["n"], keepdims=0)]
    case("classifier_lengths_in_graph", find + head + tail, {"x": x, "extra": extra}, {"class": F},
         constants | {"zero": np.array(0, dtype=F), "one": i64(1)}, tolerance=1e-6, symbolic=open_rows)


def refusals():
    x, weights = random("x", 5, 2, 3), {"W": random("W", 1, 12, 3), "R": random("R", 1, 12, 4)}
    refused("operators", ["2 nodes are not supported", "`first` (Erf): no such operator", "`y` (Sin): no such operator"],
            [node("Erf", ["x"], ["e"], name="first"), node("Sin", ["e"], ["y"])], {"x": x}, {"y": F})
    refused("direction", ["`h` (GRU): direction `reverse`"],
            [node("GRU", ["x", "W", "R"], ["", "h"], hidden_size=4, direction="reverse")], {"x": x}, {"h": F}, weights)
    refused("clip", ["`h` (GRU): attribute `clip`"],
            [node("GRU", ["x", "W", "R"], ["", "h"], hidden_size=4, clip=1.0)], {"x": x}, {"h": F}, weights)
    refused("activation", ["`h` (GRU): activation `Elu`"],
            [node("GRU", ["x", "W", "R"], ["", "h"], hidden_size=4, activations=["Elu", "Tanh"])], {"x": x},
            {"h": F}, weights)
    refused("initial_state", ["`h` (GRU): input `initial_h`"],
            [node("GRU", ["x", "W", "R", "", "", "s"], ["", "h"], hidden_size=4)], {"x": x}, {"h": F},
            weights | {"s": random("s", 1, 2, 4)})
    refused("cast", ["`d` (Cast): to double"],
            [node("Cast", ["x"], ["d"], to=TensorProto.DOUBLE), node("Cast", ["d"], ["y"], to=TensorProto.FLOAT)],
            {"x": x}, {"y": F})
    refused("opset", ["operator set 12 is not supported, only 13 to 22"], [node("Relu", ["x"], ["y"])], {"x": x},
            {"y": F}, opset=12)


def main():
    for group in (elementwise, shapes, reductions, products, recurrent, classifier, refusals):
        group()
    count = sum(map(len, groups.values()))
    if "--check" in sys.argv:
        wrong = []
        for group, cases in groups.items():
            stored = json.loads((DATA / f"{group}.json").read_text())
            wrong += [f"{group}/{name}" for name in cases.keys() | stored.keys()
                      if not same(cases.get(name), stored.get(name))]
        print(f"{count} cases, {len(wrong)} differ" + "".join(f"\n  {name}" for name in sorted(wrong)))
        return 1 if wrong else 0
    DATA.mkdir(parents=True, exist_ok=True)
    for group, cases in groups.items():
        lines = ",\n".join(f"{json.dumps(name)}: {json.dumps(record)}" for name, record in cases.items())
        (DATA / f"{group}.json").write_text("{\n" + lines + "\n}\n")
    print(f"{count} cases, onnxruntime {onnxruntime.__version__}")
    return 0


def same(ours, stored):
    """Models and inputs must be equal; outputs may differ in the last bits, as with another ONNX Runtime."""
    if ours is None or stored is None or ours.keys() != stored.keys():
        return False
    if any(ours[key] != stored[key] for key in ours if key != "outputs"):
        return False
    mine, theirs = ours.get("outputs", {}), stored.get("outputs", {})
    return mine.keys() == theirs.keys() and all(
        mine[key]["shape"] == theirs[key]["shape"] and np.allclose(mine[key]["data"], theirs[key]["data"], 1e-5, 1e-6)
        for key in mine
    )


if __name__ == "__main__":
    sys.exit(main())
