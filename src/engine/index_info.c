/*
 * index_info.c - what an engine tells of an index.
 *
 * Shared by the engines and the public interface; touches memory only. isx_index_info_release()
 * and isx_index_list_free() are documented in iscc_search.h.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "engine/index_info.h"

#include "base/mem.h"

#include <stdio.h>

enum isx_status isx_index_part_add(struct isx_index_info *info, const char *name, uint64_t bytes,
				   struct isx_err *err)
{
	struct isx_index_part *parts = isx_mem_resize(info->parts, info->part_count + 1,
						      sizeof *parts);
	if (!parts)
		return isx_fail_memory(err);
	info->parts = parts;
	/* A name that is too long is cut, not refused: parts are shown to people and never
	 * looked up. */
	snprintf(parts[info->part_count].name, sizeof parts->name, "%s", name);
	parts[info->part_count++].bytes = bytes;
	return ISX_OK;
}

void isx_index_info_release(struct isx_index_info *info)
{
	isx_mem_free(info->parts);
	*info = (struct isx_index_info){ 0 };
}

void isx_index_list_free(struct isx_index_info *infos, size_t count)
{
	for (size_t i = 0; i < count; i++)
		isx_index_info_release(&infos[i]);
	isx_mem_free(infos);
}

enum isx_status isx_fail_no_index(struct isx_err *err, const char *name)
{
	return isx_fail(err, ISX_NOT_FOUND, "Index '%s' not found", name);
}
