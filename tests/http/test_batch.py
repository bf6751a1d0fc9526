"""Many queries in one request: as JSON and as lines, bad ones among good ones, and more than memory holds."""

import concurrent.futures
import gzip
import json
import os
import socket
import threading
import time

import pytest
import requests

import exposition
from serving import IS_SANITIZED, iscc_id, make_asset, read_all, status_of

LINES = "application/x-ndjson"
ASSETS = 300
BAD = [
    ({"units": ["ISCC:EAAXT7R7UHWWOL!5"]}, 400),
    ({}, 400),
    ({"iscc_id": iscc_id(999999)}, 404),
    ({"iscc_code": 5}, 422),
    ({"iscc_code": "ISCC:KACT4EBWK27737D2", "min_score": 2, "exponent": 0}, 422),
    ([], 422),
    (7, 422),
    (None, 422),
    ("text", 422),
]


def units_of(number):
    return {"units": make_asset(number)["units"]}


def good_queries(count):
    """Queries of several kinds that all succeed."""
    kinds = [units_of, lambda n: {"iscc_id": iscc_id(n % ASSETS)},
             lambda n: {**units_of(n), "min_score": 0.5, "with": ["units"]},
             lambda n: {**units_of(n), "types": ["DATA_NONE_V0"], "exponent": 2},
             lambda n: {"iscc_id": None, "units": make_asset(n)["units"]}]
    return [kinds[n % 5](n) for n in range(count)]


@pytest.fixture
def filled(server, index):
    """The path of an index with a few hundred assets."""
    assets = [make_asset(number, metadata={"n": number}) for number in range(ASSETS)]
    assert server.post(index + "/assets", json=assets).status_code == 201
    return index


def singly(server, index, query, params=""):
    """What the batch has to have for a query."""
    answer = server.post(f"{index}/search{params}", data=json.dumps(query),
                         headers={"Content-Type": "application/json"})
    if answer.status_code == 200:
        return answer.json()
    return {"status": answer.status_code, "detail": answer.json()["detail"]}


def without_places(result):
    """Places are those of the batch; the rest of a problem is the same as alone."""
    if isinstance(result.get("detail"), list):
        return {**result, "detail": [{**item, "loc": None} for item in result["detail"]]}
    return result


def as_lines(queries, end="\n"):
    return "".join(json.dumps(query) + end for query in queries).encode()


def lines_of(answer):
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == LINES
    assert not answer.content or answer.content.endswith(b"\n")
    return [json.loads(line) for line in answer.content.split(b"\n")[:-1]]


def mixed(count=40):
    """Bad queries among good ones, a bad one first and last."""
    queries = good_queries(count)
    for place, (query, _) in enumerate(BAD):
        queries.insert(place * 5, query)
    return queries + [BAD[0][0]]


@pytest.mark.parametrize("params", ["", "?limit=3", "?min_score=0.6&with=code,units&limit=400"])
def test_a_batch_is_answered_like_single_queries(server, filled, params):
    queries = mixed()
    answer = server.post(f"{filled}/search/batch{params}", json={"queries": queries})
    assert answer.status_code == 200 and answer.headers["content-type"] == "application/json"
    assert list(answer.json()) == ["results"]
    results = answer.json()["results"]
    alone = [singly(server, filled, query, params) for query in queries]
    assert [without_places(result) for result in results] == [without_places(one) for one in alone]
    assert [result["status"] for result in results if "status" in result] == [
        status for _, status in BAD] + [400]
    headers = {"Content-Type": LINES}
    by_lines = server.post(f"{filled}/search/batch{params}", data=as_lines(queries), headers=headers)
    assert [without_places(result) for result in lines_of(by_lines)] == [
        without_places(result) for result in results]


