/*
 * schema.h - the problems of a request, each with its place, in the form of pydantic that clients
 *            of 0.3.3 know:
 *	[{"type": ..., "loc": ["body", 0, "units"], "msg": ..., "input": ...}, ...]
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef ISX_SCHEMA_JSON_H
#define ISX_SCHEMA_JSON_H

#include "base/buf.h"

/* A place in a request: a list from the inside out, whose nodes are on the stacks of the
 * readers. */
struct isx_place {
	const struct isx_place *outer; /* NULL: this is the root, "body" or "query" */
	const char *name;              /* a member, or NULL for a position */
	size_t position;
};

/* The problems of one request, of which the first ISX_PROBLEMS_MAX are kept. `{ 0 }` has none. */
struct isx_problems {
	struct isx_buf items; /* JSON objects with commas between */
	size_t count;
	char first[160]; /* the first one as a message: "body.0.units: Input should ..." */
};

/* Add a problem.
 *   type   an error type of pydantic: "missing", "string_type", ...
 *   place  borrowed until return
 *   input  the wrong value as JSON text; an empty span: "input" is left out */
void isx_problem_add(struct isx_problems *problems, const char *type, const struct isx_place *place,
		     const char *msg, struct isx_span input);

/* Append the problems as a JSON array. If not all were kept, one more element says how many are
 * missing. */
void isx_problems_to_json(struct isx_buf *buf, const struct isx_problems *problems);

/* ISX_OK if there is no problem; otherwise ISX_SCHEMA with the first one as message. */
ISX_MUST_CHECK enum isx_status isx_problems_status(const struct isx_problems *problems,
						   struct isx_err *err);

/* Remove all problems and free their memory. */
void isx_problems_release(struct isx_problems *problems);

#endif
