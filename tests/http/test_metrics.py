"""/metrics: the format, and that the numbers are those of the traffic, with workers that die too."""

import os
import signal
import time

import pytest
import requests

import exposition
from serving import iscc_id, make_asset

REQUESTS = "iscc_search_http_requests_total"
DURATIONS = "iscc_search_http_request_duration_seconds"


def scrape(server, **options):
    answer = server.get("/metrics", **options)
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    return exposition.Metrics(answer.text)


def scrape_until(server, condition, patience_s=30, **options):
    """A request is counted when its answer has left, which its client may see first."""
    end = time.monotonic() + patience_s
    while True:
        metrics = scrape(server, **options)
        if condition(metrics):
            return metrics
        assert time.monotonic() < end, server.get("/metrics", **options).text
        time.sleep(0.05)


@pytest.mark.parametrize("bad", [
    "a 1", "# HELP a b\na 1\n", "# HELP a b\n# TYPE a gauge\na 1\na 2\n",
    "# HELP a b\n# TYPE a gauge\nb 1\n", '# HELP a b\n# TYPE a gauge\na{x="1" 2\n',
    '# HELP a b\n# TYPE a gauge\na{x="\\q"} 2\n', "# HELP a b\n# TYPE a gauge\na one\n",
    "# HELP a b\n# TYPE a counter\na 1\n", "# HELP a b\n# TYPE a gauge\n\na 1\n",
    '# HELP a b\n# TYPE a histogram\na_bucket{le="1"} 2\na_bucket{le="+Inf"} 1\na_sum 1\na_count 1\n'])
def test_the_reader_is_strict(bad):
    with pytest.raises(AssertionError):
        exposition.parse(bad)


def test_fresh_server(start_server):
    metrics = scrape_until(start_server(), lambda m: m.value("iscc_search_http_requests_in_progress") == 1)
    assert metrics.value("iscc_search_store_up") == 1
    assert metrics.value("iscc_search_processes") == 1
    assert metrics.value("iscc_search_process_starts_total") == 1
    assert metrics.value("iscc_search_rows_scanned_total") == 0
    assert metrics.value("iscc_search_commits_total") == 0
    assert metrics.value("iscc_search_queue_depth", threads="scan") == 0
    assert metrics.value("iscc_search_queue_depth", threads="quick") == 0
    assert metrics.value("iscc_search_queue_depth", threads="bulk") == 0
    assert metrics.value("iscc_search_index_assets") is None


def test_requests_are_counted_by_route_and_status(start_server):
    server = start_server()
    before = scrape_until(server, lambda m: m.value(REQUESTS, route="/healthz")).value(REQUESTS, route="/healthz")
    for _ in range(7):
        server.get("/healthz")
    server.post("/indexes", json={"name": "books"})
    for number in range(3):
        server.get(f"/indexes/none{number}")
    server.post("/indexes", data=b"{", headers={"Content-Type": "application/json"})
    for path in ("/nope", "/nope/too"):
        server.get(path)
    server.call("PUT", "/indexes")
    metrics = scrape_until(server, lambda m: m.value("iscc_search_http_requests_in_progress") == 1)
    found = {(dict(labels)["method"], dict(labels)["route"], dict(labels)["status"]): value
             for labels, value in metrics.samples(REQUESTS).items()}
    assert found.pop(("GET", "/healthz", "200")) == before + 7
    found.pop(("GET", "/metrics", "200"))
    assert found == {("POST", "/indexes", "201"): 1, ("GET", "/indexes/{name}", "404"): 3,
                     ("POST", "/indexes", "422"): 1, ("other", "other", "404"): 2,
                     ("other", "other", "405"): 1}
    assert metrics.value(DURATIONS + "_count", route="/indexes/{name}") == 3
    assert 0 < metrics.value(DURATIONS + "_sum", route="/indexes/{name}") < 10


def test_what_a_store_does_is_counted(start_server):
    server = start_server("usearch://{dir}")
    server.post("/indexes", json={"name": "books"})
    start = scrape(server)
    for number in (1, 2, 3):
        server.post("/indexes/books/assets", json=[make_asset(number * 10 + k) for k in range(5)])
    server.delete(f"/indexes/books/assets/{iscc_id(31)}")
    # 14 assets with a unit of each of three types (INSTANCE is looked up, not scanned)
    server.post("/indexes/books/search", json={"units": make_asset(99)["units"]})
    metrics = scrape(server)
    assert metrics.value("iscc_search_commits_total") - start.value("iscc_search_commits_total") == 4
    assert metrics.value("iscc_search_rows_scanned_total") == 3 * 14
    assert metrics.value("iscc_search_index_assets", index="books") == 14
    assert metrics.value("iscc_search_index_readers", index="books") == 0
    file = server.folder.parent / "data" / "books" / "index.lmdb"
    assert metrics.value("iscc_search_index_bytes", index="books") == file.stat().st_size


