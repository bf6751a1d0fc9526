"""GET export and POST import: an index as lines of JSON, streamed both ways."""

import gzip
import json
import shutil
import socket
import subprocess
import threading
import time

import pytest
import requests

from serving import CONTENT, IS_SANITIZED, digest, make_asset, unit
from test_routes import detail, problems

LINES = {"Content-Type": "application/x-ndjson"}


def row(number, **more):
    """An asset with simprints in the order in which they are exported."""
    passages = [{"simprint": "AAAAAAAAAA" + "AEIM"[k % 4], "offset": 10 * k, "size": 10} for k in range(number % 4)]
    simprints = {"simprints": {"CONTENT_TEXT_V0": passages}} if passages else {}
    return make_asset(number, **simprints, metadata={"name": f"Grüße {number}"}, **more)


def to_lines(rows):
    return "".join(json.dumps(each, ensure_ascii=False, separators=(",", ":")) + "\n" for each in rows).encode()


ROWS = [row(number) for number in range(1, 400)]


def members_in_order(each):
    """As an asset is written."""
    return {name: each[name] for name in ("iscc_id", "iscc_code", "units", "simprints", "metadata") if name in each}


TEXT = to_lines(map(members_in_order, ROWS))


def load(server, index, text=TEXT, **params):
    answer = server.post(index + "/import", data=text, headers=LINES, params=params)
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "application/x-ndjson"
    return [json.loads(line) for line in answer.text.splitlines()]


def test_what_is_imported_is_exported(server, index):
    shuffled = ROWS[1::2] + ROWS[::2][::-1]
    answers = load(server, index, to_lines(shuffled))
    assert answers[:-1] == [{"line": n, "iscc_id": each["iscc_id"], "status": "created"}
                            for n, each in enumerate(shuffled, 1)]
    assert answers[-1] == {"lines": 399, "created": 399, "updated": 0, "errors": 0, "stopped": False}
    answer = server.get(index + "/export")
    assert answer.headers["content-type"] == "application/x-ndjson" and answer.content == TEXT
    assert load(server, index, answer.content)[-1]["updated"] == 399
    assert server.get(index + "/export").content == TEXT


@pytest.mark.parametrize("accepts, coding", [
    ("gzip", "gzip"), ("zstd", "zstd"), ("gzip, zstd", "zstd"), ("zstd;q=0.5, gzip", "gzip"), ("identity", None),
    ("br", None), ("gzip;q=0", None), ("*", "gzip"), ("", None)])
def test_export_is_compressed_as_asked(server, index, accepts, coding):
    load(server, index)
    with requests.get(server.base + index + "/export", headers={"Accept-Encoding": accepts}, stream=True,
                      timeout=30) as answer:
        assert answer.headers.get("content-encoding") == coding
        assert "accept-encoding" in answer.headers["vary"].lower()
        raw = answer.raw.read(decode_content=False)
    if coding == "gzip":
        raw = gzip.decompress(raw)
    if coding == "zstd":
        if not shutil.which("zstd"):
            pytest.skip("zstd is not installed")
        raw = subprocess.run(["zstd", "-dc"], input=raw, capture_output=True, check=True).stdout
    assert raw == TEXT


def test_export_of_a_part(server, index):
    load(server, index)
    lines = TEXT.splitlines(keepends=True)
    after = ROWS[99]["iscc_id"]
    assert server.get(index + "/export", params={"after": after}).content == b"".join(lines[100:])
    assert server.get(index + "/export", params={"after": after, "limit": 7}).content == b"".join(lines[100:107])
    assert server.get(index + "/export", params={"hub": 77}).content == lines[76]
    assert server.get(index + "/export", params={"from": "2025-01-01"}).content == b""


def test_an_empty_export(server, index):
    assert server.get(index + "/export").content == b""
    zipped = server.get(index + "/export", headers={"Accept-Encoding": "gzip"})
    assert zipped.content == b"" and zipped.headers["content-encoding"] == "gzip"


