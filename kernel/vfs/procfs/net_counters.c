/* SPDX-License-Identifier: MIT */
/*
 * net_counters.c - /proc/PID/net: how often what has happened, in the tables that netstat -s and nstat(8) know.
 *
 * What is not counted here, or cannot happen, is 0: between sockets of TCP of one machine no segment goes.
 */
#include <tessera/cpu.h>
#include <tessera/ip.h>
#include <tessera/string.h>

#include "net.h"

/* A table is two lines, the one of names, the other of numbers: the first `given`, if any, then 0. */
static void
print_table(struct text *t, const char *table, const char *names, const int64_t *numbers, unsigned int given)
{
	unsigned int n = 0;

	text_print(t, "%s: %s\n%s:", table, names, table);
	for (const char *word = names; word; n++) {
		text_print(t, " %ld", numbers && n < given ? numbers[n] : 0l);
		word = strchr(word, ' ');
		if (word)
			word++;
	}
	text_add(t, "\n", 1);
}

static const char ip_names[] =
	"Forwarding DefaultTTL InReceives InHdrErrors InAddrErrors ForwDatagrams InUnknownProtos InDiscards "
	"InDelivers OutRequests OutDiscards OutNoRoutes ReasmTimeout ReasmReqds ReasmOKs ReasmFails FragOKs "
	"FragFails FragCreates";

static const char icmp_names[] =
	"InMsgs InErrors InCsumErrors InDestUnreachs InTimeExcds InParmProbs InSrcQuenchs InRedirects InEchos "
	"InEchoReps InTimestamps InTimestampReps InAddrMasks InAddrMaskReps OutMsgs OutErrors OutRateLimitGlobal "
	"OutRateLimitHost OutDestUnreachs OutTimeExcds OutParmProbs OutSrcQuenchs OutRedirects OutEchos "
	"OutEchoReps OutTimestamps OutTimestampReps OutAddrMasks OutAddrMaskReps";

static const char tcp_names[] =
	"RtoAlgorithm RtoMin RtoMax MaxConn ActiveOpens PassiveOpens AttemptFails EstabResets CurrEstab InSegs "
	"OutSegs RetransSegs InErrs OutRsts InCsumErrors";

static const char udp_names[] =
	"InDatagrams NoPorts InErrors OutDatagrams RcvbufErrors SndbufErrors InCsumErrors IgnoredMulti MemErrors";

