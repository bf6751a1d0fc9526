"""Help on every level, and what is no command line."""

import pytest

LEVELS = [(), ("add",), ("search",), ("get",), ("index",), ("serve",), ("version",),
          ("index", "add"), ("index", "list"), ("index", "use"), ("index", "remove"),
          ("index", "rebuild")]

OPTIONS = {
    ("add",): ["--verbose", "--simprint-bits", "--batch-size", "--index", "--uri"],
    ("search",): ["--limit", "--json", "--table", "--index", "--uri"],
    ("get",): ["--index", "--uri"],
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
    (("get", "a", "b"), "unexpected argument 'b'"),
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
