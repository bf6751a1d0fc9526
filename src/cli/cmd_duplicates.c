/*
 * cmd_duplicates.c - the command `duplicates`: all near-duplicates of an index, as pairs or clusters.
 *
 * Pairs come in the order of their ISCC-IDs, so a file of pairs says how far it came: --resume drops
 * the pairs of the last asset, which may be incomplete, and begins with that asset again. Clusters
 * are only known at the end: with --output their pairs are kept in a file beside it until then. A
 * *mark*, FILE.resume, says how far a run came that finds little, and with which options.
 *
 * Memory: pairs are written as they are found and not kept; only clusters keep something, the
 * assets that have a near-duplicate (service/clusters.h). Threads: the library compares in threads
 * of its own and hands pairs over in the main thread; a further thread waits for signals, and the
 * lock keeps it from ending the process within a line.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "base/clock.h"
#include "base/mem.h"
#include "base/uri.h"
#include "cli/commands.h"
#include "cli/files.h"
#include "cli/interrupt.h"
#include "cli/progress.h"
#include "cli/say.h"
#include "cli/target.h"
#include "service/clusters.h"
#include "json/json.h"
#include "json/json_text.h"
#include "json/wire.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
	LINE_BYTES_MAX = 16384, /* of a pair: 64 types take less than half of it */
	PATIENCE_MS = 2000, /* that an interrupt waits for a line or mark which is being written */
	MARK_NS = 500000000 /* half a second between two marks, each of which is synced */
};

struct duplicates {
	struct target target;
	struct isx_store *other; /* of the reference, if it is in another store */
	struct isx_arena arena;
	struct isx_duplicates_query query;
	const char *path; /* of --output; NULL: standard output */
	bool resumes, is_clustered;
	struct isx_clusters clusters;
	struct progress progress;
	struct isx_buf line;
	char from[24]; /* where to begin */
	char pairs_path[PATH_MAX];
	char mark_path[PATH_MAX];
	char store[ISX_URI_SHOWN_BYTES]; /* of the index; "": a server, which may get another URL */
	char *options;                   /* as text, to compare them with those of a mark */
	bool has_mark;                   /* written by this run */
	uint64_t marked_ns;              /* time of the last mark behind a block of assets */
	bool is_regular;       /* the file of pairs: others, as /dev/null, have no marks */
	bool is_stdout;        /* the file of pairs, as of --output /dev/stdout */
	atomic_bool is_broken; /* lines before a mark could not be written: `broken` says why */
	struct isx_err broken;
	pthread_mutex_t lock; /* guards the members below: an interrupt reads them */
	FILE *pairs;          /* where pairs go; NULL: nowhere */
	uint64_t found;
};

/* --- writing ---------------------------------------------------------------------------------- */

/* Call at once behind the failed call: errno is read. A full disk is ISX_FULL, so that scripts
 * can tell it from other errors. */
static enum isx_status fail_write(const char *path, struct isx_err *err)
{
	return isx_fail(err, errno == ENOSPC ? ISX_FULL : ISX_IO, "%s: %s",
			path ? path : "standard output", strerror(errno));
}

/* Called by all threads that compare. Lines that fflush() could not write are lost: stdio drops them.
 * So the run has to end before it writes any further line, also if the disk has room again. */
static enum isx_status check_written(void *arg, struct isx_err *err)
{
	struct duplicates *run = arg;
	return atomic_load(&run->is_broken) ? isx_err_pass(err, &run->broken) : ISX_OK;
}

/* Write a mark: the pairs of all assets before this ISCC-ID are in the file, and no others. "": it is not
 * known how far the run came, only what it compares. A mark that cannot be written is left out, as
 * the file of pairs is enough to continue; pairs that cannot be written end the run. The lock keeps an
 * interrupt from leaving the new file of files_replace() behind. */
