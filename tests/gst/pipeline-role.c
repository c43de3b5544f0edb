/* SPDX-License-Identifier: MIT */
/* The child's side of pipeline.h: plays launch lines and reports.
 *
 * Threads: the main thread runs the loop; streaming threads print frames. Each
 * line is one printf, which stdio does not interleave. */
#include "pipeline.h"

#include <gst/base/gstbasesink.h>
#include <gst/video/video.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>

#include "describe-metas.h"
#include "gstxmem.h"

typedef struct {
  GMainLoop *loop;
  GstElement *pipeline;
  guint run;
  gboolean failed;
  gboolean quit;
} Player;

typedef struct {
  guint64 n;
  GstCaps *caps;
  gboolean all_bytes;
  gboolean reads_meta;
  gboolean tells_metas;
} Sink;

/* --- pixels -------------------------------------------------------------- */

/* Lines as the format unpacks them: for layouts without rows of pixels. */
static void
digest_unpacked (GChecksum *sum, GstVideoFrame *frame)
{
  const GstVideoFormatInfo *finfo = frame->info.finfo;
  gint width = GST_VIDEO_FRAME_WIDTH (frame);
  g_autofree guint8 *line = g_malloc0 ((width + 16) * 8);
  const GstVideoFormatInfo *unpacked =
      gst_video_format_get_info (finfo->unpack_format);

  for (gint y = 0; y < GST_VIDEO_FRAME_HEIGHT (frame); y++) {
    finfo->unpack_func (finfo, GST_VIDEO_PACK_FLAG_NONE, line, frame->data,
        frame->info.stride, 0, y, width);
    g_checksum_update (sum, line, width * unpacked->pixel_stride[0]);
  }
}

static void
digest_plane (GChecksum *sum, GstVideoFrame *frame, guint plane)
{
  gint comp[GST_VIDEO_MAX_COMPONENTS];
  const guint8 *row = GST_VIDEO_FRAME_PLANE_DATA (frame, plane);
  gint n_rows, size;

  gst_video_format_info_component (frame->info.finfo, plane, comp);
  n_rows = GST_VIDEO_FRAME_COMP_HEIGHT (frame, comp[0]);
  size = GST_VIDEO_FRAME_COMP_WIDTH (frame, comp[0])
         * GST_VIDEO_FRAME_COMP_PSTRIDE (frame, comp[0]);
  for (gint i = 0; i < n_rows; i++) {
    g_checksum_update (sum, row, size);
    row += GST_VIDEO_FRAME_PLANE_STRIDE (frame, plane);
  }
}

/* Whether each plane is rows of whole pixels. */
static gboolean
has_rows (const GstVideoFormatInfo *finfo)
{
  if (GST_VIDEO_FORMAT_INFO_IS_TILED (finfo)
      || GST_VIDEO_FORMAT_INFO_HAS_PALETTE (finfo))
    return FALSE;
  for (guint i = 0; i < GST_VIDEO_FORMAT_INFO_N_COMPONENTS (finfo); i++)
    for (guint k = 0; k < GST_VIDEO_FORMAT_INFO_N_COMPONENTS (finfo); k++)
      if (finfo->pixel_stride[i] <= 0
          || (finfo->plane[i] == finfo->plane[k]
              && (finfo->pixel_stride[i] != finfo->pixel_stride[k]
                  || finfo->w_sub[i] != finfo->w_sub[k])))
        return FALSE;
  return TRUE;
}

gchar *
pipeline_picture_md5 (GstBuffer *buffer, GstCaps *caps)
{
  g_autoptr (GChecksum) sum = g_checksum_new (G_CHECKSUM_MD5);
  GstVideoInfo info;
  GstVideoFrame frame;

  if (!gst_video_info_from_caps (&info, caps)
      || !gst_video_frame_map (&frame, &info, buffer, GST_MAP_READ))
    return NULL;
  if (has_rows (info.finfo))
    for (guint i = 0; i < GST_VIDEO_FRAME_N_PLANES (&frame); i++)
      digest_plane (sum, &frame, i);
  else
    digest_unpacked (sum, &frame);
  gst_video_frame_unmap (&frame);
  return g_strdup (g_checksum_get_string (sum));
}

static gchar *
bytes_md5 (GstBuffer *buffer)
{
  GstMapInfo map;
  gchar *md5;

  if (!gst_buffer_map (buffer, &map, GST_MAP_READ))
    return NULL;
  md5 = g_compute_checksum_for_data (G_CHECKSUM_MD5, map.data, map.size);
  gst_buffer_unmap (buffer, &map);
  return md5;
}

/* As an element sees it that knows nothing of GstVideoMeta. */
static gchar *
plain_md5 (GstBuffer *buffer, GstCaps *caps)
{
  g_autoptr (GstBuffer) bare = gst_buffer_new ();

  gst_buffer_copy_into (bare, buffer, GST_BUFFER_COPY_MEMORY, 0, -1);
  return pipeline_picture_md5 (bare, caps);
}

/* --- the sinks that report ----------------------------------------------- */

