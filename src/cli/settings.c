/*
 * settings.c - reads the ISCC_SEARCH_* variables of the environment, and of .env (cli/dotenv.h)
 *              those that the environment lacks.
 *
 * Names are case-insensitive, and values are parsed as pydantic does, which 0.3.3 uses. The
 * variables of its graph engine are checked as there, but have no effect: there is no graph to
 * tune.
 * A wrong value is an error and not a warning: a server with another threshold or port than was
 * asked for would be found out late.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "cli/settings.h"

#include "base/buf.h"
#include "base/limits.h"
#include "cli/dotenv.h"
#include "cli/files.h"
#include "scan/kernel.h"
#include "json/wire.h"

#include <float.h>
#include <limits.h>
#include <pwd.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#define PREFIX "ISCC_SEARCH_"

enum kind { TEXT, NUMBER, FRACTION };

/* Each variable with its type, its range, and its field; NO_FIELD: accepted without effect. */
static const struct variable {
	const char *name; /* without the prefix */
	enum kind kind;
	unsigned long least, most;
	ptrdiff_t field;
} variables[] = {
#define FIELD(member) (ptrdiff_t) offsetof(struct settings, member)
#define NO_FIELD      -1
	{ "INDEX_URI", TEXT, 0, 0, FIELD(index_uri) },
	{ "API_SECRET", TEXT, 0, 0, FIELD(api_secret) },
	{ "API_KEY", TEXT, 0, 0, FIELD(api_key) },
	{ "CORS_ORIGINS", TEXT, 0, 0, FIELD(cors_origins) },
	{ "GENERATOR", TEXT, 0, 0, FIELD(generator) },
	{ "GENERATOR_TIMEOUT", NUMBER, 1, 86400, FIELD(generator_timeout_s) },
	{ "HOST", TEXT, 0, 0, FIELD(host) },
	{ "KERNEL", TEXT, 0, 0, FIELD(kernel) },
	{ "LOG_FILE", TEXT, 0, 0, FIELD(log_file) },
	{ "TLS_CERT", TEXT, 0, 0, FIELD(tls_cert) },
	{ "TLS_KEY", TEXT, 0, 0, FIELD(tls_key) },
	{ "POSTGRES_SCHEMA", TEXT, 0, 0, FIELD(postgres_schema) },
	{ "POSTGRES_FOLLOWER_DIR", TEXT, 0, 0, FIELD(postgres_followers) },
	{ "POSTGRES_READ_URI", TEXT, 0, 0, FIELD(postgres_read_uri) },
	{ "POSTGRES_SEARCH", TEXT, 0, 0, FIELD(postgres_search) },
	{ "POSTGRES_CONNECTIONS", NUMBER, 1, ISX_PG_CONNECTIONS_MAX, FIELD(postgres_connections) },
	{ "POSTGRES_TIMEOUT", NUMBER, 1, ISX_PG_SECONDS_MAX, FIELD(postgres_timeout_s) },
	{ "POSTGRES_PATIENCE", NUMBER, 0, ISX_PG_SECONDS_MAX, FIELD(postgres_patience_s) },
	{ "PORT", NUMBER, 0, 65535, FIELD(port) },
	{ "WORKERS", NUMBER, 1, 1024, FIELD(workers) },
	{ "THREADS", NUMBER, 1, 1024, FIELD(threads) },
	{ "STOP_TIMEOUT", NUMBER, 0, 3600, FIELD(stop_s) },
	{ "QUEUE_LIMIT", NUMBER, 1, 1 << 20, FIELD(queue_max) },
	{ "BODY_LIMIT_MIB", NUMBER, 1, 1 << 20, FIELD(body_mib) },
	{ "ANSWERS_MIB", NUMBER, 1, 1 << 20, FIELD(answers_mib) },
	{ "CONNECTIONS", NUMBER, 16, 1 << 20, FIELD(connections_max) },
	{ "CLIENT_TIMEOUT", NUMBER, 1, 3600, FIELD(client_timeout_s) },
	{ "HUB_NUMBER", NUMBER, 0, ISX_HUB_MAX, FIELD(hub) },
	{ "MAP_GIB", NUMBER, 1, 1 << 16, FIELD(map_gib) },
	{ "CONFIDENCE_EXPONENT", NUMBER, 1, UINT32_MAX, FIELD(confidence_exponent) },
	{ "MATCH_THRESHOLD_UNITS", FRACTION, 0, 0, FIELD(match_threshold_units) },
	{ "MATCH_THRESHOLD_SIMPRINTS", FRACTION, 0, 0, FIELD(match_threshold_simprints) },
	{ "SENTRY_TRACES_SAMPLE_RATE", FRACTION, 0, 0, NO_FIELD },
	{ "SHARD_SIZE_UNITS", NUMBER, 1, INT_MAX, NO_FIELD },
	{ "SHARD_SIZE_SIMPRINTS", NUMBER, 1, INT_MAX, NO_FIELD },
	{ "HNSW_EXPANSION_ADD_UNITS", NUMBER, 1, INT_MAX, NO_FIELD },
	{ "HNSW_EXPANSION_SEARCH_UNITS", NUMBER, 1, INT_MAX, NO_FIELD },
	{ "HNSW_CONNECTIVITY_UNITS", NUMBER, 1, INT_MAX, NO_FIELD },
	{ "HNSW_EXPANSION_ADD_SIMPRINTS", NUMBER, 1, INT_MAX, NO_FIELD },
	{ "HNSW_EXPANSION_SEARCH_SIMPRINTS", NUMBER, 1, INT_MAX, NO_FIELD },
	{ "HNSW_CONNECTIVITY_SIMPRINTS", NUMBER, 1, INT_MAX, NO_FIELD },
	{ "OVERSAMPLING_FACTOR", NUMBER, 1, INT_MAX, NO_FIELD },
	{ "FLUSH_INTERVAL", NUMBER, 0, INT_MAX, NO_FIELD },
	{ "AGGREGATOR_POLL_INTERVAL", NUMBER, 1, INT_MAX, NO_FIELD },
	{ "AGGREGATOR_HUB_REFRESH_INTERVAL", NUMBER, 1, INT_MAX, NO_FIELD },
};

