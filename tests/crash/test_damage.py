"""Files that are damaged on disk: never a crash, never a copy of the damage without a word, and others go on.

Copies of small indexes with tables of every kind are damaged: bits, fields of headers and of entries, records
of tables, lists of free pages, whole pages, lengths. Every command, and a server with a good index beside
several damaged ones, has to answer. Seconds in `make test`; in `make soak` only the numbers differ.
  DAMAGE_FILES  how many files, for each engine
  DAMAGE_SEED   what is damaged, and how: always the same unless it is set, as `make soak` does; printed
"""
import json
import os
import random
import shutil
import struct
import subprocess
import time
from pathlib import Path

import pytest
import requests

from fleet import BIN, ROOT, Server, asset, environment, iscc_id, query_of

FILES = int(os.environ.get("DAMAGE_FILES", "40"))
SEED = int(os.environ.get("DAMAGE_SEED", 1))
PAGE = 4096
PATIENCE_S = 120
SERVED = 10  # damaged indexes beside a good one
NAMES = {"usearch": "{}/index.lmdb", "lmdb": "{}.lmdb"}
FIELDS = ["number", "size", "text"]
FILTER = {"any": [{"field": "number", "from": 3, "to": 300}, {"field": "text", "from": "w" * 500}, {"types": ["CONTENT_TEXT_V0"]}]}
CRASHED = 99  # how a sanitizer ends a program
SANITIZED = {"ASAN_OPTIONS": f"exitcode={CRASHED}:detect_leaks=0", "UBSAN_OPTIONS": f"exitcode={CRASHED}"}


def run(*words, stdin=None, data="/nowhere"):
    """Run a command. Whatever a file is like, it ends by itself and says how.

    data  the folder whose iscc-search/ has the indexes that `index list` looks at
    """
    done = subprocess.run([BIN, *map(str, words)], input=stdin, capture_output=True, text=True, errors="replace",
                          timeout=PATIENCE_S, check=False, env={**environment("/nowhere"), **SANITIZED, "XDG_DATA_HOME": str(data)})
    assert 0 <= done.returncode <= 4, f"{words}: status {done.returncode}\n{done.stderr[-6000:]}"
    return done


def made(kind, folder):
    """A small file that has pages of every kind: several levels, long values, rows of many keys, free pages."""
    uri = f"{kind}://{folder}"
    rows = [asset(number) for number in range(500)]
    for row in rows:
        row["metadata"]["text"] = "x" * (9000 if row["metadata"]["number"] % 50 == 0 else 100)
        row["metadata"]["size"] = (row["metadata"]["number"] % 20 - 3) * 1000
        if kind == "lmdb":
            row.pop("simprints")
    for part in (rows[:300], rows[300:], rows[100:250]):
        lines = "".join(json.dumps(row) + "\n" for row in part)
        assert run("add", "-", "--uri", uri, "--index", "main", stdin=lines).returncode == 0
        rows[0]["metadata"]["version"] += 1
    assert run("index", "fields", "main", *FIELDS, "--uri", uri).returncode == 0
    path = folder / NAMES[kind].format("main")
    assert run("index", "check", "main", "--uri", uri).returncode == 0
    return path.read_bytes()


# --- damage --------------------------------------------------------------------------------------------

class File:
    """The bytes of a file, and where things lie in it as lmdb_pages.c has them."""

    def __init__(self, content, rng):
        self.bytes, self.rng = bytearray(content), rng
        self.pages = len(content) // PAGE

    def number(self, place, form="<Q"):
        return struct.unpack_from(form, self.bytes, place)[0]

    def put(self, place, value, form="<Q"):
        struct.pack_into(form, self.bytes, place, value & (1 << 8 * struct.calcsize(form)) - 1)

    def meta(self):
        """Where the meta page of the last transaction has its fields."""
        return max(16, PAGE + 16, key=lambda place: self.number(place + 128))

    def page(self, *flags):
        """A page that has one of these flags, or any."""
        pages = [page for page in range(2, self.pages) if self.number(page * PAGE + 10, "<H") in flags]
        return PAGE * self.rng.choice(pages or range(self.pages))

    def entries(self, page):
        """Where the entries of a page lie."""
        count = max(0, self.number(page + 12, "<H") - 16) // 2
        places = [page + self.number(page + 16 + 2 * i, "<H") for i in range(min(count, 500))]
        return [place for place in places if place + 64 < len(self.bytes)] or [page + 16]

    def odd(self, before=0):
        """A number that was not meant: near the right one, near an edge, or any."""
        rng = self.rng
        return rng.choice([0, 1, 2, before + 1, before - 1, before ^ 1 << rng.randrange(16), 0xffff, 0x8000, 15, 17,
                           4095, 4096, 4097, self.pages, self.pages - 1, rng.randrange(1 << 16), rng.randrange(256)])

    def change(self, place, form="<H"):
        self.put(place, self.odd(self.number(place, form)), form)


