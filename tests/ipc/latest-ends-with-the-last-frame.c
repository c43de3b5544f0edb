/* SPDX-License-Identifier: MIT */
/* Delivery "latest" may skip but never goes back, and the last frame before
 * the end always comes, credit or not. */
#include "harness/actor.h"
#include "harness/frames.h"

static void
test_slow_reader_sees_order_and_the_last (void)
{
  struct source source;
  const char *address = source_open_simply (&source);
  struct actor_summary summary;
  struct actor actor;

  actor_start_subscriber (&actor, address, XMEM_DELIVERY_LATEST, 2);
  actor_drain_begin (&actor, 1, 3);
  for (unsigned i = 0; i < 300; i++) {
    source_publish_many (&source, 20000, i, 1);
    if (i % 10 == 0)
      harness_sleep_ms (2);
  }
  xmem_publisher_send_eos (source.publisher);
  actor_drain_end (&actor, &summary);
  g_assert_cmpint (summary.status, ==, XMEM_EOS);
  g_assert_cmpuint (summary.last, ==, 299);
  g_assert_cmpuint (summary.n_gaps, >, 0);
  g_assert_cmpuint (summary.n_bad, ==, 0);
  g_test_message ("%u of 300 frames came", (unsigned) summary.n);
  actor_stop (&actor);
  source_close (&source);
}

static void
test_last_frame_comes_without_credit (void)
{
  struct source source;
  const char *address = source_open_simply (&source);
  struct actor actor;

  actor_start_subscriber (&actor, address, XMEM_DELIVERY_LATEST, 1);
  source_publish_many (&source, 1000, 0, 10);
  xmem_publisher_send_eos (source.publisher);
  actor_expect_frame (&actor, 0); /* and keeps it */
  actor_expect_frame (&actor, 9);
  actor_expect_status (&actor, XMEM_EOS);
  g_assert_true (actor_still_sees (&actor, 0, 0));
  g_assert_true (actor_still_sees (&actor, 9, 9));
  actor_stop (&actor);
  source_close (&source);
}

/* The same with nothing but the publisher's end. */
static void
test_last_frame_comes_before_bye (void)
{
  struct source source;
  const char *address = source_open_simply (&source);
  struct actor actor;

  actor_start_subscriber (&actor, address, XMEM_DELIVERY_LATEST, 1);
  source_publish_many (&source, 1000, 0, 10);
  source_close (&source);
  actor_expect_frame (&actor, 0);
  actor_expect_frame (&actor, 9);
  actor_expect_status (&actor, XMEM_GONE);
  actor_expect_status (&actor, XMEM_GONE);
  actor_stop (&actor);
}

static const struct harness_role roles[] = { { "actor", actor_run },
  { NULL, NULL } };

int
main (int argc, char **argv)
{
  harness_init (&argc, &argv, roles);
  harness_add ("/slow-reader-sees-order-and-the-last",
      test_slow_reader_sees_order_and_the_last);
  harness_add (
      "/last-frame-comes-without-credit", test_last_frame_comes_without_credit);
  harness_add (
      "/last-frame-comes-before-bye", test_last_frame_comes_before_bye);
  return g_test_run ();
}
