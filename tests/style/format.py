#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Checks that every C file is as clang-format would write it.

usage: format.py SOURCE_ROOT

Each fault is printed as file:line; exits 1 when there is one, and 77 where
there is no clang-format 14: another version formats some things differently.
"""
import pathlib
import re
import shutil
import subprocess
import sys

VERSION = '14'
TOPS = ('lib', 'gst', 'tests', 'bench', 'examples')


def formatter():
    """The name of a clang-format of the version wanted, or None."""
    for name in (f'clang-format-{VERSION}', 'clang-format'):
        if shutil.which(name):
            said = subprocess.run([name, '--version'], capture_output=True,
                                  check=True, text=True).stdout
            if f' version {VERSION}.' in said:
                return name
    return None


def main(root):
    name = formatter()
    if name is None:
        print(f'skipped: there is no clang-format {VERSION}')
        return 77
    root = pathlib.Path(root)
    files = sorted(str(path.relative_to(root)) for top in TOPS
                   for path in (root / top).rglob('*.[ch]'))
    if not files:
        print('there is no C file')
        return 1
    done = subprocess.run([name, '--style=file', '--dry-run', '--Werror',
                           *files], cwd=root, check=False, text=True,
                          stderr=subprocess.PIPE)
    lines = dict.fromkeys(re.findall(r'^(.+?:\d+):\d+: error:', done.stderr,
                                     re.M))
    for line in lines:
        print(f'{line}: not as `{name} -i` writes it')
    if done.returncode != 0 and not lines:
        print(done.stderr)
    return 1 if done.returncode != 0 else 0


if __name__ == '__main__':
    sys.exit(main(*sys.argv[1:]))
