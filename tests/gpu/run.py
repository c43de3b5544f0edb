#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Runs what pack.py has packed, against the CUDA driver of this machine.

usage: run.py [--double] [RESULTS.json]

It needs the driver, glibc and Python, no network, and writes nothing but a
temporary folder and the results: for each test how it ended and the end of what
it said, then what bin/measure found out of the driver. With --double it runs
them against the double that is packed with it, and the results say so. Exits 1
when a test failed.
"""
import json
import os
import pathlib
import subprocess
import sys
import tempfile

TREE = pathlib.Path(__file__).resolve().parent
ENDS = {0: 'passed', 77: 'skipped'}
PATIENCE = 5  # times the test's own limit
TAIL = 4000  # bytes


def environment(scratch, with_double):
    """Nothing of the caller's but where the driver is."""
    libraries = [str(TREE / 'lib')]
    if with_double:
        libraries.insert(0, str(TREE / 'double'))
    elif os.environ.get('LD_LIBRARY_PATH'):
        libraries.append(os.environ['LD_LIBRARY_PATH'])
    return {
        'HOME': scratch,
        'LANG': 'C.UTF-8',
        'PATH': f'{TREE}/bin:/usr/bin:/bin',
        'LD_LIBRARY_PATH': ':'.join(libraries),
        'XDG_RUNTIME_DIR': scratch,
        'GST_PLUGIN_SCANNER': str(TREE / 'bin/gst-plugin-scanner'),
        'GST_PLUGIN_SYSTEM_PATH': str(TREE / 'plugins'),
        'GST_REGISTRY': f'{scratch}/registry.bin',
        'CK_DEFAULT_TIMEOUT': '0',
    }


def run(command, env, timeout=None):
    """Returns (how it ended, what it said)."""
    try:
        done = subprocess.run(command, env=env, check=False, timeout=timeout,
                              stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT)
    except subprocess.TimeoutExpired as error:
        return 'timed out', (error.stdout or b'').decode(errors='replace')
    end = ENDS.get(done.returncode, f'failed: {done.returncode}')
    return end, done.stdout.decode(errors='replace')


def run_tests(env):
    results = []
    for test in json.loads((TREE / 'tests.json').read_text()):
        end, said = run([str(TREE / 'tests' / test['program']),
                         *test['arguments']], env,
                        test['timeout_s'] * PATIENCE)
        print(f'{test["name"]}: {end}', file=sys.stderr)
        results.append({'name': test['name'], 'end': end,
                        'said': said[-TAIL:]})
    return results


def measure(env):
    """What bin/measure prints, or why it did not."""
    done = subprocess.run([str(TREE / 'bin/measure')], env=env, check=False,
                          capture_output=True, text=True)
    if done.returncode == 0:
        return json.loads(done.stdout)
    return {'end': ENDS.get(done.returncode, f'failed: {done.returncode}'),
            'said': done.stderr[-TAIL:]}


def main(*arguments):
    with_double = '--double' in arguments
    files = [name for name in arguments if name != '--double']
    with tempfile.TemporaryDirectory() as scratch:
        env = environment(scratch, with_double)
        results = {'machine': ' '.join(os.uname()), 'tests': run_tests(env),
                   'driver': measure(env)}
    text = json.dumps(results, indent=2) + '\n'
    if files:
        pathlib.Path(files[0]).write_text(text)
    else:
        print(text, end='')
    return int(any(test['end'] not in ENDS.values()
                   for test in results['tests']))


if __name__ == '__main__':
    sys.exit(main(*sys.argv[1:]))
