// SPDX-License-Identifier: MIT
// What java.sh and java-collectors.sh run.
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
