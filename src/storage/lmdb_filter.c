/*
 * lmdb_filter.c - evaluate a filter over the table of the values of declared fields.
 *
 * Each condition on a field becomes a set of ISCC-IDs: those that lie under the keys of its values, or
 * under a range of keys. `all`, `any` and `not` combine sets, so that no asset is looked at. Of hub
 * numbers and unit types there is no table: what names them stays a tree, with sets at its leaves, that
 * is evaluated for single assets.
 *
 * The keys of values beyond 399 bytes are cut (lmdb_format.h), and only their beginning is in order: for
 * the few that begin as an end of a range does, the assets are read.
 *
 * Reads the caller's view; locks nothing. Recursion is bounded by ISX_FILTER_DEPTH_MAX. Must not know
 * who searches by the sets.
 *
 * Memory: a set has 16 bytes for each range, at most one for each asset, and the ISCC-IDs of one
 * condition take 8 bytes each while it is evaluated. All of it counts against the quota of the
 * search, so a filter that passes nearly every asset is refused rather than ending the process.
 * Time: reading the rows of the values that the filter names; the meter is asked meanwhile.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "storage/lmdb_filter.h"

#include "base/array.h"
#include "storage/lmdb_fields.h"
#include "storage/lmdb_kind.h"
#include "json/field_value.h"
#include "json/wire.h"

enum {
	HEAD_BYTES = ISX_FIELD_HEAD_BYTES - 1
}; /* of a value key that is in the order of the table */

/* A condition that was evaluated as far as the tables go. */
struct isx_passing_rest {
	/* ALL, ANY and NOT have parts; HUB and TYPES have a condition; ID has a set. The first part of
	 * ALL and ANY is a set always. */
	enum isx_condition_kind kind;
	struct isx_id_set ids;
	const struct isx_condition *condition;
	struct isx_passing_rest *parts;
	size_t part_count;
};

/* An evaluation while it runs. */
struct evaluation {
	struct isx_lmdb_view *view;
	const struct isx_filter *filter;
	const struct isx_quota *caller; /* asked for what `spare` does not cover */
	struct isx_quota own;           /* take_spare() */
	size_t spare;                   /* bytes that were taken and are free again */
	struct isx_meter *meter;
	struct isx_arena *arena; /* of the tree that is made */
	size_t *numbers;         /* of each field of the filter: its number in the table */
	uint32_t realm;
	struct isx_buf key; /* of the table */
	/* The ISCC-IDs of one condition. */
	uint64_t *ids;
	size_t id_count, id_cap;
	size_t keys; /* they lie under so many: those of one key are ascending */
};

/* Most sets are freed before the next one is made, and a quota takes nothing back. Without this a filter
 * of many conditions would be refused, though it never needs more than a few sets. */
static enum isx_status take_spare(void *keeper, size_t bytes, struct isx_err *err)
{
	struct evaluation *eval = keeper;
	const size_t covered = bytes < eval->spare ? bytes : eval->spare;
	enum isx_status st = isx_quota_take(eval->caller, bytes - covered, err);
	eval->spare -= st ? 0 : covered;
	return st;
}

/* Bytes that an operation frees, once it has succeeded. */
static size_t bytes_of(const struct isx_id_set *set)
{
	return set->cap * sizeof *set->ranges;
}

/* --- one asset -------------------------------------------------------------------------------- */

/* A stored asset that conditions are evaluated on. It is read for the first of them, and for all: a
 * stranger chooses how many conditions ask for types. */
struct stored_asset {
	uint64_t id;
	bool is_read;
	struct isx_arena arena;
	struct isx_asset asset;
};

/* Read the asset. One that is damaged counts as empty, as a search shows it without its content. An
 * ISCC-ID comes from a row of the table, so the asset has to be there: one that is missing means a
 * damaged file. */
