"""Slow statements: those with a long timeout are waited for, the others fail and are sent once only."""
import json
import threading
import time

import pytest
import requests
from hosts import make
from proxy import Proxy

TIMEOUT_S = 1
LONG_S = 2.5
IMPATIENT = {"ISCC_SEARCH_POSTGRES_TIMEOUT": str(TIMEOUT_S)}


@pytest.fixture
def impatient(start_host, shared_cluster, database):
    """A host for which a server is silent after a second, with an index."""
    host = start_host(shared_cluster.uri(database), env=IMPATIENT)
    assert host.post("/indexes", json={"name": "main"}).status_code == 201
    host.must_add(range(3))
    host.expect_found(range(3))
    return host


def slow_down(cluster, database, table, event="insert"):
    """Each statement of a kind takes long, and is counted in sequence `slow`."""
    cluster.sql(f"""create sequence slow;
        create function slow() returns trigger language plpgsql as
            $$begin perform nextval('slow'); perform pg_sleep({LONG_S}); return null; end$$;
        create trigger slow after {event} on iscc_search.{table} for each statement execute function slow();
        """, database)


@pytest.mark.parametrize("table", ["simprint", "change"])
def test_a_write_is_waited_for_longer_than_a_silent_server(impatient, shared_cluster, database, table):
    """A large batch takes long; doing it again and again would never end."""
    slow_down(shared_cluster, database, table)
    assert impatient.add([make(9)])
    assert shared_cluster.number("select last_value from slow", database) == 1
    impatient.expect_found([9])


def test_a_drop_is_waited_for(impatient, shared_cluster, database):
    slow_down(shared_cluster, database, "simprint", "delete")
    assert impatient.delete("/indexes/main").status_code == 204
    assert shared_cluster.number("select last_value from slow", database) == 1


def test_what_a_silent_server_was_asked_is_not_asked_again(impatient, shared_cluster, database):
    """503 after the timeout, and one statement that hangs in the database and not four."""
    waits = f"select count(*) from pg_stat_activity where wait_event_type = 'Lock' and datname = '{database}'"
    with shared_cluster.locked("iscc_search.index", database):
        before = shared_cluster.number(waits)  # the host may follow its own writes just now
        answer = requests.post(impatient.index + "/search", json={"units": make(1)["units"]}, timeout=60)
        waiting = shared_cluster.number(waits) - before
    assert answer.status_code == 503 and "ISCC_SEARCH_POSTGRES_TIMEOUT" in answer.json()["detail"], answer.text
    assert waiting == 1
    impatient.expect_found(range(3))


def test_a_rollback_is_not_waited_for_as_a_long_statement(start_host, shared_cluster, database):
    """A server that becomes silent behind a write that was refused."""
    proxy, goes_on = Proxy(shared_cluster.port), threading.Event()
    proxy.is_lost = lambda message: b"ROLLBACK" in message and not goes_on.wait(60)
    host = start_host(f"postgresql://postgres@127.0.0.1:{proxy.port}/{database}", env=IMPATIENT)
    try:
        answer = requests.post(host.index + "/assets", json=[make(1)], timeout=20 * TIMEOUT_S)
    finally:
        goes_on.set()
        proxy.close()
    assert answer.status_code == 404, answer.text


@pytest.fixture
def watched(start_host, shared_cluster, database):
    """A host that writes, one that reads, and a policy: function watch() is called for each simprint read."""
    role = f"watched_{database}"
    owner = start_host(shared_cluster.uri(database))
    assert owner.post("/indexes", json={"name": "main"}).status_code == 201
    owner.must_add([0])
    shared_cluster.sql(f"""create role {role} login; grant usage on schema iscc_search to {role};
        grant select on all tables in schema iscc_search to {role};
        create function watch() returns boolean language plpgsql as $$begin return true; end$$;
        alter table iscc_search.simprint enable row level security;
        create policy watched on iscc_search.simprint using (watch())""", database)
    reader = start_host(shared_cluster.uri(database, user=role), env=IMPATIENT, args=["--read-only"])
    reader.expect_found([0])
    owner.must_add([0], version=2)
    return owner, reader


def during_catch_up(cluster, database, deed):
    cluster.sql("create or replace function watch() returns boolean language plpgsql as $$begin if "
                f"current_query() like 'WITH ids%' then {deed}; end if; return true; end$$", database)


def test_a_slow_catch_up_is_waited_for(watched, shared_cluster, database):
    """What one change brings may be read for long."""
    during_catch_up(shared_cluster, database, f"perform pg_sleep({LONG_S})")
    reader = watched[1]
    answer = requests.post(reader.index + "/search", json={"units": make(0, version=2)["units"]}, timeout=60)
    assert answer.status_code == 200, answer.text
    assert answer.json()["global_matches"][0]["metadata"] == {"number": 0, "version": 2}
    assert "answered by SQL" not in reader.log() and "loaded again" not in reader.log(), reader.log()


