"""How much memory a body makes the server take, while it is read and when the server is idle again."""

import json
import re
import threading
import time

import pytest
import requests

from serving import BINARY, DATA, TOP, digest, iscc_id, make_asset, unit

MIB = 1 << 20
BODY_BYTES = 8 * MIB
LIMITS = (TOP / "src/base/limits.h").read_text(encoding="utf-8")
WHOLE_TIMES = int(re.search(r"define ISX_REQUEST_BYTES_PER_BYTE[\s\\]+(\d+)", LIMITS)[1])
SPARE_BYTES = 6 * MIB  # of threads and connections

no_sanitizer = pytest.mark.skipif(b"__asan_init" in BINARY.read_bytes() or b"__tsan_init" in BINARY.read_bytes(),
                                  reason="a sanitizer takes memory of its own")


def body(before, one, after):
    """A body of the same again and again; `one` is a text, or makes one of a number."""
    parts, size = [], 0
    while size < BODY_BYTES:
        parts.append(one if isinstance(one, str) else one(len(parts)))
        size += len(parts[-1]) + 1
    return (before + ",".join(parts) + after).encode()


ID = f'"iscc_id":"{iscc_id(1)}"'
CODE = "ISCC:KACSUWPOD5TDD5MCD2C6GZVXKJVT5KEVY7L42YISB7NPILUBZK334UY"
SIMPRINT = '{"simprint":"AAAAAAAAAAA","offset":0,"size":0}'

# name: (resource, status, what begins the body, what is repeated, what ends it)
SHAPES = {
    "metadata of objects": ("assets", 201, '[{%s,"metadata":{"a":[' % ID, "{}", "]}}]"),
    "equal values of a field": ("assets", 201, '[{%s,"metadata":{"field":[' % ID, "0", "]}}]"),
    "values of a field": ("assets", 201, '[{%s,"metadata":{"field":[' % ID, lambda i: f'"value {i}"', "]}}]"),
    "metadata of names": ("assets", 201, '[{%s,"metadata":{' % ID, lambda i: f'"{i:x}":0', "}}]"),
    "unknown members": ("assets", 201, "[{%s," % ID, lambda i: f'"{i:x}":0', "}]"),
    "repeated members": ("assets", 201, "[{", ID, "}]"),
    "simprints": ("assets", 201, '[{%s,"simprints":{"A":[' % ID, SIMPRINT, "]}}]"),
    "ids alone": ("assets", 201, "[", lambda i: '{"iscc_id":"%s"}' % iscc_id(i + 1), "]"),
    "codes": ("assets", 201, "[", lambda i: '{"iscc_id":"%s","iscc_code":"%s"}' % (iscc_id(i + 1), CODE), "]"),
    "short units": ("assets", 201, "[", lambda i: '{"iscc_id":"%s","units":["%s"]}' % (
        iscc_id(i + 1), '","'.join(unit(DATA, digest((i, k), 4)) for k in range(40))), "]"),
    "one id": ("assets", 201, "[", "{%s}" % ID, "]"),
    "real assets": ("assets", 201, "[", lambda i: json.dumps(make_asset(i + 1, 32, metadata={"n": i})), "]"),
    "zeros": ("assets", 422, "[", "0", "]"),
    "arrays": ("assets", 422, "[", "[]", "]"),
    "objects": ("assets", 400, "[", "{}", "]"),
    "deep arrays": ("assets", 422, "[", "[" * 400 + "]" * 400, "]"),
    "units": ("assets", 422, '[{%s,"units":[' % ID, '""', "]}]"),
    "empty units": ("assets", 400, "[", '{%s,"units":["","","",""]}' % ID, "]"),
    "types": ("assets", 422, '[{"simprints":{', lambda i: f'"{i:x}":[]', "}}]"),
    "bad simprints": ("assets", 422, '[{"simprints":{"A":[', "0", "]}}]"),
    "bad ids": ("assets", 422, "[", '{"iscc_id":"x"}', "]"),
    "a long text": ("assets", 422, '[{"iscc_id":"', lambda i: "\\u0041" * 1000, '"}]'),
    "a long name": ("assets", 422, '[{"simprints":{"', "a" * 1000, '":[0,0,0,0,0,0,0,0,0,0]}}]'),
    "queried units": ("search", 422, '{"units":[', '""', "]}"),
    "queried simprints": ("search", 200, '{"simprints":{"A":[', '"AAAAAAAAAAA"', "]}}"),
    "queried types": ("search", 422, '{"simprints":{', lambda i: f'"{i:x}":["A"]', "}}"),
    "a query of zeros": ("search", 422, "[", "0", "]"),
    "sizes": ("", 422, '{"name":"a","sizes":{', lambda i: f'"{i:x}":0', "}}"),
}


