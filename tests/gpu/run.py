#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Runs what pack.py has packed, against the CUDA driver of this machine.

usage: run.py [--only PART,...] [--limit SECONDS] [--each SECONDS] [--short]
              [--double] [RESULTS.json]

The parts, in their order: measure (what the driver does and its calls cost),
pipelines (GStreamer's CUDA elements around xmemsink and xmemsrc), example (its
kernel counts what is in the frames), bench (hand-off latencies), tests. All of
them together take no longer than --limit, 570 s, and one command no longer than
--each, 180 s; 0: no limit. What does not end by then is killed, what was not
begun says so, and the results are written after each step, so that there are
some whatever happens.

It needs the driver, glibc and Python, no network, and writes nothing but a
temporary folder and the results. --double takes the double of the driver that is
packed with it, and the results say so; --short makes bench and pipelines short.
Exits 1 when something failed.
"""
import argparse
import ctypes
import json
import os
import pathlib
import shutil
import sys
import tempfile

sys.dont_write_bytecode = True
import pipelines  # noqa: E402
from runner import GOOD, TAIL, Runner, skipped_cases  # noqa: E402

TREE = pathlib.Path(__file__).resolve().parent
# Where the toolkit and the driver are where nobody says it.
PLACES = ('/usr/local/cuda/lib64', '/usr/local/nvidia/lib64')
KILLS = 20  # processes take their time to start with a GPU
ELEMENTS = ('cudaupload', 'cudadownload', 'cudaconvert', 'cudascale',
            'nvh264dec', 'nvh264enc')


def environment(scratch, with_double):
    """Nothing of the caller's but where the driver is and what it may see."""
    libraries = [str(TREE / 'lib')]
    if with_double:
        libraries.insert(0, str(TREE / 'double'))
    else:
        libraries += [os.environ.get('LD_LIBRARY_PATH') or '']
        libraries += [place for place in PLACES if os.path.isdir(place)]
        if not has_codecs():
            libraries.append(str(TREE / 'stub'))
    visible = {name: os.environ[name] for name in ('CUDA_VISIBLE_DEVICES',)
               if name in os.environ}
    return {
        **visible,
        'HOME': scratch,
        'LANG': 'C.UTF-8',
        'PATH': f'{TREE}/bin:/usr/bin:/bin',
        'LD_LIBRARY_PATH': ':'.join(filter(None, libraries)),
        'XDG_RUNTIME_DIR': scratch,
        'GST_PLUGIN_SCANNER': str(TREE / 'bin/gst-plugin-scanner'),
        'GST_PLUGIN_SYSTEM_PATH': str(TREE / 'plugins'),
        'GST_REGISTRY': f'{scratch}/registry.bin',
        'CK_DEFAULT_TIMEOUT': '0',
        'XMEM_CUDA_KILLS': str(KILLS),
    }


def has_codecs():
    """Whether one of those libraries is here without which GStreamer registers
    nothing that has to do with CUDA."""
    for name in ('libnvcuvid.so.1', 'libnvidia-encode.so.1'):
        if any(os.path.exists(f'{place}/{name}') for place in PLACES):
            return True
        try:
            ctypes.CDLL(name)
            return True
        except OSError:
            pass
    return False


class Results:
    """What is written, and how it went."""

    def __init__(self, path):
        self.path = pathlib.Path(path) if path else None
        self.all = {'complete': False, 'machine': ' '.join(os.uname())}
        self.ends = []  # (part, name, end, remarks)

    def write(self):
        if not self.path:
            return
        new = self.path.with_suffix('.part')
        new.write_text(json.dumps(self.all, indent=2) + '\n')
        new.replace(self.path)

    def add(self, part, result):
        """A result among others of its part."""
        self.all.setdefault(part, []).append(result)
        self.note(part, result['name'], result['end'],
                  result.get('remarks', ''))

    def note(self, part, name, end, remarks=''):
        self.ends.append((part, name, end, remarks))
        print(f'{part}: {name}: {end}{remarks}', file=sys.stderr, flush=True)
        self.write()

    def failed(self):
        return any(end not in GOOD for _, _, end, _ in self.ends)


def describe(runner, results, with_double):
    """The machine's driver, and what GStreamer registers with it."""
    results.all['nvidia_smi'] = ask_nvidia_smi(runner)
    results.all['codecs'] = has_codecs()
    results.all['elements'] = find_elements(runner, with_double)
    results.write()


def ask_nvidia_smi(runner):
    program = shutil.which('nvidia-smi', path=os.environ.get('PATH', '')
                           + ':/usr/local/nvidia/bin')
    if not program:
        return 'no nvidia-smi'
    end, said, errors = runner.run(
        [program, '--query-gpu=name,driver_version,mig.mode.current',
         '--format=csv,noheader'], 30)
    return said.strip() if end == 'passed' else f'{end}: {errors[-TAIL:]}'


