"""What people see: pages, scripts and the description of the API."""

import json
import re
import subprocess
import sys

import pytest
from jsonschema import Draft202012Validator

from serving import TOP

SCHEMAS = sorted(path.stem for path in (TOP / "web" / "openapi").glob("*.yaml") if path.stem != "api")  # the source


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
        answer = server.call("BREW", concrete)
        assert answer.status_code == 405
        # "get" is a segment of one path and may stand for an ISCC-ID in another one: Allow has the methods of both.
        documented = {method.upper() for other, item in api["paths"].items() for method in item if method != "parameters"
                      and re.fullmatch(re.sub(r"\\{\w+\\}", "[^/]+", re.escape(other)), concrete)}
        assert set(answer.headers["allow"].split(", ")) - {"HEAD"} == documented


def test_openapi_json_and_yaml_are_up_to_date():
    pytest.importorskip("yaml")
    script = TOP / "web" / "openapi" / "bundle.py"
    subprocess.run([sys.executable, str(script), "--check"], check=True)


def test_unknown_files(server):
    for path in ("/static/none.js", "/openapi/none.json", "/static/js/", "/static/js/app.js/x"):
        assert server.get(path).status_code == 404


def test_llms_txt_leads_to_the_pages(server):
    text = server.get("/llms.txt").text
    links = re.findall(r"\]\(([^)]+)\)", text)
    assert len(links) >= 9
    for link in links:
        assert server.get(link).status_code == 200, link


def api_document():
    return json.loads((TOP / "web/openapi/openapi.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize("name", sorted(api_document()["components"]["schemas"]))
def test_every_schema_has_examples_that_it_takes(name):
    api = api_document()
    schema = api["components"]["schemas"][name]
    assert schema.get("examples"), name
    for example in schema["examples"]:
        Draft202012Validator({**schema, "components": api["components"]}).validate(example)


def test_references_are_to_whole_schemas_only():
    """Generators of clients leave out what refers to the inside of a schema."""
    for reference in re.findall(r'"\$ref": "([^"]+)"', json.dumps(api_document())):
        assert re.fullmatch(r"#/components/(schemas|responses)/\w+", reference), reference


def test_openapi_yaml_is_the_same_and_refers_to_no_other_file(server):
    yaml = pytest.importorskip("yaml")
    assert yaml.safe_load(server.get("/openapi/openapi.yaml").text) == api_document()


def resolved(api, value):
    while "$ref" in value:
        node = api
        for step in value["$ref"].removeprefix("#/").split("/"):
            node = node[step]
        value = node
    return value


def example_of(api, content):
    """The example of a body: its own, or that of its schema, or a list of one where the schema is a list."""
    if "example" in content:
        return content["example"]
    schema = resolved(api, content["schema"])
    if "examples" in schema:
        return schema["examples"][0]
    for one in schema.get("oneOf", schema.get("anyOf", [schema])):
        one = resolved(api, one)
        if one.get("type") == "array":
            return [resolved(api, one["items"])["examples"][0]]
        if "examples" in one:
            return one["examples"][0]
    raise AssertionError("no example")


def test_every_operation_has_an_example_that_works(server):
    """In an order in which the index and the asset of the examples exist."""
    api = api_document()
    operations = [(operation, method, path, [*item.get("parameters", []), *operation.get("parameters", [])])
                  for path, item in api["paths"].items() for method, operation in item.items() if method != "parameters"]
    first = {"createIndex": 0, "addAssets": 1, "deleteAsset": 3, "removeAssets": 4, "deleteIndex": 5}
    for operation, method, path, parameters in sorted(operations, key=lambda one: first.get(one[0]["operationId"], 2)):
        query = {}
        for parameter in (resolved(api, one) for one in parameters):
            schema = resolved(api, parameter["schema"])
            example = parameter.get("example", schema.get("examples", [None])[0])
            if parameter.get("required"):
                assert example is not None, (operation["operationId"], parameter["name"])
                if parameter["in"] == "path":
                    path = path.replace(f"{{{parameter['name']}}}", example)
                else:
                    query[parameter["name"]] = example
        if operation["operationId"] == "removeAssets":  # deleteAsset has removed it
            server.post("/indexes/books/assets", json=[api["components"]["schemas"]["IsccEntry"]["examples"][0]])
        headers, body = {}, None
        for kind, content in operation.get("requestBody", {}).get("content", {}).items():
            example = example_of(api, content)
            body = example if isinstance(example, str) else json.dumps(example) + ("\n" if kind == "application/x-ndjson" else "")
            headers = {"Content-Type": kind}
            answer = server.call(method.upper(), path, params=query, data=body, headers=headers)
            assert answer.status_code < 300, (operation["operationId"], kind, answer.text)
        if body is None:
            answer = server.call(method.upper(), path, params=query)
            assert answer.status_code < 300, (operation["operationId"], answer.text)
