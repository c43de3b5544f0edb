/* SPDX-License-Identifier: MIT */
/* Frames whose writing lags behind their publication, read by three processes
 * whose reading lags as well, each with pauses of its own: all are read as they
 * were written. A reader that does not wait for the writer is caught at it.
 *
 * XMEM_CUDA_FRAMES: how many frames. */
#include <stdlib.h>

#include "cuda/peers.h"

#define N_CONSUMERS 3

static const char *
n_frames (void)
{
  const char *text = g_getenv ("XMEM_CUDA_FRAMES");

  return text ? text : "5000";
}

static void
read_all (const char *mode)
{
  static const char *const seeds[] = { "seed=1", "seed=2", "seed=3" };
  struct harness_child producer, consumers[N_CONSUMERS];
  uint64_t n = strtoull (n_frames (), NULL, 10);
  struct peer_summary summary;

  peer_start (&producer, "producer", mode, "FAKE_CUDA_LAG=0:150", NULL);
  for (int i = 0; i < N_CONSUMERS; i++) {
    peer_start (
        &consumers[i], "consumer", seeds[i], "FAKE_CUDA_LAG=0:150", NULL);
    harness_tell (&consumers[i], "read");
  }
  peer_ask (&producer, "clients %d", N_CONSUMERS);
  peer_ask (&producer, "publish %s", n_frames ());
  peer_ask (&producer, "eos");
  for (int i = 0; i < N_CONSUMERS; i++) {
    peer_hear_summary (&consumers[i], &summary);
    g_assert_cmpint (summary.status, ==, XMEM_EOS);
    g_assert_cmpuint (summary.n_frames, ==, n);
    g_assert_cmpuint (summary.n_good, ==, n);
    g_assert_cmpuint (summary.n_bad, ==, 0);
    peer_stop (&consumers[i]);
  }
  peer_ask (&producer, "released");
  peer_stop (&producer);
}

static void
test_vmm (void)
{
  read_all ("mode=vmm");
}

static void
test_legacy (void)
{
  read_all ("mode=legacy");
}

/* The writer is held still until the reader, which does not wait, is done. */
static void
test_without_the_wait (void)
{
  struct harness_child producer, consumer;
  struct peer_summary summary;

  peer_start (&producer, "producer", NULL);
  peer_start (&consumer, "consumer", "no-wait", NULL);
  peer_ask (&producer, "publish 1"); /* 0 is what new memory holds */
  harness_tell (&consumer, "next 1");
  peer_hear_summary (&consumer, &summary);
  peer_ask (&producer, "pause");
  peer_ask (&producer, "publish 3");
  harness_tell (&consumer, "next 3");
  peer_hear_summary (&consumer, &summary);
  g_assert_cmpuint (summary.n_frames, ==, 3);
  g_assert_cmpuint (summary.n_bad, ==, 3);
  peer_ask (&producer, "go");
  peer_stop (&consumer);
  peer_stop (&producer);
}

/* The same with a reader that waits: it is done only when the writer is. */
static void
test_with_the_wait (void)
{
  struct harness_child producer, consumer;
  struct peer_summary summary;

  peer_start (&producer, "producer", NULL);
  peer_start (&consumer, "consumer", NULL);
  peer_ask (&producer, "pause");
  peer_ask (&producer, "publish 3");
  harness_tell (&consumer, "next 3");
  peer_ask (&producer, "go");
  peer_hear_summary (&consumer, &summary);
  g_assert_cmpuint (summary.n_good, ==, 3);
  peer_stop (&consumer);
  peer_stop (&producer);
}

/* Who gets them from a process between waits for the one that writes. */
static void
test_through_a_relay (void)
{
  struct harness_child producer, relay, consumer;
  struct peer_summary summary;

  peer_start (&producer, "producer", "FAKE_CUDA_LAG=100:300", NULL);
  peer_start (&relay, "relay", NULL);
  peer_start (&consumer, "consumer", "from-relay", NULL);
  peer_ask (&relay, "clients 1");
  harness_tell (&consumer, "next 100");
  harness_tell (&relay, "next 100");
  peer_ask (&producer, "publish 100");
  peer_hear_summary (&consumer, &summary);
  g_assert_cmpint (summary.status, ==, XMEM_OK);
  g_assert_cmpuint (summary.n_good, ==, 100);
  peer_hear_ok (&relay);
  peer_stop (&consumer);
  peer_stop (&relay);
  peer_stop (&producer);
}

int
main (int argc, char **argv)
{
  static const struct harness_role roles[] = { PEER_ROLES, { NULL, NULL } };

  double_init (&argc, &argv, roles);
  harness_add ("/three-readers-vmm", test_vmm);
  harness_add ("/three-readers-legacy", test_legacy);
  harness_add ("/without-the-wait", test_without_the_wait);
  harness_add ("/with-the-wait", test_with_the_wait);
  harness_add ("/through-a-relay", test_through_a_relay);
  return g_test_run ();
}
