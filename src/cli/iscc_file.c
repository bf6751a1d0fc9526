/*
 * iscc_file.c - read NAME.iscc.json.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "cli/iscc_file.h"

#include "base/buf.h"
#include "base/limits.h"
#include "base/log.h"
#include "cli/files.h"
#include "iscc/base32.h"
#include "json/json.h"

#include <ctype.h>
#include <limits.h>

struct reader {
	struct isx_arena *arena;
	const char *path;
	unsigned simprint_bits;
};

static enum isx_status fail_field(struct isx_err *err, const char *name, const char *expected)
{
	return isx_fail(err, ISX_SCHEMA, "%s: expected %s", name, expected);
}

/* A text, which has to be one. */
static enum isx_status read_string(const struct reader *reader, struct isx_span value,
				   const char *name, const char *expected, const char **text,
				   struct isx_err *err)
{
	struct isx_span found;
	if (!isx_json_string(value, reader->arena, &found))
		return isx_fail_memory(err);
	if (!found.ptr || memchr(found.ptr, '\0', found.len))
		return fail_field(err, name, expected);
	*text = found.ptr;
	return ISX_OK;
}

/* A text member; left NULL when it is missing or null. */
static enum isx_status read_text(const struct reader *reader, struct isx_span object,
				 const char *name, const char **text, struct isx_err *err)
{
	struct isx_span member = isx_json_member(object, name);
	return isx_json_kind(member) == ISX_JSON_NULL
		       ? ISX_OK
		       : read_string(reader, member, name, "a text without NUL", text, err);
}

static enum isx_status read_units(const struct reader *reader, struct isx_span object,
				  struct isx_asset *asset, struct isx_err *err)
{
	struct isx_span list = isx_json_member(object, "units"), element;
	struct isx_json_walk walk = isx_json_walk_start(list);
	size_t count = isx_json_length(list);
	if (isx_json_kind(list) == ISX_JSON_NULL)
		return ISX_OK;
	if (isx_json_kind(list) != ISX_JSON_ARRAY || count > ISX_UNITS_MAX)
		return fail_field(err, "units", "a list of ISCC-UNITs");
	const char **units = isx_arena_alloc(reader->arena, count, sizeof *units);
	if (!units)
		return isx_fail_memory(err);
	for (size_t i = 0; i < count && isx_json_next_element(&walk, &element); i++) {
		enum isx_status st = read_string(reader, element, "units",
						 "a list of texts without NUL", &units[i], err);
		if (st)
			return st;
	}
	asset->units = units;
	asset->unit_count = count;
	return ISX_OK;
}

/* --- metadata --------------------------------------------------------------------------------- */

/* "file:///folder/a.iscc.utf8" for "folder/a.iscc.json" */
static void add_source(struct isx_buf *buf, const char *path)
{
	char absolute[PATH_MAX];
	struct isx_buf uri = { 0 };
	files_absolute(path, absolute);
	char *dot = strrchr(absolute, '.'), *slash = strrchr(absolute, '/');
	if (dot && (!slash || dot > slash + 1))
		*dot = '\0';
	isx_buf_text(&uri, "file://");
	for (const char *p = absolute; *p; p++) {
		if (isalnum((unsigned char)*p) || strchr("-._~/!$&'()*+,;=:@", *p))
			isx_buf_char(&uri, *p);
		else
			isx_buf_printf(&uri, "%%%02X", (unsigned char)*p);
	}
	isx_buf_text(&uri, ".utf8");
	isx_json_quote(buf, (struct isx_span){ uri.ptr, uri.len });
	isx_buf_release(&uri);
}

