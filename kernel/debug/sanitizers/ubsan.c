/* SPDX-License-Identifier: MIT */
/*
 * ubsan.c - what the compiler calls when an expression has no meaning in C.
 *
 * -fsanitize=... puts a test before each shift, index, division, access and so on; the failing branch
 * calls one of the handlers here, with a constant that says where in the source and of what type, and
 * with the operands. A handler reports and panics; with the argument ubsan=warn it warns, once a place,
 * and returns, and the program goes on with whatever the machine makes of it.
 *
 * The structs are those of the compilers' interface (LLVM's compiler-rt and gcc's libubsan share it). The
 * first word of a place is its file's name; its column word is all ones once it was reported.
 *
 * A value of up to 64 bits comes in the word itself, a larger one by address.
 */
#include <tessera/atomic.h>
#include <tessera/bootinfo.h>
#include <tessera/debug.h>
#include <tessera/panic.h>
#include <tessera/print.h>
#include <tessera/string.h>

#include "ubsan.h"

#define KIND_INTEGER 0
#define REPORTED     UINT32_MAX

static bool
warn_only(void)
{
	char value[8];

	return boot_argument("ubsan", value, sizeof(value)) && !strcmp(value, "warn");
}

static bool
is_signed(const struct ubsan_type *t)
{
	return t->info & 1;
}

static uint32_t
width(const struct ubsan_type *t)
{
	return 1u << (t->info >> 1);
}

/* The value as text, sign extended by its type. */
static const char *
value_text(const struct ubsan_type *t, uint64_t v, char *out, size_t size)
{
	uint32_t bits = width(t);

	if (t->kind != KIND_INTEGER) {
		scnprintf(out, size, "?");
	} else if (bits > 64) {
		const uint64_t *words = (const uint64_t *)v;

		scnprintf(out, size, "%#lx:%016lx", words[1], words[0]);
	} else if (is_signed(t)) {
		scnprintf(out, size, "%ld", (int64_t)(v << (64 - bits)) >> (64 - bits));
	} else {
		scnprintf(out, size, "%lu", v);
	}
	return out;
}

static bool
is_negative(const struct ubsan_type *t, uint64_t v)
{
	uint32_t bits = width(t);

	return is_signed(t) && bits <= 64 && (v >> (bits - 1) & 1);
}

/* Say where and what; panics unless warnings were asked for. */
static void __cold __printf(2, 3)
report(struct ubsan_place *at, const char *format, ...)
{
	char what[200];
	va_list args;

	/* One report for a place, and none about what happens while the kernel gives up. */
	if (atomic_exchange(&at->column, REPORTED) == REPORTED || debug_panicking())
		return;
	va_start(args, format);
	vsnprintf(what, sizeof(what), format, args);
	va_end(args);
	if (!warn_only())
		panic("undefined behaviour: %s:%u: %s", at->file, at->line, what);
	warn_backtrace("undefined behaviour: %s:%u: %s", at->file, at->line, what);
}

void
__ubsan_handle_shift_out_of_bounds(struct ubsan_shift *d, uint64_t left, uint64_t right)
{
	char l[48], r[48];

	value_text(d->left, left, l, sizeof(l));
	value_text(d->right, right, r, sizeof(r));
	if (is_negative(d->right, right))
		report(&d->at, "shift of %s by %s, which is negative", l, r);
	else if (right >= width(d->left))
		report(&d->at, "shift of %s by %s, but type %s has %u bits", l, r, d->left->name,
		       width(d->left));
	else
		report(&d->at, "left shift of %s by %s does not fit in type %s", l, r, d->left->name);
}

void
__ubsan_handle_divrem_overflow(struct ubsan_overflow *d, uint64_t left, uint64_t right)
{
	char l[48];

	value_text(d->type, left, l, sizeof(l));
	if (right == 0)
		report(&d->at, "division of %s by zero, type %s", l, d->type->name);
	else
		report(&d->at, "division of %s by -1 does not fit in type %s", l, d->type->name);
}

void
__ubsan_handle_out_of_bounds(struct ubsan_bounds *d, uint64_t index)
{
	char i[48];

	report(&d->at, "index %s is outside of type %s", value_text(d->index, index, i, sizeof(i)),
	       d->array->name);
}

void
__ubsan_handle_vla_bound_not_positive(struct ubsan_overflow *d, uint64_t bound)
{
	char b[48];

	report(&d->at, "array of %s elements", value_text(d->type, bound, b, sizeof(b)));
}

/* Indexed by ubsan_access.kind. */
static const char *const access_names[] = {
	"load of", "store to", "reference to", "member access within", "member call on", "constructor call on",
	"downcast of", "downcast of", "upcast of", "upcast to virtual base of", "_Nonnull assignment of",
	"dynamic operation on",
};

void
__ubsan_handle_type_mismatch_v1(struct ubsan_access *d, uint64_t address)
{
	uint64_t alignment = 1ul << d->log_alignment;
	const char *what = d->kind < ARRAY_SIZE(access_names) ? access_names[d->kind] : "access to";

	if (address == 0)
		report(&d->at, "%s a null pointer of type %s", what, d->type->name);
	else if (address & (alignment - 1))
		report(&d->at, "%s address %#lx, misaligned for type %s, which wants %lu bytes", what,
		       address, d->type->name, alignment);
	else
		report(&d->at, "%s address %#lx without room for an object of type %s", what, address,
		       d->type->name);
}

void
__ubsan_handle_load_invalid_value(struct ubsan_overflow *d, uint64_t value)
{
	char v[48];

	report(&d->at, "load of value %s, which type %s does not have",
	       value_text(d->type, value, v, sizeof(v)), d->type->name);
}

void
__ubsan_handle_pointer_overflow(struct ubsan_plain *d, uint64_t base, uint64_t result)
{
	report(&d->at, "pointer %#lx with an offset wraps to %#lx", base, result);
}

void
__ubsan_handle_nonnull_arg(struct ubsan_nonnull *d)
{
	report(&d->at, "null passed as argument %d, which must not be null", d->index);
}

/* After these two there is no way on, whatever the argument says. */
void
__ubsan_handle_builtin_unreachable(struct ubsan_plain *d)
{
	panic("undefined behaviour: %s:%u: unreachable code was reached", d->at.file, d->at.line);
}

void
__ubsan_handle_missing_return(struct ubsan_plain *d)
{
	panic("undefined behaviour: %s:%u: a function ended without its value", d->at.file, d->at.line);
}

void
__ubsan_handle_invalid_builtin(struct ubsan_builtin *d)
{
	report(&d->at, "zero passed to %s, which has no answer for it",
	       d->kind == 0 ? "ctz()" : "clz()");
}
