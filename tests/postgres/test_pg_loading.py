"""Loads of followers: searches wait for them up to a limit, do not delay other indexes, and see the progress."""
import fcntl
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
import requests
from hosts import make
from proxy import Proxy
from serving import Server

MANY = 2500  # more than a search loads by itself


def search(host, index, number, limit=3, **more):
    return requests.post(f"{host.base}/indexes/{index}/search?limit={limit}", json={"units": make(number)["units"]},
                         timeout=60, **more)


@pytest.fixture
def slow_loading(start_host, shared_cluster, database):
    """A host whose role reads each simprint of `main` slowly by COPY, and an index `other` that is small."""
    role = f"slow_{database}"
    owner = start_host(shared_cluster.uri(database))
    for name, numbers in (("main", range(MANY)), ("other", range(5))):
        assert owner.post("/indexes", json={"name": name}).status_code == 201
        assert owner.post(f"/indexes/{name}/assets", json=[make(n) for n in numbers]).status_code == 201
    shared_cluster.sql(f"""create role {role} login; grant usage on schema iscc_search to {role};
        grant select on all tables in schema iscc_search to {role};
        create function watch() returns boolean language plpgsql as $$begin if current_query() like 'COPY%'
            then perform pg_sleep(0.002); end if; return true; end$$;
        alter table iscc_search.simprint enable row level security;
        create policy watched on iscc_search.simprint using (watch())""", database)

    def start(threads, patience_s):
        return start_host(shared_cluster.uri(database, user=role), "slow", args=["--read-only"],
                          env={"ISCC_SEARCH_THREADS": str(threads),
                               "ISCC_SEARCH_POSTGRES_PATIENCE": str(patience_s)})

    return start


@pytest.mark.parametrize(("threads", "limit"), [(1, 3), (2, 3), (2, 5000)])
def test_a_load_leaves_the_other_indexes_searchable(slow_loading, threads, limit):
    """Whoever waits for the load does not take a place from others, in either pool of searches."""
    host = slow_loading(threads, 60)
    with ThreadPoolExecutor(8) as pool:
        asking = [pool.submit(search, host, "main", n, limit) for n in range(8)]
        time.sleep(0.2)
        for other in (search(host, "other", 3), search(host, "other", 3, 5000)):
            assert other.status_code == 200 and other.json()["global_matches"][0]["iscc_id"] == make(3)["iscc_id"]
        assert not any(one.done() for one in asking), "it was loaded before this was asked"
        said = [one.result() for one in asking]
        assert [one.status_code for one in said] == [200] * 8, [one.text for one in said]
    host.expect_found([0, MANY - 1])
    assert host.log().count("loading follower") == 2 and "answered by SQL" not in host.log(), host.log()


@pytest.fixture
def trickling(start_host, shared_cluster, database):
    """A host to which the rows of `main` come slowly."""
    owner, proxy = start_host(shared_cluster.uri(database)), Proxy(shared_cluster.port)
    assert owner.post("/indexes", json={"name": "main"}).status_code == 201
    assert owner.post("/indexes/main/assets", json=[make(n) for n in range(MANY)]).status_code == 201

    def start(patience_s, **env):
        host = start_host(f"postgresql://postgres@127.0.0.1:{proxy.port}/{database}", "slow",
                          env={"ISCC_SEARCH_POSTGRES_PATIENCE": str(patience_s), **env})
        proxy.rate = 200_000
        return host

    yield start
    proxy.close()


@pytest.mark.parametrize("patience_s", [0, 1])
def test_a_load_beyond_the_patience_says_when_to_come_back(trickling, patience_s):
    """From measured progress: the time is long at first, gets shorter, and then the answer is there."""
    host, times = trickling(patience_s), []
    end = time.monotonic() + 60
    while (answer := search(host, "main", 1)).status_code != 200:
        assert time.monotonic() < end and answer.status_code == 503, answer.text
        detail, left_s = answer.json()["detail"], int(answer.headers["Retry-After"])
        assert "loaded" in detail and 1 <= left_s <= 60, answer.headers
        if "rows" in detail:
            assert f" {left_s} s are left" in detail, detail
            times.append((time.monotonic(), left_s))
        time.sleep(0.05)
    end = time.monotonic()
    assert len(times) > 3 and times[-1][1] <= times[0][1], times
    for asked, left_s in times[1:]:
        assert left_s <= 4 * (end - asked) + 5 and end - asked <= 4 * left_s + 5, (end - asked, left_s)


def test_a_load_is_told_of_while_it_goes_on(trickling):
    host = trickling(60)
    with ThreadPoolExecutor(1) as pool:
        asking, told = pool.submit(search, host, "main", 1), []
        while not asking.done():
            status, ready = host.get("/status").json(), host.get("/readyz")
            assert ready.status_code == 200 and ready.json()["status"] == "ready"
            numbers = [line for line in host.get("/metrics").text.splitlines() if line.startswith("iscc_search_load")]
            if "loading" in status:
                told.append((status["loading"], ready.json().get("loading"), numbers))
            time.sleep(0.05)
    assert asking.result().status_code == 200
    loads = [load for one, _, _ in told for load in one]
    assert loads and {load["name"] for load in loads} == {"main"}, told
    assert {load["rows_total"] for load in loads} == {2 * MANY}, "assets and passages"
    assert len({load["rows_done"] for load in loads}) > 3 and all(load["seconds_left"] >= 1 for load in loads), loads
    assert any(two for _, two, _ in told), told
    assert any(f'iscc_search_load_rows{{index="main"}} {2 * MANY}' in three for _, _, three in told), told
    end = time.monotonic() + 30
    while "loading" in host.get("/status").json() or "loading" in host.get("/readyz").json():
        assert time.monotonic() < end
        time.sleep(0.05)


