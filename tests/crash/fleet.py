"""Several processes on one index, clients that write and read through all of them, and what must hold.

A Fleet is the processes: servers of their own, or the workers of one. A Ledger knows of each asset what
was acknowledged. Writers own their assets, so that at most one change of an asset is under way at a
time; when its answer does not come (the process was killed), both outcomes are right until somebody looks.
"""
import base64
import contextlib
import os
import random
import signal
import subprocess
import threading
import time
from pathlib import Path

import requests

ROOT = Path(__file__).resolve().parents[2]
BIN = os.environ.get("ISCC_SEARCH_BIN", str(ROOT / "build" / "iscc-search"))
TYPE = "CONTENT_TEXT_V0"
PATIENCE_S = 60
LIVE_MAX = 150    # assets of one writer: beyond, it changes and deletes more than it adds
OLD_VERSIONS = 2  # so many of the versions that were replaced are asked for
ABSENT = None     # the version of an asset that is not there


def base32(raw):
    return base64.b32encode(raw).decode().rstrip("=")


def iscc_id(number):
    return "ISCC:" + base32(bytes([0x60, 0x10]) + (1 << 20 | number).to_bytes(8, "big"))


def body(number, version, main):
    return random.Random((number * 4096 + version) * 8 + main).randbytes(32)


def asset(number, version=0):
    """The asset of a number; each version has other units and another simprint."""
    units = ["ISCC:" + base32(bytes([main << 4, 7]) + body(number, version, main)) for main in (0, 2, 3, 4)]
    simprint = base64.urlsafe_b64encode(body(number, version, 7)[:16]).decode().rstrip("=")
    return {"iscc_id": iscc_id(number), "units": units, "metadata": {"number": number, "version": version},
            "simprints": {TYPE: [{"simprint": simprint, "offset": 0, "size": 10}]}}


def query_of(number, version):
    one = asset(number, version)
    return {"units": one["units"], "simprints": {TYPE: [one["simprints"][TYPE][0]["simprint"]]}}


def environment(folder, **more):
    """The environment of the program, on the indexes of a folder."""
    env = {name: value for name, value in os.environ.items() if not name.startswith("ISCC_SEARCH_")}
    return {**env, "ISCC_SEARCH_INDEX_URI": f"usearch://{folder}", "ISCC_SEARCH_HOST": "127.0.0.1",
            "ISCC_SEARCH_LOG_LEVEL": "error", **more}


def children(pid):
    with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as file:
        return [int(word) for word in file.read().split()]


def wait_until(holds, what):
    end = time.monotonic() + PATIENCE_S
    while not holds():
        assert time.monotonic() < end, f"not within {PATIENCE_S} s: {what}"
        time.sleep(0.02)


def answers(base):
    try:
        return requests.get(base, timeout=5).status_code == 200
    except requests.RequestException:
        return False


def expect_good_file(uri):
    """index check finds nothing in the index `main`, whether somebody has it open or not."""
    done = subprocess.run([BIN, "index", "check", "main", "--uri", uri], capture_output=True, text=True,
                          timeout=PATIENCE_S, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


class Server:
    """One `serve`, with workers or without. `base` is the URL of its indexes."""

    def __init__(self, folder, workers=1, **env):
        self.workers = workers
        self.process = subprocess.Popen(
            [BIN, "serve", "--port", "0", "--workers", str(workers)], env=environment(folder, **env),
            cwd=folder, stdout=subprocess.PIPE, text=True)
        first = self.process.stdout.readline()
        self.base = next(word for word in first.split() if word.startswith("http://")) + "/indexes"
        wait_until(lambda: answers(self.base), "an answer")

    def pids(self):
        """The processes that answer requests."""
        return children(self.process.pid) if self.workers > 1 else [self.process.pid]

    def kill(self):
        """End the server and its workers as a power cut would."""
        pids = [self.process.pid, *(self.pids() if self.workers > 1 else [])]
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):  # workers end with their parent
                os.kill(pid, signal.SIGKILL)
        self.process.wait()
        self.process.stdout.close()
        for pid in pids[1:]:
            wait_until(lambda: not os.path.exists(f"/proc/{pid}"), "the end of a worker")

    def stop(self):
        self.process.terminate()
        code = self.process.wait(PATIENCE_S)
        self.process.stdout.close()
        return code