/* --- .env ------------------------------------------------------------------------------------- */

/* getenv() returns char *, isx_dotenv_lookup_fn const char *. */
static const char *look_up(const char *name)
{
	return getenv(name);
}

/* An invalid line that contains the prefix is an error: if it sets the API secret, skipping it
 * would open the server to all clients. Other invalid lines belong to other programs. */
static enum isx_status check_bad(const struct isx_dotenv *file, struct isx_err *err)
{
	for (size_t i = 0; i < file->bad_count; i++) {
		struct isx_span text = file->bad[i].text;
		for (; text.len >= strlen(PREFIX); text = isx_span_skip(text, 1))
			if (strncasecmp(text.ptr, PREFIX, strlen(PREFIX)) == 0)
				return isx_fail(err, ISX_INVALID,
						"line %zu: expected NAME=VALUE, and quotes to be "
						"closed",
						file->bad[i].line);
	}
	return ISX_OK;
}

/* Read the .env of the working directory, if it exists. Its texts live in `arena`. */
static enum isx_status read_file(struct isx_dotenv *file, struct isx_arena *arena,
				 struct isx_err *err)
{
	static const char path[] = ".env";
	struct isx_buf text = { 0 };
	struct stat info;
	*file = (struct isx_dotenv){ 0 };
	/* A FIFO may feed secrets; other types and a missing file are no error, as in
	 * python-dotenv. */
	if (stat(path, &info) != 0 || !(S_ISREG(info.st_mode) || S_ISFIFO(info.st_mode)))
		return ISX_OK;
	enum isx_status st = files_read(path, FILES_ALSO_FIFO, &text, err);
	if (st) {
		isx_buf_release(&text);
		return isx_err_at(err, st, "%s", path);
	}
	/* ${NAME} in .env sees the environment, too. */
	st = isx_dotenv_parse((struct isx_span){ text.ptr, text.len }, look_up, arena, file, err);
	if (!st)
		st = check_bad(file, err);
	isx_buf_release(&text);
	return st ? isx_err_at(err, st, "%s", path) : ISX_OK;
}

/* --- the environment -------------------------------------------------------------------------- */

/* The value of PREFIX + name from the environment, or else from .env; NULL: not set. The exact name
 * wins over other spellings of the environment; of several in .env the last one counts. */
static const char *find_value(const char *name, const struct isx_dotenv *file)
{
	char full[64];
	size_t len = (size_t)snprintf(full, sizeof full, "%s%s", PREFIX, name);
	const char *exact = getenv(full);
	if (exact)
		return exact;
	/* 0.3.3 accepts names in any case, so the environment is searched. */
	/* The cost is one walk through the environment per variable, some thousand comparisons
	 * in all, once per process. */
	for (char **entry = environ; *entry; entry++)
		if (strncasecmp(*entry, full, len) == 0 && (*entry)[len] == '=')
			return *entry + len + 1;
	for (size_t i = file->entry_count; i-- > 0;)
		if (strcasecmp(file->entries[i].name, full) == 0)
			return file->entries[i].value;
	return NULL;
}

