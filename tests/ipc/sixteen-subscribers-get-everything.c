/* SPDX-License-Identifier: MIT */
/* Sixteen processes at once, half of them with "every" and half with
 * "latest". */
#include "harness/actor.h"
#include "harness/frames.h"

#define N 16
#define N_FRAMES 100

static void
test_sixteen_subscribers (void)
{
  struct source source;
  const char *address = source_open_simply (&source);
  struct actor actors[N];
  struct actor_summary summary;

  for (unsigned i = 0; i < N; i++) {
    actor_start_subscriber (&actors[i], address,
        i % 2 ? XMEM_DELIVERY_EVERY : XMEM_DELIVERY_LATEST, 1 + i % 4);
    actor_drain_begin (&actors[i], 1 + i % 4, 0);
  }
  g_assert_cmpuint (source_stats (&source).n_clients, ==, N);
  source_publish_many (&source, 50000, 0, N_FRAMES);
  xmem_publisher_send_eos (source.publisher);
  for (unsigned i = 0; i < N; i++) {
    actor_drain_end (&actors[i], &summary);
    g_assert_cmpint (summary.status, ==, XMEM_EOS);
    g_assert_cmpuint (summary.n_bad, ==, 0);
    g_assert_cmpuint (summary.last, ==, N_FRAMES - 1);
    if (i % 2)
      g_assert_cmpuint (summary.n, ==, N_FRAMES);
  }
  harness_assert_ok (
      xmem_publisher_wait_released (source.publisher, XMEM_WAIT_FOREVER), NULL);
  for (unsigned i = 0; i < N; i++)
    actor_stop (&actors[i]);
  harness_wait_until (source_stats (&source).n_clients == 0);
  source_close (&source);
}

static const struct harness_role roles[] = { { "actor", actor_run },
  { NULL, NULL } };

int
main (int argc, char **argv)
{
  harness_init (&argc, &argv, roles);
  harness_add ("/sixteen-subscribers", test_sixteen_subscribers);
  return g_test_run ();
}
