/* SPDX-License-Identifier: MIT */
/* Memory that upstream has in files: what consumers can do no harm with, and
 * what can do them none, crosses as it is, each file once; the rest is copied.
 * dmabufs are a double (harness/dmabuf-double.h). */
#include <gst/video/video.h>
#include <signal.h>

#include "player.h"

#define SIZE 40000 /* of a file and frame */
#define BYTES "application/x-bytes"
#define DMABUF "video/x-raw(memory:DMABuf),format=NV12,width=160,height=120"

#define SINK                                                                   \
  "appsrc name=in format=time ! xmemsink name=sink socket-path=%s sync=false " \
  "async="                                                                     \
  "false wait-for-connection=true "
#define SRC "xmemsrc name=src socket-path=%s delivery=every is-live=false "

/* With a producer that has nothing to send yet, and a consumer that waits. */
struct pair {
  struct player producer, consumer;
};

static void
pair_open (struct pair *pair, const char *sink, const char *src)
{
  const char *address = harness_path ("socket");

  player_start (&pair->producer);
  player_start (&pair->consumer);
  player_play (&pair->producer, SINK "%s", address, sink);
  player_launch (
      &pair->consumer, SRC "%s fakesink name=out sync=false", address, src);
  player_tap (&pair->consumer, "out", PLAYER_LOOK_SUM);
  player_set_state (&pair->consumer, GST_STATE_PLAYING);
}

static void
pair_close (struct pair *pair)
{
  player_stop (&pair->consumer);
  player_stop (&pair->producer);
}

/* What the same frames are without us. */
static GArray *
feed_directly (unsigned n_frames)
{
  const struct player_files files = { .size = SIZE, .n_files = 1 };
  struct player player;
  GArray *records;

  player_start (&player);
  player_launch (&player, "appsrc name=in format=time ! fakesink name=out "
                          "enable-last-sample=false");
  player_tap (&player, "out", PLAYER_LOOK_SUM);
  player_set_state (&player, GST_STATE_PLAYING);
  player_feed_files (&player, "in", BYTES, n_frames, &files);
  player_expect_eos (&player);
  records = player_get_records (&player, "out");
  player_stop (&player);
  return records;
}

static void
assert_frames (struct player *consumer, unsigned n_frames)
{
  GArray *expected = feed_directly (n_frames);
  GArray *records = player_get_records (consumer, "out");

  g_assert_cmpuint (expected->len, ==, n_frames);
  g_assert_cmpuint (records->len, ==, n_frames);
  for (guint i = 0; i < n_frames; i++)
    g_assert_cmphex (g_array_index (records, struct player_record, i).sum, ==,
        g_array_index (expected, struct player_record, i).sum);
  g_array_unref (records);
  g_array_unref (expected);
}

static void
assert_copies (struct player *producer, unsigned zero_copy, unsigned copied)
{
  g_assert_cmpuint (
      player_stat (producer, "sink", "frames-zero-copy"), ==, zero_copy);
  g_assert_cmpuint (
      player_stat (producer, "sink", "frames-copied"), ==, copied);
}

/* --- files --------------------------------------------------------------- */

static void
test_sealed_files_cross_once (void)
{
  const struct player_files files = { PLAYER_FILE_SEALED, SIZE, 4, false, 0 };
  struct pair pair;

  pair_open (&pair, "allow-copy=false", "!");
  player_feed_files (&pair.producer, "in", BYTES, 200, &files);
  player_expect_eos (&pair.consumer);
  assert_frames (&pair.consumer, 200);
  assert_copies (&pair.producer, 200, 0);
  g_assert_cmpuint (
      player_stat (&pair.producer, "sink", "segments-sent"), ==, 4);
  g_assert_cmpuint (
      player_stat (&pair.consumer, "src", "segments-received"), ==, 4);
  pair_close (&pair);
}

static void
check_copied (enum player_file kind, unsigned n_files)
{
  const struct player_files files = { kind, SIZE, n_files, false, 0 };
  struct pair pair;

  pair_open (&pair, "", "!");
  player_hold (&pair.consumer, "out", 2);
  player_feed_files (&pair.producer, "in", BYTES, 50, &files);
  player_expect_eos (&pair.consumer);
  assert_frames (&pair.consumer, 50);
  assert_copies (&pair.producer, 0, 50);
  g_assert_cmpuint (player_check_held (&pair.consumer), ==, 2);
  pair_close (&pair);
}

static void
test_other_files_are_copied (void)
{
  check_copied (PLAYER_FILE_UNSEALED, 4);
  check_copied (PLAYER_FILE_SHRINKABLE, 0); /* and then shrunk to nothing */
}

static void
test_copies_can_be_forbidden (void)
{
  const struct player_files files = { PLAYER_FILE_UNSEALED, SIZE, 4, false, 0 };
  struct player producer;

  player_start (&producer);
  player_play (&producer, SINK "allow-copy=false", harness_path ("socket"));
  player_feed_files (&producer, "in", BYTES, 10, &files);
  player_expect_error (&producer,
      "in gave memory of type fd (the file is neither a dmabuf nor "
      "sealed against shrinking and writing)");
  player_stop (&producer);
}

