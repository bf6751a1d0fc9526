"""gzip: bodies that come with it, and answers that are asked for with it."""

import gzip
import json
import zlib

import pytest

from serving import IS_SANITIZED, make_asset, status_of

MIB = 1 << 20
SECRET = "open sesame"
QUERY = {"units": make_asset(5)["units"]}


def post(server, path, data, coding="gzip", **headers):
    """Send bytes as JSON in some coding."""
    return server.post(path, data=data, headers={"Content-Type": "application/json",
                                                 "Content-Encoding": coding, **headers})


def plain(server, path, **headers):
    """An answer as it is sent when nothing is asked for."""
    return server.get(path, headers={"Accept-Encoding": "identity", **headers})


@pytest.fixture
def full(server, index):
    """An index with assets in it."""
    assert server.post(index + "/assets", json=[make_asset(n) for n in range(1, 200)]).status_code == 201
    return index


# --- bodies ---------------------------------------------------------------------------------------

@pytest.mark.parametrize("coding", ["gzip", "GZIP", "x-gzip", "gzip ", "identity, gzip"])
def test_a_gzip_body_is_decoded(server, index, coding):
    batch = [make_asset(n) for n in range(1, 101)]
    answer = post(server, index + "/assets", gzip.compress(json.dumps(batch).encode()), coding)
    assert answer.status_code == 201
    assert [one["status"] for one in answer.json()] == ["created"] * 100
    found = post(server, index + "/search", gzip.compress(json.dumps(QUERY).encode()), coding)
    assert found.json()["global_matches"][0]["iscc_id"] == make_asset(5)["iscc_id"]


def test_a_gzip_body_in_chunks_and_members(server, index):
    text = json.dumps([make_asset(1)]).encode()
    body = gzip.compress(text[:50]) + gzip.compress(text[50:])
    head = (f"POST {index}/assets HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Encoding: gzip\r\n"
            "Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n").encode()
    chunks = [b"1\r\n%c\r\n" % byte for byte in body]
    assert status_of(server.raw(head + b"".join(chunks) + b"0\r\n\r\n")) == 201


@pytest.mark.parametrize("coding", ["", "identity"])
def test_no_coding(server, full, coding):
    assert post(server, full + "/search", json.dumps(QUERY), coding).status_code == 200


@pytest.mark.parametrize("coding", ["br", "deflate", "zstd", "compress", "gzip, gzip", "gzip, br",
                                    "gzip;q=1", "nonsense"])
@pytest.mark.parametrize("tail", ["", "/assets", "/search"])
def test_other_codings_are_415(server, full, coding, tail):
    path = full + tail if tail else "/indexes"
    answer = post(server, path, b"whatever", coding)
    assert answer.status_code == 415
    assert answer.headers["Accept-Encoding"] == "gzip"
    assert answer.json()["detail"] == f"Content-Encoding '{coding}': expected gzip, or none"


def test_two_lines_of_content_encoding_are_415(server, full):
    head = (f"POST {full}/search HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Encoding: gzip\r\n"
            "Content-Encoding: gzip\r\nContent-Length: 2\r\n\r\n{}").encode()
    assert status_of(server.raw(head)) == 415


def test_a_coding_does_not_matter_where_no_body_is_read(server):
    for method in ("GET", "DELETE"):
        answer = server.call(method, "/indexes/none", headers={"Content-Encoding": "br"})
        assert answer.status_code == 404


WHOLE = gzip.compress(json.dumps(QUERY).encode())


@pytest.mark.parametrize("body, said", [
    (WHOLE[:-1], "ends too early"), (WHOLE[:-8], "ends too early"), (WHOLE[:10], "ends too early"),
    (WHOLE[:1], "ends too early"), (json.dumps(QUERY).encode(), "expected gzip"),
    (WHOLE + b"x", "ends too early"), (WHOLE + b"no more", "expected gzip"),
    (zlib.compress(b"{}"), "expected gzip"), (WHOLE[:-8] + b"\0" * 8, "expected gzip")],
    ids=["cut", "no-sum", "head", "byte", "none", "tail", "tails", "zlib", "wrong-sum"])
def test_what_is_not_gzip_is_400(server, full, body, said):
    answer = post(server, full + "/search", body)
    assert answer.status_code == 400
    assert said in answer.json()["detail"]
    assert server.post(full + "/search", json=QUERY).status_code == 200


def test_an_empty_gzip_body_is_an_empty_body(server, full):
    for body in (b"", gzip.compress(b"")):
        answer = post(server, full + "/search", body)
        assert answer.status_code == 422
        assert answer.json()["detail"][0]["type"] == "missing"


def test_decoded_json_is_checked(server, full):
    answer = post(server, full + "/search", gzip.compress(b'{"units": ['))
    assert answer.status_code == 422
    assert answer.json()["detail"][0]["type"] == "json_invalid"


def anonymous_mib(server):
    with open(f"/proc/{server.process.pid}/status", encoding="ascii") as file:
        return next(int(line.split()[1]) for line in file if line.startswith("RssAnon")) // 1024


