# SPDX-License-Identifier: MIT
#
# Tessera's build. One make, no recursion.
#
#   make                   the kernel, PID 1 and the base image (what `./tessera run` boots)
#   make kernel CC=clang   the kernel by another compiler; each compiler has its own build/<name>/
#   make kernel BUILD=debug   a variant, in build/<compiler>-<variant>/: release, debug (checks itself),
#                          kasan, ubsan, kcsan (sanitisers), kcov (coverage for the fuzzer)
#   make qemu              build and boot to a shell;  qemu-debug: wait for gdb;  qemu-log: write a log
#   make iso               a bootable ISO (BIOS and UEFI): build/<cc>/tessera.iso
#   make unit              build and run the host unit tests;  make abi: build the ABI test programs;
#                          make bench: build the benchmarks;  make drivers: drivers and their library;
#                          make filesystems: those of drivers/fs;  make ramdisk: the image for boot=ramdisk
#   make compile_commands.json | clean | V=1 (show the commands)
#
# What makes an incremental build right: every object depends on the headers it read (-MMD -MP) and
# on a file holding its command line, which changes only when the command line does; the kernel also
# depends on a file holding the list of its objects, so a removed source relinks too.

MAKEFLAGS += --no-builtin-rules --no-builtin-variables
.SUFFIXES:
percent := %
.DELETE_ON_ERROR:
.DEFAULT_GOAL := all

ifneq ($(filter default undefined,$(origin CC)),)
CC := gcc
endif
LD      := ld
NM      := nm
READELF := readelf
PYTHON  := /usr/bin/python3
HOSTCC  := gcc
MUSLCC  := musl-gcc

BUILD    := release
variants := release debug kasan ubsan kcsan kcov
ifeq ($(filter $(BUILD),$(variants)),)
$(error BUILD is one of: $(variants); not '$(BUILD)')
endif

cc_name := $(notdir $(firstword $(CC)))
out     := build/$(cc_name)$(if $(filter-out release,$(BUILD)),-$(BUILD))
family  := $(if $(findstring clang,$(cc_name)),clang,gcc)

ifeq ($(V),1)
say = @:
q   =
else
say = @printf '  %-8s%s\n'
q   = @
endif

# Text that a file should hold; rewritten only when it differs, so that its time is the time of the
# last change.   $(call remember,FILE,TEXT)
define remember
@mkdir -p $(dir $(1))
@printf '%s\n' '$(subst ','\'',$(2))' | cmp -s - $(1) || printf '%s\n' '$(subst ','\'',$(2))' > $(1)
endef

.PHONY: all kernel init image iso qemu qemu-debug qemu-log unit unit-build abi torture bench clean compile_commands.json FORCE

all: kernel image

# ---------------------------------------------------------------------------------------- the kernel

# What programs run of ours, the vDSO, is built apart and lies in the kernel as data.
vdso_dir   := kernel/arch/x86_64/vdso
sanitizer_dir := kernel/debug/sanitizers
# Which sanitisers a variant has; "check" is our own: who allocated what, red zones, poison.
sanitizers_debug := check
sanitizers_kasan := check kasan
sanitizers_ubsan := ubsan check_threads
sanitizers_kcsan := kcsan check_stacks
sanitizers_kcov  := kcov check kasan
# What KASAN needs of boot/, arch/ and mm/.
shadow_src := boot/shadow.c kernel/arch/x86_64/shadow.c kernel/mm/shadow.c
kernel_src := $(filter-out $(vdso_dir)/% $(sanitizer_dir)/%,$(sort $(shell find kernel boot -name '*.c' -o -name '*.S' 2>/dev/null)))
ifeq ($(filter kasan,$(sanitizers_$(BUILD))),)
kernel_src := $(filter-out $(shadow_src),$(kernel_src))
endif
# A sanitiser's run time is linked where the compiler makes calls to it.
kernel_src += $(sort $(foreach s,$(sanitizers_$(BUILD)),$(wildcard $(sanitizer_dir)/$(s)*.c)))
kernel_obj := $(patsubst %,$(out)/obj/%.o,$(kernel_src))

cc_include := $(shell $(CC) -print-file-name=include)

CPPFLAGS_kernel := -nostdinc -isystem $(cc_include) -Ikernel/include -I. -DTESSERA_BUILD=BUILD_$(BUILD)

# A kernel with a sanitiser is compiled to be tested, not to be quick: it takes half the time like this, but for kcsan's,
# which would be too slow. What gdb shows of one needs more: make BUILD=kasan level='-O1 -g'. With so little optimisation
# gcc guesses wrongly of what has no value yet.
level       := -O2 -g
level_kcsan := -O2 -g1
level_kasan := -O1 -g1 $(if $(filter gcc,$(family)),-Wno-maybe-uninitialized)
level_ubsan := $(level_kasan)
level_kcov  := $(level_kasan)
level       := $(or $(level_$(BUILD)),$(level))

