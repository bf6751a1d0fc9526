"""Temporary PostgreSQL servers, each with its own data directory, run by an unprivileged user, to be killed in any way.

Where the tests are run by root, which PostgreSQL refuses to be, its programs are run as `nobody`. A
cluster listens on a socket in its folder and on 127.0.0.1; everybody on this machine may log in, as
the cluster is gone with the test. SQL goes through psql, so that the tests need no driver.
"""
import contextlib
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from pathlib import Path
from urllib.parse import quote, urlencode

SUPERUSER = "postgres"
# Debian's directory first, then PATH.
PLACES = ["/usr/lib/postgresql/15/bin", *os.environ.get("PATH", "").split(":")]
SERVANT = "nobody"

# kill -9 loses nothing that was written; only a power cut would. So tests need not wait for the disk.
FAST = {"fsync": "off", "full_page_writes": "off"}
SETTINGS = {"shared_buffers": "32MB", "max_connections": "100", "log_min_messages": "warning",
            "log_line_prefix": "%m [%p] %u@%d ", "shared_preload_libraries": "pg_stat_statements",
            "jit": "off", "autovacuum_naptime": "5s", "wal_level": "replica"}


def program(name):
    """The path of one of PostgreSQL's programs, or None."""
    for place in PLACES:
        if os.access(f"{place}/{name}", os.X_OK):
            return f"{place}/{name}"
    return None


def is_installed():
    return all(program(name) for name in ("initdb", "postgres", "psql", "pg_basebackup", "pg_dump"))


def as_servant(command):
    """The command line that runs a command as a user that PostgreSQL accepts."""
    if os.geteuid() != 0:
        return command
    return ["setpriv", f"--reuid={SERVANT}", "--regid=nogroup", "--clear-groups", "--", *command]


def give_to_servant(path):
    if os.geteuid() == 0:
        shutil.chown(path, SERVANT, "nogroup")


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def children(pid):
    try:
        with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as file:
            return [int(word) for word in file.read().split()]
    except OSError:
        return []


def signal_quietly(pid, sig):
    try:
        os.kill(pid, sig)
    except ProcessLookupError:
        pass


class SqlError(Exception):
    """psql failed, with its message."""


