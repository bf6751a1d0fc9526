/*
 * resume.c - writes, finds and removes the mark of an add.
 *
 * A mark has MARK_BYTES, so that each one replaces the one before in a single pwrite(), which a
 * signal does not divide. The mark is not synced: after a power cut an older one may be read, and
 * what it does not know is added again, as an update. A mark never knows more than the index: it
 * is written behind the commit, and resume_find() looks for the asset that it names.
 *
 * Threads: resume_stored() is called by the writing thread of the loader, everything else before it
 * has started or after it has ended.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "cli/resume.h"

#include "base/hash.h"
#include "cli/say.h"
#include "json/json.h"
#include "json/json_text.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { MARK_BYTES = 256 };

/* JSON numbers of a mark are read as int64_t, so one bit is left out. */
static int64_t hash_of(struct isx_span text)
{
	return (int64_t)(isx_hash(text.ptr, text.len) >> 1);
}

/* Texts may have any characters but NUL, which separates them here. */
static void add_text(struct isx_buf *buf, const char *text)
{
	isx_buf_add(buf, text ? text : "", (text ? strlen(text) : 0) + 1);
}

/* Relative patterns mean other files in another folder. What decides how many assets are stored at
 * once may change. */
void resume_begin(struct resume *resume, const struct target *target, const struct cli_args *args)
{
	static const char *const options[] = { "--simprint-bits", "--generator", "--columns" };
	char folder[PATH_MAX];
	struct isx_buf key = { 0 };
	add_text(&key, target->uri);
	add_text(&key, target->name);
	add_text(&key, args->command->name);
	add_text(&key, getcwd(folder, sizeof folder));
	for (size_t i = 0; i < sizeof options / sizeof options[0]; i++) {
		(void)cli_option_list(args, options[i], &key);
		add_text(&key, "");
	}
	for (size_t i = 0; i < args->word_count; i++)
		add_text(&key, args->words[i]);
	*resume = (struct resume){ .input = hash_of((struct isx_span){ key.ptr, key.len }) };
	int len = snprintf(resume->path, sizeof resume->path, "%s/add-%016llx.resume",
			   settings_data_folder(), (unsigned long long)resume->input);
	if (key.failed || len >= (int)sizeof resume->path)
		resume->path[0] = '\0';
	isx_buf_release(&key);
}

int64_t resume_add_file(int64_t files_hash, const char *path)
{
	char text[PATH_MAX + 128];
	struct stat info = { 0 };
	if (strcmp(path, "-") != 0 && !files_is_descriptor(path) && stat(path, &info) == 0 &&
	    !S_ISREG(info.st_mode))
		info = (struct stat){ 0 };
	int len = snprintf(text, sizeof text, "%llx %lld %lld.%09ld %s",
			   (unsigned long long)files_hash, (long long)info.st_size,
			   (long long)info.st_mtim.tv_sec, info.st_mtim.tv_nsec, path);
	return hash_of((struct isx_span){ text, len < (int)sizeof text ? (size_t)len : 0 });
}

int64_t resume_line_hash(struct isx_span line)
{
	return hash_of(line);
}

/* --- the mark --------------------------------------------------------------------------------- */

/* Fill `mark`. It ends with a hash of what is before, as a damaged mark that is believed would leave out
 * assets without a word. */
static void print_mark(const struct resume *resume, const struct loader_point *point,
		       const char *iscc_id, char mark[MARK_BYTES])
{
	int len = snprintf(mark, MARK_BYTES,
			   "{\"input\":%lld,\"file\":%llu,\"files\":%lld,\"line\":%u,\"text\":%lld,"
			   "\"last\":\"%s\"",
			   (long long)resume->input, (unsigned long long)point->file,
			   (long long)point->files_hash, point->line, (long long)point->line_hash,
			   iscc_id);
	struct isx_span text = { mark, (size_t)len };
	len += snprintf(mark + len, MARK_BYTES - (size_t)len, ",\"hash\":%lld}",
			(long long)hash_of(text));
	memset(mark + len, ' ', MARK_BYTES - (size_t)len);
	mark[MARK_BYTES - 1] = '\n';
}

