"""The program that this one replaces, iscc-search 0.3.3, and ours take turns on one directory.

0.3.3 is wanted in a virtual environment in $ISCC_SEARCH_PEER, by default
${XDG_CACHE_HOME:-~/.cache}/iscc-search/peer-0.3.3; it is made there once, with pip. Each turn of 0.3.3 is
a process of its own (PEER below), as it must not share a directory with another one.
"""
import json
import math
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import requests

ROOT = Path(__file__).resolve().parents[2]
BIN = Path(os.environ.get("ISCC_SEARCH_BIN", ROOT / "build" / "iscc-search")).resolve()
CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
PEER_FOLDER = Path(os.environ.get("ISCC_SEARCH_PEER") or CACHE / "iscc-search" / "peer-0.3.3")
CODE_ONLY, NAN = 7, 11  # rows of the sample that get special treatment
OLD, NEW = 300, 20

# Run by the Python of 0.3.3: steps from standard input, one answer each on standard output.
PEER = r'''
import json, sys
from loguru import logger
logger.remove()
from iscc_search.schema import IsccEntry, IsccIndex, IsccQuery

def plain(value):
    return value.model_dump(mode="json", exclude_none=True)

kind, *where = json.loads(sys.stdin.readline())
if kind == "local":
    from iscc_search.indexes.usearch.manager import UsearchIndexManager
    manager = UsearchIndexManager(where[0])
else:
    from iscc_search.remote.client import RemoteIndex
    manager = RemoteIndex(*where)
for line in sys.stdin:
    step, *words = json.loads(line)
    try:
        if step == "list":
            answer = [plain(index) for index in manager.list_indexes()]
        elif step == "create":
            answer = plain(manager.create_index(IsccIndex(name=words[0])))
        elif step == "stat":
            answer = plain(manager.get_index(words[0]))
        elif step == "delete":
            answer = manager.delete_index(words[0])
        elif step == "add":
            answer = [str(result.status.value) for result in
                      manager.add_assets(words[0], [IsccEntry(**asset) for asset in words[1]])]
        elif step == "get":
            answer = plain(manager.get_asset(words[0], words[1]))
        elif step == "get all":
            answer = [plain(manager.get_asset(words[0], iscc_id)) for iscc_id in words[1]]
        elif step == "search":
            answer = plain(manager.search_assets(words[0], IsccQuery(**words[1]), words[2]))
        elif step == "rebuild":
            answer = manager.rebuild(words[0])
        print(json.dumps({"answer": answer}))
    except Exception as error:
        print(json.dumps({"error": type(error).__name__ + ": " + str(error)}))
manager.close()
'''


# --- 0.3.3 ----------------------------------------------------------------------------------------

def has_peer(python):
    check = "import importlib.metadata as m; assert m.version('iscc-search') == '0.3.3'"
    return python.exists() and subprocess.run([python, "-c", check], check=False,
                                              capture_output=True).returncode == 0


@pytest.fixture(scope="session")
def peer_python():
    """The Python that has 0.3.3; the tests are skipped where it cannot be had."""
    python = PEER_FOLDER / "bin" / "python"
    if not has_peer(python):
        try:
            PEER_FOLDER.parent.mkdir(parents=True, exist_ok=True)
            for command in ([sys.executable, "-m", "venv", "--clear", PEER_FOLDER],
                            [python, "-m", "pip", "install", "--quiet", "iscc-search==0.3.3"]):
                subprocess.run(command, check=True, capture_output=True, text=True, timeout=900)
        except (OSError, subprocess.SubprocessError) as error:
            said = (getattr(error, "stderr", None) or str(error)).strip().splitlines()
            pytest.skip(f"iscc-search 0.3.3 could not be installed: {said[-1] if said else error}")
    if not has_peer(python):
        pytest.skip(f"{PEER_FOLDER} does not hold iscc-search 0.3.3")
    return python


