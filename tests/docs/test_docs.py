"""Every command, program and answer in the documents is as the documents say."""
import os
import re
import sys
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).resolve().parent))

import transcript  # noqa: E402  pylint: disable=wrong-import-position

TOP = transcript.TOP
BINARY = Path(os.environ.get("ISCC_SEARCH_BIN", TOP / "build" / "iscc-search")).resolve()
DOCUMENTS = sorted(path for path in [TOP / "README.md", *(TOP / "docs").glob("*.md")] if re.search(r"^```(console|python|c)$", path.read_text(encoding="utf-8"), re.M))


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_what_a_document_shows_is_what_happens(path):
    _, differ = transcript.run_document(path, BINARY)
    assert not differ, "\n".join(f"{path.name}:{line}: {ran.strip()}\n--- expected\n{expected}--- got\n{actual}" for line, ran, expected, actual in differ)


def test_links_between_documents_lead_somewhere():
    for path in [TOP / "README.md", *sorted((TOP / "docs").glob("*.md"))]:
        text = path.read_text(encoding="utf-8")
        for link in re.findall(r"\]\(([^)\s]+)\)", text):
            name, _, place = link.partition("#")
            if "://" in name:
                continue
            target = (path.parent / name).resolve() if name else path
            assert target.exists(), f"{path.name}: {link}"
            if place and target.suffix == ".md":
                titles = re.findall(r"^#+ (.*)$", target.read_text(encoding="utf-8"), re.M)
                known = {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}
                assert place in known, f"{path.name}: {link}"


@pytest.mark.parametrize("expected, actual, same", [
    ("a\nb\n", "a\nb\n", True), ("a\n", "b\n", False), ("a\n...\n", "a\nb\nc\n", True), ("a\n...\n", "b\nc\n", False),
    ("3 matches in 2 ms\n", "3 matches in 17.5 ms\n", True), ("3 matches in 2 ms\n", "4 matches in 2 ms\n", False), ("", "x\n", False)])
def test_the_comparison_itself(expected, actual, same):
    assert transcript.matches(expected, actual) == same
