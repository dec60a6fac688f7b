# SPDX-License-Identifier: MIT
"""Mistakes that the reader of Python must find."""
import os  # found: python/pyflakes


def sample():
    return nowhere  # found: python/pyflakes
