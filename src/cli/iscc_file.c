/*
 * iscc_file.c - reads NAME.iscc.json.
 *
 * Two faults are told apart: a wrong type of a member refuses the asset; simprints that cannot be
 * used are skipped with a line in the log, and the asset is stored without them.
 * Built for files of some MiB that are in memory as a whole. The cost is linear, but for grouping:
 * one pass over all simprints for each of their types. Must not know the index.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "cli/iscc_file.h"

#include "base/buf.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/percent.h"
#include "cli/content.h"
#include "cli/files.h"
#include "iscc/base32.h"
#include "json/json.h"

#include <ctype.h>
#include <limits.h>
#include <math.h>

struct reader {
	struct isx_arena *arena;
	const char *path;
	unsigned simprint_bits;
	bool is_generated; /* `path` is the work itself */
};

/* The same form as problems of the REST API: the member, then what was expected. */
static enum isx_status fail_field(struct isx_err *err, const char *name, const char *expected)
{
	return isx_fail(err, ISX_SCHEMA, "%s: expected %s", name, expected);
}

/* Read a JSON string that must not contain NUL. */
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

/* Read a text member. `*text` is unchanged if it is missing or null. */
static enum isx_status read_text(const struct reader *reader, struct isx_span object,
				 const char *name, const char **text, struct isx_err *err)
{
	struct isx_span member = isx_json_member(object, name);
	return isx_json_kind(member) == ISX_JSON_NULL
		       ? ISX_OK
		       : read_string(reader, member, name, "a text without NUL", text, err);
}

/* Whether the units are valid is checked by isx_add(). */
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

/* The URI of "folder/a.iscc.utf8" for "folder/a.iscc.json": only the last suffix is replaced.
 * Characters outside of RFC 3986 pchar and "/" are percent-encoded. */
static void add_source(struct isx_buf *buf, const char *path, bool is_generated)
{
	char absolute[PATH_MAX];
	struct isx_buf uri = { 0 };
	files_absolute(path, absolute);
	char *dot = strrchr(absolute, '.'), *slash = strrchr(absolute, '/');
	if (!is_generated && dot && (!slash || dot > slash + 1))
		*dot = '\0';
	isx_buf_text(&uri, "file://");
	isx_percent_add(&uri, isx_span_of(absolute), "/!$&'()*+,;=:@");
	isx_buf_text(&uri, is_generated ? "" : ".utf8");
	isx_json_quote(buf, (struct isx_span){ uri.ptr, uri.len });
	isx_buf_release(&uri);
}

/* The metadata that 0.3.3 stores for such a file: name and source. White space around the name is
 * removed. */
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
	add_source(&buf, reader->path, reader->is_generated);
	isx_buf_char(&buf, '}');
	asset->metadata = buf.failed ? NULL : isx_arena_text(reader->arena, buf.ptr, buf.len);
	isx_buf_release(&buf);
	return asset->metadata ? ISX_OK : isx_fail_memory(err);
}

/* --- features --------------------------------------------------------------------------------- */

/* Truncate a simprint to `simprint_bits`; false if it is shorter or cannot be decoded: it is
 * skipped. */
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

/* One feature. Its passages are texts with lists beside them, or objects with offset and size. */
struct feature {
	const char *type;
	struct isx_span simprints, offsets, sizes; /* lists; empty: missing */
	size_t usable;                             /* number of usable passages, from the first */
	bool in_seconds; /* numbers are seconds; otherwise the units of the simprint type */
};

/* One passage, with empty members for missing values, and the position in the lists. */
struct passage {
	struct isx_json_walk simprints, offsets, sizes;
	struct isx_span simprint, offset, size;
};

/* Three walks in step: through the simprints, the offsets and the sizes. */
static struct passage first_passage(const struct feature *feature)
{
	return (struct passage){ .simprints = isx_json_walk_start(feature->simprints),
				 .offsets = isx_json_walk_start(feature->offsets),
				 .sizes = isx_json_walk_start(feature->sizes) };
}

/* A member of the passage object, or else the next element of the list beside it. The list advances
 * in both cases, so that elements and passages stay aligned. */
static struct isx_span own_or_beside(struct isx_span own, struct isx_json_walk *list)
{
	struct isx_span beside = { 0 };
	if (!isx_json_next_element(list, &beside))
		beside = (struct isx_span){ 0 };
	struct isx_span found = isx_json_kind(own) == ISX_JSON_NULL ? beside : own;
	if (isx_json_kind(found) == ISX_JSON_NULL)
		found.len = 0;
	return found;
}

