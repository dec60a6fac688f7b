/* SPDX-License-Identifier: MIT */
/* membarrier, and rseq: sequences that a thread restarts when it is moved. */
#include "../check.h"

#include <linux/membarrier.h>
#include <sched.h>
#include <sys/rseq.h>

TEST(membarrier_query_and_private_expedited)
{
	long commands = syscall(SYS_membarrier, MEMBARRIER_CMD_QUERY, 0, 0);

	if (commands < 0 && errno == ENOSYS)
		SKIP("no membarrier");
	CHECK(commands >= 0);
	CHECK_ERRNO(syscall(SYS_membarrier, MEMBARRIER_CMD_QUERY, 1, 0), EINVAL);
	CHECK_ERRNO(syscall(SYS_membarrier, 1 << 30, 0, 0), EINVAL);
	if (!(commands & MEMBARRIER_CMD_PRIVATE_EXPEDITED))
		SKIP("no private expedited membarrier");
	CHECK_ERRNO(syscall(SYS_membarrier, MEMBARRIER_CMD_PRIVATE_EXPEDITED, 0, 0), EPERM);
	CHECK_OK(syscall(SYS_membarrier, MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED, 0, 0));
	CHECK_OK(syscall(SYS_membarrier, MEMBARRIER_CMD_PRIVATE_EXPEDITED, 0, 0));
}

TEST(rseq_shows_the_cpu)
{
	if (__rseq_size == 0)
		SKIP("libc found no rseq");
	struct rseq *r = (struct rseq *)((char *)__builtin_thread_pointer() + __rseq_offset);
	cpu_set_t one, all;

	CHECK_OK(sched_getaffinity(0, sizeof(all), &all));
	for (int cpu = 0; cpu < 8; cpu++) {
		if (!CPU_ISSET(cpu, &all))
			continue;
		CPU_ZERO(&one);
		CPU_SET(cpu, &one);
		CHECK_OK(sched_setaffinity(0, sizeof(one), &one));
		CHECK_EQ(((volatile struct rseq *)r)->cpu_id, cpu);
		CHECK_EQ(((volatile struct rseq *)r)->cpu_id_start, cpu);
	}
}

TEST(rseq_registration_errors)
{
	static struct rseq second __attribute__((aligned(32)));

	if (__rseq_size == 0)
		SKIP("libc found no rseq");
	void *own = (char *)__builtin_thread_pointer() + __rseq_offset;
	CHECK_ERRNO(syscall(SYS_rseq, &second, sizeof(second), 0, RSEQ_SIG), EINVAL);
	CHECK_ERRNO(syscall(SYS_rseq, own, sizeof(second), 0, RSEQ_SIG), EBUSY);
	CHECK_ERRNO(syscall(SYS_rseq, own, sizeof(second), 0, RSEQ_SIG + 1), EPERM);
	CHECK_ERRNO(syscall(SYS_rseq, own, sizeof(second), 0x40, RSEQ_SIG), EINVAL);
	CHECK_OK(syscall(SYS_rseq, own, sizeof(second), 1, RSEQ_SIG));
	CHECK_ERRNO(syscall(SYS_rseq, own, sizeof(second), 1, RSEQ_SIG), EINVAL);
	CHECK_ERRNO(syscall(SYS_rseq, (char *)&second + 1, sizeof(second), 0, RSEQ_SIG), EINVAL);
	CHECK_OK(syscall(SYS_rseq, &second, sizeof(second), 0, RSEQ_SIG));
	CHECK_OK(syscall(SYS_rseq, &second, sizeof(second), 1, RSEQ_SIG));
}
