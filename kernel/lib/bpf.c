/* SPDX-License-Identifier: MIT */
/*
 * bpf.c - classic BPF: the checker and the interpreter.
 *
 * An instruction has a class in its three lowest bits; what the others mean depends on the class:
 *
 *   LD, LDX    width (word, half, byte) and mode: constant, input at k, input at X + k, cell, length
 *   ST, STX    to cell k
 *   ALU        operation on A; the operand is k or X
 *   JMP        condition on A against k or X; jumps count from the next instruction
 *   RET        k or A
 *   MISC       A to X, X to A
 *
 * The checker's second pass follows which cells have been written on every way to an instruction: a jump
 * joins what holds here with what holds at its target. Programs are followed in order, and all jumps go
 * forward, so one pass over them is enough.
 */
#include <tessera/bpf.h>
#include <tessera/errno.h>

#define CLASS(code) ((code) & 0x07)
#define LD   0x00
#define LDX  0x01
#define ST   0x02
#define STX  0x03
#define ALU  0x04
#define JMP  0x05
#define RET  0x06
#define MISC 0x07

/* width */
#define W 0x00
#define H 0x08
#define B 0x10

/* mode */
#define IMM 0x00
#define ABS 0x20
#define IND 0x40
#define MEM 0x60
#define LEN 0x80
#define MSH 0xa0 /* four times the low half of a byte: the length of an IP header */

/* operations */
#define ADD 0x00
#define SUB 0x10
#define MUL 0x20
#define DIV 0x30
#define OR  0x40
#define AND 0x50
#define LSH 0x60
#define RSH 0x70
#define NEG 0x80
#define MOD 0x90
#define XOR 0xa0

#define JA   0x00
#define JEQ  0x10
#define JGT  0x20
#define JGE  0x30
#define JSET 0x40

#define K 0x00
#define X 0x08
#define A 0x10

#define TAX 0x00
#define TXA 0x80

/* Negative places of a socket's packet: its headers, and what is known of it beside the bytes. */
#define LINK_HEADER    ((uint32_t)-0x200000)
#define NETWORK_HEADER ((uint32_t)-0x100000)
#define FRAME_WORDS    ((uint32_t)-0x1000)
#define ASK_PROTOCOL   (FRAME_WORDS + 0)
#define ASK_TYPE       (FRAME_WORDS + 4)
#define ASK_INTERFACE  (FRAME_WORDS + 8)
#define ASK_MARK       (FRAME_WORDS + 20)
#define ASK_QUEUE      (FRAME_WORDS + 24)
#define ASK_KIND       (FRAME_WORDS + 28)
#define ASK_HASH       (FRAME_WORDS + 32)
#define ASK_CPU        (FRAME_WORDS + 36)
#define ASK_TAG        (FRAME_WORDS + 44)
#define ASK_HAS_TAG    (FRAME_WORDS + 48)
#define ASK_TAG_PROTOCOL (FRAME_WORDS + 60)

/* --- checking --------------------------------------------------------------------------------- */

static bool
alu_known(const struct bpf_instruction *i, enum bpf_input input)
{
	uint16_t operation = i->code & 0xf0;
	bool constant = !(i->code & X);

	if (i->code & ~(uint16_t)0xff)
		return false;
	switch (operation) {
	case ADD:
	case SUB:
	case MUL:
	case OR:
	case AND:
	case XOR:
		return true;
	case DIV:
		return !constant || i->k != 0;
	case MOD:
		return input != BPF_RECORD && (!constant || i->k != 0);
	case LSH:
	case RSH:
		return !constant || i->k < 32;
	case NEG:
		return constant;
	}
	return false;
}

/* May be loaded from: the bytes, or of a socket's packet what lies at negative places. */
static bool
place_known(uint32_t k, enum bpf_input input)
{
	if (k <= INT32_MAX)
		return true;
	if (input != BPF_SOCKET)
		return false;
	return k < FRAME_WORDS || k == ASK_PROTOCOL || k == ASK_TYPE || k == ASK_INTERFACE || k == ASK_MARK || k == ASK_QUEUE ||
	       k == ASK_KIND || k == ASK_HASH || k == ASK_CPU || k == ASK_TAG || k == ASK_HAS_TAG || k == ASK_TAG_PROTOCOL;
}

