"""The library as another program sees it: the symbols, the package, and the headers that are installed."""
import os
import platform
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

TOP = Path(__file__).resolve().parents[2]
sys.path.append(str(TOP / "tests" / "http"))

from serving import BINARY, Server, make_asset  # noqa: E402  pylint: disable=wrong-import-position

BUILD = BINARY.parent
SHARED = BUILD / "libiscc_search.so.0"
HEADERS = sorted((TOP / "include").glob("*.h"))

pytestmark = pytest.mark.skipif(not SHARED.exists(), reason="the library is not beside the program")


def output(*command, **options):
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True, **options)
    assert done.returncode == 0, done.stderr
    return done.stdout


def sanitizers():
    """What the library was built with, which the program that links it needs, too."""
    symbols = output("nm", "-D", SHARED)
    wanted = {"__asan_init": "-fsanitize=address,undefined", "__tsan_init": "-fsanitize=thread"}
    return [option for symbol, option in wanted.items() if symbol in symbols]


@pytest.fixture(name="prefix", scope="module")
def installed(tmp_path_factory):
    prefix = tmp_path_factory.mktemp("usr")
    output("make", "-s", f"BUILD={BUILD}", f"PREFIX={prefix}", "install", cwd=TOP)
    return prefix


def pkg_config(prefix, *arguments):
    env = {**os.environ, "PKG_CONFIG_PATH": str(prefix / "lib/pkgconfig")}
    return output("pkg-config", *arguments, "iscc_search", env=env).split()


def functions_of_headers():
    text = "\n".join(re.sub(r"/\*.*?\*/", "", header.read_text(encoding="utf-8"), flags=re.S) for header in HEADERS)
    return set(re.findall(r"\bISX_API\b[^;]*?\b(isx_\w+)\(", text))


def test_the_shared_library_exports_what_the_headers_declare_and_nothing_else():
    exported = {line.split()[-1] for line in output("nm", "-D", "--defined-only", SHARED).splitlines()}
    exported = {name for name in exported if not name.startswith(("__asan", "__odr_asan", "_init", "_fini"))}
    assert "isx_search" in exported
    assert exported == functions_of_headers()


def test_each_function_of_the_headers_is_marked_for_export():
    for header in HEADERS:
        text = re.sub(r"/\*.*?\*/", "", header.read_text(encoding="utf-8"), flags=re.S)
        declared = {name for line in re.findall(r"^[a-zA-Z][^;{#]*?\bisx_\w+\([^;{]*\);", text, re.M)
                    if "typedef" not in line for name in re.findall(r"\b(isx_\w+)\(", line)[:1]}
        assert declared and declared <= functions_of_headers(), header.name


def test_the_shared_library_has_its_number_in_its_name(prefix):
    assert re.search(r"SONAME +libiscc_search\.so\.0\n", output("objdump", "-p", SHARED))
    version = pkg_config(prefix, "--modversion")[0]
    assert (prefix / "lib/libiscc_search.so").resolve() == prefix / f"lib/libiscc_search.so.{version}"
    assert os.readlink(prefix / "lib/libiscc_search.so.0") == f"libiscc_search.so.{version}"


def test_the_package_asks_for_libraries_only_where_it_is_linked_statically(prefix):
    shared, static = (pkg_config(prefix, *how, "--libs") for how in ([], ["--static"]))
    assert "-liscc_search" in shared and not {"-lcurl", "-lpq", "-llmdb"} & set(shared)
    assert {"-liscc_search", "-lcurl", "-lpq", "-llmdb", "-lsodium"} <= set(static)
    needed = output("pkg-config", "--libs", *pkg_config(prefix, "--print-requires-private")).split()
    program = prefix / "static"
    output("cc", *sanitizers(), "-o", program, TOP / "tests/deploy/uses_library.c", *pkg_config(prefix, "--cflags"),
           "-Wl,-Bstatic", f"-L{prefix}/lib", "-liscc_search", "-Wl,-Bdynamic", *needed, "-lm")
    assert "libiscc_search" not in output("objdump", "-p", program)
    assert ": 1 match, " in output(program, "memory://")


