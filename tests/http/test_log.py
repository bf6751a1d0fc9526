"""Access and error logs: what a line holds, what it never holds, and files that are rotated."""

import json
import os
import re
import select
import signal
import subprocess
import time

import pytest
import requests

from serving import BINARY, make_asset, status_of

SECRET = "s3cret-that-nobody-may-read"


def lines_of(text):
    """Its whole lines: of a file that is written meanwhile the last one may be there in part."""
    return [json.loads(line) for line in text[:text.rfind("\n") + 1].splitlines() if line.startswith("{")]


def requests_in(text):
    return [line for line in lines_of(text) if line["message"] == "request"]


def wait_until(condition, patience_s=30):
    end = time.monotonic() + patience_s
    while not condition():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.02)


def test_every_line_of_a_json_log_is_json(start_server):
    server = start_server(env={"ISCC_SEARCH_LOG_FORMAT": "json", "ISCC_SEARCH_LOG_LEVEL": "debug"})
    server.raw(b'GET /a"b\\c/\xff\x01%22?x=\x02 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n')
    server.raw(b"nonsense\r\n\r\n")
    server.get("/healthz")
    server.stop()
    said = [line for line in server.log().splitlines() if not line.startswith("Starting server")]
    assert said
    for line in map(json.loads, said):
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", line["time"])
        assert line["level"] in ("debug", "info", "warning", "error")
        assert isinstance(line["message"], str)


