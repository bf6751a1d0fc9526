"""Random programs over filters and facets: what a search with a filter finds is what the same search without it finds, as
far as a model says that the filter holds.

The model is written from docs/filters.md: an asset is its ISCC-ID, the types of its units and its metadata as Python reads
them, with numbers as decimals. It knows nothing of tables, and nothing of scores.
"""

import base64
import json
import random
import subprocess
from datetime import datetime, timedelta, timezone
from decimal import Decimal
from urllib.parse import urlencode

from serving import BINARY, CONTENT, DATA, INSTANCE, META, digest, iscc_id, unit

# --- JSON as text: numbers keep their spelling ----------------------------------------------------


class Raw(str):
    """A number as it is spelled."""


def dump(value):
    """Python to JSON text."""
    if isinstance(value, Raw):
        return str(value)
    if isinstance(value, dict):
        return "{" + ",".join(f"{json.dumps(key)}:{dump(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ",".join(dump(item) for item in value) + "]"
    return json.dumps(value)


def load(text):
    """JSON text to Python, with numbers that are not rounded."""
    return json.loads(text, parse_int=Decimal, parse_float=Decimal)


# --- the model ------------------------------------------------------------------------------------


def kind_of(value):
    for number, kind in enumerate(((list, dict), type(None), bool, Decimal, str)):
        if isinstance(value, kind):
            return number
    raise AssertionError(value)


def key_of(value):
    """What two values are compared by, within one kind; None: a list or an object, which is equal to nothing."""
    kind = kind_of(value)
    if kind == 0:
        return None
    return kind, value.encode("utf-8") if kind == 4 else 0 if value is None else value


def values_at(metadata, name):
    """The values of a field: none, one, or the elements of a list."""
    value = metadata
    for token in name.removeprefix("/").split("/"):
        token = token.replace("~1", "/").replace("~0", "~")
        if isinstance(value, dict) and token in value:
            value = value[token]
        elif isinstance(value, list) and token.isdecimal() and str(int(token)) == token and int(token) < len(value):
            value = value[int(token)]
        else:
            return []
    return value if isinstance(value, list) and value else [value]


def time_of(value):
    """A time in microseconds."""
    if isinstance(value, Decimal):
        return int(value)
    return round((datetime.fromisoformat(value.replace("Z", "+00:00")).replace(tzinfo=timezone.utc)
                  - datetime(1970, 1, 1, tzinfo=timezone.utc)) / timedelta(microseconds=1))


def number_of(text):
    """The 64 bits of an ISCC-ID."""
    return int.from_bytes(base64.b32decode(text.removeprefix("ISCC:"))[2:], "big")


def is_within(value, limits, read=lambda value: value):
    return not ("from" in limits and value < read(limits["from"]) or "to" in limits and value >= read(limits["to"]))


def passes(test, values):
    """One test of a field."""
    if "exists" in test:
        return test["exists"] == bool(values)
    keys = [key for key in map(key_of, values) if key]
    if "equals" in test:
        return key_of(test["equals"]) in keys
    if "in" in test:
        return any(key_of(value) in keys for value in test["in"])
    kind = kind_of(test.get("from", test.get("to")))
    return any(key[0] == kind and is_within(key, test, key_of) for key in keys)


def holds(test, number, asset):
    """Does a filter hold for an asset?"""
    results = []
    for name, value in test.items():
        if name == "all":
            results.append(all(holds(part, number, asset) for part in value))
        elif name == "any":
            results.append(any(holds(part, number, asset) for part in value))
        elif name == "not":
            results.append(not holds(value, number, asset))
        elif name == "iscc_id":
            results.append(is_within(number, value, number_of))
        elif name == "time":
            results.append(is_within(number >> 12, value, time_of))
        elif name == "hub":
            results.append(number & 4095 in (value if isinstance(value, list) else [value]))
        elif name == "types":
            results.append(set(value) <= asset["types"])
        elif name == "field":
            results.append(passes(test, values_at(asset["metadata"], value)))
    return all(results)


