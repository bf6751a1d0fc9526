/*
 * link.c - the list of connections, and the thread that finds clients that are gone or stalled.
 *
 * libmicrohttpd uses edge-triggered epoll: data that arrives between an event and its read belongs
 * to that read and makes no other event. If a part of a request and the end of the connection
 * arrive at once, libmicrohttpd reads the part and never notices the end. Such a connection stays
 * for 30 s: with 256 open files, a client that connected, sent a line and closed, 600 times,
 * delayed others by 58 s. So a thread polls all connections regularly. shutdown() of a connection
 * that has already ended changes nothing, but makes a new event.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "http/link.h"

#include "base/clock.h"
#include "base/mem.h"
#include "base/thread.h"

#include <poll.h>
#include <pthread.h>
#include <string.h>
#include <sys/socket.h>

enum {
	LOOK_NS = 200000000, /* 200 ms between two passes over all connections, unless many begin */
	LINKS_A_LOOK = 256   /* links polled in one hold of the lock: some 50 us */
};

struct isx_links {
	pthread_mutex_t lock;  /* of all members below, and of the links */
	pthread_cond_t wakeup; /* the thread is to stop, or a pass is due */
	bool is_stopping;
	size_t count;
	size_t added; /* links that have begun since the last pass did */
	struct http_watch_rule rule;
	struct http_link ring; /* head of the circular list */
	pthread_t thread;
};

static void join_before(struct http_link *place, struct http_link *link)
{
	link->next = place;
	link->before = place->before;
	place->before->next = link;
	place->before = link;
}

static void leave(struct http_link *link)
{
	link->before->next = link->next;
	link->next->before = link->before;
}

/* Poll the first `count` links of the list and move each to its end. Called with the lock. */
static void look_at(struct isx_links *links, size_t count)
{
	struct pollfd looks[LINKS_A_LOOK];
	uint64_t now_ns = isx_clock_ns();
	for (size_t i = 0; i < count; i++) {
		struct http_link *link = links->ring.next;
		looks[i] = (struct pollfd){ .fd = link->fd, .events = POLLRDHUP };
		isx_watch_look(&links->rule, &link->watched, link->fd, now_ns);
		leave(link);
		join_before(&links->ring, link);
	}
	/* A timeout of 0: the lock is held. */
	if (poll(looks, count, 0) <= 0)
		return;
	for (size_t i = 0; i < count; i++)
		if (looks[i].revents & (POLLRDHUP | POLLHUP | POLLERR))
			(void)shutdown(looks[i].fd, SHUT_RD);
}

/* The thread. A pass begins early when LINKS_A_LOOK connections have begun since the last one: clients
 * that leave in the middle of a request would otherwise be there in the number that 200 ms bring, and
 * malloc keeps the memory of so many. It releases the lock between two groups of links, so that connections can begin and
 * end; links that are removed meanwhile make the pass shorter. */
static void *look_for_ends(void *arg)
{
	struct isx_links *links = arg;
	pthread_mutex_lock(&links->lock);
	while (!links->is_stopping) {
		links->added = 0;
		for (size_t left = links->count; left > 0 && !links->is_stopping;) {
			size_t count = left < links->count ? left : links->count;
			count = count < LINKS_A_LOOK ? count : LINKS_A_LOOK;
			look_at(links, count);
			left = count ? left - count : 0;
			pthread_mutex_unlock(&links->lock);
			pthread_mutex_lock(&links->lock);
		}
		if (!links->is_stopping && links->added < LINKS_A_LOOK)
			(void)isx_clock_wait(&links->wakeup, &links->lock,
					     isx_clock_ns() + LOOK_NS);
	}
	pthread_mutex_unlock(&links->lock);
	return NULL;
}

enum isx_status isx_links_new(const struct http_watch_rule *rule, struct isx_links **links,
			      struct isx_err *err)
{
	struct isx_links *made = isx_mem_array(1, sizeof *made);
	if (!made)
		return isx_fail_memory(err);
	made->rule = *rule;
	made->ring.next = made->ring.before = &made->ring;
	pthread_mutex_init(&made->lock, NULL);
	isx_clock_cond_init(&made->wakeup);
	int rc = isx_thread_start(&made->thread, "http-links", look_for_ends, made);
	if (rc) {
		isx_mem_free(made);
		return isx_fail(err, ISX_NO_MEMORY, "cannot start a thread: %s", strerror(rc));
	}
	*links = made;
	return ISX_OK;
}

/* The caller has stopped all pollers, so no link is left that the thread could poll. */
void isx_links_free(struct isx_links *links)
{
	if (!links)
		return;
	pthread_mutex_lock(&links->lock);
	links->is_stopping = true;
	pthread_cond_signal(&links->wakeup);
	pthread_mutex_unlock(&links->lock);
	pthread_join(links->thread, NULL);
	pthread_cond_destroy(&links->wakeup);
	pthread_mutex_destroy(&links->lock);
	isx_mem_free(links);
}

/* Called by the event-loop thread of the connection, like all functions below. */
struct http_link *isx_link_add(struct isx_links *links, struct http_serving *serving, int fd)
{
	struct http_link *link = isx_mem_array(1, sizeof *link);
	if (!link)
		return NULL;
	link->serving = serving;
	link->fd = fd;
	link->watched.what = HTTP_WATCH_HEAD;
	pthread_mutex_lock(&links->lock);
	join_before(&links->ring, link);
	links->count++;
	if (++links->added == LINKS_A_LOOK)
		pthread_cond_signal(&links->wakeup);
	pthread_mutex_unlock(&links->lock);
	return link;
}

void isx_link_watch(struct isx_links *links, struct http_link *link, enum http_watch_for what,
		    const char *request_id)
{
	pthread_mutex_lock(&links->lock);
	link->watched = (struct http_watched){ .what = what, .request_id = request_id };
	pthread_mutex_unlock(&links->lock);
}

/* Under the lock: the thread may be about to shut the connection down. */
enum http_watch_for isx_link_unwatch(struct isx_links *links, struct http_link *link)
{
	pthread_mutex_lock(&links->lock);
	enum http_watch_for cut = link->watched.is_cut ? link->watched.what : HTTP_WATCH_NOTHING;
	link->watched = (struct http_watched){ 0 };
	pthread_mutex_unlock(&links->lock);
	return cut;
}

/* After this the thread cannot see the link any more, so libmicrohttpd may close the socket, and
 * the system may reuse its number. */
void isx_link_remove(struct isx_links *links, struct http_link *link)
{
	pthread_mutex_lock(&links->lock);
	leave(link);
	links->count--;
	pthread_mutex_unlock(&links->lock);
	isx_mem_free(link);
}
