/*
 * library.h - what libmicrohttpd would decide by itself is decided here.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef ISX_HTTP_LIBRARY_H
#define ISX_HTTP_LIBRARY_H

#include <microhttpd.h>

/* What MHD_queue_response() is for, where the answer is one of ours. */
enum MHD_Result isx_library_queue_response(struct MHD_Connection *connection, unsigned status,
					   struct MHD_Response *response);

#endif
