"""Assets without an ISCC-ID get one, that no other asset has: whichever process answers."""

import base64
import threading
import time

import pytest

from serving import iscc_id, make_asset
from test_routes import detail


def unnamed(number, **more):
    """An asset that has no ISCC-ID yet."""
    asset = make_asset(number, **more)
    del asset["iscc_id"]
    return asset


def parts(text):
    """Realm, time in microseconds and hub number of an ISCC-ID."""
    raw = base64.b32decode(text.removeprefix("ISCC:"))
    body = int.from_bytes(raw[2:], "big")
    return raw[0] & 0xF, body >> 12, body & 0xFFF


def test_an_id_is_the_time_and_the_hub_number(start_server):
    server = start_server(env={"ISCC_SEARCH_HUB_NUMBER": "77"})
    server.post("/indexes", json={"name": "main"})
    before = time.time_ns() // 1000
    assets = [unnamed(1, metadata={"n": 1}), make_asset(5), {"iscc_id": None, **unnamed(2)}]
    added = server.post("/indexes/main/assets", json=assets)
    assert added.status_code == 201
    ids = [item["iscc_id"] for item in added.json()]
    assert [item["status"] for item in added.json()] == ["created"] * 3
    assert ids[1] == iscc_id(5)
    for text in (ids[0], ids[2]):
        realm, moment, hub = parts(text)
        assert (realm, hub) == (0, 77) and before <= moment <= time.time_ns() // 1000 + 10
    assert server.get(f"/indexes/main/assets/{ids[0]}").json() == {"iscc_id": ids[0], **assets[0]}
    found = server.post("/indexes/main/search", json={"units": assets[2]["units"]}).json()["global_matches"]
    assert found[0]["iscc_id"] == ids[2]


def test_the_realm_is_that_of_the_index(server, index):
    server.post(index + "/assets", json=[make_asset(1) | {"iscc_id": iscc_id(1, realm=1)}])
    added = server.post(index + "/assets", json=[unnamed(2)]).json()
    assert parts(added[0]["iscc_id"])[0] == 1


def test_an_asset_that_nothing_finds_is_refused(server, index):
    for assets in ([{}], [unnamed(1), {"metadata": {"name": "x"}}], [{}] * 5, [unnamed(1), {}, {}, {}]):
        refused = detail(server.post(index + "/assets", json=assets), 400)
        assert "iscc_id is missing" in refused
        assert len(assets) == 1 or f"asset {assets.index({}) if {} in assets else 1}" in refused
    assert server.get(index).json()["assets"] == 0


@pytest.mark.parametrize("uri", ["usearch://{dir}", "lmdb://{dir}"])
def test_ids_are_unique_among_all_processes(start_server, uri):
    """Batches of many processes reach far into the same microseconds."""
    servers = [start_server(uri, args=("--workers", "2")), start_server(uri)]
    assert servers[0].post("/indexes", json={"name": "main"}).status_code == 201
    ids, failures, lock = [], [], threading.Lock()

    def post(server, thread):
        for i in range(12):
            size = 400 if i % 3 else 1
            answer = server.post("/indexes/main/assets", json=[unnamed(thread * 10**6 + i * 1000 + k) for k in range(size)])
            with lock:
                if answer.status_code == 201:
                    ids.extend(item["iscc_id"] for item in answer.json())
                    failures.extend(item for item in answer.json() if item["status"] != "created")
                else:
                    failures.append(answer.text)

    threads = [threading.Thread(target=post, args=(servers[n % 2], n)) for n in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures
    assert len(set(ids)) == len(ids) == 6 * (8 * 400 + 4)
    assert servers[0].get("/indexes/main").json()["assets"] == len(ids)