class Peer:
    """0.3.3 on a directory or as a client of a server."""

    def __init__(self, python, folder):
        self.python, self.folder = python, folder

    def run(self, where, *steps):
        """The answers of some steps."""
        env = {name: value for name, value in os.environ.items()
               if not name.upper().startswith("ISCC_SEARCH_")}
        lines = "".join(json.dumps(line) + "\n" for line in [where, *steps])
        done = subprocess.run([self.python, "-c", PEER], input=lines, text=True, check=False,
                              cwd=self.folder, env={**env, "HOME": str(self.folder)},
                              capture_output=True, timeout=120)
        assert done.returncode == 0, done.stderr
        answers = [json.loads(line) for line in done.stdout.splitlines()]
        assert len(answers) == len(steps), done.stdout + done.stderr
        return answers

    def good(self, where, *steps):
        answers = self.run(where, *steps)
        assert all("answer" in answer for answer in answers), answers
        return [answer["answer"] for answer in answers]


@pytest.fixture
def peer(peer_python, tmp_path):
    return Peer(peer_python, tmp_path)


# --- ours -----------------------------------------------------------------------------------------

def check(uri):
    """What `index check` says of the index `main`; None if there is none."""
    done = subprocess.run([BIN, "index", "check", "main", "--json", "--uri", uri], check=False,
                          capture_output=True, text=True, timeout=60)
    if "not found" in done.stderr:
        return None
    assert done.stdout, done.stderr
    return json.loads(done.stdout)


class Ours:
    """Our program as a server on a directory."""

    def __init__(self, uri, folder, env=None):
        self.uri = uri
        clean = {name: value for name, value in os.environ.items()
                 if not name.upper().startswith("ISCC_SEARCH_")}
        with open(folder / "server.log", "ab") as log:
            self.process = subprocess.Popen(
                [BIN, "serve", "--host", "127.0.0.1", "--port", "0"], cwd=folder, stdout=subprocess.PIPE, text=True,
                env={**clean, "ISCC_SEARCH_INDEX_URI": uri, **(env or {})}, stderr=log)
        line = self.process.stdout.readline()
        assert line.startswith("Starting server"), (folder / "server.log").read_text()
        self.base = line.split()[-1]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.send_signal(signal.SIGTERM)
        assert self.process.wait(30) == 0
        self.process.stdout.close()
        if "://" in self.uri and not self.uri.startswith(("memory:", "http")):
            report = check(self.uri)
            assert report is None or report["findings"] == 0, report

    def get(self, path):
        answer = requests.get(self.base + path, timeout=30)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def post(self, path, body):
        answer = requests.post(self.base + path, json=body, timeout=30)
        assert answer.status_code in (200, 201), answer.text
        return answer.json()

    def search(self, query, limit=50, index="main"):
        return self.post(f"/indexes/{index}/search?limit={limit}", query)


# --- what they work on ----------------------------------------------------------------------------

def sample():
    with open(ROOT / "examples" / "assets.jsonl", encoding="utf-8") as file:
        rows = [json.loads(line) for line in file][:OLD + NEW + 1]
    found = [json.loads(path.read_text(encoding="utf-8"))["features"][0]
             for path in sorted((ROOT / "examples" / "files").glob("*.iscc.json"))
             if "features" in path.read_text(encoding="utf-8")]
    for row, feature in zip(rows[20:OLD:60], found * 2):
        row["simprints"] = {"CONTENT_TEXT_V0": [
            {"simprint": simprint, "offset": offset, "size": size} for simprint, offset, size in
            zip(feature["simprints"], feature["offsets"], feature["sizes"])]}
    del rows[CODE_ONLY]["units"], rows[CODE_ONLY]["metadata"]
    rows[NAN]["metadata"]["number"] = math.nan
    return rows


ROWS = sample()
OLD_ROWS, NEW_ROWS, OUR_ROW = ROWS[:OLD], ROWS[OLD:OLD + NEW], ROWS[OLD + NEW]


