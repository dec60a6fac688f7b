#!/bin/sh
# CPython's test_socket and all of test_asyncio, case by case, without a network: a case that asks for one is told AF_INET is not there, and listed with its EAFNOSUPPORT.
# when: asked
# seconds: 3600
# differs: but for test_drain_raises, which without a network waits for ever, and test_to_thread_concurrent, whose threads count in a Mock without a lock
exec python3 /programs/outcomes.py --no-network test_socket test_asyncio -x test_drain_raises \
	test_to_thread_concurrent 2>/dev/console
