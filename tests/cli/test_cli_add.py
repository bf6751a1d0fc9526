"""`add` and `get`: which files, what of them, and what becomes of bad ones."""

import base64
import json
import re

import pytest

from commandline import EXAMPLES, FILES, read_file, sample, write_lines
from mounts import small_disk
from serving import INSTANCE, digest, iscc_id, make_asset, unit

GOOD = {"files_scanned": 1, "assets_added": 1, "created": 1, "updated": 0, "errors": 0}


def put(path, content):
    """Write an .iscc.json file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")
    return path


def asset_file(number, **more):
    asset = make_asset(number)
    return {"iscc_id": asset["iscc_id"], "units": asset["units"], **more}


# --- files, folders, globs ------------------------------------------------------------------------

def test_output_is_the_json_of_0_3_3(cli):
    said = cli.good("add", FILES[0])
    assert said.out == ('{\n  "files_scanned": 1,\n  "assets_added": 1,\n  "created": 1,\n'
                        '  "updated": 0,\n  "errors": 0\n}\n')
    assert said.err == ""
    assert cli.good("add", FILES[0]).json == {**GOOD, "created": 0, "updated": 1}


def test_relative_paths(cli):
    put(cli.work / "sub/b.iscc.json", asset_file(1))
    for path in ("sub/b.iscc.json", "./sub/b.iscc.json", "sub/../sub/b.iscc.json"):
        assert cli.good("add", path).json["assets_added"] == 1
    assert cli.good("add", "b.iscc.json", cwd=cli.work / "sub").json["updated"] == 1


def test_folder(cli):
    said = cli.good("add", EXAMPLES / "files")
    assert said.json == {"files_scanned": len(FILES), "assets_added": len(FILES),
                         "created": len(FILES), "updated": 0, "errors": 0}
    for path in FILES:
        assert cli.good("get", read_file(path)["iscc_id"]).json["units"] == read_file(path)["units"]


def test_folder_prefers_iscc_json(cli):
    put(cli.work / "d/x/a.iscc.json", asset_file(1))
    put(cli.work / "d/b.json", asset_file(2))
    assert cli.good("add", "d").json["files_scanned"] == 1
    (cli.work / "d/x/a.iscc.json").unlink()
    assert cli.good("add", "d/").json["files_scanned"] == 1
    assert cli.good("get", iscc_id(2)).json["iscc_id"] == iscc_id(2)


def test_files_are_read_in_the_order_of_their_names(cli):
    """By bytes, folder by folder: more than one growth of the table of a folder, written in another order."""
    names = sorted([f"{number * 7919 % 1000:03d}.iscc.json" for number in range(1000)] + ["Z.iscc.json", "a b.iscc.json", "\u00e4.iscc.json"],
                   key=str.encode)
    for number, name in enumerate(sorted(names, key=lambda name: name[::-1])):
        put(cli.work / "d" / name, asset_file(number))
    for number, name in enumerate(["10/x.iscc.json", "9/x.iscc.json", "1/2/x.iscc.json"], 2000):
        put(cli.work / "d/sub" / name, asset_file(number))
    said = cli.good("add", "d", "-v")
    added = [line[2:] for line in said.err.splitlines()]
    deep = ["d/sub/1/2/x.iscc.json", "d/sub/10/x.iscc.json", "d/sub/9/x.iscc.json"]
    expected = [f"d/{name}" for name in names]
    at = sum(name.encode() < b"sub" for name in names)
    assert added == expected[:at] + deep + expected[at:]


@pytest.fixture
def tree(cli):
    for number, path in enumerate(["a.iscc.json", "b.iscc.json", "sub/a.iscc.json",
                                   "sub/ab.iscc.json", "sub/deep/a.iscc.json", "sub/deep/b.json",
                                   "other/deep/c.iscc.json", ".hidden/a.iscc.json"], 1):
        put(cli.work / path, asset_file(number))
    return cli


@pytest.mark.parametrize("pattern, count", [
    ("*.iscc.json", 2), ("?.iscc.json", 2), ("[b].iscc.json", 1), ("sub/*.iscc.json", 2),
    ("*/*.iscc.json", 2), ("**/*.iscc.json", 7), ("sub/**/*.iscc.json", 3),
    ("**/a.iscc.json", 4), ("**/a*.iscc.json", 5), ("**/deep/*.iscc.json", 2),
    ("**/deep/**/*.json", 3), ("s*/**/a.iscc.json", 2), ("./**/b.iscc.json", 1),
])
def test_globs(tree, pattern, count):
    said = tree.good("add", pattern)
    assert said.json["files_scanned"] == count
    assert said.json["created"] == count  # no file twice
    again = tree.good("add", str(tree.work / pattern))
    assert again.json["updated"] == count


def test_several_patterns(tree):
    said = tree.good("add", "a.iscc.json", "sub", "*.iscc.json")
    assert said.json["files_scanned"] == 1 + 3 + 2
    assert said.json["created"] == 5 and said.json["updated"] == 1


@pytest.mark.parametrize("pattern", ["none.iscc.json", "none/", "*.nothing", "**/*.nothing", "empty"])
def test_nothing_found(cli, pattern):
    (cli.work / "empty").mkdir()
    said = cli.run("add", pattern)
    assert (said.code, said.out) == (2, "")
    assert said.err == f"No files found matching: {pattern}\n"


@pytest.mark.parametrize("words", [("nothere", "a.iscc.json"), ("a.iscc.json", "nothere"),
                                   ("a.iscc.json", "*.nothing", "empty")])
def test_a_pattern_without_files_among_others(cli, words):
    """It is an error of its own, as a bad file is; the others go in."""
    (cli.work / "empty").mkdir()
    put(cli.work / "a.iscc.json", asset_file(1))
    missing = [word for word in words if word != "a.iscc.json"]
    said = cli.good("add", *words)
    assert said.json == {**GOOD, "errors": len(missing)}
    assert said.err == "Warnings:\n" + "".join(f"  \u2022 {word}: no files found\n"
                                               for word in missing)
    assert cli.good("get", iscc_id(1)).json["iscc_id"] == iscc_id(1)


def test_a_pattern_without_files_and_nothing_good(cli):
    put(cli.work / "a.iscc.json", "{")
    said = cli.run("add", "nothere", "a.iscc.json")
    assert (said.code, said.out) == (4, "")
    assert "  \u2022 nothere: no files found\n" in said.err and "a.iscc.json: " in said.err
    said = cli.run("add", "nothere", "*.nothing")
    assert (said.code, said.out) == (2, "")
    assert said.err == "No files found matching: nothere\nNo files found matching: *.nothing\n"


def test_a_name_with_glob_characters(cli):
    put(cli.work / "a[1].iscc.json", asset_file(1))
    assert cli.good("add", "a[1].iscc.json").json == GOOD


# --- lines ----------------------------------------------------------------------------------------

def test_standard_input(cli):
    rows = sample(50)
    said = cli.good("add", "-", stdin="\n".join(json.dumps(row) for row in rows))
    assert said.json == {"files_scanned": 1, "assets_added": 50, "created": 50, "updated": 0,
                         "errors": 0}
    assert cli.good("get", rows[-1]["iscc_id"]).json["metadata"] == rows[-1]["metadata"]


def test_bad_lines_are_named_and_the_others_go_in(cli):
    rows = sample(6)
    write_lines(cli.work / "a.jsonl", [rows[0], "{broken", rows[1], "", "   ", "[]", rows[2],
                                       {"metadata": {"name": "x"}}, rows[4]])
    said = cli.good("add", "a.jsonl")
    assert said.json["assets_added"] == 4
    assert said.json["errors"] == 3
    assert said.err.startswith("Warnings:\n")
    for number in (2, 6, 8):
        assert f"a.jsonl:{number}: " in said.err
    for row in (rows[0], rows[1], rows[2], rows[4]):
        assert cli.good("get", row["iscc_id"]).json["units"] == row["units"]


def test_bad_lines_of_standard_input(cli):
    said = cli.good("add", "-", stdin="nonsense\n" + json.dumps(sample(1)[0]) + "\n")
    assert said.json["errors"] == 1
    assert "standard input:1: " in said.err


def test_byte_order_mark_crlf_and_no_last_newline(cli):
    rows = [json.dumps(row) for row in sample(3)]
    (cli.work / "a.jsonl").write_bytes(("\ufeff" + "\r\n".join(rows)).encode())
    assert cli.good("add", "a.jsonl").json["created"] == 3


def test_at_most_five_warnings(cli):
    write_lines(cli.work / "a.jsonl", sample(1) + ["x"] * 9)
    said = cli.good("add", "a.jsonl")
    assert said.json["errors"] == 9
    assert said.err.count("\u2022") == 5
    assert "... and 4 more" in said.err


@pytest.mark.parametrize("batch", [1, 2, 3, 1000])
def test_a_batch_with_one_undecodable_unit(cli, batch):
    rows = [make_asset(number) for number in range(1, 8)]
    rows[3]["units"][1] = "ISCC:!!!!"
    write_lines(cli.work / "a.jsonl", rows)
    said = cli.good("add", "a.jsonl", "--batch-size", batch)
    assert said.json["created"] == 6 and said.json["errors"] == 1
    assert "a.jsonl:4: " in said.err
    assert cli.run("get", iscc_id(4)).code == 1
    assert cli.good("get", iscc_id(7)).json["iscc_id"] == iscc_id(7)


def test_a_code_that_has_lost_characters(cli):
    rows = [make_asset(number) for number in range(1, 4)]
    rows[1]["iscc_code"] = "ISCC:KACY6MYZYQFRSUSPYPNO4G3CLMACQAQWJAA4RTFHBFXCTOJUKW7H"
    write_lines(cli.work / "a.jsonl", rows)
    said = cli.good("add", "a.jsonl")
    assert said.json["created"] == 2 and said.json["errors"] == 1
    assert "a.jsonl:2: " in said.err and "expected 55 characters" in said.err
    assert cli.run("get", iscc_id(2)).code == 1


BAD_AT = {"first": [0], "last": [10], "several": [0, 3, 4, 9], "neighbours": [4, 5, 6, 7],
          "all but one": [0, 1, 2, 3, 4, 5, 6, 8, 9, 10], "all": list(range(11))}


@pytest.mark.parametrize("batch", [3, 8, 1000])
@pytest.mark.parametrize("bad", BAD_AT.values(), ids=BAD_AT.keys())
def test_bad_assets_anywhere_in_a_batch(cli, bad, batch):
    rows = [make_asset(number) for number in range(1, 12)]
    for at in bad:
        rows[at]["units"][1] = "ISCC:!!!!"
    write_lines(cli.work / "a.jsonl", rows)
    said = cli.run("add", "a.jsonl", "--batch-size", batch)
    if len(bad) == len(rows):
        assert (said.code, said.out) == (4, "")
    else:
        assert said.code == 0
        assert said.json["created"] == len(rows) - len(bad) and said.json["updated"] == 0
        assert said.json["errors"] == len(bad)
    named = [int(number) for number in re.findall(r"a\.jsonl:(\d+): ", said.err)]
    shown = bad if said.code else bad[:5]
    assert named == [at + 1 for at in shown]
    stored = {row["iscc_id"] for row in rows
              if cli.run("get", row["iscc_id"]).code == 0}
    assert stored == {row["iscc_id"] for at, row in enumerate(rows) if at not in bad}


def test_the_last_of_one_id_wins_in_a_batch_with_a_bad_asset(cli):
    rows = [make_asset(1, metadata={"turn": turn}) for turn in range(6)]
    rows[2]["units"] = ["ISCC:!!!!"]
    write_lines(cli.work / "a.jsonl", rows)
    assert cli.good("add", "a.jsonl").json["errors"] == 1
    assert cli.good("get", iscc_id(1)).json["metadata"] == {"turn": 5}


def transactions(path):
    """How many transactions an LMDB file has seen: the greater number of its two first pages."""
    with open(path, "rb") as file:
        pages = [file.read(4096) for _ in range(2)]
    return max(int.from_bytes(page[144:152], "little") for page in pages)


def test_a_bad_asset_does_not_cost_a_transaction_for_each_good_one(cli):
    index = cli.data / "default/index.lmdb"
    write_lines(cli.work / "one.jsonl", [make_asset(1)])
    cli.good("add", "one.jsonl")
    before = transactions(index)
    rows = [make_asset(number) for number in range(2, 1002)]
    rows[333]["units"][1] = "ISCC:!!!!"
    write_lines(cli.work / "a.jsonl", rows)
    said = cli.good("add", "a.jsonl")
    assert (said.json["created"], said.json["errors"]) == (999, 1)
    assert 1 < transactions(index) - before <= 10


def test_all_of_the_sample(cli):
    said = cli.good("add", EXAMPLES / "assets.jsonl")
    assert said.json["created"] == len(sample())


# --- bad files ------------------------------------------------------------------------------------

BAD_FILES = {
    "not JSON": "{",
    "empty": "",
    "a list": "[]",
    "no iscc_id and no INSTANCE": {"units": make_asset(9)["units"][:3]},
    "null iscc_id and no INSTANCE": {"iscc_id": None, "units": make_asset(9)["units"][:3]},
    "iscc_id of another type": {"iscc_id": 5},
    "malformed iscc_id": {"iscc_id": "ISCC:MAIG"},
    "not an ISCC-ID": {"iscc_id": unit(INSTANCE, digest(1))},
    "units of another type": {"iscc_id": iscc_id(9), "units": "ISCC:AAA"},
    "one unit no text": {"iscc_id": iscc_id(9), "units": [1, 2]},
    "undecodable unit": {"iscc_id": iscc_id(9), "units": ["ISCC:AAA", "ISCC:!!"]},
    "undecodable simprint": {"iscc_id": iscc_id(9), "features": [
        {"maintype": "content", "subtype": "text", "simprints": ["====="], "offsets": [0],
         "sizes": [1]}]},
    "a code that is none": {"iscc_id": iscc_id(9), "iscc_code": "x\"y"},
    "a short code": {"iscc_id": iscc_id(9), "iscc": "ISCC:KAC"},
    "an id in small letters": {"iscc_id": "ISCC:" + iscc_id(9)[5:].lower(), "units": make_asset(9)["units"]},
    "an id with NUL": {"iscc_id": iscc_id(9) + "\0x", "units": make_asset(9)["units"]},
    "a unit with NUL": {"iscc_id": iscc_id(9), "units": [make_asset(9)["units"][0] + "\0"]},
    "a simprint type that is a path": {"iscc_id": iscc_id(9), "features": [
        {"maintype": "../x", "subtype": "y", "simprints": ["AAAAAAAAAAA"], "offsets": [0], "sizes": [1]}]},
    "a long simprint type": {"iscc_id": iscc_id(9), "features": [
        {"maintype": "x" * 100, "subtype": "y", "simprints": ["AAAAAAAAAAA"], "offsets": [0], "sizes": [1]}]},
    "features no list": {"iscc_id": iscc_id(9), "features": {}},
    "another realm": {"iscc_id": iscc_id(9, realm=1), "units": make_asset(9)["units"]},
}


@pytest.mark.parametrize("content", BAD_FILES.values(), ids=BAD_FILES.keys())
def test_a_bad_file_among_good_ones(cli, content):
    put(cli.work / "a.iscc.json", asset_file(1))
    put(cli.work / "b.iscc.json", content)
    put(cli.work / "c.iscc.json", asset_file(3))
    said = cli.good("add", ".")
    assert said.json == {"files_scanned": 3, "assets_added": 2, "created": 2, "updated": 0,
                         "errors": 1}, said
    assert "b.iscc.json: " in said.err
    assert "a.iscc.json" not in said.err and "c.iscc.json" not in said.err
    assert cli.good("get", iscc_id(3)).json["iscc_id"] == iscc_id(3)


@pytest.mark.parametrize("content", [BAD_FILES["not JSON"], BAD_FILES["no iscc_id and no INSTANCE"],
                                     BAD_FILES["undecodable unit"]])
def test_nothing_could_be_added(cli, content):
    put(cli.work / "b.iscc.json", content)
    said = cli.run("add", "b.iscc.json")
    assert (said.code, said.out) == (4, "")
    assert said.err.startswith("No valid assets found\nErrors:\n")
    assert "b.iscc.json: " in said.err


def test_an_empty_file_of_lines(cli):
    (cli.work / "a.jsonl").write_text("\n\n")
    said = cli.run("add", "a.jsonl")
    assert (said.code, said.out) == (4, "")


def test_a_file_that_cannot_be_read(cli):
    put(cli.work / "a.iscc.json", asset_file(1))
    (cli.work / "b.iscc.json").symlink_to("b.iscc.json")
    said = cli.good("add", ".")
    assert said.json["errors"] == 1
    assert "b.iscc.json" in said.err


@pytest.mark.parametrize("batch", [1, 2, 100])
def test_verbose(cli, batch):
    """One line for each file, whichever way it went."""
    put(cli.work / "a.iscc.json", asset_file(1))
    put(cli.work / "b.iscc.json", "{")                                   # cannot be read
    put(cli.work / "c.iscc.json", asset_file(3, units=["ISCC:!!!!"]))    # is refused with its batch
    put(cli.work / "d.iscc.json", asset_file(4))
    said = cli.good("add", ".", "--verbose", "-b", batch)
    told = said.err[:said.err.index("Warnings:\n")].splitlines()
    assert sorted(line.split(": ")[0] for line in told) == [
        "\u2713 ./a.iscc.json", "\u2713 ./d.iscc.json", "\u2717 ./b.iscc.json", "\u2717 ./c.iscc.json"]
    assert said.json == {"files_scanned": 4, "assets_added": 2, "created": 2, "updated": 0,
                         "errors": 2}


def test_verbose_does_not_praise_what_is_not_written(cli):
    """A file is ticked off when it is on disk, not when it has been read."""
    put(cli.work / "a.iscc.json", asset_file(1, name="x" * (8 << 20)))
    with small_disk(4) as folder:
        said = cli.run("add", ".", "-v", "--uri", f"usearch://{folder}/store")
    assert said.code == 1 and "full" in said.err
    assert "\u2713" not in said.err


def test_verbose_with_lines(cli):
    """Lines that are refused are told at once; a line for each good one would be too many."""
    rows = [make_asset(number) for number in (1, 2, 3)]
    rows[1]["units"] = ["ISCC:!!!!"]
    write_lines(cli.work / "a.jsonl", rows + ["{"])
    said = cli.good("add", "a.jsonl", "-v")
    told = said.err[:said.err.index("Warnings:\n")].splitlines()
    assert sorted(line.split(": ")[0] for line in told) == ["\u2717 a.jsonl:2", "\u2717 a.jsonl:4"]


# --- what of a file goes in -----------------------------------------------------------------------

def test_code_name_and_source(cli):
    code = read_file(FILES[0])["iscc"]
    for number, fields in enumerate([{"iscc": code}, {"iscc_code": code, "iscc": "ISCC:" + "A" * 16},
                                     {"iscc": code, "name": "  A \t name "},
                                     {"name": "   "}, {"name": None}], 1):
        put(cli.work / f"f{number}.iscc.json",
            {**asset_file(number), **fields, "metadata": {"x": 1}, "simprints": {}, "mode": "text"})
    cli.good("add", ".")
    got = [cli.good("get", iscc_id(number)).json for number in range(1, 6)]
    assert [asset["iscc_code"] for asset in got] == [code, code, code, None, None]
    for number, asset in enumerate(got, 1):
        assert list(asset) == ["iscc_id", "iscc_code", "units", "metadata"]
        assert asset["metadata"].pop("source") == f"file://{cli.work}/f{number}.iscc.utf8"
    assert [asset["metadata"] for asset in got] == [{}, {}, {"name": "A \t name"}, {}, {}]


@pytest.mark.parametrize("path, source", [
    ("a b.iscc.json", "a%20b.iscc.utf8"), ("\u00e4%.iscc.json", "%C3%A4%25.iscc.utf8"),
    ("x.json", "x.utf8"), ("no suffix", "no%20suffix.utf8"), ("s.d/plain", "s.d/plain.utf8"),
    ("#?.iscc.json", "%23%3F.iscc.utf8"),
])
def test_source_is_a_file_uri(cli, path, source):
    put(cli.work / path, asset_file(1))
    cli.good("add", path)
    got = cli.good("get", iscc_id(1)).json["metadata"]["source"]
    assert got == f"file://{cli.work}/{source}"


@pytest.mark.parametrize("pattern", [".", "./sub", "sub/", ".//sub/./a.iscc.json", "./**/a.*"])
def test_source_of_a_relative_path(cli, pattern):
    put(cli.work / "sub/a.iscc.json", asset_file(1))
    cli.good("add", pattern)
    got = cli.good("get", iscc_id(1)).json["metadata"]["source"]
    assert got == f"file://{cli.work}/sub/a.iscc.utf8"


def test_the_last_of_one_id_wins(cli):
    put(cli.work / "a.iscc.json", asset_file(1, name="first"))
    put(cli.work / "b.iscc.json", asset_file(1, name="second"))
    said = cli.good("add", ".")
    assert said.json == {"files_scanned": 2, "assets_added": 2, "created": 1, "updated": 1,
                         "errors": 0}
    assert cli.good("get", iscc_id(1)).json["metadata"]["name"] == "second"


# --- one ISCC-ID twice in a run -------------------------------------------------------------------

def duplicates(said):
    """What is said of them: how many, and the lines below that."""
    lines = said.err.splitlines()
    title = next((i for i, line in enumerate(lines) if line.startswith("Duplicates: ")), None)
    if title is None:
        return 0, []
    return int(lines[title].split()[1]), [line.removeprefix("  \u2022 ") for line in lines[title + 1:]]


@pytest.mark.parametrize("batch", [1, 2, 100])
def test_two_files_with_one_id_are_named(cli, batch):
    for name in ("a", "b", "c"):
        put(cli.work / f"{name}.iscc.json", asset_file(2 if name == "b" else 1, name=name))
    said = cli.good("add", ".", "-b", batch)
    assert said.json == {"files_scanned": 3, "assets_added": 3, "created": 2, "updated": 1, "errors": 0}
    assert duplicates(said) == (1, [f"{iscc_id(1)}: ./a.iscc.json, then ./c.iscc.json"])
    assert "the last one counts" in said.err
    assert cli.good("get", iscc_id(1)).json["metadata"]["name"] == "c"


@pytest.mark.parametrize("batch", [1, 3, 1000])
def test_two_lines_with_one_id_are_named(cli, batch):
    write_lines(cli.work / "a.jsonl", [make_asset(1), make_asset(2), "", make_asset(1), make_asset(1)])
    write_lines(cli.work / "b.jsonl", [make_asset(3), make_asset(2)])
    said = cli.good("add", "a.jsonl", "b.jsonl", "-b", batch)
    assert duplicates(said) == (3, [f"{iscc_id(1)}: a.jsonl:1, then a.jsonl:4", f"{iscc_id(1)}: a.jsonl:4, then a.jsonl:5",
                                    f"{iscc_id(2)}: a.jsonl:2, then b.jsonl:2"])
    said = cli.good("add", "-", stdin=json.dumps(make_asset(1)) + "\n" + json.dumps(make_asset(1)))
    assert duplicates(said) == (1, [f"{iscc_id(1)}: standard input:1, then standard input:2"])


def test_only_what_is_in_is_a_duplicate(cli):
    """An asset that is refused replaces nothing, and is replaced by nothing."""
    bad = {**make_asset(1), "units": ["ISCC:!!!!"]}
    write_lines(cli.work / "a.jsonl", [bad, make_asset(1), bad, make_asset(2)])
    said = cli.good("add", "a.jsonl")
    assert said.json["errors"] == 2 and duplicates(said) == (0, [])


def test_an_update_of_an_earlier_run_is_no_duplicate(cli):
    write_lines(cli.work / "a.jsonl", [make_asset(1)])
    assert cli.good("add", "a.jsonl").err == cli.good("add", "a.jsonl").err == ""


def test_a_file_that_two_patterns_find_is_no_duplicate(cli):
    put(cli.work / "a.iscc.json", asset_file(1))
    assert cli.good("add", "a.iscc.json", "*.iscc.json", ".", "./**/a.*").err == ""


def test_at_most_five_duplicates_unless_verbose(cli):
    write_lines(cli.work / "a.jsonl", [make_asset(number) for number in range(9)] * 2)
    count, lines = duplicates(cli.good("add", "a.jsonl"))
    assert count == 9 and len(lines) == 6 and lines[5] == "  ... and 4 more"
    count, lines = duplicates(cli.good("add", "a.jsonl", "--verbose"))
    assert count == 9 and len(lines) == 9


def test_duplicates_among_many(cli):
    """Far apart, in a table that has grown several times."""
    rows = [{"iscc_id": iscc_id(number)} for number in range(30000)]
    write_lines(cli.work / "a.jsonl", rows + rows[::10000])
    count, lines = duplicates(cli.good("add", "a.jsonl", "-b", 1000))
    assert (count, lines) == (3, [f"{iscc_id(n)}: a.jsonl:{n + 1}, then a.jsonl:{30001 + i}"
                                  for i, n in enumerate((0, 10000, 20000))])


# --- features -------------------------------------------------------------------------------------

def text(raw):
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


def feature(*simprints, **more):
    return {"maintype": "content", "subtype": "text", "simprints": list(simprints),
            "offsets": [10 * i for i in range(len(simprints))],
            "sizes": [10] * len(simprints), **more}


def chunks(server, **simprints):
    """The chunk matches of index `remote` for some simprints."""
    answer = server.post("/indexes/remote/search", json={"simprints": simprints})
    assert answer.status_code == 200, answer.text
    return {(match["iscc_id"], name): value
            for match in answer.json()["chunk_matches"] for name, value in match["types"].items()}


@pytest.fixture
def remote(cli, start_server):
    """A server with index `remote`, which the command line knows."""
    server = start_server()
    cli.good("index", "add", "remote", "--remote", server.base)
    return server


def test_features_become_simprints(cli, remote):
    one, two, three = (digest(i, 32) for i in range(3))
    put(cli.work / "a.iscc.json", asset_file(1, features=[
        feature(text(one), text(two)),
        feature(text(three), offsets=[20]),                         # the same type: merged
        feature(text(three), maintype="semantic", version=1)]))
    assert cli.good("add", "a.iscc.json", "--index", "remote").json == GOOD
    found = chunks(remote, CONTENT_TEXT_V0=[text(one), text(two), text(three)])
    content = found[(iscc_id(1), "CONTENT_TEXT_V0")]
    assert (content["matches"], content["queried"], content["score"]) == (3, 3, 1.0)
    assert [(chunk["offset"], chunk["size"]) for chunk in content["chunks"]] == \
        [(0, 10), (10, 10), (20, 10)]
    assert (iscc_id(1), "SEMANTIC_TEXT_V1") in chunks(remote, SEMANTIC_TEXT_V1=[text(three)])


def test_features_that_lack_something(cli, remote):
    one, two = digest(1, 32), digest(2, 32)
    short = feature(text(one), text(two))
    short["sizes"] = [10]
    put(cli.work / "a.iscc.json", asset_file(1, features=[
        short, {"maintype": "content", "simprints": [text(two)]},
        {"maintype": "content", "subtype": "text", "simprints": []}]))
    said = cli.good("add", "a.iscc.json", "--index", "remote")
    assert said.json == GOOD
    assert "differ in length" in said.err and "left out" in said.err
    assert chunks(remote, CONTENT_TEXT_V0=[text(one)])
    assert not chunks(remote, CONTENT_TEXT_V0=[text(two)])


def scenes(*sizes, **more):
    """The feature of a video, as iscc-sdk 0.9 writes it."""
    return {"maintype": "content", "subtype": "video", "version": 0,
            "simprints": [text(digest(i, 32)) for i in range(len(sizes))], "sizes": list(sizes), **more}


def passages_of(remote, kind, count):
    found = chunks(remote, **{kind: [text(digest(i, 32)) for i in range(count)]})
    return [(chunk["offset"], chunk["size"]) for chunk in found.get((iscc_id(1), kind), {"chunks": []})["chunks"]]


def as_objects(feature, *names):
    """The same with objects instead of texts, that have some of the lists in them."""
    made = {name: value for name, value in feature.items() if name not in names}
    made["simprints"] = [{"simprint": simprint, "content": "of no interest",
                          **{name[:-1]: feature[name][i] for name in names}}
                         for i, simprint in enumerate(feature["simprints"])]
    return made


THREE = {"simprints": [text(digest(i, 32)) for i in range(3)]}
SCENES = {
    "scenes": (scenes(7.625, 4.0, 0.001), [(0, 7625), (7625, 4000), (11625, 1)]),
    "one scene": (scenes(61.4), [(0, 61400)]),
    "whole seconds, some with a point": (scenes(5, 4.5, 3), [(0, 5000), (5000, 4500), (9500, 3000)]),
    "whole seconds, none with a point": (scenes(5, 4, 3), [(0, 5000), (5000, 4000), (9000, 3000)]),
    "more digits than milliseconds": (scenes(1.0004, 1.0004, 1.0004), [(0, 1000), (1000, 1000), (2001, 1000)]),
    "exponents": (scenes(1e1, 2.5e-1), [(0, 10000), (10000, 250)]),
    "a scene of no length": (scenes(0.0, 1.5), [(0, 0), (0, 1500)]),
    "offsets, too": (scenes(1.5, 2.0, offsets=[10.25, 20.0]), [(10250, 1500), (20000, 2000)]),
    "offsets of whole numbers": (scenes(15, 20, offsets=[10, 20]), [(10, 15), (20, 20)]),
    "null as offsets": (scenes(1.5, 2.5, offsets=None), [(0, 1500), (1500, 2500)]),
    "some offsets null": (scenes(1.5, 2.5, 1.0, offsets=[1.0, None, 9.0]), [(1000, 1500), (2500, 2500), (9000, 1000)]),
    "objects": (as_objects(scenes(1.5, 2.5), "sizes"), [(0, 1500), (1500, 2500)]),
    "the longest": (scenes(4294967.295), [(0, 4294967295)]),
}


UNITS = {
    "text": ({"subtype": "text", "sizes": [20, 40], "offsets": [0, 20]}, [(0, 20), (20, 40)]),
    "text with points": ({"subtype": "text", "sizes": [20.0, 40.0], "offsets": [0.0, 20.0]}, [(0, 20), (20, 40)]),
    "text without offsets": ({"subtype": "text", "sizes": [20, 40]}, [(0, 20), (20, 40)]),
    "audio in seconds": ({"subtype": "audio", "sizes": [1.5, 2], "offsets": [1, 3]}, [(1000, 1500), (3000, 2000)]),
    "audio in whole numbers": ({"subtype": "audio", "sizes": [1500, 2000]}, [(0, 1500), (1500, 2000)]),
}


@pytest.mark.parametrize("given, expected", UNITS.values(), ids=UNITS.keys())
def test_only_what_is_played_has_seconds(cli, remote, given, expected):
    put(cli.work / "a.iscc.json", asset_file(1, features=[{**scenes(0, 0), **given}]))
    assert cli.good("add", "a.iscc.json", "--index", "remote").err == ""
    assert passages_of(remote, f"CONTENT_{given['subtype'].upper()}_V0", 2) == expected


@pytest.mark.parametrize("given, expected", SCENES.values(), ids=SCENES.keys())
def test_scenes_of_a_video(cli, remote, given, expected):
    """Offsets are the sums of the sizes before; seconds become milliseconds."""
    put(cli.work / "a.iscc.json", asset_file(1, features=[given]))
    said = cli.good("add", "a.iscc.json", "--index", "remote")
    assert said.json == GOOD and said.err == ""
    assert passages_of(remote, "CONTENT_VIDEO_V0", len(expected)) == expected


OBJECTS = {
    "offset and size": ({"offsets": [10, 30, 70], "sizes": [20, 40, 5]}, ("offsets", "sizes")),
    "offset in it, sizes beside": ({"offsets": [10, 30, 70], "sizes": [20, 40, 5]}, ("offsets",)),
    "size in it, offsets beside": ({"offsets": [10, 30, 70], "sizes": [20, 40, 5]}, ("sizes",)),
    "both beside": ({"offsets": [10, 30, 70], "sizes": [20, 40, 5]}, ()),
}


@pytest.mark.parametrize("numbers, inside", OBJECTS.values(), ids=OBJECTS.keys())
def test_simprints_that_are_objects(cli, remote, numbers, inside):
    """As iscc-sct writes them."""
    given = as_objects({"maintype": "semantic", "subtype": "text", **THREE, **numbers}, *inside)
    put(cli.work / "a.iscc.json", asset_file(1, features=[given]))
    said = cli.good("add", "a.iscc.json", "--index", "remote")
    assert said.json == GOOD and said.err == ""
    assert passages_of(remote, "SEMANTIC_TEXT_V0", 3) == [(10, 20), (30, 40), (70, 5)]


def test_objects_without_offsets(cli, remote):
    put(cli.work / "a.iscc.json", asset_file(1, features=[
        as_objects({"maintype": "semantic", "subtype": "text", **THREE, "sizes": [20, 40, 5]}, "sizes")]))
    assert cli.good("add", "a.iscc.json", "--index", "remote").err == ""
    assert passages_of(remote, "SEMANTIC_TEXT_V0", 3) == [(0, 20), (20, 40), (60, 5)]


def test_objects_are_cut_to_bits(cli, remote):
    put(cli.work / "a.iscc.json", asset_file(1, features=[as_objects(scenes(1.5), "sizes")]))
    cli.good("add", "a.iscc.json", "--index", "remote", "-s", "64")
    assert (iscc_id(1), "CONTENT_VIDEO_V0") in chunks(remote, CONTENT_VIDEO_V0=[text(digest(0, 32)[:8])])


def test_search_by_the_scenes_of_a_file(cli, remote):
    put(cli.work / "a.iscc.json", asset_file(1, features=[scenes(7.625, 4.0)]))
    cli.good("add", "a.iscc.json", "--index", "remote")
    found = cli.good("search", "a.iscc.json", "--index", "remote").json["chunk_matches"][0]["types"]
    assert [chunk["offset"] for chunk in found["CONTENT_VIDEO_V0"]["chunks"]] == [0, 7625]
    said = cli.good("search", "a.iscc.json", "--index", "remote", "--table")
    assert "at 7625, size 4000; in the query at 7625, size 4000" in said.out


BAD_FEATURES = {
    "negative": scenes(-1.5), "a text": scenes("1.5"), "true": scenes(True),
    "too long": scenes(4294967.296), "too long together": scenes(4294967.0, 1.0, 1.0), "endless": '1e999',
    "half a byte of a text": scenes(1.5, subtype="text"),
    "an offset that is a text": scenes(1.5, offsets=["0"]),
    "an object without a simprint": {**scenes(1.5), "simprints": [{"size": 1}]},
    "a simprint that is a number": {**scenes(1.5), "simprints": [1]},
    "a simprint with NUL": {**scenes(1.5), "simprints": ["AAAAAAAAAAA\0"]},
}


@pytest.mark.parametrize("given", BAD_FEATURES.values(), ids=BAD_FEATURES.keys())
def test_features_that_are_refused(cli, given):
    content = json.dumps(asset_file(1, features=[scenes(123.5) if given == "1e999" else given]))
    put(cli.work / "a.iscc.json", content.replace("123.5", "1e999") if given == "1e999" else content)
    said = cli.run("add", "a.iscc.json")
    assert said.code == 4 and "a.iscc.json: features: expected " in said.err


@pytest.mark.parametrize("given", [THREE, {**THREE, "offsets": [0, 1, 2]}, {**THREE, "sizes": []},
                                   {**THREE, "sizes": None}, as_objects({**THREE, "offsets": [0, 1, 2]}, "offsets")])
def test_simprints_without_sizes_are_left_out_with_a_word(cli, remote, given):
    put(cli.work / "a.iscc.json", asset_file(1, features=[{"maintype": "semantic", "subtype": "text", **given}]))
    said = cli.good("add", "a.iscc.json", "--index", "remote")
    assert said.json == GOOD
    assert "SEMANTIC_TEXT_V0: simprints without sizes are left out: where their passages end is not known" in said.err
    assert passages_of(remote, "SEMANTIC_TEXT_V0", 3) == []


@pytest.mark.parametrize("bits", [64, 128, 192, 256])
def test_simprint_bits(cli, remote, bits):
    long, short = digest("long", 32), digest("short", bits // 8 - 4 if bits > 64 else 8)
    put(cli.work / "a.iscc.json", asset_file(1, features=[feature(text(long), text(short))]))
    said = cli.good("add", "a.iscc.json", "--index", "remote", "--simprint-bits", bits)
    found = chunks(remote, CONTENT_TEXT_V0=[text(long[:bits // 8])])
    chunk = found[(iscc_id(1), "CONTENT_TEXT_V0")]["chunks"][0]
    assert chunk["match"] == text(long[:bits // 8])
    if bits > 64:
        assert "shorter than" in said.err
    else:
        assert chunks(remote, CONTENT_TEXT_V0=[text(short)])


@pytest.mark.parametrize("bits", ["0", "63", "100", "320", "abc", "-64", ""])
def test_invalid_simprint_bits(cli, bits):
    said = cli.run("add", FILES[0], "-s", bits)
    assert (said.code, said.out) == (3, "")
    assert "--simprint-bits" in said.err


def test_features_of_the_sample(cli, remote):
    cli.good("add", EXAMPLES / "files", "-i", "remote")
    with_features = [path for path in FILES if "features" in read_file(path)]
    assert with_features
    for path in with_features:
        source = read_file(path)
        simprints = source["features"][0]["simprints"]
        found = chunks(remote, CONTENT_TEXT_V0=simprints)[(source["iscc_id"], "CONTENT_TEXT_V0")]
        assert (found["matches"], found["score"]) == (len(simprints), 1.0)


# --- get ------------------------------------------------------------------------------------------

def test_get_prints_four_fields(cli):
    write_lines(cli.work / "a.jsonl", [{"iscc_id": iscc_id(1)},
                                       make_asset(2, metadata={"n": 1e21, "\u00e4": [None, {}]})])
    cli.good("add", "a.jsonl")
    assert cli.good("get", iscc_id(1)).json == {"iscc_id": iscc_id(1), "iscc_code": None,
                                                "units": None, "metadata": None}
    said = cli.good("get", iscc_id(2))
    assert said.json["metadata"] == {"n": 1e21, "\u00e4": [None, {}]}
    assert said.out.startswith('{\n  "iscc_id": ') and said.out.endswith("\n}\n")
    assert said.err == ""


def test_get_nothing(filled):
    said = filled.run("get", iscc_id(1))
    assert (said.code, said.out, said.err) == (1, "", f"Error: Asset not found: {iscc_id(1)}\n")
    for malformed in ("x", "ISCC:MAIG", "ISCC:" + "1" * 16, unit(INSTANCE, digest(1))):
        said = filled.run("get", malformed)
        assert (said.code, said.out) == (1, "")
        assert said.err.startswith("Error: ")


# --- terminals ------------------------------------------------------------------------------------

def test_progress_only_on_a_terminal(cli):
    # standard input never ends at once, so there is time for a line to be drawn
    for turn in range(12):
        write_lines(cli.work / f"{turn}.jsonl", [make_asset(2000 * turn + number) for number in range(2000)])
    code, shown, out = cli.on_terminal("add", "*.jsonl", "-b", "20", streams=("stderr",))
    assert code == 0
    assert "assets, " in shown and "%" in shown and shown.endswith("\r\x1b[K")
    assert json.loads(out)["errors"] == 0
    said = cli.good("add", "*.jsonl", "-b", "20")
    assert said.err == ""
