/*
 * iscc_word.c - reads an ISCC from an argument, also in a URN or URL, and writes its canonical
 *               form.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "cli/iscc_word.h"

#include "base/limits.h"
#include "iscc/base32.h"
#include "iscc/multibase.h"

#include <ctype.h>
#include <strings.h>

/* The longest ISCC, and the padding of base32: at most 6 "=" (RFC 4648). */
enum { DIGEST_BYTES_MAX = 512, PADDING_MAX = 6 };

/* Schemes and prefixes are case-insensitive. */
static bool begins_with(struct isx_span text, const char *prefix)
{
	size_t len = strlen(prefix);
	return text.len >= len && strncasecmp(text.ptr, prefix, len) == 0;
}

static const char *find_any(struct isx_span text, const char *characters)
{
	for (size_t i = 0; i < text.len; i++)
		if (text.ptr[i] && strchr(characters, text.ptr[i]))
			return text.ptr + i;
	return NULL;
}

/* The segment of the path of a URL that is an ISCC: one that begins with "ISCC:", or else the last
 * one that is not empty. */
static struct isx_span part_of_url(struct isx_span path)
{
	struct isx_span last = { path.ptr, 0 };
	const char *end = find_any(path, "?#");
	if (end)
		path.len = (size_t)(end - path.ptr);
	while (path.len) {
		const char *slash = memchr(path.ptr, '/', path.len);
		struct isx_span part = { path.ptr, slash ? (size_t)(slash - path.ptr) : path.len };
		if (begins_with(part, "ISCC:") || begins_with(part, "ISCC%3A"))
			return part;
		if (part.len)
			last = part;
		path = isx_span_skip(path, part.len + 1);
	}
	return last;
}

/* Copy `text` with "%3A" and "%3D" decoded: the only characters of an ISCC that a URL may
 * encode. */
static struct isx_span decode_part(struct isx_span text, char *room)
{
	size_t len = 0;
	while (text.len) {
		bool is_colon = begins_with(text, "%3A"), is_equals = begins_with(text, "%3D");
		room[len++] = is_colon ? ':' : is_equals ? '=' : text.ptr[0];
		text = isx_span_skip(text, is_colon || is_equals ? 3 : 1);
	}
	return (struct isx_span){ room, len };
}

/* The name that a URN gives: without the components that RFC 8141 does not count to it (?+, ?=, #). */
static struct isx_span name_of_urn(struct isx_span urn)
{
	struct isx_span rest = urn;
	while (rest.len && rest.ptr[0] != '#' && !begins_with(rest, "?+") &&
	       !begins_with(rest, "?="))
		rest = isx_span_skip(rest, 1);
	urn.len -= rest.len;
	return urn;
}

/* The bare ISCC in `word`. Of a URL it is copied to `room`, which is as large as the word. */
static enum isx_status unwrap(struct isx_span word, char *room, struct isx_span *bare,
			      struct isx_err *err)
{
	*bare = isx_span_trim(word);
	if (begins_with(*bare, "urn:iscc:"))
		*bare = isx_span_skip(name_of_urn(*bare), 4);
	if (begins_with(*bare, "http://") || begins_with(*bare, "https://")) {
		struct isx_span path = isx_span_skip(*bare, begins_with(*bare, "https") ? 8 : 7);
		const char *slash = find_any(path, "/?#");
		path = slash ? isx_span_skip(path, (size_t)(slash - path.ptr))
			     : (struct isx_span){ 0 };
		*bare = decode_part(part_of_url(path), room);
		if (bare->len == 0)
			return isx_fail(err, ISX_INVALID,
					"expected an ISCC in the path of the URL, as in "
					"https://HOST/ISCC:...");
	}
	if (begins_with(*bare, "ISCC:ISCC:"))
		return isx_fail(err, ISX_INVALID, "expected 'ISCC:' once, it stands there twice");
	for (size_t i = 0; i < PADDING_MAX && bare->len && bare->ptr[bare->len - 1] == '='; i++)
		bare->len--;
	return ISX_OK;
}

/* Is a word that could not be read a name of a file, or anything else, and no ISCC with a mistake? One that
 * says itself that it is an ISCC (by "ISCC:", as URN or URL), or is as long as one and has no other
 * characters, is: its message tells where it is wrong. */
static bool is_other_word(struct isx_span word)
{
	enum { LENGTH_OF_UNITS = 16 };
	bool is_plain = true;
	word = isx_span_trim(word);
	for (size_t i = 0; i < word.len; i++)
		is_plain &= isalnum((unsigned char)word.ptr[i]) || strchr("-_=", word.ptr[i]);
	return word.len > 0 && !begins_with(word, "ISCC:") && !begins_with(word, "urn:") &&
	       !begins_with(word, "http://") && !begins_with(word, "https://") &&
	       (!is_plain || word.len < LENGTH_OF_UNITS);
}

/* Does a header of this kind exist? A search would refuse it later, without the word that it stands for. */
static bool is_existing(const struct isx_header *header)
{
	return header->version == 0 || (header->maintype == ISX_ID && header->version == 1);
}

/* The word is decoded and encoded again, so that every form of one ISCC becomes the same text. */
enum isx_status iscc_word_read(const char *word, const char *otherwise, struct isx_arena *arena,
			       const char **text, struct isx_header *header, struct isx_err *err)
{
	uint8_t digest[DIGEST_BYTES_MAX];
	size_t count = 0, used;
	struct isx_span bare;
	char *room = isx_arena_alloc(arena, strlen(word) + 1, 1);
	if (!room)
		return isx_fail_memory(err);
	enum isx_status st = unwrap(isx_span_of(word), room, &bare, err);
	if (!st)
		st = isx_multibase_decode(bare, digest, sizeof digest, &count, err);
	if (!st)
		st = isx_header_read(digest, count, header, &used, err);
	if ((st || !is_existing(header)) && is_other_word(isx_span_of(word)))
		return isx_fail(err, ISX_INVALID, "%.200s: %s", word, otherwise);
	if (st)
		return isx_err_at(err, st, "%.60s", word);
	char *made = isx_arena_alloc(arena, 1, ISX_BASE32_CHARS(count) + 6);
	if (!made)
		return isx_fail_memory(err);
	memcpy(made, "ISCC:", 5);
	isx_base32_encode(digest, count, made + 5);
	*text = made;
	return ISX_OK;
}
