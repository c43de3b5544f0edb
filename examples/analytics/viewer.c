/* SPDX-License-Identifier: MIT */
/* Shows the decoder's pictures, framed where the detector found something:
 *
 *   analytics-viewer [OPTION...] [PICTURES [BOXES]]
 *
 * Pictures come from the decoder's socket, so that they come whether or not
 * there is a detector; what was found in them comes from the detector's, and
 * is paired with them by time. While there is no detector (it was killed, it
 * is being started) pictures are shown without frames.
 *
 * Output: a line per picture with --log, a PNG now and then with --png, a
 * window with --window.
 *
 * Threads: a streaming thread of each source, which push; the main thread
 * shows. */
#include <gst/app/gstappsink.h>
#include <gst/app/gstappsrc.h>
#include <stdio.h>

#include "draw.h"
#include "pairing.h"

/* Pictures to wait for an answer; they are held, so fewer than are granted. */
#define DEPTH 8
#define PNG_EVERY 20
#define PNG_TIMEOUT (20 * GST_SECOND)

typedef struct {
  gboolean every, log, window;
  gchar *png;
  Pairing *pairing;
  GstElement *screen; /* NULL without a window */
  guint n_shown, n_answered;
  gint failed; /* atomic */
} Viewer;

/* --- receiving ----------------------------------------------------------- */

static GstFlowReturn
on_picture (GstAppSink *sink, gpointer data)
{
  Viewer *self = data;
  GstSample *sample = gst_app_sink_pull_sample (sink);
  GstClockTime time;

  if (!sample)
    return GST_FLOW_EOS;
  time = answer_running_time (
      GST_BASE_SINK_PAD (sink), gst_sample_get_buffer (sample));
  pairing_push_picture (self->pairing, sample, time);
  return GST_FLOW_OK;
}

static GstFlowReturn
on_answer (GstAppSink *sink, gpointer data)
{
  Viewer *self = data;
  g_autoptr (GstSample) sample = gst_app_sink_pull_sample (sink);
  Answer answer;

  if (sample && answer_read (&answer, gst_sample_get_buffer (sample)))
    pairing_push_answer (self->pairing, &answer);
  return GST_FLOW_OK;
}

static void
on_last_picture (GstAppSink *sink, gpointer data)
{
  pairing_end (((Viewer *) data)->pairing);
}

static void
say_who (const GstStructure *structure)
{
  int pid;

  if (gst_structure_has_name (structure, "xmem-connected")
      && gst_structure_get_int (structure, "publisher-pid", &pid))
    g_print ("connected %s %d\n",
        gst_structure_get_string (structure, "socket-path"), pid);
  else if (gst_structure_has_name (structure, "xmem-disconnected"))
    g_print ("disconnected %s\n",
        gst_structure_get_string (structure, "socket-path"));
}

/* In whatever thread posts them. */
static void
on_error (GstBus *bus, GstMessage *message, Viewer *self)
{
  g_autofree gchar *details = NULL;
  g_autoptr (GError) error = NULL;

  gst_message_parse_error (message, &error, &details);
  g_printerr ("viewer: %s\n%s\n", error->message, details);
  g_atomic_int_set (&self->failed, TRUE);
  pairing_end (self->pairing);
}

static void
on_element_message (GstBus *bus, GstMessage *message, Viewer *self)
{
  if (self->log)
    say_who (gst_message_get_structure (message));
}

/* Whatever layout the pictures have, we read GstVideoMeta: nothing needs to be
 * repacked for us. */
static GstPadProbeReturn
on_query (GstPad *pad, GstPadProbeInfo *info, gpointer data)
{
  GstQuery *query = GST_PAD_PROBE_INFO_QUERY (info);

  if (GST_QUERY_TYPE (query) != GST_QUERY_ALLOCATION)
    return GST_PAD_PROBE_OK;
  gst_query_add_allocation_meta (query, GST_VIDEO_META_API_TYPE, NULL);
  return GST_PAD_PROBE_HANDLED;
}

static void
listen_to (Viewer *self, GstElement *pipeline, const gchar *name,
    GstAppSinkCallbacks callbacks)
{
  g_autoptr (GstElement) sink = gst_bin_get_by_name (GST_BIN (pipeline), name);

  gst_app_sink_set_callbacks (GST_APP_SINK (sink), &callbacks, self, NULL);
  gst_pad_add_probe (GST_BASE_SINK_PAD (sink),
      GST_PAD_PROBE_TYPE_QUERY_DOWNSTREAM, on_query, NULL, NULL);
}

/* Both keep running times as they are: a picture has the same at the detector
 * and here. on-eos: a detector that was stopped is waited for, too. */
static GstElement *
make_pipeline (Viewer *self, const gchar *pictures, const gchar *boxes)
{
  g_autoptr (GError) error = NULL;
  const gchar *delivery = self->every ? "every" : "latest";
  g_autofree gchar *description = g_strdup_printf (
      "xmemsrc socket-path=\"%s\" is-live=false connection-timeout=0 "
      "delivery=%s max-buffers=16 ! video/x-raw,format=I420 ! "
      "appsink name=pictures sync=false async=false max-buffers=1 "
      "xmemsrc socket-path=\"%s\" is-live=false connection-timeout=0 "
      "delivery=%s on-eos=wait ! "
      "appsink name=boxes sync=false async=false max-buffers=1",
      pictures, delivery, boxes, delivery);
  GstElement *pipeline = gst_parse_launch (description, &error);
  g_autoptr (GstBus) bus = NULL;

  if (error)
    g_error ("%s", error->message);
  listen_to (self, pipeline, "pictures",
      (GstAppSinkCallbacks){
          .new_sample = on_picture, .eos = on_last_picture });
  listen_to (self, pipeline, "boxes",
      (GstAppSinkCallbacks){ .new_sample = on_answer });
  bus = gst_element_get_bus (pipeline);
  gst_bus_enable_sync_message_emission (bus);
  g_signal_connect (bus, "sync-message::error", G_CALLBACK (on_error), self);
  g_signal_connect (
      bus, "sync-message::element", G_CALLBACK (on_element_message), self);
  return pipeline;
}

