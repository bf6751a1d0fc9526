"""POST /compare against a plain model: codes, units, assets of an index, mixed, with conditions; and what it refuses."""

import base64
import json
import random
from fractions import Fraction
from math import comb, isclose
from pathlib import Path

import pytest

from serving import CONTENT, DATA, INSTANCE, META, digest, iscc_id, make_asset, unit
from test_routes import detail, problems

TOP = Path(__file__).resolve().parents[2]
SAMPLE = [json.loads(line) for line in open(TOP / "examples" / "assets.jsonl", encoding="utf-8")]
NAMES = {META: "META_NONE_V0", CONTENT: "CONTENT_TEXT_V0", DATA: "DATA_NONE_V0", INSTANCE: "INSTANCE_NONE_V0"}


def chance(distance, bits):
    """How likely two random bodies differ in no more bits."""
    return float(Fraction(sum(comb(bits, k) for k in range(distance + 1)), 2**bits))


def decode(text):
    """Type and body of an ISCC-UNIT."""
    raw = base64.b32decode(text[5:] + "=" * (-len(text[5:]) % 8))
    return NAMES[raw[0] >> 4], raw[2:]


def explain(a, b, least=0.75, exponent=4, only=None):
    """The answer, by the rules of docs/scores.md, of two lists of units."""
    sides = [[decode(text) for text in side] for side in (a, b)]
    sides = [[one for one in side if not only or one[0] in only] for side in sides]
    found = {}
    for kind, body in sides[0]:
        found.setdefault(kind, {"absent": True, "in": "b"})
        for other, second in sides[1]:
            if other != kind:
                continue
            size = min(len(body), len(second))
            distance = (int.from_bytes(body[:size], "big") ^ int.from_bytes(second[:size], "big")).bit_count()
            bits, is_instance = size * 8, kind.startswith("INSTANCE")
            score = float(distance == 0) if is_instance else 1.0 - distance / bits
            counted = score >= (1.0 if is_instance else least)
            one = {"compared_bits": bits, "distance": distance, "score": score, "counted": counted,
                   "expect": float(2.0**-bits if distance == 0 else 1.0) if is_instance else chance(distance, bits)}
            if not counted:
                one["missed_by"] = (1.0 if is_instance else least) - score
            best = found[kind]
            if "absent" in best or (score, bits, -distance) > (best["score"], best["compared_bits"], -best["distance"]):
                found[kind] = one
    for kind, _ in sides[1]:
        found.setdefault(kind, {"absent": True, "in": "a"})
    return {"score": score_of(found, exponent), "exponent": exponent, "explanation": found}


def score_of(explanation, exponent):
    """The score that an explanation gives, added in the order of the scores as the program adds them."""
    scores = sorted((one["score"] for one in explanation.values() if one.get("counted")), reverse=True)
    return sum(s**exponent for s in scores) / sum(scores) if scores else 0.0


def check(said, expected):
    """All numbers are equal to the last bit, but for the probability, which is a sum of many."""
    assert said.keys() == expected.keys()
    assert said["score"] == expected["score"] == score_of(said["explanation"], said["exponent"])
    assert list(said["explanation"]) == list(expected["explanation"])
    for kind, one in expected["explanation"].items():
        found = dict(said["explanation"][kind])
        if "expect" in one:
            assert isclose(found.pop("expect"), one["expect"], rel_tol=1e-9), (kind, one)
        assert found == {name: value for name, value in one.items() if name != "expect"}


def compare(server, a, b, **more):
    answer = server.post("/compare", json={"a": a, "b": b, **more})
    assert answer.status_code == 200, answer.text
    return answer.json()


def near(body, bits, seed):
    """A body with so many bits inverted."""
    number = int.from_bytes(body, "big")
    for bit in random.Random(seed).sample(range(len(body) * 8), bits):
        number ^= 1 << bit
    return number.to_bytes(len(body), "big")


