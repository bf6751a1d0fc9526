"""http:// stores: what the program makes of answers that another server should not give, and of URIs."""

import base64
import copy
import ctypes
import http.server
import json
import socketserver
import subprocess
import sys
import threading
import time

import pytest

from commandline import BINARY, TOP, sample

MIB = 1 << 20
ASSET, OTHER = sample(2)
INFO = {"name": "default", "assets": 1, "size": 0}
RESULT = {"query": {"units": []}, "global_matches": [], "chunk_matches": []}
CREATED = [{"iscc_id": ASSET["iscc_id"], "status": "created"}]
COMPARISON = {"score": 0.9609375, "exponent": 1, "explanation": {
    "CONTENT_TEXT_V0": {"compared_bits": 256, "distance": 10, "score": 0.9609375, "expect": 1e-60, "counted": True},
    "DATA_NONE_V0": {"compared_bits": 64, "distance": 30, "score": 0.53125, "expect": 0.25, "counted": False, "missed_by": 0.21875},
    "META_NONE_V0": {"absent": True, "in": "a"}, "INSTANCE_NONE_V0": {"absent": True, "in": "b"}}}


class Answering:
    """A server that gives one answer to everything, and remembers what it was asked."""

    def __init__(self):
        self.status, self.body, self.headers, self.asked = 200, b"", {}, []
        self.queue = [] # answers that come first: (status, body)
        self.answers = None # a function: body of a request -> status and body of its answer
        self.hangs_up = False # reads the next request, and closes the connection without an answer
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def answer(self):
                length = int(self.headers.get("Content-Length") or 0)
                sent = self.rfile.read(length)
                if outer.queue:
                    outer.gives(*outer.queue.pop(0))
                outer.asked.append((self.command, self.path, sent))
                if outer.hangs_up:
                    outer.hangs_up, self.close_connection = False, True
                    return
                status, body = outer.answers(sent) if outer.answers else (outer.status, outer.body)
                self.send_response(status)
                for name, value in outer.headers.items():
                    self.send_header(name, value)
                if status not in (204, 304):
                    self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            do_GET = do_PUT = do_POST = do_DELETE = answer

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def gives(self, status, body=b"", **headers):
        self.status, self.headers = status, headers
        self.body = body if isinstance(body, bytes) else json.dumps(body).encode()

    def close(self):
        self.server.shutdown()
        self.server.server_close()


@pytest.fixture
def remote():
    server = Answering()
    yield server
    server.close()


@pytest.fixture
def calls(remote, tmp_path):
    """Words of a command, the status that says yes, and an answer that is right: for each call there is."""
    file = tmp_path / "one.jsonl"
    file.write_text(json.dumps(ASSET) + "\n", encoding="utf-8")
    where = ("--uri", remote.url)
    return {
        "add": (("add", file, *where), 201, CREATED),
        "get": (("get", ASSET["iscc_id"], *where), 200, ASSET),
        "search": (("search", ASSET["iscc_code"], *where), 200, RESULT),
        "compare": (("compare", ASSET["iscc_id"], OTHER["iscc_id"], *where), 200, COMPARISON),
    }


PAIR = '{"iscc_id":"%s","match":"%s","score":1.0,"types":{"META_NONE_V0":1.0}}'


def test_the_last_pair_of_a_server_counts_without_its_line_end(cli, remote):
    """As of a proxy that makes a stream of its own; what is cut off in a line is no answer."""
    lines = [PAIR % (sample(3)[0]["iscc_id"], other["iscc_id"]) for other in sample(3)[1:]]
    remote.gives(200, ("\n".join(lines)).encode())
    assert cli.good("duplicates", "--uri", remote.url).out.splitlines() == lines
    for cut in (1, 20, len(lines[1]) - 1):
        remote.gives(200, (lines[0] + "\n" + lines[1][:cut]).encode())
        said = cli.run("duplicates", "--uri", remote.url)
        assert said.code == 1 and "expected lines of pairs of near-duplicates" in said.err


@pytest.mark.parametrize("call", ["add", "get", "search", "compare"])
def test_the_documented_status_is_success(cli, remote, calls, call):
    words, status, answer = calls[call]
    remote.gives(status, answer)
    cli.good(*words)


@pytest.mark.parametrize("status", [200, 201, 202, 203, 204, 206, 300, 301, 302, 303, 304, 305, 307, 308])
@pytest.mark.parametrize("call", ["add", "get", "search", "compare"])
def test_no_other_status_is_success(cli, remote, calls, call, status):
    words, wanted, answer = calls[call]
    if status == wanted:
        return
    remote.gives(status, b"" if status in (204, 304) else answer, Location="/elsewhere")
    said = cli.run(*words)
    assert said.code == 1, said
    assert f"status {status}" in said.err
    assert remote.url in said.err
    assert said.out == "" or call == "add"


@pytest.mark.parametrize("body", [b"", b" ", b"OK", b"<html>", b"[", b"[] []", b"null", b"5", b"{}", b"[{}]",
                                  b'"text"', b"\xff\xfe[\0]\0"])
@pytest.mark.parametrize("call", ["add", "get", "search", "compare"])
def test_no_other_body_is_success(cli, remote, calls, call, body):
    words, status, _ = calls[call]
    remote.gives(status, body)
    said = cli.run(*words)
    assert said.code == 1, said
    assert "the answer is not JSON" in said.err or "is not what it should be" in said.err


@pytest.mark.parametrize("answer", [
    {}, {"iscc_code": ASSET["iscc_code"]}, OTHER, {"iscc_id": None}, {"iscc_id": 5}, {"iscc_id": ""},
    {"iscc_id": [ASSET["iscc_id"]]}, {"iscc_id": ASSET["iscc_id"] + "\0"}, {"iscc_id": ASSET["iscc_id"][:-1]}])
def test_get_wants_the_asset_that_it_asked_for(cli, remote, answer):
    remote.gives(200, answer)
    said = cli.run("get", ASSET["iscc_id"], "--uri", remote.url)
    assert said.code == 1 and said.out == "", said
    assert remote.url in said.err and f'expected iscc_id "{ASSET["iscc_id"]}"' in said.err


