# SPDX-License-Identifier: MIT
# `tessera`, which sources this, sets the variables.
# shellcheck shell=sh disable=SC2154
# Sourced by `tessera`: network cards of --net, and the virtual wires that they are on.
#
# Variables that the option parser sets: nets (one value of --net a line) machine kernel devices.

# net_option NAME WORDS - print the values of NAME= among the options of a --net, one a line.
net_option()
{
	printf '%s\n' "$2" | tr , '\n' | sed -n "s/^$1=//p"
}

# net_card WORDS - QEMU's device for the card that a --net asks for.
net_card()
{
	case $(net_option nic "$1") in
	'' | virtio-net) echo virtio-net-pci ;;
	*) net_option nic "$1" ;;
	esac
}

# net_check WORDS - what --net says must make sense.
net_check()
{
	case $1 in
	user | user,* | hub=?*) ;;
	*) die 2 "--net wants user or hub=NAME, not '$1'" ;;
	esac
	one_of "--net nic=" "$(net_card "$1")" virtio-net-pci e1000 e1000e
	for forward in $(net_option forward "$1"); do
		case $forward in
		*[!0-9:]* | :* | *: | *:*:*) die 2 "--net forward=$forward: want HOSTPORT:GUESTPORT" ;;
		*:*) ;;
		*) die 2 "--net forward=$forward: want HOSTPORT:GUESTPORT" ;;
		esac
		case $1 in hub=*) die 2 "--net hub: a forwarded port is the wire's: tools/vm/wire.py --forward" ;; esac
	done
	known=$(printf '%s\n' "$1" | tr , '\n' | sed -e 1d -e '/^forward=/d' -e '/^nic=/d' -e '/^mac=/d' | head -n 1)
	[ -z "$known" ] || die 2 "--net has no option '$known'"
}

# hub_path NAME - the socket of a wire: a name is one of this user's, a path is itself.
hub_path()
{
	case $1 in
	*/*) echo "$1" ;;
	*) echo "${TMPDIR:-/tmp}/tessera-hub.$(id -u)/$1" ;;
	esac
}

# net_modules - what Debian's kernel needs for the cards.
net_modules()
{
	printf '%s' "$nets" | while IFS= read -r line; do
		case $(net_card "$line") in
		virtio-net-pci) echo virtio_pci,virtio_net ;;
		*) net_card "$line" ;;
		esac
	done | sort -u | paste -sd, -
}

# nets_prepare - the wires that machines share are there before the machine is.
nets_prepare()
{
	for name in $(printf '%s' "$nets" | sed -n 's/^hub=\([^,]*\).*/\1/p'); do
		path=$(hub_path "$name")
		case $name in */*) ;; *) [ -d "${path%/*}" ] || (umask 077 && mkdir "${path%/*}") ;; esac
		/usr/bin/python3 -B "$top/tools/vm/wire.py" "$path" --background --gateway ||
			die 126 "--net hub=$name: the wire '$path' cannot be made"
	done
}

# net_arguments BEHIND - arguments for QEMU, one a line, for all cards; BEHIND is for those of virtio. The address of a card
# on a shared wire comes from this machine's temporary folder, whose name nobody else has now.
net_arguments()
{
	number=0
	printf '%s' "$nets" | while IFS= read -r line; do
		card=$(net_card "$line") mac=$(net_option mac "$line")
		case $line in
		user*)
			back="user,id=net$number"
			for forward in $(net_option forward "$line"); do
				back="$back,hostfwd=tcp:127.0.0.1:${forward%:*}-:${forward#*:}"
			done ;;
		hub=*)
			name=${line#hub=}
			back="stream,id=net$number,server=off,addr.type=unix,addr.path=$(hub_path "${name%%,*}")"
			: "${mac:=$(printf '%s %s' "$run" "$number" | md5sum | sed 's/^\(..\)\(..\)\(..\).*/52:54:00:\1:\2:\3/')}" ;;
		esac
		case $card in virtio-*) card="$card,disable-legacy=on$1" ;; esac
		printf '%s\n' -netdev "$back" -device "$card,netdev=net$number${mac:+,mac=$mac}"
		number=$((number + 1))
	done
}
