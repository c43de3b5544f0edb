/* SPDX-License-Identifier: MIT */
/* xmem://NAME and xmem:///path stand for addresses, and what plays URIs plays
 * these. */
#include <gst/check/gstcheck.h>

#include "here.h"
#include "pipeline.h"
#include "uri.h"

static void
check_both_ways (const gchar *address, const gchar *uri)
{
  g_autofree gchar *made = gst_xmem_uri_from_address (address);
  g_autofree gchar *read = gst_xmem_uri_to_address (uri, NULL);

  fail_unless_equals_string (made, uri);
  fail_unless_equals_string (read, address);
}

GST_START_TEST (addresses_are_uris)
{
  check_both_ways ("camera", "xmem://camera");
  check_both_ways ("/run/my/socket", "xmem:///run/my/socket");
  check_both_ways ("@camera", "xmem://@camera");
  check_both_ways ("two words?", "xmem://two%20words%3F");
  check_both_ways ("/t\xc3\xbcr/100%", "xmem:///t%C3%BCr/100%25");
}
GST_END_TEST;

GST_START_TEST (other_uris_are_refused)
{
  const gchar *bad[] = { "", "xmem:", "xmem://", "xmem:/path", "file:///tmp/x",
    "xmem://host/path", "xmem://a%00b", "xmem://%zz" };

  for (guint i = 0; i < G_N_ELEMENTS (bad); i++) {
    g_autoptr (GError) error = NULL;
    g_autofree gchar *address = gst_xmem_uri_to_address (bad[i], &error);

    fail_unless (address == NULL, "'%s' gave '%s'", bad[i], address);
    fail_unless (g_error_matches (error, GST_URI_ERROR, GST_URI_ERROR_BAD_URI));
  }
}
GST_END_TEST;

GST_START_TEST (source_has_its_uri)
{
  GstElement *source = gst_element_make_from_uri (
      GST_URI_SRC, "xmem:///tmp/some%20where", "src", NULL);
  g_autofree gchar *uri = NULL, *path = NULL;

  fail_unless (source != NULL);
  g_object_get (source, "socket-path", &path, NULL);
  uri = gst_uri_handler_get_uri (GST_URI_HANDLER (source));
  fail_unless_equals_string (path, "/tmp/some where");
  fail_unless_equals_string (uri, "xmem:///tmp/some%20where");
  gst_object_unref (source);
}
GST_END_TEST;

static void
count (GstBuffer *buffer, gpointer data)
{
  (*(guint *) data)++;
}

/* Raw pictures, which need no decoder, and a stream that does. */
static void
play (const gchar *encoder)
{
  g_autoptr (Pipeline) producer = pipeline_spawn (
      "videotestsrc num-buffers=20 ! video/x-raw,format=I420,width=64,height=48"
      " ! %s xmemsink socket-path=%s/u sync=false wait-for-connection=true "
      "max-buffers=32",
      encoder, pipeline_dir ());
  GstElement *pipeline = here_parse ("uridecodebin name=bin uri=xmem://%s/u ! "
                                     "fakesink name=out sync=false",
      pipeline_dir ());
  guint n = 0;

  here_watch (pipeline, "out.sink", count, &n);
  here_run_ok (pipeline);
  pipeline_wait_ok (producer);
  fail_unless (n > 0);
  here_free (pipeline);
}

GST_START_TEST (uridecodebin_plays)
{
  play ("");
  play ("jpegenc !");
}
GST_END_TEST;

static Suite *
uris_suite (void)
{
  Suite *suite = suite_create ("uris");
  TCase *tcase = tcase_create ("uris");

  suite_add_tcase (suite, tcase);
  tcase_add_test (tcase, addresses_are_uris);
  tcase_add_test (tcase, other_uris_are_refused);
  tcase_add_test (tcase, source_has_its_uri);
  tcase_add_test (tcase, uridecodebin_plays);
  return suite;
}

int
main (int argc, char **argv)
{
  int role = pipeline_main (argc, argv);

  if (role >= 0)
    return role;
  gst_check_init (&argc, &argv);
  return gst_check_run_suite (uris_suite (), "uris", __FILE__);
}
