"""The source tarball and the Debian packages: built twice they are the same bytes, lintian has nothing to say, and they
are installed, upgraded and purged in a system of their own."""
import hashlib
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

TOP = Path(__file__).resolve().parents[2]
VERSION = re.search(r'#define ISX_VERSION +"(.*)"', (TOP / "include/iscc_search.h").read_text(encoding="utf-8"))[1]
PACKAGES = ["iscc-search", "libiscc-search0", "libiscc-search-dev"]


def output(*command, **options):
    done = subprocess.run([str(part) for part in command], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          errors="replace", check=False, **options)
    assert done.returncode == 0, done.stdout[-4000:]
    return done.stdout


def digest(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.fixture(scope="module", name="checkout")
def checkout_of_this_tree(tmp_path_factory):
    """A git checkout whose last commit is the tree under test, as packages are made of commits. The commit has a fixed
    time, so that its tarball does not depend on when the test runs."""
    top = tmp_path_factory.mktemp("checkout") / "main"
    names = output("git", "ls-files", "--cached", "--others", "--exclude-standard", cwd=TOP).splitlines()
    for name in names:
        if (TOP / name).exists():
            (top / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(TOP / name, top / name, follow_symlinks=False)
    when = "2026-01-01T00:00:00Z"
    env = {**os.environ, "GIT_AUTHOR_DATE": when, "GIT_COMMITTER_DATE": when}
    output("git", "init", "-q", cwd=top)
    output("git", "add", "-A", "-f", cwd=top)
    output("git", "-c", "user.name=test", "-c", "user.email=test@localhost", "commit", "-qm", "tree", cwd=top, env=env)
    return top


@pytest.fixture(scope="module", name="packages")
def packages_of_this_tree(checkout):
    """`make deb`, whose lintian run must not find anything."""
    env = {**{k: v for k, v in os.environ.items() if k not in ("CFLAGS", "MAKEFLAGS", "SANITIZE")},
           "DEB_BUILD_OPTIONS": "nocheck parallel=2"}
    said = output("make", "deb", cwd=checkout, env=env)
    assert not re.findall(r"^[EW]: .*", said, re.M)
    return {name: next((checkout / "build/deb").glob(f"{name}_*.deb")) for name in PACKAGES}


def test_the_tarball_of_a_commit_is_always_the_same_and_has_its_checksum(checkout):
    tarball = checkout / f"build/dist/iscc-search-{VERSION}.tar.xz"
    digests = set()
    for _ in range(2):
        output("make", "dist", cwd=checkout)
        output("sha256sum", "--check", f"{tarball.name}.sha256", cwd=tarball.parent)
        digests.add(digest(tarball))
        tarball.unlink()
    assert len(digests) == 1


def test_the_tarball_holds_what_is_committed_and_nothing_else(checkout):
    (checkout / "scratch").write_text("not committed", encoding="utf-8")
    said = output("make", "dist", cwd=checkout)
    (checkout / "scratch").unlink()
    assert "not committed are left out" in said
    packed = output("tar", "-tf", checkout / f"build/dist/iscc-search-{VERSION}.tar.xz").splitlines()
    files = {name.removeprefix(f"iscc-search-{VERSION}/") for name in packed if not name.endswith("/")}
    assert files == set(output("git", "ls-files", cwd=checkout).splitlines())


def test_packages_need_for_building_what_setup_installs():
    """A library that is new in tools/setup and missing in debian/control would fail on a build host only."""
    setup = re.search(r"\tbuild\) wanted=\"\$wanted ([^\"]*)\"", (TOP / "tools/setup").read_text(encoding="utf-8"))[1]
    always = {"gcc", "libc6-dev", "make"}  # every build host of Debian has them
    control = (TOP / "debian/control").read_text(encoding="utf-8")
    needs = re.search(r"Build-Depends:(.*?)\nStandards", control, re.S)[1].split(",")
    assert {one.split()[0] for one in needs if "nocheck" not in one} - {"debhelper-compat"} == set(setup.split()) - always


def test_a_static_link_with_the_development_package_finds_every_library():
    """The .pc file names the libraries of a static link; the package depends on those that the tree is built with."""
    control = (TOP / "debian/control").read_text(encoding="utf-8")
    depends = set(re.search(r"Package: libiscc-search-dev.*?\nDepends: (.*?)\n", control, re.S)[1].split(", "))
    makefile = (TOP / "Makefile").read_text(encoding="utf-8")
    libraries = re.search(r"LIBRARY_PACKAGES := \$\(filter-out \$\(LEFT_OUT\),(.*)\)", makefile)[1].split()
    packages = {"lmdb": "liblmdb-dev", "libcurl": "libcurl4-openssl-dev", "libpq": "libpq-dev",
                "libsodium": "libsodium-dev", "libzstd": "libzstd-dev", "snappy": "libsnappy-dev", "zlib": "zlib1g-dev",
                "roaring": "libroaring-dev"}
    assert {packages[name] for name in libraries} == {one for one in depends if one.endswith("-dev")}


def test_packages_have_the_version_of_the_header(packages):
    for path in packages.values():
        assert output("dpkg-deb", "--field", path, "Version").strip() == VERSION


def test_packages_that_are_built_elsewhere_are_the_same_bytes(checkout, packages, tmp_path):
    output("tar", "-xf", checkout / f"build/dist/iscc-search-{VERSION}.tar.xz", "-C", tmp_path)
    env = {**{k: v for k, v in os.environ.items() if k not in ("CFLAGS", "MAKEFLAGS", "SANITIZE")},
           "DEB_BUILD_OPTIONS": "nocheck parallel=2", "TZ": "Asia/Tokyo", "LC_ALL": "C.UTF-8"}
    output("dpkg-buildpackage", "-us", "-uc", "-b", cwd=tmp_path / f"iscc-search-{VERSION}", env=env)
    for path in packages.values():
        assert digest(tmp_path / path.name) == digest(path), path.name


def test_packages_hold_what_make_install_installs(checkout, packages, tmp_path):
    """A file that `make install` puts in place and no package takes would be missing without a word."""
    installed = checkout / f"build/deb/iscc-search-{VERSION}/debian/tmp"
    expected = {str(path.relative_to(installed)) for path in installed.rglob("*") if not path.is_dir()}
    for path in packages.values():
        output("dpkg-deb", "-x", path, tmp_path)
    packed = {str(path.relative_to(tmp_path)).removesuffix(".gz") for path in tmp_path.rglob("*") if not path.is_dir()}
    # debhelper moves units to where systemd of this Debian looks.
    assert {re.sub("^usr/lib/systemd", "lib/systemd", name) for name in expected} <= {
        re.sub("^usr/lib/systemd", "lib/systemd", name) for name in packed}


@pytest.fixture(scope="module", name="system")
def small_system(tmp_path_factory, packages):
    """A Debian system in a directory, with what the packages depend on."""
    if os.geteuid() != 0:
        pytest.skip("only root can make a Debian system in a directory")
    root = tmp_path_factory.mktemp("system") / "root"
    depends = set()
    for path in packages.values():
        for one in output("dpkg-deb", "--field", path, "Depends").split(","):
            name = one.split("|")[0].split("(")[0].strip()
            if name not in PACKAGES:
                depends.add(name)
    needed = sorted(depends | {"gcc", "libc6-dev", "pkg-config", "curl"})
    output("mmdebstrap", "--mode=root", "--variant=minbase", f"--include={','.join(needed)}", "bookworm", root,
           *sources())
    (root / "root/packages").mkdir()
    yield root
    output("rm", "-rf", "--one-file-system", root)


def sources():
    """The package sources of this machine: a mirror near it, if it has one."""
    return [str(path) for path in Path("/etc/apt").glob("sources.list.d/*.sources")] + \
        [str(path) for path in Path("/etc/apt").glob("sources.list") if path.read_text(encoding="utf-8").strip()]


def inside(root, *command, **options):
    return output("chroot", root, *command, env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "HOME": "/root",
                                                 "AUTOPKGTEST_TMP": "/tmp", "LC_ALL": "C.UTF-8"}, **options)


def later(path, directory):
    """The same package under a later version, to upgrade to."""
    tree = directory / path.stem
    output("dpkg-deb", "-R", path, tree)
    control = tree / "DEBIAN/control"
    control.write_text(control.read_text(encoding="utf-8").replace(VERSION, f"{VERSION}+later"), encoding="utf-8")
    output("dpkg-deb", "--root-owner-group", "-b", tree, directory)
    return next(directory.glob(f"{path.name.split('_')[0]}_*+later_*.deb"))


def files_of(root):
    """Everything below the directories that packages write to."""
    found = set()
    for top in ("etc", "usr", "lib", "var/lib/iscc-search"):
        for folder, _, names in os.walk(root / top):
            found.update(str(Path(folder, name).relative_to(root)) for name in names)
    return {name for name in found if "__pycache__" not in name}


def test_packages_are_installed_upgraded_and_purged(system, packages, tmp_path):
    """The autopkgtests run on the installed packages; a changed setting and the indexes outlive an upgrade; purging
    leaves the indexes and nothing else."""
    before = files_of(system)
    for path in packages.values():
        shutil.copy(path, system / "root/packages")
    inside(system, "sh", "-c", "dpkg -i /root/packages/*.deb")
    assert "iscc-search:" in (system / "etc/passwd").read_text(encoding="utf-8")
    settings = system / "etc/iscc-search.env"
    assert settings.stat().st_mode & 0o777 == 0o600
    for name in ("serve", "library"):
        (system / "root" / name).write_bytes((TOP / "debian/tests" / name).read_bytes())
        inside(system, "sh", f"/root/{name}")

    settings.write_text("ISCC_SEARCH_PORT=8001\n", encoding="utf-8")
    data = system / "var/lib/iscc-search"
    data.mkdir(exist_ok=True)
    (data / "kept").write_text("an index", encoding="utf-8")
    for path in packages.values():
        shutil.copy(later(path, tmp_path), system / "root/packages")
    inside(system, "sh", "-c", "dpkg -i /root/packages/*+later*.deb")
    assert settings.read_text(encoding="utf-8") == "ISCC_SEARCH_PORT=8001\n"
    assert f"{VERSION}+later" in inside(system, "dpkg-query", "-W", "iscc-search")

    said = inside(system, "dpkg", "--purge", *PACKAGES)
    assert "still holds indexes" in said
    left = files_of(system) - before
    assert {name for name in left if name.startswith("var/")} == {"var/lib/iscc-search/kept"}
    assert not [name for name in left if "iscc" in name and not name.startswith("var/")], left
