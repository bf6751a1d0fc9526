"""The search page: what people paste, what it says, what they see."""
import json
import re
import subprocess

import pytest
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.keys import Keys

from pages import KEY, TOP
from serving import Server

BIDI = "\u202eevil\u202c"


def units_of(query):
    return query["query"].get("units") or [query["query"]["iscc_code"]]


def search(page, text):
    """Type into the field as a user does; Enter searches."""
    field = page.find("#code")
    page.run("arguments[0].value = ''; arguments[0].dispatchEvent(new Event('input'))", field)
    page.run("arguments[0].value = arguments[1]; arguments[0].dispatchEvent(new Event('input'))", field, text)
    field.send_keys(Keys.ENTER)


@pytest.fixture(name="start")
def start_page(page, site):
    page.open(site.base)
    page.wait(lambda: page.all("#index option"), "the list of indexes")
    return page


def test_an_edited_copy_finds_its_source(start, sample):
    query = next(one for one in sample["queries"] if one["query"].get("units"))
    search(start, "\n".join(units_of(query)))
    first = start.find(".match")
    assert first.get_attribute("data-id") == query["expect_nearest"]
    assert "match" in start.text("#message")
    bars = first.find_elements("css selector", "dt")
    assert bars and "Content" in first.text


def test_scores_are_those_of_the_api(start, site, sample):
    query = next(one for one in sample["queries"] if one["query"].get("units"))
    expected = site.post("/indexes/demo/search?limit=20", json={"units": query["query"]["units"]}).json()["global_matches"]
    search(start, " ".join(units_of(query)))
    start.find(".match")
    shown = [(card.get_attribute("data-id"), card.find_element("css selector", ".total").text) for card in start.all(".match")]
    assert shown == [(match["iscc_id"], f"{match['score']:.4f}") for match in expected]


def test_a_card_says_why(start, site, sample):
    query = next(one for one in sample["queries"] if one["query"].get("units"))
    expected = site.post("/indexes/demo/search?limit=1", json={"units": query["query"]["units"], "explain": True}).json()
    explanation = expected["global_matches"][0]["explanation"]
    search(start, " ".join(units_of(query)))
    why = start.find(".match .why")
    why.find_element("css selector", "summary").click()
    rows = why.find_elements("css selector", "tbody tr")
    assert [row.get_attribute("data-type") for row in rows] == list(explanation)
    for row, one in zip(rows, explanation.values()):
        if "absent" in one:
            assert row.text.endswith("This asset has none")
        else:
            assert f"{one['distance']} of {one['compared_bits']} {one['score']:.4f}" in row.text
            assert row.text.endswith("counts" if one["counted"] else f"{one['missed_by']:.4f} too low")


@pytest.mark.parametrize("form", ["ISCC:{}", "iscc:{}", "{}", "https://example.org/ISCC:{}", "https://example.org/{}", "  \"ISCC:{}\",  "])
def test_forms_of_an_iscc_that_people_paste(start, sample, form):
    asset = sample["assets"][0]
    body = asset["iscc_code"].removeprefix("ISCC:")
    for text in (form.format(body), form.format(body.lower())):
        search(start, text)
        start.sees("#recognised", "ISCC-CODE")
        start.wait(lambda: any(card.get_attribute("data-id") == asset["iscc_id"] for card in start.all(".match")))


@pytest.mark.parametrize("text, said", [
    ("hello", "it has 5 characters, the shortest ISCC has 10"),
    ("photo.jpg", "it has 9 characters"),
    ("holiday-photo-2024.jpg", "an ISCC has only A to Z and 2 to 7"),
    ("ISCC:KACSUWPOD5TDD5MCD2C6GZVXKJVT5KEVY7L42YISB7NPILUBZK334U", "characters are missing or too many"),
    ("ISCC:MAIGGXZHLG2AP2Q3AA", "an ISCC-ID has 16 characters"),
    ('{"name": "no code"}', "This JSON describes no work"),
])
def test_what_is_no_iscc_is_refused_before_it_is_sent(start, text, said):
    start.requests()
    search(start, text)
    start.sees("#recognised", said)
    assert start.find("#code").get_attribute("aria-invalid") == "true"
    assert not [url for url in start.requests() if "/search" in url]


def test_an_empty_field_says_what_to_do(start):
    search(start, "")
    start.sees("#message", "Paste an ISCC first")


def test_an_iscc_id_shows_the_asset_and_more_like_it(start, sample):
    asset = sample["assets"][0]
    search(start, asset["iscc_id"].lower())
    card = start.find(".asset")
    assert asset["iscc_code"] in card.text and "2025-" in card.text and "UTC" in card.text
    start.sees("#asset", "More like this")
    start.sees("#message", "match")
    assert all(one.get_attribute("data-id") != asset["iscc_id"] for one in start.all(".match"))


def test_an_unknown_iscc_id_is_named(start):
    search(start, "ISCC:MAIGGXZHLG2AAAAA")
    start.sees("#message", "not found")


