/* SPDX-License-Identifier: MIT */
/* Anything that flows in a pipeline crosses: audio, encoded streams, bytes
 * with caps or without any, buffers of many memories, of none, and of empty
 * ones. */
#include <gst/app/gstappsrc.h>
#include <gst/check/gstcheck.h>
#include <string.h>

#include "gstxmem.h"
#include "here.h"
#include "pipeline.h"

/* The flags that say something about the content. */
#define CONTENT_FLAGS                                                     \
  (GST_BUFFER_FLAG_DISCONT | GST_BUFFER_FLAG_HEADER | GST_BUFFER_FLAG_GAP \
      | GST_BUFFER_FLAG_MARKER | GST_BUFFER_FLAG_DELTA_UNIT               \
      | GST_BUFFER_FLAG_DROPPABLE)

#define SRC "xmemsrc name=src delivery=every is-live=false socket-path=%s/a "
#define SINK                                                \
  "xmemsink name=sink wait-for-connection=true sync=false " \
  "socket-path=%s/a "

/* --- streams ------------------------------------------------------------- */

static void
check_same_buffers (Pipeline *a, Pipeline *b)
{
  GPtrArray *frames = pipeline_get_frames (a);

  pipeline_assert_same_frames (a, "bytes", b, "bytes");
  for (guint i = 0; i < frames->len; i++) {
    PipelineFrame *x = g_ptr_array_index (frames, i);
    PipelineFrame *y = g_ptr_array_index (pipeline_get_frames (b), i);

    fail_unless_equals_uint64 (x->pts, y->pts);
    fail_unless_equals_uint64 (x->size, y->size);
    fail_unless_equals_int (x->flags & CONTENT_FLAGS, y->flags & CONTENT_FLAGS);
  }
}

/* What the elements give arrives with caps, times, sizes and flags. */
static void
check_stream (const gchar *elements)
{
  const gchar *dir = pipeline_dir ();
  g_autoptr (Pipeline) direct =
      pipeline_spawn ("%s ! fakesink name=bytes", elements);
  g_autoptr (Pipeline) producer = pipeline_spawn ("%s ! " SINK, elements, dir);
  g_autoptr (Pipeline) consumer =
      pipeline_spawn (SRC "! fakesink name=bytes", dir);

  pipeline_wait_ok (direct);
  pipeline_wait_ok (producer);
  pipeline_wait_ok (consumer);
  fail_unless_equals_string (pipeline_find_line (consumer, "caps "),
      pipeline_find_line (direct, "caps "));
  check_same_buffers (direct, consumer);
}

#define AUDIO "audiotestsrc num-buffers=40 wave=ticks ! "
#define VIDEO                                                         \
  "videotestsrc num-buffers=40 pattern=ball ! video/x-raw,width=160," \
  "height=120 ! "

static const gchar *const streams[] = {
  AUDIO "audio/x-raw,format=S16LE,channels=2,rate=48000",
  AUDIO "audio/x-raw,format=F32LE,channels=1,rate=44100,layout=interleaved",
  AUDIO "audio/x-raw,format=S32BE,channels=6,channel-mask=(bitmask)0x3f",
  AUDIO "vorbisenc",
  AUDIO "audioconvert ! audioresample ! opusenc",
  VIDEO "x264enc ! video/x-h264,stream-format=byte-stream ! h264parse",
  VIDEO "x264enc bframes=2 ! video/x-h264,stream-format=avc ! h264parse",
  VIDEO "jpegenc",
  VIDEO "theoraenc",
};

GST_START_TEST (a_stream_is_that_of_a_direct_pipeline)
{
  check_stream (streams[__i__]);
}
GST_END_TEST;

GST_START_TEST (an_encoded_stream_decodes_as_in_a_direct_pipeline)
{
  const gchar *encoded = VIDEO "x264enc bframes=2 ! video/x-h264,"
                               "stream-format=avc ! h264parse";
  const gchar *dir = pipeline_dir ();
  g_autoptr (Pipeline) direct =
      pipeline_spawn ("%s ! avdec_h264 ! fakesink name=out", encoded);
  g_autoptr (Pipeline) producer = pipeline_spawn ("%s ! " SINK, encoded, dir);
  g_autoptr (Pipeline) consumer =
      pipeline_spawn (SRC "! h264parse ! avdec_h264 ! fakesink name=out", dir);

  pipeline_wait_ok (direct);
  pipeline_wait_ok (producer);
  pipeline_wait_ok (consumer);
  pipeline_assert_same_frames (direct, "out", consumer, "out");
}
GST_END_TEST;

/* --- files --------------------------------------------------------------- */

static gchar *
make_file (gsize size)
{
  gchar *path = g_build_filename (pipeline_dir (), "file", NULL);
  g_autofree gchar *bytes = g_malloc (size);

  for (gsize i = 0; i < size; i++)
    bytes[i] = (gchar) (i * 31 + i / 255);
  fail_unless (g_file_set_contents (path, bytes, size, NULL));
  return path;
}

