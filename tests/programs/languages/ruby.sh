#!/bin/sh
# Ruby: threads and queues, fork, pipes, signals, sockets, processes with redirections, timeouts.
# seconds: 120
ruby -rsocket -rtimeout -rtempfile -ropen3 -retc -rpty -rio/console - <<'RUBY'
q = Queue.new
threads = 4.times.map { |n| Thread.new { 100.times { |i| q << n * 100 + i } } }
threads.each(&:join)
puts q.size, 400.times.sum { q.pop }
r, w = IO.pipe
pid = fork { r.close; w.write "child"; w.close; exit!(9) }
w.close; puts r.read; Process.wait pid; puts $?.exitstatus
r, w = IO.pipe; trap("USR1") { w.syswrite "usr1\n" }; Process.kill "USR1", Process.pid; puts r.gets
begin; Timeout.timeout(0.05) { sleep 1000 }; rescue Timeout::Error => e; puts e.class; end
UNIXServer.open("s") { |s| t = Thread.new { c = s.accept; c.puts c.gets.upcase; c.close }; UNIXSocket.open("s") { |c| c.puts "hello"; puts c.read }; t.join }
out, err, st = Open3.capture3("cat; echo bad >&2; exit 4", stdin_data: "in"); p out, err, st.exitstatus
puts IO.popen(["tr", "a-z", "A-Z"], "r+") { |io| io.write "loud"; io.close_write; io.read }
system "sh", "-c", "kill -TERM $$"; p $?.termsig
puts Etc.getpwuid(0).name, Process.clock_gettime(Process::CLOCK_MONOTONIC) > 0, Process.getrlimit(:NOFILE).all?(Integer)
Tempfile.create("x") { |f| f.write "a" * 70000; f.flush; puts File.size(f.path), f.flock(File::LOCK_EX | File::LOCK_NB) }
PTY.spawn("stty size; cat") { |o, i, _| i.winsize = [10, 20]; o.gets; i.puts "echo"; puts o.gets }
f = Fiber.new { |x| loop { x = Fiber.yield x + 1 } }; p f.resume(1), f.resume(10)
p IO.select([r = IO.pipe[0]], nil, nil, 0), Dir.glob("/bin/[b]ash"), GC.stat[:count] > 0
at_exit { puts "bye" }; exit 5
RUBY
