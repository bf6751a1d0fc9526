/*
 * lmdb_pages.c - verify the pages of an LMDB file without LMDB, which trusts every byte of them.
 *
 * Pages are read with pread(), so that a file that is too short, or a block that the disk cannot
 * read, is an error and not a SIGBUS. The layout is that of LMDB 0.9 (data version 1) on a
 * little-endian machine of 64 bits. The pages of a snapshot do not change while its read
 * transaction lasts. The meta page, which says where its trees begin, does change: the caller
 * takes another snapshot then.
 *
 * Checked is what LMDB computes addresses with, when it reads a page and when it changes one: page
 * numbers and kinds, the number of entries, their places (they fill their part of the page without
 * a gap and without an overlap), the lengths of keys and rows, the lengths of long values, the
 * lengths of trees. A file in which all of that is correct cannot lead LMDB out of its mapping,
 * whatever else is wrong with it.
 *
 * Every page but the two meta pages is in a tree or in a list of free pages. The lists are the
 * values of a tree of their own, whose keys are the transactions that freed the pages. A page in
 * both is overwritten by the next write, though everything looks correct until then; a page in
 * neither is lost for good, and does no harm.
 *
 * Takes no lock. A walk belongs to one thread; only struct isx_known_pages is shared.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "storage/lmdb_pages.h"

#include "base/mem.h"
#include "storage/lmdb_format.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

enum {
	HEADER_BYTES = 16,          /* of a page (PAGEHDRSZ) */
	NODE_BYTES = 8,             /* of an entry before its key (NODESIZE) */
	TREE_BYTES = 48,            /* a record of a table (MDB_db) */
	META_COUNT = 2,             /* pages 0 and 1; transaction N writes page N % 2 */
	DEPTH_MAX = 32,             /* LMDB's own ceiling */
	LEVELS_MAX = 3 * DEPTH_MAX, /* of the list of tables, a table, the rows of one key */
	KEY_BYTES_MAX = 511,        /* LMDB's own ceiling, also for a row */
	PAGE_BYTES_MIN = 512,
	PAGE_BYTES_MAX = 32768,
	MAGIC = 0xBEEFC0DE,
	DATA_VERSION = 1,
	/* Page and node flags as in LMDB's mdb.c. */
	P_BRANCH = 1,
	P_LEAF = 2,
	P_OVERFLOW = 4,
	P_META = 8,
	P_DIRTY = 0x10,
	P_LEAF2 = 0x20,
	P_SUBP = 0x40,
	N_BIG = 1,
	N_TREE = 2,
	N_DUPS = 4,
	NO_SUBDIR =
		0x4000 /* a flag of the environment, kept with those of the tree of free pages */
};
#define NO_PAGE UINT64_MAX

/* The structs below lie in the file as they are here; they are copied out with memcpy(), as a
 * damaged offset may be odd. */
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

/* The kind of a tree decides what its entries have to be. */
enum kind {
	FREE_LISTS, /* number of a transaction -> list of pages */
	TABLES,     /* name -> tree */
	VALUES,     /* key -> value */
	ROWS,       /* key -> rows: one, a page within the page, or a tree of their own */
	ROWS_OF_KEY /* the tree of the rows of one key */
};

struct shape {
	enum kind kind;
	uint32_t row_bytes; /* of ROWS and ROWS_OF_KEY; 0: rows are of many lengths, or not known */
	uint16_t flags;     /* of the table */
	bool is_first_only; /* ROWS_OF_KEY: verify only the path to the first row */
};

struct walk {
	int fd;
	uint32_t page_bytes;
	uint64_t last_page;
	uint64_t txn_id;
	uint64_t file_bytes;
	uint64_t pages;
	uint64_t findings;
	enum isx_pages_extent extent;
	isx_table_shape_fn *shape;
	uint64_t last_list;              /* the key of the previous list of free pages, or 0 */
	uint8_t *seen;                   /* a bit for each page: it is in use */
	uint8_t *unused;                 /* a bit for each page: it is in a list of free pages */
	uint8_t *levels[LEVELS_MAX + 1]; /* a page buffer for each level of the walk */
	size_t level;
	/* Lengths of the entries of one page, by place / 2; all 0 between two pages. */
	uint16_t *sizes;
	isx_page_fn *found;
	void *arg;
	struct tree counted; /* pages and entries so far of the tree that is walked */
	enum isx_status status;
	struct isx_err *err;
};

/* Hand on a finding. It does not end the walk: the caller leaves out what cannot be read. */
static void report(struct walk *walk, const char *format, ...) ISX_PRINTF(2, 3);
static void report(struct walk *walk, const char *format, ...)
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

/* Record `count` pages from `number` on as used. False, after a finding, if a page is not in
 * the file or is used twice. A loop in a tree ends here, too. */
static bool take_pages(struct walk *walk, uint64_t number, uint64_t count)
{
	for (uint64_t i = 0; i < count; i++) {
		uint64_t page = number + i;
		if (page < META_COUNT || page > walk->last_page) {
			report(walk, "page %llu: there is no such page, the last is %llu",
			       (unsigned long long)page, (unsigned long long)walk->last_page);
			return false;
		}
		if (has_bit(walk->seen, page)) {
			report(walk, "page %llu is used twice", (unsigned long long)page);
			return false;
		}
		set_bit(walk->seen, page);
		walk->pages++;
	}
	return true;
}

