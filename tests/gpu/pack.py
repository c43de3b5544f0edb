#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Packs a build with the GStreamer of this machine for one that has neither.

usage: pack.py BUILD ARCHIVE.tar.xz [TEST...]

Takes the build's libraries and plugin, its tests whose names begin with "cuda-"
(or those named), gpu/measure, xmem-bench, the examples for a GPU if they were
built with the toolkit, gst-launch-1.0 with the plugins that tests and pipelines
need, a clip of H.264 from $XMEM_MEDIA, and every library these need but glibc's
and the compiler's. The plain double of the driver goes
into a folder of its own, where only `run.py --double` looks. Prints the
archive's size; exits 1 above 64 MB, 77 where GStreamer is not here.
"""
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

LIMIT = 64_000_000
PLUGINS = ('coreelements', 'videotestsrc', 'videoconvertscale', 'app',
           'nvcodec', 'debug', 'debugutilsbad', 'isomp4', 'videoparsersbad')
MODULES = ('run.py', 'runner.py', 'pipelines.py',
           '../cuda/example-counts-pixels.py')
EXAMPLES = ('cuda-produce', 'cuda-consume')
CLIP = 'phone-1080p30.mp4'
TOOLS = ('gst-launch-1.0', 'gst-inspect-1.0')
# Whoever has a driver has these, and ours could be too old for it.
NOT_OURS = re.compile(r'(ld-linux.*|lib(c|m|dl|rt|pthread|util|resolv|nsl|anl'
                      r'|mvec|gcc_s|stdc\+\+|nss_.*|cuda|nvcuvid))\.so.*')


def output(*command):
    return subprocess.run(command, check=True, capture_output=True,
                          text=True).stdout


def variable(package, name):
    return pathlib.Path(output('pkg-config', f'--variable={name}',
                               package).strip())


def needs(program, env=None):
    """The libraries a program or library is loaded with, but for those that
    every machine has; None stands for one that is not found."""
    said = subprocess.run(['ldd', str(program)], check=False, env=env,
                          capture_output=True, text=True).stdout
    return {None if path == 'not' else pathlib.Path(path)
            for name, path in re.findall(r'(\S+) => (/\S+|not) ', said)
            if not NOT_OURS.fullmatch(name)}


def put(source, folder, with_needs=True):
    """Copies a file there and what it needs to the tree's lib."""
    folder.mkdir(parents=True, exist_ok=True)
    shutil.copy2(source, folder / source.name)
    for library in needs(source) if with_needs else ():
        if library is None:
            sys.exit(f'{source} lacks a library here')
        put(library, folder.parent / 'lib', with_needs=False)


def wanted_tests(build, names):
    """The build's tests, as meson knows them."""
    tests = json.loads(output('meson', 'introspect', '--tests', str(build)))
    return [test for test in tests
            if (test['name'] in names if names
                else test['name'].startswith('cuda-'))]


def put_tests(tests, tree):
    listed = [{'name': 'plugin-is-found', 'program': '../bin/gst-inspect-1.0',
               'arguments': ['xmemsrc'], 'timeout_s': 60}]
    for test in tests:
        program = pathlib.Path(test['cmd'][0])
        put(program, tree / 'tests')
        listed.append({'name': test['name'], 'program': program.name,
                       'arguments': test['cmd'][1:],
                       'timeout_s': test['timeout']})
    (tree / 'tests.json').write_text(json.dumps(listed, indent=2) + '\n')


def put_gstreamer(tree):
    folder = variable('gstreamer-1.0', 'pluginsdir')
    for name in PLUGINS:
        put(folder / f'libgst{name}.so', tree / 'plugins')
    scanner = variable('gstreamer-1.0', 'pluginscannerdir')
    put(scanner / 'gst-plugin-scanner', tree / 'bin')
    for name in TOOLS:
        put(pathlib.Path(shutil.which(name)), tree / 'bin')


def put_build(build, tree):
    put(build / 'gst/xmem/libgstxmem.so', tree / 'plugins')
    put(build / 'tests/gpu/measure', tree / 'bin')
    put(build / 'bench/xmem-bench', tree / 'bin')
    for example in EXAMPLES:
        if (build / 'examples' / example).is_file():
            put(build / 'examples' / example, tree / 'bin')
    put(build / 'tests/gpu/nvrtc-for-old.so', tree / 'lib', with_needs=False)
    for library in (build / 'tests/gpu/libcuda.so.1',
                    build / 'tests/harness/fake-cuda/libnvcuvid.so.1'):
        put(library, tree / 'double', with_needs=False)
    put(build / 'tests/harness/fake-cuda/libnvcuvid.so.1', tree / 'stub',
        with_needs=False)


def put_scripts(tree):
    here = pathlib.Path(__file__).resolve().parent
    clip = pathlib.Path(os.environ.get('XMEM_MEDIA', '')) / CLIP
    for name in MODULES:
        shutil.copy2(here / name, tree)
    if clip.is_file():
        shutil.copyfile(clip, tree / 'clip.mp4')
    else:
        print(f'no {CLIP} in $XMEM_MEDIA: there will be nothing to decode')


def is_complete(tree):
    """Whether nothing in it is loaded with a library of this machine."""
    env = {'PATH': '/usr/bin:/bin', 'LD_LIBRARY_PATH': str(tree / 'lib')}
    foreign = {str(library) for folder in ('bin', 'lib', 'plugins', 'tests')
               for path in (tree / folder).iterdir()
               for library in needs(path, env)
               if library is None or tree not in library.parents}
    print('\n'.join(f'not packed: {name}' for name in sorted(foreign)), end='')
    return not foreign


def pack(build, archive, names):
    with tempfile.TemporaryDirectory() as folder:
        tree = pathlib.Path(folder) / 'xmem-gpu'
        put_tests(wanted_tests(build, names), tree)
        put_gstreamer(tree)
        put_build(build, tree)
        put_scripts(tree)
        if not is_complete(tree):
            sys.exit(1)
        subprocess.run(['tar', '-C', folder, '-cJf', str(archive), tree.name],
                       check=True)
    return archive.stat().st_size


def main(build, archive, *names):
    if not (pathlib.Path(build) / 'gst/xmem/libgstxmem.so').exists():
        print('skipped: the build has no GStreamer elements')
        return 77
    if not (variable('gstreamer-1.0', 'pluginsdir')
            / 'libgstnvcodec.so').exists():
        print('skipped: GStreamer has no plugin nvcodec here')
        return 77
    size = pack(pathlib.Path(build).resolve(),
                pathlib.Path(archive).resolve(), names)
    print(f'{archive}: {size} bytes')
    return 1 if size > LIMIT else 0


if __name__ == '__main__':
    sys.exit(main(*sys.argv[1:]))
