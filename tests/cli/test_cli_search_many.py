"""`search` with conditions, and with every line of a file or of standard input."""

import json
import subprocess

import pytest

from commandline import write_lines
from serving import CONTENT, DATA, META, digest, iscc_id, make_asset, unit

ROWS = [make_asset(number, metadata={"n": number}) for number in range(1, 601)]
GOOD = [
    json.dumps(ROWS[0]),
    json.dumps({"iscc_id": iscc_id(2)}),
    json.dumps({"units": ROWS[2]["units"], "min_score": 0.5, "with": ["units"]}),
    ROWS[3]["units"][1],
    " ".join(ROWS[4]["units"]),
    iscc_id(6),
    json.dumps({"iscc_id": iscc_id(999999), "iscc_code": None, "units": ROWS[5]["units"]}),
]
BAD = [
    ('{"units":[}', "JSON: ", 422),
    ('{"units":["ISCC:EAAXT7R7UHWWOL!5"]}', "units[0]", 400),
    ('{"units":["ISCC:EAAXT7R7UHWWOLE5"],"min_score":7}', "min_score: ", 422),
    ("nonsense!", "nonsense!", 400),
    (iscc_id(999999), "not found", 404),
    ("{}", "", 400),
    ("[1]", "JSON array", 422),
]


@pytest.fixture(scope="module", params=["usearch", "lmdb", "remote"])
def store(request, tmp_path_factory):
    """Where the rows are: words for the command line."""
    return request.param


@pytest.fixture
def where(cli, store, start_server):
    """An index with the rows; the words that choose it."""
    write_lines(cli.work / "rows.jsonl", ROWS)
    if store == "remote":
        cli.good("index", "add", "remote", "--remote", start_server().base)
        words = ("--index", "remote")
    else:
        words = ("--uri", f"{store}://{cli.work}/store")
    cli.good("add", "rows.jsonl", *words)
    return words


def start(cli, *words, **streams):
    """A command that runs while the test does."""
    return subprocess.Popen(cli.command(words), cwd=cli.work, env=cli.env, **streams)


def lines_of(said):
    return [json.loads(line) for line in said.out.split("\n")[:-1]]


def matches_of(answer):
    return [match["iscc_id"] for match in answer["global_matches"]]


def without_nulls(value):
    if isinstance(value, dict):
        return {key: without_nulls(item) for key, item in value.items() if item is not None}
    return [without_nulls(item) for item in value] if isinstance(value, list) else value


def test_every_line_is_answered_in_order(cli, where):
    write_lines(cli.work / "q.jsonl", ["", *GOOD, "   "])
    found = lines_of(cli.good("search", "q.jsonl", *where))
    assert len(found) == len(GOOD)
    for line, answer in zip(GOOD, found):
        path = write_lines(cli.work / "one.ndjson", [line])
        alone, = lines_of(cli.good("search", path, *where))
        assert answer == alone
    assert matches_of(found[0])[0] == ROWS[0]["iscc_id"]
    assert iscc_id(2) not in matches_of(found[1])
    assert set(found[2]["global_matches"][0]) == {"iscc_id", "score", "types", "units"}
    assert matches_of(found[3])[0] == ROWS[3]["iscc_id"]
    assert matches_of(found[6])[0] == ROWS[5]["iscc_id"]
    words = ROWS[4]["units"]
    assert without_nulls(found[4]) == cli.good("search", *words, *where).json
    assert without_nulls(found[5]) == cli.good("search", iscc_id(6), *where).json


def test_bad_lines_among_good_ones(cli, where):
    lines = []
    for place, (line, _, _) in enumerate(BAD):
        lines += [GOOD[place % len(GOOD)], line]
    write_lines(cli.work / "q.jsonl", lines)
    said = cli.run("search", "q.jsonl", *where)
    found = lines_of(said)
    assert said.code == 1 and len(found) == len(lines)
    errors = said.err.splitlines()
    assert len(errors) == len(BAD)
    for place, (_, words, status) in enumerate(BAD):
        assert "global_matches" in found[2 * place]
        bad = found[2 * place + 1]
        assert (set(bad), bad["status"]) == ({"status", "detail"}, status), bad
        assert words in bad["detail"]
        assert errors[place] == f"Error: q.jsonl:{2 * place + 2}: {bad['detail']}"


