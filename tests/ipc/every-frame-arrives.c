/* SPDX-License-Identifier: MIT */
/* Delivery "every" loses nothing, whatever the grant and the pace of each
 * subscriber; the publisher waits for the slowest. */
#include "harness/actor.h"
#include "harness/frames.h"

#define N_FRAMES 300

static void
check_all_came (struct actor *actor)
{
  struct actor_summary summary;

  actor_drain_end (actor, &summary);
  g_assert_cmpint (summary.status, ==, XMEM_EOS);
  g_assert_cmpuint (summary.n, ==, N_FRAMES);
  g_assert_cmpuint (summary.first, ==, 0);
  g_assert_cmpuint (summary.last, ==, N_FRAMES - 1);
  g_assert_cmpuint (summary.n_gaps, ==, 0);
  g_assert_cmpuint (summary.n_bad, ==, 0);
}

static void
test_every_frame_arrives (void)
{
  static const struct {
    unsigned grant, hold, pause_ms;
  } kinds[] = { { 1, 1, 0 }, { 4, 1, 0 }, { 4, 4, 0 }, { 2, 1, 1 } };
  struct actor actors[G_N_ELEMENTS (kinds)];
  struct source source;
  const char *address = source_open_simply (&source);
  struct xmem_publisher_stats stats;

  for (size_t i = 0; i < G_N_ELEMENTS (kinds); i++) {
    actor_start_subscriber (
        &actors[i], address, XMEM_DELIVERY_EVERY, kinds[i].grant);
    actor_drain_begin (&actors[i], kinds[i].hold, kinds[i].pause_ms);
  }
  source_publish_many (&source, 20000, 0, N_FRAMES);
  xmem_publisher_send_eos (source.publisher);
  for (size_t i = 0; i < G_N_ELEMENTS (kinds); i++)
    check_all_came (&actors[i]);
  stats = source_stats (&source);
  g_assert_cmpuint (stats.frames_dropped, ==, 0);
  g_assert_cmpuint (
      stats.frames_delivered, ==, N_FRAMES * G_N_ELEMENTS (kinds));
  for (size_t i = 0; i < G_N_ELEMENTS (kinds); i++)
    actor_stop (&actors[i]);
  source_close (&source);
}

static const struct harness_role roles[] = { { "actor", actor_run },
  { NULL, NULL } };

int
main (int argc, char **argv)
{
  harness_init (&argc, &argv, roles);
  harness_add ("/every-frame-arrives", test_every_frame_arrives);
  return g_test_run ();
}
