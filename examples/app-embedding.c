/* SPDX-License-Identifier: MIT */
/* A GStreamer application that embeds both ends.
 *
 *   app-embedding produce [SOCKET]    draws frames into shared memory itself
 *   app-embedding consume [SOCKET]    receives them
 *   app-embedding                     both, in one process
 *
 * The producer shows what an appsrc needs to be without copies: buffers from
 * libgstxmem's pool. The consumer shows that what it gets is shared memory,
 * and reads the elements' figures at the end.
 *
 * Threads: the main loop runs in the main thread; frames are drawn in it and
 * received in xmemsrc's streaming thread. */
#include <gst/app/gstappsink.h>
#include <gst/app/gstappsrc.h>
#include <gst/video/video.h>
#include <string.h>

#include "gstxmem.h"

#define CAPS "video/x-raw,format=GRAY8,width=320,height=240,framerate=30/1"
#define N_FRAMES 90

typedef struct {
  GMainLoop *loop;
  guint n_ends; /* pipelines that still run */
  GstElement *source;
  GstBufferPool *pool;
  guint n_drawn;
  guint n_received;
  gboolean failed;
} App;

/* What could be made of the description is a pipeline too, if the plugin is not
 * found: so it is the error that counts. */
static GstElement *
parse (const gchar *description)
{
  g_autoptr (GError) error = NULL;
  GstElement *pipeline = gst_parse_launch (description, &error);

  if (error)
    g_error ("%s: %s", description, error->message);
  return pipeline;
}

/* --- producing ----------------------------------------------------------- */

/* A pool of shared buffers for the appsrc. */
static GstBufferPool *
make_pool (void)
{
  g_autoptr (GstAllocator) allocator = gst_xmem_allocator_new (0);
  g_autoptr (GstCaps) caps = gst_caps_from_string (CAPS);
  GstBufferPool *pool =
      gst_xmem_buffer_pool_new (GST_XMEM_ALLOCATOR (allocator));
  GstStructure *config = gst_buffer_pool_get_config (pool);

  gst_buffer_pool_config_set_params (config, caps, 320 * 240, 0, 0);
  gst_buffer_pool_set_config (pool, config);
  gst_buffer_pool_set_active (pool, TRUE);
  return pool;
}

/* Draws one frame into shared memory and hands it over. */
static gboolean
draw (gpointer data)
{
  App *app = data;
  GstBuffer *buffer;
  GstMapInfo map;

  if (app->n_drawn == N_FRAMES) {
    gst_app_src_end_of_stream (GST_APP_SRC (app->source));
    return G_SOURCE_REMOVE;
  }
  if (gst_buffer_pool_acquire_buffer (app->pool, &buffer, NULL) != GST_FLOW_OK
      || !gst_buffer_map (buffer, &map, GST_MAP_WRITE))
    return G_SOURCE_REMOVE;
  memset (map.data, (int) app->n_drawn, map.size);
  gst_buffer_unmap (buffer, &map);
  app->n_drawn++;
  gst_app_src_push_buffer (GST_APP_SRC (app->source), buffer);
  return G_SOURCE_CONTINUE;
}

static void
client_changed (GstElement *sink, gint fd, gpointer what)
{
  g_print ("client on socket %d %s\n", fd, (const gchar *) what);
}

static GstElement *
make_producer (App *app, const gchar *address)
{
  g_autofree gchar *description = g_strdup_printf (
      "appsrc name=source caps=" CAPS " format=time is-live=true "
      "do-timestamp=true ! xmemsink name=end socket-path=\"%s\" "
      "wait-for-connection=true allow-copy=false",
      address);
  GstElement *pipeline = parse (description);
  g_autoptr (GstElement) sink = gst_bin_get_by_name (GST_BIN (pipeline), "end");

  g_signal_connect (
      sink, "client-connected", G_CALLBACK (client_changed), "connected");
  g_signal_connect (
      sink, "client-disconnected", G_CALLBACK (client_changed), "disconnected");
  app->source = gst_bin_get_by_name (GST_BIN (pipeline), "source");
  app->pool = make_pool ();
  g_timeout_add (33, draw, app);
  return pipeline;
}

/* --- consuming ----------------------------------------------------------- */

