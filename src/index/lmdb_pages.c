/*
 * lmdb_pages.c - walk the pages of an LMDB file without LMDB, which trusts every byte of them.
 *
 * Pages are read with pread(), so that a file which is too short is an error and not a SIGBUS. The
 * layout is that of LMDB 0.9 (data version 1) on a machine of 64 bits, little-endian as everywhere
 * LMDB files of these machines are read. Pages of a snapshot do not change while it is read; the
 * page that says where its trees begin does, so it is asked for again until it fits.
 *
 * Every page but the two first is in a tree or in a list of free pages, which are the values of a
 * tree of their own (by the transaction that freed them). A page in both is overwritten by the next
 * write, with everything in order until then; one in neither is lost for good.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "index/lmdb_pages.h"

#include "base/mem.h"
#include "index/lmdb_format.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
	HEADER_BYTES = 16,
	NODE_BYTES = 8,
	TREE_BYTES = 48,
	META_COUNT = 2,
	DEPTH_MAX = 32, /* LMDB's own ceiling */
	P_BRANCH = 1,
	P_LEAF = 2,
	P_OVERFLOW = 4,
	P_META = 8,
	P_LEAF2 = 0x20,
	P_SUBP = 0x40,
	N_BIG = 1,
	N_TREE = 2,
	N_DUPS = 4
};
#define NO_PAGE UINT64_MAX

struct page_header {
	uint64_t number;
	uint16_t row_bytes; /* of P_LEAF2 */
	uint16_t flags;
	uint16_t lower, upper; /* or the number of pages, of P_OVERFLOW */
};

struct tree {
	uint32_t row_bytes;
	uint16_t flags;
	uint16_t depth;
	uint64_t branch_pages, leaf_pages, overflow_pages, entries, root;
};

struct meta {
	uint32_t magic, version;
	uint64_t address, map_bytes;
	struct tree trees[2]; /* of free pages, of named tables */
	uint64_t last_page, txn_id;
};

struct node {
	uint16_t low, high, flags, key_bytes;
};

_Static_assert(sizeof(struct page_header) == HEADER_BYTES, "as LMDB has it");
_Static_assert(sizeof(struct tree) == TREE_BYTES, "as LMDB has it");
_Static_assert(sizeof(struct node) == NODE_BYTES, "as LMDB has it");

enum extent {
	BRIEF, /* only what LMDB reads before it is asked for anything */
	TREES, /* every page that is in use */
	ALL    /* and the lists of those that are not */
};

struct walk {
	int fd;
	uint32_t page_bytes;
	uint64_t last_page;
	uint64_t pages;
	uint64_t findings;
	enum extent extent;
	bool in_free_tree;
	uint64_t last_list; /* the key of the list of free pages before, or 0 */
	uint8_t *seen;      /* a bit for each page: it is in use */
	uint8_t *unused;    /* the same: it is in a list of free pages */
	isx_page_fn *found;
	void *arg;
	struct tree counted; /* pages and entries of the tree that is walked */
	enum isx_status status;
	struct isx_err *err;
};

static void say(struct walk *walk, const char *format, ...) ISX_PRINTF(2, 3);
static void say(struct walk *walk, const char *format, ...)
{
	char text[200];
	va_list args;
	va_start(args, format);
	vsnprintf(text, sizeof text, format, args);
	va_end(args);
	walk->findings++;
	walk->found(text, walk->arg);
}

/* --- pages ------------------------------------------------------------------------------------ */

static bool has_bit(const uint8_t *bits, uint64_t page)
{
	return bits[page / 8] & 1 << page % 8;
}

static void set_bit(uint8_t *bits, uint64_t page)
{
	bits[page / 8] |= (uint8_t)(1 << page % 8);
}

/* Count pages from `number` on as used. False if they are not in the file, or used twice. */
static bool take_pages(struct walk *walk, uint64_t number, uint64_t count)
{
	for (uint64_t i = 0; i < count; i++) {
		uint64_t page = number + i;
		if (page < META_COUNT || page > walk->last_page) {
			say(walk, "page %llu: there is no such page, the last is %llu",
			    (unsigned long long)page, (unsigned long long)walk->last_page);
			return false;
		}
		if (has_bit(walk->seen, page)) {
			say(walk, "page %llu is used twice", (unsigned long long)page);
			return false;
		}
		set_bit(walk->seen, page);
		walk->pages++;
	}
	return true;
}

