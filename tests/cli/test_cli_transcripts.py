"""What commands print on a terminal and in a pipe, to the letter."""

import json
import os
import pty
import re
import signal
import subprocess
import urllib.request
from pathlib import Path

import pytest

from commandline import CommandLine, EXAMPLES, FILES, sample, write_lines
from serving import iscc_id, make_asset
from test_cli_usage import LEVELS

ID = "ISCC:MAIGHXLN555Y2DFF"
CODE = sample(1)[0]["iscc_code"]
OTHER = "ISCC:EADR5BHTN235E2Z63OLWF3FNTCVML5RBQIA6L4JH6FP4QCSTHAQ7UJA"


def on_terminal(cli, *words, **options):
    code, shown, _ = cli.on_terminal(*words, streams=("stdout", "stderr"), **options)
    return code, shown.replace("\r\n", "\n")


MORE_LIKE_THIS = """\
Rank  Score   ISCC-ID                Name
   1  0.9448  ISCC:MAIGGXO25TIIJR7F  libboost1.81-dev_1.81\u2026/hana/fwd/extract.hpp
      META_NONE_V0     1.0000  \u2588\u2588\u2588\u2588\u2588\u2588\u2588\u2588\u2588\u2588\u2588\u2588\u2588\u2588\u2588\u2588\u2588\u2588\u2588\u2588\u2588\u2588\u2588\u2588\u2588\u2588\u2588\u2588\u2588\u2588
      CONTENT_TEXT_V0  0.9609  \u2588\u2588\u2588\u2588\u2588\u2588\u2588\u2588\u2588\u2588\u2588\u2588\u2588\u2588\u2588\u2588\u2588\u2588\u2588\u2588\u2588\u2588\u2588\u2588\u2588\u2588\u2588\u2588\u2589
      DATA_NONE_V0     0.5312  \u2588\u2588\u2588\u2588\u2588\u2588\u2588\u2588\u2588\u2588\u2588\u2588\u2588\u2588\u2588\u2588
"""


def test_search_on_a_terminal(filled):
    assert on_terminal(filled, "search", ID) == (0, MORE_LIKE_THIS)


def test_search_with_ascii_alone(filled):
    code, shown = on_terminal(filled, "search", ID, env={"LC_ALL": "C"})
    assert code == 0 and shown.isascii()
    assert shown.splitlines()[1].endswith("  libboost1.81-dev_1.8...hana/fwd/extract.hpp")
    assert shown.splitlines()[4] == "      DATA_NONE_V0     0.5312  " + "#" * 16


def test_a_table_in_a_pipe_is_not_shortened(filled):
    assert filled.good("search", ID, "--table", env={"TERM": "xterm"}).out == """\
Rank  Score   ISCC-ID                Name
   1  0.9448  ISCC:MAIGGXO25TIIJR7F  libboost1.81-dev_1.81.0-5+deb12u1:usr/include/boost/hana/fwd/extract.hpp
      META_NONE_V0 1.0000, CONTENT_TEXT_V0 0.9609, DATA_NONE_V0 0.5312
"""


@pytest.mark.parametrize("columns", [20, 40, 60, 80, 120, 300])
@pytest.mark.parametrize("words", [("search", ID), ("search", CODE, "-l", "20"), ("search", str(FILES[1])), ("index", "list"),
                                   ("stats",), ("inspect", ID)], ids=" ".join)
def test_lines_fit_the_terminal(filled, words, columns):
    code, shown = on_terminal(filled, *words, columns=columns)
    assert code == 0
    least = {"search": 41, "index": 46, "stats": 79, "inspect": 49}[words[0]]  # below this only names give way
    lines = [line for line in shown.splitlines() if not line.startswith("There may be more: ")]  # a command to copy
    assert max(map(len, lines)) <= max(columns, least)