class Cluster:
    """One PostgreSQL server with its data."""

    def __init__(self, durable=False, **settings):
        """`durable`: wait for the disk, as in production."""
        self.folder = Path(tempfile.mkdtemp(prefix="isx-pg-"))
        self.folder.chmod(0o755)
        give_to_servant(self.folder)
        self.data, self.log_path = self.folder / "data", self.folder / "server.log"
        self.settings = {**SETTINGS, **({} if durable else FAST), **settings}
        self.port, self.process, self.mounts = None, None, []

    # --- life --------------------------------------------------------------------------------------

    def create(self):
        """Make the data directory and start."""
        self.run("initdb", "-D", self.data, "-U", SUPERUSER, "-A", "trust", "-E", "UTF8", "--locale=C",
                 "--no-sync")
        return self.start()

    def start(self, patience_s=60, wait=True):
        self.port = self.port or free_port()  # not before: until now it could have become another program's
        words = ["-c", f"unix_socket_directories={self.folder}", "-c", "listen_addresses=127.0.0.1",
                 "-p", str(self.port)]
        for name, value in self.settings.items():
            words += ["-c", f"{name}={value}"]
        with open(self.log_path, "ab") as log:
            self.process = subprocess.Popen(as_servant([program("postgres"), "-D", str(self.data), *words]),
                                            cwd=self.folder, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        if wait:
            self.wait_ready(patience_s)
        return self

    def wait_ready(self, patience_s=60):
        end = time.monotonic() + patience_s
        while True:
            if self.process.poll() is not None:
                raise AssertionError(f"postgres ended: {self.log()[-2000:]}")
            try:
                return self.sql("select 1", database="postgres")
            except SqlError as error:
                assert time.monotonic() < end, f"{error}\n{self.log()[-2000:]}"
                time.sleep(0.05)

    def stop(self, how="fast"):
        """End the server in order; `immediate` leaves recovery to the next start."""
        if self.process is None:
            return
        self.resume()
        self.process.send_signal({"smart": signal.SIGTERM, "fast": signal.SIGINT,
                                  "immediate": signal.SIGQUIT}[how])
        self.process.wait(60)
        self.process = None

    def kill(self):
        """kill -9 for the postmaster and all its children at once."""
        pids = self.freeze()
        for pid in pids:
            signal_quietly(pid, signal.SIGKILL)
        self.process.wait(30)
        end = time.monotonic() + 30
        while any(os.path.exists(f"/proc/{pid}") and not is_zombie(pid) for pid in pids):
            assert time.monotonic() < end, "children of postgres do not die"
            time.sleep(0.01)
        self.process = None

    def freeze(self):
        """Stop the postmaster first, so that there are no new children; returns all processes."""
        parent = self.process.pid
        os.kill(parent, signal.SIGSTOP)
        pids = children(parent)
        for pid in pids:
            signal_quietly(pid, signal.SIGSTOP)
        return [parent, *pids]

    def pause(self):
        """The server stops answering, and no connection is closed."""
        self.freeze()

    def resume(self):
        parent = self.process.pid
        for pid in [*children(parent), parent]:
            signal_quietly(pid, signal.SIGCONT)

    def restart(self, how="fast"):
        self.stop(how)
        return self.start()

    def remove(self):
        """End the server and remove its files."""
        if self.process is not None and self.process.poll() is None:
            self.kill()
        for mount in self.mounts:
            subprocess.run(["umount", "-l", str(mount)], check=False)
        shutil.rmtree(self.folder, ignore_errors=True)

    def log(self):
        return self.log_path.read_text(errors="replace") if self.log_path.exists() else ""

    # --- use ---------------------------------------------------------------------------------------

    def uri(self, database="postgres", user=SUPERUSER, tcp=False, **more):
        """The URI for libpq: over the socket, or over 127.0.0.1."""
        words = {"host": "127.0.0.1" if tcp else str(self.folder), "port": self.port, **more}
        return f"postgresql://{user}@/{database}?{urlencode(words, quote_via=quote)}"

    def sql(self, text, database="postgres", user=SUPERUSER, patience_s=60):
        """Run statements, each by itself; returns the rows of text, columns separated by `|`."""
        done = subprocess.run([program("psql"), "-XAtq", "-v", "ON_ERROR_STOP=1",
                               "-d", self.uri(database, user, connect_timeout=5)], input=text,
                              capture_output=True, text=True, timeout=patience_s, check=False)
        if done.returncode:
            raise SqlError(done.stderr.strip())
        return done.stdout.splitlines()

    @contextlib.contextmanager
    def locked(self, table, database, mode="access exclusive"):
        """Hold a lock of a table until the block ends. The block gets the input of a psql within that transaction."""
        with subprocess.Popen([program("psql"), "-XAtq", "-v", "ON_ERROR_STOP=1", "-d", self.uri(database)], text=True,
                              stdin=subprocess.PIPE, stdout=subprocess.PIPE) as psql:
            psql.stdin.write(f"begin; lock table {table} in {mode} mode; select 'locked';\n")
            psql.stdin.flush()
            assert psql.stdout.readline() == "locked\n"
            yield psql.stdin

    def wait_for(self, count, wanted, database="postgres", patience_s=60):
        """Wait until a query counts at least so many."""
        end = time.monotonic() + patience_s
        while self.number(count, database) < wanted:
            assert time.monotonic() < end, f"fewer than {wanted}: {count}"
            time.sleep(0.02)

    def number(self, text, database="postgres"):
        return int(self.sql(text, database)[0])

    def run(self, name, *words):
        """Run one of PostgreSQL's programs as the user of the cluster."""
        done = subprocess.run(as_servant([program(name), *map(str, words)]), cwd=self.folder,
                              capture_output=True, text=True, check=False)
        assert done.returncode == 0, f"{name}: {done.stdout}{done.stderr}"
        return done.stdout

    def create_database(self, name, more=""):
        self.sql(f"create database {name} {more}")
        return name

    def dump(self, database):
        """pg_dump of a database, as a file."""
        path = self.folder / f"{database}.dump"
        done = subprocess.run([program("pg_dump"), "-Fc", "-f", path, "-d", self.uri(database)],
                              capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return path

    def restore(self, path, database):
        done = subprocess.run([program("pg_restore"), "-d", self.uri(database), path],
                              capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr

    def terminate_clients(self, database, user=None):
        """Kill every connection of a database but this one, and wait for their end; returns their number."""
        only = f"and usename = '{user}'" if user else ""
        return self.number("select count(pg_terminate_backend(pid, 10000)) from pg_stat_activity where datname = "
                           f"'{database}' and pid <> pg_backend_pid() {only}")

    def small_disk(self, name, size_mib):
        """A folder of a few MiB; None if this user may not mount one."""
        path = self.folder / name
        path.mkdir()
        if not mount_small(path, size_mib):
            return None
        give_to_servant(path)
        self.mounts.append(path)
        return path

    # --- replication -------------------------------------------------------------------------------

    def standby(self):
        """A hot standby that streams from here."""
        other = Cluster(**self.settings)
        self.run("pg_basebackup", "-D", other.data, "-R", "-X", "stream", "-c", "fast", "-N", "-d",
                 f"host={self.folder} port={self.port} user={SUPERUSER}")
        return other.start()

    def promote(self):
        self.sql("select pg_promote()")

    def position(self):
        return self.sql("select pg_current_wal_insert_lsn()")[0]

    def wait_replayed(self, position, patience_s=60):
        end = time.monotonic() + patience_s
        while self.sql(f"select pg_last_wal_replay_lsn() >= '{position}'") != ["t"]:
            assert time.monotonic() < end, f"the standby has not come to {position}"
            time.sleep(0.02)


def is_zombie(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return True


def mount_small(path, size_mib):
    """Mount a tmpfs of a few MiB at a folder; False if this user may not."""
    return os.geteuid() == 0 and subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={size_mib}m", "tmpfs", str(path)], check=False,
        capture_output=True).returncode == 0
