"""What clients can make a server hold: bodies that do not end, answers that are not read, all at once.

Settings are small, so that ceilings are reached with little. The sum at the end is that of
docs/deployment.md.
"""

import contextlib
import json
import os
import re
import select
import socket
import threading
import time
from pathlib import Path

import pytest

import exposition
from serving import IS_SANITIZED, TOP, Server, iscc_id, make_asset, read_all, status_of

MIB = 1 << 20
SECRET = "open sesame"
JSON = {"Content-Type": "application/json"}
QUERY = {"units": make_asset(5)["units"]}
EVERYTHING = {"ISCC_SEARCH_MATCH_THRESHOLD_UNITS": "0"}
ALL_MATCHES = "/indexes/main/search?limit=2147483647"


def head_of(path, size, key=None, **headers):
    """The head of a POST with a body of `size` bytes."""
    head = {"Host": "x", "Content-Type": "application/json", "Content-Length": str(size), **headers}
    if key:
        head["X-API-Key"] = key
    lines = [f"POST {path} HTTP/1.1", *(f"{name}: {value}" for name, value in head.items())]
    return "\r\n".join(lines).encode() + b"\r\n\r\n"


def hold_back(server, size, path="/indexes/main/search", key=None, fill=b" "):
    """A connection on which all of a body but its last byte was sent."""
    link = server.connect()
    link.sendall(head_of(path, size, key) + fill * (size - 1))
    return link


def ask_without_reading(server, path=ALL_MATCHES, key=None):
    """A connection on which a search was asked for; next to nothing fits into its buffer."""
    link = socket.socket()
    link.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
    link.settimeout(20)
    link.connect(("127.0.0.1", server.port))
    body = json.dumps(QUERY).encode()
    link.sendall(head_of(path, len(body), key) + body)
    return link


def close_all(links):
    for link in links:
        link.close()


def wait_until(condition, patience_s=30):
    end = time.monotonic() + patience_s
    while not condition():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.02)


def metrics_of(server, **options):
    return exposition.Metrics(server.get("/metrics", **options).text)


def under_way(server, **options):
    """Requests under way besides the one that asks."""
    return metrics_of(server, **options).value("iscc_search_http_requests_in_progress") - 1


def ended(server, status):
    found = metrics_of(server).value("iscc_search_http_requests_total", status=str(status))
    return found or 0


def anonymous_bytes(server):
    """Memory of the process that no file stands behind."""
    with open(f"/proc/{server.process.pid}/status", encoding="ascii") as file:
        return int(re.search(r"RssAnon:\s*(\d+) kB", file.read())[1]) * 1024


class Peak:
    """The most memory that a server has had while the block ran."""

    def __init__(self, server):
        self.server, self.bytes, self.is_over = server, 0, threading.Event()
        self.thread = threading.Thread(target=self.run)

    def run(self):
        while not self.is_over.is_set():
            self.bytes = max(self.bytes, anonymous_bytes(self.server))
            time.sleep(0.02)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *error):
        self.is_over.set()
        self.thread.join()


def fill(server, count, note="", key=None):
    """Make the index main, with assets of some bytes each."""
    headers = {"X-API-Key": key} if key else {}
    assert server.post("/indexes", json={"name": "main"}, headers=headers).status_code == 201
    for first in range(1, count + 1, 1000):
        batch = [make_asset(n, metadata={"name": f"asset {n}", "note": note})
                 for n in range(first, min(first + 1000, count + 1))]
        assert server.post("/indexes/main/assets", json=batch, headers=headers).status_code == 201


# --- bodies ---------------------------------------------------------------------------------------

def test_bodies_held_back_leave_room_for_others(start_server):
    """Four of the largest size are taken together, but not by four clients that stop before the end."""
    server = start_server(env={"ISCC_SEARCH_BODY_LIMIT_MIB": "1"})
    fill(server, 10)
    links = [hold_back(server, MIB) for _ in range(8)]
    wait_until(lambda: under_way(server) == 8)
    try:
        for size in (200, 60_000):
            text = json.dumps(QUERY).ljust(size)
            answer = server.post("/indexes/main/search", data=text, headers=JSON)
            assert answer.status_code == 200
        batch = [make_asset(n) for n in range(20, 120)]
        assert server.post("/indexes/main/assets", json=batch).status_code == 201
        refused = server.post("/indexes/main/search", data=" " * (MIB - 10), headers=JSON)
        assert refused.status_code == 503
        assert refused.headers["Retry-After"] == "1"
        assert "too many large requests" in refused.json()["detail"]
    finally:
        close_all(links)
    wait_until(lambda: under_way(server) == 0)
    big = json.dumps(QUERY).ljust(MIB - 10)
    assert server.post("/indexes/main/search", data=big, headers=JSON).status_code == 200


