/* SPDX-License-Identifier: MIT */
/* Events of up to 16 MiB each: what one subscriber leaves unread of them is
 * bounded, and nobody who reads, however late, is bothered by that. */
#include "harness/actor.h"
#include "harness/frames.h"

#define SIZE XMEM_MAX_EVENT_DATA
#define MANY 12

static void
send_event (struct source *source, unsigned flags, const char *name)
{
  static uint8_t data[SIZE];
  const struct xmem_event event = { 1, flags, name, data, sizeof (data) };
  struct xmem_error error;

  harness_assert_ok (
      xmem_publisher_send_event (source->publisher, &event, &error), &error);
}

static void
join (struct actor *actor, enum xmem_delivery delivery)
{
  actor_start_subscriber (
      actor, harness_path ("socket"), delivery | ACTOR_EVENTS, 4);
}

static void
test_who_reads_nothing (void)
{
  struct source source;
  struct actor deaf, reader;
  unsigned n_fds;

  source_open_simply (&source);
  join (&deaf, XMEM_DELIVERY_LATEST);
  join (&reader, XMEM_DELIVERY_EVERY);
  n_fds = harness_count_other_fds (0);
  for (unsigned i = 0; i < MANY; i++) {
    send_event (&source, 0, "large");
    actor_expect_event (&reader, 1, "large");
    g_assert_cmpuint (source_stats (&source).n_clients, ==, i < 4 ? 2 : 1);
  }
  g_assert_cmpuint (harness_count_other_fds (0), ==, n_fds);
  for (unsigned i = 0; i < 4; i++)
    actor_expect_event (&deaf, 1, "large");
  actor_expect_status (&deaf, XMEM_REFUSED);
  harness_assert_contains (deaf.message, "bytes of events");
  actor_stop (&deaf);
  actor_stop (&reader);
  source_close (&source);
}

/* Also those that wait behind a frame count, but for those that others of
 * their name have replaced. */
static void
test_behind_a_frame (void)
{
  struct source source;
  struct actor actor;

  source_open_simply (&source);
  join (&actor, XMEM_DELIVERY_LATEST);
  source_publish_many (&source, 1000, 0, 5); /* 4 waits */
  for (unsigned i = 0; i < MANY; i++)
    send_event (&source, XMEM_EVENT_STICKY, "sticky");
  for (unsigned i = 0; i < 3; i++)
    send_event (&source, 0, "large");
  g_assert_cmpuint (source_stats (&source).n_clients, ==, 1);
  send_event (&source, 0, "large");
  g_assert_cmpuint (source_stats (&source).n_clients, ==, 0);
  actor_stop (&actor);
  source_close (&source);
}

/* Its socket is never empty; the frames it gives back tell how far it is. */
static void
test_who_is_always_behind (void)
{
  struct xmem_publisher_client client;
  struct source source;
  struct actor actor;

  source_open_simply (&source);
  join (&actor, XMEM_DELIVERY_EVERY);
  source_publish_many (&source, 1000, 0, 1);
  for (unsigned i = 0; i < MANY; i++) {
    send_event (&source, 0, "large");
    source_publish_many (&source, 1000, i + 1, 1);
    actor_expect_frame (&actor, i);
    actor_expect_event (&actor, 1, "large");
    actor_release (&actor, i);
    harness_wait_until (
        xmem_publisher_get_clients (source.publisher, &client, 1) == 1
        && client.frames_held == 1);
  }
  g_assert_cmpuint (source_stats (&source).n_clients, ==, 1);
  actor_stop (&actor);
  source_close (&source);
}

/* What a joiner is told is kept for others anyway. */
static void
test_joiner_is_told_more (void)
{
  static const char *const names[] = { "a", "b", "c", "d", "e", "f" };
  struct source source;
  struct actor actor;

  source_open_simply (&source);
  for (unsigned i = 0; i < G_N_ELEMENTS (names); i++)
    send_event (&source, XMEM_EVENT_STICKY, names[i]);
  join (&actor, XMEM_DELIVERY_LATEST);
  for (unsigned i = 0; i < 4; i++)
    send_event (&source, 0, "large");
  g_assert_cmpuint (source_stats (&source).n_clients, ==, 1);
  for (unsigned i = 0; i < G_N_ELEMENTS (names); i++)
    actor_expect_event (&actor, 1, names[i]);
  for (unsigned i = 0; i < 4; i++)
    actor_expect_event (&actor, 1, "large");
  actor_stop (&actor);
  source_close (&source);
}

static const struct harness_role roles[] = { { "actor", actor_run },
  { NULL, NULL } };

int
main (int argc, char **argv)
{
  harness_init (&argc, &argv, roles);
  harness_add ("/who-reads-nothing", test_who_reads_nothing);
  harness_add ("/behind-a-frame", test_behind_a_frame);
  harness_add ("/who-is-always-behind", test_who_is_always_behind);
  harness_add ("/joiner-is-told-more", test_joiner_is_told_more);
  return g_test_run ();
}
