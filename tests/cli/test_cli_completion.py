"""Completion: what the program offers, and that bash, zsh and fish offer it to whoever presses Tab."""

import os
import pty
import re
import select
import shutil
import subprocess
import time

import pytest

from commandline import BINARY, TOP
from test_cli_usage import LEVELS

SHELLS = ["bash", "zsh", "fish"]


def offered(cli, *words):
    """The candidates for the last word."""
    return [line.split("\t")[0] for line in cli.good("--complete", *words).out.splitlines()]


@pytest.mark.parametrize("words", [(), ("index",)], ids=["iscc-search", "index"])
def test_commands_are_those_of_help(cli, words):
    listed = re.findall(r"^  ([a-z]+) +\S", cli.good(*words, "--help").out.split("Commands:\n")[1].split("\n\n")[0],
                        re.M)
    assert offered(cli, *words, "") == listed and "add" in listed
    assert offered(cli, "help", *words, "") == listed
    assert offered(cli, *words, listed[0][:2]) == [name for name in listed if name.startswith(listed[0][:2])]


@pytest.mark.parametrize("words", [words for words in LEVELS if words not in [(), ("index",), ("help",)]], ids=" ".join)
def test_options_are_those_of_help(cli, words):
    listed = re.findall(r"^  (?:-\w, )?(--[a-z-]+)", cli.good(*words, "--help").out, re.M)
    assert offered(cli, *words, "-") == offered(cli, *words, "--") == listed
    for name in listed:
        assert name in offered(cli, *words, name[:4])


def test_every_candidate_has_what_it_is_for(cli):
    for words in (("",), ("search", "-"), ("index", "add", "--")):
        for line in cli.good("--complete", *words).out.splitlines():
            assert re.fullmatch(r"\S+\t\S.*", line)


def test_index_names(cli):
    assert offered(cli, "index", "use", "") == []
    assert not cli.config_path.exists()  # asking creates nothing
    cli.good("index", "add", "main", "--local")
    cli.good("index", "add", "mirror", "--local", "--path", "/x")
    cli.write_config({**cli.config(), "indexes": {**cli.config()["indexes"], "$(touch x)": {
        "type": "local", "path": "/x"}, "r": {"type": "remote", "url": "http://h"}}})
    everything = ["default", "main", "mirror", "r"]
    for words in (("index", "use", ""), ("index", "check", ""), ("index", "backup", ""), ("index", "fields", ""), ("index", "stats", ""),
                  ("search", "--index", ""),
                  ("search", "x", "-i", ""), ("search", "--index", "=", ""), ("search", "--index", "="),
                  ("duplicates", "--against", ""), ("index", "copy", ""), ("index", "copy", "main", "")):
        assert offered(cli, *words) == everything, words
    assert offered(cli, "search", "--index", "m") == ["main", "mirror"]
    assert offered(cli, "search", "--index=mi") == ["--index=mirror"]
    assert offered(cli, "search", "--index", "=", "mi") == ["mirror"]
    assert offered(cli, "search", "--limit", "") == []


def test_ranks(cli):
    assert offered(cli, "search", "--rank", "") == ["score", "significance", "tiered"]
    assert offered(cli, "search", "--rank", "=", "ti") == ["tiered"]
    assert offered(cli, "search", "--rank=s") == ["--rank=score", "--rank=significance"]
    for rank in offered(cli, "search", "--rank", ""):
        assert rank in cli.good("search", "--help").out


def test_files_are_left_to_the_shell(cli):
    for words in (("add", ""), ("add", "a"), ("search", ""), ("index", "add", "x", "--path", ""), ("nonsense", "x", ""),
                  ("index", "backup", "main", "")):
        assert offered(cli, *words) == [], words


def test_a_damaged_configuration_says_nothing(cli):
    cli.write_config("{")
    said = cli.good("--complete", "index", "use", "")
    assert (said.out, said.err) == ("", "")


# --- shells ---------------------------------------------------------------------------------------

@pytest.mark.parametrize("shell", SHELLS)
def test_install(cli, shell):
    """The files of 0.3.3; a second time changes nothing."""
    file, settings = {"bash": (".bash_completions/iscc-search.sh", ".bashrc"), "zsh": (".zfunc/_iscc-search", ".zshrc"),
                      "fish": (".config/fish/completions/iscc-search.fish", None)}[shell]
    if settings:
        (cli.home / settings).write_text("# mine\n")
    said = cli.good("--install-completion", shell)
    assert said.out == (f"{shell} completion installed in {cli.home}/{file}\n"
                        "Completion will take effect once you restart the terminal\n")
    assert (cli.home / file).read_text() == cli.good("--show-completion", shell).out
    assert cli.good("--show-completion", env={"SHELL": f"/usr/bin/{shell}"}).out == (cli.home / file).read_text()
    if settings:
        text = (cli.home / settings).read_text()
        assert text.startswith("# mine\n") and len(text) > 10
        cli.good("--install-completion", shell)
        assert (cli.home / settings).read_text() == text


