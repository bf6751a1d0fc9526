"""lmdb:// and iscc-search 0.3.3 take turns on one directory, in place.

test_peer.py says where 0.3.3 is found; each turn of it is a process of its own.
"""
import contextlib
import json
import os
import subprocess
from pathlib import Path

import pytest
import requests

from test_peer import peer_python  # noqa: F401  a fixture

ROOT = Path(__file__).resolve().parents[2]
BIN = os.environ.get("ISCC_SEARCH_BIN", str(ROOT / "build" / "iscc-search"))

# Reads [[method, argument...], ...] and answers with a list of results.
PEER_PROGRAM = """
import json, sys
from iscc_search.indexes.lmdb.manager import LmdbIndexManager
from iscc_search.schema import IsccEntry, IsccIndex, IsccQuery

def plain(value):
    if isinstance(value, list):
        return [plain(item) for item in value]
    return value.model_dump(mode="json") if hasattr(value, "model_dump") else value

manager = LmdbIndexManager(sys.argv[1])
results = []
for name, *words in json.load(sys.stdin):
    if name == "create_index":
        words = [IsccIndex(name=words[0])]
    if name == "add_assets":
        words[1] = [IsccEntry(**asset) for asset in words[1]]
    if name == "search_assets":
        words[1] = IsccQuery(**words[1])
    for attempt in range(8):  # after a restart it fails once for each unit type of a query
        try:
            result = plain(getattr(manager, name)(*words))
            break
        except Exception as error:
            result = {"error": type(error).__name__}
    results.append(result)
manager.close()
json.dump(results, sys.stdout)
"""

CODE = "ISCC:KACSUWPOD5TDD5MCD2C6GZVXKJVT5KEVY7L42YISB7NPILUBZK334UY"
UNITS = ["ISCC:AADSUWPOD5TDD5MCWZX32P6FNFIKILX42MVDHQG3D5J36RXNCKQWZGY",
         "ISCC:EADR5BPDM23VE2Z636LGF3FNDCVML5RBQIE6L4JH6VP4SCSTHAQ7UJA",
         "ISCC:GAD2RFOH27GWCEQPPWM4ZQ3YQLC4ECPEIMNFYTZITVR3KPA6F2SF74Y",
         "ISCC:IAD5V5BOQHFLPPST2ZO33NVBGFPJT5SRPW7W2JM4ZWIOA2GNFBGICUQ"]
OTHER = ["ISCC:AADSUWPOD5TDD5MCWZX32P6FNFIKILX42MVDHQG3D5J36RXNCKQWZGY",
         "ISCC:EADR5BHTN235E2Z63OLWF3FNTCVML5RBQIA6L4JH6FP4QCSTHAQ7UJA",
         "ISCC:GADRPLSPZNFSIG6Y6RQO2ISXDQBMBLI5M7WGBXLVD7BKIBI2355X4MI",
         "ISCC:IADTWWWBMB36X3GRDE3EYW3GILM5TKIRGRKVYNNQMTLCWXGV5GJK37Q"]
FULL = {"iscc_id": "ISCC:MAIGHXLN555Y2DFF", "iscc_code": CODE, "units": UNITS, "metadata": {"name": "full"}}
HALF = {"iscc_id": "ISCC:MAIGGXO25TIIJR7F", "units": OTHER, "metadata": {"name": "half", "n": [1, 2.5, None]}}
CODE_ONLY = {"iscc_id": "ISCC:MAIGBJATFNDXRYPB", "iscc_code": CODE}


@pytest.fixture
def peer(peer_python, tmp_path):  # noqa: F811
    """A function that lets 0.3.3 work on the directory; it closes its files at the end."""
    def run(*calls):
        env = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1"}
        done = subprocess.run([peer_python, "-c", PEER_PROGRAM, str(tmp_path)], input=json.dumps(calls),
                              text=True, capture_output=True, check=False, env=env)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    return run


@contextlib.contextmanager
def ours(folder):
    """Our server on the same directory: a function that asks it."""
    env = {**os.environ, "ISCC_SEARCH_INDEX_URI": f"lmdb://{folder}", "ISCC_SEARCH_HOST": "127.0.0.1"}
    process = subprocess.Popen([BIN, "serve", "--port", "0"], env=env, stdout=subprocess.PIPE, text=True)
    url = process.stdout.readline().split()[-1]

    def ask(method, path, body=None):
        reply = requests.request(method, url + path, json=body, timeout=30)
        assert reply.status_code < 300, reply.text
        return reply.json() if reply.content else None

    yield ask
    process.terminate()
    assert process.wait(30) == 0


