/*
 * request.h - one request and one answer, as the router and the handlers see them.
 *
 * A handler knows no socket and no status line: it reads a struct http_req, fills a struct http_res
 * and returns a status; what a failure looks like on the wire is the router's business.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef ISX_REQUEST_H
#define ISX_REQUEST_H

#include "base/buf.h"
#include "base/mem.h"
#include "json/wire.h"

/* Ceiling of the numbers of routes, which the metrics reserve memory for. The last number stands
 * for requests that match no route. */
#define HTTP_ROUTES_MAX 32

#define HTTP_HEADERS_MAX 12 /* of one answer: what the program itself sets, with room to spare */

struct http_metrics;
struct isx_readiness;
struct http_route;

/* What the request line leads to. */
enum http_target {
	HTTP_TO_ROUTE,
	HTTP_TO_NOTHING,      /* 404 */
	HTTP_TO_OTHER_METHOD, /* 405: the path is there, the method is not */
	HTTP_TO_OTHER_PATH    /* 307: with a slash less (or more) it would be */
};

/* A request. All texts are borrowed until the answer is sent; NULL is what was not sent. */
struct http_req {
	const char *method;
	struct isx_span path;  /* as sent, percent signs and all */
	struct isx_span query; /* what follows the question mark */
	const char *accept;
	const char *accept_encoding;
	const char *api_key;
	const char *content_type;
	const char *origin;
	const char *request_id;        /* the client's, or one of ours; never NULL in a handler */
	const char *preflight_method;  /* Access-Control-Request-Method */
	const char *preflight_headers; /* Access-Control-Request-Headers */
	struct isx_payload payload;
	struct isx_err cut;  /* why the payload is not there: over a ceiling; ISX_OK if it is */
	unsigned cut_status; /* HTTP status of `cut` where no isx_status stands for it; or 0 */

	/* What the router found in it. */
	enum http_target target;
	const struct http_route *route; /* of HTTP_TO_ROUTE */
	bool has_key;                   /* carries the right key, or none is set */
	bool is_allowed;                /* needs no key, or has it */
	const char *index_name;         /* {name} of the path, decoded */
	const char *iscc_id;            /* {iscc_id} of the path, decoded */
	const char *file;               /* the end of the path, decoded */

	struct isx_arena arena;             /* for everything that lives as long as the request */
	struct isx_store *store;            /* borrowed */
	struct isx_readiness *readiness;    /* borrowed */
	const struct http_metrics *metrics; /* borrowed */
	struct isx_quota *quota;            /* of the answer and of what it is made from */
	/* For struct isx_query. */
	enum isx_status (*cancel_check)(void *cancel_arg, struct isx_err *err);
	bool (*waits)(void *cancel_arg, bool begins);
	void *cancel_arg;
};

struct http_header {
	const char *name;  /* static */
	const char *value; /* borrowed until the answer is sent */
};

/* An answer: `{ 0 }` is 200 with an empty JSON payload. */
struct http_res {
	unsigned status;          /* 0: 200 */
	const char *content_type; /* NULL: application/json; "": none */
	struct isx_buf payload;
	struct isx_span file; /* static bytes that are sent instead of `payload`; empty: none */
	struct http_header headers[HTTP_HEADERS_MAX];
	size_t header_count;
	bool varies_by_accept;        /* another Accept header would give another answer */
	bool varies_by_coding;        /* another Accept-Encoding would */
	char retry_after[12];         /* of the header of that name */
	char *own_value;              /* of the one header that is composed for this answer */
	struct isx_problems problems; /* what a handler found wrong when it says ISX_SCHEMA */
};

typedef enum isx_status http_handler(struct http_req *req, struct http_res *res,
				     struct isx_err *err);

/* Add a header; the value is borrowed and must outlive the answer. */
void isx_http_header(struct http_res *res, const char *name, const char *value);

/* Add a header whose value is composed for this answer, at most one; `value` is left empty. */
void isx_http_own_header(struct http_res *res, const char *name, struct isx_buf *value);

/* Is there a payload? If not, that is one more problem. ISX_SCHEMA: the problems, that one too. */
ISX_MUST_CHECK enum isx_status isx_http_need_payload(const struct http_req *req,
						     struct http_res *res, struct isx_err *err);

/* Make the answer {"detail": ...} of a failure. */
void isx_http_fail(struct http_res *res, enum isx_status status, const struct isx_err *err);

/* Make the answer {"detail": ...} with an HTTP status that is no isx_status. */
void isx_http_detail(struct http_res *res, unsigned http_status, const char *detail);

/* Release what both hold; what they borrow stays. */
void isx_http_release(struct http_req *req, struct http_res *res);

#endif
