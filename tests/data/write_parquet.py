"""Write Parquet files for test_parquet.py, and beside each the rows as JSON. Runs in the Python that has
pyarrow: write_parquet.py FOLDER."""

import base64
import itertools
import json
import math
import random
import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pyarrow.parquet.encryption as pq_encryption

ROWS = 300
SEED = 20261127


def plain(value):
    """A value as tests/unit/test_parquet prints it."""
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, float) and not math.isfinite(value):
        return f"{value:f}"
    return value


def is_read(kind):
    """Are columns of this type read?"""
    types = pa.types
    return (types.is_string(kind) or types.is_large_string(kind) or types.is_integer(kind)
            or types.is_floating(kind) or types.is_boolean(kind) or types.is_binary(kind)
            or types.is_large_binary(kind) or types.is_string_view(kind) or types.is_binary_view(kind)
            or types.is_dictionary(kind) and is_read(kind.value_type))


def save(table, path, **options):
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(table, path, **options)
    table = pq.read_table(path)
    kept = [field.name for field in table.schema if is_read(field.type)]
    table = table.drop_columns([name for name in table.column_names if name not in kept])
    rows = [{name: plain(row[name]) for name in kept} for row in table.to_pylist()]
    path.with_suffix(".json").write_text(json.dumps(rows), encoding="utf-8")


