"""Processes that know nothing of each other work on one directory: servers, and the command line beside them.

What one of them did is seen by the next request to any other: no process remembers an index or an asset
that another has changed. Once for each engine on disk.
"""
import json
import os
import subprocess
import threading
import time

import pytest
import requests

from fleet import (BIN, Clients, Fleet, Ledger, Server, asset, check_file, children, environment, expect_whole,
                   iscc_id, query_of, wait_until)

ENGINES = ["usearch", "lmdb"]


@pytest.fixture(params=ENGINES)
def servers(request, tmp_path):
    """Three servers on one directory; `store` is its URI."""
    uri = f"{request.param}://{tmp_path}/store"
    made = [Server(tmp_path, ISCC_SEARCH_INDEX_URI=uri) for _ in range(3)]
    for server in made:
        server.store = uri
    yield made
    assert [server.stop() for server in made] == [0, 0, 0]


def command(folder, uri, *args, given=None):
    """Run the command line with a home of its own, whose index `main` lies in the servers' directory."""
    env = {**environment(folder), "XDG_DATA_HOME": str(folder / "home"), "HOME": str(folder)}
    home = folder / "home" / "iscc-search"
    home.mkdir(parents=True, exist_ok=True)
    main = {"type": "local", "path": uri.split("://")[1]}
    (home / "config.json").write_text(json.dumps({"active_index": "main", "indexes": {"main": main}}))
    return subprocess.run([BIN, *args], env=env, cwd=folder, input=given, capture_output=True, text=True,
                          timeout=60)


def test_each_change_is_seen_by_the_next_request_to_any_other(servers):
    one, two, three = (server.base for server in servers)
    everyone = (two, three, one)
    assert requests.post(one, json={"name": "main"}).status_code == 201
    for base in everyone:
        assert requests.get(f"{base}/main").json()["assets"] == 0
        assert requests.post(base, json={"name": "main"}).status_code == 409
    for round_number in range(10):
        one, two, three = two, three, one
        first, second = asset(round_number), asset(round_number, 1)
        assert requests.post(f"{one}/main/assets", json=[first]).json()[0]["status"] == "created"
        for base in everyone:
            assert requests.get(f"{base}/main/assets/{first['iscc_id']}").json()["metadata"] == first["metadata"]
            assert first["iscc_id"] in requests.post(f"{base}/main/search", json={"units": first["units"]}).text
        assert requests.post(f"{two}/main/assets", json=[second]).json()[0]["status"] == "updated"
        for base in everyone:
            assert requests.get(f"{base}/main/assets/{first['iscc_id']}").json()["metadata"] == second["metadata"]
            found = requests.post(f"{base}/main/search", json={"units": first["units"]}).json()
            assert found["global_matches"] == []
            assert first["iscc_id"] in requests.post(f"{base}/main/search", json={"units": second["units"]}).text
        assert requests.delete(f"{three}/main/assets/{first['iscc_id']}").status_code == 204
        for base in everyone:
            assert requests.get(f"{base}/main/assets/{first['iscc_id']}").status_code == 404
            assert requests.delete(f"{base}/main/assets/{first['iscc_id']}").status_code == 404
            found = requests.post(f"{base}/main/search", json={"units": second["units"]}).json()
            assert found["global_matches"] == []


def test_an_index_that_is_deleted_and_made_again_is_the_new_one_everywhere(servers):
    bases = [server.base for server in servers]
    for number in range(15):
        one, two, three = bases[number % 3], bases[(number + 1) % 3], bases[(number + 2) % 3]
        assert requests.post(one, json={"name": "main"}).status_code == 201
        assert requests.post(f"{two}/main/assets", json=[asset(number)]).status_code == 201
        for base in bases:
            assert requests.get(f"{base}/main").json()["assets"] == 1
            assert requests.get(f"{base}/main/assets/{iscc_id(number)}").status_code == 200
            for old in range(number):
                assert requests.get(f"{base}/main/assets/{iscc_id(old)}").status_code == 404
            assert [index["name"] for index in requests.get(base).json()] == ["main"]
        assert requests.delete(f"{three}/main").status_code == 204
        for base in bases:
            for reply in (requests.get(f"{base}/main"), requests.delete(f"{base}/main"),
                          requests.post(f"{base}/main/search", json={"units": asset(number)["units"]}),
                          requests.post(f"{base}/main/assets", json=[asset(number)])):
                assert reply.status_code == 404, reply.text
            assert requests.get(base).json() == []


