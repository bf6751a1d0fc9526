"""GET /indexes/{name}/stats against a count of the assets that were added."""

import base64
import collections
import json
import random
import subprocess
from math import isclose
from pathlib import Path

import pytest

from serving import BINARY, CONTENT, DATA, INSTANCE, META, SEMANTIC, digest, iscc_id, unit
from test_compare import chance
from test_routes import detail

TOP = Path(__file__).resolve().parents[2]
NAMES = {META: "META_NONE_V0", SEMANTIC: "SEMANTIC_TEXT_V0", CONTENT: "CONTENT_TEXT_V0", DATA: "DATA_NONE_V0",
         INSTANCE: "INSTANCE_NONE_V0"}
HOUR_US = 3600 * 10**6
START_US = 1735689600 * 10**6  # 2025-01-01


def raw(text):
    """Header and body of an ISCC."""
    return base64.b32decode(text[5:] + "=" * (-len(text[5:]) % 8))


def decode(text):
    return NAMES[raw(text)[0] >> 4], raw(text)[2:]


def longest(units):
    """The units by which an asset is found: those that are not the beginning of another one of their type."""
    found = set(map(decode, units))
    return [one for one in found if not any(other != one and other[0] == one[0] and other[1].startswith(one[1])
                                            for other in found)]


def count(assets):
    """What the statistics say of assets, which are in the order of their ISCC-IDs; without times."""
    lengths, carriers, simprints, with_simprints = {}, collections.Counter(), {}, collections.Counter()
    instances, hubs = collections.Counter(), collections.Counter()
    for asset in assets:
        units = longest(asset["units"])
        for kind, body in units:
            lengths.setdefault(kind, collections.Counter())[str(len(body) * 8)] += 1
        carriers.update({kind for kind, _ in units})
        instances.update(body[:8].ljust(8, b"\0") for kind, body in units if kind == NAMES[INSTANCE])
        for kind, passages in asset.get("simprints", {}).items():
            with_simprints[kind] += 1
            for passage in passages:
                bits = len(passage["simprint"]) * 6 // 8 * 8
                simprints.setdefault(kind, collections.Counter())[str(bits)] += 1
        hubs[str(int.from_bytes(raw(asset["iscc_id"])[2:], "big") & 4095)] += 1
    return {"assets": len(assets), "units": lengths, "without": {kind: len(assets) - carriers[kind] for kind in lengths},
            "simprints": simprints, "without_simprints": {kind: len(assets) - with_simprints[kind] for kind in simprints},
            "hubs": hubs, "identical": {"groups": sum(n > 1 for n in instances.values()),
                                        "duplicates": sum(n - 1 for n in instances.values())},
            "with_iscc_code": sum("iscc_code" in asset for asset in assets),
            "with_metadata": sum("metadata" in asset for asset in assets)}


