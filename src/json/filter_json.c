/*
 * filter_json.c - read a filter.
 *
 * Every member is read by a function of its own and adds one condition; the conditions of an object become
 * the parts of one that asks for all of them. A member that is not known, is repeated or
 * lacks its partner is a problem. The reader calls itself for filters in filters, at most
 * ISX_FILTER_DEPTH_MAX deep. Must not know what an asset is.
 *
 * What is read is untrusted and may be large, so three ceilings are counted over the whole filter
 * and not over each part of it: its depth, its conditions and its listed values (base/limits.h).
 * Reading goes on behind a problem, so that a client sees all problems of a filter at once; a
 * condition with a problem may be filled in part, and the filter is refused before anything
 * evaluates it.
 *
 * All memory is of the arena of the reader and is never freed one by one. Keys of values are made
 * here, once, and not by each engine: an evaluation then only compares bytes.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "json/filter_json.h"

#include "base/limits.h"
#include "base/timestamp.h"
#include "iscc/iscc_id.h"
#include "json/field_value.h"
#include "json/pointer.h"
#include "json/rules.h"

#include <stdio.h>
#include <stdlib.h>

/* The members of a filter. The last five say what is asked of a field. Members are read in this
 * order, whatever order the client has chosen. */
enum { ALL, ANY, NOT, ISCC_ID, TIME, HUB, TYPES, FIELD, EQUALS, IN, FROM, TO, EXISTS, MEMBERS };
static const char *const member_names[MEMBERS] = { "all",  "any",   "not",   "iscc_id", "time",
						   "hub",  "types", "field", "equals",  "in",
						   "from", "to",    "exists" };

/* What the readers of one filter share. */
struct filter_reader {
	struct isx_reader *reader;
	struct isx_filter *filter;
	size_t conditions; /* so far */
	size_t values;     /* so far: listed values, types and hub numbers */
};

/* Add a problem, of the type that pydantic has for a value that its own rules accept and a further one
 * does not. */
static void refuse(struct filter_reader *f, const struct isx_place *place, struct isx_span value,
		   const char *msg)
{
	isx_field_problem(f->reader, "value_error", place, msg, value);
}

/* Memory of the arena, or NULL and a mark in the reader. A lack of memory is no problem of the
 * client: it must not become a 422, so it is kept apart from the problems and asked for at the
 * end. */
static void *take(struct filter_reader *f, size_t count, size_t size)
{
	void *memory = isx_arena_alloc(f->reader->arena, count, size);
	f->reader->out_of_memory |= !memory;
	return memory;
}

/* Count `more` conditions: what is asked of ISCC-IDs, units or a field, and each filter without
 * members or parts. False, and a problem, beyond the ceiling. The subtraction cannot wrap: the
 * count never passes the ceiling. An addition could, as `more` is the length of a list that a
 * client has sent. */
static bool count_conditions(struct filter_reader *f, const struct isx_place *place, size_t more)
{
	char msg[96];
	if (more <= ISX_FILTER_CONDITIONS_MAX - f->conditions) {
		f->conditions += more;
		return true;
	}
	snprintf(msg, sizeof msg, "A filter has at most %d conditions", ISX_FILTER_CONDITIONS_MAX);
	isx_problem_add(f->reader->problems, "too_long", place, msg, (struct isx_span){ 0 });
	return false;
}

/* Count `more` values. False, and a problem, beyond the ceiling: nothing is allocated for them then. */
static bool count_values(struct filter_reader *f, const struct isx_place *place, size_t more)
{
	char msg[96];
	if (more <= ISX_FILTER_VALUES_MAX - f->values) {
		f->values += more;
		return true;
	}
	snprintf(msg, sizeof msg, "A filter lists at most %d values", ISX_FILTER_VALUES_MAX);
	isx_problem_add(f->reader->problems, "too_long", place, msg, (struct isx_span){ 0 });
	return false;
}

