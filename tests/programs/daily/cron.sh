#!/bin/sh
# cron runs what its table says when the minute comes.
# seconds: 180
mkdir -p /var/spool/cron/crontabs /etc/cron.d /var/run
printf "* * * * * root echo cron job > $PWD/cron.out; ps -o sid= -p \$\$ | tr -d ' ' | grep -c .\n" > /etc/cron.d/probe; cron; i=0; until [ -s cron.out ] || [ $((i += 1)) -gt 1500 ]; do sleep 0.1; done; cat cron.out; pkill cron