# -fbuiltin: a freestanding program whose memcpy and strlen mean what C says, so the compiler may
# expand the small ones. The guard is one global word: per-CPU data is not there when boot code runs.
CFLAGS_both := -std=gnu17 $(level) -ffreestanding -fbuiltin \
	-m64 -march=x86-64 -mgeneral-regs-only -mno-red-zone -mcmodel=small -fPIE -fvisibility=hidden \
	-fno-omit-frame-pointer -fno-optimize-sibling-calls -fno-asynchronous-unwind-tables \
	-fno-strict-aliasing -fno-common -fno-delete-null-pointer-checks -fwrapv \
	-fstack-protector-strong -mstack-protector-guard=global -ftrivial-auto-var-init=zero \
	-Wall -Wextra -Werror -Wmissing-prototypes -Wstrict-prototypes -Wshadow -Wvla \
	-Wno-unused-parameter -ffile-prefix-map=$(CURDIR)/=

CFLAGS_gcc   := -fno-tree-loop-distribute-patterns -fcf-protection=none
# clang would take addresses of the linker script's symbols from the GOT, which is not there before the
# entry code has relocated the kernel.
CFLAGS_clang := -fdirect-access-external-data -enable-trivial-auto-var-init-zero-knowing-it-will-be-removed-from-clang \
	-fcf-protection=none -Wno-unused-command-line-argument

CFLAGS_kernel  := $(CFLAGS_both) $(CFLAGS_$(family))
ASFLAGS_kernel := -m64 -g -D__ASSEMBLER__ -Wa,--noexecstack -Wa,-I$(out) -ffile-prefix-map=$(CURDIR)/=

# Entry code runs before the kernel has relocated itself and before the guard word has a value.
CFLAGS_boot := -fno-stack-protector

# What the compiler adds for a sanitiser, and the files that it must leave alone: those that run before
# the sanitiser can, and its own run time.
# SHADOW_OFFSET of <tessera/layout.h>. Calls, not checks in line: 1.4 MiB of code instead of 2.0, though 1.4
# times the instructions; and nothing looks at the shadow before kasan_init().
shadow_offset := 0xdffffc0000000000
CFLAGS_kasan  = -fsanitize=kernel-address $(CFLAGS_kasan_$(family))
CFLAGS_kasan_gcc := -fasan-shadow-offset=$(shadow_offset) --param asan-stack=1 --param asan-globals=1 \
	--param asan-instrumentation-with-call-threshold=0
CFLAGS_kasan_clang := -mllvm -asan-mapping-offset=$(shadow_offset) -mllvm -asan-stack=1 -mllvm -asan-globals=1 \
	-mllvm -asan-instrumentation-with-call-threshold=0
# Signed overflow means wrapping here (-fwrapv), and pointers to nothing fault by themselves.
CFLAGS_ubsan := -fsanitize=shift,integer-divide-by-zero,unreachable,vla-bound,bounds,alignment,bool,enum,null \
	-fsanitize=nonnull-attribute -fno-sanitize=pointer-overflow
# Volatile accesses are marked ones. What runs while a report is printed is left alone.
CFLAGS_kcsan = -fsanitize=thread $(CFLAGS_kcsan_$(family))
CFLAGS_kcsan_gcc   := --param=tsan-distinguish-volatile=1 --param=tsan-instrument-func-entry-exit=0 -Wno-tsan
CFLAGS_kcsan_clang := -mllvm -tsan-distinguish-volatile=1 -mllvm -tsan-instrument-func-entry-exit=0
CFLAGS_kcov  := -fsanitize-coverage=trace-pc -fsanitize-coverage=trace-cmp
# What hot paths, interrupts and the run times themselves call to look at the kernel is left alone too.
plain_always := boot/% $(sanitizer_dir)/% kernel/debug/trace.c kernel/debug/latency.c kernel/debug/profile.c \
	kernel/sync/lock_stat.c
# slab.c lives in free objects; the others walk stacks that may be broken, one at every lock.
plain_kasan  := kernel/mm/slab.c kernel/arch/x86_64/backtrace.c kernel/sync/lock_order.c
plain_ubsan  :=
plain_kcsan  := kernel/debug/% kernel/sync/spinlock.c kernel/sync/lock_order.c kernel/lib/format.c
# Left out of the record: what runs at any time for reasons that are not the program's.
plain_kcov   := kernel/sync/% kernel/sched/% kernel/time/% kernel/debug/% kernel/test/% kernel/lib/string.c \
	kernel/mm/slab.c kernel/mm/frames.c kernel/mm/buddy.c kernel/mm/tlb.c kernel/arch/x86_64/tlb_flush.c \
	kernel/arch/x86_64/smp_call.c kernel/arch/x86_64/switch.S
