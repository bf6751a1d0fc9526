"""Round trips of a search to the database, and the rows it reads there."""
import contextlib
import subprocess
import threading
import time
from pathlib import Path

import pytest
from hosts import make
from proxy import Proxy
from serving import BINARY

TOP = Path(__file__).resolve().parents[2]


def search(host, number, index="main"):
    answer = host.post(f"/indexes/{index}/search?limit=3", json={"units": make(number)["units"]})
    assert answer.status_code == 200, answer.text
    return [(match["iscc_id"], match["metadata"]["version"]) for match in answer.json()["global_matches"]]


@pytest.fixture
def proxied(start_host, shared_cluster, database):
    """A host behind a proxy that counts, with an index."""
    proxy = Proxy(shared_cluster.port)
    host = start_host(f"postgresql://postgres@127.0.0.1:{proxy.port}/{database}")
    assert host.post("/indexes", json={"name": "main"}).status_code == 201
    yield host, proxy
    proxy.close()


def trips_of(proxy, call):
    before = proxy.trips
    call()
    return proxy.trips - before


def rest(proxy):
    """Wait until what is done in the background has ended, and the pause after a write: nothing is asked for a second."""
    seen, since, end = proxy.trips, time.monotonic(), time.monotonic() + 60
    while time.monotonic() < since + 1:
        assert time.monotonic() < end
        time.sleep(0.05)
        if proxy.trips != seen:
            seen, since = proxy.trips, time.monotonic()


def test_a_search_of_a_known_index_takes_one_trip(proxied):
    host, proxy = proxied
    host.must_add(range(5))
    host.expect_found(range(5))
    rest(proxy)
    search(host, 0)
    assert [trips_of(proxy, lambda n=n: search(host, n)) for n in range(5)] == [1] * 5
    assert trips_of(proxy, lambda: search(host, 99)) == 1, "nothing is found"


def batch(host, queries, limit=3):
    answer = host.post(f"/indexes/main/search/batch?limit={limit}", json={"queries": queries})
    assert answer.status_code == 200, answer.text
    return answer.json()["results"]


def found(result):
    return [(match["iscc_id"], match["score"], match["metadata"]["version"]) for match in result["global_matches"]]


def test_the_queries_of_a_batch_share_trips(proxied):
    """One trip for the winners of 256 queries; the answers are those of the queries one by one."""
    host, proxy = proxied
    host.must_add(range(300))
    rest(proxy)
    queries = [{"units": make(n)["units"]} for n in range(320)]  # the last 20 find nothing
    search(host, 0)
    results = []
    assert trips_of(proxy, lambda: results.extend(batch(host, queries))) == 2
    alone = [host.post("/indexes/main/search?limit=3", json=query).json() for query in queries]
    assert [found(result) for result in results] == [found(result) for result in alone]
    assert all(found(result)[0][0] == make(n)["iscc_id"] for n, result in enumerate(results[:300]))
    assert not any(found(result) for result in results[300:])


def test_a_batch_behind_the_writes_of_others_shares_trips(proxied, start_host, shared_cluster, database):
    """Where another host has written, all queries ask for the head together, and so does the first batch of a host."""
    host, proxy = proxied
    host.must_add(range(300))
    other = start_host(shared_cluster.uri(database))
    other.wait_ready()
    queries = [{"units": make(n)["units"]} for n in range(300)]
    time.sleep(1)
    search(host, 0)
    for version in range(1, 5):
        other.must_add([299], version=version)
        if version == 2:
            time.sleep(0.5)  # then the remembered head is taken for the head again
        if version == 4:
            assert host.stop() == 0
            host.start()
            host.wait_ready()
        asked = queries[:299] + [{"units": make(299, version)["units"]}]
        results = []
        trips = trips_of(proxy, lambda asked=asked, results=results: results.extend(batch(host, asked)))
        assert trips <= 16, "two pieces of queries, each with trips for the head, the changes and the winners"
        assert [found(result)[0][:2] for result in results] == [(make(n)["iscc_id"], 1.0) for n in range(300)]
        assert found(results[299])[0][2] == version


def test_a_batch_goes_on_when_a_connection_is_lost(proxied, start_host, shared_cluster, database):
    """Each query gets its own matches, where the follower is at the head and where another host has written."""
    host, proxy = proxied
    host.must_add(range(30))
    other = start_host(shared_cluster.uri(database))
    queries = [{"units": make(n)["units"]} for n in range(30)] + [{"iscc_id": make(99)["iscc_id"]}]
    for version in range(4):
        if version % 2:
            other.must_add([29])
        else:
            time.sleep(0.5)
            search(host, 0)
        proxy.lose(b"")
        results = batch(host, queries)
        assert [found(result)[0][:2] for result in results[:30]] == [(make(n)["iscc_id"], 1.0) for n in range(30)]
        assert results[30]["status"] == 404
        assert proxy.lost == 1


