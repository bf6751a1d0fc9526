/*
 * meter.h - what one thread of a search has scanned, and whether the search is still wanted.
 *
 * Asking may cost a system call, so it is done once in ISX_METER_STEP comparisons, which take less
 * than a millisecond.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef ISX_METER_H
#define ISX_METER_H

#include "iscc_search.h"

enum { ISX_METER_STEP = 1 << 16 };

/* `{ 0 }` asks nobody. */
struct isx_meter {
	enum isx_status (*cancel_check)(void *cancel_arg,
					struct isx_err *err); /* of the query, or NULL */
	void *cancel_arg;
	uint64_t
		rows; /* compared so far; a row counts once for each unit or simprint of the query */
	uint64_t next; /* ask when `rows` is there */
};

/* Ask whether to go on. */
ISX_MUST_CHECK static inline enum isx_status isx_meter_ask(struct isx_meter *meter,
							   struct isx_err *err)
{
	meter->next = meter->rows + ISX_METER_STEP;
	return meter->cancel_check ? meter->cancel_check(meter->cancel_arg, err) : ISX_OK;
}

/* Begin a search: may it begin at all? */
ISX_MUST_CHECK static inline enum isx_status isx_meter_start(struct isx_meter *meter,
							     const struct isx_query *query,
							     struct isx_err *err)
{
	*meter = (struct isx_meter){ .cancel_check = query->cancel_check,
				     .cancel_arg = query->cancel_arg };
	return isx_meter_ask(meter, err);
}

/* Count `rows` more, and ask now and then. */
ISX_MUST_CHECK static inline enum isx_status isx_meter_count(struct isx_meter *meter, uint64_t rows,
							     struct isx_err *err)
{
	meter->rows += rows;
	return meter->rows < meter->next ? ISX_OK : isx_meter_ask(meter, err);
}

#endif
