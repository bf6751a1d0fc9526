"""How matches are ranked: by score, by what chance would bring, by the kind of match - beside a plain model."""

import random
from math import comb, factorial, log

import pytest

from serving import CONTENT, DATA, INSTANCE, META, SEMANTIC, Server, digest, iscc_id, unit

MAIN = {"META_NONE_V0": META, "SEMANTIC_TEXT_V0": SEMANTIC, "CONTENT_TEXT_V0": CONTENT, "DATA_NONE_V0": DATA,
        "INSTANCE_NONE_V0": INSTANCE}
WEIGHTS = {"META": 0.5, "SEMANTIC": 2.0, "CONTENT": 0.8, "DATA": 0.3, "INSTANCE": 0.5}
ALONE = {"META": 0.9, "SEMANTIC": 1.0, "CONTENT": 0.8, "DATA": 0.95, "INSTANCE": 1.0}
TIERS = ["exact", "near_duplicate", "similar", "corroborated", "title_only", "weak", "incoherent"]
ASSETS = 60  # fewer than an index measures distances of
THRESHOLD = 0.75


def distance(one, other):
    return (int.from_bytes(one, "big") ^ int.from_bytes(other, "big")).bit_count()


def make_corpus(seed):
    """Assets as bodies by type: near the first one in some types, random or missing in others."""
    chance = random.Random(seed)
    first = {name: chance.randbytes(32) for name in MAIN}
    corpus = []
    for _ in range(ASSETS):
        asset = {}
        for name, body in first.items():
            length, kind = chance.choice((8, 16, 32)), chance.random()
            if kind < 0.25 and asset:
                continue
            if name != "INSTANCE_NONE_V0" or kind > 0.8:
                bits = chance.choice((0, 3, 12, 30, 60, 90)) if kind > 0.4 else 128
                mask = sum(1 << place for place in chance.sample(range(256), bits))
                body = (int.from_bytes(body, "big") ^ mask).to_bytes(32, "big")
            asset[name] = body[:length]
        corpus.append(asset)
    return first, corpus


def compare(query, asset, name):
    """(score, distance, bits) of one type, or None."""
    if name not in query or name not in asset:
        return None
    size = min(len(query[name]), len(asset[name]))
    differing, bits = distance(query[name][:size], asset[name][:size]), size * 8
    if name == "INSTANCE_NONE_V0" and differing:
        return None
    return 1 - differing / bits, differing, bits


def model_expect(corpus, query, found):
    """docs/scores.md: rows * choices * Fisher's product over the types that count."""
    w, reach, rows, count = 1, 1, None, 0
    for name, (score, differing, bits) in found.items():
        if score < THRESHOLD:
            continue
        largest = 0 if name == "INSTANCE_NONE_V0" else max(d for d in range(bits + 1) if 1 - d / bits >= THRESHOLD)
        w *= sum(comb(bits, d) for d in range(differing + 1)) / 2 ** bits
        reach *= sum(comb(bits, d) for d in range(largest + 1)) / 2 ** bits
        of_type = sum(name in asset for asset in corpus)
        rows = of_type if rows is None else min(rows, of_type)
        count += 1
    fisher = w * sum(log(reach / w) ** j / factorial(j) for j in range(count))
    return rows * comb(len(query), count) * fisher


def model_tier(found):
    """(tier, tier_score) of the true scores of all types."""
    s = {name.partition("_")[0]: score for name, (score, _, _) in found.items()}
    soft, faint = sum(x >= 0.7 for x in s.values()), sum(x >= 0.6 for x in s.values())
    mean = sum(WEIGHTS[name] * x for name, x in s.items()) / sum(WEIGHTS[name] for name in s)
    if "INSTANCE" in s:
        return ("incoherent" if min(s.get("DATA", 1), s.get("CONTENT", 1)) < 0.7 else "exact"), mean
    if s.get("DATA", 0) >= 0.85 and s.get("CONTENT", 1) >= 0.85 or s.get("CONTENT", 0) >= 0.85 and soft >= 2:
        return "near_duplicate", mean
    if s.get("SEMANTIC", 0) >= 0.85:
        return "similar", mean
    if soft and faint >= 2:
        return "corroborated", mean
    if s.get("META", 0) >= 0.85:
        return "title_only", mean
    return "weak", mean * ALONE[max(s, key=s.get)]


