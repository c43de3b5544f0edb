#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Adds up what Meson's tests did, as BUILD=STATUS BUILD=STATUS...

BUILD is a build directory, STATUS what building and testing there exited with.
Counts the subtests of a test that speaks TAP, and each other test as one. Reads
testlog.json: the JUnit log beside it says nothing of time-outs, nor of a TAP
test that was killed. Prints what was skipped, what failed and how its output
ended, and a last line `N passed, N failed, N skipped`; exits 1 when anything
failed.
"""
import collections
import json
import pathlib
import re
import sys

PASSED = ('OK', 'EXPECTEDFAIL')
# Of a failed test's output: so many lines and characters of each, those of what
# passed aside.
LAST_LINES, LINE_LENGTH = 20, 300
PLAN = re.compile(r'^1\.\.\d+\s*(?:#\s*(?:skip\S*)?\s*(.*))?$', re.I | re.M)
SUBTEST = re.compile(r'^(not )?ok\b[ \t]*(.*?)(?:[ \t]+#[ \t]*(skip|todo)\S*'
                     r'[ \t]*(.*))?$', re.I | re.M)


def subtests(output):
    """Yields (name, outcome, reason) for each line of a TAP stream's results;
    nothing when the output is no TAP, that is, has no plan."""
    if not PLAN.search(output):
        return
    for bad, name, directive, reason in SUBTEST.findall(output):
        directive = directive.lower()
        if directive == 'skip':
            yield name, 'skipped', reason
        elif bool(bad) == (directive == 'todo'):
            yield name, 'passed', ''
        else:
            yield name, 'failed', ''


def skip_reason(test):
    """What a test said before it skipped: its plan's comment or last line."""
    output = test.get('stdout', '') + '\n' + test.get('stderr', '')
    plan = PLAN.search(output)
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    return (plan and plan[1]) or (lines and lines[-1]) or ''


def outcomes(test):
    """Yields (name, outcome, reason) for one test of the log. A test that
    broke outside its subtests (killed, hung, too few of them, exit status)
    counts as one failure more."""
    name, result = test['name'], test['result']
    parts = [] if result == 'EXPECTEDFAIL' else list(
        subtests(test.get('stdout', '')))
    for part, outcome, reason in parts:
        yield f'{name}: {part}', outcome, reason
    if result in PASSED:
        if not parts:
            yield name, 'passed', ''
    elif result == 'SKIP':
        if not parts:
            yield name, 'skipped', skip_reason(test)
    elif all(outcome != 'failed' for _, outcome, _ in parts):
        yield name, 'failed', f'{result}, status {test.get("returncode")}'


def ending(test):
    """The last lines of what a failed test said; nothing of one that passed."""
    if test['result'] in PASSED + ('SKIP',):
        return []
    lines = (test.get('stdout', '') + '\n' + test.get('stderr', '')).splitlines()
    return [line[:LINE_LENGTH] for line in lines
            if line.strip() and not line.startswith('ok ')][-LAST_LINES:]


def entry(line):
    """One line of the log; one cut short is a failure too."""
    try:
        return json.loads(line)
    except ValueError:
        return {'name': 'log', 'result': 'UNREADABLE'}


def read_log(build):
    """The tests of one build directory."""
    log = pathlib.Path(build, 'meson-logs', 'testlog.json')
    text = log.read_text(errors='replace') if log.exists() else ''
    return [entry(line) for line in text.splitlines() if line.strip()]


def stage_outcomes(tests, status):
    """Yields (name, outcome, reason) for one build directory. A build that
    failed, or tested nothing, counts as one failure."""
    found = [outcome for test in tests for outcome in outcomes(test)]
    yield from found
    if status != 0 and all(outcome != 'failed' for _, outcome, _ in found):
        yield 'build', 'failed', f'ended with status {status}'
    elif not found:
        yield 'build', 'failed', 'no test ran'


def main(arguments):
    every = []
    for build, _, status in (a.rpartition('=') for a in arguments):
        tests = read_log(build)
        every += [(build, *o) for o in stage_outcomes(tests, int(status))]
        for test in tests:
            for line in ending(test):
                print(f'{build}: {test["name"]}: {line}')
    for wanted in ('skipped', 'failed'):
        for build, name, outcome, reason in every:
            if outcome == wanted:
                print(f'{outcome}: {build}: {name}: {reason}'.rstrip(': '))
    count = collections.Counter(outcome for _, _, outcome, _ in every)
    print(f'{count["passed"]} passed, {count["failed"]} failed, '
          f'{count["skipped"]} skipped')
    return 1 if count['failed'] or not every else 0


if __name__ == '__main__':
    sys.exit(main(sys.argv[1:]))
