/*
 * sim_tables.c - the tables of an index of usearch:// and memory://, by their names in
 *                sim_format.h.
 *
 * A handle is opened once and published for all views (storage/lmdb_file.c). LMDB allows one
 * transaction at a time to open handles, so the caller holds file->opening: it is either
 * lmdb_file.c, which looks up the tables of a file, or a view that writes.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "similarity/sim_tables.h"

#include "base/buf.h"
#include "storage/lmdb_fields.h"
#include "storage/lmdb_verify.h"
#include "json/json_text.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

/* Open the two tables of a simprint type, __sp_TYPE__ and __sp_assets_TYPE__; a view that writes
 * creates them. Both or none are noted in the view. Returns a code of LMDB: MDB_BAD_VALSIZE for a
 * type that is too long, MDB_DBS_FULL for one type too many. */
static int open_sp_tables(struct isx_lmdb_view *view, const char *type)
{
	char name[ISX_TABLE_NAME_MAX];
	struct isx_sim_tables *t = isx_sim_tables(view);
	if (strlen(type) > ISX_SIMPRINT_TYPE_MAX)
		return MDB_BAD_VALSIZE;
	for (size_t i = 0; i < t->sp_count; i++)
		if (strcmp(t->sp[i].type, type) == 0)
			return 0;
	if (t->sp_count == ISX_SIMPRINT_TYPES_MAX)
		return MDB_DBS_FULL;
	struct isx_sim_sp_tables sp = { 0 }; /* all zeros: tables are compared as bytes */
	snprintf(sp.type, sizeof sp.type, "%s", type);
	snprintf(name, sizeof name, ISX_TABLE_SP, type);
	int rc = isx_lmdb_open_table(view, name, MDB_DUPSORT | MDB_DUPFIXED, &sp.data);
	snprintf(name, sizeof name, ISX_TABLE_SP_ASSETS, type);
	if (!rc)
		rc = isx_lmdb_open_table(view, name, 0, &sp.assets);
	if (!rc)
		t->sp[t->sp_count++] = sp;
	return rc;
}

/* Is there a simprint type of this name? 0.3.3 accepts any name, so __sp_assets_X__ has either the
 * fingerprints of the type X or the simprints of a type assets_X; if there is a type X, it has the
 * fingerprints of X. The same question arises for X itself if it begins with assets_, so the name
 * is resolved from its end: first without any assets_, then with one more each time. The list
 * sp_types of the metadata does not help: where both types are in it, they share one table. */
static bool is_sp_type(struct isx_lmdb_view *view, const char *type)
{
	char name[ISX_TABLE_NAME_MAX];
	const char *part = type;
	bool is_type = false;
	while (strncmp(part, ISX_SP_ASSETS, strlen(ISX_SP_ASSETS)) == 0)
		part += strlen(ISX_SP_ASSETS);
	/* `part` is the shortest name now. A longer one is a type only if the one before is
	 * none. */
	for (;; part -= strlen(ISX_SP_ASSETS)) {
		int len = snprintf(name, sizeof name, ISX_TABLE_SP, part);
		MDB_val key = isx_lmdb_val(name, (size_t)len), value;
		is_type = !is_type && mdb_get(view->txn, ISX_LMDB_MAIN_TABLE, &key, &value) == 0;
		if (part == type)
			return is_type;
	}
}

/* Tables of other names are ignored: another program may have added them. The table
 * __sp_TYPE__ is opened with __sp_assets_TYPE__. */
int isx_sim_open_table_by_name(struct isx_lmdb_view *view, const char *name)
{
	enum { UNITS_FLAGS = MDB_DUPSORT | MDB_DUPFIXED };
	struct isx_sim_tables *t = isx_sim_tables(view);
	char type[ISX_SIMPRINT_TYPE_MAX + 1];
	unsigned bits;
	int end = 0;
	size_t len = strlen(name);
	if (strcmp(name, ISX_TABLE_METADATA) == 0)
		return isx_lmdb_open_table(view, name, 0, &view->tables.metadata);
	if (strcmp(name, ISX_TABLE_ASSETS) == 0)
		return isx_lmdb_open_table(view, name, 0, &view->tables.assets);
	if (strcmp(name, ISX_TABLE_INSTANCE) == 0)
		return isx_lmdb_open_table(view, name, UNITS_FLAGS | MDB_INTEGERDUP, &t->instance);
	if (sscanf(name, "__units_%u__%n", &bits, &end) == 1 && (size_t)end == len &&
	    bits / 8 <= ISX_BODY_BYTES_MAX)
		return isx_lmdb_open_table(view, name, UNITS_FLAGS, &t->units[bits / 8]);
	if (sscanf(name, "__simprints_%u__%n", &bits, &end) == 1 && (size_t)end == len &&
	    bits / 8 <= ISX_SIMPRINT_BYTES_MAX)
		return isx_lmdb_open_table(view, name, UNITS_FLAGS, &t->simprints[bits / 8]);
	/* 14: the length of "__sp_assets_" and the "__" at the end */
	if (strncmp(name, "__sp_assets_", 12) == 0 && len > 14 &&
	    len - 14 <= ISX_SIMPRINT_TYPE_MAX) {
		snprintf(type, sizeof type, "%.*s", (int)(len - 14), name + 12);
		return is_sp_type(view, type) ? open_sp_tables(view, type) : 0;
	}
	return 0;
}

