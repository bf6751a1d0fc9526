"""Several database servers: reads from a hot standby, and its promotion while servers of iscc-search run."""
import threading
import time

import pytest
import requests
from hosts import make, sample, seeded
from test_pg_hosts import Load, Trial


@pytest.fixture
def pair(own_cluster):
    """A primary with a database `main`, and its hot standby."""
    primary = own_cluster()
    primary.create_database("main")
    standby = primary.standby()
    own_cluster.adopt(standby)
    return primary, standby


def multi_host(*clusters):
    """A URI of several servers, of which the one that writes is meant."""
    hosts = ",".join("127.0.0.1" for _ in clusters)
    ports = ",".join(str(one.port) for one in clusters)
    return f"postgresql://postgres@/main?host={hosts}&port={ports}&target_session_attrs=read-write" \
           "&connect_timeout=5"


def find_soon(host, numbers, patience_s=30):
    """What is read from a standby is there a little later."""
    end = time.monotonic() + patience_s
    while True:
        try:
            return host.expect_found(numbers)
        except AssertionError:
            assert time.monotonic() < end, host.log()[-3000:]
            time.sleep(0.05)


def freeze_replay(standby):
    standby.sql("select pg_wal_replay_pause()")
    end = time.monotonic() + 30
    while standby.sql("select pg_get_wal_replay_pause_state()") != ["paused"]:
        assert time.monotonic() < end
        time.sleep(0.02)


def heads_read(cluster):
    """How many heads of indexes were asked for at a server; each search begins with one."""
    return cluster.number("select coalesce(sum(calls), 0) from pg_stat_statements where query like "
                          "'%pg_is_in_recovery()%' and query like '%head_mark%'", "main")


def test_reads_go_to_the_standby(pair, start_host):
    primary, standby = pair
    primary.sql("create extension pg_stat_statements", "main")
    host = start_host(primary.uri("main"), env={"ISCC_SEARCH_POSTGRES_READ_URI": standby.uri("main")})
    assert host.post("/indexes", json={"name": "main"}).status_code == 201
    host.must_add(range(20))
    standby.wait_replayed(primary.position())
    find_soon(host, range(20))
    before = heads_read(primary), heads_read(standby)
    host.expect_found(range(20))
    assert (heads_read(primary), heads_read(standby)) == (before[0], before[1] + 20)
    freeze_replay(standby)
    host.must_add(range(20, 30))
    # what the standby does not have yet is either not found, or the program has known to ask the primary
    found = host.find(25)["global_matches"]
    assert found == [] or found[0]["iscc_id"] == make(25)["iscc_id"]
    host.expect_found(range(20))
    standby.sql("select pg_wal_replay_resume()")
    standby.wait_replayed(primary.position())
    find_soon(host, range(30))
    gone = make(3)["iscc_id"]
    assert host.delete(f"/indexes/main/assets/{gone}").status_code == 204
    standby.wait_replayed(primary.position())
    end = time.monotonic() + 10
    while host.find(3)["global_matches"]:
        assert time.monotonic() < end
        time.sleep(0.05)


def test_what_follows_a_write_does_not_go_back_to_where_the_standby_is(pair, start_host, tmp_path):
    """Two servers on one machine, one of which reads from a standby that is behind: their follower stays ahead."""
    primary, standby = pair
    folder = {"ISCC_SEARCH_POSTGRES_FOLLOWER_DIR": str(tmp_path / "shared"), "ISCC_SEARCH_LOG_LEVEL": "debug"}
    ahead = start_host(primary.uri("main"), env=folder)
    assert ahead.post("/indexes", json={"name": "main"}).status_code == 201
    ahead.must_add(range(20))
    standby.wait_replayed(primary.position())
    behind = start_host(primary.uri("main"),
                        env={"ISCC_SEARCH_POSTGRES_READ_URI": standby.uri("main"), **folder})
    find_soon(behind, range(20))
    freeze_replay(standby)
    ahead.must_add(range(20, 30))
    ahead.expect_found(range(30))
    behind.must_add([30])
    end = time.monotonic() + 30
    while "the replica is behind this host" not in behind.log():
        assert "is loaded again" not in behind.log(), behind.log()[-2000:]
        assert time.monotonic() < end, behind.log()[-2000:]
        time.sleep(0.02)
    behind.expect_found(range(31))
    ahead.expect_found(range(31))
    assert "is loaded again" not in behind.log() + ahead.log()


