/* SPDX-License-Identifier: MIT */
/* Events come where they were sent: behind the frames before them, ahead of
 * those that follow; and none is lost, whatever their size. */
#include <string.h>

#include "harness/actor.h"
#include "harness/frames.h"

static void
send_sized (struct source *source, unsigned kind, unsigned flags,
    const char *name, const void *data, size_t size)
{
  const struct xmem_event event = { kind, flags, name, data, size };
  struct xmem_error error;

  harness_assert_ok (
      xmem_publisher_send_event (source->publisher, &event, &error), &error);
}

static void
send_event (
    struct source *source, unsigned kind, unsigned flags, const char *name)
{
  send_sized (source, kind, flags, name, NULL, 0);
}

static void
test_between_frames (void)
{
  struct source source;
  const char *address = source_open_simply (&source);
  struct actor actor;

  actor_start_subscriber (
      &actor, address, XMEM_DELIVERY_EVERY | ACTOR_EVENTS, 8);
  send_event (&source, 1, 0, "before");
  source_publish_many (&source, 1000, 0, 2);
  send_event (&source, 2, 0, "between");
  source_set_caps (&source, "other caps");
  send_event (&source, 3, XMEM_EVENT_STICKY, NULL);
  source_publish_many (&source, 1000, 2, 1);
  xmem_publisher_send_eos (source.publisher);
  send_event (&source, 4, 0, "after");
  actor_expect_event (&actor, 1, "before");
  actor_expect_frame (&actor, 0);
  actor_expect_frame (&actor, 1);
  actor_expect_event (&actor, 2, "between");
  actor_expect_event (&actor, 3, "");
  actor_expect_frame (&actor, 2);
  actor_expect_status (&actor, XMEM_EOS);
  actor_expect_event (&actor, 4, "after");
  actor_stop (&actor);
  source_close (&source);
}

/* Who did not ask for events gets none, and all the frames. */
static void
test_not_asked_for (void)
{
  struct source source;
  const char *address = source_open_simply (&source);
  struct actor actor;

  send_event (&source, 1, XMEM_EVENT_STICKY, "sticky");
  actor_start_subscriber (&actor, address, XMEM_DELIVERY_EVERY, 8);
  send_event (&source, 2, 0, "event");
  source_publish_many (&source, 1000, 0, 1);
  actor_expect_frame (&actor, 0);
  actor_expect_status (&actor, XMEM_AGAIN);
  g_assert_cmpint (
      actor_send_events (&actor, 1, "ask", 4, 1), ==, XMEM_UNSUPPORTED);
  actor_stop (&actor);
  source_close (&source);
}

/* Without credit: events wait behind the frame that waits, and when a newer
 * one takes its place they come before that. */
static void
test_around_a_pending_frame (void)
{
  struct source source;
  const char *address = source_open_simply (&source);
  struct actor actor;

  actor_start_subscriber (
      &actor, address, XMEM_DELIVERY_LATEST | ACTOR_EVENTS, 1);
  source_publish_many (&source, 1000, 0, 2); /* 1 waits */
  send_event (&source, 1, 0, "behind-1");
  actor_expect_frame (&actor, 0);
  actor_expect_status (&actor, XMEM_AGAIN);
  source_publish_many (&source, 1000, 2, 1); /* instead of 1 */
  actor_expect_event (&actor, 1, "behind-1");
  send_event (&source, 2, 0, "behind-2");
  actor_expect_status (&actor, XMEM_AGAIN);
  actor_release (&actor, 0);
  actor_expect_frame (&actor, 2);
  actor_expect_event (&actor, 2, "behind-2");
  actor_stop (&actor);
  source_close (&source);
}

/* Of sticky events with no frame between them the last is enough; of others
 * there are as many as were sent. */
static void
test_sticky_ones_take_each_others_place (void)
{
  struct source source;
  const char *address = source_open_simply (&source);
  struct actor_event event;
  struct actor actor;

  actor_start_subscriber (
      &actor, address, XMEM_DELIVERY_LATEST | ACTOR_EVENTS, 1);
  source_publish_many (&source, 1000, 0, 2); /* 1 waits */
  for (unsigned i = 0; i < 1000; i++)
    send_sized (&source, 7, XMEM_EVENT_STICKY, "a", &i, sizeof (i));
  send_event (&source, 7, XMEM_EVENT_STICKY, "b");
  send_event (&source, 8, 0, "a");
  send_event (&source, 8, 0, "a");
  actor_expect_frame (&actor, 0);
  actor_release (&actor, 0);
  actor_expect_frame (&actor, 1);
  actor_next_event (&actor, &event);
  g_assert_cmpuint (event.hash, ==, actor_hash (&(unsigned){ 999 }, 4));
  actor_expect_event (&actor, 7, "b");
  actor_expect_event (&actor, 8, "a");
  actor_expect_event (&actor, 8, "a");
  actor_stop (&actor);
  source_close (&source);
}

