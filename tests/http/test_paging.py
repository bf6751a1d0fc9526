"""Pages of a search, and the number of all matches."""

import pytest

from serving import CONTENT, digest, iscc_id, make_asset, unit
from test_routes import detail, problems

BODY = digest("paged")
QUERY = {"units": [unit(CONTENT, BODY)]}


def similar(number):
    """One of assets whose scores tie in groups."""
    body = bytes([BODY[0] ^ (1 << number % 3), BODY[1] ^ (number % 2), *BODY[2:]])
    passages = [{"simprint": "AAAAAAAAAA" + "AEIM"[number % 4], "offset": 0, "size": 9}]
    return {"iscc_id": iscc_id(number * 7919 % 65537), "units": [unit(CONTENT, body), unit(3, digest(number))],
            "simprints": {"CONTENT_TEXT_V0": passages}}


@pytest.fixture
def filled(server, index):
    assert server.post(index + "/assets", json=[similar(number) for number in range(100)]).status_code == 201
    return index


def pages(server, index, query, limit):
    """All matches, page by page."""
    found, after = {"global_matches": [], "chunk_matches": []}, ""
    while after is not None:
        answer = server.post(f"{index}/search", json=query, params={"limit": limit, "after": after, "count": "true"})
        assert answer.status_code == 200, answer.text
        page = answer.json()
        assert page["changed"] is False
        for name, matches in found.items():
            assert len(page[name]) <= limit
            matches.extend(page[name])
        assert page["next"] != after
        after = page["next"]
    return found, page["count"], page["chunk_count"]


@pytest.mark.parametrize("limit", [1, 7, 99, 100, 101])
@pytest.mark.parametrize("more", [{}, {"simprints": {"CONTENT_TEXT_V0": ["AAAAAAAAAAA"]}}])
def test_pages_are_the_whole_search(server, filled, limit, more):
    query = QUERY | more
    whole = server.post(f"{filled}/search?limit=1000", json=query).json()
    assert set(whole) == {"query", "global_matches", "chunk_matches"}
    assert len(whole["global_matches"]) == 100
    found, count, chunk_count = pages(server, filled, query, limit)
    assert found == {name: whole[name] for name in found}
    assert (count, chunk_count) == (100, len(whole["chunk_matches"]))


def test_more_like_this_has_pages(server, filled):
    query = {"iscc_id": similar(5)["iscc_id"]}
    found, count, _ = pages(server, filled, query, 9)
    assert found["global_matches"] == server.post(f"{filled}/search?limit=1000", json=query).json()["global_matches"]
    assert count == 99


def test_a_change_is_told(server, filled):
    first = server.post(f"{filled}/search?limit=5&after=", json=QUERY).json()
    server.post(filled + "/assets", json=[make_asset(70000)])
    second = server.post(f"{filled}/search", params={"limit": 5, "after": first["next"]}, json=QUERY).json()
    assert (first["changed"], second["changed"]) == (False, True)
    third = server.post(f"{filled}/search", params={"limit": 5, "after": second["next"]}, json=QUERY).json()
    assert third["changed"] is False


def test_count_alone(server, filled):
    answer = server.post(f"{filled}/search?limit=3&count=true", json=QUERY).json()
    assert answer["count"] == 100 and len(answer["global_matches"]) == 3 and "next" not in answer


def test_get_search_has_pages(server, filled):
    asset = make_asset(80000)
    server.post(filled + "/assets", json=[asset, asset | {"iscc_id": iscc_id(80001)}])
    code = server.post(filled + "/search", json={"units": asset["units"]}).json()["query"]["iscc_code"]
    page = server.get(filled + "/search", params={"iscc_code": code, "limit": 1, "after": ""}).json()
    assert [match["iscc_id"] for match in page["global_matches"]] == [asset["iscc_id"]]
    page = server.get(filled + "/search", params={"iscc_code": code, "limit": 1, "after": page["next"]}).json()
    assert [match["iscc_id"] for match in page["global_matches"]] == [iscc_id(80001)]


def test_a_wrong_place_is_named(server, filled):
    for wrong in ("x", "AAAA", "A" * 55, "!", "AQ" + "_" * 53):
        assert problems(server.post(f"{filled}/search", params={"after": wrong}, json=QUERY)) == [
            ("value_error", ["query", "after"])]
    assert problems(server.post(f"{filled}/search?count=maybe", json=QUERY)) == [("bool_parsing", ["query", "count"])]
    assert detail(server.post(f"/indexes/none/search?after=", json=QUERY), 404)
