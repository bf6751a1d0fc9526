"""The command line of 0.3.3 and ours, side by side on the same data. 0.3.3 is that of test_peer.py."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from test_peer import BIN, ROOT, peer_python  # noqa: F401  pylint: disable=unused-import

sys.path.append(str(ROOT / "tests" / "cli"))

from mounts import read_only_view  # noqa: E402  pylint: disable=wrong-import-position

FILES = sorted((ROOT / "examples" / "files").glob("*.iscc.json"))
RECORDS = [json.loads(path.read_text(encoding="utf-8")) for path in FILES]


class Side:
    """A program with a home of its own."""

    def __init__(self, program, home):
        self.program, self.home = program, home
        self.data = home / "data" / "iscc-search"
        home.mkdir(exist_ok=True)
        self.env = {name: value for name, value in os.environ.items()
                    if not name.upper().startswith("ISCC_SEARCH_") and name not in ("HF_HOME", "HF_TOKEN")}
        self.env.update({"HOME": str(home), "XDG_DATA_HOME": str(home / "data"), "COLUMNS": "300", "LC_ALL": "C.UTF-8",
                         "NO_COLOR": "1", "TERM": "dumb"})

    def run(self, *words, **options):
        return subprocess.run([str(self.program), *(str(word) for word in words)], env=self.env, cwd=self.home,
                              stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False, timeout=120, **options)

    def good(self, *words):
        done = self.run(*words)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout


@pytest.fixture
def theirs(peer_python, tmp_path):  # noqa: F811
    return Side(Path(peer_python).parent / "iscc-search", tmp_path / "home")


@pytest.fixture
def ours(tmp_path):
    """Our program in the home of the other one."""
    return Side(BIN, tmp_path / "home")


# --- an index that 0.3.3 has written last ---------------------------------------------------------

IDS = sorted(record["iscc_id"] for record in RECORDS)


@pytest.fixture
def written(theirs):
    theirs.good("add", FILES[0].parent)
    return theirs


@pytest.mark.parametrize("words", [("list", "--ids"), ("list",), ("list", "--simprints"), ("export",), ("stats", "--json")],
                         ids=" ".join)
def test_what_0_3_3_has_written_is_read_at_once(written, ours, words):
    """It is brought up to date first, as by a search."""
    said = ours.run(*words)
    assert said.returncode == 0, said.stderr
    if words[0] == "stats":
        assert json.loads(said.stdout)["assets"] == len(IDS)
    elif "--ids" in words:
        assert sorted(said.stdout.split()) == IDS
    else:
        assert sorted(json.loads(line)["iscc_id"] for line in said.stdout.splitlines()) == IDS


def test_an_export_is_complete_after_each_turn(written, ours):
    once = ours.good("export")
    shutil.copy(FILES[0], ours.home / "again.iscc.json")
    written.good("add", ours.home / "again.iscc.json")
    again = ours.good("export")
    assert once.count("\n") == again.count("\n") == len(IDS)
    assert "again.iscc.utf8" in again and "again.iscc.utf8" not in once


def test_a_copy_of_it(written, ours):
    ours.good("index", "copy", "default", "copied", "--to-uri", f"lmdb://{ours.home}/copied")
    copied = ours.good("list", "--ids", "--index", "copied", "--uri", f"lmdb://{ours.home}/copied")
    assert sorted(copied.split()) == IDS


@pytest.mark.parametrize("words", [("list", "--ids"), ("export",), ("index", "copy", "default", "copied")], ids=" ".join)
def test_where_it_cannot_be_written_that_is_said(written, ours, words):
    with read_only_view(written.data) as folder:
        where = ["--from-uri" if words[0] == "index" else "--uri", f"usearch://{folder}"]
        if words[0] == "index":
            where += ["--to-uri", f"usearch://{ours.home}/to"]
        said = ours.run(*words, *where)
    assert (said.returncode, said.stdout) == (1, "")
    assert "was last written by another program or another version, and cannot be brought up to date: " in said.stderr
    assert "Read-only file system" in said.stderr


# --- both, each in a home of its own --------------------------------------------------------------

def json_of(done):
    """The JSON on standard output, behind the log lines of 0.3.3; None: there is none."""
    lines = done.stdout.splitlines()
    start = next((i for i, line in enumerate(lines) if line in ("{", "[", "{}", "[]")), None)
    return None if start is None else json.JSONDecoder().raw_decode("\n".join(lines[start:]))[0]


@pytest.fixture(scope="module")
def sides(peer_python, tmp_path_factory):  # noqa: F811
    """The two programs, with the files of the sample in the default index of each. Only for reading."""
    made = []
    for name, program in (("theirs", Path(peer_python).parent / "iscc-search"), ("ours", BIN)):
        side = Side(program, tmp_path_factory.mktemp(name) / "home")
        side.good("add", FILES[0].parent)
        made.append(side)
    return made


@pytest.fixture
def fresh(peer_python, tmp_path):  # noqa: F811
    return [Side(program, tmp_path / name)
            for name, program in (("theirs", Path(peer_python).parent / "iscc-search"), ("ours", BIN))]


def home_of(side, value):
    """The same with HOME in the place of the home."""
    return json.loads(json.dumps(value).replace(str(side.home), "HOME"))


def both(sides, *words):
    """Exit codes and JSON of both, which have to be the same. Returns them, and both outputs."""
    done = [side.run(*words) for side in sides]
    answers = [(one.returncode, home_of(side, json_of(one))) for side, one in zip(sides, done)]
    assert answers[1] == answers[0], done
    return (*answers[0], *done)


@pytest.mark.parametrize("words", [
    ("get", RECORDS[0]["iscc_id"]), ("get", RECORDS[5]["iscc_id"]), ("get", RECORDS[0]["iscc_id"], "--index", "default"),
    ("get", "ISCC:MAIGHXLN555Y2DFG"), ("get", "x"), ("get", "ISCC:MAIG"), ("get",), ("get", RECORDS[0]["iscc_id"], "--index", "nope"),
    ("search", "x"), ("search", RECORDS[0]["iscc"], "--index", "nope"), ("search",), ("search", RECORDS[0]["iscc"], "-l", "x"),
    ("search", RECORDS[0]["iscc"], "--nonsense"),
    ("index", "use", "nope"), ("index", "remove", "nope"), ("index", "nonsense"), ("index",), ("nonsense",), (),
    ("index", "rebuild", "--all", "--index", "nope"), ("index", "rebuild"), ("index", "rebuild", "--all", "--unit-type", "DATA_NONE_V0"),
    ("index", "add", "a"), ("index", "add", "a", "--local", "--remote", "http://127.0.0.1:1"), ("index", "add"),
    ("add",), ("add", "/nothing/here.json"), ("add", "nothing*.json"), ("add", "--nonsense", "x"), ("add", FILES[0], "-s", "63"),
    ("add", FILES[0], "--simprint-bits", "512"), ("version", "x"), ("serve", "--port", "x"),
], ids=lambda words: " ".join(str(word) for word in words)[-60:] or "nothing")
def test_exit_codes_and_json(sides, words):
    both(sides, *words)


@pytest.mark.parametrize("record", RECORDS, ids=lambda record: record["iscc_id"])
def test_search_by_the_code_of_each_file(sides, record):
    """The best match, its score and what it carries; 0.3.3 is approximate, so of the others only those count that both have."""
    answers = [json_of(side.run("search", record["iscc"], "--limit", "10")) for side in sides]
    theirs, ours = (home_of(side, answer) for side, answer in zip(sides, answers))
    assert list(ours) == list(theirs) == ["query", "global_matches", "chunk_matches"]
    assert ours["query"] == theirs["query"] and ours["chunk_matches"] == theirs["chunk_matches"] == []
    best = ours["global_matches"][0]
    assert list(best) == list(theirs["global_matches"][0]) == ["iscc_id", "score", "types", "metadata"]
    assert best["iscc_id"] == theirs["global_matches"][0]["iscc_id"] == record["iscc_id"]
    assert best["score"] == pytest.approx(theirs["global_matches"][0]["score"])
    assert best["types"] == theirs["global_matches"][0]["types"]
    assert best["metadata"] == theirs["global_matches"][0]["metadata"]
    own = {match["iscc_id"]: match for match in ours["global_matches"]}
    for match in theirs["global_matches"]:
        assert own[match["iscc_id"]]["types"].items() >= match["types"].items()


def test_the_default_limit(sides):
    for side in sides:
        assert 1 <= len(json_of(side.run("search", RECORDS[0]["iscc"]))["global_matches"]) <= 3


# --- adding ---------------------------------------------------------------------------------------

@pytest.fixture
def folders(fresh):
    """The same files in the home of each: some good, one broken, one without units."""
    for side in fresh:
        folder = side.home / "files"
        (folder / "deep").mkdir(parents=True)
        for i, path in enumerate(FILES[:4]):
            shutil.copy(path, folder / ("deep" if i % 2 else ".") / path.name)
        (folder / "name.iscc.json").write_text(json.dumps({**RECORDS[5], "name": "  A name  "}), encoding="utf-8")
        (folder / "other.json").write_text(json.dumps(RECORDS[6]), encoding="utf-8")
    return fresh


def stored(side):
    """What both programs answer for all assets; ours reads both homes."""
    reader = Side(BIN, side.home)
    return sorted(line.replace(str(side.home), "HOME") for line in reader.good("export").splitlines())


@pytest.mark.parametrize("words", [("HOME/files",), ("HOME/files", "-b", "2"), ("HOME/files/*.iscc.json",), ("files/**/*.json",),
                                   ("files/deep/*.iscc.json", "-v"), ("HOME/files/name.iscc.json",), ("HOME/files", "-s", "64")],
                         ids=" ".join)
def test_what_is_added(folders, words):
    done = []
    for side in folders:
        absolute = [word.replace("HOME", str(side.home)) for word in words]
        # 0.3.3 takes no relative path to a file: it is given the absolute one
        if side.program != BIN:
            absolute[0] = absolute[0] if absolute[0].startswith("/") else f"{side.home}/{absolute[0]}"
            if "**" in absolute[0]:
                absolute[0] = f"{side.home}/files"
        done.append(side.run("add", *absolute))
    if "files/**/*.json" in words:  # beyond 0.3.3, which takes wildcards of absolute paths in the last component only
        assert json_of(done[1])["assets_added"] == json_of(done[0])["assets_added"] + 1
        return
    assert done[1].returncode == done[0].returncode == 0
    assert json_of(done[1]) == json_of(done[0])
    assert list(json_of(done[1])) == list(json_of(done[0]))
    assert stored(folders[1]) == stored(folders[0])


def test_the_same_again_is_an_update(folders):
    for expected in ("created", "updated"):
        answers = [json_of(side.run("add", side.home / "files")) for side in folders]
        assert answers[1] == answers[0] and answers[0][expected] == 5


@pytest.mark.parametrize("content", ["{", "", "[]", "nonsense", "{}", '{"iscc_id": 1}'])
def test_a_bad_file_alone(fresh, content):
    for side in fresh:
        (side.home / "a.iscc.json").write_text(content, encoding="utf-8")
    done = [side.run("add", side.home / "a.iscc.json") for side in fresh]
    assert done[1].returncode == done[0].returncode == 4
    assert json_of(done[1]) is None and json_of(done[0]) is None
    assert "No valid assets found" in done[0].stdout and "No valid assets found" in done[1].stderr


def test_a_bad_file_among_others(folders):
    for side in folders:
        (side.home / "files" / "zz.iscc.json").write_text("{", encoding="utf-8")
    done = [side.run("add", side.home / "files") for side in folders]
    assert [json_of(one) for one in done] == [json_of(done[0])] * 2
    assert done[1].returncode == done[0].returncode == 0 and json_of(done[1])["errors"] == 1
    assert "Warnings:" in done[0].stdout and "Warnings:" in done[1].stderr


# --- the configuration ----------------------------------------------------------------------------

def config_of(side):
    text = (side.data / "config.json").read_text(encoding="utf-8")
    return text.replace(str(side.home), "HOME").rstrip("\n")  # ours ends its last line


STEPS = [
    [("index", "list")],
    [("index", "add", "one", "--local")],
    [("index", "add", "one", "--local", "--path", "HOME/elsewhere"), ("index", "use", "one"), ("index", "list")],
    [("index", "add", "far", "--remote", "http://127.0.0.1:1/", "--api-key", "k"), ("index", "use", "far")],
    [("index", "add", "one", "--local"), ("index", "add", "two", "--local"), ("index", "use", "two"), ("index", "remove", "two")],
    [("index", "remove", "default")],
    [("index", "remove", "default"), ("search", RECORDS[0]["iscc"])],
    [("index", "add", "one", "--local"), ("index", "remove", "one", "--delete-data")],
    [("index", "add", "one", "--local"), ("add", FILES[0], "--index", "one"), ("index", "remove", "one", "--delete-data"),
     ("get", RECORDS[0]["iscc_id"], "--index", "one")],
    [("add", FILES[0]), ("index", "rebuild", "--all")],
    [("add", FILES[0]), ("index", "rebuild", "--unit-type", "CONTENT_TEXT_V0", "--unit-type", "NONE_SUCH_V0")],
    [("index", "add", "Bad-Name", "--local"), ("add", FILES[0], "--index", "Bad-Name")],
]


@pytest.mark.parametrize("steps", STEPS, ids=lambda steps: ", ".join(" ".join(map(str, step))[-40:] for step in steps))
def test_the_configuration(fresh, steps):
    """The same exit codes, and the same config.json, whatever line ends it."""
    for step in steps:
        codes = [side.run(*(str(word).replace("HOME", str(side.home)) for word in step)) for side in fresh]
        assert codes[1].returncode == codes[0].returncode, (codes, step)
        if (fresh[0].data / "config.json").exists():
            assert config_of(fresh[1]) == config_of(fresh[0])


def test_messages_of_index(fresh):
    """Sentences that scripts may look for are the same, where 0.3.3 has them on standard output."""
    for step in (("index", "add", "one", "--local"), ("index", "use", "one"), ("index", "remove", "one"),
                 ("index", "add", "one", "--local", "--path", "HOME/x"), ("index", "remove", "one", "--delete-data")):
        theirs, ours = (side.run(*(word.replace("HOME", str(side.home)) for word in step)) for side in fresh)
        for line in theirs.stdout.replace(str(fresh[0].home), "HOME").splitlines():
            if line.strip() and "|" not in line:
                assert line.strip() in (ours.stdout + ours.stderr).replace(str(fresh[1].home), "HOME"), step


def test_the_version(sides):
    theirs, ours = (side.good("version") for side in sides)
    assert theirs == "iscc-search version 0.3.3\n"
    assert ours.startswith("iscc-search version ")