/* Find members of an object by their names, and refuse all others, and a name that is there twice:
 * one of the two would be ignored.
 *   expected  the names, for the message
 * 0.3.3 has no filters, so no client relies on unknown members being ignored, as they are
 * elsewhere in a query: here a member that is misspelled would let more assets pass than the
 * client has meant. */
static void find_members(struct filter_reader *f, struct isx_span object,
			 const struct isx_place *place, const char *const *names, size_t count,
			 const char *expected, struct isx_span *found)
{
	char msg[160];
	struct isx_json_walk walk = isx_json_walk_start(object);
	struct isx_span key, value;
	memset(found, 0, count * sizeof *found);
	while (isx_json_next_member(&walk, &key, &value)) {
		size_t i = 0;
		while (i < count && !isx_json_key_is(key, names[i]))
			i++;
		if (i < count && !found[i].len) {
			found[i] = value;
			continue;
		}
		const char *name = isx_json_name(key, f->reader->arena);
		struct isx_place at = { .outer = place, .name = name };
		f->reader->out_of_memory |= !name;
		snprintf(msg, sizeof msg, i < count ? "This member is there twice" : "%s%s",
			 "Unknown member: expected ", expected);
		if (name)
			isx_field_problem(f->reader, "extra_forbidden", &at, msg, value);
	}
}

/* Check that a value is an object, or add a problem. */
static bool is_object(struct filter_reader *f, struct isx_span value, const struct isx_place *place)
{
	if (isx_json_kind(value) == ISX_JSON_OBJECT)
		return true;
	isx_field_problem(f->reader, "dict_type", place, "Input should be a valid dictionary",
			  value);
	return false;
}

/* Check that a value is an array whose values may be listed, or add a problem.
 *   count  filled
 * The values are counted before the list is read: the memory for it depends on a number that the
 * client has chosen. */
static bool is_list(struct filter_reader *f, struct isx_span value, const struct isx_place *place,
		    size_t *count)
{
	if (isx_json_kind(value) != ISX_JSON_ARRAY) {
		isx_field_problem(f->reader, "list_type", place, "Input should be a valid list",
				  value);
		return false;
	}
	*count = isx_json_length(value);
	return count_values(f, place, *count);
}

/* --- what is asked of an ISCC-ID ---------------------------------------------------------------- */

/* Read the two ends of a range of ISCC-IDs or times.
 *   ends  filled: for each end its value; empty: none */
static bool read_ends(struct filter_reader *f, struct isx_span value, const struct isx_place *place,
		      struct isx_span ends[2])
{
	static const char *const names[] = { "from", "to" };
	if (!is_object(f, value, place))
		return false;
	find_members(f, value, place, names, 2, "from, to", ends);
	if (!ends[0].len && !ends[1].len)
		refuse(f, place, value, "Expected from, to or both");
	return true;
}

/* Narrow a condition to ISCC-IDs before `end`. Nothing is before the first one. Such an empty
 * range is written as one whose first ISCC-ID is behind its last: the evaluation needs no case of
 * its own for it. */
static void end_before(struct isx_condition *condition, uint64_t end)
{
	condition->last = end - 1;
	if (end == 0)
		*condition = (struct isx_condition){ .kind = ISX_FILTER_ID, .first = 1 };
}

/* Read one ISCC-ID. Both ends are of one realm, and so are those of all conditions: an index has one. */
static bool read_id(struct filter_reader *f, struct isx_span value, const struct isx_place *place,
		    uint64_t *body)
{
	const char *text;
	struct isx_iscc_id id;
	struct isx_err cause;
	if (!isx_field_text(f->reader, value, place, NULL, &text))
		return false;
	if (isx_iscc_id_parse(isx_span_of(text), &id, &cause)) {
		refuse(f, place, value, cause.msg);
		return false;
	}
	if (f->filter->has_realm && f->filter->realm != id.realm)
		refuse(f, place, value, "Expected ISCC-IDs of one realm in a filter");
	f->filter->has_realm = true;
	f->filter->realm = id.realm;
	*body = id.body;
	return true;
}