static const char tcp_ext_names[] =
	"SyncookiesSent SyncookiesRecv SyncookiesFailed EmbryonicRsts PruneCalled RcvPruned OfoPruned "
	"OutOfWindowIcmps LockDroppedIcmps ArpFilter TW TWRecycled TWKilled PAWSActive PAWSEstab DelayedACKs "
	"DelayedACKLocked DelayedACKLost ListenOverflows ListenDrops TCPHPHits TCPPureAcks TCPHPAcks "
	"TCPRenoRecovery TCPSackRecovery TCPSACKReneging TCPSACKReorder TCPRenoReorder TCPTSReorder TCPFullUndo "
	"TCPPartialUndo TCPDSACKUndo TCPLossUndo TCPLostRetransmit TCPRenoFailures TCPSackFailures "
	"TCPLossFailures TCPFastRetrans TCPSlowStartRetrans TCPTimeouts TCPLossProbes TCPLossProbeRecovery "
	"TCPRenoRecoveryFail TCPSackRecoveryFail TCPRcvCollapsed TCPBacklogCoalesce TCPDSACKOldSent "
	"TCPDSACKOfoSent TCPDSACKRecv TCPDSACKOfoRecv TCPAbortOnData TCPAbortOnClose TCPAbortOnMemory "
	"TCPAbortOnTimeout TCPAbortOnLinger TCPAbortFailed TCPMemoryPressures TCPMemoryPressuresChrono "
	"TCPSACKDiscard TCPDSACKIgnoredOld TCPDSACKIgnoredNoUndo TCPSpuriousRTOs TCPMD5NotFound TCPMD5Unexpected "
	"TCPMD5Failure TCPSackShifted TCPSackMerged TCPSackShiftFallback TCPBacklogDrop PFMemallocDrop "
	"TCPMinTTLDrop TCPDeferAcceptDrop IPReversePathFilter TCPTimeWaitOverflow TCPReqQFullDoCookies "
	"TCPReqQFullDrop TCPRetransFail TCPRcvCoalesce TCPOFOQueue TCPOFODrop TCPOFOMerge TCPChallengeACK "
	"TCPSYNChallenge TCPFastOpenActive TCPFastOpenActiveFail TCPFastOpenPassive TCPFastOpenPassiveFail "
	"TCPFastOpenListenOverflow TCPFastOpenCookieReqd TCPFastOpenBlackhole TCPSpuriousRtxHostQueues "
	"BusyPollRxPackets TCPAutoCorking TCPFromZeroWindowAdv TCPToZeroWindowAdv TCPWantZeroWindowAdv "
	"TCPSynRetrans TCPOrigDataSent TCPHystartTrainDetect TCPHystartTrainCwnd TCPHystartDelayDetect "
	"TCPHystartDelayCwnd TCPACKSkippedSynRecv TCPACKSkippedPAWS TCPACKSkippedSeq TCPACKSkippedFinWait2 "
	"TCPACKSkippedTimeWait TCPACKSkippedChallenge TCPWinProbe TCPKeepAlive TCPMTUPFail TCPMTUPSuccess "
	"TCPDelivered TCPDeliveredCE TCPAckCompressed TCPZeroWindowDrop TCPRcvQDrop TCPWqueueTooBig "
	"TCPFastOpenPassiveAltKey TcpTimeoutRehash TcpDuplicateDataRehash TCPDSACKRecvSegs "
	"TCPDSACKIgnoredDubious TCPMigrateReqSuccess TCPMigrateReqFailure";

static const char ip_ext_names[] =
	"InNoRoutes InTruncatedPkts InMcastPkts OutMcastPkts InBcastPkts OutBcastPkts InOctets OutOctets "
	"InMcastOctets OutMcastOctets InBcastOctets OutBcastOctets InCsumErrors InNoECTPkts InECT1Pkts "
	"InECT0Pkts InCEPkts ReasmOverlaps";

static int64_t
at(struct network *n, enum network_counter which)
{
	return (int64_t)network_count(n, which);
}

void
net_snmp(struct text *t, struct network *n)
{
	/* Forwarding is off. */
	int64_t ip[] = { 2, network_setting(n, SETTING_TTL), at(n, IP_IN), at(n, IP_IN_HEADER_ERRORS),
			 at(n, IP_IN_ADDRESS_ERRORS), 0, at(n, IP_IN_UNKNOWN), at(n, IP_IN_DISCARDS), at(n, IP_IN_DELIVERS),
			 at(n, IP_OUT), at(n, IP_OUT_DISCARDS), at(n, IP_OUT_NO_ROUTES) };
	int64_t icmp[] = { at(n, ICMP_IN), at(n, ICMP_IN_ERRORS), at(n, ICMP_IN_CHECKSUM_ERRORS), at(n, ICMP_IN_UNREACHABLE),
			   at(n, ICMP_IN_TIME_EXCEEDED), 0, 0, 0, at(n, ICMP_IN_ECHOS), at(n, ICMP_IN_ECHO_REPLIES), 0, 0, 0, 0,
			   at(n, ICMP_OUT), 0, at(n, ICMP_OUT_LIMITED), at(n, ICMP_OUT_LIMITED_HOST),
			   at(n, ICMP_OUT_UNREACHABLE), 0, 0, 0, 0, at(n, ICMP_OUT_ECHOS), at(n, ICMP_OUT_ECHO_REPLIES) };
	int64_t udp[] = { at(n, UDP_IN), at(n, UDP_NO_PORTS), at(n, UDP_IN_ERRORS), at(n, UDP_OUT),
			  at(n, UDP_RECEIVE_BUFFER_ERRORS), at(n, UDP_SEND_BUFFER_ERRORS), at(n, UDP_CHECKSUM_ERRORS) };
	int64_t tcp[] = { 1, 200, 120000, -1, at(n, TCP_ACTIVE_OPENS), at(n, TCP_PASSIVE_OPENS), at(n, TCP_ATTEMPT_FAILS),
			  at(n, TCP_ESTABLISHED_RESETS), net_established(n), at(n, TCP_IN_SEGMENTS), at(n, TCP_OUT_SEGMENTS),
			  at(n, TCP_RETRANSMITS) };

	print_table(t, "Ip", ip_names, ip, ARRAY_SIZE(ip));
	print_table(t, "Icmp", icmp_names, icmp, ARRAY_SIZE(icmp));
	print_table(t, "Tcp", tcp_names, tcp, ARRAY_SIZE(tcp));
	print_table(t, "Udp", udp_names, udp, ARRAY_SIZE(udp));
	print_table(t, "UdpLite", udp_names, NULL, 0);
}

