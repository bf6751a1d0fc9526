#!/usr/bin/env python3
"""Take the pictures of the pages that the documents show: screenshots.py --binary PROGRAM DIRECTORY"""
import argparse
import json
import os
import sys
import tempfile
from pathlib import Path

TOP = Path(__file__).resolve().parents[2]
sys.path += [str(TOP / "tests" / "http"), str(TOP / "tests" / "web")]


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--binary", type=Path, required=True)
    parser.add_argument("directory", type=Path)
    options = parser.parse_args()
    os.environ["ISCC_SEARCH_BIN"] = str(options.binary.resolve())
    import browser  # pylint: disable=import-outside-toplevel
    from serving import Server  # pylint: disable=import-outside-toplevel
    assets = [json.loads(line) for line in (TOP / "examples/assets.jsonl").read_text(encoding="utf-8").splitlines()]
    with tempfile.TemporaryDirectory() as folder:
        server = Server(Path(folder), "memory://").start()
        server.post("/indexes", json={"name": "demo"})
        for first in range(0, len(assets), 400):
            server.post("/indexes/demo/assets", json=assets[first:first + 400])
        window = browser.start(profile=f"{folder}/profile")
        for width, height in ((390, 844), (1280, 900)):
            for dark in (False, True):
                window.resize(width, height, dark)
                window.open(f"{server.base}/#q=ISCC:MAIGGXZHLG2AP2Q3")
                window.find(".match")
                window.run("document.documentElement.style.scrollbarGutter = 'auto'")
                window.run("document.getElementById('message').textContent = ''")  # the time is another one each time
                name = f"page-{width}-{'dark' if dark else 'light'}.png"
                window.driver.save_screenshot(str(options.directory / name))
                print(options.directory / name)
        window.driver.quit()
        server.stop()


if __name__ == "__main__":
    main()
