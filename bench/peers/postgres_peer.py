#!/usr/bin/env python3
"""PostgreSQL's plain SQL: a table of bit(256), bit_count(code # query), no extension and no index that could help.

Clients are pgbench's, over a socket. Synced commits; shared_buffers hold the whole table up to some millions.
"""
import json
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tests" / "postgres"))
import cluster
from data import BYTES, JUDGED, LIMIT, MORE, RADIUS
from peer import BATCH, PAIR_BITS, Peer, at_least_one, family, figures

NEAREST = (f"(select id from codes where bit_count(code # {{0}}) <= {RADIUS} "
           f"order by bit_count(code # {{0}}), id limit {LIMIT})")


class Database:
    """A server of PostgreSQL with its data in `folder`, from one start to the next."""

    def __init__(self, folder):
        self.cluster = cluster.Cluster(durable=True, shared_buffers="1GB", log_min_messages="fatal")
        self.cluster.folder.rmdir()
        self.cluster.folder = Path(folder)
        self.cluster.data, self.cluster.log_path = self.cluster.folder / "data", self.cluster.folder / "server.log"
        if self.cluster.data.exists():
            self.cluster.start()
        else:
            self.cluster.folder.mkdir(parents=True, exist_ok=True)
            cluster.give_to_servant(self.cluster.folder)
            self.cluster.create()

    def close(self):
        self.cluster.stop()


def pgbench_figures(said, log):
    """Figures of the output of pgbench and the lines of its log, `client number microseconds ...`; None for a run
    without a search. The rate is pgbench's own, which leaves out the time of connecting."""
    count = int(re.search(r"transactions actually processed: (\d+)", said)[1])
    if failed := re.search(r"failed transactions: ([1-9]\d*)", said):
        raise RuntimeError(f"{failed[1]} searches failed, {count} did not")
    if count != len(log):
        raise RuntimeError(f"pgbench made {count} searches, and its log has {len(log)}")
    if not count:
        return None
    return figures([int(line.split()[2]) / 1e6 for line in log],
                   count / float(re.search(r"tps = ([\d.]+) \(without initial", said)[1]))


class PlainSql(Peer):
    def __init__(self, *words):
        super().__init__(*words)
        self.started = time.perf_counter()
        self.database = Database(self.folder)
        self.cluster = self.database.cluster

    def pids(self):
        return family(self.cluster.process.pid)

    def close(self):
        self.database.close()

    def copy(self, name, table, first):
        """COPY the codes of a file: one transaction."""
        psql = subprocess.Popen([cluster.program("psql"), "-Xq", "-v", "ON_ERROR_STOP=1", "-d", self.cluster.uri(), "-c",
                                 f"copy {table} from stdin"], stdin=subprocess.PIPE, text=True)
        with open(self.data / name, "rb") as file:
            number = first
            while code := file.read(BYTES):
                psql.stdin.write(f"{number}\tx{code.hex()}\n")
                number += 1
        psql.stdin.close()
        if psql.wait():
            raise RuntimeError("COPY failed")

    def ingest(self):
        self.cluster.sql("create table codes (id bigint primary key, code bit(256) not null);"
                         "create table queries (id bigint primary key, code bit(256) not null);")
        self.copy("queries.bin", "queries", 0)
        start = time.perf_counter()
        self.copy("codes.bin", "codes", 0)
        seconds = time.perf_counter() - start
        self.cluster.sql("vacuum analyze codes; vacuum analyze queries;", patience_s=3600)
        return {"seconds": seconds}

    def more(self):
        self.copy("more.bin", "codes", self.size)

    def lost(self):
        """A row is found by every scan: that it is there is enough."""
        return {"lost": MORE - self.cluster.number(f"select count(*) from codes where id >= {self.size}"), "of": MORE}

    def first(self):
        self.cluster.sql(NEAREST.format("(select code from queries where id = 1)"), patience_s=3600)
        return {"seconds": time.perf_counter() - self.started}

    def nearest(self, count):
        """The matches of the first queries, a row `query|id` each."""
        return self.cluster.sql(f"select q.id, x.id from queries q cross join lateral {NEAREST.format('q.code')} x "
                                f"where q.id < {count}", patience_s=3600)

    def answers(self, path):
        found = [[] for _ in range(JUDGED)]
        for row in self.nearest(JUDGED):
            query, number = row.split("|")
            found[int(query)].append(int(number))
        Path(path).write_text(json.dumps(found), encoding="ascii")

    def clients(self, count, seconds):
        with tempfile.TemporaryDirectory() as folder:
            script = Path(folder) / "search.sql"
            script.write_text("\\set n random(0, 999)\n" +
                              NEAREST.format("(select code from queries where id = :n)") + ";\n",
                              encoding="ascii")
            return at_least_one(lambda duration: self.run_pgbench(folder, script, count, duration), int(seconds))

    def run_pgbench(self, folder, script, count, seconds):
        """Figures of one run, None if no search was finished: `seconds` begin before the clients are connected."""
        done = subprocess.run([cluster.program("pgbench"), "-n", "-f", script, "-c", count, "-j", "1", "-T",
                               str(seconds), "-M", "prepared", "-l", "--log-prefix", f"{folder}/log{seconds}",
                               self.cluster.uri()], check=True, capture_output=True, text=True)
        return pgbench_figures(done.stdout, [line for path in Path(folder).glob(f"log{seconds}.*")
                                             for line in path.read_text(encoding="ascii").splitlines()])

    def batch(self, seconds):
        start, done = time.perf_counter(), 0
        while not done or time.perf_counter() < start + float(seconds):
            self.nearest(BATCH)
            done += BATCH
        return {"per_s": done / (time.perf_counter() - start)}

    def pairs(self, limit_s):
        start = time.perf_counter()
        found = self.cluster.number(f"set statement_timeout = '{limit_s}s'; select count(*) from codes a join codes b "
                                    f"on a.id < b.id and bit_count(a.code # b.code) <= {PAIR_BITS}")
        return {"seconds": time.perf_counter() - start, "pairs": found}


if __name__ == "__main__":
    PlainSql(*sys.argv[1:]).serve()
