/*
 * answer.c - the memory of an answer that is handed out.
 *
 * The quota is that of the request, and the answer may outlive it: the arena forgets the quota before
 * the answer is handed out. Used by one thread at a time; takes no lock.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "service/answer.h"

void isx_answer_free(void *result, struct isx_arena *arena)
{
	if (arena)
		isx_arena_release(arena);
	isx_mem_free(arena);
	isx_mem_free(result);
}

enum isx_status isx_answer_begin(struct isx_answer *answer, size_t bytes,
				 const struct isx_quota *quota, struct isx_err *err)
{
	*answer = (struct isx_answer){ .result = isx_mem_array(1, bytes),
				       .arena = isx_mem_array(1, sizeof *answer->arena) };
	if (!answer->result || !answer->arena) {
		isx_answer_free(answer->result, answer->arena);
		*answer = (struct isx_answer){ 0 };
		return isx_fail_memory(err);
	}
	if (quota)
		answer->quota = (struct isx_quota){ .may_take = quota->may_take,
						    .keeper = quota->keeper };
	answer->arena->quota = quota ? &answer->quota : NULL;
	return ISX_OK;
}

enum isx_status isx_answer_end(struct isx_answer *answer, enum isx_status st, struct isx_err *err)
{
	if (st == ISX_NO_MEMORY) /* of the system, or a refusal that the arena has kept */
		st = isx_quota_fail(answer->arena->quota, err);
	answer->arena->quota = NULL; /* borrowed until return; the result may live longer */
	if (st) {
		isx_answer_free(answer->result, answer->arena);
		*answer = (struct isx_answer){ 0 };
	}
	return st;
}