/* Read a page and check its header. */
static bool read_page(struct walk *walk, uint64_t number, uint8_t *page)
{
	struct page_header header;
	ssize_t got = pread(walk->fd, page, walk->page_bytes, (off_t)(number * walk->page_bytes));
	if (got != (ssize_t)walk->page_bytes) {
		say(walk, "page %llu: the file ends before it", (unsigned long long)number);
		return false;
	}
	memcpy(&header, page, sizeof header);
	if (header.number != number) {
		say(walk, "page %llu says that it is page %llu", (unsigned long long)number,
		    (unsigned long long)header.number);
		return false;
	}
	return true;
}

/* Pages that hold one long value. */
static void take_overflow(struct walk *walk, uint64_t number, uint64_t value_bytes, uint8_t *page)
{
	struct page_header header;
	uint64_t count = (HEADER_BYTES + value_bytes + walk->page_bytes - 1) / walk->page_bytes;
	uint64_t room;
	if (number < META_COUNT || number > walk->last_page) {
		take_pages(walk, number, 1);
		return;
	}
	if (!read_page(walk, number, page))
		return;
	memcpy(&header, page, sizeof header);
	room = header.lower | (uint64_t)header.upper << 16;
	if (!(header.flags & P_OVERFLOW) || room < count) {
		say(walk, "page %llu: expected %llu pages of a long value",
		    (unsigned long long)number, (unsigned long long)count);
		return;
	}
	if (!take_pages(walk, number, room))
		return;
	walk->counted.overflow_pages += room;
	struct stat file;
	if (fstat(walk->fd, &file) == 0 &&
	    (uint64_t)file.st_size < number * walk->page_bytes + HEADER_BYTES + value_bytes)
		say(walk, "page %llu: the file ends in its value", (unsigned long long)number);
}

/* --- free pages ------------------------------------------------------------------------------- */

/* One page of a list, behind `before` in it. */
static bool take_free_page(struct walk *walk, uint64_t page, uint64_t before)
{
	const char *wrong = NULL;
	if (page >= before)
		wrong = "is not in order";
	else if (page < META_COUNT || page > walk->last_page)
		wrong = "does not exist";
	else if (has_bit(walk->unused, page))
		wrong = "is listed twice";
	if (wrong) {
		say(walk, "the free pages of transaction %llu: page %llu %s",
		    (unsigned long long)walk->last_list, (unsigned long long)page, wrong);
		return false;
	}
	set_bit(walk->unused, page);
	return true;
}

/* A list of free pages, which lies in the file at `place`: how many, then their numbers, descending.
 * It may have room for more. One finding for a list. */
static void check_free_list(struct walk *walk, uint64_t place, uint64_t bytes)
{
	uint64_t block[256], count = 0, before = UINT64_MAX;
	bool is_good = bytes >= sizeof count &&
		       pread(walk->fd, &count, sizeof count, (off_t)place) == sizeof count &&
		       count <= bytes / sizeof count - 1;
	for (uint64_t done = 0; is_good && done < count;) {
		uint64_t part = count - done < 256 ? count - done : 256;
		place += done ? sizeof block : sizeof count;
		if (pread(walk->fd, block, part * sizeof block[0], (off_t)place) !=
		    (ssize_t)(part * sizeof block[0]))
			break;
		for (uint64_t i = 0; i < part; i++) {
			if (!take_free_page(walk, block[i], before))
				return;
			before = block[i];
		}
		done += part;
		if (done == count)
			return;
	}
	if (!is_good || count)
		say(walk, "the free pages of transaction %llu: %llu in %llu bytes",
		    (unsigned long long)walk->last_list, (unsigned long long)count,
		    (unsigned long long)bytes);
}

/* The key of a list: the number of a transaction, larger than that of the list before. */
static bool check_free_key(struct walk *walk, const uint8_t *key, size_t bytes)
{
	uint64_t id;
	if (bytes != sizeof id)
		return false;
	memcpy(&id, key, sizeof id);
	bool is_good = id > walk->last_list;
	walk->last_list = id;
	return is_good;
}

