"""An imitation of the Hugging Face Hub on 127.0.0.1: its lists in pages, files behind a redirect to a second
host, ranges, and the faults of such hosts."""

import hashlib
import http.server
import json
import threading
import time
import urllib.parse

COMMIT = "0123456789abcdef0123456789abcdef01234567"


class Request:
    """What was asked for."""

    def __init__(self, host, handler):
        self.host, self.path, self.time = host, handler.path, time.monotonic()
        self.headers = {name.lower(): value for name, value in handler.headers.items()}


class DatasetHost:
    """`repos` is {repository: {path: bytes}}, `datasets` the rows of /api/datasets.

    `faults` is a list of (part of a path, answer): the first that fits is used up by a request; an answer is
    (status, headers, body), or the number of bytes after which the connection is cut.
    """

    def __init__(self):
        self.repos, self.datasets, self.faults, self.requests = {}, [], [], []
        self.page_items = 1000
        self.has_sums = self.has_ranges = self.redirects = True
        self.token = None
        self.servers = [self._serve(name) for name in ("hub", "cdn")]
        self.url, self.cdn = (f"http://127.0.0.1:{server.server_address[1]}" for server in self.servers)

    def stop(self):
        for server in self.servers:
            server.shutdown()
            server.server_close()

    def asked(self, part, host=None):
        """The requests whose path contains `part`."""
        return [one for one in self.requests if part in one.path and host in (None, one.host)]

    def _serve(self, name):
        host = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_):
                pass

            def do_GET(self):
                host.requests.append(Request(name, self))
                fault = host._take_fault(self.path)
                if isinstance(fault, tuple):
                    self.answer(*fault)
                elif name == "cdn":
                    host._send_file(self, fault)
                else:
                    host._answer_hub(self, fault)

            do_HEAD = do_GET  # of the Python client

            def answer(self, status, headers, body, cut=None):
                self.send_response(status)
                for key, value in headers.items():
                    self.send_header(key, value)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body[:cut] if self.command == "GET" else b"")
                if cut is not None:
                    self.close_connection = True

        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, daemon=True).start()
        return server

    def _take_fault(self, path):
        for fault in self.faults:
            if fault[0] in path:
                self.faults.remove(fault)
                return fault[1]
        return None

    def _answer_hub(self, handler, cut):
        url = urllib.parse.urlparse(handler.path)
        query = dict(urllib.parse.parse_qsl(url.query))
        words = [urllib.parse.unquote(word) for word in url.path.strip("/").split("/")]
        if self.token and handler.headers.get("Authorization") != f"Bearer {self.token}":
            return handler.answer(401, {}, b'{"error": "Invalid username or password."}')
        if words == ["api", "datasets"]:
            found = [one for one in self.datasets if one["id"].startswith(query.get("author", "") + "/")]
            return self._send_page(handler, url.path, query, found, int(query["limit"]))
        repo = "/".join(words[2:4] if words[0] == "api" else words[1:3])
        if repo not in self.repos:
            return handler.answer(404, {}, b'{"error": "Repository not found"}')
        if words[0] == "api":
            assert query["recursive"] == "true"
            items = [{"type": "directory", "path": "data", "oid": "1" * 40, "size": 0}]
            return self._send_page(handler, url.path, query, items + [
                self._item(path, body) for path, body in self.repos[repo].items()], self.page_items)
        assert words[3:5] == ["resolve", "main"]
        if "/".join(words[5:]) not in self.repos[repo]:
            return handler.answer(404, {}, b'{"error": "Entry not found"}')
        if not self.redirects:
            return self._send_file(handler, cut)
        body = self.repos[repo]["/".join(words[5:])]
        target = self.cdn + url.path + "?X-Signature=secret"
        return handler.answer(302, {"Location": target, "X-Repo-Commit": COMMIT,
                                    "X-Linked-Size": str(len(body)),
                                    "X-Linked-Etag": f'"{hashlib.sha256(body).hexdigest()}"'}, b"")

    def _item(self, path, body):
        item = {"type": "file", "oid": "2" * 40, "size": len(body), "path": path}
        if self.has_sums:
            item["lfs"] = {"oid": hashlib.sha256(body).hexdigest(), "size": len(body), "pointerSize": 130}
        return item

    def _send_page(self, handler, path, query, items, size):
        start, size = int(query.get("cursor", 0)), min(size, self.page_items)
        headers = {"Content-Type": "application/json"}
        if start + size < len(items):
            more = urllib.parse.urlencode({**query, "cursor": start + size})
            headers["Link"] = f'<{self.url}{path}?{more}>; rel="next"'
        handler.answer(200, headers, json.dumps(items[start:start + size]).encode())

    def _send_file(self, handler, cut):
        words = [urllib.parse.unquote(word) for word in urllib.parse.urlparse(handler.path).path.strip("/").split("/")]
        body, headers, status = self.repos["/".join(words[1:3])]["/".join(words[5:])], {}, 200
        start = handler.headers.get("Range", "").removeprefix("bytes=").removesuffix("-")
        if not self.redirects:
            headers["X-Repo-Commit"] = COMMIT
        if start and self.has_ranges:
            if int(start) >= len(body):
                return handler.answer(416, {}, b"")
            headers["Content-Range"] = f"bytes {start}-{len(body) - 1}/{len(body)}"
            status, body = 206, body[int(start):]
        return handler.answer(status, headers, body, cut)
