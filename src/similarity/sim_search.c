/*
 * sim_search.c - answer queries by scanning every row of the queried unit types.
 *
 * The searches of many threads that come at the same time are one pass (engine/pass_queue.h):
 *
 *   begin one transaction, after all of them have come
 *   plan each query; rank the assets for all of them together (sim_pass.h)
 *   rank the assets that share passages, for all queries with simprints (passage_search.h)
 *   for the winners only: the true score of every queried type they carry, and their metadata
 *
 * Searches of simprints have passes of their own, as those without need not wait for them; a search
 * for very many matches is alone in its pass.
 *
 * Built for 10^4 to 10^7 rows per type; memory is the limit for a few queries, the processor for
 * many. Relies on: rows of a type being sorted by ISCC-ID (sim_format.h).
 * Keeps: one read transaction for each thread of a pass, all of one snapshot, ended before the
 *        thread that leads the pass writes its own answer, as a reader that stays open makes the
 *        file grow. Writers go on meanwhile.
 * Must not know: HTTP, JSON beyond picking out metadata.        Measured: bench/README.md
 * SPDX-License-Identifier: Apache-2.0
 */
#include "similarity/sim_search.h"

#include "base/limits.h"
#include "engine/paging.h"
#include "engine/pass_queue.h"
#include "engine/scan_slots.h"
#include "iscc/code.h"
#include "similarity/passage_search.h"
#include "similarity/sim_evidence.h"
#include "similarity/sim_pass.h"
#include "similarity/sim_tables.h"
#include "storage/lmdb_assets.h"
#include "storage/lmdb_facets.h"
#include "json/wire.h"

#include <stdatomic.h>
#include <string.h>

/* A condition that every asset meets takes 2.5 ms of 100,000, as long as 100 units, but most conditions
 * name few. So that a filter of 900 conditions, which took 2.3 s there, delays no search of another
 * caller, a condition counts as so many units of its pass. */
enum { CONDITION_UNITS = 4 };

/* The queries of one caller that join a pass together. */
struct sim_party {
	struct isx_party party; /* first member: party_of() */
	struct isx_lmdb_file *file;
	const struct isx_options *options;
	struct isx_search_job *jobs;
	size_t count;
	bool has_passages;   /* all jobs search simprints; otherwise none does */
	atomic_size_t left;  /* jobs without an answer */
	struct isx_err gone; /* why no answer is wanted; only the caller's thread uses it */
};

/* A pass, in the thread that leads it. */
struct pass {
	struct isx_pass_queue *queue;
	struct isx_lmdb_view view;
	struct isx_crew crew;
	uint32_t realm;
	struct isx_arena arena;     /* of odds and filters */
	struct isx_type_odds *odds; /* of the unit types of members that need them */
	size_t count;
	struct isx_member *members;
	struct member_of {
		struct sim_party *party;
		struct isx_search_job *job;
	} * owners;         /* of each member */
	atomic_size_t next; /* the first member whose winners no thread has described */
	struct filtered {   /* the filters of the members, each text once */
		const char *text;
		struct isx_passing passing;
		struct filtered *next;
	} * filters;
};

static struct sim_party *party_of(struct isx_party *party)
{
	return (struct sim_party *)party;
}

/* --- the query -------------------------------------------------------------------------------- */

/* Evaluate the filter of a member, unless another member of the pass has the same one. If it fails for a
 * member whose memory is used up, the next member tries again. */
static enum isx_status filter_member(struct pass *pass, struct isx_member *member,
				     struct isx_err *err)
{
	const char *text = member->query->filter;
	struct filtered *found = pass->filters;
	struct isx_meter meter = isx_meter_of(member->query); /* the ranking has its own */
	if (!member->plan.filter)
		return ISX_OK;
	while (found && strcmp(found->text, text) != 0)
		found = found->next;
	if (!found) {
		found = isx_arena_alloc(&pass->arena, 1, sizeof *found);
		enum isx_status st = found ? isx_passing_find(&pass->view, member->plan.filter,
							      member->arena->quota, &meter,
							      &found->passing, err)
					   : isx_fail_memory(err);
		if (st)
			return st;
		found->text = text;
		found->next = pass->filters;
		pass->filters = found;
	}
	member->passing = &found->passing;
	return ISX_OK;
}