/* A body length that is new to the index adds a table, and with it a handle that other threads get
 * when the write commits (lmdb_file.c). */
enum isx_status isx_sim_units_table(struct isx_lmdb_view *view, size_t body_bytes, MDB_dbi *table,
				    struct isx_err *err)
{
	char name[ISX_TABLE_NAME_MAX];
	snprintf(name, sizeof name, ISX_TABLE_UNITS, (unsigned)body_bytes * 8);
	int rc = isx_lmdb_open_table(view, name, MDB_DUPSORT | MDB_DUPFIXED,
				     &isx_sim_tables(view)->units[body_bytes]);
	*table = isx_sim_tables(view)->units[body_bytes];
	return isx_lmdb_status(rc, "open the table of units", err);
}

enum isx_status isx_sim_simprints_table(struct isx_lmdb_view *view, size_t simprint_bytes,
					MDB_dbi *table, struct isx_err *err)
{
	char name[ISX_TABLE_NAME_MAX];
	MDB_dbi *slot = &isx_sim_tables(view)->simprints[simprint_bytes];
	snprintf(name, sizeof name, ISX_TABLE_SIMPRINTS, (unsigned)simprint_bytes * 8);
	int rc = isx_lmdb_open_table(view, name, MDB_DUPSORT | MDB_DUPFIXED, slot);
	*table = *slot;
	return isx_lmdb_status(rc, "open the table of simprints", err);
}

/* Write the JSON list of all simprint types again, after one was added. 0.3.3 reads it; here the
 * tables themselves say which types there are. */
static enum isx_status register_sp_types(struct isx_lmdb_view *view, struct isx_err *err)
{
	struct isx_buf list = { 0 };
	for (size_t i = 0; i < isx_sim_tables(view)->sp_count; i++) {
		isx_buf_text(&list, i ? ", " : "[");
		isx_json_quote(&list, isx_span_of(isx_sim_tables(view)->sp[i].type));
	}
	isx_buf_char(&list, ']');
	enum isx_status st = isx_buf_status(&list, err);
	if (!st)
		st = isx_lmdb_put_meta(view, ISX_META_SP_TYPES, list.ptr, list.len, err);
	isx_buf_release(&list);
	return st;
}

/* The list of types is written only when this call has made a type. */
enum isx_status isx_sim_sp_tables(struct isx_lmdb_view *view, const char *type,
				  const struct isx_sim_sp_tables **tables, struct isx_err *err)
{
	size_t before = isx_sim_tables(view)->sp_count;
	int rc = open_sp_tables(view, type);
	*tables = NULL;
	if (rc == MDB_BAD_VALSIZE)
		return isx_fail(err, ISX_INVALID, "simprints: a type has at most %d bytes",
				ISX_SIMPRINT_TYPE_MAX);
	if (rc == MDB_DBS_FULL)
		return isx_fail(err, ISX_INVALID, "simprints: an index has at most %d types",
				ISX_SIMPRINT_TYPES_MAX);
	enum isx_status st = isx_lmdb_status(rc, "open the tables of simprints", err);
	if (!st && isx_sim_tables(view)->sp_count > before)
		st = register_sp_types(view, err);
	for (size_t i = 0; !st && i < isx_sim_tables(view)->sp_count; i++)
		if (strcmp(isx_sim_tables(view)->sp[i].type, type) == 0)
			*tables = &isx_sim_tables(view)->sp[i];
	return st;
}

/* __sp_assets_X__ gets no shape: it has either fingerprints or simprints (is_sp_type()), and the
 * name alone does not tell which. */
