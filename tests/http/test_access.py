"""API keys and cross-origin requests."""

import pytest

from serving import status_of

ORIGIN = {"Origin": "https://app.example"}


def test_no_secret_needs_no_key(start_server):
    server = start_server()
    for headers in ({}, {"X-API-Key": "anything"}):
        assert server.get("/indexes", headers=headers).status_code == 200


def test_key(start_server):
    server = start_server(env={"ISCC_SEARCH_API_SECRET": "s3cret"})
    assert server.get("/indexes", headers={"X-API-Key": "s3cret"}).status_code == 200
    for key in ("", "s3cre", "s3cret1", "S3CRET"):
        answer = server.get("/indexes", headers={"X-API-Key": key})
        assert (answer.status_code, answer.json()) == (401, {
            "detail": "Unauthorized", "expected": "the API key, in the header X-API-Key"})
        assert "www-authenticate" not in answer.headers
    assert server.get("/indexes?X-API-Key=s3cret").status_code == 401
    assert server.get("/indexes", headers={"Authorization": "Bearer s3cret"}).status_code == 401
    for path in ("/healthz", "/readyz", "/status", "/", "/docs", "/openapi/openapi.json"):
        assert server.get(path).status_code == 200
    assert "s3cret" not in server.log()


def test_order_of_checks(start_server):
    server = start_server(env={"ISCC_SEARCH_API_SECRET": "s3cret"})
    assert server.get("/nope").status_code == 404
    assert server.call("PUT", "/indexes").status_code == 405
    malformed = server.post("/indexes", data=b"{", headers={"Content-Type": "application/json"})
    assert malformed.status_code == 422
    assert server.post("/indexes").status_code == 401
    assert server.post("/indexes", json={"name": "BAD"}).status_code == 401
    assert server.get("/indexes/none/search").status_code == 401


def test_strangers_cannot_fill_the_memory(start_server):
    server = start_server(env={"ISCC_SEARCH_API_SECRET": "s3cret"})
    answer = server.post("/indexes", data=b"{" + b" " * 3_000_000,
                         headers={"Content-Type": "application/json"})
    assert answer.status_code == 401


def test_key_beyond_ascii(start_server):
    server = start_server(env={"ISCC_SEARCH_API_SECRET": "s3cret"})
    answer = server.raw(b"GET /indexes HTTP/1.1\r\nHost: x\r\nX-API-Key: \xff\xe4\r\n"
                        b"Connection: close\r\n\r\n")
    assert status_of(answer) == 401


def test_empty_secret_locks_out(start_server):
    server = start_server(env={"ISCC_SEARCH_API_SECRET": ""})
    for headers in ({}, {"X-API-Key": ""}, {"X-API-Key": "x"}):
        assert server.get("/indexes", headers=headers).status_code == 401


def test_any_origin(start_server):
    server = start_server()
    assert "access-control-allow-origin" not in server.get("/healthz").headers
    for path in ("/healthz", "/indexes/none", "/nope"):
        answer = server.get(path, headers=ORIGIN)
        assert answer.headers["access-control-allow-origin"] == "*"
        assert "access-control-allow-credentials" not in answer.headers


def test_preflight(start_server):
    server = start_server()
    answer = server.call("OPTIONS", "/nope", headers={
        **ORIGIN, "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "content-type, x-api-key"})
    assert (answer.status_code, answer.text) == (200, "OK")
    assert answer.headers["access-control-allow-headers"] == "content-type, x-api-key"
    assert "DELETE" in answer.headers["access-control-allow-methods"]
    unknown = server.call("OPTIONS", "/nope", headers={
        **ORIGIN, "Access-Control-Request-Method": "BREW"})
    assert unknown.status_code == 400
    assert server.call("OPTIONS", "/indexes", headers=ORIGIN).status_code == 405


@pytest.mark.parametrize("origin, is_listed", [
    ("https://a.example", True), ("https://b.example:8443", True), ("https://c.example", False),
    ("https://b.example", False), ("HTTPS://a.example", False), ("https://a.example,", False)])
def test_listed_origins(start_server, origin, is_listed):
    env = {"ISCC_SEARCH_CORS_ORIGINS": "https://a.example , https://b.example:8443"}
    server = start_server(env=env)
    answer = server.get("/healthz", headers={"Origin": origin})
    assert answer.headers.get("access-control-allow-origin") == (origin if is_listed else None)
    assert "Origin" in answer.headers["vary"]
    preflight = server.call("OPTIONS", "/indexes", headers={
        "Origin": origin, "Access-Control-Request-Method": "GET"})
    assert preflight.status_code == (200 if is_listed else 400)