/* Step to the next passage; false at the end. */
static bool next_passage(struct passage *passage)
{
	static const char *const names[] = { "simprint", "offset", "size" };
	struct isx_span own[3], element;
	if (!isx_json_next_find(&passage->simprints, names, 3, own, &element))
		return false;
	bool is_object = isx_json_kind(element) == ISX_JSON_OBJECT;
	passage->simprint = is_object ? own[0] : element;
	passage->offset = own_or_beside(own[1], &passage->offsets);
	passage->size = own_or_beside(own[2], &passage->sizes);
	return true;
}

/* Determine how many passages are usable and the unit of their numbers. The shortest of the lists
 * counts, as in 0.3.3; offsets may be missing. In video and audio, numbers with a decimal point are
 * seconds. So are those of a video without offsets (the scenes of iscc-sdk) even if a JSON writer
 * has turned 5.0 into 5. */
static void survey_feature(struct feature *feature)
{
	struct passage passage = first_passage(feature);
	size_t most = isx_json_length(feature->offsets);
	bool is_video = strstr(feature->type, "_VIDEO_V"), any_offset = false, any_point = false;
	bool is_played = is_video || strstr(feature->type, "_AUDIO_V"), ends = false;
	while (next_passage(&passage)) {
		any_point |= isx_json_kind(passage.offset) == ISX_JSON_DOUBLE ||
			     isx_json_kind(passage.size) == ISX_JSON_DOUBLE;
		any_offset |= passage.offset.len > 0;
		ends |= passage.size.len == 0 || (most && feature->usable == most);
		feature->usable += !ends;
	}
	feature->in_seconds = is_played && (any_point || (is_video && !any_offset));
}

/* Read a number that may be an offset or a size. */
static bool read_place(struct isx_span value, double *number)
{
	enum isx_json_kind kind = isx_json_kind(value);
	return (kind == ISX_JSON_INT || kind == ISX_JSON_DOUBLE) &&
	       isx_json_number(value, number) && *number >= 0 && *number <= UINT32_MAX;
}

/* Convert a number to the stored form: seconds to milliseconds. False if it is not a whole number
 * of 32 bits. */
static bool to_stored(const struct feature *feature, double number, uint32_t *stored)
{
	double scaled = feature->in_seconds ? round(number * 1000) : number;
	if (scaled > UINT32_MAX || scaled != floor(scaled))
		return false;
	*stored = (uint32_t)scaled;
	return true;
}

/* Read a passage. Without an offset it begins at the end of the last one, *end. Sums are kept in
 * the unit of the file: rounding each scene to milliseconds would add up. */
static enum isx_status read_passage(const struct reader *reader, const struct feature *feature,
				    const struct passage *passage, double *end,
				    struct isx_simprint *simprint, struct isx_err *err)
{
	static const char expected[] =
		"texts, and whole numbers from 0 to 4294967295 (of video and audio also seconds "
		"with a point, to 4294967.295)";
	double offset = *end, size;
	*simprint = (struct isx_simprint){ .type = feature->type };
	if (!read_place(passage->size, &size) ||
	    (passage->offset.len && !read_place(passage->offset, &offset)) ||
	    !to_stored(feature, offset, &simprint->offset) ||
	    !to_stored(feature, size, &simprint->size))
		return fail_field(err, "features", expected);
	*end = offset + size;
	return read_string(reader, passage->simprint, "features", expected, &simprint->simprint,
			   err);
}

/* Warn of passages that are skipped. False if all are. */
static bool warn_of_rest(const struct reader *reader, const struct feature *feature)
{
	size_t given = isx_json_length(feature->simprints);
	if (feature->usable == 0)
		isx_log(ISX_LOG_WARNING,
			"%s: %s: simprints without sizes are left out: where their passages end is "
			"not known",
			reader->path, feature->type);
	else if (feature->usable != given || isx_json_length(feature->sizes) > given ||
		 isx_json_length(feature->offsets) > given)
		isx_log(ISX_LOG_WARNING,
			"%s: %s: simprints, offsets and sizes differ in length, %zu are used",
			reader->path, feature->type, feature->usable);
	return feature->usable > 0;
}

