/*
 * http_status.c - the table between statuses of the library and statuses of HTTP.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "json/http_status.h"

#include <stdbool.h>
#include <stddef.h>

/* Several statuses share an HTTP status: `read_as` marks the one that it is read as. */
static const struct {
	unsigned http;
	bool read_as;
} table[] = {
	[ISX_OK] = { 200, false },          [ISX_INVALID] = { 400, true },
	[ISX_SCHEMA] = { 422, false }, /* read as ISX_INVALID: see isx_http_to_status() */
	[ISX_NOT_FOUND] = { 404, true },    [ISX_EXISTS] = { 409, true },
	[ISX_UNAUTHORIZED] = { 401, true }, [ISX_TOO_LARGE] = { 413, true },
	[ISX_READ_ONLY] = { 503, false },   [ISX_FULL] = { 507, false },
	[ISX_UNAVAILABLE] = { 503, true },  [ISX_CORRUPT] = { 500, false },
	[ISX_IO] = { 500, true },           [ISX_NO_MEMORY] = { 503, false },
	[ISX_CANCELLED] = { 499, false }, /* as nginx logs it; never sent */
	[ISX_UNSUPPORTED] = { 501, false },
};
enum { STATUSES = sizeof table / sizeof *table };

unsigned isx_http_from_status(enum isx_status status)
{
	return (unsigned)status < STATUSES ? table[status].http : 500;
}

enum isx_status isx_http_to_status(long http_status)
{
	if (http_status == (long)table[ISX_SCHEMA].http)
		return ISX_INVALID;
	for (size_t i = 0; i < STATUSES; i++)
		if (table[i].read_as && http_status == (long)table[i].http)
			return (enum isx_status)i;
	return ISX_IO;
}
