/* SPDX-License-Identifier: MIT */
/* Moves packets. Understands only whether the bytes are a message; what the
 * message means is peer/'s business.
 *
 * Threads: sending (send, flush) needs the owner's lock; one thread may
 * receive beside it.
 * Invariant: the queue is not empty only while the socket is full. */
#include "ipc/connection.h"

#include <errno.h>
#include <linux/sockios.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "ipc/permissions.h"

/* A peer that lets this many messages pile up beyond its socket's buffer does
 * not read. */
#define MAX_QUEUED 256
/* Messages skipped in one go: whoever floods us with them has no more than its
 * turn. */
#define MAX_SKIPPED 16

struct xmem_queued {
  struct xmem_queued *next;
  struct xmem_packet *packet;
};

struct xmem_packet *
xmem_packet_new (const struct xmem_wire_message *message, int take_fd)
{
  xmem_auto_close int fd = take_fd;
  uint8_t bytes[XMEM_WIRE_MAX_MESSAGE];
  size_t size = xmem_wire_encode (message, bytes, sizeof (bytes));
  struct xmem_packet *packet =
      size > 0 ? malloc (sizeof (*packet) + size) : NULL;

  if (!packet)
    return NULL;
  atomic_init (&packet->refs, 1);
  packet->fd = xmem_steal_fd (&fd);
  packet->size = size;
  memcpy (packet->bytes, bytes, size);
  return packet;
}

struct xmem_packet *
xmem_packet_ref (struct xmem_packet *packet)
{
  atomic_fetch_add_explicit (&packet->refs, 1, memory_order_relaxed);
  return packet;
}

void
xmem_packet_unref (struct xmem_packet *packet)
{
  if (!packet
      || atomic_fetch_sub_explicit (&packet->refs, 1, memory_order_acq_rel)
             != 1)
    return;
  if (packet->fd >= 0)
    close (packet->fd);
  free (packet);
}

/* --- sending ------------------------------------------------------------- */

static int
send_now (int fd, const struct xmem_packet *packet)
{
  union {
    char buffer[CMSG_SPACE (sizeof (int))];
    struct cmsghdr align;
  } control;
  struct iovec iov = { (void *) (uintptr_t) packet->bytes, packet->size };
  struct msghdr header = { .msg_iov = &iov, .msg_iovlen = 1 };
  ssize_t n;

  if (packet->fd >= 0) {
    struct cmsghdr *c = &control.align;

    memset (&control, 0, sizeof (control));
    c->cmsg_level = SOL_SOCKET;
    c->cmsg_type = SCM_RIGHTS;
    c->cmsg_len = CMSG_LEN (sizeof (int));
    memcpy (CMSG_DATA (c), &packet->fd, sizeof (int));
    header.msg_control = control.buffer;
    header.msg_controllen = sizeof (control.buffer);
  }
  do
    n = sendmsg (fd, &header, MSG_NOSIGNAL | MSG_DONTWAIT);
  while (n < 0 && errno == EINTR);
  if (n >= 0)
    return 0;
  if (errno == EAGAIN || errno == ENOBUFS)
    return XMEM_AGAIN;
  if (errno == ETOOMANYREFS) /* fds that were sent and never read */
    return XMEM_FULL;
  return XMEM_GONE;
}

static int
queue (struct xmem_connection *connection, struct xmem_packet *packet)
{
  struct xmem_queued *entry;

  if (connection->n_queued >= MAX_QUEUED)
    return XMEM_FULL;
  entry = calloc (1, sizeof (*entry));
  if (!entry)
    return XMEM_NO_MEMORY;
  entry->packet = xmem_packet_ref (packet);
  if (connection->last)
    connection->last->next = entry;
  else
    connection->first = entry;
  connection->last = entry;
  connection->n_queued++;
  return 0;
}

static void
unqueue (struct xmem_connection *connection)
{
  struct xmem_queued *entry = connection->first;

  connection->first = entry->next;
  if (!connection->first)
    connection->last = NULL;
  connection->n_queued--;
  xmem_packet_unref (entry->packet);
  free (entry);
}

int
xmem_connection_send (
    struct xmem_connection *connection, struct xmem_packet *packet)
{
  int r;

  if (connection->fd < 0)
    return XMEM_GONE;
  if (connection->first)
    return queue (connection, packet);
  r = send_now (connection->fd, packet);
  return r == XMEM_AGAIN ? queue (connection, packet) : r;
}

int
xmem_connection_flush (struct xmem_connection *connection)
{
  int r = 0;

  while (connection->first && connection->fd >= 0) {
    r = send_now (connection->fd, connection->first->packet);
    if (r != 0)
      return r;
    unqueue (connection);
  }
  return 0;
}

bool
xmem_connection_is_empty (const struct xmem_connection *connection)
{
  int unread;

  return !connection->first && ioctl (connection->fd, SIOCOUTQ, &unread) == 0
         && unread == 0;
}

/* --- receiving ----------------------------------------------------------- */

/* Takes the one fd a message may bring; closes what is too many. Returns the
 * number of fds that came. */
