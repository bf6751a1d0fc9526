"""Rows that were changed in the database, which is data from outside.

Each answer has a documented status and is JSON, what is damaged is told with a reason, what is not goes on.
"""
import json
import time

import pytest
from hosts import KIND, ROUNDS, make, sample, seeded

WAYS = ["follower", "sql"]
# What keeps rows in order; an administrator may have dropped it, or restored without it.
FREE = """do $$ declare c record; begin for c in select conrelid::regclass as t, conname from pg_constraint
    where connamespace = 'iscc_search'::regnamespace and contype in ('c', 'f') order by contype desc loop
    execute format('alter table %s drop constraint %I', c.t, c.conname); end loop; end $$;
    alter table iscc_search.unit drop constraint unit_pkey; alter table iscc_search.unit alter body drop not null;
    alter table iscc_search.asset alter codes drop not null;
    alter table iscc_search.index alter head drop not null, alter assets drop not null, alter changed drop not null;
    alter table iscc_search.change alter mark drop not null, alter changed drop not null,
        alter iscc_ids drop not null;
    alter table iscc_search.simprint alter start drop not null, alter size drop not null,
        alter simprint drop not null;"""
MOST = 2**63 - 1


def key_of(number):
    """An asset's ISCC-ID as the tables have it; `make` numbers them so."""
    return f"decode('{1 << 20 | number:016x}', 'hex')"


@pytest.fixture
def lying(start_host, shared_cluster, database):
    """A function that starts a host on six assets whose rows may be changed: `lie(sql)`."""
    def start(way="follower"):
        host = start_host(shared_cluster.uri(database), env={"ISCC_SEARCH_POSTGRES_SEARCH": way})
        assert host.post("/indexes", json={"name": "main"}).status_code == 201
        host.must_add(range(6))
        host.expect_found(range(6))
        shared_cluster.sql(FREE, database)
        host.lie = lambda sql: shared_cluster.sql(f"set search_path = iscc_search; {sql}", database)
        return host

    return start


def ask(host, number, simprints=True):
    one = make(number)
    query = {"units": one["units"]}
    if simprints:
        query["simprints"] = {KIND: [entry["simprint"] for entry in one["simprints"][KIND]]}
    return host.post("/indexes/main/search?limit=3", json=query)


def get(host, number):
    return host.get(f"/indexes/main/assets/{make(number)['iscc_id']}")


def expect_told(answer, host, *words):
    """500 with a reason, which is in the log, too."""
    assert answer.status_code == 500, answer.text
    detail = answer.json()["detail"]
    assert all(word in detail for word in words), detail
    assert detail[:40] in host.log(), host.log()[-2000:]


# --- numbers of an index ----------------------------------------------------------------------------

@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("column, value", [
    ("head", MOST), ("head", -1), ("head", -2**63), ("head", "NULL"), ("assets", -1), ("assets", MOST),
    ("assets", "NULL"), ("changed", MOST), ("changed", -5), ("realm", 7), ("realm", -1), ("realm", "NULL")])
def test_an_index_whose_numbers_cannot_be_is_refused(lying, way, column, value):
    host = lying(way)
    [before] = host.lie(f"select {column} from index")
    assert host.post("/indexes", json={"name": "other"}).status_code == 201
    host.lie(f"update index set {column} = {value} where name = 'main'")
    for answer in (ask(host, 1), host.post("/indexes/main/assets", json=[make(9)]), host.get("/indexes/main"),
                   host.delete(f"/indexes/main/assets/{make(1)['iscc_id']}")):
        expect_told(answer, host, "index 'main'", column, "expected")
    listed = host.get("/indexes")
    assert listed.status_code == 200 and "other" in [one["name"] for one in listed.json()], listed.text
    host.lie(f"update index set {column} = {before} where name = 'main'")
    host.expect_found(range(6))
    host.must_add([9])
    host.expect_found([9])


def test_the_largest_head_does_not_overflow(lying):
    """Of an index and in its log; a host that begins there, too."""
    host = lying()
    host.lie(f"update index set head = {MOST}; update change set head = {MOST} where head = 1")
    expect_told(ask(host, 1), host, "head", str(MOST))