static void put_mark(struct duplicates *run, const char *iscc_id)
{
	struct isx_buf text = { 0 };
	pthread_mutex_lock(&run->lock);
	long long bytes = fflush(run->pairs) == 0 ? (long long)ftello(run->pairs) : -1;
	if (bytes < 0) {
		(void)!fail_write(run->pairs_path, &run->broken);
		atomic_store(&run->is_broken, true);
	}
	run->has_mark = true;
	isx_buf_printf(&text, "{\"from\":\"%s\",\"bytes\":%lld,\"options\":", iscc_id, bytes);
	isx_json_quote(&text, isx_span_of(run->options));
	isx_buf_text(&text, ",\"index\":");
	isx_json_quote(&text, isx_span_of(run->target.name));
	isx_buf_text(&text, ",\"store\":");
	isx_json_quote(&text, isx_span_of(run->store));
	isx_buf_text(&text, "}\n");
	if (bytes >= 0 && !isx_buf_status(&text, NULL))
		(void)!files_replace(run->mark_path, (struct isx_span){ text.ptr, text.len }, NULL);
	pthread_mutex_unlock(&run->lock);
	isx_buf_release(&text);
}

/* An isx_pair_fn. Lines are written whole, also when a signal comes meanwhile. Before the first one a
 * mark says what is compared: other options could not continue this file. */
static enum isx_status take_pair(const struct isx_pair *pair, void *arg, struct isx_err *err)
{
	struct duplicates *run = arg;
	if (run->is_regular && !run->has_mark)
		put_mark(run, run->from);
	enum isx_status st = check_written(run, err);
	if (!st && run->is_clustered)
		st = isx_clusters_add(&run->clusters, pair, err);
	isx_buf_clear(&run->line);
	isx_pair_to_json(&run->line, pair);
	isx_buf_char(&run->line, '\n');
	if (!st)
		st = isx_buf_status(&run->line, err);
	if (st)
		return st;
	pthread_mutex_lock(&run->lock);
	run->found++;
	if (run->pairs && fwrite(run->line.ptr, 1, run->line.len, run->pairs) != run->line.len)
		st = fail_write(run->path ? run->pairs_path : NULL, err);
	pthread_mutex_unlock(&run->lock);
	return st;
}

/* The library calls this and take_pair() in the main thread, which alone changes `found`: to
 * read it here needs no lock. */
static void draw(uint64_t done, uint64_t total, void *arg)
{
	struct duplicates *run = arg;
	progress_compared(&run->progress, done, total, run->found);
}

/* Write a mark now and then. */
static void write_mark(const char *iscc_id, void *arg)
{
	struct duplicates *run = arg;
	uint64_t now_ns = isx_clock_ns();
	if (!run->is_regular || now_ns - run->marked_ns < MARK_NS)
		return;
	run->marked_ns = now_ns;
	put_mark(run, iscc_id);
}

/* A signal has come: write the whole lines that are waiting, and say how to go on. Runs in the
 * signal thread; the process ends afterwards (interrupt.h), so the lock is never released. The main thread has
 * the lock for long only if the reader of a pipe takes no more lines: then there is no way to
 * write the others, and the process ends without them. */
static void say_interrupted(void *arg)
{
	struct duplicates *run = arg;
	if (isx_clock_lock(&run->lock, isx_clock_after_ms(PATIENCE_MS)) && run->pairs)
		(void)fflush(run->pairs);
	progress_clear();
	if (run->path)
		say_line(stderr,
			 "Interrupted: %llu pairs are found. To go on, run the same command with "
			 "--resume",
			 (unsigned long long)run->found);
	else
		say_line(
			stderr,
			"Interrupted: %llu pairs are found. With --output FILE, --resume can go on",
			(unsigned long long)run->found);
}

/* Where clusters go. */
struct sink {
	FILE *file;
	const char *path; /* NULL: standard output */
};

/* An isx_clusters_fn. */
static enum isx_status write_text(const char *bytes, size_t len, void *arg, struct isx_err *err)
{
	const struct sink *sink = arg;
	return fwrite(bytes, 1, len, sink->file) == len ? ISX_OK : fail_write(sink->path, err);
}

/* --- continuing ------------------------------------------------------------------------------- */

