"""`explain` in a query: its numbers give the score to the last bit, and are those of a plain model."""

import base64
import json
import random
import subprocess
from math import isclose, ldexp, log

import pytest

from serving import BINARY, CONTENT, DATA, INSTANCE, META, digest, iscc_id, unit
from test_compare import SAMPLE, chance, explain, near, score_of
from test_routes import detail, problems

TIERS = ["exact", "near_duplicate", "similar", "corroborated", "title_only", "weak", "incoherent"]


def strip(explanation, *names):
    """An explanation without some of its numbers."""
    return {kind: {name: value for name, value in one.items() if name not in names} for kind, one in explanation.items()}


def check_match(said, match, queried, stored, rows, least=0.75):
    """An explanation against the model, and the score against the explanation."""
    found, exponent = match["explanation"], said["query"]["exponent"]
    expected = explain(queried, stored, least, exponent)["explanation"]
    kinds = [kind for kind, one in expected.items() if one.get("in") != "a"]
    assert strip(found, "expect") == strip({kind: expected[kind] for kind in kinds}, "expect", "in")
    assert list(found) == kinds
    assert match["score"] == score_of(found, exponent)
    assert {kind: one["score"] for kind, one in found.items() if "absent" not in one and
            not (kind.startswith("INSTANCE") and not one["counted"])} == match["types"]
    assert match["tier"] in TIERS and 0 <= match["tier_score"] <= 1 and match["expect"] >= 0
    for kind, one in found.items():
        if "absent" in one:
            continue
        # of calibrated codes it is more, and never less
        bits, distance = one["compared_bits"], one["distance"]
        p = (2.0**-bits if distance == 0 else 1) if kind.startswith("INSTANCE") else chance(distance, bits)
        least_expect = rows[kind] * p
        assert one["expect"] >= least_expect * (1 - 1e-9), (kind, one, least_expect)


def count_rows(assets):
    rows = {}
    for asset in assets:
        for kind in explain(asset["units"], asset["units"])["explanation"]:
            rows[kind] = rows.get(kind, 0) + 1
    return rows


@pytest.fixture
def loaded(server, index):
    assets = [asset for asset in SAMPLE[:900] if "ISCC:EE" not in str(asset["units"])]  # no images: one CONTENT type
    assert server.post(index + "/assets", json=assets).status_code == 201
    return assets


def test_the_numbers_give_the_score_of_real_assets(server, index, loaded):
    stored = {asset["iscc_id"]: asset["units"] for asset in loaded}
    rows, explained = count_rows(loaded), 0
    for n, asset in enumerate(loaded[::23]):
        more = [{}, {"exponent": 2}, {"min_score": 0.6}, {"exponent": 7, "min_score": 0.55}][n % 4]
        for query in ({"iscc_id": asset["iscc_id"]}, {"units": asset["units"][1:]}, {"iscc_code": asset["iscc_code"]}):
            said = server.post(index + "/search?limit=25", json={**query, **more, "explain": True}).json()
            assert said["query"]["explain"] is True and said["query"]["exponent"] == more.get("exponent", 4)
            for match in said["global_matches"]:
                check_match(said, match, said["query"]["units"], stored[match["iscc_id"]], rows, more.get("min_score", 0.75))
                explained += 1
    assert explained > 100


def test_of_one_type_the_match_expects_what_the_type_does(server, index, loaded):
    explained = 0
    for asset in loaded[::60]:
        said = server.post(index + "/search", json={"units": asset["units"][1:2], "explain": True}).json()
        for match in said["global_matches"]:
            (kind, one), = match["explanation"].items()
            assert kind == "CONTENT_TEXT_V0" and isclose(match["expect"], one["expect"], rel_tol=1e-12)
            explained += 1
    assert explained > 10


def test_explanations_change_nothing_else(server, index, loaded):
    for query in ({"iscc_id": loaded[3]["iscc_id"]}, {"units": loaded[5]["units"], "min_score": 0.6}):
        for limit in (1, 3, 100):
            plain = server.post(f"{index}/search?limit={limit}&count=true", json=query).json()
            said = server.post(f"{index}/search?limit={limit}&count=true", json={**query, "explain": True}).json()
            for match in said["global_matches"]:
                for name in ("explanation", "expect", "tier", "tier_score"):
                    assert name in match
                    del match[name]
            for name in ("explain", "exponent"):
                del said["query"][name]
            assert said == plain
            assert server.post(f"{index}/search?limit={limit}&count=true", json={**query, "explain": False}).json() == plain


