"""Bytes that no well-behaved client sends, and well-behaved ones in odd pieces."""

import json

import pytest

from serving import read_all, status_of

END = b"Host: x\r\nConnection: close\r\n"
CREATE = b"POST /indexes HTTP/1.1\r\nContent-Type: application/json\r\n" + END


@pytest.fixture(autouse=True)
def still_alive(server):
    """Whatever a test sends, the server goes on."""
    yield
    assert server.get("/healthz").status_code == 200


@pytest.mark.parametrize("head", [
    b"GARBAGE\r\n\r\n", b"GET\r\n\r\n", b"GET / HTTP/1.1\r\nno colon\r\n\r\n",
    b"GET /healthz HTTP/9.9\r\n" + END + b"\r\n"])
def test_broken_request_lines(server, head):
    answer = server.raw(head)
    assert answer == b"" or status_of(answer) >= 400


@pytest.mark.parametrize("noise", [b"\x16\x03\x01\x02\x00\x01\x00\x01", b"\x00" * 5000,
                                   bytes(range(256)) * 1000, b"\r\n" * 50_000])
def test_noise(server, noise):
    with server.connect() as link:
        link.sendall(noise)


@pytest.mark.parametrize("head", [
    b"GET /healthz HTTP/1.1\r\nConnection: close\r\n\r\n",
    b"GET /healthz HTTP/1.1\r\nContent-Length: 3\r\nContent-Length: 5\r\n" + END + b"\r\nabcde",
    b"POST /indexes HTTP/1.1\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n" + END +
    b"\r\n0\r\n\r\n",
    b"GET /healthz?a b HTTP/1.1\r\n" + END + b"\r\n"])
def test_ambiguous_heads(server, head):
    answer = server.raw(head)
    assert status_of(answer) == 400
    assert b'{"detail":"expected ' in answer


def test_negative_length(server):
    answer = server.raw(b"POST /indexes HTTP/1.1\r\nContent-Length: -5\r\n" + END + b"\r\n")
    assert status_of(answer) == 400


def test_oversized_heads(server):
    assert status_of(server.raw(b"GET /" + b"a" * 200_000 + b" HTTP/1.1\r\n" + END + b"\r\n")) == 414
    answer = server.raw(b"GET /healthz HTTP/1.1\r\nX: " + b"a" * 200_000 + b"\r\n" + END + b"\r\n")
    assert status_of(answer) == 431


def test_absolute_target(server):
    answer = server.raw(b"GET http://other.example/healthz?x HTTP/1.1\r\n" + END + b"\r\n")
    assert status_of(answer) == 200


def test_blank_lines_in_front(server):
    assert status_of(server.raw(b"\r\n\r\nGET /healthz HTTP/1.1\r\n" + END + b"\r\n")) == 200


def test_byte_by_byte(server):
    head = b"GET /healthz HTTP/1.1\r\n" + END + b"\r\n"
    answer = server.raw(*[bytes([byte]) for byte in head], pause_s=0.002)
    assert status_of(answer) == 200


def test_split_body(server):
    body = b'{"name": "BAD"}'
    head = CREATE + b"Content-Length: %d\r\n\r\n" % len(body)
    answer = server.raw(head + body[:3], body[3:7], body[7:], pause_s=0.05)
    assert status_of(answer) == 422
    assert b"string_pattern_mismatch" in answer


def test_chunked_body(server):
    pieces = [b'{"na', b'me": "B', b'AD"}']
    chunks = b"".join(b"%x\r\n%s\r\n" % (len(piece), piece) for piece in pieces)
    answer = server.raw(CREATE + b"Transfer-Encoding: chunked\r\n\r\n" + chunks + b"0\r\n\r\n")
    assert status_of(answer) == 422
    assert b"string_pattern_mismatch" in answer


def test_broken_chunks(server):
    answer = server.raw(CREATE + b"Transfer-Encoding: chunked\r\n\r\nxyz\r\n")
    assert answer == b"" or status_of(answer) == 400