static gchar *
digest (Sink *sink, GstBuffer *buffer)
{
  GstVideoInfo info;

  if (sink->all_bytes || !sink->caps
      || !gst_video_info_from_caps (&info, sink->caps) || info.size == 0)
    return bytes_md5 (buffer);
  if (sink->reads_meta)
    return pipeline_picture_md5 (buffer, sink->caps);
  return plain_md5 (buffer, sink->caps);
}

static guint64
first_id (GstBuffer *buffer)
{
  GstMemory *memory = gst_buffer_n_memory (buffer) > 0
                          ? gst_buffer_peek_memory (buffer, 0)
                          : NULL;

  return memory && gst_is_xmem_memory (memory) ? gst_xmem_memory_get_id (memory)
                                               : 0;
}

static void
print_metas (GstElement *element, GstBuffer *buffer)
{
  g_autoptr (GPtrArray) lines = describe_metas (buffer);

  for (guint i = 0; i < lines->len; i++)
    printf ("meta %s %s\n", GST_OBJECT_NAME (element),
        (gchar *) g_ptr_array_index (lines, i));
}

static void
report (GstElement *element, GstBuffer *buffer, Sink *sink)
{
  g_autoptr (GstPad) pad = gst_element_get_static_pad (element, "sink");
  g_autoptr (GstCaps) caps = gst_pad_get_current_caps (pad);
  guint n_memories = gst_buffer_n_memory (buffer); /* mapping merges them */
  g_autofree gchar *md5 = NULL;

  if (caps && (!sink->caps || !gst_caps_is_equal (caps, sink->caps))) {
    g_autofree gchar *text = gst_caps_to_string (caps);

    gst_caps_replace (&sink->caps, caps);
    printf ("caps %s %s\n", GST_OBJECT_NAME (element), text);
  }
  md5 = digest (sink, buffer);
  printf ("frame %s %" G_GUINT64_FORMAT " %" G_GINT64_FORMAT
          " %s %#" G_GINT64_MODIFIER "x %" G_GSIZE_FORMAT " %u %#x\n",
      GST_OBJECT_NAME (element), sink->n++, (gint64) GST_BUFFER_PTS (buffer),
      md5 ? md5 : "unmappable", first_id (buffer), gst_buffer_get_size (buffer),
      n_memories, GST_BUFFER_FLAGS (buffer));
  if (sink->tells_metas)
    print_metas (element, buffer);
}

static void
sink_handoff (GstElement *element, GstBuffer *buffer, GstPad *pad, Sink *sink)
{
  report (element, buffer, sink);
}

static void
identity_handoff (GstElement *element, GstBuffer *buffer, Sink *sink)
{
  report (element, buffer, sink);
}

static GstPadProbeReturn
answer_allocation (GstPad *pad, GstPadProbeInfo *info, gpointer data)
{
  GstQuery *query = GST_PAD_PROBE_INFO_QUERY (info);

  if (GST_QUERY_TYPE (query) != GST_QUERY_ALLOCATION)
    return GST_PAD_PROBE_OK;
  gst_query_add_allocation_meta (query, GST_VIDEO_META_API_TYPE, NULL);
  return GST_PAD_PROBE_HANDLED;
}

static void
sink_free (gpointer data, GClosure *closure)
{
  Sink *sink = data;

  gst_clear_caps (&sink->caps);
  g_free (sink);
}

static void
prepare (const GValue *item, gpointer data)
{
  GstElement *element = g_value_get_object (item);
  const gchar *name = GST_OBJECT_NAME (element);
  Sink *sink;

  if (!g_str_has_prefix (name, "out") && !g_str_has_prefix (name, "plain")
      && !g_str_has_prefix (name, "bytes"))
    return;
  sink = g_new0 (Sink, 1);
  sink->all_bytes = g_str_has_prefix (name, "bytes");
  sink->reads_meta = g_str_has_prefix (name, "out");
  sink->tells_metas = g_str_has_suffix (name, "-metas");
  g_object_set (element, "signal-handoffs", TRUE, NULL);
  if (!GST_IS_BASE_SINK (element)) {
    g_signal_connect_data (
        element, "handoff", G_CALLBACK (identity_handoff), sink, sink_free, 0);
    return;
  }
  g_object_set (element, "enable-last-sample", FALSE, NULL);
  g_signal_connect_data (
      element, "handoff", G_CALLBACK (sink_handoff), sink, sink_free, 0);
  if (sink->reads_meta) {
    g_autoptr (GstPad) pad = gst_element_get_static_pad (element, "sink");

    gst_pad_add_probe (pad, GST_PAD_PROBE_TYPE_QUERY_DOWNSTREAM,
        answer_allocation, NULL, NULL);
  }
}

/* --- playing ------------------------------------------------------------- */

static void
print_stats (const GValue *item, gpointer data)
{
  GstElement *element = g_value_get_object (item);
  GstElementFactory *factory = gst_element_get_factory (element);
  g_autoptr (GstStructure) stats = NULL;
  g_autofree gchar *text = NULL;

  if (!factory || !g_str_has_prefix (GST_OBJECT_NAME (factory), "xmem")
      || !g_object_class_find_property (G_OBJECT_GET_CLASS (element), "stats"))
    return;
  g_object_get (element, "stats", &stats, NULL);
  text = gst_structure_to_string (stats);
  printf ("stats %s %s\n", GST_OBJECT_NAME (element), text);
}

