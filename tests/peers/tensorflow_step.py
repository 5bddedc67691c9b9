#!/usr/bin/env python3
"""Milliseconds of one TensorFlow training step of the Inclusive Classifier: the peer of our `step` benchmark.

    python tests/peers/tensorflow_step.py [--threads 1] [--steps 10] [--mean-length 801] [--jit] [--lstm]
    cargo bench -p pipectl-train-burn --bench step

Batches of 128 rows of 801 steps, padded behind and masked, as the model declares it. Needs tensorflow-cpu and numpy.
"""

import argparse
import os
import time

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("--threads", type=int, default=1)
parser.add_argument("--steps", type=int, default=10)
parser.add_argument("--mean-length", type=float, default=801, help="mean real steps of a row; the rest is padding")
parser.add_argument("--jit", action="store_true", help="compile with XLA")
parser.add_argument("--lstm", action="store_true", help="an LSTM in place of the GRU")
options = parser.parse_args()

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
import tensorflow as tf

ROWS, STEPS, FEATURES, OTHERS = 128, 801, 19, 14

tf.config.threading.set_intra_op_parallelism_threads(options.threads)
tf.config.threading.set_inter_op_parallelism_threads(options.threads)

recurrent = keras.layers.LSTM if options.lstm else keras.layers.GRU
sequence = keras.Input((STEPS, FEATURES))
others = keras.Input((OTHERS,))
left = keras.layers.Dropout(0.2)(recurrent(50)(keras.layers.Masking(0.0)(sequence)))
right = keras.layers.Dropout(0.2)(others)
hidden = keras.layers.Dense(25, activation="relu")(keras.layers.Concatenate()([left, right]))
model = keras.Model([sequence, others], keras.layers.Dense(3, activation="softmax")(hidden))
model.compile(loss="categorical_crossentropy", optimizer=keras.optimizers.Adam(5e-4), jit_compile=options.jit)

random = np.random.default_rng(0)
spread = 171 if options.mean_length < STEPS else 0
shifts = spread * (random.random(ROWS) + random.random(ROWS) - 1)
lengths = np.clip(options.mean_length + shifts, 1, STEPS).astype(int)
values = random.normal(size=(ROWS, STEPS, FEATURES)).astype("float32")
values[np.arange(STEPS)[None, :] >= lengths[:, None]] = 0
rows = [tf.constant(values), tf.constant(random.normal(size=(ROWS, OTHERS)).astype("float32"))]
labels = tf.constant(np.eye(3, dtype="float32")[random.integers(0, 3, ROWS)])

times = []
for _ in range(options.steps + 2):
    start = time.perf_counter()
    model.train_on_batch(rows, labels)
    times.append((time.perf_counter() - start) * 1e3)
# The first two steps trace and compile.
times = np.sort(times[2:])
print(
    f"tensorflow {tf.__version__} {'lstm' if options.lstm else 'gru'}{' jit' if options.jit else ''} "
    f"mean {lengths.mean():.1f} threads {options.threads}: median {np.median(times):.1f} ms, best {times[0]:.1f} ms"
)
