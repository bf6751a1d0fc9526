"""Assets of an index page by page, lists of ISCC-IDs, and metadata alone."""

import json

import pytest

from serving import iscc_id, make_asset
from test_routes import detail, problems

HOUR_US = 3600 * 10**6
START_US = 1735689600 * 10**6  # 2025-01-01


def numbered(hours, hub=0):
    """An asset of so many hours after the start, of a hub."""
    return make_asset((START_US + hours * HOUR_US) << 12 | hub, metadata={"hours": hours, "hub": hub})


@pytest.fixture
def filled(server, index):
    """48 assets, one an hour, of the hubs 0, 1 and 2 in turn; sent in no order."""
    assets = [numbered(hours, hours % 3) for hours in range(48)]
    shuffled = assets[1::2] + assets[::2][::-1]
    assert server.post(index + "/assets", json=shuffled).status_code == 201
    return assets


def pages(server, index, **params):
    """All assets of a listing, page by page."""
    found, after = [], None
    while True:
        answer = server.get(index + "/assets", params={**params, **({"after": after} if after else {})})
        assert answer.status_code == 200, answer.text
        page = answer.json()
        assert set(page) == {"assets", "next"}
        found += page["assets"]
        if page["next"] is None:
            return found
        assert page["next"] == page["assets"][-1]["iscc_id"] and page["next"] != after
        after = page["next"]


@pytest.mark.parametrize("limit", [1, 5, 47, 48, 49, 1000, 10**12])
def test_pages_hold_every_asset_once_and_in_order(server, index, filled, limit):
    assert pages(server, index, limit=limit) == filled


def test_an_empty_index_has_an_empty_page(server, index):
    assert server.get(index + "/assets").json() == {"assets": [], "next": None}


@pytest.mark.parametrize("time_from, time_to, hours", [
    ("2025-01-01T05:00:00Z", None, range(5, 48)), (None, "2025-01-01T05:00:00Z", range(0, 5)),
    ("2025-01-02", None, range(24, 48)), ("2025-01-01", "2025-01-02", range(0, 24)),
    ("2025-01-01T07:00:00+02:00", "2025-01-01T07:00:00.000001+02:00", range(5, 6)),
    (str(START_US + HOUR_US), str(START_US + 3 * HOUR_US), range(1, 3)),
    ("2025-01-02", "2025-01-01", range(0)), (None, "0", range(0)), ("2026-01-01", None, range(0))])
def test_times_are_ranges(server, index, filled, time_from, time_to, hours):
    params = {name: value for name, value in [("from", time_from), ("to", time_to)] if value}
    assert pages(server, index, limit=4, **params) == [filled[hour] for hour in hours]


def test_hubs_are_a_filter(server, index, filled):
    for hub in range(4):
        assert pages(server, index, limit=4, hub=hub) == filled[hub:48 if hub < 3 else 0:3]
    assert pages(server, index, hub=1, **{"from": "2025-01-02"}) == filled[25::3]


def test_simprints_come_on_demand(server, index):
    asset = make_asset(9, simprints={"CONTENT_TEXT_V0": [{"simprint": "AAAAAAAAAAA", "offset": 3, "size": 4}]})
    server.post(index + "/assets", json=[asset])
    assert "simprints" not in pages(server, index)[0]
    assert pages(server, index, simprints="true") == [asset]


def test_wrong_parameters_of_a_listing_are_named(server, index):
    answer = server.get(index + "/assets?limit=0&after=x&from=noon&to=1.5&hub=4096&simprints=maybe")
    assert [place for _, place in problems(answer)] == [
        ["query", name] for name in ("limit", "after", "from", "to", "hub", "simprints")]
    assert "realm" in detail(server.post(index + "/assets", json=[make_asset(1)]) and
                             server.get(f"{index}/assets?after={iscc_id(1, realm=1)}"), 400)
    assert detail(server.get("/indexes/none/assets"), 404)