def test_a_bomb_stops_at_the_ceiling(start_server):
    """A body of 1 MiB that stands for 1 GiB."""
    server = start_server(env={"ISCC_SEARCH_BODY_LIMIT_MIB": "1"})
    server.post("/indexes", json={"name": "main"})
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    bomb = b"".join(packer.compress(b" " * MIB) for _ in range(1000)) + packer.flush()
    assert len(bomb) < MIB
    before = anonymous_mib(server)
    for _ in range(20):
        answer = post(server, "/indexes/main/search", bomb)
        assert answer.status_code == 413
        assert "larger than the 1048576 bytes" in answer.json()["detail"]
    assert IS_SANITIZED or anonymous_mib(server) - before < 16
    exact = gzip.compress(json.dumps(QUERY).encode().ljust(MIB))
    assert post(server, "/indexes/main/search", exact).status_code == 200
    larger = gzip.compress(json.dumps(QUERY).encode().ljust(MIB + 1))
    assert post(server, "/indexes/main/search", larger).status_code == 413


def test_strangers_are_told_nothing_of_their_encoding(start_server):
    """Without the key it is 401, but for malformed JSON that is small enough to be looked at."""
    server = start_server(env={"ISCC_SEARCH_API_SECRET": SECRET})
    for body, coding in ((b"no gzip", "gzip"), (b"x", "br"), (gzip.compress(b"[]"), "gzip"),
                         (gzip.compress(b"[" * MIB), "gzip")):
        assert post(server, "/indexes/main/search", body, coding).status_code == 401
    assert post(server, "/indexes/main/search", gzip.compress(b"[")).status_code == 422


# --- answers --------------------------------------------------------------------------------------

def test_a_large_answer_is_encoded_when_asked_for(server, full):
    ask = {"units": make_asset(5)["units"]}
    assets = [make_asset(n, metadata={"name": "x" * 500}) | {"units": make_asset(5)["units"]}
              for n in range(1000, 1100)]
    server.post(full + "/assets", json=assets)
    path = full + "/search?limit=100"
    without = server.post(path, json=ask, headers={"Accept-Encoding": "identity"})
    assert "Content-Encoding" not in without.headers
    encoded = server.post(path, json=ask, headers={"Accept-Encoding": "br, gzip;q=0.8"})
    assert encoded.headers["Content-Encoding"] == "gzip"
    assert encoded.json() == without.json()
    assert int(encoded.headers["Content-Length"]) * 3 < int(without.headers["Content-Length"])
    for answer in (without, encoded):
        assert "Accept-Encoding" in answer.headers["Vary"]


@pytest.mark.parametrize("accepted, is_encoded", [
    ("gzip", True), ("*", True), ("deflate, gzip;q=0.1", True), ("gzip;q=0", False), ("", False),
    ("identity", False), ("br", False), ("*;q=0", False), ("gzip;q=0.5, identity", False)])
@pytest.mark.parametrize("path", ["/openapi/openapi.json", "/static/js/app.js", "/metrics"])
def test_what_is_accepted_decides(server, path, accepted, is_encoded):
    answer = server.get(path, headers={"Accept-Encoding": accepted})
    assert ("Content-Encoding" in answer.headers) == is_encoded
    assert "Accept-Encoding" in answer.headers["Vary"]
    if path != "/metrics":
        assert answer.content == plain(server, path).content


@pytest.mark.parametrize("path", ["/healthz", "/status", "/indexes/none", "/nowhere"])
def test_a_small_answer_is_sent_as_it_is(server, path):
    answer = server.get(path, headers={"Accept-Encoding": "gzip"})
    assert len(answer.content) < 1024
    assert "Content-Encoding" not in answer.headers
    assert answer.headers["Vary"] == "Origin"


@pytest.mark.parametrize("accepted", ["gzip", "identity"])
def test_head_says_what_get_sends(server, full, accepted):
    headers = {"Accept-Encoding": accepted}
    for path in ("/openapi/openapi.json", full, f"{full}/assets/{make_asset(5)['iscc_id']}", "/docs"):
        head, get = server.call("HEAD", path, headers=headers), server.get(path, headers=headers)
        names = ("Content-Length", "Content-Encoding", "Vary", "Content-Type")
        assert [head.headers.get(name) for name in names] == [get.headers.get(name) for name in names]


def test_the_page_for_people_varies_by_both(server):
    answer = server.get("/", headers={"Accept": "text/html", "Accept-Encoding": "gzip"})
    assert answer.headers["Vary"] == "Accept, Accept-Encoding, Origin"
    assert answer.headers["Content-Encoding"] == "gzip"


def test_an_error_is_encoded_when_it_is_large(server, index):
    batch = [{"iscc_id": n} for n in range(100)]
    answer = server.post(index + "/assets", json=batch, headers={"Accept-Encoding": "gzip"})
    assert answer.status_code == 422
    assert answer.headers["Content-Encoding"] == "gzip"
    assert len(answer.json()["detail"]) == 100


def test_an_encoded_answer_keeps_the_connection(server):
    ask = b"GET /openapi/openapi.json HTTP/1.1\r\nHost: x\r\nAccept-Encoding: gzip\r\n"
    answers = server.raw((ask + b"\r\n") * 3 + ask + b"Connection: close\r\n\r\n")
    assert answers.count(b"Content-Encoding: gzip") == 4