@pytest.mark.parametrize("name, shown", [
    ("short.txt", "short.txt"), ("x" * 43, "x" * 43), ("a" * 22 + "b" * 22, "a" * 21 + "\u2026" + "b" * 21),
    ("\u6587" * 30, "\u6587" * 10 + "\u2026" + "\u6587" * 10), ("e\u0301" * 43, "e\u0301" * 43), ("\x1b[31m" + "y" * 60, None)],
    ids=["short", "fits", "one too long", "wide", "marks", "escapes"])
def test_names_are_shortened_in_the_middle(cli, name, shown):
    row = make_asset(1, metadata={"name": name})
    write_lines(cli.work / "a.jsonl", [row])
    cli.good("add", "a.jsonl")
    line = on_terminal(cli, "search", row["units"][0])[1].splitlines()[1]
    assert "\x1b" not in line
    if shown:
        assert line[37:] == shown


def test_colours_are_for_terminals_that_want_them(filled):
    for env in ({"TERM": "xterm", "NO_COLOR": "1"}, {"TERM": "dumb"}, {"TERM": "xterm", "NO_COLOR": "x"}):
        assert on_terminal(filled, "search", ID, env=env)[1] == MORE_LIKE_THIS
    for env in ({"TERM": "xterm"}, {"TERM": "xterm", "NO_COLOR": ""}):
        shown = on_terminal(filled, "search", ID, env=env)[1]
        assert "\x1b[" in shown and re.sub(r"\x1b\[\d+m", "", shown) == MORE_LIKE_THIS
    assert "\x1b" not in filled.good("search", ID, "--table", env={"TERM": "xterm"}).out


def test_add_ends_with_a_sentence(cli):
    erase = r"(\r\x1b\[K(\[[# ]*\] +\d+ %  [\d,]+ assets, \S+/s)?)*"

    def says(words, sentence):
        code, shown = on_terminal(cli, "add", *words)
        assert code == 0
        assert re.fullmatch(erase + re.escape(sentence), shown), shown

    says([EXAMPLES / "assets.jsonl"], "Added 2,400 assets to index 'default': 2,400 new, 0 updated.\n")
    says([FILES[0]], "Added 1 asset to index 'default': 0 new, 1 updated.\n")
    (cli.work / "bad.iscc.json").write_text("{")
    said = on_terminal(cli, "add", FILES[0], "bad.iscc.json")[1]
    assert "Added 1 asset to index 'default': 0 new, 1 updated, 1 error.\n" in said
    assert cli.good("add", FILES[0]).out == """\
{
  "files_scanned": 1,
  "assets_added": 1,
  "created": 0,
  "updated": 1,
  "errors": 0
}
"""


def test_the_last_line_says_what_lmdb_leaves_out(cli):
    file = next(path for path in FILES if "simprints" in path.read_text())
    count = sum(len(feature["simprints"]) for feature in json.loads(file.read_text())["features"])
    store = ("--uri", f"lmdb://{cli.work}/prefix", "--index", "main")
    last = f"{count} simprints are left out: lmdb:// keeps none\n"
    assert on_terminal(cli, "add", file, *store)[1].endswith(f"Added 1 asset to index 'main': 1 new, 0 updated.\n{last}")
    said = cli.good("add", file, *store)
    assert said.err == last and said.out.endswith(f'  "errors": 0,\n  "simprints_left_out": {count}\n}}\n')


def test_verbose_lines_stand_beside_the_bar(cli):
    """Each on a line of its own, whatever the bar shows."""
    for number in range(300):
        (cli.work / f"{number:03}.iscc.json").write_text(json.dumps({"iscc_id": iscc_id(number + 1)}))
    code, shown = on_terminal(cli, "add", ".", "--verbose", "--batch-size", "1")
    assert code == 0
    lines = [line.split("\x1b[K")[-1].split("\r")[-1] for line in shown.splitlines()]
    assert sorted(line for line in lines if line.startswith("\u2713")) == [f"\u2713 ./{n:03}.iscc.json" for n in range(300)]


