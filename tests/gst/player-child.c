/* SPDX-License-Identifier: MIT */
/* The child: obeys one line after the other. Owns its pipelines, by name.
 *
 * Threads: everything in the main thread, but that messages are noted down by
 * whoever posts them, and that buffers of our making may be fed by a thread
 * of its own. */
#include "player-child.h"

#include <gst/app/gstappsrc.h>
#include <gst/base/gstbasesink.h>
#include <gst/video/video.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "gstxmem.h"
#include "player-clock.h"
#include "player-files.h"

struct line {
  GstElement *pipeline;

  /* What its bus said, under the lock */
  GMutex lock;
  GCond changed;
  gboolean eos;
  gchar *error;
  gchar *warning;
  GPtrArray *messages; /* of elements, and QOS: GstStructure */
};

static GHashTable *lines;

/* --- messages ------------------------------------------------------------ */

static void
note_message (struct line *line, GstMessage *message)
{
  g_autoptr (GError) error = NULL;

  switch (GST_MESSAGE_TYPE (message)) {
    case GST_MESSAGE_EOS:
      line->eos = TRUE;
      break;
    case GST_MESSAGE_ERROR:
      gst_message_parse_error (message, &error, NULL);
      if (!line->error)
        line->error = g_strdup (error->message);
      break;
    case GST_MESSAGE_WARNING:
      gst_message_parse_warning (message, &error, NULL);
      g_free (line->warning);
      line->warning = g_strdup (error->message);
      break;
    case GST_MESSAGE_ELEMENT:
    case GST_MESSAGE_QOS:
      g_ptr_array_add (line->messages,
          gst_structure_copy (gst_message_get_structure (message)));
      break;
    default:
      break;
  }
}

static GstBusSyncReply
on_message (GstBus *bus, GstMessage *message, gpointer user_data)
{
  struct line *line = user_data;

  g_mutex_lock (&line->lock);
  note_message (line, message);
  g_cond_broadcast (&line->changed);
  g_mutex_unlock (&line->lock);
  gst_message_unref (message);
  return GST_BUS_DROP;
}

/* --- pipelines ----------------------------------------------------------- */

static void
line_free (gpointer data)
{
  struct line *line = data;
  g_autoptr (GstBus) bus = gst_element_get_bus (line->pipeline);

  gst_element_set_state (line->pipeline, GST_STATE_NULL);
  gst_bus_set_sync_handler (bus, NULL, NULL, NULL);
  gst_object_unref (line->pipeline);
  g_free (line->error);
  g_free (line->warning);
  g_ptr_array_unref (line->messages);
  g_mutex_clear (&line->lock);
  g_cond_clear (&line->changed);
  g_free (line);
}

static struct line *
line_new (const char *description)
{
  struct line *line = g_new0 (struct line, 1);
  g_autoptr (GstBus) bus = NULL;
  g_autoptr (GError) error = NULL;

  line->pipeline = gst_parse_launch (description, &error);
  g_assert_no_error (error);
  if (!GST_IS_PIPELINE (line->pipeline)) {
    GstElement *only = line->pipeline;

    line->pipeline = gst_pipeline_new (NULL);
    gst_bin_add (GST_BIN (line->pipeline), only);
  }
  g_mutex_init (&line->lock);
  g_cond_init (&line->changed);
  line->messages =
      g_ptr_array_new_with_free_func ((GDestroyNotify) gst_structure_free);
  bus = gst_element_get_bus (line->pipeline);
  gst_bus_set_sync_handler (bus, on_message, line, NULL);
  return line;
}

static struct line *
line_of (char **args)
{
  struct line *line = g_hash_table_lookup (lines, args[0]);

  g_assert_nonnull (line);
  return line;
}

/* A reference on the element that args[1] names. */
static GstElement *
element_of (char **args)
{
  GstElement *element =
      gst_bin_get_by_name (GST_BIN (line_of (args)->pipeline), args[1]);

  if (!element)
    g_error ("no element %s", args[1]);
  return element;
}

static void
do_launch (char **args, GString *reply)
{
  g_hash_table_remove (lines, args[0]);
  g_hash_table_insert (lines, g_strdup (args[0]), line_new (args[1]));
}