def test_a_server_of_its_own_on_the_standby_only_reads(pair, start_host):
    """The first URI is the standby: searches work, changes are refused with the reason."""
    primary, standby = pair
    writer = start_host(primary.uri("main"))
    assert writer.post("/indexes", json={"name": "main"}).status_code == 201
    writer.must_add(range(20))
    standby.wait_replayed(primary.position())
    reader = start_host(standby.uri("main"))
    find_soon(reader, range(20))
    answer = reader.post("/indexes/main/assets", json=[make(99)])
    assert answer.status_code == 503
    assert any(word in answer.json()["detail"] for word in ("read-only", "recovery", "read only")), answer.text
    standby.promote()
    reader.must_add([99])
    reader.expect_found([99, *range(20)])


def test_death_of_the_standby(pair, start_host):
    """Reads fall back to the primary, or say 503 until the standby is back; never an old answer as a new one."""
    primary, standby = pair
    host = start_host(primary.uri("main"), env={"ISCC_SEARCH_POSTGRES_READ_URI": standby.uri("main")})
    assert host.post("/indexes", json={"name": "main"}).status_code == 201
    host.must_add(range(20))
    standby.wait_replayed(primary.position())
    find_soon(host, range(20))
    standby.kill()
    answer = host.post("/indexes/main/search", json={"units": make(3)["units"]})
    assert answer.status_code in (200, 503), answer.text
    if answer.status_code == 200:
        assert answer.json()["global_matches"][0]["iscc_id"] == make(3)["iscc_id"]
    host.must_add(range(20, 30))
    standby.start()
    standby.wait_replayed(primary.position())
    host.wait_ready()
    find_soon(host, range(30))


def test_two_hosts_agree_where_commits_wait_for_the_standby(pair, start_host):
    """With synchronous_commit = remote_apply the standby has what was acknowledged: as strict as one server.

    Both hosts read there: a standby shows a change a little before the primary does.
    """
    primary, standby = pair
    primary.sql("alter system set synchronous_standby_names = '*'; alter system set synchronous_commit = "
                "'remote_apply'; select pg_reload_conf()")
    time.sleep(0.5)
    env = {"ISCC_SEARCH_POSTGRES_READ_URI": standby.uri("main")}
    hosts = [start_host(primary.uri("main"), env=env) for _ in range(2)]
    assert hosts[0].post("/indexes", json={"name": "main"}).status_code == 201
    Trial(hosts, seeded(), wait_out_503=True).run(3)


@pytest.mark.parametrize("death", ["kill", "stop"])
def test_failover(pair, start_host, death):
    """The primary dies under load and the standby is promoted; servers find it by themselves.

    Commits wait for the standby, so that nothing acknowledged may be missing.
    """
    primary, standby = pair
    rng, load = seeded(), Load()
    primary.sql("alter system set synchronous_standby_names = '*'; select pg_reload_conf()")
    time.sleep(0.5)
    uri = multi_host(primary, standby)
    hosts = [start_host(uri, "one"), start_host(uri, "two", args=["--workers", "3"])]
    assert hosts[0].post("/indexes", json={"name": "main"}).status_code == 201

    def deed():
        time.sleep(0.7)
        primary.kill() if death == "kill" else primary.stop()
        time.sleep(0.3)
        standby.promote()
        time.sleep(1.5)

    load.during(hosts, deed)
    before = len(load.acknowledged)
    assert before
    load.expect_all(hosts, rng, 200)
    load.during(hosts, lambda: time.sleep(0.5))
    assert len(load.acknowledged) > before
    load.expect_all(hosts, rng, 200)


def test_failover_that_loses_writes_is_noticed(pair, start_host):
    """Without synchronous replication the last writes are gone; followers that had them have to forget them."""
    primary, standby = pair
    hosts = [start_host(multi_host(primary, standby), name) for name in ("one", "two")]
    assert hosts[0].post("/indexes", json={"name": "main"}).status_code == 201
    hosts[0].must_add(range(20))
    standby.wait_replayed(primary.position())
    standby.kill()
    hosts[0].must_add(range(100, 110))
    for host in hosts:
        host.expect_found(range(100, 110))
    primary.kill()
    standby.start()
    standby.promote()
    for host in hosts:
        host.wait_ready()
    hosts[1].must_add(range(200, 210))
    for host in hosts:
        host.expect_found([*range(20), *range(200, 210)])
        host.expect_missing(range(100, 110))


