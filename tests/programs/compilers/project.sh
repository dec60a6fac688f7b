#!/bin/sh
# A project of C and C++ of twelve files as people build it: make -j4 with dependencies found by the compiler, changed a little, built again; precompiled headers; exceptions through C, threads and thread-local storage in libraries that are opened and closed.
# when: asked
# seconds: 300
mkdir src && cd src
for i in 1 2 3 4 5 6 7 8; do echo "#include \"all.h\"
int part$i(int n) { return n * $i + EXTRA; }" >part$i.c; done
cat >all.h <<'C'
#define EXTRA 1
#ifdef __cplusplus
extern "C" {
#endif
int part1(int), part2(int), part3(int), part4(int), part5(int), part6(int), part7(int), part8(int);
int through(int (*)(int), int);
#ifdef __cplusplus
}
#endif
C
printf '#include "all.h"\nint through(int (*f)(int), int n) { return f(n) + 1; }\n' >through.c
cat >plugin.cc <<'C'
#include <cstdio>
#include <stdexcept>
struct counted { int n = 0; ~counted() { std::printf("gone with %d\n", n); } };
thread_local counted here;
extern "C" int use(int n) { if (n < 0) throw std::out_of_range("below"); return here.n += n; }
static struct whole { whole() { std::puts("opened"); } ~whole() { std::puts("closed"); } } whole;
C
cat >main.cc <<'C'
#include "all.h"
#include <dlfcn.h>
#include <atomic>
#include <condition_variable>
#include <cstdio>
#include <mutex>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>
static int throws(int n) { throw std::string("thrown through C"); }
int main()
{
	int sum = 0;
	for (auto f : {part1, part2, part3, part4, part5, part6, part7, part8}) sum += f(10);
	std::printf("%d\n", sum);
	try { through(throws, 1); } catch (std::string &s) { std::puts(s.c_str()); }
	void *h = dlopen("./plugin.so", RTLD_NOW);
	auto use = (int (*)(int))dlsym(h, "use");
	std::vector<std::thread> t;
	std::mutex m; std::condition_variable c; int turn = 0;
	for (int i = 0; i < 4; i++)
		t.emplace_back([&, i] { std::unique_lock l(m); c.wait(l, [&] { return turn == i; }); use(i); use(10); });
	for (auto &one : t) { { std::lock_guard l(m); } c.notify_all(); one.join(); { std::lock_guard l(m); turn++; } c.notify_all(); }
	try { use(-1); } catch (std::exception &e) { std::puts(e.what()); }
	std::atomic<long> total = 0;
	{ std::vector<std::jthread> j; for (int i = 0; i < 8; i++) j.emplace_back([&] { for (int k = 0; k < 1000; k++) total += k; }); }
	std::printf("%ld\n", total.load());
	dlclose(h);
}
C
cat >Makefile <<'M'
objects := $(patsubst %.c,%.o,$(wildcard *.c)) main.o
CFLAGS = -O2 -fexceptions -MMD -flto
CXXFLAGS = -O1 -std=c++20 -MMD
all: prog plugin.so
prog: $(objects); $(CXX) -flto=2 $^ -o $@
plugin.so: plugin.cc; $(CXX) $(CXXFLAGS) -fPIC -shared $< -o $@
-include $(objects:.o=.d)
M
make -j4 >../log 2>&1 || cat ../log; sed 's/ -.*//' ../log | sort | uniq -c; ./prog
echo '/* */' >>part3.c; make -j4 | grep -c 'part3\.o\|-o prog'; sed -i 's/EXTRA 1/EXTRA 2/' all.h; make -j4 | grep -c -- ' -c '; ./prog | head -1; make -q; echo "status $?"
echo 'int broken(' >>part5.c; make -k -j4 2>&1 | grep -c 'Error 1\|not remade'; make clean 2>&1 | tail -1
g++ -std=c++20 -x c++-header -o pre.h.gch - <<'C'
#include <map>
#include <string>
C
echo 'int main() { std::map<std::string, int> m; m["a"]; return m.size() + 2; }' >p.cc; g++ -std=c++20 -include pre.h p.cc -o p && ./p; echo "status $?"
