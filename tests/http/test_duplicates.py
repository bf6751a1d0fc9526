"""GET /indexes/{name}/duplicates: a stream of pairs that ends with its client, and remote indexes."""

import json
import os
import random
import signal
import subprocess
import time
from pathlib import Path

import pytest
import requests

from serving import BINARY, CONTENT, DATA, META, TOP, iscc_id, unit

SAMPLE = (TOP / "examples/assets.jsonl").read_text(encoding="utf-8").splitlines()


def command(*words, env=None, **options):
    return subprocess.run([str(BINARY), *map(str, words)], env={**os.environ, **(env or {})}, capture_output=True,
                          text=True, timeout=120, check=False, **options)


def fill(folder, name, lines):
    """An index of a store that is filled by the command line; its URI."""
    (folder / "assets.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
    done = command("add", folder / "assets.jsonl", "--uri", f"usearch://{folder}/store", "--index", name)
    assert done.returncode == 0, done.stderr
    return f"usearch://{folder}/store"


@pytest.fixture(scope="module")
def many(tmp_path_factory):
    """A store with 20,000 assets; with min_score=0 each of 200 million pairs is found."""
    rng = random.Random(5)
    lines = [json.dumps({"iscc_id": iscc_id(number),
                         "units": [unit(main, rng.randbytes(32)) for main in (META, CONTENT, DATA)]})
             for number in range(1, 20001)]
    return fill(tmp_path_factory.mktemp("many"), "main", lines)


@pytest.fixture
def real(tmp_path):
    fill(tmp_path, "other", SAMPLE[1000:])
    return fill(tmp_path, "main", SAMPLE[:1500])


def joins(server):
    """Threads that compare."""
    count = 0
    for task in Path(f"/proc/{server.process.pid}/task").iterdir():
        try:
            count += (task / "comm").read_text().strip() == "isx-join"
        except OSError:
            pass
    return count


def wait_until(holds, patience_s=20):
    end = time.monotonic() + patience_s
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.02)


def test_the_stream_is_what_the_command_prints(start_server, real):
    server = start_server(real)
    for params, words in ((("", []), ("?min_score=0.8&types=META_NONE_V0&types=DATA_NONE_V0",
                                      ["-m", "0.8", "-t", "META_NONE_V0", "-t", "DATA_NONE_V0"]),
                           ("?types=META_NONE_V0,DATA_NONE_V0", ["-t", "META_NONE_V0,DATA_NONE_V0"]),
                           ("?against=other", ["--against", "other"]))):
        answer = server.get("/indexes/main/duplicates" + params)
        assert answer.status_code == 200
        assert answer.headers["Content-Type"] == "application/x-ndjson"
        printed = command("duplicates", "--uri", real, "--index", "main", *words)
        assert printed.returncode == 0 and answer.text == printed.stdout
        assert answer.text.count("\n") > 50


