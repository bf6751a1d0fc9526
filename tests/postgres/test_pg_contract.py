"""postgresql:// answers as usearch:// does: the recorded cases, real data, random programs.

Each test runs over the follower (a local file that is kept current) and over pure SQL, and with several
processes. The JSON of both engines has to be equal, digit by digit.
"""
import base64
import os
import shlex
import subprocess

import pytest
import requests
from hosts import ROUNDS, seeded
from serving import BINARY, ISCC, TOP, Server, base32, digest, iscc_id, unit
from test_passages import real_data
from test_replay import needs_cases, replay
from test_truth import DATA, LIMIT, expect_truth, rows

WAYS = ["follower", "sql"]
BATCH = 1000
SPARSE = 10 if ROUNDS < 20 else 1  # SQL alone is slow: every tenth query, and all in `make soak`


# --- the recorded cases -----------------------------------------------------------------------------

@needs_cases
@pytest.mark.parametrize("way, workers", [("follower", 1), ("follower", 4), ("sql", 4)])
def test_recorded_cases(shared_cluster, database, way, workers):
    """Each case has a working directory of its own, which names its schema and holds its followers."""
    script = ('ISCC_SEARCH_POSTGRES_SCHEMA="s$(pwd | md5sum | cut -c1-16)"; '
              "ISCC_SEARCH_POSTGRES_FOLLOWER_DIR=$PWD/followers; "
              "export ISCC_SEARCH_POSTGRES_SCHEMA ISCC_SEARCH_POSTGRES_FOLLOWER_DIR; "
              f"ISCC_SEARCH_POSTGRES_SEARCH={way} exec {BINARY} serve --workers {workers}")
    replay(f"sh -c {shlex.quote(script)}", "postgres", "--uri", shared_cluster.uri(database))


# --- real data --------------------------------------------------------------------------------------

class Trio:
    """The same data in usearch:// and in a database, which is searched both ways."""

    def __init__(self, folder, cluster, database, settings=None):
        folder.mkdir(exist_ok=True)
        uri = cluster.uri(database)
        self.settings = {f"ISCC_SEARCH_{name}": value for name, value in (settings or {}).items()}
        self.reference = self.begin(folder / "usearch", f"usearch://{folder}/store")
        self.hosts = {way: self.begin(folder / way, uri, way) for way in WAYS}
        self.servers = [self.reference, *self.hosts.values()]
        self.asked, self.sql_every = 0, 1
        for server in (self.reference, self.hosts["follower"]):
            assert server.post("/indexes", json={"name": "main"}).status_code == 201

    def begin(self, folder, uri, way=None):
        folder.mkdir()
        env = {"ISCC_SEARCH_POSTGRES_FOLLOWER_DIR": str(folder / "followers"),
               "ISCC_SEARCH_POSTGRES_SEARCH": way} if way else {}
        server = Server(folder, uri, {**env, **self.settings}, ["--workers", "4"] if way else []).start()
        server.session = requests.Session()
        return server

    def stop(self):
        for server in self.servers:
            server.session.close()
            assert server.stop() == 0, server.log()[-4000:]

    def both(self, call):
        """Do the same to usearch:// and to the database; both have to say the same."""
        one, two = call(self.reference), call(self.hosts["follower"])
        assert one.status_code == two.status_code, f"{one.text} {two.text}"
        if one.content:
            assert one.json() == two.json()
        return one

    def add(self, assets):
        for start in range(0, len(assets), BATCH):
            answer = self.both(lambda server: server.session.post(
                server.base + "/indexes/main/assets", json=assets[start:start + BATCH]))
            assert answer.status_code == 201, answer.text

    def delete(self, name):
        assert self.both(lambda server: server.delete(f"/indexes/main/assets/{name}")).status_code == 204

    def search(self, name, query, limit=LIMIT, more=""):
        """The answer of usearch://, which all others have to give."""
        wanted = None
        self.asked += 1
        for server in self.servers[:None if self.asked % self.sql_every == 0 else 2]:
            answer = server.session.post(f"{server.base}/indexes/main/search?limit={limit}{more}", json=query)
            assert answer.status_code in (200, 400, 404), f"{name}: {answer.text}"
            got = (answer.status_code, answer.json() if answer.status_code == 200 else None)
            wanted = wanted or got
            assert got == wanted, f"{name}: {server.env.get('ISCC_SEARCH_POSTGRES_SEARCH')} answers\n" \
                                  f"{got}\ninstead of\n{wanted}"
        return wanted[1]


