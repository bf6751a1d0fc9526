"""`serve` and its settings: environment, .env, options, and values that are none."""

import os
import re
import signal
import socket
import subprocess
import time

import pytest
import requests

from commandline import BINARY, FILES, sample, write_lines
from mounts import NOBODY, open_folder
from serving import free_port, iscc_id, make_asset

TUNING = ["SHARD_SIZE_UNITS", "SHARD_SIZE_SIMPRINTS", "HNSW_EXPANSION_ADD_UNITS",
          "HNSW_EXPANSION_SEARCH_UNITS", "HNSW_CONNECTIVITY_UNITS", "HNSW_EXPANSION_ADD_SIMPRINTS",
          "HNSW_EXPANSION_SEARCH_SIMPRINTS", "HNSW_CONNECTIVITY_SIMPRINTS", "OVERSAMPLING_FACTOR",
          "AGGREGATOR_POLL_INTERVAL", "AGGREGATOR_HUB_REFRESH_INTERVAL"]

INVALID = [
    ("PORT", "abc"), ("PORT", ""), ("PORT", "65536"), ("PORT", "-1"), ("PORT", "80.5"),
    ("WORKERS", ""), ("WORKERS", "x"), ("WORKERS", "0"),
    ("MATCH_THRESHOLD_UNITS", "2"), ("MATCH_THRESHOLD_UNITS", "-0.1"),
    ("MATCH_THRESHOLD_UNITS", "nan"), ("MATCH_THRESHOLD_UNITS", ""),
    ("MATCH_THRESHOLD_SIMPRINTS", "1.01"), ("MATCH_THRESHOLD_SIMPRINTS", "half"),
    ("CONFIDENCE_EXPONENT", "0"), ("CONFIDENCE_EXPONENT", "2.5"), ("CONFIDENCE_EXPONENT", ""),
    ("CONFIDENCE_EXPONENT", "4294967296"),
    ("RANK", "best"), ("RANK", "Score"), ("RANK", "1"),
    *(("MAX_EXPECT", value) for value in ("0", "-1", "x", "inf", "nan", "1e999", "0.01x")),
    ("FLUSH_INTERVAL", "-1"), ("FLUSH_INTERVAL", "often"),
    ("AGGREGATOR_NETWORK", "moonnet"), ("LOG_LEVEL", "loud"), ("LOG_LEVEL", ""),
    ("SENTRY_TRACES_SAMPLE_RATE", "much"), ("BODY_LIMIT_MIB", "0"), ("BODY_LIMIT_MIB", "x"),
    *(("CONFIDENCE_EXPONENT", value) for value in (
        "4.", "4.5", "4.05", "1e1", "4.0e0", "_4", "4_", "4__0", "4_.0", "4._0", "4.0_0", ".0", "0x4", "++4", "-4",
        "+", "4 0", "4,0", "9" * 40)),
    *(("MATCH_THRESHOLD_UNITS", value) for value in (
        "0x1p-1", "0,5", "1e", ".", "_0.5", "0.5_", "0.7__5", "0.5f", "inf", "1.0_1", "+", "0.5 5",
        "0.5" + "0" * 200 + "x")),
    ("KERNEL", "quantum"), *((name, value) for name in TUNING for value in ("0", "x")),
]


