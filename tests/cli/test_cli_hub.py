"""`datasets`, `hub`, and `add` of Parquet files, against an imitation of the Hugging Face Hub."""

import base64
import hashlib
import re
import signal
import struct
import subprocess
import sys
import time
from pathlib import Path

import pytest

from commandline import sample
from dataset_host import COMMIT, DatasetHost

sys.path.append(str(Path(__file__).resolve().parents[1] / "data"))

from pyarrow_peer import write_files  # noqa: E402  pylint: disable=wrong-import-position

REPO = "iscc/iscc-books"
ROWS = 10
UNIT_COLUMNS = ["iscc_meta", "iscc_semantic", "iscc_content", "iscc_data", "iscc_instance"]


def row_id(repo, file, row):
    """The ISCC-ID of a row, as the man page defines it."""
    first = int.from_bytes(hashlib.sha256(f"{repo}\0{file}".encode()).digest()[:8], "big") >> 14
    body = (first + row << 12).to_bytes(8, "big")
    return "ISCC:" + base64.b32encode(bytes([0x60, 0x10]) + body).decode().rstrip("=")


def columns(rows):
    """A table as such data sets have it."""
    return {
        "iscc": ("string", [row["iscc_code"] for row in rows]),
        "title": ("string", [None if i == 2 else "" if i == 1 else f"Buch {i} é" for i in range(len(rows))]),
        "pages": ("int32", [i * 7 if i % 4 else None for i in range(len(rows))]),
        "big": ("uint64", [2**64 - 1 - i for i in range(len(rows))]),
        "ratio": ("float32", [i / 10 for i in range(len(rows))]),
        "odd": ("bool_", [i % 2 == 1 for i in range(len(rows))]),
    }


def expected_metadata(i):
    made = {"hf_dataset": REPO}
    if i not in (1, 2):
        made["title"] = f"Buch {i} é"
    if i % 4:
        made["pages"] = i * 7
    return {**made, "big": 2**64 - 1 - i, "ratio": struct.unpack("f", struct.pack("f", i / 10))[0], "odd": i % 2 == 1}


@pytest.fixture(scope="session")
def written(tmp_path_factory):
    """Parquet files, by name."""
    folder = tmp_path_factory.mktemp("parquet")
    rows = sample(2 * ROWS)
    unit_rows = [[None] * 5 for _ in range(4)]
    for i, row in enumerate(rows[:3]):
        for unit in row["units"]:
            kind = {"A": 0, "C": 1, "E": 2, "G": 3, "I": 4}.get(unit[5], 1)
            unit_rows[i][kind] = unit
    unit_rows[2] = [unit_rows[2][0], None, None, None, ""]  # one unit: left out
    twisted = columns(rows[:3])
    twisted["iscc"] = ("string", [rows[0]["iscc_code"], "ISCC:NOTHING", rows[2]["iscc_code"]])
    write_files([
        (folder / "train-0", columns(rows[:ROWS]), {"row_group_size": 4, "compression": "zstd"}),
        (folder / "train-1", columns(rows[ROWS:]), {"data_page_version": "2.0"}),
        (folder / "units", {name: ("string", [row[i] for row in unit_rows]) for i, name in enumerate(UNIT_COLUMNS)}, {}),
        (folder / "twisted", twisted, {}),
        (folder / "pictures", {**columns(rows[:3]), "picture": ("binary", ["a" * 200] * 3)},
         {"compression": {"picture": "brotli", "pages": "lz4", "iscc": "zstd"}, "use_dictionary": False}),
        (folder / "none", {"title": ("string", ["a"])}, {}),
        (folder / "ids", {**columns(rows[:2]), "iscc_id": ("string", [rows[0]["iscc_id"], None])}, {}),
        (folder / "many", columns([rows[i % len(rows)] for i in range(30000)]), {"row_group_size": 5000}),
        (folder / "strange", {"iscc": ("string", [rows[0]["iscc_code"]]), "hf_dataset": ("string", ["mine"]),
                              "nan": ("float64", [float("nan")]), "iscc_id": ("string", ["own"])}, {}),
    ])
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.fixture
def host(written):
    host = DatasetHost()
    host.repos = {REPO: {"data/train-00001-of-00002.parquet": written["train-1"],
                         "data/train-00000-of-00002.parquet": written["train-0"],
                         "data/test-00000.parquet": written["units"], "README.md": b"train.parquet"}}
    yield host
    host.stop()