def test_get_compares_iscc_ids_not_texts(cli, remote):
    """base32 of an ISCC-ID may be in either case."""
    lower = "ISCC:" + ASSET["iscc_id"][5:].lower()
    remote.gives(200, {"iscc_id": lower})
    assert json.loads(cli.good("get", ASSET["iscc_id"], "--uri", remote.url).out)["iscc_id"] == lower


def test_a_comparison_is_that_of_the_server(cli, remote):
    remote.gives(200, COMPARISON)
    assert cli.good("compare", ASSET["iscc_id"], ASSET["units"][0], "--uri", remote.url, "--index", "main").json == COMPARISON
    (method, path, body), = remote.asked
    assert (method, path) == ("POST", "/compare")
    assert json.loads(body) == {"a": {"iscc": ASSET["iscc_id"], "index": "main"}, "b": {"iscc": ASSET["units"][0]}}


@pytest.mark.parametrize("path, value", [
    (("score",), None), (("score",), 1.5), (("explanation",), None), (("explanation",), []),
    (("explanation", "CONTENT_TEXT_V0"), 5), (("explanation", "CONTENT_TEXT_V0"), {"a": "long enough for one"}),
    (("explanation", "CONTENT_TEXT_V0", "score"), -1), (("explanation", "CONTENT_TEXT_V0", "expect"), -1),
    (("explanation", "DATA_NONE_V0", "missed_by"), -0.5)])
def test_a_comparison_that_is_malformed_is_refused(cli, remote, path, value):
    answer = copy.deepcopy(COMPARISON)
    at = answer
    for key in path[:-1]:
        at = at[key]
    at[path[-1]] = value
    remote.gives(200, answer)
    said = cli.run("compare", ASSET["iscc_id"], OTHER["iscc_id"], "--uri", remote.url)
    assert (said.code, said.out) == (1, "") and "is not what it should be: expected" in said.err, said


def test_an_older_server_is_asked_for_the_assets_alone(cli, remote):
    (cli.work / "a.json").write_text(json.dumps(ASSET), encoding="utf-8")
    (cli.work / "b.json").write_text(json.dumps(OTHER), encoding="utf-8")
    here = cli.good("compare", "a.json", "b.json").json
    remote.queue = [(404, {"detail": "Not Found"}), (200, ASSET), (200, OTHER)]
    assert cli.good("compare", ASSET["iscc_id"], OTHER["iscc_id"], "--uri", remote.url).json == here
    assert [path for _, path, _ in remote.asked] == ["/compare", *(
        f"/indexes/default/assets/{asset['iscc_id']}" for asset in (ASSET, OTHER))]
    # no fallback for a failure of another kind
    remote.queue = [(404, {"detail": "a: Asset 'x' not found in index"})]
    assert "a: Asset 'x' not found" in cli.run("compare", ASSET["iscc_id"], OTHER["iscc_id"], "--uri", remote.url).err


STATS = {
    "index": "default", "assets": 3, "realm": 1, "first": "2025-09-02T19:55:33.336272Z", "last": "2025-10-03T08:00:00Z",
    "periods": {"2025-09": 2, "2025-10": 1}, "hubs": {"0": 1, "3237": 2}, "units": {"CONTENT_TEXT_V0": {"64": 1, "256": 2}},
    "without": {"CONTENT_TEXT_V0": 1}, "simprints": {"A": {"64": 3}}, "without_simprints": {"A": 2},
    "identical": {"groups": 1, "duplicates": 1}, "sampled": 3, "with_iscc_code": 2, "with_metadata": 1, "fields": ["/a"],
    "distances": {"CONTENT_TEXT_V0": {"64": {"pairs": 3, "match_distance": 16, "match_chance_random": 3.9e-05,
                                             "match_chance": 0.01, "counts": {"30": 2, "31": 1}}}}}


def test_statistics_are_those_of_the_server(cli, remote):
    remote.gives(200, STATS)
    assert cli.good("stats", "--uri", remote.url).json == STATS
    assert cli.good("index", "stats", "default", "--uri", remote.url).json == STATS
    assert [(method, path) for method, path, _ in remote.asked] == [("GET", "/indexes/default/stats")] * 2
    assert "http://HOST:PORT" in cli.good("index", "stats", "--help").out


@pytest.mark.parametrize("change", [
    {"assets": None}, {"assets": "3"}, {"index": "other"}, {"index": 5}, {"first": "noon"}, {"last": None}, {"first": 5}])
def test_statistics_that_are_malformed_are_refused(cli, remote, change):
    remote.gives(200, {**STATS, **change})
    said = cli.run("stats", "--uri", remote.url)
    assert (said.code, said.out) == (1, "") and "is not what it should be: expected" in said.err and remote.url in said.err


@pytest.mark.parametrize("change", [
    {"units": 5}, {"hubs": {"99999": 1, "x": 2}}, {"periods": {"a very long name of a period": 1}}, {"fields": [5, None, "/b"]},
    {"distances": {"CONTENT_TEXT_V0": {"9999": {"counts": {"-1": 5, "300": 2}}}}}, {"without": {"CONTENT_TEXT_V0": 7}},
    {"units": {"A": {"64": -1}, "B": 5}}, {"sampled": -1}, {"identical": []}])
def test_other_members_of_statistics_are_read_as_far_as_they_can_be(cli, remote, change):
    remote.gives(200, {**STATS, **change})
    assert cli.good("stats", "--uri", remote.url).json["assets"] == 3


def test_the_assets_of_an_older_server_are_counted_here(cli, remote):
    lines = "".join(json.dumps(asset) + "\n" for asset in sorted((ASSET, OTHER), key=lambda asset: asset["iscc_id"])).encode()
    unknown = (404, {"detail": "Not Found"})
    remote.queue = [unknown, (200, lines), unknown]
    said = cli.good("stats", "--uri", remote.url).json
    assert (said["assets"], said["sampled"], said["with_metadata"]) == (2, 2, 2)
    assert [path.partition("?")[0] for _, path, _ in remote.asked] == [
        f"/indexes/default/{path}" for path in ("stats", "export", "fields")]