/* Append the passages of one feature to `simprints`. */
static enum isx_status read_feature(const struct reader *reader, struct isx_span object,
				    struct isx_simprint *simprints, size_t *count,
				    struct isx_err *err)
{
	static const char *const names[3] = { "simprints", "offsets", "sizes" };
	struct isx_span lists[3];
	double end = 0;
	isx_json_find(object, names, 3, lists);
	struct feature feature = { .type = feature_type(reader, object),
				   .simprints = lists[0],
				   .offsets = lists[1],
				   .sizes = lists[2] };
	if (!feature.type || isx_json_length(feature.simprints) == 0) {
		isx_log(ISX_LOG_WARNING,
			"%s: a feature without maintype, subtype or simprints is left out",
			reader->path);
		return ISX_OK;
	}
	survey_feature(&feature);
	struct passage passage = first_passage(&feature);
	if (!warn_of_rest(reader, &feature))
		return ISX_OK;
	for (size_t i = 0; i < feature.usable && next_passage(&passage); i++) {
		struct isx_simprint *simprint = &simprints[*count];
		enum isx_status st = read_passage(reader, &feature, &passage, &end, simprint, err);
		if (st)
			return st;
		*count += cut_simprint(reader, &simprint->simprint, feature.type);
	}
	return ISX_OK;
}

/* Group simprints by type, in the order of their first use: two features may have the same type,
 * but the library wants each type once. */
static enum isx_status group_by_type(const struct reader *reader, struct isx_asset *asset,
				     const struct isx_simprint *found, size_t count,
				     struct isx_err *err)
{
	struct isx_simprint *grouped = isx_arena_alloc(reader->arena, count, sizeof *grouped);
	bool *taken = isx_arena_alloc(reader->arena, count, sizeof *taken);
	size_t placed = 0, types = 0;
	if (!grouped || !taken)
		return isx_fail_memory(err);
	for (size_t i = 0; i < count; i++) {
		if (!taken[i] && ++types > ISX_TYPE_NAMES_MAX) /* each costs a pass */
			return isx_fail(
				err, ISX_SCHEMA,
				"features: more than %d types of simprints: an index takes fewer",
				ISX_TYPE_NAMES_MAX);
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

/* Simprints are counted first, so that one array of the arena has room for all. */
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

/* An array gets its own message: `jq` can convert it. */
static enum isx_status read_object(const struct reader *reader, struct isx_span text,
				   struct isx_asset *asset, struct isx_err *err)
{
	size_t offset;
	struct isx_err why = { 0 };
	*asset = (struct isx_asset){ 0 };
	enum isx_status st = content_begin(&text, err);
	struct isx_span object = isx_span_trim(text);
	if (!st && object.len == 0)
		st = isx_fail(err, ISX_SCHEMA, "expected a JSON object, the file is empty");
	if (!st && !strchr("{[\"-0123456789tfn", object.ptr[0]))
		st = isx_fail(err, ISX_SCHEMA,
			      "expected an asset in JSON (.iscc.json), this is another kind of "
			      "file: " CONTENT_HOW_TO_GET_CODES);
	if (!st)
		st = isx_json_check(text, &offset, &why);
	if (why.status) {
		size_t line, column;
		content_place(text, offset, &line, &column);
		isx_fail(err, st, "%s (line %zu, column %zu)", why.msg, line, column);
	}
	if (!st && isx_json_kind(object) == ISX_JSON_ARRAY)
		st = isx_fail(err, ISX_SCHEMA,
			      "expected one asset, a JSON object; this is a JSON array: put its "
			      "elements into a .jsonl file, one a line (jq -c '.[]')");
	else if (!st && isx_json_kind(object) != ISX_JSON_OBJECT)
		st = isx_fail(err, ISX_SCHEMA, "expected one asset, a JSON object");
	if (!st)
		st = read_text(reader, object, "iscc_id", &asset->iscc_id, err);
	if (!st)
		st = read_text(reader, object, "iscc_code", &asset->iscc_code, err);
	if (!st && !asset->iscc_code)
		st = read_text(reader, object, "iscc", &asset->iscc_code, err);
	if (!st)
		st = read_units(reader, object, asset, err);
	if (!st)
		st = make_metadata(reader, object, asset, err);
	if (!st)
		st = read_features(reader, object, asset, err);
	return st;
}

enum isx_status iscc_file_read(struct isx_span text, const char *path, unsigned simprint_bits,
			       struct isx_arena *arena, struct isx_asset *asset,
			       struct isx_err *err)
{
	const struct reader reader = { arena, path, simprint_bits, false };
	return read_object(&reader, text, asset, err);
}

enum isx_status iscc_file_read_generated(struct isx_span text, const char *path,
					 unsigned simprint_bits, struct isx_arena *arena,
					 struct isx_asset *asset, struct isx_err *err)
{
	const struct reader reader = { arena, path, simprint_bits, true };
	return read_object(&reader, text, asset, err);
}