def model_matches(corpus, query, rank):
    """All matches in their order: (number, score, expect, tier, tier_score)."""
    matches = []
    for number, asset in enumerate(corpus):
        found = {name: compare(query, asset, name) for name in query}
        found = {name: one for name, one in found.items() if one}
        counted = [score for score, _, _ in found.values() if score >= THRESHOLD]
        if counted:
            score = sum(s ** 4 for s in counted) / sum(counted)
            matches.append((number, score, model_expect(corpus, query, found), *model_tier(found)))
    keys = {"score": lambda m: (-m[1], m[0]), "significance": lambda m: (m[2], m[0]),
            "tiered": lambda m: (TIERS.index(m[3]), -m[4], m[0])}
    return sorted(matches, key=keys[rank])


def units_of(asset):
    return [unit(MAIN[name], body) for name, body in asset.items()]


@pytest.fixture(scope="module", params=["memory://", "usearch"])
def filled(request, tmp_path_factory):
    """A server with one index for each seed."""
    folder = tmp_path_factory.mktemp("rank")
    uri = request.param if "://" in request.param else f"usearch://{folder / 'data'}"
    server = Server(folder, uri=uri).start()
    corpora = {}
    for seed in range(3):
        corpora[f"seed{seed}"] = first, corpus = make_corpus(seed)
        assert server.post("/indexes", json={"name": f"seed{seed}"}).status_code == 201
        assets = [{"iscc_id": iscc_id(number), "units": units_of(asset)} for number, asset in enumerate(corpus)]
        assert server.post(f"/indexes/seed{seed}/assets", json=assets).status_code == 201
    yield server, corpora
    server.stop()


def queries(first, corpus):
    """The first asset, cut to other lengths and fewer types, and some of the others."""
    yield first
    yield {name: body[:8] for name, body in first.items()}
    yield {name: first[name][:16] for name in ("CONTENT_TEXT_V0", "DATA_NONE_V0")}
    yield {"META_NONE_V0": first["META_NONE_V0"]}
    yield from corpus[:3]


@pytest.mark.parametrize("rank", ["score", "significance", "tiered"])
@pytest.mark.parametrize("name", ["seed0", "seed1", "seed2"])
def test_every_rank_equals_the_model(filled, name, rank):
    server, corpora = filled
    first, corpus = corpora[name]
    for query in queries(first, corpus):
        expected = model_matches(corpus, query, rank)
        body = {"units": units_of(query), "rank": rank, "max_expect": 1e300}
        found = server.post(f"/indexes/{name}/search?limit=1000", json=body).json()["global_matches"]
        assert [match["iscc_id"] for match in found] == [iscc_id(number) for number, *_ in expected]
        for match, (_, score, expect, tier, tier_score) in zip(found, expected):
            assert match["score"] == pytest.approx(score, rel=1e-12)
            assert match["expect"] == pytest.approx(expect, rel=1e-9)
            assert ("tier" in match) == (rank == "tiered")
            if rank == "tiered":
                assert (match["tier"], match["tier_score"]) == (tier, pytest.approx(tier_score, rel=1e-12))
        for limit in (1, 2, 7):  # nothing is lost
            few = server.post(f"/indexes/{name}/search?limit={limit}", json=body).json()["global_matches"]
            assert few == found[:limit]


@pytest.mark.parametrize("rank", ["score", "significance", "tiered"])
def test_max_expect_leaves_out_what_chance_explains(filled, rank):
    server, corpora = filled
    first, corpus = corpora["seed0"]
    expected = model_matches(corpus, first, rank)
    for bound in (1e-30, 1e-9, 0.01, 1, 100):
        body = {"units": units_of(first), "rank": rank, "max_expect": bound}
        answer = server.post("/indexes/seed0/search?limit=1000&count=true", json=body).json()
        kept = [iscc_id(number) for number, _, expect, *_ in expected if expect <= bound]
        assert [match["iscc_id"] for match in answer["global_matches"]] == kept
        assert answer["count"] == len(kept)
        assert answer["query"]["max_expect"] == bound


