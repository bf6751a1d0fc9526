"""Small and read-only file systems for tests, and other users; where that is not granted, tests are skipped."""

import contextlib
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest

NOBODY = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]


def run_or_skip(*words):
    done = subprocess.run([str(word) for word in words], capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"{words[0]}: {done.stderr.strip()}")


def need_root():
    if os.geteuid() != 0:
        pytest.skip("only root may mount and become somebody else")


@contextlib.contextmanager
def mounted(*words):
    """A folder that others may look into, with something mounted on it."""
    need_root()
    folder = Path(tempfile.mkdtemp(prefix="isx-mount-"))
    try:
        run_or_skip("mount", *words, folder)
        try:
            yield folder
        finally:
            subprocess.run(["umount", "-l", str(folder)], check=True)
    finally:
        folder.rmdir()


def small_disk(mebibytes):
    return mounted("-t", "tmpfs", "-o", f"size={mebibytes}m,mode=755", "tmpfs")


@contextlib.contextmanager
def read_only_view(of):
    """The same files as those of a folder, on a mount that cannot be written."""
    with mounted("--bind", of) as folder:
        run_or_skip("mount", "-o", "remount,bind,ro", folder)
        yield folder


@contextlib.contextmanager
def open_folder():
    """A folder that others may look into."""
    need_root()
    if not shutil.which("setpriv"):
        pytest.skip("setpriv is missing")
    folder = Path(tempfile.mkdtemp(prefix="isx-open-"))
    folder.chmod(0o755)
    try:
        yield folder
    finally:
        shutil.rmtree(folder)
