/* SPDX-License-Identifier: MIT */
/* System V message queues. */
#include "../check.h"

#include <sched.h>
#include <sys/ipc.h>
#include <sys/msg.h>

/* MSG_COPY, which not every libc names. */
enum { LEAVE_IT = 040000 };

struct text {
	long type;
	char data[8200];
};

static int
queue(void)
{
	return CHECK_OK(msgget(IPC_PRIVATE, IPC_CREAT | 0600));
}

static int
put(int id, long type, const char *s, int flags)
{
	static struct text t;

	t.type = type;
	strcpy(t.data, s);
	return msgsnd(id, &t, strlen(s) + 1, flags);
}

/* The text of the next message of that type; flags IPC_NOWAIT. */
static const char *
get(int id, long type, int flags)
{
	static struct text t;

	CHECK_OK(msgrcv(id, &t, sizeof(t.data), type, flags | IPC_NOWAIT));
	return t.data;
}

static struct msqid_ds
status(int id)
{
	struct msqid_ds ds;

	CHECK_OK(msgctl(id, IPC_STAT, &ds));
	return ds;
}

static void
on_signal(int sig __attribute__((unused)))
{
}

TEST(msg_first_in_first_out)
{
	int id = queue();
	struct text t;

	CHECK_OK(put(id, 3, "a", 0));
	CHECK_OK(put(id, 1, "b", 0));
	CHECK_EQ(msgrcv(id, &t, 100, 0, 0), 2);
	CHECK_EQ(t.type, 3);
	CHECK_STR(t.data, "a");
	CHECK_STR(get(id, 0, 0), "b");
	CHECK_ERRNO(msgrcv(id, &t, 100, 0, IPC_NOWAIT), ENOMSG);
	CHECK_OK(msgctl(id, IPC_RMID, NULL));
}

TEST(msg_chosen_by_type)
{
	int id = queue();
	struct text t;

	CHECK_OK(put(id, 5, "five", 0));
	CHECK_OK(put(id, 2, "two", 0));
	CHECK_OK(put(id, 7, "seven", 0));
	CHECK_OK(put(id, 2, "two again", 0));
	CHECK_STR(get(id, 7, 0), "seven");
	CHECK_STR(get(id, -5, 0), "two");   /* the lowest up to 5 */
	CHECK_STR(get(id, 5, MSG_EXCEPT), "two again");
	CHECK_ERRNO(msgrcv(id, &t, 100, -4, IPC_NOWAIT), ENOMSG);
	CHECK_ERRNO(msgrcv(id, &t, 100, 4, IPC_NOWAIT), ENOMSG);
	CHECK_ERRNO(msgrcv(id, &t, 100, 5, IPC_NOWAIT | MSG_EXCEPT), ENOMSG);
	CHECK_STR(get(id, LONG_MIN, 0), "five");
	CHECK_OK(msgctl(id, IPC_RMID, NULL));
}

TEST(msg_too_long_is_refused_or_cut)
{
	int id = queue();
	struct text t;

	CHECK_OK(put(id, 1, "0123456789", 0));
	CHECK_ERRNO(msgrcv(id, &t, 5, 0, 0), E2BIG);
	CHECK_EQ(status(id).msg_qnum, 1);
	memset(&t, 'x', sizeof(t));
	CHECK_EQ(msgrcv(id, &t, 5, 0, MSG_NOERROR), 5);
	CHECK_MEM(t.data, "01234x", 6);
	CHECK_EQ(status(id).msg_qnum, 0);
	CHECK_OK(msgctl(id, IPC_RMID, NULL));
}

TEST(msg_copy_leaves_it)
{
	int id = queue();
	struct text t;

	CHECK_OK(put(id, 4, "a", 0));
	CHECK_OK(put(id, 5, "bb", 0));
	CHECK_ERRNO(msgrcv(id, &t, 100, 0, LEAVE_IT), EINVAL);
	CHECK_ERRNO(msgrcv(id, &t, 100, 0, LEAVE_IT | MSG_EXCEPT | IPC_NOWAIT), EINVAL);
	int n = msgrcv(id, &t, 100, 1, LEAVE_IT | IPC_NOWAIT);
	if (n == -1 && errno == ENOSYS)
		SKIP("built without it");
	CHECK_EQ(n, 3);
	CHECK_EQ(t.type, 5);
	CHECK_STR(t.data, "bb");
	CHECK_EQ(msgrcv(id, &t, 100, 0, LEAVE_IT | IPC_NOWAIT), 2);
	CHECK_STR(t.data, "a");
	CHECK_ERRNO(msgrcv(id, &t, 100, 2, LEAVE_IT | IPC_NOWAIT), ENOMSG);
	CHECK_EQ(status(id).msg_qnum, 2);
	CHECK_OK(msgctl(id, IPC_RMID, NULL));
}

