#!/usr/bin/env python3
"""Write the golden vectors of the ISCC codec: what iscc-core and iscc-search say of many ISCCs.

    python3 -m venv peer
    peer/bin/pip install iscc-core==1.5.0 iscc-search==0.3.3
    peer/bin/python tests/golden/make_vectors.py > tests/golden/iscc_vectors.tsv

All values come from these two packages of PyPI; bodies and choices from random.Random(SEED), so the
same versions write the same file.

    peer/bin/python tests/golden/make_vectors.py --recorded CASES > tests/golden/recorded_codes.tsv

takes from recorded conversations with an iscc-search 0.3.3 server (CASES: a folder of JSON files with
`steps` of `request` and `expect`) what its answers say of the query: the units it derived from an
iscc_code (split), and the iscc_code it derived from units, or none (compose).

One vector a line, fields separated by tabs; "-" is an empty field, lists are joined by commas:

    header   main type, subtype, version, length, hex
    unit     text, main type, subtype, version, length, type name, body hex, multibase f b v z u
    code     text, subtype, length, units, multibase f b v z u
    id       text as given, realm, version, body hex, microseconds, hub, text of version 1
    multi    text in any form, digest hex
    read     a unit as 0.3.3 takes it, type name, body hex (256 bits at most), its canonical text
    split    a code as 0.3.3 takes it, units
    compose  units, the code 0.3.3 composes of them or "-"
    refuse   who refuses (unit code id read split multi), text
"""
import json
import random
import sys
from pathlib import Path

import iscc_core as ic
from iscc_search.models import IsccCode, IsccID, IsccUnit

SEED = 24138
BASES = "fbvzu"
MEDIA = range(5)
UNIT_TYPES = [(0, 0), *[(1, s) for s in MEDIA], *[(2, s) for s in MEDIA], (3, 0), (4, 0), (7, 0)]
SUM, NONE, WIDE = 5, 6, 7
rng = random.Random(SEED)


def emit(*fields):
    print("\t".join(str(f) if str(f) else "-" for f in fields))


def text_of(digest):
    return "ISCC:" + ic.encode_base32(digest)


def header(maintype, subtype, version, length):
    return ic.encode_header(maintype, subtype, version, length)


def multibase(text):
    code = ic.Code(text)
    forms = {"f": code.mf_base16, "b": code.mf_base32, "v": code.mf_base32hex,
             "z": code.mf_base58btc, "u": code.mf_base64url}
    return [forms[base] for base in BASES]