/* A number in the forms that pydantic accepts: "0.75", ".75", "7.5e-1", "0.7_5". strtod() alone
 * would also take hexadecimal, "inf" and "nan". */
static bool parse_fraction(struct isx_span text, double *found)
{
	char number[128], *end = number;
	size_t len = 0;
	text = isx_span_trim(text);
	if (text.len >= sizeof number)
		return false;
	for (size_t i = 0; i < text.len; i++) {
		bool is_joint = text.ptr[i] == '_' && i && i + 1 < text.len &&
				text.ptr[i - 1] != '_';
		if (text.ptr[i] && strchr("0123456789+-.eE", text.ptr[i]))
			number[len++] = text.ptr[i];
		else if (!is_joint)
			return false;
	}
	number[len] = '\0';
	*found = strtod(number, &end);
	return len && *end == '\0';
}

/* The message shows the full name of the variable and its range. */
static enum isx_status read_number(const struct variable *variable, const char *value,
				   unsigned long *number, struct isx_err *err)
{
	double found; /* exact: no range goes beyond 2^53 */
	if (!isx_span_whole(isx_span_of(value), &found) || found < (double)variable->least ||
	    found > (double)variable->most)
		return isx_fail(err, ISX_INVALID,
				PREFIX "%s=%s: expected a whole number from %lu to %lu",
				variable->name, value, variable->least, variable->most);
	*number = (unsigned long)found;
	return ISX_OK;
}

/* Written so that NaN fails the comparison. */
static enum isx_status read_fraction(const struct variable *variable, const char *value,
				     double *fraction, struct isx_err *err)
{
	double found;
	if (!parse_fraction(isx_span_of(value), &found) || !(found >= 0 && found <= 1))
		return isx_fail(err, ISX_INVALID, PREFIX "%s=%s: expected a number from 0 to 1",
				variable->name, value);
	*fraction = found;
	return ISX_OK;
}

/* Fields are written by memcpy(), because the table knows only their offsets; TEXT stores the
 * pointer, which lives as long as the environment or the arena of .env. */
static enum isx_status read_variable(const struct variable *variable, const char *value,
				     struct settings *settings, struct isx_err *err)
{
	char *field = variable->field == NO_FIELD ? NULL : (char *)settings + variable->field;
	unsigned long number = 0;
	double fraction = 0;
	enum isx_status st = ISX_OK;
	/* A variable without effect is checked all the same. */
	if (variable->kind == NUMBER) {
		st = read_number(variable, value, &number, err);
		if (!st && field)
			memcpy(field, &number, sizeof number);
	} else if (variable->kind == FRACTION) {
		st = read_fraction(variable, value, &fraction, err);
		if (!st && field)
			memcpy(field, &fraction, sizeof fraction);
	} else if (field) {
		memcpy(field, &value, sizeof value);
	}
	return st;
}

/* A boolean: 0, false, no, off or 1, true, yes, on, in any case. */
static bool read_bool(const char *text, bool *value)
{
	static const char *const words[][2] = {
		{ "0", "1" }, { "false", "true" }, { "no", "yes" }, { "off", "on" }
	};
	for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
		bool is_yes = strcasecmp(text, words[i][1]) == 0;
		if (is_yes || strcasecmp(text, words[i][0]) == 0) {
			*value = is_yes;
			return true;
		}
	}
	return false;
}

/* The settings of a store that the table does not know: words, and a number that is no fraction. An
 * empty value is as none. */
