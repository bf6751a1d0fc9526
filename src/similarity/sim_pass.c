/*
 * sim_pass.c - compare the rows of an index with the units of many queries at once.
 *
 *   lanes := for each queried unit type and each length of stored bodies, its rows
 *   while a lane has rows:
 *       compare the new pages with all units that are asked of their lane; keep the hits
 *       last  := the least of the last ISCC-IDs of the current pages
 *       for each query with hits before `last`: rank those assets, in the order of ISCC-IDs
 *       read the next pages of each lane that ends at `last`
 *
 * A page is read from memory once for all queries: the kernels compare several times as fast as
 * memory delivers (bench/README.md). Before `last` the hits of all lanes are known, so an asset is
 * scored once, with its best unit of each type, and dropped or kept among the best `limit`. No list
 * of all hits exists, whatever matches.
 *
 * A unit that is alone in its lane is compared with several pages in one call of the kernel, which
 * prepares it once (compare_ahead()). For a search of 10,000 assets that is a tenth of the time.
 *
 * Several threads share the range of ISCC-IDs (sim_crew.h). Each has rankings of its own, which are
 * merged: scores do not depend on the cut, and the order of the ranking is total.
 *
 * Relies on: rows of a type being sorted by ISCC-ID (sim_format.h). Takes no lock but those of the
 * crew. Must not know where queries come from, nor what is shown of the winners.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "similarity/sim_pass.h"

#include "base/array.h"
#include "engine/paging.h"
#include "scan/kernel.h"
#include "similarity/sim_evidence.h"
#include "similarity/sim_tables.h"

#include <string.h>

/* Comparisons that make a further thread worth its start (bench/README.md, "Every core"): at 300,000
 * in all two threads are slower than one. */
enum { PAIRS_PER_THREAD = 300000 };

/* Pages of a lane that are read one after the other. They lie side by side in the file as a rule,
 * and the processor reads ahead. More would only take more memory where every row is a hit. */
enum { PAGES_AT_ONCE = 32 };

/* To look for the rows of a page that pass a filter takes about as long as so many comparisons. */
enum { COMPARISONS_PER_LOOK = 64 };

struct seat;

/* A hit that is not ranked yet, as other lanes may have more of its asset. */
struct ask_hit {
	uint64_t id;
	uint32_t distance;
};

/* One queried unit and one lane, as one thread compares them. */
struct ask {
	struct ask *next; /* of the lane, in the order of compared_bytes, as the kernels want it */
	struct seat *seat;
	struct lane *lane;
	const uint8_t *body;
	size_t compared_bytes;
	int32_t distance_max; /* -1: no row can count any more */
	size_t type;          /* position among the types of the plan */
	struct ask_hit *hits; /* in the order of ISCC-IDs, those from next_hit on */
	size_t next_hit, hit_count, hit_cap;
};

/* A lane and what is asked of it. */
struct lane {
	struct isx_lane pages;
	struct ask *asks;
	size_t ask_count;
	struct isx_scan_query *queries; /* for the kernels: room for all asks */
	struct ask **asked;             /* the ask of each of them */
	size_t live;                    /* asks for which a row can still count, listed in both */
	bool is_stale;                  /* a distance has changed: list them again */
	uint64_t uncounted;             /* rows compared that no meter has counted yet */
	uint64_t last;                  /* the last ISCC-ID of the current page */
	struct lane *next;
};

/* One member of the pass, as one thread ranks for it. */
struct seat {
	const struct isx_member *member;
	struct ask *asks;
	size_t ask_count;
	size_t hit_count; /* not ranked yet, of all asks */
	size_t *next_id;  /* of each list of INSTANCE ids, by the unit's position; NULL: no lists */
	size_t passing_at; /* isx_passing_has() */
	struct isx_ranking ranking;
	struct isx_lookup lookup; /* where the rank needs scores that are no hits */
	struct isx_meter meter;
	enum isx_status status;
	struct isx_err err;
};

/* The pass as one thread runs it. */
struct scanner {
	struct isx_lmdb_view *view;
	const struct isx_kernel *kernel;
	struct isx_arena arena;
	struct seat *seats;
	size_t seat_count;
	struct lane *lanes;
	struct isx_hit *hits; /* rows_max for each ask of a lane */
	size_t rows_max;
	uint64_t compared;
	bool is_alone; /* no other thread shares the range */
};