MATCHED = {"iscc_id": OTHER["iscc_id"], "score": 1.0, "types": {"CONTENT_TEXT_V0": 1.0}, "metadata": None}
PASSAGE = {"query": "AAAAAAAAAAA", "match": "AAAAAAAAAAA", "score": 1.0, "freq": 1, "offset": 0, "size": 9,
           "content": None}
PASSAGES = {"score": 1.0, "matches": 1, "queried": 1, "chunks": [PASSAGE]}
CHUNK_MATCHED = {"iscc_id": OTHER["iscc_id"], "score": 1.0, "types": {"CONTENT_TEXT_V0": PASSAGES},
                 "source": None, "metadata": None}
FOUND = {"query": {"units": []}, "global_matches": [MATCHED], "chunk_matches": [CHUNK_MATCHED]}


def changed(path, value=None, *, remove=False):
    """FOUND with another value at a path, or with none."""
    result = copy.deepcopy(FOUND)
    at = result
    for key in path[:-1]:
        at = at[key]
    at[path[-1]] = value
    if remove:
        del at[path[-1]]
    return result


TYPE = ("chunk_matches", 0, "types", "CONTENT_TEXT_V0")
SCORES = [("global_matches", 0, "score"), ("global_matches", 0, "types", "CONTENT_TEXT_V0"),
          ("chunk_matches", 0, "score"), (*TYPE, "score"), (*TYPE, "chunks", 0, "score")]
MEMBERS = [("query",), ("global_matches",), ("chunk_matches",),
           *[(matches, 0, name) for matches in ("global_matches", "chunk_matches")
             for name in ("iscc_id", "score", "types")],
           (*TYPE, "score"), (*TYPE, "chunks"), *[(*TYPE, "chunks", 0, name) for name in ("query", "match", "score")]]


def refused_result(cli, remote, body, expected):
    remote.gives(200, body)
    said = cli.run("search", ASSET["iscc_code"], "--uri", remote.url, "--json")
    assert said.code == 1 and said.out == "", said
    assert remote.url in said.err and expected in said.err, said


def test_a_search_answer_that_is_right_is_shown(cli, remote):
    remote.gives(200, FOUND)
    shown = json.loads(cli.good("search", ASSET["iscc_code"], "--uri", remote.url, "--json").out)
    assert [match["iscc_id"] for match in shown["global_matches"]] == [OTHER["iscc_id"]]
    passages = shown["chunk_matches"][0]["types"]["CONTENT_TEXT_V0"]
    assert passages["score"] == 1.0 and passages["chunks"][0]["match"] == PASSAGE["match"]


@pytest.mark.parametrize("path", MEMBERS, ids=lambda path: ".".join(map(str, path)))
def test_a_search_answer_has_all_its_members(cli, remote, path):
    refused_result(cli, remote, changed(path, remove=True), "is not what it should be: expected")
    refused_result(cli, remote, changed(path, None), "is not what it should be: expected")


@pytest.mark.parametrize("path", SCORES, ids=lambda path: ".".join(map(str, path)))
def test_a_score_is_from_0_to_1(cli, remote, path):
    for score in ("1e400", "-1e400", "NaN", "1.01", "-0.01", "2", "true", '"1"', "{}"):
        body = json.dumps(changed(path, "SCORE")).replace('"SCORE"', score).encode()
        refused_result(cli, remote, body, "not JSON" if score == "NaN" else "expected a score from 0 to 1")


def test_a_score_that_was_rounded_up_is_1(cli, remote):
    remote.gives(200, changed(SCORES[0], 1.0000000000000002))
    shown = json.loads(cli.good("search", ASSET["iscc_code"], "--uri", remote.url, "--json").out)
    assert shown["global_matches"][0]["score"] == 1.0


@pytest.mark.parametrize("iscc_id", ["", "ISCC:", "other", ASSET["iscc_id"][:-1], "ISCC:AAAAAAAAAAAAAAAA"])
@pytest.mark.parametrize("matches", ["global_matches", "chunk_matches"])
def test_a_match_has_an_iscc_id(cli, remote, matches, iscc_id):
    refused_result(cli, remote, changed((matches, 0, "iscc_id"), iscc_id), "expected")


@pytest.mark.parametrize("matches, match", [("global_matches", MATCHED), ("chunk_matches", CHUNK_MATCHED)])
def test_no_more_matches_than_the_limit(cli, remote, matches, match):
    remote.gives(200, changed((matches,), [match] * 3))
    words = ("search", ASSET["iscc_code"], "--uri", remote.url, "--limit")
    cli.good(*words, "3")
    said = cli.run(*words, "2")
    assert said.code == 1 and said.out == "" and "expected at most 2 matches" in said.err, said


FILTERED = ("--filter", '{"hub": 1}', "--facet", "a,/b")
COUNTED = {**FOUND, "query": {"units": [], "filter": {"hub": 1}, "facets": ["a", "/b"]},
           "facets": {"a": [{"value": "x", "count": 2}, {"value": 1.50, "count": 1}, {"others": 7}], "/b": []}, "chunk_facets": {"a": [], "/b": []}}


def test_filters_and_facets_are_sent_and_read(cli, remote):
    remote.gives(200, COUNTED)
    said = cli.good("search", ASSET["iscc_code"], "--uri", remote.url, "--json", *FILTERED)
    assert said.json["facets"] == COUNTED["facets"] and said.json["chunk_facets"] == COUNTED["chunk_facets"]
    (_, _, body), = remote.asked
    assert json.loads(body)["filter"] == {"all": [{"hub": 1}]} and json.loads(body)["facets"] == ["a", "/b"]
    assert "         2  x\n         1  1.5\n         7  (other values)\n" in cli.good(
        "search", ASSET["iscc_code"], "--uri", remote.url, "--table", *FILTERED).out


@pytest.mark.parametrize("member", ["filter", "facets"])
def test_a_server_that_ignores_a_filter_is_no_success(cli, remote, member):
    query = {name: value for name, value in COUNTED["query"].items() if name != member}
    remote.gives(200, {**COUNTED, "query": query})
    said = cli.run("search", ASSET["iscc_code"], "--uri", remote.url, "--json", *FILTERED)
    assert (said.code, said.out) == (1, "") and f"the server ignores '{member}' of a query" in said.err