@pytest.mark.parametrize("seed", range(40))
def test_units_are_compared_as_the_model_says(server, seed):
    draw = random.Random(seed)
    sides = [[], []]
    for kind in (META, CONTENT, DATA, INSTANCE):
        body = digest((seed, kind), 32)
        for side in sides:
            # several of one type, none of one type, and other lengths
            for number in range(draw.choice([0, 1, 1, 1, 2])):
                size = draw.choice([4, 8, 16, 24, 32])
                inverted = draw.choice([0, 0, 1, size, size * 2, size * 3])
                side.append(unit(kind, near(body[:size], inverted, f"{seed} {number}")))
    if not all(sides):
        return
    longest = [text for text in sides[1] if not any(
        decode(text)[0] == decode(other)[0] and decode(other)[1].startswith(decode(text)[1]) and
        len(decode(other)[1]) > len(decode(text)[1]) for other in sides[1])]
    for conditions in ({}, {"min_score": draw.random()}, {"exponent": draw.randrange(1, 9)},
                       {"types": ["CONTENT_TEXT_V0", "DATA_NONE_V0"]}):
        said = compare(server, {"units": sides[0]}, {"units": sides[1]}, **conditions)
        check(said, explain(sides[0], longest, conditions.get("min_score", 0.75), conditions.get("exponent", 4),
                            conditions.get("types")))


def test_codes_units_and_assets_in_every_mixture(server, index):
    name = index.rpartition("/")[2]
    first, second = SAMPLE[0], SAMPLE[7]
    server.post(index + "/assets", json=[first, second])
    cut = [unit(*[(META, CONTENT, DATA, INSTANCE)[i], decode(text)[1][:8]]) for i, text in enumerate(first["units"])]
    forms = {  # what each form stands for
        "code": (first["iscc_code"], cut),
        "unit": (first["units"][1], first["units"][1:2]),
        "id": (first["iscc_id"], first["units"]),
        "object of an id": ({"iscc_id": first["iscc_id"], "index": name}, first["units"]),
        "object of a code": ({"iscc_code": first["iscc_code"]}, cut),
        "object of units": ({"units": first["units"][:2]}, first["units"][:2]),
        "object of any": ({"iscc": first["units"][2]}, first["units"][2:3]),
        "units win over a code": ({"units": first["units"][:1], "iscc_code": first["iscc_code"]}, first["units"][:1]),
        "other": (second["iscc_id"], second["units"]),
    }
    for a, a_units in forms.values():
        for b, b_units in forms.values():
            said = compare(server, a, b, index=name)
            check(said, explain(a_units, b_units))
    # an index of its own wins
    assert detail(server.post("/compare", json={"a": {"iscc_id": first["iscc_id"], "index": "none"}, "b": first["iscc_id"],
                                                "index": name}), 404) == "a: Index 'none' not found"


def test_a_comparison_is_what_a_search_finds(server, index):
    name = index.rpartition("/")[2]
    server.post(index + "/assets", json=SAMPLE[:600])
    for asset in SAMPLE[:600:40]:
        found = server.post(index + "/search?limit=20", json={"iscc_id": asset["iscc_id"]}).json()["global_matches"]
        for match in found:
            said = compare(server, asset["iscc_id"], {"iscc_id": match["iscc_id"]}, index=name)
            assert said["score"] == match["score"]
            scores = {kind: one["score"] for kind, one in said["explanation"].items() if kind in match["types"]}
            assert scores == match["types"]


def test_what_is_no_work_is_refused_with_its_place(server):
    unit_a = unit(CONTENT, digest(1))
    for body, expected in [
            ({}, [("missing", ["body", "a"]), ("missing", ["body", "b"])]),
            ({"a": unit_a}, [("missing", ["body", "b"])]),
            ({"a": 5, "b": None}, [("model_attributes_type", ["body", "a"]), ("model_attributes_type", ["body", "b"])]),
            ({"a": {}, "b": {"units": []}}, [("missing", ["body", "a"]), ("too_short", ["body", "b", "units"])]),
            ({"a": unit_a, "b": unit_a, "min_score": 2, "types": [], "exponent": 0},
             [("less_than_equal", ["body", "min_score"]), ("too_short", ["body", "types"]),
              ("greater_than_equal", ["body", "exponent"])]),
            ({"a": {"iscc_id": "x", "index": 5}, "b": unit_a, "index": []},
             [("string_type", ["body", "index"]), ("string_pattern_mismatch", ["body", "a", "iscc_id"]),
              ("string_type", ["body", "a", "index"])]),
            ({"a": {"units": [unit_a] * 65}, "b": unit_a}, [("too_long", ["body", "a", "units"])])]:
        assert problems(server.post("/compare", json=body)) == expected, body
    assert problems(server.post("/compare", json=[])) == [("model_attributes_type", ["body"])]
    assert problems(server.post("/compare")) == [("missing", ["body"])]


