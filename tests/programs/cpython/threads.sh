#!/bin/sh
# CPython's test_thread, test_threading and test_multiprocessing_fork, case by case.
# when: asked
# seconds: 1300
exec python3 /programs/outcomes.py test_thread test_threading test_multiprocessing_fork 2>/dev/console