static enum isx_status read_asset(struct stored_asset *stored, struct isx_lmdb_view *view,
				  uint32_t realm, struct isx_err *err)
{
	const struct isx_iscc_id iscc_id = { .body = stored->id, .realm = realm, .version = 1 };
	MDB_val json;
	int rc = view->file->kind->get(view, NULL, &iscc_id, &json);
	if (rc)
		return isx_lmdb_status(rc == MDB_NOTFOUND ? MDB_CORRUPTED : rc, "fetch an asset",
				       err);
	enum isx_status st = isx_asset_from_stored(isx_lmdb_span(json), &stored->arena,
						   &stored->asset, NULL);
	if (st == ISX_NO_MEMORY)
		return isx_fail_memory(err);
	if (st)
		stored->asset = (struct isx_asset){ 0 };
	stored->is_read = true;
	return ISX_OK;
}

/* Evaluate one condition on a stored asset. The caller releases stored->arena. */
static enum isx_status holds_in_asset(struct stored_asset *stored, struct isx_lmdb_view *view,
				      uint32_t realm, const struct isx_condition *condition,
				      const char **fields, bool *holds, struct isx_err *err)
{
	const struct isx_filter alone = { .root = *condition, .fields = fields };
	enum isx_status st = stored->is_read ? ISX_OK : read_asset(stored, view, realm, err);
	return st ? st
		  : isx_filter_holds(&alone, stored->id, &stored->asset, &stored->arena, holds,
				     err);
}

/* --- the assets of values --------------------------------------------------------------------- */

/* Add the ISCC-IDs of a page of rows. They are copied, as a set needs them in one array and in
 * this machine's order of bytes. */
static enum isx_status add_page(struct evaluation *eval, MDB_val page, struct isx_err *err)
{
	const uint8_t *rows = page.mv_data;
	const size_t count = page.mv_size / ISX_KEY_BYTES;
	enum isx_status st = isx_array_room(&eval->ids, &eval->id_cap, eval->id_count + count,
					    sizeof *eval->ids, &eval->own, err);
	if (st)
		return st;
	for (size_t i = 0; i < count; i++)
		eval->ids[eval->id_count++] = isx_load_be64(rows + i * ISX_KEY_BYTES);
	return isx_meter_count(eval->meter, count, err);
}

/* Add all rows of the key under the cursor, page by page.
 *   row  the first of them
 * Not row by row: LMDB hands out some hundred rows of a page in one call. */
static enum isx_status add_rows(struct evaluation *eval, MDB_cursor *cursor, MDB_val row,
				struct isx_err *err)
{
	MDB_val key, page = row;
	size_t count = 0;
	enum isx_status st = ISX_OK;
	int rc = mdb_cursor_count(cursor, &count);
	eval->keys++;
	if (!rc && count > 1) /* a lone row is stored inline, and is `row` */
		rc = mdb_cursor_get(cursor, &key, &page, MDB_GET_MULTIPLE);
	while (!rc && !st) {
		st = add_page(eval, page, err);
		rc = count > 1 ? mdb_cursor_get(cursor, &key, &page, MDB_NEXT_MULTIPLE)
			       : MDB_NOTFOUND;
	}
	return st || rc == MDB_NOTFOUND ? st : isx_lmdb_status(rc, "read values of fields", err);
}

/* Does the key of the table have only the beginning of a value? */
static bool is_cut(MDB_val key)
{
	return key.mv_size > ISX_FIELD_HEAD_BYTES;
}

/* Does the value begin as an end of a range does that is longer? Then its key does not tell on which
 * side it is. */
static bool is_beside(MDB_val key, struct isx_span end)
{
	return is_cut(key) && end.len > HEAD_BYTES &&
	       memcmp((const char *)key.mv_data + 1, end.ptr, HEAD_BYTES) == 0;
}

/* Add the assets of the key under the cursor that have a value in the range, by reading each. The
 * rows of the key are added first and thinned out in place then, which needs no list of their own.
 * Each asset costs a lookup and a walk through its metadata, which the meter counts as such. */
static enum isx_status add_verified(struct evaluation *eval, MDB_cursor *cursor, MDB_val row,
				    const struct isx_condition *condition, struct isx_err *err)
{
	const size_t before = eval->id_count;
	size_t kept = before;
	enum isx_status st = add_rows(eval, cursor, row, err);
	for (size_t i = before; !st && i < eval->id_count; i++) {
		bool holds = false;
		struct stored_asset stored = { .id = eval->ids[i] };
		st = isx_meter_work(eval->meter, ISX_METER_ASSET, err);
		if (!st)
			st = holds_in_asset(&stored, eval->view, eval->realm, condition,
					    eval->filter->fields, &holds, err);
		isx_arena_release(&stored.arena);
		if (!st && holds)
			eval->ids[kept++] = eval->ids[i];
	}
	if (!st)
		eval->id_count = kept;
	return st;
}

