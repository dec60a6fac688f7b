#!/bin/sh
# CPython's test_socket, case by case.
# seconds: 200
# differs: but for UDP-Lite, which there is not
exec python3 /programs/outcomes.py test_socket -x UDPLITE 2>/dev/console
