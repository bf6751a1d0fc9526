/*
 * prefix_walk.c - find the next asset of a walk where the keys are texts.
 *
 * LMDB sorts the texts as bytes, in which 2 to 7 come before A to Z. In base32 they come after: the
 * order of the table is not that of the ISCC-IDs. So the next one is looked for character by
 * character: letters first, then digits.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "prefix/prefix_walk.h"

#include "prefix/prefix_file.h"

#include <string.h>

enum {
	KEY_CHARS = ISX_ISCC_ID_TEXT_BYTES - 1,
	HEADER_CHARS = 5 + 3, /* "ISCC:" and the characters that hold nothing but the header */
	DIGIT_FIRST = 26      /* value of '2' in base32 */
};

static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

static int value_of(char c)
{
	const char *at = c ? strchr(digits, c) : NULL;
	return at ? (int)(at - digits) : -1;
}

/* Is there a key that begins with the first `len` characters of `text` and then has one of the
 * base32 values `least` to `most`? If so, the least such value is put behind them. */
static int find_character(MDB_cursor *cursor, char *text, size_t len, int least, int most)
{
	MDB_val key, value;
	char wanted[KEY_CHARS];
	memcpy(wanted, text, len);
	wanted[len] = digits[least];
	key = isx_lmdb_val(wanted, len + 1);
	int rc = mdb_cursor_get(cursor, &key, &value, MDB_SET_RANGE);
	if (rc)
		return rc;
	const char *found = key.mv_data;
	int at = key.mv_size == KEY_CHARS && memcmp(found, text, len) == 0 ? value_of(found[len])
									   : -1;
	if (at < least || at > most)
		return MDB_NOTFOUND;
	text[len] = digits[at];
	return 0;
}

/* The least character from the value `least` on, in the order of base32. */
static int find_least(MDB_cursor *cursor, char *text, size_t len, int least)
{
	int rc = MDB_NOTFOUND;
	if (least < DIGIT_FIRST)
		rc = find_character(cursor, text, len, least, DIGIT_FIRST - 1);
	if (rc == MDB_NOTFOUND && least < 32)
		rc = find_character(cursor, text, len, least < DIGIT_FIRST ? DIGIT_FIRST : least,
				    31);
	return rc;
}

/* Change `text` to the least key that is not before it and has its header. */
static int find_key(MDB_cursor *cursor, char *text)
{
	MDB_val key = isx_lmdb_val(text, KEY_CHARS), value;
	int rc = mdb_cursor_get(cursor, &key, &value, MDB_SET);
	if (rc != MDB_NOTFOUND)
		return rc;
	size_t len = KEY_CHARS; /* of what stays as it is */
	while (rc == MDB_NOTFOUND && len-- > HEADER_CHARS)
		rc = find_least(cursor, text, len, value_of(text[len]) + 1);
	while (!rc && ++len < KEY_CHARS)
		rc = find_least(cursor, text, len, 0);
	return rc;
}

/* Find the first asset that is not before `from`, under the key of either version
 * (prefix_format.h). */
int isx_prefix_next(struct isx_lmdb_view *view, uint64_t from, struct isx_iscc_id *id,
		    MDB_val *json)
{
	bool has_realm, is_found = false;
	MDB_cursor *cursor;
	struct isx_iscc_id wanted = { .body = from };
	if (isx_prefix_realm(view, &has_realm, &wanted.realm, NULL))
		return MDB_CORRUPTED;
	int rc = mdb_cursor_open(view->txn, view->tables.assets, &cursor);
	if (rc)
		return rc;
	for (uint32_t version = ISX_PREFIX_ID_VERSIONS; !rc && version-- > 0;) {
		char text[ISX_ISCC_ID_TEXT_BYTES];
		struct isx_iscc_id found;
		isx_prefix_key(&wanted, version, text);
		rc = find_key(cursor, text);
		if (!rc && !isx_iscc_id_parse(isx_span_of(text), &found, NULL) &&
		    found.realm == wanted.realm && (!is_found || found.body < id->body)) {
			*id = found;
			is_found = true;
		}
		rc = rc == MDB_NOTFOUND ? 0 : rc;
	}
	mdb_cursor_close(cursor);
	if (rc || !is_found)
		return rc ? rc : MDB_NOTFOUND;
	return isx_prefix_get(view, NULL, id, json);
}
