/* SPDX-License-Identifier: MIT */
/* The statistics of both ends agree with each other and with what happened. */
#include "harness/actor.h"
#include "harness/frames.h"

#define N_FRAMES 200

static void
check_latency (const struct xmem_subscriber_stats *s)
{
  g_assert_cmpuint (s->latency_min_ns, >, 0);
  g_assert_cmpuint (s->latency_min_ns, <=, s->latency_mean_ns);
  g_assert_cmpuint (s->latency_mean_ns, <=, s->latency_max_ns);
  g_assert_cmpuint (s->latency_p50_ns, <=, s->latency_p99_ns);
  g_assert_cmpuint (s->latency_p99_ns, <=, s->latency_max_ns);
  g_assert_cmpuint (s->latency_p50_ns, >=, s->latency_min_ns);
}

/* One subscriber from the first to the last: sent and skipped are all. */
static void
test_one_subscriber (void)
{
  struct source source;
  const char *address = source_open_simply (&source);
  struct xmem_subscriber_stats sub;
  struct xmem_publisher_stats pub;
  struct actor_summary summary;
  struct actor actor;

  actor_start_subscriber (&actor, address, XMEM_DELIVERY_LATEST, 2);
  actor_drain_begin (&actor, 2, 1);
  for (unsigned i = 0; i < N_FRAMES; i++) {
    source_publish_many (&source, 10000, i, 1);
    if (i % 4 == 0)
      harness_sleep_ms (1);
  }
  xmem_publisher_send_eos (source.publisher);
  actor_drain_end (&actor, &summary);
  harness_assert_status (summary.status, XMEM_EOS, NULL);
  actor_get_stats (&actor, &sub);
  pub = source_stats (&source);
  g_assert_cmpuint (pub.frames_published, ==, N_FRAMES);
  g_assert_cmpuint (pub.frames_delivered + pub.frames_dropped, ==, N_FRAMES);
  g_assert_cmpuint (sub.frames_received, ==, pub.frames_delivered);
  g_assert_cmpuint (sub.frames_received, ==, summary.n);
  g_assert_cmpuint (sub.frames_lost, ==, pub.frames_dropped);
  g_assert_cmpuint (sub.frames_held, ==, 0);
  g_assert_cmpuint (sub.segments_received, ==, pub.segments_sent);
  check_latency (&sub);
  actor_stop (&actor);
  source_close (&source);
}

static void
test_held_frames (void)
{
  struct source source;
  const char *address = source_open_simply (&source);
  struct xmem_subscriber_stats sub;
  struct actor actor;

  actor_start_subscriber (&actor, address, XMEM_DELIVERY_EVERY, 4);
  source_publish_many (&source, 1000, 0, 3);
  g_assert_cmpuint (source_stats (&source).frames_held, ==, 3);
  for (unsigned i = 0; i < 3; i++) {
    actor_expect_frame (&actor, i);
    actor_get_stats (&actor, &sub);
    g_assert_cmpuint (sub.frames_held, ==, i + 1);
    g_assert_cmpuint (sub.frames_received, ==, i + 1);
  }
  actor_release (&actor, 1);
  actor_get_stats (&actor, &sub);
  g_assert_cmpuint (sub.frames_held, ==, 2);
  harness_wait_until (source_stats (&source).frames_held == 2);
  actor_stop (&actor);
  harness_wait_until (source_stats (&source).frames_held == 0);
  source_close (&source);
}

/* What was published before one joined is not lost for it. */
static void
test_late_joiner_has_lost_nothing (void)
{
  struct source source;
  const char *address = source_open_simply (&source);
  struct xmem_subscriber_stats sub;
  struct actor actor;

  source_publish_many (&source, 1000, 0, 10);
  actor_start_subscriber (&actor, address, XMEM_DELIVERY_LATEST, 1);
  source_publish_many (&source, 1000, 10, 5); /* 10 sent, 14 waits */
  actor_expect_frame (&actor, 10);
  actor_get_stats (&actor, &sub);
  g_assert_cmpuint (sub.frames_lost, ==, 0);
  actor_release (&actor, 10);
  actor_expect_frame (&actor, 14);
  actor_get_stats (&actor, &sub);
  g_assert_cmpuint (sub.frames_lost, ==, 3);
  actor_stop (&actor);
  source_close (&source);
}

static void
test_nobody (void)
{
  struct source source;
  struct xmem_publisher_stats pub;

  source_open_simply (&source);
  source_publish_many (&source, 1000, 0, 5);
  pub = source_stats (&source);
  g_assert_cmpuint (pub.frames_published, ==, 5);
  g_assert_cmpuint (pub.frames_delivered + pub.frames_dropped, ==, 0);
  g_assert_cmpuint (pub.frames_held + pub.n_clients, ==, 0);
  g_assert_cmpuint (pub.segments_sent, ==, 0);
  source_close (&source);
}

static const struct harness_role roles[] = { { "actor", actor_run },
  { NULL, NULL } };

int
main (int argc, char **argv)
{
  harness_init (&argc, &argv, roles);
  harness_add ("/one-subscriber", test_one_subscriber);
  harness_add ("/held-frames", test_held_frames);
  harness_add (
      "/late-joiner-has-lost-nothing", test_late_joiner_has_lost_nothing);
  harness_add ("/nobody", test_nobody);
  return g_test_run ();
}
