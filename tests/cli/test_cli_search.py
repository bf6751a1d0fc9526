"""`search`: every form of a query, and both forms of the answer."""

import base64
import json

import pytest

from commandline import FILES, read_file, sample, write_lines
from serving import CONTENT, DATA, INSTANCE, META, digest, iscc_id, make_asset, unit

ALPHABET58 = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"


def base58(raw):
    number, text = int.from_bytes(raw, "big"), ""
    while number:
        number, rest = divmod(number, 58)
        text = ALPHABET58[rest] + text
    return "1" * (len(raw) - len(raw.lstrip(b"\0"))) + text


def raw_of(iscc):
    text = iscc.removeprefix("ISCC:")
    return base64.b32decode(text + "=" * (-len(text) % 8))


def multibase_forms(iscc):
    """An ISCC in each of its text forms."""
    raw = raw_of(iscc)
    tagged = b"\xcc\x01" + raw  # the multicodec of ISCC
    plain = iscc.removeprefix("ISCC:")
    hexed = base64.b32hexencode(tagged).decode().rstrip("=").lower()
    return {
        "canonical": iscc,
        "without prefix": plain,
        "lower case": "ISCC:" + plain.lower(),
        "base16": "f" + tagged.hex(),
        "base32": "b" + base64.b32encode(tagged).decode().rstrip("=").lower(),
        "base32hex": "v" + hexed,
        "base58btc": "z" + base58(tagged),
        "base64url": "u" + base64.urlsafe_b64encode(tagged).decode().rstrip("="),
    }


@pytest.fixture(scope="module")
def common(filled):
    """An asset of the sample that many others are like."""
    for asset in sample():
        if len(filled.good("search", asset["iscc_code"], "-l", 10).json["global_matches"]) == 10:
            return asset
    raise AssertionError("none in the sample")


def test_search_by_code(filled):
    asset = sample(1)[0]
    said = filled.good("search", asset["iscc_code"])
    assert list(said.json) == ["query", "global_matches", "chunk_matches"]
    assert said.json["query"]["iscc_code"] == asset["iscc_code"]
    assert len(said.json["query"]["units"]) == 4
    assert said.json["chunk_matches"] == []
    best = said.json["global_matches"][0]
    assert (best["iscc_id"], best["score"]) == (asset["iscc_id"], 1.0)
    assert best["metadata"] == asset["metadata"]
    assert said.out.startswith('{\n  "query": {\n    "iscc_code": ')
    assert said.err == ""


def test_limit(filled, common):
    code = common["iscc_code"]
    everything = filled.good("search", code, "--limit", 1000).json["global_matches"]
    assert len(everything) > 5
    assert filled.good("search", code).json["global_matches"] == everything[:3]
    for words in (("-l", 1), ("--limit=1",)):
        assert filled.good("search", code, *words).json["global_matches"] == everything[:1]
    assert filled.good("search", code, "--limit", 5).json["global_matches"] == everything[:5]


def test_several_units(filled):
    asset = sample(1)[0]
    said = filled.good("search", *asset["units"])
    best = said.json["global_matches"][0]
    assert best["iscc_id"] == asset["iscc_id"]
    assert set(best["types"]) == {"META_NONE_V0", "CONTENT_TEXT_V0", "DATA_NONE_V0",
                                  "INSTANCE_NONE_V0"}
    assert said.json["query"]["units"] == asset["units"]
    one = filled.good("search", asset["units"][1])
    assert set(one.json["global_matches"][0]["types"]) == {"CONTENT_TEXT_V0"}


def test_more_like_this(filled, common):
    asset = common
    said = filled.good("search", asset["iscc_id"], "--limit", 2)
    assert len(said.json["global_matches"]) == 2
    assert asset["iscc_id"] not in [match["iscc_id"] for match in said.json["global_matches"]]
    said = filled.run("search", iscc_id(1))
    assert (said.code, said.out) == (1, "")
    assert said.err.startswith("Error: ")


