"""bench/significance: the tables of docs/scores.md, made by asking the program about the shipped sample."""
import os
import re
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
DOCUMENT = "# Scores\n\nbefore\n\n### Measured\n\nold figures\n\n### What to use\n\nafter\n"


def run(*words):
    env = {"ISCC_SEARCH_BIN": str(ROOT / "build" / "iscc-search"), **os.environ}
    return subprocess.run([ROOT / "bench/significance", *words], env=env, check=False, capture_output=True, text=True,
                          timeout=300)


def test_the_section_is_replaced_by_what_the_program_says(tmp_path):
    document = tmp_path / "scores.md"
    document.write_text(DOCUMENT)
    done = run("--fill", document)
    assert done.returncode == 0, done.stderr
    text = document.read_text()
    assert text.startswith("# Scores\n\nbefore\n\n### Measured\n\nBy `bench/significance`, on 2,400 real assets")
    assert text.endswith("\n\n### What to use\n\nafter\n") and "old figures" not in text
    tables = text.split("**Ranks.**")
    assert len(re.findall(r"^\| (?:64|128|256) \| (?:META|DATA|CONTENT \w+) \|", tables[0], re.M)) == 12
    rows = re.findall(r"^\| (.+?) \| `(\w+)`(.*?) \| (\d+) \| (\d+) \| (\d+) \| (\d+) of (\d+) \|", tables[1], re.M)
    assert len(rows) == 3 * 3 * 2
    for _, _, limit, first, third, tenth, found, asked in rows:
        assert int(first) <= int(third) <= int(tenth) <= int(found) <= int(asked)
        assert limit or found == asked


def test_a_document_without_the_section_is_named(tmp_path):
    document = tmp_path / "other.md"
    document.write_text("# Other\n")
    done = run("--fill", document)
    assert done.returncode == 1 and f"{document}: expected a heading '### Measured'" in done.stderr
    assert document.read_text() == "# Other\n"
