#!/usr/bin/env python3
"""Train the Inclusive Classifier with TensorFlow on the shipped events: the figure to compare with.

The model, the optimiser and the initialisers are Keras' own, so that a run of `pipelines/hep.hcl`
can be held against an independent implementation on the same events. Two preparations:

* packed: the particles of an event sorted by falling distance dR to the lepton and standardised
  over the real particles alone; padding is zero and masked.
* faithful: padded to 801 rows first, then sorted and standardised over all 801 rows, as the
  original SparkDLTrigger notebooks do; the padding is no longer zero and nothing is masked.

Standard output is one JSON document; progress goes to standard error.
"""

import argparse
import json
import os
import pathlib
import sys
import time

MAX_PARTICLES = 801
FEATURES = 19
PARTICLE_TYPES = 5


def read_events(paths):
    """Return (HLF [N, 14] float64, labels [N] int, list of [n, 19] float64 arrays)."""
    import numpy
    import pyarrow
    import pyarrow.parquet as parquet

    table = pyarrow.concat_tables([parquet.read_table(path) for path in paths]).combine_chunks()
    labels = table["label"].to_numpy().astype(int)
    hlf = numpy.stack(table["hfeatures"].to_numpy()).astype(numpy.float64)

    def flat(name):
        return table[name].combine_chunks().flatten().to_numpy().astype(numpy.float64)

    lengths = table["Pt"].combine_chunks().value_lengths().to_numpy()
    pt, eta, phi = flat("Pt"), flat("Eta"), flat("Phi")
    columns = [
        pt * numpy.cosh(eta), pt * numpy.cos(phi), pt * numpy.sin(phi), pt * numpy.sinh(eta),
        pt, eta, phi,
        *(flat(name) for name in
          ("vtxX", "vtxY", "vtxZ", "ChPFIso", "GammaPFIso", "NeuPFIso")),
        *(numpy.eye(PARTICLE_TYPES)[flat("type").astype(int)].T),
        flat("Charge"),
    ]
    rows = numpy.stack(columns, axis=1)
    return hlf, labels, numpy.split(rows, numpy.cumsum(lengths)[:-1])


def sort_and_standardise(rows, lepton):
    """Sort by falling dR to the lepton (stable) and standardise each column (population deviation)."""
    import numpy

    eta, phi = lepton
    delta_eta = rows[:, 5] - eta
    delta_phi = rows[:, 6] - phi
    delta_phi = numpy.where(delta_phi > numpy.pi, delta_phi - 2 * numpy.pi, delta_phi)
    delta_phi = numpy.where(delta_phi < -numpy.pi, delta_phi + 2 * numpy.pi, delta_phi)
    order = numpy.argsort(-numpy.hypot(delta_eta, delta_phi), kind="stable")
    rows = rows[order]
    deviation = rows.std(axis=0)
    return (rows - rows.mean(axis=0)) / numpy.where(deviation == 0, 1, deviation)


def prepare(events, preparation, padding):
    """Return [N, 801, 19] float32."""
    import numpy

    out = numpy.zeros((len(events), MAX_PARTICLES, FEATURES), numpy.float32)
    for target, rows in zip(out, events):
        lepton = rows[0, 5], rows[0, 6]
        if preparation == "faithful":
            padded = numpy.zeros((MAX_PARTICLES, FEATURES))
            padded[: len(rows)] = rows
            target[:] = sort_and_standardise(padded, lepton)
        else:
            rows = sort_and_standardise(rows, lepton)
            if padding == "front":
                target[MAX_PARTICLES - len(rows):] = rows
            else:
                target[: len(rows)] = rows
    return out


def build(preparation):
    """The Inclusive Classifier: 12,353 parameters."""
    from keras import Input, Model, layers

    gru_input = Input(shape=(MAX_PARTICLES, FEATURES), name="gru_input")
    hlf_input = Input(shape=(14,), name="hlf_input")
    # Faithful preparation leaves no all-zero row: masking would only cost time.
    branch = layers.Masking(mask_value=0.0)(gru_input) if preparation == "packed" else gru_input
    branch = layers.GRU(units=50, activation="tanh", name="gru")(branch)
    branch = layers.Dropout(0.2)(branch)
    merged = layers.concatenate([branch, layers.Dropout(0.2)(hlf_input)])
    hidden = layers.Dense(25, activation="relu", name="hidden")(merged)
    output = layers.Dense(3, activation="softmax", name="class")(hidden)
    model = Model(inputs=[gru_input, hlf_input], outputs=output)
    assert model.count_params() == 12353, model.count_params()
    return model


def area_under_curve(scores, positive):
    """Area under the ROC curve by ranks (ties share their mean rank)."""
    import numpy

    _, inverse, counts = numpy.unique(scores, return_inverse=True, return_counts=True)
    last = numpy.cumsum(counts)
    ranks = (last - (counts - 1) / 2)[inverse]
    n_positive = positive.sum()
    n_negative = len(positive) - n_positive
    return float((ranks[positive].sum() - n_positive * (n_positive + 1) / 2) / (n_positive * n_negative))


