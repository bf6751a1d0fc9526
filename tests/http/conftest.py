"""Fixtures: servers for one test or for a whole file, and indexes on them."""

import hashlib
import shutil

import pytest

from serving import BINARY, Server


@pytest.fixture(scope="session", autouse=True)
def binary():
    """The program must have been built."""
    if not BINARY.exists():
        pytest.exit(f"{BINARY} does not exist: build it, or set ISCC_SEARCH_BIN", returncode=1)
    return BINARY


@pytest.fixture
def start_server(tmp_path):
    """A function that starts servers, which end with the test."""
    servers = []

    def start(uri="memory://", env=None, args=(), pre=()):
        folder = tmp_path / f"server{len(servers)}"
        folder.mkdir()
        server = Server(folder, uri.replace("{dir}", str(tmp_path / "data")), env, args, pre)
        servers.append(server)
        return server.start()

    yield start
    for server in servers:
        assert server.stop() in (0, None), server.log()[-4000:]


@pytest.fixture(scope="module", params=["memory", "usearch"])
def server(request, tmp_path_factory):
    """A running server for a whole file of tests, once for each kind of store."""
    folder = tmp_path_factory.mktemp("server")
    uri = "memory://" if request.param == "memory" else f"usearch://{folder}/data"
    running = Server(folder, uri).start()
    yield running
    assert running.stop() == 0, running.log()[-4000:]
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def index(server, request):
    """The path of a fresh index on the server."""
    name = "t" + hashlib.sha1(request.node.nodeid.encode()).hexdigest()[:20]
    assert server.post("/indexes", json={"name": name}).status_code == 201
    yield f"/indexes/{name}"
    server.delete(f"/indexes/{name}")
