/* SPDX-License-Identifier: MIT */
/*
 * bpf.c - classic BPF: what is refused, and what programs answer.
 */
/* unit: kernel/lib/bpf.c */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <linux/filter.h>

#include <tessera/bpf.h>
#include <tessera/errno.h>

#include "unit.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static int
check(const struct bpf_instruction *p, uint32_t n, enum bpf_input input)
{
	static uint16_t scratch[BPF_LENGTH_MAX];

	return bpf_check(p, n, input, 64, scratch);
}

#define CHECK(input, ...)                                                                          \
	({                                                                                         \
		struct bpf_instruction p_[] = { __VA_ARGS__ };                                     \
		check(p_, COUNT(p_), input);                                                       \
	})

#define RUN(input, data, size, ...)                                                                \
	({                                                                                         \
		struct bpf_instruction p_[] = { __VA_ARGS__ };                                     \
		assert_int_equal(check(p_, COUNT(p_), input), 0);                                  \
		bpf_run(p_, input, data, size);                                                    \
	})

#define RETURN_K BPF_STMT(BPF_RET | BPF_K, 1)
#define RETURN_A BPF_STMT(BPF_RET | BPF_A, 0)

static void
calculates(void **state)
{
	static const struct {
		uint16_t operation;
		uint32_t a, operand, want;
	} rows[] = {
		{ BPF_ADD, 0xffffffff, 2, 1 }, { BPF_SUB, 1, 2, 0xffffffff }, { BPF_MUL, 0x10000, 0x10001, 0x10000 },
		{ BPF_DIV, 17, 5, 3 },         { BPF_MOD, 17, 5, 2 },         { BPF_AND, 12, 10, 8 },
		{ BPF_OR, 12, 10, 14 },        { BPF_XOR, 12, 10, 6 },        { BPF_LSH, 3, 30, 0xc0000000 },
		{ BPF_RSH, 0xc0000000, 30, 3 },
	};

	for (size_t i = 0; i < COUNT(rows); i++) {
		assert_int_equal(RUN(BPF_PACKET, "", 0, BPF_STMT(BPF_LD | BPF_IMM, rows[i].a),
				     BPF_STMT(BPF_ALU | rows[i].operation | BPF_K, rows[i].operand), RETURN_A),
				 rows[i].want);
		assert_int_equal(RUN(BPF_PACKET, "", 0, BPF_STMT(BPF_LDX | BPF_IMM, rows[i].operand),
				     BPF_STMT(BPF_LD | BPF_IMM, rows[i].a),
				     BPF_STMT(BPF_ALU | rows[i].operation | BPF_X, 0), RETURN_A),
				 rows[i].want);
	}
	assert_int_equal(RUN(BPF_PACKET, "", 0, BPF_STMT(BPF_LD | BPF_IMM, 5), BPF_STMT(BPF_ALU | BPF_NEG, 0), RETURN_A),
			 (uint32_t)-5);
}

static void
divides_by_zero(void **state)
{
	assert_int_equal(CHECK(BPF_RECORD, BPF_STMT(BPF_ALU | BPF_DIV | BPF_K, 0), RETURN_K), -EINVAL);
	assert_int_equal(RUN(BPF_PACKET, "", 0, BPF_STMT(BPF_LDX | BPF_IMM, 0), BPF_STMT(BPF_ALU | BPF_DIV | BPF_X, 0),
			     RETURN_K), 0);
	assert_int_equal(RUN(BPF_PACKET, "", 0, BPF_STMT(BPF_LDX | BPF_IMM, 0), BPF_STMT(BPF_ALU | BPF_MOD | BPF_X, 0),
			     RETURN_K), 0);
}

static void
reads_packets(void **state)
{
	static const uint8_t data[] = { 0x46, 2, 3, 4, 5, 6, 7, 8 };

#define READ(stmt) RUN(BPF_PACKET, data, sizeof(data), BPF_STMT(BPF_LDX | BPF_IMM, 2), stmt, RETURN_A)
	assert_int_equal(READ(BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 4)), 0x05060708);
	assert_int_equal(READ(BPF_STMT(BPF_LD | BPF_H | BPF_ABS, 6)), 0x0708);
	assert_int_equal(READ(BPF_STMT(BPF_LD | BPF_B | BPF_ABS, 7)), 8);
	assert_int_equal(READ(BPF_STMT(BPF_LD | BPF_W | BPF_IND, 2)), 0x05060708);
	assert_int_equal(READ(BPF_STMT(BPF_LD | BPF_W | BPF_LEN, 0)), 8);
	/* behind the end, also around it */
	assert_int_equal(READ(BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 5)), 0);
	assert_int_equal(READ(BPF_STMT(BPF_LD | BPF_B | BPF_ABS, 8)), 0);
	assert_int_equal(READ(BPF_STMT(BPF_LD | BPF_B | BPF_IND, 0xfffffffe)), 0);
	assert_int_equal(RUN(BPF_PACKET, data, sizeof(data), BPF_STMT(BPF_LDX | BPF_B | BPF_MSH, 0),
			     BPF_STMT(BPF_MISC | BPF_TXA, 0), RETURN_A), 24);
}