# A program's structs lie wherever it likes; only the user-copy code, which does not mind, goes there.
user_structs := kernel/linux/% kernel/tty/% kernel/proc/robust.c kernel/arch/x86_64/signal_frame.c
CFLAGS_user_structs_ubsan := -fno-sanitize=alignment
sanitize = $(foreach s,$(sanitizers_$(BUILD)),$(if $(filter $(plain_always) $(plain_$(s)),$(1)),,$(CFLAGS_$(s)) \
	$(if $(filter $(user_structs),$(1)),$(CFLAGS_user_structs_$(s)))))

LDFLAGS_kernel := -m elf_x86_64 -static -pie --no-dynamic-linker -T boot/kernel.ld \
	-z max-page-size=4096 -z noexecstack -z norelro -z pack-relative-relocs --build-id=none

command_c = $(CC) $(CPPFLAGS_kernel) $(CFLAGS_kernel) $(call sanitize,$(1)) $(if $(filter boot/%,$(1)),$(CFLAGS_boot)) -c
command_S = $(CC) $(CPPFLAGS_kernel) $(ASFLAGS_kernel) -c

$(out)/flags: FORCE
	$(call remember,$@,$(call command_c,boot/) $(call sanitize,kernel/) $(call sanitize,kernel/linux/) $(user_structs) $(foreach s,$(sanitizers_$(BUILD)),$(plain_$(s))) $(command_S) $(LDFLAGS_kernel))

$(out)/objects: FORCE
	$(call remember,$@,$(kernel_obj))

$(out)/obj/%.c.o: %.c $(out)/flags
	@mkdir -p $(@D)
	$(say) CC $<
	$(q)$(call command_c,$<) -MMD -MP -MF $(@:.o=.d) -o $@ $<

$(out)/obj/%.S.o: %.S $(out)/flags
	@mkdir -p $(@D)
	$(say) AS $<
	$(q)$(command_S) -MMD -MP -MF $(@:.o=.d) -o $@ $<

# The vDSO: a shared object for user mode that refers to nothing outside itself and its data page.
CFLAGS_vdso := -std=gnu17 -O2 -ffreestanding -m64 -march=x86-64 -mgeneral-regs-only -fPIC -fvisibility=hidden \
	-fno-stack-protector -fno-strict-aliasing -fno-common -fcf-protection=none -fasynchronous-unwind-tables \
	-Wall -Wextra -Werror -Wmissing-prototypes -Wstrict-prototypes -ffile-prefix-map=$(CURDIR)/=
LDFLAGS_vdso := -m elf_x86_64 -shared -soname linux-vdso.so.1 --hash-style=both --build-id=none -z noexecstack \
	-z max-page-size=4096 -z norelro --no-undefined --eh-frame-hdr --strip-all -T $(vdso_dir)/vdso.ld