static void
for_each_element (Player *player, GstIteratorForeachFunction function)
{
  GstIterator *iterator = gst_bin_iterate_recurse (GST_BIN (player->pipeline));

  gst_iterator_foreach (iterator, function, player);
  gst_iterator_free (iterator);
}

static void
print_error (Player *player, GstObject *source, GError *error)
{
  g_strdelimit (error->message, "\n", ' ');
  printf (
      "error %s %s\n", source ? GST_OBJECT_NAME (source) : "-", error->message);
  player->failed = TRUE;
}

static void
on_error (Player *player, GstMessage *message)
{
  g_autoptr (GError) error = NULL;

  gst_message_parse_error (message, &error, NULL);
  for_each_element (player, print_stats);
  print_error (player, GST_MESSAGE_SRC (message), error);
  g_main_loop_quit (player->loop);
}

static gboolean
on_message (GstBus *bus, GstMessage *message, gpointer data)
{
  Player *player = data;
  GstState state;

  switch (GST_MESSAGE_TYPE (message)) {
    case GST_MESSAGE_EOS:
      for_each_element (player, print_stats);
      printf ("eos\n");
      g_main_loop_quit (player->loop);
      break;
    case GST_MESSAGE_ERROR:
      on_error (player, message);
      break;
    case GST_MESSAGE_STATE_CHANGED:
      gst_message_parse_state_changed (message, NULL, &state, NULL);
      if (GST_MESSAGE_SRC (message) == GST_OBJECT (player->pipeline)
          && state == GST_STATE_PLAYING)
        printf ("playing\n");
      break;
    default:
      break;
  }
  return G_SOURCE_CONTINUE;
}

static void
obey (Player *player, const gchar *line)
{
  if (g_str_equal (line, "eos")) {
    gst_element_send_event (player->pipeline, gst_event_new_eos ());
  } else if (g_str_equal (line, "stats")) {
    for_each_element (player, print_stats);
  } else if (g_str_equal (line, "quit")) {
    player->quit = TRUE;
    g_main_loop_quit (player->loop);
  } else if (g_str_equal (line, "playing")) {
    gst_element_set_state (player->pipeline, GST_STATE_PLAYING);
  } else if (g_str_equal (line, "paused")) {
    gst_element_set_state (player->pipeline, GST_STATE_PAUSED);
  } else if (g_str_equal (line, "ready")) {
    gst_element_set_state (player->pipeline, GST_STATE_READY);
  } else {
    g_error ("unknown command '%s'", line);
  }
}

static gboolean
on_input (GIOChannel *input, GIOCondition condition, gpointer data)
{
  g_autofree gchar *line = NULL;
  gsize end;

  if (g_io_channel_read_line (input, &line, NULL, &end, NULL)
      != G_IO_STATUS_NORMAL)
    return G_SOURCE_REMOVE;
  line[end] = '\0';
  obey (data, line);
  return G_SOURCE_CONTINUE;
}

static void
play (Player *player, const gchar *launch)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GstBus) bus = NULL;

  printf ("run %u\n", player->run++);
  player->pipeline = gst_parse_launch (launch, &error);
  if (error)
    print_error (player, NULL, error);
  if (!player->pipeline || error) {
    gst_clear_object (&player->pipeline);
    return;
  }
  if (!GST_IS_PIPELINE (player->pipeline)) {
    GstElement *element = player->pipeline;

    player->pipeline = gst_pipeline_new (NULL);
    gst_bin_add (GST_BIN (player->pipeline), element);
  }
  for_each_element (player, prepare);
  bus = gst_element_get_bus (player->pipeline);
  gst_bus_add_watch (bus, on_message, player);
  gst_element_set_state (player->pipeline, GST_STATE_PLAYING);
  g_main_loop_run (player->loop);
  gst_element_set_state (player->pipeline, GST_STATE_NULL);
  gst_bus_remove_watch (bus);
  gst_clear_object (&player->pipeline);
}

int
pipeline_main (int argc, char **argv)
{
  Player player = { 0 };
  GIOChannel *input;

  if (argc < 2 || strcmp (argv[1], "--run") != 0)
    return -1;
  prctl (PR_SET_PDEATHSIG, SIGKILL);
  setvbuf (stdout, NULL, _IOLBF, 0);
  gst_init (NULL, NULL);
  g_log_set_always_fatal (G_LOG_LEVEL_CRITICAL | G_LOG_FATAL_MASK);
  player.loop = g_main_loop_new (NULL, FALSE);
  input = g_io_channel_unix_new (0);
  g_io_add_watch (input, G_IO_IN | G_IO_HUP, on_input, &player);
  for (int i = 2; i < argc && !player.quit; i++)
    play (&player, argv[i]);
  g_io_channel_unref (input);
  g_main_loop_unref (player.loop);
  return player.failed ? 1 : 0;
}
