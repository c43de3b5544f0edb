/* SPDX-License-Identifier: MIT */
/* Owns the two files that messages bring; they are made once. */
#include "fuzz/records.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

static int
new_memory (unsigned seals)
{
  int fd = memfd_create ("fuzz", MFD_CLOEXEC | MFD_ALLOW_SEALING);

  if (fd < 0 || ftruncate (fd, RECORD_MEMORY_SIZE) < 0
      || fcntl (fd, F_ADD_SEALS, seals) < 0)
    abort ();
  return fd;
}

/* Returns how many there are. */
static unsigned
choose_fds (unsigned kind, int fds[2])
{
  static int sealed = -1, unsealed = -1;

  if (sealed < 0) {
    sealed = new_memory (F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE);
    unsealed = new_memory (F_SEAL_GROW);
  }
  fds[0] = kind == RECORD_UNSEALED ? unsealed : sealed;
  fds[1] = unsealed;
  return kind == RECORD_TWO ? 2 : kind != RECORD_NONE;
}

static ssize_t
send_one (int fd, unsigned kind, const uint8_t *bytes, size_t size)
{
  union {
    char buffer[CMSG_SPACE (2 * sizeof (int))];
    struct cmsghdr align;
  } control = { { 0 } };
  struct iovec iov = { (void *) (uintptr_t) bytes, size };
  struct msghdr header = { .msg_iov = &iov, .msg_iovlen = 1 };
  int fds[2];
  unsigned n = choose_fds (kind, fds);

  if (n > 0) {
    control.align.cmsg_level = SOL_SOCKET;
    control.align.cmsg_type = SCM_RIGHTS;
    control.align.cmsg_len = CMSG_LEN (n * sizeof (int));
    memcpy (CMSG_DATA (&control.align), fds, n * sizeof (int));
    header.msg_control = &control;
    header.msg_controllen = CMSG_SPACE (n * sizeof (int));
  }
  return sendmsg (fd, &header, MSG_NOSIGNAL | MSG_DONTWAIT);
}

void
records_send (int fd, const uint8_t *data, size_t size)
{
  while (size >= 3) {
    size_t length = data[1] | (size_t) data[2] << 8;

    if (length > size - 3)
      length = size - 3;
    if (send_one (fd, data[0] % RECORD_KINDS, data + 3, length) < 0)
      return;
    data += 3 + length;
    size -= 3 + length;
  }
}
