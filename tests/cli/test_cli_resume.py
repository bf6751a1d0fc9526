"""`add --resume` and `import --resume`: an interrupted run goes on behind what it has stored, and stores nothing twice."""

import gzip
import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from commandline import BINARY, EXAMPLES, FILES, read_file, sample, write_lines
from mounts import small_disk
from serving import iscc_id, make_asset

sys.path.append(str(Path(__file__).resolve().parents[1] / "data"))

from pyarrow_peer import write_files  # noqa: E402  pylint: disable=wrong-import-position

NEW_IDS = [{"units": make_asset(number)["units"]} for number in range(1, 24)]  # each gets an ISCC-ID when it is added


def marks(cli):
    return list(cli.data.glob("add-*.resume"))


def text_of(rows):
    return "".join(json.dumps(row) + "\n" for row in rows)


class Run:
    """A command that reads lines from a pipe, in batches of five."""

    def __init__(self, cli, *words, feed=None):
        self.cli = cli
        self.process = subprocess.Popen(cli.command([*words, "-b", 5]), cwd=cli.work, env=cli.env, stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self.pipe = open(feed, "wb") if feed else self.process.stdin  # pylint: disable=consider-using-with

    def give(self, rows):
        self.pipe.write(text_of(rows).encode())
        self.pipe.flush()

    def wait_for(self, **expected):
        """Wait until the mark says so."""
        end = time.monotonic() + 30
        while True:
            texts = [path.read_text() for path in marks(self.cli)]  # empty for a moment, when the file has just been made
            found = [json.loads(text.splitlines()[0]) for text in texts if text.startswith("{")]
            if found and all(found[0][name] == value for name, value in expected.items()):
                return self
            assert time.monotonic() < end and self.process.poll() is None
            time.sleep(0.02)

    def end(self, which):
        self.process.send_signal(which)
        self.process.wait(60)
        err = self.process.stderr.read().decode()
        for file in (self.pipe, self.process.stdin, self.process.stdout, self.process.stderr):
            file.close()
        return self.process.returncode, err


def count(cli, *where):
    return len(cli.good("list", "--ids", "--limit", 100000, *where).out.splitlines())


@pytest.mark.parametrize("command", ["add", "import"])
@pytest.mark.parametrize("which", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL], ids=lambda which: which.name)
@pytest.mark.parametrize("given, stored", [(5, 5), (13, 10)])
def test_lines_without_an_iscc_id_are_not_doubled(cli, command, which, given, stored):
    run = Run(cli, command, "-")
    run.give(NEW_IDS[:given])
    code, err = run.wait_for(file=1, line=stored).end(which)
    if which == signal.SIGKILL:
        assert (code, err) == (-which, "")
        words = [command, "-", "-b", "5", "--resume"]
    else:
        assert code == 128 + which
        assert err.splitlines()[-2] == f"The last one of them is that of standard input:{stored}"
        line = err.splitlines()[-1]
        assert line.startswith("To go on, run the same command again with --resume and the same standard input: ")
        words = re.search(r": iscc-search (.*)$", line)[1].split()
        assert words == [command, "--batch-size", "5", "-", "--resume"]
    assert count(cli) == stored and len(marks(cli)) == 1
    said = cli.good(*words, stdin=text_of(NEW_IDS))
    assert said.err == f"Going on behind standard input:{stored}, up to which all is stored\n"
    assert (said.json["created"], said.json["updated"]) == (len(NEW_IDS) - stored, 0)
    assert count(cli) == len(NEW_IDS) and marks(cli) == []


@pytest.mark.parametrize("which", [signal.SIGINT, signal.SIGKILL], ids=lambda which: which.name)
def test_a_batch_that_is_written_in_parts_is_not_doubled(cli, which):
    """Every fifth asset is refused by the index, so that the batch, all of the file, is stored in many parts."""
    rows = [{"units": make_asset(number)["units"]} if number % 5 else make_asset(number) | {"iscc_id": iscc_id(number, realm=1)}
            for number in range(1, 4001)]
    write_lines(cli.work / "a.jsonl", [make_asset(5000), *rows])
    process = subprocess.Popen(cli.command(["add", "a.jsonl"]), cwd=cli.work, env=cli.env, stdout=subprocess.DEVNULL,
                               stderr=subprocess.DEVNULL)
    end = time.monotonic() + 60
    while len(cli.run("list", "--ids", "--limit", 100000).out.splitlines()) < 50:
        assert time.monotonic() < end and process.poll() is None
    process.send_signal(which)
    assert process.wait(60) == (128 + which if which == signal.SIGINT else -which)
    stored = count(cli)
    assert 50 <= stored < 3201
    said = cli.good("add", "a.jsonl", "--resume")
    # a part that was stored just before kill -9 has no mark yet: at most 4 assets between two that are refused
    assert 3201 <= count(cli) <= 3201 + (4 if which == signal.SIGKILL else 0)
    assert said.json["created"] == count(cli) - stored and marks(cli) == []


