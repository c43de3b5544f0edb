/* SPDX-License-Identifier: MIT */
/* Binding. All of it happens under a flock on the folder: bind and listen
 * under a temporary name, probe who answers at the real one, rename. So at no
 * time does the path lead to a socket that does not listen, and of two
 * processes that start at once one gets a clear answer. */
#include "ipc/listener.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"

#ifndef SO_PASSRIGHTS
#define SO_PASSRIGHTS 83
#endif
#define BACKLOG 128
#define LOCK_TIMEOUT_NS INT64_C (200000000)

static int
new_socket (void)
{
  return socket (AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
}

/* Splits "a/b/c" into the folder "a/b" and the name "c". */
static const char *
split_path (const char *path, char *folder, size_t size)
{
  const char *slash = strrchr (path, '/');

  if (slash == path)
    snprintf (folder, size, "/");
  else
    snprintf (folder, size, "%.*s", (int) (slash - path), path);
  return slash + 1;
}

/* Opens and locks the folder of a path; the lock goes with the fd. Whoever
 * holds it does so for microseconds, unless it was stopped, or means harm: then
 * we go on without, and only processes that start at the same instant may not
 * notice each other. */
static int
lock_folder (const char *path, int *fd_out, struct xmem_error *error)
{
  const struct timespec pause = { 0, 10000000 };
  int64_t deadline = xmem_clock_deadline (LOCK_TIMEOUT_NS);
  xmem_auto_close int fd = -1;
  char folder[sizeof (((struct sockaddr_un *) 0)->sun_path)];

  split_path (path, folder, sizeof (folder));
  fd = open (folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0)
    return xmem_error_set (
        error, XMEM_SYSTEM, errno, "cannot open the folder %s", folder);
  while (flock (fd, LOCK_EX | LOCK_NB) < 0 && errno == EWOULDBLOCK
         && xmem_clock_now () < deadline)
    nanosleep (&pause, NULL);
  *fd_out = xmem_steal_fd (&fd);
  return 0;
}

/* Who listens at the address: 0 when nobody does, else XMEM_IN_USE. */
static int
probe (const struct xmem_address *address, struct xmem_error *error)
{
  xmem_auto_close int fd = new_socket ();
  struct ucred owner = { 0, 0, 0 };
  socklen_t size = sizeof (owner);
  struct stat st;

  if (!xmem_address_is_abstract (address)) {
    if (lstat (address->text, &st) < 0)
      return 0;
    if (!S_ISSOCK (st.st_mode))
      return xmem_error_set (error, XMEM_IN_USE, 0,
          "%s exists and is not a socket", address->text);
  }
  if (connect (fd, (const struct sockaddr *) &address->sun, address->len) < 0
      && (errno == ECONNREFUSED || errno == ENOENT))
    return 0;
  if (getsockopt (fd, SOL_SOCKET, SO_PEERCRED, &owner, &size) == 0
      && owner.pid > 0)
    return xmem_error_set (error, XMEM_IN_USE, 0, "%s is in use by process %d",
        address->text, (int) owner.pid);
  return xmem_error_set (
      error, XMEM_IN_USE, 0, "%s is in use by another process", address->text);
}

static int
bind_failed (
    const struct xmem_address *address, int err, struct xmem_error *error)
{
  return xmem_error_set (error,
      err == EACCES || err == EROFS ? XMEM_REFUSED : XMEM_SYSTEM, err,
      "cannot listen at %s", address->text);
}

static int
open_abstract (struct xmem_listener *l,
    const struct xmem_permissions *permissions, struct xmem_error *error)
{
  int err;

  if (permissions->group != XMEM_NO_GROUP)
    return xmem_error_set (error, XMEM_INVALID, 0,
        "the abstract address %s has no group", l->address.text);
  if (bind (l->fd, (const struct sockaddr *) &l->address.sun, l->address.len)
          == 0
      && listen (l->fd, BACKLOG) == 0)
    return 0;
  err = errno;
  if (err == EADDRINUSE && probe (&l->address, error) != 0)
    return XMEM_IN_USE;
  return bind_failed (&l->address, err, error);
}

/* The name a socket has until it listens: ".NAME~" beside it. Only touched
 * under the folder's lock, so what a crash left there is simply replaced. */
static int
temporary (const struct xmem_address *address, struct sockaddr_un *sun,
    struct xmem_error *error)
{
  char folder[sizeof (sun->sun_path)];
  const char *name = split_path (address->text, folder, sizeof (folder));
  int n;

  sun->sun_family = AF_UNIX;
  n = snprintf (sun->sun_path, sizeof (sun->sun_path), "%s/.%s~", folder, name);
  if (n < 0 || (size_t) n >= sizeof (sun->sun_path))
    return xmem_error_set (error, XMEM_INVALID, 0,
        "the address %s is too long by some bytes", address->text);
  return 0;
}

static int
open_path (struct xmem_listener *l, const struct xmem_permissions *permissions,
    struct xmem_error *error)
{
  struct sockaddr_un sun = { 0 };
  xmem_auto_close int folder = -1;
  struct stat st;
  int r;

  r = temporary (&l->address, &sun, error);
  if (r != 0)
    return r;
  r = lock_folder (l->address.text, &folder, error);
  if (r == 0)
    r = probe (&l->address, error);
  if (r != 0)
    return r;
  unlink (sun.sun_path);
  if (bind (l->fd, (struct sockaddr *) &sun, sizeof (sun)) < 0)
    return bind_failed (&l->address, errno, error);
  r = xmem_permissions_apply (permissions, sun.sun_path, error);
  if (r == 0
      && (listen (l->fd, BACKLOG) < 0 || stat (sun.sun_path, &st) < 0
          || rename (sun.sun_path, l->address.sun.sun_path) < 0))
    r = bind_failed (&l->address, errno, error);
  if (r != 0) {
    unlink (sun.sun_path);
    return r;
  }
  l->device = st.st_dev;
  l->inode = st.st_ino;
  return 0;
}

/* Nobody has to send us descriptors, and closing one that was sent can take as
 * long as its sender likes (a socket that lingers, a file on FUSE). Accepted
 * sockets inherit this; Linux before 6.16 does not know it. */
static void
refuse_fds (int fd)
{
  const int no = 0;

  (void) setsockopt (fd, SOL_SOCKET, SO_PASSRIGHTS, &no, sizeof (no));
}

static void
close_fds (struct xmem_listener *listener)
{
  xmem_close_p (&listener->fd);
  xmem_close_p (&listener->spare_fd);
  listener->fd = listener->spare_fd = -1;
}

int
xmem_listener_open (struct xmem_listener *listener,
    const struct xmem_address *address,
    const struct xmem_permissions *permissions, struct xmem_error *error)
{
  int r;

  memset (listener, 0, sizeof (*listener));
  listener->address = *address;
  listener->fd = new_socket ();
  listener->spare_fd = new_socket ();
  refuse_fds (listener->fd);
  if (listener->fd < 0 || listener->spare_fd < 0) {
    r = xmem_error_set (error, XMEM_SYSTEM, errno, "cannot make a socket");
    close_fds (listener);
    return r;
  }
  r = xmem_address_is_abstract (address)
          ? open_abstract (listener, permissions, error)
          : open_path (listener, permissions, error);
  if (r != 0)
    close_fds (listener);
  return r;
}

void
xmem_listener_close (struct xmem_listener *listener)
{
  const char *path = listener->address.text;
  struct stat st;

  if (listener->fd < 0)
    return;
  if (!xmem_address_is_abstract (&listener->address)) {
    xmem_auto_close int folder = -1;

    (void) lock_folder (path, &folder, NULL);
    if (stat (path, &st) == 0 && st.st_dev == listener->device
        && st.st_ino == listener->inode)
      unlink (path);
  }
  close_fds (listener);
}

static int
accept_one (struct xmem_listener *listener)
{
  int fd;

  do
    fd = accept4 (listener->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
  while (fd < 0 && (errno == EINTR || errno == ECONNABORTED));
  return fd;
}

int
xmem_listener_accept (struct xmem_listener *listener)
{
  int fd = accept_one (listener);

  /* Out of fds the connection would stay, and with it the event. */
  if (fd < 0 && (errno == EMFILE || errno == ENFILE)
      && listener->spare_fd >= 0) {
    close (listener->spare_fd);
    fd = accept_one (listener);
    xmem_close_p (&fd);
    listener->spare_fd = new_socket ();
    fd = -1;
  }
  return fd;
}
