"""What files hold in front of their JSON or instead of it, and what is no file: the same words from `add` and `search`."""

import bz2
import gzip
import io
import json
import lzma
import os
import socket
import subprocess
import zipfile

import pytest

from commandline import write_lines
from mounts import NOBODY, open_folder
from serving import iscc_id, make_asset

BOM = b"\xef\xbb\xbf"
ROW = make_asset(1)
LINE = json.dumps(ROW).encode()
FILE = json.dumps({"iscc_id": ROW["iscc_id"], "units": ROW["units"]}).encode()


def put(path, raw):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(raw)
    return path.name


def expect_taken(cli, name):
    assert cli.good("add", name).json == {"files_scanned": 1, "assets_added": 1, "created": 1, "updated": 0,
                                          "errors": 0}
    found = cli.good("search", name).json["global_matches"]
    assert [match["iscc_id"] for match in found] == [ROW["iscc_id"]]


def expect_refused(cli, name, *words):
    """Both commands say the same of the file."""
    added, searched = cli.run("add", name), cli.run("search", name)
    assert (added.code, added.out) == (4, "") and (searched.code, searched.out) == (1, "")
    for word in (name, *words):
        assert word in added.err and word in searched.err, (added, searched)


# --- in front of it -------------------------------------------------------------------------------

BEGINNINGS = {"mark": BOM, "blank lines": b"\n\r\n \t\n", "mark and blank lines": BOM + b"\n\n  \n", "blanks": b"  \t"}


@pytest.mark.parametrize("begin", BEGINNINGS.values(), ids=BEGINNINGS.keys())
@pytest.mark.parametrize("name", ["q.jsonl", "q.ndjson", "q.iscc.json", "q.json"])
@pytest.mark.parametrize("end", [b"", b"\n", b"\r\n\r\n"])
def test_marks_and_blank_lines_are_skipped(cli, name, begin, end):
    content = LINE if name.endswith(("jsonl", "ndjson")) else FILE
    put(cli.work / name, begin + content + end)
    expect_taken(cli, name)


def test_a_mark_before_the_first_of_many_lines(cli):
    put(cli.work / "q.jsonl", BOM + b"\n" + LINE + b"\n{broken\n")
    assert cli.good("add", "q.jsonl").json["errors"] == 1
    said = cli.run("search", "q.jsonl")
    first, second = map(json.loads, said.out.splitlines())
    assert first["query"]["units"] == ROW["units"]
    assert (said.code, second["status"]) == (1, 422)


def test_lines_longer_than_what_is_read_at_once(cli):
    rows = [make_asset(number, metadata={"x": "\u00e4" * size}) for number, size in
            enumerate([10, 65534, 65536, 70000, 300000, 1], 1)]
    write_lines(cli.work / "a.jsonl", rows)
    assert cli.good("add", "a.jsonl").json["created"] == len(rows)
    for row in rows:
        assert cli.good("get", row["iscc_id"]).json["metadata"] == row["metadata"]


# --- instead of it --------------------------------------------------------------------------------

def zipped(raw):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("a", raw)
    return buffer.getvalue()


OTHER = {
    "gzip": (gzip.compress, "gzip"), "bzip2": (bz2.compress, "bzip2"), "xz": (lzma.compress, "xz"),
    "zstd": (lambda raw: b"\x28\xb5\x2f\xfd\x20" + raw, "zstd"), "lz4": (lambda raw: b"\x04\x22\x4d\x18" + raw, "lz4"),
    "ZIP": (zipped, "ZIP"),
    "UTF-16": (lambda raw: raw.decode().encode("utf-16"), "UTF-16"),
    "UTF-16BE": (lambda raw: b"\xfe\xff" + raw.decode().encode("utf-16-be"), "UTF-16"),
    "UTF-16LE without mark": (lambda raw: raw.decode().encode("utf-16-le"), "UTF-16LE"),
    "UTF-16BE without mark": (lambda raw: raw.decode().encode("utf-16-be"), "UTF-16BE"),
    "UTF-32": (lambda raw: raw.decode().encode("utf-32"), "UTF-32"),
    "UTF-32BE without mark": (lambda raw: raw.decode().encode("utf-32-be"), "UTF-32BE"),
    "UTF-32LE without mark": (lambda raw: raw.decode().encode("utf-32-le"), "UTF-32LE"),
}


