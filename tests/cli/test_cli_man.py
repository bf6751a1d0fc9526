"""The man page has what the program has: every option of every --help, and every variable."""

import re

import pytest

from commandline import TOP
from test_cli_usage import LEVELS

COMMANDS = [words for words in LEVELS if words and words != ("index",)]


def page():
    """Its text, with the marks of fonts and quotes taken out."""
    text = (TOP / "docs/iscc-search.1").read_text(encoding="utf-8").replace("\\-", "-")
    return re.sub(r'\\f.|"', "", text)


def commands_of(title):
    """The commands that a section is about: "add", or those of "Options of index backup and check"."""
    found = re.fullmatch(r"Options of (index )?(.*)", title)
    return [(found[1] or "") + name for name in re.split(", | and ", found[2])] if found else [title]


def sections(command):
    """What the page says of a command."""
    parts = re.split(r"^\.S[SH] (.*)\n", page(), flags=re.M)
    return "".join(text for title, text in zip(parts[1::2], parts[2::2]) if command in commands_of(title))


def test_every_command_is_known_here(cli):
    for words in ((), ("index",)):
        listed = re.findall(r"^  ([a-z]+) +\S", cli.good(*words, "--help").out.split("Commands:\n")[1]
                            .split("\n\n")[0], re.M)
        for name in listed:
            assert (*words, name) in [*COMMANDS, ("index",)]


@pytest.mark.parametrize("words", [(), *COMMANDS], ids=" ".join)
def test_every_option_is_in_the_man_page(cli, words):
    shown = re.findall(r"^  (?:(-\w), )?(--[a-z-]+)", cli.good(*words, "--help").out, re.M)
    text = sections(" ".join(words) or "Options without a command")
    assert shown and text
    for letter, name in shown:
        if name != "--help":  # said once, for all commands
            assert re.search(rf"{name}(?![\w-])", text), f"{words}: {name}"
            assert not letter or re.search(rf"(?<![\w-]){letter}(?![\w-])", text), f"{words}: {letter}"


def test_every_variable_is_in_the_man_page():
    source = (TOP / "src/cli/settings.c").read_text(encoding="utf-8")
    names = re.findall(r'\{ "([A-Z_]+)", (?:TEXT|NUMBER|FRACTION),', source)
    names += re.findall(r'find_value\("([A-Z_]+)"', source)
    assert len(names) > 40
    known = set(re.findall(r"\bISCC_SEARCH_([A-Z_]+)\b", page()))
    assert set(names) - known == set()
    assert known - set(names) == {"SENTRY_DSN", "AGGREGATOR_HUB_LIST_URL"}  # 0.3.3's, not looked at