/* --- what is asked ---------------------------------------------------------------------------- */

enum isx_status isx_member_find_instances(struct isx_member *member, struct isx_lmdb_view *view,
					  struct isx_err *err)
{
	const struct isx_query_plan *plan = &member->plan;
	if (!isx_sim_tables(view)->instance)
		return ISX_OK;
	for (size_t i = 0; i < plan->unit_count; i++) {
		if (!plan->units[i].is_instance)
			continue;
		if (!member->instances)
			member->instances = isx_arena_alloc(member->arena, plan->unit_count,
							    sizeof *member->instances);
		if (!member->instances)
			return isx_fail_memory(err);
		enum isx_status st = isx_instances_find(view, &plan->units[i], member->arena,
							&member->instances[i], err);
		if (st)
			return st;
	}
	return ISX_OK;
}

/* The lane of a type and length, made if it is the first unit that asks for it. Members with other filters
 * have other lanes, which leave out other rows.
 *   only  the assets that pass the filter; NULL: all */
static struct lane *find_lane(struct scanner *scanner, const char *type, size_t body_bytes,
			      const struct isx_id_set *only)
{
	struct lane **at = &scanner->lanes;
	while (*at && ((*at)->pages.body_bytes != body_bytes || (*at)->pages.only != only ||
		       strcmp((*at)->pages.type, type) != 0))
		at = &(*at)->next;
	if (!*at)
		*at = isx_arena_alloc(&scanner->arena, 1, sizeof **at);
	if (*at) {
		(*at)->pages.type = type;
		(*at)->pages.body_bytes = body_bytes;
		(*at)->pages.only = only;
	}
	return *at;
}

/* Ask a unit of the lanes of its type. A lane in which no distance reaches the threshold is not
 * asked, and not read if no other unit asks. */
static enum isx_status ask_lanes(struct scanner *scanner, struct seat *seat,
				 const struct isx_indexed_unit *unit, struct isx_err *err)
{
	const struct isx_sim_tables *tables = isx_sim_tables(scanner->view);
	const struct isx_member *member = seat->member;
	size_t type = isx_query_type_position(&member->plan, unit->type);
	double threshold = member->scorer.types[type].threshold;
	for (size_t bytes = 1; bytes <= ISX_BODY_BYTES_MAX; bytes++) {
		size_t compared = unit->body_bytes < bytes ? unit->body_bytes : bytes;
		int32_t distance_max = tables->units[bytes]
					       ? isx_distance_max(threshold, (uint32_t)compared * 8)
					       : -1;
		if (distance_max < 0)
			continue;
		struct lane *lane = find_lane(scanner, unit->type, bytes,
					      member->passing ? &member->passing->ids : NULL);
		if (!lane)
			return isx_fail_memory(err);
		struct ask *ask = &seat->asks[seat->ask_count++];
		struct ask **at = &lane->asks;
		*ask = (struct ask){ .seat = seat,
				     .lane = lane,
				     .body = unit->body,
				     .compared_bytes = compared,
				     .distance_max = distance_max,
				     .type = type };
		while (*at && (*at)->compared_bytes < compared)
			at = &(*at)->next;
		ask->next = *at;
		*at = ask;
		lane->ask_count++;
	}
	return ISX_OK;
}

/* Prepare the ranking for a member. The cancel check was asked when the search began. */
static enum isx_status take_seat(struct scanner *scanner, const struct isx_member *member,
				 size_t tables, struct isx_err *err)
{
	const struct isx_query_plan *plan = &member->plan;
	struct seat *seat = &scanner->seats[scanner->seat_count++];
	*seat = (struct seat){
		.member = member,
		.asks = isx_arena_alloc(&scanner->arena, plan->unit_count * tables,
					sizeof *seat->asks),
		.next_id = member->instances ? isx_arena_alloc(&scanner->arena, plan->unit_count,
							       sizeof *seat->next_id)
					     : NULL,
		.ranking = isx_page_ranking(member->query, ISX_PAGE_MATCHES, member->arena->quota),
		.meter = isx_meter_of(member->query),
	};
	if (!seat->asks || (member->instances && !seat->next_id))
		return isx_fail_memory(err);
	enum isx_status st = member->scorer.needs_all
				     ? isx_lookup_begin(&seat->lookup, scanner->view, plan,
							member->instances, &scanner->arena, err)
				     : ISX_OK;
	for (size_t i = 0; !st && i < plan->unit_count; i++)
		if (!plan->units[i].is_instance) /* it has no rows in the tables of bodies */
			st = ask_lanes(scanner, seat, &plan->units[i], err);
	return st;
}

