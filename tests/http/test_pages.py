"""What people see: pages, scripts and the description of the API."""

import json
import re
import subprocess
import sys

import pytest

from serving import TOP

SCHEMAS = ["CommonProperties", "HttpError", "IsccAddResult", "IsccChunk", "IsccChunkMatch",
           "IsccEntry", "IsccGlobalMatch", "IsccIndex", "IsccMatchedChunk", "IsccMetadata",
           "IsccQuery", "IsccSearchResult", "IsccSimprint", "openapi"]


GUIDES = sorted(path.stem for path in (TOP / "docs").glob("*.md"))


@pytest.mark.parametrize("path", ["/", "/docs", *(f"/docs/{name}" for name in GUIDES)])
def test_pages_need_nothing_from_elsewhere(server, path):
    answer = server.get(path, headers={"Accept": "text/html"})
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert "default-src 'none'" in answer.headers["content-security-policy"]
    links = re.findall(r'(?:src|href)="([^"]+)"', answer.text)
    assert links
    for link in links:
        if "://" in link:
            assert f'<a href="{link}"' in answer.text, link  # people may follow it; the page itself does not need it
        elif not link.startswith("#"):
            assert server.get(link).status_code == 200, link


@pytest.mark.parametrize("name", GUIDES)
def test_links_to_a_part_of_a_document_lead_there(server, name):
    text = server.get(f"/docs/{name}").text
    for page, part in re.findall(r'href="/docs/([a-z]+)#([^"]+)"', text):
        assert f'id="{part}"' in server.get(f"/docs/{page}").text, part
    assert "](" not in text and "@TITLE@" not in text and "@BODY@" not in text


def test_root_is_a_page_for_browsers_only(server):
    assert server.get("/", headers={"Accept": "text/html;q=0.1"}).text.startswith("<!DOCTYPE html>")
    assert server.get("/", headers={"Accept": "TEXT/HTML"}).json()["title"] == "ISCC-Search API"


@pytest.mark.parametrize("name", SCHEMAS)
def test_schema_files(server, name):
    answer = server.get(f"/openapi/{name}.yaml")
    assert answer.headers["content-type"] == "application/octet-stream"
    assert answer.content == (TOP / "web" / "openapi" / f"{name}.yaml").read_bytes()


def test_openapi_is_complete(server):
    api = server.get("/openapi/openapi.json").json()
    assert api["info"]["version"] == server.get("/status").json()["version"]
    for reference in re.findall(r'"\$ref": "([^"]+)"', json.dumps(api)):
        node = api
        for name in reference.removeprefix("#/").split("/"):
            node = node[name]
    for path in api["paths"]:
        concrete = path.replace("{", "").replace("}", "")
        answer = server.call("PUT", concrete)
        assert answer.status_code == 405
        # "get" is a segment of one path and may stand for an ISCC-ID in another one: Allow has the methods of both.
        documented = {method.upper() for other, item in api["paths"].items() for method in item if method != "parameters"
                      and re.fullmatch(re.sub(r"\\{\w+\\}", "[^/]+", re.escape(other)), concrete)}
        assert set(answer.headers["allow"].split(", ")) - {"HEAD"} == documented


def test_openapi_json_is_up_to_date():
    pytest.importorskip("yaml")
    script = TOP / "web" / "openapi" / "bundle.py"
    subprocess.run([sys.executable, str(script), "--check"], check=True)


def test_unknown_files(server):
    for path in ("/static/none.js", "/openapi/none.json", "/static/js/", "/static/js/app.js/x"):
        assert server.get(path).status_code == 404