def test_a_catch_up_that_cannot_be_done_ends_in_a_load(watched, shared_cluster, database):
    """And not in a 503 for ever."""
    during_catch_up(shared_cluster, database, "raise exception 'too much at once' using errcode = '53200'")
    owner, reader = watched
    reader.expect_found([0], version=2)
    assert "loaded again" in reader.log() and "answered by SQL" not in reader.log(), reader.log()
    shared_cluster.sql("create or replace function watch() returns boolean language sql as 'select true'",
                       database)
    said = reader.log().count("loaded again")
    owner.must_add([1])
    reader.expect_found([1])
    assert reader.log().count("loaded again") == said


def test_stops_in_the_middle_of_a_catch_up_do_not_end_in_a_load(watched, shared_cluster, database):
    """However often the program is stopped, the follower is as good as before."""
    reader = watched[1]
    query = {"units": make(0, version=2)["units"]}
    files = [(path, path.stat().st_ino) for path in reader.follower_files()]
    shared_cluster.sql("update iscc_search.index set changed = changed + 30000", database)  # the loader's work
    during_catch_up(shared_cluster, database, "perform pg_sleep(300)")
    for _ in range(3):
        try:
            requests.post(reader.index + "/search", json=query, timeout=2)
        except requests.Timeout:
            pass
        wait_active(shared_cluster, database, 1)
        assert reader.stop() == 0
        wait_active(shared_cluster, database, 0)  # the server has noticed it
        reader.start()
    shared_cluster.sql("create or replace function watch() returns boolean language sql as 'select true'",
                       database)
    reader.expect_found([0], version=2)
    assert [(path, path.stat().st_ino) for path in reader.follower_files()] == files
    assert "loaded again" not in reader.log(), reader.log()


def test_an_internal_error_of_the_server_is_not_the_followers_fault(watched, shared_cluster, database):
    """It says so, and keeps the follower, which is good."""
    during_catch_up(shared_cluster, database, "raise exception 'cache lookup failed' using errcode = 'XX000'")
    reader = watched[1]
    files = [(path, path.stat().st_ino) for path in reader.follower_files()]
    answer = reader.post("/indexes/main/search", json={"units": make(0, version=2)["units"]})
    assert answer.status_code == 500 and "cache lookup failed" in answer.json()["detail"], answer.text
    shared_cluster.sql("create or replace function watch() returns boolean language sql as 'select true'",
                       database)
    reader.expect_found([0], version=2)
    assert [(path, path.stat().st_ino) for path in reader.follower_files()] == files
    assert "answered by SQL" not in reader.log() and "loaded again" not in reader.log(), reader.log()


# --- searches whose client has gone ---------------------------------------------------------------------

def wait_active(cluster, database, wanted):
    """Wait until so many statements are at work in a database."""
    end = time.monotonic() + 20
    count = (f"select count(*) from pg_stat_activity where datname = '{database}' and state = 'active' and "
             "pid <> pg_backend_pid()")
    while cluster.number(count) != wanted:
        assert time.monotonic() < end, cluster.sql("select state, query from pg_stat_activity")
        time.sleep(0.05)


@pytest.fixture
def endless(watched, start_host, shared_cluster, database):
    """A host whose searches by SQL take minutes."""
    shared_cluster.sql("create or replace function watch() returns boolean language sql as "
                       "'select pg_sleep(300) is not null'", database)
    host = start_host(shared_cluster.uri(database, user=f"watched_{database}"), "endless", args=["--read-only"],
                      env={"ISCC_SEARCH_POSTGRES_SEARCH": "sql", "ISCC_SEARCH_STOP_TIMEOUT": "1"})
    one = make(0)
    query = json.dumps({"simprints": {kind: [entry["simprint"] for entry in entries]
                                      for kind, entries in one["simprints"].items()}}).encode()
    link = host.connect()
    link.sendall(b"POST /indexes/main/search HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
                 b"Content-Length: %d\r\n\r\n%s" % (len(query), query))
    wait_active(shared_cluster, database, 1)
    yield host, link
    link.close()


def test_a_search_whose_client_has_gone_ends_in_the_database_too(endless, shared_cluster, database):
    endless[1].close()
    wait_active(shared_cluster, database, 0)


def test_the_end_of_the_program_ends_its_searches(endless, shared_cluster, database):
    assert endless[0].stop() == 0
    wait_active(shared_cluster, database, 0)
