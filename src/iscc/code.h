/*
 * code.h - an ISCC-CODE, a composite of ISCC-UNITs: split it into units, and compose it of units.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef ISX_CODE_H
#define ISX_CODE_H

#include "iscc/unit.h"

enum { ISX_CODE_UNITS_MAX = 64 };          /* an iscc_code may also be a sequence of units */
enum { ISX_CODE_TEXT_BYTES = 5 + 68 + 1 }; /* "ISCC:", 2 bytes of header and 40 of body, NUL */

/* Read a well-formed ISCC-CODE: "ISCC:" and upper-case base32 of a composite (main type ISCC) with
 * exactly the body its header announces. Subtypes TEXT, IMAGE, AUDIO, VIDEO and MIXED need a
 * SEMANTIC or CONTENT unit; SUM has none of META, SEMANTIC, CONTENT; NONE has META alone; WIDE
 * none. isx_code_compose() gives the same text back.
 *   units  filled, in the order META, SEMANTIC, CONTENT, DATA, INSTANCE: room for
 *          ISX_CODE_UNITS_MAX
 *   count  filled: 2 to 5
 * ISX_INVALID says what is wrong and where. */
ISX_MUST_CHECK enum isx_status isx_code_parse(struct isx_span text, struct isx_unit *units,
					      size_t *count, struct isx_err *err);

/* Check that an ISCC-CODE (main type ISCC) is as long as its header says. Otherwise its DATA and
 * INSTANCE would be read from wrong places. Any other text passes: units, units with bytes
 * behind them, and texts that are not ISCCs, which 0.3.3 stores with an asset all the same.
 * ISX_INVALID says how many characters were expected. */
ISX_MUST_CHECK enum isx_status isx_code_check(struct isx_span text, struct isx_err *err);

/* Split what clients of 0.3.3 send as iscc_code: a composite that passes isx_code_check(), one
 * unit, or a sequence of units. As in 0.3.3, the last unit of a sequence may be cut short, and so
 * may a composite behind a unit (its optional units are its first bytes, DATA and INSTANCE its last
 * 16). Every unit in the result has a type that exists, the length field of its header, and at
 * least one byte of body; isx_unit_print() gives the text that 0.3.3 shows.
 *   units  filled: room for ISX_CODE_UNITS_MAX
 *   count  filled: at least 1
 * ISX_INVALID says which unit is wrong, counted from 0, and how. */
ISX_MUST_CHECK enum isx_status isx_code_read(struct isx_span text, struct isx_unit *units,
					     size_t *count, struct isx_err *err);

/* Compose the ISCC-CODE of some units as 0.3.3 does for a query: 64 bits of each, in the order of
 * the main types; DATA and INSTANCE alone, both announcing at least 128 bits, give a WIDE code.
 *   text  filled: ISX_CODE_TEXT_BYTES of room
 * Returns false when these units form no code (DATA or INSTANCE missing, a main type twice, a
 * unit of less than 64 bits, SEMANTIC and CONTENT of different subtypes), which is no error. */
bool isx_code_compose(const struct isx_unit *units, size_t count, char *text);

#endif
