#!/bin/sh
# bubblewrap: a sandbox by root and by an ordinary user, with a root, processes and users of its own
# seconds: 60

# A root that can be pivoted, which the first file system of all cannot be on Linux.
cat > inside.sh <<'EOF'
sandbox="bwrap --ro-bind / / --proc /proc --dev /dev --tmpfs /tmp --unshare-all --share-net --die-with-parent"
for who in "" "setpriv --reuid 1000 --regid 1000 --clear-groups"; do
	$who $sandbox sh -c '
		id -u; set -- /proc/[0-9]*; echo "$# processes"; echo hi > /tmp/file; cat /tmp/file
		touch /new 2>/dev/null || echo "read-only"; ls /dev; ls /tmp; grep -e CapEff -e NoNewPrivs /proc/self/status'
	$who bwrap --bind / / --unshare-user --uid 7 --gid 8 sh -c 'id -u; id -g'
	$who bwrap --ro-bind / / --unshare-pid --unshare-uts --hostname box hostname
	$who bwrap --bind / / sh -c 'exit 23'; echo "status $?"
done
EOF
unshare -m sh -c 'mount --make-rprivate / && mkdir -p /r && mount --rbind / /r && cd /r && mount --move . / &&
	exec chroot . sh '"$PWD"'/inside.sh' 2>&1
