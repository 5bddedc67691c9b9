#!/usr/bin/env python3
"""Writes the fixtures of src/stage-convert/tests/data: extracts of generated events and what numpy makes of them.

usage: make_convert_fixtures.py SOURCE DESTINATION

SOURCE holds train_compact.parquet, train_InclusiveClassifier_300.parquet and test_full_schema_200.parquet (simulated
events, see pipelines/data/hep/README.md). The files are committed; run this only to change them.
"""
import pathlib
import sys

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

FEATURES = [
    "Energy", "Px", "Py", "Pz", "Pt", "Eta", "Phi", "vtxX", "vtxY", "vtxZ", "ChPFIso", "GammaPFIso", "NeuPFIso",
    "isChHad", "isNeuHad", "isGamma", "isEle", "isMu", "Charge",
]
SPARK_VECTOR = pa.struct(
    [("type", pa.int8()), ("size", pa.int32()), ("indices", pa.list_(pa.int32())), ("values", pa.list_(pa.float64()))]
)


def dense(rows):
    return pa.array([{"type": 1, "size": None, "indices": None, "values": row} for row in rows], SPARK_VECTOR)


def sparse(rows):
    vectors = []
    for row in rows:
        places = [place for place, value in enumerate(row) if value]
        vectors.append({"type": 0, "size": len(row), "indices": places, "values": [row[place] for place in places]})
    return pa.array(vectors, SPARK_VECTOR)


def write(columns, path):
    split = [leaf for leaf in leaves(pa.table(columns).schema)]
    pq.write_table(
        pa.table(columns), path, compression="zstd", compression_level=22, use_dictionary=False, write_statistics=False,
        column_encoding={leaf: "BYTE_STREAM_SPLIT" for leaf in split},
    )
    print(path, path.stat().st_size, "bytes")


def leaves(schema):
    """Paths of float leaves: only these take the encoding that splits bytes."""
    for field in schema:
        path, kind = field.name, field.type
        while pa.types.is_list(kind):
            path, kind = path + ".list.element", kind.value_type
        if pa.types.is_floating(kind):
            yield path


def prepared(particles):
    """The packed preparation: sorted by descending distance to the lepton, standardised over the particles there are."""
    eta = particles[0, 5] - particles[:, 5]
    phi = particles[0, 6] - particles[:, 6]
    phi = np.where(phi > np.pi, phi - 2 * np.pi, np.where(phi < -np.pi, phi + 2 * np.pi, phi))
    particles = particles[np.argsort(-np.sqrt(eta * eta + phi * phi), kind="stable")]
    deviation = particles.std(0)
    return (particles - particles.mean(0)) / np.where(deviation == 0, 1, deviation)


def main():
    source, destination = map(pathlib.Path, sys.argv[1:3])
    destination.mkdir(parents=True, exist_ok=True)

    # Two events in the schema of the original's trainUndersampled.parquet, vectors as Spark writes them.
    full = pq.read_table(source / "test_full_schema_200.parquet").slice(0, 2).to_pydict()
    matrix = pa.list_(pa.list_(pa.float64()))
    write(
        {
            "hfeatures": dense(full["hfeatures"]),
            "label": pa.array(full["label"], pa.int64()),
            "lfeatures": pa.array(full["lfeatures"], matrix),
            "hfeatures_dense": dense(full["hfeatures_dense"]),
            "encoded_label": sparse(full["encoded_label"]),
            "HLF_input": dense(full["HLF_input"]),
            "GRU_input": pa.array(full["GRU_input"], matrix),
        },
        destination / "original_2.parquet",
    )

    # Six events as they are shipped, two row groups.
    compact = pq.read_table(source / "train_compact.parquet").slice(0, 6)
    pq.write_table(
        compact, destination / "compact_6.parquet", compression="zstd", compression_level=22, row_group_size=4,
        use_dictionary=["type.list.element", "Charge.list.element"], write_statistics=False,
        column_encoding={f"{n}.list.element": "BYTE_STREAM_SPLIT" for n in FEATURES if compact.schema.get_field_index(n) >= 0 and n != "Charge"},
    )
    print(destination / "compact_6.parquet", (destination / "compact_6.parquet").stat().st_size, "bytes")

    # What numpy makes of the first two of them, packed; and the original's own rows, made from the uncut values.
    rows = compact.slice(0, 2).to_pydict()
    packed = []
    for event in range(2):
        column = {name: np.array(rows[name][event], np.float64) for name in rows if isinstance(rows[name][event], list)}
        pt, eta, phi = column["Pt"], column["Eta"], column["Phi"]
        kinds = np.eye(5)[column["type"].astype(int)]
        derived = {"Energy": pt * np.cosh(eta), "Px": pt * np.cos(phi), "Py": pt * np.sin(phi), "Pz": pt * np.sinh(eta)}
        derived |= {name: kinds[:, place] for place, name in enumerate(FEATURES[13:18])}
        particles = np.stack([derived.get(name, column.get(name)) for name in FEATURES], axis=1)
        packed.append(prepared(particles).ravel())
    original = pq.read_table(source / "train_InclusiveClassifier_300.parquet").slice(0, 2).to_pydict()
    floats = pa.list_(pa.float32())
    write(
        {
            "packed": pa.array(packed, floats),
            "padded": pa.array([np.array(row, np.float32) for row in original["GRU_input"]], floats),
            "HLF_input": pa.array([np.array(row, np.float32) for row in original["HLF_input"]], floats),
            "encoded_label": pa.array([np.array(row, np.float32) for row in original["encoded_label"]], floats),
        },
        destination / "expected_2.parquet",
    )


if __name__ == "__main__":
    main()
