/*
 * index_info.h - what an engine tells of an index: its parts, or that the index does not exist.
 *
 * isx_index_info_release() and isx_index_list_free() of the public header are in index_info.c too:
 * engines call them on their error paths.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef ISX_INDEX_INFO_H
#define ISX_INDEX_INFO_H

#include "base/status.h"
#include "iscc_search.h"

/* Append a part to `info`.
 *   name   copied, and cut to the room of struct isx_index_part
 *   bytes  that the part takes on disk
 * ISX_NO_MEMORY: `info` is unchanged. */
ISX_MUST_CHECK enum isx_status isx_index_part_add(struct isx_index_info *info, const char *name,
						  uint64_t bytes, struct isx_err *err);

/* Fail with ISX_NOT_FOUND and "Index 'NAME' not found", the text of iscc-search 0.3.3, which
 * clients compare. */
enum isx_status isx_fail_no_index(struct isx_err *err, const char *name);

#endif
