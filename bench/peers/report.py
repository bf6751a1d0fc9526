#!/usr/bin/env python3
"""The table (README.md) and the plots of a run of bench-peers, from its results.json: report.py FOLDER."""
import json
import shutil
import subprocess
import sys
from pathlib import Path

OURS = {"libiscc_search": "**libiscc_search**, in process", "iscc-search": "**iscc-search serve**, HTTP",
        "iscc-search-postgresql": "**iscc-search serve** on PostgreSQL, HTTP",
        "iscc-search-postgresql-sql": "**iscc-search serve** on PostgreSQL without followers, HTTP"}
TITLES = {**OURS, "iscc-search-0.3.3": "iscc-search 0.3.3, HTTP", "faiss-flat": "faiss IndexBinaryFlat, in process",
          "faiss-multihash": "faiss MultiHash 16 x 16, 1 flip, in process",
          "faiss-hnsw": "faiss HNSW 32, efSearch 64, in process", "usearch-exact": "usearch exact, in process",
          "usearch-hnsw": "usearch HNSW, defaults, in process", "postgresql-sql": "PostgreSQL, plain SQL, pgbench"}
# Title, step, member, format, whether more is better. One row of the table and one comparison each.
COLUMNS = [
    ("adding, codes/s", "ingest", "per_s", "{:,.0f}", True),
    ("p50, 1 client, ms", "clients_1", "p50_ms", "{:,.3f}", False),
    ("p99, 1 client, ms", "clients_1", "p99_ms", "{:,.3f}", False),
    ("searches/s, 1 client", "clients_1", "per_s", "{:,.0f}", True),
    ("8 clients", "clients_8", "per_s", "{:,.0f}", True),
    ("64 clients", "clients_64", "per_s", "{:,.0f}", True),
    ("batches of 1,000, searches/s", "batch", "per_s", "{:,.0f}", True),
    ("recall", "recall", "share", "{:.3f}", True),
    ("memory of its own, MiB", "memory", "mib", "{:,.0f}", False),
    ("disk, bytes a code", "disk", "bytes", "{:,.0f}", False),
    ("start to first answer, s", "warm", "seconds", "{:.3f}", False),
    ("the same, cold file", "cold", "seconds", "{:.3f}", False),
    ("the same, after kill -9", "after_kill", "seconds", "{:.3f}", False),
    ("of 1,000 acknowledged, lost by kill -9", "lost", "lost", "{:,}", False),
]
PAIRS = [("seconds", "pairs", "seconds", "{:,.2f}", False), ("pairs found", "pairs", "pairs", "{:,}", True)]
PLOTS = {"p50": 1, "clients-64": 5, "batch": 6, "adding": 0, "memory": 8}
STEPS = {"ingest": "adding", "warm": "start", "cold": "start with a cold file", "more": "adding 1,000 more codes",
         "after_kill": "start after kill -9", "lost": "searches after kill -9"}
APPROXIMATE = {"iscc-search-0.3.3", "faiss-multihash", "faiss-hnsw", "usearch-hnsw"}
# Reasons of `run` why a step was not made; what a peer does not offer is `-`.
NOT_REACHED, TOO_SLOW = "not reached", "not tried: too slow"
BUSY_CORES = 0.2
NOTES = """\
All peers have the same codes (256 bits, one an asset; the API wants two units, so an asset has an INSTANCE unit of 64 bits besides), the same queries (three in four are stored codes with 0 to 48 bits flipped,
one is random) and the same limit of 10; an answer counts up to 64 differing bits. All may use all cores: one search of faiss and usearch takes one thread,
their batches and their adding take all; the other peers decide by themselves. *In process* has no protocol between client and index: clients are
threads. *HTTP* is asked by wrk, *plain SQL* by pgbench, on the same cores. Batches of HTTP are one request with 1,000 queries.

Adding ends when everything is on disk: in requests of 1,000 (HTTP), in transactions of 20,000 (libiscc_search), by one COPY, or by writing the
whole index once at the end (faiss, usearch). Recall: the share of the best 10 within 64 bits, of 200 queries. Memory is anonymous and shared memory; a file
that is mapped is not in it. Disk of PostgreSQL is its whole data directory with its log. Start to first answer begins before the process is started (with
Python and its imports for faiss, usearch and 0.3.3; with the server of PostgreSQL where it takes part). After all this, 1,000 codes
are added and acknowledged, the processes are killed with SIGKILL and started again. faiss and usearch keep only what was written whole,
which their programs would have to do after each add.

`-`: not offered. *Not reached*: the time of the run was over. *Stopped*: took longer than its time. *Too slow*: was stopped before, or would take
longer than its time, as that grows with the number of codes (of all pairs with its square). A peer without a row was not reached, either.
"""


