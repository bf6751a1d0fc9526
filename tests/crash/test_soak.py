"""Four processes, writers and readers on one index; then kill -9 of one process or of all, again and again.

Seconds in `make test`, long in `make soak`: only the numbers differ.
  SOAK_SECONDS  writers and readers without a kill, for each kind of fleet
  SOAK_ROUNDS   kills, for each kind of fleet
  SOAK_SEED     of the clients and the kills; printed
"""
import os
import random
import time

import pytest
import requests

from fleet import Clients, Fleet, Ledger, check_all

PROCESSES = 4
SECONDS = float(os.environ.get("SOAK_SECONDS", "2"))
ROUNDS = int(os.environ.get("SOAK_ROUNDS", "4"))
SEED = int(os.environ.get("SOAK_SEED", time.time()))


@pytest.fixture(params=["servers", "workers"])
def fleet(request, tmp_path):
    """Processes on a new index `main`."""
    made = Fleet(tmp_path, PROCESSES, request.param == "workers")
    assert requests.post(made.bases()[0], json={"name": "main"}).status_code == 201
    yield made
    made.stop()


def report(what, ledger, live, start_s):
    print(f"{what}: seed {SEED}, {time.monotonic() - start_s:.0f} s, {ledger.acknowledged} changes of assets "
          f"acknowledged, {ledger.reads} reads beside them, {live} assets in the end, "
          f"{len(ledger.entries)} ever")


def test_what_is_acknowledged_is_found(fleet):
    ledger, start_s = Ledger(), time.monotonic()
    clients = Clients(fleet, ledger, PROCESSES, PROCESSES, SEED)
    time.sleep(SECONDS)
    clients.stop()
    live = check_all(fleet, ledger)
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
    report(f"{ROUNDS} kills, {lost} requests cut off", ledger, live, start_s)
    assert ledger.acknowledged
