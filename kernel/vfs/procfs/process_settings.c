/* SPDX-License-Identifier: MIT */
/*
 * process_settings.c - files below /proc/PID that set something.
 */
#include <tessera/core.h>
#include <tessera/cred.h>
#include <tessera/errno.h>
#include <tessera/string.h>

#include "files.h"

#define OOM_DISABLE       (-17) /* the ends of the older scale */
#define OOM_ADJ_MAX       15
#define OOM_SCORE_ADJ_MAX 1000

#define DEFAULT_SLACK_NS 50000

/* A decimal number with an optional sign, white space around it. -EINVAL. */
static int
parse_signed(const char *data, int64_t *out)
{
	const char *end;
	bool negative;
	uint64_t v;

	while (*data == ' ' || *data == '\t')
		data++;
	negative = *data == '-';
	if (parse_u64(data + negative, &end, 10, &v) || v > INT64_MAX)
		return -EINVAL;
	while (*end == ' ' || *end == '\t' || *end == '\n')
		end++;
	if (*end)
		return -EINVAL;
	*out = negative ? -(int64_t)v : (int64_t)v;
	return 0;
}

/* oom_score_adj on the scale of -17 to 15 that it replaced. */
int
show_oom_adj(struct text *t, struct target *at)
{
	int score = READ_ONCE(at->process->oom_score_adj);

	text_print(t, "%d\n",
		   score == OOM_SCORE_ADJ_MAX ? OOM_ADJ_MAX : score * -OOM_DISABLE / OOM_SCORE_ADJ_MAX);
	return 0;
}

ssize_t
write_oom_adj(struct target *at, char *data, size_t n)
{
	int64_t v;
	int score;

	if (parse_signed(data, &v) || v < OOM_DISABLE || v > OOM_ADJ_MAX)
		return -EINVAL;
	score = v == OOM_ADJ_MAX ? OOM_SCORE_ADJ_MAX : (int)v * OOM_SCORE_ADJ_MAX / -OOM_DISABLE;
	if (score < READ_ONCE(at->process->oom_score_adj) && !capable(CAP_SYS_RESOURCE))
		return -EACCES;
	WRITE_ONCE(at->process->oom_score_adj, score);
	return (ssize_t)n;
}

int
show_coredump_filter(struct text *t, struct target *at)
{
	if (at->process->state == PROCESS_ALIVE)
		text_print(t, "%08x\n", atomic_load(&at->process->coredump_filter));
	return 0;
}

/* A number in any of C's three notations. */
ssize_t
write_coredump_filter(struct target *at, char *data, size_t n)
{
	const char *end;
	uint64_t v;

	if (parse_u64(data, &end, 0, &v) || v > UINT32_MAX)
		return -EINVAL;
	if (*end == '\n')
		end++;
	if (*end)
		return -EINVAL;
	atomic_store(&at->process->coredump_filter, (uint32_t)v & CORE_FILTER_ALL);
	return (ssize_t)n;
}

/* Another's slack is told to and set by CAP_SYS_NICE only. */
static bool
may_slack(struct target *at)
{
	return at->process == current_process() || capable(CAP_SYS_NICE);
}

int
show_timer_slack(struct text *t, struct target *at)
{
	if (!at->thread)
		return -ESRCH;
	if (!may_slack(at))
		return -EPERM;
	text_print(t, "%lu\n", READ_ONCE(at->thread->timer_slack_ns));
	return 0;
}

ssize_t
write_timer_slack(struct target *at, char *data, size_t n)
{
	int64_t v;

	if (!at->thread)
		return -ESRCH;
	if (!may_slack(at))
		return -EPERM;
	if (parse_signed(data, &v) || v < 0)
		return -EINVAL;
	WRITE_ONCE(at->thread->timer_slack_ns, v ? (uint64_t)v : DEFAULT_SLACK_NS);
	return (ssize_t)n;
}

