#!/usr/bin/env python3
"""Run the examples of a document, and compare their output with what the document says.

A document is a program: its fenced blocks run in order, in one empty directory with a copy of examples/ and a home of its
own. The word behind the fence says how:

  console   lines that begin with "$ " are commands of one shell, "> " continues one; the other lines are output
  python    a program; a block "output" behind it is what it prints
  c         a program, built with the library; a block "output" behind it is what it prints
  output    see above; other blocks are text

In expected output a line "..." stands for any lines, and times ("in 3 ms") for any time. Port 8000 is another one in truth,
so that documents can be tested side by side.

  transcript.py FILE...           compare, and print what differs
  transcript.py --fill FILE...    write the output into the documents
"""
import argparse
import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
from pathlib import Path

TOP = Path(__file__).resolve().parents[2]
FENCE = re.compile(r"^```(console|python|c|output)\n(.*?)^```$", re.M | re.S)
TIME = re.compile(r"\b\d+(\.\d+)? ?(ms|s)\b|\d\d\d\d-\d\d-\d\dT[\d:.]+Z")
MARK = "transcript-ends-here"


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return str(probe.getsockname()[1])


class Place:
    """The directory and the shell in which one document runs."""

    def __init__(self, binary, folder, text):
        self.folder, self.build = folder, binary.parent
        self.port = free_port()
        while self.port in text:  # back() would take a number of the document for the port
            self.port = free_port()
        shutil.copytree(TOP / "examples", folder / "examples")
        (folder / "home").mkdir()
        (folder / "bin").mkdir()
        (folder / "bin" / "iscc-search").symlink_to(binary)
        env = {name: value for name, value in os.environ.items() if not name.startswith(("ISCC_SEARCH_", "XDG_"))}
        self.env = {**env, "HOME": str(folder / "home"), "PATH": f"{folder}/bin:{env['PATH']}", "LC_ALL": "C.UTF-8",
                    "ISCC_SEARCH_PORT": self.port, "NO_COLOR": "1", "COLUMNS": "100"}
        self.shell = subprocess.Popen(["bash", "--norc"], cwd=folder, env=self.env, stdin=subprocess.PIPE,
                                      stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)

    def there(self, text):
        return text.replace("8000", self.port)

    def back(self, text):
        return text.replace(str(self.folder / "home"), "/home/me").replace(str(self.folder), "/home/me/work").replace(self.port, "8000")

    def run_command(self, command):
        """One command of the shell; returns what it prints. A server in the background is waited for."""
        self.shell.stdin.write(self.there(command) + f"\necho {MARK}\n")
        self.shell.stdin.flush()
        lines = []
        for line in self.shell.stdout:
            if MARK in line:
                rest = line.split(MARK)[0]
                if rest:
                    lines.append(rest + "\n")
                break
            lines.append(line)
        if command.rstrip().endswith("&"):
            self.wait_for_server()
        return self.back("".join(lines))

    def wait_for_server(self):
        subprocess.run(["curl", "-s", "--retry", "40", "--retry-delay", "1", "--retry-connrefused", "-o", "/dev/null",
                        f"http://127.0.0.1:{self.port}/healthz"], check=False, env=self.env)

    def run_python(self, program):
        done = subprocess.run(["/usr/bin/python3", "-c", self.there(program)], cwd=self.folder, env=self.env,
                              capture_output=True, text=True, check=False)
        return self.back(done.stdout + done.stderr)

    def run_c(self, program):
        source, out = self.folder / "program.c", self.folder / "program"
        source.write_text(program, encoding="utf-8")
        libraries = subprocess.run(["pkg-config", "--libs", "lmdb", "libcurl", "libpq", "libsodium"], check=True,
                                   capture_output=True, text=True).stdout.split()
        built = subprocess.run(["cc", "-Wall", "-Werror", "-o", out, source, f"-I{TOP}/include", f"{self.build}/libiscc_search.so.0",
                                f"-Wl,-rpath,{self.build}", *libraries], capture_output=True, text=True, check=False)
        if built.returncode:
            return built.stderr
        done = subprocess.run([out], cwd=self.folder, env=self.env, capture_output=True, text=True, check=False)
        return self.back(done.stdout + done.stderr)

    def close(self):
        self.shell.stdin.write("kill $(jobs -p) 2>/dev/null; wait\n")
        self.shell.stdin.close()
        self.shell.wait(30)


def commands_of(block):
    """[(command, its text in the document, expected output)] of a console block."""
    found = []
    for line in block.splitlines(keepends=True):
        if line.startswith("$ "):
            found.append([line[2:], line, ""])
        elif line.startswith("> ") and found and not found[-1][2]:
            found[-1][0] += line[2:]
            found[-1][1] += line
        else:
            found[-1][2] += line
    return found


def matches(expected, actual):
    """Are they the same, but for times and for lines that "..." stands for?"""
    pattern = "".join(r"(?:.*\n)*?" if line == "..." else re.escape(TIME.sub("<time>", line)) + r"\n" for line in expected.splitlines())
    return re.fullmatch(pattern, TIME.sub("<time>", actual)) is not None


def shorten(expected, actual):
    """The new output in the form of the old one: where that ends with "...", only so many lines."""
    lines = expected.splitlines()
    if lines and lines[-1] == "...":
        return "\n".join([*actual.splitlines()[:len(lines) - 1], "..."]) + "\n"
    return actual


def run_document(path, binary):
    """Run all blocks. Returns the document with the output that came, and [(line, what ran, expected, actual)] that differ."""
    text = path.read_text(encoding="utf-8")
    differ, pieces, last, pending = [], [], 0, None
    with tempfile.TemporaryDirectory() as folder:
        place = Place(binary, Path(folder), text)
        for match in FENCE.finditer(text):
            kind, block = match.groups()
            line = text.count("\n", 0, match.start()) + 1
            new = block
            if kind == "console":
                new = ""
                for command, shown, expected in commands_of(block):
                    actual = place.run_command(command)
                    if not matches(expected, actual):
                        differ.append((line, command, expected, actual))
                    new += shown + shorten(expected, actual)
            elif kind == "output":
                program, actual = pending or ("nothing before it", "")
                new = shorten(block, actual)
                if not matches(block, actual):
                    differ.append((line, program, block, actual))
            else:
                pending = (block, place.run_python(block) if kind == "python" else place.run_c(block))
            pieces += [text[last:match.start()], f"```{kind}\n{new}```"]
            last = match.end()
        place.close()
    return "".join(pieces) + text[last:], differ


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("files", nargs="+", type=Path)
    parser.add_argument("--fill", action="store_true", help="write the output into the documents")
    parser.add_argument("--binary", type=Path, default=TOP / "build" / "iscc-search")
    options = parser.parse_args()
    failed = 0
    for path in options.files:
        new, differ = run_document(path, options.binary.resolve())
        if options.fill:
            path.write_text(new, encoding="utf-8")
            continue
        for line, ran, expected, actual in differ:
            print(f"{path}:{line}: {ran.strip()}\n--- expected\n{expected}--- got\n{actual}")
        failed += len(differ)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
