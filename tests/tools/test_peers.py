"""bench/peers: what its table says of peers that win, fail or are stopped; and small runs with real peers."""
import argparse
import importlib.machinery
import importlib.util
import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PEERS = ROOT / "bench" / "peers"
BUILD = Path(os.environ.get("ISX_BUILD", ROOT / "build")).resolve()
sys.path.insert(0, str(PEERS))
import report  # noqa: E402

run = importlib.util.module_from_spec(importlib.util.spec_from_loader(
    "peers_run", importlib.machinery.SourceFileLoader("peers_run", str(PEERS / "run"))))
run.__loader__.exec_module(run)

HEAD = {"date": "2026-01-01", "processor": "A", "cores": 2, "avx512": False, "memory_gib": 8, "linux": "6",
        "commit": "c", "versions": ["v"]}


def row(peer, per_s, p50_ms, recall=1.0, **more):
    return {"what": "search", "peer": peer, "kind": "random", "data": "random", "size": 1000, "others": 0.1,
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


def test_report__names_the_best_exact_peer_beside_an_approximate_one():
    """Approximate is a method, whatever it finds of one collection."""
    text = report.text_of({**HEAD, "rows": [row("libiscc_search", 100, 2.0), row("faiss-hnsw", 250, 3.0, recall=1.0),
                                            row("faiss-flat", 150, 3.0), row("usearch-exact", 120, 3.0)]})
    assert [line.split(" in process ", 1)[1] for line in text.splitlines() if line.startswith("- ")] == [
        "2.50 times better, 250 against 100 of **libiscc_search**, in process (approximate: recall 1.000)",
        "1.50 times better, 150 against 100 of **libiscc_search**, in process"]


def test_report__names_a_column_in_which_only_another_peer_has_a_figure():
    text = report.text_of({**HEAD, "rows": [row("libiscc_search", 100, 2.0, batch={"stopped_s": 60}),
                                            row("faiss-flat", 50, 3.0)]})
    assert ("- batches of 1,000, searches/s: faiss IndexBinaryFlat, in process 50, and no figure of this program"
            in text.splitlines())


def test_report__lists_the_peers_in_one_order_in_whichever_they_were_measured():
    text = report.text_of({**HEAD, "rows": [row("faiss-flat", 1, 1), row("libiscc_search", 1, 1), row("iscc-search", 1, 1)]})
    lines = text.splitlines()
    first = lines.index(next(line for line in lines if line.startswith("| **libiscc_search**")))
    assert [line.split(",")[0] for line in lines[first:first + 3]] == [
        "| **libiscc_search**", "| **iscc-search serve**", "| faiss IndexBinaryFlat"]


def test_report__says_that_a_peer_does_not_start_again_and_why():
    failed = {"error": "the process ended with status 1: it is damaged"}
    text = report.text_of({**HEAD, "rows": [row("iscc-search-0.3.3", 1, 1, more={}, after_kill=failed, lost=failed)]})
    assert "| does not start again | failed |" in lines_about(text, "| iscc-search 0.3.3")[0]
    assert "- iscc-search 0.3.3, HTTP, start after kill -9: the process ended with status 1: it is damaged" in text


def test_report__says_once_that_adding_before_kill_9_failed():
    failed = {"error": "500"}
    text = report.text_of({**HEAD, "rows": [row("iscc-search-0.3.3", 1, 1, more=failed, after_kill=failed, lost=failed)]})
    assert "| failed | failed |" in lines_about(text, "| iscc-search 0.3.3")[0]
    assert [line for line in lines_about(text, "500") if line.startswith("- ")] == [
        "- iscc-search 0.3.3, HTTP, adding 1,000 more codes: 500"]


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
            {**row("faiss-hnsw", 0, 0), "ingest": {"absent": report.NOT_REACHED}, "batch": {}, "recall": {},
             "clients_1": {}},
            {**row("faiss-multihash", 0, 0), "ingest": {"absent": report.TOO_SLOW}, "batch": {}, "recall": {},
             "clients_1": {}}]
    text = report.text_of({**HEAD, "rows": rows})
    ours = lines_about(text, "| **libiscc_search**")[0]
    assert "stopped after 60 s" in ours and "failed" in ours and "libiscc_search**, in process, clients_8: it broke" in text
    assert "| - |" in lines_about(text, "| iscc-search 0.3.3")[0]
    assert "stopped after 300 s" in lines_about(text, "| usearch HNSW")[0]
    assert "not reached" in lines_about(text, "| faiss HNSW")[0]
    assert "not tried: too slow" in lines_about(text, "| faiss MultiHash")[0]


def test_report__warns_of_a_busy_machine():
    busy = report.text_of({**HEAD, "rows": [row("libiscc_search", 1, 1, others=1.52)]})
    quiet = report.text_of({**HEAD, "rows": [row("libiscc_search", 1, 1, others=0.1)]})
    assert "The machine was busy: other programs used up to 1.5 cores." in busy and "busy" not in quiet


