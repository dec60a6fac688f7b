/* SPDX-License-Identifier: MIT */
/*
 * check.c - runs the cases of one topic and reports in TAP.
 *
 *	TOPIC [--list] [CASE...]
 *	TOPIC --helper NAME [ARGUMENT...]	(for the cases themselves)
 *
 * The runner forks a child per case and listens on a pipe. What the child says is one letter and
 * a text per line: F (failed: the text says why), S (skipped), T (give me this many seconds).
 * A case has passed when its process exited with 0 and no F was heard, from it or from any
 * process or thread it made.
 *
 * The kernel under test may be young, so the runner itself lives on few calls: fork, waitpid,
 * pipe, dup2, poll, kill, and the directory calls for the scratch directory. Where a nicety is
 * refused (process groups, resource limits), it goes on without.
 */
#include "check.h"

#include <cpuid.h>
#include <dirent.h>
#include <grp.h>
#include <poll.h>
#include <stdarg.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>

enum {
	DEFAULT_SECONDS = 10,
	REPORT_SIZE = 4096,
};

struct report {
	char   text[REPORT_SIZE];
	size_t size;
	bool   failed;
	bool   skipped;
	char   reason[REPORT_SIZE];
};

static struct check_case  *cases;
static struct check_case **cases_end = &cases;

void
check_register(struct check_case *c)
{
	*cases_end = c;
	cases_end = &c->next;
}

static struct check_helper *helpers;

void
check_register_helper(struct check_helper *h)
{
	h->next = helpers;
	helpers = h;
}

/* Inside a case ---------------------------------------------------------------------------- */

static void
say(char letter, const char *text)
{
	char line[1024];
	int size = snprintf(line, sizeof(line), "%c%s", letter, text);

	if (size >= (int)sizeof(line) - 1)
		size = sizeof(line) - 2;
	for (int i = 0; i < size; i++) {
		if (line[i] == '\n')
			line[i] = ' ';
	}
	line[size++] = '\n';
	if (write(CHECK_FD, line, (size_t)size) < 0)
		(void)!write(2, line, (size_t)size);
}

void
check_fail(const char *file, int line, const char *format, ...)
{
	char what[800], text[1000];
	va_list args;

	va_start(args, format);
	vsnprintf(what, sizeof(what), format, args);
	va_end(args);
	snprintf(text, sizeof(text), "%s:%d: %s", file, line, what);
	say('F', text);
	_exit(1);
}

void
check_skip(const char *format, ...)
{
	char text[500];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	say('S', text);
	_exit(CHECK_SKIPPED);
}

void
check_timeout(int seconds)
{
	char text[20];

	snprintf(text, sizeof(text), "%d", seconds);
	say('T', text);
}

const char *
check_error_name(int error)
{
	const char *name = error == 0 ? "no error" : strerrorname_np(error);

	return name ? name : "an unknown errno";
}

pid_t
check_fork(void)
{
	pid_t pid = CHECK_OK(fork());

	if (pid == 0)
		prctl(PR_SET_PDEATHSIG, SIGKILL);
	return pid;
}

pid_t
check_fork_orphan(void)
{
	return CHECK_OK(fork());
}

void
check_child(const char *file, int line, const char *what, pid_t pid, bool killed, int value)
{
	int status;
	pid_t got;

	do
		got = waitpid(pid, &status, 0);
	while (got < 0 && errno == EINTR);
	if (got != pid)
		check_fail(file, line, "waiting for %s (got %s, want the child)", what,
			   got < 0 ? check_error_name(errno) : "another child");
	if (killed && WIFSIGNALED(status) && WTERMSIG(status) == value)
		return;
	if (!killed && WIFEXITED(status) && WEXITSTATUS(status) == value)
		return;
	check_fail(file, line, "end of %s (got %s %d, want %s %d)", what,
		   WIFSIGNALED(status) ? "signal" : "exit status",
		   WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status),
		   killed ? "signal" : "exit status", value);
}

long long
check_now_ms(void)
{
	struct timespec now;

	CHECK_OK(clock_gettime(CLOCK_MONOTONIC, &now));
	return now.tv_sec * 1000LL + now.tv_nsec / 1000000;
}

