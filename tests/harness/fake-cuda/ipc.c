/* SPDX-License-Identifier: MIT */
/* Handles for other processes: a handle says whose descriptor is meant, and
 * /proc gives another for the same file. So it works between processes that see
 * each other there, which is what the real one needs as well. */
#include "fake.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct fake_ipc
fake_ipc_describe (uint32_t magic, int fd, uint64_t size, int device)
{
  struct fake_ipc ipc = { .magic = magic,
    .pid = (int32_t) getpid (),
    .fd = fd,
    .size = size,
    .uuid = fake_devices[device].uuid };
  struct stat status;

  if (fstat (fd, &status) == 0)
    ipc.inode = status.st_ino;
  return ipc;
}

int
fake_ipc_open (const struct fake_ipc *ipc, uint32_t magic)
{
  char path[64];
  struct stat status;
  int fd;

  if (ipc->magic != magic)
    return -1;
  snprintf (path, sizeof path, "/proc/%d/fd/%d", (int) ipc->pid, (int) ipc->fd);
  fd = open (path, O_RDWR | O_CLOEXEC);
  if (fd < 0)
    return -1;
  if (fstat (fd, &status) == 0 && status.st_ino == ipc->inode)
    return fd;
  close (fd);
  return -1;
}