static void
do_state (char **args, GString *reply)
{
  g_string_printf (reply, "%d",
      gst_element_set_state (
          line_of (args)->pipeline, (GstState) atoi (args[1])));
}

static void
do_reach (char **args, GString *reply)
{
  g_string_printf (reply, "%d",
      gst_element_get_state (
          line_of (args)->pipeline, NULL, NULL, GST_CLOCK_TIME_NONE));
}

static void
do_drop (char **args, GString *reply)
{
  g_hash_table_remove (lines, args[0]);
}

static void
do_deinit (char **args, GString *reply)
{
  g_hash_table_remove_all (lines);
  gst_deinit ();
}

static void
do_send_eos (char **args, GString *reply)
{
  gst_element_send_event (line_of (args)->pipeline, gst_event_new_eos ());
}

/* --- what its bus said --------------------------------------------------- */

static void
do_wait_end (char **args, GString *reply)
{
  struct line *line = line_of (args);

  g_mutex_lock (&line->lock);
  while (!line->eos && !line->error)
    g_cond_wait (&line->changed, &line->lock);
  if (line->error)
    g_string_printf (reply, "error %.900s", line->error);
  else
    g_string_assign (reply, "eos");
  g_mutex_unlock (&line->lock);
}

static void
do_has_ended (char **args, GString *reply)
{
  struct line *line = line_of (args);

  g_mutex_lock (&line->lock);
  g_string_printf (reply, "%d", line->eos || line->error);
  g_mutex_unlock (&line->lock);
}

static void
do_forget_end (char **args, GString *reply)
{
  struct line *line = line_of (args);

  g_mutex_lock (&line->lock);
  line->eos = FALSE;
  g_clear_pointer (&line->error, g_free);
  g_mutex_unlock (&line->lock);
}

static void
do_wait_warning (char **args, GString *reply)
{
  struct line *line = line_of (args);

  g_mutex_lock (&line->lock);
  while (!line->warning)
    g_cond_wait (&line->changed, &line->lock);
  g_string_printf (reply, "%.900s", line->warning);
  g_mutex_unlock (&line->lock);
}

/* With the lock held: the last message of this name, and how many. */
static GstStructure *
find_message (struct line *line, const char *name, guint *n_out)
{
  GstStructure *found = NULL;

  *n_out = 0;
  for (guint i = 0; i < line->messages->len; i++) {
    GstStructure *structure = g_ptr_array_index (line->messages, i);

    if (gst_structure_has_name (structure, name)) {
      found = structure;
      ++*n_out;
    }
  }
  return found;
}

static void
do_wait_message (char **args, GString *reply)
{
  struct line *line = line_of (args);
  GValue number = G_VALUE_INIT;
  GstStructure *structure;
  guint n;

  g_value_init (&number, G_TYPE_INT64);
  g_mutex_lock (&line->lock);
  while (!(structure = find_message (line, args[1], &n)))
    g_cond_wait (&line->changed, &line->lock);
  g_assert_true (g_value_transform (
      gst_structure_get_value (structure, args[2]), &number));
  g_mutex_unlock (&line->lock);
  g_string_printf (reply, "%" G_GINT64_FORMAT, g_value_get_int64 (&number));
}

static void
do_count_messages (char **args, GString *reply)
{
  struct line *line = line_of (args);
  guint n;

  g_mutex_lock (&line->lock);
  find_message (line, args[1], &n);
  g_mutex_unlock (&line->lock);
  g_string_printf (reply, "%u", n);
}

/* --- elements ------------------------------------------------------------ */

static void
do_set (char **args, GString *reply)
{
  g_autoptr (GstElement) element = element_of (args);

  g_assert_nonnull (
      g_object_class_find_property (G_OBJECT_GET_CLASS (element), args[2]));
  gst_util_set_object_arg (G_OBJECT (element), args[2], args[3]);
}

