"""index backup, index compact, index check."""

import fcntl
import json
import os
import shutil
import struct
import subprocess
import threading
import time
from pathlib import Path

import pytest

from commandline import EXAMPLES, sample, write_lines
from serving import iscc_id, make_asset

KINDS = {"usearch": "main/index.lmdb", "lmdb": "main.lmdb"}


@pytest.fixture(params=sorted(KINDS))
def store(request, cli):
    """A store with an index `main` that holds the sample: its URI, and the file of the index."""
    folder = cli.work / "store"
    uri = f"{request.param}://{folder}"
    cli.good("add", EXAMPLES / "assets.jsonl", "--uri", uri, "--index", "main")
    return uri, folder / KINDS[request.param]


def test_what_killed_processes_left_is_removed_when_nobody_is_at_work(cli, store):
    uri, path = store
    folder = cli.work / "store"
    left = [".main.deleted-999999-0", ".x.new-1-6928a1f3-0", ".main.compact-7-18c-1", ".x.new-1-0-lock",
            ".x.new-1-0-lock-of"]
    kept = [".main.lock", ".new-1", "x.new-1-0", ".main.new-hand-made"]
    for name in left[:2]:
        (folder / name).mkdir()
        (folder / name / "index.lmdb").write_bytes(b"x")
    for name in left[2:] + kept:
        (folder / name).write_bytes(b"x")
    before = sorted(os.listdir(folder))
    cli.good("index", "check", "main", "--uri", uri)
    serving = os.open(folder, os.O_RDONLY)  # as somebody does who is at work
    fcntl.fcntl(serving, fcntl.F_OFD_SETLK, struct.pack("hhqqixxxx", fcntl.F_RDLCK, os.SEEK_SET, 0, 0, 0))
    cli.good("add", one_asset(cli), "--uri", uri, "--index", "main")
    assert set(before) <= set(os.listdir(folder))
    os.close(serving)
    cli.good("add", one_asset(cli), "--uri", uri, "--index", "main")
    assert sorted(set(before) - set(left)) == sorted(set(os.listdir(folder)) & set(before))
    assert path.exists()


def lock_of(path):
    return path.parent / (path.name + "-lock")


def everything(cli, uri):
    """What a search for each of some assets answers."""
    return [cli.good("search", row["iscc_code"], "--uri", uri, "--index", "main", "-j").out
            for row in sample(2400)[::300]]


def test_backup_and_restore(cli, store):
    uri, path = store
    said = cli.good("index", "backup", "main", "b.lmdb", "--uri", uri)
    assert said.out == f"Backed up index 'main' to {cli.work}/b.lmdb\n"
    assert sorted(os.listdir(cli.work)) == ["b.lmdb", "store"]
    before = everything(cli, uri)
    place = cli.work / "elsewhere" / path.relative_to(cli.work / "store")
    place.parent.mkdir(parents=True)
    shutil.copy(cli.work / "b.lmdb", place)
    other = uri.replace("/store", "/elsewhere")
    assert everything(cli, other) == before
    assert cli.good("index", "check", "main", "--uri", other, "--json").json["derived"] is True
    cli.good("add", one_asset(cli), "--uri", other, "--index", "main")
    assert everything(cli, uri) == before


def one_asset(cli):
    return write_lines(cli.work / "one.jsonl", [make_asset(7)])


def test_backup_does_not_overwrite(cli, store):
    uri, _ = store
    (cli.work / "b").write_text("mine")
    said = cli.run("index", "backup", "main", "b", "--uri", uri)
    assert (said.code, said.out) == (1, "") and "--force" in said.err
    assert (cli.work / "b").read_text() == "mine"
    cli.good("index", "backup", "main", "b", "--uri", uri, "--force")
    assert (cli.work / "b").stat().st_size > 100000


