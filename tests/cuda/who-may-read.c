/* SPDX-License-Identifier: MIT */
/* Who gets frames in CUDA memory, on which device, and what everybody else is
 * told. Devices are the same by UUID, not by number. The double has the devices
 * that most of this takes. */
#include "cuda/peers.h"

#define FIRST "GPU-fa4ecda0-0000-0000-0000-000000000001"
#define SECOND "GPU-fa4ecda0-0000-0000-0000-000000000002"

static void
pass (const char *producer_env, const char *consumer_env, const char *mode,
    const char *option)
{
  struct harness_child producer, consumer;
  struct peer_summary summary;

  peer_start (
      &producer, "producer", "FAKE_CUDA_DEVICES=2", producer_env, mode, NULL);
  peer_start (
      &consumer, "consumer", "FAKE_CUDA_DEVICES=2", consumer_env, option, NULL);
  harness_tell (&consumer, "next 10");
  peer_ask (&producer, "publish 10");
  peer_hear_summary (&consumer, &summary);
  g_assert_cmpint (summary.status, ==, XMEM_OK);
  g_assert_cmpuint (summary.n_good, ==, 10);
  peer_stop (&consumer);
  peer_stop (&producer);
}

static void
fail (const char *producer_env, const char *consumer_env, const char *option,
    int status, const char *words)
{
  struct harness_child producer, consumer;
  struct peer_summary summary;

  peer_start (&producer, "producer", "FAKE_CUDA_DEVICES=2", producer_env, NULL);
  peer_start (
      &consumer, "consumer", "FAKE_CUDA_DEVICES=2", consumer_env, option, NULL);
  peer_ask (&producer, "publish 1");
  harness_tell (&consumer, "next 1");
  peer_hear_summary (&consumer, &summary);
  g_test_message ("%s", summary.words);
  g_assert_cmpint (summary.status, ==, status);
  harness_assert_contains (summary.words, words);
  peer_stop (&consumer);
  peer_stop (&producer);
}

/* Number 0 of the one is 1 of the other. */
static void
test_other_numbers (void)
{
  pass ("CUDA_VISIBLE_DEVICES=1", "CUDA_VISIBLE_DEVICES=0,1", "mode=vmm", NULL);
  pass ("CUDA_VISIBLE_DEVICES=" SECOND, "CUDA_VISIBLE_DEVICES=1,0",
      "mode=legacy", NULL);
}

static void
test_device_not_seen (void)
{
  fail ("CUDA_VISIBLE_DEVICES=0", "CUDA_VISIBLE_DEVICES=1", NULL,
      XMEM_UNSUPPORTED,
      FIRST ", which is none of the 1 that this process sees");
}

static void
test_other_mig_instance (void)
{
  struct harness_child producer, consumer;
  struct peer_summary summary;

  peer_start (&producer, "producer", "FAKE_CUDA_MIG=1", "FAKE_CUDA_DEVICES=2",
      "CUDA_VISIBLE_DEVICES=0", NULL);
  peer_start (&consumer, "consumer", "FAKE_CUDA_MIG=1", "FAKE_CUDA_DEVICES=2",
      "CUDA_VISIBLE_DEVICES=1", NULL);
  peer_ask (&producer, "publish 1");
  harness_tell (&consumer, "next 1");
  peer_hear_summary (&consumer, &summary);
  g_assert_cmpint (summary.status, ==, XMEM_UNSUPPORTED);
  harness_assert_contains (summary.words, "MIG instance");
  peer_stop (&consumer);
  peer_stop (&producer);
}

static void
test_not_asked_for (void)
{
  fail ("X=", "X=", "no-cuda", XMEM_REFUSED, "XMEM_SUBSCRIBER_CUDA");
}