@pytest.mark.parametrize("head", [0, 1, 2**40])
def test_a_head_that_jumps_is_followed_by_loading_again(lying, head):
    host = lying()
    host.must_add([7])
    host.expect_found([7])
    host.lie(f"update index set head = {head}, head_mark = 5")
    host.expect_found([*range(6), 7])


def test_a_name_that_no_index_has_is_not_listed(lying):
    host = lying()
    host.lie("""insert into index (name, incarnation, head, head_mark, changed, assets) values
        (repeat('é', 50), 1, 0, 0, 0, 0), ('../x', 2, 0, 0, 0, 0), ('a' || chr(1), 3, 0, 0, 0, 0), ('', 4, 0, 0, 0, 0)""")
    assert [one["name"] for one in host.get("/indexes").json()] == ["main"]
    assert "not listed" in host.log() and host.get("/metrics").status_code == 200
    host.expect_found(range(6))


# --- assets -----------------------------------------------------------------------------------------

CODES = ["[]", "[1,2]", "5", "null", '"x"', "true", "{}", '{"a":1}', '{"iscc_id":5}', '{"iscc_id":null}',
         '{"iscc_id":"ISCC:nonsense"}', json.dumps({"iscc_id": make(4)["iscc_id"]}), '{"iscc_id":"\\u0000"}',
         '{"iscc_id":"\\ud800"}', "[" * 600 + "]" * 600,
         json.dumps({"iscc_id": make(3)["iscc_id"], "units": 7}),
         json.dumps({"iscc_id": make(3)["iscc_id"], "units": [1]}),
         json.dumps({"iscc_id": make(3)["iscc_id"], "iscc_code": "x"}),
         json.dumps({"iscc_id": make(3)["iscc_id"], "iscc_code": {}})]


@pytest.mark.parametrize("codes", CODES)
def test_codes_that_are_none_are_told(lying, codes):
    """And the others are found, by the follower that was, by one that is loaded and by one that catches up."""
    host = lying()
    host.lie(f"update asset set codes = '{codes}' where iscc_id = {key_of(3)}")
    expect_told(get(host, 3), host, make(3)["iscc_id"])
    others = [0, 1, 2, 4, 5]
    host.expect_found(others)
    host.lie("update index set head_mark = 5")  # loaded again
    host.expect_found(others)
    host.lie(f"""update change set iscc_ids = array[{key_of(3)}], mark = 6 where head = 1;
        update index set head_mark = 6, head = 1""")
    host.expect_found(others)
    assert "leaves out" in host.log() and "answered by SQL" not in host.log(), host.log()
    host.must_add([3])  # what the message says
    host.expect_found(range(6))
    assert get(host, 3).json()["metadata"] == make(3)["metadata"]


def test_codes_with_blanks_are_read(lying):
    host = lying()
    before = get(host, 3)
    host.lie("update asset set codes = (' ' || codes || E'\\n ')::json, metadata = (E'\\n' || metadata || ' ')::json")
    assert get(host, 3).json() == before.json()
    host.lie("update index set head_mark = 5")
    host.expect_found(range(6))


def test_units_that_cannot_be_decoded_cost_their_asset_only(lying):
    host = lying()
    host.lie(f"""update asset set codes = '{json.dumps({"iscc_id": make(3)["iscc_id"], "units": ["ISCC:AAAAAAAAAAAAAAAA",
        "ISCC:ZZZZZZZZZZZZZZZZ"]})}' where iscc_id = {key_of(3)}; update index set head_mark = 5""")
    host.expect_found([0, 1, 2, 4, 5])
    assert make(3)["iscc_id"] in host.log()


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("metadata", ["5", '"x"', "[]", "true", '{"a":"\\ud800"}', "[" * 600 + "]" * 600, "not JSON"])
def test_metadata_that_is_no_object_is_told(lying, way, metadata):
    host = lying(way)
    host.lie(f"""alter table asset alter metadata type text;
        update asset set metadata = '{metadata}' where iscc_id = {key_of(3)}""")
    for answer in (get(host, 3), ask(host, 3)):
        expect_told(answer, host, make(3)["iscc_id"], "metadata")
    assert ask(host, 1).status_code == 200 and get(host, 1).json()["metadata"] == make(1)["metadata"]


