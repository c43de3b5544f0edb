/* SPDX-License-Identifier: MIT */
/* Hand-made peers. Keeps no state. */
#include "harness/raw.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static int
new_socket (const char *path, struct sockaddr_un *sun)
{
  int fd = socket (AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);

  g_assert_cmpint (fd, >=, 0);
  memset (sun, 0, sizeof (*sun));
  sun->sun_family = AF_UNIX;
  g_assert_cmpuint (g_strlcpy (sun->sun_path, path, sizeof (sun->sun_path)), <,
      sizeof (sun->sun_path));
  return fd;
}

int
raw_connect (const char *path)
{
  struct sockaddr_un sun;
  int fd = new_socket (path, &sun);

  if (connect (fd, (struct sockaddr *) &sun, sizeof (sun)) < 0)
    g_error ("cannot connect to %s: %s", path, g_strerror (errno));
  return fd;
}

int
raw_listen (const char *path)
{
  struct sockaddr_un sun;
  int fd = new_socket (path, &sun);

  unlink (path); /* an earlier one's */
  if (bind (fd, (struct sockaddr *) &sun, sizeof (sun)) < 0
      || listen (fd, 16) < 0)
    g_error ("cannot listen at %s: %s", path, g_strerror (errno));
  return fd;
}

int
raw_accept (int listener)
{
  int fd = accept4 (listener, NULL, NULL, SOCK_CLOEXEC);

  g_assert_cmpint (fd, >=, 0);
  return fd;
}

bool
raw_send (
    int fd, const void *bytes, size_t size, const int *fds, unsigned n_fds)
{
  union {
    char buffer[CMSG_SPACE (8 * sizeof (int))];
    struct cmsghdr align;
  } control = { { 0 } };
  struct iovec iov = { (void *) (uintptr_t) bytes, size };
  struct msghdr header = { .msg_iov = &iov, .msg_iovlen = 1 };

  g_assert_cmpuint (n_fds, <=, 8);
  if (n_fds > 0) {
    control.align.cmsg_level = SOL_SOCKET;
    control.align.cmsg_type = SCM_RIGHTS;
    control.align.cmsg_len = CMSG_LEN (n_fds * sizeof (int));
    memcpy (CMSG_DATA (&control.align), fds, n_fds * sizeof (int));
    header.msg_control = &control;
    header.msg_controllen = CMSG_SPACE (n_fds * sizeof (int));
  }
  if (sendmsg (fd, &header, MSG_NOSIGNAL) >= 0)
    return true;
  /* EPERM: the receiver takes no descriptors (SO_PASSRIGHTS). */
  g_assert_true (
      errno == EPIPE || errno == ECONNRESET || (n_fds > 0 && errno == EPERM));
  return false;
}

void
raw_send_message (int fd, const struct xmem_wire_message *message, int with_fd)
{
  uint8_t bytes[XMEM_WIRE_MAX_MESSAGE];
  size_t size = xmem_wire_encode (message, bytes, sizeof (bytes));

  g_assert_cmpuint (size, >, 0);
  raw_send (fd, bytes, size, &with_fd, with_fd >= 0);
}

int
raw_receive (int fd, struct xmem_received *received)
{
  struct xmem_connection connection;
  struct pollfd wait = { .fd = fd, .events = POLLIN };
  struct xmem_error error;
  int r;

  xmem_connection_init (&connection, fd);
  while ((r = xmem_connection_receive (&connection, received, &error))
         == XMEM_AGAIN)
    poll (&wait, 1, -1);
  return r;
}

void
raw_expect (int fd, enum xmem_wire_type type, struct xmem_received *received)
{
  harness_assert_ok (raw_receive (fd, received), NULL);
  g_assert_cmpint (received->message.type, ==, type);
  if (received->fd >= 0)
    close (received->fd);
}

int
raw_expect_end (int fd)
{
  struct xmem_received received;

  while (raw_receive (fd, &received) == 0) {
    if (received.fd >= 0)
      close (received.fd);
    if (received.message.type == XMEM_WIRE_ERROR)
      return received.message.error.status;
  }
  return XMEM_GONE;
}

int
raw_subscribe (
    const char *path, enum xmem_delivery delivery, unsigned n_buffers)
{
  struct xmem_wire_message m = { .type = XMEM_WIRE_HELLO };
  struct xmem_received received;
  int fd = raw_connect (path);

  m.hello.version_min = XMEM_WIRE_VERSION_MIN;
  m.hello.version_max = XMEM_WIRE_VERSION_MAX;
  m.hello.n_buffers = n_buffers;
  m.hello.delivery = delivery;
  m.hello.pid = (uint32_t) getpid ();
  raw_send_message (fd, &m, -1);
  raw_expect (fd, XMEM_WIRE_WELCOME, &received);
  return fd;
}

void
raw_release (int fd, uint64_t sequence)
{
  struct xmem_wire_message m = { .type = XMEM_WIRE_RELEASE,
    .sequences = { 1, { sequence } } };

  raw_send_message (fd, &m, -1);
}

int
raw_memfd (size_t size, unsigned seals)
{
  int fd = memfd_create ("raw", MFD_CLOEXEC | MFD_ALLOW_SEALING);

  g_assert_cmpint (fd, >=, 0);
  g_assert_cmpint (ftruncate (fd, (off_t) size), ==, 0);
  g_assert_cmpint (fcntl (fd, F_ADD_SEALS, seals), ==, 0);
  return fd;
}
