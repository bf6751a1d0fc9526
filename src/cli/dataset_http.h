/*
 * dataset_http.h - one GET of a host of data sets, asked again while the host says to wait.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef ISX_DATASET_HTTP_H
#define ISX_DATASET_HTTP_H

#include "cli/dataset_client.h"

/* What is sent, and who takes the answer; the members are those of struct isx_http_request. */
struct dataset_get {
	const char *url;
	uint64_t from_byte; /* take_body() keeps it: a request that is cut off goes on there */
	void (*take_head)(void *arg, struct isx_span line);
	bool (*take_body)(void *arg, long code, struct isx_span bytes);
	void *arg;
	bool has_stopped; /* set by a take_body() that returns false: nothing is tried again */
};

/* Make and free client->http. */
ISX_MUST_CHECK enum isx_status dataset_http_open(struct dataset_client *client,
						 struct isx_err *err);
void dataset_http_close(struct dataset_client *client);

/* Send the request. After a status of 429 or 5xx, and when no answer comes, it is sent again; waits are
 * told on standard error.
 *   code    filled: 200, 206 or 416; every other status is a failure
 *   answer  filled: the body, unless take_body() has got it */
ISX_MUST_CHECK enum isx_status dataset_http_get(struct dataset_client *client,
						struct dataset_get *get, long *code,
						struct isx_buf *answer, struct isx_err *err);

/* The value of a header line if it is called `name` (lower case), trimmed; else an empty span. */
struct isx_span dataset_http_header(struct isx_span line, const char *name);

#endif