void
check_sleep_ms(long ms)
{
	struct timespec left = { .tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000 };

	while (nanosleep(&left, &left) < 0 && errno == EINTR)
		;
}

void
check_wait_asleep(pid_t pid, pid_t tid)
{
	char path[64], line[300];

	snprintf(path, sizeof(path), "/proc/%d/task/%d/stat", pid, tid ? tid : pid);
	for (int round = 0; round < 2000; round++) {
		int fd = open(path, O_RDONLY | O_CLOEXEC);
		if (fd < 0)
			break;
		ssize_t size = read(fd, line, sizeof(line) - 1);
		close(fd);
		if (size <= 0)
			break;
		line[size] = '\0';
		const char *paren = strrchr(line, ')');
		if (paren && paren[1] == ' ' && paren[2] == 'S')
			return;
		check_sleep_ms(2);
	}
	check_sleep_ms(200);
}

bool
check_is_emulated(void)
{
	unsigned int eax, ebx, ecx, edx;

	__cpuid(0x40000000, eax, ebx, ecx, edx);
	return ebx == 0x54474354 /* "TCGT" */;
}

void
check_become(uid_t uid, gid_t gid)
{
	CHECK_OK(setgroups(0, NULL));
	CHECK_OK(setresgid(gid, gid, gid));
	CHECK_OK(setresuid(uid, uid, uid));
}

void
check_drop_root(void)
{
	check_become(CHECK_NOBODY, CHECK_NOBODY);
}

void *
check_bad_address(void)
{
	return CHECK_OK(mmap(NULL, 65536, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
}

char *
check_page_end(void)
{
	char *two = CHECK_OK(mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
				  -1, 0));

	CHECK_OK(mprotect(two + 4096, 4096, PROT_NONE));
	return two + 4096;
}

void
check_write_file(const char *path, const void *data, size_t size)
{
	int fd = CHECK_OK(open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644));

	check_write_all(fd, data, size);
	CHECK_OK(close(fd));
}

size_t
check_read_file(const char *path, char *buffer, size_t size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	size_t done = 0;

	if (fd < 0)
		FAIL("open(\"%s\") (got %s, want success)", path, check_error_name(errno));
	while (done < size - 1) {
		ssize_t n = CHECK_OK(read(fd, buffer + done, size - 1 - done));
		if (n == 0)
			break;
		done += (size_t)n;
	}
	buffer[done] = '\0';
	CHECK_OK(close(fd));
	return done;
}

void
check_read_all(int fd, void *buffer, size_t size)
{
	for (size_t done = 0; done < size;) {
		ssize_t n = CHECK_OK(read(fd, (char *)buffer + done, size - done));
		if (n == 0)
			FAIL("read of %zu bytes (got end of file after %zu)", size, done);
		done += (size_t)n;
	}
}

void
check_write_all(int fd, const void *buffer, size_t size)
{
	for (size_t done = 0; done < size;)
		done += (size_t)CHECK_OK(write(fd, (const char *)buffer + done, size - done));
}

/* The runner ------------------------------------------------------------------------------- */

/* The folder that the case's source lies in, or the program's name. */
static void
topic_of(const struct check_case *c, const char *program, char *topic, size_t size)
{
	const char *end = strrchr(c->file, '/');
	const char *start = end;

	while (start && start > c->file && start[-1] != '/')
		start--;
	if (start && start < end) {
		snprintf(topic, size, "%.*s", (int)(end - start), start);
		return;
	}
	const char *slash = strrchr(program, '/');
	snprintf(topic, size, "%s", slash ? slash + 1 : program);
}

/* Remove a tree, also what a case left mounted in it. */
static void
remove_tree(const char *path)
{
	char entry_path[PATH_MAX];

	if (unlink(path) == 0 || errno == ENOENT)
		return;
	chmod(path, 0700);
	DIR *dir = opendir(path);
	if (dir) {
		struct dirent *entry;
		while ((entry = readdir(dir))) {
			if (!strcmp(entry->d_name, ".") || !strcmp(entry->d_name, ".."))
				continue;
			if (snprintf(entry_path, sizeof(entry_path), "%s/%s", path,
				     entry->d_name) >= (int)sizeof(entry_path))
				continue;
			remove_tree(entry_path);
		}
		closedir(dir);
	}
	for (int tries = 0; rmdir(path) < 0 && errno == EBUSY && tries < 8; tries++)
		umount2(path, MNT_DETACH);
}