def test_backup_does_not_overwrite_what_is_in_use(cli, store, start_server):
    """What was added after the copy would be lost."""
    uri, path = store
    cli.good("add", one_asset(cli), "--uri", uri, "--index", "other")
    other = cli.work / "elsewhere"
    shutil.copytree(cli.work / "store", other)
    server = start_server(uri.replace("/store", "/elsewhere"))
    assert len(server.get("/indexes").json()) == 2
    link = cli.work / "link"
    link.symlink_to(path)
    within = [path, str(path).replace("main", "other"), link]
    running = other / path.relative_to(cli.work / "store")
    for target, words in [*((one, "is the file of the index") for one in within), (lock_of(path), "lock file"),
                          (f"{path}-lock-of", "lock file"), (running, "is in use")]:
        before = os.stat(target, follow_symlinks=False).st_ino
        said = cli.run("index", "backup", "main", target, "--uri", uri, "--force")
        assert said.code == 1 and words in said.err, said
        assert os.stat(target, follow_symlinks=False).st_ino == before
    assert server.stop() == 0
    cli.good("index", "backup", "main", running, "--uri", uri, "--force")


def test_backup_to_where_nothing_can_be_written(cli, store):
    uri, _ = store
    said = cli.run("index", "backup", "main", cli.work / "missing" / "b", "--uri", uri)
    assert said.code == 1 and "missing/b" in said.err


def test_check_of_a_good_index(cli, store):
    uri, _ = store
    said = cli.good("index", "check", "main", "--uri", uri)
    assert said.out.startswith("Checked index 'main': ")
    assert said.out.endswith(" pages, 2400 assets, 9600 rows: 0 findings\n")
    report = cli.good("index", "check", "main", "--uri", uri, "--json").json
    assert report["findings"] == 0 and report["messages"] == [] and report["assets"] == 2400
    assert list(report) == ["index", "pages", "assets", "rows", "unsearchable", "derived", "findings", "messages"]


def test_check_of_a_damaged_index(cli, store):
    """A page in use that has become zeros; a compact file has no other."""
    uri, path = store
    cli.good("index", "compact", "main", "--uri", uri)
    content = bytearray(path.read_bytes())
    page = len(content) // 4096 // 2
    content[page * 4096:(page + 1) * 4096] = bytes(4096)
    path.write_bytes(content)
    said = cli.run("index", "check", "main", "--uri", uri)
    assert said.code == 1 and f"page {page} " in said.out, said
    said = cli.run("index", "check", "main", "--uri", uri, "--json")
    report = said.json
    assert said.code == 1 and report["findings"] >= 1 and f"page {page} " in report["messages"][0]


@pytest.mark.parametrize("content", [b"%PDF-1.7\n" * 4000, b"\0" * 40000, b"x"], ids=["foreign", "zeros", "cut"])
def test_check_of_what_is_no_index_in_json(cli, store, content):
    """Whatever is wrong with the file, a monitor gets its object."""
    uri, path = store
    path.write_bytes(content)
    said = cli.run("index", "check", "main", "--uri", uri, "--json")
    assert said.code == 1 and said.err.startswith("Error: "), said
    report = said.json
    assert (report["index"], report["assets"], report["findings"]) == ("main", 0, 1)
    assert report["messages"] == [report["error"]] and said.err == f"Error: {report['error']}\n"
    said = cli.run("index", "check", "main", "--uri", uri)
    assert (said.code, said.out) == (1, "")


@pytest.mark.parametrize("name", ["nobody", 'a"b\\'])
def test_check_of_an_index_that_is_not_there_in_json(cli, store, name):
    uri, _ = store
    said = cli.run("index", "check", name, "--uri", uri, "--json")
    assert said.code == 1 and said.json["index"] == name and said.json["findings"] == 0
    assert said.err == f"Error: {said.json['error']}\n"


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_of_what_is_not_there(cli, kind):
    """Nothing is made by asking."""
    uri = f"{kind}://{cli.work}/none"
    for words in (["backup", "main", "b"], ["compact", "main"], ["check", "main"]):
        said = cli.run("index", *words, "--uri", uri)
        assert said.code == 1 and said.err.startswith("Error: "), said
    os.mkdir(cli.work / "none")
    for words in (["backup", "main", "b"], ["compact", "main"], ["check", "main"]):
        said = cli.run("index", *words, "--uri", uri)
        assert (said.code, said.err) == (1, "Error: Index 'main' not found\n")
    assert os.listdir(cli.work) == ["none"] and os.listdir(cli.work / "none") == []