/* Make room in each lane for what the kernels are asked and what they find. One page of rows is
 * compared at a time, or the rows of up to two that pass a filter, and every row may be a hit. */
static enum isx_status make_room(struct scanner *scanner, size_t page_bytes, struct isx_err *err)
{
	size_t asks = 0, row_bytes = page_bytes;
	for (struct lane *lane = scanner->lanes; lane; lane = lane->next) {
		struct isx_lane *pages = &lane->pages;
		lane->is_stale = true;
		pages->leaves = isx_leaves_get(
			scanner->view, isx_sim_tables(scanner->view)->units[pages->body_bytes],
			(struct isx_span){ pages->type, strlen(pages->type) });
		lane->queries = isx_arena_alloc(&scanner->arena, lane->ask_count,
						sizeof *lane->queries);
		lane->asked = isx_arena_alloc(&scanner->arena, lane->ask_count,
					      sizeof *lane->asked);
		if (!lane->queries || !lane->asked)
			return isx_fail_memory(err);
		if (lane->ask_count > asks)
			asks = lane->ask_count;
		if (ISX_ROW_KEY_BYTES + lane->pages.body_bytes < row_bytes)
			row_bytes = ISX_ROW_KEY_BYTES + lane->pages.body_bytes;
	}
	scanner->rows_max = 2 * (page_bytes / row_bytes + 1);
	for (struct lane *lane = scanner->lanes; lane; lane = lane->next) {
		struct isx_lane *pages = &lane->pages;
		if (!pages->only)
			continue;
		pages->room_rows = page_bytes / row_bytes + 1;
		pages->room = isx_arena_alloc(&scanner->arena, scanner->rows_max,
					      ISX_ROW_KEY_BYTES + pages->body_bytes);
		if (!pages->room)
			return isx_fail_memory(err);
	}
	scanner->hits = isx_arena_alloc(&scanner->arena, asks * scanner->rows_max,
					sizeof *scanner->hits);
	return scanner->hits ? ISX_OK : isx_fail_memory(err);
}

/* Prepare a thread for all members that have not failed. scanner_end() follows also on failure. */
static enum isx_status scanner_begin(struct scanner *scanner, struct isx_lmdb_view *view,
				     const struct isx_member *members, size_t count,
				     struct isx_err *err)
{
	MDB_stat stat;
	size_t tables = 0;
	*scanner = (struct scanner){ .view = view, .kernel = isx_kernel_best() };
	int rc = mdb_env_stat(view->file->env, &stat);
	if (rc)
		return isx_lmdb_status(rc, "scan units", err);
	for (size_t bytes = 1; bytes <= ISX_BODY_BYTES_MAX; bytes++)
		tables += isx_sim_tables(view)->units[bytes] != 0;
	scanner->seats = isx_arena_alloc(&scanner->arena, count, sizeof *scanner->seats);
	enum isx_status st = scanner->seats ? ISX_OK : isx_fail_memory(err);
	for (size_t i = 0; !st && i < count; i++)
		if (!members[i].status)
			st = take_seat(scanner, &members[i], tables, err);
	return st ? st : make_room(scanner, stat.ms_psize, err);
}

/* Frees also what scanner_begin() has made before it failed. The rows of all members go to the
 * meter of the view, which adds them to the counters of the file when it ends. */
static void scanner_end(struct scanner *scanner)
{
	for (size_t i = 0; i < scanner->seat_count; i++) {
		struct seat *seat = &scanner->seats[i];
		for (size_t k = 0; k < seat->ask_count; k++)
			isx_mem_free(seat->asks[k].hits);
		isx_ranking_release(&seat->ranking);
		isx_lookup_end(&seat->lookup);
		scanner->view->meter.rows += seat->meter.rows;
	}
	for (struct lane *lane = scanner->lanes; lane; lane = lane->next)
		isx_leaves_put(scanner->view, lane->pages.leaves);
	isx_arena_release(&scanner->arena);
}

