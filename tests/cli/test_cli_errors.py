"""Errors say what to do: what exactly is printed for the mistakes that people make."""

import pytest
import requests

from commandline import EXAMPLES, sample, write_lines
from serving import free_port, iscc_id

EXPECTED = "expected an ISCC-CODE, ISCC-UNITs or an ISCC-ID (ISCC:...), or a file (.iscc.json, .jsonl)"
MAKE_IT = "make its ISCC first, for example with iscc-sdk (pip install iscc-sdk): --generator 'iscc-sdk create {}'"
CODE = sample(1)[0]["iscc_code"]


def fails(cli, *words, code=1, **options):
    """What a command that fails says on standard error."""
    said = cli.run(*words, **options)
    assert (said.code, said.out) == (code, ""), said
    return said.err


@pytest.mark.parametrize("name", ["photo.jpg", "nothere.iscc.json", "folder/photo", "./a", "../x.png", "a b.jpg",
                                  "ISCC.txt", "KACT4EBW.txt"])
def test_a_file_that_is_not_there(cli, name):
    assert fails(cli, "search", name) == f"Error: {name}: no such file, and not an ISCC\n"
    assert not cli.data.exists()  # no index is made for a mistake


@pytest.mark.parametrize("word", ["hello", "hi", "photo", "Katze", "1", "x" * 15, "hello-world", "ISCC"])
def test_a_word_that_is_nothing(cli, word):
    assert fails(cli, "search", word) == f"Error: {word}: no such file, and not an ISCC: {EXPECTED}\n"
    for command in ("get", "remove"):
        assert fails(cli, command, word) == f"Error: {word}: not an ISCC-ID\n"


@pytest.mark.parametrize("word, message", [
    (CODE[:-1], "54 characters of base32 are no whole bytes"),
    (CODE[5:-1], "54 characters of base32 are no whole bytes"),
    ("ISCC:1", "'1' is no digit"), ("ISCC:photo.jpg", "character 11"), ("https://h/", "expected an ISCC in the path")])
def test_what_is_meant_as_an_iscc_says_where_it_is_wrong(cli, word, message):
    said = fails(cli, "search", word)
    assert said.startswith(f"Error: {word}: ") and "no such file" not in said
    assert said.count("\n") == 1


@pytest.mark.parametrize("name, begins, kind", [
    ("a.jpg", b"\xff\xd8\xff\xe0\x00\x10JFIF", f"a JPEG image: {MAKE_IT}"),
    ("a.png", b"\x89PNG\r\n\x1a\n", f"a PNG image: {MAKE_IT}"), ("a.gif", b"GIF89a", f"a GIF image: {MAKE_IT}"),
    ("a.pdf", b"%PDF-1.7\n", f"a PDF document: {MAKE_IT}"), ("a.mp3", b"ID3\x04", f"an MP3 file: {MAKE_IT}"),
    ("a.mp4", b"\0\0\0\x20ftypisom", f"an MP4 video: {MAKE_IT}"), ("a.mkv", b"\x1a\x45\xdf\xa3", f"a Matroska video: {MAKE_IT}"),
    ("a.wav", b"RIFF\x10\0\0\0WAVE", f"a media file (RIFF): {MAKE_IT}"), ("a.ogg", b"OggS\0", f"an Ogg file: {MAKE_IT}"),
    ("a.flac", b"fLaC\0", f"a FLAC file: {MAKE_IT}"), ("a.bin", b"abc\x01\x02", f"a binary file: {MAKE_IT}")])
def test_files_that_have_no_iscc_yet(cli, name, begins, kind):
    (cli.work / name).write_bytes(begins + b"\xaa" * 40)
    message = f"{name}: expected JSON in UTF-8, this is {kind}\n"
    assert fails(cli, "search", name) == f"Error: {message}"
    assert fails(cli, "add", name, code=4) == f"No valid assets found\nErrors:\n  \u2022 {message}"


def test_a_text_that_is_no_json(cli):
    (cli.work / "a.txt").write_text("Once upon a time\n")
    message = f"a.txt: expected an asset in JSON (.iscc.json), this is another kind of file: {MAKE_IT}\n"
    assert fails(cli, "search", "a.txt") == f"Error: {message}"
    assert fails(cli, "add", "a.txt", code=4) == f"No valid assets found\nErrors:\n  \u2022 {message}"


