#!/bin/sh
# unshare and nsenter: user, PID, mount, UTS, IPC and network namespaces, entered again from outside
# seconds: 60
unshare -Urpfm --mount-proc sh -c 'id -u; echo "process $$"; set -- /proc/[0-9]*; echo "$# there"; cat /proc/self/uid_map'
setpriv --reuid 1000 --regid 1000 --clear-groups unshare -Urpfmuin --mount-proc sh -c '
	id -u; id -g; hostname inside; hostname; mount -t tmpfs none /mnt && echo mounted; echo "process $$"'
unshare -u sh -c 'hostname other; echo ready; exec sleep 1000' > ready &
until grep -q ready ready 2>/dev/null; do sleep 0.1; done
nsenter -t $! -u hostname
test "$(readlink /proc/$!/ns/uts)" != "$(readlink /proc/self/ns/uts)" && echo apart
kill $!
unshare -pf sh -c 'sleep 1000 & kill -9 1; echo "still here as $$"'
unshare -m sh -c 'mount --make-rprivate /; mount -t tmpfs none /mnt; touch /mnt/x; ls /mnt'
ls /mnt
setpriv --reuid 1000 --clear-groups unshare -u true || echo refused
