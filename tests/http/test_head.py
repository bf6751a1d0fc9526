"""Heads that are not what RFC 9112 asks for, and all that the library would answer by itself.

Each is answered once, as JSON, the connection ends, and what stands behind it is not taken for a request.
"""

import json
import random
import re
import time

import pytest

from serving import read_all, status_of

HOST = b"Host: x\r\n"
GET = b"GET /healthz HTTP/1.1\r\n"
POST = b"POST /indexes HTTP/1.1\r\n" + HOST
BEHIND = b"GET /status HTTP/1.1\r\nHost: x\r\n\r\n"
CHUNKED = POST + b"Transfer-Encoding: chunked\r\n\r\n"

REFUSED = {
    # the request line
    "no-version": (400, b"GET /healthz\r\n\r\n"),
    "lower-case-version": (400, b"GET /healthz http/1.1\r\n" + HOST + b"\r\n"),
    "version-0.9": (505, b"GET /healthz HTTP/0.9\r\n\r\n"),
    "version-2": (505, b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
    "version-3": (505, b"GET /healthz HTTP/3.0\r\n" + HOST + b"\r\n"),
    "two-spaces": (400, b"GET  /healthz HTTP/1.1\r\n" + HOST + b"\r\n"),
    "space-in-target": (400, b"GET /healthz x HTTP/1.1\r\n" + HOST + b"\r\n"),
    "tab-in-method": (400, b"GE\tT /healthz HTTP/1.1\r\n" + HOST + b"\r\n"),
    "nul-in-method": (400, b"GE\0T /healthz HTTP/1.1\r\n" + HOST + b"\r\n"),
    "method-no-token": (400, b"G(T) /healthz HTTP/1.1\r\n" + HOST + b"\r\n"),
    "nul-in-path": (400, b"GET /healthz\0/x HTTP/1.1\r\n" + HOST + b"\r\n"),
    "nul-in-query": (400, b"GET /healthz?a=\0b HTTP/1.1\r\n" + HOST + b"\r\n"),
    "nul-and-version": (400, b"GET /healthz\0HTTP/1.1\0\0A: b HTTP/1.1\r\n" + HOST + b"\r\n"),
    "cr-in-target": (400, b"GET /healthz\r HTTP/1.1\r\n" + HOST + b"\r\n"),
    "escape-in-target": (400, b"GET /\x1b[31m HTTP/1.1\r\n" + HOST + b"\r\n"),
    "del-in-target": (400, b"GET /\x7f HTTP/1.1\r\n" + HOST + b"\r\n"),
    "long-target": (414, b"GET /" + b"a" * 100_000 + b" HTTP/1.1\r\n" + HOST + b"\r\n"),
    "long-target-without-end": (414, b"GET /" + b"a" * 100_000),
    "parameters": (414, b"GET /healthz?" + b"&" * 1200 + b" HTTP/1.1\r\n" + HOST + b"\r\n"),
    "named-parameters": (414, b"GET /healthz?" + b"a=b&" * 14_000 + b" HTTP/1.1\r\n" + HOST + b"\r\n"),
    "parameters-behind-nul": (400, b"GET /healthz\0?" + b"&" * 1200 + b" HTTP/1.1\r\n" + HOST + b"\r\n"),
    # headers
    "no-host": (400, GET + b"\r\n"),
    "two-hosts": (400, GET + HOST + b"host: y\r\n\r\n"),
    "two-hosts-1.0": (400, b"GET /healthz HTTP/1.0\r\n" + HOST + HOST + b"\r\n"),
    "blank-before-colon": (400, GET + HOST + b"Content-Length : 36\r\n\r\n" + BEHIND),
    "tab-before-colon": (400, GET + HOST + b"Content-Length\t: 36\r\n\r\n" + BEHIND),
    "blank-in-name": (400, GET + HOST + b"Content Length: 36\r\n\r\n" + BEHIND),
    "name-no-token": (400, GET + HOST + b"X@Y: 1\r\n\r\n"),
    "name-beyond-ascii": (400, GET + HOST + "Ä: 1\r\n\r\n".encode()),
    "no-name": (400, GET + HOST + b": 1\r\n\r\n"),
    "no-name-first": (400, GET + b": 1\r\n" + HOST + b"\r\n"),
    "no-name-hides": (400, GET + HOST + b": 1\r\nContent-Length: 36\r\n\r\n" + BEHIND),
    "no-colon": (400, GET + HOST + b"no colon\r\n\r\n"),
    "folded": (400, GET + HOST + b"X: a\r\n b\r\n\r\n"),
    "folded-first": (400, GET + b" X: a\r\n" + HOST + b"\r\n"),
    "folded-length": (400, POST + b"Content-Length: 3\r\n 6\r\n\r\n" + BEHIND),
    "folded-with-tab": (400, POST + b"Content-Length:\r\n\t36\r\n\r\n" + BEHIND),
    "folded-blanks": (400, POST + b"Content-Length: 36\r\n  \r\n\r\n" + BEHIND),
    "nul-in-value": (400, GET + HOST + b"X: a\0b\r\n\r\n"),
    "nul-behind-value": (400, GET + HOST + b"X: a\0\r\nY: b\r\n\r\n"),
    "nul-in-length": (400, POST + b"Content-Length: 3\0006\r\n\r\n" + BEHIND),
    "nul-in-name": (400, GET + HOST + b"X\0: a\r\n\r\n"),
    "nul-line": (400, GET + HOST + b"\0\r\nContent-Length: 36\r\n\r\n" + BEHIND),
    "nul-before-line": (400, GET + HOST + b"\0X: y\r\nContent-Length: 36\r\n\r\n" + BEHIND),
    "cr-in-value": (400, GET + HOST + b"X: a\rContent-Length: 36\r\n\r\n" + BEHIND),
    "escape-in-value": (400, GET + HOST + b"X: \x1b[31m\r\n\r\n"),
    "many-headers": (431, GET + HOST + b"a:b\r\n" * 3000 + b"\r\n"),
    "long-value": (431, GET + HOST + b"X: " + b"a" * 100_000 + b"\r\n\r\n"),
    "long-value-without-end": (431, GET + HOST + b"X: " + b"a" * 100_000),
    "long-name": (431, GET + HOST + b"a" * 100_000),
    # where the body ends
    "negative-length": (400, POST + b"Content-Length: -5\r\n\r\n" + BEHIND),
    "plus-length": (400, POST + b"Content-Length: +36\r\n\r\n" + BEHIND),
    "hexadecimal-length": (400, POST + b"Content-Length: 0x24\r\n\r\n" + BEHIND),
    "no-length": (400, POST + b"Content-Length:\r\n\r\n" + BEHIND),
    "two-numbers": (400, POST + b"Content-Length: 36, 36\r\n\r\n" + BEHIND),
    "two-lengths": (400, POST + b"Content-Length: 36\r\nContent-Length: 36\r\n\r\n" + BEHIND),
    "other-lengths": (400, POST + b"Content-Length: 0\r\nContent-Length: 36\r\n\r\n" + BEHIND),
    "endless-length": (413, POST + b"Content-Length: 99999999999999999999999\r\n\r\n"),
    "length-and-chunks": (400, POST + b"Content-Length: 36\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" +
                          BEHIND),
    "chunks-and-length": (400, POST + b"Transfer-Encoding: chunked\r\nContent-Length: 36\r\n\r\n0\r\n\r\n" +
                          BEHIND),
    "chunks-1.0": (400, b"POST /indexes HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + BEHIND),
    "gzip-chunked": (501, POST + b"Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n" + BEHIND),
    "identity": (501, POST + b"Transfer-Encoding: identity\r\n\r\n" + BEHIND),
    "chunked-gzip": (501, POST + b"Transfer-Encoding: chunked, gzip\r\n\r\n0\r\n\r\n" + BEHIND),
    "nearly-chunked": (501, POST + b"Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n" + BEHIND),
    "quoted-chunked": (501, POST + b'Transfer-Encoding: "chunked"\r\n\r\n0\r\n\r\n' + BEHIND),
    "two-codings": (400, POST + b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
    "no-coding": (400, POST + b"Transfer-Encoding:\r\n\r\n0\r\n\r\n"),
    # chunks
    "chunk-no-number": (400, CHUNKED + b"xyz\r\n"),
    "chunk-negative": (400, CHUNKED + b"-2\r\n{}\r\n0\r\n\r\n"),
    "chunk-blank": (400, CHUNKED + b"2 \r\n{}\r\n0\r\n\r\n"),
    "chunk-prefix": (400, CHUNKED + b"0x2\r\n{}\r\n0\r\n\r\n"),
    "chunk-without-end": (400, CHUNKED + b"2\r\n{}xx0\r\n\r\n"),
    "chunk-no-length": (400, CHUNKED + b"\r\n{}\r\n0\r\n\r\n"),
    "chunk-endless": (413, CHUNKED + b"fffffffffffffffff\r\n"),
    "chunk-long-extension": (400, CHUNKED + b"2;" + b"a" * 100_000),
    "trailer-no-colon": (400, CHUNKED + b"2\r\n{}\r\n0\r\nno colon\r\n\r\n"),
    "trailer-long": (431, CHUNKED + b"2\r\n{}\r\n0\r\n" + b"a" * 100_000),
}


def in_progress(server):
    """The requests that have begun and not ended, but for the one that asks."""
    name = "iscc_search_http_requests_in_progress "
    lines = server.get("/metrics", headers={"X-API-Key": "s3cret"}).text.splitlines()
    return int(next(line for line in lines if line.startswith(name))[len(name):]) - 1


def wait_for_none(server, patience_s=20):
    """Every exchange ends with its connection."""
    end = time.monotonic() + patience_s
    while in_progress(server):
        assert time.monotonic() < end, f"{in_progress(server)} requests never end"
        time.sleep(0.01)


@pytest.mark.parametrize("name", REFUSED)
def test_refused(server, name):
    status, request = REFUSED[name]
    answer = server.raw(request)
    head, _, body = answer.partition(b"\r\n\r\n")
    assert status_of(answer) == status
    assert not re.search(rb"HTTP/1\.1 \d", body), "one request has one answer"
    fields = [line.partition(b": ") for line in head.split(b"\r\n")[1:]]
    fields = {name.lower(): value for name, _, value in fields}
    assert fields[b"connection"] == b"close"
    assert fields[b"content-type"] == b"application/json"
    assert fields[b"x-content-type-options"] == b"nosniff"
    assert int(fields[b"content-length"]) == len(body)
    told = json.loads(body)
    assert set(told) == {"detail"} and told["detail"]
    wait_for_none(server)
    asked = fields[b"x-request-id"].decode()
    line = next(line for line in server.log().splitlines() if f"request_id={asked}" in line)
    assert f"status={status} " in line


@pytest.mark.parametrize("request_", [b"GARBAGE\r\n\r\n", b" / HTTP/1.1\r\n" + HOST + b"\r\n"])
def test_no_request_at_all(server, request_):
    """Where there is not even a target, the connection may just end."""
    with server.connect() as link:
        link.sendall(request_)
        link.shutdown(1)
        answer = read_all(link)
    assert answer == b"" or status_of(answer) == 400
    wait_for_none(server)


CLOSE = b"Connection: close\r\n"
TAKEN = {
    "no-value": (200, GET + b"Host:\r\nAccept:\r\n" + CLOSE + b"\r\n"),
    "blanks-around-value": (200, GET + b"Host:\t x \t\r\nX-Y: \t a\tb \r\n" + CLOSE + b"\r\n"),
    "bytes-beyond-ascii": (200, GET + HOST + "X: Ä\r\n".encode() + CLOSE + b"\r\n"),
    "bare-lf": (200, b"GET /healthz HTTP/1.1\nHost: x\nConnection: close\n\n"),
    "mixed-lf": (200, b"GET /healthz HTTP/1.1\nHost: x\r\nConnection: close\n\r\n"),
    "no-host-1.0": (200, b"GET /healthz HTTP/1.0\r\n\r\n"),
    "later-minor-version": (200, b"GET /healthz HTTP/1.2\r\n" + HOST + CLOSE + b"\r\n"),
    "some-parameters": (200, b"GET /healthz?" + b"a=&" * 200 + b" HTTP/1.1\r\n" + HOST + CLOSE + b"\r\n"),
    "equal-signs": (200, b"GET /healthz?" + b"=" * 20_000 + b" HTTP/1.1\r\n" + HOST + CLOSE + b"\r\n"),
    "percent-signs": (200, b"GET /healthz?" + b"%" * 20_000 + b"%2 HTTP/1.1\r\n" + HOST + CLOSE + b"\r\n"),
    "some-headers": (200, GET + HOST + b"a: b\r\n" * 200 + CLOSE + b"\r\n"),
    "cookies": (200, GET + HOST + b"Cookie: " + b"a;" * 10_000 + b"\r\n" + CLOSE + b"\r\n"),
    "long-cookie": (200, GET + HOST + b"Cookie: a=" + b"b" * 40_000 + b"\r\n" + CLOSE + b"\r\n"),
    "length-with-blanks": (422, POST + CLOSE + b"Content-Length:  2  \r\n\r\n{}"),
    "length-with-zeros": (422, POST + CLOSE + b"Content-Length: 0002\r\n\r\n{}"),
    "coding-with-blanks": (422, POST + CLOSE + b"transfer-encoding: \tCHUNKED \r\n\r\n2\r\n{}\r\n0\r\n\r\n"),
    "chunk-extension": (422, POST + CLOSE + b"Transfer-Encoding: chunked\r\n\r\n2;a=b\r\n{}\r\n0;c\r\n\r\n"),
    "trailers": (422, CHUNKED + b"2\r\n{}\r\n0\r\n" + b"a: b\r\n" * 1000 + b"\r\n" + BEHIND),
}


@pytest.mark.parametrize("name", TAKEN)
def test_taken(server, name):
    status, request = TAKEN[name]
    answer = server.raw(request)
    assert status_of(answer) == status
    assert answer.count(b"HTTP/1.1 ") == 1
    slowly = server.raw(*[request[i:i + 1 + len(request) // 40] for i in
                          range(0, len(request), 1 + len(request) // 40)], pause_s=0.001)
    assert status_of(slowly) == status
    wait_for_none(server)


def test_every_answer_says_what_it_is(server):
    """A browser is never to guess that an answer is something else."""
    for method, path in (("GET", "/healthz"), ("GET", "/readyz"), ("GET", "/"), ("GET", "/indexes"),
                         ("GET", "/docs"), ("GET", "/nope"), ("PUT", "/indexes"), ("GET", "/indexes/"),
                         ("GET", "/metrics"), ("GET", "/static/js/app.js"), ("GET", "/playground"),
                         ("POST", "/indexes"), ("DELETE", "/indexes/none"), ("OPTIONS", "/indexes")):
        assert server.call(method, path).headers["x-content-type-options"] == "nosniff", path


def test_method_of_any_length(server):
    for method in (b"A", b"A" * 15, b"GET" + b"A" * 13, b"A" * 5000):
        answer = server.raw(method + b" /healthz HTTP/1.1\r\n" + HOST + CLOSE + b"\r\n")
        assert status_of(answer) == 405


def test_name_of_a_request_that_is_refused_late(server):
    answer = server.raw(POST + b"X-Request-ID: mine\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n")
    assert status_of(answer) == 400
    assert b"X-Request-ID: mine\r\n" in answer
    wait_for_none(server)
    assert "method=POST path=/indexes status=400" in server.log()


def test_what_is_too_long_is_described(server):
    """server.get() compares with the description of the API."""
    assert server.get("/healthz?" + "&" * 1200).status_code == 414
    assert server.get("/indexes?" + "a=b&" * 1200).status_code == 414
    assert server.get("/status", headers={f"x-{number}": "y" for number in range(2000)}).status_code == 431


def make_request(chance):
    """A request that is as it should be, of any length, with any headers."""
    head = b"GET /healthz?" + b"q" * chance.choice([0, 1, 100, 5000]) + b" HTTP/1.1\r\n" + HOST
    for _ in range(chance.choice([0, 1, 10, 100])):
        name = bytes(chance.choices(b"abcXYZ0-9_~", k=chance.randint(1, 20)))
        value = bytes(chance.choices(b"abc ,;=%\xc3\t", k=chance.choice([0, 1, 10, 200])))
        head += b"X-" + name + b":" + b" " * chance.randint(0, 3) + value + chance.choice([b"\r\n", b"\n"])
    kind = chance.choice(["none", "none", "length", "chunks"])
    if kind == "length":
        body = b"x" * chance.choice([0, 1, 100, 20_000])
        return head + b"Content-Length: %d\r\n\r\n" % len(body) + body
    if kind == "chunks":
        chunks = b"".join(b"%x\r\n%s\r\n" % (size, b"y" * size) for size in (1, 100, 5000))
        return head + b"Transfer-Encoding: chunked\r\n\r\n" + chunks + b"0\r\n\r\n"
    return head + b"\r\n"


@pytest.mark.parametrize("seed", range(40))
def test_good_heads_in_any_pieces(server, seed):
    """Many requests behind each other, in pieces that end anywhere: none is taken for a bad one."""
    chance = random.Random(seed)
    many = [make_request(chance) for _ in range(chance.randint(1, 20))]
    sent = b"".join(many) + GET + HOST + CLOSE + b"\r\n"
    pieces = []
    while sent:
        size = max(chance.choice([1, 7, 100, 1000, 20_000, 60_000]), len(sent) // 300)
        pieces.append(sent[:size])
        sent = sent[size:]
    answer = server.raw(*pieces, pause_s=chance.choice([0, 0.0003]))
    assert answer.count(b"HTTP/1.1 200 ") == len(many) + 1
    assert answer.count(b"HTTP/1.1 ") == len(many) + 1
