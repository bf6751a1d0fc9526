"""Comparing, the overview, and the description of the API that one can try."""
import base64
import json
import subprocess
import time
from datetime import datetime, timezone

import pytest
from selenium.webdriver.common.keys import Keys

from pages import KEY, TOP
from serving import Server


def test_two_assets_are_compared_bit_by_bit(page, site, sample):
    for first in (query["expect_nearest"] for query in sample["queries"]):
        found = site.post("/indexes/demo/search?limit=2", json={"iscc_id": first}).json()["global_matches"]
        if found and len(found[0]["types"]) > 2:
            break
    page.open(f"{site.base}/#compare&a={first}&b={found[0]['iscc_id']}&index=demo")
    page.find(".unit")
    for type_, score in found[0]["types"].items():
        card = page.find(f".unit[data-type={type_}]")
        assert card.find_element("css selector", ".total").text == f"{score:.4f}"
        said = card.find_element("css selector", ".hint").text
        differs, bits = int(said.split()[0]), int(said.split()[2])
        assert 1 - differs / bits == score
        grids = card.find_elements("css selector", "svg")
        assert [len(grid.find_elements("css selector", ".differs")) for grid in grids] == [differs, differs]
        assert [len(grid.find_elements("css selector", "rect")) for grid in grids] == [bits, bits]


def test_two_codes_are_compared_without_an_index(page, site, sample):
    a, b = sample["assets"][0]["iscc_code"], sample["assets"][1]["iscc_code"]
    page.open(f"{site.base}/#compare")
    page.find("#left").send_keys(a)
    page.find("#right").send_keys(b.lower())
    page.find("#compare button[type=submit]").click()
    page.wait(lambda: len(page.all(".unit")) >= 3)
    page.driver.refresh()
    page.wait(lambda: len(page.all(".unit")) >= 3, "the address reproduces it")


def test_a_missing_side_is_named(page, site, sample):
    page.open(f"{site.base}/#compare")
    page.find("#left").send_keys(sample["assets"][0]["iscc_code"])
    page.find("#compare button[type=submit]").click()
    page.sees("#compare-message", "The second work is missing")
    page.find("#right").send_keys("nonsense!")
    page.sees("#right-is", "is not an ISCC")


def test_passages_of_files_are_laid_over_each_other(page, site, tmp_path):
    text = "".join(f"line {i} of a text that is long enough\n" for i in range(200)).encode()
    work = {"iscc": json.loads(next((TOP / "examples/files").glob("*.iscc.json")).read_text(encoding="utf-8"))["iscc"]}
    simprint = "nnyTa25xKutDgtKhYSVO6d-TYNy1fkiV43SMR6juJhA"
    for side, offset in (("left", 100), ("right", 900)):
        (tmp_path / f"{side}.iscc.json").write_text(json.dumps({**work, "features": [
            {"maintype": "content", "subtype": "text", "version": 0, "simprints": [simprint], "offsets": [offset], "sizes": [40]}]}))
        (tmp_path / f"{side}.txt").write_bytes(text)
    page.open(f"{site.base}/#compare")
    for side in ("left", "right"):
        page.driver.find_element("css selector", f"#{side}-file").send_keys(f"{tmp_path}/{side}.iscc.json\n{tmp_path}/{side}.txt")
        page.sees(f"#{side}-is", f"{side}.txt")
    page.find("#compare button[type=submit]").click()
    page.sees("#shared", "1 shared passage")
    page.find("#shared details summary").click()
    shown = [mark.text for mark in page.all("#shared mark")]
    assert shown == [" ".join(text[at:at + 40].decode().split()) for at in (100, 900)]


def test_passages_of_two_assets_have_their_places_in_both(page, tmp_path, sample):
    server = Server(tmp_path, f"usearch://{tmp_path}/data").start()
    server.post("/indexes", json={"name": "demo"})
    simprint = "nnyTa25xKutDgtKhYSVO6d-TYNy1fkiV43SMR6juJhA"
    assets = [{**asset, "simprints": {"CONTENT_TEXT_V0": [{"simprint": simprint, "offset": offset, "size": 70, "content": ""}]}}
              for asset, offset in zip(sample["assets"], (100, 4000))]
    for asset in assets:
        asset["simprints"]["CONTENT_TEXT_V0"][0].pop("content")
    assert server.post("/indexes/demo/assets", json=assets).status_code == 201
    page.open(f"{server.base}/#compare&a={assets[0]['iscc_id']}&b={assets[1]['iscc_id']}")
    page.sees("#shared", "100 to 170 in the first, 4000 to 4070 in the second")
    server.stop()


def test_indexes_are_created_and_deleted_with_a_confirmation(page, locked):
    page.open(f"{locked.base}/#overview")
    page.run("sessionStorage.setItem('iscc-search-key', arguments[0])", KEY)
    page.open(f"{locked.base}/#overview")
    page.find("[data-index=demo]")
    page.find("#create-name").send_keys("Not a name", Keys.ENTER)
    page.sees("#overview-message", "1 to 32 of a to z")
    page.find("#create-name").clear()
    page.find("#create-name").send_keys("books", Keys.ENTER)
    card = page.find("[data-index=books]")
    card.find_element("css selector", "button").click()
    assert not page.find("#confirm-yes").is_enabled()
    page.find("#confirm-name").send_keys("demo")
    assert not page.find("#confirm-yes").is_enabled()
    page.find("#confirm-name").send_keys(Keys.ESCAPE)
    assert page.all("[data-index=books]")
    page.find("[data-index=books] button").click()
    page.find("#confirm-name").send_keys("books")
    page.find("#confirm-yes").click()
    page.sees("#overview-message", "Index books is deleted")
    page.wait(lambda: not page.all("[data-index=books]"))
    names = [index["name"] for index in locked.get("/indexes", headers={"X-API-Key": KEY}).json()]
    assert names == ["demo"]