@pytest.mark.parametrize("facets", [
    None, [], {}, {"a": []}, {"/b": [], "a": []}, {"a": [], "c": []}, {"a": {}, "/b": []}, {"a": [5], "/b": []}, {"a": [{"count": 1, "xxxxx": 1}], "/b": []},
    {"a": [{"value": [1], "count": 1}], "/b": []}, {"a": [{"value": {}, "count": 1}], "/b": []}, {"a": [{"others": 1}, {"value": 1, "count": 1}], "/b": []}])
@pytest.mark.parametrize("member", ["facets", "chunk_facets"])
def test_facets_that_are_malformed_are_refused(cli, remote, member, facets):
    remote.gives(200, {**COUNTED, member: facets})
    said = cli.run("search", ASSET["iscc_code"], "--uri", remote.url, "--json", *FILTERED)
    assert (said.code, said.out) == (1, "") and "is not what it should be: expected" in said.err, said


@pytest.mark.parametrize("answer", [{}, [], {"fields": 5}, {"fields": {}}, {"fields": [5]}, {"fields": ["/a", None]}, {"fields": ["/a"] * 33}])
def test_fields_that_are_malformed_are_refused(cli, remote, answer):
    remote.gives(200, answer)
    for words in ((), ("a",)):
        said = cli.run("index", "fields", "main", *words, "--uri", remote.url)
        assert (said.code, said.out) == (1, "") and "is not what it should be: expected" in said.err and remote.url in said.err, said


def test_a_server_without_fields_is_named(cli, remote):
    remote.gives(404, {"detail": "Not Found"})
    for words in ((), ("a",), ("--none",)):
        assert "the server has no fields: expected version 0.4.0 or later" in cli.run("index", "fields", "main", *words, "--uri", remote.url).err
    remote.gives(404, {"detail": "Index 'main' not found"})
    assert "Index 'main' not found" in cli.run("index", "fields", "main", "--uri", remote.url).err


def test_an_outcome_that_is_none_is_no_success(cli, remote, calls):
    words, status, _ = calls["add"]
    for outcome in ({"status": "queued"}, {}, {"status": 1}, 7):
        remote.gives(status, [outcome | {"iscc_id": ASSET["iscc_id"]} if outcome != 7 else 7])
        said = cli.run(*words)
        assert said.code == 1, said


@pytest.mark.parametrize("ids", [[OTHER, ASSET], [ASSET, ASSET], [OTHER, OTHER], [ASSET], [], [ASSET, OTHER, ASSET],
                                 [ASSET, {"iscc_id": None}], [ASSET, {}]])
def test_outcomes_are_of_the_assets_that_were_sent(cli, remote, ids):
    file = cli.work / "two.jsonl"
    file.write_text("".join(json.dumps(asset) + "\n" for asset in (ASSET, OTHER)), encoding="utf-8")
    remote.gives(201, [{"status": "created", "iscc_id": asset["iscc_id"]} for asset in (ASSET, OTHER)])
    cli.good("add", file, "--uri", remote.url)
    remote.gives(201, [{"status": "created", "iscc_id": asset.get("iscc_id")} for asset in ids])
    said = cli.run("add", file, "--uri", remote.url)
    assert said.code == 1, said
    assert remote.url in said.err and "is not what it should be: expected" in said.err


@pytest.mark.parametrize("end", ["#", "#x", "/#x", "?", "?x=1", "/a?b#c"])
def test_a_query_or_fragment_in_the_uri_is_refused(cli, remote, end):
    remote.gives(200, ASSET)
    said = cli.run("get", ASSET["iscc_id"], "--uri", remote.url + end)
    assert said.code != 0
    assert f"index URI '{remote.url + end}': expected http://HOST:PORT without '?' and '#'" in said.err
    assert remote.asked == []


def test_such_a_uri_is_refused_where_an_index_is_registered(cli, remote):
    said = cli.run("index", "add", "far", "--remote", remote.url + "#x")
    assert said.code != 0 and "without '?' and '#'" in said.err
    assert remote.asked == []


def test_a_password_is_not_shown_where_the_uri_is_refused(cli):
    said = cli.run("get", ASSET["iscc_id"], "--uri", "http://me:secret#pw@127.0.0.1:1")
    assert said.code != 0 and "secret" not in said.err and "%23" in said.err


def test_a_directory_may_have_any_name(cli):
    folder = cli.work / "a#b?c"
    cli.good("add", TOP / "examples" / "files", "--uri", f"usearch://{folder}")
    assert (folder / "default" / "index.lmdb").exists()
    assert not (cli.work / "a").exists()


# --- answers that are no HTTP ----------------------------------------------------------------------

@pytest.fixture
def raw():
    """A server that reads a request, sends bytes and hangs up."""
    class Handler(socketserver.BaseRequestHandler):
        def handle(self):
            got = b""
            while b"\r\n\r\n" not in got:
                got += self.request.recv(65536) or b"\r\n\r\n"
            try:
                self.request.sendall(self.server.sends)
            except OSError:
                pass # the program has hung up

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        server.url = f"http://127.0.0.1:{server.server_address[1]}"
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()


def raw_calls(cli, url):
    file = cli.work / "one.jsonl"
    file.write_text(json.dumps(ASSET) + "\n", encoding="utf-8")
    return (("add", file, "--uri", url), ("get", ASSET["iscc_id"], "--uri", url),
            ("search", ASSET["iscc_code"], "--uri", url))


@pytest.mark.parametrize("sends", [b"\0\1\2", b"<html>hello</html>", b"HTTP/1.1 000 No\r\n\r\n", b"SSH-2.0-x\r\n",
                                   b"HTTP/9.9 200 OK\r\n\r\n{}", b"HTTP/1.1 20\r\n\r\n{}"])
def test_a_server_that_speaks_no_http(cli, raw, sends):
    raw.sends = sends
    for words in raw_calls(cli, raw.url):
        said = cli.run(*words)
        assert said.code == 1, said
        assert raw.url in said.err and "the server's answer is not HTTP" in said.err, said


