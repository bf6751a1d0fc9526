"""Searches with a filter and with facets, against a model in Python; and what the documents say of them."""

import json

import pytest

from filter_program import Program
from serving import CONTENT, DATA, digest, iscc_id, unit

SEED = 20261127


@pytest.fixture(params=["memory://", "usearch://{dir}", "lmdb://{dir}"], ids=["memory", "usearch", "lmdb"])
def program(request, start_server):
    """A random program for each kind of store; lmdb:// keeps no simprints."""
    server = start_server(request.param)
    server.post("/indexes", json={"name": "a"})
    made = Program(server, "/indexes/a", SEED, ("units",) if request.param.startswith("lmdb") else ("units", "simprints"))
    made.run(250)
    return made


def test_a_random_program(program, tmp_path):
    assert program.kept > 800 and program.found - program.kept > 800
    program.check_batch()
    program.check_url()
    program.check_remote(tmp_path)


WRONG = [
    ([], [], "valid dictionary"), ("x", [], "valid dictionary"), (1, [], "valid dictionary"),
    ({"fields": "a"}, ["fields"], "Unknown member: expected all, any, not"),
    ({"all": {}}, ["all"], "valid list"), ({"any": [[]]}, ["any", 0], "valid dictionary"),
    ({"all": [{}, {"any": [{"not": {"x": 1}}]}]}, ["all", 1, "any", 0, "not", "x"], "Unknown member"),
    ({"hub": 4096}, ["hub"], "0 to 4095"), ({"hub": "1"}, ["hub"], "0 to 4095"), ({"hub": [True]}, ["hub", 0], "0 to 4095"),
    ({"iscc_id": {}}, ["iscc_id"], "from, to or both"), ({"iscc_id": iscc_id(1)}, ["iscc_id"], "valid dictionary"),
    ({"iscc_id": {"from": "ISCC:MAIG"}}, ["iscc_id", "from"], "ISCC"), ({"iscc_id": {"until": iscc_id(1)}}, ["iscc_id", "until"], "from, to"),
    ({"iscc_id": {"from": iscc_id(1), "to": iscc_id(2, realm=1)}}, ["iscc_id", "to"], "one realm"),
    ({"time": {"from": "yesterday"}}, ["time", "from"], "2025-01-31T12:00:00Z"), ({"time": {"to": 1.5}}, ["time", "to"], "valid string"),
    ({"types": []}, ["types"], "at least 1"), ({"types": ["TEXT"]}, ["types", 0], "should match"),
    ({"field": "a"}, [], "one test of the field"), ({"equals": 1}, [], "the member field"), ({"field": "a", "equals": 1, "exists": True}, [], "one test"),
    ({"field": "a", "equals": []}, ["equals"], "a string, a number"), ({"field": "a", "in": [{}]}, ["in", 0], "a string, a number"),
    ({"field": "a", "from": None}, ["from"], "number or a string"), ({"field": "a", "from": 1, "to": "1"}, ["to"], "of one kind"),
    ({"field": "", "equals": 1}, ["field"], "JSON pointer"), ({"field": "/~2", "equals": 1}, ["field"], "JSON pointer"),
    ({"field": "x" * 256, "equals": 1}, ["field"], "256 bytes"), ({"field": "a", "exists": "true"}, ["exists"], "boolean"),
]


@pytest.mark.parametrize("wrong, place, part", WRONG)
def test_what_is_no_filter_is_refused_with_its_place(server, index, wrong, place, part):
    query = {"units": [unit(CONTENT, digest(1))], "filter": wrong}
    for path, body, root in (("/search", query, ["body"]), ("/search/batch", {"queries": [query]}, None)):
        answer = server.post(index + path, json=body)
        problems = answer.json()["detail"] if root else answer.json()["results"][0]["detail"]
        assert answer.status_code == (422 if root else 200), answer.text
        assert (problems[0]["loc"][-len(place) - 1:] == ["filter", *place]) and part in problems[0]["msg"], problems
    by_url = server.post(index + "/search", json={"units": query["units"]}, params={"filter": json.dumps(wrong)})
    assert by_url.status_code == 422 and by_url.json()["detail"][0]["loc"] == ["query", "filter", *place], by_url.text


def test_text_that_is_no_json_in_the_url(server, index):
    for text in ("", "{", "{}x", "{'hub': 1}", "\ud800".encode("utf-8", "surrogatepass")):
        answer = server.get(index + "/search", params={"iscc_code": "ISCC:KACT4EBWK27737D2AYCJRAL5Z36G76RFRMO4554RU26HZ4ORJGIVHDI", "filter": text})
        assert answer.status_code == 422, answer.text
        assert answer.json()["detail"][0]["loc"] == ["query", "filter"] and answer.json()["detail"][0]["type"] == "json_invalid"


@pytest.mark.parametrize("wrong, place, part", [
    ("a", [], "valid list"), ([1], [0], "valid string"), ([""], [0], "expected a field"), (["a", "/a"], [1], "is there twice"),
    ([str(number) for number in range(33)], [], "at most 32"),
])
def test_what_are_no_facets_is_refused(server, index, wrong, place, part):
    answer = server.post(index + "/search", json={"units": [unit(CONTENT, digest(1))], "facets": wrong})
    assert answer.status_code == 422, answer.text
    problem = answer.json()["detail"][0]
    assert problem["loc"] == ["body", "facets", *place] and part in problem["msg"], problem