def test_what_strangers_send_does_not_count_against_others(start_server):
    server = start_server(env={"ISCC_SEARCH_API_SECRET": SECRET, "ISCC_SEARCH_BODY_LIMIT_MIB": "1"})
    key = {"X-API-Key": SECRET, **JSON}
    fill(server, 10, key=SECRET)
    links = [hold_back(server, 65_536) for _ in range(300)]
    wait_until(lambda: under_way(server, headers=key) == 300)
    try:
        for size in (200, 100_000, MIB - 10):
            assert server.post("/indexes/main/search", data=json.dumps(QUERY).ljust(size),
                               headers=key).status_code == 200
        # There may be no room for more of strangers: then what they send is not looked at.
        for text, statuses in (("[", (401, 422)), ("[]", (401,))):
            answer = server.post("/indexes/main/search", data=text, headers=JSON)
            assert answer.status_code in statuses
        for link in links:
            link.sendall(b" ")
        answers = []
        for link in links:
            link.shutdown(socket.SHUT_WR)
            answers.append(status_of(read_all(link)))
        assert set(answers) <= {401, 422} and answers.count(422) <= 8 * MIB // 65_536
    finally:
        close_all(links)
    wait_until(lambda: under_way(server, headers=key) == 0)
    assert server.post("/indexes/main/search", data="[", headers=JSON).status_code == 422
    assert server.post("/indexes/main/search", data="[]", headers=JSON).status_code == 401


@pytest.mark.parametrize("body", [b"", b"{", b" " * 70_000], ids=["none", "some", "much"])
@pytest.mark.parametrize("framing", ["length", "chunked"])
@pytest.mark.parametrize("path", ["/indexes", "/nowhere"])
def test_a_body_that_does_not_go_on_is_408(start_server, body, framing, path):
    server = start_server(env={"ISCC_SEARCH_CLIENT_TIMEOUT": "1"})
    head = head_of(path, 100_000)
    if framing == "chunked":
        head = head.replace(b"Content-Length: 100000", b"Transfer-Encoding: chunked")
        body = b"%x\r\n%s\r\n" % (len(body), body) if body else b""
    answer = server.raw(head + body)
    assert status_of(answer) == 408
    fields, _, text = answer.partition(b"\r\n\r\n")
    assert b"\r\nConnection: close\r\n" in fields and b"\r\nX-Request-ID: " in fields
    assert b"\r\nContent-Length: %d" % len(text) in fields
    assert json.loads(text)["detail"].startswith("the body did not arrive in time")
    wait_until(lambda: ended(server, 408) == 1 and under_way(server) == 0)


def test_a_body_that_trickles_is_408(start_server):
    """libmicrohttpd's timeout starts anew with each byte."""
    server = start_server(env={"ISCC_SEARCH_CLIENT_TIMEOUT": "1"})
    began = time.monotonic()
    with server.connect() as link:
        link.sendall(head_of("/indexes", 100_000))
        with contextlib.suppress(ConnectionError):
            while not select.select([link], [], [], 0.1)[0]:
                link.sendall(b" ")
                assert time.monotonic() - began < 30
        assert status_of(read_all(link)) == 408


