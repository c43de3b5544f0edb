/* SPDX-License-Identifier: MIT */
/* SIGSTOP of a publisher: its subscribers wait as long as they are told to,
 * keep what they have, and go on after SIGCONT; who connects meanwhile learns
 * that somebody is there and does not answer. */
#include <signal.h>

#include "harness/actor.h"
#include "harness/frames.h"

static void
stop (struct actor *actor)
{
  harness_kill (&actor->child, SIGSTOP);
  harness_wait_until (harness_is_stopped (&actor->child));
}

static void
test_subscriber_goes_on (void)
{
  const char *address = harness_path ("socket");
  struct actor publisher, subscriber;

  actor_start (&publisher);
  harness_assert_ok (actor_open_publisher (&publisher, address, 0, 0, 0), NULL);
  actor_start_subscriber (&subscriber, address, XMEM_DELIVERY_EVERY, 2);
  harness_assert_ok (actor_publish (&publisher, 10000, 0, 0, -1), NULL);
  stop (&publisher);
  actor_expect_frame (&subscriber, 0); /* sent before */
  actor_expect_status (&subscriber, XMEM_AGAIN);
  g_assert_true (actor_still_sees (&subscriber, 0, 0));
  actor_release (&subscriber, 0); /* nobody reads it yet */
  actor_expect_status (&subscriber, XMEM_AGAIN);
  harness_kill (&publisher.child, SIGCONT);
  for (unsigned i = 1; i < 6; i++) {
    harness_assert_ok (actor_publish (&publisher, 10000, i, 0, -1), NULL);
    actor_expect_frame (&subscriber, i);
    actor_release (&subscriber, i);
  }
  actor_stop (&subscriber);
  actor_stop (&publisher);
}

static void
test_newcomer_is_told (void)
{
  const char *address = harness_path ("socket");
  struct actor publisher, newcomer;

  actor_start (&publisher);
  harness_assert_ok (actor_open_publisher (&publisher, address, 0, 0, 0), NULL);
  stop (&publisher);
  actor_start (&newcomer);
  harness_assert_status (
      actor_connect (&newcomer, address, XMEM_DELIVERY_EVERY, 2, 0),
      XMEM_NOT_FOUND, NULL);
  harness_assert_contains (newcomer.message, "does not answer");
  harness_tell (&newcomer.child, "connect %s 1 2 -1", address);
  harness_kill (&publisher.child, SIGCONT);
  harness_hear (&newcomer.child, (char[HARNESS_LINE_MAX]){ 0 });
  harness_assert_ok (actor_publish (&publisher, 10000, 0, 0, -1), NULL);
  actor_expect_frame (&newcomer, 0);
  actor_stop (&newcomer);
  actor_stop (&publisher);
}

static const struct harness_role roles[] = { { "actor", actor_run },
  { NULL, NULL } };

int
main (int argc, char **argv)
{
  harness_init (&argc, &argv, roles);
  harness_add ("/subscriber-goes-on", test_subscriber_goes_on);
  harness_add ("/newcomer-is-told", test_newcomer_is_told);
  return g_test_run ();
}