def found(answer):
    """The matches in an order of their own: 0.3.3 has none among equal scores, and adds nulls."""
    return sorted((match["iscc_id"], round(match["score"], 9), match["types"],
                   {key: value for key, value in (match["metadata"] or {}).items() if value is not None})
                  for match in answer["global_matches"])


def test_a_directory_of_0_3_3_opens_in_place(tmp_path, peer):
    query = {"units": UNITS}
    _, empty, _, theirs, _ = peer(["create_index", "empty"], ["create_index", "main"],
                                  ["add_assets", "main", [FULL, HALF]],
                                  ["search_assets", "main", query], ["list_indexes"])
    assert empty
    with ours(tmp_path) as ask:
        assert [(index["name"], index["assets"]) for index in ask("GET", "/indexes")] == [("empty", 0),
                                                                                          ("main", 2)]
        assert ask("GET", f"/indexes/main/assets/{FULL['iscc_id']}") == FULL
        assert ask("GET", f"/indexes/main/assets/{HALF['iscc_id']}") == HALF
        answer = ask("POST", "/indexes/main/search", query)
    assert found(answer) == found(theirs)
    assert len(found(answer)) == 2


def test_0_3_3_opens_a_directory_of_ours_and_both_go_on(tmp_path, peer):
    with ours(tmp_path) as ask:
        ask("POST", "/indexes", {"name": "main"})
        ask("POST", "/indexes/main/assets", [FULL, CODE_ONLY])
    listed, asset, by_code, added = peer(
        ["list_indexes"], ["get_asset", "main", FULL["iscc_id"]],
        ["search_assets", "main", {"iscc_code": CODE}], ["add_assets", "main", [HALF]])
    assert [(index["name"], index["assets"]) for index in listed] == [("main", 2)]
    assert {key: value for key, value in asset.items() if value is not None} == FULL
    assert len(found(by_code)) == 2  # we gave the code its rows, so 0.3.3 finds it too
    assert added[0]["status"] == "created"
    with ours(tmp_path) as ask:
        answer = ask("POST", "/indexes/main/search", {"units": OTHER})
        assert [match["iscc_id"] for match in answer["global_matches"]][0] == HALF["iscc_id"]
        assert len(answer["global_matches"]) == 3  # one META unit, in three lengths
        ask("DELETE", f"/indexes/main/assets/{HALF['iscc_id']}")
    gone, rest = peer(["get_asset", "main", HALF["iscc_id"]],
                      ["search_assets", "main", {"units": OTHER[1:]}])
    assert gone == {"error": "FileNotFoundError"}
    assert rest["global_matches"] == []


def test_what_0_3_3_leaves_behind_is_put_right(tmp_path, peer):
    """It gives no rows to a code, and an update leaves the rows of the old units."""
    moved = {**FULL, "units": OTHER, "iscc_code": None}
    theirs = peer(["create_index", "main"], ["add_assets", "main", [FULL]],
                  ["add_assets", "main", [moved]], ["add_assets", "main", [CODE_ONLY]],
                  ["search_assets", "main", {"units": UNITS[1:]}])[-1]
    assert [match["iscc_id"] for match in theirs["global_matches"]] == [FULL["iscc_id"]]
    with ours(tmp_path) as ask:
        answer = ask("POST", "/indexes/main/search", {"units": UNITS[1:]})
        assert [match["iscc_id"] for match in answer["global_matches"]] == [CODE_ONLY["iscc_id"]]
        assert ask("GET", "/indexes/main")["assets"] == 2


def test_0_3_3_opens_an_index_larger_than_its_first_map(tmp_path, peer):
    """0.3.3 sets aside 10 MiB and doubles them when they are full."""
    big = [{"iscc_id": FULL["iscc_id"][:-2] + a + b, "units": UNITS[:2], "metadata": {"text": "x" * 20000}}
           for a in "ABCDEFGHIJKLMNOPQRSTUVWXYZ" for b in "ABCDEFGHIJKLMNOPQRSTUVWXYZ"]
    with ours(tmp_path) as ask:
        ask("POST", "/indexes", {"name": "main"})
        ask("POST", "/indexes/main/assets", big)
        assert ask("GET", "/indexes/main")["size"] > 10
    info, added, same = peer(["get_index", "main"], ["add_assets", "main", [HALF]],
                             ["get_asset", "main", HALF["iscc_id"]])
    assert info["assets"] == len(big)
    assert added[0]["status"] == "created"
    assert same["metadata"] == HALF["metadata"]
    with ours(tmp_path) as ask:
        assert ask("GET", "/indexes/main")["assets"] == len(big) + 1
        assert ask("GET", f"/indexes/main/assets/{HALF['iscc_id']}") == HALF