@pytest.mark.parametrize("uri", ["memory://", "lmdb://{dir}"])
def test_other_engines(start_server, uri):
    server = start_server(uri)
    server.post("/indexes", json={"name": "books"})
    server.post("/indexes/books/assets", json=[make_asset(1), make_asset(2)])
    server.post("/indexes/books/search", json={"units": make_asset(1)["units"]})
    metrics = scrape(server)
    assert metrics.value("iscc_search_index_assets", index="books") == 2
    assert metrics.value("iscc_search_commits_total") >= 1
    assert metrics.value("iscc_search_rows_scanned_total") > 0


def test_passages_are_counted(start_server):
    server = start_server("usearch://{dir}")
    server.post("/indexes", json={"name": "books"})
    simprints = [{"simprint": "AAAAAAAAAAA", "offset": 0, "size": 9}]
    server.post("/indexes/books/assets", json=[
        make_asset(n, simprints={"CONTENT_TEXT_V0": simprints}) for n in (1, 2, 3)])
    before = scrape(server).value("iscc_search_rows_scanned_total")
    found = server.post("/indexes/books/search", json={
        "simprints": {"CONTENT_TEXT_V0": ["AAAAAAAAAAA", "__________8"]}})
    assert found.status_code == 200, found.text
    assert scrape(server).value("iscc_search_rows_scanned_total") - before == 3 * 2


def test_names_of_indexes_need_the_key(start_server):
    server = start_server(env={"ISCC_SEARCH_API_SECRET": "s3cret"})
    assert server.get("/metrics").status_code == 401
    scrape_until(server, lambda m: m.value(REQUESTS, route="/metrics", status="401") == 1, headers={"X-API-Key": "s3cret"})


def test_head(start_server):
    server = start_server()
    assert server.call("HEAD", "/metrics").status_code == 200


def test_a_store_in_trouble_still_counts(start_server, tmp_path):
    server = start_server("usearch://{dir}")
    server.post("/indexes", json={"name": "books"})
    (tmp_path / "data").rename(tmp_path / "elsewhere")
    try:
        metrics = scrape_until(server, lambda m: m.value(REQUESTS, status="201") == 1)
        assert metrics.value("iscc_search_store_up") == 0
    finally:
        (tmp_path / "elsewhere").rename(tmp_path / "data")
    assert scrape(server).value("iscc_search_store_up") == 1


def test_workers_are_added_up(start_server):
    server = start_server("usearch://{dir}", args=["--workers", "3"])
    server.post("/indexes", json={"name": "books"})
    server.post("/indexes/books/assets", json=[make_asset(n) for n in range(1, 11)])
    for _ in range(60):  # each on a connection of its own, so that any worker may get it
        server.get("/status")
    for _ in range(20):
        server.post("/indexes/books/search", json={"units": make_asset(99)["units"]})
    metrics = scrape_until(server, lambda m: (
        m.value(REQUESTS, route="/status") == 60 and
        m.value(REQUESTS, route="/indexes/{name}/search") == 20 and
        m.value("iscc_search_process_starts_total") == 3 and
        m.value("iscc_search_http_requests_in_progress") == 1))
    assert metrics.value("iscc_search_rows_scanned_total") == 20 * 3 * 10
    assert metrics.value("iscc_search_processes") == 3


def children(pid):
    with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as file:
        return [int(word) for word in file.read().split()]


def test_counters_outlive_a_worker(start_server):
    server = start_server("usearch://{dir}", args=["--workers", "2"])
    for _ in range(40):
        server.get("/status")
    scrape_until(server, lambda m: m.value(REQUESTS, route="/status") == 40)
    for _ in range(2):
        before = children(server.process.pid)
        os.kill(before[0], signal.SIGKILL)
        end = time.monotonic() + 30
        while before[0] in (now := children(server.process.pid)) or len(now) < 2:
            assert time.monotonic() < end
            time.sleep(0.02)
        while True:
            try:
                server.get("/status")
                break
            except requests.ConnectionError:  # it had been given to the one that died
                assert time.monotonic() < end
    metrics = scrape_until(server, lambda m: m.value("iscc_search_process_starts_total") == 4)
    assert metrics.value(REQUESTS, route="/status") >= 40  # the last of one that died may be lost
    assert metrics.value("iscc_search_http_requests_in_progress") >= 1