/* Read a range of ISCC-IDs: `from` is a part of it, `to` is not, so that ranges of a series
 * neither overlap nor leave a gap. The condition has the last ISCC-ID instead, as an end behind
 * the largest one would not fit into 64 bits. An end with a problem stays open; the filter is
 * refused anyway. */
static void read_iscc_id(struct filter_reader *f, struct isx_span value,
			 const struct isx_place *place, struct isx_condition *condition)
{
	struct isx_place from = { .outer = place, .name = "from" };
	struct isx_place to = { .outer = place, .name = "to" };
	struct isx_span ends[2];
	uint64_t body;
	*condition = (struct isx_condition){ .kind = ISX_FILTER_ID, .last = UINT64_MAX };
	if (!read_ends(f, value, place, ends))
		return;
	if (ends[0].len && read_id(f, ends[0], &from, &body))
		condition->first = body;
	if (ends[1].len && read_id(f, ends[1], &to, &body))
		end_before(condition, body);
}

/* Read a point in time as the least ISCC-ID body of it. Times that no ISCC-ID can have are behind
 * all that have one: *body is then 0 and *is_behind true. An ISCC-ID begins with the microseconds
 * since 1970 in 52 bits, before the 12 bits of the hub: a time with hub 0 is the least ISCC-ID of
 * that time. So a range of times is a range of ISCC-IDs, and costs an evaluation no look at any
 * asset. */
static bool read_time(struct filter_reader *f, struct isx_span value, const struct isx_place *place,
		      uint64_t *body, bool *is_behind)
{
	enum { HUB_BITS = 12 }; /* iscc_id.h */
	const char *text;
	uint64_t us;
	struct isx_span number = value;
	if (isx_json_kind(value) != ISX_JSON_INT) { /* microseconds since 1970 */
		if (!isx_field_text(f->reader, value, place, NULL, &text))
			return false;
		number = isx_span_of(text);
	}
	if (!isx_timestamp_parse(number, &us)) {
		refuse(f, place, value, "Expected " ISX_TIMESTAMP_RULE);
		return false;
	}
	*is_behind = us >> (64 - HUB_BITS);
	*body = us << HUB_BITS;
	return true;
}

/* Read a range of times. A begin that is behind all ISCC-IDs leaves nothing, and an end that is
 * behind them leaves out nothing; neither is a mistake, as a client may compute its times. */
static void read_times(struct filter_reader *f, struct isx_span value,
		       const struct isx_place *place, struct isx_condition *condition)
{
	struct isx_place from = { .outer = place, .name = "from" };
	struct isx_place to = { .outer = place, .name = "to" };
	struct isx_span ends[2];
	uint64_t body;
	bool is_behind;
	*condition = (struct isx_condition){ .kind = ISX_FILTER_ID, .last = UINT64_MAX };
	if (!read_ends(f, value, place, ends))
		return;
	if (ends[0].len && read_time(f, ends[0], &from, &body, &is_behind)) {
		condition->first = body;
		if (is_behind)
			*condition = (struct isx_condition){ .kind = ISX_FILTER_ID, .first = 1 };
	}
	if (ends[1].len && read_time(f, ends[1], &to, &body, &is_behind) && !is_behind &&
	    condition->first <= condition->last)
		end_before(condition, body);
}

static void read_hub(struct filter_reader *f, struct isx_span value, const struct isx_place *place,
		     uint8_t *hubs)
{
	int64_t number = isx_json_int(value);
	char msg[64];
	snprintf(msg, sizeof msg, "Expected a hub number, 0 to %d", ISX_HUB_MAX);
	if (isx_json_kind(value) != ISX_JSON_INT || number < 0 || number > ISX_HUB_MAX)
		refuse(f, place, value, msg);
	else
		hubs[number / 8] |= (uint8_t)(1 << number % 8);
}

/* Read hub numbers, one or a list, into a map of one bit for each of the 4,096 hubs: 512 bytes
 * whatever the list has, and a test costs one look. The list counts against the values of the
 * filter all the same, as each of its elements has to be read. */