/* Add the assets of the keys from the cursor's on that are in the range of the condition, or of
 * all values of its field. The cursor begins at the least key that can be in the range, and the
 * walk ends at the first value of another kind or behind `to`. Keys that were cut are compared by
 * what they have: where both values are longer than that and begin alike, only the assets can
 * tell. */
static enum isx_status add_range(struct evaluation *eval, MDB_cursor *cursor,
				 const struct isx_condition *condition, struct isx_err *err)
{
	const struct isx_span from = condition->from, to = condition->to;
	const bool is_range = condition->kind == ISX_FILTER_RANGE;
	const char field = (char)eval->numbers[condition->field];
	enum isx_status st = ISX_OK;
	MDB_val key = isx_lmdb_val(eval->key.ptr, eval->key.len), row;
	int rc = mdb_cursor_get(cursor, &key, &row, MDB_SET_RANGE);
	while (!rc && !st && key.mv_size > 1 && *(const char *)key.mv_data == field) {
		struct isx_span value = isx_span_skip(isx_lmdb_span(key), 1);
		if (is_range && value.ptr[0] != (from.len ? from : to).ptr[0])
			break;
		if (is_range && (is_beside(key, from) || is_beside(key, to)))
			st = add_verified(eval, cursor, row, condition, err);
		else if (is_range && to.len && isx_value_compare(value, to) >= 0)
			break;
		else if (!is_range || !from.len || isx_value_compare(value, from) >= 0)
			st = add_rows(eval, cursor, row, err);
		if (!st)
			rc = mdb_cursor_get(cursor, &key, &row, MDB_NEXT_NODUP);
	}
	return st || !rc || rc == MDB_NOTFOUND ? st
					       : isx_lmdb_status(rc, "read values of fields", err);
}

/* Add the assets of each listed value. Values of a filter are sorted, so the lookups go forward
 * through the table. A value that no asset has is no error. Two long values share no key, as it
 * has a digest of the whole value: no asset is read here. */
static enum isx_status add_values(struct evaluation *eval, MDB_cursor *cursor,
				  const struct isx_condition *condition, struct isx_err *err)
{
	enum isx_status st = ISX_OK;
	for (size_t i = 0; !st && i < condition->value_count; i++) {
		isx_buf_clear(&eval->key);
		isx_field_key(&eval->key, eval->numbers[condition->field], condition->values[i]);
		st = isx_buf_status(&eval->key, err);
		if (st)
			return st;
		MDB_val key = isx_lmdb_val(eval->key.ptr, eval->key.len), row;
		int rc = mdb_cursor_get(cursor, &key, &row, MDB_SET);
		if (!rc)
			st = add_rows(eval, cursor, row, err);
		else if (rc != MDB_NOTFOUND)
			st = isx_lmdb_status(rc, "read values of fields", err);
	}
	return st;
}

/* Put the least key of a range, or of a field, into eval->key. Of a long value only as much as is
 * in order: the digest behind it would lead to an arbitrary place among the values that begin
 * alike. */
static enum isx_status begin_range(struct evaluation *eval, const struct isx_condition *condition,
				   struct isx_err *err)
{
	struct isx_span least = condition->from;
	if (!least.len && condition->to.len) /* its kind alone */
		least = (struct isx_span){ condition->to.ptr, 1 };
	isx_buf_clear(&eval->key);
	isx_buf_char(&eval->key, (char)eval->numbers[condition->field]);
	isx_buf_add(&eval->key, least.ptr, least.len < HEAD_BYTES ? least.len : HEAD_BYTES);
	return isx_buf_status(&eval->key, err);
}

/* Make the set of the ISCC-IDs that were added. Those of several keys are mixed. Under one key
 * they are ascending as they were read, and nothing is sorted. The room for sorting is counted,
 * too, and is spare afterwards. */