bool isx_sim_table_shape(const char *name, struct isx_table_shape *shape)
{
	enum { UNITS_FLAGS = MDB_DUPSORT | MDB_DUPFIXED };
	unsigned bits;
	int end = 0;
	size_t len = strlen(name);
	*shape = (struct isx_table_shape){ 0 };
	if (isx_lmdb_fields_shape(name, shape))
		return true;
	if (strcmp(name, ISX_TABLE_METADATA) == 0)
		shape->is_brief = true;
	else if (strcmp(name, ISX_TABLE_INSTANCE) == 0)
		*shape = (struct isx_table_shape){ .flags = UNITS_FLAGS | MDB_INTEGERDUP,
						   .row_bytes = ISX_KEY_BYTES };
	else if (sscanf(name, "__units_%u__%n", &bits, &end) == 1 && (size_t)end == len)
		*shape = (struct isx_table_shape){ .flags = UNITS_FLAGS,
						   .row_bytes = ISX_KEY_BYTES + bits / 8,
						   .is_brief = true };
	else if (sscanf(name, "__simprints_%u__%n", &bits, &end) == 1 && (size_t)end == len)
		*shape = (struct isx_table_shape){ .flags = UNITS_FLAGS,
						   .row_bytes = ISX_CHUNK_BYTES + bits / 8 };
	else if (strncmp(name, "__sp_assets_", 12) != 0 && strncmp(name, "__sp_", 5) == 0)
		*shape = (struct isx_table_shape){ .flags = UNITS_FLAGS,
						   .row_bytes = ISX_CHUNK_BYTES };
	else if (strcmp(name, ISX_TABLE_ASSETS) == 0)
		shape->is_by_key = true;
	else
		return false;
	return true;
}

/* __units_*__ and __simprints_*__ are made when the first row of their length is put. */
enum isx_status isx_sim_make_tables(struct isx_lmdb_view *view, struct isx_err *err)
{
	struct isx_sim_tables *t = isx_sim_tables(view);
	bool is_new = view->tables.metadata == 0;
	int rc = isx_lmdb_open_table(view, ISX_TABLE_METADATA, 0, &view->tables.metadata);
	if (!rc)
		rc = isx_lmdb_open_table(view, ISX_TABLE_ASSETS, 0, &view->tables.assets);
	if (!rc)
		rc = isx_lmdb_open_table(view, ISX_TABLE_INSTANCE,
					 MDB_DUPSORT | MDB_DUPFIXED | MDB_INTEGERDUP, &t->instance);
	enum isx_status st = isx_lmdb_status(rc, "create tables", err);
	if (st || !is_new)
		return st; /* the rest is written once, into a new index */
	/* created_at is the bits of a double, big-endian, as 0.3.3 writes it (sim_format.h). */
	uint8_t number[8];
	struct timespec now;
	clock_gettime(CLOCK_REALTIME, &now);
	double seconds = (double)now.tv_sec + (double)now.tv_nsec / 1e9;
	uint64_t bits;
	memcpy(&bits, &seconds, sizeof bits);
	isx_store_be64(number, bits);
	st = isx_lmdb_put_meta(view, ISX_META_CREATED, number, 8, err);
	isx_store_be32(number, ISX_BODY_BYTES_MAX * 8);
	return st ? st : isx_lmdb_put_meta(view, ISX_META_MAX_DIM, number, 4, err);
}

/* A u32 here; lmdb:// has it as text. */
enum isx_status isx_sim_realm(struct isx_lmdb_view *view, bool *found, uint32_t *realm,
			      struct isx_err *err)
{
	*realm = 0;
	enum isx_status st = isx_lmdb_get_u32(view, ISX_META_REALM, found, realm, err);
	if (st || *realm <= 1)
		return st;
	return isx_lmdb_fail_damaged(view->file, "realm_id in the metadata is neither 0 nor 1",
				     err);
}

/* In the transaction of the first asset, so that no other process sees assets without a realm. */
enum isx_status isx_sim_put_realm(struct isx_lmdb_view *view, uint32_t realm, struct isx_err *err)
{
	uint8_t bytes[4];
	isx_store_be32(bytes, realm);
	return isx_lmdb_put_meta(view, ISX_META_REALM, bytes, sizeof bytes, err);
}

/* The key is the same however the ISCC-ID was written. */
int isx_sim_get(struct isx_lmdb_view *view, const char *iscc_id, const struct isx_iscc_id *id,
		MDB_val *json)
{
	uint8_t bytes[ISX_KEY_BYTES];
	(void)iscc_id;
	isx_store_be64(bytes, id->body);
	MDB_val key = isx_lmdb_val(bytes, sizeof bytes);
	return isx_lmdb_get_asset(view, &key, json);
}
