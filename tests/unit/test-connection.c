/* SPDX-License-Identifier: MIT */
/* ipc/connection: whole messages and their fds over a socket pair. */
#include "ipc/connection.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "harness/harness.h"
#include "harness/messages.h"
#include "harness/raw.h"

struct pair {
  struct xmem_connection here;
  struct xmem_connection there;
};

static void
open_pair (struct pair *pair)
{
  int fds[2];

  g_assert_cmpint (socketpair (AF_UNIX,
                       SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds),
      ==, 0);
  xmem_connection_init (&pair->here, fds[0]);
  xmem_connection_init (&pair->there, fds[1]);
}

static void
close_pair (struct pair *pair)
{
  xmem_connection_close (&pair->here);
  xmem_connection_close (&pair->here); /* may be called again */
  xmem_connection_close (&pair->there);
}

static struct xmem_packet *
new_packet (uint64_t number, int take_fd)
{
  const struct xmem_wire_message m = { .type = XMEM_WIRE_EOS, .eos = number };
  struct xmem_packet *packet = xmem_packet_new (&m, take_fd);

  g_assert_nonnull (packet);
  return packet;
}

static int
send_number (struct xmem_connection *connection, uint64_t number)
{
  struct xmem_packet *packet = new_packet (number, -1);
  int r = xmem_connection_send (connection, packet);

  xmem_packet_unref (packet);
  return r;
}

static int
receive (struct xmem_connection *connection, struct xmem_received *received)
{
  memset (received, 0xee, sizeof (*received));
  return xmem_connection_receive (connection, received, NULL);
}

static void
expect_number (struct xmem_connection *connection, uint64_t number)
{
  struct xmem_received received;

  harness_assert_ok (receive (connection, &received), NULL);
  g_assert_cmpint (received.message.type, ==, XMEM_WIRE_EOS);
  g_assert_cmpuint (received.message.eos, ==, number);
  g_assert_cmpint (received.fd, ==, -1);
}

static void
test_messages_come_whole_and_in_order (void)
{
  struct xmem_received received;
  struct pair pair;

  open_pair (&pair);
  harness_assert_status (receive (&pair.there, &received), XMEM_AGAIN, NULL);
  for (unsigned i = 0; i < 20; i++)
    harness_assert_ok (send_number (&pair.here, i), NULL);
  for (unsigned i = 0; i < 20; i++)
    expect_number (&pair.there, i);
  harness_assert_status (receive (&pair.there, &received), XMEM_AGAIN, NULL);
  close_pair (&pair);
}

static void
test_largest_message (void)
{
  static char text[XMEM_WIRE_MAX_INLINE_METAS];
  struct xmem_wire_message m = { .type = XMEM_WIRE_FRAME };
  struct xmem_packet *packet;
  struct xmem_received received;
  struct pair pair;

  open_pair (&pair);
  memset (text, 'x', sizeof (text));
  m.frame.n_regions = XMEM_MAX_REGIONS;
  m.frame.info.metas = text;
  m.frame.info.metas_size = sizeof (text);
  packet = xmem_packet_new (&m, -1);
  harness_assert_ok (xmem_connection_send (&pair.here, packet), NULL);
  harness_assert_ok (receive (&pair.there, &received), NULL);
  g_assert_true (messages_equal (&received.message, &m));
  xmem_packet_unref (packet);
  m.frame.n_regions = 17;
  g_assert_null (xmem_packet_new (&m, -1));
  close_pair (&pair);
}

/* --- file descriptors ---------------------------------------------------- */

static void
test_descriptor_travels (void)
{
  struct xmem_packet *packet =
      new_packet (1, open ("/dev/null", O_RDWR | O_CLOEXEC));
  struct xmem_received received;
  struct pair pair;

  open_pair (&pair);
  harness_assert_ok (xmem_connection_send (&pair.here, packet), NULL);
  harness_assert_ok (xmem_connection_send (&pair.here, packet), NULL);
  xmem_packet_unref (packet);
  for (unsigned i = 0; i < 2; i++) {
    harness_assert_ok (receive (&pair.there, &received), NULL);
    g_assert_cmpint (received.fd, >=, 0);
    g_assert_cmpint (fcntl (received.fd, F_GETFD) & FD_CLOEXEC, !=, 0);
    g_assert_cmpint (write (received.fd, "x", 1), ==, 1);
    close (received.fd);
  }
  close_pair (&pair);
}

static void
test_unread_descriptors_are_closed (void)
{
  struct xmem_packet *packet =
      new_packet (1, open ("/dev/null", O_RDWR | O_CLOEXEC));
  struct pair pair;

  open_pair (&pair);
  harness_assert_ok (xmem_connection_send (&pair.here, packet), NULL);
  xmem_packet_unref (packet);
  close_pair (&pair); /* the harness counts */
}

static void
test_packet_that_cannot_be_made_takes_its_fd (void)
{
  const struct xmem_wire_message m = { .type = XMEM_WIRE_RELEASE,
    .sequences.n = 1000 };

  g_assert_null (xmem_packet_new (&m, open ("/dev/null", O_RDWR | O_CLOEXEC)));
}

static void
test_more_descriptors_than_one (void)
{
  const int fds[8] = { 0, 1, 2, 0, 1, 2, 0, 1 };
  struct xmem_packet *packet = new_packet (1, -1);
  struct xmem_received received;
  struct pair pair;

  for (unsigned n = 2; n <= 8; n++) {
    open_pair (&pair);
    raw_send (pair.here.fd, packet->bytes, packet->size, fds, n);
    harness_assert_status (
        receive (&pair.there, &received), XMEM_PROTOCOL, NULL);
    g_assert_cmpint (received.fd, ==, -1);
    close_pair (&pair);
  }
  xmem_packet_unref (packet);
}

