"""Files of one's own: ISCC-IDs for those that have none, and a command that makes their ISCCs."""

import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

import sdk_files
from commandline import FILES, is_running, read_file, sample, write_lines
from serving import CONTENT, DATA, INSTANCE, META, digest, iscc_id, unit

MAKER = '''
import base64, hashlib, json, os, sys
path = sys.argv[1]
data = open(path, "rb").read()

def unit(main, body, sub=0):
    raw = bytes([main << 4 | sub, len(body) // 4 - 1]) + body
    return "ISCC:" + base64.b32encode(raw).decode().rstrip("=")

def similar(words):
    sums = [0] * 256
    for word in words:
        bits = int.from_bytes(hashlib.sha256(word).digest(), "big")
        for i in range(256):
            sums[i] += 1 if bits >> i & 1 else -1
    return sum((total > 0) << i for i, total in enumerate(sums)).to_bytes(32, "big")

name = os.path.basename(path)
print(json.dumps({"iscc": "", "name": name, "units": [unit(0, similar([name.encode()])), unit(2, similar(data.split())),
    unit(3, similar([data[i:i + 4] for i in range(0, len(data), 4)])), unit(4, hashlib.sha256(data).digest())]}).replace('"iscc": "", ', ""))
'''


@pytest.fixture
def maker(cli):
    """A command that prints the ISCC-UNITs of a text."""
    (cli.home / "make.py").write_text(MAKER)
    return f"{sys.executable} {cli.home}/make.py {{}}"


@pytest.fixture
def texts(cli):
    """A folder with texts, of which two are nearly the same."""
    folder = cli.work / "texts"
    (folder / "deep").mkdir(parents=True)
    words = [f"word{number}" for number in range(400)]
    (folder / "a.txt").write_text(" ".join(words))
    (folder / "deep" / "b's copy (1).txt").write_text(" ".join(words[:180] + words[200:]))
    (folder / "c.md").write_text(" ".join(f"other{number}" for number in range(400)))
    return folder


def stored(cli, *words):
    return [json.loads(line) for line in cli.good("export", *words).out.splitlines()]


def without_id(path, cli, name="own.iscc.json"):
    entry = read_file(path)
    del entry["iscc_id"]
    (cli.work / name).write_text(json.dumps(entry))
    return entry


# --- iscc-sdk -------------------------------------------------------------------------------------

@pytest.fixture(scope="session")
def sdk():
    """The folder of the program iscc-sdk, which is installed from PyPI; skipped where it cannot be had."""
    python = sdk_files.FOLDER / "bin" / "python"
    try:
        if not (sdk_files.FOLDER / "bin" / "iscc-sdk").exists():
            sdk_files.FOLDER.parent.mkdir(parents=True, exist_ok=True)
            for command in ([sys.executable, "-m", "venv", "--clear", sdk_files.FOLDER],
                            [python, "-m", "pip", "install", "--quiet", f"iscc-sdk=={sdk_files.VERSION}"]):
                subprocess.run(command, check=True, capture_output=True, text=True, timeout=900)
    except (OSError, subprocess.SubprocessError) as error:
        said = (getattr(error, "stderr", None) or str(error)).strip().splitlines()
        pytest.skip(f"iscc-sdk could not be installed: {said[-1] if said else error}")
    return python.parent


def recorded(folder):
    """A command that prints what iscc-sdk has printed."""
    sdk_files.write_files(folder, draw=lambda _: [(folder / name).write_text(name) for name in (
        "garden.png", "garden-small.jpg", "street.png")])
    return f"cat {sdk_files.RECORDED}/$(basename {{}}).json", {}


def live(folder, programs):
    """iscc-sdk itself, as the README has it."""
    write = ("import sys; sys.path.append(sys.argv[1]); import sdk_files, pathlib; "
             "sdk_files.write_files(pathlib.Path(sys.argv[2]))")
    subprocess.run([programs / "python", "-c", write, Path(__file__).parent, folder], check=True, timeout=60)
    return "iscc-sdk create {}", {**sdk_files.VARIABLES, "PATH": f"{programs}:{os.environ['PATH']}"}