/* Read the first `bytes` of a page into `page` and compare its number: a page that was written
 * to a wrong place is found by that. */
static bool read_page(struct walk *walk, uint64_t number, uint8_t *page, size_t bytes)
{
	struct page_header header;
	ssize_t got = pread(walk->fd, page, bytes, (off_t)(number * walk->page_bytes));
	if (got < 0) {
		report(walk, "page %llu cannot be read: %s", (unsigned long long)number,
		       strerror(errno));
		return false;
	}
	if (got != (ssize_t)bytes) {
		report(walk, "page %llu: the file ends before it", (unsigned long long)number);
		return false;
	}
	memcpy(&header, page, sizeof header);
	if (header.number != number) {
		report(walk, "page %llu says that it is page %llu", (unsigned long long)number,
		       (unsigned long long)header.number);
		return false;
	}
	return true;
}

/* Check the pages of a long value and return their number, 0 after a finding. There may be more
 * of them than the value needs: LMDB keeps them when a shorter value takes its place. */
static uint64_t check_overflow(struct walk *walk, uint64_t number, uint64_t bytes)
{
	struct page_header header;
	/* No overflow: a value has at most 2^32 bytes (value_bytes()). */
	uint64_t count = (HEADER_BYTES + bytes + walk->page_bytes - 1) / walk->page_bytes;
	if (number < META_COUNT || number > walk->last_page) {
		report(walk, "page %llu: there is no such page, the last is %llu",
		       (unsigned long long)number, (unsigned long long)walk->last_page);
		return 0;
	}
	if (!read_page(walk, number, (uint8_t *)&header, sizeof header))
		return 0;
	uint64_t room = header.lower | (uint64_t)header.upper << 16;
	if (header.flags != P_OVERFLOW || room < count) {
		report(walk, "page %llu: expected %llu pages of a long value",
		       (unsigned long long)number, (unsigned long long)count);
		return 0;
	}
	if (walk->file_bytes < number * walk->page_bytes + HEADER_BYTES + bytes) {
		report(walk, "page %llu: the file ends in its value", (unsigned long long)number);
		return 0;
	}
	return room;
}

/* Check the pages of a long value and record them as used. */
static void take_overflow(struct walk *walk, uint64_t number, uint64_t bytes)
{
	uint64_t room = check_overflow(walk, number, bytes);
	if (room && take_pages(walk, number, room))
		walk->counted.overflow_pages += room;
}

/* --- free pages ------------------------------------------------------------------------------- */

/* Record one page of a list of free pages; `before` is the page listed before it. LMDB merges
 * such lists and relies on their descending order. */
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
		report(walk, "the free pages of transaction %llu: page %llu %s",
		       (unsigned long long)walk->last_list, (unsigned long long)page, wrong);
		return false;
	}
	set_bit(walk->unused, page);
	return true;
}

/* Check a list of free pages that lies in the file at `place`: the number of pages, then page
 * numbers, descending. The value may be longer than the list. At most one finding for a list. */
static void check_free_list(struct walk *walk, uint64_t place, uint64_t bytes)
{
	uint64_t block[256], count = 0, before = UINT64_MAX; /* a list may have millions of pages */
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
		report(walk, "the free pages of transaction %llu: %llu in %llu bytes",
		       (unsigned long long)walk->last_list, (unsigned long long)count,
		       (unsigned long long)bytes);
}

/* Check the key of a list: the number of a transaction, larger than that of the list before, and
 * not of the future. LMDB decides by it when the pages may be used again. */
static bool check_free_key(struct walk *walk, const uint8_t *key, size_t bytes)
{
	uint64_t id;
	if (bytes != sizeof id)
		return false;
	memcpy(&id, key, sizeof id);
	bool is_good = id > walk->last_list && id <= walk->txn_id;
	walk->last_list = id;
	return is_good;
}

/* Compare what is in use with what is free, once all trees and lists are walked. */
static void compare_pages(struct walk *walk)
{
	uint64_t lost = 0, first = 0;
	for (uint64_t page = META_COUNT; page <= walk->last_page; page++) {
		bool is_used = has_bit(walk->seen, page), is_free = has_bit(walk->unused, page);
		if (is_used && is_free)
			report(walk, "page %llu is in use, and in a list of free pages",
			       (unsigned long long)page);
		if (!is_used && !is_free && !lost++)
			first = page;
	}
	/* After other findings, pages are missing because they were not reached. */
	if (lost && walk->extent == ISX_PAGES_ALL && !walk->findings)
		report(walk, "%llu pages are neither in use nor free, the first is page %llu",
		       (unsigned long long)lost, (unsigned long long)first);
}

/* --- entries ---------------------------------------------------------------------------------- */

/* `lower` is the end of the array of 2-byte places behind the header; check_page() has bounded
 * it. */
static size_t count_entries(const struct page_header *header)
{
	return (header->lower - HEADER_BYTES) / 2u;
}

/* The i-th entry of a page that check_places() has accepted.
 *   offset  filled: the place of the entry in the page */
static struct node node_at(const uint8_t *page, size_t i, size_t *offset)
{
	uint16_t place;
	struct node node;
	memcpy(&place, page + HEADER_BYTES + i * 2, sizeof place);
	memcpy(&node, page + place, sizeof node);
	*offset = place;
	return node;
}