/* --- comparing -------------------------------------------------------------------------------- */

/* Let rows count only up to this distance; -1: none counts any more. */
static void limit_distance(struct ask *ask, int32_t distance_max)
{
	ask->lane->is_stale |= ask->distance_max != distance_max;
	ask->distance_max = distance_max;
}

/* Compare nothing more for a member that has failed or was cancelled. */
static void drop_seat(struct seat *seat, enum isx_status status)
{
	seat->status = status;
	seat->hit_count = 0;
	for (size_t i = 0; i < seat->ask_count; i++)
		limit_distance(&seat->asks[i], -1);
}

/* Keep the hits of a page for an ask. Hits of earlier pages may still wait for other lanes. */
static enum isx_status keep_hits(struct ask *ask, const struct isx_lane *pages,
				 const struct isx_hit *hits, size_t count, struct isx_err *err)
{
	if (ask->next_hit > 0) {
		ask->hit_count -= ask->next_hit;
		memmove(ask->hits, ask->hits + ask->next_hit, ask->hit_count * sizeof *ask->hits);
		ask->next_hit = 0;
	}
	enum isx_status st = isx_array_room(&ask->hits, &ask->hit_cap, ask->hit_count + count,
					    sizeof *ask->hits, NULL, err);
	if (st)
		return st;
	for (size_t i = 0; i < count; i++)
		ask->hits[ask->hit_count++] = (struct ask_hit){ isx_lane_id(pages, hits[i].row),
								hits[i].distance };
	ask->seat->hit_count += count;
	return ISX_OK;
}

/* Count the rows that were compared, and ask the members whether to go on. Done once in several
 * pages: with 320 units it touches as many seats. */
static void count_rows(struct lane *lane)
{
	for (size_t i = 0; lane->uncounted && i < lane->live; i++) {
		struct seat *seat = lane->asked[i]->seat;
		enum isx_status st = seat->status;
		if (!st)
			st = isx_meter_count(&seat->meter, lane->uncounted, &seat->err);
		if (st && !seat->status)
			drop_seat(seat, st);
	}
	lane->uncounted = 0;
}

/* List for the kernels what is asked of a lane. */
static void list_queries(struct scanner *scanner, struct lane *lane)
{
	count_rows(lane);
	lane->is_stale = false;
	lane->live = 0;
	for (struct ask *ask = lane->asks; ask; ask = ask->next) {
		if (ask->distance_max < 0)
			continue;
		lane->asked[lane->live] = ask;
		lane->queries[lane->live] = (struct isx_scan_query){
			.query = ask->body,
			.bytes = ask->compared_bytes,
			.distance_max = (uint32_t)ask->distance_max,
			.hits = scanner->hits + lane->live * scanner->rows_max,
		};
		lane->live++;
	}
}

/* Compare the current page of a lane with the units that are listed. */
static void run_kernel(const struct scanner *scanner, struct lane *lane)
{
	const struct isx_lane *pages = &lane->pages;
	struct isx_scan_query *queries = lane->queries;
	if (lane->live == 1) {
		const struct isx_scan one = { .rows = pages->rows,
					      .count = pages->count,
					      .row_bytes = pages->row_bytes,
					      .query = queries->query,
					      .bytes = queries->bytes,
					      .distance_max = queries->distance_max };
		queries->found = scanner->kernel->scan(&one, queries->hits);
	} else {
		const struct isx_scan_many many = { .rows = pages->rows,
						    .count = pages->count,
						    .row_bytes = pages->row_bytes,
						    .query_count = lane->live,
						    .queries = queries };
		scanner->kernel->scan_many(&many);
	}
}

/* Keep what the kernel has found in the current page. */
static void keep_found(struct lane *lane)
{
	for (size_t i = 0; i < lane->live; i++) {
		const struct isx_scan_query *query = &lane->queries[i];
		if (!query->found)
			continue;
		struct seat *seat = lane->asked[i]->seat;
		enum isx_status st = seat->status
					     ? ISX_OK
					     : keep_hits(lane->asked[i], &lane->pages, query->hits,
							 query->found, &seat->err);
		if (st)
			drop_seat(seat, st);
	}
}

