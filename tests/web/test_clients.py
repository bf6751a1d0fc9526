"""Clients that generators make from our openapi.json are complete, and talk to the server.

openapi-python-client is from PyPI; openapi-typescript, TypeScript and openapi-generator (which needs Java) are from npm. What
cannot be had is skipped, with the reason.
"""
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from pages import TOP
from serving import Server

API = TOP / "web/openapi/openapi.json"
CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
FOLDER = CACHE / "iscc-search" / "generators-1"
NEEDED = ["openapi-python-client==0.26.2", "pydantic>=2", "python-dateutil", "urllib3"]
OPERATIONS = [operation["operationId"] for item in json.loads(API.read_text(encoding="utf-8"))["paths"].values()
              for method, operation in item.items() if method != "parameters"]
# What the generator says that it leaves out: it knows no application/x-ndjson.
NOT_JSON = {"importAssets"}

PYTHON = """
import sys
from iscc_search_api_client import Client
from iscc_search_api_client.api.assets import add_assets, get_asset
from iscc_search_api_client.api.indexes import create_index, declare_fields, get_fields, list_indexes
from iscc_search_api_client.api.search import search_post, search_get
from iscc_search_api_client.models import IsccEntry, IsccFilter, IsccIndex, IsccQuery
client = Client(base_url=sys.argv[1])
assert create_index.sync(client=client, body=IsccIndex(name="one")).name == "one"
entry = IsccEntry.from_dict(%s)
assert add_assets.sync("one", client=client, body=[entry])[0].status == "created"
assert get_asset.sync("one", entry.iscc_id, client=client).iscc_code == entry.iscc_code
found = search_post.sync("one", client=client, body=IsccQuery(iscc_code=entry.iscc_code), limit=5)
assert [match.iscc_id for match in found.global_matches] == [entry.iscc_id] and found.global_matches[0].score == 1.0
assert declare_fields.sync("one", client=client, body=["license"]).fields == get_fields.sync("one", client=client).fields == ["/license"]
asked = IsccFilter(not_=IsccFilter(field="license", in_=["CC0", 1, None]))
some = search_post.sync("one", client=client, body=IsccQuery(iscc_code=entry.iscc_code, filter_=asked, facets=["license"]))
assert some.global_matches and some.facets.to_dict() == {"license": []}
assert search_get.sync("one", client=client, iscc_code=entry.iscc_code).global_matches[0].iscc_id == entry.iscc_id
print([index.name for index in list_indexes.sync(client=client)])
"""
GENERATED = """
import sys
import openapi_client as api
client = api.ApiClient(api.Configuration(host=sys.argv[1]))
assert api.IndexesApi(client).create_index(api.IsccIndex(name="two")).name == "two"
entry = api.IsccEntry.from_dict(%s)
assert api.AssetsApi(client).add_assets("two", [entry])[0].status == "created"
found = api.SearchApi(client).search_post("two", api.IsccQuery(iscc_code=entry.iscc_code), limit=5)
assert [match.iscc_id for match in found.global_matches] == [entry.iscc_id] and found.global_matches[0].score == 1.0
print([index.name for index in api.IndexesApi(client).list_indexes()])
"""
TYPESCRIPT = """
import type { paths, components } from "./api";
type Post = paths["/indexes/{name}/search"]["post"];
const query: components["schemas"]["IsccQuery"] = { iscc_code: "ISCC:KACT4EBWK27737D2AYCJRAL5Z36G76RFRMO4554RU26HZ4ORJGIVHDI", min_score: 0.8 };
type Result = Post["responses"]["200"]["content"]["application/json"];
export function best(result: Result): number { return result.global_matches[0].score + Object.values(result.global_matches[0].types)[0]; }
export const entry: components["schemas"]["IsccEntry"] = { iscc_id: "ISCC:MAIGBITKPRINHQBF", units: ["ISCC:EAAXT7R7UHWWOLE5", "ISCC:GAASKLZWC5P5DZ4J"] };
// @ts-expect-error: a score is a number
export const wrong: components["schemas"]["IsccQuery"] = { min_score: "high" };
console.log(query);
"""


