/*
 * cmd_serve.c - serve the REST API until a signal says stop.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "cli/commands.h"
#include "cli/settings.h"
#include "cli/target.h"
#include "http/server.h"

#include <signal.h>
#include <stdio.h>

enum { STOP_DEADLINE_MS = 10000 };

/* Options of the command line win over the environment. */
static bool apply_options(const struct cli_args *args, struct settings *settings)
{
	const char *host = cli_option_value(args, "--host");
	if (host)
		settings->host = host;
	if (cli_option_value(args, "--dev"))
		settings->log_level = ISX_LOG_DEBUG;
	return cli_option_number(args, "--port", 0, 65535, settings->port, &settings->port) &&
	       cli_option_number(args, "--workers", 1, 1024, settings->workers, &settings->workers);
}

static int serve(const struct settings *settings, struct isx_store *store, const sigset_t *stops)
{
	struct isx_server_settings how;
	struct isx_server *server;
	struct isx_err err = { 0 };
	int which;
	isx_server_settings_init(&how);
	how.store = store;
	how.host = settings->host;
	how.port = (uint16_t)settings->port;
	how.api_secret = settings->api_secret;
	how.cors_origins = settings->cors_origins;
	how.body_bytes_max = (size_t)settings->body_mib << 20;
	enum isx_status st = isx_server_start(&how, &server, &err);
	if (st)
		return target_fail(st, &err);
	printf("Starting server in production mode at http://%s:%u\n", settings->host,
	       isx_server_port(server));
	fflush(stdout);
	sigwait(stops, &which);
	isx_server_stop(server, STOP_DEADLINE_MS);
	return CLI_OK;
}

static int open_and_serve(const struct settings *settings)
{
	struct isx_options options;
	struct isx_store *store;
	struct isx_err err = { 0 };
	sigset_t stops;
	sigemptyset(&stops);
	sigaddset(&stops, SIGTERM);
	sigaddset(&stops, SIGINT);
	sigprocmask(SIG_BLOCK, &stops, NULL); /* before any thread is there: none takes them away */
	settings_to_options(settings, &options);
	enum isx_status st = isx_open(settings->index_uri, &options, &store, &err);
	if (st) {
		target_fail(isx_err_at(&err, st, "ISCC_SEARCH_INDEX_URI"), &err);
		return st == ISX_INVALID ? CLI_BAD_URI : CLI_ERROR;
	}
	int code = serve(settings, store, &stops);
	isx_close(store);
	return code;
}

static int run_serve(const struct cli_args *args)
{
	struct settings settings;
	struct isx_err err = { 0 };
	enum isx_status st = settings_read(&settings, &err);
	int code = CLI_ERROR;
	if (st) {
		target_fail(st, &err);
	} else if (apply_options(args, &settings)) {
		isx_log_set_level(settings.log_level);
		if (settings.workers > 1)
			fprintf(stderr,
				"Error: --workers %lu: one process serves with all cores; more "
				"than "
				"one cannot be started yet\n",
				settings.workers);
		else
			code = open_and_serve(&settings);
	} else {
		code = CLI_USAGE;
	}
	settings_release(&settings);
	return code;
}

static const struct cli_option options[] = {
	{ "--host", 'h', "HOST", "Address to listen on (ISCC_SEARCH_HOST, 0.0.0.0)" },
	{ "--port", 'p', "PORT", "Port to listen on, 0 for any free one (ISCC_SEARCH_PORT, 8000)" },
	{ "--dev", 'd', NULL, "Log everything" },
	{ "--workers", 'w', "N", "Processes; 1 for now (ISCC_SEARCH_WORKERS)" },
};

const struct cli_command command_serve = {
	.name = "serve",
	.summary = "Serve the REST API",
	.text = "What is served is named by ISCC_SEARCH_INDEX_URI, in the environment or in .env:\n"
		"  usearch:///DIR     similarity search, one file per index (default: the data "
		"folder)\n"
		"  memory://          the same, gone when the server stops\n\n"
		"Further variables: ISCC_SEARCH_API_SECRET (key that clients send as X-API-Key),\n"
		"ISCC_SEARCH_CORS_ORIGINS, ISCC_SEARCH_LOG_LEVEL, "
		"ISCC_SEARCH_MATCH_THRESHOLD_UNITS,\n"
		"ISCC_SEARCH_CONFIDENCE_EXPONENT, ISCC_SEARCH_BODY_LIMIT_MIB, "
		"ISCC_SEARCH_KERNEL.\n\n"
		"Examples:\n"
		"  iscc-search serve --port 9000\n"
		"  ISCC_SEARCH_INDEX_URI=usearch:///srv/iscc iscc-search serve --host 127.0.0.1\n",
	.options = options,
	.option_count = sizeof options / sizeof options[0],
	.run = run_serve,
};
