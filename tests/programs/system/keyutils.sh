#!/bin/sh
# keyutils: keyctl with every verb that needs no network and no helper: add, search, link, permissions, times, sessions, /proc/keys.

keyctl new_session >/dev/null
cat > inside <<'END'
# A key's number, right-aligned, is whatever it is.
mask() { sed -E 's/^ *[0-9]+/N/'; }
echo add; k=$(keyctl add user name secret @s); keyctl print $k; keyctl pipe $k | od -c | head -1; keyctl read $k
keyctl describe $k | mask; keyctl rdescribe $k; keyctl rdescribe @s '|'
echo pad; p=$(printf 'from a pipe' | keyctl padd user piped @s); keyctl print $p; printf other | keyctl pupdate $p; keyctl print $p; keyctl update $p third; keyctl print $p
echo search; [ $(keyctl search @s user name) = $k ] && echo found; keyctl search @s user none; echo $?; [ $(keyctl request user name) = $k ] && echo requested; keyctl request user none; echo $?
echo rings; r=$(keyctl newring ring @s); keyctl link $k $r; keyctl list $r | mask; keyctl rlist $r | mask; keyctl unlink $k $r; keyctl list $r; keyctl link $r $r; echo $?; keyctl move $p @s $r; keyctl rlist $r | wc -w; keyctl move -f $p $r @s; keyctl clear $r
keyctl show @s | mask | cut -c1-60 | sed 's/^N *//' | sort
echo perms; keyctl setperm $k 0x3f3f0000; keyctl rdescribe $k; keyctl chown $k 12; keyctl chgrp $k 13; keyctl rdescribe $k; keyctl setperm $k 0x40000000; echo $?
echo time; keyctl timeout $p 7300; grep -c ' 2h .*piped: 5' /proc/keys; keyctl revoke $p; keyctl print $p; echo $?; keyctl unlink $p @s | mask; keyctl invalidate $k; echo $?
echo logon; l=$(keyctl add logon svc:x pass @s); keyctl print $l; echo $?; keyctl rdescribe $l; keyctl add logon bad pass @s; keyctl add nothing x y @s
echo big; head -c 32767 /dev/zero | keyctl padd user big @s >/dev/null && echo fits; head -c 32768 /dev/zero | keyctl padd user big @s; echo $?
echo reap; keyctl reap; keyctl purge user name; keyctl security $l; keyctl get_persistent @s 0 | mask; keyctl restrict_keyring $r; keyctl link $l $r; echo $?; keyctl id @s | mask; keyctl id %:ring | mask; keyctl supports invalidate; echo $?; keyctl supports move; echo $?
END
keyctl session - sh inside 2>&1 | grep -v '^Joined session'
echo names; keyctl session mine sh -c 'keyctl rdescribe @s; keyctl session mine keyctl rdescribe @s' 2>&1 | sed -E 's/^(Joined .*) [0-9]+$/\1 N/'
echo users; awk '{ print NF }' /proc/key-users | sort -u; sysctl -n kernel.keys.maxkeys kernel.keys.maxbytes kernel.keys.root_maxkeys kernel.keys.gc_delay