@pytest.mark.parametrize("make, word", OTHER.values(), ids=OTHER.keys())
@pytest.mark.parametrize("name", ["q.jsonl", "q.jsonl.gz", "q.iscc.json"])
def test_what_is_no_text_in_utf8_is_named(cli, name, make, word):
    put(cli.work / name, make(LINE + b"\n" + LINE + b"\n"))
    if name.startswith("q.jsonl") and word in ("gzip", "zstd"):
        pytest.skip("compressed lines are read")
    expect_refused(cli, name, word, "first (")
    assert cli.run("add", name).err.count("\u2022") == 1  # once, not for each line


@pytest.mark.parametrize("make, word", OTHER.values(), ids=OTHER.keys())
@pytest.mark.parametrize("name", ["q.jsonl", "q.iscc.json"])
@pytest.mark.parametrize("blank", [b"\n", b"\r\n", b"  \n\n", b"\n" * 9, b"\n" * 70_000],
                         ids=["one", "CRLF", "two", "nine", "many"])
def test_what_is_no_text_in_utf8_is_named_behind_blank_lines(cli, name, blank, make, word):
    """Blank lines of the file itself, and those in front of a file of another kind."""
    is_text, has_mark = "UTF" in word, word in ("UTF-16", "UTF-32")
    for raw in [make(blank + LINE + b"\n")] * is_text + [blank + make(LINE)] * (has_mark or not is_text):
        put(cli.work / name, raw)
        expect_refused(cli, name, "expected JSON in UTF-8, this is ", word, "first (")
        assert cli.run("add", name).err.count("\u2022") == 1


@pytest.mark.parametrize("encoding", ["utf-16-be", "utf-16-le", "utf-32-be", "utf-32-le"])
def test_the_order_of_bytes_is_named(cli, encoding):
    """With the wrong one, what the message says to do makes no JSON."""
    put(cli.work / "q.jsonl", ("\n" + LINE.decode()).encode(encoding))
    expect_refused(cli, "q.jsonl", f"iconv -f {encoding.upper().replace('-', '', 2).replace('UTF', 'UTF-')} ")


def test_a_mark_behind_a_blank_line_is_none(cli):
    put(cli.work / "q.jsonl", b"\n" + BOM + LINE)
    expect_refused(cli, "q.jsonl", "JSON: expected a value at byte 0")
    put(cli.work / "q.jsonl", BOM + BOM + LINE)
    expect_refused(cli, "q.jsonl", "JSON: expected a value at byte 0")


@pytest.mark.parametrize("array", [b"[%s]", b"[\n%s\n]", b" [ %s , {} ]\n", b"[]"])
@pytest.mark.parametrize("name", ["q.jsonl", "q.json"])
def test_an_array_is_named(cli, name, array):
    put(cli.work / name, array % LINE if b"%" in array else array)
    expect_refused(cli, name, "this is a JSON array")
    assert cli.run("add", name).err.count("\u2022") == 1


def test_an_object_over_several_lines_is_named(cli):
    put(cli.work / "q.jsonl", json.dumps(ROW, indent=2).encode())
    expect_refused(cli, "q.jsonl", "this is a JSON object over several lines")


@pytest.mark.parametrize("name", ["q.jsonl", "q.iscc.json"])
@pytest.mark.parametrize("raw", [b"", b"\n\n", BOM, BOM + b"\n"])
def test_an_empty_file(cli, name, raw):
    put(cli.work / name, raw)
    assert cli.run("add", name).code == 4
    said = cli.run("search", name)
    assert said.code == 1 and "the file is empty" in said.err


