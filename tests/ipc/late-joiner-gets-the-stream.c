/* SPDX-License-Identifier: MIT */
/* Whoever joins late hears what the frames are and gets those that follow. */
#include "harness/actor.h"
#include "harness/frames.h"

#define CAPS "video/x-raw, width=4"

static void
test_late_joiner_gets_the_stream (void)
{
  struct source source;
  const char *address = source_open_simply (&source);
  struct actor_frame early_frame, late_frame;
  struct actor early, late;

  source_set_caps (&source, "an older stream");
  source_set_caps (&source, CAPS);
  actor_start_subscriber (&early, address, XMEM_DELIVERY_LATEST, 4);
  source_publish_many (&source, 1000, 0, 2);
  actor_expect_frame (&early, 0);
  actor_start_subscriber (&late, address, XMEM_DELIVERY_LATEST, 4);
  actor_expect_status (&late, XMEM_AGAIN);
  source_publish_many (&source, 1000, 2, 1);
  actor_expect_frame (&early, 1);
  harness_assert_ok (actor_next (&early, -1, &early_frame), NULL);
  harness_assert_ok (actor_next (&late, -1, &late_frame), NULL);
  g_assert_cmpuint (late_frame.sequence, ==, 2);
  g_assert_cmpuint (late_frame.stamp, ==, 2);
  g_assert_cmpuint (late_frame.caps_hash, ==, g_str_hash (CAPS));
  g_assert_cmpuint (late_frame.epoch, ==, early_frame.epoch);
  g_assert_cmpuint (late_frame.caps_hash, ==, early_frame.caps_hash);
  actor_stop (&early);
  actor_stop (&late);
  source_close (&source);
}

static void
test_stream_without_caps (void)
{
  struct source source;
  const char *address = source_open_simply (&source);
  struct actor_frame frame;
  struct actor actor;

  actor_start_subscriber (&actor, address, XMEM_DELIVERY_LATEST, 4);
  source_publish_many (&source, 1000, 0, 1);
  harness_assert_ok (actor_next (&actor, -1, &frame), NULL);
  g_assert_cmpuint (frame.caps_hash, ==, 0);
  g_assert_cmpuint (frame.caps_size, ==, 0);
  actor_stop (&actor);
  source_close (&source);
}

static const struct harness_role roles[] = { { "actor", actor_run },
  { NULL, NULL } };

int
main (int argc, char **argv)
{
  harness_init (&argc, &argv, roles);
  harness_add (
      "/late-joiner-gets-the-stream", test_late_joiner_gets_the_stream);
  harness_add ("/stream-without-caps", test_stream_without_caps);
  return g_test_run ();
}