/* Does the mark have this text, or none, in the member `name`? ISX_INVALID: it has another one. */
static enum isx_status check_mark(const struct duplicates *run, struct isx_span mark,
				  const char *name, const char *wanted, struct isx_err *err)
{
	struct isx_arena arena = { 0 };
	struct isx_span text = { 0 };
	enum isx_status st = ISX_OK;
	if (!isx_json_string(isx_json_member(mark, name), &arena, &text))
		st = isx_fail_memory(err);
	else if (text.ptr && !isx_span_is(text, wanted))
		st = isx_fail(err, ISX_INVALID,
			      "%s was begun with other %s: %.*s. Use the same, or begin anew "
			      "without --resume",
			      run->path, name, text.len ? (int)text.len : 4,
			      text.len ? text.ptr : "none");
	isx_arena_release(&arena);
	return st;
}

/* Has the interrupted run compared the same index, in the same way? The name of its store counts where
 * both runs know it. */
static enum isx_status check_same(const struct duplicates *run, struct isx_span mark,
				  struct isx_err *err)
{
	enum isx_status st = check_mark(run, mark, "options", run->options, err);
	if (!st)
		st = check_mark(run, mark, "index", run->target.name, err);
	if (!st && run->store[0] && !isx_span_is(isx_json_member(mark, "store"), "\"\""))
		st = check_mark(run, mark, "store", run->store, err);
	return st;
}

/* Is there a mark at the end of the pairs, behind which nothing was found? Then *from is where it
 * says to begin. ISX_INVALID: the file was begun with other options, or with another index. The mark
 * has the length of the file of pairs. If pairs were written behind it, the mark is older than they
 * are, and the last pair says better where to begin. */
static enum isx_status read_mark(struct duplicates *run, off_t at, char from[24],
				 struct isx_err *err)
{
	struct isx_buf text = { 0 };
	struct isx_arena arena = { 0 };
	struct isx_span id = { 0 };
	size_t offset;
	from[0] = '\0';
	enum isx_status st = files_read(run->mark_path, FILES_REGULAR, &text, NULL);
	struct isx_span mark = { text.ptr, text.len };
	if (!st && !isx_json_check(mark, &offset, NULL) &&
	    isx_json_string(isx_json_member(mark, "from"), &arena, &id) && id.ptr) {
		st = check_same(run, mark, err);
		if (isx_json_int(isx_json_member(mark, "bytes")) == (int64_t)at && id.len < 24)
			snprintf(from, 24, "%.*s", (int)id.len, id.ptr);
	} else {
		st = ISX_OK; /* no mark: the file of pairs decides */
	}
	isx_buf_release(&text);
	isx_arena_release(&arena);
	return st;
}

/* Read the pairs that are in the file: the last line may be cut off.
 *   end  filled: where the pairs of the last asset begin, which is to be compared again
 * Pairs of the last asset are dropped and found again: the run may have ended between two of them.
 * A line without its end was cut off with the process, and is dropped with them. */
static enum isx_status read_pairs(struct duplicates *run, off_t *end, struct isx_err *err)
{
	static char line[LINE_BYTES_MAX];
	struct isx_arena arena = { 0 };
	enum isx_status st = ISX_OK;
	off_t at = 0;
	uint64_t before = 0;
	char mark[24];
	*end = 0;
	while (!st && fgets(line, sizeof line, run->pairs)) {
		struct isx_pair pair;
		size_t len = strlen(line);
		if (len == 0 || line[len - 1] != '\n') {
			if (len + 1 == sizeof line || !feof(run->pairs))
				st = isx_fail(err, ISX_SCHEMA, "expected a pair on each line");
			break;
		}
		st = isx_pair_from_json((struct isx_span){ line, len - 1 }, &arena, &pair, err);
		if (!st && run->is_clustered)
			st = isx_clusters_add(&run->clusters, &pair, err);
		if (!st && strcmp(pair.iscc_id, run->from) != 0) {
			memcpy(run->from, pair.iscc_id, sizeof run->from);
			*end = at;
			before = run->found;
		}
		at += (off_t)len;
		run->found++;
		isx_arena_release(&arena);
	}
	isx_arena_release(&arena);
	if (!st)
		st = read_mark(run, at, mark, err);
	if (!st && mark[0]) {
		memcpy(run->from, mark, sizeof mark);
		*end = at;
		before = run->found;
	}
	run->found = before;
	if (!st && ferror(run->pairs))
		st = fail_write(run->pairs_path, err);
	return st == ISX_SCHEMA ? isx_err_at(err, st, "%s is not the output of this command",
					     run->pairs_path)
				: st;
}

