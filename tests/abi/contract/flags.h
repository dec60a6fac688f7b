/* SPDX-License-Identifier: MIT */
/*
 * flags.h - every flag, command and option of the calls that have many: what Linux 6.1 answers to each
 * in the plainest use of it.
 *
 * Where Tessera refuses what Linux does, kernel/linux/refusals.def says so, and these cases hold it to
 * that: on Tessera a refused flag must get just the error that is listed, and every other flag Linux's
 * answer; on Linux a flag that is listed must not get that error.
 *
 * FLAG(call, flag, errno on Linux or 0, expression in libc's manner), ROW the same with strings: each
 * row of the list must have one (tools/gen_linux_abi.py --check).
 */
#ifndef ABI_CONTRACT_FLAGS_H
#define ABI_CONTRACT_FLAGS_H
#include "../check.h"

#include <asm/prctl.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/fs.h>
#include <linux/futex.h>
#include <linux/membarrier.h>
#include <linux/openat2.h>
#include <linux/fiemap.h>
#include <sched.h>
#include <linux/securebits.h>
#include <linux/sockios.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <sys/timex.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <sys/xattr.h>
#include <termios.h>

struct refusal {
	const char *call, *flag;
	int         error;
};

#define REFUSED(call, flag, error, why) { #call, #flag, error },
static const struct refusal refusals[] = {
#include "../../../kernel/linux/refusals.def"
	{ NULL, NULL, 0 },
};
#undef REFUSED

static char   wrong[700];
static size_t wrong_size;

__attribute__((unused)) static const struct refusal *
find_refusal(const char *call, const char *flag)
{
	for (const struct refusal *r = refusals; r->call; r++)
		if (strcmp(r->call, call) == 0 && strcmp(r->flag, flag) == 0)
			return r;
	return NULL;
}

__attribute__((unused)) static bool
is_tessera(void)
{
	return access("/proc/tessera", F_OK) == 0;
}

__attribute__((unused)) static void
complain(const char *call, const char *flag, int got, const char *want)
{
	int n;

	if (wrong_size >= sizeof(wrong) - 1)
		return;
	n = snprintf(wrong + wrong_size, sizeof(wrong) - wrong_size, "%s %s: got %s, want %s; ", call,
		     flag, check_error_name(got), want);
	wrong_size += (size_t)n;
}

__attribute__((unused)) static void
answer(const char *call, const char *flag, int want, int got)
{
	const struct refusal *r = find_refusal(call, flag);

#ifdef LEARN
	char line[200];
	int n = snprintf(line, sizeof(line), "%s %s %s\n", call, flag, got ? check_error_name(got) : "0");
	int fd = open("/tmp/flags.log", O_WRONLY | O_APPEND | O_CREAT, 0666);
	(void)!write(fd, line, n);
	close(fd);
	return;
#endif
	if (r && is_tessera()) {
		if (got != r->error)
			complain(call, flag, got, check_error_name(r->error));
	} else {
		if (r && got == r->error)
			complain(call, flag, got, "that Linux does not refuse what is listed as refused");
		if (got != want)
			complain(call, flag, got, check_error_name(want));
	}
}

#define ROW(call, flag, want, expr)                                                                \
	do {                                                                                       \
		errno = 0;                                                                         \
		long value_ = (long)(expr);                                                        \
		answer(call, flag, want, value_ == -1 ? errno : 0);                                \
	} while (0)
#define FLAG(call, flag, want, expr) ROW(#call, #flag, want, expr)

#define FLAGS_END()                                                                                \
	do {                                                                                       \
		if (wrong_size)                                                                    \
			FAIL("%s", wrong);                                                         \
	} while (0)

/* Done in a child, whose state the flag may spoil; the child's errno is the answer. */
__attribute__((unused)) static int
in_child(long (*run)(long), long argument)
{
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		errno = 0;
		long r = run(argument);
		_exit(r == -1 ? errno : 0);
	}
	waitpid(pid, &status, 0);
	errno = WIFEXITED(status) ? WEXITSTATUS(status) : EFAULT;
	return errno ? -1 : 0;
}

#endif
