#!/usr/bin/env python3
"""Run every test and count: unit programs, fuzz corpora, the source laws, and the pytest suites.

The last line is "N passed, N failed" (and ", N skipped" where something was left out: each skip is
named with its reason above it). Exit status 0 when nothing failed.
"""
import argparse
import os
import re
import signal
import subprocess
import sys
import tempfile
import threading
import xml.etree.ElementTree as ElementTree
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
# Two processes side by side, as tests wait for most of their time: each takes about half of it.
PYTEST_FOLDERS = [["cli", "deploy", "crash"], ["http", "tools", "data", "docs", "web", "postgres"]]


class Count:
    def __init__(self):
        self.passed = self.failed = self.skipped = 0
        self.lock = threading.Lock()  # held where programs run side by side

    def add(self, good, name, output=""):
        self.passed += bool(good)
        self.failed += not good
        if not good:
            print(f"FAIL {name}\n{output}", flush=True)


def run(command, **options):
    return subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          text=True, errors="replace", check=False, **options)


def run_unit(program, count, **env):
    """A cmocka program prints TAP; one that dies in between has a failed test more."""
    done = run([str(program)], env={**os.environ, "CMOCKA_MESSAGE_OUTPUT": "TAP", **env})
    good = len(re.findall(r"^ok \d+", done.stdout, re.M))
    bad = len(re.findall(r"^not ok \d+", done.stdout, re.M))
    if done.returncode and not bad:
        bad = 1
    with count.lock:
        print(f"{program.name}: {good} passed, {bad} failed{' (TSan)' if env else ''}", flush=True)
        if bad:
            print(done.stdout)
        count.passed += good
        count.failed += bad


def run_replay(program, count):
    corpus = ROOT / "fuzz" / "corpus" / program.name.removeprefix("replay_")
    done = run([str(program), str(corpus)])
    with count.lock:
        count.add(done.returncode == 0, f"{program.name} {corpus.name}", done.stdout)
        print(f"{program.name}: {'ok' if done.returncode == 0 else 'FAILED'}", flush=True)


def run_programs(build, tsan, count):
    """All unit programs and fuzz corpora, as many at once as there are processors: each has files of its own."""
    options = f"halt_on_error=1 suppressions={ROOT / 'tools' / 'tsan.supp'}"
    units = sorted((ROOT / "tests" / "unit").glob("test_*.c"))
    replays = sorted(path for path in (build / "fuzz").glob("replay_*") if not path.suffix)
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        runs = [pool.submit(run_unit, ROOT / program, count, TSAN_OPTIONS=options) for program in tsan]
        runs += [pool.submit(run_unit, build / "tests" / "unit" / source.stem, count) for source in units]
        runs += [pool.submit(run_replay, program, count) for program in replays]
        for done in runs:
            done.result()


def python_with_pytest():
    """Debian's python3 has Debian's python3-pytest; another python3 in the path may not."""
    for python in ("/usr/bin/python3", sys.executable):
        if subprocess.run([python, "-c", "import pytest, requests, jsonschema"], check=False,
                          capture_output=True).returncode == 0:
            return python
    return None


def start_pytest(python, build, folders, report, extra, output):
    """Start pytest on some folders; it writes its report into a file."""
    env = {**os.environ, "ISCC_SEARCH_BIN": str((build / "iscc-search").resolve()),
           "ISX_BUILD": str(build.resolve()), "PYTHONDONTWRITEBYTECODE": "1"}
    folders = [str(ROOT / "tests" / name) for name in folders if (ROOT / "tests" / name).is_dir()]
    return subprocess.Popen([python, "-m", "pytest", "-q", "-rs", "-p", "no:cacheprovider",
                             f"--junitxml={report}", *extra, *folders], cwd=ROOT, env=env, stdout=output)


def count_report(report, status, count):
    try:
        suite = ElementTree.parse(report).getroot().find("testsuite")
    except (ElementTree.ParseError, FileNotFoundError):
        suite = None
    if suite is None:
        count.add(False, "pytest", f"ended with status {status} and no report")
        return
    total, skipped = int(suite.get("tests")), int(suite.get("skipped"))
    failed = int(suite.get("failures")) + int(suite.get("errors"))
    count.passed += total - skipped - failed
    count.skipped += skipped
    count.failed += failed if failed or status == 0 else 1


def run_pytest(build, count, extra):
    """The output of the first process is shown while it comes, that of the others when they have ended."""
    python = python_with_pytest()
    if not python:
        count.add(False, "pytest", "python3-pytest, python3-requests or python3-jsonschema is missing: "
                                   "make setup")
        return
    with tempfile.TemporaryDirectory() as folder:
        reports = [Path(folder) / f"{number}.xml" for number in range(len(PYTEST_FOLDERS))]
        outputs = [None, *(open(report.with_suffix(".txt"), "w+b") for report in reports[1:])]
        runs = [start_pytest(python, build, folders, report, extra, output)
                for folders, report, output in zip(PYTEST_FOLDERS, reports, outputs)]
        for process, report, output in zip(runs, reports, outputs):
            status = process.wait()
            if output:
                output.seek(0)
                print(output.read().decode(errors="replace"), flush=True)
                output.close()
            count_report(report, status, count)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--build", default="build", type=Path, help="build directory (default: build)")
    parser.add_argument("--tsan", action="append", default=[], type=Path,
                        help="a unit program that was built with the thread sanitizer")
    parser.add_argument("--units", action="store_true", help="only the unit programs and the fuzz corpora")
    options, extra = parser.parse_known_args()
    # A shell starts a job in the background with these ignored, and so would be every program under
    # test, which leaves what its caller ignores ignored.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGHUP, signal.SIG_DFL)
    build = options.build if options.build.is_absolute() else ROOT / options.build
    count = Count()
    if not options.units:
        done = run([str(ROOT / "tools" / "check_layers"), "--build", str(build)])
        count.add(done.returncode == 0, "check_layers", done.stdout)
    run_programs(build, options.tsan, count)
    if not options.units:
        run_pytest(build, count, extra)
    tail = f", {count.skipped} skipped" if count.skipped else ""
    print(f"{count.passed} passed, {count.failed} failed{tail}")
    return 1 if count.failed or not count.passed else 0


if __name__ == "__main__":
    sys.exit(main())
