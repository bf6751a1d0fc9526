/*
 * paging.c - places in a ranking as texts: base64url of fixed fields. Pure functions.
 *
 * A list that has ended has a rank below every rank: nothing ranks behind it.
 *
 * A token is no secret and is not signed: a client that makes one up gets a part of the ranking that
 * it could have read anyway. The server keeps nothing between two pages; each page is a search of its
 * own, of which only the matches behind the place are kept.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "engine/paging.h"

#include "base/status.h"
#include "iscc/base32.h"
#include "iscc/iscc_id.h"
#include "json/wire.h"

#include <float.h>
#include <math.h>
#include <string.h>

/* A token is a byte of enum isx_rank, the state, and the places: all numbers are big-endian, a rank
 * as the bits of its double. A later form gets another first byte, and clients then begin again. */
enum { PLACE_BYTES = 16, TOKEN_BYTES = 1 + 8 + ISX_PAGE_LISTS * PLACE_BYTES };

struct token {
	bool is_start; /* of the ranking: the other members mean nothing */
	uint32_t rank; /* of the matches; passages are ranked by their score */
	uint64_t state;
	struct isx_ranked places[ISX_PAGE_LISTS];
};

static const struct isx_ranked the_end = { .rank = -DBL_MAX };

/* False: the text is no token. A rank that is not finite is refused, as NaN ranks neither before
 * nor behind anything. */
static bool read_token(const char *after, struct token *token)
{
	uint8_t bytes[TOKEN_BYTES];
	size_t count;
	*token = (struct token){ .is_start = !after || !*after };
	if (token->is_start)
		return true;
	if (isx_base64_decode(isx_span_of(after), bytes, sizeof bytes, &count, NULL) ||
	    count != sizeof bytes || bytes[0] < ISX_RANK_SCORE || bytes[0] > ISX_RANK_TIERED)
		return false;
	token->rank = bytes[0];
	token->state = isx_load_be64(bytes + 1);
	for (size_t i = 0; i < ISX_PAGE_LISTS; i++) {
		const uint8_t *place = bytes + 9 + i * PLACE_BYTES;
		uint64_t bits = isx_load_be64(place);
		memcpy(&token->places[i].rank, &bits, sizeof bits);
		token->places[i].id = isx_load_be64(place + 8);
		if (!isfinite(token->places[i].rank))
			return false;
	}
	return true;
}

/* `text` has room for TOKEN_BYTES in base64. */
static void print_token(const struct token *token, char *text)
{
	uint8_t bytes[TOKEN_BYTES] = { (uint8_t)token->rank };
	isx_store_be64(bytes + 1, token->state);
	for (size_t i = 0; i < ISX_PAGE_LISTS; i++) {
		uint8_t *place = bytes + 9 + i * PLACE_BYTES;
		uint64_t bits;
		memcpy(&bits, &token->places[i].rank, sizeof bits);
		isx_store_be64(place, bits);
		isx_store_be64(place + 8, token->places[i].id);
	}
	isx_base64_encode(bytes, sizeof bytes, text);
}

enum isx_status isx_page_check(const char *after, uint32_t rank, struct isx_err *err)
{
	struct token token;
	if (!read_token(after, &token))
		return isx_fail(err, ISX_INVALID,
				"after: expected what an answer has given as \"next\", or an "
				"empty text for the first page");
	if (!token.is_start && rank && token.rank != rank)
		return isx_fail(err, ISX_INVALID,
				"after: the page before was ranked by %s, and this query asks for "
				"%s: ask for the same rank, or begin with the first page",
				isx_rank_word(token.rank), isx_rank_word(rank));
	return ISX_OK;
}

/* The token was checked by isx_page_check() when the query came in. */
struct isx_ranking isx_page_ranking(const struct isx_query *query, enum isx_page_list list,
				    const struct isx_quota *quota)
{
	struct token token;
	struct isx_ranking ranking = { .limit = query->limit,
				       .quota = quota,
				       .keeps_ids = query->facet_count > 0 };
	if (read_token(query->after, &token) && !token.is_start) {
		ranking.has_after = true;
		ranking.after = token.places[list];
	}
	return ranking;
}

/* The place of the last match by passages. ISCC-IDs come from an engine here; one that cannot be read
 * would end the list. */
static struct isx_ranked place_of(const struct isx_chunk_match *match)
{
	struct isx_iscc_id id = { 0 };
	return isx_iscc_id_parse(isx_span_of(match->iscc_id), &id, NULL)
		       ? the_end
		       : (struct isx_ranked){ match->score, id.body };
}

/* The state of an index counts all of its writes, so is_changed may be set though no match of this
 * query has changed. When exactly `limit` matches were left, the page after them is empty. */
enum isx_status isx_page_end(const struct isx_query *query, uint32_t rank,
			     const struct isx_ranking *ranking, uint64_t state,
			     struct isx_arena *arena, struct isx_result *result,
			     struct isx_err *err)
{
	struct token before, token = { .rank = rank, .state = state };
	char text[TOKEN_BYTES * 4 / 3 + 4];
	if (!query->after)
		return ISX_OK;
	if (read_token(query->after, &before) && !before.is_start)
		result->is_changed = before.state != state;
	/* A full list may go on behind its last match. */
	const struct isx_ranked *match = NULL;
	const struct isx_chunk_match *chunk = NULL;
	if (ranking->count == query->limit)
		match = &ranking->items[ranking->count - 1];
	if (result->chunk_match_count == query->limit)
		chunk = &result->chunk_matches[result->chunk_match_count - 1];
	if (!match && !chunk)
		return ISX_OK;
	token.places[ISX_PAGE_MATCHES] = match ? *match : the_end;
	token.places[ISX_PAGE_CHUNK_MATCHES] = chunk ? place_of(chunk) : the_end;
	print_token(&token, text);
	result->next = isx_arena_text(arena, text, strlen(text));
	return result->next ? ISX_OK : isx_fail_memory(err);
}
