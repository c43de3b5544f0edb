#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Checks who includes what, and that every source names its licence.

usage: includes.py SOURCE_ROOT

A module of the core library includes only the modules below it, as
"module/file.h"; everything else sees public headers only: the core library's
and, outside lib/, those of gst/lib. tests/ may include anything. Each fault is
printed as file:line; exits 1 when there is one. CONTRIBUTING.md has the same
rules for people.
"""
import pathlib
import re
import sys

BELOW = {
    'base': (),
    'wire': ('base',),
    'mem': ('base',),
    'pool': ('base', 'mem'),
    'ipc': ('base', 'wire'),
    'peer': ('base', 'wire', 'mem', 'pool', 'ipc'),
}
CORE = pathlib.PurePath('lib/xmem')
PUBLIC = CORE / 'include'
OUTER = ('gst', 'lib', 'bench', 'examples')

LIBC = set('''assert ctype errno float inttypes iso646 limits locale math setjmp
    signal stdalign stdarg stdbool stddef stdint stdio stdlib stdnoreturn string
    time wchar wctype fcntl poll unistd sys/stat sys/time sys/types sys/uio
    '''.split())
SOCKETS = re.compile(r'(sys/(socket|un)|netinet/.*|arpa/inet|linux/un)\.h')
DRIVER = re.compile(r'(cuda|cuda[A-Z_]\w*|nvrtc|nvml)\.h')
GLIB = re.compile(r'(glib|gobject|gio|gmodule|gst)[-./].*')

CODE = {'.c', '.h', '.cc', '.cpp', '.hpp', '.cu'}
SCRIPTS = {'.py', '.sh'}
INCLUDE = re.compile(r'\s*#\s*include\s*([<"])([^>"]+)[>"]')
GENERATED = ('config.h',)
LICENCE = 'SPDX-License-Identifier: MIT'


class Tree:
    """One source tree and the faults found in it; paths are relative to it."""

    def __init__(self, root):
        self.root = pathlib.Path(root)
        self.faults = []

    def fault(self, path, line, what):
        self.faults.append(f'{path}:{line}: {what}')

    def files(self, *tops):
        """Every file under these folders but Python's caches."""
        for top in tops:
            for path in sorted((self.root / top).rglob('*')):
                if path.is_file() and '__pycache__' not in path.parts:
                    yield path.relative_to(self.root)

    def includes(self, path):
        """Yields (line, quoted, target) for each include of a file."""
        text = (self.root / path).read_text(errors='replace')
        for line, content in enumerate(text.splitlines(), 1):
            match = INCLUDE.match(content)
            if match:
                yield line, match[1] == '"', match[2]

    def find(self, path, quoted, target):
        """The file of this tree that an include names, or None."""
        places = [PUBLIC, CORE, pathlib.PurePath('lib'),
                  pathlib.PurePath('gst/lib'), pathlib.PurePath('gst/xmem'),
                  pathlib.PurePath('tests'), pathlib.PurePath('.')]
        if quoted:
            places.insert(0, path.parent)
        for place in places:
            found = self.root / place / target
            if found.is_file():
                return found.resolve().relative_to(self.root.resolve())
        return None

    def reaches_sockets(self, path, seen):
        """Whether a core header pulls in a socket header, itself or others."""
        if path is None or not inside(path, CORE) or path in seen:
            return False
        seen.add(path)
        return any(SOCKETS.fullmatch(target)
                   or self.reaches_sockets(self.find(path, quoted, target),
                                           seen)
                   for _, quoted, target in self.includes(path))


def inside(path, folder):
    return pathlib.PurePath(folder) in path.parents


def check_public(tree, path):
    for line, quoted, target in tree.includes(path):
        known = (tree.root / PUBLIC / target).is_file()
        if quoted or not (known or target.removesuffix('.h') in LIBC):
            tree.fault(path, line, f'a public header includes {target}: only '
                       '<xmem/...> and libc are for it')


def check_core(tree, path):
    module = path.relative_to(CORE).parts[0]
    if module not in BELOW:
        tree.fault(path, 1, f'{module} is no module of the core library')
        return
    for line, quoted, target in tree.includes(path):
        first = target.split('/')[0]
        if GLIB.match(target):
            tree.fault(path, line, f'the core library includes {target}')
        elif quoted and target not in GENERATED and (
                first not in BELOW or '..' in target):
            tree.fault(path, line, f'"{target}" is not of the form '
                       '"module/file.h"')
        elif first in BELOW and (
                not quoted or first not in (module, *BELOW[module])):
            tree.fault(path, line, f'{module} includes {target}')
        elif module == 'wire' and (
                SOCKETS.fullmatch(target) or tree.reaches_sockets(
                    tree.find(path, quoted, target), set())):
            tree.fault(path, line, f'wire sees sockets through {target}')


def area(path):
    """The part of the project an outer file belongs to."""
    return pathlib.PurePath(*path.parts[:2 if path.parts[0] in ('gst', 'lib')
                                        else 1])


def check_outer(tree, path):
    home = area(path)
    for line, quoted, target in tree.includes(path):
        found = tree.find(path, quoted, target)
        if found is None:
            if target.startswith('xmem/'):
                tree.fault(path, line, f'no public header is {target}')
        elif inside(found, PUBLIC):
            if quoted:
                tree.fault(path, line, f'write <{target}>')
        elif not inside(found, home) and not (
                inside(found, 'gst/lib') and 'priv' not in found.stem
                and home.parts[0] != 'lib'):
            tree.fault(path, line, f'{home} includes {found}: only public '
                       'headers are for it')


def check_driver(tree, path):
    if path.name.startswith('cuda') and (inside(path, CORE / 'mem')
                                         or inside(path, 'examples')):
        return
    for line, _, target in tree.includes(path):
        if DRIVER.fullmatch(target):
            tree.fault(path, line, f'only mem/cuda* and examples/cuda* include '
                       f'{target}')


def is_source(tree, path):
    """Whether a file is one of those that open with the licence."""
    if path.suffix in CODE | SCRIPTS:
        return True
    if path.name in ('meson.build', 'meson_options.txt'):
        return True
    with (tree.root / path).open('rb') as file:
        return not path.suffix and file.read(2) == b'#!'


def check_licence(tree, path):
    with (tree.root / path).open(errors='replace') as file:
        head = [file.readline() for _ in range(3)]
    if not any(LICENCE in line for line in head):
        tree.fault(path, 1, f'no "{LICENCE}" in the first three lines')


def main(root):
    tree = Tree(root)
    for path in tree.files(*OUTER):
        if path.suffix not in CODE:
            continue
        if inside(path, PUBLIC):
            check_public(tree, path)
        elif inside(path, CORE):
            check_core(tree, path)
        else:
            check_outer(tree, path)
        check_driver(tree, path)
    top = [path.relative_to(tree.root) for path in tree.root.iterdir()
           if path.is_file()]
    for path in [*top, *tree.files(*OUTER, 'tests', 'docs', '.ci')]:
        if is_source(tree, path):
            check_licence(tree, path)
    print('\n'.join(tree.faults) or 'every include is in order')
    return 1 if tree.faults else 0


if __name__ == '__main__':
    sys.exit(main(*sys.argv[1:]))
