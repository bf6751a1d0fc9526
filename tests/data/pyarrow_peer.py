"""pyarrow in a virtual environment of its own: in $ISCC_SEARCH_PYARROW, by default
~/.cache/iscc-search/pyarrow-26.0.1, where it is installed from PyPI if it is missing."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

VERSION = "26.0.1"
CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
FOLDER = Path(os.environ.get("ISCC_SEARCH_PYARROW") or CACHE / "iscc-search" / f"pyarrow-{VERSION}")

# Reads [{"path", "columns": {name: [type, values]}, "options"}, ...].
WRITE = """
import json, sys
import pyarrow as pa, pyarrow.parquet as pq
for file in json.load(sys.stdin):
    columns = {name: pa.array(values, getattr(pa, kind)()) for name, (kind, values) in file["columns"].items()}
    pq.write_table(pa.table(columns), file["path"], **file["options"])
"""


def python_with_pyarrow():
    """The Python that has pyarrow; the tests are skipped where it cannot be had."""
    python = FOLDER / "bin" / "python"
    if not python.exists() or subprocess.run([python, "-c", "import pyarrow"], check=False,
                                             capture_output=True).returncode:
        try:
            FOLDER.parent.mkdir(parents=True, exist_ok=True)
            for command in ([sys.executable, "-m", "venv", "--clear", FOLDER],
                            [python, "-m", "pip", "install", "--quiet", f"pyarrow=={VERSION}"]):
                subprocess.run(command, check=True, capture_output=True, text=True, timeout=900)
        except (OSError, subprocess.SubprocessError) as error:
            said = (getattr(error, "stderr", None) or str(error)).strip().splitlines()
            pytest.skip(f"pyarrow could not be installed: {said[-1] if said else error}")
    return python


def write_files(files):
    """Write Parquet files: (path, {column: (type, values)}, options of the writer)."""
    given = [{"path": str(path), "columns": columns, "options": options} for path, columns, options in files]
    subprocess.run([python_with_pyarrow(), "-c", WRITE], input=json.dumps(given), text=True, check=True, timeout=300)
