"""Failures of a database: each request gets the right answer, or 503 with the reason; then all recovers.

Never a wrong answer: whatever a search says with 200 during a fault has to be true. After it, all that
was acknowledged is found, and nothing that was deleted.
"""
import os
import re
import shutil
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
import requests
from cluster import program
from hosts import Host, make, seeded
from serving import BINARY, TOP

FIRST, SECOND = range(0, 30), range(30, 60)
WAITING = "select count(*) from pg_stat_activity where wait_event_type = 'Lock' and datname = '{}'"


def query_of(number):
    return {"units": make(number)["units"]}


def ask(host, number):
    """A search for an asset that exists: answered right, or by 503 with a reason."""
    answer = host.post("/indexes/main/search?limit=3", json=query_of(number))
    if answer.status_code == 503:
        assert isinstance(answer.json()["detail"], str) and len(answer.json()["detail"]) > 5, answer.text
        return None
    assert answer.status_code == 200, answer.text
    assert answer.json()["global_matches"][0]["iscc_id"] == make(number)["iscc_id"], answer.text
    return answer.json()


def expect_503(answer, *words):
    assert answer.status_code == 503, f"{answer.status_code} {answer.text}"
    detail = answer.json()["detail"]
    assert any(word in detail for word in words) if words else detail, detail


def expect_working(host, known, new):
    """The host has recovered: it finds the assets that were there, and adds and finds new ones."""
    host.wait_ready()
    host.must_add(new)
    host.expect_found([*known, *new])


# --- connections and the server -----------------------------------------------------------------------

def test_starts_without_a_database_and_recovers(own_cluster, start_host):
    cluster = own_cluster()
    uri = cluster.uri(cluster.create_database("main"))
    cluster.stop()
    host = start_host(uri, wait=False)
    assert host.get("/healthz").status_code == 200
    assert len(host.wait_unready()) > 5
    expect_503(host.get("/indexes"))
    expect_503(host.post("/indexes", json={"name": "main"}))
    cluster.start()
    host.wait_ready()
    assert host.post("/indexes", json={"name": "main"}).status_code == 201
    expect_working(host, [], FIRST)


def test_a_wrong_uri_says_what_is_wrong(shared_cluster, start_host):
    host = start_host(shared_cluster.uri("nowhere"), wait=False)
    assert "nowhere" in host.wait_unready()
    expect_503(host.get("/indexes"), "nowhere")
    stranger = start_host(shared_cluster.uri("postgres", user="stranger"), wait=False)
    assert "stranger" in stranger.wait_unready()


def test_no_password_is_ever_said(shared_cluster, start_host):
    host = start_host(shared_cluster.uri("nowhere", password="s3cr3t-w0rd"), wait=False)
    assert "s3cr3t" not in host.wait_unready() + host.get("/indexes").text + host.log()


@pytest.mark.parametrize("way", ["follower", "sql"])
@pytest.mark.parametrize("how", ["fast", "immediate"])
def test_server_restart(own_cluster, start_host, way, how):
    cluster = own_cluster()
    host = start_host(cluster.uri(cluster.create_database("main")), env={"ISCC_SEARCH_POSTGRES_SEARCH": way})
    assert host.post("/indexes", json={"name": "main"}).status_code == 201
    host.must_add(FIRST)
    host.expect_found(FIRST)
    cluster.stop(how)
    host.wait_unready()
    for _ in range(3):
        expect_503(host.post("/indexes/main/search", json=query_of(0)))
        expect_503(host.post("/indexes/main/assets", json=[make(99)]))
    assert host.get("/healthz").status_code == 200
    cluster.start()
    expect_working(host, FIRST, SECOND)
    host.expect_missing([99])


def test_connections_that_die_while_idle_are_not_noticed(host, shared_cluster, database):
    """The next request finds its connection dead, and takes another one."""
    host.must_add(FIRST)
    for turn in range(5):
        shared_cluster.terminate_clients(database)
        assert ask(host, turn) is not None
        shared_cluster.terminate_clients(database)
        assert host.get(f"/indexes/main/assets/{make(turn)['iscc_id']}").status_code == 200
        shared_cluster.terminate_clients(database)
        export = host.get("/indexes/main/export")
        assert export.status_code == 200 and len(export.content.splitlines()) == len(FIRST) + turn, export.text
        shared_cluster.terminate_clients(database)
        unnamed = {"units": make(200 + turn)["units"]}  # its ISCC-ID has the realm of those that are there
        assert host.post("/indexes/main/assets", json=[unnamed]).status_code == 201