def test_a_bad_line_at_the_beginning(cli, where):
    write_lines(cli.work / "q.jsonl", ["{broken", GOOD[0]])
    said = cli.run("search", "q.jsonl", *where)
    assert said.code == 1
    assert ["status" in line for line in lines_of(said)] == [True, False]


def test_many_lines_from_standard_input(cli, where):
    lines = [json.dumps({"units": row["units"]}) for row in ROWS] * 2
    said = cli.run("search", "-", "--limit", 1, "--with", "", *where, stdin="\n".join(lines))
    assert said.code == 0, said
    found = lines_of(said)
    assert [matches_of(answer) for answer in found] == [[row["iscc_id"]] for row in ROWS] * 2
    assert set(found[0]["global_matches"][0]) == {"iscc_id", "score", "types"}


def test_tables_of_lines(cli, where):
    write_lines(cli.work / "q.jsonl", [GOOD[0], "nonsense!", unit(META, digest("nothing"))])
    said = cli.run("search", "q.jsonl", "--table", *where)
    assert said.code == 1
    assert [line for line in said.out.splitlines() if line.startswith("q.jsonl")] == [
        "q.jsonl:1", "q.jsonl:3"]
    assert "Rank  Score" in said.out and "No match" in said.out


def test_answers_come_while_the_input_pauses(cli):
    uri = f"usearch://{cli.work}/store"
    write_lines(cli.work / "rows.jsonl", ROWS[:10])
    cli.good("add", "rows.jsonl", "--uri", uri)
    with start(cli, "search", "-", "--uri", uri, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as run:
        for row in ROWS[:5]:
            run.stdin.write((row["units"][0] + "\n").encode())
            run.stdin.flush()
            assert matches_of(json.loads(run.stdout.readline())) == [row["iscc_id"]]
        run.stdin.close()
        assert run.wait(30) == 0


def test_a_reader_that_goes(cli):
    """`search - | head -1` ends."""
    uri = f"usearch://{cli.work}/store"
    write_lines(cli.work / "rows.jsonl", ROWS)
    cli.good("add", "rows.jsonl", "--uri", uri)
    (cli.work / "many.jsonl").write_text("\n".join([json.dumps({"units": ROWS[0]["units"]})] * 50000))
    with start(cli, "search", "many.jsonl", "--uri", uri, stdout=subprocess.PIPE,
               stderr=subprocess.DEVNULL) as run:
        assert json.loads(run.stdout.readline())["query"]
        run.stdout.close()
        assert run.wait(60) != 0


def test_empty_input(cli):
    uri = ("--uri", f"usearch://{cli.work}/store")
    assert cli.run("search", "-", *uri, stdin="").out == ""
    assert cli.run("search", "-", *uri, stdin="\n\n").code == 0
    (cli.work / "q.jsonl").write_text("")
    said = cli.run("search", "q.jsonl", *uri)
    assert said.code == 1 and "the file is empty" in said.err
    said = cli.run("search", "missing.jsonl", *uri)
    assert said.code == 1 and said.err == "Error: missing.jsonl: No such file or directory\n"


def test_simprints_of_lines(cli):
    uri = ("--uri", f"usearch://{cli.work}/store")
    simprints = {"CONTENT_TEXT_V0": [{"simprint": "A" * 43, "offset": 0, "size": 9}]}
    write_lines(cli.work / "rows.jsonl", [{**ROWS[0], "simprints": simprints}])
    cli.good("add", "rows.jsonl", *uri)
    short = {"CONTENT_TEXT_V0": [{"simprint": "A" * 11, "offset": 0, "size": 9}]}
    write_lines(cli.work / "q.jsonl", [
        {**ROWS[0], "simprints": simprints},
        {"simprints": {"CONTENT_TEXT_V0": ["A" * 43]}},
        {**ROWS[0], "simprints": short},
        {"simprints": {"CONTENT_TEXT_V0": ["A" * 11]}},
    ])
    said = cli.run("search", "q.jsonl", *uri)
    found = lines_of(said)
    assert [len(answer.get("chunk_matches", "x")) for answer in found] == [1, 1, 0, 1]
    assert "status" in found[3] and found[2]["global_matches"]
    warning, error = said.err.splitlines()
    assert warning.startswith("Warning: q.jsonl:3: passages are not searched: ")
    assert error.startswith("Error: q.jsonl:4: ")


def test_a_server_that_is_gone_ends_all(cli, start_server):
    server = start_server()
    cli.good("index", "add", "remote", "--remote", server.base)
    write_lines(cli.work / "q.jsonl", GOOD[:1] * 2000)
    server.stop()
    said = cli.run("search", "q.jsonl", "--index", "remote")
    assert (said.code, said.out, said.err.count("\n")) == (1, "", 1)


# --- conditions --------------------------------------------------------------------------------

def test_conditions(cli, where):
    near = [unit(CONTENT, digest(1)), unit(DATA, digest(2))]
    far = int.from_bytes(digest(2), "big") ^ 0xFF
    write_lines(cli.work / "two.jsonl", [{"iscc_id": iscc_id(70001), "units": near},
                                         {"iscc_id": iscc_id(70002), "units": [
                                             near[0], unit(DATA, far.to_bytes(8, "big"))]}])
    cli.good("add", "two.jsonl", *where)

    def found(*words):
        return cli.good("search", *near, "--limit", 50, *words, *where).json

    one, two = iscc_id(70001), iscc_id(70002)
    assert set(matches_of(found())) == {one, two}
    assert matches_of(found("--type", "DATA_NONE_V0", "--min-score", 0.9)) == [one]
    assert matches_of(found("--type=META_NONE_V0")) == []
    assert matches_of(found("--type", "META_NONE_V0", "--type", "CONTENT_TEXT_V0")) == [one, two]
    assert matches_of(found("--type", "META_NONE_V0,CONTENT_TEXT_V0")) == [one, two]
    assert set(matches_of(found("--min-score", 0.1, "--min-score", 1))) == {one, two}
    query = found("--min-score", "0.2", "--min-score", "DATA_NONE_V0:0.5,CONTENT_TEXT_V0:1",
                  "--exponent", 3, "--with", "code,units")["query"]
    assert query["min_score"] == 0.2
    assert query["min_scores"] == {"DATA_NONE_V0": 0.5, "CONTENT_TEXT_V0": 1.0}
    assert (query["exponent"], query["with"]) == (3, ["code", "units"])
    match = found("--with", "units", "--with", "code")["global_matches"][0]
    assert match["units"] == near and "metadata" not in match


@pytest.mark.parametrize("words, message", [
    (("--min-score", "2"), "--min-score 2: Input should be less than or equal to 1"),
    (("--min-score", "-1"), "--min-score -1: Input should be greater than or equal to 0"),
    (("--min-score", "DATA_NONE_V0:x"), "--min-score DATA_NONE_V0:x: Input should be a valid number"),
    (("--min-score", ""), "--min-score : Input should be a valid number"),
    (("--type", "data"), "--type data: String should match"),
    (("--type", ""), "--type : List should have at least 1 item"),
    (("--exponent", "0"), "--exponent 0: Input should be greater than or equal to 1"),
    (("--exponent", "x"), "--exponent x: Input should be a whole number"),
    (("--with", "all"), "--with all: Input should be 'metadata', 'code' or 'units'"),
    (("--rank", "best"), "--rank best: Input should be 'score', 'significance' or 'tiered'"),
    (("--rank", ""), "--rank : Input should be 'score', 'significance' or 'tiered'"),
    (("--max-expect", "0"), "--max-expect 0: Input should be greater than 0"),
    (("--max-expect", "-1"), "--max-expect -1: Input should be greater than 0"),
    (("--max-expect", "x"), "--max-expect x: Input should be a valid number"),
])
def test_wrong_conditions(cli, words, message):
    for query in (iscc_id(1), "-"):
        said = cli.run("search", query, *words)
        assert (said.code, said.out) == (2, ""), said
        assert said.err.startswith("Error: " + message)


def test_no_match_tells_the_threshold_of_the_query(cli):
    words = ("search", unit(DATA, digest("nothing")), "--table")
    write_lines(cli.work / "a.jsonl", [make_asset(1)])
    for uri in (f"usearch://{cli.work}/store", f"lmdb://{cli.work}/prefixes"):
        cli.good("add", "a.jsonl", "--uri", uri)
        assert cli.good(*words, "--min-score", "0.95", "--uri", uri).out == \
            "No match of at least 0.95 among 1 asset of index 'default'.\n"
        assert cli.good(*words, "--min-score", "DATA_NONE_V0:0.95", "--uri", uri).out == \
            "No match among 1 asset of index 'default'.\n"