@pytest.mark.parametrize("make, word", OTHER.values(), ids=OTHER.keys())
def test_the_others_go_in(cli, make, word):
    put(cli.work / "a.jsonl", make(LINE))
    put(cli.work / "b.iscc.json", make(FILE))
    write_lines(cli.work / "c.jsonl", [make_asset(2)])
    said = cli.good("add", "a.jsonl", "b.iscc.json", "c.jsonl")
    taken = word == "gzip"  # of lines
    assert (said.json["created"], said.json["errors"]) == (1 + taken, 2 - taken)
    assert said.err.count(word) >= 2 - taken


@pytest.mark.parametrize("name", ["q.jsonl", "q.jsonl.gz", "q.ndjson.gz"])
@pytest.mark.parametrize("begin", [b"", BOM, b"\n\n"])
def test_lines_in_gzip_are_taken(cli, name, begin):
    put(cli.work / name, gzip.compress(begin + LINE + b"\n"))
    expect_taken(cli, name)


@pytest.mark.parametrize("name", ["q.jsonl", "q.jsonl.zst"])
def test_damaged_zstd_is_named(cli, name):
    put(cli.work / name, b"\x28\xb5\x2f\xfd\x20" + LINE)
    expect_refused(cli, name, "zstd: ")


# --- no files -------------------------------------------------------------------------------------

def make_socket(path):
    with socket.socket(socket.AF_UNIX) as at:
        before = os.getcwd()
        os.chdir(path.parent)  # names of sockets are short
        try:
            at.bind(path.name)
        finally:
            os.chdir(before)


KINDS = {"a FIFO": os.mkfifo, "a socket": make_socket, "a device": lambda path: path.symlink_to("/dev/zero"),
         "a folder": lambda path: (path.parent / "elsewhere").mkdir() or path.symlink_to("elsewhere"),
         "No such file": lambda path: path.symlink_to("nothing")}


@pytest.mark.parametrize("make", KINDS.values(), ids=KINDS.keys())
@pytest.mark.parametrize("pattern", ["d", "d/*.json", "d/**/*.iscc.json", "d/x.iscc.json"])
def test_only_regular_files_are_read(cli, make, pattern):
    kind = next(name for name, maker in KINDS.items() if maker is make)
    put(cli.work / "d/a.iscc.json", FILE)
    make(cli.work / "d/x.iscc.json")
    if pattern.endswith("x.iscc.json"):
        if kind in ("a folder", "No such file"):
            return  # that of a folder is what is in it; a link to nothing is nothing
        said = cli.run("add", pattern, timeout=20)
        assert said.code == 4
    else:
        said = cli.good("add", pattern, timeout=20)
        assert (said.json["created"], said.json["errors"]) == (1, 1)
    assert "d/x.iscc.json: " in said.err and kind in said.err


def test_a_folder_with_the_name_of_a_file(cli):
    put(cli.work / "d/x.iscc.json/a.iscc.json", FILE)
    assert cli.good("add", "d").json["created"] == 1
    assert "this is a folder" in cli.run("add", "d/*.json").err
    assert cli.good("add", "d/x.iscc.json").json["updated"] == 1


@pytest.mark.parametrize("pattern", ["d", "d/*.jsonl"])
def test_a_fifo_with_lines_that_is_not_named(cli, pattern):
    put(cli.work / "d/a.json", FILE)
    os.mkfifo(cli.work / "d/x.jsonl")
    said = cli.run("add", pattern, "d/a.json", timeout=20)
    assert said.code == 0
    assert ("this is a FIFO" in said.err) == ("*" in pattern)


def test_a_fifo_with_lines_that_is_named(cli):
    os.mkfifo(cli.work / "x.jsonl")
    process = subprocess.Popen(cli.command(["add", "x.jsonl"]), cwd=cli.work, env=cli.env, stdout=subprocess.PIPE)
    (cli.work / "x.jsonl").write_bytes(LINE + b"\n")
    assert json.loads(process.communicate(timeout=20)[0])["created"] == 1


