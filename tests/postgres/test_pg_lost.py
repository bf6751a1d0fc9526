"""Connections that break after a change was committed and before its answer came: it is made once, and reported."""
import json
import time

import pytest
import requests
from hosts import make, seeded
from proxy import Proxy, prepared
from test_pg_hosts import Load

COMMIT = prepared("COMMIT")


@pytest.fixture
def proxied(shared_cluster, database, start_host):
    """A host behind a proxy, with an index."""
    proxy = Proxy(shared_cluster.port)
    host = start_host(f"postgresql://postgres@127.0.0.1:{proxy.port}/{database}")
    assert host.post("/indexes", json={"name": "main"}).status_code == 201
    host.must_add(range(3))
    yield host, proxy
    proxy.lose(b"", 0)
    proxy.close()


def state(cluster, database):
    """Head and assets of the index, how many changes and marks the log has, and assets that there are."""
    return cluster.sql("select head, assets, (select count(*) from iscc_search.change), (select count(distinct mark) "
                       "from iscc_search.change), (select count(*) from iscc_search.asset) from iscc_search.index",
                       database)


@pytest.mark.parametrize("times", [1, 2, 3])
def test_an_add_whose_commit_is_not_answered_is_made_once(proxied, shared_cluster, database, times):
    host, proxy = proxied
    proxy.lose(COMMIT, times)
    answer = host.post("/indexes/main/assets", json=[make(number) for number in range(10, 15)])
    assert answer.status_code == 201 and proxy.lost == times
    assert {one["status"] for one in answer.json()} == {"created"}
    assert state(shared_cluster, database) == ["2|8|3|3|8"]
    host.expect_found([0, 14])


def test_an_add_whose_fate_stays_unknown_says_so(proxied, shared_cluster, database):
    """Each connection dies at its commit: at the end it is there, once, and the answer does not deny it."""
    host, proxy = proxied
    proxy.lose(COMMIT, 100)
    answer = host.post("/indexes/main/assets", json=[make(9)])
    proxy.lose(b"", 0)
    assert answer.status_code == 503 and "not known" in answer.json()["detail"], answer.text
    assert state(shared_cluster, database) == ["2|4|3|3|4"]
    host.must_add([9])
    host.expect_found([9])


def test_a_change_that_may_have_been_made_is_not_made_again_one_by_one(proxied, shared_cluster, database):
    """Behind the lost commit the database takes no more writes, as behind a failover; it does so again a moment later."""
    host, proxy = proxied
    is_lost, refused = proxy.is_lost, []
    iscc_id = (1 << 20 | 1).to_bytes(8, "big")  # of the change, and not of what updates the follower meanwhile

    def lose_and_refuse(message):
        lost = iscc_id in message and is_lost(message)
        if lost:
            shared_cluster.sql(f"alter database {database} set default_transaction_read_only = on")
        elif b"FOR UPDATE" in message and proxy.lost:
            refused.append(message)
            shared_cluster.sql(f"alter database {database} reset default_transaction_read_only")
        return lost

    proxy.is_lost = lose_and_refuse
    proxy.lose(COMMIT)
    answer = host.delete(f"/indexes/main/assets/{make(1)['iscc_id']}")
    proxy.is_lost = is_lost
    assert proxy.lost and refused
    assert answer.status_code == 503 and "not known" in answer.json()["detail"], answer.text
    host.expect_missing([1])


def test_a_deletion_whose_commit_is_not_answered_is_made_once(proxied, shared_cluster, database):
    host, proxy = proxied
    proxy.lose(COMMIT)
    assert host.delete(f"/indexes/main/assets/{make(1)['iscc_id']}").status_code == 204 and proxy.lost
    assert state(shared_cluster, database) == ["2|2|3|3|2"]
    host.expect_missing([1])
    host.expect_found([0, 2])


def test_a_drop_whose_commit_is_not_answered_is_no_failure(proxied, shared_cluster, database):
    host, proxy = proxied
    proxy.lose(COMMIT)
    assert host.delete("/indexes/main").status_code == 204 and proxy.lost
    assert shared_cluster.sql("select count(*) from iscc_search.index", database) == ["0"]
    assert host.delete("/indexes/main").status_code == 404


def test_a_creation_that_is_not_answered_is_no_conflict(proxied, shared_cluster, database):
    host, proxy = proxied
    proxy.lose(b"zeta")
    assert host.post("/indexes", json={"name": "zeta"}).status_code == 201 and proxy.lost
    assert host.post("/indexes", json={"name": "zeta"}).status_code == 409
    assert shared_cluster.sql("select count(*) from iscc_search.index", database) == ["2"]


def test_connections_that_die_anywhere_under_load(proxied, shared_cluster, database):
    """Many of them, at whatever they do; what was acknowledged is there, and no batch in part."""
    host, proxy = proxied
    rng, load = seeded(), Load()
    load.next = 1000
    is_lost, proxy.is_lost = proxy.is_lost, lambda message: rng.random() < 0.03
    try:
        load.during([host], lambda: time.sleep(3))
    finally:
        proxy.is_lost = is_lost
    host.wait_ready()
    host.expect_found(load.acknowledged[::7])
    assert shared_cluster.sql("select assets = (select count(*) from iscc_search.asset), (assets - 3) % 5 from "
                              "iscc_search.index", database) == ["t|0"]
    assert len(load.acknowledged) >= 5


def test_an_export_that_its_client_leaves_holds_up_no_other_client(proxied):
    """The database does not answer the end of its transaction, and the event loop does not wait for it."""
    host, proxy = proxied
    for first in range(100, 500, 100):
        assert host.add([{**make(number), "metadata": {"note": "x" * 40_000}} for number in range(first, first + 100)])
    try:
        with host.connect() as link:
            link.sendall(b"GET /indexes/main/export HTTP/1.1\r\nHost: x\r\n\r\n")
            assert link.recv(100).startswith(b"HTTP/1.1 200")
            proxy.held = b"ROLLBACK"
        end = time.monotonic() + 30
        while "/indexes/main/export" not in host.log():
            assert time.monotonic() < end, "the export does not end"
            time.sleep(0.05)
        assert proxy.is_holding.wait(30)
        assert requests.get(host.base + "/healthz", timeout=10).status_code == 200
    finally:
        proxy.held = None
        proxy.release.set()
    host.expect_found([0, 2])


def test_a_list_whose_client_leaves_is_not_read_to_its_end(proxied):
    """Each asset is a round trip; a list of 10,000 would keep a thread for minutes."""
    host, proxy = proxied
    ids = [make(number % 3)["iscc_id"] for number in range(10_000)]
    body = json.dumps(ids).encode()
    proxy.rate = 10_000
    try:
        with host.connect() as link:
            link.sendall(b"POST /indexes/main/assets/get HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
                         b"Content-Length: %d\r\n\r\n" % len(body) + body)
            before, end = proxy.trips, time.monotonic() + 30
            while proxy.trips < before + 10:
                assert time.monotonic() < end, "the list is not read"
                time.sleep(0.05)
        while "/indexes/main/assets/get" not in host.log():
            assert time.monotonic() < end, "the list is read on"
            time.sleep(0.05)
    finally:
        proxy.rate = None
