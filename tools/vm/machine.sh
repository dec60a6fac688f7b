# SPDX-License-Identifier: MIT
# `tessera`, which sources this, sets the variables.
# shellcheck shell=sh disable=SC2154
# Sourced by `tessera`: build what a machine boots, start QEMU or Bochs, judge how it ended.
#
# Variables that the option parser sets: cpus mem kernel variant boot cpu machine emulator timeout append profile with
# icount turns adds (a file, one HOST:GUEST a line) disks devices nets (one a line) root (a disk) modules (NAME[:ARGUMENTS],..)
# ramdisk and, for `run`, debug and log.

cc_name=${CC:-gcc}
cc_name=${cc_name##*/}

# kernel_path - the kernel of the chosen build variant, below the top.
kernel_path()
{
	case $variant in
	release) echo "build/$cc_name/tessera.elf" ;;
	*) echo "build/$cc_name-$variant/tessera.elf" ;;
	esac
}

# build TARGET.. - make, one at a time however many machines start at once. Quiet unless it is a
# terminal that looks on, or it fails.
build()
{
	mkdir -p "$top/build"
	set -- flock "$top/build/.lock" make -s -C "$top" --no-print-directory -j2 "BUILD=$variant" "$@"
	if [ -t 2 ]; then
		"$@" </dev/null >&2 || die 126 "the build failed; the messages are above"
		return
	fi
	make_log=$(mktemp)
	if ! "$@" </dev/null >"$make_log" 2>&1; then
		cat "$make_log" >&2
		rm -f "$make_log"
		die 126 "the build failed; the messages are above"
	fi
	rm -f "$make_log"
}

megabytes()
{
	echo $((($(stat -Lc %s "$1") + 1048575) / 1048576))
}

# What a kernel takes in memory: its file also holds symbols for the debugger.
loaded_megabytes()
{
	echo $((($(size "$1" | awk 'NR == 2 { print $4 }') + 1048575) / 1048576))
}

# machine_prepare - build, then set $kernel_file, $image (per run, in $run) and $arguments.
machine_prepare()
{
	if [ "$boot" = pvh ]; then host_need run; else host_need run iso; fi
	[ "$emulator" != bochs ] || host_need bochs
	run=$(mktemp -d "${TMPDIR:-/tmp}/tessera.XXXXXX") || die 126 "cannot make a temporary directory"
	disks_prepare
	nets_prepare
	base=$top/build/image/$profile.cpio
	case $kernel in
	tessera) kernel_file=$top/$(kernel_path) ;;
	*) kernel_file=$top/build/$kernel/vmlinuz ;;
	esac
	[ -n "$TESSERA_BUILT" ] || build "${kernel_file#"$top/"}" "${base#"$top/"}"
	tail -c 8192 "$base" | grep -q 'TRAILER!!!' ||
		die 126 "the image build/image/$profile.cpio is damaged: remove it and run the command again"

	packages=
	if [ -n "$with" ]; then
		[ -t 2 ] && [ -z "$TESSERA_BUILT" ] && say "packing $with"
		packages=$(/usr/bin/python3 -B "$top/tools/image/add_packages.py" --cache "$top/build/cache" \
			--profile "$profile" "$with") || exit 126
	fi
	image=$base
	[ "$kernel" = linux-full ] || modules=
	[ -z "$disks$nets" ] || [ "$kernel" != tessera ] || machine_drivers
	[ -z "$ramdisk" ] || machine_ramdisk
	if [ -s "$adds" ] || [ -n "$command_text$packages$modules" ]; then
		printf '%s' "$command_text" >"$run/command"
		image=$run/image.cpio
		IFS=,
		# shellcheck disable=SC2086
		set -- $modules
		unset IFS
		[ -z "$modules" ] || set -- --modules "$top/build/$kernel/modules" "$@"
		/usr/bin/python3 "$top/tools/image/add_segment.py" ${command_text:+--command "$run/command"} "$@" \
			--adds "$adds" -o "$run/segment.cpio" || exit 126
		cat "$base" ${packages:+"$packages"} "$run/segment.cpio" >"$image" && rm "$run/segment.cpio" ||
			die 126 "no room for the image in ${run%/*}: free some, or set TMPDIR"
	fi
	size=$(megabytes "$image")
	case $kernel in
	tessera)
		needed=$((size + $(loaded_megabytes "$kernel_file") + 4))
		arguments="console=ttyS0 panic=exit" ;;
	linux*)
		needed=$((2 * size + 80))
		# Both kernels give programs the same 47 bits of addresses. Whether the timer's interrupt comes in
		# time is up to the host's load: Linux shall not give up over it. Nor shall it distrust the counter of
		# time stamps, and read the time from a device instead.
		arguments="console=ttyS0 panic=-1 no5lvl no_timer_check tsc=reliable" ;;
	esac
	case $boot in
	bios) needed=$((needed + size + 16)) ;;
	uefi) needed=$((needed + size + 64)) ;;
	esac
	# Half as much again as the image leaves programs room where nobody chose.
	: "${mem:=$((needed + 256 > 512 ? needed + size / 2 + 256 : 512))}"
	[ "$mem" -ge "$needed" ] ||
		die 126 "--mem $mem is too little for this kernel and image: give at least --mem $needed"
	# The tests' own are in the environment.
	arguments="$arguments${TESSERA_APPEND:+ $TESSERA_APPEND}${append:+ $append}"
}

