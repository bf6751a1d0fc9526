"""export, import and index copy: everything that went in comes out, the same from every engine."""

import gzip
import json
import shutil
import signal
import subprocess

import pytest

from commandline import EXAMPLES, sample, write_lines
from mounts import small_disk
from serving import make_asset

LINES = [row for row in (EXAMPLES / "assets.jsonl").read_text(encoding="utf-8").splitlines() if row]


def with_simprints(count=300):
    """Assets with simprints of two types, sent in no order, and metadata whose text matters."""
    rows = []
    for n in range(count):
        passages = [{"simprint": "AAAAAAAAA" + "ABCDEFGH"[(n + k) % 8] + "A", "offset": 7 * k % 20, "size": 3 + k % 2}
                    for k in range(n % 6)]
        more = {"simprints": {"CONTENT_TEXT_V0": passages, "SEMANTIC_TEXT_V0": passages[:1]}} if passages else {}
        rows.append(make_asset(n * 977 % 1013 + 1, metadata={"name": f"Grüße {n}", "n": 1e21, "deep": {"a": [None]}},
                               **more))
    return rows


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    """An index with simprints, and its export."""
    from commandline import CommandLine  # pylint: disable=import-outside-toplevel
    cli = CommandLine(tmp_path_factory.mktemp("exported"))
    cli.good("add", write_lines(cli.work / "a.jsonl", with_simprints()))
    cli.good("add", EXAMPLES / "assets.jsonl")
    said = cli.good("export", "all.jsonl")
    assert said.json == {"exported": 300 + len(LINES), "errors": 0}
    return cli, (cli.work / "all.jsonl").read_text(encoding="utf-8")


def test_everything_that_was_added_is_exported(exported):
    rows = {row["iscc_id"]: row for row in map(json.loads, exported[1].splitlines())}
    assert list(rows) == sorted(rows, key=lambda text: text.translate(
        str.maketrans("ABCDEFGHIJKLMNOPQRSTUVWXYZ234567", "0123456789ABCDEFGHIJKLMNOPQRSTUV")))
    for row in [*map(json.loads, LINES), *with_simprints()]:
        for passages in row.get("simprints", {}).values():
            passages.sort(key=lambda passage: (passage["offset"], passage["size"]))
        assert rows[row["iscc_id"]] == row


@pytest.mark.parametrize("suffix", ["", ".gz", ".zst"])
def test_export_import_export_is_the_same(exported, cli, suffix):
    other, text = exported
    name = f"copy.jsonl{suffix}"
    other.good("export", name, "--force")
    path = other.work / name
    assert path.read_bytes()[:2] == {".gz": b"\x1f\x8b", ".zst": b"\x28\xb5"}.get(suffix, text.encode()[:2])
    if suffix == ".gz":
        assert gzip.decompress(path.read_bytes()).decode() == text
    shutil.copy(path, cli.work)
    assert cli.good("import", name).json["created"] == text.count("\n")
    assert cli.good("export").out == text
    assert cli.good("import", name).json["updated"] == text.count("\n")
    assert cli.good("export", "-").out == text


def test_standard_output_and_input(exported, cli):
    said = exported[0].good("export")
    assert said.out == exported[1] and said.err == f"Exported {said.out.count(chr(10))} assets\n"
    assert cli.good("import", stdin=said.out).json["created"] == said.out.count("\n")
    assert cli.good("export").out == said.out


def test_export_goes_on_behind_an_asset(exported):
    cli, text = exported
    lines = text.splitlines(keepends=True)
    after = json.loads(lines[1234])["iscc_id"]
    assert cli.good("export", "--after", after).out == "".join(lines[1235:])
    assert cli.good("export", "--after", after.lower().removeprefix("iscc:")).out == "".join(lines[1235:])
    assert cli.good("export", "--from", "2100-01-01").out == ""
    hub = cli.good("export", "--hub", "0").out
    assert hub == "".join(line for line in lines if int.from_bytes(
        __import__("base64").b32decode(json.loads(line)["iscc_id"][5:])[-2:], "big") & 0xFFF == 0)


def test_an_existing_file_stays(exported):
    cli, text = exported
    (cli.work / "there.jsonl").write_text("mine")
    said = cli.run("export", "there.jsonl")
    assert said.code == 1 and "exists already: --force replaces it" in said.err
    assert (cli.work / "there.jsonl").read_text() == "mine"
    cli.good("export", "there.jsonl", "--force")
    assert (cli.work / "there.jsonl").read_text(encoding="utf-8") == text


def test_a_full_disk_is_an_error(exported):
    said = exported[0].run("export", "--force", "/dev/full")
    assert said.code == 1 and "No space left" in said.err