/* Compose the paths of the files beside --output. */
static enum isx_status name_files(struct duplicates *run, struct isx_err *err)
{
	int len = snprintf(run->pairs_path, sizeof run->pairs_path, "%s%s", run->path,
			   run->is_clustered ? ".pairs" : "");
	if (len < (int)sizeof run->pairs_path)
		len = snprintf(run->mark_path, sizeof run->mark_path, "%s.resume", run->path);
	return len < (int)sizeof run->pairs_path
		       ? ISX_OK
		       : isx_fail(err, ISX_INVALID, "--output: the path is too long");
}

/* Open the file of pairs to read and write it, or only to write it: a FIFO then waits for its reader.
 * A regular file is locked before it is changed, as two runs would mix their lines in it. The system
 * gives the lock up with the process. A file system that has no locks lets both runs in. */
static enum isx_status open_file(struct duplicates *run, bool reads, struct isx_err *err)
{
	struct stat file, out;
	int fd = open(run->pairs_path, (reads ? O_RDWR : O_WRONLY) | O_CREAT | O_CLOEXEC, 0666);
	run->pairs = fd < 0 ? NULL : fdopen(fd, reads ? "r+" : "w");
	if (!run->pairs || fstat(fd, &file) != 0)
		return fail_write(run->pairs_path, err);
	run->is_regular = S_ISREG(file.st_mode);
	run->is_stdout = fstat(STDOUT_FILENO, &out) == 0 && out.st_dev == file.st_dev &&
			 out.st_ino == file.st_ino;
	if (run->is_regular && flock(fd, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK)
		return isx_fail(err, ISX_UNAVAILABLE,
				"%s: another process writes it: wait until that ends, or choose "
				"another file",
				run->pairs_path);
	return ISX_OK;
}

/* Open the file of pairs, to continue it with --resume. --resume without a file begins anew, so
 * that a script can always give it; so does what is no regular file, as /dev/null or a FIFO, of which
 * nothing can be read. The file is cut off at the place where it goes on. */
static enum isx_status open_pairs(struct duplicates *run, struct isx_err *err)
{
	off_t end = 0;
	struct stat file;
	enum isx_status st = name_files(run, err);
	if (st)
		return st;
	bool reads = run->resumes && stat(run->pairs_path, &file) == 0 && S_ISREG(file.st_mode);
	st = open_file(run, reads, err);
	if (!st && reads)
		st = read_pairs(run, &end, err);
	if (st || !run->is_regular)
		return st;
	if (fseeko(run->pairs, end, SEEK_SET) != 0 || ftruncate(fileno(run->pairs), end) != 0)
		return fail_write(run->pairs_path, err);
	if (!reads)
		unlink(run->mark_path); /* of an earlier run */
	if (run->from[0])
		run->query.from = run->from;
	return ISX_OK;
}

/* --- the command ------------------------------------------------------------------------------ */

/* Errors of a network file system may appear only here; so a file is not complete before it is
 * closed. */
static enum isx_status close_file(FILE *file, const char *path, struct isx_err *err)
{
	return fclose(file) == 0 ? ISX_OK : fail_write(path, err);
}

/* Write the clusters, and remove the file of their pairs. The file of pairs is removed only when
 * the clusters are on their way to the disk without an error: until then it is all that --resume
 * has. */
static enum isx_status write_clusters(struct duplicates *run, size_t *count, struct isx_err *err)
{
	struct sink out = { run->path ? fopen(run->path, "w") : stdout, run->path };
	if (!out.file)
		return fail_write(run->path, err);
	enum isx_status st = isx_clusters_write(&run->clusters, write_text, &out, count, err);
	if (run->path) {
		enum isx_status closed = close_file(out.file, run->path, st ? NULL : err);
		st = st ? st : closed;
	}
	if (!st && run->path)
		unlink(run->pairs_path);
	return st;
}

/* Note what decides which pairs there are, to compare it with a mark. Options of the output are left
 * out: they change no pair. Index and store are those that were opened, as another index may be
 * active by now. */
static enum isx_status describe(const struct cli_args *args, struct duplicates *run,
				struct isx_err *err)
{
	static const char *const names[] = { "--against", "--type", "--min-score" };
	struct isx_buf text = { 0 };
	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
		if (!cli_option_value(args, names[i]))
			continue;
		isx_buf_printf(&text, "%s%s ", text.len ? " " : "", names[i]);
		(void)cli_option_list(args, names[i], &text);
	}
	if (strncmp(run->target.uri, "http", 4) != 0)
		isx_uri_show(run->target.uri, run->store);
	run->options = isx_buf_take(&text);
	return run->options ? ISX_OK : isx_fail_memory(err);
}

