"""Searches with a filter and with facets, against a model in Python; and what the documents say of them."""

import pytest

from filter_program import Program

SEED = 20261127


@pytest.fixture(params=["memory://", "usearch://{dir}", "lmdb://{dir}"], ids=["memory", "usearch", "lmdb"])
def program(request, start_server):
    """A random program for each kind of store; lmdb:// keeps no simprints."""
    server = start_server(request.param)
    server.post("/indexes", json={"name": "a"})
    made = Program(server, "/indexes/a", SEED, ("units",) if request.param.startswith("lmdb") else ("units", "simprints"))
    made.run(250)
    return made


def test_a_random_program(program, tmp_path):
    assert program.kept > 800 and program.found - program.kept > 800
    program.check_batch()
    program.check_url()
    program.check_remote(tmp_path)