static unsigned
take_fds (struct msghdr *header, int *fd_out)
{
  unsigned n = 0;

  *fd_out = -1;
  for (struct cmsghdr *c = CMSG_FIRSTHDR (header); c;
       c = CMSG_NXTHDR (header, c)) {
    size_t count = (c->cmsg_len - CMSG_LEN (0)) / sizeof (int);
    int fd;

    if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
      continue;
    for (size_t i = 0; i < count; i++) {
      memcpy (&fd, CMSG_DATA (c) + i * sizeof (int), sizeof (int));
      if (n++ == 0)
        *fd_out = fd;
      else
        close (fd);
    }
  }
  return n;
}

static ssize_t
receive_bytes (int fd, struct msghdr *header)
{
  ssize_t n;

  /* ECONNRESET says that the peer closed with something unread. It is told
   * once; what the peer sent before is still there. */
  do
    n = recvmsg (fd, header, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
  while (n < 0 && (errno == EINTR || errno == ECONNRESET));
  return n;
}

/* As xmem_connection_receive (), or XMEM_STALE for a message that a later
 * version may send and this one skips. */
static int
receive_one (struct xmem_connection *connection, struct xmem_received *received,
    struct xmem_error *error)
{
  union {
    char buffer[CMSG_SPACE (4 * sizeof (int))];
    struct cmsghdr align;
  } control;
  struct iovec iov = { received->bytes, sizeof (received->bytes) };
  struct msghdr header = { .msg_iov = &iov,
    .msg_iovlen = 1,
    .msg_control = control.buffer,
    .msg_controllen = sizeof (control.buffer) };
  xmem_auto_close int fd = -1;
  unsigned n_fds;
  ssize_t n;
  int r;

  received->fd = -1;
  if (connection->fd < 0)
    return xmem_error_set (error, XMEM_GONE, 0, "not connected");
  n = receive_bytes (connection->fd, &header);
  if (n < 0 && errno == EAGAIN)
    return XMEM_AGAIN;
  if (n < 0)
    return xmem_error_set (error, XMEM_SYSTEM, errno, "cannot receive");
  n_fds = take_fds (&header, &fd);
  /* MSG_CTRUNC also means that this process is out of file descriptors. */
  if (header.msg_flags & (MSG_TRUNC | MSG_CTRUNC))
    return xmem_error_set (error, XMEM_PROTOCOL, 0,
        header.msg_flags & MSG_CTRUNC
            ? "a file descriptor was lost on the way: too many open files?"
            : "a message above %d bytes",
        XMEM_WIRE_MAX_MESSAGE);
  if (n == 0)
    return xmem_error_set (error, XMEM_GONE, 0, "the peer hung up");
  r = xmem_wire_decode (received->bytes, (size_t) n, &received->message, error);
  if (r == 0 && n_fds > 1)
    return xmem_error_set (
        error, XMEM_PROTOCOL, 0, "more file descriptors than announced");
  if (r == 0)
    received->fd = xmem_steal_fd (&fd);
  return r;
}

int
xmem_connection_receive (struct xmem_connection *connection,
    struct xmem_received *received, struct xmem_error *error)
{
  int r = XMEM_STALE;

  for (unsigned i = 0; i < MAX_SKIPPED && r == XMEM_STALE; i++)
    r = receive_one (connection, received, error);
  return r == XMEM_STALE ? XMEM_AGAIN : r;
}

/* --- opening and closing ------------------------------------------------- */

void
xmem_connection_init (struct xmem_connection *connection, int take_fd)
{
  memset (connection, 0, sizeof (*connection));
  connection->fd = take_fd;
}

void
xmem_connection_close (struct xmem_connection *connection)
{
  while (connection->first)
    unqueue (connection);
  if (connection->fd >= 0)
    close (connection->fd);
  connection->fd = -1;
}

int
xmem_connection_open (struct xmem_connection *connection,
    const struct xmem_address *address, struct xmem_error *error)
{
  xmem_auto_close int fd =
      socket (AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

  if (fd < 0)
    return xmem_error_set (error, XMEM_SYSTEM, errno, "cannot make a socket");
  if (connect (fd, (const struct sockaddr *) &address->sun, address->len) < 0) {
    /* EAGAIN: its queue of connections is full. ENOTDIR, ENOENT: not yet. */
    if (errno == ENOENT || errno == ENOTDIR || errno == ECONNREFUSED
        || errno == EAGAIN || errno == EINTR)
      return xmem_error_set (error, XMEM_AGAIN, errno,
          "no publisher answers at %s", address->text);
    if (errno == EACCES || errno == EPERM)
      return xmem_permissions_explain (address, errno, error);
    return xmem_error_set (error, XMEM_SYSTEM, errno,
        errno == EPROTOTYPE ? "%s belongs to another kind of program"
                            : "cannot connect to %s",
        address->text);
  }
  xmem_connection_init (connection, xmem_steal_fd (&fd));
  return 0;
}

bool
xmem_connection_get_peer (
    const struct xmem_connection *connection, pid_t *pid_out, uid_t *uid_out)
{
  struct ucred peer;
  socklen_t size = sizeof (peer);

  if (getsockopt (connection->fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) < 0)
    return false;
  *pid_out = peer.pid;
  *uid_out = peer.uid;
  return true;
}