vdso_src := $(wildcard $(vdso_dir)/*.c)
vdso_obj := $(patsubst %,$(out)/obj/%.o,$(vdso_src))
command_vdso = $(CC) $(CPPFLAGS_kernel) $(CFLAGS_vdso) -c

$(out)/vdso.flags: FORCE
	$(call remember,$@,$(command_vdso) $(LDFLAGS_vdso))

$(vdso_obj): $(out)/obj/%.c.o: %.c $(out)/vdso.flags
	@mkdir -p $(@D)
	$(say) VDSO $<
	$(q)$(command_vdso) -MMD -MP -MF $(@:.o=.d) -o $@ $<

$(out)/vdso.so: $(vdso_obj) $(vdso_dir)/vdso.ld $(out)/vdso.flags
	$(q)$(LD) $(LDFLAGS_vdso) -o $@ $(vdso_obj)

$(out)/obj/kernel/arch/x86_64/vdso_image.S.o: $(out)/vdso.so

-include $(vdso_obj:.o=.d)

# The version: what uname says. Its own object, so that a new commit relinks and recompiles nothing else.
release := 6.1.0-tessera
commit  := $(shell git rev-parse --short=12 HEAD 2>/dev/null || echo unknown)

build_word := $(if $(filter-out release,$(BUILD)), $(BUILD))
version_text = /* Made by the build. */ extern const char kernel_release[], kernel_version[]; \
	const char kernel_release[] = "$(release)"; \
	const char kernel_version[] = "\#1 SMP PREEMPT Tessera $(commit)$(build_word)";

$(out)/version.c: FORCE
	$(call remember,$@,$(version_text))

$(out)/version.o: $(out)/version.c $(out)/flags
	$(q)$(call command_c,$<) -o $@ $<

# The symbol table lies in the kernel that it describes, so the kernel is linked twice: with an empty
# table, then with the table read from the first result. tools/ksyms.py states the format; the check
# at the end proves that the second link moved nothing.
$(out)/ksyms-empty.S: tools/ksyms.py
	@mkdir -p $(@D)
	$(q)$(PYTHON) tools/ksyms.py --empty > $@

$(out)/ksyms-table.S: $(out)/tessera.pass1 tools/ksyms.py
	$(q)$(PYTHON) tools/ksyms.py $< > $@

$(out)/ksyms-%.o: $(out)/ksyms-%.S $(out)/flags
	$(q)$(command_S) -o $@ $<

kernel_parts := $(kernel_obj) $(out)/version.o

$(out)/tessera.pass1: $(kernel_parts) $(out)/ksyms-empty.o $(out)/objects boot/kernel.ld
	$(q)$(LD) $(LDFLAGS_kernel) -o $@ $(kernel_parts) $(out)/ksyms-empty.o

$(out)/tessera.elf: $(kernel_parts) $(out)/ksyms-table.o $(out)/objects boot/kernel.ld tools/check_kernel.py tools/hide_relocations.py
	$(say) LD $@
	$(q)$(LD) $(LDFLAGS_kernel) -Map=$(out)/tessera.map -o $@.new $(kernel_parts) $(out)/ksyms-table.o
	$(q)$(PYTHON) tools/check_kernel.py $@.new $(out)/ksyms-table.S
	$(q)$(PYTHON) tools/hide_relocations.py $@.new
	$(q)mv $@.new $@

kernel: $(out)/tessera.elf

-include $(kernel_obj:.o=.d)

# -------------------------------------------------------------------------------- PID 1 and the image

CFLAGS_init := -std=gnu17 -Os -static -D_GNU_SOURCE -Wall -Wextra -Werror -Wmissing-prototypes -ffile-prefix-map=$(CURDIR)/=

build/init: $(wildcard services/init/*.[ch])
	@mkdir -p $(@D)
	$(say) MUSL $@
	$(q)$(MUSLCC) $(CFLAGS_init) -s -o $@ $(filter %.c,$^)

init: build/init

# One rule for every profile: tools/image/NAME.manifest -> build/image/NAME.cpio
build/image/%.cpio: tools/image/%.manifest tools/image/base.manifest tools/image/build_image.py \
		tools/image/cpio.py tools/image/packages.py $(shell find tools/image/skeleton -type f 2>/dev/null) build/init
	@mkdir -p $(@D)
	$(say) IMAGE $@
	$(q)$(PYTHON) tools/image/build_image.py --init build/init --cache build/cache -o $@ $<

image: build/image/base.cpio build/image/busybox.cpio

# ------------------------------------------------------------------------------- drivers and services

# A static program for each folder of drivers/ with C in it, over lib/driver. musl has no headers of the kernel's:
# these come from Debian's, behind its own.
driver_dirs := $(filter-out drivers/fs/%,$(sort $(dir $(wildcard drivers/*/*.c drivers/*/*/*.c))))
driver_exe  := $(foreach d,$(driver_dirs),build/drivers/$(notdir $(d:%/=%)))
driver_lib  := $(patsubst %.c,build/driver_obj/%.o,$(sort $(wildcard lib/driver/*.c)))
CFLAGS_driver := -std=gnu17 -O2 -g -D_GNU_SOURCE -Wall -Wextra -Werror -Wmissing-prototypes -Wstrict-prototypes -Wshadow \
	-Wvla -Wno-unused-parameter -Wno-missing-field-initializers -fno-strict-aliasing -ffile-prefix-map=$(CURDIR)/= \
	-Ilib/driver -idirafter /usr/include -idirafter /usr/include/x86_64-linux-gnu

build/driver_obj/flags: FORCE
	$(call remember,$@,$(MUSLCC) $(CFLAGS_driver) $(driver_lib))

build/driver_obj/%.o: %.c build/driver_obj/flags
	@mkdir -p $(@D)
	$(q)$(MUSLCC) $(CFLAGS_driver) -MMD -MP -c -o $@ $<

build/driver_obj/libdriver.a: $(driver_lib)
	@rm -f $@
	$(q)ar rcs $@ $^

driver_folder = $(filter %/$(1)/,$(driver_dirs))
.SECONDEXPANSION:
$(driver_exe): build/drivers/%: $$(patsubst $$(percent).c,build/driver_obj/$$(percent).o,$$(wildcard $$(call driver_folder,$$*)*.c)) build/driver_obj/libdriver.a
	@mkdir -p $(@D)
	$(say) DRIVER $@
	$(q)$(MUSLCC) -static -s -o $@ $^

# The device manager speaks with drivers: it shares their library.
build/devices: $(patsubst %.c,build/driver_obj/%.o,$(wildcard services/devices/*.c)) build/driver_obj/libdriver.a
	$(say) SERVICE $@
	$(q)$(MUSLCC) -static -s -o $@ $^

# So does the console service: it waits as they do.
build/console: $(patsubst %.c,build/driver_obj/%.o,$(wildcard services/console/*.c)) build/driver_obj/libdriver.a
	$(say) SERVICE $@
	$(q)$(MUSLCC) -static -s -o $@ $^

# The network stack: lwIP's TCP, unmodified from Debian's source package, with our options, and the drivers of all network
# cards. lwIP is compiled by rules of its own, since its warnings are not ours; it is fetched once, and kept in build/cache.
lwip      := build/source/lwip
lwip_src  := $(addprefix src/core/,tcp.c tcp_in.c tcp_out.c pbuf.c mem.c memp.c def.c ipv4/ip4_addr.c ipv6/ip6_addr.c)
lwip_obj  := $(patsubst %.c,build/driver_obj/lwip/%.o,$(lwip_src))
netd_src  := $(wildcard services/netd/*.c) $(filter-out %/main.c,$(wildcard drivers/net/*/*.c))
netd_obj  := $(patsubst %.c,build/driver_obj/%.o,$(netd_src))
CFLAGS_lwip := -Iservices/netd -isystem $(lwip)/src/include

$(lwip)/UPGRADING: tools/fetch_source.sh tools/sources.txt
	$(say) FETCH $(lwip)
	$(q)tools/fetch_source.sh lwip $(lwip) build/cache/sources
	$(q)touch $@

$(lwip_obj): build/driver_obj/lwip/%.o: $(lwip)/UPGRADING build/driver_obj/flags $(wildcard services/netd/*.h)
	@mkdir -p $(@D)
	$(q)$(MUSLCC) $(CFLAGS_driver) $(CFLAGS_lwip) -w -c -o $@ $(lwip)/$*.c

$(filter build/driver_obj/services/netd/%,$(netd_obj)): build/driver_obj/%.o: %.c $(lwip)/UPGRADING build/driver_obj/flags
	@mkdir -p $(@D)
	$(q)$(MUSLCC) $(CFLAGS_driver) $(CFLAGS_lwip) -MMD -MP -c -o $@ $<

build/netd: $(netd_obj) $(lwip_obj) build/driver_obj/libdriver.a
	$(say) SERVICE $@
	$(q)$(MUSLCC) -static -s -o $@ $^

-include $(wildcard build/driver_obj/*/*/*.d build/driver_obj/*/*/*/*.d)

.PHONY: drivers
drivers: $(driver_exe) build/devices build/console build/netd

# File systems: a static program for each folder of drivers/fs, over Debian's libfuse3, which is built against glibc.
fs_exe    := $(patsubst drivers/fs/%/,build/fs/%,$(sort $(dir $(wildcard drivers/fs/*/*.c))))
CFLAGS_fs := -std=gnu17 -O2 -g -D_GNU_SOURCE -D_FILE_OFFSET_BITS=64 -Wall -Wextra -Werror -Wmissing-prototypes \
	-Wstrict-prototypes -Wshadow -Wvla -Wno-unused-parameter -fno-strict-aliasing -ffile-prefix-map=$(CURDIR)/=