class Fleet:
    """`count` processes on one folder: servers of their own, or the workers of one server."""

    def __init__(self, folder, count, one_server):
        self.folder = folder
        self.workers = count if one_server else 1
        self.servers = [Server(folder, self.workers) for _ in range(1 if one_server else count)]

    def bases(self):
        return [server.base for server in self.servers]

    def kill_one(self, rng):
        """Kill one process and put another in its place (a server with workers does so itself)."""
        i = rng.randrange(len(self.servers))
        if self.workers == 1:
            self.servers[i].kill()
            expect_good_file(f"usearch://{self.folder}")
            self.servers[i] = Server(self.folder)
            return
        server = self.servers[i]
        victim = rng.choice(server.pids())
        os.kill(victim, signal.SIGKILL)
        expect_good_file(f"usearch://{self.folder}")
        wait_until(lambda: victim not in server.pids() and len(server.pids()) == self.workers,
                   "another worker")

    def kill_all(self):
        for server in self.servers:
            server.kill()
        expect_good_file(f"usearch://{self.folder}")
        self.servers = [Server(self.folder, self.workers) for _ in self.servers]

    def stop(self):
        codes = [server.stop() for server in self.servers]
        assert codes == [0] * len(codes), codes


class Entry:
    """What is known of one asset."""

    def __init__(self, writer):
        self.writer = writer
        self.version = ABSENT  # as acknowledged
        self.pending = False   # a change to `next` was sent, and not answered yet
        self.next = ABSENT
        self.highest = -1      # versions ever sent: all but the present one must not be found
        self.changes = 0


class Ledger:
    def __init__(self):
        self.entries = {}
        self.numbers = []  # the keys of `entries`, to choose from
        self.batches = []  # numbers sent together whose answer did not come
        self.lock = threading.Lock()
        self.failures = []
        self.acknowledged = 0
        self.reads = 0

    def fail(self, what):
        with self.lock:
            self.failures.append(what)

    def begin(self, writer, changes):
        with self.lock:
            for number, version in changes:
                if number not in self.entries:
                    self.entries[number] = Entry(writer)
                    self.numbers.append(number)
                entry = self.entries[number]
                entry.pending, entry.next, entry.changes = True, version, entry.changes + 1
                entry.highest = max(entry.highest, -1 if version is ABSENT else version)

    def finish(self, numbers):
        with self.lock:
            for number in numbers:
                entry = self.entries[number]
                entry.pending, entry.version, entry.changes = False, entry.next, entry.changes + 1
            self.acknowledged += len(numbers)

    def unanswered(self, numbers):
        with self.lock:
            self.batches.append(numbers)

    def settled(self, rng):
        """An asset that nobody is changing right now: (number, version, changes), or None."""
        with self.lock:
            for _ in range(8 if self.entries else 0):
                number = rng.choice(self.numbers)
                entry = self.entries[number]
                if not entry.pending:
                    return number, entry.version, entry.changes
        return None

    def is_unchanged(self, number, changes):
        with self.lock:
            return self.entries[number].changes == changes


def problem_of(session, base, number, version, highest):
    """Search for an asset as it should be (or should not be); returns what is wrong, or None."""
    if version is ABSENT:
        reply = session.get(f"{base}/main/assets/{iscc_id(number)}")
        if reply.status_code != 404:
            return f"{number} was deleted, and a request for it gets {reply.status_code} {reply.text}"
    else:
        reply = session.post(f"{base}/main/search?limit=3", json=query_of(number, version))
        if reply.status_code != 200:
            return f"search for {number}: {reply.status_code} {reply.text}"
        found = reply.json()
        best = (found["global_matches"] or [{"iscc_id": None}])[0]
        if best["iscc_id"] != iscc_id(number) or best["score"] != 1.0 or len(best["types"]) != 4:
            return f"{number} version {version} is not found by its units: {best}"
        if best["metadata"] != {"number": number, "version": version}:
            return f"{number} is not as version {version} was: {best}"
        chunks = found["chunk_matches"]
        if not chunks or chunks[0]["iscc_id"] != iscc_id(number) or chunks[0]["score"] != 1.0:
            return f"{number} version {version} is not found by its simprint: {chunks}"
    for old in range(max(0, highest - OLD_VERSIONS + 1), highest + 1):
        if old == version:
            continue
        reply = session.post(f"{base}/main/search?limit=3", json=query_of(number, old))
        if reply.status_code != 200 or iscc_id(number) in reply.text:
            return f"{number} version {old} is still found: {reply.status_code} {reply.text}"
    return None


def expect_whole(session, base, number):
    """The first version of an asset is found by all of its parts."""
    problem = problem_of(session, base, number, 0, 0)
    assert not problem, problem


STOPS = "the server stops: try again later"  # a worker says so whose parent was killed, before it ends