static enum isx_status make_metadata(const struct reader *reader, struct isx_span object,
				     struct isx_asset *asset, struct isx_err *err)
{
	const char *name = NULL;
	struct isx_buf buf = { 0 };
	enum isx_status st = read_text(reader, object, "name", &name, err);
	if (st)
		return st;
	struct isx_span trimmed = isx_span_trim(isx_span_of(name));
	isx_buf_char(&buf, '{');
	if (trimmed.len) {
		isx_buf_text(&buf, "\"name\":");
		isx_json_quote(&buf, trimmed);
		isx_buf_char(&buf, ',');
	}
	isx_buf_text(&buf, "\"source\":");
	add_source(&buf, reader->path);
	isx_buf_char(&buf, '}');
	asset->metadata = buf.failed ? NULL : isx_arena_text(reader->arena, buf.ptr, buf.len);
	isx_buf_release(&buf);
	return asset->metadata ? ISX_OK : isx_fail_memory(err);
}

/* --- features --------------------------------------------------------------------------------- */

/* Cut a simprint to so many bits; false when it has fewer. */
static bool cut_simprint(const struct reader *reader, const char **simprint, const char *type)
{
	uint8_t bytes[ISX_SIMPRINT_BYTES_MAX];
	size_t count, wanted = reader->simprint_bits / 8;
	struct isx_err why;
	if (wanted == 0)
		return true;
	if (isx_base64_decode(isx_span_of(*simprint), bytes, sizeof bytes, &count, &why)) {
		isx_log(ISX_LOG_ERROR, "%s: %s: %s", reader->path, type, why.msg);
		return false;
	}
	if (count < wanted) {
		isx_log(ISX_LOG_ERROR, "%s: %s: a simprint of %zu bits is shorter than %u",
			reader->path, type, count * 8, reader->simprint_bits);
		return false;
	}
	char *cut = isx_arena_alloc(reader->arena, 1, 2 * ISX_SIMPRINT_BYTES_MAX);
	if (cut)
		isx_base64_encode(bytes, wanted, cut);
	*simprint = cut;
	return cut != NULL;
}

/* "CONTENT_TEXT_V0" of {"maintype": "content", "subtype": "text"}; NULL when a part is missing. */
static const char *feature_type(const struct reader *reader, struct isx_span feature)
{
	const char *main_type = NULL, *sub_type = NULL;
	if (read_text(reader, feature, "maintype", &main_type, NULL) ||
	    read_text(reader, feature, "subtype", &sub_type, NULL) || !main_type || !sub_type ||
	    !main_type[0] || !sub_type[0])
		return NULL;
	long long number = isx_json_int(isx_json_member(feature, "version"));
	struct isx_buf name = { 0 };
	isx_buf_printf(&name, "%s_%s_V%lld", main_type, sub_type, number);
	char *type = name.failed ? NULL : isx_arena_text(reader->arena, name.ptr, name.len);
	isx_buf_release(&name);
	for (char *p = type; p && *p; p++)
		*p = (char)toupper((unsigned char)*p);
	return type;
}

static bool is_place(struct isx_span value)
{
	return isx_json_kind(value) == ISX_JSON_INT && isx_json_int(value) >= 0 &&
	       isx_json_int(value) <= UINT32_MAX;
}

/* Append the entries of one feature to `simprints`; the shortest of its three lists counts. */
static enum isx_status read_feature(const struct reader *reader, struct isx_span feature,
				    struct isx_simprint *simprints, size_t *count,
				    struct isx_err *err)
{
	static const char *const names[3] = { "simprints", "offsets", "sizes" };
	struct isx_span lists[3], simprint, offset, size;
	struct isx_json_walk walks[3];
	size_t length = SIZE_MAX;
	const char *type = feature_type(reader, feature);
	isx_json_find(feature, names, 3, lists);
	for (size_t i = 0; i < 3; i++) {
		walks[i] = isx_json_walk_start(lists[i]);
		if (isx_json_length(lists[i]) < length)
			length = isx_json_length(lists[i]);
	}
	if (!type || isx_json_length(lists[0]) == 0) {
		isx_log(ISX_LOG_WARNING,
			"%s: a feature without maintype, subtype or simprints is left out",
			reader->path);
		return ISX_OK;
	}
	if (length != isx_json_length(lists[0]))
		isx_log(ISX_LOG_WARNING,
			"%s: %s: simprints, offsets and sizes differ in length, %zu are used",
			reader->path, type, length);
	for (size_t i = 0;
	     i < length && isx_json_next_element(&walks[0], &simprint) &&
	     isx_json_next_element(&walks[1], &offset) && isx_json_next_element(&walks[2], &size);
	     i++) {
		static const char expected[] = "texts, and whole numbers from 0 to 4294967295";
		const char *text;
		if (!is_place(offset) || !is_place(size))
			return fail_field(err, "features", expected);
		enum isx_status st = read_string(reader, simprint, "features", expected, &text,
						 err);
		if (st)
			return st;
		if (cut_simprint(reader, &text, type))
			simprints[(*count)++] =
				(struct isx_simprint){ type, text, (uint32_t)isx_json_int(offset),
						       (uint32_t)isx_json_int(size) };
	}
	return ISX_OK;
}