def test_answers_are_the_same_bytes(server, filled):
    queries = good_queries(20)
    texts = [server.post(filled + "/search", json=query).text for query in queries]
    batch = server.post(filled + "/search/batch", json={"queries": queries})
    assert batch.text == '{"results":[' + ",".join(texts) + "]}"
    lines = server.post(filled + "/search/batch", data=as_lines(queries),
                        headers={"Content-Type": LINES})
    assert lines.text == "".join(text + "\n" for text in texts)


def test_places_of_problems(server, filled):
    queries = [units_of(1), {"min_score": "x"}, units_of(2), 5]
    answer = server.post(filled + "/search/batch", json={"queries": queries}).json()["results"]
    assert answer[1]["detail"][0]["loc"] == ["body", "queries", 1, "min_score"]
    assert answer[3]["detail"][0]["loc"] == ["body", "queries", 3]
    lines = lines_of(server.post(filled + "/search/batch", data=as_lines(queries) + b'{"units": [}',
                                 headers={"Content-Type": LINES}))
    assert lines[1]["detail"][0]["loc"] == ["body", 1, "min_score"]
    assert lines[3]["detail"][0]["loc"] == ["body", 3]
    assert (lines[4]["status"], lines[4]["detail"][0]["type"]) == (422, "json_invalid")
    assert lines[4]["detail"][0]["loc"] == ["body", 4, 11]


FORMATS = [  # of the body, the Accept header, whether lines come back
    ("application/json", None, False),
    ("application/json", "*/*", False),
    ("application/json", LINES, True),
    ("application/json", f"application/json, {LINES}", False),
    ("application/json", f"{LINES};q=0, application/json", False),
    ("application/json; charset=utf-8", "text/html, application/jsonl;q=0.5", True),
    (LINES, None, True),
    (LINES + "; charset=utf-8", "*/*", True),
    ("application/NDJSON", "text/plain", True),
    ("application/jsonlines", f"{LINES}, application/json", True),
    (LINES, "application/json", False),
    (LINES, f"application/json;q=0.1, {LINES}", False),
]


@pytest.mark.parametrize("kind, accept, gives_lines", FORMATS)
def test_formats(server, filled, kind, accept, gives_lines):
    queries = good_queries(6)
    is_json = kind.startswith("application/json;") or kind == "application/json"
    body = json.dumps({"queries": queries}).encode() if is_json else as_lines(queries)
    headers = {"Content-Type": kind, "Accept": accept}
    answer = server.post(filled + "/search/batch", data=body, headers=headers)
    found = lines_of(answer) if gives_lines else answer.json()["results"]
    assert found == [singly(server, filled, query) for query in queries]
    assert "Accept" in answer.headers["vary"]


@pytest.mark.parametrize("body", [
    b"", b"\n\n  \n\t\r\n", as_lines(good_queries(3)), as_lines(good_queries(3), "\r\n"),
    b"\n \n" + as_lines(good_queries(2), "\n\n\r\n") + b"   ", as_lines(good_queries(3)).rstrip(),
    "\ufeff".encode() + as_lines(good_queries(1)),
])
def test_forms_of_lines(server, filled, body):
    answer = lines_of(server.post(filled + "/search/batch", data=body,
                                  headers={"Content-Type": LINES}))
    count = body.count(b"{")
    assert answer == [singly(server, filled, query) for query in good_queries(count)]


def test_an_empty_list(server, filled):
    assert server.post(filled + "/search/batch", json={"queries": []}).json() == {"results": []}


@pytest.mark.parametrize("body, kind, place", [
    (b"", "missing", ["body"]), (b"[]", "model_attributes_type", ["body"]),
    (b"{}", "missing", ["body", "queries"]),
    (b'{"queries":{}}', "list_type", ["body", "queries"]),
    (b'{"queries":[1,}', "json_invalid", ["body", 14]),
])
def test_a_body_that_is_no_batch(server, filled, body, kind, place):
    answer = server.post(filled + "/search/batch", data=body,
                         headers={"Content-Type": "application/json"})
    assert answer.status_code == 422
    assert [(item["type"], item["loc"]) for item in answer.json()["detail"]] == [(kind, place)]


