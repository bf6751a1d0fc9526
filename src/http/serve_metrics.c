/*
 * serve_metrics.c - answers /metrics: the counters of metrics.h, and numbers of the indexes, which
 *                   are read from the store for each request.
 *
 * The route needs the key, because names and sizes of indexes are confidential.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "http/metrics.h"
#include "http/serve.h"

/* Append the value of a label. Of the three characters that the format escapes, a line end is
 * replaced here like all other bytes that are not printable ASCII. */
static void add_label(struct isx_buf *buf, const char *text)
{
	for (; *text; text++) {
		if (*text == '"' || *text == '\\')
			isx_buf_char(buf, '\\');
		isx_buf_char(buf, *text >= ' ' && *text < 0x7f ? *text : '?');
	}
}

static void add_value(struct isx_buf *buf, const char *name, const char *index, uint64_t value)
{
	isx_buf_printf(buf, "%s{index=\"", name);
	add_label(buf, index);
	isx_buf_printf(buf, "\"} %llu\n", (unsigned long long)value);
}

/* The text format wants all values of a metric behind its head, without a gap: one loop for each
 * metric and not for each index. */
static void add_indexes(struct isx_buf *buf, const struct isx_index_info *infos, size_t count)
{
	isx_metrics_head(buf, "iscc_search_index_assets", "gauge", "Assets of an index.");
	for (size_t i = 0; i < count; i++)
		add_value(buf, "iscc_search_index_assets", infos[i].name, infos[i].assets);
	isx_metrics_head(buf, "iscc_search_index_bytes", "gauge", "Bytes of an index on disk.");
	for (size_t i = 0; i < count; i++)
		add_value(buf, "iscc_search_index_bytes", infos[i].name, infos[i].bytes);
	isx_metrics_head(buf, "iscc_search_index_readers", "gauge",
			 "Read transactions in an index, of all processes.");
	for (size_t i = 0; i < count; i++)
		add_value(buf, "iscc_search_index_readers", infos[i].name, infos[i].readers);
}

static void add_loads(struct isx_buf *buf, const struct isx_load *loads, size_t count)
{
	static const struct {
		const char *name, *help;
	} gauges[] = {
		{ "iscc_search_load_rows_done", "Rows of an index that is being loaded, so far." },
		{ "iscc_search_load_rows", "Rows of an index that is being loaded, in all." },
		{ "iscc_search_load_seconds_left", "How long loading an index will still take." },
	};
	for (size_t g = 0; g < sizeof gauges / sizeof *gauges; g++) {
		isx_metrics_head(buf, gauges[g].name, "gauge", gauges[g].help);
		for (size_t i = 0; i < count; i++)
			add_value(buf, gauges[g].name, loads[i].name,
				  g == 0   ? loads[i].done
				  : g == 1 ? loads[i].total
					   : loads[i].left_s);
	}
}

/* 200 also when the store fails: a scrape without an answer would hide the counters of this
 * process. */
enum isx_status isx_serve_metrics(struct http_req *req, struct http_res *res, struct isx_err *err)
{
	struct isx_index_info *infos = NULL;
	struct isx_load *loads = NULL;
	size_t count = 0;
	enum isx_status st = isx_index_list(req->store, &infos, &count, err);
	isx_metrics_print(req->metrics, &res->payload);
	/* A store that cannot be listed is no error here: the counters matter most then. */
	isx_metrics_head(&res->payload, "iscc_search_store_up", "gauge",
			 "1 if the indexes could be listed.");
	isx_buf_printf(&res->payload, "iscc_search_store_up %d\n", !st);
	if (!st)
		add_indexes(&res->payload, infos, count);
	isx_index_list_free(infos, count);
	if (!isx_loads(req->store, &loads, &count, err))
		add_loads(&res->payload, loads, count);
	isx_loads_free(loads);
	res->content_type = "text/plain; version=0.0.4; charset=utf-8";
	return ISX_OK;
}