@pytest.mark.parametrize("form", multibase_forms("ISCC:AAAAAAAAAA").keys())
@pytest.mark.parametrize("field", ["iscc_code", "iscc_id", "unit"])
def test_text_forms(filled, form, field):
    asset = sample(1)[0]
    iscc = asset["units"][1] if field == "unit" else asset[field]
    expected = filled.good("search", iscc).json
    assert expected["global_matches"]
    assert filled.good("search", multibase_forms(iscc)[form]).json == expected


def other_forms(iscc):
    """What people copy from elsewhere."""
    plain = iscc.removeprefix("ISCC:")
    padding = "=" * (-len(plain) % 8)
    tagged = b"\xcc\x01" + raw_of(iscc)
    return {
        "URN": f"urn:iscc:{plain}", "URN in capitals": f"URN:ISCC:{plain}", "URN in small letters": f"urn:iscc:{plain.lower()}",
        "URN with r": f"urn:iscc:{plain}?+a?b=c", "URN with q": f"urn:iscc:{plain}?=a/b&c", "URN with f": f"urn:iscc:{plain}#a?=b",
        "URN with all": f"urn:iscc:{plain.lower()}{padding}?+a?=b#c", "URN with an empty f": f"URN:ISCC:{plain}#",
        "URL": f"https://iscc.example.com/{iscc}", "URL of http": f"http://localhost:8000/a/b/{iscc}",
        "URL with a query": f"https://h/{iscc}?x=/ISCC:AAA#y/z", "URL with more behind": f"https://h/{iscc}/details",
        "URL encoded": f"https://h/ISCC%3A{plain}", "URL encoded in small letters": f"https://h/iscc%3a{plain.lower()}/",
        "URL without ISCC:": f"HTTPS://h/{plain}", "URL in small letters": f"https://h/{iscc.lower()}/",
        "padded": iscc + padding, "padded without ISCC:": plain + padding, "padded to eight": iscc + "======",
        "padded URN": f"urn:iscc:{plain}{padding}", "padded URL": f"https://h/{iscc}{padding.replace('=', '%3D')}",
        "padded base64url": "u" + base64.urlsafe_b64encode(tagged).decode(), "one =": iscc + "=",
        "small letters": iscc.lower(), "small letters without iscc:": plain.lower(), "blanks": f" {iscc}\n",
        "hyphens": "ISCC:" + "-".join(plain[i:i + 4] for i in range(0, len(plain), 4)), "mixed": f"Iscc:{plain}",
    }


@pytest.mark.parametrize("form", other_forms("ISCC:AAAAAAAAAA").keys())
@pytest.mark.parametrize("field", ["iscc_code", "iscc_id", "unit"])
def test_forms_that_are_copied_from_elsewhere(filled, form, field):
    asset = sample(1)[0]
    iscc = asset["units"][1] if field == "unit" else asset[field]
    expected = filled.good("search", iscc).json
    assert filled.good("search", other_forms(iscc)[form]).json == expected


@pytest.mark.parametrize("form", {**other_forms("ISCC:AAAAAAAAAA"), **multibase_forms("ISCC:AAAAAAAAAA")}.keys())
def test_get_takes_every_form(filled, form):
    asset = sample(1)[0]
    forms = {**other_forms(asset["iscc_id"]), **multibase_forms(asset["iscc_id"])}
    assert filled.good("get", forms[form]).json["iscc_id"] == asset["iscc_id"]
    said = filled.run("get", {**other_forms(iscc_id(1)), **multibase_forms(iscc_id(1))}[form])
    assert (said.code, said.err) == (1, f"Error: Asset not found: {iscc_id(1)}\n")


def test_several_units_in_other_forms(filled):
    units = sample(1)[0]["units"]
    forms = [list(other_forms(one).values())[i] for i, one in enumerate(units)]
    assert filled.good("search", *forms).json == filled.good("search", *units).json


