#!/usr/bin/env python3
"""Make the events of pipelines/data/hep from the full generated set.

usage: make_split.py SOURCE [DESTINATION] [--train 4000] [--test 1000] [--rows-per-file 1000]

SOURCE holds train_compact.parquet and test_compact.parquet. The first rows of each, in their
order, are written to train-0.parquet, train-1.parquet, ... and test-0.parquet, ... in DESTINATION
(pipelines/data/hep of this repository unless given). Schema, key-value metadata and every value
are kept; only the Parquet encoding differs, and the script reads each file back to prove it.
"""

import argparse
import pathlib
import sys

import pyarrow.parquet as parquet

# Particle columns are float32 with a mantissa cut to twelve bits. Splitting the four bytes of each
# value into four streams puts the zero bits together, which is what makes them compress.
SPLIT_BYTES = [
    "Pt", "Eta", "Phi", "vtxX", "vtxY", "vtxZ", "ChPFIso", "GammaPFIso", "NeuPFIso",
]
# Columns of few distinct values: a dictionary of bit-packed indices is smaller than plain integers.
DICTIONARY = ["type", "Charge"]


def write(table, path, row_group_size):
    """Write one file with the smallest encoding that common Parquet readers understand."""
    parquet.write_table(
        table,
        path,
        compression="zstd",
        compression_level=22,
        row_group_size=row_group_size,
        use_dictionary=[f"{name}.list.element" for name in DICTIONARY],
        column_encoding={f"{name}.list.element": "BYTE_STREAM_SPLIT" for name in SPLIT_BYTES},
        write_statistics=False,
    )


def main():
    repository = pathlib.Path(__file__).resolve().parents[2]
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("source", type=pathlib.Path)
    parser.add_argument(
        "destination", type=pathlib.Path, nargs="?", default=repository / "pipelines/data/hep"
    )
    parser.add_argument("--train", type=int, default=4000, help="training events")
    parser.add_argument("--test", type=int, default=1000, help="test events")
    parser.add_argument("--rows-per-file", type=int, default=1000)
    parser.add_argument("--row-group-size", type=int, default=500)
    arguments = parser.parse_args()

    arguments.destination.mkdir(parents=True, exist_ok=True)
    total = 0
    for split, rows in (("train", arguments.train), ("test", arguments.test)):
        table = parquet.read_table(arguments.source / f"{split}_compact.parquet")
        if table.num_rows < rows:
            sys.exit(f"{split}_compact.parquet has {table.num_rows} rows, {rows} are wanted")
        table = table.slice(0, rows)
        for old in arguments.destination.glob(f"{split}-*.parquet"):
            old.unlink()
        for number, start in enumerate(range(0, rows, arguments.rows_per_file)):
            part = table.slice(start, min(arguments.rows_per_file, rows - start))
            path = arguments.destination / f"{split}-{number}.parquet"
            write(part, path, arguments.row_group_size)
            back = parquet.read_table(path)
            if not back.equals(part, check_metadata=True):
                sys.exit(f"{path.name}: the file reads back differently from its source")
            size = path.stat().st_size
            total += size
            print(f"{path.name}: {part.num_rows} events, {size} bytes")
    print(f"all: {arguments.train + arguments.test} events, {total} bytes")


if __name__ == "__main__":
    main()
