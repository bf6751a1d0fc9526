"""Hosts: servers of iscc-search that share only a database, and checks of what they find."""
import base64
import functools
import os
import random
import signal
import subprocess
import time

import requests

from serving import BINARY, Server, digest, iscc_id, unit

KIND = "CONTENT_TEXT_V0"
META, CONTENT, DATA, INSTANCE = 0, 2, 3, 4


@functools.lru_cache(maxsize=None)
def speaks_postgres():
    """Was the program built with this engine? Its message about a URI without a server tells."""
    env = {**os.environ, "ISCC_SEARCH_INDEX_URI": "nonsense://x"}
    done = subprocess.run([str(BINARY), "serve", "--port", "0"], env=env, capture_output=True, text=True,
                          timeout=30, check=False)
    return "postgresql://" in done.stdout + done.stderr


class Host(Server):
    """A server with a follower directory."""

    def __init__(self, folder, uri, env=None, args=()):
        folder.mkdir(exist_ok=True)
        self.followers = folder / "followers"
        super().__init__(folder, uri, {"ISCC_SEARCH_POSTGRES_FOLLOWER_DIR": str(self.followers),
                                       **(env or {})}, args)

    @property
    def index(self):
        return self.base + "/indexes/main"

    def wait_ready(self, patience_s=60):
        """Wait until /readyz says 200."""
        end = time.monotonic() + patience_s
        while True:
            answer = requests.get(self.base + "/readyz", timeout=30)
            if answer.status_code == 200:
                return self
            assert answer.status_code == 503, answer.text
            assert time.monotonic() < end, f"not ready: {answer.text}\n{self.log()[-3000:]}"
            time.sleep(0.05)

    def wait_unready(self, patience_s=60):
        """Wait until /readyz says 503; returns the reason."""
        end = time.monotonic() + patience_s
        while True:
            answer = requests.get(self.base + "/readyz", timeout=30)
            if answer.status_code == 503:
                said = answer.json()
                return said.get("detail") or said["indexes"][0]["detail"]
            assert time.monotonic() < end, "/readyz still says 200"
            time.sleep(0.05)

    def kill(self):
        """kill -9 for the process and those it has started."""
        if self.process is None:
            return
        pids = [self.process.pid]
        for pid in pids:
            try:
                os.kill(pid, signal.SIGSTOP)
                with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as file:
                    pids += [int(word) for word in file.read().split()]
            except OSError:
                pass
        for pid in pids:
            try:
                os.kill(pid, signal.SIGKILL)
            except OSError:
                pass
        self.process.wait(30)
        self.process = None

    def follower_files(self):
        return sorted(self.followers.rglob("index.lmdb"))

    # --- assets ------------------------------------------------------------------------------------

    def add(self, assets):
        """Add; returns whether it was acknowledged. Anything but 201 and 503 is an error."""
        answer = self.post("/indexes/main/assets", json=assets)
        assert answer.status_code in (201, 503), f"{answer.status_code} {answer.text}"
        return answer.status_code == 201

    def must_add(self, numbers, **more):
        """Add until it is acknowledged: what is unavailable may become available."""
        end = time.monotonic() + 60
        while not self.add([make(number, **more) for number in numbers]):
            assert time.monotonic() < end, self.log()[-3000:]
            time.sleep(0.05)

    def find(self, number, patience_s=60, **more):
        """The answer to a search for an asset by all it has, waiting out 503."""
        end = time.monotonic() + patience_s
        one = make(number, **more)
        query = {"units": one["units"],
                 "simprints": {KIND: [entry["simprint"] for entry in one["simprints"][KIND]]}}
        while True:
            answer = self.post("/indexes/main/search?limit=3", json=query)
            if answer.status_code == 200:
                return answer.json()
            assert answer.status_code == 503 and answer.json()["detail"], answer.text
            assert time.monotonic() < end, f"503 for {patience_s} s: {answer.text}\n{self.log()[-3000:]}"
            time.sleep(0.05)

    def expect_found(self, numbers, **more):
        """Each asset comes back by its units and by its passage, with its metadata."""
        for number in numbers:
            found, wanted = self.find(number, **more), make(number, **more)
            best = found["global_matches"][:1]
            assert best and best[0]["iscc_id"] == wanted["iscc_id"], f"{number} is not found: {found}"
            assert best[0]["score"] == 1.0 and len(best[0]["types"]) == 4, f"{number}: {best}"
            assert best[0]["metadata"] == wanted["metadata"], f"{number}: {best}"
            chunk = found["chunk_matches"][:1]
            assert chunk and chunk[0]["iscc_id"] == wanted["iscc_id"], f"{number}: its passage: {found}"

    def expect_missing(self, numbers, **more):
        for number in numbers:
            found, wanted = self.find(number, **more), make(number, **more)["iscc_id"]
            ids = [match["iscc_id"] for key in ("global_matches", "chunk_matches") for match in found[key]]
            assert wanted not in ids, f"{number} is still found"


def make(number, version=0):
    """An asset of four units and a passage, none of them similar to those of another asset."""
    passage = base64.urlsafe_b64encode(digest((number, version, 7), 16)).decode().rstrip("=")
    return {"iscc_id": iscc_id(1 << 20 | number),
            "units": [unit(main, digest((number, version, main), 32)) for main in (META, CONTENT, DATA, INSTANCE)],
            "metadata": {"number": number, "version": version},
            "simprints": {KIND: [{"simprint": passage, "offset": 0, "size": 10}]}}


def sample(rng, numbers, most):
    """Some of the numbers, and the last ones in any case."""
    numbers = list(numbers)
    return sorted(set(rng.sample(numbers, min(most, len(numbers))) + numbers[-5:]))


def seeded():
    """A generator whose seed is printed; SOAK_SEED sets it, as `make soak` does."""
    seed = int(os.environ.get("SOAK_SEED", 1))
    print("seed", seed)
    return random.Random(seed)


# Short in `make test`, long in `make soak`: only the numbers differ.
ROUNDS = int(os.environ.get("SOAK_ROUNDS", "3"))
SECONDS = float(os.environ.get("SOAK_SECONDS", "6"))
