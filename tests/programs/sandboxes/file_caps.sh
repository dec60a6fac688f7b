#!/bin/sh
# setcap, getcap, capsh: capabilities that a program file gives to who runs it
# seconds: 60
unshare -m sh <<'END'
mount -t tmpfs -o mode=755 none /mnt
cd /mnt
cp /usr/sbin/capsh .
cp /bin/cat .
./capsh --user=nobody -- -c './cat /proc/self/status | grep Cap' 
setcap cap_net_raw,cap_kill=ep cat
getcap cat
setcap -v cap_net_raw,cap_kill=ep cat
./capsh --user=nobody -- -c './cat /proc/self/status | grep -e CapPrm -e CapEff'
setcap cap_chown=p cat
getcap cat
./capsh --user=nobody -- -c './cat /proc/self/status | grep -e CapPrm -e CapEff'
setcap cap_chown=ei cat
./capsh --inh=cap_chown --user=nobody -- -c './cat /proc/self/status | grep -e CapInh -e CapPrm -e CapEff'
setcap -n 1000 cap_chown=p cat
getcap -n cat
./capsh --no-new-privs --user=nobody -- -c './cat /proc/self/status | grep -e CapPrm -e CapEff'
setcap cap_kill=ep cat
mount -o remount,bind,nosuid /mnt
./capsh --user=nobody -- -c './cat /proc/self/status | grep -e CapPrm -e CapEff'
echo >> cat
getcap cat
setcap -r cat 2>&1
END
