"""/readyz is cheap, answers soon, and gives the reason."""
import time
from concurrent.futures import ThreadPoolExecutor

import requests
from hosts import make
from test_pg_replica import find_soon, pair  # noqa: F401 (a fixture)


def asset_path(number):
    return f"/indexes/main/assets/{make(number)['iscc_id']}"


def test_readiness_measures_nothing(host, shared_cluster, database):
    """An orchestrator asks each second; the sizes of all indexes are not its business."""
    host.must_add(range(5))
    shared_cluster.sql("create extension if not exists pg_stat_statements; select pg_stat_statements_reset()")
    for _ in range(3):
        assert host.get("/readyz").status_code == 200
    calls = ("select coalesce(sum(calls), 0) from pg_stat_statements s join pg_database d on d.oid = s.dbid where "
             f"d.datname = '{database}' and query like '%{{}}%'")
    assert shared_cluster.number(calls.format("pg_column_size")) == 0
    assert shared_cluster.number(calls.format("store")) >= 3


def test_readiness_of_a_silent_server_is_told_at_once(own_cluster, start_host):
    """While other requests still wait for an answer, more of them than there are threads for such."""
    cluster = own_cluster()
    host = start_host(cluster.uri(cluster.create_database("main")))
    assert host.post("/indexes", json={"name": "main"}).status_code == 201
    host.must_add([1])
    with ThreadPoolExecutor(8) as pool:
        cluster.pause()
        waiting = [pool.submit(requests.get, host.base + asset_path(1), timeout=120) for _ in range(6)]
        try:
            for _ in range(3):
                answer = host.get("/readyz")
                assert answer.status_code == 503 and len(answer.json()["detail"]) > 10, answer.text
            assert not any(one.done() for one in waiting), "readiness was told later than the rest"
        finally:
            cluster.resume()
        for one in waiting:
            one.result()
    host.wait_ready()
    host.expect_found([1])


def test_readiness_without_a_primary(pair, start_host):  # noqa: F811
    """A server that writes is not ready without the primary; one that only reads is ready by the replica."""
    primary, standby = pair
    env = {"ISCC_SEARCH_POSTGRES_READ_URI": standby.uri("main")}
    writer = start_host(primary.uri("main"), env=env)
    assert writer.post("/indexes", json={"name": "main"}).status_code == 201
    writer.must_add(range(5))
    standby.wait_replayed(primary.position())
    reader = start_host(primary.uri("main"), env=env, args=["--read-only"])
    find_soon(reader, range(5))
    primary.stop("immediate")
    assert writer.wait_unready()
    assert reader.get("/readyz").status_code == 200
    find_soon(reader, range(5))
    standby.kill()
    assert reader.wait_unready()


def test_no_more_connections_are_given_is_said(own_cluster, start_host):
    """The reason, and how many were allowed."""
    cluster = own_cluster(max_connections="7", superuser_reserved_connections="3", max_wal_senders="0")
    cluster.create_database("main")
    cluster.sql("create role plain login; grant create on database main to plain")
    host = start_host(cluster.uri("main", user="plain"), env={"ISCC_SEARCH_POSTGRES_TIMEOUT": "6"})
    assert host.post("/indexes", json={"name": "main"}).status_code == 201
    host.must_add([1])
    with ThreadPoolExecutor(8) as pool:
        with cluster.locked("iscc_search.index", "main"):
            said = [pool.submit(requests.post, host.index + "/search", json={"units": make(1)["units"]}, timeout=120)
                    for _ in range(2)]
            said += [pool.submit(requests.get, host.base + asset_path(1), timeout=120) for _ in range(2)]
            said += [pool.submit(requests.post, host.index + "/assets", json=[make(n)], timeout=120) for n in (2, 3)]
            time.sleep(4)
        texts = [one.result().text for one in said]
    assert any("up to 8" in text and "slots" in text for text in texts), texts