static void
jumps(void **state)
{
	static const struct {
		uint16_t condition;
		uint32_t a, k;
		bool want;
	} rows[] = {
		{ BPF_JEQ, 5, 5, true }, { BPF_JEQ, 5, 6, false }, { BPF_JGT, 6, 5, true }, { BPF_JGT, 5, 5, false },
		{ BPF_JGT, 0x80000000, 1, true }, { BPF_JGE, 5, 5, true }, { BPF_JGE, 4, 5, false },
		{ BPF_JSET, 6, 4, true }, { BPF_JSET, 6, 9, false },
	};

	for (size_t i = 0; i < COUNT(rows); i++)
		assert_int_equal(RUN(BPF_RECORD, "", 0, BPF_STMT(BPF_LD | BPF_IMM, rows[i].a),
				     BPF_JUMP(BPF_JMP | rows[i].condition | BPF_K, rows[i].k, 1, 0),
				     BPF_STMT(BPF_RET | BPF_K, 0), RETURN_K), rows[i].want);
	assert_int_equal(RUN(BPF_RECORD, "", 0, BPF_STMT(BPF_JMP | BPF_JA, 1), BPF_STMT(BPF_RET | BPF_K, 7), RETURN_K), 1);
}

static void
refuses(void **state)
{
	assert_int_equal(check((struct bpf_instruction[]){ RETURN_K }, 0, BPF_RECORD), -EINVAL);
	assert_int_equal(CHECK(BPF_RECORD, BPF_STMT(BPF_LD | BPF_IMM, 0)), -EINVAL);
	assert_int_equal(CHECK(BPF_RECORD, BPF_STMT(BPF_JMP | BPF_JA, 0xffffffff), RETURN_K), -EINVAL);
	assert_int_equal(CHECK(BPF_RECORD, BPF_JUMP(BPF_JMP | BPF_JEQ, 0, 255, 0), RETURN_K), -EINVAL);
	assert_int_equal(CHECK(BPF_RECORD, BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 64), RETURN_K), -EINVAL);
	assert_int_equal(CHECK(BPF_RECORD, BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 62), RETURN_K), -EINVAL);
	assert_int_equal(CHECK(BPF_RECORD, BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 60), RETURN_K), 0);
	assert_int_equal(CHECK(BPF_PACKET, BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 0xfffff000), RETURN_K), -EINVAL);
	/* a cell that only one of two ways has written */
	assert_int_equal(CHECK(BPF_RECORD, BPF_JUMP(BPF_JMP | BPF_JEQ, 0, 0, 1), BPF_STMT(BPF_ST, 0),
			       BPF_STMT(BPF_LD | BPF_MEM, 0), RETURN_K), -EINVAL);
	assert_int_equal(CHECK(BPF_RECORD, BPF_JUMP(BPF_JMP | BPF_JEQ, 0, 1, 0), RETURN_A, BPF_STMT(BPF_LD | BPF_MEM, 0),
			       RETURN_K), -EINVAL);
	/* one that all ways that lead there have */
	assert_int_equal(CHECK(BPF_RECORD, BPF_STMT(BPF_ST, 0), BPF_JUMP(BPF_JMP | BPF_JEQ, 0, 1, 0), RETURN_A,
			       BPF_STMT(BPF_LD | BPF_MEM, 0), RETURN_K), 0);
}

/* Whatever passes the check ends, and reads nothing outside its input: the sanitizers watch. */
static void
survives_nonsense(void **state)
{
	struct bpf_instruction p[8];
	uint8_t *data = malloc(64);
	int passed = 0;

	memset(data, 0xa5, 64);
	srand(1);
	for (int i = 0; i < 2000000; i++) {
		uint32_t n = 1 + (uint32_t)rand() % 8;
		enum bpf_input input = rand() % 2 ? BPF_PACKET : BPF_RECORD;

		for (uint32_t j = 0; j < n; j++)
			p[j] = (struct bpf_instruction){ (uint16_t)(rand() & 0xff), rand() & 3, rand() & 3,
							 rand() % 4 ? (uint32_t)rand() & 63 : (uint32_t)rand() * 2 };
		if (rand() % 4)
			p[n - 1] = (struct bpf_instruction)RETURN_A;
		if (check(p, n, input) == 0) {
			bpf_run(p, input, data, 64);
			passed++;
		}
	}
	assert_true(passed > 1000);
	free(data);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(calculates),   cmocka_unit_test(divides_by_zero), cmocka_unit_test(reads_packets),
		cmocka_unit_test(jumps),        cmocka_unit_test(refuses),         cmocka_unit_test(survives_nonsense),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
