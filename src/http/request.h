/*
 * request.h - one request and one answer, as the router and the handlers see them.
 *
 * A handler knows no socket: it reads a struct http_req, fills a struct http_res and returns a
 * status; the router turns a failure into an answer.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef ISX_REQUEST_H
#define ISX_REQUEST_H

#include "base/buf.h"
#include "base/mem.h"
#include "json/wire.h"

#include <stdatomic.h>

/* Ceiling of the numbers of routes, which the metrics reserve memory for. The last number stands
 * for requests that match no route. */
#define HTTP_ROUTES_MAX 40

#define HTTP_HEADERS_MAX 12 /* headers of one answer that the program sets, with some to spare */

struct http_metrics;
struct isx_pool;
struct isx_readiness;
struct isx_spool;
struct http_route;

/* What the router finds for a request line. */
enum http_target {
	HTTP_TO_ROUTE,
	HTTP_TO_NOTHING,      /* 404 */
	HTTP_TO_OTHER_METHOD, /* 405: the path exists, but not with this method */
	HTTP_TO_OTHER_PATH    /* 307: the path exists with or without the slash at its end */
};

/* A request. All texts are borrowed until the answer is sent; NULL: not sent. */
struct http_req {
	const char *method;
	struct isx_span path;  /* as sent, percent-encoded */
	struct isx_span query; /* the part behind the question mark, encoded */
	const char *accept;
	const char *accept_encoding;
	const char *api_key;
	const char *content_type;
	const char *origin;
	const char *request_id;        /* of the client, or generated; never NULL in a handler */
	const char *preflight_method;  /* Access-Control-Request-Method */
	const char *preflight_headers; /* Access-Control-Request-Headers */
	struct isx_payload payload;
	struct isx_spool *lines; /* the body instead of `payload`, of a route that takes lines and a
				    content type of lines; or NULL */
	struct isx_err
		cut; /* why the payload is missing, for example too large; ISX_OK: it is not */
	unsigned cut_status; /* HTTP status of `cut` if no isx_status maps to it, or 0 */

	/* Set by isx_router_find(). */
	enum http_target target;
	const struct http_route *route; /* of HTTP_TO_ROUTE */
	unsigned methods;               /* of HTTP_TO_OTHER_METHOD: those in Allow, a bit each */
	bool has_key;                   /* the key is right, or none is set */
	bool is_allowed;                /* the route needs no key, or has_key */
	const char *index_name;         /* {name} of the path, decoded */
	const char *iscc_id;            /* {iscc_id} of the path, decoded */
	const char *file;               /* the end of the path, decoded */

	struct isx_arena arena;             /* memory that lives as long as the request */
	struct isx_store *store;            /* borrowed */
	struct isx_readiness *readiness;    /* borrowed */
	const struct http_metrics *metrics; /* borrowed */
	struct isx_quota *quota; /* memory of the answer and of the objects it is made from */
	void (*name_options)(struct isx_err *err); /* as in struct isx_server_settings */
	struct isx_pool *joins;                    /* for jobs that outlive the request; borrowed */
	const atomic_bool *is_stopping;            /* such a job has to end; borrowed */
	/* For struct isx_query. */
	enum isx_status (*cancel_check)(void *cancel_arg, struct isx_err *err);
	bool (*on_wait)(void *cancel_arg, bool begins);
	void *cancel_arg;
};

/* An answer that is composed piece by piece while it is sent, so that it may have any size. */
struct http_stream {
	/* Append the next piece to `out`; nothing: the answer is complete. Called by a worker of
	 * the route's pool: first before the answer begins, so that a failure is an answer of its
	 * own, then each time when the client has taken the piece before. A failure then closes
	 * the connection, as the status is sent already. The request stays as it is, with its
	 * payload. */
	enum isx_status (*more)(struct http_stream *stream, struct isx_buf *out,
				struct isx_err *err);
	/* Called behind more(), in the same thread. `refusal` is NULL: the piece is sent. Otherwise there was
	 * no memory for all of the answer: more() may have left out what the memory was refused for. True:
	 * call it again, for a smaller piece of the same. NULL: the stream has no smaller pieces. */
	bool (*settle)(struct http_stream *stream, const struct isx_err *refusal);
	/* Free the stream. */
	void (*close)(struct http_stream *stream);
};

struct http_header {
	const char *name;  /* static */
	const char *value; /* borrowed until the answer is sent */
};

/* An answer. `{ 0 }`: 200 with an empty JSON payload. */
struct http_res {
	unsigned status;          /* 0: 200 */
	const char *content_type; /* NULL: application/json; "": none */
	struct isx_buf payload;
	struct isx_span file;       /* static bytes to send instead of `payload`; empty: none */
	struct http_stream *stream; /* taken: composes the answer instead of the handler; or NULL */
	struct http_header headers[HTTP_HEADERS_MAX];
	size_t header_count;
	bool varies_by_accept; /* the answer depends on the Accept header */
	bool varies_by_coding; /* and on Accept-Encoding */
	char retry_after[12];  /* value of that header */
	char *own_value;       /* value of the one header that is composed for this answer */
	struct isx_problems
		problems; /* faults that a handler found before it returned ISX_SCHEMA */
};

/* Move the beginning of what a stream has composed to its next piece: as much as every connection has
 * room for, whatever other answers hold. So the answer is not cut for want of memory. */
void isx_http_move_piece(struct isx_buf *composed, struct isx_buf *piece);

typedef enum isx_status http_handler(struct http_req *req, struct http_res *res,
				     struct isx_err *err);

/* Add a header; the value is borrowed and must outlive the answer. */
void isx_http_header(struct http_res *res, const char *name, const char *value);

/* Add a header whose value is composed for this answer, at most one; `value` is left empty. */
void isx_http_own_header(struct http_res *res, const char *name, struct isx_buf *value);

/* Require a payload. If it is missing, add that to the problems and return ISX_SCHEMA. */
ISX_MUST_CHECK enum isx_status isx_http_need_payload(const struct http_req *req,
						     struct http_res *res, struct isx_err *err);

/* Make the answer {"detail": ...} of a failure. */
void isx_http_fail(struct http_res *res, enum isx_status status, const struct isx_err *err);

/* Make the answer {"detail": ...} with an HTTP status that has no isx_status. */
void isx_http_detail(struct http_res *res, unsigned http_status, const char *detail);

/* Release the memory that both own. */
void isx_http_release(struct http_req *req, struct http_res *res);

#endif