static enum isx_status take_ids(struct evaluation *eval, struct isx_id_set *set,
				struct isx_err *err)
{
	enum isx_status st = ISX_OK;
	if (eval->keys > 1) {
		uint64_t *room = NULL;
		st = isx_quota_take(&eval->own, eval->id_count * sizeof *room, err);
		if (!st && !(room = isx_mem_array(eval->id_count, sizeof *room)))
			st = isx_fail_memory(err);
		if (!st)
			isx_array_sort(eval->ids, room, eval->id_count);
		isx_mem_free(room);
		eval->spare += st ? 0 : eval->id_count * sizeof *room;
	}
	return st ? st : isx_id_set_add_ids(set, eval->ids, eval->id_count, &eval->own, err);
}

/* The assets that have a value of a field which meets a condition. */
static enum isx_status find_values(struct evaluation *eval, const struct isx_condition *condition,
				   struct isx_id_set *set, struct isx_err *err)
{
	MDB_cursor *cursor;
	eval->id_count = eval->keys = 0;
	if (!eval->view->tables.fields)
		return ISX_OK;
	int rc = mdb_cursor_open(eval->view->txn, eval->view->tables.fields, &cursor);
	if (rc)
		return isx_lmdb_status(rc, "read values of fields", err);
	enum isx_status st = ISX_OK;
	if (condition->kind == ISX_FILTER_IN) {
		st = add_values(eval, cursor, condition, err);
	} else {
		st = begin_range(eval, condition, err);
		if (!st)
			st = add_range(eval, cursor, condition, err);
	}
	mdb_cursor_close(cursor);
	return st ? st : take_ids(eval, set, err);
}

/* --- conditions of conditions ----------------------------------------------------------------- */

static enum isx_status evaluate(struct evaluation *eval, const struct isx_condition *condition,
				struct isx_passing_rest *made, struct isx_err *err);

static void release_rest(struct isx_passing_rest *rest)
{
	isx_id_set_release(&rest->ids);
	for (size_t i = 0; i < rest->part_count; i++)
		release_rest(&rest->parts[i]);
	rest->part_count = 0;
}

/* Make a condition a set: its parts decide nothing any more. The set is taken over and not
 * copied. */
static void become_set(struct isx_passing_rest *rest, struct isx_id_set set)
{
	release_rest(rest);
	*rest = (struct isx_passing_rest){ .kind = ISX_FILTER_ID, .ids = set };
}

static bool is_everything(const struct isx_id_set *set)
{
	return set->count == 1 && set->ranges[0].first == 0 && set->ranges[0].last == UINT64_MAX;
}

/* Combine the parts of `all` or `any`. Sets are combined into the first part, and once it decides
 * alone, the parts behind are not evaluated. The first part of `all` begins as everything and that
 * of `any` as nothing, so that no part needs a case of its own. What cannot become a set, hub
 * numbers and types, stays in the list behind it. */
static enum isx_status combine(struct evaluation *eval, const struct isx_condition *condition,
			       struct isx_passing_rest *made, struct isx_err *err)
{
	const bool all = condition->kind == ISX_FILTER_ALL;
	made->parts = isx_arena_alloc(eval->arena, condition->part_count + 1, sizeof *made->parts);
	if (!made->parts)
		return isx_fail_memory(err);
	made->part_count = 1;
	struct isx_id_set *set = &made->parts[0].ids;
	made->parts[0].kind = ISX_FILTER_ID;
	enum isx_status st = all ? isx_id_set_add(set, 0, UINT64_MAX, &eval->own, err) : ISX_OK;
	bool is_decided = false;
	for (size_t i = 0; !st && !is_decided && i < condition->part_count; i++) {
		struct isx_passing_rest *part = &made->parts[made->part_count++];
		st = evaluate(eval, &condition->parts[i], part, err);
		if (st || part->kind != ISX_FILTER_ID)
			continue;
		const size_t freed = bytes_of(set) + bytes_of(&part->ids);
		st = all ? isx_id_set_intersect(set, &part->ids, &eval->own, err)
			 : isx_id_set_unite(set, &part->ids, &eval->own, err);
		release_rest(part);
		eval->spare += st ? 0 : freed;
		if (!st) /* a condition of one row walks through the whole set, too */
			st = isx_meter_work(eval->meter, set->count, err);
		made->part_count--;
		is_decided = all ? set->count == 0 : is_everything(set);
	}
	if (!st && (is_decided || made->part_count == 1)) {
		struct isx_id_set alone = *set;
		*set = (struct isx_id_set){ 0 };
		become_set(made, alone);
	}
	return st;
}

