#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Runs what examples/containers say, without Docker or Kubernetes: the commands
as written, by the users given, in mount, pid, ipc and net namespaces of their
own, with a common folder at /run/xmem, until the consumer has shown frames.

usage: container-files-work.py SOURCE_ROOT
"""
import os
import pathlib
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import time

try:
    import yaml
except ImportError:
    yaml = None

# What a container of either file is started with, and takes the place of.
IN_CONTAINER = '''
mount -t tmpfs -o mode=0755 tmpfs /run
mkdir /run/xmem
mount --bind "$1" /run/xmem
[ "$2" = rw ] || mount -o remount,bind,ro /run/xmem
mount -t tmpfs -o size=64k tmpfs /dev/shm
user=$3 group=$4
shift 4
exec setpriv --reuid "$user" --regid "$group" --clear-groups "$@"
'''


class Container:
    """What one of the files says of one of its containers."""

    def __init__(self, name, user, group, read_only, argv):
        self.name = name
        self.user, self.group = int(user), int(group)
        self.read_only = read_only
        self.argv = argv


def read_compose(path):
    """The containers of a Compose file, by name."""
    content = yaml.safe_load(path.read_text())
    for name, service in content['services'].items():
        volume, = service['volumes']
        source, target, *options = volume.split(':')
        assert source in content['volumes'] and target == '/run/xmem'
        assert not {'ipc', 'pid', 'privileged', 'cap_add'} & service.keys()
        user, group = service['user'].split(':')
        yield Container(name, user, group, options == ['ro'],
                        shlex.split(service['command']))


def read_pod(path):
    """The containers of a pod, by name."""
    content = yaml.safe_load(path.read_text())
    assert (content['apiVersion'], content['kind']) == ('v1', 'Pod')
    spec = content['spec']
    volume, = spec['volumes']
    assert not {'hostIPC', 'hostPID', 'hostNetwork'} & spec.keys()
    for container in spec['containers']:
        mount, = container['volumeMounts']
        assert mount['mountPath'] == '/run/xmem'
        assert mount['name'] == volume['name']
        assert spec['securityContext']['fsGroup'] == \
            spec['securityContext']['runAsGroup']
        yield Container(container['name'],
                        container['securityContext']['runAsUser'],
                        spec['securityContext']['runAsGroup'],
                        mount.get('readOnly', False),
                        container['command'] + container['args'])


def environment(folder):
    """Ours, with a registry that every user may read."""
    env = {**os.environ, 'GST_REGISTRY': f'{folder}/registry'}
    env.pop('XDG_RUNTIME_DIR', None)
    if os.path.exists(os.environ.get('GST_REGISTRY', '')):
        shutil.copyfile(os.environ['GST_REGISTRY'], env['GST_REGISTRY'])
        os.chmod(env['GST_REGISTRY'], 0o644)
    if 'XMEM_PRELOAD' in env:  # see tests/run
        env.update(LD_PRELOAD=env['XMEM_PRELOAD'],
                   ASAN_OPTIONS='detect_leaks=0')
    return env


def start(container, folder, output):
    """The container as a group of processes."""
    argv = ['unshare', '--mount', '--pid', '--ipc', '--net', '--fork',
            'sh', '-eu', '-c', IN_CONTAINER, 'sh',
            f'{folder}/shared', 'ro' if container.read_only else 'rw',
            str(container.user), str(container.group), *container.argv]
    return subprocess.Popen(argv, stdout=output, stderr=output,
                            env=environment(folder), start_new_session=True)


def stop(process):
    """Ends all of it: a signal at the parent's death, as `unshare --kill-child`
    asks for, would be forgotten when the user changes."""
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def run(containers):
    """Plays them until the consumer has rendered; its last words if not."""
    by_name = {container.name: container for container in containers}
    producer, consumer = by_name['producer'], by_name['consumer']
    assert producer.group == consumer.group and consumer.read_only
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o755)
        os.mkdir(f'{folder}/shared')
        os.chown(f'{folder}/shared', producer.user, producer.group)
        os.chmod(f'{folder}/shared', 0o750)
        said = pathlib.Path(folder, 'said')
        with said.open('w') as output:
            running = [start(container, folder, output)
                       for container in (consumer, producer)]
        while 'rendered: ' not in said.read_text() \
                and all(process.poll() is None for process in running):
            time.sleep(0.05)
        for process in running:
            stop(process)
        text = said.read_text()
    assert 'rendered: ' in text, text


def main(root):
    examples = pathlib.Path(root, 'examples/containers')
    if yaml is None:
        print('there is no Python module yaml here')
        return 77
    files = {'compose.yaml': list(read_compose(examples / 'compose.yaml')),
             'pod.yaml': list(read_pod(examples / 'pod.yaml'))}
    if os.geteuid() != 0 or subprocess.run(
            ['unshare', '--mount', '--pid', '--ipc', '--net', '--fork', 'true'],
            check=False).returncode != 0:
        print('only root can have namespaces and users of its own')
        return 77
    for name, containers in files.items():
        run(containers)
        print(f'{name}: the consumer has shown frames')
    return 0


if __name__ == '__main__':
    sys.exit(main(*sys.argv[1:]))
