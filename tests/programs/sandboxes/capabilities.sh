#!/bin/sh
# capsh and setpriv: the sets of capabilities, bounding and ambient ones, securebits, no_new_privs
# seconds: 60
capsh --print | grep -v -i iab
capsh --drop=cap_net_admin,cap_sys_admin --print | grep ^Bounding
capsh --caps=cap_chown,cap_kill=ep --print | grep ^Current:
capsh --keep=1 --user=nobody --caps=cap_kill=p --print 2>/dev/null | grep -e ^Current: -e ^uid
capsh --inh=cap_chown --addamb=cap_chown --print | grep ^Ambient
capsh --has-p=cap_chown && echo has
setpriv --no-new-privs sh -c 'grep NoNewPrivs /proc/self/status'
setpriv --bounding-set -all,+chown sh -c 'grep CapBnd /proc/self/status'
setpriv --reuid 1000 --regid 1000 --clear-groups sh -c 'grep -e Uid -e Gid -e CapEff /proc/self/status'
setpriv --reuid 1000 --clear-groups --inh-caps +kill --ambient-caps +kill sh -c 'grep -e CapInh -e CapAmb -e CapEff /proc/self/status'
setpriv --securebits +noroot sh -c 'grep -e CapEff /proc/self/status'
getpcaps 1
