/*
 * iscc_word.h - reads ISCCs in the forms that users give on the command line.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef ISX_ISCC_WORD_H
#define ISX_ISCC_WORD_H

#include "base/mem.h"
#include "iscc/header.h"

/* Read an ISCC in any form: those of isx_multibase_decode() (with and without "ISCC:", in either case,
 * multibase); in a URN, urn:iscc:... (its components ?+, ?= and # are no part of the name); in a URL, https://HOST/ISCC:..., or with the ISCC as the last
 * part of its path; each with `=` behind it or without.
 *   otherwise  the message about a word that is like no ISCC at all, such as "not an ISCC-ID"
 *   text    filled: "ISCC:" and base32, in `arena`
 *   header  filled: its header, which has its type
 * ISX_INVALID names the word and what was expected. */
ISX_MUST_CHECK enum isx_status iscc_word_read(const char *word, const char *otherwise,
					      struct isx_arena *arena, const char **text,
					      struct isx_header *header, struct isx_err *err);

#endif