TRICKLES = {
    "line": (b"GET /heal", b"a"), "header": (b"GET /healthz HTTP/1.1\r\nHost: x\r\nX: ", b"a"), "line-ends": (b"", b"\r\n"),
    "second": (b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n", b"a"),
    "second-line-ends": (b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n", b"\r\n"),
    "behind-body": (b"POST /indexes HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n[]", b"a")}


@pytest.mark.parametrize("kind", TRICKLES)
def test_heads_that_trickle_do_not_hold_the_connections(start_server, kind):
    """Without a key, a byte now and then held all connections for ever, and others were not answered."""
    begin, byte = TRICKLES[kind]
    server = start_server(env={"ISCC_SEARCH_CLIENT_TIMEOUT": "1", "ISCC_SEARCH_CONNECTIONS": "16"})
    links, began = [server.connect() for _ in range(32)], time.monotonic()
    try:
        for link in links:
            link.sendall(begin)
        left = list(links)
        while left:
            assert time.monotonic() - began < 30, f"{len(left)} connections are held"
            time.sleep(0.1)
            for link in list(left):
                try:
                    link.sendall(byte)
                except ConnectionError:
                    left.remove(link)
    finally:
        close_all(links)
    assert server.get("/healthz").status_code == 200
    wait_until(lambda: under_way(server) == 0)


def test_a_connection_that_asks_now_and_then_is_kept(start_server):
    """Each request has its own time, however long the connection has been there."""
    server = start_server(env={"ISCC_SEARCH_CLIENT_TIMEOUT": "3"})
    with server.connect() as link:
        for _ in range(10):
            link.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
            assert link.recv(65_536).startswith(b"HTTP/1.1 200 ")
            time.sleep(0.5)


def test_a_body_that_is_slow_but_moves_is_taken(start_server):
    server = start_server(env={"ISCC_SEARCH_CLIENT_TIMEOUT": "3"})
    text = json.dumps({"name": "slow"}).encode().ljust(6 * 65_536)
    pieces = [text[at:at + 32_768] for at in range(0, len(text), 32_768)]
    answer = server.raw(head_of("/indexes", len(text), Connection="close"), *pieces, pause_s=0.4)
    assert status_of(answer) == 201


# --- answers --------------------------------------------------------------------------------------

def test_large_answers_are_refused_before_small_ones(start_server):
    env = {**EVERYTHING, "ISCC_SEARCH_ANSWERS_MIB": "8", "ISCC_SEARCH_CLIENT_TIMEOUT": "60"}
    server = start_server("usearch://{dir}", env=env)
    fill(server, 4000, note="x" * 2000)  # 10 MiB in all
    before = anonymous_bytes(server)
    with Peak(server) as peak:
        assert len(server.post("/indexes/main/search?limit=1000", json=QUERY)
                   .json()["global_matches"]) == 1000
        links = [ask_without_reading(server, "/indexes/main/search?limit=1000") for _ in range(30)]
        try:
            wait_until(lambda: ended(server, 503) > 0)
            for limit in (1, 20):
                answer = server.post(f"/indexes/main/search?limit={limit}", json=QUERY)
                assert len(answer.json()["global_matches"]) == limit
            assert server.get(f"/indexes/main/assets/{iscc_id(7)}").status_code == 200
        finally:
            close_all(links)
        wait_until(lambda: under_way(server) == 0)
        refused = server.post(ALL_MATCHES, json=QUERY)
        assert refused.status_code == 503
        assert refused.headers["Retry-After"] == "1"
        assert "too many large answers at once" in refused.json()["detail"]
    assert IS_SANITIZED or peak.bytes - before < 24 * MIB
    assert len(server.post("/indexes/main/search?limit=1000", json=QUERY)
               .json()["global_matches"]) == 1000


@pytest.mark.parametrize("uri", ["usearch://{dir}", "lmdb://{dir}"])
def test_a_search_that_finds_too_much_is_refused_while_it_collects(start_server, uri):
    """Before its answer is written as JSON; also by the engine that keeps all hits."""
    server = start_server(uri, env={**EVERYTHING, "ISCC_SEARCH_ANSWERS_MIB": "4"})
    server.post("/indexes", json={"name": "main"})
    units = make_asset(1)["units"]
    for first in range(1, 20_001, 5000):
        batch = [{"iscc_id": iscc_id(n), "units": units, "metadata": {"note": "x" * 100}}
                 for n in range(first, first + 5000)]
        assert server.post("/indexes/main/assets", json=batch).status_code == 201
    refused = server.post(ALL_MATCHES, json={"units": units})
    assert (refused.status_code, refused.headers["Retry-After"]) == (503, "1")
    assert "ask for fewer matches" in refused.json()["detail"]
    few = server.post("/indexes/main/search?limit=10", json={"units": units})
    assert few.status_code == 200 and len(few.json()["global_matches"]) == 10


def test_a_batch_whose_answer_has_no_room_is_not_stored(start_server):
    server = start_server(env={"ISCC_SEARCH_ANSWERS_MIB": "1"})
    server.post("/indexes", json={"name": "main"})
    batch = [{"iscc_id": iscc_id(n)} for n in range(1, 40_001)]
    refused = server.post("/indexes/main/assets", json=batch)
    assert (refused.status_code, refused.headers["Retry-After"]) == (503, "1")
    assert server.get("/indexes/main").json()["assets"] == 0
    assert len(server.post("/indexes/main/assets", json=batch[:5000]).json()) == 5000


def test_a_large_asset_is_counted(start_server):
    """What one asset holds may be as large as a body; its readers share the ceiling of answers."""
    server = start_server(env={"ISCC_SEARCH_ANSWERS_MIB": "8", "ISCC_SEARCH_CLIENT_TIMEOUT": "60"})
    server.post("/indexes", json={"name": "main"})
    server.post("/indexes/main/assets", json=[make_asset(1, metadata={"note": "x" * 5 * MIB}),
                                              make_asset(2)])
    before = anonymous_bytes(server)
    with Peak(server) as peak:
        links = []
        for _ in range(20):
            links.append(server.connect())
            links[-1].sendall(f"GET /indexes/main/assets/{iscc_id(1)} HTTP/1.1\r\nHost: x\r\n\r\n"
                              .encode())
        wait_until(lambda: ended(server, 503) > 0)
        assert server.get(f"/indexes/main/assets/{iscc_id(2)}").status_code == 200
        close_all(links)
        wait_until(lambda: under_way(server) == 0)
    assert IS_SANITIZED or peak.bytes - before < 40 * MIB
    assert server.get(f"/indexes/main/assets/{iscc_id(1)}").status_code == 200


@pytest.mark.parametrize("reads", [False, True], ids=["not", "byte by byte"])
def test_a_client_that_does_not_read_is_closed(start_server, reads):
    server = start_server("usearch://{dir}", env={**EVERYTHING, "ISCC_SEARCH_CLIENT_TIMEOUT": "1"})
    fill(server, 3000, note="x" * 4000)  # more than the buffers of the system take
    with ask_without_reading(server) as link:
        wait_until(lambda: under_way(server) == 1)
        began, received = time.monotonic(), b""
        while under_way(server) == 1:
            assert time.monotonic() - began < 30
            if reads:
                with contextlib.suppress(ConnectionError, socket.timeout):
                    received += link.recv(1)
            time.sleep(0.05)
        assert len(received) + len(read_all(link)) < 11 * MIB
    assert len(server.post(ALL_MATCHES, json=QUERY).json()["global_matches"]) == 3000


def test_a_client_that_reads_slowly_gets_all(start_server):
    server = start_server("usearch://{dir}", env={**EVERYTHING, "ISCC_SEARCH_CLIENT_TIMEOUT": "3"})
    fill(server, 2000, note="x" * 4000)
    with ask_without_reading(server) as link:
        link.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, MIB)
        received, began = b"", time.monotonic()
        while b"\r\n\r\n" not in received:
            received += link.recv(4096)
        head, _, received = received.partition(b"\r\n\r\n")
        size = int(re.search(rb"Content-Length: (\d+)", head)[1])
        assert size > 7 * MIB
        while len(received) < size:
            piece = link.recv(65_536)
            assert piece, f"closed after {len(received)} of {size} bytes"
            received += piece
            time.sleep(0.05 if time.monotonic() - began < 5 else 0)
    assert len(json.loads(received)["global_matches"]) == 2000


def begin_stream(server, way, lines=150_000):
    """A connection on which an export or an import was asked for; few MiB of its answer fit into the buffers."""
    link = socket.socket()
    link.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65_536)
    link.settimeout(60)
    link.connect(("127.0.0.1", server.port))
    if way == "export":
        link.sendall(b"GET /indexes/main/export HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        return link
    body = b"".join(b'{"iscc_id":"%s"}\n' % iscc_id(number).encode() for number in range(1, lines + 1))
    link.sendall(head_of("/indexes/main/import", len(body), Connection="close",
                         **{"Content-Type": "application/x-ndjson"}) + body)
    return link


def read_rest(link):
    pieces = []
    with contextlib.suppress(ConnectionResetError):
        while piece := link.recv(1 << 20):
            pieces.append(piece)
    return b"".join(pieces)


@pytest.mark.parametrize("way, count", [("export", 14), ("import", 3)])
def test_streams_are_not_cut_because_other_answers_are_large(start_server, way, count):
    """Each of these clients reads nothing before the next one has got all; what is imported is answered."""
    server = start_server("usearch://{dir}", env={"ISCC_SEARCH_ANSWERS_MIB": "1", "ISCC_SEARCH_CLIENT_TIMEOUT": "60"})
    fill(server, 3000, note="x" * 4000)
    links = []
    for _ in range(count):
        links.append(begin_stream(server, way))
        assert links[-1].recv(1, socket.MSG_PEEK)
    for link in reversed(links):
        answer = read_rest(link)
        assert status_of(answer) == 200, answer[:1000]
        assert answer.endswith(b"\r\n0\r\n\r\n"), f"cut off after {len(answer)} bytes"
        assert way == "export" or b'"lines":150000,' in answer[-200:]
        link.close()


# --- all at once ----------------------------------------------------------------------------------

SMALL = {"ISCC_SEARCH_CONNECTIONS": "300", "ISCC_SEARCH_BODY_LIMIT_MIB": "4", "ISCC_SEARCH_THREADS": "2",
         "ISCC_SEARCH_ANSWERS_MIB": "16", "ISCC_SEARCH_API_SECRET": SECRET,
         "ISCC_SEARCH_CLIENT_TIMEOUT": "5", **EVERYTHING}
LIMITS = (TOP / "src/base/limits.h").read_text(encoding="utf-8")
BYTES_PER_BYTE = int(re.search(r"define ISX_REQUEST_BYTES_PER_BYTE[\s\\]+(\d+)", LIMITS)[1])
# As docs/deployment.md adds up: the program, connections, bodies and their reading, answers, bodies
# without the key, threads. Nothing is written meanwhile.
SUM = (16 + 300 // 4 + 4 * 4 * BYTES_PER_BYTE + 16 + 8 + (144 + 3) * 2) * MIB


@contextlib.contextmanager
def limited(bytes_max):
    """The words in front of a command that run it with so much memory and no more, if groups of this
    system can be made here; otherwise none."""
    group = Path("/sys/fs/cgroup/memory") / f"isx-{os.getpid()}-{time.monotonic_ns()}"
    try:
        group.mkdir()
        (group / "memory.limit_in_bytes").write_text(str(bytes_max), encoding="ascii")
    except OSError:
        yield []
        return
    try:
        yield ["sh", "-c", f'echo $$ > {group}/cgroup.procs; exec "$@"', "sh"]
    finally:
        wait_until(lambda: not (group / "cgroup.procs").read_text(encoding="ascii"))
        group.rmdir()


def attack(server, until, stop):
    """Bodies held back, with and without the key, answers not read, large batches, large heads."""
    def rounds(count, begin):
        links = []
        while time.monotonic() < until and not stop.is_set():
            try:
                links.append(begin())
            except OSError:
                pass  # no room for more connections
            if len(links) > count:
                links.pop(0).close()
            time.sleep(0.02)
        close_all(links)

    batch = json.dumps([make_asset(n) for n in range(1, 12_000)]).encode()[:4 * MIB - 1]
    kinds = [
        (8, lambda: hold_back(server, 4 * MIB, key=SECRET)),
        (60, lambda: hold_back(server, 65_000, key=SECRET)),
        (60, lambda: hold_back(server, 65_536)),
        (40, lambda: ask_without_reading(server, key=SECRET)),
        (8, lambda: hold_back(server, len(batch) + 1, "/indexes/main/assets", SECRET, b"[")),
        (40, lambda: hold_back(server, 10, fill=b"[", path="/indexes?" + "a" * 30_000)),
    ]
    threads = [threading.Thread(target=rounds, args=kind) for kind in kinds]
    for thread in threads:
        thread.start()
    return threads


def test_all_at_once_stays_within_the_sum(tmp_path):
    """docs/deployment.md says how much memory a server can be made to take."""
    key = {"X-API-Key": SECRET}
    spare = (64 if not IS_SANITIZED else 4096) * MIB  # for what is the system's own
    with limited(SUM + spare) as pre:
        server = Server(tmp_path, f"usearch://{tmp_path}/data", SMALL, pre=pre).start()
        try:
            fill(server, 20_000, note="x" * 300, key=SECRET)
            stop = threading.Event()
            threads = attack(server, time.monotonic() + 8, stop)
            answered = 0
            try:
                with Peak(server) as peak:
                    while any(thread.is_alive() for thread in threads):
                        answer = server.post("/indexes/main/search?limit=5", json=QUERY, headers=key)
                        assert answer.status_code == 200
                        answered += 1
                        assert server.get("/healthz").status_code == 200
                        time.sleep(0.05)
            finally:
                stop.set()
                for thread in threads:
                    thread.join()
            assert answered > 0
            print(f"{peak.bytes / MIB:.0f} of {SUM / MIB:.0f} MiB, {answered} answered meanwhile")
            assert IS_SANITIZED or peak.bytes < SUM, f"{peak.bytes / MIB:.0f} of {SUM / MIB:.0f} MiB"
            wait_until(lambda: under_way(server, headers=key) == 0)
        finally:
            assert server.stop() == 0, server.log()[-4000:]
