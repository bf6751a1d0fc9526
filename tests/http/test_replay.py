"""The recorded conversations with iscc-search 0.3.3, where they are at hand (../shared)."""

import subprocess
import sys

import pytest

from serving import BINARY, TOP

CONTRACT = TOP.parent / "shared" / "contract"


# Recorded answers that this program differs from on purpose (docs/differences.md): an ISCC-CODE of a wrong
# length is refused, of two units of one type both are searched, and HEAD works wherever GET does. An asset
# without an iscc_id gets one: in these cases it is stored, and counts.
ON_PURPOSE = {("search-get", "truncated"), ("search-get", "misaligned"), ("search-invalid", "code-trailing"),
              ("search-unit-types", "twice-first"), ("service-endpoints", "head-healthz"),
              ("service-endpoints", "head-root"),
              *(("assets-first-add-fails", step) for step in ("refused-noid", "count-after-refused-noid",
                                                              "count-noid")),
              *(("assets-invalid", step) for step in ("id-missing", "id-null", "good-then-missing-id",
                                                      "rolled-back", "rolled-back-realm", "count",
                                                      "good-again", "count-2"))}


def failed_steps(output):
    """The (case, step) pairs that a run of replay.py reports, cases without their engine."""
    steps, case = set(), None
    for line in output.splitlines():
        if line.startswith("FAIL "):
            case = line.split()[1].split("--")[0]
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
    failed = failed_steps(run.stdout)
    assert failed <= ON_PURPOSE, run.stdout[-4000:]
    assert run.returncode == bool(failed), run.stdout[-4000:] + run.stderr[-4000:]
    assert " passed" in run.stdout


needs_cases = pytest.mark.skipif(not CONTRACT.is_dir(), reason=f"the recorded cases are not at {CONTRACT}")


@needs_cases
@pytest.mark.parametrize("backend", ["memory", "usearch", "lmdb"])
def test_recorded_cases(backend):
    replay(f"{BINARY} serve", backend)
