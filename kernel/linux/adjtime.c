/* SPDX-License-Identifier: MIT */
/*
 * adjtime.c - adjtimex, clock_adjtime: what a time daemon tells of the clock, kept for who asks.
 *
 * The clock runs at the machine's rate: it can be set, and put forward or back by an offset, but not be
 * made to run faster or slower. Modes that ask for that are refused (refusals.def), unless what they ask
 * is how it runs anyway. Rules: clock_adjtime(2).
 */
#include <tessera/cred.h>
#include <tessera/lock.h>
#include <tessera/process.h>

#include "clock_id.h"
#include "linux.h"

struct linux_timex {
	uint32_t modes, pad0;
	int64_t offset, frequency, max_error, estimated_error;
	int32_t status, pad1;
	int64_t constant, precision, tolerance;
	struct linux_timeval time;
	int64_t tick, pps_frequency, jitter;
	int32_t shift, pad2;
	int64_t stability, jitter_count, calibration_count, error_count, stability_count;
	int32_t tai, pad3[11];
};
_Static_assert(sizeof(struct linux_timex) == 208, "struct timex");

#define ADJ_OFFSET    0x0001u
#define ADJ_FREQUENCY 0x0002u
#define ADJ_MAXERROR  0x0004u
#define ADJ_ESTERROR  0x0008u
#define ADJ_STATUS    0x0010u
#define ADJ_TIMECONST 0x0020u
#define ADJ_TAI       0x0080u
#define ADJ_SETOFFSET 0x0100u
#define ADJ_MICRO     0x1000u
#define ADJ_NANO      0x2000u
#define ADJ_TICK      0x4000u
#define ADJ_ADJTIME   0x8000u /* with ADJ_OFFSET: adjtime(3); with ADJ_NANO's bit too: only read */

#define TIME_OK    0
#define TIME_ERROR 5

#define STA_UNSYNC 0x0040
#define STA_NANO   0x2000
#define STA_RONLY  0xff00

#define TICK_NORMAL 10000 /* microseconds of a tick of 1/100 s */
#define TICK_MIN    9000
#define TICK_MAX    11000
#define ERROR_MAX   16000000 /* microseconds */
#define CONSTANT_MAX 10
#define TAI_MAX      100000

/*
 * [t] adjtime_lock
 */
static struct mutex adjtime_lock = MUTEX_INIT(adjtime_lock, SLEEP_LEAF);
static int64_t max_error = ERROR_MAX, estimated_error = ERROR_MAX; /* [t] microseconds */
static int64_t constant = 2;         /* [t] */
static int32_t status = STA_UNSYNC;  /* [t] */
static int32_t tai;                  /* [a] seconds */

int
clock_tai_seconds(void)
{
	return atomic_load(&tai);
}

/* Linux's order: rights, then what makes sense. */
static int
check(const struct linux_timex *t)
{
	if (t->modes & ADJ_ADJTIME) {
		if (!(t->modes & ADJ_OFFSET))
			return -EINVAL;
		return !(t->modes & ADJ_NANO) && !capable(CAP_SYS_TIME) ? -EPERM : 0;
	}
	if (t->modes && !capable(CAP_SYS_TIME))
		return -EPERM;
	if ((t->modes & ADJ_TICK) && (t->tick < TICK_MIN || t->tick > TICK_MAX))
		return -EINVAL;
	if ((t->modes & ADJ_SETOFFSET) &&
	    (t->time.tv_usec < 0 ||
	     t->time.tv_usec >= (int64_t)(t->modes & ADJ_NANO ? NSEC_PER_SEC : NSEC_PER_SEC / 1000)))
		return -EINVAL;
	return 0;
}

/* Another rate than the machine's. */
static bool
asks_for_a_rate(const struct linux_timex *t)
{
	if (t->modes & ADJ_ADJTIME)
		return !(t->modes & ADJ_NANO) && t->offset != 0;
	return ((t->modes & ADJ_OFFSET) && t->offset != 0) ||
	       ((t->modes & ADJ_FREQUENCY) && t->frequency != 0) ||
	       ((t->modes & ADJ_TICK) && t->tick != TICK_NORMAL);
}

static int
put_forward(const struct linux_timex *t)
{
	int64_t unit = t->modes & ADJ_NANO ? 1 : 1000, ns;

	if (__builtin_mul_overflow(t->time.tv_sec, (int64_t)NSEC_PER_SEC, &ns) ||
	    __builtin_add_overflow(ns, t->time.tv_usec * unit, &ns) ||
	    __builtin_add_overflow(ns, (int64_t)clock_realtime_ns(), &ns) || ns < 0)
		return -EINVAL;
	return clock_set_realtime_ns((uint64_t)ns);
}

static void
change_locked(const struct linux_timex *t)
{
	if (t->modes & ADJ_STATUS)
		status = (status & STA_RONLY) | (t->status & ~STA_RONLY);
	if (t->modes & ADJ_NANO)
		status |= STA_NANO;
	if (t->modes & ADJ_MICRO)
		status &= ~STA_NANO;
	if (t->modes & ADJ_MAXERROR)
		max_error = MIN(MAX(t->max_error, 0l), (int64_t)ERROR_MAX);
	if (t->modes & ADJ_ESTERROR)
		estimated_error = MIN(MAX(t->estimated_error, 0l), (int64_t)ERROR_MAX);
	if (t->modes & ADJ_TIMECONST) {
		constant = MAX(t->constant, 0l);
		if (!(status & STA_NANO))
			constant += 4;
		constant = MIN(constant, (int64_t)CONSTANT_MAX);
	}
	if ((t->modes & ADJ_TAI) && t->constant >= 0 && t->constant <= TAI_MAX)
		atomic_store(&tai, (int32_t)t->constant);
}

/* What the clock is like now. */
static void
tell_locked(struct linux_timex *t, uint32_t modes)
{
	uint64_t ns = clock_realtime_ns();

	*t = (struct linux_timex){
		.modes = modes,
		.max_error = max_error,
		.estimated_error = estimated_error,
		.status = status,
		.constant = constant,
		.precision = 1,
		.tolerance = 32768000,
		.time = { (int64_t)(ns / NSEC_PER_SEC), (int64_t)(ns % NSEC_PER_SEC) },
		.tick = TICK_NORMAL,
		.tai = tai,
	};
	if (!(status & STA_NANO))
		t->time.tv_usec /= 1000;
}

long
linux_clock_adjtime(int clock, struct linux_timex __user *inout)
{
	struct linux_timex t;
	long state;
	uint64_t ns;
	int error;

	if (copy_from_user(&t, inout, sizeof(t)))
		return -EFAULT;
	if (clock != CLOCK_REALTIME)
		return clock_read(clock, &ns) ? -EINVAL : -EOPNOTSUPP;
	error = check(&t);
	if (!error && asks_for_a_rate(&t))
		error = -EINVAL;
	if (!error && (t.modes & (ADJ_SETOFFSET | ADJ_ADJTIME)) == ADJ_SETOFFSET)
		error = put_forward(&t);
	if (error)
		return error;
	mutex_lock(&adjtime_lock);
	if (!(t.modes & ADJ_ADJTIME))
		change_locked(&t);
	state = status & STA_UNSYNC ? TIME_ERROR : TIME_OK;
	tell_locked(&t, t.modes);
	mutex_unlock(&adjtime_lock);
	return copy_to_user(inout, &t, sizeof(t)) ? -EFAULT : state;
}

long
linux_adjtimex(struct linux_timex __user *inout)
{
	return linux_clock_adjtime(CLOCK_REALTIME, inout);
}