def test_no_match(cli):
    write_lines(cli.work / "a.jsonl", sample())
    cli.good("add", "a.jsonl")
    for env in ({}, {"NO_COLOR": "1"}):
        said = cli.good("search", "ISCC:EADVLLLLLLLLLLLLLLLLLLLLLLLLLLLLLLLLLLLLLLLLLLLLLLLLLLI", "--table", env=env)
        assert said.out == "No match of at least 0.75 among 2,400 assets of index 'default'.\n"


def test_a_server_that_is_down(cli):
    url = f"http://127.0.0.1:{free_port()}"
    said = cli.run("index", "add", "down", "--remote", url)
    assert said.code == 1
    assert said.out == f"Registered remote index 'down'\nURL: {url}\n"
    assert said.err == f"Error: Registered; the server cannot be reached: GET {url}/indexes/down: Couldn't connect to server\n"
    assert cli.config()["indexes"]["down"]["url"] == url


def test_a_key_that_is_missing_or_wrong(cli, start_server):
    server = start_server(env={"ISCC_SEARCH_API_SECRET": "s3cret"})
    what_to_do = ("Unauthorized: the server expects its API key in the header X-API-Key: name it by 'index add NAME "
                  "--remote URL --api-key KEY', or for --uri by ISCC_SEARCH_API_KEY\n")
    said = cli.run("index", "add", "rem", "--remote", server.base)
    assert (said.code, said.err) == (1, f"Error: Registered; the server refuses: {what_to_do}")
    for words in (("get", iscc_id(1)), ("search", iscc_id(1)), ("add", EXAMPLES / "files")):
        assert fails(cli, *words, "--index", "rem") == f"Error: {what_to_do}"
        assert fails(cli, *words, "--uri", server.base) == f"Error: {what_to_do}"
    for answer in (requests.get(f"{server.base}/indexes", timeout=10),
                   requests.post(f"{server.base}/indexes/a/search", json={}, timeout=10)):
        assert answer.status_code == 401
        assert answer.json() == {"detail": "Unauthorized", "expected": "the API key, in the header X-API-Key"}


# --- of the REST API ------------------------------------------------------------------------------

def test_queries_that_ask_for_nothing(start_server):
    server = start_server()
    server.post("/indexes", json={"name": "a"})
    nothing = "Query must have 'iscc_code', 'units', 'simprints' or 'iscc_id' for search"
    for body, detail in (({}, nothing), ({"iscc_code": None}, nothing), ({"min_score": 0.5}, nothing),
                         ({"iscc": CODE}, f'{nothing}; it has no member "iscc", did you mean "iscc_code"?'),
                         ({"min_score": 0.9, "code": CODE}, f'{nothing}; it has no member "code"')):
        answer = server.post("/indexes/a/search", json=body)
        assert (answer.status_code, answer.json()) == (400, {"detail": detail})
    # what 0.3.3 ignores is ignored where there is a query
    assert server.post("/indexes/a/search", json={"iscc": CODE, "iscc_code": CODE}).status_code == 200


@pytest.mark.parametrize("method, path, message", [
    ("POST", "/indexes", "Input should be a valid dictionary or object to extract fields from"),
    ("POST", "/indexes/a/search", "Input should be a valid dictionary or object to extract fields from"),
    ("POST", "/indexes/a/assets", "Input should be a valid list"),
    ("POST", "/indexes/a/assets/get", "Input should be a valid list"),
    ("PATCH", "/indexes/a/assets/" + iscc_id(1), "Input should be a valid dictionary or object to extract fields from")])
@pytest.mark.parametrize("kind", [None, "text/plain", "application/x-www-form-urlencoded"])
def test_a_body_that_is_not_sent_as_json(start_server, method, path, message, kind):
    server = start_server()
    server.post("/indexes", json={"name": "a"})
    answer = server.call(method, path, data=b'{"name":"b"}', headers={"Content-Type": kind} if kind else {})
    assert answer.status_code == 422
    assert [one["msg"] for one in answer.json()["detail"]] == [
        f"{message}. Send it with the header Content-Type: application/json"]
    answer = server.call(method, path, data=b'"a"', headers={"Content-Type": "application/json"})
    assert "Send it with" not in answer.text