/* Compare the current page of a lane with everything that is asked of it. */
static void compare_page(struct scanner *scanner, struct lane *lane)
{
	struct isx_lane *pages = &lane->pages;
	/* To look for rows that pass is work, too, which is shared among threads by this number. */
	scanner->compared += pages->looks * COMPARISONS_PER_LOOK;
	pages->looks = 0;
	if (pages->count == 0)
		return;
	if (lane->is_stale)
		list_queries(scanner, lane);
	if (lane->live == 0) { /* all members that asked are gone, or have better matches */
		isx_lane_close(pages);
		return;
	}
	run_kernel(scanner, lane);
	lane->last = isx_lane_id(pages, pages->count - 1); /* the kernel has brought it near */
	lane->uncounted += pages->count;
	scanner->compared += pages->count * lane->live;
	keep_found(lane);
}

/* Compare pages that follow the current one with the only unit that is asked of their lane, pages_max at most, up
 * to the first one with a hit. The last of them becomes the current page. Returns how many there were; 0: more
 * units are asked, or the pages are not known. */
static size_t compare_ahead(struct scanner *scanner, struct lane *lane, uint64_t id_max,
			    size_t pages_max)
{
	const struct isx_scan_page *pages;
	const size_t ahead = isx_lane_ahead(&lane->pages, id_max, pages_max, &pages);
	if (lane->is_stale)
		list_queries(scanner, lane);
	if (lane->live != 1 || ahead == 0)
		return 0;
	struct isx_scan_query *query = lane->queries;
	const struct isx_scan_pages scan = { .pages = pages,
					     .page_count = ahead,
					     .row_bytes = lane->pages.row_bytes,
					     .query = query->query,
					     .bytes = query->bytes,
					     .distance_max = query->distance_max };
	const size_t done = scanner->kernel->scan_pages(&scan, query->hits, &query->found);
	uint64_t rows = 0;
	for (size_t i = 0; i < done; i++)
		rows += pages[i].count;
	lane->uncounted += rows;
	scanner->compared += rows;
	isx_lane_skip(&lane->pages, done);
	lane->last = isx_lane_id(&lane->pages, lane->pages.count - 1);
	keep_found(lane);
	return done;
}

/* --- ranking ---------------------------------------------------------------------------------- */

/* The least ISCC-ID with a hit for the member, not beyond `last`; false if there is none. */
static bool least_id(const struct seat *seat, uint64_t last, uint64_t *id)
{
	const struct isx_member *member = seat->member;
	bool found = false;
	for (size_t i = 0; i < seat->ask_count; i++) {
		const struct ask *ask = &seat->asks[i];
		if (ask->next_hit < ask->hit_count && ask->hits[ask->next_hit].id <= last) {
			last = ask->hits[ask->next_hit].id;
			found = true;
		}
	}
	for (size_t i = 0; seat->next_id && i < member->plan.unit_count; i++) {
		const struct isx_instances *list = &member->instances[i];
		if (seat->next_id[i] < list->count && list->items[seat->next_id[i]].id <= last) {
			last = list->items[seat->next_id[i]].id;
			found = true;
		}
	}
	*id = last;
	return found;
}

/* Take the hits of the asset `id`, and with them the best evidence of each type.
 *   evidence  filled, in the order of the plan's types */
static void take_hits(struct seat *seat, uint64_t id, struct isx_evidence *evidence)
{
	const struct isx_query_plan *plan = &seat->member->plan;
	isx_evidence_clear(plan, evidence);
	for (size_t i = 0; i < seat->ask_count; i++) {
		struct ask *ask = &seat->asks[i];
		/* An asset may have several units of one type. */
		for (; ask->next_hit < ask->hit_count && ask->hits[ask->next_hit].id == id;
		     ask->next_hit++, seat->hit_count--)
			isx_evidence_raise(&evidence[ask->type], ask->hits[ask->next_hit].distance,
					   (uint32_t)ask->compared_bytes * 8);
	}
	for (size_t i = 0; seat->next_id && i < plan->unit_count; i++) {
		const struct isx_instances *list = &seat->member->instances[i];
		if (seat->next_id[i] < list->count && list->items[seat->next_id[i]].id == id)
			isx_evidence_raise(
				&evidence[isx_query_type_position(plan, plan->units[i].type)], 0,
				list->items[seat->next_id[i]++].bits);
	}
}

