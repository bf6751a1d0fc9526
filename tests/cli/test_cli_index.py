"""config.json and the `index` commands, on local and on remote indexes."""

import json
import os
import stat
import subprocess
import time

import pytest

from commandline import FILES, read_file, sample, write_lines
from serving import free_port, iscc_id, make_asset


def entry(path):
    return {"type": "local", "path": str(path)}


# --- config.json ----------------------------------------------------------------------------------

def test_a_default_is_written(cli):
    cli.good("index", "list")
    assert cli.config() == {"active_index": "default", "indexes": {"default": entry(cli.data)}}
    assert cli.config_path.read_text().startswith('{\n  "active_index": "default",\n  "indexes": {\n')
    assert stat.S_IMODE(os.stat(cli.config_path).st_mode) == 0o600
    assert os.listdir(cli.data) == ["config.json"]


def test_the_data_of_an_index_is_in_path_name(cli):
    cli.good("index", "add", "mine", "--local", "--path", cli.work / "store")
    assert not (cli.work / "store").exists()  # made on first use
    cli.good("add", FILES[0], "--index", "mine")
    assert (cli.work / "store/mine/index.lmdb").exists()
    cli.good("add", FILES[0])
    assert (cli.data / "default/index.lmdb").exists()


def test_unknown_members_stay(cli):
    cli.write_config('{"x": [1, {"y": null}], "active_index": "a", "indexes": {"a": {"type": '
                     f'"local", "path": "{cli.work}", "note": "\u00e4", "n": 1e30}}, "b": '
                     '{"type": "remote", "url": "http://127.0.0.1:1", "api_key": "k", "tags": '
                     '["t"]}, "\\u00e4\\"": {"type": "local", "path": "/x"}}, "z": 2.50}')
    before = cli.config()
    cli.good("index", "use", "b")
    assert cli.config() == {**before, "active_index": "b"}
    cli.good("index", "add", "c", "--local")
    after = cli.config()
    assert after.pop("indexes") == {**before["indexes"], "c": entry(cli.data)}
    assert after == {"x": [1, {"y": None}], "active_index": "b", "z": 2.5}
    assert '"z": 2.50' in cli.config_path.read_text()


def test_a_member_with_escapes_in_its_name_is_written_once(cli):
    cli.data.mkdir(parents=True)
    cli.config_path.write_text('{"active\\u005findex": null, "indexes": {"a": {"type": "remote", "\\u0075rl": "http://h", '
                               '"x\\u0079": 1}}}')
    cli.good("index", "add", "b", "--local")
    text = cli.config_path.read_text()
    assert '"url": "http://h"' in text and '"x\\u0079": 1' in text
    assert text.count("url") == 1 and text.count("_index") == 1 and "u0075" not in text and "u005f" not in text


def test_entries_of_an_unknown_kind_stay(cli):
    strange = {"type": "cloud", "bucket": "b"}
    cli.write_config({"active_index": "a", "indexes": {"a": entry(cli.work), "s": strange}})
    cli.good("index", "add", "c", "--local")
    assert cli.config()["indexes"]["s"] == strange
    for words in (("get", iscc_id(1)), ("search", iscc_id(1)), ("add", FILES[0])):
        said = cli.run(*words, "--index", "s")
        assert (said.code, said.out) == (1, ""), said


@pytest.mark.parametrize("content", [{}, {"indexes": {}}, {"indexes": None, "active_index": None},
                                     {"active_index": None, "indexes": {"a": 5}}])
def test_a_file_without_indexes(cli, content):
    cli.write_config(content)
    assert cli.good("index", "list").out.startswith("Configured Indexes\n")
    said = cli.run("get", iscc_id(1))
    assert said.code == 1 and "no active index" in said.err
    cli.good("index", "add", "a", "--local")
    assert cli.config()["active_index"] == "a"


def test_an_active_index_that_is_not_there(cli):
    cli.write_config({"active_index": "gone", "indexes": {"a": entry(cli.work)}})
    said = cli.run("get", iscc_id(1))
    assert said.code == 1
    assert "Index 'gone' not found in configuration" in said.err


