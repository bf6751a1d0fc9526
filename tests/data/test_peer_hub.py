"""`datasets` and `hub` of 0.3.3 and ours, on one imitation of the Hugging Face Hub: the same output, exit codes,
configuration and assets. 0.3.3 is that of test_peer.py."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from test_peer import BIN, ROOT, peer_python  # noqa: F401  pylint: disable=unused-import

sys.path.append(str(ROOT / "tests" / "cli"))

from dataset_host import DatasetHost  # noqa: E402  pylint: disable=wrong-import-position
from pyarrow_peer import write_files  # noqa: E402  pylint: disable=wrong-import-position

REPO = "iscc/iscc-books"


@pytest.fixture(scope="module")
def host(tmp_path_factory):
    folder = tmp_path_factory.mktemp("parquet")
    with open(ROOT / "examples" / "assets.jsonl", encoding="utf-8") as file:
        rows = [json.loads(line) for line in file][:40]
    texts = {"title": ("string", ["", None, *(f"Buch {i}" for i in range(38))]),
             "long": ("large_string", [f"é{i}" for i in range(40)]),
             "n8": ("int8", [None if i % 7 == 0 else i - 20 for i in range(40)]),
             "n64": ("int64", [2**62 + i for i in range(40)]), "u": ("uint64", [2**64 - 1 - i for i in range(40)]),
             "f32": ("float32", [i / 7 for i in range(40)]), "f64": ("float64", [float("nan"), *(i / 7 for i in range(39))]),
             "b": ("bool_", [i % 3 == 0 for i in range(40)]), "day": ("date32", [None] * 40)}
    units = {name: ("string", [next((unit for unit in row["units"] if unit[5] == letter), None) for row in rows])
             for name, letter in zip(("iscc_meta", "iscc_semantic", "iscc_content", "iscc_data", "iscc_instance"), "ACEGI")}
    write_files([(folder / "code", {"iscc": ("string", [row["iscc_code"] for row in rows]), **texts}, {}),
                 (folder / "units", {**units, **texts}, {"data_page_version": "2.0", "compression": "gzip"}),
                 (folder / "both", {**texts, "iscc": ("string", [None, *(row["iscc_code"] for row in rows[1:])]), **units},
                  {"row_group_size": 7, "compression": "zstd"}),
                 (folder / "none", {"title": ("string", ["no ISCC"])}, {})])
    files = {path.name: path.read_bytes() for path in folder.iterdir()}
    host = DatasetHost()
    host.repos = {REPO: {"data/train-0.parquet": files["code"], "data/train-1.parquet": files["units"],
                         "data/Train/both.parquet": files["both"], "data/test.parquet": files["code"], "x.txt": b""},
                  "me/none": {"train.parquet": files["none"]}, "me/empty": {"README.md": b""}}
    host.datasets = [{"id": REPO, "downloads": 7, "likes": 1, "lastModified": "2025-03-04T05:06:07.089Z",
                      "tags": ["size_categories:n<1K"]}, {"id": "iscc/other"},
                     {"id": "iscc/third", "lastModified": "2025-03-04T05:06:07.000Z", "tags": []}]
    yield host
    host.stop()


class Side:
    """One of the two programs, with a home of its own."""

    def __init__(self, program, home, host):
        self.program, self.home, self.data = str(program), home, home / "share" / "iscc-search"
        self.env = {name: value for name, value in os.environ.items()
                    if not name.upper().startswith(("ISCC_SEARCH_", "HF_", "XDG_"))}
        self.env.update({"HOME": str(home), "XDG_DATA_HOME": str(home / "share"), "HF_ENDPOINT": host.url,
                         "NO_PROXY": "127.0.0.1", "COLUMNS": "300", "LC_ALL": "C.UTF-8"})

    def run(self, *words):
        """The exit code, and the JSON on standard output or None."""
        done = subprocess.run([self.program, *words], env=self.env, cwd=self.home, capture_output=True, text=True,
                              check=False, timeout=120)
        lines = done.stdout.splitlines()
        start = next((i for i, line in enumerate(lines) if line in ("{", "[", "[]")), None)
        if start is None:
            return done.returncode, None
        return done.returncode, json.JSONDecoder().raw_decode("\n".join(lines[start:]))[0]

    def config(self):
        text = (self.data / "config.json").read_text(encoding="utf-8")
        return json.loads(text.replace(str(self.home), "HOME"))

    def assets(self, name):
        """What is stored, without ISCC-IDs; read by our program, which opens both."""
        where = ["--uri", f"usearch://{self.data}", "--index", name]
        done = subprocess.run([BIN, "export", *where], env=self.env, capture_output=True, text=True, check=True,
                              timeout=120)
        rows = [json.loads(line) for line in done.stdout.splitlines()]
        for row in rows:
            del row["iscc_id"]
        return sorted(json.dumps(row) for row in rows)


@pytest.fixture
def sides(peer_python, host, tmp_path):  # noqa: F811
    made = []
    for name, program in (("theirs", Path(peer_python).parent / "iscc-search"), ("ours", BIN)):
        (tmp_path / name).mkdir()
        made.append(Side(program, tmp_path / name, host))
    return made


@pytest.mark.parametrize("words", [
    ("datasets", "--json"), ("datasets", "--json", "--limit", "1"), ("datasets", "--json", "-n", "0"), ("datasets",),
    ("datasets", "-a", "nobody", "--json"), ("datasets", "--author", "nobody"), ("datasets", "word"), ("datasets", "-n", "x"),
    ("hub",), ("hub", REPO, "--split", "nothing"), ("hub", "me/empty"), ("hub", "me/missing"), ("hub", "iscc/123"),
    ("hub", REPO, "--index", "Bad-Name"), ("hub", REPO, "--limit", "0"), ("hub", "me/none"),
    ("hub", REPO, "--limit", "x")], ids=" ".join)
def test_output_and_exit_codes(sides, words):
    theirs, ours = (side.run(*words) for side in sides)
    assert ours == theirs
    if words[0] == "hub" and (sides[0].data / "config.json").exists():
        assert sides[1].config() == sides[0].config()


@pytest.mark.parametrize("words", [(), ("--split", "TEST"), ("--limit", "33"), ("--limit", "41", "-b", "3"),
                                   ("--split", "", "--index", "other")], ids=" ".join)
def test_what_is_stored(sides, words):
    theirs, ours = (side.run("hub", REPO, *words) for side in sides)
    assert ours == theirs and ours[0] == 0 and ours[1]["assets_added"] > 0
    name = ours[1]["index"]
    assert sides[1].config() == sides[0].config()
    assert sides[1].assets(name) == sides[0].assets(name)
