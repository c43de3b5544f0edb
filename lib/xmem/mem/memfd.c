/* SPDX-License-Identifier: MIT */
/* The system calls behind shared memory. Keeps no state, takes no locks.
 *
 * The seals of one of our files: with F_SEAL_FUTURE_WRITE the mapping made
 * before goes on writing; for everybody else a writable mapping, mprotect,
 * reopening through /proc, pwrite, truncate and hole punching fail (seen on
 * Linux 6.18). */
#include "mem/memfd.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "mem/map.h"

#ifndef F_SEAL_FUTURE_WRITE
#define F_SEAL_FUTURE_WRITE 0x0010
#endif
#define SEALS (F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_FUTURE_WRITE | F_SEAL_SEAL)

static int
no_space (struct xmem_error *error, size_t size, int err)
{
  return xmem_error_set (error,
      err == ENOSPC || err == ENOMEM || err == EFBIG ? XMEM_NO_SPACE
                                                     : XMEM_SYSTEM,
      err, "cannot share %zu bytes of memory", size);
}

int
xmem_memfd_create (
    size_t size, int *fd_out, void **data_out, struct xmem_error *error)
{
  xmem_auto_close int fd = -1;
  void *data;

  fd = memfd_create ("xmem", MFD_CLOEXEC | MFD_ALLOW_SEALING);
  if (fd < 0 || xmem_allocate (fd, 0, size) < 0)
    return no_space (error, size, errno);
  data = xmem_map (fd, 0, size, true);
  if (!data)
    return no_space (error, size, errno);
  if (fcntl (fd, F_ADD_SEALS, SEALS) < 0) {
    int err = errno;

    xmem_unmap (data, size);
    return xmem_error_set (
        error, XMEM_SYSTEM, err, "cannot seal shared memory (Linux 5.1 can)");
  }
  xmem_map_populate (data, size, true);
  *fd_out = xmem_steal_fd (&fd);
  *data_out = data;
  return 0;
}

bool
xmem_memfd_is_sealed (int fd)
{
  int seals = fcntl (fd, F_GET_SEALS);

  return seals >= 0 && seals & F_SEAL_SHRINK
         && seals & (F_SEAL_FUTURE_WRITE | F_SEAL_WRITE);
}

int
xmem_memfd_map (int fd, size_t size, void **data_out, struct xmem_error *error)
{
  struct stat st;
  void *data;

  if (!xmem_memfd_is_sealed (fd))
    return xmem_error_set (
        error, XMEM_PROTOCOL, 0, "the peer sent memory that is not sealed");
  if (fstat (fd, &st) < 0 || st.st_size < 0 || size == 0
      || (uint64_t) st.st_size < size)
    return xmem_error_set (error, XMEM_PROTOCOL, 0,
        "the peer announced %zu bytes of memory and sent fewer", size);
  data = xmem_map (fd, 0, size, false);
  if (!data)
    return xmem_error_set (error, XMEM_SYSTEM, errno,
        "cannot map %zu bytes of shared memory", size);
  /* Not where there are holes: they would be filled at our expense, and a
   * hostile peer can announce any number. */
  if ((uint64_t) st.st_blocks * 512 >= size)
    xmem_map_populate (data, size, false);
  *data_out = data;
  return 0;
}

int
xmem_memfd_from_bytes (
    const void *bytes, size_t size, int *fd_out, struct xmem_error *error)
{
  xmem_auto_close int fd = -1;
  size_t done = 0;
  ssize_t n;

  fd = memfd_create ("xmem-bytes", MFD_CLOEXEC | MFD_ALLOW_SEALING);
  if (fd < 0)
    return no_space (error, size, errno);
  while (done < size) {
    n = write (fd, (const char *) bytes + done, size - done);
    if (n < 0 && errno != EINTR)
      return no_space (error, size, errno);
    done += n > 0 ? (size_t) n : 0;
  }
  if (fcntl (fd, F_ADD_SEALS, SEALS | F_SEAL_WRITE) < 0)
    return xmem_error_set (
        error, XMEM_SYSTEM, errno, "cannot seal shared memory");
  *fd_out = xmem_steal_fd (&fd);
  return 0;
}
