"""bench/peers: what its table says of peers that win, fail or are stopped; and a small run with real peers."""
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PEERS = ROOT / "bench" / "peers"
BUILD = Path(os.environ.get("ISX_BUILD", ROOT / "build")).resolve()
sys.path.insert(0, str(PEERS))
import report  # noqa: E402

HEAD = {"date": "2026-01-01", "processor": "A", "cores": 2, "avx512": False, "memory_gib": 8, "linux": "6",
        "commit": "c", "versions": ["v"]}


def row(peer, per_s, p50_ms, recall=1.0, **more):
    return {"what": "search", "peer": peer, "kind": "random", "data": "random", "size": 1000, "load": 0.1,
            "ingest": {"per_s": 5.0, "seconds": 200.0}, "batch": {"per_s": per_s}, "recall": {"share": recall},
            "clients_1": {"p50_ms": p50_ms, "p99_ms": 9.0, "per_s": 1.0}, **more}


def lines_about(text, word):
    return [line for line in text.splitlines() if word in line]


def test_report__names_every_column_in_which_another_peer_is_better():
    text = report.text_of({**HEAD, "rows": [row("libiscc_search", 100, 2.0), row("faiss-hnsw", 250, 3.0, recall=0.5)]})
    won = [line for line in text.splitlines() if line.startswith("- ")]
    assert won == ["- batches of 1,000, searches/s: faiss HNSW 32, efSearch 64, in process 2.50 times better, 250 "
                   "against 100 of **libiscc_search**, in process (approximate: recall 0.500)"]
    assert "No other peer is better" not in text
    table = lines_about(text, "| faiss HNSW")[0]
    assert "**250**" in table and "**3.000**" not in table


def test_report__says_that_no_other_peer_is_better():
    text = report.text_of({**HEAD, "rows": [row("libiscc_search", 100, 2.0), row("faiss-flat", 50, 3.0)]})
    assert "No other peer is better in any column." in text


def test_report__does_not_say_so_where_nothing_was_compared():
    text = report.text_of({**HEAD, "rows": [row("libiscc_search", 100, 2.0)]})
    assert "No other peer is better" not in text and "Not known: nothing was measured of both" in text


def test_report__says_what_was_stopped_failed_not_offered_and_not_reached():
    rows = [row("libiscc_search", 100, 2.0, clients_64={"stopped_s": 60}, clients_8={"error": "it broke"}),
            row("iscc-search-0.3.3", 100, 2.0, batch={"absent": "no batches"}),
            {**row("usearch-hnsw", 0, 0), "ingest": {"stopped_s": 300}, "batch": {}, "recall": {}, "clients_1": {}},
            {**row("faiss-hnsw", 0, 0), "ingest": {"absent": report.UNTRIED[0]}, "batch": {}, "recall": {},
             "clients_1": {}}]
    text = report.text_of({**HEAD, "rows": rows})
    ours = lines_about(text, "| **libiscc_search**")[0]
    assert "stopped after 60 s" in ours and "failed" in ours and "libiscc_search**, in process, clients_8: it broke" in text
    assert "| - |" in lines_about(text, "| iscc-search 0.3.3")[0]
    assert "stopped after 300 s" in lines_about(text, "| usearch HNSW")[0]
    assert "not reached" in lines_about(text, "| faiss HNSW")[0]


def test_report__warns_of_a_busy_machine():
    busy = report.text_of({**HEAD, "rows": [row("libiscc_search", 1, 1, load=9.5)]})
    quiet = report.text_of({**HEAD, "rows": [row("libiscc_search", 1, 1, load=1.5)]})
    assert "The machine was busy: load up to 9.5." in busy and "busy" not in quiet


