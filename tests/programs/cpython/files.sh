#!/bin/sh
# CPython's test_posix, test_mmap, test_fcntl, test_fileio, test_resource, test_shutil and test_tempfile, case by case.
# seconds: 200
exec python3 /programs/outcomes.py test_posix test_mmap test_fcntl test_fileio test_resource test_shutil test_tempfile \
	2>/dev/console