/* Never returns: becomes the case. */
static void __attribute__((noreturn))
run_case(const struct check_case *c, const char *scratch, int report_fd)
{
	setpgid(0, 0);
	if (dup2(report_fd, CHECK_FD) != CHECK_FD)
		_exit(99);
	fcntl(CHECK_FD, F_SETFD, FD_CLOEXEC);
	close(report_fd);
	int null = open("/dev/null", O_RDWR);
	if (null >= 0) {
		for (int fd = 0; fd < 3; fd++)
			dup2(null, fd);
		if (null > 2)
			close(null);
	}
	umask(022);
	if (chdir(scratch) < 0)
		check_fail(c->file, 0, "chdir to the scratch directory (got %s)",
			   check_error_name(errno));
	c->run();
	_exit(0);
}

/* Take in complete lines of what the case said; `seconds` follows a wish for time. */
static void
hear(struct report *r, int *seconds)
{
	char *line = r->text;
	char *newline;

	while ((newline = memchr(line, '\n', (size_t)(r->text + r->size - line)))) {
		*newline = '\0';
		if (line[0] == 'T')
			*seconds = atoi(line + 1);
		else if (line[0] == 'F' && !r->failed) {
			r->failed = true;
			snprintf(r->reason, sizeof(r->reason), "%s", line + 1);
		} else if (line[0] == 'S' && !r->failed) {
			r->skipped = true;
			snprintf(r->reason, sizeof(r->reason), "%s", line + 1);
		}
		line = newline + 1;
	}
	r->size -= (size_t)(line - r->text);
	memmove(r->text, line, r->size);
	if (r->size >= sizeof(r->text))
		r->size = 0;
}

/*
 * CHECK_LATE_KEYS: letters for /proc/sysrq-trigger when a case's time is over, so that the kernel's log says what every
 * thread waits for.
 */
static void
tell_threads(void)
{
	const char *keys = getenv("CHECK_LATE_KEYS");
	int fd = keys ? open("/proc/sysrq-trigger", O_WRONLY | O_CLOEXEC) : -1;

	if (fd < 0)
		return;
	for (; *keys; keys++)
		(void)!write(fd, keys, 1);
	close(fd);
}

/*
 * Listen until the case has ended, has failed or its time is over. Returns true and its wait
 * status, or false when it had to be killed.
 */
static bool
supervise(pid_t pid, int fd, struct report *r, int *status)
{
	long long start = check_now_ms();
	const char *patience = getenv("CHECK_PATIENCE");
	int seconds = DEFAULT_SECONDS, times = patience && atoi(patience) > 1 ? atoi(patience) : 1;
	bool open_end = true, ended = false;

	while (open_end || !ended) {
		struct pollfd p = { .fd = fd, .events = POLLIN };
		if (open_end && poll(&p, 1, ended ? 0 : 20) > 0) {
			ssize_t n = read(fd, r->text + r->size, sizeof(r->text) - r->size);
			if (n > 0) {
				r->size += (size_t)n;
				hear(r, &seconds);
				continue;
			}
			open_end = false;
		} else if (ended) {
			break;
		} else if (!open_end) {
			check_sleep_ms(1);
		}
		if (!ended && waitpid(pid, status, WNOHANG) == pid)
			ended = true;
		bool late = check_now_ms() - start > seconds * times * 1000LL;
		if (!ended && (late || r->failed)) {
			if (!r->failed)
				tell_threads();
			kill(-pid, SIGKILL);
			kill(pid, SIGKILL);
			waitpid(pid, status, 0);
			if (!r->failed)
				snprintf(r->reason, sizeof(r->reason),
					 "the case (got no end, want one within %d s)", seconds * times);
			r->failed = true;
			return false;
		}
	}
	kill(-pid, SIGKILL);
	return true;
}

