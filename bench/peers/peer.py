"""What the peers share: the lines by which `run` asks a peer, threads as clients, servers asked by wrk.

A peer is a process of its own: `PEER NAME FOLDER DATA PROGRAM`, with what it keeps in FOLDER, the codes in
DATA (data.py), and the program of a server. It reads one command a line and answers each with one line of JSON: figures, or {"error": ...}, or
{"absent": ...} for what it does not offer. Commands (`seconds` is how long to measure):

    ingest                  add all codes, durably, with what that took
    first                   answer one query; `seconds` since the server was started, if this is a server
    answers FILE            the matches of the first queries, for the recall
    clients N SECONDS       searches/s, p50 and p99 with N clients
    batch SECONDS           searches/s in batches of 1,000
    pairs LIMIT_S           all pairs at most 25 bits apart
    more                    add more.bin; acknowledged as an add of this peer is
    lost                    how many of more.bin are not found
    memory                  MiB of its own: anonymous and shared memory, not the pages of files
"""
import contextlib
import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from itertools import islice
from pathlib import Path

from data import BYTES, JUDGED, LIMIT, MORE, RADIUS, id_text, number_of

HERE = Path(__file__).resolve().parent
PAIR_BITS, PAIR_SCORE = 25, 0.9
BATCH = 1000


class Absent(Exception):
    """The peer does not offer what was asked."""


class Peer:
    def __init__(self, name, folder, data, program=None):
        self.program = program
        self.name, self.folder, self.data = name, Path(folder), Path(data)
        self.size = (self.data / "codes.bin").stat().st_size // BYTES

    def pids(self):
        return [os.getpid()]

    def memory(self):
        return {"mib": sum(own_memory(self.pids())) / 1024}

    def batch(self, _seconds):
        raise Absent("no batches")

    def pairs(self, _limit_s):
        raise Absent("no call for all pairs")

    def close(self):
        pass

    def serve(self):
        """Answer commands until the input ends."""
        for line in sys.stdin:
            command, *words = line.split()
            try:
                answer = getattr(self, command)(*words) or {}
            except Absent as missing:
                answer = {"absent": str(missing)}
            except Exception as error:  # of any library: it goes into the table
                answer = {"error": f"{type(error).__name__}: {error}".split("\n")[0][:200]}
            print(json.dumps(answer), flush=True)
        self.close()


def family(pid):
    """A process and its children, and theirs."""
    pids = [pid]
    for one in pids:
        with contextlib.suppress(OSError):
            for children in Path(f"/proc/{one}/task").glob("*/children"):
                pids += [int(word) for word in children.read_text(encoding="ascii").split()]
    return pids


def own_memory(pids):
    """KiB of anonymous memory of all, and of the shared memory of the process that has most of it."""
    anonymous, shared = 0, 0
    for pid in pids:
        with contextlib.suppress(OSError):
            for line in Path(f"/proc/{pid}/status").read_text(encoding="utf-8").splitlines():
                if line.startswith("RssAnon"):
                    anonymous += int(line.split()[1])
                elif line.startswith("RssShmem"):
                    shared = max(shared, int(line.split()[1]))
    return anonymous, shared


