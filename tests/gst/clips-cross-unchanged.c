/* SPDX-License-Identifier: MIT */
/* Real clips, decoded in one process and received in others, are what a
 * direct decode gives: every frame, every byte, and nobody copies. */
#include <gio/gio.h>
#include <gst/check/gstcheck.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "pipeline.h"

#define N_CONSUMERS 3

static gchar *
media (const gchar *name)
{
  return g_build_filename (g_getenv ("XMEM_MEDIA"), name, NULL);
}

static void
check_producer (Pipeline *producer, guint n_frames)
{
  pipeline_wait_ok (producer);
  fail_unless_equals_uint64 (
      pipeline_get_stat (producer, 0, "sink", "frames-copied"), 0);
  fail_unless_equals_uint64 (
      pipeline_get_stat (producer, 0, "sink", "frames-zero-copy"), n_frames);
  fail_unless_equals_uint64 (
      pipeline_get_stat (producer, 0, "sink", "frames-dropped"), 0);
}

static void
check_consumer (Pipeline *consumer, guint n_frames)
{
  fail_unless_equals_uint64 (
      pipeline_get_stat (consumer, 0, "src", "frames-received"), n_frames);
  fail_unless_equals_uint64 (
      pipeline_get_stat (consumer, 0, "src", "frames-lost"), 0);
  fail_unless_equals_uint64 (
      pipeline_get_stat (consumer, 0, "src", "frames-copied"), 0);
  fail_unless_equals_uint64 (
      pipeline_get_stat (consumer, 0, "src", "frames-repacked"), 0);
}

/* The expected count is 0 where it is not known beforehand. */
static void
check_clip (const gchar *name, guint expected)
{
  g_autofree gchar *clip = media (name);
  const gchar *dir = pipeline_dir ();
  g_autoptr (Pipeline) direct = pipeline_spawn (
      "filesrc location=%s ! decodebin ! video/x-raw ! fakesink name=out",
      clip);
  g_autoptr (Pipeline) producer = pipeline_spawn (
      "filesrc location=%s ! decodebin ! video/x-raw ! xmemsink name=sink "
      "socket-path=%s/clip wait-for-connection=true min-clients=%u sync=false",
      clip, dir, N_CONSUMERS);
  Pipeline *consumers[N_CONSUMERS];
  guint n;

  for (guint i = 0; i < N_CONSUMERS; i++)
    consumers[i] = pipeline_spawn ("xmemsrc name=src socket-path=%s/clip "
                                   "delivery=every is-live=false "
                                   "! fakesink name=out",
        dir);
  pipeline_wait_ok (direct);
  n = pipeline_get_frames (direct)->len;
  fail_unless (n > 0 && (expected == 0 || n == expected));
  for (guint i = 0; i < N_CONSUMERS; i++) {
    pipeline_wait_ok (consumers[i]);
    check_consumer (consumers[i], n);
    pipeline_assert_same_frames (direct, "out", consumers[i], "out");
    pipeline_free (consumers[i]);
  }
  check_producer (producer, n);
}

GST_START_TEST (h264_frames_are_those_of_a_direct_decode)
{
  check_clip ("phone-1080p30.mp4", 0);
}
GST_END_TEST;

GST_START_TEST (all_795_frames_of_vtest_arrive)
{
  check_clip ("vtest.avi", 795);
}
GST_END_TEST;

/* --- bytes in a file ----------------------------------------------------- */

/* A named pipe, so that a gigabyte of pictures needs no disk. */
typedef struct {
  gchar *path;
  GThread *thread;
  GChecksum *sum;
  guint64 size;
} Fifo;

static gpointer
read_fifo (gpointer data)
{
  Fifo *fifo = data;
  FILE *file = fopen (fifo->path, "rb");
  static guint8 bytes[2][1 << 16];
  guint8 *mine = bytes[g_str_has_suffix (fifo->path, "direct")];
  size_t n;

  while ((n = fread (mine, 1, sizeof (bytes[0]), file)) > 0) {
    g_checksum_update (fifo->sum, mine, n);
    fifo->size += n;
  }
  fclose (file);
  return NULL;
}

static void
fifo_start (Fifo *fifo, const gchar *name)
{
  fifo->path = g_build_filename (pipeline_dir (), name, NULL);
  fail_unless_equals_int (mkfifo (fifo->path, 0600), 0);
  fifo->sum = g_checksum_new (G_CHECKSUM_MD5);
  fifo->size = 0;
  fifo->thread = g_thread_new (name, read_fifo, fifo);
}

static void
fifo_clear (Fifo *fifo)
{
  unlink (fifo->path);
  g_free (fifo->path);
  g_checksum_free (fifo->sum);
}

static void
check_file (const gchar *name)
{
  g_autofree gchar *clip = media (name);
  const gchar *dir = pipeline_dir ();
  g_autoptr (Pipeline) direct = NULL, producer = NULL, consumer = NULL;
  Fifo expected, received;

  fifo_start (&expected, "direct");
  fifo_start (&received, "received");
  direct = pipeline_spawn ("filesrc location=%s ! decodebin ! video/x-raw "
                           "! filesink location=%s",
      clip, expected.path);
  producer = pipeline_spawn (
      "filesrc location=%s ! decodebin ! video/x-raw ! xmemsink name=sink "
      "socket-path=%s/file wait-for-connection=true sync=false",
      clip, dir);
  consumer = pipeline_spawn ("xmemsrc name=src socket-path=%s/file "
                             "delivery=every is-live=false "
                             "! filesink location=%s",
      dir, received.path);
  g_thread_join (expected.thread);
  g_thread_join (received.thread);
  pipeline_wait_ok (direct);
  pipeline_wait_ok (consumer);
  check_producer (
      producer, pipeline_get_stat (consumer, 0, "src", "frames-received"));
  fail_unless (expected.size > 0);
  fail_unless_equals_uint64 (received.size, expected.size);
  fail_unless_equals_string (g_checksum_get_string (received.sum),
      g_checksum_get_string (expected.sum));
  fifo_clear (&expected);
  fifo_clear (&received);
}

GST_START_TEST (a_file_of_h264_frames_has_the_bytes_of_a_direct_decode)
{
  check_file ("phone-1080p30.mp4");
}
GST_END_TEST;

GST_START_TEST (a_file_of_vtest_has_the_bytes_of_a_direct_decode)
{
  check_file ("vtest.avi");
}
GST_END_TEST;

static Suite *
clips_suite (void)
{
  Suite *suite = suite_create ("clips-cross-unchanged");
  TCase *tcase = tcase_create ("clips");

  suite_add_tcase (suite, tcase);
  tcase_add_test (tcase, h264_frames_are_those_of_a_direct_decode);
  tcase_add_test (tcase, all_795_frames_of_vtest_arrive);
  tcase_add_test (
      tcase, a_file_of_h264_frames_has_the_bytes_of_a_direct_decode);
  tcase_add_test (tcase, a_file_of_vtest_has_the_bytes_of_a_direct_decode);
  return suite;
}

int
main (int argc, char **argv)
{
  g_autofree gchar *clip = NULL;
  int status = pipeline_main (argc, argv);

  if (status >= 0)
    return status;
  clip = g_getenv ("XMEM_MEDIA") ? media ("vtest.avi") : NULL;
  if (!clip || !g_file_test (clip, G_FILE_TEST_EXISTS)) {
    printf ("skipped: no clips in the folder that XMEM_MEDIA names\n");
    return 77;
  }
  gst_check_init (&argc, &argv);
  return gst_check_run_suite (
      clips_suite (), "clips-cross-unchanged", __FILE__);
}
