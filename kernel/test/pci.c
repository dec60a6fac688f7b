/* SPDX-License-Identifier: MIT */
/*
 * pci.c - what devices say of themselves, when it is right and when it is nonsense.
 */
#include <tessera/pci.h>
#include <tessera/random.h>
#include <tessera/slab.h>
#include <tessera/string.h>
#include <tessera/test.h>

enum { PM, MSI, MSIX, EXPRESS, AF };

static struct pci_made_up *
make_up(void)
{
	struct pci_made_up *m = kzalloc(sizeof(*m));

	if (m) {
		m->bytes[0] = 0x34;
		m->bytes[1] = 0x12;
		m->bytes[6] = 0x10; /* it has capabilities */
	}
	return m;
}

static void
put32(struct pci_made_up *m, uint32_t at, uint32_t v)
{
	memcpy(m->bytes + at, &v, 4);
}

/* A capability at `at`, and where the next one is. */
static void
put_capability(struct pci_made_up *m, uint32_t at, uint8_t id, uint8_t next)
{
	m->bytes[at] = id;
	m->bytes[at + 1] = next;
}

KTEST(pci_sizes_of_registers)
{
	struct pci_made_up *m = make_up();
	struct pci_reading r;

	kcheck(m);
	put32(m, 0x10, 0xfe000000);  /* 64 KiB */
	m->masks[0] = 0xffff0000;
	put32(m, 0x14, 0xc001);      /* 32 ports */
	m->masks[1] = 0xffe0;
	put32(m, 0x18, 0x0000000c);  /* 8 GiB, prefetched, at 16 TiB */
	put32(m, 0x1c, 0x1000);
	m->masks[2] = 0;
	m->masks[3] = 0xfffffffe;
	put32(m, 0x20, 0);           /* nothing */
	put32(m, 0x24, 0x4);         /* 64 bits wide where there is no room for its upper half */
	m->masks[5] = 0xfffff000;
	put32(m, 0x30, 0xfd000000);
	m->masks[6] = 0xfffe0001;
	kcheck_equal(pci_read_made_up(m, &r), 0);
	kcheck(r.start[0] == 0xfe000000 && r.size[0] == 0x10000 && !r.ports[0]);
	kcheck(r.start[1] == 0xc000 && r.size[1] == 32 && r.ports[1]);
	kcheck(r.start[2] == 0x100000000000 && r.size[2] == 0x200000000);
	kcheck(r.size[3] == 0 && r.size[4] == 0);
	kcheck(r.size[5] == 0x1000);
	kcheck(r.start[6] == 0xfd000000 && r.size[6] == 0x20000);
	/* All is as it was. */
	kcheck(m->bytes[0x13] == 0xfe && m->bytes[0x11] == 0 && m->bytes[0x1d] == 0x10);
	kfree(m);
}

KTEST(pci_capabilities_in_a_circle)
{
	struct pci_made_up *m = make_up();
	struct pci_reading r;

	kcheck(m);
	m->bytes[0x34] = 0x43; /* the low bits are nobody's */
	put_capability(m, 0x40, 1, 0x50);
	put_capability(m, 0x50, 9, 0x60);
	put_capability(m, 0x60, 0x10, 0x50);
	kcheck_equal(pci_read_made_up(m, &r), 0);
	kcheck(r.capabilities[PM] == 0x40 && r.capabilities[EXPRESS] == 0x60);
	kcheck(r.capabilities[MSI] == 0 && r.capabilities[MSIX] == 0 && r.capabilities[AF] == 0);
	kcheck(m->reads < 2000);
	put_capability(m, 0x40, 9, 0x40); /* itself */
	kcheck_equal(pci_read_made_up(m, &r), 0);
	kcheck_equal(r.capabilities[PM], 0);
	m->bytes[6] = 0;                  /* it says it has none */
	put_capability(m, 0x40, 1, 0);
	kcheck_equal(pci_read_made_up(m, &r), 0);
	kcheck_equal(r.capabilities[PM], 0);
	kfree(m);
}

KTEST(pci_capabilities_that_do_not_fit)
{
	struct pci_made_up *m = make_up();
	struct pci_reading r;

	kcheck(m);
	m->bytes[0x34] = 0x3c;            /* in the header */
	put_capability(m, 0x3c, 1, 0);
	kcheck_equal(pci_read_made_up(m, &r), 0);
	kcheck_equal(r.capabilities[PM], 0);
	m->bytes[0x34] = 0xfc;            /* begins within, ends outside */
	put_capability(m, 0xfc, 0x10, 0);
	kcheck_equal(pci_read_made_up(m, &r), 0);
	kcheck_equal(r.capabilities[EXPRESS], 0);
	put_capability(m, 0xfc, 0x05, 0xf8);
	put_capability(m, 0xf8, 0x11, 0x80);
	put_capability(m, 0x80, 0x13, 0);
	kcheck_equal(pci_read_made_up(m, &r), 0);
	kcheck(r.capabilities[MSI] == 0 && r.capabilities[MSIX] == 0 && r.capabilities[AF] == 0x80);
	/* Extended ones: in a circle, and misaligned. */
	m->extended = true;
	m->bytes[0x34] = 0x40;
	put_capability(m, 0x40, 0x10, 0);
	put32(m, 0x100, 0x1 | 1 << 16 | 0x200u << 20);
	put32(m, 0x200, 0x2 | 1 << 16 | 0x103u << 20);
	m->reads = 0;
	kcheck_equal(pci_read_made_up(m, &r), 0);
	kcheck_equal(r.extended_found, 0);
	kcheck(m->reads < 2000);
	put32(m, 0x200, 0x2 | 1 << 16 | 0xffcu << 20);
	put32(m, 0xffc, 0xd | 1 << 16);   /* ends outside */
	kcheck_equal(pci_read_made_up(m, &r), 0);
	kcheck_equal(r.extended_found, 0);
	put32(m, 0x200, 0x2 | 1 << 16 | 0xf00u << 20);
	put32(m, 0xf00, 0xd | 1 << 16);
	kcheck_equal(pci_read_made_up(m, &r), 0);
	kcheck_equal(r.extended_found, 0xf00);
	kfree(m);
}

