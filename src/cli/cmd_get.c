/*
 * cmd_get.c - the command `get`: prints one asset, or several.
 *
 * One asset is printed as 0.3.3 prints it; several are lines of JSON, which 0.3.3 does not have.
 * All are read in one call.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "cli/commands.h"
#include "cli/id_list.h"
#include "cli/say.h"
#include "cli/target.h"
#include "json/json_pretty.h"
#include "json/json_text.h"

#include <stdio.h>

/* Print the four members that 0.3.3 prints, null for those that the asset lacks. Values are copied
 * as JSON text, so numbers keep their digits. */
static void print_asset(const char *json)
{
	static const char *const names[] = { "iscc_id", "iscc_code", "units", "metadata" };
	struct isx_buf compact = { 0 }, pretty = { 0 };
	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
		struct isx_span value = isx_json_member(isx_span_of(json), names[i]);
		isx_buf_printf(&compact, "%s\"%s\":", i ? "," : "{", names[i]);
		isx_buf_add(&compact, value.len ? value.ptr : "null", value.len ? value.len : 4);
	}
	isx_buf_char(&compact, '}');
	/* false: null members are printed, as in 0.3.3. */
	isx_json_pretty(&pretty, (struct isx_span){ compact.ptr, compact.len }, false);
	say_json((struct isx_span){ pretty.ptr, pretty.len });
	isx_buf_release(&compact);
	isx_buf_release(&pretty);
}

/* Several: one a line, so that a program reads them as they come. The message for a missing asset is
 * that of 0.3.3. */
static int print_found(const struct id_list *ids, char *const *jsons)
{
	int code = CLI_OK;
	for (size_t i = 0; i < ids->count; i++) {
		if (!jsons[i]) {
			say_line(stderr, "Error: Asset not found: %s", ids->texts[i]);
			code = CLI_ERROR;
		} else if (ids->count == 1) {
			print_asset(jsons[i]);
		} else {
			say_json(isx_span_of(jsons[i]));
		}
	}
	return code;
}

/* A missing asset is no failure of the call: print_found() reports it, and prints the others. */
static int print_stored(struct target *target, const struct id_list *ids)
{
	struct isx_err err = { 0 };
	char **jsons = NULL;
	enum isx_status st = isx_get_many(target->store, target->name, ids->texts, ids->count,
					  &jsons, &err);
	if (st)
		return target_fail(st, &err);
	int code = print_found(ids, jsons);
	isx_texts_free(jsons, ids->count);
	return code;
}

/* ISCC-IDs are parsed before the index is opened: a typing error must not create an index. */
static int run_get(const struct cli_args *args)
{
	struct target target;
	struct id_list ids;
	struct isx_err err = { 0 };
	int code = CLI_ERROR;
	enum isx_status st = id_list_read(args, &ids, &err);
	if (st) {
		code = target_fail(st, &err);
	} else {
		if (target_open(args, &target))
			code = print_stored(&target, &ids);
		target_close(&target);
	}
	id_list_release(&ids);
	return code;
}

static const struct cli_option options[] = { TARGET_OPTIONS };

const struct cli_command command_get = {
	.name = "get",
	.words = "ISCC_ID...",
	.words_least = 1,
	.words_most = CLI_WORDS_MAX,
	.summary = "Show assets by their ISCC-IDs",
	.text = "ISCC_ID may have any form that 'search' accepts. Several assets are printed as "
		"JSON, "
		"one a\nline. With - ISCC-IDs are read from standard input, one a line.\n\n"
		"Examples:\n"
		"  iscc-search get ISCC:MAIGHXLN555Y2DFF\n"
		"  iscc-search get ISCC:MAIGHXLN555Y2DFF --index production\n",
	.options = options,
	.option_count = sizeof options / sizeof options[0],
	.run = run_get,
};
