#!/usr/bin/env python3
"""TensorFlow's side of src/formats/tests/tensorflow_peer.rs.

usage: tfrecord_tensorflow.py read FOLDER     print what TensorFlow reads from our dataset, floats as their 32 bits
       tfrecord_tensorflow.py write FOLDER    write a dataset with TensorFlow; expected.json holds what is in it
       tfrecord_tensorflow.py refuse FILE     succeed if TensorFlow finds the file damaged
"""
import json
import os
import sys

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
import numpy as np
import tensorflow as tf


def bits(values):
    return [int(value) for value in np.asarray(values, np.float32).ravel().view(np.uint32)]


def read(folder):
    manifest = json.load(open(os.path.join(folder, "dataset.json")))
    features = {}
    for column in manifest["columns"]:
        name = column["name"]
        if column["ragged"]:
            features[name] = tf.io.RaggedFeature(tf.float32)
            features[name + "_length"] = tf.io.FixedLenFeature([], tf.int64)
        else:
            features[name] = tf.io.FixedLenFeature(column["shape"], tf.float32)
    files = [os.path.join(folder, file["path"]) for file in manifest["files"]]
    rows = []
    for record in tf.data.TFRecordDataset(files):
        example = tf.io.parse_single_example(record, features)
        row = {column["name"]: bits(example[column["name"]]) for column in manifest["columns"]}
        for column in manifest["columns"]:
            if column["ragged"]:
                row[column["name"] + "_length"] = int(example[column["name"] + "_length"])
        rows.append(row)
    print(json.dumps(rows))


def write(folder):
    numbers = np.random.default_rng(7)
    files, expected = [], []
    for shard, rows in enumerate([3, 0, 5]):
        name = f"part-r-{shard:05}"
        files.append({"path": name, "rows": rows})
        with tf.io.TFRecordWriter(os.path.join(folder, name)) as writer:
            for _ in range(rows):
                steps = int(numbers.integers(0, 40))
                sequence = numbers.normal(size=steps * 19).astype(np.float32)
                fixed = (numbers.normal(size=14) * 1e30).astype(np.float32)
                label = int(numbers.integers(0, 3))
                feature = {
                    "sequence": tf.train.Feature(float_list=tf.train.FloatList(value=sequence)),
                    "fixed": tf.train.Feature(float_list=tf.train.FloatList(value=fixed)),
                    # An integer label and a text that is no column: both are ordinary in records of others.
                    "label": tf.train.Feature(int64_list=tf.train.Int64List(value=[label])),
                    "source": tf.train.Feature(bytes_list=tf.train.BytesList(value=[b"tensorflow"])),
                }
                example = tf.train.Example(features=tf.train.Features(feature=feature))
                writer.write(example.SerializeToString())
                expected.append({"sequence": bits(sequence), "fixed": bits(fixed), "label": bits([label])})
    columns = [
        {"name": "sequence", "shape": [40, 19], "ragged": True},
        {"name": "fixed", "shape": [14], "ragged": False},
        {"name": "label", "shape": [], "ragged": False},
    ]
    manifest = {"version": 1, "format": "tfrecord", "rows": 8, "files": files, "columns": columns}
    json.dump(manifest, open(os.path.join(folder, "dataset.json"), "w"))
    json.dump(expected, open(os.path.join(folder, "expected.json"), "w"))


def refuse(path):
    try:
        for _ in tf.data.TFRecordDataset([path]):
            pass
    except tf.errors.DataLossError as error:
        print(error.message)
        return
    sys.exit("TensorFlow read the damaged file without a complaint")


if __name__ == "__main__":
    {"read": read, "write": write, "refuse": refuse}[sys.argv[1]](sys.argv[2])