@pytest.fixture
def hub(cli, host):
    """A command line that asks the imitation."""
    for name in list(cli.env):
        if name.startswith(("HF_", "HUGGING")) or name == "XDG_CACHE_HOME":
            del cli.env[name]
    cli.env.update({"HF_ENDPOINT": host.url, "NO_PROXY": "127.0.0.1"})
    return cli


def get(cli, iscc_id, index="books"):
    return cli.good("get", iscc_id, "--index", index).json


def ids_of(paths, counts):
    return [row_id(REPO, path, row) for path, count in zip(paths, counts) for row in range(count)]


TRAIN = ["data/train-00000-of-00002.parquet", "data/train-00001-of-00002.parquet"]

# --- hub ---------------------------------------------------------------------------------------------


def test_a_data_set_is_loaded(hub, host):
    said = hub.good("hub", REPO)
    assert said.json == {"dataset": REPO, "split": "train", "index": "books", "parquet_files": 2,
                         "rows_read": 2 * ROWS, "assets_added": 2 * ROWS, "errors": 0}
    assert list(said.json) == ["dataset", "split", "index", "parquet_files", "rows_read", "assets_added", "errors"]
    assert "Registered local index books" in said.err
    assert f"Found 2 parquet file(s) in {REPO} (split=train)" in said.err
    assert hub.config()["indexes"]["books"] == {"type": "local", "path": str(hub.data)}
    assert hub.config()["active_index"] == "default"
    for i, row in enumerate(sample(ROWS)):
        stored = get(hub, row_id(REPO, TRAIN[0], i))
        assert stored["iscc_code"] == row["iscc_code"]
        assert stored["metadata"] == expected_metadata(i)
        assert next(iter(stored["metadata"])) == "hf_dataset"
    assert [one.path for one in host.asked("/resolve/", "hub")] == [f"/datasets/{REPO}/resolve/main/{path}" for path in TRAIN]


def test_a_second_run_updates(hub):
    hub.good("hub", REPO)
    assert hub.good("hub", REPO).json["assets_added"] == 2 * ROWS
    found = hub.good("search", sample(1)[0]["iscc_code"], "--index", "books", "--limit", "100").json
    ids = [match["iscc_id"] for match in found["global_matches"]]
    assert len(ids) == len(set(ids)) and set(ids) <= set(ids_of(TRAIN, [ROWS, ROWS]))


def test_rows_of_units_need_two(hub, host):
    said = hub.good("hub", REPO, "--split", "TEST", "--index", "units")
    assert (said.json["rows_read"], said.json["assets_added"], said.json["errors"]) == (4, 2, 0)
    stored = get(hub, row_id(REPO, "data/test-00000.parquet", 0), "units")
    assert stored["iscc_code"] is None and len(stored["units"]) >= 2
    assert hub.run("get", row_id(REPO, "data/test-00000.parquet", 2), "--index", "units").code == 1


def test_special_columns(hub, host, written):
    host.repos["a/b"] = {"train.parquet": written["strange"], "train2.parquet": written["none"]}
    said = hub.good("hub", "a/b")
    assert (said.json["rows_read"], said.json["assets_added"], said.json["errors"]) == (1, 1, 0)
    assert "train2.parquet: skipped: no column of ISCCs" in said.err
    assert get(hub, row_id("a/b", "train.parquet", 0), "b")["metadata"] == {
        "hf_dataset": "mine", "nan": None, "iscc_id": "own"}


@pytest.mark.parametrize("given, kept", [
    (["--columns", "title,ratio"], ["title", "ratio"]), (["--columns", " pages , iscc "], ["pages"]), (["--columns", ""], []),
    (["--columns", "odd", "--columns", "big,title,"], ["title", "big", "odd"])])
def test_chosen_columns_are_metadata(hub, given, kept):
    """In the order of the file; those of ISCCs are read in any case."""
    said = hub.good("hub", REPO, *given)
    assert (said.json["assets_added"], said.json["errors"]) == (2 * ROWS, 0)
    for i in range(ROWS):
        expected = {name: value for name, value in expected_metadata(i).items() if name in ("hf_dataset", *kept)}
        stored = get(hub, row_id(REPO, TRAIN[0], i))
        assert stored["metadata"] == expected and stored["iscc_code"]
    assert hub.good("hub", REPO, *given, "--resume", "-b", "1").json["assets_added"] == 0


