#!/usr/bin/env python3
"""Cut the shipped sample out of the larger corpus of real ISCC data: make_examples.py CORPUS

CORPUS is a folder with assets.jsonl, queries.jsonl and files/. Written to examples/:

  assets.jsonl   2,400 assets: the surroundings of the documents that the queries are edits of (related
                 documents are neighbours in the corpus), filled up from its beginning
  queries.jsonl  40 edited copies of documents in assets.jsonl and 20 of documents that are not there
  truth.jsonl    the exact answers over assets.jsonl, computed here bit by bit in double precision
  files/         the single-file form (.iscc.json) of some documents of assets.jsonl

The result is the same whenever it runs.
"""
import base64
import json
import shutil
import sys
from pathlib import Path

ASSETS, EDITED, OTHERS, AROUND, FILES = 2400, 40, 20, 25, 12
TARGET = Path(__file__).resolve().parent.parent / "examples"
MAIN_TYPES = ["META", "SEMANTIC", "CONTENT", "DATA", "INSTANCE"]
SUB_TYPES = ["TEXT", "IMAGE", "AUDIO", "VIDEO", "MIXED"]


def read(path):
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def write(path, rows):
    text = "".join(json.dumps(row, ensure_ascii=False, separators=(",", ":")) + "\n" for row in rows)
    path.write_text(text, encoding="utf-8")


def digest(text):
    text = text.removeprefix("ISCC:")
    return base64.b32decode(text + "=" * (-len(text) % 8))


def unit(raw):
    """Type name, bits of the body, the body as a number."""
    main, sub = raw[0] >> 4, raw[0] & 15
    name = MAIN_TYPES[main] + "_" + (SUB_TYPES[sub] if main in (1, 2) else "NONE") + "_V0"
    return name, 8 * len(raw[2:]), int.from_bytes(raw[2:], "big")


def units_of(entry):
    """The units of an asset or query; those of its ISCC-CODE (64 bits each) if it lists none."""
    if entry.get("units"):
        return [unit(digest(text)) for text in entry["units"]]
    raw = digest(entry["iscc_code"])
    optional = [main for bit, main in ((4, 0), (2, 1), (1, 2)) if raw[1] & 7 & bit]
    mains = optional + [3, 4]
    parts = []
    for number, main in enumerate(mains):
        sub = raw[0] & 15 if main in (1, 2) else 0
        parts.append(unit(bytes([main << 4 | sub, 1]) + raw[2 + 8 * number:10 + 8 * number]))
    return parts


def unit_score(one, two):
    bits = min(one[1], two[1])
    differing = bin((one[2] >> (one[1] - bits)) ^ (two[2] >> (two[1] - bits))).count("1")
    if one[0].startswith("INSTANCE"):
        return None if differing else 1.0
    return 1.0 - differing / bits


def answer(query, assets):
    found = []
    wanted = units_of(query)
    for iscc_id, key, units in assets:
        types = {}
        for one in wanted:
            for two in units:
                if one[0] == two[0]:
                    score = unit_score(one, two)
                    if score is not None:
                        types[one[0]] = max(types.get(one[0], 0.0), score)
        strong = [score for score in types.values() if score >= 0.75]
        if strong:
            found.append((-(sum(s**4 for s in strong) / sum(strong)), key, iscc_id, types))
    found.sort(key=lambda row: row[:2])
    return [[iscc_id, -score, types] for score, _, iscc_id, types in found[:100]]


def main():
    corpus = Path(sys.argv[1])
    assets, queries = read(corpus / "assets.jsonl"), read(corpus / "queries.jsonl")
    place = {asset["iscc_id"]: number for number, asset in enumerate(assets)}
    edited = [query for query in queries if query["expect_nearest"]][:EDITED]
    others = [query for query in queries if not query["expect_nearest"]][:OTHERS]
    chosen = set()
    for query in edited:
        middle = place[query["expect_nearest"]]
        chosen.update(range(max(0, middle - AROUND), min(len(assets), middle + AROUND)))
    files = []
    for path in sorted((corpus / "files").glob("*.iscc.json")):
        number = place[json.loads(path.read_text(encoding="utf-8"))["iscc_id"]]
        if len(files) < FILES:
            files.append(path)
            chosen.add(number)
    for number in range(len(assets)):
        if len(chosen) >= ASSETS:
            break
        chosen.add(number)
    sample = [assets[number] for number in sorted(chosen)]
    decoded = [(asset["iscc_id"], digest(asset["iscc_id"]), units_of(asset)) for asset in sample]
    truth = [{"name": query["name"], "assets_full": answer(query["query"], decoded)}
             for query in edited + others]
    for query in edited + others:
        query["query"].pop("simprints", None)
    shutil.rmtree(TARGET / "files", ignore_errors=True)
    (TARGET / "files").mkdir(parents=True)
    write(TARGET / "assets.jsonl", sample)
    write(TARGET / "queries.jsonl", edited + others)
    write(TARGET / "truth.jsonl", truth)
    for path in files:
        shutil.copyfile(path, TARGET / "files" / path.name)
    print(f"{len(sample)} assets, {len(truth)} queries, {len(files)} files")


if __name__ == "__main__":
    main()