@pytest.fixture
def start_trio(tmp_path, shared_cluster, database):
    """A function that starts them with some settings."""
    running = []

    def start(**settings):
        running.append(Trio(tmp_path / "trio", shared_cluster, database, settings))
        return running[-1]

    yield start
    for one in running:
        one.stop()


@pytest.fixture
def trio(start_trio):
    return start_trio()


@pytest.mark.parametrize("corpus", [DATA.parent.name + "/" + DATA.name])
def test_answers_equal_the_truth_and_those_of_usearch(trio, corpus):
    trio.sql_every = SPARSE
    assets = rows("assets.jsonl")
    trio.add(assets)
    truths = {row["name"]: row["assets_full"] for row in rows("truth.jsonl")}
    checked = 0
    for row in rows("queries.jsonl"):
        query = {key: value for key, value in row["query"].items() if key != "simprints"}
        answer = trio.search(row["name"], query)
        expect_truth(row["name"], answer["global_matches"], truths[row["name"]])
        checked += 1
    assert checked == len(truths)
    for asset in assets[::len(assets) // 40]:
        trio.search(asset["iscc_id"], {"iscc_id": asset["iscc_id"]}, 10)
        trio.both(lambda server: server.get(f"/indexes/main/assets/{asset['iscc_id']}"))


def without_expect(match):
    """A match without what calibration decides: SQL alone has none."""
    for one in match.get("explanation", {}).values():
        one.pop("expect", None)
    return {name: value for name, value in match.items() if name != "expect"}


def test_statistics_are_those_of_usearch(trio):
    """But for samples: a database has no distances, and all of its assets are read."""
    trio.add(rows("assets.jsonl")[:1500])
    answers = [server.get("/indexes/main/stats").json() for server in trio.servers]
    for answer in answers:
        assert answer.pop("distances") or answer is not answers[0]
        assert (answer["assets"], answer["sampled"]) == (1500, 1500)
    assert answers[1] == answers[0] and answers[2] == answers[0]


def test_explanations_are_those_of_usearch(trio):
    assets = rows("assets.jsonl")[:1500]
    trio.add(assets)
    queries = [{"iscc_id": asset["iscc_id"]} for asset in assets[::150]]
    queries += [{"units": asset["units"], "min_score": 0.6, "exponent": 2} for asset in assets[50::300]]
    explained = 0
    for query in queries:
        answers = [server.session.post(server.base + "/indexes/main/search?limit=20", json={**query, "explain": True}).json()
                   for server in trio.servers]
        for answer in answers:
            answer["global_matches"] = [without_expect(match) for match in answer["global_matches"]]
            explained += sum(len(match["explanation"]) for match in answer["global_matches"])
            assert answer["query"]["exponent"] == query.get("exponent", 4)
        assert answers[1] == answers[0] and answers[2] == answers[0]
    assert explained > 100


def test_explanations_of_passages_are_those_of_usearch(trio):
    documents, queries = real_data()
    trio.add([{key: value for key, value in document.items() if key != "metadata"} for document in documents[:200]])
    explained = 0
    for name, simprints in queries[:20]:
        said = trio.search(name, {"simprints": simprints, "explain": True}, 5)
        for match in said["chunk_matches"]:
            explained += sum("weight" in chunk for one in match["types"].values() for chunk in one["chunks"])
    assert explained > 20


def test_passages_equal_those_of_usearch(trio):
    trio.sql_every = SPARSE
    documents, queries = real_data()
    trio.add([{key: value for key, value in document.items() if key != "metadata"} for document in documents])
    assert queries
    found = 0
    for name, simprints in queries:
        found += len(trio.search(name, {"simprints": simprints})["chunk_matches"])
    assert found
    for document in documents[:20]:
        if document.get("iscc_code"):
            trio.search(document["iscc_id"], {"iscc_id": document["iscc_id"]}, 10, "&chunks=true")


# --- random programs --------------------------------------------------------------------------------

class Maker:
    """Assets and queries near a few centres, of mixed lengths, so that much matches and ties.

    Passages of an asset meet at one place now and then; some assets have only a code.
    """

    KINDS = ["CONTENT_TEXT_V0", "SEMANTIC_TEXT_V0"]

    def __init__(self, rng, realm=0):
        self.rng, self.realm = rng, realm
        self.centres = [rng.randbytes(32) for _ in range(5)]

    def body(self, main=0, flips=70):
        number = int.from_bytes(self.rng.choice(self.centres), "big")
        for _ in range(self.rng.randrange(flips) if main != 4 else 0):
            number ^= 1 << self.rng.randrange(256)
        return number.to_bytes(32, "big")[:self.rng.choice([4, 8, 12, 16, 24, 32])]

    def units(self, least=1):
        """Of different types, mostly; some with another unit of a type, or another length of one, behind."""
        units = [(main, self.body(main)) for main in self.rng.sample([0, 2, 3, 4], self.rng.randrange(least, 5))]
        while self.rng.random() < 0.3:
            main, body = self.rng.choice(units)
            units.insert(self.rng.randrange(len(units) + 1),
                         (main, self.rng.choice([self.body(main), body[:8], body + digest(main, 32 - len(body))])))
        return [unit(main, body) for main, body in units]

    def code(self):
        """An ISCC-CODE of a text with four units (the 5 says which) of 64 bits."""
        bodies = [(self.body(main, 12) + digest(main, 32))[:8] for main in (0, 2, 3, 4)]
        return "ISCC:" + base32(bytes([ISCC << 4, 5]) + b"".join(bodies))

    def name(self):
        return iscc_id(1000 + self.rng.randrange(120), self.realm)

    def passage(self):
        length = self.rng.choice([8, 16, 24, 32])
        raw = (self.body(flips=60) + digest("tail", 32))[:length]
        return base64.urlsafe_b64encode(raw).decode().rstrip("=")

    def asset(self):
        asset = {"iscc_id": self.name(), "metadata": {"n": self.rng.random()}}
        if self.rng.random() < 0.3:
            asset["iscc_code"] = self.code()
        if self.rng.random() < 0.7:
            asset["units"] = self.units(2)  # fewer are refused
        if self.rng.random() < 0.6:
            asset["simprints"] = {
                kind: [{"simprint": self.passage(), "offset": 100 * self.rng.randrange(4),
                        "size": self.rng.randrange(8, 11)} for _ in range(self.rng.randrange(1, 8))]
                for kind in self.rng.sample(self.KINDS, self.rng.randrange(1, 3))}
        return asset

    def query(self):
        if self.rng.random() < 0.2:
            return {"iscc_id": self.name()}
        query = {"iscc_code": self.code()} if self.rng.random() < 0.2 else {"units": self.units()}
        if self.rng.random() < 0.5:
            query["simprints"] = {kind: [self.passage() for _ in range(self.rng.randrange(1, 6))]
                                  for kind in self.rng.sample(self.KINDS, self.rng.randrange(1, 3))}
        return query


@pytest.mark.parametrize("realm, settings", [
    (0, {}),
    (1, {"MATCH_THRESHOLD_UNITS": "0.55", "MATCH_THRESHOLD_SIMPRINTS": "0.6", "CONFIDENCE_EXPONENT": "2"}),
    (1, {"MATCH_THRESHOLD_UNITS": "1", "MATCH_THRESHOLD_SIMPRINTS": "0"})])
def test_random_programs_answer_as_usearch(start_trio, realm, settings):
    rng, trio = seeded(), start_trio(**settings)
    maker = Maker(rng, realm)
    found = 0
    for turn in range(8 * ROUNDS):
        trio.add([maker.asset() for _ in range(rng.randrange(1, 12))])
        if rng.random() < 0.7:
            name = maker.name()
            trio.both(lambda server: server.delete(f"/indexes/main/assets/{name}"))
        for number in range(5):
            more = rng.choice(["", "&chunks=true"])
            answer = trio.search(f"turn {turn} query {number}", maker.query(), rng.choice([1, 5, 100]), more)
            found += len((answer or {}).get("global_matches", []))
        if turn % 10 == 9:
            one, two = (server.get("/indexes/main").json() for server in (trio.reference, trio.hosts["sql"]))
            assert one["assets"] == two["assets"]
    assert found


def test_a_length_that_only_hidden_passages_have_is_refused(trio):
    """Of passages at one place the first is searched; the others count where frequencies are counted."""
    texts = {bits: base64.urlsafe_b64encode(digest(bits, bits // 8)).decode().rstrip("=") for bits in (128, 256, 64)}
    places = [{"simprint": texts[128], "offset": 0, "size": 5}, {"simprint": texts[256], "offset": 0, "size": 5},
              {"simprint": texts[64], "offset": 7, "size": 5}]
    trio.add([{"iscc_id": iscc_id(number), "units": [unit(0, digest(number)), unit(3, digest(-number))],
               "simprints": {"X": places[:2] if number < 6 else places}} for number in range(1, 8)])
    assert trio.search("hidden", {"simprints": {"X": [texts[256]]}}) is None
    assert trio.search("hidden and shown", {"simprints": {"X": [texts[256], texts[128]]}}) is None
    assert len(trio.search("shown", {"simprints": {"X": [texts[64], texts[128]]}})["chunk_matches"]) == 7


def test_refused_requests_are_refused_alike(trio):
    """The kinds of failure are those of usearch://, and nothing of a refused batch stays."""
    good, twice = Maker(seeded()).asset(), "/indexes/main/assets"
    good["iscc_id"] = iscc_id(5)
    trio.add([good])
    other_realm = {**good, "iscc_id": iscc_id(6, realm=1)}
    new = {**good, "iscc_id": iscc_id(7)}
    for batch in ([new, other_realm], [new, {**good, "units": ["ISCC:garbage"]}], [new, {}], "x"):
        trio.both(lambda server: server.post(twice, json=batch)).status_code in (400, 422)
        assert trio.both(lambda server: server.get(f"{twice}/{new['iscc_id']}")).status_code == 404
    for method, path in (("POST", "/indexes"), ("DELETE", "/indexes/none"), ("GET", "/indexes/none"),
                         ("DELETE", f"{twice}/{new['iscc_id']}"), ("GET", f"{twice}/{iscc_id(6, 1)}")):
        more = {"json": {"name": "main"}} if method == "POST" else {}
        assert trio.both(lambda server: server.call(method, path, **more)).status_code >= 400


METADATA = [
    '{"n":1.50,"big":123456789012345678901234,"e":1E+400,"zero":-0}', '{"a":1,"a":2}', '[]', '"x"', 'null',
    '{"nul":"\\u0000","half":"\\ud800","quote":"\'\\"\\\\"}', "[" * 90 + "]" * 90, '{"":{"":""}}',
    '{"text":"' + "long " * 100000 + '"}']


@pytest.mark.parametrize("text", METADATA, ids=range(len(METADATA)))
def test_metadata_comes_back_as_it_comes_back_from_usearch(trio, text):
    """Byte for byte: numbers keep their digits, keys their order, escapes their form."""
    body = ('[{"iscc_id":"%s","units":["%s","%s"],"metadata":%s}]' % (
        iscc_id(9), unit(0, digest("m")), unit(3, digest("d")), text)).encode()
    headers = {"Content-Type": "application/json"}
    added = [server.session.post(server.base + "/indexes/main/assets", data=body, headers=headers)
             for server in trio.servers[:2]]
    assert added[0].status_code == added[1].status_code, f"{added[0].text} {added[1].text}"
    if added[0].status_code == 201:
        got = [server.session.get(f"{server.base}/indexes/main/assets/{iscc_id(9)}").content
               for server in trio.servers]
        assert got == [got[0]] * 3
        found = [server.session.post(f"{server.base}/indexes/main/search", json={
            "units": [unit(0, digest("m"))]}).content for server in trio.servers]
        assert found == [found[0]] * 3


# --- the conformance suite in C ---------------------------------------------------------------------

@pytest.mark.parametrize("way", WAYS)
def test_conformance_suite(shared_cluster, database, tmp_path, way):
    """tests/unit/test_store.c over this engine; each of its tests has a schema of its own."""
    build = os.environ.get("ISX_BUILD") or BINARY.parent
    program = os.path.join(build, "tests", "unit", "test_store")
    if not os.path.exists(program):
        pytest.skip(f"{program} has not been built")
    env = {**os.environ, "ISX_TEST_POSTGRES": shared_cluster.uri(database), "ISX_TEST_POSTGRES_SEARCH": way,
           "CMOCKA_MESSAGE_OUTPUT": "TAP", "TMPDIR": str(tmp_path)}
    done = subprocess.run([program], env=env, capture_output=True, text=True, timeout=600, check=False)
    print(done.stdout)
    assert done.returncode == 0, done.stdout + done.stderr
    count = (TOP / "tests/unit/test_store.c").read_text(encoding="utf-8").count("ON_POSTGRES(test_store__")
    assert count and (f"{count} test(s)" in done.stdout + done.stderr or f"1..{count}" in done.stdout), done.stdout
