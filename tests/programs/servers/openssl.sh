#!/bin/sh
# OpenSSL 3.0: digests, ciphers, key generation, signatures, certificates, a TLS handshake's primitives, speed on two processors.
# seconds: 120
seq 1 100000 >d
for h in md5 sha1 sha256 sha3-512 blake2b512; do openssl dgst -$h d; done
for c in aes-128-cbc aes-256-ctr chacha20 camellia-128-cbc; do openssl enc -$c -pbkdf2 -k x -in d -out e && openssl enc -d -$c -pbkdf2 -k x -in e | cmp - d && echo "$c same"; done
openssl enc -aes-256-cbc -pbkdf2 -k x -S 0102030405060708 -in d | sha256sum
openssl genrsa -out k 2048 2>/dev/null && openssl rsa -in k -check -noout
openssl req -new -x509 -key k -subj /CN=example -days 2 -out c -batch && openssl x509 -in c -noout -subject && openssl verify -CAfile c c
openssl dgst -sha256 -sign k -out s d && openssl x509 -in c -pubkey -noout >p && openssl dgst -sha256 -verify p -signature s d
echo x >>d; openssl dgst -sha256 -verify p -signature s d 2>/dev/null; echo "status $?"
openssl ecparam -genkey -name prime256v1 -noout -out ek && openssl ec -in ek -pubout 2>/dev/null | head -1
openssl genpkey -algorithm ed25519 -out ed && openssl pkey -in ed -noout -text | head -1
openssl rand -hex 16 | wc -c; openssl prime 1000003
openssl speed -seconds 1 -bytes 1024 sha256 2>/dev/null | grep -c '^sha256'
openssl speed -seconds 1 -bytes 1024 -multi 2 -evp aes-128-gcm 2>/dev/null | grep -ciE '^(evp|aes-128-gcm)'
