"""Starting, being busy, and stopping."""

import resource
import signal
import threading
import time
from pathlib import Path

import pytest
import requests

import exposition
from serving import make_asset, read_all, status_of

# Times that a stop must not take, and half of what it would take if it waited.
PATIENT, LONG_S = {"ISCC_SEARCH_STOP_TIMEOUT": "60", "ISCC_SEARCH_CLIENT_TIMEOUT": "60"}, 30


def wait_until(condition, patience_s=30):
    end = time.monotonic() + patience_s
    while not condition():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.02)


def wait_for_requests(server, count):
    """Wait until so many requests are under way, besides the one that asks."""
    name = "iscc_search_http_requests_in_progress"
    wait_until(lambda: exposition.Metrics(server.get("/metrics").text).value(name) == count + 1)


def test_acknowledged_assets_survive_a_kill(start_server):
    server = start_server("usearch://{dir}")
    server.post("/indexes", json={"name": "kept"})
    assets = [make_asset(number) for number in range(1, 101)]
    assert server.post("/indexes/kept/assets", json=assets).status_code == 201
    server.stop(signal.SIGKILL)
    server.start()
    assert server.get("/indexes/kept").json()["assets"] == 100
    found = server.post("/indexes/kept/search", json={"iscc_id": assets[7]["iscc_id"]})
    assert found.status_code == 200


@pytest.mark.parametrize("sig", [signal.SIGTERM, signal.SIGINT])
def test_stop(start_server, sig):
    server = start_server(env=PATIENT)
    start = time.monotonic()
    assert server.stop(sig) == 0
    assert time.monotonic() - start < LONG_S


def test_idle_connections_do_not_hold_up_a_stop(start_server):
    server = start_server(env=PATIENT)
    with server.connect(), requests.Session() as session:
        session.get(server.base + "/healthz")
        start = time.monotonic()
        assert server.stop() == 0
        assert time.monotonic() - start < LONG_S


def test_stalled_requests_do_not_hold_up_a_stop(start_server):
    server = start_server(env=PATIENT)
    with server.connect() as link:
        link.sendall(b"POST /indexes HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{")
        wait_for_requests(server, 1)
        start = time.monotonic()
        assert server.stop() == 0
        assert time.monotonic() - start < LONG_S


@pytest.mark.parametrize("workers", [1, 2])
def test_request_under_way_is_finished_before_a_stop(start_server, workers):
    server = start_server("usearch://{dir}", env=PATIENT, args=["--workers", str(workers)])
    body, left = b'{"name":"late"}', [10_000]
    with server.connect() as link:
        link.sendall(b"POST /indexes HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
                     b"Content-Length: %d\r\n\r\n" % (left[0] + len(body)))
        wait_for_requests(server, 1)
        server.process.send_signal(signal.SIGTERM)

        def is_refused():
            """A new connection is. Meanwhile blanks arrive: a request that does not go on is not waited for."""
            link.sendall(b" ")
            left[0] -= 1
            try:
                server.connect().close()
                return False
            except ConnectionError:
                return True

        wait_until(is_refused)
        for _ in range(20):  # each worker gets the signal by itself
            time.sleep(0.05)
            assert is_refused()
        link.sendall(b" " * left[0] + body)
        answer = read_all(link)
    assert status_of(answer) == 201
    assert b"Connection: close" in answer
    assert server.stop() == 0


def test_health_does_not_wait_for_work(start_server):
    server = start_server()
    server.post("/indexes", json={"name": "busy"})
    server.post("/indexes/busy/assets", json=[make_asset(n, 32) for n in range(1, 3001)])
    query = {"units": make_asset(5, 32)["units"]}
    end = time.monotonic() + 2
    failures = []

    def work():
        with requests.Session() as session:
            while time.monotonic() < end:
                answer = session.post(server.base + "/indexes/busy/search", json=query, timeout=30)
                if answer.status_code != 200:
                    failures.append(answer.text)

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    worst = 0
    while time.monotonic() < end:
        start = time.monotonic()
        assert server.get("/healthz").status_code == 200
        worst = max(worst, time.monotonic() - start)
    for thread in threads:
        thread.join()
    assert not failures
    assert worst < LONG_S


def test_many_connections(start_server):
    server = start_server()
    links = [server.connect() for _ in range(200)]
    for link in links:
        link.sendall(b"GET /indexes HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
    assert all(status_of(read_all(link)) == 200 for link in links)
    for link in links:
        link.close()


def test_thousands_of_slow_clients(start_server):
    """Heads that never end take neither the memory nor the turn of others."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    count = min(10000, hard - 2000)
    server = start_server()
    links = []
    try:
        before_kb = server.anonymous_kb()
        for number in range(count):
            links.append(server.connect())
            links[-1].sendall(b"GET /indexes HTTP/1.1\r\nX-Slow: %d" % number)
            if number % 500 == 0:
                assert server.get("/healthz").status_code == 200
        assert server.get("/indexes").json() == []
        assert server.anonymous_kb() - before_kb < count * 64
    finally:
        for link in links:
            link.close()
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert server.get("/healthz").status_code == 200


def test_access_log(start_server):
    server = start_server(env={"ISCC_SEARCH_LOG_LEVEL": "info"})
    server.get("/indexes/none?token=hidden", headers={"X-API-Key": "hidden"})
    server.post("/indexes", json={"name": "HIDDEN"})
    server.stop()
    log = server.log()
    assert "method=GET path=/indexes/none status=404" in log
    assert "method=POST path=/indexes status=422" in log
    assert "hidden" not in log.lower()


@pytest.mark.parametrize("part", [b"", b"GET", b"GET /healthz HTTP/1.1\r\nHost", b"\r\n" * 3,
                                  b"POST /indexes HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n{",
                                  b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"])
def test_clients_that_have_gone_leave_room(start_server, part):
    """A part of a request and the end of the connection come at once: such connections do not stay."""
    server = start_server(env=PATIENT, pre=["prlimit", "--nofile=256:256"])
    for _ in range(400):
        with server.connect() as link:
            link.sendall(part)
    begin = time.monotonic()
    assert server.get("/healthz").status_code == 200
    assert time.monotonic() - begin < LONG_S, "others wait until the connections time out"
    files = Path(f"/proc/{server.process.pid}/fd")
    wait_until(lambda: len(list(files.iterdir())) <= 30)
