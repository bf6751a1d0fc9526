/*
 * rules.c - the patterns of texts in the REST API, written out as loops.
 *
 * The same rules hold for assets of programs (isx_asset_check()): what is stored must be readable
 * again by the readers of JSON. Pure functions.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "json/rules.h"

#include "base/limits.h"
#include "iscc/code.h"
#include "json/json_text.h"
#include "json/wire.h"

/* Only the shape: 0.3.3 stores texts of this shape that are not ISCCs, too. */
bool isx_is_iscc_pattern(struct isx_span text, size_t least, size_t most)
{
	if (!isx_span_has_prefix(text, "ISCC:"))
		return false;
	struct isx_span code = isx_span_skip(text, 5);
	if (code.len < least || (most && code.len > most))
		return false;
	for (size_t i = 0; i < code.len; i++) {
		char c = code.ptr[i];
		if (!(c >= 'A' && c <= 'Z') && !(c >= '2' && c <= '7'))
			return false;
	}
	return true;
}

/* By enum isx_rank. */
static const char *const ranks[] = { "", "score", "significance", "tiered" };

const char *isx_rank_word(uint32_t rank)
{
	return ranks[rank];
}

uint32_t isx_rank_of_word(struct isx_span word)
{
	uint32_t rank = ISX_RANK_TIERED;
	while (rank && !isx_span_is(word, ranks[rank]))
		rank--;
	return rank;
}

/* Ten bytes, two of them the header, are 16 characters of base32. An iscc_code has as many or
 * more. */
static bool is_iscc_id(struct isx_span text)
{
	return isx_is_iscc_pattern(text, 16, 16);
}

static bool is_iscc_code(struct isx_span text)
{
	return isx_is_iscc_pattern(text, 16, 0);
}

/* Both alphabets and padding anywhere, as 0.3.3 allows; isx_base64_decode() is stricter, when
 * the simprint is used. */
static bool is_base64(struct isx_span text)
{
	for (size_t i = 0; i < text.len; i++) {
		char c = text.ptr[i]; /* not NUL, which strchr() would find: texts have none here */
		if (!(c >= 'A' && c <= 'Z') && !(c >= 'a' && c <= 'z') && !(c >= '0' && c <= '9') &&
		    !strchr("+/_=-", c))
			return false;
	}
	return text.len > 0;
}

/* The form of a name, not whether such a type exists: later versions have more. */
static bool is_unit_type(struct isx_span text)
{
	size_t parts = 0, i = 0;
	for (; parts < 2 && i < text.len; i++) {
		bool ends = text.ptr[i] == '_' && i > 0 && text.ptr[i - 1] != '_';
		if (!ends && !(text.ptr[i] >= 'A' && text.ptr[i] <= 'Z'))
			return false;
		parts += ends;
	}
	if (i + 1 >= text.len || text.ptr[i] != 'V')
		return false;
	while (++i < text.len)
		if (text.ptr[i] < '0' || text.ptr[i] > '9')
			return false;
	return true;
}

bool isx_is_simprint_type(struct isx_span text)
{
	if (text.len == 0 || text.len > ISX_SIMPRINT_TYPE_MAX || text.ptr[0] == '.' ||
	    isx_span_has_prefix(text, "assets_"))
		return false;
	for (size_t i = 0; i < text.len; i++)
		if ((unsigned char)text.ptr[i] < ' ' || text.ptr[i] == '/' || text.ptr[i] == '\\')
			return false;
	return true;
}

/* The name becomes a folder and a file: nothing in it can lead out of the directory of the
 * store. */
bool isx_is_index_name(struct isx_span text)
{
	if (text.len == 0 || text.len > ISX_INDEX_NAME_MAX || text.ptr[0] < 'a' ||
	    text.ptr[0] > 'z')
		return false;
	for (size_t i = 1; i < text.len; i++)
		if (!(text.ptr[i] >= 'a' && text.ptr[i] <= 'z') &&
		    !(text.ptr[i] >= '0' && text.ptr[i] <= '9'))
			return false;
	return true;
}

/* The patterns that follow are part of the contract: messages show them. 11 characters of base64
 * are 64 bits. */
const struct isx_text_rule isx_rule_iscc_id = { 0, 0, is_iscc_id, "^ISCC:[A-Z2-7]{16}$" };
const struct isx_text_rule isx_rule_iscc_code = { 0, 0, is_iscc_code, "^ISCC:[A-Z2-7]{16,}$" };
const struct isx_text_rule isx_rule_simprint = { 11, 0, is_base64, "^[A-Za-z0-9+/_=-]+$" };
const struct isx_text_rule isx_rule_query_simprint = { 0, 0, is_base64, "^[A-Za-z0-9+/_=-]+$" };
const struct isx_text_rule isx_rule_index_name = { 1, ISX_INDEX_NAME_MAX, isx_is_index_name,
						   "^[a-z][a-z0-9]*$" };
const struct isx_text_rule isx_rule_unit_type = { 0, 0, is_unit_type, "^[A-Z]+_[A-Z]+_V[0-9]+$" };

/* --- assets of programs, which were never JSON ------------------------------------------------ */

/* NULL passes: all fields may be missing here. */
static enum isx_status check_text(const char *text, const char *name,
				  const struct isx_text_rule *rule, struct isx_err *err)
{
	if (!text || rule->matches(isx_span_of(text)))
		return ISX_OK;
	return isx_fail(err, ISX_INVALID, "%s: expected %s", name, rule->expected);
}

/* Types only: simprints themselves are decoded by the engine, which reports them. */
static enum isx_status check_simprint_types(const struct isx_asset *asset, struct isx_err *err)
{
	const char *good = NULL; /* the last one that passed: neighbours mostly share its pointer */
	for (size_t i = 0; i < asset->simprint_count; i++) {
		const char *type = asset->simprints[i].type;
		if (!type || (type != good && !isx_is_simprint_type(isx_span_of(type))))
			return isx_fail(err, ISX_INVALID, "simprints[%zu].type: %s", i,
					ISX_SIMPRINT_TYPE_RULE);
		good = type;
	}
	return ISX_OK;
}

/* Checked as the member of an object, as it is going to be one in the stored JSON: one level
 * less. */
static enum isx_status check_metadata(const char *metadata, struct isx_err *err)
{
	struct isx_span text = isx_span_of(metadata);
	size_t offset;
	enum isx_status st = isx_json_check_member(text, &offset, err);
	if (st)
		return isx_err_at(err, ISX_INVALID, "metadata");
	if (isx_span_trim(text).ptr[0] != '{')
		return isx_fail(err, ISX_INVALID, "metadata: expected a JSON object");
	return ISX_OK;
}

enum isx_status isx_asset_check(const struct isx_asset *asset, struct isx_err *err)
{
	enum isx_status st = check_text(asset->iscc_id, "iscc_id", &isx_rule_iscc_id, err);
	if (!st)
		st = check_text(asset->iscc_code, "iscc_code", &isx_rule_iscc_code, err);
	if (!st && asset->iscc_code && isx_code_check(isx_span_of(asset->iscc_code), err))
		st = isx_err_at(err, ISX_INVALID, "iscc_code");
	if (!st && asset->unit_count > ISX_UNITS_MAX)
		st = isx_fail(err, ISX_INVALID, "units: expected at most %d, found %zu",
			      ISX_UNITS_MAX, asset->unit_count);
	if (!st)
		st = check_simprint_types(asset, err);
	if (!st && asset->metadata)
		st = check_metadata(asset->metadata, err);
	return st;
}
