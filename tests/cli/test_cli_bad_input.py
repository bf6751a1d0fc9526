"""Bad input of each kind: the message has the file, the line, and what was expected there. Everything else is read."""

import gzip
import json
import os
import sys
from pathlib import Path

import pytest

from commandline import EXAMPLES, FILES, read_file, sample
from serving import INSTANCE, digest, iscc_id, make_asset, unit

sys.path.append(str(Path(__file__).resolve().parents[1] / "data"))

from pyarrow_peer import write_files  # noqa: E402  pylint: disable=wrong-import-position

GOOD = json.dumps(make_asset(1))


def asset(**more):
    return json.dumps({**make_asset(2), **more})


CODE = sample(1)[0]["iscc_code"]
# The bad line, or the members of an asset; what the message says of it, behind "FILE:LINE: ".
LINES = {
    "no JSON": ("nonsense", "JSON: "),
    "an open object": ('{"units": [', "JSON: "),
    "two values": (GOOD + " " + GOOD, "JSON: "),
    "a trailing comma": ('{"units": ["a",]}', "JSON: "),
    "single quotes": ("{'units': []}", "JSON: "),
    "NaN": (asset(metadata=1).replace('"metadata": 1', '"metadata": {"n": NaN}'), "JSON: "),
    "a number with a zero in front": (asset(metadata=1).replace('"metadata": 1', '"metadata": {"n": 01}'), "JSON: "),
    "a lone surrogate": (asset(metadata=1).replace('"metadata": 1', '"metadata": {"n": "\\ud800"}'), "JSON: "),
    "a control character": (asset(metadata=1).replace('"metadata": 1', '"metadata": {"n": "\x01"}'), "JSON: "),
    "bytes that are not UTF-8": (asset(metadata=1).replace('"metadata": 1', '"metadata": {"n": "\udcff"}'), "JSON: "),
    "too deep": (asset(metadata=1).replace('"metadata": 1', '"metadata": ' + '{"a":' * 600 + "1" + "}" * 600), "JSON: "),
    "an array": ("[]", "expected an asset, a JSON object; this is a JSON array"),
    "a text": ('"ISCC:AAAA"', "asset: Input should be a valid dictionary"),
    "a number": ("7", "asset: Input should be a valid dictionary"),
    "null": ("null", "asset: Input should be a valid dictionary"),
    "iscc_id a number": (asset(iscc_id=7), "asset.iscc_id: Input should be a valid string"),
    "iscc_id too short": (asset(iscc_id="ISCC:MAIG"), "asset.iscc_id: String should match ^ISCC:[A-Z2-7]{16}$"),
    "iscc_id in lower case": (asset(iscc_id=iscc_id(2).lower()), "asset.iscc_id: String should match"),
    "iscc_id of another main type": (asset(iscc_id="ISCC:AAAAAAAAAAAAAAAA"), "its main type is 0: expected 6, that of an ISCC-ID"),
    "iscc_id of the other realm": (asset(iscc_id=iscc_id(2, realm=1)), "is of realm 1, but all assets of this index are of realm 0"),
    "iscc_code a list": (asset(iscc_code=[]), "asset.iscc_code: Input should be a valid string"),
    "iscc_code cut off": (asset(iscc_code=CODE[:-3]), "expected 55 characters behind 'ISCC:'"),
    "iscc_code of other letters": (asset(iscc_code="ISCC:" + "1" * 50), "asset.iscc_code: String should match"),
    "units a text": (asset(units="ISCC:AAAA"), "asset.units: Input should be a valid list"),
    "a unit a number": (asset(units=[1, 2]), "asset.units.0: Input should be a valid string"),
    "one unit": (asset(units=make_asset(2)["units"][:1]), "asset.units: List should have at least 2 items"),
    "a unit of other letters": (asset(units=["ISCC:!!!!", make_asset(2)["units"][1]]), "units[0]: character 5 is '!': expected A to Z or 2 to 7"),
    "a unit without a body": (asset(units=["ISCC:AAAA", make_asset(2)["units"][1]]), "units[0]: a header without a body: expected 32 bits of it or more"),
    "too many units": (asset(units=[unit(INSTANCE, digest(i)) for i in range(65)]), "asset.units: List should have at most 64 items"),
    "metadata a text": (asset(metadata="x"), "asset.metadata: Input should be a valid dictionary"),
    "simprints a list": (asset(simprints=[]), "asset.simprints: Input should be a valid dictionary"),
    "a simprint without a size": (asset(simprints={"CONTENT_TEXT_V0": [{"simprint": "AAAAAAAAAAA", "offset": 0}]}),
                                  "asset.simprints.CONTENT_TEXT_V0.0.size: Field required"),
    "a simprint of other letters": (asset(simprints={"CONTENT_TEXT_V0": [{"simprint": "!" * 11, "offset": 0, "size": 1}]}), "simprint"),
    "a negative offset": (asset(simprints={"CONTENT_TEXT_V0": [{"simprint": "AAAAAAAAAAA", "offset": -1, "size": 1}]}),
                          "offset: Input should be greater than or equal to 0"),
    "nothing to find it by": ('{"metadata": {"name": "x"}}', "iscc_id is missing: an asset without one needs an iscc_code, units or simprints"),
}


