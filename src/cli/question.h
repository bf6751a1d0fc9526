/*
 * question.h - the query of `search`: ISCCs in any form, an ISCC-ID, or a file.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef ISX_QUESTION_H
#define ISX_QUESTION_H

#include "base/buf.h"
#include "base/mem.h"
#include "cli/args.h"

/* A query, and the passages of the file if it came from one. Release it with question_release(). */
struct question {
	struct isx_arena arena;
	struct isx_query query;
	const char *path; /* of the file; NULL: it came from none. Borrowed from the command line */
	const struct isx_simprint *passages; /* of the file */
	size_t passage_count;
	struct isx_buf
		text; /* NAME.iscc.utf8, if it exists: the text that the file was made from */
};

/* Read the arguments of the command: a path that exists is a file, anything else an ISCC.
 *   question  filled; release it also on failure */
ISX_MUST_CHECK enum isx_status question_read(const struct cli_args *args, struct question *question,
					     struct isx_err *err);

/* Read a line of a file: an asset as in `add`, a query as in the API, or ISCCs with blanks between. The
 * ISCC-ID of an asset that has codes or simprints is ignored: it need not be in the index.
 *   question  filled; release it also on failure */
ISX_MUST_CHECK enum isx_status question_of_line(struct isx_span line, struct question *question,
						struct isx_err *err);

/* Does a line begin like a JSON object or an ISCC? */
bool question_may_begin(struct isx_span line);

/* Leave the simprints out, for an index that refuses their length. False: without them nothing is left to
 * search by. */
bool question_drop_simprints(struct question *question);

void question_release(struct question *question);

#endif
