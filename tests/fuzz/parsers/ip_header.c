/* SPDX-License-Identifier: MIT */
/* ip_header.c - packets from anywhere: what is taken for one lies within its bytes, also what it quotes. */
/* fuzz: kernel/net/ip/header.c */
#include "parser.h"

#include "../../../kernel/net/ip/header.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t *packet = input_copy(data, size);
	struct ip_label l, again;
	uint16_t from = 0, to = 0;
	bool wrong;

	if (ip_parse(packet, size, true, &l))
		MUST(l.header <= size && l.header >= IP4_HEADER);
	if (ip_parse(packet, size, false, &l)) {
		size_t n = l.length - l.header, udp = udp_parse(packet + l.header, n, &l, false, &from, &to, &wrong);

		MUST(l.length <= size && l.header <= l.length);
		MUST(udp <= n && (udp == 0 || udp >= UDP_HEADER));
		MUST(!(udp && wrong));
		if (l.v6 && l.header == IP6_HEADER)
			ip6_build(packet, &l);
		MUST(ip_parse(packet, size, false, &again) && again.header == l.header && again.protocol == l.protocol);
	}
	free(packet);
	return 0;
}
