#!/usr/bin/env python3
"""The records that the example pipelines make, read by TensorFlow and held against numpy, value by value.

usage: pipelines_interop.py        PIPECTL names the program, as tests/run sets it

What numpy computes is what tensorflow_baseline.py trains on: so the preparation of `hep.hcl` is the one called packed
there, and that of `hep-faithful.hcl` the original's, called faithful.
"""
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
import numpy as np
import tensorflow as tf

import tensorflow_baseline as baseline

ROOT = pathlib.Path(__file__).resolve().parents[2]
TRAIN, TEST = "data/hep/train-0.parquet", "data/hep/test-0.parquet"
# Float32 of a double that may differ from numpy's in its last bits.
TOLERANCE = 2e-6


def apply(folder, name, *variables):
    given = [f"-var={variable}" for variable in (f'train_events="{TRAIN}"', f'test_events="{TEST}"', *variables)]
    program = pathlib.Path(os.environ["PIPECTL"]).resolve()
    command = [program, "apply", "-auto-approve", *given, f"{name}.hcl"]
    run = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    assert run.returncode == 0, run.stdout + run.stderr


def records(dataset, ragged):
    """The examples of a dataset in order: (GRU_input [steps, 19], HLF_input, encoded_label)."""
    particles = tf.io.RaggedFeature(tf.float32) if ragged else tf.io.FixedLenFeature([801 * 19], tf.float32)
    features = {
        "GRU_input": particles,
        "HLF_input": tf.io.FixedLenFeature([14], tf.float32),
        "encoded_label": tf.io.FixedLenFeature([3], tf.float32),
    }
    for record in tf.data.TFRecordDataset(sorted(str(path) for path in dataset.glob("part-*"))):
        example = tf.io.parse_single_example(record, features)
        yield tuple(np.asarray(example[name]) for name in features)


def judge(folder, name, stage, events, preparation, lowest, highest):
    """Compares every record of a stage's dataset with its event; returns how many there were."""
    hlf, labels, particles = events
    dataset = folder / "artifacts" / name / stage / "dataset"
    found = list(records(dataset, preparation == "packed"))
    assert len(found) == len(labels), f"{name} {stage}: {len(found)} records for {len(labels)} events"
    scaled = (hlf - lowest) / np.where(highest == lowest, 1, highest - lowest)
    padded = baseline.prepare(particles, preparation, "end")
    for number, (record, rows) in enumerate(zip(found, particles)):
        steps = len(rows) if preparation == "packed" else baseline.MAX_PARTICLES
        expected = (padded[number][:steps].ravel(), scaled[number], np.eye(3)[labels[number]])
        for feature, values, wanted in zip(("GRU_input", "HLF_input", "encoded_label"), record, expected):
            assert values.shape == wanted.shape, f"{name} {stage} {number} {feature}: {values.shape} {wanted.shape}"
            allowed = TOLERANCE * np.maximum(np.abs(wanted), 1)
            worst = int(np.argmax(np.abs(values - wanted) - allowed))
            assert abs(values[worst] - wanted[worst]) <= allowed[worst], (
                f"{name} {stage}, event {number}, {feature}[{worst}]: {values[worst]}, numpy says {wanted[worst]}")
    return len(found)


def part(events, rows):
    hlf, labels, particles = events
    return hlf[rows], labels[rows], particles[rows]


def main():
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        (folder / "data/hep").mkdir(parents=True)
        for file in (TRAIN, TEST):
            shutil.copy(ROOT / "pipelines" / file, folder / file)
        for name in ("hep", "hep-faithful"):
            shutil.copy(ROOT / f"pipelines/{name}.hcl", folder)
        train, test = (baseline.read_events([folder / file]) for file in (TRAIN, TEST))
        count = 0

        apply(folder, "hep", "epochs=1")
        scale = (train[0].min(0), train[0].max(0))
        for stage, events in (("train", train), ("test", test)):
            count += judge(folder, "hep", f"convert.events[{stage}]", events, "packed", *scale)

        apply(folder, "hep-faithful", "epochs=1", "events={train=50,validation=20,test=30}", "cell=lstm")
        first = part(train, slice(0, 50))
        scale = (first[0].min(0), first[0].max(0))
        for stage, events in (
            ("train", first),
            ("validation", part(train, slice(50, 70))),
            ("test", part(test, slice(0, 30))),
        ):
            count += judge(folder, "hep-faithful", f"convert.events[{stage}]", events, "faithful", *scale)
        print(f"{count} records are those of numpy")


if __name__ == "__main__":
    sys.exit(main())