# machine_drivers - a disk or a network card needs its driver, the manager that starts it, and, where the machine can
# have one, an IOMMU.
machine_drivers()
{
	[ -n "$TESSERA_BUILT" ] || build drivers
	printf '%s\n' "$top/build/drivers:/usr/lib/tessera/drivers" "$top/build/devices:/usr/lib/tessera/devices" \
		"$top/build/netd:/usr/lib/tessera/netd" "$top/services/devices/table:/etc/tessera/drivers" >>"$adds"
	case $machine-$devices in
	*-iommu*) ;;
	q35*) devices="intel-iommu,intremap=on
$devices" ;;
	esac
}

# machine_ramdisk - the image and its driver. The driver is built once; the image may be any.
machine_ramdisk()
{
	if [ -z "$TESSERA_BUILT" ]; then
		host_need fat
		case $ramdisk in
		"$top/build/image/ramdisk.fat") build filesystems ramdisk ;;
		*) build filesystems ;;
		esac
	fi
	printf '%s\n' "$top/build/fs:/usr/lib/tessera/fs" "$ramdisk:/boot/ramdisk.img" >>"$adds"
}

# Make the ISO of a machine that GRUB starts.
machine_iso()
{
	if ! "$top/tools/vm/make_iso" "${kernel%-full}" "$kernel_file" "$image" "$arguments" \
		"$run/boot.iso" >"$run/iso.log" 2>&1; then
		cat "$run/iso.log" >&2
		die 126 "cannot make the ISO; the messages are above"
	fi
}

# bochs_start EXTRA.. - become Bochs; EXTRA says where the serial ports lead (tools/vm/bochs.py).
bochs_start()
{
	machine_iso
	exec /usr/bin/python3 -B "$top/tools/vm/bochs.py" "$run" --iso "$run/boot.iso" --mem "$mem" --cpus "$cpus" \
		${cpu:+--cpu "$cpu"} ${timeout:+--timeout "$timeout"} "$@"
}

# device_line NUMBER ARGS - a device for QEMU as "DRIVE<tab>DEVICE": what among ARGS is about a file is DRIVE,
# which is - without. log=FILE keeps each write to the file, in order, with the flushes between them, as Linux's
# dm-log-writes does; size= is disks_prepare's.
device_line()
{
	drive='' device='' log='' disk='' number=$1
	case ,$2 in
	*,file=*) ;;
	*) printf -- '-\t%s\n' "$2"; return ;;
	esac
	IFS=,
	set -f
	for word in $2; do
		case $word in
		file=*) drive="$word,if=none,id=drive$number$drive" disk=${word#file=} ;;
		log=*) log=${word#log=} ;;
		size=*) ;;
		format=* | snapshot=* | readonly=* | cache=* | cache.* | aio=* | discard=* | detect-zeroes=* | werror=* | \
			rerror=* | throttling.*) drive="$drive,$word" ;;
		*) device="$device${device:+,}$word" ;;
		esac
	done
	set +f
	unset IFS
	case $drive in *,format=*) ;; *) drive="$drive,format=raw" ;; esac
	[ -z "$log" ] ||
		drive="if=none,id=drive$number,driver=blklogwrites,file.driver=file,file.filename=$disk,log.driver=file,log.filename=$log"
	printf '%s\t%s,drive=drive%d\n' "$drive" "$device" "$number"
}

