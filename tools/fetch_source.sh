#!/bin/sh
# SPDX-License-Identifier: MIT
#
# fetch_source.sh NAME DIRECTORY CACHE - unpack the source that tools/sources.txt names NAME as DIRECTORY.
#
# It comes from Debian's archive by apt, which is asked with lists and settings of its own below CACHE: what the host has
# in /etc/apt stays as it is, with its mirrors read as ones of sources. What CACHE has already is not asked for again.
set -eu

fail()
{
	echo "fetch_source.sh: $1" >&2
	exit 1
}

[ $# = 3 ] || fail "usage: fetch_source.sh NAME DIRECTORY CACHE"
name=$1 directory=$2
mkdir -p "$3"
cache=$(cd "$3" && pwd)
line=$(sed -n "s/^$name //p" "$(dirname "$0")/sources.txt")
IFS=' ' read -r version file sum folder <<END
$line
END
[ -n "$folder" ] || fail "tools/sources.txt does not know '$name'"

is_good()
{
	[ -f "$cache/$file" ] && echo "$sum  $cache/$file" | sha256sum --check --status
}

# The host's own mirrors, as deb-src.
list_sources()
{
	mkdir -p "$cache/apt/parts" "$cache/apt/lists/partial" "$cache/apt/cache/archives/partial"
	rm -f "$cache"/apt/parts/*
	for list in /etc/apt/sources.list /etc/apt/sources.list.d/*.list; do
		[ -f "$list" ] || continue
		sed -n 's/^deb\(-src\)\{0,1\} /deb-src /p' "$list" | sort -u > "$cache/apt/parts/$(basename "$list" .list).list"
	done
	for list in /etc/apt/sources.list.d/*.sources; do
		[ -f "$list" ] || continue
		sed 's/^Types:.*/Types: deb-src/' "$list" > "$cache/apt/parts/$(basename "$list")"
	done
}

apt()
{
	apt-get -q -o Dir::Etc::sourcelist=/dev/null -o Dir::Etc::sourceparts="$cache/apt/parts" \
		-o Dir::State::lists="$cache/apt/lists" -o Dir::State::status=/dev/null -o Dir::Cache="$cache/apt/cache" \
		-o APT::Sandbox::User=root "$@" >> "$cache/apt/log" 2>&1
}

if ! is_good; then
	rm -f "$cache/$file"
	list_sources
	: > "$cache/apt/log"
	apt update || true
	(cd "$cache" && apt source --download-only "$name=$version") ||
		fail "cannot download Debian's source package '$name' $version: see that a Debian 12 mirror is reachable ($cache/apt/log)"
	is_good || fail "'$file' is not what tools/sources.txt says it is"
fi
rm -rf "$directory.new"
mkdir -p "$directory.new"
tar -xf "$cache/$file" -C "$directory.new"
rm -rf "$directory"
mv "$directory.new/$folder" "$directory"
rmdir "$directory.new"
