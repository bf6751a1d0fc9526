/*
 * web_files.c - embeds the files of web/ into the program.
 *
 * Paths are relative to the directory of the compiler: the top of the source tree. Only the files
 * of the list below are served: these URLs never reach the file system.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "http/web_files.h"

#define HTML "text/html; charset=utf-8"
#define JS   "text/javascript; charset=utf-8"
#define CSS  "text/css; charset=utf-8"
#define JSON "application/json"
#define SVG  "image/svg+xml"
#define TEXT "text/plain; charset=utf-8"
#define YAML "application/octet-stream" /* as 0.3.3 calls it */

/* symbol, path below web/ or below web/ in the build directory, content type. A file that does not
 * exist fails the build; one that is not in this list is not served. */
#define WEB_FILES(X)                                                                               \
	X(index_html, "index.html", HTML)                                                          \
	X(docs_html, "docs.html", HTML)                                                            \
	X(llms_txt, "llms.txt", TEXT)                                                              \
	X(guide_c, "docs/c.html", HTML)                                                            \
	X(guide_deployment, "docs/deployment.html", HTML)                                          \
	X(guide_differences, "docs/differences.html", HTML)                                        \
	X(guide_filters, "docs/filters.html", HTML)                                                \
	X(guide_postgres, "docs/postgres.html", HTML)                                              \
	X(guide_primer, "docs/primer.html", HTML)                                                  \
	X(guide_rest, "docs/rest.html", HTML)                                                      \
	X(guide_scaling, "docs/scaling.html", HTML)                                                \
	X(guide_scores, "docs/scores.html", HTML)                                                  \
	X(guide_troubleshooting, "docs/troubleshooting.html", HTML)                                \
	X(guide_tutorial, "docs/tutorial.html", HTML)                                              \
	X(bits_svg, "docs/pictures/bits.svg", SVG)                                                 \
	X(units_svg, "docs/pictures/units.svg", SVG)                                               \
	X(icon_svg, "static/img/icon.svg", SVG)                                                    \
	X(wordmark_svg, "static/img/wordmark.svg", SVG)                                            \
	X(app_js, "static/js/app.js", JS)                                                          \
	X(api_js, "static/js/api.js", JS)                                                          \
	X(compare_js, "static/js/compare.js", JS)                                                  \
	X(dom_js, "static/js/dom.js", JS)                                                          \
	X(iscc_js, "static/js/iscc.js", JS)                                                        \
	X(match_js, "static/js/match.js", JS)                                                      \
	X(overview_js, "static/js/overview.js", JS)                                                \
	X(query_js, "static/js/query.js", JS)                                                      \
	X(search_js, "static/js/search.js", JS)                                                    \
	X(docs_js, "static/js/docs.js", JS)                                                        \
	X(style_css, "static/css/style.css", CSS)                                                  \
	X(openapi_json, "openapi/openapi.json", JSON)                                              \
	X(openapi_yaml, "openapi/openapi.yaml", YAML)                                              \
	X(common_properties, "openapi/CommonProperties.yaml", YAML)                                \
	X(http_problem, "openapi/HttpProblem.yaml", YAML)                                          \
	X(iscc_batch_error, "openapi/IsccBatchError.yaml", YAML)                                   \
	X(iscc_batch_result, "openapi/IsccBatchResult.yaml", YAML)                                 \
	X(iscc_comparison, "openapi/IsccComparison.yaml", YAML)                                    \
	X(iscc_facets, "openapi/IsccFacets.yaml", YAML)                                            \
	X(iscc_fields, "openapi/IsccFields.yaml", YAML)                                            \
	X(iscc_filter, "openapi/IsccFilter.yaml", YAML)                                            \
	X(iscc_pair, "openapi/IsccPair.yaml", YAML)                                                \
	X(iscc_stats, "openapi/IsccStats.yaml", YAML)                                              \
	X(iscc_type_explanation, "openapi/IsccTypeExplanation.yaml", YAML)                         \
	X(iscc_work, "openapi/IsccWork.yaml", YAML)                                                \
	X(loading, "openapi/Loading.yaml", YAML)                                                   \
	X(http_error, "openapi/HttpError.yaml", YAML)                                              \
	X(iscc_add_result, "openapi/IsccAddResult.yaml", YAML)                                     \
	X(iscc_chunk, "openapi/IsccChunk.yaml", YAML)                                              \
	X(iscc_chunk_match, "openapi/IsccChunkMatch.yaml", YAML)                                   \
	X(iscc_entry, "openapi/IsccEntry.yaml", YAML)                                              \
	X(iscc_global_match, "openapi/IsccGlobalMatch.yaml", YAML)                                 \
	X(iscc_index, "openapi/IsccIndex.yaml", YAML)                                              \
	X(iscc_matched_chunk, "openapi/IsccMatchedChunk.yaml", YAML)                               \
	X(iscc_metadata, "openapi/IsccMetadata.yaml", YAML)                                        \
	X(iscc_query, "openapi/IsccQuery.yaml", YAML)                                              \
	X(iscc_search_result, "openapi/IsccSearchResult.yaml", YAML)                               \
	X(iscc_simprint, "openapi/IsccSimprint.yaml", YAML)

/* .incbin copies a file into .rodata at assembly time; the two symbols are its beginning and
 * end. */
#define EMBED(symbol, path, type)                                                                  \
	__asm__(".pushsection .rodata\n"                                                           \
		".global isx_web_" #symbol "\n"                                                    \
		".global isx_web_" #symbol "_end\n"                                                \
		".hidden isx_web_" #symbol "\n"                                                    \
		".hidden isx_web_" #symbol "_end\n"                                                \
		"isx_web_" #symbol ":\n"                                                           \
		".incbin \"web/" path "\"\n"                                                       \
		"isx_web_" #symbol "_end:\n"                                                       \
		".byte 0\n"                                                                        \
		".popsection\n");                                                                  \
	extern const char isx_web_##symbol[];                                                      \
	extern const char isx_web_##symbol##_end[];
WEB_FILES(EMBED)

#define LIST(symbol, path, type) { path, type, isx_web_##symbol, isx_web_##symbol##_end },
static const struct isx_web_file files[] = { WEB_FILES(LIST) };

/* One comparison for each file of the list: about 50, for a request that sends some KiB. */
const struct isx_web_file *isx_web_file_find(const char *folder, const char *name)
{
	struct isx_span wanted = isx_span_of(name);
	size_t folder_len = strlen(folder);
	for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
		const char *path = files[i].path;
		if (strncmp(path, folder, folder_len) == 0 &&
		    isx_span_is(wanted, path + folder_len))
			return &files[i];
	}
	return NULL;
}