/* Of a branch these 32 bits and the flags are the number of a page instead. */
static uint32_t value_bytes(struct node node)
{
	return node.low | (uint32_t)node.high << 16;
}

/* Bytes that an entry takes in its page. A long value is outside: its entry has the page
 * number. Entries begin at even places. */
static uint64_t entry_bytes(struct node node, bool is_branch)
{
	uint64_t bytes = NODE_BYTES + (uint64_t)node.key_bytes;
	if (!is_branch)
		bytes += node.flags & N_BIG ? sizeof(uint64_t) : value_bytes(node);
	return bytes + (bytes & 1);
}

/* Do the entries of a page fill it from header->upper to its end, each byte belonging to one
 * entry? LMDB needs that to move them. First each entry enters its length at its place, then
 * the lengths are followed through the page: that takes one pass each, without sorting.
 *   page   may be a page within a page, of `bytes` bytes */
static bool check_places(struct walk *walk, const uint8_t *page, size_t bytes,
			 const struct page_header *header)
{
	size_t count = count_entries(header), left = 0, place = header->upper;
	bool is_good = !(header->upper & 1) && !(bytes & 1);
	for (size_t i = 0; is_good && i < count; i++) {
		uint16_t offset;
		struct node node;
		memcpy(&offset, page + HEADER_BYTES + i * 2, sizeof offset);
		is_good = offset >= header->upper && !(offset & 1) &&
			  (size_t)offset + NODE_BYTES <= bytes && !walk->sizes[offset / 2];
		if (!is_good)
			break;
		memcpy(&node, page + offset, sizeof node);
		uint64_t size = entry_bytes(node, header->flags & P_BRANCH);
		is_good = size <= bytes - offset;
		if (is_good)
			walk->sizes[offset / 2] = (uint16_t)size;
	}
	/* Invariant: all places below `place` belong to `left` entries, and their lengths are
	 * cleared again. */
	for (; is_good && place < bytes && walk->sizes[place / 2]; left++) {
		size_t size = walk->sizes[place / 2];
		walk->sizes[place / 2] = 0;
		place += size;
	}
	is_good = is_good && place == bytes && left == count;
	if (!is_good)
		memset(walk->sizes, 0, walk->page_bytes / 2 * sizeof *walk->sizes);
	return is_good;
}

/* Rows of one length (P_LEAF2) lie without places behind the header, but `lower` counts as if
 * they had them. */
static bool check_packed(const struct page_header *header, size_t bytes, uint32_t row_bytes)
{
	size_t count = count_entries(header);
	return header->row_bytes == row_bytes && row_bytes > 0 &&
	       HEADER_BYTES + count * row_bytes + (header->upper - header->lower) == bytes;
}

/* Check that the header of a page fits its kind, and that its entries fill it.
 *   bytes  of the page: less than a page of the file for a page within a page */
static bool check_page(struct walk *walk, const uint8_t *page, size_t bytes,
		       const struct page_header *header, const struct shape *shape, bool is_branch)
{
	unsigned flags = header->flags & ~(unsigned)(P_SUBP | P_DIRTY);
	bool is_packed = shape->kind == ROWS_OF_KEY && shape->row_bytes;
	if (flags != (is_branch ? P_BRANCH : is_packed ? P_LEAF | P_LEAF2 : P_LEAF))
		return false;
	if (header->lower < HEADER_BYTES || header->lower & 1 || header->lower > header->upper ||
	    header->upper > bytes)
		return false;
	/* A branch of the tree of free pages may be left with one entry. */
	size_t least = is_branch && shape->kind != FREE_LISTS ? 2 : 1;
	if (count_entries(header) < least)
		return false;
	return is_packed && !is_branch ? check_packed(header, bytes, shape->row_bytes)
				       : check_places(walk, page, bytes, header);
}

/* Check the key of an entry. LMDB does not use the key of the first entry of a branch, which is
 * mostly empty. */
static bool check_key(const struct node *node, const struct shape *shape, bool may_be_empty)
{
	if (node->key_bytes == 0)
		return may_be_empty;
	if (shape->kind == FREE_LISTS)
		return node->key_bytes == sizeof(uint64_t);
	if (shape->kind == ROWS_OF_KEY && shape->row_bytes)
		return node->key_bytes == shape->row_bytes;
	return node->key_bytes <= KEY_BYTES_MAX;
}

/* --- trees ------------------------------------------------------------------------------------ */

static void walk_tree(struct walk *walk, const struct tree *tree, const struct shape *shape);

/* Check a page within a page: a few rows of one key. The first one fixes the length of rows
 * where the shape does not. */
static bool check_subpage(struct walk *walk, const uint8_t *at, size_t bytes, struct shape *shape)
{
	struct page_header header;
	struct shape inner = { .kind = ROWS_OF_KEY };
	if (bytes < HEADER_BYTES)
		return false;
	memcpy(&header, at, sizeof header);
	if ((header.flags & (P_SUBP | P_DIRTY)) != (P_SUBP | P_DIRTY))
		return false;
	if (shape->flags & MDB_DUPFIXED && !shape->row_bytes)
		shape->row_bytes = header.row_bytes;
	inner.row_bytes = shape->flags & MDB_DUPFIXED ? shape->row_bytes : 0;
	if (!check_page(walk, at, bytes, &header, &inner, false))
		return false;
	walk->counted.entries += count_entries(&header);
	return true;
}

