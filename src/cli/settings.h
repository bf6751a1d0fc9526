/*
 * settings.h - the ISCC_SEARCH_* variables, of the environment and of .env in the working
 *              directory.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef ISX_SETTINGS_H
#define ISX_SETTINGS_H

#include "base/log.h"
#include "base/mem.h"

/* All settings, with the defaults of 0.3.3. Texts live until settings_release(). */
struct settings {
	const char *index_uri;
	const char *api_secret; /* NULL: not set */
	const char *cors_origins;
	const char *host;
	const char *api_key;   /* default of `index add --api-key` */
	const char *generator; /* command that makes ISCCs; NULL: none */
	unsigned long generator_timeout_s;
	const char *kernel; /* NULL: the best one */
	const char *postgres_schema;
	const char *postgres_followers; /* NULL: the default folder */
	const char *postgres_read_uri;  /* NULL: none */
	const char *postgres_search;    /* "follower" or "sql" */
	unsigned long postgres_connections;
	unsigned long postgres_timeout_s;
	unsigned long postgres_patience_s;
	bool read_only; /* of serve */
	bool relaxed;
	double match_threshold_units;
	double match_threshold_simprints;
	uint32_t rank;     /* enum isx_rank */
	double max_expect; /* 0: none */
	unsigned long port;
	unsigned long workers; /* 0: not set */
	unsigned long confidence_exponent;
	unsigned long body_mib;    /* largest body of a request */
	unsigned long answers_mib; /* memory of all large answers */
	unsigned long connections_max;
	unsigned long client_timeout_s; /* period in which a client has to transfer data */
	unsigned long threads;          /* 0: one per processor */
	unsigned long queue_max;        /* requests in each queue */
	unsigned long stop_s;           /* time to finish requests when the server stops */
	unsigned long map_gib;          /* 0: not set */
	unsigned long hub;              /* of new ISCC-IDs */
	enum isx_log_level log_level;
	enum isx_log_format log_format;
	const char *log_file; /* NULL: standard error */
	const char *tls_cert; /* files; NULL: no TLS */
	const char *tls_key;
	struct isx_arena texts;
};

/* Read all variables. ISX_INVALID names the variable and what was expected. Release the settings
 * also on failure. */
ISX_MUST_CHECK enum isx_status settings_read(struct settings *settings, struct isx_err *err);
void settings_release(struct settings *settings);

/* The options of a store under these settings. */
void settings_to_options(const struct settings *settings, struct isx_options *options);

/* Messages of the library name options of struct isx_options: put the variable that sets the option in
 * the place of its name. A message that names none stays. */
void settings_name_variables(struct isx_err *err);

/* The folder of the user's data: $XDG_DATA_HOME/iscc-search or ~/.local/share/iscc-search. */
const char *settings_data_folder(void);

#endif
