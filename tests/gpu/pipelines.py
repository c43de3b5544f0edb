# SPDX-License-Identifier: MIT
"""GStreamer's CUDA elements on both sides of xmemsink and xmemsrc, in two
processes, beside the same elements in one: as many frames, and where nothing is
lost on the way, the same bytes.

xmemsink is told to refuse what it would have to copy; where it refuses, the case
is tried again with copies allowed, and says so. Encoders may write other bytes
each time, so that theirs are compared but need not be the same."""
import time

from runner import GRACE

CUDA = 'video/x-raw(memory:CUDAMemory)'
SUMS = 'checksumsink hash=md5 sync=false'
LIMIT = 60  # seconds, for one pipeline

SOURCES = {
    'pattern': ('videotestsrc num-buffers={frames} pattern=zone-plate kt=3 '
                'kx2=20 ky2=20 ! video/x-raw,format=NV12,width=1920,'
                'height=1080,framerate=30/1 ! cudaupload'),
    'clip': ('filesrc location={clip} ! qtdemux ! h264parse ! nvh264dec'),
}

# What a consumer does with the frames, ending in memory of the CPU.
ENDINGS = {
    'download': 'cudadownload ! video/x-raw',
    'convert': f'cudaconvert ! {CUDA},format=BGRA ! cudadownload ! video/x-raw',
    'scale': (f'cudascale ! {CUDA},width=640,height=360 ! cudadownload ! '
              'video/x-raw'),
    'encode': ('nvh264enc ! h264parse ! video/x-h264,stream-format=byte-stream,'
               'alignment=au'),
}

# What is between the frames' source and xmemsink, which is to write to slots.
BEFORE = {
    'convert': f'cudaconvert ! {CUDA},format=BGRA',
    'scale': f'cudascale ! {CUDA},width=640,height=360',
}


def cases():
    """(name, source, elements before the sink, ending, ipc mode, io mode)"""
    for source in SOURCES:
        yield f'{source}-vmm-download', source, '', 'download', 'vmm', 'import'
        yield (f'{source}-legacy-download', source, '', 'download', 'legacy',
               'import')
        yield f'{source}-private-download', source, '', 'download', 'vmm', 'copy'
        for before in BEFORE:
            yield (f'{source}-{before}-into-slots', source, before, 'download',
                   'vmm', 'import')
        for ending in ('convert', 'scale', 'encode'):
            for io_mode in ('import', 'copy'):
                yield (f'{source}-{io_mode}-{ending}', source, '', ending,
                       'vmm', io_mode)


def elements_of(launch):
    """The names of a launch line's elements."""
    return {part.split()[0] for part in launch.split(' ! ')
            if not part.startswith('video/')}


class Pipelines:
    def __init__(self, tree, runner, n_frames):
        self.tree = tree
        self.runner = runner
        self.words = {'frames': n_frames, 'clip': tree / 'clip.mp4'}
        self.known = {}  # element: whether there is one
        self.references = {}  # launch line: what came of it
        self.n_sockets = 0

    def launch(self, line):
        return self.runner.start([self.tree / 'bin/gst-launch-1.0', '-q',
                                  *line.split()])

    def missing(self, launch):
        """The elements of it that GStreamer does not have here."""
        for name in elements_of(launch) - self.known.keys():
            end, _, _ = self.runner.run(
                [self.tree / 'bin/gst-inspect-1.0', name], LIMIT)
            self.known[name] = end == 'passed'
        return sorted(name for name in elements_of(launch)
                      if not self.known[name])

    def finish(self, job, limit=0):
        """(how it ended, checksums of its frames, its errors)"""
        end = job.wait(limit)
        sums = [line.split()[-1] for line in job.said().splitlines()
                if line[:1].isdigit()]
        return end, sums, job.errors()[-1000:]

    def refer(self, launch):
        """The same in one process."""
        if launch not in self.references:
            self.references[launch] = self.finish(
                self.launch(launch), self.runner.left(LIMIT))
        return self.references[launch]

    def cross(self, producer, consumer, ipc_mode, io_mode, allow_copy):
        self.n_sockets += 1
        path = self.runner.scratch / f'socket-{self.n_sockets}'
        sink = (f'xmemsink socket-path={path} sync=false '
                f'wait-for-connection=true cuda-ipc-mode={ipc_mode} '
                f'allow-copy={str(allow_copy).lower()}')
        source = (f'xmemsrc socket-path={path} is-live=false delivery=every '
                  f'on-disconnect=error cuda-io-mode={io_mode} '
                  'connection-timeout=0')
        jobs = (self.launch(f'{producer} ! {CUDA} ! {sink}'),
                self.launch(f'{source} ! {CUDA} ! {consumer} ! {SUMS}'))
        self.wait_both(jobs)
        return self.finish(jobs[0]), self.finish(jobs[1])

    def wait_both(self, jobs):
        """Until both have ended: who waits for one that has failed is killed, if
        it does not notice."""
        limit = self.runner.left(LIMIT)
        end = time.monotonic() + limit if limit is not None else None
        while any(job.process.poll() is None for job in jobs):
            now = time.monotonic()
            if any(job.failed() for job in jobs):
                end = min(now + GRACE, end) if end else now + GRACE
                jobs = [job for job in jobs if not job.failed()]
            if end and now > end:
                return
            time.sleep(0.02)

    def judge(self, reference, produced, consumed, lossless):
        """How a case ended."""
        for what, (end, _, _) in (('alone', reference), ('consumer', consumed),
                                  ('producer', produced)):
            if end != 'passed':
                return f'failed: {what} {end.removeprefix("failed: ")}'
        if not reference[1] or len(consumed[1]) != len(reference[1]):
            return (f'failed: {len(consumed[1])} frames instead of '
                    f'{len(reference[1])}')
        if lossless and consumed[1] != reference[1]:
            return 'failed: other bytes'
        return 'passed'

    def try_case(self, producer, consumer, ipc_mode, io_mode):
        """What came of producer and consumer, and whether it took copies."""
        ended = self.cross(producer, consumer, ipc_mode, io_mode, False)
        if 'would have to be copied' not in ended[0][2]:
            return *ended, False
        return *self.cross(producer, consumer, ipc_mode, io_mode, True), True

    def run_case(self, name, source, before, ending, ipc_mode, io_mode):
        producer = SOURCES[source].format(**self.words)
        if before:
            producer += f' ! {CUDA} ! {BEFORE[before]}'
        consumer = ENDINGS[ending]
        missing = self.missing(f'{producer} ! {consumer}')
        if source == 'clip' and not self.words['clip'].exists():
            return {'name': name, 'end': 'skipped', 'said': 'no clip packed'}
        if missing:
            return {'name': name, 'end': 'skipped',
                    'said': 'no element ' + ', '.join(missing)}
        if self.runner.is_over():
            return {'name': name, 'end': 'not run: no time left'}
        reference = self.refer(f'{producer} ! {CUDA} ! {consumer} ! {SUMS}')
        produced, consumed, copied = self.try_case(producer, consumer,
                                                   ipc_mode, io_mode)
        return {'name': name,
                'end': self.judge(reference, produced, consumed,
                                  ending != 'encode'),
                'frames': len(consumed[1]),
                'same_bytes': consumed[1] == reference[1],
                'copied_by_sink': copied,
                'said': '\n'.join(filter(None, (reference[2], produced[2],
                                                consumed[2])))}


def run(tree, runner, n_frames, on_result):
    """Calls on_result with what became of each case."""
    pipelines = Pipelines(tree, runner, n_frames)
    for case in cases():
        on_result(pipelines.run_case(*case))
