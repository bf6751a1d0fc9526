"""What a query asks for itself: thresholds, types, the exponent, and what its matches carry."""

import pytest

from serving import CONTENT, DATA, INSTANCE, digest, iscc_id, unit

UNITS = [unit(CONTENT, digest(1, 8)), unit(DATA, digest(2, 8)), unit(INSTANCE, digest(3, 8))]
TYPES = ["CONTENT_TEXT_V0", "DATA_NONE_V0", "INSTANCE_NONE_V0"]


def flipped(body, bits):
    """A body with its first bits inverted."""
    mask = ((1 << bits) - 1) << (len(body) * 8 - bits)
    return (int.from_bytes(body, "big") ^ mask).to_bytes(len(body), "big")


@pytest.fixture
def found(server, index):
    """A function that searches an index of three assets: CONTENT and DATA differ in 4/0, 8/8 and 20/12 bits."""
    distances = [(4, 0), (8, 8), (20, 12)]
    assets = [{"iscc_id": iscc_id(number),
               "units": [unit(CONTENT, flipped(digest(1, 8), content)),
                         unit(DATA, flipped(digest(2, 8), data))],
               "metadata": {"n": number}} for number, (content, data) in enumerate(distances)]
    assert server.post(index + "/assets", json=assets).status_code == 201

    def search(query=None, params=""):
        return server.post(f"{index}/search{params}", json={"units": UNITS, **(query or {})})

    return search


def ids(answer):
    """The numbers of the assets that were found."""
    assert answer.status_code == 200, answer.text
    return [[iscc_id(n) for n in range(3)].index(match["iscc_id"])
            for match in answer.json()["global_matches"]]


CONDITIONS = [
    ({}, [0, 1, 2]),                               # 0.8125 of DATA reaches 0.75
    ({"min_score": 0.9}, [0]),
    ({"min_score": 0}, [0, 1, 2]),
    ({"min_score": 1}, [0]),
    ({"min_score": 0.875}, [0, 1]),                # 8 of 64 bits are exactly that
    ({"min_scores": {"DATA_NONE_V0": 0.9}}, [0, 1]),
    ({"min_score": 1, "min_scores": {"DATA_NONE_V0": 0.5}}, [0, 1, 2]),
    ({"min_scores": {"META_NONE_V0": 1}}, [0, 1, 2]),
    ({"types": ["CONTENT_TEXT_V0"]}, [0, 1]),
    ({"types": ["CONTENT_TEXT_V0", "DATA_NONE_V0"]}, [0, 1, 2]),
    ({"types": ["META_NONE_V0"]}, []),
    ({"types": ["CONTENT_TEXT_V0"], "min_score": 0}, [0, 1, 2]),
    ({"types": None, "min_score": None, "min_scores": None, "exponent": None, "with": None}, [0, 1, 2]),
    ({"min_score": "0.9"}, [0]),                   # as lax as 0.3.3 is with numbers
    ({"min_score": True}, [0]),
]


def params_of(conditions):
    """The same conditions as parameters of a URL."""
    parts = []
    for name, value in conditions.items():
        if value is True:
            value = 1
        if isinstance(value, dict):
            value = ",".join(f"{key}:{score}" for key, score in value.items())
        if isinstance(value, list):
            parts += [f"{name}={item}" for item in value]
        elif value is not None:
            parts.append(f"{name}={value}")
    return "?" + "&".join(parts)


@pytest.mark.parametrize("conditions, expected", CONDITIONS)
def test_conditions_in_the_body_and_in_the_url(found, conditions, expected):
    answer = found(conditions)
    assert ids(answer) == expected
    by_url = found(params=params_of(conditions))
    assert by_url.json() == answer.json()
    sent = {name for name, value in conditions.items() if value is not None}
    assert set(answer.json()["query"]) - {"units", "iscc_code"} == sent


def test_only_types_that_count_are_scored(found):
    answer = found({"types": ["DATA_NONE_V0", "INSTANCE_NONE_V0"]}).json()
    assert [match["types"] for match in answer["global_matches"]] == [
        {"DATA_NONE_V0": 1.0}, {"DATA_NONE_V0": 0.875}, {"DATA_NONE_V0": 0.8125}]
    assert answer["query"]["units"] == UNITS


def test_types_below_the_threshold_are_shown_and_do_not_count(found):
    best = found({"min_score": 0.95}).json()["global_matches"][0]
    assert best["types"] == {"CONTENT_TEXT_V0": 0.9375, "DATA_NONE_V0": 1.0}
    assert best["score"] == 1.0


@pytest.mark.parametrize("exponent", [1, 2, 4, 7, 4294967295])
def test_the_exponent(found, exponent):
    best = found({"exponent": exponent}).json()["global_matches"][0]
    assert best["score"] == pytest.approx((1 + 0.9375 ** exponent) / 1.9375)


@pytest.mark.parametrize("wanted, members", [
    (None, {"metadata"}),
    ([], set()),
    (["metadata"], {"metadata"}),
    (["code"], {"iscc_code"}),
    (["units"], {"units"}),
    (["units", "metadata", "code", "units"], {"metadata", "iscc_code", "units"}),
])
def test_what_a_match_carries(found, wanted, members):
    answer = found({"with": wanted}).json()
    for number, match in enumerate(answer["global_matches"]):
        assert set(match) == {"iscc_id", "score", "types"} | members
        assert match.get("metadata", {"n": number}) == {"n": number}
        assert match.get("iscc_code") is None
    if wanted is not None:
        assert found(params="?with=" + ",".join(wanted)).json() == answer