def test_only_columns_that_are_read_must_be_readable(hub, host, written):
    """Pictures are left out, so nothing depends on how they are compressed; of the others the first bad one is named."""
    host.repos[REPO] = {"train.parquet": written["pictures"]}
    said = hub.good("hub", REPO, "--columns", "title,big")
    assert (said.json["assets_added"], said.json["errors"]) == (3, 0)
    said = hub.good("hub", REPO)
    assert (said.json["rows_read"], said.json["assets_added"], said.json["errors"]) == (0, 0, 1)
    assert "column 'pages': compressed with LZ4_RAW (codec 7): expected none, snappy, gzip or zstd" in said.err


def test_a_column_that_is_not_there_is_an_error_of_the_file(hub, host, written):
    host.repos[REPO]["data/train-00002.parquet"] = written["units"]
    said = hub.good("hub", REPO, "--columns", "title,titel")
    assert (said.json["rows_read"], said.json["assets_added"], said.json["errors"]) == (0, 0, 3)
    assert "no column 'titel' of texts, numbers or bools" in said.err
    said = hub.good("hub", REPO, "--columns", "title")
    assert (said.json["assets_added"], said.json["errors"]) == (2 * ROWS, 1)


@pytest.mark.parametrize("limit, rows, files", [(0, 0, 0), (1, 1, 1), (4, 4, 1), (ROWS, ROWS, 1), (13, 13, 2), (99, 20, 2)])
def test_limit_counts_rows(hub, host, limit, rows, files):
    said = hub.good("hub", REPO, "-n", limit)
    assert (said.json["rows_read"], said.json["assets_added"]) == (rows, rows)
    assert len(host.asked("/resolve/", "hub")) == files


@pytest.mark.parametrize("repo, name", [
    ("iscc/iscc-flickr30k", "flickr30k"), ("iscc/iscc-book-covers", "bookcovers"), ("me/ISCC", "iscc"),
    ("plain", "plain"), ("a/" + "x" * 40, "x" * 32), ("a/Set_1.b", "set1b")])
def test_names_of_indexes(hub, host, written, repo, name):
    host.repos[repo if "/" in repo else repo + "/tree"] = {"train.parquet": written["train-0"]}
    said = hub.run("hub", repo)
    assert name in hub.config()["indexes"], said


@pytest.mark.parametrize("repo", ["iscc/123", "iscc/iscc-1", "a/-", "a/é"])
def test_a_name_that_is_none(hub, host, repo):
    said = hub.run("hub", repo)
    assert (said.code, said.out) == (1, "")
    assert f"Cannot derive a valid index name from '{repo}'" in said.err and not host.requests


def test_a_bad_name_of_an_index(hub):
    said = hub.run("hub", REPO, "--index", "Bad-Name")
    assert said.code == 1 and "Bad-Name" in said.err
    assert "Bad-Name" in hub.config()["indexes"]  # as 0.3.3


@pytest.mark.parametrize("repo, args, message", [
    (REPO, ["--split", "nope"], f"No parquet files found in {REPO} for split 'nope'"),
    ("iscc/missing", [], "Failed to list files for iscc/missing: GET "),
    ("a/b/c", ["--index", "x"], "Failed to list files for a/b/c: expected OWNER/NAME"),
    ("../api", ["--index", "x"], "Failed to list files for ../api: expected OWNER/NAME")])
def test_nothing_found(hub, repo, args, message):
    said = hub.run("hub", repo, *args)
    assert (said.code, said.out) == (2, "")
    assert message in said.err


def test_a_host_that_is_down(hub, host):
    hub.env["HF_ENDPOINT"] = "http://127.0.0.1:1"
    said = hub.run("hub", REPO)
    assert said.code == 2 and "Failed to list files" in said.err
    assert hub.run("datasets").code == 1


def test_what_fails_is_counted_and_the_rest_goes_on(hub, host, written):
    host.repos[REPO] = {"train-a.parquet": written["train-0"], "train-b.parquet": b"PAR1 no parquet PAR1",
                        "train-c.parquet": written["twisted"], "train-d.parquet": written["train-1"]}
    host.faults = [("train-d", (404, {}, b'{"error": "Entry not found"}'))]
    said = hub.good("hub", REPO)
    assert (said.json["parquet_files"], said.json["rows_read"], said.json["assets_added"], said.json["errors"]) == (
        4, ROWS + 3, ROWS + 2, 3)
    assert "train-b.parquet: the footer is damaged" in said.err
    assert "train-c.parquet:2: " in said.err and "iscc_code" in said.err
    assert "download train-d.parquet: GET " in said.err and "404: Entry not found" in said.err
    assert "Skipping train-d.parquet" in said.err


