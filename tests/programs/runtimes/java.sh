#!/bin/sh
# OpenJDK 17: javac, threads, monitors, parallel sort, exceptions from signals, five garbage collectors, child processes, mapped files.
# seconds: 300
# differs: nothing; but the compiled programs keep to one processor. HotSpot patches code that others run, which processors allow and this emulator's translation of code that changes under it does not
cat >H.java <<'X'
import java.nio.channels.FileChannel;
import java.nio.file.*;
import java.util.*;
import java.util.concurrent.*;
import java.util.stream.*;
public class H {
	static int deeper(int n) { return deeper(n + 1) + 1; }
	public static void main(String[] a) throws Exception {
		int n = Integer.parseInt(a[0]);
		int[] v = new Random(1).ints(n).toArray(), w = v.clone();
		Arrays.parallelSort(v); Arrays.sort(w); System.out.println("sorted " + Arrays.equals(v, w));
		ExecutorService e = Executors.newFixedThreadPool(8);
		List<Future<Long>> l = new ArrayList<>();
		for (int i = 0; i < 20; i++) { final int k = i; l.add(e.submit(() -> LongStream.range(0, 5000).map(x -> x * k).sum())); }
		long s = 0; for (Future<Long> f : l) s += f.get(); System.out.println(s); e.shutdown();
		Object o = new Object(); boolean[] told = { false };
		Thread t = new Thread(() -> { synchronized (o) { told[0] = true; o.notify(); } });
		synchronized (o) { t.start(); while (!told[0]) o.wait(); } t.join();
		try { Object[] z = null; z[0] = 1; } catch (NullPointerException x) { System.out.println("null"); }
		try { deeper(0); } catch (StackOverflowError x) { System.out.println("stack"); }
		try { System.out.println(1 / (n - n)); } catch (ArithmeticException x) { System.out.println(x.getMessage()); }
		try { List<byte[]> b = new ArrayList<>(); while (true) b.add(new byte[10000000]); } catch (OutOfMemoryError x) { System.out.println("heap"); }
		System.out.println(new ProcessBuilder("sh", "-c", "echo from a child; exit 3").inheritIO().start().waitFor());
		Path q = Files.createTempFile("a", "b"); Files.writeString(q, "x".repeat(10000));
		try (FileChannel c = FileChannel.open(q)) { System.out.println(c.map(FileChannel.MapMode.READ_ONLY, 0, 10000).get(9999)); }
		System.gc(); Thread.sleep(10);
		Runtime.getRuntime().addShutdownHook(new Thread(() -> System.out.println("hook"))); System.exit(6);
	}
}
X
one() { busybox taskset 1 "$@"; }
# The quick compiler alone: it is javac that is wanted, and much of its time is the other compiler's.
one javac -J-XX:TieredStopAtLevel=1 -J-XX:+UseSerialGC H.java && ls *.class
echo "interpreted, all processors"; java -Xint -Xmx64m H 2000; echo "status $?"
# Both compilers with the collector that people get, the quick one with the others.
for collector in G1 Serial Parallel Z Shenandoah; do
	echo $collector
	one java $quick -XX:+Use${collector}GC -Xmx64m H 20000; echo "status $?"
	quick=-XX:TieredStopAtLevel=1
done
java -version 2>&1 | grep -c OpenJDK
