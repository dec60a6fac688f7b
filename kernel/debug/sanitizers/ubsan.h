/* SPDX-License-Identifier: MIT */
/*
 * ubsan.h - the compilers' interface for undefined behaviour: what they say of a place, and whom they call.
 */
#ifndef SANITIZERS_UBSAN_H
#define SANITIZERS_UBSAN_H

#include <tessera/types.h>

struct ubsan_place {
	const char *file;
	uint32_t line, column;
};

struct ubsan_type {
	uint16_t kind;  /* 0: an integer */
	uint16_t info;  /* of an integer: log2 of its bits, times 2, plus 1 when it is signed */
	char name[];    /* quoted */
};

struct ubsan_plain {
	struct ubsan_place at;
};

struct ubsan_shift {
	struct ubsan_place at;
	const struct ubsan_type *left, *right;
};

struct ubsan_overflow {
	struct ubsan_place at;
	const struct ubsan_type *type;
};

struct ubsan_bounds {
	struct ubsan_place at;
	const struct ubsan_type *array, *index;
};

struct ubsan_access {
	struct ubsan_place at;
	const struct ubsan_type *type;
	uint8_t log_alignment;
	uint8_t kind;
};

struct ubsan_nonnull {
	struct ubsan_place at, declared_at;
	int index;
};

struct ubsan_builtin {
	struct ubsan_place at;
	uint8_t kind;
};

void __ubsan_handle_shift_out_of_bounds(struct ubsan_shift *d, uint64_t left, uint64_t right);
void __ubsan_handle_divrem_overflow(struct ubsan_overflow *d, uint64_t left, uint64_t right);
void __ubsan_handle_out_of_bounds(struct ubsan_bounds *d, uint64_t index);
void __ubsan_handle_vla_bound_not_positive(struct ubsan_overflow *d, uint64_t bound);
void __ubsan_handle_type_mismatch_v1(struct ubsan_access *d, uint64_t address);
void __ubsan_handle_load_invalid_value(struct ubsan_overflow *d, uint64_t value);
void __ubsan_handle_pointer_overflow(struct ubsan_plain *d, uint64_t base, uint64_t result);
void __ubsan_handle_nonnull_arg(struct ubsan_nonnull *d);
void __ubsan_handle_builtin_unreachable(struct ubsan_plain *d);
void __ubsan_handle_missing_return(struct ubsan_plain *d);
void __ubsan_handle_invalid_builtin(struct ubsan_builtin *d);

#endif