static void
do_get (char **args, GString *reply)
{
  g_autoptr (GstElement) element = element_of (args);
  GParamSpec *spec =
      g_object_class_find_property (G_OBJECT_GET_CLASS (element), args[2]);
  GValue value = G_VALUE_INIT;
  gchar *text;

  g_assert_nonnull (spec);
  g_value_init (&value, spec->value_type);
  g_object_get_property (G_OBJECT (element), args[2], &value);
  text = G_VALUE_HOLDS_STRING (&value) ? g_value_dup_string (&value)
                                       : gst_value_serialize (&value);
  g_string_printf (reply, "%.900s", text ? text : "NULL");
  g_free (text);
  g_value_unset (&value);
}

static GstStructure *
stats_of (char **args)
{
  g_autoptr (GstElement) element = element_of (args);
  GstStructure *stats;

  g_object_get (element, "stats", &stats, NULL);
  return stats;
}

static void
print_field (const GstStructure *stats, const char *field, GString *reply)
{
  const GValue *value = gst_structure_get_value (stats, field);
  GValue number = G_VALUE_INIT;

  if (!value)
    g_error ("no %s in the stats", field);
  g_value_init (&number, G_TYPE_UINT64);
  g_assert_true (g_value_transform (value, &number));
  g_string_printf (reply, "%" G_GUINT64_FORMAT, g_value_get_uint64 (&number));
}

static void
do_stat (char **args, GString *reply)
{
  GstStructure *stats = stats_of (args);

  print_field (stats, args[2], reply);
  gst_structure_free (stats);
}

/* Of the clients with that name the first. */
static void
do_client_stat (char **args, GString *reply)
{
  GstStructure *stats = stats_of (args);
  const GValue *clients = gst_structure_get_value (stats, "clients");

  g_string_printf (reply, "%" G_GUINT64_FORMAT, G_MAXUINT64);
  for (guint i = gst_value_array_get_size (clients); i > 0; i--) {
    const GstStructure *client =
        gst_value_get_structure (gst_value_array_get_value (clients, i - 1));

    if (g_strcmp0 (gst_structure_get_string (client, "name"), args[2]) == 0)
      print_field (client, args[3], reply);
  }
  gst_structure_free (stats);
}

static void
do_stats (char **args, GString *reply)
{
  GstStructure *stats = stats_of (args);
  gchar *text = gst_structure_to_string (stats);

  g_string_printf (reply, "%.1000s", text);
  g_free (text);
  gst_structure_free (stats);
}

/* --- signals ------------------------------------------------------------- */

struct watch {
  GMutex lock;
  struct player_signals seen;
};

static void
on_connected (GstElement *element, gint fd, struct watch *watch)
{
  g_mutex_lock (&watch->lock);
  watch->seen.connected++;
  watch->seen.last_connected = fd;
  g_mutex_unlock (&watch->lock);
}

static void
on_disconnected (GstElement *element, gint fd, struct watch *watch)
{
  g_mutex_lock (&watch->lock);
  watch->seen.disconnected++;
  watch->seen.last_disconnected = fd;
  g_mutex_unlock (&watch->lock);
}

static void
on_notify (GObject *object, GParamSpec *spec, struct watch *watch)
{
  g_mutex_lock (&watch->lock);
  watch->seen.notified++;
  g_mutex_unlock (&watch->lock);
}

static void
do_watch (char **args, GString *reply)
{
  g_autoptr (GstElement) element = element_of (args);
  struct watch *watch = g_new0 (struct watch, 1);

  g_mutex_init (&watch->lock);
  g_object_set_data_full (G_OBJECT (element), "watch", watch, g_free);
  g_signal_connect (
      element, "client-connected", G_CALLBACK (on_connected), watch);
  g_signal_connect (
      element, "client-disconnected", G_CALLBACK (on_disconnected), watch);
  g_signal_connect (
      element, "notify::num-clients", G_CALLBACK (on_notify), watch);
}

static void
do_signals (char **args, GString *reply)
{
  g_autoptr (GstElement) element = element_of (args);
  struct watch *watch = g_object_get_data (G_OBJECT (element), "watch");

  g_mutex_lock (&watch->lock);
  g_string_printf (reply, "%u %u %u %d %d", watch->seen.connected,
      watch->seen.disconnected, watch->seen.notified,
      watch->seen.last_connected, watch->seen.last_disconnected);
  g_mutex_unlock (&watch->lock);
}

