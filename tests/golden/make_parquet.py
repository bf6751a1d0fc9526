#!/usr/bin/env python3
"""Write fuzz/corpus/parquet: small files with every feature that src/parquet reads. Made once, with

    python3 -m venv peer
    peer/bin/pip install pyarrow==26.0.1
    peer/bin/python tests/golden/make_parquet.py
"""
import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

CORPUS = Path(__file__).resolve().parents[2] / "fuzz" / "corpus" / "parquet"
ROWS = 24


def table():
    """Every kind of column, each with nulls, and some that are not read."""
    def some(value):
        return [None if row % 5 == 3 else value(row) for row in range(ROWS)]
    return pa.table({
        "text": some(lambda row: "é" * (row % 3)),
        "same": some(lambda row: "word"),
        "bytes": pa.array(some(lambda row: bytes([row])), pa.binary()),
        "flag": some(lambda row: row % 3 == 0),
        "i8": pa.array(some(lambda row: row - 12), pa.int8()),
        "u32": pa.array(some(lambda row: 2**32 - 1 - row), pa.uint32()),
        "i64": pa.array(some(lambda row: -(2**63) + row), pa.int64()),
        "u64": pa.array(some(lambda row: 2**64 - 1 - row), pa.uint64()),
        "f16": pa.array(some(lambda row: row / 4), pa.float16()),
        "f32": pa.array(some(lambda row: row / 10), pa.float32()),
        "f64": pa.array(some(lambda row: row / 10), pa.float64()),
        "list": some(lambda row: [row]),
        "struct": some(lambda row: {"a": row, "b": {"c": "d"}}),
        "day": pa.array(some(lambda row: row), pa.date32()),
    })


def main():
    CORPUS.mkdir(parents=True, exist_ok=True)
    plain = {"compression": "none", "use_dictionary": False}
    files = {
        "plain-1": plain,
        "plain-2": {**plain, "data_page_version": "2.0"},
        "words-1": {"compression": "none"},
        "words-2": {"compression": "none", "data_page_version": "2.0"},
        "groups": {"compression": "snappy", "row_group_size": 7},
        "pages": {"compression": "zstd", "data_page_size": 8, "write_batch_size": 2},
        "pages-2": {"compression": "gzip", "data_page_size": 8, "write_batch_size": 2,
                    "data_page_version": "2.0"},
        "sums": {"compression": "snappy", "write_page_checksum": True},
        "other": {"compression": "brotli"},
    }
    for name, options in files.items():
        pq.write_table(table(), CORPUS / name, write_statistics=name == "sums",
                       store_schema=name == "plain-1", **options)
    pq.write_table(table().slice(0, 0), CORPUS / "empty", store_schema=False)
    with open(CORPUS.parents[2] / "examples" / "assets.jsonl", encoding="utf-8") as lines:
        rows = [json.loads(line) for line, _ in zip(lines, range(5))]
    pq.write_table(pa.table({"iscc": [row["iscc_code"] for row in rows], "title": list("abcde")}),
                   CORPUS / "data-set", store_schema=False)
    bare = pa.schema([pa.field("n", pa.int32(), nullable=False)])
    pq.write_table(pa.table({"n": [1, 2, 3]}, schema=bare), CORPUS / "required", store_schema=False)


if __name__ == "__main__":
    main()
