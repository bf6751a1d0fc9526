"""Several processes serve one directory: all see every write at once, and one that dies is replaced."""
import os
import signal
import subprocess
from concurrent.futures import ThreadPoolExecutor

import pytest
import requests

from fleet import BIN, Server, answers, asset, environment, expect_whole, wait_until

WORKERS = 3


@pytest.fixture
def crew(tmp_path):
    server = Server(tmp_path, WORKERS)
    yield server
    pids = server.pids()
    assert server.stop() == 0
    assert not [pid for pid in pids if os.path.exists(f"/proc/{pid}")]


def test_every_worker_sees_every_write(crew):
    """Each request is a new connection, so that any worker may get it."""
    base = crew.base
    assert requests.post(base, json={"name": "main"}).status_code == 201

    def add_and_find(number):
        reply = requests.post(f"{base}/main/assets", json=[asset(number)])
        assert reply.status_code == 201, reply.text
        for _ in range(3):
            expect_whole(requests.Session(), base, number)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(add_and_find, range(120)))
    assert requests.get(f"{base}/main").json()["assets"] == 120
    assert requests.delete(f"{base}/main").status_code == 204
    for _ in range(10):
        assert requests.get(f"{base}/main").status_code == 404
    assert requests.post(base, json={"name": "main"}).status_code == 201
    for _ in range(10):
        assert requests.get(f"{base}/main").json()["assets"] == 0


def test_a_killed_worker_is_replaced(crew):
    base = crew.base
    assert requests.post(base, json={"name": "main"}).status_code == 201
    assert requests.post(f"{base}/main/assets", json=[asset(1)]).status_code == 201
    before = crew.pids()
    assert len(before) == WORKERS
    os.kill(before[0], signal.SIGKILL)
    wait_until(lambda: len(crew.pids()) == WORKERS and before[0] not in crew.pids(), "another worker")
    wait_until(lambda: answers(base), "an answer")
    assert requests.post(f"{base}/main/assets", json=[asset(2)]).status_code == 201
    for number in (1, 2):
        expect_whole(requests.Session(), base, number)


def test_memory_is_refused(tmp_path):
    for args, env in ((["--workers", "2"], {}), ([], {"ISCC_SEARCH_WORKERS": "2"})):
        done = subprocess.run([BIN, "serve", "--port", "0", *args], cwd=tmp_path, capture_output=True, text=True,
                              env={**environment(tmp_path), "ISCC_SEARCH_INDEX_URI": "memory://", **env}, timeout=30)
        assert done.returncode == 1
        assert "memory:// lives in one process" in done.stderr and "--workers 1" in done.stderr