/* --- time ---------------------------------------------------------------- */

static void
do_use_clock (char **args, GString *reply)
{
  g_autoptr (GstClock) clock = player_clock_new (args[1]);

  gst_pipeline_use_clock (GST_PIPELINE (line_of (args)->pipeline), clock);
}

static void
do_serve_clock (char **args, GString *reply)
{
  g_autoptr (GstClock) clock =
      gst_pipeline_get_pipeline_clock (GST_PIPELINE (line_of (args)->pipeline));

  g_string_printf (reply, "%d", player_clock_serve (clock));
}

static void
do_set_latency (char **args, GString *reply)
{
  gst_pipeline_set_latency (GST_PIPELINE (line_of (args)->pipeline),
      g_ascii_strtoull (args[1], NULL, 10));
}

static void
do_times (char **args, GString *reply)
{
  g_autoptr (GstElement) element = element_of (args);
  GstClockTime latency = 0;

  if (GST_IS_BASE_SINK (element))
    latency = gst_base_sink_get_latency (GST_BASE_SINK (element));
  g_string_printf (reply, "%" G_GUINT64_FORMAT " %" G_GUINT64_FORMAT,
      gst_element_get_base_time (element), latency);
}

static void
do_query_latency (char **args, GString *reply)
{
  g_autoptr (GstElement) element = element_of (args);
  GstQuery *query = gst_query_new_latency ();
  GstClockTime min, max;
  gboolean live;

  g_assert_true (gst_element_query (element, query));
  gst_query_parse_latency (query, &live, &min, &max);
  g_string_printf (
      reply, "%d %" G_GUINT64_FORMAT " %" G_GUINT64_FORMAT, live, min, max);
  gst_query_unref (query);
}

/* --- what passes --------------------------------------------------------- */

static void
do_tap (char **args, GString *reply)
{
  g_autoptr (GstElement) element = element_of (args);

  tap_new (element, (enum player_look) atoi (args[2]));
}

static void
do_tap_rendered (char **args, GString *reply)
{
  g_autoptr (GstElement) element = element_of (args);

  tap_new_rendered (element);
}

static void
do_count (char **args, GString *reply)
{
  g_autoptr (GstElement) element = element_of (args);

  g_string_printf (reply, "%u", tap_count (tap_of (element)));
}

static void
do_records (char **args, GString *reply)
{
  g_autoptr (GstElement) element = element_of (args);

  tap_write_records (tap_of (element), args[2]);
}

static void
do_hold (char **args, GString *reply)
{
  g_autoptr (GstElement) element = element_of (args);

  tap_hold (tap_of (element), (unsigned) atoi (args[2]));
}

static void
do_let_go (char **args, GString *reply)
{
  tap_let_go ();
}

static void
do_check_held (char **args, GString *reply)
{
  unsigned n, n_changed;

  tap_check_held (&n, &n_changed);
  g_string_printf (reply, "%u %u", n, n_changed);
}

/* --- buffers of our making ----------------------------------------------- */

static void
read_segment (const char *text, GstSegment *segment)
{
  guint64 start, stop, base, offset;
  gdouble rate;

  g_assert_cmpint (sscanf (text,
                       "%lf %" G_GUINT64_FORMAT " %" G_GUINT64_FORMAT
                       " %" G_GUINT64_FORMAT " %" G_GUINT64_FORMAT,
                       &rate, &start, &stop, &base, &offset),
      ==, 5);
  gst_segment_init (segment, GST_FORMAT_TIME);
  segment->rate = rate;
  segment->start = segment->time = segment->position = start;
  segment->stop = stop;
  segment->base = base;
  segment->offset = offset;
}