@pytest.mark.parametrize("body", [b"", as_lines(good_queries(2)), b"{\n"])
def test_an_index_that_does_not_exist(server, body):
    for headers, data in (({"Content-Type": LINES}, body),
                          ({"Content-Type": "application/json"},
                           json.dumps({"queries": good_queries(body.count(b"u"))}).encode())):
        answer = server.post("/indexes/nothere/search/batch", data=data, headers=headers)
        assert (answer.status_code, answer.json()) == (404, {"detail": "Index 'nothere' not found"})


def test_wrong_parameters_and_encodings(server, filled):
    answer = server.post(filled + "/search/batch?limit=0&min_score=2", json={"queries": []})
    assert [item["loc"] for item in answer.json()["detail"]] == [["query", "limit"],
                                                                 ["query", "min_score"]]
    packed = {"Content-Encoding": "gzip"}
    body = gzip.compress(json.dumps({"queries": good_queries(2)}).encode())
    answer = server.post(filled + "/search/batch", data=body,
                         headers={**packed, "Content-Type": "application/json"})
    assert len(answer.json()["results"]) == 2
    lines = gzip.compress(b"".join(json.dumps(query).encode() + b"\n" for query in good_queries(2)))
    answer = server.post(filled + "/search/batch", data=lines, headers={**packed, "Content-Type": LINES})
    assert len(answer.text.splitlines()) == 2
    answer = server.post(filled + "/search/batch", data=lines[:-5], headers={**packed, "Content-Type": LINES})
    assert answer.status_code == 400 and "too early" in answer.json()["detail"]


def test_passages_of_the_queried_asset(server, index):
    for number in (1, 2):
        asset = make_asset(number, simprints={"CONTENT_TEXT_V0": [
            {"simprint": "A" * 43, "offset": 0, "size": 9}]})
        assert server.post(index + "/assets", json=[asset]).status_code == 201
    batch = {"queries": [{"iscc_id": iscc_id(1)}]}
    for params, count in (("", 0), ("?chunks=true", 1)):
        result, = server.post(f"{index}/search/batch{params}", json=batch).json()["results"]
        assert len(result["chunk_matches"]) == count


def test_a_line_that_is_too_long(server, filled):
    good, long = as_lines(good_queries(1)), b'{"iscc_code":"' + b"A" * (4 << 20) + b'"}'
    for body in (good + long + b"\n" + good, long + b"\n" + good, good + long):
        lines = lines_of(server.post(filled + "/search/batch", data=body,
                                     headers={"Content-Type": LINES}))
        assert len(lines) == len(body.strip().split(b"\n"))
        refused = [line for line in lines if "status" in line]
        assert [line["status"] for line in refused] == [413]
        assert "longer than 4194304 bytes" in refused[0]["detail"]


def test_a_batch_needs_the_key(start_server):
    server = start_server(env={"ISCC_SEARCH_API_SECRET": "secret"})
    key = {"X-API-Key": "secret"}
    assert server.post("/indexes", json={"name": "a"}, headers=key).status_code == 201
    headers = {"Content-Type": LINES}
    body = as_lines(good_queries(2000))
    assert server.post("/indexes/a/search/batch", data=body[:1000], headers=headers).status_code == 401
    assert server.post("/indexes/a/search/batch", data=body, headers=headers).status_code in (401, 413)
    found = lines_of(server.post("/indexes/a/search/batch", data=body, headers={**headers, **key}))
    assert len(found) == 2000


# --- memory --------------------------------------------------------------------------------------

def start_with_small_answers(start_server, metadata):
    """A server whose answers share 1 MiB, and an index in which the good queries below find 100 assets."""
    server = start_server(env={"ISCC_SEARCH_ANSWERS_MIB": "1"})
    assert server.post("/indexes", json={"name": "a"}).status_code == 201
    assets = [make_asset(number, metadata=metadata(number)) for number in range(ASSETS)]
    assert server.post("/indexes/a/assets", json=assets).status_code == 201
    return server


