#!/bin/sh
# CPython 3.11: threads, processes, asyncio with subprocesses and signals, mmap, shared memory, selectors, pseudo-terminals.
# seconds: 180
cat > p.py <<'PYTHON'
import asyncio, concurrent.futures, ctypes, fcntl, json, mmap, multiprocessing, os, pty, resource, select, selectors, shutil, signal
import socket, sqlite3, struct, subprocess, sys, tempfile, threading, time, zlib
from multiprocessing import shared_memory

def square(n):
    return n * n

async def main():
    loop = asyncio.get_running_loop()
    got = asyncio.Event()
    loop.add_signal_handler(signal.SIGUSR1, got.set)
    os.kill(os.getpid(), signal.SIGUSR1)
    await asyncio.wait_for(got.wait(), 100)
    p = await asyncio.create_subprocess_exec("sh", "-c", "read x; echo got $x; exit 3", stdin=-1, stdout=-1)
    out, _ = await p.communicate(b"line\n")
    print("asyncio", out, p.returncode)
    server = await asyncio.start_unix_server(handle, "sock")
    r, w = await asyncio.open_unix_connection("sock")
    w.write(b"hello\n")
    print(await r.readline())
    w.close(); server.close()
    try:
        await asyncio.wait_for(asyncio.sleep(1000), 0.01)
    except asyncio.TimeoutError:
        print("timeout")
    print(sum(await asyncio.gather(*(loop.run_in_executor(None, square, n) for n in range(10)))))

async def handle(r, w):
    w.write((await r.readline()).upper()); await w.drain(); w.close()

if __name__ == "__main__":
    print(sys.version_info[:2], os.uname().sysname, os.cpu_count() == len(os.sched_getaffinity(0)))
    for method in ("fork", "spawn", "forkserver"):
        with multiprocessing.get_context(method).Pool(2) as pool:
            print(method, pool.map(square, range(5)))
    with concurrent.futures.ThreadPoolExecutor(4) as ex:
        print(list(ex.map(square, range(8))))
    asyncio.run(main())
    shm = shared_memory.SharedMemory(create=True, size=4096); shm.buf[0] = 42
    other = shared_memory.SharedMemory(shm.name); print("shared", other.buf[0], shm.size); other.close(); shm.close(); shm.unlink()
    m = mmap.mmap(-1, 8192); m[0:5] = b"hello"; pid = os.fork()
    if pid == 0:
        m[0:5] = b"HELLO"; os._exit(4)
    print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), m[0:5])
    with selectors.DefaultSelector() as s:
        a, b = socket.socketpair(); s.register(b, selectors.EVENT_READ); print(type(s).__name__, s.select(0)); a.send(b"x"); print(len(s.select(0)))
    fds = socket.socketpair(); r, w = os.pipe(); socket.send_fds(fds[0], [b"m"], [w]); m2, got, _, _ = socket.recv_fds(fds[1], 10, 1); os.write(got[0], b"passed"); print(m2, os.read(r, 10))
    def child():
        os.execvp("sh", ["sh", "-c", "stty -a | grep -o 'rows [0-9]*'; tty | grep -o /dev/pts; echo ready; echo typed $(head -1)"])
    pid, fd = pty.fork()
    if pid == 0:
        child()
    # The echo of what is typed must not come into the middle of a line of the child's.
    out = b""
    while b"ready\r\n" not in out: out += os.read(fd, 1024)
    os.write(fd, b"words\n")
    try:
        while chunk := os.read(fd, 1024): out += chunk
    except OSError as e:
        print("end", e.errno)
    print(sorted(out.decode().replace("\r", "").split("\n"))); os.waitpid(pid, 0)
    print(subprocess.run(["sh", "-c", "exit $(ulimit -n)"], preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (77, 77))).returncode)
    try:
        subprocess.run(["sleep", "1000"], timeout=0.05)
    except subprocess.TimeoutExpired as e:
        print("expired", e.cmd)
    print(ctypes.CDLL(None).getpid() == os.getpid(), struct.unpack("I", fcntl.ioctl(r, 0x541b, b"\0" * 4)))
    db = sqlite3.connect(":memory:"); db.execute("create table t(x)"); db.executemany("insert into t values (?)", [(i,) for i in range(100)]); print(db.execute("select sum(x) from t").fetchone())
    with tempfile.TemporaryDirectory() as d:
        shutil.copytree("/etc", d + "/etc", symlinks=True); print(os.path.exists(d + "/etc/passwd"), zlib.crc32(open("/etc/hosts", "rb").read()) != 0)
    e = threading.Event(); t = threading.Timer(0.02, e.set); t.start(); print(e.wait(100)); rung = []; signal.signal(signal.SIGALRM, lambda *a: rung.append(print("alarm"))); signal.setitimer(signal.ITIMER_REAL, 0.02)
    while not rung: time.sleep(0.01)
    fd = os.memfd_create("x", os.MFD_ALLOW_SEALING); os.ftruncate(fd, 10); fcntl.fcntl(fd, 1033, 4); print(os.fstat(fd).st_size, fcntl.fcntl(fd, 1034))
    print(os.copy_file_range(os.open("p.py", 0), os.open("copy", os.O_RDWR | os.O_CREAT), 100), os.posix_fallocate(os.open("copy", os.O_RDWR), 0, 1000), os.stat("copy").st_size)
    poll = select.poll(); poll.register(r, select.POLLIN); os.close(w); os.close(got[0]); print([hex(x[1]) for x in poll.poll(0)])
    p = os.pidfd_open(os.spawnlp(os.P_NOWAIT, "sh", "sh", "-c", "exit 6")); print(os.waitid(os.P_PIDFD, p, os.WEXITED).si_status)
    print(os.sched_getscheduler(0), os.getpriority(os.PRIO_PROCESS, 0), os.nice(3), sorted(json.loads('{"b": 1, "a": 2}')))
PYTHON
python3 p.py
