/* SPDX-License-Identifier: MIT */
/* kill -9 of a subscriber that holds all it may: what it held comes back, and
 * a publisher that waits for it goes on. */
#include <pthread.h>
#include <stdatomic.h>

#include "harness/actor.h"
#include "harness/frames.h"

static void
test_frames_come_back (void)
{
  struct source source;
  const char *address = source_open_simply (&source);
  struct xmem_pool_stats stats;
  struct actor victim, other;

  actor_start_subscriber (&victim, address, XMEM_DELIVERY_EVERY, 4);
  actor_start_subscriber (&other, address, XMEM_DELIVERY_EVERY, 4);
  source_publish_many (&source, 10000, 0, 4);
  for (unsigned i = 0; i < 4; i++) {
    actor_expect_frame (&victim, i);
    actor_expect_frame (&other, i);
    actor_release (&other, i);
  }
  harness_assert_status (
      source_publish (&source, 10000, 4, 0, 0), XMEM_AGAIN, NULL);
  actor_die (&victim);
  source_publish_many (&source, 10000, 4, 1); /* waits for the hang-up */
  actor_expect_frame (&other, 4);
  actor_release (&other, 4);
  harness_assert_ok (
      xmem_publisher_wait_released (source.publisher, XMEM_WAIT_FOREVER), NULL);
  xmem_pool_get_stats (source.pool, &stats);
  g_assert_cmpuint (stats.n_used, ==, 0);
  g_assert_cmpuint (source_stats (&source).n_clients, ==, 1);
  actor_stop (&other);
  source_close (&source);
}

struct publishing {
  struct source *source;
  atomic_bool started;
  int status;
};

static void *
run_publish (void *data)
{
  struct publishing *p = data;

  p->started = true;
  p->status = source_publish (p->source, 10000, 1, 0, XMEM_WAIT_FOREVER);
  return NULL;
}

static void
test_waiting_publisher_goes_on (void)
{
  struct source source;
  const char *address = source_open_simply (&source);
  struct publishing publishing = { .source = &source };
  struct actor victim;
  pthread_t thread;

  actor_start_subscriber (&victim, address, XMEM_DELIVERY_EVERY, 1);
  source_publish_many (&source, 10000, 0, 1);
  actor_expect_frame (&victim, 0);
  g_assert_cmpint (
      pthread_create (&thread, NULL, run_publish, &publishing), ==, 0);
  harness_wait_until (publishing.started);
  harness_sleep_ms (20); /* it waits by now, most likely */
  actor_die (&victim);
  pthread_join (thread, NULL);
  harness_assert_ok (publishing.status, NULL);
  g_assert_cmpuint (source_stats (&source).frames_published, ==, 2);
  source_close (&source);
}

/* Killed with frames in its socket that it never read, and one that waits. */
static void
test_unread_frames_come_back (void)
{
  struct source source;
  const char *address = source_open_simply (&source);
  struct xmem_pool_stats stats;
  struct actor victim;

  actor_start_subscriber (&victim, address, XMEM_DELIVERY_LATEST, 3);
  source_publish_many (&source, 10000, 0, 10);
  g_assert_cmpuint (source_stats (&source).frames_held, ==, 4);
  actor_die (&victim);
  harness_assert_ok (
      xmem_publisher_wait_released (source.publisher, XMEM_WAIT_FOREVER), NULL);
  xmem_pool_get_stats (source.pool, &stats);
  g_assert_cmpuint (stats.n_used, ==, 0);
  source_close (&source);
}

static const struct harness_role roles[] = { { "actor", actor_run },
  { NULL, NULL } };

int
main (int argc, char **argv)
{
  harness_init (&argc, &argv, roles);
  harness_add ("/frames-come-back", test_frames_come_back);
  harness_add ("/waiting-publisher-goes-on", test_waiting_publisher_goes_on);
  harness_add ("/unread-frames-come-back", test_unread_frames_come_back);
  return g_test_run ();
}
