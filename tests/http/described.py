"""Checks answers against the OpenAPI description that the project publishes."""

import functools
import json
import re
from pathlib import Path
from urllib.parse import urlsplit

from jsonschema import Draft202012Validator

API = json.loads((Path(__file__).resolve().parents[2] / "web" / "openapi" / "openapi.json")
                 .read_text(encoding="utf-8"))


def find_path(path):
    """The described path that a path of a request is one of, or None."""
    for template in API["paths"]:
        if re.fullmatch(re.sub(r"\{\w+\}", "[^/]+", template), path):
            return template
    return None


@functools.lru_cache(maxsize=None)
def validator(template, method, status):
    """By content type, of what a method answers with a status; None where there is nothing."""
    operation = API["paths"][template][method]
    assert status in operation["responses"], f"{method} {template}: {status} is not described"
    response = operation["responses"][status]
    if "$ref" in response:
        response = API["components"]["responses"][response["$ref"].rpartition("/")[2]]
    if "content" not in response:
        return None
    return {kind: Draft202012Validator({**content["schema"], "components": API["components"]})
            for kind, content in response["content"].items()}


def check(answer):
    """Fail if the description does not tell of such an answer; other paths and methods pass."""
    template = find_path(urlsplit(answer.url).path)
    method = answer.request.method.lower()
    if template is None or method not in API["paths"][template]:
        return
    found = validator(template, method, str(answer.status_code))
    if found is None:
        assert answer.content == b"", answer.text
        return
    kind = answer.headers["content-type"].partition(";")[0]
    if kind == "application/x-ndjson":
        for line in answer.content.split(b"\n")[:-1]:
            found[kind].validate(json.loads(line))
        return
    found[kind].validate(answer.json() if kind == "application/json" else answer.text)