TEST(msg_empty_text_is_fine)
{
	int id = queue();
	struct text t = { .type = 9 };

	CHECK_OK(msgsnd(id, &t, 0, 0));
	t.type = 0;
	CHECK_EQ(msgrcv(id, &t, 0, 0, 0), 0);
	CHECK_EQ(t.type, 9);
	CHECK_OK(msgctl(id, IPC_RMID, NULL));
}

TEST(msgsnd_errors)
{
	int id = queue();
	struct text t = { .type = 1 };

	CHECK_ERRNO(msgsnd(id, &t, 8193, 0), EINVAL);
	CHECK_ERRNO(msgsnd(id, &t, (size_t)-1, 0), EINVAL);
	CHECK_OK(msgsnd(id, &t, 8192, 0));
	t.type = 0;
	CHECK_ERRNO(msgsnd(id, &t, 1, 0), EINVAL);
	t.type = -1;
	CHECK_ERRNO(msgsnd(id, &t, 1, 0), EINVAL);
	t.type = 1;
	CHECK_ERRNO(msgsnd(-1, &t, 1, 0), EINVAL);
	CHECK_ERRNO(msgsnd(id + 0x10000, &t, 1, 0), EINVAL);
	CHECK_ERRNO(msgsnd(id, check_bad_address(), 1, 0), EFAULT);
	long *edge = (long *)check_page_end() - 1;
	*edge = 1;
	CHECK_ERRNO(msgsnd(id, edge, 8, 0), EFAULT);
	CHECK_OK(msgctl(id, IPC_RMID, NULL));
	CHECK_ERRNO(msgsnd(id, &t, 1, 0), EINVAL);
}

TEST(msgrcv_errors)
{
	int id = queue();
	struct text t;

	CHECK_ERRNO(msgrcv(-1, &t, 1, 0, 0), EINVAL);
	CHECK_ERRNO(msgrcv(id, &t, (size_t)-1, 0, IPC_NOWAIT), EINVAL);
	CHECK_ERRNO(msgrcv(id + 0x10000, &t, 1, 0, 0), EINVAL);
	CHECK_OK(put(id, 1, "x", 0));
	CHECK_ERRNO(msgrcv(id, check_bad_address(), 100, 0, 0), EFAULT);
	CHECK_EQ(status(id).msg_qnum, 0); /* it is lost, as on Linux */
	CHECK_OK(msgctl(id, IPC_RMID, NULL));
}

TEST(msg_full_queue_refuses_or_waits)
{
	int id = queue();
	struct text t = { .type = 1 };

	CHECK_OK(msgsnd(id, &t, 8192, 0));
	CHECK_OK(msgsnd(id, &t, 8192, 0));
	CHECK_ERRNO(msgsnd(id, &t, 1, IPC_NOWAIT), EAGAIN);
	pid_t pid = check_fork();
	if (pid == 0) {
		CHECK_OK(put(id, 2, "late", 0));
		_exit(0);
	}
	check_wait_asleep(pid, 0);
	CHECK_EQ(status(id).msg_qnum, 2);
	CHECK_EQ(msgrcv(id, &t, 8192, 0, 0), 8192);
	CHECK_EXIT(pid, 0);
	CHECK_STR(get(id, 2, 0), "late");
	CHECK_OK(msgctl(id, IPC_RMID, NULL));
}

TEST(msg_receiver_waits_for_its_type)
{
	int id = queue();
	pid_t pid = check_fork();

	if (pid == 0) {
		struct text t;

		CHECK_EQ(msgrcv(id, &t, 100, 7, 0), 6);
		CHECK_STR(t.data, "seven");
		_exit(0);
	}
	check_wait_asleep(pid, 0);
	CHECK_OK(put(id, 6, "six", 0));
	CHECK_EQ(status(id).msg_qnum, 1);
	CHECK_OK(put(id, 7, "seven", 0));
	CHECK_EXIT(pid, 0);
	struct msqid_ds ds = status(id);
	CHECK_EQ(ds.msg_lrpid, pid);
	CHECK_EQ(ds.msg_lspid, getpid());
	CHECK_EQ(ds.msg_qnum, 1);
	CHECK_OK(msgctl(id, IPC_RMID, NULL));
}