def test_other_work__counts_the_time_of_other_programs_and_not_that_of_its_own_children():
    """The other program is a grandchild that its parent has left behind: nobody waits for it here."""
    burn = "import time\nend = time.process_time() + 2\nwhile time.process_time() < end: pass"
    watch = run.OtherWork()
    watch.before_s -= 0.02
    assert watch.cores() == 0, "two ticks within some microseconds are not a busy machine"
    watch = run.OtherWork()
    before = watch.seconds()
    subprocess.run([sys.executable, "-c", burn], check=True)
    own = watch.seconds() - before
    other = subprocess.run(["sh", "-c", '"$0" -c "$1" > /dev/null & echo $!', sys.executable, burn], check=True,
                           capture_output=True, text=True)
    while os.path.exists(f"/proc/{other.stdout.strip()}"):
        time.sleep(0.05)
    others = watch.seconds() - before - own
    assert others >= 1.8 and watch.cores() > 0, (own, others)


@pytest.fixture(scope="module")
def in_peers_python():
    """Runs an expression of a module of bench/peers in the Python of the peers, which has numpy."""
    try:
        run.install()
    except subprocess.CalledProcessError as error:
        pytest.skip(f"the peers could not be installed: {error}")

    def evaluate(module, expression):
        done = subprocess.run([run.CACHE / "peer-libraries/bin/python", "-B", "-c",
                               f"import json; from {module} import *; print(json.dumps({expression}))"], check=False,
                              cwd=PEERS, capture_output=True, text=True)
        return json.loads(done.stdout) if done.returncode == 0 else done.stderr.strip().splitlines()[-1]
    return evaluate


PGBENCH = ("number of transactions actually processed: {}\nnumber of failed transactions: {} (0.000%)\n"
           "initial connection time = 900.000 ms\ntps = 200.000000 (without initial connection time)\n")


def test_pgbench__the_rate_leaves_out_the_time_of_connecting(in_peers_python):
    log = ["0 1 1000 0 1700000000 1", "1 1 3000 0 1700000000 2", "0 2 2000 0 1700000000 3"]
    assert in_peers_python("postgres_peer", f"pgbench_figures({PGBENCH.format(3, 0)!r}, {log})") == {
        "per_s": 200, "p50_ms": 2, "p99_ms": 3}


def test_pgbench__a_run_that_ends_while_its_clients_are_connected_is_repeated_for_longer(in_peers_python):
    """It was an IndexError: 64 clients had not been connected within a second."""
    said = "number of transactions actually processed: 0\nnumber of failed transactions: 0 (NaN%)\ntps = 0 (without"
    assert in_peers_python("postgres_peer", f"pgbench_figures({said!r}, [])") is None
    assert in_peers_python("peer", "at_least_one(lambda s: {'seconds': s} if s > 3 else None, 1)") == {"seconds": 4}


def test_pgbench__failed_and_missing_searches_are_not_counted_as_searches(in_peers_python):
    failed, short = PGBENCH.format(2, 1), PGBENCH.format(2, 0)
    assert "RuntimeError: 1 searches failed, 2 did not" in in_peers_python("postgres_peer", f"pgbench_figures({failed!r}, [])")
    assert "RuntimeError: pgbench made 2 searches, and its log has 1" in in_peers_python(
        "postgres_peer", f"pgbench_figures({short!r}, ['0 1 1000 0 1700000000 1'])")


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
    rows, text = measured(tmp_path, "--sizes", "1K 2K", "--pairs", "1K", "--peers", "faiss-flat libiscc_search",
                          "--first", "libiscc_search")
    assert [r["peer"] for r in rows] == ["libiscc_search"] * 6 + ["faiss-flat"] * 6
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


@pytest.mark.skipif(not shutil.which("wrk"), reason="wrk is not installed")
def test_run__servers_lose_nothing_by_kill_9_and_0_3_3_everything(tmp_path):
    """0.3.3 answers 500 to adds of a process that has searched for several clients."""
    rows, text = measured(tmp_path, "--sizes", "1K", "--pairs", "1K", "--kinds", "random",
                          "--peers", "iscc-search iscc-search-0.3.3")
    found = {(r["what"], r["peer"]): r for r in rows}
    for peer, lost in (("iscc-search", 0), ("iscc-search-0.3.3", 1000)):
        assert found["search", peer]["lost"] == {"lost": lost, "of": 1000}, found
        assert found["search", peer]["after_kill"]["seconds"] > 0 and found["search", peer]["clients_64"]["per_s"] > 0
    assert found["pairs", "iscc-search"]["pairs"]["pairs"] > 0
    assert found["pairs", "iscc-search-0.3.3"]["pairs"] == {"absent": "no call for all pairs"}
    assert "failed" not in text


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
    rows, text = measured(tmp_path, "--sizes", "1K 2K", "--pairs", "", "--kinds", "random", "--peers", "libiscc_search",
                          "--step", "3", "--seconds", "60")
    assert rows[0]["clients_1"] == rows[0]["clients_64"] == {"stopped_s": 3}
    assert rows[0]["lost"] == {"lost": 0, "of": 1000} and "stopped after 3 s" in text
    assert rows[1]["clients_1"] == rows[1]["clients_64"] == {"absent": "not tried: too slow"}, "slower with more codes"
    assert rows[1]["lost"] == {"lost": 0, "of": 1000} and rows[1]["ingest"]["per_s"] > 0