def test_a_log_that_nobody_reads_holds_nothing_up(tmp_path):
    """A pipe of 64 KiB is full after some hundred lines; those that did not fit are counted."""
    process = subprocess.Popen([str(BINARY), "serve", "--host", "127.0.0.1", "--port", "0"], cwd=tmp_path,
                               env={**os.environ, "ISCC_SEARCH_INDEX_URI": "memory://"},
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    try:
        base = process.stdout.readline().split()[-1].decode()
        with requests.Session() as session:
            for _ in range(3000):
                assert session.get(f"{base}/healthz", timeout=30).status_code == 200
            os.set_blocking(process.stderr.fileno(), False)
            first = process.stderr.read()
            assert session.get(f"{base}/healthz", timeout=30).status_code == 200
            wait_until(lambda: select.select([process.stderr], [], [], 0)[0])
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == 0
        rest = process.stderr.read()
    finally:
        process.kill()
        process.wait()
        process.stdout.close()
        process.stderr.close()
    lines = first.count(b"path=/healthz") + rest.count(b"path=/healthz")
    lost = re.search(rb"WARNING (\d+) lines before this one could not be written", rest)
    assert lost and int(lost[1]) + lines == 3001


def test_fields_of_an_access_line(start_server):
    server = start_server(env={"ISCC_SEARCH_LOG_FORMAT": "json"})
    server.post("/indexes", json={"name": "books"})
    answer = server.get("/indexes/books", headers={"X-Request-ID": "abc-1"})
    server.stop()
    line, = [line for line in requests_in(server.log()) if line["path"] == "/indexes/books"]
    duration = line.pop("duration_us")
    assert isinstance(duration, int) and duration >= 0
    line.pop("time")
    assert line == {"level": "info", "message": "request", "method": "GET", "path": "/indexes/books",
                    "status": 200, "bytes": len(answer.content), "route": "/indexes/{name}",
                    "client": "127.0.0.1", "request_id": "abc-1"}


def test_text_line(start_server):
    server = start_server()
    server.get("/indexes/none")
    server.stop()
    assert re.search(r"^\S+Z INFO request method=GET path=/indexes/none status=404 bytes=\d+ "
                     r"duration_us=\d+ route=/indexes/\{name\} client=127\.0\.0\.1 "
                     r"request_id=[0-9a-f]{16}$", server.log(), re.M)


def test_level(start_server):
    server = start_server(env={"ISCC_SEARCH_LOG_LEVEL": "warning"})
    server.get("/indexes/none")
    server.stop()
    assert "request" not in server.log()


@pytest.mark.parametrize("given", ["a", "6f1c0d5e-9b7a-4d1e-8f00-0123456789ab", "Root=1-67891233:ab/c+d_e.f",
                                   "x" * 128])
def test_a_request_id_is_taken_over(start_server, given):
    server = start_server()
    for path in ("/healthz", "/indexes", "/indexes/none", "/nope"):
        assert server.get(path, headers={"X-Request-ID": given}).headers["X-Request-ID"] == given


@pytest.mark.parametrize("given", ["", "two words", 'quo"te', "x" * 129, "a,b", "tab\tbed", "<a>"])
def test_a_request_id_that_is_none_is_replaced(start_server, given):
    server = start_server()
    answer = server.get("/healthz", headers={"X-Request-ID": given})
    assert re.fullmatch("[0-9a-f]{16}", answer.headers["X-Request-ID"])
    server.stop()
    assert not given or given not in server.log()


def test_request_ids_differ(start_server):
    server = start_server()
    seen = {server.get("/healthz").headers["X-Request-ID"] for _ in range(50)}
    assert len(seen) == 50


def test_a_refused_request_has_an_id_too(start_server):
    server = start_server()
    answer = server.raw(b"GET / HTTP/1.1\r\nX-Request-ID: early\r\n\r\n")
    assert status_of(answer) == 400
    assert b"X-Request-ID: early\r\n" in answer


def test_a_failure_is_logged_with_the_request(start_server, tmp_path):
    server = start_server("usearch://{dir}", env={"ISCC_SEARCH_LOG_FORMAT": "json"})
    broken = tmp_path / "data" / "broken"
    broken.mkdir()
    (broken / "index.lmdb").write_bytes(b"this is no index" * 1000)
    answer = requests.get(server.base + "/indexes/broken", timeout=10,
                          headers={"X-Request-ID": "find-me"})
    assert answer.status_code == 500
    server.stop()
    errors = [line for line in lines_of(server.log()) if line["level"] == "error"]
    assert len(errors) == 1
    assert errors[0]["request_id"] == "find-me"
    assert errors[0]["status"] == "corrupt"
    assert "index.lmdb" in errors[0]["reason"]


@pytest.mark.parametrize("style", ["text", "json"])
def test_no_secret_is_logged(start_server, style):
    server = start_server(env={"ISCC_SEARCH_API_SECRET": SECRET, "ISCC_SEARCH_LOG_LEVEL": "debug",
                               "ISCC_SEARCH_LOG_FORMAT": style})
    key = {"X-API-Key": SECRET}
    server.post("/indexes", json={"name": "books"}, headers=key)
    server.post("/indexes/books/assets", json=[make_asset(1, metadata={"note": SECRET})], headers=key)
    server.get(f"/indexes/books/search?iscc_code={SECRET}&X-API-Key={SECRET}", headers=key)
    server.get(f"/indexes?key={SECRET}", headers={"Authorization": f"Bearer {SECRET}"})
    server.get("/indexes", headers={"Cookie": SECRET, "Referer": SECRET, "User-Agent": SECRET})
    server.call("PUT", f"/nope?{SECRET}", headers=key, data=SECRET)
    server.raw(b"GET /indexes/?" + SECRET.encode() + b" HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
    server.stop()
    log = server.log()
    assert "/indexes/books/search" in log
    assert SECRET not in log


def ids_in(path):
    return {line["request_id"] for line in requests_in(path.read_text())}


def fill(server, name, count, *paths):
    """Make requests with ids and wait until the logs have them."""
    ids = {f"{name}-{number}" for number in range(count)}
    for request_id in ids:
        server.get("/status", headers={"X-Request-ID": request_id})
    wait_until(lambda: ids <= set().union(*(ids_in(path) for path in paths)))
    return ids


@pytest.mark.parametrize("workers", [1, 3])
def test_log_file_and_sighup(start_server, tmp_path, workers):
    path, old = tmp_path / "access.log", tmp_path / "access.log.1"
    server = start_server("usearch://{dir}", args=["--workers", str(workers)], env={
        "ISCC_SEARCH_LOG_FILE": str(path), "ISCC_SEARCH_LOG_FORMAT": "json"})
    fill(server, "first", 20, path)
    path.rename(old)
    second = fill(server, "second", 20, old)
    server.process.send_signal(signal.SIGHUP)
    wait_until(path.exists)
    rounds = iter(range(100))  # no line is lost while one process after the other changes over
    wait_until(lambda: fill(server, f"third{next(rounds)}", 20, old, path) <= ids_in(path))
    assert not second & ids_in(path)
    assert server.stop() == 0
    assert "request" not in server.log()
    assert path.stat().st_mode & 0o007 == 0


def test_sighup_without_a_file_changes_nothing(start_server):
    server = start_server()
    for _ in range(3):
        server.process.send_signal(signal.SIGHUP)
        assert server.get("/healthz").status_code == 200


def test_a_log_file_that_cannot_be_opened_again(start_server, tmp_path):
    folder = tmp_path / "logs"
    folder.mkdir()
    path = folder / "access.log"
    server = start_server(env={"ISCC_SEARCH_LOG_FILE": str(path)})
    folder.rename(tmp_path / "moved")
    server.process.send_signal(signal.SIGHUP)
    moved = tmp_path / "moved" / "access.log"
    wait_until(lambda: "could not be opened again" in moved.read_text())
    assert server.get("/healthz").status_code == 200


def test_a_log_fifo_without_a_reader_is_refused(tmp_path):
    os.mkfifo(tmp_path / "log")
    env = {**os.environ, "ISCC_SEARCH_INDEX_URI": "memory://", "ISCC_SEARCH_LOG_FILE": str(tmp_path / "log")}
    done = subprocess.run([BINARY, "serve", "--port", "0"], env=env, cwd=tmp_path, timeout=20,
                          capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert f"ISCC_SEARCH_LOG_FILE: {tmp_path}/log: no program reads this FIFO" in done.stderr


@pytest.mark.parametrize("workers", [1, 3])
def test_a_log_fifo_whose_reader_goes_and_comes_back(start_server, tmp_path, workers):
    path = tmp_path / "log"
    os.mkfifo(path)

    def read_until(reader, words):
        seen = b""
        while words not in seen:
            assert select.select([reader], [], [], 20)[0], seen
            seen += os.read(reader, 65536)

    reader = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    server = start_server("usearch://{dir}", args=["--workers", str(workers)], env={"ISCC_SEARCH_LOG_FILE": str(path)})
    server.get("/status", headers={"X-Request-ID": "first-line"})
    read_until(reader, b"first-line")
    server.process.send_signal(signal.SIGHUP)
    server.get("/status", headers={"X-Request-ID": "second-line"})
    read_until(reader, b"second-line")
    os.close(reader)
    server.process.send_signal(signal.SIGHUP)  # there is nobody to wait for now
    for _ in range(10):
        assert server.get("/healthz").status_code == 200
    reader = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    server.get("/status", headers={"X-Request-ID": "third-line"})
    read_until(reader, b"third-line")
    os.close(reader)
    assert server.stop() == 0


def test_a_log_file_that_is_a_device(start_server):
    server = start_server(env={"ISCC_SEARCH_LOG_FILE": "/dev/stderr"})
    server.get("/status", headers={"X-Request-ID": "on-the-device"})
    wait_until(lambda: "on-the-device" in server.log())


@pytest.mark.parametrize("name, value, words", [
    ("LOG_FORMAT", "xml", "expected text or json"), ("LOG_FILE", "/nowhere/at/all", "/nowhere/at/all"),
    ("LOG_FILE", "/", "/: ")])
def test_wrong_settings_are_named(tmp_path, name, value, words):
    env = {**os.environ, "ISCC_SEARCH_INDEX_URI": "memory://", f"ISCC_SEARCH_{name}": value}
    done = subprocess.run([BINARY, "serve", "--port", "0"], env=env, cwd=tmp_path, timeout=20,
                          capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert f"ISCC_SEARCH_{name}" in done.stderr and words in done.stderr
