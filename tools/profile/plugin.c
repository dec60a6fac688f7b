/* SPDX-License-Identifier: MIT */
/*
 * plugin.c - counts for `tessera profile`, inside QEMU, how often the machine executes each instruction of its kernel.
 *
 * QEMU translates the guest's code in blocks and tells of each before it runs. We ask it to add 1 to a counter in
 * front of each instruction: one counter for each address of the kernel, and one for all user code. That is exact,
 * also where a fault leaves a block half way, and costs an addition per instruction.
 *
 * What is counted is what lies between two marks in the program that is measured: no-operations with an operand
 * that nobody else writes (bench.h):
 *
 *	START: all counters are 0
 *	STOP:  a window is written: a line "window <user instructions>", then "<address> <count>" of the kernel's
 *
 * The counters are the machine's, not a processor's: one processor, please.
 *
 * Debian's package of QEMU has the plugin interface but not its header, so what is used of it is declared here.
 * QEMU refuses a plugin whose version of the interface it does not have.
 *
 * Argument: out=FILE.
 */
#include <inttypes.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define EXPORTED __attribute__((visibility("default")))

typedef uint64_t plugin_id;

struct plugin_info;
struct qemu_plugin_tb;
struct qemu_plugin_insn;

enum { NO_REGISTERS };
enum { INLINE_ADD };

EXPORTED int qemu_plugin_version = 1;
EXPORTED int qemu_plugin_install(plugin_id id, const struct plugin_info *info, int argc, char **argv);

void qemu_plugin_register_vcpu_tb_trans_cb(plugin_id id, void (*f)(plugin_id id, struct qemu_plugin_tb *tb));
void qemu_plugin_register_vcpu_insn_exec_cb(struct qemu_plugin_insn *insn, void (*f)(unsigned int cpu, void *data),
	int registers, void *data);
void qemu_plugin_register_vcpu_insn_exec_inline(struct qemu_plugin_insn *insn, int operation, void *counter, uint64_t by);
size_t qemu_plugin_tb_n_insns(const struct qemu_plugin_tb *tb);
struct qemu_plugin_insn *qemu_plugin_tb_get_insn(const struct qemu_plugin_tb *tb, size_t index);
const void *qemu_plugin_insn_data(const struct qemu_plugin_insn *insn);
size_t qemu_plugin_insn_size(const struct qemu_plugin_insn *insn);
uint64_t qemu_plugin_insn_vaddr(const struct qemu_plugin_insn *insn);

/* nopl MARK(%rax,%rax,1), the MARK in the four bytes behind these. */
static const uint8_t mark_code[] = { 0x0f, 0x1f, 0x84, 0x00 };
#define MARK_START 0x7e55e7a0u
#define MARK_STOP  0x7e55e7a1u

/* The upper half of the addresses. */
#define KERNEL_START 0xffff800000000000u

struct counter {
	uint64_t address, count;
};

/*
 * Open addressing by the address. A counter never moves once QEMU knows it: so the table has its size from the
 * beginning, far more than a kernel has instructions.
 */
#define TABLE_BITS 22
static struct counter *table;
static uint64_t table_used;
static uint64_t user_count;
static FILE *out;

static struct counter *
counter_of(uint64_t address)
{
	uint64_t at = address * 0x9e3779b97f4a7c15u >> (64 - TABLE_BITS);

	while (table[at].address != address) {
		if (!table[at].address) {
			if (++table_used > (1u << TABLE_BITS) * 3 / 4) {
				fprintf(stderr, "profile: the guest has too many instructions\n");
				exit(1);
			}
			table[at].address = address;
			break;
		}
		at = (at + 1) & ((1u << TABLE_BITS) - 1);
	}
	return &table[at];
}

static void
start(unsigned int cpu, void *data)
{
	(void)cpu;
	(void)data;
	user_count = 0;
	for (size_t i = 0; i < 1u << TABLE_BITS; i++)
		table[i].count = 0;
}

static void
stop(unsigned int cpu, void *data)
{
	(void)cpu;
	(void)data;
	fprintf(out, "window %" PRIu64 "\n", user_count);
	for (size_t i = 0; i < 1u << TABLE_BITS; i++)
		if (table[i].count)
			fprintf(out, "%" PRIx64 " %" PRIu64 "\n", table[i].address, table[i].count);
	fflush(out);
}

/* The mark that `insn` is; 0: none. */
static uint32_t
mark_of(const struct qemu_plugin_insn *insn)
{
	const uint8_t *bytes = qemu_plugin_insn_data(insn);
	uint32_t mark;

	if (qemu_plugin_insn_size(insn) != sizeof(mark_code) + sizeof(mark) ||
	    memcmp(bytes, mark_code, sizeof(mark_code)) != 0)
		return 0;
	memcpy(&mark, bytes + sizeof(mark_code), sizeof(mark));
	return mark;
}

static void
translated(plugin_id id, struct qemu_plugin_tb *tb)
{
	size_t n = qemu_plugin_tb_n_insns(tb);

	(void)id;
	for (size_t i = 0; i < n; i++) {
		struct qemu_plugin_insn *insn = qemu_plugin_tb_get_insn(tb, i);
		uint64_t address = qemu_plugin_insn_vaddr(insn);
		void *counter = address >= KERNEL_START ? &counter_of(address)->count : &user_count;

		qemu_plugin_register_vcpu_insn_exec_inline(insn, INLINE_ADD, counter, 1);
		if (address >= KERNEL_START)
			continue;
		if (mark_of(insn) == MARK_START)
			qemu_plugin_register_vcpu_insn_exec_cb(insn, start, NO_REGISTERS, NULL);
		else if (mark_of(insn) == MARK_STOP)
			qemu_plugin_register_vcpu_insn_exec_cb(insn, stop, NO_REGISTERS, NULL);
	}
}

int
qemu_plugin_install(plugin_id id, const struct plugin_info *info, int argc, char **argv)
{
	(void)info;
	if (argc != 1 || strncmp(argv[0], "out=", 4) != 0) {
		fprintf(stderr, "profile: the argument is out=FILE\n");
		return 1;
	}
	out = fopen(argv[0] + 4, "w");
	table = calloc(1u << TABLE_BITS, sizeof(*table));
	if (!out || !table) {
		perror("profile");
		return 1;
	}
	qemu_plugin_register_vcpu_tb_trans_cb(id, translated);
	return 0;
}