def find_many(number, **more):
    """A query that finds any asset, so that the limit decides how many."""
    return {**units_of(number), "min_score": 0, **more}


def body_of(queries, kind):
    """A batch, as JSON or as lines, packed or not."""
    if kind == "json":
        return {"json": {"queries": queries}}
    packed = {"Content-Encoding": "gzip"} if kind == "packed" else {}
    data = as_lines(queries)
    return {"data": gzip.compress(data) if packed else data, "headers": {"Content-Type": LINES, **packed}}


@pytest.mark.parametrize("kind", ["json", "lines", "packed"])
def test_queries_whose_answers_have_no_room_together_are_answered(start_server, kind):
    """The answers of 256 queries take ten times the memory for answers, those of one have room always."""
    server = start_with_small_answers(start_server, lambda number: {"note": "x" * 200})
    queries = [find_many(number) for number in range(20)] + [query for query, _ in BAD]
    alone = [without_places(singly(server, "/indexes/a", query)) for query in queries]
    assert len(alone[0]["global_matches"]) == 100

    def ask(_):
        answer = requests.post(server.base + "/indexes/a/search/batch", timeout=120, **body_of(queries * 18, kind))
        assert answer.status_code == 200, answer.text
        found = answer.json()["results"] if kind == "json" else lines_of(answer)
        assert [without_places(one) for one in found] == alone * 18

    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        assert len(list(pool.map(ask, range(4)))) == 4


@pytest.mark.parametrize("kind", ["json", "lines"])
def test_an_answer_without_room_does_not_spoil_the_others(start_server, kind):
    server = start_with_small_answers(start_server, lambda number: {"note": "x" * 20000})
    small = [find_many(number, **{"with": []}) for number in range(100)]
    large = find_many(7)
    queries = [large] + small + [large, large, {}] + small[:3] + [large]
    alone = [singly(server, "/indexes/a", query) for query in queries]
    assert [one["status"] for one in alone if "status" in one] == [503, 503, 503, 400, 503]
    answer = server.post("/indexes/a/search/batch", **body_of(queries, kind))
    found = answer.json()["results"] if kind == "json" else lines_of(answer)
    assert found == alone


@pytest.mark.skipif(IS_SANITIZED, reason="sanitizers keep the memory that was freed")
def test_queries_with_many_problems_take_little_memory(start_server):
    """A problem takes 300 times the two bytes of what is wrong."""
    server = start_with_index(start_server)
    before = server.anonymous_kb()
    query = json.dumps({"simprints": {'"' * 256: [1] * 1000}}, separators=(",", ":"))
    with requests.post(server.base + "/indexes/a/search/batch", data=f"{query}\n" * 256,
                       headers={"Content-Type": LINES}, stream=True, timeout=60) as answer:
        assert answer.status_code == 200
        most, count = server.anonymous_kb(), 0
        for line in answer.raw:
            assert line.startswith(b'{"status":422,"detail":[') and line.count(b"string_type") == 1000
            most, count = max(most, server.anonymous_kb()), count + 1
    assert count == 256
    assert most - before < 24 * 1024, "kB of memory that the batch has taken"


# --- streams -----------------------------------------------------------------------------------

MANY = 100_000


def start_with_index(start_server, uri="memory://", **env):
    server = start_server(uri, env=env)
    assert server.post("/indexes", json={"name": "a"}).status_code == 201
    assets = [make_asset(number, metadata={"n": number}) for number in range(50)]
    assert server.post("/indexes/a/assets", json=assets).status_code == 201
    return server


def many_lines(count, lines_a_piece=500):
    """Lines of queries, in pieces; the limit of a query is that of the URL."""
    texts = [as_lines([query]) for query in good_queries(50)]
    for first in range(0, count, lines_a_piece):
        yield b"".join(texts[n % 50] for n in range(first, min(first + lines_a_piece, count)))


