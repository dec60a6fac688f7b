# SPDX-License-Identifier: MIT
# `tessera`, which sources this, sets the variables.
# shellcheck shell=sh disable=SC2154
# Sourced by `tessera`: what the host must have, and how fast it may run the guest.

# host_need GROUP.. - have every package of these groups installed, or die with one line.
host_need()
{
	groups=" $* "
	wanted=
	while read -r group package _; do
		case $groups in *" $group "*) wanted="$wanted $package" ;; esac
	done <"$top/tools/packages.txt"
	command -v dpkg-query >/dev/null ||
		die 126 "this is not Debian: install by hand what tools/packages.txt lists"
	# shellcheck disable=SC2086
	missing=$(dpkg-query -W -f '${Package} ${db:Status-Status}\n' $wanted 2>/dev/null | {
		have=" "
		while read -r package status; do
			[ "$status" != installed ] || have="$have$package "
		done
		for package in $wanted; do
			case $have in *" $package "*) ;; *) printf '%s ' "$package" ;; esac
		done
	})
	[ -z "$missing" ] && return
	as_root=
	if [ "$(id -u)" != 0 ]; then
		if sudo -n true 2>/dev/null; then
			as_root='sudo -n'
		elif [ -t 0 ] && [ -t 2 ] && command -v sudo >/dev/null; then
			as_root=sudo
		else
			die 126 "packages are missing; as root run: apt-get install ${missing% }"
		fi
	fi
	say "installing Debian packages: $missing"
	log=$(mktemp)
	# shellcheck disable=SC2086
	if ! { $as_root apt-get -q update &&
		$as_root env DEBIAN_FRONTEND=noninteractive apt-get -q -y --no-install-recommends install $missing
	} </dev/null >"$log" 2>&1; then
		tail -n 15 "$log" >&2
		rm -f "$log"
		die 126 "apt could not install the packages above; as root run: apt-get install ${missing% }"
	fi
	rm -f "$log"
}

# A firmware of 64 KiB whose only code, at the reset vector, is
#	mov dx, 0xf4;  mov al, 0x10;  out dx, al;  hlt
# which ends QEMU with status 33 through isa-debug-exit: proof that a virtual CPU ran, with the
# processor model that machines get.
host_probe()
{
	firmware=$1
	dd if=/dev/zero of="$firmware" bs=65536 count=1 2>/dev/null &&
	printf '\272\364\000\260\020\356\364' | dd of="$firmware" bs=1 seek=65520 conv=notrunc 2>/dev/null
	timeout 20 qemu-system-x86_64 -accel "$2" -machine q35 -cpu max -m 16 -nodefaults -display none \
		-bios "$firmware" -device isa-debug-exit,iobase=0xf4,iosize=0x04 \
		</dev/null >/dev/null 2>&1
	[ $? = 33 ]
}

# host_accelerator - print "kvm" where hardware virtualisation has been seen to work, else "tcg".
# The answer holds until the host boots again.
host_accelerator()
{
	cache=$top/build/cache/accelerator
	boot=$(cat /proc/sys/kernel/random/boot_id 2>/dev/null)
	if [ -r "$cache" ] && read -r when what <"$cache" && [ "$when" = "$boot" ]; then
		echo "$what"
		return
	fi
	what=tcg
	if [ -w /dev/kvm ] && grep -qwE '^flags.*(vmx|svm)' /proc/cpuinfo; then
		probe=$(mktemp)
		host_probe "$probe" kvm && what=kvm
		rm -f "$probe"
	fi
	mkdir -p "${cache%/*}"
	echo "$boot $what" >"$cache.$$" && mv "$cache.$$" "$cache"
	echo "$what"
}