/* --- showing ------------------------------------------------------------- */

static void
log_picture (const Pair *pair, GstBuffer *drawn, const GstVideoInfo *info)
{
  g_autoptr (GString) line = g_string_new (NULL);
  g_autofree gchar *md5 = draw_md5 (drawn, info);

  g_string_printf (line, "picture %" G_GUINT64_FORMAT " %s %s", pair->time, md5,
      pair->answer ? "found" : "unknown");
  for (guint i = 0; pair->answer && i < pair->answer->n_blobs; i++) {
    const Blob *b = &pair->answer->blobs[i];

    g_string_append_printf (line, " %u,%u,%ux%u", b->x, b->y, b->w, b->h);
  }
  g_print ("%s\n", line->str);
}

static void
write_png (Viewer *self, const Pair *pair, GstSample *drawn)
{
  g_autoptr (GstCaps) caps = gst_caps_new_empty_simple ("image/png");
  g_autofree gchar *name = g_strdup_printf (
      "%08" G_GUINT64_FORMAT "ms.png", pair->time / GST_MSECOND);
  g_autofree gchar *path = g_build_filename (self->png, name, NULL);
  g_autoptr (GError) error = NULL;
  g_autoptr (GstSample) png =
      gst_video_convert_sample (drawn, caps, PNG_TIMEOUT, &error);
  GstMapInfo map;

  if (!png)
    g_error ("%s", error->message);
  gst_buffer_map (gst_sample_get_buffer (png), &map, GST_MAP_READ);
  if (!g_file_set_contents (
          path, (const gchar *) map.data, (gssize) map.size, &error))
    g_error ("%s", error->message);
  gst_buffer_unmap (gst_sample_get_buffer (png), &map);
}

static void
show (Viewer *self, const Pair *pair)
{
  GstCaps *caps = gst_sample_get_caps (pair->sample);
  g_autoptr (GstBuffer) drawn = NULL;
  g_autoptr (GstSample) sample = NULL;
  GstVideoInfo info;

  if (!gst_video_info_from_caps (&info, caps))
    return;
  drawn = draw_copy (gst_sample_get_buffer (pair->sample), &info, pair->answer);
  sample = gst_sample_new (drawn, caps, NULL, NULL);
  if (self->log)
    log_picture (pair, drawn, &info);
  if (self->png && self->n_shown % PNG_EVERY == 0)
    write_png (self, pair, sample);
  if (self->screen)
    gst_app_src_push_sample (GST_APP_SRC (self->screen), sample);
  self->n_shown++;
  self->n_answered += pair->answer != NULL;
}

static GstElement *
open_window (Viewer *self)
{
  GstElement *pipeline = gst_parse_launch (
      "appsrc name=in format=time ! videoconvert ! autovideosink sync=false",
      NULL);

  self->screen = gst_bin_get_by_name (GST_BIN (pipeline), "in");
  gst_element_set_state (pipeline, GST_STATE_PLAYING);
  return pipeline;
}

static void
close_pipeline (GstElement *pipeline)
{
  if (!pipeline)
    return;
  gst_element_set_state (pipeline, GST_STATE_NULL);
  gst_object_unref (pipeline);
}

static void
run (Viewer *self, GstElement *pipeline)
{
  GstElement *window = self->window ? open_window (self) : NULL;
  Pair pair;

  gst_element_set_state (pipeline, GST_STATE_PLAYING);
  while (pairing_take (self->pairing, &pair)) {
    show (self, &pair);
    pair_clear (&pair);
  }
  gst_clear_object (&self->screen);
  close_pipeline (window);
}

static void
parse_options (Viewer *self, int *argc, char ***argv)
{
  const GOptionEntry options[] = {
    { "every", 0, 0, G_OPTION_ARG_NONE, &self->every,
        "Show every picture; the decoder waits", NULL },
    { "log", 0, 0, G_OPTION_ARG_NONE, &self->log,
        "A line for each picture: time, MD5 as shown, what was found", NULL },
    { "png", 0, 0, G_OPTION_ARG_FILENAME, &self->png,
        "Save some of the pictures", "FOLDER" },
    { "window", 0, 0, G_OPTION_ARG_NONE, &self->window, "Open a window", NULL },
    { NULL }
  };
  g_autoptr (GOptionContext) context =
      g_option_context_new ("[PICTURES [BOXES]]");
  g_autoptr (GError) error = NULL;

  g_option_context_add_main_entries (context, options, NULL);
  g_option_context_add_group (context, gst_init_get_option_group ());
  if (!g_option_context_parse (context, argc, argv, &error))
    g_error ("%s", error->message);
}

int
main (int argc, char **argv)
{
  Viewer self = { .pairing = pairing_new (DEPTH) };
  GstElement *pipeline;

  setvbuf (stdout, NULL, _IOLBF, 0);
  parse_options (&self, &argc, &argv);
  pipeline = make_pipeline (&self, argc > 1 ? argv[1] : "analytics-pictures",
      argc > 2 ? argv[2] : "analytics-boxes");
  run (&self, pipeline);
  close_pipeline (pipeline);
  g_print ("viewer: %u pictures, %u of them with an answer\n", self.n_shown,
      self.n_answered);
  pairing_free (self.pairing);
  g_free (self.png);
  return g_atomic_int_get (&self.failed) ? 1 : 0;
}
