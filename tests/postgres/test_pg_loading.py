"""What takes long for one index is not waited for by the searches of others."""
import fcntl
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
import requests
from hosts import make

MANY = 2500  # more than a search loads by itself


def search(host, index, number, **more):
    return requests.post(f"{host.base}/indexes/{index}/search?limit=3", json={"units": make(number)["units"]},
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

    def start(threads):
        return start_host(shared_cluster.uri(database, user=role), "slow", args=["--read-only"],
                          env={"ISCC_SEARCH_THREADS": str(threads)})

    return start


@pytest.mark.parametrize("threads", [1, 2])
def test_a_load_leaves_the_other_indexes_searchable(slow_loading, threads):
    host = slow_loading(threads)
    with ThreadPoolExecutor(4) as pool:
        asking = [pool.submit(search, host, "main", n) for n in range(4)]
        time.sleep(0.2)
        other = search(host, "other", 3)
        assert other.status_code == 200 and other.json()["global_matches"][0]["iscc_id"] == make(3)["iscc_id"]
        said = [one.result() for one in asking]
        assert [one.status_code for one in said] == [503] * 4, "it was loaded before this was asked"
        assert all("loaded" in one.json()["detail"] for one in said)
    host.expect_found([0, MANY - 1])
    assert host.log().count("loading follower") == 2 and "answered by SQL" not in host.log(), host.log()


def test_a_load_does_not_hold_up_the_end(slow_loading):
    host = slow_loading(2)
    assert search(host, "main", 1).status_code == 503
    assert host.stop() == 0
    host.start()
    host.expect_found([0, MANY - 1])


def test_work_of_another_process_that_takes_long_is_not_waited_for(host, shared_cluster, database):
    """It says so in the lock file. Who asks is told at once, and threads are left for other indexes."""
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
        lock.write(bytes(12) + b"\1")
        host.must_add([2])
        asking = [pool.submit(search, host, "main", 2) for _ in range(4)]
        assert search(host, "other", 1).status_code == 200
        assert [one.result().status_code for one in asking] == [503] * 4
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