static void read_hubs(struct filter_reader *f, struct isx_span value, const struct isx_place *place,
		      struct isx_condition *condition)
{
	struct isx_json_walk walk = isx_json_walk_start(value);
	struct isx_span element;
	size_t count = 1;
	bool is_alone = isx_json_kind(value) != ISX_JSON_ARRAY;
	condition->kind = ISX_FILTER_HUB;
	if (!is_alone && !is_list(f, value, place, &count))
		return;
	uint8_t *hubs = take(f, ISX_HUB_MAX / 8 + 1, sizeof *hubs);
	if (hubs && is_alone)
		read_hub(f, value, place, hubs);
	for (size_t i = 0; hubs && !is_alone && isx_json_next_element(&walk, &element); i++) {
		struct isx_place at = { .outer = place, .position = i };
		read_hub(f, element, &at, hubs);
	}
	condition->hubs = hubs;
}

/* --- what is asked of units and fields ----------------------------------------------------------- */

/* The names of unit types are checked by their pattern only. Whether any asset has units of a type
 * is not known here, and a type that no asset has is no mistake: the filter then passes nothing. */
static void read_types(struct filter_reader *f, struct isx_span value,
		       const struct isx_place *place, struct isx_condition *condition)
{
	condition->kind = ISX_FILTER_TYPES;
	if (isx_field_texts(f->reader, value, place, &isx_rule_unit_type, 1, ISX_UNITS_MAX,
			    &condition->types, &condition->type_count))
		count_values(f, place, condition->type_count);
}

/* The position of a field in the list of the filter; it is entered if it is new. Conditions keep
 * the position instead of the pointer: an engine finds the number of each field in its table once,
 * and not for each condition. The list is searched from its beginning, as it has at most
 * ISX_FIELDS_MAX entries. */
static void enter_field(struct filter_reader *f, const char *pointer, struct isx_span value,
			const struct isx_place *place, size_t *field)
{
	char msg[96];
	struct isx_filter *filter = f->filter;
	for (*field = 0; *field < filter->field_count; ++*field)
		if (strcmp(filter->fields[*field], pointer) == 0)
			return;
	snprintf(msg, sizeof msg, "A filter names at most %d fields, as an index declares no more",
		 ISX_FIELDS_MAX);
	if (!filter->fields)
		filter->fields = take(f, ISX_FIELDS_MAX, sizeof *filter->fields);
	if (filter->field_count == ISX_FIELDS_MAX)
		refuse(f, place, value, msg);
	else if (filter->fields)
		filter->fields[filter->field_count++] = pointer;
}

/* Make the key of a value, which is not longer than three times its text. Strings, numbers, true,
 * false and null have keys that sort; of arrays and objects the index keeps only that they are
 * there, so that nothing could be equal to one. The key is made in a buffer first, as its length
 * is known only then; the arena gets a copy of the right size. */
static bool read_value(struct filter_reader *f, struct isx_span value,
		       const struct isx_place *place, struct isx_span *key)
{
	struct isx_buf buf = { 0 };
	enum isx_json_kind kind = isx_json_kind(value);
	if (kind == ISX_JSON_ARRAY || kind == ISX_JSON_OBJECT) {
		refuse(f, place, value, "Expected a string, a number, true, false or null");
		return false;
	}
	isx_value_key(&buf, value);
	char *text = buf.failed ? NULL : isx_arena_text(f->reader->arena, buf.ptr, buf.len);
	f->reader->out_of_memory |= !text;
	*key = (struct isx_span){ text, text ? buf.len : 0 };
	isx_buf_release(&buf);
	return text;
}

static int compare_keys(const void *a, const void *b)
{
	return isx_value_compare(*(const struct isx_span *)a, *(const struct isx_span *)b);
}

/* Sorted, so that a value of an asset is found by halving, and each once. A list may have 10,000
 * values, and an asset that is tested alone is compared with all of them: a walk would take too
 * long there. The table is also read in the order of its keys then. Values with problems are left
 * out of the array, which so may be shorter than the list. */