static enum isx_status read_store_words(struct settings *settings, const struct isx_dotenv *file,
					struct isx_err *err)
{
	const char *read_only = find_value("READ_ONLY", file);
	const char *durability = find_value("DURABILITY", file);
	if (read_only && read_only[0] && !read_bool(read_only, &settings->read_only))
		return isx_fail(err, ISX_INVALID, PREFIX "READ_ONLY=%s: expected true or false",
				read_only);
	const char *rank = find_value("RANK", file);
	const char *max_expect = find_value("MAX_EXPECT", file);
	if (rank && rank[0] && !(settings->rank = isx_rank_of_word(isx_span_of(rank))))
		return isx_fail(err, ISX_INVALID,
				PREFIX "RANK=%s: expected score, significance or tiered", rank);
	if (max_expect && max_expect[0] &&
	    (!parse_fraction(isx_span_of(max_expect), &settings->max_expect) ||
	     !(settings->max_expect > 0 && settings->max_expect <= DBL_MAX)))
		return isx_fail(err, ISX_INVALID, PREFIX "MAX_EXPECT=%s: expected a number above 0",
				max_expect);
	settings->relaxed = durability && strcasecmp(durability, "relaxed") == 0;
	if (durability && durability[0] && !settings->relaxed &&
	    strcasecmp(durability, "strict") != 0)
		return isx_fail(err, ISX_INVALID,
				PREFIX "DURABILITY=%s: expected strict or relaxed", durability);
	return ISX_OK;
}

/* The settings with a list of words. isx_kernel_force() has an effect on the whole process. */
static enum isx_status read_words(struct settings *settings, const struct isx_dotenv *file,
				  struct isx_err *err)
{
	const char *level = find_value("LOG_LEVEL", file);
	const char *format = find_value("LOG_FORMAT", file);
	const char *network = find_value("AGGREGATOR_NETWORK", file);
	if (level && !isx_log_level_parse(level, &settings->log_level))
		return isx_fail(err, ISX_INVALID,
				PREFIX
				"LOG_LEVEL=%s: expected debug, info, warning, error or critical",
				level);
	if (format && !isx_log_format_parse(format, &settings->log_format))
		return isx_fail(err, ISX_INVALID, PREFIX "LOG_FORMAT=%s: expected text or json",
				format);
	if (network && network[0] && strcmp(network, "testnet") != 0 &&
	    strcmp(network, "mainnet") != 0)
		return isx_fail(err, ISX_INVALID,
				PREFIX "AGGREGATOR_NETWORK=%s: expected testnet or mainnet",
				network);
	/* A set network would make 0.3.3 aggregate: ignoring it would start a server that does
	 * something else. */
	if (network && network[0])
		return isx_fail(err, ISX_INVALID,
				PREFIX
				"AGGREGATOR_NETWORK: this version does not aggregate hubs yet");
	if (strcmp(settings->postgres_search, "follower") != 0 &&
	    strcmp(settings->postgres_search, "sql") != 0)
		return isx_fail(err, ISX_INVALID,
				PREFIX "POSTGRES_SEARCH=%s: expected follower or sql",
				settings->postgres_search);
	/* The list has only the kernels that this processor can run. */
	if (settings->kernel && !isx_kernel_force(settings->kernel)) {
		char names[128] = "";
		for (size_t i = 0, len = 0; i < isx_kernel_count && len < sizeof names; i++)
			if (isx_kernels[i].runs_here())
				len += (size_t)snprintf(names + len, sizeof names - len, " %s",
							isx_kernels[i].name);
		return isx_fail(err, ISX_INVALID, PREFIX "KERNEL=%s: here run%s", settings->kernel,
				names);
	}
	return ISX_OK;
}

/* A relative XDG_DATA_HOME is ignored, as the XDG Base Directory Specification demands. */
const char *settings_data_folder(void)
{
	static char folder[PATH_MAX];
	const char *data = getenv("XDG_DATA_HOME"), *home = getenv("HOME");
	if (data && data[0] == '/') {
		snprintf(folder, sizeof folder, "%s/iscc-search", data);
		return folder;
	}
	if (!home || !home[0]) {
		const struct passwd *user = getpwuid(getuid());
		home = user ? user->pw_dir : "/";
	}
	snprintf(folder, sizeof folder, "%s/.local/share/iscc-search", home);
	return folder;
}

