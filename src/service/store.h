/*
 * store.h - what the files of the public interface share.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef ISX_STORE_H
#define ISX_STORE_H

#include "engine/engine.h"

struct isx_store {
	struct isx_engine *engine;
};

/* The options of a program, checked and complete; NULL: the defaults. */
ISX_MUST_CHECK enum isx_status isx_store_read_options(const struct isx_options *given,
						      struct isx_options *options,
						      struct isx_err *err);

/* Has an asset of a program the shape that can be stored? ISX_INVALID names what has not. */
ISX_MUST_CHECK enum isx_status isx_store_check_asset(const struct isx_asset *asset,
						     struct isx_err *err);

#endif