def test_a_home_that_cannot_be_written(cli):
    (cli.home / "share").write_text("a file")
    said = cli.run("get", iscc_id(1))
    assert (said.code, said.out) == (1, "")
    assert str(cli.home / "share") in said.err
    store = f"usearch://{cli.work}/store"  # needs no configuration
    assert cli.good("add", FILES[0], "--uri", store).json["created"] == 1


# --- add, list, use, remove -----------------------------------------------------------------------

def test_add_list_use_remove(cli):
    cli.write_config({"active_index": None, "indexes": {}})
    said = cli.good("index", "add", "one", "--local", "--path", "store")
    assert said.out == (f"Registered local index 'one'\nPath: {cli.work}/store\n"
                        "'one' is now the active index\n")
    said = cli.good("index", "add", "two", "--local")
    assert said.out == f"Registered local index 'two'\nPath: {cli.data}\n"
    assert cli.config() == {"active_index": "one", "indexes": {
        "one": entry(cli.work / "store"), "two": entry(cli.data)}}

    lines = cli.good("index", "list").out.splitlines()
    assert lines[0] == "Configured Indexes"
    assert all(word in lines[1] for word in ("Name", "Type", "Location/URL", "Active"))
    assert "one" in lines[2] and "\u2713" in lines[2] and f"{cli.work}/store" in lines[2]
    assert "two" in lines[3] and "\u2713" not in lines[3] and "local" in lines[3]

    assert cli.good("index", "use", "two").out == "Active index set to 'two'\n"
    assert cli.config()["active_index"] == "two"

    assert cli.good("index", "remove", "two").out == "Removed index 'two' from configuration\n"
    assert cli.config() == {"active_index": "one", "indexes": {"one": entry(cli.work / "store")}}
    cli.good("index", "remove", "one")
    assert cli.config() == {"active_index": None, "indexes": {}}


def test_add_replaces(cli):
    cli.good("index", "add", "a", "--local", "--path", "/one")
    cli.good("index", "add", "a", "--local", "--path", "/two")
    assert cli.config()["indexes"]["a"] == entry("/two")
    assert list(cli.config()["indexes"]) == ["default", "a"]


@pytest.mark.parametrize("words", [(), ("--local", "--remote", "http://127.0.0.1:1")])
def test_add_wants_one_kind(cli, words):
    said = cli.run("index", "add", "a", *words)
    assert (said.code, said.out) == (1, "")
    assert "--local" in said.err and "--remote" in said.err


@pytest.mark.parametrize("words", [("use", "x"), ("remove", "x"), ("rebuild", "--all", "--index", "x")])
def test_unknown_name(cli, words):
    said = cli.run("index", *words)
    assert (said.code, said.out) == (1, "")
    assert "Index 'x' not found in configuration" in said.err
    assert "iscc-search index list" in said.err


def test_a_name_that_no_store_takes(cli):
    cli.good("index", "add", "Bad-Name", "--local")
    for words in (("add", FILES[0]), ("get", iscc_id(1)), ("search", iscc_id(1))):
        said = cli.run(*words, "--index", "Bad-Name")
        assert said.code == 1 and said.out == "" and "Bad-Name" in said.err, said


def test_remove_keeps_data_unless_asked(cli):
    cli.good("add", FILES[0])
    cli.good("index", "remove", "default")
    assert (cli.data / "default/index.lmdb").exists()
    cli.good("index", "add", "default", "--local")
    assert cli.good("get", read_file(FILES[0])["iscc_id"])

    said = cli.good("index", "remove", "default", "--delete-data")
    assert said.out == ("Removed index 'default' from configuration\n"
                        f"Deleted index directory {cli.data}/default\n")
    assert not (cli.data / "default").exists()


def test_delete_data_that_is_not_there(cli):
    path = cli.work / "store"
    cli.good("index", "add", "mine", "--local", "--path", path)
    said = cli.good("index", "remove", "mine", "--delete-data")
    assert f"Warning: Index directory {path}/mine not found\n" in said.out
    assert not path.exists()


