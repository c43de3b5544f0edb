/* SPDX-License-Identifier: MIT */
/* The system calls behind named shared memory. Keeps no state. Threads: any,
 * but threads share the locks of an fd they share.
 *
 * shm_open () could do neither O_TMPFILE nor linkat (); where its objects live
 * is part of the C library's interface on Linux (shm_overview (7)). */
#include "mem/shm.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"

#define FOLDER "/dev/shm"

/* How often a lock is tried, and how long others may keep it: far longer than
 * they need, unless they were stopped. */
#define LOCK_SLICE_NS 200000
#define LOCK_PATIENCE_NS INT64_C (1000000000)
/* What one slice counts for at most. More has passed where we did not run, and
 * then perhaps neither did they: a machine that was paused or is overloaded. */
#define LOCK_SLICE_MAX_NS INT64_C (4000000)

struct path {
  char chars[sizeof (FOLDER) + 1 + NAME_MAX];
};

static struct path
path_of (const char *name)
{
  struct path path;

  snprintf (path.chars, sizeof (path.chars), FOLDER "/%s",
      name[0] == '/' ? name + 1 : name);
  return path;
}

int
xmem_shm_check_name (const char *name, struct xmem_error *error)
{
  const char *plain = name && name[0] == '/' ? name + 1 : name;

  if (!plain || plain[0] == '\0' || strlen (plain) >= NAME_MAX
      || strchr (plain, '/') || strcmp (plain, ".") == 0
      || strcmp (plain, "..") == 0)
    return xmem_error_set (error, XMEM_INVALID, 0,
        "a pool's name is \"/name\": 1 to %d bytes, no further slash",
        NAME_MAX - 1);
  return 0;
}

static int
status_of (int err)
{
  switch (err) {
    case ENOENT:
      return XMEM_NOT_FOUND;
    case EACCES:
    case EPERM:
      return XMEM_REFUSED;
    case EEXIST:
      return XMEM_IN_USE;
    case ENOSPC:
    case ENOMEM:
      return XMEM_NO_SPACE;
    case EISDIR: /* the name is that of something else */
    case ELOOP:
    case ENXIO:
      return XMEM_CORRUPT;
    default:
      return XMEM_SYSTEM;
  }
}

static int
failed (struct xmem_error *error, const char *what, const char *path, int err)
{
  return xmem_error_set (
      error, status_of (err), err, "cannot %s %s", what, path);
}

int
xmem_shm_make (mode_t mode, int *fd_out, struct xmem_error *error)
{
  xmem_auto_close int fd =
      open (FOLDER, O_TMPFILE | O_RDWR | O_CLOEXEC, S_IRUSR | S_IWUSR);

  if (fd < 0)
    return failed (error, "make a file in", FOLDER, errno);
  if (fchmod (fd, mode) < 0)
    return failed (error, "set permissions of a file in", FOLDER, errno);
  *fd_out = xmem_steal_fd (&fd);
  return 0;
}

/* The object behind fd, whether or not it has a name. */
static struct path
path_of_fd (int fd)
{
  struct path path;

  snprintf (path.chars, sizeof (path.chars), "/proc/self/fd/%d", fd);
  return path;
}

int
xmem_shm_reopen (int fd, int *fd_out, struct xmem_error *error)
{
  struct path path = path_of_fd (fd);

  *fd_out = open (path.chars, O_RDWR | O_CLOEXEC);
  return *fd_out >= 0 ? 0 : failed (error, "open", path.chars, errno);
}

int
xmem_shm_publish (int fd, const char *name, struct xmem_error *error)
{
  struct path self = path_of_fd (fd);
  struct path path = path_of (name);

  if (linkat (AT_FDCWD, self.chars, AT_FDCWD, path.chars, AT_SYMLINK_FOLLOW)
      < 0)
    return failed (error, "name", path.chars, errno);
  return 0;
}

int
xmem_shm_open (const char *name, int *fd_out, struct xmem_error *error)
{
  struct path path = path_of (name);

  /* Not to wait for who opens the other end of a pipe. */
  *fd_out = open (path.chars, O_RDWR | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
  return *fd_out >= 0 ? 0 : failed (error, "open", path.chars, errno);
}

static bool
is_same (const struct stat *one, const struct stat *other)
{
  return one->st_dev == other->st_dev && one->st_ino == other->st_ino;
}

bool
xmem_shm_is_named (int fd, const char *name)
{
  struct path path = path_of (name);
  struct stat here;
  struct stat there;

  return fstat (fd, &here) == 0 && lstat (path.chars, &there) == 0
         && is_same (&here, &there);
}

bool
xmem_shm_is_linked (int fd, int other_fd)
{
  struct stat one;
  struct stat other;

  return fstat (fd, &one) == 0 && fstat (other_fd, &other) == 0
         && is_same (&one, &other) && one.st_nlink > 0;
}

int
xmem_shm_unlink (const char *name, struct xmem_error *error)
{
  struct path path = path_of (name);

  if (unlink (path.chars) < 0 && errno != ENOENT)
    return failed (error, "unlink", path.chars, errno);
  return 0;
}

static int
lock_op (int fd, int op, short type, unsigned byte, unsigned n_bytes,
    short *type_out)
{
  struct flock lock = { .l_type = type,
    .l_whence = SEEK_SET,
    .l_start = (off_t) byte,
    .l_len = (off_t) n_bytes };
  int r = fcntl (fd, op, &lock);

  if (type_out)
    *type_out = lock.l_type;
  return r;
}

bool
xmem_shm_try_lock (int fd, unsigned byte)
{
  return lock_op (fd, F_OFD_SETLK, F_WRLCK, byte, 1, NULL) == 0;
}

bool
xmem_shm_lock (int fd, unsigned byte, int64_t deadline)
{
  const struct timespec slice = { .tv_nsec = LOCK_SLICE_NS };
  int64_t patience = LOCK_PATIENCE_NS;
  int64_t last = xmem_clock_now ();

  while (!xmem_shm_try_lock (fd, byte)) {
    int64_t now = xmem_clock_now ();

    patience -= now - last < LOCK_SLICE_MAX_NS ? now - last : LOCK_SLICE_MAX_NS;
    if (now >= deadline || patience <= 0)
      return false;
    last = now;
    nanosleep (&slice, NULL);
  }
  return true;
}

void
xmem_shm_unlock (int fd, unsigned byte, unsigned n_bytes)
{
  (void) lock_op (fd, F_OFD_SETLK, F_UNLCK, byte, n_bytes, NULL);
}

bool
xmem_shm_is_locked (int fd, unsigned byte, unsigned n_bytes)
{
  short type = F_UNLCK;

  return lock_op (fd, F_OFD_GETLK, F_WRLCK, byte, n_bytes, &type) < 0
         || type != F_UNLCK;
}
