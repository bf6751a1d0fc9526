#!/usr/bin/env python3
"""This program as a server: on a directory, on PostgreSQL with a follower, and on PostgreSQL by its SQL alone.
"""
import sys
import time

from data import LIMIT
from peer import BATCH, PAIR_SCORE, Absent, HttpPeer, family, repeated
from postgres_peer import Database


class Program(HttpPeer):
    def command(self):
        return [self.program, "serve", "--host", "127.0.0.1", "--port", str(self.port)]

    def env(self):
        return {"ISCC_SEARCH_INDEX_URI": f"usearch://{self.folder}/store", "ISCC_SEARCH_LOG_LEVEL": "error"}

    def batch(self, seconds):
        queries = self.queries()[:BATCH]
        return repeated(lambda: self.search_batch(queries), float(seconds))

    def search_batch(self, queries):
        """The results of some queries in one request."""
        body = '{"queries":[' + ",".join(queries) + "]}"
        results = self.ask_again("POST", f"/indexes/main/search/batch?limit={LIMIT}", body)["results"]
        if any("global_matches" not in result for result in results):
            raise RuntimeError("a query of the batch failed")
        return results

    def ids_of(self, queries):
        return [[match["iscc_id"] for match in result["global_matches"]] for result in self.search_batch(queries)]

    def pairs(self, _limit_s):
        start, pairs = time.perf_counter(), 0
        self.client.request("GET", f"/indexes/main/duplicates?min_score={PAIR_SCORE}")
        reply = self.client.getresponse()
        if reply.status == 501:
            raise Absent("not offered by this engine")
        if reply.status != 200:
            raise RuntimeError(f"all pairs: {reply.status} {reply.read(150)}")
        for line in reply:
            pairs += line != b"\n"
        return {"seconds": time.perf_counter() - start, "pairs": pairs}


class OnPostgres(Program):
    """The server of PostgreSQL runs beside it, and counts as its memory."""

    def start(self):
        if not hasattr(self, "database"):
            self.database = Database(self.folder)
        super().start()

    def env(self):
        search = "sql" if self.name.endswith("-sql") else "follower"
        return {"ISCC_SEARCH_INDEX_URI": self.database.cluster.uri(), "ISCC_SEARCH_LOG_LEVEL": "error",
                "ISCC_SEARCH_POSTGRES_SEARCH": search,
                "ISCC_SEARCH_POSTGRES_FOLLOWER_DIR": str(self.folder / "followers")}

    def pids(self):
        return super().pids() + family(self.database.cluster.process.pid)

    def close(self):
        super().close()
        self.database.close()


if __name__ == "__main__":
    (OnPostgres if "postgres" in sys.argv[1] else Program)(*sys.argv[1:]).serve()
