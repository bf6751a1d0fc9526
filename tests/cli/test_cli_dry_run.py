"""`add --dry-run` and `import --dry-run`: the same counts and errors as without it, and nothing is written."""

import hashlib
import json

import pytest

from commandline import EXAMPLES, FILES, read_file, sample, write_lines
from serving import iscc_id, make_asset


def state(folder):
    """Everything below a folder: names and contents."""
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else "folder"
            for path in folder.rglob("*") if not path.name.endswith("-lock")}


def messages(said, words):
    """Standard error. Two threads find errors: with several batches their order is any, and so are the first five."""
    if "-v" not in words:
        return said.err
    return sorted(line for line in said.err.splitlines() if line.startswith("\u2717"))


def rehearse(cli, *words, **options):
    """Run a command with --dry-run and then without: the same, but for "dry_run", and nothing is written by the first."""
    before = state(cli.home), state(cli.work)
    dry = cli.run(*words, "--dry-run", **options)
    assert (state(cli.home), state(cli.work)) == before
    real = cli.run(*words, **options)
    assert (dry.code, messages(dry, words)) == (real.code, messages(real, words))
    if real.out:
        counts = dry.json
        assert counts.pop("dry_run") is True
        assert counts == real.json
    else:
        assert dry.out == ""
    return real


def test_nothing_is_written_into_an_empty_home(cli):
    said = rehearse(cli, "add", EXAMPLES / "assets.jsonl")
    assert said.json["created"] == len(sample())


@pytest.mark.parametrize("engine", ["usearch", "lmdb"])
def test_a_store_that_does_not_exist(cli, engine):
    said = rehearse(cli, "add", EXAMPLES / "assets.jsonl", "--uri", f"{engine}://{cli.work}/deep/store", "--index", "main")
    assert said.json["created"] == len(sample())


@pytest.mark.parametrize("engine", ["usearch", "lmdb"])
def test_new_ones_and_updates(cli, engine):
    where = ["--uri", f"{engine}://{cli.work}/store"]
    cli.good("add", FILES[0].parent, *where)
    again = write_lines(cli.work / "again.jsonl", sample(3) + sample(2))
    said = rehearse(cli, "add", FILES[0].parent, again, again, *where)
    assert (said.json["created"], said.json["updated"]) == (3, len(FILES) + 7)
    assert "Duplicates: " in said.err


@pytest.mark.parametrize("batch", [1, 3, 1000])
def test_errors_are_those_of_an_add(cli, batch):
    rows = [make_asset(number) for number in range(1, 12)]
    rows[2]["units"][1] = "ISCC:!!!!"
    rows[4]["iscc_code"] = "ISCC:KACY6MYZYQFRSUSPYPNO4G3CLMACQAQWJAA4RTFHBFXCTOJUKW7H"
    rows[5]["iscc_id"] = iscc_id(6, realm=1)
    rows[7]["iscc_id"] = "ISCC:AAAA"
    rows[8]["simprints"] = {"CONTENT_TEXT_V0": [{"simprint": "!", "offset": 0, "size": 1}]}
    rows[9] = {"metadata": {"name": "nothing to find it by"}}
    write_lines(cli.work / "a.jsonl", rows + ["{", "[]", "nonsense"])
    said = rehearse(cli, "add", "a.jsonl", "absent.json", "-b", batch, "-v")
    assert (said.json["created"], said.json["errors"]) == (5, 10)
    for number in (3, 5, 6, 8, 9, 10, 12, 13, 14):
        assert f"a.jsonl:{number}: " in said.err


def test_the_realm_of_the_index(cli):
    cli.good("add", write_lines(cli.work / "one.jsonl", [make_asset(1)]))
    write_lines(cli.work / "a.jsonl", [{**make_asset(2), "iscc_id": iscc_id(2, realm=1)}, make_asset(3)])
    said = rehearse(cli, "add", "a.jsonl")
    assert (said.json["created"], said.json["errors"]) == (1, 1)
    assert "a.jsonl:1: " in said.err and "realm" in said.err


def test_nothing_that_could_be_added(cli):
    write_lines(cli.work / "a.jsonl", ["{", "x"])
    assert rehearse(cli, "add", "a.jsonl").code == 4
    assert rehearse(cli, "add", "nothing*.json").code == 2


def test_files_without_an_iscc_id(cli):
    """The same file twice is one asset; an edited one is another."""
    for name, path in (("a", FILES[0]), ("copy", FILES[0]), ("b", FILES[1])):
        asset = read_file(path)
        del asset["iscc_id"]
        (cli.work / f"{name}.iscc.json").write_text(json.dumps(asset), encoding="utf-8")
    said = rehearse(cli, "add", "*.iscc.json")
    assert (said.json["created"], said.json["updated"]) == (2, 1)
    said = rehearse(cli, "add", "*.iscc.json")
    assert (said.json["created"], said.json["updated"]) == (0, 3)
    (cli.work / "none.iscc.json").write_text('{"iscc": "ISCC:AADSUWPOD5TDD5MCWZX32P6FNFIKILX42MVDHQG3D5J36RXNCKQWZGY"}')
    assert "none.iscc.json: iscc_id is missing" in rehearse(cli, "add", "none.iscc.json").err


def test_lines_without_an_iscc_id_are_new_each_time(cli):
    rows = [{"units": make_asset(1)["units"]}] * 3
    said = rehearse(cli, "add", "-", stdin="\n".join(map(json.dumps, rows)))
    assert (said.json["created"], said.json["updated"]) == (3, 0)
    said = rehearse(cli, "import", "-", stdin="\n".join(map(json.dumps, rows)))
    assert (said.json["created"], said.json["updated"]) == (3, 0)


@pytest.mark.parametrize("at", [0, 3, 5])
def test_import_that_stops_at_an_error(cli, at):
    rows = [make_asset(number) for number in range(1, 7)]
    rows[at]["units"][1] = "ISCC:!!!!"
    write_lines(cli.work / "a.jsonl", rows)
    dry = cli.run("import", "a.jsonl", "--on-error", "stop", "--dry-run")
    real = cli.run("import", "a.jsonl", "--on-error", "stop")
    assert dry.code == real.code == (4 if at == 0 else 1)
    if at:
        assert dry.json == {**real.json, "dry_run": True} and real.json["created"] == at
        assert dry.err.endswith("Stopped at the first error\n")


def test_a_server(cli, start_server):
    server = start_server()
    cli.good("index", "add", "main", "--remote", server.base)
    cli.good("add", write_lines(cli.work / "one.jsonl", sample(2)), "--index", "main")
    before = server.get("/indexes/main").json()
    said = cli.good("add", EXAMPLES / "assets.jsonl", "--index", "main", "--dry-run")
    assert (said.json["created"], said.json["updated"]) == (len(sample()) - 2, 2)
    assert server.get("/indexes/main").json() == before
    said = cli.run("add", EXAMPLES / "assets.jsonl", "--uri", server.base, "--index", "absent", "--dry-run")
    assert said.code == 1 and "Index 'absent' not found" in said.err


def test_on_a_terminal(cli):
    code, shown, _ = cli.on_terminal("add", str(EXAMPLES / "assets.jsonl"), "--dry-run", env={"NO_COLOR": "1"})
    assert (code, shown) == (0, "Would add 2,400 assets to index 'default': 2,400 new, 0 updated.\r\n")


def test_an_index_that_the_configuration_lacks(cli):
    said = rehearse(cli, "add", EXAMPLES / "assets.jsonl", "--index", "absent")
    assert said.code == 1 and "not found in configuration" in said.err
