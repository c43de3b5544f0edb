#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Checks that a library exports what its public headers declare, no more and
no less.

usage: exports.py LIBRARY INCLUDE_FOLDER
"""
import pathlib
import re
import shutil
import subprocess
import sys

# XMEM_API, anything but the end of the declaration, the name, its arguments.
DECLARATION = re.compile(r'^XMEM_API\s[^;]*?(\w+) \(', re.M)
# What a sanitizer adds.
FOREIGN = re.compile(r'__(odr_)?[aut]s?[au]n')


def declared(folder):
    """The functions that the headers mark as public."""
    return {name for header in pathlib.Path(folder).rglob('*.h')
            for name in DECLARATION.findall(header.read_text())}


def exported(library):
    """The symbols that the dynamic linker can see."""
    lines = subprocess.run(
        ['nm', '-D', '--defined-only', library], check=True, text=True,
        stdout=subprocess.PIPE).stdout.splitlines()
    names = {line.split()[-1].partition('@')[0] for line in lines}
    return {name for name in names if not FOREIGN.match(name)}


def main(library, folder):
    if not shutil.which('nm'):
        print('no nm here')
        return 77
    names, symbols = declared(folder), exported(library)
    for name in sorted(names - symbols):
        print(f'{name} is declared and not exported')
    for name in sorted(symbols - names):
        print(f'{name} is exported and not declared')
    print(f'{len(names)} functions declared, {len(symbols)} exported')
    return 0 if names and names == symbols else 1


if __name__ == '__main__':
    sys.exit(main(*sys.argv[1:]))