static GstBuffer *
read_buffer (const char *text)
{
  struct player_record r;
  GstBuffer *buffer;

  g_assert_cmpint (
      sscanf (text,
          "%" G_GUINT64_FORMAT " %" G_GUINT64_FORMAT " %" G_GUINT64_FORMAT
          " %" G_GUINT64_FORMAT " %" G_GUINT64_FORMAT " %" G_GUINT64_FORMAT
          " %" G_GUINT64_FORMAT,
          &r.pts, &r.dts, &r.duration, &r.offset, &r.offset_end, &r.flags,
          &r.size),
      ==, 7);
  buffer = gst_buffer_new_allocate (NULL, r.size, NULL);
  gst_buffer_memset (buffer, 0, 0x55, r.size);
  GST_BUFFER_PTS (buffer) = r.pts;
  GST_BUFFER_DTS (buffer) = r.dts;
  GST_BUFFER_DURATION (buffer) = r.duration;
  GST_BUFFER_OFFSET (buffer) = r.offset;
  GST_BUFFER_OFFSET_END (buffer) = r.offset_end;
  GST_BUFFER_FLAGS (buffer) = (guint) r.flags;
  return buffer;
}

static void
do_push (char **args, GString *reply)
{
  g_autoptr (GstElement) element = element_of (args);
  g_autoptr (GstBuffer) buffer = read_buffer (args[3]);
  g_autoptr (GstSample) sample = NULL;
  GstSegment segment;

  read_segment (args[2], &segment);
  sample = gst_sample_new (buffer, NULL, &segment, NULL);
  g_assert_cmpint (
      gst_app_src_push_sample (GST_APP_SRC (element), sample), ==, GST_FLOW_OK);
}

static void
do_end_of_stream (char **args, GString *reply)
{
  g_autoptr (GstElement) element = element_of (args);

  gst_app_src_end_of_stream (GST_APP_SRC (element));
}

struct feed {
  GstAppSrc *appsrc;
  GstBufferPool *pool;
  guint64 n_frames;
  guint64 fps;
};

static GstBufferPool *
make_pool (GstCaps *caps)
{
  g_autoptr (GstAllocator) allocator = gst_xmem_allocator_new (0);
  GstBufferPool *pool =
      gst_xmem_buffer_pool_new (GST_XMEM_ALLOCATOR (allocator));
  GstStructure *config = gst_buffer_pool_get_config (pool);

  gst_buffer_pool_config_set_params (config, caps, 1, 0, 0);
  gst_buffer_pool_config_add_option (config, GST_BUFFER_POOL_OPTION_VIDEO_META);
  g_assert_true (gst_buffer_pool_set_config (pool, config));
  g_assert_true (gst_buffer_pool_set_active (pool, TRUE));
  return pool;
}

static gpointer
feed_thread (gpointer data)
{
  struct feed *feed = data;
  GstBuffer *buffer;

  for (guint64 i = 0; i < feed->n_frames; i++) {
    g_assert_cmpint (gst_buffer_pool_acquire_buffer (feed->pool, &buffer, NULL),
        ==, GST_FLOW_OK);
    gst_buffer_fill (buffer, 0, &i, sizeof (i));
    GST_BUFFER_OFFSET (buffer) = i;
    GST_BUFFER_PTS (buffer) = i * GST_SECOND / feed->fps;
    GST_BUFFER_DURATION (buffer) = GST_SECOND / feed->fps;
    if (gst_app_src_push_buffer (feed->appsrc, buffer) != GST_FLOW_OK)
      break;
  }
  gst_app_src_end_of_stream (feed->appsrc);
  gst_buffer_pool_set_active (feed->pool, FALSE);
  gst_object_unref (feed->pool);
  gst_object_unref (feed->appsrc);
  g_free (feed);
  return NULL;
}

static void
do_feed (char **args, GString *reply)
{
  struct feed *feed = g_new (struct feed, 1);
  g_autoptr (GstCaps) caps = gst_caps_from_string (args[2]);

  feed->appsrc = GST_APP_SRC (element_of (args));
  g_object_set (feed->appsrc, "format", GST_FORMAT_TIME, "block", TRUE,
      "max-buffers", (guint64) 2, "max-bytes", (guint64) 0, "caps", caps, NULL);
  feed->pool = make_pool (caps);
  feed->n_frames = (guint64) atoi (args[3]);
  feed->fps = (guint64) atoi (args[4]);
  g_thread_unref (g_thread_new ("feed", feed_thread, feed));
}

