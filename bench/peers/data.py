#!/usr/bin/env python3
"""The codes that all peers get, the queries, the exact answers, and the recall of the answers of a peer.

    data.py make FOLDER KIND SIZE [ASSETS.jsonl]    KIND: random, real
    data.py recall FOLDER ANSWERS                   prints the recall

`make` writes into FOLDER: codes.bin and more.bin (32 bytes a code; `more` is added after the rest),
assets.jsonl, more.jsonl and queries.jsonl (the same as the API takes them), queries.bin, truth.json, kind.json.
A real code is the CONTENT_TEXT_V0 unit of 256 bits of an asset. Where SIZE is above the number of real codes,
the collection is *grown*: further codes are real ones with up to 96 bits flipped; kind.json says so.
"""
import base64
import json
import sys
from pathlib import Path

import numpy as np

BYTES, BITS, LIMIT, RADIUS = 32, 256, 10, 64
QUERIES, JUDGED, MORE = 1000, 200, 1000
SEED = 20261127
HEADER = bytes([0x20, 0x07])  # CONTENT TEXT V0, 256 bits
INSTANCE_HEADER = bytes([0x40, 0x01])  # 64 bits
ID_HEADER = bytes([0x60, 0x10])
EPOCH_US = 1735689600000000
CHUNK = 100_000


def text(raw):
    return "ISCC:" + base64.b32encode(raw).decode().rstrip("=")


def id_text(number):
    return text(ID_HEADER + ((EPOCH_US + number * 1000) << 12).to_bytes(8, "big"))


def number_of(iscc_id):
    body = base64.b32decode(iscc_id.removeprefix("ISCC:"))[2:]
    return ((int.from_bytes(body, "big") >> 12) - EPOCH_US) // 1000


def asset_line(number, code):
    """The API wants two units at least: the second one tells files apart, and no query has it."""
    instance = text(INSTANCE_HEADER + (number * 0x9E3779B97F4A7C15 % 2**64).to_bytes(8, "big"))
    return f'{{"iscc_id":"{id_text(number)}","units":["{text(HEADER + code.tobytes())}","{instance}"]}}\n'


def flipped(rng, codes, most):
    """Copies with 0 to about `most` bits flipped, every number of them equally likely."""
    share = rng.integers(0, most + 1, len(codes)).astype(np.float32) / BITS
    return codes ^ np.packbits(rng.random((len(codes), BITS), dtype=np.float32) < share[:, None], axis=1)


def random_codes(rng, size):
    """Random bits; one code in twenty is a near-duplicate of another one, so that pairs exist."""
    codes = rng.integers(0, 256, (size, BYTES), dtype=np.uint8)
    copies = rng.permutation(size)[:size // 20]
    codes[copies] = flipped(rng, codes[rng.integers(0, size, len(copies))], 25)
    return codes


def real_codes(path):
    found = {}
    with open(path, encoding="utf-8") as lines:
        for line in lines:
            for unit in json.loads(line).get("units") or []:
                raw = base64.b32decode(unit.removeprefix("ISCC:") + "=" * (-len(unit.removeprefix("ISCC:")) % 8))
                if raw[:2] == HEADER and len(raw) == 2 + BYTES:
                    found[raw[2:]] = None
    if not found:
        sys.exit(f"{path}: expected assets with units CONTENT_TEXT_V0 of 256 bits, one asset a line")
    return np.frombuffer(b"".join(found), dtype=np.uint8).reshape(-1, BYTES)


def grown(rng, real, size):
    """The first `size` codes of real data, and then copies with some bits flipped."""
    parts = [real[:size]]
    for first in range(len(real), size, CHUNK):
        rows = np.arange(first, min(first + CHUNK, size)) % len(real)
        parts.append(flipped(rng, real[rows], 96))
    return np.concatenate(parts)


def distances(codes, query):
    words = codes.view(np.uint64) ^ query.view(np.uint64)
    return np.bitwise_count(words).sum(axis=1, dtype=np.uint16)


def truth_of(codes, query):
    """The distances of the best LIMIT codes within RADIUS."""
    best = np.zeros(0, dtype=np.uint16)
    for first in range(0, len(codes), CHUNK):
        found = distances(codes[first:first + CHUNK], query)
        best = np.sort(np.concatenate([best, found[found <= RADIUS]]))[:LIMIT]
    return best.tolist()


def make(folder, kind, size, path=None):
    rng = np.random.default_rng([SEED, size, kind == "real"])
    label = "random"
    if kind == "random":
        codes = random_codes(rng, size)
    else:
        real = real_codes(path)
        codes = grown(rng, real, size)
        label = "real" if size <= len(real) else f"grown from {len(real):,} real codes"
    more = rng.integers(0, 256, (MORE, BYTES), dtype=np.uint8)
    queries = flipped(rng, codes[rng.integers(0, size, QUERIES)], 48)
    queries[::4] = rng.integers(0, 256, (len(queries[::4]), BYTES), dtype=np.uint8)
    folder.mkdir(parents=True, exist_ok=True)
    for name, part in (("codes", codes), ("more", more), ("queries", queries)):
        part.tofile(folder / f"{name}.bin")
    for name, first, part in (("assets", 0, codes), ("more", size, more)):
        with open(folder / f"{name}.jsonl", "w", encoding="ascii") as out:
            out.writelines(asset_line(first + i, code) for i, code in enumerate(part))
    with open(folder / "queries.jsonl", "w", encoding="ascii") as out:
        out.writelines(f'{{"units":["{text(HEADER + query.tobytes())}"]}}\n' for query in queries)
    truth = [truth_of(codes, query) for query in queries[:JUDGED]]
    (folder / "truth.json").write_text(json.dumps(truth), encoding="ascii")
    (folder / "kind.json").write_text(json.dumps({"label": label, "size": size}), encoding="ascii")


def recall(folder, answers):
    """The share of the matches that have to be found; of several at the same distance any will do."""
    codes = np.fromfile(folder / "codes.bin", dtype=np.uint8).reshape(-1, BYTES)
    queries = np.fromfile(folder / "queries.bin", dtype=np.uint8).reshape(-1, BYTES)
    truth = json.loads((folder / "truth.json").read_text(encoding="ascii"))
    found = wanted = 0
    for query, best, answer in zip(queries, truth, answers, strict=False):
        if best and answer:
            near = distances(codes[sorted(set(answer))], query) <= best[-1]
            found += min(int(near.sum()), len(best))
        wanted += len(best)
    return found / max(1, wanted)


def main():
    what, folder, *words = sys.argv[1:]
    if what == "make":
        make(Path(folder), words[0], int(words[1]), *words[2:])
    else:
        print(recall(Path(folder), json.loads(Path(words[0]).read_text(encoding="ascii"))))


if __name__ == "__main__":
    main()