/* `not` of what has no table stays a `not`, which is evaluated for single assets; one of a set is
 * the other assets, also those without the field, and those that do not exist: a scan never asks
 * for those. */
static enum isx_status invert(struct evaluation *eval, const struct isx_condition *condition,
			      struct isx_passing_rest *made, struct isx_err *err)
{
	made->parts = isx_arena_alloc(eval->arena, 1, sizeof *made->parts);
	if (!made->parts)
		return isx_fail_memory(err);
	made->part_count = 1;
	enum isx_status st = evaluate(eval, &condition->parts[0], &made->parts[0], err);
	if (st || made->parts[0].kind != ISX_FILTER_ID)
		return st;
	const size_t freed = bytes_of(&made->parts[0].ids);
	st = isx_id_set_invert(&made->parts[0].ids, &eval->own, err);
	if (!st) {
		eval->spare += freed;
		struct isx_id_set set = made->parts[0].ids;
		made->parts[0].ids = (struct isx_id_set){ 0 };
		become_set(made, set);
	}
	return st;
}

/* Evaluate a condition into `made`, which is all zeros; the caller releases it, also on failure. */
static enum isx_status evaluate(struct evaluation *eval, const struct isx_condition *condition,
				struct isx_passing_rest *made, struct isx_err *err)
{
	enum isx_status st = ISX_OK;
	made->kind = condition->kind;
	made->condition = condition;
	switch (condition->kind) {
	case ISX_FILTER_ALL:
	case ISX_FILTER_ANY:
		return combine(eval, condition, made, err);
	case ISX_FILTER_NOT:
		return invert(eval, condition, made, err);
	case ISX_FILTER_ID:
		return condition->first <= condition->last
			       ? isx_id_set_add(&made->ids, condition->first, condition->last,
						&eval->own, err)
			       : ISX_OK;
	case ISX_FILTER_HUB:
	case ISX_FILTER_TYPES:
		return ISX_OK;
	case ISX_FILTER_IN:
	case ISX_FILTER_RANGE:
	case ISX_FILTER_EXISTS:
		st = find_values(eval, condition, &made->ids, err);
		made->kind = ISX_FILTER_ID;
	}
	return st;
}

/* --- all -------------------------------------------------------------------------------------- */

/* Check the filter for this index, and find the number of each of its fields. An index declares
 * its fields in one order, a filter names them in another: the number in the table is looked up
 * once for each field and not for each condition. */
static enum isx_status find_fields(struct evaluation *eval, struct isx_err *err)
{
	struct isx_lmdb_fields declared;
	const struct isx_filter *filter = eval->filter;
	bool has_realm;
	enum isx_status st = isx_lmdb_fields_read(eval->view, eval->arena, &declared, err);
	if (!st)
		st = eval->view->file->kind->realm(eval->view, &has_realm, &eval->realm, err);
	if (!st)
		st = isx_filter_check(filter, declared.pointers, declared.count, has_realm,
				      eval->realm, err);
	if (st)
		return st;
	eval->numbers = isx_arena_alloc(eval->arena, filter->field_count, sizeof *eval->numbers);
	for (size_t i = 0; eval->numbers && i < filter->field_count; i++)
		while (strcmp(declared.pointers[eval->numbers[i]], filter->fields[i]) != 0)
			eval->numbers[i]++;
	return eval->numbers ? ISX_OK : isx_fail_memory(err);
}

/* Split a condition into the set that no asset passes without, and the rest. The set lets a scan
 * leave out whole pages, so it is taken out of the tree; the rest is asked only of assets in it.
 * `any` and `not` at the root have no such set: every asset may pass. */