/* Check the rows of one key that have a tree of their own. walk->counted belongs to the outer
 * tree and is restored. */
static bool check_subtree(struct walk *walk, const uint8_t *at, struct shape *shape)
{
	struct tree tree;
	bool is_fixed = shape->flags & MDB_DUPFIXED;
	unsigned flags = is_fixed ? MDB_DUPFIXED : 0;
	if (is_fixed && shape->flags & MDB_INTEGERDUP)
		flags |= MDB_INTEGERKEY;
	memcpy(&tree, at, sizeof tree);
	/* The first key fixes the length of rows for all keys of the table, as LMDB relies on
	 * one length. */
	if (is_fixed && !shape->row_bytes)
		shape->row_bytes = tree.row_bytes;
	if (tree.flags != flags || tree.row_bytes != (is_fixed ? shape->row_bytes : 0) ||
	    tree.root == NO_PAGE)
		return false;
	struct tree outer = walk->counted;
	walk_tree(walk, &tree,
		  &(struct shape){ .kind = ROWS_OF_KEY,
				   .row_bytes = tree.row_bytes,
				   .is_first_only = walk->extent == ISX_PAGES_BRIEF });
	walk->counted = outer;
	walk->counted.entries += tree.entries;
	return true;
}

/* Check one entry of a table of rows: its rows are a tree, a page within the page, or one plain
 * value. */
static bool check_rows(struct walk *walk, const uint8_t *value, const struct node *node,
		       struct shape *shape)
{
	uint32_t bytes = value_bytes(*node);
	if (node->flags == (N_TREE | N_DUPS))
		return bytes == TREE_BYTES && check_subtree(walk, value, shape);
	if (node->flags == N_DUPS)
		return check_subpage(walk, value, bytes, shape);
	if (shape->flags & MDB_DUPFIXED && !shape->row_bytes)
		shape->row_bytes = bytes;
	walk->counted.entries++;
	return node->flags == 0 && bytes <= KEY_BYTES_MAX &&
	       (!shape->row_bytes || bytes == shape->row_bytes);
}

/* Check a table by its record in the list of tables: flags, and its tree if it belongs to the
 * extent. True also after a finding of its own. */
static bool check_table(struct walk *walk, const uint8_t *name, size_t name_bytes,
			const uint8_t *record)
{
	enum {
		FLAGS = MDB_REVERSEKEY | MDB_DUPSORT | MDB_INTEGERKEY | MDB_DUPFIXED |
			MDB_INTEGERDUP | MDB_REVERSEDUP
	};
	struct tree tree;
	struct isx_table_shape wanted = { 0 };
	char text[KEY_BYTES_MAX + 1];
	memcpy(&tree, record, sizeof tree);
	snprintf(text, sizeof text, "%.*s", (int)name_bytes, (const char *)name);
	/* A table that this program does not know (of a later version) is walked from
	 * ISX_PAGES_ROWS on. */
	bool is_known = walk->shape(text, &wanted);
	if (tree.flags & ~FLAGS || (is_known && tree.flags != wanted.flags)) {
		report(walk, "table %s has the flags %x", text, tree.flags);
		return true;
	}
	if (!(tree.flags & MDB_DUPSORT) && tree.flags & MDB_DUPFIXED)
		return false;
	if ((walk->extent == ISX_PAGES_BRIEF && !wanted.is_brief) ||
	    (walk->extent == ISX_PAGES_ROWS && wanted.is_by_key))
		return true;
	struct tree outer = walk->counted;
	walk_tree(walk, &tree,
		  &(struct shape){ .kind = tree.flags & MDB_DUPSORT ? ROWS : VALUES,
				   .flags = tree.flags,
				   .row_bytes = wanted.row_bytes });
	walk->counted = outer;
	return true;
}

/* Check one entry of a leaf and everything below it. */
static bool check_leaf_entry(struct walk *walk, const uint8_t *page, size_t i, struct shape *shape)
{
	struct page_header header;
	size_t offset;
	struct node node = node_at(page, i, &offset);
	const uint8_t *key = page + offset + NODE_BYTES, *value = key + node.key_bytes;
	uint32_t bytes = value_bytes(node);
	if (!check_key(&node, shape, false))
		return false;
	if (shape->kind == ROWS)
		return check_rows(walk, value, &node, shape);
	walk->counted.entries++;
	if (shape->kind == TABLES)
		return node.flags == N_TREE && bytes == TREE_BYTES &&
		       check_table(walk, key, node.key_bytes, value);
	if (shape->kind == ROWS_OF_KEY)
		return node.flags == 0 && bytes == 0;
	memcpy(&header, page, sizeof header);
	uint64_t place = header.number * walk->page_bytes + (uint64_t)(value - page);
	if (node.flags == N_BIG) {
		uint64_t number;
		memcpy(&number, value, sizeof number);
		take_overflow(walk, number, bytes);
		place = number * walk->page_bytes + HEADER_BYTES;
	} else if (node.flags) {
		return false;
	}
	if (shape->kind != FREE_LISTS)
		return true;
	if (!check_free_key(walk, key, node.key_bytes))
		return false;
	check_free_list(walk, place, bytes);
	return true;
}

