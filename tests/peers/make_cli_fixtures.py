#!/usr/bin/env python3
"""Write the Parquet file of tests/fixtures/not_a_number: twenty events, one of which has a value that is no number.

usage: tests/peers/make_cli_fixtures.py
"""

import math
import pathlib

import pyarrow
import pyarrow.parquet as parquet

FIXTURES = pathlib.Path(__file__).resolve().parent.parent / "fixtures"

features = [[float(14 * row + column) for column in range(14)] for row in range(20)]
features[12][3] = math.nan
table = pyarrow.table(
    {
        "hfeatures": pyarrow.array(features, pyarrow.list_(pyarrow.float64())),
        "label": pyarrow.array([row % 3 for row in range(20)], pyarrow.int64()),
    }
)
target = FIXTURES / "not_a_number" / "data" / "a.parquet"
target.parent.mkdir(parents=True, exist_ok=True)
parquet.write_table(table, target, compression="zstd", write_statistics=False)