@pytest.mark.parametrize("is_live", [False, True], ids=["recorded", "live"])
def test_iscc_sdk_from_a_folder_to_near_duplicates(cli, request, is_live):
    """What the README shows, with texts, a PDF and pictures; a file that iscc-sdk cannot read is an error of its own."""
    folder = cli.work / "Documents"
    command, env = live(folder, request.getfixturevalue("sdk")) if is_live else recorded(folder)
    env = {**env, "ISCC_SEARCH_GENERATOR": command}
    for outcome in ("created", "updated"):
        said = cli.good("add", folder, env=env, timeout=600)
        assert (said.json["files_scanned"], said.json[outcome], said.json["errors"]) == (8, 7, 1), said
        assert "Documents/odd.bin: the generator ended with status 1: " in said.err
    units = cli.good("stats").json["units"]
    assert units == {"CONTENT_IMAGE_V0": {"256": 3}, "CONTENT_TEXT_V0": {"256": 4}, "DATA_NONE_V0": {"256": 7},
                     "INSTANCE_NONE_V0": {"256": 7}, "META_NONE_V0": {"256": 7}}
    assert cli.good("stats").json["simprints"]["CONTENT_TEXT_V0"]["256"] > 20
    for name, expected in (("rivers-edited.txt", {"rivers-edited.txt", "rivers.txt", "rivers.pdf"}),
                           ("garden-small.jpg", {"garden-small.jpg", "garden.png"}), ("other.txt", {"other.txt"})):
        said = cli.good("search", folder / name, env=env, timeout=600)
        found = {match["metadata"]["source"].rsplit("/", 1)[1] for match in said.json["global_matches"]}
        assert found == expected
    passages = cli.good("search", folder / "rivers-edited.txt", env=env, timeout=600).json["chunk_matches"]
    assert {match["metadata"]["source"].rsplit("/", 1)[1] for match in passages} == {"rivers.txt", "rivers-edited.txt", "rivers.pdf"}


# --- ISCC-IDs -------------------------------------------------------------------------------------

@pytest.mark.parametrize("uri", [(), ("usearch",), ("lmdb",), ("http",)], ids=["default", "usearch", "lmdb", "http"])
def test_a_file_without_an_iscc_id_gets_one(cli, start_server, uri):
    """The same file again is an update: it keeps its ISCC-ID."""
    if uri == ("http",):
        server = start_server()
        server.post("/indexes", json={"name": "default"})
        uri = ("--uri", server.base)
    elif uri:
        uri = ("--uri", f"{uri[0]}://{cli.work}/store")
    without_id(FILES[0], cli)
    env = {"ISCC_SEARCH_HUB_NUMBER": "77"} if not uri or "http" not in uri[1] else {}
    before = time.time()
    assert cli.good("add", "own.iscc.json", *uri, env=env).json["created"] == 1
    found = cli.good("search", "own.iscc.json", *uri).json["global_matches"][0]
    parts = cli.good("inspect", found["iscc_id"]).json
    assert parts["hub"] == (77 if env else 0) and parts["realm"] == 0
    assert before - 1 <= parts["time_us"] / 1e6 <= time.time() + 1
    for _ in range(2):
        said = cli.good("add", "own.iscc.json", *uri, env=env).json
        assert (said["created"], said["updated"], said["errors"]) == (0, 1, 0)
    again = cli.good("search", "own.iscc.json", *uri).json["global_matches"]
    assert [one["iscc_id"] for one in again if one["score"] == 1] == [found["iscc_id"]]


def test_copies_in_one_run_are_one_asset(cli):
    for number in range(5):
        without_id(FILES[0], cli, f"{number}.iscc.json")
    without_id(FILES[1], cli, "other.iscc.json")
    said = cli.good("add", ".").json
    assert (said["created"], said["updated"], said["errors"]) == (2, 4, 0)
    assert cli.good("stats").json["assets"] == 2


