/*
 * dataset_client.h - talks to a host of data sets with the interface of the Hugging Face Hub: lists, and
 *                    files that it keeps in the cache that programs of that hub share.
 *
 * Follows the variables of its Python client: HF_ENDPOINT, HF_TOKEN, HF_HOME, HF_HUB_CACHE, ... The token is
 * sent to that host alone, and no message contains it.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef ISX_DATASET_CLIENT_H
#define ISX_DATASET_CLIENT_H

#include "base/buf.h"
#include "cli/progress.h"
#include "remote/http_client.h"

#include <limits.h>

struct dataset_client {
	struct isx_http_client *http;
	const char *endpoint; /* "https://huggingface.co", without a slash at the end */
	const char *token;    /* NULL: none */
	const char *cache;    /* folder; made when it is needed */
	struct isx_arena texts;
	struct progress *progress; /* of a download; NULL: none is shown */
};

/* Read the environment and the file of the token. Close it also on failure. */
ISX_MUST_CHECK enum isx_status dataset_client_open(struct dataset_client *client,
						   struct isx_err *err);
void dataset_client_close(struct dataset_client *client);

/* Get a list that comes in pages, and append its elements as one array of checked JSON.
 *   path       of the first page, percent-encoded: "/api/datasets?author=iscc"
 *   count_max  elements that are wanted; no page is asked for beyond them, but the last one may bring
 *              more
 * Waits and asks again when the host limits the rate of requests or is overloaded. */
ISX_MUST_CHECK enum isx_status dataset_client_list(struct dataset_client *client, const char *path,
						   size_t count_max, struct isx_buf *list,
						   struct isx_err *err);

/* A file of a data set, as the list of its files names it. */
struct dataset_file {
	const char *path;   /* in the repository */
	uint64_t size;      /* 0: unknown */
	const char *sha256; /* of its content, 64 digits; NULL: unknown */
};

/* Get a file, from the cache if it is there. A download that was cut off goes on where it ended.
 *   repo   "iscc/iscc-flickr30k"
 *   local  filled: PATH_MAX, the path of the file in the cache */
ISX_MUST_CHECK enum isx_status dataset_client_get(struct dataset_client *client, const char *repo,
						  const struct dataset_file *file, char *local,
						  struct isx_err *err);

#endif
