/* SPDX-License-Identifier: MIT */
/* The publisher tells of each subscriber who it is, what it got, what it lost
 * and what it holds. */
#include "harness/actor.h"
#include "harness/frames.h"

static struct xmem_publisher_client
client_at (const struct source *source, size_t i)
{
  struct xmem_publisher_client clients[8];

  g_assert_cmpuint (
      xmem_publisher_get_clients (source->publisher, clients, 8), >, i);
  return clients[i];
}

static void
test_who_they_are (void)
{
  struct source source;
  const char *address = source_open_simply (&source);
  struct xmem_publisher_client first, second;
  struct actor a, b;

  g_assert_cmpuint (
      xmem_publisher_get_clients (source.publisher, NULL, 0), ==, 0);
  actor_start_subscriber (&a, address, XMEM_DELIVERY_EVERY, 3);
  actor_start_subscriber (&b, address, XMEM_DELIVERY_LATEST, 64);
  g_assert_cmpuint (
      xmem_publisher_get_clients (source.publisher, NULL, 0), ==, 2);
  g_assert_cmpuint (
      xmem_publisher_get_clients (source.publisher, &first, 1), ==, 2);
  second = client_at (&source, 1);
  g_assert_cmpint (first.pid, ==, a.child.pid);
  g_assert_cmpint (second.pid, ==, b.child.pid);
  g_assert_cmpint (first.fd, !=, second.fd);
  g_assert_cmpstr (first.name, ==, "actor");
  g_assert_cmpint (first.delivery, ==, XMEM_DELIVERY_EVERY);
  g_assert_cmpint (second.delivery, ==, XMEM_DELIVERY_LATEST);
  g_assert_cmpint (first.state, ==, XMEM_CLIENT_ACTIVE);
  g_assert_cmpuint (first.grant, ==, 3);
  g_assert_cmpuint (second.grant, ==, 4); /* the publisher's own limit */
  actor_stop (&a);
  harness_wait_until (
      xmem_publisher_get_clients (source.publisher, NULL, 0) == 1);
  g_assert_cmpint (client_at (&source, 0).fd, ==, second.fd);
  actor_stop (&b);
  source_close (&source);
}

static void
test_what_they_got (void)
{
  struct source source;
  const char *address = source_open_simply (&source);
  struct xmem_publisher_client c;
  struct actor every, latest;
  uint64_t age;

  source_publish_many (&source, 1000, 0, 5); /* before they came */
  actor_start_subscriber (&every, address, XMEM_DELIVERY_EVERY, 4);
  actor_start_subscriber (&latest, address, XMEM_DELIVERY_LATEST, 1);
  c = client_at (&source, 0);
  g_assert_cmpuint (c.frames_delivered + c.frames_dropped, ==, 0);
  g_assert_cmpuint (c.frames_held + c.lag + c.oldest_held_ns, ==, 0);
  source_publish_many (&source, 1000, 5, 4);
  c = client_at (&source, 0);
  g_assert_cmpuint (c.frames_delivered, ==, 4);
  g_assert_cmpuint (c.frames_held, ==, 4);
  g_assert_cmpuint (c.frames_dropped, ==, 0);
  g_assert_cmpuint (c.lag, ==, 0);
  c = client_at (&source, 1); /* 8 waits for it, 6 and 7 did */
  g_assert_cmpuint (c.frames_delivered, ==, 1);
  g_assert_cmpuint (c.frames_held, ==, 1);
  g_assert_cmpuint (c.frames_dropped, ==, 2);
  g_assert_cmpuint (c.lag, ==, 3);
  age = c.oldest_held_ns;
  harness_wait_until (client_at (&source, 1).oldest_held_ns > age);
  actor_expect_frame (&latest, 5);
  actor_release (&latest, 5);
  harness_wait_until (client_at (&source, 1).lag == 0);
  g_assert_cmpuint (client_at (&source, 1).frames_delivered, ==, 2);
  g_assert_cmpuint (source_stats (&source).frames_delivered, ==, 4 + 2);
  g_assert_cmpuint (source_stats (&source).frames_dropped, ==, 2);
  actor_stop (&every);
  actor_stop (&latest);
  source_close (&source);
}

/* The age is that of the oldest, whichever is released. */
static void
test_oldest_one (void)
{
  struct source source;
  const char *address = source_open_simply (&source);
  struct actor actor;
  uint64_t age;

  actor_start_subscriber (&actor, address, XMEM_DELIVERY_EVERY, 4);
  source_publish_many (&source, 1000, 0, 1);
  harness_wait_until (client_at (&source, 0).oldest_held_ns > 50000000);
  source_publish_many (&source, 1000, 1, 2);
  for (unsigned i = 0; i < 3; i++)
    actor_expect_frame (&actor, i);
  actor_release (&actor, 1);
  harness_wait_until (client_at (&source, 0).frames_held == 2);
  age = client_at (&source, 0).oldest_held_ns;
  g_assert_cmpuint (age, >, 50000000);
  actor_release (&actor, 0);
  harness_wait_until (client_at (&source, 0).frames_held == 1);
  g_assert_cmpuint (client_at (&source, 0).oldest_held_ns, >, 0);
  actor_release (&actor, 2);
  harness_wait_until (client_at (&source, 0).frames_held == 0);
  g_assert_cmpuint (client_at (&source, 0).oldest_held_ns, ==, 0);
  actor_stop (&actor);
  source_close (&source);
}

/* One that has left is listed while it keeps something. */
static void
test_one_that_has_left (void)
{
  struct source source;
  const char *address = source_open_simply (&source);
  struct actor actor;

  actor_start_subscriber (&actor, address, XMEM_DELIVERY_EVERY, 4);
  source_publish_many (&source, 1000, 0, 2);
  actor_expect_frame (&actor, 0);
  actor_unsubscribe (&actor);
  harness_wait_until (client_at (&source, 0).state == XMEM_CLIENT_LEFT);
  harness_wait_until (client_at (&source, 0).frames_held == 1);
  g_assert_cmpuint (source_stats (&source).n_clients, ==, 0);
  actor_release (&actor, 0);
  harness_wait_until (
      xmem_publisher_get_clients (source.publisher, NULL, 0) == 0);
  actor_stop (&actor);
  source_close (&source);
}

static const struct harness_role roles[] = { { "actor", actor_run },
  { NULL, NULL } };

int
main (int argc, char **argv)
{
  harness_init (&argc, &argv, roles);
  harness_add ("/who-they-are", test_who_they_are);
  harness_add ("/what-they-got", test_what_they_got);
  harness_add ("/oldest-one", test_oldest_one);
  harness_add ("/one-that-has-left", test_one_that_has_left);
  return g_test_run ();
}
