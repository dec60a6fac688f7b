# SPDX-License-Identifier: MIT
# A virtual machine that starts: a thread for each of its parts, much memory that is reserved, many mappings.
# packages: openjdk-17-jdk-headless libc6
# mem: 2048
set -e
cat >Hello.java <<'END'
public class Hello {
	public static void main(String[] a) {
		System.out.println("hello");
	}
}
END
javac -J-XX:TieredStopAtLevel=1 -J-XX:+UseSerialGC Hello.java
stopwatch -n 1 java_hello java Hello
