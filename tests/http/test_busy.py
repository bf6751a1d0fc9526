"""A server whose threads are all busy: what it still answers, what it refuses, how it stops.

Threads are kept busy without any timing: the test holds the lock of the store's directory. A create
waits for it, and so does a search in an index that the server has not opened yet.
"""

import base64
import contextlib
import fcntl
import json
import os
import signal
import socket
import time

import pytest

import exposition
from serving import digest, iscc_id, make_asset, read_all, status_of

SCAN_THREADS, WRITE_THREADS = 64, 64  # as in server.c


@contextlib.contextmanager
def locked(folder):
    """Hold the lock of a store's directory."""
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX)
        yield
    finally:
        os.close(fd)


def wanting(folder):
    """How many wait for the lock of a folder, by what the system says."""
    number = f":{os.stat(folder).st_ino} "
    with open("/proc/locks", encoding="ascii") as locks:
        return sum("-> FLOCK" in line and number in line for line in locks)


def request(method, path, body=None, **headers):
    """The bytes of a request."""
    data = b"" if body is None else json.dumps(body).encode()
    head = {"Host": "x", "Connection": "close", "Content-Type": "application/json",
            "Content-Length": str(len(data)), **headers}
    lines = [f"{method} {path} HTTP/1.1", *(f"{name}: {value}" for name, value in head.items())]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + data


def send(server, *words, **headers):
    """A connection on which a request was sent."""
    link = server.connect()
    link.sendall(request(*words, **headers))
    return link


def metrics_of(server):
    return exposition.Metrics(server.get("/metrics").text)


def wait_until(condition, patience_s=30):
    end = time.monotonic() + patience_s
    while not condition():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.02)


def waiting(server):
    return metrics_of(server).value("iscc_search_queue_depth", threads="write")


def under_way(server):
    """Requests under way besides the one that asks."""
    return metrics_of(server).value("iscc_search_http_requests_in_progress") - 1


def unread(server):
    """Bytes that the server has not read yet, and connections that it has not accepted."""
    with open("/proc/net/tcp", encoding="ascii") as file:
        rows = [line.split() for line in file][1:]
    mine = [(row[3], int(row[4].split(":")[1], 16)) for row in rows if row[1].endswith(f":{server.port:04X}")]
    return sum(count - (state == "08" and count > 0) for state, count in mine)  # 08: the end counts like a byte


def is_refused(server):
    """Does the server take no more connections?"""
    try:
        server.connect().close()
        return False
    except ConnectionError:
        return True


def has_answer(link):
    link.setblocking(False)
    try:
        return len(link.recv(1, socket.MSG_PEEK)) > 0
    except BlockingIOError:
        return False
    finally:
        link.settimeout(15)


@pytest.fixture
def busy(start_server, tmp_path):
    """A server, and the folder whose lock stops its creates."""
    def start(queue=100, **env):
        server = start_server("usearch://{dir}", env={
            "ISCC_SEARCH_THREADS": "2", "ISCC_SEARCH_QUEUE_LIMIT": str(queue), **env})
        server.post("/indexes", json={"name": "main"})
        server.get("/indexes/main")  # opens it, which needs the lock
        return server
    return start, tmp_path / "data"


def occupy(server, count=WRITE_THREADS):
    """Creates that hold as many threads, one after the other."""
    links = []
    for number in range(count):
        links.append(send(server, "POST", "/indexes", {"name": f"held{number}"}))
        wait_until(lambda: under_way(server) == len(links) and waiting(server) == 0)
    return links


def occupy_scans(server, folder, query):
    """Searches in an index that is not open, which hold every thread of searches: requests get threads in
    the order in which they come."""
    links = [send(server, "POST", "/indexes/cold/search", query) for _ in range(SCAN_THREADS)]
    wait_until(lambda: wanting(folder) == 1 and unread(server) == 0)
    server.get("/healthz")
    return links


def test_reading_does_not_wait_for_writes(busy):
    start, folder = busy
    server = start()
    server.post("/indexes/main/assets", json=[make_asset(1)])
    with locked(folder):
        links = occupy(server) + [send(server, "POST", "/indexes", {"name": "queued"})]
        wait_until(lambda: waiting(server) == 1)
        for path in ("/healthz", "/readyz", "/status", "/", "/indexes", "/indexes/main",
                     f"/indexes/main/assets/{iscc_id(1)}"):
            assert server.get(path).status_code == 200
        assert server.post("/indexes/main/search",
                           json={"units": make_asset(1)["units"]}).status_code == 200
        assert not any(has_answer(link) for link in links)
    assert [status_of(read_all(link)) for link in links] == [201] * (WRITE_THREADS + 1)