def wanted(row):
    """What GET answers for a row; NaN is no JSON, simprints are not kept with the asset."""
    metadata = {key: None if isinstance(value, float) and math.isnan(value) else value
                for key, value in row.get("metadata", {}).items()}
    return {**{key: row[key] for key in ("iscc_id", "iscc_code", "units") if key in row},
            **({"metadata": metadata} if "metadata" in row else {})}


def sendable(row):
    """The row as JSON allows it."""
    return {**row, **wanted(row)}


def queries():
    """Searches of every kind."""
    for row in OLD_ROWS[::15] + [OLD_ROWS[CODE_ONLY], OLD_ROWS[NAN]]:
        yield {"iscc_code": row["iscc_code"]}
        yield {"iscc_id": row["iscc_id"]}
        for unit in row.get("units", []):
            yield {"units": [unit]}
        if "units" in row:
            yield {"units": row["units"]}
    for row in OLD_ROWS:
        if "simprints" in row:
            simprints = [entry["simprint"] for entry in row["simprints"]["CONTENT_TEXT_V0"]]
            yield {"simprints": {"CONTENT_TEXT_V0": simprints}}
            yield {"iscc_code": row["iscc_code"], "simprints": {"CONTENT_TEXT_V0": simprints[:3]}}


def ids(matches):
    return [match["iscc_id"] for match in matches]


@pytest.fixture
def written(peer, tmp_path):
    """A directory that 0.3.3 has written: index `main` with the old rows."""
    folder = tmp_path / "store"
    answers = peer.good(["local", str(folder)], ["create", "main"], ["add", "main", OLD_ROWS])
    assert answers[1] == ["created"] * OLD
    return folder


def by_instance(peer, folder, row):
    """What 0.3.3 finds by the INSTANCE unit of a row."""
    found = peer.good(["local", str(folder)], ["search", "main", {"units": [row["units"][3]]}, 10])
    return ids(found[0]["global_matches"])


# --- the turns ------------------------------------------------------------------------------------

def test_ours_opens_what_0_3_3_has_written(written, tmp_path):
    fresh = tmp_path / "fresh"
    with Ours(f"usearch://{written}", tmp_path) as old, Ours(f"usearch://{fresh}", tmp_path) as new:
        listed = old.get("/indexes")
        assert [(index["name"], index["assets"]) for index in listed] == [("main", OLD)]
        for row in OLD_ROWS:
            assert old.get(f"/indexes/main/assets/{row['iscc_id']}") == wanted(row)
        new.post("/indexes", {"name": "main"})
        new.post("/indexes/main/assets", [sendable(row) for row in OLD_ROWS])
        count = 0
        for query in queries():
            answer = old.search(query)
            assert answer == new.search(query)
            assert answer["global_matches"] or answer["chunk_matches"] or "iscc_id" in query
            count += 1
        assert count > 100


def test_0_3_3_goes_on_with_what_ours_has_changed(peer, written, tmp_path):
    with Ours(f"usearch://{written}", tmp_path) as ours:
        ours.post("/indexes/main/assets", [OUR_ROW])
        ours.search({"iscc_code": OLD_ROWS[0]["iscc_code"]})
    every = [row["iscc_id"] for row in OLD_ROWS + [OUR_ROW]]
    where = ["local", str(written)]
    stat, one, everything = peer.good(where, ["stat", "main"], ["get", "main", every[0]],
                                      ["get all", "main", every])
    assert stat["assets"] == OLD + 1
    assert one == wanted(OLD_ROWS[0])
    assert everything[-1] == wanted(OUR_ROW)
    assert ids(everything) == every
    for row in (OLD_ROWS[0], OLD_ROWS[150]):
        assert row["iscc_id"] in by_instance(peer, written, row)
    query = {"units": OUR_ROW["units"]}
    rebuilt, found = peer.good(where, ["rebuild", "main"], ["search", "main", query, 10])
    assert "CONTENT_TEXT_V0" in rebuilt["unit_types"]
    assert found["global_matches"][0]["iscc_id"] == OUR_ROW["iscc_id"]
    assert set(found["global_matches"][0]["types"]) >= {"CONTENT_TEXT_V0", "DATA_NONE_V0"}
    assert OUR_ROW["iscc_id"] in by_instance(peer, written, OUR_ROW)


