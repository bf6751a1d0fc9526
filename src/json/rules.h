/*
 * rules.h - the patterns of texts in the REST API, for bodies of requests and for assets of
 *           programs.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef ISX_RULES_H
#define ISX_RULES_H

#include "json/field.h"

extern const struct isx_text_rule isx_rule_iscc_id;
extern const struct isx_text_rule isx_rule_iscc_code;
extern const struct isx_text_rule isx_rule_simprint;       /* of an asset: 64 bits or more */
extern const struct isx_text_rule isx_rule_query_simprint; /* of a query: any length */
extern const struct isx_text_rule isx_rule_index_name;
extern const struct isx_text_rule isx_rule_unit_type; /* the form of "CONTENT_TEXT_V0" */

/* Is this a valid name of a simprint type? It becomes part of the name of a table and, when
 * 0.3.3 opens the directory again, the name of a folder: so 1 to 64 bytes, no path separators or
 * control characters, and no dot in front. "assets_" in front would give the name of a table of
 * another type (similarity/sim_format.h). */
#define ISX_SIMPRINT_TYPE_RULE                                                                     \
	"A simprint type is 1 to 64 bytes without / and \\ and control characters, and does not "  \
	"begin with '.' or 'assets_'"
bool isx_is_simprint_type(struct isx_span text);

#endif
