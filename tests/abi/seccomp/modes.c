/* SPDX-License-Identifier: MIT */
/* Installing filters and strict mode: who may, what is refused, what is inherited and shown. */
#include "filter.h"

#include <pthread.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/mount.h>

static int
status_number(const char *field)
{
	char text[8192], *at;

	check_read_file("/proc/thread-self/status", text, sizeof(text));
	at = strstr(text, field);
	CHECK(at);
	return atoi(at + strlen(field));
}

TEST(strict_allows_read_write_exit)
{
	pid_t pid = check_fork();

	if (pid == 0) {
		char c;
		int fds[2];

		CHECK_OK(pipe(fds));
		CHECK_OK(prctl(PR_SET_SECCOMP, SECCOMP_MODE_STRICT, 0, 0, 0));
		if (write(fds[1], "x", 1) != 1 || read(fds[0], &c, 1) != 1)
			syscall(SYS_exit, 1);
		syscall(SYS_exit, 33);
	}
	CHECK_EXIT(pid, 33);
}

TEST(strict_kills_at_any_other_call)
{
	pid_t pid = check_fork();

	if (pid == 0) {
		CHECK_OK(SECCOMP(SECCOMP_SET_MODE_STRICT, 0, NULL));
		syscall(SYS_getpid);
		syscall(SYS_exit, 1);
	}
	CHECK_KILLED(pid, SIGKILL);
}

TEST(wrong_operations_and_flags)
{
	struct sock_filter allow = ANSWER(SECCOMP_RET_ALLOW);
	struct sock_fprog prog = { 1, &allow };

	no_new_privs();
	CHECK_ERRNO(SECCOMP(99, 0, NULL), EINVAL);
	CHECK_ERRNO(SECCOMP(SECCOMP_SET_MODE_STRICT, 1, NULL), EINVAL);
	CHECK_ERRNO(SECCOMP(SECCOMP_SET_MODE_STRICT, 0, &prog), EINVAL);
	CHECK_ERRNO(SECCOMP(SECCOMP_SET_MODE_FILTER, 1u << 30, &prog), EINVAL);
	CHECK_ERRNO(SECCOMP(SECCOMP_SET_MODE_FILTER,
			    SECCOMP_FILTER_FLAG_TSYNC | SECCOMP_FILTER_FLAG_NEW_LISTENER, &prog), EINVAL);
	CHECK_ERRNO(SECCOMP(SECCOMP_SET_MODE_FILTER, 1u << 5, &prog), EINVAL);
	CHECK_ERRNO(SECCOMP(SECCOMP_SET_MODE_FILTER, 0, NULL), EFAULT);
	CHECK_ERRNO(SECCOMP(SECCOMP_SET_MODE_FILTER, 0, check_bad_address()), EFAULT);
	prog.filter = check_bad_address();
	CHECK_ERRNO(SECCOMP(SECCOMP_SET_MODE_FILTER, 0, &prog), EFAULT);
	CHECK_ERRNO(prctl(PR_SET_SECCOMP, 0, 0, 0, 0), EINVAL);
	CHECK_ERRNO(prctl(PR_SET_SECCOMP, 3, 0, 0, 0), EINVAL);
	CHECK_ERRNO(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, check_bad_address(), 0, 0), EFAULT);
	CHECK_EQ(prctl(PR_GET_SECCOMP), 0);
}