def test_other_assets_are_not_touched(cli):
    """What a hub has registered keeps its metadata, though it is the same file."""
    cli.good("add", FILES[0])
    registered = cli.good("get", read_file(FILES[0])["iscc_id"]).out
    entry = without_id(FILES[0], cli)
    said = cli.good("add", "own.iscc.json").json
    assert (said["created"], said["updated"]) == (1, 0)
    assert cli.good("get", read_file(FILES[0])["iscc_id"]).out == registered
    assert cli.good("add", "own.iscc.json").json["updated"] == 1
    # an edited file is another asset
    entry["units"][-1] = unit(INSTANCE, digest("edited", 32))
    del entry["iscc"]
    (cli.work / "own.iscc.json").write_text(json.dumps(entry))
    assert cli.good("add", "own.iscc.json").json["created"] == 1


def test_the_realm_is_that_of_the_index(cli):
    write_lines(cli.work / "a.jsonl", [{"iscc_id": iscc_id(1, realm=1), "iscc_code": sample(1)[0]["iscc_code"]}])
    cli.good("add", "a.jsonl")
    without_id(FILES[0], cli)
    cli.good("add", "own.iscc.json")
    found = cli.good("search", "own.iscc.json").json["global_matches"][0]["iscc_id"]
    assert cli.good("inspect", found).json["realm"] == 1


def test_without_an_instance_a_file_cannot_be_recognized(cli):
    (cli.work / "a.iscc.json").write_text(json.dumps({"units": [unit(META, digest(1)), unit(CONTENT, digest(1))]}))
    said = cli.run("add", "a.iscc.json")
    assert (said.code, said.err) == (4, "No valid assets found\nErrors:\n  \u2022 a.iscc.json: iscc_id is missing, and so is an "
                                        "INSTANCE by which the same file is recognized: expected one of them\n")


# --- the generator --------------------------------------------------------------------------------

def test_from_a_folder_to_a_found_near_duplicate(cli, texts, maker):
    said = cli.good("add", "texts", "--generator", maker).json
    assert (said["created"], said["errors"]) == (3, 0)
    found = cli.good("search", texts / "a.txt", "--generator", maker).json["global_matches"]
    assert [one["metadata"]["name"] for one in found] == ["a.txt", "b's copy (1).txt"]
    assert found[0]["score"] == 1 and 0.75 < found[1]["types"]["CONTENT_TEXT_V0"] < 1
    assert found[1]["metadata"]["source"] == f"file://{cli.work}/texts/deep/b's%20copy%20(1).txt"
    said = cli.good("add", "texts", env={"ISCC_SEARCH_GENERATOR": maker}).json
    assert (said["created"], said["updated"]) == (0, 3)
    (cli.work / ".env").write_text(f"ISCC_SEARCH_GENERATOR='{maker}'\n")
    assert cli.good("add", "texts/*.txt").json["updated"] == 1
    assert len(cli.good("search", "texts/c.md").json["global_matches"]) == 1


def test_without_a_generator_the_message_says_how_to_get_one(cli, texts):
    said = cli.run("search", texts / "a.txt")
    assert said.code == 1 and "for example with iscc-sdk (pip install iscc-sdk): --generator 'iscc-sdk create {}'\n" in said.err
    assert cli.run("add", "texts").err == "No files found matching: texts\n"


def test_iscc_json_is_read_and_not_generated(cli, texts, maker):
    shutil.copy(FILES[0], texts / "c.md.iscc.json")
    shutil.copy(FILES[1], texts / "a.iscc.json")
    (texts / "a.iscc.utf8").write_text("the text of a")
    said = cli.good("add", "texts", "-v", "--generator", maker)
    assert said.json["created"] == 3  # a and c have their ISCC beside them
    assert sorted(line for line in said.err.splitlines()) == [
        "\u2713 texts/a.iscc.json", "\u2713 texts/c.md.iscc.json", "\u2713 texts/deep/b's copy (1).txt"]


@pytest.mark.parametrize("command, message", [
    ("echo oh no >&2; exit 3 #", "the generator ended with status 3: oh no"),
    ("printf 'one\\ntwo\\n' >&2; false #", "the generator ended with status 1: two"),
    ("true #", "the generator printed nothing: expected the JSON of an asset"),
    ("echo hello #", "expected an asset in JSON (.iscc.json), this is another kind of file"),
    ("echo '{' #", "JSON: "), ("kill -9 $$ #", "the generator was ended by signal 9"),
    ("nosuchprogram", "the generator ended with status 127: "),
    ("sleep 60 #", "the generator took longer than 1 s (ISCC_SEARCH_GENERATOR_TIMEOUT)"),
    ("sleep 60 & sleep 60 #", "the generator took longer than 1 s")])
