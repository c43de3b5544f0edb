/* SPDX-License-Identifier: MIT */
/* Connections that never say HELLO, or do not go when they are told to: they
 * cost little, keep nobody out and end with the publisher. */
#include <unistd.h>

#include "fault/bystanders.h"

#define N 300

static void
check_crowd (bool with_garbage)
{
  struct actor newcomer;
  struct bystanders b;
  int fds[N];

  bystanders_start (&b);
  for (unsigned i = 0; i < N; i++) {
    fds[i] = raw_connect (b.address);
    if (with_garbage)
      raw_send (fds[i], "x", 1, NULL, 0);
  }
  bystanders_check (&b);
  actor_start_subscriber (&newcomer, b.address, XMEM_DELIVERY_EVERY, 4);
  actor_stop (&newcomer);
  g_assert_cmpuint (
      harness_count_other_fds (b.publisher.child.pid), <=, b.n_fds + 66);
  for (unsigned i = 0; i < N; i++)
    close (fds[i]);
  bystanders_stop (&b);
}

static void
test_silence (void)
{
  check_crowd (false);
}

static void
test_garbage_and_silence (void)
{
  check_crowd (true);
}

static void
test_publisher_ends (void)
{
  struct bystanders b;
  int silent, evicted;

  bystanders_start (&b);
  silent = raw_connect (b.address);
  evicted = raw_connect (b.address);
  raw_send (evicted, "x", 1, NULL, 0);
  harness_assert_status (raw_expect_end (evicted), XMEM_PROTOCOL, NULL);
  actor_close_publisher (&b.publisher);
  actor_expect_status (&b.reader, XMEM_GONE);
  actor_stop (&b.reader);
  harness_assert_status (raw_expect_end (silent), XMEM_GONE, NULL);
  harness_wait_until (harness_count_threads (b.publisher.child.pid) == 0);
  actor_stop (&b.publisher);
  close (silent);
  close (evicted);
}

static const struct harness_role roles[] = { { "actor", actor_run },
  { NULL, NULL } };

int
main (int argc, char **argv)
{
  harness_init (&argc, &argv, roles);
  harness_add ("/silence", test_silence);
  harness_add ("/garbage-and-silence", test_garbage_and_silence);
  harness_add ("/publisher-ends", test_publisher_ends);
  return g_test_run ();
}
