#!/bin/sh
# CPython's test_socket as far as it is about Unix sockets, and of test_asyncio Unix sockets, processes, tasks, locks, queues, threads and time limits, case by case.
# when: asked
# seconds: 900
# differs: but for what wants the network
exec python3 /programs/outcomes.py test_socket:Unix,SCMRights,BasicSocketPair,SendRecvFds,AbstractNamespace,CmsgMacro \
	test_asyncio.test_unix_events test_asyncio.test_subprocess test_asyncio.test_tasks test_asyncio.test_futures \
	test_asyncio.test_locks test_asyncio.test_queues test_asyncio.test_runners test_asyncio.test_threads \
	test_asyncio.test_taskgroups test_asyncio.test_timeouts test_asyncio.test_waitfor test_asyncio.test_selector_events \
	test_asyncio.test_protocols test_asyncio.test_transports test_asyncio.test_pep492 test_asyncio.test_context \
	-x Sendfile inetsock 2>/dev/console
