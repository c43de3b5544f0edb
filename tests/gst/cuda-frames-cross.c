/* SPDX-License-Identifier: MIT */
/* Pictures in CUDA memory, from cudaupload in one process to cudadownload in
 * another: what comes out is what went in, and nobody copies.
 *
 * With the test double of the driver (tests/harness/fake-cuda), whose streams
 * lag; not on a GPU. Element names end with "-FORMAT-". */
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
} Case;

static const Case cases[] = {
  { 336, 240, "auto", "import" },
  { 336, 240, "legacy", "import" },
  { 336, 240, "vmm", "copy" },
  { 335, 241, "vmm", "import" },
  { 335, 241, "vmm", "copy" },
  { 642, 362, "vmm", "import" },
  { 17, 3, "vmm", "import" },
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
             "! cudaupload ! video/x-raw(memory:CUDAMemory) "
             "! xmemsink name=sink-%s- socket-path=%s sync=false "
             "wait-for-connection=true cuda-ipc-mode=%s ",
      N_FRAMES, format, c->width, c->height, format, format, path, c->ipc_mode);
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

  pipeline_assert_same_frames (producer, out, consumer, out);
  fail_unless_equals_uint64 (
      pipeline_get_stat (producer, 0, sink, "frames-zero-copy"), N_FRAMES);
  fail_unless_equals_uint64 (
      pipeline_get_stat (producer, 0, sink, "frames-copied"), 0);
  fail_unless_equals_uint64 (
      pipeline_get_stat (consumer, 0, src, "frames-repacked"), 0);
  fail_unless_equals_uint64 (
      pipeline_get_stat (consumer, 0, src, "frames-copied"),
      g_str_equal (c->io_mode, "copy") ? N_FRAMES : 0);
}

GST_START_TEST (what_comes_out_is_what_went_in)
{
  const Case *c = &cases[__i__];
  g_autoptr (GString) p = g_string_new (NULL);
  g_autoptr (GString) s = g_string_new (NULL);
  g_autoptr (Pipeline) producer = NULL, consumer = NULL;

  for (guint i = 0; i < G_N_ELEMENTS (formats); i++)
    add_chains (formats[i], c, p, s);
  producer = pipeline_spawn ("%s", p->str);
  consumer = pipeline_spawn ("%s", s->str);
  pipeline_wait_ok (producer);
  pipeline_wait_ok (consumer);
  for (guint i = 0; i < G_N_ELEMENTS (formats); i++)
    check_format (formats[i], c, producer, consumer);
}
GST_END_TEST;

static Suite *
cuda_suite (void)
{
  Suite *suite = suite_create ("cuda-frames-cross");
  TCase *tcase = tcase_create ("frames");

  suite_add_tcase (suite, tcase);
  tcase_add_loop_test (
      tcase, what_comes_out_is_what_went_in, 0, G_N_ELEMENTS (cases));
  return suite;
}

int
main (int argc, char **argv)
{
  int status = pipeline_main (argc, argv);

  if (status >= 0)
    return status;
  gst_check_init (&argc, &argv);
  cuda_double_need ();
  return gst_check_run_suite (cuda_suite (), "cuda-frames-cross", __FILE__);
}
