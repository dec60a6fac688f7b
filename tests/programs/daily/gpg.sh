#!/bin/sh
# GnuPG 2.2: keys made, signed, encrypted, wrong passphrases; the agent over its sockets, started, asked and ended.
# seconds: 200
export GNUPGHOME="$PWD/home"; mkdir -m 700 home; export LC_ALL=C
gpg --batch --quiet --passphrase '' --quick-gen-key 'T <t@example.org>' ed25519 sign 0 2>err; echo "gen $?"
fpr=$(gpg --list-keys --with-colons | awk -F: '/^fpr/ { print $10; exit }'); echo ${#fpr}
gpg --batch --quiet --passphrase '' --quick-add-key $fpr cv25519 encr 0; echo "add $?"
gpg --list-keys --with-colons 2>/dev/null | cut -d: -f1 | sort | uniq -c
seq 1000 > d; gpg --batch --quiet --sign -o d.sig d; gpg --verify d.sig 2>&1 | grep -c Good; gpg --batch --quiet --trust-model always -r t@example.org -e -o d.e d; gpg --batch --quiet -d d.e | cmp - d && echo decrypted
gpg --batch --quiet --clearsign <d | gpg --verify 2>&1 | grep -c Good; gpg --batch --quiet --detach-sign -a d; echo x >>d; gpg --verify d.asc d 2>&1 | grep -c BAD
gpg --batch --quiet --passphrase secret --pinentry-mode loopback -c -o d.c d; gpg --batch --quiet --passphrase secret --pinentry-mode loopback -d d.c | cmp - d && echo symmetric; gpg --batch --quiet --passphrase wrong --pinentry-mode loopback -d d.c >/dev/null 2>&1; echo "wrong $?"
gpg --batch --quiet --passphrase '' --quick-gen-key 'R <r@example.org>' rsa2048 default 0 2>err; echo "rsa $?"
gpg-connect-agent 'getinfo version' /bye | cut -c1-4; ls home | grep -v '~\|tofu\|trustdb' | sed 's/\.d$//' | sort; pgrep -c gpg-agent; gpgconf --kill gpg-agent; until ! pgrep gpg-agent >/dev/null; do :; done; echo gone; gpg --batch --quiet -d d.e | wc -l; gpgconf --kill all