/* What is read-only where the driver can have it so, is read where it cannot. */
static void
test_without_read_only_memory (void)
{
  pass ("X=", "FAKE_CUDA_WITHOUT=read-only", "mode=vmm", NULL);
  pass ("X=", "FAKE_CUDA_FAIL=cuMemSetAccess:1:801", "mode=vmm", NULL);
}

/* The stream that waits is of a context that the application has made. */
static void
test_context_of_the_application (void)
{
  pass ("X=", "FAKE_CUDA_LAG=50:100", "mode=vmm", "own-context");
  pass ("X=", "FAKE_CUDA_LAG=50:100", "mode=legacy", "own-context");
  if (double_is_here ())
    pass ("CUDA_VISIBLE_DEVICES=1", "FAKE_CUDA_LAG=50:100", "mode=vmm",
        "own-context");
}

/* A frame that is still being written is kept for who can wait for it. */
static void
test_late_joiners (void)
{
  struct harness_child producer, waiting, complete;
  struct peer_summary summary;

  peer_start (&producer, "producer", "replay-last", NULL);
  peer_ask (&producer, "pause");
  peer_ask (&producer, "publish 1");
  peer_start (&complete, "consumer", "complete", NULL);
  peer_start (&waiting, "consumer", NULL);
  g_assert_true (g_str_has_prefix (peer_ask (&producer, "stats"), " 1 1 "));
  harness_tell (&waiting, "next 1");
  harness_tell (&complete, "next 1");
  peer_ask (&producer, "go");
  peer_hear_summary (&waiting, &summary);
  g_assert_cmpuint (summary.n_good, ==, 1);
  peer_ask (&producer, "publish 1");
  peer_hear_summary (&complete, &summary);
  g_assert_cmpuint (summary.n_good, ==, 1);
  peer_stop (&waiting);
  peer_stop (&complete);
  peer_stop (&producer);
}

/* Where events cannot cross a frame is complete without having been asked to. */
static void
test_late_for_what_is_complete (void)
{
  struct harness_child producer, consumer;
  struct peer_summary summary;

  peer_start (
      &producer, "producer", "replay-last", "FAKE_CUDA_WITHOUT=events", NULL);
  peer_ask (&producer, "publish 1");
  peer_start (&consumer, "consumer", "complete", NULL);
  harness_tell (&consumer, "next 1");
  peer_hear_summary (&consumer, &summary);
  g_assert_cmpuint (summary.n_good, ==, 1);
  peer_stop (&consumer);
  peer_stop (&producer);
}

/* Who joins too late to be offered a frame is told the same about it. */
static void
test_late_and_not_asked_for (void)
{
  struct harness_child producer, consumer;
  struct peer_summary summary;

  peer_start (&producer, "producer", "replay-last", NULL);
  peer_ask (&producer, "publish 1");
  peer_start (&consumer, "consumer", "no-cuda", NULL);
  harness_tell (&consumer, "next 1");
  peer_hear_summary (&consumer, &summary);
  g_assert_cmpint (summary.status, ==, XMEM_REFUSED);
  harness_assert_contains (summary.words, "XMEM_SUBSCRIBER_CUDA");
  peer_stop (&consumer);
  peer_stop (&producer);
}

int
main (int argc, char **argv)
{
  static const struct harness_role roles[] = { PEER_ROLES, { NULL, NULL } };

  double_init (&argc, &argv, roles);
  double_add ("/devices-have-other-numbers", test_other_numbers);
  double_add ("/device-is-not-seen", test_device_not_seen);
  double_add ("/other-mig-instance", test_other_mig_instance);
  harness_add ("/not-asked-for", test_not_asked_for);
  double_add ("/without-read-only-memory", test_without_read_only_memory);
  harness_add ("/context-of-the-application", test_context_of_the_application);
  harness_add ("/late-joiners", test_late_joiners);
  double_add ("/late-for-what-is-complete", test_late_for_what_is_complete);
  harness_add ("/late-and-not-asked-for", test_late_and_not_asked_for);
  return g_test_run ();
}