def test_every_way_to_ask_gives_the_same(server, index, loaded, tmp_path):
    code = loaded[7]["iscc_code"]
    said = server.post(index + "/search?limit=5", json={"iscc_code": code, "explain": True}).json()
    assert said["global_matches"][0]["explanation"]
    assert server.get(f"{index}/search?limit=5&explain=true&iscc_code={code}").json() == said
    assert server.post(index + "/search?limit=5&explain=true", json={"iscc_code": code}).json() == said
    batch = server.post(index + "/search/batch?limit=5", json={"queries": [{"iscc_code": code, "explain": True}, {"iscc_code": code}]})
    first, second = batch.json()["results"]
    assert first == said and "explanation" not in second["global_matches"][0]
    words = [BINARY, "search", code, "--explain", "--json", "--limit", "5", "--uri", server.base, "--index", index.rpartition("/")[2]]
    shown = subprocess.run(words, env={"HOME": str(tmp_path)}, capture_output=True, text=True, check=True, timeout=60)
    assert json.loads(shown.stdout)["global_matches"] == said["global_matches"]
    assert json.loads(shown.stdout)["query"]["exponent"] == 4


@pytest.mark.parametrize("value", [1, "yes", [], {}, 0.0])
def test_a_flag_is_true_or_false(server, index, value):
    query = {"units": [unit(CONTENT, digest(1))]}
    assert problems(server.post(index + "/search", json={**query, "explain": value})) == [("bool_type", ["body", "explain"])]
    assert server.post(index + "/search", json={**query, "explain": None}).status_code == 200
    assert problems(server.post(index + "/search?explain=perhaps", json=query)) == [("bool_type", ["query", "explain"])]


def test_a_query_decides_and_not_the_url(server, index, loaded):
    query = {"iscc_code": loaded[0]["iscc_code"]}
    queries = [{**query, **more} for more in ({}, {"explain": False}, {"explain": True}, {"explain": None}, {"explain": "false"})]
    for params, said in (("", [False, False, True, False, False]), ("?explain=true", [True, False, True, True, False]),
                         ("?explain=false", [False, False, True, False, False])):
        alone = [server.post(f"{index}/search{params}", json=one).json() for one in queries]
        batch = server.post(f"{index}/search/batch{params}", json={"queries": queries}).json()["results"]
        assert batch == alone
        assert ["explanation" in one["global_matches"][0] for one in alone] == said


def test_what_a_match_lacks_is_told(server, index):
    content, data, instance = digest(1, 32), digest(2, 32), digest(3, 32)
    server.post(index + "/assets", json=[
        {"iscc_id": iscc_id(1), "units": [unit(CONTENT, content[:8]), unit(INSTANCE, near(instance, 3, 1)), unit(META, digest(9))]},
        {"iscc_id": iscc_id(2), "units": [unit(CONTENT, near(content, 30, 1)), unit(DATA, near(data, 100, 2))]}])
    said = server.post(index + "/search", json={"explain": True, "units": [
        unit(CONTENT, content), unit(DATA, data), unit(INSTANCE, instance)]}).json()
    first, second = (strip(match["explanation"], "expect") for match in said["global_matches"])
    assert first == {"CONTENT_TEXT_V0": {"compared_bits": 64, "distance": 0, "score": 1.0, "counted": True},
                     "DATA_NONE_V0": {"absent": True},
                     "INSTANCE_NONE_V0": {"compared_bits": 256, "distance": 3, "score": 0.0, "counted": False, "missed_by": 1.0}}
    assert second == {"CONTENT_TEXT_V0": {"compared_bits": 256, "distance": 30, "score": 1 - 30 / 256, "counted": True},
                      "DATA_NONE_V0": {"compared_bits": 256, "distance": 100, "score": 1 - 100 / 256, "counted": False,
                                       "missed_by": 0.75 - (1 - 100 / 256)},
                      "INSTANCE_NONE_V0": {"absent": True}}