@pytest.mark.parametrize("name", ["a.jsonl", "a.ndjson.gz"])
def test_the_command_that_is_named_goes_on(cli, name):
    """It is run by a shell as it stands; each one is interrupted at another moment."""
    rows = [make_asset(number) for number in range(1, 4001)]
    path = cli.work / f"it's {name}"
    path.write_bytes(gzip.compress(text_of(rows).encode()) if name.endswith(".gz") else text_of(rows).encode())
    store = f"usearch://{cli.work}/the store"
    (cli.work / "iscc-search").symlink_to(BINARY)
    env = {**cli.env, "PATH": f"{cli.work}:{os.environ['PATH']}"}
    words, created, turns = cli.command(["add", path.name, "-b", 20, "--uri", store]), 0, 0
    while True:
        process = subprocess.Popen(words, cwd=cli.work, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        try:
            out, err = process.communicate(timeout=0.15 if turns < 8 else 60)
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGINT)
            out, err = process.communicate(timeout=60)
        if process.returncode == 0:
            break
        turns += 1
        if process.returncode == -signal.SIGINT and not marks(cli):
            if len(cli.run("list", "--ids", "--limit", 100000, "--uri", store).out.splitlines()) == len(rows):
                break  # it had ended, and only its report was on the way
        if process.returncode == -signal.SIGINT:
            continue  # it had not begun
        assert process.returncode == 130, err
        created += int(re.search(r"Interrupted: (\d+) assets are in", err)[1])
        words = ["sh", "-c", "exec " + err.splitlines()[-1].split("with --resume: ", 1)[1]]
    if process.returncode == 0:
        assert json.loads(out)["created"] + created == len(rows) and json.loads(out)["updated"] == 0
    assert count(cli, "--uri", store) == len(rows) and marks(cli) == []