/* Compare what is in use with what is free, once all of both is known. */
static void compare_pages(struct walk *walk)
{
	uint64_t lost = 0, first = 0;
	for (uint64_t page = META_COUNT; page <= walk->last_page; page++) {
		bool is_used = has_bit(walk->seen, page), is_free = has_bit(walk->unused, page);
		if (is_used && is_free)
			say(walk, "page %llu is in use, and in a list of free pages",
			    (unsigned long long)page);
		if (!is_used && !is_free && !lost++)
			first = page;
	}
	if (lost && !walk->findings) /* else that is no wonder */
		say(walk, "%llu pages are neither in use nor free, the first is page %llu",
		    (unsigned long long)lost, (unsigned long long)first);
}

/* --- trees ------------------------------------------------------------------------------------ */

static void walk_tree(struct walk *walk, const struct tree *tree, bool holds_tables);

/* A page within a page: a few values of one key. */
static bool check_subpage(struct walk *walk, const uint8_t *at, uint64_t bytes)
{
	struct page_header header;
	if (bytes < HEADER_BYTES)
		return false;
	memcpy(&header, at, sizeof header);
	if (!(header.flags & P_SUBP) || header.lower < HEADER_BYTES ||
	    header.lower > header.upper || header.upper > bytes)
		return false;
	uint64_t count = (header.lower - HEADER_BYTES) / 2u;
	if (header.flags & P_LEAF2 && HEADER_BYTES + count * header.row_bytes > bytes)
		return false;
	walk->counted.entries += count;
	return true;
}

static bool is_metadata(const uint8_t *name, size_t bytes)
{
	return bytes == strlen(ISX_TABLE_METADATA) && memcmp(name, ISX_TABLE_METADATA, bytes) == 0;
}

/* One entry of a leaf. */
static bool check_leaf_node(struct walk *walk, const uint8_t *page, size_t offset,
			    bool holds_tables, uint8_t *spare)
{
	struct node node;
	struct tree tree;
	memcpy(&node, page + offset, sizeof node);
	uint64_t bytes = node.low | (uint64_t)node.high << 16;
	uint64_t value = offset + NODE_BYTES + node.key_bytes;
	uint64_t in_page = node.flags & N_BIG ? 8 : bytes;
	struct page_header header;
	if (value + in_page > walk->page_bytes)
		return false;
	memcpy(&header, page, sizeof header);
	uint64_t place = header.number * walk->page_bytes + value;
	if (node.flags & N_BIG) {
		uint64_t number;
		memcpy(&number, page + value, sizeof number);
		take_overflow(walk, number, bytes, spare);
		place = number * walk->page_bytes + HEADER_BYTES;
	} else if (node.flags & N_TREE) {
		if (bytes != TREE_BYTES)
			return false;
		memcpy(&tree, page + value, sizeof tree);
		if (walk->extent != BRIEF ||
		    is_metadata(page + offset + NODE_BYTES, node.key_bytes)) {
			struct tree outer = walk->counted;
			walk_tree(walk, &tree, false);
			walk->counted = outer;
		}
		if (node.flags & N_DUPS) {
			walk->counted.entries += tree.entries;
			return true;
		}
	} else if (node.flags & N_DUPS) {
		return check_subpage(walk, page + value, bytes);
	} else if (holds_tables) {
		return false; /* tables are all that is named */
	}
	walk->counted.entries++;
	if (walk->in_free_tree && walk->extent == ALL) {
		if (!check_free_key(walk, page + offset + NODE_BYTES, node.key_bytes))
			return false;
		check_free_list(walk, place, bytes);
	}
	return true;
}

static void walk_page(struct walk *walk, uint64_t number, unsigned depth, bool holds_tables);

