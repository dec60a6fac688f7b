/* SPDX-License-Identifier: MIT */
/*
 * exec_script.c - the first line of a script is split as execve(2) says.
 */
/* unit: kernel/proc/exec_script.c */
#include <string.h>

#include <tessera/errno.h>

#include "../../kernel/proc/exec.h"
#include "unit.h"

static void
expect(const char *text, const char *interpreter, const char *argument)
{
	struct script_line line;

	assert_int_equal(script_parse(text, strlen(text), &line), 0);
	assert_string_equal(line.interpreter, interpreter);
	if (argument)
		assert_string_equal(line.argument, argument);
	else
		assert_null(line.argument);
}

static void
lines(void **state)
{
	expect("#!/bin/sh\necho", "/bin/sh", NULL);
	expect("#!/bin/sh", "/bin/sh", NULL);
	expect("#! /bin/sh \n", "/bin/sh", NULL);
	expect("#!\t/usr/bin/env  python3 -u \t\n", "/usr/bin/env", "python3 -u");
	expect("#!/bin/sh -e", "/bin/sh", "-e");
}

static void
errors(void **state)
{
	char big[300];
	struct script_line line;

	assert_int_equal(script_parse("#", 1, &line), -ENOEXEC);
	assert_int_equal(script_parse("\x7f" "ELF", 4, &line), -ENOEXEC);
	assert_int_equal(script_parse("#!", 2, &line), -ENOEXEC);
	assert_int_equal(script_parse("#!  \t \n/bin/sh", 14, &line), -ENOEXEC);
	memset(big, 'x', sizeof(big));
	memcpy(big, "#!/", 3);
	assert_int_equal(script_parse(big, 256, &line), -ENOEXEC); /* the name is cut off */
	big[100] = ' ';
	assert_int_equal(script_parse(big, 256, &line), 0);        /* only the argument is */
	assert_int_equal(strlen(line.argument), 155);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lines),
		cmocka_unit_test(errors),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