def cell(row, step, member, form):
    ingest = row.get("ingest") or {}
    answer = row.get(step) or (ingest if "per_s" not in ingest else None)
    if not answer or "absent" in answer:
        return answer["absent"] if answer and answer["absent"] in (NOT_REACHED, TOO_SLOW) else "-"
    if "stopped_s" in answer:
        return f"stopped after {answer['stopped_s']} s"
    if "error" in answer:
        return "does not start again" if step == "after_kill" and "error" not in row.get("more", {}) else "failed"
    value = number(row, step, member)
    return "-" if value is None else form.format(value)


def number(row, step, member):
    value = (row.get(step) or {}).get(member)
    return value / row["size"] if value is not None and step == "disk" else value


def best_of(rows, column):
    """The row with the best figure of a column, and that figure."""
    _, step, member, _, more = column
    found = [(number(row, step, member), row) for row in rows if number(row, step, member) is not None]
    if not found:
        return None, None
    value, row = (max if more else min)(found, key=lambda pair: pair[0])
    return value, row


def is_approximate(row):
    """By its method: with some collections an approximate peer finds all that it is judged by."""
    return row["peer"] in APPROXIMATE


def table(rows, columns):
    lines = ["| | " + " | ".join(title for title, *_ in columns) + " |", "|---" * (len(columns) + 1) + "|"]
    best = [best_of(rows, column)[0] for column in columns]
    for row in rows:
        cells = []
        for (_, step, member, form, _), top in zip(columns, best, strict=True):
            text = cell(row, step, member, form)
            cells.append(f"**{text}**" if top is not None and number(row, step, member) == top else text)
        lines.append(f"| {TITLES[row['peer']]} | " + " | ".join(cells) + " |")
    return lines


def defeat(column, theirs, row, mine, my_row):
    title, _, _, form, _ = column
    recall = row.get("recall", {}).get("share")
    approximate = f" (approximate{f': recall {recall:.3f}' if recall is not None else ''})" if is_approximate(row) else ""
    if mine is None:
        return f"- {title}: {TITLES[row['peer']]} {form.format(theirs)}, and no figure of this program{approximate}"
    low, high = sorted((mine, theirs))
    ratio = f"{high / low:.2f} times " if low else ""
    return (f"- {title}: {TITLES[row['peer']]} {ratio}better, {form.format(theirs)} against {form.format(mine)} of "
            f"{TITLES[my_row['peer']]}{approximate}")


def defeats(rows, columns):
    """Where another peer is better than the best of ours, in words: the best one, and the best exact one."""
    lines, compared = [], 0
    ours = [row for row in rows if row["peer"] in OURS]
    others = [row for row in rows if row["peer"] not in OURS]
    for column in columns:
        mine, my_row = best_of(ours, column)
        theirs, row = best_of(others, column)
        if not ours or theirs is None:
            continue
        compared += mine is not None
        exact = best_of([row for row in others if not is_approximate(row)], column)
        for theirs, row in [(theirs, row), exact] if is_approximate(row) else [(theirs, row)]:
            if row and (mine is None or (theirs > mine if column[4] else theirs < mine)):
                lines.append(defeat(column, theirs, row, mine, my_row))
    if not compared and not lines:
        return ["Not known: nothing was measured of both this program and another one."]
    return lines or ["No other peer is better in any column."]


