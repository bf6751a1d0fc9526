"""export, import and copy between every pair of engines: the same bytes, simprints too where they are kept."""
import itertools
import subprocess

import pytest

from serving import BINARY, TOP, Server, make_asset
from test_pg_contract import WAYS

EXAMPLES = TOP / "examples" / "assets.jsonl"


def run(env, *words, stdin=None):
    """Standard output of a command that ends well."""
    done = subprocess.run([str(BINARY), *map(str, words)], env=env, input=stdin, capture_output=True, check=False,
                          timeout=300)
    assert done.returncode == 0, (words, done.stderr)
    return done.stdout


@pytest.fixture
def stores(shared_cluster, database, tmp_path):
    """An URI of each engine, and the environment of its commands."""
    env = {"HOME": str(tmp_path), "PATH": "/usr/bin:/bin", "ISCC_SEARCH_POSTGRES_SEARCH": WAYS[-1]}
    server = Server(tmp_path, "memory://").start()
    yield env, {"usearch": f"usearch://{tmp_path}/u", "postgresql": shared_cluster.uri(database),
                "http": server.base, "lmdb": f"lmdb://{tmp_path}/l"}
    assert server.stop() == 0


def test_every_pair_of_engines_exports_the_same(stores):
    env, uris = stores
    run(env, "import", EXAMPLES, "--uri", uris["usearch"])
    text = run(env, "export", "--uri", uris["usearch"])
    assert sorted(text.splitlines()) == sorted(EXAMPLES.read_bytes().splitlines())
    run(env, "index", "copy", "default", "default", "--from-uri", uris["usearch"], "--to-uri", uris["http"])
    for uri in uris.values():
        run(env, "import", "--uri", uri, stdin=text)
        assert run(env, "export", "--uri", uri) == text
    for number, (one, other) in enumerate(itertools.permutations(uris, 2)):
        name = f"copy{number}"
        run(env, "index", "copy", "default", name, "--from-uri", uris[one], "--to-uri", uris[other])
        assert run(env, "export", "--uri", uris[other], "--index", name) == text, (one, other)


def test_simprints_come_along(stores):
    """lmdb:// keeps none, as in 0.3.3; the copy says so."""
    env, uris = stores
    rows = [make_asset(n, simprints={kind: [{"simprint": "AAAAAAAAAA" + "AEIM"[(n + k) % 4], "offset": 9 - k, "size": n + k}
                                            for k in range(1 + n % 5)] for kind in ("SEMANTIC_TEXT_V0", "CONTENT_TEXT_V0")})
            for n in range(1, 300)]
    import json  # pylint: disable=import-outside-toplevel
    sent = "".join(json.dumps(row) + "\n" for row in rows).encode()
    run(env, "import", "--uri", uris["usearch"], stdin=sent)
    text = run(env, "export", "--uri", uris["usearch"])
    assert text.count(b'"simprint":') == sum(len(passages) for row in rows for passages in row["simprints"].values())
    run(env, "index", "copy", "default", "default", "--from-uri", uris["usearch"], "--to-uri", uris["http"])
    for one, other in itertools.permutations(["usearch", "http", "postgresql"], 2):
        run(env, "index", "copy", "default", f"to{one}", "--from-uri", uris["usearch"], "--to-uri", uris[one])
        run(env, "index", "copy", f"to{one}", f"from{one}", "--from-uri", uris[one], "--to-uri", uris[other])
        assert run(env, "export", "--uri", uris[other], "--index", f"from{one}") == text, (one, other)
    done = subprocess.run([str(BINARY), "index", "copy", "default", "default", "--from-uri", uris["usearch"], "--to-uri",
                           uris["lmdb"]], env=env, capture_output=True, check=False, timeout=300)
    assert done.returncode == 0 and b"simprints" in done.stderr
