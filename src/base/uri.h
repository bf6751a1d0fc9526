/*
 * uri.h - URIs in messages: without the name and password that they may hold.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef ISX_URI_H
#define ISX_URI_H

/* Bytes of a URI in a message, which has 256. */
enum { ISX_URI_SHOWN_BYTES = 200 };

/* Copy a URI, or a text with one, with *** for what stands before its last @, after "://" if that is
 * there: rather too much is hidden than a part of a password with an @ or a / in it.
 *   shown  filled; what does not fit is cut off
 * Returns `shown`. */
const char *isx_uri_show(const char *text, char shown[ISX_URI_SHOWN_BYTES]);

#endif