def test_searches_during_failover_are_right_or_503(pair, start_host):
    primary, standby = pair
    host = start_host(multi_host(primary, standby))
    assert host.post("/indexes", json={"name": "main"}).status_code == 201
    host.must_add(range(50))
    standby.wait_replayed(primary.position())
    stop, wrong, said = threading.Event(), [], set()

    def ask():
        rng = seeded()
        while not stop.is_set():
            number = sample(rng, range(50), 1)[0]
            answer = requests.post(host.index + "/search", json={"units": make(number)["units"]}, timeout=60)
            said.add(answer.status_code)
            if answer.status_code == 200:
                best = answer.json()["global_matches"][:1]
                if not best or best[0]["iscc_id"] != make(number)["iscc_id"]:
                    wrong.append(answer.text)
            elif answer.status_code != 503:
                wrong.append(answer.text)

    asker = threading.Thread(target=ask)
    asker.start()
    try:
        time.sleep(0.3)
        primary.kill()
        time.sleep(0.5)
        standby.promote()
        host.wait_ready()
        host.must_add([60])
        time.sleep(0.3)
    finally:
        stop.set()
        asker.join()
    assert not wrong, wrong[0]
    assert said == {200, 503}
    host.expect_found([*range(50), 60])


@pytest.mark.parametrize("args", [(), ("--read-only",)])
def test_a_server_whose_only_database_is_a_standby_loads_anew(pair, start_host, args):
    """The log was cut while it was away: there is no primary to ask, and the standby has all that is needed."""
    primary, standby = pair
    writer = start_host(primary.uri("main"))
    assert writer.post("/indexes", json={"name": "main"}).status_code == 201
    writer.must_add(range(20))
    standby.wait_replayed(primary.position())
    reader = start_host(standby.uri("main"), args=list(args))
    find_soon(reader, range(20))
    assert reader.stop() == 0
    writer.must_add(range(20, 30))
    writer.must_add(range(30, 40))
    primary.sql("delete from iscc_search.change where head < (select max(head) from iscc_search.change)", "main")
    standby.wait_replayed(primary.position())
    reader.start()
    find_soon(reader, range(40))
    assert "loaded again: the log no longer reaches back" in reader.log(), reader.log()


def test_a_replica_whose_log_was_cut_is_read_all_the_same(pair, start_host):
    """It is not behind the host, and the primary is not there to be asked."""
    primary, standby = pair
    host = start_host(primary.uri("main"), env={"ISCC_SEARCH_POSTGRES_READ_URI": standby.uri("main")})
    assert host.post("/indexes", json={"name": "main"}).status_code == 201
    host.must_add(range(20))
    standby.wait_replayed(primary.position())
    find_soon(host, range(20))
    host.must_add(range(20, 30))
    host.must_add(range(30, 40))
    primary.sql("delete from iscc_search.change where head < (select max(head) from iscc_search.change)", "main")
    standby.wait_replayed(primary.position())
    primary.kill()
    find_soon(host, range(40))


def test_a_standby_that_was_rebuilt_from_an_older_state_is_followed(pair, start_host):
    """The only server of a host knows less than its follower: what is searched is what the server has."""
    primary, standby = pair
    writer = start_host(primary.uri("main"))
    assert writer.post("/indexes", json={"name": "main"}).status_code == 201
    writer.must_add(range(20))
    standby.wait_replayed(primary.position())
    reader = start_host(primary.uri("main"), args=["--read-only"])
    freeze_replay(standby)
    writer.must_add(range(20, 30))
    find_soon(reader, range(30))
    assert reader.stop() == 0
    reader.uri = standby.uri("main")
    reader.start()
    find_soon(reader, range(20))
    reader.expect_missing(range(20, 30))
    assert "it is ahead of the database" in reader.log(), reader.log()


def test_followers_of_dropped_indexes_go_where_reads_go_to_a_replica(pair, start_host):
    primary, standby = pair
    writer = start_host(primary.uri("main"))
    host = start_host(primary.uri("main"), env={"ISCC_SEARCH_POSTGRES_READ_URI": standby.uri("main")})
    for number in range(3):
        assert writer.post("/indexes", json={"name": "main"}).status_code == 201
        writer.must_add([number])
        standby.wait_replayed(primary.position())
        find_soon(host, [number])
        if number < 2:
            assert writer.delete("/indexes/main").status_code == 204
            standby.wait_replayed(primary.position())
    end = time.monotonic() + 20
    while len(host.follower_files()) > 1:
        assert time.monotonic() < end, host.log()
        time.sleep(0.05)
    host.expect_found([2])
