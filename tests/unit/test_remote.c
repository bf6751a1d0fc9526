/*
 * test_remote.c - searches on a server that does not answer.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "base/status.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_remote__a_search_is_cancelled_before_it_is_sent),
		cmocka_unit_test(test_remote__a_search_is_cancelled_while_it_waits_for_the_answer),
		cmocka_unit_test(test_remote__a_search_is_cancelled_without_a_message),
		cmocka_unit_test(test_remote__a_query_that_is_cancelled_does_not_cancel_the_others),
	};
	return cmocka_run_group_tests(tests, start_server, stop_server);
}
