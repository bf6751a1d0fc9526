/*
 * meter.h - count what one thread of a search compares, and ask now and then whether to go on.
 *
 * The question may cost a system call, so it is asked once in ISX_METER_STEP comparisons, which
 * take less than a millisecond. A meter belongs to one thread and needs no lock.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef ISX_METER_H
#define ISX_METER_H

#include "iscc_search.h"

enum {
	ISX_METER_STEP = 1 << 16,
	/* To read an asset, or to look up its rows, takes about as long as so many comparisons. */
	ISX_METER_ASSET = ISX_METER_STEP / 64
};

/* `{ 0 }` is a meter that counts and never asks. */
struct isx_meter {
	/* Of the query; NULL: never ask. */
	enum isx_status (*cancel_check)(void *cancel_arg, struct isx_err *err);
	void *cancel_arg;
	uint64_t rows; /* comparisons so far: a row counts for each unit or simprint compared */
	uint64_t next; /* ask when `rows` has reached this */
};

/* Call the cancel_check() of a query (NULL: go on). It may leave `err` (may be NULL) alone: `err` has
 * its status all the same, as an error without one would be passed on as success. */
ISX_MUST_CHECK static inline enum isx_status isx_cancel_ask(
	enum isx_status (*cancel_check)(void *cancel_arg, struct isx_err *err), void *cancel_arg,
	struct isx_err *err)
{
	enum isx_status st = cancel_check ? cancel_check(cancel_arg, err) : ISX_OK;
	if (st && err)
		err->status = st;
	return st;
}

/* Ask whether to go on; anything but ISX_OK ends the search. */
ISX_MUST_CHECK static inline enum isx_status isx_meter_ask(struct isx_meter *meter,
							   struct isx_err *err)
{
	meter->next = meter->rows + ISX_METER_STEP;
	return isx_cancel_ask(meter->cancel_check, meter->cancel_arg, err);
}

/* The meter of a further thread, or of a further step, of a search that has begun: it asks the same
 * question, when it is due. */
static inline struct isx_meter isx_meter_of(const struct isx_query *query)
{
	return (struct isx_meter){ .cancel_check = query->cancel_check,
				   .cancel_arg = query->cancel_arg,
				   .next = ISX_METER_STEP };
}

/* Begin a search with the question that `query` carries, and ask it once. */
ISX_MUST_CHECK static inline enum isx_status isx_meter_start(struct isx_meter *meter,
							     const struct isx_query *query,
							     struct isx_err *err)
{
	*meter = (struct isx_meter){ .cancel_check = query->cancel_check,
				     .cancel_arg = query->cancel_arg };
	return isx_meter_ask(meter, err);
}

/* Count `rows` more comparisons, and ask if the next question is due. */
ISX_MUST_CHECK static inline enum isx_status isx_meter_count(struct isx_meter *meter, uint64_t rows,
							     struct isx_err *err)
{
	meter->rows += rows;
	return meter->rows < meter->next ? ISX_OK : isx_meter_ask(meter, err);
}

/* The same for work that is no comparison, and as long as `rows` of them: it is not counted as rows. */
ISX_MUST_CHECK static inline enum isx_status isx_meter_work(struct isx_meter *meter, uint64_t rows,
							    struct isx_err *err)
{
	meter->next = meter->next > rows ? meter->next - rows : 0;
	return meter->rows < meter->next ? ISX_OK : isx_meter_ask(meter, err);
}

#endif