def mixed(nulls):
    """A table with every type that is read; `nulls`: none, some, or all."""
    random.seed(SEED)

    def column(make, kind):
        drop = {"none": 0, "some": 0.3, "all": 1}[nulls]
        return pa.array([None if random.random() < drop else make(row) for row in range(ROWS)], kind)
    return pa.table({
        "text": column(lambda row: "wort " * (row % 7) + "\u00e9\u4e2d\U0001f600"[:row % 4], pa.string()),
        "few": column(lambda row: "abc"[row % 3], pa.large_string()),
        "long": column(lambda row: "x" * (row % 50 * 100), pa.string()),
        "bytes": column(lambda row: bytes(range(row % 20)), pa.binary()),
        "flag": column(lambda row: random.random() < 0.5, pa.bool_()),
        "runs": column(lambda row: row // 100 % 2 == 0, pa.bool_()),
        "i32": column(lambda row: random.randrange(-2**31, 2**31), pa.int32()),
        "i64": column(lambda row: random.randrange(-2**63, 2**63), pa.int64()),
        "u64": column(lambda row: random.randrange(2**64), pa.uint64()),
        "f32": column(lambda row: random.uniform(-1e30, 1e30), pa.float32()),
        "f64": column(lambda row: random.gauss(0, 1), pa.float64()),
        "list": column(lambda row: [row] * (row % 3), pa.list_(pa.int32())),
        "nested": column(lambda row: {"text": "t", "deep": {"n": row}},
                         pa.struct([("text", pa.string()), ("deep", pa.struct([("n", pa.int32())]))])),
        "last": column(lambda row: row, pa.int16()),
    })


def write_settings(folder):
    tables = {nulls: mixed(nulls) for nulls in ("none", "some", "all")}
    for number, (codec, words, version, page, nulls, group) in enumerate(itertools.product(
            ("none", "snappy", "zstd", "gzip"), (True, False), ("1.0", "2.0"), (64, 1 << 20),
            ("none", "some", "all"), (70, ROWS))):
        save(tables[nulls], folder / f"{number:03}.parquet", compression=codec, use_dictionary=words,
             data_page_version=version, data_page_size=page, write_batch_size=16, row_group_size=group,
             write_page_checksum=number % 2 == 0, write_statistics=number % 3 > 0)


# What a column of `mixed` can have beside PLAIN and a dictionary, by the physical type of the column.
ENCODINGS = {
    "text": ("DELTA_BYTE_ARRAY", "DELTA_LENGTH_BYTE_ARRAY"), "few": ("DELTA_LENGTH_BYTE_ARRAY", "DELTA_BYTE_ARRAY"),
    "long": ("DELTA_BYTE_ARRAY", "DELTA_LENGTH_BYTE_ARRAY"), "bytes": ("DELTA_LENGTH_BYTE_ARRAY", "DELTA_BYTE_ARRAY"),
    "flag": ("RLE", "PLAIN"), "runs": ("PLAIN", "RLE"),
    **{name: ("DELTA_BINARY_PACKED", "BYTE_STREAM_SPLIT") for name in ("i32", "i64", "u64", "last")},
    **{name: ("BYTE_STREAM_SPLIT", "PLAIN") for name in ("f32", "f64")},
}


def write_encodings(folder):
    for number, (which, codec, version, page, nulls, group) in enumerate(itertools.product(
            (0, 1), ("none", "zstd"), ("1.0", "2.0"), (64, 1 << 20), ("none", "some", "all"), (70, ROWS))):
        save(mixed(nulls), folder / f"{number:03}.parquet", compression=codec, use_dictionary=False,
             column_encoding={name: both[which] for name, both in ENCODINGS.items()},
             data_page_version=version, data_page_size=page, write_batch_size=16, row_group_size=group,
             write_page_checksum=number % 2 == 0)


def write_numbers(folder):
    """Differences of every width, also those that wrap around, in full and in broken miniblocks and blocks."""
    random.seed(SEED)
    for count in (1, 2, 31, 32, 33, 128, 129, 1000):
        columns = {}
        for bits in range(0, 65, 3):
            numbers = [random.randrange(2 ** bits) for _ in range(count)]
            columns[f"u{bits}"] = pa.array([number - 2 ** 63 if bits == 63 else number % 2 ** 63 for number in numbers], pa.int64())
            columns[f"s{bits}"] = pa.array([number % 2 ** 31 - (bits % 2) * 2 ** 31 for number in numbers], pa.int32())
        columns["far"] = pa.array([(-2 ** 63, 2 ** 63 - 1, 0)[row % 3] for row in range(count)], pa.int64())
        columns["near"] = pa.array([(-2 ** 31, 2 ** 31 - 1, 0)[row % 3] for row in range(count)], pa.int32())
        columns["tiny"] = pa.array([row % 200 - 100 for row in range(count)], pa.int8())
        table = pa.table(columns)
        for encoding in ("DELTA_BINARY_PACKED", "BYTE_STREAM_SPLIT"):
            save(table, folder / f"numbers-{count}-{encoding}.parquet", use_dictionary=False,
                 column_encoding={name: encoding for name in columns})
    texts = ["", "a", "ab", "abc", "b", "", "abc" * 400, "abc" * 401 + "d", "\u00e9", "\u00e9\u00e8"]
    table = pa.table({"prefix": texts, "length": texts, "half": pa.array(range(len(texts)), pa.float16())})
    save(table, folder / "texts.parquet", use_dictionary=False,
         column_encoding={"prefix": "DELTA_BYTE_ARRAY", "length": "DELTA_LENGTH_BYTE_ARRAY", "half": "DELTA_BYTE_ARRAY"})


def write_options(folder):
    """Options of the writer that change what is beside the values."""
    table = mixed("some")
    stamps = table.append_column("stamp", pa.array([row * 1000 for row in range(ROWS)], pa.timestamp("us")))
    money = table.append_column("money", pa.array([None if row % 3 else row for row in range(ROWS)], pa.decimal128(9, 2)))
    for name, written, options in (
            ("page-index", table, {"write_page_index": True, "data_page_size": 64}),
            ("no-statistics", table, {"write_statistics": False}),
            ("int96", stamps, {"use_deprecated_int96_timestamps": True}),
            ("flavor-spark", stamps, {"flavor": "spark"}),
            ("decimal-as-integer", money, {"store_decimal_as_integer": True}),
            ("decimal-as-bytes", money, {}),
            ("version-1.0", table.drop_columns(["u64"]), {"version": "1.0"}),
            ("version-2.4", table, {"version": "2.4"}),
            ("old-lists", table, {"use_compliant_nested_type": False}),
            ("sorted", table, {"sorting_columns": [pq.SortingColumn(0)]}),
            ("dictionary-pages-full", table, {"dictionary_pagesize_limit": 64, "data_page_size": 256}),
            ("dictionary-of-some", table, {"use_dictionary": ["text", "i64"]}),
            ("mixed-codecs", table, {"compression": {"text": "gzip", "long": "zstd", "i64": "snappy"}}),
            ("zstd-22", table, {"compression": "zstd", "compression_level": 22}),
            ("gzip-1", table, {"compression": "gzip", "compression_level": 1}),
            ("categories", table.set_column(0, "text", table["text"].dictionary_encode()), {}),
            ("views", pa.table({"text": pa.array(["a", None, "b" * 20], pa.string_view())}), {}),
            ("no-schema", table, {"store_schema": False})):
        save(written, folder / f"{name}.parquet", **options)


class Keys(pq_encryption.KmsClient):
    """Keeps keys in the file itself: only for files that must be refused."""

    def __init__(self, _):
        pq_encryption.KmsClient.__init__(self)

    def wrap_key(self, key, _):
        return base64.b64encode(key)

    def unwrap_key(self, key, _):
        return base64.b64decode(key)


def write_encrypted(folder):
    table = pa.table({"n": pa.array(range(100)), "m": pa.array(range(100))})
    factory = pq_encryption.CryptoFactory(Keys)
    for name, plain_footer in (("footer", False), ("column", True)):
        settings = pq_encryption.EncryptionConfiguration(
            footer_key="f", column_keys={"c": ["n"]}, plaintext_footer=plain_footer)
        properties = factory.file_encryption_properties(pq_encryption.KmsConnectionConfig(), settings)
        pq.write_table(table, folder / f"encrypted-{name}.parquet", encryption_properties=properties)


TYPES = {
    "bool": (pa.bool_(), [True, False, None]),
    "f16": (pa.float16(), [0.0, -0.0, 1.0, 65504.0, 6e-8, -0.333251953125, math.inf, -math.inf, math.nan]),
    "f32": (pa.float32(), [0.1, 3.4028234663852886e38, 1e-45, -math.inf, math.nan, None]),
    "f64": (pa.float64(), [0.1, 1.7976931348623157e308, 5e-324, math.inf, math.nan, None]),
    "text": (pa.string(), ["", "\u0000", "\"\\\n", "\U0001f600" * 1000, None]),
    "large_text": (pa.large_string(), ["a", None, ""]),
    "bytes": (pa.binary(), [b"", b"\x00\xff", None]),
    "large_bytes": (pa.large_binary(), [b"", b"\x00\xff", None]),
    "fixed": (pa.binary(4), [b"abcd", None]),
    "date32": (pa.date32(), [1, None]),
    "date64": (pa.date64(), [86400000, None]),
    "time32": (pa.time32("ms"), [1, None]),
    "time64": (pa.time64("us"), [1, None]),
    "stamp_s": (pa.timestamp("s"), [1, None]),
    "stamp_ns": (pa.timestamp("ns"), [1, None]),
    "stamp_utc": (pa.timestamp("us", "UTC"), [1, None]),
    "decimal": (pa.decimal128(5, 2), [None]),
    "small_decimal": (pa.decimal128(20, 2), [None]),
    "null": (pa.null(), [None, None]),
    "list": (pa.list_(pa.string()), [["a"], [], None]),
    "fixed_list": (pa.list_(pa.int8(), 2), [[1, 2], None]),
    "map": (pa.map_(pa.string(), pa.int8()), [[("a", 1)], None]),
    "struct": (pa.struct([("a", pa.int8())]), [{"a": 1}, None]),
    "required": (pa.int32(), [1, 2, 3]),
    **{f"{sign}int{bits}": (getattr(pa, f"{sign}int{bits}")(),
                            [0, 2**(bits - 1) - 1, None,
                             *([2**bits - 1] if sign else [-2**(bits - 1)])])
       for sign in ("", "u") for bits in (8, 16, 32, 64)},
}


def write_types(folder):
    for name, (kind, values) in TYPES.items():
        field = pa.field("c", kind, nullable=name != "required")
        table = pa.table([pa.array(values, kind), pa.array(range(len(values)))],
                         schema=pa.schema([field, pa.field("n", pa.int64())]))
        for schema in (True, False):
            extra = {} if name != "stamp_ns" else {"version": "2.6"}
            save(table, folder / f"{name}-{schema}.parquet", store_schema=schema, **extra)
    save(pa.table({"a": pa.array([], pa.string())}), folder / "empty.parquet")
    save(pa.table({"l": [[1], [2]]}), folder / "no-columns.parquet")


def main():
    folder = Path(sys.argv[1])
    write_settings(folder / "settings")
    write_types(folder / "types")
    write_encodings(folder / "encodings")
    write_numbers(folder / "encodings")
    write_options(folder / "options")
    numbers = pa.table({"n": pa.array(range(100))})
    (folder / "not").mkdir()
    write_encrypted(folder / "not")
    pq.write_table(numbers, folder / "not" / "lz4.parquet", compression="lz4")
    pq.write_table(numbers, folder / "not" / "brotli.parquet", compression="brotli")
    pq.write_table(pa.table([range(3), range(3)], names=["n", "n"]), folder / "not" / "twice.parquet")
    many = pa.table({"n": range(1_000_000), "text": [f"{row:060}" for row in range(1_000_000)]})
    pq.write_table(many, folder / "large.parquet", row_group_size=1_000_000)


if __name__ == "__main__":
    main()
