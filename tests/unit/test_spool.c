/*
 * test_spool.c - lines that wait in memory and in a file come back as they were sent.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "base/limits.h"
#include "http/spool.h"
#include "support.h"

#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

/* Expect the next line. */
static void expect_line(struct isx_spool *spool, const char *text, size_t len)
{
	struct isx_span line;
	struct isx_err err;
	if (isx_spool_line(spool, &line, &err))
		fail_msg("%s", err.msg);
	assert_int_equal(line.len, len);
	if (len)
		assert_memory_equal(line.ptr, text, len);
}

static void put(struct isx_spool *spool, const char *bytes, size_t len)
{
	struct isx_err err;
	enum isx_status st = isx_spool_add(spool, bytes, len, &err);
	if (!st && isx_spool_is_due(spool))
		st = isx_spool_flush(spool, &err);
	if (st)
		fail_msg("%s", err.msg);
}

/* Replace a body by what a packer makes of it, in two members. */
static void pack(struct isx_buf *body, enum isx_packing packing)
{
	struct isx_buf packed = { 0 };
	struct isx_err err;
	const size_t middle = body->len / 3;
	const struct isx_span parts[] = { { body->ptr, middle },
					  { body->ptr + middle, body->len - middle } };
	for (size_t i = 0; i < 2; i++) {
		struct isx_packer *packer;
		if (isx_packer_new(packing, &packer, &err) ||
		    isx_packer_add(packer, parts[i], true, &packed, &err))
			fail_msg("%s", err.msg);
		isx_packer_free(packer);
	}
	isx_buf_release(body);
	*body = packed;
}

/* Random lines, some blank, some long, some at the borders of what is read at once, in random pieces; as they
 * are, and packed. */
static void test_spool__gives_back_every_line(void **state)
{
	uint64_t seed = test_seed();
	(void)state;
	for (int round = 0; round < 60; round++) {
		struct isx_spool spool;
		struct isx_buf sent = { 0 }, lines = { 0 };
		size_t count = test_random(&seed) % 300, lens[300], at = 0;
		bool ends = test_random(&seed) % 2;
		for (size_t i = 0; i < count; i++) {
			static const size_t base[] = { 0, 1, 100, 3000, 65535, 65536, 65537 };
			lens[i] = base[test_random(&seed) % (round % 3 ? 4 : 7)];
			for (size_t k = 0; k < lens[i]; k++)
				isx_buf_char(&lines, (char)('a' + (i + k) % 26));
			isx_buf_text(&sent, test_random(&seed) % 4 ? "" : " \t");
			isx_buf_add(&sent, lines.ptr + lines.len - lens[i], lens[i]);
			if (i + 1 < count || ends)
				isx_buf_text(&sent, test_random(&seed) % 4 ? "\n" : "\r\n");
		}
		isx_spool_begin(&spool, "/tmp", NULL);
		spool.packing = (enum isx_packing)(round / 3 % 3);
		if (spool.packing)
			pack(&sent, spool.packing);
		while (at < sent.len) {
			size_t len = 1 + test_random(&seed) % 70000;
			len = len < sent.len - at ? len : sent.len - at;
			put(&spool, sent.ptr + at, len);
			at += len;
		}
		at = 0;
		for (size_t i = 0; i < count; i++) {
			if (lens[i])
				expect_line(&spool, lines.ptr + at, lens[i]);
			at += lens[i];
		}
		for (int i = 0; i < 3; i++)
			expect_line(&spool, "", 0);
		isx_spool_close(&spool);
		isx_buf_release(&sent);
		isx_buf_release(&lines);
	}
}