def test_an_asset_with_a_code_alone_is_explained_by_the_units_of_the_code(server, index):
    server.post(index + "/assets", json=[{"iscc_id": iscc_id(1), "iscc_code": SAMPLE[0]["iscc_code"]}])
    other = [*SAMPLE[0]["units"][:3], unit(INSTANCE, digest(1, 32))]
    said = server.post(index + "/search", json={"units": other, "explain": True}).json()["global_matches"][0]["explanation"]
    assert [one["compared_bits"] for one in said.values()] == [64] * 4
    assert [one["counted"] for one in said.values()] == [True, True, True, False]


# --- passages ---------------------------------------------------------------------------------------

def text_of(body):
    return base64.urlsafe_b64encode(body).decode().rstrip("=")


def check_passages(match, assets, queried):
    """The weights give the scores of types and asset, to the last bit."""
    total = 0.0
    for kind, one in match["types"].items():
        found = 0.0
        for chunk in one["chunks"]:
            assert chunk["weight"] == log(1 + assets / (1 + chunk["freq"]))
            found += chunk["weight"] * chunk["score"]
        assert one["score"] == found / one["weight"]
        assert isclose(sum(chunk["share"] for chunk in one["chunks"]), 1)
        for chunk in one["chunks"]:
            assert isclose(chunk["share"], chunk["weight"] * chunk["score"] / found, rel_tol=1e-12)
        assert one["queried"] == len(queried[kind])
        shares = [chunk["share"] for chunk in one["chunks"]]
        assert one["decisive"] == sorted(range(len(shares)), key=lambda n: (-shares[n], n))[:10]
        total += one["score"]
    assert match["score"] == ldexp(round(ldexp(total / len(match["types"]), 40)), -40)


def passages(seed, number):
    """Assets that share passages of two types: common ones, rare ones and near ones."""
    draw, assets = random.Random(seed), []
    for n in range(number):
        simprints = {}
        for kind, size in (("CONTENT_TEXT_V0", 16), ("SEMANTIC_TEXT_V0", 32)):
            simprints[kind] = [{"simprint": text_of(near(digest((kind, draw.randrange(60) ** 2 // 60), size), draw.choice([0, 0, 3, 20]),
                                                         f"{n} {i}")), "offset": i * 100, "size": 100} for i in range(8)]
        assets.append({"iscc_id": iscc_id(n + 1), "simprints": simprints})
    return assets


def test_weights_of_passages_give_the_scores(server, index):
    assets = passages(1, 120)
    assert server.post(index + "/assets", json=assets).status_code == 201
    explained = 0
    for asset in assets[::10]:
        queried = {kind: [one["simprint"] for one in rows] for kind, rows in asset["simprints"].items()}
        plain = server.post(index + "/search?limit=20", json={"simprints": queried}).json()
        said = server.post(index + "/search?limit=20", json={"simprints": queried, "explain": True}).json()
        for match in said["chunk_matches"]:
            check_passages(match, len(assets), queried)
            explained += sum(one["matches"] for one in match["types"].values())
            for one in match["types"].values():
                del one["weight"], one["decisive"]
                for chunk in one["chunks"]:
                    del chunk["weight"], chunk["share"]
        assert said["chunk_matches"] == plain["chunk_matches"]
    assert explained > 500


# --- other engines ----------------------------------------------------------------------------------

def test_a_prefix_search_is_explained_by_its_own_score(start_server):
    server = start_server("lmdb://{dir}")
    server.post("/indexes", json={"name": "main"})
    assert server.post("/indexes/main/assets", json=SAMPLE[:300]).status_code == 201
    explained = 0
    for asset in SAMPLE[:300:11]:
        for query in ({"iscc_code": asset["iscc_code"]}, {"units": asset["units"]}, {"units": asset["units"], "min_score": 0.5}):
            said = server.post("/indexes/main/search", json={**query, "explain": True}).json()
            queried = len(said["query"]["units"])
            for match in said["global_matches"]:
                counted = sorted((one["score"] for one in match["explanation"].values() if one.get("counted")), reverse=True)
                assert match["score"] == sum(counted) / queried
                for one in match["explanation"].values():
                    if "absent" not in one and not one["counted"]:
                        assert one["distance"] > 0 or one["score"] < 0.5
                explained += 1
            assert "exponent" not in said["query"]
    assert explained > 50


def test_explaining_needs_an_index(server):
    assert detail(server.post("/indexes/none/search", json={"iscc_id": iscc_id(1), "explain": True}), 404)