static void walk_entries(struct walk *walk, const uint8_t *page, uint64_t number, unsigned depth,
			 bool holds_tables, uint8_t *spare)
{
	struct page_header header;
	memcpy(&header, page, sizeof header);
	size_t count = (header.lower - HEADER_BYTES) / 2u;
	for (size_t i = 0; i < count && !walk->status; i++) {
		uint16_t offset;
		struct node node;
		memcpy(&offset, page + HEADER_BYTES + i * 2, sizeof offset);
		if (offset < header.upper || (uint32_t)offset + NODE_BYTES > walk->page_bytes) {
			say(walk, "page %llu: entry %zu lies outside of it",
			    (unsigned long long)number, i);
			return;
		}
		memcpy(&node, page + offset, sizeof node);
		if (header.flags & P_BRANCH) {
			walk_page(walk,
				  node.low | (uint64_t)node.high << 16 | (uint64_t)node.flags << 32,
				  depth - 1, holds_tables);
		} else if (!check_leaf_node(walk, page, offset, holds_tables, spare)) {
			say(walk, "page %llu: entry %zu is not what it should be",
			    (unsigned long long)number, i);
			return;
		}
	}
}

/* Does the header of a page fit a tree in which `depth` levels are left, this one included? */
static bool check_header(const struct walk *walk, const struct page_header *header, unsigned depth)
{
	bool is_branch = header->flags & P_BRANCH, is_leaf = header->flags & P_LEAF;
	if (is_branch == is_leaf || is_branch != (depth > 1) ||
	    header->flags & (P_OVERFLOW | P_META))
		return false;
	if (header->lower < HEADER_BYTES || header->lower > header->upper ||
	    header->upper > walk->page_bytes)
		return false;
	uint64_t count = (header->lower - HEADER_BYTES) / 2u;
	return !(header->flags & P_LEAF2) ||
	       HEADER_BYTES + count * header->row_bytes <= walk->page_bytes;
}

static void walk_page(struct walk *walk, uint64_t number, unsigned depth, bool holds_tables)
{
	struct page_header header;
	if (walk->status || !take_pages(walk, number, 1))
		return;
	uint8_t *page = isx_mem_array(2, walk->page_bytes); /* this one, and one of a long value */
	if (!page) {
		walk->status = isx_fail_memory(walk->err);
		return;
	}
	if (read_page(walk, number, page)) {
		memcpy(&header, page, sizeof header);
		if (depth == 0 || !check_header(walk, &header, depth)) {
			say(walk, "page %llu is no page of a tree", (unsigned long long)number);
		} else if (header.flags & P_BRANCH) {
			walk->counted.branch_pages++;
			walk_entries(walk, page, number, depth, holds_tables,
				     page + walk->page_bytes);
		} else {
			walk->counted.leaf_pages++;
			if (header.flags & P_LEAF2)
				walk->counted.entries += (header.lower - HEADER_BYTES) / 2u;
			else
				walk_entries(walk, page, number, depth, holds_tables,
					     page + walk->page_bytes);
		}
	}
	isx_mem_free(page);
}

static void walk_tree(struct walk *walk, const struct tree *tree, bool holds_tables)
{
	walk->counted = (struct tree){ 0 };
	if (tree->root == NO_PAGE)
		return;
	if (tree->depth == 0 || tree->depth > DEPTH_MAX) {
		say(walk, "a tree of %u levels at page %llu", tree->depth,
		    (unsigned long long)tree->root);
		return;
	}
	walk_page(walk, tree->root, tree->depth, holds_tables);
	if (walk->counted.branch_pages != tree->branch_pages ||
	    walk->counted.leaf_pages != tree->leaf_pages ||
	    walk->counted.overflow_pages != tree->overflow_pages ||
	    walk->counted.entries != tree->entries)
		say(walk,
		    "the tree at page %llu: expected %llu entries on %llu pages, found %llu on "
		    "%llu",
		    (unsigned long long)tree->root, (unsigned long long)tree->entries,
		    (unsigned long long)(tree->branch_pages + tree->leaf_pages +
					 tree->overflow_pages),
		    (unsigned long long)walk->counted.entries,
		    (unsigned long long)(walk->counted.branch_pages + walk->counted.leaf_pages +
					 walk->counted.overflow_pages));
}

/* --- the file --------------------------------------------------------------------------------- */

static enum isx_status read_meta(MDB_txn *txn, int fd, uint32_t page_bytes, struct meta *meta,
				 struct isx_err *err)
{
	uint64_t id = mdb_txn_id(txn);
	off_t place = (off_t)(id % META_COUNT * page_bytes + HEADER_BYTES);
	if (pread(fd, meta, sizeof *meta, place) != (ssize_t)sizeof *meta)
		return isx_fail(err, ISX_CORRUPT, "the file ends before its first pages");
	if (meta->txn_id != id)
		return isx_fail(err, ISX_UNAVAILABLE,
				"the index is written too fast to be checked: try again");
	return ISX_OK;
}

