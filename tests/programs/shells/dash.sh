#!/bin/sh
# dash: functions, redirections, here documents, pipes, traps, jobs, waiting, fifos, limits, exit codes.
dash -c '. /programs/posix.in' ; echo status $?
