/*
 * instance.c - finds the INSTANCE of an asset. Pure, and must not know an index.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "cli/instance.h"

enum isx_status instance_of_asset(const struct isx_asset *asset, struct isx_iscc *instance,
				  struct isx_err *err)
{
	struct isx_iscc iscc, units[ISX_ISCC_UNITS];
	size_t count = 0;
	/* Units come first: they are longer than those of the code, which have 64 bits. */
	for (size_t i = 0; i < asset->unit_count; i++)
		if (!isx_iscc_parse(asset->units[i], instance, NULL) &&
		    instance->maintype == ISX_INSTANCE)
			return ISX_OK;
	if (asset->iscc_code && isx_iscc_parse(asset->iscc_code, &iscc, err))
		return isx_err_at(err, ISX_INVALID, "iscc_code");
	if (asset->iscc_code && !isx_iscc_decompose(&iscc, units, &count, NULL))
		for (size_t i = 0; i < count; i++)
			if (units[i].maintype == ISX_INSTANCE) {
				*instance = units[i];
				return ISX_OK;
			}
	return isx_fail(err, ISX_INVALID,
			"iscc_id is missing, and so is an INSTANCE by which the same file is "
			"recognized: expected one of them");
}