def test_what_cannot_be_compared_is_named(server, index):
    name = index.rpartition("/")[2]
    unit_a = unit(CONTENT, digest(1))
    server.post(index + "/assets", json=[{"iscc_id": iscc_id(5), "simprints": {
        "CONTENT_TEXT_V0": [{"simprint": "AAAAAAAAAAA", "offset": 0, "size": 1}]}}])
    for a, b, status, said in [
            (unit_a, "hello", 400, "b: "),
            ("", unit_a, 400, "a: "),
            (unit_a, unit_a[:-1], 400, "b: "),
            (iscc_id(1), unit_a, 400, "a: " + iscc_id(1) + " is an ISCC-ID, which says nothing of the content"),
            (unit_a, {"iscc_id": iscc_id(1), "index": name}, 404, f"b: Asset '{iscc_id(1)}' not found"),
            (unit_a, {"iscc_id": iscc_id(1), "index": "../x"}, 404, "b: Index '../x' not found"),
            ({"iscc_id": iscc_id(5), "index": name}, unit_a, 400, f"a: {iscc_id(5)} has no ISCC-CODE and no units"),
            ({"units": [unit_a, "ISCC:AAAA"]}, unit_a, 400, "a: units[1]: "),
            ({"iscc_code": SAMPLE[0]["iscc_code"][:-4]}, unit_a, 400, "a: ")]:
        answer = detail(server.post("/compare", json={"a": a, "b": b}), status)
        assert answer.startswith(said), answer


def test_without_a_type_in_common_nothing_counts(server):
    said = compare(server, unit(CONTENT, digest(1)), unit(DATA, digest(1)))
    assert said == {"score": 0.0, "exponent": 4, "explanation": {
        "CONTENT_TEXT_V0": {"absent": True, "in": "b"}, "DATA_NONE_V0": {"absent": True, "in": "a"}}}


def test_instances_are_equal_or_not(server):
    body = digest(1, 32)
    same = compare(server, unit(INSTANCE, body), unit(INSTANCE, body[:8]), min_score=1)
    assert (same["score"], same["explanation"]["INSTANCE_NONE_V0"]["counted"]) == (1.0, True)
    other = compare(server, unit(INSTANCE, body), unit(INSTANCE, near(body, 1, 1)), min_score=0)
    assert (other["score"], other["explanation"]["INSTANCE_NONE_V0"]) == (
        0.0, {"compared_bits": 256, "distance": 1, "score": 0.0, "expect": 1.0, "counted": False, "missed_by": 1.0})


def test_comparing_needs_the_key(start_server):
    server = start_server(env={"ISCC_SEARCH_API_SECRET": "key"})
    body = {"a": unit(CONTENT, digest(1)), "b": unit(CONTENT, digest(2))}
    assert detail(server.post("/compare", json=body), 401) == "Unauthorized"
    assert server.post("/compare", json=body, headers={"X-API-Key": "key"}).status_code == 200


def test_the_thresholds_of_the_server_count(start_server):
    server = start_server(env={"ISCC_SEARCH_MATCH_THRESHOLD_UNITS": "0.9", "ISCC_SEARCH_CONFIDENCE_EXPONENT": "2"})
    a, b = unit(CONTENT, digest(1)), unit(CONTENT, near(digest(1), 8, 1))
    check(compare(server, a, b), explain([a], [b], 0.9, 2))
    check(compare(server, a, b, min_score=0.5), explain([a], [b], 0.5, 2))


@pytest.mark.parametrize("uri", ["memory://", "usearch://{dir}", "lmdb://{dir}"])
def test_every_engine_compares_its_assets(start_server, uri):
    server = start_server(uri)
    server.post("/indexes", json={"name": "main"})
    assets = [make_asset(1, 32), make_asset(2, 8)]
    server.post("/indexes/main/assets", json=assets)
    said = compare(server, assets[0]["iscc_id"], assets[1]["iscc_id"], index="main")
    check(said, explain(assets[0]["units"], assets[1]["units"]))
