"""Declared fields of postgresql://: filters by the tables of followers, and without followers by reading all assets."""
import pytest

from filter_program import Program
from hosts import make

SEED = 20261127
FIRST = list(range(30))


@pytest.mark.parametrize("way", ["follower", "sql"])
def test_a_random_program(start_host, shared_cluster, database, way):
    """The same as on the other engines: against a model in Python."""
    host = start_host(shared_cluster.uri(database), env={"ISCC_SEARCH_POSTGRES_SEARCH": way})
    host.post("/indexes", json={"name": "a"})
    program = Program(host, "/indexes/a", SEED)
    program.run(80)
    assert program.kept > 100 and program.found - program.kept > 100
    program.check_batch()


def numbers(host, test, status=200):
    answer = host.post("/indexes/main/search?limit=100", json={"units": make(0)["units"], "min_score": 0, "filter": test})
    assert answer.status_code == status, answer.text
    return sorted(match["metadata"]["number"] for match in answer.json()["global_matches"]) if status == 200 else answer.text


def test_every_host_has_the_fields_that_one_declares(start_host, shared_cluster, database):
    """Followers that have other fields are loaded again; what changes afterwards is followed."""
    one, two = (start_host(shared_cluster.uri(database), name) for name in ("one", "two"))
    assert one.post("/indexes", json={"name": "main"}).status_code == 201
    one.must_add(FIRST)
    for host in (one, two):
        assert len(numbers(host, {})) == 30
        assert "not declared" in numbers(host, {"field": "number", "equals": 3}, 400)
    assert one.call("PUT", "/indexes/main/fields", json=["number", "version"]).json()["fields"] == ["/number", "/version"]
    for host in (two, one):
        assert host.get("/indexes/main/fields").json()["fields"] == ["/number", "/version"]
        assert numbers(host, {"field": "number", "from": 3, "to": 6}) == [3, 4, 5]
    two.must_add([4], version=1)
    assert one.delete(f"/indexes/main/assets/{make(5)['iscc_id']}").status_code == 204
    patched = one.call("PATCH", f"/indexes/main/assets/{make(7)['iscc_id']}", json={"metadata": {"number": 3.0, "version": 0}})
    assert patched.status_code == 200, patched.text
    for host in (one, two):
        assert numbers(host, {"field": "number", "from": 3, "to": 6}) == [3, 3, 4]
        assert numbers(host, {"field": "version", "equals": 1}) == [4]
    assert two.call("PUT", "/indexes/main/fields", json=["version"]).status_code == 200
    for host in (one, two):
        assert "not declared" in numbers(host, {"field": "number", "equals": 3}, 400)
        assert numbers(host, {"field": "version", "equals": 1}) == [4]


def test_tables_of_version_1_are_upgraded(start_host, shared_cluster, database):
    """Version 1 had no column for the declared fields."""
    host = start_host(shared_cluster.uri(database))
    assert host.post("/indexes", json={"name": "main"}).status_code == 201
    host.must_add(FIRST)
    assert host.stop() == 0
    shared_cluster.sql("alter table iscc_search.index drop column fields; update iscc_search.store set version = 1", database)
    host.start()
    host.expect_found(FIRST)
    assert shared_cluster.sql("select version from iscc_search.store", database) == ["2"]
    assert host.call("PUT", "/indexes/main/fields", json=["number"]).status_code == 200
    assert numbers(host, {"field": "number", "in": [7, 8]}) == [7, 8]


def test_a_reader_does_not_upgrade(start_host, refusal, shared_cluster, database):
    """A server that only reads says which version it expects."""
    host = start_host(shared_cluster.uri(database))
    assert host.post("/indexes", json={"name": "main"}).status_code == 201
    assert host.stop() == 0
    shared_cluster.sql("alter table iscc_search.index drop column fields; update iscc_search.store set version = 1", database)
    said = refusal(shared_cluster.uri(database), env={"ISCC_SEARCH_READ_ONLY": "true"})
    assert "version 1, this program knows version 2" in said