static void test_spool__passes_over_a_line_that_is_too_long(void **state)
{
	static const size_t lens[] = { ISX_LINE_BYTES_MAX, ISX_LINE_BYTES_MAX + 1,
				       3 * (size_t)ISX_LINE_BYTES_MAX };
	(void)state;
	for (size_t i = 0; i < 3; i++) {
		struct isx_spool spool;
		struct isx_buf bytes = { 0 };
		struct isx_span line;
		struct isx_err err;
		for (size_t k = 0; k < lens[i]; k++)
			isx_buf_char(&bytes, 'x');
		isx_spool_begin(&spool, "/tmp", NULL);
		put(&spool, "first\n", 6);
		for (size_t at = 0; at < lens[i]; at += 60000)
			put(&spool, bytes.ptr + at, lens[i] - at < 60000 ? lens[i] - at : 60000);
		put(&spool, "\nlast", 5);
		expect_line(&spool, "first", 5);
		if (i == 0) {
			expect_line(&spool, bytes.ptr, bytes.len);
		} else {
			assert_int_equal(isx_spool_line(&spool, &line, &err), ISX_TOO_LARGE);
			assert_true(spool.bytes.cap < 2 * (size_t)ISX_LINE_BYTES_MAX + 200000);
		}
		expect_line(&spool, "last", 4);
		expect_line(&spool, "", 0);
		isx_spool_close(&spool);
		isx_buf_release(&bytes);
	}
}

/* Go on so often as a number says. */
static enum isx_status cancel_at_0(void *left, struct isx_err *err)
{
	return --*(int *)left < 0 ? isx_fail(err, ISX_CANCELLED, "the client has gone") : ISX_OK;
}

/* A body of 64 MiB without a line: blank lines, and one line that is too long. Packed by 1,000, a body of
 * a usual size takes minutes, for a client that may have gone long ago. */
static void test_spool__asks_whether_to_go_on_where_no_line_comes(void **state)
{
	enum { BYTES = 64 << 20 };
	(void)state;
	for (int i = 0; i < 6; i++) {
		struct isx_spool spool;
		struct isx_buf body = { 0 };
		struct isx_span line;
		struct isx_err err;
		int left = i % 3 ? 5 : INT_MAX;
		isx_buf_text(&body, "{}\n");
		char *room = isx_buf_reserve(&body, BYTES);
		assert_non_null(room);
		memset(room, i < 3 ? '\n' : 'x', BYTES);
		isx_buf_commit(&body, BYTES);
		isx_buf_text(&body, "\n[]");
		if (i % 3 != 2)
			pack(&body, ISX_PACKING_GZIP);
		isx_spool_begin(&spool, "/tmp", NULL);
		spool.packing = i % 3 != 2 ? ISX_PACKING_GZIP : ISX_PACKING_NONE;
		spool.cancel_check = cancel_at_0;
		spool.cancel_arg = &left;
		for (size_t at = 0; at < body.len; at += 1 << 20)
			put(&spool, body.ptr + at,
			    body.len - at < 1 << 20 ? body.len - at : 1 << 20);
		expect_line(&spool, "{}", 2);
		assert_true(left == (i % 3 ? 5 : INT_MAX)); /* not for a line */
		enum isx_status st = isx_spool_line(&spool, &line, &err);
		if (i % 3) {
			assert_int_equal(st, ISX_CANCELLED);
		} else {
			assert_int_equal(st, i < 3 ? ISX_OK : ISX_TOO_LARGE);
			if (i >= 3)
				expect_line(&spool, "[]", 2);
			else
				assert_memory_equal(line.ptr, "[]", 2);
			expect_line(&spool, "", 0);
		}
		isx_spool_close(&spool);
		isx_buf_release(&body);
	}
}

/* Lines that name their number, of up to 8 KiB, in a file or in memory, as they are and packed: read again from
 * random marks, some thousand lines behind one, too. */
