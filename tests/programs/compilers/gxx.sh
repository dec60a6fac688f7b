#!/bin/sh
# GCC 12 as a C++ compiler: templates, exceptions across a shared library, threads, futures, coroutines, iostreams.
# seconds: 180
cat >lib.cc <<'C'
#include <stdexcept>
#include <string>
void refuse(const std::string &what) { throw std::runtime_error("refused: " + what); }
C
cat >main.cc <<'C'
#include <coroutine>
#include <future>
#include <iostream>
#include <map>
#include <thread>
#include <vector>
void refuse(const std::string &);
struct numbers {
	struct promise_type {
		int now;
		numbers get_return_object() { return {std::coroutine_handle<promise_type>::from_promise(*this)}; }
		std::suspend_always initial_suspend() { return {}; }
		std::suspend_always final_suspend() noexcept { return {}; }
		std::suspend_always yield_value(int v) { now = v; return {}; }
		void return_void() {}
		void unhandled_exception() {}
	};
	std::coroutine_handle<promise_type> h;
};
static numbers squares() { for (int i = 1;; i++) co_yield i * i; }
int main()
{
	std::map<int, std::vector<int>> m;
	for (int i = 0; i < 1000; i++) m[i % 7].push_back(i);
	for (auto &[k, v] : m) std::cout << k << ':' << v.size() << '/' << v.back() << ' ';
	std::cout << '\n';
	std::vector<std::future<long>> f;
	for (long i = 0; i < 4; i++)
		f.push_back(std::async(std::launch::async, [i] { long s = 0; for (long k = 0; k < 100000; k++) s += k * i; return s; }));
	for (auto &one : f) std::cout << one.get() << ' ';
	std::cout << '\n';
	try { refuse("this"); } catch (const std::exception &e) { std::cout << e.what() << '\n'; }
	auto c = squares();
	for (int i = 0; i < 5; i++) { c.h.resume(); std::cout << c.h.promise().now << ' '; }
	c.h.destroy();
	std::cout << '\n';
}
C
g++ -std=c++20 -fPIC -shared lib.cc -o liblib.so && g++ -std=c++20 main.cc -L. -llib -Wl,-rpath,"$PWD" -o main && ./main
echo 'template <class T> T f(T a) { return a.no; } int main() { return f(1); }' >bad.cc; g++ -c bad.cc 2>&1 | head -3
