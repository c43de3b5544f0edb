/* SPDX-License-Identifier: MIT */
/* File descriptors sent to a publisher, which asked for none: the kernel
 * refuses them (Linux 6.16 and later), or they are closed and their sender is
 * thrown out. */
#include <unistd.h>

#include "abi/golden.h"
#include "fault/bystanders.h"

static void
check_fds (
    struct bystanders *b, size_t golden, unsigned n_fds, bool after_hello)
{
  static const int fds[8] = { 0, 1, 2, 0, 1, 2, 0, 1 };
  uint8_t bytes[256];
  size_t size =
      golden_bytes (golden_messages[golden].hex, bytes, sizeof (bytes));
  int fd = after_hello ? raw_subscribe (b->address, XMEM_DELIVERY_LATEST, 4)
                       : raw_connect (b->address);

  if (raw_send (fd, bytes, size, fds, n_fds))
    harness_assert_status (raw_expect_end (fd), XMEM_PROTOCOL, NULL);
  close (fd);
  harness_wait_until (
      harness_count_other_fds (b->publisher.child.pid) == b->n_fds);
  bystanders_check (b);
}

static void
test_descriptors (void)
{
  struct bystanders b;

  bystanders_start (&b);
  for (unsigned n = 1; n <= 8; n++)
    for (size_t i = 0; i < golden_n_messages; i++) {
      check_fds (&b, i, n, false);
      check_fds (&b, i, n, true);
    }
  bystanders_stop (&b);
}

/* With a message that is skipped they are closed all the same. */
static void
test_descriptors_with_a_skipped_message (void)
{
  static const int fds[4] = { 0, 1, 2, 0 };
  struct bystanders b;
  uint8_t bytes[16];
  int fd;

  bystanders_start (&b);
  golden_bytes ("6300 0000 10000000 0000000000000000", bytes, sizeof (bytes));
  fd = raw_subscribe (b.address, XMEM_DELIVERY_EVERY, 4);
  for (unsigned i = 0; i < 100; i++)
    raw_send (fd, bytes, sizeof (bytes), fds, 1 + i % 4);
  raw_release (fd, 12345); /* the end of it */
  harness_assert_status (raw_expect_end (fd), XMEM_PROTOCOL, NULL);
  g_assert_cmpuint (
      harness_count_other_fds (b.publisher.child.pid), <=, b.n_fds + 1);
  close (fd);
  bystanders_stop (&b);
}

static const struct harness_role roles[] = { { "actor", actor_run },
  { NULL, NULL } };

int
main (int argc, char **argv)
{
  harness_init (&argc, &argv, roles);
  harness_add ("/descriptors", test_descriptors);
  harness_add ("/descriptors-with-a-skipped-message",
      test_descriptors_with_a_skipped_message);
  return g_test_run ();
}