def failures(rows):
    """The messages of steps that failed; what comes after kill -9 has that of adding before it, if this failed."""
    return [f"- {TITLES[row['peer']]}, {STEPS.get(step, step)}: {answer['error']}"
            for row in rows for step, answer in row.items() if isinstance(answer, dict) and "error" in answer
            and not (step in ("after_kill", "lost") and answer == row.get("more"))]


def group(rows, what):
    rows = sorted((row for row in rows if row["what"] == what), key=lambda row: list(TITLES).index(row["peer"]))
    keys = sorted({(row["kind"], row["size"]) for row in rows})
    return [[row for row in rows if (row["kind"], row["size"]) == key] for key in keys]


def text_of(results):
    lines = ["# This program beside others", "",
             f"{results['date']}, {results['processor']}, {results['cores']} cores{', AVX-512' * results['avx512']}, "
             f"{results['memory_gib']} GiB, Linux {results['linux']}; this program at {results['commit']}; "
             f"{', '.join(results['versions'])}. Made by `make bench-peers`; one run.", "", NOTES]
    for what, columns, title in (("search", COLUMNS, "codes"), ("pairs", PAIRS, "codes, all pairs at most 25 bits apart")):
        for rows in group(results["rows"], what):
            busy = max(row.get("others", 0) for row in rows)
            lines += [f"## {rows[0]['size']:,} {title}: {rows[0]['data']}", ""]
            if busy > BUSY_CORES:
                lines += [f"(The machine was busy: other programs used up to {busy:.1f} cores.)", ""]
            lines += table(rows, columns) + ["", "Where another peer is better:", "", *defeats(rows, columns), ""]
            if failed := failures(rows):
                lines += ["Failed:", "", *failed, ""]
    shown = sorted(name for name, _, _ in plots_of(results)) if shutil.which("gnuplot") else []
    return "\n".join(lines + [f"![{name}]({name}.svg)" for name in shown]) + "\n"


def plots_of(results):
    """Name, title and the points of each peer of every plot."""
    for kind in ("random", "real"):
        rows = [row for row in results["rows"] if row["what"] == "search" and row["kind"] == kind]
        for name, index in PLOTS.items():
            title, step, member, _, _ = COLUMNS[index]
            points = {peer: [(row["size"], number(row, step, member)) for row in rows if row["peer"] == peer
                             and number(row, step, member)] for peer in TITLES}
            points = {peer: found for peer, found in points.items() if found}
            if points:
                yield f"{name}-{kind}", f"{title} ({kind} data)", points


def plot(folder, name, title, points):
    commands = [f'set output "{folder / name}.svg"', "set terminal svg size 800,480 background 'white'",
                "set logscale xy", "set format x '%.0s%c'", "set xlabel 'codes'", f'set ylabel "{title}"',
                "set key outside right", "set grid", "set pointsize 0.7"]
    for number_of_line, (peer, found) in enumerate(points.items()):
        commands += [f"$line{number_of_line} << END", *(f"{x} {y}" for x, y in found), "END"]
    drawn = [f'$line{i} with linespoints {"linewidth 3" if peer in OURS else ""} title "{peer}" noenhanced'
             for i, peer in enumerate(points)]
    subprocess.run(["gnuplot"], input="\n".join([*commands, "plot " + ", ".join(drawn)]), text=True, check=True,
                   capture_output=True)


def write(folder, plots=True):
    folder = Path(folder)
    results = json.loads((folder / "results.json").read_text(encoding="utf-8"))
    (folder / "README.md").write_text(text_of(results), encoding="utf-8")
    for name, title, points in plots_of(results) if plots and shutil.which("gnuplot") else []:
        plot(folder, name, title, points)


if __name__ == "__main__":
    write(sys.argv[1])
