#!/bin/sh
# CMake 3.25 and CTest: probes the compiler, configures, builds with two jobs, tests, installs.
# seconds: 240
mkdir p && cd p && cat >CMakeLists.txt <<'C'
cmake_minimum_required(VERSION 3.20)
project(example VERSION 1.2 LANGUAGES C)
include(CheckIncludeFile)
check_include_file(sys/epoll.h HAVE_EPOLL)
check_include_file(sys/event.h HAVE_KQUEUE)
configure_file(config.h.in config.h)
add_library(part SHARED part.c)
add_executable(prog prog.c)
target_include_directories(prog PRIVATE ${CMAKE_CURRENT_BINARY_DIR})
target_link_libraries(prog PRIVATE part)
enable_testing()
add_test(NAME right COMMAND prog 0)
add_test(NAME wrong COMMAND prog 1)
set_tests_properties(wrong PROPERTIES WILL_FAIL TRUE)
install(TARGETS prog part)
C
printf '#cmakedefine HAVE_EPOLL 1\n#cmakedefine HAVE_KQUEUE 1\n#define VERSION "@PROJECT_VERSION@"\n' >config.h.in
echo 'int part(int x) { return x * 2; }' >part.c
printf '#include <stdio.h>\n#include <stdlib.h>\n#include "config.h"\nint part(int);\nint main(int c, char **v) { printf("%%s %%d %%d\\n", VERSION, HAVE_EPOLL, part(21)); return c > 1 ? atoi(v[1]) : 0; }\n' >prog.c
cmake -S . -B b -DCMAKE_BUILD_TYPE=Release -DCMAKE_INSTALL_PREFIX=/tmp/cmake-installed >log || { cat log; exit 1; }
grep -E "Looking|Found|compiler identification" log
cmake --build b -j2 | sed 's/^\[ *[0-9]*%\]//' | sort
cd b && ctest -j2 | sed 's/ *[0-9.]* sec//; s/Test *#[0-9]*//; s|^ *[0-9]*/2||; s/Start .*: /Start /' | grep -E 'Passed|Failed|tests passed' | sort
cmake --install . | sort && /tmp/cmake-installed/bin/prog; rm -rf /tmp/cmake-installed
