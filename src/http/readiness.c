/*
 * readiness.c - checks all indexes, one check at a time, and caches the result.
 *
 * The more processor time a check has cost, the longer its result is cached: checks never take more
 * than about a tenth of one processor, and a store of a few indexes is checked for nearly every
 * request.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "http/readiness.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "json/json_text.h"

enum {
	KEPT_COSTS = 10, /* a result is cached for so many times the processor time of its check */
	KEPT_NS_MAX = 1000000000,  /* and at most 1 s: monitoring sees changes */
	STALE_NS_MAX = 2000000000, /* oldest result that is returned during the next check;
				      beyond that, a disk may hang and the result be wrong */
	LOOK_NS_MAX = 2000000000 /* clients wait so long for a check; then the store is not ready */
};

struct isx_readiness {
	struct isx_store *store;
	void (*name_options)(struct isx_err *err);
	pthread_mutex_t lock;  /* of all members below; not held during a check */
	pthread_cond_t looked; /* a check has ended */
	bool is_looking;
	uint64_t begun_ns;       /* when the running check began */
	uint64_t looks;          /* number of checks that have ended */
	uint64_t looked_ns;      /* when the last one ended */
	uint64_t fresh_until_ns; /* its result is fresh until then */
	unsigned status;         /* HTTP status of the result */
	struct isx_buf texts[2]; /* without the key, and with it */
};

enum isx_status isx_readiness_new(struct isx_store *store,
				  void (*name_options)(struct isx_err *err),
				  struct isx_readiness **readiness, struct isx_err *err)
{
	struct isx_readiness *made = isx_mem_array(1, sizeof *made);
	if (!made)
		return isx_fail_memory(err);
	made->store = store;
	made->name_options = name_options;
	pthread_mutex_init(&made->lock, NULL);
	isx_clock_cond_init(&made->looked);
	*readiness = made;
	return ISX_OK;
}

void isx_readiness_free(struct isx_readiness *readiness)
{
	if (!readiness)
		return;
	isx_buf_release(&readiness->texts[0]);
	isx_buf_release(&readiness->texts[1]);
	pthread_cond_destroy(&readiness->looked);
	pthread_mutex_destroy(&readiness->lock);
	isx_mem_free(readiness);
}

void isx_readiness_add_loads(struct isx_store *store, bool has_key, struct isx_buf *buf)
{
	struct isx_load *loads = NULL;
	size_t count = 0;
	struct isx_err err;
	if (isx_loads(store, &loads, &count, &err))
		isx_log(ISX_LOG_WARNING, "what is being loaded is not known: %s", err.msg);
	for (size_t i = 0; i < count; i++) {
		isx_buf_text(buf, i ? ",{" : ",\"loading\":[{");
		if (has_key) {
			isx_buf_text(buf, "\"name\":");
			isx_json_quote(buf, isx_span_of(loads[i].name));
			isx_buf_char(buf, ',');
		}
		isx_buf_printf(buf, "\"rows_done\":%llu,\"rows_total\":%llu,\"seconds_left\":%u}%s",
			       (unsigned long long)loads[i].done,
			       (unsigned long long)loads[i].total, loads[i].left_s,
			       i + 1 == count ? "]" : "");
	}
	isx_loads_free(loads);
}

/* The text of a 200, with the indexes that are being loaded. */
static void add_ready(struct isx_buf *buf, struct isx_store *store, bool has_key)
{
	isx_buf_text(buf, "{\"status\":\"ready\"");
	isx_readiness_add_loads(store, has_key, buf);
	isx_buf_char(buf, '}');
}

static void add_problems(struct isx_buf *buf, const struct isx_index_problem *problems,
			 size_t count)
{
	for (size_t i = 0; i < count; i++) {
		isx_buf_text(buf, i ? ",{\"name\":" : ",\"indexes\":[{\"name\":");
		isx_json_quote(buf, isx_span_of(problems[i].name));
		isx_buf_printf(buf, ",\"reason\":\"%s\",\"detail\":",
			       isx_status_name(problems[i].cause.status));
		isx_json_quote(buf, isx_span_of(problems[i].cause.msg));
		isx_buf_text(buf, i + 1 == count ? "}]" : "}");
	}
}

/* The text of a 503. Names and messages only for clients with the key: messages contain paths. */
static void add_reason(struct isx_buf *buf, bool has_key, enum isx_status status,
		       const struct isx_err *err, const struct isx_index_problem *problems,
		       size_t count)
{
	isx_buf_printf(buf, "{\"status\":\"not_ready\",\"reason\":\"%s\"",
		       status ? "list_indexes_failed" : "index_not_ready");
	if (has_key)
		add_problems(buf, problems, count);
	if (has_key && status) {
		isx_buf_text(buf, ",\"detail\":");
		isx_json_quote(buf, isx_span_of(err->msg));
	}
	isx_buf_char(buf, '}');
}

