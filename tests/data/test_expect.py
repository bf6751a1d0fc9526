"""`expect` of every match over real data equals a plain model in double precision, and agrees with what is found.

The corpus beside the project (../shared/data) is used where it is; otherwise the shipped sample (examples/).
The functions that read data and run the program are those of bench/significance.
"""
import importlib.machinery
import importlib.util
import math
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
CORPUS = ROOT.parent / "shared" / "data"
DATA = CORPUS if (CORPUS / "queries.jsonl").exists() else ROOT / "examples"
ASSETS = 3000      # of the model: 4.5 million pairs for each type and length
THRESHOLD = 0.75
RELATED = 0.9      # a pair with such a score in another type is no chance
NEAR = {64: 0.7, 128: 0.65, 256: 0.65}  # lower scores are not looked up in other types
LENGTHS = (64, 128, 256)
ALL, SAMPLED, FAR = 1024, 4096, 256

loader = importlib.machinery.SourceFileLoader("significance", str(ROOT / "bench" / "significance"))
bench = importlib.util.module_from_spec(importlib.util.spec_from_loader("significance", loader))
loader.exec_module(bench)


# --- the model: docs/scores.md ---------------------------------------------------------------------

def bodies_of(entry):
    """The units of an asset or query: type -> (bits, number)."""
    found = {}
    for unit in entry["units"]:
        body = bench.decode(unit)[2:]
        found[bench.type_of(unit)] = len(body) * 8, int.from_bytes(body, "big")
    return found


def compare(one, other):
    """(distance, compared bits) over the common beginning."""
    bits = min(one[0], other[0])
    return ((one[1] >> one[0] - bits) ^ (other[1] >> other[0] - bits)).bit_count(), bits


def is_related(one, other, kind, score):
    """Are two assets near-duplicates by another type than this one? Without one, their score tells."""
    names = one.keys() & other.keys() - {kind, "INSTANCE"}
    for name in names:
        distance, bits = compare(one[name], other[name])
        if 1 - distance / bits >= RELATED:
            return True
    return not names and score >= RELATED