def find_elements(runner, with_double):
    """Which of nvcodec's elements are there: with an NVRTC that knows what they
    ask for, unless the plugin does not even load with that. The double runs no
    kernels."""
    def look():
        return [name for name in ELEMENTS
                if runner.run([TREE / 'bin/gst-inspect-1.0', name],
                              60)[0] == 'passed']

    nvrtc = 'none' if with_double else str(TREE / 'lib/nvrtc-for-old.so')
    runner.env['GST_CUDA_NVRTC_LIBNAME'] = nvrtc
    found = look()
    if 'cudaupload' not in found and not with_double:
        del runner.env['GST_CUDA_NVRTC_LIBNAME']
        pathlib.Path(runner.env['GST_REGISTRY']).unlink(missing_ok=True)
        found = look()
    return found


def run_test(runner, results, part, name, command):
    end, said, errors = runner.run(command)
    skipped = skipped_cases(said)
    results.add(part, {
        'name': name, 'end': end, 'skipped_cases': skipped,
        'remarks': f' ({len(skipped)} cases skipped)' if skipped else '',
        'said': said[-TAIL:], 'errors': errors[-TAIL:]})


def run_tests(runner, results, options):
    for test in json.loads((TREE / 'tests.json').read_text()):
        run_test(runner, results, 'tests', test['name'],
                 [TREE / 'tests' / test['program'], *test['arguments']])


def run_example(runner, results, options):
    programs = [TREE / 'bin/cuda-produce', TREE / 'bin/cuda-consume']
    if not all(program.exists() for program in programs):
        results.add('example', {'name': 'counts-pixels', 'end': 'skipped',
                                'remarks': ' (not packed: built without the '
                                           'toolkit)'})
        return
    run_test(runner, results, 'example', 'counts-pixels',
             [sys.executable, TREE / 'example-counts-pixels.py', 'driver',
              *programs, TREE / 'lib'])


def run_json(runner, results, part, command):
    """A program that prints JSON."""
    end, said, errors = runner.run(command)
    try:
        results.all[part] = json.loads(said)
    except json.JSONDecodeError:
        results.all[part] = {'said': said[-TAIL:]}
    results.all[part].update({'end': end, 'errors': errors[-TAIL:]})
    results.note(part, command[0].name, end)


def run_measure(runner, results, options):
    run_json(runner, results, 'driver', [TREE / 'bin/measure'])


def run_bench(runner, results, options):
    length = ['--rate', '20', '--seconds', '1', '--rounds', '1'] \
        if options.short else ['--seconds', '10', '--rounds', '3']
    run_json(runner, results, 'bench',
             [TREE / 'bin/xmem-bench', 'cuda', '--json', *length])


def run_pipelines(runner, results, options):
    pipelines.run(TREE, runner, 10 if options.short else 60,
                  lambda result: results.add('pipelines', result))


PARTS = {'measure': run_measure, 'pipelines': run_pipelines,
         'example': run_example, 'bench': run_bench, 'tests': run_tests}


def summarise(results):
    """For people."""
    found = results.all
    lines = [f'machine: {found["machine"]}', f'GPU: {found["nvidia_smi"]}',
             f'elements: {", ".join(found["elements"]) or "none"}', '']
    lines += [f'{part:10} {name:34} {end}{remarks}'
              for part, name, end, remarks in results.ends]
    for result in found.get('pipelines', []):
        if result['end'] == 'skipped':
            lines.append(f'{result["name"]}: {result["said"]}')
    for key, value in found.get('driver', {}).items():
        lines.append(f'{key}: {value}')
    bench = found.get('bench', {})
    lines += ['', f'{bench.get("device")}: {bench.get("driver")}'] \
        if 'ways' in bench else []
    for row in bench.get('ways', []):
        lines.append(f'{row["frame"]}, {row["way"]:21} latency '
                     f'{row["latency_p50_us"]}, {row["latency_p99_us"]} us; '
                     f'CPU {row["producer_cpu_p50_us"]}, '
                     f'{row["consumer_cpu_p50_us"]} us; wrong {row["wrong"]}'
                     f'{" " + row["failure"] if row["failure"] else ""}')
    return '\n'.join(lines)


def parse(arguments):
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument('--only', default=','.join(PARTS))
    parser.add_argument('--limit', type=float, default=570)
    parser.add_argument('--each', type=float, default=180)
    parser.add_argument('--short', action='store_true')
    parser.add_argument('--double', action='store_true')
    parser.add_argument('results', nargs='?')
    options = parser.parse_args(arguments)
    options.parts = options.only.split(',')
    for part in options.parts:
        if part not in PARTS:
            parser.error(f'no part {part}; there are {", ".join(PARTS)}')
    return options


def main(*arguments):
    options = parse(arguments)
    results = Results(options.results)
    # What cannot be killed may still write there.
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as scratch:
        runner = Runner(environment(scratch, options.double), scratch,
                        options.limit or None, options.each or None)
        describe(runner, results, options.double)
        for part, run in PARTS.items():
            if part in options.parts:
                run(runner, results, options)
    results.all['complete'] = True
    results.write()
    print(summarise(results))
    return int(results.failed())


if __name__ == '__main__':
    sys.exit(main(*sys.argv[1:]))