/* Plan the query. A query by iscc_id becomes the query of that asset, which is left out of the
 * matches. Of the asset only the longest form of each unit is queried, as only those have rows; of
 * a query with units every one. */
static enum isx_status plan_member(struct pass *pass, struct isx_member *member,
				   struct isx_err *err)
{
	struct isx_lmdb_view *view = &pass->view;
	const struct isx_query *query = member->query;
	struct isx_iscc_id id;
	struct isx_query effective = *query;
	enum isx_status st = ISX_OK;
	if (query->iscc_id) {
		st = isx_lmdb_query_of(view, query, member->arena, &effective, &id, err);
		if (!st && query->own_chunks)
			st = isx_passages_of_asset(view, id.body, member->arena, &effective, err);
		if (st)
			return st;
		member->excludes_self = true;
		member->self = id.body;
	}
	st = isx_query_plan(&effective, query->iscc_id ? ISX_LONGEST_FORMS : ISX_EVERY_UNIT,
			    member->arena, &member->plan, err);
	if (!st)
		st = filter_member(pass, member, err);
	if (!st)
		st = isx_scorer_init(&member->scorer, &member->plan, member->options,
				     member->options->match_threshold_units, false, member->arena,
				     err);
	if (member->scorer.explains) /* the answer repeats what the scores were made with */
		member->plan.query.exponent = member->scorer.exponent;
	if (!st && member->scorer.needs_odds)
		st = isx_sim_find_odds(view, &member->plan, &member->scorer, &pass->odds,
				       &pass->arena, err);
	return st ? st : isx_member_find_instances(member, view, err);
}

/* --- the winners ------------------------------------------------------------------------------ */

/* Describe a winner. The ranking saw only scores of the threshold or more. */
static enum isx_status make_match(const struct isx_member *member, struct isx_lookup *lookup,
				  const struct isx_iscc_id *id, struct isx_match *match,
				  struct isx_err *err)
{
	struct isx_evidence evidence[ISX_UNITS_MAX];
	struct isx_asset asset = { 0 };
	isx_iscc_id_print(id, match->iscc_id);
	isx_evidence_clear(&member->plan, evidence);
	enum isx_status st = isx_lookup_evidence(lookup, id->body, evidence, err);
	if (!st && member->scorer.explains)
		st = isx_lmdb_explain(lookup->view, id, &member->plan, member->arena, evidence,
				      err);
	if (!st)
		st = isx_scorer_describe(&member->scorer, &member->plan, evidence, member->arena,
					 match, err);
	if (!st)
		st = isx_lmdb_carried(lookup->view, id, member->plan.query.with, member->arena,
				      &asset, err);
	if (!st)
		ISX_MATCH_CARRY(match, &asset);
	return st;
}

/* Describe the winners, in the order of the ranking. */
static enum isx_status make_matches(const struct isx_member *member, struct isx_lmdb_view *view,
				    uint32_t realm, struct isx_result *result, struct isx_err *err)
{
	size_t count = member->ranking.count;
	struct isx_lookup lookup;
	struct isx_meter meter = isx_meter_of(member->query); /* the ranking has its own */
	struct isx_match *matches = isx_arena_alloc(member->arena, count, sizeof *matches);
	if (!matches)
		return isx_fail_memory(err);
	enum isx_status st = isx_lookup_begin(&lookup, view, &member->plan, member->instances,
					      member->arena, err);
	for (size_t i = 0; !st && i < count; i++) {
		const struct isx_iscc_id id = { .body = member->ranking.items[i].id,
						.realm = realm,
						.version = 1 };
		st = isx_meter_work(&meter, ISX_METER_ASSET, err);
		if (!st)
			st = make_match(member, &lookup, &id, &matches[i], err);
	}
	isx_lookup_end(&lookup);
	if (st)
		return st;
	result->matches = matches;
	result->match_count = count;
	result->match_total = member->ranking.offered;
	return ISX_OK;
}