def test_rebuild(cli):
    cli.good("add", FILES[0])
    for words in (("--all",), ("--unit-type", "CONTENT_TEXT_V0"),
                  ("--unit-type", "A", "--unit-type", "B", "--simprint-type", "C")):
        assert cli.good("index", "rebuild", *words, "--index", "default").out
    for words in ((), ("--all", "--unit-type", "A"), ("--all", "--simprint-type", "A")):
        said = cli.run("index", "rebuild", *words)
        assert (said.code, said.out) == (1, "")
        assert "--all" in said.err
    cli.write_config({"active_index": "r", "indexes": {
        "r": {"type": "remote", "url": "http://127.0.0.1:1"}}})
    said = cli.run("index", "rebuild", "--all")
    assert (said.code, said.out) == (1, "")
    assert "remote" in said.err


# --- found indexes --------------------------------------------------------------------------------

@pytest.fixture
def found(cli):
    """The data folder holds index `lost`, which no entry names."""
    asset = make_asset(1)
    write_lines(cli.work / "a.jsonl", [asset])
    cli.good("index", "add", "lost", "--local")
    cli.good("add", "a.jsonl", "--index", "lost")
    cli.good("index", "remove", "lost")
    return cli


def test_found_indexes_open_where_they_are(found):
    before = found.config()
    listed = found.good("index", "list").out
    line = [line for line in listed.splitlines() if line.startswith("lost")][0]
    assert str(found.data) in line and "local" in line
    assert found.good("get", iscc_id(1), "--index", "lost").json["iscc_id"] == iscc_id(1)
    assert not (found.data / "lost/lost").exists()
    assert found.config() == before  # listed, never saved


def test_found_indexes_can_be_used(found):
    found.good("index", "use", "lost")
    assert found.good("get", iscc_id(1)).json["iscc_id"] == iscc_id(1)
    assert found.config() == {"active_index": "lost", "indexes": {"default": entry(found.data)}}
    found.good("index", "add", "lost", "--local")
    assert found.config()["indexes"]["lost"] == entry(found.data)


def test_found_indexes_can_be_deleted(found):
    found.good("index", "remove", "lost", "--delete-data")
    assert not (found.data / "lost").exists()
    assert "lost" not in found.good("index", "list").out


def test_an_index_that_0_3_3_has_found(cli):
    """0.3.3 saved a found index with its own folder as path; what it has there is opened."""
    rows = [make_asset(number) for number in (1, 2)]
    write_lines(cli.work / "a.jsonl", rows)
    cli.good("add", "a.jsonl")
    assert cli.good("get", iscc_id(2)).json["units"] == rows[1]["units"]
    assert not (cli.data / "default/default").exists()


# --- --uri ----------------------------------------------------------------------------------------

def test_uri(cli, start_server):
    store = f"usearch://{cli.work}/store"
    write_lines(cli.work / "a.jsonl", [make_asset(1)])
    cli.good("add", "a.jsonl", "--uri", store, "--index", "x")
    cli.good("add", "a.jsonl", "--uri", store)
    assert (cli.work / "store/x/index.lmdb").exists()
    assert (cli.work / "store/default/index.lmdb").exists()
    assert cli.good("get", iscc_id(1), "--uri", store, "--index", "x").json
    server = start_server()
    server.post("/indexes", json={"name": "default"})
    assert cli.good("add", "a.jsonl", "--uri", server.base).json["created"] == 1
    assert cli.good("search", make_asset(1)["units"][0], "--uri", server.base).json["global_matches"]
    assert not cli.config_path.exists()


@pytest.mark.parametrize("uri", ["", "nonsense", "ftp://x/y", "/srv/iscc"])
def test_a_malformed_uri(cli, uri):
    said = cli.run("get", iscc_id(1), "--uri", uri)
    assert (said.code, said.out) == (1, "")
    assert said.err.startswith("Error: ")


# --- remote indexes -------------------------------------------------------------------------------

def test_remote_index_is_made_on_the_server(cli, start_server):
    server = start_server()
    said = cli.good("index", "add", "rem", "--remote", server.base + "/")
    assert said.out == (f"Registered remote index 'rem'\nURL: {server.base}\n"
                        "Index 'rem' not found on server, creating...\n"
                        "Created index 'rem' on remote server\n")
    assert cli.config()["indexes"]["rem"] == {"type": "remote", "url": server.base}
    assert server.get("/indexes/rem").status_code == 200
    again = cli.good("index", "add", "rem", "--remote", server.base)
    assert "creating" not in again.out
    assert "remote" in cli.good("index", "list").out and server.base in cli.good("index", "list").out