/* `caps` is a capsfilter with its "!", or nothing. */
static void
check_file (const gchar *caps)
{
  const gsize size = 1000003;
  g_autofree gchar *file = make_file (size);
  g_autofree gchar *copy = g_build_filename (pipeline_dir (), "copy", NULL);
  g_autofree gchar *expected = NULL, *received = NULL;
  gsize received_size;
  g_autoptr (Pipeline) producer =
      pipeline_spawn ("filesrc location=%s blocksize=10000 ! %s " SINK, file,
          caps, pipeline_dir ());
  g_autoptr (Pipeline) consumer =
      pipeline_spawn (SRC "! filesink location=%s", pipeline_dir (), copy);

  pipeline_wait_ok (producer);
  pipeline_wait_ok (consumer);
  fail_unless (g_file_get_contents (file, &expected, NULL, NULL));
  fail_unless (g_file_get_contents (copy, &received, &received_size, NULL));
  fail_unless_equals_uint64 (received_size, size);
  fail_unless (memcmp (expected, received, size) == 0);
}

GST_START_TEST (a_file_without_caps_arrives)
{
  check_file ("");
}
GST_END_TEST;

GST_START_TEST (a_file_of_octets_arrives)
{
  check_file ("application/octet-stream !");
}
GST_END_TEST;

/* --- buffers of any number of memories ----------------------------------- */

typedef struct {
  GstElement *pipeline;
  GstAppSrc *appsrc;
  Pipeline *consumer;
} Ends;

static void
ends_start (Ends *self, const gchar *caps)
{
  g_autoptr (GstElement) appsrc = NULL;

  self->consumer =
      pipeline_spawn (SRC "! fakesink name=bytes", pipeline_dir ());
  self->pipeline = here_parse ("appsrc name=appsrc ! " SINK, pipeline_dir ());
  appsrc = gst_bin_get_by_name (GST_BIN (self->pipeline), "appsrc");
  self->appsrc = GST_APP_SRC (appsrc);
  if (caps) {
    g_autoptr (GstCaps) parsed = gst_caps_from_string (caps);

    gst_app_src_set_caps (self->appsrc, parsed);
  }
  gst_element_set_state (self->pipeline, GST_STATE_PLAYING);
}

static void
ends_send (Ends *self, GstBuffer *take_buffer)
{
  fail_unless_equals_int (
      gst_app_src_push_buffer (self->appsrc, take_buffer), GST_FLOW_OK);
}

static GPtrArray *
ends_stop (Ends *self)
{
  gst_app_src_end_of_stream (self->appsrc);
  here_run_ok (self->pipeline);
  here_free (self->pipeline);
  pipeline_wait_ok (self->consumer);
  return pipeline_get_frames (self->consumer);
}

static guint8
byte_of (guint buffer, guint memory, gsize i)
{
  return (guint8) (buffer * 17 + memory * 5 + i);
}

static GstMemory *
make_memory (GstAllocator *allocator, guint buffer, guint memory, gsize size)
{
  GstMemory *made = gst_allocator_alloc (allocator, size, NULL);
  GstMapInfo map;

  fail_unless (gst_memory_map (made, &map, GST_MAP_WRITE));
  for (gsize i = 0; i < size; i++)
    map.data[i] = byte_of (buffer, memory, i);
  gst_memory_unmap (made, &map);
  return made;
}

/* Memory `memory` has memory * 100 bytes: the first one is empty. */
static void
check_md5 (PipelineFrame *frame, guint buffer, guint n_memories)
{
  g_autoptr (GByteArray) bytes = g_byte_array_new ();
  g_autofree gchar *md5 = NULL;

  for (guint k = 0; k < n_memories; k++)
    for (gsize i = 0; i < k * 100; i++) {
      guint8 byte = byte_of (buffer, k, i);

      g_byte_array_append (bytes, &byte, 1);
    }
  md5 = g_compute_checksum_for_data (G_CHECKSUM_MD5, bytes->data, bytes->len);
  fail_unless_equals_uint64 (frame->size, bytes->len);
  fail_unless_equals_string (frame->md5, md5);
}

#define MOST_MEMORIES 20

static void
check_memories (GstAllocator *allocator)
{
  GPtrArray *frames;
  Ends ends;

  ends_start (&ends, "application/octet-stream");
  for (guint n = 0; n <= MOST_MEMORIES; n++) {
    GstBuffer *buffer = gst_buffer_new ();

    for (guint k = 0; k < n; k++)
      gst_buffer_append_memory (buffer, make_memory (allocator, n, k, k * 100));
    ends_send (&ends, buffer);
  }
  frames = ends_stop (&ends);
  fail_unless_equals_int (frames->len, MOST_MEMORIES + 1);
  for (guint n = 0; n <= MOST_MEMORIES; n++) {
    PipelineFrame *frame = g_ptr_array_index (frames, n);

    check_md5 (frame, n, n);
    /* Empty ones do not travel; GstBuffer itself merges more than 16. */
    if (n > 0 && n <= gst_buffer_get_max_memory ())
      fail_unless_equals_int (frame->n_memories, n - 1);
  }
  pipeline_free (ends.consumer);
}

