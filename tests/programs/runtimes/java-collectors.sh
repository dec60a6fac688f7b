#!/bin/sh
# OpenJDK 17 with its other garbage collectors: serial, parallel, Z, Shenandoah.
# when: asked
# seconds: 300
# differs: nothing; but the compiled programs keep to one processor. HotSpot patches code that others run, which processors allow and this emulator's translation of code that changes under it does not
one() { busybox taskset 1 "$@"; }
one javac -J-XX:TieredStopAtLevel=1 -J-XX:+UseSerialGC -d . /programs/H.java && ls *.class
for collector in Serial Parallel Z Shenandoah; do
	echo $collector
	one java -XX:TieredStopAtLevel=1 -XX:+Use${collector}GC -Xmx64m H 20000; echo "status $?"
done