def made_up(seed, number):
    """Assets with any number of units of each type, of any length, some shorter forms of others."""
    draw = random.Random(seed)
    assets = []
    for n in range(number):
        units = []
        for kind in NAMES:
            for which in range(draw.choice([0, 1, 1, 1, 2, 3])):
                # few bodies, so that files are identical
                body = digest((kind, draw.randrange(number // 3), which % 2), 32)
                units.append(unit(kind, body[:draw.choice([8, 16, 32])]))
        asset = {"iscc_id": iscc_id((START_US + n * 7 * HOUR_US) << 12 | draw.choice([0, 0, 5, 4095])),
                 "units": list(dict.fromkeys(units)) or [unit(META, digest(n))]}
        asset["units"] += [unit(DATA, digest((n, 1)))] if len(asset["units"]) == 1 else []  # an asset has two or more
        if draw.random() < 0.5:
            asset["metadata"] = {"n": n}
        if draw.random() < 0.3:
            asset["simprints"] = {kind: [{"simprint": base64.urlsafe_b64encode(digest((n, i), size)).decode().rstrip("="),
                                          "offset": i, "size": 1} for i in range(draw.randrange(1, 4))]
                                  for kind, size in draw.sample([("A", 8), ("B", 16), ("C", 32)], 2)}
        assets.append(asset)
    return assets


def check(said, assets):
    expected = count(assets)
    assert {name: said[name] for name in expected} == expected


@pytest.mark.parametrize("seed", range(4))
def test_statistics_are_those_of_a_count(server, index, seed):
    assets = made_up(seed, 300)
    server.post(index + "/assets", json=random.Random(seed).sample(assets, len(assets)))
    said = server.get(index + "/stats").json()
    check(said, assets)
    assert (said["sampled"], said["realm"], said["index"]) == (300, 0, index.rpartition("/")[2])
    assert (said["first"], said["last"]) == ("2025-01-01T00:00:00Z", "2025-03-29T05:00:00Z")
    assert set(said["periods"]) == {"2025-01", "2025-02", "2025-03"} and sum(said["periods"].values()) == 300
    # after changes, too
    again = [{**asset, "units": assets[n - 1]["units"]} for n, asset in enumerate(assets) if n % 3 == 0 and "simprints" not in asset]
    server.post(index + "/assets", json=again)
    for asset in assets[1:20:4]:
        server.delete(f"{index}/assets/{asset['iscc_id']}")
    gone = {asset["iscc_id"] for asset in assets[1:20:4]}
    left = {**{asset["iscc_id"]: asset for asset in assets}, **{asset["iscc_id"]: asset for asset in again}}
    check(server.get(index + "/stats").json(), [asset for key, asset in left.items() if key not in gone])


@pytest.mark.parametrize("hours, periods", [
    ([0, 1, 1, 47], ["2025-01-01T00", "2025-01-01T01", "2025-01-02T23"]), ([0, 49], ["2025-01-01", "2025-01-03"]),
    ([0, 24 * 59], ["2025-01-01", "2025-03-01"]), ([0, 24 * 61], ["2025-01", "2025-03"]), ([0, 24 * 365 * 6], ["2025", "2030"])])
def test_periods_are_as_long_as_the_times_span(server, index, hours, periods):
    server.post(index + "/assets", json=[{"iscc_id": iscc_id((START_US + hour * HOUR_US) << 12 | n), "units": [unit(META, digest(n)), unit(DATA, digest(n))]}
                                         for n, hour in enumerate(hours)])
    said = server.get(index + "/stats").json()
    assert list(said["periods"]) == periods and sum(said["periods"].values()) == len(hours)


def test_distances_come_with_the_level_of_chance(start_server):
    server = start_server(env={"ISCC_SEARCH_MATCH_THRESHOLD_UNITS": "0.7"})
    server.post("/indexes", json={"name": "main"})
    assets = [json.loads(line) for line in open(TOP / "examples" / "assets.jsonl", encoding="utf-8")]
    server.post("/indexes/main/assets", json=assets)
    said = server.get("/indexes/main/stats").json()["distances"]
    assert set(said) == {"CONTENT_IMAGE_V0", "CONTENT_TEXT_V0", "DATA_NONE_V0", "META_NONE_V0"}
    for lengths in said.values():
        assert set(lengths) == {"64", "128", "256"}
        for bits, one in lengths.items():
            assert sum(one["counts"].values()) == one["pairs"] > 1000
            assert 0 <= min(map(int, one["counts"])) and max(map(int, one["counts"])) <= int(bits)
            assert one["match_distance"] == int(bits) * 3 // 10
            assert isclose(one["match_chance_random"], chance(one["match_distance"], int(bits)), rel_tol=1e-9)
            assert one["match_chance_random"] <= one["match_chance"] < 0.2


def test_statistics_of_nothing(server, index):
    said = server.get(index + "/stats").json()
    assert said == {"index": index.rpartition("/")[2], "assets": 0, "periods": {}, "hubs": {}, "units": {}, "without": {},
                    "simprints": {}, "without_simprints": {}, "identical": {"groups": 0, "duplicates": 0}, "sampled": 0,
                    "with_iscc_code": 0, "with_metadata": 0, "fields": [], "distances": {}}
    assert detail(server.get("/indexes/none/stats"), 404) == "Index 'none' not found"


def test_statistics_need_the_key(start_server):
    server = start_server(env={"ISCC_SEARCH_API_SECRET": "key"})
    assert detail(server.get("/indexes/none/stats"), 401) == "Unauthorized"


def test_a_prefix_index_is_counted_by_its_assets(start_server):
    server = start_server("lmdb://{dir}")
    server.post("/indexes", json={"name": "main"})
    assets = [{name: value for name, value in asset.items() if name != "simprints"} for asset in made_up(9, 200)]
    server.post("/indexes/main/assets", json=assets)
    check(server.get("/indexes/main/stats").json(), assets)


def test_a_large_index_is_sampled_where_that_says_enough(start_server):
    server = start_server()
    server.post("/indexes", json={"name": "main"})
    assets = [{"iscc_id": iscc_id(n << 12), "units": [unit(META, digest(n)), unit(DATA, digest(n))], **({"metadata": {"n": n}} if n % 4 == 0 else {})}
              for n in range(25000)]
    for at in range(0, len(assets), 5000):
        assert server.post("/indexes/main/assets", json=assets[at:at + 5000]).status_code == 201
    said = server.get("/indexes/main/stats").json()
    assert (said["assets"], said["units"], said["hubs"]) == (25000, {"DATA_NONE_V0": {"64": 25000}, "META_NONE_V0": {"64": 25000}}, {"0": 25000})
    assert 5000 <= said["sampled"] <= 10000 and abs(said["with_metadata"] / said["sampled"] - 0.25) < 0.02


def test_a_remote_index_is_counted_by_its_server(server, index, tmp_path):
    """By the command line, which reads the answer of the server and writes it again."""
    name = index.rpartition("/")[2]
    assets = made_up(5, 200)
    server.post(index + "/assets", json=assets)
    words = [BINARY, "index", "stats", name, "--json", "--uri", server.base]
    said = subprocess.run(words, env={"HOME": str(tmp_path)}, capture_output=True, text=True, check=True, timeout=60)
    assert json.loads(said.stdout) == server.get(index + "/stats").json()
    check(json.loads(said.stdout), assets)