def random_unit(maintype=None, bits=None):
    types = [t for t in UNIT_TYPES if maintype is None or t[0] == maintype]
    mt, st = rng.choice(types)
    bits = bits or rng.choice([32, 64, 64, 64, 96, 128, 128, 160, 192, 224, 256, 256])
    return header(mt, st, 0, bits // 32 - 1) + rng.randbytes(bits // 8)


def random_code(subtype, length):
    parts = 4 if subtype == WIDE else 2 + bin(length).count("1")
    return header(5, subtype, 0, length) + rng.randbytes(8 * parts)


def combinations():
    """Every subtype with every length field that goes with it."""
    yield from ((subtype, length) for subtype in MEDIA for length in (1, 2, 3, 5, 6, 7))
    yield from ((SUM, 0), (NONE, 4), (WIDE, 0))


# --- what the two packages say -----------------------------------------------------------------------


def read_unit(text):
    """Type and body of a unit, or None where 0.3.3 fails or would index nothing."""
    try:
        unit = IsccUnit(text)
        return (unit.unit_type, unit.body[:32]) if unit.body else None
    except Exception:
        return None


def read_code(text):
    """The units of a code, or None where one of them is of no type or has no body."""
    try:
        units = [str(unit) for unit in IsccCode(text).units]
    except Exception:
        return None
    return units if units and all(read_unit(unit) for unit in units) else None


def compose(units):
    try:
        return ic.gen_iscc_code_v0(units, wide=True)["iscc"]
    except Exception:
        return ""


def is_well_formed(text):
    """By iscc-core, and with no bits beyond the last byte, which it lets pass."""
    try:
        return ic.iscc_validate(text) and text_of(ic.decode_base32(text[5:])) == text
    except Exception:
        return False


# --- vectors ----------------------------------------------------------------------------------------


def emit_headers():
    edges = [0, 1, 7, 8, 71, 72, 583, 584, 4679]
    for i in range(300):
        values = [rng.choice(edges) if rng.random() < 0.5 else rng.randint(0, 4679)
                  for _ in range(4)] if i >= 9 else [edges[i]] * 4
        emit("header", *values, header(*values).hex())


def emit_units():
    for maintype, subtype in UNIT_TYPES:
        for length in range(8):
            size = 4 * (length + 1)
            for body in (rng.randbytes(size), rng.randbytes(size),
                         bytes(size) if length % 2 else b"\xff" * size):
                text = text_of(header(maintype, subtype, 0, length) + body)
                assert is_well_formed(text) and ic.iscc_decode(text) == (
                    maintype, subtype, 0, length, body)
                emit("unit", text, maintype, subtype, 0, length, read_unit(text)[0], body.hex(),
                     *multibase(text))


def emit_codes():
    for subtype, length in combinations():
        for _ in range(6):
            text = text_of(random_code(subtype, length))
            units = read_code(text)
            assert is_well_formed(text) and compose(units) == text
            emit("code", text, subtype, length, ",".join(units), *multibase(text))


def emit_ids():
    for i in range(160):
        version, realm = (1, 1, 0)[i % 3], i // 3 % 2
        body = rng.randbytes(8) if i > 12 else (bytes(8), b"\xff" * 8)[i % 2]
        text = text_of(header(6, realm, version, 0) + body)
        iscc_id = IsccID(text)
        number = int(iscc_id)
        given = "ISCC:" + text[5:].lower() if i % 5 == 0 else text
        assert iscc_id.realm_id == realm and iscc_id.fields[2] == version
        emit("id", given, realm, version, iscc_id.body.hex(), number >> 12, number & 0xFFF,
             str(IsccID.from_int(number, realm)))


def emit_multi():
    for i in range(120):
        digest = random_unit() if i % 2 else random_code(*rng.choice(list(combinations())))
        bare = ic.encode_base32(digest)
        hyphened = "-".join(bare[k:k + 5] for k in range(0, len(bare), 5))
        forms = [bare, bare.lower(), "ISCC:" + bare, "iscc:" + bare.lower(), "Iscc:" + hyphened, hyphened,
                 f"  {rng.choice(multibase(text_of(digest)))}\n".strip("\n"), f" ISCC:{bare} "]
        form = forms[i % len(forms)]
        assert ic.decode_base32(ic.normalize_multiformat(form)) == digest
        emit("multi", form, digest.hex())


def emit_reads():
    for i in range(260):
        kind = i % 13
        digest = random_unit()
        if kind == 1:
            digest += rng.randbytes(rng.randint(1, 9))
        elif kind == 2:
            digest = digest[:rng.randint(3, len(digest))]
        elif kind == 3:
            digest = random_code(*rng.choice(list(combinations())))
        elif kind == 4:
            digest = header(6, rng.randint(0, 1), 1, 0) + rng.randbytes(8)
        elif kind == 5:
            digest = header(6, rng.randint(0, 3), 0, 1) + rng.randbytes(9)
        elif kind == 6:
            digest += rng.randbytes(rng.randint(200, 400))
        elif kind == 7: # a length field above 7 makes the header longer than two bytes
            digest = header(*rng.choice(UNIT_TYPES), 0, rng.randint(8, 4679)) + rng.randbytes(20)
        bare = ic.encode_base32(digest)
        if kind == 8: # spare bits are ignored
            digest = random_unit(bits=64) + b"\x55"
            bare = ic.encode_base32(digest)[:-1] + "L"
            digest = ic.decode_base32(bare)
        text = (f"ISCC:{bare}", bare, bare.lower(), f"ISCC:{bare.lower()}")[i % 4]
        name, body = read_unit(text)
        emit("read", text, name, body.hex(), str(IsccUnit(digest[:34])))


def emit_split(text):
    units = read_code(text)
    if units is None:
        emit("refuse", "split", text)
    elif any(len(IsccUnit(unit).digest) > 34 for unit in units):
        pass # 0.3.3 takes units above 256 bits out of a sequence; nobody makes them
    else:
        emit("split", text, ",".join(units))


def emit_splits():
    for i in range(200):
        units = [random_unit() for _ in range(rng.randint(1, 5))]
        digest = b"".join(units)
        if i % 4 == 1:
            digest = digest[:rng.randint(3, len(digest))]
        elif i % 4 == 2:
            digest = units[0] + random_code(*rng.choice(list(combinations()))) + b"xyz"[:i % 3]
        elif i % 4 == 3:
            counter = i // 4 % 5 # bytes; there is no ISCC-ID with three
            digest = header(6, i % 2, counter == 0, counter) + rng.randbytes(8 + counter) + digest
        emit_split((text_of(digest), text_of(digest)[5:].lower())[i % 2])
    for subtype in range(8): # composites of every subtype and length field, cut short and too long
        for length in range(8):
            for size in {rng.randint(0, 20), rng.randint(8, 26), rng.randint(20, 60), 40, 32}:
                emit_split(text_of(header(5, subtype, 0, length) + rng.randbytes(size)))


def emit_composes():
    for i in range(300):
        subtype = rng.choice(MEDIA)
        units = []
        for maintype in range(5):
            if rng.random() < (0.5 if maintype < 3 else 0.93):
                unit = random_unit(maintype, rng.choice([None, 64, 128, 256]))
                if maintype in (1, 2) and rng.random() < 0.8:
                    unit = header(maintype, subtype, 0, unit[1]) + unit[2:]
                if rng.random() < 0.2:
                    unit = unit[:rng.randint(9, len(unit))] if len(unit) > 9 else unit
                units.append(unit)
        if rng.random() < 0.05:
            units.append(random_unit())
        if i % 6 == 0:
            units = [random_unit(3, rng.choice([64, 128, 192, 256])), random_unit(4, rng.choice([64, 128, 256]))]
        rng.shuffle(units)
        texts = [str(IsccUnit(unit)) for unit in units] or ["ISCC:GAAW4HDJSGDEPXNY"]
        emit("compose", ",".join(texts), compose(texts))


def malformed(text):
    """One text with one thing wrong with it, most of the time."""
    at = rng.randint(5, len(text) - 1)
    change = rng.randint(0, 8)
    if change == 0:
        return text[:at] + rng.choice("0189-=!ä_ ") + text[at + 1:]
    if change == 1:
        return text[:at]
    if change == 2:
        return text + rng.choice(["A", "AA", "AAAA", "AAAAAAAA", " ", "="])
    if change == 3:
        return text[:5] + text[5:].lower()
    if change == 4:
        return rng.choice(["", "iscc:", "ISCC", "ISBN:", " ISCC:"]) + text[5:]
    if change == 5:
        return text[:-1] + rng.choice("BDFHJLNPRTVXZ37")
    return "ISCC:" + rng.choice("BDFHJLNPRTVXZ2345677") + text[6:] if change == 6 else \
        text[:6] + rng.choice("BDFHJLNPRTVXYZ4567") + text[7:] if change == 7 else \
        text[:7] + rng.choice("EIMQUYZ4567") + text[8:]


def is_refused(who, text):
    if who == "read":
        return read_unit(text) is None
    if who == "unit":
        return not is_well_formed(text) or ic.iscc_decode(text)[0] in (5, 6)
    if who == "code":
        return not is_well_formed(text) or ic.iscc_decode(text)[0] != 5
    if who == "multi":
        try:
            return not ic.normalize_multiformat(text)
        except Exception:
            return True
    try:
        digest = IsccID(text).digest
        known = ic.decode_header(digest)[:4] in [(6, s, v, 0) for s in (0, 1) for v in (0, 1)]
        return not (text.startswith("ISCC:") and len(digest) == 10 and known)
    except Exception:
        return True


def emit_refusals():
    for who in ("unit", "code", "id", "read"):
        for text in ("", "ISCC:", "ISCC:AA", "ISCC:7777777777777777", "ISCC:AAAA="):
            if is_refused(who, text):
                emit("refuse", who, text)
        found = 0
        while found < 110:
            good = {"unit": random_unit, "read": random_unit,
                    "code": lambda: random_code(*rng.choice(list(combinations()))),
                    "id": lambda: header(6, rng.randint(0, 1), 1, 0) + rng.randbytes(8)}[who]()
            text = malformed(text_of(good))
            if is_refused(who, text):
                emit("refuse", who, text)
                found += 1
    for base in BASES:
        good = multibase("ISCC:GAAW4HDJSGDEPXNY")[BASES.index(base)]
        for text in (good[0] + good[3:], good[:-3] + "*" + good[-2:], base, f"{base}: {good[1:]}"):
            if is_refused("multi", text): # iscc-core skips what is no digit of base64
                emit("refuse", "multi", text)


def emit_recorded(folder):
    found = {}
    for path in sorted(Path(folder).glob("*.json")):
        for step in json.loads(path.read_text())["steps"]:
            sent, answer = (step.get(side, {}).get("json") for side in ("request", "expect"))
            query = answer.get("query") if isinstance(answer, dict) else None
            if not isinstance(query, dict) or not query.get("units"):
                continue
            sent = sent if isinstance(sent, dict) else {}
            if sent.get("iscc_id") or sent.get("units") and sent.get("iscc_code"):
                continue # both were stored or sent: nothing was derived
            kind = "compose" if sent.get("units") else "split"
            units, code = ",".join(query["units"]), query.get("iscc_code") or "-"
            fields = (units, code) if kind == "compose" else (code, units)
            found.setdefault((kind, *fields), f"{path.stem}/{step['id']}")
    print("# Derived by an iscc-search 0.3.3 server; the last field is the case and the step.")
    for fields in sorted(found):
        emit(*fields, found[fields])


def main():
    if sys.argv[1:2] == ["--recorded"]:
        emit_recorded(sys.argv[2])
        return
    print(f"# make_vectors.py: iscc-core {ic.__version__}, iscc-search 0.3.3, seed {SEED}")
    for part in (emit_headers, emit_units, emit_codes, emit_ids, emit_multi, emit_reads, emit_splits,
                 emit_composes, emit_refusals):
        part()


if __name__ == "__main__":
    main()
