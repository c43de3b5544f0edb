#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Checks that docs/elements.md has each of the elements' own properties and
figures in its tables, nothing else, and that the tests named there speak of the
property.

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


def inspect(element):
    """What gst-inspect-1.0 says of its properties."""
    env = dict(os.environ)
    if 'XMEM_PRELOAD' in env:  # see tests/run
        env.update(LD_PRELOAD=env['XMEM_PRELOAD'], ASAN_OPTIONS='detect_leaks=0')
    said = subprocess.run(['gst-inspect-1.0', '--no-colors', element], check=True,
                          env=env, capture_output=True, text=True).stdout
    return said.split('Element Properties:')[1].split('Element Signals')[0]


def list_properties(element):
    return set(re.findall(r'^  ([a-z-]+) *: ', inspect(element), re.MULTILINE))


def list_figures(element):
    """The fields of its stats."""
    said = re.split(r'^  (\S+) *: .*$', inspect(element), flags=re.MULTILINE)
    stats = said[said.index('stats') + 1] if 'stats' in said else ''
    return set(re.findall(r'^ +([a-z0-9-]+): [^:]', stats, re.MULTILINE)) - {
        'average-rate', 'dropped', 'rendered', 'flags'}


def read_section(root, title):
    text = (root / 'docs/elements.md').read_text()
    return text.split(f'## {title}\n')[1].split('\n## ')[0]


def read_table(root):
    """(element, property) -> tests."""
    rows = re.findall(r'^\| `([a-z-]+)` \| (\w+) \| [^|]+ \| ([^|]+) \|$',
                      read_section(root, 'All properties'), re.MULTILINE)
    return {(element, name): tests.split(', ') for name, element, tests in rows}


def read_figures(root):
    """All (element, field)."""
    rows = re.findall(r'^\| (`[^|]+) \| (\w+) \| ',
                      read_section(root, 'All figures'), re.MULTILINE)
    return {(element, name) for names, element in rows
            for name in re.findall('`([^`]+)`', names)}


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
    figures = {(element, name) for element in ELEMENTS
               for name in list_figures(element)}
    faults += [f'{key}: either no figure or not in the table'
               for key in sorted(figures ^ read_figures(root))]
    print('\n'.join(faults)
          or f'{len(table)} properties, {len(figures)} figures are documented')
    return 1 if faults else 0


if __name__ == '__main__':
    sys.exit(main(*sys.argv[1:]))