@contextlib.contextmanager
def writing(other):
    """Another host writes version after version of some assets."""
    ends = threading.Event()

    def write():
        version = 0
        while not ends.is_set():
            version += 1
            other.must_add(range(5), version=version)

    writer = threading.Thread(target=write)
    writer.start()
    try:
        yield
    finally:
        ends.set()
        writer.join()


def test_batches_are_right_while_others_write(proxied, start_host, shared_cluster, database):
    """Each asset is found with the metadata that belongs to the units it was found by, and in its place."""
    host, _ = proxied
    host.must_add(range(40))
    with writing(start_host(shared_cluster.uri(database))):
        end = time.monotonic() + 4
        while time.monotonic() < end:
            got = host.get(f"/indexes/main/assets/{make(2)['iscc_id']}").json()["metadata"]["version"]
            numbers = [n % 40 for n in range(100)]
            queries = [{"units": make(n, got if n < 5 else 0)["units"]} for n in numbers]
            for n, result in zip(numbers, batch(host, queries)):
                same = [(iscc_id, version) for iscc_id, score, version in found(result) if score == 1.0]
                expected = (make(n)["iscc_id"], got if n < 5 else 0)
                assert same == [expected] or (n < 5 and not same)


def test_each_query_of_a_batch_gets_what_it_asked_for(proxied):
    """What one query wants of its matches is read for all, and given to that query alone."""
    host, proxy = proxied
    host.must_add(range(20))
    rest(proxy)
    kinds = [["metadata"], ["code"], ["units"], [], ["code", "metadata"], None]
    queries = [{"units": make(n)["units"], **({} if kinds[n % 6] is None else {"with": kinds[n % 6]})} for n in range(20)]
    for several in (queries, [query for query in queries if query.get("with") == []]):
        alone = [host.post("/indexes/main/search?limit=3", json=query).json() for query in several]
        assert [result["global_matches"] for result in batch(host, several)] == [one["global_matches"] for one in alone]


def test_a_batch_asks_again_for_more_winners_than_one_trip_takes(proxied):
    host, proxy = proxied
    host.must_add(range(1000))
    rest(proxy)
    query = {"units": make(7)["units"], "min_score": 0.0}  # all assets
    search(host, 0)
    results = []
    trips = trips_of(proxy, lambda: results.extend(batch(host, [query] * 25, 1000)))
    assert trips == 9, "3 x 1,000 in each"
    assert all(found(result) == found(results[0]) for result in results)
    assert len({iscc_id for iscc_id, _, _ in found(results[0])}) == 1000


def test_one_bad_query_of_a_batch_does_not_spoil_the_others(proxied):
    host, _ = proxied
    host.must_add(range(10))
    good = [{"units": make(n)["units"]} for n in range(10)]
    unknown = {"iscc_id": make(99)["iscc_id"]}  # fails in the search, not before it
    results = batch(host, good[:4] + [unknown] + good[4:] + [unknown])
    assert [found(result)[0][0] for result in results if "status" not in result] == \
        [make(n)["iscc_id"] for n in range(10)]
    assert [results[4]["status"], results[-1]["status"]] == [404, 404]


def test_a_batch_sees_what_others_have_written_before_it_began(proxied, start_host, shared_cluster, database):
    host, _ = proxied
    host.must_add(range(5))
    other = start_host(shared_cluster.uri(database))
    for version in range(1, 12):
        time.sleep(0.3 if version % 3 == 0 else 0)
        search(host, 1)
        other.must_add(range(5), version=version)
        results = batch(host, [{"units": make(n, version)["units"]} for n in range(5)])
        assert [found(result)[0] for result in results] == [(make(n)["iscc_id"], 1.0, version) for n in range(5)]


def test_it_sees_what_others_have_written_before_it_began(proxied, start_host, shared_cluster, database):
    host, _ = proxied
    host.must_add(range(5))
    other = start_host(shared_cluster.uri(database))
    for version in range(1, 20):
        time.sleep(0.3 if version % 3 == 0 else 0)
        search(host, 1)
        other.must_add([1, 100 + version], version=version)
        answer = host.post("/indexes/main/search", json={"units": make(1, version)["units"]})
        assert answer.json()["global_matches"][0]["metadata"]["version"] == version, answer.text
        assert other.delete(f"/indexes/main/assets/{make(100 + version)['iscc_id']}").status_code == 204
        assert not search(host, 100 + version), "it was removed"
    assert other.delete("/indexes/main").status_code == 204
    assert host.post("/indexes/main/search", json={"units": make(1)["units"]}).status_code == 404
    assert other.post("/indexes", json={"name": "main"}).status_code == 201
    assert not search(host, 1)
    other.must_add([3])
    assert search(host, 3)


