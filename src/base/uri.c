/*
 * uri.c - hide the user name and password of a URI.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "base/uri.h"

#include <stdio.h>
#include <string.h>

const char *isx_uri_show(const char *text, char shown[ISX_URI_SHOWN_BYTES])
{
	const char *scheme = strstr(text, "://"), *at = strrchr(text, '@');
	/* "://" behind an @ is part of a password or a query, not the end of the scheme */
	const char *start = scheme && strchr(text, '@') > scheme ? scheme + 3 : text;
	if (at)
		snprintf(shown, ISX_URI_SHOWN_BYTES, "%.*s***%s", (int)(start - text), text, at);
	else
		snprintf(shown, ISX_URI_SHOWN_BYTES, "%s", text);
	return shown;
}