def facet_of(name, assets):
    """The values of a field among assets, as an answer lists them."""
    counts = {}
    for asset in assets:
        for key, value in {key_of(value): value for value in values_at(asset["metadata"], name)}.items():
            if key:
                counts.setdefault(key, [value, 0])[1] += 1
    ranked = sorted(counts.items(), key=lambda item: (-item[1][1], item[0]))
    shown = [{"value": value, "count": count} for _, (value, count) in ranked[:100]]
    others = sum(count for _, (_, count) in ranked[100:])
    return shown + ([{"others": others}] if others else [])


def typed(value):
    """A value that differs from others as JSON does: True is equal to 1 for Python."""
    if isinstance(value, dict):
        return {key: typed(item) for key, item in value.items()}
    if isinstance(value, list):
        return [typed(item) for item in value]
    return kind_of(Decimal(value) if isinstance(value, int) and not isinstance(value, bool) else value), value


def in_order(values):
    """A facet, checked to be in order; strings that begin with the same 390 bytes come in any order, and are sorted here."""
    def cut(key):
        return (key[0], key[1][:390]) if key[0] == 4 else key

    places = [(-one["count"], cut(key_of(one["value"]))) for one in values if "value" in one]
    assert places == sorted(places)
    return typed(sorted(values, key=lambda one: (-one["count"], key_of(one["value"])) if "value" in one else (1,)))


def alike(answer):
    """An answer in which only what may differ between two engines is put in order."""
    return {name: {field: in_order(values) for field, values in value.items()} if name.endswith("facets") else value for name, value in answer.items()}


# --- random assets and filters --------------------------------------------------------------------

LONG = "x" * 395
VALUES = [*map(Raw, """1 1.0 1e0 10e-1 2 -1 -1.5 -1.50 0 -0.0 3.25 9007199254740992 9007199254740993 -9007199254740993 0.1
                       0.10000000000000001 1e300 12345678901234567890 12345678901234567891 2020 2021 2022.5""".split()),
          "a", "b", "A", "\u00e4", "\U0001F600", "", "a\0b", "1", "CC0", "CC-BY", "\ufb01", LONG, LONG + "a", LONG + "abcd", LONG + "abcde",
          LONG + "abcdef", LONG + "abcdeg" + LONG, LONG + "abcdeg" + LONG + "z", True, False, None]
FIELDS = ["license", "/creator/name", "tags", "/tags/0", "n", "/creator/a~1b", "x", "/x/\u00e9"]
TYPES = {CONTENT: "CONTENT_TEXT_V0", DATA: "DATA_NONE_V0", META: "META_NONE_V0", INSTANCE: "INSTANCE_NONE_V0"}
START_US = 1735689600000000  # 2025-01-01


