"""Parquet files that pyarrow writes with every setting: each value is what pyarrow reads itself.

Files are read by tests/unit/test_parquet, which prints their rows.
"""

import json
import os
import subprocess
from pathlib import Path

import pytest

from pyarrow_peer import python_with_pyarrow

TOP = Path(__file__).resolve().parents[2]
BUILD = Path(os.environ.get("ISX_BUILD", TOP / "build"))
WRITER = Path(__file__).with_name("write_parquet.py")


@pytest.fixture(scope="session")
def written(tmp_path_factory):
    """A folder of files, and beside each the rows that pyarrow reads from it."""
    folder = tmp_path_factory.mktemp("parquet")
    subprocess.run([python_with_pyarrow(), WRITER, folder], check=True, timeout=300)
    return folder


def read(path):
    """The rows that this program reads."""
    done = subprocess.run([BUILD / "tests" / "unit" / "test_parquet", path], check=False,
                          capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, (path, done.stdout[-300:], done.stderr[-1000:])
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_every_setting_of_the_writer(written):
    """Compression x dictionary x version of pages x size of pages x nulls x row groups."""
    files = sorted((written / "settings").glob("*.parquet"))
    assert len(files) == 4 * 2 * 2 * 2 * 3 * 2
    for path in files:
        expected = json.loads(path.with_suffix(".json").read_text(encoding="utf-8"))
        assert read(path) == expected, path


@pytest.mark.parametrize("part, count", [("encodings", 2 * 2 * 2 * 2 * 3 * 2 + 2 * 8 + 1), ("options", 18)])
def test_every_encoding_and_option_of_the_writer(written, part, count):
    """Differences, streams of bytes, and what a file may have beside its values."""
    files = sorted((written / part).glob("*.parquet"))
    assert len(files) == count
    for path in files:
        expected = json.loads(path.with_suffix(".json").read_text(encoding="utf-8"))
        assert read(path) == expected, path


def test_every_type(written):
    """Types that are read, those that are not, and the extreme values of each."""
    files = sorted((written / "types").glob("*.parquet"))
    assert len(files) > 30
    for path in files:
        expected = json.loads(path.with_suffix(".json").read_text(encoding="utf-8"))
        assert read(path) == expected, path


@pytest.mark.parametrize("name, said", [
    ("encrypted-footer", "the footer is encrypted: expected a file without encryption"),
    ("encrypted-column", "column 'n': encrypted: expected a file without encryption"),
    ("lz4", "column 'n': compressed with LZ4_RAW"),
    ("brotli", "column 'n': compressed with Brotli"),
    ("twice", "two columns are called 'n'"),
])
def test_what_is_not_read_is_named(written, name, said):
    done = subprocess.run([BUILD / "tests" / "unit" / "test_parquet", written / "not" / f"{name}.parquet"],
                          check=False, capture_output=True, text=True, timeout=120)
    assert (done.returncode, said in done.stdout) == (1, True), done.stdout


def test_a_large_file_takes_the_memory_of_its_pages(written):
    """A million rows in one row group, with 60 MB of texts: not 60 MB of memory."""
    path = written / "large.parquet"
    script = f"ulimit -v 120000; exec {BUILD}/tests/unit/test_parquet {path} | wc -l"
    if "asan" in str(BUILD) or "tsan" in str(BUILD):
        pytest.skip("a sanitizer takes address space of its own")
    done = subprocess.run(["bash", "-c", script], check=True, capture_output=True, text=True,
                          timeout=300)
    assert done.stdout.strip() == "1000000", done
