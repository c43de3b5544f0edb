# SPDX-License-Identifier: MIT
"""Whether the results of run.py with the double are all that there can be."""
import json
import sys

with open(sys.argv[1], encoding='utf-8') as file:
    found = json.load(file)
ends = {case['name']: case['end'] for case in found['pipelines']}
tests = {test['name']: test for test in found['tests']}

assert found['complete']
assert found['elements'] == ['cudaupload', 'cudadownload'], found['elements']
assert found['driver']['driver'] == 'test double, no GPU'
assert found['driver']['write_to_read_only_import_result'] == 700
assert found['driver']['textures_on_import']['pitch_create'] == 801
assert found['driver']['import_in_second_context_result'] == 0
assert found['driver']['read_after_legacy_owner_freed_result'] == 0
assert found['driver']['read_after_legacy_owner_was_killed_result'] == 0
assert found['bench']['driver'] == 'test double, no GPU: times mean nothing'
assert len(found['bench']['ways']) == 14
assert all(way['checked'] for way in found['bench']['ways'])
assert not any(way['wrong'] for way in found['bench']['ways'])

# The double has no decoder, kernels or encoder.
for mode in ('vmm', 'legacy', 'private'):
    assert ends.pop(f'pattern-{mode}-download') == 'passed'
assert ends and set(ends.values()) == {'skipped'}, ends
assert not any(case['copied_by_sink'] for case in found['pipelines']
               if case['end'] == 'passed')

# Examples that were built without the toolkit are not packed.
assert found['example'][0]['end'] in ('passed', 'skipped'), found['example']

# They took the plain double for a driver.
assert all(test['end'] == 'passed' for test in tests.values())
stale = tests['cuda-frames-are-never-stale']
assert 'not our double' in stale['said'] and not stale['skipped_cases']
assert tests['cuda-who-may-read']['skipped_cases']