/* Describe the assets that share passages with the simprints of the query. */
static enum isx_status make_chunk_matches(const struct isx_member *member,
					  struct isx_lmdb_view *view, uint32_t realm,
					  struct isx_result *result, struct isx_err *err)
{
	struct isx_chunk_match *matches = NULL;
	if (!member->passages)
		return ISX_OK;
	enum isx_status st = isx_passage_matches(member, view, realm, &matches,
						 &result->chunk_match_count,
						 &result->chunk_match_total, err);
	for (size_t i = 0; !st && i < result->chunk_match_count; i++) {
		const struct isx_iscc_id id = { .body = isx_passage_ranking(member)->items[i].id };
		struct isx_asset asset = { 0 };
		st = isx_lmdb_carried(view, &id, member->plan.query.with, member->arena, &asset,
				      err);
		ISX_MATCH_CARRY(&matches[i], &asset);
	}
	result->chunk_matches = matches;
	return st;
}

/* Count the values of declared fields among all matches of both lists. */
static enum isx_status count_facets(struct isx_member *member, struct isx_lmdb_view *view,
				    struct isx_result *result, struct isx_err *err)
{
	struct isx_ranking *of_passages = member->passages ? isx_passage_ranking(member) : NULL;
	enum isx_status st = isx_lmdb_facets(view, member->query, &member->ranking, member->arena,
					     &result->facets, err);
	return st ? st
		  : isx_lmdb_facets(view, member->query, of_passages, member->arena,
				    &result->chunk_facets, err);
}

/* --- one pass --------------------------------------------------------------------------------- */

/* Answer a job, and let the thread of its party go on when it was the last one: then neither may
 * be touched any more. */
static void serve_job(struct pass *pass, size_t number)
{
	struct member_of *owner = &pass->owners[number];
	struct isx_member *member = &pass->members[number];
	if (!member->status)
		member->status = isx_page_end(member->query, member->scorer.rank, &member->ranking,
					      mdb_txn_id(pass->view.txn), member->arena,
					      owner->job->result, &member->err);
	owner->job->status = member->status;
	if (member->status)
		owner->job->err = member->err;
	else /* the effective query, which the answer repeats */
		owner->job->result->query = member->plan.query;
	isx_ranking_release(&member->ranking);
	isx_passages_end(member);
	if (atomic_fetch_sub(&owner->party->left, 1) == 1)
		isx_pass_served(pass->queue, &owner->party->party);
}

/* An isx_crew_fn: describe the winners of the next member until none is left. */
static enum isx_status describe_members(void *arg, unsigned number, struct isx_err *err)
{
	struct pass *pass = arg;
	(void)err;
	for (size_t i; (i = atomic_fetch_add(&pass->next, 1)) < pass->count;) {
		struct isx_member *member = &pass->members[i];
		struct isx_lmdb_view *view = pass->crew.views[number];
		struct isx_result *result = pass->owners[i].job->result;
		if (!member->status)
			member->status = make_matches(member, view, pass->realm, result,
						      &member->err);
		if (!member->status)
			member->status = make_chunk_matches(member, view, pass->realm, result,
							    &member->err);
		if (!member->status)
			member->status = count_facets(member, view, result, &member->err);
		serve_job(pass, i);
	}
	return ISX_OK;
}

/* End all members of a pass that has failed as a whole. */
static void fail_members(struct pass *pass, enum isx_status status, const struct isx_err *err)
{
	for (size_t i = 0; i < pass->count; i++) {
		struct isx_member *member = &pass->members[i];
		if (!member->status)
			member->err = *err;
		member->status = member->status ? member->status : status;
	}
}

