/*
 * cmd_get.c - the command `get`: prints one asset.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "cli/commands.h"
#include "cli/iscc_word.h"
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

/* The message for a missing asset is that of 0.3.3. */
static int print_stored(struct target *target, const char *iscc_id)
{
	struct isx_err err = { 0 };
	char *json = NULL;
	enum isx_status st = isx_get(target->store, target->name, iscc_id, &json, &err);
	if (st == ISX_NOT_FOUND)
		st = isx_fail(&err, st, "Asset not found: %s", iscc_id);
	if (!st)
		print_asset(json);
	isx_text_free(json);
	return st ? target_fail(st, &err) : CLI_OK;
}

/* The ISCC-ID is parsed before the index is opened: a typing error must not create an index. */
static int run_get(const struct cli_args *args)
{
	struct target target;
	struct isx_arena arena = { 0 };
	struct isx_header header;
	struct isx_err err = { 0 };
	const char *iscc_id;
	int code = CLI_ERROR;
	enum isx_status st = iscc_word_read(args->words[0], &arena, &iscc_id, &header, &err);
	if (st) {
		code = target_fail(st, &err);
	} else {
		if (target_open(args, &target))
			code = print_stored(&target, iscc_id);
		target_close(&target);
	}
	isx_arena_release(&arena);
	return code;
}

static const struct cli_option options[] = { TARGET_OPTIONS };

const struct cli_command command_get = {
	.name = "get",
	.words = "ISCC_ID",
	.words_least = 1,
	.words_most = 1,
	.summary = "Show an asset by its ISCC-ID",
	.text = "ISCC_ID may have any form that 'search' accepts.\n\n"
		"Examples:\n"
		"  iscc-search get ISCC:MAIGHXLN555Y2DFF\n"
		"  iscc-search get ISCC:MAIGHXLN555Y2DFF --index production\n",
	.options = options,
	.option_count = sizeof options / sizeof options[0],
	.run = run_get,
};
