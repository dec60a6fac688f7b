#!/bin/sh
# stress-ng 0.15: every class that Linux can run without disk or device, with --verify; each class that it knows is run or named with its reason.
# judge: own
# seconds: 1500
# differs: what Tessera has not: classes of ports, Landlock, userfaultfd, memory plugged in, PCI in sysfs, netlink's connector and task statistics

# Of calls and devices that docs/linux-abi.md says are absent or refused:
absent="ioport landlock memhotplug netlink-proc netlink-task pci userfaultfd"
# stress-ng itself wants to be told --pathological, since they may end the machine:
pathological="bad-ioctl bind-mount cpu-online mlockmany oom-pipe smi sysinval watchdog"
# Skipped, or without a first round, on Linux in this machine too, for want of a device, a file system or an Intel
# processor; iomix says so, or fails, when its time ends in its fallocate().
nowhere="apparmor binderfs dccp efivar fiemap gpu idle-page iomix ipsec-mb kvm loop ping-sock plugin quota rawdev rdrand rseq rtc
sctp secretmem swap tsc tun uprobe verity x86syscall xattr"
# Not by root:
user="exec spawn"
# Sends SIGALRM to numbers from memory that it has never written, 1 and 2 among them: where those are nobody that
# would end of it.
stray="resources"

# One class, for a second: status 0, and not by doing nothing.
one()
{
	as= more=
	case " $user " in *" $1 "*) as="chroot --userspec=65534:65534 --skip-chdir /" ;; esac
	case " $stray " in *" $1 "*) as="busybox unshare --pid --fork --mount-proc $0 --behind" ;; esac
	# Its own choice would be deadlines, which neither kernel gives a program that is not alone.
	[ "$1" != cyclic ] || more="--cyclic-policy rr"
	mkdir -p "work.$1" && chmod 777 "work.$1"
	out=$(cd "work.$1" && $as busybox timeout -s KILL 100 stress-ng --"$1" 1 $more --timeout 1 --verify --no-rand-seed 2>&1)
	status=$?
	rm -rf "work.$1"
	if [ $status = 0 ] && ! echo "$out" | grep -qE 'skipp|No stress workers|finished prematurely'; then
		echo "$1" >>passed
	else
		echo "$1 fails, status $status: $(echo "$out" | grep -v dispatching | head -3 | cut -c1-160)"
		echo "$1" >>failed
	fi
}
if [ "$1" = --behind ]; then
	shift
	trap : ALRM
	sleep 1000 &
	"$@"
	exit
fi
if [ "$1" ]; then
	one "$1"
	exit
fi
chmod 755 .
busybox ip link set lo up
for class in $(stress-ng --stressors); do
	case " $(echo $absent $pathological $nowhere) " in *" $class "*) ;; *) echo "$class" ;; esac
done | busybox xargs -n 1 -P 4 "$0"
# A class that fails among the others runs once more alone: some ask for memory or for a place in time that
# the others may have.
[ ! -s failed ] || { mv failed again; for class in $(cat again); do one "$class"; done; }
echo "$(wc -l <passed) classes pass"
[ ! -s failed ]
