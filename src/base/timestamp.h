/*
 * timestamp.h - points in time as people write them.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef ISX_TIMESTAMP_H
#define ISX_TIMESTAMP_H

#include "base/span.h"

/* What isx_timestamp_parse() reads, for messages. */
#define ISX_TIMESTAMP_RULE                                                                         \
	"a time such as 2025-01-31T12:00:00Z, a day such as 2025-01-31 (its beginning, UTC), or "  \
	"microseconds since 1970"

/* Read a time of 1970 or later: RFC 3339 with or without a fraction, of which microseconds count;
 * without an offset it is UTC, and without a time of day the beginning of the day. Or a number of
 * microseconds since 1970.
 *   us  filled: microseconds since 1970
 * False: the text is no such time. */
bool isx_timestamp_parse(struct isx_span text, uint64_t *us);

#endif
