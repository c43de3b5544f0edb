#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Runs one fuzz target for some seconds, from the seeds of its kind.

usage: run-fuzz.py SECONDS KIND MAKE_SEEDS TARGET
       run-fuzz.py --missing WHAT

The seeds and what grows from them lie in a temporary folder. What breaks the
target is kept in the folder that this is started in. The second form says what
is missing and exits 77, which skips the test.
"""
import os
import pathlib
import subprocess
import sys
import tempfile


def main(seconds, kind, make_seeds, target):
    with tempfile.TemporaryDirectory() as folder:
        seeds, corpus = pathlib.Path(folder, 'seeds'), pathlib.Path(folder, kind)
        seeds.mkdir()
        corpus.mkdir()
        subprocess.run([make_seeds, seeds], check=True)
        for seed in seeds.glob(f'{kind}-*'):
            seed.rename(corpus / seed.name)
        # Standard error is where libFuzzer writes; its last lines say enough.
        done = subprocess.run(
            [target, f'-max_total_time={seconds}', '-max_len=8192',
             '-timeout=60', '-rss_limit_mb=1024', '-print_final_stats=1',
             f'-artifact_prefix={os.getcwd()}/{kind}-', corpus],
            check=False, text=True, errors='replace',
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    lines = done.stdout.splitlines()
    print('\n'.join(lines if done.returncode else lines[-8:]))
    return 1 if done.returncode else 0


if __name__ == '__main__':
    if sys.argv[1] == '--missing':
        print(f'{sys.argv[2]} is missing')
        sys.exit(77)
    sys.exit(main(*sys.argv[1:]))
