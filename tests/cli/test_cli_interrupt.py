"""`add` that is interrupted: how much is in, how to go on, and the exit status of its signal."""

import json
import os
import re
import signal
import subprocess
import time
from pathlib import Path

import pytest

from commandline import wait_until_it_has_read, wait_until_it_watches, write_lines
from serving import iscc_id, make_asset


class Adding:
    """An `add` that reads lines from a pipe, in batches of five."""

    def __init__(self, cli, *words, **options):
        self.cli = cli
        self.process = subprocess.Popen(cli.command(["add", "-", "-b", 5, *words]), cwd=cli.work, env=cli.env,
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, **options)

    def give(self, *numbers):
        for number in numbers:
            self.process.stdin.write(json.dumps(make_asset(number)).encode() + b"\n")
        self.process.stdin.flush()

    def wait_for(self, count, words=()):
        """Wait until so many assets can be found."""
        end = time.monotonic() + 60
        while self.cli.run("get", iscc_id(count), *words).code != 0:
            assert time.monotonic() < end and self.process.poll() is None
            time.sleep(0.05)

    def end(self, which, timeout=60):
        self.process.send_signal(which)
        self.process.wait(timeout)
        out, err = self.process.stdout.read().decode(), self.process.stderr.read().decode()
        for file in (self.process.stdin, self.process.stdout, self.process.stderr):
            file.close()
        return self.process.returncode, out, err


@pytest.mark.parametrize("which", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP], ids=lambda which: which.name)
@pytest.mark.parametrize("given, whole", [(0, 0), (4, 0), (5, 5), (13, 10)])
def test_it_says_what_is_in_and_how_to_go_on(cli, which, given, whole):
    cli.good("index", "list")
    adding = Adding(cli)
    adding.process.stdin.write(b"\n")
    adding.give(*range(1, given + 1))
    if whole:
        adding.wait_for(whole)
    wait_until_it_has_read(adding.process)
    code, out, err = adding.end(which)
    assert (code, out) == (128 + which, "")
    assert f"Interrupted: {whole} assets are in (whole batches), 0 errors\n" in err
    assert "run the same command again" in err
    for number in range(1, given + 1):
        assert cli.run("get", iscc_id(number)).code == (0 if number <= whole else 1)
    write_lines(cli.work / "a.jsonl", [make_asset(number) for number in range(1, 14)])
    said = cli.good("add", "a.jsonl").json
    assert (said["created"], said["updated"]) == (13 - whole, whole)


def test_the_number_is_that_of_the_index(cli):
    """Interrupted while it reads and writes as fast as it can, at any moment."""
    write_lines(cli.work / "a.jsonl", [make_asset(number) for number in range(1, 3001)])
    for wait in (0.0, 0.05, 0.1, 0.2, 0.4):
        store = f"usearch://{cli.work}/store{wait}"
        process = subprocess.Popen(cli.command(["add", *["a.jsonl"] * 20, "-b", 50, "--uri", store]), cwd=cli.work,
                                   env=cli.env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        time.sleep(0.1 + wait)
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=60)
        if process.returncode == 0:
            continue  # it was faster
        if process.returncode == -signal.SIGINT:
            continue  # it had not begun
        assert process.returncode == 130
        found = re.search(r"Interrupted: (\d+) assets are in", err)
        assert found, err
        checked = cli.run("index", "check", "default", "--json", "--uri", store)
        assets = json.loads(checked.out)["assets"] if checked.out else 0
        assert assets == min(int(found[1]), 3000), err


def test_errors_are_counted(cli):
    adding = Adding(cli)
    adding.process.stdin.write(b"x\ny\n")
    adding.give(*range(1, 6))
    adding.wait_for(5)
    assert "Interrupted: 5 assets are in (whole batches), 2 errors\n" in adding.end(signal.SIGINT)[2]


def test_a_remote_index(cli, start_server):
    server = start_server()
    cli.good("index", "add", "rem", "--remote", server.base)
    adding = Adding(cli, "--index", "rem")
    adding.give(*range(1, 9))
    adding.wait_for(5, ["--index", "rem"])
    code, _, err = adding.end(signal.SIGINT)
    assert code == 130 and "Interrupted: 5 assets are in" in err


