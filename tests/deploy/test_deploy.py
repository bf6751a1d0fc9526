"""What is shipped for operating the server: each file is taken by the tool that it is for, and says what is so."""
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import requests

TOP = Path(__file__).resolve().parents[2]
sys.path.append(str(TOP / "tests" / "http"))

from serving import BINARY, Server, free_port, make_asset  # noqa: E402  pylint: disable=wrong-import-position

NGINX = shutil.which("nginx") or shutil.which("/usr/sbin/nginx")


def read(name):
    return (TOP / name).read_text(encoding="utf-8")


def instructions():
    """The instructions of the Dockerfile, each on one line."""
    text = re.sub(r"\\\n\s*", "", read("Dockerfile"))
    return [line for line in text.splitlines() if line and not line.startswith("#")]


@pytest.fixture
def served(tmp_path):
    server = Server(tmp_path, f"usearch://{tmp_path}/data").start()
    yield server
    assert server.stop() == 0, server.log()


@pytest.mark.skipif(not NGINX, reason="nginx is not installed")
def test_nginx_takes_the_example_and_passes_requests_on(served, tmp_path):
    """Our nginx.conf, on another port and with a certificate made here."""
    key, certificate, port, plain = tmp_path / "key.pem", tmp_path / "cert.pem", free_port(), f"{tmp_path}/nginx"
    subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=iscc.example.com", "-addext",
                    "subjectAltName=IP:127.0.0.1", "-days", "2", "-keyout", key, "-out", certificate], check=True, capture_output=True)
    site = read("deploy/nginx.conf")
    for old, new in (("server 127.0.0.1:8000;", f"server 127.0.0.1:{served.port};"),
                     ("listen 443 ssl;", f"listen 127.0.0.1:{port} ssl;"), ("listen [::]:443 ssl;", ""),
                     ("/etc/ssl/iscc.example.com.pem", str(certificate)),
                     ("/etc/ssl/private/iscc.example.com.key", str(key))):
        assert old in site
        site = site.replace(old, new)
    paths = "".join(f"{name}_temp_path {plain}/{name};\n" for name in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
    conf = tmp_path / "nginx.conf"
    os.mkdir(plain)
    conf.write_text(f"pid {plain}/pid;\nerror_log {plain}/error.log;\ndaemon off;\nmaster_process off;\n"
                    f"events {{}}\nhttp {{\naccess_log off;\n{paths}{site}}}\n", encoding="utf-8")
    tried = subprocess.run([NGINX, "-t", "-c", conf], capture_output=True, text=True)
    assert tried.returncode == 0, tried.stderr
    nginx = subprocess.Popen([NGINX, "-c", conf], stderr=subprocess.DEVNULL)
    try:
        base, session = f"https://127.0.0.1:{port}", requests.Session()
        session.trust_env, session.verify = False, str(certificate)
        session.mount(base, requests.adapters.HTTPAdapter(max_retries=requests.adapters.Retry(
            connect=8, backoff_factor=0.05)))
        assert session.post(f"{base}/indexes", json={"name": "main"}).status_code == 201
        assert session.post(f"{base}/indexes/main/assets", json=[make_asset(1)]).status_code == 201
        found = session.post(f"{base}/indexes/main/search", json={"units": make_asset(1)["units"]}).json()
        assert found["global_matches"][0]["iscc_id"] == make_asset(1)["iscc_id"]
        assert session.get(f"{base}/metrics").status_code == 200
    finally:
        nginx.terminate()
        nginx.wait(10)


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="systemd-analyze is not installed")
def test_systemd_takes_the_unit_and_calls_it_hardened(tmp_path):
    unit = tmp_path / "iscc-search.service"
    unit.write_text(read("deploy/iscc-search.service").replace("/usr/local/bin/iscc-search", str(BINARY))
                    .replace("Documentation=man:iscc-search(1)\n", ""), encoding="utf-8")
    said = subprocess.run(["systemd-analyze", "verify", unit], capture_output=True, text=True)
    assert said.returncode == 0 and "iscc-search.service" not in said.stderr, said.stderr
    said = subprocess.run(["systemd-analyze", "security", "--offline=true", "--threshold=15", unit],
                          capture_output=True, text=True)
    assert said.returncode == 0, said.stdout[-400:]


def test_the_image_copies_only_what_exists_and_is_not_ignored():
    allowed = [line[1:] for line in read(".dockerignore").splitlines() if line.startswith("!")]
    assert all((TOP / name).exists() for name in allowed)
    for needed in ("Makefile", "deploy", "src", "include", "tools", "web", "docs", "llms.txt"):
        assert needed in allowed
    assert not [line for line in instructions() if line.startswith("USER") and "root" in line]
    assert "USER iscc-search" in instructions() and "VOLUME /data" in instructions()
    assert "ENV ISCC_SEARCH_INDEX_URI=usearch:///data" in instructions()


def test_the_image_holds_every_library_of_the_program():
    """`tools/setup run` names the package of each library that the program itself asks for."""
    wanted = subprocess.run(["sed", "-n", "/run) wanted/,/;;/p", TOP / "tools" / "setup"], capture_output=True,
                            text=True, check=True).stdout.replace('"', " ").split()
    needed = subprocess.run(["objdump", "-p", BINARY], capture_output=True, text=True, check=True).stdout
    for library in re.findall(r"NEEDED +(\S+)", needed):
        if library.startswith(("libc.", "libm.", "libasan", "libtsan", "libubsan", "libgcc_s", "libstdc++")):
            continue
        owner = subprocess.run(["dpkg-query", "-S", f"*/{library}"], capture_output=True, text=True).stdout
        packages = {line.split(":")[0] for line in owner.splitlines()}
        assert packages & set(wanted), f"{library} is in {packages}"