static void
test_flush_drops_the_frame_that_waits (void)
{
  struct source source;
  const char *address = source_open_simply (&source);
  struct actor actor;

  actor_start_subscriber (
      &actor, address, XMEM_DELIVERY_LATEST | ACTOR_EVENTS, 1);
  source_publish_many (&source, 1000, 0, 2); /* 1 waits */
  send_event (&source, 1, 0, "behind");
  send_event (&source, 2, XMEM_EVENT_FLUSH, "flush");
  actor_expect_frame (&actor, 0);
  actor_expect_event (&actor, 1, "behind");
  actor_expect_event (&actor, 2, "flush");
  actor_release (&actor, 0);
  harness_wait_until (source_stats (&source).frames_held == 0);
  source_publish_many (&source, 1000, 2, 1);
  actor_expect_frame (&actor, 2);
  actor_stop (&actor);
  source_close (&source);
}

/* Also while the frames' pipe is full of them. */
static void
test_all_sizes_arrive (void)
{
  static const size_t sizes[] = { 0, 1, 16384, 16385, 1000000,
    XMEM_MAX_EVENT_DATA };
  struct source source;
  const char *address = source_open_simply (&source);
  uint8_t *data = g_malloc (XMEM_MAX_EVENT_DATA);
  struct actor_event event;
  struct actor actor;

  for (size_t i = 0; i < XMEM_MAX_EVENT_DATA; i++)
    data[i] = (uint8_t) (i * 7 + i / 251);
  actor_start_subscriber (
      &actor, address, XMEM_DELIVERY_EVERY | ACTOR_EVENTS, 8);
  for (size_t i = 0; i < G_N_ELEMENTS (sizes); i++)
    send_sized (&source, (unsigned) i, 0, "sized", data, sizes[i]);
  for (size_t i = 0; i < G_N_ELEMENTS (sizes); i++) {
    actor_next_event (&actor, &event);
    g_assert_cmpuint (event.kind, ==, i);
    g_assert_cmpuint (event.size, ==, sizes[i]);
    g_assert_cmpuint (event.hash, ==, actor_hash (data, sizes[i]));
  }
  g_free (data);
  actor_stop (&actor);
  source_close (&source);
}

/* Events of the largest size that a message takes: more than a socket
 * holds, fewer than would be too many. */
static void
test_slow_reader_gets_all (void)
{
  static uint8_t data[16384];
  struct source source;
  const char *address = source_open_simply (&source);
  struct actor actor;

  actor_start_subscriber (
      &actor, address, XMEM_DELIVERY_LATEST | ACTOR_EVENTS, 4);
  for (unsigned i = 0; i < 250; i++)
    send_sized (&source, i, 0, "n", data, sizeof (data));
  source_publish_many (&source, 1000, 0, 1);
  for (unsigned i = 0; i < 250; i++)
    actor_expect_event (&actor, i, "n");
  actor_expect_frame (&actor, 0);
  actor_stop (&actor);
  source_close (&source);
}

static void
test_who_does_not_read_is_disconnected (void)
{
  static uint8_t data[16384];
  struct source source;
  const char *address = source_open_simply (&source);
  struct actor deaf, other;

  actor_start_subscriber (
      &deaf, address, XMEM_DELIVERY_LATEST | ACTOR_EVENTS, 4);
  actor_start_subscriber (
      &other, address, XMEM_DELIVERY_EVERY | ACTOR_EVENTS, 4);
  for (unsigned i = 0; i < 1000; i++) {
    send_sized (&source, i, 0, "n", data, sizeof (data));
    actor_expect_event (&other, i, "n");
  }
  g_assert_cmpuint (source_stats (&source).n_clients, ==, 1);
  source_publish_many (&source, 1000, 0, 1);
  actor_expect_frame (&other, 0);
  actor_stop (&deaf);
  actor_stop (&other);
  source_close (&source);
}

static void
test_impossible_events_are_refused (void)
{
  struct xmem_event events[3] = { { .flags = 8 },
    { .size = XMEM_MAX_EVENT_DATA + 1 }, { .kind = 0 } };
  struct source source;
  struct xmem_error error;
  char name[XMEM_MAX_EVENT_NAME + 2];

  source_open_simply (&source);
  memset (name, 'n', sizeof (name) - 1);
  name[sizeof (name) - 1] = '\0';
  events[2].name = name;
  for (unsigned i = 0; i < 3; i++)
    harness_assert_status (
        xmem_publisher_send_event (source.publisher, &events[i], &error),
        XMEM_INVALID, &error);
  source_close (&source);
}

static const struct harness_role roles[] = { { "actor", actor_run },
  { NULL, NULL } };

int
main (int argc, char **argv)
{
  harness_init (&argc, &argv, roles);
  harness_add ("/between-frames", test_between_frames);
  harness_add ("/not-asked-for", test_not_asked_for);
  harness_add ("/around-a-pending-frame", test_around_a_pending_frame);
  harness_add ("/sticky-ones-take-each-others-place",
      test_sticky_ones_take_each_others_place);
  harness_add ("/flush-drops-the-frame-that-waits",
      test_flush_drops_the_frame_that_waits);
  harness_add ("/all-sizes-arrive", test_all_sizes_arrive);
  harness_add ("/slow-reader-gets-all", test_slow_reader_gets_all);
  harness_add ("/who-does-not-read-is-disconnected",
      test_who_does_not_read_is_disconnected);
  harness_add (
      "/impossible-events-are-refused", test_impossible_events_are_refused);
  return g_test_run ();
}