def raw(text):
    return text.encode("utf-8", "surrogateescape")


@pytest.mark.parametrize("command", ["add", "import", "add -", "add x.gz"])
@pytest.mark.parametrize("line, expected", LINES.values(), ids=LINES.keys())
def test_a_bad_line(cli, command, line, expected):
    """Between two good ones, which go in; a blank line counts."""
    rows = [GOOD, "", line, json.dumps(make_asset(3))]
    content = b"\n".join(map(raw, rows))
    stdin = content.decode("utf-8", "surrogateescape")
    if command == "add -" and "\udcff" in stdin:
        pytest.skip("the other commands have it")  # CommandLine sends texts
    name = {"add": "a.jsonl", "import": "a.txt", "add -": "-", "add x.gz": "x.jsonl.gz"}[command]
    if name != "-":
        (cli.work / name).write_bytes(gzip.compress(content) if name.endswith(".gz") else content)
    done = cli.good(command.split()[0], name, stdin=stdin if name == "-" else None)
    place = "standard input:3: " if name == "-" else f"{name}:3: "
    assert (done.json["created"], done.json["errors"]) == (2, 1)
    assert place in done.err and expected in done.err.split(place, 1)[1].split("\n")[0], done
    assert cli.good("get", iscc_id(1)).json["iscc_id"] == iscc_id(1)
    assert cli.good("get", iscc_id(3)).json["iscc_id"] == iscc_id(3)


# A whole file; what the message says of it, behind "FILE: ".
WHOLE = {
    "not JSON on line 4": ('{\n  "iscc_id": "x",\n  "units": [\n    "ISCC:AAAA",,\n  ]\n}\n', "JSON: expected a value at byte 49 (line 4, column 17)"),
    "cut off": ('{\n"iscc_id": "x"\n', "JSON: expected ',' or '}' at byte 17 (line 3, column 1)"),
    "with a mark, wrong on line 2": ('\ufeff{\n"units": 01}', "JSON: expected ',' or '}' at byte 12 (line 2, column 11)"),
    "empty": ("", "expected a JSON object, the file is empty"),
    "blank": (" \n\n", "expected a JSON object, the file is empty"),
    "an array": ("[]", "expected one asset, a JSON object; this is a JSON array: put its elements into a .jsonl file, one a line (jq -c '.[]')"),
    "a number": ("7", "expected one asset, a JSON object"),
    "a text": ("hello", "expected an asset in JSON (.iscc.json), this is another kind of file"),
    "iscc_id a number": ('{"iscc_id": 7}', "iscc_id: expected a text"),
    "iscc no ISCC": ('{"iscc": "hello"}', "iscc_code: version 6 of DATA does not exist: expected 0"),
    "iscc cut off": (json.dumps({"iscc": CODE[:-3]}), "iscc_code: "),
    "features an object": (json.dumps({"iscc": CODE, "features": {}}), "features: expected a list"),
}


