"""Several hosts on one database: each sees what any of them has acknowledged, and nothing halfway.

A checker in the manner of linearizability: one writer at a time changes a group of assets, and notes the
states the group goes through. A reader that began after state i was acknowledged and ended before
state j was begun has to see one of the states i to j-1, whole; what one reader saw, a later one may not
miss. Then the same with kill -9, at random moments: what was acknowledged is found on every host.

Seconds in `make test`, long in `make soak` (SOAK_SECONDS, SOAK_ROUNDS, SOAK_SEED).
"""
import base64
import os
import signal
import threading
import time

import pytest
import requests
from hosts import KIND, ROUNDS, SECONDS, make, sample, seeded
from serving import digest, iscc_id, unit

GROUPS, MEMBERS = 12, 5


# --- the checker ------------------------------------------------------------------------------------

class Group:
    """Some assets that change together. A state is (version, members present)."""

    def __init__(self, number):
        self.number = number
        self.lock = threading.Lock()      # of the fields below, held for moments
        self.writing = threading.Lock()   # held during a change
        self.states = [(0, frozenset())]
        self.done = self.seen = 0

    def member(self, place):
        return iscc_id(1 << 30 | self.number << 8 | place)

    def body(self, version):
        return digest(("group", self.number, version), 32)

    def passage(self, version):
        return base64.urlsafe_b64encode(self.body(version)[:16]).decode().rstrip("=")

    def asset(self, place, version):
        units = [unit(0, self.body(version)), unit(3, digest((self.number, place, version, "own"), 32))]
        return {"iscc_id": self.member(place), "units": units, "metadata": {"version": version},
                "simprints": {KIND: [{"simprint": self.passage(version), "offset": place, "size": 9}]}}

    def begin(self, state):
        with self.lock:
            self.states.append(state)

    def acknowledge(self):
        with self.lock:
            self.done = len(self.states) - 1

    def floor(self):
        with self.lock:
            return max(self.done, self.seen)

    def judge(self, first, version, seen):
        """Was this a state since `first`, as a query for `version` sees it? Remembers that it was seen."""
        with self.lock:
            states = self.states[first:]
            fitting = [place for place, (now, members) in enumerate(states, first)
                       if (members if now == version else frozenset()) == seen]
            if fitting:
                self.seen = max(self.seen, fitting[0])
            return bool(fitting), states


class Trial:
    """Writers and readers on some hosts, until time is up or something is wrong."""

    def __init__(self, hosts, rng, wait_out_503=False):
        self.hosts, self.rng, self.wait_out_503 = hosts, rng, wait_out_503
        self.groups = [Group(number) for number in range(GROUPS)]
        self.stop, self.failures = threading.Event(), []
        self.writes = self.reads = 0

    def run(self, seconds, writers=3, readers=4):
        threads = [threading.Thread(target=self.guarded, args=(work, self.rng.randrange(1 << 30)))
                   for work, count in ((self.write, writers), (self.read, readers)) for _ in range(count)]
        for thread in threads:
            thread.start()
        self.stop.wait(seconds)
        end = time.monotonic() + 60
        while min(self.writes, self.reads) <= 20 and not self.stop.is_set() and time.monotonic() < end:  # on a busy machine
            self.stop.wait(0.1)
        self.stop.set()
        for thread in threads:
            thread.join()
        assert not self.failures, self.failures[0]
        print(f"{self.writes} changes and {self.reads} readings on {len(self.hosts)} hosts")
        assert self.writes > 20 and self.reads > 20

    def guarded(self, work, seed):
        rng, session = type(self.rng)(seed), requests.Session()
        try:
            while not self.stop.is_set():
                work(rng, session)
        except Exception as error:  # whatever it is, the test fails by it
            self.failures.append(repr(error))
            self.stop.set()
        finally:
            session.close()

    def send(self, session, method, path, wanted, **more):
        """A request to some host, again while that says 503 and may."""
        end = time.monotonic() + 60
        while True:
            host = more.pop("host", None) or self.hosts[int(time.monotonic_ns()) % len(self.hosts)]
            answer = session.request(method, host.index + path, timeout=60, **more)
            if answer.status_code in wanted:
                return answer
            assert answer.status_code == 503 and self.wait_out_503, f"{answer.status_code} {answer.text}"
            assert time.monotonic() < end, answer.text
            time.sleep(0.02)

    def write(self, rng, session):
        group = rng.choice(self.groups)
        if not group.writing.acquire(blocking=False):
            return
        try:
            version, members = group.states[-1]
            if members and rng.random() < 0.5:
                gone = rng.choice(sorted(members))
                group.begin((version, members - {gone}))
                self.send(session, "DELETE", f"/assets/{gone}", (204,))
            else:
                places = range(MEMBERS)
                group.begin((version + 1, frozenset(map(group.member, places))))
                self.send(session, "POST", "/assets", (201,),
                          json=[group.asset(place, version + 1) for place in places])
            group.acknowledge()
            self.writes += 1
        finally:
            group.writing.release()

    def read(self, rng, session):
        group = rng.choice(self.groups)
        first = group.floor()
        version = group.states[first][0] - (rng.random() < 0.2)
        if version < 1:
            return
        query = {"units": [unit(0, group.body(version))], "simprints": {KIND: [group.passage(version)]}}
        found = self.send(session, "POST", "/search?limit=50", (200,), json=query).json()
        seen = [frozenset(match["iscc_id"] for match in found[key]) for key in ("global_matches", "chunk_matches")]
        good, states = group.judge(first, version, seen[0])
        assert good, f"group {group.number} version {version}: saw {sorted(seen[0])}, possible since {first}: {states}"
        assert seen[0] == seen[1], f"units and passages of two moments: {seen}"
        for match in found["global_matches"]:
            assert match["metadata"] == {"version": version}, f"metadata of another moment: {match}"
        self.reads += 1


