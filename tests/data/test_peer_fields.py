"""Declared fields and iscc-search 0.3.3: it opens files that have them, and what it changes is filtered right.

0.3.3 does not know the table of the values (__fields__), so it is made again after each turn of 0.3.3.
"""
import json
import subprocess

import pytest

from test_peer import BIN, Ours, Peer, peer_python  # noqa: F401  a fixture
from test_peer_lmdb import PEER_PROGRAM, UNITS

IDS = ["ISCC:MAIGHXLN555Y2DFF", "ISCC:MAIGGXO25TIIJR7F", "ISCC:MAIGBJATFNDXRYPB", "ISCC:MAIGXFGFBJSLQAPC"]


def asset(number, license_):
    return {"iscc_id": IDS[number], "units": UNITS, "metadata": {"license": license_, "number": number}}


def usearch_turn(python, folder, changes):
    """0.3.3 adds assets to an index of usearch://, and lists how many it has."""
    peer = Peer(python, folder)
    peer.good(["local", str(folder / "store")], ["add", "main", changes], ["stat", "main"])


def lmdb_turn(python, folder, changes):
    calls = [["add_assets", "main", changes], ["list_indexes"]]
    done = subprocess.run([python, "-c", PEER_PROGRAM, str(folder / "store")], input=json.dumps(calls), text=True,
                          capture_output=True, check=True)
    assert json.loads(done.stdout)[0][0]["status"], done.stdout


@pytest.mark.parametrize("scheme, turn", [("usearch", usearch_turn), ("lmdb", lmdb_turn)])
def test_what_0_3_3_changes_is_filtered(peer_python, tmp_path, scheme, turn):  # noqa: F811
    uri = f"{scheme}://{tmp_path}/store"

    def licensed(ours, license_):
        answer = ours.search({"units": UNITS, "filter": {"field": "license", "equals": license_}, "facets": ["number"]})
        assert len(answer["facets"]["number"]) == len(answer["global_matches"])
        return sorted(match["metadata"]["number"] for match in answer["global_matches"])

    with Ours(uri, tmp_path) as ours:
        ours.post("/indexes", {"name": "main"})
        ours.post("/indexes/main/assets", [asset(0, "CC0"), asset(1, "CC0"), asset(2, "MIT")])
        subprocess.run([BIN, "index", "fields", "main", "license", "number", "--uri", uri], check=True,
                       capture_output=True)
        assert licensed(ours, "CC0") == [0, 1] and licensed(ours, "MIT") == [2]
    turn(peer_python, tmp_path, [asset(0, "MIT"), asset(3, "CC0")])
    with Ours(uri, tmp_path) as ours:
        assert licensed(ours, "CC0") == [1, 3] and licensed(ours, "MIT") == [0, 2]
        assert ours.get("/indexes/main/fields")["fields"] == ["/license", "/number"]
        ours.post("/indexes/main/assets", [asset(1, "MIT")])
    turn(peer_python, tmp_path, [asset(3, None)])
    with Ours(uri, tmp_path) as ours:  # and `index check` finds nothing
        assert licensed(ours, "CC0") == [] and licensed(ours, "MIT") == [0, 1, 2]