def expect_new_rows(ours, changed):
    assert ours.get("/indexes/main")["assets"] == OLD + 1 + NEW
    for row in NEW_ROWS:
        assert ours.get(f"/indexes/main/assets/{row['iscc_id']}") == wanted(row)
        for query in ({"iscc_code": row["iscc_code"]}, {"units": row["units"]},
                      {"units": [row["units"][1]]}):
            best = [match for match in ours.search(query)["global_matches"]
                    if match["iscc_id"] == row["iscc_id"]]
            assert best and best[0]["score"] == 1.0
    moved = ours.search({"units": NEW_ROWS[0]["units"]})["global_matches"]
    assert {changed["iscc_id"], NEW_ROWS[0]["iscc_id"]} <= set(ids(moved[:3]))
    assert moved[0]["score"] == moved[1]["score"] == 1.0
    stayed = ours.search({"units": OLD_ROWS[0]["units"]})["global_matches"]
    assert not [match for match in stayed if match["iscc_id"] == changed["iscc_id"]
                and match["score"] == 1.0]


def test_ours_follows_what_0_3_3_adds(peer, written, tmp_path):
    changed = {**OLD_ROWS[0], "units": NEW_ROWS[0]["units"], "iscc_code": NEW_ROWS[0]["iscc_code"],
               "metadata": {"name": "changed"}}
    with Ours(f"usearch://{written}", tmp_path) as ours:
        ours.post("/indexes/main/assets", [OUR_ROW])
        answers = peer.good(["local", str(written)], ["add", "main", NEW_ROWS],
                            ["add", "main", [changed]])
        assert answers == [["created"] * NEW, ["updated"]]
        expect_new_rows(ours, changed)
    with Ours(f"usearch://{written}", tmp_path) as ours:
        expect_new_rows(ours, changed)


def test_0_3_3_opens_what_ours_has_written(peer, tmp_path):
    folder = tmp_path / "store"
    with Ours(f"usearch://{folder}", tmp_path) as ours:
        ours.post("/indexes", {"name": "main"})
        ours.post("/indexes/main/assets", [sendable(row) for row in OLD_ROWS])
    where = ["local", str(folder)]
    every = [row["iscc_id"] for row in OLD_ROWS]
    listed, everything = peer.good(where, ["list"], ["get all", "main", every])
    assert [(index["name"], index["assets"]) for index in listed] == [("main", OLD)]
    for got, row in zip(everything, OLD_ROWS):
        assert got["iscc_id"] == row["iscc_id"] and got.get("units") == row.get("units")
    row = OLD_ROWS[20]
    assert row["iscc_id"] in by_instance(peer, folder, row)
    simprints = [entry["simprint"] for entry in row["simprints"]["CONTENT_TEXT_V0"]]
    rebuilt, by_units, by_simprints = peer.good(
        where, ["rebuild", "main"], ["search", "main", {"units": row["units"]}, 10],
        ["search", "main", {"simprints": {"CONTENT_TEXT_V0": simprints}}, 10])
    assert {"META_NONE_V0", "CONTENT_TEXT_V0", "DATA_NONE_V0"} <= set(rebuilt["unit_types"])
    assert rebuilt["simprint_types"] == ["CONTENT_TEXT_V0"]
    assert row["iscc_id"] in ids(by_units["global_matches"])
    assert row["iscc_id"] in ids(by_simprints["chunk_matches"])
    added = peer.good(where, ["add", "main", NEW_ROWS])[0]
    assert added == ["created"] * NEW
    with Ours(f"usearch://{folder}", tmp_path) as ours:
        assert NEW_ROWS[3]["iscc_id"] in ids(ours.search({"units": NEW_ROWS[3]["units"]})["global_matches"])


