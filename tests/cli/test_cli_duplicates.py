"""`duplicates`: pairs and clusters against plain Python, interrupted and continued, and wrong options."""

import base64
import json
import os
import random
import signal
import subprocess
import time

import pytest

from commandline import EXAMPLES, sample, write_lines
from mounts import small_disk
from serving import CONTENT, DATA, INSTANCE, IS_SANITIZED, META, iscc_id, unit

NAMES = {0: "META_NONE_V0", 2: "CONTENT_TEXT_V0", 3: "DATA_NONE_V0", 4: "INSTANCE_NONE_V0"}
SEED = int(os.environ.get("ISX_SEED", "20261127"))


def decode(text):
    return base64.b32decode(text[5:] + "=" * (-len(text[5:]) % 8))


def read_units(asset):
    """Main type, type and body of each unit that is no shorter form of another one."""
    units = []
    for text in asset["units"]:
        raw = decode(text)
        name = NAMES[raw[0] >> 4] if raw[0] & 15 == 0 else f"CONTENT_IMAGE_V0:{raw[0]}"
        units.append((raw[0] >> 4, name, raw[2:]))
    return [one for one in units
            if not any(one[1] == other[1] and one[2] != other[2] and other[2].startswith(one[2]) for other in units)]


def scores_of(one, other):
    """The best score of each type that both have."""
    best = {}
    for main, name, body in one:
        for _, other_name, other_body in other:
            if name != other_name:
                continue
            size = min(len(body), len(other_body))
            differing = (int.from_bytes(body[:size], "big") ^ int.from_bytes(other_body[:size], "big")).bit_count()
            if main == INSTANCE and differing:
                continue
            best[name] = max(best.get(name, -1), 1 - differing / (size * 8))
    return best


def brute(assets, others=None, min_score=0.9, types=None):
    """All pairs, by two loops."""
    assets = sorted(((decode(asset["iscc_id"]), asset["iscc_id"], read_units(asset)) for asset in assets))
    others = others and sorted(((decode(asset["iscc_id"]), asset["iscc_id"], read_units(asset)) for asset in others))
    pairs = []
    for at, (_, one_id, one) in enumerate(assets):
        for _, other_id, other in others or assets[at + 1:]:
            best = {name: score for name, score in scores_of(one, other).items() if not types or name in types}
            counted = sorted((score for score in best.values() if score >= min_score), reverse=True)
            if counted:
                pairs.append((one_id, other_id, sum(s ** 4 for s in counted) / sum(counted), best))
    return pairs


def expect_same(lines, pairs):
    assert len(lines) == len(pairs)
    for line, (one, other, score, types) in zip(lines, pairs):
        assert list(line) == ["iscc_id", "match", "score", "types"]
        assert (line["iscc_id"], line["match"]) == (one, other)
        assert abs(line["score"] - score) < 1e-12
        got = {f"CONTENT_IMAGE_V0:{CONTENT << 4 | 1}" if name == "CONTENT_IMAGE_V0" else name: value
               for name, value in line["types"].items()}
        assert got == types


def json_lines(text):
    return [json.loads(line) for line in text.splitlines()]


def near_assets(count, seed, first=1):
    """Assets with several units of a type, of all lengths, near a few centres."""
    rng = random.Random(seed)
    assets = []
    for number in range(first, first + count):
        units = []
        for _ in range(rng.randint(2, 4)):
            main = rng.choice([META, CONTENT, DATA, INSTANCE])
            body = bytearray(random.Random(f"{main}{rng.randint(0, 30)}").randbytes(32))
            for _ in range(rng.randint(0, 1 if main == INSTANCE else 25)):
                body[rng.randrange(32)] ^= 1 << rng.randrange(8)
            units.append(unit(main, bytes(body[:rng.choice([4, 8, 8, 16, 32])])))
        assets.append({"iscc_id": iscc_id(number * 4096), "units": units})
    return assets