def test_a_list_is_got_in_its_order(server, index, filled):
    ids = [filled[7]["iscc_id"], iscc_id(5), filled[3]["iscc_id"], filled[7]["iscc_id"]]
    answer = server.post(index + "/assets/get", json=ids)
    assert answer.status_code == 200
    assert answer.json() == [
        {"iscc_id": ids[0], "status": "found", "asset": filled[7]},
        {"iscc_id": ids[1], "status": "not_found"},
        {"iscc_id": ids[2], "status": "found", "asset": filled[3]},
        {"iscc_id": ids[3], "status": "found", "asset": filled[7]}]


def test_a_list_is_removed_in_one_step(server, index, filled):
    ids = [filled[7]["iscc_id"], iscc_id(5), filled[3]["iscc_id"], filled[7]["iscc_id"]]
    answer = server.post(index + "/assets/remove", json=ids)
    assert answer.status_code == 200
    assert [(item["iscc_id"], item["status"]) for item in answer.json()] == list(
        zip(ids, ["removed", "not_found", "removed", "not_found"]))
    left = [asset for hour, asset in enumerate(filled) if hour not in (3, 7)]
    assert pages(server, index) == left
    wrong = server.post(index + "/assets/remove", json=[filled[1]["iscc_id"], iscc_id(1, realm=1)])
    assert "asset 1" in detail(wrong, 400)
    assert pages(server, index) == left
    assert {item["status"] for item in server.post(index + "/assets/remove", json=ids).json()} == {"not_found"}


@pytest.mark.parametrize("action", ["get", "remove"])
def test_wrong_lists_are_refused(server, index, action):
    path = f"{index}/assets/{action}"
    for body, kind in [({}, "list_type"), ([], "too_short"), ("x", "list_type"),
                       (["ISCC:A"], "string_pattern_mismatch"), ([1], "string_type"),
                       ([iscc_id(1)] * 10001, "too_long")]:
        assert problems(server.post(path, json=body))[0][0] == kind
    assert problems(server.post(path)) == [("missing", ["body"])]
    assert detail(server.post(f"/indexes/none/assets/{action}", json=[iscc_id(1)]), 404)
    assert detail(server.post(path, json=[iscc_id(1)[:-10] + "AAAAAAAAAA", "ISCC:" + "A" * 16]), 400)


def test_metadata_change_alone(server, index):
    asset = make_asset(1, metadata={"name": "old", "n": 1})
    path = f"{index}/assets/{asset['iscc_id']}"
    server.post(index + "/assets", json=[asset])
    changed = server.patch(path, data=b'{"metadata": {"n": 1.0, "big": 123456789012345678901234567890}}',
                           headers={"Content-Type": "application/json"})
    assert (changed.status_code, changed.json()) == (200, {"iscc_id": asset["iscc_id"], "status": "updated"})
    assert server.get(path).text == json.dumps(
        {**asset, "metadata": {"n": 1.0, "big": 123456789012345678901234567890}}, separators=(",", ":"))
    match = server.post(index + "/search", json={"units": asset["units"]}).json()["global_matches"][0]
    assert match["metadata"]["n"] == 1
    assert server.patch(path, json={"metadata": None}).status_code == 200
    assert "metadata" not in server.get(path).json()


def test_only_metadata_can_be_changed(server, index):
    asset = make_asset(1)
    path = f"{index}/assets/{asset['iscc_id']}"
    server.post(index + "/assets", json=[asset])
    assert problems(server.patch(path, json={"units": asset["units"]})) == [
        ("extra_forbidden", ["body", "units"]), ("missing", ["body", "metadata"])]
    assert problems(server.patch(path, json={"metadata": [1]})) == [("dict_type", ["body", "metadata"])]
    assert problems(server.patch(path, json=[])) == [("model_attributes_type", ["body"])]
    assert problems(server.patch(path)) == [("missing", ["body"])]
    assert detail(server.patch(f"{index}/assets/{iscc_id(2)}", json={"metadata": {}}), 404)
    assert detail(server.patch(f"{index}/assets/{iscc_id(2, realm=1)}", json={"metadata": {}}), 400)
    assert server.get(path).json() == asset