def test_pipelined_requests(server):
    many = b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n" + b"GET /indexes HTTP/1.1\r\nHost: x\r\n\r\n"
    answer = server.raw(many * 20 + b"GET /nope HTTP/1.1\r\n" + END + b"\r\n")
    assert answer.count(b"HTTP/1.1 200 ") == 40
    assert answer.endswith(b'{"detail":"Not Found"}')


def test_body_where_none_belongs(server):
    answer = server.raw(b"GET /indexes HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nabcde" +
                        b"GET /healthz HTTP/1.1\r\n" + END + b"\r\n")
    assert answer.count(b"HTTP/1.1 200 ") == 2


@pytest.mark.parametrize("length", [b"99999999999999", b"18446744073709551615"])
def test_hopeless_body_is_refused_at_once(server, length):
    answer = server.raw(CREATE + b"Content-Length: " + length + b"\r\n\r\n")
    assert status_of(answer) == 413
    assert b'{"detail":"the body is larger than ' in answer


def test_body_over_the_limit_is_refused_before_it_is_sent(server):
    head = CREATE + b"Expect: 100-continue\r\nContent-Length: 400000000\r\n\r\n"
    assert status_of(server.raw(head)) == 413


def test_expected_body_is_asked_for(server):
    with server.connect() as link:
        link.sendall(CREATE + b"Expect: 100-continue\r\nContent-Length: 2\r\n\r\n")
        assert link.recv(1000).startswith(b"HTTP/1.1 100 ")
        link.sendall(b"{}")
        assert status_of(read_all(link)) == 422


def test_client_that_leaves_early(server):
    for _ in range(20):
        with server.connect() as link:
            link.sendall(CREATE + b"Content-Length: 100\r\n\r\n{")
    for _ in range(20):
        with server.connect() as link:
            link.sendall(b"GET /indexes HTTP/1.1\r\nHost: x\r\n\r\n")


@pytest.mark.parametrize("body", [
    b"[" * 100_000, b"[" * 100_000 + b"]" * 100_000, b'{"a":' * 100_000 + b"1" + b"}" * 100_000])
@pytest.mark.parametrize("path", ["/indexes", "/indexes/a/assets", "/indexes/a/search"])
def test_deep_nesting(server, path, body):
    answer = server.post(path, data=body, headers={"Content-Type": "application/json"})
    assert answer.status_code == 422
    assert answer.json()["detail"][0]["type"] == "json_invalid"


@pytest.mark.parametrize("text", [b"\xff\xfe", b"\xc0\x80", b"\xed\xa0\x80", b"\xf4\x90\x80\x80"])
def test_invalid_utf8(server, text):
    body = b'{"name":"' + text + b'"}'
    answer = server.post("/indexes", data=body, headers={"Content-Type": "application/json"})
    assert answer.status_code == 422
    path = b"/indexes/" + text.replace(b" ", b"")
    answer = server.raw(b"GET " + path + b" HTTP/1.1\r\n" + END + b"\r\n")
    assert status_of(answer) == 404
    json.loads(answer.partition(b"\r\n\r\n")[2].decode("utf-8"))


def test_redirect_does_not_repeat_a_strange_host(server):
    answer = server.raw(b"GET /indexes/ HTTP/1.1\r\nHost: a\"><b>/\r\nConnection: close\r\n\r\n")
    assert status_of(answer) == 307
    assert b"Location: /indexes\r\n" in answer


def test_body_over_the_limit(start_server):
    server = start_server(env={"ISCC_SEARCH_BODY_LIMIT_MIB": "1"})
    head = CREATE + b"Content-Length: 1500000\r\n\r\n"
    assert status_of(server.raw(head + b" " * 1_500_000)) == 413
    chunk = b"80000\r\n" + b" " * 0x80000 + b"\r\n"
    head = CREATE + b"Transfer-Encoding: chunked\r\n\r\n"
    assert status_of(server.raw(head + chunk * 3 + b"0\r\n\r\n")) == 413
    answer = server.post("/indexes", data=b'{"name":"a"' + b" " * 1_040_000 + b"}",
                         headers={"Content-Type": "application/json"})
    assert answer.status_code == 201
