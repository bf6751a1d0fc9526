"""The real program on the command line: a home folder of its own, and what it said.

The program is $ISCC_SEARCH_BIN, by default build/iscc-search below the top folder of the project.
"""

import fcntl
import json
import os
import pty
import select
import struct
import subprocess
import sys
import termios
import time
from pathlib import Path

TOP = Path(__file__).resolve().parents[2]
BINARY = Path(os.environ.get("ISCC_SEARCH_BIN", TOP / "build" / "iscc-search")).resolve()
EXAMPLES = TOP / "examples"
FILES = sorted((EXAMPLES / "files").glob("*.iscc.json"))


def sample(count=None):
    """The first assets of the sample."""
    with open(EXAMPLES / "assets.jsonl", encoding="utf-8") as file:
        lines = [json.loads(line) for line in file]
    return lines[:count]


def read_file(path):
    """An .iscc.json file."""
    return json.loads(Path(path).read_text(encoding="utf-8"))


def write_lines(path, rows):
    """A .jsonl file; rows that are texts stand in it as they are."""
    lines = [row if isinstance(row, str) else json.dumps(row) for row in rows]
    path.write_text("".join(line + "\n" for line in lines), encoding="utf-8")
    return path


class Said:
    """What a command said, and how it ended."""

    def __init__(self, code, out, err):
        self.code, self.out, self.err = code, out, err

    @property
    def json(self):
        """Standard output: one JSON document and nothing else."""
        return json.loads(self.out)

    def __repr__(self):
        return f"exit {self.code}\n--- stdout\n{self.out}\n--- stderr\n{self.err}"


def wait_until_it_watches(process):
    """Wait until a long command answers signals: before that, a signal ends it without a word."""
    end = time.monotonic() + 60
    while "interrupt" not in {name_of(task) for task in Path(f"/proc/{process.pid}/task").iterdir()}:
        assert time.monotonic() < end and process.poll() is None
        time.sleep(0.01)


def wait_until_it_has_read(process):
    """Wait until a command has read all that was written into its standard input."""
    end, left = time.monotonic() + 60, b"\1\0\0\0"
    while int.from_bytes(left, sys.byteorder):
        assert time.monotonic() < end and process.poll() is None
        time.sleep(0.01)
        left = fcntl.ioctl(process.stdin, termios.FIONREAD, left)


def name_of(task):
    """The name of a thread, or nothing if it has just ended."""
    try:
        return (task / "comm").read_text().strip()
    except OSError:
        return ""


def is_running(pid):
    """Is there such a process, other than one that has ended and was not waited for?"""
    try:
        return Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


class CommandLine:
    """Runs the program with a home and a working folder of its own."""

    def __init__(self, folder):
        self.home = folder / "home"
        self.work = folder / "work"
        self.data = self.home / "share" / "iscc-search"
        self.config_path = self.data / "config.json"
        self.home.mkdir()
        self.work.mkdir()
        self.env = {name: value for name, value in os.environ.items()
                    if not name.upper().startswith("ISCC_SEARCH_")}
        self.env.update({"HOME": str(self.home), "XDG_DATA_HOME": str(self.home / "share"),
                         "LC_ALL": "C.UTF-8", "TERM": "dumb"})

    def command(self, words):
        return [str(BINARY), *(str(word) for word in words)]

    def run(self, *words, env=None, stdin=None, cwd=None, timeout=60):
        """Run a command; stdin is a text or nothing."""
        done = subprocess.run(self.command(words), cwd=cwd or self.work, timeout=timeout,
                              env={**self.env, **(env or {})}, input=(stdin or "").encode(),
                              capture_output=True, check=False)
        return Said(done.returncode, done.stdout.decode(), done.stderr.decode())

    def good(self, *words, **options):
        """Run a command that has to end well."""
        said = self.run(*words, **options)
        assert said.code == 0, said
        return said

    def on_terminal(self, *words, streams=("stdout",), timeout=60, columns=80, env=None):
        """Run a command with some of its output streams on a terminal.

        Returns the exit code, what the terminal showed, and what the other stream got.
        """
        parent, child = pty.openpty()
        fcntl.ioctl(child, termios.TIOCSWINSZ, struct.pack("HHHH", 50, columns, 0, 0))
        which = {name: child if name in streams else subprocess.PIPE
                 for name in ("stdout", "stderr")}
        process = subprocess.Popen(self.command(words), cwd=self.work, env={**self.env, **(env or {})},
                                   stdin=subprocess.DEVNULL, **which)
        os.close(child)
        shown = b""
        end = time.monotonic() + timeout
        while time.monotonic() < end:
            if not select.select([parent], [], [], 0.2)[0]:
                if process.poll() is not None:
                    break
                continue
            try:
                piece = os.read(parent, 65536)
            except OSError:  # the other side has closed
                break
            if not piece:
                break
            shown += piece
        os.close(parent)
        other = process.stdout or process.stderr
        rest = other.read().decode() if other else ""
        if other:
            other.close()
        return process.wait(timeout), shown.decode(), rest

    def config(self):
        return json.loads(self.config_path.read_text(encoding="utf-8"))

    def write_config(self, content):
        self.data.mkdir(parents=True, exist_ok=True)
        text = content if isinstance(content, str) else json.dumps(content)
        self.config_path.write_text(text, encoding="utf-8")