def test_fail_if_none(filled):
    nothing = "ISCC:EADVLLLLLLLLLLLLLLLLLLLLLLLLLLLLLLLLLLLLLLLLLLLLLLLLLLI"
    for words, code in ((("search", nothing), 5), (("search", ID), 0)):
        assert filled.run(*words, "--fail-if-none").code == code
        assert filled.run(*words).code == 0
        assert filled.run(*words, "--fail-if-none").out == filled.run(*words).out
        assert on_terminal(filled, *words, "--fail-if-none")[0] == code
    for lines, code in ((nothing, 5), (f"{nothing}\n{CODE}\n", 0)):
        assert filled.run("search", "-", "--fail-if-none", stdin=lines).code == code
    assert filled.run("search", "photo.jpg", "--fail-if-none").code == 1


def test_index_list(cli):
    cli.good("add", EXAMPLES / "files")
    cli.good("index", "add", "b" * 32, "--local", "--path", "/" + "x/" * 60 + "end")
    listed = cli.good("index", "list").out
    assert listed == (f"Configured Indexes\n{'Name':32}  Type    Active  Location/URL\n{'default':32}  local   \u2713       {cli.data}\n"
                      f"{'b' * 32}  local           /{'x/' * 60}end\n")
    shown = on_terminal(cli, "index", "list", columns=60)[1]
    assert shown.splitlines()[3].startswith("bbbbbbbbb\u2026bbbbbbbbbb  local           /x/") and shown.endswith("/end\n")
    assert cli.good("index", "list", "--json").json == [
        {"name": "default", "type": "local", "path": str(cli.data), "active": True, "assets": len(FILES)},
        {"name": "b" * 32, "type": "local", "path": "/" + "x/" * 60 + "end", "active": False, "assets": 0}]


def test_index_list_of_a_server(cli, start_server):
    server = start_server()
    cli.good("index", "add", "rem", "--remote", server.base)
    cli.good("add", EXAMPLES / "files", "--index", "rem")
    here = {"name": "rem", "type": "remote", "url": server.base, "active": False, "assets": len(FILES)}
    assert cli.good("index", "list", "--json").json[1] == here
    server.stop()
    gone = cli.good("index", "list", "--json").json[1]
    assert "Couldn't connect to server" in gone.pop("error") and gone == {**here, "assets": None}


# --- inspect, compare, stats ----------------------------------------------------------------------

def test_inspect(cli):
    assert cli.good("inspect", CODE, "--table").out == """\
ISCC_TEXT_V0      256 bits  ISCC:KACSUWPOD5TDD5MCD2C6GZVXKJVT5KEVY7L42YISB7NPILUBZK334UY
  META_NONE_V0       64 bits  ISCC:AAASUWPOD5TDD5MC
  CONTENT_TEXT_V0    64 bits  ISCC:EAAR5BPDM23VE2Z6
  DATA_NONE_V0       64 bits  ISCC:GAA2RFOH27GWCEQP
  INSTANCE_NONE_V0   64 bits  ISCC:IAA5V5BOQHFLPPST
"""
    assert on_terminal(cli, "inspect", ID) == (0, """\
ID_REALM_0_V1      64 bits  ISCC:MAIGHXLN555Y2DFF
  realm  0
  time   2025-09-02T19:55:33.336272Z
  hub    3237
""")
    said = cli.good("inspect", ID).json
    assert said == {"iscc": ID, "type": "ID_REALM_0_V1", "version": 1, "bits": 64, "body": "63dd6def7b8d0ca5", "realm": 0,
                    "time": "2025-09-02T19:55:33.336272Z", "time_us": 1756842933336272, "hub": 3237}
    said = cli.good("inspect", CODE.lower()).json
    assert (said["iscc"], said["type"], said["bits"], len(said["units"])) == (CODE, "ISCC_TEXT_V0", 256, 4)
    assert said["body"] == "".join(unit["body"] for unit in said["units"])
    assert cli.good("inspect", OTHER).json["type"] == "CONTENT_TEXT_V0"
    for word, message in (("hello", "hello: not an ISCC"), (CODE[:-2], "the header announces 256 bits, but 248 follow")):
        said = cli.run("inspect", word)
        assert (said.code, said.out) == (1, "") and message in said.err
    assert not cli.data.exists()