/* --- the end ------------------------------------------------------------- */

/* A peer that closes with something unread: what it sent still counts. */
static void
test_reset_is_not_the_end (void)
{
  struct xmem_received received;
  struct pair pair;

  open_pair (&pair);
  harness_assert_ok (send_number (&pair.there, 99), NULL); /* unread */
  harness_assert_ok (send_number (&pair.here, 1), NULL);
  harness_assert_ok (send_number (&pair.here, 2), NULL);
  xmem_connection_close (&pair.here);
  expect_number (&pair.there, 1);
  expect_number (&pair.there, 2);
  for (unsigned i = 0; i < 3; i++)
    harness_assert_status (receive (&pair.there, &received), XMEM_GONE, NULL);
  harness_assert_status (send_number (&pair.there, 3), XMEM_GONE, NULL);
  close_pair (&pair);
  harness_assert_status (receive (&pair.there, &received), XMEM_GONE, NULL);
  harness_assert_status (send_number (&pair.there, 3), XMEM_GONE, NULL);
}

/* --- a peer that does not read ------------------------------------------- */

static void
test_queue_keeps_order_and_has_an_end (void)
{
  struct xmem_received received;
  struct pair pair;
  uint64_t n = 0;
  int r;

  open_pair (&pair);
  while ((r = send_number (&pair.here, n)) == 0)
    n++;
  harness_assert_status (r, XMEM_FULL, NULL);
  g_assert_cmpuint (pair.here.n_queued, >, 0);
  g_assert_cmpuint (n, >, pair.here.n_queued);
  harness_assert_status (xmem_connection_flush (&pair.here), XMEM_AGAIN, NULL);
  for (uint64_t i = 0; i < n; i++) {
    r = receive (&pair.there, &received);
    if (r == XMEM_AGAIN) { /* the socket is empty, the queue is not */
      (void) xmem_connection_flush (&pair.here);
      r = receive (&pair.there, &received);
    }
    harness_assert_ok (r, NULL);
    g_assert_cmpuint (received.message.eos, ==, i);
  }
  harness_assert_ok (xmem_connection_flush (&pair.here), NULL);
  g_assert_cmpuint (pair.here.n_queued, ==, 0);
  harness_assert_ok (send_number (&pair.here, 7), NULL);
  expect_number (&pair.there, 7);
  close_pair (&pair);
}

static void
test_queue_goes_with_the_connection (void)
{
  struct xmem_packet *packet =
      new_packet (1, open ("/dev/null", O_RDWR | O_CLOEXEC));
  struct pair pair;

  open_pair (&pair);
  while (xmem_connection_send (&pair.here, packet) == 0)
    ;
  xmem_packet_unref (packet);
  close_pair (&pair);
}

static void
test_queue_hears_of_the_hang_up (void)
{
  struct pair pair;

  open_pair (&pair);
  while (send_number (&pair.here, 1) == 0)
    ;
  xmem_connection_close (&pair.there);
  harness_assert_status (xmem_connection_flush (&pair.here), XMEM_GONE, NULL);
  close_pair (&pair);
}

/* --- a peer that sends too much ------------------------------------------ */

/* However many messages are to be skipped, the caller gets its turn. */
static void
test_skipping_has_an_end (void)
{
  static const uint8_t unknown[16] = { 99, 0, 0, 0, 16 };
  struct xmem_received received;
  struct pair pair;
  unsigned n_sent = 0, n_calls = 0;

  open_pair (&pair);
  while (send (pair.here.fd, unknown, sizeof (unknown), MSG_DONTWAIT) > 0)
    n_sent++;
  g_assert_cmpuint (n_sent, >, 100);
  while (recv (pair.there.fd, &received, 1, MSG_PEEK) > 0) {
    harness_assert_status (receive (&pair.there, &received), XMEM_AGAIN, NULL);
    n_calls++;
  }
  g_assert_cmpuint (n_calls, >, 1);
  close_pair (&pair);
}

static void
test_peer_is_known (void)
{
  struct pair pair;
  pid_t pid;
  uid_t uid;

  open_pair (&pair);
  g_assert_true (xmem_connection_get_peer (&pair.here, &pid, &uid));
  g_assert_cmpint (pid, ==, getpid ());
  g_assert_cmpint (uid, ==, geteuid ());
  close_pair (&pair);
}

int
main (int argc, char **argv)
{
  harness_init (&argc, &argv, NULL);
  harness_add ("/messages-come-whole-and-in-order",
      test_messages_come_whole_and_in_order);
  harness_add ("/largest-message", test_largest_message);
  harness_add ("/descriptor-travels", test_descriptor_travels);
  harness_add (
      "/unread-descriptors-are-closed", test_unread_descriptors_are_closed);
  harness_add ("/packet-that-cannot-be-made-takes-its-fd",
      test_packet_that_cannot_be_made_takes_its_fd);
  harness_add ("/more-descriptors-than-one", test_more_descriptors_than_one);
  harness_add ("/reset-is-not-the-end", test_reset_is_not_the_end);
  harness_add ("/queue-keeps-order-and-has-an-end",
      test_queue_keeps_order_and_has_an_end);
  harness_add (
      "/queue-goes-with-the-connection", test_queue_goes_with_the_connection);
  harness_add ("/queue-hears-of-the-hang-up", test_queue_hears_of_the_hang_up);
  harness_add ("/skipping-has-an-end", test_skipping_has_an_end);
  harness_add ("/peer-is-known", test_peer_is_known);
  return g_test_run ();
}