@pytest.fixture(scope="module")
def real():
    """The first assets of the sample, and their pairs."""
    assets = sample(1200)
    return assets, brute(assets)


def test_pairs_of_real_assets_are_those_of_two_loops(cli, real):
    assets, pairs = real
    write_lines(cli.work / "a.jsonl", assets)
    cli.good("add", "a.jsonl")
    said = cli.good("duplicates")
    assert len(pairs) > 300 and said.err == ""
    expect_same(json_lines(said.out), pairs)


def test_pairs_of_assets_with_any_units_are_those_of_two_loops(cli):
    for seed in range(3):
        assets = near_assets(300, f"{SEED} {seed}")
        write_lines(cli.work / "a.jsonl", assets)
        store = f"usearch://{cli.work}/store{seed}"
        cli.good("add", "a.jsonl", "--uri", store)
        for min_score in (0.7, 0.9, 1):
            expect_same(json_lines(cli.good("duplicates", "--uri", store, "--min-score", min_score).out),
                        brute(assets, min_score=min_score))
        for types in (["META_NONE_V0"], ["DATA_NONE_V0", "INSTANCE_NONE_V0"]):
            words = [word for name in types for word in ("--type", name)]
            expect_same(json_lines(cli.good("duplicates", "--uri", store, "-m", "0.8", *words).out),
                        brute(assets, min_score=0.8, types=types))


def test_a_search_with_that_score_finds_the_same(cli):
    """An asset that the command does not list is not found by a search either."""
    assets = near_assets(120, SEED)
    write_lines(cli.work / "a.jsonl", assets)
    cli.good("add", "a.jsonl")
    pairs = {(line["iscc_id"], line["match"]): line["score"] for line in json_lines(cli.good("duplicates").out)}
    env = {"ISCC_SEARCH_MATCH_THRESHOLD_UNITS": "0.9"}
    for asset in assets[::10]:
        one = asset["iscc_id"]
        for match in cli.good("search", one, "--json", "-l", 1000, env=env).json["global_matches"]:
            ids = sorted([one, match["iscc_id"]], key=decode)
            assert pairs[tuple(ids)] == match["score"]
        found = sum(one in pair for pair in pairs)
        assert len(cli.good("search", one, "--json", "-l", 1000, env=env).json["global_matches"]) == found


# --- clusters -----------------------------------------------------------------------------------


def cluster(pairs):
    """The clusters: for each the oldest asset, and the best pair of each other one."""
    parent, best = {}, {}

    def root(one):
        while parent[one] != one:
            one = parent[one]
        return one

    for one, other, score, types in pairs:
        for asset, match in ((one, other), (other, one)):
            parent.setdefault(asset, asset)
            if asset not in best or score > best[asset][1] + 1e-12:
                best[asset] = (match, score, types)
        low, high = sorted([root(one), root(other)], key=decode)
        parent[high] = low
    groups = {}
    for asset in parent:
        groups.setdefault(root(asset), []).append(asset)
    return [(keep, [(asset, *best[asset]) for asset in sorted(groups[keep], key=decode) if asset != keep])
            for keep in sorted(groups, key=decode)]


def expect_clusters(lines, clusters):
    assert len(lines) == len(clusters)
    for line, (keep, duplicates) in zip(lines, clusters):
        assert list(line) == ["keep", "duplicates"] and line["keep"] == keep
        expect_same(line["duplicates"], duplicates)


def test_clusters_of_real_assets_are_those_of_union_find(cli, real):
    assets, pairs = real
    write_lines(cli.work / "a.jsonl", assets)
    cli.good("add", "a.jsonl")
    clusters = cluster(pairs)
    assert max(len(duplicates) for _, duplicates in clusters) > 2
    expect_clusters(json_lines(cli.good("duplicates", "--clusters").out), clusters)


