/* SPDX-License-Identifier: MIT */
/* See here.h. Threads: the test's; watch functions run in streaming threads. */
#include "here.h"

#include <gst/check/gstcheck.h>
#include <gst/video/video.h>

GstElement *
here_parse (const gchar *format, ...)
{
  g_autofree gchar *launch = NULL;
  g_autoptr (GError) error = NULL;
  GstElement *pipeline;
  va_list args;

  va_start (args, format);
  launch = g_strdup_vprintf (format, args);
  va_end (args);
  pipeline = gst_parse_launch (launch, &error);
  g_assert_no_error (error);
  fail_unless (GST_IS_PIPELINE (pipeline), "'%s' is no pipeline", launch);
  return pipeline;
}

GError *
here_run (GstElement *pipeline)
{
  g_autoptr (GstBus) bus = gst_element_get_bus (pipeline);
  g_autoptr (GstMessage) message = NULL;
  GError *error = NULL;

  gst_element_set_state (pipeline, GST_STATE_PLAYING);
  message = gst_bus_timed_pop_filtered (
      bus, GST_CLOCK_TIME_NONE, GST_MESSAGE_EOS | GST_MESSAGE_ERROR);
  if (GST_MESSAGE_TYPE (message) == GST_MESSAGE_ERROR)
    gst_message_parse_error (message, &error, NULL);
  return error;
}

void
here_run_ok (GstElement *pipeline)
{
  g_autoptr (GError) error = here_run (pipeline);

  fail_unless (error == NULL, "%s", error ? error->message : "");
}

guint64
here_stat (GstElement *pipeline, const gchar *element, const gchar *field)
{
  g_autoptr (GstElement) found =
      gst_bin_get_by_name (GST_BIN (pipeline), element);
  g_autoptr (GstStructure) stats = NULL;
  guint64 value = 0;
  guint narrow;

  g_object_get (found, "stats", &stats, NULL);
  if (gst_structure_get_uint64 (stats, field, &value))
    return value;
  fail_unless (gst_structure_get_uint (stats, field, &narrow), "no %s", field);
  return narrow;
}

guint64
here_metas_dropped (
    GstElement *pipeline, const gchar *element, const gchar *name)
{
  g_autoptr (GstElement) found =
      gst_bin_get_by_name (GST_BIN (pipeline), element);
  g_autoptr (GstStructure) stats = NULL, dropped = NULL;
  guint64 n = 0;

  g_object_get (found, "stats", &stats, NULL);
  fail_unless (gst_structure_get (
      stats, "metas-dropped", GST_TYPE_STRUCTURE, &dropped, NULL));
  gst_structure_get_uint64 (dropped, name, &n);
  return n;
}

void
here_free (GstElement *pipeline)
{
  gst_element_set_state (pipeline, GST_STATE_NULL);
  gst_object_unref (pipeline);
}

typedef struct {
  void (*function) (GstBuffer *buffer, gpointer data);
  gpointer data;
} Watch;

static GstPadProbeReturn
on_buffer (GstPad *pad, GstPadProbeInfo *info, gpointer data)
{
  Watch *watch = data;

  watch->function (GST_PAD_PROBE_INFO_BUFFER (info), watch->data);
  return GST_PAD_PROBE_OK;
}

void
here_watch (GstElement *pipeline, const gchar *pad,
    void (*function) (GstBuffer *buffer, gpointer data), gpointer data)
{
  g_auto (GStrv) names = g_strsplit (pad, ".", 2);
  g_autoptr (GstElement) element =
      gst_bin_get_by_name (GST_BIN (pipeline), names[0]);
  g_autoptr (GstPad) found = gst_element_get_static_pad (element, names[1]);
  Watch *watch = g_new (Watch, 1);

  fail_unless (found != NULL, "no pad %s", pad);
  watch->function = function;
  watch->data = data;
  gst_pad_add_probe (
      found, GST_PAD_PROBE_TYPE_BUFFER, on_buffer, watch, g_free);
}

GstAllocator *
here_proposed_allocator (GstElement *pipeline, const gchar *sink)
{
  g_autoptr (GstElement) element =
      gst_bin_get_by_name (GST_BIN (pipeline), sink);
  g_autoptr (GstPad) pad = gst_element_get_static_pad (element, "sink");
  g_autoptr (GstQuery) query = gst_query_new_allocation (NULL, FALSE);
  GstAllocator *allocator = NULL;

  fail_unless (gst_pad_query (pad, query));
  gst_query_parse_nth_allocation_param (query, 0, &allocator, NULL);
  return allocator;
}