def test_by_the_name_of_the_configuration(cli):
    cli.good("add", EXAMPLES / "assets.jsonl")
    cli.good("index", "backup", "default", "b")
    cli.good("index", "compact", "default")
    cli.good("index", "check", "default")
    assert cli.run("index", "check", "nobody").code == 1


def test_of_a_server(cli, start_server):
    server = start_server()
    cli.good("index", "add", "rem", "--remote", server.base)
    for words in (["backup", "rem", "b"], ["compact", "rem"], ["check", "rem"]):
        said = cli.run("index", *words)
        assert said.code == 1 and "another server" in said.err


def test_a_copy_on_a_terminal(cli, store):
    """Too short for a bar to be seen for certain, but nothing of it may be left over."""
    uri, _ = store
    code, shown, out = cli.on_terminal("index", "backup", "main", "b", "--uri", uri, streams=("stderr",))
    assert code == 0 and "Backed up" in out
    assert shown == "" or shown.endswith("\r\x1b[K")


def test_compact_while_a_server_writes(cli, store, start_server):
    """Nothing that a server acknowledged is lost, whichever file it had open."""
    uri, path = store
    server = start_server(uri)
    acknowledged, stop = [], threading.Event()

    def write(first):
        number = first
        while not stop.is_set():
            reply = server.post("/indexes/main/assets", json=[make_asset(number)])
            assert reply.status_code == 201, reply.text
            acknowledged.append(number)
            number += 1

    threads = [threading.Thread(target=write, args=(first,)) for first in (1 << 20, 2 << 20, 3 << 20)]
    for thread in threads:
        thread.start()
    inodes = set()
    for _ in range(12):
        cli.good("index", "compact", "main", "--uri", uri)
        inodes.add(path.stat().st_ino)
        time.sleep(0.03)
    stop.set()
    for thread in threads:
        thread.join()
    assert len(inodes) > 1 and len(acknowledged) > 12
    for number in acknowledged:
        assert server.get(f"/indexes/main/assets/{iscc_id(number)}").status_code == 200, number
    report = cli.good("index", "check", "main", "--uri", uri, "--json").json
    assert report["assets"] == 2400 + len(acknowledged)


def test_compact_while_others_compact_and_add(cli, store):
    """Many short processes: each meets another file."""
    uri, _ = store
    command = cli.command(["index", "compact", "main", "--uri", uri])
    compacting = [subprocess.Popen(["sh", "-c", 'for i in 1 2 3 4 5 6 7 8; do "$@" || exit 1; done', "sh",
                                    *command], cwd=cli.work, env=cli.env, stdout=subprocess.DEVNULL)
                  for _ in range(2)]
    for number in range(30):
        line = json.dumps(make_asset((1 << 24) + number)) + "\n"
        cli.good("add", "-", "--uri", uri, "--index", "main", stdin=line)
    assert [process.wait(60) for process in compacting] == [0, 0]
    report = cli.good("index", "check", "main", "--uri", uri, "--json").json
    assert report["assets"] == 2430


def test_compact_leaves_the_index_to_its_owner(cli, store):
    """An administrator compacts what a server of another user writes."""
    uri, path = store
    if os.geteuid() == 0:
        os.chown(path, 23456, 34567)
    path.chmod(0o660)
    before = path.stat()
    cli.good("index", "compact", "main", "--uri", uri)
    after = path.stat()
    assert after.st_ino != before.st_ino
    assert (after.st_uid, after.st_gid, after.st_mode) == (before.st_uid, before.st_gid, before.st_mode)