static void read_values(struct filter_reader *f, struct isx_span list,
			const struct isx_place *place, struct isx_condition *condition)
{
	struct isx_json_walk walk = isx_json_walk_start(list);
	struct isx_span element;
	size_t count, kept = 0;
	if (!is_list(f, list, place, &count))
		return;
	struct isx_span *keys = take(f, count, sizeof *keys);
	for (size_t i = 0; keys && isx_json_next_element(&walk, &element); i++) {
		struct isx_place at = { .outer = place, .position = i };
		kept += read_value(f, element, &at, &keys[kept]);
	}
	if (kept)
		qsort(keys, kept, sizeof *keys, compare_keys);
	for (size_t i = 0; i < kept; i++)
		if (i == 0 || isx_value_compare(keys[i], keys[i - 1]) != 0)
			keys[condition->value_count++] = keys[i];
	condition->values = keys;
}

/* Read an end of a range of values. null, true and false sort in the table, too, but a range of
 * them means nothing to a client and would rather be a mistake. */
static void read_end(struct filter_reader *f, struct isx_span value, const struct isx_place *place,
		     struct isx_span *key)
{
	enum isx_json_kind kind = isx_json_kind(value);
	if (!value.len)
		return;
	if (kind != ISX_JSON_INT && kind != ISX_JSON_DOUBLE && kind != ISX_JSON_STRING)
		refuse(f, place, value, "Expected a number or a string: nothing else has an order");
	else
		(void)read_value(f, value, place, key);
}

/* Read the test of a field.
 *   found  by member_names
 * The callers have made sure that exactly one kind of test is there; `from` and `to` are the two
 * ends of one test. The first byte of a key is the kind of its value (json/field_value.h), by
 * which the two ends are compared: numbers and strings are in no common order. */
static void read_test(struct filter_reader *f, const struct isx_span *found,
		      const struct isx_place *place, struct isx_condition *condition)
{
	struct isx_place at[MEMBERS];
	for (size_t i = 0; i < MEMBERS; i++)
		at[i] = (struct isx_place){ .outer = place, .name = member_names[i] };
	if (found[EQUALS].len) {
		struct isx_span *key = take(f, 1, sizeof *key);
		condition->kind = ISX_FILTER_IN;
		condition->values = key;
		if (key && count_values(f, &at[EQUALS], 1))
			condition->value_count = read_value(f, found[EQUALS], &at[EQUALS], key);
	} else if (found[IN].len) {
		condition->kind = ISX_FILTER_IN;
		read_values(f, found[IN], &at[IN], condition);
	} else if (found[EXISTS].len) {
		condition->kind = ISX_FILTER_EXISTS;
		if (isx_json_kind(found[EXISTS]) != ISX_JSON_BOOL)
			isx_field_problem(f->reader, "bool_type", &at[EXISTS],
					  "Input should be a valid boolean", found[EXISTS]);
	} else {
		condition->kind = ISX_FILTER_RANGE;
		read_end(f, found[FROM], &at[FROM], &condition->from);
		read_end(f, found[TO], &at[TO], &condition->to);
		if (condition->from.len && condition->to.len &&
		    condition->from.ptr[0] != condition->to.ptr[0])
			refuse(f, &at[TO], found[TO],
			       "Expected from and to of one kind: two numbers or two strings");
	}
}

/* Read a field and its test: exactly one kind of test. "exists": false becomes `not` of a
 * condition, so that engines know one form of the test only, and need no list of the assets that
 * lack a field. */
