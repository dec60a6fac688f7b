/* SPDX-License-Identifier: MIT */
/*
 * What holds while somebody else changes the ground: arguments that are rewritten during exec, names that
 * change what they mean while they are opened, a stream that two threads print to.
 */
#include "../check.h"

#include <dirent.h>
#include <pthread.h>
#include <sys/mman.h>

/* --- exec -------------------------------------------------------------------------------------------- */

#define WORD 6000

static char word[WORD + 1];
static char *volatile restless[8];

HELPER(letters)
{
	for (int i = 1; i < argc; i++)
		CHECK_EQ(strspn(argv[i], "a"), strlen(argv[i]));
	for (char **e = environ; *e; e++)
		CHECK_EQ(strspn(*e, "a"), strlen(*e));
}

/* Words that end here and there, pointers that lead to them, to nothing, and nowhere. */
static void *
rewrite(void *bad)
{
	for (unsigned int i = 0;; i++) {
		word[i * 7919u % WORD] = i & 1 ? 'a' : '\0';
		restless[3 + i % 4] = i % 11 == 0 ? bad : i % 13 == 0 ? NULL : word + i % WORD;
	}
	return NULL;
}

static void
exec_rewritten(void)
{
	char *const empty[] = { word, NULL };
	pthread_t t;

	memset(word, 'a', WORD);
	restless[0] = (char *)"zero";
	restless[1] = (char *)"--helper";
	restless[2] = (char *)"letters";
	for (int i = 3; i < 7; i++)
		restless[i] = word;
	CHECK_RETURNS(pthread_create(&t, NULL, rewrite, check_bad_address()), 0);
	execve("/proc/self/exe", (char **)(uintptr_t)restless, empty);
	CHECK_EQ(errno, EFAULT);
	_exit(0);
}

TEST(arguments_rewritten_by_another_thread_during_exec)
{
	TIMEOUT(60);
	for (int round = 0; round < 40; round++) {
		pid_t pid = check_fork();

		if (pid == 0)
			exec_rewritten();
		CHECK_EXIT(pid, 0);
	}
}

/* --- names ------------------------------------------------------------------------------------------- */

static ino_t
inode_of(const char *path)
{
	struct stat st;

	CHECK_OK(stat(path, &st));
	return st.st_ino;
}

/* Run `flip` again and again in a child until it is killed. */
static pid_t
keep_flipping(void (*flip)(void))
{
	pid_t pid = check_fork();

	while (pid == 0)
		flip();
	return pid;
}

static void
stop_flipping(pid_t pid)
{
	CHECK_OK(kill(pid, SIGKILL));
	CHECK_KILLED(pid, SIGKILL);
}

/* "x" is by turns a link to the secret and the file that everybody may write to. */
static void
flip_link(void)
{
	CHECK_OK(symlink("secret", "t"));
	CHECK_OK(rename("t", "x"));
	CHECK_OK(link("open", "t"));
	CHECK_OK(rename("t", "x"));
}

/* Opens "x" and closes it: its inode's number, or 0 with errno. */
static ino_t
try(int flags)
{
	int fd = open("x", flags, 0600);
	struct stat st;

	if (fd < 0)
		return 0;
	CHECK_OK(fstat(fd, &st));
	CHECK_OK(close(fd));
	return st.st_ino;
}

TEST(a_name_that_becomes_a_link_while_it_is_opened)
{
	pid_t flipper, opener;
	ino_t allowed, got;

	TIMEOUT(60);
	check_write_file("secret", "s", 1);
	CHECK_OK(chmod("secret", 0600));
	check_write_file("open", "o", 1);
	CHECK_OK(chmod("open", 0666));
	CHECK_OK(chmod(".", 0777));
	CHECK_OK(link("open", "x"));
	allowed = inode_of("open");
	flipper = keep_flipping(flip_link);
	opener = check_fork();
	if (opener == 0) {
		check_drop_root();
		for (int i = 0; i < 2000; i++) {
			got = try(O_RDWR | O_NOFOLLOW);
			CHECK(got ? got == allowed : errno == ELOOP);
			got = try(O_RDWR | O_CREAT);
			CHECK(got ? got == allowed : errno == EACCES);
			got = try(O_WRONLY | O_TRUNC);
			CHECK(got ? got == allowed : errno == EACCES);
			CHECK_ERRNO(open("x", O_RDWR | O_CREAT | O_EXCL, 0600), EEXIST);
		}
		_exit(0);
	}
	CHECK_EXIT(opener, 0);
	stop_flipping(flipper);
	CHECK_EQ(inode_of("open"), allowed);
}