def test_the_first_index_may_be_remote(cli, start_server):
    server = start_server()
    cli.write_config({"active_index": None, "indexes": {}})
    said = cli.good("index", "add", "rem", "--remote", server.base)
    assert said.out.endswith("'rem' is now the active index\n")
    assert cli.config()["active_index"] == "rem"


def test_remote_answers_like_local(cli, start_server, common_rows=300):
    rows = sample(common_rows)
    write_lines(cli.work / "a.jsonl", rows)
    server = start_server()
    cli.good("index", "add", "rem", "--remote", server.base)
    local, remote = cli.good("add", "a.jsonl"), cli.good("add", "a.jsonl", "-i", "rem")
    assert local.out == remote.out and remote.json["created"] == common_rows
    for row in rows[::40]:
        for words in (("get", row["iscc_id"]), ("search", row["iscc_code"], "-l", 20),
                      ("search", row["iscc_id"]), ("search", *row["units"]),
                      ("search", row["units"][0], "--table")):
            assert cli.good(*words, "--index", "rem").out == cli.good(*words).out
    said = cli.run("get", iscc_id(1), "--index", "rem")
    assert (said.code, said.err) == (1, f"Error: Asset not found: {iscc_id(1)}\n")


def test_a_bad_asset_among_good_ones_for_a_server(cli, start_server):
    rows = [make_asset(number) for number in range(1, 6)]
    rows[2]["units"][0] = "ISCC:!!!!"
    rows[3]["iscc_id"] = "ISCC:!!!!"
    write_lines(cli.work / "a.jsonl", rows)
    server = start_server()
    cli.good("index", "add", "rem", "--remote", server.base)
    said = cli.good("add", "a.jsonl", "--index", "rem")
    assert said.json["created"] == 3 and said.json["errors"] == 2
    assert "a.jsonl:3: " in said.err and "a.jsonl:4: " in said.err


@pytest.mark.parametrize("how", ["option", "environment", ".env"])
def test_api_key(cli, start_server, how):
    server = start_server(env={"ISCC_SEARCH_API_SECRET": "s3cret"})
    words = ["index", "add", "rem", "--remote", server.base]
    env = {}
    if how == "option":
        words += ["--api-key", "s3cret"]
        env["ISCC_SEARCH_API_KEY"] = "another"
    elif how == "environment":
        env["ISCC_SEARCH_API_KEY"] = "s3cret"
    else:
        (cli.work / ".env").write_text("ISCC_SEARCH_API_KEY=s3cret\n")
    said = cli.good(*words, env=env)
    (cli.work / ".env").unlink(missing_ok=True)
    assert "API key: configured\n" in said.out and "s3cret" not in said.out + said.err
    assert cli.config()["indexes"]["rem"]["api_key"] == "s3cret"
    assert cli.good("add", FILES[0], "--index", "rem").json["created"] == 1
    assert "s3cret" not in cli.good("index", "list").out


def test_a_wrong_api_key(cli, start_server):
    server = start_server(env={"ISCC_SEARCH_API_SECRET": "s3cret"})
    said = cli.run("index", "add", "rem", "--remote", server.base, "--api-key", "wr0ng")
    assert said.code == 1
    assert "Unauthorized" in said.err and "wr0ng" not in said.err
    assert "rem" in cli.config()["indexes"]  # saved before the server is asked
    for words in (("get", iscc_id(1)), ("search", iscc_id(1)), ("add", FILES[0])):
        said = cli.run(*words, "--index", "rem")
        assert (said.code, said.out) == (1, "")
        assert said.err.count("\n") == 1 and "Unauthorized" in said.err


def test_a_server_that_is_not_there(cli):
    url = f"http://127.0.0.1:{free_port()}"
    said = cli.run("index", "add", "rem", "--remote", url)
    assert said.code == 1
    assert url in said.err and said.err.startswith("Error: ")
    assert cli.config()["indexes"]["rem"]["url"] == url
    for words in (("get", iscc_id(1)), ("search", iscc_id(1)), ("add", FILES[0])):
        said = cli.run(*words, "--index", "rem")
        assert (said.code, said.out) == (1, ""), said
        assert url in said.err and said.err.startswith("Error: ")
        assert said.err.count("\n") == 1


