#!/usr/bin/env python3
"""faiss-cpu in this process: IndexBinaryFlat (exact), IndexBinaryMultiHash and IndexBinaryHNSW (approximate).

faiss keeps the index in memory; what survives the process is what write_index_binary() has written whole.
A single search takes one thread, a batch and adding take all.
"""
import json
import os
import sys
import time

import faiss
import numpy as np
from data import BITS, BYTES, JUDGED, LIMIT, MORE, RADIUS
from peer import BATCH, PAIR_BITS, Absent, Peer, repeated, with_threads

CORES = len(os.sched_getaffinity(0))
PAIR_BLOCK = 256


def make_flat():
    return faiss.IndexBinaryFlat(BITS)


def make_multihash():
    index = faiss.IndexBinaryMultiHash(BITS, 16, 16)  # 16 tables by 16 bits each
    index.nflip = 1  # and their neighbours
    return index


def make_hnsw():
    index = faiss.IndexBinaryHNSW(BITS, 32)
    index.hnsw.efSearch = 64
    return index


MAKERS = {"faiss-flat": make_flat, "faiss-multihash": make_multihash, "faiss-hnsw": make_hnsw}


class Faiss(Peer):
    def __init__(self, *words):
        super().__init__(*words)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.path = self.folder / "index.faiss"
        faiss.omp_set_num_threads(CORES)
        self.index = faiss.read_index_binary(str(self.path)) if self.path.exists() else MAKERS[self.name]()
        self.queries = self.read("queries.bin")

    def read(self, name):
        return np.fromfile(self.data / name, dtype=np.uint8).reshape(-1, BYTES)

    def ingest(self):
        codes = self.read("codes.bin")
        start = time.perf_counter()
        self.index.add(codes)
        added = time.perf_counter()
        faiss.write_index_binary(self.index, str(self.path))
        with open(self.path, "rb") as file:
            os.fsync(file.fileno())
        return {"seconds": time.perf_counter() - start, "write_s": time.perf_counter() - added}

    def more(self):
        self.index.add(self.read("more.bin"))

    def lost(self):
        _, found = self.index.search(self.read("more.bin"), LIMIT)
        numbers = np.arange(self.size, self.size + MORE)[:, None]
        return {"lost": int(MORE - (found == numbers).any(axis=1).sum()), "of": MORE}

    def search(self, query):
        return self.index.search(query[None, :], LIMIT)

    def first(self):
        self.search(self.queries[1])

    def answers(self, path):
        away, found = self.index.search(self.queries[:JUDGED], LIMIT)
        kept = [[int(i) for d, i in zip(ds, ids, strict=True) if i >= 0 and d <= RADIUS]
                for ds, ids in zip(away, found, strict=True)]
        with open(path, "w", encoding="ascii") as out:
            json.dump(kept, out)

    def clients(self, count, seconds):
        return with_threads(self.search, self.queries, int(count), float(seconds),
                            prepare=lambda: faiss.omp_set_num_threads(1))  # a setting of the calling thread

    def batch(self, seconds):
        return repeated(lambda: self.index.search(self.queries[:BATCH], LIMIT), float(seconds))

    def pairs(self, _limit_s):
        if self.name == "faiss-hnsw":
            raise Absent("no search by radius")
        codes, found = self.read("codes.bin"), 0
        start = time.perf_counter()
        for first in range(0, len(codes), PAIR_BLOCK):
            limits, _, ids = self.index.range_search(codes[first:first + PAIR_BLOCK], PAIR_BITS + 1)
            rows = first + np.repeat(np.arange(len(limits) - 1), np.diff(limits.astype(np.int64)))
            found += int((ids > rows).sum())
        return {"seconds": time.perf_counter() - start, "pairs": found}


if __name__ == "__main__":
    Faiss(*sys.argv[1:]).serve()