TEST(programs_are_checked)
{
	struct sock_filter *many = calloc(5000, sizeof(*many));
	struct sock_fprog prog = { .filter = many };

	no_new_privs();
	for (int i = 0; i < 5000; i++)
		many[i] = (struct sock_filter)ANSWER(SECCOMP_RET_ALLOW);
	prog.len = 0;
	CHECK_ERRNO(SECCOMP(SECCOMP_SET_MODE_FILTER, 0, &prog), EINVAL);
	prog.len = 4097;
	CHECK_ERRNO(SECCOMP(SECCOMP_SET_MODE_FILTER, 0, &prog), EINVAL);
	/* the last is no return */
	CHECK_ERRNO(INSTALL(0, LOAD(nr)), EINVAL);
	/* jumps to behind the end */
	CHECK_ERRNO(INSTALL(0, IF_EQUAL(0, 1, 0), ANSWER(0)), EINVAL);
	CHECK_ERRNO(INSTALL(0, BPF_STMT(BPF_JMP | BPF_JA, 1), ANSWER(0)), EINVAL);
	CHECK_ERRNO(INSTALL(0, BPF_STMT(BPF_JMP | BPF_JA, 0xffffffff), ANSWER(0)), EINVAL);
	/* loads: behind the end, not aligned, not a word, relative */
	CHECK_ERRNO(INSTALL(0, BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 64), ANSWER(0)), EINVAL);
	CHECK_ERRNO(INSTALL(0, BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 2), ANSWER(0)), EINVAL);
	CHECK_ERRNO(INSTALL(0, BPF_STMT(BPF_LD | BPF_H | BPF_ABS, 0), ANSWER(0)), EINVAL);
	CHECK_ERRNO(INSTALL(0, BPF_STMT(BPF_LD | BPF_W | BPF_IND, 0), ANSWER(0)), EINVAL);
	CHECK_ERRNO(INSTALL(0, BPF_STMT(BPF_LDX | BPF_B | BPF_MSH, 0), ANSWER(0)), EINVAL);
	/* arithmetic: division by zero, shift too far, unknown to seccomp */
	CHECK_ERRNO(INSTALL(0, BPF_STMT(BPF_ALU | BPF_DIV | BPF_K, 0), ANSWER(0)), EINVAL);
	CHECK_ERRNO(INSTALL(0, BPF_STMT(BPF_ALU | BPF_LSH | BPF_K, 32), ANSWER(0)), EINVAL);
	CHECK_ERRNO(INSTALL(0, BPF_STMT(BPF_ALU | BPF_MOD | BPF_K, 3), ANSWER(0)), EINVAL);
	/* cells: none such, read before it was written on one of two ways */
	CHECK_ERRNO(INSTALL(0, BPF_STMT(BPF_ST, 16), ANSWER(0)), EINVAL);
	CHECK_ERRNO(INSTALL(0, BPF_STMT(BPF_LD | BPF_MEM, 0), ANSWER(0)), EINVAL);
	CHECK_ERRNO(INSTALL(0, IF_EQUAL(0, 0, 1), BPF_STMT(BPF_ST, 3), BPF_STMT(BPF_LD | BPF_MEM, 3), ANSWER(0)),
		    EINVAL);
	CHECK_ERRNO(INSTALL(0, BPF_STMT(0xffff, 0), ANSWER(0)), EINVAL);
	CHECK_OK(INSTALL(0, IF_EQUAL(0, 0, 1), BPF_STMT(BPF_ST, 3), BPF_STMT(BPF_ST, 3),
			 BPF_STMT(BPF_LD | BPF_MEM, 3), ANSWER(SECCOMP_RET_ALLOW)));
	prog.len = 4096;
	CHECK_OK(SECCOMP(SECCOMP_SET_MODE_FILTER, 0, &prog));
}

TEST(programs_calculate)
{
	no_new_privs();
	/* ((nr + 7) * 3 - 1) ^ 5, through a cell and X: answered as an errno for one call */
	CHECK_OK(INSTALL(0, LOAD(nr), IF_EQUAL(SYS_getppid, 1, 0), ANSWER(SECCOMP_RET_ALLOW),
			 BPF_STMT(BPF_ALU | BPF_ADD | BPF_K, 7), BPF_STMT(BPF_ALU | BPF_MUL | BPF_K, 3),
			 BPF_STMT(BPF_ST, 5), BPF_STMT(BPF_LDX | BPF_MEM, 5), BPF_STMT(BPF_LD | BPF_IMM, 1),
			 BPF_STMT(BPF_ALU | BPF_NEG, 0), BPF_STMT(BPF_ALU | BPF_ADD | BPF_X, 0),
			 BPF_STMT(BPF_ALU | BPF_XOR | BPF_K, 5), BPF_STMT(BPF_ALU | BPF_OR | BPF_K, SECCOMP_RET_ERRNO),
			 BPF_STMT(BPF_RET | BPF_A, 0)));
	CHECK_EQ(syscall(SYS_getppid), -1);
	CHECK_EQ(errno, (((SYS_getppid + 7) * 3 - 1) ^ 5));
}

