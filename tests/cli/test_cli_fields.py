"""index fields: what an index declares, and what is said when it cannot."""

import json
import os
import re

import pytest

from commandline import EXAMPLES, write_lines
from serving import Server, iscc_id


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


# --- search --where, --filter ---------------------------------------------------------------------

UNITS = ["ISCC:GAASKLZWC5P5DZ4J", "ISCC:EADR5BPDM23VE2Z636LGF3FNDCVML5RBQIE6L4JH6VP4SCSTHAQ7UJA"]
METADATA = [{"license": "CC0", "year": 2020, "tags": ["a", "b"], "deep": {"er": True}}, {"license": "MIT", "year": 2021.5, "tags": []},
            {"license": "1", "year": "2020", "none": None}, {"license": 1, "year": -3}, {}]


@pytest.fixture
def few(cli):
    """An index of five assets that are alike, and a search for them that gives their numbers."""
    rows = [{"iscc_id": iscc_id(number + 1), "units": UNITS, "metadata": metadata} for number, metadata in enumerate(METADATA)]
    uri = f"usearch://{cli.work}/few"
    cli.good("add", write_lines(cli.work / "few.jsonl", rows), "--uri", uri)
    cli.good("index", "fields", "default", "license", "year", "tags", "deep/er", "none", "--uri", uri)

    def search(*words):
        found = json.loads(cli.good("search", UNITS[1], "--json", "--limit", "9", "--uri", uri, *words).out)
        return sorted([iscc_id(number + 1) for number in range(5)].index(match["iscc_id"]) for match in found["global_matches"])

    search.uri = uri
    return search


@pytest.mark.parametrize("tests, expected", [
    (["license=CC0"], [0]), (["/license=MIT"], [1]), (["license=1"], [3]), (["license=\"1\""], [2]), (["license!=CC0"], [1, 2, 3, 4]),
    (["license=1.0"], [3]), (["license=cc0"], []), (["license="], []), (["license"], [0, 1, 2, 3]),
    (["year>=2020"], [0, 1]), (["year<2021"], [0, 3]), (["year>=2020", "year<2021"], [0]), (["year>=2021.5"], [1]), (["year>=\"2\""], [2]),
    (["year<-2"], [3]), (["tags=a"], [0]), (["tags=a", "tags=b"], [0]), (["tags!=a"], [1, 2, 3, 4]), (["tags"], [0, 1]),
    (["deep/er=true"], [0]), (["deep/er=\"true\""], []), (["none=null"], [2]), (["none"], [2]), (["license>=D"], [1]), (["license=[1]"], []),
])
def test_where(few, tests, expected):
    assert few(*(word for test in tests for word in ("--where", test))) == expected


def test_filters_and_tests_hold_together(few):
    assert few("--filter", '{"any": [{"field": "license", "equals": "CC0"}, {"hub": 2}]}') == [0, 1]
    assert few("--filter", '{"hub": [1, 2, 3]}', "--where", "year>=2021") == [1]
    assert few("--filter", '{"hub": [1, 2]}', "--filter", '{"hub": [2, 3]}') == [1]
    assert few("--filter", "{}") == [0, 1, 2, 3, 4]


@pytest.mark.parametrize("words, part", [
    (["--where", "year>2020"], "--where year>2020: expected FIELD, FIELD=VALUE, FIELD!=VALUE, FIELD>=VALUE or FIELD<VALUE"),
    (["--where", "year<=2020"], "expected FIELD, FIELD=VALUE"), (["--where", "year!2020"], "expected FIELD, FIELD=VALUE"),
    (["--where", "=x"], "--where =x: Expected a field"), (["--where", "year>=true"], "a number or a string"), (["--where", ""], "Expected a field"),
    (["--filter", "{"], "--filter {: JSON: expected"), (["--filter", '{"a":1}'], '--filter {"a":1}: a: Unknown member: expected all, any'), (["--filter", "[]"], "valid dictionary"),
    (["--filter", '{"all":[{"hub":1},{"field":"year"}]}'], "]}: all.1: Expected one test of the field"), (["--filter", '{"not":{"hub":-1}}'], "}}: not.hub: Expected a hub"),
    (["--facet", "~"], "--facet ~: expected a field"), (["--facet", "year,/year"], "is there twice"),
    (["--where", "nosuch=1"], "field '/nosuch' is not declared for this index"),
])
def test_what_is_no_filter_is_named(cli, few, words, part):
    said = cli.run("search", UNITS[1], "--uri", few.uri, *words)
    assert said.code != 0 and part in said.err and said.out == "", said


def test_lines_inherit_the_filter(cli, few):
    lines = json.dumps({"units": UNITS[1:]}) + "\n" + json.dumps({"units": UNITS[1:], "filter": {"hub": 3}}) + "\n"
    said = cli.good("search", "-", "--where", "license=CC0", "--uri", few.uri, stdin=lines)
    found = [[match["iscc_id"] for match in json.loads(line)["global_matches"]] for line in said.out.splitlines()]
    assert found == [[iscc_id(1)], [iscc_id(3)]]


def test_nothing_passes(cli, few):
    said = cli.good("search", UNITS[1], "--table", "--where", "license=GPL", "--uri", few.uri)
    assert said.out == "No match of at least 0.75 among 5 assets of index 'default' with this filter.\n"


def test_facets_stand_below_the_table(cli, few):
    said = cli.good("search", UNITS[1], "--table", "--limit", "1", "--facet", "license", "--facet", "year,tags", "--uri", few.uri)
    assert said.out.split("\n\n", 1)[1] == (
        "license of all matches:\n         1  1\n         1  1\n         1  CC0\n         1  MIT\n\n"
        "year of all matches:\n         1  -3\n         1  2020\n         1  2021.5\n         1  2020\n\n"
        "tags of all matches:\n         1  a\n         1  b\n"), said
    assert "no value" in cli.good("search", UNITS[1], "--table", "--where", "license=MIT", "--facet", "tags", "--uri", few.uri).out