@pytest.mark.skipif(IS_SANITIZED, reason="sanitizers keep the memory that was freed")
@pytest.mark.parametrize("is_chunked", [True, False])
def test_a_hundred_thousand_queries_in_little_memory(start_server, is_chunked):
    server = start_with_index(start_server, ISCC_SEARCH_BODY_LIMIT_MIB="1")
    url = server.base + "/indexes/a/search/batch?limit=1"
    alone = [server.post("/indexes/a/search?limit=1", json=query).text.encode() + b"\n"
             for query in good_queries(50)]
    data = many_lines(MANY)
    if not is_chunked:
        data = b"".join(data)
        assert len(data) > 10 << 20
    before, most, count = server.anonymous_kb(), 0, 0
    with requests.post(url, data=data, headers={"Content-Type": LINES}, stream=True,
                       timeout=60) as answer:
        assert answer.status_code == 200
        most = server.anonymous_kb()
        for line in answer.raw:
            assert line == alone[count % 50]
            count += 1
            if count % 5000 == 0:
                most = max(most, server.anonymous_kb())
    assert count == MANY
    assert most - before < 24 * 1024, "kB of memory that the stream has taken"


def open_upload(server, path="/indexes/a/search/batch", headers=""):
    """A connection on which the head of a chunked request of lines was sent."""
    link = server.connect()
    link.settimeout(60)
    link.sendall(f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Type: {LINES}\r\n{headers}"
                 "Transfer-Encoding: chunked\r\n\r\n".encode())
    return link


def send_chunk(link, data):
    link.sendall(b"%x\r\n%s\r\n" % (len(data), data))


def in_progress(server):
    return exposition.Metrics(server.get("/metrics").text).value(
        "iscc_search_http_requests_in_progress")


def wait_until(condition, seconds=30):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.05)


def processor_seconds(server):
    with open(f"/proc/{server.process.pid}/stat", encoding="ascii") as stat:
        words = stat.read().rpartition(")")[2].split()
    return (int(words[11]) + int(words[12])) / os.sysconf("SC_CLK_TCK")


def expect_rest(server):
    """No request but the question itself is in progress, and no thread works."""
    wait_until(lambda: in_progress(server) == 1)
    before = processor_seconds(server)
    time.sleep(0.5)
    assert processor_seconds(server) - before < 0.25


def test_a_client_that_leaves_while_it_sends(start_server):
    server = start_with_index(start_server)
    for lines in (1, 5000):
        link = open_upload(server)
        for piece in many_lines(lines):
            send_chunk(link, piece)
        wait_until(lambda: in_progress(server) == 2)
        link.close()
        expect_rest(server)
    assert len(lines_of(server.post("/indexes/a/search/batch", data=as_lines(good_queries(3)),
                                    headers={"Content-Type": LINES}))) == 3


def test_a_client_that_leaves_while_it_reads(start_server):
    server = start_with_index(start_server)
    link = open_upload(server)
    for piece in many_lines(MANY):
        send_chunk(link, piece)
    link.sendall(b"0\r\n\r\n")
    assert status_of(link.recv(65536)) == 200
    link.close()
    expect_rest(server)
    expect_log(server, "status=200")


def expect_log(server, words):
    wait_until(lambda: any("search/batch" in line and words in line
                           for line in server.log().splitlines()))


def test_a_slow_reader_gets_everything(start_server):
    """Nothing is composed ahead: while the client waits, the server does, too."""
    server = start_with_index(start_server)
    link = open_upload(server, "/indexes/a/search/batch?limit=20")
    for piece in many_lines(20000):
        send_chunk(link, piece)
    link.sendall(b"0\r\n\r\n")
    received = link.recv(1000)
    wait_until(lambda: processor_is_idle(server))
    assert in_progress(server) == 2
    memory = server.anonymous_kb()
    while b"0\r\n\r\n" not in received[-5:]:
        received = received[-5:] + link.recv(1 << 20)
        time.sleep(0.005)
    link.close()
    assert IS_SANITIZED or server.anonymous_kb() - memory < 16 * 1024
    expect_rest(server)


