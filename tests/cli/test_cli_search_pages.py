"""`search` page by page: --after and --count, and the command for the next page on a terminal."""

import http.server
import json
import re
import subprocess
import threading

import pytest

from commandline import BINARY, EXAMPLES, sample, write_lines
from serving import make_asset

ENGINES = ["usearch", "lmdb", "http"]


@pytest.fixture(params=ENGINES)
def index(request, cli, start_server):
    """The options that name an index of the sample, of each engine."""
    store = f"{request.param}://{cli.work}/store" if request.param != "http" else start_server(
        f"usearch://{cli.work}/store").base
    if request.param == "http":
        cli.good("index", "add", "main", "--remote", store)
    cli.good("add", EXAMPLES / "assets.jsonl", "--uri", store, "--index", "main")
    return ["--uri", store, "--index", "main"]


@pytest.fixture(scope="module")
def query():
    """The title that most assets of the sample have."""
    titles = [row["units"][0] for row in sample() if row["units"][0].startswith("ISCC:AAD")]
    return max(sorted(set(titles)), key=titles.count)


def ids(said):
    return [match["iscc_id"] for match in said.json["global_matches"]]


def test_pages_are_the_ranking(cli, index, query):
    everything = ids(cli.good("search", query, "-l", 1000, *index))
    assert len(everything) > 7
    found, after = [], ""
    while after is not None:
        page = cli.good("search", query, "-l", 4, "--after", after, *index)
        assert page.json["changed"] is False and page.err == ""
        found += ids(page)
        after = page.json.get("next")
    assert found == everything
    assert "next" not in cli.good("search", query, "-l", 4, *index).json


def test_count(cli, index, query):
    every = cli.good("search", query, "-l", 1000, "--count", *index).json
    few = cli.good("search", query, "-l", 1, "--count", *index).json
    assert every["count"] == few["count"] == len(every["global_matches"]) > 7
    assert (every["chunk_count"], "next" in every) == (0, False)
    table = cli.good("search", query, "-l", 1, "--count", "--table", *index)
    assert table.out.endswith(f"\n\n{every['count']} matches in all\n")
    assert cli.run("search", "ISCC:IAAQCAIBAEAQCAIB", "--count", *index).json["count"] == 0


def test_the_command_for_the_next_page(cli, index, query):
    """Each command that is shown is run as it stands, until none is."""
    everything = ids(cli.good("search", query, "-l", 1000, *index))
    words, found = ["search", query, "-l", "7", "--with", "metadata, units", "--count", *index], []
    while words:
        code, shown, _ = cli.on_terminal(*words, streams=("stdout", "stderr"), columns=400, env={"NO_COLOR": "1"})
        assert code == 0
        first = not found
        rows = re.findall(r"^( *[0-9]*)  [01]\.\d{4}  (ISCC:MAI\w+)", shown.replace("\r\n", "\n"), re.M)
        assert [rank.strip() for rank, _ in rows] == [str(i + 1) if first else "" for i in range(len(rows))]
        found += [iscc_id for _, iscc_id in rows]
        assert f"\n{len(everything)} matches in all\n" in shown.replace("\r\n", "\n") or not rows
        command = re.search(r"^There may be more: (iscc-search search .*)$", shown.replace("\r\n", "\n"), re.M)
        if command:
            assert command[1].startswith("iscc-search search --limit 7 --with 'metadata, units' --count --uri ")
            split = subprocess.run(["sh", "-c", f"printf '%s\\n' {command[1]}"], stdout=subprocess.PIPE, text=True, check=True)
            words = split.stdout.splitlines()[1:]
        else:
            words = None
    assert found == everything


def test_a_pipe_shows_no_command_unless_it_asks_for_pages(filled, query):
    assert filled.good("search", query, "--table").err == ""
    code, shown, err = filled.on_terminal("search", query)
    assert (code, err) == (0, "") and "--after" not in shown
    said = filled.good("search", query, "--table", "--after", "")
    after = re.fullmatch(rf"There may be more: iscc-search search --table {query} --after (\S+)\n", said.err)[1]
    assert filled.good("search", query, "--table", "--after", after).out.startswith("Rank  Score ")
    code, shown, _ = filled.on_terminal("search", query, "--json")
    assert code == 0 and "next" not in json.loads(shown)


