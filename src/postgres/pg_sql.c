/*
 * pg_sql.c - the tables in PostgreSQL and the statements; docs/postgres.md describes the tables.
 *
 * "@." is replaced by the quoted name of the schema. Parameters have casts, as their values are
 * sent in binary form without a type: the cast says which one the server has to expect. Results
 * are binary, too, so integers are cast to bigint, the one width that isx_pg_i64() reads.
 *
 * Texts are sorted with COLLATE "C" where this program or another engine sorts the same by
 * bytes. The two COPY statements of a load are in pg_follower.c, as COPY takes no parameters.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "postgres/pg_sql.h"

#include "base/buf.h"

const char isx_pg_tables[] =
	"CREATE TABLE @.store ("
	" is_only boolean PRIMARY KEY DEFAULT true CHECK (is_only),"
	" version integer NOT NULL,"
	" store_id bigint NOT NULL);"
	"INSERT INTO @.store (version, store_id) VALUES"
	" (2, ('x' || left(replace(gen_random_uuid()::text, '-', ''), 16))::bit(64)::bigint);"

	/* head is the number of the last change, head_mark its random number, incarnation a random
	 * number of the index (struct isx_pg_head). */
	"CREATE TABLE @.index ("
	" index_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,"
	" name text NOT NULL UNIQUE CHECK (name ~ '^[a-z][a-z0-9]{0,31}$'),"
	" incarnation bigint NOT NULL,"
	" realm smallint CHECK (realm IN (0, 1)),"
	" head bigint NOT NULL,"
	" head_mark bigint NOT NULL,"
	" changed bigint NOT NULL,"
	" assets bigint NOT NULL CHECK (assets >= 0),"
	" fields json);" /* the declared fields: an array of JSON pointers; NULL: none */

	"CREATE TABLE @.asset ("
	" index_id bigint NOT NULL REFERENCES @.index,"
	" iscc_id bytea NOT NULL CHECK (octet_length(iscc_id) = 8),"
	" codes json NOT NULL,"
	" metadata json,"
	" PRIMARY KEY (index_id, iscc_id));"

	/* Without REFERENCES asset: the check of each row would cost as much as the row. The
	 * rows are written in the transaction of their asset. */
	"CREATE TABLE @.unit ("
	" index_id bigint NOT NULL,"
	" iscc_id bytea NOT NULL,"
	" type text NOT NULL,"
	" body varbit NOT NULL CHECK (length(body) BETWEEN 8 AND 256),"
	" PRIMARY KEY (index_id, iscc_id, type, body));"

	"CREATE TABLE @.simprint ("
	" index_id bigint NOT NULL,"
	" iscc_id bytea NOT NULL,"
	" type text NOT NULL,"
	" position bigint NOT NULL,"
	" start bigint NOT NULL,"
	" size bigint NOT NULL,"
	" simprint varbit NOT NULL CHECK (length(simprint) BETWEEN 8 AND 256),"
	" PRIMARY KEY (index_id, iscc_id, type, position));"

	/* The log: the assets that each change put or removed. */
	"CREATE TABLE @.change ("
	" index_id bigint NOT NULL REFERENCES @.index,"
	" head bigint NOT NULL,"
	" mark bigint NOT NULL,"
	" changed bigint NOT NULL,"
	" iscc_ids bytea[] NOT NULL,"
	" PRIMARY KEY (index_id, head));";

/* Version 1 had no fields. Writers of the old version have finished when the lock is there, and find
 * the new version behind it (pg_schema.c). */
const char isx_pg_upgrade[] = "LOCK TABLE @.index IN EXCLUSIVE MODE;"
			      "ALTER TABLE @.index ADD COLUMN fields json;"
			      "UPDATE @.store SET version = 2 WHERE version = 1;";

/* The columns that isx_pg_read_head() reads, in its order, and the version of the tables: a
 * program that knows another version stops reading and writing also when they are upgraded while
 * it runs. */