@pytest.fixture(scope="session", name="python")
def python_with_generator():
    python = FOLDER / "bin" / "python"
    if not python.exists() or subprocess.run([python, "-c", "import openapi_python_client, pydantic"], check=False, capture_output=True).returncode:
        try:
            FOLDER.parent.mkdir(parents=True, exist_ok=True)
            for command in ([sys.executable, "-m", "venv", "--clear", FOLDER], [python, "-m", "pip", "install", "--quiet", *NEEDED]):
                subprocess.run(command, check=True, capture_output=True, text=True, timeout=600)
        except (OSError, subprocess.SubprocessError) as error:
            said = (getattr(error, "stderr", None) or str(error)).strip().splitlines()
            pytest.skip(f"openapi-python-client could not be installed: {said[-1] if said else error}")
    return python


@pytest.fixture(name="empty")
def empty_server(tmp_path):
    server = Server(tmp_path, "memory://").start()
    yield server
    server.stop()


def run(*command, **options):
    return subprocess.run([str(part) for part in command], capture_output=True, text=True, check=False, **options)


def snake(name):
    return "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in name)


def test_openapi_python_client(python, empty, sample, tmp_path):
    done = run(python, "-m", "openapi_python_client", "generate", "--path", API, "--output-path", tmp_path / "client", "--meta", "none")
    assert (tmp_path / "client").is_dir(), done.stdout + done.stderr
    assert "Unable to" not in done.stdout, done.stdout
    (tmp_path / "iscc_search_api_client").symlink_to(tmp_path / "client")
    made = {path.stem for path in (tmp_path / "client/api").glob("*/*.py")}
    assert {snake(name) for name in OPERATIONS if name not in NOT_JSON} <= made
    done = run(python, "-c", PYTHON % repr(sample["assets"][0]), empty.base, cwd=tmp_path)
    assert done.returncode == 0 and done.stdout.strip() == "['one']", done.stdout + done.stderr


def test_openapi_typescript(npm, tmp_path):
    done = run("npm", "install", "--silent", "--no-audit", "--no-fund", "openapi-typescript@7", "typescript@5", cwd=npm)
    if done.returncode:
        pytest.skip("npm cannot install openapi-typescript")
    folder = npm / "ts"
    folder.mkdir(exist_ok=True)
    done = run("npx", "openapi-typescript", API, "-o", folder / "api.d.ts", cwd=npm)
    assert done.returncode == 0, done.stdout + done.stderr
    text = (folder / "api.d.ts").read_text(encoding="utf-8")
    assert not [name for name in OPERATIONS if f"    {name}: {{" not in text]
    (folder / "program.ts").write_text(TYPESCRIPT, encoding="utf-8")
    done = run("npx", "tsc", "--strict", "--noEmit", "--skipLibCheck", "--target", "es2022", "--lib", "es2022,dom", folder / "program.ts", cwd=npm)
    assert done.returncode == 0, done.stdout + done.stderr


def test_openapi_generator(npm, python, empty, sample, tmp_path):
    if not shutil.which("java"):
        pytest.skip("java is not installed: openapi-generator needs it")
    done = run("npm", "install", "--silent", "--no-audit", "--no-fund", "@openapitools/openapi-generator-cli@2", cwd=npm)
    if done.returncode or run("npx", "openapi-generator-cli", "version", cwd=npm).returncode:
        pytest.skip("npm cannot install openapi-generator-cli")
    done = run("npx", "openapi-generator-cli", "generate", "-i", API, "-g", "python", "-o", tmp_path / "client", cwd=npm)
    assert done.returncode == 0, (done.stdout + done.stderr)[-3000:]
    made = "\n".join(path.read_text(encoding="utf-8") for path in (tmp_path / "client/openapi_client/api").glob("*.py"))
    assert not [name for name in OPERATIONS if f"    def {snake(name)}(" not in made]
    done = run(python, "-c", GENERATED % repr(sample["assets"][0]), empty.base, cwd=tmp_path / "client")
    assert done.returncode == 0 and done.stdout.strip() == "['two']", done.stdout + done.stderr
