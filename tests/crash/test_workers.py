"""Several processes serve one directory: all see every write at once, and one that dies is replaced."""
import os
import signal
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
import requests

from test_kill import BIN, asset, expect_whole

WORKERS = 3


def children(pid):
    with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as file:
        return [int(word) for word in file.read().split()]


@pytest.fixture
def crew(tmp_path):
    env = {**os.environ, "ISCC_SEARCH_INDEX_URI": f"usearch://{tmp_path}/store", "ISCC_SEARCH_HOST": "127.0.0.1",
           "ISCC_SEARCH_LOG_LEVEL": "error"}
    process = subprocess.Popen([BIN, "serve", "--port", "0", "--workers", str(WORKERS)], env=env,
                               cwd=tmp_path, stdout=subprocess.PIPE, text=True)
    first = process.stdout.readline()
    assert f"with {WORKERS} workers" in first
    base = first.split()[-4] + "/indexes"
    wait_for(base)
    yield process, base
    process.terminate()
    assert process.wait(30) == 0
    assert children_gone(process.pid)


def wait_for(base):
    for _ in range(200):
        try:
            if requests.get(base, timeout=5).status_code == 200:
                return
        except requests.RequestException:
            pass
        time.sleep(0.05)
    raise AssertionError("no answer")


def children_gone(pid):
    return not os.path.exists(f"/proc/{pid}")


def test_every_worker_sees_every_write(crew):
    """Each request is a new connection, so that any worker may get it."""
    _, base = crew
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
    process, base = crew
    assert requests.post(base, json={"name": "main"}).status_code == 201
    assert requests.post(f"{base}/main/assets", json=[asset(1)]).status_code == 201
    before = children(process.pid)
    assert len(before) == WORKERS
    os.kill(before[0], signal.SIGKILL)
    for _ in range(100):
        now = children(process.pid)
        if len(now) == WORKERS and before[0] not in now:
            break
        time.sleep(0.05)
    assert len(now) == WORKERS and before[0] not in now
    wait_for(base)
    assert requests.post(f"{base}/main/assets", json=[asset(2)]).status_code == 201
    for number in (1, 2):
        expect_whole(requests.Session(), base, number)


def test_memory_is_refused(tmp_path):
    env = {**os.environ, "ISCC_SEARCH_INDEX_URI": "memory://"}
    done = subprocess.run([BIN, "serve", "--port", "0", "--workers", "2"], env=env, cwd=tmp_path,
                          capture_output=True, text=True, timeout=30)
    assert done.returncode == 1 and "memory://" in done.stderr