/* A run that is short needs no mark, so the file is made with the first one. */
void resume_stored(void *arg, const struct loader_point *point, const char *iscc_id)
{
	struct resume *resume = arg;
	struct isx_err err = { 0 };
	char mark[MARK_BYTES];
	if (!resume->path[0] || resume->has_failed)
		return;
	bool is_first = !resume->fd;
	if (is_first) {
		(void)!files_make_folder_of(resume->path, &err);
		resume->fd = open(resume->path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	}
	print_mark(resume, point, iscc_id, mark);
	bool is_written = resume->fd > 0 &&
			  pwrite(resume->fd, mark, sizeof mark, 0) == (ssize_t)sizeof mark;
	/* A damaged mark may be longer, and its rest would damage this one, too. */
	if (is_written && is_first)
		is_written = ftruncate(resume->fd, MARK_BYTES) == 0;
	if (is_written)
		return;
	resume->has_failed = true;
	say_line(stderr, "Warning: %s: %s: --resume would begin at the beginning", resume->path,
		 strerror(errno));
}

void resume_end(struct resume *resume, bool is_complete)
{
	if (resume->fd > 0)
		close(resume->fd);
	if (is_complete && resume->path[0])
		unlink(resume->path);
}

/* --- going on --------------------------------------------------------------------------------- */

/* False: there is no mark, it is none of this command, or it is damaged. `last` gets the ISCC-ID of
 * the asset stored last, "" if it is not known. */
static bool read_mark(const struct resume *resume, struct loader_point *point, char last[24])
{
	struct isx_buf text = { 0 };
	struct isx_arena arena = { 0 };
	struct isx_span id = { 0 };
	char printed[MARK_BYTES];
	size_t offset;
	bool is_read = resume->path[0] &&
		       files_read(resume->path, FILES_REGULAR, &text, NULL) == ISX_OK;
	struct isx_span mark = isx_span_trim((struct isx_span){ text.ptr, text.len });
	is_read = is_read && mark.len && !isx_json_check(mark, &offset, NULL) &&
		  isx_json_int(isx_json_member(mark, "input")) == resume->input &&
		  isx_json_string(isx_json_member(mark, "last"), &arena, &id) && id.len < 24;
	if (is_read) {
		int64_t file = isx_json_int(isx_json_member(mark, "file"));
		int64_t line = isx_json_int(isx_json_member(mark, "line"));
		*point = (struct loader_point){
			.file = file > 0 ? (uint64_t)file : 0,
			.files_hash = isx_json_int(isx_json_member(mark, "files")),
			.line = line > 0 && line < UINT32_MAX ? (uint32_t)line : 0,
			.line_hash = isx_json_int(isx_json_member(mark, "text"))
		};
		snprintf(last, 24, "%.*s", (int)id.len, id.len ? id.ptr : "");
		print_mark(resume, point, last, printed);
		is_read = text.len == MARK_BYTES && memcmp(text.ptr, printed, MARK_BYTES) == 0;
	}
	isx_buf_release(&text);
	isx_arena_release(&arena);
	return is_read && point->file;
}

/* Are the files up to the mark the same as then? */
static bool are_same_files(const struct files_list *files, const struct loader_point *point)
{
	const char *path = files->paths.ptr;
	int64_t hash = 0;
	if (point->file > files->count)
		return false;
	for (uint64_t i = 0; i < point->file; i++, path += strlen(path) + 1)
		hash = resume_add_file(hash, path);
	return hash == point->files_hash;
}

/* The index may have been deleted and created again, or have lost its last transactions in a power
 * cut (ISCC_SEARCH_DURABILITY=relaxed). */
static bool is_stored(const struct target *target, const char *iscc_id)
{
	char *json = NULL;
	bool is_there = target->store && (!iscc_id[0] || isx_get(target->store, target->name,
								 iscc_id, &json, NULL) == ISX_OK);
	isx_text_free(json);
	return is_there;
}

bool resume_find(const struct resume *resume, const struct target *target,
		 const struct files_list *files, struct loader_point *point)
{
	char last[24] = "";
	const char *why = NULL;
	if (!read_mark(resume, point, last))
		why = "no interrupted run of this command is known";
	else if (!are_same_files(files, point))
		why = "the files have changed since the interrupted run";
	else if (!is_stored(target, last))
		why = "the index does not have what the interrupted run has stored";
	if (why) {
		*point = (struct loader_point){ 0 };
		say_line(stderr, "--resume: %s, so everything is read", why);
	}
	return !why;
}