@pytest.mark.parametrize("lines", [[400 * 1024], [1000] * 400, [70 * 1024]], ids=["one line", "many", "70 KiB"])
def test_the_header_of_an_answer_has_a_ceiling(cli, raw, lines):
    head = b"".join(b"X-%d: %s\r\n" % (i, b"x" * size) for i, size in enumerate(lines))
    raw.sends = b"HTTP/1.1 200 OK\r\n" + head + b"Content-Length: 2\r\n\r\n{}"
    for words in raw_calls(cli, raw.url):
        said = cli.run(*words)
        assert said.code == 1, said
        assert raw.url in said.err and "the header of the answer is larger than 65536 bytes" in said.err, said


# --- hostile answers -------------------------------------------------------------------------------

def repeat(before, one, after, size=8 * MIB):
    """A body of some size, of the same again and again."""
    return (before + ",".join([one] * (size // (len(one) + 1))) + after).encode()


ID = f'"iscc_id":"{ASSET["iscc_id"]}","score":0'
MATCH = f'{{{ID},"types":{{}}}}'
CHUNKS = '{"query":{},"global_matches":[],"chunk_matches":['
HOSTILE = {
    "lists": ("search", repeat('{"query":{},"global_matches":[', "[]", "]}")),
    "top": ("search", repeat("[", "[]", "]")),
    "unknown": ("search", repeat('{"query":{},"x":[', "{}", "]}")),
    "query": ("search", repeat('{"query":{"units":[', '""', "]}}")),
    "objects": ("search", repeat('{"query":{},"global_matches":[', "{}", "]}")),
    "matches": ("search", repeat('{"query":{},"global_matches":[', MATCH, "]}")),
    "types": ("search", repeat('{"query":{},"global_matches":[{' + ID + ',"types":{', '"":0',
                               "}}]}")),
    "chunk matches": ("search", repeat(CHUNKS, MATCH, "]}")),
    "chunk types": ("search", repeat(CHUNKS + "{" + ID + ',"types":{', '"":{"score":0,"chunks":[]}', "}}]}")),
    "chunk types 0": ("search", repeat(CHUNKS + "{" + ID + ',"types":{', '"":0', "}}]}")),
    "chunks": ("search", repeat(CHUNKS + "{" + ID + ',"types":{"":{"score":0,"chunks":[',
                                '{"query":"","match":"","score":0}',
                                "]}}}]}")),
    "chunks 0": ("search", repeat(CHUNKS + "{" + ID + ',"types":{"":{"score":0,"chunks":[', "0", "]}}}]}")),
    "asset": ("get", repeat('{"x":[', "{}", "]}")),
    "outcomes": ("add", repeat("[", "{}", "]", 3 * MIB)),
}


# Runs a command and prints what memory it had at most, in KiB. A child counts the memory of the process
# that it was forked from, so that has to be a small one.
MEASURE = ("import resource, subprocess, sys; subprocess.run(sys.argv[1:], stdout=subprocess.DEVNULL); "
           "print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)")


@pytest.mark.skipif(b"__asan_init" in BINARY.read_bytes() or b"__tsan_init" in BINARY.read_bytes(),
                    reason="a sanitizer takes memory of its own")
@pytest.mark.parametrize("name", HOSTILE)
def test_an_answer_takes_a_small_multiple_of_its_size(cli, remote, calls, name):
    """Received, read and printed as indented JSON. A tree of 8 MiB of [] was 1 GiB."""
    call, body = HOSTILE[name]
    words, status, _ = calls[call]
    remote.gives(status, body)
    words = (*words, "--json") if call == "search" else words
    done = subprocess.run([sys.executable, "-c", MEASURE, *cli.command(words)], cwd=cli.work, env=cli.env,
                          timeout=60, capture_output=True, check=True)
    assert int(done.stdout) * 1024 < 24 * MIB + 16 * len(body), done
    assert len(remote.asked) == 1


def test_an_answer_has_a_ceiling(cli, remote, calls):
    words, status, _ = calls["add"]
    remote.gives(status, b"[" + b" " * (5 * MIB) + b"]")
    said = cli.run(*words)
    assert said.code == 1 and "the answer is larger than 4194304 bytes" in said.err


# --- lots of an add ---------------------------------------------------------------------------------

def added(lots, *, most=10 ** 9, seconds=0):
    """Answers like a server that takes bodies of `most` bytes, and counts the assets of each request."""
    def answer(body):
        time.sleep(seconds)
        assets = json.loads(body)
        lots.append(len(assets))
        if len(body) > most:
            return 413, b"<html>too large</html>"
        return 201, json.dumps([{"iscc_id": asset["iscc_id"], "status": "created"} for asset in assets]).encode()
    return answer


def numbered(count, name="x"):
    return [{"iscc_id": iscc_id(number), "iscc_code": ASSET["iscc_code"], "metadata": {"name": name}}
            for number in range(count)]


def iscc_id(number):
    raw = bytes([0x60, 0x10]) + (1 << 40 | number).to_bytes(8, "big")
    return "ISCC:" + base64.b32encode(raw).decode().rstrip("=")


def add_lots(cli, remote, assets):
    file = cli.work / "many.jsonl"
    file.write_text("".join(json.dumps(asset) + "\n" for asset in assets), encoding="utf-8")
    return cli.good("add", file, "--uri", remote.url)


def test_lots_grow_while_they_are_answered_quickly(cli, remote):
    lots = []
    remote.answers = added(lots)
    said = add_lots(cli, remote, numbered(24000))
    # of two batches of the command, 20,000 and 4,000
    assert lots == [100, 200, 400, 800, 1600, 3200, 6400, 7300, 4000], said
    sent = [asset["iscc_id"] for _, _, body in remote.asked for asset in json.loads(body)]
    assert sent == [iscc_id(number) for number in range(24000)]


def test_a_slow_server_gets_small_lots(cli, remote):
    lots = []
    remote.answers = added(lots, seconds=1.2)
    add_lots(cli, remote, numbered(250))
    assert lots == [100, 100, 50]


def test_a_lot_has_no_more_than_some_mebibytes(cli, remote):
    lots = []
    remote.answers = added(lots)
    add_lots(cli, remote, numbered(150, name="x" * 100000))
    assert len(lots) == 4 and max(lots) == 42 and sum(lots) == 150
    assert max(len(body) for _, _, body in remote.asked) < 4 * MIB + 110000


def test_a_lot_that_is_too_large_is_sent_in_halves(cli, remote):
    """A proxy may take less than the server behind it."""
    lots = []
    remote.answers = added(lots, most=100000)
    add_lots(cli, remote, numbered(2500))
    taken = [len(json.loads(body)) for _, _, body in remote.asked if len(body) <= 100000]
    assert sum(taken) == 2500 and len(lots) == len(taken) + 1, lots
    assert [lot for lot in lots if lot == max(lots)] == [max(lots)], lots


def test_an_asset_that_is_too_large_alone_is_an_error(cli, remote):
    lots = []
    remote.answers = added(lots, most=100)
    file = cli.work / "many.jsonl"
    file.write_text("".join(json.dumps(asset) + "\n" for asset in numbered(3)), encoding="utf-8")
    said = cli.run("add", file, "--uri", remote.url)
    assert said.code not in (0, 130) and "413" in said.err, said
    assert len(lots) < 10, lots


# --- errors that the library hands out --------------------------------------------------------------

class Err(ctypes.Structure):
    _fields_ = [("status", ctypes.c_int), ("msg", ctypes.c_char * 256), ("position", ctypes.c_size_t),
                ("retry_after_s", ctypes.c_uint32)]


class Asset(ctypes.Structure):
    _fields_ = [("iscc_id", ctypes.c_char_p), ("iscc_code", ctypes.c_char_p), ("units", ctypes.c_void_p),
                ("unit_count", ctypes.c_size_t), ("simprints", ctypes.c_void_p),
                ("simprint_count", ctypes.c_size_t), ("metadata", ctypes.c_char_p),
                ("reserved", ctypes.c_uint64 * 2)]


NO_POSITION = ctypes.c_size_t(-1).value
UNAVAILABLE = 9
uses_library = pytest.mark.skipif(b"__asan_init" in BINARY.read_bytes() or b"__tsan_init" in BINARY.read_bytes(),
                                  reason="a library with a sanitizer cannot be loaded into Python")


@pytest.fixture
def store(remote):
    library = ctypes.CDLL(str(BINARY.parent / "libiscc_search.so.0"))
    library.isx_close.argtypes = [ctypes.c_void_p]
    opened, err = ctypes.c_void_p(), Err()
    assert library.isx_open(remote.url.encode(), None, ctypes.byref(opened), ctypes.byref(err)) == 0, err.msg
    yield lambda name, *words: (getattr(library, name)(opened, b"default", *words, ctypes.byref(err)), err)[1]
    library.isx_close(opened)


@uses_library
@pytest.mark.parametrize("count, said, position, message", [
    (150, "asset 3: bad unit", 103, b"asset 103: bad unit"),
    (150, "asset 49: bad unit", 149, b"asset 149: bad unit"),
    (101, "bad unit", 100, b"asset 100: bad unit"),
    (150, "bad unit", NO_POSITION, b"bad unit"),
    (150, "asset 50: bad unit", NO_POSITION, b"asset 50: bad unit"),
    (150, "asset x", NO_POSITION, b"asset x"),
    (1, "bad unit", 0, b"bad unit"),
])
def test_the_position_of_an_asset_counts_over_all_chunks(remote, store, count, said, position, message):
    assets = (Asset * count)(*[Asset(iscc_id=ASSET["iscc_id"].encode())] * count)
    if count > 100:
        remote.queue = [(201, CREATED * 100)]
    remote.queue.append((400, {"detail": said}))
    err = store("isx_add", assets, ctypes.c_size_t(count), None)
    assert (err.msg, err.position, remote.queue) == (message, position, [])


@uses_library
@pytest.mark.parametrize("header, seconds", [({"Retry-After": "7"}, 7), ({}, 0), ({"Retry-After": "soon"}, 0)])
def test_retry_after_of_the_server_is_handed_out(remote, store, header, seconds):
    remote.gives(503, {"detail": "busy"}, **header)
    err = store("isx_remove", ASSET["iscc_id"].encode())
    assert (err.msg, err.retry_after_s) == (b"busy", seconds)


@uses_library
@pytest.mark.parametrize("name, words", [
    ("isx_add", (Asset(iscc_code=ASSET["iscc_code"].encode()), ctypes.c_size_t(1), None)),
    ("isx_index_create", ()),
    ("isx_index_delete", ()),
])
def test_what_must_not_be_done_twice_is_sent_once(remote, store, name, words):
    """Also on a connection that was kept open and closes: without an ISCC-ID each try would be another asset."""
    remote.gives(204)
    store("isx_remove", ASSET["iscc_id"].encode()) # leaves an open connection
    remote.hangs_up = True
    err = store(name, *[ctypes.byref(word) if isinstance(word, Asset) else word for word in words])
    assert [method for method, _, _ in remote.asked] == ["DELETE", "DELETE" if "delete" in name else "POST"]
    assert err.status == UNAVAILABLE and remote.url.encode() in err.msg


@uses_library
@pytest.mark.parametrize("count", [1, 2])
def test_a_removal_is_sent_once(remote, store, count):
    """A second one would not find what the first one has removed, and say so."""
    remote.gives(204)
    store("isx_remove", ASSET["iscc_id"].encode()) # leaves an open connection
    remote.hangs_up = True
    iscc_ids = (ctypes.c_char_p * count)(*[one["iscc_id"].encode() for one in (ASSET, OTHER)[:count]])
    err = store("isx_remove_many", iscc_ids, ctypes.c_size_t(count), (ctypes.c_bool * count)())
    assert [method for method, _, _ in remote.asked] == ["DELETE", "DELETE" if count == 1 else "POST"]
    assert err.status == UNAVAILABLE and remote.url.encode() in err.msg


@uses_library
def test_an_asset_with_an_iscc_id_is_sent_again(remote, store):
    remote.gives(204)
    store("isx_remove", ASSET["iscc_id"].encode())
    remote.gives(201, CREATED)
    remote.hangs_up = True
    store("isx_add", (Asset * 1)(Asset(iscc_id=ASSET["iscc_id"].encode())), ctypes.c_size_t(1), None)
    assert [method for method, _, _ in remote.asked] == ["DELETE", "POST", "POST"]


def problem(loc, msg="Input should be a valid string"):
    return {"type": "string_type", "loc": loc, "msg": msg, "input": 7}


@uses_library
@pytest.mark.parametrize("count, detail, position, message", [
    (150, [problem(["body", 3, "units", 0])], 103, b"asset 103: units.0: Input should be a valid string"),
    (150, [problem(["body", 49]), problem(["body", 2])], 149, b"asset 149: Input should be a valid string"),
    (101, [problem(["body", 0, "iscc_id"])], 100, b"asset 100: iscc_id: Input should be a valid string"),
    (1, [problem(["body", 0, "iscc_id"])], 0, b"iscc_id: Input should be a valid string"),
    (1, [problem(["body"], "no list")], 0, b"no list"),
    (150, [problem(["body"], "no list")], NO_POSITION, b"no list"),
    (150, [problem(["body", 50])], NO_POSITION, b"Input should be a valid string"),
    (150, [problem(["body", -1, "x"])], NO_POSITION, b"-1.x: Input should be a valid string"),
    (150, [problem(["body", 10 ** 30])], NO_POSITION, b"Input should be a valid string"),
    (150, [problem(["query", "chunks"])], NO_POSITION, b"query.chunks: Input should be a valid string"),
    (150, [problem([])], NO_POSITION, b"Input should be a valid string"),
    (150, [problem("body")], NO_POSITION, b'status 422: [{"type"'),
    (150, [problem({"body": 3})], NO_POSITION, b'status 422: [{"type"'),
    (150, [{"loc": ["body", 3]}], NO_POSITION, b"status 422: [{"),
    (150, [7], NO_POSITION, b"status 422: [7]"),
    (150, [], NO_POSITION, b"status 422: []"),
    (150, {"loc": ["body", 3], "msg": "x"}, NO_POSITION, b"status 422: {"),
    (150, "no list", NO_POSITION, b"no list"),
])
def test_the_place_of_a_problem_counts_over_all_chunks(remote, store, count, detail, position, message):
    assets = (Asset * count)(*[Asset(iscc_id=ASSET["iscc_id"].encode())] * count)
    if count > 100:
        remote.queue = [(201, CREATED * 100)]
    remote.queue.append((422, {"detail": detail}))
    err = store("isx_add", assets, ctypes.c_size_t(count), None)
    assert err.msg.startswith(message) and (err.position, err.status) == (position, 1), err.msg


@uses_library
@pytest.mark.parametrize("msg", ["x" * 1000, "\u00e4" * 300, "a\0b", "%s%n"])
def test_a_problem_of_another_server_may_say_anything(remote, store, msg):
    remote.gives(422, {"detail": [problem(["body", 0, "k" * 500, msg, None, {"a": 1}], msg)]})
    err = store("isx_add", (Asset * 1)(Asset(iscc_id=ASSET["iscc_id"].encode())), ctypes.c_size_t(1), None)
    assert err.msg.decode().startswith("k" * 128 + ": ") and err.position == 0


OTHER_INDEXES = [{"name": "other"}, {"name": "defaul"}, {"name": "default\0"}, {"name": "DEFAULT"}, {"name": "default" * 40}, {},
                 {"name": None}, {"name": 5}, {"name": ["default"]}, [], "default", None]


@uses_library
@pytest.mark.parametrize("answer", OTHER_INDEXES, ids=lambda answer: str(answer)[:20])
def test_an_answer_about_another_index_is_refused(remote, store, answer):
    info = ctypes.create_string_buffer(1024)
    for status, call, words in ((201, "isx_index_create", ()), (200, "isx_index_stat", (info,))):
        remote.gives(status, answer)
        err = store(call, *words)
        assert err.status != 0 and remote.url.encode() in err.msg and b"is not what it should be: expected" in err.msg
    assert info.raw == bytes(1024)


@uses_library
def test_an_answer_about_the_index_is_taken(remote, store):
    remote.gives(201, INFO)
    assert store("isx_index_create").status == 0
    remote.gives(200, INFO)
    assert store("isx_index_stat", ctypes.create_string_buffer(1024)).status == 0


# --- batches and conditions of searches ----------------------------------------------------------

BATCHED = {**FOUND, "query": {"units": ASSET["units"]}}


def search_lines(cli, remote, count, *words):
    """Search with the lines of a file; the answers of the program."""
    (cli.work / "q.jsonl").write_text((json.dumps({"units": ASSET["units"]}) + "\n") * count)
    said = cli.run("search", "q.jsonl", "--uri", remote.url, *words)
    return said, [json.loads(line) for line in said.out.splitlines()]


def asked_paths(remote):
    return [path for method, path, _ in remote.asked if method == "POST"]


def test_many_queries_are_one_request(cli, remote):
    remote.gives(200, {"results": [BATCHED] * 5})
    said, lines = search_lines(cli, remote, 5)
    assert (said.code, lines) == (0, [BATCHED] * 5)
    assert asked_paths(remote) == ["/indexes/default/search/batch?limit=3"]
    body = json.loads(remote.asked[-1][2])
    assert body == {"queries": [{"units": ASSET["units"]}] * 5}


def test_large_limits_are_several_requests(cli, remote):
    answers = [(200, {"results": [BATCHED] * count}) for count in (25, 25, 10)]
    remote.gives(200, {"results": []})
    remote.queue = answers
    said, lines = search_lines(cli, remote, 60, "--limit", 1000)
    assert (said.code, len(lines)) == (0, 60)
    assert asked_paths(remote) == ["/indexes/default/search/batch?limit=1000"] * 3


def test_a_server_without_batches_is_asked_singly(cli, remote):
    """0.3.3 has no such route."""
    remote.queue = [(404, {"detail": "Not Found"})]
    remote.gives(200, BATCHED)
    remote.queue.append((200, BATCHED))
    said, lines = search_lines(cli, remote, 600)
    assert (said.code, lines) == (0, [BATCHED] * 600)
    assert asked_paths(remote) == (["/indexes/default/search/batch?limit=3"]
                                   + ["/indexes/default/search?limit=3"] * 600)


@pytest.mark.parametrize("status, answer", [
    (200, {"results": [BATCHED]}), (200, {"results": [BATCHED] * 4}), (200, {"results": {}}), (200, {}), (200, b"x"),
    (413, {"detail": "the body is larger"}), (500, {"detail": "an error"}), (422, {"detail": "x"}),
])
def test_a_batch_that_fails_is_asked_singly(cli, remote, status, answer):
    remote.queue = [(status, answer), (200, BATCHED)]
    said, lines = search_lines(cli, remote, 3)
    assert (said.code, lines) == (0, [BATCHED] * 3)
    assert asked_paths(remote) == (["/indexes/default/search/batch?limit=3"]
                                   + ["/indexes/default/search?limit=3"] * 3)


@pytest.mark.parametrize("status, detail, message", [
    (404, "Index 'default' not found", "Index 'default' not found"),
    (401, "Unauthorized", "Unauthorized"), (503, "busy", "busy"),
])
def test_a_failure_of_all_is_said_once(cli, remote, status, detail, message):
    remote.gives(status, {"detail": detail})
    said, lines = search_lines(cli, remote, 50)
    assert (said.code, lines) == (1, [])
    assert said.err.count(message) == 1
    assert len(asked_paths(remote)) == 1


def test_single_failures_in_a_batch(cli, remote):
    failures = [({"status": 400, "detail": "a bad unit"}, "a bad unit"),
                ({"status": 422, "detail": [{"type": "x", "loc": ["body", "queries", 1], "msg": "too many"}]},
                 "too many"),
                ({"status": 404, "detail": "Asset 'x' not found in index"}, "Asset 'x' not found"),
                ({"query": 5}, "is not what it should be"), (None, "is not what it should be")]
    remote.gives(200, {"results": [BATCHED, *(one for one, _ in failures[:3]), BATCHED]})
    said, lines = search_lines(cli, remote, 5)
    assert said.code == 1
    assert ["status" in line for line in lines] == [False, True, True, True, False]
    for (_, message), line in zip(failures[:3], lines[1:]):
        assert message in line["detail"]
    for one, message in failures[3:]:
        remote.gives(200, {"results": [BATCHED, one, BATCHED]})
        said, lines = search_lines(cli, remote, 3)
        assert said.code == 1 and message in said.err and remote.url in said.err


def test_a_query_that_was_refused_beside_others_is_asked_again(cli, remote):
    busy = {"status": 503, "detail": "too many large answers at once"}
    remote.queue = [(200, {"results": [BATCHED, busy, BATCHED]}), (200, BATCHED)]
    said, lines = search_lines(cli, remote, 3)
    assert (said.code, lines) == (0, [BATCHED] * 3)
    assert len(asked_paths(remote)) == 2


CONDITIONS = {"min_score": ("--min-score", 0.9), "min_scores": ("--min-score", "DATA_NONE_V0:0.9"),
              "types": ("--type", "DATA_NONE_V0"), "exponent": ("--exponent", 2), "with": ("--with", "code"),
              "rank": ("--rank", "tiered"), "max_expect": ("--max-expect", 0.01), "explain": ("--explain",)}


RANKED = {"iscc_id": ASSET["iscc_id"], "score": 0.9, "expect": 1.5e-300, "tier": "near_duplicate", "tier_score": 0.875,
          "types": {"DATA_NONE_V0": 0.9}}


def ranked(**members):
    return {**FOUND, "query": {"units": ASSET["units"], "rank": "tiered", "max_expect": 0.5},
            "global_matches": [{**RANKED, **members}]}


def test_ranks_of_a_server_are_passed_on(cli, remote):
    words = ("search", ASSET["iscc_code"], "--rank", "tiered", "--max-expect", "0.5", "--uri", remote.url)
    remote.gives(200, ranked())
    assert cli.good(*words).json["global_matches"] == [RANKED]
    assert "      near_duplicate 0.8750, 1.5e-300 expected by chance\n" in cli.good(*words, "--table").out
    remote.gives(200, ranked(expect=3, tier="a later one"))
    assert cli.good(*words).json["global_matches"][0]["expect"] == 3.0


@pytest.mark.parametrize("members", [{"expect": -1}, {"expect": "x"}, {"expect": [1]}, {"expect": True}, {"tier": 5},
                                     {"tier_score": 1.5}, {"tier_score": None}, {"tier_score": "x"}])
def test_malformed_ranks_of_a_server_are_an_error(cli, remote, members):
    remote.gives(200, ranked(**members))
    said = cli.run("search", ASSET["iscc_code"], "--rank", "tiered", "--max-expect", "0.5", "--uri", remote.url)
    assert (said.code, said.out) == (1, "")
    assert "is not what it should be" in said.err


@pytest.mark.parametrize("name", CONDITIONS)
def test_a_server_that_ignores_a_condition_is_an_error(cli, remote, name):
    """Matches of 0.3.3 would be others than were asked for."""
    words = ("search", ASSET["iscc_code"], *CONDITIONS[name], "--uri", remote.url)
    remote.gives(200, FOUND)
    said = cli.run(*words)
    assert (said.code, said.out) == (1, "")
    assert f"the server ignores '{name}' of a query" in said.err
    sent = json.loads(remote.asked[-1][2])
    assert name in sent
    remote.gives(200, {**FOUND, "query": {"units": [], name: sent[name]}})
    assert cli.good(*words).json["query"][name] == sent[name]


def test_what_matches_of_a_server_carry(cli, remote):
    match = {"iscc_id": OTHER["iscc_id"], "score": 1.0, "types": {}, "iscc_code": ASSET["iscc_code"],
             "units": ASSET["units"]}
    remote.gives(200, {**FOUND, "query": {"with": ["code", "units"]}, "global_matches": [match],
                       "chunk_matches": []})
    said = cli.good("search", ASSET["iscc_code"], "--with", "code,units", "--uri", remote.url)
    assert said.json["global_matches"] == [match]
    for name, value in (("iscc_code", 5), ("units", 5), ("units", [5]), ("units", ["a"] * 65)):
        remote.gives(200, {**FOUND, "query": {"with": ["code", "units"]}, "chunk_matches": [],
                           "global_matches": [{**match, name: value}]})
        said = cli.run("search", ASSET["iscc_code"], "--with", "code,units", "--uri", remote.url)
        assert said.code == 1 and "is not what it should be" in said.err