def pause(process):
    """Stop all threads of a process; some may still run when the signal has been sent."""
    process.send_signal(signal.SIGSTOP)
    tasks = Path(f"/proc/{process.pid}/task")
    end = time.monotonic() + 20
    while any(task.joinpath("stat").read_text().rsplit(")", 1)[1].split()[0] != "T" for task in tasks.iterdir()):
        assert time.monotonic() < end
        time.sleep(0.01)


def unread(port):
    """Bytes that a server has not read yet, and connections that it has not accepted."""
    rows = [line.split() for line in Path("/proc/net/tcp").read_text(encoding="ascii").splitlines()[1:]]
    return sum(int(row[4].split(":")[1], 16) for row in rows if row[1].endswith(f":{port:04X}"))


@pytest.fixture
def held_up(cli, start_server):
    """An `add` of ten assets: five are in, and the server that gets the others is silent."""
    server = start_server()
    cli.good("index", "add", "rem", "--remote", server.base)
    adding = Adding(cli, "--index", "rem")
    adding.give(*range(1, 6))
    adding.wait_for(5, ["--index", "rem"])
    pause(server.process)
    adding.give(*range(6, 11))
    while not unread(server.port):
        assert adding.process.poll() is None
        time.sleep(0.02)
    yield adding
    server.process.send_signal(signal.SIGCONT)


def test_a_batch_that_takes_for_ever_is_given_up(held_up):
    code, _, err = held_up.end(signal.SIGTERM)
    assert code == 143
    assert "Interrupted: the batch of 5 assets that is being written may end first" in err
    assert "Interrupted: 5 assets are in (whole batches), 0 errors\nThe 5 assets that were being written may be in, " \
        "too\n" in err


def test_a_second_signal_ends_it_at_once(held_up):
    held_up.process.send_signal(signal.SIGINT)
    assert b"interrupt again not to wait" in held_up.process.stderr.readline()
    assert held_up.end(signal.SIGINT)[0] == -signal.SIGINT  # waiting for the batch would end in another status


def test_a_signal_that_the_caller_ignores_is_ignored(cli):
    """As of a shell that runs it behind itself, or nohup."""
    adding = Adding(cli, preexec_fn=lambda: signal.signal(signal.SIGHUP, signal.SIG_IGN))
    adding.give(*range(1, 6))
    adding.wait_for(5)
    adding.process.send_signal(signal.SIGHUP)
    adding.give(*range(6, 11))
    adding.wait_for(10)
    assert adding.end(signal.SIGINT)[0] == 130


def test_relaxed_writes_are_on_disk(cli):
    cli.env["ISCC_SEARCH_DURABILITY"] = "relaxed"
    adding = Adding(cli)
    adding.give(*range(1, 6))
    adding.wait_for(5)
    code, _, err = adding.end(signal.SIGTERM)
    assert code == 143 and "Interrupted: 5 assets are in" in err
    assert cli.good("index", "check", "default", "--json").json["assets"] == 5


def test_waiting_for_a_fifo(cli):
    os.mkfifo(cli.work / "a.jsonl")
    process = subprocess.Popen(cli.command(["add", "a.jsonl"]), cwd=cli.work, env=cli.env, stderr=subprocess.PIPE,
                               text=True)
    wait_until_it_watches(process)
    time.sleep(0.2)  # on its way to the FIFO
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 130 and "Interrupted: 0 assets are in" in err


def test_a_signal_while_a_file_is_looked_for_in_the_index(cli):
    """The index of files without an ISCC-ID is searched for each; the signal closes it, to sync what is in."""
    (cli.work / "files").mkdir()
    for number in range(3000):
        asset = make_asset(number)
        (cli.work / f"files/{number}.iscc.json").write_text(json.dumps({"units": asset["units"]}), encoding="utf-8")
    for turn in range(30):
        store = f"usearch://{cli.work}/store{turn}"
        process = subprocess.Popen(cli.command(["add", "files", "--uri", store]), cwd=cli.work, env=cli.env,
                                   stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        time.sleep(0.05 + turn % 10 * 0.02)
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=60)
        assert process.returncode in (0, 130, -signal.SIGINT), err  # it was faster, or had not begun
