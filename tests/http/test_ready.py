"""/readyz says what is wrong, to those who may know."""

import http.client
import json
import shutil
import time
from concurrent.futures import ThreadPoolExecutor

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


def wait_for(server, status, patience_s=20):
    """A change shows in the answer soon, if not at once."""
    end = time.monotonic() + patience_s
    while server.get("/readyz").status_code != status:
        assert time.monotonic() < end, f"/readyz does not become {status}"
        time.sleep(0.05)


def test_many_who_ask_share_a_look(start_server, tmp_path):
    """Each look at a store that is not ready leaves a line in the log."""
    server = start_server("usearch://{dir}", env=SECRET)
    for number in range(300):
        assert server.post("/indexes", json={"name": f"i{number}"}, headers=KEY).status_code == 201
    wait_for(server, 200)
    broken = tmp_path / "data" / "broken"
    broken.mkdir()
    (broken / "index.lmdb").write_bytes(b"this is no index" * 1000)
    wait_for(server, 503)
    before = server.log().count("not ready:")

    def ask(_):
        """On one connection, quickly: in the same time a slow client would be told of more looks."""
        link = http.client.HTTPConnection("127.0.0.1", server.port, timeout=30)
        for number in range(100):
            link.request("GET", "/readyz", headers=KEY if number % 2 else {})
            answer = link.getresponse()
            text = json.load(answer)
            told = {"status": "not_ready", "reason": "index_not_ready"}
            assert answer.status == 503
            assert {name: text[name] for name in told} == told
            assert ("indexes" in text) == bool(number % 2)
        link.close()
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(ask, range(8)))
    looks = server.log().count("not ready:") - before
    assert looks < 200, f"{looks} looks for 800 requests"
    shutil.rmtree(broken)
    wait_for(server, 200)
