#!/bin/sh
# Programs in Go, with its scheduler, network poller and preemption by signals: fzf, gron, age, and shfmt, which is static.
# seconds: 90
seq 1 20000 | fzf --filter '199$' | head -5; seq 1 300 | GOMAXPROCS=4 fzf -f '^12'; echo none | fzf -f zz; echo "status $?"
echo '{"a": [1, {"b": null}], "c": "text"}' | tee j | gron -m; gron -m j | grep -v b | gron -m --ungron
age-keygen -o key 2>/dev/null && seq 1 50000 >plain && age -r "$(age-keygen -y key)" -o secret plain && age -d -i key secret | cmp - plain && echo "decrypted"
age -d -i key plain 2>&1 | head -1; for i in 1 2 3 4; do age -r "$(age-keygen -y key)" plain | age -d -i key | sha256sum & done; wait
printf 'if true;then echo a|cat;fi\nf() { for i in 1 2;do echo $i; done }\n' >s; shfmt -i 2 s; shfmt -d s >/dev/null; echo "status $?"; echo 'if' | shfmt; echo "status $?"
