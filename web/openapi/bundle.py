#!/usr/bin/env python3
"""Write openapi.json: openapi.yaml with the schema files in one document.

Run it after a change of any .yaml here (needs python3-yaml). With --check it writes nothing and
fails if openapi.json is out of date.
"""

import json
import sys
from pathlib import Path

import yaml

FOLDER = Path(__file__).resolve().parent
SCHEMAS = "#/components/schemas/"


def local(reference):
    """Turn a reference to a schema file into one within the document."""
    if not reference.startswith("./"):
        return reference
    name, _, fragment = reference[2:].partition(".yaml")
    return SCHEMAS + name + fragment.lstrip("#")


def rewrite(value):
    """A copy of a value in which no reference leaves the document."""
    if isinstance(value, list):
        return [rewrite(item) for item in value]
    if not isinstance(value, dict):
        return value
    return {key: local(item) if key == "$ref" else rewrite(item)
            for key, item in value.items() if key != "$schema"}


def bundle():
    """The whole description as JSON text."""
    document = yaml.safe_load((FOLDER / "openapi.yaml").read_text(encoding="utf-8"))
    schemas = document["components"]["schemas"]
    for name in schemas:
        schemas[name] = yaml.safe_load((FOLDER / f"{name}.yaml").read_text(encoding="utf-8"))
    return json.dumps(rewrite(document), indent=1, ensure_ascii=False) + "\n"


def main():
    """Command line entry."""
    target = FOLDER / "openapi.json"
    if sys.argv[1:] == ["--check"]:
        return 0 if target.read_text(encoding="utf-8") == bundle() else "openapi.json is out of date"
    target.write_text(bundle(), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