def sample(assets, kind, bits):
    """Pairs of sampled assets at each distance."""
    long_enough = sorted((asset for asset in assets if asset.get(kind, (0,))[0] >= bits), key=lambda a: a[kind][0])
    total = len(long_enough)
    count = total if total <= ALL else min(SAMPLED, max(ALL, int(32 * math.sqrt(total))))
    chosen = [long_enough[at * total // count] for at in range(count)]
    codes = [asset[kind][1] >> asset[kind][0] - bits for asset in chosen]
    near = max(d for d in range(bits + 1) if 1 - d / bits >= NEAR[bits])
    step = max(1, count // FAR)
    counts = [0] * (bits + 1)
    for at, code in enumerate(codes):
        for before, distance in enumerate([(code ^ other).bit_count() for other in codes[:at]]):
            if distance > near:
                counts[distance] += step**2 if at % step == 0 and before % step == 0 else 0
            elif not is_related(chosen[at], chosen[before], kind, 1 - distance / bits):
                counts[distance] += 1
    return counts


def random_p(bits):
    """The binomial tail of each distance."""
    term, total, tail = 0.5**bits, 0.0, []
    for d in range(bits + 1):
        total += term
        tail.append(min(total, 1.0))
        term *= (bits - d) / (d + 1)
    return tail


def p_values(bits, counts):
    """The p-value of each distance over `bits`, by the counts of a sample over as many bits."""
    by_chance, pairs = random_p(bits), sum(counts)
    within = [sum(counts[: d + 1]) for d in range(bits + 1)]
    known = next((d for d in range(bits + 1) if within[d] >= 16), bits)
    rare = max((d for d in range(known + 1) if pairs * by_chance[d] <= 0.1), default=None)
    fitted = within[rare] if rare is not None else 0
    excess = sum((rare - d) * counts[d] for d in range(rare + 1)) if fitted else 0
    values = []
    for d in range(bits + 1):
        p = by_chance[d]
        if d >= known:
            p = max(p, within[d] / pairs)
        elif fitted >= 3:
            p = max(p, fitted / pairs * (excess / (fitted + excess)) ** max(rare - d, 0))
        values.append(p)
    return values


def largest(bits):
    return max(d for d in range(bits + 1) if 1 - d / bits >= THRESHOLD)


class Model:
    def __init__(self, assets):
        self.assets = [(asset["iscc_id"], bodies_of(asset)) for asset in assets]
        bodies = [asset for _, asset in sorted(self.assets, key=lambda pair: bench.decode(pair[0])[2:])]
        self.rows, self.p = {}, {}
        for kind in {kind for asset in bodies for kind in asset}:
            self.rows[kind] = sum(kind in asset for asset in bodies)
            if kind == "INSTANCE":
                continue
            counts = {bits: sample(bodies, kind, bits) for bits in LENGTHS}
            for bits in LENGTHS:
                self.p[kind, bits] = p_values(bits, counts[bits]) if sum(counts[bits]) else None

    def expect(self, found, queried):
        """rows * choices * Fisher's product; `found`: type -> (distance, bits) of the types that count."""
        w = reach = 1.0
        for kind, (distance, bits) in found.items():
            w *= 0.5**bits if kind == "INSTANCE" else self.p[kind, bits][distance]
            reach *= 0.5**bits if kind == "INSTANCE" else self.p[kind, bits][largest(bits)]
        fisher = w * sum(math.log(reach / w) ** j / math.factorial(j) for j in range(len(found)))
        return min(self.rows[kind] for kind in found) * math.comb(queried, len(found)) * fisher

    def matches(self, query):
        """ISCC-ID -> expect of all matches."""
        found = {}
        asked = bodies_of(query)
        for iscc_id, asset in self.assets:
            counted = {}
            for kind in asked.keys() & asset.keys():
                distance, bits = compare(asked[kind], asset[kind])
                if distance == 0 if kind == "INSTANCE" else 1 - distance / bits >= THRESHOLD:
                    counted[kind] = distance, bits
            if counted:
                found[iscc_id] = self.expect(counted, len(asked))
        return found


# --- tests ---------------------------------------------------------------------------------------

@pytest.fixture(scope="module")
def data():
    return bench.read_assets(DATA), bench.read_lines(DATA / "queries.jsonl")


@pytest.mark.parametrize("corpus", [DATA.parent.name + "/" + DATA.name])
def test_expect_equals_that_of_a_plain_model(data, corpus):
    assets, queries = data[0][:ASSETS], data[1]
    model = Model(assets)
    checked = 0
    with bench.Server(assets) as server:
        for row in queries:
            query = {name: row["query"][name] for name in ("units", "iscc_code") if name in row["query"]}
            answer = server.ask(f"/indexes/main/search?limit={bench.ALL}", {**query, "rank": "significance"})
            wanted = model.matches(answer["query"])
            found = {match["iscc_id"]: match["expect"] for match in answer["global_matches"]}
            assert found.keys() == wanted.keys()
            for iscc_id, expect in found.items():
                assert expect == pytest.approx(wanted[iscc_id], rel=1e-9), f"{row['name']}: {iscc_id}"
            order = [(match["expect"], bench.decode(match["iscc_id"])) for match in answer["global_matches"]]
            assert all(one[0] < two[0] * (1 + 1e-12) for one, two in zip(order, order[1:]))
            assert all(one[1] < two[1] for one, two in zip(order, order[1:]) if one[0] == two[0])
            limited = server.search(row["query"], max_expect=0.01)
            assert {match["iscc_id"] for match in limited} == {key for key, value in wanted.items() if value <= 0.01}
            checked += len(found)
    assert checked > 500


@pytest.mark.parametrize("corpus", [DATA.parent.name + "/" + DATA.name])
@pytest.mark.parametrize("bits", LENGTHS)
def test_as_many_matches_are_found_by_chance_as_expected(data, bits, corpus):
    """Within a factor of two, wherever 500 or more are expected of all queries together: of fewer, one folder of
    templates is most."""
    judged = 0
    for kind, (asked, indexed, expected, found) in bench.expected_and_found(data[0], bits).items():
        assert expected >= indexed * bench.tail(bits), kind
        if expected * asked >= 500:
            assert 0.5 <= found / expected <= 2, f"{kind}: {found} found, {expected} expected"
            judged += 1
    assert judged