def figures(times_s, seconds):
    times_s = sorted(times_s)
    return {"per_s": len(times_s) / seconds, "p50_ms": times_s[len(times_s) // 2] * 1000,
            "p99_ms": times_s[len(times_s) * 99 // 100] * 1000}


def with_threads(search, queries, clients, seconds, prepare=lambda: None):
    """Clients in threads: each calls search(query) again and again, after prepare(). The library runs without
    Python's lock."""
    times, end = [], time.perf_counter() + seconds
    start = time.perf_counter()

    def client(first):
        prepare()
        number, now = first, time.perf_counter()
        while now < end:
            search(queries[number % len(queries)])
            before, now = now, time.perf_counter()
            times.append(now - before)
            number += 1

    threads = [threading.Thread(target=client, args=(37 * i,)) for i in range(clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return figures(times, time.perf_counter() - start)


def at_least_one(measure, seconds):
    """The figures of measure(seconds), which is repeated with twice the time while it is None: no search was finished."""
    while (found := measure(seconds)) is None:
        seconds *= 2
    return found


def repeated(call, seconds):
    """Searches/s of a call that answers BATCH queries, made at least once."""
    start, done = time.perf_counter(), 0
    while not done or time.perf_counter() < start + seconds:
        call()
        done += BATCH
    return {"per_s": done / (time.perf_counter() - start)}


class HttpPeer(Peer):
    """A server with the API of iscc-search. Subclasses have command() and env()."""

    def __init__(self, *words):
        super().__init__(*words)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.started = time.perf_counter()
        self.start()

    def start(self):
        env = {name: value for name, value in os.environ.items() if not name.startswith("ISCC_SEARCH_")}
        env.update(HOME=str(self.folder), **self.env())
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.server = subprocess.Popen(self.command(), env=env, cwd=self.folder, stdin=subprocess.DEVNULL,
                                       stdout=subprocess.DEVNULL, stderr=open(self.folder / "log", "ab"))
        self.client = http.client.HTTPConnection("127.0.0.1", self.port, timeout=3600)
        while True:
            try:
                self.ask("GET", "/indexes")
                return
            except OSError:
                if self.server.poll() is not None:
                    raise RuntimeError(f"the server ended: {self.last_words()}") from None
                time.sleep(0.005)

    def last_words(self):
        lines = (self.folder / "log").read_text(errors="replace").strip().splitlines()
        return lines[-1] if lines else f"status {self.server.returncode}"

    def ask(self, method, path, body=None, kind="application/json"):
        self.client.close()
        return self.ask_again(method, path, body, kind)

    def ask_again(self, method, path, body=None, kind="application/json"):
        """On the connection of the last request."""
        self.client.request(method, path, body, {"Content-Type": kind} if body else {})
        reply = self.client.getresponse()
        text = reply.read()
        if reply.status >= 300:
            raise RuntimeError(f"{method} {path}: {reply.status} {text[:150].decode(errors='replace')}")
        return json.loads(text) if text else None

    def pids(self):
        return family(self.server.pid)

    def add_lines(self, name):
        """Add in requests of BATCH assets: each is answered when it is on disk, so the server says."""
        self.client.close()
        with open(self.data / name, encoding="ascii") as lines:
            while batch := list(islice(lines, BATCH)):
                self.ask_again("POST", "/indexes/main/assets", "[" + ",".join(batch) + "]")

    def ingest(self):
        self.ask("POST", "/indexes", '{"name":"main"}')
        start = time.perf_counter()
        self.add_lines("assets.jsonl")
        return {"seconds": time.perf_counter() - start}

    def more(self):
        self.add_lines("more.jsonl")

    def lost(self):
        with open(self.data / "more.jsonl", encoding="ascii") as lines:
            queries = [json.dumps({"units": json.loads(line)["units"][:1]}) for line in lines]
        found = self.ids_of(queries)
        return {"lost": sum(id_text(self.size + i) not in ids for i, ids in enumerate(found)), "of": MORE}

    def ids_of(self, queries):
        """The ISCC-IDs that each of many queries finds."""
        return [self.ids(query) for query in queries]

    def ids(self, query):
        answer = self.ask_again("POST", f"/indexes/main/search?limit={LIMIT}", query)
        return [match["iscc_id"] for match in answer["global_matches"]]

    def queries(self):
        return (self.data / "queries.jsonl").read_text(encoding="ascii").splitlines()

    def first(self):
        self.ids(self.queries()[1])
        return {"seconds": time.perf_counter() - self.started}

    def answers(self, path):
        found = [[number_of(name) for name in self.ids(query)] for query in self.queries()[:JUDGED]]
        Path(path).write_text(json.dumps(found), encoding="ascii")

    def clients(self, count, seconds):
        return at_least_one(lambda duration: self.run_wrk(count, duration), int(seconds))

    def run_wrk(self, count, seconds):
        done = subprocess.run(
            ["wrk", "-t1", f"-c{count}", f"-d{seconds}s", "--timeout", "60s", "-s", str(HERE / "search.lua"),
             f"http://127.0.0.1:{self.port}", "--", str(self.data / "queries.jsonl"), str(LIMIT)],
            check=True, capture_output=True, text=True)
        line = [line for line in done.stdout.splitlines() if line.startswith("result ")][-1]
        result = json.loads(line.removeprefix("result "))
        if errors := result.pop("errors"):
            raise RuntimeError(f"{errors} searches failed, {result['per_s']:.0f}/s did not")
        return result if result.pop("requests") else None

    def close(self):
        self.server.send_signal(signal.SIGTERM)
        self.server.wait(60)