TEST(msg_waiting_receiver_is_told_of_one_too_long)
{
	int id = queue();
	pid_t pid = check_fork();

	if (pid == 0) {
		struct text t;

		CHECK_ERRNO(msgrcv(id, &t, 2, 0, 0), E2BIG);
		_exit(0);
	}
	check_wait_asleep(pid, 0);
	CHECK_OK(put(id, 1, "longer", 0));
	CHECK_EXIT(pid, 0);
	CHECK_STR(get(id, 0, 0), "longer");
	CHECK_OK(msgctl(id, IPC_RMID, NULL));
}

TEST(msg_removal_wakes_both_sides)
{
	struct text t = { .type = 1 };
	int full = queue(), empty = queue();

	CHECK_OK(msgsnd(full, &t, 8192, 0));
	CHECK_OK(msgsnd(full, &t, 8192, 0));
	pid_t sender = check_fork();
	if (sender == 0) {
		CHECK_ERRNO(msgsnd(full, &t, 1, 0), EIDRM);
		_exit(0);
	}
	pid_t receiver = check_fork();
	if (receiver == 0) {
		CHECK_ERRNO(msgrcv(empty, &t, 1, 0, 0), EIDRM);
		_exit(0);
	}
	check_wait_asleep(sender, 0);
	check_wait_asleep(receiver, 0);
	CHECK_OK(msgctl(full, IPC_RMID, NULL));
	CHECK_OK(msgctl(empty, IPC_RMID, NULL));
	CHECK_EXIT(sender, 0);
	CHECK_EXIT(receiver, 0);
}

TEST(msg_waits_are_interrupted_and_not_restarted)
{
	int id = queue();
	struct text t = { .type = 1 };

	for (int side = 0; side < 2; side++) {
		pid_t pid = check_fork();

		if (pid == 0) {
			struct sigaction sa = { .sa_handler = on_signal, .sa_flags = SA_RESTART };

			CHECK_OK(sigaction(SIGUSR1, &sa, NULL));
			if (side == 0)
				CHECK_ERRNO(msgrcv(id, &t, 100, 0, 0), EINTR);
			else
				CHECK_ERRNO(msgsnd(id, &t, 8192, 0), EINTR);
			_exit(0);
		}
		check_wait_asleep(pid, 0);
		kill(pid, SIGUSR1);
		CHECK_EXIT(pid, 0);
		if (side == 0) {
			CHECK_OK(msgsnd(id, &t, 8192, 0));
			CHECK_OK(msgsnd(id, &t, 8192, 0));
		}
	}
	CHECK_OK(msgctl(id, IPC_RMID, NULL));
}

TEST(msg_status_tells_counts_pids_and_times)
{
	time_t now = time(NULL);
	int id = queue();
	struct msqid_ds ds = status(id);

	CHECK_EQ(ds.msg_qnum, 0);
	CHECK_EQ(ds.msg_qbytes, 16384);
	CHECK_EQ(ds.msg_stime, 0);
	CHECK_EQ(ds.msg_rtime, 0);
	CHECK_EQ(ds.msg_lspid, 0);
	CHECK_RANGE(ds.msg_ctime, now - 1, now + 5);
	CHECK_OK(put(id, 1, "abc", 0));
	ds = status(id);
	CHECK_EQ(ds.msg_qnum, 1);
	CHECK_EQ(ds.__msg_cbytes, 4);
	CHECK_EQ(ds.msg_lspid, getpid());
	CHECK_RANGE(ds.msg_stime, now - 1, now + 5);
	get(id, 0, 0);
	ds = status(id);
	CHECK_EQ(ds.msg_lrpid, getpid());
	CHECK_EQ(ds.__msg_cbytes, 0);
	CHECK_RANGE(ds.msg_rtime, now - 1, now + 5);
	CHECK_OK(msgctl(id, IPC_RMID, NULL));
}

