"""Fixtures: one PostgreSQL for many tests, a database for each, servers of iscc-search on them."""
import itertools
import sys
from pathlib import Path

import pytest

TESTS = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(TESTS / name) for name in ("http", "crash", "data")]

import cluster as clusters  # noqa: E402
from hosts import Host, speaks_postgres  # noqa: E402
from serving import BINARY  # noqa: E402

NUMBERS = itertools.count(1)


@pytest.fixture(scope="session", autouse=True)
def prerequisites():
    if not BINARY.exists():
        pytest.exit(f"{BINARY} does not exist: build it, or set ISCC_SEARCH_BIN", returncode=1)
    if not clusters.is_installed():
        pytest.skip("PostgreSQL 15 is not installed: tools/setup test")
    if not speaks_postgres():
        pytest.skip("the program was built without postgresql://")


@pytest.fixture(scope="session")
def shared_cluster(prerequisites):
    """A cluster that no test of its users kills."""
    running = clusters.Cluster().create()
    yield running
    running.remove()


@pytest.fixture
def own_cluster(prerequisites):
    """A function that makes clusters for one test, which may stop, kill or change them."""
    made = []

    def make(durable=False, **settings):
        made.append(clusters.Cluster(durable, **settings))
        return made[-1].create()

    make.adopt = made.append
    yield make
    for one in made:
        one.remove()


@pytest.fixture
def database(shared_cluster):
    """The name of an empty database of the shared cluster."""
    return shared_cluster.create_database(f"test{next(NUMBERS)}")


@pytest.fixture
def start_host(tmp_path):
    """A function that starts a host: iscc-search with a follower directory of its own."""
    hosts = []

    def start(uri, name=None, env=None, args=(), wait=True):
        host = Host(tmp_path / (name or f"host{len(hosts)}"), uri, env, args)
        hosts.append(host)
        host.start()
        if wait:
            host.wait_ready()
        return host

    yield start
    codes = [(host, host.stop()) for host in hosts]
    for host, code in codes:
        assert code in (0, None), f"ended with {code}: {host.log()[-4000:]}"


@pytest.fixture
def refusal(tmp_path):
    """A function that returns the message about a URI that cannot be served, from the start or from /readyz."""
    hosts = []

    def ask(uri, env=None):
        host = Host(tmp_path / f"refused{len(hosts)}", uri, env)
        hosts.append(host)
        try:
            host.start()
        except AssertionError:
            assert host.process.poll() not in (0, None), host.log()
            return host.log()
        return host.wait_unready() + host.log()

    yield ask
    for host in hosts:
        host.stop()


@pytest.fixture
def host(start_host, shared_cluster, database):
    """One host on an empty database, with an index `main`."""
    running = start_host(shared_cluster.uri(database))
    assert running.post("/indexes", json={"name": "main"}).status_code == 201
    return running
