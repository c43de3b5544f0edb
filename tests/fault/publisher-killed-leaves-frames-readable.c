/* SPDX-License-Identifier: MIT */
/* kill -9 of a publisher: its subscriber gets what was sent, then XMEM_GONE
 * and not an end of stream; frames stay readable; the next publisher at that
 * address is found. */
#include <signal.h>

#include "harness/actor.h"
#include "harness/frames.h"

static void
start_publisher (struct actor *actor, const char *address)
{
  actor_start (actor);
  harness_assert_ok (actor_open_publisher (actor, address, 0, 0, 0), NULL);
}

static void
publish (struct actor *actor, unsigned n)
{
  actor_publish_begin (actor, 10000, 0, n, 0);
  actor_publish_end (actor);
}

static void
test_sent_frames_come_first (void)
{
  const char *address = harness_path ("socket");
  struct actor publisher, subscriber;

  start_publisher (&publisher, address);
  actor_start_subscriber (&subscriber, address, XMEM_DELIVERY_EVERY, 4);
  publish (&publisher, 4);
  actor_expect_frame (&subscriber, 0);
  actor_die (&publisher);
  for (unsigned i = 1; i < 4; i++)
    actor_expect_frame (&subscriber, i);
  for (unsigned i = 0; i < 3; i++)
    actor_expect_status (&subscriber, XMEM_GONE);
  for (unsigned i = 0; i < 4; i++) {
    g_assert_true (actor_still_sees (&subscriber, i, i));
    actor_release (&subscriber, i);
  }
  actor_expect_status (&subscriber, XMEM_GONE);
  actor_stop (&subscriber);
}

/* With releases that it never read the socket is reset; what it sent before
 * counts all the same. */
static void
test_stopped_before_it_was_killed (void)
{
  const char *address = harness_path ("socket");
  struct actor publisher, subscriber;

  start_publisher (&publisher, address);
  actor_start_subscriber (&subscriber, address, XMEM_DELIVERY_EVERY, 4);
  publish (&publisher, 4);
  harness_kill (&publisher.child, SIGSTOP);
  harness_wait_until (harness_is_stopped (&publisher.child));
  actor_expect_frame (&subscriber, 0);
  actor_release (&subscriber, 0); /* unread */
  actor_die (&publisher);
  for (unsigned i = 1; i < 4; i++)
    actor_expect_frame (&subscriber, i);
  actor_expect_status (&subscriber, XMEM_GONE);
  actor_stop (&subscriber);
}

/* An end of stream that was heard stays the end. */
static void
test_killed_after_the_end_of_the_stream (void)
{
  const char *address = harness_path ("socket");
  struct actor publisher, subscriber;

  start_publisher (&publisher, address);
  actor_start_subscriber (&subscriber, address, XMEM_DELIVERY_EVERY, 4);
  publish (&publisher, 1);
  actor_send_eos (&publisher);
  actor_die (&publisher);
  actor_expect_frame (&subscriber, 0);
  actor_expect_status (&subscriber, XMEM_EOS);
  actor_expect_status (&subscriber, XMEM_EOS);
  actor_stop (&subscriber);
}

static void
test_next_publisher_is_found (void)
{
  const char *address = harness_path ("socket");
  struct actor publisher, subscriber;

  start_publisher (&publisher, address);
  actor_start_subscriber (&subscriber, address, XMEM_DELIVERY_EVERY, 4);
  for (unsigned i = 0; i < 5; i++) {
    publish (&publisher, 2);
    actor_expect_frame (&subscriber, 0);
    actor_die (&publisher);
    actor_expect_frame (&subscriber, 1);
    actor_expect_status (&subscriber, XMEM_GONE);
    harness_tell (&subscriber.child, "connect %s 1 4 -1", address);
    start_publisher (&publisher, address);
    harness_hear (&subscriber.child, (char[HARNESS_LINE_MAX]){ 0 });
    g_assert_true (actor_still_sees (&subscriber, 0, 0));
    actor_release (&subscriber, 0);
    actor_release (&subscriber, 1);
  }
  actor_stop (&subscriber);
  actor_stop (&publisher);
}

/* Killed at any time while it publishes, which is in a hurry. */
static void
test_killed_while_it_publishes (void)
{
  const char *address = harness_path ("socket");
  struct actor publisher, subscribers[2];
  struct actor_summary summary;

  for (unsigned i = 0; i < 20; i++) {
    start_publisher (&publisher, address);
    for (unsigned j = 0; j < 2; j++) {
      actor_start_subscriber (&subscribers[j], address,
          j ? XMEM_DELIVERY_EVERY : XMEM_DELIVERY_LATEST, 4);
      actor_drain_begin (&subscribers[j], 2, 0);
    }
    actor_publish_begin (&publisher, 10000, 0, 1000000, 0);
    harness_sleep_ms ((unsigned) g_test_rand_int_range (0, 30));
    actor_die (&publisher);
    for (unsigned j = 0; j < 2; j++) {
      actor_drain_end (&subscribers[j], &summary);
      harness_assert_status (summary.status, XMEM_GONE, NULL);
      g_assert_cmpuint (summary.n_bad, ==, 0);
      actor_stop (&subscribers[j]);
    }
  }
}

static const struct harness_role roles[] = { { "actor", actor_run },
  { NULL, NULL } };

int
main (int argc, char **argv)
{
  harness_init (&argc, &argv, roles);
  harness_add ("/sent-frames-come-first", test_sent_frames_come_first);
  harness_add (
      "/stopped-before-it-was-killed", test_stopped_before_it_was_killed);
  harness_add ("/killed-after-the-end-of-the-stream",
      test_killed_after_the_end_of_the_stream);
  harness_add ("/next-publisher-is-found", test_next_publisher_is_found);
  harness_add ("/killed-while-it-publishes", test_killed_while_it_publishes);
  return g_test_run ();
}
