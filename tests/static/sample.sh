#!/bin/sh
# SPDX-License-Identifier: MIT
# Mistakes that shellcheck must find.
rm -rf $1/x # found: shell/SC2086
