"""What a supervisor sees: notifications, workers that are replaced after a pause, signals, no remains."""

import json
import os
import re
import signal
import socket
import subprocess
import time

import pytest

from serving import BINARY


def children(pid):
    with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as file:
        return [int(word) for word in file.read().split()]


def is_running(pid):
    """Is there such a process, other than one that has ended and was not waited for?"""
    try:
        with open(f"/proc/{pid}/stat", encoding="ascii") as file:
            return file.read().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def wait_until(condition, patience_s=20):
    end = time.monotonic() + patience_s
    while not condition():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.01)


@pytest.fixture
def serve(tmp_path):
    """A function that starts `serve` with a number of workers; what runs at the end is stopped."""
    running = []

    def start(workers, env=None, **options):
        with open(tmp_path / "log", "ab") as log:
            process = subprocess.Popen(
                [BINARY, "serve", "--host", "127.0.0.1", "--port", "0", "--workers", str(workers)],
                cwd=tmp_path, stdout=subprocess.PIPE, stderr=log, text=True, **options,
                env={**os.environ, "ISCC_SEARCH_INDEX_URI": f"usearch://{tmp_path}/data",
                     "ISCC_SEARCH_LOG_FORMAT": "json", **(env or {})})
        running.append(process)
        assert process.stdout.readline().startswith("Starting server")
        return process

    yield start
    for process in running:
        if process.poll() is None:
            process.terminate()
            process.wait(30)


@pytest.fixture(params=["path", "abstract"])
def notify_socket(request, tmp_path):
    """A socket as systemd has one, and its name as $NOTIFY_SOCKET."""
    name = str(tmp_path / "notify") if request.param == "path" else f"@isx-test-{os.getpid()}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        sock.bind("\0" + name[1:] if name[0] == "@" else name)
        sock.settimeout(20)
        yield sock, name


@pytest.mark.parametrize("workers", [1, 3])
def test_a_supervisor_is_notified_once(serve, notify_socket, workers):
    sock, name = notify_socket
    process = serve(workers, env={"NOTIFY_SOCKET": name})
    assert sock.recv(100) == b"READY=1"
    process.terminate()
    assert sock.recv(100) == b"STOPPING=1"
    assert process.wait(30) == 0
    sock.setblocking(False)
    with pytest.raises(BlockingIOError):
        sock.recv(100)


@pytest.mark.parametrize("name", ["", "/nowhere/at/all", "x" * 300, "@"])
def test_a_supervisor_that_does_not_listen(serve, name):
    process = serve(1, env={"NOTIFY_SOCKET": name})
    process.terminate()
    assert process.wait(30) == 0


def test_a_worker_that_keeps_dying_is_restarted_ever_later(serve, tmp_path):
    process = serve(1 + 1)
    wait_until(lambda: len(children(process.pid)) == 2)
    steady = children(process.pid)[1]

    def pauses():
        return re.findall(r"was ended by signal 9: another starts in (\d+) ms",
                          (tmp_path / "log").read_text())

    for count in range(1, 5):
        wait_until(lambda: len(children(process.pid)) == 2)
        victim, = set(children(process.pid)) - {steady}
        os.kill(victim, signal.SIGKILL)
        wait_until(lambda c=count: len(pauses()) == c)
    assert pauses() == ["100", "200", "400", "800"]
    assert steady in children(process.pid)


def test_a_worker_that_cannot_start_is_tried_again(serve, tmp_path):
    """The store goes away: the parent stays, and the worker is back when the store is."""
    process = serve(2)
    wait_until(lambda: len(children(process.pid)) == 2)
    (tmp_path / "data").rename(tmp_path / "elsewhere")
    (tmp_path / "data").write_text("no directory")
    os.kill(children(process.pid)[0], signal.SIGKILL)
    wait_until(lambda: "ended with status" in (tmp_path / "log").read_text())
    (tmp_path / "data").unlink()
    (tmp_path / "elsewhere").rename(tmp_path / "data")
    wait_until(lambda: len(children(process.pid)) == 2)
    process.terminate()
    assert process.wait(30) == 0


@pytest.mark.parametrize("sig", [signal.SIGTERM, signal.SIGINT])
def test_signals_reach_the_workers(serve, tmp_path, sig):
    process = serve(3)
    wait_until(lambda: len(children(process.pid)) == 3)
    pids = children(process.pid)
    process.send_signal(sig)
    assert process.wait(30) == 0
    assert not any(is_running(pid) for pid in pids)
    for line in (tmp_path / "log").read_text().splitlines():
        assert json.loads(line)["level"] == "info", line


def test_workers_end_with_their_parent(serve):
    process = serve(3)
    wait_until(lambda: len(children(process.pid)) == 3)
    pids = children(process.pid)
    process.kill()
    process.wait(30)
    wait_until(lambda: not any(is_running(pid) for pid in pids))


def test_a_parent_that_was_told_to_ignore_its_children(serve):
    """SIGCHLD ignored is inherited; workers that die must be noticed all the same."""
    process = serve(2, preexec_fn=lambda: signal.signal(signal.SIGCHLD, signal.SIG_IGN))
    wait_until(lambda: len(children(process.pid)) == 2)
    victim = children(process.pid)[0]
    os.kill(victim, signal.SIGKILL)
    wait_until(lambda: victim not in children(process.pid) and len(children(process.pid)) == 2)
    process.terminate()
    assert process.wait(30) == 0
