/* SPDX-License-Identifier: MIT */
/* Whoever joins late is told the sticky events, in the order in which their
 * kinds and names came first, and the last of each; not the others. */
#include <string.h>

#include "harness/actor.h"
#include "harness/frames.h"

#define STICKY XMEM_EVENT_STICKY
#define UNTIL_FLUSH (XMEM_EVENT_STICKY | XMEM_EVENT_UNTIL_FLUSH)

static int
send_event (struct source *source, unsigned kind, unsigned flags,
    const char *name, const char *data)
{
  const struct xmem_event event = { kind, flags, name, data,
    data ? strlen (data) : 0 };

  return xmem_publisher_send_event (source->publisher, &event, NULL);
}

static void
expect (struct actor *actor, unsigned kind, const char *name, const char *data)
{
  struct actor_event event;

  actor_next_event (actor, &event);
  g_assert_cmpuint (event.kind, ==, kind);
  g_assert_cmpstr (event.name, ==, name);
  g_assert_cmpuint (event.hash, ==, actor_hash (data, strlen (data)));
}

static void
join (struct actor *actor, const char *address)
{
  actor_start_subscriber (
      actor, address, XMEM_DELIVERY_LATEST | ACTOR_EVENTS, 4);
}

static void
test_last_of_each_in_the_first_ones_order (void)
{
  struct source source;
  const char *address = source_open_simply (&source);
  struct actor early, late;

  join (&early, address);
  send_event (&source, 1, STICKY, "start", "1");
  send_event (&source, 2, STICKY, "tags", "old");
  send_event (&source, 2, 0, "tags", "not sticky");
  send_event (&source, 2, STICKY, "other", "tags");
  send_event (&source, 2, STICKY, "tags", "new");
  source_publish_many (&source, 1000, 0, 1);
  join (&late, address);
  source_publish_many (&source, 1000, 1, 1);
  expect (&early, 1, "start", "1");
  expect (&early, 2, "tags", "old");
  expect (&early, 2, "tags", "not sticky");
  expect (&early, 2, "other", "tags");
  expect (&early, 2, "tags", "new");
  actor_expect_frame (&early, 0);
  actor_expect_frame (&early, 1);
  expect (&late, 1, "start", "1");
  expect (&late, 2, "tags", "new");
  expect (&late, 2, "other", "tags");
  actor_expect_frame (&late, 1);
  actor_stop (&early);
  actor_stop (&late);
  source_close (&source);
}

static void
test_flush_ends_some (void)
{
  struct source source;
  const char *address = source_open_simply (&source);
  struct actor late;

  send_event (&source, 1, STICKY, "stays", "1");
  send_event (&source, 2, UNTIL_FLUSH, "goes", "2");
  send_event (&source, 3, XMEM_EVENT_FLUSH, "flush", NULL);
  send_event (&source, 4, UNTIL_FLUSH, "came after", "4");
  join (&late, address);
  source_publish_many (&source, 1000, 0, 1);
  expect (&late, 1, "stays", "1");
  actor_expect_event (&late, 4, "came"); /* up to the space */
  actor_expect_frame (&late, 0);
  actor_stop (&late);
  source_close (&source);
}

/* As many as there may be, in files, to somebody who reads them late. */
static void
test_all_that_are_possible (void)
{
  static const char data[20000];
  struct xmem_event event = {
    .kind = 5, .flags = STICKY, .data = data, .size = sizeof (data)
  };
  struct source source;
  const char *address = source_open_simply (&source);
  struct actor_event seen;
  struct actor late;
  char name[16];

  event.name = name;
  for (unsigned i = 0; i <= XMEM_MAX_STICKY_EVENTS; i++) {
    g_snprintf (name, sizeof (name), "n%u", i);
    harness_assert_status (
        xmem_publisher_send_event (source.publisher, &event, NULL),
        i < XMEM_MAX_STICKY_EVENTS ? XMEM_OK : XMEM_FULL, NULL);
  }
  join (&late, address);
  for (unsigned i = 0; i < XMEM_MAX_STICKY_EVENTS; i++) {
    g_snprintf (name, sizeof (name), "n%u", i);
    actor_next_event (&late, &seen);
    g_assert_cmpstr (seen.name, ==, name);
    g_assert_cmpuint (seen.size, ==, sizeof (data));
  }
  actor_stop (&late);
  source_close (&source);
}

static const struct harness_role roles[] = { { "actor", actor_run },
  { NULL, NULL } };

int
main (int argc, char **argv)
{
  harness_init (&argc, &argv, roles);
  harness_add ("/last-of-each-in-the-first-ones-order",
      test_last_of_each_in_the_first_ones_order);
  harness_add ("/flush-ends-some", test_flush_ends_some);
  harness_add ("/all-that-are-possible", test_all_that_are_possible);
  return g_test_run ();
}