void
net_netstat(struct text *t, struct network *n)
{
	print_table(t, "TcpExt", tcp_ext_names, NULL, 0);
	print_table(t, "IpExt", ip_ext_names, NULL, 0);
}

static const char v6_names[] =
	"Ip6InReceives Ip6InHdrErrors Ip6InTooBigErrors Ip6InNoRoutes Ip6InAddrErrors Ip6InUnknownProtos "
	"Ip6InTruncatedPkts Ip6InDiscards Ip6InDelivers Ip6OutForwDatagrams Ip6OutRequests Ip6OutDiscards "
	"Ip6OutNoRoutes Ip6ReasmTimeout Ip6ReasmReqds Ip6ReasmOKs Ip6ReasmFails Ip6FragOKs Ip6FragFails "
	"Ip6FragCreates Ip6InMcastPkts Ip6OutMcastPkts Ip6InOctets Ip6OutOctets Ip6InMcastOctets "
	"Ip6OutMcastOctets Ip6InBcastOctets Ip6OutBcastOctets Ip6InNoECTPkts Ip6InECT1Pkts Ip6InECT0Pkts "
	"Ip6InCEPkts Icmp6InMsgs Icmp6InErrors Icmp6OutMsgs Icmp6OutErrors Icmp6InCsumErrors "
	"Icmp6OutRateLimitHost Icmp6InDestUnreachs Icmp6InPktTooBigs Icmp6InTimeExcds Icmp6InParmProblems "
	"Icmp6InEchos Icmp6InEchoReplies Icmp6InGroupMembQueries Icmp6InGroupMembResponses "
	"Icmp6InGroupMembReductions Icmp6InRouterSolicits Icmp6InRouterAdvertisements Icmp6InNeighborSolicits "
	"Icmp6InNeighborAdvertisements Icmp6InRedirects Icmp6InMLDv2Reports Icmp6OutDestUnreachs "
	"Icmp6OutPktTooBigs Icmp6OutTimeExcds Icmp6OutParmProblems Icmp6OutEchos Icmp6OutEchoReplies "
	"Icmp6OutGroupMembQueries Icmp6OutGroupMembResponses Icmp6OutGroupMembReductions Icmp6OutRouterSolicits "
	"Icmp6OutRouterAdvertisements Icmp6OutNeighborSolicits Icmp6OutNeighborAdvertisements Icmp6OutRedirects "
	"Icmp6OutMLDv2Reports Udp6InDatagrams Udp6NoPorts Udp6InErrors Udp6OutDatagrams Udp6RcvbufErrors "
	"Udp6SndbufErrors Udp6InCsumErrors Udp6IgnoredMulti Udp6MemErrors UdpLite6InDatagrams UdpLite6NoPorts "
	"UdpLite6InErrors UdpLite6OutDatagrams UdpLite6RcvbufErrors UdpLite6SndbufErrors UdpLite6InCsumErrors "
	"UdpLite6MemErrors";