def test_the_client_of_0_3_3_talks_to_our_server(peer, tmp_path):
    with Ours("memory://", tmp_path, {"ISCC_SEARCH_API_SECRET": "s3cret"}) as ours:
        where = ["remote", ours.base + "/", "main", "s3cret"]
        row = OLD_ROWS[20]
        answers = peer.good(
            where, ["list"], ["create", "main"], ["list"],
            ["add", "main", [sendable(row) for row in OLD_ROWS]], ["add", "main", OLD_ROWS[:1]],
            ["add", "main", []], ["stat", "main"], ["get", "main", row["iscc_id"]],
            ["search", "main", {"iscc_code": row["iscc_code"]}, 5],
            ["search", "main", {"units": row["units"]}, 5],
            ["search", "main", {"iscc_id": row["iscc_id"]}, 5],
            ["search", "main", {"simprints": {"CONTENT_TEXT_V0": [
                entry["simprint"] for entry in row["simprints"]["CONTENT_TEXT_V0"]]}}, 5])
        assert answers[0] == [] and answers[1]["name"] == "main"
        assert [index["name"] for index in answers[2]] == ["main"]
        assert answers[3] == ["created"] * OLD and answers[4] == ["updated"] and answers[5] == []
        assert answers[6]["assets"] == OLD
        assert answers[7] == wanted(row)
        assert answers[8]["global_matches"][0]["iscc_id"] == row["iscc_id"]
        assert answers[9]["global_matches"][0]["score"] == 1.0
        assert row["iscc_id"] not in ids(answers[10]["global_matches"])
        assert row["iscc_id"] in ids(answers[11]["chunk_matches"])
        errors = peer.run(where, ["create", "main"], ["create", "Bad-Name"],
                          ["get", "main", OUR_ROW["iscc_id"]],
                          ["search", "main", {"units": ["ISCC:!"]}, 5], ["delete", "main"],
                          ["delete", "main"], ["list"])
        assert [answer.get("error", "").split(":")[0] for answer in errors] == [
            "FileExistsError", "ValidationError", "FileNotFoundError", "ValueError", "",
            "FileNotFoundError", ""]
        assert errors[-1] == {"answer": []}
        unauthorized = peer.run(["remote", ours.base, "main", "wrong"], ["list"])
        assert unauthorized == [{"error": "RuntimeError: HTTP 401: Unauthorized"}]


def test_the_command_line_of_0_3_3_talks_to_our_server(peer_python, tmp_path):
    """One file a call, named in full: 0.3.3 reads no relative path and only the first of several."""
    files = sorted((ROOT / "examples" / "files").glob("*.iscc.json"))[:2]
    records = [json.loads(file.read_text(encoding="utf-8")) for file in files]
    env = {name: value for name, value in os.environ.items()
           if not name.upper().startswith("ISCC_SEARCH_")}
    env.update({"HOME": str(tmp_path), "XDG_CONFIG_HOME": str(tmp_path / "config"),
                "XDG_DATA_HOME": str(tmp_path / "data"), "COLUMNS": "200"})

    def call(*words):
        done = subprocess.run([peer_python.parent / "iscc-search", *words], cwd=tmp_path, env=env,
                              check=False, capture_output=True, text=True, timeout=120)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout + done.stderr

    with Ours("memory://", tmp_path, {"ISCC_SEARCH_API_SECRET": "s3cret"}) as ours:
        said = call("index", "add", "ours", "--remote", ours.base, "--api-key", "s3cret")
        assert "Created index 'ours' on remote server" in said
        assert ours.base in call("index", "list")
        for file in files:
            call("add", str(file), "--index", "ours")
        for record in records:
            found = call("search", record["iscc"], "--index", "ours")
            assert record["iscc_id"] in found
            assert record["iscc"] in call("get", record["iscc_id"], "--index", "ours")