def test_compare(cli):
    unit = sample(1)[0]["units"][1]
    assert cli.good("compare", unit, OTHER, "--table").out == """\
Type              Bits  Differ   Score  By chance
CONTENT_TEXT_V0    256      10  0.9609    2.5e-60
Score 0.8873: a search for A finds B
"""
    said = cli.good("compare", unit, OTHER).json
    assert 2.5e-60 < said["explanation"]["CONTENT_TEXT_V0"].pop("expect") < 2.6e-60
    assert said == {"score": 0.88733053207397461, "exponent": 4, "explanation": {
        "CONTENT_TEXT_V0": {"compared_bits": 256, "distance": 10, "score": 0.9609375, "counted": True}}}
    assert cli.good("compare", FILES[0], FILES[0]).json["score"] == 1.0
    # a code has 64 bits of each unit of the file
    code = json.loads(FILES[0].read_text())["iscc"]
    said = cli.good("compare", FILES[0], code).json["explanation"]
    assert [one["compared_bits"] for one in said.values()] == [64] * 4
    said = cli.good("compare", FILES[0], FILES[1], "-t").out
    assert "  misses by 0." in said and said.endswith("No match: no type of unit reaches its threshold\n")
    assert "DATA_NONE_V0      only B has this type\n" in cli.good("compare", unit, CODE, "-t").out
    for words, message in (((unit, sample(1)[0]["units"][0]), "no type of ISCC-UNIT in common"),
                           ((ID, unit), "a: Index 'default' not found"), ((unit, ID, "--uri", "memory://"), "b: Index 'default' not found"),
                           ((unit, "photo.jpg"), "photo.jpg: no such file, and not an ISCC\n")):
        said = cli.run("compare", *words)
        assert (said.code, said.out) == (1, "") and message in said.err


def test_compare_is_what_search_finds(filled):
    asset = sample(1)[0]
    found = filled.good("search", *asset["units"], "-l", "2").json["global_matches"][1]
    other = next(one for one in sample() if one["iscc_id"] == found["iscc_id"])
    (filled.work / "a.iscc.json").write_text(json.dumps(asset))
    (filled.work / "b.iscc.json").write_text(json.dumps(other))
    said = filled.good("compare", "a.iscc.json", "b.iscc.json").json
    assert said["score"] == found["score"]
    assert {kind: one["score"] for kind, one in said["explanation"].items() if kind in found["types"]} == found["types"]
    # the same by ISCC-IDs of the index, also mixed with a file
    assert filled.good("compare", asset["iscc_id"], other["iscc_id"]).json == said
    assert filled.good("compare", asset["iscc_id"].lower()[5:], "b.iscc.json").json == said
    assert filled.good("compare", "a.iscc.json", other["iscc_id"], "--index", "default").json == said
    missing = filled.run("compare", asset["iscc_id"], "ISCC:MAIAAAAAAAAAAAAB")
    assert (missing.code, missing.out) == (1, "") and "b: Asset 'ISCC:MAIAAAAAAAAAAAAB' not found" in missing.err


