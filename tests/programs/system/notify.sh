#!/bin/sh
# inotify-tools' inotifywait and fsnotifywait (by inotify and by fanotify), fatrace: who watches sees what is done.

mkdir d m; : >d/old
# Until the watcher stands, what is done is lost: it says so on its error output, which is not there before it runs.
stands() { until grep -qs 'Watches established' $1; do :; done; }
sees() { until grep -q "$1" $2; do :; done; }
changes() { mkdir d/sub; echo text >d/new; mv d/new d/newer; chmod 600 d/newer; cat d/old d/newer; rm d/newer; rmdir d/sub; mkdir d/last; }
echo inotifywait; inotifywait -m -e create,close_write,moved_from,moved_to,attrib,delete --format '%w %e %f' d >out 2>err & w=$!
stands err; changes; sees last out; kill $w; wait $w 2>/dev/null; cat out; rmdir d/last
echo fanotify; fsnotifywait --fanotify -m -e create,close_write,moved_from,moved_to,delete --format '%e %f' d >out2 2>err2 & w=$!
# Events of one name that nobody has read yet are one event, and what is gone by the time that it looks is told as deleted.
stands err2; mkdir d/sub; echo text >d/new; sees 'CLOSE new' out2; mv d/new d/newer; sees 'TO newer' out2; rm d/newer; rmdir d/sub
mkdir d/last; sees 'ISDIR last' out2; kill $w; wait $w 2>/dev/null; sed '/^.fid=/d; s/ (deleted)$//' out2; rmdir d/last
echo filesystem; mount -t tmpfs none m; mkdir m/deep; fsnotifywait -q --filesystem -e create --format '%e %f' m >out 2>err & w=$!
while kill -0 $w 2>/dev/null; do : >m/deep/it; rm m/deep/it; done; wait $w; echo $?; sed '/^.fid=/d; s/ (deleted)$//' out
echo timeout; fsnotifywait -q -t 1 d; echo $?
echo fatrace; (cd m && exec fatrace -c) >out 2>err & w=$!
# What one cat did may come as one event or as two, as fatrace has time to look; of the first it may see the end only.
told() { grep -q "cat([0-9]*): [RW]*C*$1.*here\$" out; }
until told O && told C; do : >m/here; cat m/here; done; kill $w; wait $w 2>/dev/null
for did in O C; do told $did && echo cat $did; done
umount m
