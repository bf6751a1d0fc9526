/*
 * timestamp.c - reads points in time. Pure functions: no time zone of the system is used.
 *
 * mktime() and strptime() are not used: they depend on the locale and the time zone of the process.
 * Seconds and a fraction may be missing; a leap second counts as the first second of the next
 * minute. A reader that fails may have moved behind a part of its text: the whole text is refused
 * then.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "base/timestamp.h"

/* Read exactly `digits` digits at the beginning of *text, and move behind them. */
static bool take_number(struct isx_span *text, size_t digits, unsigned most, unsigned *number)
{
	unsigned value = 0;
	if (text->len < digits)
		return false;
	for (size_t i = 0; i < digits; i++) {
		char c = text->ptr[i];
		if (c < '0' || c > '9')
			return false;
		value = value * 10 + (unsigned)(c - '0');
	}
	*text = isx_span_skip(*text, digits);
	*number = value;
	return value <= most;
}

/* Move behind the next character if it is one of `wanted`. */
static bool take_one(struct isx_span *text, const char *wanted, char *found)
{
	if (text->len == 0 || text->ptr[0] == '\0' || !strchr(wanted, text->ptr[0]))
		return false;
	*found = text->ptr[0];
	*text = isx_span_skip(*text, 1);
	return true;
}

/* Days from 1970-01-01 to a day of the Gregorian calendar; years begin in March here, so that the
 * leap day is the last of its year. */
static int64_t days_of(unsigned year, unsigned month, unsigned day)
{
	int64_t y = (int64_t)year - (month <= 2);
	int64_t era = (y >= 0 ? y : y - 399) / 400;
	int64_t of_era = y - era * 400;
	int64_t of_year = (153 * ((int64_t)month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
	return era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719468;
}

/* The days of a month, 1 to 12: the caller has checked that. */
static unsigned days_in(unsigned year, unsigned month)
{
	static const uint8_t days[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
	bool is_leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
	return days[month - 1] + (unsigned)(month == 2 && is_leap);
}

/* Read ".123456": further digits do not count. */
static bool take_fraction(struct isx_span *text, int64_t *us)
{
	unsigned digit;
	int64_t unit = 100000;
	if (!take_number(text, 1, 9, &digit))
		return false;
	do {
		*us += digit * unit;
		unit /= 10;
	} while (take_number(text, 1, 9, &digit));
	return true;
}

/* Read the time of day and its offset into *us. A blank may stand for the T, and for the + of an
 * offset, as which a URL may have sent it. */
static bool take_time(struct isx_span *text, int64_t *us)
{
	unsigned hour, minute, second = 0, hours, minutes;
	char c;
	if (!take_one(text, "Tt ", &c) || !take_number(text, 2, 23, &hour) ||
	    !take_one(text, ":", &c) || !take_number(text, 2, 59, &minute))
		return false;
	if (take_one(text, ":", &c) && !take_number(text, 2, 60, &second))
		return false;
	*us += ((int64_t)hour * 3600 + minute * 60 + second) * 1000000;
	if (take_one(text, ".,", &c) && !take_fraction(text, us))
		return false;
	if (text->len == 0 || take_one(text, "Zz", &c))
		return true;
	if (!take_one(text, "+- ", &c) || !take_number(text, 2, 23, &hours) ||
	    !take_one(text, ":", &(char){ 0 }) || !take_number(text, 2, 59, &minutes))
		return false;
	*us += (c == '-' ? 1 : -1) * ((int64_t)hours * 3600 + minutes * 60) * 1000000;
	return true;
}

/* Times before 1970 are refused last, as only the offset decides: 1969-12-31T23:00-02:00 is one of
 * 1970. */
bool isx_timestamp_parse(struct isx_span text, uint64_t *us)
{
	unsigned year, month, day;
	char c;
	/* 2025 and 20250131 are meant as a year and a day: as microseconds they would be in the first seconds of 1970. */
	if (isx_span_uint(text, UINT64_MAX, us))
		return text.len < 4 || text.len > 8;
	if (!take_number(&text, 4, 9999, &year) || !take_one(&text, "-", &c) ||
	    !take_number(&text, 2, 12, &month) || !take_one(&text, "-", &c) ||
	    !take_number(&text, 2, 31, &day) || month == 0 || day == 0 ||
	    day > days_in(year, month))
		return false;
	int64_t found = days_of(year, month, day) * 86400 * 1000000;
	if ((text.len && !take_time(&text, &found)) || text.len || found < 0)
		return false;
	*us = (uint64_t)found;
	return true;
}