/* Lower the distances that count to those which may beat the worst of the best `limit`. Only where
 * one type is queried and assets are ranked by their score: there the score of an asset is that of
 * its best unit, and a lower distance is a higher score.
 *   is_ascending  the thread ranks all assets in the order of their ISCC-IDs: one with an equal
 *                 score has a larger ISCC-ID than those in the ranking, and does not get in. A
 *                 thread of several may get a range with lower ISCC-IDs later */
static void tighten(struct seat *seat, bool is_ascending)
{
	const struct isx_ranking *ranking = &seat->ranking;
	const struct isx_scorer *scorer = &seat->member->scorer;
	if (scorer->type_count != 1 || scorer->rank != ISX_RANK_SCORE || scorer->max_expect > 0 ||
	    seat->next_id || seat->member->query->counts || ranking->keeps_ids ||
	    ranking->count < ranking->limit)
		return;
	for (size_t i = 0; i < seat->ask_count; i++) {
		struct ask *ask = &seat->asks[i];
		int32_t distance = ask->distance_max;
		for (; distance >= 0; distance--) {
			double unit = isx_unit_score((uint32_t)distance,
						     (uint32_t)ask->compared_bytes * 8);
			double score = isx_asset_score(&unit, 1, scorer->exponent);
			if (score > ranking->items[0].rank ||
			    (!is_ascending && score == ranking->items[0].rank))
				break;
		}
		limit_distance(ask, distance);
	}
}

/* Rank the asset `id`, all of whose hits are known. */
static enum isx_status rank_asset(struct isx_lmdb_view *view, struct seat *seat, uint64_t id)
{
	const struct isx_member *member = seat->member;
	struct isx_evidence evidence[ISX_UNITS_MAX];
	struct isx_ranked ranked = { .id = id };
	enum isx_status st = ISX_OK;
	take_hits(seat, id, evidence);
	if (member->excludes_self && id == member->self)
		return ISX_OK; /* the queried asset is no match of itself */
	bool passes;
	st = isx_passing_has(member->passing, view, &seat->meter, id, &seat->passing_at, &passes,
			     &seat->err);
	if (st || !passes)
		return st;
	/* A tier depends on scores that are no hits, too. The best hit of a type is its true score. */
	if (member->scorer.needs_all)
		st = isx_meter_work(&seat->meter, ISX_METER_ASSET, &seat->err);
	if (!st && member->scorer.needs_all)
		st = isx_lookup_evidence(&seat->lookup, id, evidence, &seat->err);
	if (!st && isx_scorer_rank(&member->scorer, evidence, &ranked))
		st = isx_ranking_offer(&seat->ranking, ranked.rank, id, &seat->err);
	return st;
}

/* Rank the assets of a member up to `last`: all their hits are known. */
static void rank_assets(struct scanner *scanner, struct seat *seat, uint64_t last)
{
	enum isx_status st = ISX_OK;
	for (uint64_t id; !st && least_id(seat, last, &id);)
		st = rank_asset(scanner->view, seat, id);
	if (st)
		drop_seat(seat, st);
	else
		tighten(seat, scanner->is_alone);
}

/* The least of the last ISCC-IDs of the current pages; false if no lane has rows. */
static bool find_last(const struct scanner *scanner, uint64_t *last)
{
	bool found = false;
	for (const struct lane *lane = scanner->lanes; lane; lane = lane->next) {
		if (lane->pages.count > 0 && (!found || lane->last < *last))
			*last = lane->last;
		found |= lane->pages.count > 0;
	}
	return found;
}