def rate_of(epoch, arguments):
    """Piecewise constant: rates[k] from the fraction starts[k] of all epochs on."""
    rate = arguments.rates[0]
    for start, candidate in zip([0.0, *arguments.starts], arguments.rates):
        if epoch >= start * arguments.epochs - 1e-9:
            rate = candidate
    return rate


def train(seed, train_data, test_data, arguments):
    """One run; returns its figures as a dictionary."""
    import keras
    import numpy

    keras.utils.set_random_seed(seed)
    (inputs, targets), (test_inputs, test_targets) = train_data, test_data
    model = build(arguments.preparation)
    model.compile(
        loss="categorical_crossentropy",
        optimizer=keras.optimizers.Adam(arguments.rates[0]),
        metrics=["accuracy"],
        jit_compile=arguments.jit,
    )
    accuracies, losses, started = [], [], time.monotonic()
    for epoch in range(arguments.epochs):
        model.optimizer.learning_rate.assign(rate_of(epoch, arguments))
        history = model.fit(
            inputs, targets, batch_size=arguments.batch_size, epochs=1, shuffle=True, verbose=0
        )
        probabilities = model.predict(test_inputs, batch_size=250, verbose=0)
        accuracy = float((probabilities.argmax(1) == test_targets.argmax(1)).mean())
        accuracies.append(round(accuracy, 4))
        losses.append(round(history.history["loss"][0], 4))
        print(
            f"{arguments.preparation} seed {seed} epoch {epoch + 1}/{arguments.epochs}: "
            f"train loss {losses[-1]:.4f}, test accuracy {accuracy:.4f}, "
            f"{time.monotonic() - started:.0f} s",
            file=sys.stderr, flush=True,
        )
    truth = test_targets.argmax(1)
    likelihood = numpy.clip(probabilities[numpy.arange(len(truth)), truth], 1e-7, 1)
    return {
        "seed": seed,
        "test_accuracy": accuracies[-1],
        "test_accuracy_by_epoch": accuracies,
        "train_loss_by_epoch": losses,
        "test_loss": round(float(-numpy.log(likelihood).mean()), 4),
        "test_auc": [
            round(area_under_curve(probabilities[:, k], truth == k), 4) for k in range(3)
        ],
        "seconds": round(time.monotonic() - started, 1),
    }


def main():
    repository = pathlib.Path(__file__).resolve().parents[2]
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=pathlib.Path, default=repository / "pipelines/data/hep")
    parser.add_argument("--preparation", choices=["packed", "faithful"], default="packed")
    parser.add_argument("--padding", choices=["front", "back"], default="front")
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--batch-size", type=int, default=64)
    parser.add_argument("--rates", type=float, nargs="+", default=[1e-3, 4e-4, 2e-4])
    parser.add_argument(
        "--starts", type=float, nargs="*", default=[0.5, 0.8],
        help="the fraction of the epochs from which the second, third, ... rate holds",
    )
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--no-jit", dest="jit", action="store_false", help="do not compile with XLA")
    arguments = parser.parse_args()
    if len(arguments.rates) != len(arguments.starts) + 1:
        parser.error("--rates needs one value more than --starts")

    os.environ.setdefault("OMP_NUM_THREADS", str(arguments.threads))
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    import numpy
    import tensorflow

    tensorflow.config.threading.set_intra_op_parallelism_threads(arguments.threads)
    tensorflow.config.threading.set_inter_op_parallelism_threads(arguments.threads)

    splits = {}
    for split in ("train", "test"):
        paths = sorted(arguments.data.glob(f"{split}-*.parquet"))
        if not paths:
            sys.exit(f"no {split}-*.parquet in {arguments.data}")
        splits[split] = read_events(paths)
    low, high = splits["train"][0].min(axis=0), splits["train"][0].max(axis=0)
    width = numpy.where(high > low, high - low, 1)

    def tensors(split):
        hlf, labels, events = splits[split]
        particles = prepare(events, arguments.preparation, arguments.padding)
        scaled = ((hlf - low) / width).astype(numpy.float32)
        return [particles, scaled], numpy.eye(3, dtype=numpy.float32)[labels]

    train_data, test_data = tensors("train"), tensors("test")
    runs = [train(seed, train_data, test_data, arguments) for seed in arguments.seeds]
    accuracies = [run["test_accuracy"] for run in runs]
    print(json.dumps({
        "tensorflow": tensorflow.__version__,
        "preparation": arguments.preparation,
        "padding": arguments.padding,
        "train_events": len(train_data[1]),
        "test_events": len(test_data[1]),
        "epochs": arguments.epochs,
        "batch_size": arguments.batch_size,
        "rates": arguments.rates,
        "starts": arguments.starts,
        "mean_test_accuracy": round(float(numpy.mean(accuracies)), 4),
        "runs": runs,
    }, indent=1))


if __name__ == "__main__":
    main()
