/* SPDX-License-Identifier: MIT */
/* A producer or a consumer of frames on a device is killed at some instant. The
 * others go on or are told; no slot is lost, and nothing is left of the dead.
 *
 * XMEM_CUDA_KILLS: how many times. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "cuda/peers.h"

#define N_FRAMES 300

static GRand *dice;

static void
expect_all_frames (struct harness_child *consumer)
{
  struct peer_summary summary;

  peer_hear_summary (consumer, &summary);
  g_assert_cmpint (summary.status, ==, XMEM_EOS);
  g_assert_cmpuint (summary.n_frames, ==, N_FRAMES);
  g_assert_cmpuint (summary.n_good, ==, N_FRAMES);
  peer_stop (consumer);
}

static void
survive_consumer (
    struct harness_child *producer, struct harness_child *survivor)
{
  unsigned n_used;

  peer_hear_ok (producer); /* has published all */
  peer_ask (producer, "eos");
  expect_all_frames (survivor);
  peer_ask (producer, "released");
  g_assert_cmpint (
      sscanf (peer_ask (producer, "stats"), " %*u %*u %*u %u", &n_used), ==, 1);
  g_assert_cmpuint (n_used, ==, 0);
  peer_stop (producer);
}

/* What a dead producer's kernels had not written before is no longer written:
 * the last frames may be anything. */
static void
survive_producer (struct harness_child *survivor)
{
  struct peer_summary summary;

  peer_hear_summary (survivor, &summary);
  g_assert_cmpint (summary.status, ==, XMEM_GONE);
  g_assert_cmpuint (summary.n_good + summary.n_bad, ==, summary.n_frames);
  peer_stop (survivor);
}

/* Of two consumers and the producer, which not every driver lets die while its
 * memory is read by a legacy handle. */
static void
kill_one (bool legacy)
{
  const char *mode = legacy ? "mode=legacy" : "mode=vmm";
  struct harness_child producer, consumers[2];
  int victim = g_rand_int_range (dice, 0, legacy && !double_is_here () ? 2 : 3);
  useconds_t delay = (useconds_t) g_rand_int_range (dice, 0, 40000);
  struct harness_child *child = victim < 2 ? &consumers[victim] : &producer;

  peer_start (&producer, "producer", mode, "FAKE_CUDA_LAG=0:100", NULL);
  for (int i = 0; i < 2; i++) {
    peer_start (&consumers[i], "consumer", "FAKE_CUDA_LAG=0:100", NULL);
    harness_tell (&consumers[i], "read");
  }
  peer_ask (&producer, "clients 2");
  harness_tell (&producer, "publish %d", N_FRAMES);
  usleep (delay);
  harness_kill (child, SIGKILL);
  g_assert_cmpint (harness_join (child), ==, -SIGKILL);
  if (victim < 2) {
    survive_consumer (&producer, &consumers[1 - victim]);
  } else {
    survive_producer (&consumers[0]);
    survive_producer (&consumers[1]);
  }
}

static void
test_kills (void)
{
  const char *text = g_getenv ("XMEM_CUDA_KILLS");
  int n = text ? atoi (text) : 50;

  dice = g_rand_new_with_seed (g_test_rand_int ());
  for (int i = 0; i < n; i++)
    kill_one (i % 2);
  g_test_message ("%d kills", n);
  g_rand_free (dice);
}

int
main (int argc, char **argv)
{
  static const struct harness_role roles[] = { PEER_ROLES, { NULL, NULL } };

  double_init (&argc, &argv, roles);
  harness_add ("/one-of-three", test_kills);
  return g_test_run ();
}
