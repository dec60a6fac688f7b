# SPDX-License-Identifier: MIT
# `tessera`, which sources this, sets the variables.
# shellcheck shell=sh disable=SC2154
# Sourced by `tessera`: disks of --disk and --root, which are made where they are not there yet.
#
# Variables that the option parser sets: disks (FILE[,OPTIONS] a line) root (one of these, or empty) making (run: a
# missing disk is made) kernel with modules profile append. disks_prepare puts the root in front of disks.

# disk_option NAME WORD - print the value of NAME= among a disk's options.
disk_option()
{
	case ,${2#*,}, in
	*",$1="*) word=,${2#*,},; word=${word#*",$1="}; echo "${word%%,*}" ;;
	esac
}

# disk_check OPTION WORD - what --disk and --root say must make sense; a file that is not there can be made.
disk_check()
{
	file=${2%%,*} size=$(disk_option size "$2")
	case $size in
	*[!0-9KMGT]* | [!0-9]* | *[KMGT]?*) die 2 "$1: size=$size: want a number with K, M, G or T, such as 4G" ;;
	esac
	[ -r "$file" ] || [ -n "$making$size" ] ||
		die 2 "$1: there is no '$file' here; with ,size=4G it is made"
}

# disk_make FILE SIZE - a sparse file with an empty ext4. Without a journal: fuse2fs writes none.
disk_make()
{
	[ -d "$(dirname -- "$1")" ] || die 126 "--disk: there is no folder for '$1'"
	# A file that is there is whole.
	if ! mke2fs -q -F -t ext4 -b 4096 -O ^has_journal -E root_owner=0:0 -L tessera "$1.new" "$2" >"$run/mke2fs" 2>&1 ||
		! mv -- "$1.new" "$1"; then
		rm -f -- "$1.new"
		die 126 "--disk: '$1' cannot be made: $(tail -n 1 "$run/mke2fs")"
	fi
	say "made '$1': an empty ext4 of $2, sparse"
}

# root_make FILE SIZE - a sparse file with a Debian system on ext4.
root_make()
{
	say "making '$1': a Debian system on an ext4 of $2, sparse; this takes a minute"
	/usr/bin/python3 -B "$top/tools/image/make_root.py" --cache "$top/build/cache" --size "$2" -o "$1" || exit 126
}

# bytes FILE AT COUNT - in hexadecimal, without blanks.
bytes()
{
	od -An -v -tx1 -j "$2" -N "$3" -- "$1" 2>/dev/null | tr -d ' \n'
}

# is_ext FILE - has it the superblock of ext2, ext3 or ext4?
is_ext()
{
	[ "$(bytes "$1" 1080 2)" = 53ef ]
}

# disks_prepare - make what is missing; see that the machine has what mounts what there is. Needs $run.
disks_prepare()
{
	disks="$root${root:+
}$disks"
	ext=
	while IFS= read -r line; do
		[ -n "$line" ] || continue
		file=${line%%,*} size=$(disk_option size "$line")
		if [ ! -e "$file" ]; then
			host_need disk
			if [ "$line" = "$root" ]; then root_make "$file" "${size:-4G}"; else disk_make "$file" "${size:-4G}"; fi
		fi
		! is_ext "$file" || ext=1
		log=$(disk_option log "$line")
		[ -z "$log" ] || : >"$log" || die 126 "--disk: '$log' cannot be written"
	done <<-END
	$disks
	END
	if [ -n "$root" ]; then
		is_ext "${root%%,*}" || die 126 "--root: '${root%%,*}' has no ext4 that begins where the file begins"
		uuid=$(bytes "${root%%,*}" 1128 16 | sed 's/^\(.\{8\}\)\(....\)\(....\)\(....\)/\1-\2-\3-\4-/')
		append="$append${append:+ }root=UUID=$uuid"
	fi
	if [ -n "$ext" ]; then
		with="$with${with:+,}fuse2fs,e2fsprogs"
		modules="$modules${modules:+,}fuse"
	fi
}