@pytest.mark.parametrize("content, expected", WHOLE.values(), ids=WHOLE.keys())
def test_a_bad_file(cli, content, expected):
    """`add` and `search` say the same of it; a good file beside it goes in."""
    (cli.work / "bad.iscc.json").write_text(content, encoding="utf-8")
    (cli.work / "good.iscc.json").write_text(FILES[0].read_text(encoding="utf-8"), encoding="utf-8")
    done = cli.good("add", "bad.iscc.json", "good.iscc.json")
    assert (done.json["created"], done.json["errors"]) == (1, 1)
    assert f"  \u2022 bad.iscc.json: {expected}" in done.err
    done = cli.run("search", "bad.iscc.json")
    assert (done.code, done.out) == (1, "") and done.err.startswith(f"Error: bad.iscc.json: {expected}"), done


@pytest.mark.parametrize("command", ["add", "import"])
@pytest.mark.parametrize("packing", ["gz", "zst"])
def test_a_compressed_file_that_is_cut_off(cli, command, packing):
    """What is whole of it goes in, and the line is named that is not."""
    cli.good("add", EXAMPLES / "assets.jsonl", "--index", "default")
    cli.good("export", f"all.jsonl.{packing}")
    content = (cli.work / f"all.jsonl.{packing}").read_bytes()
    (cli.work / f"cut.jsonl.{packing}").write_bytes(content[:len(content) // 2])
    cli.good("index", "add", "other", "--local")
    done = cli.good(command, f"cut.jsonl.{packing}", "--index", "other")
    assert 0 < done.json["created"] < len(sample()) and done.json["errors"] == 1
    assert f"cut.jsonl.{packing}:{done.json['created'] + 1}: the file ends too early: it is not whole" in done.err


PARQUET = {
    "empty": (b"", "not a Parquet file: it has only 0 bytes"),
    "text": (b"hello\n" * 9, "not a whole Parquet file: expected 'PAR1' at its beginning and at its end"),
    "cut off": (b"PAR1" + b"x" * 50, "not a whole Parquet file"),
    "a damaged footer": (b"PAR1xxxxPAR1", "the footer is damaged"),
}


@pytest.mark.parametrize("content, expected", PARQUET.values(), ids=PARQUET.keys())
def test_a_bad_parquet_file(cli, content, expected):
    (cli.work / "a.parquet").write_bytes(content)
    done = cli.run("add", "a.parquet")
    assert done.code == 4 and f"  \u2022 a.parquet: {expected}" in done.err


def test_bad_rows_of_a_parquet_file(cli):
    """Rows are numbered from 1."""
    codes = [row["iscc_code"] for row in sample(4)]
    codes[1:3] = ["ISCC:KACY6", None]
    write_files([(cli.work / "a.parquet", {"iscc": ("string", codes)}, {})])
    path = next(cli.work.glob("a.parquet*"))
    done = cli.good("add", path.name if path.name == "a.parquet" else path.rename(cli.work / "a.parquet").name)
    assert (done.json["created"], done.json["errors"]) == (2, 2)
    assert "a.parquet:2: iscc_code: " in done.err
    assert "a.parquet:3: expected an ISCC-CODE in the column iscc, or two ISCC-UNITs" in done.err


# A line of queries; what the message says of it, behind "FILE:LINE: ".
QUERIES = {
    "no ISCC": ("hello", "hello: no such file, and not an ISCC"),
    "an ISCC cut off": (CODE[:-3], "expected 55 characters"),
    "a header alone": ("ISCC:AAAA", "a header without a body: expected 32 bits of it or more"),
    "an open object": ("{", "JSON: expected a member's name in double quotes"),
    "an array": ("[1]", "expected an asset, a JSON object; this is a JSON array"),
    "units a number": ('{"units": 7}', "units: Input should be a valid list"),
    "a score above 1": (json.dumps({"iscc_code": CODE, "min_score": 7}), "min_score: Input should be less than or equal to 1"),
    "types no types": (json.dumps({"iscc_code": CODE, "types": ["x"]}), "types.0: String should match"),
    "nothing to search by": ("{}", "iscc_id"),
    "an asset that is not there": (iscc_id(999), "not found in index"),
}


@pytest.mark.parametrize("name", ["-", "q.jsonl", "q.ndjson.gz"])
@pytest.mark.parametrize("line, expected", QUERIES.values(), ids=QUERIES.keys())
def test_a_bad_query_among_others(filled, name, line, expected):
    content = f"{CODE}\n\n{line}\n{CODE}\n".encode()
    if name != "-":
        (filled.work / name).write_bytes(gzip.compress(content) if name.endswith(".gz") else content)
    done = filled.run("search", name, stdin=content.decode() if name == "-" else None)
    place = f"Error: {name}:3: "
    assert done.code == 1 and done.err.startswith(place) and expected in done.err, done
    first, bad, last = (json.loads(row) for row in done.out.splitlines())
    assert first == last and first["global_matches"] and bad["status"] in (400, 404, 422) and expected.split(":")[0] in bad["detail"]


@pytest.mark.parametrize("command", ["get", "remove"])
@pytest.mark.parametrize("line, expected", [
    ("hello", "hello: not an ISCC-ID"), ("ISCC:AAAA", "Invalid ISCC-ID 'ISCC:AAAA': it has 2 bytes: expected 10"),
    (CODE, "Invalid ISCC-ID"), ("x" * 1000, "1000 characters of base32: expected at most 820")], ids=["a word", "a header", "a code", "a long line"])
def test_a_bad_iscc_id(cli, command, line, expected):
    cli.good("add", FILES[0])
    known = read_file(FILES[0])["iscc_id"]
    done = cli.run(command, "-", stdin=f"{known}\n\n{line}\n")
    assert (done.code, done.out) == (1, "")
    assert done.err.startswith("Error: standard input:3: ") and expected in done.err
    done = cli.run(command, known, line)
    assert (done.code, done.out) == (1, "") and expected in done.err
    assert cli.good("get", known).json["iscc_id"] == known  # nothing was removed


CONFIGS = {
    "no JSON": ('{\n  "active_index": nothing\n}', "line 2, column 19: "),
    "empty": ("", "line 1: expected a JSON object, the file is empty"),
    "an array": ("[]", "line 1, column 1: expected a JSON object"),
    "indexes a list": ('{\n"indexes": []}', "line 2, column 12: "),
}


@pytest.mark.parametrize("content, expected", CONFIGS.values(), ids=CONFIGS.keys())
def test_a_bad_configuration(cli, content, expected):
    cli.write_config(content)
    for words in (["list"], ["add", FILES[0]], ["search", CODE], ["index", "list"]):
        done = cli.run(*words)
        assert done.code == 1 and done.err.startswith(f"Error: {cli.config_path}: {expected}"), done
        assert "ove it away: then a new one is made" in done.err
    assert cli.config_path.read_text(encoding="utf-8") == content


VALUES = [("add", "--batch-size", "0", "expected a whole number from 1 to 1000000"), ("add", "--batch-size", "x", "expected a whole number"),
          ("search", "--limit", "-1", "expected a whole number from 1 to 1000000"), ("search", "--min-score", "2", "less than or equal to 1"),
          ("search", "--with", "all", "Input should be"), ("list", "--from", "noon", "expected"), ("list", "--hub", "4096", "from 0 to 4095"),
          ("list", "--after", "x", "not an ISCC-ID"), ("import", "--on-error", "go", "expected skip or stop"), ("list", "--limit", "", "expected a whole number")]


@pytest.mark.parametrize("command, option, value, expected", VALUES, ids=[" ".join(row[:3]) for row in VALUES])
def test_a_bad_value_of_an_option(cli, command, option, value, expected):
    words = {"add": [FILES[0]], "search": [CODE], "import": ["-"]}.get(command, [])
    done = cli.run(command, *words, option, value)
    assert (done.code, done.out) == (2, "")
    assert done.err.startswith(f"Error: {option}") and expected in done.err, done
    assert os.listdir(cli.home) == []
