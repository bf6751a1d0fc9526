"""kill -9 in the middle of adds: what was acknowledged is found afterwards, and nothing is half there."""
import base64
import os
import random
import signal
import subprocess
import threading
import time
from pathlib import Path

import requests

ROOT = Path(__file__).resolve().parents[2]
BIN = os.environ.get("ISCC_SEARCH_BIN", str(ROOT / "build" / "iscc-search"))
ROUNDS = int(os.environ.get("ISX_KILL_ROUNDS", "5"))
TYPE = "CONTENT_TEXT_V0"


def base32(raw):
    return base64.b32encode(raw).decode().rstrip("=")


def iscc_id(number):
    return "ISCC:" + base32(bytes([0x60, 0x10]) + (1 << 20 | number).to_bytes(8, "big"))


def body(number, main):
    return random.Random(number * 8 + main).randbytes(32)


def asset(number):
    units = ["ISCC:" + base32(bytes([main << 4, 7]) + body(number, main)) for main in (0, 2, 3, 4)]
    simprint = base64.urlsafe_b64encode(body(number, 7)[:16]).decode().rstrip("=")
    return {"iscc_id": iscc_id(number), "units": units, "metadata": {"number": number},
            "simprints": {TYPE: [{"simprint": simprint, "offset": 0, "size": 10}]}}


def serve(folder):
    env = {**os.environ, "ISCC_SEARCH_INDEX_URI": f"usearch://{folder}", "ISCC_SEARCH_HOST": "127.0.0.1",
           "ISCC_SEARCH_LOG_LEVEL": "error"}
    process = subprocess.Popen([BIN, "serve", "--port", "0"], env=env, cwd=folder, stdout=subprocess.PIPE,
                               text=True)
    return process, process.stdout.readline().split()[-1] + "/indexes"


def add_until_killed(base, numbers, acknowledged):
    """Add small batches; remember those whose 201 came."""
    session = requests.Session()
    try:
        for first in numbers:
            batch = list(range(first, first + 5))
            reply = session.post(f"{base}/main/assets", json=[asset(number) for number in batch])
            if reply.status_code == 201:
                acknowledged.extend(batch)
    except requests.RequestException:
        pass


def expect_whole(session, base, number):
    """An asset comes back by GET, by its units, and by its simprint."""
    one = asset(number)
    reply = session.get(f"{base}/main/assets/{one['iscc_id']}")
    assert reply.status_code == 200 and reply.json()["metadata"] == {"number": number}, number
    query = {"units": one["units"], "simprints": {TYPE: [one["simprints"][TYPE][0]["simprint"]]}}
    found = session.post(f"{base}/main/search?limit=3", json=query).json()
    assert found["global_matches"][0]["iscc_id"] == one["iscc_id"], number
    assert found["global_matches"][0]["score"] == 1.0 and len(found["global_matches"][0]["types"]) == 4
    assert found["chunk_matches"][0]["iscc_id"] == one["iscc_id"], number


def test_acknowledged_assets_survive_kill_9(tmp_path):
    seed = int(time.time())
    print("seed", seed)
    rng = random.Random(seed)
    acknowledged, next_number = [], 0
    process, base = serve(tmp_path)
    assert requests.post(base, json={"name": "main"}).status_code == 201
    for _ in range(ROUNDS):
        threads = []
        for _ in range(4):
            numbers = range(next_number, next_number + 5000, 5)
            next_number += 5000
            threads.append(threading.Thread(target=add_until_killed, args=(base, numbers, acknowledged)))
        for thread in threads:
            thread.start()
        time.sleep(rng.uniform(0.05, 0.4))
        process.send_signal(signal.SIGKILL)
        process.wait()
        for thread in threads:
            thread.join()
        process, base = serve(tmp_path)
        session = requests.Session()
        info = session.get(f"{base}/main").json()
        assert info["assets"] >= len(acknowledged)
        assert info["assets"] % 5 == 0, "a batch is there in part"
        for number in rng.sample(acknowledged, min(60, len(acknowledged))):
            expect_whole(session, base, number)
    assert acknowledged
    for number in acknowledged[-300:]:
        expect_whole(session, base, number)
    process.terminate()
    assert process.wait(30) == 0