/* A new file for each frame: both ends forget the old ones. */
static void
test_few_files_are_remembered (void)
{
  const struct player_files files = { PLAYER_FILE_SEALED, SIZE, 0, false, 0 };
  struct pair pair;
  unsigned n_produce, n_consume;

  pair_open (&pair, "allow-copy=false", "!");
  n_produce = harness_count_fds (pair.producer.child.pid);
  n_consume = harness_count_fds (pair.consumer.child.pid);
  player_feed_files (&pair.producer, "in", BYTES, 1000, &files);
  player_expect_eos (&pair.consumer);
  assert_frames (&pair.consumer, 1000);
  assert_copies (&pair.producer, 1000, 0);
  g_assert_cmpuint (
      player_stat (&pair.consumer, "src", "segments-received"), ==, 1000);
  /* 64 are remembered, some more frames may be out, and there is the socket. */
  g_assert_cmpuint (
      player_stat (&pair.consumer, "src", "segments"), <=, 64 + 8);
  g_assert_cmpuint (harness_count_fds (pair.producer.child.pid), <=,
      n_produce + 2 * (64 + 8) + 16);
  g_assert_cmpuint (
      harness_count_fds (pair.consumer.child.pid), <=, n_consume + 64 + 8 + 16);
  pair_close (&pair);
}

/* --- pools --------------------------------------------------------------- */

/* The consumer keeps what it gets; the pool has 6 buffers, of which 3 may go. */
static void
test_finite_pools_are_not_drained (void)
{
  const struct player_files files = { PLAYER_FILE_SEALED, SIZE, 6, true, 0 };
  struct pair pair;

  pair_open (&pair, "max-buffers=64", "max-buffers=64 !");
  player_hold (&pair.consumer, "out", 20);
  player_feed_files (&pair.producer, "in", BYTES, 20, &files);
  player_expect_eos (&pair.consumer);
  assert_frames (&pair.consumer, 20);
  assert_copies (&pair.producer, 3, 17);
  g_assert_cmpuint (player_check_held (&pair.consumer), ==, 20);
  pair_close (&pair);
}

static void
test_without_copies_frames_are_skipped (void)
{
  const struct player_files files = { PLAYER_FILE_SEALED, SIZE, 6, true, 0 };
  struct pair pair;

  pair_open (&pair, "max-buffers=64 allow-copy=false", "max-buffers=64 !");
  player_hold (&pair.consumer, "out", 20);
  player_feed_files (&pair.producer, "in", BYTES, 20, &files);
  player_expect_eos (&pair.consumer);
  g_assert_cmpuint (player_count (&pair.consumer, "out"), ==, 3);
  g_assert_cmpuint (
      player_stat (&pair.producer, "sink", "frames-skipped"), ==, 17);
  player_expect_warning (&pair.producer, "half of the buffers");
  pair_close (&pair);
}

/* --- dmabufs ------------------------------------------------------------- */

/* Pictures with rows of 256 bytes. */
static const struct player_files pictures = { PLAYER_FILE_DMABUF, 256 * 180, 4,
  false, 256 };

static void
check_dmabufs (const char *sink_caps, const char *src_caps)
{
  struct player_memory seen;
  struct pair pair;

  pair_open (&pair, "allow-copy=false", src_caps);
  player_feed_files (&pair.producer, "in", sink_caps, 50, &pictures);
  player_expect_eos (&pair.consumer);
  g_assert_cmpuint (player_count (&pair.consumer, "out"), ==, 50);
  seen = player_look_at_last (&pair.consumer, "out");
  g_assert_true (seen.is_dmabuf && seen.is_fd && !seen.is_writable);
  g_assert_cmpuint (seen.offset, ==, 0);
  g_assert_cmpuint (seen.size, ==, 256 * 180);
  g_assert_cmpuint (seen.plane_offset, ==, 256 * 120);
  g_assert_cmpuint (seen.stride, ==, 256);
  assert_copies (&pair.producer, 50, 0);
  g_assert_cmpuint (
      player_stat (&pair.consumer, "src", "segments-received"), ==, 4);
  pair_close (&pair);
}

static void
test_dmabufs_stay_dmabufs (void)
{
  check_dmabufs (DMABUF, "! " DMABUF " !");
#if GST_CHECK_VERSION(1, 24, 0)
  check_dmabufs ("video/x-raw(memory:DMABuf),format=DMA_DRM,drm-format=(string)"
                 "NV12:0x0100000000000002,width=160,height=120",
      "! video/x-raw(memory:DMABuf),format=DMA_DRM,drm-format=(string)"
      "NV12:0x0100000000000002 !");
#endif
}

