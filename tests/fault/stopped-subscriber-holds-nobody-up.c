/* SPDX-License-Identifier: MIT */
/* SIGSTOP of a subscriber with "latest": the publisher never waits for it and
 * keeps no more for it than its grant and one frame; after SIGCONT it goes
 * on. With "every" the publisher waits, as asked, and goes on too. */
#include <signal.h>

#include "harness/actor.h"
#include "harness/frames.h"

#define N_FRAMES 2000

static void
stop (struct actor *actor)
{
  harness_kill (&actor->child, SIGSTOP);
  harness_wait_until (harness_is_stopped (&actor->child));
}

/* What goes on while it is stopped. */
static void
publish_to_others (struct source *source, struct actor *other)
{
  struct actor_summary summary;
  struct xmem_pool_stats stats;

  actor_drain_begin (other, 1, 0);
  source_publish_many (source, 10000, 0, N_FRAMES);
  xmem_pool_get_stats (source->pool, &stats);
  g_assert_cmpuint (stats.n_slots, <=, 64);
  g_assert_cmpuint (source_stats (source).frames_held, <=, 3 + 1 + 4);
  xmem_publisher_send_eos (source->publisher);
  actor_drain_end (other, &summary);
  g_assert_cmpuint (summary.n, ==, N_FRAMES);
  g_assert_cmpuint (summary.n_bad, ==, 0);
}

static void
test_latest (void)
{
  struct source source;
  const char *address = source_open_simply (&source);
  struct actor_summary summary;
  struct actor stopped, other;
  unsigned n_fds;

  actor_start_subscriber (&stopped, address, XMEM_DELIVERY_LATEST, 3);
  actor_start_subscriber (&other, address, XMEM_DELIVERY_EVERY, 4);
  n_fds = harness_count_other_fds (0);
  stop (&stopped);
  publish_to_others (&source, &other);
  g_assert_cmpuint (harness_count_other_fds (0), ==, n_fds);
  harness_kill (&stopped.child, SIGCONT);
  actor_drain_begin (&stopped, 1, 0);
  actor_drain_end (&stopped, &summary);
  harness_assert_status (summary.status, XMEM_EOS, NULL);
  g_assert_cmpuint (summary.n, ==, 4); /* its grant, and the last */
  g_assert_cmpuint (summary.last, ==, N_FRAMES - 1);
  g_assert_cmpuint (summary.n_bad, ==, 0);
  source_publish_many (&source, 10000, N_FRAMES, 1);
  actor_expect_frame (&stopped, N_FRAMES);
  actor_expect_frame (&other, N_FRAMES);
  actor_stop (&stopped);
  actor_stop (&other);
  source_close (&source);
}

static void
test_every (void)
{
  struct source source;
  const char *address = source_open_simply (&source);
  struct actor stopped;

  actor_start_subscriber (&stopped, address, XMEM_DELIVERY_EVERY, 2);
  stop (&stopped);
  source_publish_many (&source, 10000, 0, 2);
  harness_assert_status (
      source_publish (&source, 10000, 2, 0, 50 * 1000000), XMEM_AGAIN, NULL);
  harness_kill (&stopped.child, SIGCONT);
  for (unsigned i = 0; i < 2; i++) {
    actor_expect_frame (&stopped, i);
    actor_release (&stopped, i);
  }
  source_publish_many (&source, 10000, 2, 1);
  actor_expect_frame (&stopped, 2);
  actor_stop (&stopped);
  source_close (&source);
}

/* The publisher ends meanwhile: the stopped one gets what was sent. */
static void
test_publisher_ends_meanwhile (void)
{
  struct source source;
  const char *address = source_open_simply (&source);
  struct actor stopped;

  actor_start_subscriber (&stopped, address, XMEM_DELIVERY_LATEST, 2);
  stop (&stopped);
  source_publish_many (&source, 10000, 0, 10);
  source_close (&source);
  harness_kill (&stopped.child, SIGCONT);
  actor_expect_frame (&stopped, 0);
  actor_expect_frame (&stopped, 1);
  actor_expect_frame (&stopped, 9);
  actor_expect_status (&stopped, XMEM_GONE);
  actor_stop (&stopped);
}

static const struct harness_role roles[] = { { "actor", actor_run },
  { NULL, NULL } };

int
main (int argc, char **argv)
{
  harness_init (&argc, &argv, roles);
  harness_add ("/latest", test_latest);
  harness_add ("/every", test_every);
  harness_add ("/publisher-ends-meanwhile", test_publisher_ends_meanwhile);
  return g_test_run ();
}
