/*
 * answer.h - the memory of an answer that is handed out: a struct, and one arena with everything
 *            that it points to.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef ISX_ANSWER_H
#define ISX_ANSWER_H

#include "base/mem.h"

/* An answer while it is made. It must stay where it is, as its arena points to its quota. */
struct isx_answer {
	void *result; /* `bytes` of isx_answer_begin(), all 0 */
	struct isx_arena *arena;
	struct isx_quota quota; /* of its own, as an arena keeps a refusal there */
};

/* Make an empty answer.
 *   quota  asked for what grows in the arena; borrowed until isx_answer_end(); NULL: no ceiling
 * After a failure there is nothing to end. */
ISX_MUST_CHECK enum isx_status isx_answer_begin(struct isx_answer *answer, size_t bytes,
						const struct isx_quota *quota, struct isx_err *err);

/* Finish an answer whose making ended with `st`. After success the caller hands out answer->result,
 * and keeps answer->arena in it for isx_answer_free(); after a failure both are freed. Returns `st`, or
 * the status of the quota where that has refused memory: the maker sees only that it has none. */
ISX_MUST_CHECK enum isx_status isx_answer_end(struct isx_answer *answer, enum isx_status st,
					      struct isx_err *err);

/* Free an answer that was handed out. */
void isx_answer_free(void *result, struct isx_arena *arena);

#endif
