#!/bin/sh
# apt from a repository that a server has: lists got, a package found, installed, run and removed.
# seconds: 120
. /host; until ip route | grep -q default; do sleep 0.1; done
mkdir -p /var/lib/dpkg/info /var/lib/dpkg/updates /var/lib/dpkg/triggers /var/lib/apt/lists/partial /var/cache/apt/archives/partial /var/log/apt; touch /var/lib/dpkg/status /var/lib/dpkg/available
rm -rf /etc/apt/sources.list.d/*; echo "deb [trusted=yes] http://10.0.2.2:$HTTP/apt ./" >/etc/apt/sources.list; grep -q _apt /etc/passwd || echo '_apt:x:42:65534::/nonexistent:/usr/sbin/nologin' >>/etc/passwd
apt-get -q update 2>&1 | sed "s#:$HTTP##; s/\[.*//; s/Fetched.*/Fetched/" | sort -u; apt-cache policy probe | head -3; apt-get -q -y install probe 2>&1 | grep -E '^(Setting|Unpacking|[0-9]* upgraded)'; probe; dpkg -V probe
apt-get -q -y remove probe 2>&1 | grep -E '^Removing'; probe 2>/dev/null; echo "status $?"; apt-get -q -y install nobody 2>&1 | tail -1
