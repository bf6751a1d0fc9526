"""serve --tls-cert --tls-key: https of its own, with one process and with several."""

import os
import re
import signal
import socket
import ssl
import subprocess
import time

import pytest
import requests

import exposition
from serving import BINARY, free_port, make_asset


def openssl(*words):
    subprocess.run(["openssl", *map(str, words)], check=True, capture_output=True)


@pytest.fixture(scope="module")
def pems(tmp_path_factory):
    """A folder with certificates for 127.0.0.1 and their keys."""
    folder = tmp_path_factory.mktemp("pems")
    for name, kind in (("rsa", ["rsa:2048"]), ("ec", ["ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"])):
        openssl("req", "-x509", "-newkey", *kind, "-nodes", "-days", "2", "-subj", f"/CN={name}",
                "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", folder / f"{name}.key",
                "-out", folder / f"{name}.crt")
    openssl("rsa", "-aes128", "-passout", "pass:word", "-in", folder / "rsa.key",
            "-out", folder / "locked.key")
    (folder / "text").write_text("this is no PEM")
    (folder / "half.crt").write_text((folder / "rsa.crt").read_text()[:200])
    return folder


@pytest.fixture
def serve(tmp_path):
    """A function that starts servers, given options and environment, and returns their URL."""
    running = []

    def start(*words, env=None):
        process = subprocess.Popen(
            [BINARY, "serve", "--host", "127.0.0.1", "--port", "0", *map(str, words)], cwd=tmp_path,
            env={**os.environ, "ISCC_SEARCH_INDEX_URI": f"usearch://{tmp_path}/data", **(env or {})},
            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        running.append(process)
        return re.search(r"https?://\S+", process.stdout.readline())[0]

    yield start
    for process in running:
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 0


@pytest.mark.parametrize("kind", ["rsa", "ec"])
@pytest.mark.parametrize("workers", [1, 3])
def test_https(serve, pems, kind, workers):
    base = serve("--tls-cert", pems / f"{kind}.crt", "--tls-key", pems / f"{kind}.key",
                 "--workers", workers)
    assert base.startswith("https://127.0.0.1:")
    trust = {"verify": str(pems / f"{kind}.crt"), "timeout": 20}
    assert requests.post(base + "/indexes", json={"name": "main"}, **trust).status_code == 201
    assets = [make_asset(number) for number in range(1, 2001)]
    assert requests.post(base + "/indexes/main/assets", json=assets, **trust).status_code == 201
    for _ in range(10):
        found = requests.post(base + "/indexes/main/search", json={"units": assets[6]["units"]}, **trust)
        assert found.json()["global_matches"][0]["iscc_id"] == assets[6]["iscc_id"]
    moved = requests.get(base + "/indexes/", allow_redirects=False, **trust)
    assert moved.headers["location"] == "/indexes"
    exposition.parse(requests.get(base + "/metrics", **trust).text)
    with pytest.raises(requests.exceptions.SSLError):
        requests.get(base + "/healthz", timeout=20)  # nobody vouches for the certificate


def test_settings(serve, pems):
    base = serve(env={"ISCC_SEARCH_TLS_CERT": str(pems / "rsa.crt"),
                      "ISCC_SEARCH_TLS_KEY": str(pems / "rsa.key")})
    assert requests.get(base + "/healthz", verify=str(pems / "rsa.crt"), timeout=20).status_code == 200


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion")
@pytest.mark.parametrize("version, works", [("TLSv1_3", True), ("TLSv1_2", True), ("TLSv1_1", False)])
def test_versions(serve, pems, version, works):
    base = serve("--tls-cert", pems / "rsa.crt", "--tls-key", pems / "rsa.key")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(pems / "rsa.crt")
    context.set_ciphers("DEFAULT:@SECLEVEL=0")
    context.minimum_version = context.maximum_version = getattr(ssl.TLSVersion, version)

    def ask():
        with socket.create_connection(("127.0.0.1", int(base.rsplit(":", 1)[1])), timeout=10) as link, \
                context.wrap_socket(link, server_hostname="127.0.0.1") as safe:
            safe.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
            return safe.recv(100)

    if works:
        assert ask().startswith(b"HTTP/1.1 200 ")
    else:
        with pytest.raises((ssl.SSLError, ConnectionError)):
            ask()


def test_http_is_not_answered(serve, pems):
    base = serve("--tls-cert", pems / "rsa.crt", "--tls-key", pems / "rsa.key")
    with pytest.raises(requests.ConnectionError):
        requests.get(base.replace("https", "http") + "/healthz", timeout=20)
    assert requests.get(base + "/healthz", verify=str(pems / "rsa.crt"), timeout=20).status_code == 200


@pytest.mark.parametrize("cert, key, words", [
    ("none.crt", "rsa.key", "none.crt"), ("rsa.crt", "none.key", "none.key"),
    ("text", "rsa.key", "certificate: expected PEM"), ("rsa.crt", "text", "key: expected PEM"),
    ("rsa.crt", "locked.key", "without a passphrase"), ("rsa.crt", "ec.key", "belongs together"),
    ("half.crt", "rsa.key", "valid pair"), ("", "rsa.key", "ISCC_SEARCH_TLS_CERT: expected"),
    ("rsa.crt", "", "ISCC_SEARCH_TLS_KEY: expected")])
@pytest.mark.parametrize("workers", [1, 2])
def test_what_is_wrong_is_said(tmp_path, pems, cert, key, words, workers):
    env = {**os.environ, "ISCC_SEARCH_INDEX_URI": f"usearch://{tmp_path}/data"}
    options = [*(["--tls-cert", pems / cert] if cert else []), *(["--tls-key", pems / key] if key else [])]
    done = subprocess.run([BINARY, "serve", "--port", str(free_port()), "--workers", str(workers),
                           *options], env=env, cwd=tmp_path, capture_output=True, text=True,
                          check=False, timeout=20)
    assert (done.returncode, done.stdout) == (1, "")
    assert words in done.stderr and "ISCC_SEARCH_TLS_" in done.stderr


@pytest.mark.parametrize("sends", [False, True], ids=["silent", "trickles"])
def test_a_body_that_does_not_go_on_ends_the_connection(serve, pems, sends):
    """Without an answer, as the connection is encrypted by the library."""
    base = serve("--tls-cert", pems / "ec.crt", "--tls-key", pems / "ec.key",
                 env={"ISCC_SEARCH_CLIENT_TIMEOUT": "1"})
    context = ssl.create_default_context(cafile=str(pems / "ec.crt"))
    with socket.create_connection(("127.0.0.1", int(base.rpartition(":")[2])), timeout=20) as link:
        with context.wrap_socket(link, server_hostname="127.0.0.1") as tls:
            tls.sendall(b"POST /indexes HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\n")
            tls.settimeout(0.2)
            end, received = time.monotonic() + 30, None
            while received is None:
                assert time.monotonic() < end
                try:
                    if sends:
                        tls.sendall(b" ")
                    received = tls.recv(100)
                except socket.timeout:
                    pass
                except OSError:
                    received = b""
            assert received == b""
