"""All ways to connect that libpq supports: sockets, TCP, service files, TLS, passwords; and refused connections."""
import shutil
import subprocess

import pytest
from cluster import as_servant, give_to_servant
from hosts import make


def expect_served(host):
    assert host.post("/indexes", json={"name": "main"}).status_code == 201
    host.must_add(range(5))
    host.expect_found(range(5))


@pytest.mark.parametrize("tcp", [False, True])
def test_socket_and_tcp(start_host, shared_cluster, database, tcp):
    expect_served(start_host(shared_cluster.uri(database, tcp=tcp)))


def test_service_file(start_host, shared_cluster, database, tmp_path):
    (tmp_path / "services").write_text(f"[isx]\nhost={shared_cluster.folder}\nport={shared_cluster.port}\n"
                                       f"dbname={database}\nuser=postgres\n")
    expect_served(start_host("postgresql:///?service=isx", env={"PGSERVICEFILE": str(tmp_path / "services")}))


def test_environment_of_libpq(start_host, shared_cluster, database):
    """Parts that the URI leaves out come from PGHOST and the like."""
    expect_served(start_host("postgresql:///", env={
        "PGHOST": str(shared_cluster.folder), "PGPORT": str(shared_cluster.port), "PGDATABASE": database,
        "PGUSER": "postgres"}))


@pytest.fixture
def guarded(own_cluster):
    """A cluster that speaks TLS only over TCP, and asks for a password there."""
    cluster = own_cluster()
    openssl = shutil.which("openssl")
    if not openssl:
        pytest.skip("openssl is not installed")
    subprocess.run(as_servant([openssl, "req", "-new", "-x509", "-days", "30", "-nodes", "-subj",
                               "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1", "-out",
                               "data/server.crt", "-keyout", "data/server.key"]),
                   cwd=cluster.folder, check=True, capture_output=True)
    (cluster.data / "server.key").chmod(0o600)
    (cluster.data / "pg_hba.conf").write_text("local all all trust\nhostssl all all all scram-sha-256\n")
    give_to_servant(cluster.data / "pg_hba.conf")
    cluster.sql("create role guest login password 'pa ss:w/rd'; create database main owner guest")
    cluster.settings["ssl"] = "on"
    return cluster.restart()


def test_tls_and_password(guarded, start_host, tmp_path):
    certificate = tmp_path / "root.crt"
    certificate.write_bytes((guarded.data / "server.crt").read_bytes())
    passwords = tmp_path / "passwords"
    passwords.write_text(r"127.0.0.1:*:*:guest:pa ss\:w/rd" + "\n")
    passwords.chmod(0o600)
    uri = guarded.uri("main", "guest", tcp=True, sslmode="verify-full", sslrootcert=certificate)
    host = start_host(uri, env={"PGPASSFILE": str(passwords)})
    expect_served(host)
    assert guarded.number("select count(*) from pg_stat_ssl join pg_stat_activity using (pid) where ssl and "
                          "usename = 'guest'") > 0
    inside = start_host(guarded.uri("main", "guest", tcp=True, password="pa ss:w/rd"))
    inside.expect_found(range(5))


@pytest.mark.parametrize("more, words", [
    ({"password": "wr0ng-one"}, "password"),
    ({"sslmode": "disable", "password": "pa ss:w/rd"}, "no encryption"),
    ({"sslmode": "verify-full", "sslrootcert": "/nonexistent", "password": "pa ss:w/rd"}, "certificate")])
def test_who_is_turned_away_is_told_why(guarded, start_host, more, words):
    host = start_host(guarded.uri("main", "guest", tcp=True, **more), wait=False)
    said = host.wait_unready()
    assert words in said
    everything = said + host.get("/indexes").text + host.log()
    assert "wr0ng-one" not in everything and "pa ss" not in everything and "pa%20ss" not in everything


def test_a_database_that_is_not_utf8_is_refused(refusal, shared_cluster, database):
    name = shared_cluster.create_database(f"latin_{database}", "encoding 'LATIN1' template template0")
    assert "UTF8" in refusal(shared_cluster.uri(name))


def test_settings_of_the_administrator_do_not_change_answers(start_host, shared_cluster, database):
    """Search path, quoting, time zone, isolation and byte format are set by the administrator of the database."""
    shared_cluster.sql("; ".join(f"alter database {database} set {setting}" for setting in (
        "search_path = pg_temp", "bytea_output = 'escape'", "default_transaction_isolation = 'serializable'",
        "standard_conforming_strings = off", "timezone = 'Asia/Kathmandu'", "client_encoding = 'LATIN1'",
        "extra_float_digits = -10", "lc_messages = 'C'", "default_transaction_deferrable = on")))
    host = start_host(shared_cluster.uri(database))
    expect_served(host)
    odd = {**make(7), "metadata": {"text": "naïve ☃ \\ ' \" $1 %s ; drop schema iscc_search cascade"}}
    assert host.add([odd])
    assert host.get(f"/indexes/main/assets/{odd['iscc_id']}").json()["metadata"] == odd["metadata"]
