#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Checks that each public header compiles alone, twice in a row, as C11 and as
C++17, with every warning an error.

usage: headers.py SOURCE_ROOT, with the compilers in $CC and $CXX

The core library's headers get no include path but their own; those of gst/lib
(but *priv*) also what pkg-config says for GStreamer. Prints the compiler's
complaints; exits 1 when there is one, and 77 when all else is well but a
compiler or GStreamer is not here.
"""
import os
import pathlib
import shlex
import shutil
import subprocess
import sys

WARNINGS = ('-Wall', '-Wextra', '-Werror', '-pedantic', '-fsyntax-only')
LANGUAGES = (('c', 'c11', shlex.split(os.environ.get('CC') or 'cc')),
             ('c++', 'c++17', shlex.split(os.environ.get('CXX') or 'c++')))
PACKAGES = ('gstreamer-1.0', 'gstreamer-video-1.0', 'gstreamer-allocators-1.0')
CORE = 'lib/xmem/include'
GST = 'gst/lib'


def gstreamer_flags():
    """How to find GStreamer's headers as system headers, or None."""
    if not shutil.which('pkg-config'):
        return None
    said = subprocess.run(['pkg-config', '--cflags', *PACKAGES], check=False,
                          capture_output=True, text=True)
    if said.returncode != 0:
        return None
    return [flag.replace('-I', '-isystem', 1) if flag.startswith('-I') else flag
            for flag in shlex.split(said.stdout)]


def compiles(root, header, language, flags):
    name, standard, compiler = language
    return subprocess.run(
        [*compiler, f'-std={standard}', *WARNINGS, *flags, '-x', name, '-'],
        cwd=root, check=False, text=True,
        input=f'#include <{header}>\n' * 2 + 'extern int not_empty;\n'
    ).returncode == 0


def main(root):
    root = pathlib.Path(root)
    core = sorted(str(path.relative_to(root / CORE))
                  for path in (root / CORE).rglob('*.h'))
    gst = sorted(path.name for path in (root / GST).glob('*.h')
                 if 'priv' not in path.stem)
    if not core:
        print(f'{CORE}: there is no public header')
        return 1
    absent = [language[2][0] for language in LANGUAGES
              if not shutil.which(language[2][0])]
    work = [(header, ['-I', CORE]) for header in core]
    flags = gstreamer_flags()
    if gst and flags is None:
        absent.append('GStreamer')
    elif gst:
        work += [(header, ['-I', GST, '-I', CORE, *flags]) for header in gst]
    results = [compiles(root, header, language, flags)
               for header, flags in work for language in LANGUAGES
               if language[2][0] not in absent]
    print(f'{sum(results)} of {len(results)} compile')
    if not all(results):
        return 1
    if absent:
        print('skipped in part: not here: ' + ', '.join(absent))
        return 77
    return 0


if __name__ == '__main__':
    sys.exit(main(*sys.argv[1:]))