#define HEAD_COLUMNS                                                                               \
	"index_id, incarnation, head, head_mark, realm::bigint, assets, changed,"                  \
	" (SELECT version::bigint FROM @.store),"                                                  \
	" coalesce(hashtextextended(fields::text, 0), 0)"

/* The sizes of an index are estimated from its first 20,000 rows, so that the cost does not
 * depend on its size; with fewer rows they are exact. */
#define SAMPLE(table)                                                                              \
	"SELECT iscc_id, type, pg_column_size(t.*) AS bytes FROM @." table                         \
	" t WHERE index_id = $1::bigint LIMIT 20000"
#define FACTOR(sample)                                                                             \
	"SELECT CASE WHEN count(*) < 20000 THEN 1 ELSE $2::bigint::numeric /"                      \
	" count(DISTINCT iscc_id) END FROM " sample

/* The assets of the changes after $2, up to and with $3, each once. */
#define CHANGED_IDS                                                                                \
	"WITH ids AS (SELECT DISTINCT iscc_id FROM @.change, unnest(iscc_ids) AS iscc_id"          \
	" WHERE index_id = $1::bigint AND head > $2::bigint AND head <= $3::bigint"                \
	" AND octet_length(iscc_id) = 8) "

/* clang-format off */

/* 1 - differing / compared bits of two bodies, over the length of the shorter one. The
 * arithmetic is that of the scan of a follower, step by step, so that the scores are equal to
 * the last bit. */
#define COMMON(body, other) \
	"substring(" body " FROM 1 FOR least(length(" body "), length(" other ")))"
#define SCORE(stored, queried) \
	"1.0::float8 - bit_count(" COMMON(stored, queried) " # " COMMON(queried, stored) ")" \
	"::float8" \
	" / least(length(" stored "), length(" queried "))::float8"

/* Conditions that rows of this program fulfil; other rows are left out, as followers leave them
 * out. */
#define HAS_BITS(id, bits) \
	"octet_length(" id ") = 8 AND length(" bits ") BETWEEN 8 AND 256 AND length(" bits ") % 8 = 0"
#define IS_SOUND(s) \
	HAS_BITS(s ".iscc_id", s ".simprint") \
	" AND " s ".start BETWEEN 0 AND 4294967295 AND " s ".size BETWEEN 0 AND 4294967295"

/* The score of each queried unit ($2 to $5) with each stored unit of its type. */
#define UNIT_SCORES \
	"WITH q AS (" \
		"SELECT * FROM unnest($2::bigint[], $3::text[], $4::varbit[], $5::bigint[])" \
		" AS q(type_position, type, body, is_instance))," \
	" scored AS (" \
		"SELECT u.iscc_id, q.type_position, q.is_instance," \
		" " SCORE("u.body", "q.body") " AS score," \
		" least(length(u.body), length(q.body))::float8 AS bits" \
		" FROM q JOIN @.unit u ON u.index_id = $1::bigint AND u.type = q.type" \
		" AND " HAS_BITS("u.iscc_id", "u.body")

/* The queried simprints: $2 to $5. */
#define QUERIED \
	"WITH q AS (" \
		"SELECT * FROM unnest($2::bigint[], $3::text[], $4::bigint[], $5::varbit[])" \
		" AS q(type_position, type, position, body))"

/* Of several simprints of an asset and type with the same start and size only the first is
 * searched. */
#define IS_SEARCHED(s) \
	"NOT EXISTS (" \
		"SELECT FROM @.simprint first WHERE first.index_id = " s ".index_id" \
		" AND first.iscc_id = " s ".iscc_id AND first.type = " s ".type" \
		" AND first.position < " s ".position" \
		" AND first.start = " s ".start AND first.size = " s ".size)"

/* In how many assets each simprint of `source` occurs, among its first 1,000 entries; entries
 * that are not searched count, too. */
