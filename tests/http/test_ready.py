"""/readyz says what is wrong, to those who may know."""

import pytest

from serving import make_asset

SECRET = {"ISCC_SEARCH_API_SECRET": "s3cret"}
KEY = {"X-API-Key": "s3cret"}


def test_ready(server):
    answer = server.get("/readyz")
    assert (answer.status_code, answer.json()) == (200, {"status": "ready"})


@pytest.fixture
def damaged(start_server, tmp_path):
    """A server with a good index and two that are none; the function starts it."""
    def start(env=None):
        server = start_server("usearch://{dir}", env=env)
        server.post("/indexes", json={"name": "good"}, headers=KEY)
        for name in ("broken", "empty"):
            (tmp_path / "data" / name).mkdir()
        (tmp_path / "data" / "broken" / "index.lmdb").write_bytes(b"this is no index" * 1000)
        (tmp_path / "data" / "empty" / "index.lmdb").mkdir()
        return server
    return start


def test_which_index_and_why(damaged):
    server = damaged()
    answer = server.get("/readyz")
    assert answer.status_code == 503
    told = answer.json()
    assert (told["status"], told["reason"]) == ("not_ready", "index_not_ready")
    found = {index["name"]: index for index in told["indexes"]}
    assert set(found) == {"broken", "empty"}
    assert found["broken"]["reason"] == "corrupt"
    assert "broken/index.lmdb" in found["broken"]["detail"]
    assert server.post("/indexes/good/assets", json=[make_asset(1)]).status_code == 201


def test_strangers_learn_no_names(damaged):
    server = damaged(SECRET)
    answer = server.get("/readyz")
    assert (answer.status_code, answer.json()) == (
        503, {"status": "not_ready", "reason": "index_not_ready"})
    assert {index["name"] for index in server.get("/readyz", headers=KEY).json()["indexes"]} == {
        "broken", "empty"}


@pytest.mark.parametrize("env", [None, SECRET])
def test_a_store_that_is_gone(start_server, tmp_path, env):
    server = start_server("usearch://{dir}", env=env)
    (tmp_path / "data").rename(tmp_path / "elsewhere")
    answer = server.get("/readyz")
    assert answer.status_code == 503
    told = server.get("/readyz", headers=KEY).json()
    assert told["reason"] == "list_indexes_failed"
    assert str(tmp_path / "data") in told["detail"]
    assert ("detail" in answer.json()) == (env is None)
    (tmp_path / "elsewhere").rename(tmp_path / "data")
    assert server.get("/readyz").json() == {"status": "ready"}