def test_clusters_of_assets_with_any_units_are_those_of_union_find(cli):
    for seed in range(3):
        assets = near_assets(250, f"{SEED} c {seed}")
        write_lines(cli.work / "a.jsonl", assets)
        store = f"usearch://{cli.work}/store{seed}"
        cli.good("add", "a.jsonl", "--uri", store)
        expect_clusters(json_lines(cli.good("duplicates", "--clusters", "--uri", store, "-m", "0.92").out),
                        cluster(brute(assets, min_score=0.92)))


def test_clusters_go_to_a_file_and_their_pairs_are_removed(cli, real):
    assets, pairs = real
    write_lines(cli.work / "a.jsonl", assets)
    cli.good("add", "a.jsonl")
    said = cli.good("duplicates", "--clusters", "-o", "c.jsonl")
    assert f"Found {len(pairs)} pairs in {len(cluster(pairs))} clusters, which are in c.jsonl" in said.out
    assert sorted(path.name for path in cli.work.iterdir()) == ["a.jsonl", "c.jsonl"]
    assert (cli.work / "c.jsonl").read_text() == cli.good("duplicates", "--clusters").out


# --- a reference --------------------------------------------------------------------------------


def test_against_another_index_of_the_store(cli):
    mine, theirs = near_assets(200, SEED + 1), near_assets(150, SEED + 2, first=100)
    write_lines(cli.work / "a.jsonl", mine)
    write_lines(cli.work / "b.jsonl", theirs)
    store = f"usearch://{cli.work}/store"
    cli.good("add", "a.jsonl", "--uri", store, "--index", "mine")
    cli.good("add", "b.jsonl", "--uri", store, "--index", "theirs")
    said = cli.good("duplicates", "--uri", store, "--index", "mine", "--against", "theirs", "-m", "0.8")
    expect_same(json_lines(said.out), brute(mine, theirs, min_score=0.8))


@pytest.mark.parametrize("path", ["", "other"], ids=["one folder", "two folders"])
def test_against_an_index_of_the_configuration(cli, path):
    mine, theirs = near_assets(100, SEED + 1), near_assets(120, SEED + 3, first=1000)
    write_lines(cli.work / "a.jsonl", mine)
    write_lines(cli.work / "b.jsonl", theirs)
    cli.good("index", "add", "theirs", "--local", *(["--path", cli.work / path] if path else []))
    cli.good("add", "a.jsonl", "--index", "default")
    cli.good("add", "b.jsonl", "--index", "theirs")
    said = cli.good("duplicates", "--index", "default", "--against", "theirs", "-m", "0.8")
    expect_same(json_lines(said.out), brute(mine, theirs, min_score=0.8))


# --- going on -----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def large(tmp_path_factory):
    """A store whose comparison takes a while, and the output of one that is not interrupted."""
    from commandline import CommandLine  # pylint: disable=import-outside-toplevel
    cli = CommandLine(tmp_path_factory.mktemp("large"))
    rng = random.Random(SEED)
    with open(cli.work / "a.jsonl", "w", encoding="utf-8") as file:
        for number in range(1, 25001):
            body = random.Random(rng.randint(0, 5000)).randbytes(32)
            units = [unit(META, body), unit(CONTENT, rng.randbytes(32)), unit(DATA, rng.randbytes(32))]
            file.write(json.dumps({"iscc_id": iscc_id(number), "units": units}) + "\n")
    cli.good("add", "a.jsonl")
    cli.good("duplicates", "-o", "whole.jsonl")
    cli.good("duplicates", "--clusters", "-o", "clusters.jsonl")
    assert (cli.work / "whole.jsonl").stat().st_size > 500_000
    return cli


def interrupt(cli, words, which, wait):
    """Start the command, and end it after a while; what it printed on standard error."""
    process = subprocess.Popen(cli.command(["duplicates", *words]), cwd=cli.work, stdout=subprocess.DEVNULL,
                               env={**cli.env, "ISCC_SEARCH_THREADS": "1"}, stderr=subprocess.PIPE, text=True)
    time.sleep(wait)
    process.send_signal(which)
    _, err = process.communicate(timeout=60)
    return process.returncode, err


