"""Files of one's own, and iscc-sdk from PyPI, which makes their ISCCs.

`recorded_sdk/NAME.json` is what iscc-sdk 0.9.7 has printed for the file NAME of write_files(), with the variables VARIABLES.
To record again, with a Python that has iscc-sdk: python3 tests/cli/sdk_files.py.
"""

import os
import random
import subprocess
import sys
import tempfile
from pathlib import Path

VERSION = "0.9.7"
VARIABLES = {"ISCC_SDK_ADD_UNITS": "true", "ISCC_SDK_BITS": "256", "ISCC_SDK_GRANULAR": "true"}
RECORDED = Path(__file__).with_name("recorded_sdk")
CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
FOLDER = Path(os.environ.get("ISCC_SEARCH_ISCC_SDK") or CACHE / "iscc-search" / f"iscc-sdk-{VERSION}")


def lines():
    return [f"The river number {i} runs through valley {i * 7 % 31}, past the mill of year {1500 + i}, and is crossed by "
            f"{i % 9 + 1} bridges of stone." for i in range(120)]


def pdf_of(text):
    """A PDF of one page for every 50 lines, with a font that all readers have."""
    pages = [text[i:i + 50] for i in range(0, len(text), 50)]
    parts = [b"<< /Type /Catalog /Pages 2 0 R >>",
             b"<< /Type /Pages /Count %d /Kids [%s] >>" % (len(pages), b" ".join(b"%d 0 R" % (4 + 2 * i) for i in range(len(pages)))),
             b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>"]
    for i, page in enumerate(pages):
        shown = "BT /F1 9 Tf 12 TL 30 800 Td " + " ".join(f"({line}) Tj T*" for line in page) + " ET"
        parts.append(b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Contents %d 0 R "
                     b"/Resources << /Font << /F1 3 0 R >> >> >>" % (5 + 2 * i))
        parts.append(b"<< /Length %d >>\nstream\n%s\nendstream" % (len(shown), shown.encode()))
    out, places = bytearray(b"%PDF-1.4\n"), []
    for number, part in enumerate(parts, 1):
        places.append(len(out))
        out += b"%d 0 obj\n%s\nendobj\n" % (number, part)
    table = len(out)
    out += b"xref\n0 %d\n0000000000 65535 f \n" % (len(parts) + 1) + b"".join(b"%010d 00000 n \n" % place for place in places)
    return bytes(out + b"trailer << /Size %d /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF\n" % (len(parts) + 1, table))


def draw_images(folder):
    """A picture, the same one smaller and as a JPEG, and another one. Needs Pillow, which iscc-sdk has."""
    from PIL import Image, ImageDraw  # pylint: disable=import-outside-toplevel,import-error
    for seed, name in ((1, "garden"), (2, "street")):
        dice = random.Random(seed)
        image = Image.new("RGB", (640, 480), (dice.randrange(256), 90, 120))
        for _ in range(25):
            x, y = dice.randrange(640), dice.randrange(480)
            ImageDraw.Draw(image).ellipse((x, y, x + dice.randrange(20, 250), y + dice.randrange(20, 250)),
                                          fill=tuple(dice.randrange(256) for _ in range(3)))
        image.save(folder / f"{name}.png")
        if seed == 1:
            image.resize((500, 375)).save(folder / "garden-small.jpg", quality=70)


def write_files(folder, draw=draw_images):
    """A folder of texts, a PDF and pictures; `odd.bin` is a file that no program can read."""
    folder.mkdir(parents=True, exist_ok=True)
    text = lines()
    (folder / "rivers.txt").write_text("\n".join(text))
    (folder / "rivers-edited.txt").write_text("\n".join([*text[:60], "A paragraph about boats and ferries.", *text[66:]]))
    (folder / "rivers.pdf").write_bytes(pdf_of(text))
    (folder / "other.txt").write_text("\n".join(f"Chapter {i}: {i * 7919:x} engines, {i * 31 % 97} gears and a manual of {i} "
                                                "pages on lubrication." for i in range(120)))
    (folder / "odd.bin").write_bytes(b"PK\x03\x04junk")
    draw(folder)


def record():
    folder = Path(tempfile.mkdtemp())
    write_files(folder)
    RECORDED.mkdir(exist_ok=True)
    for path in sorted(folder.iterdir()):
        made = subprocess.run(["iscc-sdk", "create", path.name], cwd=folder, env={**os.environ, **VARIABLES}, capture_output=True,
                              text=True, check=False)
        if made.returncode == 0:
            (RECORDED / f"{path.name}.json").write_text(made.stdout, encoding="utf-8")


if __name__ == "__main__":
    sys.exit(record())