def test_an_index_that_the_server_lost(cli, start_server):
    server = start_server()
    cli.good("index", "add", "rem", "--remote", server.base)
    server.delete("/indexes/rem")
    for words in (("get", iscc_id(1)), ("search", make_asset(1)["units"][0]), ("add", FILES[0])):
        said = cli.run(*words, "--index", "rem")
        assert (said.code, said.out) == (1, "")
        assert said.err.startswith("Error: ")


def test_a_server_that_goes_away(cli, start_server):
    server = start_server()
    cli.good("index", "add", "rem", "--remote", server.base)
    first = cli.work / "first.jsonl"
    os.mkfifo(first)
    write_lines(cli.work / "second.jsonl", [make_asset(number) for number in range(11, 21)])
    process = subprocess.Popen(cli.command(["add", "first.jsonl", "second.jsonl", "-b", "5", "-i",
                                            "rem"]), cwd=cli.work, env=cli.env, text=True,
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    with open(first, "w", encoding="utf-8") as lines:
        for number in range(1, 7):
            lines.write(json.dumps(make_asset(number)) + "\n")
        lines.flush()
        end = time.monotonic() + 10
        while server.get("/indexes/rem").json()["assets"] < 5 and time.monotonic() < end:
            time.sleep(0.02)
        server.stop()
    out, err = process.communicate(timeout=60)
    assert (process.returncode, out) == (1, "")
    assert err.splitlines()[-3] == "5 assets were added before"
    assert err.splitlines()[-1].startswith("To go on, run the same command again with --resume: ")
    assert server.base in err


def test_delete_data_leaves_servers_alone(cli, start_server):
    server = start_server()
    cli.good("index", "add", "rem", "--remote", server.base)
    said = cli.good("index", "remove", "rem", "--delete-data")
    assert "remote" in said.out
    assert server.get("/indexes/rem").status_code == 200
    assert "rem" not in json.loads(cli.config_path.read_text())["indexes"]


LEFT = {"an empty folder": [], "lock files": ["index.lmdb-lock", "index.lmdb-lock-of"]}


@pytest.mark.parametrize("left", sorted(LEFT))
def test_a_folder_without_an_index_is_taken(cli, start_server, left):
    store = cli.work / "store"
    for name in ("served", "added"):
        (store / name).mkdir(parents=True)
        for file in LEFT[left]:
            (store / name / file).write_bytes(b"")
    server = start_server(f"usearch://{store}")
    assert server.get("/indexes").json() == []
    assert server.get("/indexes/served").status_code == 404
    assert server.post("/indexes", json={"name": "served"}).status_code == 201
    assert server.get("/indexes/served").json()["assets"] == 0
    assert server.post("/indexes", json={"name": "served"}).status_code == 409
    cli.good("add", FILES[0], "--uri", f"usearch://{store}", "--index", "added")
    assert server.get("/indexes/added").json()["assets"] == 1


@pytest.mark.parametrize("kind", ["a folder with a file", "a file", "a link to a folder", "a folder for a lock file"])
def test_what_is_no_index_is_named_and_stays(cli, start_server, kind):
    left, file = cli.work / "store/left", cli.work / "store/left/notes.txt"
    left.parent.mkdir()
    if kind == "a file":
        file = left
    elif kind == "a link to a folder":
        (cli.work / "elsewhere").mkdir()
        left.symlink_to(cli.work / "elsewhere")
        file = cli.work / "elsewhere"
    else:
        left.mkdir()
        file = left / ("index.lmdb-lock" if "lock" in kind else "notes.txt")
    if not file.exists():
        file.mkdir() if "lock" in kind else file.write_text("kept")
    server = start_server(f"usearch://{left.parent}")
    answer = server.post("/indexes", json={"name": "left"})
    assert answer.status_code == 500
    assert f"{left}: " in answer.text and "choose another name" in answer.text
    said = cli.run("add", FILES[0], "--uri", f"usearch://{left.parent}", "--index", "left")
    assert said.code == 1 and f"{left}: " in said.err and "choose another name" in said.err
    assert file.exists()
    assert sorted(path.name for path in left.parent.iterdir()) == ["left"]
