"""A follower measures the distances of its index, as files of usearch:// do; a search by SQL assumes random codes."""

import json
import os
import subprocess

import pytest

from serving import BINARY, DATA, META, digest, iscc_id, unit


def run(*words, env):
    done = subprocess.run([str(BINARY), *map(str, words)], env={**os.environ, **env}, capture_output=True, text=True,
                          timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("way, factor", [("followers", 1), ("sql", 2 ** -256 * 4)])
def test_equal_titles_are_no_evidence_to_a_follower(shared_cluster, database, tmp_path, way, factor):
    uri = shared_cluster.uri(database)
    env = {"ISCC_SEARCH_POSTGRES_FOLLOWER_DIR": str(tmp_path / "followers")}
    if way == "sql":
        env["ISCC_SEARCH_POSTGRES_SEARCH"] = "sql"
    titles = [unit(META, digest("title" if number % 2 else number, 32)) for number in range(400)]
    (tmp_path / "a.jsonl").write_text("".join(
        json.dumps({"iscc_id": iscc_id(number), "units": [title, unit(DATA, digest((number, 1), 32))]}) + "\n"
        for number, title in enumerate(titles)), encoding="utf-8")
    run("add", tmp_path / "a.jsonl", "--uri", uri, env=env)
    answer = run("search", titles[1], "--uri", uri, "--rank", "significance", "--json", "--limit", "1000", env=env)
    matches = json.loads(answer)["global_matches"]
    assert len(matches) == 200
    for match in matches:  # a quarter of all pairs
        assert match["expect"] == pytest.approx(100 * factor, rel=0.1)
