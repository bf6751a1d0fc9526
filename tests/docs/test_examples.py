"""Every command line that --help, the man page and the documents for operators show is run, and works."""
import gzip
import os
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).resolve().parents[1] / "cli"))
sys.path.append(str(Path(__file__).resolve().parents[1] / "http"))

from commandline import BINARY, EXAMPLES, TOP, CommandLine  # noqa: E402
from dataset_host import DatasetHost  # noqa: E402
from serving import Server, free_port  # noqa: E402
from test_cli_usage import LEVELS  # noqa: E402


def help_of(words):
    return subprocess.run([BINARY, *words, "--help"], capture_output=True, text=True, check=True).stdout


def examples_of_help():
    """All lines of a --help that are typed."""
    for words in LEVELS:
        for line in help_of(words).splitlines():
            if re.match(r"  (\S.*)?iscc-search [a-z]", line):
                yield re.split(r"\s{3,}|(?<=DFF)  ", line.strip())[0]


def examples_of_the_man_page():
    page = (TOP / "docs/iscc-search.1").read_text(encoding="utf-8").replace("\\-", "-")
    part = page.split(".SH EXAMPLES\n")[1].split(".SH ")[0]
    for block in re.findall(r"\.RS\n(.*?)\.RE", part, re.S):
        yield block.strip()


def examples_for_operators():
    """Lines of docs/deployment.md that work on an index."""
    for block in re.findall(r"^```\w*\n(.*?)^```$", (TOP / "docs/deployment.md").read_text(encoding="utf-8"), re.M | re.S):
        for line in block.splitlines():
            if line.startswith("iscc-search index "):
                yield line


COMMANDS = list(dict.fromkeys([*examples_of_help(), *examples_of_the_man_page(), *examples_for_operators()]))


@pytest.fixture(scope="module", name="place")
def make_place(tmp_path_factory):
    """What the examples speak of: files, indexes of these names, a store in a folder, a server, and a host of data sets."""
    folder = tmp_path_factory.mktemp("examples")
    cli = CommandLine(folder)
    shutil.copytree(EXAMPLES, cli.work / "examples")
    shutil.copytree(EXAMPLES / "files", cli.work / "collection" / "a" / "b")
    shutil.copy(EXAMPLES / "files" / "assume-py-iqrs.iscc.json", cli.work / "photo.iscc.json")
    text = (EXAMPLES / "assets.jsonl").read_bytes()
    (cli.work / "assets.jsonl.gz").write_bytes(gzip.compress(text))
    lines = [line[line.index(b'"query":') + 8:line.index(b',"expect')] for line in
             (EXAMPLES / "queries.jsonl").read_bytes().splitlines()]
    (cli.work / "queries.jsonl").write_bytes(b"\n".join(lines[:5]))
    (folder / "backup").mkdir()
    server_folder = folder / "server"
    server_folder.mkdir()
    server = Server(server_folder, env={"ISCC_SEARCH_API_SECRET": "KEY"}).start()
    host = DatasetHost()
    data_set = {"train.parquet": (TOP / "fuzz/corpus/parquet/data-set").read_bytes()}
    host.repos = {"iscc/iscc-flickr30k": data_set, "iscc/iscc-book-covers": data_set}
    host.datasets = [{"id": "iscc/iscc-flickr30k"}]
    cli.env.update({"HF_ENDPOINT": host.url, "HF_HOME": str(folder / "hf"), "NO_PROXY": "127.0.0.1"})
    cli.env.update({"ISCC_SEARCH_API_KEY": "KEY", "PATH": f"{BINARY.parent}:{os.environ['PATH']}"})
    for name in ("mylocal", "training", "benchmark", "copy"):
        cli.good("index", "add", name, "--local")
        cli.good("add", "examples/assets.jsonl", "--index", name)
    cli.good("add", "examples/assets.jsonl")
    cli.good("export", "assets.jsonl.zst")
    for name in ("production", "main", "default"):
        assert server.post("/indexes", json={"name": name}, headers={"X-API-Key": "KEY"}).status_code == 201
    cli.good("index", "add", "production", "--remote", server.base)
    cli.good("add", "examples/assets.jsonl", "--index", "production")
    for scheme in ("usearch", "lmdb"):
        for name in ("srv/iscc", "var/lib/iscc-search"):
            cli.good("add", "examples/assets.jsonl", "--index", "main", "--uri", f"{scheme}://{folder}/{name}")
    yield cli, folder, server
    host.stop()
    assert server.stop() == 0


def there(command, folder, server):
    """The command with the folders and the server of this machine, and a time before which there is something."""
    for name in ("/srv/iscc", "/backup", "/data/iscc", "/var/lib/iscc-search"):
        command = command.replace(name, f"{folder}{name}").replace(f"{folder}{folder}", str(folder))
    command = re.sub(r"https?://(localhost|host|HOST):8000|https://(api|iscc)\.example\.com", server.base, command)
    return re.sub(r"--api-key K\b", "--api-key KEY", command).replace("--to 2020-01-01", "--to 2100-01-01")


