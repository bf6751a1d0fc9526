"""Every answer over real data equals the exact truth: through HTTP and on the command line.

The corpus beside the project (../shared/data: 20,000 assets, 200 queries) is used where it is; otherwise
the shipped sample (examples/: 2,400 assets, 60 queries), and the name of the test says which.
Truth lists the best 100; a tie may be cut there, and equal scores may be in any order of its list.
"""
import base64
import json
import os
import subprocess
from pathlib import Path

import pytest
import requests

ROOT = Path(__file__).resolve().parents[2]
CORPUS = ROOT.parent / "shared" / "data"
DATA = CORPUS if (CORPUS / "truth.jsonl").exists() else ROOT / "examples"
BIN = os.environ.get("ISCC_SEARCH_BIN", str(ROOT / "build" / "iscc-search"))
LIMIT = 100


def rows(name):
    with open(DATA / name, encoding="utf-8") as file:
        return [json.loads(line) for line in file]


def expect_truth(name, matches, truth):
    """Compare ids, scores and types; the last group of equal scores may have been cut."""
    got = [(match["iscc_id"], match["score"], match["types"]) for match in matches]
    assert len(got) == len(truth), f"{name}: {len(got)} matches instead of {len(truth)}"
    for (iscc_id, score, _), (_, wanted, _) in zip(got, truth):
        assert abs(score - wanted) < 1e-9, f"{name}: {iscc_id} scores {score} instead of {wanted}"
    # ISCC-IDs rise as numbers; base32 sorts digits behind letters, ASCII before them
    order = [(-score, base64.b32decode(iscc_id[5:])) for iscc_id, score, _ in got]
    assert order == sorted(order), f"{name}: order"
    expected = {iscc_id: types for iscc_id, _, types in truth}
    cut_at = truth[-1][1] if len(truth) == LIMIT else -1
    for iscc_id, score, types in got:
        if iscc_id not in expected and abs(score - cut_at) < 1e-9:
            continue
        assert iscc_id in expected, f"{name}: {iscc_id} does not belong there"
        assert set(types) == set(expected[iscc_id]), f"{name}: {iscc_id} {types}"
        for key, value in types.items():
            assert abs(value - expected[iscc_id][key]) < 1e-9, f"{name}: {iscc_id} {key}"


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """A home folder whose index `real` holds all assets, added by the command line."""
    folder = tmp_path_factory.mktemp("home")
    env = {**os.environ, "HOME": str(folder), "XDG_DATA_HOME": str(folder / "data")}
    subprocess.run([BIN, "index", "add", "real", "--local", "--path", str(folder / "store")], env=env,
                   check=True, capture_output=True)
    done = subprocess.run([BIN, "add", str(DATA / "assets.jsonl"), "--index", "real"], env=env, check=True,
                          capture_output=True, text=True)
    assert json.loads(done.stdout)["created"] == len(rows("assets.jsonl"))
    return folder, env


@pytest.fixture(scope="module")
def server(home):
    folder, env = home
    env = {**env, "ISCC_SEARCH_INDEX_URI": f"usearch://{folder}/store", "ISCC_SEARCH_HOST": "127.0.0.1"}
    process = subprocess.Popen([BIN, "serve", "--port", "0"], env=env, stdout=subprocess.PIPE, text=True)
    first = process.stdout.readline()
    yield first.split()[-1]
    process.terminate()
    assert process.wait(30) == 0


@pytest.mark.parametrize("corpus", [DATA.parent.name + "/" + DATA.name])
def test_http_answers_equal_the_truth(server, corpus):
    truths = {row["name"]: row["assets_full"] for row in rows("truth.jsonl")}
    session = requests.Session()
    checked = 0
    for row in rows("queries.jsonl"):
        query = {key: value for key, value in row["query"].items() if key != "simprints"}
        reply = session.post(f"{server}/indexes/real/search?limit={LIMIT}", json=query)
        assert reply.status_code == 200, reply.text
        expect_truth(row["name"], reply.json()["global_matches"], truths[row["name"]])
        checked += 1
    assert checked == len(truths)


@pytest.mark.parametrize("corpus", [DATA.parent.name + "/" + DATA.name])
def test_command_line_answers_equal_the_truth(home, corpus):
    _, env = home
    truths = {row["name"]: row["assets_full"] for row in rows("truth.jsonl")}
    for row in rows("queries.jsonl"):
        query = row["query"]
        words = query.get("units") or [query["iscc_code"]]
        done = subprocess.run([BIN, "search", *words, "--limit", str(LIMIT), "--index", "real", "--json"],
                              env=env, check=True, capture_output=True, text=True)
        expect_truth(row["name"], json.loads(done.stdout)["global_matches"], truths[row["name"]])
