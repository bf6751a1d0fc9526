/*
 * instance.h - the INSTANCE of an asset, by which the same file is recognized.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef ISX_INSTANCE_H
#define ISX_INSTANCE_H

#include "base/status.h"

#include "iscc.h"

/* The INSTANCE of an asset: of its units, or else of its code. ISX_INVALID: it has none. */
ISX_MUST_CHECK enum isx_status instance_of_asset(const struct isx_asset *asset,
						 struct isx_iscc *instance, struct isx_err *err);

#endif
