/* SPDX-License-Identifier: MIT */
/* Pictures in CUDA memory, from cudaupload in one process to cudadownload in
 * another: what comes out is what went in, nobody copies unless told to, and
 * nobody waits on the host.
 *
 * Here with the test double of the driver (tests/harness/fake-cuda), whose
 * streams lag; not on a GPU. Element names end with "-FORMAT-". */
#include <gst/check/gstcheck.h>

#include "cuda-double.h"
#include "pipeline.h"

#define N_FRAMES 12

static const gchar *const formats[] = { "NV12", "I420", "P010_10LE", "BGRA",
  "RGB" };

typedef struct {
  gint width, height;
  const gchar *ipc_mode;
  const gchar *io_mode;
  const gchar *between; /* upstream and the sink */
  gboolean copies; /* the sink does */
} Case;

/* Drops what the sink proposes. */
#define TEE "! tee ! queue"

static const Case cases[] = {
  { 336, 240, "auto", "import", "" },
  { 336, 240, "legacy", "import", "" },
  { 336, 240, "vmm", "copy", "" },
  { 335, 241, "vmm", "import", "" },
  { 335, 241, "vmm", "copy", "" },
  { 642, 362, "vmm", "import", "" },
  { 17, 3, "vmm", "import", "" },
  { 336, 240, "vmm", "import", TEE, TRUE },
  { 336, 240, "vmm", "import", "! xmemalloc " TEE },
};

/* Compared with what was sent: at odd sizes videotestsrc leaves parts of some
 * pictures unwritten. */
#define SOURCE                                           \
  "videotestsrc num-buffers=%d pattern=zone-plate kt=3 " \
  "kx2=20 ky2=20 ! video/x-raw,format=%s,width=%d,height=%d "

static void
add_chains (
    const gchar *format, const Case *c, GString *producer, GString *consumer)
{
  g_autofree gchar *path = g_strdup_printf ("%s/%s", pipeline_dir (), format);

  g_string_append_printf (producer,
      SOURCE "! identity name=out-%s- "
             "! cudaupload ! video/x-raw(memory:CUDAMemory) %s "
             "! xmemsink name=sink-%s- socket-path=%s sync=false "
             "wait-for-connection=true cuda-ipc-mode=%s ",
      N_FRAMES, format, c->width, c->height, format, c->between, format, path,
      c->ipc_mode);
  g_string_append_printf (consumer,
      "xmemsrc name=src-%s- socket-path=%s is-live=false delivery=every "
      "connection-timeout=0 cuda-io-mode=%s "
      "! video/x-raw(memory:CUDAMemory) ! cudadownload ! video/x-raw "
      "! fakesink name=out-%s- ",
      format, path, c->io_mode, format);
}

static void
check_format (
    const gchar *format, const Case *c, Pipeline *producer, Pipeline *consumer)
{
  g_autofree gchar *out = g_strdup_printf ("out-%s-", format);
  g_autofree gchar *sink = g_strdup_printf ("sink-%s-", format);
  g_autofree gchar *src = g_strdup_printf ("src-%s-", format);
  guint copied = c->copies ? N_FRAMES : 0;

  pipeline_assert_same_frames (producer, out, consumer, out);
  fail_unless_equals_uint64 (
      pipeline_get_stat (producer, 0, sink, "frames-copied"), copied);
  fail_unless_equals_uint64 (
      pipeline_get_stat (producer, 0, sink, "frames-zero-copy"),
      N_FRAMES - copied);
  fail_unless_equals_uint64 (
      pipeline_get_stat (consumer, 0, src, "frames-repacked"), 0);
  fail_unless_equals_uint64 (
      pipeline_get_stat (consumer, 0, src, "frames-copied"),
      g_str_equal (c->io_mode, "copy") ? N_FRAMES : 0);
}

/* Stays when it has sent all: events, and memory of legacy handles, end with
 * their process. */
static Pipeline *
spawn_producer (const gchar *launch)
{
  return pipeline_spawn_all (
      (const gchar *const[]){ launch, "appsrc ! fakesink", NULL });
}

static void
wait_for_both (Pipeline *producer, Pipeline *consumer)
{
  pipeline_wait_ok (consumer);
  pipeline_tell (producer, "quit");
  pipeline_wait_ok (producer);
}

GST_START_TEST (what_comes_out_is_what_went_in)
{
  const Case *c = &cases[__i__];
  g_autoptr (GString) p = g_string_new (NULL);
  g_autoptr (GString) s = g_string_new (NULL);
  g_autoptr (Pipeline) producer = NULL, consumer = NULL;

  for (guint i = 0; i < G_N_ELEMENTS (formats); i++)
    add_chains (formats[i], c, p, s);
  producer = spawn_producer (p->str);
  consumer = pipeline_spawn ("%s", s->str);
  wait_for_both (producer, consumer);
  for (guint i = 0; i < G_N_ELEMENTS (formats); i++)
    check_format (formats[i], c, producer, consumer);
}
GST_END_TEST;

