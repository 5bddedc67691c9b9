#!/usr/bin/env python3
"""Writes the fixtures of src/formats/tests/golden that other programs must have written: Parquet by pyarrow, TFRecord by
TensorFlow. Run it only to add cases; the files are committed.

usage: make_format_fixtures.py FOLDER
"""
import json
import os
import sys

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq


def spark_vectors():
    """Three of Spark's VectorUDT: dense, sparse, dense again (its indices and size are null then)."""
    kind = pa.struct(
        [("type", pa.int8()), ("size", pa.int32()), ("indices", pa.list_(pa.int32())), ("values", pa.list_(pa.float64()))]
    )
    rows = [
        {"type": 1, "size": None, "indices": None, "values": [1.5, 2.5, 3.5]},
        {"type": 0, "size": 3, "indices": [1], "values": [1.0]},
        {"type": 1, "size": None, "indices": None, "values": [0.0, -1.0, 1e300]},
    ]
    return pa.array(rows, kind)


def kinds(folder):
    matrix = [[[1, 2], [3, 4]], [], [[5, 6]]]
    columns = {
        "double": pa.array([0.1, -2.5, 1e300], pa.float64()),
        "float": pa.array([0.5, None, -1.25], pa.float32()),
        "half": pa.array(np.array([0.5, 1.0, -2.0], np.float16)),
        "int8": pa.array([-128, 0, 127], pa.int8()),
        "int64": pa.array([-(2**53), 0, 2**53], pa.int64()),
        "uint64": pa.array([0, 1, 2**53], pa.uint64()),
        "boolean": pa.array([True, False, True]),
        "list": pa.array([[1.0, 2.0], [], [3.0]], pa.list_(pa.float64())),
        "bytes_list": pa.array([[1], [2, 3], [None]], pa.list_(pa.int8())),
        "large_list": pa.array([[1.0], [2.0, 3.0], []], pa.large_list(pa.float32())),
        "fixed": pa.array([[1, 2], [3, 4], [5, 6]], pa.list_(pa.float32(), 2)),
        "matrix": pa.array(matrix, pa.list_(pa.list_(pa.float64()))),
        "fixed_matrix": pa.array([[[1, 2]], [[3, 4], [5, 6]], []], pa.list_(pa.list_(pa.float32(), 2))),
        "spark": spark_vectors(),
        "text": pa.array(["a", "b", "c"]),
        "wide": pa.array([0, 2**53 + 1, 0], pa.int64()),
        "jagged": pa.array([[[1.0]], [[1.0], [1.0, 2.0]], []], pa.list_(pa.list_(pa.float64()))),
        "holes": pa.array([[1.0], None, []], pa.list_(pa.float64())),
    }
    # Two rows a row group, so that the third row tells files' rows from row groups' rows.
    pq.write_table(pa.table(columns), os.path.join(folder, "kinds.parquet"), row_group_size=2, compression="snappy")


def checksums(folder):
    table = pa.table({"a": pa.array([1.5, -2.5, 3.5, 0.25] * 8, pa.float64())})
    path = os.path.join(folder, "checksums.parquet")
    pq.write_table(table, path, compression="none", use_dictionary=False, write_page_checksum=True)


def tensorflow_records(folder):
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
    import tensorflow as tf

    def feature(**kind):
        return tf.train.Feature(**kind)

    with tf.io.TFRecordWriter(os.path.join(folder, "tensorflow.tfrecord")) as writer:
        for row in range(3):
            features = {
                "floats": feature(float_list=tf.train.FloatList(value=[row + 0.25, -1.5, 3.4e38])),
                "integers": feature(int64_list=tf.train.Int64List(value=[row, -1, 2**62])),
                "text": feature(bytes_list=tf.train.BytesList(value=[b"row %d" % row])),
                "empty": feature(),
            }
            writer.write(serialized(features))


def serialized(features):
    """An example whose features lie in the byte order of their names, as ours do. Protobuf's own deterministic order is
    another one, so single features are serialized and joined, which is how protobuf merges messages."""
    import tensorflow as tf

    joined = b"".join(
        tf.train.Features(feature={name: features[name]}).SerializeToString() for name in sorted(features)
    )
    length, varint = len(joined), b""
    while length >= 0x80:
        varint += bytes([length & 0x7F | 0x80])
        length >>= 7
    whole = b"\x0a" + varint + bytes([length]) + joined
    assert dict(tf.train.Example.FromString(whole).features.feature) == features
    return whole


def version_1(folder):
    """What our writers must write to the last byte, written by TensorFlow: records.tfrecord and dataset-1."""
    import tensorflow as tf

    def floats(*values):
        return tf.train.Feature(float_list=tf.train.FloatList(value=values))

    def integers(*values):
        return tf.train.Feature(int64_list=tf.train.Int64List(value=values))

    largest = float(np.finfo(np.float32).max)
    with tf.io.TFRecordWriter(os.path.join(folder, "records.tfrecord")) as writer:
        writer.write(serialized({"GRU_input": floats(0.0, 1.0, -2.5, largest), "GRU_input_length": integers(2)}))
        writer.write(b"second")

    dataset = os.path.join(folder, "dataset-1")
    os.makedirs(dataset, exist_ok=True)
    for shard, rows in enumerate([range(0, 4), range(4, 7)]):
        with tf.io.TFRecordWriter(os.path.join(dataset, f"part-{shard:05}.tfrecord")) as writer:
            for row in rows:
                steps = row % 6
                features = {
                    "sequence": floats(*[float(row)] * (2 * steps)),
                    "sequence_length": integers(steps),
                    "features": floats(0.5, 1.5, float(row)),
                    "weight": floats(-1.0),
                }
                writer.write(serialized(features))
    manifest = {
        "version": 1,
        "format": "tfrecord",
        "rows": 7,
        "files": [{"path": "part-00000.tfrecord", "rows": 4}, {"path": "part-00001.tfrecord", "rows": 3}],
        "columns": [
            {"name": "sequence", "shape": [5, 2], "ragged": True},
            {"name": "features", "shape": [3], "ragged": False},
            {"name": "weight", "shape": [], "ragged": False},
        ],
    }
    with open(os.path.join(dataset, "dataset.json"), "w") as file:
        file.write(json.dumps(manifest, indent=2) + "\n")


if __name__ == "__main__":
    folder = sys.argv[1]
    kinds(folder)
    checksums(folder)
    tensorflow_records(folder)
    version_1(folder)
