/* SPDX-License-Identifier: MIT */
/*
 * words.h - answers as words: the errno's name without its E, or the number that was returned. A string holds one
 * word for each kind of thing a call was made on, "-" where it is not made.
 */
#ifndef ABI_CONTRACT_WORDS_H
#define ABI_CONTRACT_WORDS_H

#include "../check.h"

#include <sys/resource.h>

/* Where no program's memory is, and more than nothing lies. */
#define IN_KERNEL ((void *)0xffff888000000000ul)

/* The call itself: libc looks at limits by its own rules. */
static inline int
set_limit(int which, rlim_t soft, rlim_t hard)
{
	return (int)syscall(SYS_prlimit64, 0, which, &(struct rlimit){soft, hard}, NULL);
}

/* `got` (-1: errno) is the nth word of `want`. */
static inline void
words_judge(const char *file, int line, const char *call, int nth, long got, const char *want)
{
	char word[32];

	for (int n = nth; n > 0; n--)
		want = strchr(want, ' ') + 1;
	if (got == -1)
		snprintf(word, sizeof(word), "%s", check_error_name(errno) + 1);
	else
		snprintf(word, sizeof(word), "%ld", got);
	if (strncmp(word, want, strlen(word)) != 0 || (want[strlen(word)] != ' ' && want[strlen(word)]))
		check_fail(file, line, "%s, number %d (got %s, want %.*s)", call, nth, word,
			   (int)strcspn(want, " "), want);
}

#define CHECK_NTH(call, nth, want)                                                                 \
	do {                                                                                       \
		errno = 0;                                                                         \
		long nth_got_ = (long)(call);                                                      \
		words_judge(__FILE__, __LINE__, #call, nth, nth_got_, want);                       \
	} while (0)

#endif