def test_stats(cli):
    rows = [make_asset(1), make_asset(4097, size=32), {**make_asset(3), "units": make_asset(1)["units"]},
            {**make_asset(4, iscc_code=CODE), "units": [], "simprints": {"CONTENT_TEXT_V0": [
                {"simprint": "AAAAAAAAAAA", "offset": 0, "size": 1}] * 2}}]
    del rows[3]["units"]
    write_lines(cli.work / "a.jsonl", rows)
    cli.good("add", "a.jsonl")
    said = cli.good("stats").json
    assert said == {
        "index": "default", "assets": 4, "sampled": 4, "with_iscc_code": 1, "with_metadata": 0,
        "units": {"CONTENT_TEXT_V0": {"64": 3, "256": 1}, "DATA_NONE_V0": {"64": 3, "256": 1},
                  "INSTANCE_NONE_V0": {"64": 3, "256": 1}, "META_NONE_V0": {"64": 3, "256": 1}},
        "without": {"CONTENT_TEXT_V0": 0, "DATA_NONE_V0": 0, "INSTANCE_NONE_V0": 0, "META_NONE_V0": 0},
        "simprints": {"CONTENT_TEXT_V0": {"64": 2}}, "without_simprints": {"CONTENT_TEXT_V0": 3},
        "realm": 0, "first": "1970-01-01T00:00:00Z", "last": "1970-01-01T00:00:00.000001Z", "periods": {"1970-01-01T00": 4},
        "hubs": {"1": 2, "3": 1, "4": 1}, "identical": {"groups": 1, "duplicates": 1}, "fields": [], "distances": {}}
    assert cli.good("index", "stats").json == cli.good("index", "stats", "default").json == said
    assert on_terminal(cli, "stats") == (0, """\
Index 'default': 4 assets
Units
  CONTENT_TEXT_V0            64 bits               3
  CONTENT_TEXT_V0           256 bits               1
  DATA_NONE_V0               64 bits               3
  DATA_NONE_V0              256 bits               1
  INSTANCE_NONE_V0           64 bits               3
  INSTANCE_NONE_V0          256 bits               1
  META_NONE_V0               64 bits               3
  META_NONE_V0              256 bits               1
Simprints
  CONTENT_TEXT_V0            64 bits               2; 3 assets without
Realm 0, from 1970-01-01T00:00:00Z to 1970-01-01T00:00:00Z
Hubs: 1 (2), 3 (1), 4 (1)
Identical files (INSTANCE): 1 group, 1 asset beyond the first of each
Of 4 assets 1 with an ISCC-CODE, 0 with metadata
Assets by time
  1970-01-01T00               4  ████████████████████████████████████████
""")


def test_stats_of_nothing_and_of_many_hubs(cli, filled):
    for words in (("stats",), ("index", "stats")):
        said = cli.run(*words)  # an index that is not there is not made
        assert (said.code, said.out, said.err) == (1, "", "Error: Index 'default' not found\n")
    assert cli.run("add", "-").code == 4  # nothing is added, but the index is there now
    assert cli.good("stats", "--table").out == "Index 'default': 0 assets\n"
    assert cli.good("stats").json["units"] == {}
    said = filled.good("stats").json
    assert said["assets"] == 2400 and sum(said["hubs"].values()) == 2400
    shown = filled.good("stats", "--table").out
    assert re.search(r"\nHubs: 576 \(6\), (\d+ \(\d\), ){3}\d+ \(\d\) and 1,\d\d\d more\n", shown), shown


def test_version_and_help_are_the_same_in_a_pipe(cli):
    for words in (("version",), ("get", "--help")):
        assert on_terminal(cli, *words, columns=200) == (0, cli.good(*words).out)


def test_index_commands(cli):
    """The sentences of 0.3.3, on a terminal as in a pipe."""
    transcript = [
        (("index", "add", "a", "--local", "--path", "/x"), "Registered local index 'a'\nPath: /x\n"),
        (("index", "use", "a"), "Active index set to 'a'\n"),
        (("index", "remove", "a"), "Removed index 'a' from configuration\n"),
        (("index", "rebuild", "--all"), "Nothing to rebuild: what is searched changes in one transaction with the assets\n")]
    for words, expected in transcript:
        assert cli.good(*words).out == expected
    for words, expected in transcript:
        assert on_terminal(cli, *words) == (0, expected)


PAIR = ('"match":"%s","score":0.9447874718928242,"types":{"CONTENT_TEXT_V0":0.9609375,"DATA_NONE_V0":0.53125,'
        '"META_NONE_V0":1.0}}')
