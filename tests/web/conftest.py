"""Fixtures: one browser for all tests, and servers with real codes."""
import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

sys.path += [str(Path(__file__).resolve().parent), str(Path(__file__).resolve().parents[1] / "http")]

from pages import KEY, TOP  # noqa: E402  pylint: disable=wrong-import-position
from serving import Server  # noqa: E402  pylint: disable=wrong-import-position

selenium = pytest.importorskip("selenium", reason="python3-selenium is not installed")
import browser as chromium  # noqa: E402  pylint: disable=wrong-import-position


@pytest.fixture(scope="session", name="window")
def one_window(tmp_path_factory):
    if not chromium.CHROMIUM or not chromium.DRIVER:
        pytest.skip("chromium or chromium-driver is not installed")
    window = chromium.start(profile=tmp_path_factory.mktemp("profile"))
    yield window
    window.driver.quit()


@pytest.fixture(name="page")
def quiet_page(window):
    """The window at 1280 px, light. After the test its console must be empty, its policy unbroken, and nothing asked of
    other hosts."""
    window.resize(1280, 900)
    window.messages()
    window.requests()
    yield window
    strange = [url for url in window.requests() if not url.startswith(("http://127.0.0.1:", "about:", "data:", "blob:", "chrome"))]
    assert not strange, strange
    messages = window.messages()
    assert not [text for text in messages if "Content Security Policy" in text], messages
    # A refused request is written to the console by the browser itself.
    assert not [text for text in messages if "Failed to load resource" not in text and "ERR_" not in text], messages
    if window.driver.current_url.startswith("http"):
        window.run("sessionStorage.clear()")


def lines(name):
    return [json.loads(line) for line in (TOP / "examples" / name).read_text(encoding="utf-8").splitlines()]


@pytest.fixture(scope="session", name="sample")
def sample_of_codes():
    """400 of the example assets, those of the queries among them."""
    assets, queries = lines("assets.jsonl"), lines("queries.jsonl")
    wanted = {query["expect_nearest"] for query in queries}
    chosen = [asset for asset in assets if asset["iscc_id"] in wanted]
    chosen += [asset for asset in assets if asset["iscc_id"] not in wanted][:400 - len(chosen)]
    return {"assets": chosen, "queries": [query for query in queries if query["expect_nearest"]]}


@pytest.fixture(scope="session", name="site")
def server_with_sample(tmp_path_factory, sample):
    folder = tmp_path_factory.mktemp("site")
    server = Server(folder, f"usearch://{folder}/data").start()
    server.post("/indexes", json={"name": "demo"})
    for first in range(0, len(sample["assets"]), 100):
        assert server.post("/indexes/demo/assets", json=sample["assets"][first:first + 100]).status_code == 201
    yield server
    server.stop()


@pytest.fixture(name="locked")
def server_with_key(tmp_path):
    server = Server(tmp_path, f"usearch://{tmp_path}/data", env={"ISCC_SEARCH_API_SECRET": KEY}).start()
    server.post("/indexes", json={"name": "demo"}, headers={"X-API-Key": KEY})
    yield server
    server.stop()


@pytest.fixture(scope="session", name="npm")
def npm_packages(tmp_path_factory):
    """A folder with the checkers that only npm has."""
    if not shutil.which("npm"):
        pytest.skip("npm is not installed")
    folder = tmp_path_factory.mktemp("npm")
    (folder / "package.json").write_text('{"private": true}', encoding="utf-8")
    done = subprocess.run(["npm", "install", "--silent", "--no-audit", "--no-fund", "axe-core@4.10.2", "eslint@9", "@eslint/js@9",
                           "html-validate@9"], cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"npm cannot install the checkers: {done.stderr.strip().splitlines()[-1:]}")
    return folder