static void read_field(struct filter_reader *f, const struct isx_span *found,
		       struct isx_span object, const struct isx_place *place,
		       struct isx_condition *condition)
{
	struct isx_place at = { .outer = place, .name = "field" };
	const char *name, *pointer = NULL;
	int tests = (found[EQUALS].len > 0) + (found[IN].len > 0) + (found[EXISTS].len > 0) +
		    (found[FROM].len || found[TO].len);
	if (!found[FIELD].len) {
		refuse(f, place, object,
		       "Expected the member field beside equals, in, from, to or exists");
		return;
	}
	if (tests != 1) {
		refuse(f, place, object,
		       "Expected one test of the field: equals, in, exists, or from and to");
		return;
	}
	if (!isx_field_text(f->reader, found[FIELD], &at, NULL, &name))
		return;
	if (isx_pointer_read(isx_span_of(name), f->reader->arena, &pointer, NULL))
		f->reader->out_of_memory = true;
	else if (!pointer)
		refuse(f, &at, found[FIELD], "Expected a field: " ISX_POINTER_RULE);
	else
		enter_field(f, pointer, found[FIELD], &at, &condition->field);
	read_test(f, found, place, condition);
	if (found[EXISTS].len && found[EXISTS].ptr[0] == 'f') { /* false: not (exists) */
		struct isx_condition *exists = take(f, 1, sizeof *exists);
		if (exists)
			*exists = *condition;
		*condition = (struct isx_condition){ .kind = ISX_FILTER_NOT,
						     .parts = exists,
						     .part_count = 1 };
	}
}

/* --- filters in filters -------------------------------------------------------------------------- */

static void read_filter(struct filter_reader *f, struct isx_span value,
			const struct isx_place *place, size_t depth,
			struct isx_condition *condition);

/* Read the filters of "all" and "any". The number of parts is compared with the ceiling before
 * memory is taken, but not counted yet: each part counts itself when it is read. Otherwise filters
 * in filters would be counted twice. An empty list is allowed, `all` of nothing passes everything
 * and `any` of nothing passes nothing; it counts as one condition, as millions of them would else
 * be free. */
static void read_parts(struct filter_reader *f, struct isx_span value,
		       const struct isx_place *place, size_t depth, struct isx_condition *condition)
{
	struct isx_json_walk walk = isx_json_walk_start(value);
	struct isx_span element;
	if (isx_json_kind(value) != ISX_JSON_ARRAY) {
		isx_field_problem(f->reader, "list_type", place, "Input should be a valid list",
				  value);
		return;
	}
	size_t count = isx_json_length(value); /* each part is one condition or more */
	if (count > ISX_FILTER_CONDITIONS_MAX - f->conditions || count == 0) {
		(void)count_conditions(f, place, count ? count : 1);
		return;
	}
	struct isx_condition *parts = take(f, count, sizeof *parts);
	for (size_t i = 0; parts && isx_json_next_element(&walk, &element); i++) {
		struct isx_place at = { .outer = place, .position = i };
		read_filter(f, element, &at, depth, &parts[i]);
	}
	condition->parts = parts;
	condition->part_count = parts ? count : 0;
}

static void read_not(struct filter_reader *f, struct isx_span value, const struct isx_place *place,
		     size_t depth, struct isx_condition *condition)
{
	struct isx_condition *part = take(f, 1, sizeof *part);
	condition->kind = ISX_FILTER_NOT;
	condition->parts = part;
	condition->part_count = 1;
	if (part)
		read_filter(f, value, place, depth, part);
}

/* Read one member of a filter, which is not a test of a field. */
static void read_member(struct filter_reader *f, size_t member, struct isx_span value,
			const struct isx_place *place, size_t depth,
			struct isx_condition *condition)
{
	if (member == ALL || member == ANY) {
		condition->kind = member == ALL ? ISX_FILTER_ALL : ISX_FILTER_ANY;
		read_parts(f, value, place, depth, condition);
	} else if (member == NOT) {
		read_not(f, value, place, depth, condition);
	} else if (!count_conditions(f, place, 1)) {
		return;
	} else if (member == ISCC_ID) {
		read_iscc_id(f, value, place, condition);
	} else if (member == TIME) {
		read_times(f, value, place, condition);
	} else if (member == HUB) {
		read_hubs(f, value, place, condition);
	} else {
		read_types(f, value, place, condition);
	}
}

/* Read the members of an object into conditions, of which there is room for all.
 *   count  filled: how many there are
 * The room is that of the members before `field`, and one: the members that test a field are one
 * condition together. */