FIRST, SECOND = "ISCC:MAIGGXO25TIIJR7F", "ISCC:MAIGG5G23AJR24PC"
SENTENCES = [  # command, exit status, standard output in a pipe and on a terminal, standard error
    ("list --ids", 0, f"{FIRST}\n{SECOND}\n{ID}\n", ""),
    ("list --ids --limit 1", 0, f"{FIRST}\n", f"There are more: --after {FIRST}\n"),
    ("duplicates", 0, f'{{"iscc_id":"{FIRST}",{PAIR % ID}\n', ""),
    ("duplicates --clusters", 0, f'{{"keep":"{FIRST}","duplicates":[{{"iscc_id":"{ID}",{PAIR % FIRST}]}}\n', ""),
    ("export b.jsonl", 0, '{\n  "exported": 3,\n  "errors": 0\n}\n', ""),
    ("index add other --local", 0, "Registered local index 'other'\nPath: DATA\n", ""),
    ("index copy default other", 0, '{\n  "copied": 3,\n  "created": 3,\n  "updated": 0,\n  "errors": 0\n}\n', ""),
    ("index check default", 0, "Checked index 'default': 8 pages, 3 assets, 12 rows: 0 findings\n", ""),
    ("index backup default c.lmdb", 0, "Backed up index 'default' to WORK/c.lmdb\n", ""),
    ("index compact default", 0, "Compacted index 'default': 0.0 MiB before, 0.0 MiB now\n", ""),
    (f"remove {ID}", 0, '{\n  "removed": 1,\n  "not_found": 0\n}\n', ""),
    (f"remove {ID}", 1, '{\n  "removed": 0,\n  "not_found": 1\n}\n', f"Asset not found: {ID}\n"),
    (f"get {ID}", 1, "", f"Error: Asset not found: {ID}\n"),
    ("index fields default", 0, "Index 'default' declares no fields\n", ""),
    ("index fields default name", 0, "/name\n", ""),
]


@pytest.mark.parametrize("on_a_terminal", [False, True], ids=["pipe", "terminal"])
def test_a_session(cli, on_a_terminal):
    """What these commands print is the same in both."""
    write_lines(cli.work / "a.jsonl", sample(3))
    cli.good("add", "a.jsonl")
    for words, code, out, err in SENTENCES:
        if on_a_terminal:
            found = cli.on_terminal(*words.split())
        else:
            said = cli.run(*words.split())
            found = (said.code, said.out, said.err)
        out = out.replace("DATA", str(cli.data)) if "Path" in out else out.replace("WORK", str(cli.work))
        assert (found[0], found[1].replace("\r\n", "\n"), found[2]) == (code, out, err), words


def test_get_and_export_print_json(cli):
    write_lines(cli.work / "a.jsonl", sample(1))
    cli.good("add", "a.jsonl")
    asset = sample(1)[0]
    shown = on_terminal(cli, "get", ID, columns=300)[1]
    assert shown == cli.good("get", ID).out == json.dumps(asset, indent=2, ensure_ascii=False) + "\n"
    assert json.loads(on_terminal(cli, "export", columns=300)[1].splitlines()[0].split("\x1b[K")[-1]) == asset
    said = cli.good("import", "a.jsonl")
    assert said.json["updated"] == 1
    assert on_terminal(cli, "import", "a.jsonl")[1].endswith("Added 1 asset to index 'default': 0 new, 1 updated.\n")


NONE = "No match of at least 0.75 among 3 assets of index 'default'.\n"
UNKNOWN = "ISCC:AAAQAAAAAAAAAAAA"


def test_a_search_without_a_match(cli):
    write_lines(cli.work / "a.jsonl", sample(3))
    cli.good("add", "a.jsonl")
    assert cli.good("search", UNKNOWN).out == f"""\
{{
  "query": {{
    "units": [
      "{UNKNOWN}"
    ]
  }},
  "global_matches": [],
  "chunk_matches": []
}}
"""
    assert cli.good("search", UNKNOWN, "--table").out == NONE
    assert on_terminal(cli, "search", UNKNOWN) == (0, NONE)