def test_a_list_is_a_search_for_each(start, sample):
    codes = [asset["iscc_code"] for asset in sample["assets"][:3]]
    search(start, "\n".join(codes))
    start.wait(lambda: len(start.all(".query")) == 3)
    start.sees("#message", "3 searches")
    for asset, section in zip(sample["assets"][:3], start.all(".query")):
        assert asset["iscc_id"] in [card.get_attribute("data-id") for card in section.find_elements("css selector", ".match")]


def test_a_link_reproduces_a_search_and_back_and_forward_work(start, site, sample):
    one, two = sample["assets"][0]["iscc_code"], sample["assets"][5]["iscc_code"]
    search(start, one)
    start.find(".match")
    link = start.driver.current_url
    shown = [card.get_attribute("data-id") for card in start.all(".match")]
    search(start, two)
    start.wait(lambda: start.driver.current_url != link and start.find("#code").get_attribute("value") == two)
    start.driver.back()
    start.wait(lambda: start.find("#code").get_attribute("value") == one)
    start.driver.forward()
    start.wait(lambda: start.find("#code").get_attribute("value") == two)
    start.open(link)
    start.find(".match")
    assert [card.get_attribute("data-id") for card in start.all(".match")] == shown


def test_options_are_sent_and_kept_in_the_link(start, site, sample):
    asset = sample["assets"][0]
    start.find("#options summary").click()
    start.run("document.getElementById('limit').value = 1; document.getElementById('min-score').value = 0.9")
    search(start, asset["iscc_code"])
    start.find(".match")
    assert len(start.all(".match")) == 1
    link = start.driver.current_url
    assert "limit=1" in link and "min=0.9" in link
    start.open(link)
    start.find(".match")
    assert start.run("return document.getElementById('limit').value") == "1"


def test_a_search_may_be_ranked_by_kind_or_by_chance(start, site, sample):
    asset = sample["assets"][0]
    for rank in ("tiered", "significance"):
        start.open(f"{site.base}/#q={asset['iscc_code']}&rank={rank}&certain=1")
        start.find(".match")
        assert start.run("return document.getElementById('rank').value") == rank
        assert start.run("return document.getElementById('certain').checked") is True
        expected = site.post("/indexes/demo/search?limit=20", json={
            "iscc_code": asset["iscc_code"], "rank": rank, "max_expect": 0.01}).json()["global_matches"]
        assert [card.get_attribute("data-id") for card in start.all(".match")] == [match["iscc_id"] for match in expected]
        assert start.find(".match .kind").text == "Kind of match: the same file"
    start.find("#options summary").click()
    start.run("document.getElementById('rank').value = ''; document.getElementById('certain').checked = false")
    search(start, asset["iscc_code"])
    start.find(".match")
    assert "rank" not in start.driver.current_url and "certain" not in start.driver.current_url


def test_pages_of_matches_neither_repeat_nor_lose_one(start, site, sample):
    query = {"units": sample["assets"][0]["units"], "min_score": 0.4}
    everything = site.post("/indexes/demo/search?limit=1000", json=query).json()["global_matches"]
    assert len(everything) > 100
    start.open(f"{site.base}/#q={'+'.join(query['units'])}&min=0.4&limit=50")
    start.find(".match")
    for size in (50, 100, 150):
        start.wait(lambda size=size: len(start.all(".match")) == min(size, len(everything)))
        if size < 150:
            start.find("button.more").click()
    shown = [card.get_attribute("data-id") for card in start.all(".match")]
    assert shown == [match["iscc_id"] for match in everything[:len(shown)]]


def test_the_json_and_curl_of_a_search(start, sample):
    search(start, sample["assets"][0]["iscc_code"])
    start.find(".raw summary").click()
    curl = start.find(".raw pre").text
    answer = json.loads(subprocess.run(["sh", "-c", curl], capture_output=True, check=True, text=True).stdout)
    assert [match["iscc_id"] for match in answer["global_matches"]] == [card.get_attribute("data-id") for card in start.all(".match")]
    assert json.loads(start.all(".raw pre")[1].text) == answer


def test_a_file_is_dropped_or_chosen(start, site):
    name = next((TOP / "examples" / "files").glob("*.iscc.json"))
    work = json.loads(name.read_text(encoding="utf-8"))
    start.driver.find_element("css selector", "#file").send_keys(str(name))
    start.sees("#recognised", "A file:")
    start.sees("#message", "ms.")
    drop = """
        const data = new DataTransfer();
        data.items.add(new File([arguments[0]], "dropped.iscc.json"));
        document.getElementById("drop").dispatchEvent(new DragEvent("drop", { dataTransfer: data, bubbles: true, cancelable: true }));"""
    start.run(drop, json.dumps({"iscc": work["iscc"]}))
    start.wait(lambda: work["iscc"] in start.find("#code").get_attribute("value"))
    start.run(drop, "not JSON")
    start.sees("#message", "dropped.iscc.json: expected an .iscc.json file, but it is not JSON")


def test_no_match_says_the_threshold(start):
    search(start, "ISCC:EAAQAAAAAAAAAAAA")
    start.sees("#results", "the threshold")