def test_wrong_exports_are_answered(server, index):
    assert "none" in detail(server.get("/indexes/none/export", headers={"Accept-Encoding": "gzip"}), 404)
    answer = server.get(index + "/export?after=x&hub=5000&limit=0")
    assert [place[1] for _, place in problems(answer)] == ["limit", "after", "hub"]


def test_lines_that_are_refused(server, index):
    bad = [b"{", b'{"iscc_id":"x"}', b"[]", b'{"iscc_id":"ISCC:MAIGHXLN555Y2DFF","units":["a","b"]}', b"{}"]
    text = b"".join(line + b"\n" + good for line, good in zip(bad, TEXT.splitlines(keepends=True)))
    answers = load(server, index, b"\n\r\n" + text + b"\n")
    assert [answer["status"] for answer in answers[:-1]] == ["error", "created"] * 5
    assert [answer["line"] for answer in answers[:-1]] == list(range(1, 11))
    assert [answer["error"] for answer in answers[:-1:2]] == [422, 422, 422, 400, 400]
    assert all(answer["detail"] for answer in answers[:-1:2])
    assert answers[-1] == {"lines": 10, "created": 5, "updated": 0, "errors": 5, "stopped": False}


@pytest.mark.parametrize("bad", [b"{", b'{"iscc_id":"ISCC:MAIGHXLN555Y2DFF","units":["a","b"]}'])
def test_import_stops_at_the_first_error(server, index, bad):
    lines = TEXT.splitlines(keepends=True)
    answers = load(server, index, b"".join(lines[:50]) + bad + b"\n" + b"".join(lines[50:]), on_error="stop")
    assert [answer["status"] for answer in answers[:-1]] == ["created"] * 50 + ["error"]
    assert answers[-1] == {"lines": 51, "created": 50, "updated": 0, "errors": 1, "stopped": True}
    assert server.get(index + "/export").content == b"".join(lines[:50])


def test_assets_without_an_id_get_one(server, index):
    anonymous = to_lines([{"units": each["units"]} for each in ROWS[:20]])
    answers = load(server, index, anonymous)
    assert answers[-1]["created"] == 20 and len({answer["iscc_id"] for answer in answers[:-1]}) == 20


def test_wrong_imports_are_answered(server, index):
    assert "none" in detail(server.post("/indexes/none/import", data=TEXT, headers=LINES), 404)
    assert detail(server.post("/indexes/none/import", data=b"", headers=LINES), 404)
    assert "x-ndjson" in detail(server.post(index + "/import", json=[]), 400)
    assert problems(server.post(index + "/import?on_error=x", data=b"", headers=LINES)) == [
        ("literal_error", ["query", "on_error"])]
    assert load(server, index, b"") == [{"lines": 0, "created": 0, "updated": 0, "errors": 0, "stopped": False}]


# --- imports of several batches, which are read while others are added --------------------------------

def many_lines(count, bad=()):
    """Lines of small assets, but for those of the given numbers, from 1 on, which are no assets."""
    lines = small_rows(count).splitlines(keepends=True)
    for number in bad:
        lines[number - 1] = b"{\n"
    return lines


BAD_LINES = [1, 2, 5000, 9999, 10000, 10001, 10002, 19999, 20000, 20001, 24999, 25000]


def test_lines_of_all_batches_are_answered_in_their_order(server, index):
    lines = many_lines(25000, BAD_LINES)
    answers = load(server, index, b"".join(lines))
    assert [answer["line"] for answer in answers[:-1]] == list(range(1, 25001))
    assert [answer["line"] for answer in answers[:-1] if answer["status"] == "error"] == BAD_LINES
    assert answers[-1] == {"lines": 25000, "created": 25000 - len(BAD_LINES), "updated": 0, "errors": len(BAD_LINES),
                           "stopped": False}
    kept = [line for number, line in enumerate(lines, 1) if number not in BAD_LINES]
    assert server.get(index + "/export").content == b"".join(kept)


UNREADABLE, REFUSED = b"{\n", b'{"iscc_id":"ISCC:MAIGHXLN555Y2DFF","units":["a","b"]}\n'