def test_only_five_errors_are_shown(hub, host):
    host.repos[REPO] = {f"train-{i}.parquet": b"x" * i for i in range(8)}
    said = hub.good("hub", REPO)
    assert said.json["errors"] == 8 and said.err.count("not a Parquet file") == 5 and "... and 3 more" in said.err


def test_lists_in_pages(hub, host):
    host.page_items = 2
    assert hub.good("hub", REPO).json["parquet_files"] == 2
    assert len(host.asked("/tree/main")) == 3


# --- targets -----------------------------------------------------------------------------------------

@pytest.mark.parametrize("kind", ["lmdb", "usearch"])
def test_a_store_by_its_uri(hub, tmp_path, kind):
    uri = f"{kind}://{tmp_path}/store"
    hub.good("hub", REPO, "--uri", uri)
    assert not hub.config_path.exists()
    assert hub.good("get", row_id(REPO, TRAIN[0], 0), "--uri", uri, "--index", "books").json["metadata"] == expected_metadata(0)


def test_an_index_on_a_server(hub, start_server):
    server = start_server()
    hub.good("index", "add", "far", "--remote", server.base)
    assert hub.good("hub", REPO, "--index", "far").json["assets_added"] == 2 * ROWS
    assert hub.good("hub", REPO, "--uri", server.base, "--index", "other").json["assets_added"] == 2 * ROWS
    assert {one["name"]: one["assets"] for one in server.get("/indexes").json()} == {"far": 2 * ROWS, "other": 2 * ROWS}


# --- the cache ---------------------------------------------------------------------------------------

def test_files_are_kept_where_other_programs_look(hub, host, written):
    hub.good("hub", REPO)
    folder = hub.home / ".cache/huggingface/hub/datasets--iscc--iscc-books"
    for path, name in zip(TRAIN, ("train-0", "train-1")):
        link = folder / "snapshots" / COMMIT / path
        assert link.is_symlink() and link.read_bytes() == written[name]
        assert link.resolve() == folder / "blobs" / hashlib.sha256(written[name]).hexdigest()
    assert (folder / "refs/main").read_text() == COMMIT
    assert sorted(path.name for path in (folder / "blobs").iterdir()) == sorted(
        hashlib.sha256(written[name]).hexdigest() for name in ("train-0", "train-1"))


def test_what_is_in_the_cache_is_not_downloaded(hub, host):
    hub.good("hub", REPO)
    host.requests.clear()
    hub.good("hub", REPO)
    assert [one.path for one in host.requests] == [f"/api/datasets/{REPO}/tree/main?recursive=true&expand=false"]


@pytest.mark.parametrize("names", [{"HF_HOME": "{}/h"}, {"HF_HUB_CACHE": "{}/h/hub", "HF_HOME": "/nowhere"},
                                   {"XDG_CACHE_HOME": "{}/x"}])
def test_places_of_the_cache(hub, tmp_path, names):
    hub.env.update({name: value.format(tmp_path) for name, value in names.items()})
    hub.good("hub", REPO)
    folder = tmp_path / ("x/huggingface/hub" if "XDG_CACHE_HOME" in names else "h/hub")
    assert (folder / "datasets--iscc--iscc-books/blobs").is_dir()


def test_files_without_a_sum_are_downloaded_each_time(hub, host):
    host.has_sums = host.redirects = False
    for _ in range(2):
        assert hub.good("hub", REPO).json["assets_added"] == 2 * ROWS
    assert len(host.asked("/resolve/")) == 4


def test_a_changed_file_is_downloaded(hub, host, written):
    hub.good("hub", REPO)
    host.repos[REPO] = {TRAIN[0]: written["train-1"]}
    hub.good("hub", REPO)
    assert get(hub, row_id(REPO, TRAIN[0], 0))["iscc_code"] == sample(ROWS + 1)[-1]["iscc_code"]


@pytest.mark.parametrize("has_ranges", [True, False])
def test_a_connection_that_is_cut_goes_on(hub, host, written, has_ranges):
    host.has_ranges = has_ranges
    host.faults = [("resolve/main/data/train-00000-of-00002.parquet?X-", 1000)]
    said = hub.good("hub", REPO)
    assert said.json["assets_added"] == 2 * ROWS and "trying again" in said.err
    assert host.asked("train-00000", "cdn")[1].headers["range"] == "bytes=1000-"


