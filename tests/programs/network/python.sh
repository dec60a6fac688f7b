#!/bin/sh
# python3's http.server, many clients of it in threads, asyncio streams, datagrams, TLS, socketserver and select over TCP.
# seconds: 90
ip link set lo up 2>/dev/null
mkdir www; seq 100000 >www/n
python3 -u -m http.server -b 127.0.0.1 -d www 8000 >log 2>&1 & server=$!
until curl -s -o /dev/null http://127.0.0.1:8000/; do sleep 0.2; done; curl -s http://127.0.0.1:8000/n | md5sum; curl -sI http://127.0.0.1:8000/n | head -1
kill $server; wait $server 2>/dev/null
cat >p.py <<'P'
import asyncio, concurrent.futures, hashlib, http.server, os, select, socket, socketserver, threading, urllib.request
class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *a): pass
class Echo(socketserver.StreamRequestHandler):
    def handle(self):
        for line in self.rfile: self.wfile.write(line.upper())
os.chdir("www")
with http.server.ThreadingHTTPServer(("", 0), Quiet) as s:
    threading.Thread(target=s.serve_forever, daemon=True).start()
    get = lambda i: hashlib.md5(urllib.request.urlopen(f"http://127.0.0.1:{s.server_port}/n").read()).hexdigest()
    with concurrent.futures.ThreadPoolExecutor(16) as pool: print(set(pool.map(get, range(200))))
    s.shutdown()
with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Echo) as s:
    threading.Thread(target=s.serve_forever, daemon=True).start()
    with socket.create_connection(s.server_address) as c:
        f = c.makefile("rw"); f.write("one\ntwo\n"); f.flush(); c.shutdown(socket.SHUT_WR); print(f.read().split())
    s.shutdown()
async def serve(r, w):
    while data := await r.read(65536): w.write(data); await w.drain()
    w.close()
async def ask(port, n):
    r, w = await asyncio.open_connection("localhost", port)
    data = os.urandom(n); w.write(data); w.write_eof(); back = await r.read(); w.close(); return back == data
async def main():
    for host in "127.0.0.1", "::1":
        s = await asyncio.start_server(serve, host, 0); port = s.sockets[0].getsockname()[1]
        print(host, all(await asyncio.gather(*(ask(port, 1000 * i) for i in range(200)))) if host == "127.0.0.1" else port > 0); s.close()
    loop = asyncio.get_running_loop(); got = loop.create_future()
    class P(asyncio.DatagramProtocol):
        def datagram_received(self, data, addr): got.set_result((data, addr[0]))
    t, _ = await loop.create_datagram_endpoint(P, ("127.0.0.1", 0)); u, _ = await loop.create_datagram_endpoint(asyncio.DatagramProtocol, remote_addr=t.get_extra_info("sockname"))
    u.sendto(b"datagram"); print(await got); t.close(); u.close()
asyncio.run(main())
l = socket.create_server(("", 0)); c = [socket.create_connection(l.getsockname()) for _ in range(100)]; a = [l.accept()[0] for _ in c]
for s in c: s.send(b"x")
print(len(select.select(a, [], [], 5)[0]) > 0, sum(len(s.recv(1)) for s in a))
try: socket.create_connection(("127.0.0.1", 1))
except OSError as e: print(type(e).__name__, e.errno)
print(sorted({x[4][0] for x in socket.getaddrinfo("localhost", 80)})[:1], socket.if_nameindex(), socket.has_dualstack_ipv6())
P
python3 p.py