/* What begins within the configuration and ends outside is taken out of what programs see, like what nobody knows. */
KTEST(pci_programs_see_whole_capabilities)
{
	struct pci_made_up *m = make_up();
	struct pci_reading r;

	kcheck(m);
	m->bytes[0x34] = 0xf4;
	put_capability(m, 0xf4, 0x05, 0x40); /* MSI, with 64 bits and masks: 24 bytes */
	m->bytes[0xf6] = 0x80;
	m->bytes[0xf7] = 0x01;
	put_capability(m, 0x40, 0x01, 0xfc);
	put_capability(m, 0xfc, 0x10, 0x48);
	put_capability(m, 0x48, 0x42, 0x50); /* nobody knows it */
	put_capability(m, 0x50, 0x05, 0);
	kcheck_equal(pci_read_made_up(m, &r), 0);
	kcheck(m->shown[0x34] == 0x40 && m->shown[0x41] == 0x50 && m->shown[0x51] == 0);
	kfree(m);
}

KTEST(pci_table_of_messages_lies_within_its_registers)
{
	struct pci_made_up *m = make_up();
	struct pci_reading r;

	kcheck(m);
	put32(m, 0x10, 0xfe000000);
	m->masks[0] = 0xffffc000; /* 16 KiB */
	put32(m, 0x14, 0xc001);
	m->masks[1] = 0xffe0;
	m->bytes[0x34] = 0x40;
	put_capability(m, 0x40, 0x11, 0);
	m->bytes[0x42] = 64 - 1;
	put32(m, 0x44, 0x3c00);   /* 64 entries of 16 bytes: up to the end */
	kcheck_equal(pci_read_made_up(m, &r), 0);
	kcheck(r.msix && r.msix_bar == 0 && r.msix_start == 0x3c00 && r.msix_end == 0x4000);
	m->bytes[0x42] = 65 - 1;  /* one more */
	kcheck_equal(pci_read_made_up(m, &r), 0);
	kcheck(!r.msix);
	put32(m, 0x44, 0xfffffff8); /* far outside */
	kcheck_equal(pci_read_made_up(m, &r), 0);
	kcheck(!r.msix);
	for (uint32_t bar = 1; bar < 8; bar++) { /* ports, nothing, and numbers that no register has */
		put32(m, 0x44, bar);
		m->bytes[0x42] = 0;
		kcheck_equal(pci_read_made_up(m, &r), 0);
		kcheck(!r.msix);
	}
	put32(m, 0x10, 0);        /* in a register without a place */
	put32(m, 0x44, 0);
	kcheck_equal(pci_read_made_up(m, &r), 0);
	kcheck(!r.msix);
	kfree(m);
}

/* Whatever stands there: it ends, and what is believed of it is possible. */
KTEST(pci_nonsense_is_survived)
{
	struct pci_made_up *m = make_up();
	struct pci_reading r;

	kcheck(m);
	for (int round = 0; round < 300; round++) {
		random_bytes(m->bytes, sizeof(m->bytes));
		random_bytes(m->masks, sizeof(m->masks));
		m->extended = round & 1;
		m->bytes[6] |= 0x10;
		m->bytes[14] = round % 3 == 2; /* a bridge */
		m->reads = 0;
		kcheck_equal(pci_read_made_up(m, &r), 0);
		kcheck(m->reads < 4000);
		for (int i = 0; i < 7; i++)
			kcheck((r.size[i] & (r.size[i] - 1)) == 0);
		for (int i = 0; i < 5; i++)
			kcheck(r.capabilities[i] == 0 || (r.capabilities[i] >= 0x40 && r.capabilities[i] < 0x100));
		kcheck(!r.msix || (r.msix_bar < 6 && r.msix_end <= r.size[r.msix_bar] && r.msix_start < r.msix_end));
	}
	memset(m->bytes, 0xff, sizeof(m->bytes)); /* it was pulled out */
	kcheck_equal(pci_read_made_up(m, &r), 0);
	kcheck(!r.msix && r.capabilities[PM] == 0 && r.size[0] == 0);
	kfree(m);
}
