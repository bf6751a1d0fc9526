"""config.json when it cannot be read or written: what is in it stays, and the message says how to go on."""

import json
import os
import socket
import stat
import subprocess

import pytest

from commandline import FILES
from mounts import NOBODY, open_folder, small_disk
from serving import iscc_id

REMOTE = {"active_index": "r", "indexes": {"r": {"type": "remote", "url": "http://127.0.0.1:1", "api_key": "s3cret"}}}
GOOD = json.dumps(REMOTE, indent=2)

# every command that reads the file
READERS = [("index", "list"), ("index", "use", "r"), ("index", "add", "n", "--local"), ("index", "remove", "r"),
           ("index", "rebuild", "--all"), ("index", "backup", "r", "b"), ("index", "compact", "r"),
           ("index", "check", "r"), ("get", iscc_id(1)), ("search", iscc_id(1)), ("add", FILES[0])]

# what is in the file, and the line where it is wrong
BROKEN = {
    "a comma too many": ('{\n  "active_index": "r",\n  "indexes": {},\n}\n', 4),
    "a comma in an entry": (GOOD.replace('"s3cret"', '"s3cret",'), 8),
    "cut": (GOOD[:-3], 9),
    "a comment": ("// ours\n" + GOOD, 1),
    "single quotes": (GOOD.replace('"', "'"), 2),
    "no UTF-8": (GOOD.encode().replace(b"s3cret", b"s\xff"), 7),
    "NUL": ("\0\0", 1),
    "empty": ("", 1),
    "blank": ("\n  \n", 1),
    "something behind it": (GOOD + "\nx", 11),
    "an array": ("\n[]", 2),
    "null": ("null", 1),
    "a text": ('"x"', 1),
    "indexes as an array": ('{\n"indexes": [{"name": "a", "url": "http://h"}]}', 2),
    "indexes as a number": ('{"indexes": 5}', 1),
    "active as a number": ('{"indexes": {},\n"active_index": 7}', 2),
    "active as an object": ('{"indexes": {},\n\n"active_index": {}}', 3),
    "two lists of indexes": ('{"indexes": {"a": {"type": "local", "path": "/x"}},\n "indexes": {}}', 2),
    "two active indexes": ('{"active_index": "a",\n\n "active_index": null}', 3),
    "two indexes of one name": ('{"indexes": {"a": {"type": "local", "path": "/x"},\n"\\u0061": 5}}', 2),
    **{f"{name} twice in a {kind} entry": (f'{{"indexes": {{"a": {{"type": "{kind}", "{needs}": "/x", "api_key": null,\n"x": 1,\n'
                                     f'"{name}": "/y",\n"{name}": "{kind}"}}}}}}', 3 + (name not in (needs, "type", "api_key")))
       for kind, needs in (("remote", "url"), ("local", "path")) for name in ("type", "url", "path", "api_key")},
    "a member twice, once with an escape": ('{"indexes": {"a": {"type": "remote", "url": "http://h",\n'
                                            '"\\u0075rl": "http://i"}}}', 2),
    "two lists of indexes, one with escapes": ('{"indexes": {},\n"\\u0069ndexe\\u0073": {}}', 2),
    "a name with NUL": ('{"indexes": {\n"a\\u0000b": {"type": "local", "path": "/x"}}}', 2),
}


def write(cli, content):
    raw = content if isinstance(content, bytes) else content.encode()
    cli.data.mkdir(parents=True, exist_ok=True)
    cli.config_path.write_bytes(raw)
    return raw


def expect_untouched(cli, raw):
    assert cli.config_path.read_bytes() == raw
    assert os.listdir(cli.data) == ["config.json"]


@pytest.mark.parametrize("content, line", BROKEN.values(), ids=BROKEN.keys())
def test_a_broken_file_stays_and_its_line_is_named(cli, content, line):
    raw = write(cli, content)
    said = cli.run("index", "list")
    assert (said.code, said.out) == (1, "")
    assert f"{cli.config_path}: line {line}" in said.err
    assert "a new one is made" in said.err
    expect_untouched(cli, raw)


