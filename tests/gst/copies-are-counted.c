/* SPDX-License-Identifier: MIT */
/* Memory that other processes cannot map is copied exactly once, and counted;
 * what came out of any allocator of ours is not copied, wherever it passed. */
#include <gst/app/gstappsrc.h>
#include <gst/check/gstcheck.h>
#include <string.h>

#include "gstxmem.h"
#include "here.h"
#include "pipeline.h"

#define N_FRAMES 30
#define N_FRAMES_TEXT "30"

static Pipeline *
spawn_consumer (const gchar *name)
{
  return pipeline_spawn ("xmemsrc name=src socket-path=%s/%s delivery=every "
                         "is-live=false ! fakesink name=out",
      pipeline_dir (), name);
}

#define SINK(name, path)                                       \
  "xmemsink name=" name " socket-path=%s/" path " sync=false " \
  "wait-for-connection=true "

static void
check_counts (
    GstElement *pipeline, const gchar *sink, guint copied, guint zero_copy)
{
  fail_unless_equals_uint64 (
      here_stat (pipeline, sink, "frames-copied"), copied);
  fail_unless_equals_uint64 (
      here_stat (pipeline, sink, "frames-zero-copy"), zero_copy);
  fail_unless_equals_uint64 (
      here_stat (pipeline, sink, "frames-published"), copied + zero_copy);
}

/* --- launch lines -------------------------------------------------------- */

#define SOURCE                                                 \
  "videotestsrc num-buffers=" N_FRAMES_TEXT " pattern=ball ! " \
  "video/x-raw,width=320,height=240,format=I420 ! "

/* What leaves `elements` is published, and received, as it is. */
static void
check_copies (const gchar *elements, const gchar *other_branch, guint copied)
{
  g_autoptr (Pipeline) direct =
      pipeline_spawn ("%s ! fakesink name=out %s", elements, other_branch);
  g_autoptr (Pipeline) consumer = spawn_consumer ("a");
  GstElement *pipeline = here_parse (
      "%s ! " SINK ("sink", "a") "%s", elements, pipeline_dir (), other_branch);

  here_run_ok (pipeline);
  check_counts (pipeline, "sink", copied, N_FRAMES - copied);
  pipeline_wait_ok (direct);
  pipeline_wait_ok (consumer);
  pipeline_assert_same_frames (direct, "out", consumer, "out");
  here_free (pipeline);
}

GST_START_TEST (without_tee_nothing_is_copied)
{
  check_copies (SOURCE "identity", "", 0);
}
GST_END_TEST;

GST_START_TEST (behind_tee_each_frame_is_copied_once)
{
  check_copies (SOURCE "tee name=t ! queue", "t. ! queue ! fakesink", N_FRAMES);
}
GST_END_TEST;

GST_START_TEST (behind_xmemalloc_and_tee_nothing_is_copied)
{
  check_copies (
      SOURCE "xmemalloc ! tee name=t ! queue", "t. ! queue ! fakesink", 0);
  check_copies (SOURCE "xmemalloc max-pool-bytes=1 ! tee name=t ! queue",
      "t. ! queue ! fakesink", N_FRAMES);
}
GST_END_TEST;

/* vp9dec (1.22) makes the pool of its pictures before it asks downstream. */
GST_START_TEST (behind_vp9dec_each_frame_is_copied_once)
{
  check_copies (SOURCE "vp9enc deadline=1 cpu-used=8 ! vp9dec", "", N_FRAMES);
}
GST_END_TEST;

/* --- appsrc -------------------------------------------------------------- */

/* Every byte of a frame tells which frame it is, and where in it. */
static void
fill (guint8 *data, gsize size, guint frame)
{
  for (gsize i = 0; i < size; i++)
    data[i] = (guint8) (i * 7 + i / 251 + frame * 13);
}

#define FRAME_SIZE 30001

static GstBuffer *
filled (GstBuffer *take_buffer, guint frame)
{
  g_autofree guint8 *data = g_malloc (FRAME_SIZE);

  fill (data, FRAME_SIZE, frame);
  fail_unless_equals_int (gst_buffer_get_size (take_buffer), FRAME_SIZE);
  gst_buffer_fill (take_buffer, 0, data, FRAME_SIZE);
  return take_buffer;
}

static void
check_received (Pipeline *consumer)
{
  GPtrArray *frames;
  g_autofree guint8 *data = g_malloc (FRAME_SIZE);

  pipeline_wait_ok (consumer);
  frames = pipeline_get_frames (consumer);
  fail_unless_equals_int (frames->len, N_FRAMES);
  for (guint i = 0; i < frames->len; i++) {
    PipelineFrame *frame = g_ptr_array_index (frames, i);
    g_autofree gchar *md5 = NULL;

    fill (data, FRAME_SIZE, i);
    md5 = g_compute_checksum_for_data (G_CHECKSUM_MD5, data, FRAME_SIZE);
    fail_unless_equals_string (frame->md5, md5);
  }
}