def run_of(tmp_path, **options):
    return run.Run(argparse.Namespace(budget=1, results=tmp_path, work=tmp_path, step=10, seconds=1, **options))


def test_run__measures_the_first_peers_with_all_collections_and_grown_ones_late(tmp_path):
    parts = run_of(tmp_path, kinds="random real", sizes=[10_000, 1_000_000, 4_000_000], pairs=[20_000], first="b missing",
                   last="a", peers=["a", "b", "c", "d"])
    found = list(parts.collections())
    assert [(kind, size) for _, kind, size, peers in found if peers == ["b"]] == [
        ("random", 10_000), ("real", 10_000), ("random", 20_000), ("real", 20_000), ("random", 1_000_000),
        ("random", 4_000_000), ("real", 1_000_000), ("real", 4_000_000)]
    assert {what for what, _, size, _ in found if size == 20_000} == {"pairs"}
    assert [peers for _, _, _, peers in found] == [["b"]] * 8 + [["c", "d"]] * 8 + [["a"]] * 8


def measurement(tmp_path, size, taken):
    """A measurement of faiss-flat in a run in which steps have taken some time."""
    parts = run_of(tmp_path)
    parts.taken = taken
    return run.Measurement(parts, "faiss-flat", tmp_path, {"what": "pairs", "peer": "faiss-flat", "size": size})


@pytest.mark.parametrize("step,size,limit_s,tried", [
    ("ingest", 100_000, 100, True), ("ingest", 100_000, 99, False), ("pairs", 20_000, 40, True), ("pairs", 20_000, 39, False),
    ("memory", 10**9, 1, True), ("batch", 10_000, 10**9, False), ("batch", 9_000, 1, True)])
def test_run__does_not_try_what_would_take_too_long(tmp_path, step, size, limit_s, tried):
    """Times grow with the number of codes, all pairs with its square; what was stopped would take for ever."""
    taken = {("pairs", "faiss-flat", "ingest"): (10_000, 10), ("pairs", "faiss-flat", "pairs"): (10_000, 10),
             ("pairs", "faiss-flat", "batch"): (10_000, float("inf"))}
    answer = measurement(tmp_path, size, taken).untried(step, limit_s)
    assert answer == (None if tried else {"absent": "not tried: too slow"})


def test_run__remembers_what_a_batch_takes_and_not_how_long_it_was_measured(tmp_path):
    one = measurement(tmp_path, 10_000, {})
    one.remember("batch", {"per_s": 2000}, 60)
    one.remember("clients_64", {"per_s": 5}, 60)
    one.remember("more", {}, 60)
    one.remember("memory", {"mib": 1}, 60)
    one.remember("recall", {"error": "no"}, 60)
    one.remember("lost", {"stopped_s": 10}, 10)
    assert one.run.taken == {("pairs", "faiss-flat", "batch"): (10_000, 0.5),
                             ("pairs", "faiss-flat", "lost"): (10_000, float("inf"))}


def test_run__remembers_the_smallest_collection_that_stopped_a_step(tmp_path):
    """Grown collections of 1M codes come after random ones of 4M."""
    taken = {}
    for size, answer in [(4_000_000, {"stopped_s": 40}), (1_000_000, {"seconds": 1}), (8_000_000, {"stopped_s": 40}),
                         (2_000_000, {"stopped_s": 40}), (3_000_000, {"seconds": 1})]:
        measurement(tmp_path, size, taken).remember("ingest", answer, 20)
    assert taken == {("pairs", "faiss-flat", "ingest"): (2_000_000, float("inf"))}


def test_data__takes_the_text_units_of_a_file_and_says_where_it_is_grown(tmp_path):
    units = [json.loads(line)["units"] for line in (ROOT / "examples/assets.jsonl").read_text().splitlines()[:50]]
    known = len({unit for found in units for unit in found if unit.startswith("ISCC:EAD")})
    assets = tmp_path / "assets.jsonl"
    assets.write_text("".join(json.dumps({"units": found}) + "\n" for found in units))
    rows, _ = measured(tmp_path, "--sizes", f"{known} {known + 1}", "--pairs", "", "--peers", "libiscc_search",
                       "--data", assets)
    assert [r["data"] for r in rows if r["kind"] == "real"] == ["real", f"grown from {known:,} real codes"]
    assert all(r["recall"]["share"] == 1.0 for r in rows)