/* Defaults first, then the table, then the settings that are words. */
static enum isx_status read_all(struct settings *settings, struct isx_err *err)
{
	static char default_uri[PATH_MAX + 16];
	struct isx_dotenv file;
	struct isx_options options;
	enum isx_status st;
	isx_options_init(&options);
	snprintf(default_uri, sizeof default_uri, "usearch://%s", settings_data_folder());
	*settings =
		(struct settings){ .index_uri = default_uri,
				   .cors_origins = "*",
				   .host = "0.0.0.0",
				   .port = 8000,
				   .body_mib = ISX_BODY_MIB_DEFAULT,
				   .answers_mib = ISX_ANSWERS_MIB_DEFAULT,
				   .connections_max = ISX_CONNECTIONS_DEFAULT,
				   .client_timeout_s = ISX_CLIENT_TIMEOUT_DEFAULT,
				   .queue_max = ISX_QUEUE_DEFAULT,
				   .stop_s = 10,
				   .generator_timeout_s = 300,
				   .confidence_exponent = options.confidence_exponent,
				   .match_threshold_units = options.match_threshold_units,
				   .match_threshold_simprints = options.match_threshold_simprints,
				   .postgres_search = "follower",
				   .postgres_connections = options.postgres_connections,
				   .postgres_timeout_s = options.postgres_timeout_s,
				   .postgres_patience_s = options.postgres_patience_s,
				   .log_level = ISX_LOG_INFO };
	st = read_file(&file, &settings->texts, err);
	for (size_t i = 0; !st && i < sizeof variables / sizeof variables[0]; i++) {
		const char *value = find_value(variables[i].name, &file);
		if (value)
			st = read_variable(&variables[i], value, settings, err);
	}
	if (!st)
		st = read_store_words(settings, &file, err);
	if (!st)
		st = read_words(settings, &file, err);
	return st;
}

/* Read once: .env may be a FIFO, and commands ask for settings before they open a store, too. The texts
 * stay until the process ends, so copies own nothing. */
enum isx_status settings_read(struct settings *settings, struct isx_err *err)
{
	static struct settings all;
	static struct isx_err why;
	static enum isx_status status;
	static bool is_read;
	if (!is_read)
		status = read_all(&all, &why);
	is_read = true;
	*settings = all;
	settings->texts = (struct isx_arena){ 0 };
	return status ? isx_err_pass(err, &why) : ISX_OK;
}

void settings_release(struct settings *settings)
{
	isx_arena_release(&settings->texts);
}

/* The name of the option ends the message: a path before it may contain the same word. */
void settings_name_variables(struct isx_err *err)
{
	static const char *const names[][2] = {
		{ "map_bytes)", PREFIX "MAP_GIB)" },
		{ "postgres_timeout_s)", PREFIX "POSTGRES_TIMEOUT)" },
		{ "postgres_connections)", PREFIX "POSTGRES_CONNECTIONS)" },
		{ "(api_key)", "in the header X-API-Key: name it by 'index add NAME --remote URL "
			       "--api-key KEY', or for --uri by " PREFIX "API_KEY" },
	};
	char msg[sizeof err->msg];
	size_t len = strlen(err->msg);
	if (err->status != ISX_FULL && err->status != ISX_UNAVAILABLE &&
	    err->status != ISX_UNAUTHORIZED)
		return;
	for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
		size_t name_len = strlen(names[i][0]);
		if (len < name_len || strcmp(err->msg + len - name_len, names[i][0]) != 0)
			continue;
		size_t kept = len - name_len, most = sizeof msg - 1 - strlen(names[i][1]);
		snprintf(msg, sizeof msg, "%.*s%s", (int)(kept < most ? kept : most), err->msg,
			 names[i][1]);
		memcpy(err->msg, msg, sizeof msg);
		return;
	}
}

/* Only options that the settings know; the caller adds read_only, counters and the API key. */
void settings_to_options(const struct settings *settings, struct isx_options *options)
{
	static char followers[PATH_MAX + 16];
	isx_options_init(options);
	options->match_threshold_units = settings->match_threshold_units;
	options->match_threshold_simprints = settings->match_threshold_simprints;
	options->confidence_exponent = (uint32_t)settings->confidence_exponent;
	options->rank = settings->rank;
	options->max_expect = settings->max_expect;
	options->relaxed = settings->relaxed;
	options->threads = (uint32_t)settings->threads;
	options->map_bytes = (uint64_t)settings->map_gib << 30;
	options->hub = (uint32_t)settings->hub;
	options->temporary_directory = getenv("TMPDIR");
	/* Messages of the library go to the log of the program. */
	options->logger.fn = isx_log_message;
	options->postgres_schema = settings->postgres_schema;
	options->postgres_read_uri = settings->postgres_read_uri;
	options->postgres_connections = (uint32_t)settings->postgres_connections;
	options->postgres_timeout_s = (uint32_t)settings->postgres_timeout_s;
	options->postgres_patience_s = (uint32_t)settings->postgres_patience_s;
	snprintf(followers, sizeof followers, "%s/followers", settings_data_folder());
	if (strcmp(settings->postgres_search, "follower") == 0)
		options->postgres_followers = settings->postgres_followers
						      ? settings->postgres_followers
						      : followers;
}