# devices_in_order - a line for each of --device and --disk. The IOMMU is first: QEMU puts only what comes
# later behind it; a disk of ours then goes through it too.
devices_in_order()
{
	behind='' count=0
	case $devices in *-iommu*)
		behind=,iommu_platform=on
		echo "$devices" | grep -e -iommu | sed 's/^/-	/' ;;
	esac
	while IFS= read -r line; do
		case $line in *-iommu* | '') continue ;; esac
		count=$((count + 1))
		device_line "$count" "$line"
	done <<-END
	$devices$(printf '%s' "$disks" | sed "s/^/virtio-blk-pci,disable-legacy=on$behind,file=/")
	END
}

# machine_start EXTRA.. - become QEMU, with what the options ask for and EXTRA behind, which connects
# the serial ports.
machine_start()
{
	if [ -n "$icount" ]; then
		# The same time of day and the same random numbers too.
		set -- -accel tcg,thread=single -icount shift=0,sleep=off \
			-seed 1 -rtc base=2026-01-01,clock=vm "$@"
	elif [ "$(host_accelerator)" = kvm ]; then
		set -- -accel kvm "$@"
	else
		set -- -accel "tcg,thread=$([ -n "$turns" ] && echo single || echo multi)" "$@"
	fi
	case $boot in
	pvh)
		set -- -kernel "$kernel_file" -initrd "$image" -append "$arguments" "$@" ;;
	*)
		machine_iso
		set -- -cdrom "$run/boot.iso" -boot d "$@" ;;
	esac
	if [ "$boot" = uefi ]; then
		cp /usr/share/OVMF/OVMF_VARS_4M.fd "$run/vars.fd"
		set -- -drive if=pflash,format=raw,unit=0,readonly=on,file=/usr/share/OVMF/OVMF_CODE_4M.fd \
			-drive "if=pflash,format=raw,unit=1,file=$run/vars.fd" "$@"
	fi
	# The machine's memory: nobody else's, or a file that is there to read when the machine has ended.
	memory="memory-backend-ram,id=ram,size=${mem}M,reserve=off"
	[ -z "$mem_file" ] || memory="memory-backend-file,id=ram,size=${mem}M,share=on,mem-path=$mem_file"
	# reserve=off: a machine may have more memory than the host as long as it does not use it.
	set -- qemu-system-x86_64 -machine "$machine,memory-backend=ram" -m "$mem" \
		-object "$memory" \
		-cpu "${cpu:-max}" -smp "$cpus" -nodefaults -no-user-config -display none -no-reboot \
		-device isa-debug-exit,iobase=0xf4,iosize=0x04 "$@"
	# What is plugged in while the machine runs is told by its port, not by ACPI's byte code.
	case $kernel-$machine in
	tessera-q35*) set -- "$@" -global ICH9-LPC.acpi-pci-hotplug-with-bridge-support=off ;;
	esac
	wanted=$(devices_in_order)
	while IFS='	' read -r drive device; do
		[ "${drive:--}" = - ] || set -- "$@" -drive "$drive"
		[ -z "$device" ] || set -- "$@" -device "$device"
	done <<-END
	$wanted
	END
	while IFS= read -r word; do
		[ -z "$word" ] || set -- "$@" "$word"
	done <<-END
	$(net_arguments "$(case $devices in *-iommu*) echo ,iommu_platform=on ;; esac)")
	END
	# shellcheck disable=SC2086
	set -- "$@" $qemu_more
	[ -z "$debug" ] || set -- "$@" -S \
		-chardev "socket,id=gdb,path=$run/gdb,server=on,wait=off" -gdb chardev:gdb
	[ -z "$qemu_log" ] || set -- "$@" -d int,guest_errors -D "$qemu_log"
	[ -z "$timeout" ] || set -- timeout --foreground --kill-after=3 "$timeout" "$@"
	exec "$@"
}

# serial_port N CHARDEV - how QEMU gives port N. A microvm has one by itself; more are devices.
serial_port()
{
	case $machine in
	microvm*) echo "-device isa-serial,index=$1,chardev=$2" ;;
	*) echo "-serial chardev:$2" ;;
	esac
}

machine_clean()
{
	trap - INT TERM HUP EXIT
	[ -z "$qemu" ] || kill "$qemu" 2>/dev/null
	[ -z "$saved_tty" ] || stty "$saved_tty" <&4 2>/dev/null
	[ -z "$console" ] || [ ! -f "$run/console" ] || cp "$run/console" "$console"
	[ -z "$run" ] || rm -rf "$run"
	[ -z "$adds" ] || rm -f "$adds"
}