@pytest.mark.parametrize("word", [
    "https://", "https://h", "https://h/", "https://iscc.example.com?ISCC:MAIGHXLN555Y2DFF", "urn:iscc:", "urn:isbn:978",
    "ftp://h/ISCC:MAIGHXLN555Y2DFF", "ISCC:MAIGHXLN555Y2DFF=======", "ISCC:=", "=", "ISCC:MAIG=HXLN555Y2DFF",
    "https://h/ISCC%3", "ISCC:ISCC:MAIGHXLN555Y2DFF", "https://h/x%00y",
    "urn:iscc:MAIGHXLN555Y2DFF?x", "urn:iscc:?+MAIGHXLN555Y2DFF", "urn:iscc:#", "ISCC:MAIGHXLN555Y2DFF#x", "urn:iscc:MAIGHXLN555Y2DFF/x",
])
def test_forms_that_are_none(filled, word):
    for command in ("search", "get"):
        said = filled.run(command, word)
        assert (said.code, said.out) == (1, ""), said
        assert said.err.startswith("Error: ") and said.err.count("\n") == 1


@pytest.mark.parametrize("word", ["urn:iscc:ISCC:{}", "URN:ISCC:iscc:{}?+x#y", "ISCC:ISCC:{}", "https://h/ISCC:ISCC:{}", "https://h/ISCC%3Aiscc%3a{}"])
def test_iscc_twice_is_named(filled, word):
    word = word.format(sample(1)[0]["iscc_id"].removeprefix("ISCC:"))
    for command in ("search", "get"):
        said = filled.run(command, word)
        assert (said.code, said.err) == (1, f"Error: {word}: expected 'ISCC:' once, it stands there twice\n")


def test_search_by_file(filled):
    for path in FILES:
        asset = read_file(path)
        query = filled.good("search", path, "--limit", 1).json["query"]
        assert (query["iscc_code"], query["units"]) == (asset["iscc"], asset["units"])


@pytest.mark.parametrize("content", ["{", "[]", "", '{"name": "x"}'])
def test_a_file_that_is_no_query(cli, content):
    (cli.work / "q.iscc.json").write_text(content)
    said = cli.run("search", "q.iscc.json")
    assert (said.code, said.out) == (1, "")
    assert "q.iscc.json" in said.err


@pytest.mark.parametrize("words", [
    ("nonsense!",), ("ISCC:",), ("",), ("none.iscc.json",), ("ISCC:AAA1",),
    (unit(META, digest(1)), "ISCC:nonsense!"), (iscc_id(1), unit(META, digest(1))),
    (iscc_id(1), iscc_id(2)),
], ids=" ".join)
def test_a_malformed_query(filled, words):
    said = filled.run("search", *words)
    assert (said.code, said.out) == (1, ""), said
    assert said.err.startswith("Error: ")


@pytest.mark.parametrize("cut", [1, 2, 3, 4, 5, 6, 7, 8])
def test_a_code_that_has_lost_characters(filled, cut):
    code = "ISCC:KACY6MYZYQFRSUSPYPNO4G3CLMACQAQWJAA4RTFHBFXCTOJUKW7HE2A"
    assert filled.run("search", code).code == 0
    said = filled.run("search", code[:-cut])
    assert (said.code, said.out) == (1, ""), said
    if cut not in (1, 4, 6):  # these do not decode
        assert "expected 55 characters behind 'ISCC:'" in said.err


def test_nulls_are_left_out(cli):
    write_lines(cli.work / "a.jsonl", [make_asset(1)])
    cli.good("add", "a.jsonl")
    match = cli.good("search", make_asset(1)["units"][0]).json["global_matches"][0]
    assert list(match) == ["iscc_id", "score", "types"]


def test_nothing_like_it(cli):
    said = cli.good("search", unit(DATA, digest("nothing")))
    assert said.json["global_matches"] == []
    assert cli.good("search", unit(DATA, digest("nothing")), "--table").out == \
        "No match of at least 0.75 among 0 assets of index 'default'.\n"