static void walk_page(struct walk *walk, uint64_t number, unsigned depth, struct shape *shape);

/* The page below entry `i` of a branch. */
static uint64_t child_at(const uint8_t *page, size_t i)
{
	size_t offset;
	struct node node = node_at(page, i, &offset);
	return value_bytes(node) | (uint64_t)node.flags << 32;
}

/* Is a page in the memory of the system? Where that cannot be told it is not. */
static bool is_in_memory(const struct walk *walk, uint64_t number)
{
	uint8_t byte;
	struct iovec to = { &byte, 1 };
	return preadv2(walk->fd, &to, 1, (off_t)(number * walk->page_bytes), RWF_NOWAIT) == 1;
}

/* Ask the system to begin reading the pages below a branch: a file that is not in memory is then
 * read with many requests at once, and not page by page (bench/README.md, "A cold file"). Pages
 * that follow each other are one request. If the first and the last page are in memory, the others
 * are taken to be there, too: asking for all of them costs 15 % of a walk. It is a hint: errors are
 * ignored, the pages are read later anyway. */
static void read_ahead(const struct walk *walk, const uint8_t *page, size_t count)
{
	uint64_t first = 0, pages = 0;
	if (is_in_memory(walk, child_at(page, 0)) && is_in_memory(walk, child_at(page, count - 1)))
		return;
	for (size_t i = 0; i <= count; i++) {
		const uint64_t number = i < count ? child_at(page, i) : 0;
		if (pages && i < count && number == first + pages) {
			pages++;
			continue;
		}
		if (pages)
			(void)posix_fadvise(walk->fd, (off_t)(first * walk->page_bytes),
					    (off_t)(pages * walk->page_bytes), POSIX_FADV_WILLNEED);
		first = number;
		pages = 1;
	}
}

/* Check the entries of a page and the pages below it. Recursion is bounded: each tree has at
 * most DEPTH_MAX levels, and at most three trees are nested (LEVELS_MAX). */
static void walk_entries(struct walk *walk, const uint8_t *page, const struct page_header *header,
			 unsigned depth, struct shape *shape)
{
	bool is_branch = depth > 1;
	size_t count = count_entries(header);
	if (is_branch && !shape->is_first_only)
		read_ahead(walk, page, count);
	for (size_t i = 0; i < count && !walk->status; i++) {
		size_t offset;
		bool is_good = true;
		if (is_branch) {
			struct node node = node_at(page, i, &offset);
			is_good = check_key(&node, shape, i == 0);
			if (is_good && (i == 0 || !shape->is_first_only))
				walk_page(walk, child_at(page, i), depth - 1, shape);
		} else {
			is_good = check_leaf_entry(walk, page, i, shape);
		}
		if (!is_good) {
			report(walk, "page %llu: entry %zu is not what it should be",
			       (unsigned long long)header->number, i);
			return;
		}
	}
}

/* Buffer for the page of one more level; NULL: no memory. Buffers are kept for the next page of
 * that level. */
static uint8_t *enter_level(struct walk *walk)
{
	uint8_t **page = &walk->levels[walk->level];
	if (!*page)
		*page = isx_mem_array(1, walk->page_bytes);
	if (!*page)
		walk->status = isx_fail_memory(walk->err);
	else
		walk->level++;
	return *page;
}

/* Verify a page of a tree, and everything below it.
 *   depth  levels left, this one included: 1 is a leaf */
static void walk_page(struct walk *walk, uint64_t number, unsigned depth, struct shape *shape)
{
	struct page_header header;
	if (walk->status || !take_pages(walk, number, 1))
		return;
	uint8_t *page = enter_level(walk);
	if (!page)
		return;
	bool is_branch = depth > 1;
	bool is_packed = !is_branch && shape->kind == ROWS_OF_KEY && shape->row_bytes;
	/* Packed rows have no addresses in them: only their header is read. */
	if (read_page(walk, number, page, is_packed ? HEADER_BYTES : walk->page_bytes)) {
		memcpy(&header, page, sizeof header);
		if (header.flags & (P_SUBP | P_DIRTY) ||
		    !check_page(walk, page, walk->page_bytes, &header, shape, is_branch)) {
			report(walk,
			       "page %llu is no page of a tree, or its entries lie outside of it",
			       (unsigned long long)number);
		} else {
			*(is_branch ? &walk->counted.branch_pages : &walk->counted.leaf_pages) += 1;
			if (is_packed)
				walk->counted.entries += count_entries(&header);
			else
				walk_entries(walk, page, &header, depth, shape);
		}
	}
	walk->level--;
}

/* Walk a tree and compare the numbers of pages and entries with its record. On return
 * walk->counted is what was found in this tree. */