static enum isx_status take_result(struct isx_passing *passing, struct isx_passing_rest *root,
				   const struct isx_quota *quota, struct isx_err *err)
{
	struct isx_id_set *set = root->kind == ISX_FILTER_ID ? &root->ids : NULL;
	if (root->kind == ISX_FILTER_ALL)
		set = &root->parts[0].ids;
	if (root->kind != ISX_FILTER_ID)
		passing->rest = root;
	if (!set)
		return isx_id_set_add(&passing->ids, 0, UINT64_MAX, quota, err);
	passing->ids = *set;
	*set = (struct isx_id_set){ 0 };
	return ISX_OK;
}

/* On failure everything is freed here, so that the caller has one case to release. */
enum isx_status isx_passing_find(struct isx_lmdb_view *view, const struct isx_filter *filter,
				 const struct isx_quota *quota, struct isx_meter *meter,
				 struct isx_passing *passing, struct isx_err *err)
{
	*passing = (struct isx_passing){ 0 };
	struct evaluation eval = { .view = view,
				   .filter = filter,
				   .caller = quota,
				   .own = { .may_take = take_spare, .keeper = &eval },
				   .meter = meter,
				   .arena = &passing->arena };
	struct isx_passing_rest *root = isx_arena_alloc(eval.arena, 1, sizeof *root);
	enum isx_status st = root ? find_fields(&eval, err) : isx_fail_memory(err);
	if (!st)
		st = evaluate(&eval, &filter->root, root, err);
	passing->realm = eval.realm;
	if (!st)
		st = take_result(passing, root, &eval.own, err);
	isx_mem_free(eval.ids);
	isx_buf_release(&eval.key);
	if (st && root)
		release_rest(root);
	if (st)
		isx_passing_release(passing);
	return st;
}

void isx_passing_release(struct isx_passing *passing)
{
	if (passing->rest)
		release_rest((struct isx_passing_rest *)(uintptr_t)passing->rest);
	isx_id_set_release(&passing->ids);
	isx_arena_release(&passing->arena);
	*passing = (struct isx_passing){ 0 };
}

/* Of `all`, the set of the first part is passing->ids, which has the asset. */
static enum isx_status holds(const struct isx_passing_rest *rest, const struct isx_passing *passing,
			     struct isx_lmdb_view *view, struct isx_meter *meter,
			     struct stored_asset *stored, bool *result, struct isx_err *err)
{
	const bool all = rest->kind == ISX_FILTER_ALL;
	const uint64_t id = stored->id;
	enum isx_status st = ISX_OK;
	switch (rest->kind) {
	case ISX_FILTER_ID:
		*result = isx_id_set_has(&rest->ids, id);
		return ISX_OK;
	case ISX_FILTER_ALL:
	case ISX_FILTER_ANY:
		*result = all;
		for (size_t i = rest == passing->rest && all;
		     !st && *result == all && i < rest->part_count; i++)
			st = holds(&rest->parts[i], passing, view, meter, stored, result, err);
		return st;
	case ISX_FILTER_NOT:
		st = holds(&rest->parts[0], passing, view, meter, stored, result, err);
		*result = !*result;
		return st;
	case ISX_FILTER_HUB: /* in the ISCC-ID: no asset is read */
		return isx_filter_holds(&(struct isx_filter){ .root = *rest->condition }, id, NULL,
					NULL, result, err);
	default:
		st = isx_meter_work(meter, ISX_METER_ASSET, err);
		return st ? st
			  : holds_in_asset(stored, view, passing->realm, rest->condition, NULL,
					   result, err);
	}
}

/* With `at` the caller promises ascending ISCC-IDs, and the search in the set goes on from the
 * last place. */
enum isx_status isx_passing_has(const struct isx_passing *passing, struct isx_lmdb_view *view,
				struct isx_meter *meter, uint64_t id, size_t *at, bool *passes,
				struct isx_err *err)
{
	*passes = true;
	if (!passing)
		return ISX_OK;
	const struct isx_id_set *ids = &passing->ids;
	if (at) {
		*at = isx_id_set_find(ids, *at, id);
		*passes = *at < ids->count && ids->ranges[*at].first <= id;
	} else {
		*passes = isx_id_set_has(ids, id);
	}
	if (!*passes || !passing->rest)
		return ISX_OK;
	struct stored_asset stored = { .id = id };
	enum isx_status st = holds(passing->rest, passing, view, meter, &stored, passes, err);
	isx_arena_release(&stored.arena);
	return st;
}
