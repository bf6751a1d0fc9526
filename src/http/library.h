/*
 * library.h - overrides functions of libmicrohttpd that answer or store by themselves.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef ISX_HTTP_LIBRARY_H
#define ISX_HTTP_LIBRARY_H

#include <microhttpd.h>

/* The original MHD_queue_response(), for answers of this program. Calling MHD_queue_response()
 * itself would reach the override of library.c. */
enum MHD_Result isx_library_queue_response(struct MHD_Connection *connection, unsigned status,
					   struct MHD_Response *response);

#endif
