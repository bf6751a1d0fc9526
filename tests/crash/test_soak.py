"""Four processes, writers and readers on one index; then kill -9 of one process or of all, again and again.

Seconds in `make test`, long in `make soak`: only the numbers differ.
  SOAK_SECONDS  writers and readers without a kill, for each kind of fleet
  SOAK_ROUNDS   kills, for each kind of fleet
  SOAK_SEED     of the clients and the kills: always the same unless it is set, as `make soak` does; printed
"""
import os
import random
import time

import pytest
import requests

from fleet import Clients, Fleet, Ledger, check_all, iscc_id, query_of

PROCESSES = 4
SECONDS = float(os.environ.get("SOAK_SECONDS", "2"))
ROUNDS = int(os.environ.get("SOAK_ROUNDS", "4"))
SEED = int(os.environ.get("SOAK_SEED", 1))


@pytest.fixture(params=["servers", "workers"])
def fleet(request, tmp_path):
    """Processes on a new index `main` that declares the fields of its assets."""
    made = Fleet(tmp_path, PROCESSES, request.param == "workers")
    assert requests.post(made.bases()[0], json={"name": "main"}).status_code == 201
    assert requests.put(made.bases()[0] + "/main/fields", json=["number", "version"]).status_code == 200
    yield made
    made.stop()


def report(what, ledger, live, start_s):
    print(f"{what}: seed {SEED}, {time.monotonic() - start_s:.0f} s, {ledger.acknowledged} changes of assets "
          f"acknowledged, {ledger.reads} reads beside them, {live} assets in the end, "
          f"{len(ledger.entries)} ever")


def check_fields(fleet, ledger):
    """A filter by the fields of an asset lets through that asset alone, and in its last version alone.
    `index check` (check_all) has compared the whole table with the assets."""
    session, bases = requests.Session(), fleet.bases()
    for i, (number, entry) in enumerate(list(ledger.entries.items())[:200]):
        for version in range(max(0, entry.highest - 2), entry.highest + 1):
            query = {"units": query_of(number, version)["units"], "min_score": 0,
                     "filter": {"all": [{"field": "number", "equals": number},
                                        {"field": "version", "equals": version}]}}
            reply = session.post(f"{bases[i % len(bases)]}/main/search", json=query)
            assert reply.status_code == 200, reply.text
            found = [match["iscc_id"] for match in reply.json()["global_matches"]]
            assert found == ([iscc_id(number)] if version == entry.version else []), (number, version)


def test_what_is_acknowledged_is_found(fleet):
    ledger, start_s = Ledger(), time.monotonic()
    clients = Clients(fleet, ledger, PROCESSES, PROCESSES, SEED)
    time.sleep(SECONDS)
    clients.stop()
    live = check_all(fleet, ledger)
    check_fields(fleet, ledger)
    report("soak", ledger, live, start_s)
    assert ledger.acknowledged and ledger.reads


def test_what_is_acknowledged_survives_kill_9(fleet):
    rng = random.Random(SEED)
    ledger, start_s, live, lost = Ledger(), time.monotonic(), 0, 0
    for number in range(ROUNDS):
        clients = Clients(fleet, ledger, PROCESSES, 2, f"{SEED} {number}")
        time.sleep(rng.uniform(0.05, 0.6))
        if rng.random() < 0.5:
            fleet.kill_all()
        else:
            fleet.kill_one(rng)
        clients.stop()
        lost += len(ledger.batches)
        live = check_all(fleet, ledger)
        check_fields(fleet, ledger)
    report(f"{ROUNDS} kills, {lost} requests cut off", ledger, live, start_s)
    assert ledger.acknowledged