@pytest.fixture
def serve(cli):
    """A function that starts `serve` and returns the address it says it listens on."""
    processes = []

    def start(*words, env=None):
        process = subprocess.Popen(cli.command(["serve", *words]), cwd=cli.work,
                                   env={**cli.env, **(env or {})}, stdin=subprocess.DEVNULL,
                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        processes.append(process)
        line = process.stdout.readline()
        found = re.fullmatch(r"Starting server in production mode at (http://\S+:(\d+))"
                             r"( with \d+ workers)?\n", line)
        assert found, line + process.stderr.read()
        return found[1]

    yield start
    for process in processes:
        process.send_signal(signal.SIGTERM)
        _, err = process.communicate(timeout=30)
        assert process.returncode == 0, err


# --- values that are none -------------------------------------------------------------------------

@pytest.mark.parametrize("name, value", INVALID)
def test_an_invalid_value_ends_the_server(cli, name, value):
    port = free_port()
    env = {"ISCC_SEARCH_PORT": str(port), "ISCC_SEARCH_INDEX_URI": "memory://",
           "ISCC_SEARCH_" + name: value}
    said = cli.run("serve", "--host", "127.0.0.1", env=env)
    assert (said.code, said.out) == (1, ""), said
    assert "ISCC_SEARCH_" + name in said.err
    assert said.err.startswith("Error: ") and said.err.count("\n") == 1


@pytest.mark.parametrize("uri", ["", "nonsense", "/srv/iscc", "ftp://x", "usearch:", "://x"])
def test_an_invalid_index_uri(cli, uri):
    env = {"ISCC_SEARCH_PORT": str(free_port()), "ISCC_SEARCH_INDEX_URI": uri}
    said = cli.run("serve", "--host", "127.0.0.1", env=env)
    assert (said.code, said.out) == (3, ""), said
    assert "ISCC_SEARCH_INDEX_URI" in said.err


@pytest.mark.parametrize("uri", [
    "foo://user:secretpw@host/x", "foo://secretpw@host", "foo://user:a@secretpw/b@host", "user:secretpw@host",
    "postgresql:/user:secretpw@host/db", "postgresql://user:secretpw@[bad", "http://user:secretpw@127.0.0.1:1",
    "http://user:secretpw@[bad", "http://user:a@secretpw/b@127.0.0.1:1", "usearch://user:secretpw@host/x"])
def test_no_message_has_the_password_of_a_uri(cli, uri):
    for said in (cli.run("serve", "-h", "127.0.0.1", "-p", 0, env={"ISCC_SEARCH_INDEX_URI": uri}),
                 cli.run("get", iscc_id(1), "--uri", uri), cli.run("index", "check", "a", "--uri", uri)):
        assert said.code in (1, 3) and said.err.startswith("Error: "), said
        assert "secretpw" not in said.err + said.out


def test_a_message_still_says_which_uri(cli):
    said = cli.run("get", iscc_id(1), "--uri", "foo://user:secretpw@host:1/x")
    assert "'foo://***@host:1/x': expected usearch:///DIR" in said.err
    said = cli.run("get", iscc_id(1), "--uri", "http://user:secretpw@127.0.0.1:1")
    assert "http://***@127.0.0.1:1/indexes/" in said.err
    assert "'/srv/iscc': expected" in cli.run("get", iscc_id(1), "--uri", "/srv/iscc").err


def test_workers_need_a_store_on_disk(cli):
    env = {"ISCC_SEARCH_INDEX_URI": "memory://", "ISCC_SEARCH_PORT": str(free_port())}
    for words, more in ((("--workers", 2), {}), ((), {"ISCC_SEARCH_WORKERS": "2"})):
        said = cli.run("serve", *words, env={**env, **more})
        assert (said.code, said.out) == (1, "")
        assert "workers" in said.err


@pytest.mark.parametrize("uri", ["nonsense", "ftp://x"])
def test_an_invalid_index_uri_with_workers(cli, uri):
    said = cli.run("serve", "--workers", 2, "--port", free_port(), env={"ISCC_SEARCH_INDEX_URI": uri})
    assert (said.code, said.out) == (3, "")
    assert "ISCC_SEARCH_INDEX_URI" in said.err


def test_an_invalid_value_ends_other_commands_too(cli):
    env = {"ISCC_SEARCH_MATCH_THRESHOLD_UNITS": "2"}
    for words in (("search", make_asset(1)["units"][0]), ("add", FILES[0]), ("index", "list")):
        said = cli.run(*words, env=env)
        assert (said.code, said.out) == (1, "")
        assert "ISCC_SEARCH_MATCH_THRESHOLD_UNITS=2" in said.err


def test_a_port_that_is_taken(cli, serve):
    base = serve("--host", "127.0.0.1", "--port", "0", env={"ISCC_SEARCH_INDEX_URI": "memory://"})
    port = base.rsplit(":", 1)[1]
    said = cli.run("serve", "--host", "127.0.0.1", "--port", port,
                   env={"ISCC_SEARCH_INDEX_URI": "memory://"})
    assert (said.code, said.out) == (1, "")
    assert port in said.err


@pytest.mark.parametrize("host", ["nonsense.invalid", "999.1.1.1"])
def test_a_host_that_is_none(cli, host):
    said = cli.run("serve", "--host", host, "--port", free_port(),
                   env={"ISCC_SEARCH_INDEX_URI": "memory://"}, timeout=30)
    assert (said.code, said.out) == (1, "")
    assert host in said.err


def test_a_folder_that_cannot_be_made(cli):
    (cli.work / "file").write_text("")
    said = cli.run("serve", "--port", free_port(), env={"ISCC_SEARCH_INDEX_URI": f"usearch://{cli.work}/file/below"})
    assert (said.code, said.out) == (1, ""), said
    assert f"{cli.work}/file" in said.err


# --- values that are some -------------------------------------------------------------------------

def test_every_valid_value_is_taken(serve):
    env = {"ISCC_SEARCH_" + name: "7" for name in TUNING}
    env.update({"ISCC_SEARCH_INDEX_URI": "memory://", "ISCC_SEARCH_HOST": "127.0.0.1",
                "ISCC_SEARCH_PORT": "0", "ISCC_SEARCH_WORKERS": "1",
                "ISCC_SEARCH_FLUSH_INTERVAL": "0", "ISCC_SEARCH_MATCH_THRESHOLD_UNITS": "0",
                "ISCC_SEARCH_MATCH_THRESHOLD_SIMPRINTS": "1", "ISCC_SEARCH_LOG_LEVEL": "debug",
                "ISCC_SEARCH_AGGREGATOR_NETWORK": "", "ISCC_SEARCH_AGGREGATOR_HUB_LIST_URL": "x",
                "ISCC_SEARCH_SENTRY_DSN": "https://x@y/1",
                "ISCC_SEARCH_SENTRY_TRACES_SAMPLE_RATE": "0.5", "ISCC_SEARCH_UNHEARD_OF": "x"})
    assert requests.get(serve(env=env) + "/healthz", timeout=30).status_code == 200


@pytest.mark.parametrize("value", ["1.0", "1.000", "+1", "+1.0", " 1 ", "01", "0_1", "0_0_1.0"])
def test_whole_numbers_as_0_3_3_takes_them(filled, value):
    """The exponent 1 gives other scores than 4."""
    code = sample(1)[0]["iscc_code"]
    answers = [filled.good("search", code, "-l", 50, env={"ISCC_SEARCH_CONFIDENCE_EXPONENT": text}).out
               for text in ("1", value, "4")]
    assert answers[0] == answers[1] != answers[2]


@pytest.mark.parametrize("value", ["1", "1001", "4294967295"])
def test_the_exponent_has_one_range(filled, value):
    """That of --exponent, of queries and of the library."""
    code = sample(1)[0]["iscc_code"]
    asked = filled.good("search", code, "--exponent", value).json
    set_to = filled.good("search", code, env={"ISCC_SEARCH_CONFIDENCE_EXPONENT": value}).json
    assert [match["score"] for match in asked["global_matches"]] == [match["score"] for match in set_to["global_matches"]]


@pytest.mark.parametrize("name, value", [
    ("FLUSH_INTERVAL", "-0"), ("FLUSH_INTERVAL", "8_000.0"), ("FLUSH_INTERVAL", "0" * 40 + "1"), ("CONFIDENCE_EXPONENT", "8_0"),
    ("MATCH_THRESHOLD_UNITS", "5e-1"), ("MATCH_THRESHOLD_UNITS", ".5"), ("MATCH_THRESHOLD_UNITS", "0."),
    ("MATCH_THRESHOLD_UNITS", "+0.7_5"), ("MATCH_THRESHOLD_UNITS", "1e-400"), ("MATCH_THRESHOLD_UNITS", "-0.0"),
    ("MATCH_THRESHOLD_UNITS", " 0.5 ")])
def test_other_numbers_that_0_3_3_takes(cli, name, value):
    cli.good("index", "list", env={"ISCC_SEARCH_" + name: value})


def test_workers(cli, serve):
    cli.good("add", FILES[0])
    base = serve("--host", "127.0.0.1", "--port", "0", env={"ISCC_SEARCH_WORKERS": "2"})
    for _ in range(20):
        answer = requests.get(base + "/indexes/default", headers={"Connection": "close"}, timeout=30)
        assert answer.json()["assets"] == 1


def test_serve_defaults_to_the_data_folder(cli, serve):
    cli.good("add", FILES[0])
    base = serve("--host", "127.0.0.1", "--port", "0")
    assert [index["name"] for index in requests.get(base + "/indexes", timeout=30).json()] == ["default"]


def test_names_are_case_insensitive(cli):
    said = cli.run("serve", env={"iscc_search_Port": "abc"})
    assert said.code == 1 and "ISCC_SEARCH_PORT" in said.err


def test_dot_env(cli, serve):
    port = free_port()
    (cli.work / ".env").write_text(
        "# a comment\n\nOTHER=1\nISCC_SEARCH_UNHEARD_OF=x\nnonsense\n"
        "iscc_search_host = '127.0.0.1'   # quoted\n"
        'export ISCC_SEARCH_INDEX_URI="memory://"\r\n'
        f"ISCC_SEARCH_PORT={port}  # the port\nISCC_SEARCH_API_SECRET=s3cret")
    base = serve()
    assert base == f"http://127.0.0.1:{port}"
    assert requests.get(base + "/indexes", timeout=30).status_code == 401
    assert requests.get(base + "/indexes", headers={"X-API-Key": "s3cret"}, timeout=30).ok


SECRETS = {"#abc": "#abc", "abc\t#c": "abc", "abc #c": "abc", "abc#c": "abc#c", " abc ": "abc",
           '"a\\"b\\\\c"': 'a"b\\c', "'a\\'b\\\\c'": "a'b\\c", '"a#b" # c': "a#b", "'a b'": "a b",
           "${KEY}-${OTHER}${NO:-d}": "k-od", "'${KEY}'": "k"}


@pytest.mark.parametrize("text, secret", SECRETS.items())
def test_a_secret_of_dot_env_is_that_of_python_dotenv(cli, serve, text, secret):
    (cli.work / ".env").write_text(f"KEY=k\nISCC_SEARCH_API_SECRET={text}\n"
                                   "ISCC_SEARCH_INDEX_URI=memory://\n")
    base = serve("--host", "127.0.0.1", "--port", "0", env={"OTHER": "o"})
    for key, status in ((secret, 200), (secret + "x", 401), ("", 401)):
        assert requests.get(base + "/indexes", headers={"X-API-Key": key},
                            timeout=30).status_code == status


@pytest.mark.parametrize("text, line", [
    ('ISCC_SEARCH_API_SECRET="abc\nX=1\n', 1), ("X=1\nexport iscc_search_api_secret='abc", 2),
    ('X="1\nISCC_SEARCH_API_SECRET="abc"\n', 1), ("ISCC_SEARCH_API_SECRET abc\n", 1)])
def test_a_variable_of_dot_env_that_cannot_be_read_is_an_error(cli, text, line):
    """python-dotenv says so and leaves it out: the server would let everybody in."""
    (cli.work / ".env").write_text(text)
    said = cli.run("serve")
    assert (said.code, said.out) == (1, "")
    assert said.err.startswith(f"Error: .env: line {line}: ") and "abc" not in said.err


def test_what_others_keep_in_dot_env(cli, serve):
    (cli.work / ".env").write_text('words\nif true; then\nOTHER="open\n=\nISCC_SEARCH_INDEX_URI=memory://\n'
                                   "ISCC_SEARCH_PORT\n")
    base = serve("--host", "127.0.0.1", "--port", "0")
    assert requests.get(base + "/indexes", timeout=30).json() == []


def test_a_dot_env_that_cannot_be_read(cli):
    (cli.work / ".env").write_bytes("ISCC_SEARCH_API_SECRET=abc\n".encode("utf-16"))
    said = cli.run("serve")
    assert (said.code, said.out) == (1, "") and said.err.startswith("Error: .env: ")
    (cli.work / ".env").unlink()
    (cli.work / ".env").mkdir()
    cli.good("index", "list")


def test_a_dot_env_that_may_not_be_read():
    with open_folder() as folder:
        if subprocess.run([*NOBODY, str(BINARY), "version"], capture_output=True, check=False).returncode:
            pytest.skip("nobody may not run the program")
        (folder / ".env").write_text("ISCC_SEARCH_API_SECRET=abc\n")
        (folder / ".env").chmod(0o600)
        done = subprocess.run([*NOBODY, str(BINARY), "serve"], cwd=folder, capture_output=True, text=True,
                              env={"HOME": str(folder)}, timeout=60, check=False)
    assert (done.returncode, done.stderr) == (1, "Error: .env: Permission denied\n")


def test_the_environment_wins_over_dot_env_and_options_over_both(cli, serve):
    (cli.work / ".env").write_text(f"ISCC_SEARCH_PORT={free_port()}\nISCC_SEARCH_HOST=127.0.0.1\n"
                                   "ISCC_SEARCH_INDEX_URI=memory://\nISCC_SEARCH_API_SECRET=a\n")
    port = free_port()
    base = serve(env={"ISCC_SEARCH_PORT": str(port), "ISCC_SEARCH_API_SECRET": "b"})
    assert base == f"http://127.0.0.1:{port}"
    for key, status in (("a", 401), ("b", 200)):
        assert requests.get(base + "/indexes", headers={"X-API-Key": key},
                            timeout=30).status_code == status
    another = free_port()
    base = serve("--port", str(another), "-h", "localhost",
                 env={"ISCC_SEARCH_PORT": str(port), "ISCC_SEARCH_HOST": "192.0.2.1"})
    assert base == f"http://localhost:{another}"
    assert requests.get(base + "/healthz", timeout=30).status_code == 200


def test_an_invalid_value_of_dot_env(cli):
    (cli.work / ".env").write_text("ISCC_SEARCH_PORT=abc\n")
    said = cli.run("serve")
    assert said.code == 1 and "ISCC_SEARCH_PORT=abc" in said.err


def test_dot_env_is_that_of_the_working_folder(cli):
    (cli.home / ".env").write_text("ISCC_SEARCH_PORT=abc\n")
    (cli.work / "sub").mkdir()
    (cli.work / ".env").write_text("ISCC_SEARCH_PORT=abc\n")
    cli.good("index", "list", cwd=cli.work / "sub")


def need_ipv6():
    try:
        with socket.socket(socket.AF_INET6) as at:
            at.bind(("::1", 0))
    except OSError as why:
        pytest.skip(f"no IPv6 here: {why}")


@pytest.mark.parametrize("host, shown", [
    ("::1", "[::1]"), ("[::1]", "[::1]"), ("0:0:0:0:0:0:0:1", "[0:0:0:0:0:0:0:1]"), ("::", "[::]"), ("[::]", "[::]"),
    ("127.0.0.1", "127.0.0.1"), ("localhost", "localhost"), ("::ffff:127.0.0.1", "[::ffff:127.0.0.1]"),
])
@pytest.mark.parametrize("how", ["option", "environment", "workers"])
def test_addresses_of_ipv6(cli, serve, host, shown, how):
    """They stand in brackets in a URL, may be given so, and the URL that is printed can be used."""
    if ":" in host:
        need_ipv6()
    env = {"ISCC_SEARCH_INDEX_URI": f"usearch://{cli.work}/store"}
    words = [] if how == "environment" else ["--host", host]
    url = serve(*words, "-p", "0", *(["-w", "2"] if how == "workers" else []),
                env={**env, **({"ISCC_SEARCH_HOST": host} if how == "environment" else {})})
    assert re.fullmatch(rf"http://{re.escape(shown)}:[0-9]+", url)
    assert requests.get(f"{url}/healthz", timeout=30).status_code == 200
    row = sample(1)[0]
    write_lines(cli.work / "a.jsonl", [row])
    requests.post(f"{url}/indexes", json={"name": "main"}, timeout=30)
    assert cli.good("add", "a.jsonl", "--uri", url, "-i", "main").json["created"] == 1


@pytest.mark.parametrize("host", ["[::1", "::1]", "[127.0.0.1]", "[]", "[:", "[localhost]", "h" * 500, "[" + ":" * 500])
def test_addresses_that_are_none(cli, host):
    said = cli.run("serve", "--host", host, "-p", "0", env={"ISCC_SEARCH_INDEX_URI": "memory://"}, timeout=20)
    assert said.code == 1 and said.err.startswith("Error: cannot listen on ")


@pytest.mark.parametrize("host", ["[::1", "::1]", "[127.0.0.1]", "[]", "[:", "[localhost]", "[::1]]", "[[::1]]", "a]", "[:::]", "[" + ":" * 500])
@pytest.mark.parametrize("workers", ["1", "2"])
def test_brackets_around_no_address_are_named(cli, host, workers):
    said = cli.run("serve", "--host", host, "-p", "0", "-w", workers, env={"ISCC_SEARCH_INDEX_URI": f"usearch://{cli.work}/store"}, timeout=20)
    assert said.code == 1 and said.out == ""
    assert said.err == (f"Error: cannot listen on {host[:100]}: only an IPv6 address stands in brackets, as in [::1]. "
                        "Give it so, or a host without brackets\n")


def test_a_port_of_ipv6_that_is_taken(cli, serve):
    need_ipv6()
    port = serve("--host", "::1", "-p", "0", env={"ISCC_SEARCH_INDEX_URI": "memory://"}).rsplit(":", 1)[1]
    said = cli.run("serve", "--host", "::1", "-p", port, env={"ISCC_SEARCH_INDEX_URI": "memory://"}, timeout=20)
    assert said.code == 1 and f"cannot listen on [::1]:{port}: " in said.err


def test_a_server_ends_on_a_signal(cli):
    for which in (signal.SIGTERM, signal.SIGINT):
        process = subprocess.Popen(cli.command(["serve", "-h", "127.0.0.1", "-p", "0", "--dev"]),
                                   cwd=cli.work, env=cli.env, stdout=subprocess.PIPE,
                                   stderr=subprocess.DEVNULL, text=True)
        assert process.stdout.readline().startswith("Starting server")
        start = time.monotonic()
        process.send_signal(which)
        assert process.wait(20) == 0
        assert time.monotonic() - start < 10
        process.stdout.close()


# --- kernels --------------------------------------------------------------------------------------

def test_a_kernel_can_be_forced(filled):
    said = filled.run("search", sample(1)[0]["iscc_code"], env={"ISCC_SEARCH_KERNEL": "none"})
    assert (said.code, said.out) == (1, "")
    names = said.err.split("here run")[1].split()
    assert "scalar" in names
    answers = {filled.good("search", sample(1)[0]["iscc_code"], "-l", 100,
                           env={"ISCC_SEARCH_KERNEL": name}).out for name in names}
    assert len(answers) == 1


def test_the_environment_of_the_tests_is_clean(cli):
    assert not [name for name in cli.env if name.startswith("ISCC_SEARCH_")]
    assert cli.env["HOME"] != os.environ.get("HOME")
