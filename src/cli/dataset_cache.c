/*
 * dataset_cache.c - downloads files of data sets into the cache of the Hugging Face Hub.
 *
 * The cache is that of its Python client, which finds there what was downloaded here, and the other way
 * round:
 *   datasets--OWNER--NAME/blobs/SHA256              the content
 *   datasets--OWNER--NAME/blobs/SHA256.incomplete   the beginning of it: a download that was cut off
 *   datasets--OWNER--NAME/snapshots/COMMIT/PATH     a link to the content
 *   datasets--OWNER--NAME/refs/main                 the commit
 * The SHA-256 of a large file stands in the list of files. It names the content, so a file that is in the
 * cache is not asked for again. A file whose SHA-256 is unknown is downloaded each time.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "base/fs.h"
#include "base/percent.h"
#include "cli/dataset_client.h"
#include "cli/dataset_http.h"
#include "cli/files.h"

#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

enum { SHA256_DIGITS = 64, COMMIT_DIGITS = 40 };

/* A download. */
struct download {
	struct dataset_get get;
	struct dataset_client *client;
	const struct dataset_file *file;
	char folder[PATH_MAX]; /* of the data set in the cache */
	char partial[PATH_MAX];
	int fd;                        /* of `partial` */
	crypto_hash_sha256_state hash; /* of the first get.from_byte bytes */
	bool is_new_answer;            /* its body has not begun */
	char commit[COMMIT_DIGITS + 1];
	struct isx_err why; /* why take_body() has stopped */
};

/* Names in the cache are made of digests and commits of the host: anything else in them could
 * lead out of the folder. */
static bool is_hex(const char *text, size_t digits)
{
	return strlen(text) == digits && strspn(text, "0123456789abcdef") == digits;
}

/* FOLDER/PART/NAME/END. Folders down to the last slash are made. */
static enum isx_status make_path(char path[PATH_MAX], const char *folder, const char *part,
				 const char *name, const char *end, struct isx_err *err)
{
	if (snprintf(path, PATH_MAX, "%s/%s/%s%s", folder, part, name, end) >= PATH_MAX)
		return isx_fail(err, ISX_INVALID, "%s/%s: the path is too long", folder, part);
	return files_make_folder_of(path, err);
}

/* datasets--iscc--iscc-flickr30k in the cache. */
static void set_folder(struct download *download, const char *repo)
{
	int len = snprintf(download->folder, sizeof download->folder, "%s/datasets--",
			   download->client->cache);
	for (; *repo && len < (int)sizeof download->folder - 2; repo++) {
		download->folder[len++] = *repo == '/' ? '-' : *repo;
		if (*repo == '/')
			download->folder[len++] = '-';
	}
	download->folder[len < (int)sizeof download->folder ? len : 0] = '\0';
}

/* --- receiving -------------------------------------------------------------------------------- */

/* Forget what has arrived: the next request asks from the first byte on. */
static void restart(struct download *download)
{
	download->get.from_byte = 0;
	crypto_hash_sha256_init(&download->hash);
	if (ftruncate(download->fd, 0) != 0)
		download->get.has_stopped = true; /* writing fails, too, and says why */
}

/* The commit is in the head of the first answer, which redirects to a host that does not know it. */
static void take_head(void *arg, struct isx_span line)
{
	struct download *download = arg;
	download->is_new_answer |= isx_span_has_prefix(line, "HTTP/");
	struct isx_span commit = dataset_http_header(line, "x-repo-commit");
	if (commit.len == COMMIT_DIGITS && !download->commit[0])
		snprintf(download->commit, sizeof download->commit, "%.*s", COMMIT_DIGITS,
			 commit.ptr);
}

