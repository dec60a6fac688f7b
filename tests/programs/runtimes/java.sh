#!/bin/sh
# OpenJDK 17: javac, threads, monitors, parallel sort, exceptions from signals, child processes, mapped files; interpreted, and by both compilers with the collector that people get.
# seconds: 200
# differs: nothing; but the compiled programs keep to one processor. HotSpot patches code that others run, which processors allow and this emulator's translation of code that changes under it does not
one() { busybox taskset 1 "$@"; }
# The quick compiler alone: it is javac that is wanted, and much of its time is the other compiler's.
one javac -J-XX:TieredStopAtLevel=1 -J-XX:+UseSerialGC -d . /programs/H.java && ls *.class
echo "interpreted, all processors"; java -Xint -Xmx64m H 2000; echo "status $?"
echo "compiled"; one java -XX:+UseG1GC -Xmx64m H 20000; echo "status $?"
java -version 2>&1 | grep -c OpenJDK
