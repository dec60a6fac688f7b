#!/bin/sh
# CPython's test_signal, test_eintr, test_time, test_select, test_selectors, test_epoll and test_poll, case by case; test_epoll's connections are Unix sockets.
# when: asked
# seconds: 900
# differs: but for what wants the network: test_invalid_socket, test_set_wakeup_fd_socket_result, test_accept
exec python3 /programs/outcomes.py test_signal _test_eintr test_time test_select test_selectors test_epoll test_poll \
	-x test_invalid_socket test_set_wakeup_fd_socket_result SocketEINTRTest.test_accept 2>/dev/console
