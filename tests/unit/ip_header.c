/* SPDX-License-Identifier: MIT */
/*
 * ip_header.c - headers of IP and UDP: what is built is taken apart again, and what does not hold together is refused.
 */
/* unit: kernel/net/ip/header.c */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../../kernel/net/ip/header.h"

#include "unit.h"

static struct ip_label
label_v4(void)
{
	return (struct ip_label){ .from = ip_address_v4(host_to_net32(0x7f000001)), .to = ip_address_v4(host_to_net32(0x0a000001)),
				  .protocol = 17, .ttl = 9, .tos = 3, .id = 0x1234, .header = IP4_HEADER, .length = 31 };
}

static struct ip_label
label_v6(void)
{
	return (struct ip_label){ .from = { .bytes = { 0xfe, 0x80, [15] = 1 } }, .to = { .bytes = { [15] = 1 } }, .v6 = true,
				  .protocol = 17, .ttl = 9, .tos = 0xa5, .flow = host_to_net32(0x12345), .header = IP6_HEADER,
				  .length = 51 };
}

static void
same(const struct ip_label *a, const struct ip_label *b)
{
	assert_memory_equal(&a->from, &b->from, 16);
	assert_memory_equal(&a->to, &b->to, 16);
	assert_int_equal(a->v6, b->v6);
	assert_int_equal(a->protocol, b->protocol);
	assert_int_equal(a->ttl, b->ttl);
	assert_int_equal(a->tos, b->tos);
	assert_int_equal(a->flow, b->flow);
	assert_int_equal(a->header, b->header);
	assert_int_equal(a->length, b->length);
}

static void
what_is_built_is_read(void **state)
{
	struct ip_label v4 = label_v4(), v6 = label_v6(), got;
	uint8_t b[51] = { 0 };

	ip4_build(b, &v4, NULL);
	assert_true(ip_parse(b, 31, false, &got));
	same(&got, &v4);
	assert_int_equal(got.id, 0x1234);
	assert_false(got.dont_fragment);
	assert_false(got.is_fragment);
	ip6_build(b, &v6);
	assert_true(ip_parse(b, 51, false, &got));
	same(&got, &v6);
}

static void
damage_is_seen(void **state)
{
	struct ip_label v4 = label_v4(), got;
	uint8_t b[31] = { 0 };

	ip4_build(b, &v4, NULL);
	for (unsigned i = 0; i < IP4_HEADER * 8; i++) {
		b[i / 8] ^= (uint8_t)(1 << i % 8);
		assert_false(ip_parse(b, sizeof(b), false, &got));
		b[i / 8] ^= (uint8_t)(1 << i % 8);
	}
	assert_false(ip_parse(b, 30, false, &got));
	assert_false(ip_parse(b, 0, false, &got));
	/* Quoted, it need not be whole, nor right. */
	b[10] ^= 1;
	assert_true(ip_parse(b, 20, true, &got));
	assert_false(ip_parse(b, 19, true, &got));
}

static void
extensions_are_passed_over(void **state)
{
	struct ip_label v6 = label_v6(), got;
	uint8_t b[64] = { 0 };

	v6.protocol = 0;
	v6.length = 64;
	ip6_build(b, &v6);
	b[40] = 44; /* hop by hop options, then a fragment, then UDP */
	b[48] = 17;
	assert_true(ip_parse(b, 64, false, &got));
	assert_int_equal(got.protocol, 17);
	assert_int_equal(got.header, 56);
	assert_false(got.is_fragment);
	b[51] = 1;
	assert_true(ip_parse(b, 64, false, &got));
	assert_true(got.is_fragment);
	for (b[41] = 2; b[41]; b[41]++) /* nothing is left for the next one, or it is longer than there is */
		assert_false(ip_parse(b, 64, false, &got));
}

static void
checksums(void **state)
{
	/* RFC 1071, 3 */
	static const uint8_t example[] = { 0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7 };
	uint8_t odd[9];
	uint16_t sum = checksum_end(checksum_add(0, example, sizeof(example)));

	assert_int_equal(load_net16(&sum), 0xffff ^ 0xddf2);
	memcpy(odd, example, 8);
	odd[8] = 0x10;
	sum = checksum_end(checksum_add(0, odd, sizeof(odd)));
	assert_int_equal(load_net16(&sum), 0xffff ^ 0xedf2);
}

static void
udp_with_and_without_a_checksum(void **state)
{
	struct ip_label l = label_v4();
	uint8_t b[11] = { [8] = 'a', 'b', 'c' };
	uint16_t from = 0, to = 0;
	bool wrong;

	udp_build(b, &l, 7, 9, sizeof(b), true);
	assert_int_equal(udp_parse(b, sizeof(b), &l, false, &from, &to, &wrong), 11);
	assert_int_equal(from, 7);
	assert_int_equal(to, 9);
	b[9] ^= 1;
	assert_int_equal(udp_parse(b, sizeof(b), &l, false, &from, &to, &wrong), 0);
	assert_true(wrong);
	assert_int_equal(udp_parse(b, sizeof(b), &l, true, &from, &to, &wrong), 11);
	udp_build(b, &l, 7, 9, sizeof(b), false);
	assert_int_equal(udp_parse(b, sizeof(b), &l, false, &from, &to, &wrong), 11);
	l.v6 = true; /* where there must be one */
	assert_int_equal(udp_parse(b, sizeof(b), &l, false, &from, &to, &wrong), 0);
	assert_int_equal(udp_parse(b, 10, &l, true, &from, &to, &wrong), 0);
	assert_int_equal(udp_parse(b, 7, &l, true, &from, &to, &wrong), 0);
	b[5] = 7;
	assert_int_equal(udp_parse(b, 11, &l, true, &from, &to, &wrong), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_built_is_read), cmocka_unit_test(damage_is_seen),
		cmocka_unit_test(extensions_are_passed_over), cmocka_unit_test(checksums),
		cmocka_unit_test(udp_with_and_without_a_checksum),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
