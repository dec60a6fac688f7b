#!/bin/sh
# All of CPython's test_asyncio, case by case.
# when: asked
# seconds: 3600
# differs: but for test_to_thread_concurrent, whose threads count in a Mock without a lock
exec python3 /programs/outcomes.py test_asyncio -x test_to_thread_concurrent 2>/dev/console
