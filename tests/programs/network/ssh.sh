#!/bin/sh
# OpenSSH's server and dropbear's over TCP: keys, a command's status, a terminal, 20 MB by scp, rsync, sftp, a forwarded port, a jump from one to the other.
# seconds: 150
# when: asked
ip link set lo up 2>/dev/null
grep -q sshd /etc/passwd || echo 'sshd:x:101:65534::/run/sshd:/usr/sbin/nologin' >>/etc/passwd; mkdir -p /run/sshd /root/.ssh; chmod 755 /run/sshd /; chmod 700 /root /root/.ssh
ssh-keygen -q -t ed25519 -N '' -f k; ssh-keygen -q -t ecdsa -N '' -f hk; cat k.pub >/root/.ssh/authorized_keys; chmod 600 /root/.ssh/authorized_keys
cat >conf <<C
HostKey $PWD/hk
UsePAM no
StrictModes no
PidFile $PWD/pid
ListenAddress 127.0.0.1:2200
ListenAddress [::1]:2200
Subsystem sftp internal-sftp
C
/usr/sbin/sshd -f conf -E sshd.log; dropbearkey -t ed25519 -f dk >/dev/null 2>&1; dropbear -p 127.0.0.1:2201 -r "$PWD/dk" -P "$PWD/dpid" -E 2>dropbear.log
O="-F none -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null -o LogLevel=ERROR -i $PWD/k"
head -c 20000000 /dev/zero | openssl enc -aes-128-ctr -K 00 -iv 00 2>/dev/null >big; md5sum <big
for p in 2200 2201; do
	until nc -z 127.0.0.1 $p; do sleep 0.1; done
	S="ssh $O -p $p root@127.0.0.1"
	echo through | $S 'cat; echo $((6 * 7)); exit 3'; echo "status $?"; $S -tt 'tty | cut -c1-8; stty size; exit 4' </dev/null | tr -d '\r'; echo "status $?"; seq 100000 | $S wc
	$S 'echo $SSH_CONNECTION' | sed 's/ [0-9]* / N /'; $S 'kill -TERM $$'; echo "status $?"
	scp -q -O $O -P $p big root@127.0.0.1:$PWD/copy; cmp big copy && echo copied; rm -f copy; scp -q -O $O -P $p root@127.0.0.1:$PWD/big copy; cmp big copy && echo "copied back"; rm -f copy
done
ssh $O -p 2200 root@::1 echo IPv6; mkdir from; cp /etc/passwd /bin/busybox from; rsync -a -e "ssh $O -p 2200" from/ root@127.0.0.1:$PWD/to/; diff -r from to && echo synchronised
printf 'get %s/big copy\nls -1 /etc/passwd\n' "$PWD" | sftp -q -b - $O -P 2200 root@127.0.0.1; cmp big copy && echo "by sftp"
ssh $O -p 2200 -N -L 127.0.0.1:2202:127.0.0.1:2201 root@127.0.0.1 & tunnel=$!; until nc -z 127.0.0.1 2202 2>/dev/null; do sleep 0.1; done
ssh $O -p 2202 root@127.0.0.1 'head -c 5000000 /dev/zero | md5sum'; kill $tunnel; wait $tunnel 2>/dev/null
ssh $O -o ProxyCommand="ssh $O -p 2200 -W 127.0.0.1:2201 root@127.0.0.1" root@x echo jumped
kill "$(cat pid)" "$(cat dpid)"; while nc -z 127.0.0.1 2200 || nc -z 127.0.0.1 2201; do sleep 0.1; done; ssh $O -p 2200 root@127.0.0.1 true 2>&1 | sed 's/ssh: //'