static bool
load_known(const struct bpf_instruction *i, enum bpf_input input, uint32_t size)
{
	switch (i->code) {
	case LD | IMM:
	case LDX | IMM:
	case LD | W | LEN:
	case LDX | W | LEN:
		return true;
	case LD | MEM:
	case LDX | MEM:
		return i->k < BPF_CELLS;
	case LD | W | ABS:
		return input == BPF_RECORD ? i->k < size && !(i->k & 3) : place_known(i->k, input);
	case LD | H | ABS:
	case LD | B | ABS:
		return input != BPF_RECORD && place_known(i->k, input);
	case LDX | B | MSH:
		return input != BPF_RECORD && i->k <= INT32_MAX;
	case LD | W | IND:
	case LD | H | IND:
	case LD | B | IND:
		return input != BPF_RECORD;
	}
	return false;
}

/* Is instruction `at` of `n` a known one that jumps to another and has good constants? */
static bool
known(const struct bpf_instruction *p, uint32_t at, uint32_t n, enum bpf_input input, uint32_t size)
{
	const struct bpf_instruction *i = &p[at];

	switch (CLASS(i->code)) {
	case LD:
	case LDX:
		return load_known(i, input, size);
	case ST:
	case STX:
		return (i->code == ST || i->code == STX) && i->k < BPF_CELLS;
	case ALU:
		return alu_known(i, input);
	case JMP:
		if (i->code == (JMP | JA))
			return i->k < n - at - 1;
		switch (i->code & ~(uint16_t)X) {
		case JMP | JEQ:
		case JMP | JGT:
		case JMP | JGE:
		case JMP | JSET:
			return at + i->jump_true + 1 < n && at + i->jump_false + 1 < n;
		}
		return false;
	case RET:
		return i->code == (RET | K) || i->code == (RET | A);
	default:
		return i->code == (MISC | TAX) || i->code == (MISC | TXA);
	}
}

/* Every cell that is read has been written, whichever way was taken. written[i]: at i, as far as seen. */
static bool
cells_written(const struct bpf_instruction *p, uint32_t n, uint16_t *written)
{
	uint16_t now = 0;

	for (uint32_t i = 0; i < n; i++)
		written[i] = UINT16_MAX;
	for (uint32_t i = 0; i < n; i++) {
		now &= written[i];
		switch (CLASS(p[i].code)) {
		case ST:
		case STX:
			now |= (uint16_t)(1u << p[i].k);
			break;
		case LD:
		case LDX:
			if ((p[i].code & 0xe0) == MEM && !(now & (1u << p[i].k)))
				return false;
			break;
		case JMP:
			if (p[i].code == (JMP | JA)) {
				written[i + p[i].k + 1] &= now;
			} else {
				written[i + p[i].jump_true + 1] &= now;
				written[i + p[i].jump_false + 1] &= now;
			}
			now = UINT16_MAX;
			break;
		case RET:
			now = UINT16_MAX; /* what follows is reached by jumps only */
			break;
		}
	}
	return true;
}

int
bpf_check(const struct bpf_instruction *p, uint32_t n, enum bpf_input input, uint32_t size, uint16_t *scratch)
{
	if (n == 0 || n > BPF_LENGTH_MAX)
		return -EINVAL;
	for (uint32_t i = 0; i < n; i++)
		if (!known(p, i, n, input, size))
			return -EINVAL;
	if (CLASS(p[n - 1].code) != RET)
		return -EINVAL;
	return cells_written(p, n, scratch) ? 0 : -EINVAL;
}

/* --- running ---------------------------------------------------------------------------------- */

struct machine {
	uint32_t a, x;
	uint32_t cell[BPF_CELLS];
	const uint8_t *data;
	uint32_t size;
	enum bpf_input input;
	const struct bpf_frame *frame;
};

/* The bytes in network order from `at` on, of `size`. */
static bool
bytes_of(const uint8_t *data, uint64_t size, uint64_t at, uint32_t width, uint32_t *out)
{
	uint32_t value = 0;

	if (!data || at > size || width > size - at)
		return false;
	for (uint32_t i = 0; i < width; i++)
		value = value << 8 | data[at + i];
	*out = value;
	return true;
}

/* What lies at the negative place k. False: nothing does. */
static bool
ask(const struct machine *m, uint32_t k, uint32_t width, uint32_t *out)
{
	const struct bpf_frame *f = m->frame;

	switch (k) {
	case ASK_PROTOCOL:
		*out = f->protocol;
		return true;
	case ASK_TYPE:
		*out = f->type;
		return true;
	case ASK_INTERFACE:
		*out = f->interface;
		return f->interface != 0;
	case ASK_KIND:
		*out = f->kind;
		return f->interface != 0;
	case ASK_MARK:
		*out = f->mark;
		return true;
	}
	*out = 0;
	if (k >= FRAME_WORDS) /* no queues, no hashes, no tags */
		return true;
	if (k >= NETWORK_HEADER)
		return bytes_of(f->network, f->network_size, k - NETWORK_HEADER, width, out);
	return k >= LINK_HEADER && bytes_of(f->link, f->link_size, k - LINK_HEADER, width, out);
}