/* Compare, and write what is found. `pairs` is NULL before the file is closed, so that a signal
 * that comes then does not touch a closed file. */
static enum isx_status compare(struct duplicates *run, size_t *clusters, struct isx_err *err)
{
	enum isx_status st = ISX_OK;
	if (run->path)
		st = open_pairs(run, err);
	else if (!run->is_clustered)
		run->pairs = stdout;
	progress_start(&run->progress, 0);
	/* A bar among the lines of a terminal would be illegible. */
	if (run->pairs == stdout && isatty(STDOUT_FILENO) == 1)
		run->progress.shown = false;
	if (!st)
		st = isx_duplicates(run->target.store, run->target.name, &run->query, take_pair,
				    run, err);
	st = st ? st : check_written(run, err);
	progress_end(&run->progress);
	pthread_mutex_lock(&run->lock);
	FILE *pairs = run->pairs;
	run->pairs = NULL;
	pthread_mutex_unlock(&run->lock);
	if (pairs && pairs != stdout) {
		enum isx_status closed = close_file(pairs, run->pairs_path, st ? NULL : err);
		st = st ? st : closed;
	}
	if (!st && run->is_clustered)
		st = write_clusters(run, clusters, err);
	if (!st && run->is_regular)
		unlink(run->mark_path);
	return st;
}

/* Signals are watched before the store is opened: opening may wait. */
static int run_query(const struct cli_args *args, struct duplicates *run)
{
	struct interrupt interrupt;
	struct isx_err err = { 0 };
	size_t clusters = 0;
	enum isx_status st = ISX_OK;
	interrupt_watch(&interrupt, say_interrupted, run);
	bool is_open = target_open_existing(args, cli_option_value(args, "--index"), false,
					    &run->target) &&
		       (!run->query.against ||
			target_open_other(&run->target, run->query.against, &run->other));
	run->query.against_store = run->other;
	if (is_open)
		st = describe(args, run, &err);
	if (is_open && !st)
		st = compare(run, &clusters, &err);
	interrupt_end(&interrupt);
	/* Not among the pairs. */
	FILE *to = run->is_stdout ? stderr : stdout;
	if (st == ISX_OK && is_open && run->path && run->is_clustered)
		say_line(to, "Found %llu pairs in %zu clusters, which are in %s",
			 (unsigned long long)run->found, clusters, run->path);
	else if (st == ISX_OK && is_open && run->path)
		say_line(to, "Found %llu pairs, which are in %s", (unsigned long long)run->found,
			 run->path);
	int code = !is_open ? CLI_ERROR : st ? target_fail(st, &err) : CLI_OK;
	isx_close(run->other);
	target_close(&run->target);
	return code;
}