def test_the_build_of_the_image_works(tmp_path):
    """What the first stage runs, on a copy of what .dockerignore lets in, without compiling again."""
    for name in (line[1:] for line in read(".dockerignore").splitlines() if line.startswith("!")):
        target = tmp_path / "src" / name
        target.parent.mkdir(parents=True, exist_ok=True)
        (shutil.copytree if (TOP / name).is_dir() else shutil.copy)(TOP / name, target)
    said = subprocess.run(["make", "-n", "install", "PREFIX=/usr", "DESTDIR=/install"], cwd=tmp_path / "src",
                          capture_output=True, text=True)
    assert said.returncode == 0 and "/install/usr/bin/iscc-search" in said.stdout, said.stderr


def test_the_unit_that_is_installed_starts_the_program_that_is_installed(tmp_path):
    unit = tmp_path / "build" / "iscc-search.service"
    subprocess.run(["make", "-s", f"BUILD={unit.parent}", "PREFIX=/opt/iscc", unit], cwd=TOP, check=True)
    assert "\nExecStart=/opt/iscc/bin/iscc-search serve\n" in unit.read_text(encoding="utf-8")
    said = subprocess.run(["make", "-n", "install", "PREFIX=/opt/iscc", "DESTDIR=/root-of-it"], cwd=TOP,
                          capture_output=True, text=True, check=True).stdout
    for name in ("systemd/system/iscc-search.service", "sysusers.d/iscc-search.conf"):
        assert f"/root-of-it/opt/iscc/lib/{name}" in said


LIBRARY = BINARY.parent / "libiscc_search.a"
COMPILERS = {"C": ["cc", "-std=c11", "-Wall", "-Wextra", "-Wpedantic", "-Werror"],
             "C++": ["g++", "-std=c++17", "-x", "c++", "-Wall", "-Wextra", "-Wpedantic", "-Werror"]}


def sanitizers():
    """What the library was built with, which the program that links it needs, too."""
    symbols = subprocess.run(["nm", LIBRARY], capture_output=True, text=True).stdout
    wanted = {"__asan_init": "-fsanitize=address,undefined", "__tsan_init": "-fsanitize=thread"}
    return [option for symbol, option in wanted.items() if symbol in symbols]


@pytest.mark.skipif(not LIBRARY.exists(), reason="the library is not beside the program")
@pytest.mark.parametrize("language", COMPILERS)
def test_a_program_is_linked_with_what_is_installed(tmp_path, language):
    """By pkg-config alone, from another folder: in the file that is installed is all that it needs."""
    if not shutil.which(COMPILERS[language][0]):
        pytest.skip(f"{COMPILERS[language][0]} is not installed")
    prefix, program = tmp_path / "usr", tmp_path / "program"
    subprocess.run(["make", "-s", f"BUILD={BINARY.parent}", f"PREFIX={prefix}", "install"], cwd=TOP, check=True,
                   capture_output=True)
    env = {**os.environ, "PKG_CONFIG_PATH": str(prefix / "lib/pkgconfig")}
    flags = subprocess.run(["pkg-config", "--cflags", "--libs", "iscc_search"], env=env, capture_output=True,
                           text=True, check=True).stdout.split()
    assert f"-I{prefix}/include" in flags and "-liscc_search" in flags
    said = subprocess.run([*COMPILERS[language], *sanitizers(), "-o", program, TOP / "tests/deploy/uses_library.c",
                           "-x", "none", *flags], cwd=tmp_path, capture_output=True, text=True)
    assert said.returncode == 0, said.stderr
    for uri in ("memory://", f"usearch://{tmp_path}/store", f"lmdb://{tmp_path}/other"):
        said = subprocess.run([program, uri], cwd=tmp_path, capture_output=True, text=True, timeout=60)
        assert (said.returncode, said.stderr) == (0, "")
        assert re.fullmatch(r'\d+\.\d+\.\d+: 1 match, ISCC:MAIGBL22ITF6PICK, 1\.00, \{"name": "mine"\}\n', said.stdout)
    version = subprocess.run(["pkg-config", "--modversion", "iscc_search"], env=env, capture_output=True, text=True)
    assert said.stdout.startswith(version.stdout.strip() + ": ")


def test_an_installation_below_another_root_names_its_own_place(tmp_path):
    """DESTDIR is where a package is put together: its files have to say where it will be."""
    subprocess.run(["make", "-s", f"BUILD={BINARY.parent}", "PREFIX=/opt/iscc", f"DESTDIR={tmp_path}", "install"],
                   cwd=TOP, check=True, capture_output=True)
    below = tmp_path / "opt/iscc"
    assert "prefix=/opt/iscc\n" in (below / "lib/pkgconfig/iscc_search.pc").read_text(encoding="utf-8")
    for name in ("bin/iscc-search", "lib/libiscc_search.a", "include/iscc_search.h", "share/man/man1/iscc-search.1"):
        assert (below / name).stat().st_size > 0


def test_the_healthcheck_of_the_image_sees_a_server(served):
    command = next(line for line in instructions() if line.startswith("HEALTHCHECK")).split(" CMD ")
    command = command[1] if len(command) == 2 else command[0].split("CMD ")[1]
    for port, good in ((served.port, True), (free_port(), False)):
        done = subprocess.run(["sh", "-c", command], env={**os.environ, "ISCC_SEARCH_PORT": str(port)},
                              capture_output=True)
        assert (done.returncode == 0) is good