def test_a_download_of_an_earlier_run_goes_on(hub, host, written):
    digest = hashlib.sha256(written["train-0"]).hexdigest()
    blobs = hub.home / ".cache/huggingface/hub/datasets--iscc--iscc-books/blobs"
    blobs.mkdir(parents=True)
    (blobs / f"{digest}.incomplete").write_bytes(written["train-0"][:1500])
    hub.good("hub", REPO)
    assert [one.headers.get("range") for one in host.asked("train-00000", "cdn")] == ["bytes=1500-"]
    assert (blobs / digest).read_bytes() == written["train-0"] and not (blobs / f"{digest}.incomplete").exists()


@pytest.mark.parametrize("size", [100, 100000])
def test_a_wrong_beginning_is_not_kept(hub, host, written, size):
    digest = hashlib.sha256(written["train-0"]).hexdigest()
    blobs = hub.home / ".cache/huggingface/hub/datasets--iscc--iscc-books/blobs"
    blobs.mkdir(parents=True)
    (blobs / f"{digest}.incomplete").write_bytes(b"x" * size)
    assert hub.good("hub", REPO).json["errors"] == 0
    assert (blobs / digest).read_bytes() == written["train-0"]


def test_a_cache_that_cannot_be_written_is_an_error_of_the_file(hub, tmp_path):
    (tmp_path / "file").write_text("")
    hub.env["HF_HUB_CACHE"] = str(tmp_path / "file")
    said = hub.good("hub", REPO)
    assert said.json["errors"] == 2 and "Not a directory" in said.err


# --- tokens, limits ----------------------------------------------------------------------------------

TOKEN = "hf_verySecretToken"


@pytest.mark.parametrize("way", ["variable", "file", "path", "padded"])
def test_the_token_goes_to_the_hub_alone(hub, host, way, tmp_path):
    host.token = TOKEN
    if way in ("variable", "padded"):
        hub.env["HF_TOKEN"] = TOKEN if way == "variable" else f" {TOKEN}\n"
    elif way == "file":
        (hub.home / ".cache/huggingface").mkdir(parents=True)
        (hub.home / ".cache/huggingface/token").write_text(TOKEN + "\n")
    else:
        (tmp_path / "t").write_text(TOKEN)
        hub.env["HF_TOKEN_PATH"] = str(tmp_path / "t")
    said = hub.good("hub", REPO)
    assert said.json["assets_added"] == 2 * ROWS
    assert all(("authorization" in one.headers) == (one.host == "hub") for one in host.requests)
    assert {one.host for one in host.requests} == {"hub", "cdn"}
    assert TOKEN not in said.out + said.err


def test_a_missing_or_wrong_token_is_said_and_never_shown(hub, host):
    host.token = "another"
    said = hub.run("hub", REPO)
    assert said.code == 2 and "401" in said.err and "HF_TOKEN" in said.err
    hub.env.update({"HF_TOKEN": TOKEN, "ISCC_SEARCH_LOG_LEVEL": "debug"})
    said = hub.run("hub", REPO)
    assert said.code == 2 and "HF_TOKEN" in said.err and TOKEN not in said.err
    host.token = None
    host.faults = [("resolve", (403, {}, b"{}"))] * 2
    said = hub.good("hub", REPO)
    assert said.json["errors"] == 2 and TOKEN not in said.err
    hub.env["HF_TOKEN"] = f"{TOKEN}\nX-Other: header"
    said = hub.run("hub", REPO)
    assert said.code == 2 and TOKEN not in said.err


def test_the_signature_of_a_redirect_is_not_shown(hub, host):
    host.faults = [("X-Signature", (403, {}, b"<html>"))]
    said = hub.good("hub", REPO)
    assert said.json["errors"] == 1 and "secret" not in said.err


@pytest.mark.parametrize("part", ["/tree/", "resolve/main/data/train-00001-of-00002.parquet?X-"])
@pytest.mark.parametrize("headers, seconds", [({"Retry-After": "2"}, 2), ({"RateLimit": '"api";r=0;t=1'}, 1), ({}, 1)])
def test_rate_limits_are_respected(hub, host, part, headers, seconds):
    host.faults = [(part, (429, headers, b"slow down"))]
    said = hub.good("hub", REPO)
    assert said.json["assets_added"] == 2 * ROWS
    assert f"The host limits the rate of requests: waiting {seconds} s" in said.err
    first, second = host.asked(part.removeprefix("resolve/main/data/").removesuffix("?X-"), "hub")[:2] \
        if part == "/tree/" else host.asked("train-00001", "cdn")[:2]
    assert second.time - first.time >= seconds - 0.05