static void test_spool__reads_again_from_a_mark(void **state)
{
	enum { LINES = 1500, SURE_BYTES = 2 << 20, SPARE_BYTES = 64 * 1024 };
	uint64_t seed = test_seed() + 1;
	(void)state;
	for (int round = 0; round < 12; round++) {
		struct isx_spool spool;
		struct isx_buf body = { 0 };
		struct isx_span line;
		struct isx_err err;
		size_t count = round % 4 ? LINES : 20, marked = 0, bytes = 0, lost = 0, again = 0;
		isx_buf_text(&body, "\xEF\xBB\xBF");
		for (size_t i = 0; i < count; i++)
			isx_buf_printf(&body, "%s%zu%*s%zu\n", i % 7 ? "" : "\r\n", i,
				       (int)(test_random(&seed) % 8000), "", i);
		isx_spool_begin(&spool, "/tmp", NULL);
		spool.packing = (enum isx_packing)(round % 3);
		if (spool.packing)
			pack(&body, spool.packing);
		for (size_t at = 0; at < body.len; at += 50000)
			put(&spool, body.ptr + at, body.len - at < 50000 ? body.len - at : 50000);
		isx_spool_mark(&spool);
		for (size_t i = 0; i < count; i++) {
			char begin[24];
			if (isx_spool_line(&spool, &line, &err))
				fail_msg("%s", err.msg);
			size_t len = (size_t)snprintf(begin, sizeof begin, "%zu ", i);
			assert_true(line.len > len);
			assert_memory_equal(line.ptr, begin, len - 1);
			bytes += line.len;
			if (test_random(&seed) % 100 == 0 && again < 30) {
				if (isx_spool_rewind(&spool)) {
					i = marked - 1; /* counted up */
					again++;
				} else {
					assert_true(bytes > SURE_BYTES - SPARE_BYTES);
					lost++;
				}
				bytes = 0;
			} else if (test_random(&seed) % (round % 2 ? 40 : 600) == 0) {
				isx_spool_mark(&spool);
				marked = i + 1;
				bytes = 0;
			}
		}
		assert_true(count < LINES || again > 0);
		assert_true(spool.bytes.cap < 2 * (SURE_BYTES + 2 * SPARE_BYTES));
		expect_line(&spool, "", 0);
		isx_spool_close(&spool);
		isx_buf_release(&body);
	}
}

/* What is kept for a mark has an end: blanks and a line that is too long are not kept. */
static void test_spool__does_not_keep_everything_behind_a_mark(void **state)
{
	enum { BYTES = 32 << 20 };
	(void)state;
	for (int i = 0; i < 2; i++) {
		struct isx_spool spool;
		struct isx_buf body = { 0 };
		struct isx_span line;
		struct isx_err err;
		char *room = isx_buf_reserve(&body, BYTES);
		assert_non_null(room);
		memset(room, i ? 'x' : '\n', BYTES);
		isx_buf_commit(&body, BYTES);
		isx_spool_begin(&spool, "/tmp", NULL);
		put(&spool, "{}\n", 3);
		for (size_t at = 0; at < body.len; at += 1 << 18)
			put(&spool, body.ptr + at, 1 << 18);
		put(&spool, "\n[]", 3);
		isx_spool_mark(&spool);
		expect_line(&spool, "{}", 2);
		assert_true(isx_spool_rewind(&spool));
		expect_line(&spool, "{}", 2);
		if (i)
			assert_int_equal(isx_spool_line(&spool, &line, &err), ISX_TOO_LARGE);
		expect_line(&spool, "[]", 2);
		assert_false(isx_spool_rewind(&spool));
		assert_true(spool.bytes.cap <= 4 * (size_t)ISX_LINE_BYTES_MAX);
		isx_spool_mark(&spool);
		assert_true(isx_spool_rewind(&spool));
		expect_line(&spool, "", 0);
		isx_spool_close(&spool);
		isx_buf_release(&body);
	}
}

static void test_spool__names_a_directory_that_takes_no_file(void **state)
{
	struct isx_spool spool;
	struct isx_err err;
	(void)state;
	isx_spool_begin(&spool, "/nowhere", NULL);
	put(&spool, "x", 1);
	assert_int_equal(isx_spool_flush(&spool, &err), ISX_IO);
	assert_non_null(strstr(err.msg, "/nowhere"));
	isx_spool_close(&spool);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_spool__gives_back_every_line),
		cmocka_unit_test(test_spool__passes_over_a_line_that_is_too_long),
		cmocka_unit_test(test_spool__asks_whether_to_go_on_where_no_line_comes),
		cmocka_unit_test(test_spool__reads_again_from_a_mark),
		cmocka_unit_test(test_spool__does_not_keep_everything_behind_a_mark),
		cmocka_unit_test(test_spool__names_a_directory_that_takes_no_file),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