def test_memory_is_bounded_whatever_matches(large):
    """With a lowest score of 0 each of 300 million pairs is found; they go nowhere."""
    process = subprocess.Popen(large.command(["duplicates", "-m", "0", "-o", "/dev/null"]), cwd=large.work,
                               env={**large.env, "ISCC_SEARCH_THREADS": "4"}, stderr=subprocess.DEVNULL)
    kilobytes, end = [], time.monotonic() + 2
    while process.poll() is None and time.monotonic() < end:  # a fast machine may find all of them sooner
        with open(f"/proc/{process.pid}/status", encoding="ascii") as file:
            found = file.read().partition("RssAnon:")[2].split()
        kilobytes += map(int, found[:1])  # nothing is told of a process that has just ended
        time.sleep(0.02)
    process.kill()
    assert process.wait() in (0, -signal.SIGKILL)
    assert IS_SANITIZED or 1000 < max(kilobytes) < 48 * 1024


@pytest.mark.parametrize("clustered", [False, True], ids=["pairs", "clusters"])
def test_killed_at_any_moment_it_continues_to_the_same_file(large, clustered):
    words = ["--clusters"] if clustered else []
    whole = (large.work / ("clusters.jsonl" if clustered else "whole.jsonl")).read_bytes()
    killed = 0
    for turn in range(3):
        for wait in (0.02, 0.05, 0.1, 0.2):
            code, _ = interrupt(large, ["-o", f"k{turn}.jsonl", "--resume", *words], signal.SIGKILL,
                                wait + random.Random(SEED + turn).random() / 10)
            killed += code == -signal.SIGKILL
        large.good("duplicates", "-o", f"k{turn}.jsonl", "--resume", *words)
        assert (large.work / f"k{turn}.jsonl").read_bytes() == whole
    assert killed > 0


def test_cut_at_any_byte_it_continues_to_the_same_file(large):
    whole = (large.work / "whole.jsonl").read_bytes()
    rng = random.Random(SEED)
    line_end = whole.index(b"\n") + 1
    for cut in [0, 1, line_end - 1, line_end, len(whole) - 1, len(whole), *(rng.randrange(len(whole)) for _ in range(6))]:
        (large.work / "cut.jsonl").write_bytes(whole[:cut])
        large.good("duplicates", "-o", "cut.jsonl", "--resume")
        assert (large.work / "cut.jsonl").read_bytes() == whole


@pytest.mark.parametrize("which", [signal.SIGINT, signal.SIGTERM], ids=lambda which: which.name)
def test_an_interrupted_run_says_so_and_leaves_whole_lines(large, which):
    whole = (large.work / "whole.jsonl").read_bytes()
    for wait in (0.1, 0.15, 0.2, 0.25):
        (large.work / "i.jsonl").unlink(missing_ok=True)
        code, err = interrupt(large, ["-o", "i.jsonl"], which, wait)
        if code == 0:
            continue  # it was faster
        if code == -which:
            continue  # it had not begun
        assert code == 128 + which and "run the same command with --resume" in err
        written = (large.work / "i.jsonl").read_bytes() if (large.work / "i.jsonl").exists() else b""
        assert whole.startswith(written) and (not written or written.endswith(b"\n"))
        assert f"{written.count(bytes([10]))} pairs are found" in err
        large.good("duplicates", "-o", "i.jsonl", "--resume")
        assert (large.work / "i.jsonl").read_bytes() == whole


def test_interrupted_within_a_mark_it_leaves_no_other_file(large):
    """The first marks are written when the first pairs are found: at once."""
    for turn in range(60):
        interrupt(large, ["-o", "f.jsonl"], signal.SIGINT, 0.02 + turn % 20 * 0.003)
        found = sorted(path.name for path in large.work.glob("f.jsonl*"))
        assert set(found) <= {"f.jsonl", "f.jsonl.resume"}


SPARSE = ["-t", "DATA_NONE_V0", "-m", "0.99"]  # of random units: no pair


