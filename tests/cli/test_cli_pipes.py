"""Commands in pipes: a reader that goes away, and input without any line."""

import json
import os
import signal
import subprocess
import time
import urllib.request

import pytest

from commandline import EXAMPLES, sample, write_lines
from serving import free_port, iscc_id, make_asset

ID = sample(1)[0]["iscc_id"]
COMMANDS = [("--help",), ("version",), ("help", "add"), ("--show-completion", "bash"), ("list",), ("list", "--limit", "10000"),
            ("list", "--ids"), ("export",), ("get", ID), ("get", "-"), ("search", ID, "-l", "1000"), ("search", ID, "--table"),
            ("search", EXAMPLES / "assets.jsonl"), ("duplicates",), ("duplicates", "--clusters"), ("stats",), ("inspect", ID),
            ("compare", sample(1)[0]["iscc_code"], sample(2)[1]["iscc_code"]), ("index", "list"), ("index", "check", "default"),
            ("add", EXAMPLES / "assets.jsonl"), ("import", EXAMPLES / "assets.jsonl")]


def without_reader(cli, words, stdin="", **options):
    """Run a command whose standard output nothing reads any more; returns its status and standard error."""
    reader, writer = os.pipe()
    os.close(reader)
    try:
        done = subprocess.run(cli.command(words), cwd=cli.work, env=cli.env, input=stdin.encode(), stdout=writer,
                              stderr=subprocess.PIPE, timeout=60, check=False, **options)
    finally:
        os.close(writer)
    return done.returncode, done.stderr.decode()


@pytest.mark.parametrize("words", COMMANDS, ids=lambda words: " ".join(str(word) for word in words)[:40])
def test_a_reader_that_goes_away_ends_a_command_without_a_word(filled, words):
    assert without_reader(filled, words, stdin=ID + "\n") == (-signal.SIGPIPE, "")


def test_it_ends_in_the_middle_of_its_output(filled):
    """`export | head -n 1`: the command ends when it writes on, and not after the last asset."""
    process = subprocess.Popen(filled.command(["export"]), cwd=filled.work, env=filled.env, stdout=subprocess.PIPE,
                               stderr=subprocess.PIPE)
    json.loads(process.stdout.readline())
    process.stdout.close()
    assert process.wait(60) == -signal.SIGPIPE
    assert process.stderr.read() == b""
    process.stderr.close()


def test_a_caller_that_ignores_the_signal_gets_an_error(filled):
    code, said = without_reader(filled, ["get", ID], restore_signals=False,
                                preexec_fn=lambda: signal.signal(signal.SIGPIPE, signal.SIG_IGN))
    assert (code, said) == (1, "Error: standard output: Broken pipe\n")


def test_what_was_added_is_in(cli):
    write_lines(cli.work / "a.jsonl", [make_asset(number) for number in range(1, 4)])
    assert without_reader(cli, ["add", "a.jsonl"]) == (-signal.SIGPIPE, "")
    assert len(cli.good("list", "--ids").out.splitlines()) == 3


def test_another_connection_that_ends_does_not_end_the_command(cli):
    """The system sends the same signal for it, while standard output is read."""
    cli.good("index", "list")
    with subprocess.Popen(cli.command(["add", "-"]), cwd=cli.work, env=cli.env, stdin=subprocess.PIPE,
                          stdout=subprocess.PIPE) as process:
        process.stdin.write(json.dumps(make_asset(1)).encode() + b"\n")
        process.stdin.flush()
        while not (cli.data / "default" / "index.lmdb").exists():
            time.sleep(0.05)
        process.send_signal(signal.SIGPIPE)
        time.sleep(0.2)
        out, _ = process.communicate(json.dumps(make_asset(2)).encode(), timeout=60)
    assert process.returncode == 0 and json.loads(out)["created"] == 2


def test_a_server_without_a_reader_goes_on(cli):
    port = free_port()
    reader, writer = os.pipe()
    os.close(reader)
    process = subprocess.Popen(cli.command(["serve", "--host", "127.0.0.1", "--port", port]), cwd=cli.work,
                               env={**cli.env, "ISCC_SEARCH_INDEX_URI": "memory://"}, stdout=writer, stderr=writer)
    os.close(writer)
    try:
        for _ in range(3):
            end = time.monotonic() + 20
            while True:
                try:
                    with urllib.request.urlopen(f"http://127.0.0.1:{port}/healthz", timeout=5) as answer:
                        assert answer.status == 200
                    break
                except OSError:
                    assert process.poll() is None and time.monotonic() < end
                    time.sleep(0.1)
        process.terminate()
        process.wait(20)
    finally:
        process.kill()
        process.wait()


# --- no line at all -------------------------------------------------------------------------------

NOTHING = "No ISCC-IDs on standard input: there is nothing to do\n"


@pytest.mark.parametrize("stdin", ["", "\n", "  \n\n\t\n"])
def test_nothing_to_get_or_remove_is_no_error(filled, stdin):
    said = filled.good("get", "-", stdin=stdin)
    assert (said.out, said.err) == ("", NOTHING)
    said = filled.good("remove", "-", stdin=stdin)
    assert (said.json, said.err) == ({"removed": 0, "not_found": 0}, NOTHING)
    assert len(filled.good("list", "--ids", "--limit", "10000").out.splitlines()) == len(sample())


def test_nothing_to_remove_on_a_server(cli, start_server):
    cli.good("index", "add", "rem", "--remote", start_server().base)
    assert cli.good("remove", "-", "--index", "rem").json == {"removed": 0, "not_found": 0}
    assert cli.good("get", "-", "--index", "rem").out == ""


def test_an_index_that_does_not_exist_is_an_error_also_without_a_line(cli):
    said = cli.run("remove", "-", "--uri", f"usearch://{cli.work}")
    assert said.code == 1 and said.out == "" and "not found" in said.err


def test_a_list_without_assets_into_remove(cli):
    """The pipe of the man page, when there is nothing so old."""
    cli.good("add", write_lines(cli.work / "a.jsonl", [make_asset(1)]))
    ids = cli.good("list", "--ids", "--from", "2100-01-01").out
    assert cli.good("remove", "-", stdin=ids).json == {"removed": 0, "not_found": 0}
    assert cli.good("get", iscc_id(1)).json["iscc_id"] == iscc_id(1)