show_log()
{
	echo '---- log of the machine ----'
	# Firmware and boot loader paint; keep what they say.
	sed 's/\x1b\[[0-9;?=]*[A-Za-z]//g; s/\r//g' "$run/console"
	cat "$run/errors"
	echo '---- end of the log ----'
} >&2

# machine_command - boot, pass the command's output through as it comes, exit with its status.
machine_command()
{
	mkfifo "$run/output"
	: >"$run/console"
	: >"$run/status"
	# Both ends are open before anyone uses them, so that neither waits for the other however early
	# the machine ends; the end of file comes when QEMU and we have closed descriptor 3.
	exec 3<>"$run/output" 5<"$run/output"
	(
		[ "$emulator" != bochs ] ||
			bochs_start --console "$run/console" --output "$run/output" --status "$run/status"
		# What goes through a socket is kept all the same.
		if [ -n "$console_socket" ]; then
			set -- -chardev "socket,id=console,path=$console_socket,server=on,wait=off,logfile=$run/console" \
				-serial chardev:console
		else
			set -- -serial "file:$run/console"
		fi
		# shellcheck disable=SC2046
		machine_start "$@" \
			-chardev "file,id=output,path=$run/output,append=on" $(serial_port 1 output) \
			-chardev "file,id=status,path=$run/status" $(serial_port 2 status)
	) </dev/null >"$run/errors" 2>&1 3>&- 5<&- &
	qemu=$!
	# UEFI firmware writes to this port too: init says where the output begins (sed -u reads no byte
	# beyond the line). A reader that is gone (`| head`) ends the machine.
	(
		{ sed -u '/^tessera: begin$/q' >/dev/null && cat; } <&5 || { kill "$qemu"; exit 141; }
	) 3>&- 2>/dev/null &
	reader=$!
	exec 5<&-
	wait "$qemu"
	ended=$?
	qemu=
	exec 3>&-
	wait "$reader" || exit 141

	answer=$(sed -n 's/^exit \([0-9][0-9]*\)\r*$/\1/p' "$run/status")
	if grep -qE 'PANIC:|Kernel panic' "$run/console" || [ "$ended" = 253 ]; then
		show_log
		die 125 "the kernel panicked; its log is above"
	elif [ "$ended" = 124 ] || [ "$ended" = 137 ]; then
		show_log
		die 124 "no end after $timeout s: stopped; its log is above (--timeout gives it longer)"
	elif [ -n "$answer" ]; then
		exit "$answer"
	elif [ "$ended" != 0 ] && [ "$ended" != 251 ]; then
		cat "$run/errors" >&2
		die 126 "$emulator could not run the machine (status $ended); its message is above"
	fi
	show_log
	die 125 "the machine stopped before the command ended; its log is above"
}

# machine_shell - boot with the console on this terminal.
machine_shell()
{
	exec 4<&0
	if [ -n "$debug" ]; then
		cat >"$top/build/gdbinit" <<-END
		file $kernel_file
		source $top/tools/gdb/tessera.py
		target remote $run/gdb
		END
		say "waiting for gdb; in another terminal: gdb -x build/gdbinit"
	fi
	if [ -t 0 ]; then
		saved_tty=$(stty -g)
		stty -onlcr # the guest's terminal has done that
		size=$(stty size)
		[ "$size" = '0 0' ] || arguments="$arguments rows=${size% *} cols=${size#* }"
	fi
	# A serial line does not tell that the window changed; the third port does.
	mkfifo "$run/size.in" "$run/size.out"
	(
		[ "$emulator" != bochs ] || bochs_start --terminal
		# shellcheck disable=SC2046
		machine_start -chardev stdio,id=console,mux=on,signal=off -serial chardev:console -echr 0x1d \
			-mon chardev=console -chardev null,id=none $(serial_port 1 none) \
			-chardev "pipe,id=size,path=$run/size" $(serial_port 2 size)
	) <&4 &
	qemu=$!
	trap 'printf "size %s\n" "$(stty size <&4)" 1<>"$run/size.in"' WINCH
	while :; do
		wait "$qemu"
		ended=$?
		kill -0 "$qemu" 2>/dev/null || break
	done
	qemu=
	case $ended in
	0 | 251) exit 0 ;; # 251: a machine that cannot be switched off left by isa-debug-exit
	124 | 137) die 124 "the machine is stopped after $timeout s" ;;
	253) die 125 "the kernel panicked" ;;
	*) die 126 "$emulator ended with status $ended" ;;
	esac
}