/* As of a camera whose memory the processor can read too. */
static void
test_dmabufs_behind_plain_caps (void)
{
  const char *caps = "video/x-raw,format=NV12,width=160,height=120";
  struct player_memory seen;
  struct pair pair;

  pair_open (&pair, "allow-copy=false", "! identity !");
  player_feed_files (&pair.producer, "in", caps, 50, &pictures);
  player_expect_eos (&pair.consumer);
  g_assert_cmpuint (player_count (&pair.consumer, "out"), ==, 50);
  /* A fakesink does not read GstVideoMeta. */
  g_assert_cmpuint (
      player_stat (&pair.consumer, "src", "frames-repacked"), ==, 50);
  seen = player_look_at_last (&pair.consumer, "out");
  g_assert_cmpuint (seen.size, ==, 160 * 180);
  assert_copies (&pair.producer, 50, 0);
  pair_close (&pair);
}

/* A pipeline that keeps more than its grant gets copies of what is mappable. */
static void
test_dmabufs_are_copied_out (void)
{
  const struct player_files files = { PLAYER_FILE_DMABUF, SIZE, 0, false, 0 };
  struct pair pair;

  pair_open (&pair, "allow-copy=false", "max-buffers=4 !");
  player_hold (&pair.consumer, "out", 10);
  player_feed_files (&pair.producer, "in", BYTES, 20, &files);
  player_expect_eos (&pair.consumer);
  assert_frames (&pair.consumer, 20);
  assert_copies (&pair.producer, 20, 0);
  g_assert_cmpuint (
      player_stat (&pair.consumer, "src", "frames-copied"), >=, 7);
  g_assert_cmpuint (player_check_held (&pair.consumer), ==, 10);
  pair_close (&pair);
}

static void
test_caps_that_promise_dmabufs (void)
{
  const struct player_files files = { PLAYER_FILE_SEALED, SIZE, 4, false, 0 };
  struct player producer;

  player_start (&producer);
  player_play (&producer, SINK, harness_path ("socket"));
  player_feed_files (&producer, "in", DMABUF, 10, &files);
  player_expect_error (&producer, "no dmabuf, which the caps promise");
  player_stop (&producer);
}

/* --- deaths -------------------------------------------------------------- */

/* What a consumer holds of a producer that dies stays as it was. */
static void
test_producer_dies (void)
{
  const struct player_files files = { PLAYER_FILE_SEALED, SIZE, 0, false, 0 };
  struct pair pair;

  pair_open (&pair, "", "on-disconnect=eos !");
  player_hold (&pair.consumer, "out", 3);
  player_feed_files (&pair.producer, "in", BYTES, G_MAXINT, &files);
  player_wait_count (&pair.consumer, "out", 100);
  player_die (&pair.producer);
  player_expect_eos (&pair.consumer);
  g_assert_cmpuint (player_check_held (&pair.consumer), ==, 3);
  player_stop (&pair.consumer);
}

/* What a consumer held when it dies comes back: the ring has no other files. */
static void
test_consumer_dies (void)
{
  const struct player_files files = { PLAYER_FILE_SEALED, SIZE, 4, false, 0 };
  struct player other;
  struct pair pair;

  pair_open (&pair, "", "!");
  player_hold (&pair.consumer, "out", 3);
  player_feed_files (&pair.producer, "in", BYTES, G_MAXINT, &files);
  player_wait_count (&pair.consumer, "out", 3);
  player_start (&other);
  player_launch (&other, SRC "! fakesink name=out", harness_path ("socket"));
  player_tap (&other, "out", PLAYER_LOOK_SUM);
  player_set_state (&other, GST_STATE_PLAYING);
  player_die (&pair.consumer);
  player_wait_count (&other, "out", 100);
  g_assert_cmpuint (player_stat (&other, "src", "segments-received"), ==, 4);
  player_die (&pair.producer); /* its feed has no end */
  player_stop (&other);
}

int
main (int argc, char **argv)
{
  player_init (&argc, &argv);
  harness_add (
      "/gst/files/sealed-ones-cross-once", test_sealed_files_cross_once);
  harness_add ("/gst/files/others-are-copied", test_other_files_are_copied);
  harness_add (
      "/gst/files/copies-can-be-forbidden", test_copies_can_be_forbidden);
  harness_add ("/gst/files/few-are-remembered", test_few_files_are_remembered);
  harness_add ("/gst/files/finite-pools-are-not-drained",
      test_finite_pools_are_not_drained);
  harness_add ("/gst/files/without-copies-frames-are-skipped",
      test_without_copies_frames_are_skipped);
  harness_add ("/gst/files/dmabufs-stay-dmabufs", test_dmabufs_stay_dmabufs);
  harness_add (
      "/gst/files/dmabufs-behind-plain-caps", test_dmabufs_behind_plain_caps);
  harness_add (
      "/gst/files/dmabufs-are-copied-out", test_dmabufs_are_copied_out);
  harness_add (
      "/gst/files/caps-that-promise-dmabufs", test_caps_that_promise_dmabufs);
  harness_add ("/gst/files/producer-dies", test_producer_dies);
  harness_add ("/gst/files/consumer-dies", test_consumer_dies);
  return g_test_run ();
}
