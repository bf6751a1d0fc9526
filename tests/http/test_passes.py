"""Searches of many clients at once, which share passes over the rows: each gets its own answer."""

import socket
import threading
import time

import pytest

import exposition
from serving import iscc_id, make_asset

ASSETS, CLIENTS, ROUNDS = 6000, 40, 5
SLOW = {"ISCC_SEARCH_KERNEL": "scalar", "ISCC_SEARCH_MATCH_THRESHOLD_UNITS": "0.5"}


@pytest.fixture
def server(start_server):
    """A server on which a search takes long enough for others to gather."""
    server = start_server("usearch://{dir}", env=SLOW)
    server.post("/indexes", json={"name": "main"})
    for first in range(1, ASSETS, 2000):
        assert server.post("/indexes/main/assets",
                           json=[make_asset(n) for n in range(first, first + 2000)]).status_code == 201
    return server


def query(number):
    """By units, by one unit, by ISCC-ID, or wrong."""
    kinds = [{"units": make_asset(number)["units"]}, {"units": make_asset(number)["units"][:1]},
             {"iscc_id": iscc_id(number)}, {"units": ["ISCC:AAA"]}, {"iscc_id": iscc_id(ASSETS + 999)}]
    return kinds[number % len(kinds)]


def ask(server, number):
    answer = server.post(f"/indexes/main/search?limit={1 + number % 50}", json=query(number))
    return answer.status_code, answer.json()


def leave(server, number):
    """Ask and go: before the pass begins, or while it runs."""
    body = str(query(number)).replace("'", '"').encode()
    link = socket.create_connection(("127.0.0.1", server.port))
    link.sendall(b"POST /indexes/main/search HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
                 b"Content-Length: %d\r\n\r\n" % len(body) + body)
    time.sleep(number % 7 / 200)
    link.close()


def test_each_client_gets_its_own_answer_while_others_leave(server):
    wanted = {n: ask(server, n) for n in range(1, CLIENTS + 1)}
    assert {status for status, _ in wanted.values()} == {200, 400, 404}
    wrong = []

    def work(number):
        for turn in range(ROUNDS):
            if (number + turn) % 3 == 0:
                leave(server, number)
            elif ask(server, number) != wanted[number]:
                wrong.append(number)

    threads = [threading.Thread(target=work, args=(n,)) for n in range(1, CLIENTS + 1)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong
    assert server.post("/indexes/main/search", json=query(5)).status_code == 200
    end = time.monotonic() + 15
    while exposition.Metrics(server.get("/metrics").text).value("iscc_search_http_requests_in_progress") > 1:
        assert time.monotonic() < end, "a request is left"
        time.sleep(0.02)


def test_an_answer_has_what_was_acknowledged_before_it_was_asked_for(server):
    """Writers and readers at once: a client finds what it has just written."""
    wrong = []

    def work(number):
        for turn in range(ROUNDS):
            asset = make_asset(ASSETS + 1 + number * ROUNDS + turn)
            if server.post("/indexes/main/assets", json=[asset]).status_code != 201:
                wrong.append("add")
            found = server.post("/indexes/main/search?limit=1", json={"units": asset["units"]}).json()
            if found["global_matches"][0]["iscc_id"] != asset["iscc_id"]:
                wrong.append(asset["iscc_id"])

    threads = [threading.Thread(target=work, args=(n,)) for n in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong
