"""list, get and remove of many: what an index holds can be read back, page by page."""

import gzip
import json
import shutil
import subprocess

import pytest

from commandline import EXAMPLES, sample, write_lines


def lines(said):
    """The lines of standard output as JSON."""
    return [json.loads(line) for line in said.out.splitlines()]


def test_list_prints_every_asset_in_order(filled):
    said = filled.good("list", "--limit", "10000")
    found = lines(said)
    assert len(found) == len(sample()) and said.err == ""
    assert {row["iscc_id"]: row for row in found} == {row["iscc_id"]: row for row in sample()}
    ids = filled.good("list", "--ids", "--limit", "10000").out.splitlines()
    assert ids == [row["iscc_id"] for row in found]


def test_list_says_how_to_go_on(filled):
    everything = filled.good("list", "--ids", "--limit", "10000").out.splitlines()
    pages, after = [], []
    while True:
        said = filled.good("list", "--ids", "--limit", "700", *after)
        pages += said.out.splitlines()
        if not said.err:
            break
        assert said.err == f"There are more: --after {pages[-1]}\n"
        after = ["--after", pages[-1]]
    assert pages == everything
    assert len(filled.good("list").out.splitlines()) == 1000


def test_list_by_time_and_hub(cli):
    from serving import make_asset  # pylint: disable=import-outside-toplevel
    start = 1735689600 * 10**6
    rows = [make_asset((start + day * 86400 * 10**6) << 12 | day % 2) for day in range(31)]
    cli.good("add", write_lines(cli.work / "a.jsonl", rows))
    assert lines(cli.good("list", "--from", "2025-01-11", "--to", "2025-01-21")) == rows[10:20]
    assert lines(cli.good("list", "--hub", "1", "--after", rows[4]["iscc_id"])) == rows[5::2]
    for wrong in (["--from", "noon"], ["--to", "1.5"], ["--hub", "4096"], ["--after", "x"], ["--limit", "0"]):
        said = cli.run("list", *wrong)
        assert said.code == 2 and wrong[0] in said.err


def test_get_of_many(filled):
    rows = sample(3)
    ids = [row["iscc_id"] for row in rows]
    assert lines(filled.good("get", *ids)) == rows
    assert lines(filled.good("get", "-", stdin="\n".join(ids) + "\n\n")) == rows
    said = filled.run("get", ids[0], "ISCC:MAIGHXLN555Y2DFG", ids[1])
    assert (said.code, lines(said)) == (1, rows[:2])
    assert said.err == "Error: Asset not found: ISCC:MAIGHXLN555Y2DFG\n"
    said = filled.run("get", "-", stdin=ids[0] + "\nnonsense!\n")
    assert said.code == 1 and "standard input:2: " in said.err and said.out == ""


def test_remove(cli):
    cli.good("add", EXAMPLES / "assets.jsonl")
    ids = [row["iscc_id"] for row in sample(4)]
    assert cli.good("remove", ids[0]).json == {"removed": 1, "not_found": 0}
    said = cli.run("remove", "-", stdin="\n".join(ids))
    assert (said.code, said.json) == (1, {"removed": 3, "not_found": 1})
    assert said.err == f"Asset not found: {ids[0]}\n"
    assert len(cli.good("list", "--ids", "--limit", "9999").out.splitlines()) == len(sample()) - 4
    assert cli.run("remove", ids[0], "--index", "none").code == 1


@pytest.mark.parametrize("suffix, pack", [(".gz", gzip.compress), (".zst", None)])
def test_add_reads_compressed_lines(cli, suffix, pack):
    text = (EXAMPLES / "assets.jsonl").read_bytes()
    if not pack:
        if not shutil.which("zstd"):
            pytest.skip("zstd is not installed")
        packed = subprocess.run(["zstd", "-c"], input=text, capture_output=True, check=True).stdout
    else:
        packed = pack(text)
    path = cli.work / ("a.jsonl" + suffix)
    path.write_bytes(packed)
    assert cli.good("add", path.name).json["created"] == len(sample())
    path.write_bytes(packed + packed)  # members follow each other
    assert cli.good("add", path.name).json["updated"] == 2 * len(sample())
    path.write_bytes(packed[:len(packed) // 2])
    said = cli.good("add", path.name)
    assert said.json["errors"] == 1 and "ends too early" in said.err and said.json["updated"] > 100
    renamed = cli.work / "b.jsonl"
    renamed.write_bytes(packed)
    assert cli.good("add", "b.jsonl").json["updated"] == len(sample())