static enum isx_status walk_trees(struct walk *walk, const struct meta *meta)
{
	size_t map_bytes = (size_t)(walk->last_page / 8 + 1);
	walk->seen = isx_mem_array(2, map_bytes);
	if (!walk->seen)
		return isx_fail_memory(walk->err);
	walk->unused = walk->seen + map_bytes;
	walk->in_free_tree = true;
	if (walk->extent != BRIEF)
		walk_tree(walk, &meta->trees[0], false);
	walk->in_free_tree = false;
	if (!walk->status)
		walk_tree(walk, &meta->trees[1], true);
	if (!walk->status && walk->extent == ALL)
		compare_pages(walk);
	isx_mem_free(walk->seen);
	return walk->status;
}

static enum isx_status walk_file(MDB_txn *txn, enum extent extent, uint64_t *pages,
				 isx_page_fn *found, void *arg, struct isx_err *err)
{
	enum { UNWRITTEN_MAX = 1u << 28 }; /* pages at the end that were free before they were */
	MDB_env *env = mdb_txn_env(txn);
	MDB_stat stat;
	struct meta meta;
	struct walk walk = { .found = found, .arg = arg, .err = err, .extent = extent };
	int rc = mdb_env_get_fd(env, &walk.fd);
	if (!rc)
		rc = mdb_env_stat(env, &stat);
	if (rc)
		return isx_lmdb_status(rc, "check pages", err);
	walk.page_bytes = stat.ms_psize;
	enum isx_status st = read_meta(txn, walk.fd, walk.page_bytes, &meta, err);
	if (st)
		return st;
	walk.last_page = meta.last_page;
	struct stat file;
	if (fstat(walk.fd, &file) != 0)
		return isx_lmdb_status(errno, "check pages", err);
	/* A wild number must not ask for wild memory: what is not in the file is a finding. */
	if (walk.last_page > (uint64_t)file.st_size / walk.page_bytes + UNWRITTEN_MAX)
		walk.last_page = (uint64_t)file.st_size / walk.page_bytes;
	st = walk_trees(&walk, &meta);
	*pages = walk.pages + META_COUNT;
	return st;
}

enum isx_status isx_lmdb_pages_check(MDB_txn *txn, uint64_t *pages, isx_page_fn *found, void *arg,
				     struct isx_err *err)
{
	return walk_file(txn, ALL, pages, found, arg, err);
}

static void note_finding(const char *text, void *arg)
{
	(void)text;
	*(bool *)arg = false;
}

enum isx_status isx_lmdb_pages_look(MDB_env *env, bool *good, struct isx_err *err)
{
	enum { TRIES = 100 };
	MDB_envinfo info;
	MDB_stat stat;
	MDB_txn *txn;
	struct stat file;
	uint64_t pages;
	int fd;
	int rc = mdb_env_info(env, &info);
	*good = true;
	if (!rc)
		rc = mdb_env_stat(env, &stat);
	if (!rc)
		rc = mdb_env_get_fd(env, &fd);
	if (!rc && fstat(fd, &file) != 0)
		rc = errno;
	if (rc)
		return isx_lmdb_status(rc, "open", err);
	bool is_whole = (uint64_t)file.st_size / stat.ms_psize > info.me_last_pgno;
	/* Not every short file is a torn one: pages at the end that were free when they were to be
	 * written never are. So the trees say what has to be there. */
	enum isx_status st = ISX_UNAVAILABLE;
	for (int i = 0; st == ISX_UNAVAILABLE && i < TRIES; i++) {
		st = isx_lmdb_status(mdb_txn_begin(env, NULL, MDB_RDONLY, &txn), "open", err);
		if (st)
			return st;
		st = walk_file(txn, is_whole ? BRIEF : TREES, &pages, note_finding, good, err);
		mdb_txn_abort(txn);
	}
	return st == ISX_UNAVAILABLE ? ISX_OK : st;
}
