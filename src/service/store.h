/*
 * store.h - a store, and checks that several functions of the public interface need.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef ISX_STORE_H
#define ISX_STORE_H

#include "engine/engine.h"

/* All state is the engine's: its functions may be called from any thread, so these may be, too. */
struct isx_store {
	struct isx_engine *engine; /* owned */
};

/* Check the options of a program and complete them with defaults; NULL: all defaults.
 *   options  filled
 * ISX_INVALID: an option is out of its range; ISX_UNSUPPORTED: one of a later version is set. */
ISX_MUST_CHECK enum isx_status isx_store_read_options(const struct isx_options *given,
						      struct isx_options *options,
						      struct isx_err *err);

/* Check a query of a program, and complete it: engines get a limit of 1 or more. ISX_INVALID names
 * the member. */
ISX_MUST_CHECK enum isx_status isx_store_complete_query(struct isx_query *query,
							struct isx_err *err);

/* Check that an asset of a program has the shape that can be stored. ISX_INVALID names the
 * field. */
ISX_MUST_CHECK enum isx_status isx_store_check_asset(const struct isx_asset *asset,
						     struct isx_err *err);

#endif
