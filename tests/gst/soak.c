/* SPDX-License-Identifier: MIT */
/* 1080p60 for some seconds to 1, 4 and 16 consumers that look at every page of
 * every frame: none is lost or copied, and once things are under way there
 * are no page faults for frames, no more memory and no more file descriptors.
 * XMEM_SOAK_SECONDS says for how long (10). */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "player.h"

#define FPS 60
#define MAX_CONSUMERS 16
#define CAPS "video/x-raw,format=NV12,width=1920,height=1080,framerate=60/1"

/* What a heap may still grow by; of frames, of 3 MiB, and of what goes with
 * each there are some hundred. */
#define SLACK (192 * 1024)

/* The sanitizer keeps what was freed. */
#if defined(__SANITIZE_ADDRESS__)
#define HEAP_IS_PLAIN false
#else
#define HEAP_IS_PLAIN true
#endif

static unsigned n_frames;

/* --- figures of a process ------------------------------------------------ */

struct figures {
  uint64_t faults;
  uint64_t rss;
  unsigned n_fds;
  uint64_t n_frames; /* passed by then */
};

static uint64_t
count_faults (pid_t pid)
{
  g_autofree char *path = g_strdup_printf ("/proc/%d/stat", (int) pid);
  g_autofree char *stat = NULL;
  uint64_t minor, major;

  g_assert_true (g_file_get_contents (path, &stat, NULL, NULL));
  /* Behind the name: state, six numbers, flags, minor ones, of children,
   * major ones. */
  g_assert_cmpint (sscanf (strrchr (stat, ')') + 2,
                       "%*c %*d %*d %*d %*d %*d %*u %" G_GUINT64_FORMAT
                       " %*u %" G_GUINT64_FORMAT,
                       &minor, &major),
      ==, 2);
  return minor + major;
}

static struct figures
measure (struct player *player, const char *element)
{
  pid_t pid = player->child.pid;

  return (struct figures){ .n_frames = player_count (player, element),
    .faults = count_faults (pid),
    .rss = harness_rss_bytes (pid),
    .n_fds = harness_count_fds (pid) };
}

/* Faults per frame. */
static double
assert_steady (const struct figures *before, const struct figures *after)
{
  double per_frame = (double) (after->faults - before->faults)
                     / (double) (after->n_frames - before->n_frames);
  uint64_t slack = SLACK;

  if (n_frames > PLAYER_RESERVED)
    slack += 2 * n_frames * sizeof (struct player_record);
  g_assert_cmpuint (after->n_fds, ==, before->n_fds);
  if (HEAP_IS_PLAIN) {
    g_assert_cmpuint (after->rss, <=, before->rss + slack);
    g_assert_cmpfloat (per_frame, <, 1);
  }
  return per_frame;
}

/* --- a run --------------------------------------------------------------- */

struct soak {
  unsigned n_consumers;
  struct player producer;
  struct player consumers[MAX_CONSUMERS];
  struct figures producer_before;
  struct figures before[MAX_CONSUMERS];
};

static void
start (struct soak *soak)
{
  const char *address = harness_path ("socket");

  for (unsigned i = 0; i < soak->n_consumers; i++) {
    struct player *consumer = &soak->consumers[i];

    player_start (consumer);
    player_launch (consumer,
        "xmemsrc name=src socket-path=%s delivery=every "
        "connection-timeout=0 ! fakesink name=out sync=false "
        "enable-last-sample=false",
        address);
    player_tap (consumer, "out", PLAYER_LOOK_TOUCH);
    player_set_state (consumer, GST_STATE_PLAYING);
  }
  player_start (&soak->producer);
  player_launch (&soak->producer,
      "appsrc name=feed ! xmemsink name=sink socket-path=%s "
      "wait-for-connection=true min-clients=%u",
      address, soak->n_consumers);
  player_tap (&soak->producer, "sink", PLAYER_LOOK_AWAY);
  player_feed (&soak->producer, "feed", CAPS, n_frames, FPS);
  player_set_state (&soak->producer, GST_STATE_PLAYING);
}