@pytest.mark.parametrize("words", READERS, ids=lambda words: " ".join(map(str, words[:2])))
def test_every_command_refuses_a_broken_file(cli, words):
    raw = write(cli, '{"indexes": {},}')
    said = cli.run(*words)
    assert (said.code, said.out) == (1, "")
    assert f"{cli.config_path}: line 1, column 16: " in said.err
    expect_untouched(cli, raw)


def test_going_on_as_the_message_says(cli):
    write(cli, "{")
    assert cli.run("index", "list").code == 1
    cli.config_path.rename(cli.data / "old.json")
    cli.good("index", "list")
    assert cli.config()["active_index"] == "default"


@pytest.mark.parametrize("content", [GOOD, GOOD.replace("\n", "\r\n"), "\n\n" + GOOD])
def test_a_byte_order_mark_is_skipped(cli, content):
    write(cli, b"\xef\xbb\xbf" + content.encode())
    assert "http://127.0.0.1:1" in cli.good("index", "list").out
    cli.good("index", "add", "n", "--local")
    after = cli.config()
    assert after["indexes"]["r"] == REMOTE["indexes"]["r"] and after["active_index"] == "r"


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-32"])
def test_another_encoding_is_named(cli, encoding):
    raw = write(cli, GOOD.encode(encoding))
    said = cli.run("index", "list")
    assert said.code == 1 and str(cli.config_path) in said.err and encoding[:6].upper() in said.err
    expect_untouched(cli, raw)


def test_a_file_that_may_not_be_read(cli):
    with open_folder() as folder:
        cli.data = folder / "iscc-search"
        cli.config_path = cli.data / "config.json"
        raw = write(cli, GOOD)
        cli.data.chmod(0o777)
        cli.config_path.chmod(0)
        done = subprocess.run([*NOBODY, *cli.command(["index", "list"])], cwd="/", check=False,
                              env={**cli.env, "XDG_DATA_HOME": str(folder)}, capture_output=True, text=True)
        assert (done.returncode, done.stdout) == (1, "")
        assert f"{cli.config_path}: Permission denied" in done.stderr and "a new one is made" in done.stderr
        expect_untouched(cli, raw)


@pytest.mark.parametrize("kind", ["folder", "FIFO", "socket", "device"])
def test_something_else_than_a_file(cli, kind):
    cli.data.mkdir(parents=True)
    if kind == "folder":
        cli.config_path.mkdir()
    elif kind == "FIFO":
        os.mkfifo(cli.config_path)
    elif kind == "device":
        cli.config_path.symlink_to("/dev/zero")
    else:
        with socket.socket(socket.AF_UNIX) as at:
            os.chdir(cli.data)  # names of sockets are short
            try:
                at.bind("config.json")
            finally:
                os.chdir("/")
    said = cli.run("index", "add", "n", "--local", timeout=20)
    assert (said.code, said.out) == (1, "")
    assert f"{cli.config_path}: expected a regular file, this is a {kind}" in said.err


def test_a_link_stays_and_what_it_leads_to_is_replaced(cli):
    write(cli, GOOD)
    real = cli.work / "dotfiles.json"
    cli.config_path.rename(real)
    cli.config_path.symlink_to(real)
    cli.good("index", "add", "n", "--local")
    assert cli.config_path.is_symlink()
    assert set(json.loads(real.read_text())["indexes"]) == {"r", "n"}
    assert sorted(path.name for path in cli.work.iterdir()) == ["dotfiles.json"]


def test_a_link_to_nothing(cli):
    cli.data.mkdir(parents=True)
    cli.config_path.symlink_to(cli.work / "unmounted.json")
    said = cli.run("index", "list")
    assert (said.code, said.out) == (1, "")
    assert str(cli.config_path) in said.err and "a link to a file that is not there" in said.err
    assert cli.config_path.is_symlink() and not os.listdir(cli.work)


