/*
 * readiness.c - one look at all indexes at a time, whose result is kept for a while.
 *
 * It is kept the longer the more the look has cost, so that looking never takes more than about a
 * tenth of one processor, while a store of a few indexes is looked at for nearly every request.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "http/readiness.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "json/json_text.h"

enum {
	KEPT_COSTS = 10, /* times the processor time of the look that a result is kept */
	KEPT_NS_MAX =
		1000000000, /* and at most this: who asks once a second learns of every change */
	STALE_NS_MAX = 2000000000, /* age of a result that is told while the next look is under way;
				      an older one may be wrong for as long as a disk hangs */
	LOOK_NS_MAX =
		2000000000 /* a look that takes longer is not waited for: the store is not ready */
};

struct isx_readiness {
	struct isx_store *store;
	pthread_mutex_t lock;  /* of all that follows; never held while looking */
	pthread_cond_t looked; /* a look has ended */
	bool is_looking;
	uint64_t begun_ns;       /* when the look that is under way began */
	uint64_t looks;          /* that have ended */
	uint64_t looked_ns;      /* when the last one ended */
	uint64_t fresh_until_ns; /* its result needs no other look until then */
	unsigned status;         /* its result */
	struct isx_buf texts[2]; /* without the key, and with it */
};

enum isx_status isx_readiness_new(struct isx_store *store, struct isx_readiness **readiness,
				  struct isx_err *err)
{
	struct isx_readiness *made = isx_mem_array(1, sizeof *made);
	if (!made)
		return isx_fail_memory(err);
	made->store = store;
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

/* Say that the store is ready, and what is being loaded all the same. */
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

/* Say why the store is not ready. */
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

/* Look at all indexes; returns the status to answer, with both texts. */
static unsigned look(struct isx_store *store, struct isx_buf texts[2])
{
	struct isx_index_problem *problems = NULL;
	size_t count = 0;
	struct isx_err err = { 0 };
	enum isx_status st = isx_ready(store, &problems, &count, &err);
	bool is_ready = !st && count == 0;
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

static uint64_t processor_ns(void)
{
	struct timespec used;
	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &used);
	return (uint64_t)used.tv_sec * 1000000000u + (uint64_t)used.tv_nsec;
}

/* Look, and keep the result. Called and left with the lock, which is free meanwhile. */
static void look_again(struct isx_readiness *readiness)
{
	struct isx_buf texts[2] = { 0 };
	readiness->is_looking = true;
	readiness->begun_ns = isx_clock_ns();
	pthread_mutex_unlock(&readiness->lock);
	uint64_t begin_ns = processor_ns();
	unsigned status = look(readiness->store, texts);
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

/* Wait for the look that is under way. False: it takes too long, as on a disk that hangs; each request
 * that waited on would take a thread from those that ask for assets. Called with the lock. */
static bool wait_for_look(struct isx_readiness *readiness, uint64_t looks)
{
	bool in_time = true;
	while (readiness->looks == looks && in_time)
		in_time = isx_clock_wait(&readiness->looked, &readiness->lock,
					 readiness->begun_ns + LOOK_NS_MAX);
	return readiness->looks != looks;
}

/* Say that the look takes too long. */
static unsigned tell_late(bool has_key, struct isx_buf *payload)
{
	struct isx_err err;
	enum isx_status st = isx_fail(&err, ISX_UNAVAILABLE,
				      "the indexes have been looked at for more than 2 s");
	add_reason(payload, has_key, st, &err, NULL, 0);
	return 503;
}

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
