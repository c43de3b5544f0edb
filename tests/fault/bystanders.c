/* SPDX-License-Identifier: MIT */
/* The bystanders. Keeps no state. */
#include "fault/bystanders.h"

#include <unistd.h>

void
bystanders_start (struct bystanders *b)
{
  b->address = harness_path ("socket");
  b->next = 0;
  actor_start (&b->publisher);
  harness_assert_ok (
      actor_open_publisher (&b->publisher, b->address, 0, 0, 0), NULL);
  actor_start_subscriber (&b->reader, b->address, XMEM_DELIVERY_EVERY, 2);
  bystanders_check (b);
  b->n_fds = harness_count_other_fds (b->publisher.child.pid);
}

void
bystanders_check (struct bystanders *b)
{
  for (unsigned i = 0; i < 3; i++, b->next++) {
    harness_assert_ok (
        actor_publish (&b->publisher, 5000, b->next, 0, -1), NULL);
    actor_expect_frame (&b->reader, b->next);
    g_assert_true (actor_still_sees (&b->reader, b->next, b->next));
    actor_release (&b->reader, b->next);
  }
}

void
bystanders_stop (struct bystanders *b)
{
  struct xmem_publisher_stats stats;

  bystanders_check (b);
  actor_wait_released (&b->publisher);
  harness_wait_until (
      harness_count_other_fds (b->publisher.child.pid) == b->n_fds);
  actor_get_publisher_stats (&b->publisher, &stats);
  g_assert_cmpuint (stats.n_clients, ==, 1);
  actor_stop (&b->reader);
  actor_stop (&b->publisher);
}

void
bystanders_expect_eviction (
    struct bystanders *b, int take_fd, const void *bytes, size_t size)
{
  raw_send (take_fd, bytes, size, NULL, 0);
  harness_assert_status (raw_expect_end (take_fd), XMEM_PROTOCOL, NULL);
  bystanders_check (b);
  close (take_fd);
}