/* Check all indexes. Returns the HTTP status, and the texts without and with the key. */
static unsigned look(struct isx_store *store, void (*name_options)(struct isx_err *err),
		     struct isx_buf texts[2])
{
	struct isx_index_problem *problems = NULL;
	size_t count = 0;
	struct isx_err err = { 0 };
	enum isx_status st = isx_ready(store, &problems, &count, &err);
	bool is_ready = !st && count == 0;
	if (name_options && st)
		name_options(&err);
	for (size_t i = 0; name_options && i < count; i++)
		name_options(&problems[i].cause);
	for (int has_key = 0; has_key < 2; has_key++)
		if (is_ready)
			add_ready(&texts[has_key], store, has_key);
		else
			add_reason(&texts[has_key], has_key, st, &err, problems, count);
	if (!is_ready)
		isx_log(ISX_LOG_WARNING, "not ready: %s", st ? err.msg : problems[0].cause.msg);
	isx_index_problems_free(problems);
	return is_ready ? 200 : 503;
}

/* Processor time of this thread: waiting for a disk does not count, so a slow disk does not make
 * results older. */
static uint64_t processor_ns(void)
{
	struct timespec used;
	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &used);
	return (uint64_t)used.tv_sec * 1000000000u + (uint64_t)used.tv_nsec;
}

/* Check, and cache the result. Called with the lock, returns with it, and releases it during the
 * check. */
static void look_again(struct isx_readiness *readiness)
{
	struct isx_buf texts[2] = { 0 };
	readiness->is_looking = true;
	readiness->begun_ns = isx_clock_ns();
	pthread_mutex_unlock(&readiness->lock);
	uint64_t begin_ns = processor_ns();
	unsigned status = look(readiness->store, readiness->name_options, texts);
	uint64_t kept_ns = (processor_ns() - begin_ns) * KEPT_COSTS;
	pthread_mutex_lock(&readiness->lock);
	for (int i = 0; i < 2; i++) {
		isx_buf_release(&readiness->texts[i]);
		readiness->texts[i] = texts[i];
	}
	readiness->status = status;
	readiness->looked_ns = isx_clock_ns();
	readiness->fresh_until_ns = readiness->looked_ns +
				    (kept_ns < KEPT_NS_MAX ? kept_ns : KEPT_NS_MAX);
	readiness->looks++;
	readiness->is_looking = false;
	pthread_cond_broadcast(&readiness->looked);
}

/* Wait for the running check, at most until LOOK_NS_MAX after its begin. False: it takes longer, as
 * on a disk that hangs; requests that wait on would take the threads of all quick requests. Called
 * with the lock, which is released while it waits. */
static bool wait_for_look(struct isx_readiness *readiness, uint64_t looks)
{
	bool in_time = true;
	while (readiness->looks == looks && in_time)
		in_time = isx_clock_wait(&readiness->looked, &readiness->lock,
					 readiness->begun_ns + LOOK_NS_MAX);
	return readiness->looks != looks;
}

/* Append the answer for a check that takes too long; returns its HTTP status. */
static unsigned tell_late(bool has_key, struct isx_buf *payload)
{
	struct isx_err err;
	enum isx_status st = isx_fail(&err, ISX_UNAVAILABLE,
				      "the indexes have been looked at for more than 2 s");
	add_reason(payload, has_key, st, &err, NULL, 0);
	return 503;
}

/* Exactly one caller checks; others get the cached result, or wait for the check if there is none
 * young enough. payload->failed tells that a text is incomplete for lack of memory. */
unsigned isx_readiness_tell(struct isx_readiness *readiness, bool has_key, struct isx_buf *payload)
{
	pthread_mutex_lock(&readiness->lock);
	uint64_t looks = readiness->looks, now_ns = isx_clock_ns();
	bool is_fresh = looks > 0 && now_ns < readiness->fresh_until_ns;
	bool is_stale = looks > 0 && now_ns - readiness->looked_ns < STALE_NS_MAX;
	if (!is_fresh && !readiness->is_looking)
		look_again(readiness);
	else if (!is_fresh && !is_stale && !wait_for_look(readiness, looks)) {
		pthread_mutex_unlock(&readiness->lock);
		return tell_late(has_key, payload);
	}
	const struct isx_buf *text = &readiness->texts[has_key];
	isx_buf_add(payload, text->ptr, text->len);
	payload->failed = payload->failed || text->failed;
	unsigned status = readiness->status;
	pthread_mutex_unlock(&readiness->lock);
	return status;
}
