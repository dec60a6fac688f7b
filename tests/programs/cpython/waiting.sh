#!/bin/sh
# CPython's test_signal, test_eintr, test_time, test_select, test_selectors, test_epoll and test_poll, case by case.
# when: asked
# seconds: 900
exec python3 /programs/outcomes.py test_signal _test_eintr test_time test_select test_selectors test_epoll test_poll \
	2>/dev/console