def test_no_match_tells_threshold_and_number_of_assets(cli):
    words = ("search", unit(DATA, digest("nothing")), "--table")
    write_lines(cli.work / "a.jsonl", [make_asset(1)])
    cli.good("add", "a.jsonl")
    assert cli.good(*words).out == "No match of at least 0.75 among 1 asset of index 'default'.\n"
    cli.env["ISCC_SEARCH_MATCH_THRESHOLD_UNITS"] = "0.9"
    write_lines(cli.work / "a.jsonl", [make_asset(i) for i in range(1, 1235)])
    cli.good("add", "a.jsonl")
    assert cli.good(*words).out == "No match of at least 0.9 among 1,234 assets of index 'default'.\n"
    # A prefix search has no threshold.
    uri = f"lmdb://{cli.work}/prefixes"
    cli.good("add", "a.jsonl", "--uri", uri)
    assert cli.good(*words, "--uri", uri).out == "No match among 1,234 assets of index 'default'.\n"


def test_no_match_on_a_server(cli, start_server):
    """The threshold is a setting of the server, which the client does not know."""
    cli.good("index", "add", "remote", "--remote", start_server().base)
    assert cli.good("search", unit(DATA, digest("nothing")), "--table", "--index", "remote").out == \
        "No match among 0 assets of index 'remote'.\n"


def test_unknown_index(filled):
    code = sample(1)[0]["iscc_code"]
    for words in (("search", code), ("get", sample(1)[0]["iscc_id"]), ("add", FILES[0])):
        said = filled.run(*words, "--index", "nope")
        assert (said.code, said.out) == (1, "")
        assert "Index 'nope' not found in configuration" in said.err


def test_no_active_index(cli):
    cli.good("index", "remove", "default")
    for words in (("search", unit(META, digest(1))), ("get", iscc_id(1)), ("add", FILES[0])):
        said = cli.run(*words)
        assert (said.code, said.out) == (1, "")
        assert "no active index" in said.err


# --- the table ------------------------------------------------------------------------------------

def test_table_on_a_terminal(filled, common):
    """A bar for each unit type; without a terminal, one line for all of them."""
    asset = common
    code, shown, err = filled.on_terminal("search", asset["iscc_code"], columns=200, env={"NO_COLOR": "1"})
    assert (code, err) == (0, "")
    lines = shown.replace("\r\n", "\n").splitlines()
    assert lines[0].split() == ["Rank", "Score", "ISCC-ID", "Name"]
    matches = filled.good("search", asset["iscc_code"]).json["global_matches"]
    assert len(matches) == 3 and len(lines) == 1 + sum(1 + len(match["types"]) for match in matches)
    at = 1
    for rank, match in enumerate(matches, 1):
        assert lines[at].split()[:3] == [str(rank), f"{match['score']:.4f}", match["iscc_id"]]
        assert lines[at].endswith(match["metadata"]["name"])
        bars = [line.split()[:2] for line in lines[at + 1:at + 1 + len(match["types"])]]
        assert bars == [[name, f"{score:.4f}"] for name, score in match["types"].items()]
        at += 1 + len(match["types"])
    plain = filled.good("search", asset["iscc_code"], "--table").out.splitlines()
    assert len(plain) == 1 + 2 * len(matches)
    for rank, match in enumerate(matches, 1):
        assert plain[2 * rank - 1].split()[:3] == [str(rank), f"{match['score']:.4f}", match["iscc_id"]]
        assert f"META_NONE_V0 {match['types']['META_NONE_V0']:.4f}" in plain[2 * rank]


def test_json_on_a_terminal_if_asked_for(filled):
    asset = sample(1)[0]
    code, shown, _ = filled.on_terminal("search", asset["iscc_code"], "--json")
    assert code == 0
    assert json.loads(shown) == filled.good("search", asset["iscc_code"]).json


def test_names_cannot_command_the_terminal(cli):
    row = make_asset(1, metadata={"name": "a\u001b[2Jb\nc\u007fd\u009b5me"})
    write_lines(cli.work / "a.jsonl", [row])
    cli.good("add", "a.jsonl")
    said = cli.good("search", row["units"][0], "--table")
    for command in ("\x1b", "\x7f", "\x9b"):
        assert command not in said.out
    assert len(said.out.splitlines()) == 3


