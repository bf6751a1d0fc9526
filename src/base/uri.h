/*
 * uri.h - URIs in messages, without the user name and password that they may contain.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef ISX_URI_H
#define ISX_URI_H

/* Bytes of a URI in a message, with the NUL: leaves 56 of isx_err.msg for the rest. */
enum { ISX_URI_SHOWN_BYTES = 200 };

/* Copy a URI, or a text that contains one, with *** in place of everything from "://" (or the
 * beginning) to the last @. A password may itself contain @ or /, so the last @ counts: hiding too
 * much is safe.
 *   shown  filled, terminated; a text that does not fit is cut off
 * Returns `shown`. */
const char *isx_uri_show(const char *text, char shown[ISX_URI_SHOWN_BYTES]);

#endif