static GstFlowReturn
new_sample (GstAppSink *sink, gpointer data)
{
  App *app = data;
  g_autoptr (GstSample) sample = gst_app_sink_pull_sample (sink);
  GstBuffer *buffer = gst_sample_get_buffer (sample);
  GstMemory *memory = gst_buffer_peek_memory (buffer, 0);

  if (app->n_received++ % 30 == 0)
    g_print ("frame at %" GST_TIME_FORMAT ": %s, id %#" G_GINT64_MODIFIER "x\n",
        GST_TIME_ARGS (GST_BUFFER_PTS (buffer)),
        gst_is_xmem_memory (memory) ? "shared memory" : "a copy",
        gst_is_xmem_memory (memory) ? gst_xmem_memory_get_id (memory) : 0);
  return GST_FLOW_OK;
}

static GstElement *
make_consumer (App *app, const gchar *address)
{
  g_autofree gchar *description =
      g_strdup_printf ("xmemsrc name=end socket-path=\"%s\" delivery=every ! "
                       "appsink name=sink sync=false max-buffers=1",
          address);
  GstElement *pipeline = parse (description);
  g_autoptr (GstElement) sink =
      gst_bin_get_by_name (GST_BIN (pipeline), "sink");
  GstAppSinkCallbacks callbacks = { .new_sample = new_sample };

  gst_app_sink_set_callbacks (GST_APP_SINK (sink), &callbacks, app, NULL);
  return pipeline;
}

/* --- both ---------------------------------------------------------------- */

static void
end_pipeline (App *app, GstElement *pipeline)
{
  g_autoptr (GstElement) end = gst_bin_get_by_name (GST_BIN (pipeline), "end");
  g_autoptr (GstStructure) stats = NULL;
  g_autofree gchar *text = NULL;

  g_object_get (end, "stats", &stats, NULL);
  text = gst_structure_to_string (stats);
  g_print ("%s\n", text);
  gst_element_set_state (pipeline, GST_STATE_NULL);
  if (--app->n_ends == 0)
    g_main_loop_quit (app->loop);
}

static gboolean
on_message (GstBus *bus, GstMessage *message, gpointer data)
{
  App *app = data;
  g_autoptr (GError) error = NULL;

  if (GST_MESSAGE_TYPE (message) == GST_MESSAGE_ERROR) {
    gst_message_parse_error (message, &error, NULL);
    g_printerr ("%s\n", error->message);
    app->failed = TRUE;
    g_main_loop_quit (app->loop);
  } else if (GST_MESSAGE_TYPE (message) == GST_MESSAGE_EOS) {
    end_pipeline (app, GST_ELEMENT (message->src));
  }
  return G_SOURCE_CONTINUE;
}

static void
play (App *app, GstElement *pipeline)
{
  g_autoptr (GstBus) bus = gst_element_get_bus (pipeline);

  gst_bus_add_watch (bus, on_message, app);
  app->n_ends++;
  gst_element_set_state (pipeline, GST_STATE_PLAYING);
}

static void
dispose (GstElement **pipeline)
{
  g_autoptr (GstBus) bus = *pipeline ? gst_element_get_bus (*pipeline) : NULL;

  if (!*pipeline)
    return;
  gst_element_set_state (*pipeline, GST_STATE_NULL);
  gst_bus_remove_watch (bus);
  gst_clear_object (pipeline);
}

int
main (int argc, char **argv)
{
  App app = { .loop = g_main_loop_new (NULL, FALSE) };
  const gchar *mode = argc > 1 ? argv[1] : "both";
  const gchar *address = argc > 2 ? argv[2] : "app-embedding";
  GstElement *producer = NULL, *consumer = NULL;

  gst_init (&argc, &argv);
  if (!g_str_equal (mode, "consume"))
    play (&app, producer = make_producer (&app, address));
  if (!g_str_equal (mode, "produce"))
    play (&app, consumer = make_consumer (&app, address));
  g_main_loop_run (app.loop);
  if (consumer)
    g_print ("%u frames received\n", app.n_received);
  dispose (&producer);
  dispose (&consumer);
  if (app.pool)
    gst_buffer_pool_set_active (app.pool, FALSE);
  gst_clear_object (&app.pool);
  gst_clear_object (&app.source);
  g_main_loop_unref (app.loop);
  return app.failed ? 1 : 0;
}
