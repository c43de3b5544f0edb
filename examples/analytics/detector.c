/* SPDX-License-Identifier: MIT */
/* Marks what moves in the decoder's pictures:
 *
 *   analytics-detector [--every] [PICTURES [BOXES]]
 *
 * takes pictures from the socket PICTURES and publishes the same memory, with
 * regions of interest, at the socket BOXES. It writes only metas, so nothing is
 * copied. It may be killed and started again at any time: neither the decoder
 * nor a viewer waits for it.
 *
 * Threads: pictures are looked at in xmemsrc's streaming thread. */
#include <gst/video/video.h>

#include "answer.h"

typedef struct {
  gboolean every;
  Blobs *blobs; /* NULL before the first picture */
  GstCaps *caps; /* that they are for */
  GstVideoInfo info;
} Detector;

static void
set_caps (Detector *self, GstCaps *caps)
{
  if (self->caps == caps)
    return;
  gst_caps_replace (&self->caps, caps);
  g_clear_pointer (&self->blobs, blobs_free);
  gst_video_info_from_caps (&self->info, caps);
  self->blobs = blobs_new (
      GST_VIDEO_INFO_WIDTH (&self->info), GST_VIDEO_INFO_HEIGHT (&self->info));
}

static gboolean
find (Detector *self, GstBuffer *buffer, Answer *answer)
{
  GstVideoFrame frame;

  if (!gst_video_frame_map (&frame, &self->info, buffer, GST_MAP_READ))
    return FALSE;
  answer->n_blobs =
      blobs_find (self->blobs, GST_VIDEO_FRAME_COMP_DATA (&frame, 0),
          GST_VIDEO_FRAME_COMP_STRIDE (&frame, 0), answer->blobs);
  gst_video_frame_unmap (&frame);
  return TRUE;
}

/* The buffer becomes another one, with the same memory, that metas can be added
 * to. */
static GstPadProbeReturn
on_picture (GstPad *pad, GstPadProbeInfo *info, gpointer data)
{
  GstBuffer *buffer = GST_PAD_PROBE_INFO_BUFFER (info);
  g_autoptr (GstCaps) caps = gst_pad_get_current_caps (pad);
  Answer answer = { .picture = answer_running_time (pad, buffer) };
  Detector *self = data;

  set_caps (self, caps);
  if (!GST_CLOCK_TIME_IS_VALID (answer.picture)
      || !find (self, buffer, &answer))
    return GST_PAD_PROBE_DROP;
  buffer = gst_buffer_make_writable (buffer);
  answer_write (&answer, buffer, blobs_get_n_frames (self->blobs));
  GST_PAD_PROBE_INFO_DATA (info) = buffer;
  return GST_PAD_PROBE_OK;
}

/* What a viewer holds of ours we hold of the decoder's, and as much again may be
 * on its way back: xmemsrc copies frames out when it holds all it may. */
static GstElement *
make_pipeline (Detector *self, const gchar *pictures, const gchar *boxes)
{
  g_autoptr (GError) error = NULL;
  g_autofree gchar *description = g_strdup_printf (
      "xmemsrc socket-path=\"%s\" is-live=false connection-timeout=0 "
      "delivery=%s max-buffers=8 ! video/x-raw,format=I420 ! "
      "xmemsink name=boxes socket-path=\"%s\" max-buffers=2 sync=false "
      "async=false",
      pictures, self->every ? "every" : "latest", boxes);
  GstElement *pipeline = gst_parse_launch (description, &error);
  g_autoptr (GstElement) sink = NULL;
  g_autoptr (GstPad) pad = NULL;

  if (error)
    g_error ("%s", error->message);
  sink = gst_bin_get_by_name (GST_BIN (pipeline), "boxes");
  pad = gst_element_get_static_pad (sink, "sink");
  gst_pad_add_probe (pad, GST_PAD_PROBE_TYPE_BUFFER, on_picture, self, NULL);
  return pipeline;
}

/* TRUE at the end of the pictures, FALSE after an error. */
static gboolean
run (GstElement *pipeline)
{
  g_autoptr (GstBus) bus = gst_element_get_bus (pipeline);
  g_autoptr (GstMessage) message = NULL;
  g_autoptr (GError) error = NULL;

  gst_element_set_state (pipeline, GST_STATE_PLAYING);
  message = gst_bus_timed_pop_filtered (
      bus, GST_CLOCK_TIME_NONE, GST_MESSAGE_EOS | GST_MESSAGE_ERROR);
  if (GST_MESSAGE_TYPE (message) == GST_MESSAGE_EOS)
    return TRUE;
  gst_message_parse_error (message, &error, NULL);
  g_printerr ("detector: %s\n", error->message);
  return FALSE;
}

static void
print_copies (GstElement *pipeline)
{
  g_autoptr (GstElement) sink =
      gst_bin_get_by_name (GST_BIN (pipeline), "boxes");
  g_autoptr (GstStructure) stats = NULL;
  guint64 published, copied;

  g_object_get (sink, "stats", &stats, NULL);
  gst_structure_get_uint64 (stats, "frames-published", &published);
  gst_structure_get_uint64 (stats, "frames-copied", &copied);
  g_print ("detector: %" G_GUINT64_FORMAT " pictures, %" G_GUINT64_FORMAT
           " copied\n",
      published, copied);
}

int
main (int argc, char **argv)
{
  Detector self = { 0 };
  const GOptionEntry options[] = { { "every", 0, 0, G_OPTION_ARG_NONE,
                                       &self.every,
                                       "Look at every picture; the decoder "
                                       "waits",
                                       NULL },
    { NULL } };
  g_autoptr (GOptionContext) context =
      g_option_context_new ("[PICTURES [BOXES]]");
  g_autoptr (GError) error = NULL;
  g_autoptr (GstElement) pipeline = NULL;
  gboolean ended;

  g_option_context_add_main_entries (context, options, NULL);
  g_option_context_add_group (context, gst_init_get_option_group ());
  if (!g_option_context_parse (context, &argc, &argv, &error))
    g_error ("%s", error->message);
  pipeline = make_pipeline (&self, argc > 1 ? argv[1] : "analytics-pictures",
      argc > 2 ? argv[2] : "analytics-boxes");
  ended = run (pipeline);
  print_copies (pipeline);
  gst_element_set_state (pipeline, GST_STATE_NULL);
  g_clear_pointer (&self.blobs, blobs_free);
  gst_clear_caps (&self.caps);
  return ended ? 0 : 1;
}
