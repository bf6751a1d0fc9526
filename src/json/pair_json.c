/*
 * pair_json.c - a pair of near-duplicates as one line of JSON, written and read.
 *
 *	{"iscc_id":"ISCC:...","match":"ISCC:...","score":0.97,"types":{"CONTENT_TEXT_V0":0.97}}
 *
 * The server and the command `duplicates` write such lines; the remote engine reads them from another
 * server, and a run that is continued reads the file of the run before. A line is checked in full, as
 * that server may be another program and the file may be damaged. Members with other names are
 * ignored, so that a later version may add some.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "iscc/iscc_id.h"
#include "json/json.h"
#include "json/wire.h"

/* Doubles read back as the same doubles, so that a run that is continued ranks pairs as before. */
void isx_type_scores_to_json(struct isx_buf *buf, const struct isx_type_score *types, size_t count)
{
	isx_buf_char(buf, '{');
	for (size_t i = 0; i < count; i++) {
		isx_buf_text(buf, i ? "," : "");
		isx_json_quote(buf, isx_span_of(types[i].type));
		isx_buf_char(buf, ':');
		isx_json_double(buf, types[i].score);
	}
	isx_buf_char(buf, '}');
}

/* An ISCC-ID is base32 behind "ISCC:": nothing in it needs an escape. */
void isx_pair_to_json(struct isx_buf *buf, const struct isx_pair *pair)
{
	isx_buf_printf(buf, "{\"iscc_id\":\"%s\",\"match\":\"%s\",\"score\":", pair->iscc_id,
		       pair->match);
	isx_json_double(buf, pair->score);
	isx_buf_text(buf, ",\"types\":");
	isx_type_scores_to_json(buf, pair->types, pair->type_count);
	isx_buf_char(buf, '}');
}

/* One form for all faults of a line. The caller knows which line it is. */
static enum isx_status fail_line(struct isx_err *err, const char *expected)
{
	return isx_fail(err, ISX_SCHEMA, "a pair of near-duplicates: expected %s", expected);
}

/* Read an ISCC-ID, and write it in its canonical form. The text between the quotes is not decoded: an
 * ISCC-ID with escapes is refused. A member that is missing is no string and fails here, too. */
static enum isx_status read_id(struct isx_span value, char iscc_id[24], struct isx_err *err)
{
	struct isx_iscc_id id;
	if (isx_json_kind(value) != ISX_JSON_STRING || value.len < 2 ||
	    isx_iscc_id_parse((struct isx_span){ value.ptr + 1, value.len - 2 }, &id, NULL))
		return fail_line(err, "ISCC-IDs in iscc_id and match");
	isx_iscc_id_print(&id, iscc_id);
	return ISX_OK;
}

/* Read a score, also an integer: other programs write 1 and not 1.0. The comparison is written so
 * that NaN would fail. */
static enum isx_status read_score(struct isx_span value, double *score, struct isx_err *err)
{
	enum isx_json_kind kind = isx_json_kind(value);
	if (!isx_json_number(value, score))
		return isx_fail_memory(err);
	if ((kind != ISX_JSON_INT && kind != ISX_JSON_DOUBLE) || !(*score >= 0 && *score <= 1))
		return fail_line(err, "scores from 0 to 1");
	return ISX_OK;
}

/* Read the scores by type into the arena, in the order of the text. The list has room for
 * ISX_UNITS_MAX, 1 KiB, as the number of members is not known before the walk; the caller releases
 * the arena after each line. */
static enum isx_status read_types(struct isx_span object, struct isx_arena *arena,
				  struct isx_pair *pair, struct isx_err *err)
{
	struct isx_json_walk walk = isx_json_walk_start(object);
	struct isx_span key, value;
	struct isx_type_score *types = isx_arena_alloc(arena, ISX_UNITS_MAX, sizeof *types);
	if (!types)
		return isx_fail_memory(err);
	if (isx_json_kind(object) != ISX_JSON_OBJECT)
		return fail_line(err, "types, an object of scores");
	while (isx_json_next_member(&walk, &key, &value)) {
		if (pair->type_count == ISX_UNITS_MAX)
			return fail_line(err, "at most 64 types");
		struct isx_type_score *one = &types[pair->type_count++];
		one->type = isx_json_name(key, arena);
		enum isx_status st = one->type ? read_score(value, &one->score, err)
					       : isx_fail_memory(err);
		if (st)
			return st;
	}
	pair->types = types;
	return ISX_OK;
}

enum isx_status isx_pair_from_json(struct isx_span line, struct isx_arena *arena,
				   struct isx_pair *pair, struct isx_err *err)
{
	enum { ID, MATCH, SCORE, TYPES, FIELDS };
	static const char *const names[FIELDS] = { "iscc_id", "match", "score", "types" };
	struct isx_span found[FIELDS];
	size_t offset;
	*pair = (struct isx_pair){ 0 };
	if (isx_json_check(line, &offset, NULL) || isx_json_kind(line) != ISX_JSON_OBJECT)
		return fail_line(err, "a JSON object");
	isx_json_find(line, names, FIELDS, found);
	enum isx_status st = read_id(found[ID], pair->iscc_id, err);
	if (!st)
		st = read_id(found[MATCH], pair->match, err);
	if (!st)
		st = read_score(found[SCORE], &pair->score, err);
	return st ? st : read_types(found[TYPES], arena, pair, err);
}
