#!/bin/sh
# CPython's test_thread, test_threading and test_multiprocessing_fork, case by case.
# when: asked
# seconds: 1300
# differs: but for what wants the network: listeners, remote managers and pickled connections of multiprocessing
exec python3 /programs/outcomes.py test_thread test_threading test_multiprocessing_fork -x \
	TestCloseFds.test_closefd TestTimeouts TestWait.test_wait_socket ManagerRestart RemoteManager test_multiple_bind \
	test_issue16955 test_listener_client TestPicklingConnections 2>/dev/console