@pytest.mark.parametrize("more", [{"rank": "significance"}, {"rank": "tiered"}, {"rank": "score"}, {"max_expect": 1e-3},
                                  {"rank": "tiered", "max_expect": 1e-3}])
def test_pages_of_every_rank(filled, more):
    server, corpora = filled
    query = {"units": units_of(corpora["seed1"][0]), **more}
    whole = server.post("/indexes/seed1/search?limit=1000", json=query).json()["global_matches"]
    for limit in (1, 5, len(whole), len(whole) + 1):
        found, after = [], ""
        while after is not None:
            page = server.post("/indexes/seed1/search", json=query, params={"limit": limit, "after": after}).json()
            found, after = found + page["global_matches"], page["next"]
        assert found == whole


def test_a_page_of_another_rank_is_refused(filled):
    server, corpora = filled
    units = units_of(corpora["seed1"][0])
    for rank in ("score", "significance", "tiered"):
        page = server.post("/indexes/seed1/search?limit=1&after=", json={"units": units, "rank": rank}).json()
        for other in ("score", "significance", "tiered"):
            answer = server.post("/indexes/seed1/search", json={"units": units, "rank": other},
                                 params={"limit": 1, "after": page["next"]})
            assert answer.status_code == (200 if other == rank else 400)
            if other != rank:
                assert answer.json()["detail"] == (
                    f"after: the page before was ranked by {rank}, and this query asks for {other}: ask for the same "
                    "rank, or begin with the first page")


def test_without_a_rank_an_answer_is_as_before(filled):
    server, corpora = filled
    query = {"units": units_of(corpora["seed2"][0])}
    plain = server.post("/indexes/seed2/search", json=query).json()
    assert all(set(match) == {"iscc_id", "score", "types", "metadata"} for match in plain["global_matches"])
    assert "rank" not in plain["query"] and "max_expect" not in plain["query"]
    named = server.post("/indexes/seed2/search", json={**query, "rank": None, "max_expect": None}).json()
    assert named == plain
    by_score = server.post("/indexes/seed2/search", json={**query, "rank": "score"}).json()
    assert by_score["global_matches"] == plain["global_matches"] and by_score["query"]["rank"] == "score"


def test_a_batch_ranks_each_query_by_its_own(filled):
    server, corpora = filled
    units = units_of(corpora["seed0"][0])
    asked = [{"units": units, "rank": rank} for rank in ("tiered", "score", "significance")] + [
        {"units": units, "max_expect": 1e-9}, {"units": units}]
    alone = [server.post("/indexes/seed0/search?limit=9", json=query).json() for query in asked]
    assert server.post("/indexes/seed0/search/batch?limit=9", json={"queries": asked}).json()["results"] == alone
    found = server.post("/indexes/seed0/search/batch?limit=9&rank=tiered", json={"queries": asked[-1:]}).json()["results"]
    assert found[0]["global_matches"] == alone[0]["global_matches"]


def test_the_url_says_the_same(filled):
    server, corpora = filled
    units = units_of(corpora["seed0"][0])
    by_body = server.post("/indexes/seed0/search", json={"units": units, "rank": "significance", "max_expect": 0.5})
    by_url = server.post("/indexes/seed0/search?rank=significance&max_expect=0.5", json={"units": units})
    assert by_url.json() == by_body.json()
    code = by_body.json()["query"]["iscc_code"]
    got = server.get("/indexes/seed0/search", params={"iscc_code": code, "rank": "tiered", "max_expect": "5e-1"}).json()
    posted = server.post("/indexes/seed0/search", json={"iscc_code": code, "rank": "tiered", "max_expect": 0.5}).json()
    assert got == posted and all("tier" in match and "expect" in match for match in got["global_matches"])


WRONG = [("rank", "best", "literal_error"), ("rank", "", "literal_error"), ("rank", 1, "literal_error"),
         ("rank", ["score"], "literal_error"), ("rank", "Score", "literal_error"), ("max_expect", 0, "greater_than"),
         ("max_expect", -0.0, "greater_than"), ("max_expect", -1, "greater_than"), ("max_expect", "x", "float_parsing"),
         ("max_expect", [1], "float_type")]