typedef GstBuffer *(*MakeBuffer) (gpointer source);

static void
push_frames (GstElement *pipeline, MakeBuffer make, gpointer source)
{
  g_autoptr (GstElement) appsrc =
      gst_bin_get_by_name (GST_BIN (pipeline), "appsrc");
  g_autoptr (GError) error = NULL;

  gst_element_set_state (pipeline, GST_STATE_PLAYING);
  for (guint i = 0; i < N_FRAMES; i++)
    fail_unless_equals_int (gst_app_src_push_buffer (GST_APP_SRC (appsrc),
                                filled (make (source), i)),
        GST_FLOW_OK);
  gst_app_src_end_of_stream (GST_APP_SRC (appsrc));
  here_run_ok (pipeline);
}

#define APPSRC "appsrc name=appsrc caps=application/octet-stream ! "

static void
check_appsrc (MakeBuffer make, gpointer source, guint copied)
{
  g_autoptr (Pipeline) consumer = spawn_consumer ("a");
  GstElement *pipeline =
      here_parse (APPSRC SINK ("sink", "a"), pipeline_dir ());

  push_frames (pipeline, make, source);
  check_counts (pipeline, "sink", copied, N_FRAMES - copied);
  check_received (consumer);
  here_free (pipeline);
}

static GstBuffer *
from_pool (gpointer pool)
{
  GstBuffer *buffer;

  fail_unless_equals_int (
      gst_buffer_pool_acquire_buffer (pool, &buffer, NULL), GST_FLOW_OK);
  return buffer;
}

static GstBuffer *
from_allocator (gpointer allocator)
{
  return gst_buffer_new_allocate (allocator, FRAME_SIZE, NULL);
}

/* Two memories: the first of `allocator`, the second of the system. */
static GstBuffer *
half_from_allocator (gpointer allocator)
{
  GstBuffer *buffer = gst_buffer_new_allocate (allocator, 1000, NULL);

  gst_buffer_append_memory (
      buffer, gst_allocator_alloc (NULL, FRAME_SIZE - 1000, NULL));
  return buffer;
}

static GstBufferPool *
make_pool (GstAllocator *allocator)
{
  GstBufferPool *pool =
      gst_xmem_buffer_pool_new (GST_XMEM_ALLOCATOR (allocator));
  GstStructure *config = gst_buffer_pool_get_config (pool);

  gst_buffer_pool_config_set_params (config, NULL, FRAME_SIZE, 0, 0);
  fail_unless (gst_buffer_pool_set_config (pool, config));
  fail_unless (gst_buffer_pool_set_active (pool, TRUE));
  return pool;
}

GST_START_TEST (appsrc_with_our_pool_is_not_copied)
{
  GstAllocator *allocator = gst_xmem_allocator_new (0);
  GstBufferPool *pool = make_pool (allocator);

  check_appsrc (from_pool, pool, 0);
  gst_buffer_pool_set_active (pool, FALSE);
  gst_object_unref (pool);
  gst_object_unref (allocator);
}
GST_END_TEST;

GST_START_TEST (appsrc_with_our_allocator_is_not_copied)
{
  GstAllocator *allocator = gst_xmem_allocator_new (0);

  check_appsrc (from_allocator, allocator, 0);
  gst_object_unref (allocator);
}
GST_END_TEST;

GST_START_TEST (appsrc_with_system_memory_is_copied_once)
{
  check_appsrc (from_allocator, NULL, N_FRAMES);
}
GST_END_TEST;

GST_START_TEST (a_frame_with_one_foreign_memory_counts_as_copied)
{
  GstAllocator *allocator = gst_xmem_allocator_new (0);

  check_appsrc (half_from_allocator, allocator, N_FRAMES);
  gst_object_unref (allocator);
}
GST_END_TEST;

/* Behind a tee there is no proposal, but our memory is known when it comes. */
GST_START_TEST (two_sinks_publish_the_same_slot_without_a_copy)
{
  GstAllocator *allocator = gst_xmem_allocator_new (0);
  GstBufferPool *pool = make_pool (allocator);
  g_autoptr (Pipeline) one = spawn_consumer ("a");
  g_autoptr (Pipeline) two = spawn_consumer ("b");
  GstElement *pipeline =
      here_parse (APPSRC "tee name=t ! queue ! " SINK (
                      "sink", "a") "t. ! queue ! " SINK ("other", "b"),
          pipeline_dir (), pipeline_dir ());

  push_frames (pipeline, from_pool, pool);
  check_counts (pipeline, "sink", 0, N_FRAMES);
  check_counts (pipeline, "other", 0, N_FRAMES);
  check_received (one);
  check_received (two);
  here_free (pipeline);
  gst_buffer_pool_set_active (pool, FALSE);
  gst_object_unref (pool);
  gst_object_unref (allocator);
}
GST_END_TEST;

