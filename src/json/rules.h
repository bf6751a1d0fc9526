/*
 * rules.h - the patterns that texts of the REST API have to match.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef ISX_RULES_H
#define ISX_RULES_H

#include "json/field.h"

extern const struct isx_text_rule isx_rule_iscc_id;
extern const struct isx_text_rule isx_rule_iscc_code;
extern const struct isx_text_rule isx_rule_simprint;       /* of an asset: 64 bits at least */
extern const struct isx_text_rule isx_rule_query_simprint; /* of a query: any length */
extern const struct isx_text_rule isx_rule_index_name;

/* May this be the name of a simprint type? It becomes the name of a table (and, should 0.3.3 open
 * the directory again, of a folder): 1 to 64 bytes, no path separators or control characters, no dot
 * in front; and no "assets_", which would make it the name of a table of another type
 * (similarity/sim_format.h). */
#define ISX_SIMPRINT_TYPE_RULE                                                                     \
	"A simprint type is 1 to 64 bytes without / and \\ and control characters, and does not "  \
	"begin with '.' or 'assets_'"
bool isx_is_simprint_type(struct isx_span text);

#endif