def repeated(count, part, open_="{\"any\":[", close="]}"):
    return open_ + ",".join(part for _ in range(count)) + close


@pytest.mark.parametrize("text, status", [
    (repeated(1000, '{"hub":1}'), 200), (repeated(1001, '{"hub":1}'), 422), (repeated(1000000, "{}"), 422),
    ('{"field":"a","in":' + repeated(10000, "1", "[", "]") + "}", 200), ('{"field":"a","in":' + repeated(10001, "1", "[", "]") + "}", 422),
    ('{"field":"a","equals":"' + "x" * 1000000 + '"}', 200),
    ('{"not":' * 15 + "{}" + "}" * 15, 200), ('{"not":' * 16 + "{}" + "}" * 16, 422), ('{"all":[' * 250 + "]}" * 250, 422),
    (repeated(300000, '{"x":[]}'), 422), ("{" + ",".join(f'"k{n}":1' for n in range(100000)) + "}", 422),
    ('{"hub":' + repeated(1000000, "0", "[", "]") + "}", 422),
], ids=range(12))
def test_filters_of_any_size_are_answered(server, index, text, status):
    server.put(index + "/fields", json=["a"])
    body = f'{{"units":["{unit(CONTENT, digest(1))}"],"filter":{text}}}'
    answer = server.post(index + "/search", data=body, headers={"Content-Type": "application/json"})
    assert answer.status_code == status, answer.text[:500]


def test_facets_list_the_hundred_most_frequent_values(server, index):
    """150 values, of which number n occurs n % 7 + 1 times; a list counts once for each different value."""
    rows = [(number, time) for number in range(150) for time in range(number % 7 + 1)]
    server.post(index + "/assets", json=[
        {"iscc_id": iscc_id(at + 1), "units": [unit(CONTENT, digest(1)), unit(DATA, digest(2))], "metadata": {"n": [number, number, {}]}}
        for at, (number, _) in enumerate(rows)])
    server.put(index + "/fields", json=["n", "m"])
    for limit in (1, 1000):
        answer = server.post(f"{index}/search?limit={limit}", json={"units": [unit(CONTENT, digest(1))], "facets": ["/n", "m"]}).json()
        ranked = sorted(((number % 7 + 1, number) for number in range(150)), key=lambda one: (-one[0], one[1]))
        assert answer["facets"]["/n"] == [{"value": number, "count": count} for count, number in ranked[:100]] + \
            [{"others": sum(count for count, _ in ranked[100:])}]
        assert answer["facets"]["m"] == [] and answer["chunk_facets"] == {"/n": [], "m": []}
    assert server.post(index + "/search", json={"units": [unit(CONTENT, digest(1))], "facets": []}).json()["facets"] == {}


def test_null_and_the_empty_object_are_no_filter(server, index):
    server.post(index + "/assets", json=[{"iscc_id": iscc_id(1), "units": [unit(CONTENT, digest(1)), unit(DATA, digest(2))]}])
    query = {"units": [unit(CONTENT, digest(1))]}
    for more in ({"filter": None}, {"filter": {}}, {"filter": {"all": []}}, {"filter": None, "facets": None}):
        answer = server.post(index + "/search", json={**query, **more})
        assert len(answer.json()["global_matches"]) == 1, answer.text
        assert ("filter" in answer.json()["query"]) == bool(more["filter"] is not None)
    assert server.post(index + "/search", json={**query, "filter": {"any": []}}).json()["global_matches"] == []
    # of the body and the URL, that of the body counts
    params = {"filter": '{"any":[]}'}
    assert server.post(index + "/search", json=query, params=params).json()["global_matches"] == []
    assert len(server.post(index + "/search", json={**query, "filter": {}}, params=params).json()["global_matches"]) == 1


def test_the_answer_repeats_the_filter_as_it_was_sent(server, index):
    server.put(index + "/fields", json=["a"])
    text = '{"field": "a", "equals": 1.50}'
    body = f'{{"units":["{unit(CONTENT, digest(1))}"],"filter":{text}}}'
    answer = server.post(index + "/search", data=body, headers={"Content-Type": "application/json"})
    assert '"filter":{"field":"a","equals":1.50}' in answer.text


def test_an_index_of_another_realm(server, index):
    server.post(index + "/assets", json=[{"iscc_id": iscc_id(1, realm=1), "units": [unit(CONTENT, digest(1)), unit(DATA, digest(2))]}])
    query = {"units": [unit(CONTENT, digest(1))], "filter": {"iscc_id": {"from": iscc_id(0)}}}
    answer = server.post(index + "/search", json=query)
    assert answer.status_code == 400 and "realm" in answer.json()["detail"], answer.text
    query["filter"] = {"iscc_id": {"from": iscc_id(0, realm=1)}}
    assert len(server.post(index + "/search", json=query).json()["global_matches"]) == 1