/* --- relay --------------------------------------------------------------- */

/* The middle process publishes the first one's memory. It holds what its own
 * consumers hold, so it must be granted more than they are: with equal grants
 * xmemsrc would copy frames out rather than hold its last one. */
GST_START_TEST (a_relay_does_not_copy)
{
  const gchar *dir = pipeline_dir ();
  g_autoptr (Pipeline) direct = pipeline_spawn (SOURCE "fakesink name=out");
  g_autoptr (Pipeline) last = spawn_consumer ("b");
  g_autoptr (Pipeline) relay = pipeline_spawn (
      "xmemsrc name=src socket-path=%s/a delivery=every is-live=false "
      "max-buffers=8 ! " SINK ("sink", "b"),
      dir, dir);
  g_autoptr (Pipeline) source =
      pipeline_spawn (SOURCE SINK ("sink", "a") "max-buffers=8", dir);

  pipeline_wait_ok (direct);
  pipeline_wait_ok (source);
  pipeline_wait_ok (relay);
  pipeline_wait_ok (last);
  fail_unless_equals_uint64 (
      pipeline_get_stat (source, 0, "sink", "frames-zero-copy"), N_FRAMES);
  fail_unless_equals_uint64 (
      pipeline_get_stat (relay, 0, "src", "frames-copied"), 0);
  fail_unless_equals_uint64 (
      pipeline_get_stat (relay, 0, "sink", "frames-zero-copy"), N_FRAMES);
  fail_unless_equals_uint64 (
      pipeline_get_stat (relay, 0, "sink", "frames-copied"), 0);
  pipeline_assert_same_frames (direct, "out", last, "out");
}
GST_END_TEST;

/* --- allow-copy=false ---------------------------------------------------- */

GST_START_TEST (allow_copy_false_names_the_element_and_its_memory)
{
  g_autoptr (GError) error = NULL;
  GstElement *pipeline = here_parse (
      "videotestsrc name=culprit ! tee name=t ! queue ! identity "
      "! xmemsink name=sink socket-path=%s/a sync=false allow-copy=false",
      pipeline_dir ());

  error = here_run (pipeline);
  fail_unless (error != NULL, "no error");
  fail_unless (
      g_error_matches (error, GST_STREAM_ERROR, GST_STREAM_ERROR_FORMAT));
  fail_unless (strstr (error->message, GST_ALLOCATOR_SYSMEM) != NULL, "%s",
      error->message);
  fail_unless (
      strstr (error->message, "culprit") != NULL, "%s", error->message);
  check_counts (pipeline, "sink", 0, 0);
  here_free (pipeline);
}
GST_END_TEST;

GST_START_TEST (allow_copy_false_lets_shared_memory_pass)
{
  g_autoptr (Pipeline) consumer = spawn_consumer ("a");
  GstElement *pipeline = here_parse (
      SOURCE SINK ("sink", "a") "allow-copy=false", pipeline_dir ());

  here_run_ok (pipeline);
  check_counts (pipeline, "sink", 0, N_FRAMES);
  pipeline_wait_ok (consumer);
  here_free (pipeline);
}
GST_END_TEST;

static Suite *
copies_suite (void)
{
  Suite *suite = suite_create ("copies-are-counted");
  TCase *tcase = tcase_create ("copies");

  suite_add_tcase (suite, tcase);
  tcase_add_test (tcase, without_tee_nothing_is_copied);
  tcase_add_test (tcase, behind_tee_each_frame_is_copied_once);
  tcase_add_test (tcase, behind_xmemalloc_and_tee_nothing_is_copied);
  tcase_add_test (tcase, behind_vp9dec_each_frame_is_copied_once);
  tcase_add_test (tcase, appsrc_with_our_pool_is_not_copied);
  tcase_add_test (tcase, appsrc_with_our_allocator_is_not_copied);
  tcase_add_test (tcase, appsrc_with_system_memory_is_copied_once);
  tcase_add_test (tcase, a_frame_with_one_foreign_memory_counts_as_copied);
  tcase_add_test (tcase, two_sinks_publish_the_same_slot_without_a_copy);
  tcase_add_test (tcase, a_relay_does_not_copy);
  tcase_add_test (tcase, allow_copy_false_names_the_element_and_its_memory);
  tcase_add_test (tcase, allow_copy_false_lets_shared_memory_pass);
  return suite;
}

int
main (int argc, char **argv)
{
  int status = pipeline_main (argc, argv);

  if (status >= 0)
    return status;
  gst_check_init (&argc, &argv);
  return gst_check_run_suite (copies_suite (), "copies-are-counted", __FILE__);
}