static void read_members(struct filter_reader *f, const struct isx_span *found,
			 struct isx_span object, const struct isx_place *place, size_t depth,
			 struct isx_condition *conditions, size_t *count)
{
	bool tests_field = false;
	*count = 0;
	for (size_t member = 0; member < MEMBERS; member++) {
		struct isx_place at = { .outer = place, .name = member_names[member] };
		if (found[member].len && member >= FIELD)
			tests_field = true;
		else if (found[member].len)
			read_member(f, member, found[member], &at, depth, &conditions[(*count)++]);
	}
	if (tests_field && count_conditions(f, place, 1))
		read_field(f, found, object, place, &conditions[(*count)++]);
	if (*count == 0)
		(void)count_conditions(f, place, 1);
}

/* A member that stands alone is the condition itself; several become the parts of one. */
static void read_filter(struct filter_reader *f, struct isx_span value,
			const struct isx_place *place, size_t depth,
			struct isx_condition *condition)
{
	struct isx_condition conditions[FIELD + 1] = { 0 }; /* the test of a field is one */
	struct isx_span found[MEMBERS];
	char msg[64];
	size_t count;
	if (!is_object(f, value, place))
		return;
	if (depth == ISX_FILTER_DEPTH_MAX) {
		snprintf(msg, sizeof msg, "Filters in filters are at most %d deep",
			 ISX_FILTER_DEPTH_MAX);
		refuse(f, place, value, msg);
		return;
	}
	find_members(f, value, place, member_names, MEMBERS,
		     "all, any, not, iscc_id, time, hub, types, or field with equals, in, from, to "
		     "or exists",
		     found);
	read_members(f, found, value, place, depth + 1, conditions, &count);
	if (count == 1) {
		*condition = conditions[0];
		return;
	}
	struct isx_condition *parts = take(f, count, sizeof *parts);
	if (parts && count)
		memcpy(parts, conditions, count * sizeof *parts);
	*condition = (struct isx_condition){ .kind = ISX_FILTER_ALL,
					     .parts = parts,
					     .part_count = parts ? count : 0 };
}

void isx_filter_read(struct isx_reader *reader, struct isx_span value,
		     const struct isx_place *place, struct isx_filter *filter)
{
	struct filter_reader f = { .reader = reader, .filter = filter };
	*filter = (struct isx_filter){ 0 };
	read_filter(&f, value, place, 0, &filter->root);
}

/* --- filters of programs ------------------------------------------------------------------------- */

/* The problems become one message: that of the first one. Programs and engines come here with a
 * text, which has not been checked as the body of a request is: so it is checked first, as the
 * walks rely on it. A filter without conditions becomes NULL, so that engines have one way to
 * search without a filter, which costs nothing for it. */
enum isx_status isx_filter_from_text(const char *text, struct isx_arena *arena,
				     const struct isx_filter **filter, struct isx_err *err)
{
	const struct isx_place root = { .name = "filter" };
	struct isx_problems problems = { 0 };
	struct isx_reader reader = { .arena = arena, .problems = &problems };
	size_t offset;
	*filter = NULL;
	if (!text)
		return ISX_OK;
	enum isx_status st = isx_json_check(isx_span_of(text), &offset, err);
	if (st)
		return isx_err_at(err, ISX_INVALID, "filter");
	struct isx_filter *read = isx_arena_alloc(arena, 1, sizeof *read);
	if (!read)
		return isx_fail_memory(err);
	isx_filter_read(&reader, isx_span_trim(isx_span_of(text)), &root, read);
	if (reader.out_of_memory)
		st = isx_fail_memory(err);
	else if (isx_problems_status(&problems, err))
		st = isx_fail(err, ISX_INVALID, "%s", problems.first);
	isx_problems_release(&problems);
	bool is_empty = !st && read->root.kind == ISX_FILTER_ALL && !read->root.part_count;
	*filter = st || is_empty ? NULL : read;
	return st;
}