/* Begin a range: open the lanes and compare their first pages. */
static enum isx_status open_range(struct scanner *scanner, uint64_t id_min, uint64_t id_max,
				  struct isx_err *err)
{
	for (size_t i = 0; i < scanner->seat_count; i++) {
		struct seat *seat = &scanner->seats[i];
		const struct isx_member *member = seat->member;
		seat->hit_count = seat->passing_at = 0;
		for (size_t k = 0; k < seat->ask_count; k++) /* of a range that was shortened */
			seat->asks[k].next_hit = seat->asks[k].hit_count = 0;
		for (size_t k = 0; seat->next_id && k < member->plan.unit_count; k++)
			seat->next_id[k] = isx_instances_position(&member->instances[k], id_min);
	}
	for (struct lane *lane = scanner->lanes; lane; lane = lane->next) {
		lane->pages.id_max = id_max;
		enum isx_status st = isx_lane_open(&lane->pages, scanner->view, id_min, err);
		if (st)
			return st;
		compare_page(scanner, lane);
		count_rows(lane);
	}
	return ISX_OK;
}

/* Read and compare the next pages of each lane that ends at `last`. */
static enum isx_status advance(struct scanner *scanner, uint64_t last, uint64_t id_max,
			       struct isx_err *err)
{
	enum isx_status st = ISX_OK;
	for (struct lane *lane = scanner->lanes; lane; lane = lane->next) {
		if (lane->last != last)
			continue;
		lane->pages.id_max = id_max;
		for (size_t done, i = 0;
		     !st && i < PAGES_AT_ONCE && lane->pages.count > 0 && lane->last <= id_max;
		     i += done) {
			done = compare_ahead(scanner, lane, id_max, PAGES_AT_ONCE - i);
			if (done)
				continue;
			st = isx_lane_next(&lane->pages, err);
			if (!st)
				compare_page(scanner, lane);
			done = 1;
		}
		count_rows(lane);
	}
	return st;
}

/* Rank the assets from id_min to id_max. The rows of the asset `last` may go on on the next page,
 * so it is ranked later. id_max falls when a part of the range is given to another thread. */
static enum isx_status rank_range(struct scanner *scanner, struct isx_ranges *ranges,
				  uint64_t id_min, uint64_t id_max, struct isx_err *err)
{
	uint64_t last = 0, given = scanner->compared;
	bool more = true;
	enum isx_status st = open_range(scanner, id_min, id_max, err);
	while (!st && more) {
		more = find_last(scanner, &last) && last <= id_max;
		for (size_t i = 0; i < scanner->seat_count; i++) {
			struct seat *seat = &scanner->seats[i];
			if (!seat->status && (seat->hit_count || seat->next_id) &&
			    (!more || last > 0))
				rank_assets(scanner, seat, more ? last - 1 : id_max);
		}
		if (!more)
			break;
		isx_ranges_share(ranges, last, scanner->compared, &given, &id_max);
		st = advance(scanner, last, id_max, err);
	}
	for (struct lane *lane = scanner->lanes; lane; lane = lane->next)
		isx_lane_close(&lane->pages);
	return st;
}

/* --- all threads ------------------------------------------------------------------------------ */

/* A pass as its threads share it. */
struct pass {
	struct isx_crew *crew;
	const struct isx_member *members; /* only read */
	size_t member_count;
	struct isx_ranges ranges;
	struct scanner first;                  /* of the caller's thread */
	struct scanner *further[ISX_CREW_MAX]; /* of each other thread, by its number; new */
};

/* An isx_crew_fn: rank ranges until none is left. */
static enum isx_status rank_ranges(void *arg, unsigned number, struct isx_err *err)
{
	struct pass *pass = arg;
	struct scanner *scanner = number ? isx_mem_array(1, sizeof *scanner) : &pass->first;
	uint64_t id_min, id_max;
	bool has_piece = false;
	enum isx_status st = scanner ? ISX_OK : isx_fail_memory(err);
	if (!st && number) {
		/* Noted before it begins: isx_pass_rank() ends every scanner, also one whose
		 * beginning has failed. */
		pass->further[number] = scanner;
		st = scanner_begin(scanner, pass->crew->views[number], pass->members,
				   pass->member_count, err);
	}
	while (!st && isx_ranges_take(&pass->ranges, has_piece, &id_min, &id_max)) {
		has_piece = true;
		st = rank_range(scanner, &pass->ranges, id_min, id_max, err);
	}
	if (st)
		isx_ranges_fail(&pass->ranges);
	return st;
}

/* A member fails as a whole when it has failed in one thread: a ranking without the assets of that
 * thread would be wrong. */
