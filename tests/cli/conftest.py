"""Fixtures: a command line with an empty home, and servers for it to talk to."""

import sys
from pathlib import Path

import pytest

from commandline import BINARY, CommandLine, EXAMPLES

sys.path.append(str(Path(__file__).resolve().parents[1] / "http"))

from serving import Server  # noqa: E402  pylint: disable=wrong-import-position


@pytest.fixture(scope="session", autouse=True)
def binary():
    """The program must have been built."""
    if not BINARY.exists():
        pytest.exit(f"{BINARY} does not exist: build it, or set ISCC_SEARCH_BIN", returncode=1)
    return BINARY


@pytest.fixture
def cli(tmp_path):
    """A command line whose home is empty."""
    return CommandLine(tmp_path)


@pytest.fixture(scope="module")
def filled(tmp_path_factory):
    """A command line whose default index holds the sample; only for reading."""
    cli = CommandLine(tmp_path_factory.mktemp("filled"))
    cli.good("add", EXAMPLES / "assets.jsonl")
    return cli


@pytest.fixture
def start_server(tmp_path):
    """A function that starts servers, which end with the test."""
    servers = []

    def start(uri="memory://", env=None, args=(), pre=()):
        folder = tmp_path / f"server{len(servers)}"
        folder.mkdir()
        server = Server(folder, uri, env, args, pre)
        servers.append(server)
        return server.start()

    yield start
    for server in servers:
        assert server.stop() in (0, None), server.log()[-4000:]
