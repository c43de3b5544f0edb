#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What examples/cuda-consume prints is what was in the frames, with the test
double of the CUDA driver, whose kernel of that name is a function of the host.

usage: example-counts-pixels.py alone|driver|gst PRODUCE CONSUME LIBXMEM

alone: behind examples/cuda-produce. driver: what of that any driver can play.
gst: behind xmemsink, compared with what a tee before it wrote to a file. Each
process is one of its own.
"""
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import tempfile
import time

BINS = 16
LAG = {'FAKE_CUDA_LAG': '200:3000'}


class Place:
    """The programs, and a folder for their socket and files."""

    def __init__(self, produce, consume, libxmem, folder):
        self.produce, self.consume = produce, consume
        self.libxmem, self.folder = libxmem, pathlib.Path(folder)
        self.n_sockets = 0

    def new_socket(self):
        self.n_sockets += 1
        return self.folder / f'socket-{self.n_sockets}'


def start(*argv, **env):
    """A process; None in its environment takes a variable away."""
    env = {**os.environ, **env}
    return subprocess.Popen(
        [str(word) for word in argv], text=True, stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={name: value for name, value in env.items() if value is not None})


def finish(process, status):
    """Its output and its errors, once it has ended so."""
    out, err = process.communicate()
    assert process.returncode == status, (process.args, process.returncode,
                                          out, err)
    return out, err


def await_socket(producer, path):
    """Waits until a producer listens; whoever ends before says why."""
    while not path.exists():
        assert producer.poll() is None, producer.communicate()
        time.sleep(0.02)


def read_counts(text):
    """{frame or 'all': its bins} of the consumer's output."""
    counts = {}
    for line in text.splitlines():
        what, numbers = line.split(':')
        name = int(what.split()[1]) if what.startswith('frame ') else 'all'
        counts[name] = [int(number) for number in numbers.split()]
    return counts


def total(frames):
    return [sum(column) for column in zip(*frames)]


def check(text, frames, every=1):
    """Every EVERYth frame and the sum of all."""
    expected = {i: bins for i, bins in enumerate(frames) if i % every == 0}
    expected['all'] = total(frames)
    counts = read_counts(text)
    assert counts == expected, (counts, expected)


def drawn_by_produce(i):
    """Frame I: a bar of 40 columns over one level, of 640 x 480."""
    bins = [0] * BINS
    bins[i % BINS] += (640 - 40) * 480
    bins[BINS - 1] += 40 * 480
    return bins


# --- behind cuda-produce -----------------------------------------------------

def counts_what_was_drawn(place, every=1, **env):
    path = place.new_socket()
    producer = start(place.produce, path, 40, **env)
    await_socket(producer, path)
    out, _ = finish(start(place.consume, path, every, **env), 0)
    finish(producer, 0)
    check(out, [drawn_by_produce(i) for i in range(40)], every)


def waits_for_lagging_streams(place):
    counts_what_was_drawn(place, **LAG)


def shows_some_and_counts_all(place):
    counts_what_was_drawn(place, every=7)


def says_that_the_producer_is_gone(place):
    path = place.new_socket()
    producer = start(place.produce, path, 1000000)
    await_socket(producer, path)
    consumer = start(place.consume, path, 1)
    first = consumer.stdout.readline()
    producer.send_signal(signal.SIGKILL)
    finish(producer, -signal.SIGKILL)
    out, err = finish(consumer, 1)
    assert read_counts(first)[0] == drawn_by_produce(0), first
    counts = read_counts(out)
    whole = counts.pop('all')
    assert sum(whole) == 640 * 480 * (len(counts) + 1), (whole, len(counts))
    assert err.startswith('cuda-consume: '), err


def names_the_call_that_fails(place):
    for call, code in (('cuInit', 999), ('cuModuleLoadData', 218),
                       ('cuMemAllocHost', 2), ('cuLaunchKernel', 700),
                       ('cuEventQuery', 700)):
        path = place.new_socket()
        producer = start(place.produce, path, 1000000)
        await_socket(producer, path)
        consumer = start(place.consume, path, 1,
                         FAKE_CUDA_FAIL=f'{call}:0:{code}')
        _, err = finish(consumer, 1)
        producer.kill()
        finish(producer, -signal.SIGKILL)
        assert f'{call} () failed with ' in err and f'({code})' in err, err


def needs_a_device(place):
    for program in (place.produce, place.consume):
        _, err = finish(start(program, place.new_socket(),
                              FAKE_CUDA_DEVICES='0'), 1)
        assert 'cuInit () failed with CUDA_ERROR_NO_DEVICE (100)' in err, err


