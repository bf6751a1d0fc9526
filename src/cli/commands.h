/*
 * commands.h - the tables of all commands, for main.c.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef ISX_COMMANDS_H
#define ISX_COMMANDS_H

#include "cli/args.h"

extern const struct cli_command command_add;
extern const struct cli_command command_compare;
extern const struct cli_command command_datasets;
extern const struct cli_command command_duplicates;
extern const struct cli_command command_export;
extern const struct cli_command command_get;
extern const struct cli_command command_hub;
extern const struct cli_command command_import;
extern const struct cli_command command_index;
extern const struct cli_command command_index_backup;
extern const struct cli_command command_index_check;
extern const struct cli_command command_index_compact;
extern const struct cli_command command_index_copy;
extern const struct cli_command command_index_fields;
extern const struct cli_command command_index_stats;
extern const struct cli_command command_list;
extern const struct cli_command command_remove;
extern const struct cli_command command_inspect;
extern const struct cli_command command_search;
extern const struct cli_command command_serve;
extern const struct cli_command command_stats;

#endif