TEST(msg_set_changes_owner_and_size)
{
	int id = queue();
	struct msqid_ds ds = status(id);
	struct text t = { .type = 1 };

	ds.msg_qbytes = 10;
	ds.msg_perm.uid = CHECK_NOBODY;
	ds.msg_perm.mode = 0600;
	CHECK_OK(msgctl(id, IPC_SET, &ds));
	CHECK_ERRNO(msgsnd(id, &t, 11, IPC_NOWAIT), EAGAIN);
	pid_t waiting = check_fork();
	if (waiting == 0) {
		CHECK_OK(msgsnd(id, &t, 11, 0));
		_exit(0);
	}
	check_wait_asleep(waiting, 0);
	pid_t pid = check_fork();
	if (pid == 0) {
		check_drop_root();
		ds.msg_qbytes = 16385;
		CHECK_ERRNO(msgctl(id, IPC_SET, &ds), EPERM);
		ds.msg_qbytes = 20;
		CHECK_OK(msgctl(id, IPC_SET, &ds));
		_exit(0);
	}
	CHECK_EXIT(pid, 0);
	CHECK_EXIT(waiting, 0);
	ds.msg_qbytes = 100000;
	CHECK_OK(msgctl(id, IPC_SET, &ds));
	CHECK_EQ(status(id).msg_qbytes, 100000);
	CHECK_OK(msgctl(id, IPC_RMID, NULL));
}

TEST(msg_receiver_loses_its_right_while_it_waits)
{
	int id = queue();
	struct msqid_ds ds = status(id);

	ds.msg_perm.mode = 0666;
	CHECK_OK(msgctl(id, IPC_SET, &ds));
	pid_t pid = check_fork();
	if (pid == 0) {
		struct text t;

		check_drop_root();
		CHECK_ERRNO(msgrcv(id, &t, 10, 0, 0), EACCES);
		_exit(0);
	}
	check_wait_asleep(pid, 0);
	ds.msg_perm.mode = 0600;
	CHECK_OK(msgctl(id, IPC_SET, &ds));
	CHECK_EXIT(pid, 0);
	CHECK_OK(msgctl(id, IPC_RMID, NULL));
}

TEST(msg_permissions)
{
	int id = queue(), in = CHECK_OK(msgget(IPC_PRIVATE, 0602)), out = CHECK_OK(msgget(IPC_PRIVATE, 0604));
	pid_t pid = check_fork();

	if (pid == 0) {
		struct text t = { .type = 1 };
		struct msqid_ds ds = { 0 };

		check_drop_root();
		CHECK_ERRNO(msgsnd(id, &t, 1, 0), EACCES);
		CHECK_ERRNO(msgrcv(id, &t, 1, 0, 0), EACCES);
		CHECK_ERRNO(msgctl(id, IPC_STAT, &ds), EACCES);
		CHECK_ERRNO(msgctl(id, IPC_SET, &ds), EPERM);
		CHECK_ERRNO(msgctl(id, IPC_RMID, NULL), EPERM);
		CHECK_OK(msgsnd(in, &t, 1, 0));
		CHECK_ERRNO(msgrcv(in, &t, 1, 0, IPC_NOWAIT), EACCES);
		CHECK_ERRNO(msgsnd(out, &t, 1, 0), EACCES);
		CHECK_ERRNO(msgrcv(out, &t, 1, 0, IPC_NOWAIT), ENOMSG);
		_exit(0);
	}
	CHECK_EXIT(pid, 0);
	CHECK_OK(msgctl(id, IPC_RMID, NULL));
	CHECK_OK(msgctl(in, IPC_RMID, NULL));
	CHECK_OK(msgctl(out, IPC_RMID, NULL));
}

TEST(msgget_rules)
{
	key_t key = 0x54550000 + getpid();

	CHECK_ERRNO(msgget(key, 0600), ENOENT);
	int id = CHECK_OK(msgget(key, IPC_CREAT | 0600));
	CHECK_EQ(msgget(key, 0), id);
	CHECK_ERRNO(msgget(key, IPC_CREAT | IPC_EXCL | 0600), EEXIST);
	CHECK_OK(msgctl(id, IPC_RMID, NULL));
	CHECK_ERRNO(msgget(key, 0600), ENOENT);
}

TEST(msgctl_errors)
{
	int id = queue();
	struct msqid_ds ds;

	CHECK_ERRNO(msgctl(-1, IPC_STAT, &ds), EINVAL);
	CHECK_ERRNO(msgctl(id, 99, &ds), EINVAL);
	CHECK_ERRNO(msgctl(id, -1, &ds), EINVAL);
	CHECK_ERRNO(msgctl(id, IPC_STAT, check_bad_address()), EFAULT);
	CHECK_ERRNO(msgctl(id, IPC_SET, check_bad_address()), EFAULT);
	CHECK_ERRNO(msgctl(id, MSG_INFO, check_bad_address()), EFAULT);
	CHECK_OK(msgctl(id, IPC_RMID, NULL));
	CHECK_ERRNO(msgctl(id, IPC_RMID, NULL), EINVAL);
}

