"""Through pgbouncer, which lends a connection for a session or for a transaction only."""
import json
import os
import shutil
import subprocess
import time

import pytest
from cluster import SUPERUSER, as_servant, free_port, give_to_servant, program
from hosts import SECONDS, make, seeded
from serving import BINARY
from test_pg_hosts import Load, Trial

PROGRAM = shutil.which("pgbouncer") or "/usr/sbin/pgbouncer"


class Bouncer:
    """One pgbouncer in front of a cluster."""

    def __init__(self, cluster, mode, size):
        self.folder, self.port = cluster.folder / f"bouncer-{mode}-{size}", free_port()
        self.folder.mkdir(exist_ok=True)
        (self.folder / "users.txt").write_text(f'"{SUPERUSER}" ""\n')
        (self.folder / "bouncer.ini").write_text(f"""[databases]
* = host={cluster.folder} port={cluster.port}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {self.port}
unix_socket_dir =
auth_type = trust
auth_file = {self.folder}/users.txt
pool_mode = {mode}
default_pool_size = {size}
max_client_conn = 200
ignore_startup_parameters = extra_float_digits
""")
        give_to_servant(self.folder)
        self.log = self.folder / "bouncer.log"
        self.start()

    def start(self):
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(as_servant([PROGRAM, str(self.folder / "bouncer.ini")]),
                                            stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=self.folder)

    def uri(self, database):
        return f"postgresql://{SUPERUSER}@127.0.0.1:{self.port}/{database}"

    def wait_ready(self):
        end = time.monotonic() + 20
        while True:
            assert self.process.poll() is None, self.log.read_text(errors="replace")
            done = subprocess.run([program("psql"), "-XAtq", "-d", self.uri("postgres"), "-c", "select 1"],
                                  capture_output=True, text=True, check=False)
            if done.returncode == 0:
                return self
            assert time.monotonic() < end, done.stderr
            time.sleep(0.05)

    def stop(self):
        self.process.kill()
        self.process.wait()


@pytest.fixture(params=[("session", 60), ("transaction", 6)], ids=["session", "transaction"])
def bouncer(request, shared_cluster):
    if not os.access(PROGRAM, os.X_OK):
        pytest.skip("pgbouncer is not installed: tools/setup test")
    running = Bouncer(shared_cluster, *request.param)
    try:
        yield running.wait_ready()
    finally:
        running.stop()


def test_hosts_agree_through_pgbouncer(bouncer, database, start_host):
    hosts = [start_host(bouncer.uri(database), "one"),
             start_host(bouncer.uri(database), "two", args=["--workers", "3"])]
    assert hosts[0].post("/indexes", json={"name": "main"}).status_code == 201
    Trial(hosts, seeded()).run(SECONDS / 2)


@pytest.mark.parametrize("bouncer", [("transaction", 1)], indirect=True, ids=["transaction"])
def test_the_first_request_of_a_process_gets_an_answer_though_its_statements_have_been_prepared(
        bouncer, database, tmp_path):
    """All processes share one connection to the server, which keeps the prepared statements of the first process."""
    for number in range(3):
        env = {**os.environ, "HOME": str(tmp_path),
               "ISCC_SEARCH_POSTGRES_FOLLOWER_DIR": str(tmp_path / "followers")}
        words = [str(BINARY), "add", "-", "--uri", bouncer.uri(database), "--index", "main"]
        done = subprocess.run(words, input=json.dumps(make(number)), env=env, cwd=tmp_path, text=True,
                              capture_output=True, timeout=60, check=False)
        assert done.returncode == 0, done.stderr


def test_the_death_of_pgbouncer_is_survived(bouncer, database, start_host, shared_cluster):
    rng, load = seeded(), Load()
    hosts = [start_host(bouncer.uri(database)), start_host(shared_cluster.uri(database))]
    assert hosts[0].post("/indexes", json={"name": "main"}).status_code == 201

    def deed():
        time.sleep(0.4)
        bouncer.stop()
        time.sleep(0.4)
        bouncer.start()
        bouncer.wait_ready()
        time.sleep(0.5)

    load.during(hosts, deed)
    load.expect_all(hosts, rng)
