#!/bin/sh
# OpenSSH 9: keys, an agent that signs, sshd over a pipe with a shell, a terminal, much data, sftp, a command that is killed.
# seconds: 120
for t in ed25519 ecdsa rsa; do ssh-keygen -q -t $t -N '' -f k.$t -C comment; ssh-keygen -y -f k.$t | cut -d' ' -f1; ssh-keygen -l -f k.$t | awk '{ print $1, $4 }'; done
eval "$(ssh-agent -s -a "$PWD/agent")" | sed 's/[0-9]*$//'; eval "$(true)"; export SSH_AUTH_SOCK="$PWD/agent"
ssh-add k.ed25519 k.rsa 2>&1 | sort; ssh-add -l | awk '{ print $1, $3, $4 }'; ssh-add -T k.rsa.pub; echo $?; echo data > d; ssh-keygen -q -Y sign -f k.ed25519.pub -n file d 2>&1; echo "a $(cat k.ed25519.pub)" > allowed; ssh-keygen -Y verify -f allowed -I a -n file -s d.sig < d | cut -c1-20
ssh-add -x 2>&1 </dev/null | head -1; ssh-add -D 2>&1; ssh-add -l; echo $?; ssh-keygen -q -p -N secret -P '' -f k.rsa; ssh-keygen -y -P wrong -f k.rsa 2>&1 | tail -1 | cut -c1-30
grep -q sshd /etc/passwd || echo 'sshd:x:101:65534::/run/sshd:/usr/sbin/nologin' >> /etc/passwd; mkdir -p /run/sshd /root/.ssh; chmod 700 /root/.ssh; chmod 755 /run/sshd; cat k.ed25519.pub > /root/.ssh/authorized_keys; chmod 755 /; chmod 700 /root
cat > conf <<C
HostKey $PWD/k.ecdsa
UsePAM no
AuthorizedKeysFile /root/.ssh/authorized_keys
StrictModes no
PidFile none
Subsystem sftp internal-sftp
C
cat > proxy <<C
#!/bin/sh
exec /usr/sbin/sshd -i -f $PWD/conf -E $PWD/sshd.log
C
chmod +x proxy
S="ssh -F none -o ProxyCommand=$PWD/proxy -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null -o LogLevel=ERROR -i $PWD/k.ed25519 root@host"
echo through | $S 'cat; echo $((6 * 7)); exit 3'; echo "status $?"; $S -tt 'tty | cut -c1-8; stty size; exit 4' </dev/null | tr -d '\r'; echo "status $?"; seq 100000 | $S wc; $S 'kill -TERM $$' ; echo "status $?"
printf 'get %s/d got\nls -1 /etc/passwd\n' "$PWD" | sftp -q -b - -F none -o ProxyCommand="$PWD/proxy" -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null -o LogLevel=ERROR -i "$PWD/k.ed25519" root@host; cat got
ssh-agent -k >/dev/null 2>&1; pkill ssh-agent; cat sshd.log | sed 's/[0-9][0-9]*/N/g' | wc -l | grep -c .