def test_the_keyboard_alone_does_it_all(start, sample):
    """From the top of the page: the skip link, the field, Enter, and on to the first match's actions."""
    def press(*keys):
        ActionChains(start.driver).send_keys(*keys).perform()

    press(Keys.TAB)
    assert start.run("return document.activeElement.className") == "skip"
    for _ in range(12):
        press(Keys.TAB)
        if start.run("return document.activeElement.id") == "code":
            break
    else:
        raise AssertionError("the field is not reached by Tab")
    press(sample["assets"][0]["iscc_code"], Keys.ENTER)
    start.find(".match")
    for _ in range(12):
        press(Keys.TAB)
        if start.run("return document.activeElement.textContent") == "More like this":
            break
    else:
        raise AssertionError("\"More like this\" is not reached by Tab")
    assert start.run("return getComputedStyle(document.activeElement).outlineStyle") == "solid"
    press(Keys.ENTER)
    start.find(".asset")


def test_hostile_metadata_stays_text(page, tmp_path, sample):
    server = Server(tmp_path, "memory://").start()
    server.post("/indexes", json={"name": "demo"})
    names = ["<img src=x onerror=alert(1)>", "<script>alert(1)</script>", BIDI, "x" * 5000, "nul \0 inside", "עברית", "a\nb"]
    assets = [{**asset, "metadata": {"name": name, "source": "javascript:alert(1)", "url": "data:text/html,x", "gateway": "https://www.dnb.de@evil.example/"}}
              for name, asset in zip(names, sample["assets"])]
    assets = [{"iscc_id": a["iscc_id"], "iscc_code": sample["assets"][0]["iscc_code"], "metadata": a["metadata"]} for a in assets]
    assert server.post("/indexes/demo/assets", json=assets).status_code == 201
    for width in (320, 390, 1280):
        page.resize(width, 900)
        page.open(server.base + "/#q=" + assets[0]["iscc_code"])
        page.wait(lambda: len(page.all(".match")) == len(assets))
        assert page.fits(), width
        for summary in page.all(".match details summary"):
            summary.click()
        assert not page.all(".match a[href*=evil]")
        assert not page.all(".match img, .match script, .match a[href^=javascript], .match a[href^=data]")
        assert page.fits(), width
    shown = {card.find_element("css selector", "h3").get_attribute("textContent") for card in page.all(".match")}
    assert "<script>alert(1)</script>" in shown and BIDI in shown
    server.stop()


def test_the_key_is_asked_for_marked_and_kept(page, locked):
    page.open(locked.base)
    page.find("#key-box")
    page.sees("#message", "asks for an API key")
    page.find("#key").send_keys("wrong", Keys.ENTER)
    page.sees("#key-note", "does not accept this API key")
    assert page.find("#key").get_attribute("aria-invalid") == "true"
    page.find("#key").clear()
    page.find("#key").send_keys(KEY, Keys.ENTER)
    page.wait(lambda: page.all("#index option"))
    assert not page.find("#search").get_attribute("hidden")
    page.driver.refresh()
    page.wait(lambda: page.all("#index option"), "the key is kept for the tab")


def test_a_server_that_is_away_and_back(page, tmp_path):
    server = Server(tmp_path, f"usearch://{tmp_path}/data").start()
    server.post("/indexes", json={"name": "demo"})
    page.open(server.base)
    page.wait(lambda: page.all("#index option"))
    port = server.port
    server.stop()
    search(page, "ISCC:EADR5BHTN235E2Z63OLWF3FNTCVML5RBQIA6L4JH6FP4QCSTHAQ7UJA")
    page.sees("#server", "The server does not answer")
    page.sees("#message", "The server does not answer")
    server.start(port=port)
    page.sees("#server", "The server is back")
    page.sees("#results", "the threshold")
    server.stop()


@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("width", [320, 390, 768, 1280, 1920])
def test_every_width_fits(page, site, sample, width, dark):
    page.resize(width, 900, dark)
    for hash_ in ("", f"#q={sample['assets'][0]['iscc_id']}", f"#compare&a={sample['assets'][0]['iscc_id']}&b={sample['assets'][1]['iscc_id']}", "#overview"):
        page.open(f"{site.base}/{hash_}")
        page.wait(lambda: page.run("return document.querySelectorAll('.view:not([hidden])').length") == 1)
        assert page.fits(), hash_
    page.open(f"{site.base}/docs")
    page.find(".operation")
    assert page.fits()
    for name in ("tutorial", "primer", "deployment"):
        page.open(f"{site.base}/docs/{name}")
        assert page.fits(), name


def test_the_page_is_small(site):
    """First paint needs less than 100 KB, all files together, as they are sent."""
    page = site.get("/", headers={"Accept": "text/html", "Accept-Encoding": "gzip"})
    total = len(page.content)
    names = set(re.findall(r'(?:src|href)="(/static/[^"]+)"', page.text))
    names |= {f"/static/js/{path.name}" for path in (TOP / "web/static/js").glob("*.js")}
    for name in names:
        total += len(site.get(name).content)
    assert total < 100_000, total
