"""Every route: what it answers when all is well, and what it says when not."""

import json

import pytest

from serving import CONTENT, DATA, INSTANCE, digest, iscc_id, make_asset, status_of, unit

JSON = {"Content-Type": "application/json"}


def detail(answer, status):
    """The detail of a failed answer."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/json"
    return answer.json()["detail"]


def problems(answer):
    """Type and place of each problem of a 422."""
    return [(item["type"], item["loc"]) for item in detail(answer, 422)]


def test_service_routes(server):
    assert server.get("/healthz").json() == {"status": "ok"}
    assert server.get("/readyz").json() == {"status": "ready"}
    status = server.get("/status").json()
    assert set(status) == {"version", "mode", "network"}
    root = server.get("/", headers={"Accept": "application/json"})
    assert root.json()["docs"] == "/docs"
    assert "Accept" in root.headers["vary"]


def test_answers_are_compact_json(server):
    answer = server.get("/healthz")
    assert answer.text == '{"status":"ok"}'
    assert answer.headers["content-type"] == "application/json"


def test_index_life(server):
    created = server.post("/indexes", json={"name": "life"})
    assert (created.status_code, created.json()) == (201, {"name": "life", "assets": 0, "size": 0})
    assert detail(server.post("/indexes", json={"name": "life"}), 409)
    assert "sizes" in server.get("/indexes/life").json()
    assert [item["name"] for item in server.get("/indexes").json()] == ["life"]
    deleted = server.delete("/indexes/life")
    assert (deleted.status_code, deleted.content) == (204, b"")
    assert "life" in detail(server.delete("/indexes/life"), 404)
    assert server.get("/indexes").json() == []


def test_asset_life(server, index):
    asset = make_asset(1, metadata={"name": "Grüße", "n": 1e21, "deep": {"a": [None]}})
    body = json.dumps([asset], ensure_ascii=False).encode()
    added = server.post(index + "/assets", data=body, headers=JSON)
    assert added.status_code == 201
    assert added.json() == [{"iscc_id": asset["iscc_id"], "status": "created"}]
    again = server.post(index + "/assets", data=body, headers=JSON)
    assert again.json()[0]["status"] == "updated"
    got = server.get(f"{index}/assets/{asset['iscc_id']}")
    assert got.json() == asset
    assert "Grüße" in got.content.decode()
    removed = server.delete(f"{index}/assets/{asset['iscc_id']}")
    assert (removed.status_code, removed.content) == (204, b"")
    assert detail(server.get(f"{index}/assets/{asset['iscc_id']}"), 404)
    assert detail(server.delete(f"{index}/assets/{asset['iscc_id']}"), 404)
    found = server.post(index + "/search", json={"units": asset["units"]}).json()
    assert found["global_matches"] == []


def test_add_of_nothing(server, index):
    answer = server.post(index + "/assets", json=[])
    assert (answer.status_code, answer.json()) == (201, [])
    assert detail(server.post("/indexes/none/assets", json=[]), 404)


@pytest.mark.parametrize("name", ["assets_X", "assets_", "", ".x", "a/b", "a\\b", "a\n", "x" * 65])
def test_names_of_simprint_types(server, index, name):
    passage = {"simprint": "Mzdq5tYCKD4w4Pc4xv8T1A", "offset": 0, "size": 9}
    refused = make_asset(1, simprints={name: [passage]})
    answer = server.post(index + "/assets", json=[refused])
    assert problems(answer) == [("string_pattern_mismatch", ["body", 0, "simprints", name])]
    taken = make_asset(1, simprints={"xassets_X": [passage], "ASSETS_X": [passage]})
    assert server.post(index + "/assets", json=[taken]).status_code == 201


def test_a_name_with_nul_is_another_name(server, index):
    """Unknown fields are ignored; what follows the NUL is part of the name."""
    asset = make_asset(1)
    odd = {**asset, "metadata\0x": {"a": 1}, "iscc_code\0": "x", "units\0": 5, "simprints\0": []}
    for _ in range(2):
        assert server.post(index + "/assets", json=[odd]).status_code == 201
        assert server.get(f"{index}/assets/{asset['iscc_id']}").json() == asset
    inside = {**asset, "metadata": {"a\0b": {"c\0": "\0"}}}
    assert server.post(index + "/assets", json=[inside]).status_code == 201
    assert server.get(f"{index}/assets/{asset['iscc_id']}").json() == inside
    assert server.delete(f"{index}/assets/{asset['iscc_id']}").status_code == 204
    assert server.post("/indexes", json={"name\0": "x"}).status_code == 422
    query = {"iscc_id\0": "x", "units": asset["units"], "units\0": []}
    assert server.post(index + "/search", json=query).json()["global_matches"] == []
    passage = {"simprint": "Mzdq5tYCKD4w4Pc4xv8T1A", "offset": 0, "size": 9}
    typed = {**asset, "simprints": {"X\0Y": [passage]}}
    for path, body, place in ((index + "/assets", [typed], ["body", 0, "simprints"]),
                              (index + "/search", {"simprints": {"X\0Y": ["AAAA"]}}, ["body", "simprints"])):
        (kind, where), = problems(server.post(path, json=body))
        assert (kind, where[:-1]) == ("string_pattern_mismatch", place)


def test_search(server, index):
    assets = [make_asset(number) for number in range(1, 6)]
    server.post(index + "/assets", json=assets)
    found = server.post(index + "/search", json={"units": assets[2]["units"]}).json()
    assert found["global_matches"][0]["iscc_id"] == assets[2]["iscc_id"]
    assert found["global_matches"][0]["score"] == 1.0
    assert found["chunk_matches"] == []
    code = found["query"]["iscc_code"]
    by_code = server.get(index + "/search", params={"iscc_code": code}).json()
    assert by_code["global_matches"] == found["global_matches"]
    by_id = server.post(index + "/search", json={"iscc_id": assets[2]["iscc_id"]}).json()
    assert all(match["iscc_id"] != assets[2]["iscc_id"] for match in by_id["global_matches"])


@pytest.mark.parametrize("text, count", [
    ("1", 1), ("003", 3), ("+4", 4), (" 5 ", 5), ("2.0", 2), ("1_0", 6), ("9" * 30, 6)])
def test_limit_forms(server, index, text, count):
    body = digest("same")
    assets = [{"iscc_id": iscc_id(number), "units": [unit(CONTENT, body), unit(INSTANCE, body)]}
              for number in range(1, 7)]
    server.post(index + "/assets", json=assets)
    answer = server.post(index + "/search", params={"limit": text},
                         json={"units": [unit(CONTENT, body)]})
    matches = answer.json()["global_matches"]
    assert [match["iscc_id"] for match in matches] == [iscc_id(n) for n in range(1, count + 1)]


@pytest.mark.parametrize("text, kind", [
    ("0", "greater_than_equal"), ("-3", "greater_than_equal"), ("-0", "greater_than_equal"),
    ("", "int_parsing"), ("abc", "int_parsing"), ("1.5", "int_parsing"), ("1e2", "int_parsing"),
    ("10.", "int_parsing"), ("_1", "int_parsing"), ("1_", "int_parsing"), ("1__0", "int_parsing"),
    ("0x10", "int_parsing"), ("- 4", "int_parsing"), ("++4", "int_parsing"), ("٣", "int_parsing")])
def test_limit_refused(server, index, text, kind):
    answer = server.post(index + "/search", params={"limit": text}, json={})
    assert problems(answer) == [(kind, ["query", "limit"])]


def test_last_limit_counts(server, index):
    answer = server.get(index + "/search?limit=5&limit=x")
    assert problems(answer) == [("missing", ["query", "iscc_code"]),
                                ("int_parsing", ["query", "limit"])]


def test_search_by_code_refused(server):
    for path in ("/indexes/none/search?iscc_code=x", "/indexes/none/search?iscc_code="):
        assert "iscc_code" in detail(server.get(path), 400)
    assert problems(server.get("/indexes/none/search")) == [("missing", ["query", "iscc_code"])]


CODE = "ISCC:KACY6MYZYQFRSUSPYPNO4G3CLMACQAQWJAA4RTFHBFXCTOJUKW7HE2A"
WRONG_LENGTHS = {**{f"cut by {cut}": CODE[:-cut] for cut in (1, 2, 3, 4, 5, 6, 7, 8, 24)},
                 **{f"longer by {more}": CODE + "A" * more for more in (1, 2, 5, 8)}}


@pytest.mark.parametrize("code", WRONG_LENGTHS.values(), ids=WRONG_LENGTHS.keys())
def test_a_code_of_a_wrong_length_is_refused_with_the_length_expected(server, index, code):
    good, bad = make_asset(1), {"iscc_id": iscc_id(2), "iscc_code": code}
    for answer in (server.get(index + "/search", params={"iscc_code": code}),
                   server.post(index + "/search", json={"iscc_code": code}),
                   server.post(index + "/search", json={"iscc_code": code, "units": good["units"]}),
                   server.post(index + "/assets", json=[bad]),
                   server.post(index + "/assets", json=[good, {**bad, "units": good["units"]}])):
        said = detail(answer, 400)
        assert "iscc_code: " in said and "expected 55 characters behind 'ISCC:'" in said
    for number in (1, 2):
        assert server.get(f"{index}/assets/{iscc_id(number)}").status_code == 404


def test_sequences_of_units_are_taken_as_they_were(server, index):
    """Two units, one with bytes behind it, one that is cut short."""
    data, instance = unit(DATA, digest(1)), unit(INSTANCE, digest(2))
    for number, code in enumerate((data + instance[5:], data + "A" * 7, data + instance[5:-3])):
        asset = {"iscc_id": iscc_id(number), "iscc_code": code}
        assert server.post(index + "/assets", json=[asset]).status_code == 201
        found = server.get(index + "/search", params={"iscc_code": code}).json()["global_matches"]
        assert iscc_id(number) in [match["iscc_id"] for match in found]


def test_all_units_of_one_type_are_searched_each_in_its_longest_form(server, index):
    first, second = digest(1, 32), digest(2, 32)
    other = first[:8] + bytes(byte ^ 255 for byte in first[8:16]) + first[16:]
    for units in ([first, first[:8], second], [second, first[:8], first], [first[:16], second, first]):
        asset = {"iscc_id": iscc_id(1), "units": [unit(DATA, body) for body in units]}
        assert server.post(index + "/assets", json=[asset]).status_code == 201
        for body, score in ((first, 1.0), (second, 1.0), (other, 0.75)):
            found = server.post(index + "/search", json={"units": [unit(DATA, body)]}).json()
            assert [match["types"] for match in found["global_matches"]] == [{"DATA_NONE_V0": score}]


@pytest.mark.parametrize("path", ["/indexes", "/indexes/none/assets", "/indexes/none/search"])
def test_bodies_refused_before_the_index_is_looked_up(server, path):
    assert problems(server.post(path)) == [("missing", ["body"])]
    malformed = server.post(path, data=b'{"a": }', headers=JSON)
    assert [kind for kind, _ in problems(malformed)] == ["json_invalid"]
    untyped = problems(server.post(path, data=b"[]", headers={"Content-Type": "text/plain"}))
    assert untyped[0][1] == ["body"]
    for bad in (b'"\xff"', b'{"a":"\xc3("}', b"[NaN]", b'"\\ud800"'):
        answer = server.post(path, data=bad, headers=JSON)
        assert [kind for kind, _ in problems(answer)] == ["json_invalid"]


@pytest.mark.parametrize("content_type, is_read", [
    ("application/json", True), ("APPLICATION/JSON; charset=utf-8", True),
    ("application/ld+json", True), ("application/json ;x=y", True), ("text/json", False),
    ("application/jsonp", False), ("application/", False), ("json", False)])
def test_content_types(server, content_type, is_read):
    answer = server.post("/indexes", data=b'{"name": "BAD"}', headers={"Content-Type": content_type})
    expected = (("string_pattern_mismatch", ["body", "name"]) if is_read
                else ("model_attributes_type", ["body"]))
    assert problems(answer) == [expected]


@pytest.mark.parametrize("name", ["BAD", "a" * 300, "%ff", "%zz", "a.b", "lock.mdb"])
def test_impossible_names_are_not_found(server, name):
    assert detail(server.get(f"/indexes/{name}"), 404)
    assert detail(server.delete(f"/indexes/{name}"), 404)
    assert detail(server.get(f"/indexes/{name}/assets/{iscc_id(1)}"), 404)
    assert detail(server.post(f"/indexes/{name}/search", json={}), 404)


def test_ids_with_dots_and_slashes(server, index):
    for bad in ("..", "%2e%2e", "ISCC:..", "x", "ISCC%3A", "isc:MAIGBITKPRINHQBF"):
        for method in ("GET", "DELETE"):
            head = f"{method} {index}/assets/{bad} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
            assert status_of(server.raw(head.encode())) in (400, 404)
    for name in ("..", "%2e%2e", "."):
        for method in ("GET", "DELETE"):
            head = f"{method} /indexes/{name} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
            assert status_of(server.raw(head.encode())) == 404
    assert detail(server.get(f"{index}/assets/..%2f..%2fx"), 404) == "Not Found"
    assert detail(server.get(f"{index}/assets/a%00b"), 404) == "Not Found"
    assert server.get("/indexes").status_code == 200


@pytest.mark.parametrize("path, allow", [
    ("/indexes", {"GET", "HEAD", "POST"}), ("/indexes/a", {"GET", "HEAD", "DELETE"}),
    ("/indexes/a/assets", {"GET", "HEAD", "POST"}), ("/indexes/a/assets/b", {"GET", "HEAD", "PATCH", "DELETE"}),
    ("/indexes/a/search", {"GET", "HEAD", "POST"}), ("/indexes/a/fields", {"GET", "HEAD", "PUT"}), ("/healthz", {"GET", "HEAD"}), ("/", {"GET", "HEAD"}),
    ("/openapi/openapi.json", {"GET", "HEAD"}), ("/static/x", {"GET", "HEAD"})])
def test_wrong_methods(server, path, allow):
    for method in {"PUT", "OPTIONS", "BREW"} - allow:
        answer = server.call(method, path)
        assert detail(answer, 405) == "Method Not Allowed"
        assert set(answer.headers["allow"].split(", ")) == allow


def test_head(server):
    for path in ("/healthz", "/readyz", "/status", "/", "/docs", "/indexes", "/openapi/openapi.yaml",
                 "/static/js/app.js"):
        head, get = server.call("HEAD", path), server.get(path)
        assert (head.status_code, head.content) == (200, b"")
        for name in ("content-length", "content-encoding", "vary"):
            assert head.headers.get(name) == get.headers.get(name)


@pytest.mark.parametrize("path, location", [
    ("/indexes/", "/indexes"), ("/healthz//?a=%20b", "/healthz?a=%20b"), ("/openapi", "/openapi/"),
    ("/indexes/x/assets/", "/indexes/x/assets"), ("/indexes/a%20b/", "/indexes/a%20b")])
def test_slashes_at_the_end(server, path, location):
    for method in ("GET", "POST"):
        answer = server.call(method, path)
        assert answer.status_code == 307
        assert answer.headers["location"] == location


def test_location_has_no_host(server):
    """Whoever can choose the Host header of another's request cannot send him elsewhere."""
    for headers in ({"Host": "evil.example"}, {"X-Forwarded-Host": "evil.example"},
                    {"X-Forwarded-Proto": "https"}, {"Forwarded": "host=evil.example;proto=https"}):
        for path, location in (("/indexes/", "/indexes"), ("/playground", "/")):
            assert server.get(path, headers=headers).headers["location"] == location
    for target in (b"http://evil.example/indexes/", b"//evil.example/indexes/", b"//evil.example/",
                   b"/%2Fevil.example/", b"/\\evil.example/", b"//", b"///"):
        answer = server.raw(b"GET " + target + b" HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        assert status_of(answer) in (307, 404)
        assert b"Location:" not in answer or b"Location: /indexes\r\n" in answer


@pytest.mark.parametrize("path", ["/nope", "/nope/", "//indexes", "/indexes/a/b/c/d", "/Indexes",
                                  "/indexes/a%2Fb", "/openapi/", "/static/../index.html",
                                  "/" + "x/" * 200])
def test_unknown_paths(server, path):
    answer = server.raw(f"GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
    assert answer.startswith(b"HTTP/1.1 404 ")
    assert answer.endswith(b'{"detail":"Not Found"}')


def test_playground(server):
    answer = server.get("/playground?x=1")
    assert (answer.status_code, answer.headers["location"]) == (301, "/")
