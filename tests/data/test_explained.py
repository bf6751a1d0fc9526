"""The numbers of an explanation give the score to the last bit, for every match of every real query.

The same corpus as in test_truth.py. Python's floats are the doubles of the program.
"""
import math

import pytest
import requests
from test_passages import real_data, served  # noqa: F401: a fixture
from test_truth import DATA, home, rows, server  # noqa: F401: fixtures

LEAST = 0.75


def score_of(explanation, exponent):
    """sum(s^e) / sum(s) of the scores that count, the highest first."""
    scores = sorted((one["score"] for one in explanation.values() if one.get("counted")), reverse=True)
    return sum(score**exponent for score in scores) / sum(scores)


def check_type(kind, one, match):
    if "absent" in one:
        assert one == {"absent": True} and kind not in match["types"]
        return
    bits, distance, is_instance = one["compared_bits"], one["distance"], kind.startswith("INSTANCE")
    assert 0 <= distance <= bits and bits % 8 == 0 and one["expect"] >= 0
    assert one["score"] == (float(distance == 0) if is_instance else 1.0 - distance / bits)
    assert one["counted"] == (one["score"] >= (1.0 if is_instance else LEAST))
    assert one["counted"] or one["missed_by"] == (1.0 if is_instance else LEAST) - one["score"]
    assert match["types"].get(kind) == (None if is_instance and not one["counted"] else one["score"])


@pytest.mark.parametrize("corpus", [DATA.parent.name + "/" + DATA.name])
def test_scores_follow_from_their_explanations(server, corpus):  # noqa: F811
    session, explained = requests.Session(), 0
    for row in rows("queries.jsonl"):
        query = {key: value for key, value in row["query"].items() if key != "simprints"}
        said = session.post(f"{server}/indexes/real/search?limit=100", json={**query, "explain": True}).json()
        for match in said["global_matches"]:
            assert match["score"] == score_of(match["explanation"], said["query"]["exponent"])
            for kind, one in match["explanation"].items():
                check_type(kind, one, match)
            explained += 1
    assert explained > 100


@pytest.mark.parametrize("corpus", [DATA.parent.name + "/" + DATA.name])
def test_scores_of_passages_follow_from_their_weights(served, corpus):  # noqa: F811
    documents, queries = real_data()
    served.add([{key: value for key, value in document.items() if key != "metadata"} for document in documents])
    explained = 0
    for _, simprints in queries:
        answer = served.post("/main/search?limit=100", {"simprints": simprints, "explain": True})
        for match in answer["chunk_matches"]:
            total = 0.0
            for one in match["types"].values():
                found = 0.0
                for chunk in one["chunks"]:
                    assert chunk["weight"] == math.log(1 + len(documents) / (1 + chunk["freq"]))
                    found += chunk["weight"] * chunk["score"]
                    explained += 1
                assert one["score"] == found / one["weight"]
                assert math.isclose(sum(chunk["share"] for chunk in one["chunks"]), 1)
                total += one["score"]
            assert match["score"] == math.ldexp(round(math.ldexp(total / len(match["types"]), 40)), -40)
    assert explained > 20