/* `width` bytes of the input at `at`. False: they are not all there. */
static bool
fetch(const struct machine *m, uint64_t at, uint32_t width, uint32_t *out)
{
	if (at > m->size || width > m->size - at)
		return false;
	if (m->input != BPF_RECORD)
		return bytes_of(m->data, m->size, at, width, out);
	*out = *(const uint32_t *)(const void *)(m->data + at);
	return true;
}

static uint32_t
width_of(uint16_t code)
{
	return (code & 0x18) == W ? 4 : (code & 0x18) == H ? 2 : 1;
}

/* LD and LDX. False: outside the input, which ends the program. */
static bool
load(struct machine *m, const struct bpf_instruction *i)
{
	uint32_t value;

	switch (i->code & 0xe0) {
	case IMM:
		value = i->k;
		break;
	case MEM:
		value = m->cell[i->k];
		break;
	case LEN:
		value = m->size;
		break;
	case IND:
		if (!fetch(m, (uint64_t)m->x + i->k, width_of(i->code), &value))
			return false;
		break;
	case MSH:
		if (!fetch(m, i->k, 1, &value))
			return false;
		value = (value & 0xf) * 4;
		break;
	default:
		if (m->frame && i->k > INT32_MAX) {
			if (!ask(m, i->k, width_of(i->code), &value))
				return false;
		} else if (!fetch(m, i->k, width_of(i->code), &value)) {
			return false;
		}
	}
	if (CLASS(i->code) == LD)
		m->a = value;
	else
		m->x = value;
	return true;
}

/* False: a division by zero, which ends the program. */
static bool
calculate(struct machine *m, const struct bpf_instruction *i)
{
	uint32_t operand = i->code & X ? m->x : i->k;

	switch (i->code & 0xf0) {
	case ADD:
		m->a += operand;
		break;
	case SUB:
		m->a -= operand;
		break;
	case MUL:
		m->a *= operand;
		break;
	case DIV:
		if (operand == 0)
			return false;
		m->a /= operand;
		break;
	case MOD:
		if (operand == 0)
			return false;
		m->a %= operand;
		break;
	case OR:
		m->a |= operand;
		break;
	case AND:
		m->a &= operand;
		break;
	case XOR:
		m->a ^= operand;
		break;
	case LSH:
		m->a <<= operand & 31;
		break;
	case RSH:
		m->a >>= operand & 31;
		break;
	case NEG:
		m->a = -m->a;
		break;
	}
	return true;
}

static bool
condition(const struct machine *m, const struct bpf_instruction *i)
{
	uint32_t operand = i->code & X ? m->x : i->k;

	switch (i->code & 0xf0) {
	case JEQ:
		return m->a == operand;
	case JGT:
		return m->a > operand;
	case JGE:
		return m->a >= operand;
	}
	return m->a & operand;
}

static uint32_t
run(struct machine m, const struct bpf_instruction *p)
{
	for (;; p++) {
		switch (CLASS(p->code)) {
		case LD:
		case LDX:
			if (!load(&m, p))
				return 0;
			break;
		case ST:
			m.cell[p->k] = m.a;
			break;
		case STX:
			m.cell[p->k] = m.x;
			break;
		case ALU:
			if (!calculate(&m, p))
				return 0;
			break;
		case JMP:
			if (p->code == (JMP | JA))
				p += p->k;
			else
				p += condition(&m, p) ? p->jump_true : p->jump_false;
			break;
		case RET:
			return p->code & A ? m.a : p->k;
		default:
			if (p->code & TXA)
				m.a = m.x;
			else
				m.x = m.a;
		}
	}
}

uint32_t
bpf_run(const struct bpf_instruction *p, enum bpf_input input, const void *data, uint32_t size)
{
	return run((struct machine){ .data = data, .size = size, .input = input }, p);
}

uint32_t
bpf_run_socket(const struct bpf_instruction *p, const void *data, uint32_t size, const struct bpf_frame *frame)
{
	return run((struct machine){ .data = data, .size = size, .input = BPF_SOCKET, .frame = frame }, p);
}