GST_START_TEST (buffers_of_up_to_twenty_shared_memories)
{
  GstAllocator *allocator = gst_xmem_allocator_new (0);

  check_memories (allocator);
  gst_object_unref (allocator);
}
GST_END_TEST;

GST_START_TEST (buffers_of_up_to_twenty_foreign_memories)
{
  check_memories (NULL);
}
GST_END_TEST;

/* Parts of a slot, and parts of parts, one region each. */
GST_START_TEST (parts_of_a_memory_arrive)
{
  GstAllocator *allocator = gst_xmem_allocator_new (0);
  GstMemory *whole = make_memory (allocator, 1, 2, 5000);
  GstMemory *part = gst_memory_share (whole, 1000, 3000);
  GstMemory *part_of_part = gst_memory_share (part, 500, 100);
  GstBuffer *buffer = gst_buffer_new ();
  guint8 expected[3000 + 100 + 5000];
  g_autofree gchar *md5 = NULL;
  GPtrArray *frames;
  Ends ends;

  for (gsize i = 0; i < 3000; i++)
    expected[i] = byte_of (1, 2, i + 1000);
  for (gsize i = 0; i < 100; i++)
    expected[3000 + i] = byte_of (1, 2, i + 1500);
  for (gsize i = 0; i < 5000; i++)
    expected[3100 + i] = byte_of (1, 2, i);
  md5 =
      g_compute_checksum_for_data (G_CHECKSUM_MD5, expected, sizeof (expected));
  gst_buffer_append_memory (buffer, part);
  gst_buffer_append_memory (buffer, part_of_part);
  gst_buffer_append_memory (buffer, whole);
  ends_start (&ends, NULL);
  ends_send (&ends, buffer);
  frames = ends_stop (&ends);
  fail_unless_equals_int (frames->len, 1);
  fail_unless_equals_string (
      ((PipelineFrame *) g_ptr_array_index (frames, 0))->md5, md5);
  pipeline_free (ends.consumer);
  gst_object_unref (allocator);
}
GST_END_TEST;

/* --- caps ---------------------------------------------------------------- */

/* Larger than any message of the control socket. */
GST_START_TEST (caps_with_large_headers_arrive)
{
  g_autofree gchar *headers = g_strnfill (400000, 'a');
  g_autofree gchar *caps = g_strdup_printf (
      "application/x-test, text=(string)\"a \\\"quoted\\\" €; word\", "
      "streamheader=(buffer)< %s, 0102 >",
      headers);
  g_autoptr (GstCaps) expected = gst_caps_from_string (caps);
  g_autoptr (GstCaps) received = NULL;
  const gchar *line, *prefix = "caps bytes ";
  Ends ends;

  fail_unless (expected != NULL);
  ends_start (&ends, caps);
  ends_send (&ends, gst_buffer_new_allocate (NULL, 10, NULL));
  fail_unless_equals_int (ends_stop (&ends)->len, 1);
  line = pipeline_find_line (ends.consumer, prefix);
  fail_unless (line != NULL);
  received = gst_caps_from_string (line + strlen (prefix));
  fail_unless (gst_caps_is_equal (expected, received));
  pipeline_free (ends.consumer);
}
GST_END_TEST;

static Suite *
caps_suite (void)
{
  Suite *suite = suite_create ("any-caps-cross");
  TCase *tcase = tcase_create ("caps");

  suite_add_tcase (suite, tcase);
  tcase_add_loop_test (
      tcase, a_stream_is_that_of_a_direct_pipeline, 0, G_N_ELEMENTS (streams));
  tcase_add_test (tcase, an_encoded_stream_decodes_as_in_a_direct_pipeline);
  tcase_add_test (tcase, a_file_without_caps_arrives);
  tcase_add_test (tcase, a_file_of_octets_arrives);
  tcase_add_test (tcase, buffers_of_up_to_twenty_shared_memories);
  tcase_add_test (tcase, buffers_of_up_to_twenty_foreign_memories);
  tcase_add_test (tcase, parts_of_a_memory_arrive);
  tcase_add_test (tcase, caps_with_large_headers_arrive);
  return suite;
}

int
main (int argc, char **argv)
{
  int status = pipeline_main (argc, argv);

  if (status >= 0)
    return status;
  gst_check_init (&argc, &argv);
  return gst_check_run_suite (caps_suite (), "any-caps-cross", __FILE__);
}