def test_behind_the_last_page(filled):
    row = sample(1)[0]
    page = filled.good("search", row["units"][2], "-l", 1, "--after", "").json
    said = filled.good("search", row["units"][2], "-l", 1, "--after", page["next"], "--table")
    assert said.out == "No more matches.\n"
    said = filled.run("search", row["units"][2], "-l", 1, "--after", page["next"], "--fail-if-none")
    assert said.code == 5 and said.json["global_matches"] == []


def test_a_change_between_two_pages_is_said(cli):
    write_lines(cli.work / "a.jsonl", [{"iscc_id": make_asset(n)["iscc_id"], "units": make_asset(1)["units"]} for n in range(1, 6)])
    cli.good("add", "a.jsonl")
    words = ["search", *make_asset(1)["units"], "-l", 2, "--after"]
    after = cli.good(*words, "").json["next"]
    cli.good("remove", make_asset(5)["iscc_id"])
    said = cli.good(*words, after)
    assert said.json["changed"] is True
    assert said.err == "The index has changed since the page before: matches may be repeated or missing\n"


@pytest.mark.parametrize("place", ["x", "AAAA", "ISCC:MAIGHXLN555Y2DFF", "\u00e4"])
def test_what_is_no_place(filled, query, place):
    said = filled.run("search", query, "--after", place)
    assert (said.code, said.out) == (1, "")
    assert said.err == 'Error: after: expected what an answer has given as "next", or an empty text for the first page\n'


@pytest.mark.parametrize("path", ["-", "q.jsonl", "q.ndjson.gz"])
@pytest.mark.parametrize("place", ["", "AAAA"])
def test_many_queries_have_no_page(filled, path, place):
    """A place is one in the ranking of one query."""
    said = filled.run("search", path, "--after", place, stdin="ISCC:AAAA\n")
    name = "standard input" if path == "-" else path
    assert (said.code, said.out) == (2, "")
    assert said.err == (f"Error: --after: a page is that of one query, but {name} has a query in each line. "
                        "Search for the one whose matches go on\n")


def test_counts_of_many_queries(filled, query):
    said = filled.good("search", "-", "--count", "-l", 1, stdin=f"{query}\nISCC:IAAQCAIBAEAQCAIB\n")
    many, none = (json.loads(line) for line in said.out.splitlines())
    assert many["count"] == filled.good("search", query, "-l", 1000, "--count").json["count"]
    assert (none["count"], none["global_matches"]) == (0, [])


def test_a_server_without_pages(cli, query):
    """0.3.3 ignores what it does not know: a terminal shows its matches, and --after says what is missing."""
    asked = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):  # pylint: disable=invalid-name
            self.answer({"name": "main", "assets": 1, "size": 1})

        def do_POST(self):  # pylint: disable=invalid-name
            self.rfile.read(int(self.headers["Content-Length"]))
            asked.append(self.path)
            self.answer({"query": {"units": [query]}, "chunk_matches": [], "global_matches": [
                {"iscc_id": "ISCC:MAIGHXLN555Y2DFF", "score": 1.0, "types": {"META_NONE_V0": 1.0}, "metadata": None}]})

        def answer(self, body):
            text = json.dumps(body).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

        def log_message(self, *_):  # pylint: disable=arguments-differ
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as served:
        threading.Thread(target=served.serve_forever, daemon=True).start()
        where = ["--uri", f"http://127.0.0.1:{served.server_port}", "--index", "main"]
        code, shown, _ = cli.on_terminal("search", query, "-l", "1", *where, streams=("stdout", "stderr"),
                                         env={"NO_COLOR": "1"})
        assert code == 0 and "   1  1.0000  ISCC:MAIGHXLN555Y2DFF" in shown and "--after" not in shown
        assert len(asked) == 2
        for words in (["--after", ""], ["--count"]):
            said = cli.run("search", query, *words, *where)
            assert said.code == 1 and "the server has no pages and counts of a search" in said.err
        served.shutdown()


def test_help_has_both():
    said = subprocess.run([BINARY, "search", "--help"], capture_output=True, text=True, check=True).stdout
    assert "--after" in said and "--count" in said