STRANGE = {
    "another type": {"type": "cloud", "path": "/x"},
    "a type that is no text": {"type": 1, "path": "/x"},
    "no object": 5,
    "no path": {"type": "local"},
    "a path that is no text": {"type": "local", "path": ["/x"]},
    "a path with NUL": {"type": "local", "path": "/x\0y"},
    "no url": {"type": "remote"},
    "a url that is no text": {"type": "remote", "url": None},
    "a key that is no text": {"type": "remote", "url": "http://h", "api_key": 5},
}


@pytest.mark.parametrize("strange", STRANGE.values(), ids=STRANGE.keys())
def test_an_entry_that_cannot_be_used_stays_as_it_is(cli, strange):
    cli.write_config({"active_index": "a", "indexes": {"s": strange, "a": {"type": "local", "path": "/x"}}})
    said = cli.good("index", "add", "n", "--local")
    assert "config.json: index 's' cannot be used: " in said.err
    assert cli.config()["indexes"]["s"] == strange
    said = cli.run("get", iscc_id(1), "-i", "s")
    assert said.code == 1 and "Index 's' not found" in said.err


def test_members_of_the_other_kind_stay(cli):
    entries = {"a": {"type": "local", "path": "/x", "url": "http://h", "api_key": "k"},
               "b": {"type": "remote", "url": "http://h", "path": "/y"}}
    cli.write_config({"active_index": "a", "indexes": entries})
    cli.good("index", "use", "b")
    assert cli.config()["indexes"] == entries


def test_a_full_disk_leaves_the_old_file(cli):
    with small_disk(1) as folder:
        (folder / "iscc-search").mkdir()
        path = folder / "iscc-search/config.json"
        path.write_text(GOOD)
        with open(folder / "ballast", "wb", buffering=0) as ballast:
            with pytest.raises(OSError):
                while True:
                    ballast.write(b"x" * 4096)
        said = cli.run("index", "add", "n" * 20, "--local", "--path", "/" + "p" * 200,
                       env={"XDG_DATA_HOME": str(folder)})
        assert said.code == 1 and f"{path}: No space left on device" in said.err
        assert path.read_text() == GOOD
        assert sorted(os.listdir(folder / "iscc-search")) == ["config.json"]


def test_a_folder_that_cannot_be_written_leaves_the_old_file(cli):
    with open_folder() as folder:
        (folder / "iscc-search").mkdir(mode=0o755)
        path = folder / "iscc-search/config.json"
        path.write_text(GOOD)
        path.chmod(0o644)
        done = subprocess.run([*NOBODY, *cli.command(["index", "add", "n", "--local"])], cwd="/", check=False,
                              env={**cli.env, "XDG_DATA_HOME": str(folder)}, capture_output=True, text=True)
        assert done.returncode == 1 and f"{path}: Permission denied" in done.stderr
        assert path.read_text() == GOOD


# The shell becomes the program, so that its process number is known.
AT_PID = 'cd "$1" && ln -s "$2" config.json.$$ && shift 2 && exec "$@"'


def test_a_link_in_the_place_of_a_temporary_file_is_not_followed(cli):
    """Whoever can write to the folder must not make us overwrite a file elsewhere, or read the keys."""
    write(cli, GOOD)
    victim = cli.work / "victim"
    victim.write_text("precious")
    done = subprocess.run(["sh", "-c", AT_PID, "sh", cli.data, victim, *cli.command(["index", "add", "n", "--local"])],
                          env=cli.env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert victim.read_text() == "precious"
    assert not cli.config_path.is_symlink()
    assert stat.S_IMODE(os.stat(cli.config_path).st_mode) == 0o600
    assert cli.config()["indexes"]["r"]["api_key"] == "s3cret"


@pytest.mark.parametrize("umask", [0, 0o777])
def test_only_its_owner_may_read_it_whatever_the_umask(cli, umask):
    write(cli, GOOD)
    cli.config_path.chmod(0o644)
    before = os.umask(umask)
    try:
        cli.good("index", "add", "n", "--local")
    finally:
        os.umask(before)
    assert stat.S_IMODE(os.stat(cli.config_path).st_mode) & 0o077 == 0