def processor_is_idle(server):
    before = processor_seconds(server)
    time.sleep(0.3)
    return processor_seconds(server) - before < 0.1


def test_a_reader_that_stops_is_cut_off(start_server):
    server = start_with_index(start_server, ISCC_SEARCH_CLIENT_TIMEOUT="1")
    link = open_upload(server, "/indexes/a/search/batch?limit=20")
    for piece in many_lines(50000):
        send_chunk(link, piece)
    link.sendall(b"0\r\n\r\n")
    expect_rest(server)
    link.close()


def test_many_streams_at_once(start_server):
    server = start_with_index(start_server)
    expected = [singly(server, "/indexes/a", query) for query in good_queries(50)]
    wrong = []

    def ask():
        answer = requests.post(server.base + "/indexes/a/search/batch", data=many_lines(2000, 7),
                               headers={"Content-Type": LINES}, timeout=120)
        found = lines_of(answer)
        if found != [expected[n % 50] for n in range(2000)]:
            wrong.append(len(found))

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong
    expect_rest(server)


def test_an_answer_that_has_begun_is_not_cut_by_new_requests(start_server):
    """With a queue of 2 and 64 workers: a request is refused before its answer begins, or answered as a whole."""
    server = start_with_index(start_server, ISCC_SEARCH_QUEUE_LIMIT="2")
    body, refused = b"".join(many_lines(2000)), []

    def ask(number):
        while True:
            answer = requests.post(server.base + "/indexes/a/search/batch?limit=3", data=body, timeout=120,
                                   headers={"Content-Type": LINES})
            if answer.status_code == 200:
                return len(lines_of(answer))
            assert answer.status_code == 503, answer.text
            refused.append(number)
            time.sleep(0.05)

    with concurrent.futures.ThreadPoolExecutor(100) as pool:
        assert list(pool.map(ask, range(100))) == [2000] * 100
    assert refused, "nothing was ever refused"


def test_the_server_stops_in_the_middle(start_server):
    server = start_with_index(start_server, ISCC_SEARCH_STOP_TIMEOUT="1")
    reading = open_upload(server, "/indexes/a/search/batch?limit=20")
    for piece in many_lines(50000):
        send_chunk(reading, piece)
    reading.sendall(b"0\r\n\r\n")
    sending = open_upload(server)
    for piece in many_lines(5000):
        send_chunk(sending, piece)
    assert status_of(reading.recv(1000)) == 200
    assert server.stop() == 0, server.log()[-2000:]
    assert not read_all(reading).endswith(b"0\r\n\r\n"), "a cut answer must not look complete"
    sending.close()


def test_an_index_that_is_deleted_in_the_middle(start_server):
    server = start_with_index(start_server)
    link = open_upload(server, "/indexes/a/search/batch?limit=20")
    for piece in many_lines(20000):
        send_chunk(link, piece)
    link.sendall(b"0\r\n\r\n")
    link.recv(10, socket.MSG_PEEK)
    assert server.delete("/indexes/a").status_code == 204
    received = b""
    while not received.endswith(b"0\r\n\r\n"):
        received += link.recv(1 << 20)
    link.close()
    assert received.count(b'"global_matches"') + received.count(b'{"status":404,') == 20000
    assert b"Index 'a' not found" in received[-1000:]


def test_no_room_for_the_lines(start_server):
    server = start_with_index(start_server, "usearch://{dir}", TMPDIR="/nowhere")
    small = server.post("/indexes/a/search/batch", data=as_lines(good_queries(10)),
                        headers={"Content-Type": LINES})
    assert len(lines_of(small)) == 10
    large = requests.post(server.base + "/indexes/a/search/batch", data=b"".join(many_lines(5000)),
                          headers={"Content-Type": LINES}, timeout=60)
    assert large.status_code == 500
    assert "temporary file in /nowhere" in large.json()["detail"]
    assert server.get("/healthz").status_code == 200
