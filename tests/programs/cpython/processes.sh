#!/bin/sh
# CPython's test_os, test_subprocess, test_pty and test_io, case by case.
# when: asked
# seconds: 900
exec python3 /programs/outcomes.py test_os test_subprocess test_pty test_io 2>/dev/console
