#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Checks that docs/elements.md has each of the elements' own properties in its
table, nothing else, and that the tests named there speak of the property.

usage: properties-are-documented.py SOURCE_ROOT
"""
import os
import pathlib
import re
import subprocess
import sys

ELEMENTS = ['xmemsink', 'xmemsrc', 'xmemalloc']
# Those of the base classes that matter to users of ours.
INHERITED = {('xmemsrc', 'do-timestamp')}
BASES = {'xmemsink': 'fakesink', 'xmemsrc': 'fakesrc', 'xmemalloc': 'identity'}


def list_properties(element):
    """Their names, as gst-inspect-1.0 has them."""
    env = dict(os.environ)
    if 'XMEM_PRELOAD' in env:  # see tests/run
        env.update(LD_PRELOAD=env['XMEM_PRELOAD'], ASAN_OPTIONS='detect_leaks=0')
    said = subprocess.run(['gst-inspect-1.0', '--no-colors', element], check=True,
                          env=env, capture_output=True, text=True).stdout
    properties = said.split('Element Properties:')[1].split('Element Signals')[0]
    return set(re.findall(r'^  ([a-z-]+) *: ', properties, re.MULTILINE))


def read_table(root):
    """(property, element) -> tests."""
    text = (root / 'docs/elements.md').read_text()
    text = text.split('## All properties')[1].split('\n## ')[0]
    rows = re.findall(r'^\| `([a-z-]+)` \| (\w+) \| [^|]+ \| ([^|]+) \|$', text,
                      re.MULTILINE)
    return {(element, name): tests.split(', ') for name, element, tests in rows}


def is_named(root, test, name):
    """Whether a test's source has the property."""
    path = root / 'tests/gst' / f'{test}.c'
    word = rf'(?<![\w-]){re.escape(name)}(?![\w-])'
    return path.exists() and re.search(word, path.read_text()) is not None


def main(root):
    root = pathlib.Path(root)
    table = read_table(root)
    own = {(element, name) for element in ELEMENTS
           for name in list_properties(element)
           - list_properties(BASES[element])} | INHERITED
    # What base and fake element have in common by name only.
    own |= {key for key in table if key[1] in list_properties(key[0])}
    faults = [f'{key}: not in the table' for key in sorted(own - table.keys())]
    faults += [f'{key}: not a property' for key in sorted(table.keys() - own)]
    faults += [f'{key}: not in {test}' for key, tests in sorted(table.items())
               for test in tests if not is_named(root, test, key[1])]
    print('\n'.join(faults) or f'{len(table)} properties are documented')
    return 1 if faults else 0


if __name__ == '__main__':
    sys.exit(main(*sys.argv[1:]))
