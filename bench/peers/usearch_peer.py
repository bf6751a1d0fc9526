#!/usr/bin/env python3
"""usearch in this process: exact search over an array, and its HNSW index.

What survives the process is the file that save() has written whole. A single search takes one thread, a
batch and adding take all.
"""
import json
import os
import sys
import time

import numpy as np
from data import BITS, BYTES, JUDGED, LIMIT, MORE, RADIUS
from peer import BATCH, Peer, repeated, with_threads
from usearch.index import Index, MetricKind, search

CORES = len(os.sched_getaffinity(0))


class Usearch(Peer):
    """HNSW; the queries of a batch are searched by all threads."""

    def __init__(self, *words):
        super().__init__(*words)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.path = self.folder / "index.usearch"
        self.queries = self.read("queries.bin")
        self.open()

    def read(self, name):
        return np.fromfile(self.data / name, dtype=np.uint8).reshape(-1, BYTES)

    def open(self):
        self.index = Index(ndim=BITS, metric=MetricKind.Hamming, dtype="b1")
        if self.path.exists():
            self.index.load(str(self.path))

    def add(self, codes, first):
        self.index.add(np.arange(first, first + len(codes)), codes, threads=CORES)

    def save(self):
        self.index.save(str(self.path))

    def ask(self, queries, threads):
        """The distances and the numbers of the best."""
        found = self.index.search(queries, LIMIT, threads=threads)
        return np.atleast_2d(found.distances), np.atleast_2d(found.keys)

    def ingest(self):
        codes = self.read("codes.bin")
        start = time.perf_counter()
        self.add(codes, 0)
        added = time.perf_counter()
        self.save()
        with open(self.path, "rb") as file:
            os.fsync(file.fileno())
        return {"seconds": time.perf_counter() - start, "write_s": time.perf_counter() - added}

    def more(self):
        self.add(self.read("more.bin"), self.size)

    def lost(self):
        _, found = self.ask(self.read("more.bin"), CORES)
        numbers = np.arange(self.size, self.size + MORE)[:, None]
        return {"lost": int(MORE - (found == numbers).any(axis=1).sum()), "of": MORE}

    def first(self):
        self.ask(self.queries[1], 1)

    def answers(self, path):
        away, found = self.ask(self.queries[:JUDGED], CORES)
        with open(path, "w", encoding="ascii") as out:
            json.dump([[int(i) for d, i in zip(ds, ids, strict=True) if d <= RADIUS]
                       for ds, ids in zip(away, found, strict=True)], out)

    def clients(self, count, seconds):
        return with_threads(lambda query: self.ask(query, 1), self.queries, int(count), float(seconds))

    def batch(self, seconds):
        return repeated(lambda: self.ask(self.queries[:BATCH], CORES), float(seconds))


class Exact(Usearch):
    """No index: the array of codes is searched as it is."""

    def open(self):
        self.codes = (np.fromfile(self.path, dtype=np.uint8).reshape(-1, BYTES) if self.path.exists()
                      else np.zeros((0, BYTES), dtype=np.uint8))

    def add(self, codes, first):
        self.codes = np.concatenate([self.codes, codes])

    def save(self):
        self.codes.tofile(self.path)

    def ask(self, queries, threads):
        found = search(self.codes, queries, LIMIT, MetricKind.Hamming, exact=True, threads=threads)
        return np.atleast_2d(found.distances), np.atleast_2d(found.keys)


if __name__ == "__main__":
    (Exact if sys.argv[1] == "usearch-exact" else Usearch)(*sys.argv[1:]).serve()