TEST(needs_no_new_privs_or_privilege)
{
	pid_t pid = check_fork();

	CHECK_ERRNO(SECCOMP(SECCOMP_SET_MODE_FILTER, 0, check_bad_address()), EFAULT);
	if (pid == 0) {
		check_drop_root();
		CHECK_ERRNO(INSTALL(0, ANSWER(SECCOMP_RET_ALLOW)), EACCES);
		no_new_privs();
		CHECK_OK(INSTALL(0, ANSWER(SECCOMP_RET_ALLOW)));
		_exit(0);
	}
	CHECK_EXIT(pid, 0);
	CHECK_OK(INSTALL(0, ANSWER(SECCOMP_RET_ALLOW)));
	CHECK_EQ(prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0), 0);
}

TEST(modes_exclude_each_other)
{
	no_new_privs();
	CHECK_OK(INSTALL(0, ANSWER(SECCOMP_RET_ALLOW)));
	CHECK_ERRNO(SECCOMP(SECCOMP_SET_MODE_STRICT, 0, NULL), EINVAL);
	CHECK_EQ(prctl(PR_GET_SECCOMP), 2);
}

TEST(chains_have_a_limit)
{
	struct sock_filter many[4096];
	struct sock_fprog prog = { 4096, many };
	int installed = 0;

	no_new_privs();
	for (int i = 0; i < 4096; i++)
		many[i] = (struct sock_filter)ANSWER(SECCOMP_RET_ALLOW);
	while (installed < 100 && SECCOMP(SECCOMP_SET_MODE_FILTER, 0, &prog) == 0)
		installed++;
	CHECK_EQ(errno, ENOMEM);
	/* at most 32768 instructions; Linux counts those that it has translated them to */
	CHECK_RANGE(installed, 3, 7);
	CHECK_EQ(status_number("Seccomp_filters:"), installed);
}

TEST(status_shows_the_mode)
{
	CHECK_EQ(status_number("Seccomp:"), 0);
	CHECK_EQ(status_number("Seccomp_filters:"), 0);
	no_new_privs();
	CHECK_EQ(status_number("NoNewPrivs:"), 1);
	CHECK_OK(INSTALL(0, ANSWER(SECCOMP_RET_ALLOW)));
	CHECK_OK(INSTALL(0, ANSWER(SECCOMP_RET_ALLOW)));
	CHECK_EQ(status_number("Seccomp:"), 2);
	CHECK_EQ(status_number("Seccomp_filters:"), 2);
}

TEST(actions_that_there_are)
{
	uint32_t actions[] = { SECCOMP_RET_KILL_PROCESS, SECCOMP_RET_KILL_THREAD, SECCOMP_RET_TRAP,
			       SECCOMP_RET_ERRNO, SECCOMP_RET_USER_NOTIF, SECCOMP_RET_TRACE, SECCOMP_RET_LOG,
			       SECCOMP_RET_ALLOW }, unknown = 0x12340000;
	char text[256];

	for (size_t i = 0; i < sizeof(actions) / sizeof(actions[0]); i++)
		CHECK_OK(SECCOMP(SECCOMP_GET_ACTION_AVAIL, 0, &actions[i]));
	CHECK_ERRNO(SECCOMP(SECCOMP_GET_ACTION_AVAIL, 0, &unknown), EOPNOTSUPP);
	CHECK_ERRNO(SECCOMP(SECCOMP_GET_ACTION_AVAIL, 1, &unknown), EINVAL);
	CHECK_ERRNO(SECCOMP(SECCOMP_GET_ACTION_AVAIL, 0, check_bad_address()), EFAULT);
	check_read_file("/proc/sys/kernel/seccomp/actions_avail", text, sizeof(text));
	CHECK_STR(text, "kill_process kill_thread trap errno user_notif trace log allow\n");
}