def test_compact_does_not_bring_back_what_was_deleted(cli, store, start_server):
    """An index that is deleted, or deleted and made again, while its old file is copied."""
    uri, _ = store
    server = start_server(uri)
    command = cli.command(["index", "compact", "main", "--uri", uri])
    (cli.work / "go").touch()
    compacting = subprocess.Popen(["sh", "-c", 'while [ -e go ]; do "$@"; done', "sh", *command],
                                  cwd=cli.work, env=cli.env, stdout=subprocess.DEVNULL,
                                  stderr=subprocess.PIPE, text=True)
    try:
        for number in range(1, 40):
            assert server.delete("/indexes/main").status_code == 204
            assert server.get("/indexes/main").status_code == 404
            assert server.post("/indexes", json={"name": "main"}).status_code == 201
            assert server.post("/indexes/main/assets", json=[make_asset(number)]).status_code == 201
            time.sleep(0.01)
            assert server.get("/indexes/main").json()["assets"] == 1
            assert server.get(f"/indexes/main/assets/{iscc_id(number)}").status_code == 200
    finally:
        (cli.work / "go").unlink()
        said = compacting.communicate(timeout=60)[1]
    assert set(said.splitlines()) <= {"Error: Index 'main' not found", "Error: the index has been deleted"}


def test_a_killed_compact_does_no_harm(cli, store):
    uri, path = store
    for pause_ms in (1, 3, 5, 7, 9, 12, 15, 20, 25, 30):
        process = subprocess.Popen(cli.command(["index", "compact", "main", "--uri", uri]),
                                   cwd=cli.work, env=cli.env, stdout=subprocess.DEVNULL)
        time.sleep(pause_ms / 1000)
        process.kill()
        process.wait()
        assert cli.good("index", "check", "main", "--uri", uri, "--json").json["assets"] == 2400
    cli.good("index", "compact", "main", "--uri", uri)
    assert [name for name in os.listdir(cli.work / "store") if name.startswith(".")] == []


def test_a_file_in_place_of_one_that_is_open_gets_a_lock_file_of_its_own(cli, store, start_server):
    """Renamed over it by compact, which was killed, or by whoever brings a backup back: others still have the
    old file and its lock file open."""
    uri, path = store
    server = start_server(uri)
    assert server.get("/indexes/main").json()["assets"] == 2400
    for number in range(5):
        assert server.post("/indexes/main/assets", json=[make_asset(number)]).status_code == 201
    cli.good("index", "backup", "main", "b", "--uri", uri)
    for number in range(5, 8):
        assert server.post("/indexes/main/assets", json=[make_asset(number)]).status_code == 201
    old = lock_of(path).stat().st_ino
    with open(lock_of(path), "rb"):  # so that its number is not given to the next
        os.rename(cli.work / "b", path)
        cli.good("add", one_asset(cli), "--uri", uri, "--index", "main")
        assert lock_of(path).stat().st_ino != old
    assert server.get("/indexes/main").json()["assets"] == 2406
    assert server.post("/indexes/main/assets", json=[make_asset(8)]).status_code == 201
    assert cli.good("index", "check", "main", "--uri", uri, "--json").json["assets"] == 2407
    assert everything(cli, uri)


@pytest.mark.parametrize("gone", [["-lock"], ["-lock-of"], ["-lock", "-lock-of"]])
def test_lock_files_that_are_gone_are_made_again(cli, store, gone):
    """Killed while they were replaced, or an index that 0.3.3 has made."""
    uri, path = store
    for suffix in gone:
        (path.parent / (path.name + suffix)).unlink()
    cli.good("add", one_asset(cli), "--uri", uri, "--index", "main")
    status = path.stat()
    assert Path(f"{path}-lock-of").read_text() == f"{status.st_dev:x}-{status.st_ino:x}"
    assert cli.good("index", "check", "main", "--uri", uri, "--json").json["assets"] == 2401


def test_a_copy_of_a_directory_does_not_take_its_lock_file_for_its_own(cli, store):
    uri, path = store
    shutil.copytree(cli.work / "store", cli.work / "other")
    cli.good("add", one_asset(cli), "--uri", uri.replace("/store", "/other"), "--index", "main")
    copy = cli.work / "other" / path.relative_to(cli.work / "store")
    status = copy.stat()
    assert Path(f"{copy}-lock-of").read_text() == f"{status.st_dev:x}-{status.st_ino:x}"
    assert cli.good("index", "check", "main", "--uri", uri, "--json").json["assets"] == 2400