@pytest.mark.parametrize("at, bad", [
    (1, UNREADABLE), (9999, REFUSED), (10000, UNREADABLE), (10001, UNREADABLE), (10001, REFUSED), (10002, REFUSED),
    (20001, UNREADABLE), (20001, REFUSED)])
def test_nothing_is_added_behind_a_line_that_stops_an_import(server, index, at, bad):
    lines = many_lines(20001)
    lines[at - 1] = bad
    answers = load(server, index, b"".join(lines), on_error="stop")
    assert answers[-1] == {"lines": at, "created": at - 1, "updated": 0, "errors": 1, "stopped": True}
    assert [answer["line"] for answer in answers[:-1]] == list(range(1, at + 1))
    assert server.get(index + "/export").content == b"".join(lines[:at - 1])


def test_the_last_of_two_lines_with_one_id_counts_in_any_batch(server, index):
    lines = many_lines(20001)
    later = [line.replace(b'"n":', b'"m":') for line in lines]
    answers = load(server, index, b"".join(lines + later))
    assert (answers[-1]["created"], answers[-1]["updated"]) == (20001, 20001)
    assert server.get(index + "/export").content == b"".join(later)


# --- packed bodies ------------------------------------------------------------------------------------

def packed(coding, text):
    if coding == "gzip":
        return gzip.compress(text)
    if not shutil.which("zstd"):
        pytest.skip("zstd is not installed")
    return subprocess.run(["zstd", "-c"], input=text, capture_output=True, check=True).stdout


def load_packed(server, index, coding, body):
    return server.post(index + "/import", data=body, headers={**LINES, "Content-Encoding": coding})


def last_line(answer):
    assert answer.status_code == 200, answer.text
    return json.loads(answer.text.splitlines()[-1])