static void
flip_directories(void)
{
	CHECK_OK(syscall(SYS_renameat2, AT_FDCWD, "d", AT_FDCWD, "closed", RENAME_EXCHANGE));
}

static int
entries_in(const char *path)
{
	DIR *d = opendir(path);
	int n = 0;

	CHECK(d);
	while (readdir(d))
		n++;
	closedir(d);
	return n - 2;
}

TEST(a_directory_exchanged_while_somebody_walks_through_it)
{
	pid_t flipper, walker;
	ino_t allowed;
	struct stat st;
	int fd, made = 0, found;

	TIMEOUT(60);
	CHECK_OK(mkdir("d", 0777));
	CHECK_OK(chmod("d", 0777));
	CHECK_OK(mkdir("closed", 0700));
	check_write_file("d/x", "o", 1);
	check_write_file("closed/x", "s", 1);
	CHECK_OK(chmod(".", 0755));
	allowed = inode_of("d/x");
	flipper = keep_flipping(flip_directories);
	walker = check_fork();
	if (walker == 0) {
		check_drop_root();
		for (int i = 0; i < 2000; i++) {
			char name[32];

			fd = open("d/x", O_RDONLY);
			if (fd >= 0) {
				CHECK_OK(fstat(fd, &st));
				CHECK_EQ(st.st_ino, allowed);
				CHECK_OK(close(fd));
			} else {
				CHECK_EQ(errno, EACCES);
			}
			snprintf(name, sizeof(name), "d/%d", i);
			if (i % 20 == 0 && mkdir(name, 0700) == 0)
				made++;
		}
		_exit(made);
	}
	CHECK_EQ(waitpid(walker, &made, 0), walker);
	CHECK(WIFEXITED(made));
	stop_flipping(flipper);
	/* All that was made is in the one directory, whatever it is called now. */
	found = inode_of("d/x") == allowed;
	CHECK_EQ(entries_in(found ? "d" : "closed"), WEXITSTATUS(made) + 1);
	CHECK_EQ(entries_in(found ? "closed" : "d"), 1);
}

/* --- streams ----------------------------------------------------------------------------------------- */

#define LINES 3000

static FILE *stream;

static void *
print_lines(void *who)
{
	for (int i = 0; i < LINES; i++)
		fprintf(stream, "%s %d %s\n", (const char *)who, i, "the quick brown fox");
	return NULL;
}

TEST(two_threads_print_to_one_stream)
{
	char line[128], who[16];
	int ends[2], seen[2] = { 0 }, number;
	pthread_t t[2];
	FILE *in;
	pid_t pid;

	TIMEOUT(60);
	CHECK_OK(pipe(ends));
	pid = check_fork();
	if (pid == 0) {
		CHECK_OK(close(ends[0]));
		stream = fdopen(ends[1], "w");
		setvbuf(stream, NULL, _IOLBF, 100);
		CHECK_RETURNS(pthread_create(&t[0], NULL, print_lines, "0"), 0);
		CHECK_RETURNS(pthread_create(&t[1], NULL, print_lines, "1"), 0);
		CHECK_RETURNS(pthread_join(t[0], NULL), 0);
		CHECK_RETURNS(pthread_join(t[1], NULL), 0);
		CHECK_EQ(fclose(stream), 0);
		_exit(0);
	}
	CHECK_OK(close(ends[1]));
	in = fdopen(ends[0], "r");
	while (fgets(line, sizeof(line), in)) {
		CHECK_EQ(sscanf(line, "%15s %d the quick brown fox\n", who, &number), 2);
		CHECK(strcmp(who, "0") == 0 || strcmp(who, "1") == 0);
		CHECK_EQ(number, seen[who[0] - '0']++);
		CHECK(strstr(line, " the quick brown fox\n"));
	}
	CHECK_EXIT(pid, 0);
	CHECK_EQ(seen[0], LINES);
	CHECK_EQ(seen[1], LINES);
}