static const struct {
	const char *name;
	enum network_counter counter;
} v6_counters[] = {
	{ "Ip6InReceives", IP6_IN }, { "Ip6InHdrErrors", IP6_IN_HEADER_ERRORS }, { "Ip6InAddrErrors", IP6_IN_ADDRESS_ERRORS },
	{ "Ip6InUnknownProtos", IP6_IN_UNKNOWN }, { "Ip6InDiscards", IP6_IN_DISCARDS }, { "Ip6InDelivers", IP6_IN_DELIVERS },
	{ "Ip6OutRequests", IP6_OUT }, { "Ip6OutDiscards", IP6_OUT_DISCARDS }, { "Ip6OutNoRoutes", IP6_OUT_NO_ROUTES },
	{ "Icmp6InMsgs", ICMP6_IN }, { "Icmp6InErrors", ICMP6_IN_ERRORS }, { "Icmp6OutMsgs", ICMP6_OUT },
	{ "Icmp6InCsumErrors", ICMP6_IN_CHECKSUM_ERRORS }, { "Icmp6InDestUnreachs", ICMP6_IN_UNREACHABLE },
	{ "Icmp6InTimeExcds", ICMP6_IN_TIME_EXCEEDED }, { "Icmp6InEchos", ICMP6_IN_ECHOS },
	{ "Icmp6InEchoReplies", ICMP6_IN_ECHO_REPLIES }, { "Icmp6OutDestUnreachs", ICMP6_OUT_UNREACHABLE },
	{ "Icmp6OutRateLimitHost", ICMP6_OUT_LIMITED_HOST },
	{ "Icmp6OutEchos", ICMP6_OUT_ECHOS }, { "Icmp6OutEchoReplies", ICMP6_OUT_ECHO_REPLIES },
	{ "Udp6InDatagrams", UDP6_IN }, { "Udp6NoPorts", UDP6_NO_PORTS }, { "Udp6InErrors", UDP6_IN_ERRORS },
	{ "Udp6OutDatagrams", UDP6_OUT }, { "Udp6RcvbufErrors", UDP6_RECEIVE_BUFFER_ERRORS },
	{ "Udp6SndbufErrors", UDP6_SEND_BUFFER_ERRORS }, { "Udp6InCsumErrors", UDP6_CHECKSUM_ERRORS },
};

static uint64_t
v6_count(struct network *n, const char *name, size_t length)
{
	for (size_t i = 0; i < ARRAY_SIZE(v6_counters); i++)
		if (strlen(v6_counters[i].name) == length && memcmp(v6_counters[i].name, name, length) == 0)
			return network_count(n, v6_counters[i].counter);
	return 0;
}

void
net_snmp6(struct text *t, struct network *n)
{
	const char *word = v6_names, *end;

	for (; word; word = end ? end + 1 : NULL) {
		size_t length;

		end = strchr(word, ' ');
		length = end ? (size_t)(end - word) : strlen(word);
		text_add(t, word, length);
		text_print(t, "%*s\t%lu\n", (int)(32 - length), "", v6_count(n, word, length));
	}
}

/* No packets wait for a processor: of each there are its number, and nothing. */
void
net_softnet_stat(struct text *t, struct network *n)
{
	for (uint32_t cpu = 0; cpu < cpu_count; cpu++) {
		for (unsigned int i = 0; i < 12; i++)
			text_print(t, "%08x ", 0u);
		text_print(t, "%08x\n", cpu);
	}
}

void
net_ptype(struct text *t, struct network *n)
{
	text_print(t, "Type Device      Function\n"
		      "0800          ip_rcv\n"
		      "0806          arp_rcv\n"
		      "86dd          ipv6_rcv\n");
}