def test_a_run_that_finds_nothing_says_how_far_it_came(large):
    process = subprocess.Popen(large.command(["duplicates", "-o", "n.jsonl", *SPARSE]), cwd=large.work,
                               env={**large.env, "ISCC_SEARCH_KERNEL": "scalar", "ISCC_SEARCH_THREADS": "1"})
    end = time.monotonic() + 60
    while not (large.work / "n.jsonl.resume").exists():
        assert time.monotonic() < end and process.poll() is None
        time.sleep(0.01)
    process.kill()
    process.wait()
    mark = json.loads((large.work / "n.jsonl.resume").read_text())
    assert decode(mark["from"]) > decode(iscc_id(1)) and mark["bytes"] == 0
    other = large.run("duplicates", "-o", "n.jsonl", "--resume")
    assert other.code == 1 and "other options: --type DATA_NONE_V0 --min-score 0.99" in other.err
    large.good("duplicates", "-o", "n.jsonl", "--resume", *SPARSE)
    assert (large.work / "n.jsonl").read_text() == ""
    assert not (large.work / "n.jsonl.resume").exists()


def test_it_begins_where_the_mark_says(large):
    """A mark counts only if nothing was found behind it."""
    whole = (large.work / "whole.jsonl").read_bytes()
    lines = whole.splitlines(True)
    half = b"".join(lines[:len(lines) // 2])
    mark = {"from": iscc_id(30000), "bytes": len(half), "options": ""}
    for written, wanted in ((half, half), (half + lines[len(lines) // 2], whole), (half[:-1], whole)):
        (large.work / "m.jsonl").write_bytes(written)
        (large.work / "m.jsonl.resume").write_text(json.dumps(mark))
        large.good("duplicates", "-o", "m.jsonl", "--resume")
        assert (large.work / "m.jsonl").read_bytes() == wanted
        assert not (large.work / "m.jsonl.resume").exists()


def begin_and_kill(cli, name, *words, **env):
    """Begin a file anew, and kill the command as soon as there are pairs in it."""
    path = cli.work / name
    for old in (path, cli.work / f"{name}.resume"):
        old.unlink(missing_ok=True)
    process = subprocess.Popen(cli.command(["duplicates", *words, "-o", name]), cwd=cli.work, stdout=subprocess.DEVNULL,
                               env={**cli.env, "ISCC_SEARCH_THREADS": "1", **env})
    end = time.monotonic() + 60
    while not path.exists() or not path.stat().st_size:
        assert time.monotonic() < end and process.poll() is None
        time.sleep(0.01)
    process.kill()
    process.wait()


def test_another_index_does_not_continue_a_file(large):
    """The active one may have changed since; an index of that name in another store is another one, too."""
    begin_and_kill(large, "x.jsonl", ISCC_SEARCH_KERNEL="scalar")
    written = (large.work / "x.jsonl").read_bytes()
    store = f"usearch://{large.work}/elsewhere"
    assets = json.dumps(sample(1)[0])
    large.good("add", "-", "--uri", store, stdin=assets)
    large.good("add", "-", "--uri", store, "--index", "other", stdin=assets)
    for words, what in ((["--index", "other"], "other index: default."), ([], "other store: usearch://")):
        said = large.run("duplicates", "-o", "x.jsonl", "--resume", "--uri", store, *words)
        assert said.code == 1 and f"x.jsonl was begun with {what}" in said.err
        assert (large.work / "x.jsonl").read_bytes() == written
    large.good("duplicates", "-o", "x.jsonl", "--resume", "--index", "default")
    assert (large.work / "x.jsonl").read_bytes() == (large.work / "whole.jsonl").read_bytes()


def test_options_are_known_from_the_first_pair_on(large):
    """Killed within the first block of assets, of which each has 25,000 pairs."""
    begin_and_kill(large, "y.jsonl", "-m", "0")
    assert json.loads((large.work / "y.jsonl.resume").read_text())["from"] == ""
    said = large.run("duplicates", "-o", "y.jsonl", "--resume")
    assert said.code == 1 and "y.jsonl was begun with other options: --min-score 0." in said.err


@pytest.mark.parametrize("which", [signal.SIGINT, signal.SIGTERM], ids=lambda which: which.name)
def test_a_signal_ends_it_although_no_line_is_taken(large, which):
    """The pipe is full, and its reader takes nothing."""
    with subprocess.Popen(large.command(["duplicates", "-m", "0"]), cwd=large.work, env=large.env, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE) as process:
        process.stdout.read(1)
        time.sleep(0.5)
        process.send_signal(which)
        assert process.wait(30) == 128 + which
        assert b"Interrupted: " in process.stderr.read()


def test_a_file_of_something_else_is_not_continued(cli):
    cli.good("index", "list")
    cli.good("add", EXAMPLES / "assets.jsonl")
    for text in ("hello\n", '{"iscc_id": 5}\n', '{"keep":"ISCC:MAIGHXLN555Y2DFF","duplicates":[]}\n', "x" * 20000):
        (cli.work / "o.jsonl").write_text(text)
        said = cli.run("duplicates", "-o", "o.jsonl", "--resume")
        assert said.code == 1 and "o.jsonl is not the output of this command" in said.err
        assert (cli.work / "o.jsonl").read_text() == text


def test_a_file_that_another_run_writes_is_left_alone(large):
    """Also with --resume, which cuts the file off; when the first run has ended, the file is free."""
    whole = (large.work / "whole.jsonl").read_bytes()
    with subprocess.Popen(large.command(["duplicates", "-o", "two.jsonl"]), cwd=large.work, stdout=subprocess.DEVNULL,
                          env={**large.env, "ISCC_SEARCH_KERNEL": "scalar", "ISCC_SEARCH_THREADS": "1"}) as first:
        end = time.monotonic() + 60
        while not (large.work / "two.jsonl").exists() or not (large.work / "two.jsonl").stat().st_size:
            assert time.monotonic() < end and first.poll() is None
            time.sleep(0.01)
        first.send_signal(signal.SIGSTOP)
        try:
            written = (large.work / "two.jsonl").read_bytes()
            for words in ([], ["--resume"]):
                said = large.run("duplicates", "-o", "two.jsonl", *words)
                assert said.code == 1 and "two.jsonl: another process writes it" in said.err
            assert (large.work / "two.jsonl").read_bytes() == written and whole.startswith(written)
        finally:
            first.send_signal(signal.SIGCONT)
        assert first.wait(120) == 0
    assert (large.work / "two.jsonl").read_bytes() == whole
    large.good("duplicates", "-o", "two.jsonl", "--resume")
    assert (large.work / "two.jsonl").read_bytes() == whole


@pytest.mark.parametrize("words", [[], ["--resume"]], ids=["anew", "resume"])
def test_pairs_go_to_what_is_no_regular_file(cli, words):
    """A pipe that is standard output, a FIFO, a device; and a link to a file."""
    cli.good("add", EXAMPLES / "assets.jsonl")
    whole = cli.good("duplicates").out
    said = cli.good("duplicates", "-o", "/dev/stdout", *words)
    assert said.out == whole and "which are in /dev/stdout" in said.err
    assert "which are in /dev/null" in cli.good("duplicates", "-o", "/dev/null", *words).out
    os.mkfifo(cli.work / "fifo")
    with subprocess.Popen(cli.command(["duplicates", "-o", "fifo", *words]), cwd=cli.work, env=cli.env,
                          stdout=subprocess.DEVNULL) as process:
        assert (cli.work / "fifo").read_text() == whole
        assert process.wait(60) == 0
    (cli.work / "link").symlink_to("file")
    cli.good("duplicates", "-o", "link", *words)
    assert (cli.work / "link").is_symlink() and (cli.work / "file").read_text() == whole
    assert sorted(path.name for path in cli.work.iterdir()) == ["fifo", "file", "link"]


def test_the_bar_shows_pairs_and_the_time(large):
    code, shown, _ = large.on_terminal("duplicates", "-o", "t.jsonl", streams=("stderr",))
    assert code == 0 and "million pairs/s" in shown and "%" in shown


# --- what is wrong ------------------------------------------------------------------------------


def test_an_empty_index_has_no_pairs(cli):
    cli.good("index", "list")
    cli.good("add", "-", stdin=json.dumps(sample(1)[0]))
    assert cli.good("duplicates").out == ""
    assert cli.good("duplicates", "--clusters").out == ""


@pytest.mark.parametrize("words, code, what", [
    (["--min-score", "2"], 2, "min_score"),
    (["--min-score", "much"], 2, "min_score"),
    (["--type", "no type"], 2, "types"),
    (["--resume"], 2, "--output"),
    (["--against", "none"], 1, "none"),
    (["--against", "default"], 1, "is the index itself"),
    (["--index", "none"], 1, "none"),
    (["--output", "none/o.jsonl"], 1, "none/o.jsonl: No such file or directory"),
    (["more"], 2, "more"),
])
def test_wrong_options(cli, words, code, what):
    cli.good("add", "-", stdin=json.dumps(sample(1)[0]))
    said = cli.run("duplicates", *words)
    assert said.code == code and what in said.err and said.out == ""


def test_a_full_disk_is_an_error(cli):
    cli.good("add", EXAMPLES / "assets.jsonl")
    said = cli.run("duplicates", "-o", "/dev/full")
    assert said.code == 1 and "/dev/full: No space left on device" in said.err


def test_a_full_disk_for_clusters_names_the_file(cli):
    cli.good("add", EXAMPLES / "assets.jsonl")
    (cli.work / "c.jsonl").symlink_to("/dev/full")
    said = cli.run("duplicates", "--clusters", "-o", "c.jsonl")
    assert said.code == 1 and said.err == "Error: c.jsonl: No space left on device\n"
    (cli.work / "c.jsonl").unlink()
    cli.good("duplicates", "--clusters", "-o", "c.jsonl", "--resume")
    assert (cli.work / "c.jsonl").read_text() == cli.good("duplicates", "--clusters").out


def test_a_disk_that_has_room_again_loses_no_pair(large):
    """What a mark cannot write is lost, so the run ends there, although later lines would find room."""
    words = ["duplicates", "-t", "DATA_NONE_V0", "-m", "0.648"]
    whole = large.good(*words).out
    assert 50 < whole.count("\n") < 3000
    with small_disk(1) as folder:
        filler = folder / "filler"
        try:
            filler.write_bytes(bytes(2 << 20))
        except OSError:
            pass  # the disk is full now
        words = [*words, "-o", folder / "p.jsonl"]
        process = subprocess.Popen(large.command(words), cwd=large.work, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
                                   env={**large.env, "ISCC_SEARCH_KERNEL": "scalar", "ISCC_SEARCH_THREADS": "1"}, text=True)
        end = time.monotonic() + 60
        while not (folder / "p.jsonl").exists():
            assert time.monotonic() < end and process.poll() is None
            time.sleep(0.01)
        time.sleep(1)  # the first mark comes behind the first block of assets
        filler.unlink(missing_ok=True)
        _, err = process.communicate(timeout=120)
        assert process.returncode == 1 and f"{folder}/p.jsonl: No space left on device" in err
        assert whole.startswith((folder / "p.jsonl").read_text())
        large.good(*words, "--resume")
        assert (folder / "p.jsonl").read_text() == whole


def test_prefixes_have_no_near_duplicates(cli):
    store = f"lmdb://{cli.work}/store"
    cli.good("add", "-", "--uri", store, stdin=json.dumps(sample(1)[0]))
    said = cli.run("duplicates", "--uri", store)
    assert said.code == 1 and "lmdb://" in said.err
