/* SPDX-License-Identifier: MIT */
/* What the threads that publish and read ask of the driver for each frame, once
 * things have settled: one event recorded, one wait put into a stream, one event
 * recorded behind the reader's work. Nothing that waits, allocates or imports.
 * Where events cannot cross, the publisher waits, and says so. The double
 * counts, and it alone can be without events. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cuda/peers.h"

#define N_FRAMES 100

static const char *const functions[] = {
#define F(name, symbol, since) #name,
#include "harness/fake-cuda/functions.def"
#undef F
};

struct counts {
  uint64_t of[G_N_ELEMENTS (functions)];
};

static struct counts
count (struct harness_child *child)
{
  struct counts counts;

  for (size_t i = 0; i < G_N_ELEMENTS (functions); i++)
    counts.of[i] =
        strtoull (peer_ask (child, "calls %s", functions[i]), NULL, 10);
  return counts;
}

struct expected {
  const char *function;
  uint64_t per_frame; /* or AS_HELD */
};

/* At most one for each frame held at once, ever. */
#define AS_HELD UINT64_MAX
#define GRANT 4

static void
check (const struct counts *before, const struct counts *after,
    const struct expected *expected)
{
  for (size_t i = 0; i < G_N_ELEMENTS (functions); i++) {
    const struct expected *e = expected;

    while (e->function && strcmp (e->function, functions[i]) != 0)
      e++;
    g_test_message (
        "%s: %u", functions[i], (unsigned) (after->of[i] - before->of[i]));
    if (e->per_frame == AS_HELD)
      g_assert_cmpuint (after->of[i], <=, GRANT);
    else
      g_assert_cmpuint (
          after->of[i] - before->of[i], ==, e->per_frame * N_FRAMES);
  }
}

static void
pass_frames (
    struct harness_child *producer, struct harness_child *consumer, unsigned n)
{
  struct peer_summary summary;

  harness_tell (consumer, "next %u", n);
  peer_ask (producer, "publish %u", n);
  peer_hear_summary (consumer, &summary);
  g_assert_cmpuint (summary.n_good, ==, n);
}

/* Contexts are made current and left, which is a matter of this thread. */
static void
test_calls_per_frame (void)
{
  static const struct expected of_producer[] = { { "cuEventRecord", 1 },
    { "cuCtxPushCurrent", 1 }, { "cuCtxPopCurrent", 1 },
    { "cuLaunchHostFunc", 1 } /* the test's kernel */, { NULL, 0 } };
  static const struct expected of_consumer[] = { { "cuStreamWaitEvent", 1 },
    { "cuEventRecord", 1 }, { "cuCtxPushCurrent", 2 }, { "cuCtxPopCurrent", 2 },
    { "cuLaunchHostFunc", 1 }, { "cuEventCreate", AS_HELD }, { NULL, 0 } };
  struct harness_child producer, consumer;
  struct counts producer_before, producer_after, consumer_before,
      consumer_after;

  peer_start (
      &producer, "producer", "one-stream", "FAKE_CUDA_LAG=50:100", NULL);
  peer_start (&consumer, "consumer", "FAKE_CUDA_LAG=50:100", NULL);
  pass_frames (&producer, &consumer, 20);
  producer_before = count (&producer);
  consumer_before = count (&consumer);
  pass_frames (&producer, &consumer, N_FRAMES);
  producer_after = count (&producer);
  consumer_after = count (&consumer);
  check (&producer_before, &producer_after, of_producer);
  check (&consumer_before, &consumer_after, of_consumer);
  peer_stop (&consumer);
  peer_stop (&producer);
}

static uint64_t
synchronised (struct harness_child *producer)
{
  uint64_t n;

  g_assert_cmpint (
      sscanf (peer_ask (producer, "stats"), " %*u %*u %" G_GUINT64_FORMAT, &n),
      ==, 1);
  return n;
}

static void
test_events_that_cannot_be_shared (void)
{
  struct harness_child producer, consumer;

  peer_start (&producer, "producer", "FAKE_CUDA_WITHOUT=events",
      "FAKE_CUDA_LAG=50:100", NULL);
  peer_start (&consumer, "consumer", NULL);
  pass_frames (&producer, &consumer, 50);
  g_assert_cmpuint (synchronised (&producer), ==, 50);
  peer_stop (&consumer);
  peer_stop (&producer);
}

/* It is told what to ask for; who asks gets frames without having to wait. */
static void
test_events_that_cannot_be_opened (void)
{
  struct harness_child producer, consumer, other;
  struct peer_summary summary;

  peer_start (&producer, "producer", "FAKE_CUDA_LAG=50:100", NULL);
  peer_start (
      &consumer, "consumer", "FAKE_CUDA_FAIL=cuIpcOpenEventHandle:0:801", NULL);
  peer_ask (&producer, "publish 1");
  harness_tell (&consumer, "next 1");
  peer_hear_summary (&consumer, &summary);
  g_assert_cmpint (summary.status, ==, XMEM_UNSUPPORTED);
  harness_assert_contains (summary.words, "cuIpcOpenEventHandle ()");
  harness_assert_contains (summary.words, "XMEM_SUBSCRIBER_CUDA_COMPLETE");
  peer_stop (&consumer);
  g_assert_cmpuint (synchronised (&producer), ==, 0);
  peer_start (&other, "consumer", "complete", "no-wait",
      "FAKE_CUDA_FAIL=cuIpcOpenEventHandle:0:801", NULL);
  pass_frames (&producer, &other, 50);
  g_assert_cmpuint (synchronised (&producer), ==, 50);
  peer_stop (&other);
  peer_stop (&producer);
}

int
main (int argc, char **argv)
{
  static const struct harness_role roles[] = { PEER_ROLES, { NULL, NULL } };

  double_init (&argc, &argv, roles);
  double_add ("/calls-per-frame", test_calls_per_frame);
  double_add (
      "/events-that-cannot-be-shared", test_events_that_cannot_be_shared);
  double_add (
      "/events-that-cannot-be-opened", test_events_that_cannot_be_opened);
  return g_test_run ();
}
