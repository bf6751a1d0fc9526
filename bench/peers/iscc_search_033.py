#!/usr/bin/env python3
"""iscc-search 0.3.3, the program in Python, as a server on a directory."""
import sys

from peer import HttpPeer


class Old(HttpPeer):
    def command(self):
        return [self.program, "serve", "--host", "127.0.0.1", "--port", str(self.port)]

    def env(self):
        return {"ISCC_SEARCH_INDEX_URI": f"usearch://{self.folder}/store"}


if __name__ == "__main__":
    Old(*sys.argv[1:]).serve()