@pytest.mark.parametrize("name", ["-", "/dev/stdin", "/dev/fd/0", "/proc/self/fd/0"])
def test_standard_input_by_name(cli, name):
    said = cli.good("add", name, stdin=LINE.decode() + "\n" + json.dumps(make_asset(2)))
    assert said.json["created"] == 2
    assert cli.run("add", name, stdin="x\n").err.count(":1: ") == 1


def test_process_substitution(cli):
    done = subprocess.run(["bash", "-c", '"$0" add <(printf "%s\\n" "$1") && "$0" search <(printf "%s\\n" "$1")',
                           cli.command([])[0], LINE], cwd=cli.work, env=cli.env, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr
    assert b'"created": 1' in done.stdout and ROW["iscc_id"].encode() in done.stdout


@pytest.mark.parametrize("name", ["/dev/zero", "/dev/null", "/dev/tty"])
def test_devices(cli, name):
    for words in (("add", name), ("search", name)):
        said = cli.run(*words, timeout=20)
        assert said.code != 0 and "this is a device" in said.err


@pytest.mark.parametrize("name", ["q.iscc.json", "q.jsonl"])
def test_a_file_without_an_end(cli, name):
    """It is read as far as one asset may reach, not into all memory there is."""
    with open(cli.work / name, "wb") as file:
        file.write(b'{"x": "')
        file.truncate(1 << 40)
    for command in ("add", "search"):
        said = cli.run(command, name)
        assert said.code in (1, 4) and "256 MiB" in said.err


def test_search_of_a_fifo_does_not_hang(cli):
    os.mkfifo(cli.work / "q.iscc.json")
    assert "this is a FIFO" in cli.run("search", "q.iscc.json", timeout=20).err


def test_the_text_beside_a_file_is_no_fifo(cli):
    put(cli.work / "q.iscc.json", FILE)
    os.mkfifo(cli.work / "q.iscc.utf8")
    assert cli.good("search", "q.iscc.json", timeout=20).json["query"]["units"] == ROW["units"]


def test_folders_and_files_that_may_not_be_read(cli):
    """They are errors, not missing: whoever asked for all of a folder thinks that all went in."""
    with open_folder() as folder:
        folder.chmod(0o777)
        for name in ("open/a.iscc.json", "shut/b.iscc.json", "c.iscc.json", "listed/d.iscc.json"):
            put(folder / name, FILE)
        (folder / "shut").chmod(0)
        (folder / "c.iscc.json").chmod(0)
        (folder / "listed").chmod(0o744)
        done = subprocess.run([*NOBODY, *cli.command(["add", folder, "--uri", f"usearch://{folder}/store"])], cwd="/",
                              env=cli.env, capture_output=True, text=True, check=False, timeout=20)
        assert done.returncode == 0, done.stderr
        assert json.loads(done.stdout)["created"] == 1 and json.loads(done.stdout)["errors"] == 3
        for name in ("shut", "c.iscc.json", "listed/d.iscc.json"):
            assert f"{folder}/{name}: Permission denied\n" in done.stderr


def test_features_of_too_many_types(cli):
    """60,000 types, 6 MB, took 7 s, and twice as many four times as long."""
    features = [{"maintype": f"c{number}", "subtype": "t", "version": 0, "simprints": ["AAAAAAAAAAA"], "sizes": [1]}
                for number in range(600_000)]
    name = put(cli.work / "many.iscc.json", json.dumps({**ROW, "features": features}).encode())
    expect_refused(cli, name, "features: more than 128 types of simprints")


def test_a_long_chain_of_folders(cli):
    """As deep as a path can name; a walk that keeps a path for each level would use up its stack."""
    deep = cli.work
    while len(str(deep)) < 4000 - len("/a.iscc.json"):
        deep = deep / "d"
        deep.mkdir()
    put(deep / "a.iscc.json", FILE)
    try:
        assert cli.good("add", cli.work / "d").json["created"] == 1
    finally:
        subprocess.run(["rm", "-rf", "d"], cwd=cli.work, check=True)
    assert cli.good("get", iscc_id(1)).json["units"] == ROW["units"]