@pytest.mark.parametrize("name", ["a.jsonl", "a.jsonl.gz"])
def test_a_disk_that_gets_full_names_no_place_to_go_on(exported, name):
    """What was read is not what was written: to go on there would lose the assets between the two."""
    cli, text = exported
    with small_disk(1) as folder:
        (folder / "filler").write_bytes(bytes(1 << 20)[:(1 << 20) - (128 << 10 if name.endswith("l") else 16 << 10)])
        said = cli.run("export", folder / name)
        written = (folder / name).read_bytes()
    assert said.code == 1 and "No space left" in said.err
    assert f"{folder}/{name} is not complete: export it again\n" in said.err and "--after" not in said.err
    assert name.endswith(".gz") or (text.encode().startswith(written) and len(written) < len(text))


def test_an_interrupted_export_ends_behind_a_line(exported):
    """Its reader is slow, so that the signal comes in the middle."""
    cli, text = exported
    with subprocess.Popen(cli.command(["export"]), cwd=cli.work, env=cli.env,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, bufsize=0) as process:
        begin = process.stdout.read(1000)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=60)
    got = (begin + out).decode()
    if process.returncode == 0:
        pytest.skip("the pipe took all of it")
    assert process.returncode == 130 and text.startswith(got) and got.endswith("\n")
    last = json.loads(got.splitlines()[-1])["iscc_id"]
    assert f"{got.count(chr(10))} assets are in standard output" in err.decode()
    assert f"--after {last}" in err.decode()
    assert got + cli.good("export", "--after", last).out == text


@pytest.mark.parametrize("bad", ['{"iscc_id":"x"}', "{", '{"iscc_id":"ISCC:MAIGHXLN555Y2DFF","units":["a","b"]}'])
def test_import_skips_or_stops(cli, bad):
    rows = sample(9)
    write_lines(cli.work / "bad.txt", [*rows[:4], bad, *rows[4:]])
    said = cli.run("import", "bad.txt", "--on-error", "stop", "--index", "stop", "--uri", f"usearch://{cli.work}/s")
    assert said.code == 1 and "bad.txt:5: " in said.err and "Stopped at the first error" in said.err
    assert said.json["assets_added"] == 4 and said.json["errors"] == 1
    said = cli.good("import", "bad.txt", "--on-error", "skip")
    assert (said.json["assets_added"], said.json["errors"]) == (9, 1) and "bad.txt:5: " in said.err
    assert cli.run("import", "bad.txt", "--on-error", "x").code == 2


@pytest.mark.parametrize("target", ["usearch", "memory-server", "usearch-server"])
def test_copy_between_engines(exported, cli, start_server, target):
    other, text = exported
    if target.endswith("server"):
        uri = start_server("memory://" if target == "memory-server" else f"usearch://{cli.work}/served").base
    else:
        uri = f"{target}://{cli.work}/copied"
    lines = text.splitlines(keepends=True)
    middle = json.loads(lines[999])["iscc_id"]
    said = other.good("index", "copy", "default", "new", "--to-uri", uri, "--after", middle)
    assert said.json["copied"] == said.json["created"] == len(lines) - 1000
    said = other.good("index", "copy", "default", "new", "--to-uri", uri)
    assert said.json == {"copied": len(lines), "created": 1000, "updated": len(lines) - 1000, "errors": 0}
    assert cli.good("export", "--uri", uri, "--index", "new").out == text
    said = cli.good("index", "copy", "new", "back", "--from-uri", uri, "--to-uri", f"usearch://{cli.work}/back")
    assert said.json["created"] == len(lines)
    assert cli.good("export", "--uri", f"usearch://{cli.work}/back", "--index", "back").out == text


def test_what_lmdb_leaves_out_is_counted(exported, cli, start_server):
    """By each command that loads: a member of the report, and the last line on standard error. What is refused is not counted."""
    other, text = exported
    lines = text.splitlines(keepends=True)
    per_line = [sum(map(len, json.loads(line).get("simprints", {}).values())) for line in lines]
    total = sum(per_line)
    assert total > 500
    uri = f"lmdb://{cli.work}/prefix"
    last = f"{total} simprints are left out: lmdb:// keeps none"
    said = other.good("index", "copy", "default", "copied", "--to-uri", uri)
    assert said.json == {"copied": len(lines), "created": len(lines), "updated": 0, "errors": 0, "simprints_left_out": total}
    assert said.err.splitlines()[-1] == last
    (cli.work / "all.jsonl").write_text(text, encoding="utf-8")
    for words in (("add", "all.jsonl"), ("import", "all.jsonl"), ("import", "all.jsonl", "--on-error", "stop")):
        said = cli.good(*words, "--uri", uri, "--index", "loaded")
        assert said.json["simprints_left_out"] == total and said.err.splitlines()[-1] == last
    (cli.work / "bad.jsonl").write_text("".join(lines[:3]) + "{\n" + "".join(lines[3:]), encoding="utf-8")
    said = cli.run("import", "bad.jsonl", "--on-error", "stop", "--uri", uri, "--index", "loaded")
    assert said.json.get("simprints_left_out", 0) == sum(per_line[:3]) and said.code == 1
    same = ("--to-uri", f"usearch://{cli.work}/same")
    for words in (("add", "all.jsonl"), ("index", "copy", "default", "same", *same)):
        said = cli.good(*words)
        assert "simprints_left_out" not in said.json and said.err == ""