void isx_member_merge(struct isx_member *member, struct isx_ranking *ranking,
		      struct isx_ranking *part, enum isx_status status, const struct isx_err *err)
{
	if (status && !member->status) {
		member->status = status;
		member->err = *err;
	}
	if (!member->status)
		member->status = isx_ranking_merge(ranking, part, &member->err);
}

/* Give all members what one thread has ranked, and end it. Members without a seat had failed
 * before. */
static void merge_scanner(struct scanner *scanner, struct isx_member *members)
{
	for (size_t i = 0; i < scanner->seat_count; i++) {
		struct seat *seat = &scanner->seats[i];
		struct isx_member *member = &members[seat->member - members];
		isx_member_merge(member, &member->ranking, &seat->ranking, seat->status,
				 &seat->err);
	}
	scanner_end(scanner);
}

/* Is there so little to compare that one thread is enough? Known from what LMDB counts in each
 * table, of all types together, without reading anything. */
static bool is_small(const struct scanner *scanner)
{
	uint64_t pairs = 0;
	for (const struct lane *lane = scanner->lanes; lane; lane = lane->next) {
		MDB_stat stat;
		MDB_dbi table = isx_sim_tables(scanner->view)->units[lane->pages.body_bytes];
		if (mdb_stat(scanner->view->txn, table, &stat))
			return false;
		pairs += (uint64_t)stat.ms_entries * lane->ask_count;
	}
	return pairs < 2 * PAIRS_PER_THREAD;
}

/* How much is to be compared, and the last ISCC-ID that any row or INSTANCE has. */
static enum isx_status measure_work(const struct scanner *scanner, uint64_t *pairs,
				    uint64_t *id_max, struct isx_err *err)
{
	*pairs = *id_max = 0;
	for (const struct lane *lane = scanner->lanes; lane; lane = lane->next) {
		uint64_t rows, last;
		enum isx_status st = isx_lane_measure(&lane->pages, scanner->view, &rows, &last,
						      err);
		if (st)
			return st;
		*pairs += rows * lane->ask_count;
		if (last > *id_max)
			*id_max = last;
	}
	for (size_t i = 0; i < scanner->seat_count; i++) {
		const struct isx_member *member = scanner->seats[i].member;
		for (size_t k = 0; member->instances && k < member->plan.unit_count; k++) {
			const struct isx_instances *list = &member->instances[k];
			if (list->count && list->items[list->count - 1].id > *id_max)
				*id_max = list->items[list->count - 1].id;
		}
	}
	return ISX_OK;
}

enum isx_status isx_pass_rank(struct isx_member *members, size_t count, struct isx_crew *crew,
			      struct isx_lmdb_view *view, unsigned slots_max, struct isx_err *err)
{
	uint64_t pairs = 0, id_max = UINT64_MAX;
	*crew = (struct isx_crew){ .views = { view }, .count = 1 };
	struct pass pass = { .crew = crew, .members = members, .member_count = count };
	enum isx_status st = scanner_begin(&pass.first, view, members, count, err);
	if (!st && !is_small(&pass.first))
		st = measure_work(&pass.first, &pairs, &id_max, err);
	if (!st) {
		/* Nothing was measured for a small pass: `pairs` is 0 then, and the caller's
		 * thread takes all ISCC-IDs. */
		uint64_t wanted = pairs / PAIRS_PER_THREAD;
		isx_crew_begin(crew, view, slots_max,
			       wanted < ISX_CREW_MAX ? (unsigned)wanted : ISX_CREW_MAX);
		pass.first.is_alone = crew->count == 1;
		isx_ranges_init(&pass.ranges, 0, id_max);
		st = isx_crew_run(crew, crew->count, rank_ranges, &pass, err);
		isx_ranges_release(&pass.ranges);
	}
	/* Also after a failure, as this releases what the threads had. They have all ended. */
	merge_scanner(&pass.first, members);
	for (unsigned i = 1; i < ISX_CREW_MAX; i++) {
		if (pass.further[i])
			merge_scanner(pass.further[i], members);
		isx_mem_free(pass.further[i]);
	}
	for (size_t i = 0; i < count; i++)
		isx_ranking_sort(&members[i].ranking);
	return st;
}