/* Plan and rank. Failures of single members are kept in them. */
static enum isx_status rank_members(struct pass *pass, unsigned slots_max, struct isx_err *err)
{
	bool has_realm;
	enum isx_status st = isx_sim_realm(&pass->view, &has_realm, &pass->realm, err);
	for (size_t i = 0; !st && i < pass->count; i++) {
		struct isx_member *member = &pass->members[i];
		if (!member->status)
			member->status = plan_member(pass, member, &member->err);
	}
	if (!st)
		st = isx_pass_rank(pass->members, pass->count, &pass->crew, &pass->view, slots_max,
				   err);
	return st ? st
		  : isx_passage_rank(pass->members, pass->count, &pass->crew, &pass->view,
				     slots_max, err);
}

/* Make the members of a pass of all jobs of its parties. Jobs that their callers have cancelled
 * before they came have a status already. */
static enum isx_status make_members(struct pass *pass, struct isx_party *parties,
				    struct isx_err *err)
{
	size_t count = 0;
	for (struct isx_party *party = parties; party; party = party->next)
		count += party_of(party)->count;
	pass->members = isx_mem_array(count, sizeof *pass->members);
	pass->owners = isx_mem_array(count, sizeof *pass->owners);
	if (!pass->members || !pass->owners)
		return isx_fail_memory(err);
	for (struct isx_party *party = parties; party; party = party->next) {
		struct sim_party *own = party_of(party);
		for (size_t i = 0; i < own->count; i++) {
			struct isx_search_job *job = &own->jobs[i];
			struct isx_member *member = &pass->members[pass->count];
			pass->owners[pass->count++] = (struct member_of){ own, job };
			member->query = job->query;
			member->options = own->options;
			member->arena = job->arena;
			member->status = job->status;
			if (job->status)
				member->err = job->err;
		}
	}
	return ISX_OK;
}

/* There is no memory for a pass: answer all parties with that. */
static void refuse_parties(struct isx_pass_queue *queue, struct isx_party *parties,
			   enum isx_status status, const struct isx_err *err)
{
	for (struct isx_party *party = parties, *next; party; party = next) {
		next = party->next; /* once it is served, its thread may end it */
		for (size_t i = 0; i < party_of(party)->count; i++) {
			party_of(party)->jobs[i].status = status;
			party_of(party)->jobs[i].err = *err;
		}
		isx_pass_served(queue, party);
	}
}

/* An isx_pass_fn. All steps of all members read one snapshot, so scores, metadata and passages of
 * an answer fit together. */
static void run_pass(struct isx_pass_queue *queue, struct isx_party *parties)
{
	struct pass pass = { .queue = queue };
	struct isx_err err = { 0 };
	const bool is_alone = parties->is_alone;
	enum isx_status st = make_members(&pass, parties, &err);
	if (st) {
		refuse_parties(queue, parties, st, &err);
	} else {
		pass.crew = (struct isx_crew){ .views = { &pass.view }, .count = 1 };
		st = isx_lmdb_read(party_of(parties)->file, ISX_PAGES_ROWS, &pass.view, &err);
		if (!st)
			st = rank_members(&pass, parties->slots_max, &err);
		if (st)
			fail_members(&pass, st, &err);
		else if (is_alone && pass.members[0].ranking.count > ISX_BULK_MATCHES)
			/* so many matches that the slot goes to another search before */
			isx_pass_release_slot(&pass.owners[0].party->party);
		unsigned members = pass.count < pass.crew.count ? (unsigned)pass.count
								: pass.crew.count;
		(void)!isx_crew_run(&pass.crew, members, describe_members, &pass, NULL);
		isx_crew_end(&pass.crew);
		isx_lmdb_end(&pass.view);
	}
	for (struct filtered *one = pass.filters; one; one = one->next)
		isx_passing_release(&one->passing);
	isx_arena_release(&pass.arena);
	isx_mem_free(pass.members);
	isx_mem_free(pass.owners);
}

/* --- joining a pass --------------------------------------------------------------------------- */