static void
wait_for_second (struct soak *soak, unsigned second)
{
  while (player_count (&soak->producer, "sink") < second * FPS)
    harness_sleep_ms (50);
}

static void
measure_before (struct soak *soak)
{
  wait_for_second (soak, 3);
  soak->producer_before = measure (&soak->producer, "sink");
  for (unsigned i = 0; i < soak->n_consumers; i++)
    soak->before[i] = measure (&soak->consumers[i], "out");
}

static void
measure_after (struct soak *soak)
{
  double of_producer, of_consumers = 0;
  struct figures after;

  wait_for_second (soak, n_frames / FPS - 1);
  after = measure (&soak->producer, "sink");
  of_producer = assert_steady (&soak->producer_before, &after);
  for (unsigned i = 0; i < soak->n_consumers; i++) {
    after = measure (&soak->consumers[i], "out");
    of_consumers += assert_steady (&soak->before[i], &after);
  }
  printf ("# %u consumers: page faults per frame: producer %.3f, consumers "
          "%.3f\n",
      soak->n_consumers, of_producer, of_consumers / soak->n_consumers);
}

static void
assert_got_all (struct player *consumer)
{
  GArray *records = player_get_records (consumer, "out");

  g_assert_cmpuint (records->len, ==, n_frames);
  for (guint i = 0; i < records->len; i++)
    g_assert_cmpuint (
        g_array_index (records, struct player_record, i).offset, ==, i);
  g_assert_cmpuint (player_stat (consumer, "src", "frames-lost"), ==, 0);
  g_assert_cmpuint (player_stat (consumer, "src", "frames-copied"), ==, 0);
  g_array_unref (records);
}

static double
frame_rate (struct player *producer)
{
  GArray *records = player_get_records (producer, "sink");
  const struct player_record *r =
      &g_array_index (records, struct player_record, 0);
  double rate =
      (records->len - 1) * 1e9 / (double) (r[records->len - 1].at - r[0].at);

  g_array_unref (records);
  return rate;
}

static void
finish (struct soak *soak)
{
  struct player *producer = &soak->producer;
  uint64_t p50 = 0, p99 = 0;

  player_expect_eos (producer);
  for (unsigned i = 0; i < soak->n_consumers; i++) {
    struct player *consumer = &soak->consumers[i];

    player_expect_eos (consumer);
    assert_got_all (consumer);
    p50 += player_stat (consumer, "src", "latency-p50") / soak->n_consumers;
    p99 = MAX (p99, player_stat (consumer, "src", "latency-p99"));
    player_stop (consumer);
  }
  g_assert_cmpuint (
      player_stat (producer, "sink", "frames-zero-copy"), ==, n_frames);
  g_assert_cmpuint (player_stat (producer, "sink", "frames-dropped"), ==, 0);
  printf ("# %u consumers: %.2f frames per second, one-way latency p50 %.0f us "
          "(mean of consumers), p99 %.0f us (worst)\n",
      soak->n_consumers, frame_rate (producer), (double) p50 / 1e3,
      (double) p99 / 1e3);
  player_stop (producer);
}

static void
soak (unsigned n_consumers)
{
  struct soak run = { .n_consumers = n_consumers };

  start (&run);
  measure_before (&run);
  measure_after (&run);
  finish (&run);
}

static void
test_1_consumer (void)
{
  soak (1);
}

static void
test_4_consumers (void)
{
  soak (4);
}

static void
test_16_consumers (void)
{
  soak (16);
}

int
main (int argc, char **argv)
{
  const char *seconds = g_getenv ("XMEM_SOAK_SECONDS");

  n_frames = (unsigned) MAX (seconds ? atoi (seconds) : 10, 6) * FPS;
  player_init (&argc, &argv);
  alarm (10 * n_frames / FPS + 120);
  harness_add ("/gst/soak/1-consumer", test_1_consumer);
  harness_add ("/gst/soak/4-consumers", test_4_consumers);
  harness_add ("/gst/soak/16-consumers", test_16_consumers);
  return g_test_run ();
}
