#!/bin/sh
# D-Bus: a session, names, credentials of the peer, a monitor, signals, refusals, another user.
# seconds: 60
dbus-uuidgen --ensure=/etc/machine-id; dbus-run-session -- sh -c '
	dbus-send --session --print-reply --dest=org.freedesktop.DBus / org.freedesktop.DBus.ListNames | grep -c string
	dbus-send --session --print-reply=literal --dest=org.freedesktop.DBus / org.freedesktop.DBus.GetConnectionUnixUser string:org.freedesktop.DBus
	dbus-send --session --print-reply --dest=org.freedesktop.DBus / org.freedesktop.DBus.GetConnectionCredentials string:org.freedesktop.DBus | grep -o "\"[A-Z][A-Za-z]*\"" | sort
	dbus-monitor --session "interface=a.b.c" > mon & until grep -qs hello mon; do dbus-send --session --type=signal / a.b.c.member string:hello; done; grep -m 1 -A1 member=member mon | tail -1; kill $!
	dbus-send --session --print-reply --dest=no.such / a.b.c 2>&1 | cut -c1-60' 2>/dev/null; echo "status $?"
dbus-daemon --session --nofork --address="unix:path=$PWD/s" --print-address > addr & until [ -s addr ] || ! kill -0 $!; do :; done; sed "s#$PWD#.#; s/guid=.*//" addr
busybox timeout 20 dbus-send --bus="unix:path=$PWD/s" --print-reply --dest=org.freedesktop.DBus / org.freedesktop.DBus.GetId | grep -c string; setpriv --reuid 1000 --clear-groups dbus-send --bus="unix:path=$PWD/s" --print-reply --dest=org.freedesktop.DBus / org.freedesktop.DBus.GetId 2>&1 | cut -c1-50; kill $!; wait $!; echo "status $?"