/* Is an answer to any of the jobs still wanted? */
static bool is_party_wanted(struct isx_party *party)
{
	struct sim_party *own = party_of(party);
	for (size_t i = 0; i < own->count; i++) {
		const struct isx_query *query = own->jobs[i].query;
		if (!isx_cancel_ask(query->cancel_check, query->cancel_arg, &own->gone))
			return true;
	}
	return false;
}

/* Does a search need a pass of its own? How many simprints an asset has is not known before the
 * pass. */
static bool is_alone(const struct isx_query *query)
{
	return query->limit > ISX_BULK_MATCHES || query->own_chunks;
}

static bool has_passages(const struct isx_query *query)
{
	return query->simprint_type_count > 0 || query->own_chunks;
}

/* About as many units and simprints as a query will compare: the pass has not begun, so an asset
 * counts as the five units that most have, and a code by its length. (With the most units that each
 * can have, only five such searches shared a pass.) */
static size_t count_units(const struct isx_query *query)
{
	enum { USUAL = 5, UNIT_LETTERS = 12 }; /* an ISCC-CODE of five units has 60 letters */
	size_t count = query->unit_count;
	if (query->iscc_id)
		count = USUAL;
	else if (!count && query->iscc_code)
		count = strlen(query->iscc_code) / UNIT_LETTERS + 1;
	for (size_t i = 0; i < query->simprint_type_count; i++)
		count += query->simprints[i].count;
	return count;
}

/* The conditions of the filter of a query, each of which is an object, and its facets: each may read
 * the rows of all assets.
 *   before  the query before it in its party, NULL: there is none. The same filter counts once */
static size_t count_conditions(const struct isx_query *query, const struct isx_query *before)
{
	const char *filter = query->filter;
	size_t count = query->facet_count;
	if (before && before->filter && filter && strcmp(before->filter, filter) == 0)
		return count;
	for (; filter && (filter = strchr(filter, '{')); filter++)
		count++;
	return count;
}

/* May a job join the party of the one before it? */
static bool joins_party(const struct sim_party *own, const struct isx_search_job *job)
{
	const struct isx_query *query = job->query;
	return !own->party.is_alone && !is_alone(query) &&
	       own->has_passages == has_passages(query) &&
	       own->party.units + count_units(query) <= ISX_PASS_UNITS_MAX;
}

/* Have the jobs of one party answered. */
static void run_party(struct sim_party *own)
{
	own->party.is_wanted = is_party_wanted;
	own->party.slots_max = isx_scan_slots_max(own->options);
	atomic_init(&own->left, own->count);
	/* A search of simprints takes longer: those without them do not wait for it. */
	struct isx_pass_queue *queue = own->has_passages ? &own->file->passage_passes
							 : &own->file->passes;
	if (isx_pass_queue_run(queue, &own->party, run_pass))
		return;
	for (size_t i = 0; i < own->count; i++) {
		own->jobs[i].status = own->gone.status;
		own->jobs[i].err = own->gone;
	}
}

/* A query may be cancelled before anything is read for it. The jobs in between go together, as many
 * as a pass takes. */
void isx_sim_search(struct isx_lmdb_file *file, const struct isx_options *options,
		    struct isx_search_job *jobs, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		struct isx_meter meter;
		jobs[i].err = (struct isx_err){ .position = ISX_NO_POSITION };
		jobs[i].status = isx_meter_start(&meter, jobs[i].query, &jobs[i].err);
	}
	for (size_t first = 0; first < count;) {
		size_t conditions = 0;
		struct sim_party own = { .file = file,
					 .options = options,
					 .jobs = jobs + first,
					 .gone = { .position = ISX_NO_POSITION } };
		own.party.is_alone = is_alone(jobs[first].query);
		own.has_passages = has_passages(jobs[first].query);
		do {
			conditions += count_conditions(jobs[first].query,
						       own.count ? jobs[first - 1].query : NULL);
			own.party.units += count_units(jobs[first++].query);
			own.count++;
		} while (first < count && joins_party(&own, &jobs[first]));
		own.party.units += conditions * CONDITION_UNITS;
		if (own.count > 1 || !own.jobs->status)
			run_party(&own);
	}
}
