/* SPDX-License-Identifier: MIT */
/*
 * format.c - vsnprintf for the kernel: d i u o x X c s p %, flags "-0+ #", width, precision, and the
 * lengths hh h l ll z t j. No floating point, no %n.
 */
#include <tessera/print.h>

#include <tessera/string.h>

/* Where characters go: those past the end are counted only. */
struct sink {
	char *out;
	size_t size, length;
};

static void
put(struct sink *s, char c)
{
	if (s->length + 1 < s->size)
		s->out[s->length] = c;
	s->length++;
}

struct spec {
	bool left, zero, plus, space, alternate, upper, is_signed;
	int width, precision; /* precision -1: not given */
	unsigned int base;
	enum { LEN_INT, LEN_CHAR, LEN_SHORT, LEN_LONG } length;
};

static void
pad(struct sink *s, char c, int n)
{
	while (n-- > 0)
		put(s, c);
}

static void
put_text(struct sink *s, const struct spec *sp, const char *text)
{
	size_t n;

	if (!text)
		text = "(null)";
	n = sp->precision >= 0 ? strnlen(text, (size_t)sp->precision) : strlen(text);
	if (!sp->left)
		pad(s, ' ', sp->width - (int)n);
	for (size_t i = 0; i < n; i++)
		put(s, text[i]);
	if (sp->left)
		pad(s, ' ', sp->width - (int)n);
}

static void
put_number(struct sink *s, const struct spec *sp, uint64_t value, bool negative)
{
	const char *digits = sp->upper ? "0123456789ABCDEF" : "0123456789abcdef";
	char buf[24], prefix[3];
	int n = 0, prefix_n = 0, zeros, filler;

	for (uint64_t v = value; v != 0; v /= sp->base)
		buf[n++] = digits[v % sp->base];
	if (n == 0 && sp->precision != 0)
		buf[n++] = '0';
	if (negative)
		prefix[prefix_n++] = '-';
	else if (sp->is_signed && (sp->plus || sp->space))
		prefix[prefix_n++] = sp->plus ? '+' : ' ';
	if (sp->alternate && sp->base == 16 && value != 0) {
		prefix[prefix_n++] = '0';
		prefix[prefix_n++] = sp->upper ? 'X' : 'x';
	}
	zeros = sp->precision > n ? sp->precision - n : 0;
	if (sp->alternate && sp->base == 8 && zeros == 0 && (n == 0 || buf[n - 1] != '0'))
		zeros = 1;
	if (sp->zero && !sp->left && sp->precision < 0 && sp->width > n + prefix_n)
		zeros = sp->width - n - prefix_n;
	filler = sp->width - n - prefix_n - zeros;
	if (!sp->left)
		pad(s, ' ', filler);
	for (int i = 0; i < prefix_n; i++)
		put(s, prefix[i]);
	pad(s, '0', zeros);
	while (n > 0)
		put(s, buf[--n]);
	if (sp->left)
		pad(s, ' ', filler);
}

static const char *
parse_flags(const char *f, struct spec *sp)
{
	for (;; f++) {
		switch (*f) {
		case '-': sp->left = true; break;
		case '0': sp->zero = true; break;
		case '+': sp->plus = true; break;
		case ' ': sp->space = true; break;
		case '#': sp->alternate = true; break;
		default: return f;
		}
	}
}

static const char *
parse_count(const char *f, int *out)
{
	int n = 0;

	while (*f >= '0' && *f <= '9')
		n = n * 10 + (*f++ - '0');
	*out = n;
	return f;
}

static const char *
parse_length(const char *f, struct spec *sp)
{
	if (*f == 'h') {
		sp->length = f[1] == 'h' ? LEN_CHAR : LEN_SHORT;
		return f + (f[1] == 'h' ? 2 : 1);
	}
	if (*f == 'l' || *f == 'z' || *f == 't' || *f == 'j') {
		sp->length = LEN_LONG;
		return f + (f[0] == 'l' && f[1] == 'l' ? 2 : 1);
	}
	return f;
}

static void
put_integer(struct sink *s, struct spec *sp, uint64_t raw)
{
	bool negative = false;

	switch (sp->length) {
	case LEN_CHAR: raw = sp->is_signed ? (uint64_t)(int8_t)raw : (uint8_t)raw; break;
	case LEN_SHORT: raw = sp->is_signed ? (uint64_t)(int16_t)raw : (uint16_t)raw; break;
	case LEN_INT: raw = sp->is_signed ? (uint64_t)(int32_t)raw : (uint32_t)raw; break;
	case LEN_LONG: break;
	}
	if (sp->is_signed && (int64_t)raw < 0) {
		negative = true;
		raw = -raw;
	}
	put_number(s, sp, raw, negative);
}

int
vsnprintf(char *out, size_t size, const char *f, va_list args)
{
	struct sink s = { .out = out, .size = size };

	while (*f) {
		struct spec sp = { .precision = -1, .base = 10 };

		if (*f != '%') {
			put(&s, *f++);
			continue;
		}
		f = parse_flags(f + 1, &sp);
		if (*f == '*') {
			sp.width = va_arg(args, int);
			if (sp.width < 0) {
				sp.left = true;
				sp.width = -sp.width;
			}
			f++;
		} else {
			f = parse_count(f, &sp.width);
		}
		if (*f == '.') {
			f++;
			if (*f == '*') {
				sp.precision = va_arg(args, int);
				f++;
			} else {
				f = parse_count(f, &sp.precision);
			}
		}
		f = parse_length(f, &sp);
		switch (*f) {
		case 'd':
		case 'i':
			sp.is_signed = true;
			put_integer(&s, &sp,
				    sp.length == LEN_LONG ? (uint64_t)va_arg(args, long)
							  : (uint64_t)va_arg(args, int));
			break;
		case 'X':
			sp.upper = true;
			__fallthrough;
		case 'x':
		case 'o':
		case 'u':
			sp.base = *f == 'o' ? 8 : *f == 'u' ? 10 : 16;
			put_integer(&s, &sp,
				    sp.length == LEN_LONG ? va_arg(args, unsigned long)
							  : va_arg(args, unsigned int));
			break;
		case 'p':
			sp.base = 16;
			sp.alternate = true;
			put_number(&s, &sp, (uintptr_t)va_arg(args, void *), false);
			break;
		case 'c':
			if (!sp.left)
				pad(&s, ' ', sp.width - 1);
			put(&s, (char)va_arg(args, int));
			if (sp.left)
				pad(&s, ' ', sp.width - 1);
			break;
		case 's':
			put_text(&s, &sp, va_arg(args, const char *));
			break;
		case '%':
			put(&s, '%');
			break;
		case '\0':
			continue;
		default:
			put(&s, '%');
			put(&s, *f);
			break;
		}
		f++;
	}
	if (size > 0)
		out[s.length < size ? s.length : size - 1] = '\0';
	return (int)s.length;
}

int
snprintf(char *out, size_t size, const char *format, ...)
{
	va_list args;
	int n;

	va_start(args, format);
	n = vsnprintf(out, size, format, args);
	va_end(args);
	return n;
}

int
scnprintf(char *out, size_t size, const char *format, ...)
{
	va_list args;
	int n;

	va_start(args, format);
	n = vsnprintf(out, size, format, args);
	va_end(args);
	if (size == 0)
		return 0;
	return n < (int)size ? n : (int)size - 1;
}
