/*
 * serve.h - all handlers; routes.c assigns them to paths.
 *
 * Each reads the request, uses its store and writes the answer.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef ISX_SERVE_H
#define ISX_SERVE_H

#include "http/request.h"

/* serve_index.c */
http_handler isx_serve_index_list;   /* GET /indexes */
http_handler isx_serve_index_create; /* POST /indexes */
http_handler isx_serve_index_stat;   /* GET /indexes/{name} */
http_handler isx_serve_index_stats;  /* GET /indexes/{name}/stats */
http_handler isx_serve_index_delete; /* DELETE /indexes/{name} */
http_handler isx_serve_fields_get;   /* GET /indexes/{name}/fields */
http_handler isx_serve_fields_set;   /* PUT /indexes/{name}/fields */

/* serve_asset.c */
http_handler isx_serve_asset_add;    /* POST /indexes/{name}/assets */
http_handler isx_serve_asset_get;    /* GET /indexes/{name}/assets/{iscc_id} */
http_handler isx_serve_asset_patch;  /* PATCH /indexes/{name}/assets/{iscc_id} */
http_handler isx_serve_asset_remove; /* DELETE /indexes/{name}/assets/{iscc_id} */

/* serve_export.c */
http_handler isx_serve_export; /* GET /indexes/{name}/export */
http_handler isx_serve_import; /* POST /indexes/{name}/import */

/* serve_assets.c */
http_handler isx_serve_assets_list;   /* GET /indexes/{name}/assets */
http_handler isx_serve_assets_get;    /* POST /indexes/{name}/assets/get */
http_handler isx_serve_assets_remove; /* POST /indexes/{name}/assets/remove */

/* serve_search.c */
http_handler isx_serve_search_post; /* POST /indexes/{name}/search */
http_handler isx_serve_search_get;  /* GET /indexes/{name}/search */

/* serve_compare.c */
http_handler isx_serve_compare; /* POST /compare */

/* serve_batch.c */
http_handler isx_serve_search_batch; /* POST /indexes/{name}/search/batch */

/* serve_duplicates.c */
http_handler isx_serve_duplicates; /* GET /indexes/{name}/duplicates */

/* Does a search ask for more than ISX_BULK_MATCHES matches? Composing its answer takes long. */
bool isx_search_is_bulk(struct http_req *req);

/* serve_service.c */
http_handler isx_serve_health;     /* GET /healthz: is the process alive? */
http_handler isx_serve_ready;      /* GET /readyz: can its store be used? */
http_handler isx_serve_status;     /* GET /status */
http_handler isx_serve_root;       /* GET /: a page for browsers, JSON for programs */
http_handler isx_serve_playground; /* GET /playground: redirect to /, the page was here in 0.3.3 */

/* serve_metrics.c */
http_handler isx_serve_metrics; /* GET /metrics */

/* serve_static.c */
http_handler isx_serve_start_page;   /* the page of / */
http_handler isx_serve_docs;         /* GET /docs */
http_handler isx_serve_guide;        /* GET /docs/NAME */
http_handler isx_serve_llms;         /* GET /llms.txt: what there is, for language models */
http_handler isx_serve_openapi_file; /* GET /openapi/FILE */
http_handler isx_serve_static_file;  /* GET /static/FILE */

#endif
