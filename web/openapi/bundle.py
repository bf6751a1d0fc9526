#!/usr/bin/env python3
"""Write openapi.json and openapi.yaml: api.yaml with the schema files in one document.

A part of a schema that others refer to (CommonProperties.yaml#/properties/iscc_id) becomes a schema of its own (IsccId):
generators of clients take references to whole schemas only. Run it after a change of any .yaml here (needs python3-yaml).
With --check it writes nothing and fails if one of the two is out of date.
"""

import json
import sys
from pathlib import Path

import yaml

FOLDER = Path(__file__).resolve().parent
SCHEMAS = "#/components/schemas/"


def load(name):
    """A file of this folder."""
    return yaml.safe_load((FOLDER / f"{name}.yaml").read_text(encoding="utf-8"))


def camel(text):
    """iscc_id as IsccId."""
    return "".join(part[:1].upper() + part[1:] for part in text.split("_"))


class Bundle:
    """The description, and the schemas that it needs so far."""

    def __init__(self):
        self.document = load("api")
        self.schemas = {}

    def local(self, reference):
        """Turn a reference to a schema file, or to a part of one, into one to a schema within the document."""
        if not reference.startswith("./"):
            return reference
        name, _, fragment = reference[2:].partition(".yaml")
        steps = fragment.lstrip("#").strip("/").split("/") if fragment else []
        part = load(name)
        for step in steps:
            part = part[step]
        own = name if not steps else camel(steps[-1]) if name == "CommonProperties" else name + camel(steps[-1])
        if own not in self.schemas:
            self.schemas[own] = None  # a schema may refer to itself
            self.schemas[own] = self.rewrite(part)
        return SCHEMAS + own

    def rewrite(self, value):
        """A copy of a value in which no reference leaves the document."""
        if isinstance(value, list):
            return [self.rewrite(item) for item in value]
        if not isinstance(value, dict):
            return value
        return {key: self.local(item) if key == "$ref" else self.rewrite(item)
                for key, item in value.items() if key not in ("$schema", "$defs")}

    def whole(self):
        """The whole description."""
        for name in self.document["components"]["schemas"]:
            self.local(f"./{name}.yaml")
        document = self.rewrite({key: value for key, value in self.document.items() if key != "components"})
        components = self.rewrite({key: value for key, value in self.document["components"].items() if key != "schemas"})
        document["components"] = {**components, "schemas": dict(sorted(self.schemas.items()))}
        return document


def main():
    """Command line entry."""
    whole = Bundle().whole()
    text = json.dumps(whole, indent=1, ensure_ascii=False) + "\n"
    # From JSON again: what the source shares by an anchor is written out, which more readers take.
    texts = {"openapi.json": text,
             "openapi.yaml": yaml.safe_dump(json.loads(text), sort_keys=False, allow_unicode=True, width=120)}
    if sys.argv[1:] == ["--check"]:
        old = [name for name in texts if (FOLDER / name).read_text(encoding="utf-8") != texts[name]]
        return f"out of date: {', '.join(old)}" if old else 0
    for name, text in texts.items():
        (FOLDER / name).write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