#define FREQUENCIES(source) \
	"SELECT type, simprint, count(DISTINCT iscc_id) AS freq FROM (" \
		"SELECT type, simprint, iscc_id, row_number() OVER" \
		" (PARTITION BY type, simprint ORDER BY iscc_id, start, size) AS nth" \
		" FROM (SELECT DISTINCT type, simprint, iscc_id, start, size" \
			" FROM " source ") d) n" \
	" WHERE nth <= 1000 GROUP BY type, simprint"

/* clang-format on */

const char *const isx_pg_statements[ISX_PG_STATEMENTS] = {
	[ISX_PG_BEGIN] = "BEGIN ISOLATION LEVEL READ COMMITTED",
	[ISX_PG_BEGIN_SNAPSHOT] = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY",
	[ISX_PG_COMMIT] = "COMMIT",
	/* A host that dies in a transaction must not hold the lock of an index for long; a wait
	 * for that lock must end before the server counts as silent; a statement whose client
	 * has gone must end. Values that an administrator has set stay. */
	[ISX_PG_LIMITS] =
		"SELECT set_config(name, CASE WHEN setting = '0' THEN value ELSE"
		" setting || coalesce(unit, '') END, true) FROM pg_settings JOIN (VALUES"
		" ('lock_timeout', $1::text), ('idle_in_transaction_session_timeout', '60s'),"
		" ('client_connection_check_interval', '1s')) AS limits (name, value)"
		" USING (name)",
	/* Only the last of these limits, for the snapshot of a follower, whose transaction rests while
	 * rows are put into the file. */
	[ISX_PG_WATCH_CLIENT] =
		"SELECT set_config('client_connection_check_interval', '1s', true)"
		" WHERE current_setting('client_connection_check_interval', true) = '0'",
	[ISX_PG_RELAX] = "SET LOCAL synchronous_commit TO off",
	[ISX_PG_SCHEMA_EXISTS] =
		"SELECT EXISTS (SELECT FROM pg_namespace WHERE nspname = $1::text),"
		" EXISTS (SELECT FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace"
		" WHERE n.nspname = $1::text AND c.relname = 'store')",
	[ISX_PG_SCHEMA_LOCK] =
		"SELECT pg_advisory_xact_lock(hashtextextended('iscc-search ' || $1::text, 0))",
	[ISX_PG_STORE_READ] = "SELECT version::bigint, store_id FROM @.store",

	[ISX_PG_INDEX_NAMES] = "SELECT name, index_id, incarnation, assets FROM @.index"
			       " ORDER BY name COLLATE \"C\"",
	[ISX_PG_INDEX_HEAD] = "SELECT " HEAD_COLUMNS ", pg_is_in_recovery()"
			      " FROM @.index WHERE name = $1::text",
	[ISX_PG_INDEX_BY_ID] = "SELECT " HEAD_COLUMNS ", pg_is_in_recovery()"
			       " FROM @.index WHERE index_id = $1::bigint",
	[ISX_PG_INDEX_LOCK] = "SELECT " HEAD_COLUMNS ", false"
			      " FROM @.index WHERE name = $1::text FOR UPDATE",
	/* One statement: nothing is created in tables of another version, and an index that
	 * exists is no error but returns no row. Its first change, with number 0, has no assets:
	 * a follower of the empty index finds its position in the log. */
	[ISX_PG_INDEX_CREATE] =
		"WITH made AS (INSERT INTO @.index"
		" (name, incarnation, head, head_mark, changed, assets)"
		" SELECT $1::text, $2::bigint, 0, $3::bigint, 0, 0 FROM @.store"
		" WHERE version = $4::bigint ON CONFLICT (name) DO NOTHING RETURNING index_id)"
		" INSERT INTO @.change (index_id, head, mark, changed, iscc_ids)"
		" SELECT index_id, 0, $3::bigint, 0, '{}' FROM made RETURNING index_id",
	[ISX_PG_INDEX_DELETE] = "DELETE FROM @.index WHERE index_id = $1::bigint",
	[ISX_PG_INDEX_DELETE_UNITS] = "DELETE FROM @.unit WHERE index_id = $1::bigint",
	[ISX_PG_INDEX_DELETE_SIMPRINTS] = "DELETE FROM @.simprint WHERE index_id = $1::bigint",
	[ISX_PG_INDEX_DELETE_CHANGES] = "DELETE FROM @.change WHERE index_id = $1::bigint",
	[ISX_PG_INDEX_DELETE_ASSETS] = "DELETE FROM @.asset WHERE index_id = $1::bigint",
	/* clang-format off */
	[ISX_PG_INDEX_SIZE] =
		"WITH u AS (" SAMPLE("unit") "), s AS (" SAMPLE("simprint") ")"
		" SELECT type, (sum(bytes) * (" FACTOR("u") "))::bigint FROM u GROUP BY type"
		" UNION ALL"
		" SELECT 'SIMPRINT_' || type, (sum(bytes) * (" FACTOR("s") "))::bigint FROM s"
		" GROUP BY type"
		" ORDER BY 1",
	/* clang-format on */
	[ISX_PG_INDEX_ADVANCE] =
		"UPDATE @.index SET head = $2::bigint, head_mark = $3::bigint, realm = $4::bigint,"
		" assets = $5::bigint, changed = $6::bigint WHERE index_id = $1::bigint",

	[ISX_PG_FIELDS_GET] = "SELECT fields FROM @.index WHERE index_id = $1::bigint",
	[ISX_PG_FIELDS_PUT] = "UPDATE @.index SET fields = $2::json WHERE index_id = $1::bigint",
	/* All assets, or those of $2, with their metadata, and with their codes if $3 is not 0. */
	[ISX_PG_ASSETS_SCAN] =
		"SELECT iscc_id, CASE WHEN $3::bigint <> 0 THEN codes END, metadata FROM @.asset"
		" WHERE index_id = $1::bigint"
		" AND ($2::bytea[] IS NULL OR iscc_id = ANY($2::bytea[])) ORDER BY iscc_id",

	/* xmax of a row that was inserted is 0, and of one that was updated is not: created or
	 * updated. */
	[ISX_PG_ASSETS_PUT] =
		"INSERT INTO @.asset AS a (index_id, iscc_id, codes, metadata)"
		" SELECT $1::bigint, * FROM unnest($2::bytea[], $3::json[], $4::json[])"
		" ON CONFLICT (index_id, iscc_id) DO UPDATE"
		" SET codes = EXCLUDED.codes, metadata = EXCLUDED.metadata"
		" RETURNING iscc_id, xmax <> 0",
	[ISX_PG_ASSETS_DELETE] = "DELETE FROM @.asset WHERE index_id = $1::bigint"
				 " AND iscc_id = ANY($2::bytea[]) RETURNING iscc_id",
	[ISX_PG_ASSETS_FIND] = "SELECT iscc_id FROM @.asset WHERE index_id = $1::bigint"
			       " AND iscc_id = ANY($2::bytea[]) LIMIT 1",
	[ISX_PG_METADATA_PUT] = "UPDATE @.asset SET metadata = $3::json"
				" WHERE index_id = $1::bigint AND iscc_id = $2::bytea"
				" RETURNING iscc_id",
	[ISX_PG_ASSET_GET] = "SELECT i.realm::bigint, a.codes, a.metadata FROM @.index i"
			     " LEFT JOIN @.asset a ON a.index_id = i.index_id"
			     " AND a.iscc_id = $2::bytea WHERE i.name = $1::text",
	/* OFFSET 0 keeps the planner from reversing the join: of an index that is not in its
	 * statistics yet it expects one row, and would read all rows there are. */
	[ISX_PG_ASSETS_METADATA] = "SELECT a.* FROM (SELECT DISTINCT unnest($2::bytea[])) AS "
				   "winner (iscc_id), LATERAL ("
				   "SELECT iscc_id, CASE WHEN $4::bigint <> 0 THEN metadata END,"
				   " CASE WHEN $3::bigint <> 0 THEN codes END"
				   " FROM @.asset WHERE index_id = $1::bigint"
				   " AND asset.iscc_id = winner.iscc_id OFFSET 0) a ORDER BY 1",
	[ISX_PG_ASSETS_CHANGED] = "SELECT EXISTS (SELECT FROM @.change WHERE index_id = $1::bigint"
				  " AND head > $3::bigint AND iscc_ids && $2::bytea[])",

	[ISX_PG_ASSETS_PAGE] = "SELECT iscc_id, codes, metadata FROM @.asset"
			       " WHERE index_id = $1::bigint AND iscc_id >= $2::bytea"
			       " AND iscc_id <= $3::bytea AND ($5::bigint < 0 OR $5::bigint ="
			       " (get_byte(iscc_id, 6) & 15) * 256 + get_byte(iscc_id, 7))"
			       " ORDER BY iscc_id LIMIT $4::bigint",
	[ISX_PG_SIMPRINTS_PAGE] = "SELECT iscc_id, type, start, size, simprint FROM @.simprint"
				  " WHERE index_id = $1::bigint AND iscc_id >= $2::bytea"
				  " AND iscc_id <= $3::bytea"
				  " ORDER BY iscc_id, type COLLATE \"C\", start, size, position",

	[ISX_PG_UNITS_PUT] =
		"INSERT INTO @.unit (index_id, iscc_id, type, body)"
		" SELECT $1::bigint, * FROM unnest($2::bytea[], $3::text[], $4::varbit[])"
		" ON CONFLICT DO NOTHING",
	[ISX_PG_UNITS_DELETE] = "DELETE FROM @.unit WHERE index_id = $1::bigint"
				" AND iscc_id = ANY($2::bytea[])",
	[ISX_PG_SIMPRINTS_SAMPLE] = "SELECT count(*), count(DISTINCT iscc_id) FROM (SELECT iscc_id"
				    " FROM @.simprint WHERE index_id = $1::bigint LIMIT 20000) s",
	[ISX_PG_SIMPRINTS_PUT] =
		"INSERT INTO @.simprint (index_id, iscc_id, type, position, start, size, simprint)"
		" SELECT $1::bigint, * FROM unnest($2::bytea[], $3::text[], $4::bigint[],"
		" $5::bigint[], $6::bigint[], $7::varbit[])",
	[ISX_PG_SIMPRINTS_DELETE] = "DELETE FROM @.simprint WHERE index_id = $1::bigint"
				    " AND iscc_id = ANY($2::bytea[])",
	/* IS TRUE keeps the planner from a join, which reads all simprints of an index that is not in
	 * its statistics yet. */
	[ISX_PG_SIMPRINTS_REPLACE] =
		"DELETE FROM @.simprint WHERE index_id = $1::bigint AND iscc_id = ANY($2::bytea[])"
		" AND ((iscc_id, type) IN"
		" (SELECT * FROM unnest($2::bytea[], $3::text[]))) IS TRUE",

	[ISX_PG_CHANGE_PUT] =
		"INSERT INTO @.change (index_id, head, mark, changed, iscc_ids)"
		" VALUES ($1::bigint, $2::bigint, $3::bigint, $4::bigint, $5::bytea[])",
	[ISX_PG_CHANGE_PRUNE] = /* reads the oldest 1,000 only: `changed` has no key, but rises */
	"DELETE FROM @.change WHERE index_id = $1::bigint AND head <= ("
	"SELECT max(head) FROM (SELECT head, changed FROM @.change"
	" WHERE index_id = $1::bigint ORDER BY head LIMIT 1000) oldest"
	" WHERE changed < $2::bigint)",
	[ISX_PG_CHANGE_FIND] =
		"SELECT changed FROM @.change WHERE index_id = $1::bigint AND head = $2::bigint"
		" AND mark = $3::bigint",
	/* The token and count of the change $2, and the number of changes from it on: less than the
	 * difference of the numbers means that the log has a gap. */
	[ISX_PG_CHANGE_REACHES] =
		"SELECT max(mark) FILTER (WHERE head = $2::bigint),"
		" max(changed) FILTER (WHERE head = $2::bigint), count(*) FROM @.change"
		" WHERE index_id = $1::bigint AND head >= $2::bigint",
	/* The last change behind $2 at which no more than $4 assets were changed in total, or
	 * else the next one. */
	[ISX_PG_CHANGE_STEP] =
		"SELECT head, changed FROM @.change WHERE index_id = $1::bigint AND head = ("
		"SELECT coalesce(max(head) FILTER (WHERE changed <= $4::bigint), min(head))"
		" FROM @.change WHERE index_id = $1::bigint AND head > $2::bigint"
		" AND head <= $3::bigint)",
	[ISX_PG_CHANGED_ASSETS] = CHANGED_IDS
	"SELECT ids.iscc_id, a.codes, CASE WHEN $4::bigint <> 0 THEN a.metadata END"
	" FROM ids LEFT JOIN @.asset a"
	" ON a.index_id = $1::bigint AND a.iscc_id = ids.iscc_id ORDER BY 1",
	[ISX_PG_CHANGED_SIMPRINTS] = CHANGED_IDS
	"SELECT s.iscc_id, s.type, s.start, s.size, s.simprint FROM ids JOIN @.simprint s"
	" ON s.index_id = $1::bigint AND s.iscc_id = ids.iscc_id ORDER BY s.iscc_id, s.type,"
	" s.position",

	/* clang-format off */
	/* The best score of each queried type in each asset that matches, by ISCC-ID, with the bits
	 * that were compared: the most, where scores are equal. Units of type INSTANCE match only as
	 * a whole; $6 has the thresholds of the others, by type; $7: also the types of these assets
	 * that do not reach their thresholds. */
	[ISX_PG_SEARCH_UNITS] = UNIT_SCORES ")"
		" SELECT iscc_id, type_position, best[1], best[2] FROM ("
			"SELECT iscc_id, type_position, max(ARRAY[score, bits]) AS best,"
			" bool_or(bool_or(reaches)) OVER (PARTITION BY iscc_id) AS matches FROM ("
				"SELECT *, score >= CASE is_instance WHEN 1 THEN 1.0"
				" ELSE ($6::float8[])[type_position + 1] END AS reaches"
				" FROM scored WHERE is_instance = 0 OR score = 1.0) s"
			" WHERE reaches OR $7::bigint <> 0"
			" GROUP BY iscc_id, type_position) t"
		" WHERE matches ORDER BY iscc_id, type_position",
	/* The same for the assets of the ranking, without the threshold; -1 for a type of which no
	 * unit matches, and the share of equal bits. */
	[ISX_PG_SCORE_UNITS] = UNIT_SCORES " WHERE u.iscc_id = ANY($6::bytea[]))"
		" SELECT iscc_id, type_position, best[1], best[2], best[3] FROM ("
			"SELECT iscc_id, type_position, max(ARRAY["
				"CASE WHEN is_instance = 1 AND score < 1.0 THEN -1.0::float8"
				" ELSE score END, bits, score]) AS best"
			" FROM scored GROUP BY iscc_id, type_position) t"
		" ORDER BY iscc_id, type_position",
	/* How many units of each of the types $2 there are, by the bytes of their bodies. */
	[ISX_PG_COUNT_UNITS] =
		"SELECT t.position - 1, length(u.body)::bigint / 8, count(*)"
		" FROM unnest($2::text[]) WITH ORDINALITY AS t(type, position)"
		" JOIN @.unit u ON u.index_id = $1::bigint AND u.type = t.type"
		" AND " HAS_BITS("u.iscc_id", "u.body") " GROUP BY 1, 2",
	[ISX_PG_SIMPRINTS_OF_ASSET] =
		"SELECT s.type, s.simprint FROM @.simprint s"
		" WHERE s.index_id = $1::bigint AND s.iscc_id = $2::bytea AND " IS_SOUND("s")
		" AND " IS_SEARCHED("s")
		" ORDER BY s.type COLLATE \"C\", s.start, s.size",
	/* For each queried simprint: its frequency, whether the index has simprints of its type,
	 * and whether it has searched ones of its length. */
	[ISX_PG_COUNT_SIMPRINTS] = QUERIED ","
		" same AS ("
			"SELECT s.* FROM @.simprint s"
			" JOIN (SELECT DISTINCT type, body FROM q) d"
			" ON s.type = d.type AND s.simprint = d.body"
			" WHERE s.index_id = $1::bigint AND " IS_SOUND("s") "),"
		" f AS (" FREQUENCIES("same") ")"
		" SELECT q.type_position, q.position, coalesce(f.freq, 0),"
			" EXISTS (SELECT FROM @.simprint s"
				" WHERE s.index_id = $1::bigint AND s.type = q.type AND " IS_SOUND("s") "),"
			" EXISTS (SELECT FROM @.simprint s"
				" WHERE s.index_id = $1::bigint AND s.type = q.type"
				" AND length(s.simprint) = length(q.body) AND " IS_SOUND("s")
				" AND " IS_SEARCHED("s") ")"
		" FROM q LEFT JOIN f ON f.type = q.type AND f.simprint = q.body ORDER BY 1, 2",
	/* The best stored simprint for each queried one in each asset, by ISCC-ID; $6 has the
	 * thresholds, by type, $7 the assets of the ranking or NULL for all. */
	[ISX_PG_SEARCH_SIMPRINTS] = QUERIED ","
		" rows AS MATERIALIZED ("
			"SELECT iscc_id, type, start, size, simprint, row_number() OVER"
			" (PARTITION BY iscc_id, type, start, size ORDER BY position) AS nth"
			" FROM @.simprint s WHERE index_id = $1::bigint AND type = ANY($3::text[])"
			" AND " IS_SOUND("s") "),"
		" scored AS ("
			"SELECT r.*, q.type_position, q.position,"
			" " SCORE("r.simprint", "q.body") " AS score"
			" FROM q JOIN rows r ON r.type = q.type AND r.nth = 1"
			" WHERE $7::bytea[] IS NULL OR r.iscc_id = ANY($7::bytea[])),"
		" best AS ("
			"SELECT DISTINCT ON (iscc_id, type_position, position) * FROM scored"
			" WHERE score >= ($6::float8[])[type_position + 1]"
			" ORDER BY iscc_id, type_position, position, score DESC, start, size,"
			" length(simprint) DESC),"
		" found AS (SELECT DISTINCT type, simprint FROM best),"
		" f AS (" FREQUENCIES("rows JOIN found USING (type, simprint)") ")"
		" SELECT b.iscc_id, b.type_position, b.position, b.score, b.start, b.size,"
			" b.simprint, f.freq"
		" FROM best b JOIN f USING (type, simprint) ORDER BY 1, 2, 3",
	/* clang-format on */
};

char *isx_pg_sql_text(const char *sql, const char *schema)
{
	struct isx_buf text = { 0 };
	for (const char *at = sql; *at; at++) {
		if (at[0] != '@' || at[1] != '.') {
			isx_buf_char(&text, *at);
			continue;
		}
		isx_buf_char(&text, '"');
		isx_buf_text(&text, schema); /* only letters, digits and _, see isx_pg_pool_new() */
		isx_buf_text(&text, "\".");
		at++;
	}
	isx_buf_char(&text, '\0');
	return isx_buf_take(&text);
}
