/* SPDX-License-Identifier: MIT */
/* An end of stream is not the end of the connection: what is published later
 * comes, and another stream is told apart from the one before. */
#include "harness/actor.h"
#include "harness/frames.h"

static void
test_frames_after_the_end (void)
{
  struct source source;
  const char *address = source_open_simply (&source);
  struct actor actor;

  actor_start_subscriber (&actor, address, XMEM_DELIVERY_EVERY, 16);
  for (unsigned i = 0; i < 4; i++) {
    source_publish_many (&source, 1000, i, 1);
    xmem_publisher_send_eos (source.publisher);
    actor_expect_frame (&actor, i);
    actor_expect_status (&actor, XMEM_EOS);
    actor_expect_status (&actor, XMEM_AGAIN); /* told once */
  }
  xmem_publisher_send_eos (source.publisher); /* an empty stream */
  actor_expect_status (&actor, XMEM_EOS);
  actor_stop (&actor);
  source_close (&source);
}

static void
test_another_stream (void)
{
  static const char *const caps[] = { "one", "two", NULL, "three" };
  struct source source;
  const char *address = source_open_simply (&source);
  struct actor_frame frame;
  struct actor actor;
  unsigned epoch = 0;

  actor_start_subscriber (&actor, address, XMEM_DELIVERY_EVERY, 16);
  for (unsigned i = 0; i < G_N_ELEMENTS (caps); i++) {
    source_set_caps (&source, caps[i]);
    source_publish_many (&source, 1000, 2 * i, 2);
    if (i % 2)
      xmem_publisher_send_eos (source.publisher);
    for (unsigned j = 0; j < 2; j++) {
      harness_assert_ok (actor_next (&actor, -1, &frame), NULL);
      g_assert_cmpuint (frame.sequence, ==, 2 * i + j);
      g_assert_cmpuint (
          frame.caps_hash, ==, caps[i] ? g_str_hash (caps[i]) : 0);
      g_assert_cmpint (frame.epoch != epoch, ==, j == 0);
      epoch = frame.epoch;
      actor_release (&actor, frame.sequence);
    }
    if (i % 2)
      actor_expect_status (&actor, XMEM_EOS);
  }
  actor_stop (&actor);
  source_close (&source);
}

/* A frame that waits for credit keeps the stream it was published in. */
static void
test_waiting_frame_keeps_its_stream (void)
{
  struct source source;
  const char *address = source_open_simply (&source);
  struct actor_frame frame;
  struct actor actor;

  source_set_caps (&source, "old");
  actor_start_subscriber (&actor, address, XMEM_DELIVERY_LATEST, 1);
  source_publish_many (&source, 1000, 0, 2);
  actor_expect_frame (&actor, 0); /* 1 waits */
  source_set_caps (&source, "new");
  actor_release (&actor, 0);
  harness_assert_ok (actor_next (&actor, -1, &frame), NULL);
  g_assert_cmpuint (frame.sequence, ==, 1);
  g_assert_cmpuint (frame.caps_hash, ==, g_str_hash ("old"));
  actor_release (&actor, 1);
  source_publish_many (&source, 1000, 2, 1);
  harness_assert_ok (actor_next (&actor, -1, &frame), NULL);
  g_assert_cmpuint (frame.caps_hash, ==, g_str_hash ("new"));
  actor_stop (&actor);
  source_close (&source);
}

static void
test_end_of_the_publisher_after_the_end (void)
{
  struct source source;
  const char *address = source_open_simply (&source);
  struct actor actor;

  actor_start_subscriber (&actor, address, XMEM_DELIVERY_EVERY, 16);
  source_publish_many (&source, 1000, 0, 1);
  xmem_publisher_send_eos (source.publisher);
  source_close (&source);
  actor_expect_frame (&actor, 0);
  actor_expect_status (&actor, XMEM_EOS);
  actor_expect_status (&actor, XMEM_EOS);
  actor_expect_status (&actor, XMEM_EOS);
  actor_stop (&actor);
}

static const struct harness_role roles[] = { { "actor", actor_run },
  { NULL, NULL } };

int
main (int argc, char **argv)
{
  harness_init (&argc, &argv, roles);
  harness_add ("/frames-after-the-end", test_frames_after_the_end);
  harness_add ("/another-stream", test_another_stream);
  harness_add (
      "/waiting-frame-keeps-its-stream", test_waiting_frame_keeps_its_stream);
  harness_add ("/end-of-the-publisher-after-the-end",
      test_end_of_the_publisher_after_the_end);
  return g_test_run ();
}