@pytest.mark.parametrize("member, value, kind", WRONG)
def test_a_wrong_rank_is_named(filled, member, value, kind):
    server, corpora = filled
    answer = server.post("/indexes/seed0/search", json={"units": units_of(corpora["seed0"][0]), member: value})
    assert answer.status_code == 422
    assert [(one["type"], one["loc"]) for one in answer.json()["detail"]] == [(kind, ["body", member])]
    if not isinstance(value, list):
        answer = server.post(f"/indexes/seed0/search?{member}={value}", json={"units": units_of(corpora["seed0"][0])})
        assert [one["loc"] for one in answer.json()["detail"]] == [["query", member]]


def test_a_number_that_is_infinite_is_refused(filled):
    server, _ = filled
    answer = server.post("/indexes/seed0/search", data='{"iscc_code": "ISCC:KACT4EBWK27737D2AYCJRAL5Z36G7Y7HA2BMECKMVRBEQXR2BJOS6NA", '
                         '"max_expect": 1e999}', headers={"Content-Type": "application/json"})
    assert [one["type"] for one in answer.json()["detail"]] == ["finite_number"]


@pytest.mark.parametrize("env, members", [({"RANK": "significance"}, {"expect"}), ({"RANK": "tiered"}, {"tier", "tier_score"}),
                                          ({"RANK": "score", "MAX_EXPECT": "1e9"}, {"expect"}), ({"RANK": ""}, set())])
def test_the_settings_hold_where_a_query_says_nothing(tmp_path, env, members):
    server = Server(tmp_path, env={f"ISCC_SEARCH_{name}": value for name, value in env.items()}).start()
    try:
        server.post("/indexes", json={"name": "main"})
        assets = [{"iscc_id": iscc_id(n), "units": [unit(CONTENT, digest(1)), unit(DATA, digest(2))]} for n in range(3)]
        assert server.post("/indexes/main/assets", json=assets).status_code == 201
        query = {"units": assets[0]["units"]}
        page = server.post("/indexes/main/search?limit=2&after=", json=query).json()
        assert all(set(match) == {"iscc_id", "score", "types", "metadata"} | members for match in page["global_matches"])
        assert "rank" not in page["query"]
        rest = server.post("/indexes/main/search", json=query, params={"limit": 2, "after": page["next"]}).json()
        assert [match["iscc_id"] for match in rest["global_matches"]] == [iscc_id(2)]
        own = server.post("/indexes/main/search", json={**query, "rank": "tiered"}).json()["global_matches"]
        assert [match["tier"] for match in own] == ["near_duplicate"] * 3
    finally:
        server.stop()


def test_what_an_index_has_often_is_expected_by_chance(tmp_path):
    """Every second asset has the same title: such a match is no evidence, though random codes never agree so."""
    server = Server(tmp_path).start()
    assert server.post("/indexes", json={"name": "titles"}).status_code == 201
    assets = [{"iscc_id": iscc_id(number),
               "units": [unit(META, digest("title" if number % 2 else number, 32)), unit(DATA, digest((number, 1), 32))]}
              for number in range(400)]
    assert server.post("/indexes/titles/assets", json=assets).status_code == 201
    query = {"units": [unit(META, digest("title", 32))], "rank": "significance"}
    matches = server.post("/indexes/titles/search?limit=1000", json=query).json()["global_matches"]
    assert len(matches) == 200
    pairs = 200 * 199 / 2 / (400 * 399 / 2)  # of equal titles among all
    for match in matches:
        assert match["expect"] == pytest.approx(400 * pairs, rel=1e-9)
    assert server.post("/indexes/titles/search", json={**query, "max_expect": 99}).json()["global_matches"] == []
    # nothing of the kind was measured of DATA: one random code of 256 bits is enough
    query = {"units": [unit(DATA, digest((7, 1), 32))], "max_expect": 1e-60}
    assert [m["iscc_id"] for m in server.post("/indexes/titles/search", json=query).json()["global_matches"]] == [
        iscc_id(7)]
    server.stop()