def test_names_of_loads_are_for_those_who_have_the_key(trickling):
    host = trickling(60, ISCC_SEARCH_API_SECRET="secret")  # noqa: S106
    with ThreadPoolExecutor(1) as pool:
        asking, told = pool.submit(search, host, "main", 1, headers={"X-API-Key": "secret"}), []
        while not asking.done():
            told += host.get("/status").json().get("loading", [])
            time.sleep(0.05)
    assert asking.result().status_code == 200
    assert told and not any("name" in load for load in told), told


def test_a_load_does_not_hold_up_the_end(slow_loading):
    host = slow_loading(2, 1)
    assert search(host, "main", 1).status_code == 503
    assert host.stop() == 0
    host.start()
    host.expect_found([0, MANY - 1])


@pytest.fixture
def read_followers(tmp_path):
    """A function that starts a server on the followers of a host, with no other client."""
    readers = []

    def start(host, patience_s=60):
        end = time.monotonic() + patience_s
        while not host.follower_files():
            assert time.monotonic() < end, host.log()
            time.sleep(0.05)
        folder = tmp_path / "reader"
        folder.mkdir()
        readers.append(Server(folder, f"usearch://{host.follower_files()[0].parents[1]}", args=["--read-only"]))
        return readers[-1].start()

    yield start
    for reader in readers:
        assert reader.stop() == 0


def test_what_a_host_writes_is_there_before_it_is_searched(host, read_followers):
    """Without a search the follower is loaded, and brought up to date as more is written; it is caught up with after
    removals, too."""
    many = [make(number) for number in range(MANY)]
    for start in range(0, MANY, 500):
        assert host.post("/indexes/main/assets", json=many[start:start + 500]).status_code == 201
    reader = read_followers(host)
    wait_followed(reader, MANY)
    assert search(host, "main", MANY - 1).json()["global_matches"][0]["iscc_id"] == make(MANY - 1)["iscc_id"]
    host.must_add([MANY])
    wait_followed(reader, MANY + 1)
    assert host.delete(f"/indexes/main/assets/{make(0)['iscc_id']}").status_code == 204
    wait_followed(reader, MANY)
    assert host.log().count("loading follower") == 1, host.log()


def wait_followed(reader, assets, patience_s=60):
    """Wait until the follower has so many assets; it is read as a store of its own."""
    end = time.monotonic() + patience_s
    while [one["assets"] for one in reader.get("/indexes").json()] != [assets]:
        assert time.monotonic() < end, f"{reader.get('/indexes').text}, expected {assets}"
        time.sleep(0.1)


def test_the_first_search_after_a_large_batch_is_answered(start_host, shared_cluster, database):
    """A search within the limit does not get 503 because the follower is being loaded."""
    host = start_host(shared_cluster.uri(database), env={"ISCC_SEARCH_POSTGRES_PATIENCE": "60"})
    for index in ("main", "next"):
        assert host.post("/indexes", json={"name": index}).status_code == 201
        assert host.post(f"/indexes/{index}/assets", json=[make(n) for n in range(MANY * 4)]).status_code == 201
        answer = search(host, index, 7)
        assert answer.status_code == 200 and answer.json()["global_matches"][0]["iscc_id"] == make(7)["iscc_id"]


def test_work_of_another_process_that_takes_long_is_not_waited_for(host, shared_cluster, database):
    """The lock file says that it loads. A search gets 503 at once, and threads are left for other indexes."""
    host.must_add([0])
    host.expect_found([0])
    assert host.post("/indexes", json={"name": "other"}).status_code == 201
    assert host.post("/indexes/other/assets", json=[make(1)]).status_code == 201
    assert search(host, "other", 1).status_code == 200
    name = shared_cluster.sql("select lpad(to_hex(incarnation), 16, '0') from iscc_search.index where name = "
                              "'main'", database)[0]
    [path] = host.followers.rglob(f".f{name}.lock")
    with open(path, "r+b", buffering=0) as lock, ThreadPoolExecutor(4) as pool:
        fcntl.flock(lock, fcntl.LOCK_EX)
        lock.write(bytes(12) + b"\1" + (5000).to_bytes(4, "big") + (30000).to_bytes(4, "big") + (100).to_bytes(8, "big")
                   + (700).to_bytes(8, "big") + b"main".ljust(32, b"\0"))
        host.must_add([2])
        asking = [pool.submit(search, host, "main", 2) for _ in range(4)]
        assert search(host, "other", 1).status_code == 200
        said = [one.result() for one in asking]
        assert [(one.status_code, one.headers.get("Retry-After")) for one in said] == [(503, "30")] * 4
        assert all("100 of 700 rows" in one.json()["detail"] for one in said)
        assert host.get("/status").json()["loading"] == [{"name": "main", "rows_done": 100, "rows_total": 700,
                                                          "seconds_left": 30}]
        fcntl.flock(lock, fcntl.LOCK_UN)
    host.expect_found([0, 2])


def test_followers_of_indexes_that_are_gone_are_removed(start_host, shared_cluster, database):
    uri = shared_cluster.uri(database)
    one, two = start_host(uri, "one"), start_host(uri, "two")
    for turn in range(3):
        assert one.post("/indexes", json={"name": "main"}).status_code == 201
        one.must_add([turn])
        two.expect_found([turn])
        assert one.delete("/indexes/main").status_code == 204
    assert one.post("/indexes", json={"name": "main"}).status_code == 201
    one.must_add([9])
    two.expect_found([9])
    end = time.monotonic() + 20
    while len(two.follower_files()) > 1:
        assert time.monotonic() < end, two.log()
        time.sleep(0.05)
    two.expect_found([9])
