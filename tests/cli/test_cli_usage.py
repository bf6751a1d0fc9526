"""Help on every level, what is no command line, and output that goes nowhere."""

import subprocess

import pytest

from commandline import sample, write_lines

LEVELS = [(), ("add",), ("search",), ("duplicates",), ("get",), ("hub",), ("datasets",), ("list",), ("remove",), ("export",), ("import",),
          ("stats",), ("inspect",), ("compare",),
          ("index",), ("serve",), ("help",), ("version",),
          *(("index", name) for name in ("add", "list", "use", "remove", "rebuild", "backup", "compact", "check", "fields", "copy", "stats"))]

OPTIONS = {
    ("add",): ["--verbose", "--simprint-bits", "--batch-size", "--index", "--uri"],
    ("search",): ["--limit", "--json", "--table", "--index", "--uri"],
    ("get",): ["--index", "--uri"],
    ("hub",): ["--split", "--limit", "--batch-size", "--index", "--uri", "--resume"],
    ("datasets",): ["--author", "--limit", "--json"],
    ("serve",): ["--host", "--port", "--dev", "--workers"],
    ("index", "add"): ["--local", "--path", "--remote", "--api-key"],
    ("index", "remove"): ["--delete-data"],
    ("index", "rebuild"): ["--all", "--unit-type", "--simprint-type", "--index"],
}


@pytest.mark.parametrize("words", LEVELS, ids=" ".join)
def test_help(cli, words):
    said = cli.good(*words, "--help")
    assert said.out.count("Usage: iscc-search " + " ".join(words)) == 1
    assert said.err == ""
    for option in OPTIONS.get(words, []):
        assert option in said.out
    assert all(len(line) <= 100 for line in said.out.splitlines())
    if words != ("serve",):  # where -h is the host, as in 0.3.3
        assert cli.good(*words, "-h").out == said.out
    assert not cli.config_path.exists()


@pytest.mark.parametrize("words", LEVELS, ids=" ".join)
@pytest.mark.parametrize("columns", [50, 72, 200])
def test_help_fits_the_terminal(cli, words, columns):
    """Examples and lists, in lines that begin with blanks, stay as they are; no word is broken."""
    code, shown, _ = cli.on_terminal(*words, "--help", columns=columns)
    assert code == 0
    for line in shown.replace("\r", "").splitlines():
        stays = line.startswith("Usage: ") or line.startswith("  ") and (columns < 72 or "  --" not in line)
        assert len(line) <= min(columns, 100) or stays, line
    assert shown.split() == cli.good(*words, "--help").out.split()


@pytest.mark.parametrize("words", [(), ("index",)], ids=["iscc-search", "index"])
def test_no_arguments(cli, words):
    said = cli.run(*words)
    assert said.code == 2
    assert said.out == cli.good(*words, "--help").out


@pytest.mark.parametrize("words, message", [
    (("nonsense",), "no such command 'nonsense'"),
    (("index", "nonsense"), "no such command 'nonsense'"),
    (("add",), "missing argument"),
    (("get",), "missing argument"),
    (("search",), "missing argument"),
    (("index", "add", "--local"), "missing argument"),
    (("index", "use"), "missing argument"),
    (("version", "x"), "unexpected argument 'x'"),
    (("add", ".", "--nonsense"), "no such option '--nonsense'"),
    (("add", ".", "-z"), "no such option '-z'"),
    (("search", "x", "--limit"), "a value is missing after option '--limit'"),
    (("search", "x", "--json=1"), "no value expected for option '--json'"),
    (("search", "x", "--limit", "0"), "--limit 0: expected a whole number from 1"),
    (("search", "x", "--limit", "-1"), "--limit -1: expected"),
    (("search", "x", "-l", "1.5"), "--limit 1.5: expected"),
    (("serve", "--port", "70000"), "--port 70000: expected"),
    (("serve", "--port=abc"), "--port abc: expected"),
    (("serve", "--workers", "0"), "--workers 0: expected"),
], ids=lambda value: " ".join(value) if isinstance(value, tuple) else "")
def test_usage_error(cli, words, message):
    said = cli.run(*words)
    assert (said.code, said.out) == (2, ""), said
    assert message in said.err


def test_batch_size_is_a_number(cli):
    (cli.work / "a.jsonl").write_text("")
    for value in ("0", "x", "-1"):
        said = cli.run("add", "a.jsonl", "--batch-size", value)
        assert (said.code, said.out) == (2, ""), said
        assert "--batch-size" in said.err