def test_a_generator_that_fails(cli, texts, command, message):
    env = {"ISCC_SEARCH_GENERATOR_TIMEOUT": "1" if "longer than" in message else "60"}
    started = time.monotonic()
    said = cli.run("search", texts / "a.txt", "--generator", command, env=env)
    assert (said.code, said.out) == (1, "") and f"Error: {texts}/a.txt: {message}" in said.err, said
    said = cli.run("add", texts, "--generator", command, env=env)
    assert said.code == 4 and said.err.count(message) == 3 and f"{texts}/c.md: {message}" in said.err, said
    assert time.monotonic() - started < 40


def test_errors_are_those_of_files(cli, texts, maker):
    """Others of the folder are added."""
    maker = maker.replace("{}", "").strip()
    said = cli.good("add", "texts", "--generator", f"case {{}} in *.md) echo bad >&2; exit 1;; *) {maker} {{}};; esac")
    assert (said.json["created"], said.json["errors"]) == (2, 1)
    assert "texts/c.md: the generator ended with status 1: bad" in said.err


@pytest.mark.parametrize("name", ["-v", "a b", "$(touch x)", "`touch x`", "'\"", ";touch x;", "\\", "*", "{}"])
def test_names_are_no_commands(cli, maker, name):
    folder = cli.work / "odd"
    folder.mkdir()
    (folder / name).write_text(name)
    said = cli.good("add", "odd", "--generator", maker)
    assert said.json["created"] == 1
    assert stored(cli)[0]["metadata"]["name"] == name
    assert sorted(os.listdir(cli.work)) == ["odd"]


def test_several_run_at_once(cli):
    """Two wait for each other: one alone would take its whole time."""
    if os.cpu_count() < 2:
        pytest.skip("one processor: one command at a time")
    folder = cli.work / "two"
    folder.mkdir()
    for name in ("a", "b"):
        (folder / name).write_text(name)
    meet = f"touch {cli.home}/$(basename {{}}).here; while ! [ -e {cli.home}/a.here -a -e {cli.home}/b.here ]; do sleep 0.05; done; "
    entry = json.dumps({"units": [unit(DATA, digest(1)), unit(INSTANCE, digest(1))]})
    said = cli.run("add", "two", "--generator", f"{meet} echo '{entry}' #{{}}", env={"ISCC_SEARCH_GENERATOR_TIMEOUT": "30"})
    assert (said.code, said.json["errors"]) == (0, 0), said


def test_a_command_leaves_nothing_running_behind(cli, maker):
    """Not even when it has ended well: nothing would read what the rest prints."""
    (cli.work / "one.txt").write_text("one")
    mark = f"{cli.home}/background"
    said = cli.good("add", "one.txt", "--generator", f"sleep 300 & echo $! > {mark}; {maker}")
    assert said.json["created"] == 1
    pid, end = open(mark, encoding="utf-8").read().strip(), time.monotonic() + 30
    while is_running(pid) and time.monotonic() < end:
        time.sleep(0.05)
    assert not is_running(pid)


def test_an_interrupted_add_leaves_no_command_running(cli):
    folder = cli.work / "slow"
    folder.mkdir()
    for number in range(3):
        (folder / str(number)).write_text("x")
    mark = f"{cli.home}/running"
    import signal
    process = subprocess.Popen(cli.command(["add", "slow", "--generator", f"echo $$ >> {mark}; exec sleep 300 #"]), cwd=cli.work,
                               env=cli.env, stderr=subprocess.PIPE, text=True)
    end = time.monotonic() + 60
    while not os.path.exists(mark) and time.monotonic() < end:
        time.sleep(0.05)
    time.sleep(0.2)
    process.send_signal(signal.SIGINT)
    assert process.wait(60) == 130
    assert "0 assets are in" in process.stderr.read()
    process.stderr.close()
    for pid in open(mark, encoding="utf-8").read().split():
        while is_running(pid) and time.monotonic() < end:
            time.sleep(0.05)
        assert not is_running(pid)
