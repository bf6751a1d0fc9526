"""The recorded conversations with iscc-search 0.3.3, where they are at hand (../shared)."""

import subprocess
import sys

import pytest

from serving import BINARY, TOP

CONTRACT = TOP.parent / "shared" / "contract"


def replay(command, backend, *more):
    """Run the cases against a command that starts a server; fails where a step fails that should pass."""
    run = subprocess.run([sys.executable, str(CONTRACT / "replay.py"), "--serve", command,
                          "--backend", backend, "--cases", str(CONTRACT / "cases"), *more],
                         capture_output=True, text=True, check=False)
    print(run.stdout)
    assert run.returncode == 0, run.stdout[-4000:] + run.stderr[-4000:]


needs_cases = pytest.mark.skipif(not CONTRACT.is_dir(), reason=f"the recorded cases are not at {CONTRACT}")


@needs_cases
@pytest.mark.parametrize("backend", ["memory", "usearch", "lmdb"])
def test_recorded_cases(backend):
    replay(f"{BINARY} serve", backend)
