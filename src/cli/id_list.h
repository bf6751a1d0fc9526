/*
 * id_list.h - the ISCC-IDs that a command line names, or that stand on standard input.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef ISX_ID_LIST_H
#define ISX_ID_LIST_H

#include "base/mem.h"
#include "cli/args.h"

struct id_list {
	struct isx_arena arena; /* of the texts */
	const char **texts;     /* "ISCC:" and base32 */
	size_t count;
};

/* Read the words of a command: ISCC-IDs in any form, or - for lines of standard input. Without any
 * line the list is empty, which is no error: in a pipe the command before may have found none. A
 * message says so.
 *   ids  filled; release it also on failure
 * ISX_INVALID names the word, or the line. */
ISX_MUST_CHECK enum isx_status id_list_read(const struct cli_args *args, struct id_list *ids,
					    struct isx_err *err);
void id_list_release(struct id_list *ids);

#endif