# Libfuse's low-level half brings its other one along, which may load modules: never here, as the linker warns.
LDFLAGS_fs := -static -s -Wl,--no-warnings

build/fs.flags: FORCE
	$(call remember,$@,$(HOSTCC) $(CFLAGS_fs) $(LDFLAGS_fs))

$(fs_exe): build/fs/%: $$(wildcard drivers/fs/$$*/*.[ch]) build/fs.flags
	@mkdir -p $(@D)
	$(say) FS $@
	$(q)$(HOSTCC) $(CFLAGS_fs) $(LDFLAGS_fs) -o $@ $(filter %.c,$^) -lfuse3 -lpthread

# The image that `boot=ramdisk` starts from when no other is given.
build/image/ramdisk.fat: tools/image/ramdisk.manifest tools/image/ramdisk.py tools/image/build_image.py \
		tools/image/cpio.py tools/image/packages.py $(shell find tools/image/ramdisk -type f 2>/dev/null) build/init
	@mkdir -p $(@D)
	$(say) RAMDISK $@
	$(q)$(PYTHON) tools/image/ramdisk.py --init build/init --cache build/cache -o $@ $<

.PHONY: filesystems ramdisk
filesystems: $(fs_exe)
ramdisk: build/image/ramdisk.fat

# Debian's own kernel, for `--kernel linux`.
build/linux/vmlinuz: tools/image/fetch_linux.py tools/image/packages.py
	@mkdir -p $(@D)
	$(say) FETCH $@
	$(q)$(PYTHON) tools/image/fetch_linux.py --cache build/cache -o $@

# The one for all machines, with modules, for `--kernel linux-full` and `--module`.
build/linux-full/vmlinuz: tools/image/fetch_linux.py tools/image/packages.py
	@mkdir -p $(@D)
	$(say) FETCH $@
	$(q)$(PYTHON) tools/image/fetch_linux.py --cache build/cache --modules build/linux-full/modules -o $@

iso: kernel image
	$(say) ISO $(out)/tessera.iso
	$(q)tools/vm/make_iso tessera $(out)/tessera.elf build/image/base.cpio 'console=ttyS0' $(out)/tessera.iso

# ---------------------------------------------------------------------------------------------- run it

qemu:
	$(q)./tessera run
qemu-debug:
	$(q)./tessera run --debug
qemu-log:
	$(q)./tessera run --qemu-log build/qemu.log

# ------------------------------------------------------------------------------------ tests on the host

# A unit test names the kernel sources it links in a comment of its own:
#	/* unit: kernel/lib/rbtree.c kernel/lib/cpio.c */
unit_src  := $(sort $(wildcard tests/unit/*.c))
unit_exe  := $(patsubst tests/unit/%.c,build/unit/%,$(unit_src))
shim_src  := $(sort $(wildcard tests/unit/shim/*.c))
shim_obj  := $(patsubst %.c,build/unit/obj/%.o,$(shim_src))
unit_uses  = $(shell sed -n 's,^/\* *unit: *\(.*[^ ]\) *\*/.*,\1,p' $(1))
unit_parts = $(patsubst %.c,build/unit/obj/%.o,$(call unit_uses,tests/unit/$(1).c))

CFLAGS_unit := -std=gnu17 -O1 -g -fsanitize=address,undefined -fno-sanitize-recover=undefined \
	-fno-omit-frame-pointer -fno-builtin -Itests/unit/shim -Ikernel/include -iquote lib/driver -Wall -Wextra -Werror -Wno-unused-parameter

build/unit/flags: FORCE
	$(call remember,$@,$(HOSTCC) $(CFLAGS_unit))

build/unit/obj/%.o: %.c build/unit/flags
	@mkdir -p $(@D)
	$(q)$(HOSTCC) $(CFLAGS_unit) -MMD -MP -c -o $@ $<

# Shims come from an archive: a test gets only those that it needs and does not define itself.
build/unit/libshim.a: $(shim_obj)
	@mkdir -p $(@D)
	@rm -f $@
	$(q)ar rcs $@ $(shim_obj)

.SECONDEXPANSION:
$(unit_exe): build/unit/%: build/unit/obj/tests/unit/%.o $$(call unit_parts,$$*) build/unit/libshim.a
	$(say) UNIT $@
	$(q)$(HOSTCC) $(CFLAGS_unit) -o $@ $(filter %.o,$^) build/unit/libshim.a -lcmocka

unit-build: $(unit_exe)

unit: $(unit_exe)
	$(q)status=0; for t in $(unit_exe); do "$$t" || status=1; done; exit $$status

-include $(wildcard build/unit/obj/*/*/*.d build/unit/obj/*/*/*/*.d build/unit/obj/*/*/*/*/*.d)

# Two network stacks on one wire: services/netd without its main program, lwIP and the test, with the sanitisers, which see
# all blocks of memory.
netd_test_src := $(filter-out %/netd.c %/door.c %/memory.c,$(wildcard services/netd/*.c)) $(wildcard tests/netd/*.c)
netd_test_obj := $(patsubst %.c,build/netd_test/%.o,$(netd_test_src))
netd_test_lwip := $(patsubst %.c,build/netd_test/lwip/%.o,$(lwip_src))
CFLAGS_netd_test := -std=gnu17 -O1 -g -D_GNU_SOURCE -fsanitize=address,undefined -fno-sanitize=alignment,shift \
	-fno-sanitize-recover=undefined -fno-omit-frame-pointer -fno-strict-aliasing -Ilib/driver $(CFLAGS_lwip)

build/netd_test/flags: FORCE
	$(call remember,$@,$(HOSTCC) $(CFLAGS_netd_test) $(netd_test_obj))

$(netd_test_lwip): build/netd_test/lwip/%.o: $(lwip)/UPGRADING build/netd_test/flags $(wildcard services/netd/*.h)
	@mkdir -p $(@D)
	$(q)$(HOSTCC) $(CFLAGS_netd_test) -w -c -o $@ $(lwip)/$*.c

$(netd_test_obj): build/netd_test/%.o: %.c $(lwip)/UPGRADING build/netd_test/flags
	@mkdir -p $(@D)
	$(q)$(HOSTCC) $(CFLAGS_netd_test) -Wall -Wextra -Werror -Wno-unused-parameter -Wno-missing-field-initializers \
		-MMD -MP -c -o $@ $<

build/netd_test/stacks: $(netd_test_obj) $(netd_test_lwip)
	$(say) UNIT $@
	$(q)$(HOSTCC) $(CFLAGS_netd_test) -o $@ $^

# Any packets, under libFuzzer.
packets_src := $(filter-out %/stacks.c,$(netd_test_src)) tests/fuzz/netd/packets.c
CFLAGS_packets := $(CFLAGS_netd_test) -fsanitize=fuzzer

build/netd_test/packets: $(packets_src) $(wildcard services/netd/*.h tests/netd/*.h) $(lwip)/UPGRADING build/netd_test/flags
	@mkdir -p $(@D)
	$(say) FUZZ $@
	$(q)$(FUZZCC) $(CFLAGS_packets) -w -o $@ $(packets_src) $(addprefix $(lwip)/,$(lwip_src))

-include $(wildcard build/netd_test/*/*/*.d)

# One static program per topic, by the plain compiler against glibc: what any user would build.
abi_topics := $(sort $(patsubst tests/abi/%/,%,$(dir $(wildcard tests/abi/*/*.c))))
abi_exe    := $(addprefix build/abi/,$(abi_topics))
CFLAGS_abi := -std=gnu17 -O1 -g -static -pthread -D_GNU_SOURCE -Itests/abi -Wall -Wextra -Werror

build/abi.flags: FORCE
	$(call remember,$@,$(HOSTCC) $(CFLAGS_abi))

$(abi_exe): build/abi/%: $$(wildcard tests/abi/$$*/*.c tests/abi/$$*/*.h tests/abi/*.c tests/abi/*.h) build/abi.flags
	@mkdir -p $(@D)
	$(say) ABI $@
	$(q)$(HOSTCC) $(CFLAGS_abi) -o $@ $(filter %.c,$^) -lm -lrt

# Its cases hold both kernels to the list of what is refused.
build/abi/contract: kernel/linux/refusals.def

abi: $(abi_exe)

# -------------------------------------------------------------------------------------------- fuzzers

# The system-call fuzzer, which runs in the machine. Its table of calls is the kernel's own. Its child lives
# without what a C library needs, a guard word in thread-local storage for one.
fuzz_src    := $(sort $(wildcard tests/fuzz/syscall/*.c))
CFLAGS_fuzz := -std=gnu17 -O2 -g -static -D_GNU_SOURCE -fno-stack-protector -Wall -Wextra -Werror \
	-Wno-missing-field-initializers

build/fuzz.flags: FORCE
	$(call remember,$@,$(HOSTCC) $(CFLAGS_fuzz))

build/fuzz/syscall: $(fuzz_src) $(wildcard tests/fuzz/syscall/*.h) kernel/linux/calls.h build/fuzz.flags
	@mkdir -p $(@D)
	$(say) FUZZ $@
	$(q)$(HOSTCC) $(CFLAGS_fuzz) -o $@ $(fuzz_src)

build/fuzz/kcov: tests/fuzz/kcov/kcov.c build/fuzz.flags
	@mkdir -p $(@D)
	$(say) FUZZ $@
	$(q)$(HOSTCC) $(CFLAGS_fuzz) -pthread -o $@ $<

# A parser of the kernel under libFuzzer, with AddressSanitizer, on the host. As a unit test it names the
# kernel's sources that it links:	/* fuzz: kernel/lib/cpio.c */
FUZZCC       := clang
parser_src   := $(sort $(wildcard tests/fuzz/parsers/*.c))
parser_exe   := $(patsubst tests/fuzz/parsers/%.c,build/fuzz/parsers/%,$(parser_src))
parser_uses   = $(shell sed -n 's,^/\* *fuzz: *\(.*[^ ]\) *\*/.*,\1,p' $(1))
CFLAGS_parser := -std=gnu17 -O1 -g -fsanitize=fuzzer,address,undefined -fno-sanitize-recover=undefined \
	-fno-omit-frame-pointer -fno-builtin -Itests/unit/shim -Ikernel/include -Wall -Wextra -Werror \
	-Wno-unused-parameter

build/fuzz/parsers.flags: FORCE
	$(call remember,$@,$(FUZZCC) $(CFLAGS_parser))

$(parser_exe): build/fuzz/parsers/%: tests/fuzz/parsers/%.c $$(call parser_uses,tests/fuzz/parsers/$$*.c) \
		$(wildcard tests/fuzz/parsers/*.h kernel/include/tessera/*.h) build/fuzz/parsers.flags
	@mkdir -p $(@D)
	$(say) FUZZ $@
	$(q)$(FUZZCC) $(CFLAGS_parser) -o $@ $(filter %.c,$^)

.PHONY: fuzz fuzz-parsers
fuzz: build/fuzz/syscall build/fuzz/kcov
fuzz-parsers: $(parser_exe)

# Torture programs: the same frame, a program for each folder of tests/torture.
torture_exe := $(patsubst tests/torture/%/,build/torture/%,$(sort $(dir $(wildcard tests/torture/*/*.c))))

$(torture_exe): build/torture/%: $$(wildcard tests/torture/$$*/*.c tests/torture/$$*/*.h tests/torture/*.h tests/abi/*.c tests/abi/*.h abi/*.h) build/abi.flags
	@mkdir -p $(@D)
	$(say) TORTURE $@
	$(q)$(HOSTCC) $(CFLAGS_abi) -Wno-unused-parameter -Itests/torture -I. -o $@ $(filter %.c,$^) -lm -lrt

# Random operations on FAT: by its library alone with the sanitisers, and on what is mounted.
fat_torture_src := $(wildcard tests/fat/*.c) $(filter-out %/main.c %/operations.c,$(wildcard drivers/fs/fat/*.c))

build/fat/torture: $(fat_torture_src) $(wildcard tests/fat/*.h drivers/fs/fat/*.h) build/fs.flags
	@mkdir -p $(@D)
	$(say) TORTURE $@
	$(q)$(HOSTCC) $(CFLAGS_fs) $(LDFLAGS_fs) -o $@ $(filter %.c,$^)

build/fat/torture-asan: $(fat_torture_src) $(wildcard tests/fat/*.h drivers/fs/fat/*.h) build/unit/flags
	@mkdir -p $(@D)
	$(say) TORTURE $@
	$(q)$(HOSTCC) $(CFLAGS_fs) -O1 -fsanitize=address,undefined -fno-sanitize-recover=undefined -o $@ $(filter %.c,$^)

torture: $(torture_exe) build/fat/torture build/fat/torture-asan

# Exercisers of file systems: a static program for each file.
files_exe := $(patsubst tests/files/%.c,build/files/%,$(sort $(wildcard tests/files/*.c)))

$(files_exe): build/files/%: tests/files/%.c tests/files/files.h build/abi.flags
	@mkdir -p $(@D)
	$(say) FILES $@
	$(q)$(HOSTCC) $(CFLAGS_abi) -o $@ $<

.PHONY: files
files: $(files_exe)

# ----------------------------------------------------------------------------------------- benchmarks

# A static program for each folder of bench/ with C in it, the same file on both kernels; bench/*.c is their frame.
bench_exe    := $(patsubst bench/%/,build/bench/%,$(sort $(dir $(wildcard bench/*/*.c))))
CFLAGS_bench := -std=gnu17 -O2 -g -static -pthread -D_GNU_SOURCE -Wall -Wextra -Werror