/* --- files ---------------------------------------------------------------- */

static void
do_feed_files (char **args, GString *reply)
{
  const struct player_files files = {
    .kind = (enum player_file) atoi (args[4]),
    .size = (unsigned) atoi (args[5]),
    .n_files = (unsigned) atoi (args[6]),
    .pooled = atoi (args[7]),
    .stride = (unsigned) atoi (args[8]),
  };

  files_feed (GST_APP_SRC (element_of (args)), args[2],
      (unsigned) atoi (args[3]), &files);
}

static void
do_look_at_last (char **args, GString *reply)
{
  g_autoptr (GstElement) sink = element_of (args);
  struct player_memory seen;

  files_look_at_last (sink, &seen);
  g_string_printf (reply,
      "%d %d %d %" G_GUINT64_FORMAT " %" G_GUINT64_FORMAT " %" G_GUINT64_FORMAT
      " %" G_GUINT64_FORMAT " %u",
      seen.is_dmabuf, seen.is_fd, seen.is_writable, seen.offset, seen.size,
      seen.inode, seen.plane_offset, seen.stride);
}

/* --- obeying ------------------------------------------------------------- */

static void
do_exit_at_end (char **args, GString *reply)
{
  do_wait_end (args, reply);
  _exit (0);
}

static const struct verb {
  const char *name;
  guint n_args; /* the line's name included */
  void (*run) (char **args, GString *reply);
} verbs[] = {
  { "launch", 2, do_launch },
  { "state", 2, do_state },
  { "reach", 1, do_reach },
  { "drop", 1, do_drop },
  { "deinit", 1, do_deinit },
  { "send-eos", 1, do_send_eos },
  { "wait-end", 1, do_wait_end },
  { "has-ended", 1, do_has_ended },
  { "forget-end", 1, do_forget_end },
  { "wait-warning", 1, do_wait_warning },
  { "wait-message", 3, do_wait_message },
  { "count-messages", 2, do_count_messages },
  { "set", 4, do_set },
  { "get", 3, do_get },
  { "stat", 3, do_stat },
  { "client-stat", 4, do_client_stat },
  { "stats", 2, do_stats },
  { "watch", 2, do_watch },
  { "signals", 2, do_signals },
  { "use-clock", 2, do_use_clock },
  { "serve-clock", 1, do_serve_clock },
  { "set-latency", 2, do_set_latency },
  { "times", 2, do_times },
  { "query-latency", 2, do_query_latency },
  { "tap", 3, do_tap },
  { "tap-rendered", 2, do_tap_rendered },
  { "count", 2, do_count },
  { "records", 3, do_records },
  { "hold", 3, do_hold },
  { "let-go", 1, do_let_go },
  { "check-held", 1, do_check_held },
  { "push", 4, do_push },
  { "end-of-stream", 2, do_end_of_stream },
  { "feed", 5, do_feed },
  { "feed-files", 9, do_feed_files },
  { "look-at-last", 2, do_look_at_last },
  { "exit-at-end", 1, do_exit_at_end },
};

static void
obey (const char *words)
{
  g_auto (GStrv) args = g_strsplit (words, "\t", -1);
  GString *reply = g_string_new ("");

  for (guint i = 0; i < G_N_ELEMENTS (verbs); i++) {
    if (strcmp (verbs[i].name, args[0]) != 0)
      continue;
    g_assert_cmpuint (g_strv_length (args), ==, verbs[i].n_args + 1);
    verbs[i].run (args + 1, reply);
    harness_say ("%s", reply->str);
    g_string_free (reply, TRUE);
    return;
  }
  g_error ("no verb %s", args[0]);
}

void
player_child_run (int argc, char **argv)
{
  char words[HARNESS_LINE_MAX];

  gst_init (NULL, NULL);
  g_log_set_always_fatal (G_LOG_FATAL_MASK | G_LOG_LEVEL_CRITICAL);
  prctl (PR_SET_PTRACER, PR_SET_PTRACER_ANY);
  lines = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, line_free);
  while (harness_listen (words))
    obey (words);
  g_hash_table_unref (lines);
  tap_let_go ();
}
