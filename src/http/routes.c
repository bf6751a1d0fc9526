/*
 * routes.c - the table of routes.
 *
 * The metrics count each route in a slot of its own, by the number of its row here: a new route may
 * stand anywhere, because all processes that share the counts run the same program.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "http/routes.h"

#include "http/serve.h"

enum { KEY = HTTP_NEEDS_KEY, KEY_AND_BODY = HTTP_NEEDS_KEY | HTTP_HAS_PAYLOAD };

const struct http_route isx_routes[] = {
	{ "GET", "/indexes", isx_serve_index_list, KEY, HTTP_POOL_QUICK },
	{ "POST", "/indexes", isx_serve_index_create, KEY_AND_BODY, HTTP_POOL_WRITE },
	{ "GET", "/indexes/{name}", isx_serve_index_stat, KEY, HTTP_POOL_QUICK },
	{ "DELETE", "/indexes/{name}", isx_serve_index_delete, KEY, HTTP_POOL_WRITE },
	{ "GET", "/indexes/{name}/fields", isx_serve_fields_get, KEY, HTTP_POOL_QUICK },
	{ "PUT", "/indexes/{name}/fields", isx_serve_fields_set, KEY_AND_BODY, HTTP_POOL_WRITE },
	{ "POST", "/indexes/{name}/assets", isx_serve_asset_add, KEY_AND_BODY, HTTP_POOL_WRITE },
	/* Of a hub number that few assets have, a page reads the keys of all. */
	{ "GET", "/indexes/{name}/assets", isx_serve_assets_list, KEY, HTTP_POOL_SCAN },
	{ "POST", "/indexes/{name}/assets/get", isx_serve_assets_get, KEY_AND_BODY,
	  HTTP_POOL_QUICK },
	{ "POST", "/indexes/{name}/assets/remove", isx_serve_assets_remove, KEY_AND_BODY,
	  HTTP_POOL_WRITE },
	{ "GET", "/indexes/{name}/assets/{iscc_id}", isx_serve_asset_get, KEY, HTTP_POOL_QUICK },
	{ "PATCH", "/indexes/{name}/assets/{iscc_id}", isx_serve_asset_patch, KEY_AND_BODY,
	  HTTP_POOL_WRITE },
	{ "DELETE", "/indexes/{name}/assets/{iscc_id}", isx_serve_asset_remove, KEY,
	  HTTP_POOL_WRITE },
	{ "GET", "/indexes/{name}/export", isx_serve_export, KEY, HTTP_POOL_BULK },
	{ "POST", "/indexes/{name}/import", isx_serve_import, KEY_AND_BODY | HTTP_TAKES_LINES,
	  HTTP_POOL_WRITE },
	{ "POST", "/indexes/{name}/search", isx_serve_search_post, KEY_AND_BODY, HTTP_POOL_SCAN },
	{ "GET", "/indexes/{name}/search", isx_serve_search_get, KEY, HTTP_POOL_SCAN },
	{ "POST", "/indexes/{name}/search/batch", isx_serve_search_batch,
	  KEY_AND_BODY | HTTP_TAKES_LINES, HTTP_POOL_BULK },
	{ "GET", "/indexes/{name}/duplicates", isx_serve_duplicates, KEY, HTTP_POOL_BULK },
	{ "GET", "/indexes/{name}/stats", isx_serve_index_stats, KEY, HTTP_POOL_SCAN },
	{ "POST", "/compare", isx_serve_compare, KEY_AND_BODY, HTTP_POOL_QUICK },
	/* Liveness and the static files are served by the event loop: they answer while every
	 * worker is busy. /readyz and /metrics read the store, so a worker runs them. */
	{ "GET", "/healthz", isx_serve_health, 0, HTTP_POOL_NONE },
	{ "GET", "/readyz", isx_serve_ready, 0, HTTP_POOL_QUICK },
	{ "GET", "/metrics", isx_serve_metrics, KEY, HTTP_POOL_QUICK },
	{ "GET", "/status", isx_serve_status, 0, HTTP_POOL_NONE },
	{ "GET", "/", isx_serve_root, 0, HTTP_POOL_NONE },
	{ "GET", "/playground", isx_serve_playground, 0, HTTP_POOL_NONE },
	{ "GET", "/docs", isx_serve_docs, 0, HTTP_POOL_NONE },
	{ "GET", "/llms.txt", isx_serve_llms, 0, HTTP_POOL_NONE },
	{ "GET", "/docs/*", isx_serve_guide, 0, HTTP_POOL_NONE },
	{ "GET", "/openapi/*", isx_serve_openapi_file, 0, HTTP_POOL_NONE },
	{ "GET", "/static/*", isx_serve_static_file, 0, HTTP_POOL_NONE },
};
const size_t isx_route_count = sizeof isx_routes / sizeof *isx_routes;

_Static_assert(sizeof isx_routes / sizeof *isx_routes < HTTP_ROUTES_MAX,
	       "the last number is left for requests without a route");

void isx_route_describe(size_t number, const char **method, const char **path)
{
	if (number < isx_route_count) {
		*method = isx_routes[number].method;
		*path = isx_routes[number].path;
	}
}
