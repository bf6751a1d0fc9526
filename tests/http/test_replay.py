"""The recorded conversations with iscc-search 0.3.3, where they are at hand (../shared)."""

import subprocess
import sys

import pytest

from serving import BINARY, TOP

CONTRACT = TOP.parent / "shared" / "contract"


# A step that no server can pass: an asset of the count it expects is added by a step that is not in the
# file (the file of usearch still has it).
IMPOSSIBLE = {"lmdb": {("assets-add--lmdb", "count-3")}}


def failed_steps(output):
    """The (case, step) pairs that a run of replay.py reports."""
    steps, case = set(), None
    for line in output.splitlines():
        if line.startswith("FAIL "):
            case = line.split()[1]
        elif line.startswith("     ") and case:
            steps.add((case, line.split(":")[0].strip()))
        else:
            case = None
    return steps


def replay(command, backend, *more):
    """Run the cases against a command that starts a server; fails where a step fails that should pass."""
    run = subprocess.run([sys.executable, str(CONTRACT / "replay.py"), "--serve", command,
                          "--backend", backend, "--cases", str(CONTRACT / "cases"), *more],
                         capture_output=True, text=True, check=False)
    print(run.stdout)
    impossible = IMPOSSIBLE.get(backend, set())
    assert failed_steps(run.stdout) == impossible, run.stdout[-4000:]
    assert run.returncode == (1 if impossible else 0), run.stdout[-4000:] + run.stderr[-4000:]


needs_cases = pytest.mark.skipif(not CONTRACT.is_dir(), reason=f"the recorded cases are not at {CONTRACT}")


@needs_cases
@pytest.mark.parametrize("backend", ["memory", "usearch", "lmdb"])
def test_recorded_cases(backend):
    replay(f"{BINARY} serve", backend)
