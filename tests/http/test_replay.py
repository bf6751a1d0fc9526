"""The recorded conversations with iscc-search 0.3.3, where they are at hand (../shared)."""

import subprocess
import sys

import pytest

from serving import BINARY, TOP

CONTRACT = TOP.parent / "shared" / "contract"


@pytest.mark.skipif(not CONTRACT.is_dir(), reason=f"the recorded cases are not at {CONTRACT}")
@pytest.mark.parametrize("backend", ["memory", "usearch"])
def test_recorded_cases(backend):
    run = subprocess.run([sys.executable, str(CONTRACT / "replay.py"), "--serve", f"{BINARY} serve",
                          "--backend", backend, "--cases", str(CONTRACT / "cases")],
                         capture_output=True, text=True, check=False)
    print(run.stdout)
    assert run.returncode == 0, run.stdout[-4000:]
