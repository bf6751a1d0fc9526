"""Random programs over filters on postgresql://, on hosts that search a follower, that let the server search, and on both.

The model is that of tests/http/filter_program.py. Declarations, changes and questions go to any of the hosts.
"""
import itertools

import pytest

from filter_program import Program

SEED = 20261128


class Hosts:
    """Several hosts as one server: each request goes to the next one."""

    def __init__(self, hosts):
        self.hosts = itertools.cycle(hosts)
        self.base = hosts[0].base

    def call(self, method, path, **options):
        return next(self.hosts).call(method, path, **options)

    def post(self, path, **options):
        return self.call("POST", path, **options)

    def delete(self, path, **options):
        return self.call("DELETE", path, **options)


@pytest.mark.parametrize("ways", [("follower",), ("sql",), ("follower", "sql", "follower")], ids="-".join)
def test_a_random_program(shared_cluster, database, start_host, tmp_path, ways):
    hosts = [start_host(shared_cluster.uri(database), env={"ISCC_SEARCH_POSTGRES_SEARCH": way}) for way in ways]
    hosts[0].post("/indexes", json={"name": "a"})
    # SQL knows no sampled distances: what it takes for chance is not what a follower does
    program = Program(Hosts(hosts), "/indexes/a", SEED, chance=len(set(ways)) == 1)
    program.run(120)
    assert program.kept > 300 and program.found - program.kept > 300
    program.check_batch()
    program.check_url()
    program.check_remote(tmp_path)
