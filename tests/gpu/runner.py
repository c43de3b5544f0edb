# SPDX-License-Identifier: MIT
"""Runs commands on a machine where any of them may hang: each with a limit, all
together with one, and what they said in a file, so that nobody waits for a pipe
that a process which cannot be killed keeps open."""
import os
import pathlib
import re
import signal
import subprocess
import time

ENDS = {0: 'passed', 77: 'skipped'}
GOOD = frozenset(ENDS.values())
TAIL = 4000  # bytes
GRACE = 5  # seconds, for a process that was killed


class Job:
    """A command that runs in a session of its own."""

    def __init__(self, command, env, said, errors):
        self.paths = (said, errors)
        with open(said, 'wb') as out, open(errors, 'wb') as err:
            self.process = subprocess.Popen(
                command, env=env, stdin=subprocess.DEVNULL, stdout=out,
                stderr=err, start_new_session=True)

    def wait(self, limit):
        """How it ended; it is dead then, if it can be killed."""
        try:
            code = self.process.wait(limit)
            return ENDS.get(code, f'failed: {code}')
        except subprocess.TimeoutExpired:
            return self.kill('timed out')

    def failed(self):
        """Whether it has ended, and not well."""
        return self.process.poll() not in (None, *ENDS)

    def kill(self, why):
        try:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait(GRACE)
        except ProcessLookupError:
            pass
        except subprocess.TimeoutExpired:
            return why + ', and cannot be killed'
        return why

    def said(self):
        return self.paths[0].read_text(errors='replace')

    def errors(self):
        return self.paths[1].read_text(errors='replace')


class Runner:
    """limit: seconds for all commands; each: for one, and more than one may ask
    for itself. None: no limit, and none that a command asks for."""

    def __init__(self, env, scratch, limit=None, each=None):
        self.env = env
        self.scratch = pathlib.Path(scratch)
        self.each = each
        self.end = time.monotonic() + limit if limit else None
        self.count = 0

    def left(self, limit=None):
        """What a command may take from now on; None: any time."""
        limits = [value for value in (limit, self.each)
                  if value and self.each]
        if self.end:
            limits.append(max(self.end - time.monotonic(), 0))
        return min(limits) if limits else None

    def is_over(self):
        """Whether there is no time for another."""
        left = self.left()
        return left is not None and left < 1

    def start(self, command):
        self.count += 1
        stem = self.scratch / f'said-{self.count}'
        return Job([str(word) for word in command], self.env,
                   stem.with_suffix('.out'), stem.with_suffix('.err'))

    def run(self, command, limit=None):
        """Returns (how it ended, what it said, its errors)."""
        if self.is_over():
            return 'not run: no time left', '', ''
        job = self.start(command)
        return job.wait(self.left(limit)), job.said(), job.errors()


def skipped_cases(said):
    """The cases of a test that were skipped, with their reasons."""
    return [line.strip() for line in said.splitlines()
            if re.search(r'# SKIP', line)]