def test_killed_at_any_moment(cli):
    """kill -9, again and again: nothing is lost, and at most the batches of one moment are read twice."""
    rows = [make_asset(number) for number in range(1, 8001)]
    write_lines(cli.work / "a.jsonl", rows)
    for turn in range(12):
        process = subprocess.Popen(cli.command(["add", "a.jsonl", "-b", 10, "--resume"]), cwd=cli.work, env=cli.env,
                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        try:
            out, err = process.communicate(timeout=0.05 + 0.03 * turn)
            assert process.returncode == 0, err
            assert json.loads(out)["updated"] <= 10
            break
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()
    else:
        assert cli.good("add", "a.jsonl", "-b", 10, "--resume").json["updated"] <= 10
    assert count(cli) == len(rows) and marks(cli) == []
    assert cli.good("index", "check", "default", "--json").json["assets"] == len(rows)


def test_a_file_behind_another_one(cli):
    """The second of three files is a FIFO: it is the file in which the run is interrupted."""
    write_lines(cli.work / "a.jsonl", NEW_IDS[:3])
    write_lines(cli.work / "c.jsonl", NEW_IDS[20:])
    os.mkfifo(cli.work / "b.jsonl")
    run = Run(cli, "add", "a.jsonl", "b.jsonl", "c.jsonl", feed=cli.work / "b.jsonl")
    run.give(NEW_IDS[3:12])
    assert run.wait_for(file=2, line=7).end(signal.SIGKILL)[0] == -signal.SIGKILL
    second = subprocess.Popen(cli.command(["add", "a.jsonl", "b.jsonl", "c.jsonl", "--resume"]), cwd=cli.work, env=cli.env,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    with open(cli.work / "b.jsonl", "w", encoding="utf-8") as pipe:
        pipe.write(text_of(NEW_IDS[3:20]))
    out, err = second.communicate(timeout=60)
    assert second.returncode == 0 and err == "Going on behind b.jsonl:7, up to which all is stored\n"
    assert (json.loads(out)["files_scanned"], json.loads(out)["created"]) == (3, len(NEW_IDS) - 10)
    assert count(cli) == len(NEW_IDS)


@pytest.fixture
def held_up(cli):
    """An add of a folder that a generator holds up at the fourth of six files, each of which is a batch."""
    (cli.work / "texts").mkdir()
    for i, path in enumerate(FILES[:6]):
        (cli.work / f"texts/{i}.txt").write_text(path.name, encoding="utf-8")
        asset = read_file(path)
        del asset["iscc_id"]
        (cli.work / f"{path.name}.out").write_text(json.dumps(asset), encoding="utf-8")
    (cli.work / "make").write_text('#!/bin/sh\necho "$1" >> made\n[ -e hold ] && case "$1" in *3.txt) sleep 600;; esac\n'
                                   'cat "$(cat "$1").out"\n', encoding="utf-8")
    (cli.work / "make").chmod(0o755)
    (cli.work / "hold").touch()
    words = ["add", "texts", "--generator", "./make {}", "-b", "1"]
    process = subprocess.Popen(cli.command(words), cwd=cli.work, env=cli.env, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    end = time.monotonic() + 60
    while not any('"file":3,' in path.read_text() for path in marks(cli)):
        assert time.monotonic() < end and process.poll() is None
        time.sleep(0.02)
    process.send_signal(signal.SIGINT)
    err = process.communicate(timeout=60)[1].decode()
    assert process.returncode == 130 and "Interrupted: 3 assets are in" in err
    assert "The last one of them is that of texts/2.txt\n" in err
    (cli.work / "hold").unlink()
    (cli.work / "made").unlink()
    return words


def test_files_of_a_folder(cli, held_up):
    said = cli.good(*held_up, "--resume")
    assert said.err == "Going on behind texts/2.txt, up to which all is stored\n"
    assert said.json == {"files_scanned": 6, "assets_added": 3, "created": 3, "updated": 0, "errors": 0}
    made = set((cli.work / "made").read_text().split())  # the interrupted run may have started one of them a moment ago
    assert sorted(made) == ["texts/3.txt", "texts/4.txt", "texts/5.txt"]  # no generator ran for the others


@pytest.mark.parametrize("change", ["changed", "new", "removed", "renamed"])
def test_files_that_have_changed_are_all_read(cli, held_up, change):
    first = cli.work / "texts/0.txt"
    if change == "changed":
        first.write_text(FILES[6].name, encoding="utf-8")
        (cli.work / f"{FILES[6].name}.out").write_text(FILES[6].read_text(encoding="utf-8"), encoding="utf-8")
    elif change == "new":
        (cli.work / "texts/00.txt").write_text(first.read_text(encoding="utf-8"), encoding="utf-8")
    elif change == "removed":
        first.unlink()
    else:
        first.rename(cli.work / "texts/1b.txt")
    said = cli.good(*held_up, "--resume")
    assert said.err.startswith("--resume: the files have changed since the interrupted run, so everything is read\n")
    assert said.json["assets_added"] == said.json["files_scanned"]


def test_files_behind_the_mark_may_change(cli, held_up):
    (cli.work / "texts/9.txt").write_text(FILES[6].name, encoding="utf-8")
    (cli.work / f"{FILES[6].name}.out").write_text(FILES[6].read_text(encoding="utf-8"), encoding="utf-8")
    assert cli.good(*held_up, "--resume").json["assets_added"] == 4


def test_rows_of_a_parquet_file(cli):
    rows = [make_asset(number, size=32) for number in range(1, 13)]
    write_files([(cli.work / "a.parquet", {"iscc_meta": ("string", [row["units"][0] for row in rows]),
                                           "iscc_content": ("string", [row["units"][1] for row in rows])}, {})])
    path = next(cli.work.glob("a.parquet*"))
    if path.name != "a.parquet":
        path.rename(cli.work / "a.parquet")
    os.mkfifo(cli.work / "b.jsonl")
    run = Run(cli, "add", "a.parquet", "b.jsonl", feed=cli.work / "b.jsonl")
    assert run.wait_for(file=1, line=10).end(signal.SIGKILL)[0] == -signal.SIGKILL
    (cli.work / "b.jsonl").unlink()
    write_lines(cli.work / "b.jsonl", NEW_IDS)
    said = cli.good("add", "a.parquet", "b.jsonl", "--resume")
    assert said.err == "Going on behind a.parquet:10, up to which all is stored\n"
    assert (said.json["created"], said.json["updated"]) == (2 + len(NEW_IDS), 0)


# --- when it cannot go on -------------------------------------------------------------------------

@pytest.fixture
def stopped(cli):
    """An add of standard input, ended behind ten assets."""
    run = Run(cli, "add", "-")
    run.give(NEW_IDS[:12])
    run.wait_for(line=10).end(signal.SIGKILL)
    return cli


@pytest.mark.parametrize("rows", [NEW_IDS[:9] + NEW_IDS[10:], NEW_IDS[:5], [], NEW_IDS[1:]],
                         ids=["another line", "a shorter input", "nothing", "one line less"])
def test_another_standard_input_is_refused(stopped, rows):
    said = stopped.run("add", "-", "--resume", stdin=text_of(rows))
    assert (said.code, said.out) == (1, "")
    assert said.err.endswith("Error: standard input:10: expected the line with which the interrupted run has stopped. Give "
                             "the same input again, or leave out --resume\n")
    assert count(stopped) == 10
    assert stopped.good("add", "-", "--resume", stdin=text_of(NEW_IDS)).json["created"] == len(NEW_IDS) - 10


def test_an_index_that_was_made_again(stopped):
    run = Run(stopped, "add", "-", "--index", "default")
    run.give([make_asset(number) for number in range(1, 8)])
    run.wait_for(line=5).end(signal.SIGKILL)
    stopped.good("index", "remove", "default", "--delete-data")
    stopped.good("index", "add", "default", "--local")
    said = stopped.good("add", "-", "--resume", stdin=text_of(make_asset(number) for number in range(1, 8)))
    assert said.err == "--resume: the index does not have what the interrupted run has stored, so everything is read\n"
    assert said.json["created"] == 7


def test_a_mark_is_of_one_command(stopped):
    stopped.good("index", "add", "other", "--local")
    for words in (["add", "-", "--index", "other"], ["import", "-"], ["add", "-", "-s", "64"]):
        said = stopped.good(*words, "--resume", stdin=text_of([make_asset(1)]))
        assert said.err == "--resume: no interrupted run of this command is known, so everything is read\n"
    assert len(marks(stopped)) == 1


@pytest.mark.parametrize("content", ["", "x", "{}", "[]", '{"input":1}', "\0" * 256])
def test_a_mark_that_is_damaged(stopped, content):
    marks(stopped)[0].write_text(content)
    said = stopped.good("add", "-", "--resume", stdin=text_of([make_asset(1)]))
    assert said.err == "--resume: no interrupted run of this command is known, so everything is read\n"


def test_a_damaged_mark_that_is_longer_is_replaced(stopped):
    marks(stopped)[0].write_text("x" * 300)
    run = Run(stopped, "add", "-")
    run.give(NEW_IDS[:12])
    run.wait_for(line=10).end(signal.SIGKILL)
    said = stopped.good("add", "-", "--resume", stdin=text_of(NEW_IDS))
    assert said.err.startswith("Going on behind standard input:10,")


@pytest.mark.parametrize("name, value", [("line", -10), ("line", 1 << 32), ("line", 1.5), ("line", 15), ("text", 0), ("file", 2)])
def test_a_mark_with_a_wrong_value_leaves_nothing_out(stopped, name, value):
    path = marks(stopped)[0]
    mark = {**json.loads(path.read_text()), name: value}
    path.write_text(json.dumps(mark, separators=(",", ":")).ljust(255) + "\n")
    said = stopped.good("add", "-", "--resume", stdin=text_of(NEW_IDS))
    assert said.json["created"] == len(NEW_IDS) and "so everything is read" in said.err


def test_a_run_without_resume_reads_everything(stopped):
    said = stopped.good("add", "-", stdin=text_of(NEW_IDS))
    assert (said.json["created"], said.err, marks(stopped)) == (len(NEW_IDS), "", [])


def test_a_dry_run_counts_the_rest(stopped):
    before = marks(stopped)[0].read_text()
    said = stopped.good("add", "-", "--resume", "--dry-run", stdin=text_of(NEW_IDS))
    assert said.json["created"] == len(NEW_IDS) - 10 and said.json["dry_run"]
    assert marks(stopped)[0].read_text() == before and count(stopped) == 10


def test_nothing_is_left_to_do(cli):
    run = Run(cli, "add", "-")
    run.give(NEW_IDS[:10])
    run.wait_for(line=10).end(signal.SIGKILL)
    said = cli.good("add", "-", "--resume", stdin=text_of(NEW_IDS[:10]))
    assert said.json == {"files_scanned": 1, "assets_added": 0, "created": 0, "updated": 0, "errors": 0}
    assert marks(cli) == []


def test_a_small_add_leaves_no_mark(cli):
    cli.good("add", EXAMPLES / "assets.jsonl", "--uri", f"usearch://{cli.work}/store")
    assert not cli.data.exists()
    assert cli.good("add", EXAMPLES / "assets.jsonl", "--resume").json["created"] == len(sample())


def test_where_no_mark_can_be_written(cli):
    cli.home.rmdir()
    cli.home.touch()
    said = cli.good("add", EXAMPLES / "assets.jsonl", "-b", 100, "--uri", f"usearch://{cli.work}/store")
    assert said.json["created"] == len(sample())
    assert re.fullmatch(r"Warning: \S+/add-\w+\.resume: Not a directory: --resume would begin at the beginning\n", said.err)


def test_after_a_full_disk(cli):
    rows = [make_asset(number, metadata={"text": "x" * 3000}) for number in range(1, 3001)]
    write_lines(cli.work / "a.jsonl", rows)
    with small_disk(4) as folder:
        words = ["add", "a.jsonl", "-b", "100", "--uri", f"usearch://{folder}/store"]
        said = cli.run(*words)
        assert said.code == 1 and "disk is full" in said.err
        assert "To go on, run the same command again with --resume: iscc-search add --batch-size 100 --uri " in said.err
        stored = int(re.search(r"(\d+) assets were added before", said.err)[1])
        again = cli.run(*words, "--resume")
        assert again.code == 1 and f"Going on behind a.jsonl:{stored}, " in again.err
        assert 0 < stored == count(cli, "--uri", f"usearch://{folder}/store")


def test_after_a_server_that_went_away(cli, start_server):
    server = start_server(f"usearch://{cli.work}/store")
    base = server.base
    cli.good("index", "add", "rem", "--remote", base)
    run = Run(cli, "add", "-", "--index", "rem")
    run.give(NEW_IDS[:10])
    run.wait_for(line=10)
    server.stop()
    run.give(NEW_IDS[10:])
    run.pipe.close()
    run.process.wait(60)
    err = run.process.stderr.read().decode()
    run.process.stdout.close()
    run.process.stderr.close()
    assert run.process.returncode == 1 and "10 assets were added before\n" in err
    assert "The last one of them is that of standard input:10\n" in err
    with subprocess.Popen(cli.command(["serve", "--host", "127.0.0.1", "--port", base.rsplit(":", 1)[1]]), cwd=cli.work,
                          env={**cli.env, "ISCC_SEARCH_INDEX_URI": f"usearch://{cli.work}/store"},
                          stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as again:
        end = time.monotonic() + 20
        while cli.run("list", "--index", "rem").code:
            assert again.poll() is None and time.monotonic() < end
            time.sleep(0.05)
        said = cli.good("add", "-", "--index", "rem", "--resume", stdin=text_of(NEW_IDS))
        assert said.json["created"] == len(NEW_IDS) - 10
        assert count(cli, "--index", "rem") == len(NEW_IDS)
        again.terminate()


def test_a_wrong_line_before_the_mark_is_not_reported_again(cli):
    rows = [json.dumps(row) for row in NEW_IDS]
    rows[2:2] = ["", "wrong"]
    run = Run(cli, "add", "-")
    run.pipe.write("".join(row + "\n" for row in rows[:14]).encode())
    run.pipe.flush()
    run.wait_for(line=12).end(signal.SIGKILL)
    rows[15:15] = ["wrong, too"]
    said = cli.good("add", "-", "--resume", stdin="\n".join(rows))
    assert (said.json["created"], said.json["errors"]) == (len(NEW_IDS) - 10, 1)
    assert "standard input:16: " in said.err and count(cli) == len(NEW_IDS)
