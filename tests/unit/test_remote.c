/*
 * test_remote.c - searches on a server that does not answer, and a program that takes an answer slowly.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "base/status.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

/* A socket that the kernel accepts connections for, and that nothing is read from. */
struct silent_server {
	int socket;
	char url[64];
};

static int start_server(void **state)
{
	static struct silent_server server;
	struct sockaddr_in at = { .sin_family = AF_INET,
				  .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof at;
	server.socket = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (server.socket < 0 || bind(server.socket, (struct sockaddr *)&at, sizeof at) ||
	    listen(server.socket, 8) || getsockname(server.socket, (struct sockaddr *)&at, &len))
		return -1;
	snprintf(server.url, sizeof server.url, "http://127.0.0.1:%d", ntohs(at.sin_port));
	*state = &server;
	return 0;
}

static int stop_server(void **state)
{
	return close(((struct silent_server *)*state)->socket);
}

struct caller {
	const struct silent_server *server;
	bool waits_for_request; /* cancel when the server has the request, not at once */
	bool is_silent;         /* return the status and leave the error alone */
	unsigned asked;         /* calls of cancel_check() */
	int connection;
};

/* Has the request arrived at the server? */
static bool has_arrived(struct caller *caller)
{
	char byte;
	if (caller->connection < 0)
		caller->connection = accept4(caller->server->socket, NULL, NULL, SOCK_CLOEXEC);
	if (caller->connection < 0)
		return false;
	ssize_t got = recv(caller->connection, &byte, 1, MSG_PEEK | MSG_DONTWAIT);
	if (got == 0) { /* the connection of an earlier search, which was closed */
		close(caller->connection);
		caller->connection = -1;
	}
	return got == 1;
}

static enum isx_status count_checks(void *cancel_arg, struct isx_err *err)
{
	struct caller *caller = cancel_arg;
	caller->asked++;
	if (caller->waits_for_request && !has_arrived(caller))
		return ISX_OK;
	if (caller->is_silent)
		return ISX_CANCELLED;
	return isx_fail(err, ISX_CANCELLED, "cancelled at call %u", caller->asked);
}

/* A search that is not cancelled ends after 60 s, with another status. */
static void expect_cancelled(struct caller *caller)
{
	struct isx_store *store;
	struct isx_result *result = NULL;
	struct isx_err err = { 0 };
	char message[32];
	const struct isx_query query = { .iscc_code = "ISCC:EAAW4BQTJSTJSHAI",
					 .cancel_check = count_checks,
					 .cancel_arg = caller };
	assert_int_equal(isx_open(caller->server->url, NULL, &store, &err), ISX_OK);
	assert_int_equal(isx_search(store, "default", &query, &result, &err), ISX_CANCELLED);
	snprintf(message, sizeof message, caller->is_silent ? "" : "cancelled at call %u",
		 caller->asked);
	assert_string_equal(err.msg, message);
	assert_int_equal(err.status, ISX_CANCELLED);
	assert_null(result);
	isx_close(store);
}

static void test_remote__a_search_is_cancelled_before_it_is_sent(void **state)
{
	struct caller caller = { .server = *state, .connection = -1 };
	expect_cancelled(&caller);
	assert_int_equal(caller.asked, 1);
}

static void test_remote__a_search_is_cancelled_while_it_waits_for_the_answer(void **state)
{
	struct caller caller = { .server = *state, .waits_for_request = true, .connection = -1 };
	expect_cancelled(&caller);
	assert_true(caller.connection >= 0);
	close(caller.connection);
}

/* The status of cancel_check() counts, and not what it has left in the error. */
static void test_remote__a_search_is_cancelled_without_a_message(void **state)
{
	struct caller caller = { .server = *state, .is_silent = true, .connection = -1 };
	expect_cancelled(&caller);
	assert_int_equal(caller.asked, 1);
}

/* One request for several queries has one cancel check: a query with another one is not cancelled by it. */
static void test_remote__a_query_that_is_cancelled_does_not_cancel_the_others(void **state)
{
	struct caller cancels = { .server = *state, .connection = -1 };
	struct caller waits = { .server = *state, .waits_for_request = true, .connection = -1 };
	struct isx_store *store;
	struct isx_result *results[2];
	struct isx_err errs[2], err = { 0 };
	const struct isx_query queries[] = { { .iscc_code = "ISCC:EAAW4BQTJSTJSHAI",
					       .cancel_check = count_checks,
					       .cancel_arg = &cancels },
					     { .iscc_code = "ISCC:EAAW4BQTJSTJSHAI",
					       .cancel_check = count_checks,
					       .cancel_arg = &waits } };
	assert_int_equal(isx_open(waits.server->url, NULL, &store, &err), ISX_OK);
	assert_int_equal(isx_search_many(store, "default", queries, 2, results, errs, &err),
			 ISX_OK);
	assert_int_equal(errs[0].status, ISX_CANCELLED);
	assert_string_equal(errs[0].msg, "cancelled at call 1");
	assert_int_equal(errs[1].status, ISX_CANCELLED);
	assert_true(waits.asked > 1); /* the server got its request */
	assert_true(waits.connection >= 0);
	close(waits.connection);
	isx_close(store);
}

/* --- a program that pauses ---------------------------------------------------------------------- */

static atomic_int ahead_s; /* of the steady clock: so long the program has paused, as it sees it */

/* Takes the place of the function of libc in this program. */
int clock_gettime(clockid_t clock, struct timespec *now)
{
	int rc = (int)syscall(SYS_clock_gettime, clock, now);
	if (clock == CLOCK_MONOTONIC)
		now->tv_sec += atomic_load(&ahead_s);
	return rc;
}

/* A server that sends a pair, and another one when the first was taken; a thread. */
static void *send_pairs(void *arg)
{
	static const char head[] = "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n";
	static const char pair[] = "{\"iscc_id\":\"ISCC:MAIAAAAAAAAAAAAA\",\"match\":"
				   "\"ISCC:MAIAAAAAAAAAAAAB\",\"score\":0.97,"
				   "\"types\":{\"CONTENT_TEXT_V0\":0.97}}\n";
	const struct silent_server *server = arg;
	struct pollfd listener = { .fd = server->socket, .events = POLLIN };
	char request[4096];
	(void)poll(&listener, 1, 20000);
	int connection = accept4(server->socket, NULL, NULL, SOCK_CLOEXEC);
	if (connection < 0 || recv(connection, request, sizeof request, 0) <= 0)
		return NULL;
	(void)!write(connection, head, sizeof head - 1);
	(void)!write(connection, pair, sizeof pair - 1);
	for (int i = 0; i < 2000 && !atomic_load(&ahead_s); i++)
		usleep(10000);
	usleep(100000);
	(void)!send(connection, pair, sizeof pair - 1, MSG_NOSIGNAL);
	close(connection);
	return NULL;
}

/* Takes a pair, and pauses for more than a minute. */
static enum isx_status take_slowly(const struct isx_pair *pair, void *arg, struct isx_err *err)
{
	(void)pair, (void)err;
	++*(int *)arg;
	atomic_store(&ahead_s, 61);
	return ISX_OK;
}

/* As the command `duplicates` does behind a pager: that is no silence of the server. */
static void test_remote__a_pause_of_the_program_is_no_silence_of_the_server(void **state)
{
	const struct isx_duplicates_query query = { 0 };
	struct silent_server *server = *state;
	struct isx_store *store;
	struct isx_err err = { 0 };
	pthread_t thread;
	int taken = 0;
	assert_int_equal(pthread_create(&thread, NULL, send_pairs, server), 0);
	assert_int_equal(isx_open(server->url, NULL, &store, &err), ISX_OK);
	enum isx_status st = isx_duplicates(store, "default", &query, take_slowly, &taken, &err);
	isx_close(store);
	pthread_join(thread, NULL);
	atomic_store(&ahead_s, 0);
	assert_string_equal(err.msg, "");
	assert_int_equal(st, ISX_OK);
	assert_int_equal(taken, 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_remote__a_pause_of_the_program_is_no_silence_of_the_server),
		cmocka_unit_test(test_remote__a_search_is_cancelled_before_it_is_sent),
		cmocka_unit_test(test_remote__a_search_is_cancelled_while_it_waits_for_the_answer),
		cmocka_unit_test(test_remote__a_search_is_cancelled_without_a_message),
		cmocka_unit_test(test_remote__a_query_that_is_cancelled_does_not_cancel_the_others),
	};
	return cmocka_run_group_tests(tests, start_server, stop_server);
}