/* Elements may say CUDA memory and give some of the CPU. */
GST_START_TEST (memory_of_the_cpu_is_brought_to_the_device)
{
  g_autoptr (Pipeline) producer = NULL, consumer = NULL;
  const gchar *dir = pipeline_dir ();
  g_autofree gchar *launch = g_strdup_printf (SOURCE
      "! identity name=out drop-allocation=true ! capssetter replace=true "
      "caps=\"video/x-raw"
      "(memory:CUDAMemory),format=%s,width=%d,height=%d,"
      "framerate=30/1\" ! xmemsink name=sink socket-path=%s/cpu "
      "sync=false wait-for-connection=true",
      N_FRAMES, "NV12", 335, 241, "NV12", 335, 241, dir);

  producer = spawn_producer (launch);
  consumer = pipeline_spawn (
      "xmemsrc name=src socket-path=%s/cpu is-live=false delivery=every "
      "connection-timeout=0 ! cudadownload ! video/x-raw ! fakesink name=out",
      dir);
  wait_for_both (producer, consumer);
  pipeline_assert_same_frames (producer, "out", consumer, "out");
  fail_unless_equals_uint64 (
      pipeline_get_stat (producer, 0, "sink", "frames-copied"), N_FRAMES);
}
GST_END_TEST;

/* --- what each frame costs ----------------------------------------------- */

#define N_COUNTED 60

/* How often threads whose name starts so have called it, as the double wrote. */
static guint64
count_calls (const gchar *table, const gchar *thread, const gchar *function)
{
  g_auto (GStrv) lines = NULL;
  g_autofree gchar *text = NULL;
  guint64 n = 0;

  fail_unless (g_file_get_contents (table, &text, NULL, NULL));
  lines = g_strsplit (text, "\n", -1);
  for (guint i = 0; lines[i]; i++) {
    g_auto (GStrv) words = g_strsplit (lines[i], "\t", -1);
    guint n_words = g_strv_length (words);

    if (n_words >= 4 && g_str_has_prefix (words[1], thread)
        && g_str_equal (words[n_words - 2], function))
      n += g_ascii_strtoull (words[n_words - 1], NULL, 10);
  }
  return n;
}

static Pipeline *
spawn_counted (const gchar *table, const gchar *launch, gboolean stays)
{
  Pipeline *pipeline;

  g_setenv ("FAKE_CUDA_TABLE", table, TRUE);
  pipeline = stays ? spawn_producer (launch) : pipeline_spawn ("%s", launch);
  g_unsetenv ("FAKE_CUDA_TABLE");
  return pipeline;
}

static void
assert_never_waits (const gchar *table, const gchar *thread)
{
  const gchar *const waits[] = { "cuCtxSynchronize", "cuEventSynchronize",
    "cuEventQuery" };

  for (guint i = 0; i < G_N_ELEMENTS (waits); i++)
    fail_unless_equals_uint64 (count_calls (table, thread, waits[i]), 0);
}

/* cudaupload and cudadownload wait for their own work on a stream, which is not
 * our affair: so these calls are not counted. */
GST_START_TEST (streaming_threads_do_not_wait)
{
  g_autofree gchar *path = g_strconcat (pipeline_dir (), "/counted", NULL);
  g_autofree gchar *p_table = g_strconcat (path, ".producer", NULL);
  g_autofree gchar *c_table = g_strconcat (path, ".consumer", NULL);
  g_autofree gchar *p = g_strdup_printf (
      "videotestsrc name=video num-buffers=%d ! video/x-raw,format=NV12,"
      "width=320,height=240 ! cudaupload ! video/x-raw(memory:CUDAMemory) "
      "! xmemsink name=sink sync=false wait-for-connection=true socket-path=%s",
      N_COUNTED, path);
  g_autofree gchar *c = g_strdup_printf (
      "xmemsrc name=frames is-live=false delivery=every connection-timeout=0 "
      "socket-path=%s ! cudadownload ! video/x-raw ! fakesink name=out",
      path);
  g_autoptr (Pipeline) producer = spawn_counted (p_table, p, TRUE);
  g_autoptr (Pipeline) consumer = spawn_counted (c_table, c, FALSE);
  guint64 n_segments;

  wait_for_both (producer, consumer);
  assert_never_waits (p_table, "video:src");
  assert_never_waits (c_table, "frames:src");
  fail_unless_equals_uint64 (
      count_calls (p_table, "video:src", "cuEventRecord"), N_COUNTED);
  fail_unless_equals_uint64 (
      count_calls (c_table, "frames:src", "cuStreamWaitEvent"), N_COUNTED);
  n_segments = pipeline_get_stat (consumer, 0, "frames", "segments-received");
  fail_unless_equals_uint64 (
      count_calls (c_table, "frames:src", "cuMemImportFromShareableHandle"),
      n_segments);
  fail_unless_equals_uint64 (
      pipeline_get_stat (producer, 0, "sink", "frames-synchronised"), 0);
  fail_unless (pipeline_get_stat (producer, 0, "sink", "cuda-pool-bytes") > 0);
}
GST_END_TEST;

static Suite *
cuda_suite (gboolean with_double)
{
  Suite *suite = suite_create ("cuda-frames-cross");
  TCase *tcase = tcase_create ("frames");

  suite_add_tcase (suite, tcase);
  tcase_add_loop_test (
      tcase, what_comes_out_is_what_went_in, 0, G_N_ELEMENTS (cases));
  tcase_add_test (tcase, memory_of_the_cpu_is_brought_to_the_device);
  if (with_double)
    tcase_add_test (tcase, streaming_threads_do_not_wait);
  else
    g_print ("# SKIP streaming_threads_do_not_wait: only the double of the "
             "CUDA driver counts calls\n");
  return suite;
}

int
main (int argc, char **argv)
{
  int status = pipeline_main (argc, argv);

  if (status >= 0)
    return status;
  gst_check_init (&argc, &argv);
  return gst_check_run_suite (
      cuda_suite (cuda_double_need ()), "cuda-frames-cross", __FILE__);
}