TEST(msg_info_and_settings)
{
	struct msginfo info;
	char text[32] = "";
	struct text t = { .type = 1 };
	int id = queue(), highest;

	CHECK_OK(msgsnd(id, &t, 100, 0));
	highest = CHECK_OK(msgctl(0, IPC_INFO, (void *)&info));
	CHECK_EQ(info.msgmax, 8192);
	CHECK_EQ(info.msgmnb, 16384);
	CHECK_EQ(info.msgmni, 32000);
	CHECK_EQ(msgctl(0, MSG_INFO, (void *)&info), highest);
	CHECK(info.msgpool >= 1);
	CHECK(info.msgmap >= 1);
	CHECK(info.msgtql >= 100);
	check_read_file("/proc/sys/kernel/msgmax", text, sizeof(text));
	CHECK_STR(text, "8192\n");
	check_write_file("/proc/sys/kernel/msgmax", "50\n", 3);
	int error = msgsnd(id, &t, 51, 0) == -1 ? errno : 0;
	check_write_file("/proc/sys/kernel/msgmax", "8192\n", 5);
	CHECK_EQ(error, EINVAL);
	CHECK_OK(msgctl(id, IPC_RMID, NULL));
}

TEST(msg_shows_in_proc)
{
	static char text[65536];
	char line[128];
	int id = queue();

	CHECK_OK(put(id, 1, "abcd", 0));
	check_read_file("/proc/sysvipc/msg", text, sizeof(text));
	static const char header[] = "       key      msqid perms      cbytes       qnum lspid lrpid   uid   gid  cuid  cgid"
				  "      stime      rtime      ctime\n";

	CHECK_MEM(text, header, sizeof(header) - 1);
	snprintf(line, sizeof(line), "%10d %10d  %4o  %10lu %10lu %5u %5u", 0, id, 0600, 5ul, 1ul,
		 getpid(), 0);
	CHECK(strstr(text, line) != NULL);
	CHECK_OK(msgctl(id, IPC_RMID, NULL));
}

TEST(msg_nothing_is_lost_between_many)
{
	int id = queue();
	pid_t sender[3], receiver[3];

	for (int i = 0; i < 3; i++) {
		sender[i] = check_fork();
		if (sender[i] == 0) {
			for (int k = 0; k < 300; k++) {
				struct { long type; int n; char pad[1000]; } m = { i + 1, k, { 0 } };

				CHECK_OK(msgsnd(id, &m, sizeof(m) - sizeof(long), 0));
			}
			_exit(0);
		}
		receiver[i] = check_fork();
		if (receiver[i] == 0) {
			for (int k = 0; k < 300; k++) {
				struct { long type; int n; char pad[1000]; } m;

				CHECK_OK(msgrcv(id, &m, sizeof(m) - sizeof(long), i + 1, 0));
				CHECK_EQ(m.n, k);
			}
			_exit(0);
		}
	}
	for (int i = 0; i < 3; i++) {
		CHECK_EXIT(sender[i], 0);
		CHECK_EXIT(receiver[i], 0);
	}
	CHECK_EQ(status(id).msg_qnum, 0);
	CHECK_OK(msgctl(id, IPC_RMID, NULL));
}

TEST(msg_removal_races_with_kills)
{
	for (int round = 0; round < 30; round++) {
		int id = queue();
		pid_t pid[4];

		for (int i = 0; i < 4; i++) {
			pid[i] = check_fork();
			if (pid[i] == 0) {
				struct text t = { .type = 1 };

				while (i % 2 ? msgsnd(id, &t, 5000, 0) == 0 : msgrcv(id, &t, 8192, 0, 0) >= 0)
					;
				CHECK(errno == EIDRM || errno == EINVAL);
				_exit(0);
			}
		}
		for (int i = 0; i < round; i++)
			sched_yield();
		kill(pid[round % 4], SIGKILL);
		CHECK_OK(msgctl(id, IPC_RMID, NULL));
		for (int i = 0; i < 4; i++) {
			int result;

			CHECK_EQ(waitpid(pid[i], &result, 0), pid[i]);
			CHECK(result == 0 || (i == round % 4 && result == SIGKILL));
		}
	}
}