static void walk_tree(struct walk *walk, const struct tree *tree, const struct shape *shape)
{
	struct shape own = *shape; /* a copy: its first row may fix the length of rows */
	walk->counted = (struct tree){ 0 };
	if (tree->root == NO_PAGE ? tree->depth != 0
				  : tree->depth == 0 || tree->depth > DEPTH_MAX) {
		report(walk, "a tree of %u levels at page %llu", tree->depth,
		       (unsigned long long)tree->root);
		return;
	}
	if (tree->root != NO_PAGE)
		walk_page(walk, tree->root, tree->depth, &own);
	if (shape->is_first_only)
		return;
	if (walk->counted.branch_pages != tree->branch_pages ||
	    walk->counted.leaf_pages != tree->leaf_pages ||
	    walk->counted.overflow_pages != tree->overflow_pages ||
	    walk->counted.entries != tree->entries)
		report(walk,
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

/* Pages by which last_page may exceed the file: pages at its end that were free again before they
 * were written. One transaction has at most 2^17 dirty pages. */
enum { UNWRITTEN_MAX = 1u << 24 };
enum { META_BYTES = HEADER_BYTES + sizeof(struct meta) };

/* Check what LMDB takes for granted in a meta page. A new file has transaction 0 on both pages. */
static bool check_meta(const uint8_t *page, uint32_t number, uint32_t page_bytes,
		       uint64_t file_bytes)
{
	struct page_header header;
	struct meta meta;
	memcpy(&header, page, sizeof header);
	memcpy(&meta, page + HEADER_BYTES, sizeof meta);
	const struct tree *lists = &meta.trees[0], *tables = &meta.trees[1];
	return header.number == number && header.flags == P_META && meta.magic == MAGIC &&
	       meta.version == DATA_VERSION && lists->row_bytes == page_bytes &&
	       (lists->flags & ~NO_SUBDIR) == MDB_INTEGERKEY && tables->flags == 0 &&
	       (meta.txn_id == 0 || meta.txn_id % META_COUNT == number) &&
	       meta.last_page <= file_bytes / page_bytes + UNWRITTEN_MAX;
}

enum isx_status isx_lmdb_pages_head(const char *path, struct isx_err *err)
{
	uint8_t page[META_BYTES];
	struct stat file = { 0 };
	struct meta meta;
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0)
		return isx_lmdb_status(errno, path, err);
	enum isx_status st = ISX_OK;
	if (fstat(fd, &file) != 0)
		st = isx_lmdb_status(errno, path, err);
	bool is_good = pread(fd, page, sizeof page, 0) == (ssize_t)sizeof page;
	memcpy(&meta, page + HEADER_BYTES, sizeof meta);
	uint32_t page_bytes = is_good ? meta.trees[0].row_bytes : 0;
	is_good = is_good && page_bytes >= PAGE_BYTES_MIN && page_bytes <= PAGE_BYTES_MAX &&
		  (page_bytes & (page_bytes - 1)) == 0;
	for (uint32_t i = 0; is_good && i < META_COUNT; i++)
		is_good = pread(fd, page, sizeof page, (off_t)i * page_bytes) ==
				  (ssize_t)sizeof page &&
			  check_meta(page, i, page_bytes, (uint64_t)file.st_size);
	close(fd);
	if (!st && !is_good)
		st = isx_fail(
			err, ISX_CORRUPT,
			"%s: its first pages are not those of an LMDB file, or damaged; bring a "
			"backup back",
			path);
	return st;
}

static bool do_heads_fit(MDB_env *env)
{
	uint8_t page[META_BYTES];
	struct meta metas[META_COUNT];
	struct stat file;
	MDB_stat stat;
	int fd;
	if (mdb_env_get_fd(env, &fd) || mdb_env_stat(env, &stat) || fstat(fd, &file) != 0)
		return false;
	for (uint32_t i = 0; i < META_COUNT; i++) {
		if (pread(fd, page, sizeof page, (off_t)i * stat.ms_psize) !=
			    (ssize_t)sizeof page ||
		    !check_meta(page, i, stat.ms_psize, (uint64_t)file.st_size))
			return false;
		memcpy(&metas[i], page + HEADER_BYTES, sizeof metas[i]);
	}
	uint64_t first = metas[0].txn_id, second = metas[1].txn_id;
	return (first == 0 && second == 0) || first == second + 1 || second == first + 1;
}

bool isx_lmdb_pages_heads_fit(MDB_env *env)
{
	enum { TRIES = 8 }; /* another process may commit between two reads */
	bool do_fit = do_heads_fit(env);
	for (int i = 1; !do_fit && i < TRIES; i++)
		do_fit = do_heads_fit(env);
	return do_fit;
}

/* Read the meta page of the snapshot of `txn`. ISX_UNAVAILABLE: it belongs to a later transaction
 * by now.
 *   is_right  filled: what check_meta() says */
static enum isx_status read_meta(MDB_txn *txn, int fd, uint32_t page_bytes, uint64_t file_bytes,
				 struct meta *meta, bool *is_right, struct isx_err *err)
{
	uint8_t page[META_BYTES];
	uint64_t id = mdb_txn_id(txn);
	if (pread(fd, page, sizeof page, (off_t)(id % META_COUNT * page_bytes)) !=
	    (ssize_t)sizeof page)
		return isx_fail(err, ISX_CORRUPT, "the file ends before its first pages");
	memcpy(meta, page + HEADER_BYTES, sizeof *meta);
	if (meta->txn_id != id)
		return isx_fail(err, ISX_UNAVAILABLE,
				"the index is written too fast to be checked: try again");
	*is_right = check_meta(page, id % META_COUNT, page_bytes, file_bytes);
	return ISX_OK;
}

/* Walk the tree of free lists, then that of tables with everything in it. `seen` and `unused`
 * are one allocation. */
static enum isx_status walk_trees(struct walk *walk, const struct meta *meta)
{
	size_t map_bytes = (size_t)(walk->last_page / 8 + 1);
	walk->seen = isx_mem_array(2, map_bytes);
	walk->sizes = isx_mem_array(walk->page_bytes / 2, sizeof *walk->sizes);
	walk->status = walk->seen && walk->sizes ? ISX_OK : isx_fail_memory(walk->err);
	if (!walk->status) {
		walk->unused = walk->seen + map_bytes;
		if (walk->extent >= ISX_PAGES_SAFE)
			walk_tree(walk, &meta->trees[0], &(struct shape){ .kind = FREE_LISTS });
	}
	if (!walk->status)
		walk_tree(walk, &meta->trees[1], &(struct shape){ .kind = TABLES });
	if (!walk->status && walk->extent >= ISX_PAGES_SAFE)
		compare_pages(walk);
	for (size_t i = 0; i <= LEVELS_MAX; i++)
		isx_mem_free(walk->levels[i]);
	isx_mem_free(walk->sizes);
	isx_mem_free(walk->seen);
	return walk->status;
}

enum isx_status isx_lmdb_pages_check(MDB_txn *txn, isx_table_shape_fn *shape,
				     enum isx_pages_extent extent, uint64_t *pages,
				     isx_page_fn *found, void *arg, struct isx_err *err)
{
	MDB_env *env = mdb_txn_env(txn);
	MDB_stat stat;
	struct stat file;
	struct meta meta = { 0 };
	struct walk walk = {
		.found = found, .arg = arg, .err = err, .extent = extent, .shape = shape
	};
	int rc = mdb_env_get_fd(env, &walk.fd);
	if (!rc)
		rc = mdb_env_stat(env, &stat);
	if (!rc && fstat(walk.fd, &file) != 0)
		rc = errno;
	if (rc)
		return isx_lmdb_status(rc, "check pages", err);
	walk.page_bytes = stat.ms_psize;
	walk.file_bytes = (uint64_t)file.st_size;
	bool is_right = false;
	enum isx_status st = read_meta(txn, walk.fd, walk.page_bytes, walk.file_bytes, &meta,
				       &is_right, err);
	if (st)
		return st;
	walk.txn_id = meta.txn_id;
	walk.last_page = meta.last_page;
	if (!is_right)
		report(&walk, "page %llu is not right for one of the first two",
		       (unsigned long long)(meta.txn_id % META_COUNT));
	/* The bit maps have last_page bits: a damaged number must not ask for any amount of
	 * memory. */
	if (walk.last_page > walk.file_bytes / walk.page_bytes + UNWRITTEN_MAX)
		walk.last_page = walk.file_bytes / walk.page_bytes;
	st = walk_trees(&walk, &meta);
	*pages = walk.pages + META_COUNT;
	return st;
}

/* --- the way to one key ----------------------------------------------------------------------- */

/* The path from the root of a tree of plain values down to one key. */
struct descent {
	struct walk *walk;
	struct isx_known_pages *known;
	const uint8_t *map; /* beginning of LMDB's mapping of the file; NULL: not known */
	uint8_t *room;      /* buffer for a page and for walk->sizes; NULL: not needed yet */
};

/* Find the beginning of LMDB's mapping, which LMDB does not tell: `bytes` lie in a page of it,
 * and a page says its number. */
static const uint8_t *find_map(const void *bytes, uint32_t page_bytes)
{
	struct page_header header;
	if (page_bytes > (unsigned long)sysconf(_SC_PAGESIZE))
		return NULL; /* the map need not begin at a multiple of it */
	const uint8_t *page = (const uint8_t *)((uintptr_t)bytes & ~(uintptr_t)(page_bytes - 1));
	memcpy(&header, page, sizeof header);
	return page - header.number * page_bytes;
}

static bool is_known(const struct isx_known_pages *known, uint64_t number)
{
	return known && number < known->count &&
	       __atomic_load_n(&known->bits[number / 8], __ATOMIC_RELAXED) & 1 << number % 8;
}

static void note_known(struct isx_known_pages *known, uint64_t number)
{
	if (known && number < known->count)
		__atomic_fetch_or(&known->bits[number / 8], (uint8_t)(1 << number % 8),
				  __ATOMIC_RELAXED);
}

/* Note how long the file is, before a page is read that was not verified before. Called after the
 * snapshot began, so the file has all of its pages. False: the status says why. */
static bool measure_file(struct walk *walk)
{
	struct stat file;
	if (walk->file_bytes)
		return true;
	if (fstat(walk->fd, &file) != 0) {
		walk->status = isx_lmdb_status(errno, "read", walk->err);
		return false;
	}
	walk->file_bytes = (uint64_t)file.st_size;
	walk->last_page = walk->file_bytes / walk->page_bytes; /* read_page() finds one cut off */
	return true;
}

/* Return a verified page, or NULL after a finding or a failure. A page that was verified before is
 * read through the mapping, without a system call; any other one is read into descent->room, which
 * the next call overwrites. */
static const uint8_t *descend_to(struct descent *descent, uint64_t number, bool is_branch)
{
	static const struct shape values = { .kind = VALUES };
	struct walk *walk = descent->walk;
	struct page_header header;
	if (descent->map && is_known(descent->known, number)) {
		const uint8_t *page = descent->map + number * walk->page_bytes;
		memcpy(&header, page, sizeof header);
		/* A page that was freed and written again may be of another kind: it is read
		 * again. */
		if (header.flags == (is_branch ? P_BRANCH : P_LEAF))
			return page;
	}
	if (!measure_file(walk))
		return NULL;
	if (number < META_COUNT || number > walk->last_page) {
		report(walk, "page %llu: there is no such page", (unsigned long long)number);
		return NULL;
	}
	if (!descent->room)
		descent->room = isx_mem_array(2, walk->page_bytes);
	if (!descent->room) {
		walk->status = isx_fail_memory(walk->err);
		return NULL;
	}
	walk->sizes = (uint16_t *)(void *)(descent->room + walk->page_bytes);
	if (!read_page(walk, number, descent->room, walk->page_bytes))
		return NULL;
	memcpy(&header, descent->room, sizeof header);
	if (header.flags & (P_SUBP | P_DIRTY) ||
	    !check_page(walk, descent->room, walk->page_bytes, &header, &values, is_branch)) {
		report(walk, "page %llu is no page of a tree, or its entries lie outside of it",
		       (unsigned long long)number);
		return NULL;
	}
	note_known(descent->known, number);
	return descent->room;
}

/* Find a key in a page in the same steps as LMDB (mdb_node_search()): if the keys are not in
 * order, both still take the same path. */
static size_t find_entry(const uint8_t *page, const struct page_header *header, MDB_val key,
			 bool *is_exact)
{
	size_t count = count_entries(header), i = 0, offset;
	size_t low = header->flags & P_BRANCH ? 1 : 0, high = count;
	int order = 0;
	while (low < high) {
		i = (low + high - 1) / 2;
		struct node node = node_at(page, i, &offset);
		size_t common = node.key_bytes < key.mv_size ? node.key_bytes : key.mv_size;
		order = memcmp(key.mv_data, page + offset + NODE_BYTES, common);
		if (order == 0)
			order = (key.mv_size > node.key_bytes) - (key.mv_size < node.key_bytes);
		if (order == 0)
			break;
		if (order > 0)
			low = i + 1;
		else
			high = i;
	}
	*is_exact = order == 0;
	return order > 0 ? i + 1 : i;
}

/* Check the value of the entry that was found: a plain one, or the pages of a long one. */
static void check_found(struct descent *descent, const uint8_t *page, size_t i)
{
	struct walk *walk = descent->walk;
	size_t offset;
	struct node node = node_at(page, i, &offset);
	uint64_t number;
	if (node.flags & ~N_BIG) {
		report(walk, "an asset is not what it should be");
	} else if (node.flags && measure_file(walk)) {
		memcpy(&number, page + offset + NODE_BYTES + node.key_bytes, sizeof number);
		check_overflow(walk, number, value_bytes(node));
	}
}

/* Verify the pages from the root to the key. At the leaf only an exact match is looked at: if
 * there is none, LMDB returns MDB_NOTFOUND and reads nothing else. */
static void descend(struct descent *descent, const struct tree *tree, MDB_val key)
{
	uint64_t number = tree->root;
	if (tree->root == NO_PAGE)
		return;
	if (tree->depth == 0 || tree->depth > DEPTH_MAX) {
		report(descent->walk, "a tree of %u levels", tree->depth);
		return;
	}
	for (unsigned depth = tree->depth; depth > 0; depth--) {
		struct page_header header;
		bool is_exact;
		size_t offset;
		const uint8_t *page = descend_to(descent, number, depth > 1);
		if (!page)
			return;
		memcpy(&header, page, sizeof header);
		size_t i = find_entry(page, &header, key, &is_exact);
		if (depth == 1) {
			if (is_exact)
				check_found(descent, page, i);
			return;
		}
		/* In a branch the entry before the first larger key leads to the key. */
		if (i >= count_entries(&header))
			i = count_entries(&header) - 1;
		else if (!is_exact)
			i--;
		struct node node = node_at(page, i, &offset);
		number = value_bytes(node) | (uint64_t)node.flags << 32;
	}
}

enum isx_status isx_lmdb_pages_path(MDB_txn *txn, const char *name, MDB_val key,
				    struct isx_known_pages *known, isx_page_fn *found, void *arg,
				    struct isx_err *err)
{
	enum { MAIN_TABLE = 1 };
	struct walk walk = { .found = found, .arg = arg, .err = err };
	struct descent descent = { .walk = &walk, .known = known };
	struct tree tree;
	MDB_stat stat;
	MDB_val table = isx_lmdb_val(name, strlen(name)), record;
	int rc = mdb_get(txn, MAIN_TABLE, &table, &record);
	if (rc == MDB_NOTFOUND)
		return ISX_OK;
	if (!rc)
		rc = mdb_env_get_fd(mdb_txn_env(txn), &walk.fd);
	if (!rc)
		rc = mdb_env_stat(mdb_txn_env(txn), &stat);
	if (rc || record.mv_size != sizeof tree)
		return isx_lmdb_status(rc ? rc : MDB_CORRUPTED, name, err);
	memcpy(&tree, record.mv_data, sizeof tree);
	walk.page_bytes = stat.ms_psize;
	descent.map = find_map(record.mv_data, walk.page_bytes);
	descend(&descent, &tree, key);
	isx_mem_free(descent.room);
	return walk.status;
}
