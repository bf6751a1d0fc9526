"""serve --read-only: on a mount that cannot be written, without permission, and beside a writer."""

import json
import os
import subprocess

import pytest
import requests

from commandline import BINARY, EXAMPLES, sample
from mounts import NOBODY, open_folder, read_only_view
from serving import Server, iscc_id, make_asset

KINDS = ["usearch", "lmdb"]


@pytest.fixture(params=KINDS)
def kind(request):
    return request.param


def fill(cli, uri):
    cli.good("add", EXAMPLES / "assets.jsonl", "--uri", uri, "--index", "main")


def expect_reading(server):
    """Reads are answered, writes are not."""
    row = sample(1)[0]
    assert server.get("/indexes/main").json()["assets"] == 2400
    assert [index["name"] for index in server.get("/indexes").json()] == ["main"]
    found = server.post("/indexes/main/search", json={"iscc_code": row["iscc_code"]}).json()
    assert row["iscc_id"] in [match["iscc_id"] for match in found["global_matches"]]
    for answer in (server.post("/indexes", json={"name": "other"}), server.delete("/indexes/main"),
                   server.post("/indexes/main/assets", json=[make_asset(1)]),
                   server.delete(f"/indexes/main/assets/{row['iscc_id']}")):
        assert answer.status_code == 503, answer.text
        assert "reading only" in answer.json()["detail"]


@pytest.mark.parametrize("how", ["option", "environment"])
def test_writes_are_refused(cli, start_server, kind, how):
    uri = f"{kind}://{cli.work}/store"
    fill(cli, uri)
    server = start_server(uri, args=["--read-only"] if how == "option" else [],
                          env={"ISCC_SEARCH_READ_ONLY": "true"} if how == "environment" else {})
    expect_reading(server)


def test_a_reader_beside_a_writer(cli, start_server, kind):
    uri = f"{kind}://{cli.work}/store"
    fill(cli, uri)
    reader, writer = start_server(uri, args=["--read-only"]), start_server(uri)
    for number in range(1, 20):
        assert writer.post("/indexes/main/assets", json=[make_asset(number)]).status_code == 201
        assert reader.get(f"/indexes/main/assets/{iscc_id(number)}").status_code == 200


def test_a_directory_that_is_missing(cli):
    said = cli.run("serve", "--read-only", env={"ISCC_SEARCH_INDEX_URI": f"usearch://{cli.work}/none"})
    assert said.code != 0 and str(cli.work / "none") in said.err
    assert os.listdir(cli.work) == []


@pytest.mark.parametrize("with_lock_file", [False, True])
def test_a_read_only_mount(cli, start_server, kind, with_lock_file):
    fill(cli, f"{kind}://{cli.work}/store")
    locks = list((cli.work / "store").rglob("*-lock"))
    for lock in [] if with_lock_file else locks:
        lock.unlink()
    with read_only_view(cli.work / "store") as folder:
        server = start_server(f"{kind}://{folder}", args=["--read-only"])
        expect_reading(server)
        assert server.stop() == 0
        assert cli.good("index", "check", "main", "--uri", f"{kind}://{folder}").out.endswith("0 findings\n")
        cli.good("index", "backup", "main", "b", "--uri", f"{kind}://{folder}")


def test_a_read_only_mount_of_what_is_written_elsewhere(cli, start_server, kind):
    """Readers that cannot be noted must not read beside a writer: it would use their pages again."""
    fill(cli, f"{kind}://{cli.work}/store")
    with read_only_view(cli.work / "store") as folder:
        reader = start_server(f"{kind}://{folder}", args=["--read-only"])
        assert reader.get("/indexes/main").status_code == 200
        writer = start_server(f"{kind}://{cli.work}/store")
        assert writer.post("/indexes/main/assets", json=[make_asset(1)]).status_code == 201
        answer = reader.get("/indexes/main")
        assert answer.status_code == 503 and "another process has the index open" in answer.text
        assert writer.stop() == 0
        assert reader.get("/indexes/main").json()["assets"] == 2401
        assert reader.stop() == 0


def test_near_duplicates_of_what_is_written_elsewhere(cli, start_server):
    """The pairs of a block come in many parts: behind a write none of them is sent any more."""
    fill(cli, f"usearch://{cli.work}/store")
    with read_only_view(cli.work / "store") as folder:
        reader = start_server(f"usearch://{folder}", args=["--read-only"])
        url = reader.base + "/indexes/main/duplicates?min_score=0"
        pieces = requests.get(url, stream=True, timeout=60).iter_content(1 << 16)
        got = len(next(pieces))
        cli.good("add", "-", "--uri", f"usearch://{cli.work}/store", "--index", "main", stdin=json.dumps(make_asset(1)))
        with pytest.raises(requests.exceptions.ChunkedEncodingError):
            for piece in pieces:
                got += len(piece)
        assert got < 30 << 20  # buffers on the way; a block has 100 MB
        assert reader.stop() == 0


def test_without_the_option_a_read_only_mount_is_an_error(cli, start_server, kind):
    fill(cli, f"{kind}://{cli.work}/store")
    with read_only_view(cli.work / "store") as folder:
        server = start_server(f"{kind}://{folder}")
        answer = server.get("/indexes/main")
        assert answer.status_code == 503 and "Read-only file system" in answer.text
        assert server.stop() == 0


class ServerOfNobody(Server):
    """A server of a user who owns nothing."""

    def start(self, **options):
        real = subprocess.Popen

        def popen(words, **more):
            return real([*NOBODY, *words], **{**more, "cwd": "/"})

        subprocess.Popen = popen
        try:
            return super().start(**options)
        finally:
            subprocess.Popen = real


def test_without_permission_to_write(cli, tmp_path, kind):
    with open_folder() as folder:
        fill(cli, f"{kind}://{folder}")
        if subprocess.run([*NOBODY, str(BINARY), "version"], capture_output=True, check=False).returncode:
            pytest.skip("nobody may not run the program")
        server = ServerOfNobody(tmp_path, f"{kind}://{folder}", args=["--read-only"]).start()
        try:
            expect_reading(server)
        finally:
            assert server.stop() == 0
        server = ServerOfNobody(tmp_path, f"{kind}://{folder}").start()
        try:
            answer = server.post("/indexes/main/assets", json=[make_asset(1)])
            assert answer.status_code == 503 and "Permission denied" in answer.text
            assert server.post("/indexes", json={"name": "other"}).status_code == 503
        finally:
            assert server.stop() == 0
        assert sorted(path.name for path in folder.iterdir() if "lock" not in path.name) \
            == ["main" if kind == "usearch" else "main.lmdb"]