def test_import_and_a_second_remove(cli):
    write_lines(cli.work / "a.txt", sample(3))
    report = '{\n  "files_scanned": 1,\n  "assets_added": 3,\n  "created": %d,\n  "updated": %d,\n  "errors": 0\n}\n'
    for counts in ((3, 0), (0, 3)):
        said = cli.good("import", "a.txt")
        assert (said.out, said.err) == (report % counts, "")
    (cli.work / "bad.txt").write_text("[]\n")
    said = cli.run("import", "bad.txt")
    assert (said.code, said.out) == (4, "")
    assert said.err == ("No valid assets found\nErrors:\n"
                        "  \u2022 bad.txt:1: expected an asset, a JSON object; this is a JSON array\n")
    ids = "".join(row["iscc_id"] + "\n" for row in sample(3))
    said = cli.good("remove", "-", stdin=ids)
    assert (said.out, said.err) == ('{\n  "removed": 3,\n  "not_found": 0\n}\n', "")
    assert cli.run("remove", "-", stdin=ids).code == 1


@pytest.mark.parametrize("stop", ["SIGTERM", "SIGINT"])
def test_serve_on_a_terminal_and_in_a_pipe(cli, stop):
    """One line, at once, also into a pipe: programs read the port from it. Requests are logged on standard error."""
    log = re.compile(r"\S+Z INFO request method=GET path=/healthz status=200 bytes=15 duration_us=\d+ route=/healthz "
                     r"client=127\.0\.0\.1 request_id=[0-9a-f]{16}")
    start = re.compile(r"\S+Z INFO worker \d+ started")  # the second may start when the first has answered
    line = re.compile(r"Starting server in production mode at http://127\.0\.0\.1:(\d+)( with 2 workers)?\r?\n")
    for terminal in (False, True):
        for more in ([], ["--workers", "2"]):
            parent, child = pty.openpty() if terminal else os.pipe()
            process = subprocess.Popen(cli.command(["serve", "--host", "127.0.0.1", "--port", "0", *more]), cwd=cli.work, env=cli.env,
                                       stdin=subprocess.DEVNULL, stdout=child, stderr=subprocess.PIPE)
            os.close(child)
            shown = os.read(parent, 4096).decode()
            found = line.fullmatch(shown)
            assert found and bool(found[2]) == bool(more), shown
            assert urllib.request.urlopen(f"http://127.0.0.1:{found[1]}/healthz", timeout=20).status == 200
            process.send_signal(getattr(signal, stop))
            said = process.communicate(timeout=30)[1].decode()
            starts = list(filter(start.fullmatch, said.splitlines()))
            answers = [line for line in said.splitlines() if line not in starts]
            assert len(starts) == 2 * bool(more) and len(answers) == 1 and log.fullmatch(answers[0]), said
            assert process.returncode == 0, said
            os.close(parent)


def test_serve_that_cannot_listen(cli, start_server):
    server = start_server()
    for words, message in (
            (("--port", "99999"), "Error: --port 99999: expected a whole number from 0 to 65535\n"),
            (("--host", "127.0.0.1", "--port", server.port), None)):
        said = cli.run("serve", *words)
        assert said.code != 0 and said.out == "" and (said.err == message or not message and str(server.port) in said.err), said
        assert said.err.startswith("Error: ") and said.err.count("\n") == 1
        assert on_terminal(cli, "serve", *words) == (said.code, said.err)


def test_completion_and_help_are_the_same_on_a_terminal(cli):
    for words in (("--show-completion", "bash"), ("help", "get"), ("--version",), ("index", "--help")):
        assert on_terminal(cli, *words, columns=200) == (0, cli.good(*words).out)


def test_every_command_has_a_transcript():
    """In this file, or in that of `hub` and `datasets`, which need a host of data sets."""
    texts = [Path(__file__).with_name(name).read_text(encoding="utf-8") for name in ("test_cli_transcripts.py", "test_cli_hub.py")]
    for words in LEVELS:
        quoted = ('"' + '", "'.join(words) + '"', '"' + " ".join(words))
        assert not words or any(one in text for text in texts for one in quoted), words