def test_a_condition_of_the_body_counts_before_the_url(found):
    assert ids(found({"min_score": 0.9}, "?min_score=0.1&types=DATA_NONE_V0")) == [0]
    answer = found({"types": ["CONTENT_TEXT_V0"]}, "?types=DATA_NONE_V0&with=units").json()
    assert answer["query"]["types"] == ["CONTENT_TEXT_V0"]
    assert answer["query"]["with"] == ["units"]


def test_conditions_of_a_search_by_get(server, index, found):
    assert ids(found()) == [0, 1, 2]
    code = found().json()["query"]["iscc_code"]
    assert ids(server.get(f"{index}/search?iscc_code={code}&min_score=0.9")) == [0]
    answer = server.get(f"{index}/search?iscc_code={code}&types=DATA_NONE_V0,META_NONE_V0&with=")
    assert [set(match) for match in answer.json()["global_matches"]] == [
        {"iscc_id", "score", "types"}] * 3


def test_conditions_of_a_search_by_iscc_id(server, index, found):
    assert ids(found()) == [0, 1, 2]
    ask = {"iscc_id": iscc_id(1), "min_score": 0.93}
    answer = server.post(index + "/search", json=ask)
    assert ids(answer) == [0, 2] and answer.json()["query"]["min_score"] == 0.93
    ask["min_scores"] = {"DATA_NONE_V0": 1}
    assert ids(server.post(index + "/search", json=ask)) == [0]


def test_thresholds_and_carried_members_of_passages(server, index):
    simprint = "A" * 43  # 256 bits
    near = "_" + "A" * 42
    body = {"iscc_id": iscc_id(1), "iscc_code": None, "units": UNITS, "metadata": {"source": "x"},
            "simprints": {"CONTENT_TEXT_V0": [{"simprint": near, "offset": 0, "size": 9}]}}
    assert server.post(index + "/assets", json=[body]).status_code == 201
    ask = {"simprints": {"CONTENT_TEXT_V0": [simprint]}}
    for conditions, count in [({}, 1), ({"min_score": 0.98}, 0), ({"min_score": 0.97}, 1),
                              ({"min_scores": {"CONTENT_TEXT_V0": 0.98}}, 0),
                              ({"min_score": 1, "min_scores": {"CONTENT_TEXT_V0": 0.5}}, 1),
                              ({"types": ["DATA_NONE_V0"]}, 1)]:
        answer = server.post(index + "/search", json={**ask, **conditions}).json()
        assert len(answer["chunk_matches"]) == count, conditions
    for wanted, members in [(["metadata"], {"source", "metadata"}), ([], set()),
                            (["code", "units"], {"iscc_code", "units"})]:
        match, = server.post(index + "/search", json={**ask, "with": wanted}).json()["chunk_matches"]
        assert set(match) == {"iscc_id", "score", "types"} | members
        assert match.get("units", UNITS) == UNITS


WRONG = [
    ("min_score", -0.1, "greater_than_equal", []),
    ("min_score", 1.0001, "less_than_equal", []),
    ("min_score", "high", "float_parsing", []),
    ("min_score", "", "float_parsing", []),
    ("min_score", [0.5], "float_type", []),
    ("min_score", {}, "float_type", []),
    ("min_scores", [], "dict_type", []),
    ("min_scores", {"DATA_NONE_V0": 2}, "less_than_equal", ["DATA_NONE_V0"]),
    ("min_scores", {"DATA_NONE_V0": None}, "float_type", ["DATA_NONE_V0"]),
    ("min_scores", {f"T{n}": 1 for n in range(129)}, "too_long", []),
    ("types", "DATA_NONE_V0", "list_type", []),
    ("types", [], "too_short", []),
    ("types", ["DATA_NONE_V0"] * 65, "too_long", []),
    ("types", ["data"], "string_pattern_mismatch", [0]),
    ("types", ["DATA_NONE_V0", "DATA__NONE_V0"], "string_pattern_mismatch", [1]),
    ("types", ["DATA_NONE_V"], "string_pattern_mismatch", [0]),
    ("types", [7], "string_type", [0]),
    ("exponent", 0, "greater_than_equal", []),
    ("exponent", -1, "greater_than_equal", []),
    ("exponent", 1.5, "int_from_float", []),
    ("exponent", 4294967296, "less_than_equal", []),
    ("exponent", "four", "int_parsing", []),
    ("with", "units", "list_type", []),
    ("with", ["units", "simprints"], "literal_error", [1]),
    ("with", [1], "literal_error", [0]),
]


@pytest.mark.parametrize("name, value, kind, place", WRONG)
def test_wrong_conditions(server, index, name, value, kind, place):
    answer = server.post(index + "/search", json={"units": UNITS, name: value})
    assert answer.status_code == 422
    problem, = answer.json()["detail"]
    assert (problem["type"], problem["loc"]) == (kind, ["body", name, *place])
    assert problem["msg"]


@pytest.mark.parametrize("params, places", [
    ("min_score=x&exponent=0&with=all", [["query", "min_score"], ["query", "exponent"], ["query", "with", 0]]),
    ("min_score=nan", [["query", "min_score"]]),
    ("min_score=1e999", [["query", "min_score"]]),
    ("min_scores=DATA_NONE_V0", [["query", "min_scores", "DATA_NONE_V0"]]),
    ("types=", [["query", "types"]]),
    ("types=A&limit=0", [["query", "limit"], ["query", "types", 0]]),
])
def test_wrong_parameters(server, index, params, places):
    for answer in (server.post(f"{index}/search?{params}", json={"units": UNITS}),
                   server.get(f"{index}/search?iscc_code=ISCC:KACT4EBWK27737D2&{params}")):
        assert answer.status_code == 422
        assert [item["loc"] for item in answer.json()["detail"]] == places
