#!/bin/sh
# CPython's test_ssl, test_httplib, test_urllib2_localnet, test_ftplib and test_smtplib, case by case.
# seconds: 300
exec python3 /programs/outcomes.py test_ssl test_httplib test_urllib2_localnet test_ftplib test_smtplib 2>/dev/console
