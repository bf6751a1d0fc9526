"""schemathesis asks what the OpenAPI description allows and what it does not, and finds no surprise.

It is wanted in a virtual environment in $ISCC_SEARCH_SCHEMATHESIS, by default
~/.cache/iscc-search/schemathesis-4.32.5, and installed there from PyPI if it is not. That every answer of
the other tests is as described is checked by described.py.
"""

import os
import subprocess
import sys
from pathlib import Path

import pytest

VERSION = "4.32.5"
CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
FOLDER = Path(os.environ.get("ISCC_SEARCH_SCHEMATHESIS")
              or CACHE / "iscc-search" / f"schemathesis-{VERSION}")
CHECKS = ["not_a_server_error", "status_code_conformance", "content_type_conformance",
          "response_headers_conformance", "response_schema_conformance", "unsupported_method"]


@pytest.fixture(scope="session")
def schemathesis():
    """The program; the tests are skipped where it cannot be had."""
    program = FOLDER / "bin" / "schemathesis"
    if not program.exists():
        try:
            FOLDER.parent.mkdir(parents=True, exist_ok=True)
            for command in ([sys.executable, "-m", "venv", "--clear", FOLDER],
                            [FOLDER / "bin" / "python", "-m", "pip", "install", "--quiet",
                             f"schemathesis=={VERSION}"]):
                subprocess.run(command, check=True, capture_output=True, text=True, timeout=900)
        except (OSError, subprocess.SubprocessError) as error:
            said = (getattr(error, "stderr", None) or str(error)).strip().splitlines()
            pytest.skip(f"schemathesis could not be installed: {said[-1] if said else error}")
    return program


# schemathesis knows no lines of JSON: a body is one line.
HOOKS = '''
import json
import schemathesis

@schemathesis.serializer("application/x-ndjson")
def to_lines(ctx, value):
    return json.dumps(value).encode() + b"\\n"
'''


def test_schemathesis(server, schemathesis, tmp_path):
    server.post("/indexes", json={"name": "books"})
    (tmp_path / "lines_of_json.py").write_text(HOOKS, encoding="utf-8")
    run = subprocess.run([schemathesis, "run", server.base + "/openapi/openapi.json", "--seed", "1",
                          "--max-examples", "25", "--suppress-health-check", "too_slow",  # as on a busy machine
                          "--checks", ",".join(CHECKS)],
                         env={**os.environ, "SCHEMATHESIS_HOOKS": "lines_of_json", "PYTHONPATH": str(tmp_path)},
                         cwd=tmp_path, capture_output=True, text=True, check=False, timeout=600)
    assert run.returncode == 0, run.stdout[-6000:] + run.stderr[-2000:]
    assert server.get("/healthz").status_code == 200
