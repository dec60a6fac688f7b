#!/bin/sh
# GNU make 4.3: parallel jobs under a job server, pattern rules, functions, recursion, an error, what is up to date.
# seconds: 90
cat >Makefile <<'M'
names := $(foreach n,1 2 3 4 5 6 7 8,part$(n))
all: sum.txt sub
%.txt: %.in
	@sort -n $< | tail -1 >$@
sum.txt: $(names:=.txt)
	@cat $^ | paste -sd+ | sed 's/.*/$(words $^) parts: &/' >$@
part%.in:
	@seq 1 $* >$@
.PHONY: all sub fail
.PRECIOUS: part%.in
sub:
	@$(MAKE) --no-print-directory -C sub
fail: ; @exit 3
M
mkdir sub && printf 'all: a b c\n\t@echo sub done\na b c:\n\t@touch $@.made\n' >sub/Makefile
make -j4 && cat sum.txt && ls sub | sort
make -j4 -q sum.txt; echo "up to date: $?"
touch part3.in; make -j2 -n sum.txt | grep -c sort
make fail; echo "status $?"; make nothing; echo "status $?"
make -k -j2 fail sum.txt 2>&1; echo "status $?"
printf 'x := $(shell echo from a shell)\ny = $(shell exit 4)$(.SHELLSTATUS)\n$(info $(x) $(y) $(sort c a b) $(patsubst %%.c,%%.o,a.c b.c))\nall: ; @:\n' | make -f -