def test_realm_of_a_deleted_index_is_forgotten(servers):
    """The realm is decided by the first asset: what a process knew of the old index is nothing to the new."""
    one, two, _ = (server.base for server in servers)
    other_realm = dict(asset(1))
    other_realm["iscc_id"] = "ISCC:MEIG" + iscc_id(1)[9:]
    for base, good in ((one, asset(1)), (two, other_realm)):
        assert requests.post(base, json={"name": "main"}).status_code == 201
        assert requests.post(f"{one}/main/assets", json=[good]).status_code == 201, good
        assert requests.post(f"{two}/main/assets", json=[good]).status_code == 201, good
        assert requests.delete(f"{base}/main").status_code == 204


def leftovers(pid):
    """Files of deleted indexes that a process has open or mapped."""
    held = set()
    for name in os.listdir(f"/proc/{pid}/fd"):
        try:
            target = os.readlink(f"/proc/{pid}/fd/{name}")
        except FileNotFoundError:
            continue
        if target.endswith(" (deleted)") and ".lmdb" in target:
            held.add(target)
    with open(f"/proc/{pid}/maps", encoding="utf-8") as maps:
        held.update(line.split(maxsplit=5)[5].strip() for line in maps
                    if line.rstrip().endswith(".lmdb (deleted)"))
    return held


def test_deleting_while_others_search_and_add_gives_nothing_but_404(servers, tmp_path):
    """While clients of three servers search and add, the index goes and comes back."""
    bases = [server.base for server in servers]
    wrong, over, answered = [], threading.Event(), {200: 0, 201: 0, 404: 0}

    def client(i):
        session, number = requests.Session(), i * 100000
        while not over.is_set():
            number += 1
            base = bases[number % 3]
            if i % 2:
                reply = session.post(f"{base}/main/assets", json=[asset(number)])
            else:
                reply = session.post(f"{base}/main/search", json=query_of(1, 0))
            if reply.status_code in answered:
                answered[reply.status_code] += 1
            else:
                wrong.append((reply.status_code, reply.text))
            if reply.status_code == 404 and "Index 'main' not found" not in reply.text:
                wrong.append(reply.text)

    threads = [threading.Thread(target=client, args=(i,)) for i in range(6)]
    for thread in threads:
        thread.start()
    try:
        for i in range(12):
            assert requests.post(bases[i % 3], json={"name": "main"}).status_code == 201
            time.sleep(0.1)
            assert requests.delete(f"{bases[(i + 1) % 3]}/main").status_code == 204
            time.sleep(0.03)
    finally:
        over.set()
        for thread in threads:
            thread.join()
    assert not wrong, wrong[:5]
    assert all(answered.values()), answered
    assert os.listdir(tmp_path / "store") == []


def test_a_backup_while_others_write_is_whole(tmp_path):
    """All that was acknowledged before it began is in it; it is sound, and serves."""
    fleet, ledger, number = Fleet(tmp_path, 3, False), Ledger(), 0
    assert requests.post(fleet.bases()[0], json={"name": "main"}).status_code == 201
    clients = Clients(fleet, ledger, 3, 1, 1)
    try:
        wait_until(lambda: ledger.acknowledged > 100, "assets")
        for number in range(5):
            with ledger.lock:
                before = [(key, entry.version, entry.changes) for key, entry in ledger.entries.items()
                          if not entry.pending]
            copy = tmp_path / f"copy{number}" / "main"
            copy.mkdir(parents=True)
            done = command(tmp_path, f"usearch://{tmp_path}", "index", "backup", "main", str(copy / "index.lmdb"),
                           "--uri", f"usearch://{tmp_path}")
            assert done.returncode == 0, done.stderr
            with ledger.lock:
                same = [key for key, version, changes in before
                        if version == 0 and ledger.entries[key].changes == changes]
            check_file(tmp_path, f"usearch://{copy.parent}")
            restored = Server(tmp_path, ISCC_SEARCH_INDEX_URI=f"usearch://{copy.parent}")
            for key in same[:50]:
                expect_whole(requests.Session(), restored.base, key)
            assert same and restored.stop() == 0
    finally:
        clients.stop()
        fleet.stop()
    assert not ledger.failures, ledger.failures[:5]