def test_it_continues_from_an_iscc_id(start_server, real):
    server = start_server(real)
    lines = server.get("/indexes/main/duplicates").text.splitlines(True)
    last = json.loads(lines[-1])["iscc_id"]
    for at in (0, len(lines) // 2, len(lines) - 1):
        first = json.loads(lines[at])["iscc_id"]
        wanted = [line for line in lines if lines.index(line) >=
                  next(i for i, other in enumerate(lines) if json.loads(other)["iscc_id"] == first)]
        assert server.get(f"/indexes/main/duplicates?from={first}").text == "".join(wanted)
    assert last in lines[-1]


@pytest.mark.parametrize("params, status, what", [
    ("?min_score=2", 422, "less_than_equal"),
    ("?min_score=x", 422, "float_parsing"),
    ("?types=wrong", 422, "string_pattern_mismatch"),
    ("?from=ISCC:NONE", 400, "Invalid ISCC-ID"),
    ("?against=main", 400, "is the index itself"),
    ("?against=none", 404, "Index 'none' not found"),
])
def test_wrong_parameters(start_server, real, params, status, what):
    server = start_server(real)
    answer = server.get("/indexes/main/duplicates" + params)
    assert answer.status_code == status and what in answer.text
    assert answer.headers["Content-Type"] == "application/json"
    assert answer.headers["Vary"] == "Origin"


def test_other_answers(start_server, tmp_path):
    server = start_server(env={"ISCC_SEARCH_API_SECRET": "secret"})
    assert server.get("/indexes/main/duplicates").status_code == 401
    key = {"X-API-Key": "secret"}
    assert server.get("/indexes/main/duplicates", headers=key).status_code == 404
    assert server.post("/indexes", json={"name": "main"}, headers=key).status_code == 201
    empty = server.get("/indexes/main/duplicates", headers=key)
    assert (empty.status_code, empty.text) == (200, "")
    head = requests.head(server.base + "/indexes/main/duplicates", headers=key, timeout=30)
    assert (head.status_code, head.content) == (200, b"")
    prefixes = start_server(f"lmdb://{tmp_path}/prefixes")
    assert prefixes.post("/indexes", json={"name": "main"}).status_code == 201
    assert prefixes.get("/indexes/main/duplicates").status_code == 501


# --- the client ---------------------------------------------------------------------------------


def test_the_work_ends_when_the_client_goes(start_server, many):
    """While it reads, while the join waits for it, and while nothing is found."""
    server = start_server(many)
    for params, bytes_read in (("?min_score=0", 5_000_000), ("?min_score=0", 1), ("?min_score=0.45", 0)):
        for _ in range(2):
            link = server.connect()
            link.sendall(f"GET /indexes/main/duplicates{params} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
            if not bytes_read:
                wait_until(lambda: joins(server) > 0 or len(link.recv(1)) > 0)
            while bytes_read > 0:
                bytes_read -= len(link.recv(65536))
            link.close()
            wait_until(lambda: joins(server) == 0)
    assert server.get("/indexes/main/duplicates?min_score=1").status_code == 200


def test_a_slow_client_costs_no_memory_and_no_processor(start_server, many):
    server = start_server(many)
    with server.connect() as link:
        link.sendall(b"GET /indexes/main/duplicates?min_score=0 HTTP/1.1\r\nHost: x\r\n\r\n")
        link.recv(1000)
        time.sleep(1)  # buffers of the sockets fill
        before, used = os.times(), Path(f"/proc/{server.process.pid}/stat").read_text().split()[13]
        time.sleep(2)
        later = Path(f"/proc/{server.process.pid}/stat").read_text().split()[13]
        assert int(later) - int(used) < (os.times().elapsed - before.elapsed) * os.sysconf("SC_CLK_TCK") / 2
        assert server.anonymous_kb() < 64 * 1024
        assert server.get("/indexes/main").status_code == 200
        assert server.post("/indexes/main/search", json={"iscc_id": iscc_id(7)}).status_code == 200


def test_a_third_client_has_to_wait(start_server, many):
    server = start_server(many)
    links = [server.connect() for _ in range(2)]
    for link in links:
        link.sendall(b"GET /indexes/main/duplicates?min_score=0 HTTP/1.1\r\nHost: x\r\n\r\n")
        assert link.recv(15) == b"HTTP/1.1 200 OK"
    answer = server.get("/indexes/main/duplicates")
    assert answer.status_code == 503 and "try again later" in answer.json()["detail"]
    links[0].close()
    wait_until(lambda: server.get("/indexes/main/duplicates?min_score=1").status_code == 200)
    links[1].close()


def test_a_server_that_stops_ends_the_stream(start_server, many):
    server = start_server(many)
    link = server.connect()
    link.sendall(b"GET /indexes/main/duplicates?min_score=0 HTTP/1.1\r\nHost: x\r\n\r\n")
    assert link.recv(15) == b"HTTP/1.1 200 OK"
    server.process.send_signal(signal.SIGTERM)
    received = b""
    while piece := link.recv(1 << 20):
        received = received[-20:] + piece
    assert not received.endswith(b"0\r\n\r\n")  # the last chunk: it would mean a complete stream
    assert server.process.wait(60) == 0


def test_an_index_that_is_deleted_is_compared_to_the_end(start_server, real):
    server = start_server(real)
    url = server.base + "/indexes/main/duplicates?min_score=0.6"
    whole = requests.get(url, timeout=60).text
    assert len(whole) > 5_000_000  # more than the buffers on the way hold
    pieces = requests.get(url, stream=True, timeout=60).iter_content(100_000)
    text = next(pieces)
    assert server.delete("/indexes/main").status_code == 204
    assert (text + b"".join(pieces)).decode() == whole


# --- remote indexes -----------------------------------------------------------------------------


def test_a_remote_index_gives_the_same(start_server, real):
    server = start_server(real)
    for words in ([], ["-m", "0.8", "-t", "META_NONE_V0"], ["--against", "other"], ["--clusters"]):
        one = command("duplicates", "--uri", server.base, "--index", "main", *words)
        two = command("duplicates", "--uri", real, "--index", "main", *words)
        assert one.returncode == two.returncode == 0, one.stderr
        assert one.stdout == two.stdout
    for words, what in ((["--index", "none"], "none"), (["--against", "none"], "none")):
        said = command("duplicates", "--uri", server.base, "--index", "main", *words)
        assert said.returncode == 1 and what in said.stderr


def test_a_remote_stream_that_is_cut_off_is_an_error_and_continues(start_server, many, tmp_path):
    whole = command("duplicates", "--uri", many, "--index", "main", "-m", "0.62", "-o", tmp_path / "whole")
    assert whole.returncode == 0
    server = start_server(many)
    words = [str(BINARY), "duplicates", "--uri", server.base, "--index", "main", "-m", "0.62", "-o",
             str(tmp_path / "cut")]
    process = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    wait_until(lambda: (tmp_path / "cut").exists() and (tmp_path / "cut").stat().st_size > 0
               or process.poll() is not None)
    server.process.kill()
    _, err = process.communicate(timeout=60)
    if process.returncode:  # it may have been faster
        assert process.returncode == 1 and server.base in err
    server.process.wait()
    server.process = None
    if process.returncode:
        other = command("duplicates", "--uri", many, "--index", "main", "-o", tmp_path / "cut", "--resume")
        assert other.returncode == 1 and "was begun with other options: --min-score 0.62." in other.stderr
    again = command("duplicates", "--uri", many, "--index", "main", "-m", "0.62", "-o", tmp_path / "cut", "--resume")
    assert again.returncode == 0
    assert (tmp_path / "cut").read_bytes() == (tmp_path / "whole").read_bytes()