/* Write the next bytes. A host that does not know ranges answers 200 and begins at the first byte. */
static bool take_body(void *arg, long code, struct isx_span bytes)
{
	struct download *download = arg;
	struct dataset_get *get = &download->get;
	if (download->is_new_answer && code == 200 && get->from_byte)
		restart(download);
	download->is_new_answer = false;
	for (size_t done = 0; done < bytes.len;) {
		ssize_t put = pwrite(download->fd, bytes.ptr + done, bytes.len - done,
				     (off_t)(get->from_byte + done));
		if (put < 0 && errno != EINTR) {
			isx_fail_errno(&download->why, "writing", download->partial);
			get->has_stopped = true;
			return false;
		}
		done += put > 0 ? (size_t)put : 0;
	}
	crypto_hash_sha256_update(&download->hash, (const unsigned char *)bytes.ptr, bytes.len);
	get->from_byte += bytes.len;
	if (download->client->progress)
		progress_copied(download->client->progress, get->from_byte, download->file->size);
	return true;
}

/* --- files of the cache ------------------------------------------------------------------------ */

/* Open download->partial and lock it: another process may be downloading the same file. When that process
 * has ended, the file has got another name, and a new one is opened. */
static enum isx_status open_partial(struct download *download, struct isx_err *err)
{
	struct stat mine, named;
	for (;;) {
		int fd = open(download->partial, O_RDWR | O_CREAT | O_CLOEXEC, 0666);
		if (fd < 0)
			return isx_fail_errno(err, "opening", download->partial);
		download->fd = fd;
		if (flock(fd, LOCK_EX) != 0 || fstat(fd, &mine) != 0)
			return isx_fail_errno(err, "locking", download->partial);
		if (stat(download->partial, &named) == 0 && named.st_ino == mine.st_ino)
			return ISX_OK;
		close(fd);
		download->fd = -1;
	}
}

/* Read what an earlier download has left, to go on with its hash. */
static enum isx_status take_up(struct download *download, struct isx_err *err)
{
	unsigned char bytes[65536];
	struct dataset_get *get = &download->get;
	ssize_t got;
	crypto_hash_sha256_init(&download->hash);
	while ((got = pread(download->fd, bytes, sizeof bytes, (off_t)get->from_byte)) > 0) {
		crypto_hash_sha256_update(&download->hash, bytes, (size_t)got);
		get->from_byte += (size_t)got;
	}
	if (got < 0)
		return isx_fail_errno(err, "reading", download->partial);
	if (!download->file->sha256 ||
	    (download->file->size && get->from_byte > download->file->size))
		restart(download);
	return ISX_OK;
}

/* A copy is finalized, so that the hash of what has arrived can go on. */
static void end_hash(const struct download *download, char digits[SHA256_DIGITS + 1])
{
	crypto_hash_sha256_state hash = download->hash;
	unsigned char digest[crypto_hash_sha256_BYTES];
	crypto_hash_sha256_final(&hash, digest);
	sodium_bin2hex(digits, SHA256_DIGITS + 1, digest, sizeof digest);
}

/* Download what is missing. What was taken up may be of another file, or beyond the end of it: then the
 * file is downloaded as a whole. Content that differs from the list is newer than the list.
 *   sha256  filled: of what has arrived */
static enum isx_status receive(struct download *download, char sha256[SHA256_DIGITS + 1],
			       struct isx_err *err)
{
	struct isx_buf answer = { 0 };
	enum isx_status st = take_up(download, err);
	for (bool is_again = false; !st; is_again = true) {
		bool was_taken_up = download->get.from_byte > 0;
		bool is_whole = was_taken_up && download->get.from_byte == download->file->size;
		long code = 200;
		if (!is_whole)
			st = dataset_http_get(download->client, &download->get, &code, &answer,
					      err);
		end_hash(download, sha256);
		bool is_right = code != 416 && (!was_taken_up || !download->file->sha256 ||
						strcmp(sha256, download->file->sha256) == 0);
		if (st || is_right || is_again)
			break;
		restart(download);
	}
	if (st && download->why.msg[0])
		st = isx_err_pass(err, &download->why);
	isx_buf_release(&answer);
	return st;
}

/* A path of a list may be no path within the snapshot. */
static bool is_inside(const char *path)
{
	for (const char *part = path;; part = strchr(part, '/') + 1) {
		size_t len = strcspn(part, "/");
		if (len == 0 || (len == 1 && part[0] == '.') ||
		    (len == 2 && strncmp(part, "..", 2) == 0))
			return false;
		if (part[len] == '\0')
			return true;
	}
}

/* Link the content into the snapshot of its commit, for other programs. Without a link the file is read
 * all the same, so nothing here is an error. */
