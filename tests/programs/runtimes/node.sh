#!/bin/sh
# Node.js 18: files, child processes, workers, sockets, compression, cryptography in the thread pool, file watching, signals, WebAssembly, heap limit.
# seconds: 180
export NO_COLOR=1
mkdir watched
echo 'process.on("message", m => { process.send({ got: m.a + 1 }, () => process.exit(5)) })' >child.js
cat >main.js <<'X'
const { Worker } = require('worker_threads'), fs = require('fs'), cp = require('child_process'), net = require('net')
const zlib = require('zlib'), crypto = require('crypto'), os = require('os')
const on = (what, name) => new Promise(done => what.on(name, done))
async function main() {
	fs.writeFileSync('x', 'hello'.repeat(1000))
	console.log((await fs.promises.readFile('x')).length, os.cpus().length > 0, os.totalmem() > 1e8, os.type())
	console.log(cp.execSync('echo from a child').toString().trim())
	const c = cp.spawn('sh', ['-c', 'cat; exit 4'])
	c.stdin.end('through a pipe\n'); c.stdout.on('data', d => process.stdout.write(d)); console.log(await on(c, 'close'))
	const s = net.createServer(k => k.end('from the server')).listen('socket')
	await on(s, 'listening')
	const q = net.connect('socket'); q.on('data', d => console.log(d.toString())); await on(q, 'close'); s.close()
	const work = 'const { parentPort, workerData } = require("worker_threads"); let s = 0; for (let i = 0; i < 3e5; i++) s += i * workerData; parentPort.postMessage(s)'
	console.log((await Promise.all([1, 2, 3].map(workerData => on(new Worker(work, { eval: true, workerData }), 'message')))).join())
	console.log(zlib.gunzipSync(zlib.gzipSync(Buffer.alloc(100000, 1))).length, crypto.createHash('sha256').update('a').digest('hex').slice(0, 8))
	console.log(await new Promise(done => crypto.pbkdf2('a', 'b', 1000, 16, 'sha1', (e, k) => done(k.toString('hex')))))
	const f = cp.fork('child.js'), gone = on(f, 'exit'), told = on(f, 'message')
	f.send({ a: 1 }); console.log((await told).got, await gone)
	const seen = new Promise(done => { const w = fs.watch('watched', (e, n) => { w.close(); done(`${e} ${n}`) }) })
	fs.writeFileSync('watched/new', '1'); console.log(await seen)
	const signal = on(process, 'SIGUSR2'); const awake = setTimeout(() => { }, 60000)
	process.kill(process.pid, 'SIGUSR2'); console.log(await signal); clearTimeout(awake)
	let a = []; for (let i = 0; i < 200000; i++) a.push({ i }); a = null; gc(); console.log(process.memoryUsage().heapUsed < 5e7)
	const wasm = new Uint8Array([0, 97, 115, 109, 1, 0, 0, 0, 1, 5, 1, 96, 0, 1, 127, 3, 2, 1, 0, 7, 5, 1, 1, 102, 0, 0, 10, 6, 1, 4, 0, 65, 42, 11])
	console.log((await WebAssembly.instantiate(wasm)).instance.exports.f())
	await new Promise(done => setTimeout(done, 20)); setImmediate(() => console.log('end'))
}
main()
X
node --expose-gc main.js; echo "status $?"
node --max-old-space-size=20 -e 'let a = []; for (;;) a.push(new Array(10000).fill(1.5))' >log 2>&1; echo "status $?"; grep -o 'heap out of memory' log | sort -u
node -e 'function f(n) { return f(n + 1) + 1 } try { f(0) } catch (e) { console.log(e.constructor.name) }; process.exitCode = 7'; echo "status $?"
node -e 'throw new Error("no")' 2>&1 | grep Error; echo '1 + 1' | node -p
