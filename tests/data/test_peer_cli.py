"""The command line of 0.3.3 and ours, side by side on the same data. 0.3.3 is that of test_peer.py."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from test_peer import BIN, ROOT, peer_python  # noqa: F401  pylint: disable=unused-import

sys.path.append(str(ROOT / "tests" / "cli"))

from mounts import read_only_view  # noqa: E402  pylint: disable=wrong-import-position

FILES = sorted((ROOT / "examples" / "files").glob("*.iscc.json"))
RECORDS = [json.loads(path.read_text(encoding="utf-8")) for path in FILES]


class Side:
    """A program with a home of its own."""

    def __init__(self, program, home):
        self.program, self.home = program, home
        self.data = home / "data" / "iscc-search"
        home.mkdir(exist_ok=True)
        self.env = {name: value for name, value in os.environ.items()
                    if not name.upper().startswith("ISCC_SEARCH_") and name not in ("HF_HOME", "HF_TOKEN")}
        self.env.update({"HOME": str(home), "XDG_DATA_HOME": str(home / "data"), "COLUMNS": "300", "LC_ALL": "C.UTF-8",
                         "NO_COLOR": "1", "TERM": "dumb"})

    def run(self, *words, **options):
        return subprocess.run([str(self.program), *(str(word) for word in words)], env=self.env, cwd=self.home,
                              stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False, timeout=120, **options)

    def good(self, *words):
        done = self.run(*words)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout


@pytest.fixture
def theirs(peer_python, tmp_path):  # noqa: F811
    return Side(Path(peer_python).parent / "iscc-search", tmp_path / "home")


@pytest.fixture
def ours(tmp_path):
    """Our program in the home of the other one."""
    return Side(BIN, tmp_path / "home")


# --- an index that 0.3.3 has written last ---------------------------------------------------------

IDS = sorted(record["iscc_id"] for record in RECORDS)


@pytest.fixture
def written(theirs):
    theirs.good("add", FILES[0].parent)
    return theirs


@pytest.mark.parametrize("words", [("list", "--ids"), ("list",), ("list", "--simprints"), ("export",), ("stats", "--json")],
                         ids=" ".join)
def test_what_0_3_3_has_written_is_read_at_once(written, ours, words):
    """It is brought up to date first, as by a search."""
    said = ours.run(*words)
    assert said.returncode == 0, said.stderr
    if words[0] == "stats":
        assert json.loads(said.stdout)["assets"] == len(IDS)
    elif "--ids" in words:
        assert sorted(said.stdout.split()) == IDS
    else:
        assert sorted(json.loads(line)["iscc_id"] for line in said.stdout.splitlines()) == IDS


def test_an_export_is_complete_after_each_turn(written, ours):
    once = ours.good("export")
    shutil.copy(FILES[0], ours.home / "again.iscc.json")
    written.good("add", ours.home / "again.iscc.json")
    again = ours.good("export")
    assert once.count("\n") == again.count("\n") == len(IDS)
    assert "again.iscc.utf8" in again and "again.iscc.utf8" not in once


def test_a_copy_of_it(written, ours):
    ours.good("index", "copy", "default", "copied", "--to-uri", f"lmdb://{ours.home}/copied")
    copied = ours.good("list", "--ids", "--index", "copied", "--uri", f"lmdb://{ours.home}/copied")
    assert sorted(copied.split()) == IDS


@pytest.mark.parametrize("words", [("list", "--ids"), ("export",), ("index", "copy", "default", "copied")], ids=" ".join)
def test_where_it_cannot_be_written_that_is_said(written, ours, words):
    with read_only_view(written.data) as folder:
        where = ["--from-uri" if words[0] == "index" else "--uri", f"usearch://{folder}"]
        if words[0] == "index":
            where += ["--to-uri", f"usearch://{ours.home}/to"]
        said = ours.run(*words, *where)
    assert (said.returncode, said.stdout) == (1, "")
    assert "was last written by another program or another version, and cannot be brought up to date: " in said.stderr
    assert "Read-only file system" in said.stderr