/* Bring entries of one type together: the same type may come in two features. */
static enum isx_status group_by_type(const struct reader *reader, struct isx_asset *asset,
				     const struct isx_simprint *found, size_t count,
				     struct isx_err *err)
{
	struct isx_simprint *grouped = isx_arena_alloc(reader->arena, count, sizeof *grouped);
	bool *taken = isx_arena_alloc(reader->arena, count, sizeof *taken);
	size_t placed = 0;
	if (!grouped || !taken)
		return isx_fail_memory(err);
	for (size_t i = 0; i < count; i++) {
		for (size_t k = i; !taken[i] && k < count; k++) {
			if (k != i && strcmp(found[k].type, found[i].type) != 0)
				continue;
			grouped[placed++] = found[k];
			if (k != i)
				taken[k] = true;
		}
	}
	asset->simprints = grouped;
	asset->simprint_count = placed;
	return ISX_OK;
}

static enum isx_status read_features(const struct reader *reader, struct isx_span object,
				     struct isx_asset *asset, struct isx_err *err)
{
	struct isx_span features = isx_json_member(object, "features"), feature;
	struct isx_json_walk walk = isx_json_walk_start(features);
	size_t total = 0, count = 0;
	if (isx_json_kind(features) == ISX_JSON_NULL)
		return ISX_OK;
	if (isx_json_kind(features) != ISX_JSON_ARRAY)
		return fail_field(err, "features", "a list");
	while (isx_json_next_element(&walk, &feature))
		total += isx_json_length(isx_json_member(feature, "simprints"));
	struct isx_simprint *found = isx_arena_alloc(reader->arena, total, sizeof *found);
	if (!found)
		return isx_fail_memory(err);
	walk = isx_json_walk_start(features);
	while (isx_json_next_element(&walk, &feature)) {
		enum isx_status st = read_feature(reader, feature, found, &count, err);
		if (st)
			return st;
	}
	return group_by_type(reader, asset, found, count, err);
}

enum isx_status iscc_file_read(struct isx_span text, const char *path, unsigned simprint_bits,
			       struct isx_arena *arena, struct isx_asset *asset,
			       struct isx_err *err)
{
	const struct reader reader = { arena, path, simprint_bits };
	struct isx_span object = isx_span_trim(text);
	size_t offset;
	*asset = (struct isx_asset){ 0 };
	enum isx_status st = isx_json_check(text, &offset, err);
	if (!st && isx_json_kind(object) != ISX_JSON_OBJECT)
		st = isx_fail(err, ISX_SCHEMA, "expected a JSON object");
	if (!st)
		st = read_text(&reader, object, "iscc_id", &asset->iscc_id, err);
	if (!st)
		st = read_text(&reader, object, "iscc_code", &asset->iscc_code, err);
	if (!st && !asset->iscc_code)
		st = read_text(&reader, object, "iscc", &asset->iscc_code, err);
	if (!st)
		st = read_units(&reader, object, asset, err);
	if (!st)
		st = make_metadata(&reader, object, asset, err);
	if (!st)
		st = read_features(&reader, object, asset, err);
	return st;
}