def own_bytes(server):
    """Memory of the process that is not a file's (RssAnon)."""
    with open(f"/proc/{server.process.pid}/status", encoding="ascii") as status:
        return next(int(line.split()[1]) * 1024 for line in status if line.startswith("RssAnon"))


@no_sanitizer
@pytest.mark.parametrize("name, scheme", [(name, "usearch") for name in SHAPES] +
                         [(name, "lmdb") for name, shape in SHAPES.items() if shape[1] == 201])
def test_a_body_takes_a_small_multiple_of_its_size_and_gives_it_back(start_server, name, scheme):
    """8 MiB of objects in metadata took 2,136 MiB, and 1,920 stayed; of one ISCC-ID 568 MiB in lmdb://."""
    resource, status, before, one, after = SHAPES[name]
    server = start_server(scheme + "://{dir}")
    server.post("/indexes", json={"name": "main"})
    server.put("/indexes/main/fields", json=["field"])
    sent, start, most, over = body(before, one, after), own_bytes(server), [0], threading.Event()

    def watch():
        while not over.wait(0.002):
            most[0] = max(most[0], own_bytes(server))

    watcher = threading.Thread(target=watch)
    watcher.start()
    path = f"/indexes/main/{resource}" if resource else "/indexes"
    answer = requests.post(server.base + path, data=sent, headers={"Content-Type": "application/json"},
                           timeout=60)
    over.set()
    watcher.join()
    assert answer.status_code == status, answer.text[:1000]
    assert most[0] - start < WHOLE_TIMES * len(sent) + SPARE_BYTES
    if status == 422:
        assert len(answer.content) < MIB
    # LMDB keeps the pages that the transaction changed; else nothing stays
    idle = SPARE_BYTES + (3 * len(sent) if status == 201 else 0)
    end = time.monotonic() + 20
    while own_bytes(server) - start >= idle:
        assert time.monotonic() < end, own_bytes(server) - start
        time.sleep(0.05)


def test_more_problems_than_are_listed_are_counted(start_server):
    answer = start_server().post("/indexes/main/assets", json=[0] * 1234)
    assert answer.status_code == 422
    detail = answer.json()["detail"]
    assert len(detail) == 1001
    assert detail[999]["loc"] == ["body", 999]
    assert detail[1000]["msg"] == "and 234 more problems, which are not listed"


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-32-le", "utf-32-be"])
def test_a_body_that_is_not_utf_8_is_named(start_server, encoding):
    server = start_server()
    answer = server.post("/indexes", data='{"name": "wide"}'.encode(encoding),
                         headers={"Content-Type": "application/json"})
    assert answer.status_code == 422
    assert answer.json()["detail"] == [
        {"type": "json_invalid", "loc": ["body", 0],
         "msg": "JSON: expected UTF-8, but this is UTF-16 or UTF-32: convert it"}]
    assert server.post("/indexes", data='\ufeff{"name": "marked"}'.encode(),
                       headers={"Content-Type": "application/json"}).status_code == 201