/* Read the options. */
static enum isx_status read_query(const struct cli_args *args, struct duplicates *run,
				  struct isx_err *err)
{
	struct isx_query conditions = { 0 };
	struct isx_problems problems = { 0 };
	struct isx_buf types = { 0 };
	struct isx_query_texts texts = { 0 };
	const char *min_score = cli_option_value(args, "--min-score");
	if (min_score)
		texts.min_score = isx_span_of(min_score);
	if (cli_option_list(args, "--type", &types))
		texts.types = (struct isx_span){ types.ptr, types.len };
	enum isx_status st = isx_buf_status(&types, err);
	if (!st)
		st = isx_conditions_from_texts(&texts, NULL, &run->arena, &conditions, &problems,
					       err);
	isx_problems_release(&problems);
	isx_buf_release(&types);
	run->query = (struct isx_duplicates_query){ .against = cli_option_value(args, "--against"),
						    .types = conditions.types,
						    .type_count = conditions.type_count,
						    .has_min_score = conditions.has_min_score,
						    .min_score = conditions.min_score,
						    .progress = draw,
						    .reached = write_mark,
						    .progress_arg = run,
						    .cancel_check = check_written,
						    .cancel_arg = run };
	return st;
}

static int run_duplicates(const struct cli_args *args)
{
	static struct duplicates run; /* an interrupt uses it until the process has ended */
	struct isx_err err = { 0 };
	run.path = cli_option_value(args, "--output");
	run.resumes = cli_option_value(args, "--resume") != NULL;
	run.is_clustered = cli_option_value(args, "--clusters") != NULL;
	if (run.resumes && !run.path) {
		say_line(stderr, "Error: --resume: expected --output FILE, the file to continue");
		return CLI_USAGE;
	}
	if (read_query(args, &run, &err)) {
		say_line(stderr, "Error: %s", err.msg);
		return CLI_USAGE;
	}
	pthread_mutex_init(&run.lock, NULL);
	int code = run_query(args, &run);
	isx_clusters_release(&run.clusters);
	isx_buf_release(&run.line);
	isx_mem_free(run.options);
	isx_arena_release(&run.arena);
	return code;
}

static const struct cli_option options[] = {
	{ "--against", 'a', "INDEX",
	  "Compare with the assets of this index (default: with each other)" },
	{ "--type", 't', "TYPE", "Compare units of this type only; may be given several times" },
	{ "--min-score", 'm', "S", "Lowest score of a unit that counts, 0 to 1 (default: 0.9)" },
	{ "--clusters", 'c', NULL, "Print groups of assets, each with the one to keep" },
	{ "--output", 'o', "FILE", "Write to FILE instead of standard output" },
	{ "--resume", 'r', NULL, "Continue FILE after an interruption" },
	TARGET_OPTIONS,
};

const struct cli_command command_duplicates = {
	.name = "duplicates",
	.summary = "Find all near-duplicates in an index, or between two",
	.text = "Compares every asset with every other one, exactly, on all cores. Two assets are "
		"a pair "
		"if a\n"
		"search for one of them finds the other with that lowest score. Each pair is one "
		"line of JSON,\n"
		"sorted by ISCC-ID, the older asset first:\n"
		"  {\"iscc_id\": ..., \"match\": ..., \"score\": ..., \"types\": {...}}\n"
		"With --against, iscc_id is of the index and match of INDEX: which of my assets "
		"are in "
		"there\n"
		"already? With --clusters, assets that pairs connect are one line, with the oldest "
		"to "
		"keep:\n"
		"  {\"keep\": ..., \"duplicates\": [{\"iscc_id\": ..., \"match\": ..., ...}, "
		"...]}\n\n"
		"All pairs are of the moment at which the command begins; other processes may go "
		"on "
		"writing,\n"
		"and the file of the index grows by what they write until the command ends. Ctrl-C "
		"keeps "
		"what\n"
		"is found; --resume with the same options continues, also after a crash.\n\n"
		"Examples:\n"
		"  iscc-search duplicates > pairs.jsonl\n"
		"  iscc-search duplicates --clusters --min-score 0.95 --output clusters.jsonl\n"
		"  iscc-search duplicates --index training --against benchmark --type "
		"CONTENT_TEXT_V0\n\n"
		"Exit status: 0 done, with or without pairs, 1 error, 2 wrong option, 130 "
		"interrupted, 143 "
		"ended\nby SIGTERM.\n",
	.options = options,
	.option_count = sizeof options / sizeof options[0],
	.run = run_duplicates,
};