TEST(sizes_of_notifications)
{
	struct seccomp_notif_sizes sizes;

	CHECK_OK(SECCOMP(SECCOMP_GET_NOTIF_SIZES, 0, &sizes));
	CHECK_EQ(sizes.seccomp_notif, sizeof(struct seccomp_notif));
	CHECK_EQ(sizes.seccomp_notif_resp, sizeof(struct seccomp_notif_resp));
	CHECK_EQ(sizes.seccomp_data, sizeof(struct seccomp_data));
	CHECK_ERRNO(SECCOMP(SECCOMP_GET_NOTIF_SIZES, 1, &sizes), EINVAL);
	CHECK_ERRNO(SECCOMP(SECCOMP_GET_NOTIF_SIZES, 0, check_bad_address()), EFAULT);
}

HELPER(filtered_program)
{
	errno = 0;
	_exit(syscall(SYS_getppid) == -1 && errno == 77 && prctl(PR_GET_SECCOMP) == 2 ? 0 : 1);
}

TEST(inherited_by_fork_and_exec)
{
	pid_t pid;

	no_new_privs();
	CHECK_OK(INSTALL_FOR(0, SYS_getppid, SECCOMP_RET_ERRNO | 77));
	pid = fork();
	if (pid == 0) {
		execl("/proc/self/exe", "self", "--helper", "filtered_program", NULL);
		_exit(2);
	}
	CHECK_EXIT(pid, 0);
}

HELPER(report_euid)
{
	_exit(geteuid() == 0 ? 10 : 20);
}

/* A filter by one who promised to gain nothing: a set-user-id program gives nothing. */
TEST(set_user_id_gives_nothing_under_a_filter)
{
	char copy[] = "suid";
	pid_t pid;

	/* where set-user-id bits count, which need not be so here */
	CHECK_OK(unshare(CLONE_NEWNS));
	CHECK_OK(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL));
	CHECK_OK(mkdir("m", 0755));
	CHECK_OK(mount("none", "m", "tmpfs", 0, "mode=755"));
	CHECK_OK(chdir("m"));
	{
		char buf[65536];
		int in = CHECK_OK(open("/proc/self/exe", O_RDONLY)), out = CHECK_OK(open(copy, O_WRONLY | O_CREAT | O_TRUNC, 0755));
		ssize_t n;

		while ((n = read(in, buf, sizeof(buf))) > 0)
			check_write_all(out, buf, n);
		close(in);
		close(out);
	}
	CHECK_OK(chmod(copy, 04755));
	int dir = CHECK_OK(open(copy, O_PATH));
	pid = check_fork();
	if (pid == 0) {
		char *argv[] = { "suid", "--helper", "report_euid", NULL }, *env[] = { NULL };

		check_drop_root();
		syscall(SYS_execveat, dir, "", argv, env, AT_EMPTY_PATH);
		_exit(3);
	}
	CHECK_EXIT(pid, 10);
	pid = check_fork();
	if (pid == 0) {
		char *argv[] = { "suid", "--helper", "report_euid", NULL }, *env[] = { NULL };

		check_drop_root();
		no_new_privs();
		CHECK_OK(INSTALL(0, ANSWER(SECCOMP_RET_ALLOW)));
		syscall(SYS_execveat, dir, "", argv, env, AT_EMPTY_PATH);
		_exit(3);
	}
	CHECK_EXIT(pid, 20);
}