def test_a_server_is_listed_like_a_file(exported, cli, start_server):
    other, text = exported
    uri = start_server("memory://").base
    other.good("index", "copy", "default", "new", "--to-uri", uri)
    middle = json.loads(text.splitlines()[999])["iscc_id"]
    for words in (["--limit", "7"], ["--after", middle, "--limit", "5"], ["--ids", "--after", middle],
                  ["--from", "2025-01-01", "--to", "2026-01-01"], ["--hub", "7"], ["--simprints", "--limit", "20"],
                  ["--from", "3000-01-01"], ["--to", "0"], ["--after", middle, "--to", "1980-01-01"]):
        here, there = other.good("list", *words), other.good("list", *words, "--uri", uri, "--index", "new")
        assert (here.out, here.err) == (there.out, there.err), words
    ids = [json.loads(line)["iscc_id"] for line in text.splitlines()[:3]]
    assert other.good("get", *ids).out == other.good("get", *ids, "--uri", uri, "--index", "new").out
    said = cli.run("remove", *ids, "ISCC:MAIGHXLN555Y2DFG", "--uri", uri, "--index", "new")
    assert (said.code, said.json) == (1, {"removed": 3, "not_found": 1})
    said = cli.run("list", "--uri", uri, "--index", "none")
    assert said.code == 1 and said.err == "Error: Index 'none' not found\n"
    realm = __import__("serving").iscc_id(1, realm=1)
    said = cli.run("list", "--uri", uri, "--index", "new", "--after", realm)
    assert said.code == 1 and "realm 1" in said.err


def test_what_is_no_export_is_named(cli, tmp_path):
    """Servers that answer with something else: an earlier version, another page, lines that are no assets."""
    import http.server  # pylint: disable=import-outside-toplevel
    import threading  # pylint: disable=import-outside-toplevel
    answers = {"old": (404, b'{"detail":"Not Found"}', "version 0.4.0 or later"),
               "page": (200, b"<html>\n</html>\n", "expected an asset a line"),
               "other": (200, b'{"iscc_id":"ISCC:AAAAAAAAAAAAAAAA"}\n', "ISCC-ID"),
               "moved": (302, b"", "redirects"), "broken": (500, b"oops", "status 500"),
               "cut": (200, b'{"iscc_id":"ISCC:MAIGHXLN555Y2DFF"}\n{"isc', "")}

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):  # pylint: disable=invalid-name
            status, body, _ = answers[self.path.split("/")[2]]
            self.send_response(status)
            self.send_header("Content-Length", str(len(body) + ("cut" in self.path)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format, *args):  # pylint: disable=redefined-builtin
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as served:
        threading.Thread(target=served.serve_forever, daemon=True).start()
        uri = f"http://127.0.0.1:{served.server_address[1]}"
        for name, (_, _, word) in answers.items():
            said = cli.run("list", "--uri", uri, "--index", name)
            assert said.code == 1 and word in said.err and said.err.startswith("Error: "), (name, said)
        served.shutdown()
    assert tmp_path.exists()


def test_copy_names_what_is_wrong(cli):
    cli.good("add", EXAMPLES / "assets.jsonl")
    assert "'none'" in cli.run("index", "copy", "none", "default").err
    assert cli.run("index", "copy", "default").code == 2
    said = cli.run("index", "copy", "default", "x", "--to-uri", "http://127.0.0.1:1")
    assert said.code == 1 and "127.0.0.1:1" in said.err
    realm = make_asset(1) | {"iscc_id": __import__("serving").iscc_id(1, realm=1)}
    cli.good("add", write_lines(cli.work / "r.jsonl", [realm]), "--index", "r", "--uri", f"usearch://{cli.work}/r")
    said = cli.run("index", "copy", "r", "default", "--from-uri", f"usearch://{cli.work}/r")
    assert said.code == 1 and "realm" in said.err and said.json["errors"] == 1
