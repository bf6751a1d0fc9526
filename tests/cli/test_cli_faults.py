"""Disks that are full, relaxed durability, files that are damaged: a clear answer, and the data as it was."""

import fcntl
import json
import os
import signal
import subprocess
import threading

import pytest
import requests

from commandline import BINARY
from mounts import small_disk
from serving import iscc_id, make_asset

KINDS = {"usearch": "main/index.lmdb", "lmdb": "main.lmdb"}


@pytest.fixture(params=sorted(KINDS))
def kind(request):
    return request.param


def fill_up(server, batch=1):
    """Add until it is refused; returns how many were acknowledged, and the refusal."""
    for first in range(1, 5000, batch):
        assets = [make_asset(number, metadata={"text": "x" * 3000}) for number in range(first, first + batch)]
        answer = server.post("/indexes/main/assets", json=assets)
        if answer.status_code != 201:
            return first - 1, answer
    raise AssertionError("the disk never got full")


def test_a_full_disk(cli, start_server, kind):
    with small_disk(4) as folder:
        uri = f"{kind}://{folder}/store"
        server = start_server(uri)
        assert server.post("/indexes", json={"name": "main"}).status_code == 201
        count, refused = fill_up(server)
        assert refused.status_code == 507 and "disk is full" in refused.json()["detail"]
        assert count > 100
        assert server.get("/indexes/main").json()["assets"] == count
        for number in (1, count // 2, count):
            assert server.get(f"/indexes/main/assets/{iscc_id(number)}").status_code == 200
            found = server.post("/indexes/main/search", json={"units": make_asset(number)["units"]}).json()
            assert found["global_matches"][0]["iscc_id"] == iscc_id(number)
        assert cli.good("index", "check", "main", "--uri", uri, "--json").json["assets"] == count
        said = cli.run("index", "backup", "main", folder / "b", "--uri", uri)
        assert said.code == 1 and "disk is full" in said.err
        said = cli.run("index", "compact", "main", "--uri", uri)
        assert said.code == 1 and "disk is full" in said.err
        assert [path.name for path in folder.iterdir()] == ["store"]
        assert not list((folder / "store").glob(".*"))
        assert server.get("/indexes/main").json()["assets"] == count
        assert server.stop() == 0
        server = start_server(uri)
        assert server.get("/indexes/main").json()["assets"] == count
        assert server.stop() == 0


def test_a_disk_that_gets_full_within_a_write_of_many_pages(cli, start_server, kind):
    """The system writes what there is room for, which LMDB takes for an error of the disk."""
    with small_disk(4) as folder:
        uri = f"{kind}://{folder}/store"
        server = start_server(uri)
        assert server.post("/indexes", json={"name": "main"}).status_code == 201
        count, refused = fill_up(server, 150)
        assert refused.status_code == 507 and "disk is full" in refused.json()["detail"], refused.text
        assert server.get("/indexes/main").json()["assets"] == count
        assert cli.good("index", "check", "main", "--uri", uri, "--json").json["assets"] == count
        assert server.stop() == 0


@pytest.mark.parametrize("batch", [1, 150])
def test_a_file_that_must_not_grow(cli, start_server, kind, batch):
    """At the limit of `ulimit -f` the system sends a signal, which ended the server."""
    uri = f"{kind}://{cli.work}/store"
    server = start_server(uri, pre=["prlimit", f"--fsize={4 << 20}", "--"])
    assert server.post("/indexes", json={"name": "main"}).status_code == 201
    count, refused = fill_up(server, batch)
    assert refused.status_code == 507 and "ulimit -f" in refused.json()["detail"], refused.text
    assert server.get("/indexes/main").json()["assets"] == count
    assert server.get(f"/indexes/main/assets/{iscc_id(1)}").status_code == 200
    assert server.stop() == 0
    assert cli.good("index", "check", "main", "--uri", uri, "--json").json["assets"] == count


def test_durability(cli, start_server, kind):
    uri = f"{kind}://{cli.work}/store"
    server = start_server(uri, env={"ISCC_SEARCH_DURABILITY": "relaxed"})
    assert server.get("/status").json()["durability"] == "relaxed"
    assert server.post("/indexes", json={"name": "main"}).status_code == 201
    for number in range(1, 200):
        assert server.post("/indexes/main/assets", json=[make_asset(number)]).status_code == 201
    server.process.send_signal(signal.SIGKILL)
    server.process.wait()
    server.process = None
    assert cli.good("index", "check", "main", "--uri", uri, "--json").json["assets"] == 199
    assert "durability" not in start_server(uri).get("/status").json()


def test_a_wrong_durability(cli):
    said = cli.run("serve", env={"ISCC_SEARCH_DURABILITY": "sloppy"})
    assert said.code == 1 and "expected strict or relaxed" in said.err


@pytest.mark.parametrize("damage", ["cut", "zeros", "foreign", "empty"])
def test_a_damaged_file_is_an_error_of_that_index_only(cli, start_server, kind, damage):
    uri = f"{kind}://{cli.work}/store"
    server = start_server(uri)
    for name in ("main", "other"):
        server.post("/indexes", json={"name": name})
        assert server.post(f"/indexes/{name}/assets", json=[make_asset(n) for n in range(300)]).status_code == 201
    server.stop()
    path = cli.work / "store" / KINDS[kind]
    good = path.read_bytes()
    path.write_bytes({"cut": good[:len(good) // 2], "zeros": bytes(len(good)),
                      "foreign": b"%PDF-1.7\n" * 4000, "empty": b""}[damage])
    bad = path.read_bytes()
    server = start_server(uri)
    for answer in (server.get("/indexes/main"), server.get(f"/indexes/main/assets/{iscc_id(1)}"),
                   server.post("/indexes/main/assets", json=[make_asset(1)]),
                   server.post("/indexes/main/search", json={"units": make_asset(1)["units"]})):
        assert answer.status_code == 500, answer.text
    assert [index["name"] for index in server.get("/indexes").json()] == ["other"]
    assert server.get("/indexes/other").json()["assets"] == 300
    assert path.read_bytes() == bad
    said = cli.run("index", "check", "main", "--uri", uri)
    assert said.code == 1


def read_bytes(server):
    """How much the server has read so far."""
    with open(f"/proc/{server.process.pid}/io", encoding="ascii") as file:
        return int(file.readline().split()[1])


def test_a_damaged_file_is_read_once_until_it_changes(cli, start_server, kind):
    """To say that it is damaged takes as long as reading it."""
    uri = f"{kind}://{cli.work}/store"
    server = start_server(uri)
    server.post("/indexes", json={"name": "main"})
    assets = [make_asset(n, metadata={"text": "x" * 3000}) for n in range(1000)]
    assert server.post("/indexes/main/assets", json=assets).status_code == 201
    server.stop()
    path = cli.work / "store" / KINDS[kind]
    good = path.read_bytes()
    os.truncate(path, len(good) - 4096 * 3)
    server = start_server(uri)
    assert server.get("/indexes/main").status_code == 500
    before = read_bytes(server)
    for _ in range(5):
        answer = server.get("/indexes/main")
        assert answer.status_code == 500 and "bring a backup back" in answer.text
    assert read_bytes(server) - before < len(good) / 2
    path.write_bytes(good)
    assert server.get("/indexes/main").json()["assets"] == 1000
    assert server.stop() == 0


THINGS = {"fifo": os.mkfifo, "folder": os.mkdir, "device": lambda path: os.symlink("/dev/zero", path),
          "nowhere": lambda path: os.symlink("/nowhere/file", path)}


@pytest.mark.parametrize("thing", sorted(THINGS))
@pytest.mark.parametrize("suffix", ["", "-lock", "-lock-of"])
def test_what_is_no_file_is_named_and_nothing_hangs(cli, kind, suffix, thing):
    """Where the file of an index should be, its lock file, or what says whose that is."""
    uri = f"{kind}://{cli.work}/store"
    lines = json.dumps(make_asset(1)) + "\n"
    cli.good("add", "-", "--uri", uri, "--index", "main", stdin=lines)
    path = cli.work / "store" / (KINDS[kind] + suffix)
    path.unlink()
    THINGS[thing](path)
    words = ["expected a regular file", path.name]
    if (suffix, thing) == ("", "nowhere"):
        words = ["not found"]
    is_made_anew = suffix == "-lock-of" and thing != "folder"
    for command in (["get", iscc_id(1), "--index", "main"], ["index", "check", "main"],
                    ["index", "backup", "main", cli.work / "copy"], ["index", "compact", "main"],
                    ["add", "-", "--index", "main"]):
        said = cli.run(*command, "--uri", uri, stdin=lines, timeout=20)
        if is_made_anew:
            assert said.code == 0, said
        else:
            assert said.code == 1 and all(word in said.err for word in words), said


def restore(path, content):
    """As `cp` does: into the file that is there."""
    path.write_bytes(content)


@pytest.mark.parametrize("harm", ["shorter", "headers"])
def test_damage_that_shows_at_the_first_use(cli, start_server, kind, harm):
    """Listing reads little of a file. What a use then finds, /readyz tells, until a backup is brought back."""
    uri = f"{kind}://{cli.work}/store"
    server = start_server(uri)
    for name in ("main", "other"):
        server.post("/indexes", json={"name": name})
        assert server.post(f"/indexes/{name}/assets", json=[make_asset(n) for n in range(600)]).status_code == 201
    server.stop()
    path = cli.work / "store" / KINDS[kind]
    good = path.read_bytes()
    bad = bytearray(good)
    for page in range(4096 * 2, len(good), 4096):
        if bad[page + 10] in (2, 0x22) and len(good) // 2 < page:  # leaves
            bad[page + 12:page + 16] = b"\x01\x00\xff\xff"
    if harm == "headers":
        path.write_bytes(bad)
    server = start_server(uri)
    if harm == "shorter":
        assert server.get(f"/indexes/main/assets/{iscc_id(1)}").status_code == 200
        os.truncate(path, len(good) // 2)
    answers = [server.post("/indexes/main/search", json={"units": make_asset(1)["units"]}),
               server.post("/indexes/main/assets", json=[make_asset(1)]),
               server.get(f"/indexes/main/assets/{iscc_id(599)}")]
    assert [answer.status_code for answer in answers] == [500] * 3, [answer.text for answer in answers]
    assert path.name in answers[0].text and "bring a backup back" in answers[0].text
    ready = server.get("/readyz")
    assert ready.status_code == 503 and [one["name"] for one in ready.json()["indexes"]] == ["main"]
    assert server.post("/indexes/other/search", json={"units": make_asset(1)["units"]}).status_code == 200
    restore(path, good)
    assert server.post("/indexes/main/search", json={"units": make_asset(1)["units"]}).status_code == 200
    assert server.get("/readyz").status_code == 200
    assert server.post("/indexes/main/assets", json=[make_asset(601)]).status_code == 201
    assert server.stop() == 0
    cli.good("index", "check", "main", "--uri", uri)


def test_a_damaged_index_is_neither_copied_nor_replaced(cli, kind):
    """Not even where only the bytes of one asset are wrong, and all pages are right."""
    uri = f"{kind}://{cli.work}/store"
    assets = [make_asset(number, metadata={"text": f"number {number} of many"}) for number in range(300)]
    cli.good("add", "-", "--uri", uri, "--index", "main", stdin="".join(json.dumps(one) + "\n" for one in assets))
    path, copy = cli.work / "store" / KINDS[kind], cli.work / "copy"
    bad = path.read_bytes().replace(b"number 150 of many", b"number 150 of\"many")
    path.write_bytes(bad)
    assert cli.run("index", "check", "main", "--uri", uri).code == 1
    for command in (["backup", "main", copy], ["compact", "main"]):
        said = cli.run("index", *command, "--uri", uri)
        assert said.code == 1 and "not copied, as it is damaged" in said.err and path.name in said.err, said
    assert not copy.exists() and path.read_bytes() == bad
    assert os.listdir(cli.work) == ["store"], "what was begun is still there"
    said = cli.run("get", iscc_id(150), "--uri", uri, "--index", "main")
    assert said.code == 1 and "a stored asset" in said.err, said
    cli.good("get", iscc_id(151), "--uri", uri, "--index", "main")


def test_an_index_that_is_slow_to_open_holds_up_no_other(cli, start_server, kind):
    """Here because somebody has locked the directory."""
    uri = f"{kind}://{cli.work}/store"
    server = start_server(uri)
    for name in ("main", "other"):
        server.post("/indexes", json={"name": name})
    server.stop()
    server = start_server(uri)
    assert server.get("/indexes/other").status_code == 200
    lock = os.open(cli.work / "store", os.O_RDONLY)
    fcntl.flock(lock, fcntl.LOCK_EX)
    answers = []
    waiting = threading.Thread(target=lambda: answers.append(server.get("/indexes/main").status_code))
    waiting.start()
    try:
        for number in range(20):
            assert requests.get(f"{server.base}/indexes/other", timeout=10).status_code == 200
            assert requests.post(f"{server.base}/indexes/other/assets", json=[make_asset(number)],
                                 timeout=10).status_code == 201
        assert not answers
    finally:
        os.close(lock)
        waiting.join()
    assert answers == [200]
    assert server.stop() == 0


def fill_many(server, count):
    names = [f"i{number}" for number in range(count)]
    for number, name in enumerate(names):
        assert server.post("/indexes", json={"name": name}).status_code == 201
        answer = server.post(f"/indexes/{name}/assets", json=[make_asset(number)])
        assert answer.status_code == 201, answer.text
    return names


def expect_all(server, names):
    assert sorted(index["name"] for index in server.get("/indexes").json()) == sorted(names)
    assert server.get("/readyz").status_code == 200
    for number, name in enumerate(names):
        assert server.get(f"/indexes/{name}/assets/{iscc_id(number)}").status_code == 200
        assert server.get(f"/indexes/{name}").json()["assets"] == 1


def test_more_indexes_than_address_space(start_server, cli, kind):
    """Each has 1 TiB of it, so 128 would be all of it: some are closed when others are used."""
    server = start_server(f"{kind}://{cli.work}/store")
    names = fill_many(server, 150)
    expect_all(server, names)
    assert len(os.listdir(f"/proc/{server.process.pid}/fd")) < 96 * 3 + 50
    assert server.stop() == 0


def test_more_indexes_in_memory_than_a_tebibyte_each_would_allow(start_server):
    if b"__tsan_init" in BINARY.read_bytes():
        pytest.skip("TSan leaves little address space")
    server = start_server()
    expect_all(server, fill_many(server, 150))
    assert server.stop() == 0


def test_indexes_where_files_are_few(start_server, cli, kind):
    server = start_server(f"{kind}://{cli.work}/store", pre=["prlimit", "--nofile=80:80", "--"])
    expect_all(server, fill_many(server, 40))
    assert server.stop() == 0


def test_indexes_where_address_space_is_short(start_server, cli, kind):
    """None of them gets what it asks for; they take turns."""
    pre = ["prlimit", f"--as={6 << 30}", "--"]
    if subprocess.run([*pre, str(BINARY), "version"], capture_output=True, check=False).returncode:
        pytest.skip("the program takes more address space for itself")
    server = start_server(f"{kind}://{cli.work}/store", pre=pre)
    expect_all(server, fill_many(server, 12))
    assert server.stop() == 0


def test_an_index_that_is_too_large_for_the_address_space(start_server, cli, kind):
    """Only that one cannot be used, and the message says what to do."""
    pre = ["prlimit", f"--as={1200 << 20}", "--"]
    if subprocess.run([*pre, str(BINARY), "version"], capture_output=True, check=False).returncode:
        pytest.skip("the program takes more address space for itself")
    server = start_server(f"{kind}://{cli.work}/store")
    fill_many(server, 1)
    assert server.stop() == 0
    server = start_server(f"{kind}://{cli.work}/store", pre=pre)
    answer = server.get("/indexes/i0")
    assert answer.status_code == 507 and "ISCC_SEARCH_MAP_GIB" in answer.text
    assert "ISCC_SEARCH_MAP_GIB" in server.get("/readyz").text
    assert server.get("/indexes").json() == []
    assert server.get("/healthz").status_code == 200
    assert server.stop() == 0
    command = cli.command(("get", iscc_id(0), "--index", "i0", "--uri", f"{kind}://{cli.work}/store"))
    said = subprocess.run(["prlimit", f"--as={900 << 20}", "--", *command], cwd=cli.work, env=cli.env, capture_output=True,
                          check=False, text=True)
    assert said.returncode == 1 and said.stderr.endswith("(ISCC_SEARCH_MAP_GIB)\n"), said


def test_the_library_does_not_speak_of_variables_of_the_program():
    """It is linked into other programs: its messages name options."""
    assert b"ISCC_SEARCH_" not in (BINARY.parent / "libiscc_search.so.0").read_bytes()


@pytest.mark.parametrize("count", [0, 1], ids=["empty", "filled"])
def test_a_file_of_the_other_engine_is_named(cli, start_server, kind, count):
    """Every command says which file it is, and by which URI it can be opened; the file stays as it is."""
    other = next(name for name in KINDS if name != kind)
    lines = json.dumps(make_asset(1)) + "\n"
    server = start_server(f"{other}://{cli.work}/other")
    assert server.post("/indexes", json={"name": "main"}).status_code == 201
    if count:
        assert server.post("/indexes/main/assets", json=[make_asset(1)]).status_code == 201
    server.stop()
    path = cli.work / "store" / KINDS[kind]
    path.parent.mkdir(parents=True)
    path.write_bytes((cli.work / "other" / KINDS[other]).read_bytes())
    before, uri = path.read_bytes(), f"{kind}://{cli.work}/store"
    words = f"{path}: this is a file of {other}://, and not of {kind}://: open it with that URI"
    for command in (["get", iscc_id(1), "--index", "main"], ["index", "check", "main"],
                    ["index", "backup", "main", cli.work / "copy"], ["index", "compact", "main"],
                    ["add", "-", "--index", "main"], ["search", make_asset(1)["units"][0], "--index", "main"]):
        said = cli.run(*command, "--uri", uri, stdin=lines)
        assert said.code == 1 and (said.err + said.out).count(words) == 1, said
        assert "MDB_" not in said.err and "damaged" not in said.err
    server = start_server(uri)
    answer = server.get("/indexes/main")
    assert answer.status_code == 500 and words in answer.text
    assert words in server.get("/readyz").text
    assert path.read_bytes() == before
    assert server.stop() == 0