def flip_bits(file):
    for _ in range(file.rng.choice([1, 1, 2, 8, 64])):
        file.bytes[file.rng.randrange(2 * PAGE, len(file.bytes))] ^= 1 << file.rng.randrange(8)


def flip_in_a_header(file):
    page = file.page(1, 2, 4, 0x22)
    file.bytes[page + file.rng.randrange(16 + 40)] ^= 1 << file.rng.randrange(8)


def change_a_header(file):
    page = file.page(1, 2, 4, 0x22)
    for place in file.rng.sample([0, 8, 10, 12, 14], file.rng.choice([1, 1, 2])):
        file.change(page + place)


def change_a_pointer(file):
    page = file.page(1, 2)
    count = max(1, (file.number(page + 12, "<H") - 16) // 2)
    file.change(page + 16 + 2 * file.rng.randrange(min(count, 500)))


def change_an_entry(file):
    entry = file.rng.choice(file.entries(file.page(1, 2)))
    for place in file.rng.sample([0, 2, 4, 6], file.rng.choice([1, 1, 2])):
        file.change(entry + place)


def change_behind_an_entry(file):
    """Its key, its value, the header of a page within the page, the record of a tree."""
    entry = file.rng.choice(file.entries(file.page(2)))
    file.change(entry + 8 + 2 * file.rng.randrange(28))


def change_a_table(file):
    """A record in the list of tables."""
    root = PAGE * file.number(file.meta() + 24 + 88)
    entry = file.rng.choice(file.entries(root))
    record = entry + 8 + file.number(entry + 6, "<H")
    file.change(record + file.rng.choice([0, 4, 6, 8, 16, 24, 32, 40, 42]))


def change_a_meta_page(file):
    meta = file.rng.choice([16, PAGE + 16, file.meta()])
    if file.rng.random() < 0.5:
        file.bytes[meta - 16 + file.rng.randrange(152)] ^= 1 << file.rng.randrange(8)
    else:
        file.change(meta + 2 * file.rng.randrange(68))


def change_free_pages(file):
    """A list of free pages: its length, or pages that are in use, twice, outside."""
    root = PAGE * file.number(file.meta() + 24 + 40)
    if not 2 * PAGE <= root < len(file.bytes):
        return
    entry = file.rng.choice(file.entries(root))
    place = entry + 8 + file.number(entry + 6, "<H")
    if file.number(entry + 4, "<H") & 1:
        place = PAGE * file.number(place) + 16
    count = min(file.number(place), 500)
    at = place + 8 * file.rng.randrange(count + 1)
    file.put(at, file.rng.choice([file.odd(file.number(at)), file.rng.randrange(file.pages), 1 << 40]))


def replace_a_page(file):
    page, other = (PAGE * file.rng.randrange(file.pages) for _ in range(2))
    file.bytes[page:page + PAGE] = file.rng.choice([
        bytes(PAGE), b"\xff" * PAGE, file.rng.randbytes(PAGE), file.bytes[other:other + PAGE],
        file.bytes[page:page + 512] + file.rng.randbytes(PAGE - 512)])


def change_the_length(file):
    rng, length = file.rng, len(file.bytes)
    if rng.random() < 0.7:
        del file.bytes[rng.choice([rng.randrange(length), PAGE * rng.randrange(1, file.pages), length - 1]):]
    else:
        file.bytes += rng.choice([bytes(PAGE * 3), rng.randbytes(PAGE * 3 + 100)])


def damage_the_tail(file):
    for _ in range(file.rng.choice([1, 20])):
        file.bytes[-1 - file.rng.randrange(PAGE * 4)] = file.rng.randrange(256)


DAMAGES = [flip_bits, flip_in_a_header, change_a_header, change_a_pointer, change_an_entry, change_behind_an_entry,
           change_a_table, change_a_meta_page, change_free_pages, replace_a_page, change_the_length, damage_the_tail]


def damaged(content, number):
    """The bytes of damaged file `number`."""
    file = File(content, random.Random(f"{SEED}-{number}"))
    DAMAGES[number % len(DAMAGES)](file)
    return bytes(file.bytes)


# --- tests ---------------------------------------------------------------------------------------------

@pytest.fixture(scope="module", params=["usearch", "lmdb"])
def good(request, tmp_path_factory):
    """The engine, and the bytes of a good file of it."""
    print(f"seed {SEED}")
    return request.param, made(request.param, tmp_path_factory.mktemp("good"))


def place(kind, folder, content, name="main"):
    path = folder / NAMES[kind].format(name)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


def check_commands(kind, folder, content):
    """All commands on one damaged file. Is it rejected by the check?"""
    shutil.rmtree(folder, ignore_errors=True)
    path, uri, copy = place(kind, folder, content), f"{kind}://{folder}", folder.parent / "copy"
    copy.unlink(missing_ok=True)
    assert run("index", "list", data=folder.parent).returncode == 0
    is_bad = run("index", "check", "main", "--uri", uri).returncode != 0
    done = run("index", "backup", "main", copy, "--uri", uri)
    assert copy.exists() == (done.returncode == 0)
    assert not (is_bad and copy.exists()), "damage was copied"
    if is_bad:
        assert "main" in done.stderr and path.read_bytes() == content
    for number in (0, 250, 499):
        run("get", iscc_id(number), "--uri", uri, "--index", "main")
    run("search", *asset(200)["units"], "--uri", uri, "--index", "main")
    run("search", *asset(200)["units"], "--uri", uri, "--index", "main", "--min-score", 0, "--rank", "significance", "--explain",
        "--filter", json.dumps(FILTER), *(word for field in FIELDS for word in ("--facet", field)))
    run("index", "stats", "main", "--uri", uri)
    before = path.read_bytes()
    is_bad = run("index", "check", "main", "--uri", uri).returncode != 0  # rows are made again at a first use
    done = run("index", "compact", "main", "--uri", uri)
    if is_bad:
        assert done.returncode != 0 and path.read_bytes() == before, "the only copy was replaced"
    else:
        assert run("index", "check", "main", "--uri", uri).returncode == 0
    place(kind, folder, content)
    row = {**asset(600), "metadata": {"a": "y" * 5000}}
    row.pop("simprints") if kind == "lmdb" else None
    run("add", "-", "--uri", uri, "--index", "main",
        stdin="".join(json.dumps(one) + "\n" for one in (row, {**row, "iscc_id": iscc_id(10)})))
    run("search", iscc_id(250), "--uri", uri, "--index", "main")
    return is_bad


def test_commands_on_damaged_files(good, tmp_path):
    kind, content = good
    rejected = 0
    for number in range(FILES):
        try:
            rejected += check_commands(kind, tmp_path / "iscc-search", damaged(content, number))
        except (AssertionError, subprocess.TimeoutExpired) as error:
            raise AssertionError(f"seed {SEED}, file {number}, {DAMAGES[number % len(DAMAGES)].__name__}: {error}") from error
    print(f"{kind}: seed {SEED}, {FILES} damaged files, {rejected} rejected by index check")
    assert FILES < 10 or rejected > FILES / 3


def ask_for_all(base, name):
    """Requests of every kind for one index. Answers are of any kind, too."""
    index = f"{base}/{name}"
    row = {**asset(700), "metadata": {"a": "z" * 5000}}
    row.pop("simprints")
    for method, path, body in (("GET", "", None), ("GET", f"/assets/{iscc_id(3)}", None),
                               ("POST", "/search?limit=5", query_of(200, 0)),
                               ("POST", "/search", {"iscc_id": iscc_id(250)}),
                               ("POST", "/search", {**query_of(200, 0), "min_score": 0, "filter": FILTER, "facets": FIELDS,
                                                    "rank": "significance", "explain": True}),
                               ("GET", "/stats", None), ("PUT", "/fields", FIELDS[:2]),
                               ("POST", "/assets", [row]), ("DELETE", f"/assets/{iscc_id(4)}", None),
                               ("GET", "", None)):
        answer = requests.request(method, index + path, json=body, timeout=PATIENCE_S)
        assert answer.status_code in (200, 201, 204, 400, 404, 422, 500, 503), answer.text
        answer.content and answer.json()


def serve_damaged(kind, folder, content, numbers):
    """A good index beside some damaged ones."""
    place(kind, folder, content, "good")
    for number in numbers:
        place(kind, folder, damaged(content, number), f"bad{number}")
    server = Server(folder, ISCC_SEARCH_INDEX_URI=f"{kind}://{folder}",
                    ISCC_SEARCH_LOG_LEVEL="critical", **SANITIZED)
    try:
        for number in numbers:
            ask_for_all(server.base, f"bad{number}")
            found = requests.post(f"{server.base}/good/search", json=query_of(5, 0), timeout=PATIENCE_S)
            assert found.json()["global_matches"][0]["iscc_id"] == iscc_id(5), found.text
        listed = [one["name"] for one in requests.get(server.base, timeout=PATIENCE_S).json()]
        assert "good" in listed
        ready = requests.get(server.base.replace("/indexes", "/readyz"), timeout=PATIENCE_S).json()
        assert "good" not in [one["name"] for one in ready.get("indexes", [])]
    finally:
        code = server.stop()
    assert code == 0, f"status {code}"


def test_a_server_beside_damaged_files(good, tmp_path):
    kind, content = good
    for first in range(0, FILES, SERVED):
        numbers = range(first, min(first + SERVED, FILES))
        try:
            serve_damaged(kind, tmp_path / f"store{first}", content, numbers)
        except (AssertionError, requests.RequestException) as error:
            raise AssertionError(f"seed {SEED}, files {numbers}: {error}") from error
        shutil.rmtree(tmp_path / f"store{first}")


def overwrite(path, content):
    """As a program that knows nothing of the others: into the file that they have open."""
    time.sleep(0.02)  # the time of a file has a resolution of some milliseconds
    with open(path, "r+b", buffering=0) as file:
        file.write(content)


def test_files_that_are_damaged_while_a_server_has_them_open(good, tmp_path):
    """All of them verified and used before. Not made shorter: what is read then may be gone at any moment."""
    kind, content = good
    place(kind, tmp_path, content, "good")
    numbers = [number for number in range(FILES) if DAMAGES[number % len(DAMAGES)] is not change_the_length]
    paths = {number: place(kind, tmp_path, content, f"bad{number}") for number in numbers}
    server = Server(tmp_path, ISCC_SEARCH_INDEX_URI=f"{kind}://{tmp_path}", ISCC_SEARCH_LOG_LEVEL="critical",
                    **SANITIZED)
    row = {name: value for name, value in asset(701).items() if name != "simprints"}
    try:
        for number in numbers:
            base = f"{server.base}/bad{number}"
            assert requests.post(base + "/assets", json=[row], timeout=PATIENCE_S).status_code == 201
            assert requests.post(base + "/search", json=query_of(5, 0), timeout=PATIENCE_S).status_code == 200
            overwrite(paths[number], damaged(paths[number].read_bytes(), number))
            ask_for_all(server.base, f"bad{number}")
            found = requests.post(f"{server.base}/good/search", json=query_of(5, 0), timeout=PATIENCE_S)
            assert found.json()["global_matches"][0]["iscc_id"] == iscc_id(5), found.text
    except (AssertionError, requests.RequestException) as error:
        raise AssertionError(f"seed {SEED}, file {number}, {DAMAGES[number % len(DAMAGES)].__name__}: {error}") from error
    finally:
        code = server.stop()
    assert code == 0, f"status {code}"