@pytest.mark.parametrize("prefix_of, libdir", [("/usr", "/usr/lib/MULTIARCH"), ("/usr/local", "/usr/local/lib"),
                                               ("/opt/iscc", "/opt/iscc/lib")])
def test_libraries_go_where_the_system_looks_for_them(tmp_path, prefix_of, libdir):
    """Below /usr in the directory of the architecture, elsewhere in lib; LIBDIR= has the last word."""
    libdir = libdir.replace("MULTIARCH", output("cc", "-print-multiarch").strip())
    for place, options in ((libdir, []), ("/elsewhere/lib64", ["LIBDIR=/elsewhere/lib64"])):
        root = tmp_path / Path(place).name
        output("make", "-s", f"BUILD={BUILD}", f"PREFIX={prefix_of}", f"DESTDIR={root}", *options, "install", cwd=TOP)
        for name in ("libiscc_search.a", "libiscc_search.so.0", "pkgconfig/iscc_search.pc"):
            assert (root / place[1:] / name).stat().st_size > 0
        env = {**os.environ, "PKG_CONFIG_PATH": str(root / place[1:] / "pkgconfig")}
        assert output("pkg-config", "--variable=libdir", "iscc_search", env=env).strip() == place


@pytest.mark.parametrize("compiler", [["cc", "-std=c11"], ["cc", "-std=c17"], ["g++", "-std=c++17", "-x", "c++"]], ids=" ".join)
@pytest.mark.parametrize("header", HEADERS, ids=lambda header: header.name)
def test_each_header_is_compiled_alone(tmp_path, compiler, header):
    """In strict C11 and C++17, without one other header before it; and twice is as good as once."""
    if not shutil.which(compiler[0]):
        pytest.skip(f"{compiler[0]} is not installed")
    source = tmp_path / "alone.c"
    source.write_text(f"#include <{header.name}>\n#include <{header.name}>\nint main(void) {{ return 0; }}\n", encoding="utf-8")
    output(*compiler, "-Wall", "-Wextra", "-Wpedantic", "-Wconversion", "-Wshadow", "-Werror", "-I", TOP / "include", "-c",
           "-o", tmp_path / "alone.o", source)


def compile_with_package(prefix, source, program, *options):
    output("cc", *sanitizers(), "-std=c11", "-Wall", "-Wextra", "-Wpedantic", "-Werror", *options, "-o", program, source,
           *pkg_config(prefix, "--cflags", "--libs"))
    return program


def test_assets_of_another_server_are_read_back(prefix, tmp_path):
    """With everything that it has of them, in the order of their ISCC-IDs."""
    program = compile_with_package(prefix, TOP / "tests/deploy/reads_remote.c", tmp_path / "program")
    server = Server(tmp_path, f"usearch://{tmp_path}/data").start()
    asset = make_asset(7, simprints={"CONTENT_TEXT_V0": [{"simprint": "AAAAAAAAAAA", "offset": 0, "size": 1}]})
    try:
        server.post("/indexes", json={"name": "main"})
        assert server.post("/indexes/main/assets", json=[asset, make_asset(9), make_asset(1)]).status_code == 201
        said = output(program, server.base, asset["iscc_id"]).splitlines()
    finally:
        server.stop()
    assert said[0] == f"{asset['iscc_id']} {len(asset['units'])} units, 1 simprints"
    assert said[1:] == [make_asset(number)["iscc_id"] for number in (1, 7, 9)] + ["ok"]


REFUSED = """
#include <iscc_search.h>
#include <stdio.h>
int main(int argc, char **argv)
{
	for (int i = 1; i < argc; i++) {
		struct isx_store *store = NULL;
		struct isx_err err = { 0 };
		enum isx_status st = isx_open(argv[i], NULL, &store, &err);
		printf("%s %s\\n", isx_status_name(st), err.msg);
		isx_close(store);
	}
	return 0;
}
"""