@pytest.mark.parametrize("words, meant", [
    (("serch",), "search"), (("ad",), "add"), (("dupl",), "duplicates"), (("Add",), "add"), (("index", "lsit"), "list"),
    (("index", "backpu"), "backup"), (("help", "serach"), "search"), (("help", "index", "compct"), "compact"),
    (("search", "x", "--limt", "3"), "--limit"), (("search", "x", "--limti=3"), "--limit"), (("add", "--verbos", "x"), "--verbose"),
    (("search", "--hlep"), "--help"), (("--versoin",), "--version"), (("index", "--hepl"), "--help"),
], ids=lambda value: " ".join(value) if isinstance(value, tuple) else "")
def test_what_was_probably_meant(cli, words, meant):
    said = cli.run(*words)
    assert (said.code, said.out) == (2, "")
    assert said.err.splitlines()[1] == f"Did you mean '{meant}'?"


@pytest.mark.parametrize("words", [("nonsense",), ("x",), ("index", "photo.jpg"), ("search", "x", "--nonsense"),
                                   ("search", "-z"), ("",), ("x" * 100,)], ids=lambda words: words[-1][:10])
def test_nothing_is_suggested_for_what_is_like_nothing(cli, words):
    said = cli.run(*words)
    assert said.code == 2 and "Did you mean" not in said.err


def test_index_names_are_suggested(cli):
    cli.good("index", "add", "production", "--local")
    message = "Error: Index 'prodution' not found in configuration"
    said = cli.run("search", sample(1)[0]["iscc_code"], "--index", "prodution")
    assert said.err == f"{message} ('iscc-search index list' shows them). Did you mean 'production'?\n"
    for words in (("use",), ("remove",), ("rebuild", "--all", "--index")):
        said = cli.run("index", *words, "prodution")
        assert (said.code, said.err) == (1, f"{message}\nDid you mean 'production'?\n"
                                            "Use 'iscc-search index list' to see available indexes\n")


def test_help_of_a_command(cli):
    for words in LEVELS:
        assert cli.good("help", *words).out == cli.good(*words, "--help").out
    for words in (("nonsense",), ("index", "nonsense"), ("add", "nonsense")):
        said = cli.run("help", *words)
        assert (said.code, said.out) == (2, "") and "no such command 'nonsense'" in said.err


def test_version_as_an_option(cli):
    for word in ("-V", "--version"):
        assert cli.good(word).out == cli.good("version").out


def test_version(cli):
    said = cli.good("version")
    assert said.out.startswith("iscc-search version ") and said.out.count("\n") == 1
    assert said.err == ""


def test_a_word_after_two_dashes_is_no_option(cli):
    said = cli.run("get", "--", "--help")
    assert said.code == 1
    assert said.err.startswith("Error: ")


def test_data_folder_below_home(cli):
    env = {"XDG_DATA_HOME": ""}
    cli.good("index", "list", env=env)
    assert (cli.home / ".local/share/iscc-search/config.json").exists()


# --- output that goes nowhere ---------------------------------------------------------------------

@pytest.mark.parametrize("words", [
    ("version",), ("--help",), ("add", "--help"), ("index", "list"), ("add", "a.jsonl"),
    ("get", "ID"), ("search", "ID"), ("search", "ID", "--table"), ("index", "check", "default"),
    ("get", "LONG")], ids=" ".join)
def test_output_that_cannot_be_written_is_an_error(cli, words):
    """Also one that is longer than what the C library keeps, of which it forgets the reason."""
    rows = sample(2)
    rows[1]["metadata"] = {"text": "x" * 100000}
    write_lines(cli.work / "a.jsonl", rows)
    cli.good("add", "a.jsonl")
    ids = {"ID": rows[0]["iscc_id"], "LONG": rows[1]["iscc_id"]}
    with open("/dev/full", "w", encoding="utf-8") as full:
        done = subprocess.run(cli.command([ids.get(word, word) for word in words]), cwd=cli.work,
                              env=cli.env, stdout=full, stderr=subprocess.PIPE, text=True,
                              timeout=60, check=False)
    assert done.returncode == 1, done
    assert done.stderr == "Error: standard output: No space left on device\n"


def test_another_exit_status_is_kept_when_nothing_can_be_written(cli):
    with open("/dev/full", "w", encoding="utf-8") as full:
        done = subprocess.run(cli.command(["index"]), cwd=cli.work, env=cli.env, stdout=full,
                              stderr=subprocess.PIPE, timeout=60, check=False)
    assert done.returncode == 2
    assert b"No space left on device" in done.stderr


@pytest.mark.parametrize("closed", ["2>&-", ">&- 2>&-", "<&- >&- 2>&-"])
def test_messages_do_not_go_into_an_index(cli, closed):
    """With standard error closed its number was that of the next file: the index, or its locks."""
    write_lines(cli.work / "a.jsonl", sample(3))
    cli.good("add", "a.jsonl")
    folder = cli.data / "default"
    done = subprocess.run(["sh", "-c", f'"$@" {closed}', "sh",
                           *cli.command(["add", "nothere", "a.jsonl", "-v"])],
                          cwd=cli.work, env=cli.env, capture_output=True, timeout=60, check=False)
    assert done.returncode == 0
    assert not [path for path in folder.iterdir() if b"nothere" in path.read_bytes()]
    cli.good("index", "check", "default")
