/*
 * cmd_get.c - show one asset.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "cli/commands.h"
#include "cli/target.h"
#include "json/json_pretty.h"
#include "json/json_text.h"

#include <stdio.h>

/* The four fields that 0.3.3 prints, null for what the asset lacks. */
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
	isx_json_pretty(&pretty, (struct isx_span){ compact.ptr, compact.len }, false);
	isx_buf_char(&pretty, '\n');
	fwrite(pretty.ptr, 1, pretty.len, stdout);
	isx_buf_release(&compact);
	isx_buf_release(&pretty);
}

static int run_get(const struct cli_args *args)
{
	struct target target;
	struct isx_err err = { 0 };
	char *json = NULL;
	int code = CLI_ERROR;
	if (target_open(args, &target)) {
		enum isx_status st = isx_get(target.store, target.name, args->words[0], &json,
					     &err);
		if (st == ISX_NOT_FOUND)
			st = isx_fail(&err, st, "Asset not found: %s", args->words[0]);
		if (st)
			code = target_fail(st, &err);
		else
			print_asset(json);
		code = st ? code : CLI_OK;
	}
	isx_text_free(json);
	target_close(&target);
	return code;
}

static const struct cli_option options[] = { TARGET_OPTIONS };

const struct cli_command command_get = {
	.name = "get",
	.words = "ISCC_ID",
	.words_least = 1,
	.words_most = 1,
	.summary = "Show an asset by its ISCC-ID",
	.text = "Examples:\n"
		"  iscc-search get ISCC:MAIGHXLN555Y2DFF\n"
		"  iscc-search get ISCC:MAIGHXLN555Y2DFF --index production\n",
	.options = options,
	.option_count = sizeof options / sizeof options[0],
	.run = run_get,
};