def test_searches_are_right_while_others_write(proxied, start_host, shared_cluster, database):
    """Each asset is found with the metadata that belongs to the units it was found by."""
    host, _ = proxied
    host.must_add(range(5))
    with writing(start_host(shared_cluster.uri(database))):
        end = time.monotonic() + 3
        while time.monotonic() < end:
            got = host.get(f"/indexes/main/assets/{make(2)['iscc_id']}").json()["metadata"]["version"]
            for (_, version) in search_version(host, 2, got):
                assert version == got


def search_version(host, number, version):
    answer = host.post("/indexes/main/search?limit=3", json={"units": make(number, version)["units"]})
    assert answer.status_code == 200, answer.text
    return [(match["iscc_id"], match["metadata"]["version"]) for match in answer.json()["global_matches"]
            if match["score"] == 1.0]


def test_winners_are_looked_up_in_an_index_that_statistics_do_not_know(start_host, shared_cluster, database):
    """The server expects one row there, and must not read all of them for the metadata of three."""
    many, searches = 3000, 20
    host = start_host(shared_cluster.uri(database))
    for index in ("main", "late"):
        assert host.post("/indexes", json={"name": index}).status_code == 201
        assert host.post(f"/indexes/{index}/assets", json=[make(n) for n in range(many)]).status_code == 201
        if index == "main":
            shared_cluster.sql("alter table iscc_search.asset set (autovacuum_enabled = false); "
                               "vacuum analyze iscc_search.asset", database)
    search_soon(host, 0, "late")
    assert host.stop() == 0  # which tells the server's statistics what was read
    read = "select idx_tup_fetch + seq_tup_read from pg_stat_user_tables where relname = 'asset'"
    before = settled(shared_cluster, database, read)
    host.start()
    for number in range(searches):
        assert search(host, number, "late")[0][0] == make(number)["iscc_id"]
    assert host.stop() == 0
    assert settled(shared_cluster, database, read) - before <= searches * 3
    host.start()


def test_a_write_reads_no_rows_of_other_assets(start_host, shared_cluster, database):
    """A plan that the server made when the tables were empty must not read all of them from then on."""
    assets = 100
    tables = ("asset", "unit", "simprint")
    host = start_host(shared_cluster.uri(database), env={"ISCC_SEARCH_POSTGRES_SEARCH": "sql"})
    assert host.post("/indexes", json={"name": "main"}).status_code == 201
    for table in tables:
        shared_cluster.sql(f"alter table iscc_search.{table} set (autovacuum_enabled = false)", database)
    for number in range(assets):
        host.must_add([number])
    for number in range(0, assets, 4):
        host.must_add([number], version=1)
        assert host.delete(f"/indexes/main/assets/{make(number + 1)['iscc_id']}").status_code == 204
    assert host.stop() == 0  # which tells the server's statistics what was read
    changed = assets // 4
    for table, each in zip(tables, (1, 4, 1)):
        read = f"select idx_tup_fetch + seq_tup_read from pg_stat_user_tables where relname = '{table}'"
        assert settled(shared_cluster, database, read) <= 3 * each * changed, table
        assert shared_cluster.number(f"select count(*) from iscc_search.{table}", database) == \
            each * (assets - changed)
    host.start()


def search_soon(host, number, index):
    end = time.monotonic() + 60
    while host.post(f"/indexes/{index}/search", json={"units": make(number)["units"]}).status_code != 200:
        assert time.monotonic() < end, host.log()[-3000:]
        time.sleep(0.05)


def settled(cluster, database, read):
    """A number that has not changed for a second."""
    seen = [-1]
    while seen[-1] != seen[0] or len(seen) < 10:
        seen = (seen + [cluster.number(read, database)])[-10:]
        time.sleep(0.1)
    return seen[-1]


@pytest.mark.skipif(b"__asan_init" in BINARY.read_bytes() or b"__tsan_init" in BINARY.read_bytes(),
                    reason="a library with a sanitizer wants a program with one")
@pytest.mark.parametrize("way", ["follower", "sql"])
def test_a_search_that_is_cancelled_has_ended(tmp_path, shared_cluster, database, way):
    """It is not begun again: cancel_check() may say only once that the search ends. The caller gets the
    error as cancel_check() has filled it, and an empty one if it was left alone."""
    program = tmp_path / "cancels_once"
    subprocess.run(["cc", f"-I{TOP}/include", "-o", program, TOP / "tests/postgres/cancels_once.c",
                    BINARY.parent / "libiscc_search.so.0"], check=True)
    followers = [tmp_path / "followers"] if way == "follower" else []
    done = subprocess.run([program, shared_cluster.uri(database), *followers], timeout=120,
                          capture_output=True, text=True, check=False,
                          env={"LD_LIBRARY_PATH": str(BINARY.parent)})
    assert done.stdout == "cancelled 'enough' 3 7\ncancelled '' -1 0\n", done.stderr
    assert done.returncode == 0