class Clients:
    """Writers and readers, until stop()."""

    def __init__(self, fleet, ledger, writers, readers, seed):
        self.fleet, self.ledger = fleet, ledger
        self.over = threading.Event()
        self.threads = [threading.Thread(target=self.write, args=(i, random.Random(f"{seed} w{i}")))
                        for i in range(writers)]
        self.threads += [threading.Thread(target=self.read, args=(random.Random(f"{seed} r{i}"),))
                         for i in range(readers)]
        for thread in self.threads:
            thread.start()

    def stop(self):
        self.over.set()
        for thread in self.threads:
            thread.join()

    def plan(self, writer, rng):
        """The next change: the assets of one request and their new version."""
        with self.ledger.lock:
            mine = [number for number, entry in self.ledger.entries.items()
                    if entry.writer == writer and not entry.pending]
            live = [number for number in mine if self.ledger.entries[number].version is not ABSENT]
            first = 1 + max((number for number, entry in self.ledger.entries.items()
                             if entry.writer == writer), default=writer * 1000000)
            what = rng.random()
            if live and what < (0.5 if len(live) > LIVE_MAX else 0.1):
                return [(rng.choice(live), ABSENT)]
            if mine and (what < 0.4 or len(live) > LIVE_MAX):
                chosen = rng.sample(mine, min(rng.randint(1, 3), len(mine)))
                return [(number, self.ledger.entries[number].highest + 1) for number in chosen]
        return [(number, 0) for number in range(first, first + rng.randint(1, 5))]

    def send(self, session, rng, changes):
        base = rng.choice(self.fleet.bases())
        number, version = changes[0]
        if version is ABSENT:
            reply = session.delete(f"{base}/main/assets/{iscc_id(number)}", timeout=PATIENCE_S)
            return reply, reply.status_code == 204
        payload = [asset(number, version) for number, version in changes]
        reply = session.post(f"{base}/main/assets", json=payload, timeout=PATIENCE_S)
        return reply, reply.status_code == 201

    def write(self, writer, rng):
        session = requests.Session()
        while not self.over.is_set():
            changes = self.plan(writer, rng)
            numbers = [number for number, _ in changes]
            self.ledger.begin(writer, changes)
            try:
                reply, good = self.send(session, rng, changes)
            except requests.RequestException:
                self.ledger.unanswered(numbers)
                time.sleep(0.02)
                continue
            if good:
                self.ledger.finish(numbers)
            elif STOPS in reply.text:
                self.ledger.unanswered(numbers)
            else:
                self.ledger.fail(f"{numbers} were answered {reply.status_code} {reply.text}")
                self.ledger.unanswered(numbers)

    def read(self, rng):
        """What was acknowledged before a search began is found by it, whichever process answers."""
        session = requests.Session()
        while not self.over.is_set():
            chosen = self.ledger.settled(rng)
            if not chosen:
                time.sleep(0.01)
                continue
            number, version, changes = chosen
            try:
                problem = problem_of(session, rng.choice(self.fleet.bases()), number, version, -1)
            except requests.RequestException:
                continue
            with self.ledger.lock:
                self.ledger.reads += 1
            if problem and STOPS not in problem and self.ledger.is_unchanged(number, changes):
                self.ledger.fail(problem)


def settle(fleet, ledger):
    """Look how the changes ended that nobody answered: a request is there as a whole or not at all."""
    session = requests.Session()
    for numbers in ledger.batches:
        applied = set()
        for number in numbers:
            entry = ledger.entries[number]
            reply = session.get(f"{fleet.bases()[0]}/main/assets/{iscc_id(number)}")
            assert reply.status_code in (200, 404), reply.text
            is_there = reply.json()["metadata"]["version"] if reply.status_code == 200 else ABSENT
            assert is_there in (entry.version, entry.next), f"{number}: {is_there}"
            if entry.version != entry.next:
                applied.add(is_there == entry.next)
            entry.pending, entry.version = False, is_there
        assert len(applied) < 2, f"{numbers} are there in part"
    ledger.batches.clear()


def check_file(folder, uri=None):
    """`index check`: every invariant of the file of the index `main`."""
    done = subprocess.run([BIN, "index", "check", "main", "--uri", uri or f"usearch://{folder}"], cwd=folder,
                          env=environment(folder), capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def check_all(fleet, ledger):
    """The file is sound, and every asset of the ledger is found as it should be, through all processes."""
    assert not ledger.failures, ledger.failures[:5]
    check_file(fleet.folder)
    settle(fleet, ledger)
    session, bases = requests.Session(), fleet.bases()
    live = 0
    for i, (number, entry) in enumerate(ledger.entries.items()):
        problem = problem_of(session, bases[i % len(bases)], number, entry.version, entry.highest)
        assert not problem, problem
        live += entry.version is not ABSENT
    for base in bases:
        assert session.get(f"{base}/main").json()["assets"] == live
    return live