def test_settings_of_the_score_apply(cli):
    body = digest("body")
    near = bytes([body[0] ^ 0xFF, body[1] ^ 0x1F]) + body[2:]  # 13 of 64 bits differ: 0.796875
    write_lines(cli.work / "a.jsonl", [{"iscc_id": iscc_id(1), "units": [
        unit(CONTENT, near), unit(INSTANCE, digest(1))]}])
    cli.good("add", "a.jsonl")
    query = unit(CONTENT, body)
    match = cli.good("search", query).json["global_matches"][0]
    assert match["score"] == pytest.approx(0.796875 ** 3)
    one = cli.good("search", query, env={"ISCC_SEARCH_CONFIDENCE_EXPONENT": "1"})
    assert one.json["global_matches"][0]["score"] == 1.0
    none = cli.good("search", query, env={"ISCC_SEARCH_MATCH_THRESHOLD_UNITS": "0.8"})
    assert none.json["global_matches"] == []


def near_assets(cli):
    """Assets 1 and 2 share a title with the query, and 3 nearly everything else."""
    units = [unit(META, digest("m")), unit(CONTENT, digest("c")), unit(DATA, digest("d"))]
    near = [unit(main, bytes([digest(name)[0] ^ 1]) + digest(name)[1:]) for main, name in ((CONTENT, "c"), (DATA, "d"))]
    write_lines(cli.work / "a.jsonl", [
        {"iscc_id": iscc_id(1), "units": [units[0], unit(CONTENT, digest(7))]},
        {"iscc_id": iscc_id(2), "units": [units[0], unit(DATA, digest(8))]},
        {"iscc_id": iscc_id(3), "units": [unit(META, digest(9)), *near]}])
    cli.good("add", "a.jsonl")
    return units


def test_ranks(cli):
    """A title that is shared by chance outranks broad agreement by score, and not by the other ranks."""
    units = near_assets(cli)

    def found(*words, env=None):
        return [match["iscc_id"] for match in cli.good("search", *units, *words, env=env).json["global_matches"]]

    # With one title both of 1 and 2 are as significant; the random DATA of 2 weighs less than the CONTENT of 1.
    by_score, by_significance, by_tier = ([iscc_id(number) for number in order] for order in ((1, 2, 3), (3, 1, 2), (3, 2, 1)))
    assert found() == found("--rank", "score") == found("--rank=tiered", "--rank", "score") == by_score
    assert found("--rank", "significance") == by_significance
    assert found("--rank", "tiered") == by_tier
    assert found("-l", 1, "--rank", "tiered") == by_tier[:1]
    assert found("--max-expect", 1e-25) == [iscc_id(3)]
    prefixes = f"lmdb://{cli.work}/prefixes"
    cli.good("add", "a.jsonl", "--uri", prefixes)
    assert found("--rank", "tiered", "--uri", prefixes) == [iscc_id(1), iscc_id(2)]
    for rank, expected in (("score", by_score), ("significance", by_significance), ("tiered", by_tier), ("", by_score)):
        assert found(env={"ISCC_SEARCH_RANK": rank}) == expected
    assert found("--rank", "score", env={"ISCC_SEARCH_RANK": "tiered"}) == by_score
    assert found(env={"ISCC_SEARCH_MAX_EXPECT": "1e-25"}) == [iscc_id(3)]
    assert found("--max-expect", 1, env={"ISCC_SEARCH_MAX_EXPECT": "1e-25"}) == by_score


def test_the_table_shows_the_rank(cli):
    units = near_assets(cli)
    lines = cli.good("search", *units, "--rank", "tiered", "--table").out.splitlines()
    assert [line.split()[0] for line in lines[2::3]] == ["near_duplicate", "title_only", "title_only"]
    lines = cli.good("search", *units, "--rank", "significance", "--table").out.splitlines()
    assert all(line.endswith(" expected by chance") for line in lines[2::3]) and len(lines) == 10
    assert cli.good("search", unit(DATA, digest("nothing")), "--max-expect", "0.01", "--table").out == \
        "No match of at least 0.75 and at most 0.01 expected by chance among 3 assets of index 'default'.\n"