def test_an_iscc_id_that_is_none_does_not_stop_the_statistics(lying):
    """They leave out what cannot be read, and come to an end."""
    host = lying()
    host.must_add(range(6, 64))  # a full page, behind which another one is asked for
    host.lie(f"update asset set iscc_id = '\\xff' where iscc_id = {key_of(63)}")
    answer = host.get("/indexes/main/stats")
    assert answer.status_code == 200 and answer.json()["assets"] >= 63, answer.text


@pytest.mark.parametrize("way", WAYS)
def test_metadata_that_is_null_is_none(lying, way):
    host = lying(way)
    host.lie(f"update asset set metadata = 'null' where iscc_id = {key_of(3)}")
    assert "metadata" not in get(host, 3).json() and not ask(host, 3).json()["global_matches"][0].get("metadata")


@pytest.mark.parametrize("way", WAYS)
def test_metadata_in_several_lines_is_handed_out_in_one(lying, way):
    """In an export and in the answers of a batch each line is a value."""
    host = lying(way)
    host.lie("update asset set metadata = replace(jsonb_pretty(metadata::jsonb), E'\\n', E'\\r\\n')::json")
    lines = host.get("/indexes/main/export").content.splitlines()
    assert [json.loads(line)["metadata"] for line in lines] == [make(number)["metadata"] for number in range(6)]
    queries = "".join(json.dumps({"units": make(number)["units"]}) + "\n" for number in range(6))
    answer = host.post("/indexes/main/search/batch", data=queries, headers={"Content-Type": "application/x-ndjson"})
    found = [json.loads(line)["global_matches"][0]["metadata"] for line in answer.content.splitlines()]
    assert found == [make(number)["metadata"] for number in range(6)]


# --- what is derived from them ----------------------------------------------------------------------

@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("change", [
    "update unit set iscc_id = '\\x01' where iscc_id = {key}", "update unit set iscc_id = '' where iscc_id = {key}",
    "update unit set body = B'' where iscc_id = {key}", "update unit set body = B'101' where iscc_id = {key}",
    "update unit set body = repeat('01', 500)::varbit where iscc_id = {key}",
    "update unit set body = null where iscc_id = {key}", "update unit set type = repeat('é', 70) where iscc_id = {key}",
    "update unit set type = '' where iscc_id = {key} and type like 'META%'",
    "update simprint set iscc_id = '\\x0102' where iscc_id = {key}", "update simprint set start = -1 where iscc_id = {key}",
    "update simprint set size = 4294967296 where iscc_id = {key}", "update simprint set start = null where iscc_id = {key}",
    "update simprint set simprint = B'' where iscc_id = {key}", "update simprint set simprint = null where iscc_id = {key}",
    "update simprint set simprint = B'101010101' where iscc_id = {key}",
    "update simprint set simprint = repeat('1', 4096)::varbit where iscc_id = {key}",
    "update simprint set type = '../' || type where iscc_id = {key}",
    "update simprint set type = repeat('é', 90) where iscc_id = {key}",
    f"update simprint set position = {MOST} where iscc_id = {{key}}",
    "delete from asset where iscc_id = {key}"])
def test_rows_that_cannot_be_are_left_out(lying, way, change):
    host = lying(way)
    host.lie(change.format(key=key_of(3)) + "; update index set head_mark = 5")
    host.expect_found([0, 1, 2, 4, 5])
    for answer in (ask(host, 3), ask(host, 3, simprints=False), get(host, 3), host.get("/indexes"),
                   host.get("/indexes/main")):
        assert answer.status_code in (200, 404), answer.text
        json.loads(answer.content)
    host.must_add([3])
    host.expect_found([0, 1, 2, 4, 5])


@pytest.mark.parametrize("change", [
    "iscc_ids = array['\\x01', null, {key}]::bytea[]", "iscc_ids = '{{{{\"\\\\x01\"}},{{\"\\\\x02\"}}}}'::bytea[]",
    "iscc_ids = null", "changed = -9223372036854775808", "changed = 9223372036854775807", "changed = null", "mark = null"])
@pytest.mark.parametrize("which", ["head = 1", "head > 1", "true"])
def test_a_log_that_lies_is_survived(lying, change, which):
    host = lying()
    for number in (10, 11, 12):
        host.must_add([number])
    host.lie(f"update change set {change.format(key=key_of(12))} where {which}")
    end = time.monotonic() + 60
    while ask(host, 12).status_code != 200:
        assert time.monotonic() < end, host.log()[-3000:]
        assert ask(host, 12).status_code in (200, 500, 503)
    host.lie("update index set head_mark = 5")
    host.expect_found([*range(6), 10, 11, 12])


