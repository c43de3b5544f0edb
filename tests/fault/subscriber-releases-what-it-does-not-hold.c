/* SPDX-License-Identifier: MIT */
/* Releases of frames that were never sent to it, or are released already:
 * others' frames stay theirs, and the liar gets no more. */
#include <unistd.h>

#include "fault/bystanders.h"

static unsigned
frames_held (struct bystanders *b)
{
  struct xmem_publisher_stats stats;

  actor_get_publisher_stats (&b->publisher, &stats);
  return stats.frames_held;
}

/* The reader holds a frame from before the liar came. */
static void
test_frames_of_others (void)
{
  struct bystanders b;
  uint64_t held;
  int fd;

  bystanders_start (&b);
  held = b.next++;
  harness_assert_ok (actor_publish (&b.publisher, 5000, held, 0, -1), NULL);
  actor_expect_frame (&b.reader, held);
  fd = raw_subscribe (b.address, XMEM_DELIVERY_LATEST, 4);
  raw_release (fd, held);
  harness_assert_status (raw_expect_end (fd), XMEM_PROTOCOL, NULL);
  harness_wait_until (frames_held (&b) == 1);
  bystanders_check (&b); /* reuses every free slot */
  g_assert_true (actor_still_sees (&b.reader, held, held));
  actor_release (&b.reader, held);
  close (fd);
  bystanders_stop (&b);
}

static void
test_the_same_twice (void)
{
  struct xmem_received received;
  struct bystanders b;
  uint64_t sequence;
  int fd;

  bystanders_start (&b);
  fd = raw_subscribe (b.address, XMEM_DELIVERY_LATEST, 4);
  sequence = b.next;
  bystanders_check (&b);
  do
    harness_assert_ok (raw_receive (fd, &received), NULL);
  while (received.message.type != XMEM_WIRE_FRAME && close (received.fd) <= 0);
  g_assert_cmpuint (received.message.frame.sequence, ==, sequence);
  raw_release (fd, sequence);
  bystanders_check (&b);
  raw_release (fd, sequence);
  harness_assert_status (raw_expect_end (fd), XMEM_PROTOCOL, NULL);
  bystanders_check (&b);
  close (fd);
  bystanders_stop (&b);
}

/* Good ones before the bad one count; what is left stays out until it hangs
 * up. */
static void
test_lie_among_truths (void)
{
  struct xmem_wire_message m = { .type = XMEM_WIRE_RELEASE };
  struct bystanders b;
  int fd;

  bystanders_start (&b);
  fd = raw_subscribe (b.address, XMEM_DELIVERY_LATEST, 3);
  m.sequences.n = 3;
  m.sequences.sequences[0] = b.next;
  m.sequences.sequences[1] = b.next + 1;
  m.sequences.sequences[2] = UINT64_MAX;
  bystanders_check (&b); /* three frames */
  raw_send_message (fd, &m, -1);
  harness_assert_status (raw_expect_end (fd), XMEM_PROTOCOL, NULL);
  harness_wait_until (frames_held (&b) == 1);
  bystanders_check (&b);
  harness_wait_until (frames_held (&b) == 1);
  close (fd);
  bystanders_stop (&b);
}

static void
test_nothing_at_all (void)
{
  const struct xmem_wire_message m = { .type = XMEM_WIRE_RELEASE };
  struct bystanders b;
  int fd;

  bystanders_start (&b);
  fd = raw_subscribe (b.address, XMEM_DELIVERY_LATEST, 4);
  raw_send_message (fd, &m, -1);
  harness_assert_status (raw_expect_end (fd), XMEM_PROTOCOL, NULL);
  close (fd);
  bystanders_stop (&b);
}

static void
test_keeping_what_it_does_not_hold (void)
{
  struct xmem_wire_message m = { .type = XMEM_WIRE_DETACH };
  struct bystanders b;
  int fd;

  bystanders_start (&b);
  fd = raw_subscribe (b.address, XMEM_DELIVERY_LATEST, 3);
  bystanders_check (&b);
  m.sequences.n = 2;
  m.sequences.sequences[0] = b.next - 1;
  m.sequences.sequences[1] = UINT64_MAX;
  raw_send_message (fd, &m, -1);
  harness_wait_until (frames_held (&b) == 1);
  raw_release (fd, b.next - 1);
  harness_wait_until (frames_held (&b) == 0);
  raw_release (fd, b.next - 1);
  harness_assert_status (raw_expect_end (fd), XMEM_PROTOCOL, NULL);
  close (fd);
  bystanders_stop (&b);
}

static const struct harness_role roles[] = { { "actor", actor_run },
  { NULL, NULL } };

int
main (int argc, char **argv)
{
  harness_init (&argc, &argv, roles);
  harness_add ("/frames-of-others", test_frames_of_others);
  harness_add ("/the-same-twice", test_the_same_twice);
  harness_add ("/lie-among-truths", test_lie_among_truths);
  harness_add ("/nothing-at-all", test_nothing_at_all);
  harness_add (
      "/keeping-what-it-does-not-hold", test_keeping_what_it_does_not_hold);
  return g_test_run ();
}