def test_health_does_not_wait_for_searches(busy):
    start, folder = busy
    server = start()
    server.post("/indexes", json={"name": "cold"})
    with locked(folder):
        links = [send(server, "POST", "/indexes/cold/search", {"units": make_asset(1)["units"]})
                 for _ in range(SCAN_THREADS + 4)]
        for _ in range(20):
            for path in ("/healthz", "/status", "/"):
                assert server.get(path).status_code == 200
        assert not any(has_answer(link) for link in links)
    assert [status_of(read_all(link)) for link in links] == [200] * (SCAN_THREADS + 4)


def test_searches_for_few_do_not_wait_for_searches_for_very_many(busy):
    start, folder = busy
    server = start()
    server.post("/indexes/main/assets", json=[make_asset(1)])
    server.post("/indexes", json={"name": "cold"})
    query = {"units": make_asset(1)["units"]}
    with locked(folder):
        links = [send(server, "POST", f"/indexes/cold/search?limit={limit}", query)
                 for limit in (1001, 2147483647) * 2]
        wait_until(lambda: wanting(folder))  # one of them opens the index, and waits for the lock
        for _ in range(20):
            assert len(server.post("/indexes/main/search?limit=1000", json=query).json()
                       ["global_matches"]) == 1
        assert not any(has_answer(link) for link in links)
    assert [status_of(read_all(link)) for link in links] == [200] * 4


def test_a_look_at_the_indexes_that_hangs_takes_one_thread(busy):
    """/readyz opens the cold index, which needs the lock: who asks meanwhile is told that it takes long."""
    start, folder = busy
    server = start()
    server.post("/indexes/main/assets", json=[make_asset(1)])
    server.post("/indexes", json={"name": "cold"})
    with locked(folder):
        links = [send(server, "GET", "/readyz") for _ in range(40)]
        wait_until(lambda: sum(has_answer(link) for link in links) == len(links) - 1)
        assert server.get(f"/indexes/main/assets/{iscc_id(1)}").status_code == 200
        told = server.get("/readyz")
        assert (told.status_code, told.json()["reason"]) == (503, "list_indexes_failed")
        assert "more than 2 s" in told.json()["detail"]
    assert sorted(status_of(read_all(link)) for link in links) == [200] + [503] * (len(links) - 1)
    wait_until(lambda: server.get("/readyz").status_code == 200)


def test_beyond_the_queue_is_503(busy):
    start, folder = busy
    server = start(queue=2)
    with locked(folder):
        links = occupy(server)
        for number in range(2):
            links.append(send(server, "POST", "/indexes", {"name": f"queued{number}"}))
            wait_until(lambda n=number: waiting(server) == n + 1)
        refused = server.post("/indexes", json={"name": "refused"})
        assert refused.status_code == 503
        assert refused.headers["Retry-After"] == "1"
        assert "try again" in refused.json()["detail"]
        assert server.get("/healthz").status_code == 200
    assert [status_of(read_all(link)) for link in links] == [201] * (WRITE_THREADS + 2)
    assert server.post("/indexes", json={"name": "refused"}).status_code == 201
    assert waiting(server) == 0


def test_a_stop_finishes_what_runs_and_what_waits(busy):
    start, folder = busy
    server = start()
    with locked(folder):
        links = occupy(server) + [send(server, "POST", "/indexes", {"name": "queued"})]
        wait_until(lambda: waiting(server) == 1)
        server.process.send_signal(signal.SIGTERM)
        wait_until(lambda: is_refused(server))
        assert server.process.poll() is None
        assert not any(has_answer(link) for link in links)
    answers = [read_all(link) for link in links]
    assert [status_of(answer) for answer in answers] == [201] * (WRITE_THREADS + 1)
    assert all(b"Connection: close" in answer for answer in answers)
    assert server.stop() == 0
    server.start()
    names = {index["name"] for index in server.get("/indexes").json()}
    assert names == {"main", "queued", *(f"held{number}" for number in range(WRITE_THREADS))}


@pytest.mark.parametrize("workers", [1, 2])
def test_a_write_that_is_held_up_does_not_hold_up_a_stop_for_ever(start_server, tmp_path, workers):
    """Its client is not told that it was done, and it was not."""
    folder, timeout = tmp_path / "data", {"ISCC_SEARCH_STOP_TIMEOUT": "0"}
    server = start_server("usearch://{dir}", env=timeout, args=["--workers", str(workers)])
    server.post("/indexes", json={"name": "main"})
    with locked(folder):
        links = [send(server, "POST", "/indexes", {"name": f"held{number}"}) for number in range(3)]
        wait_until(lambda: wanting(folder) == len(links))
        assert server.stop() == 0
        assert "given up" in server.log()
        assert [read_all(link) for link in links] == [b""] * len(links)
    server.start()
    assert [index["name"] for index in server.get("/indexes").json()] == ["main"]