def test_connection_that_dies_in_the_middle_of_an_add(host, shared_cluster, database):
    """The connection of an add is killed while it waits for a lock: afterwards all of its assets are there, or none."""
    host.must_add(FIRST)
    with ThreadPoolExecutor(2) as pool:
        for turn in range(4):
            numbers = range(100 + 10 * turn, 110 + 10 * turn)
            with shared_cluster.locked("iscc_search.asset", database):
                adding = pool.submit(host.add, [make(number) for number in numbers])
                shared_cluster.wait_for(WAITING.format(database), 1)
                shared_cluster.sql("select pg_terminate_backend(pid) from pg_stat_activity where datname = "
                                   f"'{database}' and wait_event_type = 'Lock'")
            acknowledged = adding.result()
            count = host.get("/indexes/main").json()["assets"] - len(FIRST)
            assert count % 10 == 0
            if acknowledged:
                host.expect_found(numbers)
            host.must_add(numbers)
            host.expect_found(numbers)
            for number in numbers:
                assert host.delete(f"/indexes/main/assets/{make(number)['iscc_id']}").status_code == 204
            host.expect_missing(numbers[:2])


def test_read_only_database(host, shared_cluster, database):
    """Reads go on; writes fail with the reason."""
    host.must_add(FIRST)
    shared_cluster.sql(f"alter database {database} set default_transaction_read_only = on")
    shared_cluster.terminate_clients(database)
    assert host.find(1)
    expect_503(host.post("/indexes/main/assets", json=[make(99)]), "read-only", "read only")
    expect_503(host.delete(f"/indexes/main/assets/{make(1)['iscc_id']}"), "read-only", "read only")
    host.expect_found(FIRST)
    shared_cluster.sql(f"alter database {database} reset default_transaction_read_only")
    shared_cluster.terminate_clients(database)
    expect_working(host, FIRST, SECOND)
    host.expect_missing([99])