def test_the_files_of_a_deleted_index_go_though_others_had_it_open(servers, tmp_path):
    """Also where nobody asks any more: a process that idles does not keep the disk space."""
    one, two, three = servers
    assert requests.post(one.base, json={"name": "main"}).status_code == 201
    for server in servers:
        assert requests.post(f"{server.base}/main/assets", json=[asset(1)]).status_code == 201
    assert requests.delete(f"{two.base}/main").status_code == 204
    assert os.listdir(tmp_path / "store") == []
    for server in servers:
        wait_until(lambda: not leftovers(server.process.pid), "the files to be closed")
    assert requests.post(three.base, json={"name": "main"}).status_code == 201
    assert requests.get(f"{one.base}/main").json()["assets"] == 0


@pytest.mark.parametrize("servers", ["usearch"], indirect=True)  # what the command line works on
def test_the_command_line_adds_while_servers_run(servers, tmp_path):
    one, two, three = (server.base for server in servers)
    assert requests.post(one, json={"name": "main"}).status_code == 201
    over, wrong, served = threading.Event(), [], []

    def add():
        session, number = requests.Session(), 5000
        while not over.is_set():
            number += 1
            reply = session.post(f"{two}/main/assets", json=[asset(number)])
            (served if reply.status_code == 201 else wrong).append(number)

    thread = threading.Thread(target=add)
    thread.start()
    try:
        for first in range(0, 400, 100):
            lines = "\n".join(json.dumps(asset(number)) for number in range(first, first + 100))
            done = command(tmp_path, servers[0].store, "add", "-", given=lines)
            assert done.returncode == 0, done.stderr
            for number in (first, first + 50, first + 99):
                for base in (one, two, three):
                    expect_whole(requests.Session(), base, number)
    finally:
        over.set()
        thread.join()
    assert served and not wrong
    for number in served[-20:]:
        done = command(tmp_path, servers[0].store, "get", iscc_id(number))
        assert done.returncode == 0 and f'"number":{number}' in done.stdout.replace(" ", ""), done
    assert requests.get(f"{three}/main").json()["assets"] == 400 + len(served)


def test_a_process_of_the_same_number_in_another_container_is_told_why(tmp_path):
    """LMDB knows readers by their process number: two of one number must not work on a file."""
    namespace = ["unshare", "--pid", "--fork", "--kill-child"]
    if subprocess.run([*namespace, "true"], capture_output=True).returncode:
        pytest.skip("no new PID namespace may be made here")
    servers = [subprocess.Popen([*namespace, BIN, "serve", "--port", "0"], env=environment(tmp_path), cwd=tmp_path,
                                stdout=subprocess.PIPE, text=True) for _ in range(2)]
    try:
        bases = [server.stdout.readline().split()[-1] + "/indexes" for server in servers]
        assert requests.post(bases[0], json={"name": "main"}).status_code == 201
        assert requests.post(f"{bases[0]}/main/assets", json=[asset(1)]).status_code == 201
        reply = requests.post(f"{bases[1]}/main/assets", json=[asset(2)])
        assert reply.status_code == 503 and "another PID namespace" in reply.text
        expect_whole(requests.Session(), bases[0], 1)
        assert requests.get(f"{bases[0]}/main").json()["assets"] == 1
    finally:
        for server in servers:
            os.kill(children(server.pid)[0], 9)
            server.wait()
            server.stdout.close()


def test_a_read_only_replica_answers_from_the_copy_that_replaces_its_file(tmp_path):
    """docs/deployment.md, "Reading only": backups of one directory are renamed into another that only reads.

    Its workers meet the new file at different times, while others still have the old one open.
    """
    replica = tmp_path / "replica" / "main"
    replica.mkdir(parents=True)
    writer, reader = Server(tmp_path), None
    assert requests.post(writer.base, json={"name": "main"}).status_code == 201
    for number in range(6):
        for _ in range(1 + number % 2):  # the number of the last transaction even, and odd
            assert requests.post(f"{writer.base}/main/assets", json=[asset(number)]).status_code == 201
        done = command(tmp_path, f"usearch://{tmp_path}", "index", "backup", "main", str(replica / "next"), "--uri",
                       f"usearch://{tmp_path}")
        assert done.returncode == 0, done.stderr
        os.rename(replica / "next", replica / "index.lmdb")
        reader = reader or Server(tmp_path, 3, ISCC_SEARCH_INDEX_URI=f"usearch://{replica.parent}",
                                  ISCC_SEARCH_READ_ONLY="true")
        for _ in range(15):  # whichever worker answers
            assert requests.get(f"{reader.base}/main").json()["assets"] == number + 1
        for known in range(number + 1):
            expect_whole(requests.Session(), reader.base, known)
        assert requests.post(f"{reader.base}/main/assets", json=[asset(9)]).status_code >= 400
    assert (reader.stop(), writer.stop()) == (0, 0)