def test_a_build_without_engines_needs_fewer_libraries_and_says_what_it_lacks(tmp_path):
    """A program that searches a directory has no use for libcurl and libpq, which bring in LDAP, Kerberos and SSH."""
    prefix, source = tmp_path / "usr", tmp_path / "refused.c"
    output("make", "-s", "-j2", f"BUILD={tmp_path}/build", "WITH_POSTGRES=0", "WITH_REMOTE=0", "CFLAGS=-O0", "SANITIZE=",
           f"PREFIX={prefix}", "install-library", cwd=TOP)
    shared = prefix / "lib/libiscc_search.so.0"
    needed = set(re.findall(r"NEEDED +(\S+)\.so", output("objdump", "-p", shared)))
    assert {"liblmdb", "libsodium"} <= needed and not {"libpq", "libcurl"} & needed
    assert len(output("ldd", shared).splitlines()) < 10
    assert set(pkg_config(prefix, "--print-requires-private")) == {"lmdb", "libsodium"}
    source.write_text(REFUSED, encoding="utf-8")
    program = tmp_path / "refused"
    output("cc", "-o", program, source, *pkg_config(prefix, "--cflags", "--libs"))
    uris = ["memory://", f"usearch://{tmp_path}/a", f"lmdb://{tmp_path}/b", "postgresql://localhost/x",
            "http://localhost:1", "https://localhost:1"]
    said = output(program, *uris).splitlines()
    assert [line.split()[0] for line in said] == ["ok"] * 3 + ["unsupported"] * 3
    assert "postgresql://" in said[3] and "WITH_POSTGRES=0" in said[3]
    assert all("http://" in line and "WITH_REMOTE=0" in line for line in said[4:])


@pytest.mark.parametrize("uri", ["memory://", "usearch://STORE"])
def test_the_example_is_built_from_the_package_and_runs(prefix, tmp_path, uri):
    """examples/search.c, twice on one store: the second time its index and assets are there."""
    program = compile_with_package(prefix, TOP / "examples/search.c", tmp_path / "program", "-Wconversion")
    for _ in range(2):
        said = output(program, uri.replace("STORE", f"{tmp_path}/store"))
        assert said == "1.0000 ISCC:MAIGHXLN555Y2DFF\n0.8873 ISCC:MAIGGXO25TIIJR7F\n"
    failed = subprocess.run([program, "nothing://"], capture_output=True, text=True, check=False)
    assert failed.returncode == 1 and failed.stderr.startswith("index URI 'nothing://'") and not failed.stdout


def test_the_header_shows_the_example_as_it_is():
    header = (TOP / "include/iscc_search.h").read_text(encoding="utf-8")
    shown = header.split(" * A first program, examples/search.c:\n *\n")[1].split(" *\n * Errors:")[0]
    shown = re.sub(r"^ \*(?:\t|$)", "", shown, flags=re.M)
    example = (TOP / "examples/search.c").read_text(encoding="utf-8")
    assert shown == example[example.index("#include"):]


BASELINE = TOP / f"tools/abi/libiscc_search.so.0.{platform.machine()}.abi"


@pytest.mark.skipif(not shutil.which("abidiff") or not BASELINE.exists() or ".debug_info" not in output(
    "objdump", "-h", SHARED), reason="abigail-tools, a list of this architecture, or debug information is missing")
@pytest.mark.parametrize("old, new", [
    ("", ""),
    # as if a struct had been larger, a field elsewhere, a status another number, and a function there
    ("<class-decl name='isx_err' size-in-bits='2240'", "<class-decl name='isx_err' size-in-bits='2304'"),
    ("layout-offset-in-bits='2112'", "layout-offset-in-bits='2144'"),
    ("<enumerator name='ISX_SCHEMA' value='2'/>", "<enumerator name='ISX_SCHEMA' value='3'/>"),
    ("<elf-symbol name='isx_add'", "<elf-symbol name='isx_added'"),
], ids=["as it is", "size", "offset", "status", "function"])
def test_the_interface_is_that_of_the_last_release(tmp_path, old, new):
    """make check-abi says so, and sees what a program that is linked already would not survive."""
    listed = BASELINE.read_text(encoding="utf-8")
    assert old in listed
    changed = tmp_path / "changed.abi"
    changed.write_text(listed.replace(old, new, 1) if old else listed, encoding="utf-8")
    said = subprocess.run(["make", "-s", f"BUILD={BUILD}", f"ABI_BASELINE={changed}", "check-abi"], cwd=TOP,
                          capture_output=True, text=True, check=False)
    assert (said.returncode == 0) is (not old), said.stdout