# --- anything ---------------------------------------------------------------------------------------

VALUES = {
    "bigint": ["-1", "0", "1", "2", "2147483648", "4294967296", str(MOST), str(-MOST - 1), str(2**48), "null"],
    "smallint": ["-1", "0", "1", "2", "32767", "null"],
    "bytea": ["''", "'\\x00'", "'\\xffffffffffffffff'", "'\\x0001020304050607'", "'\\x000102030405060708'",
              "decode(repeat('ab', 3000), 'hex')"],
    "text": ["''", "'x'", "'CONTENT_TEXT_V0'", "'META_NONE_V0'", "repeat('é', 100)", "'../../x'", "'assets_x'",
             "chr(1) || chr(127)", "'\"\\'", "'.'"],
    "bit varying": ["B''", "B'1'", "B'11111111'", "repeat('01', 128)::varbit", "repeat('1', 9000)::varbit", "null"],
    "json": ["'{}'", "'[]'", "'5'", "'null'", "'\"x\"'", "' {\"iscc_id\": \"ISCC:MAIAAAAAAAAAAAAA\"} '",
             "'{\"a\":{\"b\":[1,2,{}]}}'", "'{\"iscc_id\":\"\\u0000\",\"units\":[\"\\ud83d\"]}'", "'1e999'",
             "'{\"units\":[],\"iscc_code\":\"\"}'", "null"],
    "ARRAY": ["'{}'", "array[null]::bytea[]", "array['\\x01']::bytea[]", "array['\\x0001020304050607']::bytea[]", "null"]}
SKIPPED = {("index", "index_id"), ("store", "is_only")}


def columns_of(host):
    rows = host.lie("select table_name || ':' || column_name || ':' || data_type from information_schema.columns where "
                    "table_schema = 'iscc_search' order by 1")
    return [tuple(row.split(":")) for row in rows if tuple(row.split(":")[:2]) not in SKIPPED]


@pytest.mark.parametrize("way", WAYS)
def test_any_value_in_any_column(lying, way):
    """Documented statuses, JSON, and a host that lives."""
    rng, host = seeded(), lying(way)
    tables = ["asset", "unit", "simprint", "change", "index", "store"]
    copies = "; ".join(f"create table copy_{name} as table {name}" for name in tables)
    back = "; ".join(f"truncate {name} cascade; insert into {name} overriding system value table copy_{name}"
                     for name in tables)
    host.lie(copies)
    columns = [one for one in columns_of(host) if not one[0].startswith("copy_")]
    for turn in range(12 * ROUNDS):
        for _ in range(rng.choice([1, 1, 3])):
            table, column, kind = rng.choice(columns)
            value = rng.choice(VALUES[kind] if kind in VALUES else VALUES["bigint"])
            rows = rng.choice(["true", f"ctid in (select ctid from {table} limit {rng.choice([1, 2, 3])})"])
            try:
                host.lie(f"update {table} set {column} = {value} where {rows}")
            except Exception:  # noqa: BLE001, S110 (a key or a type in the way: nothing was changed)
                pass
        if rng.random() < 0.5:
            try:
                host.lie("update index set head_mark = head_mark + 1, head = head + 1")
            except Exception:  # noqa: BLE001, S110 (the largest head)
                pass
        for number in sample(rng, range(8), 2):
            for answer in (ask(host, number), get(host, number), host.get("/indexes"), host.get("/indexes/main"),
                           host.get("/readyz"), host.get("/metrics"),
                           host.post("/indexes/main/search?chunks=true", json={"iscc_id": make(number)["iscc_id"]}),
                           host.post("/indexes/main/assets", json=[make(number)])):
                assert answer.status_code in (200, 201, 400, 404, 500, 503), f"{turn}: {answer.status_code} {answer.text}"
                if "json" in answer.headers["Content-Type"]:
                    said = json.loads(answer.content.decode())
                    assert answer.status_code < 400 or said.get("detail") or said.get("reason"), answer.text
        assert host.process.poll() is None, host.log()[-3000:]
        host.lie(back)
    host.expect_found(range(6))