@pytest.mark.parametrize("command", COMMANDS)
def test_an_example_works(place, command):
    cli, folder, server = place
    command = there(command, folder, server)
    for name in ("default", "mylocal"):  # an example may have removed, or moved, what the next one asks for
        cli.good("add", "examples/assets.jsonl", "--index", name)
    if re.search(r"iscc-search serve\b", command):
        serve(cli, command)
        return
    for name in ("assets.jsonl.zst", "news.jsonl", "b.lmdb", "pairs.jsonl", "clusters.jsonl"):
        if f"export {name}" in command or f"> {name}" in command or f"output {name}" in command:
            (cli.work / name).unlink(missing_ok=True)
    for path in (folder / "backup").iterdir():
        path.unlink()
    done = subprocess.run(["bash", "-ec", f"set -o pipefail; {command}"], cwd=cli.work, env=cli.env, capture_output=True,
                          text=True, timeout=120, check=False)
    assert done.returncode == 0, (command, done.stdout, done.stderr)
    assert "Error" not in done.stderr
    if re.search(r"iscc-search search ISCC", command):
        assert '"global_matches": [\n' in done.stdout, "nothing was found"


def serve(cli, command):
    """A server that is shown starts, on another port, and ends well."""
    command = re.sub(r"--port 9000", f"--port {free_port()}", command)
    command = command.replace("iscc-search serve", "exec iscc-search serve")
    env = {**cli.env, "ISCC_SEARCH_PORT": str(free_port()), "ISCC_SEARCH_HOST": "127.0.0.1"}
    process = subprocess.Popen(["bash", "-ec", command], cwd=cli.work, env=env, stdout=subprocess.PIPE,
                               stderr=subprocess.DEVNULL, text=True)
    assert process.stdout.readline().startswith("Starting server in production mode at http://")
    process.send_signal(signal.SIGTERM)
    assert process.wait(60) == 0
    process.stdout.close()


def test_there_are_examples():
    assert len(COMMANDS) > 30
    assert sum("serve" in command for command in COMMANDS) >= 2


@pytest.mark.parametrize("scheme", ["usearch", "lmdb"])
def test_a_backup_is_restored_as_help_says(place, scheme):
    """While a server has the index open."""
    cli, folder, _ = place
    line, = re.findall(rf"^  {scheme}:///DIR +(.*)$", help_of(("index", "backup")), re.M)
    store = folder / f"restore-{scheme}"
    uri = ("--uri", f"{scheme}://{store}", "--index", "main")
    cli.good("add", "examples/assets.jsonl", *uri)
    cli.good("index", "backup", "main", "b.lmdb", "--force", *uri[:2])
    there_is = cli.work / "served"
    there_is.mkdir(exist_ok=True)
    server = Server(there_is, f"{scheme}://{store}").start()
    try:
        cli.good("add", "examples/files", *uri)
        cli.good("remove", "ISCC:MAIGHXLN555Y2DFF", *uri)
        assert server.get("/indexes/main/assets/ISCC:MAIGHXLN555Y2DFF").status_code == 404
        subprocess.run(["bash", "-ec", re.sub(r"\bDIR\b", str(store), line).replace("NAME", "main").replace("FILE", "b.lmdb")],
                       cwd=cli.work, check=True)
        assert server.get("/indexes/main/assets/ISCC:MAIGHXLN555Y2DFF").status_code == 200
    finally:
        assert server.stop() == 0


def test_the_readme_shows_what_the_demo_prints():
    block = re.search(r"finds its original\.\n\n```\n(.*?)```", (TOP / "README.md").read_text(encoding="utf-8"), re.S)[1]
    shown = subprocess.run([TOP / "tools/demo", BINARY], capture_output=True, text=True, timeout=120, check=True).stdout
    assert block in shown


def test_every_code_that_is_shown_is_in_the_examples():
    """README, --help, man page and the headers ask for no code that the shipped data lack."""
    known = "".join(path.read_text(encoding="utf-8") for path in [*EXAMPLES.glob("*.jsonl"), *(EXAMPLES / "files").iterdir()])
    texts = {"README.md": (TOP / "README.md").read_text(encoding="utf-8"),
             "man page": (TOP / "docs/iscc-search.1").read_text(encoding="utf-8"),
             "iscc_search.h": (TOP / "include/iscc_search.h").read_text(encoding="utf-8"),
             **{" ".join(words): help_of(words) for words in LEVELS}}
    for name, text in texts.items():
        for code in re.findall(r"ISCC:[A-Z2-7]{10,}", text):
            assert code in known, f"{name}: {code}"
