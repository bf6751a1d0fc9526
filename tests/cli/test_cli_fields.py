"""index fields: what an index declares, and what is said when it cannot."""

import json
import os
import re

import pytest

from commandline import EXAMPLES
from serving import Server


@pytest.fixture(params=["usearch", "lmdb"])
def uri(request, cli):
    """A store whose index `main` holds the sample."""
    uri = f"{request.param}://{cli.work}/store"
    cli.good("add", EXAMPLES / "assets.jsonl", "--uri", uri, "--index", "main")
    return uri


def declared(cli, *words):
    return json.loads(cli.good("index", "fields", *words, "--json").out)["fields"]


def test_fields_are_shown_and_replaced(cli, uri):
    assert cli.good("index", "fields", "main", "--uri", uri).out == "Index 'main' declares no fields\n"
    assert cli.good("index", "fields", "main", "name", "title", "--uri", uri).out == "/name\n/title\n"
    assert cli.good("index", "fields", "main", "--uri", uri).out == "/name\n/title\n"
    assert declared(cli, "main", "creator/name", "--uri", uri) == ["/creator/name"]
    assert declared(cli, "main", "--none", "--uri", uri) == []
    assert declared(cli, "main", "--uri", uri) == []
    assert "0 findings" in cli.good("index", "check", "main", "--uri", uri).out


def test_fields_are_added(cli, uri):
    assert declared(cli, "main", "name", "/a~1b", "--uri", uri) == ["/name", "/a~1b"]
    assert declared(cli, "main", "/name", "title", "a~1b", "--add", "--uri", uri) == ["/name", "/a~1b", "/title"]
    assert declared(cli, "main", "--uri", uri) == ["/name", "/a~1b", "/title"]


@pytest.mark.parametrize("words, code, part", [
    (("a", "/a"), 1, "fields[1]: the field /a is there twice"),
    (("~",), 1, "fields[0]: expected a field: a member of the metadata (license) or a JSON pointer"),
    (("",), 1, "fields[0]: expected a field"),
    (("x" * 256,), 1, "fields[0]: expected a field"),
    (("a", "--none"), 2, "--none: expected no FIELD beside it"),
    (tuple(f"f{number}" for number in range(33)), 1, "fields: expected at most 32 fields, found 33"),
])
def test_wrong_lists_change_nothing(cli, uri, words, code, part):
    cli.good("index", "fields", "main", "kept", "--uri", uri)
    said = cli.run("index", "fields", "main", *words, "--uri", uri)
    assert said.code == code and part in said.err, said
    assert declared(cli, "main", "--uri", uri) == ["/kept"]


def test_too_many_with_those_that_are_declared(cli, uri):
    many = [f"f{number}" for number in range(32)]
    assert len(declared(cli, "main", *many, "--uri", uri)) == 32
    said = cli.run("index", "fields", "main", "one", "--add", "--uri", uri)
    assert said.code == 1 and "expected at most 32 fields, found 33" in said.err
    assert len(declared(cli, "main", "f3", "--add", "--uri", uri)) == 32


def test_an_index_that_is_missing_is_not_created(cli, uri):
    for words in ((), ("a",), ("--none",)):
        said = cli.run("index", "fields", "nosuch", *words, "--uri", uri)
        assert said.code == 1 and "Index 'nosuch' not found" in said.err
    assert not any("nosuch" in name for name in os.listdir(cli.work / "store"))


def test_fields_of_a_remote_index(cli, tmp_path):
    """Through the engine of http://: what the server says, also that it does not know the request."""
    folder = tmp_path / "server"
    folder.mkdir()
    server = Server(folder).start()
    try:
        server.post("/indexes", json={"name": "main"})
        cli.good("index", "add", "main", "--remote", server.base)
        assert declared(cli, "main", "license", "/x~1y", "\u00e9\"") == ["/license", "/x~1y", "/\u00e9\""]
        assert server.get("/indexes/main/fields").json() == {"fields": ["/license", "/x~1y", "/\u00e9\""]}
        assert declared(cli, "main", "--none", "--uri", server.base) == []
        said = cli.run("index", "fields", "nosuch", "--uri", server.base)
        assert said.code == 1 and re.search("Index 'nosuch' not found", said.err), said
        assert cli.run("index", "fields", "main", "a", "a").code == 1
    finally:
        server.stop()


@pytest.mark.parametrize("kind", ["usearch", "lmdb"])
def test_a_copy_declares_the_fields_of_a_new_index(cli, uri, kind):
    to = f"{kind}://{cli.work}/copy"
    cli.good("index", "fields", "main", "title", "name", "--uri", uri)
    cli.good("index", "copy", "main", "new", "--from-uri", uri, "--to-uri", to)
    assert declared(cli, "new", "--uri", to) == ["/title", "/name"]
    assert "0 findings" in cli.good("index", "check", "new", "--uri", to).out
    # what is there already keeps its own
    cli.good("index", "fields", "new", "--none", "--uri", to)
    cli.good("index", "copy", "main", "new", "--from-uri", uri, "--to-uri", to)
    assert declared(cli, "new", "--uri", to) == []
    cli.good("add", EXAMPLES / "files", "--uri", to, "--index", "other")
    cli.good("index", "fields", "other", "own", "--uri", to)
    cli.good("index", "copy", "main", "other", "--from-uri", uri, "--to-uri", to)
    assert declared(cli, "other", "--uri", to) == ["/own"]


def test_a_copy_to_a_server_declares_the_fields(cli, uri, tmp_path):
    folder = tmp_path / "server"
    folder.mkdir()
    cli.good("index", "fields", "main", "title", "--uri", uri)
    server = Server(folder).start()
    try:
        cli.good("index", "copy", "main", "new", "--from-uri", uri, "--to-uri", server.base)
        assert server.get("/indexes/new/fields").json() == {"fields": ["/title"]}
        cli.good("index", "copy", "new", "back", "--from-uri", server.base, "--to-uri", f"usearch://{cli.work}/back")
        assert declared(cli, "back", "--uri", f"usearch://{cli.work}/back") == ["/title"]
    finally:
        server.stop()
