#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Proves that the style checkers and the tally of the test results can fail.

usage: style-selftest.py SOURCE_ROOT

Each case makes a small tree in a temporary folder, runs one checker on it and
looks at what it prints and at its exit status. Speaks TAP.
"""
import json
import pathlib
import re
import subprocess
import sys
import tempfile

LICENCE = '/* SPDX-License-Identifier: MIT */\n'

GOOD = {
    'lib/xmem/include/xmem/pool.h': '#include <stdint.h>\n#pragma once\n',
    'lib/xmem/base/error.h': '#include <errno.h>\n',
    'lib/xmem/base/fdset.h': '#include <sys/socket.h>\n',
    'lib/xmem/mem/cuda-vmm.c': '#include <cuda.h>\n',
    'lib/xmem/pool/pool.h': '#include "mem/memfd.h"\n#include <xmem/pool.h>\n',
    'lib/xmem/ipc/conn.c': '#include <sys/socket.h>\n#include "base/error.h"\n',
    'lib/xmem/wire/message.c': '#include "base/error.h"\n',
    'lib/xmem/peer/publisher.c': '#include "pool/pool.h"\n',
    'gst/lib/gstxmem.h': '#include <gst/gst.h>\n#include <xmem/pool.h>\n',
    'gst/lib/gstxmem-private.h': '#include "gstxmem.h"\n',
    'gst/xmem/sink.c': '#include "gstxmem.h"\n#include <xmem/pool.h>\n',
    'tests/unit/test-pool.c': '#include "pool/pool.h"\n#include <glib.h>\n',
}

# What a file gets in its second line, and what the checker says of it.
BAD_INCLUDES = [
    ('lib/xmem/base/error.h', '"wire/message.h"', 'base includes'),
    ('lib/xmem/wire/message.c', '"mem/memfd.h"', 'wire includes'),
    ('lib/xmem/wire/message.c', '<sys/un.h>', 'wire sees sockets'),
    ('lib/xmem/wire/message.c', '"base/fdset.h"', 'wire sees sockets'),
    ('lib/xmem/pool/pool.h', '"ipc/conn.h"', 'pool includes'),
    ('lib/xmem/pool/pool.h', '"peer/publisher.h"', 'pool includes'),
    ('lib/xmem/pool/pool.h', '<mem/memfd.h>', 'pool includes'),
    ('lib/xmem/ipc/conn.c', '"pool/pool.h"', 'ipc includes'),
    ('lib/xmem/pool/pool.h', '"memfd.h"', 'is not of the form'),
    ('lib/xmem/pool/pool.h', '"base/../ipc/conn.h"', 'is not of the form'),
    ('lib/xmem/peer/publisher.c', '<glib.h>', 'the core library includes'),
    ('lib/xmem/peer/publisher.c', '<gst/gst.h>', 'the core library includes'),
    ('lib/xmem/mem/memfd.c', '<cuda.h>', 'only mem/cuda*'),
    ('gst/xmem/sink.c', '<cuda.h>', 'only mem/cuda*'),
    ('lib/xmem/other/x.c', '<errno.h>', 'no module'),
    ('lib/xmem/include/xmem/pool.h', '"base/error.h"', 'a public header'),
    ('lib/xmem/include/xmem/pool.h', '<glib.h>', 'a public header'),
    ('gst/xmem/sink.c', '"pool/pool.h"', 'only public headers'),
    ('gst/xmem/sink.c', '"../../lib/xmem/base/error.h"', 'only public headers'),
    ('gst/xmem/sink.c', '"gstxmem-private.h"', 'only public headers'),
    ('gst/lib/gstxmem.h', '"sink.c"', 'only public headers'),
    ('lib/tools/xmem.c', '"gstxmem.h"', 'only public headers'),
    ('lib/tools/xmem.c', '<xmem/none.h>', 'no public header'),
    ('lib/tools/xmem.c', '"xmem/pool.h"', 'write <xmem/pool.h>'),
    ('bench/copy.c', '"tests/unit/test-pool.c"', 'only public headers'),
    ('examples/hello.c', '<base/error.h>', 'only public headers'),
]

# Test of Meson's log: name, result, output; and what the tally says at the end.
TALLIES = [
    ('counts a plain test', 'OK', 'hello', '1 passed, 0 failed, 0 skipped'),
    ('counts a time-out as failed', 'TIMEOUT', '',
     '0 passed, 1 failed, 0 skipped'),
    ('counts each subtest', 'ERROR', '1..4\nok 1 - a\nnot ok 2 - b\n'
     'ok 3 - c # SKIP no GPU\nnot ok 4 - d # TODO\n',
     '2 passed, 1 failed, 1 skipped'),
    ('counts a killed test once more', 'ERROR', '1..3\nok 1 - a\n',
     '1 passed, 1 failed, 0 skipped'),
    ('counts a skipped test', 'SKIP', '1..0 # SKIP no GPU\n',
     '0 passed, 0 failed, 1 skipped'),
]


class Cases:
    """Numbers the cases and prints TAP."""

    def __init__(self, source):
        self.source = pathlib.Path(source).resolve()
        self.count = 0
        self.failed = 0

    def report(self, name, good, said):
        self.count += 1
        self.failed += not good
        print(f'{"ok" if good else "not ok"} {self.count} - {name}')
        if not good:
            print('\n'.join('# ' + line for line in said.splitlines()))

    def run(self, name, script, files, status, expected, arguments=('.',)):
        """Runs a script of the source tree where only these files are;
        `expected` is a regular expression for what it prints."""
        with tempfile.TemporaryDirectory() as folder:
            for path, text in files.items():
                path = pathlib.Path(folder, path)
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(text)
            done = subprocess.run(
                [sys.executable, self.source / 'tests' / script, *arguments],
                cwd=folder, check=False, text=True, stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT)
        said = done.stdout + f'exit status {done.returncode}\n'
        if script == 'style/format.py' and done.returncode == 77:
            name, status, expected = name + ' # SKIP no formatter', 77, ''
        self.report(name, done.returncode == status
                    and re.search(expected, said, re.M), said)


def licensed(files):
    return {path: LICENCE + text for path, text in files.items()}


def main(source):
    cases = Cases(source)
    script = 'style/includes.py'
    cases.run('includes: accepts a good tree', script, licensed(GOOD), 0, '')
    for path, target, expected in BAD_INCLUDES:
        text = f'#include {target}\n' + GOOD.get(path, '')
        cases.run(f'includes: {path} may not include {target}', script,
                  licensed({**GOOD, path: text}), 1,
                  fr'^{path}:[12]: .*{re.escape(expected)}')
    cases.run('includes: misses a licence', script,
              {**licensed(GOOD), '.ci/run': '#!/bin/sh\n'}, 1,
              r'^\.ci/run:1: ')

    script = 'style/format.py'
    style = {'.clang-format': (cases.source / '.clang-format').read_text()}
    cases.run('format: accepts a good file', script,
              {**style, 'lib/a.c': 'int\nmain (void)\n{\n  return 0;\n}\n'},
              0, '')
    cases.run('format: refuses a bad file', script,
              {**style, 'lib/a.c': 'int\nmain(void)\n{\n  return 0;\n}\n'},
              1, '^lib/a.c:2:')

    script = 'style/headers.py'
    header = 'lib/xmem/include/xmem/a.h'
    cases.run('headers: accepts a good header', script,
              {header: '#pragma once\n#include <stddef.h>\n'
                       'size_t a (void);\n'}, 0, '')
    for what, text in [('one that needs another', 'size_t a (void);\n'),
                       ('one without a guard', 'struct a { int b; };\n'),
                       ('one that is no C++', 'void a (int class);\n'),
                       ('one that is no C', 'class a { };\n')]:
        cases.run(f'headers: refuses {what}', script, {header: text}, 1,
                  'xmem/a.h:1:')

    script = 'harness/tally.py'
    for name, result, output, expected in TALLIES:
        entry = {'name': 'a test', 'result': result, 'stdout': output}
        log = {'build/meson-logs/testlog.json': json.dumps(entry) + '\n'}
        cases.run(f'tally: {name}', script, log, int(' 0 failed' not in expected),
                  f'^{expected}\nexit', ['build=0'])
    broken = {'name': 'a test', 'result': 'ERROR', 'returncode': -6,
              'stdout': '1..1\nok 1 - a\n', 'stderr': 'a.c:1: why\n'}
    log = {'build/meson-logs/testlog.json': json.dumps(broken) + '\n'}
    cases.run('tally: repeats what a failed test said', script, log, 1,
              r'^build: a test: 1\.\.1\nbuild: a test: a\.c:1: why\n'
              'failed: build: a test: ERROR, status -6\n', ['build=0'])
    cases.run('tally: counts a failed build', script, {}, 1,
              '^0 passed, 1 failed, 0 skipped\nexit', ['build=1'])
    cases.run('tally: counts a build that tested nothing', script, {}, 1,
              '^0 passed, 1 failed, 0 skipped\nexit', ['build=0'])
    print(f'1..{cases.count}')
    return 1 if cases.failed else 0


if __name__ == '__main__':
    sys.exit(main(*sys.argv[1:]))
