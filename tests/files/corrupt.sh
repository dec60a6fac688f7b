#!/bin/sh
# corrupt.sh FIRST LAST IMAGE.. - mount spoilt ext4 images by fuse2fs and use what can be mounted.
#
# Whatever fuse2fs makes of them: who uses the mount gets an answer, an error, or can be killed; the daemon can be killed;
# afterwards nothing is mounted and nobody is left. Prints counts, and what went against that.

# use - what a user would do; the errors are his.
use()
{
	{
		ls -lRi m
		find m -type f -exec cat {} + | wc -c
		df m
		stat m/f1 m/d1 m/link
		echo more >>m/f1
		head -c 30000 /x/fsx >m/new
		mkdir m/d1/x m/y
		ln m/f2 m/hard
		mv m/f3 m/d1/moved
		rm -rf m/d2
		/x/fsx -s "$seed" -n 20 -l 65536 m/fsx
		sync -f m/f1
	} >/dev/null 2>&1
}

# is_mounted - asks the kernel, not the daemon.
is_mounted()
{
	grep -q ' /tmp/spoilt/m ' /proc/self/mounts
}

daemon()
{
	for p in /proc/[0-9]*; do
		read -r words 2>/dev/null <"$p/comm" && [ "$words" = fuse2fs ] && echo "${p#/proc/}"
	done
}

# Under a time limit, which ends all of it.
if [ "$1" = --use ]; then
	seed=$2
	use
	exit 0
fi

mounted=0 refused=0 died=0 endless=0 seed=$1 last=$2
shift 2
mkdir -p /tmp/spoilt/m && cd /tmp/spoilt || exit
while [ "$seed" -le "$last" ]; do
	for image in "$@"; do
		cp "$image" img
		/x/mutate "$seed" img || exit 1
		timeout -s KILL 20 fuse2fs img m -o allow_other,default_permissions,big_writes >>words 2>&1
		if ! is_mounted; then
			refused=$((refused + 1))
			continue
		fi
		mounted=$((mounted + 1))
		timeout -s KILL 20 sh "$0" --use "$seed"
		[ $? != 137 ] || endless=$((endless + 1))
		[ -n "$(daemon)" ] || died=$((died + 1))
		umount m || umount -l m
		# It has a moment to write what it holds; one that walks in a circle never ends by itself.
		n=0
		while [ -n "$(daemon)" ] && [ $n -lt 100 ]; do n=$((n + 1)); sleep 0.02; done
		for p in $(daemon); do kill -9 "$p"; done
		! is_mounted || { echo "seed $seed, $image: still mounted"; umount -l m; }
	done
	seed=$((seed + 1))
done
n=0
while [ -n "$(daemon)" ] && [ $n -lt 500 ]; do n=$((n + 1)); sleep 0.02; done
[ -z "$(daemon)" ] || echo "left: $(daemon)"
echo "spoilt: $mounted mounted, $refused refused, $died daemons died, $endless users killed"
