/*
 * fuzz_gzip.c - bodies with Content-Encoding: gzip: no crash, never more than the ceiling, and
 *               decoded bytes survive being encoded and decoded again.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "http/gzip.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { OUT_MAX = 200000 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct isx_buf first = { 0 }, encoded = { 0 }, second = { 0 };
	struct isx_span text = { (const char *)data, size };
	enum isx_status st = isx_gzip_decode(text, OUT_MAX, NULL, &first, NULL);
	if (first.len > OUT_MAX)
		abort();
	if (!st) {
		text = (struct isx_span){ first.ptr, first.len };
		if (isx_gzip_encode(text, &encoded, NULL) ||
		    isx_gzip_decode((struct isx_span){ encoded.ptr, encoded.len }, OUT_MAX, NULL,
				    &second, NULL) ||
		    first.len != second.len ||
		    (first.len && memcmp(first.ptr, second.ptr, first.len) != 0))
			abort();
	}
	isx_buf_release(&first);
	isx_buf_release(&encoded);
	isx_buf_release(&second);
	return 0;
}