def test_other_shells_are_not_supported(cli):
    for option in ("--show-completion", "--install-completion"):
        for words, env in (((option, "tcsh"), {}), ((option,), {"SHELL": "/bin/tcsh"}), ((option + "=tcsh",), {})):
            said = cli.run(*words, env=env)
            assert (said.code, said.out) == (1, "")
            assert re.fullmatch(r"Error: Shell \S+ not supported: expected bash, zsh or fish\n", said.err)


def test_make_install_puts_them_in_place(tmp_path):
    for prefix, zsh in (("/usr", "vendor-completions"), ("/usr/local", "site-functions")):
        said = subprocess.run(["make", "-n", "install", f"PREFIX={prefix}", f"DESTDIR={tmp_path}", f"BUILD={BINARY.parent}"],
                              cwd=TOP, capture_output=True, text=True, check=True).stdout
        for name in ("bash-completion/completions/iscc-search", f"zsh/{zsh}/_iscc-search",
                     "fish/vendor_completions.d/iscc-search.fish"):
            assert f"{tmp_path}{prefix}/share/{name}\n" in said


def needs(shell):
    return pytest.mark.skipif(not shutil.which(shell), reason=f"{shell} is not installed")


@pytest.fixture
def path(cli):
    """The environment of a shell that finds the program."""
    return {**cli.env, "PATH": f"{BINARY.parent}:{cli.env['PATH']}", "TERM": "xterm", "HISTFILE": ""}


def press_tab(command, prepare, line, expected, env, cwd):
    """Type a line into an interactive shell, press Tab, and wait until the terminal shows a pattern afterwards."""
    parent, child = pty.openpty()
    process = subprocess.Popen(command, stdin=child, stdout=child, stderr=child, env=env, cwd=cwd,
                               start_new_session=True)
    os.close(child)

    def wait_for(pattern):
        seen, end = "", time.monotonic() + 60
        while not re.search(pattern, seen, re.S):
            assert time.monotonic() < end, seen
            if select.select([parent], [], [], 0.1)[0]:
                seen += os.read(parent, 65536).decode(errors="replace")

    try:
        os.write(parent, f"{prepare}; echo re''ady\n".encode())
        wait_for(r"ready\r?\n")
        os.write(parent, f"{line}\t".encode())
        wait_for(expected)
    finally:
        process.kill()
        process.wait()
        os.close(parent)


@needs("bash")
@pytest.mark.parametrize("words, found", [
    (["sea"], "search"), (["index", "ba"], "backup"), (["search", "--li"], "--limit"), (["index", "use", "def"], "default"),
    (["search", "--index", "=", "def"], "default")], ids=" ".join)
def test_bash(cli, path, words, found):
    cli.good("index", "list")
    script = cli.good("--show-completion", "bash").out + (
        f"COMP_WORDS=(iscc-search {' '.join(words)}); COMP_CWORD={len(words)}; _iscc_search; "
        "printf '%s\\n' \"${COMPREPLY[@]}\"")
    done = subprocess.run(["bash", "--norc", "-c", script], env=path, capture_output=True, text=True, check=True)
    assert done.stdout.split() == [found]


@needs("bash")
def test_bash_on_a_terminal(cli, path):
    cli.good("--install-completion", "bash")
    press_tab(["bash", "--norc", "-i"], "source ~/.bashrc", "iscc-search dupl", "iscc-search duplicates", path, cli.work)


@needs("zsh")
def test_zsh_on_a_terminal(cli, path):
    cli.good("--install-completion", "zsh")
    press_tab(["zsh", "-f", "-i"], "source ~/.zshrc", "iscc-search dupl", r"dupl.*icates", path, cli.work)


@needs("zsh")
def test_zsh_completes_files(cli, path):
    cli.good("--install-completion", "zsh")
    (cli.work / "photo.iscc.json").write_text("{}")
    press_tab(["zsh", "-f", "-i"], "source ~/.zshrc", "iscc-search add pho", r"to\.iscc\.json", path, cli.work)


@needs("fish")
@pytest.mark.parametrize("line, found", [
    ("iscc-search sea", "search"), ("iscc-search index ba", "backup"), ("iscc-search search --li", "--limit"),
    ("iscc-search index use def", "default"), ("iscc-search search --index=def", "--index=default"),
    ("iscc-search add pho", "photo.iscc.json")])
def test_fish(cli, path, line, found):
    cli.good("index", "list")
    cli.good("--install-completion", "fish")
    (cli.work / "photo.iscc.json").write_text("{}")
    done = subprocess.run(["fish", "-c", f"complete -C '{line}'"], env=path, cwd=cli.work, capture_output=True, text=True,
                          check=True)
    assert [row.split("\t")[0] for row in done.stdout.splitlines()] == [found], done.stderr