def test_out_of_connections(own_cluster, start_host):
    """Other clients hold all connections: 503 with the reason; a pool that got fewer than its limit works."""
    cluster = own_cluster(max_connections="6", superuser_reserved_connections="1", max_wal_senders="0")
    cluster.create_database("main")
    cluster.sql("create role plain login; grant create on database main to plain")
    uri = cluster.uri("main", user="plain")
    hogs = []

    def hog(count):
        for _ in range(count):
            hogs.append(subprocess.Popen([program("psql"), "-XAtq", "-d", uri, "-c", "select 'connected'", "-c",
                                          "select pg_sleep(600)"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL))
            assert hogs[-1].stdout.readline() == b"connected\n"

    try:
        hog(5)
        host = start_host(uri, wait=False)
        assert "connection" in host.wait_unready()
        for one in hogs[:2]:
            one.kill()
        cluster.sql("select pg_terminate_backend(pid) from (select pid from pg_stat_activity "
                    "where usename = 'plain' limit 2) x")
        host.wait_ready()
        assert host.post("/indexes", json={"name": "main"}).status_code == 201
        crowd(host, range(0, 60))
        host.expect_found(range(0, 60, 7))
    finally:
        for one in hogs:
            one.kill()
            one.wait()
            one.stdout.close()


def crowd(host, numbers):
    """Many requests at once, more than there are connections; each is done, or told to come again."""
    with ThreadPoolExecutor(16) as pool:
        list(pool.map(lambda number: host.must_add([number]), numbers))
        for answer in pool.map(lambda number: ask(host, number), numbers):
            assert answer is None or answer["global_matches"]


def test_the_pool_is_bounded(start_host, shared_cluster, database):
    host = start_host(shared_cluster.uri(database), env={"ISCC_SEARCH_POSTGRES_CONNECTIONS": "2"})
    assert host.post("/indexes", json={"name": "main"}).status_code == 201
    most = 0
    for start in range(0, 60, 20):
        crowd(host, range(start, start + 20))
        most = max(most, shared_cluster.number("select count(*) from pg_stat_activity where datname = "
                                               f"'{database}' and pid <> pg_backend_pid()", database))
    assert 1 <= most <= 2
    host.expect_found(range(0, 60, 7))


def test_a_paused_server_is_waited_for(own_cluster, start_host):
    """The server does not answer for a while, and no connection is closed."""
    cluster = own_cluster()
    host = start_host(cluster.uri(cluster.create_database("main")))
    assert host.post("/indexes", json={"name": "main"}).status_code == 201
    host.must_add(FIRST)
    with ThreadPoolExecutor(4) as pool:
        cluster.pause()
        asking = [pool.submit(ask, host, number) for number in range(3)]
        adding = pool.submit(host.add, [make(number) for number in SECOND])
        time.sleep(1.5)
        assert host.get("/healthz").status_code == 200
        assert not adding.done(), "acknowledged while the database was asleep"
        cluster.resume()
        assert adding.result() in (True, False)
        for one in asking:
            one.result()
    expect_working(host, FIRST, SECOND)


# --- full disks ---------------------------------------------------------------------------------------

def enlarge(disk):
    subprocess.run(["mount", "-o", "remount,size=400m", str(disk)], check=True)


def test_full_database(own_cluster, start_host):
    cluster = own_cluster()
    disk = cluster.small_disk("small", 24)
    if disk is None:
        pytest.skip("a small tmpfs cannot be mounted here (needs root)")
    cluster.sql(f"create tablespace small location '{disk}'")
    host = start_host(cluster.uri(cluster.create_database("main", "tablespace small")))
    assert host.post("/indexes", json={"name": "main"}).status_code == 201
    known = []
    for start in range(0, 100000, 1000):
        answer = host.post("/indexes/main/assets", json=[make(number) for number in range(start, start + 1000)])
        if answer.status_code != 201:
            break
        known += range(start, start + 1000)
        host.expect_found([start])
    assert answer.status_code == 507 and "space" in answer.json()["detail"], answer.text
    assert known, "the disk is too small for this test"
    host.expect_found(known[::97])
    host.expect_missing([start, start + 999])
    assert host.get("/indexes/main").json()["assets"] == len(known)
    enlarge(disk)
    expect_working(host, known[::97], range(start, start + 1000, 100))


@pytest.fixture
def follower_disk(shared_cluster, tmp_path):
    """A function: a follower directory on a disk of few MiB."""
    disks = []

    def mount(size_mib):
        disk = shared_cluster.small_disk(f"followers{time.monotonic_ns()}", size_mib)
        if disk is None:
            pytest.skip("a small tmpfs cannot be mounted here (needs root)")
        disk.chmod(0o777)
        disks.append(disk)
        return disk

    return mount


@pytest.mark.parametrize("size_mib", [1, 3])
def test_full_follower_disk_falls_back_to_sql(start_host, shared_cluster, database, follower_disk, size_mib):
    """The disk of the followers fills up while loading or catching up; searches go on over SQL."""
    disk = follower_disk(size_mib)
    host = start_host(shared_cluster.uri(database), env={"ISCC_SEARCH_POSTGRES_FOLLOWER_DIR": str(disk)})
    assert host.post("/indexes", json={"name": "main"}).status_code == 201
    most = 2000 * size_mib
    for start in range(0, most, 500):
        numbers = range(start, start + 500)
        host.must_add(numbers)
        host.expect_found(numbers[::333])
    assert "answered by SQL" in host.log(), "the disk is not full"
    host.expect_found(range(0, most, 499))
    name = make(5)["iscc_id"]
    assert host.delete(f"/indexes/main/assets/{name}").status_code == 204
    host.expect_missing([5])
    enlarge(disk)  # the same answers again
    said = len(host.log())
    host.must_add(range(most, most + 100))
    host.expect_found(range(0, most + 100, 499))
    host.expect_missing([5])
    assert "answered by SQL" not in host.log()[said:], "the follower was given up"


def test_no_place_for_followers(start_host, shared_cluster, database, tmp_path):
    """The follower directory cannot be made: searches go over SQL, or the start says what is wrong."""
    blocked = tmp_path / "a-file"
    blocked.write_text("not a directory")
    host = start_host(shared_cluster.uri(database), env={"ISCC_SEARCH_POSTGRES_FOLLOWER_DIR": str(blocked / "x")})
    assert host.post("/indexes", json={"name": "main"}).status_code == 201
    host.must_add(FIRST)
    host.expect_found(FIRST)


# --- the follower's files -----------------------------------------------------------------------------

def test_deleted_follower_files_are_made_again(host):
    host.must_add(FIRST)
    host.expect_found(FIRST)
    files = host.follower_files()
    assert files
    for path in files:  # while the server has them open
        path.unlink()
    host.must_add(SECOND)
    host.expect_found([*FIRST, *SECOND])
    host.stop()
    for path in host.follower_files():
        path.unlink()
    host.start()
    host.expect_found([*FIRST, *SECOND])
    assert "answered by SQL" not in host.log(), "the follower was given up"


def test_a_follower_directory_that_was_removed_is_made_again(host):
    """While the program runs; not only when it is started again."""
    host.must_add(FIRST)
    host.expect_found(FIRST)
    shutil.rmtree(host.followers)
    host.must_add(SECOND)
    host.expect_found([*FIRST, *SECOND])
    assert host.follower_files() and "answered by SQL" not in host.log(), host.log()


@pytest.mark.parametrize("harm", ["empty", "short", "garbage", "torn", "middle", "headers"])
def test_torn_follower_files_are_made_again(host, harm):
    rng = seeded()
    numbers = range(0, 600)
    host.must_add(numbers)
    host.expect_found([0])
    assert host.stop() == 0
    for path in host.follower_files():
        whole = path.read_bytes()
        path.write_bytes({"empty": b"", "short": whole[:3000], "garbage": rng.randbytes(len(whole)),
                          "torn": whole[:len(whole) // 8192 * 4096],
                          "middle": whole[:8192] + rng.randbytes(8192) + whole[16384:],
                          "headers": whole[:81920] + b"".join(rng.randbytes(32) + whole[at + 32:at + 4096]
                                                              for at in range(81920, len(whole), 4096))}[harm])
    host.start()
    host.expect_found(numbers[::29])
    host.must_add(range(600, 610))
    host.expect_found([*numbers[::29], *range(600, 610)])
    assert "answered by SQL" not in host.log(), "the follower was given up"


def fetched(cluster, database):
    """Rows that statements have read from the tables of codes, but for those this test has run itself."""
    return cluster.number("select coalesce(sum(rows), 0) from pg_stat_statements s join pg_database d on "
                          f"d.oid = s.dbid where d.datname = '{database}' and (query ilike '%copy%' or query "
                          "ilike '%simprint%') and query ilike '%select%' or query ilike 'copy%'", "postgres")


def test_a_restart_loads_nothing_again(host, shared_cluster, database):
    """The follower directory persists: a restart reads only what was changed meanwhile."""
    shared_cluster.sql("create extension if not exists pg_stat_statements")
    host.must_add(range(2000))
    host.expect_found([0])
    before = [(path, path.stat().st_ino) for path in host.follower_files()]
    assert host.stop() == 0
    shared_cluster.sql("select pg_stat_statements_reset()")
    host.start()
    host.expect_found([0, 1999])
    assert [(path, path.stat().st_ino) for path in host.follower_files()] == before
    assert fetched(shared_cluster, database) < 100
    host.must_add(range(2000, 2020))
    host.expect_found([2000, 2019])
    assert fetched(shared_cluster, database) < 300
    # and the statistics would show a load
    assert host.stop() == 0
    for path in host.follower_files():
        path.unlink()
    host.start()
    host.expect_found([0])
    assert fetched(shared_cluster, database) >= 2000


def test_catching_up_after_being_away(start_host, shared_cluster, database):
    """A follower that was away catches up by the log, and by a load where the log has been cut."""
    uri = shared_cluster.uri(database)
    one, two = start_host(uri, "one"), start_host(uri, "two")
    assert one.post("/indexes", json={"name": "main"}).status_code == 201
    one.must_add(FIRST)
    two.expect_found(FIRST)
    cuts = ["select 1", "delete from iscc_search.change",
            "delete from iscc_search.change where head < (select max(head) from iscc_search.change)",
            "delete from iscc_search.change where head = (select max(head) from iscc_search.change)",
            "delete from iscc_search.change where head = (select max(head) - 3 from iscc_search.change)"]
    for turn, cut in enumerate(cuts):
        assert two.stop() == 0
        new = range(100 * (turn + 1), 100 * (turn + 1) + 20)
        for number in new:
            one.must_add([number])
        gone = make(turn)["iscc_id"]
        assert one.delete(f"/indexes/main/assets/{gone}").status_code == 204
        shared_cluster.sql(cut, database)
        two.start()
        two.expect_found(new)
        two.expect_missing(range(turn + 1))
        two.must_add([1000 + turn])
        one.expect_found([*new, 1000 + turn])
        one.expect_missing(range(turn + 1))
    assert "answered by SQL" not in one.log() + two.log(), "a follower was given up"


def test_the_log_is_pruned_and_who_was_behind_loads_anew(start_host, shared_cluster, database):
    """The log keeps the last million changed assets, and is cut every 64 changes."""
    uri = shared_cluster.uri(database)
    one, two = start_host(uri, "one"), start_host(uri, "two")
    assert one.post("/indexes", json={"name": "main"}).status_code == 201
    for number in range(70):
        one.must_add([number])
    two.expect_found([69])
    assert two.stop() == 0
    kept = "select min(head), max(head) from iscc_search.change"
    assert shared_cluster.sql(kept, database) == ["0|70"]
    shared_cluster.sql("update iscc_search.index set changed = changed + 2000000", database)  # as if there were more
    for number in range(70, 130):
        one.must_add([number])
    assert shared_cluster.sql(kept, database) == ["71|130"]
    two.start()
    for host in (two, one):
        host.expect_found([0, 69, 129])
    assert "the log no longer reaches back" in two.log()


# --- the data changes under the program ---------------------------------------------------------------

def test_index_dropped_and_made_again_while_away(start_host, shared_cluster, database):
    """An index of the same name, and even with as many changes, is another one."""
    uri = shared_cluster.uri(database)
    one, two = start_host(uri, "one"), start_host(uri, "two")
    assert one.post("/indexes", json={"name": "main"}).status_code == 201
    one.must_add(FIRST)
    two.expect_found(FIRST)
    for stopped in (True, False):
        if stopped:
            assert two.stop() == 0
        assert one.delete("/indexes/main").status_code == 204
        assert one.post("/indexes", json={"name": "main"}).status_code == 201
        if stopped:
            two.start()
        two.expect_missing(FIRST[:3])
        one.must_add(SECOND)
        two.expect_found(SECOND)
        two.expect_missing(FIRST[:5])
        one.expect_missing(FIRST[:5])
        for number in SECOND:
            assert one.delete(f"/indexes/main/assets/{make(number)['iscc_id']}").status_code == 204
        one.must_add(FIRST)


@pytest.mark.parametrize("stopped", [True, False])
def test_restored_database(start_host, shared_cluster, database, stopped):
    """An older state comes back, and goes on differently with as many changes: followers load it again."""
    uri = shared_cluster.uri(database)
    hosts = [start_host(uri, "one"), start_host(uri, "two")]
    assert hosts[0].post("/indexes", json={"name": "main"}).status_code == 201
    hosts[0].must_add(FIRST)
    dump = shared_cluster.dump(database)
    hosts[0].must_add(range(100, 110))
    hosts[1].must_add(range(110, 120))
    hosts[1].must_add([0], version=2)
    for host in hosts:
        host.expect_found(range(100, 120))
        if stopped:
            assert host.stop() == 0
    shared_cluster.sql(f"drop database {database} with (force)")
    shared_cluster.create_database(database)
    shared_cluster.restore(dump, database)
    if stopped:
        for host in hosts:
            host.start()
    hosts[0].wait_ready()
    hosts[0].must_add(range(200, 210))
    hosts[0].must_add(range(210, 220))
    hosts[0].must_add(range(220, 225))
    for host in reversed(hosts):
        host.expect_found([*FIRST, *range(200, 225)])
        host.expect_missing(range(100, 120))
        host.expect_missing([0], version=2)
    hosts[1].must_add([300])
    hosts[0].expect_found([300])


@pytest.mark.parametrize("restarted", [True, False])
def test_dropped_schema(restarted, host, shared_cluster, database):
    """Its tables are gone: 503 or an empty store, and no old answers from the follower."""
    host.must_add(FIRST)
    host.expect_found(FIRST)
    shared_cluster.sql("drop schema iscc_search cascade", database)
    for _ in range(3):
        answer = host.post("/indexes/main/search", json=query_of(0))
        assert answer.status_code in (404, 503) and answer.json()["detail"], answer.text
    if restarted:
        assert host.stop() == 0
        host.start()
    host.wait_ready()
    assert host.get("/indexes").json() == []
    assert host.post("/indexes", json={"name": "main"}).status_code == 201
    host.expect_missing(FIRST[:3])
    expect_working(host, [], SECOND)
    host.expect_missing(FIRST[:3])


def test_dropped_database(start_host, shared_cluster, database):
    host = start_host(shared_cluster.uri(database))
    assert host.post("/indexes", json={"name": "main"}).status_code == 201
    host.must_add(FIRST)
    shared_cluster.sql(f"drop database {database} with (force)")
    expect_503(host.post("/indexes/main/search", json=query_of(0)), database)
    assert database in host.wait_unready()
    shared_cluster.create_database(database)
    host.wait_ready()
    host.post("/indexes", json={"name": "main"})
    host.expect_missing(FIRST[:3])
    expect_working(host, [], SECOND)


def test_schema_of_a_later_program_is_left_alone(start_host, refusal, shared_cluster, database):
    host = start_host(shared_cluster.uri(database))
    assert host.post("/indexes", json={"name": "main"}).status_code == 201
    host.must_add(FIRST)
    assert host.stop() == 0
    shared_cluster.sql("update iscc_search.store set version = 1000", database)
    assert "1000" in refusal(shared_cluster.uri(database))
    shared_cluster.sql("update iscc_search.store set version = 2", database)
    host.start()
    expect_working(host, FIRST, SECOND)


@pytest.mark.parametrize("way", ["follower", "sql"])
def test_a_running_program_leaves_an_upgraded_schema_alone(start_host, shared_cluster, database, way):
    """A host that has connections and has seen the tables answers every request with 503 and the reason."""
    host = start_host(shared_cluster.uri(database), env={"ISCC_SEARCH_POSTGRES_SEARCH": way})
    assert host.post("/indexes", json={"name": "main"}).status_code == 201
    host.must_add(FIRST)
    host.expect_found(FIRST)
    # as a later program upgrades: it takes the lock that all writers wait for, and sets another version
    with ThreadPoolExecutor(1) as pool, shared_cluster.locked("iscc_search.index", database, "exclusive") as upgrading:
        waiting = pool.submit(host.post, "/indexes/main/assets", json=[make(99)])
        shared_cluster.wait_for(WAITING.format(database), 1)
        print("update iscc_search.store set version = version + 1; commit;", file=upgrading, flush=True)
        expect_503(waiting.result(), "version 3")
    for turn in range(2):
        expect_503(host.post("/indexes/main/assets", json=[make(99)]), "version 3")
        expect_503(host.delete(f"/indexes/main/assets/{make(1)['iscc_id']}"), "version 3")
        expect_503(host.delete("/indexes/main"), "version 3")
        expect_503(host.post("/indexes", json={"name": "second"}), "version 3")
        expect_503(host.post("/indexes/main/search", json=query_of(0)), "version 3")
        assert "version 3" in host.wait_unready()
        shared_cluster.terminate_clients(database)  # and with new connections
    assert shared_cluster.sql("select head, assets from iscc_search.index", database) == ["1|30"]
    shared_cluster.sql("update iscc_search.store set version = 2", database)
    expect_working(host, FIRST, SECOND)


def test_many_processes_make_one_schema(tmp_path, shared_cluster, database):
    """All start on an empty database at once; the advisory lock lets one make the tables."""
    hosts = [Host(tmp_path / f"h{number}", shared_cluster.uri(database), args=["--workers", "3"])
             for number in range(3)]
    try:
        for host in hosts:
            host.start()
        for number, host in enumerate(hosts):
            host.wait_ready()
            assert host.post("/indexes", json={"name": f"i{number}"}).status_code == 201
        for host in hosts:
            assert [index["name"] for index in host.get("/indexes").json()] == ["i0", "i1", "i2"]
    finally:
        for host in hosts:
            host.stop()
    assert shared_cluster.number("select count(*) from iscc_search.store", database) == 1


def test_schemas_are_separate(start_host, shared_cluster, database):
    """Two stores in one database."""
    uri = shared_cluster.uri(database)
    hosts = [start_host(uri, env={"ISCC_SEARCH_POSTGRES_SCHEMA": name}) for name in ("one", "two_2")]
    for number, host in enumerate(hosts):
        assert host.post("/indexes", json={"name": "main"}).status_code == 201
        host.must_add([number])
    for number, host in enumerate(hosts):
        host.expect_found([number])
        host.expect_missing([1 - number])


@pytest.mark.parametrize("setting, value", [("SCHEMA", 'a"b'), ("SEARCH", "both"), ("CONNECTIONS", "0"), ("TIMEOUT", "0")])
def test_wrong_settings_are_refused(tmp_path, shared_cluster, database, setting, value):
    name = f"ISCC_SEARCH_POSTGRES_{setting}"
    env = {**os.environ, "ISCC_SEARCH_INDEX_URI": shared_cluster.uri(database), name: value}
    done = subprocess.run([str(BINARY), "serve", "--port", "0"], env=env, cwd=tmp_path, capture_output=True,
                          text=True, timeout=60, check=False)
    assert done.returncode != 0 and value in done.stderr, done.stderr


# --- rights -------------------------------------------------------------------------------------------

def test_a_plain_role_needs_few_rights(start_host, refusal, shared_cluster, database):
    """CREATE on the database is enough to begin; an administrator's empty schema does without that."""
    role, other = f"plain_{database}", f"other_{database}"
    shared_cluster.sql(f"create role {role} login; create role {other} login; "
                       f"revoke all on database {database} from public; "
                       f"grant connect on database {database} to {role}, {other}; "
                       f"grant create on database {database} to {role}")
    host = start_host(shared_cluster.uri(database, user=role))
    assert host.post("/indexes", json={"name": "main"}).status_code == 201
    expect_working(host, [], FIRST)
    shared_cluster.sql(f"revoke create on database {database} from {role}")
    assert host.stop() == 0
    host.start()
    expect_working(host, FIRST, SECOND)
    # no right to make the schema
    uri, env = shared_cluster.uri(database, user=other), {"ISCC_SEARCH_POSTGRES_SCHEMA": "theirs"}
    assert "permission" in refusal(uri, env)
    shared_cluster.sql(f"create schema theirs authorization {other}", database)
    theirs = start_host(uri, env=env)
    assert theirs.post("/indexes", json={"name": "main"}).status_code == 201
    expect_working(theirs, [], FIRST)


def documented_rights(role):
    """The statements of docs/postgres.md for a role that only serves."""
    text = (TOP / "docs" / "postgres.md").read_text(encoding="utf-8")
    grants = re.findall(r"^GRANT .*;$", text, re.M)
    assert len(grants) == 2
    return "\n".join(grants).replace("serving", role)


def test_a_role_with_the_documented_rights_works(start_host, shared_cluster, database):
    """The tables belong to an administrator; the program's role reads and writes rows and no more."""
    role = f"rows_{database}"
    owner = start_host(shared_cluster.uri(database))
    assert owner.post("/indexes", json={"name": "main"}).status_code == 201
    owner.must_add(FIRST)
    shared_cluster.sql(f"create role {role} login; {documented_rights(role)}", database)
    host = start_host(shared_cluster.uri(database, user=role))
    expect_working(host, FIRST, SECOND)
    assert host.delete(f"/indexes/main/assets/{make(1)['iscc_id']}").status_code == 204
    assert host.post("/indexes", json={"name": "second"}).status_code == 201
    assert host.delete("/indexes/second").status_code == 204
    owner.expect_found(SECOND)
    owner.expect_missing([1])


def test_a_role_that_may_only_read_serves_read_only(start_host, shared_cluster, database):
    role = f"reads_{database}"
    owner = start_host(shared_cluster.uri(database))
    assert owner.post("/indexes", json={"name": "main"}).status_code == 201
    owner.must_add(FIRST)
    shared_cluster.sql(f"create role {role} login; grant usage on schema iscc_search to {role}; grant select "
                       f"on all tables in schema iscc_search to {role}", database)
    reader = start_host(shared_cluster.uri(database, user=role), args=["--read-only"])
    reader.expect_found(FIRST)
    owner.must_add(SECOND)
    reader.expect_found(SECOND)
    expect_503(reader.post("/indexes/main/assets", json=[make(99)]))
    expect_503(reader.delete("/indexes/main"))


def test_a_lost_right_is_said_and_comes_back(start_host, shared_cluster, database):
    role = f"lost_{database}"
    owner = start_host(shared_cluster.uri(database))
    assert owner.post("/indexes", json={"name": "main"}).status_code == 201
    owner.must_add(FIRST)
    tables = "all tables in schema iscc_search"
    shared_cluster.sql(f"create role {role} login; grant usage on schema iscc_search to {role}; "
                       f"grant select on {tables} to {role}", database)
    reader = start_host(shared_cluster.uri(database, user=role))
    reader.expect_found(FIRST)
    expect_503(reader.post("/indexes/main/assets", json=[make(99)]), "permission")
    shared_cluster.sql(f"revoke select on {tables} from {role}", database)
    expect_503(reader.post("/indexes/main/search", json=query_of(0)), "permission")
    shared_cluster.sql(f"grant select, insert, update, delete on {tables} to {role}", database)
    expect_working(reader, FIRST, SECOND)
    reader.expect_missing([99])


# --- a request whose client is gone ---------------------------------------------------------------------

def test_a_statement_that_is_cancelled_or_times_out(host, shared_cluster, database):
    """statement_timeout and lock_timeout of the administrator end in 503, and change nothing."""
    host.must_add(FIRST)
    shared_cluster.sql(f"alter database {database} set lock_timeout = '200ms'")
    shared_cluster.terminate_clients(database)
    with shared_cluster.locked("iscc_search.asset", database):
        answer = requests.post(host.index + "/assets", json=[make(99)], timeout=60)
        expect_503(answer, "another program is writing")
    host.expect_missing([99])
    expect_working(host, FIRST, SECOND)


def test_a_query_of_a_batch_that_is_cancelled_does_not_fail_the_others(start_host, shared_cluster, database):
    """As statement_timeout cancels one that takes too long: the others have answers, as they have alone."""
    host = start_host(shared_cluster.uri(database), env={"ISCC_SEARCH_POSTGRES_SEARCH": "sql"})
    assert host.post("/indexes", json={"name": "main"}).status_code == 201
    host.must_add(FIRST)
    with ThreadPoolExecutor(1) as pool:
        with shared_cluster.locked("iscc_search.unit", database):
            asking = pool.submit(requests.post, host.index + "/search/batch", timeout=60,
                                 json={"queries": [query_of(number) for number in range(4)]})
            shared_cluster.wait_for(WAITING.format(database), 1)
            shared_cluster.sql("select pg_cancel_backend(pid) from pg_stat_activity where datname = "
                               f"'{database}' and wait_event_type = 'Lock'")
        first, *others = asking.result().json()["results"]
    assert first["status"] == 503 and "administrator" in first["detail"], first
    assert [one["global_matches"][0]["iscc_id"] for one in others] == [make(number)["iscc_id"] for number in (1, 2, 3)]