def test_realm_and_times_of_an_index(page, site, sample):
    """The times are those in the ISCC-IDs: microseconds in front of 12 bits of the hub."""
    def moment(iscc_id):
        body = base64.b32decode(iscc_id.removeprefix("ISCC:"))[2:]
        return datetime.fromtimestamp((int.from_bytes(body, "big") >> 12) // 10 ** 6, timezone.utc).strftime("%Y-%m-%d %H:%M:%S UTC")
    times = sorted(moment(asset["iscc_id"]) for asset in sample["assets"])
    page.open(f"{site.base}/#overview")
    page.find("[data-index=demo] details summary").click()
    page.sees("[data-index=demo] details", f"First\n{times[0]}")
    page.sees("[data-index=demo] details", f"Last\n{times[-1]}")
    page.sees("[data-index=demo] details", "Realm\n0")


def test_the_key_is_asked_for_where_one_is(page, locked):
    """A deep link to a part of a protected server shows the field, too."""
    page.open(f"{locked.base}/#overview")
    page.find("#key").send_keys(KEY)
    page.find("#key-box button").click()
    page.find("[data-index=demo]")


def test_the_panel_counts_requests_of_every_route(page, site, sample):
    page.open(f"{site.base}/#overview")
    page.wait(lambda: len(page.all("#live .chart")) >= 5, "charts")

    def busy():
        for _ in range(40):
            site.post("/indexes/demo/search?limit=1", json={"iscc_code": sample["assets"][0]["iscc_code"]})
        return float(page.text("#live .total").replace(",", "")) > 5
    page.wait(busy, "more requests than the page itself sends")


def test_a_wrong_key_may_not_create(page, locked):
    page.open(f"{locked.base}/#overview")
    page.run("sessionStorage.setItem('iscc-search-key', 'wrong')")
    page.find("#create-name").send_keys("books", Keys.ENTER)
    page.sees("#overview-message", "does not accept this API key")


def test_the_overview_draws_what_happens_and_rests_when_it_is_left(page, site):
    page.open(f"{site.base}/#overview")
    page.wait(lambda: len(page.all("#live .chart")) >= 5, "charts")
    page.wait(lambda: "L" in (page.all("#live .chart path")[0].get_attribute("d") or ""))
    page.find("nav a[data-view=search]").click()
    page.find("#code")
    page.requests()
    time.sleep(5)
    assert not [url for url in page.requests() if "/metrics" in url]


# --- the API -----------------------------------------------------------------------------------------

def operations():
    api = json.loads((TOP / "web/openapi/openapi.json").read_text(encoding="utf-8"))
    return [operation["operationId"] for item in api["paths"].values() for method, operation in item.items() if method != "parameters"]


@pytest.fixture(name="docs")
def docs_page(page, site):
    page.open(f"{site.base}/docs")
    page.find(".operation")
    return page


def test_every_operation_and_schema_is_listed(docs):
    assert {card.get_attribute("id") for card in docs.all(".operation")} == set(operations())
    api = json.loads((TOP / "web/openapi/openapi.json").read_text(encoding="utf-8"))
    assert len(docs.all(".schema")) == len(api["components"]["schemas"])
    for link in docs.all("#docs a[href^='#']"):
        assert docs.all(link.get_attribute("href")[link.get_attribute("href").index("#"):]), link.text


def test_a_search_is_tried_and_its_curl_and_python_do_the_same(docs, site, sample):
    api = json.loads((TOP / "web/openapi/openapi.json").read_text(encoding="utf-8"))
    section = docs.find("#" + api["paths"]["/indexes/{name}/search"]["post"]["operationId"])
    section.find_element("css selector", ".try summary").click()
    fields = {one.get_attribute("id").split("-")[-1]: one for one in section.find_elements("css selector", "input, textarea")}
    fields["name"].clear()
    fields["name"].send_keys("demo")
    query = {"iscc_code": sample["assets"][0]["iscc_code"]}
    docs.run("arguments[0].value = arguments[1]; arguments[0].dispatchEvent(new Event('input', { bubbles: true }))", fields["body"], json.dumps(query))
    section.find_element("css selector", "button[type=submit]").click()
    docs.wait(lambda: "200" in section.find_element("css selector", ".answer").text)
    answer = json.loads(section.find_element("css selector", ".answer pre").text)
    assert answer["global_matches"][0]["iscc_id"] == sample["assets"][0]["iscc_id"]
    curl = section.find_element("css selector", ".curl").text
    assert json.loads(subprocess.run(["sh", "-c", curl], capture_output=True, check=True, text=True).stdout) == answer
    python = section.find_element("css selector", ".python").text
    said = subprocess.run(["/usr/bin/python3", "-c", python], capture_output=True, check=True, text=True).stdout
    assert said.startswith("200 ") and json.loads(said[4:]) == answer


def test_a_missing_parameter_is_marked(docs):
    docs.find("#getIndex .try summary").click()
    field = docs.find("#getIndex-name")
    field.clear()
    docs.find("#getIndex .try button[type=submit]").click()
    docs.sees("#getIndex .answer", "name is required")
    assert field.get_attribute("aria-invalid") == "true"


def test_the_api_page_is_searched(docs):
    docs.find("#filter").send_keys("readyz")
    docs.sees("#found", "found")
    shown = [card.get_attribute("id") for card in docs.all("#docs .card") if card.is_displayed()]
    assert "getReadiness" in shown and "deleteAsset" not in shown
