/*
 * lmdb_fields.h - the declared fields of an index, and the table of the values that its assets have
 *                 in them (lmdb_format.h).
 *
 * For every kind of file. Rows are written and removed in the transaction that changes the metadata.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef ISX_LMDB_FIELDS_H
#define ISX_LMDB_FIELDS_H

#include "base/buf.h"
#include "base/mem.h"
#include "storage/lmdb_file.h"

/* The declared fields: JSON pointers (json/pointer.h). The number of a field is its position. */
struct isx_lmdb_fields {
	const char **pointers;
	size_t count; /* at most ISX_FIELDS_MAX; 0: none is declared */
};

/* Read the list of a view; it lives in `arena`. ISX_CORRUPT: it is damaged. */
ISX_MUST_CHECK enum isx_status isx_lmdb_fields_read(struct isx_lmdb_view *view,
						    struct isx_arena *arena,
						    struct isx_lmdb_fields *fields,
						    struct isx_err *err);

/* Read a list from its JSON, and print one. False: it is none. ISX_NO_MEMORY.
 *   fields  filled, in `arena`; empty if it is none */
ISX_MUST_CHECK enum isx_status isx_lmdb_fields_parse(struct isx_span json, struct isx_arena *arena,
						     struct isx_lmdb_fields *fields, bool *is_read,
						     struct isx_err *err);
void isx_lmdb_fields_print(struct isx_buf *json, const char *const *pointers, size_t count);

/* Put a list into a view that writes, and make the table of it. */
ISX_MUST_CHECK enum isx_status isx_lmdb_fields_put(struct isx_lmdb_view *view,
						   const char *const *pointers, size_t count,
						   struct isx_err *err);

/* Copy a list: a new array of *count new texts, each freed with isx_mem_free(). */
ISX_MUST_CHECK enum isx_status isx_lmdb_fields_copy(const struct isx_lmdb_fields *fields,
						    char ***pointers, size_t *count,
						    struct isx_err *err);

/* Read the list of a file.
 *   pointers  new: an array of *count new texts, each freed with isx_mem_free() */
ISX_MUST_CHECK enum isx_status isx_lmdb_fields_get(struct isx_lmdb_file *file, char ***pointers,
						   size_t *count, struct isx_err *err);

/* Replace the list of a file, and make the table of it: one transaction, so that a process which is
 * killed meanwhile has changed nothing. A list that is declared already costs nothing.
 *   progress  called regularly with the assets that were read, and all; may be NULL
 * Writers wait until it is done, searches go on. */
ISX_MUST_CHECK enum isx_status isx_lmdb_fields_set(struct isx_lmdb_file *file,
						   const char *const *pointers, size_t count,
						   isx_progress_fn *progress, void *arg,
						   struct isx_err *err);

/* In a view that writes: empty the table and make it again, as another program wrote last. `derive` of
 * each kind ends with it. */
ISX_MUST_CHECK enum isx_status isx_lmdb_fields_derive(struct isx_lmdb_view *view,
						      struct isx_err *err);

/* A change of the rows of some assets, in a view that writes. Begin it, call change() for each
 * asset, and end it: rows are put together at the end, in the order of the table. */
struct isx_field_change {
	struct isx_lmdb_view *view;
	struct isx_lmdb_fields fields;
	struct isx_arena arena; /* of the list */
	struct isx_field_rows {
		struct isx_field_row *items; /* their keys lie in `keys` */
		size_t count;
		size_t cap;
		struct isx_buf keys;
	} old, made, to_put;
	struct isx_buf value; /* of one field, while it is read */
};
ISX_MUST_CHECK enum isx_status isx_field_change_begin(struct isx_field_change *change,
						      struct isx_lmdb_view *view,
						      struct isx_err *err);

/* Note that the asset `id` gets the JSON `to` in place of `from`, as they are stored; an empty span: the
 * asset is not there. Rows that it has in both stay. `from` may be borrowed from the view. */
ISX_MUST_CHECK enum isx_status isx_field_change_asset(struct isx_field_change *change, uint64_t id,
						      struct isx_span from, struct isx_span to,
						      struct isx_err *err);

/* Put the rows, unless `st` is a failure, and free what the change has. Returns `st` if it is one. */
ISX_MUST_CHECK enum isx_status isx_field_change_end(struct isx_field_change *change,
						    enum isx_status st, struct isx_err *err);

/* Append the key of a value in the table.
 *   field  its number
 *   value  its key by json/field_value.h */
void isx_field_key(struct isx_buf *key, size_t field, struct isx_span value);

/* Flags and row length of the table, if `name` is its name. */
bool isx_lmdb_fields_shape(const char *name, struct isx_table_shape *shape);

/* The keys of the rows that an asset has to have.
 *   json  as it is stored, and checked to be JSON
 *   keys  filled: *count of them, in `arena`, each once. The first byte is the number of the field */
ISX_MUST_CHECK enum isx_status isx_lmdb_fields_keys(const struct isx_lmdb_fields *fields,
						    struct isx_span json, struct isx_arena *arena,
						    MDB_val **keys, size_t *count,
						    struct isx_err *err);

#endif