@pytest.fixture
def two_hosts(shared_cluster, database, start_host):
    """Two hosts with an index; in one of them several processes share the follower."""
    uri = shared_cluster.uri(database)
    hosts = [start_host(uri, "one"), start_host(uri, "two", args=["--workers", "3"])]
    assert hosts[0].post("/indexes", json={"name": "main"}).status_code == 201
    return hosts


def test_hosts_read_each_others_writes_at_once(two_hosts):
    Trial(two_hosts, seeded()).run(SECONDS)


def test_a_host_without_local_files_and_one_with_them_agree(shared_cluster, database, start_host):
    uri = shared_cluster.uri(database)
    hosts = [start_host(uri), start_host(uri, env={"ISCC_SEARCH_POSTGRES_SEARCH": "sql"})]
    assert hosts[0].post("/indexes", json={"name": "main"}).status_code == 201
    Trial(hosts, seeded()).run(SECONDS / 2)


def test_hosts_agree_while_connections_die(two_hosts, shared_cluster, database):
    """A request whose connection dies ends well or by 503; a change that ended so is done again."""
    done = threading.Event()

    def terminate(rng):
        while not done.wait(rng.uniform(0.05, 0.4)):
            shared_cluster.terminate_clients(database)

    rng = seeded()
    killer = threading.Thread(target=terminate, args=(type(rng)(1),))
    killer.start()
    try:
        AgainTrial(two_hosts, rng, wait_out_503=True).run(SECONDS / 2)
    finally:
        done.set()
        killer.join()


class AgainTrial(Trial):
    """A deletion that is repeated may find its asset gone; a batch put twice is the same batch."""

    def send(self, session, method, path, wanted, **more):
        return super().send(session, method, path, (*wanted, 404) if method == "DELETE" else wanted, **more)


def test_indexes_come_and_go_on_all_hosts_at_once(two_hosts):
    one, two = two_hosts
    for turn in range(5):
        one.must_add([turn + 1])
        two.expect_found([turn + 1])
        two.expect_missing([turn])
        assert two.delete("/indexes/main").status_code == 204
        for host in two_hosts:
            assert host.get("/indexes/main").status_code == 404
            assert host.post("/indexes/main/search", json={"units": make(turn)["units"]}).status_code == 404
        assert one.post("/indexes", json={"name": "main"}).status_code == 201
        assert two.post("/indexes", json={"name": "main"}).status_code == 409


# --- kill -9 ----------------------------------------------------------------------------------------

class Load:
    """Threads that add batches to hosts until told to stop, and what was acknowledged."""

    BATCH = 5

    def __init__(self):
        self.acknowledged, self.next, self.lock = [], 0, threading.Lock()

    def take(self):
        with self.lock:
            self.next += self.BATCH
            return range(self.next - self.BATCH, self.next)

    def add_until(self, stop, host):
        """Requests fail while a host or the database is dead; the other hosts go on."""
        session = requests.Session()
        while not stop.is_set():
            numbers = self.take()
            try:
                answer = session.post(host.index + "/assets", json=[make(n) for n in numbers], timeout=60)
                if answer.status_code == 201:
                    self.acknowledged.extend(numbers)
                elif answer.status_code != 503:
                    raise AssertionError(f"{answer.status_code} {answer.text}")
            except requests.RequestException:
                time.sleep(0.02)
        session.close()

    def read_until(self, stop, host):
        """Searches keep the follower busy with catching up."""
        session = requests.Session()
        while not stop.is_set():
            try:
                session.post(host.index + "/search", json={"units": make(1)["units"]}, timeout=60)
            except requests.RequestException:
                time.sleep(0.02)
        session.close()

    def during(self, hosts, deed):
        """Run the load on the hosts while something is done to them."""
        stop, failures = threading.Event(), []

        def guarded(work, host):
            try:
                work(stop, host)
            except AssertionError as error:
                failures.append(error)

        threads = [threading.Thread(target=guarded, args=(work, host))
                   for host in hosts for work in (self.add_until, self.add_until, self.read_until)]
        for thread in threads:
            thread.start()
        try:
            deed()
        finally:
            stop.set()
            for thread in threads:
                thread.join()
        assert not failures, failures[0]

    def expect_all(self, hosts, rng, most=60):
        for host in hosts:
            host.wait_ready()
            host.expect_found(sample(rng, self.acknowledged, most))
            count = host.get("/indexes/main").json()["assets"]
            assert count >= len(self.acknowledged)
            assert count % self.BATCH == 0, "a batch is there in part"