static bool
judge(const struct check_case *c, int number, const char *topic)
{
	static struct report report;
	struct report *r = &report;
	char scratch[64];
	int ends[2], status = 0;

	memset(r, 0, sizeof(*r));
	snprintf(scratch, sizeof(scratch), "/tmp/abi-%d-%d", getpid(), number);
	if (mkdir(scratch, 0777) < 0 || chmod(scratch, 0777) < 0 || pipe(ends) < 0) {
		printf("not ok %d - %s/%s # %s:0: scratch directory or pipe (got %s)\n", number,
		       topic, c->name, c->file, check_error_name(errno));
		return false;
	}
	fflush(stdout);
	pid_t pid = fork();
	if (pid == 0) {
		close(ends[0]);
		run_case(c, scratch, ends[1]);
	}
	close(ends[1]);
	if (pid < 0) {
		r->failed = true;
		snprintf(r->reason, sizeof(r->reason), "%s:0: fork (got %s)", c->file,
			 check_error_name(errno));
	} else if (supervise(pid, ends[0], r, &status) && !r->failed) {
		bool skipped = WIFEXITED(status) && WEXITSTATUS(status) == CHECK_SKIPPED;
		if (!(skipped && r->skipped) && status != 0) {
			bool by_signal = WIFSIGNALED(status);
			r->failed = true;
			snprintf(r->reason, sizeof(r->reason),
				 "%s:0: end of the case (got %s %d, want exit status 0)", c->file,
				 by_signal ? "signal" : "exit status",
				 by_signal ? WTERMSIG(status) : WEXITSTATUS(status));
		}
	}
	close(ends[0]);
	remove_tree(scratch);
	printf("%s %d - %s/%s%s%s\n", r->failed ? "not ok" : "ok", number, topic, c->name,
	       r->failed ? " # " : r->skipped ? " # SKIP " : "",
	       r->failed || r->skipped ? r->reason : "");
	fflush(stdout);
	return !r->failed;
}

static bool
is_selected(const struct check_case *c, int argc, char **argv)
{
	if (argc < 2)
		return true;
	for (int i = 1; i < argc; i++) {
		const char *slash = strrchr(argv[i], '/');
		if (!strcmp(c->name, slash ? slash + 1 : argv[i]))
			return true;
	}
	return false;
}

/* How many of the first fds are open: the runner must end with as many as it began with. */
static int
count_fds(void)
{
	int count = 0;

	for (int fd = 0; fd < CHECK_FD; fd++)
		count += fcntl(fd, F_GETFD) >= 0;
	return count;
}

static void
reset_signals(void)
{
	sigset_t none;

	for (int sig = 1; sig < NSIG; sig++) {
		if (sig != SIGKILL && sig != SIGSTOP)
			signal(sig, SIG_DFL);
	}
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
}

static int
run_helper(int argc, char **argv)
{
	for (struct check_helper *h = helpers; h; h = h->next) {
		if (!strcmp(h->name, argv[0])) {
			h->run(argc, argv);
			return 0;
		}
	}
	return 98;
}

int
main(int argc, char **argv)
{
	int number = 0, failed = 0, selected = 0;
	char topic[64];

	if (argc > 2 && !strcmp(argv[1], "--helper"))
		return run_helper(argc - 2, argv + 2);
	if (argc == 2 && !strcmp(argv[1], "--list")) {
		for (struct check_case *c = cases; c; c = c->next) {
			topic_of(c, argv[0], topic, sizeof(topic));
			printf("%s/%s\n", topic, c->name);
		}
		return 0;
	}
	for (struct check_case *c = cases; c; c = c->next)
		selected += is_selected(c, argc, argv);
	if (selected == 0 || selected < argc - 1) {
		fprintf(stderr, "%s: no such case; --list shows them\n", argv[0]);
		return 2;
	}
	reset_signals();
	setrlimit(RLIMIT_CORE, &(struct rlimit){ 0, 0 });
	int fds = count_fds();
	printf("1..%d\n", selected);
	for (struct check_case *c = cases; c; c = c->next) {
		if (!is_selected(c, argc, argv))
			continue;
		topic_of(c, argv[0], topic, sizeof(topic));
		failed += !judge(c, ++number, topic);
	}
	if (count_fds() != fds) {
		printf("# the runner leaked fds (got %d, want %d)\n", count_fds(), fds);
		failed++;
	}
	if (waitpid(-1, NULL, WNOHANG) >= 0 || errno != ECHILD) {
		printf("# the runner leaked a child\n");
		failed++;
	}
	printf("# %d of %d passed\n", selected - failed, selected);
	return failed ? 1 : 0;
}
