"""bench/scaling: the cost model of docs/scaling.md, fitted to figures that lie on a known line."""
import json
import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
DOCUMENT = "# Scaling\n\nbefore\n\n## Measured and fitted\n\nold figures\n\n## Assumptions\n\nafter\n"
SIZES = (100_000, 1_000_000, 4_000_000)


def row(peer, size, kind="random"):
    """50 us and 2 ns a code for one client, 0.5 ns for each of many, 0.1 ns in batches; 300 bytes a code."""
    return {"what": "search", "peer": peer, "kind": kind, "size": size, "others": 0.5,
            "clients_1": {"p50_ms": 0.05 + 2e-6 * size}, "clients_64": {"per_s": 1 / (20e-6 + 0.5e-9 * size)},
            "batch": {"per_s": 1 / (5e-6 + 0.1e-9 * size)}, "ingest": {"seconds": 20e-6 * size, "per_s": 50000},
            "cold": {"seconds": 0.05 + 100e-9 * size}, "disk": {"bytes": 300 * size}}


def pairs(size):
    return {"what": "pairs", "peer": "libiscc_search", "kind": "random", "size": size, "others": 0.5,
            "ingest": {"per_s": 1.0}, "pairs": {"seconds": 0.1e-9 * size * size / 2, "pairs": 3}}


@pytest.fixture
def written(tmp_path):
    """Runs the script on rows; returns the process and the document."""
    def write(rows):
        (tmp_path / "results.json").write_text(json.dumps({
            "date": "2026-01-01", "processor": "A", "cores": 2, "avx512": True, "memory_gib": 8, "rows": rows}))
        document = tmp_path / "scaling.md"
        document.write_text(DOCUMENT)
        done = subprocess.run([ROOT / "bench/scaling", tmp_path, document], check=False, capture_output=True, text=True)
        return done, document.read_text()
    return write


def full():
    return [row(peer, size) for size in SIZES for peer in ("libiscc_search", "iscc-search")] + [pairs(20000), pairs(200000)]


def cells(text, start):
    line = next(line for line in text.splitlines() if line.startswith(f"| {start} |"))
    return [cell.strip() for cell in line.strip("|").split("|")]


def test_scaling__finds_the_line_that_the_figures_lie_on(written):
    done, text = written(full())
    assert done.returncode == 0, done.stderr
    assert cells(text, "one client, p50")[2:] == ["50 us", "2 ns", "0%"]
    assert cells(text, "64 clients, time of a search")[2:] == ["20 us", "0.5 ns", "0%"]
    assert cells(text, "batches of 1,000, time of a search")[2:] == ["5 us", "0.1 ns", "0%"]
    assert cells(text, "disk, bytes")[3] == "300 bytes"
    assert "One client reads 20 GB/s of rows" in text
    assert "AVX-512" in text and "other programs used up to 0.5 cores" in text


def test_scaling__extrapolates_to_a_thousand_million_codes(written):
    _, text = written(full())
    assert cells(text, "100,000,000")[1:4] == ["4 GB", "30 GB", "200 ms"]
    assert cells(text, "1,000,000,000")[1:4] == ["40 GB", "300 GB", "2 s"]
    assert cells(text, "1,000,000")[7] == "50 s"  # all pairs: 0.1 ns * n^2 / 2


def test_scaling__says_what_hmas_target_takes(written):
    """10M codes * 4,000/s * 0.5 ns * 2 cores = 40 cores, and a fifth of that in batches."""
    _, text = written(full())
    assert re.search(r"40 thousand million comparisons a second: 40 cores .* singly, 8 if\s+they ask in batches", text)
    assert "3 and 1 hosts" in text


def test_scaling__replaces_its_section_and_nothing_else(written):
    _, text = written(full())
    assert text.startswith("# Scaling\n\nbefore\n\n## Measured and fitted\n") and text.endswith("## Assumptions\n\nafter\n")
    assert "old figures" not in text


def test_scaling__leaves_out_what_was_stopped_and_other_data(written):
    rows = full()
    for one in rows:
        if one["size"] == 4_000_000:
            one["clients_1"] = {"stopped_s": 60}
    rows += [{**row("iscc-search", 2_000_000, kind="real"), "clients_1": {"p50_ms": 900.0}},
             {**row("faiss-flat", 2_000_000), "clients_1": {"p50_ms": 900.0}}]
    _, text = written(rows)
    assert cells(text, "one client, p50")[1:] == ["100,000: 250 us, 1,000,000: 2.05 ms", "50 us", "2 ns", "0%"]


def test_scaling__takes_only_what_is_larger_than_the_cache_where_it_can(written):
    rows = full()
    for one in rows:
        if one["what"] == "search" and one["size"] == 100_000:
            one["clients_1"] = {"p50_ms": 0.06}
    _, text = written(rows)
    assert cells(text, "one client, p50")[1:] == ["1,000,000: 2.05 ms, 4,000,000: 8.05 ms", "50 us", "2 ns", "0%"]


def test_scaling__writes_a_cost_that_only_rounding_left_as_none(written):
    rows = full()
    for one in rows:
        if one["what"] == "search":
            one["clients_1"] = {"p50_ms": 2.2e-6 * one["size"]}
    _, text = written(rows)
    assert cells(text, "one client, p50")[2:] == ["0", "2.2 ns", "0%"]


def test_scaling__wants_two_sizes_at_least(written):
    done, text = written([row("iscc-search", 1000), row("libiscc_search", 1000)])
    assert done.returncode == 1 and "expected results with at least two sizes" in done.stderr
    assert text == DOCUMENT


def test_scaling__wants_searches_that_take_longer_with_more_codes(written):
    rows = full()
    for one in rows:
        if one["what"] == "search":
            one["clients_1"] = {"p50_ms": 0.3 - one["size"] / 1e8}
    done, text = written(rows)
    assert done.returncode == 1 and "expected searches that take longer with more codes" in done.stderr
    assert text == DOCUMENT


def test_scaling__the_document_has_figures():
    text = (ROOT / "docs/scaling.md").read_text(encoding="utf-8")
    assert cells(text, "1,000,000,000") and "the target of Meta's" in text
