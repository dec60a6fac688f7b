/* SPDX-License-Identifier: MIT */
/* log.c - lines on standard error, each written by one call so that two processes' lines do not mix. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "log.h"

static const char *log_driver = "driver", *log_device = "";
static bool log_verbose;

void
log_open(const char *driver, const char *device, bool verbose)
{
	log_driver = driver;
	log_device = device ? device : "";
	log_verbose = verbose;
}

static void
say(const char *what, const char *format, va_list ap)
{
	char line[512];
	int n = snprintf(line, sizeof(line), "%s%s%s: %s", log_driver, *log_device ? " " : "", log_device, what);

	if (n < 0 || n >= (int)sizeof(line) - 1)
		n = 0;
	vsnprintf(line + n, sizeof(line) - 1 - n, format, ap);
	n = strlen(line);
	line[n++] = '\n';
	(void)!write(STDERR_FILENO, line, n);
}

void
log_error(const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	say("error: ", format, ap);
	va_end(ap);
}

void
log_info(const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	say("", format, ap);
	va_end(ap);
}

void
log_debug(const char *format, ...)
{
	va_list ap;

	if (!log_verbose)
		return;
	va_start(ap, format);
	say("", format, ap);
	va_end(ap);
}
