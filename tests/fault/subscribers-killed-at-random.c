/* SPDX-License-Identifier: MIT */
/* For some seconds subscribers come, read, and are killed at any instruction.
 * Nobody ever sees a frame change, one that stays sees them all, and in the
 * end nothing is left. GTest prints the seed; --seed=SEED repeats it. */
#include <inttypes.h>

#include "harness/actor.h"
#include "harness/frames.h"

#define N_VICTIMS 5
#define SECONDS 4

/* Reads for ever, holding frames; ends by itself only when one is wrong. */
static void
run_victim (int argc, char **argv)
{
  const struct xmem_subscriber_params params = { .struct_size = sizeof (params),
    .address = argv[0],
    .delivery = (enum xmem_delivery) atoi (argv[1]),
    .n_buffers = (uint32_t) atoi (argv[2]) };
  struct xmem_subscriber *subscriber;
  struct xmem_frame *frame, *before = NULL;
  uint64_t stamp;

  harness_assert_ok (xmem_subscriber_new (&params, &subscriber, NULL), NULL);
  for (;;) {
    harness_assert_ok (
        xmem_subscriber_connect (subscriber, XMEM_WAIT_FOREVER, NULL), NULL);
    for (unsigned i = 0; i < 50; i++) {
      harness_assert_ok (
          xmem_subscriber_next (subscriber, XMEM_WAIT_FOREVER, &frame, NULL),
          NULL);
      for (unsigned look = 0; look < 3; look++) {
        g_assert_true (frames_read_stamp (xmem_frame_get_data (frame, 0),
            xmem_frame_get_region (frame, 0)->size, &stamp));
        g_assert_cmpuint (stamp, ==, xmem_frame_get_sequence (frame));
      }
      xmem_frame_unref (before);
      before = frame;
    }
  }
}

static void
spawn_victim (struct harness_child *child, const char *address)
{
  /* One with "every" that has its grant holds the others up, as it may. */
  harness_spawn (child, "victim", address,
      g_test_rand_int_range (0, 4) == 0 ? "1" : "0",
      g_test_rand_int_range (0, 2) ? "2" : "6", NULL);
}

static void
kill_victim (struct harness_child *child)
{
  harness_kill (child, SIGKILL);
  g_assert_cmpint (harness_join (child), ==, -SIGKILL);
}

static void
test_killed_at_random (void)
{
  struct harness_child victims[N_VICTIMS];
  struct source source;
  const char *address = source_open_simply (&source);
  struct actor_summary summary;
  struct xmem_pool_stats stats;
  struct actor witness;
  int64_t end = g_get_monotonic_time () + SECONDS * G_USEC_PER_SEC;
  unsigned n_killed = 0;
  uint64_t n = 0;

  actor_start_subscriber (&witness, address, XMEM_DELIVERY_EVERY, 4);
  actor_drain_begin (&witness, 2, 0);
  for (unsigned i = 0; i < N_VICTIMS; i++)
    spawn_victim (&victims[i], address);
  while (g_get_monotonic_time () < end) {
    unsigned some = (unsigned) g_test_rand_int_range (0, N_VICTIMS);

    for (int i = g_test_rand_int_range (1, 40); i > 0; i--)
      source_publish_many (&source, 20000, n++, 1);
    kill_victim (&victims[some]);
    n_killed++;
    spawn_victim (&victims[some], address);
  }
  for (unsigned i = 0; i < N_VICTIMS; i++)
    kill_victim (&victims[i]);
  xmem_publisher_send_eos (source.publisher);
  actor_drain_end (&witness, &summary);
  g_assert_cmpuint (summary.n, ==, n);
  g_assert_cmpuint (summary.n_bad, ==, 0);
  harness_assert_ok (
      xmem_publisher_wait_released (source.publisher, XMEM_WAIT_FOREVER), NULL);
  xmem_pool_get_stats (source.pool, &stats);
  g_assert_cmpuint (stats.n_used, ==, 0);
  harness_wait_until (source_stats (&source).n_clients == 1);
  g_test_message ("%u killed, %" PRIu64 " frames, %" PRIu64 " subscribers",
      n_killed, n, source_stats (&source).clients_served);
  actor_stop (&witness);
  source_close (&source);
}

static const struct harness_role roles[] = { { "actor", actor_run },
  { "victim", run_victim }, { NULL, NULL } };

int
main (int argc, char **argv)
{
  harness_init (&argc, &argv, roles);
  harness_add ("/killed-at-random", test_killed_at_random);
  return g_test_run ();
}
