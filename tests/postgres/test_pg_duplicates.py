"""Near-duplicates of postgresql:// are found in followers: the same as those of usearch://."""

import os
import subprocess

from serving import BINARY, TOP


def run(*words, env=None):
    return subprocess.run([str(BINARY), *map(str, words)], env={**os.environ, **(env or {})}, capture_output=True,
                          text=True, timeout=120, check=False)


def test_they_are_those_of_usearch(shared_cluster, database, tmp_path):
    uri, store = shared_cluster.uri(database), f"usearch://{tmp_path}/store"
    env = {"ISCC_SEARCH_POSTGRES_FOLLOWER_DIR": str(tmp_path / "followers")}
    lines = (TOP / "examples/assets.jsonl").read_text(encoding="utf-8").splitlines(True)
    (tmp_path / "a.jsonl").write_text("".join(lines[:1500]), encoding="utf-8")
    (tmp_path / "b.jsonl").write_text("".join(lines[1000:]), encoding="utf-8")
    for where in (uri, store):
        for name in ("a", "b"):
            done = run("add", tmp_path / f"{name}.jsonl", "--uri", where, "--index", name, env=env)
            assert done.returncode == 0, done.stderr
    for words in (["--index", "a"], ["--index", "a", "--against", "b"], ["--index", "b", "--clusters"]):
        found = [run("duplicates", "--uri", where, *words, env=env) for where in (uri, store)]
        assert found[0].returncode == found[1].returncode == 0, found[0].stderr
        assert found[0].stdout == found[1].stdout and found[0].stdout.count("\n") > 20


def test_without_followers_it_says_what_to_set(shared_cluster, database, tmp_path):
    (tmp_path / "a.jsonl").write_text((TOP / "examples/assets.jsonl").read_text(encoding="utf-8").splitlines()[0] + "\n",
                                      encoding="utf-8")
    uri = shared_cluster.uri(database)
    assert run("add", tmp_path / "a.jsonl", "--uri", uri).returncode == 0
    done = run("duplicates", "--uri", uri, env={"ISCC_SEARCH_POSTGRES_SEARCH": "sql"})
    assert done.returncode == 1 and "postgres_followers" in done.stderr