build/bench.flags: FORCE
	$(call remember,$@,$(HOSTCC) $(CFLAGS_bench))

$(bench_exe): build/bench/%: $$(wildcard bench/*.[ch] bench/$$*/*.[ch]) build/bench.flags
	@mkdir -p $(@D)
	$(say) BENCH $@
	$(q)$(HOSTCC) $(CFLAGS_bench) -o $@ $(filter %.c,$^)

# What `tessera profile` has QEMU load: it counts instructions.
build/profile/plugin.so: tools/profile/plugin.c build/bench.flags
	@mkdir -p $(@D)
	$(say) PLUGIN $@
	$(q)$(HOSTCC) -std=gnu17 -O2 -Wall -Wextra -Werror -shared -fPIC -fvisibility=hidden -o $@ $<

bench: $(bench_exe) build/profile/plugin.so

# ---------------------------------------------------------------------------------------------- helpers

define database_entry
{"directory": "$(CURDIR)", "file": "$(1)", "command": "$(subst ",\",$(if $(filter %.c,$(1)),$(call command_c,$(1)),$(command_S))) $(1)"}
endef
comma := ,

compile_commands.json:
	$(file >$@,[)
	$(foreach s,$(kernel_src),$(file >>$@,$(call database_entry,$(s))$(comma)))
	$(file >>$@,{"directory": "$(CURDIR)"$(comma) "file": "services/init/init.c"$(comma) "command": "$(MUSLCC) $(CFLAGS_init) services/init/init.c"}])
	@printf '  %-8s%s\n' JSON $@

# The cache of downloaded packages stays; `rm -r build` removes it too.
clean:
	rm -rf $(filter-out build/cache,$(wildcard build/*)) compile_commands.json

# What a variable holds, for scripts: make -s print-CFLAGS_both
print-%:
	@printf '%s\n' '$(subst ','\'',$($*))'