static void link_snapshot(const struct download *download, const char *sha256)
{
	char link[PATH_MAX], target[PATH_MAX], part[64];
	if (!is_hex(download->commit, COMMIT_DIGITS) || !is_inside(download->file->path))
		return;
	snprintf(part, sizeof part, "snapshots/%s", download->commit);
	if (make_path(link, download->folder, part, download->file->path, "", NULL))
		return;
	int len = snprintf(target, sizeof target, "../../");
	for (const char *p = download->file->path; *p && len < PATH_MAX - 80; p++)
		if (*p == '/')
			len += snprintf(target + len, sizeof target - (size_t)len, "../");
	snprintf(target + len, sizeof target - (size_t)len, "blobs/%s", sha256);
	if (symlink(target, link) != 0 && errno == EEXIST && unlink(link) == 0)
		(void)!symlink(target, link);
	if (!make_path(link, download->folder, "refs", "main", "", NULL))
		(void)!files_replace(link, isx_span_of(download->commit), NULL);
}

/* Is the content in the cache? Its size guards against a file that a crash has cut. */
static bool is_cached(const struct dataset_file *file, const char *local)
{
	struct stat info;
	return stat(local, &info) == 0 && S_ISREG(info.st_mode) &&
	       (!file->size || (uint64_t)info.st_size == file->size);
}

/* Download to the partial file, and rename it to what its content is called. */
static enum isx_status download_file(struct download *download, char *local, struct isx_err *err)
{
	char sha256[SHA256_DIGITS + 1];
	enum isx_status st = open_partial(download, err);
	if (!st && download->file->sha256 && is_cached(download->file, local)) {
		unlink(download->partial); /* another process has just downloaded it */
		return ISX_OK;
	}
	if (!st)
		st = receive(download, sha256, err);
	if (!st && fsync(download->fd) != 0)
		st = isx_fail_errno(err, "writing", download->partial);
	if (!st)
		st = make_path(local, download->folder, "blobs", sha256, "", err);
	if (!st && rename(download->partial, local) != 0)
		st = isx_fail_errno(err, "renaming", download->partial);
	if (!st)
		link_snapshot(download, sha256);
	return st;
}

/* The URL of the file: ENDPOINT/datasets/OWNER/NAME/resolve/main/PATH. */
static enum isx_status add_url(struct isx_buf *url, const struct download *download,
			       const char *repo, struct isx_err *err)
{
	isx_buf_printf(url, "%s/datasets/%s/resolve/main/", download->client->endpoint, repo);
	isx_percent_add(url, isx_span_of(download->file->path), "/");
	isx_buf_printf(url, "%s", "");
	return isx_buf_status(url, err);
}

enum isx_status dataset_client_get(struct dataset_client *client, const char *repo,
				   const struct dataset_file *file, char *local,
				   struct isx_err *err)
{
	struct isx_buf url = { 0 };
	char name[SHA256_DIGITS + 1];
	unsigned char digest[crypto_hash_sha256_BYTES];
	struct dataset_file known = *file;
	if (known.sha256 && !is_hex(known.sha256, SHA256_DIGITS))
		known.sha256 = NULL;
	struct download download = { .client = client, .file = &known, .fd = -1 };
	set_folder(&download, repo);
	crypto_hash_sha256(digest, (const unsigned char *)file->path, strlen(file->path));
	sodium_bin2hex(name, sizeof name, digest, sizeof digest);
	enum isx_status st = make_path(local, download.folder, "blobs",
				       known.sha256 ? known.sha256 : name, "", err);
	if (!st && known.sha256 && is_cached(&known, local))
		return ISX_OK;
	if (!st)
		st = make_path(download.partial, download.folder, "blobs",
			       known.sha256 ? known.sha256 : name, ".incomplete", err);
	if (!st)
		st = add_url(&url, &download, repo, err);
	download.get = (struct dataset_get){
		.url = url.ptr, .take_head = take_head, .take_body = take_body, .arg = &download
	};
	if (!st)
		st = download_file(&download, local, err);
	if (download.fd >= 0)
		close(download.fd);
	isx_buf_release(&url);
	return st;
}