class Program:
    """A server, an index, and what it has to hold."""

    def __init__(self, server, index, seed, kinds=("units", "simprints"), chance=True):
        self.server, self.index, self.kinds = server, index, kinds
        self.chance = chance  # ask for what chance would make, too
        self.random = random.Random(seed)
        self.assets = {}
        self.declared = []
        self.asked = []  # queries with filters
        self.found = self.kept = 0

    # what is stored

    def number(self):
        """An ISCC-ID of one of 40 days, with one of 5 hubs."""
        return (START_US + self.random.randrange(40) * 86400000000 + self.random.randrange(50)) << 12 | \
            self.random.choice([0, 0, 0, 1, 2, 3, 4095])

    def value(self):
        return self.random.choice(VALUES)

    def metadata(self):
        """Members that may be missing, and values of every kind."""
        chance = self.random.random
        made = {}
        if chance() < 0.8:
            made["license"] = self.value() if chance() < 0.5 else self.random.choice(["CC0", "CC-BY", "a"])
        if chance() < 0.6:
            made["creator"] = {"name": self.value(), "a/b": self.value()} if chance() < 0.8 else self.value()
        if chance() < 0.6:
            made["tags"] = [self.value() for _ in range(self.random.randrange(5))]
        if chance() < 0.7:
            made["n"] = self.random.choice([value for value in VALUES if isinstance(value, Raw)])
        if chance() < 0.4:
            made["x"] = self.random.choice([{}, [], [[]], [[Raw("1")], Raw("2")], {"\u00e9": self.value()}, None])
        return made if chance() < 0.95 else None

    def body(self, bits, flips):
        """A body near one of three works."""
        body = bytearray(digest(("work", self.random.randrange(3)), bits // 8))
        for _ in range(self.random.randrange(flips + 1)):
            at = self.random.randrange(bits)
            body[at // 8] ^= 1 << at % 8
        return bytes(body)

    def asset(self, number):
        units = [unit(CONTENT, self.body(self.random.choice([64, 64, 128, 256]), 20))]
        mains = {CONTENT}
        for main, flips in ((DATA, 24), (META, 24), (INSTANCE, 0)):
            if self.random.random() < 0.6:
                units.append(unit(main, self.body(64, flips)))
                mains.add(main)
        if len(units) == 1:  # an asset has two at least
            units.append(unit(DATA, self.body(64, 24)))
            mains.add(DATA)
        metadata = self.metadata()
        made = {"iscc_id": iscc_id(number), "units": units}
        if metadata is not None:
            made["metadata"] = metadata
        if "simprints" in self.kinds and self.random.random() < 0.5:
            passages = [self.body(64, 12) for _ in range(self.random.randrange(1, 4))]
            made["simprints"] = {"CONTENT_TEXT_V0": [{"simprint": self.base64(body), "offset": Raw(at * 100), "size": Raw(90)}
                                                     for at, body in enumerate(passages)]}
        return made, {"types": {TYPES[main] for main in mains},
                      "metadata": load(dump(metadata)) if metadata is not None else {}}

    @staticmethod
    def base64(body):
        return base64.urlsafe_b64encode(body).decode().rstrip("=")

    def send(self, method, path, value, status):
        answer = self.server.call(method, self.index + path, data=dump(value).encode(), headers={"Content-Type": "application/json"})
        assert answer.status_code == status, answer.text[:2000]
        return answer

    def add(self):
        """New assets, and old ones in another form."""
        numbers = {self.number() for _ in range(self.random.randrange(1, 40))}
        if self.assets and self.random.random() < 0.5:
            numbers |= set(self.random.sample(sorted(self.assets), min(len(self.assets), 5)))
        made = {number: self.asset(number) for number in numbers}
        self.send("POST", "/assets", [sent for sent, _ in made.values()], 201)
        self.assets.update({number: known for number, (_, known) in made.items()})

    def patch(self):
        for number in self.random.sample(sorted(self.assets), min(len(self.assets), 3)):
            metadata = self.metadata()
            self.send("PATCH", "/assets/" + iscc_id(number), {"metadata": metadata}, 200)
            self.assets[number]["metadata"] = load(dump(metadata)) if metadata is not None else {}

    def remove(self):
        numbers = self.random.sample(sorted(self.assets), min(len(self.assets), self.random.randrange(1, 6)))
        if len(numbers) == 1:
            assert self.server.delete(f"{self.index}/assets/{iscc_id(numbers[0])}").status_code == 204
        elif numbers:
            self.send("POST", "/assets/remove", [iscc_id(number) for number in numbers], 200)
        for number in numbers:
            del self.assets[number]

    def declare(self):
        self.declared = self.random.sample(FIELDS, self.random.randrange(2, len(FIELDS) + 1))
        self.send("PUT", "/fields", self.declared, 200)

    # what is asked

    def test(self):
        """A test of a declared field."""
        name = self.random.choice(self.declared)
        test = {"field": name if self.random.random() < 0.5 or "~" in name else "/" + name.removeprefix("/")}
        kind = self.random.randrange(5)
        if kind == 0:
            test["exists"] = self.random.random() < 0.5
        elif kind == 1:
            test["in"] = [self.value() for _ in range(self.random.randrange(6))]
        elif kind == 2:
            test["equals"] = self.value()
        else:
            texts = self.random.random() < 0.5
            pool = [value for value in VALUES if isinstance(value, str) and isinstance(value, Raw) != texts]
            for end in self.random.choice([("from",), ("to",), ("from", "to")]):
                test[end] = self.random.choice(pool)
        return test

    def time(self):
        us = START_US + self.random.randrange(41) * 86400000000 + self.random.choice([0, 0, 25])
        if self.random.random() < 0.3:
            return Raw(us)
        return (datetime(1970, 1, 1) + timedelta(microseconds=us)).isoformat() + "Z"

    def filter(self, depth=0):
        """A random filter."""
        made = {}
        for _ in range(self.random.choice([1, 1, 1, 2])):
            kind = self.random.randrange(9 if depth < 4 else 5)
            ends = self.random.choice([("from",), ("to",), ("from", "to")])
            if kind == 0:
                made["iscc_id"] = {end: iscc_id(self.random.choice(sorted(self.assets) or [0]) + self.random.choice([0, 1])) for end in ends}
            elif kind == 1:
                made["time"] = {end: self.time() for end in ends}
            elif kind == 2:
                made["hub"] = self.random.choice([Raw(0), Raw(3), [Raw(0), Raw(4095)], [], [Raw(1), Raw(2), Raw(1)]])
            elif kind == 3:
                made["types"] = self.random.sample(sorted(TYPES.values()), self.random.choice([1, 1, 2]))
            elif kind == 4:
                made.update(self.test() if "field" not in made else {})
            elif kind == 5:
                made["not"] = self.filter(depth + 1)
            else:
                made[self.random.choice(["all", "any"])] = [self.filter(depth + 1) for _ in range(self.random.randrange(4))]
        return made

    def query(self):
        """Something that finds much: a work, an asset of the index, or passages."""
        kind = self.random.choice(self.kinds)
        if kind == "units" and self.assets and self.random.random() < 0.3:
            return {"iscc_id": iscc_id(self.random.choice(sorted(self.assets)))}
        work = ("work", self.random.randrange(3))
        units = [unit(main, digest(work, size)) for main, size in ((CONTENT, 32), (DATA, 8), (INSTANCE, 8))]
        if kind == "units":
            return {"units": units[:self.random.randrange(1, 4)]}
        query = {"simprints": {"CONTENT_TEXT_V0": [self.base64(digest(work, 8))]}}
        return {**query, "units": units} if self.random.random() < 0.5 else query

    def conditions(self):
        """Other members of a query, none of which knows filters: chance is that of the whole index."""
        made = {"with": []}
        if self.random.random() < 0.3:
            made["min_score"] = Raw("0.6")
        if not self.chance:
            return made
        if self.random.random() < 0.3:
            made["rank"] = self.random.choice(["score", "significance", "tiered"])
        if self.random.random() < 0.2:
            made["max_expect"] = self.random.choice([Raw("0.01"), Raw("1"), Raw("100")])
        if self.random.random() < 0.2:
            made["explain"] = True
        return made

    def ask(self, query, limit, status=200):
        return load(self.send("POST", f"/search?limit={limit}&count=true", query, status).text)

    def check(self):
        """A search with a filter finds what the same one finds without, as far as the filter holds."""
        query = {**self.conditions(), **self.query()}
        plain = self.ask(query, 100000)
        filtered = {**query, "filter": self.filter(), "facets": self.random.sample(self.declared, self.random.randrange(3))}
        limit = self.random.choice([1, 3, 10, 100000])
        answer = self.ask(filtered, limit)
        test = load(dump(filtered["filter"]))
        self.asked.append(filtered)
        for matches, count, facets in (("global_matches", "count", "facets"), ("chunk_matches", "chunk_count", "chunk_facets")):
            numbers = [number_of(match["iscc_id"]) for match in plain[matches]]
            expected = [at for at, number in enumerate(numbers) if holds(test, number, self.assets[number])]
            self.found += len(numbers)
            self.kept += len(expected)
            said = dump(filtered)
            assert [match["iscc_id"] for match in answer[matches]] == [plain[matches][at]["iscc_id"] for at in expected[:limit]], said
            assert answer[matches] == [plain[matches][at] for at in expected[:limit]], said
            assert answer[count] == len(expected), said
            kept = [self.assets[numbers[at]] for at in expected]
            assert set(answer[facets]) == set(filtered["facets"])
            for name in filtered["facets"]:
                assert in_order(answer[facets][name]) == typed(facet_of(name, kept)), (name, said)

    def check_undeclared(self):
        """A field that is not declared is named."""
        for name in set(FIELDS) - set(self.declared):
            pointer = name if name.startswith("/") else "/" + name
            for more in ({"filter": {"any": [{}, {"field": name, "exists": True}]}}, {"facets": [name]}):
                answer = self.send("POST", "/search", {"units": [unit(CONTENT, digest(1))], **more}, 400)
                assert f"'{pointer}' is not declared" in answer.json()["detail"], answer.text
            return

    def check_pages(self):
        """Pages of a filtered search are its whole ranking."""
        query = {**self.conditions(), **self.query(), "filter": self.filter()}
        whole, after, pages = self.ask(query, 100000), "", []
        while after is not None:
            page = load(self.send("POST", f"/search?limit=4&after={after}", query, 200).text)
            pages.append(page)
            after = page["next"]
        for matches in ("global_matches", "chunk_matches"):
            assert [match for page in pages for match in page[matches]] == whole[matches], dump(query)

    def run(self, steps):
        """A program: changes, declarations and questions."""
        self.declare()
        for _ in range(steps):
            step = self.random.choices([self.add, self.patch, self.remove, self.declare, self.check, self.check_pages, self.check_undeclared],
                                       [4, 3, 2, 1, 14, 1, 1])[0]
            if self.assets or step in (self.add, self.declare, self.check_undeclared):
                step()
        assert self.assets.keys() or steps < 20

    # the same answers by other requests

    def known(self):
        """The last queries whose fields are declared now, and their answers."""
        queries = [query for query in self.asked[-60:] if "iscc_id" not in query or number_of(query["iscc_id"]) in self.assets]
        answers = [self.server.post(f"{self.index}/search?limit=7", data=dump(query).encode(), headers={"Content-Type": "application/json"})
                   for query in queries]
        return [(query, load(answer.text)) for query, answer in zip(queries, answers) if answer.status_code == 200]

    def check_batch(self):
        """Many queries in one request."""
        known = self.known()
        answer = self.send("POST", "/search/batch?limit=7", {"queries": [query for query, _ in known]}, 200)
        for result, (query, single) in zip(load(answer.text)["results"], known, strict=True):
            assert alike(result) == alike(single), dump(query)

    def check_url(self):
        """Filter and facets as parameters of the URL."""
        for query, single in self.known():
            filtered = {name: query.pop(name) for name in ("filter", "facets")}
            params = urlencode([("filter", dump(filtered["filter"])), *(("facets", name) for name in filtered["facets"])])
            answer = load(self.send("POST", f"/search?limit=7&{params}", query, 200).text)
            assert answer["global_matches"] == single["global_matches"] and answer["chunk_matches"] == single["chunk_matches"]
            assert not filtered["facets"] or alike(answer)["facets"] == alike(single)["facets"]

    def check_remote(self, folder):
        """The engine of http://: it sends the queries on and reads the answers."""
        known = self.known()
        lines = "".join(dump(query) + "\n" for query, _ in known)
        name = self.index.rpartition("/")[2]
        done = subprocess.run([str(BINARY), "search", "-", "--uri", self.server.base, "--index", name, "--limit", "7"], input=lines.encode(),
                              env={"HOME": str(folder), "PATH": "/usr/bin:/bin"}, cwd=folder, capture_output=True, check=False, timeout=120)
        assert done.returncode == 0, done.stderr.decode()[-2000:]
        answers = [load(line) for line in done.stdout.decode().splitlines()]
        assert len(answers) == len(known)
        for answer, (query, single) in zip(answers, known):
            for member in ("global_matches", "chunk_matches", "facets", "chunk_facets"):
                assert alike(answer).get(member) == alike(single).get(member), dump(query)