def test_a_host_that_asks_to_wait_for_hours_is_not_waited_for(hub, host):
    host.faults = [("/tree/", (429, {"Retry-After": "7200"}, b""))]
    said = hub.run("hub", REPO)
    assert said.code == 2 and "429" in said.err


@pytest.mark.parametrize("status", [500, 502, 503, 504])
def test_an_overloaded_host_is_asked_again(hub, host, status):
    host.faults = [("/tree/", (status, {}, b""))]
    assert hub.good("hub", REPO).json["errors"] == 0


def test_a_redirect_without_end_ends(hub, host):
    host.faults = [("resolve", (302, {"Location": f"{host.url}/datasets/{REPO}/resolve/main/{TRAIN[0]}"}, b""))] * 50
    said = hub.good("hub", REPO)
    assert said.json["errors"] >= 1 and len(host.asked("resolve")) < 60


def test_lists_that_are_none(hub, host):
    for body in (b"{}", b"[", b"\xff", b'[{"path": 1}]', b"[1, null, \"a\"]"):
        host.faults = [("/tree/", (200, {}, body))]
        said = hub.run("hub", REPO)
        assert said.code == 2, (body, said)


def test_paths_that_lead_out_of_the_cache(hub, host, written):
    host.repos[REPO] = {"../../../../train.parquet": written["train-0"]}
    host.redirects = False
    before = set(hub.home.rglob("*"))
    said = hub.run("hub", REPO)
    made = {path for path in set(hub.home.rglob("*")) - before if path.name == "train.parquet"}
    assert not made, said


# --- resuming ----------------------------------------------------------------------------------------

def test_resume_leaves_out_what_is_stored(hub, host):
    hub.good("hub", REPO, "--limit", "14", "-b", "2")
    said = hub.good("hub", REPO, "--resume", "-b", "2")
    assert (said.json["rows_read"], said.json["assets_added"]) == (2 * ROWS, 6)
    assert "Resumed: 14 rows were stored before" in said.err
    assert hub.good("hub", REPO, "--resume", "-b", "2").json["assets_added"] == 0
    assert hub.good("hub", REPO).json["assets_added"] == 2 * ROWS