def needs_a_driver(place):
    """Away from the build's libraries the loader finds no libcuda.so.1: where
    there is a driver this cannot be seen."""
    if any(pathlib.Path(folder, 'libcuda.so.1').exists()
           for folder in ('/usr/lib/x86_64-linux-gnu', '/usr/lib64')):
        return
    shutil.copy2(place.consume, place.folder / 'consume')
    process = start(place.folder / 'consume', place.new_socket(),
                    LD_LIBRARY_PATH=str(place.libxmem))
    _, err = process.communicate()
    assert process.returncode != 0 and 'libcuda.so.1' in err, err


# --- behind xmemsink ---------------------------------------------------------

def launch(pipeline):
    """gst-launch-1.0; with the sanitizer's library where tests/run says so."""
    env = {}
    if 'XMEM_PRELOAD' in os.environ:
        env = {'LD_PRELOAD': os.environ['XMEM_PRELOAD'],
               'ASAN_OPTIONS': 'detect_leaks=0'}
    return start('gst-launch-1.0', '-q', *pipeline.split(), **env, **LAG)


def luma_in_file(path, width, height, size):
    """The bins of each picture, rows being padded to 4 bytes."""
    stride = (width + 3) // 4 * 4
    data = path.read_bytes()
    assert len(data) % size == 0 and data, (len(data), size)
    for start_of_picture in range(0, len(data), size):
        bins = [0] * BINS
        for y in range(height):
            at = start_of_picture + y * stride
            for value in data[at:at + width]:
                bins[value >> 4] += 1
        yield bins


def counts_what_a_pipeline_made(place, fmt, width, height, size):
    path, file = place.new_socket(), place.folder / 'frames'
    producer = launch(
        'videotestsrc num-buffers=5 pattern=zone-plate kt=3 kx2=20 ky2=20 '
        f'! video/x-raw,format={fmt},width={width},height={height} '
        f'! tee name=t ! queue ! filesink location={file} t. ! queue '
        '! cudaupload ! video/x-raw(memory:CUDAMemory) '
        f'! xmemsink socket-path={path} sync=false wait-for-connection=true')
    await_socket(producer, path)
    out, _ = finish(start(place.consume, path, 1, **LAG), 0)
    finish(producer, 0)
    check(out, list(luma_in_file(file, width, height, size)))


def counts_odd_pictures(place):
    counts_what_a_pipeline_made(place, 'NV12', 335, 241, 336 * 242 * 3 // 2)


def counts_even_pictures(place):
    counts_what_a_pipeline_made(place, 'NV12', 640, 362, 640 * 362 * 3 // 2)
    counts_what_a_pipeline_made(place, 'I420', 338, 242,
                                340 * 242 + 172 * 121 * 2)


def refuses_other_formats(place):
    path = place.new_socket()
    producer = launch(
        'videotestsrc ! video/x-raw,format=BGRA,width=320,height=240 '
        '! cudaupload ! video/x-raw(memory:CUDAMemory) '
        f'! xmemsink socket-path={path} sync=false wait-for-connection=true')
    await_socket(producer, path)
    _, err = finish(start(place.consume, path), 1)
    producer.kill()
    producer.communicate()
    assert '8 bits of luma' in err, err


def refuses_memory_of_the_cpu(place):
    path = place.new_socket()
    producer = launch(
        'videotestsrc ! video/x-raw,format=NV12,width=320,height=240 '
        f'! xmemsink socket-path={path} sync=false wait-for-connection=true')
    await_socket(producer, path)
    _, err = finish(start(place.consume, path), 1)
    producer.kill()
    producer.communicate()
    assert 'not in the memory of a CUDA device' in err, err


CASES = {
    'alone': (counts_what_was_drawn, waits_for_lagging_streams,
              shows_some_and_counts_all, says_that_the_producer_is_gone,
              names_the_call_that_fails, needs_a_device, needs_a_driver),
    'driver': (counts_what_was_drawn, shows_some_and_counts_all,
               says_that_the_producer_is_gone),
    'gst': (counts_odd_pictures, counts_even_pictures, refuses_other_formats,
            refuses_memory_of_the_cpu),
}


def main(which, *programs):
    if which == 'gst' and subprocess.run(
            ['gst-inspect-1.0', '--exists', 'cudaupload'],
            check=False).returncode != 0:
        print('skipped: GStreamer has no cudaupload here')
        return 77
    if which == 'driver':
        print('with a CUDA driver, or a double that passes for one')
    else:
        print('with the test double of the CUDA driver, not on a GPU')
    for case in CASES[which]:
        with tempfile.TemporaryDirectory() as folder:
            case(Place(*programs, folder))
        print(case.__name__, flush=True)
    return 0


if __name__ == '__main__':
    sys.exit(main(*sys.argv[1:]))