def test_what_waits_for_a_thread_is_answered_at_a_stop(busy):
    start, folder = busy
    server = start(ISCC_SEARCH_STOP_TIMEOUT="0")
    server.post("/indexes", json={"name": "cold"})
    query = {"units": make_asset(5)["units"]}
    with locked(folder):
        held = occupy_scans(server, folder, query)
        waits = [send(server, "POST", "/indexes/main/search", query) for _ in range(5)]
        wait_until(lambda: unread(server) == 0)
        server.get("/healthz")
        server.process.send_signal(signal.SIGTERM)
        wait_until(lambda: is_refused(server))
        time.sleep(0.1)  # from there to the end of the time to finish, which is none
    answers = [read_all(link) for link in waits]
    assert [status_of(answer) for answer in answers] == [503] * 5
    assert all(b"the server stops" in answer for answer in answers)
    assert all(status_of(read_all(link)) in (200, 503) for link in held)
    assert server.stop() == 0


def test_a_queued_search_whose_client_went_is_not_begun(busy):
    start, folder = busy
    server = start()
    server.post("/indexes", json={"name": "cold"})
    server.post("/indexes/main/assets", json=[make_asset(n) for n in range(1, 100)])
    query = {"units": make_asset(5)["units"]}
    with locked(folder):
        held = occupy_scans(server, folder, query)
        send(server, "POST", "/indexes/main/search", query).close()
        wait_until(lambda: unread(server) == 0)
        server.get("/healthz")
        time.sleep(0.5)  # far more than the time between two looks at a connection
    assert all(status_of(read_all(link)) == 200 for link in held)
    wait_until(lambda: metrics_of(server).value("iscc_search_http_requests_total", status="499") == 1)
    assert metrics_of(server).value("iscc_search_rows_scanned_total") == 0


# --- searches that take long ----------------------------------------------------------------------

ASSETS, SIMPRINTS, ASKED = 1000, 100, 1000
SLOW = {"ISCC_SEARCH_KERNEL": "scalar", "ISCC_SEARCH_THREADS": "1", "ISCC_SEARCH_STOP_TIMEOUT": "60",
        "ISCC_SEARCH_LOG_FORMAT": "json"}


def simprint(number):
    return base64.urlsafe_b64encode(digest(("s", number), 32)).decode().rstrip("=")


@pytest.fixture
def slow(start_server):
    """A server, and a question that keeps one thread busy for a second or more, so that a test sees it under way."""
    server = start_server("usearch://{dir}", env=SLOW)
    server.post("/indexes", json={"name": "main"})
    assets = [make_asset(n, simprints={"CONTENT_TEXT_V0": [
        {"simprint": simprint(n * SIMPRINTS + k), "offset": k, "size": 1} for k in range(SIMPRINTS)]})
        for n in range(1, ASSETS + 1)]
    assert server.post("/indexes/main/assets", json=assets).status_code == 201
    question = {"simprints": {"CONTENT_TEXT_V0": [simprint(-n) for n in range(1, ASKED + 1)]}}
    return server, question


def test_a_search_whose_client_goes_is_abandoned(slow):
    server, question = slow
    assert server.post("/indexes/main/search", json=question).status_code == 200
    rows = metrics_of(server).value("iscc_search_rows_scanned_total")
    assert rows >= ASSETS * SIMPRINTS * ASKED  # a page at the edge of two pieces counts twice
    link = send(server, "POST", "/indexes/main/search", question)
    wait_until(lambda: under_way(server) == 1)
    link.close()
    wait_until(lambda: under_way(server) == 0)
    metrics = metrics_of(server)
    assert metrics.value("iscc_search_http_requests_total", status="499") == 1
    assert metrics.value("iscc_search_rows_scanned_total") < 2 * rows
    lines = [json.loads(line) for line in server.log().splitlines() if line.startswith("{")]
    assert [line["route"] for line in lines if line.get("status") == 499] == ["/indexes/{name}/search"]
    assert not [line for line in lines if line["level"] == "error"]


def test_a_search_under_way_is_finished_before_a_stop(slow):
    server, question = slow
    link = send(server, "POST", "/indexes/main/search", question)
    link.settimeout(60)
    wait_until(lambda: under_way(server) == 1)
    server.process.send_signal(signal.SIGTERM)
    assert status_of(read_all(link)) == 200
    assert server.stop() == 0


@pytest.mark.parametrize("workers", [1, 2])
def test_a_search_that_takes_too_long_is_given_up_at_a_stop(start_server, slow, workers):
    first, question = slow
    first.stop()
    server = start_server(first.uri, env={**SLOW, "ISCC_SEARCH_STOP_TIMEOUT": "0"},
                          args=["--workers", str(workers)])
    link = send(server, "POST", "/indexes/main/search", question)
    link.settimeout(60)
    wait_until(lambda: under_way(server) == 1)
    server.process.send_signal(signal.SIGTERM)
    answer = read_all(link)
    assert status_of(answer) == 503
    assert b"Retry-After: 1" in answer and b"the server stops" in answer
    assert server.stop() == 0