def measured(folder, *words):
    """Results and table of a run; skipped where the peers of PyPI cannot be had."""
    done = subprocess.run([PEERS / "run", "--program", BUILD / "iscc-search", "--library", BUILD / "bench/peers/library",
                           "--work", folder / "work", "--results", folder / "results", "--seconds", "1", *words],
                          check=False, capture_output=True, text=True, timeout=600)
    if "pip" in done.stderr and done.returncode:
        pytest.skip(f"the peers could not be installed: {done.stderr.strip().splitlines()[-1]}")
    assert done.returncode == 0, done.stdout + done.stderr
    results = folder / "results"
    return (json.loads((results / "results.json").read_text(encoding="utf-8"))["rows"],
            (results / "README.md").read_text(encoding="utf-8"))


def test_run__exact_peers_agree_and_ours_loses_nothing_by_kill_9(tmp_path):
    rows, text = measured(tmp_path, "--sizes", "1K 2K", "--pairs", "1K", "--peers", "libiscc_search faiss-flat")
    assert {(r["what"], r["size"], r["kind"], r["peer"]) for r in rows} == {
        (what, size, kind, peer) for what, size in (("search", 1000), ("search", 2000), ("pairs", 1000))
        for kind in ("random", "real") for peer in ("libiscc_search", "faiss-flat")}
    for r in rows:
        if r["what"] == "search":
            assert r["recall"] == {"share": 1.0}, r
            assert r["lost"] == {"lost": 0 if r["peer"] == "libiscc_search" else 1000, "of": 1000}, r
            assert all(r[name]["per_s"] > 0 for name in ("ingest", "clients_1", "clients_8", "clients_64", "batch")), r
            assert r["after_kill"]["seconds"] > 0 and r["cold"]["seconds"] > 0 and r["memory"]["mib"] > 0, r
    for kind in ("random", "real"):
        pairs = {r["pairs"]["pairs"] for r in rows if r["what"] == "pairs" and r["kind"] == kind}
        assert len(pairs) == 1 and pairs.pop() > 0
    assert "## 1,000 codes: sample, the sample of this project" in text
    assert "## 2,000 codes: grown from 1,339 sample codes, the sample of this project" in text
    assert not (tmp_path / "work" / "data").exists() and not (tmp_path / "work" / "store").exists()


def test_run__leaves_a_table_when_its_time_is_over(tmp_path):
    rows, text = measured(tmp_path, "--sizes", "1K", "--pairs", "", "--peers", "libiscc_search", "--budget", "0")
    assert [r["ingest"] for r in rows] == [{"absent": "not reached"}] * 2
    assert text.count("not reached") >= 2


def test_run__a_step_that_the_end_of_the_run_cuts_off_is_not_reached(tmp_path):
    rows, text = measured(tmp_path, "--sizes", "1K", "--pairs", "", "--kinds", "random", "--peers", "libiscc_search",
                          "--budget", "0.3", "--step", "600", "--seconds", "60")
    assert rows[0]["recall"] == {"share": 1.0} and rows[0]["clients_1"] == {"absent": "not reached"}, rows
    assert "stopped after" not in text


def test_run__stops_a_step_that_takes_too_long_and_goes_on(tmp_path):
    rows, text = measured(tmp_path, "--sizes", "1K", "--pairs", "", "--kinds", "random", "--peers", "libiscc_search",
                          "--step", "3", "--seconds", "60")
    assert rows[0]["clients_1"] == rows[0]["clients_64"] == {"stopped_s": 3}
    assert rows[0]["lost"] == {"lost": 0, "of": 1000} and "stopped after 3 s" in text


def test_data__takes_the_text_units_of_a_file_and_says_where_it_is_grown(tmp_path):
    units = [json.loads(line)["units"] for line in (ROOT / "examples/assets.jsonl").read_text().splitlines()[:50]]
    known = len({unit for found in units for unit in found if unit.startswith("ISCC:EAD")})
    assets = tmp_path / "assets.jsonl"
    assets.write_text("".join(json.dumps({"units": found}) + "\n" for found in units))
    rows, _ = measured(tmp_path, "--sizes", f"{known} {known + 1}", "--pairs", "", "--peers", "libiscc_search",
                       "--data", assets)
    assert [r["data"] for r in rows if r["kind"] == "real"] == ["real", f"grown from {known:,} real codes"]
    assert all(r["recall"]["share"] == 1.0 for r in rows)