@pytest.mark.parametrize("signal_number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_an_interrupted_run_is_resumed(hub, host, written, signal_number):
    host.repos = {REPO: {"train.parquet": written["many"]}}
    process = subprocess.Popen(hub.command(["hub", REPO, "-b", "50"]), env=hub.env, cwd=hub.work, text=True,
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    probe = row_id(REPO, "train.parquet", 99)
    end = time.monotonic() + 60
    while hub.run("get", probe, "--index", "books").code and time.monotonic() < end:
        time.sleep(0.02)
    process.send_signal(signal_number)
    out, err = process.communicate(timeout=60)
    if signal_number != signal.SIGKILL:
        assert process.returncode == 128 + signal_number, (out, err)
        assert "run the same command again with --resume" in err and out == ""
    said = hub.good("hub", REPO, "-b", "50", "--resume")
    assert said.json["rows_read"] == 30000 and said.json["assets_added"] <= 30000 - 100
    for row in (0, 99, 100, 15000, 29999):
        get(hub, row_id(REPO, "train.parquet", row))


# --- datasets ----------------------------------------------------------------------------------------

@pytest.fixture
def listed(host):
    host.datasets = [
        {"id": "iscc/iscc-books", "downloads": 1234, "likes": 5, "lastModified": "2025-03-04T05:06:07.089Z",
         "tags": ["language:de", "size_categories:10K<n<100K"]},
        {"id": "iscc/empty"},
        {"id": "iscc/third", "downloads": 0, "likes": 0, "lastModified": "2024-12-31T00:00:00.000Z", "tags": []},
        {"id": "me/own", "downloads": 1, "likes": 1, "lastModified": "2024-12-31T00:00:00Z", "tags": None}]
    return host


def test_datasets_as_json(hub, listed):
    assert hub.good("datasets", "--json").json == [
        {"repo_id": "iscc/iscc-books", "downloads": 1234, "likes": 5, "last_modified": "2025-03-04T05:06:07.089000+00:00",
         "size_category": "10K<n<100K", "tags": ["language:de", "size_categories:10K<n<100K"]},
        {"repo_id": "iscc/empty", "downloads": None, "likes": None, "last_modified": None, "size_category": "-", "tags": []},
        {"repo_id": "iscc/third", "downloads": 0, "likes": 0, "last_modified": "2024-12-31T00:00:00+00:00",
         "size_category": "-", "tags": []}]
    assert hub.good("datasets", "--json", "-a", "me").json[0]["last_modified"] == "2024-12-31T00:00:00+00:00"
    assert hub.good("datasets", "--json", "-a", "no body&limit=7").json == []
    assert listed.requests[0].path == "/api/datasets?author=iscc&limit=20"
    assert listed.requests[-1].path == "/api/datasets?author=no%20body%26limit%3D7&limit=20"


def test_datasets_as_a_table(hub, listed):
    assert hub.good("datasets").out == """\
Datasets in 'iscc' (3)
Repo ID          Downloads  Likes  Updated     Size
iscc/iscc-books       1234      5  2025-03-04  10K<n<100K
iscc/empty               0      0  -           -
iscc/third               0      0  2024-12-31  -

Hint: iscc-search hub iscc/iscc-books
"""
    assert hub.good("datasets", "--author", "nobody").out == "No datasets found for author 'nobody'\n"


def test_datasets_in_pages(hub, listed):
    listed.page_items = 2
    assert len(hub.good("datasets", "--json").json) == 3 and len(listed.requests) == 2
    assert len(hub.good("datasets", "--json", "-n", "2").json) == 2 and len(listed.requests) == 3
    assert hub.good("datasets", "-n", "0").out == "No datasets found for author 'iscc'\n"
    assert len(listed.requests) == 3


@pytest.mark.parametrize("answer", [(500, {"Retry-After": "1"}, b""), (404, {}, b"{}"), (200, {}, b"nonsense"), (200, {}, b'[{"no": 1}]'),
                                    (200, {}, b'[{"id": "a/b", "lastModified": "yesterday"}]')])
def test_datasets_that_cannot_be_listed(hub, listed, answer):
    listed.faults = [("/api/datasets", answer)] * 6
    said = hub.run("datasets", "--json", timeout=90)
    assert (said.code, said.out) == (1, "") and "Failed to list datasets for 'iscc'" in said.err


def test_names_with_commands_for_the_terminal_are_shown_safely(hub, listed):
    listed.datasets[0]["id"] = "iscc/\x1b[31mred"
    assert "\x1b" not in hub.good("datasets").out


@pytest.mark.parametrize("words", [["hub"], ["hub", "a", "b"], ["hub", REPO, "-n", "x"], ["hub", REPO, "-b", "0"],
                                   ["datasets", "x"], ["datasets", "-n", "-1"]])
def test_wrong_words(hub, host, words):
    said = hub.run(*words)
    assert said.code == 2 and said.err.startswith("Error: ") and not host.requests


# --- to the letter -----------------------------------------------------------------------------------

LONG = "iscc/" + "long-name-" * 9 + "end"
TABLE = """\
Datasets in 'iscc' (3)
Repo ID                                 Downloads  Likes  Updated     Size
iscc/long-name-lon…-name-long-name-end       1234      5  2025-03-04  10K<n<100K
iscc/empty                                      0      0  -           -
iscc/third                                      0      0  2024-12-31  -

Hint: iscc-search hub LONG
"""
REPORT = f"""\
{{
  "dataset": "{REPO}",
  "split": "train",
  "index": "books",
  "parquet_files": 2,
  "rows_read": 20,
  "assets_added": 20,
  "errors": 0
}}
"""


def on_terminal(cli, *words, **options):
    """What a terminal shows; a bar that is there for a moment is erased, and what it has shown depends on the machine."""
    code, shown, _ = cli.on_terminal(*words, streams=("stdout", "stderr"), **options)
    return code, re.sub(r"(\r\x1b\[K([^\r\n]*(?=\r))?)*", "", shown.replace("\r\n", "\n"))


def test_transcripts_of_datasets(hub, listed):
    """Names are shortened in the middle on a terminal, and never in a pipe."""
    listed.datasets[0]["id"] = LONG
    assert on_terminal(hub, "datasets") == (0, TABLE.replace("LONG", LONG))
    for columns in (20, 60, 100, 200):
        shown = on_terminal(hub, "datasets", columns=columns)[1].splitlines()
        assert max(map(len, shown[:-1])) <= max(columns, 49) and shown[-1] == f"Hint: iscc-search hub {LONG}"
    assert hub.good("datasets").out.splitlines()[2] == f"{LONG}       1234      5  2025-03-04  10K<n<100K"
    assert on_terminal(hub, "datasets", env={"TERM": "xterm"})[1].splitlines()[1] == (
        "\x1b[1m" + TABLE.splitlines()[1] + "\x1b[0m")
    nobody = "No datasets found for author 'nobody'\n"
    assert on_terminal(hub, "datasets", "-a", "nobody") == (0, nobody) and hub.good("datasets", "-a", "nobody").out == nobody


@pytest.mark.parametrize("is_terminal", [False, True], ids=["pipe", "terminal"])
def test_transcripts_of_hub(hub, host, is_terminal):
    found = f"Found 2 parquet file(s) in {REPO} (split=train)\n"
    missing = (f"Failed to list files for iscc/x: GET {host.url}/api/datasets/iscc/x/tree/main?recursive=true&expand=false: "
               "HTTP status 404: Repository not found\n")
    for words, code, out, err in (
            ((REPO,), 0, REPORT, "Registered local index books\n" + found), ((REPO,), 0, REPORT, found),
            ((REPO, "--resume", "-b", "2"), 0, REPORT.replace('added": 20', 'added": 0'), found),
            (("iscc/x",), 2, "", "Registered local index x\n" + missing), (("iscc/x",), 2, "", missing),
            ((REPO, "--split", "nothing"), 2, "", f"No parquet files found in {REPO} for split 'nothing'\n"),
            (("iscc/12",), 1, "", "Error: Cannot derive a valid index name from 'iscc/12': give one with --index\n")):
        last = "Resumed: 20 rows were stored before\n" if "--resume" in words else ""
        if is_terminal:
            assert on_terminal(hub, "hub", *words) == (code, err + out + last)
        else:
            said = hub.run("hub", *words)
            assert (said.code, said.out, said.err) == (code, out, err + last)


# --- add ---------------------------------------------------------------------------------------------

def test_add_takes_parquet_files(cli, written):
    path = cli.work / "books.parquet"
    path.write_bytes(written["train-0"])
    for word, outcome in ((path, "created"), ("books.parquet", "updated"), ("./*.parquet", "updated")):
        said = cli.good("add", word)
        assert (said.json["files_scanned"], said.json[outcome], said.json["errors"]) == (1, ROWS, 0)
    stored = cli.good("get", row_id("", path, 0)).json
    expected = expected_metadata(0)
    del expected["hf_dataset"]
    assert stored["metadata"] == expected


def test_add_takes_chosen_columns(cli, written):
    path = cli.work / "books.parquet"
    path.write_bytes(written["train-0"])
    assert cli.good("add", path, "--columns", "pages").json["created"] == ROWS
    assert cli.good("get", row_id("", path, 1)).json["metadata"] == {"pages": 7}
    cli.good("add", path, "--columns", "")
    assert not cli.good("get", row_id("", path, 1)).json.get("metadata")


def test_add_takes_the_ids_of_a_column(cli, written):
    path = cli.work / "ids.parquet"
    path.write_bytes(written["ids"])
    assert cli.good("add", path).json["created"] == 2
    stored = cli.good("get", sample(1)[0]["iscc_id"]).json
    assert "iscc_id" not in stored["metadata"]
    cli.good("get", row_id("", path, 1))


def test_add_reports_bad_rows_and_files(cli, written):
    for name in ("units", "twisted", "none"):
        (cli.work / f"{name}.parquet").write_bytes(written[name])
    (cli.work / "cut.parquet").write_bytes(written["train-0"][:-1])
    said = cli.good("add", "*.parquet", "-v")
    assert (said.json["files_scanned"], said.json["assets_added"], said.json["errors"]) == (4, 4, 5)
    for message in ("units.parquet:3: expected an ISCC-CODE", "units.parquet:4: ", "twisted.parquet:2: ",
                    "none.parquet: no column of ISCCs", "cut.parquet: not a whole Parquet file"):
        assert message in said.err
    assert cli.run("add", "cut.parquet").code == 4
