/*
 * original.h - the functions of libmicrohttpd that library.c overrides, as libmicrohttpd has them.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef ISX_HTTP_ORIGINAL_H
#define ISX_HTTP_ORIGINAL_H

#include <microhttpd.h>

/* MHD_queue_response(), for answers of this program: a call of that name would reach the override
 * of library.c. MHD_NO: libmicrohttpd is linked statically, and cannot be overridden. */
enum MHD_Result isx_original_queue_response(struct MHD_Connection *connection, unsigned status,
					    struct MHD_Response *response);

/* MHD_set_connection_value_n(): store a value that was parsed, in the memory of the connection.
 * MHD_YES, and nothing is stored: as above. */
enum MHD_Result isx_original_set_value(struct MHD_Connection *connection, enum MHD_ValueKind kind,
				       const char *name, size_t name_len, const char *value,
				       size_t value_len);

#endif
