"""The fields of metadata that an index declares: GET and PUT /indexes/{name}/fields."""

import pytest

from serving import CONTENT, DATA, digest, iscc_id, unit


def asset(number, metadata):
    return {"iscc_id": iscc_id(number), "metadata": metadata,
            "units": [unit(CONTENT, digest(number, 8)), unit(DATA, digest(number + 1000, 8))]}


def fields(answer):
    assert answer.status_code == 200, answer.text
    return answer.json()["fields"]


def test_fields_are_declared_and_listed(server, index):
    assert fields(server.get(index + "/fields")) == []
    assert fields(server.put(index + "/fields", json=["license", "/creator/name", "tags/0"])) == \
        ["/license", "/creator/name", "/tags/0"]
    assert fields(server.get(index + "/fields")) == ["/license", "/creator/name", "/tags/0"]
    # what GET has answered can be sent as it is; a list replaces the one before
    assert fields(server.put(index + "/fields", json=server.get(index + "/fields").json())) == \
        ["/license", "/creator/name", "/tags/0"]
    assert fields(server.put(index + "/fields", json={"fields": ["a~1b", "", "~0"][::2]})) == ["/a~1b", "/~0"]
    assert fields(server.put(index + "/fields", json=[])) == []
    assert fields(server.get(index + "/fields")) == []


def test_thirty_two_fields(server, index):
    many = [f"field{number}" for number in range(32)]
    assert fields(server.put(index + "/fields", json=many)) == ["/" + name for name in many]
    assert fields(server.put(index + "/fields", json=["x" * 255])) == ["/" + "x" * 255]


@pytest.mark.parametrize("body, loc, part", [
    ([""], ["body", 0], "expected a field"),
    ({"fields": ["a", "/b~"]}, ["body", "fields", 1], "expected a field"),
    (["a", "b", "/a"], ["body", 2], "is there twice"),
    (["x" * 256], ["body", 0], "expected a field"),
    (["a\n"], ["body", 0], "expected a field"),
    (["a\0"], ["body", 0], "NUL"),
    ([1], ["body", 0], "valid string"),
    ([["a"]], ["body", 0], "valid string"),
    ([str(number) for number in range(33)], ["body"], "at most 32 items"),
    ({"fields": "a"}, ["body", "fields"], "valid list"),
    ({"fields": None}, ["body", "fields"], "valid list"),
    ({"field": []}, ["body", "fields"], "Field required"),
    ("license", ["body"], "valid list"),
])
def test_what_is_no_list_of_fields_is_refused(server, index, body, loc, part):
    server.put(index + "/fields", json=["kept"])
    answer = server.put(index + "/fields", json=body)
    assert answer.status_code == 422, answer.text
    problem = answer.json()["detail"][0]
    assert problem["loc"] == loc and part in problem["msg"], problem
    assert fields(server.get(index + "/fields")) == ["/kept"]


def test_a_body_that_is_no_json(server, index):
    answer = server.put(index + "/fields", data="license", headers={"Content-Type": "text/plain"})
    assert answer.status_code == 422
    assert "Content-Type: application/json" in answer.json()["detail"][0]["msg"]
    assert server.put(index + "/fields").status_code == 422
    assert server.put(index + "/fields", data="[", headers={"Content-Type": "application/json"}).status_code == 422


def test_an_index_that_is_missing(server):
    assert server.get("/indexes/nosuch/fields").status_code == 404
    assert server.put("/indexes/nosuch/fields", json=["a"]).status_code == 404


def test_fields_need_the_key(start_server):
    server = start_server(env={"ISCC_SEARCH_API_SECRET": "secret"})
    key = {"X-API-Key": "secret"}
    server.post("/indexes", json={"name": "a"}, headers=key)
    assert server.get("/indexes/a/fields").status_code == 401
    assert server.put("/indexes/a/fields", json=["b"]).status_code == 401
    assert fields(server.put("/indexes/a/fields", json=["b"], headers=key)) == ["/b"]


def test_the_description_of_an_index_has_no_fields(server, index):
    """0.3.3 and its clients know its members."""
    server.put(index + "/fields", json=["license"])
    assert set(server.get(index).json()) == {"name", "assets", "size", "sizes"}
    assert all(set(one) == {"name", "assets", "size", "sizes"} for one in server.get("/indexes").json())


def test_fields_of_a_full_index(server, index):
    """Declared later, with assets that have none, lists, and values of every kind."""
    values = [None, True, 1, 1.5, "x", "x" * 5000, [], [1, "a", [2]], {}, {"b": 1}]
    assets = [asset(number, {"a": value}) for number, value in enumerate(values)] + [asset(99, {})]
    assert server.post(index + "/assets", json=assets).status_code == 201
    assert fields(server.put(index + "/fields", json=["a", "a/b"])) == ["/a", "/a/b"]
    assert server.patch(f"{index}/assets/{iscc_id(0)}", json={"metadata": None}).status_code == 200
    assert server.delete(f"{index}/assets/{iscc_id(1)}").status_code == 204
    assert server.get(index).json()["assets"] == len(assets) - 1
    assert fields(server.get(index + "/fields")) == ["/a", "/a/b"]


@pytest.mark.parametrize("kind", ["usearch", "lmdb"])
def test_fields_outlive_the_server(start_server, kind):
    server = start_server(kind + "://{dir}")
    server.post("/indexes", json={"name": "a"})
    server.put("/indexes/a/fields", json=["license"])
    assert server.stop() == 0
    server.start()
    assert fields(server.get("/indexes/a/fields")) == ["/license"]


def test_a_server_that_only_reads(start_server):
    server = start_server("usearch://{dir}")
    server.post("/indexes", json={"name": "a"})
    server.put("/indexes/a/fields", json=["license"])
    reader = start_server("usearch://{dir}", env={"ISCC_SEARCH_READ_ONLY": "true"})
    assert fields(reader.get("/indexes/a/fields")) == ["/license"]
    assert reader.put("/indexes/a/fields", json=["tenant"]).status_code == 503
    assert fields(server.get("/indexes/a/fields")) == ["/license"]