def start_two(start_host, uri, env=None):
    hosts = [start_host(uri, "one", env), start_host(uri, "two", env, ["--workers", "3"])]
    assert hosts[0].post("/indexes", json={"name": "main"}).status_code == 201
    return hosts


def test_kill_of_servers(shared_cluster, database, start_host):
    rng, load = seeded(), Load()
    hosts = start_two(start_host, shared_cluster.uri(database))
    for turn in range(ROUNDS):
        victim = hosts[turn % 2]

        def deed(victim=victim):
            time.sleep(rng.uniform(0.1, 0.6))
            victim.kill()

        load.during(hosts, deed)
        victim.start()
        load.expect_all(hosts, rng)
    load.expect_all(hosts, rng, 500)
    print(f"{ROUNDS} rounds, {len(load.acknowledged)} acknowledged assets")


def test_kill_of_a_process_that_shares_the_follower(shared_cluster, database, start_host):
    """One of the worker processes dies, wherever it is; the others and its successor go on."""
    rng, load = seeded(), Load()
    hosts = start_two(start_host, shared_cluster.uri(database))
    for _ in range(ROUNDS):
        def deed():
            time.sleep(rng.uniform(0.1, 0.4))
            for pid in workers_of(hosts[1])[:2]:
                os.kill(pid, signal.SIGKILL)
            time.sleep(0.1)

        load.during(hosts, deed)
        load.expect_all(hosts, rng)
    load.expect_all(hosts, rng, 500)
    print(f"{ROUNDS} rounds, {len(load.acknowledged)} acknowledged assets")


def workers_of(host):
    pid = host.process.pid
    with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as file:
        return [int(word) for word in file.read().split()]


def test_kill_while_a_follower_loads_and_catches_up(shared_cluster, database, start_host):
    """A host that was away has much to read; it is killed at random in the middle of it."""
    rng, uri, numbers = seeded(), shared_cluster.uri(database), []
    one, two = start_two(start_host, uri)
    for turn in range(ROUNDS):
        two.kill()
        for _ in range(4):
            batch = range(len(numbers), len(numbers) + 500)
            one.must_add(batch)
            numbers += batch
        if turn % 2:
            for path in two.follower_files():
                path.unlink()
        two.start()
        reader = threading.Thread(target=quiet_search, args=(two,))
        reader.start()
        time.sleep(rng.uniform(0.0, 0.15))
        two.kill()
        reader.join()
        two.start()
        two.wait_ready()
        two.expect_found(sample(rng, numbers, 40))
        one.expect_found(sample(rng, numbers, 10))
    print(f"{ROUNDS} rounds, {len(numbers)} assets")


def quiet_search(host):
    try:
        requests.post(host.index + "/search", json={"units": make(1)["units"]}, timeout=60)
    except requests.RequestException:
        pass


@pytest.mark.parametrize("how", ["kill", "immediate", "fast"])
def test_death_of_postgresql(own_cluster, start_host, how):
    """kill -9 of all its processes, and both quick ways of stopping it; it is started again each time."""
    rng, load = seeded(), Load()
    cluster = own_cluster(durable=ROUNDS > 3)
    hosts = start_two(start_host, cluster.uri(cluster.create_database("main")))
    rounds = ROUNDS if how == "kill" else max(1, ROUNDS // 3)
    for _ in range(rounds):
        def deed():
            time.sleep(rng.uniform(0.1, 0.6))
            if how == "kill":
                cluster.kill()
            else:
                cluster.stop(how)
            time.sleep(rng.uniform(0, 0.2))
            cluster.start()
            time.sleep(0.1)

        load.during(hosts, deed)
        load.expect_all(hosts, rng)
    load.expect_all(hosts, rng, 500)
    print(f"{rounds} rounds, {len(load.acknowledged)} acknowledged assets")


def test_death_of_everything_at_once(own_cluster, start_host):
    """Servers and database die together; also what they had in the followers is only as new as the database."""
    rng, load = seeded(), Load()
    cluster = own_cluster(durable=ROUNDS > 3)
    hosts = start_two(start_host, cluster.uri(cluster.create_database("main")))
    for _ in range(ROUNDS):
        def deed():
            time.sleep(rng.uniform(0.1, 0.5))
            victims = [cluster, *hosts]
            rng.shuffle(victims)
            for victim in victims:
                victim.kill()

        load.during(hosts, deed)
        cluster.start()
        for host in hosts:
            host.start()
        load.expect_all(hosts, rng)
    print(f"{ROUNDS} rounds, {len(load.acknowledged)} acknowledged assets")