@pytest.mark.parametrize("coding", ["gzip", "zstd"])
@pytest.mark.parametrize("count", [0, 1, 300, 25000]) # in memory and in a file
def test_a_packed_body_is_imported(server, index, coding, count):
    text = small_rows(count)
    parts = text[:len(text) // 3], text[len(text) // 3:] # members one behind the other are one text
    body = b"".join(packed(coding, part) for part in parts)
    assert last_line(load_packed(server, index, coding, body))["created"] == count
    assert server.get(index + "/export").content == text


@pytest.mark.parametrize("coding", ["gzip", "zstd"])
@pytest.mark.parametrize("count", [300, 25000])
def test_a_body_that_cannot_be_unpacked_ends_the_import_with_an_error(server, index, coding, count):
    body = packed(coding, small_rows(count))
    bodies = {"cut": body[:len(body) * 2 // 3], "damaged": body[:len(body) * 2 // 3] + b"x" * 100, "text": TEXT}
    for kind, bad in bodies.items():
        answers = [json.loads(line) for line in load_packed(server, index, coding, bad).text.splitlines()]
        assert answers[-1]["stopped"] and answers[-1]["errors"] >= 1, answers[-1]
        assert answers[-1]["errors"] == 1 or kind == "damaged" # gzip may see it some lines later
        assert answers[-2]["status"] == "error" and answers[-2]["error"] == 400, answers[-2]
        assert coding in answers[-2]["detail"] or "too early" in answers[-2]["detail"]
        assert answers[-1]["lines"] == answers[-2]["line"] == len(answers) - 1


def test_other_codings_of_lines_are_415(server, index):
    for coding in ("br", "deflate", "gzip, gzip", "zstd, gzip"):
        answer = load_packed(server, index, coding, b"x")
        assert "expected gzip, zstd or none" in detail(answer, 415)
        assert answer.headers["accept-encoding"] == "gzip, zstd"


def test_a_window_of_more_than_8_mib_is_refused(server, index):
    """RFC 9659: a decoder of the content coding zstd need not have more, which would be memory of each request."""
    if not shutil.which("zstd"):
        pytest.skip("zstd is not installed")
    body = subprocess.run(["zstd", "-c", "--long=27"], input=TEXT * 300, capture_output=True, check=True).stdout
    answers = load_packed(server, index, "zstd", body).text.splitlines()
    assert "error" in answers[0] and json.loads(answers[-1])["created"] == 0


def test_a_small_body_may_not_unpack_to_very_much(server, index):
    if not shutil.which("zstd"):
        pytest.skip("zstd is not installed")
    body = subprocess.run("head -c 200000000 /dev/zero | tr '\\0' ' ' | zstd -c", shell=True, capture_output=True,
                          check=True).stdout
    answers = load_packed(server, index, "zstd", body).text.splitlines()
    assert "more than 1100 times" in answers[0] and json.loads(answers[-1])["stopped"]


def test_the_key_is_needed(start_server):
    server = start_server(env={"ISCC_SEARCH_API_SECRET": "k"})
    assert server.get("/indexes/a/export").status_code == 401
    assert server.post("/indexes/a/import", data=TEXT, headers=LINES).status_code == 401


def small_rows(count):
    """Lines of assets with one unit, quickly."""
    body = unit(CONTENT, digest("x"))
    from serving import iscc_id  # pylint: disable=import-outside-toplevel
    return b"".join(b'{"iscc_id":"%s","units":["%s","%s"],"metadata":{"n":%d}}\n' % (
        iscc_id(n).encode(), body.encode(), body.encode(), n) for n in range(1, count + 1))


def test_memory_is_bounded_and_the_body_limit_does_not_count(start_server, tmp_path):
    """36 MiB of lines in and out, of a server whose bodies may have 1 MiB."""
    server = start_server(f"usearch://{tmp_path}/data", env={"ISCC_SEARCH_BODY_LIMIT_MIB": "1"})
    server.post("/indexes", json={"name": "main"})
    text = small_rows(300_000)
    answer = requests.post(server.base + "/indexes/main/import", data=text, headers=LINES, timeout=300)
    assert json.loads(answer.text.splitlines()[-1])["created"] == 300_000
    assert requests.get(server.base + "/indexes/main/export", timeout=300).content == text
    with open(f"/proc/{server.process.pid}/status", encoding="ascii") as file:
        numbers = {name: int(value.split()[0]) for name, _, value in (line.partition(":") for line in file)
                   if name in ("VmHWM", "RssFile", "RssAnon")}
    if not IS_SANITIZED:
        assert numbers["RssAnon"] < 200 * 1024, numbers


def test_an_export_shows_one_moment(start_server, tmp_path):
    """What is written while a slow client reads does not show."""
    server = start_server(f"usearch://{tmp_path}/data")
    server.post("/indexes", json={"name": "main"})
    text = small_rows(100_000)
    assert requests.post(server.base + "/indexes/main/import", data=text, headers=LINES, timeout=300).status_code == 200
    with requests.get(server.base + "/indexes/main/export", headers={"Accept-Encoding": "identity"}, stream=True,
                      timeout=60) as answer:
        got = answer.raw.read(1000)
        server.post("/indexes/main/assets", json=[make_asset(2**60)])
        first = json.loads(text[:text.index(b"\n")])["iscc_id"]
        last = json.loads(text.splitlines()[-1])["iscc_id"]
        assert server.post("/indexes/main/assets/remove", json=[first, last]).status_code == 200
        got += answer.raw.read()
    assert got == text
    assert server.get("/indexes/main").json()["assets"] == 99_999


def test_a_client_that_leaves_ends_its_export(start_server, tmp_path):
    server = start_server(f"usearch://{tmp_path}/data")
    server.post("/indexes", json={"name": "main"})
    requests.post(server.base + "/indexes/main/import", data=small_rows(100_000), headers=LINES, timeout=300)
    for _ in range(8):
        with socket.create_connection(("127.0.0.1", server.port)) as link:
            link.sendall(b"GET /indexes/main/export HTTP/1.1\r\nHost: x\r\n\r\n")
            assert link.recv(100)
    done = threading.Event()
    for _ in range(100):
        if 'iscc_search_index_readers{index="main"} 0' in server.get("/metrics").text:
            done.set()
            break
        time.sleep(0.1)
    assert done.is_set(), server.get("/metrics").text
