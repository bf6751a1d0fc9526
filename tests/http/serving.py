"""The real program as a server on a free port, with its own data and environment; made-up assets.

The program is $ISCC_SEARCH_BIN, by default build/iscc-search below the top folder of the project.
"""

import base64
import hashlib
import os
import re
import signal
import socket
import subprocess
import time
from pathlib import Path

import requests

import described

TOP = Path(__file__).resolve().parents[2]
BINARY = Path(os.environ.get("ISCC_SEARCH_BIN", TOP / "build" / "iscc-search")).resolve()

# A sanitizer takes memory of its own, so that of the program cannot be seen.
IS_SANITIZED = BINARY.exists() and any(name in BINARY.read_bytes() for name in (b"__asan_init", b"__tsan_init"))

META, SEMANTIC, CONTENT, DATA, INSTANCE, ISCC, ID = range(7)


def base32(raw):
    """Base32 text without padding."""
    return base64.b32encode(raw).decode().rstrip("=")


def digest(seed, size=8):
    """Reproducible bytes."""
    return hashlib.sha256(str(seed).encode()).digest()[:size]


def unit(main, body, sub=0):
    """An ISCC-UNIT with a body of 4 to 32 bytes."""
    return "ISCC:" + base32(bytes([main << 4 | sub, len(body) // 4 - 1]) + body)


def iscc_id(number, realm=0):
    """The ISCC-ID of a number."""
    return "ISCC:" + base32(bytes([ID << 4 | realm, 0x10]) + number.to_bytes(8, "big"))


def make_asset(number, size=8, **more):
    """An asset with a unit of each kind."""
    units = [unit(main, digest((number, main), size)) for main in (META, CONTENT, DATA, INSTANCE)]
    return {"iscc_id": iscc_id(number), "units": units, **more}


def free_port():
    """A port that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Server:
    """One process of `iscc-search serve`."""

    def __init__(self, folder, uri="memory://", env=None, args=(), pre=()):
        self.folder, self.uri, self.args, self.pre = folder, uri, list(args), list(pre)
        self.env = env or {}
        self.log_path = folder / "server.log"
        self.process = None
        self.port = 0

    @property
    def base(self):
        return f"http://127.0.0.1:{self.port}"

    def start(self, patience_s=60, port=0):
        """Start the process and wait until it answers, on a port that the system chooses if none is given: one that was
        free a moment ago may be another program's when the server asks for it."""
        said = self.log_path.stat().st_size if self.log_path.exists() else 0
        env = {name: value for name, value in os.environ.items()
               if not name.startswith("ISCC_SEARCH_")}
        env.update({"ISCC_SEARCH_INDEX_URI": self.uri, "ISCC_SEARCH_HOST": "127.0.0.1",
                    "ISCC_SEARCH_PORT": str(port), **self.env})
        with open(self.log_path, "ab") as log:
            self.process = subprocess.Popen([*self.pre, str(BINARY), "serve", *self.args], cwd=self.folder,
                                            env=env, stdin=subprocess.DEVNULL, stdout=log,
                                            stderr=subprocess.STDOUT)
        end = time.monotonic() + patience_s
        while time.monotonic() < end:
            assert self.process.poll() is None, f"the server ended: {self.log()}"
            found = re.search(rb"^Starting server in .* at http://127\.0\.0\.1:(\d+)", self.log_path.read_bytes()[said:], re.M)
            if found:
                self.port = int(found[1])
                assert requests.get(self.base + "/healthz", timeout=patience_s).status_code == 200
                return self
            time.sleep(0.02)
        raise AssertionError(f"the server does not start: {self.log()}")

    def stop(self, sig=signal.SIGTERM):
        """End the process; returns its exit code."""
        if self.process is None:
            return None
        if self.process.poll() is None:
            self.process.send_signal(sig)
        code = self.process.wait(60)
        self.process = None
        return code

    def log(self):
        """What the process has said."""
        return self.log_path.read_text(errors="replace")

    def call(self, method, path, **options):
        """One request; its answer has to be as the OpenAPI description says."""
        answer = requests.request(method, self.base + path, timeout=30, allow_redirects=False,
                                  **options)
        described.check(answer)
        return answer

    def get(self, path, **options):
        return self.call("GET", path, **options)

    def post(self, path, **options):
        return self.call("POST", path, **options)

    def patch(self, path, **options):
        return self.call("PATCH", path, **options)

    def put(self, path, **options):
        return self.call("PUT", path, **options)

    def delete(self, path, **options):
        return self.call("DELETE", path, **options)

    @staticmethod
    def connect_to(port):
        """A plain socket to a server on this host."""
        link = socket.create_connection(("127.0.0.1", port), timeout=30)
        link.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return link

    def connect(self):
        """A plain socket to the server."""
        return self.connect_to(self.port)

    def anonymous_kb(self):
        """The memory that the process has for itself: RssAnon."""
        status = Path(f"/proc/{self.process.pid}/status").read_text(encoding="ascii")
        return int(status.partition("RssAnon:")[2].split()[0])

    def raw(self, *pieces, pause_s=0):
        """Send bytes, piece by piece, and return all that comes back until the server closes."""
        with self.connect() as link:
            for piece in pieces:
                link.sendall(piece)
                if pause_s:
                    time.sleep(pause_s)
            return read_all(link)


def read_all(link):
    """Everything until the other side closes."""
    received = b""
    while True:
        try:
            piece = link.recv(65536)
        except ConnectionResetError:
            return received
        if not piece:
            return received
        received += piece


def status_of(answer):
    """The status of a raw answer."""
    assert answer.startswith(b"HTTP/1.1 "), answer[:200]
    return int(answer[9:12])
