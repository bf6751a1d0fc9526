"""Ten thousand hostile requests of each kind, while somebody else is served.

What a kind may cost: no memory that stays, no exchange that never ends, no answer but those it names, and
no wait for others. A kind is one entry of KINDS: the bytes that one connection sends, and the statuses it may be
answered with. None stands for a connection that is closed without an answer.
"""

import statistics
import threading
import time
from collections import Counter
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from multiprocessing import get_context

import pytest

from serving import IS_SANITIZED, Server, read_all
from test_head import wait_for_none

COUNT = 500 if IS_SANITIZED else 10_000
BYTES = 200_000_000  # of one kind: of the longest there are fewer
PROCESSES, THREADS = 2, 8
GROWTH_MAX_KB = 8 * 1024  # what allocators keep; each kind sends some hundred times as much
WAIT_MAX_S = 2  # of the median: this is asked of a server under attack, perhaps beside other programs
HOST = b"Host: x\r\nConnection: close\r\n"
GET = b"GET /healthz HTTP/1.1\r\n" + HOST
POST = b"POST /indexes HTTP/1.1\r\n" + HOST
CHUNKED = POST + b"Transfer-Encoding: chunked\r\n\r\n"
BEHIND = b"GET /status HTTP/1.1\r\nHost: x\r\n\r\n"

KINDS = {
    "parameters": (b"GET /healthz?" + b"&" * 1200 + b" HTTP/1.1\r\n" + HOST + b"\r\n", {414}),
    "large parameters": (b"GET /healthz?" + b"a=b&" * 14_000 + b" HTTP/1.1\r\n" + HOST + b"\r\n", {414}),
    "equal signs": (b"GET /healthz?" + b"=" * 20_000 + b" HTTP/1.1\r\n" + HOST + b"\r\n", {200}),
    "escapes": (b"GET /" + b"%2e%" * 5_000 + b" HTTP/1.1\r\n" + HOST + b"\r\n", {404}),
    "segments": (b"GET " + b"/a" * 10_000 + b" HTTP/1.1\r\n" + HOST + b"\r\n", {404}),
    "long target": (b"GET /" + b"a" * 70_000 + b" HTTP/1.1\r\n" + HOST + b"\r\n", {414, None}),
    "headers": (GET + b"a:b\r\n" * 3_000 + b"\r\n", {431, None}),
    "long header": (GET + b"X: " + b"a" * 70_000 + b"\r\n\r\n", {431, None}),
    "cookies": (GET + b"Cookie: " + b"a;" * 10_000 + b"\r\n\r\n", {200}),
    "blank before a colon": (POST + b"Content-Length : 36\r\n\r\n" + BEHIND, {400}),
    "folded length": (POST + b"Content-Length: 3\r\n 6\r\n\r\n" + BEHIND, {400}),
    "NUL": (GET + b"X: a\0b\r\n\r\n", {400}),
    "other coding": (POST + b"Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", {501}),
    "negative length": (POST + b"Content-Length: -5\r\n\r\n", {400}),
    "bad chunk": (CHUNKED + b"xyz\r\n", {400}),
    "long chunk extension": (CHUNKED + b"2;" + b"a" * 70_000, {400, None}),
    "trailers": (CHUNKED + b"2\r\n{}\r\n0\r\n" + b"a:b\r\n" * 3_000 + b"\r\n", {401, 431}),
    "HTTP/2": (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", {505}),
    "noise": (bytes(range(256)) * 4, {400, None}),
    "slashes": (b"GET /indexes" + b"/" * 10_000 + b" HTTP/1.1\r\n" + HOST + b"\r\n", {404, 307}),
    "readiness": (b"GET /readyz HTTP/1.1\r\n" + HOST + b"\r\n", {200}),
    "half a head": (GET[:-20], {None}),
}


def send_one(port, request, is_answered):
    """Send a request on a connection of its own; returns the status of the answer, or None. Where none
    can be expected, the client goes at once."""
    with Server.connect_to(port) as link:
        try:
            link.sendall(request)
        except OSError:
            pass  # answered before all of it was sent
        if not is_answered:
            return None
        answer = read_all(link)
    return int(answer[9:12]) if answer else None


def send_many(port, request, count, is_answered):
    """In a process of its own: how often each status came."""
    with ThreadPoolExecutor(THREADS) as pool:
        return Counter(pool.map(lambda _: send_one(port, request, is_answered), range(count)))


class Bystander:
    """Somebody else, who asks all the time and measures how long each answer takes."""

    def __init__(self, server):
        self.server, self.waits, self.wrong, self.is_over = server, [], [], threading.Event()
        self.thread = threading.Thread(target=self.run)

    def run(self):
        while not self.is_over.wait(0.01):
            begin = time.monotonic()
            answer = self.server.get("/indexes", headers={"X-API-Key": "s3cret"})
            self.waits.append(time.monotonic() - begin)
            if answer.status_code != 200:
                self.wrong.append(answer.text)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.is_over.set()
        self.thread.join()


@pytest.fixture(scope="module")
def target(tmp_path_factory):
    """A server with a key, which has seen some of each kind, so that what it keeps anyway is there."""
    running = Server(tmp_path_factory.mktemp("target"), env={"ISCC_SEARCH_API_SECRET": "s3cret"}).start()
    for request, statuses in KINDS.values():
        send_many(running.port, request, 4 * THREADS, statuses != {None})
    yield running
    assert running.stop() == 0, running.log()[-4000:]


@pytest.fixture(scope="module")
def attackers():
    with ProcessPoolExecutor(PROCESSES, get_context("fork")) as pool:
        yield pool


@pytest.mark.parametrize("kind", KINDS)
def test_hostile(target, attackers, kind):
    request, statuses = KINDS[kind]
    count = min(COUNT, BYTES // len(request)) // PROCESSES
    before_kb = target.anonymous_kb()
    with Bystander(target) as bystander:
        floods = [attackers.submit(send_many, target.port, request, count,
                                   statuses != {None}) for _ in range(PROCESSES)]
        answers = sum((flood.result() for flood in floods), Counter())
    assert answers.total() == count * PROCESSES and set(answers) <= statuses, answers
    assert not bystander.wrong
    assert IS_SANITIZED or statistics.median(bystander.waits) < WAIT_MAX_S, sorted(bystander.waits)[-10:]
    wait_for_none(target)
    assert IS_SANITIZED or target.anonymous_kb() - before_kb < GROWTH_MAX_KB
