"""Nothing of a file name, a server's message or metadata commands the terminal of whoever reads it."""

import http.server
import json
import threading

import pytest

from commandline import write_lines
from serving import iscc_id, make_asset

# what must not arrive, and what stands for it
COMMANDS = {
    "escape": ("\x1b[31m\x1b]0;title\x07", r"\x1B[31m\x1B]0;title\x07"),
    "line end": ("a\nError: nothing\r", r"a\nError: nothing\r"),
    "backspace and delete": ("ab\b\b\x7f", r"ab\x08\x08\x7F"),
    "C1": ("\x9b2J\x85", r"\u009B2J\u0085"),
    "direction": ("\u202egnp.exe\u202c \u2066x\u2069 \u200f\u061c", r"\u202Egnp.exe\u202C \u2066x\u2069 \u200F\u061C"),
    "line ends of Unicode": ("a\u2028b\u2029", r"a\u2028b\u2029"),
}
each_command = pytest.mark.parametrize("raw, shown", COMMANDS.values(), ids=COMMANDS.keys())
FORBIDDEN = [*map(chr, range(32)), *map(chr, range(0x7f, 0xa0)), *map(chr, range(0x202a, 0x202f)),
             *map(chr, range(0x2066, 0x206a)), "\u2028", "\u2029", "\u200e", "\u200f", "\u061c"]


def expect_plain(text, lines=None):
    found = [hex(ord(c)) for c in text.replace("\n", "") if c in FORBIDDEN]
    assert not found, (found, text)
    if lines is not None:
        assert len(text.splitlines()) == lines, text


@each_command
def test_names_of_files(cli, raw, shown):
    bad, good = cli.work / f"{raw}.iscc.json", cli.work / f"a{raw}.iscc.json"
    bad.write_text("{")
    good.write_text(json.dumps({"iscc_id": iscc_id(1)}))
    said = cli.good("add", ".", "--verbose")
    assert said.json["errors"] == 1
    assert f"\u2717 ./{shown}.iscc.json: " in said.err and f"\u2713 ./a{shown}.iscc.json\n" in said.err
    expect_plain(said.err, lines=4)
    good.unlink()
    said = cli.run("add", bad)
    assert said.code == 4 and f"{shown}.iscc.json: " in said.err
    expect_plain(said.err, lines=3)


@each_command
def test_names_in_duplicates_and_lines(cli, raw, shown):
    write_lines(cli.work / f"{raw}.jsonl", [make_asset(1), make_asset(1), "{"])
    said = cli.good("add", f"{raw}.jsonl")
    assert f"{shown}.jsonl:1, then {shown}.jsonl:2\n" in said.err and f"{shown}.jsonl:3: " in said.err
    expect_plain(said.err, lines=4)


@each_command
def test_words_of_the_command_line(cli, raw, shown):
    for words in (["add", raw], ["search", raw], ["get", raw], ["index", "use", raw], ["index", "remove", raw],
                  ["get", iscc_id(1), "--index", raw], [raw], ["index", raw], ["get", "a", raw], ["get", f"--{raw}"],
                  ["search", "x", "--limit", raw], ["add", "x", "-s", raw], ["index", "check", "x", "--uri", raw],
                  ["serve", "--host", raw]):
        said = cli.run(*words)
        assert said.code != 0
        expect_plain(said.err)
        expect_plain(said.out)
    assert shown[:20] in cli.run("index", "use", raw).err


@each_command
def test_names_in_the_list_of_indexes(cli, raw, shown):
    cli.write_config({"active_index": raw, "indexes": {
        raw: {"type": "local", "path": f"/{raw}"}, "r": {"type": "remote", "url": f"http://{raw}"}}})
    said = cli.good("index", "list")
    assert said.out.count(shown) == 3
    expect_plain(said.out, lines=4)
    said = cli.good("index", "remove", raw)
    assert said.out == f"Removed index '{shown}' from configuration\n"
    said = cli.good("index", "add", raw, "--local", "--path", f"/x{raw}")
    assert f"Registered local index '{shown}'\nPath: /x{shown}\n" in said.out


@pytest.fixture
def liar():
    """A server whose answers to everything a test sets."""
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            self.rfile.read(int(self.headers.get("Content-Length", 0)))
            self.send_response(self.server.status)
            self.send_header("Content-Length", str(len(self.server.body)))
            self.end_headers()
            self.wfile.write(self.server.body)
        do_POST = do_GET

        def log_message(self, *args):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


@each_command
@pytest.mark.parametrize("status", [400, 401, 404, 422, 500])
def test_messages_of_a_server(cli, liar, raw, shown, status):
    liar.status, liar.body = status, json.dumps({"detail": raw}, ensure_ascii=False).encode()
    said = cli.run("search", iscc_id(1), "--uri", f"http://127.0.0.1:{liar.server_port}")
    assert (said.code, said.out) == (1, "")
    assert shown in said.err
    expect_plain(said.err, lines=1)


@each_command
def test_metadata_in_the_table(cli, raw, shown):
    row = make_asset(1, metadata={"name": f"x{raw}y"})
    write_lines(cli.work / "a.jsonl", [row])
    cli.good("add", "a.jsonl")
    said = cli.good("search", row["units"][0], "--table")
    assert said.out.splitlines()[1].endswith(f"x{shown}y")
    expect_plain(said.out, lines=3)


@each_command
def test_json_stays_json(cli, raw, shown):
    row = make_asset(1, metadata={f"n{raw}": [f"x{raw}y"]})
    write_lines(cli.work / "a.jsonl", [row])
    cli.good("add", "a.jsonl")
    for said in (cli.good("get", row["iscc_id"]), cli.good("search", row["units"][0])):
        expect_plain(said.out)
    assert cli.good("get", row["iscc_id"]).json["metadata"] == row["metadata"]
    assert cli.good("search", row["units"][0]).json["global_matches"][0]["metadata"] == row["metadata"]


def test_names_of_files_that_are_no_utf8(cli):
    with open(bytes(cli.work) + b"/\x9b\xff.iscc.json", "wb") as file:
        file.write(b"{")
    said = cli.run("add", ".")
    assert said.code == 4 and r"./\x9B\xFF.iscc.json: " in said.err


def test_warnings_of_the_log(cli):
    (cli.work / "a\x1b\n.iscc.json").write_text(json.dumps({"iscc_id": iscc_id(1), "features": [{"subtype": "\x9b"}]}))
    said = cli.good("add", ".")
    assert r"./a\x1B\n.iscc.json: a feature without" in said.err
    expect_plain(said.err, lines=1)
